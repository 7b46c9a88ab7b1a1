//go:build linux && amd64

package metal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"
)

// resetInput forgets what has been typed and set, before a test and after it.
func resetInput(t testing.TB) {
	t.Helper()
	before := settings
	reset := func() {
		settings = before
		received, receivedHead, receivedEnd = [receivedSize]byte{}, 0, 0
		typedHead, typedLine, typedEnd = 0, 0, 0
		literalNext, overflowed, echoedCount, pendingSignals = false, false, 0, 0
		layoutSet, composedCount, deadTyped, partialSize, partialNeed = false, 0, 0, 0, 0
		keyDecoder = utf16Decoder{}
		terminal.Resize(200, 24)
		terminal.Write('\r')
		for ok := true; ok; _, ok = terminal.Reply() {
		}
	}
	reset()
	t.Cleanup(reset)
}

// typeBytes gives the line discipline bytes and returns what it echoes.
func typeBytes(b []byte) string {
	var echo []byte
	for _, c := range b {
		discipline(c)
		echo = append(echo, echoed[:echoedCount]...)
		flushEcho()
	}
	return string(echo)
}

// readTyped reads as a program does; ok is false where it would wait.
func readTyped(n int) (text string, ok bool) {
	b := make([]byte, n)
	taken, ok := takeInput(address(&b[0]), uintptr(n), false)
	return string(b[:taken]), ok
}

// linuxTerminal is a pseudo-terminal of the host: master is the person's side, slave the program's.
type linuxTerminal struct {
	t             *testing.T
	master, slave *os.File
}

func openLinuxTerminal(t *testing.T) *linuxTerminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return &linuxTerminal{t, master, slave}
}

// set gives Linux's terminal the settings of this one, by TCSETS or TCSETSF.
func (l *linuxTerminal) set(request uint) {
	l.t.Helper()
	host := unix.Termios{Iflag: settings.input, Oflag: unix.OPOST | unix.ONLCR, Cflag: settings.control, Lflag: settings.local}
	copy(host.Cc[:], settings.chars[:])
	if err := unix.IoctlSetTermios(int(l.slave.Fd()), request, &host); err != nil {
		l.t.Fatal(err)
	}
}

// someOf chooses each flag once in n times.
func someOf(random *rand.Rand, n int, flags ...uint32) (some uint32) {
	for _, flag := range flags {
		if random.IntN(n) == 0 {
			some |= flag
		}
	}
	return some
}

// readUntil reads until a text comes.
func readUntil(f *os.File, end string) (string, error) {
	var got []byte
	for b := make([]byte, 256); !bytes.HasSuffix(got, []byte(end)); {
		n, err := f.Read(b)
		if err != nil {
			return string(got), err
		}
		got = append(got, b[:n]...)
	}
	return string(got), nil
}

