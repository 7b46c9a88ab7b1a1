//go:build unix

package tty

import (
	"os"
	"os/signal"
	"syscall"
)

// resized returns a channel of the signals that a terminal's size has changed.
func resized() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c
}

// understand makes a terminal take sequences, as all do here.
func understand(int) (undo func()) { return func() {} }
