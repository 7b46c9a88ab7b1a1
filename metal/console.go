//go:build linux && amd64

package metal

// What the program writes: standard output and error, and messages of the kernel. Input is
// in tty.go.

const (
	stdin         = 0
	stdout        = 1
	stderr        = 2
	statusChannel = 3 // not a descriptor: the debug channel for exit statuses
)

var (
	conOut       uintptr
	cursorHidden bool // the firmware had hidden it, and the kernel shows it, for a person who types

	decoders       [4]utf8Decoder
	outputText     [256]uint16 // UTF-16 for the next OutputString
	outputTextSize int
)

// initConsole finds the firmware's console and, in a virtual machine, the debug channels.
func initConsole() {
	conOut = systemTable().conOut
	findDebugChannels()
}

func closeConsole() {
	if cursorHidden {
		firmware(at[efiSimpleTextOutput](conOut).enableCursor, conOut, 0)
		cursorHidden = false
	}
}

// showCursor shows the cursor from the program's first wait for a line until its end. A
// console that has no cursor returns EFI_UNSUPPORTED, which changes nothing.
func showCursor() {
	if conOut == 0 || cursorHidden {
		return
	}
	out := at[efiSimpleTextOutput](conOut)
	if !at[efiSimpleTextOutputMode](out.mode).cursorVisible {
		cursorHidden = firmware(out.enableCursor, conOut, 1) == efiSuccess
	}
}

// reportStatus writes the exit status to the debug channel of a virtual machine.
func reportStatus(code byte) {
	debugWrite(statusChannel, address(&code), 1)
}

// consoleWrite writes text to the firmware's console, and the same bytes to the debug
// channel. UTF-8 sequences may be split over several calls.
func consoleWrite(stream int, p, n uintptr) {
	debugWrite(stream, p, n)
	d := &decoders[stream]
	for ; n > 0; p, n = p+1, n-1 {
		for again := true; again; {
			var r uint32
			r, again = d.decode(*at[byte](p))
			putRune(r)
		}
	}
	flushText()
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
	for queuedSize > 0 {
		acquire(&kernelLock)
		if queuedWritten == queuedSize {
			queuedSize, queuedWritten = 0, 0
		}
		release(&kernelLock)
		if queuedSize == 0 {
			return
		}
		header := outputQueue[queuedWritten : queuedWritten+outputHeader]
		n := int(header[1]) | int(header[2])<<8
		consoleWrite(int(header[0]), address(&outputQueue)+uintptr(queuedWritten+outputHeader), uintptr(n))
		queuedWritten += outputHeader + n
	}
}

func putRune(r uint32) {
	switch {
	case r == noRune:
	case r == '\n':
		if addsReturns() {
			putUnit('\r')
		}
		putUnit('\n')
	case r == '\r', r == '\b', r == '\t':
		putUnit(uint16(r))
	case r < ' ' || r >= 0x7F && r < 0xA0:
		// EFI consoles know no other control characters (C0, DEL, C1), and a VT-UTF8 one passes C1 on to its terminal.
	case r > 0xFFFF: // their UCS-2 has no surrogate pairs
		putUnit(replacementRune)
	default:
		putUnit(uint16(r))
	}
}

func putUnit(u uint16) {
	outputText[outputTextSize] = u
	if outputTextSize++; outputTextSize == len(outputText)-1 {
		flushText()
	}
}

// flushText calls OutputString. Its warnings (unknown glyphs) and errors are ignored: the
// only place to report them is the console itself.
func flushText() {
	outputText[outputTextSize] = 0
	if outputTextSize > 0 && conOut != 0 {
		firmware(at[efiSimpleTextOutput](conOut).outputString, conOut, address(&outputText))
	}
	outputTextSize = 0
}

// displayIoctl carries out the requests that concern the terminal's screen: TIOCGWINSZ,
// TIOCSWINSZ, KDGETMODE, KDSETMODE.
func displayIoctl(request, argument uintptr) uint64 { return errno(enotty) }

// applicationCursor says whether the cursor keys send SS3 sequences (DECCKM).
func applicationCursor() bool { return false }

// cursorColumn is where the next character goes.
func cursorColumn() int {
	if conOut == 0 {
		return 0
	}
	return int(at[efiSimpleTextOutputMode](at[efiSimpleTextOutput](conOut).mode).cursorColumn)
}
