package tty

import (
	"os"

	"golang.org/x/sys/windows"
)

// resized: Windows sends no signal.
func resized() <-chan os.Signal { return nil }

// understand makes a console take sequences, which term.MakeRaw does for its input only.
func understand(screen int) (undo func()) {
	var before uint32
	h := windows.Handle(screen)
	if windows.GetConsoleMode(h, &before) != nil {
		return func() {}
	}
	windows.SetConsoleMode(h, before|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING|windows.DISABLE_NEWLINE_AUTO_RETURN)
	return func() { windows.SetConsoleMode(h, before) }
}
