//go:build linux && amd64

package metal

import (
	"fmt"
	"strings"
	"testing"
)

// fakeKeys is a device of keys: EFI_SIMPLE_TEXT_INPUT_PROTOCOL (12.3) and its successor (12.2).
type fakeKeys struct {
	f      *testFirmware
	simple efiSimpleTextInput
	ex     efiSimpleTextInputEx
	keys   []efiKeyData
	reads  int
}

func newKeys(f *testFirmware) *fakeKeys {
	k := &fakeKeys{f: f}
	read := func(protocol, size uintptr) func(a ...uintptr) uintptr {
		return func(a ...uintptr) uintptr {
			if a[0] != protocol {
				f.t.Errorf("keys are read from %#x, want %#x", a[0], protocol)
			}
			if k.reads++; len(k.keys) == 0 {
				return efiNotReady
			}
			if at[efiInputKey](a[1]).unicodeChar = k.keys[0].unicodeChar; size == 1 {
				at[efiInputKey](a[1]).scanCode = k.keys[0].scanCode
			} else {
				*at[efiKeyData](a[1]) = k.keys[0]
			}
			k.keys = k.keys[1:]
			return efiSuccess
		}
	}
	k.simple.readKeyStroke, k.simple.waitForKey = f.service(read(address(&k.simple), 1)), 0xE1
	k.ex.readKeyStrokeEx = f.service(read(address(&k.ex), 2))
	return k
}

// newConIn makes a device the firmware's ConIn, with events.
func newConIn(f *testFirmware) *fakeKeys {
	resetInput(f.t)
	k := newKeys(f)
	reset := func() {
		conIn, timerEvent, lastKeyPoll, lastFullPoll, lastTyped, fromTerminal = 0, 0, 0, 0, 0, false
		keyStroke = efiKeyData{}
	}
	reset()
	f.t.Cleanup(reset)
	f.boot.createEvent = f.service(func(a ...uintptr) uintptr {
		f.note("event %#x %d %d %d", a[0], a[1], a[2], a[3])
		*at[uintptr](a[4]) = 0xE2
		return efiSuccess
	})
	f.boot.closeEvent = f.service(func(a ...uintptr) uintptr { f.note("close %#x", a[0]); return efiSuccess })
	f.boot.setTimer = f.service(func(a ...uintptr) uintptr { f.note("timer %#x %d %d", a[0], a[1], a[2]); return efiSuccess })
	f.boot.waitForEvent = f.service(func(a ...uintptr) uintptr {
		f.note("wait %#x", (*at[[4]uintptr](a[1]))[:a[0]])
		*at[uintptr](a[2]) = 0
		return efiSuccess
	})
	f.boot.checkEvent = f.service(func(a ...uintptr) uintptr {
		if a[0] != k.simple.waitForKey {
			f.t.Errorf("CheckEvent of %#x", a[0])
		}
		if len(k.keys) > 0 {
			return efiSuccess
		}
		return efiNotReady
	})
	f.table.conIn, f.table.consoleInHandle = address(&k.simple), 1
	conIn = f.table.conIn
	return k
}

// keystrokes are those of a text, with the state of a keyboard or without one; ⌦ is the Delete key.
func keystrokes(text string, state uint32) (keys []efiKeyData) {
	for _, r := range text {
		k := efiKeyData{efiInputKey: efiInputKey{unicodeChar: uint16(r)}, shiftState: state}
		if r == '⌦' {
			k.efiInputKey = efiInputKey{scanCode: scanDelete}
		}
		keys = append(keys, k)
	}
	return keys
}

