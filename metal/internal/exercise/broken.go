//go:build linux

package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

//go:linkname metalVolumes bootllama/metal.volumes
var metalVolumes [16]struct {
	device, root uintptr
	name         [32]uint16
}

//go:linkname systemTableAddress bootllama/metal.systemTableAddress
var systemTableAddress uintptr

// breakService makes a service of the firmware return EFI_DEVICE_ERROR, for the programs that are started after this one
// (UEFI 2.10, 4.3 EFI_SYSTEM_TABLE, 4.4 EFI_BOOT_SERVICES, 4.5 EFI_RUNTIME_SERVICES; PI 1.7 volume 2, 13.4).
func breakService(args []string) error {
	const deviceError = 1<<63 | 7
	table := *(**struct {
		_               [88]byte
		runtimeServices *[17]uintptr
		bootServices    *[47]uintptr
	})(unsafe.Pointer(&systemTableAddress))
	mp := *(**[8]uintptr)(unsafe.Pointer(&mpServices))
	switch args[0] {
	case "GetMemoryMap": // and then return descriptors of 16 bytes
		overwriteMap(table.bootServices[7], deviceError, 16)
	case "SetWatchdogTimer":
		overwrite(table.bootServices[32], deviceError)
	case "GetTime":
		overwrite(table.runtimeServices[3], deviceError)
	case "GetNumberOfProcessors":
		overwrite(mp[0], deviceError)
	default:
		return fmt.Errorf("no service %q", args[0])
	}
	return nil
}

// The functions of EFI_FILE_PROTOCOL (UEFI 2.10, 13.5), by their place in it.
const (
	fileOpen        = 1
	fileDelete      = 3
	fileRead        = 4
	fileWrite       = 5
	fileSetPosition = 7
	fileGetInfo     = 8
	fileSetInfo     = 9
	fileFlush       = 10
)

