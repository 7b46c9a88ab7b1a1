//go:build linux && amd64

package metal

import "bootllama/metal/vt"

// The line discipline: what becomes of typed bytes, and reads of the terminal. It follows
// Linux's n_tty.c. keys.go makes bytes of keys, termios.go has the settings.
//
// Keys go through two queues. drainKeys takes all that the firmware has into received, before
// any of it is echoed: an echo takes a time that grows with the screen, and the firmware keeps
// some hundred keys only. From there they go, byte by byte, through discipline into typed.

const (
	receivedSize = 64 << 10
	typedSize    = 64 << 10
	echoSize     = 256
	echoReserve  = 16 // what the echo of one byte may take

	// Beside the byte in an entry of typed:
	endsLine = 0x100 // the byte ends a line
	endsFile = 0x200 // the end of input, which is no byte: it ends a line without being read
)

// Only the boot processor uses these; queues are rings, with positions that never go back.
var (
	received                  [receivedSize]byte
	receivedHead, receivedEnd uint32

	// Typed text that no read has returned: in canonical mode complete lines up to typedLine,
	// then the line that is being typed.
	typed                          [typedSize]uint16
	typedHead, typedLine, typedEnd uint32

	literalNext bool // VLNEXT was typed
	overflowed  bool // typed text did not fit, and no bell has told

	echoed      [echoSize]byte
	echoedCount uintptr

	lineColumn int // where the line that is being typed begins on the screen
)

// receive puts a byte behind those that wait for the line discipline.
func receive(b byte) {
	if receivedEnd-receivedHead == receivedSize {
		overflowed = true
		return
	}
	received[receivedEnd%receivedSize] = b
	receivedEnd++
}

func receiveString(s string) {
	for i := 0; i < len(s); i++ {
		receive(s[i])
	}
}

// pollKeys takes the keys that the firmware has. The calls also let the firmware's
// keyboard drivers look for more, since interrupts are on during them.
func pollKeys(now int64) {
	lastKeyPoll = now
	line, end := typedLine, typedEnd
	for drainKeys(now); receivedHead != receivedEnd; drainKeys(now) {
		if hearsSize() && isSizeReport() && now-lastTyped < reportTime {
			break // the rest comes with the next keys
		}
		for receivedHead != receivedEnd && echoedCount < echoSize-echoReserve {
			b := received[receivedHead%receivedSize]
			receivedHead++
			discipline(b)
		}
		if overflowed {
			overflowed = false
			echo('\a')
		}
		flushEcho()
	}
	if typedLine != line || typedEnd != end { // the end alone may be back where it was: a character erased, the line ended
		serveReaders()
	}
}

// discipline is what happens to a typed byte.
func discipline(b byte) {
	if settings.input&inputISTRIP != 0 {
		b &= 0x7F
	}
	if literalNext {
		literalNext = false
		storeText(b)
		return
	}
	key := b
	switch {
	case b == '\r' && settings.input&inputIGNCR != 0:
		return
	case b == '\r' && settings.input&inputICRNL != 0:
		b = '\n'
	case b == '\n' && settings.input&inputINLCR != 0:
		b = '\r'
	}
	switch {
	case settings.local&localISIG != 0 && makesSignal(b):
	case !isCanonical():
		store16(uint16(b))
		if b == '\n' && key == '\r' && settings.local&localECHO != 0 {
			echo('\n') // a line feed that was typed is ^J here, as on Linux
		} else {
			echoTyped(b)
		}
	default:
		edit(b)
	}
}

// isChar says whether a byte is one of the settings' characters; 0 there is none
// (_POSIX_VDISABLE).
func isChar(b byte, index int) bool { return b != 0 && settings.chars[index] == b }

// makesSignal sends the signal of a byte, if it has one. Ctrl-Z is taken and does nothing: no
// other process could continue this one.
func makesSignal(b byte) bool {
	signal := uint64(0)
	switch {
	case isChar(b, charVINTR):
		signal = sigINT
	case isChar(b, charVQUIT):
		signal = sigQUIT
	case isChar(b, charVSUSP):
		return true
	default:
		return false
	}
	if settings.local&localNOFLSH == 0 {
		flushInput()
	}
	echoTyped(b)
	if isCanonical() && settings.local&localECHO != 0 {
		echo('\n') // on Linux the shell begins a new line
	}
	flushEcho()
	signalProcess(signal)
	return true
}

