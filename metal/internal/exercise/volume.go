//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// inFolder runs checks in a new folder of the volume, which is then removed, and returns
// what all of them found.
func inFolder(dir string, checks ...func() error) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	var errs []error
	for _, check := range checks {
		errs = append(errs, check())
	}
	return errors.Join(append(errs, os.Chdir("/"), os.RemoveAll(dir))...)
}

// holes expects zeroes wherever a file was made longer without being written.
func holes([]string) error {
	return inFolder("/HOLES", func() error {
		// What is on the disk before.
		if err := os.WriteFile("old", bytes.Repeat([]byte{0xA5}, 8<<20), 0o644); err != nil {
			return err
		}
		return os.Remove("old")
	}, func() error {
		return hole("written", 0, 1<<20, func(f *os.File) error {
			_, err := f.WriteAt([]byte("end"), 1<<20)
			return err
		})
	}, func() error {
		return hole("sought", 5, 700_001, func(f *os.File) error {
			if _, err := f.Seek(700_001, io.SeekStart); err != nil {
				return err
			}
			_, err := f.WriteString("end")
			return err
		})
	}, func() error {
		return hole("grown", 1000, 1<<20-3, func(f *os.File) error {
			if err := f.Truncate(1 << 20); err != nil {
				return err
			}
			_, err := f.WriteAt([]byte("end"), 1<<20-3)
			return err
		})
	}, func() error {
		return hole("cut", 100, 3000, func(f *os.File) error {
			if _, err := f.WriteAt(bytes.Repeat([]byte{0x5A}, 5000), 100); err != nil {
				return err
			}
			if err := f.Truncate(100); err != nil {
				return err
			}
			_, err := f.WriteAt([]byte("end"), 3000)
			return err
		})
	}, func() error {
		return hole("appended", 7, 600_000, func(f *os.File) error {
			if err := os.Truncate("appended", 600_000); err != nil { // by path, while it is open
				return err
			}
			a, err := os.OpenFile("appended", os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = a.WriteString("end")
			return errors.Join(err, a.Close())
		})
	}, func() error {
		const large = 100 << 20
		f, err := os.Create("large")
		if err != nil {
			return err
		}
		start := time.Now()
		_, err = f.WriteAt([]byte("end"), large)
		fmt.Printf("holes: 100 MiB in %v\n", time.Since(start).Round(time.Millisecond))
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close(), sized("large", large+3), os.Remove("large"))
	}, func() error {
		f, err := os.Create("full")
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString("as it was"); err != nil {
			return err
		}
		if err := f.Truncate(1 << 30); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("a file longer than the volume: %v", err)
		}
		if _, err := f.WriteAt([]byte("x"), 1<<30); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("a write behind the end of the volume: %v", err)
		}
		if b, err := os.ReadFile("full"); err != nil || string(b) != "as it was" {
			return fmt.Errorf("after both, %d bytes: %v", len(b), err)
		}
		return nil
	}, func() error {
		f, err := os.Create("limit")
		if err != nil {
			return err
		}
		defer f.Close()
		const largest = 1<<32 - 1 // on FAT
		_, behind := f.WriteAt([]byte("x"), 5<<30)
		_, first := f.WriteAt([]byte("x"), largest)
		_, last := f.WriteAt([]byte("x"), largest-1)
		_, seek := f.Seek(5<<30, io.SeekStart)
		_, after := f.Seek(largest+1, io.SeekStart)
		_, end := f.Seek(largest, io.SeekStart)
		_, read := f.ReadAt(make([]byte, 1), 5<<30)
		return errors.Join(
			want("a write at 5 GiB", behind, syscall.EFBIG),
			want("a write at the largest size", first, syscall.EFBIG),
			want("a write before that", last, syscall.ENOSPC),
			want("truncating to 5 GiB", f.Truncate(5<<30), syscall.EFBIG),
			want("to the largest size", f.Truncate(largest), syscall.ENOSPC),
			want("by path", os.Truncate("limit", largest+1), syscall.EFBIG),
			want("to less than nothing", os.Truncate("limit", -1), syscall.EINVAL),
			want("seeking to 5 GiB", seek, syscall.EINVAL),
			want("seeking behind the largest size", after, syscall.EINVAL),
			want("seeking to it", end, nil),
			want("a read at 5 GiB", read, io.EOF),
			sized("limit", 0))
	})
}

