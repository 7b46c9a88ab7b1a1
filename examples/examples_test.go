// Package examples tests that the examples, and a program of another module, boot.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm/vmtest"
)

// TestExamples boots both examples and a program of another module. The story of a seed
// is the one that the host tells.
func TestExamples(t *testing.T) {
	vmtest.Need(t)
	story := output(t, "", "go", "run", "./story", "7")
	if len(story) < 300 {
		t.Errorf("no story on the host: %q", story)
	}
	files := []disk.File{
		vmtest.Content("HELLO.EFI", build(t, "bootllama/examples/hello")),
		vmtest.Content("STORY.EFI", build(t, "bootllama/examples/story")),
		vmtest.Content("FOREIGN.EFI", foreign(t)),
	}
	b := vmtest.New(t, files, 0, "HELLO.EFI", "STORY.EFI 7", "STORY.EFI seven", "FOREIGN.EFI")
	b.CPUs = 2
	b.WantStatuses(t, 0, 0, 1, 0)
	want := regexp.MustCompile(`^Hello from go1\.\S+ on 2 processor cores\.\n` +
		regexp.QuoteMeta(story) + "I am foreign\\.\n$")
	if !want.MatchString(b.Out.String()) {
		t.Errorf("bare metal printed\n%s\nwant\n%s", &b.Out, want)
	}
	if stderr := b.Err.String(); !strings.HasPrefix(stderr, "story: the seed is a whole number: ") {
		t.Errorf("bare metal said %q", stderr)
	}
}

func build(t *testing.T, pkg string) []byte {
	t.Helper()
	application, err := efi.Build(t.Context(), efi.Options{Package: pkg})
	if err != nil {
		t.Fatal(err)
	}
	return application
}

// output runs a command in a folder and returns what it writes to stdout.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	var stderr strings.Builder
	c.Stderr = &stderr
	stdout, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &stderr)
	}
	return string(stdout)
}

// foreign makes a program in a module of its own by the three lines of README.md and
// returns its BOOTX64.EFI.
func foreign(t *testing.T) []byte {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(t.TempDir(), "bootllama")
	output(t, root, "go", "build", "-o", tool, "./cmd/bootllama")
	lines := instructions(t)
	dir := t.TempDir()
	output(t, dir, "go", "mod", "init", "example.com/foreign")
	program := "package main\n\nimport \"fmt\"\n" + lines[1] + "\n\nfunc main() { fmt.Println(\"I am foreign.\") }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	edit := strings.Fields(strings.Replace(lines[0], "=PATH", "="+root, 1))
	output(t, dir, edit[0], edit[1:]...)
	output(t, dir, tool, strings.Fields(lines[2])[1:]...)
	application, err := os.ReadFile(filepath.Join(dir, "BOOTX64.EFI"))
	if err != nil {
		t.Fatal(err)
	}
	return application
}

// instructions returns the three lines of README.md that make a program boot; the
// documentation of package metal has them, too.
func instructions(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^    (go mod edit .*)\n    (import _ .*)\n    (bootllama efi .*)\n`).FindStringSubmatch(string(readme))
	if block == nil {
		t.Fatal("README.md does not say how a program of another module is made")
	}
	doc, err := os.ReadFile("../metal/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := "//\t" + strings.Join(block[1:], "\n//\t") + "\n"; !strings.Contains(string(doc), lines) {
		t.Errorf("metal/doc.go does not have README.md's lines\n%s", lines)
	}
	return block[1:]
}
