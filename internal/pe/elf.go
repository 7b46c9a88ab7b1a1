package pe

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// Sizes of the ELF-64 structures, from the System V ABI.
const (
	ehdrSize = 64
	phdrSize = 56
	dynSize  = 16
	symSize  = 24
	relaSize = 24
)

// maxProgs bounds e_phnum. Go's linker writes 11 program headers.
const maxProgs = 64

// interpreter is what Go's internal linker names in PT_INTERP of every
// linux/amd64 PIE, also of one that imports nothing. No firmware reads it.
const interpreter = "/lib64/ld-linux-x86-64.so.2\x00"

// program is what an EFI image needs of an ELF file: its memory image as
// linked, and the places in it that hold addresses.
type program struct {
	base   uint64    // lowest linked address, that of the ELF header
	entry  uint64    // e_entry, a linked address
	segs   []segment // PT_LOADs by address; .text, .rodata, .data in this order, no gap between pages
	relocs []elf.Rela64
}

// segment is one PT_LOAD.
type segment struct {
	index int // in the program header table, for messages
	flags elf.ProgFlag
	off   uint64 // in the file
	vaddr uint64
	memsz uint64
	data  []byte // p_filesz bytes
}

func (s *segment) end() uint64 { return s.vaddr + s.memsz }

// readELF reads and checks a Go linux/amd64 PIE. The file is not trusted: no
// length in it is used before it is held against the file or against 32 bits.
func readELF(r io.ReaderAt) (*program, error) {
	h, progs, err := readHeaders(r)
	if err != nil {
		return nil, err
	}
	p := &program{entry: h.Entry}
	var dynamic *segment
	for i, ph := range progs {
		switch elf.ProgType(ph.Type) {
		case elf.PT_LOAD:
			s, err := readSegment(r, i, ph)
			if err != nil {
				return nil, err
			}
			p.segs = append(p.segs, *s)
		case elf.PT_DYNAMIC:
			if dynamic != nil {
				return nil, fmt.Errorf("ELF program header %d: second PT_DYNAMIC", i)
			}
			dynamic = &segment{index: i, vaddr: ph.Vaddr, memsz: ph.Memsz}
		case elf.PT_INTERP:
			if err := checkInterp(r, i, ph); err != nil {
				return nil, err
			}
		case elf.PT_TLS:
			// Go keeps one word there, g at FS:-8, and metal provides it.
			if ph.Memsz > 8 || ph.Filesz != 0 {
				return nil, fmt.Errorf("ELF program header %d: PT_TLS has p_memsz %d, p_filesz %d; only Go's 8 bytes without contents are known here",
					i, ph.Memsz, ph.Filesz)
			}
		}
	}
	if err := p.checkLayout(); err != nil {
		return nil, err
	}
	if dynamic == nil {
		return nil, fmt.Errorf("ELF: no PT_DYNAMIC: not linked with -buildmode=pie")
	}
	return p, p.readDynamic(dynamic)
}

// readHeaders reads the ELF header and the program header table.
func readHeaders(r io.ReaderAt) (*elf.Header64, []elf.Prog64, error) {
	b, err := readAt(r, 0, ehdrSize, "ELF header")
	if err != nil {
		return nil, nil, err
	}
	if !bytes.HasPrefix(b, []byte(elf.ELFMAG)) {
		return nil, nil, fmt.Errorf("not an ELF file: starts with % x", b[:4])
	}
	if c, d := elf.Class(b[elf.EI_CLASS]), elf.Data(b[elf.EI_DATA]); c != elf.ELFCLASS64 || d != elf.ELFDATA2LSB {
		return nil, nil, fmt.Errorf("ELF header: %v %v, want %v %v", c, d, elf.ELFCLASS64, elf.ELFDATA2LSB)
	}
	var h elf.Header64
	unpack(b, &h)
	if m := elf.Machine(h.Machine); m != elf.EM_X86_64 {
		return nil, nil, fmt.Errorf("ELF header: e_machine is %v, want %v (GOARCH=amd64)", m, elf.EM_X86_64)
	}
	if t := elf.Type(h.Type); t != elf.ET_DYN {
		return nil, nil, fmt.Errorf("ELF header: e_type is %v, want %v (go build -buildmode=pie)", t, elf.ET_DYN)
	}
	if h.Phentsize != phdrSize || h.Phnum == 0 || h.Phnum > maxProgs {
		return nil, nil, fmt.Errorf("ELF header: e_phnum %d of e_phentsize %d, want 1 to %d of %d",
			h.Phnum, h.Phentsize, maxProgs, phdrSize)
	}
	progs := make([]elf.Prog64, h.Phnum)
	b, err = readAt(r, h.Phoff, uint64(h.Phnum)*phdrSize, "program header table")
	if err != nil {
		return nil, nil, err
	}
	unpack(b, progs)
	return &h, progs, nil
}

