//go:build linux && amd64

package metal

const (
	stdin         = 0
	stdout        = 1
	stderr        = 2
	statusChannel = 3 // not a descriptor: the debug channel for exit statuses

	keyPollInterval = int64(10e6)
	maxTyped        = 4096

	keyDelete   = 0x08 // EFI scan code: what EDK2's serial terminals make of DEL
	endOfText   = 0x03 // Ctrl-C
	endOfInput  = 0x04 // Ctrl-D
	killLine    = 0x15 // Ctrl-U
	maxKeyBurst = 256
)

var (
	conIn, conOut uintptr
	cursorHidden  bool // the firmware had hidden it, and the kernel shows it, for a person who types
	timerEvent    uintptr
	waitEvents    [2]uintptr
	waitIndex     uintptr
	lastKeyPoll   int64
	keyStroke     efiInputKey

	decoders       [4]utf8Decoder
	outputText     [256]uint16 // UTF-16 for the next OutputString
	outputTextSize int

	// Typed text that no read has returned: complete lines first, each ended by a newline
	// or by endOfInput, then the line that is being typed.
	typed       [maxTyped]byte
	typedSize   int
	typedReady  int
	keyDecoder  utf16Decoder
	partialKey  [4]byte // bytes of a UTF-8 character that come one by one as keys
	partialSize int
	partialNeed int
)

// initConsole finds the firmware's console and, in a virtual machine, the debug channels.
func initConsole() {
	conIn, conOut = systemTable().conIn, systemTable().conOut
	findDebugChannels()
	if r := firmware(bootServices().createEvent, efiEventTimer, efiTPLCallback, 0, 0, address(&timerEvent)); r != efiSuccess {
		fail("cannot make a timer", r)
	}
}

func closeConsole() {
	if cursorHidden {
		firmware(at[efiSimpleTextOutput](conOut).enableCursor, conOut, 0)
		cursorHidden = false
	}
	if timerEvent != 0 {
		firmware(bootServices().closeEvent, timerEvent)
		timerEvent = 0
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
		putUnit('\r')
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

// waitForKey waits in the firmware, which halts the processor, until a key is there or ns
// have passed.
func waitForKey(ns int64) {
	if firmware(bootServices().setTimer, timerEvent, efiTimerRelative, uintptr(min(ns, 1e9)/100)) != efiSuccess {
		pause() // without a timer the caller can only poll the clock: return at once
		return
	}
	n := uintptr(1)
	waitEvents[0] = timerEvent
	if conIn != 0 {
		waitEvents[1] = at[efiSimpleTextInput](conIn).waitForKey
		n = 2
	}
	firmware(bootServices().waitForEvent, n, address(&waitEvents), address(&waitIndex))
	firmware(bootServices().setTimer, timerEvent, efiTimerCancel, 0)
}

// pollKeys takes the keys that the firmware has. The calls also let the firmware's
// keyboard drivers look for more, since interrupts are on during them.
func pollKeys(now int64) {
	lastKeyPoll = now
	if conIn == 0 {
		return
	}
	for range maxKeyBurst {
		if firmware(at[efiSimpleTextInput](conIn).readKeyStroke, conIn, address(&keyStroke)) != efiSuccess {
			break
		}
		switch {
		case keyStroke.unicodeChar != 0:
			typeUnit(keyStroke.unicodeChar)
		case keyStroke.scanCode == keyDelete:
			typeByte('\b')
		}
	}
	acquire(&kernelLock)
	for typedReady > 0 && consoleWaits.first != 0 {
		t := at[thread](consoleWaits.first)
		wake(t, takeLine(t.buffer, t.bufferSize))
	}
	release(&kernelLock)
}

// typeUnit takes one UTF-16 unit from the keyboard. EDK2's serial terminals (except
// VT-UTF8) make each byte a key of its own. So in a virtual machine, whose keyboard may be
// a serial port, units from 0x80 to 0xFF that form UTF-8 are combined to characters.
func typeUnit(u uint16) {
	if hasDebugChannel(stdout) && u >= 0x80 && u <= 0xFF {
		switch continuation := u < 0xC0; {
		case partialNeed > 0 && continuation:
			partialKey[partialSize] = byte(u)
			if partialSize++; partialSize == partialNeed {
				typeBytes(&partialKey, partialSize)
				partialSize, partialNeed = 0, 0
			}
			return
		case partialNeed == 0 && u >= 0xC2 && u < 0xF5:
			partialKey[0], partialSize, partialNeed = byte(u), 1, 2
			if u >= 0xE0 {
				partialNeed++
			}
			if u >= 0xF0 {
				partialNeed++
			}
			return
		}
	}
	held := partialSize
	partialSize, partialNeed = 0, 0
	for i := range held {
		n := keyDecoder.decode(uint16(partialKey[i]))
		typeBytes(&keyDecoder.utf8, n)
	}
	n := keyDecoder.decode(u)
	typeBytes(&keyDecoder.utf8, n)
}

func typeBytes(b *[4]byte, n int) {
	if n > 1 && typedSize+n < maxTyped {
		for i := range n {
			typed[typedSize] = b[i]
			typedSize++
		}
		consoleWrite(stdout, address(b), uintptr(n))
	} else if n == 1 {
		typeByte(b[0])
	}
}

// typeByte is the line discipline: echo, erase, kill, end of input, interrupt.
func typeByte(b byte) {
	switch b {
	case '\r', '\n':
		endLine('\n')
		echo("\n")
	case endOfInput:
		endLine(endOfInput)
	case endOfText:
		typedSize = typedReady
		echo("^C\n")
		signalProcess(sigINT)
	case '\b', 0x7F:
		erase()
	case killLine:
		for typedSize > typedReady {
			erase()
		}
	default:
		if (b >= ' ' || b == '\t') && typedSize+1 < maxTyped { // the last byte is kept for the end of the line
			typed[typedSize] = b
			typedSize++
			consoleWrite(stdout, address(&b), 1)
		}
	}
}

func endLine(end byte) {
	if typedSize < maxTyped {
		typed[typedSize] = end
		typedSize++
		typedReady = typedSize
	}
}

func erase() {
	for typedSize > typedReady {
		typedSize--
		if typed[typedSize]&0xC0 != 0x80 { // the first byte of a character
			echo("\b \b")
			return
		}
	}
}

func echo(s string) { consoleWrite(stdout, stringAddress(s), uintptr(len(s))) }

// consoleRead returns the next line, or makes the thread wait for it.
func consoleRead(t *thread, p, n uintptr) uint64 {
	if n == 0 {
		return 0
	}
	if typedReady == 0 {
		pollKeys(nanotime())
	}
	if typedReady == 0 {
		showCursor()
		t.buffer, t.bufferSize = p, n
		acquire(&kernelLock)
		wait(t, &consoleWaits, stateConsole, never)
		release(&kernelLock)
		return 0
	}
	return takeLine(p, n)
}

// takeLine moves the first line, or what fits of it, into a buffer, without endOfInput if
// it ends so: then an empty line is the end of the file.
func takeLine(p, n uintptr) uint64 {
	size, taken := 0, 0
	for size < typedReady && uintptr(size) < n {
		b := typed[size]
		taken++
		if b == endOfInput {
			break
		}
		*at[byte](p + uintptr(size)) = b
		size++
		if b == '\n' {
			break
		}
	}
	for i := taken; i < typedSize; i++ {
		typed[i-taken] = typed[i]
	}
	typedSize -= taken
	typedReady -= taken
	return uint64(size)
}
