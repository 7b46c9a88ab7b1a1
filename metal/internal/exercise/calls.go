//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls makes system calls with arguments that are wrong, or at the border of what is right, and prints what they return: on
// Linux and on metal the same lines. Addresses of nothing are not among them: crash says what metal does then.
func calls([]string) error {
	runtime.LockOSThread()
	unix.Umask(0o022)
	for _, err := range []error{os.MkdirAll("calls/folder/full", 0o755), os.Mkdir("calls/empty", 0o755), os.WriteFile("calls/file", []byte("hello"), 0o644), os.WriteFile("calls/folder/in", nil, 0o644), os.Chdir("calls")} {
		if err != nil {
			return err
		}
	}
	var p prober
	p.descriptors()
	p.opening()
	p.changing()
	p.attributes()
	p.removed()
	p.sequence(1, 1000)
	p.memory()
	p.events()
	p.threads()
	return errors.Join(os.Chdir(".."), os.RemoveAll("calls"), p.err)
}

// prober makes calls. Whatever they are given stays alive.
type prober struct {
	buffer [8192]byte
	keep   [][]byte
	err    error
}

// result prints what a call returned: a number, ok for one that differs from system to system, or an error.
func (p *prober) result(name string, r uintptr, e unix.Errno, number bool) {
	switch {
	case e != 0:
		fmt.Printf("%s: %s\n", name, unix.ErrnoName(e))
	case number:
		fmt.Printf("%s: %d\n", name, r)
	default:
		fmt.Printf("%s: ok\n", name)
	}
}

// call makes a call and prints the number that it returned; try prints ok in its place.
func (p *prober) call(name string, nr uintptr, args ...any) uintptr {
	return p.make(name, true, nr, args)
}
func (p *prober) try(name string, nr uintptr, args ...any) uintptr {
	return p.make(name, false, nr, args)
}

// make makes a call with numbers, strings and pointers.
func (p *prober) make(name string, number bool, nr uintptr, args []any) uintptr {
	var a [6]uintptr
	for i, arg := range args {
		switch v := arg.(type) {
		case int:
			a[i] = uintptr(v)
		case uintptr:
			a[i] = v
		case string:
			b := append([]byte(v), 0)
			p.keep = append(p.keep, b)
			a[i] = uintptr(unsafe.Pointer(&b[0]))
		case unsafe.Pointer:
			a[i] = uintptr(v)
		}
	}
	r, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	runtime.KeepAlive(args)
	p.result(name, r, e, number)
	if e != 0 {
		return ^uintptr(0)
	}
	return r
}

// flags prints a descriptor's flags, without O_LARGEFILE, which Linux adds.
func (p *prober) flags(name string, fd int) {
	flags, _, e := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	const largeFile = 0x8000
	p.result(name, flags&^largeFile, e, true)
}

// noFile is no descriptor.
const noFile = 999

// open opens a file, or keeps the error.
func (p *prober) open(name string, flags int) int {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o644)
	p.err = errors.Join(p.err, err)
	return fd
}

