package pe

import (
	"bytes"
	"debug/elf"
	coff "debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bootllama/internal/heap"
)

// toolchains are the Go releases whose ELF files are converted here.
var toolchains = []string{"go1.26.8", "go1.27.4"}

// program is a Go program with everything that Go puts in a PIE: types,
// interfaces, pointers in data and read-only data, thread-local g, bss.
const goProgram = `package main

import (
	"fmt"
	"os"
)

type shape interface{ area() float64 }
type square struct{ side float64 }

func (s square) area() float64 { return s.side * s.side }

var shapes = map[string]shape{"square": square{2}}
var big [1 << 20]byte

func main() {
	for n, s := range shapes {
		fmt.Fprintln(os.Stderr, n, s.area(), big[len(os.Args):][0], os.Args)
	}
}
`

var built struct {
	sync.Mutex
	elf map[string][]byte
}

// goELF is goProgram built by a toolchain, stripped or not. Without the
// toolchain the test is skipped.
func goELF(t testing.TB, toolchain string, stripped bool) []byte {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	key := toolchain
	if stripped {
		key += " stripped"
	}
	if b, ok := built.elf[key]; ok {
		return b
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module x\ngo 1.26\n", "main.go": goProgram} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	flags := "-ldflags="
	if stripped {
		flags = "-ldflags=-s -w"
	}
	env := append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN="+toolchain)
	c := exec.Command("go", "version")
	c.Env = env
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no toolchain %s here: %v\n%s", toolchain, err, out)
	}
	c = exec.Command("go", "build", "-buildmode=pie", "-trimpath", "-buildvcs=false", flags, "-o", "p", ".")
	c.Dir, c.Env = dir, env
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "p"))
	if err != nil {
		t.Fatal(err)
	}
	if built.elf == nil {
		built.elf = make(map[string][]byte)
	}
	built.elf[key] = b
	return b
}

// forEachELF runs f on the ELF of every toolchain, stripped and not.
func forEachELF(t *testing.T, f func(t *testing.T, b []byte)) {
	for _, toolchain := range toolchains {
		for _, stripped := range []bool{true, false} {
			name := toolchain
			if stripped {
				name += "/stripped"
			}
			t.Run(name, func(t *testing.T) { f(t, goELF(t, toolchain, stripped)) })
		}
	}
}

