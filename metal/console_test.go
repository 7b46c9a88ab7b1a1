//go:build linux && amd64

package metal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bootllama/metal/vt"
)

// fakeLine is EFI_SERIAL_IO_PROTOCOL (12.8) of a line that takes what a test lets it take.
type fakeLine struct {
	f        *testFirmware
	protocol efiSerialIO
	answers  []lineAnswer // of the next calls of Write; then it takes all
	got      []byte
	stalls   []uintptr
}

type lineAnswer struct {
	taken  int
	status uintptr
}

// newLine makes a line, and lets the firmware find it at the handle of a device path.
func newLine(f *testFirmware) *fakeLine {
	l := &fakeLine{f: f}
	l.protocol.write = f.service(func(a ...uintptr) uintptr {
		size := at[uintptr](a[1])
		if a[0] != address(&l.protocol) || *size == 0 {
			f.t.Errorf("Write of %d bytes to %#x", *size, a[0])
		}
		answer := lineAnswer{int(*size), efiSuccess}
		if len(l.answers) > 0 {
			answer, l.answers = l.answers[0], l.answers[1:]
		}
		for i := range uintptr(min(answer.taken, int(*size))) {
			l.got = append(l.got, *at[byte](a[2] + i))
		}
		*size = uintptr(answer.taken)
		return answer.status
	})
	f.boot.stall = f.service(func(a ...uintptr) uintptr { l.stalls = append(l.stalls, a[0]); return efiSuccess })
	reset := func() {
		serialLines, serialFailures = [len(serialLines)]uintptr{}, [len(serialFailures)]uint{}
		serialCount, serialSize, serialEnd, serialPath, firmwareResult = 0, 0, 0, 0, 0
		terminal = vt.Terminal{}
		terminal.Resize(80, 24)
	}
	reset()
	f.t.Cleanup(reset)
	return l
}

// TestWriteSerial: what a line does not take in time is tried again from the byte behind the one that its driver keeps, for about
// a second; then the text is lost, and each next one tried once.
func TestWriteSerial(t *testing.T) {
	const text, most = "0123456789abcdefghij", 15
	timeout := func(taken int) lineAnswer { return lineAnswer{taken, efiTimeout} }
	never := slices.Repeat([]lineAnswer{timeout(0)}, 40)
	for _, c := range []struct {
		name     string
		failures uint
		answers  []lineAnswer
		want     string
		stalls   []uintptr // µs
		after    uint
	}{
		{"at once", 3, nil, text, nil, 0},
		{"in parts", 0, []lineAnswer{{3, efiSuccess}, {2, efiSuccess}}, text, nil, 0},
		{"more than there was", 0, []lineAnswer{{99, efiSuccess}}, text, nil, 0},
		{"with a time-out", 0, []lineAnswer{timeout(3)}, "012" + text[4:], []uintptr{2000}, 0},
		{"with several", 0, []lineAnswer{timeout(0), timeout(0), timeout(0), timeout(2)}, "34" + text[6:], []uintptr{2000, 4000, 8000, 2000}, 0},
		{"with one byte", 5, []lineAnswer{timeout(1)}, "0" + text[2:], []uintptr{2000}, 0},
		{"with one behind the last byte", 0, []lineAnswer{timeout(20)}, text, []uintptr{2000}, 1},
		{"with one at the last byte", 0, []lineAnswer{timeout(19)}, text[:19], []uintptr{2000}, 1},
		{"another error", 0, []lineAnswer{{4, efiDeviceError}}, "0123", nil, 0},
		{"never", 0, never, "", append([]uintptr{2000, 4000, 8000, 16000, 32000}, slices.Repeat([]uintptr{64000}, 10)...), most},
		{"never any more", most - 1, never, "", []uintptr{64000}, most},
		{"given up", most, never, "", nil, most},
		{"given up, and back", most, []lineAnswer{timeout(5)}, "01234" + text[6:], []uintptr{2000}, 0},
	} {
		f := newServices(t)
		l := newLine(f)
		serialLines[1], serialFailures[1], l.answers = address(&l.protocol), c.failures, c.answers
		serialEnd = copy(serialText[:], text)
		writeSerial(1)
		if string(l.got) != c.want || !slices.Equal(l.stalls, c.stalls) || serialFailures[1] != c.after {
			t.Errorf("%s: %q, stalls %d, %d failures; want %q, %d, %d", c.name, l.got, l.stalls, serialFailures[1], c.want, c.stalls, c.after)
		}
	}
}