// descriptors: reading, writing and the rest of what is done with a descriptor.
func (p *prober) descriptors() {
	b := unsafe.Pointer(&p.buffer)
	reads, writes, both, folder := p.open("file", unix.O_RDONLY), p.open("file", unix.O_WRONLY), p.open("file", unix.O_RDWR), p.open("folder", unix.O_RDONLY)
	appends := p.open("file", unix.O_WRONLY|unix.O_APPEND)
	var pipe, pipe2 [2]int
	p.err = errors.Join(p.err, unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK))

	p.call("read no file", unix.SYS_READ, noFile, b, 1)
	p.call("read a folder", unix.SYS_READ, folder, b, 1)
	p.call("read what is for writing", unix.SYS_READ, writes, b, 1)
	p.call("read nothing", unix.SYS_READ, reads, b, 0)
	p.call("read all", unix.SYS_READ, reads, b, 100)
	p.call("read the end", unix.SYS_READ, reads, b, 100)
	p.call("read an empty pipe", unix.SYS_READ, pipe[0], b, 1)
	p.call("read a pipe's other end", unix.SYS_READ, pipe[1], b, 1)
	p.call("write no file", unix.SYS_WRITE, noFile, b, 1)
	p.call("write a folder", unix.SYS_WRITE, folder, b, 1)
	p.call("write what is for reading", unix.SYS_WRITE, reads, b, 1)
	p.call("write nothing", unix.SYS_WRITE, writes, b, 0)
	p.call("write a pipe's other end", unix.SYS_WRITE, pipe[0], b, 1)
	p.call("write a pipe", unix.SYS_WRITE, pipe[1], b, 3)
	p.call("read a pipe", unix.SYS_READ, pipe[0], b, 100)
	p.call("append", unix.SYS_WRITE, appends, b, 2)
	p.call("where append ends", unix.SYS_LSEEK, appends, 0, unix.SEEK_CUR)

	p.call("pread", unix.SYS_PREAD64, both, b, 2, 4)
	p.call("pread behind the end", unix.SYS_PREAD64, both, b, 2, 40)
	p.call("pread before the beginning", unix.SYS_PREAD64, both, b, 2, -1)
	p.call("pread no file", unix.SYS_PREAD64, noFile, b, 2, 0)
	p.call("pread no file before the beginning", unix.SYS_PREAD64, noFile, b, 2, -1)
	p.call("pread a pipe", unix.SYS_PREAD64, pipe[0], b, 2, 0)
	p.call("pread a folder", unix.SYS_PREAD64, folder, b, 2, 0)
	p.call("pread what is for writing", unix.SYS_PREAD64, writes, b, 2, 0)
	p.call("pwrite", unix.SYS_PWRITE64, both, b, 2, 3)
	p.call("pwrite before the beginning", unix.SYS_PWRITE64, both, b, 2, -1)
	p.call("pwrite a pipe before the beginning", unix.SYS_PWRITE64, pipe[1], b, 2, -1)
	p.call("pwrite a pipe", unix.SYS_PWRITE64, pipe[1], b, 2, 0)
	p.call("pwrite what is for reading", unix.SYS_PWRITE64, reads, b, 2, 0)
	p.call("pwrite no file", unix.SYS_PWRITE64, noFile, b, 2, 0)

	p.call("lseek", unix.SYS_LSEEK, both, 3, unix.SEEK_SET)
	p.call("lseek on", unix.SYS_LSEEK, both, -1, unix.SEEK_CUR)
	p.call("lseek from the end", unix.SYS_LSEEK, both, 5, unix.SEEK_END)
	p.call("lseek before the beginning", unix.SYS_LSEEK, both, -1, unix.SEEK_SET)
	p.call("lseek far before the end", unix.SYS_LSEEK, both, -100, unix.SEEK_END)
	p.call("lseek from no place", unix.SYS_LSEEK, both, 0, 9)
	p.call("lseek a pipe", unix.SYS_LSEEK, pipe[0], 0, unix.SEEK_CUR)
	p.call("lseek a pipe from no place", unix.SYS_LSEEK, pipe[0], 0, 9)
	p.call("lseek a folder from no place", unix.SYS_LSEEK, folder, 0, 9)
	p.call("lseek from behind the last place", unix.SYS_LSEEK, both, 0, unix.SEEK_HOLE+1)
	p.call("lseek no file from no place", unix.SYS_LSEEK, noFile, 0, 9)
	p.call("lseek no file", unix.SYS_LSEEK, noFile, 0, unix.SEEK_CUR)
	p.call("lseek a folder to its beginning", unix.SYS_LSEEK, folder, 0, unix.SEEK_SET)
	p.call("lseek to data", unix.SYS_LSEEK, both, 1, unix.SEEK_DATA)
	p.call("lseek to a hole", unix.SYS_LSEEK, both, 1, unix.SEEK_HOLE)
	p.call("lseek to data at the end", unix.SYS_LSEEK, both, 7, unix.SEEK_DATA)
	p.call("lseek to a hole before the end", unix.SYS_LSEEK, both, 6, unix.SEEK_HOLE)
	p.call("lseek to a hole at the end", unix.SYS_LSEEK, both, 7, unix.SEEK_HOLE)
	p.call("lseek to data behind the end", unix.SYS_LSEEK, both, 100, unix.SEEK_DATA)
	p.call("lseek to a hole behind the end", unix.SYS_LSEEK, both, 100, unix.SEEK_HOLE)

	p.call("fstat no file", unix.SYS_FSTAT, noFile, b)
	for _, fd := range []int{8191, 8192, 1 << 20, -1} { // metal has 8192
		for _, nr := range []uintptr{unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_LSEEK, unix.SYS_FSTAT, unix.SYS_FSYNC, unix.SYS_GETDENTS64, unix.SYS_FCHDIR, unix.SYS_FSTATFS, unix.SYS_FCHMOD} {
			p.call(fmt.Sprintf("call %d of descriptor %d", nr, fd), nr, fd, b, 1)
		}
	}
	p.flags("flags of reading", reads)
	p.flags("flags of writing", writes)
	p.flags("flags of appending", appends)
	p.flags("flags of a pipe", pipe[0])
	p.call("a pipe may wait", unix.SYS_FCNTL, pipe[0], unix.F_SETFL, 0)
	p.flags("flags of a pipe that waits", pipe[0])
	p.call("a file may be appended to", unix.SYS_FCNTL, both, unix.F_SETFL, unix.O_APPEND)
	p.flags("flags of a file that is", both)
	p.call("append to that", unix.SYS_WRITE, both, b, 1)
	p.call("where that ends", unix.SYS_LSEEK, both, 0, unix.SEEK_CUR)
	p.call("not any more", unix.SYS_FCNTL, both, unix.F_SETFL, 0)
	p.flags("its flags then", both)
	p.call("close on exec", unix.SYS_FCNTL, reads, unix.F_GETFD, 0)
	p.call("fcntl no file", unix.SYS_FCNTL, noFile, unix.F_GETFL, 0)
	p.call("fcntl nothing", unix.SYS_FCNTL, reads, 999, 0)
	p.call("ftruncate", unix.SYS_FTRUNCATE, both, 4)
	p.call("ftruncate less than nothing", unix.SYS_FTRUNCATE, both, -1)
	p.call("ftruncate what is for reading", unix.SYS_FTRUNCATE, reads, 1)
	p.call("ftruncate a folder", unix.SYS_FTRUNCATE, folder, 1)
	p.call("ftruncate a pipe", unix.SYS_FTRUNCATE, pipe[1], 1)
	p.call("ftruncate no file to less than nothing", unix.SYS_FTRUNCATE, noFile, -1)
	p.call("ftruncate no file", unix.SYS_FTRUNCATE, noFile, 1)
	p.call("getdents of a file", unix.SYS_GETDENTS64, reads, b, 100)
	p.call("getdents in one byte", unix.SYS_GETDENTS64, folder, b, 1)
	p.call("getdents of no file", unix.SYS_GETDENTS64, noFile, b, 100)
	p.large(both)
	p.call("fsync", unix.SYS_FSYNC, both)
	p.call("fsync no file", unix.SYS_FSYNC, noFile)
	p.call("fsync a pipe", unix.SYS_FSYNC, pipe[0])
	p.call("fdatasync a folder", unix.SYS_FDATASYNC, folder)
	p.call("fchmod no file", unix.SYS_FCHMOD, noFile, 0o644)
	p.call("fchmod", unix.SYS_FCHMOD, reads, 0o644)
	p.call("fchmod a pipe", unix.SYS_FCHMOD, pipe[0], 0o600)
	p.call("fchown no file", unix.SYS_FCHOWN, noFile, 0, 0)
	p.call("fchown to nobody else", unix.SYS_FCHOWN, reads, -1, -1)
	p.call("fstat a pipe", unix.SYS_FSTAT, pipe[0], b)
	fmt.Printf("its mode is %o\n", (*unix.Stat_t)(b).Mode)
	p.call("pwrite a folder", unix.SYS_PWRITE64, folder, b, 1, 0)
	p.call("fchown a pipe to nobody else", unix.SYS_FCHOWN, pipe[0], -1, -1)
	p.call("fstatfs no file", unix.SYS_FSTATFS, noFile, b)
	p.call("fstatfs", unix.SYS_FSTATFS, reads, b)
	p.call("fstatfs a pipe", unix.SYS_FSTATFS, pipe[0], b)
	p.call("utimensat a pipe", unix.SYS_UTIMENSAT, pipe[0], 0, 0, 0)
	p.call("sync", unix.SYS_SYNC)
	p.call("fchdir a file", unix.SYS_FCHDIR, reads)
	p.call("fchdir no file", unix.SYS_FCHDIR, noFile)
	p.call("TCGETS of a file", unix.SYS_IOCTL, reads, unix.TCGETS, b)
	p.call("TCGETS of a pipe", unix.SYS_IOCTL, pipe[0], unix.TCGETS, b)
	p.call("TCGETS of no file", unix.SYS_IOCTL, noFile, unix.TCGETS, b)

	p.call("pipe2 with other flags", unix.SYS_PIPE2, b, 1)
	p.call("close a pipe's reader", unix.SYS_CLOSE, pipe[0])
	p.call("write a pipe without reader", unix.SYS_WRITE, pipe[1], b, 1)
	p.err = errors.Join(p.err, unix.Pipe2(pipe2[:], unix.O_CLOEXEC))
	p.call("close a pipe's writer", unix.SYS_CLOSE, pipe2[1])
	p.call("read a pipe without writer", unix.SYS_READ, pipe2[0], b, 1)
	p.call("close its reader", unix.SYS_CLOSE, pipe2[0])
	p.call("close twice", unix.SYS_CLOSE, pipe[0])
	p.call("close no file", unix.SYS_CLOSE, noFile)
	for _, fd := range []int{reads, writes, both, folder, appends, pipe[1]} {
		p.call("close", unix.SYS_CLOSE, fd)
	}
}