// wantReceived compares what waits for the line discipline, and drops it.
func wantReceived(t *testing.T, what, want string) {
	t.Helper()
	var b []byte
	for ; receivedHead != receivedEnd; receivedHead++ {
		b = append(b, received[receivedHead%receivedSize])
	}
	if got := string(b); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestDevices: keys are read from the devices that ConIn joins, then from ConIn; what a device's driver tells of the state of Shift
// and others says whether it is a keyboard.
func TestDevices(t *testing.T) {
	const valid = shiftStateValid
	t.Run("the old protocol", func(t *testing.T) {
		f := newServices(t)
		k := newConIn(f)
		k.keys = keystrokes("a⌦", 0)
		drainKeys(1)
		wantReceived(t, "a keyboard's, of which no more is known", "a\x1b[3~")
	})
	t.Run("its successor", func(t *testing.T) {
		f := newServices(t)
		k := newConIn(f)
		f.install(1, simpleTextInputExGUID, address(&k.ex))
		k.keys = append(keystrokes("a⌦", valid), keystrokes("b⌦", 0)...)
		drainKeys(1)
		wantReceived(t, "a keyboard's and a terminal's", "a\x1b[3~b\x7f")
		if !fromTerminal {
			t.Error("the last key was a terminal's")
		}
	})
	t.Run("a splitter", func(t *testing.T) {
		f := newServices(t)
		all, keyboard, line, other := newConIn(f), newKeys(f), newKeys(f), newKeys(f)
		for handle, k := range map[uintptr]*fakeKeys{1: all, 2: keyboard, 3: line} {
			f.install(handle, consoleInDeviceGUID, 0)
			f.install(handle, simpleTextInputExGUID, address(&k.ex))
		}
		f.install(4, simpleTextInputExGUID, address(&other.ex)) // none of ConIn's
		f.install(5, consoleInDeviceGUID, 0)                    // unplugged
		keyboard.keys, line.keys, other.keys = keystrokes("⌦", valid), keystrokes("⌦", 0), keystrokes("x", valid)
		all.keys = keystrokes("⌦", valid) // which came between, from the device that had the last key
		drainKeys(1)
		wantReceived(t, "both devices, then ConIn", "\x1b[3~\x7f\x7f")
		keyboard.keys, all.keys = keystrokes("k", valid), keystrokes("⌦", 0)
		drainKeys(1)
		wantReceived(t, "the keyboard, then ConIn, whose state is what it tells", "k\x7f")
		// Keys that ConIn's event does not tell of are found ten times a second.
		line.keys, all.reads = keystrokes("l", 0), 0
		lastFullPoll = 500
		drainKeys(500 + 1e8 - 1)
		if wantReceived(t, "too early", ""); all.reads != 0 {
			t.Errorf("ConIn was read %d times", all.reads)
		}
		drainKeys(500 + 1e8)
		wantReceived(t, "after a tenth of a second", "l")
		if all.reads != 1 || lastFullPoll != 500+1e8 {
			t.Errorf("ConIn was read %d times, at %d", all.reads, lastFullPoll)
		}
		// A key that ConIn's event tells of is read at once.
		line.keys, all.keys = keystrokes("m", 0), keystrokes("", 0)
		all.keys = keystrokes("n", valid)
		drainKeys(lastFullPoll + 1)
		wantReceived(t, "at once", "mn")
	})
	t.Run("more devices than there is room for", func(t *testing.T) {
		f := newServices(t)
		all := newConIn(f)
		for handle := range uintptr(len(handles)) + 1 {
			f.install(10+handle, consoleInDeviceGUID, 0)
		}
		all.keys = keystrokes("a", valid)
		drainKeys(1)
		wantReceived(t, "ConIn's", "a")
		delete(f.protocols, 10)
		k := newKeys(f)
		f.install(10+uintptr(len(handles)), simpleTextInputExGUID, address(&k.ex))
		k.keys, all.keys = keystrokes("z", valid), keystrokes("b", valid)
		drainKeys(1)
		wantReceived(t, "the last one's, then ConIn's", "zb")
	})
	t.Run("none", func(t *testing.T) {
		f := newServices(t)
		newConIn(f)
		conIn = 0
		terminal.Resize(80, 24)
		printText("\x1b[5n")
		drainKeys(1)
		drainConIn(1, false)
		wantReceived(t, "the terminal's answer", "\x1b[0n")
	})
	t.Run("a flood", func(t *testing.T) {
		f := newServices(t)
		k := newConIn(f)
		k.keys = keystrokes(strings.Repeat("x", receivedSize/2+10), 0)
		drainKeys(1)
		if len(k.keys) != 10 || receivedEnd-receivedHead != receivedSize/2 {
			t.Errorf("%d keys are left, %d bytes wait", len(k.keys), receivedEnd-receivedHead)
		}
		wantReceived(t, "what has been read", strings.Repeat("x", receivedSize/2))
		drainKeys(1)
		wantReceived(t, "the rest", strings.Repeat("x", 10))
	})
	t.Run("a partial character gets old", func(t *testing.T) {
		f := newServices(t)
		newConIn(f)
		typeUnit(0xE9, 0)
		for range 11 {
			drainKeys(1e9 + 1)
		}
		wantReceived(t, "alone", "é")
	})
}

// TestWaitForKey: the firmware waits for its key event and for a timer of 100 ns units, a second at most.
func TestWaitForKey(t *testing.T) {
	f := newServices(t)
	k := newConIn(f)
	k.keys = keystrokes("before", 0)
	initInput()
	f.wantLog("the start", "event 0x80000000 8 0 0")
	wantReceived(t, "typed before the start", "before")
	timer := func(ns int) string { return fmt.Sprintf("timer 0xe2 2 %d", ns/100) }
	waitForKey(5e6)
	f.wantLog("5 ms", timer(5e6), "wait [0xe2 0xe1]", "timer 0xe2 0 0")
	waitForKey(7e9)
	f.wantLog("7 s", timer(1e9), "wait [0xe2 0xe1]", "timer 0xe2 0 0")
	typeUnit(0xC3, 0)
	waitForKey(1e9)
	f.wantLog("with half a character", timer(20e6), "wait [0xe2 0xe1]", "timer 0xe2 0 0")
	releasePartial()
	conIn = 0
	waitForKey(1e6)
	f.wantLog("without a keyboard", timer(1e6), "wait [0xe2]", "timer 0xe2 0 0")
	f.boot.setTimer = f.service(func(...uintptr) uintptr { return efiInvalidParameter })
	waitForKey(1e6)
	f.wantLog("without a timer")
	closeInput()
	closeInput()
	f.wantLog("the end", "close 0xe2")
}

// TestCharacterKeys: keys that are characters become what xterm sends (ctlseqs, "Special Keyboard Keys" and "Alt and Meta Keys";
// Ctrl with a digit as on a VT220), whatever is held with them.
func TestCharacterKeys(t *testing.T) {
	resetInput(t)
	control := map[byte]byte{' ': 0, '`': 0, '2': 0, '3': 0x1B, '4': 0x1C, '5': 0x1D, '6': 0x1E, '7': 0x1F, '8': 0x7F, '?': 0x7F, '/': 0x1F, '-': 0x1F}
	for i, c := range "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_" {
		control[byte(c)] = byte(i)
	}
	for i, c := range "abcdefghijklmnopqrstuvwxyz" {
		control[byte(c)] = byte(i + 1)
	}
	for c := range byte(0x80) {
		for state := range uint32(1 << 6) {
			shift, ctrl, alt := state&0x03 != 0, state&0x0C != 0, state&0x30 != 0
			want := string(rune(c))
			made, isMade := control[c]
			switch {
			case c == 0: // a key that is no character
				continue
			case c == '\b' && !ctrl:
				want = "\x7f"
			case ctrl && isMade:
				want = string(rune(made))
			}
			switch {
			case c == '\t' && shift:
				want = "\x1b[Z"
			case alt:
				want = "\x1b" + want
			}
			typeKey(&efiKeyData{efiInputKey{0, uint16(c)}, 1<<31 | state, 0, [3]byte{}}, 0)
			wantReceived(t, fmt.Sprintf("%q with %#x", c, state), want)
		}
	}
}

// TestTerminalBytes: a terminal's bytes that are UTF-8 become characters; others are the characters of Latin-1.
func TestTerminalBytes(t *testing.T) {
	resetInput(t)
	latin := func(b ...byte) (s string) {
		for _, c := range b {
			s += string(rune(c))
		}
		return s
	}
	for first := 0x80; first <= 0xFF; first++ {
		size := 1 // of the character that this byte begins
		for limit, n := range map[int]int{0xC2: 1, 0xE0: 1, 0xF0: 1, 0xF5: -3} {
			if first >= limit {
				size += n
			}
		}
		for n := range 6 {
			b := []byte{byte(first)}
			for i := range n {
				b = append(b, byte(0x80+i*12))
			}
			want := latin(b...)
			if size > 1 && len(b) >= size {
				want = string(b[:size]) + latin(b[size:]...)
			}
			for _, c := range b {
				typeKey(&efiKeyData{efiInputKey: efiInputKey{unicodeChar: uint16(c)}}, 0)
			}
			typeKey(&efiKeyData{efiInputKey: efiInputKey{unicodeChar: 'a'}}, 0)
			wantReceived(t, fmt.Sprintf("% x", b), want+"a")
		}
	}
	for name, c := range map[string]struct {
		next efiKeyData
		want string
	}{
		"a key that is no character": {efiKeyData{efiInputKey: efiInputKey{scanCode: scanUp}}, "\x1b[A"},
		"Backspace":                  {efiKeyData{efiInputKey: efiInputKey{unicodeChar: '\b'}}, "\x7f"},
		"DEL":                        {efiKeyData{efiInputKey: efiInputKey{scanCode: scanDelete}}, "\x7f"},
		"a keyboard's key":           {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 'k'}, shiftState: shiftStateValid}, "k"},
		"a character of its own":     {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 0x100}}, "Ā"},
		"a lower one":                {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 0x7E}}, "~"},
		"another first byte":         {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 0xC3}}, "Ã"},
		"a byte that UTF-8 has not":  {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 0xC0}}, "À"},
		"half a pair":                {efiKeyData{efiInputKey: efiInputKey{unicodeChar: 0xD83D}}, ""},
	} {
		typeUnit(0xE2, 0)
		typeUnit(0x82, 0)
		typeKey(&c.next, 7)
		releasePartial()
		wantReceived(t, "two of three bytes, then "+name, "â\u0082"+c.want)
		if partialSize != 0 || partialNeed != 0 || c.next.shiftState == 0 && lastTyped != 7 {
			t.Errorf("%s: %d of %d bytes are kept, the last came at %d", name, partialSize, partialNeed, lastTyped)
		}
		keyDecoder = utf16Decoder{}
	}
}

