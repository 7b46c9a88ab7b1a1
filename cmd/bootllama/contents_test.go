package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/gguf"
	"bootllama/internal/disk"
	"bootllama/internal/gengguf"
	"bootllama/internal/run"
	"bootllama/internal/settings"
	builtin "bootllama/models"
)

// TestContents: the files of a stick with models of all kinds, whose names the machine's commands are told.
func TestContents(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	make := func(name, model, typ string, sparse bool) {
		t.Helper()
		f := gengguf.New(model, typ)
		f.Tokenizer, f.Sparse = gengguf.Qwen3(), sparse
		f.Tokenizer.Pad(f.Vocab)
		if err := f.Create(in(name)); err != nil {
			t.Fatal(err)
		}
	}
	make("Llama-3.1-8B.Q4_K_M.gguf", "llama31-8b", "Q4_K_M", true) // 4.6 GiB: the stick has it in two parts
	make("größe 1.gguf", "llama31-8b", "Q4_K_M", true)
	make("tiny.gguf", "tiny-qwen3", "Q8_0", false)
	make("tiny-model.gguf", "tiny-qwen3", "Q8_0", false)
	pieces, err := gguf.Split(in("tiny-model.gguf"), 1<<20) // in parts already
	if err != nil || len(pieces) != 2 {
		t.Fatal(pieces, err)
	}
	for _, p := range pieces {
		r, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close(), os.WriteFile(p.Name, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in("other"), 0o700); err != nil {
		t.Fatal(err)
	}
	make("tiny-model", "tiny-qwen3", "Q8_0", false)
	make("other/TINY-MODEL.gguf", "tiny-qwen3", "Q8_0", false)
	for name, data := range map[string]string{"a.bin": builtin.Checkpoint, "b.bin": builtin.Checkpoint, "tokens.bin": builtin.Tokenizer, "b.tok": builtin.Tokenizer,
		"c.bin": builtin.Checkpoint, "c.tok.bin": builtin.Checkpoint, "llama.txt": builtin.Checkpoint, "other/LLAMA.TXT": builtin.Tokenizer, "efi": builtin.Checkpoint,
		"other/b.bin": builtin.Checkpoint, "other/B.q80": builtin.Checkpoint, "other/c.bin": builtin.Checkpoint, "other/c.tok": builtin.Tokenizer} {
		if err := os.WriteFile(in(name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args, want string // names on the stick, and where they are from, if they are called otherwise there
		said       string // in LLAMA.TXT
	}{
		{"tiny.gguf", "tiny.gguf", "console tiny.gguf"},
		{"tiny-model.gguf tiny-model.gguf other/TINY-MODEL.gguf", "tiny-model.gguf tiny-model-2.gguf=tiny-model.gguf TINY-MODEL-3.gguf=TINY-MODEL.gguf", "console tiny-model.gguf -s"},
		{"tiny-model-00001-of-00002.gguf", "tiny-model-00001-of-00002.gguf tiny-model-00002-of-00002.gguf", "console tiny-model-00001-of-00002.gguf"},
		{"Llama-3.1-8B.Q4_K_M.gguf", "Llama-3.1-8B.Q4_K_M-00001-of-00002.gguf=Llama-3.1-8B.Q4_K_M.gguf Llama-3.1-8B.Q4_K_M-00002-of-00002.gguf=Llama-3.1-8B.Q4_K_M.gguf",
			"console Llama-3.1-8B.Q4_K_M-00001-of-00002.gguf"},
		{"größe-1.gguf größe-1.gguf", "größe-1-00001-of-00002.gguf=größe-1.gguf größe-1-00002-of-00002.gguf=größe-1.gguf " +
			"größe-1-2-00001-of-00002.gguf=größe-1.gguf größe-1-2-00002-of-00002.gguf=größe-1.gguf", "console größe 1-00001-of-00002.gguf"},
		// Checkpoints: two with the same name, with the same but for the ending or the case of letters, with one tokenizer and with two.
		{"a.bin -z tokens.bin", "a.bin a.tok=tokens.bin", "console a.bin -s"},
		{"b.bin", "b.bin b.tok", "console b.bin -s"},
		{"b.bin -z tokens.bin", "b.bin b.tok=tokens.bin", "console b.bin -s"},
		{"b.bin other/b.bin other/B.q80 -z tokens.bin", "b.bin b.tok b-2.bin=b.bin b-2.tok=tokens.bin B.q80.bin=B.q80 B.q80.tok=tokens.bin", "console b.bin -s"},
		{"other/c.bin c.bin -z tokens.bin", "c.bin c.tok c-2.bin=c.bin c-2.tok=tokens.bin", "console c.bin -s"},
		{"c.tok.bin c.bin -z tokens.bin", "c.tok.bin c.tok.tok=tokens.bin c.bin c.tok=tokens.bin", "console c.tok.bin -s"},
		{"tiny.gguf -z tokens.bin", "tiny.gguf tokens.bin", "console tiny.gguf -z tokens.bin"},
		{"tiny.gguf -z tokens.bin a.bin b.bin", "tiny.gguf a.bin a.tok=tokens.bin b.bin b.tok", "console tiny.gguf -s"},
		{"a.bin b.bin tiny.gguf -z tokens.bin", "a.bin a.tok=tokens.bin b.bin b.tok tiny.gguf", "console a.bin -s"},
		{"efi tiny-model -z other/LLAMA.TXT", "efi.bin=efi efi.tok=LLAMA.TXT tiny-model.gguf=tiny-model", "console efi.bin -s"},
		{"tiny.gguf -z other/LLAMA.TXT", "tiny.gguf LLAMA-2.TXT=LLAMA.TXT", "console tiny.gguf -z LLAMA-2.TXT"},
		// A draft is a model beside the others.
		{"tiny.gguf --draft tiny-model.gguf", "tiny.gguf tiny-model.gguf", "console tiny.gguf --draft tiny-model.gguf -s"},
		{"a.bin -z tokens.bin --draft other/c.bin", "a.bin a.tok=tokens.bin c.bin c.tok", "console a.bin --draft c.bin -s"},
		{"a.bin -z tokens.bin --draft b.bin", "a.bin a.tok=tokens.bin b.bin b.tok", "console a.bin --draft b.bin -s"},
		{"tiny.gguf other/c.bin -z tokens.bin --draft tiny.gguf", "tiny.gguf c.bin c.tok tiny-2.gguf=tiny.gguf", "console tiny.gguf --draft tiny-2.gguf -s"},
		{"llama.txt efi -z tokens.bin", "llama.txt.bin=llama.txt llama.txt.tok=tokens.bin efi.bin=efi efi.tok=tokens.bin", "console llama.txt.bin -s"},
	} {
		var o run.Options
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		o.Register(flags)
		args := strings.Fields(c.args)
		for i := range args {
			if args[i] = strings.ReplaceAll(args[i], "größe-1", "größe 1"); !strings.HasPrefix(args[i], "-") {
				args[i] = in(args[i])
			}
		}
		models, err := run.ParseFlags(flags, args)
		if err == nil {
			err = o.Complete(models[:1])
		}
		if err != nil {
			t.Fatal(err)
		}
		contents, err := newContents([]string{"console"}, o, models[1:])
		if err == nil {
			err = contents.check()
		}
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		var names []string
		for _, f := range contents.files {
			name := f.name
			if from := filepath.Base(f.source); from != f.name {
				name += "=" + from
			}
			names = append(names, strings.ReplaceAll(name, " ", "-"))
			if f.piece != nil && f.piece.Size > disk.MaxFile {
				t.Errorf("%s: %s has %d bytes", c.args, f.name, f.piece.Size)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: the stick has %s, want %s", c.args, got, c.want)
		}
		// Every checkpoint's tokenizer is where run looks for it, and no name is there twice.
		there := map[string]bool{}
		for _, f := range contents.files {
			if upper := strings.ToUpper(f.name); there[upper] {
				t.Errorf("%s: %s is there twice", c.args, f.name)
			} else {
				there[upper] = true
			}
		}
		said := settings.Keys{Flags: flags, Commands: []string{"console"}}.Read(contents.args)
		if got := strings.Join(said.Args, " "); said.Problems != nil || !strings.HasPrefix(got, c.said) {
			t.Errorf("%s: LLAMA.TXT says %s, %v, want %s", c.args, got, err, c.said)
		}
	}
}

// TestFolder: console of a folder takes its only model, or the first of several where nobody can choose.
func TestFolder(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tokenizer.bin", builtin.Tokenizer)
	for _, name := range []string{"b.bin", "a.bin"} {
		write(name, builtin.Checkpoint)
		stdout, stderr, status := invoke(t, "Once\n", "console", dir, "-n", "9", "-s", "1")
		want, _, _ := invoke(t, "Once\n", "console", filepath.Join(dir, name), "-n", "9", "-s", "1")
		if status != 0 || stdout != want || len(want) < 20 {
			t.Errorf("status %d, %q, %q, want %q", status, stdout, stderr, want)
		}
	}
	if _, stderr, status := invoke(t, "", "console", empty); status != 1 || !strings.Contains(stderr, "there is no model in this folder") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// TestLongNames: names that are as long as a file system allows get numbers and endings, too.
func TestLongNames(t *testing.T) {
	c := &contents{taken: map[string]bool{}}
	for _, source := range []string{strings.Repeat("x", 255), strings.Repeat("x", 250) + ".gguf", strings.Repeat("🦙", 63), strings.Repeat("🦙", 127)} {
		var names []string
		for range 12 {
			names = append(names, c.add(source, c.unused(source, "", nil)))
		}
		for range 12 {
			names = append(names, c.add(source, c.unused(source, ".gguf", nil)))
		}
		parts := []string{source + "-00001-of-00002.gguf", source + "-00002-of-00002.gguf"}
		for range 12 {
			for _, name := range c.partNames(parts) {
				names = append(names, c.add(source, name))
			}
		}
		slices.Sort(names)
		if n := len(slices.Compact(names)); n != 48 {
			t.Errorf("%.10s: %d different names", source, n)
		}
	}
	if err := c.check(); err != nil {
		t.Error(err)
	}
	var files []disk.File
	for _, f := range c.files {
		files = append(files, disk.File{Path: f.name})
	}
	if err := disk.Check(files, disk.Options{}); err != nil {
		t.Error(err)
	}
}