// large writes and reads more at once than metal asks the firmware for, and not a multiple of that.
func (p *prober) large(fd int) {
	text := make([]byte, 1<<20+5)
	for i := range text {
		text[i] = byte(i * 7 >> 3)
	}
	t := unsafe.Pointer(&text[0])
	p.call("write a mebibyte", unix.SYS_PWRITE64, fd, t, len(text), 3)
	clear(text)
	for _, size := range []int{512<<10 - 1, 512 << 10, 512<<10 + 1, 1 << 20, len(text)} {
		p.call(fmt.Sprintf("read %d bytes", size), unix.SYS_PREAD64, fd, t, size, 5)
		fmt.Printf("they are %08x\n", crc32.ChecksumIEEE(text))
	}
	p.call("cut it", unix.SYS_FTRUNCATE, fd, 4)
}

// long is a longer name than there may be.
var long = strings.Repeat("n", 300)

// opening: names of what is opened or looked at.
func (p *prober) opening() {
	const at = unix.AT_FDCWD
	b, file := unsafe.Pointer(&p.buffer), p.open("file", unix.O_RDONLY)

	p.call("openat nothing", unix.SYS_OPENAT, at, "", unix.O_RDONLY)
	p.call("openat none", unix.SYS_OPENAT, at, "none", unix.O_RDONLY)
	p.call("openat none in none", unix.SYS_OPENAT, at, "none/none", unix.O_RDONLY|unix.O_CREAT, 0o644)
	p.call("openat in a file", unix.SYS_OPENAT, at, "file/none", unix.O_RDONLY)
	p.call("openat a file with a slash", unix.SYS_OPENAT, at, "file/", unix.O_RDONLY)
	p.call("openat a new file with a slash", unix.SYS_OPENAT, at, "new/", unix.O_RDONLY|unix.O_CREAT, 0o644)
	p.call("openat a file that is there with a slash", unix.SYS_OPENAT, at, "file/", unix.O_RDONLY|unix.O_CREAT, 0o644)
	p.call("openat a folder that must be new, with a slash", unix.SYS_OPENAT, at, "folder/", unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL, 0o644)
	p.call("openat here, which must be new", unix.SYS_OPENAT, at, "./", unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL, 0o644)
	p.call("openat a file as a folder", unix.SYS_OPENAT, at, "file", unix.O_RDONLY|unix.O_DIRECTORY)
	p.call("openat a folder for writing", unix.SYS_OPENAT, at, "folder", unix.O_WRONLY)
	p.call("openat a folder that is made", unix.SYS_OPENAT, at, "folder", unix.O_RDONLY|unix.O_CREAT, 0o644)
	p.call("openat a folder that is emptied", unix.SYS_OPENAT, at, "folder", unix.O_RDWR|unix.O_TRUNC)
	p.call("openat here for writing", unix.SYS_OPENAT, at, ".", unix.O_WRONLY)
	p.call("openat a new file above", unix.SYS_OPENAT, at, "folder/..", unix.O_RDWR|unix.O_CREAT, 0o644)
	p.call("openat a file that must be new", unix.SYS_OPENAT, at, "file", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o644)
	p.call("openat a long name", unix.SYS_OPENAT, at, long, unix.O_RDONLY)
	p.call("openat a long path", unix.SYS_OPENAT, at, strings.Repeat("folder/../", 500), unix.O_RDONLY)
	p.call("openat at no file", unix.SYS_OPENAT, noFile, "file", unix.O_RDONLY)
	p.call("openat at a file", unix.SYS_OPENAT, file, "file", unix.O_RDONLY)

	p.call("fstatat nothing", unix.SYS_NEWFSTATAT, at, "", b, 0)
	p.call("fstatat nothing of a file", unix.SYS_NEWFSTATAT, file, "", b, unix.AT_EMPTY_PATH)
	p.call("fstatat nothing of this folder", unix.SYS_NEWFSTATAT, at, "", b, unix.AT_EMPTY_PATH)
	p.call("fstatat nothing of no file", unix.SYS_NEWFSTATAT, noFile, "", b, unix.AT_EMPTY_PATH)
	p.call("fstatat a file, of a descriptor or not", unix.SYS_NEWFSTATAT, at, "file", b, unix.AT_EMPTY_PATH)
	p.call("fstatat a file without mounting", unix.SYS_NEWFSTATAT, at, "file", b, unix.AT_NO_AUTOMOUNT)
	p.call("fstatat none", unix.SYS_NEWFSTATAT, at, "none", b, 0)
	p.call("fstatat in a file", unix.SYS_NEWFSTATAT, at, "file/none", b, 0)
	p.call("fstatat a file with a slash", unix.SYS_NEWFSTATAT, at, "file/", b, 0)
	p.call("fstatat a folder with slashes", unix.SYS_NEWFSTATAT, at, "folder///", b, unix.AT_SYMLINK_NOFOLLOW)
	p.call("fstatat with other flags", unix.SYS_NEWFSTATAT, at, "file", b, 1)
	p.call("fstatat a long name", unix.SYS_NEWFSTATAT, at, long, b, 0)
	p.call("close", unix.SYS_CLOSE, file)
}