// hole makes a file of size bytes, changes it, and expects those, zeroes up to end, and "end".
func hole(name string, size, end int, change func(*os.File) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	text := bytes.Repeat([]byte{'t'}, size)
	if _, err = f.Write(text); err == nil {
		err = change(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if want := slices.Concat(text, make([]byte, end-size), []byte("end")); !bytes.Equal(got, want) {
		n := 0
		for n < min(len(got), len(want)) && got[n] == want[n] {
			n++
		}
		return fmt.Errorf("%s: %d bytes, want %d; byte %d is %#x", name, len(got), len(want), n, got[min(n, len(got)-1)])
	}
	return os.Remove(name)
}

func sized(name string, size int64) error {
	info, err := os.Stat(name)
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%s has %d bytes, want %d", name, info.Size(), size)
	}
	return err
}

// want compares an error with an expected one; nil is one, too.
func want(what string, got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

// strange uses files that the test has put on the volume as no one here would.
func strange([]string) error {
	var errs []error
	check := func(err error) { errs = append(errs, err) }
	epoch := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"/NODATE.TXT", "/BADDATE.TXT"} {
		info, err := os.Stat(name)
		if err != nil {
			check(err)
			continue
		}
		if name == "/NODATE.TXT" && !info.ModTime().Equal(epoch) {
			check(fmt.Errorf("%s is of %v", name, info.ModTime()))
		}
		check(os.Rename(name, "/RENAMED.TXT"))
		if after, err := os.Stat("/RENAMED.TXT"); err != nil || !after.ModTime().Equal(info.ModTime()) {
			check(fmt.Errorf("%s of %v, renamed, is %v: %v", name, info.ModTime(), after, err))
		}
		check(os.Rename("/RENAMED.TXT", name))
		later := epoch.AddDate(30, 0, 0)
		check(os.Chtimes(name, time.Time{}, later)) // leaves the date of the last access, which may be none
		if after, err := os.Stat(name); err != nil || !after.ModTime().Equal(later) {
			check(fmt.Errorf("%s, changed at %v, is of %v: %v", name, later, after, err))
		}
		check(os.Chmod(name, 0o444))
		check(os.Chmod(name, 0o644))
		check(os.Truncate(name, 2))
		check(sized(name, 2))
		check(os.WriteFile(name, []byte("anew"), 0o644))
		check(os.Remove(name))
	}
	entries, err := os.ReadDir("/")
	check(err)
	var listed []string
	for _, e := range entries {
		listed = append(listed, e.Name())
		if _, err := os.Stat("/" + e.Name()); err != nil && !strings.HasPrefix(e.Name(), " ") {
			check(fmt.Errorf("listed, but: %w", err))
		}
	}
	for _, name := range []string{"a😀.txt", "b\xed\xa0\xbdY.txt"} {
		if !slices.Contains(listed, name) {
			check(fmt.Errorf("%q is not among %q", name, listed))
		}
		b, err := os.ReadFile("/" + name)
		if err != nil || string(b) != "strange" {
			check(fmt.Errorf("%q: %q, %v", name, b, err))
		}
	}
	// EDK2 would open lead.txt.
	_, err = os.ReadFile("/ lead.txt")
	check(want("a name with a blank before it", err, fs.ErrNotExist))
	check(want("a new one", os.WriteFile("/ lead.txt", nil, 0o644), syscall.EINVAL))
	b, err := os.ReadFile("/lead.txt")
	if string(b) != "strange" {
		check(fmt.Errorf("lead.txt: %q, %v", b, err))
	}
	_, err = os.OpenFile("/READONLY.TXT", os.O_RDWR, 0)
	check(want("writing to a read-only file", err, syscall.EACCES))
	then := time.Date(2000, 1, 2, 3, 4, 6, 0, time.UTC)
	check(os.Chtimes("/READONLY.TXT", then, then))
	if info, err := os.Stat("/READONLY.TXT"); err != nil || !info.ModTime().Equal(then) || info.Mode() != 0o444 {
		check(fmt.Errorf("a read-only file after Chtimes: %v, %v", info, err))
	}
	check(os.Rename("/READONLY.TXT", "/READ.TXT"))
	if info, err := os.Stat("/READ.TXT"); err != nil || info.Mode() != 0o444 {
		check(fmt.Errorf("a read-only file, renamed: %v, %v", info, err))
	}
	check(os.Remove("/READ.TXT"))
	return errors.Join(errs...)
}

// namespace holds the error of each call against that of Linux's vfat.
func namespace([]string) error {
	return inFolder("/SPACE", errnos, renames, opened, moved, identity, roots, times, attributes, directories, listing, records, crowded)
}

func errnos() error {
	long := strings.Repeat("x", 255)
	err := errors.Join(
		os.WriteFile("file", []byte("text"), 0o644), os.Mkdir("dir", 0o755), os.Mkdir("dir/sub", 0o755),
		os.WriteFile("/"+long, nil, 0o644), os.Remove("/"+long), // a path has at most 260 units for EDK2
		os.WriteFile("dots...", nil, 0o644), os.Remove("dots"))
	if err != nil {
		return err
	}
	open := func(name string, flags int) error {
		f, err := os.OpenFile(name, flags, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
	stat := func(name string) error { _, err := os.Stat(name); return err }
	link := func(name string) error { _, err := os.Readlink(name); return err }
	const create, exclusive = os.O_CREATE | os.O_WRONLY, os.O_EXCL
	var errs []error
	for _, c := range []struct {
		what string
		got  error
		want error
	}{
		{"open nothing", open("", 0), syscall.ENOENT},
		{"create nothing", open("", create), syscall.ENOENT},
		{"stat nothing", stat(""), syscall.ENOENT},
		{"mkdir nothing", syscall.Mkdir("", 0o755), syscall.ENOENT},
		{"rmdir nothing", syscall.Rmdir(""), syscall.ENOENT},
		{"unlink nothing", syscall.Unlink(""), syscall.ENOENT},
		{"rename nothing", os.Rename("", "x"), syscall.ENOENT},
		{"rename to nothing", os.Rename("file", ""), syscall.ENOENT},
		{"chdir nothing", os.Chdir(""), syscall.ENOENT},
		{"truncate nothing", os.Truncate("", 0), syscall.ENOENT},
		{"open file/", open("file/", 0), syscall.ENOTDIR},
		{"stat file/", stat("file/"), syscall.ENOTDIR},
		{"stat file/.", stat("file/."), syscall.ENOTDIR},
		{"stat file/..", stat("file/.."), syscall.ENOTDIR},
		{"stat file/x", stat("file/x"), syscall.ENOTDIR},
		{"open file/x", open("file/x", 0), syscall.ENOTDIR},
		{"create file/x", open("file/x", create), syscall.ENOTDIR},
		{"mkdir file/x", os.Mkdir("file/x", 0o755), syscall.ENOTDIR},
		{"unlink file/x", syscall.Unlink("file/x"), syscall.ENOTDIR},
		{"rename file/x", os.Rename("file/x", "y"), syscall.ENOTDIR},
		{"stat none/..", stat("none/.."), syscall.ENOENT},
		{"stat none/../file", stat("none/../file"), syscall.ENOENT},
		{"create none/x", open("none/x", create), syscall.ENOENT},
		{"create new/", open("new/", create), syscall.EISDIR},
		{"stat dir/", stat("dir/"), nil},
		{"stat ./dir//sub/../", stat("./dir//sub/../"), nil},
		{"stat ../../../..", stat("../../../.."), nil},
		{"stat ../SPACE/file", stat("../SPACE/file"), nil},
		{"create existing", open("file", create|exclusive), syscall.EEXIST},
		{"create existing dir", open("dir", create), syscall.EISDIR},
		{"create existing dir, exclusive", open("dir", create|exclusive), syscall.EEXIST},
		{"create .", open(".", create), syscall.EISDIR},
		{"write dir", open("dir", os.O_RDWR), syscall.EISDIR},
		{"truncate dir", os.Truncate("dir", 0), syscall.EISDIR},
		{"O_DIRECTORY of a file", open("file", syscall.O_DIRECTORY), syscall.ENOTDIR},
		{"create by O_DIRECTORY", open("new", create|syscall.O_DIRECTORY), syscall.EINVAL},
		{"O_DIRECTORY", open("dir", syscall.O_DIRECTORY), nil},
		{"chdir file", os.Chdir("file"), syscall.ENOTDIR},
		{"mkdir existing", os.Mkdir("file", 0o755), syscall.EEXIST},
		{"mkdir .", os.Mkdir(".", 0o755), syscall.EEXIST},
		{"mkdir /", os.Mkdir("/", 0o755), syscall.EEXIST},
		{"rmdir full", syscall.Rmdir("dir"), syscall.ENOTEMPTY},
		{"rmdir file", syscall.Rmdir("file"), syscall.ENOTDIR},
		{"rmdir .", syscall.Rmdir("dir/."), syscall.EINVAL},
		{"rmdir ..", syscall.Rmdir("dir/sub/.."), syscall.ENOTEMPTY},
		{"rmdir /", syscall.Rmdir("/"), syscall.EBUSY},
		{"unlink dir", syscall.Unlink("dir"), syscall.EISDIR},
		{"unlink file/", syscall.Unlink("file/"), syscall.ENOTDIR},
		{"name of 256", open(long+"x", create), syscall.ENAMETOOLONG},
		{"stat of 256", stat(long + "x"), syscall.ENAMETOOLONG},
		{"path of 4096", stat(strings.Repeat("./", 2048)), syscall.ENAMETOOLONG},
		{"path of 4095", stat(strings.Repeat("./", 2047) + "."), nil},
		{"create a:b", open("a:b", create), syscall.EINVAL},
		{"create ?", open("?", create), syscall.EINVAL},
		{"create not UTF-8", open("x\xff", create), syscall.EINVAL},
		{"mkdir a*", os.Mkdir("a*", 0o755), syscall.EINVAL},
		{"rename to a|b", os.Rename("file", "a|b"), syscall.EINVAL},
		{"stat a:b", stat("a:b"), syscall.ENOENT},
		{"stat not UTF-8", stat("x\xff"), syscall.ENOENT},
		{"create ...", open("...", create), syscall.ENOENT},
		{"create with a blank at the end", open("x ", create), syscall.EINVAL},
		{"backslash in a path with slashes", stat(`./dir\sub`), syscall.ENOENT},
		{"backslashes", stat(`dir\sub`), nil},
		{"readlink", link("file"), syscall.EINVAL},
		{"readlink none", link("none"), syscall.ENOENT},
		{"symlink", os.Symlink("file", "link"), syscall.EPERM},
		{"symlink existing", os.Symlink("file", "dir"), syscall.EEXIST},
		{"link", os.Link("file", "link"), syscall.EPERM},
		{"link existing", os.Link("file", "dir"), syscall.EEXIST},
		{"link none", os.Link("none", "link"), syscall.ENOENT},
		{"chown to root", os.Chown("file", 0, -1), nil},
		{"chown", os.Chown("file", 1000, -1), syscall.EPERM},
		{"chmod none", os.Chmod("none", 0o644), syscall.ENOENT},
		{"chtimes none", os.Chtimes("none", time.Now(), time.Now()), syscall.ENOENT},
		{"access", syscall.Access("file", 6), nil},
		{"access none", syscall.Access("none", 0), syscall.ENOENT},
		{"execute", syscall.Access("file", 1), syscall.EACCES},
	} {
		errs = append(errs, want(c.what, c.got, c.want))
	}
	return errors.Join(append(errs, os.Remove("file"), os.RemoveAll("dir"))...)
}

func renames() error {
	write := func(name string) error { return os.WriteFile(name, []byte(name), 0o644) }
	if err := errors.Join(write("a"), write("b"), os.MkdirAll("d/e", 0o755), os.Mkdir("f", 0o755), write("f/x")); err != nil {
		return err
	}
	var errs []error
	check := func(what string, got, wanted error) { errs = append(errs, want(what, got, wanted)) }
	check("file over directory", syscall.Rename("a", "d"), syscall.EISDIR)
	check("directory over file", syscall.Rename("d", "a"), syscall.ENOTDIR)
	check("directory over a full one", syscall.Rename("d", "f"), syscall.ENOTEMPTY)
	check("into itself", syscall.Rename("d", "d/e/g"), syscall.EINVAL)
	check("over a parent", syscall.Rename("d/e", "d"), syscall.ENOTEMPTY)
	check("file with a slash", syscall.Rename("a/", "c"), syscall.ENOTDIR)
	check("file to a slash", syscall.Rename("a", "c/"), syscall.ENOTDIR)
	check("a missing one", syscall.Rename("none", "c"), syscall.ENOENT)
	check("to a missing folder", syscall.Rename("a", "none/c"), syscall.ENOENT)
	check(".", syscall.Rename(".", "c"), syscall.EBUSY)
	check("to ..", syscall.Rename("d", "f/.."), syscall.EBUSY)
	check("to itself", syscall.Rename("a", "a"), nil)
	check("to other capitals", errors.Join(syscall.Rename("d", "D"), listed("D"), syscall.Rename("a", "A"), listed("A"), syscall.Rename("A", "a")), nil)
	check("file over file", syscall.Rename("a", "b"), nil)
	if b, err := os.ReadFile("b"); string(b) != "a" {
		errs = append(errs, fmt.Errorf("file over file: %q, %v", b, err))
	}
	check("directory over an empty one", errors.Join(os.Mkdir("empty", 0o755), syscall.Rename("f", "empty")), nil)
	if b, err := os.ReadFile("empty/x"); string(b) != "f/x" {
		errs = append(errs, fmt.Errorf("directory over an empty one: %q, %v", b, err))
	}
	check("directory with a slash", syscall.Rename("empty/", "f/"), nil)
	check("in another folder", syscall.Rename("b", "d/e/b"), nil)
	check("upwards", syscall.Rename("d/e/b", "d/../b"), nil)
	return errors.Join(append(errs, os.RemoveAll("b"), os.RemoveAll("d"), os.RemoveAll("f"))...)
}

// listed expects a name, with these capitals, in the working directory.
func listed(name string) error {
	entries, err := os.ReadDir(".")
	if err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
		err = fmt.Errorf("%s is not among %v", name, entries)
	}
	return err
}

// opened removes and replaces files that are open.
func opened() error {
	f, err := os.Create("open")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("still here"); err != nil {
		return err
	}
	if err := os.Remove("open"); err != nil {
		return err
	}
	if _, err := os.Stat("open"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removed while open: %v", err)
	}
	if err := os.WriteFile("open", []byte("another"), 0o644); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("STILL"), 0); err != nil {
		return fmt.Errorf("writing to a removed file: %w", err)
	}
	b := make([]byte, 10)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "STILL here" {
		return fmt.Errorf("a removed file has %q: %v", b, err)
	}
	one, err1 := f.Stat()
	two, err2 := os.Stat("open")
	if err := errors.Join(err1, err2); err != nil || os.SameFile(one, two) {
		return fmt.Errorf("a removed file and its successor are the same: %v", err)
	}
	if err := os.WriteFile("new", []byte("newer"), 0o644); err != nil {
		return err
	}
	g, err := os.Open("open")
	if err != nil {
		return err
	}
	if err := os.Rename("new", "open"); err != nil {
		return fmt.Errorf("replacing an open file: %w", err)
	}
	old, err := io.ReadAll(g)
	if err != nil || string(old) != "another" {
		return fmt.Errorf("the replaced file has %q: %v", old, err)
	}
	if b, err := os.ReadFile("open"); err != nil || string(b) != "newer" {
		return fmt.Errorf("the replacement has %q: %v", b, err)
	}
	if err := errors.Join(g.Close(), f.Close(), os.Remove("open")); err != nil {
		return err
	}
	for _, dir := range []string{"..", "."} { // the first is the root
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if strings.Contains(e.Name(), "unlinked") || e.Name() == "open" {
				return fmt.Errorf("%s is still in %s", e.Name(), dir)
			}
		}
	}
	return nil
}

