package session

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Key is a key that was pressed on a terminal, or a text that was pasted.
type Key struct {
	Code Code
	Rune rune   // of KeyRune; with Ctrl a small letter, or one of @[\]^_
	Mod  Mod    // what was held down with it, as far as a terminal tells
	Text string // of KeyPaste, with newlines between its lines
}

// Code says what a Key is.
type Code uint8

// The keys of a terminal.
const (
	KeyRune Code = iota // a character
	KeyPaste
	KeyEnter
	KeyTab
	KeyBackspace
	KeyEscape
	KeyUp
	KeyDown
	KeyRight
	KeyLeft
	KeyHome
	KeyEnd
	KeyPageUp
	KeyPageDown
	KeyInsert
	KeyDelete
	KeyF1 // KeyF1 + 1 is F2, and so on up to F12
)

// Mod is a set of keys that are held down. The bits are those of xterm's sequences.
type Mod uint8

// The keys that are held down with another.
const (
	Shift Mod = 1 << iota
	Alt
	Ctrl
)

// Is reports whether a key is the character r with exactly these keys held down.
func (k Key) Is(mod Mod, r rune) bool { return k.Code == KeyRune && k.Mod == mod && k.Rune == r }

// Keys makes keys of what a terminal in raw mode sends: UTF-8, control codes, and the escape
// sequences of xterm, rxvt and the Linux console. Sequences that are no key are dropped.
type Keys struct {
	rest    []byte // the beginning of a key
	pasting bool
	pasted  []byte
}

const (
	esc        = 0x1b
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	// maxSequence bounds an escape sequence: what is longer is none.
	maxSequence = 32
)

// Feed returns the keys that b completes. What it begins is kept.
func (k *Keys) Feed(b []byte) (keys []Key) {
	k.rest = append(k.rest, b...)
	for len(k.rest) > 0 {
		if k.pasting {
			key, ok := k.paste()
			if !ok {
				break
			}
			keys = append(keys, key)
			continue
		}
		key, n, ok := parseKey(k.rest)
		if n == 0 {
			break
		}
		if k.pasting = string(k.rest[:n]) == pasteBegin; ok {
			keys = append(keys, key)
		}
		k.rest = k.rest[n:]
	}
	k.rest = append([]byte(nil), k.rest...) // it does not grow for ever
	return keys
}

// Pending reports whether a key has begun, of which the rest is missing. When nothing comes for
// a while it was the key Escape: see Flush.
func (k *Keys) Pending() bool { return len(k.rest) > 0 && !k.pasting }

// Flush returns the keys that what is pending is by itself: a lone ESC is the key Escape.
func (k *Keys) Flush() (keys []Key) {
	if !k.Pending() {
		return nil
	}
	rest := k.rest
	k.rest = nil
	switch r, _ := utf8.DecodeRune(rest[1:]); {
	case rest[0] != esc:
		return []Key{{Rune: utf8.RuneError}} // half a character
	case len(rest) == 1:
		return []Key{{Code: KeyEscape}}
	case len(rest) == 2 && rest[1] != esc:
		return []Key{{Rune: r, Mod: Alt}} // Alt-[ and Alt-O
	}
	return nil
}

// paste takes a pasted text up to its end. Ctrl-C ends one, too, should its end be lost. What is
// longer than MaxLine is cut, but for one byte, by which it can be told.
func (k *Keys) paste() (key Key, ok bool) {
	text, rest, ended := bytes.Cut(k.rest, []byte(pasteEnd))
	if i := bytes.IndexByte(text, 3); i >= 0 {
		text, rest, ended = text[:i], k.rest[i+1:], true
	}
	if !ended {
		keep := min(len(text), len(pasteEnd)-1) // in which the end may begin
		text, rest = text[:len(text)-keep], text[len(text)-keep:]
	}
	k.pasted = append(k.pasted, text[:min(len(text), MaxLine+1-len(k.pasted))]...)
	k.rest = rest
	if !ended {
		return key, false
	}
	key = Key{Code: KeyPaste, Text: pastedText(string(k.pasted))}
	k.pasting, k.pasted = false, nil
	return key, true
}

