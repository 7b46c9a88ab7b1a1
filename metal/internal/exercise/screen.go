//go:build linux && amd64

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"bootllama/metal"
	"bootllama/metal/vt"
)

// Requests of ioctl (asm-generic/ioctls.h, linux/kd.h).
const (
	tiocGWinSz = 0x5413
	tiocSWinSz = 0x5414
	kdSetMode  = 0x4B3A
	kdGetMode  = 0x4B3B
)

func ioctl(fd int, request, argument uintptr) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, argument); e != 0 {
		return e
	}
	return nil
}

type winsize struct{ rows, columns, xPixels, yPixels uint16 }

func screenSize() (columns, rows int, err error) {
	var w winsize
	err = ioctl(1, tiocGWinSz, uintptr(unsafe.Pointer(&w)))
	return int(w.columns), int(w.rows), err
}

// showScreen fills the screen with what a test compares with a picture of it, in steps; before each
// it waits for a line. The test feeds a terminal with the same bytes.
func showScreen(args []string) error {
	columns, rows, err := screenSize()
	if err != nil {
		return err
	}
	keys := bufio.NewReader(os.Stdin)
	look := func(what string) error {
		fmt.Printf("\x1b[%d;1Hlook: %s %dx%d", rows-1, what, columns, rows)
		_, err := keys.ReadString('\n')
		return err
	}
	if len(args) > 0 && args[0] == "below" {
		fmt.Println("below the shell's text\nsecond line")
		fmt.Printf("look: below %dx%d\n", columns, rows)
		_, err := keys.ReadString('\n')
		return err
	}
	for _, step := range []struct {
		name string
		text func() string
	}{
		{"characters", func() string { return characters(columns) }},
		{"stream", func() string { return stream(columns, rows) }},
		{"full", func() string { return fullScreen(columns, rows) }},
	} {
		if step.name == "stream" { // a whole screen goes away, and the last that was drawn has another ground
			fmt.Print("\x1b[41mred\x1b[m")
			fmt.Print(strings.Repeat("\n", 2*rows))
		}
		rest := strings.SplitAfter(step.text(), "\n")
		for n := 1; len(rest) > 0; n = n%40*2 + 1 { // in writes of a line, and of more
			n = min(n, len(rest))
			fmt.Print(strings.Join(rest[:n], ""))
			rest = rest[n:]
		}
		if step.name == "stream" { // to the last column of the last row, and on
			for range columns / 10 * 2 {
				fmt.Print("0123456789")
			}
		}
		if err := look(step.name); err != nil {
			return err
		}
	}
	fmt.Print("\x1b[2J\x1b[H")
	if !metal.StartedByShell() {
		return errors.New("an error, after which the firmware goes on to its next boot option, the shell")
	}
	return nil
}

// characters has each character that other steps use, once, in order from the first cell on.
func characters(columns int) string {
	b := strings.Builder{}
	b.WriteString("\x1b[2J\x1b[H\x1b[m")
	n := 0
	for _, r := range []rune(tested) {
		b.WriteRune(r)
		if n++; n == columns {
			n = 0
		}
	}
	return b.String()
}

// tested are the characters that other steps use.
const tested = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~" +
	"éèüßñÆ¿°─│┌┐└┘├┤┬┴┼═║╔╗╚╝█▲▼←↑→↓"

// stream is text that scrolls, is wrapped, and comes in pieces of all sizes.
func stream(columns, rows int) string {
	var b strings.Builder
	b.WriteString("\x1b[2J\x1b[H")
	for i := range rows + 20 {
		fmt.Fprintf(&b, "line %d, which \x1b[%dmhas\x1b[m a colour and is %s\n", i, 30+i%8, strings.Repeat("long ", i%50))
	}
	return b.String()
}