// changing: names of what is made, removed or renamed.
func (p *prober) changing() {
	const at = unix.AT_FDCWD
	file, folder := p.open("file", unix.O_RDONLY), p.open("folder", unix.O_RDONLY)
	p.call("mkdirat again", unix.SYS_MKDIRAT, at, "folder", 0o755)
	p.call("mkdirat a file", unix.SYS_MKDIRAT, at, "file", 0o755)
	p.call("mkdirat in a file", unix.SYS_MKDIRAT, at, "file/new", 0o755)
	p.call("mkdirat in none", unix.SYS_MKDIRAT, at, "none/new", 0o755)
	p.call("mkdirat nothing", unix.SYS_MKDIRAT, at, "", 0o755)
	p.call("mkdirat here", unix.SYS_MKDIRAT, at, ".", 0o755)
	p.call("mkdirat the root", unix.SYS_MKDIRAT, at, "/", 0o755)
	p.call("mkdirat with a slash", unix.SYS_MKDIRAT, folder, "new/", 0o755)
	p.call("mkdirat at a file", unix.SYS_MKDIRAT, file, "new", 0o755)
	p.call("mkdirat a long name", unix.SYS_MKDIRAT, at, long, 0o755)

	p.call("unlinkat none", unix.SYS_UNLINKAT, at, "none", 0)
	p.call("unlinkat nothing", unix.SYS_UNLINKAT, at, "", 0)
	p.call("unlinkat a folder", unix.SYS_UNLINKAT, at, "folder", 0)
	p.call("unlinkat a file as a folder", unix.SYS_UNLINKAT, at, "file", unix.AT_REMOVEDIR)
	p.call("unlinkat a full folder", unix.SYS_UNLINKAT, at, "folder", unix.AT_REMOVEDIR)
	p.call("unlinkat here", unix.SYS_UNLINKAT, at, ".", unix.AT_REMOVEDIR)
	p.call("unlinkat above", unix.SYS_UNLINKAT, at, "folder/full/..", unix.AT_REMOVEDIR)
	p.call("unlinkat with other flags", unix.SYS_UNLINKAT, at, "file", 1)
	p.call("unlinkat none with other flags", unix.SYS_UNLINKAT, at, "none", unix.AT_REMOVEDIR|1)
	p.call("unlinkat a file with a slash", unix.SYS_UNLINKAT, at, "file/", 0)
	p.call("unlinkat in a file", unix.SYS_UNLINKAT, at, "file/none", 0)
	p.call("unlinkat here as a file", unix.SYS_UNLINKAT, at, ".", 0)
	p.call("unlinkat above as a file", unix.SYS_UNLINKAT, at, "..", 0)
	p.call("unlinkat the root", unix.SYS_UNLINKAT, at, "/", unix.AT_REMOVEDIR)
	p.call("unlinkat the root as a file", unix.SYS_UNLINKAT, at, "/", 0)
	p.call("unlinkat above as what is none", unix.SYS_UNLINKAT, at, "none/..", 0)
	p.call("linkat none", unix.SYS_LINKAT, at, "none", at, "new", 0)
	p.call("linkat a folder", unix.SYS_LINKAT, at, "folder", at, "new", 0)
	p.call("linkat to what is there", unix.SYS_LINKAT, at, "file", at, "empty", 0)
	p.call("symlinkat to what is there", unix.SYS_SYMLINKAT, "file", at, "empty")
	p.call("symlinkat in none", unix.SYS_SYMLINKAT, "file", at, "none/new")
	p.call("symlinkat with a slash", unix.SYS_SYMLINKAT, "file", at, "new/")
	p.call("mknodat what is there", unix.SYS_MKNODAT, at, "file", unix.S_IFIFO|0o644, 0)
	p.call("unlinkat a folder that was made", unix.SYS_UNLINKAT, folder, "new", unix.AT_REMOVEDIR)

	p.call("renameat none", unix.SYS_RENAMEAT, at, "none", at, "new")
	p.call("renameat nothing", unix.SYS_RENAMEAT, at, "", at, "new")
	p.call("renameat to nothing", unix.SYS_RENAMEAT, at, "file", at, "")
	p.call("renameat to itself", unix.SYS_RENAMEAT, at, "file", at, "file")
	p.call("renameat a folder to a file", unix.SYS_RENAMEAT, at, "folder", at, "file")
	p.call("renameat a file to a folder", unix.SYS_RENAMEAT, at, "file", at, "folder")
	p.call("renameat a folder to a full one", unix.SYS_RENAMEAT, at, "empty", at, "folder")
	p.call("renameat a folder into itself", unix.SYS_RENAMEAT, at, "folder", at, "folder/full/new")
	p.call("renameat into a file", unix.SYS_RENAMEAT, at, "folder", at, "file/new")
	p.call("renameat into none", unix.SYS_RENAMEAT, at, "folder", at, "none/new")
	p.call("renameat a file with a slash", unix.SYS_RENAMEAT, at, "file/", at, "new")
	p.call("renameat to a slash", unix.SYS_RENAMEAT, at, "file", at, "new/")
	p.call("renameat here", unix.SYS_RENAMEAT, at, ".", at, "new")
	p.call("renameat above", unix.SYS_RENAMEAT, at, "..", at, "new")
	p.call("renameat to here", unix.SYS_RENAMEAT, at, "empty", at, ".")
	p.call("renameat the root", unix.SYS_RENAMEAT, at, "/", at, "new")
	p.call("renameat to the root", unix.SYS_RENAMEAT, at, "empty", at, "/")
	p.call("renameat to a long name", unix.SYS_RENAMEAT, at, "file", at, long)
	p.call("renameat a file to a folder that it is in", unix.SYS_RENAMEAT, at, "folder/in", at, "folder")
	p.call("renameat a folder to one that it is in", unix.SYS_RENAMEAT, at, "folder/full", at, "folder")
	p.call("renameat2 a file with a slash to what is there", unix.SYS_RENAMEAT2, at, "file/", at, "folder", unix.RENAME_NOREPLACE)
	p.call("renameat2 to here", unix.SYS_RENAMEAT2, at, "file", at, ".", unix.RENAME_NOREPLACE)
	p.call("renameat2 the root to here", unix.SYS_RENAMEAT2, at, "/", at, ".", unix.RENAME_NOREPLACE)
	p.call("renameat2 none to here", unix.SYS_RENAMEAT2, at, "none", at, ".", unix.RENAME_NOREPLACE)
	p.call("renameat2 to what is there", unix.SYS_RENAMEAT2, at, "file", at, "empty", unix.RENAME_NOREPLACE)
	p.call("renameat2 with other flags", unix.SYS_RENAMEAT2, at, "file", at, "new", 1<<10)
	p.call("renameat2", unix.SYS_RENAMEAT2, at, "file", at, "folder/new", unix.RENAME_NOREPLACE)
	p.call("renameat back", unix.SYS_RENAMEAT, folder, "new", at, "file")
	p.call("close", unix.SYS_CLOSE, file)
	p.call("close", unix.SYS_CLOSE, folder)
}

