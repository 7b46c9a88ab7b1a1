package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkOutput refuses to replace what is no plain file: a file is written beside name and renamed, which would put it in
// the place of /dev/null or of a disk's device.
func checkOutput(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file: write to a file and copy that")
	}
	return cannotWrite(name, err)
}

// cannotWrite is err, if any, in terms of the file that was asked for, not of the temporary one in its place.
func cannotWrite(name string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot write %s: %w", name, err)
}

// writeFile writes a file as a whole or not at all.
func writeFile(name string, data []byte) error {
	if err := checkOutput(name); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".bootllama-*")
	if err != nil {
		return cannotWrite(name, err)
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
		return errors.Join(cannotWrite(name, err), os.Remove(f.Name()))
	}
	return nil
}
