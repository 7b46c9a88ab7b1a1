package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/cputime"
	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm"
)

// firstWords is an output that notes how much processor time had been used when the first text came.
type firstWords struct {
	bytes.Buffer
	used  func() (time.Duration, error)
	after time.Duration
	err   error
}

func (f *firstWords) Write(p []byte) (int, error) {
	if f.Len() == 0 {
		f.after, f.err = f.used()
	}
	return f.Buffer.Write(p)
}

// within checks that the first words came within so much processor time.
func (f *firstWords) within(t *testing.T, limit time.Duration) {
	t.Helper()
	if errors.Is(f.err, errors.ErrUnsupported) {
		return
	}
	t.Logf("first words after %v of processor time", f.after)
	if f.err != nil || f.after <= 0 || f.after > limit {
		t.Errorf("first words after %v of processor time, %v; want at most %v", f.after, f.err, limit)
	}
}

// TestBuiltIn: without a model the host tells a tale, its first words within two seconds of processor time, and a
// machine without an operating system the same one within 30 s of QEMU's, of all its threads, from power-on.
func TestBuiltIn(t *testing.T) {
	begin, _ := cputime.Self()
	host := &firstWords{used: func() (time.Duration, error) {
		now, err := cputime.Self()
		return now - begin, err
	}}
	var errs bytes.Buffer
	if status := command(t.Context(), []string{"run", "-s", "1"}, streams{strings.NewReader(""), host, &errs}); status != 0 {
		t.Fatalf("status %d, %q", status, &errs)
	}
	host.within(t, 2*time.Second)
	if host.Len() < 100 {
		t.Errorf("no tale: %q", host)
	}

	needQEMU(t)
	metal := &firstWords{used: func() (time.Duration, error) { return cputime.QEMU(os.Getenv("TMPDIR")) }}
	errs.Reset()
	status := command(t.Context(), []string{"boot", "-v", "-i", "", "-s", "1"}, streams{strings.NewReader(""), metal, &errs})
	if status != 0 || metal.String() != host.String() {
		t.Fatalf("status %d, stdout %q, stderr %q; want %q", status, metal, &errs, host)
	}
	metal.within(t, 30*time.Second)
}

// TestApplicationAlone boots a volume that has BOOTX64.EFI and nothing else: it asks how a tale begins.
func TestApplicationAlone(t *testing.T) {
	needQEMU(t)
	application, err := efi.Build(t.Context(), efi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := disk.Write(t.Context(), image, []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application)}, disk.Options{}); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	m := vm.Machine{Disk: image, Timeout: 10 * time.Minute, Accel: "tcg", Stdout: &stdout, Stderr: &stderr}
	r, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ shows, keys string }{{"/help", "Once upon a time\r"}, {" tok/s", "/quit\r"}} {
		if err := errors.Join(r.Await(t.Context(), vm.Stdout, step.shows), r.Type(step.keys)); err != nil {
			t.Fatal(err)
		}
	}
	if code, err := r.Wait(); err != nil || code != 0 {
		t.Fatalf("status %d, %v, stdout %q, stderr %q", code, err, &stdout, &stderr)
	}
	_, tale, _ := strings.Cut(stdout.String(), "Once upon a time") // what was typed
	if !strings.Contains(tale, "Once upon a time") || len(tale) < 300 {
		t.Errorf("stdout %q", &stdout)
	}
}
