package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const shared = "../../shared/gguf/"

// vocabularies are those that goldens exist for, with the goldens. Of the others than Qwen's, the licences say who may have
// them: they are not in this repository.
var vocabularies = []struct{ file, goldens string }{
	{"../internal/gengguf/cut-qwen2.gguf", "testdata/tok-cut-qwen2.json"},
	{"../internal/gengguf/cut-qwen3.gguf", "testdata/tok-cut-qwen3.json"},
	{shared + "vocab/cut-llama3.gguf", shared + "tok-cut-llama3.json"},
	{shared + "vocab/cut-spm.gguf", shared + "tok-cut-spm.json"},
	{shared + "vocab/cut-smollm.gguf", shared + "tok-cut-smollm.json"},
	{shared + "vocab-full/ggml-vocab-llama-bpe.gguf.gz", shared + "tok-llama-bpe.json"},
	{shared + "vocab-full/ggml-vocab-llama-spm.gguf.gz", shared + "tok-llama-spm.json"},
	{shared + "vocab-full/ggml-vocab-qwen2.gguf.gz", shared + "tok-qwen2.json"},
	{shared + "vocab-full/qwen3.gguf.gz", shared + "tok-qwen3.json"},
	{shared + "vocab-full/smollm-standin.gguf.gz", shared + "tok-smollm-standin.json"},
}

// skipWithout skips a test whose file is not there.
func skipWithout(t testing.TB, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Skipf("%v: not in the repository, for its licence", err)
	}
}

// golden is a text and what llama.cpp's llama_tokenize makes of it.
type golden struct {
	Text         string
	Special, BOS bool
	IDs          []int
}

func goldens(t testing.TB, name string) (g []golden) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGoldens(t *testing.T) {
	for _, v := range vocabularies {
		t.Run(filepath.Base(v.file), func(t *testing.T) {
			skipWithout(t, v.file)
			compare(t, read(t, v.file), goldens(t, v.goldens))
		})
	}
}

// compare compares with llama.cpp.
func compare(t *testing.T, tok *Tokenizer, cases []golden) {
	t.Helper()
	if len(cases) == 0 {
		t.Error("no cases")
	}
	for _, c := range cases {
		tok := tok
		if c.Special {
			tok = tok.Special()
		}
		ids, err := tok.Encode(c.Text, c.BOS, false)
		if err != nil || !slices.Equal(ids, c.IDs) {
			t.Errorf("%q: %v\n got %v\nwant %v", c.Text, err, ids, c.IDs)
		}
	}
}
