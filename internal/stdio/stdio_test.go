package stdio

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ also, in, want string }{
		{"", "plain\ttext\n", "plain\ttext\n"},
		{"", "", ""},
		{"", "\x1b[31mred\x1b]0;title\a\x1bc", "[31mred]0;titlec"},
		{"", "\x00\x01\b\v\f\r\x0e\x0f\x1a\x1f\x7f.", "."},
		{"\b\r", "a\b \b\r\n\x1b", "a\b \b\r\n"},
		{"", "\u0080\u0085\u009b31m\u009f\u00a0é", "31m\u00a0é"},           // C1 in UTF-8
		{"", "\x9b31m \x90 \xff \xc3(", "\ufffd31m \ufffd \ufffd \ufffd("}, // and as single bytes
		{"", "\xc0\x9b \xe0\x80\x9b \xed\xa0\x80", "\ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd"},
		{"", "Ümit 猫 😀 \u202e \ufeff \ufffd", "Ümit 猫 😀 \u202e \ufeff \ufffd"},
		{"", "cut\xf0\x9f\x98", "cut"},
		{"", "\xf0\x9f\x98\x1b[m", "\ufffd[m"},
	} {
		for _, piece := range []int{1, 2, 3, 100} {
			var b strings.Builder
			w := Text(&b, c.also)
			for in := c.in; in != ""; in = in[min(piece, len(in)):] {
				p := in[:min(piece, len(in))]
				if n, err := io.WriteString(w, p); n != len(p) || err != nil {
					t.Fatalf("%q: %d, %v", p, n, err)
				}
			}
			got := b.String()
			if c.in == "\xf0\x9f\x98\x1b[m" { // Go takes each byte of a broken character for one of its own
				got = "\ufffd" + strings.TrimLeft(got, "\ufffd")
			}
			if got != c.want {
				t.Errorf("%q in pieces of %d: %q, want %q", c.in, piece, got, c.want)
			}
		}
	}
	broken := errors.New("broken")
	w := Text(iotestWriter{broken}, "")
	if _, err := io.WriteString(w, "\x1b"); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
	if n, err := io.WriteString(w, "a"); n != 0 || err != broken {
		t.Errorf("%d, %v", n, err)
	}
}

type iotestWriter struct{ err error }

func (w iotestWriter) Write([]byte) (int, error) { return 0, w.err }

// TestOutput: a pipe without a reader is told from every other error.
func TestOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if IsTerminal(w) || IsTerminal(Output{w}) || IsTerminal(iotest.ErrReader(nil)) {
		t.Error("a pipe is no terminal")
	}
	if n, err := io.WriteString(Output{w}, "abc"); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(Output{w}, "abc"); err != io.ErrClosedPipe {
		t.Errorf("%v", err)
	}
	broken := errors.New("broken")
	if _, err := io.WriteString(Output{iotestWriter{broken}}, "abc"); err != broken {
		t.Errorf("%v", err)
	}
}
