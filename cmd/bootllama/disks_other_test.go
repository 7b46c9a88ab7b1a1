//go:build !linux

package main

import (
	"errors"
	"testing"
)

// smallDisks would mount a full and a write-protected file system.
func smallDisks(*testing.T) (full, readOnly string, why error) {
	return "", "", errors.New("only Linux mounts a tmpfs")
}