// moved renames a folder while files, a folder and the working directory are open in it.
func moved() error {
	if err := os.MkdirAll("from/in/deep", 0o755); err != nil {
		return err
	}
	f, err := os.Create("from/in/file")
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range 9 {
		if err := os.WriteFile(fmt.Sprint("from/in/deep/", i), nil, 0o644); err != nil {
			return err
		}
	}
	d, err := os.Open("from/in/deep")
	if err != nil {
		return err
	}
	defer d.Close()
	again, err := os.Open("from/in/deep")
	if err != nil {
		return err
	}
	defer again.Close()
	_, err1 := namesIn(again, 5)
	_, err2 := again.Seek(0, io.SeekStart)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	_, err1 = f.WriteString("before ")
	some, err2 := namesIn(d, 6)
	err = errors.Join(err1, err2, os.Chdir("from/in/deep"), os.Rename("/SPACE/from", "/SPACE/to"))
	if err != nil {
		return err
	}
	if wd, err := syscall.Getwd(); err != nil || wd != "/SPACE/to/in/deep" {
		return fmt.Errorf("in a renamed folder the working directory is %s: %v", wd, err)
	}
	_, err1 = f.WriteString("after")
	rest, err2 := namesIn(d, 99)
	every, err3 := namesIn(again, 99)
	if err := errors.Join(err1, err2, err3, os.Chdir("/SPACE")); err != nil || len(some) == 0 || len(rest) == 0 || !slices.Equal(append(some, rest...), every) || len(every) != 9 {
		return fmt.Errorf("in a renamed folder are %q, and where it began before, %q, then %q: %v", every, some, rest, err)
	}
	if b, err := os.ReadFile("to/in/file"); err != nil || string(b) != "before after" {
		return fmt.Errorf("in a renamed folder a file has %q: %v", b, err)
	}
	return errors.Join(f.Close(), d.Close(), os.RemoveAll("to"))
}