// TestLineDiscipline types the same on Linux's terminal and on this one, with random settings
// and much editing, and compares the echo and what a program reads, read by read. Characters of
// two cells are left out: Linux erases one of them.
func TestLineDiscipline(t *testing.T) {
	linux := openLinuxTerminal(t)
	const end = "#end\n" // a last line, which tells that Linux has seen all
	keys := []string{"a", "b ", "word", "é", "ß", "\t", "\x7f", "\x7f\x7f", "\x15", "\x17", "\x12", "\x16", "\x04", "\r", "\n", "\x01", "\x1b[A", "x_y-z", "!", "c%d"}
	locals := []uint32{localECHO, localECHOE, localECHOK, localECHONL, localECHOKE, localIEXTEN}
	random := rand.New(rand.NewPCG(12, 5))
	for round := range 400 {
		resetInput(t)
		settings.local = localICANON | localECHOCTL
		for _, flag := range locals {
			if random.IntN(5) > 0 {
				settings.local |= flag
			}
		}
		settings.input = inputIUTF8 | someOf(random, 3, inputICRNL, inputINLCR, inputIGNCR) | someOf(random, 9, inputISTRIP)
		settings.input &^= inputINLCR // or nothing ends a line
		if random.IntN(2) == 0 {
			settings.chars[charVEOL], settings.chars[charVEOL2] = '!', '%'
		}
		linux.set(unix.TCSETSF)
		var text strings.Builder
		for range random.IntN(40) {
			text.WriteString(keys[random.IntN(len(keys))])
		}
		typed := text.String() + "\x16\x16\x15" + "\n" + end // in whatever state that is, it ends
		if _, err := linux.master.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		var reads []string
		for len(reads) == 0 || reads[len(reads)-1] != end {
			b := make([]byte, 4096)
			n, err := unix.Read(int(linux.slave.Fd()), b)
			if err != nil {
				t.Fatal(err)
			}
			reads = append(reads, string(b[:n]))
		}
		echo := strings.ReplaceAll(typeBytes([]byte(typed)), "\n", "\r\n")
		if want, err := linux.echoed(); err != nil || echo != want {
			t.Errorf("round %d: lflag %#x, typed %q: echo\n%q, Linux has\n%q, %v", round, settings.local, typed, echo, want, err)
		}
		ready := int32(-1)
		if e := ttyIoctl(&file{}, requestFIONREAD, address(&ready)); e != 0 || int(ready) != len(strings.Join(reads, "")) {
			t.Errorf("round %d: typed %q: FIONREAD: %d, %d bytes, then reads return %q", round, typed, e, ready, reads)
		}
		for i, want := range reads {
			if got, ok := readTyped(4096); got != want || !ok {
				t.Errorf("round %d: lflag %#x, iflag %#x, typed %q: read %d is %q, %v, Linux has %q", round, settings.local, settings.input, typed, i, got, ok, want)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestRaw is TestLineDiscipline without lines.
func TestRaw(t *testing.T) {
	linux := openLinuxTerminal(t)
	keys := []string{"a", "word", "é", "\t", "\x7f", "\x15", "\x16", "\x04", "\r", "\n", "\r\n", "\x01", "\x1b[A", "\x00"}
	random := rand.New(rand.NewPCG(12, 6))
	for round := range 200 {
		resetInput(t)
		settings.local = 0
		for _, flag := range []uint32{localECHO, localECHOCTL, localECHOE, localECHONL, localIEXTEN} {
			if random.IntN(3) > 0 {
				settings.local |= flag
			}
		}
		settings.input = inputIUTF8 | someOf(random, 3, inputICRNL, inputINLCR, inputIGNCR, inputISTRIP)
		settings.chars[charVMIN], settings.chars[charVTIME] = 1, 0
		linux.set(unix.TCSETSF)
		var text strings.Builder
		for range random.IntN(40) {
			text.WriteString(keys[random.IntN(len(keys))])
		}
		const end = "#end"
		typed := text.String() + end
		if _, err := linux.master.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		want, err := readUntil(linux.slave, end)
		if err != nil {
			t.Fatal(err)
		}
		echo := strings.ReplaceAll(typeBytes([]byte(typed)), "\n", "\r\n")
		if want, err := linux.echoed(); err != nil || echo != want {
			t.Errorf("round %d: lflag %#x, iflag %#x, typed %q: echo\n%q, Linux has\n%q, %v", round, settings.local, settings.input, typed, echo, want, err)
		}
		ready := int32(-1)
		if e := ttyIoctl(&file{}, requestFIONREAD, address(&ready)); e != 0 || int(ready) != len(want) {
			t.Errorf("round %d: FIONREAD: %d, %d bytes, Linux has %d", round, e, ready, len(want))
		}
		if got, ok := readTyped(4096); got != want || !ok {
			t.Errorf("round %d: lflag %#x, iflag %#x, typed %q: read %q, %v, Linux has %q", round, settings.local, settings.input, typed, got, ok, want)
		}
		if t.Failed() {
			return
		}
	}
}

// TestSettingsWhileTyped changes the settings of Linux's terminal and of this one while a part of a line, a few lines or
// what no read has returned lie there, and compares what can be read then.
func TestSettingsWhileTyped(t *testing.T) {
	linux := openLinuxTerminal(t)
	const middle, end = "#mid", "#end\n"
	keys := []string{"a", "b ", "word", "é", "\t", "\x7f", "\x15", "\x04", "\n", "\r", "\x01", "!"}
	random := rand.New(rand.NewPCG(12, 7))
	some := func() string {
		var text strings.Builder
		for range random.IntN(8) {
			text.WriteString(keys[random.IntN(len(keys))])
		}
		return text.String()
	}
	for round := range 300 {
		resetInput(t)
		settings.chars[charVMIN], settings.chars[charVTIME] = 1, 0
		settings.input = inputIUTF8 | inputICRNL
		settings.local = localECHO | localECHOCTL | localECHOE | localECHOK | localECHOKE | localIEXTEN | someOf(random, 2, localICANON)
		linux.set(unix.TCSETSF)
		first, shown := some()+middle, middle
		switch {
		case random.IntN(4) > 0:
		case settings.local&localICANON == 0:
			first, shown = first+"\x16", shown+"^V"
		default: // the next one is literal, unless lines end
			first, shown = first+"\x16", shown+"^\b"
		}
		if _, err := linux.master.WriteString(first); err != nil {
			t.Fatal(err)
		}
		typeBytes([]byte(first))
		if _, err := readUntil(linux.master, shown); err != nil { // Linux has seen it all
			t.Fatal(err)
		}
		changed := settings
		changed.local ^= someOf(random, 2, localICANON, localECHO, localIEXTEN)
		setSettings(&changed)
		linux.set(unix.TCSETS)
		host, err := unix.IoctlGetInt(int(linux.slave.Fd()), unix.TIOCINQ)
		ready := int32(-1)
		if e := ttyIoctl(&file{}, requestFIONREAD, address(&ready)); err != nil || e != 0 || int(ready) != host {
			t.Errorf("round %d, lflag %#x, typed %q: FIONREAD: %d, %d bytes, Linux has %d, %v", round, settings.local, first, e, ready, host, err)
		}
		second := some() + end
		if _, err := linux.master.WriteString(second); err != nil {
			t.Fatal(err)
		}
		typeBytes([]byte(second))
		var reads []string
		for !strings.HasSuffix(strings.Join(reads, ""), end) {
			b := make([]byte, 4096)
			n, err := unix.Read(int(linux.slave.Fd()), b)
			if err != nil {
				t.Fatal(err)
			}
			reads = append(reads, string(b[:n]))
		}
		if settings.local&localICANON == 0 { // Linux may return it in parts
			reads = []string{strings.Join(reads, "")}
		}
		for i, want := range reads {
			if got, ok := readTyped(4096); got != want || !ok {
				t.Errorf("round %d, lflag %#x, typed %q, then %q: read %d is %q, %v, Linux has %q", round, settings.local, first, second, i, got, ok, want)
			}
		}
		if t.Failed() {
			return
		}
		if _, err := linux.echoed(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTerminalRequests: the requests that metal's own tests and Go's terminal libraries do not make, and what they refuse.
func TestTerminalRequests(t *testing.T) {
	resetInput(t)
	f := &file{flags: 2}
	for _, request := range []uintptr{requestTCGETS, requestTCSETS, requestTCSETSW, requestTCSETSF, requestTIOCGPGRP, requestTIOCOUTQ, requestFIONREAD,
		requestFIONBIO, requestTIOCGSID, requestKDGKBTYPE, requestKDSKBENT, requestKDGKBENT, requestKDSKBDIACR} {
		if e := ttyIoctl(f, request, 0); e != errno(efault) {
			t.Errorf("request %#x without an argument: %d", request, int64(e))
		}
	}
	ask := func(request uintptr, before int32) int32 {
		value := before
		if e := ttyIoctl(f, request, address(&value)); e != 0 {
			t.Errorf("request %#x: %d", request, int64(e))
		}
		return value
	}
	if got := [4]int32{ask(requestTIOCGPGRP, -1), ask(requestTIOCGSID, -1), ask(requestTIOCOUTQ, -1), ask(requestKDGKBTYPE, 0)}; got != [4]int32{1, 1, 0, 2} { // the last is KB_101
		t.Errorf("group, session, bytes to be written, keyboard: %v", got)
	}
	if ask(requestFIONBIO, 1); f.flags != 2|oNonblock {
		t.Errorf("FIONBIO 1: flags %#x", f.flags)
	}
	if ask(requestFIONBIO, 0); f.flags != 2 {
		t.Errorf("FIONBIO 0: flags %#x", f.flags)
	}
	for argument, want := range []struct {
		e    uint64
		left int32
	}{{0, 0}, {0, 5}, {0, 0}, {errno(einval), 5}} { // TCIFLUSH, TCOFLUSH, TCIOFLUSH, and what is none of them
		resetInput(t)
		typeBytes([]byte("line\nrest"))
		if e := ttyIoctl(f, requestTCFLSH, uintptr(argument)); e != want.e || ask(requestFIONREAD, -1) != want.left {
			t.Errorf("TCFLSH %d: %d, then %d bytes", argument, int64(e), ask(requestFIONREAD, -1))
		}
	}
	for _, request := range []uintptr{requestTCXONC, requestTIOCSCTTY, requestTIOCSPGRP} {
		if e := ttyIoctl(f, request, 0); e != 0 {
			t.Errorf("request %#x: %d", request, int64(e))
		}
	}
	if e := ttyIoctl(f, 0x4599, address(&settings)); e != errno(enotty) {
		t.Errorf("an unknown request: %d", int64(e))
	}
}

// TestLinuxTerminal: the settings are Linux's at the start, and they and the requests have Linux's numbers.
func TestLinuxTerminal(t *testing.T) {
	want := termios{
		input: unix.ICRNL | unix.IXON | unix.IUTF8, output: unix.OPOST | unix.ONLCR, control: unix.B38400 | unix.CS8 | unix.CREAD,
		local: unix.ISIG | unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE | unix.IEXTEN,
	}
	for i, c := range map[int]byte{ // INIT_C_CC of asm-generic/termios.h
		unix.VINTR: 3, unix.VQUIT: 034, unix.VERASE: 0177, unix.VKILL: 025, unix.VEOF: 4, unix.VMIN: 1, unix.VSTART: 021, unix.VSTOP: 023,
		unix.VSUSP: 032, unix.VREPRINT: 022, unix.VDISCARD: 017, unix.VWERASE: 027, unix.VLNEXT: 026,
	} {
		want.chars[i] = c
	}
	if settings != want {
		t.Errorf("the settings are %+v, Linux's %+v", settings, want)
	}
	for name, pair := range map[string][2]int{
		"INLCR": {inputINLCR, unix.INLCR}, "IGNCR": {inputIGNCR, unix.IGNCR}, "ISTRIP": {inputISTRIP, unix.ISTRIP}, "ECHONL": {localECHONL, unix.ECHONL}, "NOFLSH": {localNOFLSH, unix.NOFLSH},
		"VTIME": {charVTIME, unix.VTIME}, "VEOL": {charVEOL, unix.VEOL}, "VEOL2": {charVEOL2, unix.VEOL2},
		"TCGETS": {requestTCGETS, unix.TCGETS}, "TCSETS": {requestTCSETS, unix.TCSETS}, "TCSETSW": {requestTCSETSW, unix.TCSETSW}, "TCSETSF": {requestTCSETSF, unix.TCSETSF},
		"TCSBRK": {requestTCSBRK, unix.TCSBRK}, "TCXONC": {requestTCXONC, unix.TCXONC}, "TCFLSH": {requestTCFLSH, unix.TCFLSH}, "TIOCSCTTY": {requestTIOCSCTTY, unix.TIOCSCTTY},
		"TIOCGPGRP": {requestTIOCGPGRP, unix.TIOCGPGRP}, "TIOCSPGRP": {requestTIOCSPGRP, unix.TIOCSPGRP}, "TIOCOUTQ": {requestTIOCOUTQ, unix.TIOCOUTQ}, "TIOCINQ": {requestFIONREAD, unix.TIOCINQ},
		"FIONBIO": {requestFIONBIO, 0x5421}, "TIOCGSID": {requestTIOCGSID, unix.TIOCGSID}, "KDGKBTYPE": {requestKDGKBTYPE, 0x4B33}, "KDGKBENT": {requestKDGKBENT, 0x4B46},
		"KDSKBENT": {requestKDSKBENT, 0x4B47}, "KDSKBDIACRUC": {requestKDSKBDIACR, 0x4BFB}, // linux/kd.h
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %#x, Linux's %#x", name, pair[0], pair[1])
		}
	}
}

// TestIoctl: which requests a descriptor takes. The request has 32 bits, as in Linux.
func TestIoctl(t *testing.T) {
	resetInput(t)
	defer func() { files[20] = file{} }()
	buffer := make([]byte, 200)
	fixed(t, &buffer[0])
	for kind, want := range map[uint64][3]uint64{ // TCGETS, TIOCGWINSZ, FBIOGET_FSCREENINFO
		kindConsole: {0, 0, enotty}, kindVCS: {enotty, 0, enotty}, kindFramebuffer: {enotty, enotty, 0}, kindEvent: {enotty, enotty, enotty}, kindClosed: {ebadf, ebadf, ebadf},
	} {
		files[20] = file{kind: kind}
		for i, request := range []uintptr{unix.TCGETS, unix.TIOCGWINSZ, 0x4602} {
			if want[i] != 0 {
				want[i] = errno(want[i])
			}
			for _, high := range []uintptr{0, 1 << 32} {
				if got := ioctl(20, high|request, address(&buffer[0])); got != want[i] {
					t.Errorf("request %#x for a descriptor of the kind %d: %d, want %d", high|request, kind, int64(got), int64(want[i]))
				}
			}
		}
	}
	if got := ioctl(maxFiles, unix.TCGETS, address(&buffer[0])); got != errno(ebadf) {
		t.Errorf("no descriptor: %d", int64(got))
	}
}

// echoed returns what the terminal has shown: all that comes before a byte that the program writes then. The kernel may bring
// it to the person's side late, but in this order.
func (l *linuxTerminal) echoed() (string, error) {
	const mark = "\x1e"
	if _, err := l.slave.WriteString(mark); err != nil {
		return "", err
	}
	text, err := readUntil(l.master, mark)
	return strings.TrimSuffix(text, mark), err
}

// TestModes: what is typed in one mode and read in the other, and what VMIN wants.
func TestModes(t *testing.T) {
	resetInput(t)
	expect := func(n int, want string, wantOK bool) {
		t.Helper()
		if got, ok := readTyped(n); got != want || ok != wantOK {
			t.Errorf("read %q, %v, want %q, %v", got, ok, want, wantOK)
		}
	}
	set := func(flags uint32, min, time byte) {
		s := settings
		s.local, s.chars[charVMIN], s.chars[charVTIME] = flags, min, time
		setSettings(&s)
	}
	typeBytes([]byte("two\nlines"))
	expect(2, "tw", true)
	expect(10, "o\n", true)
	expect(10, "", false)
	set(0, 1, 0)
	expect(3, "lin", true) // an unfinished line can be read in raw mode
	expect(10, "es", true)
	expect(10, "", false)
	set(0, 4, 0)
	typeBytes([]byte("abc"))
	expect(10, "", false)
	expect(2, "ab", true) // no more than were asked for
	if hasInput() {
		t.Error("one byte is ready, where VMIN is 4")
	}
	typeBytes([]byte("\r\x04\x7f"))
	expect(10, "c\n\x04\x7f", true)
	set(0, 0, 0)
	expect(10, "", true)
	typeBytes([]byte("raw"))
	set(localICANON, 1, 0)
	expect(10, "raw", true) // as a line without an end
	expect(10, "", false)
	typeBytes([]byte("abcd\x04\x04"))
	expect(4, "abcd", true) // the end of input behind a full buffer goes with it
	expect(4, "", true)
	expect(4, "", false)
}

// TestTypeAhead: lines are kept until the queue is full; then a bell tells, the end of the line
// still fits, and an interrupt gets through.
func TestTypeAhead(t *testing.T) {
	resetInput(t)
	line := strings.Repeat("x", 999) + "\n"
	for range typedSize/1000 + 1 {
		typeBytes([]byte(line))
	}
	if !overflowed {
		t.Error("no bell")
	}
	for range typedSize / 1000 {
		if got, _ := readTyped(2000); got != line {
			t.Fatalf("a line of %d bytes", len(got))
		}
	}
	if got, ok := readTyped(2000); !ok || len(got) != typedSize%1000-1 || !strings.HasSuffix(got, "x\n") {
		t.Errorf("the last line has %d bytes, %v", len(got), ok)
	}
	typeBytes([]byte("dropped\nand this\x03kept\n"))
	if pendingSignals != 1<<(sigINT-1) {
		t.Errorf("signals %#x", pendingSignals)
	}
	if got, _ := readTyped(100); got != "kept\n" {
		t.Errorf("after an interrupt %q", got)
	}
}

// TestSignalKeys: Ctrl-C, Ctrl-\ and what else is set for VINTR and VQUIT send their signals, and drop what has been typed unless
// NOFLSH is set; Ctrl-Z is only taken. Without ISIG, and for the character 0, there are none.
func TestSignalKeys(t *testing.T) {
	none := func(s *termios) {}
	for _, c := range []struct {
		name   string
		set    func(s *termios)
		typed  string
		signal uint64
		echo   string
		left   string
	}{
		{"VINTR", none, "ab\x03", sigINT, "ab^C\n", ""},
		{"VQUIT", none, "ab\x1c", sigQUIT, "ab^\\\n", ""},
		{"VSUSP", none, "ab\x1ac\n", 0, "abc\n", "abc\n"},
		{"lines before", none, "ab\ncd\x03e\n", sigINT, "ab\ncd^C\ne\n", "e\n"},
		{"behind VLNEXT", none, "\x16\x03\n", 0, "^\b^C\n", "\x03\n"},
		{"VLNEXT is forgotten", func(s *termios) { s.local |= localNOFLSH }, "\x03\x16\x03\n", sigINT, "^C\n^\b^C\n", "\x03\n"},
		{"NOFLSH", func(s *termios) { s.local |= localNOFLSH }, "ab\x03c\n", sigINT, "ab^C\nc\n", "abc\n"},
		{"no ISIG", func(s *termios) { s.local &^= localISIG }, "a\x03\x1a\n", 0, "a^C^Z\n", "a\x03\x1a\n"},
		{"no ECHO", func(s *termios) { s.local &^= localECHO }, "a\x03", sigINT, "", ""},
		{"raw", func(s *termios) { s.local &^= localICANON }, "a\x03b", sigINT, "a^Cb", "b"},
		{"another character", func(s *termios) { s.chars[charVINTR] = 'x' }, "a\x03x", sigINT, "a^Cx\n", ""},
		{"no character", func(s *termios) { s.chars[charVINTR], s.chars[charVSUSP] = 0, 0 }, "a\x00\n", 0, "a^@\n", "a\x00\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resetInput(t)
			l := newLine(newServices(t))
			serialLines[0], serialCount = address(&l.protocol), 1
			c.set(&settings)
			typeBytes([]byte(c.typed))
			echo, want := strings.ReplaceAll(string(l.got), "\r\n", "\n"), uint64(0)
			if c.signal > 0 {
				want = 1 << (c.signal - 1)
			}
			left := ""
			for text, ok := readTyped(100); ok && text != ""; text, ok = readTyped(100) {
				left += text
			}
			if pendingSignals != want || left != c.left || echo != c.echo {
				t.Errorf("signals %#x, echo %q, then %q is read; want %#x, %q, %q", pendingSignals, echo, left, want, c.echo, c.left)
			}
		})
	}
}

// TestErasedLine: a line that is killed, or erased character by character, leaves the screen as it was before, whatever was in it:
// characters of any width, tabs, control characters.
func TestErasedLine(t *testing.T) {
	resetInput(t)
	defer printText("\r\x1b[J")
	random := rand.New(rand.NewPCG(12, 8))
	characters := []string{"a", "é", "日", "\t", "🙂", "\u0301", "\x16\x01", "\x16\x7f", "word ", "\x16\x02"}
	row := func() (s string) {
		x, y, _ := terminal.Cursor()
		for _, c := range terminal.Row(y) {
			s += string(c.Rune)
		}
		return fmt.Sprintf("%d, %d: %q", x, y, strings.TrimRight(s, " "))
	}
	for round := range 500 {
		settings.local |= localECHOCTL
		if round%4 == 0 {
			settings.local &^= localECHOCTL
		}
		printText("\r\x1b[J" + strings.Repeat("> ", random.IntN(9)) + []string{"", "x", "日"}[random.IntN(3)])
		before, typed, n := row(), "", random.IntN(12)
		for range n {
			typed += characters[random.IntN(len(characters))]
		}
		typeBytes([]byte(typed))
		if round%2 == 0 {
			typeBytes([]byte{0x15})
		} else {
			typeBytes([]byte(strings.Repeat("\x7f", 5*n+1)))
		}
		if after := row(); after != before || typedEnd != typedLine {
			t.Fatalf("round %d: %q was typed and erased behind %s, and left %s", round, typed, before, after)
		}
	}
}

// TestErasedBytes: without IUTF8, each byte is a character of one column.
func TestErasedBytes(t *testing.T) {
	for typed, want := range map[string][2]string{
		"é\x7f\n": {"é\b \b\n", "\xC3\n"}, "ß\x7f\x7f\n": {"ß\b \b\b \b\n", "\n"}, "日\t\x7f\n": {"日\t" + strings.Repeat("\b", 5) + "\n", "日\n"},
	} {
		resetInput(t)
		settings.input &^= inputIUTF8
		echo := typeBytes([]byte(typed))
		if got, _ := readTyped(100); echo != want[0] || got != want[1] {
			t.Errorf("%q: echo %q, read %q, want %q", typed, echo, got, want)
		}
		settings.input |= inputIUTF8
	}
}

// TestSettingsAfterOutput: what has been written before the settings change has the old ones, and TCSETSF drops what was typed.
func TestSettingsAfterOutput(t *testing.T) {
	for request, typed := range map[uintptr]string{requestTCSETS: "typed", requestTCSETSW: "typed", requestTCSETSF: "", requestTCSBRK: "typed"} {
		t.Run(fmt.Sprintf("%#x", request), func(t *testing.T) {
			resetInput(t)
			l := newLine(newServices(t))
			serialLines[0], serialCount = address(&l.protocol), 1
			t.Cleanup(func() { outputNewLine = true })
			typeBytes([]byte("typed"))
			l.got, printed = nil, []byte("old\n")
			queueOutput(stdout, address(&printed[0]), 4)
			set := fixed(t, new(termios))
			*set = settings
			set.output, set.control, set.local, set.chars[charVMIN] = 0, 0, settings.local&^localICANON, 1
			if e := ttyIoctl(&file{}, request, address(set)); e != 0 || string(l.got) != "old\r\n" {
				t.Errorf("%d; %q was written", e, l.got)
			}
			if request == requestTCSBRK {
				settings.local &^= localICANON
			} else {
				set.control = 0xBF // B38400 | CS8 | CREAD: this terminal has no other
				if settings != *set {
					t.Errorf("the settings are %+v, want %+v", settings, *set)
				}
			}
			if got, _ := readTyped(100); got != typed {
				t.Errorf("%q can be read", got)
			}
		})
	}
	resetInput(t)
	for output, want := range map[uint32]bool{0: false, outputOPOST: false, outputONLCR: false, outputOPOST | outputONLCR: true, outputOPOST | outputONLCR | 0x10: true} {
		s := settings
		s.output = output
		if setSettings(&s); outputNewLine != want {
			t.Errorf("c_oflag %#x: a line feed begins a new line: %v", output, outputNewLine)
		}
	}
	outputNewLine = true
}

// TestSettingsEndReads: a read that waits for the end of a line has what there is of it when lines matter no more.
func TestSettingsEndReads(t *testing.T) {
	resetInput(t)
	withThreads(t, 1)
	ticksPerSecond = 1e9
	defer func() { ticksPerSecond, inputReady, lastKeyPoll = 0, false, 0 }()
	reader, buffer := newThread(), make([]byte, 100)
	fixed(t, &buffer[0])
	reader.state = stateRunning
	typeBytes([]byte("half"))
	consoleRead(reader, &file{kind: kindConsole}, address(&buffer[0]), 100)
	serveReaders()
	if reader.state != stateConsole {
		t.Fatal("half a line was read")
	}
	s := settings
	s.local &^= localICANON
	setSettings(&s)
	if reader.state != stateRunnable || reader.result() != 4 || string(buffer[:4]) != "half" {
		t.Errorf("state %d, %d bytes, %q", reader.state, int64(reader.result()), buffer[:4])
	}
}

// TestBells: a bell for what was dropped, not one for each key.
func TestBells(t *testing.T) {
	resetInput(t)
	l := newLine(newServices(t))
	serialLines[0], serialCount = address(&l.protocol), 1
	defer func() { lastKeyPoll = 0 }()
	settings.local &^= localECHO
	for round := range 3 {
		receiveString(strings.Repeat("x", receivedSize+5))
		pollKeys(0)
		if got := string(l.got); got != strings.Repeat("\a", round+1) {
			t.Errorf("round %d: the line got %q", round, got)
		}
	}
}

// TestReadsAreServed: a read or a poll ends with the keys that complete what it waits for, however many come at a time. A character
// that is taken back and the end of the line in its place leave as many typed as there were.
func TestReadsAreServed(t *testing.T) {
	resetInput(t)
	withThreads(t, 1)
	ticksPerSecond = 1e9
	defer func() { ticksPerSecond, inputReady, lastKeyPoll = 0, false, 0 }()
	reader := newThread()
	reader.state = stateRunning
	random := rand.New(rand.NewPCG(1, 2))
	buffer := make([]byte, 100)
	reads, refused := 0, 0
	for range 20000 {
		if random.IntN(50) == 0 {
			if reader.state == stateConsole {
				wake(reader, 0)
				run(reader)
			}
			settings.local ^= localICANON
			settings.chars[charVMIN], settings.chars[charVTIME] = byte(random.IntN(5)), byte(random.IntN(2))
			changeDiscipline()
			serveReaders()
		}
		if reader.state == stateRunning {
			f, there, ready := file{kind: kindConsole, flags: uintptr(random.IntN(2) * oNonblock)}, typedEnd-typedHead, hasInput()
			n := consoleRead(reader, &f, address(&buffer[0]), uintptr(1+random.IntN(len(buffer))))
			if f.flags != 0 && (reader.state != stateRunning || n == errno(eagain) && (ready || there > 0 && !isCanonical())) {
				t.Fatalf("a read that may not wait, of %d bytes that are there (a poll: %v), returned %d, state %d", there, ready, int64(n), reader.state)
			}
			if n == errno(eagain) {
				refused++
			}
		}
		for range random.IntN(8) {
			const keys = "aaaé\b\b\x15\x17\x04\n\n"
			receive(keys[random.IntN(len(keys))])
		}
		pollKeys(0)
		enough := hasInput()
		if least := min(int(settings.chars[charVMIN]), int(reader.bufferSize)); !isCanonical() {
			enough = readable() >= max(least, int(min(1, settings.chars[charVTIME])))
		}
		if reader.state == stateConsole && enough {
			t.Fatalf("a read waits, with %d bytes to read", readable())
		}
		// VTIME is for raw mode, and runs from the first byte on if there must be any (termios(3)).
		timed := reader.state == stateConsole && !isCanonical() && settings.chars[charVTIME] > 0 && (settings.chars[charVMIN] == 0 || typedHead != typedEnd)
		if got := deadlineCount > 0; got != timed || deadlineCount > 1 || timed && reader.deadline > nanotime()+1e8 {
			t.Fatalf("a read in state %d has %d deadlines", reader.state, deadlineCount)
		}
		if inputReady != hasInput() {
			t.Fatalf("poll says %v, with %d bytes to read", inputReady, readable())
		}
		if reader.state == stateRunnable {
			reads++
			run(reader)
		}
	}
	if reads < 1000 || refused < 1000 {
		t.Errorf("only %d reads waited, and %d would have", reads, refused)
	}
}

// TestFloods: of more keys than there is room for, in received or typed, the last are dropped, and bells tell.
func TestFloods(t *testing.T) {
	resetInput(t)
	for range 3 {
		for range receivedSize + 1 {
			receive('x')
		}
		if !overflowed || receivedEnd-receivedHead != receivedSize {
			t.Fatalf("%d bytes are kept; bell: %v", receivedEnd-receivedHead, overflowed)
		}
		terminal.Write('\r')
		pollKeys(0)
		if overflowed || receivedHead != receivedEnd || typedEnd-typedHead != typedSize-2 {
			t.Errorf("%d bytes wait for the line discipline, %d behind it; bell: %v", receivedEnd-receivedHead, typedEnd-typedHead, overflowed)
		}
	}
	receive('\n')
	pollKeys(0)
	buffer := make([]byte, typedSize)
	n, enough := takeInput(address(&buffer[0]), typedSize, false)
	if want := strings.Repeat("x", typedSize-2) + "\n"; !enough || string(buffer[:n]) != want {
		t.Errorf("a line of %d bytes, %v, want %d", n, enough, len(want))
	}
}

// TestPartial: the bytes of a character may come late, after the machine has stood still; what
// stays alone is a character of its own after a while.
func TestPartial(t *testing.T) {
	resetInput(t)
	enter := func(b byte, now int64) {
		typeKey(&efiKeyData{efiInputKey: efiInputKey{unicodeChar: uint16(b)}}, now)
	}
	enter(0xE2, 0)
	agePartial(0)
	enter(0x80, 10e9)
	agePartial(20e9)
	enter(0x9C, 20e9)
	if got := string(received[receivedHead:receivedEnd]); got != "“" {
		t.Errorf("late bytes became %q", got)
	}
	receivedHead = receivedEnd
	enter(0xE9, 0)
	for range 100 {
		agePartial(partialTime)
	}
	if receivedHead != receivedEnd {
		t.Error("a byte did not wait")
	}
	agePartial(partialTime + 1)
	if got := string(received[receivedHead:receivedEnd]); got != "é" {
		t.Errorf("a lone byte became %q", got)
	}
}

// TestKeys: keystrokes become the bytes that xterm sends. QEMU presses most of them in
// TestTerminal; these are what other firmware tells.
func TestKeys(t *testing.T) {
	resetInput(t)
	const valid = shiftStateValid
	for _, c := range []struct {
		name string
		keys []efiKeyData
		want string
	}{
		{"letters made control characters", []efiKeyData{{efiInputKey{0, 3}, valid | shiftLeftCtrl, 0, [3]byte{}}}, "\x03"},
		{"control characters of digits and signs", []efiKeyData{{efiInputKey{0, ' '}, valid | shiftLeftCtrl, 0, [3]byte{}}, {efiInputKey{0, '3'}, valid | shiftLeftCtrl, 0, [3]byte{}},
			{efiInputKey{0, '5'}, valid | shiftLeftCtrl, 0, [3]byte{}}, {efiInputKey{0, '7'}, valid | shiftLeftCtrl, 0, [3]byte{}}, {efiInputKey{0, '/'}, valid | shiftLeftCtrl, 0, [3]byte{}},
			{efiInputKey{0, '8'}, valid | shiftLeftCtrl, 0, [3]byte{}}, {efiInputKey{0, '9'}, valid | shiftLeftCtrl, 0, [3]byte{}}, {efiInputKey{0, ']'}, valid | shiftLeftCtrl, 0, [3]byte{}}}, "\x00\x1b\x1d\x1f\x1f\x7f9\x1d"},
		{"without a state", []efiKeyData{{efiInputKey{scanDelete, 0}, 0, 0, [3]byte{}}}, "\x7f"},
		{"with one", []efiKeyData{{efiInputKey{scanDelete, 0}, valid, 0, [3]byte{}}}, "\x1b[3~"},
		{"Shift alone", []efiKeyData{{efiInputKey{0, 0}, valid | shiftLeftShift, 0, [3]byte{}}}, ""},
		{"UTF-8 in bytes", []efiKeyData{{efiInputKey{0, 0xC3}, 0, 0, [3]byte{}}, {efiInputKey{0, 0xA9}, 0, 0, [3]byte{}}}, "é"},
		{"no UTF-8", []efiKeyData{{efiInputKey{0, 0xE9}, 0, 0, [3]byte{}}, {efiInputKey{0, 'a'}, 0, 0, [3]byte{}}}, "éa"},
		{"units", []efiKeyData{{efiInputKey{0, 0x65E5}, 0, 0, [3]byte{}}, {efiInputKey{0, 0xD83D}, 0, 0, [3]byte{}}, {efiInputKey{0, 0xDE42}, 0, 0, [3]byte{}}}, "日🙂"},
		{"a keyboard's é", []efiKeyData{{efiInputKey{0, 0xE9}, valid, 0, [3]byte{}}}, "é"},
	} {
		receivedHead = receivedEnd
		for i := range c.keys {
			typeKey(&c.keys[i], 0)
		}
		got := received[receivedHead:receivedEnd]
		if string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestXtermKeys: keys that are no characters become xterm's sequences (ctlseqs, PC-Style Function Keys), with any modifiers.
func TestXtermKeys(t *testing.T) {
	resetInput(t)
	finals := map[uint16]byte{1: 'A', 2: 'B', 3: 'C', 4: 'D', 5: 'H', 6: 'F', 0x0B: 'P', 0x0C: 'Q', 0x0D: 'R', 0x0E: 'S'}
	numbers := map[uint16]int{7: 2, 8: 3, 9: 5, 0x0A: 6, 0x0F: 15, 0x10: 17, 0x11: 18, 0x12: 19, 0x13: 20, 0x14: 21, 0x15: 23, 0x16: 24}
	for code := range uint16(0x20) {
		for state := range uint32(1 << 6) {
			modifiers := 1
			for i, bits := range []uint32{0x03, 0x30, 0x0C} { // Shift, Alt, Ctrl, each of both sides (12.2.3)
				if state&bits != 0 {
					modifiers += 1 << i
				}
			}
			want, final, number := "", finals[code], numbers[code]
			switch {
			case final != 0 && modifiers > 1:
				want = fmt.Sprintf("\x1b[1;%d%c", modifiers, final)
			case final >= 'P':
				want = fmt.Sprintf("\x1bO%c", final)
			case final != 0:
				want = fmt.Sprintf("\x1b[%c", final)
			case number != 0 && modifiers > 1:
				want = fmt.Sprintf("\x1b[%d;%d~", number, modifiers)
			case number != 0:
				want = fmt.Sprintf("\x1b[%d~", number)
			case code == 0x17 && state&0x30 != 0:
				want = "\x1b\x1b"
			case code == 0x17:
				want = "\x1b"
			}
			receivedHead = receivedEnd
			typeKey(&efiKeyData{efiInputKey{code, 0}, 1<<31 | state, 0, [3]byte{}}, 0)
			if got := string(received[receivedHead:receivedEnd]); got != want {
				t.Errorf("scan code %#x with %#x: %q, want %q", code, state, got, want)
			}
		}
	}
}

// TestKeyEntries: KDSKBENT and KDGKBENT take the entries that there are and refuse all others, and what is set is read back.
func TestKeyEntries(t *testing.T) {
	resetInput(t)
	ask := func(request, argument uintptr) uint64 { return ttyIoctl(&file{}, request, argument) }
	set := func(e *keyEntry) uint64 { return ask(0x4B47, address(e)) } // KDSKBENT, KDGKBENT of linux/kd.h
	get := func(e *keyEntry) uint64 { return ask(0x4B46, address(e)) }
	// Without a layout, the keys of a US keyboard, by their numbers in linux/input-event-codes.h.
	for first, rows := range map[byte][2]string{
		2: {"1234567890-=", "!@#$%^&*()_+"}, 16: {"qwertyuiop[]", "QWERTYUIOP{}"}, 30: {"asdfghjkl;'`", "ASDFGHJKL:\"~"}, 43: {"\\zxcvbnm,./", "|ZXCVBNM<>?"},
	} {
		for table, row := range rows {
			for i, want := range row {
				if e := (keyEntry{table: byte(table), key: first + byte(i)}); get(&e) != 0 || e.value != uint16(want)^unicodeFlip {
					t.Errorf("table %d, key %d is %#x, want %c", table, e.key, e.value, want)
				}
			}
		}
	}
	for table := range 256 {
		for key := range 256 {
			for _, c := range []struct{ set, want uint16 }{
				{keyLatin<<8 | 'a', 'a' ^ unicodeFlip}, {keyLetter<<8 | 'b', 'b' ^ unicodeFlip}, {'é' ^ unicodeFlip, 'é' ^ unicodeFlip},
				{'€' ^ unicodeFlip, '€' ^ unicodeFlip}, {keyDead2<<8 | '^', keyDead2<<8 | '^'}, {symbolHole, symbolHole},
				{0x0300, 0}, {0x0C00, 0}, {0xE00, 0}, // types that no layout needs here
			} {
				there := table < keyTableSize && key >= firstKey && key < keyCount
				wantSet, wantGot := errno(einval), errno(einval)
				if there {
					wantGot = 0
					if c.want != 0 {
						wantSet = 0
					}
				}
				e := keyEntry{byte(table), byte(key), c.set}
				if got := set(&e); got != wantSet {
					t.Fatalf("setting %#x, table %d, key %d: %d, want %d", c.set, table, key, int64(got), int64(wantSet))
				}
				e.value = 0xABCD
				got := get(&e)
				if got != wantGot || !there && e.value != 0xABCD || there && c.want != 0 && e.value != c.want {
					t.Fatalf("reading table %d, key %d after %#x: %d, want %d; %#x", table, key, c.set, int64(got), int64(wantGot), e.value)
				}
			}
		}
	}
	const most = 256 // MAX_DIACR of linux/keyboard.h
	tables := make([]uint32, 1+3*(most+1))
	for _, n := range []uint32{most, most + 1, 1<<32 - 1, 0} {
		tables[0] = n
		composedCount = 7
		if got := ask(0x4BFB, address(&tables[0])); n <= most && (got != 0 || composedCount != n) || n > most && (got != errno(einval) || composedCount != 7) {
			t.Errorf("%d composed characters: %d, now %d", n, int64(got), composedCount)
		}
	}
}

// TestLayout: the keys of a layout, with AltGr, Caps Lock and dead keys. TestTerminal presses those that QEMU has.
func TestLayout(t *testing.T) {
	resetInput(t)
	for _, e := range []keyEntry{
		{0, 16, 'a' ^ unicodeFlip}, {1, 16, 'A' ^ unicodeFlip}, {2, 16, '@' ^ unicodeFlip}, // Q
		{0, 18, keyDead2<<8 | '^'}, {1, 18, keyDead2<<8 | '~'}, // E
		{0, 19, 'e' ^ unicodeFlip}, {1, 19, 'E' ^ unicodeFlip}, // R
		{0, 26, 'ü' ^ unicodeFlip}, {1, 26, 'Ü' ^ unicodeFlip}, // [
	} {
		if errno := setKeyEntry(&e); errno != 0 {
			t.Fatal(errno)
		}
	}
	table := [4]uint32{1, '^', 'e', 'ê'}
	setComposeTable(address(&table[0]))
	type key struct {
		c    rune
		held string // s Shift, a Alt, g AltGr, c Control, l Caps Lock, v: whose state is not valid
	}
	for _, c := range []struct {
		keys []key
		want string
	}{
		{[]key{{'q', ""}, {'Q', "s"}, {'q', "g"}, {'q', "ac"}}, "aA@@"},
		{[]key{{'Q', "l"}, {'q', "ls"}, {'{', "ls"}, {'[', "l"}}, "AaüÜ"},
		{[]key{{'{', "lsv"}}, "Ü"},
		{[]key{{'q', "a"}, {'q', "c"}, {0x11, "c"}}, "\x1ba\x01\x01"}, // firmware may make the control character
		{[]key{{'w', ""}, {'W', "s"}, {'w', "g"}, {'\\', ""}}, ""},    // keys without a symbol
		{[]key{{'é', ""}, {'É', "l"}, {'ÿ', ""}, {'÷', "l"}}, "éÉÿ÷"}, // no key of a US keyboard
		{[]key{{'e', ""}, {'r', ""}}, "ê"},
		{[]key{{'e', ""}, {'R', "s"}, {'e', ""}, {'q', ""}}, "^E^a"},
		{[]key{{'e', ""}, {'e', ""}, {'r', ""}}, "^e"},
		{[]key{{'e', ""}, {' ', ""}, {'r', ""}}, "^e"},
		{[]key{{'e', ""}, {'E', "s"}, {'r', ""}}, "^~e"},
		{[]key{{'e', "a"}, {'r', ""}}, "\x1b^e"},
	} {
		receivedHead, deadTyped = receivedEnd, 0
		for _, k := range c.keys {
			e := efiKeyData{efiInputKey{0, uint16(k.c)}, 1 << 31, 0x80, [3]byte{}} // both states are valid (12.2.3)
			for _, held := range k.held {
				switch held {
				case 's':
					e.shiftState |= shiftLeftShift
				case 'a':
					e.shiftState |= shiftLeftAlt
				case 'g':
					e.shiftState |= shiftRightAlt
				case 'c':
					e.shiftState |= shiftLeftCtrl
				case 'l':
					e.toggleState |= 0x04
				case 'v':
					e.toggleState &^= 0x80
				}
			}
			typeKey(&e, 0)
		}
		if got := string(received[receivedHead:receivedEnd]); got != c.want {
			t.Errorf("%q became %q, want %q", c.keys, got, c.want)
		}
	}
}

// TestOtherCase: Caps Lock changes the letters of Latin-1 that have another case there.
func TestOtherCase(t *testing.T) {
	for c := range rune(0x180) {
		want := c
		if upper, lower := unicode.ToUpper(c), unicode.ToLower(c); c < 0x100 && upper < 0x100 && lower < 0x100 {
			want = upper + lower - c
		}
		if c == 'µ' {
			want = c // its capital is Greek
		}
		if got := otherCase(uint32(c)); rune(got) != want {
			t.Errorf("%c becomes %c, want %c", c, got, want)
		}
	}
}

// FuzzKeystrokes: whatever keys a firmware tells of, and however a program has set its terminal, no more is kept than there is
// room for, and reads end. A keystroke is six bytes: scan code, character, state of the modifiers, and what comes next.
func FuzzKeystrokes(f *testing.F) {
	f.Add([]byte("\x17\x00\x00\x00\x01\x00\x00\x5b\x00\x00\x00\x00\x00\x38\x00\x00\x00\x00\x00\x3b\x00\x00\x00\x01"), uint32(0), uint32(0))
	f.Add([]byte("\x00\xe2\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x3d\xd8\x00\x00\x02\x00\x42\xde\x00\x00\x03"), uint32(1), uint32(0))
	f.Add([]byte("\x08\x00\x00\x80\x04\x01\x00\x16\x00\x00\x00\x00\x00\x03\x00\x80\x08\x03"), ^uint32(0), ^uint32(0))
	f.Fuzz(func(t *testing.T, keys []byte, input, local uint32) {
		resetInput(t)
		settings.input, settings.local = settings.input^input, settings.local^local
		for i := 0; i+6 <= len(keys); i += 6 {
			k := keys[i:]
			key := efiKeyData{efiInputKey{uint16(k[0]), uint16(k[1]) | uint16(k[2])<<8}, uint32(k[3])<<24 | uint32(k[4]), 0, [3]byte{}}
			typeKey(&key, int64(i)*1e7)
			switch k[5] % 4 {
			case 1: // all that has come goes on
				for receivedHead != receivedEnd {
					b := received[receivedHead%receivedSize]
					receivedHead++
					discipline(b)
					flushEcho()
				}
			case 2:
				agePartial(int64(i) * 1e9)
			case 3:
				isSizeReport()
				readTyped(7)
			}
			if receivedEnd-receivedHead > receivedSize || typedEnd-typedHead > typedSize || echoedCount > echoSize {
				t.Fatalf("%d bytes are kept before the line discipline, %d behind it, %d echoed", receivedEnd-receivedHead, typedEnd-typedHead, echoedCount)
			}
		}
		for n := 0; typedHead != typedEnd; n++ {
			if got, ok := readTyped(500); !ok || got == "" && n > typedSize {
				break
			}
		}
	})
}