// attributes: what is asked of names, or set.
func (p *prober) attributes() {
	const at = unix.AT_FDCWD
	b, file := unsafe.Pointer(&p.buffer), p.open("file", unix.O_RDONLY)
	p.call("readlinkat a file", unix.SYS_READLINKAT, at, "file", b, 100)
	p.call("readlinkat none", unix.SYS_READLINKAT, at, "none", b, 100)
	p.call("readlinkat a folder", unix.SYS_READLINKAT, at, "folder", b, 100)
	p.call("faccessat", unix.SYS_FACCESSAT, at, "file", unix.R_OK|unix.W_OK)
	for mode := range 9 {
		p.call(fmt.Sprint("faccessat a file for ", mode), unix.SYS_FACCESSAT, at, "file", mode)
		p.call(fmt.Sprint("faccessat a folder for ", mode), unix.SYS_FACCESSAT, at, "folder", mode)
	}
	p.call("faccessat none", unix.SYS_FACCESSAT, at, "none", 0)
	p.call("faccessat in a file", unix.SYS_FACCESSAT, at, "file/none", 0)
	p.call("faccessat a file with a slash", unix.SYS_FACCESSAT, at, "file/", 0)
	p.call("fchmodat none", unix.SYS_FCHMODAT, at, "none", 0o644)
	p.call("fchownat none", unix.SYS_FCHOWNAT, at, "none", 0, 0, 0)
	p.call("chown none", unix.SYS_CHOWN, "none", 0, 0)
	p.call("truncate", unix.SYS_TRUNCATE, "file", 3)
	p.call("truncate none", unix.SYS_TRUNCATE, "none", 3)
	p.call("truncate a folder", unix.SYS_TRUNCATE, "folder", 3)
	p.call("truncate less than nothing", unix.SYS_TRUNCATE, "file", -1)
	p.call("truncate in a file", unix.SYS_TRUNCATE, "file/none", 3)
	now, never := [2]unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}, [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	wrong := [2]unix.Timespec{{}, {Nsec: 1e9}}
	p.call("utimensat now", unix.SYS_UTIMENSAT, at, "file", unsafe.Pointer(&now), 0)
	p.call("utimensat never", unix.SYS_UTIMENSAT, at, "file", unsafe.Pointer(&never), 0)
	p.call("utimensat no time", unix.SYS_UTIMENSAT, at, "file", unsafe.Pointer(&wrong), 0)
	p.call("utimensat no time of none", unix.SYS_UTIMENSAT, at, "none", unsafe.Pointer(&wrong), 0)
	p.call("utimensat no time of no file", unix.SYS_UTIMENSAT, noFile, 0, unsafe.Pointer(&wrong), 0)
	p.call("utimensat no time of a descriptor", unix.SYS_UTIMENSAT, file, 0, unsafe.Pointer(&wrong), 0)
	p.call("utimensat never of none, with other flags", unix.SYS_UTIMENSAT, at, "none", unsafe.Pointer(&never), 1)
	p.call("utimensat nothing of a descriptor", unix.SYS_UTIMENSAT, file, "", unsafe.Pointer(&now), unix.AT_EMPTY_PATH)
	p.call("utimensat nothing", unix.SYS_UTIMENSAT, file, "", unsafe.Pointer(&now), 0)
	p.call("utimensat a file with a slash", unix.SYS_UTIMENSAT, at, "file/", unsafe.Pointer(&now), 0)
	p.times(file)
	p.call("utimensat none", unix.SYS_UTIMENSAT, at, "none", unsafe.Pointer(&now), 0)
	p.call("utimensat with other flags", unix.SYS_UTIMENSAT, at, "file", unsafe.Pointer(&now), 1)
	p.call("utimensat of a descriptor", unix.SYS_UTIMENSAT, file, 0, unsafe.Pointer(&now), 0)
	p.call("utimensat of no file", unix.SYS_UTIMENSAT, noFile, 0, unsafe.Pointer(&now), 0)
	p.call("statfs none", unix.SYS_STATFS, "none", b)
	p.call("statfs", unix.SYS_STATFS, "file", b)
	p.call("getcwd in one byte", unix.SYS_GETCWD, b, 1)
	p.call("chdir none", unix.SYS_CHDIR, "none")
	p.call("chdir a file", unix.SYS_CHDIR, "file")
	p.call("chdir nothing", unix.SYS_CHDIR, "")
	p.call("chdir a folder", unix.SYS_CHDIR, "folder")
	p.call("chdir back", unix.SYS_CHDIR, "..")
	p.call("umask", unix.SYS_UMASK, 0o022)
	p.call("close", unix.SYS_CLOSE, file)
}

