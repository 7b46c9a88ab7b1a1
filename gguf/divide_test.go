package gguf

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
)

// contents lists a model's tensors by name, with their types, shapes and hashes of their bytes. files are the model's.
func contents(t *testing.T, files map[string][]byte, name string) map[string]string {
	t.Helper()
	m, err := Read(bytes.NewReader(files[name]), int64(len(files[name])), name, func(name string) (io.ReadCloser, int64, error) {
		if files[name] == nil {
			return nil, 0, fs.ErrNotExist
		}
		return io.NopCloser(bytes.NewReader(files[name])), int64(len(files[name])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	list := map[string]string{"config": fmt.Sprint(m.Config), "tokens": fmt.Sprint(m.Texts["tokenizer.chat_template"])}
	for _, f := range m.files {
		for _, w := range f.tensors {
			data := files[f.name][f.data+int64(w.offset):][:w.bytes]
			list[w.name] = fmt.Sprintf("%d %d %d %x", w.typ, w.rows, w.columns, sha256.Sum256(data))
		}
	}
	return list
}

// TestDivide: the files of a divided model have no more than the bytes that were asked for, and read together they are
// the model. What cannot be divided is an error.
func TestDivide(t *testing.T) {
	for _, align := range []int{32, 128} {
		g := gengguf.New("tiny-qwen3", "Q4_K_M")
		g.Tokenizer, g.Align = gengguf.Qwen3(), align
		var whole bytes.Buffer
		if err := g.Write(&whole); err != nil {
			t.Fatal(err)
		}
		want := contents(t, map[string][]byte{"tiny.gguf": whole.Bytes()}, "tiny.gguf")
		for most, n := range map[int64]int{1 << 30: 1, 500_000: 3, 250_000: 5, 120_000: 13} {
			pieces, err := Divide(bytes.NewReader(whole.Bytes()), int64(whole.Len()), "in/a/folder/tiny.gguf", most)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for i, p := range pieces {
				b, err := io.ReadAll(p.Reader(bytes.NewReader(whole.Bytes())))
				if err != nil || int64(len(b)) != p.Size || p.Size > most || p.Name != fmt.Sprintf("tiny-%05d-of-%05d.gguf", i+1, len(pieces)) {
					t.Errorf("%s: %d bytes of %d, at most %d, %v", p.Name, len(b), p.Size, most, err)
				}
				files[p.Name] = b
			}
			if len(pieces) != n {
				t.Errorf("at most %d: %d files, want %d", most, len(pieces), n)
			}
			if got := contents(t, files, pieces[0].Name); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("at most %d: %v, want %v", most, got, want)
			}
			if n > 1 {
				p := pieces[0]
				_, err := Divide(bytes.NewReader(files[p.Name]), p.Size, p.Name, most)
				if err == nil || !strings.Contains(err.Error(), "not divided again") {
					t.Errorf("a part is divided: %v", err)
				}
			}
		}
		for most, want := range map[int64]string{10_000: "needs a file of", 0: "needs a file of"} {
			if _, err := Divide(bytes.NewReader(whole.Bytes()), int64(whole.Len()), "tiny.gguf", most); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("at most %d: %v, want %s", most, err, want)
			}
		}
		if _, err := Divide(bytes.NewReader(whole.Bytes()[:whole.Len()/2]), int64(whole.Len()/2), "tiny.gguf", 1<<20); err == nil {
			t.Error("half a file is divided")
		}
	}
}
