package train

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/train/bpe"
)

// TestReadDocuments: where a text is cut, and that nothing but white space is lost.
func TestReadDocuments(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"separated", "One.\n\nStill one.\n<|endoftext|>\nTwo.\n<|endoftext|>\n", []string{"One.\n\nStill one.", "Two."}},
		{"separated, the last line open", "One.\n<|endoftext|>\nTwo.", []string{"One.", "Two."}},
		{"separated, one document", "One.\n\nStill one.\n<|endoftext|>\n", []string{"One.\n\nStill one."}},
		{"separated, carriage returns", "One.\r\n<|endoftext|>\r\nTwo.\r\n", []string{"One.", "Two."}},
		{"separated, nothing between", "<|endoftext|>\n<|endoftext|>\nOne.\n<|endoftext|>", []string{"One."}},
		{"a separator within a line is text", "One.<|endoftext|>\n\nTwo. <|endoftext|>",
			[]string{"One.<|endoftext|>", "Two. <|endoftext|>"}},
		{"paragraphs", "\n\n One.\nStill one.\n \t\nTwo.\n\n\n\nThree.", []string{"One.\nStill one.", "Two.", "Three."}},
		{"paragraphs, carriage returns", "One.\r\n\r\nTwo.\r\n", []string{"One.", "Two."}},
		{"no blank line", "One.\nStill one.\n", []string{"One.\nStill one."}},
		{"byte order mark", "\ufeffOne.\n\n\ufeffTwo \ufffd.", []string{"One.", "\ufeffTwo \ufffd."}},
		{"byte order mark before a separator", "\ufeff<|endoftext|>\nOne.\n\nStill one.", []string{"One.\n\nStill one."}},
	} {
		got, err := ReadDocuments(strings.NewReader(c.text), int64(len(c.text)), "t")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestBadDocuments: an error says which file and where.
func TestBadDocuments(t *testing.T) {
	for _, c := range []struct {
		text string
		size int64
		want string
	}{
		{"", 0, "t: offset 0: the file ends here without a document"},
		{" \n<|endoftext|>\n", 16, "t: offset 16: the file ends here without a document"},
		{"One.", 5, "t: offset 4: the file ends here, not at 5"},
		{"One.\nZw\xf6lf", 10, "t: line 2, column 3: byte 0xf6: the text is not UTF-8"},
		{"\ufeff\ufeffé\xe9", 9, "t: line 1, column 3: byte 0xe9: "},
		{"日本\r\n\r\n\ufffd\xed\xa0\x80\n", 17, "t: line 3, column 2: byte 0xed: "}, // a surrogate
		{"One.\n\nTwo.\n\xc3", 12, "t: line 4, column 1: byte 0xc3: "},
		{"\xff\xfeO\x00n\x00", 6, "t: line 1, column 1: the text is UTF-16"},
		{"One.", maxText + 1, "t: offset 1073741824: the text has 1073741825 bytes"},
	} {
		_, err := ReadDocuments(strings.NewReader(c.text), c.size, "t")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.txt")
	if _, err := LoadDocuments(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: error %v", err)
	}
	if _, err := LoadDocuments(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: error %v", err)
	}
}

// byBytes is an encoder for tests: bytes as tokens.
func byBytes(dst []uint16, text string) []uint16 {
	for _, b := range []byte(text) {
		dst = append(dst, uint16(b)+bpe.EOS+1)
	}
	return dst
}

// TestCorpus: the tokens and where documents start; the sum is that of the file that the
// documents came from when it has the usual form.
func TestCorpus(t *testing.T) {
	text := "ab\n<|endoftext|>\nc\n\nd\n<|endoftext|>\n"
	name := filepath.Join(t.TempDir(), "corpus.txt")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	documents, err := LoadDocuments(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCorpus(slices.Values(documents), byBytes)
	if err != nil {
		t.Fatal(err)
	}
	want := []uint16{1, 'a' + 3, 'b' + 3, 1, 'c' + 3, '\n' + 3, '\n' + 3, 'd' + 3}
	if !slices.Equal(c.Tokens, want) || !slices.Equal(c.Starts, []int{0, 3, 8}) {
		t.Errorf("tokens %v, starts %v", c.Tokens, c.Starts)
	}
	if c.Documents() != 2 || !slices.Equal(c.Document(1), want[3:]) {
		t.Errorf("%d documents, the last %v", c.Documents(), c.Document(1))
	}
	if c.SHA256 != sha256.Sum256([]byte(text)) {
		t.Errorf("SHA-256 %x is not that of the file", c.SHA256)
	}
	if _, err := NewCorpus(slices.Values([]string(nil)), byBytes); err == nil {
		t.Error("a corpus without documents is no error")
	}
}