func convert(t testing.TB, b []byte, opt Options) []byte {
	t.Helper()
	out, err := Convert(bytes.NewReader(b), opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var le = binary.LittleEndian

// TestHeaders reads the headers back at the offsets that the PE format gives
// (Microsoft, "PE Format"), not with the structs that wrote them.
func TestHeaders(t *testing.T) {
	forEachELF(t, func(t *testing.T, b []byte) {
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		out := convert(t, b, Options{})
		const pe = 0x40
		const opt = pe + 4 + 20
		const dirs = opt + 112
		const sections = dirs + 16*8
		reloc := out[sections+4*40:]
		for _, c := range []struct {
			name      string
			off, size int
			want      uint64
		}{
			{"e_magic", 0, 2, 0x5a4d},
			{"e_lfanew", 0x3c, 4, pe},
			{"Signature", pe, 4, 0x4550},
			{"Machine", pe + 4, 2, 0x8664},
			{"NumberOfSections", pe + 6, 2, 5},
			{"TimeDateStamp", pe + 8, 4, 0},
			{"PointerToSymbolTable", pe + 12, 4, 0},
			{"NumberOfSymbols", pe + 16, 4, 0},
			{"SizeOfOptionalHeader", pe + 20, 2, 240},
			{"Characteristics", pe + 22, 2, 0x22},
			{"Magic", opt, 2, 0x20b},
			{"AddressOfEntryPoint", opt + 16, 4, f.Entry - 0x400000},
			{"BaseOfCode", opt + 20, 4, 0x1000},
			{"ImageBase", opt + 24, 8, 0x400000},
			{"SectionAlignment", opt + 32, 4, 0x1000},
			{"FileAlignment", opt + 36, 4, 0x200},
			{"SizeOfHeaders", opt + 60, 4, 0x1000},
			{"CheckSum", opt + 64, 4, 0},
			{"Subsystem", opt + 68, 2, 10},
			{"DllCharacteristics", opt + 70, 2, 0x160},
			{"LoaderFlags", opt + 104, 4, 0},
			{"NumberOfRvaAndSizes", opt + 108, 4, 16},
			{"directory 4 (certificates)", dirs + 4*8, 8, 0},
			{"directory 5 address", dirs + 5*8, 4, uint64(le.Uint32(reloc[12:]))},
			{"directory 5 size", dirs + 5*8 + 4, 4, uint64(le.Uint32(reloc[8:]))},
		} {
			var v [8]byte
			copy(v[:], out[c.off:c.off+c.size])
			if got := le.Uint64(v[:]); got != c.want {
				t.Errorf("%s at %#x: %#x, want %#x", c.name, c.off, got, c.want)
			}
		}
		if len(out)%8 != 0 {
			t.Errorf("file of %d bytes is not padded to 8", len(out))
		}
	})
}

// TestSections reads the file with debug/pe and holds it against what EDK2's
// loader, Microsoft's UEFI CA and shim refuse.
func TestSections(t *testing.T) {
	forEachELF(t, func(t *testing.T, b []byte) {
		out := convert(t, b, Options{})
		f, err := coff.NewFile(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		h := f.OptionalHeader.(*coff.OptionalHeader64)
		want := []struct {
			name string
			char uint32
		}{{".text", 0x60000020}, {".rodata", 0x40000040}, {".data", 0xC0000040}, {".sbat", 0x40000040}, {".reloc", 0x42000040}}
		if len(f.Sections) != len(want) {
			t.Fatalf("%d sections, want %d", len(f.Sections), len(want))
		}
		rva, offset, entries := uint32(0x1000), uint32(0x1000), 0
		var code, initialized uint32
		for i, s := range f.Sections {
			if s.Name != want[i].name || s.Characteristics != want[i].char {
				t.Errorf("section %d: %s %#x, want %s %#x", i, s.Name, s.Characteristics, want[i].name, want[i].char)
			}
			const wx = coff.IMAGE_SCN_MEM_WRITE | coff.IMAGE_SCN_MEM_EXECUTE
			if s.Characteristics&wx == wx {
				t.Errorf("%s is writable and executable", s.Name)
			}
			if s.VirtualAddress != rva || rva%h.SectionAlignment != 0 {
				t.Errorf("%s: VirtualAddress %#x, want %#x", s.Name, s.VirtualAddress, rva)
			}
			if s.Offset != offset || s.Offset%h.FileAlignment != 0 || s.Size%h.FileAlignment != 0 {
				t.Errorf("%s: PointerToRawData %#x, SizeOfRawData %#x, want the former %#x and both aligned", s.Name, s.Offset, s.Size, offset)
			}
			if s.VirtualSize == 0 || s.NumberOfRelocations != 0 || s.NumberOfLineNumbers != 0 {
				t.Errorf("%s: %+v", s.Name, s.SectionHeader)
			}
			if e := h.AddressOfEntryPoint; e >= s.VirtualAddress && e < s.VirtualAddress+s.VirtualSize {
				entries++
				if s.Name != ".text" {
					t.Errorf("entry point in %s", s.Name)
				}
			}
			rva = s.VirtualAddress + (s.VirtualSize+0xfff)&^0xfff
			offset += s.Size
			if s.Characteristics&coff.IMAGE_SCN_CNT_CODE != 0 {
				code += s.Size
			} else {
				initialized += s.Size
			}
		}
		if entries != 1 {
			t.Errorf("%d sections hold the entry point, want 1", entries)
		}
		if h.SizeOfImage != rva || int(offset) != len(out) {
			t.Errorf("SizeOfImage %#x, want %#x; file %#x bytes, sections end at %#x", h.SizeOfImage, rva, len(out), offset)
		}
		if h.SizeOfCode != code || h.SizeOfInitializedData != initialized {
			t.Errorf("SizeOfCode %#x, SizeOfInitializedData %#x, want %#x, %#x", h.SizeOfCode, h.SizeOfInitializedData, code, initialized)
		}
		if d := f.Section(".data"); d.VirtualSize < d.Size+1<<20 {
			t.Errorf(".data: VirtualSize %#x, SizeOfRawData %#x: bss takes room in the file", d.VirtualSize, d.Size)
		}
		checkSBAT(t, f)
	})
}

// checkSBAT parses .sbat as shim does: lines of six comma-separated fields, the
// second a positive number, the first line about the format itself.
func checkSBAT(t *testing.T, f *coff.File) {
	s := f.Section(".sbat")
	b, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	b = b[:s.VirtualSize]
	if !bytes.HasSuffix(b, []byte("\n")) {
		t.Errorf(".sbat does not end with a newline: %q", b)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		field := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		if len(field) != 6 || slices.Contains(field, "") || field[1] != "1" {
			t.Errorf(".sbat line %q: want six fields, the generation 1", line)
		}
		names = append(names, field[0])
	}
	if !slices.Equal(names, []string{"sbat", "bootllama"}) {
		t.Errorf(".sbat components %q", names)
	}
}

// TestRelocation loads the EFI application as firmware does, at several bases,
// and the ELF as the kernel and ld.so do: the memory must be the same.
func TestRelocation(t *testing.T) {
	forEachELF(t, func(t *testing.T, b []byte) {
		for _, opt := range []Options{{}, {ImageBase: 0x10_0000_0000}} {
			out := convert(t, b, opt)
			preferred := opt.ImageBase
			if preferred == 0 {
				preferred = 0x400000
			}
			for _, base := range []uint64{preferred, 0x7db3_0000, 0x1000, 0xffff_8000_0000_0000} {
				got, want := loadPE(t, out, base), loadELF(t, b, base)
				if len(got) < len(want) {
					t.Fatalf("base %#x: PE image of %#x bytes, ELF image of %#x", base, len(got), len(want))
				}
				// The headers' page differs.
				for i := 0x1000; i < len(want); i++ {
					if got[i] != want[i] {
						t.Fatalf("ImageBase %#x loaded at %#x: byte at RVA %#x is %#x, the ELF has %#x", preferred, base, i, got[i], want[i])
					}
				}
			}
		}
	})
}

// loadPE maps the sections of an EFI application at base and relocates it, with
// the checks of EDK2's PeCoffLoaderRelocateImage.
func loadPE(t *testing.T, file []byte, base uint64) []byte {
	f, err := coff.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	h := f.OptionalHeader.(*coff.OptionalHeader64)
	m := make([]byte, h.SizeOfImage)
	copy(m, file[:h.SizeOfHeaders])
	for _, s := range f.Sections {
		b, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		copy(m[s.VirtualAddress:s.VirtualAddress+s.VirtualSize], b)
	}
	data := f.Section(".data")
	dir := h.DataDirectory[coff.IMAGE_DIRECTORY_ENTRY_BASERELOC]
	blocks := m[dir.VirtualAddress:][:dir.Size]
	last := int64(-1)
	for len(blocks) > 0 {
		page, size := le.Uint32(blocks), le.Uint32(blocks[4:])
		if page%0x1000 != 0 || size < 12 || size%4 != 0 || int(size) > len(blocks) || int64(page) <= last {
			t.Fatalf(".reloc block of page %#x (last %#x), size %#x of %#x", page, last, size, len(blocks))
		}
		last = int64(page)
		for e := blocks[8:size]; len(e) > 0; e = e[2:] {
			v := le.Uint16(e)
			switch v >> 12 {
			case 0:
				if len(e) != 2 {
					t.Fatalf(".reloc padding in the middle of the block of page %#x", page)
				}
			case 10:
				at := page + uint32(v&0xfff)
				if at < data.VirtualAddress || at+8 > data.VirtualAddress+data.Size {
					t.Fatalf("relocation at %#x is outside .data", at)
				}
				le.PutUint64(m[at:], le.Uint64(m[at:])+base-h.ImageBase)
			default:
				t.Fatalf("relocation type %d", v>>12)
			}
		}
		blocks = blocks[size:]
	}
	return m
}

// loadELF maps the PT_LOADs at base and applies the RELA sections: S 6.4 of the
// AMD64 ABI supplement, R_X86_64_RELATIVE is B + A with B the load bias.
func loadELF(t *testing.T, file []byte, base uint64) []byte {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	low, high := ^uint64(0), uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			low, high = min(low, p.Vaddr), max(high, p.Vaddr+p.Memsz)
		}
	}
	m := make([]byte, high-low)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			copy(m[p.Vaddr-low:], file[p.Off:p.Off+p.Filesz])
		}
	}
	n := 0
	for _, s := range f.Sections {
		if s.Type != elf.SHT_RELA {
			continue
		}
		for r := file[s.Offset : s.Offset+s.FileSize]; len(r) > 0; r = r[24:] {
			if le.Uint64(r[8:]) != uint64(elf.R_X86_64_RELATIVE) {
				t.Fatalf("relocation info %#x", le.Uint64(r[8:]))
			}
			le.PutUint64(m[le.Uint64(r)-low:], base-low+le.Uint64(r[16:]))
			n++
		}
	}
	if n < 1000 {
		t.Fatalf("only %d relocations: the test proves little", n)
	}
	return m
}

