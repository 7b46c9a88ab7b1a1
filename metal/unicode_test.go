//go:build linux && amd64

package metal

import (
	"fmt"
	"testing"
	"unicode/utf8"
)

// wantRunes is what a decoder makes of bytes: a character for each sequence that RFC 3629 has, and a replacement character for what
// begins as one and is none, for what ends too early, and for a byte that begins none. surrogates counts those of the first kind
// that have half of a surrogate pair; open is set if the last sequence has not ended.
func wantRunes(b []byte) (runes []rune, invalid, surrogates int, open bool) {
	for len(b) > 0 {
		size := 1
		switch {
		case b[0] >= 0xF0 && b[0] <= 0xF4:
			size = 4
		case b[0] >= 0xE0 && b[0] <= 0xEF:
			size = 3
		case b[0] >= 0xC2 && b[0] <= 0xDF:
			size = 2
		}
		n := 1
		for n < size && n < len(b) && b[n] >= 0x80 && b[n] <= 0xBF {
			n++
		}
		if n < size && n == len(b) {
			return runes, invalid, surrogates, true
		}
		r, valid := utf8.DecodeRune(b[:n])
		if valid != n || r == utf8.RuneError && n < 3 {
			r = utf8.RuneError
			invalid++
			if n == 3 && b[0] == 0xED && b[1] >= 0xA0 {
				surrogates++
			}
		}
		runes, b = append(runes, r), b[n:]
	}
	return runes, invalid, surrogates, false
}

// TestDecodeUTF8 decodes all sequences of four bytes at the bounds that UTF-8 has, byte by byte.
func TestDecodeUTF8(t *testing.T) {
	bounds := []byte{0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5, 0xFF}
	n := len(bounds)
	for i := range n * n * n * n {
		b := []byte{bounds[i%n], bounds[i/n%n], bounds[i/n/n%n], bounds[i/n/n/n]}
		var d utf8Decoder
		var got []rune
		invalid, surrogates := 0, 0
		for _, c := range b {
			for again := true; again; {
				var r uint32
				if r, again = d.decode(c); r != noRune {
					got = append(got, rune(r))
				}
				if d.invalid {
					invalid++
				}
				if d.surrogate() {
					surrogates++
				}
			}
		}
		want, wantInvalid, wantSurrogates, open := wantRunes(b)
		if string(got) != string(want) || invalid != wantInvalid || surrogates != wantSurrogates || open != (d.need > 0) {
			t.Fatalf("% x: %q, %d invalid, %d surrogates, open: %v; want %q, %d, %d, %v", b, got, invalid, surrogates, d.need > 0, want, wantInvalid, wantSurrogates, open)
		}
	}
}

// TestUTF16: every character goes through UTF-16 as it is. A second half of a pair alone is replaced, a first half is dropped.
func TestUTF16(t *testing.T) {
	decode := func(units ...uint16) (s string) {
		var d utf16Decoder
		for _, u := range units {
			n := d.decode(u)
			s += string(d.utf8[:n])
		}
		return s
	}
	for r := rune(0); r <= utf8.MaxRune; r += 1 + r>>16*29 {
		if !utf8.ValidRune(r) {
			continue
		}
		units := []uint16{uint16(r)}
		if r >= 0x10000 { // RFC 2781, 2.1
			units = []uint16{uint16(0xD800 + (r-0x10000)/0x400), uint16(0xDC00 + (r-0x10000)%0x400)}
		}
		if got := decode(units...); got != string(r) {
			t.Fatalf("%x became %q, want %q", units, got, r)
		}
		var b [4]byte
		if n := encodeUTF8(&b, uint32(r)); string(b[:n]) != string(r) {
			t.Fatalf("%U became % x", r, b[:n])
		}
		if r >= 0x80 && utf8Length(string(r)[0]) != utf8.RuneLen(r) {
			t.Fatalf("%U has %d bytes, not %d", r, utf8.RuneLen(r), utf8Length(string(r)[0]))
		}
	}
	for _, c := range []struct {
		units []uint16
		want  string
	}{
		{[]uint16{0xDC00}, "\uFFFD"}, {[]uint16{0xDFFF, 'a'}, "\uFFFDa"}, {[]uint16{0xD800, 'a', 0xDC00}, "a\uFFFD"}, {[]uint16{0xDBFF, 0xD83D, 0xDE42}, "🙂"},
		{[]uint16{0xD83D, 0xDE42, 0xDE42}, "🙂\uFFFD"}, {[]uint16{0xD7FF, 0xDC00}, "\uD7FF\uFFFD"}, {[]uint16{0xE000, 0xDC00}, "\uE000\uFFFD"},
	} {
		if got := decode(c.units...); got != c.want {
			t.Errorf("%x became %q, want %q", c.units, got, c.want)
		}
	}
	for r := uint32(0xD800); r < 0xE000; r++ { // in names of files (WTF-8)
		var b [4]byte
		if n, want := encodeUTF8(&b, r), fmt.Sprintf("ed %02x %02x", 0x80|r>>6&0x3F, 0x80|r&0x3F); fmt.Sprintf("% x", b[:n]) != want {
			t.Fatalf("%#x became % x, want %s", r, b[:n], want)
		}
	}
}
