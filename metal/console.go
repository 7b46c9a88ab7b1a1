//go:build linux && amd64

package metal

const (
	stdin         = 0
	stdout        = 1
	stderr        = 2
	statusChannel = 3 // not a descriptor: the debug channel on which exit statuses are told

	pumpInterval = int64(10e6)
	lineSpace    = 4096

	keyDelete   = 0x08 // EFI scan code: what EDK2's serial terminals make of DEL
	endOfText   = 0x03 // Ctrl-C
	endOfInput  = 0x04 // Ctrl-D
	killLine    = 0x15 // Ctrl-U
	maxKeyBurst = 256
)

var (
	conIn, conOut uintptr
	cursorHidden  bool // by the firmware; a person who types wants to see it
	timerEvent    uintptr
	waitEvents    [2]uintptr
	waitIndex     uintptr
	lastPump      int64
	key           efiInputKey

	decoders [4]utf8Decoder
	text     [256]uint16 // on its way to ConOut
	textSize int

	// Keys on their way to read: whole lines first, each ended by a newline or by
	// endOfInput, then the line that is being typed.
	line      [lineSpace]byte
	lineSize  int
	lineReady int
	keys      utf16Decoder
	raw       [4]byte // bytes of a UTF-8 character that come one by one as keys
	rawSize   int
	rawNeed   int
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

// showCursor shows the cursor from the first line that the program waits for until its
// end. A console that cannot show one says EFI_UNSUPPORTED, which is fine.
func showCursor() {
	if conOut == 0 || cursorHidden {
		return
	}
	out := at[efiSimpleTextOutput](conOut)
	if !at[efiSimpleTextOutputMode](out.mode).cursorVisible {
		cursorHidden = firmware(out.enableCursor, conOut, 1) == efiSuccess
	}
}

// reportStatus tells a virtual machine's owner how the program ended.
func reportStatus(code byte) {
	debugWrite(statusChannel, address(&code), 1)
}

// consoleWrite puts text on the firmware's console, and the same bytes on the debug
// port. UTF-8 sequences may be split over writes.
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

// What threads on other cores write is kept until the boot processor next comes by, so
// that they need not wait for it: under kernelLock, in the order of the calls, each
// with its stream and size before it.
const outputHeader = 3

var (
	output                 [8 << 10]byte
	outputSize, outputDone int
)

// keepOutput keeps what a thread writes; false where it does not fit, and the thread
// must wait for the boot processor.
func keepOutput(stream int, p, n uintptr) bool {
	room := len(output) - outputSize - outputHeader
	if room < 0 || n > uintptr(room) {
		return false
	}
	output[outputSize], output[outputSize+1], output[outputSize+2] = byte(stream), byte(n), byte(n>>8)
	move(address(&output)+uintptr(outputSize+outputHeader), p, n)
	outputSize += outputHeader + int(n)
	return true
}

// drainOutput writes what was kept.
func drainOutput() {
	for outputSize > 0 {
		acquire(&kernelLock)
		if outputDone == outputSize {
			outputSize, outputDone = 0, 0
		}
		release(&kernelLock)
		if outputSize == 0 {
			return
		}
		header := output[outputDone : outputDone+outputHeader]
		n := int(header[1]) | int(header[2])<<8
		consoleWrite(int(header[0]), address(&output)+uintptr(outputDone+outputHeader), uintptr(n))
		outputDone += outputHeader + n
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
	case r < ' ' || r == 0x7F: // EFI consoles have no use for the others
	case r > 0xFFFF: // nor are surrogate pairs in their UCS-2
		putUnit(replacementRune)
	default:
		putUnit(uint16(r))
	}
}

func putUnit(u uint16) {
	text[textSize] = u
	if textSize++; textSize == len(text)-1 {
		flushText()
	}
}

// flushText calls OutputString. Its warnings (unknown glyphs) and errors have no
// better place to be reported than the console itself.
func flushText() {
	text[textSize] = 0
	if textSize > 0 && conOut != 0 {
		firmware(at[efiSimpleTextOutput](conOut).outputString, conOut, address(&text))
	}
	textSize = 0
}

// waitForKey sleeps in the firmware until a key is there or ns have passed.
func waitForKey(ns int64) {
	if firmware(bootServices().setTimer, timerEvent, efiTimerRelative, uintptr(min(ns, 1e9)/100)) != efiSuccess {
		pause() // without a timer only the clock can be watched: come back at once
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

// pumpKeys takes the keys that have come and, by calling the firmware with interrupts
// on, lets its keyboard drivers look for more.
func pumpKeys(now int64) {
	lastPump = now
	if conIn == 0 {
		return
	}
	for range maxKeyBurst {
		if firmware(at[efiSimpleTextInput](conIn).readKeyStroke, conIn, address(&key)) != efiSuccess {
			break
		}
		switch {
		case key.unicodeChar != 0:
			typeUnit(key.unicodeChar)
		case key.scanCode == keyDelete:
			typeByte('\b')
		}
	}
	acquire(&kernelLock)
	for i := range threadCount {
		if t := &threads[i]; lineReady > 0 && t.state == stateConsole {
			wake(t, takeLine(t.buffer, t.bufferSize))
		}
	}
	release(&kernelLock)
}

// typeUnit takes one UTF-16 unit from the keyboard. EDK2's serial terminals (except
// VT-UTF8) make each byte a key of its own, so behind a virtual machine's serial port
// units from 0x80 to 0xFF are put together as UTF-8 where they form it.
func typeUnit(u uint16) {
	if hasDebugChannel(stdout) && u >= 0x80 && u <= 0xFF {
		switch continuation := u < 0xC0; {
		case rawNeed > 0 && continuation:
			raw[rawSize] = byte(u)
			if rawSize++; rawSize == rawNeed {
				typeBytes(&raw, rawSize)
				rawSize, rawNeed = 0, 0
			}
			return
		case rawNeed == 0 && u >= 0xC2 && u < 0xF5:
			raw[0], rawSize, rawNeed = byte(u), 1, 2
			if u >= 0xE0 {
				rawNeed++
			}
			if u >= 0xF0 {
				rawNeed++
			}
			return
		}
	}
	held := rawSize
	rawSize, rawNeed = 0, 0
	for i := range held {
		n := keys.decode(uint16(raw[i]))
		typeBytes(&keys.utf8, n)
	}
	n := keys.decode(u)
	typeBytes(&keys.utf8, n)
}

func typeBytes(b *[4]byte, n int) {
	if n > 1 && lineSize+n < lineSpace {
		for i := range n {
			line[lineSize] = b[i]
			lineSize++
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
		lineSize = lineReady
		echo("^C\n")
		signalProcess(sigINT)
	case '\b', 0x7F:
		erase()
	case killLine:
		for lineSize > lineReady {
			erase()
		}
	default:
		if (b >= ' ' || b == '\t') && lineSize+1 < lineSpace { // the last byte is for the line's end
			line[lineSize] = b
			lineSize++
			consoleWrite(stdout, address(&b), 1)
		}
	}
}

func endLine(end byte) {
	if lineSize < lineSpace {
		line[lineSize] = end
		lineSize++
		lineReady = lineSize
	}
}

func erase() {
	for lineSize > lineReady {
		lineSize--
		if line[lineSize]&0xC0 != 0x80 { // the first byte of a character
			echo("\b \b")
			return
		}
	}
}

func echo(s string) { consoleWrite(stdout, stringAddress(s), uintptr(len(s))) }

// consoleRead gives the next line, or waits for it.
func consoleRead(t *thread, p, n uintptr) uint64 {
	if n == 0 {
		return 0
	}
	if lineReady == 0 {
		pumpKeys(nanotime())
	}
	if lineReady == 0 {
		showCursor()
		t.buffer, t.bufferSize = p, n
		acquire(&kernelLock)
		wait(t, stateConsole, never)
		release(&kernelLock)
		return 0
	}
	return takeLine(p, n)
}

// takeLine moves the first line, or what fits of it, into a buffer. A line that ends
// with endOfInput comes without it: an empty one is end of file.
func takeLine(p, n uintptr) uint64 {
	size, taken := 0, 0
	for size < lineReady && uintptr(size) < n {
		b := line[size]
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
	for i := taken; i < lineSize; i++ {
		line[i-taken] = line[i]
	}
	lineSize -= taken
	lineReady -= taken
	return uint64(size)
}
