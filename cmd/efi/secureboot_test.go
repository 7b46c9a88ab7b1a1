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
	"bootllama/internal/efi"
	"bootllama/internal/sign"
	"bootllama/internal/vm"
)

// TestSecureBoot: firmware that enforces Secure Boot starts the application when it is signed with a key that the firmware
// trusts, and refuses it when it is not, or when a bit of it has changed. The key is that of Debian's OVMF for tests.
func TestSecureBoot(t *testing.T) {
	const firmware = "/usr/share/OVMF/OVMF_CODE_4M.snakeoil.fd"
	signer := snakeoil(t)
	if signer == nil {
		t.Skip("SKIPPED: no Secure Boot: OpenSSL, or the key of Debian's OVMF for tests, is not here")
	}
	if err := vm.Check(firmware); err != nil {
		t.Skip("SKIPPED: no Secure Boot: ", err)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	unsigned, err := efi.Build(t.Context(), efi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(unsigned)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(signed)
	changed[len(unsigned)/2] ^= 1
	image := func(name string, application []byte) string {
		t.Helper()
		if err := disk.Write(t.Context(), file(name), []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application),
			disk.Content("LLAMA.TXT", []byte("prompt = \"\"\nseed = 10\nsteps = 20\n"))}, disk.Options{}); err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	machine := vm.Machine{Firmware: firmware, Accel: "tcg", Timeout: 10 * time.Minute}
	var said bytes.Buffer
	machine.Disk, machine.Stdout = image("signed.img", signed), &said
	if code, err := machine.Run(t.Context()); code != 0 || err != nil || !strings.HasPrefix(said.String(), "In a little hut") {
		t.Errorf("signed: status %d, %v, %q", code, err, said.String())
	}
	said.Reset()
	ctx, switchOff := context.WithCancel(t.Context())
	defer switchOff()
	machine.Disk, machine.Second = image("unsigned.img", unsigned), image("changed.img", changed)
	r, err := machine.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, disk := range []string{"Sata(0x0,0xFFFF,0x0): Access Denied", "Sata(0x1,0xFFFF,0x0): Access Denied"} {
		if err := r.Await(ctx, vm.Console, disk); err != nil {
			t.Errorf("not refused: %s: %v", disk, err)
		}
	}
	switchOff()
	r.Wait() // its error is that it was switched off
	if said.Len() > 0 {
		t.Errorf("not signed: %q", said.String())
	}
}

// snakeoil signs with the key that Debian's OVMF for tests trusts; nil where that is not here.
func snakeoil(t *testing.T) *sign.Signer {
	t.Helper()
	const key, cert = "/usr/share/ovmf/PkKek-1-snakeoil.key", "/usr/share/ovmf/PkKek-1-snakeoil.pem"
	if _, err := os.Stat(key); err != nil {
		return nil
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		return nil
	}
	plain := filepath.Join(t.TempDir(), "db.key")
	if out, err := exec.Command("openssl", "pkey", "-in", key, "-passin", "pass:snakeoil", "-out", plain).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	signer, err := sign.Load(plain, cert)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
