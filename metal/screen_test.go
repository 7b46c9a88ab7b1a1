//go:build linux && amd64

package metal_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/metal"
	"bootllama/metal/vt"
)

// lockedBuffer is a buffer that may be read while a machine writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// screenBench is a machine whose firmware boots the exercise "show", and whose shell then runs
// the lines.
func screenBench(t *testing.T, lines ...string) (b *vmtest.Bench, out, serial *lockedBuffer) {
	t.Helper()
	app := application(t, 0)
	b = vmtest.New(t, []disk.File{vmtest.Content("EX.EFI", app), vmtest.Content("EFI/BOOT/BOOTX64.EFI", app)}, 0, lines...)
	out, serial = &lockedBuffer{}, &lockedBuffer{}
	b.Machine.Stdout, b.Machine.Log = out, serial
	return b, out, serial
}

// terminalOf is a terminal to which the output of a program was written.
func terminalOf(columns, rows int, output []byte, newLines bool) *vt.Terminal {
	term := &vt.Terminal{}
	term.Resize(columns, rows)
	for _, b := range output {
		if b == '\n' && newLines {
			term.Write('\r')
		}
		term.Write(b)
	}
	return term
}

// Of EDK2's console on a screen: the size of a character, and the colours (bits blue, green, red).
const glyphWidth, glyphHeight = 8, 19

func efiColor(i uint16) color.RGBA {
	level := uint8(0x98)
	switch {
	case i == 8:
		return color.RGBA{0x30, 0x30, 0x30, 0xFF}
	case i > 8:
		level = 0xFF
	}
	c := color.RGBA{A: 0xFF}
	if i&4 != 0 {
		c.R = level
	}
	if i&2 != 0 {
		c.G = level
	}
	if i&1 != 0 {
		c.B = level
	}
	return c
}

// picture is a screen of characters.
type picture struct {
	*image.RGBA
	columns, rows int
}

// cell returns the pixels of a cell.
func (p picture) cell(x, y int) (pixels [glyphWidth * glyphHeight]color.RGBA) {
	left, top := (p.Rect.Dx()-p.columns*glyphWidth)/2, (p.Rect.Dy()-p.rows*glyphHeight)/2
	for i := range pixels {
		pixels[i] = p.RGBAAt(left+x*glyphWidth+i%glyphWidth, top+y*glyphHeight+i/glyphWidth)
	}
	return pixels
}

// font has the form of each character: true is ink.
type font map[rune][glyphWidth * glyphHeight]bool

// learn takes the characters from a picture of them.
func learn(p picture, characters string) font {
	f := font{}
	for i, r := range []rune(characters) {
		var form [glyphWidth * glyphHeight]bool
		for j, c := range p.cell(i%p.columns, i/p.columns) {
			form[j] = c == efiColor(7)
		}
		f[r] = form
	}
	return f
}

// read returns the text of a row, in whatever colours.
func (f font) read(p picture, y int) string {
	var line []rune
	for x := range p.columns {
		pixels := p.cell(x, y)
		found := '\uFFFD'
		for r, form := range f {
			if r == '█' {
				continue // it has no ground
			}
			same, ground := true, color.RGBA{}
			for i, ink := range form {
				if !ink {
					ground = pixels[i]
				}
			}
			for i, ink := range form {
				same = same && ink == (pixels[i] != ground)
			}
			if same {
				found = r
				break
			}
		}
		line = append(line, found)
	}
	return strings.TrimRight(string(line), " ")
}

// similar are characters that EDK2's font lacks, and what is shown instead.
var similar = map[rune]rune{'“': '"', '”': '"', '–': '-', '…': '.', '•': '*', 0: ' '}

// compare says where a picture is not what a terminal's cells should look like; "" if it is. The
// cursor's cell must be something else.
func (f font) compare(p picture, term *vt.Terminal) string {
	cx, cy, _ := term.Cursor()
	for y := range p.rows {
		for x := range p.columns {
			c := term.Cell(x, y)
			r := c.Rune
			if other, ok := similar[r]; ok {
				r = other
			} else if vt.Width(r) == 2 {
				r = '?'
			}
			attribute := metal.ConsoleAttribute(c)
			if x == p.columns-1 && y == p.rows-1 { // where the console would scroll
				r, attribute = ' ', 7
			}
			form, ok := f[r]
			if !ok {
				return fmt.Sprintf("the font has no %q", r)
			}
			same := true
			for i, got := range p.cell(x, y) {
				want := efiColor(attribute >> 4)
				if form[i] {
					want = efiColor(attribute & 15)
				}
				same = same && got == want
			}
			if cursor := x == cx && y == cy; same == cursor {
				return fmt.Sprintf("the cell at %d, %d, %+v, is not as it should be (the cursor: %v)", x, y, c, cursor)
			}
		}
	}
	return ""
}

// look takes pictures until right returns "", and saves the last one.
func (m *session) look(name string, columns, rows int, right func(p picture) string) picture {
	m.t.Helper()
	wrong := ""
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(300 * time.Millisecond) {
		dump, err := m.run.Screendump()
		if err != nil {
			m.t.Fatal(err)
		}
		p := picture{dump, columns, rows}
		if wrong = right(p); wrong == "" {
			m.save(name, dump)
			return p
		}
	}
	if dump, err := m.run.Screendump(); err == nil {
		m.save(name, dump)
	}
	m.t.Fatalf("%s: %s", name, wrong)
	return picture{}
}