// times sets the times of a file, by name and by descriptor. EDK2's driver makes the last access the day when it does that.
func (p *prober) times(file int) {
	const at = unix.AT_FDCWD
	omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
	var stat unix.Stat_t
	for i, times := range [][2]unix.Timespec{
		{{Sec: 1e9}, {Sec: 1e9}}, {omit, {Sec: 1e9 + 2}}, {{Sec: 1e9}, omit}, {{Sec: 1e9}, {Sec: 1.5e9}},
		{{Sec: 1e9, Nsec: -1}, omit}, {omit, {Sec: 1e9, Nsec: -1}}, {{Sec: 1e9, Nsec: 1e9}, {Sec: 1e9}}, {{Sec: 1e9}, {Sec: 1.6e9, Nsec: 0}},
	} {
		if i%2 == 0 {
			p.call("set times of a name", unix.SYS_UTIMENSAT, at, "file", unsafe.Pointer(&times), 0)
		} else {
			p.call("set times of a descriptor", unix.SYS_UTIMENSAT, file, 0, unsafe.Pointer(&times), 0)
		}
		p.call("fstat", unix.SYS_FSTAT, file, unsafe.Pointer(&stat))
		fmt.Println("it was modified at", stat.Mtim.Sec)
	}
}

// removed: what is done in a folder that is no longer there.
func (p *prober) removed() {
	const at = unix.AT_FDCWD
	b, above := unsafe.Pointer(&p.buffer), p.open(".", unix.O_RDONLY)
	p.call("make a folder", unix.SYS_MKDIRAT, at, "gone", 0o755)
	gone := p.open("gone", unix.O_RDONLY)
	p.call("enter it", unix.SYS_CHDIR, "gone")
	p.call("remove it", unix.SYS_UNLINKAT, above, "gone", unix.AT_REMOVEDIR)
	p.call("getcwd of nowhere", unix.SYS_GETCWD, b, 4096)
	p.call("openat a new file nowhere", unix.SYS_OPENAT, at, "new", unix.O_RDWR|unix.O_CREAT, 0o644)
	p.call("openat none nowhere", unix.SYS_OPENAT, at, "none", unix.O_RDONLY)
	p.call("mkdirat nowhere", unix.SYS_MKDIRAT, at, "new", 0o755)
	p.call("renameat to nowhere", unix.SYS_RENAMEAT, above, "file", at, "new")
	p.call("lseek what is gone to its beginning", unix.SYS_LSEEK, gone, 0, unix.SEEK_SET)
	p.call("getdents of what is gone", unix.SYS_GETDENTS64, gone, b, 1000)
	p.call("openat in what is gone", unix.SYS_OPENAT, gone, "none", unix.O_RDONLY)
	p.call("openat a new file in what is gone", unix.SYS_OPENAT, gone, "new", unix.O_RDWR|unix.O_CREAT, 0o644)
	p.call("leave it", unix.SYS_FCHDIR, above)
	p.call("enter it again", unix.SYS_CHDIR, "gone")
	p.call("close", unix.SYS_CLOSE, gone)
	p.call("close", unix.SYS_CLOSE, above)
}

// memory: mappings.
func (p *prober) memory() {
	const anonymous = unix.MAP_ANONYMOUS | unix.MAP_PRIVATE
	p.call("mmap nothing", unix.SYS_MMAP, 0, 0, unix.PROT_READ, anonymous, -1, 0)
	p.call("mmap more than there is", unix.SYS_MMAP, 0, 1<<62, unix.PROT_READ, anonymous, -1, 0)
	p.call("mmap between pages", unix.SYS_MMAP, 4097, 4096, unix.PROT_READ, anonymous|unix.MAP_FIXED, -1, 0)
	p.call("mmap neither shared nor private", unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_ANONYMOUS, -1, 0)
	p.call("mmap no file", unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, noFile, 0)
	a := p.try("mmap", unix.SYS_MMAP, 0, 3*4096, unix.PROT_READ|unix.PROT_WRITE, anonymous, -1, 0)
	p.call("munmap between pages", unix.SYS_MUNMAP, a+1, 4096)
	p.call("munmap nothing", unix.SYS_MUNMAP, a, 0)
	p.call("munmap the middle", unix.SYS_MUNMAP, a+4096, 4096)
	p.call("munmap it again", unix.SYS_MUNMAP, a+4096, 4096)
	p.call("madvise between pages", unix.SYS_MADVISE, a+1, 4096, unix.MADV_DONTNEED)
	p.call("madvise nothing known", unix.SYS_MADVISE, a, 4096, 999)
	p.call("madvise nothing", unix.SYS_MADVISE, a, 0, unix.MADV_DONTNEED)
	p.call("madvise", unix.SYS_MADVISE, a, 4096, unix.MADV_DONTNEED)
	p.call("madvise what is not there", unix.SYS_MADVISE, a, 3*4096, unix.MADV_DONTNEED)
	p.call("munmap all", unix.SYS_MUNMAP, a, 3*4096)
}

