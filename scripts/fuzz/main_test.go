package main

import (
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

// TestRun: a target that finds nothing new, one that fails, and one that is no Go.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the go command for seconds: not with -short")
	}
	for _, c := range []struct{ body, line, err string }{
		{`f.Fuzz(func(t *testing.T, b bool) {})`, "nothing new in 1s; ", ""},
		{`f.Fuzz(func(t *testing.T, n byte) { if n > 100 { t.Error("large") } })`, "FAILED after ", "Failing input written to testdata"},
		{`f.Fuzz(`, "FAILED after ", "expected operand"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"go.mod": "module x\n", "x_test.go": "package x\nimport \"testing\"\nfunc FuzzX(f *testing.F) {" + c.body + "}\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		targets, err := find(dir)
		if err != nil || len(targets) != 1 {
			t.Fatalf("%v, %v", targets, err)
		}
		line, err := targets[0].run(time.Second, 0, 1)
		if !strings.HasPrefix(line, c.line) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v", c.body, line, err)
		}
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