func TestReproducible(t *testing.T) {
	b := goELF(t, toolchains[0], true)
	if !bytes.Equal(convert(t, b, Options{}), convert(t, b, Options{})) {
		t.Error("two conversions of the same file differ")
	}
}

func TestImageBase(t *testing.T) {
	b := goELF(t, toolchains[0], true)
	for _, base := range []uint64{0x401000, 0x100008000, 1 << 63} {
		if _, err := Convert(bytes.NewReader(b), Options{ImageBase: base}); err == nil || !strings.Contains(err.Error(), "image base") {
			t.Errorf("image base %#x: error %v", base, err)
		}
	}
}

// TestSign signs with a throw-away key and verifies, as a user with own Secure
// Boot keys does.
func TestSign(t *testing.T) {
	for _, tool := range []string{"osslsigncode", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: signing is not tested: %v", err)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	file := convert(t, goELF(t, toolchains[0], true), Options{})
	if err := os.WriteFile(filepath.Join(dir, "a.efi"), file, 0o666); err != nil {
		t.Fatal(err)
	}
	run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.key", "-out", "c.pem", "-days", "2", "-subj", "/CN=bootllama test")
	run("osslsigncode", "sign", "-certs", "c.pem", "-key", "k.key", "-h", "sha256", "-in", "a.efi", "-out", "b.efi")
	out := run("osslsigncode", "verify", "-CAfile", "c.pem", "b.efi")
	if !strings.Contains(out, "Signature verification: ok") {
		t.Errorf("osslsigncode verify:\n%s", out)
	}
	signed, err := os.ReadFile(filepath.Join(dir, "b.efi"))
	if err != nil {
		t.Fatal(err)
	}
	const checksum, certificates = 0x40 + 4 + 20 + 64, 0x40 + 4 + 20 + 112 + 4*8
	if at := le.Uint32(signed[certificates:]); int(at) != len(file) {
		t.Errorf("certificate table at %#x, want it right after the file's %#x bytes", at, len(file))
	}
	clear(signed[checksum:][:4])
	clear(signed[certificates:][:8])
	if !bytes.Equal(signed[:len(file)], file) {
		t.Error("signing changed more than the checksum and the certificate directory")
	}
	// One bit of the text changed after signing must be noticed.
	signed, _ = os.ReadFile(filepath.Join(dir, "b.efi"))
	signed[0x2000] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "bad.efi"), signed, 0o666); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("osslsigncode", "verify", "-CAfile", "c.pem", "bad.efi")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err == nil {
		t.Errorf("osslsigncode verified a changed file:\n%s", out)
	}
}