func readSegment(r io.ReaderAt, i int, ph elf.Prog64) (*segment, error) {
	where := fmt.Sprintf("ELF program header %d (PT_LOAD)", i)
	flags := elf.ProgFlag(ph.Flags)
	switch {
	case ph.Vaddr%pageSize != 0:
		return nil, fmt.Errorf("%s: p_vaddr %#x is not page aligned", where, ph.Vaddr)
	case ph.Filesz > ph.Memsz:
		return nil, fmt.Errorf("%s: p_filesz %#x is larger than p_memsz %#x", where, ph.Filesz, ph.Memsz)
	case ph.Memsz == 0 || ph.Memsz > math.MaxUint32 || ph.Vaddr > math.MaxInt64:
		return nil, fmt.Errorf("%s: p_vaddr %#x, p_memsz %#x is outside what 32 bits of an image hold", where, ph.Vaddr, ph.Memsz)
	case flags&elf.PF_X != 0 && flags&elf.PF_W != 0:
		return nil, fmt.Errorf("%s: writable and executable; Secure Boot loaders refuse such a section", where)
	case flags&elf.PF_R == 0:
		return nil, fmt.Errorf("%s: not readable (flags %v)", where, flags)
	}
	data, err := readAt(r, ph.Off, ph.Filesz, where)
	if err != nil {
		return nil, err
	}
	return &segment{index: i, flags: flags, off: ph.Off, vaddr: ph.Vaddr, memsz: ph.Memsz, data: data}, nil
}

func checkInterp(r io.ReaderAt, i int, ph elf.Prog64) error {
	if ph.Filesz == uint64(len(interpreter)) {
		b, err := readAt(r, ph.Off, ph.Filesz, "PT_INTERP")
		if err != nil {
			return err
		}
		if string(b) == interpreter {
			return nil
		}
	}
	return fmt.Errorf("ELF program header %d: PT_INTERP is not the %q of a Go PIE", i, interpreter[:len(interpreter)-1])
}

// checkLayout holds the PT_LOADs against what Go's linker makes: the ELF header
// and the text, read-only data, then RELRO and data; pages without a gap.
func (p *program) checkLayout() error {
	slices.SortFunc(p.segs, func(a, b segment) int { return cmp.Compare(a.vaddr, b.vaddr) })
	if len(p.segs) == 0 {
		return fmt.Errorf("ELF: no PT_LOAD")
	}
	p.base = p.segs[0].vaddr
	for i := range p.segs {
		s := &p.segs[i]
		where := fmt.Sprintf("ELF program header %d (PT_LOAD at %#x)", s.index, s.vaddr)
		if i > 0 {
			last := &p.segs[i-1]
			if s.vaddr < last.end() {
				return fmt.Errorf("%s: overlaps program header %d, which ends at %#x", where, last.index, last.end())
			}
			if want := align(last.end(), pageSize); s.vaddr != want {
				return fmt.Errorf("%s: does not follow program header %d, want p_vaddr %#x", where, last.index, want)
			}
			if s.off < last.off+uint64(len(last.data)) {
				return fmt.Errorf("%s: p_offset %#x overlaps program header %d in the file", where, s.off, last.index)
			}
			if kind(s) < kind(last) {
				return fmt.Errorf("%s: %s after %s; want %s, %s, %s by address", where,
					sectionName[kind(s)], sectionName[kind(last)], sectionName[text], sectionName[rodata], sectionName[data])
			}
		}
		if i < len(p.segs)-1 && uint64(len(s.data)) != s.memsz {
			return fmt.Errorf("%s: p_filesz %#x is not p_memsz %#x; only the last may have bss", where, len(s.data), s.memsz)
		}
		if s.end()-p.base > maxImage {
			return fmt.Errorf("%s: ends %#x after the image base, more than %#x", where, s.end()-p.base, uint64(maxImage))
		}
	}
	for k := range sectionName {
		if !slices.ContainsFunc(p.segs, func(s segment) bool { return kind(&s) == k }) {
			return fmt.Errorf("ELF: no PT_LOAD for %s", sectionName[k])
		}
	}
	// The first page holds the ELF headers and notes; the PE headers take its place.
	first := &p.segs[0]
	if len(first.data) <= pageSize || !bytes.HasPrefix(first.data, []byte(elf.ELFMAG)) {
		return fmt.Errorf("ELF program header %d (PT_LOAD at %#x): the first segment does not start with the ELF header's page", first.index, first.vaddr)
	}
	if p.entry < p.base+pageSize || p.entry >= p.textEnd() {
		return fmt.Errorf("ELF header: e_entry %#x is outside .text (%#x to %#x)", p.entry, p.base+pageSize, p.textEnd())
	}
	return nil
}

