package llama

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowedImports is the house: its modules, the packages in them, and what each may import of this house and from outside
// the standard library. A package with * is there for tests, and it and all tests may import what they like.
const allowedImports = `
module bootllama: the port. What cmd/efi imports goes into the EFI application.
	bootllama                   : bootllama/arena bootllama/quant bootllama/simd bootllama/tensor bootllama/workers
	bootllama/arena             :
	bootllama/quant             :
	bootllama/simd              : bootllama/quant golang.org/x/sys
	bootllama/tensor            : bootllama/arena bootllama/quant bootllama/simd
	bootllama/workers           :
	bootllama/sampler           : bootllama/simd
	bootllama/guess             : bootllama
	bootllama/tokenizer         :
	bootllama/gguf              : bootllama bootllama/quant bootllama/tokenizer
	bootllama/session           : bootllama/internal/file bootllama/internal/flags
	bootllama/stories           : bootllama bootllama/session
	bootllama/chat              : bootllama bootllama/session
	bootllama/assistant/template     :
	bootllama/assistant         : bootllama bootllama/assistant/template bootllama/session bootllama/tokenizer
	bootllama/models            : bootllama
	bootllama/internal/flags    :
	bootllama/internal/settings : bootllama/internal/flags
	bootllama/internal/bench    : bootllama bootllama/guess bootllama/internal/flags bootllama/simd bootllama/workers
	bootllama/internal/run      : bootllama bootllama/arena bootllama/assistant bootllama/gguf bootllama/guess bootllama/chat bootllama/internal/bench bootllama/internal/flags bootllama/models bootllama/sampler bootllama/session bootllama/simd bootllama/stories bootllama/tokenizer bootllama/workers bootllama/internal/talk
	bootllama/internal/start    : bootllama bootllama/arena bootllama/internal/flags bootllama/internal/run bootllama/internal/settings bootllama/models bootllama/session
	bootllama/metal             : bootllama/metal/vt
	bootllama/metal/vt          :
	bootllama/metal/keyboard    : bootllama/metal
	bootllama/screen            : bootllama/metal/vt golang.org/x/image
	bootllama/cmd/efi           : bootllama/internal/run bootllama/internal/start bootllama/internal/stdio bootllama/internal/tty bootllama/metal bootllama/metal/keyboard bootllama/screen bootllama/session
	bootllama/internal/talk     : bootllama bootllama/arena bootllama/assistant bootllama/sampler bootllama/session
	bootllama/internal/tty      : bootllama/session golang.org/x/sys golang.org/x/term
	bootllama/examples/hello    : bootllama/metal
	bootllama/examples/story    : bootllama bootllama/metal bootllama/models

	bootllama/internal/pe       :
	bootllama/internal/efi      : bootllama/internal/pe
	bootllama/internal/sign     : github.com/sassoftware/relic/v7
	bootllama/internal/disk     : bootllama/internal/file
	bootllama/internal/vm       :
	bootllama/internal/file     :
	bootllama/internal/stdio    : golang.org/x/term
	bootllama/cmd/bootllama     : bootllama bootllama/gguf bootllama/internal/disk bootllama/internal/efi bootllama/internal/file bootllama/internal/flags bootllama/internal/run bootllama/internal/settings bootllama/internal/sign bootllama/internal/start bootllama/internal/stdio bootllama/internal/vm golang.org/x/term bootllama/internal/tty bootllama/session
	bootllama/scripts/fuzz      :
	bootllama/scripts/lines     :
	bootllama/scripts/release   : bootllama/internal/efi bootllama/internal/file

	bootllama/examples               : *
	bootllama/internal/golden        : *
	bootllama/internal/randommodel   : *
	bootllama/internal/gengguf       : *
	bootllama/internal/gengguf/cmd   : *
	bootllama/internal/heap          : *
	bootllama/internal/fusetest      : *
	bootllama/internal/cputime       : *
	bootllama/internal/ulp           : *
	bootllama/internal/vm/vmtest     : *
	bootllama/cmd/efi/internal/bits  : *
	bootllama/cmd/efi/internal/measure : *
	bootllama/cmd/efi/internal/soak    : *
	bootllama/metal/internal/cryptorand: *
	bootllama/metal/internal/exercise  : *
	bootllama/screen/internal/show     : *

module bootllama/train: how the built-in model was made.
	bootllama/train             : bootllama bootllama/simd bootllama/train/bpe
	bootllama/train/bpe         : bootllama
	bootllama/train/tales       :
	bootllama/train/run         : bootllama bootllama/internal/file bootllama/train bootllama/train/bpe bootllama/train/tales
	bootllama/train/cmd/train   : bootllama/internal/stdio bootllama/train/run github.com/schollz/progressbar github.com/spf13/pflag gonum.org/v1/plot

module bootllama/examples/terminal: programs of Go's terminal world, which run on metal as they are.
	bootllama/examples/terminal : bootllama/metal github.com/charmbracelet/bubbletea github.com/gdamore/tcell golang.org/x/term

module bootllama/bench: how fast it is beside others, and how well the tests notice mistakes.
	bootllama/bench/internal/quiet :
	bootllama/bench/compare     : bootllama/bench/internal/quiet bootllama/internal/file bootllama/internal/flags
	bootllama/bench/mutants     :
`

