//go:build !windows

package main

// alone reports whether the window goes with this program: not here.
func alone() bool { return false }
