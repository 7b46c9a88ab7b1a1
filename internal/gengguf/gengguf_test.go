package gengguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared is where the data are that are not committed.
const shared = "../../../shared/gguf/"

func hash(t *testing.T, write func(w io.Writer) error) string {
	t.Helper()
	h := sha256.New()
	if err := write(h); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The files are the ones that goldens were made with, byte for byte.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		model string
		tok   *Tokenizer
		want  string
	}{
		{"tiny-qwen2", Qwen2(), "d7d4bbf5264a32c309e805286355483ffede3b644e9d402c99d092a65684c3a1"},
		{"tiny-qwen3", Qwen3(), "cad1fe5ee2fe28ac879b65115639c6aadb1ec2e9a631feee72daab138bfbcbf5"},
	} {
		f := New(c.model, "Q4_K_M")
		f.Tokenizer = c.tok
		if got := hash(t, f.Write); got != c.want {
			t.Errorf("%s: %s, want %s", c.model, got, c.want)
		}
	}
	faults := hash(t, func(w io.Writer) error {
		for _, f := range Faults() {
			fmt.Fprintf(w, "%s%s", f.Name, f.Data)
		}
		return nil
	})
	if want := "64804eb02f66db0b3b4bc79583b5d209196d226927c012d95132a8752587658c"; faults != want {
		t.Errorf("faults: %s, want %s", faults, want)
	}
}

func TestGoldens(t *testing.T) {
	data, err := os.ReadFile(shared + "goldens.json")
	if err != nil {
		t.Skip("the hashes of 80 files are in data that is not here: ", err)
	}
	var goldens []struct{ Model, Type, Args, SHA256 string }
	if err := json.Unmarshal(data, &goldens); err != nil || len(goldens) != 80 {
		t.Fatal(len(goldens), err)
	}
	for _, g := range goldens {
		_, vocab, _ := strings.Cut(g.Args, "-tokenizer data/")
		tok, err := ReadTokenizer(shared + vocab)
		if err != nil {
			t.Fatal(err)
		}
		f := New(g.Model, g.Type)
		f.Tokenizer = tok
		if got := hash(t, f.Write); got != g.SHA256 {
			t.Errorf("%s %s: %s, want %s", g.Model, g.Type, got, g.SHA256)
		}
	}
}

// The cut vocabularies are what Cut makes of the whole ones.
func TestCut(t *testing.T) {
	for full, cut := range map[string]string{"ggml-vocab-llama-bpe": "cut-llama3", "ggml-vocab-llama-spm": "cut-spm"} {
		whole, err := ReadTokenizer(shared + "vocab-full/" + full + ".gguf.gz")
		if err != nil {
			t.Skip("whole vocabularies are in data that is not here: ", err)
		}
		want, err := ReadTokenizer(shared + "vocab/" + cut + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		if got := whole.Cut(512); strings.Join(got.Tokens, "\n") != strings.Join(want.Tokens, "\n") ||
			strings.Join(got.Merges, "\n") != strings.Join(want.Merges, "\n") {
			t.Errorf("%s: other tokens", full)
		}
	}
}

// A sparse file has the head of the whole one, and its size.
func TestSparse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "m.gguf")
	f := New("tiny-smollm", "Q8_0")
	f.Align, f.Version = 128, 2
	var whole bytes.Buffer
	if err := f.Write(&whole); err != nil {
		t.Fatal(err)
	}
	f.Sparse = true
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, _ := f.head(f.metadata(), f.tensors())
	if len(b) != whole.Len() || len(head)%128 != 0 || !bytes.Equal(head, b[:len(head)]) || !bytes.Equal(head, whole.Bytes()[:len(head)]) {
		t.Errorf("%d bytes, head %d; the whole file %d", len(b), len(head), whole.Len())
	}
}
