//go:build linux && amd64

package metal_test

import (
	"fmt"
	"image"
	"regexp"
	"strings"
	"testing"
)

// TestFramebuffer draws on /dev/fb0 of machines with different displays and looks at their screens.
func TestFramebuffer(t *testing.T) {
	for _, c := range []struct {
		name     string
		vga      string
		devices  []string
		programs []string // arguments of the exercise
		size     string   // of the first, as the machine prints it; "": as the firmware has it
	}{
		{"std", "std", nil, []string{"map", "write", "ioctl"}, ""},
		{"virtio", "none", []string{"virtio-gpu-pci"}, []string{"map", "write", "ioctl"}, ""},
		{"none", "none", nil, []string{"none"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for _, p := range c.programs {
				lines = append(lines, "fb "+p)
			}
			b := newBench(t, application(t, 0), 0, lines...)
			b.VGA, b.Devices = c.vga, c.devices
			m := start(t, b)
			for i, p := range c.programs {
				if p == "none" || p == "ioctl" {
					continue
				}
				w, h := m.awaitPicture(i)
				checkPicture(t, m.screen(), w, h)
				m.say("\r")
			}
			m.wait()
			if got := m.run.Statuses(); len(got) != len(c.programs) || strings.Trim(fmt.Sprint(got), "[0 ]") != "" {
				t.Errorf("exit statuses %v\n%s\n%s", got, &b.Out, &b.Err)
			}
		})
	}
}

var drawn = regexp.MustCompile(`fb: drawn (\d+) (\d+)\n`)

// awaitPicture waits until the n-th program has drawn the picture, and returns its size.
func (m *session) awaitPicture(n int) (width, height int) {
	m.t.Helper()
	m.await("fb: drawn ")
	m.await("\n")
	all := drawn.FindAllStringSubmatch(m.b.Out.String(), -1)
	fmt.Sscan(all[n][1]+" "+all[n][2], &width, &height)
	return width, height
}

// screen is what the machine shows.
func (m *session) screen() image.Image {
	m.t.Helper()
	picture, err := m.run.Screenshot()
	if err != nil {
		m.t.Fatal(err)
	}
	return picture
}

// checkPicture compares a screen with what the exercise draws.
func checkPicture(t *testing.T, picture image.Image, width, height int) {
	t.Helper()
	if size := picture.Bounds().Size(); size.X != width || size.Y != height {
		t.Errorf("the screen has %v pixels, the framebuffer %dx%d", size, width, height)
		return
	}
	for y := range height {
		for x := range width {
			want := uint32(x*x+3*y*y+x*y*7+99) * 2654435761 >> 8
			r, g, b, _ := picture.At(x, y).RGBA()
			if got := r>>8<<16 | g>>8<<8 | b>>8; got != want {
				t.Errorf("the pixel at %d, %d is %06x, want %06x", x, y, got, want)
				return
			}
		}
	}
}