// TestDesign: DESIGN.md has a line for every room.
func TestDesign(t *testing.T) {
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(allowedImports) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), " ")
		room := strings.TrimPrefix(name, "bootllama/")
		if !ok || room == name || strings.HasSuffix(strings.TrimSpace(line), "*") {
			continue // the module's line, the root, what is for tests
		}
		if parent := path.Dir(room); !strings.Contains(string(design), room) && (parent == "." || !strings.Contains(string(design), parent)) {
			t.Errorf("DESIGN.md has no line for %s", room)
		}
	}
}

// standardOnly are the packages that may use even of the standard library no more
// than this: the kernel runs below the runtime.
var standardOnly = map[string][]string{"bootllama/metal": {"unsafe", "bootllama/metal/vt"}, "bootllama/metal/vt": {}}

// linkedModules are the modules of which there is code in the programs that a person gets: training and plotting are not.
var linkedModules = map[string][]string{
	"./cmd/efi":       {"bootllama", "golang.org/x/image", "golang.org/x/sys", "golang.org/x/term", "golang.org/x/text"},
	"./cmd/bootllama": {"bootllama", "github.com/sassoftware/relic/v7", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys", "golang.org/x/term"},
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string } // nil: the standard library
}

// goList lists packages as they are built for the EFI application's system.
func goList(t *testing.T, folder string, args ...string) (list []listed) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Module"}, args...)...)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v in %s: %v", cmd.Args, folder, err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// modules finds the folders of all modules, so that none is forgotten. It looks at every file, so that go test does not
// take an earlier result for this one's when any of them has changed.
func modules(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name[0] == '.' || name[0] == '_' || name == "testdata" || path == "build"):
			return fs.SkipDir // as go does; build is what the Makefile makes
		case name == "go.mod":
			folders = append(folders, filepath.Dir(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func TestImports(t *testing.T) {
	allowed := map[string][]string{}
	for line := range strings.Lines(allowedImports) {
		if name, imports, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "\t") {
			allowed[strings.TrimSpace(name)] = strings.Fields(imports)
		}
	}
	missing := maps.Clone(allowed)
	for _, folder := range modules(t) {
		for _, p := range goList(t, folder, "-e", "./...") { // -e: what the other modules need may be out of reach
			rule, ok := allowed[p.ImportPath]
			if delete(missing, p.ImportPath); !ok {
				t.Errorf("%s is not in allowedImports", p.ImportPath)
			}
			if slices.Contains(rule, "*") {
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
	}
	for name := range missing {
		t.Errorf("%s is in allowedImports, and there is no such package", name)
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

func TestLinkedModules(t *testing.T) {
	for program, want := range linkedModules {
		have := map[string]bool{}
		for _, p := range goList(t, ".", "-deps", program) {
			if p.Module != nil {
				have[p.Module.Path] = true
			}
		}
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, want) {
			t.Errorf("%s has code of %q, want %q", program, got, want)
		}
	}
}
