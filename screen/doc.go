// Package screen draws the cells of a terminal (package vt) on a framebuffer: a font, lines and blocks that join, colours, a
// cursor. It is an ordinary Go package. On the bare machine Start makes the screen the program's:
//
//	s, err := screen.Start(screen.Options{})
//	if err != nil {
//		// There is no framebuffer: the firmware's console goes on showing the text.
//	} else {
//		defer s.Stop()
//	}
//
// From then on everything that the program and the kernel write on the terminal appears in this package's font. It needs no
// operating system but works under one, too: a Display draws into any memory of 32-bit pixels, which is what tests do.
//
// The files in reading order: display.go draws what has changed of a Frame; size.go chooses the cells' size; color.go has the
// colours; glyph.go keeps pictures of characters, which font.go makes from a font's outlines and shapes.go from rules;
// screen_linux.go is the screen of a running program.
package screen