// TestPartialTime: how long the rest of a character may take: a second; five where its second byte may be a CSI. Each byte has the
// whole time, and so many calls of the firmware.
func TestPartialTime(t *testing.T) {
	resetInput(t)
	for _, c := range []struct {
		bytes string
		limit int64
		want  string
	}{{"\xD0", 5e9, "Ð"}, {"\xE6", 1e9, "æ"}, {"\xE6\x97", 1e9, "æ\u0097"}, {"\xF0\x9F\x99", 1e9, "ð\u009f\u0099"}} {
		const start = int64(3e9)
		for i := range len(c.bytes) {
			typeUnit(uint16(c.bytes[i]), start)
			if i < len(c.bytes)-1 {
				for range 10 {
					agePartial(start + 100e9)
				}
			}
		}
		for range 15 {
			agePartial(start + c.limit)
		}
		wantReceived(t, fmt.Sprintf("%q in time", c.bytes), "")
		agePartial(start + c.limit + 1)
		wantReceived(t, fmt.Sprintf("%q too late", c.bytes), c.want)
		typeUnit(uint16(c.bytes[0]), start)
		for range 10 {
			agePartial(start + 100e9)
		}
		wantReceived(t, "few calls", "")
		agePartial(start + 100e9)
		wantReceived(t, "one more", c.want[:2])
	}
}