// TestSerialOutput: lines get what is whole, however long, and what has begun when it ends.
func TestSerialOutput(t *testing.T) {
	f := newServices(t)
	first, second := newLine(f), newLine(f)
	serialLines[0], serialLines[1], serialCount = address(&first.protocol), address(&second.protocol), 2
	want := ""
	check := func(what string) {
		t.Helper()
		if string(first.got) != want || string(second.got) != want {
			t.Fatalf("%s: the lines got %q and %q, want %q", what, first.got, second.got, want)
		}
	}
	clearSerial()
	want = "\x1b[0m\x1b[2J\x1b[H"
	check("the start")
	printText("one\ntwo")
	want += "one\r\ntwo"
	check("text")
	printText("é\xE6\x97")
	want += "é"
	check("a part of a character")
	printText("\xA5\x1b[3")
	want += "日"
	check("a part of a sequence")
	printText("1mred\x1b[5n\x1b[m")
	want += "\x1b[31mred\x1b[m"
	check("what the terminal answers")
	printText("\n")
	want += "\r\n"
	check("a line")
	for _, n := range []int{len(serialText) - 2, len(serialText) - 1, len(serialText), len(serialText) + 1, 3 * len(serialText)} {
		long := strings.Repeat("x", n)
		printText(long)
		want += long
		check(fmt.Sprintf("%d bytes", n))
		title := "\x1b]0;" + long + "\a" // longer than what may be kept
		printText(title)
		want += title
		check(fmt.Sprintf("a title of %d bytes", n))
	}
	outputNewLine = false
	defer func() { outputNewLine = true }()
	printText("\n")
	want += "\n"
	check("a bare line feed")
	printText("\x1b[3") // what has not ended
	endSequences()
	printText("the kernel's\n")
	want += "\x1b[3\x18\x1b[!pthe kernel's\r\n"
	check("a message")
}

// path is a device path with, perhaps, the node of a serial line.
func path(t *testing.T, uart bool) uintptr {
	b := []byte("\x02\x01\x0c\x00........")
	if uart {
		b = append(b, "\x03\x0e\x13\x00..............."...)
	}
	b = append(b, "\x7f\xff\x04\x00"...)
	return address(fixed(t, &b[0]))
}

