//go:build unix

package file

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives f the owner and the group of old, or at least the group; true if it has both.
func keepOwner(f *os.File, old fs.FileInfo) bool {
	s, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if f.Chown(int(s.Uid), int(s.Gid)) == nil {
		return true
	}
	f.Chown(-1, int(s.Gid)) // not permitted either: then it is the user's
	return false
}
