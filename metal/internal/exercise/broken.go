//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:linkname metalVolumes bootllama/metal.volumes
var metalVolumes [16]struct {
	device, root uintptr
	name         [32]uint16
}

//go:linkname metalVolumeCount bootllama/metal.volumeCount
var metalVolumeCount int

//go:linkname metalShell bootllama/metal.shell
var metalShell uintptr

//go:linkname consoleOut bootllama/metal.textOut
var consoleOut *[10]uintptr

//go:linkname systemTableAddress bootllama/metal.systemTableAddress
var systemTableAddress uintptr

// efiTable is a part of EFI_SYSTEM_TABLE (UEFI 2.10, 4.3).
type efiTable struct {
	_               [88]byte
	runtimeServices *[17]uintptr
	bootServices    *[47]uintptr
}

func firmwareTable() *efiTable { return *(**efiTable)(unsafe.Pointer(&systemTableAddress)) }

// breakService makes a service of the firmware return EFI_DEVICE_ERROR, for the programs that are started after this one
// (UEFI 2.10, 4.3 EFI_SYSTEM_TABLE, 4.4 EFI_BOOT_SERVICES, 4.5 EFI_RUNTIME_SERVICES; PI 1.7 volume 2, 13.4).
func breakService(args []string) error {
	const deviceError = 1<<63 | 7
	table := firmwareTable()
	mp := *(**[8]uintptr)(unsafe.Pointer(&mpServices))
	switch args[0] { // a function's place is its offset, by the specification, divided by 8
	case "GetMemoryMap": // and then return descriptors of 16 bytes
		overwriteMap(table.bootServices[7], deviceError, 16)
	case "SetWatchdogTimer":
		overwrite(table.bootServices[32], deviceError)
	case "GetTime":
		overwrite(table.runtimeServices[3], deviceError)
	case "QueryMode": // of the console (12.4.4): it says that it has told, and has not
		overwrite((*consoleOut)[3], 0)
	case "GetNumberOfProcessors":
		overwrite(mp[0], deviceError)
	default:
		return fmt.Errorf("no service %q", args[0])
	}
	return nil
}

// ordinary does what an ordinary program does: it uses files, other cores, time and the terminal. What the machine does not have
// it tells, and goes on.
func ordinary([]string) error {
	var tells []error
	const name = "ORDINARY"
	tells = append(tells, os.WriteFile(name, []byte("text"), 0o666))
	text, err := os.ReadFile(name)
	if err == nil && string(text) != "text" {
		return fmt.Errorf("the file has %q", text)
	}
	tells = append(tells, err, os.Remove(name))
	var sum atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			time.Sleep(time.Duration(5*i) * time.Millisecond)
			for n := range int64(1e5) {
				sum.Add(n & 1)
			}
		})
	}
	wg.Wait()
	if n := sum.Load(); n != 4*5e4 {
		return fmt.Errorf("four goroutines counted to %d", n)
	}
	_, err = syscall.Read(0, nil)
	tells = append(tells, err)
	keyboard := make(chan error)
	go func() {
		_, err := unix.Poll([]unix.PollFd{{Fd: 0, Events: unix.POLLIN}}, 30)
		keyboard <- err
	}()
	tells = append(tells, <-keyboard)
	for _, err := range tells {
		if err != nil {
			fmt.Println("ordinary:", err)
		}
	}
	return nil
}

