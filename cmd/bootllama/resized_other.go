//go:build !unix

package main

import "os"

// notifyResized sends nothing: this system has no signal for it.
func notifyResized(chan<- os.Signal) {}