// namesIn reads n entries of a folder, one by one, or all that are left, and returns their names without . and .. among them.
func namesIn(d *os.File, n int) (names []string, err error) {
	b := make([]byte, 800) // room for the largest entry, and no other beside it
	for range n {
		size, err := syscall.ReadDirent(int(d.Fd()), b)
		if err != nil {
			return names, err
		}
		_, _, names = syscall.ParseDirent(b[:size], -1, names)
	}
	return names, nil
}

// identity: what os.SameFile says.
func identity() error {
	if err := errors.Join(os.WriteFile("one", nil, 0o644), os.WriteFile("Two", nil, 0o644), os.Mkdir("dir", 0o755), os.WriteFile("dir/one", nil, 0o644)); err != nil {
		return err
	}
	same := func(a, b string) bool {
		x, err1 := os.Stat(a)
		y, err2 := os.Stat(b)
		return err1 == nil && err2 == nil && os.SameFile(x, y)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"one", "./one", true}, {"one", "/SPACE/dir/../ONE", true}, {"two", "TWO", true}, {"one", "Two", false},
		{"one", "dir/one", false}, {".", "/SPACE", true}, {"dir/..", ".", true}, {"/", "/..", true}, {"..", "/", true}, {".", "/", false},
	} {
		if same(c.a, c.b) != c.want {
			return fmt.Errorf("%s and %s the same: %v", c.a, c.b, !c.want)
		}
	}
	f, err := os.Open("one")
	if err != nil {
		return err
	}
	defer f.Close()
	before, err1 := f.Stat()
	if err := errors.Join(err1, os.Rename("one", "dir/moved"), os.WriteFile("one", nil, 0o644)); err != nil {
		return err
	}
	moved, err1 := os.Stat("dir/moved")
	anew, err2 := os.Stat("one")
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(before, moved) || os.SameFile(before, anew) {
		return fmt.Errorf("a renamed file is not the same, or a new one with its name is: %v", err)
	}
	f.Close()
	inside, err1 := os.Stat("dir/moved")
	err = errors.Join(err1, os.Rename("dir", "folder"))
	after, err2 := os.Stat("folder/moved")
	if err := errors.Join(err, err2); err != nil || !os.SameFile(inside, after) {
		return fmt.Errorf("a file in a renamed folder is not the same: %v", err)
	}
	return errors.Join(os.RemoveAll("folder"), os.Remove("one"), os.Remove("Two"))
}

