package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisks mounts a file system with room for next to nothing and a write-protected one, for which it takes root.
func smallDisks(t *testing.T) (full, readOnly string, why error) {
	t.Helper()
	if os.Geteuid() != 0 {
		return "", "", syscall.EPERM
	}
	mount := func(name, options string, flags uintptr) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if why == nil {
			why = syscall.Mount("tmpfs", dir, "tmpfs", flags, options)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil && why == nil {
				t.Error(err)
			}
		})
		return dir
	}
	return mount("full", "size=64k", 0), mount("readonly", "size=64k", syscall.MS_RDONLY), why
}
