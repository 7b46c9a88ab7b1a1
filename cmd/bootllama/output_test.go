package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	builtin "bootllama/models"
)

// builtIn writes the built-in model and its tokenizer as files of a folder.
func builtIn(t *testing.T) (dir, model, tokenizer string) {
	t.Helper()
	dir = t.TempDir()
	model, tokenizer = filepath.Join(dir, "m.bin"), filepath.Join(dir, "t.bin")
	if err := errors.Join(os.WriteFile(model, []byte(builtin.Checkpoint), 0o600), os.WriteFile(tokenizer, []byte(builtin.Tokenizer), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir, model, tokenizer
}

// TestOutputIsInput: no command writes a file that it reads, by whatever name. The file stays as it is.
func TestOutputIsInput(t *testing.T) {
	dir, model, tokenizer := builtIn(t)
	second, hard, soft := filepath.Join(dir, "second.bin"), filepath.Join(dir, "hard"), filepath.Join(dir, "soft")
	firmware := filepath.Join(dir, "firmware.fd")
	if err := errors.Join(os.WriteFile(second, []byte(builtin.Checkpoint), 0o600), os.Link(model, hard), os.Symlink("m.bin", soft),
		os.WriteFile(firmware, []byte("firmware"), 0o600)); err != nil {
		t.Fatal(err)
	}
	// A copy of the module stands for its source.
	module := filepath.Join(dir, "module")
	if err := errors.Join(os.Mkdir(module, 0o755), os.WriteFile(filepath.Join(module, "go.mod"), []byte("module hello\n"), 0o600),
		os.WriteFile(filepath.Join(module, "main.go"), []byte("package main\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n\nfunc main() { println(text) }\n"), 0o600),
		os.WriteFile(filepath.Join(module, "text"), []byte("hello"), 0o600)); err != nil {
		t.Fatal(err)
	}
	contents := func() string {
		var b strings.Builder
		for _, name := range []string{model, tokenizer, second, firmware, module + "/go.mod", module + "/main.go", module + "/text"} {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Error(err)
			}
			b.Write(text)
		}
		return b.String()
	}
	before := contents()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(module)
	for _, c := range []struct {
		args []string
		that string // the file that is read
	}{
		{[]string{"image", model, "-z", tokenizer, "-o", model}, model},
		{[]string{"image", model, "-z", tokenizer, "-o", tokenizer}, tokenizer},
		{[]string{"image", model, "-z", tokenizer, "-o", dir + "/./m.bin"}, model},
		{[]string{"image", model, "-z", tokenizer, "-o", "../m.bin"}, model},
		{[]string{"image", model, "-z", tokenizer, "-o", hard}, model},
		{[]string{"image", model, "-z", tokenizer, "-o", soft}, model},
		{[]string{"image", soft, "-z", tokenizer, "-o", hard}, soft},
		{[]string{"image", model, "-z", tokenizer, second, "-o", second}, second},
		{[]string{"image", "-o", self}, self},
		{[]string{"image", "-o", checkout + "/models/tales.bin"}, checkout + "/models/tales.bin"},
		{[]string{"image", "-o", checkout + "/go.mod"}, checkout + "/go.mod"},
		{[]string{"boot", model, "-z", tokenizer, "--log", model}, model},
		{[]string{"boot", model, "-z", tokenizer, "--log", hard}, model},
		{[]string{"boot", model, "-z", tokenizer, "--no-check", "--log", tokenizer}, tokenizer},
		{[]string{"boot", "--log", checkout + "/models/tok1024.bin"}, checkout + "/models/tok1024.bin"},
		{[]string{"efi", "-o", "main.go", "."}, module + "/main.go"},
		{[]string{"efi", "-o", "text", "."}, module + "/text"},
		{[]string{"efi", "-o", "go.mod", "."}, module + "/go.mod"},
	} {
		stdout, stderr, status := invoke(t, "", c.args...)
		if status != statusFailed || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.Contains(stderr, ": that is "+c.that+", which is read: ") {
			t.Errorf("%q: status %d, stdout %q, stderr %q", c.args, status, stdout, stderr)
		}
		if contents() != before {
			t.Fatalf("%q: a file has changed", c.args)
		}
	}
}

// TestDefaultOutput: efi without -o replaces what it has made itself, and nothing else.
func TestDefaultOutput(t *testing.T) {
	const name = "BOOTX64.EFI"
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(name, []byte("MZ of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := invoke(t, "", "efi")
	if text, err := os.ReadFile(name); status != statusFailed || !strings.Contains(stderr, name+": it is there, and bootllama has not made it") ||
		strings.Count(stderr, "\n") != 1 || string(text) != "MZ of somebody else" {
		t.Fatalf("status %d, stderr %q, %q, %v", status, stderr, text, err)
	}
	for _, args := range [][]string{{"efi", "-o", name}, {"efi"}} {
		if _, stderr, status := invoke(t, "", args...); status != 0 {
			t.Errorf("%q: status %d, stderr %q", args, status, stderr)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 || info.Size() < 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
	checkOnly(t, dir, name)
}

// TestTooLarge: a file that FAT cannot hold is refused before it is read, with its name.
func TestTooLarge(t *testing.T) {
	dir, model, tokenizer := builtIn(t)
	large := filepath.Join(dir, "large.bin")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, 1<<32)); err != nil {
		t.Skip("no sparse files: ", err)
	}
	for _, args := range [][]string{{"image", large, "-o", dir + "/i"}, {"boot", large}, {"boot", "--no-check", large}, {"image", model, "-z", large, "-o", dir + "/i"},
		{"image", model, "-z", tokenizer, large, "-o", dir + "/i"}} {
		_, stderr, status := invoke(t, "", args...)
		if want := "bootllama: " + large + ": 4294967296 bytes; a file on the disk's file system, FAT32, has at most 4294967295\n"; status != statusFailed || stderr != want {
			t.Errorf("%q: status %d, stderr %q, want %q", args, status, stderr, want)
		}
	}
	checkOnly(t, dir, "large.bin", "m.bin", "t.bin")
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"5": 5 * time.Second, "0": 0, "1.5": 1500 * time.Millisecond, "90s": 90 * time.Second, "2m": 2 * time.Minute} {
		if got, err := duration(s); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "-1s", "s", "5 s", "1e3", "nan", "5x", "99999999999"} {
		if d, err := duration(s); err == nil {
			t.Errorf("%q is taken for %v", s, d)
		}
	}
}

// TestClosedPipe: a command whose reader has gone ends without a word, as `| head` expects.
func TestClosedPipe(t *testing.T) {
	dir, model, tokenizer := builtIn(t)
	name := filepath.Join(dir, "bootllama")
	if out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"run", "-s", "1"}, {"run", "--ids", "-n", "20"}, {"run", model, "-z", tokenizer, "-m", "chat", "-i", "x", "-y", ""},
		{"console"}, {"bench", "--rounds", "1", "--decode", "1"}, {"bench", "--rounds", "1", "--json"}, {"info"}, {"info", "--json"},
		{"help"}, {"help", "boot"}, {"run", "-h"}, {"bench", "-h"}, {"efi", "-h"}, {"version"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		var stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdout, cmd.Stderr = w, &stderr
		cmd.Run() // its error is the exit status
		if status := cmd.ProcessState.ExitCode(); status != 128+13 || stderr.Len() > 0 {
			t.Errorf("%q: status %d, stderr %q", args, status, &stderr)
		}
		cancel()
		w.Close()
	}
}
