//go:build linux && amd64

package metal

import "bootllama/metal/vt"

// What the program writes: standard output and error, and messages of the kernel. Input is
// in tty.go. All of it goes through one terminal, which keeps what a person should see. In
// text mode the kernel draws that with the firmware's console (textmode.go), in graphics mode
// the program draws it itself, from /dev/vcs (vcs.go). Serial lines get what the program has
// written (serial.go).

const (
	stdin         = 0
	stdout        = 1
	stderr        = 2
	statusChannel = 3 // not a descriptor: the debug channel for exit statuses

	// The size of a screen that nobody knows: a serial line's.
	serialColumns, serialRows = 80, 24
)

var (
	conOut   uintptr // *efiSimpleTextOutput: the firmware's console, which may be several devices
	terminal vt.Terminal

	outputNewLine = true  // a line feed begins a new line (OPOST and ONLCR of termios)
	graphics      = false // KD_GRAPHICS: the program draws the screen
)

// initConsole finds the devices that are the firmware's console. What stood on the screen
// before goes, unless the UEFI shell has started the program: then the program's text stands
// below the shell's.
func initConsole() {
	conOut = systemTable().conOut
	findConsoles()
	_, argc := shellArguments()
	startedByShell = argc > 0
	initText()
	if textOut == 0 {
		terminal.Resize(serialColumns, serialRows)
		if conOut != 0 && startedByShell {
			mode := consoleMode(conOut)
			terminal.Move(int(mode.cursorColumn), int(mode.cursorRow))
		}
	}
	if !startedByShell {
		clearSerial()
	}
}

// findConsoles finds the serial lines among the devices of ConOut. EDK2's ConOut passes on
// what it is told to each of its devices, which are handles of their own. If there are serial
// lines and one screen, the screen's own console is used from here on. If there are more
// screens, whose modes may differ, ConOut remains, and the serial lines get what the
// firmware's terminal makes of the text: on a terminal of type PC-ANSI (the default of EDK2),
// ASCII and line drawing.
func findConsoles() {
	textOut = conOut
	if conOut == 0 {
		return
	}
	handlesSize = uintptr(len(handles)) * 8
	if firmware(bootServices().locateHandle, efiByProtocol, address(&consoleOutDeviceGUID), 0, address(&handlesSize), address(&handles)) != efiSuccess {
		return
	}
	screen, screens := uintptr(0), 0
	for i := range min(handlesSize/8, uintptr(len(handles))) {
		out := handleProtocol(handles[i], &simpleTextOutputGUID)
		path := handleProtocol(handles[i], &devicePathGUID)
		switch {
		case out == 0 || path == 0 || out == conOut: // ConOut itself has no path
		case serialCount < len(serialLines) && findSerialLine(path):
			serialCount++
		default:
			screen = out
			screens++
		}
	}
	switch {
	case serialCount == 0:
	case screens > 1:
		serialCount = 0
	default:
		textOut = screen
	}
}

var (
	handles     [64]uintptr // EFI_HANDLE
	handlesSize uintptr     // in bytes
)

// closeConsole leaves the console as the firmware had it. If the program has failed, what
// stands on the screen remains.
func closeConsole(failed bool) {
	closeText(failed)
	if serialCount > 0 && conOut != 0 {
		// EDK2's terminals and its ConOut have not seen what went to the line, and the shell asks
		// ConOut where the cursor is.
		x, y, _ := terminal.Cursor()
		firmware(at[efiSimpleTextOutput](conOut).setCursorPosition, conOut, uintptr(x), uintptr(y))
	}
}

// reportStatus writes the exit status to the debug channel of a virtual machine.
func reportStatus(code byte) {
	debugWrite(statusChannel, address(&code), 1)
}

// consoleWrite writes text to the terminal, and the same bytes to the debug channel. UTF-8
// and escape sequences may be split over several calls.
func consoleWrite(stream int, p, n uintptr) {
	feed(stream, p, n)
	flushSerial()
	drawText()
}

