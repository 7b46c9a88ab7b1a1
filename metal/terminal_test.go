//go:build linux && amd64

package metal_test

import (
	"fmt"
	"hash/crc32"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// step is keys that are pressed on the keyboard or, if there are none, typed on the serial
// line, and what a program in raw mode gets of them.
type step struct{ keys, typed, want string }

// pressKeys takes steps one by one: the machine must have seen a key before the next comes,
// since a keyboard that nobody reads forgets keys.
func (m *session) pressKeys(steps []step) {
	m.t.Helper()
	m.await("keys: ready\r\n")
	got := ""
	for _, s := range append(steps, step{typed: "$", want: "$"}) {
		if s.keys != "" {
			if err := m.run.Press(strings.Fields(s.keys)...); err != nil {
				m.t.Fatal(err)
			}
		} else {
			m.say(s.typed)
		}
		got += s.want
		m.await(fmt.Sprintf("key %q\r\n", got))
	}
	m.await("keys: ok\n")
}

// usKeys are the keys of a US keyboard, as xterm sends them; Ctrl-C is not among them, since it ends the shell's script,
// too.
var usKeys = []step{
	{"a", "", "a"}, {"shift-a", "", "A"}, {"shift-2", "", "@"}, {"ret", "", "\r"}, {"tab", "", "\t"}, {"shift-tab", "", "\x1b[Z"},
	{"backspace", "", "\x7f"}, {"esc", "", "\x1b"}, {"ctrl-e", "", "\x05"}, {"ctrl-h", "", "\b"}, {"ctrl-z", "", "\x1a"}, {"ctrl-spc", "", "\x00"},
	{"ctrl-bracket_right", "", "\x1d"}, {"alt-x", "", "\x1bx"}, {"alt-ctrl-a", "", "\x1b\x01"},
	{"up", "", "\x1b[A"}, {"down", "", "\x1b[B"}, {"right", "", "\x1b[C"}, {"left", "", "\x1b[D"}, {"ctrl-right", "", "\x1b[1;5C"},
	{"shift-alt-left", "", "\x1b[1;4D"}, {"home", "", "\x1b[H"}, {"end", "", "\x1b[F"}, {"insert", "", "\x1b[2~"}, {"delete", "", "\x1b[3~"},
	{"pgup", "", "\x1b[5~"}, {"pgdn", "", "\x1b[6~"}, {"shift-delete", "", "\x1b[3;2~"}, {"f1", "", "\x1bOP"}, {"shift-f1", "", "\x1b[1;2P"},
	{"f4", "", "\x1bOS"}, {"f5", "", "\x1b[15~"}, {"f10", "", "\x1b[21~"}, {"f11", "", "\x1b[23~"}, {"f12", "", "\x1b[24~"}, {"ctrl-f12", "", "\x1b[24;5~"},
	{"caps_lock b shift-b caps_lock", "", "Bb"},
}

// serialKeys are what a terminal on the serial line sends.
var serialKeys = []step{
	{"", "x", "x"}, {"", "\x7f", "\x7f"}, {"", "\b", "\x7f"}, {"", "\r", "\r"}, {"", "\n", "\n"}, {"", "\x05\x04\x1a", "\x05\x04\x1a"},
	{"", "\x1b[A", "\x1b[A"}, {"", "\x1b[H", "\x1b[H"}, {"", "\x1b[3~", "\x1b[3~"}, {"", "\x1b[1;5C", "\x1b[1;5C"}, {"", "\x1bOP", "\x1bOP"},
	{"", "é日本🙂", "é日本🙂"}, {"", "Лось", "Лось"}, {"", "ÛJ", "ÛJ"}, {"", "\x1b", "\x1b"},
}

var germanKeys = []step{
	{"y", "", "z"}, {"z", "", "y"}, {"shift-y", "", "Z"}, {"minus", "", "ß"}, {"shift-7", "", "/"}, {"alt_r-q", "", "@"}, {"alt_r-e", "", "€"},
	{"ctrl-alt-q", "", "@"}, {"semicolon", "", "ö"}, {"shift-semicolon", "", "Ö"}, {"equal e", "", "é"}, {"shift-equal a", "", "à"},
	{"grave_accent shift-o", "", "Ô"}, {"equal x", "", "´x"}, {"grave_accent spc", "", "^"}, {"equal equal", "", "´"}, {"ctrl-y", "", "\x1a"},
	{"alt-y", "", "\x1bz"}, {"caps_lock semicolon minus y caps_lock", "", "ÖßZ"}, {"shift-2", "", "\""}, {"", "yz-;'ß", "yz-;'ß"}, {"left", "", "\x1b[D"},
}

// longText is a text of at least 5,000 characters in UTF-8, in lines, with a last line END. No character has the byte 0x9B:
// EDK2's terminal driver makes two keys at once of it and the next byte, and loses the second if its queue of keys has
// one place left.
func longText() string {
	var b strings.Builder
	for i := range 91 {
		fmt.Fprintf(&b, "line %02d: plain text, été, Grüße, Привет мир, 日本語, “quotes” — and 🙂 at last\n", i)
	}
	return b.String() + "END\n"
}

// TestTerminal: a program sees Linux's terminal, on a keyboard and on a serial line.
func TestTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 0, "settings", "pipes", "keys", "keys application", "keys de", "paste raw", "paste lines", "resized", "secret")
	b.CPUs, b.Timeout = 2, 10*time.Minute // what it waits for in vain is then told, with what came instead
	m := start(t, b)
	m.await("settings: ok\n")
	m.await("pipes: ok\n")
	m.pressKeys(append(append([]step{}, usKeys...), serialKeys...))
	m.pressKeys([]step{{"up", "", "\x1bOA"}, {"end", "", "\x1bOF"}, {"ctrl-up", "", "\x1b[1;5A"}})
	m.pressKeys(germanKeys)
	text := longText()
	if n := len([]rune(text)); n < 5000 {
		t.Fatalf("the text has %d characters only", n)
	}
	for range 2 {
		m.await("paste: ready\r\n")
		begin := time.Now()
		m.say(strings.ReplaceAll(text, "\n", "\r"))
		m.await(fmt.Sprintf("paste: %d bytes, checksum %08x\r\n", len(text), crc32.ChecksumIEEE([]byte(text))))
		t.Logf("%d characters of a paste took %v", len([]rune(text)), time.Since(begin))
	}
	for _, s := range []struct{ await, typed string }{
		{"resized: ready\r\n", "\x1b[8;33;101tx"}, {"resized: 101 by 33, then \"x\"\r\n", ""},
		{"secret: ready\n", "pass\x7f\x7fßword\r"}, {"\"paßword\"\n", ""}, {"secret: again\n", "\x03"}, {"secret: interrupt\n", "more\r"}, {"\"more\"\n", "\x1c"},
		{"secret: quit\n", "ab\x04\x04"}, {"secret: ok\n", ""},
	} {
		m.await(s.await)
		m.say(s.typed)
	}
	for len(m.run.Statuses()) < 9 {
		time.Sleep(50 * time.Millisecond) // for ever if one never ends: the test runs out of time
	}
	m.say("EX.EFI power off\r") // Ctrl-C has ended the shell's script, too
	m.await("power: off\n")
	m.wait()
	if got := fmt.Sprint(m.run.Statuses()); got != "[0 0 0 0 0 0 0 0 0 0]" {
		t.Errorf("exit statuses %s; stderr %q", got, &b.Err)
	}
	if strings.Contains(b.Out.String(), "pass") || strings.Contains(b.Out.String(), "more") && !strings.Contains(b.Out.String(), "\"more\"") {
		t.Errorf("a password was echoed: %q", &b.Out)
	}
	if got := readFile(t, b.Disk, "POWER.TXT"); got != strings.Repeat("power ", 1000) {
		t.Errorf("what was written before the machine went off: %d bytes", len(got))
	}
}

// TestUSBKeyboard: the same keys from a USB keyboard, with a layout, then a restart.
func TestUSBKeyboard(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 0, "keys", "keys fr", "power restart")
	b.Devices = []string{"qemu-xhci", "usb-kbd"}
	m := start(t, b)
	m.pressKeys(usKeys)
	m.pressKeys([]step{
		{"q", "", "a"}, {"semicolon", "", "m"}, {"1", "", "&"}, {"shift-1", "", "1"}, {"2", "", "é"}, {"bracket_left o", "", "ô"},
		{"shift-bracket_left i", "", "ï"}, {"shift-dot", "", "/"}, {"alt_r-0", "", "@"}, {"alt_r-e", "", "€"},
	})
	m.await("power: off\n")
	m.wait()
	if got := fmt.Sprint(m.run.Statuses()); got != "[0 0 0]" {
		t.Errorf("exit statuses %s; stderr %q", got, &b.Err)
	}
}

// readFile reads a file of an image's volume.
func readFile(t *testing.T, image, name string) string {
	t.Helper()
	need(t, "mtype")
	out, err := exec.Command("mtype", "-i", image+"@@1M", "::/"+name).Output()
	if err != nil {
		t.Errorf("reading %s: %v", name, err)
	}
	return string(out)
}
