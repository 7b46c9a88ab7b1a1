//go:build linux && amd64

package metal

const (
	noRune          = ^uint32(0)
	replacementRune = 0xFFFD
)

// utf8Decoder decodes UTF-8 byte by byte (RFC 3629).
type utf8Decoder struct {
	rune, least uint32
	need        int
	invalid     bool // the replacement character that decode has returned is not in the input
}

// decode takes a byte and returns the character that it completes, or noRune. If again is
// true, the byte does not belong to the incomplete sequence before it: the replacement
// character is for that sequence, and the caller passes the byte once more.
func (d *utf8Decoder) decode(b byte) (r uint32, again bool) {
	d.invalid = false
	if d.need > 0 {
		if b&0xC0 != 0x80 {
			d.need, d.rune, d.invalid = 0, 0, true
			return replacementRune, true
		}
		d.rune = d.rune<<6 | uint32(b&0x3F)
		if d.need--; d.need > 0 {
			return noRune, false
		}
		if d.rune < d.least || d.rune > 0x10FFFF || d.rune>>11 == 0xD800>>11 {
			d.invalid = true
			return replacementRune, false
		}
		return d.rune, false
	}
	switch {
	case b < 0x80:
		return uint32(b), false
	case b >= 0xC2 && b < 0xE0:
		d.rune, d.need, d.least = uint32(b&0x1F), 1, 0x80
	case b >= 0xE0 && b < 0xF0:
		d.rune, d.need, d.least = uint32(b&0x0F), 2, 0x800
	case b >= 0xF0 && b < 0xF5:
		d.rune, d.need, d.least = uint32(b&0x07), 3, 0x10000
	default:
		d.rune, d.invalid = 0, true
		return replacementRune, false
	}
	return noRune, false
}

// surrogate reports whether the sequence is invalid only because it has half of a surrogate
// pair.
func (d *utf8Decoder) surrogate() bool {
	return d.invalid && d.least == 0x800 && d.rune>>11 == 0xD800>>11
}

// utf16Decoder turns UTF-16 units into UTF-8.
type utf16Decoder struct {
	high uint32
	utf8 [4]byte
}

// decode takes a unit and returns how many bytes of utf8 hold the character that it
// completes. A low surrogate without its pair becomes the replacement character; a high one is
// dropped.
func (d *utf16Decoder) decode(u uint16) int {
	r := uint32(u)
	switch {
	case u>>10 == 0xD800>>10:
		d.high = r
		return 0
	case u>>10 == 0xDC00>>10 && d.high != 0:
		r = 0x10000 + (d.high-0xD800)<<10 + (r - 0xDC00)
	case u>>10 == 0xDC00>>10:
		r = replacementRune
	}
	d.high = 0
	return encodeUTF8(&d.utf8, r)
}

// encodeUTF8 stores the UTF-8 of a character and returns its size.
func encodeUTF8(b *[4]byte, r uint32) int {
	switch {
	case r < 0x80:
		b[0] = byte(r)
		return 1
	case r < 0x800:
		b[0], b[1] = byte(0xC0|r>>6), byte(0x80|r&0x3F)
		return 2
	case r < 0x10000:
		b[0], b[1], b[2] = byte(0xE0|r>>12), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F)
		return 3
	}
	b[0], b[1], b[2], b[3] = byte(0xF0|r>>18), byte(0x80|r>>12&0x3F), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F)
	return 4
}

// utf8Length is the length of the character that a byte from 0xC2 to 0xF4 begins.
func utf8Length(first byte) int {
	switch {
	case first >= 0xF0:
		return 4
	case first >= 0xE0:
		return 3
	}
	return 2
}