// edit is the canonical mode: lines that can be edited, and become readable with their end.
func edit(b byte) {
	extended := settings.local&localIEXTEN != 0
	switch {
	case b == '\n':
		if settings.local&(localECHO|localECHONL) != 0 {
			echo('\n')
		}
		endLine('\n' | endsLine)
	case isChar(b, charVEOL), extended && isChar(b, charVEOL2):
		echoTyped(b)
		endLine(uint16(b) | endsLine)
	case isChar(b, charVEOF):
		endLine(endsFile)
	case isChar(b, charVERASE), b == '\b': // a terminal may send either for the key
		if settings.local&localECHOE != 0 {
			eraseCharacter(true)
		} else if typedEnd != typedLine {
			eraseCharacter(false)
			echoTyped(settings.chars[charVERASE])
		}
	case isChar(b, charVKILL):
		killLine(b)
	case extended && isChar(b, charVWERASE):
		eraseWord()
	case extended && isChar(b, charVREPRINT) && settings.local&localECHO != 0:
		echoTyped(b)
		echo('\n')
		lineColumn = 0
		for i := typedLine; i != typedEnd; i++ {
			echoTyped(byte(typed[i%typedSize]))
		}
	case extended && isChar(b, charVLNEXT):
		literalNext = true
		if settings.local&localECHO != 0 && settings.local&localECHOCTL != 0 {
			echo('^')
			echo('\b')
		}
	default:
		storeText(b)
	}
}

// storeText puts a byte into the line that is being typed, and shows it.
func storeText(b byte) {
	if typedEnd == typedLine && settings.local&localECHO != 0 {
		flushEcho()
		lineColumn, _, _ = terminal.Cursor()
	}
	if store16(uint16(b)) {
		echoTyped(b)
	}
}

// store16 puts an entry into the queue; false if there is no room: the last places are for
// the end of the line.
func store16(entry uint16) bool {
	limit := uint32(typedSize)
	if isCanonical() && entry < endsLine {
		limit -= 2
	}
	if typedEnd-typedHead >= limit {
		overflowed = true
		return false
	}
	typed[typedEnd%typedSize] = entry
	typedEnd++
	return true
}

func endLine(entry uint16) {
	store16(entry)
	typedLine = typedEnd
}

// lastByte is the last byte of the line that is being typed.
func lastByte() byte { return byte(typed[(typedEnd-1)%typedSize]) }

// eraseCharacter takes the last character back, with all its bytes if it is UTF-8, and from the
// screen, too, if it is visible there.
func eraseCharacter(visibly bool) {
	if typedEnd == typedLine {
		return
	}
	r, shift := uint32(0), uint(0)
	for more := true; more; {
		b := lastByte()
		typedEnd--
		switch {
		case settings.input&inputIUTF8 == 0 || b < 0x80:
			r, more = uint32(b), false
		case b&0xC0 == 0x80:
			r |= uint32(b&0x3F) << (shift & 31)
			shift += 6
			more = typedEnd != typedLine
		default:
			r |= uint32(b) & (0x7F >> (uint(utf8Length(b)) & 7)) << (shift & 31)
			more = false
		}
	}
	if visibly && settings.local&localECHO != 0 {
		eraseEcho(r)
	}
}

// echoWidth is how many columns the echo of a character takes that is no tab.
func echoWidth(r uint32) int {
	switch {
	case r < ' ' || r == 0x7F:
		if settings.local&localECHOCTL != 0 {
			return 2
		}
		return 0
	case settings.input&inputIUTF8 == 0: // it is a byte
		return 1
	}
	return vt.Width(rune(r))
}

// eraseEcho erases a character on the screen.
func eraseEcho(r uint32) {
	if r == '\t' {
		for n := 8 - typedColumn()%8; n > 0; n-- {
			echo('\b')
		}
		return
	}
	for n := echoWidth(r); n > 0; n-- {
		echo('\b')
		echo(' ')
		echo('\b')
	}
}

// typedColumn is the column behind the line that is being typed.
func typedColumn() int {
	column := lineColumn
	var d utf8Decoder
	for i := typedLine; i != typedEnd; i++ {
		r := uint32(byte(typed[i%typedSize]))
		if settings.input&inputIUTF8 != 0 {
			r, _ = d.decode(byte(r))
		}
		switch {
		case r == noRune:
		case r == '\t':
			column = column&^7 + 8
		case r == '\r' && settings.local&localECHOCTL == 0:
			column = 0
		default:
			column += echoWidth(r)
		}
	}
	return column
}

func killLine(b byte) {
	if typedEnd == typedLine {
		return
	}
	const visually = localECHO | localECHOE | localECHOK | localECHOKE
	if settings.local&visually == visually {
		for typedEnd != typedLine {
			eraseCharacter(true)
		}
		return
	}
	typedEnd = typedLine
	echoTyped(b)
	if settings.local&(localECHO|localECHOK) == localECHO|localECHOK {
		echo('\n')
	}
}

// eraseWord takes the last word back, and what is between it and the cursor.
func eraseWord() {
	for typedEnd != typedLine && !isWord(lastByte()) {
		eraseCharacter(true)
	}
	for typedEnd != typedLine && isWord(lastByte()) {
		eraseCharacter(true)
	}
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' || b >= 0x80
}

// flushInput drops what has been typed and not read.
func flushInput() {
	typedHead, typedLine = typedEnd, typedEnd
	literalNext = false
	publishInput(false)
}

// changeDiscipline is for the change between canonical and raw mode, as Linux has it.
func changeDiscipline() {
	for i := typedHead; i != typedEnd; i++ {
		typed[i%typedSize] &= 0xFF
	}
	typedLine = typedHead
	if isCanonical() && typedEnd != typedHead {
		typed[(typedEnd-1)%typedSize] |= endsLine
		typedLine = typedEnd
	}
	literalNext = false
}

// echoTyped shows a typed byte, if the settings say so.
func echoTyped(b byte) {
	if settings.local&localECHO == 0 {
		return
	}
	if (b < ' ' && b != '\t' || b == 0x7F) && settings.local&localECHOCTL != 0 {
		echo('^')
		b ^= 0x40
	}
	echo(b)
}

// echo shows a byte with the next flushEcho.
func echo(b byte) {
	if echoedCount == echoSize {
		flushEcho()
	}
	echoed[echoedCount] = b
	echoedCount++
}

func flushEcho() {
	if echoedCount > 0 {
		consoleWrite(stdout, address(&echoed), echoedCount)
		echoedCount = 0
	}
}

// readable counts the bytes that reads would return without waiting.
func readable() (n int) {
	if !isCanonical() {
		return int(typedEnd - typedHead)
	}
	for i := typedHead; i != typedLine; i++ {
		if typed[i%typedSize]&endsFile == 0 {
			n++
		}
	}
	return n
}

// hasInput says whether poll(2) should report input.
func hasInput() bool {
	if isCanonical() {
		return typedLine != typedHead
	}
	least := uint32(1)
	if settings.chars[charVTIME] == 0 {
		least = max(1, uint32(settings.chars[charVMIN]))
	}
	return typedEnd-typedHead >= least
}

// inputReady is hasInput for other cores; under kernelLock.
var inputReady bool

// publishInput makes inputReady true or false and, if bytes have arrived, tells those who
// wait for an event.
func publishInput(arrived bool) {
	acquire(&kernelLock)
	inputReady = hasInput()
	if inputReady && arrived {
		eventOn(kindConsole, 0, epollIn)
	}
	release(&kernelLock)
}

// serveReaders ends the waits of the reads that have enough now.
func serveReaders() {
	acquire(&kernelLock)
	for next := consoleWaits.first; next != 0; {
		t := at[thread](next)
		next = t.next
		if n, enough := takeInput(t.buffer, t.bufferSize, false); enough {
			wake(t, n)
		} else if !isCanonical() && settings.chars[charVMIN] > 0 && settings.chars[charVTIME] > 0 && typedEnd != typedHead {
			removeDeadline(t) // VTIME runs from byte to byte
			t.deadline = nanotime() + interByteTime()
			addDeadline(t)
		}
	}
	release(&kernelLock)
	publishInput(true)
}

func interByteTime() int64 { return int64(settings.chars[charVTIME]) * 100e6 }

// consoleRead reads the terminal, or makes the thread wait for it. A read whose time is up
// comes here a second time (endExpiredWaits), with expired set.
func consoleRead(t *thread, f *file, p, n uintptr) uint64 {
	expired := t.expired
	t.expired = false
	if n == 0 {
		return 0
	}
	if !hasInput() {
		pollKeys(nanotime())
	}
	taken, enough := takeInput(p, n, expired)
	switch {
	case enough:
	case f.flags&oNonblock != 0 && typedEnd != typedHead && !isCanonical():
		taken, _ = takeInput(p, n, true)
	case f.flags&oNonblock != 0:
		return errno(eagain)
	default:
		showCursor()
		t.buffer, t.bufferSize = p, n
		deadline := never
		if !isCanonical() && settings.chars[charVTIME] > 0 && (settings.chars[charVMIN] == 0 || typedEnd != typedHead) {
			deadline = nanotime() + interByteTime()
		}
		acquire(&kernelLock)
		wait(t, &consoleWaits, stateConsole, deadline)
		release(&kernelLock)
		return 0
	}
	publishInput(false)
	return taken
}

// takeInput moves what a read may have into its buffer: a line or what fits of it or, in raw
// mode, VMIN bytes or more. enough is false if the read has to wait, unless its time is up.
func takeInput(p, n uintptr, expired bool) (taken uint64, enough bool) {
	if isCanonical() {
		if typedLine == typedHead {
			return 0, expired
		}
		return takeLine(p, n), true
	}
	there := uintptr(typedEnd - typedHead)
	switch least := uintptr(settings.chars[charVMIN]); {
	case expired:
	case least == 0 && settings.chars[charVTIME] > 0:
		if there == 0 {
			return 0, false
		}
	case there < min(least, n):
		return 0, false
	}
	n = min(n, there)
	for i := range n {
		*at[byte](p + i) = byte(typed[typedHead%typedSize])
		typedHead++
	}
	return uint64(n), true
}

// takeLine moves the first line, or what fits of it, into a buffer. A line that the end of
// input has ended has no byte for it: if it is empty, that is the end of the file.
func takeLine(p, n uintptr) (size uint64) {
	for typedHead != typedLine {
		entry := typed[typedHead%typedSize]
		if uintptr(size) == n && entry&endsFile == 0 {
			break
		}
		typedHead++
		if entry&endsFile != 0 {
			break
		}
		*at[byte](p + uintptr(size)) = byte(entry)
		size++
		if entry&endsLine != 0 {
			break
		}
	}
	return size
}