// textEnd is the linked address after the last byte of .text.
func (p *program) textEnd() uint64 {
	end := uint64(0)
	for i := range p.segs {
		if kind(&p.segs[i]) == text {
			end = p.segs[i].end()
		}
	}
	return end
}

// end is the linked address after the last byte of memory.
func (p *program) end() uint64 { return p.segs[len(p.segs)-1].end() }

// at returns n bytes of file contents at a linked address, nil if they do not
// lie in one segment.
func (p *program) at(vaddr, n uint64) []byte {
	for i := range p.segs {
		s := &p.segs[i]
		if vaddr >= s.vaddr && vaddr-s.vaddr <= uint64(len(s.data)) {
			if off := vaddr - s.vaddr; n <= uint64(len(s.data))-off {
				return s.data[off : off+n]
			}
		}
	}
	return nil
}

// readDynamic reads the relocations that PT_DYNAMIC names and refuses whatever
// would need a dynamic linker.
func (p *program) readDynamic(d *segment) error {
	b := p.at(d.vaddr, d.memsz)
	if b == nil || len(b)%dynSize != 0 {
		return fmt.Errorf("ELF program header %d (PT_DYNAMIC): %#x bytes at %#x are not a table inside a segment", d.index, d.memsz, d.vaddr)
	}
	dyn := make([]elf.Dyn64, len(b)/dynSize)
	unpack(b, dyn)
	val := make(map[elf.DynTag]uint64)
	for i, e := range dyn {
		tag := elf.DynTag(e.Tag)
		if tag == elf.DT_NULL {
			break
		}
		if _, ok := val[tag]; ok {
			return fmt.Errorf("ELF dynamic entry %d: second %v", i, tag)
		}
		val[tag] = e.Val
		switch tag {
		case elf.DT_RELA, elf.DT_RELASZ, elf.DT_RELAENT, elf.DT_HASH, elf.DT_SYMTAB, elf.DT_SYMENT:
		case elf.DT_STRTAB, elf.DT_STRSZ, elf.DT_PLTGOT, elf.DT_DEBUG, elf.DT_FLAGS_1, elf.DT_RELACOUNT:
		case elf.DT_NEEDED:
			return fmt.Errorf("ELF dynamic entry %d: DT_NEEDED: the program needs a shared library; build with CGO_ENABLED=0", i)
		default:
			return fmt.Errorf("ELF dynamic entry %d: %v (value %#x) is not known here; Go's PIE has none", i, tag, e.Val)
		}
	}
	if err := p.checkSymbols(val); err != nil {
		return err
	}
	if val[elf.DT_RELAENT] != relaSize || val[elf.DT_RELASZ] == 0 {
		return fmt.Errorf("ELF: no relocations (DT_RELASZ %d of DT_RELAENT %d): not linked with -buildmode=pie", val[elf.DT_RELASZ], val[elf.DT_RELAENT])
	}
	return p.readRelocs(val[elf.DT_RELA], val[elf.DT_RELASZ])
}

