// Package sign signs an EFI application, so that a firmware with Secure Boot starts it whose owner trusts the certificate.
//
// What is signed is the hash of the file, and the signature stands in the file behind all else. The same application, key
// and certificates give the same bytes: there is no time in them, and RSA's signatures of PKCS #1 1.5 have no random part.
//
// Sources: Microsoft, "Windows Authenticode Portable Executable Signature Format" 1.0 and "PE Format"; UEFI specification
// 2.10, chapter 32.2 and 32.5.
package sign

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/pe"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sassoftware/relic/v7/lib/pkcs7"
)

// Signer signs with a key. Load makes one.
type Signer struct {
	key          *rsa.PrivateKey
	certificates []*x509.Certificate // first that of the key, then those that it was issued with
}

// Certificate is the key's certificate in DER, as a firmware's setup reads it.
func (s *Signer) Certificate() []byte { return s.certificates[0].Raw }

// Object identifiers of Authenticode.
var (
	spcIndirectData = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	spcSpOpusInfo   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 12}
	spcPEImageData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
	sha256Algorithm = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// indirectData is SpcIndirectDataContent, what is signed: the hash of a PE image.
type indirectData struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value struct { // SpcPeImageData
			Flags asn1.BitString
			File  asn1.RawValue
		}
	}
	MessageDigest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
}

// noFile is the field file of SpcPeImageData: an SpcLink that names a file by an empty BMPString. Nobody reads it, and it must
// be there.
var noFile = []byte{0xA0, 4, 0xA2, 2, 0x80, 0}

// Sign returns a signed copy of an EFI application, a PE32+ file that has no signature yet.
func (s *Signer) Sign(application []byte) ([]byte, error) {
	p, err := parse(application)
	if err != nil {
		return nil, err
	}
	signature, err := s.signature(p.hash())
	if err != nil {
		return nil, err
	}
	return p.with(signature), nil
}

// signature is a SignedData of PKCS #7 with the hash of an image.
func (s *Signer) signature(hash [sha256.Size]byte) ([]byte, error) {
	var content indirectData
	content.Data.Type = spcPEImageData
	content.Data.Value.File.FullBytes = noFile
	content.MessageDigest.Algorithm = pkix.AlgorithmIdentifier{Algorithm: sha256Algorithm, Parameters: asn1.NullRawValue}
	content.MessageDigest.Digest = hash[:]
	b := pkcs7.NewBuilder(s.key, s.certificates, crypto.SHA256)
	// The attribute is mandatory, and what may be in it is the program's name and address.
	if err := errors.Join(b.SetContent(spcIndirectData, content), b.AddAuthenticatedAttribute(spcSpOpusInfo, struct{}{})); err != nil {
		return nil, err
	}
	signed, err := b.Sign()
	if err != nil {
		return nil, err
	}
	return signed.Marshal()
}

// image is a PE32+ file without a signature.
type image struct {
	data []byte // a multiple of 8 bytes long
	// Offsets of the two fields that are not hashed, since they change.
	checkSum, security int
}

// securityDirectory is the index of the data directory that says where signatures are: in the file, not in memory.
const securityDirectory = pe.IMAGE_DIRECTORY_ENTRY_SECURITY

// parse finds its way in an application. Of one that it accepts, the firmware hashes what image.hash does.
func parse(application []byte) (image, error) {
	f, err := pe.NewFile(bytes.NewReader(application))
	if err != nil || !bytes.HasPrefix(application, []byte("MZ")) {
		return image{}, errors.New("not an EFI application")
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok {
		return image{}, errors.New("not an EFI application for 64-bit processors")
	}
	if h.NumberOfRvaAndSizes <= securityDirectory {
		return image{}, errors.New("its header has no room for the place of a signature")
	}
	if h.DataDirectory[securityDirectory] != (pe.DataDirectory{}) {
		return image{}, errors.New("it is signed already")
	}
	// The sections follow each other in the file, so that it is hashed from beginning to end: firmware leaves out gaps.
	sections := slices.Clone(f.Sections)
	slices.SortFunc(sections, func(a, b *pe.Section) int { return cmp.Compare(a.Offset, b.Offset) })
	end := uint64(h.SizeOfHeaders)
	for _, s := range sections {
		if s.Size > 0 && uint64(s.Offset) != end {
			return image{}, fmt.Errorf("section %s begins at %#x in the file, and what is before it ends at %#x", s.Name, s.Offset, end)
		}
		end += uint64(s.Size)
	}
	if end > uint64(len(application)) || len(application) > math.MaxInt32 {
		return image{}, fmt.Errorf("its sections end at %#x, and the file at %#x", end, len(application))
	}
	optional := int(binary.LittleEndian.Uint32(application[0x3C:])) + 4 + binary.Size(f.FileHeader) // behind "PE\0\0"
	directories := optional + binary.Size(*h) - binary.Size(h.DataDirectory)
	return image{
		data:     append(bytes.Clone(application), make([]byte, -len(application)&7)...),
		checkSum: optional + 64,
		security: directories + securityDirectory*binary.Size(pe.DataDirectory{}),
	}, nil
}

// hash is what Authenticode says of an image.
func (p image) hash() (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(p.data[:p.checkSum])
	h.Write(p.data[p.checkSum+4 : p.security])
	h.Write(p.data[p.security+8:])
	h.Sum(sum[:0])
	return sum
}

// with is the file with a signature: a WIN_CERTIFICATE.
func (p image) with(signature []byte) []byte {
	const revision2, typePKCSSignedData = 0x0200, 0x0002
	le := binary.LittleEndian
	b := bytes.Clone(p.data)
	b = le.AppendUint32(b, uint32(8+len(signature))) // dwLength
	b = le.AppendUint16(b, revision2)
	b = le.AppendUint16(b, typePKCSSignedData)
	b = append(b, signature...)
	b = append(b, make([]byte, -len(b)&7)...)
	le.PutUint32(b[p.security:], uint32(len(p.data)))
	le.PutUint32(b[p.security+4:], uint32(len(b)-len(p.data)))
	return b
}
