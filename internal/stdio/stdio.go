// Package stdio is a command's standard output: quiet where its reader has gone, and harmless on a terminal.
package stdio

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"
)

// Output is a program's standard output. The error of its Write is io.ErrClosedPipe where the other end of a pipe is
// closed, as by `| head`: nothing has failed then, and the program ends without a word. (It has to ignore SIGPIPE.)
type Output struct{ io.Writer }

func (o Output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) || runtime.GOOS == "windows" && errors.Is(err, errorNoData) {
		err = io.ErrClosedPipe
	}
	return n, err
}

// errorNoData is ERROR_NO_DATA of Windows, "The pipe is being closed".
const errorNoData = syscall.Errno(232)

// IsTerminal reports whether a reader or writer, perhaps an Output, is a terminal.
func IsTerminal(stream any) bool {
	if o, ok := stream.(Output); ok {
		stream = o.Writer
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Text returns a writer to a terminal w for text from elsewhere, such as a model's: what a terminal would take for a
// command does not reach it. Dropped are the control codes of ECMA-48, C0 (ESC among them), DEL and C1, encoded in UTF-8
// or as single bytes, except for tabs, line feeds and the characters of also. Bytes that are not UTF-8 become U+FFFD.
// Characters that a terminal only draws stay, those that change the direction of writing among them. A character may come
// in several calls.
func Text(w io.Writer, also string) io.Writer { return &text{w: w, also: also} }

type text struct {
	w       io.Writer
	also    string
	partial []byte // the beginning of a character
	out     []byte
}

func (t *text) Write(p []byte) (int, error) {
	in := append(t.partial, p...)
	t.out = t.out[:0]
	for len(in) > 0 && utf8.FullRune(in) {
		r, size := utf8.DecodeRune(in)
		in = in[size:]
		if control := r < ' ' || r >= 0x7f && r < 0xa0; !control || r == '\t' || r == '\n' || strings.ContainsRune(t.also, r) {
			t.out = utf8.AppendRune(t.out, r)
		}
	}
	t.partial = append(t.partial[:0], in...)
	if len(t.out) == 0 {
		return len(p), nil
	}
	if _, err := t.w.Write(t.out); err != nil {
		return 0, err
	}
	return len(p), nil
}
