// Package file writes files as a whole or not at all.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check refuses to replace what is no plain file: a file is written beside name and renamed, which would put it in
// the place of /dev/null or of a disk's device.
func Check(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file: write to a file and copy that")
	}
	return Error(name, err)
}

// Error is err, if any, in terms of the file that was asked for, not of the temporary one in its place.
func Error(name string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot write %s: %w", name, err)
}

// Write writes a file as a whole or not at all.
func Write(name string, data []byte) error {
	return WriteFunc(name, func(f *os.File) error {
		_, err := f.Write(data)
		return Error(name, err)
	})
}

// WriteFunc is Write for contents that are not in memory: write puts them into f, which is new and empty. Its error is
// returned as it is.
func WriteFunc(name string, write func(f *os.File) error) (err error) {
	if err := Check(name); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".bootllama-*")
	if err != nil {
		return Error(name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil { // CreateTemp's is 0600
		return Error(name, err)
	}
	return Error(name, os.Rename(f.Name(), name))
}
