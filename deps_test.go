package llama

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowedImports says which packages of this module, and which from outside the
// standard library, a package may import. Tests and the programs around them
// (metal/internal/exercise, internal/vm/vmtest, scripts) may import what they like.
const allowedImports = `
	bootllama                  : bootllama/arena bootllama/simd bootllama/workers
	bootllama/simd             : golang.org/x/sys
	bootllama/arena            :
	bootllama/workers          :
	bootllama/chat             : bootllama
	bootllama/models           :
	bootllama/internal/run     : bootllama bootllama/chat bootllama/models bootllama/simd bootllama/workers
	bootllama/metal            :
	bootllama/cmd/efi          : bootllama/internal/run bootllama/metal

	bootllama/internal/logits  : bootllama

	bootllama/internal/pe      :
	bootllama/internal/efi     : bootllama/internal/pe
	bootllama/internal/disk    : bootllama/internal/file github.com/diskfs/go-diskfs
	bootllama/internal/vm      :
	bootllama/internal/file    :
	bootllama/cmd/bootllama    : bootllama bootllama/internal/file bootllama/internal/run bootllama/internal/efi bootllama/internal/disk bootllama/internal/vm golang.org/x/term
`

// standardOnly are the packages that may use even of the standard library no more
// than this: the kernel runs below the runtime.
var standardOnly = map[string][]string{"bootllama/metal": {"unsafe"}}

// testPrograms are there for tests only.
var testPrograms = []string{
	"bootllama/metal/internal/exercise", "bootllama/cmd/efi/internal/bits", "bootllama/cmd/efi/internal/measure",
	"bootllama/internal/vm/vmtest", "bootllama/internal/randommodel", "bootllama/internal/fusetest",
}

func TestImports(t *testing.T) {
	allowed := map[string][]string{}
	for line := range strings.Lines(allowedImports) {
		if name, imports, ok := strings.Cut(line, ":"); ok {
			allowed[strings.TrimSpace(name)] = strings.Fields(imports)
		}
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(bufio.NewReader(bytes.NewReader(out))); ; seen++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rule, ok := allowed[p.ImportPath]
		if forTests := strings.HasPrefix(p.ImportPath, "bootllama/scripts/"); forTests || slices.Contains(testPrograms, p.ImportPath) {
			continue
		}
		if !ok {
			t.Errorf("%s is not in allowedImports", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if want, ok := standardOnly[p.ImportPath]; ok && !slices.Contains(want, i) {
				t.Errorf("%s imports %s, and may import %v only", p.ImportPath, i, want)
			}
			if ours := i == "bootllama" || strings.HasPrefix(i, "bootllama/"); !ours && !strings.Contains(strings.Split(i, "/")[0], ".") {
				continue // standard library
			}
			if !under(rule, i) {
				t.Errorf("%s imports %s, which is not in allowedImports", p.ImportPath, i)
			}
		}
	}
	if seen < len(allowed) {
		t.Errorf("go list found %d packages, allowedImports has %d", seen, len(allowed))
	}
}

// under says whether an import is in the list, or below a module that is.
func under(list []string, s string) bool {
	for _, v := range list {
		if s == v || strings.Contains(v, ".") && strings.HasPrefix(s, v+"/") {
			return true
		}
	}
	return false
}
