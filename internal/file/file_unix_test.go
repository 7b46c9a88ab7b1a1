//go:build unix

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestLinks: a symbolic link stays, whatever it looks like, and the file behind it is written.
func TestLinks(t *testing.T) {
	for _, c := range []struct {
		name   string
		links  [][2]string // name and what it names
		write  string
		target string
	}{
		{"none", nil, "plain", "plain"},
		{"relative", [][2]string{{"link", "sub/file"}}, "link", "sub/file"},
		{"chain", [][2]string{{"a", "b"}, {"b", "sub/c"}, {"sub/c", "../sub/file"}}, "a", "sub/file"},
		{"dangling", [][2]string{{"link", "sub/new"}}, "link", "sub/new"},
		{"folder", [][2]string{{"dir", "sub/deep"}}, "dir/file", "sub/deep/file"},
		{"out of a folder that is a link", [][2]string{{"dir", "sub/deep"}}, "dir/../file", "sub/file"},
		{"through a folder that is a link", [][2]string{{"dir", "sub/deep"}, {"sub/deep/link", "../file"}}, "dir/link", "sub/file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "sub/deep"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, l := range c.links {
				if err := os.Symlink(l[1], dir+"/"+l[0]); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"new", "newer"} {
				if err := Write(dir+"/"+c.write, []byte(text)); err != nil {
					t.Fatal(err)
				}
				info, err := os.Lstat(dir + "/" + c.target)
				if err != nil || !info.Mode().IsRegular() {
					t.Fatalf("%v, %v: no plain file", info, err)
				}
				if got, err := os.ReadFile(dir + "/" + c.target); string(got) != text {
					t.Errorf("%s holds %q, %v, want %q", c.target, got, err, text)
				}
			}
			for _, l := range c.links {
				if got, err := os.Readlink(dir + "/" + l[0]); got != l[1] {
					t.Errorf("link %s names %q, %v, want %q", l[0], got, err, l[1])
				}
			}
			nothingElse(t, dir, 2+len(c.links)+1)
		})
	}
}

// nothingElse fails if there are not n files, folders and links below dir.
func nothingElse(t *testing.T, dir string, n int) {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if len(names)-1 != n || err != nil {
		t.Errorf("%d names, want %d: %q, %v", len(names)-1, n, names, err)
	}
}