// events: what waits for descriptors.
func (p *prober) events() {
	b := unsafe.Pointer(&p.buffer)
	p.call("epoll_create1 with other flags", unix.SYS_EPOLL_CREATE1, 1)
	p.call("eventfd2 with other flags", unix.SYS_EVENTFD2, 0, 8)
	epoll, event := int(p.try("epoll_create1", unix.SYS_EPOLL_CREATE1, 0)), int(p.try("eventfd2", unix.SYS_EVENTFD2, 2, unix.EFD_NONBLOCK))
	file := p.open("file", unix.O_RDONLY)
	on := unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}
	e := unsafe.Pointer(&on)
	p.call("read an epoll", unix.SYS_READ, epoll, b, 8)
	p.call("write an epoll", unix.SYS_WRITE, epoll, b, 8)
	p.call("epoll_ctl nothing", unix.SYS_EPOLL_CTL, epoll, 9, event, e)
	p.call("epoll_ctl no epoll", unix.SYS_EPOLL_CTL, event, unix.EPOLL_CTL_ADD, event, e)
	p.call("epoll_ctl itself", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, epoll, e)
	p.call("epoll_ctl no file", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, noFile, e)
	p.call("epoll_ctl at no file", unix.SYS_EPOLL_CTL, noFile, unix.EPOLL_CTL_ADD, event, e)
	p.call("epoll_ctl a file", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, file, e)
	p.call("epoll_ctl what is not there", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_MOD, event, e)
	p.call("epoll_ctl off what is not there", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_DEL, event, e)
	p.call("epoll_ctl", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, event, e)
	p.call("epoll_ctl again", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, event, e)
	p.call("epoll_pwait", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	p.call("epoll_pwait for none", unix.SYS_EPOLL_PWAIT, epoll, b, 0, 0, 0, 8)
	p.call("epoll_pwait no epoll", unix.SYS_EPOLL_PWAIT, event, b, 3, 0, 0, 8)
	p.call("epoll_pwait no file", unix.SYS_EPOLL_PWAIT, noFile, b, 3, 0, 0, 8)
	p.call("read an event in 7 bytes", unix.SYS_READ, event, b, 7)
	p.call("read an event", unix.SYS_READ, event, b, 8)
	fmt.Println("it was", p.buffer[:8])
	p.call("read no event", unix.SYS_READ, event, b, 8)
	full := ^uint64(0)
	p.call("write the largest event", unix.SYS_WRITE, event, unsafe.Pointer(&full), 8)
	p.call("write an event of 7 bytes", unix.SYS_WRITE, event, unsafe.Pointer(&full), 7)
	full--
	p.call("write a large event", unix.SYS_WRITE, event, unsafe.Pointer(&full), 8)
	p.call("write more than fits", unix.SYS_WRITE, event, unsafe.Pointer(&full), 8)
	polls := [2]unix.PollFd{{Fd: int32(event), Events: unix.POLLIN}, {Fd: noFile, Events: unix.POLLIN}}
	p.call("poll", unix.SYS_POLL, unsafe.Pointer(&polls), 2, 0)
	fmt.Println("poll found", polls[0].Revents, polls[1].Revents)
	p.call("poll nothing", unix.SYS_POLL, 0, 0, 0)
	polls[1] = unix.PollFd{Fd: int32(file), Events: unix.POLLIN | unix.POLLOUT}
	none := [2]uint64{}
	p.call("ppoll", unix.SYS_PPOLL, unsafe.Pointer(&polls), 2, unsafe.Pointer(&none), 0, 8)
	fmt.Println("ppoll found", polls[0].Revents, polls[1].Revents)
	p.call("ppoll for no time", unix.SYS_PPOLL, unsafe.Pointer(&polls), 2, unsafe.Pointer(&[2]int64{0, 1e9}), 0, 8)
	p.call("select for no time", unix.SYS_SELECT, 0, 0, 0, 0, unsafe.Pointer(&[2]int64{0, -1}))
	polls[0].Fd = -1
	p.call("poll what is left out", unix.SYS_POLL, unsafe.Pointer(&polls), 1, 0)
	p.call("poll too many", unix.SYS_POLL, unsafe.Pointer(&polls), 1<<30, 0)
	in, out := unix.FdSet{}, unix.FdSet{}
	in.Set(event)
	out.Set(event)
	p.call("select", unix.SYS_SELECT, 64, unsafe.Pointer(&in), unsafe.Pointer(&out), 0, unsafe.Pointer(&none))
	fmt.Println("select found", in.IsSet(event), out.IsSet(event))
	exceptional := unix.FdSet{}
	exceptional.Set(event)
	in.Set(event)
	p.call("select an exception", unix.SYS_SELECT, 64, unsafe.Pointer(&in), 0, unsafe.Pointer(&exceptional), unsafe.Pointer(&none))
	fmt.Println("select found", in.IsSet(event), exceptional.IsSet(event))
	p.call("read what was selected", unix.SYS_READ, event, b, 8)
	in.Set(event)
	p.call("pselect6 of none", unix.SYS_PSELECT6, 64, unsafe.Pointer(&in), 0, 0, unsafe.Pointer(&none), 0)
	fmt.Println("pselect6 found", in.IsSet(event))
	p.call("select less than nothing", unix.SYS_SELECT, -1, 0, 0, 0, unsafe.Pointer(&none))
	in.Set(63)
	p.call("select no file", unix.SYS_SELECT, 64, unsafe.Pointer(&in), 0, 0, unsafe.Pointer(&none))
	on.Events = unix.EPOLLOUT
	p.call("epoll_ctl something else", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_MOD, event, e)
	p.call("epoll_pwait for that", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	p.call("epoll_ctl off", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_DEL, event, e)
	p.call("epoll_pwait for nobody", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	on.Events = unix.EPOLLOUT | unix.EPOLLONESHOT
	p.call("epoll_ctl once", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_ADD, event, e)
	p.call("epoll_pwait once", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	p.call("epoll_pwait twice", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	p.call("epoll_ctl on", unix.SYS_EPOLL_CTL, epoll, unix.EPOLL_CTL_MOD, event, e)
	p.full()
	p.call("close what is watched", unix.SYS_CLOSE, event)
	p.call("epoll_pwait for what is closed", unix.SYS_EPOLL_PWAIT, epoll, b, 3, 0, 0, 8)
	event = p.open("file", unix.O_RDONLY)
	for _, fd := range []int{epoll, event, file} {
		p.call("close", unix.SYS_CLOSE, fd)
	}
}

// full: there are no more descriptors.
func (p *prober) full() {
	unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 1 << 16}) // metal has no limits to be set
	var all []int
	for {
		fd, err := unix.Eventfd(0, 0)
		if err != nil {
			break
		}
		all = append(all, fd)
	}
	b := unsafe.Pointer(&p.buffer)
	p.call("eventfd2 too many", unix.SYS_EVENTFD2, 0, 0)
	p.call("epoll_create1 too many", unix.SYS_EPOLL_CREATE1, 0)
	p.call("openat too many", unix.SYS_OPENAT, unix.AT_FDCWD, "file", unix.O_RDONLY)
	p.call("pipe2 too many", unix.SYS_PIPE2, b, 0)
	p.call("close one", unix.SYS_CLOSE, all[0])
	p.call("pipe2 half too many", unix.SYS_PIPE2, b, 0)
	p.try("openat the last", unix.SYS_OPENAT, unix.AT_FDCWD, "file", unix.O_RDONLY)
	for _, fd := range all { // the file has the number of the first
		p.err = errors.Join(p.err, unix.Close(fd))
	}
}

// threads: time, signals, futexes and what a program may ask of itself.
func (p *prober) threads() {
	b := unsafe.Pointer(&p.buffer)
	word, none, wrong := uint32(5), unix.Timespec{}, unix.Timespec{Nsec: 1e9}
	w := unsafe.Pointer(&word)
	const wait, wake, private = 0, 1, 128
	p.call("futex of another value", unix.SYS_FUTEX, w, wait|private, 4, 0)
	p.call("futex that times out", unix.SYS_FUTEX, w, wait|private, 5, unsafe.Pointer(&none))
	p.call("futex for no time", unix.SYS_FUTEX, w, wait|private, 5, unsafe.Pointer(&wrong))
	p.call("futex between words", unix.SYS_FUTEX, uintptr(w)+1, wait|private, 5, unsafe.Pointer(&none))
	p.call("futex wakes between words", unix.SYS_FUTEX, uintptr(w)+1, wake|private, 9)
	p.call("futex wakes nobody", unix.SYS_FUTEX, w, wake|private, 9)
	p.call("futex nothing", unix.SYS_FUTEX, w, 99|private, 9)
	p.call("nanosleep", unix.SYS_NANOSLEEP, unsafe.Pointer(&none), 0)
	p.call("nanosleep no time", unix.SYS_NANOSLEEP, unsafe.Pointer(&wrong), 0)
	p.call("clock_gettime of none", unix.SYS_CLOCK_GETTIME, 99, b)
	p.call("clock_gettime", unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, b)
	for _, signal := range []int{0, 9, 19, 65} {
		p.call(fmt.Sprint("rt_sigaction of ", signal), unix.SYS_RT_SIGACTION, signal, b, 0, 8)
	}
	p.call("rt_sigaction in 4 bytes", unix.SYS_RT_SIGACTION, 10, 0, b, 4)
	p.call("rt_sigprocmask no way", unix.SYS_RT_SIGPROCMASK, 9, b, 0, 8)
	p.call("rt_sigprocmask in 4 bytes", unix.SYS_RT_SIGPROCMASK, 0, 0, b, 4)
	set, was := uint64(1<<(unix.SIGUSR1-1)), [4]uint64{}
	for i, how := range []int{unix.SIG_SETMASK, unix.SIG_BLOCK, unix.SIG_UNBLOCK} {
		if i == 1 {
			set = 1 << (unix.SIGUSR2 - 1)
		}
		p.call(fmt.Sprint("rt_sigprocmask ", how), unix.SYS_RT_SIGPROCMASK, how, unsafe.Pointer(&set), unsafe.Pointer(&was[i]), 8)
	}
	p.call("rt_sigprocmask back", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, unsafe.Pointer(&was[0]), unsafe.Pointer(&was[3]), 8)
	fmt.Println("masks were", was[1:])
	p.call("sigaltstack of another kind", unix.SYS_SIGALTSTACK, unsafe.Pointer(&[3]uint64{0, 4, 1 << 20}), 0)
	p.call("tgkill nobody", unix.SYS_TGKILL, unix.Getpid(), 999999, 0)
	p.call("tgkill no signal", unix.SYS_TGKILL, unix.Getpid(), unix.Gettid(), 65)
	p.call("tgkill to see", unix.SYS_TGKILL, unix.Getpid(), unix.Gettid(), 0)
	p.call("tkill to see", unix.SYS_TKILL, unix.Gettid(), 0)
	p.call("tkill nobody", unix.SYS_TKILL, 999999, 0)
	p.call("kill to see", unix.SYS_KILL, unix.Getpid(), 0)
	p.call("sched_getaffinity in 7 bytes", unix.SYS_SCHED_GETAFFINITY, 0, 7, b)
	p.call("sched_getaffinity in none", unix.SYS_SCHED_GETAFFINITY, 0, 0, b)
	p.call("prctl nothing", unix.SYS_PRCTL, 9999, 0, 0, 0, 0)
	p.call("arch_prctl nothing", unix.SYS_ARCH_PRCTL, 9999, 0)
	p.call("getrandom", unix.SYS_GETRANDOM, b, 32, 0)
	p.call("getrandom nothing", unix.SYS_GETRANDOM, b, 0, 0)
	p.call("sched_yield", unix.SYS_SCHED_YIELD)
	p.call("a call that there is not", 999)
}
