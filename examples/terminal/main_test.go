package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/metal/vt"
)

// shown is what a person sees, made of what a machine has written.
type shown struct {
	vt.Terminal
	sawReturn bool
}

// Write takes what the machine has written. On metal, ONLCR adds returns while a program has not switched it off; these
// programs write none before line feeds only while it is on.
func (s *shown) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' && !s.sawReturn {
			s.Terminal.Write('\r')
		}
		s.sawReturn = b == '\r'
		s.Terminal.Write(b)
	}
	return len(p), nil
}

// row is a line of the screen, without the blanks at its end.
func (s *shown) row(y int) string {
	columns, _ := s.Size()
	var b strings.Builder
	for x := range columns {
		if r := s.Cell(x, y).Rune; r != 0 {
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// TestOnMetal types on the keyboard and on the serial line of a machine.
func TestOnMetal(t *testing.T) {
	app, err := efi.Build(t.Context(), efi.Options{Dir: ".", Package: "."})
	if err != nil {
		t.Fatal(err)
	}
	b := vmtest.New(t, []disk.File{vmtest.Content("T.EFI", app)}, 0, "T.EFI password", "T.EFI line", "T.EFI list", "T.EFI screen")
	m, err := b.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ await, keys, typed string }{
		{"password: ", "s e shift-c r backspace r e t ret", ""},
		{"\n6 characters: \"seCret\"\n", "", ""},
		{"> ", "", "héllo wörld"},
		{"wörld", "ctrl-a", ""},
		{"\x1b[11D", "", "say: "}, // x/term moves the cursor to the beginning
		{"héllo wörld", "", "\r"},
		{"\"say: héllo wörld\"", "up", ""},
		{"say: héllo wörld", "", "!\r"},
		{"\"say: héllo wörld!\"", "ctrl-d", ""},
		{"▶ one", "down", ""},
		{"▶ two", "down", ""},
		{"▶ three", "up", ""},
		{"▶ two", "ret", ""},
		{"chosen: two", "", ""},
		{" tcell ", "left", ""},
		{"[Left]", "ctrl-right", ""},
		{"[Ctrl+Right]", "f5", ""},
		{"[F5]", "", "é"},
		{"[Rune[é]]", "alt-x", ""},
		{"[Alt+Rune[x]]", "esc", ""},
	} {
		if step.await != "" {
			if err := m.Await(t.Context(), vm.Stdout, step.await); err != nil {
				t.Fatalf("waiting for %q: %v; stdout %q, stderr %q", step.await, err, &b.Out, &b.Err)
			}
		}
		if step.keys != "" {
			for _, key := range strings.Fields(step.keys) {
				if err := m.Press(key); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := m.Type(step.typed); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Wait(); err != nil {
		t.Error(err)
	}
	checkScreen(t, b.Out.String())
	for _, status := range m.Statuses() {
		if status != 0 {
			t.Errorf("exit statuses %v; stderr %q", m.Statuses(), &b.Err)
		}
	}
}

// checkScreen compares the last screen that tcell has shown with what it should be.
func checkScreen(t *testing.T, written string) {
	t.Helper()
	const keys = "[Left][Ctrl+Right][F5][Rune[é]][Alt+Rune[x]]"
	// It ends where tcell shows the cursor again.
	before, after, _ := strings.Cut(written, "[Alt+Rune[x]]")
	after, _, _ = strings.Cut(after, "\x1b[?25h")
	out := before + "[Alt+Rune[x]]" + after + "\x1b[?25h"
	size := regexp.MustCompile(`(\d+) by (\d+)`).FindStringSubmatch(out)
	if size == nil {
		t.Fatalf("no size on the screen: %q", out)
	}
	width, err := strconv.Atoi(size[1])
	if err != nil {
		t.Fatal(err)
	}
	height, err := strconv.Atoi(size[2])
	if err != nil {
		t.Fatal(err)
	}
	var s shown
	s.Resize(width, height)
	s.Write([]byte(out)) // never fails
	for y, want := range map[int]string{
		0: "── tcell " + strings.Repeat("─", width-9), 2: fmt.Sprintf("  %d by %d", width, height),
		4: "  " + keys, height - 1: strings.Repeat("─", width),
	} {
		if got := s.row(y); got != want {
			t.Errorf("line %d of the screen is %q, want %q", y, got, want)
		}
	}
	if c := s.Cell(3, 0); c.Rune != 't' || c.Attr&vt.Bold == 0 || c.Fg == vt.Default || c.Bg == vt.Default {
		t.Errorf("the title is %+v", c)
	}
	if x, y, visible := s.Cursor(); x != 2+len([]rune(keys)) || y != 4 || !visible {
		t.Errorf("the cursor is at %d, %d, visible %v", x, y, visible)
	}
}
