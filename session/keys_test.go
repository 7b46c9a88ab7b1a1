package session

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bootllama/internal/heap"
)

func runes(s string) (keys []Key) {
	for _, r := range s {
		keys = append(keys, Key{Rune: r})
	}
	return keys
}

var keyCases = []struct {
	bytes string
	want  []Key
}{
	{"aé漢🙂", runes("aé漢🙂")},
	{"\r\n\t\x7f\b", []Key{{Code: KeyEnter}, {Code: KeyEnter}, {Code: KeyTab}, {Code: KeyBackspace}, {Code: KeyBackspace}}},
	{"\x00\x01\x03\x1a\x1c\x1f", []Key{{Rune: '@', Mod: Ctrl}, {Rune: 'a', Mod: Ctrl}, {Rune: 'c', Mod: Ctrl}, {Rune: 'z', Mod: Ctrl}, {Rune: '\\', Mod: Ctrl}, {Rune: '_', Mod: Ctrl}}},
	{"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F", []Key{{Code: KeyUp}, {Code: KeyDown}, {Code: KeyRight}, {Code: KeyLeft}, {Code: KeyHome}, {Code: KeyEnd}}},
	{"\x1bOA\x1bOH\x1bOP\x1bOd", []Key{{Code: KeyUp}, {Code: KeyHome}, {Code: KeyF1}, {Code: KeyLeft, Mod: Ctrl}}},
	{"\x1b[1~\x1b[2~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", []Key{{Code: KeyHome}, {Code: KeyInsert}, {Code: KeyDelete}, {Code: KeyEnd}, {Code: KeyPageUp}, {Code: KeyPageDown}, {Code: KeyHome}, {Code: KeyEnd}}},
	{"\x1b[1;5C\x1b[1;2D\x1b[1;3A\x1b[3;5~\x1b[1;6H", []Key{{Code: KeyRight, Mod: Ctrl}, {Code: KeyLeft, Mod: Shift}, {Code: KeyUp, Mod: Alt}, {Code: KeyDelete, Mod: Ctrl}, {Code: KeyHome, Mod: Shift | Ctrl}}},
	{"\x1b[11~\x1b[15~\x1b[17~\x1b[21~\x1b[24~\x1b[[A\x1b[[E", []Key{{Code: KeyF1}, {Code: KeyF1 + 4}, {Code: KeyF1 + 5}, {Code: KeyF1 + 9}, {Code: KeyF1 + 11}, {Code: KeyF1}, {Code: KeyF1 + 4}}},
	{"\x1b[Z\x1b[a\x1b[13;2u\x1b[97;5u\x1b[27u", []Key{{Code: KeyTab, Mod: Shift}, {Code: KeyUp, Mod: Shift}, {Code: KeyEnter, Mod: Shift}, {Rune: 'a', Mod: Ctrl}, {Code: KeyEscape}}},
	{"\x1bb\x1bf\x1b\x7f\x1b\r\x1b\x1b[D\x1bé", []Key{{Rune: 'b', Mod: Alt}, {Rune: 'f', Mod: Alt}, {Code: KeyBackspace, Mod: Alt}, {Code: KeyEnter, Mod: Alt}, {Code: KeyLeft, Mod: Alt}, {Rune: 'é', Mod: Alt}}},
	{"\x1b[?62;1c\x1b[12;40Ra\x1b[99~\x1b[z\x1b[[Zb\x1b[;Ac\x1b[1;99999999999999999999Dd", append(append(append(runes("ab"), Key{Code: KeyUp}), Key{Rune: 'c'}, Key{Code: KeyLeft}), runes("d")...)},
	{"\x1b[" + strings.Repeat("1", 100) + "~a", append(runes(strings.Repeat("1", 70)), runes("~a")...)},
	{"\xff\xc3(\xe6\xbc", []Key{{Rune: 0xfffd}, {Rune: 0xfffd}, {Rune: '('}, {Rune: 0xfffd}}},
	{"\xc2\x9b" + "A", runes("A")}, // C1
	{"a\x1b[200~x\r\ny\rz\n\x1b[A\x01\x1b[201~b", []Key{{Rune: 'a'}, {Code: KeyPaste, Text: "x\ny\nz\n[A"}, {Rune: 'b'}}},
	{"\x1b[200~\x1b[201~", []Key{{Code: KeyPaste}}},
	{"\x1b[200~abc\x03d", []Key{{Code: KeyPaste, Text: "abc"}, {Rune: 'd'}}},
	{"\x1b", []Key{{Code: KeyEscape}}},
	{"\x1b[", []Key{{Rune: '[', Mod: Alt}}},
	{"\x1bO", []Key{{Rune: 'O', Mod: Alt}}},
	{"\x1b[1;", nil},
}