// typeText types a text on a terminal, whose firmware makes SCAN_ESC of ESC.
func typeText(text string, now int64) {
	for _, b := range []byte(text) {
		key := efiKeyData{efiInputKey: efiInputKey{unicodeChar: uint16(b)}}
		if b == 0x1B {
			key.efiInputKey = efiInputKey{scanCode: scanEsc}
		}
		typeKey(&key, now)
	}
}

// TestSizeReport: a terminal's size resizes the screen, and is no key; what only begins so is.
func TestSizeReport(t *testing.T) {
	resetInput(t)
	for _, start := range []uint32{0, receivedSize - 5, 1<<32 - 5} { // where the ring begins anew
		for _, c := range []struct {
			text, want string
			columns    int // 0: as before
			rows       int
		}{
			{"a\x1b[8;33;101tb", "ab", 101, 33}, {"\x1b[8;1;2t", "", 2, 1}, {"\x1b[8;090;0007t", "", 7, 90}, {"\x1b[8;10;99999t", "", 1024, 10},
			{"\x1b[8;0;0t", "", 0, 0}, {"\x1b[8;0;7t", "", 0, 0}, {"\x1b[8;7;0t", "", 0, 0}, {"\x1b[8;;t", "", 0, 0}, {"\x1b\x1b[8;20;30t\x1b", "\x1b\x1b", 30, 20},
			{"\x1b[8;33t", "\x1b[8;33t", 0, 0}, {"\x1b[9;33;7t", "\x1b[9;33;7t", 0, 0}, {"\x1b[18;33;7t", "\x1b[18;33;7t", 0, 0}, {"8;33;7t", "8;33;7t", 0, 0},
			{"[8;33;7t", "[8;33;7t", 0, 0}, {"O[8;33;7t", "O[8;33;7t", 0, 0}, {"\x1b[8;33;7;1t", "\x1b[8;33;7;1t", 0, 0}, {"\x1b[8;3.3;7t", "\x1b[8;3.3;7t", 0, 0},
			{"\x1b8;33;7t", "\x1b8;33;7t", 0, 0}, {"\x1b[;33;7t", "\x1b[;33;7t", 0, 0}, {"\x1b[33;7t", "\x1b[33;7t", 0, 0}, {"\x1b[8;33;7T", "\x1b[8;33;7T", 0, 0},
			{"\x1b[8;99999999;7t", "\x1b[8;99999999;7t", 0, 0}, {"\x1b[8;7;99999999t", "\x1b[8;7;99999999t", 0, 0}, {"t", "t", 0, 0},
		} {
			receivedHead, receivedEnd = start, start
			terminal.Resize(80, 24)
			typeText(c.text, 0)
			wantReceived(t, fmt.Sprintf("%q", c.text), c.want)
			columns, rows := terminal.Size()
			if c.columns == 0 {
				c.columns, c.rows = 80, 24
			}
			if columns != c.columns || rows != c.rows {
				t.Errorf("after %q the terminal has %d by %d, want %d by %d", c.text, columns, rows, c.columns, c.rows)
			}
		}
		for text, may := range map[string]bool{
			"": false, "\x1b": false, "\x1b[": false, "\x1b[8": true, "x\x1b[8;": true, "\x1b[8;3": true, "\x1b[8;33;101": true, "\x1b[8;1234;123": true, "\x1b[8;1234;12345": false,
			"[8;3": false, "x[8;3": false, "\x1b[9;3": false, "\x1b[;8": false, "\x1b[8;3x": false, "\x1b[8;3\x1b": false, "\x1b8;3": false, "8;3": false, "\x1b[8/3": false, "\x1b[8:3": false,
		} {
			receivedHead, receivedEnd = start, start
			receiveString(text)
			if got := isSizeReport(); got != may {
				t.Errorf("%q: may become a report: %v", text, got)
			}
		}
	}
	receivedHead = receivedEnd
	textOut = 1 // a person looks at a screen
	defer func() { textOut = 0 }()
	typeText("\x1b[8;33;101t", 0)
	wantReceived(t, "beside a screen", "\x1b[8;33;101t")
}

// TestHalfReport: the beginning of a report waits for its rest a second long, from the last key on.
func TestHalfReport(t *testing.T) {
	resetInput(t)
	defer func() { lastTyped, lastKeyPoll = 0, 0 }()
	settings.local = 0
	const second = int64(1e9)
	typed := func(want string) {
		t.Helper()
		if got, _ := readTyped(100); got != want {
			t.Errorf("typed are %q, want %q", got, want)
		}
	}
	typeText("ab\x1b[8;3", 5*second)
	pollKeys(6*second - 1)
	typed("")
	typeText("3;101t", 6*second-1)
	pollKeys(6*second - 1)
	typed("ab")
	if columns, rows := terminal.Size(); columns != 101 || rows != 33 {
		t.Errorf("the terminal has %d by %d", columns, rows)
	}
	typeText("\x1b[8;3", 10*second)
	if pollKeys(11 * second); lastKeyPoll != 11*second {
		t.Errorf("the keys were polled at %d", lastKeyPoll)
	}
	typed("\x1b[8;3")
}
