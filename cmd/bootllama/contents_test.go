package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootllama/gguf"
	"bootllama/internal/disk"
	"bootllama/internal/gengguf"
	"bootllama/internal/run"
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
	for name, data := range map[string]string{"a.bin": builtin.Checkpoint, "b.bin": builtin.Checkpoint, "tokens.bin": builtin.Tokenizer, "b.tok": builtin.Tokenizer} {
		if err := os.WriteFile(in(name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args, want string // names on the stick, and where they are from, if they are called otherwise there
		said       string // in LLAMA.TXT
	}{
		{"tiny.gguf", "TINY.GGU=tiny.gguf", "console TINY.GGU"},
		{"tiny-model.gguf tiny-model.gguf", "tiny-model.gguf TINY-MOD.GGU=tiny-model.gguf", "console tiny-model.gguf"},
		{"tiny-model-00001-of-00002.gguf", "tiny-model-00001-of-00002.gguf tiny-model-00002-of-00002.gguf", "console tiny-model-00001-of-00002.gguf"},
		{"Llama-3.1-8B.Q4_K_M.gguf", "Llama-3.1-8B.Q4_K_M-00001-of-00002.gguf=Llama-3.1-8B.Q4_K_M.gguf Llama-3.1-8B.Q4_K_M-00002-of-00002.gguf=Llama-3.1-8B.Q4_K_M.gguf",
			"console Llama-3.1-8B.Q4_K_M-00001-of-00002.gguf"},
		{"größe-1.gguf größe-1.gguf", "gr__e_1-00001-of-00002.gguf=größe-1.gguf gr__e_1-00002-of-00002.gguf=größe-1.gguf " +
			"gr__e_1~1-00001-of-00002.gguf=größe-1.gguf gr__e_1~1-00002-of-00002.gguf=größe-1.gguf", "console gr__e_1-00001-of-00002.gguf"},
		{"a.bin -z tokens.bin", "A.BIN=a.bin TOKENS.BIN=tokens.bin", "console A.BIN -z TOKENS.BIN"},
		{"b.bin", "B.BIN=b.bin B.TOK=b.tok", "console B.BIN -z B.TOK"},
		{"b.bin -z tokens.bin", "B.BIN=b.bin TOKENS.BIN=tokens.bin", "console B.BIN -z TOKENS.BIN"},
		{"tiny.gguf -z tokens.bin a.bin b.bin", "TINY.GGU=tiny.gguf A.BIN=a.bin A.TOK=tokens.bin B.BIN=b.bin B.TOK=b.tok", "console TINY.GGU -s"},
		{"a.bin b.bin tiny.gguf -z tokens.bin", "A.BIN=a.bin TOKENS.BIN=tokens.bin B.BIN=b.bin B.TOK=b.tok TINY.GGU=tiny.gguf", "console A.BIN -z TOKENS.BIN"},
	} {
		var o run.Options
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		o.Register(flags)
		args := strings.Fields(c.args)
		for i := range args {
			if args[i] = strings.ReplaceAll(args[i], "größe-1", "größe 1"); args[i] != "-z" {
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
			from := filepath.Base(f.source)
			if from == f.name {
				names = append(names, f.name)
			} else {
				names = append(names, f.name+"="+strings.ReplaceAll(from, " ", "-"))
			}
			if f.piece != nil && f.piece.Size > disk.MaxFile {
				t.Errorf("%s: %s has %d bytes", c.args, f.name, f.piece.Size)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: the stick has %s, want %s", c.args, got, c.want)
		}
		lines, err := run.ReadArgs(strings.NewReader(string(contents.args)))
		if got := strings.Join(lines, " "); err != nil || !strings.HasPrefix(got, c.said) {
			t.Errorf("%s: LLAMA.TXT says %s, %v, want %s", c.args, got, err, c.said)
		}
	}
}
