// Package pe turns a position-independent Go program for linux/amd64 into a
// PE32+ EFI application: the step between go build and a UEFI boot manager.
//
// The memory image stays what Go's linker made it, address for address. Only
// the container changes, and the RELATIVE relocations become a .reloc section.
//
// Sources: System V ABI and its AMD64 supplement (ELF); Microsoft, "PE Format";
// UEFI specification 2.10, chapter 2.1.1; EDK2's BasePeCoff.c, Microsoft's UEFI
// CA requirements of 2022 and shim's pe-relocate.c for what loaders refuse.
package pe

import (
	"debug/elf"
	coff "debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

const (
	// pageSize is the SectionAlignment: EDK2 protects sections (text read-only,
	// the rest not executable) only if it is a multiple of 4 KiB.
	pageSize = 0x1000
	// fileAlign is the FileAlignment. Authenticode wants the file padded to 8.
	fileAlign = 0x200
	// headersSize is the SizeOfHeaders: the page that the ELF headers took, so
	// that .text keeps its address.
	headersSize = pageSize
	// maxImage leaves room under 4 GiB for .sbat and .reloc, which is no larger
	// than two thirds of .data.
	maxImage = 1 << 31

	imageDOSSignature = 0x5A4D     // "MZ"
	imageNTSignature  = 0x00004550 // "PE\0\0"
	imageNTMagic64    = 0x20B      // PE32+

	// Section contents and rights. None is both executable and writable.
	charText   = coff.IMAGE_SCN_CNT_CODE | coff.IMAGE_SCN_MEM_EXECUTE | coff.IMAGE_SCN_MEM_READ
	charRodata = coff.IMAGE_SCN_CNT_INITIALIZED_DATA | coff.IMAGE_SCN_MEM_READ
	charData   = coff.IMAGE_SCN_CNT_INITIALIZED_DATA | coff.IMAGE_SCN_MEM_READ | coff.IMAGE_SCN_MEM_WRITE
	charReloc  = coff.IMAGE_SCN_CNT_INITIALIZED_DATA | coff.IMAGE_SCN_MEM_DISCARDABLE | coff.IMAGE_SCN_MEM_READ

	// imageRelBasedDir64 adds the distance that the image was moved to 64 bits.
	imageRelBasedDir64 = 10
)

// sbat is the revocation record that shim demands of what it loads (SBAT.md in
// github.com/rhboot/shim): name, generation, vendor, package, version, URL. The
// generation counts security fixes that older images must be revoked for.
const sbat = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n" +
	"bootllama,1,bootllama,bootllama,1,https://bootllama.invalid/\n"

// Options of Convert.
type Options struct {
	// ImageBase is the address that the image asks the firmware for, a multiple
	// of 64 KiB. 0 keeps the ELF's own. EDK2 loads the image there if the memory is
	// free, so a test of relocation uses an address where there is no memory.
	ImageBase uint64
}

// Section kinds, in the order of their addresses.
const (
	text = iota
	rodata
	data
)

var sectionName = [...]string{text: ".text", rodata: ".rodata", data: ".data"}

func kind(s *segment) int {
	switch {
	case s.flags&elf.PF_X != 0:
		return text
	case s.flags&elf.PF_W != 0:
		return data // RELRO too: its relocations are applied by the loader
	}
	return rodata
}

// dosHeader is IMAGE_DOS_HEADER without its DOS fields.
type dosHeader struct {
	Magic  uint16 // e_magic
	_      [58]byte
	Lfanew uint32 // e_lfanew, file offset of the PE signature
}

// baseRelocation is IMAGE_BASE_RELOCATION, the head of a block of .reloc. Its
// 16-bit entries follow: type<<12 | offset in the page.
type baseRelocation struct {
	VirtualAddress uint32 // RVA of the page
	SizeOfBlock    uint32 // bytes, with this head
}

// section is one PE section on its way out.
type section struct {
	name   string
	char   uint32
	rva    uint64
	size   uint64 // VirtualSize
	raw    []byte // contents; the rest up to size is zero
	offset uint64 // PointerToRawData
}

// Convert reads a Go program linked with GOOS=linux GOARCH=amd64
// CGO_ENABLED=0 go build -buildmode=pie (Go 1.26 or newer, stripped or not) and
// returns it as an EFI application. The result depends on the input and
// opt only. An error names the ELF field that cannot be converted.
func Convert(r io.ReaderAt, opt Options) ([]byte, error) {
	p, err := readELF(r)
	if err != nil {
		return nil, err
	}
	base := opt.ImageBase
	if base == 0 {
		base = p.base
	}
	if base%(64<<10) != 0 || base > math.MaxInt64 {
		return nil, fmt.Errorf("image base %#x is not a multiple of 64 KiB below 1<<63", base)
	}
	p.rebase(base)
	sections := p.sections()
	return write(base, p.entry-p.base, sections), nil
}

// rebase stores at each relocation what a loader at base would.
func (p *program) rebase(base uint64) {
	for _, rel := range p.relocs {
		binary.LittleEndian.PutUint64(p.at(rel.Off, 8), uint64(rel.Addend)-p.base+base)
	}
}

// sections lays out the PE sections; RVAs are linked addresses minus p.base.
func (p *program) sections() []section {
	ss := []section{
		text:   {char: charText},
		rodata: {char: charRodata},
		data:   {char: charData},
	}
	for i := range p.segs {
		g := &p.segs[i]
		s := &ss[kind(g)]
		rva, contents := g.vaddr-p.base, g.data
		if rva == 0 {
			rva, contents = headersSize, contents[headersSize:]
		}
		if s.rva == 0 {
			s.name, s.rva = sectionName[kind(g)], rva
		}
		s.raw = append(s.raw, make([]byte, rva-s.rva-uint64(len(s.raw)))...) // up to the page: segments leave no larger gap
		s.raw = append(s.raw, contents...)
		s.size = g.end() - p.base - s.rva
	}
	next := func(name string, char uint32, raw []byte) {
		last := ss[len(ss)-1]
		ss = append(ss, section{name: name, char: char, rva: align(last.rva+last.size, pageSize), size: uint64(len(raw)), raw: raw})
	}
	next(".sbat", charRodata, []byte(sbat))
	next(".reloc", charReloc, p.relocBlocks())
	return ss
}

// relocBlocks is the contents of .reloc: one block for each page with relocations.
func (p *program) relocBlocks() []byte {
	var b []byte
	for rels := p.relocs; len(rels) > 0; {
		page := (rels[0].Off - p.base) &^ (pageSize - 1)
		var entries []uint16
		for len(rels) > 0 && rels[0].Off-p.base-page < pageSize {
			entries = append(entries, uint16(imageRelBasedDir64<<12|(rels[0].Off-p.base-page)))
			rels = rels[1:]
		}
		if len(entries)%2 != 0 {
			entries = append(entries, 0) // IMAGE_REL_BASED_ABSOLUTE: blocks are padded to 32 bits
		}
		b = pack(b, baseRelocation{VirtualAddress: uint32(page), SizeOfBlock: uint32(8 + 2*len(entries))})
		b = pack(b, entries)
	}
	return b
}

// write puts headers and sections into a file.
func write(base, entry uint64, ss []section) []byte {
	size := uint64(headersSize)
	var code, initialized uint64
	for i := range ss {
		s := &ss[i]
		s.offset = size
		n := align(uint64(len(s.raw)), fileAlign)
		size += n
		if s.char&coff.IMAGE_SCN_CNT_CODE != 0 {
			code += n
		} else {
			initialized += n
		}
	}
	last := &ss[len(ss)-1] // .reloc
	imageSize := align(last.rva+last.size, pageSize)
	if size > math.MaxUint32 || imageSize > math.MaxUint32 {
		panic("pe: image larger than maxImage allows")
	}
	opt := coff.OptionalHeader64{
		Magic:                 imageNTMagic64,
		SizeOfCode:            uint32(code),
		SizeOfInitializedData: uint32(initialized),
		AddressOfEntryPoint:   uint32(entry),
		BaseOfCode:            uint32(ss[text].rva),
		ImageBase:             base,
		SectionAlignment:      pageSize,
		FileAlignment:         fileAlign,
		SizeOfImage:           uint32(imageSize),
		SizeOfHeaders:         headersSize,
		Subsystem:             coff.IMAGE_SUBSYSTEM_EFI_APPLICATION,
		DllCharacteristics: coff.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA |
			coff.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | coff.IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
		NumberOfRvaAndSizes: 16,
	}
	// shim wants the directory and the .reloc section's head to say the same.
	opt.DataDirectory[coff.IMAGE_DIRECTORY_ENTRY_BASERELOC] = coff.DataDirectory{
		VirtualAddress: uint32(last.rva), Size: uint32(last.size),
	}
	dos := dosHeader{Magic: imageDOSSignature, Lfanew: uint32(binary.Size(dosHeader{}))}
	file := coff.FileHeader{
		Machine:              coff.IMAGE_FILE_MACHINE_AMD64,
		NumberOfSections:     uint16(len(ss)),
		SizeOfOptionalHeader: uint16(binary.Size(opt)),
		// Not RELOCS_STRIPPED: the firmware may place the image anywhere.
		Characteristics: coff.IMAGE_FILE_EXECUTABLE_IMAGE | coff.IMAGE_FILE_LARGE_ADDRESS_AWARE,
	}
	b := make([]byte, 0, size)
	b = pack(b, dos)
	b = pack(b, uint32(imageNTSignature))
	b = pack(b, file)
	b = pack(b, opt)
	for i := range ss {
		b = pack(b, ss[i].header())
	}
	for i := range ss {
		b = append(b, make([]byte, ss[i].offset-uint64(len(b)))...)
		b = append(b, ss[i].raw...)
	}
	return append(b, make([]byte, size-uint64(len(b)))...)
}

// header is the section's IMAGE_SECTION_HEADER.
func (s *section) header() coff.SectionHeader32 {
	h := coff.SectionHeader32{
		VirtualSize:      uint32(s.size),
		VirtualAddress:   uint32(s.rva),
		SizeOfRawData:    uint32(align(uint64(len(s.raw)), fileAlign)),
		PointerToRawData: uint32(s.offset),
		Characteristics:  s.char,
	}
	copy(h.Name[:], s.name)
	return h
}

// pack appends v in PE's byte order.
func pack(b []byte, v any) []byte {
	b, err := binary.Append(b, binary.LittleEndian, v)
	if err != nil {
		panic("pe: pack: " + err.Error())
	}
	return b
}

// align rounds v up to a multiple of a, a power of two.
func align(v, a uint64) uint64 { return (v + a - 1) &^ (a - 1) }
