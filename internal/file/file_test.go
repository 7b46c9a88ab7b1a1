package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteFunc: a failure leaves the old file and nothing else; success replaces it.
func TestWriteFunc(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	for _, c := range []struct {
		text string
		err  error
	}{{"old", nil}, {"half", errors.New("no more")}, {"new", nil}} {
		before, _ := os.ReadFile(name)
		err := WriteFunc(name, func(f *os.File) error { return errors.Join(second(f.WriteString(c.text)), c.err) })
		if c.err != nil && (err == nil || err.Error() != c.err.Error()) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.text, err, c.err)
		}
		want := c.text
		if c.err != nil {
			want = string(before)
		}
		if got, err := os.ReadFile(name); string(got) != want {
			t.Errorf("%s: the file holds %q, %v, want %q", c.text, got, err, want)
		}
		if files, err := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("%s: %v, %v", c.text, files, err)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func second(_ int, err error) error { return err }

// TestErrors: they name the file that was asked for, in one line, and nothing is left.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		dir:                               dir + ": it is not a plain file",
		filepath.Join(dir, "absent", "a"): filepath.Join(dir, "absent", "a") + ": no such file",
	} {
		if err := Write(name, []byte("x")); err == nil || !strings.HasPrefix(err.Error(), "cannot write "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if files, err := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}