// pastedText returns a text as it was copied: terminals send its newlines as those of the key
// Enter. Control codes are dropped.
func pastedText(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\ufffd"))
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// isControl reports whether r is a control code of ECMA-48: C0, DEL or C1.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// parseKey returns the key at the beginning of b, and of how many bytes: 0 if some are missing.
// Not ok are bytes that are no key.
func parseKey(b []byte) (key Key, n int, ok bool) {
	switch c := b[0]; {
	case c == esc:
		return parseEscape(b)
	case c == '\r' || c == '\n':
		return Key{Code: KeyEnter}, 1, true
	case c == '\t':
		return Key{Code: KeyTab}, 1, true
	case c == '\b' || c == 0x7f:
		return Key{Code: KeyBackspace}, 1, true
	case c == 0 || c >= 0x1c && c < ' ':
		return Key{Rune: rune(c) + '@', Mod: Ctrl}, 1, true
	case c < ' ':
		return Key{Rune: rune(c) + '`', Mod: Ctrl}, 1, true
	case !utf8.FullRune(b):
		return key, 0, false
	}
	r, n := utf8.DecodeRune(b)
	return Key{Rune: r}, n, !isControl(r)
}

// parseEscape is parseKey for what begins with ESC.
func parseEscape(b []byte) (key Key, n int, ok bool) {
	if len(b) == 1 {
		return key, 0, false
	}
	switch b[1] {
	case '[':
		return parseCSI(b)
	case 'O': // SS3
		if len(b) == 2 {
			return key, 0, false
		}
		if c := b[2]; c >= 'a' && c <= 'd' { // rxvt
			return Key{Code: letterKeys[c-'a'+'A'], Mod: Ctrl}, 3, true
		}
		code, ok := letterKeys[b[2]]
		return Key{Code: code}, 3, ok
	}
	key, n, ok = parseKey(b[1:]) // a key with Alt
	if n == 0 {
		return key, 0, false
	}
	key.Mod |= Alt
	return key, n + 1, ok
}

// letterKeys are the keys that end CSI and SS3.
var letterKeys = map[byte]Code{
	'A': KeyUp, 'B': KeyDown, 'C': KeyRight, 'D': KeyLeft, 'F': KeyEnd, 'H': KeyHome, 'M': KeyEnter,
	'P': KeyF1, 'Q': KeyF1 + 1, 'R': KeyF1 + 2, 'S': KeyF1 + 3,
}

// numberKeys are the keys that are the number in CSI n ~.
var numberKeys = map[int]Code{
	1: KeyHome, 2: KeyInsert, 3: KeyDelete, 4: KeyEnd, 5: KeyPageUp, 6: KeyPageDown, 7: KeyHome, 8: KeyEnd,
	11: KeyF1, 12: KeyF1 + 1, 13: KeyF1 + 2, 14: KeyF1 + 3, 15: KeyF1 + 4, 17: KeyF1 + 5, 18: KeyF1 + 6,
	19: KeyF1 + 7, 20: KeyF1 + 8, 21: KeyF1 + 9, 23: KeyF1 + 10, 24: KeyF1 + 11,
}

// parseCSI is parseKey for a control sequence (ECMA-48, 5.4): parameter and intermediate bytes,
// then a final byte.
func parseCSI(b []byte) (key Key, n int, ok bool) {
	if len(b) > 2 && b[2] == '[' { // the Linux console's F1 to F5
		if len(b) == 3 {
			return key, 0, false
		}
		return Key{Code: KeyF1 + Code(b[3]-'A')}, 4, b[3] >= 'A' && b[3] <= 'E'
	}
	for n = 2; n < len(b) && b[n] >= ' ' && b[n] < '@'; n++ {
		if n == maxSequence {
			return key, n, false
		}
	}
	if n == len(b) {
		return key, 0, false
	}
	final, first, second := b[n], 1, 1
	numbers := strings.Split(string(b[2:n]), ";")
	if v, err := strconv.Atoi(numbers[0]); err == nil {
		first = v
	}
	if len(numbers) > 1 {
		if v, err := strconv.Atoi(numbers[1]); err == nil {
			second = v
		}
	}
	n++
	if key.Mod = Mod(second-1) & (Shift | Alt | Ctrl); second < 1 {
		key.Mod = 0
	}
	switch {
	case final == '~':
		key.Code, ok = numberKeys[first]
	case final == 'Z':
		key, ok = Key{Code: KeyTab, Mod: Shift}, true
	case final == 'u': // fixterms and others: a character by its number
		key, ok = characterKey(first, key.Mod)
	case final >= 'a' && final <= 'd' && n == len("\x1b[a"): // rxvt
		key, ok = Key{Code: letterKeys[final-'a'+'A'], Mod: Shift}, true
	case first == 1: // not what answers a question, such as the cursor's place
		key.Code, ok = letterKeys[final]
	}
	return key, n, ok
}

// characterKey returns the key of a character's number.
func characterKey(number int, mod Mod) (key Key, ok bool) {
	switch {
	case number == esc:
		return Key{Code: KeyEscape, Mod: mod}, true
	case number > 0 && number <= utf8.MaxRune:
		key, _, ok = parseKey(utf8.AppendRune(nil, rune(number)))
		key.Mod |= mod
	}
	return key, ok
}
