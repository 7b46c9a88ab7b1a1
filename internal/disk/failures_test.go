package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend"
	osfile "github.com/diskfs/go-diskfs/backend/file"
)

var errBroken = errors.New("bad sector of the test")

// faulty is a storage of which one call fails, the one after n others; its calls are counted.
type faulty struct {
	backend.Storage
	n, calls int
	failed   string // the first call that failed
}

func (s *faulty) fails(call string) bool {
	s.calls++
	if s.calls != s.n+1 {
		return false
	}
	s.failed = call
	return true
}

func (s *faulty) Writable() (backend.WritableFile, error) {
	if s.fails("Writable") {
		return nil, errBroken
	}
	w, err := s.Storage.Writable()
	return faultyFile{w, s}, err
}

func (s *faulty) ReadAt(b []byte, off int64) (int, error) {
	if s.fails(fmt.Sprint("read at ", off)) {
		return 0, errBroken
	}
	return s.Storage.ReadAt(b, off)
}

// faultyFile is its file.
type faultyFile struct {
	backend.WritableFile
	s *faulty
}

func (f faultyFile) ReadAt(b []byte, off int64) (int, error) { return f.s.ReadAt(b, off) }

func (f faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if f.s.fails(fmt.Sprint("write at ", off)) {
		return 0, errBroken
	}
	return f.WritableFile.WriteAt(b, off)
}

// TestStorageFails: no image is written when a read or a write of it fails, whichever it is. Without keepingError, only
// go-diskfs loses errors, and only of folders that it reads.
func TestStorageFails(t *testing.T) {
	files := []File{Content("A/B/C.BIN", random("c", 5000)), Content("LLAMA.TXT", []byte("run\n")), Content("A/EMPTY", nil)}
	tr, err := newTree(files)
	if err != nil {
		t.Fatal(err)
	}
	l, err := plan(tr, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := partitionStart + l.size + gptBackup
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type writer func(ctx context.Context, storage backend.Storage, size int64, t *tree, l layout) error
	write := func(to writer, n int) (*faulty, error) {
		for _, size := range []int64{0, size} { // all zeros
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
		}
		s := &faulty{Storage: osfile.New(f, false), n: n}
		return s, to(t.Context(), s, size, tr, l)
	}
	s, err := write(writeStorage, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if s.calls < 100 {
		t.Errorf("%d calls: where are the others?", s.calls)
	}
	lost, root := 0, partitionStart+fatStart+2*l.fat
	for n := range s.calls {
		if s, err := write(writeStorage, n); !errors.Is(err, errBroken) {
			t.Errorf("call %d, %s: %v", n, s.failed, err)
		}
		s, err := write(writeVolume, n)
		var at int64
		if err == nil {
			lost++
			if _, e := fmt.Sscanf(s.failed, "read at %d", &at); e != nil || at < root {
				t.Errorf("call %d, %s: the error is lost", n, s.failed)
			}
		}
	}
	if lost > 8 {
		t.Errorf("%d errors are lost, go-diskfs loses 8", lost)
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
