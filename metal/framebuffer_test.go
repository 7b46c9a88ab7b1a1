//go:build linux && amd64

package metal_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama/internal/efi"
)

// display is a machine with displays, and what is drawn on it.
type display struct {
	name     string
	vga      string
	devices  []string
	programs []string // arguments of the exercise fb; "cores": the one of that name, on two cores
	size     string   // of the firmware's mode
}

// TestFramebuffer draws on /dev/fb0 of machines with different displays and looks at their screens.
func TestFramebuffer(t *testing.T) {
	for _, d := range []display{
		{"std", "none", []string{"VGA,vgamem_mb=64"}, []string{"cores", "cursor", "text", "edid 3840 2160", "edid 1600 1200", "edid 1601 1200", "edid 800 600", "write", "ioctl", "set 800 600", "panic", "cores"}, "1280x800"},
		{"virtio", "none", []string{"virtio-gpu-pci"}, []string{"text", "write", "ioctl blt", "set 800 600", "panic"}, "1280x800"},
		{"ramfb", "none", []string{"ramfb"}, []string{"map"}, "800x600"},
		{"two", "std", []string{"bochs-display"}, []string{"map"}, "1280x800"},
		{"none", "none", nil, []string{"none"}, ""},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			d.look(t)
		})
	}
}

// look runs the programs on the machine and looks at its screen.
func (d *display) look(t *testing.T) {
	var lines []string
	for _, p := range d.programs {
		switch p {
		case "cores":
			lines = append(lines, "cores 2")
		case "text":
			lines = append(lines, "!cls", "fb text") // the shell's text would not come back
		default:
			lines = append(lines, "fb "+p)
		}
	}
	b := newBench(t, buildKind(t, efi.Options{Entry: "main.monitorEntry"}), 0, lines...)
	b.VGA, b.Devices = d.vga, d.devices
	if slices.Contains(d.programs, "cores") {
		b.CPUs = 2
	}
	m := start(t, b)
	var want []int
	for _, p := range d.programs {
		want = append(want, m.watch(p, d.size))
	}
	m.wait()
	if got := m.run.Statuses(); !slices.Equal(got, want) {
		t.Errorf("exit statuses %v, want %v", got, want)
	}
	checkRestored(t, b.Out.String())
	t.Logf("%s\n%s", &b.Out, &b.Err)
}

// checkRestored checks that the firmware had the same registers, IA32_PAT among them, on each
// core before the first program that drew and after the last.
func checkRestored(t *testing.T, out string) {
	t.Helper()
	all := regexp.MustCompile(`registers of core: \{.*\}`).FindAllString(out, -1)
	half := len(all) / 2
	slices.Sort(all[:half]) // the cores have numbers in the order in which they arrived
	slices.Sort(all[half:])
	if !slices.Equal(all[:half], all[half:]) {
		t.Errorf("before the first program: %q\nbefore the last: %q", all[:half], all[half:])
	}
}

// watch looks at the screen while the exercise runs with an argument, types what it waits for, and
// returns the status that it should end with.
func (m *session) watch(argument, size string) (status int) {
	m.t.Helper()
	if fields := strings.Fields(argument); fields[0] == "set" || fields[0] == "edid" && (fields[1] == "1600" || fields[1] == "3840") {
		size = fields[1] + "x" + fields[2]
	}
	switch argument {
	case "none", "ioctl", "ioctl blt", "cores":
		return 0
	case "cursor":
		m.await("fb: cursor\n")
		m.say("\r")
		return 0
	case "text":
		m.await("fb: text\n")
		before := m.shownText()
		m.say("\r")
		m.checkPicture(size)
		m.say("\r")
		m.await("fb: text again\n")
		checkText(m.t, before, m.screen())
		m.say("\r")
	case "panic":
		status = 2
	}
	m.checkPicture(size)
	ended := len(m.run.Statuses())
	m.say("\r")
	if status != 0 { // what the runtime has said must be seen
		for len(m.run.Statuses()) == ended {
			time.Sleep(50 * time.Millisecond) // for ever if it does not end: the test runs out of time
		}
		checkReadable(m.t, m.screen())
	}
	return status
}

