//go:build linux && amd64

package screen_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"strings"
	"sync"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/screen"
)

// page is what a program shows: styles, colours, lines.
const page = "\x1b[2J\x1b[H\x1b[1mbootllama\x1b[m \x1b[2mon the bare machine\x1b[m\r\n" +
	"┌──────────┬─────────╖\r\n│ \x1b[32mgreen\x1b[m    │ \x1b[31;1mred\x1b[m     ║\r\n╘══════════╧═════════╝\r\n" +
	"Ünïcödé, Ελληνικά, Русский, \x1b[4munderlined\x1b[m, \x1b[3mitalic\x1b[m, \x1b[7mreverse\x1b[m\r\n" +
	"\x1b[38;2;255;128;0;48;5;17mtrue colours\x1b[m  国 is two cells\r\n"

// lines are n numbered lines.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of a text that is longer than the screen %s\r\n", i, strings.Repeat("x", i%50))
	}
	return b.String()
}

// TestMachine: what the machine's screen shows is, pixel by pixel, what this package draws of what the program wrote.
func TestMachine(t *testing.T) {
	vmtest.Need(t)
	app, err := efi.Build(t.Context(), efi.Options{Package: "bootllama/screen/internal/show"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, device string
		cores        int
		size         image.Point
		steps        string // of show
	}{
		{"640x480", "VGA,vgamem_mb=64", 2, image.Pt(640, 480),
			"mode=640x480 start page.txt wait lines.txt wait busy wait stop page.txt wait start page.txt wait panic"},
		{"3840x2160", "VGA,vgamem_mb=64", 2, image.Pt(3840, 2160), "mode=3840x2160 start page.txt wait lines.txt wait"},
		{"Blt", "virtio-gpu-pci", 1, image.Pt(1280, 800), "start page.txt wait lines.txt wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := vmtest.New(t, []disk.File{vmtest.Content("SHOW.EFI", app), vmtest.Content("PAGE.TXT", []byte(page)),
				vmtest.Content("LINES.TXT", []byte(lines(200)))}, 0, "SHOW.EFI "+c.steps, "pause")
			written := &output{}
			b.VGA, b.Devices, b.CPUs, b.Stdout = "none", []string{c.device}, c.cores, written
			r, err := b.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if r.Wait(); t.Failed() { // the test's context is over, and so is the machine
					t.Logf("console:\n%s\nstandard error:\n%s", b.Console(), &b.Err)
				}
			})
			s := vmtest.Watch(t, r, screen.Options{})
			enter := func() {
				t.Helper()
				if err := r.Type("\r"); err != nil {
					t.Fatal(err)
				}
			}
			await := func(text, name string) {
				t.Helper()
				if err := r.Await(t.Context(), vm.Stdout, text); err != nil {
					t.Fatal(err)
				}
				for !bytes.HasSuffix(written.bytes(), []byte("\n")) { // the end of the line with this text
					time.Sleep(10 * time.Millisecond)
				}
				p := s.AwaitSame(written.bytes())
				if s.Save(p, name); p.Image.Rect.Max != c.size {
					t.Errorf("the screen has %v pixels, want %v", p.Image.Rect.Max, c.size)
				}
			}
			await("two cells", "page")
			enter()
			await("line 199", "lines")
			enter()
			if strings.Contains(c.steps, "busy") {
				await("rounds with text", "busy")
				enter()
				if err := r.Await(t.Context(), vm.Stdout, "two cells"); err != nil {
					t.Fatal(err)
				}
				firmwareText(t, s, "stopped")
				enter()
				await("two cells", "again")
				enter()
			}
			if err := r.Await(t.Context(), vm.Console, "quit, any other key"); err != nil { // the shell's pause
				t.Fatal(err)
			}
			firmwareText(t, s, "over")
			if err := r.Type("x"); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Wait(); err != nil {
				t.Error(err)
			}
			if strings.Contains(c.steps, "panic") && !strings.Contains(b.Console(), "panic: as it was told") {
				t.Errorf("the console has no panic:\n%s", b.Console())
			}
		})
	}
}

// firmwareText waits until the screen shows text on the firmware's black.
func firmwareText(t *testing.T, s *vmtest.Screen, name string) {
	t.Helper()
	for range 600 {
		p := s.Picture()
		if p.Image.RGBAAt(0, p.Image.Rect.Max.Y-1) == (color.RGBA{0, 0, 0, 255}) && brightest(p.Image) > 128 {
			s.Save(p, name)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s: the firmware's console is not to be seen", name)
}

// brightest returns the highest value of a colour.
func brightest(p *image.RGBA) (most uint8) {
	for i := 0; i < len(p.Pix); i += 4 {
		most = max(most, p.Pix[i], p.Pix[i+1], p.Pix[i+2])
	}
	return most
}

// output is what a machine wrote; it may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text)
}