// TestBadLinks: a link to itself, and one out of /proc whose file has no name, are refused.
func TestBadLinks(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := Write(loop, nil); !errors.Is(err, syscall.ELOOP) || !strings.HasPrefix(err.Error(), "cannot write "+loop+": ") {
		t.Errorf("a link to itself: %v", err)
	}
	f, err := os.Create(filepath.Join(dir, "gone"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if nameless := fmt.Sprint("/dev/fd/", f.Fd()); Check(nameless) == nil { // there is such a folder
		if err := Write(nameless, []byte("x")); err == nil {
			t.Errorf("%s was written", nameless)
		}
	}
	nothingElse(t, dir, 1)
}

// TestMode: a file that was there keeps its mode and its owner; a new one has what the umask allows.
func TestMode(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	name := filepath.Join(t.TempDir(), "a")
	mode := func() fs.FileMode {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if err := Write(name, nil); err != nil || mode() != 0o640 {
		t.Errorf("a new file: %v, mode %v", err, mode())
	}
	for _, m := range []fs.FileMode{0o600, 0o666, 0o755, 0o640 | fs.ModeSetgid, 0o755 | fs.ModeSetuid} {
		if err := os.Chmod(name, m); err != nil {
			t.Fatal(err)
		}
		during := fs.FileMode(0)
		err := WriteFunc(name, func(f *os.File) error {
			info, err := f.Stat()
			if err == nil {
				during = info.Mode()
			}
			return err
		})
		if err != nil || mode() != m || during != 0o600 {
			t.Errorf("mode %v, meanwhile %v, want %v; %v", mode(), during, m, err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root may give files away: owners are not tested")
	}
	if err := os.Chown(name, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o755|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := Write(name, nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 1234 || s.Gid != 2345 || info.Mode() != 0o755|fs.ModeSetuid {
		t.Errorf("owner %d, group %d, mode %v", s.Uid, s.Gid, info.Mode())
	}
}

// TestOrder: the contents are on the disk before the file has its name, and the name is after it.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	var order []string
	s := system{
		sync: func(f *os.File) error {
			info, err := f.Stat()
			if err != nil {
				return err
			}
			if info.IsDir() {
				order = append(order, "folder")
			} else {
				text, err := os.ReadFile(f.Name())
				order = append(order, "file "+string(text))
				return errors.Join(err, f.Sync())
			}
			return f.Sync()
		},
		rename: func(from, to string) error {
			order = append(order, "rename")
			return os.Rename(from, to)
		},
	}
	text := func(f *os.File) error { _, err := f.WriteString("text"); return err }
	if err := s.write(name, text); err != nil {
		t.Fatal(err)
	}
	if want := []string{"file text", "rename", "folder"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
	broken := errors.New("bad sector")
	good := s
	for what, s := range map[string]system{
		"sync":   {func(*os.File) error { return broken }, good.rename},
		"rename": {good.sync, func(string, string) error { return broken }},
	} {
		err := s.write(name, func(f *os.File) error { _, err := f.WriteString("half"); return err })
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "cannot write "+name+": ") {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := os.ReadFile(name); string(got) != "text" {
			t.Errorf("%s: the file holds %q, %v", what, got, err)
		}
	}
	s.sync = func(f *os.File) error {
		if info, err := f.Stat(); err != nil || info.IsDir() {
			return &fs.PathError{Op: "sync", Path: f.Name(), Err: syscall.EINVAL} // as some file systems do
		}
		return nil
	}
	if err := s.write(name, text); err != nil {
		t.Error(err)
	}
	nothingElse(t, dir, 1)
}

// TestPanic: nothing is left of a write that panics.
func TestPanic(t *testing.T) {
	dir := t.TempDir()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		nothingElse(t, dir, 0)
	}()
	WriteFunc(filepath.Join(dir, "a"), func(*os.File) error { panic("bug") })
}

// TestNotPlain: what is no plain file is refused, and is not opened: that of a FIFO would wait for ever.
func TestNotPlain(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("fifo", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, link, os.DevNull, dir} {
		if err := Write(name, nil); err == nil || !strings.Contains(err.Error(), "not a plain file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	nothingElse(t, dir, 2)
}

// TestDenied: without permission to write the file, or its folder, there is one line and nothing has changed.
func TestDenied(t *testing.T) {
	if os.Getuid() == 0 {
		asUser(t)
		return
	}
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dir, "file"), filepath.Join(locked, "file")} {
		if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(dir, "file"), 0o444), os.Chmod(locked, 0o555)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(locked, 0o755)
	for _, name := range []string{"file", "locked/file", "locked/new"} {
		name = filepath.Join(dir, name)
		if err := Write(name, []byte("new")); !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(name); err == nil && string(text) != "old" {
			t.Errorf("%s: %q", name, text)
		}
	}
	nothingElse(t, dir, 3)
}

// TestInputs: a file that is read is not written, by whatever name; another one of the same contents is.
func TestInputs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := errors.Join(os.Mkdir("sub", 0o755), os.WriteFile("model", []byte("x"), 0o644), os.WriteFile("other", []byte("x"), 0o644),
		os.Link("model", "hard"), os.Symlink("model", "soft"), os.Symlink("../soft", "sub/chain"), os.Symlink(dir, "here")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model", "./model", dir + "/model", "sub/../model", "hard", "soft", "sub/chain", "here/model", "here/hard"} {
		for _, input := range []string{"model", "hard", "sub/chain"} {
			for _, check := range []func(string, ...string) error{Check, CheckInputs} {
				err := check(name, "absent", "", "other", input)
				if want := "cannot write " + name + ": that is " + input + ", which is read: write to another file"; err == nil || err.Error() != want {
					t.Errorf("%s, %s: %v, want %q", name, input, err, want)
				}
			}
		}
	}
	for _, name := range []string{"other", "new", "sub/model"} {
		if err := Check(name, "model", "hard", "absent"); err != nil {
			t.Error(err)
		}
	}
	if err := CheckInputs(os.DevNull, os.DevNull); err != nil {
		t.Error(err)
	}
}