// TestFindConsoles: the devices of ConOut that are serial lines get the program's bytes; one screen is drawn on itself, and several
// by ConOut, whose terminals then draw on the lines.
func TestFindConsoles(t *testing.T) {
	const screen, line, broken, pathless, selfless = 's', 'l', 'b', 'p', 'c'
	for devices, want := range map[string]struct {
		lines  int
		screen string // "all": ConOut; "": none; a number: that device
	}{
		"": {0, "all"}, "s": {0, "all"}, "ss": {0, "all"}, "l": {1, ""}, "ll": {2, ""}, "sl": {1, "0"}, "ls": {1, "1"}, "lsl": {2, "1"}, "ssl": {0, "all"}, "lss": {0, "all"},
		"b": {0, "all"}, "bl": {1, "0"}, "psl": {1, "1"}, "csl": {1, "1"}, "llll": {4, ""}, "lllll": {4, "4"}, "lllls": {4, "4"}, "llllsl": {0, "all"},
		strings.Repeat("p", 63) + "l": {1, ""}, strings.Repeat("p", 64) + "l": {0, "all"}, // there is room for 64
	} {
		f := newServices(t)
		all := newConsole(f, [2]uintptr{80, 25})
		l := newLine(f)
		found := map[uintptr]int{} // the screens' numbers
		lines := map[uintptr]uintptr{}
		f.boot.locateDevicePath = f.service(func(a ...uintptr) uintptr {
			if *at[guid](a[0]) != serialIOGUID || lines[*at[uintptr](a[1])] == 0 {
				return efiNotFound
			}
			*at[uintptr](a[2]) = lines[*at[uintptr](a[1])]
			*at[uintptr](a[1]) += 31 // to the end
			return efiSuccess
		})
		for i, kind := range devices {
			handle, out, where := uintptr(100+i), uintptr(300+i), path(t, strings.ContainsRune("lb", kind))
			f.install(handle, consoleOutDeviceGUID, 0)
			f.install(handle, simpleTextOutputGUID, out)
			found[out] = i
			switch kind {
			case line:
				lines[where] = 200 + uintptr(i)
				f.install(lines[where], serialIOGUID, address(&l.protocol)+uintptr(i))
			case pathless:
				continue
			case selfless: // ConOut itself
				f.install(handle, simpleTextOutputGUID, conOut)
			}
			f.install(handle, devicePathGUID, where)
		}
		findConsoles()
		got := ""
		if textOut == address(&all.protocol) {
			got = "all"
		} else if i, ok := found[textOut]; ok {
			got = fmt.Sprint(i)
		} else if textOut != 0 {
			got = "?"
		}
		if serialCount != want.lines || got != want.screen {
			t.Errorf("%q: %d lines, the screen is %q; want %d, %q", devices, serialCount, got, want.lines, want.screen)
		}
		n := 0
		for i, kind := range devices {
			if kind == line && n < serialCount {
				if serialLines[n] != address(&l.protocol)+uintptr(i) {
					t.Errorf("%q: line %d is not that of device %d", devices, n, i)
				}
				n++
			}
		}
	}
	f := newServices(t)
	newConsole(f, [2]uintptr{80, 25})
	newLine(f)
	f.boot.locateDevicePath = f.service(func(a ...uintptr) uintptr {
		*at[uintptr](a[2]) = 9 // a handle without the protocol
		return efiSuccess
	})
	f.install(100, consoleOutDeviceGUID, 0)
	f.install(100, simpleTextOutputGUID, 5)
	f.install(100, devicePathGUID, path(t, true))
	if findConsoles(); serialCount != 0 || textOut != conOut {
		t.Errorf("a line without its protocol: %d lines", serialCount)
	}
	conOut = 0
	if findConsoles(); serialCount != 0 || textOut != 0 {
		t.Errorf("no console: %d lines", serialCount)
	}
}

