package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newKey writes a key, db.key, with its certificate, db.crt, as openssl req does.
func newKey(t *testing.T, dir string) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err1 := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	der, err2 := x509.MarshalPKCS8PrivateKey(key)
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	if err := errors.Join(err1, err2, write("db.key", "PRIVATE KEY", der), write("db.crt", "CERTIFICATE", cert)); err != nil {
		t.Fatal(err)
	}
	return key
}

// TestSigned: image and efi sign the same application in the same way each time, and the key stays where it is.
func TestSigned(t *testing.T) {
	leavesNothing(t)
	dir := t.TempDir()
	t.Chdir(dir)
	key := newKey(t, dir)
	run := func(want string, args ...string) {
		t.Helper()
		if _, stderr, status := invoke(t, "", append(args, "--sign", "db.key", "--cert", "db.crt")...); status != 0 || !strings.Contains(stderr, want) {
			t.Fatalf("%q: status %d, stderr %q, want %q", args, status, stderr, want)
		}
	}
	run("once its setup has enrolled DB.CER", "image", "-o", "first.img")
	run(", LLAMA.TXT, DB.CER\n", "image", "-o", "second.img")
	if _, stderr, status := invoke(t, "", "efi", "-o", "unsigned.efi"); status != 0 {
		t.Fatal(stderr)
	}
	run("wrote BOOTX64.EFI", "efi")
	run("wrote BOOTX64.EFI", "efi") // in the place of its own
	first, err1 := os.ReadFile("first.img")
	second, err2 := os.ReadFile("second.img")
	application, err3 := os.ReadFile("BOOTX64.EFI")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the second image has other bytes")
	}
	for _, secret := range [][]byte{key.Primes[0].Bytes(), key.D.Bytes(), read(t, "db.key")[100:150]} {
		if bytes.Contains(first, secret) {
			t.Error("the key is in the image")
		}
	}
	// A signed program is copied as it is, and not signed again. A file of the user's is not replaced.
	if err := os.WriteFile("db.cer", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := invoke(t, "", "image", "--efi", "BOOTX64.EFI", "-o", "third.img"); status != 0 || strings.Contains(stderr, "DB.CER") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	if _, stderr, status := invoke(t, "", "image", "--efi", "BOOTX64.EFI", "-o", "none", "--sign", "db.key", "--cert", "db.crt"); status != statusFailed ||
		!strings.Contains(stderr, "cannot sign BOOTX64.EFI: it is signed already\n") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	run(", db.cer\n", "image", "--efi", "unsigned.efi", "db.cer", "-o", "fourth.img")
	if _, err := exec.LookPath("mtype"); err != nil {
		t.Skip("SKIPPED: the image is not read back: ", err)
	}
	cert, _ := pem.Decode(read(t, "db.crt"))
	for _, c := range []struct {
		image, name string
		want        []byte
	}{
		{"first.img", "EFI/BOOT/BOOTX64.EFI", application},
		{"first.img", "DB.CER", cert.Bytes},
		{"third.img", "EFI/BOOT/BOOTX64.EFI", application},
		{"fourth.img", "EFI/BOOT/BOOTX64.EFI", application},
		{"fourth.img", "DB.CER", []byte("mine")},
	} {
		if got, err := exec.Command("mtype", "-i", c.image+"@@1M", "::"+c.name).Output(); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s of %s: %d bytes, %v; want %d", c.name, c.image, len(got), err, len(c.want))
		}
	}
}

// read reads a file.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
