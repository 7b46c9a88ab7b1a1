package main

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"bootllama/internal/randommodel"
	"bootllama/internal/vm"
)

// TestNotRegular: a FIFO or a device in the place of a file is refused at once. Opening the FIFO would wait for ever.
func TestNotRegular(t *testing.T) {
	dir, model, tokenizer := builtIn(t)
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Symlink("fifo", link)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, link, os.DevNull, "/dev/zero", dir} {
		for _, args := range [][]string{{"run", name, "-z", tokenizer}, {"run", model, "-z", name}, {"console", name}, {"bench", name}, {"info", name},
			{"boot", name}, {"boot", model, "-z", name}, {"boot", "--firmware", name}, {"boot", "--no-check", name},
			{"image", name, "-o", dir + "/i"}, {"image", model, "-z", name, "-o", dir + "/i"}, {"image", model, "-z", tokenizer, name, "-o", dir + "/i"}} {
			type result struct {
				stderr string
				status int
			}
			over := make(chan result, 1)
			go func() {
				_, stderr, status := invoke(t, "", args...)
				over <- result{stderr, status}
			}()
			select {
			case r := <-over:
				want := name + ": not a regular file"
				if args[0] == "console" && name == dir {
					want = "no model in this folder can be used: m.bin: tokenizer: " // a folder is searched for models, and t.bin is of no name for m.bin's
				}
				if r.status != statusFailed || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, want) {
					t.Errorf("%q: status %d, stderr %q", args, r.status, r.stderr)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%q: it waits", args)
			}
		}
	}
	checkOnly(t, dir, "fifo", "link", "m.bin", "t.bin")
}

// evil writes a random model whose tokenizer has pieces that command a terminal.
func evil(t *testing.T) (model, tokenizer string) {
	t.Helper()
	dir := t.TempDir()
	model, tokenizer = filepath.Join(dir, "m.bin"), filepath.Join(dir, "t.bin")
	shape := randommodel.Shape{Dim: 16, HiddenDim: 32, NLayers: 1, NHeads: 2, NKVHeads: 2, VocabSize: 512, SeqLen: 64}
	const piece = "\x1b[31m\u009b\x07\x7f\b\r\x9bx"
	vocabulary := binary.LittleEndian.AppendUint32(nil, uint32(len(piece)))
	for i := range shape.VocabSize {
		p := piece
		switch {
		case i < 259:
			p = string(rune('a' + i%26))
		case i == 259:
			p = " " // without it no text can be encoded
		}
		vocabulary = binary.LittleEndian.AppendUint32(vocabulary, math.Float32bits(float32(-i)))
		vocabulary = append(binary.LittleEndian.AppendUint32(vocabulary, uint32(len(p))), p...)
	}
	if err := errors.Join(shape.Create(model), os.WriteFile(tokenizer, vocabulary, 0o600)); err != nil {
		t.Fatal(err)
	}
	return model, tokenizer
}

// onTerminal runs a command whose output is a terminal, and returns what that got.
func onTerminal(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	person, program := openPTY(t)
	var s screen
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.watch(person)
	}()
	status := command(t.Context(), args, streams{strings.NewReader(stdin), program, program})
	if err := program.Close(); err != nil || status != 0 {
		t.Errorf("%q: status %d, %v", args, status, err)
	}
	<-over // the kernel has given everything to the person, then EIO
	return s.String()
}

// TestControls: what a model says reaches a terminal without control characters, and a pipe byte for byte.
func TestControls(t *testing.T) {
	model, tokenizer := evil(t)
	args := []string{model, "-z", tokenizer, "-s", "3", "-n", "40"}
	piped, _, _ := invoke(t, "", append([]string{"run"}, args...)...)
	if n := strings.Count(piped, "\x1b[31m\u009b\x07\x7f\b\r\x9bx"); n < 10 {
		t.Fatalf("in %q are %d pieces", piped, n)
	}
	commands := [][]string{{"run"}, {"run", "--ids"}, {"console"}, {"run", "-m", "chat", "-i", "a", "-y", ""}}
	if vm.Check("") == nil {
		commands = append(commands, []string{"boot", "-i", ""}, []string{"boot", "--console"})
	}
	for _, c := range commands {
		got := onTerminal(t, "\n/quit\n", append(c, args...)...)
		got = strings.ReplaceAll(got, "\r\n", "\n")
		bad := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\b' || r >= 0x7f && r < 0xa0 })
		if bad >= 0 || !utf8.ValidString(got) {
			t.Errorf("%q: byte %d of %q", c, bad, got)
		}
		if !slices.Contains(c, "--ids") && strings.Count(strings.ReplaceAll(got, "\b", ""), "[31m\ufffdx") < 5 {
			t.Errorf("%q: %q", c, got)
		}
		if !slices.Contains(c, "--console") && strings.Contains(got, "\b") { // the machine's console echoes
			t.Errorf("%q: %q", c, got)
		}
	}
	// An error that names a file.
	bad := filepath.Join(t.TempDir(), "\x1b[31m")
	person, program := openPTY(t)
	var s screen
	go s.watch(person)
	if status := command(t.Context(), []string{"run", bad}, streams{strings.NewReader(""), io.Discard, program}); status != statusFailed {
		t.Errorf("status %d", status)
	}
	s.await(t, "no such file")
	if strings.Contains(s.String(), "\x1b") {
		t.Errorf("%q", s.String())
	}
}
