//go:build linux && amd64

package metal

// The terminal's input: keys, the line discipline, reads of standard input.

const (
	keyPollInterval = int64(10e6)
	maxTyped        = 4096

	keyDelete   = 0x08 // EFI scan code: what EDK2's serial terminals make of DEL
	endOfText   = 0x03 // Ctrl-C
	endOfInput  = 0x04 // Ctrl-D
	killLine    = 0x15 // Ctrl-U
	maxKeyBurst = 256
)

var (
	conIn       uintptr
	timerEvent  uintptr
	waitEvents  [2]uintptr
	waitIndex   uintptr
	lastKeyPoll int64
	keyStroke   efiInputKey

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

// initInput finds the firmware's keyboard.
func initInput() {
	conIn = systemTable().conIn
	if r := firmware(bootServices().createEvent, efiEventTimer, efiTPLCallback, 0, 0, address(&timerEvent)); r != efiSuccess {
		fail("cannot make a timer", r)
	}
}

func closeInput() {
	if timerEvent != 0 {
		firmware(bootServices().closeEvent, timerEvent)
		timerEvent = 0
	}
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

// ioctl carries out the requests for terminals. What the display is asked, console.go answers.
func ioctl(fd, request, argument uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	switch files[fd].kind {
	case kindConsole, kindVCS:
		return displayIoctl(request, argument)
	case kindFramebuffer:
		return framebufferIoctl(request, argument)
	}
	return errno(enotty)
}
