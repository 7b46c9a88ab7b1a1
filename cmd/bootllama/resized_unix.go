//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyResized sends a signal when the terminal's size has changed.
func notifyResized(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }
