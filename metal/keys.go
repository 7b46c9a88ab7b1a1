//go:build linux && amd64

package metal

// Keys: from the firmware's keystrokes to the bytes that xterm would send.
//
// A keyboard tells the state of Shift, Ctrl, Alt and Caps Lock with each key. A terminal on a
// serial line cannot: the firmware's driver leaves the state invalid, and has parsed what it
// knows of the terminal's sequences. EDK2's console splitter gives the keys of all devices one
// state, so that they are read from the devices that it joins. Without these, or without
// EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL, they are read from ConIn.

const (
	keyPollInterval   = int64(10e6)
	fullPollInterval  = int64(100e6) // ns after which keys are read though ConIn's event says there are none
	partialTime       = int64(1e9)   // ns that a terminal may take from byte to byte of a character
	partialTimeOfCSI  = int64(5e9)   // the same where EDK2 keeps the byte 0x9B for 2 s of its clock, which might be a CSI
	partialLeastPolls = 10
	reportTime        = int64(1e9) // ns that a report of a terminal's size may take
	partialPollTime   = int64(20e6)
	utf8Continuations = 3
)

// Scan codes (UEFI 2.10, appendix B).
const (
	scanUp       = 0x01
	scanDown     = 0x02
	scanRight    = 0x03
	scanLeft     = 0x04
	scanHome     = 0x05
	scanEnd      = 0x06
	scanInsert   = 0x07
	scanDelete   = 0x08
	scanPageUp   = 0x09
	scanPageDown = 0x0A
	scanF1       = 0x0B
	scanF12      = 0x16
	scanEsc      = 0x17
)

// EFI_KEY_STATE.KeyShiftState and KeyToggleState (12.2.3).
const (
	shiftStateValid = 1 << 31
	shiftRightShift = 1 << 0
	shiftLeftShift  = 1 << 1
	shiftRightCtrl  = 1 << 2
	shiftLeftCtrl   = 1 << 3
	shiftRightAlt   = 1 << 4
	shiftLeftAlt    = 1 << 5

	toggleStateValid = 0x80
	toggleCapsLock   = 0x04
)

var (
	conIn        uintptr
	timerEvent   uintptr
	waitEvents   [2]uintptr
	waitIndex    uintptr
	lastKeyPoll  int64
	lastFullPoll int64
	keyStroke    efiKeyData
	fromTerminal bool // the last key was a terminal's

	keyDecoder   utf16Decoder
	partialKey   [1 + utf8Continuations]byte // bytes of a UTF-8 character that come one by one as keys
	partialSize  int
	partialNeed  int
	partialFrom  int64 // when the last of them came
	partialPolls int   // since then
	lastTyped    int64 // when a terminal's last key came
)

// initInput finds the firmware's keyboard. What was typed before the program began, and the
// console splitter has, comes first.
func initInput() {
	conIn = systemTable().conIn
	if r := firmware(bootServices().createEvent, efiEventTimer, efiTPLCallback, 0, 0, address(&timerEvent)); r != efiSuccess {
		fail("cannot make a timer", r)
	}
	drainConIn(0, false)
}

func closeInput() {
	if timerEvent != 0 {
		firmware(bootServices().closeEvent, timerEvent)
		timerEvent = 0
	}
}