// TestInitConsole: at a machine's boot the console is cleared, on screens and lines; below a shell's text it goes on.
func TestInitConsole(t *testing.T) {
	for _, c := range []struct {
		devices             string // s: a screen, l: a line
		shell               bool
		size                [2]int
		x, y                int
		log                 []string
		line                string
		wantLines           int
		wantScreen, wantOut bool
	}{
		{"s", true, [2]int{100, 30}, 3, 7, nil, "", 0, true, true},
		{"s", false, [2]int{100, 30}, 0, 0, []string{"clear"}, "", 0, true, true},
		{"sl", false, [2]int{100, 30}, 0, 0, []string{"clear"}, "\x1b[0m\x1b[2J\x1b[H", 1, true, true},
		{"sl", true, [2]int{100, 30}, 3, 7, nil, "", 1, true, true},
		{"l", false, [2]int{80, 24}, 0, 0, nil, "\x1b[0m\x1b[2J\x1b[H", 1, false, true},
		{"l", true, [2]int{80, 24}, 3, 7, nil, "", 1, false, true},
		{"", false, [2]int{80, 24}, 0, 0, nil, "", 0, false, false},
		{"", true, [2]int{80, 24}, 0, 0, nil, "", 0, false, false},
	} {
		t.Run(fmt.Sprintf("%q, shell %v", c.devices, c.shell), func(t *testing.T) {
			f := newServices(t)
			l := newLine(f)
			all := newConsole(f, [2]uintptr{100, 30}) // of which the screen is a part, with the same functions
			screen := fixed(t, &efiSimpleTextOutput{})
			*screen = all.protocol
			all.mode.cursorColumn, all.mode.cursorRow = 3, 7
			f.boot.locateDevicePath = f.service(func(a ...uintptr) uintptr {
				*at[uintptr](a[2]) = 9
				return efiSuccess
			})
			f.install(9, serialIOGUID, address(&l.protocol))
			for i, kind := range c.devices {
				handle := uintptr(20 + i)
				f.install(handle, consoleOutDeviceGUID, 0)
				f.install(handle, simpleTextOutputGUID, address(screen))
				f.install(handle, devicePathGUID, path(t, kind == 'l'))
			}
			all.other = address(screen)
			shell := fixed(t, &efiShellParameters{argc: 1})
			if c.shell {
				f.install(imageHandle, shellParametersGUID, address(shell))
			}
			if !c.wantOut {
				f.table.conOut = 0
			}
			conOut, textOut, startedByShell = 1, 1, !c.shell
			initConsole()
			f.wantLog("the start", c.log...)
			columns, rows := terminal.Size()
			x, y, _ := terminal.Cursor()
			if [2]int{columns, rows} != c.size || x != c.x || y != c.y || startedByShell != c.shell || conOut != f.table.conOut {
				t.Errorf("%d by %d cells, the cursor at %d, %d, a shell: %v", columns, rows, x, y, startedByShell)
			}
			if string(l.got) != c.line || serialCount != c.wantLines || (textOut != 0) != c.wantScreen {
				t.Errorf("%d lines, which got %q; the screen is %#x", serialCount, l.got, textOut)
			}
		})
	}
}

// TestCloseConsole: where serial lines have the text, ConOut hears where the cursor is.
func TestCloseConsole(t *testing.T) {
	f := newServices(t)
	newLine(f)
	newConsole(f, [2]uintptr{80, 25})
	initText()
	printText("\x1b[7;9H")
	f.log = nil
	closeConsole(false)
	f.wantLog("no lines", "to 8,6", "attribute 0x7")
	textOut, serialCount = 0, 1
	closeConsole(false)
	f.wantLog("lines", "to 8,6")
	conOut = 0
	closeConsole(false)
	f.wantLog("lines, no ConOut")
}

// TestOutputQueue: what threads of other cores write comes out in its order, and what does not fit is refused.
func TestOutputQueue(t *testing.T) {
	f := newServices(t)
	l := newLine(f)
	serialLines[0], serialCount = address(&l.protocol), 1
	defer func() { queuedSize, queuedWritten = 0, 0 }()
	c := newConsole(f, [2]uintptr{40, 8})
	initText()
	f.log = nil
	drainOutput()
	f.wantLog("nothing")
	random := rand.New(rand.NewPCG(3, 9))
	text := make([]byte, len(outputQueue)+2)
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	source := string(text)
	fixed(t, &text[0])
	for range 20 {
		l.got = nil
		want, used := "", 0
		for range 30 {
			n := random.IntN(1000)
			if random.IntN(3) == 0 {
				n = random.IntN(len(outputQueue))
			}
			if random.IntN(10) == 0 {
				n = max(0, len(outputQueue)-used-outputHeader+random.IntN(2))
			}
			fits := used+outputHeader+n <= len(outputQueue)
			first := random.IntN(len(text) - n)
			if got := queueOutput(stdout, address(&text[first]), uintptr(n)); got != fits {
				t.Fatalf("%d bytes, where %d of %d are used: %v", n, used, len(outputQueue), got)
			}
			if fits {
				want, used = want+source[first:first+n], used+outputHeader+n
			}
		}
		if drainOutput(); string(l.got) != want || queuedSize != 0 || queuedWritten != 0 {
			t.Fatalf("%d bytes came out, want %d; %d of %d are left", len(l.got), len(want), queuedWritten, queuedSize)
		}
		c.wantShown("the queue's text")
	}
	if !queueOutput(stdout, address(&text[0]), 300) || outputQueue[0] != stdout || queuedSize != 303 || !queueOutput(stderr, address(&text[0]), 1) || outputQueue[303] != stderr {
		t.Errorf("the streams are not kept; %d bytes", queuedSize)
	}
}

