// Command lines says how much there is to read, in lines with comments and without tests: the packages of which the EFI
// application is built, the standard library apart, and the model with the commands around it. Run it in the repository.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// room is a package as `go list` describes it.
type room struct {
	ImportPath, Dir string
	Standard        bool
	GoFiles         []string // of the EFI application
	SFiles          []string // assembly
	IgnoredGoFiles  []string // for other systems, and tests for them
}

func main() {
	if err := report(); err != nil {
		fmt.Fprintln(os.Stderr, "lines:", err)
		os.Exit(1)
	}
}

func report() error {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,SFiles,IgnoredGoFiles", "bootllama/cmd/efi")
	cmd.Env, cmd.Stderr = append(os.Environ(), "GOOS=linux", "GOARCH=amd64"), os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return err
	}
	fmt.Println("                           Go  assembly")
	var sumGo, sumAssembly, model int
	for d := json.NewDecoder(bytes.NewReader(list)); d.More(); {
		var r room
		if err := d.Decode(&r); err != nil {
			return err
		}
		if r.Standard {
			continue
		}
		inGo, err1 := r.lines(r.GoFiles)
		assembly, err2 := r.lines(r.SFiles)
		others, err3 := r.lines(r.IgnoredGoFiles)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		fmt.Printf("%-22s %6d %9d\n", r.ImportPath, inGo, assembly)
		if strings.HasPrefix(r.ImportPath, "bootllama") {
			sumGo, sumAssembly = sumGo+inGo, sumAssembly+assembly
		}
		switch r.ImportPath {
		case "bootllama", "bootllama/chat", "bootllama/internal/run":
			model += inGo + others
		}
	}
	fmt.Printf("%-22s %6d %9d\n\n", "ours, together", sumGo, sumAssembly)
	fmt.Printf("bootllama, chat and internal/run on all systems: %d\n", model)
	return nil
}

// lines counts the lines of files.
func (r room) lines(files []string) (n int, err error) {
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(r.Dir, name))
		if err != nil {
			return 0, err
		}
		n += bytes.Count(text, []byte("\n"))
	}
	return n, nil
}