func (m *session) save(name string, p image.Image) {
	m.t.Helper()
	f, err := os.Create(filepath.Join(m.t.ArtifactDir(), name+".png"))
	if err == nil {
		err = png.Encode(f, p)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		m.t.Error(err)
	}
}

// characters are those of the exercise.
const characters = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~" +
	"éèüßñÆ¿°─│┌┐└┘├┤┬┴┼═║╔╗╚╝█▲▼←↑→↓"

// TestScreen looks at the machine's screen, which the firmware's console draws: at the machine's boot it is cleared,
// has the most columns, and shows cell by cell what a terminal shows to which the same bytes were written; below the
// UEFI shell's text it goes on; and after an end in graphics mode it is there again, with the reason.
func TestScreen(t *testing.T) {
	t.Parallel()
	const columns, rows = 160, 42 // OVMF's screen has 1280 by 800 pixels
	b, out, serial := screenBench(t, "EX.EFI show below", "EX.EFI vcs", "EX.EFI vcs panic", "pause", "EX.EFI vcs crash", "pause",
		"EX.EFI panics", "echo behind", "pause")
	m := start(t, b)
	var f font
	for _, step := range []string{"characters", "stream", "full"} {
		m.await(fmt.Sprintf("look: %s %dx%d", step, columns, rows))
		if f == nil {
			p := m.look(step, columns, rows, func(p picture) string {
				if f := learn(p, characters); !strings.HasPrefix(f.read(p, rows-2), "look: characters 160x42") { // the cursor follows
					return "no last line"
				}
				return ""
			})
			f = learn(p, characters)
			for r, form := range f {
				for other, same := range f {
					if r != other && form == same {
						t.Fatalf("%q and %q look the same", r, other)
					}
				}
			}
		}
		term := terminalOf(columns, rows, out.bytes(), true)
		m.look(step, columns, rows, func(p picture) string { return f.compare(p, term) })
		m.say("\r")
	}
	wantLines := func(name string, want ...string) {
		t.Helper()
		m.look(name, columns, rows, func(p picture) string {
			var lines []string
			for y := range rows {
				lines = append(lines, f.read(p, y))
			}
			text, at := strings.Join(lines, "\n"), 0
			for _, w := range want {
				i := strings.Index(text[at:], w)
				if i < 0 {
					return fmt.Sprintf("no %q in\n%s", w, text)
				}
				at += i
			}
			return ""
		})
	}
	m.await("look: below")
	wantLines("below", "UEFI Interactive Shell", "startup.nsh", "\nbelow the shell's text\nsecond line\nlook: below 160x42")
	m.say("\r")
	m.await("vcs: ok\n")
	for _, end := range [][]string{
		{"panic", "in graphics mode\n", "panic: in graphics mode", "goroutine 1"},
		{"crash", "in graphics mode\n", "metal: the kernel failed: exception 14 (page fault)", "in system call 1 of thread "},
		{"end", "\npanics: ok\nbehind\n"}, // the program's last line feed has been written
	} {
		if err := m.run.Await(t.Context(), vm.Console, "to quit"); err != nil {
			t.Fatal(err)
		}
		wantLines(end[0], end[1:]...)
		m.say(" ")
	}
	m.wait()
	if got, want := fmt.Sprint(m.run.Statuses()), "[1 0 0 2 134 0]"; got != want {
		t.Errorf("exit statuses %s, want %s", got, want)
	}
	if want := "日本 “quoted” – and… • \x1b[31mwide"; !strings.Contains(string(serial.bytes()), want) {
		t.Errorf("the serial line did not get %q", want)
	}
}

// TestSerialOnly: on a machine without a screen, a terminal on the serial line shows what the program has written.
func TestSerialOnly(t *testing.T) {
	t.Parallel()
	b, out, serial := screenBench(t, "EX.EFI show below")
	b.VGA = "none"
	m := start(t, b)
	for _, step := range []string{"characters", "stream", "full", "below"} {
		m.await("look: " + step + " 80x24")
		if step != "below" { // where the shell's text is, the program does not know
			want := terminalOf(80, 24, out.bytes(), true)
			wrong := ""
			for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(300 * time.Millisecond) {
				_, text, _ := bytes.Cut(serial.bytes(), []byte("\x1b[0m\x1b[2J\x1b[H"))
				if wrong = differ(terminalOf(80, 24, text, false), want); wrong == "" {
					break
				}
			}
			if wrong != "" {
				t.Fatalf("%s: %s", step, wrong)
			}
		}
		m.say("\r")
	}
	m.wait()
	if got, want := fmt.Sprint(m.run.Statuses()), "[1 0]"; got != want {
		t.Errorf("exit statuses %s, want %s", got, want)
	}
	if !strings.Contains(string(serial.bytes()), "below the shell's text\r\nsecond line\r\n") {
		t.Error("no text below the shell's")
	}
}

// differ says where two terminals differ; "" if they show the same.
func differ(got, want *vt.Terminal) string {
	columns, rows := want.Size()
	for y := range rows {
		for x := range columns {
			if got.Cell(x, y) != want.Cell(x, y) {
				return fmt.Sprintf("the cell at %d, %d is %+v, want %+v", x, y, got.Cell(x, y), want.Cell(x, y))
			}
		}
	}
	return ""
}
