//go:build linux && amd64

package metal_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// differs has the calls that return something else on metal than on Linux, and why.
var differs = map[string]string{
	"close on exec":             "there is no exec",
	"fstatfs a pipe":            "there is no file system of pipes",
	"madvise what is not there": "metal does not look for gaps; Linux, too, empties what is there before it fails",
}

// TestCalls: system calls with arguments that are wrong, or at the border of what is right, return what this machine's Linux returns.
func TestCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 64<<20, "calls")
	dir := t.TempDir()
	program := filepath.Join(dir, "exercise")
	if out, err := exec.Command("go", "build", "-o", program, "./internal/exercise").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	host := exec.Command(program, "calls")
	host.Dir = dir
	linux, err := host.CombinedOutput()
	if err != nil {
		t.Fatalf("on the host: %v: %s", err, linux)
	}
	expect(t, b, "calls")
	got := strings.Split(strings.ReplaceAll(b.Out.String(), "\r", ""), "\n")
	want := strings.Split(string(linux), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, %d on Linux:\n%s", len(got), len(want), b.Out.String())
	}
	for i := range want {
		name, _, _ := strings.Cut(want[i], ": ")
		if differs[name] != "" {
			if got[i] == want[i] {
				t.Errorf("%s, as on Linux: strike it from the list", got[i])
			}
		} else if got[i] != want[i] {
			t.Errorf("%s, on Linux %s", got[i], want[i])
		}
	}
}