// roots: os.Root and os.DirFS.
func roots() error {
	if err := errors.Join(os.MkdirAll("root/a/b", 0o755), os.WriteFile("root/a/b/c.txt", []byte("text"), 0o644), os.WriteFile("secret", []byte("secret"), 0o644)); err != nil {
		return err
	}
	r, err := os.OpenRoot("root")
	if err != nil {
		return err
	}
	defer r.Close()
	for _, name := range []string{"../secret", `..\secret`, `a\..\..\secret`, "/SPACE/secret", `\SPACE\secret`} {
		if f, err := r.Open(name); err == nil {
			f.Close()
			return fmt.Errorf("%s leads out of a root", name)
		}
		if b, err := fs.ReadFile(os.DirFS("root"), name); err == nil {
			return fmt.Errorf("%s leads out of a DirFS, to %q", name, b)
		}
	}
	b, err := fs.ReadFile(r.FS(), "a/b/c.txt")
	if err != nil || string(b) != "text" {
		return fmt.Errorf("%q: %v", b, err)
	}
	f, err := r.Create("a/new")
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), r.Rename("a/new", "a/b/renamed"), r.Mkdir("d", 0o755), r.Rename("d", "a/d"),
		r.Chtimes("a/b/renamed", time.Now(), time.Now()), r.Chmod("a/b/renamed", 0o444), r.Remove("a/b/renamed")); err != nil {
		return err
	}
	if err := fstest.TestFS(os.DirFS("root"), "a/b/c.txt", "a/d"); err != nil {
		return err
	}
	if err := fstest.TestFS(r.FS(), "a/b/c.txt", "a/d"); err != nil {
		return err
	}
	return errors.Join(r.Close(), os.RemoveAll("root"), os.Remove("secret"))
}

func times() error {
	f, err := os.Create("times")
	if err != nil {
		return err
	}
	defer f.Close()
	for _, c := range []struct{ set, want time.Time }{
		{time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)},
		{time.Date(2020, 2, 29, 23, 59, 59, 999, time.UTC), time.Date(2020, 2, 29, 23, 59, 58, 0, time.UTC)},
		{time.Unix(0, 0), time.Date(1981, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)},
	} {
		if err := os.Chtimes("times", c.set, c.set); err != nil {
			return err
		}
		info, err := os.Stat("times")
		if err != nil || !info.ModTime().Equal(c.want) {
			return fmt.Errorf("set to %v, the time is %v: %v", c.set, info.ModTime(), err)
		}
		if access := info.Sys().(*syscall.Stat_t).Atim.Sec; access < time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).Unix() {
			return fmt.Errorf("set to %v, the access is %d seconds from 1970", c.set, access)
		}
	}
	if err := os.Chtimes("times", time.Now(), time.Time{}); err != nil { // leave the modification
		return err
	}
	if info, err := os.Stat("times"); err != nil || info.ModTime().Year() != 2107 {
		return fmt.Errorf("with only the access set: %v, %v", info, err)
	}
	if _, err := f.WriteString("x"); err != nil {
		return err
	}
	if info, err := os.Stat("times"); err != nil || time.Since(info.ModTime()).Abs() > time.Minute {
		return fmt.Errorf("written to, and not closed: %v, %v", info, err)
	}
	long, now := time.Unix(1e9, 0), []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	byName, open := func() (fs.FileInfo, error) { return os.Stat("times") }, f.Stat
	for _, c := range []struct {
		what   string
		change func() error
		look   func() (fs.FileInfo, error)
		recent bool
	}{
		{"made shorter", func() error { return f.Truncate(0) }, byName, true},
		{"made shorter", func() error { return f.Truncate(0) }, open, true},
		{"made longer", func() error { return f.Truncate(9) }, open, true},
		{"made shorter by name", func() error { return os.Truncate("times", 3) }, byName, true},
		{"written to", func() error { _, err := f.WriteAt([]byte("x"), 0); return err }, open, true},
		{"set to now", func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, "times", now, 0) }, byName, true},
		{"looked at", func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err }, open, false},
		{"written to, then set", func() error {
			_, err := f.WriteAt([]byte("x"), 0)
			return errors.Join(err, os.Chtimes("times", long, long), f.Sync())
		}, byName, false},
		{"written to, then set by descriptor", func() error {
			_, err := f.WriteAt([]byte("x"), 0)
			return errors.Join(err, unix.UtimesNanoAt(int(f.Fd()), "", []unix.Timespec{{Sec: 1e9}, {Sec: 1e9}}, unix.AT_EMPTY_PATH), f.Sync())
		}, byName, false},
	} {
		err := errors.Join(f.Truncate(5), f.Sync(), os.Chtimes("times", long, long), c.change())
		info, failed := c.look()
		if err = errors.Join(err, failed); err != nil || time.Since(info.ModTime()).Abs() < time.Minute != c.recent || !c.recent && !info.ModTime().Equal(long) {
			return fmt.Errorf("%s: %v, %v", c.what, info, err)
		}
	}
	if err := errors.Join(os.Mkdir("folder", 0o755), os.Chtimes("folder", time.Unix(1e9, 0), time.Unix(1e9, 0))); err != nil {
		return err
	}
	if info, err := os.Stat("folder"); err != nil || info.ModTime().Unix() != 1e9 {
		return fmt.Errorf("a folder's time: %v, %v", info, err)
	}
	d, err := os.Open("folder")
	if err != nil {
		return err
	}
	var st syscall.Statfs_t
	err = syscall.Statfs("folder", &st)
	if err == nil && (st.Type != 0x4d44 || st.Bfree == 0 || st.Blocks <= st.Bfree || st.Bavail != st.Bfree || st.Bsize < 512 || st.Frsize != st.Bsize || st.Namelen != 6*255 || st.Flags != 0) {
		err = fmt.Errorf("statfs: %+v", st)
	}
	return errors.Join(err, d.Sync(), d.Close(), f.Sync(), f.Close(), os.Remove("times"), os.Remove("folder"), os.Chtimes("/", time.Now(), time.Now()))
}