// elfEditor changes fields of an ELF file by their offsets in the System V ABI.
type elfEditor struct {
	t *testing.T
	b []byte
}

func (e *elfEditor) u16(off int, v uint16)    { le.PutUint16(e.b[off:], v) }
func (e *elfEditor) u32(off uint64, v uint32) { le.PutUint32(e.b[off:], v) }
func (e *elfEditor) u64(off uint64, v uint64) { le.PutUint64(e.b[off:], v) }
func (e *elfEditor) get(off uint64) uint64    { return le.Uint64(e.b[off:]) }

// prog is the file offset of the n-th program header of a type.
func (e *elfEditor) prog(typ elf.ProgType, n int) uint64 {
	for i := uint64(0); i < uint64(le.Uint16(e.b[56:])); i++ {
		if off := 64 + i*56; elf.ProgType(le.Uint32(e.b[off:])) == typ {
			if n == 0 {
				return off
			}
			n--
		}
	}
	e.t.Fatalf("no %v", typ)
	return 0
}

// dyn is the file offset of a dynamic entry.
func (e *elfEditor) dyn(tag elf.DynTag) uint64 {
	for off := e.get(e.prog(elf.PT_DYNAMIC, 0) + 8); ; off += 16 {
		if elf.DynTag(e.get(off)) == tag {
			return off
		}
		if e.get(off) == 0 {
			e.t.Fatalf("no %v", tag)
		}
	}
}

// rela is the file offset of the n-th relocation. (Linked addresses are file
// offsets plus 0x400000 in Go's PIE.)
func (e *elfEditor) rela(n uint64) uint64 { return e.get(e.dyn(elf.DT_RELA)+8) - 0x400000 + n*24 }

// Program header fields.
const (
	pType, pFlags, pOffset, pVaddr, pFilesz, pMemsz = 0, 4, 8, 16, 32, 40
)