// broken makes the firmware's functions for files fail, one after the other with each status that the specification has for
// them, and looks at what calls return. In between all is as before: what failed has left the file with its name and contents.
func broken([]string) error {
	const name, other, folder = "/BROKEN", "/OTHER", "/FOLDER"
	if err := os.WriteFile(name, []byte("whole"), 0o666); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	fd, b := int(f.Fd()), make([]byte, 4096)
	var stat syscall.Stat_t
	directory, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	list := func() error {
		if _, err := syscall.Seek(directory, 0, 0); err != nil {
			return err
		}
		_, err := syscall.ReadDirent(directory, b)
		return err
	}
	var statfs syscall.Statfs_t
	operations := []struct {
		function int
		name     string
		call     func() error
	}{
		{fileOpen, "open", func() error { return openAndClose(name, syscall.O_RDONLY) }},
		{fileOpen, "open for writing", func() error { return openAndClose(name, syscall.O_RDWR|syscall.O_CREAT) }},
		{fileOpen, "create", func() error { return openAndClose(other, syscall.O_RDWR|syscall.O_CREAT) }},
		{fileOpen, "open a folder", func() error { return openAndClose(folder, syscall.O_RDONLY) }},
		{fileOpen, "stat", func() error { return syscall.Stat(name, &stat) }},
		{fileOpen, "access", func() error { return syscall.Access(name, 0) }},
		{fileOpen, "mkdir", func() error { return syscall.Mkdir(other, 0o777) }},
		{fileOpen, "unlink", func() error { return syscall.Unlink(name) }},
		{fileOpen, "rmdir", func() error { return syscall.Rmdir(folder) }},
		{fileOpen, "rename", func() error { return syscall.Rename(name, other) }},
		{fileOpen, "truncate", func() error { return syscall.Truncate(name, 1) }},
		{fileOpen, "chdir", func() error { return syscall.Chdir(folder) }},
		{fileOpen, "chmod", func() error { return syscall.Chmod(name, 0o444) }},
		{fileRead, "read", func() error { _, err := syscall.Pread(fd, b[:5], 0); return err }},
		{fileRead, "list a folder", list},
		{fileWrite, "write", func() error { _, err := syscall.Pwrite(fd, []byte("w"), 0); return err }},
		{fileWrite, "write behind the end", func() error { _, err := syscall.Pwrite(fd, []byte("w"), 100); return err }},
		{fileWrite, "grow", func() error { return syscall.Ftruncate(fd, 100) }},
		{fileSetPosition, "read from a place", func() error { _, err := syscall.Pread(fd, b[:3], 1); return err }},
		{fileSetPosition, "write to a place", func() error { _, err := syscall.Pwrite(fd, []byte("h"), 1); return err }},
		{fileSetPosition, "list a folder from its beginning", list},
		{fileGetInfo, "fstat", func() error { return syscall.Fstat(fd, &stat) }},
		{fileGetInfo, "stat, of its information", func() error { return syscall.Stat(name, &stat) }},
		{fileGetInfo, "open, of its information", func() error { return openAndClose(name, syscall.O_RDONLY) }},
		{fileGetInfo, "unlink, of its information", func() error { return syscall.Unlink(name) }},
		{fileGetInfo, "rename, of its information", func() error { return syscall.Rename(name, other) }},
		{fileGetInfo, "seek from the end", func() error { _, err := syscall.Seek(fd, 0, 2); return err }},
		{fileGetInfo, "truncate, of its information", func() error { return syscall.Ftruncate(fd, 1) }},
		{fileGetInfo, "statfs", func() error { return syscall.Statfs(name, &statfs) }},
		{fileSetInfo, "truncate an open file", func() error { return syscall.Ftruncate(fd, 1) }},
		{fileSetInfo, "chmod, of its information", func() error { return syscall.Chmod(name, 0o444) }},
		{fileSetInfo, "unlink an open file", func() error { return syscall.Unlink(name) }},
		{fileSetInfo, "rename, of a new name", func() error { return syscall.Rename(name, other) }},
		{fileSetInfo, "utimes", func() error { return syscall.UtimesNano(name, make([]syscall.Timespec, 2)) }},
		{fileFlush, "fsync", func() error { return syscall.Fsync(fd) }},
		{fileDelete, "rmdir, of the folder itself", func() error { return syscall.Rmdir(folder) }},
	}
	root := *(**[11]uintptr)(unsafe.Pointer(&metalVolumes[0].root))
	problems := 0
	for _, o := range operations {
		for status, want := range fileErrors {
			function := root[o.function]
			code := *(**[11]byte)(unsafe.Pointer(&function))
			whole := *code
			overwrite(function, 1<<63|status)
			err := o.call()
			*code = whole
			switch {
			case want == syscall.EINVAL && (o.function == fileOpen || o.name == "rename, of a new name"):
				want = syscall.ENAMETOOLONG // as EDK2's driver means it, when the name is the only argument that can be wrong
			case o.function == fileDelete:
				want = syscall.EIO // the specification has no errors, only a warning
			}
			if err != want {
				problems++
				fmt.Printf("%s: status %d: %v, want %v\n", o.name, status, err, want)
			}
			if text, err := os.ReadFile(name); err != nil || string(text) != "whole" {
				return fmt.Errorf("after %s, status %d: %q, %v", o.name, status, text, err)
			}
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return fmt.Errorf("after %s, status %d: %v, %v", o.name, status, info, err)
			}
			if _, err := os.Stat(other); !os.IsNotExist(err) {
				return fmt.Errorf("after %s, status %d, there is %s: %v", o.name, status, other, err)
			}
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d wrong errors", problems)
	}
	for _, err := range []error{syscall.Close(directory), f.Close(), os.Remove(name), os.Remove(folder)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// fileErrors are the error numbers for statuses (UEFI 2.10, appendix D, without the highest bit).
var fileErrors = map[uint64]error{
	2: syscall.EINVAL, 3: syscall.EINVAL, 7: syscall.EIO, 8: syscall.EROFS, 9: syscall.ENOMEM, 10: syscall.EIO, 11: syscall.ENOSPC,
	12: syscall.ENXIO, 13: syscall.ENXIO, 14: syscall.ENOENT, 15: syscall.EACCES, 18: syscall.EIO, 21: syscall.EIO,
}

// openAndClose opens a file and closes it.
func openAndClose(name string, flags int) error {
	fd, err := syscall.Open(name, flags, 0o666)
	if err == nil {
		syscall.Close(fd)
	}
	return err
}