// attributes: modes, owners and flags.
func attributes() error {
	f, err := os.Create("modes")
	if err != nil {
		return err
	}
	defer f.Close()
	var errs []error
	check := func(what string, got, wanted error) { errs = append(errs, want(what, got, wanted)) }
	mode := func(name string, wanted fs.FileMode) {
		if info, err := os.Stat(name); err != nil || info.Mode() != wanted {
			errs = append(errs, fmt.Errorf("%s is %v, want %v: %v", name, info.Mode(), wanted, err))
		}
	}
	for _, c := range []struct{ set, want fs.FileMode }{ // FAT has no others, and what has none of them changes nothing, as in Linux's vfat
		{0o444, 0o444}, {0o400, 0o444}, {0o755, 0o644}, {0o044, 0o644}, {0o555, 0o444}, {0o222, 0o444}, {0o666, 0o644}, {0, 0o644}, {0o464, 0o444}, {0o646, 0o644},
	} {
		check("chmod", os.Chmod("modes", c.set), nil)
		mode("modes", c.want)
		check("chmod to 0644", os.Chmod("modes", 0o644), nil)
		if c.want == 0o444 {
			check("chmod to 0444", os.Chmod("modes", 0o444), nil)
		}
		check("fchmod", f.Chmod(c.set), nil)
		mode("modes", c.want)
	}
	check("chmod to 0444", os.Chmod("modes", 0o444), nil)
	check("access for writing", syscall.Access("modes", 2), syscall.EACCES)
	check("access for reading", syscall.Access("modes", 4), nil)
	check("chmod of a folder", os.Chmod(".", 0o555), nil)
	mode(".", fs.ModeDir|0o755)
	check("access for writing to a folder", syscall.Access(".", 7), nil)
	for _, owner := range [][2]int{{1, -1}, {-1, 1}, {1, 1}} {
		check("chown", os.Chown("modes", owner[0], owner[1]), syscall.EPERM)
		check("lchown", os.Lchown("modes", owner[0], owner[1]), syscall.EPERM)
		check("fchown", f.Chown(owner[0], owner[1]), syscall.EPERM)
	}
	check("chown to root", errors.Join(os.Chown("modes", 0, 0), f.Chown(0, 0)), nil)
	tty, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NONBLOCK, 0)
	check("/dev/tty", err, nil)
	for fd, wanted := range map[int]int{0: unix.O_RDWR, 1: unix.O_RDWR, 2: unix.O_RDWR, tty: unix.O_RDWR | unix.O_NONBLOCK} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags != wanted {
			errs = append(errs, fmt.Errorf("descriptor %d has the flags %#x, want %#x: %v", fd, flags, wanted, err))
		}
	}
	return errors.Join(append(errs, unix.Close(tty), f.Close(), os.Remove("modes"))...)
}

// directories: the working directory, and descriptors of directories.
func directories() error {
	if err := os.MkdirAll("outer/Größe 😀", 0o755); err != nil {
		return err
	}
	for _, c := range [][2]string{{"outer", "/SPACE/outer"}, {"größe 😀", "/SPACE/outer/Größe 😀"}, {"..", "/SPACE/outer"}, {"../..", "/"}, {"..", "/"}, {"/SPACE/outer/../", "/SPACE"}} {
		if err := os.Chdir(c[0]); err != nil {
			return err
		}
		if got, err := syscall.Getwd(); err != nil || got != c[1] {
			return fmt.Errorf("after %s the working directory is %s, want %s: %v", c[0], got, c[1], err)
		}
	}
	d, err := os.Open("outer")
	if err != nil {
		return err
	}
	err = d.Chdir()
	got, _ := os.Getwd()
	if err != nil || got != "/SPACE/outer" {
		return fmt.Errorf("after Chdir: %s, %v", got, err)
	}
	b := bytes.Repeat([]byte{0xFF}, 20)
	if _, err := syscall.Getcwd(b[:len(got)]); err != syscall.ERANGE || b[0] != 0xFF {
		return fmt.Errorf("a path in a buffer that has no room for the zero: %v, %q", err, b)
	}
	if n, err := syscall.Getcwd(b[:len(got)+1]); err != nil || string(b[:n+1]) != got+"\x00\xFF" {
		return fmt.Errorf("a path that just fits: %d, %v, %q", n, err, b)
	}
	_, err = d.Read(make([]byte, 1))
	return errors.Join(
		want("reading a folder", err, syscall.EISDIR),
		want("truncating it", d.Truncate(0), syscall.EINVAL),
		os.Chdir("/SPACE"), d.Close(), os.RemoveAll("outer"))
}

