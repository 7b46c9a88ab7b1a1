package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm"
)

// stopwatch notes when the first of a text came.
type stopwatch struct {
	bytes.Buffer
	mark  string // text that starts the watch; "": started already
	start time.Time
	first time.Time
}

func (s *stopwatch) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if s.first.IsZero() {
		s.first = time.Now()
	}
	if s.mark != "" && s.start.IsZero() && strings.Contains(s.String(), s.mark) {
		s.start = time.Now()
	}
	return n, err
}

// TestBuiltIn: without a model the host tells a tale, its first words within two seconds, and a machine without
// an operating system the same one within 30 s of power-on.
func TestBuiltIn(t *testing.T) {
	host := &stopwatch{start: time.Now()}
	var errs bytes.Buffer
	if status := command(t.Context(), []string{"run", "-s", "1"}, streams{strings.NewReader(""), host, &errs}); status != 0 {
		t.Fatalf("status %d, %q", status, &errs)
	}
	took := host.first.Sub(host.start)
	t.Logf("first words on the host after %v:\n%s", took, host)
	if took > 2*time.Second {
		t.Errorf("first words on the host after %v", took)
	}
	if host.Len() < 100 {
		t.Errorf("no tale: %q", host)
	}

	needQEMU(t)
	said, power := &stopwatch{}, &stopwatch{mark: "booting it in QEMU"}
	status := command(t.Context(), []string{"boot", "-v", "-i", "", "-s", "1"}, streams{strings.NewReader(""), said, power})
	if status != 0 || said.String() != host.String() {
		t.Fatalf("status %d, stdout %q, stderr %q; want %q", status, said, power, host)
	}
	took = said.first.Sub(power.start)
	t.Logf("first words on bare metal after %v", took)
	if power.start.IsZero() || took > 30*time.Second {
		t.Errorf("first words on bare metal %v after power-on", took)
	}
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
	person := &typing{lines: []string{"Once upon a time\r", "/quit\r"}}
	var stderr bytes.Buffer
	m := vm.Machine{Disk: image, Timeout: 5 * time.Minute, Accel: "tcg", Stdout: person, Stderr: &stderr, Keys: person}
	code, err := m.Run(t.Context())
	if err != nil || code != 0 {
		t.Fatalf("status %d, %v, stdout %q, stderr %q", code, err, person.text(), &stderr)
	}
	_, tale, _ := strings.Cut(person.text(), "\n> Once upon a time\n")
	if !strings.HasPrefix(tale, "Once upon a time") || len(tale) < 300 {
		t.Errorf("stdout %q", person.text())
	}
}