// TestKeys: what terminals send, wherever it is cut into reads.
func TestKeys(t *testing.T) {
	for _, c := range keyCases {
		for cut := range max(2, len(c.bytes)) {
			var k Keys
			var got []Key
			if cut == 0 { // byte by byte
				for i := range len(c.bytes) {
					got = append(got, k.Feed([]byte{c.bytes[i]})...)
				}
			} else {
				got = append(k.Feed([]byte(c.bytes[:min(cut, len(c.bytes))])), k.Feed([]byte(c.bytes[min(cut, len(c.bytes)):]))...)
			}
			if got = append(got, k.Flush()...); !reflect.DeepEqual(got, c.want) {
				t.Fatalf("%q, cut at %d:\n got %+v\nwant %+v", c.bytes, cut, got, c.want)
			}
			if k.Pending() || k.pasting {
				t.Errorf("%q: not at its end", c.bytes)
			}
		}
	}
}

// TestLongPaste: of a text that is too long so much is kept that it can be told.
func TestLongPaste(t *testing.T) {
	var k Keys
	keys := k.Feed([]byte(pasteBegin))
	for range 40 {
		keys = append(keys, k.Feed([]byte(strings.Repeat("x", 2000)))...)
		if len(k.rest) > 10 {
			t.Fatalf("%d bytes are kept", len(k.rest))
		}
	}
	if keys = append(keys, k.Feed([]byte(pasteEnd))...); len(keys) != 1 || len(keys[0].Text) != MaxLine+1 {
		t.Errorf("%d keys", len(keys))
	}
}

// FuzzKeys: keys are the same wherever what comes is cut, and no character is a control code.
func FuzzKeys(f *testing.F) {
	for _, c := range keyCases {
		f.Add([]byte(c.bytes), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		var whole, parts Keys
		var want []Key
		heap.Check(t, len(b), 512, func() { whole = Keys{}; want = append(whole.Feed(b), whole.Flush()...) })
		got := append(append(parts.Feed(b[:cut]), parts.Feed(b[cut:])...), parts.Flush()...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q, cut at %d:\n got %+v\nwant %+v", b, cut, got, want)
		}
		for _, k := range got {
			if k.Code == KeyRune && k.Mod&Ctrl == 0 && isControl(k.Rune) {
				t.Errorf("%q has the control code %q", b, k.Rune)
			}
		}
	})
}

// TestKeyboard: keys arrive in order; ESC alone is a key after a moment; many bytes at once are pasted; Ctrl-C passes by.
func TestKeyboard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		k := NewKeyboard(r)
		k.Interrupts(nil) // it is read from here on
		next := func(want ...Key) {
			t.Helper()
			for _, want := range want {
				if key, err := k.Next(t.Context()); err != nil || key != want {
					t.Errorf("%+v, %v, want %+v", key, err, want)
				}
			}
		}
		write := func(s string) { t.Helper(); fmt.Fprint(w, s) }
		write("ab\x1b[")
		write("A")
		next(Key{Rune: 'a'}, Key{Rune: 'b'}, Key{Code: KeyUp})
		write("\x1b")
		next(Key{Code: KeyEscape})
		write("\x1b")
		time.Sleep(time.Second)
		write("[A")
		next(Key{Code: KeyEscape}, Key{Rune: '['}, Key{Rune: 'A'})
		write("hello\rworld\r") // typed ahead, say
		next(append(append(runes("hello"), Key{Code: KeyEnter}), append(runes("world"), Key{Code: KeyEnter})...)...)

		line := strings.Repeat("many bytes ", 10)
		write(line + "\r" + line)
		write("end\r\r")
		next(Key{Code: KeyPaste, Text: line + "\n" + line + "end"}, Key{Code: KeyEnter})
		write(strings.Repeat("\x1b[C", 40))
		for range 40 {
			next(Key{Code: KeyRight})
		}

		interrupts := 0
		k.Interrupts(func() { interrupts++ })
		write("x\x03y")
		synctest.Wait()
		if interrupts != 1 || !k.Waiting() {
			t.Errorf("%d interrupts", interrupts)
		}
		k.Interrupts(nil)
		write("\x03")
		next(Key{Rune: 'x'}, Key{Rune: 'y'}, Key{Rune: 'c', Mod: Ctrl})

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.Next(ctx); err != context.DeadlineExceeded || k.Waiting() {
			t.Error(err)
		}
		write("z\x1b")
		w.CloseWithError(io.ErrUnexpectedEOF)
		next(Key{Rune: 'z'}, Key{Code: KeyEscape})
		if _, err := k.Next(t.Context()); err != io.ErrUnexpectedEOF {
			t.Error(err)
		}
	})
}
