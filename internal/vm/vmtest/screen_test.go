package vmtest

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"bootllama/screen"
)

// TestRead: text that a Display draws is read from its picture, whatever its size, colours and style.
func TestRead(t *testing.T) {
	const text = "The quick brown fox, 0123456789\r\n" +
		"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz\r\n" +
		"\x1b[1mbold\x1b[m \x1b[2mdim\x1b[m \x1b[3mitalic\x1b[m \x1b[4munder\x1b[m \x1b[7mreverse\x1b[m \x1b[9mstruck\x1b[m " +
		"\x1b[31mred\x1b[m \x1b[30;43mblack on yellow\x1b[m \x1b[38;2;20;200;30mtrue\x1b[m\r\n" +
		"┌─┬─┐│├┼┤╚═╝ ÄÖÜß é ñ “”…—→ Σίσυφος Привет ░▓█\r\n> "
	want := []string{"The quick brown fox, 0123456789",
		"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz",
		"bold dim italic under reverse struck red black on yellow true",
		"┌─┬─┐│├┼┤╚═╝ ÄÖÜß é ñ “”…—→ Σίσυφoς Привeт", ">"} // o and e are Latin
	for _, size := range []image.Point{{640, 480}, {800, 600}, {1366, 768}, {1920, 1080}, {3840, 2160}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			if testing.Short() && size.X > 2000 {
				t.Skip("SKIPPED: seconds")
			}
			r, err := newReader(size, screen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			picture := r.draw([]byte(text))
			p := r.read(picture)
			want := want
			if r.cols < 90 { // the terminal wraps
				want = append([]string{want[0], want[1][:80], want[1][80:]}, want[2:]...)
			}
			for i, w := range want {
				got := p.Lines[i]
				// A shade, and a block of one colour, have no form.
				if strings.HasPrefix(w, "┌") {
					got = strings.TrimRight(strings.Trim(got, "\uFFFD"), " ")
				}
				if got != w {
					t.Errorf("line %d: %q, want %q", i, got, w)
				}
			}
			if at := image.Pt(2, len(want)-1); p.Cursor != at {
				t.Errorf("the cursor is at %v, want %v", p.Cursor, at)
			}
			x, y, ok := p.Find("black on")
			if !ok {
				t.Fatal("nothing is black")
			}
			if text, ground := p.Colors(x, y); text.R > 80 || ground.R < 180 || ground.B > 140 {
				t.Errorf("black on yellow is %v on %v", text, ground)
			}
			if n, _ := difference(picture, r.draw([]byte(text+"!"))); n == 0 {
				t.Error("another character makes no difference")
			}
		})
	}
}