// checkSymbols refuses dynamic symbols that another file would have to define.
// DT_HASH's second word, nchain, is the number of symbols (System V ABI, "Hash Table").
func (p *program) checkSymbols(val map[elf.DynTag]uint64) error {
	symtab, ok := val[elf.DT_SYMTAB]
	if !ok {
		return nil
	}
	hash := p.at(val[elf.DT_HASH], 8)
	if hash == nil || val[elf.DT_SYMENT] != symSize {
		return fmt.Errorf("ELF: DT_SYMTAB without a DT_HASH that tells its length, or DT_SYMENT is not %d", symSize)
	}
	n := uint64(binary.LittleEndian.Uint32(hash[4:]))
	b := p.at(symtab, n*symSize)
	if b == nil {
		return fmt.Errorf("ELF: %d dynamic symbols at %#x are not inside a segment", n, symtab)
	}
	for i := uint64(1); i < n; i++ { // symbol 0 is the undefined one that every table starts with
		var s elf.Sym64
		unpack(b[i*symSize:][:symSize], &s)
		if elf.SectionIndex(s.Shndx) == elf.SHN_UNDEF {
			return fmt.Errorf("ELF dynamic symbol %d (name at %#x of DT_STRTAB): undefined; nothing can be imported", i, s.Name)
		}
	}
	return nil
}

// readRelocs reads the RELA table at a linked address: all must be
// R_X86_64_RELATIVE (base + addend), in .data, and not on top of one another.
func (p *program) readRelocs(vaddr, size uint64) error {
	b := p.at(vaddr, size)
	if b == nil || size%relaSize != 0 {
		return fmt.Errorf("ELF: DT_RELA %#x, DT_RELASZ %#x is not a table inside a segment", vaddr, size)
	}
	p.relocs = make([]elf.Rela64, size/relaSize)
	unpack(b, p.relocs)
	for i, rel := range p.relocs {
		where := fmt.Sprintf("ELF relocation %d (r_offset %#x)", i, rel.Off)
		if t := elf.R_X86_64(elf.R_TYPE64(rel.Info)); t != elf.R_X86_64_RELATIVE || elf.R_SYM64(rel.Info) != 0 {
			return fmt.Errorf("%s: %v with symbol %d; an EFI loader knows R_X86_64_RELATIVE only", where, t, elf.R_SYM64(rel.Info))
		}
		if !p.inData(rel.Off, 8) {
			return fmt.Errorf("%s: not in the initialised part of .data", where)
		}
		// An address just past the end is legal: runtime.end is one.
		if a := uint64(rel.Addend); a < p.base || a > p.end() {
			return fmt.Errorf("%s: addend %#x is outside the image (%#x to %#x)", where, a, p.base, p.end())
		}
	}
	slices.SortFunc(p.relocs, func(a, b elf.Rela64) int { return cmp.Compare(a.Off, b.Off) })
	for i := 1; i < len(p.relocs); i++ {
		if p.relocs[i].Off-p.relocs[i-1].Off < 8 {
			return fmt.Errorf("ELF relocations at %#x and %#x overlap", p.relocs[i-1].Off, p.relocs[i].Off)
		}
	}
	return nil
}

// inData reports whether n bytes at a linked address are contents of one
// segment of .data.
func (p *program) inData(vaddr, n uint64) bool {
	for i := range p.segs {
		s := &p.segs[i]
		if kind(s) == data && vaddr >= s.vaddr && vaddr < s.vaddr+uint64(len(s.data)) {
			return n <= s.vaddr+uint64(len(s.data))-vaddr
		}
	}
	return false
}

// readAt reads n bytes at off. It asks for memory as the bytes come, so a large
// n in a small file costs no more than the file.
func readAt(r io.ReaderAt, off, n uint64, what string) ([]byte, error) {
	if off > math.MaxInt64 || n > math.MaxInt64-off {
		return nil, fmt.Errorf("%s: %#x bytes at file offset %#x overflow 63 bits", what, n, off)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, int64(off), int64(n)))
	if err != nil {
		return nil, fmt.Errorf("%s: reading %#x bytes at file offset %#x: %w", what, n, off, err)
	}
	if uint64(len(b)) != n {
		return nil, fmt.Errorf("%s: truncated: %#x bytes wanted at file offset %#x, %#x are there", what, n, off, len(b))
	}
	return b, nil
}

// unpack decodes b, which is exactly as long as v, a pointer to or slice of
// fixed-size structs.
func unpack(b []byte, v any) {
	if n, err := binary.Decode(b, binary.LittleEndian, v); err != nil || n != len(b) {
		panic(fmt.Sprintf("pe: unpack %T from %d bytes: %d, %v", v, len(b), n, err))
	}
}