// shownText is a screen on which all text stands that the program has printed. What arrives at the
// debug port is drawn a moment later.
func (m *session) shownText() *image.RGBA {
	m.t.Helper()
	last := m.screen()
	for limit := time.Now().Add(awaitLimit); time.Now().Before(limit); {
		time.Sleep(300 * time.Millisecond)
		next := m.screen()
		if bytes.Equal(last.Pix, next.Pix) && countLight(next) > 500 {
			return next
		}
		last = next
	}
	m.t.Fatal("the screen shows no text, or other text each time")
	return nil
}

// countLight counts the pixels that are not black.
func countLight(screen *image.RGBA) (light int) {
	for i := 0; i < len(screen.Pix); i += 4 {
		if screen.Pix[i]|screen.Pix[i+1]|screen.Pix[i+2] != 0 {
			light++
		}
	}
	return light
}

// checkReadable checks that a screen shows text: few colours, most of it black.
func checkReadable(t *testing.T, screen *image.RGBA) {
	t.Helper()
	colours, light := map[color.RGBA]int{}, countLight(screen)
	for i := 0; i < len(screen.Pix); i += 4 {
		colours[color.RGBA{screen.Pix[i], screen.Pix[i+1], screen.Pix[i+2], 255}]++
	}
	if all := len(screen.Pix) / 4; len(colours) > 16 || light < 1000 || light > all/4 {
		t.Errorf("%d pixels have %d colours, %d are not black: is that text?", all, len(colours), light)
	}
}

// checkText checks that a screen shows the text that it has shown before, or more.
func checkText(t *testing.T, before, after *image.RGBA) {
	t.Helper()
	if before.Bounds() != after.Bounds() {
		t.Errorf("the screen with text has %v pixels, then %v", before.Bounds(), after.Bounds())
		return
	}
	light, lost, more := countLight(before), 0, 0
	for i := 0; i < len(before.Pix); i += 4 {
		if was, is := before.Pix[i]|before.Pix[i+1]|before.Pix[i+2], after.Pix[i]|after.Pix[i+1]|after.Pix[i+2]; was != 0 && is == 0 {
			lost++
		} else if was == 0 && is != 0 {
			more++
		}
	}
	if lost > 8*19 || more > 10*light { // the cursor, as large as a character, may have moved
		t.Errorf("of %d pixels of the text, %d are no longer seen, and %d others are", light, lost, more)
	}
}

var drawn = regexp.MustCompile(`fb: drawn (\d+) (\d+)\n`)

// checkPicture waits until the program has drawn its picture, and compares the screen with it.
func (m *session) checkPicture(size string) {
	m.t.Helper()
	m.await("fb: drawn ")
	m.await("\n")
	all := drawn.FindAllStringSubmatch(m.b.Out.String(), -1)
	last := all[len(all)-1]
	if got := last[1] + "x" + last[2]; size != "" && got != size {
		m.t.Errorf("the framebuffer has %s pixels, want %s", got, size)
	}
	picture := m.screen()
	bounds := picture.Bounds()
	if got := fmt.Sprint(bounds.Dx(), " ", bounds.Dy()); got != last[1]+" "+last[2] {
		m.t.Errorf("the screen has %s pixels, the framebuffer %s", got, last[0])
		return
	}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			want := uint32(x*x+3*y*y+x*y*7+99) * 2654435761 >> 8
			p := picture.RGBAAt(x, y)
			if got := uint32(p.R)<<16 | uint32(p.G)<<8 | uint32(p.B); got != want {
				m.t.Errorf("the pixel at %d, %d is %06x, want %06x", x, y, got, want)
				return
			}
		}
	}
}

// screen is what the machine shows.
func (m *session) screen() *image.RGBA {
	m.t.Helper()
	picture, err := m.run.Screendump()
	if err != nil {
		m.t.Fatal(err)
	}
	m.screens++
	f, err := os.Create(filepath.Join(m.t.ArtifactDir(), fmt.Sprint("screen", m.screens, ".png")))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, picture), f.Close()); err != nil {
		m.t.Fatal(err)
	}
	return picture
}
