//go:build !race

// The race detector needs more memory than this test leaves.

package run

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
	"bootllama/internal/randommodel"
)

// TestTooLittleMemory: a model whose weights fit, but not its keys and values, is one line before it is loaded, for all
// commands; so is one beside a tokenizer that is too large. The process may have 293 MiB of data (ulimit -d).
func TestTooLittleMemory(t *testing.T) {
	if args := os.Getenv("RUN_ARGS"); args != "" {
		os.Exit(Main(context.Background(), strings.Fields(args), strings.NewReader(""), os.Stdout, os.Stderr))
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "m.bin")
	if err := randommodel.TooLargeCache.Create(name); err != nil {
		t.Fatal(err)
	}
	tok := filepath.Join(dir, "t.bin")
	if err := os.WriteFile(tok, randommodel.Tokenizer(randommodel.TooLargeCache.VocabSize), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge.bin")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<30); err != nil {
		t.Fatal(err)
	}
	const needs = `^bootllama: model: \S*/m\.bin needs 3\d\d MiB of memory \(weights 2\d, keys and values 256, state \d+, the program up to \d+\) and there are [12]\d\d MiB\n$`
	for _, c := range []struct{ args, want string }{
		{"run " + name + " -z " + tok + " -s 1 -n 3", needs},
		{"run " + name + " -z " + tok + " -m chat", needs},
		{"console " + name + " -z " + tok, needs},
		{"bench " + name, needs},
		{"run " + model + " -z " + huge, `^bootllama: model: \S*random\.bin needs \d+ MiB of memory \(weights 1, keys and values 1, state 1, the program up to 41\d\d\) and there are [12]\d\d MiB\n$`},
		{"run " + model + " -z " + tokenizer + " -s 1 -n 3 --ids", `^achieved`},
	} {
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -d 300000 && exec %q -test.run TestTooLittleMemory", os.Args[0]))
		cmd.Env = append(os.Environ(), "RUN_ARGS="+c.args)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if failed := c.want[1] == 'b'; !regexp.MustCompile(c.want).MatchString(errs.String()) || strings.Count(errs.String(), "\n") != 1 || failed != (err != nil) || failed != (len(out) == 0) || failed && cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%s: %v, stdout %q, stderr %q, want %s", c.args, err, out, errs.String(), c.want)
		}
	}
}

// TestContextFits: run says which context of a GGUF model there is memory for, a session takes it.
func TestContextFits(t *testing.T) {
	if args := os.Getenv("RUN_ARGS"); args != "" {
		os.Exit(Main(context.Background(), strings.Fields(args), strings.NewReader("a\n"), os.Stdout, os.Stderr))
	}
	f := gengguf.New("tiny-qwen3", "Q8_0")
	f.Heads, f.KVHeads, f.Context, f.Tokenizer = 64, 64, 1<<17, gengguf.Qwen3()
	name := filepath.Join(t.TempDir(), "m.gguf")
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	const needs = `bootllama: model: \S*/m\.gguf needs [35]\d\d MiB of memory \(weights \d+, keys and values (512|256), state \d+, the program up to \d+\) and there are [12]\d\d MiB; -c (\d+) needs ([12]\d\d)`
	exec := func(args string) (fits, out string, err error) {
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -d 300000 && exec %q -test.run TestContextFits", os.Args[0]))
		cmd.Env = append(os.Environ(), "RUN_ARGS="+args)
		var errs strings.Builder
		cmd.Stderr = &errs
		b, err := cmd.Output()
		if m := regexp.MustCompile(`^` + needs).FindStringSubmatch(errs.String()); m != nil {
			fits = m[2]
		}
		return fits, string(b) + errs.String(), err
	}
	fits, out, err := exec("run " + name + " -t 0 -n 3 -i a")
	if err == nil || fits == "" || strings.Count(out, "\n") != 1 {
		t.Fatalf("run: %v, %q, want %s", err, out, needs)
	}
	if _, out, err := exec("run " + name + " -t 0 -n 3 -i a -c " + fits); err != nil {
		t.Errorf("-c %s: %v, %q", fits, err, out)
	}
	if session, out, err := exec("console " + name + " -t 0 -n 3"); err != nil || session != fits || !strings.Contains(out, ": taking that\n") || !strings.Contains(out, "> ") {
		t.Errorf("console: %v, %q, want a context of %s", err, out, fits)
	}
}
