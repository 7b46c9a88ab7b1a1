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
	if err := Check(name); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".bootllama-*")
	if err != nil {
		return Error(name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(Error(name, err), os.Remove(f.Name()))
	}
	return nil
}
