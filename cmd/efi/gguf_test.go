//go:build linux && amd64

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
	"bootllama/internal/vm/vmtest"
)

// makeGGUF makes a file of random weights in a folder and returns its name.
func makeGGUF(t *testing.T, dir, model, typ string, tok *gengguf.Tokenizer) string {
	t.Helper()
	f := gengguf.New(model, typ)
	f.Tokenizer = tok
	name := filepath.Join(dir, model+"-"+typ+".gguf")
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// addGGUF adds what the machine has to do with GGUF models, and as the host does it: ids and text.
func (s *script) addGGUF(t *testing.T, dir string) {
	t.Helper()
	qwen3 := makeGGUF(t, dir, "tiny-qwen3", "Q4_K", gengguf.Qwen3())
	qwen2 := makeGGUF(t, dir, "tiny-qwen2", "Q8_0", gengguf.Qwen2())
	draft := makeGGUF(t, dir, "tiny-llama3", "Q4_0", gengguf.Qwen2())
	for _, args := range [][]string{
		{"run", qwen3, "-i", "One day", "-t", "0", "-n", "40", "--ids"},
		{"run", qwen2, "-i", "One day", "-t", "0", "-n", "40", "--ids"},
		{"run", qwen2, "-i", "One day", "-s", "7", "-n", "40", "--draft", draft},
	} {
		alone := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--draft" || arg == draft })
		want, _, _ := host(alone) // add reports an error
		if len(want) < 20 {
			t.Errorf("%q on the host: %q", args, want)
		}
		s.add(t, args, want)
	}
}

// TestTypesOnMetal: five small models in all types print the same ids on the host and on the bare machine, with AVX on
// four cores and without on one. It takes ten minutes, and vocabularies that a clone does not have.
func TestTypesOnMetal(t *testing.T) {
	if os.Getenv("BOOTLLAMA_LARGE") == "" {
		t.Skip("SKIPPED: minutes; BOOTLLAMA_LARGE=1 runs it")
	}
	dir := t.TempDir()
	s := newScript()
	for model, vocabulary := range map[string]string{"tiny-llama3": "llama3", "tiny-spm": "spm", "tiny-qwen2": "qwen2", "tiny-qwen3": "qwen3", "tiny-smollm": "smollm"} {
		tok, err := gengguf.ReadTokenizer(root + "/../shared/gguf/vocab/cut-" + vocabulary + ".gguf")
		if err != nil {
			t.Skip("SKIPPED: no vocabularies: ", err)
		}
		for _, typ := range gengguf.Types {
			args := []string{"run", makeGGUF(t, dir, model, typ, tok), "-i", "One day", "-t", "0", "-n", "24", "--ids"}
			want, _, _ := host(args)
			s.add(t, args, want)
		}
	}
	app := build(t)
	for _, c := range []struct {
		name, cpu string
		cores     int
	}{{"max", "max", 4}, {"qemu64", "qemu64", 1}} {
		t.Run(c.name, func(t *testing.T) {
			b := vmtest.New(t, append(slices.Clone(s.files), app), 0, s.lines...)
			b.CPU, b.CPUs = c.cpu, c.cores
			b.WantStatuses(t, make([]int, len(s.lines))...)
			if got, want := b.Out.String(), strings.Join(s.wants, ""); got != want {
				t.Errorf("%d files: bare metal printed\n%q\nthe host\n%q", len(s.lines), got, want)
			}
		})
	}
}
