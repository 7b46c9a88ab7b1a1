//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sequence makes random calls with files, always the same ones, on names and descriptors that earlier calls have made, removed or
// moved.
type sequence struct {
	*prober
	random *rand.Rand
	fds    [6]int // of files and folders; noFile: none
	step   int
}

func (p *prober) sequence(seed uint64, steps int) {
	s := sequence{prober: p, random: rand.New(rand.NewPCG(seed, 0))}
	top := p.open(".", unix.O_RDONLY)
	p.err = errors.Join(p.err, os.MkdirAll("1/2/3", 0o755), os.Chdir("1/2/3")) // no name leads higher
	for i := range s.fds {
		s.fds[i] = noFile
	}
	for s.step = range steps {
		s.next()
		if s.step%200 == 199 {
			fmt.Printf("%d: %s\n", s.step, s.tree())
		}
	}
	for i := range s.fds {
		s.close(i)
	}
	p.err = errors.Join(p.err, unix.Fchdir(top), unix.Close(top), os.RemoveAll("1"))
}

// one picks one of several values.
func one[T any](s *sequence, of ...T) T { return of[s.random.IntN(len(of))] }

// plain is a name of one to three elements, which may be there or not.
func (s *sequence) plain() string {
	names := make([]string, one(s, 1, 1, 1, 2, 2, 3))
	for i := range names {
		names[i] = one(s, "a", "b", "c", "d", "e", "longer than eight")
	}
	return strings.Join(names, one(s, "/", "/", "//")) + one(s, "", "", "", "", "", "", "", "", "", "/")
}

// existing is the name of a file or folder that there is.
func (s *sequence) existing() string {
	for name := "."; ; {
		entries, err := os.ReadDir(name)
		if err != nil || len(entries) == 0 || name != "." && s.random.IntN(3) == 0 {
			return name
		}
		name = path.Join(name, one(s, entries...).Name())
	}
}

// name is also one that there is, or that begins or ends in another way. None leads out of the folder of the calls: the test runs
// this in a temporary folder of the host, too.
func (s *sequence) name() string {
	switch s.random.IntN(16) {
	case 3, 4, 5, 6, 7:
		return s.existing()
	case 0:
		return one(s, "./", "../3/", "a/../", "b/./") + s.plain()
	case 1:
		return s.plain() + one(s, "/.", "/..", "/../", "/../.")
	case 2:
		return one(s, "", ".", "..", "./", "../", "../..")
	}
	return s.plain()
}

// at is a folder and a name in it: a descriptor that may be wrong, with a plain name, as Linux goes up also from what is gone.
func (s *sequence) at() (fd int, name string) {
	if s.random.IntN(3) > 0 {
		return unix.AT_FDCWD, s.name()
	}
	for range 5 {
		if fd = s.fd(); isFolder(fd) {
			break
		}
	}
	return fd, s.plain()
}

// fd is a descriptor that is open, or none.
func (s *sequence) fd() int {
	if s.random.IntN(20) == 0 {
		return one(s, noFile, -1)
	}
	return one(s, s.fds[:]...)
}

// say makes a call and prints its arguments with the result.
func (s *sequence) say(what string, nr uintptr, args ...any) uintptr {
	shown := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case unsafe.Pointer:
			shown[i] = "-"
		case string:
			shown[i] = fmt.Sprintf("%q", v)
		case int:
			shown[i] = v
			for slot, fd := range s.fds {
				if fd != noFile && fd == v && v > 2 {
					shown[i] = string(rune('A' + slot))
				}
			}
		}
	}
	return s.make(fmt.Sprintf("%d %s%v", s.step, what, shown), what != "openat", nr, args)
}

func (s *sequence) next() {
	b := unsafe.Pointer(&s.buffer)
	sizes := []int{0, 1, 5, 100, 511, 512, 513, 4096, 8192}
	offsets := []int{0, 1, 5, 500, 512, 4095, 4097, 70000, -1, -500}
	switch s.random.IntN(24) {
	case 20, 21, 22, 0, 1, 2:
		s.openat()
	case 3:
		n := one(s, sizes...)
		clear(s.buffer[:])
		s.say("read", unix.SYS_READ, s.fd(), b, n)
		s.shown()
	case 4:
		n := one(s, sizes...)
		clear(s.buffer[:])
		s.say("pread", unix.SYS_PREAD64, s.fd(), b, n, one(s, offsets...))
		s.shown()
	case 5, 6:
		s.fill()
		s.say("write", unix.SYS_WRITE, s.fd(), b, one(s, sizes...))
	case 7:
		s.fill()
		s.say("pwrite", unix.SYS_PWRITE64, s.fd(), b, one(s, sizes...), one(s, offsets...))
	case 8:
		if fd := s.fd(); !isFolder(fd) {
			s.say("lseek", unix.SYS_LSEEK, fd, one(s, offsets...), one(s, 0, 1, 2, 5, 1000))
		}
	case 9:
		s.say("ftruncate", unix.SYS_FTRUNCATE, s.fd(), one(s, offsets...))
	case 10:
		s.say("truncate", unix.SYS_TRUNCATE, s.name(), one(s, offsets...))
	case 11, 12:
		fd, name := s.at()
		s.say("mkdirat", unix.SYS_MKDIRAT, fd, name, 0o755)
	case 13:
		fd, name := s.at()
		s.say("unlinkat", unix.SYS_UNLINKAT, fd, name, one(s, 0, 0, unix.AT_REMOVEDIR, unix.AT_REMOVEDIR, 1))
	case 14, 15, 23:
		from, old := s.at()
		to, name := s.at()
		if s.random.IntN(2) == 0 {
			from, old = unix.AT_FDCWD, s.existing()
		}
		s.say("renameat2", unix.SYS_RENAMEAT2, from, old, to, name, one(s, 0, 0, 0, 0, unix.RENAME_NOREPLACE))
	case 16, 17:
		s.stat()
	case 18:
		s.other()
	case 19:
		s.inside()
	}
}