// feed is consoleWrite without what makes the text visible.
func feed(stream int, p, n uintptr) {
	debugWrite(stream, p, n)
	for ; n > 0; p, n = p+1, n-1 {
		b := *at[byte](p)
		if b == '\n' && outputNewLine {
			feedByte('\r')
		}
		feedByte(b)
	}
}

// endSequences lets the kernel's messages appear whatever the program has written last: it ends
// a sequence, and undoes a scroll region, colours and modes (CAN, DECSTR).
func endSequences() {
	const s = "\x18\x1b[!p"
	for i := 0; i < len(s); i++ {
		feedByte(s[i])
	}
	outputNewLine = true
}

func feedByte(b byte) {
	terminal.Write(b)
	if serialCount > 0 {
		serialByte(b)
	}
}

// outputQueue holds what threads on other cores have written, until the boot processor's
// next workForOthers, so that they need not wait for it. It is under kernelLock. The texts
// are in the order of the calls; before each are its stream (1 byte) and size (2 bytes).
var (
	outputQueue               [8 << 10]byte
	queuedSize, queuedWritten int
)

const outputHeader = 3

// queueOutput queues what a thread writes; false if it does not fit: then the thread must
// wait for the boot processor.
func queueOutput(stream int, p, n uintptr) bool {
	room := len(outputQueue) - queuedSize - outputHeader
	if room < 0 || n > uintptr(room) {
		return false
	}
	outputQueue[queuedSize], outputQueue[queuedSize+1], outputQueue[queuedSize+2] = byte(stream), byte(n), byte(n>>8)
	move(address(&outputQueue)+uintptr(queuedSize+outputHeader), p, n)
	queuedSize += outputHeader + int(n)
	return true
}

// drainOutput writes the texts of the queue.
func drainOutput() {
	if queuedSize == 0 {
		return
	}
	for queuedSize > 0 {
		acquire(&kernelLock)
		if queuedWritten == queuedSize {
			queuedSize, queuedWritten = 0, 0
		}
		release(&kernelLock)
		if queuedSize == 0 {
			break
		}
		header := outputQueue[queuedWritten : queuedWritten+outputHeader]
		n := int(header[1]) | int(header[2])<<8
		feed(int(header[0]), address(&outputQueue)+uintptr(queuedWritten+outputHeader), uintptr(n))
		queuedWritten += outputHeader + n
	}
	flushSerial()
	drawText()
}

// winsize is Linux's struct winsize (asm-generic/termios.h).
type winsize struct{ rows, columns, xPixels, yPixels uint16 }

// Requests of ioctl (asm-generic/ioctls.h, linux/kd.h).
const (
	tiocGWinSz = 0x5413
	tiocSWinSz = 0x5414
	kdSetMode  = 0x4B3A
	kdGetMode  = 0x4B3B

	kdText     = 0
	kdGraphics = 1
)

// displayIoctl carries out the requests that concern the terminal's screen.
func displayIoctl(request, argument uintptr) uint64 {
	switch request {
	case tiocGWinSz:
		columns, rows := terminal.Size()
		*at[winsize](argument) = winsize{rows: uint16(rows), columns: uint16(columns)}
	case tiocSWinSz:
		size := *at[winsize](argument)
		if size.columns == 0 || size.rows == 0 {
			return errno(einval)
		}
		resizeTerminal(int(size.columns), int(size.rows))
	case kdGetMode:
		*at[uint32](argument) = kdText
		if graphics {
			*at[uint32](argument) = kdGraphics
		}
	case kdSetMode:
		switch argument {
		case kdText:
			showText()
		case kdGraphics:
			hideText()
		default:
			return errno(einval)
		}
	default:
		return errno(enotty)
	}
	return 0
}

// resizeTerminal changes the size of the terminal, which the program hears of.
func resizeTerminal(columns, rows int) {
	beforeColumns, beforeRows := terminal.Size()
	terminal.Resize(columns, rows)
	if columns, rows = terminal.Size(); columns != beforeColumns || rows != beforeRows {
		if textStarted && !graphics {
			clearText()
			drawText()
		}
		if ending == 0 { // else the kernel's lock may be taken
			signalProcess(sigWINCH)
		}
	}
}
