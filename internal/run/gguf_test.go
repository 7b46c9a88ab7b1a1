package run

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
)

// Each faulty GGUF file ends run with one line that names it, and status 1, before anything is written; two are not that
// faulty: see gguf.TestFaults.
func TestFaultyGGUF(t *testing.T) {
	dir := t.TempDir()
	for _, f := range gengguf.Faults() {
		name := filepath.Join(dir, f.Name+".gguf")
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		status := Main(context.Background(), []string{"run", name, "-t", "0", "-n", "4", "-i", "ab"}, strings.NewReader(""), &stdout, &stderr)
		message := stderr.String()
		switch f.Name {
		case "00-valid", "69-eos-far", "71-token-utf8":
			if status != 0 || strings.Contains(message, "eos_token_id is 1048576") != (f.Name == "69-eos-far") {
				t.Errorf("%s (%s): status %d, %s", f.Name, f.What, status, message)
			}
		default:
			if status != 1 || stdout.Len() > 0 || strings.Count(message, "\n") != 1 || !strings.HasPrefix(message, "bootllama: model: "+name+": offset ") {
				t.Errorf("%s (%s): status %d, %q, %s", f.Name, f.What, status, stdout.String(), message)
			}
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// A model in several files writes what it writes in one, and a file without a tokenizer says so.
func TestSplitGGUF(t *testing.T) {
	dir := t.TempDir()
	f := gengguf.New("tiny-qwen2", "Q4_K_M")
	f.Tokenizer = gengguf.Qwen2()
	whole, none := filepath.Join(dir, "m.gguf"), filepath.Join(dir, "none.gguf")
	names, err := f.CreateSplit(filepath.Join(dir, "m"), 3)
	if err == nil {
		err = f.Create(whole)
	}
	if f.Tokenizer = nil; err == nil {
		err = f.Create(none)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string) (string, string) {
		var stdout, stderr bytes.Buffer
		Main(context.Background(), []string{"run", name, "-t", "0", "-n", "24", "-i", "Hello, world! 123", "--ids"}, strings.NewReader(""), &stdout, &stderr)
		return stdout.String(), stderr.String()
	}
	want, _ := run(whole)
	if got, message := run(names[0]); got != want || strings.Count(got, " ") != 23 {
		t.Errorf("%q, want %q: %s", got, want, message)
	}
	if got, message := run(names[2]); got != "" || !strings.Contains(message, "this is file 3 of 3, and the model is known by the first, m-00001-of-00003.gguf") {
		t.Errorf("the third: %q, %s", got, message)
	}
	if got, message := run(none); got != "" || !strings.Contains(message, "none.gguf has none (-z names one)") {
		t.Errorf("without a tokenizer: %q, %s", got, message)
	}
}

// The tokenizer of a file that has nothing else, and of a model that does not run here.
func TestVocabOnly(t *testing.T) {
	f := gengguf.New("tiny-qwen2", "F32")
	f.Tokenizer, f.VocabOnly = gengguf.Qwen2(), true
	f.Extra = []gengguf.Pair{{Key: "general.architecture", Value: "mamba"}}
	name := filepath.Join(t.TempDir(), "v.gguf")
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	v, err := Vocab(Options{Model: name})
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := v.Encode("Hello, world! 123", true, false); err != nil || len(ids) != 12 || ids[0] != 39 {
		t.Errorf("%d, %v", ids, err)
	}
	if f.Tokenizer = nil; f.Create(name) != nil {
		t.Fatal("create")
	}
	if _, err := Vocab(Options{Model: name}); err == nil || !strings.Contains(err.Error(), "has none (-z names one)") {
		t.Error(err)
	}
}