// openat opens a file or folder, and closes another in its place.
func (s *sequence) openat() {
	flags := one(s, unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR, unix.O_RDWR, unix.O_RDWR) | one(s, 0, 0, unix.O_CREAT, unix.O_CREAT, unix.O_CREAT, unix.O_CREAT|unix.O_EXCL, unix.O_DIRECTORY) |
		one(s, 0, 0, 0, unix.O_APPEND) | one(s, 0, 0, 0, unix.O_TRUNC) | one(s, 0, 0, 0, unix.O_SYNC) | one(s, 0, 0, unix.O_NONBLOCK)
	at, name := s.at()
	if fd := int(s.say("openat", unix.SYS_OPENAT, at, name, flags, 0o644)); fd > 0 {
		i := slices.Index(s.fds[:], noFile)
		if i < 0 {
			i = s.random.IntN(len(s.fds))
		}
		s.close(i)
		s.fds[i] = fd
	}
}

func (s *sequence) close(i int) {
	if s.fds[i] != noFile {
		s.err = errors.Join(s.err, unix.Close(s.fds[i]))
	}
}

// isFolder reports whether a folder is open, or one that is gone.
func isFolder(fd int) bool {
	var stat unix.Stat_t
	err := unix.Fstat(fd, &stat)
	return err != nil && err != unix.EBADF || stat.Mode&unix.S_IFMT == unix.S_IFDIR
}

// fill makes what is written next.
func (s *sequence) fill() {
	for i := range s.buffer {
		s.buffer[i] = byte(i*7>>3 + s.step)
	}
}

// shown prints a sum of what was read.
func (s *sequence) shown() { fmt.Printf("%08x\n", crc32.ChecksumIEEE(s.buffer[:])) }

// stat compares what two calls tell of a name and of a descriptor.
func (s *sequence) stat() {
	var named, open unix.Stat_t
	at, name := s.at()
	s.say("fstatat", unix.SYS_NEWFSTATAT, at, name, unsafe.Pointer(&named), one(s, 0, 0, unix.AT_SYMLINK_NOFOLLOW, unix.AT_EMPTY_PATH, 1))
	fmt.Printf("%o\n", named.Mode&^0o111)
	fd := s.fd()
	if isFolder(fd) {
		return
	}
	s.say("fstat", unix.SYS_FSTAT, fd, unsafe.Pointer(&open))
	fmt.Printf("%o %d %d\n", open.Mode&^0o111, open.Nlink, open.Size)
	if named.Mode&unix.S_IFMT == unix.S_IFREG {
		fmt.Println(named.Nlink, named.Size, named.Ino == open.Ino && named.Dev == open.Dev)
	}
}

// other makes a call that changes nothing, or almost nothing.
func (s *sequence) other() {
	b, fd := unsafe.Pointer(&s.buffer), s.fd()
	at, name := s.at()
	switch s.random.IntN(9) {
	case 0:
		s.say("faccessat", unix.SYS_FACCESSAT, at, name, one(s, 0, 1, 2))
	case 1:
		s.say("readlinkat", unix.SYS_READLINKAT, at, name, b, 100)
	case 2:
		s.say("fsync", unix.SYS_FSYNC, fd)
	case 3:
		s.say("F_SETFL", unix.SYS_FCNTL, fd, unix.F_SETFL, one(s, 0, unix.O_APPEND, unix.O_NONBLOCK, unix.O_APPEND|unix.O_CREAT))
	case 4:
		flags, _, e := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
		s.result(fmt.Sprintf("%d F_GETFL", s.step), flags&(unix.O_ACCMODE|unix.O_APPEND|unix.O_NONBLOCK), e, true)
	case 5:
		s.say("fchmodat", unix.SYS_FCHMODAT, at, strings.TrimLeft(name, "./"), 0o755)
	case 6:
		s.say("fchownat", unix.SYS_FCHOWNAT, at, name, -1, -1, 0)
	case 7:
		s.say("statfs", unix.SYS_STATFS, name, b)
	case 8:
		s.say("symlinkat", unix.SYS_LINKAT, at, name, unix.AT_FDCWD, "none/x", 0)
	}
}

// inside does something in another folder.
func (s *sequence) inside() {
	name := one(s, s.plain(), s.existing())
	if s.say("chdir", unix.SYS_CHDIR, name) != 0 {
		return
	}
	wd, err := unix.Getwd()
	_, wd, _ = strings.Cut(wd, "/calls/")
	fmt.Println(wd, err)
	if fd := int(s.say("openat", unix.SYS_OPENAT, unix.AT_FDCWD, s.plain(), unix.O_RDWR|unix.O_CREAT, 0o644)); fd > 0 {
		s.err = errors.Join(s.err, unix.Close(fd))
	}
	s.say("mkdirat", unix.SYS_MKDIRAT, unix.AT_FDCWD, s.name(), 0o755)
	s.err = errors.Join(s.err, os.Chdir(strings.Repeat("../", strings.Count(wd, "/")-2)+"."))
}

// tree lists all that there is.
func (s *sequence) tree() string {
	var b strings.Builder
	s.err = errors.Join(s.err, fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if d != nil && !d.IsDir() {
			text, failed := os.ReadFile(name)
			fmt.Fprintf(&b, "%s(%d %08x) ", name, len(text), crc32.ChecksumIEEE(text))
			return errors.Join(err, failed)
		}
		b.WriteString(name + "/ ")
		return err
	}))
	return b.String()
}
