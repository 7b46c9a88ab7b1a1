//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tiny are the options of a training that takes a second.
const tiny = "--dim 32 --hidden 64 --layers 1 --heads 2 --kv-heads 1 --vocab 285 --context 64 --batch 4 -n 20 --warmup 5 --sample 10"

// TestForeignFiles: they are refused with their name before anything is computed, and stay.
func TestForeignFiles(t *testing.T) {
	for _, name := range []string{"tokenizer.bin", "model.bin", "model-q8.bin", "loss.png", "training.state", "training.json"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := invoke(t, "-o", dir)
		if status != statusFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, path) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", name, status, stdout, stderr)
		}
		if text, err := os.ReadFile(path); string(text) != "somebody's" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestBadCorpus: what is no text is refused at once.
func TestBadCorpus(t *testing.T) {
	dir := t.TempDir()
	fifo, latin1 := filepath.Join(dir, "fifo"), filepath.Join(dir, "latin1")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.WriteFile(latin1, []byte("One.\n\nZw\xf6lf.\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for corpus, want := range map[string]string{fifo: "not a regular file", "/dev/zero": "not a regular file", latin1: "line 3, column 3: byte 0xf6"} {
		over := make(chan bool)
		go func() {
			defer close(over)
			_, stderr, status := invoke(t, corpus, "-o", filepath.Join(dir, "new"))
			if status != statusFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, corpus+": ") || !strings.Contains(stderr, want) {
				t.Errorf("%s: status %d, stderr %q, want %q", corpus, status, stderr, want)
			}
		}()
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Fatalf("%s: it waits", corpus)
		}
	}
}

// TestByteOrderMark: with one, a text makes the model that it makes without.
func TestByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("The cat sat on the mat and saw the rat.\n\n", 50)
	var models [2]string
	for i, mark := range []string{"", "\ufeff"} {
		corpus, folder := filepath.Join(dir, "corpus"), filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(corpus, []byte(mark+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, status := invoke(t, append(strings.Fields(tiny), corpus, "-o", folder)...); status != 0 {
			t.Fatalf("status %d, %s", status, stderr)
		}
		model, err := os.ReadFile(filepath.Join(folder, "model.bin"))
		if err != nil {
			t.Fatal(err)
		}
		models[i] = string(model)
	}
	if models[0] != models[1] {
		t.Error("two models")
	}
}

// TestClosedPipe: where nobody reads the output any more, it ends without a word of that, and what was trained is saved.
func TestClosedPipe(t *testing.T) {
	for _, args := range []string{"-h", tiny + " --tales 300 -o " + filepath.Join(t.TempDir(), "new")} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		status := command(t.Context(), strings.Fields(args), w, &stderr)
		if status != statusClosed || strings.Contains(stderr.String(), "pipe") {
			t.Errorf("%s: status %d, stderr %q", args, status, stderr.String())
		}
		if _, folder, ok := strings.Cut(args, " -o "); ok {
			if _, err := os.Stat(filepath.Join(folder, "training.state")); err != nil {
				t.Error(err)
			}
		}
	}
}