// fullScreen is what a program with the whole screen writes: a frame, a scroll region, colours.
func fullScreen(columns, rows int) string {
	var b strings.Builder
	b.WriteString("\x1b[?1049h\x1b[2J\x1b[H\x1b(0")
	b.WriteString("l" + strings.Repeat("q", columns-2) + "k")
	for y := 2; y < rows; y++ {
		fmt.Fprintf(&b, "\x1b[%d;1Hx\x1b[%d;%dHx", y, y, columns)
	}
	fmt.Fprintf(&b, "\x1b[%d;1Hm%sj\x1b(B", rows, strings.Repeat("q", columns-2))
	b.WriteString("\x1b[2;4H\x1b[7m reverse \x1b[27;1m bold \x1b[22;2m dim \x1b[0;4m under \x1b[m")
	for i := range 256 {
		fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[48;5;%dm  \x1b[38;5;%dmx\x1b[m", 4+i/16, 4+i%16*4, i, 255-i)
	}
	fmt.Fprintf(&b, "\x1b[%d;%dr", rows-10, rows-3)
	for i := range 20 {
		fmt.Fprintf(&b, "\x1b[%d;3Hregion %d\n", rows-3, i)
	}
	fmt.Fprintf(&b, "\x1b[r\x1b[%d;3H\x1b[2L\x1b[%d;70H\x1b[44mblue\x1b[3@\x1b[2P\x1b[m", rows-8, rows-6)
	fmt.Fprintf(&b, "\x1b[%d;30H日本 “quoted” – and… • \x1b[31mwide\x1b[m", rows-7)
	return b.String()
}

// cells is what a read of /dev/vcs has returned.
type cells struct {
	columns, rows, x, y, visible, counter, zero0, zero1 uint32
	cells                                               []vt.Cell
}

func readCells(f *os.File) (*cells, error) {
	buffer := make([]byte, vt.HeaderSize+vt.MaxCells*vt.CellSize)
	n, err := f.ReadAt(buffer, 0)
	if n < vt.HeaderSize {
		return nil, fmt.Errorf("%d bytes: %v", n, err)
	}
	c := &cells{}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(c)), vt.HeaderSize), buffer)
	if want := vt.HeaderSize + int(c.columns*c.rows)*vt.CellSize; n != want {
		return nil, fmt.Errorf("%d bytes of %d by %d cells", n, c.columns, c.rows)
	}
	c.cells = unsafe.Slice((*vt.Cell)(unsafe.Pointer(&buffer[vt.HeaderSize])), c.columns*c.rows)
	return c, nil
}

func (c *cells) line(y int) string {
	var b strings.Builder
	for _, c := range c.cells[y*int(c.columns) : (y+1)*int(c.columns)] {
		if c.Rune != 0 {
			b.WriteRune(c.Rune)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// readScreen reads what it writes from /dev/vcs, changes the size, and draws nothing itself in graphics mode.
// With an argument it ends there as that says.
func readScreen(args []string) error {
	f, err := os.Open("/dev/vcs")
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Print("\x1b[2J\x1b[H\x1b[31mred\x1b[m 日x\n\x1b[?25l")
	c, err := readCells(f)
	if err != nil {
		return err
	}
	if c.line(0) != "red 日x" || c.cells[0].Fg != 1 || c.cells[5].Rune != 0 || c.x != 0 || c.y != 1 || c.visible != 0 {
		return fmt.Errorf("read %q, %+v, cursor %d, %d, %d", c.line(0), c.cells[:8], c.x, c.y, c.visible)
	}
	fmt.Print("\x1b[?25h")
	if n, err := f.ReadAt(make([]byte, 16), 0); n != 16 {
		return fmt.Errorf("a short read: %d, %v", n, err)
	}
	fmt.Print("\a")
	if _, err := f.Write([]byte("x")); err == nil {
		return errors.New("cells were written")
	}
	// A read waits for a change, and wakes for it.
	if c, err = readCells(f); err != nil {
		return err
	}
	changed := make(chan *cells)
	go func() {
		c, err := readCells(f)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		changed <- c
	}()
	select {
	case <-changed:
		return errors.New("a read did not wait for a change")
	case <-time.After(50 * time.Millisecond):
	}
	fmt.Print("changed")
	if n := <-changed; n == nil || n.line(1) != "changed" || n.counter == c.counter || n.visible != 1 {
		return fmt.Errorf("after a change: %+v", n)
	}
	columns, rows, err := screenSize()
	if err != nil {
		return err
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	for _, size := range []winsize{{rows: 51, columns: 132}, {rows: 51, columns: 131}, {rows: 50, columns: 131}, {rows: 50, columns: 132}} { // both, or only one
		if err := ioctl(1, tiocSWinSz, uintptr(unsafe.Pointer(&size))); err != nil {
			return err
		}
		<-resized
	}
	if err := ioctl(1, kdSetMode, 1); err != nil {
		return err
	}
	var mode uint32
	if err := ioctl(int(f.Fd()), kdGetMode, uintptr(unsafe.Pointer(&mode))); err != nil || mode != 1 {
		return fmt.Errorf("mode %d, %v", mode, err)
	}
	if c, err = readCells(f); err != nil || c.columns != 132 || c.rows != 50 || c.line(1) != "changed" {
		return fmt.Errorf("resized: %+v, %v", c, err)
	}
	fmt.Print("\x1b[49;100H\nin graphics mode\n")
	if len(args) > 0 {
		return endInGraphics(args[0])
	}
	if err := ioctl(1, kdSetMode, 0); err != nil {
		return err
	}
	<-resized
	if c, r, err := screenSize(); c != columns || r != rows || err != nil {
		return fmt.Errorf("in text mode again %d by %d, %v, was %d by %d", c, r, err, columns, rows)
	}
	if ioctl(1, kdSetMode, 2) == nil || ioctl(1, tiocSWinSz, uintptr(unsafe.Pointer(&winsize{}))) == nil {
		return errors.New("a mode 2, or a screen without cells")
	}
	return nil
}

func endInGraphics(how string) error {
	switch how {
	case "panic":
		panic("in graphics mode")
	case "crash":
		fmt.Print("\x1b[") // a sequence that does not end
		return crash(nil)
	}
	return errors.New("an end in graphics mode")
}