// listing reads a folder in batches while files are removed from it.
func listing() error {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("a file with a name that needs several entries %d", i))
	}
	if err := os.Mkdir("many", 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.WriteFile(path.Join("many", name), nil, 0o644); err != nil {
			return err
		}
	}
	d, err := os.Open("many")
	if err != nil {
		return err
	}
	defer d.Close()
	var got []string
	for {
		batch, err := d.Readdirnames(7)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		got = append(got, batch...)
		if err := os.Remove(path.Join("many", batch[0])); err != nil {
			return err
		}
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		return fmt.Errorf("%d names of %d are listed while files are removed", len(got), len(names))
	}
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return err
	}
	left, err := d.Readdirnames(-1)
	if want := len(names) - (len(names)+6)/7; err != nil || len(left) != want {
		return fmt.Errorf("%d files are left, want %d: %v", len(left), want, err)
	}
	return errors.Join(d.Close(), os.RemoveAll("many"))
}

// records looks at what getdents64 stores: each record has its length, a multiple of 8, and a name with a zero behind it.
func records() error {
	if err := os.Mkdir("records", 0o755); err != nil {
		return err
	}
	const names = 24
	for n := 1; n <= names; n++ {
		if err := os.WriteFile(path.Join("records", strings.Repeat("n", n)), nil, 0o644); err != nil {
			return err
		}
	}
	d, err := os.Open("records")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := os.Mkdir("records/folder", 0o755); err != nil {
		return err
	}
	b := bytes.Repeat([]byte{0xFF}, 8192)
	n, err := syscall.ReadDirent(int(d.Fd()), b)
	if err != nil {
		return err
	}
	found := 0
	for b, all := b[:n], b[:n]; len(b) > 0; {
		size := int(b[16]) | int(b[17])<<8
		if size < 24 || size%8 != 0 || size > len(b) {
			return fmt.Errorf("a record of %d bytes of %d", size, len(b))
		}
		name, rest, ended := bytes.Cut(b[19:size], []byte{0})
		if !ended || len(rest) > 7 {
			return fmt.Errorf("a record of %d bytes for %q", size, name)
		}
		if name[0] == 'n' && b[18] == syscall.DT_REG || string(name) == "folder" && b[18] == syscall.DT_DIR {
			found++
			info, err := os.Stat(path.Join("records", string(name)))
			if inode := binary.LittleEndian.Uint64(b); err != nil || info.Sys().(*syscall.Stat_t).Ino != inode {
				return fmt.Errorf("%s is listed as %d: %+v, %v", name, inode, info, err)
			}
		}
		if end := binary.LittleEndian.Uint64(b[8:]); end != uint64(len(all)-len(b)+size) {
			return fmt.Errorf("%s ends at %d", name, end)
		}
		b = b[size:]
	}
	if found != names+1 {
		return fmt.Errorf("%d of %d files are listed", found, names+1)
	}
	return errors.Join(longest(), os.RemoveAll("records"))
}

// longest lists the longest name with the smallest buffer.
func longest() error {
	name := strings.Repeat("日", 255)
	if err := os.WriteFile("/"+name, nil, 0o644); err != nil {
		return err
	}
	defer os.Remove("/" + name)
	d, err := os.Open("/")
	if err != nil {
		return err
	}
	defer d.Close()
	const least = 792 // for 19 bytes, three for each unit, a zero, in words
	if _, err := syscall.ReadDirent(int(d.Fd()), make([]byte, least-1)); err != syscall.EINVAL {
		return fmt.Errorf("a list in %d bytes: %v", least-1, err)
	}
	for {
		b := bytes.Repeat([]byte{0xFF}, least+1)
		n, err := syscall.ReadDirent(int(d.Fd()), b[:least])
		if err != nil || n == 0 || b[least] != 0xFF {
			return fmt.Errorf("the name is not listed: %d bytes, %v", n, err)
		}
		if n == least && string(b[19:least-7]) == name+"\x00" {
			return nil
		}
	}
}

// crowded renames a folder in which more is open than metal can close and open again.
func crowded() error {
	name := "packed/" + strings.Repeat("n", 60)
	if err := os.Mkdir("packed", 0o755); err != nil {
		return err
	}
	var all []*os.File
	for range 400 {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		all = append(all, f)
	}
	if err := os.Rename("packed", "moved"); !errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("a folder with %d open files is renamed: %v", len(all), err)
	}
	for _, f := range all {
		if _, err := f.WriteString("x"); err != nil {
			return err
		}
		f.Close()
	}
	return errors.Join(sized(name, int64(len(all))), os.Rename("packed", "moved"), os.RemoveAll("moved"))
}

