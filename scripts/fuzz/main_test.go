package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFind: the targets of this repository, those of other modules included, are found.
func TestFind(t *testing.T) {
	targets, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []target{{"../..", "FuzzCheckpoint"}, {"../../gguf", "FuzzSplit"}, {"../../metal/vt", "FuzzTerminal"}, {"../../train/bpe", "FuzzWords"}} {
		if !slices.Contains(targets, want) {
			t.Errorf("%v is not among %v", want, targets)
		}
	}
}

// module makes a module with a target, in a folder of its own, and returns the folder of its inputs in Go's cache, too.
func module(t *testing.T, body string) (x target, inputs string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs the go command for seconds: not with -short")
	}
	dir, name := t.TempDir(), "bootllama-test-"+strings.ToLower(rand.Text())
	for file, text := range map[string]string{"go.mod": "module " + name + "\n", "x_test.go": "package x\nimport \"testing\"\nfunc FuzzX(f *testing.F) {" + body + "}\n",
		"x.go": "package x\nfunc X(text string) int {\n switch text {\n case \"a\": return 1\n case \"b\", \"bb\": return 2\n case \"c\": return 3\n }\n return 0\n}\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	targets, err := find(dir)
	if err != nil || len(targets) != 1 {
		t.Fatalf("%v, %v", targets, err)
	}
	cache, err := targets[0].output(t.Context(), "go", "env", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Join(cache, "fuzz", name)) })
	return targets[0], filepath.Join(cache, "fuzz", name, "FuzzX")
}

// TestRun: a target that finds nothing new, one that fails, and one that is no Go.
func TestRun(t *testing.T) {
	for _, c := range []struct{ body, line, err string }{
		{`f.Fuzz(func(t *testing.T, b bool) {})`, "0 new pieces of code and ", ""},
		{`f.Fuzz(func(t *testing.T, n byte) { if n > 100 { t.Error("large") } })`, "after ", "Failing input written to testdata"},
		{`f.Fuzz(`, "", "expected operand"},
	} {
		x, _ := module(t, c.body)
		line, err := x.with(t.Context(), func(c *corpus) (string, error) { return c.run(t.Context(), time.Second, 0, 1) })
		if !strings.HasPrefix(line, c.line) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v", c.body, line, err)
		}
	}
}

// TestKeep: of what Go's cache has, the inputs that reach more code come to testdata, and no others; a second time, none.
func TestKeep(t *testing.T) {
	x, inputs := module(t, `f.Add("a"); f.Fuzz(func(t *testing.T, text string) { X(text) })`)
	if err := os.MkdirAll(inputs, 0o777); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"1": "a", "2": "b", "3": "bb", "4": "c", "5": "d", "6": strings.Repeat("e", largest)} {
		text = fmt.Sprintf("go test fuzz v1\nstring(%q)\n", text)
		if err := os.WriteFile(filepath.Join(inputs, file), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"3 inputs kept, 84 bytes, of 5 small ones; 5 pieces of code reached, 2 before", "0 inputs kept, 0 bytes, of 2 small ones; 5 pieces of code reached, 5 before"} {
		if line, err := x.with(t.Context(), func(c *corpus) (string, error) { return c.keep(t.Context()) }); err != nil || line != want {
			t.Errorf("time %d: %q, %v, want %q", i+1, line, err, want)
		}
	}
	kept, err := filepath.Glob(x.path("*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		kept[i] = filepath.Base(kept[i])
	}
	if !slices.Equal(kept, []string{"2", "4", "5"}) {
		t.Errorf("testdata has %v", kept)
	}
}

func TestLast(t *testing.T) {
	const out = "fuzz: elapsed: 0s, gathering baseline coverage: 0/14 completed\n" +
		"fuzz: elapsed: 3s, execs: 10 (3/sec), new interesting: 1 (total: 15)\nfuzz: elapsed: 1m4s, execs: 72 (0/sec), new interesting: 3 (total: 17)\nPASS\n"
	if f, ok := last([]byte(out)); !ok || f != (figures{72, 3, 17}) {
		t.Errorf("%+v, %v", f, ok)
	}
	if _, ok := last([]byte("PASS\n")); ok {
		t.Error("figures of a run that has none")
	}
}
