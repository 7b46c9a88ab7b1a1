//go:build linux && amd64

package metal

// deviceKind returns the kind of the device that a path names, as on Linux; kindClosed if
// it names none.
func deviceKind(path uintptr) uint64 {
	switch {
	case isPath(path, "/dev/tty"), isPath(path, "/dev/console"):
		return kindConsole
	case isPath(path, "/dev/vcs"):
		return kindVCS
	case isPath(path, "/dev/fb0"):
		return kindFramebuffer
	}
	return kindClosed
}

// isPath reports whether the path at an address, which ends with a zero, is s.
func isPath(path uintptr, s string) bool {
	for i := range len(s) {
		if *at[byte](path + uintptr(i)) != s[i] {
			return false
		}
	}
	return *at[byte](path + uintptr(len(s))) == 0
}
