package screen_test

import (
	"fmt"

	"bootllama/metal/vt"
	"bootllama/screen"
)

// A Display draws what a terminal shows into memory; Start does the same on the machine's screen.
func ExampleDisplay() {
	display, err := screen.New(screen.RAM(640, 480), screen.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	terminal := &vt.Terminal{}
	cols, rows := display.Size()
	terminal.Resize(cols, rows)
	frame := &screen.Frame{Cols: cols, Rows: rows, Cells: make([]vt.Cell, cols*rows)}
	show := func(text string) {
		for _, b := range []byte(text) {
			terminal.Write(b)
		}
		for i := range frame.Cells {
			frame.Cells[i] = terminal.Cell(i%cols, i/cols)
		}
		frame.CursorX, frame.CursorY, frame.CursorVisible = terminal.Cursor()
		fmt.Println("drawn:", display.Draw(frame))
	}
	show("\x1b[1;33mOnce\x1b[m upon a time")
	show(".")
	// Output:
	// drawn: (0,0)-(640,480)
	// drawn: (128,0)-(144,16)
}
