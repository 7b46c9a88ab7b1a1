package sign

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFile is more than the file of a key or of certificates has.
const maxFile = 1 << 20

// leastBits is the length of an RSA key that all firmware takes (UEFI specification 2.10, chapter 32.4.1, names it); shorter
// ones are too weak. OVMF of 2022.11 refuses what sbsign has signed with an EC key, and takes RSA of 4096 bits.
const leastBits = 2048

// Load reads a private key, and its certificate with those, if any, that lead to an authority's, in any order. Each file
// is PEM or DER.
func Load(key, certificate string) (*Signer, error) {
	k, err := loadKey(key)
	if err != nil {
		return nil, err
	}
	list, err := loadCertificates(certificate)
	if err != nil {
		return nil, err
	}
	own := slices.IndexFunc(list, func(c *x509.Certificate) bool { return k.PublicKey.Equal(c.PublicKey) })
	if own < 0 {
		return nil, fmt.Errorf("the key %s does not fit the certificate %s, which is of another key", key, certificate)
	}
	list[0], list[own] = list[own], list[0]
	return &Signer{k, list}, nil
}

// loadKey reads a private key that firmware knows how to check.
func loadKey(name string) (*rsa.PrivateKey, error) {
	b, err := read(name)
	if err != nil {
		return nil, err
	}
	parsed, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	k, ok := parsed.(*rsa.PrivateKey)
	if !ok || k.N.BitLen() < leastBits {
		return nil, fmt.Errorf("key %s: firmware is sure to take an RSA key of %d bits or more, and this is another: openssl req -newkey rsa:%[2]d makes one", name, leastBits)
	}
	return k, nil
}

// errEncrypted says what to do with a key that a password protects.
var errEncrypted = errors.New("it is encrypted; openssl pkey -in KEY -out PLAIN writes one that is not")

// parseKey reads the first private key of a PEM file, or that of a DER file.
func parseKey(b []byte) (any, error) {
	der := b
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Headers["DEK-Info"] != "" {
			return nil, errEncrypted
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			der = block.Bytes
			break
		}
	}
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	var encrypted struct { // EncryptedPrivateKeyInfo of PKCS #8
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &encrypted); err == nil && len(rest) == 0 {
		return nil, errEncrypted
	}
	return nil, errors.New("there is no private key in it, in PEM or DER")
}

// loadCertificates reads all certificates of a PEM or DER file: one at least.
func loadCertificates(name string) ([]*x509.Certificate, error) {
	b, err := read(name)
	if err != nil {
		return nil, err
	}
	var der []byte
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			der = append(der, block.Bytes...)
		}
	}
	if der == nil {
		der = b
	}
	list, err := x509.ParseCertificates(der)
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("certificate %s: there is none in it, in PEM or DER", name)
	}
	return list, nil
}

// read reads a small file.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // an error of a file that is read changes nothing
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: neither a key nor a certificate has more than %d bytes", name, maxFile)
	}
	return b, err
}