// volumes is started in the folder DIR of the shell's fs1:, which has a FILE, and works there. With an
// argument, it is started in the root.
func volumes(args []string) error {
	var errs []error
	check := func(what string, got, wanted error) { errs = append(errs, want(what, got, wanted)) }
	in := func(want string) error {
		got, err := syscall.Getwd()
		if err == nil && !strings.EqualFold(got, want) {
			err = fmt.Errorf("the working directory is %s, want %s", got, want)
		}
		return err
	}
	reads := func(names ...string) error {
		for _, name := range names {
			if b, err := os.ReadFile(name); err != nil || string(b) != "on fs1" {
				return fmt.Errorf("%s has %q: %w", name, b, err)
			}
		}
		return nil
	}
	if len(args) > 0 {
		return errors.Join(in("/fs1:"), reads("DIR/FILE"), os.Chdir("DIR"), reads("FILE", "/fs1:/DIR/FILE", `\DIR\FILE`))
	}
	check("the shell's folder", in("/fs1:/DIR"), nil)
	check("names", reads("FILE", "fs1:FILE", `fs1:\DIR\FILE`, "FS1:/dir/file", "/fs1:/DIR/FILE", "//fs1://DIR/./FILE", `\DIR\FILE`, "../DIR/FILE", `fs1:..\DIR\FILE`), nil)
	for here, name := range map[string]string{".": "/fs1:/DIR", "FILE": "/fs1:/DIR/FILE", "fs1:FILE": "/fs1:/DIR/FILE", "fs1:": "/fs1:", "/fs0:": "/"} {
		one, err1 := os.Stat(here)
		two, err2 := os.Stat(name)
		check("stat", errors.Join(err1, err2), nil)
		if !os.SameFile(one, two) {
			errs = append(errs, fmt.Errorf("%s is not %s", here, name))
		}
	}
	check("the volume's root", errors.Join(os.Chdir(`fs1:\`), in("/fs1:"), reads("DIR/FILE", "../DIR/FILE", "fs1:FILE"), os.Chdir("DIR"), in("/fs1:/DIR")), nil)
	check("the other volume", errors.Join(os.Chdir("fs0:/"), in("/"), reads("fs1:FILE"), os.Chdir("/fs1:/DIR/.."), in("/fs1:"), os.Chdir("DIR")), nil)
	d, err := os.Open("/fs1:/")
	check("Chdir of a descriptor", errors.Join(err, os.Chdir("/"), d.Chdir(), in("/fs1:"), d.Close(), os.Chdir("DIR")), nil)
	_, err = os.Stat(`fs9:\FILE`)
	check("a volume that is not there", err, syscall.ENODEV)
	_, err = os.Stat("fs9:")
	check("its root", err, syscall.ENODEV)
	check("fs0: with no folder of its own", errors.Join(readable("fs0:EX.EFI"), readable("/fs0:EX.EFI"), readable(`fs0:\EX.EFI`)), nil)
	check("the shell's folder has another name", os.Rename("/fs1:/DIR", "/fs1:/OTHER"), nil)
	check("a file in that", readable("fs1:FILE"), syscall.ENOENT)
	check("a file here", readable("FILE"), nil)
	check("it has its name again", os.Rename("/fs1:/OTHER", "/fs1:/DIR"), nil)
	check("a file in that", readable("fs1:FILE"), nil)
	check("the firmware", unmapped(), nil)
	check("a colon in a name", os.WriteFile("a:b", nil, 0o644), syscall.EINVAL)
	_, err = os.Stat("/FILE")
	check("a file that is there on the other volume", err, syscall.ENOENT)

	check("rename to another volume", syscall.Rename("FILE", "/FILE"), syscall.EXDEV)
	check("and from one", syscall.Rename("/EX.EFI", "EX.EFI"), syscall.EXDEV)
	check("rename by name of the volume", errors.Join(os.Rename("FILE", "fs1:OTHER"), reads("/fs1:/DIR/OTHER"), os.Rename(`fs1:\DIR\OTHER`, "FILE"), reads("FILE")), nil)
	root, err1 := os.Stat("/")
	other, err2 := os.Stat("/fs1:")
	above, err3 := os.Stat("..")
	check("the roots", errors.Join(err1, err2, err3), nil)
	if os.SameFile(root, other) || !os.SameFile(other, above) || root.Sys().(*syscall.Stat_t).Dev == other.Sys().(*syscall.Stat_t).Dev {
		errs = append(errs, errors.New("the roots of two volumes are the same, or one is two"))
	}
	var one, two syscall.Statfs_t
	check("statfs", errors.Join(syscall.Statfs("/", &one), syscall.Statfs("FILE", &two)), nil)
	if one.Blocks*uint64(one.Bsize) == two.Blocks*uint64(two.Bsize) {
		errs = append(errs, fmt.Errorf("both volumes have %d blocks of %d", one.Blocks, one.Bsize))
	}
	r, err := os.OpenRoot(".")
	check("os.Root", err, nil)
	for _, name := range []string{`fs0:\EX.EFI`, "fs0:EX.EFI", "fs0:", "fs0:/EX.EFI"} {
		_, err := r.Open(name)
		check("os.Root, "+name, err, syscall.ENOENT)
		_, err = os.DirFS(".").Open(name)
		check("os.DirFS, "+name, err, syscall.ENOENT)
	}
	check("os.Root", r.Close(), nil)
	check("a removed file that is open", unlisted("/fs1:/"), nil)
	check("in a folder", inFolder("/fs1:/SPACE", renames, opened, listing), nil)
	return errors.Join(errs...)
}

// readable opens a file.
func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// unmapped looks for a volume that metal does not know yet where it cannot be had.
func unmapped() error {
	const name = "/fs1:/DIR/FILE"
	services := firmwareTable().bootServices
	var errs []error
	check := func(what string, got, wanted error) { errs = append(errs, want(what, got, wanted)) }
	shell, device, count := metalShell, metalVolumes[1].device, metalVolumeCount
	metalShell = 0
	check("without a shell", readable(name), syscall.ENODEV)
	check("without a shell, a name with a colon", readable("fs1:FILE"), syscall.ENOENT)
	metalShell = shell
	const locateDevicePath, notFound = 184 / 8, 14 // in EFI_BOOT_SERVICES (UEFI 2.10, 4.4); appendix D
	check("no device", whileFails(services[locateDevicePath], notFound, func() error { return readable(name) }), syscall.ENODEV)
	metalVolumes[1].device, metalVolumeCount = 0, len(metalVolumes)
	check("too many volumes", readable(name), syscall.EMFILE)
	metalVolumes[1].device, metalVolumeCount = device, count
	check("as before", readable(name), nil)
	return errors.Join(errs...)
}

// unlisted removes an open file where another has the name that stands for none already.
func unlisted(root string) error {
	const left = ".unlinked-00000001"
	f, err := os.Create(root + "open")
	err = errors.Join(err, os.WriteFile(root+left, nil, 0o644), os.Remove(root+"open"))
	entries, listed := os.ReadDir(root)
	if len(entries) != 2 { // DIR and the one that was left
		listed = fmt.Errorf("%v", entries)
	}
	return errors.Join(err, listed, f.Close(), os.Remove(root+left))
}