func TestReject(t *testing.T) {
	good := goELF(t, toolchains[0], true)
	for _, c := range []struct {
		name string
		edit func(e *elfEditor)
		want string
	}{
		{"empty", func(e *elfEditor) { e.b = nil }, "truncated"},
		{"not ELF", func(e *elfEditor) { e.b[0] = 'M' }, "not an ELF file: starts with 4d 45 4c 46"},
		{"32-bit", func(e *elfEditor) { e.b[4] = 1 }, "ELFCLASS32"},
		{"big endian", func(e *elfEditor) { e.b[5] = 2 }, "ELFDATA2MSB"},
		{"arm64", func(e *elfEditor) { e.u16(18, 183) }, "e_machine is EM_AARCH64"},
		{"not PIE", func(e *elfEditor) { e.u16(16, 2) }, "e_type is ET_EXEC"},
		{"no program headers", func(e *elfEditor) { e.u16(56, 0) }, "e_phnum 0"},
		{"65535 program headers", func(e *elfEditor) { e.u16(56, 65535) }, "e_phnum 65535"},
		{"phoff past the end", func(e *elfEditor) { e.u64(32, 1<<40) }, "program header table: truncated"},
		{"phoff overflow", func(e *elfEditor) { e.u64(32, 1<<63) }, "overflow"},
		{"entry in the header", func(e *elfEditor) { e.u64(24, 0x400fff) }, "e_entry 0x400fff is outside .text"},
		{"entry zero", func(e *elfEditor) { e.u64(24, 0) }, "e_entry 0x0 is outside .text"},
		{"entry in rodata", func(e *elfEditor) { e.u64(24, e.get(e.prog(elf.PT_LOAD, 1)+pVaddr)) }, "outside .text"},
		{"truncated text", func(e *elfEditor) { e.b = e.b[:0x3000] }, "program header 3 (PT_LOAD): truncated"},
		{"truncated data", func(e *elfEditor) {
			p := e.prog(elf.PT_LOAD, 3)
			e.b = e.b[:e.get(p+pOffset)+e.get(p+pFilesz)-1]
		}, "PT_LOAD): truncated"},
		{"filesz huge", func(e *elfEditor) {
			e.u64(e.prog(elf.PT_LOAD, 3)+pFilesz, 1<<31)
			e.u64(e.prog(elf.PT_LOAD, 3)+pMemsz, 1<<31)
		}, "truncated"},
		{"filesz over memsz", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 1)+pMemsz, 16) }, "larger than p_memsz"},
		{"memsz over 32 bits", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 3)+pMemsz, 1<<32) }, "32 bits"},
		{"memsz over 2 GiB", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 3)+pMemsz, 1<<31) }, "more than 0x80000000"},
		{"vaddr wraps", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 3)+pVaddr, 1<<64-0x1000) }, "32 bits"},
		{"vaddr unaligned", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 1)+pVaddr, 0x4b5010) }, "not page aligned"},
		{"overlap", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 1)+pVaddr, 0x402000) }, "overlaps"},
		{"gap", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 3)+pVaddr, 0x4000_0000) }, "does not follow"},
		{"overlap in the file", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 1)+pOffset, 0x1000) }, "overlaps program header 3 in the file"},
		{"bss in the middle", func(e *elfEditor) { p := e.prog(elf.PT_LOAD, 2); e.u64(p+pFilesz, e.get(p+pMemsz)-8) }, "only the last may have bss"},
		{"writable text", func(e *elfEditor) { e.u32(e.prog(elf.PT_LOAD, 0)+pFlags, 7) }, "writable and executable"},
		{"unreadable", func(e *elfEditor) { e.u32(e.prog(elf.PT_LOAD, 1)+pFlags, 0) }, "not readable"},
		{"text after data", func(e *elfEditor) { e.u32(e.prog(elf.PT_LOAD, 3)+pFlags, 5) }, ".text after .data"},
		{"no rodata", func(e *elfEditor) { e.u32(e.prog(elf.PT_LOAD, 1)+pFlags, 6) }, "no PT_LOAD for .rodata"},
		{"no segments", func(e *elfEditor) {
			for range 4 {
				e.u32(e.prog(elf.PT_LOAD, 0)+pType, uint32(elf.PT_NOTE))
			}
		}, "no PT_LOAD"},
		{"header page not mapped", func(e *elfEditor) { e.u64(e.prog(elf.PT_LOAD, 0)+pOffset, 0x40) }, "does not start with the ELF header"},
		{"no dynamic", func(e *elfEditor) { e.u32(e.prog(elf.PT_DYNAMIC, 0)+pType, uint32(elf.PT_NOTE)) }, "no PT_DYNAMIC"},
		{"dynamic outside", func(e *elfEditor) { e.u64(e.prog(elf.PT_DYNAMIC, 0)+pVaddr, 0x1000) }, "PT_DYNAMIC"},
		{"two dynamic", func(e *elfEditor) { e.u32(e.prog(elf.PT_NOTE, 0)+pType, uint32(elf.PT_DYNAMIC)) }, "second PT_DYNAMIC"},
		{"interpreter", func(e *elfEditor) { e.b[e.get(e.prog(elf.PT_INTERP, 0)+pOffset)+3] = 'x' }, "PT_INTERP is not"},
		{"TLS of 16", func(e *elfEditor) { e.u64(e.prog(elf.PT_TLS, 0)+pMemsz, 16) }, "PT_TLS has p_memsz 16"},
		{"TLS with contents", func(e *elfEditor) { e.u64(e.prog(elf.PT_TLS, 0)+pFilesz, 8) }, "PT_TLS"},
		{"needs a library", func(e *elfEditor) { e.u64(e.dyn(elf.DT_DEBUG), uint64(elf.DT_NEEDED)) }, "DT_NEEDED"},
		{"PLT relocations", func(e *elfEditor) { e.u64(e.dyn(elf.DT_DEBUG), uint64(elf.DT_JMPREL)) }, "DT_JMPREL"},
		{"packed relocations", func(e *elfEditor) { e.u64(e.dyn(elf.DT_DEBUG), 36) }, "not known here"},
		{"text relocations", func(e *elfEditor) { e.u64(e.dyn(elf.DT_DEBUG), uint64(elf.DT_TEXTREL)) }, "DT_TEXTREL"},
		{"two DT_RELA", func(e *elfEditor) { e.u64(e.dyn(elf.DT_DEBUG), uint64(elf.DT_RELA)) }, "second DT_RELA"},
		{"no relocations", func(e *elfEditor) { e.u64(e.dyn(elf.DT_RELASZ)+8, 0) }, "no relocations"},
		{"RELA outside", func(e *elfEditor) { e.u64(e.dyn(elf.DT_RELA)+8, 1<<62) }, "not a table inside a segment"},
		{"RELASZ huge", func(e *elfEditor) { e.u64(e.dyn(elf.DT_RELASZ)+8, ^uint64(23)) }, "not a table inside a segment"},
		{"RELASZ odd", func(e *elfEditor) { e.u64(e.dyn(elf.DT_RELASZ)+8, 25) }, "not a table inside a segment"},
		{"relocation type", func(e *elfEditor) { e.u64(e.rela(7)+8, uint64(elf.R_X86_64_64)) }, "relocation 7 (r_offset 0x"},
		{"relocation symbol", func(e *elfEditor) { e.u64(e.rela(7)+8, 1<<32|uint64(elf.R_X86_64_RELATIVE)) }, "symbol 1"},
		{"relocation in text", func(e *elfEditor) { e.u64(e.rela(0), 0x401000) }, "r_offset 0x401000): not in the initialised part of .data"},
		{"relocation in rodata", func(e *elfEditor) { e.u64(e.rela(0), e.get(e.prog(elf.PT_LOAD, 1)+pVaddr)) }, "not in the initialised part of .data"},
		{"relocation in bss", func(e *elfEditor) { p := e.prog(elf.PT_LOAD, 3); e.u64(e.rela(0), e.get(p+pVaddr)+e.get(p+pFilesz)-4) }, "not in the initialised part of .data"},
		{"relocation outside", func(e *elfEditor) { e.u64(e.rela(0), ^uint64(3)) }, "not in the initialised part of .data"},
		{"addend outside", func(e *elfEditor) { e.u64(e.rela(0)+16, 0x3fffff) }, "addend 0x3fffff is outside the image"},
		{"relocations overlap", func(e *elfEditor) { e.u64(e.rela(0), e.get(e.rela(1))+4) }, "overlap"},
		{"same relocation twice", func(e *elfEditor) { e.u64(e.rela(0), e.get(e.rela(1))) }, "overlap"},
		{"undefined symbol", func(e *elfEditor) {
			e.u32(e.get(e.dyn(elf.DT_HASH)+8)-0x400000+4, 2)
			clear(e.b[e.get(e.dyn(elf.DT_SYMTAB)+8)-0x400000+24:][:24])
		}, "inside a segment"},
		{"many symbols", func(e *elfEditor) { e.u32(e.get(e.dyn(elf.DT_HASH)+8)-0x400000+4, ^uint32(0)) }, "4294967295 dynamic symbols"},
		{"no hash", func(e *elfEditor) { e.u64(e.dyn(elf.DT_HASH)+8, 0) }, "DT_HASH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &elfEditor{t, bytes.Clone(good)}
			c.edit(e)
			out, err := Convert(bytes.NewReader(e.b), Options{})
			if err == nil || out != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestRejectImport: a symbol table in front of others, so that it has room.
func TestRejectImport(t *testing.T) {
	e := &elfEditor{t, bytes.Clone(goELF(t, toolchains[0], true))}
	rodata := e.get(e.prog(elf.PT_LOAD, 1) + pOffset)
	clear(e.b[rodata:][:48])
	e.u64(e.dyn(elf.DT_SYMTAB)+8, rodata+0x400000)
	e.u32(e.get(e.dyn(elf.DT_HASH)+8)-0x400000+4, 2)
	if _, err := Convert(bytes.NewReader(e.b), Options{}); err == nil || !strings.Contains(err.Error(), "dynamic symbol 1") {
		t.Errorf("error %v, want one about symbol 1", err)
	}
	e.u16(int(rodata)+24+6, 1) // st_shndx: now it is defined here
	if _, err := Convert(bytes.NewReader(e.b), Options{}); err != nil {
		t.Errorf("a defined symbol is refused: %v", err)
	}
}

// FuzzConvert changes the structures of a small ELF file, each of which has its
// own argument so that mutations fall on them and not on contents, and cuts the
// file. It looks for panics and for large results from small files.
func FuzzConvert(f *testing.F) {
	small := smallELF()
	if _, err := Convert(bytes.NewReader(small), Options{}); err != nil {
		f.Fatal(err)
	}
	const headers, rela, hash, dynamic = 0, 0x2000, 0x2100, 0x3000
	f.Add(small[headers:64+4*56], small[rela:][:3*24], small[hash:][:32], small[dynamic:][:0x80], uint16(len(small)), uint64(0))
	f.Fuzz(func(t *testing.T, h, r, s, d []byte, size uint16, base uint64) {
		b := bytes.Clone(small)
		copy(b[headers:], h)
		copy(b[rela:], r)
		copy(b[hash:], s)
		copy(b[dynamic:], d)
		b = b[:min(len(b), int(size))]
		var out []byte
		var err error
		heap.Check(t, len(b), 16, func() { out, err = Convert(bytes.NewReader(b), Options{ImageBase: base}) })
		if (err == nil) == (out == nil) {
			t.Fatal("neither or both of result and error")
		}
		if len(out) > 2*len(b)+0x10000 {
			t.Fatalf("%d bytes from %d", len(out), len(b))
		}
		if err == nil {
			if _, err := coff.NewFile(bytes.NewReader(out)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// smallELF is a PIE of four pages with one relocation.
func smallELF() []byte {
	b := make([]byte, 0x4000)
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: 0x401000, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 4}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	progs := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: 5, Off: 0, Vaddr: 0x400000, Filesz: 0x2000, Memsz: 0x2000},
		{Type: uint32(elf.PT_LOAD), Flags: 4, Off: 0x2000, Vaddr: 0x402000, Filesz: 0x1000, Memsz: 0x1000},
		{Type: uint32(elf.PT_LOAD), Flags: 6, Off: 0x3000, Vaddr: 0x403000, Filesz: 0x1000, Memsz: 0x3000},
		{Type: uint32(elf.PT_DYNAMIC), Flags: 6, Off: 0x3000, Vaddr: 0x403000, Filesz: 0x80, Memsz: 0x80},
	}
	copy(b, pack(pack(nil, h), progs))
	copy(b[0x2000:], pack(nil, elf.Rela64{Off: 0x403800, Info: uint64(elf.R_X86_64_RELATIVE), Addend: 0x401000}))
	copy(b[0x2100:], pack(nil, []uint32{1, 1, 0, 0}))
	copy(b[0x3000:], pack(nil, []elf.Dyn64{
		{Tag: int64(elf.DT_RELA), Val: 0x402000}, {Tag: int64(elf.DT_RELASZ), Val: 24}, {Tag: int64(elf.DT_RELAENT), Val: 24},
		{Tag: int64(elf.DT_HASH), Val: 0x402100}, {Tag: int64(elf.DT_SYMTAB), Val: 0x402200}, {Tag: int64(elf.DT_SYMENT), Val: 24},
	}))
	return b
}

// TestReaderFails: no program comes of a file of which a read fails, whichever it is.
func TestReaderFails(t *testing.T) {
	broken := errors.New("bad sector")
	for _, file := range [][]byte{smallELF(), goELF(t, toolchains[0], true)} {
		r := &failingReader{ReaderAt: bytes.NewReader(file), n: math.MaxInt, err: broken}
		if _, err := Convert(r, Options{}); err != nil {
			t.Fatal(err)
		}
		for n := range r.calls {
			if out, err := Convert(&failingReader{ReaderAt: r.ReaderAt, n: n, err: broken}, Options{}); out != nil || !errors.Is(err, broken) {
				t.Errorf("read %d of %d fails: %d bytes, %v", n, r.calls, len(out), err)
			}
		}
	}
}

// failingReader fails once, after n reads.
type failingReader struct {
	io.ReaderAt
	n, calls int
	err      error
}

func (r *failingReader) ReadAt(b []byte, off int64) (int, error) {
	if r.calls++; r.calls == r.n+1 {
		return 0, r.err
	}
	return r.ReaderAt.ReadAt(b, off)
}

// TestPanics: what cannot be a file of the format is a bug of the package's own.
func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"unpack":          func() { unpack(make([]byte, 7), new(uint64)) },
		"unpack too many": func() { unpack(make([]byte, 9), new(uint64)) },
		"pack":            func() { pack(nil, 1) }, // an int has no size
		"image of 4 GiB":  func() { write(0, 0x1000, []section{{rva: 0x1000, size: 1<<32 - 0x1fff}}) },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "pe: ") {
					t.Errorf("%s: panic %q", name, s)
				}
			}()
			f()
		}()
	}
	if out := write(0, 0x1000, []section{{rva: 0x1000, size: 1<<32 - 0x2000 - 0x1000}}); len(out) != headersSize {
		t.Errorf("the largest image has %d bytes", len(out))
	}
}