// leaks makes calls about files again and again, right and wrong ones: whether what they open is closed shows at once, and in the
// firmware's memory afterwards.
func leaks([]string) error {
	countHandles(*(**[11]uintptr)(unsafe.Pointer(&metalVolumes[0].root)))
	return inFolder("/LEAKS", func() error {
		if err := errors.Join(os.MkdirAll("a/b/c", 0o777), os.WriteFile("file", []byte("text"), 0o666), os.WriteFile("a/file", nil, 0o666)); err != nil {
			return err
		}
		inside, err := os.Open("a/file")
		if err != nil {
			return err
		}
		defer inside.Close()
		var stat syscall.Stat_t
		var statfs syscall.Statfs_t
		b := make([]byte, 4096)
		times := make([]syscall.Timespec, 2)
		folder, err := syscall.Open("a", syscall.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(folder)
		open := openHandles
		for n := range 40 {
			if openHandles != open {
				return fmt.Errorf("after %d rounds, %d handles more are open", n, int(openHandles-open))
			}
			for _, name := range []string{"file", "a", "none", "a/b/c", "a/b/../file", "file/none", "none/none", "a/./b/", "file/", "..", ".", "/", "../../x", "a:b"} {
				syscall.Stat(name, &stat)
				syscall.Access(name, 1)
				for _, flags := range []int{syscall.O_RDONLY, syscall.O_RDWR, syscall.O_CREAT | syscall.O_EXCL, syscall.O_DIRECTORY} {
					if name != "none" || flags&syscall.O_CREAT == 0 {
						openAndClose(name, flags)
					}
				}
				syscall.Readlink(name, b)
				syscall.Link(name, "file")
				syscall.Symlink(name, "a")
				syscall.Statfs(name, &statfs)
				if name != "none" && name != "../../x" {
					syscall.Mkdir(name, 0o777)
				}
			}
			if n%4 > 0 {
				continue
			}
			// What writes to the disk takes longer.
			for _, name := range []string{"file", "a", "none", "file/none", "."} {
				syscall.Rmdir(name)
				syscall.Rename(name, name)
				syscall.Rename(name, "a/b")
				syscall.Rename(name, "none/none")
				syscall.Truncate(name, 3)
				syscall.Chmod(name, 0o444)
				syscall.Chmod(name, 0o644)
				syscall.UtimesNano(name, times)
				syscall.Chmod(name, 0o444)
				syscall.UtimesNano(name, times)
				syscall.Rename(name, "a/read-only")
				syscall.Rename("a/read-only", name)
				syscall.Chmod(name, 0o644)
				if syscall.Chdir(name) == nil {
					syscall.Getwd()
					syscall.Chdir("/LEAKS")
				}
			}
			for _, err := range []error{
				touch(folder), touch(int(inside.Fd())), syscall.Fchdir(folder), os.Chdir(".."), os.Rename("a", "A"), os.Rename("A", "other"), os.Rename("other", "a"), os.Rename("file", "a/b/file"),
				os.Rename("a/b/file", "FILE"), os.Rename("FILE", "file"), os.Mkdir("new", 0o777), syscall.Rename("new", "a/b/c"), unlinkOpen("new"),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}, func() error {
		for range 200 { // the end of the program closes them
			if _, err := syscall.Open("/EX.EFI", syscall.O_RDONLY, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// unlinkOpen removes a file while it is open.
func unlinkOpen(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(name), f.Close())
}

// The functions of EFI_FILE_PROTOCOL (UEFI 2.10, 13.5), by their place in it.
const (
	fileOpen        = 1
	fileClose       = 2
	fileDelete      = 3
	fileRead        = 4
	fileWrite       = 5
	fileSetPosition = 7
	fileGetInfo     = 8
	fileSetInfo     = 9
	fileFlush       = 10
)

const brokenName, brokenOther, brokenFolder, brokenReadOnly = "/BROKEN", "/OTHER", "/FOLDER", "/READONLY"

// broken makes the firmware's functions for files fail, one after the other with each status that the specification has for
// them, and looks at what calls return. In between all is as before: what failed has left the file with its name and contents.
func broken([]string) error {
	root := countHandles(*(**[11]uintptr)(unsafe.Pointer(&metalVolumes[0].root)))
	if err := os.WriteFile(brokenName, []byte("whole"), 0o666); err != nil {
		return err
	}
	if err := os.Mkdir(brokenFolder, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(brokenReadOnly, nil, 0o444); err != nil {
		return err
	}
	if err := os.Chmod(brokenReadOnly, 0o444); err != nil { // a new file on FAT can be written
		return err
	}
	fd, err := syscall.Open(brokenName, syscall.O_RDWR, 0)
	if err != nil {
		return err
	}
	through, err := syscall.Open(brokenName, syscall.O_RDWR|syscall.O_SYNC, 0)
	if err != nil {
		return err
	}
	appends, err := syscall.Open(brokenName, syscall.O_WRONLY|syscall.O_APPEND, 0)
	if err != nil {
		return err
	}
	directory, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	reads, err := syscall.Open(brokenName, syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	inside, err := syscall.Open(brokenFolder+"/INSIDE", syscall.O_RDWR|syscall.O_CREAT, 0o666)
	if err != nil {
		return err
	}
	f := &brokenFiles{fd: fd, through: through, appends: appends, directory: directory, reads: reads, inside: inside}
	problems := 0
	for _, o := range f.operations() {
		for status, want := range fileErrors {
			switch {
			case want == syscall.ENOENT && o.name == "symlink":
				want = syscall.EPERM // nothing has the name
			case want == syscall.EINVAL && (o.function == fileOpen && o.name != "fchdir" || strings.HasPrefix(o.name, "rename, of a new name")):
				want = syscall.ENAMETOOLONG // as EDK2's driver means it, when the name is the only argument that can be wrong
			case o.function == fileDelete:
				want = syscall.EIO // the specification has no errors, only a warning
			}
			before := openHandles
			if err := whileFileFails(root, o.function, 1<<63|status, o.call); err != want || openHandles != before {
				problems++
				fmt.Printf("%s: status %d: %v, want %v; %d handles more are open\n", o.name, status, err, want, int(openHandles-before))
			}
			if err := asBefore(); err != nil {
				return fmt.Errorf("after %s, status %d: %w", o.name, status, err)
			}
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d wrong errors", problems)
	}
	if err := f.special(root); err != nil {
		return err
	}
	for _, err := range []error{syscall.Close(directory), syscall.Close(fd), syscall.Close(through), syscall.Close(appends), syscall.Close(reads), syscall.Close(inside), os.Remove(brokenName), os.RemoveAll(brokenFolder), os.Remove(brokenReadOnly)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// special makes the calls that do not just pass an error on.
func (f *brokenFiles) special(root *[11]uintptr) error {
	const deviceError, warnDeleteFailure, nothingDone = 1<<63 | 7, 2, 0
	read := func(at int64) func() error {
		return func() error {
			n, err := syscall.Pread(f.fd, f.b[:5], at)
			if err == nil && n != 0 {
				err = fmt.Errorf("%d bytes", n)
			}
			return err
		}
	}
	sync := func() error { return syscall.Fsync(f.reads) }
	write := func() error { _, err := syscall.Pwrite(f.fd, []byte("whole"), 0); return err }
	for _, c := range []struct {
		name     string
		before   func() error
		function int
		status   uint64
		call     func() error
		want     error
	}{
		// A read that begins at the end fails on firmware that follows 13.5.4; it is no error.
		{"read at the end", nil, fileRead, deviceError, read(5), nil},
		{"read behind the end", nil, fileRead, deviceError, read(6), nil},
		{"read far behind the end", nil, fileRead, deviceError, read(1e6), nil},
		{"read the last byte", nil, fileRead, deviceError, read(4), syscall.EIO},
		{"read through", nil, fileFlush, deviceError, func() error { _, err := syscall.Pread(f.through, f.b[:5], 0); return err }, nil},
		{"fsync of what others have not written", sync, fileFlush, deviceError, sync, nil},
		{"fsync of what another has written", write, fileFlush, deviceError, sync, syscall.EIO},
		{"fsync of what another has written and synced", func() error { return errors.Join(write(), syscall.Fsync(f.fd)) }, fileFlush, deviceError, sync, nil},
		{"fsync of what another has made shorter", func() error { return errors.Join(sync(), syscall.Ftruncate(f.fd, 5)) }, fileFlush, deviceError, sync, syscall.EIO},
		{"fsync after sync", func() error { err := write(); syscall.Sync(); return err }, fileFlush, deviceError, sync, nil},
		{"grow beyond the volume", nil, fileWrite, deviceError, func() error { return syscall.Ftruncate(f.fd, 1<<30) }, syscall.ENOSPC}, // without a write
		{"grow where nothing is written", nil, fileWrite, nothingDone, func() error { return syscall.Ftruncate(f.fd, 100) }, syscall.ENOSPC},
		{"create", nil, fileGetInfo, deviceError, func() error {
			return openAndClose(brokenFolder+"/NEW", syscall.O_RDWR|syscall.O_CREAT)
		}, syscall.EIO},
		{"unlink what cannot be deleted", nil, fileDelete, warnDeleteFailure, func() error { return syscall.Unlink(brokenFolder + "/CLOSED") }, syscall.EACCES},
		{"unlink", nil, fileDelete, deviceError, func() error { return syscall.Unlink(brokenFolder + "/CLOSED") }, syscall.EIO},
		{"stat above a folder", func() error { return os.Chdir(brokenFolder) }, fileGetInfo, deviceError, func() error { return syscall.Stat("..", &f.stat) }, syscall.ENOENT},
		{"rmdir what cannot be deleted", nil, fileDelete, warnDeleteFailure, func() error { return syscall.Rmdir(brokenFolder) }, syscall.ENOTEMPTY},
	} {
		err := os.WriteFile(brokenFolder+"/CLOSED", nil, 0o666)
		if err == nil && c.before != nil {
			err = c.before()
		}
		if err != nil {
			return fmt.Errorf("before %s: %w", c.name, err)
		}
		open := openHandles
		if err := whileFileFails(root, c.function, c.status, c.call); err != c.want || openHandles != open {
			return fmt.Errorf("%s: %v, want %v; %d handles more are open", c.name, err, c.want, int(openHandles-open))
		}
		if err := asBefore(); err != nil {
			return fmt.Errorf("after %s: %w", c.name, err)
		}
	}
	return os.Chdir("/")
}

// whileFails makes a call while a function of the firmware returns a status.
func whileFails(function uintptr, status uint64, call func() error) error {
	code := *(**[11]byte)(unsafe.Pointer(&function))
	whole := *code
	overwrite(function, 1<<63|status)
	err := call()
	*code = whole
	return err
}

// whileFileFails makes a call while a function of EFI_FILE_PROTOCOL returns a status and does nothing, except that Delete closes the
// file, as it does whatever it returns (13.5.3).
func whileFileFails(root *[11]uintptr, function int, status uint64, call func() error) error {
	code := *(**[32]byte)(unsafe.Pointer(&root[function]))
	whole := *code
	switch {
	case function == fileDelete:
		overwriteAfter(root[function], root[fileClose], status)
	case status == 0:
		overwriteCount(root[function], 0) // the buffer's size
	default:
		overwrite(root[function], status)
	}
	err := call()
	*code = whole
	return err
}

// asBefore says whether the file, the folder and nothing else are there.
func asBefore() error {
	if text, err := os.ReadFile(brokenName); err != nil || string(text) != "whole" {
		return fmt.Errorf("the file has %q, %v", text, err)
	}
	if info, err := os.Stat(brokenFolder); err != nil || !info.IsDir() {
		return fmt.Errorf("the folder is %v, %v", info, err)
	}
	if info, err := os.Stat(brokenReadOnly); err != nil || info.Mode() != 0o444 {
		return fmt.Errorf("the read-only file is %v, %v", info, err)
	}
	if _, err := os.Stat(brokenOther); !os.IsNotExist(err) {
		return fmt.Errorf("there is %s: %v", brokenOther, err)
	}
	return nil
}

// brokenFiles are the open descriptors: of the file, of the file with O_SYNC, with O_APPEND and for reading, of the root, and of a
// file in the folder; and room for what calls store.
type brokenFiles struct {
	fd, through, appends, reads, directory, inside int

	b      [4096]byte
	stat   syscall.Stat_t
	statfs syscall.Statfs_t
}

// list lists the root from its beginning.
func (f *brokenFiles) list() error {
	if _, err := syscall.Seek(f.directory, 0, 0); err != nil {
		return err
	}
	_, err := syscall.ReadDirent(f.directory, f.b[:])
	return err
}

// renameFolder renames the folder, in which a file is open, and reads that.
func (f *brokenFiles) renameFolder() error {
	err := syscall.Rename(brokenFolder, brokenOther)
	if _, unreadable := syscall.Pread(f.inside, f.b[:1], 0); unreadable != nil {
		return unreadable
	}
	return err
}

// touch sets the times of a descriptor.
func touch(fd int) error {
	var times [2]syscall.Timespec
	if _, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// fileOperation is a call that needs a function of EFI_FILE_PROTOCOL.
type fileOperation struct {
	function int
	name     string
	call     func() error
}

func (f *brokenFiles) operations() []fileOperation {
	return []fileOperation{
		{fileOpen, "open", func() error { return openAndClose(brokenName, syscall.O_RDONLY) }},
		{fileOpen, "open for writing", func() error { return openAndClose(brokenName, syscall.O_RDWR|syscall.O_CREAT) }},
		{fileOpen, "create", func() error { return openAndClose(brokenOther, syscall.O_RDWR|syscall.O_CREAT) }},
		{fileOpen, "open a folder", func() error { return openAndClose(brokenFolder, syscall.O_RDONLY) }},
		{fileOpen, "stat", func() error { return syscall.Stat(brokenName, &f.stat) }},
		{fileOpen, "access", func() error { return syscall.Access(brokenName, 0) }},
		{fileOpen, "mkdir", func() error { return syscall.Mkdir(brokenOther, 0o777) }},
		{fileOpen, "unlink", func() error { return syscall.Unlink(brokenName) }},
		{fileOpen, "rmdir", func() error { return syscall.Rmdir(brokenFolder) }},
		{fileOpen, "rename", func() error { return syscall.Rename(brokenName, brokenOther) }},
		{fileOpen, "truncate", func() error { return syscall.Truncate(brokenName, 1) }},
		{fileOpen, "chdir", func() error { return syscall.Chdir(brokenFolder) }},
		{fileOpen, "chmod", func() error { return syscall.Chmod(brokenName, 0o444) }},
		{fileOpen, "utimes, of a name", func() error { return syscall.UtimesNano(brokenName, make([]syscall.Timespec, 2)) }},
		{fileOpen, "link", func() error { return syscall.Link(brokenName, brokenOther) }},
		{fileOpen, "symlink", func() error { return syscall.Symlink(brokenName, brokenOther) }},
		{fileOpen, "readlink", func() error { _, err := syscall.Readlink(brokenName, f.b[:]); return err }},
		{fileOpen, "fchdir", func() error { return syscall.Fchdir(f.directory) }},
		{fileOpen, "statfs, of a name", func() error { return syscall.Statfs(brokenName, &f.statfs) }},
		{fileRead, "read", func() error { _, err := syscall.Pread(f.fd, f.b[:5], 0); return err }},
		{fileRead, "list a folder", f.list},
		{fileWrite, "write", func() error { _, err := syscall.Pwrite(f.fd, []byte("w"), 0); return err }},
		{fileWrite, "write behind the end", func() error { _, err := syscall.Pwrite(f.fd, []byte("w"), 100); return err }},
		{fileWrite, "write at the end", func() error { _, err := syscall.Pwrite(f.fd, []byte("w"), 5); return err }},
		{fileWrite, "grow", func() error { return syscall.Ftruncate(f.fd, 100) }},
		{fileSetPosition, "read from a place", func() error { _, err := syscall.Pread(f.fd, f.b[:3], 1); return err }},
		{fileSetPosition, "write to a place", func() error { _, err := syscall.Pwrite(f.fd, []byte("h"), 1); return err }},
		{fileSetPosition, "list a folder from its beginning", f.list},
		{fileGetInfo, "fstat", func() error { return syscall.Fstat(f.fd, &f.stat) }},
		{fileGetInfo, "stat, of its information", func() error { return syscall.Stat(brokenName, &f.stat) }},
		{fileGetInfo, "stat in a folder, of its information", func() error { return syscall.Stat(brokenFolder+"/INSIDE", &f.stat) }},
		{fileGetInfo, "open, of its information", func() error { return openAndClose(brokenName, syscall.O_RDONLY) }},
		{fileGetInfo, "unlink, of its information", func() error { return syscall.Unlink(brokenName) }},
		{fileGetInfo, "rename, of its information", func() error { return syscall.Rename(brokenName, brokenOther) }},
		{fileGetInfo, "seek from the end", func() error { _, err := syscall.Seek(f.fd, 0, 2); return err }},
		{fileGetInfo, "truncate, of its information", func() error { return syscall.Ftruncate(f.fd, 1) }},
		{fileGetInfo, "statfs", func() error { return syscall.Statfs(brokenName, &f.statfs) }},
		{fileGetInfo, "append", func() error { _, err := syscall.Write(f.appends, []byte("more")); return err }},
		{fileGetInfo, "rmdir, of its information", func() error { return syscall.Rmdir(brokenFolder) }},
		{fileGetInfo, "chdir, of its information", func() error { return syscall.Chdir(brokenFolder) }},
		{fileGetInfo, "chmod, of what it was", func() error { return syscall.Chmod(brokenName, 0o444) }},
		{fileGetInfo, "utimes, of what they were", func() error { return syscall.UtimesNano(brokenName, make([]syscall.Timespec, 2)) }},
		{fileGetInfo, "fstatfs", func() error { return syscall.Fstatfs(f.fd, &f.statfs) }},
		{fileGetInfo, "write, of its information", func() error { _, err := syscall.Pwrite(f.fd, []byte("w"), 0); return err }},
		{fileGetInfo, "access, of its information", func() error { return syscall.Access(brokenName, 0) }},
		{fileGetInfo, "fchmod, of what it was", func() error { return syscall.Fchmod(f.fd, 0o444) }},
		{fileGetInfo, "utimes of a descriptor, of what they were", func() error { return touch(f.reads) }},
		{fileSetInfo, "fchmod", func() error { return syscall.Fchmod(f.fd, 0o444) }},
		{fileSetInfo, "utimes of a descriptor", func() error { return touch(f.reads) }},
		{fileSetInfo, "open, of its size", func() error { return openAndClose(brokenName, syscall.O_RDWR|syscall.O_TRUNC) }},
		{fileSetInfo, "rename, of a new name of a folder", f.renameFolder},
		{fileSetInfo, "truncate by name", func() error { return syscall.Truncate(brokenName, 1) }},
		{fileSetInfo, "rename a read-only file", func() error { return syscall.Rename(brokenReadOnly, brokenOther) }},
		{fileSetInfo, "unlink a read-only file", func() error { return syscall.Unlink(brokenReadOnly) }},
		{fileSetInfo, "truncate an open file", func() error { return syscall.Ftruncate(f.fd, 1) }},
		{fileSetInfo, "chmod, of its information", func() error { return syscall.Chmod(brokenName, 0o444) }},
		{fileSetInfo, "unlink an open file", func() error { return syscall.Unlink(brokenName) }},
		{fileSetInfo, "rename, of a new name", func() error { return syscall.Rename(brokenName, brokenOther) }},
		{fileSetInfo, "utimes", func() error { return syscall.UtimesNano(brokenName, make([]syscall.Timespec, 2)) }},
		{fileFlush, "write through", func() error { _, err := syscall.Pwrite(f.through, []byte("w"), 0); return err }},
		{fileFlush, "fsync", func() error { return syscall.Fsync(f.fd) }},
		{fileDelete, "rmdir, of the folder itself", func() error { return syscall.Rmdir(brokenFolder) }},
	}
}

// fileErrors are the error numbers for statuses (UEFI 2.10, appendix D, without the highest bit).
var fileErrors = map[uint64]error{
	2: syscall.EINVAL, 3: syscall.EINVAL, 7: syscall.EIO, 8: syscall.EROFS, 9: syscall.ENOMEM, 10: syscall.EIO, 11: syscall.ENOSPC,
	12: syscall.ENXIO, 13: syscall.ENXIO, 14: syscall.ENOENT, 15: syscall.EACCES, 18: syscall.EIO, 21: syscall.EIO,
}

// openAndClose opens a file and closes it.
func openAndClose(name string, flags int) error {
	fd, err := syscall.Open(name, flags, 0o666)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}