// TestDisplayRequests: ioctl(2) of the terminal's size and mode.
func TestDisplayRequests(t *testing.T) {
	f := newServices(t)
	newConsole(f, [2]uintptr{80, 25})
	initText()
	size := fixed(t, &winsize{1, 1, 1, 1})
	if e := displayIoctl(0x5413, address(size)); e != 0 || *size != (winsize{rows: 25, columns: 80}) { // TIOCGWINSZ
		t.Errorf("%d, size %+v", e, *size)
	}
	for _, c := range []struct {
		set, want winsize
		e         uint64
	}{
		{winsize{rows: 30, columns: 90, xPixels: 7}, winsize{rows: 30, columns: 90}, 0}, {winsize{rows: 0, columns: 50}, winsize{rows: 30, columns: 90}, errno(einval)},
		{winsize{rows: 50}, winsize{rows: 30, columns: 90}, errno(einval)}, {winsize{rows: 1, columns: 1}, winsize{rows: 1, columns: 1}, 0},
	} {
		set := fixed(t, &c.set)
		if e := displayIoctl(0x5414, address(set)); e != c.e { // TIOCSWINSZ
			t.Errorf("%+v: %d", c.set, int64(e))
		}
		if displayIoctl(0x5413, address(size)); *size != c.want {
			t.Errorf("after %+v: %+v, want %+v", c.set, *size, c.want)
		}
	}
	mode := fixed(t, new(uint32))
	for _, c := range []struct {
		set  uintptr
		e    uint64
		want uint32
	}{{1, 0, 1}, {2, errno(einval), 1}, {1, 0, 1}, {0, 0, 0}, {99, errno(einval), 0}} { // KD_TEXT, KD_GRAPHICS
		if e := displayIoctl(0x4B3A, c.set); e != c.e { // KDSETMODE
			t.Errorf("mode %d: %d", c.set, int64(e))
		}
		*mode = 77
		if e := displayIoctl(0x4B3B, address(mode)); e != 0 || *mode != c.want { // KDGETMODE
			t.Errorf("after mode %d: %d, mode %d", c.set, e, *mode)
		}
	}
	if e := displayIoctl(0x5499, 0); e != errno(enotty) {
		t.Errorf("an unknown request: %d", int64(e))
	}
}

// TestMessages: the kernel's messages, on the screen.
func TestMessages(t *testing.T) {
	f := newServices(t)
	newConsole(f, [2]uintptr{200, 8})
	initText()
	for want, message := range map[string]func(){
		"":     func() { say("") },
		"text": func() { say("text") },
		"0 9 10 1234567890": func() {
			sayNumber(0)
			say(" ")
			sayNumber(9)
			say(" ")
			sayNumber(10)
			say(" ")
			sayNumber(1234567890)
		},
		"18446744073709551615":                                func() { sayNumber(1<<64 - 1) },
		"0x0000000000000000":                                  func() { sayHex(0) },
		"0x0123456789abcdef":                                  func() { sayHex(0x0123456789ABCDEF) },
		"0xfedcba9876543210":                                  func() { sayHex(0xFEDCBA9876543210) },
		"EFI_TIMEOUT (0x8000000000000012)|":                   func() { sayStatus(efiTimeout) },
		"metal: GetTime: EFI_NOT_FOUND (0x800000000000000e)|": func() { warn("GetTime", efiNotFound) },
		"A 0x0000000000000001  B 0x0000000000000020  C 0x0000000000000300  D 0x0000000000004000|": func() {
			sayRegisters("A", 1, "B", 0x20, "C", 0x300, "D", 0x4000)
		},
	} {
		printText("\x1b[2J\x1b[H")
		message()
		printText("|")
		got := ""
		for y := range 2 {
			line := ""
			for _, c := range terminal.Row(y) {
				line += string(c.Rune)
			}
			got += strings.TrimRight(line, " ")
		}
		if got != want+"|" && got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
