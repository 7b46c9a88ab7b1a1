package disk

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

var errBroken = errors.New("bad sector of the test")

// faulty is an image of which one write fails, the one after n others; they are counted.
type faulty struct{ n, calls int }

func (w *faulty) WriteAt(b []byte, off int64) (int, error) {
	w.calls++
	if w.calls == w.n+1 {
		return 0, errBroken
	}
	return len(b), nil
}

// TestStorageFails: no image is written when a write of it fails, whichever it is.
func TestStorageFails(t *testing.T) {
	files := []File{Content("A/B/C.BIN", random("c", 3*mib)), Content("LLAMA.TXT", []byte("run\n")), Content("A/EMPTY", nil)}
	tr, l, err := layOut(files, Options{Free: 300 * mib})
	if err != nil {
		t.Fatal(err)
	}
	w := &faulty{n: -1}
	if err := writeImage(t.Context(), w, tr, l); err != nil {
		t.Fatal(err)
	}
	if w.calls < 14 { // 5 of the tables, 2 of the headers, 2 FATs, 3 folders, 2 files
		t.Errorf("%d calls: where are the others?", w.calls)
	}
	for n := range w.calls {
		if err := writeImage(t.Context(), &faulty{n: n}, tr, l); !errors.Is(err, errBroken) {
			t.Errorf("call %d: %v", n, err)
		}
	}
}

// TestSourceFails: what cannot be opened, read or closed is an error, wherever it breaks.
func TestSourceFails(t *testing.T) {
	contents := random("s", 3000)
	for _, c := range []struct {
		name string
		n    int // bytes that can be read
		file faultySource
	}{
		{"open", 0, faultySource{open: errBroken}},
		{"close", 3000, faultySource{close: errBroken}},
		{"read at once", 0, faultySource{read: errBroken}},
		{"read", 1234, faultySource{read: errBroken}},
		{"read behind the end", 3000, faultySource{read: errBroken}},
	} {
		c.file.r = bytes.NewReader(contents[:c.n])
		files := []File{Content("X", nil), {Path: "A/A.BIN", Size: 3000, Open: func() (io.ReadCloser, error) { return &c.file, c.file.open }}}
		dir := t.TempDir()
		if err := Write(t.Context(), filepath.Join(dir, "image"), files, Options{}); !errors.Is(err, errBroken) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %v", c.name, err)
		}
		if closed := c.file.open == nil; c.file.closed != closed {
			t.Errorf("%s: closed %v", c.name, c.file.closed)
		}
		leftBehind(t, dir)
	}
}

// faultySource is a file whose calls return these errors, reading once r is at its end.
type faultySource struct {
	r                 io.Reader
	open, read, close error
	closed            bool
}

func (s *faultySource) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err == io.EOF && s.read != nil {
		err = s.read
	}
	return n, err
}

func (s *faultySource) Close() error {
	s.closed = true
	return s.close
}
