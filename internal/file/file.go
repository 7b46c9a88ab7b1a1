// Package file writes files as a whole or not at all, and none in the place of what must stay.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Check refuses to write to the file that is called name where that would lose something: name is one of inputs, the
// files that the command reads, perhaps by another path, a link or in other letters' case, or it is no plain file, since
// a new file would take the place of /dev/null or of a disk's device. It opens no file. Inputs that do not exist, and
// empty names, are ignored.
func Check(name string, inputs ...string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file: write to a file and copy that")
	}
	return errors.Join(Error(name, err), CheckInputs(name, inputs...))
}

// CheckInputs is Check for a command that writes as it goes: there name may be a device.
func CheckInputs(name string, inputs ...string) error {
	info, err := os.Stat(name)
	if err != nil {
		return nil // there is nothing to lose
	}
	for _, input := range inputs {
		if read, err := os.Stat(input); err == nil && os.SameFile(info, read) && !isDevice(info) {
			return Error(name, fmt.Errorf("that is %s, which is read: write to another file", input))
		}
	}
	return nil
}

func isDevice(info fs.FileInfo) bool {
	return info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0
}

// Error is err, if any, in terms of the file that was asked for, not of the temporary one in its place.
func Error(name string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("cannot write %s: %w", name, err)
}

// Write writes a file as a whole or not at all: see WriteFunc.
func Write(name string, data []byte) error {
	return WriteFunc(name, func(f *os.File) error {
		_, err := f.Write(data)
		return Error(name, err)
	})
}

// WriteFunc writes a file as a whole or not at all, also where the power fails: a new file beside it is on the disk before
// it is renamed. write puts the contents into it; its error is returned as it is.
//
// A symbolic link stays, and the file that it names is written. A file that was there keeps its mode and, where that is
// permitted, its owner and group; a new one gets what the umask allows. A file that the user may not write is refused,
// although the rename would be permitted.
func WriteFunc(name string, write func(f *os.File) error) error {
	return system{(*os.File).Sync, os.Rename}.write(name, write)
}

// system has the calls whose order matters when the power fails; a test notes them.
type system struct {
	sync   func(f *os.File) error
	rename func(from, to string) error
}

func (s system) write(name string, write func(f *os.File) error) (err error) {
	if err := Check(name); err != nil {
		return err
	}
	target, old, err := follow(name)
	if err != nil {
		return Error(name, err)
	}
	folder, _ := filepath.Split(target) // as it is: filepath.Dir would take x out of link/../x
	f, err := create(folder, old)
	if err != nil {
		return Error(name, err)
	}
	renamed := false
	defer func() {
		if !renamed {
			f.Close() // an error changes nothing
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if old != nil {
		if err := keep(f, old); err != nil {
			return Error(name, err)
		}
	}
	if err := errors.Join(s.sync(f), f.Close()); err != nil {
		return Error(name, err)
	}
	if err := s.rename(f.Name(), target); err != nil {
		return Error(name, err)
	}
	renamed = true
	return Error(name, s.syncFolder(folder))
}

// maxLinks is how many symbolic links Linux follows.
const maxLinks = 40

// follow returns the path behind all symbolic links, where there may be no file yet, and the file that is there, or nil.
func follow(name string) (target string, old fs.FileInfo, err error) {
	target = name
	for range maxLinks + 1 {
		info, err := os.Lstat(target)
		if errors.Is(err, fs.ErrNotExist) {
			info, err = nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		if info == nil || info.Mode()&fs.ModeSymlink == 0 {
			return target, info, writable(name, info)
		}
		link, err := os.Readlink(target)
		if err != nil {
			return "", nil, err
		}
		if !filepath.IsAbs(link) {
			folder, _ := filepath.Split(target)
			link = folder + link
		}
		target = link
	}
	return "", nil, syscall.ELOOP
}

// writable returns an error if the user may not write the file name, or if that is not old, which its links name: under
// /proc there are links to files that have no name any more.
func writable(name string, old fs.FileInfo) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && old == nil:
		return nil
	case err != nil:
		return err
	case old == nil || !os.SameFile(info, old):
		return errors.New("it is a link to a file without a name")
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, syscall.ETXTBSY) {
		return nil // a program that runs: it keeps its file, and the name gets a new one
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// create makes a new file in the folder, "" for the working one. What is to replace a file is for nobody else to read
// until it has that file's mode.
func create(folder string, old fs.FileInfo) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = 0o600
	}
	for {
		name := fmt.Sprintf("%s.bootllama-%d", folder, rand.Uint64())
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// keep gives f the owner, where that is permitted, and the mode of the file that it will replace. A program that ran with
// the rights of its owner does not do so for another one.
func keep(f *os.File, old fs.FileInfo) error {
	mode := old.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if !keepOwner(f, old) {
		mode &^= fs.ModeSetuid | fs.ModeSetgid
	}
	return f.Chmod(mode) // after the owner: a change of that clears bits
}

// syncFolder puts the new name on the disk, where the system can: Windows cannot open folders so, some file systems do not
// sync them, and the user may be allowed to write a folder but not to open it.
func (s system) syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder + ".")
	if err != nil {
		return nil
	}
	defer f.Close() // read only
	err = s.sync(f)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