// waitForKey waits in the firmware, which halts the processor, until a key is there or ns
// have passed. It is ConIn's event, which all firmware has, rather than WaitForKeyEx.
func waitForKey(ns int64) {
	if partialSize > 0 {
		ns = min(ns, partialPollTime)
	}
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

// drainKeys takes all keys that the firmware has into received, and the terminal's answers.
// One call asks whether there is a key; firmware in which that does not work is asked for keys
// ten times a second.
func drainKeys(now int64) {
	for b, ok := terminal.Reply(); ok; b, ok = terminal.Reply() {
		receive(b)
	}
	if conIn == 0 {
		return
	}
	if firmware(bootServices().checkEvent, at[efiSimpleTextInput](conIn).waitForKey) == efiSuccess || now-lastFullPoll >= fullPollInterval {
		lastFullPoll = now
		if !drainDevices(now) {
			drainConIn(now, false)
		}
	}
	agePartial(now)
}

// drainDevices reads the devices that ConIn joins; false if the firmware does not tell them.
// They are looked up each time, since a USB keyboard may have been unplugged. ConIn is read at
// the end, though it has no key then: EDK2's splitter holds its event signaled until that is
// done (KeyEventSignalState), and a wait for a key would never wait. A key that comes just then
// has the state of all devices; it counts as one of the device that had the last key.
func drainDevices(now int64) bool {
	handlesSize = uintptr(len(handles)) * 8
	if firmware(bootServices().locateHandle, efiByProtocol, address(&consoleInDeviceGUID), 0, address(&handlesSize), address(&handles)) != efiSuccess {
		return false
	}
	found := false
	for i := range min(handlesSize/8, uintptr(len(handles))) {
		if handles[i] == systemTable().consoleInHandle {
			continue
		}
		if ex := handleProtocol(handles[i], &simpleTextInputExGUID); ex != 0 {
			found = true
			drain(ex, at[efiSimpleTextInputEx](ex).readKeyStrokeEx, now, false)
		}
	}
	if found {
		drainConIn(now, fromTerminal)
	}
	return found
}

// drainConIn reads ConIn itself.
func drainConIn(now int64, terminalKeys bool) {
	if conIn == 0 {
		return
	}
	if ex := handleProtocol(systemTable().consoleInHandle, &simpleTextInputExGUID); ex != 0 {
		drain(ex, at[efiSimpleTextInputEx](ex).readKeyStrokeEx, now, terminalKeys)
		return
	}
	drain(conIn, at[efiSimpleTextInput](conIn).readKeyStroke, now, terminalKeys)
}

// drain reads one protocol until it has no more keys. Partial keystrokes, such as Shift alone,
// have neither a character nor a scan code. The simple protocol leaves the state as it is: its
// keys count as those of a keyboard.
func drain(protocol, read uintptr, now int64, terminalKeys bool) {
	for receivedEnd-receivedHead < receivedSize/2 {
		keyStroke = efiKeyData{}
		if protocol == conIn {
			keyStroke.shiftState = shiftStateValid
		}
		if firmware(read, protocol, address(&keyStroke)) != efiSuccess {
			return
		}
		if terminalKeys {
			keyStroke.shiftState = 0
		}
		fromTerminal = keyStroke.shiftState&shiftStateValid == 0
		typeKey(&keyStroke, now)
	}
}

// modifiers are the parameter of xterm's sequences, less 1.
const (
	modifierShift = 1
	modifierAlt   = 2
	modifierCtrl  = 4
)

func (k *efiKeyData) modifiers() (m int) {
	if k.shiftState&(shiftLeftShift|shiftRightShift) != 0 {
		m |= modifierShift
	}
	if k.shiftState&(shiftLeftAlt|shiftRightAlt) != 0 {
		m |= modifierAlt
	}
	if k.shiftState&(shiftLeftCtrl|shiftRightCtrl) != 0 {
		m |= modifierCtrl
	}
	return m
}

// typeKey takes a keystroke.
func typeKey(k *efiKeyData, now int64) {
	if k.shiftState&shiftStateValid == 0 {
		typeTerminal(k, now)
		return
	}
	releasePartial()
	m := k.modifiers()
	c := uint32(k.unicodeChar)
	switch {
	case c == 0:
		typeScanCode(k.scanCode, m)
	case c == '\b' && m&modifierCtrl == 0:
		typeCharacter(0x7F, m)
	case c == '\t' && m&modifierShift != 0:
		receiveString("\x1b[Z")
	case c == '\b' || c == '\t' || c == '\r' || c == '\n' || c == 0x1B:
		typeCharacter(c, m&modifierAlt)
	default:
		if c <= 26 && m&modifierCtrl != 0 { // firmware may have made a control character of it
			c |= 0x60
		}
		typePrintable(c, k, m)
	}
}

// typePrintable takes a character key of a keyboard. With a layout, the character tells which
// key it was, for a US keyboard, which most firmware takes every keyboard for.
func typePrintable(c uint32, k *efiKeyData, m int) {
	if layoutSet {
		altGr := k.shiftState&shiftRightAlt != 0 || k.shiftState&shiftLeftAlt != 0 && m&modifierCtrl != 0
		caps := k.toggleState&(toggleStateValid|toggleCapsLock) == toggleStateValid|toggleCapsLock
		symbol, third := translateKey(c, altGr, caps)
		if third {
			m &^= modifierAlt | modifierCtrl
		}
		if symbol == noRune {
			return
		}
		if m&(modifierAlt|modifierCtrl) == 0 {
			if symbol = composeKey(symbol); symbol == noRune {
				return
			}
		}
		c = symbol &^ deadKey
	}
	typeCharacter(c, m)
}

// typeCharacter sends a character with what Ctrl and Alt make of it.
func typeCharacter(c uint32, m int) {
	if m&modifierAlt != 0 {
		receive(0x1B)
	}
	if m&modifierCtrl != 0 {
		c = controlOf(c)
	}
	n := keyDecoder.decode(uint16(c))
	for i := range n {
		receive(keyDecoder.utf8[i])
	}
}

// controlOf is what xterm sends for a key with Ctrl.
func controlOf(c uint32) uint32 {
	switch {
	case c >= '@' && c <= '_' || c >= 'a' && c <= 'z':
		return c & 0x1F
	case c == ' ' || c == '`' || c == '2':
		return 0
	case c >= '3' && c <= '7':
		return c - '3' + 0x1B
	case c == '/' || c == '-':
		return 0x1F
	case c == '8' || c == '?':
		return 0x7F
	}
	return c
}

// typeScanCode sends the sequence of a key that is no character, as xterm does with its
// default settings.
func typeScanCode(code uint16, m int) {
	switch {
	case code >= scanUp && code <= scanLeft:
		typeCursorKey("ABCD"[code-scanUp], m)
	case code == scanHome:
		typeCursorKey('H', m)
	case code == scanEnd:
		typeCursorKey('F', m)
	case code >= scanInsert && code <= scanPageDown:
		typeTildeKey("2356"[code-scanInsert]-'0', m)
	case code >= scanF1 && code < scanF1+4:
		final := "PQRS"[code-scanF1]
		if m == 0 {
			receiveString("\x1bO")
			receive(final)
		} else {
			typeModified(1, m, final)
		}
	case code >= scanF1+4 && code <= scanF12:
		typeTildeKey("\x0f\x11\x12\x13\x14\x15\x17\x18"[code-scanF1-4], m)
	case code == scanEsc:
		typeCharacter(0x1B, m&modifierAlt)
	}
}

func typeCursorKey(final byte, m int) {
	switch {
	case m != 0:
		typeModified(1, m, final)
	case terminal.ApplicationCursor():
		receiveString("\x1bO")
		receive(final)
	default:
		receiveString("\x1b[")
		receive(final)
	}
}

func typeTildeKey(number byte, m int) {
	if m != 0 {
		typeModified(number, m, '~')
		return
	}
	receiveString("\x1b[")
	receiveNumber(number)
	receive('~')
}

func typeModified(number byte, m int, final byte) {
	receiveString("\x1b[")
	receiveNumber(number)
	receive(';')
	receive(byte('1' + m))
	receive(final)
}

func receiveNumber(n byte) {
	if n >= 10 {
		receive('0' + n/10)
	}
	receive('0' + n%10)
}

// typeTerminal takes a key of a serial terminal, or of firmware that tells no state. EDK2's
// terminals make SCAN_DELETE of DEL, which is what a terminal's Backspace key sends, and send
// the sequence of its Delete key through as it is.
func typeTerminal(k *efiKeyData, now int64) {
	switch c := k.unicodeChar; {
	case c == '\b' || c == 0 && k.scanCode == scanDelete:
		releasePartial()
		receive(0x7F)
	case c == 0:
		releasePartial()
		typeScanCode(k.scanCode, 0)
	default:
		typeUnit(c, now)
		if c == 't' {
			takeSizeReport()
		}
	}
	lastTyped = now
}

// A terminal on a serial line tells its size as xterm does when it is asked (CSI 18 t):
// ESC [ 8 ; rows ; columns t. bootllama's command boot does so unasked. It counts where the
// terminal is what a person looks at: in a virtual machine, and on a machine without a screen.

func hearsSize() bool { return hasDebugChannel(stdout) || textOut == 0 }

// fromEnd is a byte of received, counted from its end; 0 where there is none.
func fromEnd(i uint32) byte {
	if i >= receivedEnd-receivedHead {
		return 0
	}
	return received[(receivedEnd-1-i)%receivedSize]
}

// takeSizeReport takes the report that has just been completed, if it is one.
func takeSizeReport() {
	var numbers [3]int // columns, rows, 8
	n, unit := 0, 1
	for i := uint32(1); unit < 1e6; i++ {
		b := fromEnd(i)
		switch {
		case b >= '0' && b <= '9':
			numbers[n] += int(b-'0') * unit
			unit *= 10
		case b == ';' && n < 2:
			n, unit = n+1, 1
		case b == '[' && n == 2 && numbers[2] == 8 && fromEnd(i+1) == 0x1B && hearsSize():
			receivedEnd -= i + 2
			if numbers[0] > 0 && numbers[1] > 0 {
				resizeTerminal(numbers[0], numbers[1])
			}
			return
		default:
			return
		}
	}
}

// isSizeReport says whether the end of received may become a report.
func isSizeReport() bool {
	for i := uint32(0); i < 12; i++ {
		switch b := fromEnd(i); {
		case b >= '0' && b <= '9' || b == ';':
		case b == '[':
			return i > 0 && fromEnd(i-1) == '8' && fromEnd(i+1) == 0x1B
		default:
			return false
		}
	}
	return false
}

// typeUnit takes one UTF-16 unit from a terminal. EDK2's terminals (except VT-UTF8) make each
// byte a key of its own. So units from 0x80 to 0xFF that form UTF-8 are combined to characters;
// others are what they are, after partialTime.
func typeUnit(u uint16, now int64) {
	if u >= 0x80 && u <= 0xFF {
		switch continuation := u < 0xC0; {
		case partialNeed > 0 && continuation:
			partialKey[partialSize], partialFrom, partialPolls = byte(u), now, 0
			if partialSize++; partialSize == partialNeed {
				for i := range partialSize {
					receive(partialKey[i])
				}
				partialSize, partialNeed = 0, 0
			}
			return
		case partialNeed == 0 && u >= 0xC2 && u < 0xF5:
			partialKey[0], partialSize, partialFrom, partialPolls = byte(u), 1, now, 0
			partialNeed = utf8Length(byte(u))
			return
		}
	}
	releasePartial()
	n := keyDecoder.decode(u)
	for i := range n {
		receive(keyDecoder.utf8[i])
	}
}

// agePartial gives up waiting for the rest of a character. Time alone does not tell: while a
// host does not run this machine, the firmware does not look at its serial line. So it must have
// had several calls, too.
func agePartial(now int64) {
	if partialSize == 0 {
		return
	}
	if partialPolls++; partialPolls > partialLeastPolls && now-partialFrom > partialLimit() {
		releasePartial()
	}
}

// partialLimit is how long the rest of a character may take. EDK2's terminals hold the byte
// 0x9B back for two seconds, or until the next key: in Л or ś it is the second of two.
func partialLimit() int64 {
	if partialNeed == 2 {
		return partialTimeOfCSI
	}
	return partialTime
}

// releasePartial takes the bytes of a character that is not complete for characters each.
func releasePartial() {
	held := partialSize
	partialSize, partialNeed = 0, 0
	for i := range held {
		n := keyDecoder.decode(uint16(partialKey[i]))
		for j := range n {
			receive(keyDecoder.utf8[j])
		}
	}
}
