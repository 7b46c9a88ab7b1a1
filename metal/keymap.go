//go:build linux && amd64

package metal

// The layout of a keyboard that the program has set, in Linux's terms: KDSKBENT (ioctl_kd(2))
// sets the symbol of a key, KDSKBDIACRUC what a dead key and a letter make. Package
// metal/keyboard has tables of layouts.
//
// A struct kbentry names a key by its number in Linux (input-event-codes.h: KEY_Q is 16) and
// by a table: 0 plain, 1 with Shift, 2 with AltGr, 3 with both. Its value is K(type, value) of
// linux/keyboard.h for the types KT_LATIN, KT_LETTER (which Caps Lock changes) and KT_DEAD2
// (a dead key, by its own character), or a character of Unicode, with the bits 0xF000
// inverted; K_HOLE, 0x0200, is no symbol.
//
// The firmware tells the character of a key on a US keyboard, not its number. So the keys 2 to
// 53 without those that have no character can be set; two keys with one character are one: the
// numeric keypad's, where Num Lock is on, are those of the main block. The key beside the left
// Shift is nothing to EDK2's PS/2 and USB drivers; elsewhere it is the one with \ and |.

const (
	keyCount     = 54 // keys of a layout have lower numbers
	maxComposed  = 256
	symbolHole   = 0x0200
	unicodeFlip  = 0xF000
	keyLatin     = 0x00
	keyLetter    = 0x0B
	keyDead2     = 0x0D
	deadKey      = 1 << 31 // beside the character: the symbol is a dead key
	usPlainKeys  = "1234567890-=\x00\x00qwertyuiop[]\x00\x00asdfghjkl;'`\x00\\zxcvbnm,./"
	usShiftKeys  = "!@#$%^&*()_+\x00\x00QWERTYUIOP{}\x00\x00ASDFGHJKL:\"~\x00|ZXCVBNM<>?"
	firstKey     = 2 // the key of the first character of both
	keyTableSize = 4
)

// keyEntry is struct kbentry.
type keyEntry struct {
	table, key byte
	value      uint16
}

// composedKey is struct kbdiacruc.
type composedKey struct{ dead, base, result uint32 }

// Only the boot processor uses these.
var (
	layoutSet     bool
	keySymbols    [keyTableSize][keyCount]uint32 // characters, some with deadKey; 0: none
	composedKeys  [maxComposed]composedKey
	composedCount uint32
	deadTyped     uint32 // the dead key that waits for a letter; 0: none
)

func setKeyEntry(e *keyEntry) uint64 {
	if e.table >= keyTableSize || e.key < firstKey || e.key >= keyCount {
		return errno(einval)
	}
	symbol := uint32(0)
	switch value := e.value ^ unicodeFlip; {
	case value < unicodeFlip:
		symbol = uint32(value)
	case e.value == symbolHole:
	case e.value>>8 == keyLatin, e.value>>8 == keyLetter:
		symbol = uint32(e.value & 0xFF)
	case e.value>>8 == keyDead2:
		symbol = uint32(e.value&0xFF) | deadKey
	default:
		return errno(einval)
	}
	keySymbols[e.table][e.key] = symbol
	layoutSet = true
	return 0
}

// getKeyEntry reads an entry; characters come back in the form of Unicode.
func getKeyEntry(e *keyEntry) uint64 {
	if e.table >= keyTableSize || e.key < firstKey || e.key >= keyCount {
		return errno(einval)
	}
	symbol := keySymbols[e.table][e.key]
	if !layoutSet {
		switch e.table {
		case 0:
			symbol = uint32(usPlainKeys[e.key-firstKey])
		case 1:
			symbol = uint32(usShiftKeys[e.key-firstKey])
		}
	}
	switch {
	case symbol == 0:
		e.value = symbolHole
	case symbol&deadKey != 0:
		e.value = keyDead2<<8 | uint16(symbol&0xFF)
	default:
		e.value = uint16(symbol) ^ unicodeFlip
	}
	return 0
}

// setComposeTable takes a struct kbdiacrsuc: a count and that many struct kbdiacruc.
func setComposeTable(p uintptr) uint64 {
	n := *at[uint32](p)
	if n > maxComposed {
		return errno(einval)
	}
	for i := range uintptr(n) {
		composedKeys[i] = *at[composedKey](p + 4 + i*12)
	}
	composedCount = n
	return 0
}

// translateKey turns the character of a US keyboard into the layout's symbol, or noRune if
// the key has none. c is not 0. third is true if it is one of the symbols that AltGr has. A
// character that no US key has stays what it is.
func translateKey(c uint32, altGr, caps bool) (symbol uint32, third bool) {
	if caps {
		c = otherCase(c) // the character without Caps Lock tells the key
	}
	for i := range uint32(len(usPlainKeys)) {
		table := 0
		switch c {
		case uint32(usPlainKeys[i]):
		case uint32(usShiftKeys[i]):
			table = 1
		default:
			continue
		}
		symbol = keySymbols[table][i+firstKey]
		if altGr && keySymbols[table+2][i+firstKey] != 0 {
			symbol, third = keySymbols[table+2][i+firstKey], true
		}
		if symbol == 0 {
			return noRune, third
		}
		if caps && symbol&deadKey == 0 {
			symbol = otherCase(symbol)
		}
		return symbol, third
	}
	if caps {
		c = otherCase(c)
	}
	return c, false
}

// otherCase changes the case of a letter of Latin-1; others stay.
func otherCase(c uint32) uint32 {
	switch lower := c | 0x20; {
	case lower >= 'a' && lower <= 'z', lower >= 0xE0 && lower <= 0xFE && lower != 0xF7 && c < 0x100:
		return c ^ 0x20
	}
	return c
}

// composeKey puts a symbol behind a dead key: the composed character or, if there is none, the
// dead key's own before it. A dead key gives noRune, unless it is typed twice; before a space
// it is itself.
func composeKey(symbol uint32) uint32 {
	dead := deadTyped &^ deadKey
	if symbol&deadKey != 0 {
		if symbol == deadTyped {
			deadTyped = 0
			return dead
		}
		if deadTyped != 0 {
			typeCharacter(dead, 0)
		}
		deadTyped = symbol
		return noRune
	}
	if deadTyped == 0 {
		return symbol
	}
	deadTyped = 0
	if symbol == ' ' {
		return dead
	}
	for i := range composedCount {
		if k := &composedKeys[i]; k.dead == dead && k.base == symbol {
			return k.result
		}
	}
	typeCharacter(dead, 0)
	return symbol
}
