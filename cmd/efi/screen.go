//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"bootllama/metal"
	"bootllama/screen"
)

// wantsScreen reports whether a command's text is drawn by package screen: that of a session, and any where no shell's text
// is on the screen.
func wantsScreen(args []string) bool {
	return !metal.StartedByShell() || slices.Contains(args, "console")
}

// startScreen takes the screen. The firmware's console shows the text where there is no framebuffer, which is nothing to tell; a
// font or a size that cannot be used is told, and the screen does without. The end of the program, whatever it is, gives
// the screen back.
func startScreen(o screen.Options, stderr io.Writer) {
	_, err := screen.Start(o)
	if err == nil || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOENT) {
		return
	}
	fmt.Fprintf(stderr, "bootllama: %v\n", err)
	if o.FontSize != 0 || o.Font != nil {
		startScreen(screen.Options{}, stderr)
	}
}