// TestLayoutLimits: what is just allowed, and what is just too much.
func TestLayoutLimits(t *testing.T) {
	const table = 64
	for _, c := range []struct {
		name string
		edit func(e *elfEditor)
		want string // "": it is converted
	}{
		{"64 program headers", func(e *elfEditor) { e.u16(56, 64); clear(e.b[table+4*56 : table+64*56]) }, ""},
		{"65 program headers", func(e *elfEditor) { e.u16(56, 65); clear(e.b[table+4*56 : table+65*56]) }, "e_phnum 65"},
		{"headers of 57", func(e *elfEditor) { e.u16(54, 57) }, "e_phentsize 57"},
		{"entry at the first byte of text", func(e *elfEditor) { e.u64(24, 0x401000) }, ""},
		{"entry before it", func(e *elfEditor) { e.u64(24, 0x400fff) }, "outside .text"},
		{"entry at the last byte", func(e *elfEditor) { e.u64(24, 0x401fff) }, ""},
		{"entry behind it", func(e *elfEditor) { e.u64(24, 0x402000) }, "outside .text"},
		{"2 GiB", func(e *elfEditor) { e.u64(table+2*56+pMemsz, 1<<31-0x3000) }, ""},
		{"2 GiB and a byte", func(e *elfEditor) { e.u64(table+2*56+pMemsz, 1<<31-0x3000+1) }, "more than 0x80000000"},
		{"no memory", func(e *elfEditor) { e.u64(table+2*56+pMemsz, 0); e.u64(table+2*56+pFilesz, 0) }, "outside what 32 bits"},
		{"memory as large as the file", func(e *elfEditor) { e.u64(table+2*56+pMemsz, 0x1000) }, ""},
		{"memory a byte less", func(e *elfEditor) { e.u64(table+2*56+pMemsz, 0xfff) }, "larger than p_memsz"},
		{"relocation at the last 8 bytes", func(e *elfEditor) { e.u64(0x2000, 0x403ff8) }, ""},
		{"relocation a byte later", func(e *elfEditor) { e.u64(0x2000, 0x403ff9) }, "not in the initialised part"},
		{"relocation at the first", func(e *elfEditor) { e.u64(0x2000, 0x403000) }, ""},
		{"relocation before it", func(e *elfEditor) { e.u64(0x2000, 0x402fff) }, "not in the initialised part"},
		{"addend at the base", func(e *elfEditor) { e.u64(0x2010, 0x400000) }, ""},
		{"addend before it", func(e *elfEditor) { e.u64(0x2010, 0x3fffff) }, "outside the image"},
		{"addend at the end", func(e *elfEditor) { e.u64(0x2010, 0x406000) }, ""},
		{"addend behind it", func(e *elfEditor) { e.u64(0x2010, 0x406001) }, "outside the image"},
		{"the dynamic table up to the end", func(e *elfEditor) { e.u64(table+3*56+pVaddr, 0x403000); e.u64(table+3*56+pMemsz, 0x1000) }, ""},
		{"and an entry more", func(e *elfEditor) { e.u64(table+3*56+pMemsz, 0x1010) }, "not a table inside"},
		{"the relocations up to the end", func(e *elfEditor) { copy(e.b[0x2fe8:], e.b[0x2000:0x2018]); e.u64(e.dyn(elf.DT_RELA)+8, 0x402fe8) }, ""},
		{"and beyond", func(e *elfEditor) { e.u64(e.dyn(elf.DT_RELA)+8, 0x402ff0) }, "not a table inside"},
		{"the hash table up to the end", func(e *elfEditor) { e.u32(0x2ff8, 1); e.u32(0x2ffc, 1); e.u64(e.dyn(elf.DT_HASH)+8, 0x402ff8) }, ""},
		{"and beyond", func(e *elfEditor) { e.u64(e.dyn(elf.DT_HASH)+8, 0x402ff9) }, "without a DT_HASH"},
		{"one symbol", func(e *elfEditor) { e.u32(0x2104, 1) }, ""},
		{"a symbol defined here", func(e *elfEditor) { e.u32(0x2104, 2); e.u16(0x2200+24+6, 1) }, ""},
		{"a symbol of another file", func(e *elfEditor) { e.u32(0x2104, 2) }, "dynamic symbol 1"},
		{"relocations one beside the other", func(e *elfEditor) { two(e, 0x403808) }, ""},
		{"a byte less", func(e *elfEditor) { two(e, 0x403807) }, "overlap"},
		{"thread-local storage of 8", func(e *elfEditor) { header(e, elf.PT_TLS, 0, 8) }, ""},
		{"of 9", func(e *elfEditor) { header(e, elf.PT_TLS, 0, 9) }, "PT_TLS has p_memsz 9"},
		{"with contents", func(e *elfEditor) { header(e, elf.PT_TLS, 1, 8) }, "PT_TLS"},
		{"not readable", func(e *elfEditor) { e.u32(table+2*56+pFlags, 2) }, "not readable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &elfEditor{t, smallELF()}
			c.edit(e)
			out, err := Convert(bytes.NewReader(e.b), Options{})
			if c.want == "" && err != nil || c.want != "" && (err == nil || out != nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// two adds a relocation at an address.
func two(e *elfEditor, at uint64) {
	copy(e.b[0x2018:], e.b[0x2000:0x2018])
	e.u64(0x2018, at)
	e.u64(e.dyn(elf.DT_RELASZ)+8, 48)
}

// header adds a program header.
func header(e *elfEditor, kind elf.ProgType, filesz, memsz uint64) {
	e.u16(56, 5)
	e.u32(64+4*56+pType, uint32(kind))
	e.u64(64+4*56+pFilesz, filesz)
	e.u64(64+4*56+pMemsz, memsz)
}
