//go:build linux && amd64

package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/screen"
)

// TestScreenshot takes README's picture, the screen of a machine on which somebody talks with the built-in model:
//
//	BOOTLLAMA_SCREENSHOT=$PWD/docs/screen.png go test -run TestScreenshot ./cmd/efi
func TestScreenshot(t *testing.T) {
	name := os.Getenv("BOOTLLAMA_SCREENSHOT")
	if name == "" {
		t.Skip("SKIPPED: it takes README's picture; BOOTLLAMA_SCREENSHOT names its file")
	}
	application, err := efi.Build(t.Context(), efi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "disk.img")
	files := []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application), disk.Content("LLAMA.TXT", []byte("seed = 10\n"))}
	if err := disk.Write(t.Context(), image, files, disk.Options{}); err != nil {
		t.Fatal(err)
	}
	m := vm.Machine{Disk: image, CPUs: 2, VGA: "none", Devices: []string{"VGA,xres=1024,yres=600"}, Person: true, Timeout: 10 * time.Minute}
	r, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := vmtest.Watch(t, r, screen.Options{})
	for _, step := range []struct{ keys, shows string }{
		{"In a little hut", " tok/s "},
		{"/set temperature 0.5", "temperature is 0.5"},
		{"/save tale", "Saved as tale.txt"},
	} {
		s.Await("/help")
		if err := r.Type(step.keys + "\r"); err != nil {
			t.Fatal(err)
		}
		s.Await(step.shows)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, s.Picture().Image); err != nil {
		t.Fatal(err)
	}
	if err := file.Write(name, b.Bytes()); err != nil {
		t.Error(err)
	}
	if err := r.Type("/off\r"); err != nil {
		t.Fatal(err)
	}
	r.Wait() // a machine that was switched off has no exit status
}
