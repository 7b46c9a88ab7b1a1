//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/vm"
)

// TestSecureBoot: firmware that enforces Secure Boot starts the application when it is signed with a key that the firmware
// trusts, as README says how, and refuses it when it is not. The key is that of Debian's OVMF for tests.
func TestSecureBoot(t *testing.T) {
	const (
		firmware = "/usr/share/OVMF/OVMF_CODE_4M.snakeoil.fd"
		key      = "/usr/share/ovmf/PkKek-1-snakeoil.key"
		password = "pass:snakeoil"
		cert     = "/usr/share/ovmf/PkKek-1-snakeoil.pem"
	)
	for _, name := range []string{"openssl", "sbsign", "sbverify"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("SKIPPED: no Secure Boot: ", err)
		}
	}
	if err := vm.Check(firmware); err != nil {
		t.Skip("SKIPPED: no Secure Boot: ", err)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	unsigned := build(t)
	application, err := unsigned.Open()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(application); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("BOOTX64.EFI"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"openssl pkey -in " + key + " -passin " + password + " -out " + file("db.key"),
		"sbsign --key " + file("db.key") + " --cert " + cert + " --output " + file("signed.efi") + " " + file("BOOTX64.EFI"),
		"sbverify --cert " + cert + " " + file("signed.efi"),
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	ctx, switchOff := context.WithCancel(t.Context())
	defer switchOff()
	machine := func(name string) (*vm.Running, *bytes.Buffer) {
		t.Helper()
		application, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		image := file(name + ".img")
		if err := disk.Write(t.Context(), image, []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application),
			disk.Content("LLAMA.TXT", []byte("prompt = \"\"\nseed = 10\nsteps = 20\n"))}, disk.Options{}); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		m := vm.Machine{Disk: image, Firmware: firmware, Accel: "tcg", Stdout: &said, Timeout: 10 * time.Minute}
		r, err := m.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return r, &said
	}
	r, said := machine("signed.efi")
	if code, err := r.Wait(); code != 0 || err != nil || !strings.HasPrefix(said.String(), "In a little hut") {
		t.Errorf("signed: status %d, %v, %q", code, err, said)
	}
	r, said = machine("BOOTX64.EFI")
	if err := r.Await(ctx, vm.Console, "Access Denied"); err != nil {
		t.Error("not signed: ", err)
	}
	switchOff()
	r.Wait() // its error is that it was switched off
	if said.Len() > 0 {
		t.Errorf("not signed: %q", said)
	}
}
