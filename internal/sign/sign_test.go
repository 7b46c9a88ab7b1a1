package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/pe"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/efi"
)

// newKey makes an RSA key.
func newKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certify makes the certificate of a key: of its own, or by another key's.
func certify(t *testing.T, name string, key crypto.Signer, issuer *x509.Certificate, by crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Unix(1<<33, 0), BasicConstraintsValid: true, IsCA: issuer == nil}
	if issuer == nil {
		issuer, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pkcs8 is a key in DER.
func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// text is DER as PEM.
func text(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// write writes files into the current folder.
func write(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// application is one that this project's linker makes.
func application(t *testing.T) []byte {
	t.Helper()
	b, err := efi.Build(t.Context(), efi.Options{Dir: filepath.Join("..", "efi", "testdata", "tiny")})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSign: the same bytes from all forms of the same key and certificate, and another program believes the signature.
func TestSign(t *testing.T) {
	app := application(t)
	t.Chdir(t.TempDir())
	key, authority := newKey(t, 2048), newKey(t, 2048)
	root := certify(t, "authority", authority, nil, nil)
	cert := certify(t, "mine", key, root, authority)
	pemCert, pemRoot := text("CERTIFICATE", cert.Raw), text("CERTIFICATE", root.Raw)
	write(t, map[string][]byte{
		"key.pem": append([]byte("Bag Attributes\n"), text("PRIVATE KEY", pkcs8(t, key))...), "key.der": pkcs8(t, key),
		"rsa.pem": text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "rsa.der": x509.MarshalPKCS1PrivateKey(key),
		"cert.pem": pemCert, "cert.der": cert.Raw, "chain.pem": append(bytes.Clone(pemCert), pemRoot...), "niahc.pem": append(pemRoot, pemCert...),
	})
	signed := func(key, cert string, app []byte) []byte {
		t.Helper()
		s, err := Load(key, cert)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := x509.ParseCertificate(s.Certificate()); err != nil || c.Subject.CommonName != "mine" {
			t.Errorf("%s, %s: certificate of %v, %v", key, cert, c, err)
		}
		b, err := s.Sign(app)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := signed("key.pem", "cert.pem", app)
	for _, k := range []string{"key.pem", "key.der", "rsa.pem", "rsa.der"} {
		if !bytes.Equal(signed(k, "cert.der", app), want) {
			t.Errorf("%s: another signature", k)
		}
	}
	chain := signed("key.pem", "chain.pem", app)
	if !bytes.Equal(signed("key.pem", "niahc.pem", app), chain) || !bytes.Contains(chain, root.Raw) || bytes.Contains(want, root.Raw) {
		t.Error("the certificates of a chain are not in the signature, or in their file's order")
	}
	if signingTime := []byte{6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 5}; bytes.Contains(want, signingTime) {
		t.Error("the signature has a time")
	}
	if bytes.Contains(want, key.Primes[0].Bytes()) {
		t.Error("the key is in the application")
	}
	checkFile(t, app, want)
	verify(t, "cert.pem", app, want)
	odd := append(bytes.Clone(app), "odd"...)
	want = signed("key.pem", "cert.pem", odd)
	checkFile(t, odd, want)
	verify(t, "cert.pem", odd, want)
}

// checkFile checks that a signature stands behind the application, at a multiple of 8 bytes, where the header says.
func checkFile(t *testing.T, app, signed []byte) {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(signed))
	if err != nil {
		t.Fatal(err)
	}
	d := f.OptionalHeader.(*pe.OptionalHeader64).DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY]
	if int(d.VirtualAddress) != (len(app)+7)/8*8 || int(d.VirtualAddress+d.Size) != len(signed) || len(signed)%8 != 0 {
		t.Errorf("signature of %d bytes at %d: the application has %d, signed %d", d.Size, d.VirtualAddress, len(app), len(signed))
	}
	different := 0
	for i, b := range app {
		if b != signed[i] {
			different++
		}
	}
	if different > 8 {
		t.Errorf("%d bytes of the application have changed", different)
	}
}

// verify lets sbverify say that the application is signed, and that one is not in which any bit is changed.
func verify(t *testing.T, certificate string, app, signed []byte) {
	t.Helper()
	if _, err := exec.LookPath("sbverify"); err != nil {
		t.Skip("SKIPPED: no other program checks the signature: ", err)
	}
	check := func(b []byte) error {
		write(t, map[string][]byte{"checked.efi": b})
		out, err := exec.Command("sbverify", "--cert", certificate, "checked.efi").CombinedOutput()
		if err != nil {
			err = errors.Join(err, errors.New(string(out)))
		}
		return err
	}
	if err := check(signed); err != nil {
		t.Error(err)
	}
	if check(app) == nil {
		t.Error("sbverify takes an application without a signature")
	}
	for _, at := range []int{0x02, 0x800, len(app) / 2, len(app) - 8, len(signed) - 64} {
		changed := bytes.Clone(signed)
		changed[at] ^= 0x10
		if check(changed) == nil {
			t.Errorf("sbverify takes an application that is changed at %#x of %#x", at, len(app))
		}
	}
}

// TestRefused: what cannot be signed so that firmware sees what was hashed.
func TestRefused(t *testing.T) {
	app := application(t)
	key := newKey(t, 2048)
	s := &Signer{key, []*x509.Certificate{certify(t, "mine", key, nil, nil)}}
	signed, err := s.Sign(app)
	if err != nil {
		t.Fatal(err)
	}
	header := int(binary.LittleEndian.Uint32(app[0x3C:]))
	change := func(at int, value uint32) []byte {
		b := bytes.Clone(app)
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
	noRoom := change(header+24+108, 4)
	binary.LittleEndian.PutUint16(noRoom[header+4+16:], 112+4*8) // SizeOfOptionalHeader
	for _, c := range []struct {
		app  []byte
		want string
	}{
		{signed, "it is signed already"},
		{nil, "not an EFI application"},
		{[]byte(strings.Repeat("text", 1000)), "not an EFI application"},
		{app[header:], "not an EFI application"}, // an object file has no DOS header
		{change(header+24, 0x10B), "not an EFI application"},
		{noRoom, "no room for the place of a signature"},
		{app[:len(app)-0x200], "its sections end at"},
		{change(header+24+60, 0x1200), "section .text begins at 0x1000 in the file, and what is before it ends at 0x1200"},
	} {
		if b, err := s.Sign(c.app); b != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d bytes, error %v, want %q", len(b), err, c.want)
		}
	}
}

// TestLoad: files that are no key, no certificate or not of each other; each error is one line with the file.
func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	key, other := newKey(t, 2048), newKey(t, 2048)
	cert := certify(t, "mine", key, nil, nil)
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err2 := ed25519.GenerateKey(rand.Reader)
	short, err3 := rsa.GenerateKey(rand.Reader, 1024)
	encrypted, err4 := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}, []byte("secret")})
	ecDER, err5 := x509.MarshalECPrivateKey(ec)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	old := pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("secret"), Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}}
	write(t, map[string][]byte{
		"key": pkcs8(t, key), "cert": cert.Raw, "other": pkcs8(t, other), "empty": nil, "text": []byte("text\n"), "large": make([]byte, maxFile+1),
		"encrypted.pem": text("ENCRYPTED PRIVATE KEY", encrypted), "encrypted.der": encrypted, "old.pem": pem.EncodeToMemory(&old),
		"ec.pem": text("EC PRIVATE KEY", ecDER), "ec.der": ecDER, "ec8.der": pkcs8(t, ec), "ed.der": pkcs8(t, ed), "short.der": pkcs8(t, short),
		"damaged.pem": text("PRIVATE KEY", pkcs8(t, key)[:100]), "cert.pem": text("CERTIFICATE", cert.Raw), "half.pem": text("CERTIFICATE", cert.Raw[:100]),
	})
	const encryptedKey, wrongKey, noKey, noCert = ": it is encrypted; openssl pkey", ": firmware is sure to take an RSA key of 2048 bits or more, and this is another: openssl req -newkey rsa:2048 ", ": there is no private key in it", ": there is none in it"
	for _, c := range []struct{ key, cert, want string }{
		{"absent", "cert", "open absent: no such file"},
		{"key", "absent", "open absent: no such file"},
		{".", "cert", "read .: is a directory"},
		{"other", "cert", "the key other does not fit the certificate cert"},
		{"encrypted.pem", "cert", "key encrypted.pem" + encryptedKey},
		{"encrypted.der", "cert", "key encrypted.der" + encryptedKey},
		{"old.pem", "cert", "key old.pem" + encryptedKey},
		{"ec.pem", "cert", "key ec.pem" + wrongKey},
		{"ec.der", "cert", "key ec.der" + wrongKey},
		{"ec8.der", "cert", "key ec8.der" + wrongKey},
		{"ed.der", "cert", "key ed.der" + wrongKey},
		{"short.der", "cert", "key short.der" + wrongKey},
		{"damaged.pem", "cert", "key damaged.pem" + noKey},
		{"empty", "cert", "key empty" + noKey},
		{"text", "cert", "key text" + noKey},
		{"cert", "key", "key cert" + noKey},
		{"cert.pem", "key", "key cert.pem" + noKey},
		{"key", "key", "certificate key" + noCert},
		{"key", "empty", "certificate empty" + noCert},
		{"key", "text", "certificate text" + noCert},
		{"key", "half.pem", "certificate half.pem" + noCert},
		{"large", "cert", "large: neither a key nor a certificate has more than"},
		{"key", "large", "large: neither a key nor a certificate has more than"},
	} {
		if s, err := Load(c.key, c.cert); s != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s, %s: error %v, want %q", c.key, c.cert, err, c.want)
		}
	}
}

// FuzzSign: no file, whatever is in it, does anything but be refused or signed.
func FuzzSign(f *testing.F) {
	header := make([]byte, 0x200)
	copy(header, "MZ")
	header[0x3C] = 0x40
	copy(header[0x40:], "PE\x00\x00\x64\x86\x00\x00")
	header[0x54] = 240
	copy(header[0x58:], "\x0B\x02")
	binary.LittleEndian.PutUint32(header[0x58+60:], 0x200)
	header[0x58+108] = 16
	f.Add(header)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			return
		}
		signed := p.with([]byte("signature"))
		if _, err := parse(signed); err == nil || p.hash() == [32]byte{} {
			t.Error("a signed file is not taken for one")
		}
	})
}
