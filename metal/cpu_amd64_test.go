//go:build linux

package metal

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// call lets the simulated processor execute a function with words as arguments, and returns the n bytes at its results.
func (s *simulated) call(f any, results int, args ...uint64) []byte {
	s.t.Helper()
	const back = 0x1234_5678
	s.stopAt(back)
	s.reg[simSP] = s.stack(0) - 1024
	sp := s.reg[simSP]
	s.store(sp, 8, back)
	for i, v := range args {
		s.store(sp+8+uint64(8*i), 8, v)
	}
	kept := s.reg[simBP]
	s.run(assemblyOf(f))
	if s.reg[simSP] != sp+8 || s.reg[simBP] != kept {
		s.t.Errorf("SP %#x, BP %#x; before %#x, %#x", s.reg[simSP], s.reg[simBP], sp, kept)
	}
	return unsafe.Slice(at[byte](s.byteAt(sp+8+uint64(8*len(args)), results)), results)
}

// words calls a function that returns words.
func (s *simulated) words(f any, results int, args ...uint64) (v [4]uint64) {
	s.t.Helper()
	b := s.call(f, 8*results, args...)
	for i := range results {
		v[i] = *(*uint64)(unsafe.Pointer(&b[8*i]))
	}
	return v
}

// TestPrivilegedInstructions: each function of one instruction reads or writes what its name says, all of it, and nothing else.
func TestPrivilegedInstructions(t *testing.T) {
	const a, b = 0x1122_3344_5566_7788, 0x99AA_BBCC_DDEE_FF00
	s := newSimulated(t, seeded(1))
	for i := range s.cr {
		s.cr[i] = a + uint64(i)<<56
	}
	s.cr[4] |= 1 << 18
	s.msr[0xC0000102], s.xcr0, s.task = b, a, 0x48
	var gdtr, idtr, gdtr2, idtr2 tableRegister
	gdtr.set(a, 0x1000)
	idtr.set(b>>1, 0x800)
	text := [9]byte([]byte("registers"))
	for _, p := range []*tableRegister{&gdtr, &idtr, &gdtr2, &idtr2} {
		lend(s, p)
	}
	where := lend(s, &text)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"rdmsr", s.words(rdmsr, 1, 0xFFFF_FFFF_C000_0102)[0], uint64(b)},
		{"xgetbv", s.words(xgetbv, 1)[0], uint64(a)},
		{"controlRegisters", s.words(controlRegisters, 4), [4]uint64{s.cr[0], s.cr[2], s.cr[3], s.cr[4]}},
		{"selectors", s.words(selectors, 2), [4]uint64{0x38, 0x30}},
		{"taskRegister", s.words(taskRegister, 1), [4]uint64{0x48}},
		{"wrmsr", [2]any{s.call(wrmsr, 0, 0x277, a), s.msr[0x277]}, [2]any{[]byte{}, uint64(a)}},
		{"xsetbv", [2]any{s.call(xsetbv, 0, b), s.xcr0}, [2]any{[]byte{}, uint64(b)}},
		{"writeCR0", [2]any{s.call(writeCR0, 0, b), s.cr}, [2]any{[]byte{}, [9]uint64{b, s.cr[1], s.cr[2], s.cr[3], s.cr[4], s.cr[5], s.cr[6], s.cr[7], s.cr[8]}}},
		{"writeCR3", [2]any{s.call(writeCR3, 0, b+1), s.cr}, [2]any{[]byte{}, [9]uint64{b, s.cr[1], s.cr[2], b + 1, s.cr[4], s.cr[5], s.cr[6], s.cr[7], s.cr[8]}}},
		{"writeCR4", [2]any{s.call(writeCR4, 0, b+2), s.cr}, [2]any{[]byte{}, [9]uint64{b, s.cr[1], s.cr[2], b + 1, b + 2, s.cr[5], s.cr[6], s.cr[7], s.cr[8]}}},
		{"loadTables", [2]any{s.call(loadTables, 0, uint64(address(&gdtr)), uint64(address(&idtr)), 0x40), [2]tableRegister{s.gdtr, s.idtr}}, [2]any{[]byte{}, [2]tableRegister{gdtr, idtr}}},
		{"loadTaskRegister", [2]any{s.call(loadTaskRegister, 0, 0x50), s.task}, [2]any{[]byte{}, uint64(0x50)}},
		{"storeTables", [2]any{s.call(storeTables, 0, uint64(address(&gdtr2)), uint64(address(&idtr2))), [2]tableRegister{gdtr2, idtr2}}, [2]any{[]byte{}, [2]tableRegister{gdtr, idtr}}},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %x, want %x", c.name, c.got, c.want)
		}
	}
	if s.selector != [6]uint64{1: 0x38, 2: 0x40} || len(s.msr) != 4 {
		t.Errorf("selectors %x, model-specific registers %x", s.selector, s.msr)
	}
	s.in = 0xA5
	s.flags |= simDF
	if got := s.call(inb, 1, 0x55_0000_03F8); got[0] != 0xA5 {
		t.Errorf("inb: %x", got)
	}
	s.call(outsb, 0, 0x55_0000_00E9, where, 9)
	s.flags |= simIF
	s.call(writeBackCaches, 0)
	s.call(halt, 0)
	if s.flags&simIF == 0 {
		t.Error("halt shuts interrupts out")
	}
	s.flags &^= simIF
	interrupts := 0
	s.open = func() { interrupts++ } // after HLT, which the interrupt ends
	s.call(haltUntilInterrupt, 0)
	s.call(pause, 0)
	if got := fmt.Sprint(s.seen); got != "[IN 0x3f8 OUTSB 0xe9 WBINVD HLT HLT PAUSE]" || string(s.out) != "registers" || interrupts != 1 || s.flags&simIF != 0 {
		t.Errorf("%s, %q, %d interrupts, flags %#x", got, s.out, interrupts, s.flags)
	}
}

// TestInstructions: what any program may execute.
func TestInstructions(t *testing.T) {
	eax, ebx, ecx, edx := cpuid(0, 0)
	if vendor := string(binaryWords(ebx, edx, ecx)); !hostCPUInfo(t, "vendor_id\\s*: "+regexp.QuoteMeta(vendor)+"\n") || eax < 1 {
		t.Errorf("CPUID's leaf 0: %d, %q", eax, vendor)
	}
	if _, ebx, _, _ := cpuid(7, 0); eax >= 7 && (ebx>>5&1 != 0) != cpu.X86.HasAVX2 && cpu.X86.HasAVX {
		t.Errorf("leaf 7: %#x; AVX2: %v", ebx, cpu.X86.HasAVX2)
	}
	if _, ebx, _, _ := cpuid(0xD, 1); eax >= 0xD {
		if _, ebx0, _, _ := cpuid(0xD, 0); ebx0 < 576 || ebx == 0 && cpu.X86.HasAVX512 {
			t.Errorf("leaf 0DH: %d, %d", ebx0, ebx)
		}
	}
	if bits := hostFigure(t, `address sizes\s*: (\d+) bits physical`); bits != 0 && physicalLimit() != 1<<bits {
		t.Errorf("addresses end at %#x, want %d bits", physicalLimit(), bits)
	}
	for flag, got := range map[string]bool{"rdrand": hasHardwareRandom(), "pdpe1gb": hasHugePages()} {
		if got != hostCPUInfo(t, "\nflags\\s*:.* "+flag+"[ \n]") {
			t.Errorf("%s: %v", flag, got)
		}
	}
	first := counter()
	for range 1000 {
		if next := counter(); next < first || next-first > 1<<44 {
			t.Fatalf("the counter went from %#x to %#x", first, next)
		}
	}
	if hasHardwareRandom() {
		high, good := uint64(0), 0
		for range 100 {
			if v, ok := hardwareRandom(); ok {
				high |= v
				good++
			}
		}
		if good < 50 || high != ^uint64(0) {
			t.Errorf("%d random words with the bits %#x", good, high)
		}
	}
	word := [3]uint64{1, 1 << 40, 3}
	if old := swap(&word[1], 2<<40); old != 1<<40 || word != [3]uint64{1, 2 << 40, 3} {
		t.Errorf("swap: %#x, %#x", old, word)
	}
	if store(&word[1], 5<<40); word != [3]uint64{1, 5 << 40, 3} {
		t.Errorf("store: %#x", word)
	}
	for _, c := range [][3]int64{{5 << 33, 4 << 33, 5 << 33}, {5 << 33, 5 << 33, 5 << 33}, {5 << 33, 6 << 33, 6 << 33}, {-1, 0, 0}, {0, -1, 0}} {
		v := [3]int64{7, c[0], 7}
		if got := advance(&v[1], c[1]); got != c[2] || v != [3]int64{7, c[2], 7} {
			t.Errorf("advance from %d to %d: %d, %d", c[0], c[1], got, v)
		}
	}
	from, to := []byte("0123456789"), []byte("abcdefghij")
	move(address(&to[2]), address(&from[3]), 5)
	if string(to) != "ab34567hij" || string(from) != "0123456789" {
		t.Errorf("move: %q, %q", to, from)
	}
	zero(address(&to[1]), 8)
	if !bytes.Equal(to, []byte("a\x00\x00\x00\x00\x00\x00\x00\x00j")) {
		t.Errorf("zero: %q", to)
	}
	move(address(&to[1]), address(&from[0]), 0)
	zero(address(&to[0]), 0)
	if to[0] != 'a' || to[1] != 0 {
		t.Errorf("nothing moved: %q", to)
	}
}

// TestAdvance: whatever another core writes between two instructions, the word becomes no smaller, and that is what is returned.
func TestAdvance(t *testing.T) {
	for n := 1; n < 20; n++ {
		for _, other := range []int64{2 << 33, 4 << 33, 6 << 33} {
			s := newSimulated(t, seeded(n))
			word := int64(3 << 33)
			where := lend(s, &word)
			want := int64(5 << 33)
			s.before = func() {
				if s.executed == n && word < other {
					word, want = other, max(want, other)
				}
			}
			if got := int64(s.words(advance, 1, where, 5<<33)[0]); word != want || got > word || got < 5<<33 {
				t.Errorf("%#x before instruction %d: %#x is %#x, want %#x", other, n, got, word, want)
			}
		}
	}
}

func binaryWords(words ...uint32) (b []byte) {
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return b
}

func hostCPUInfo(t *testing.T, pattern string) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(pattern).Match(b)
}

func hostFigure(t *testing.T, pattern string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindSubmatch(b)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// needPlainCode skips a test that executes Go code in the simulated processor where that code has been changed.
func needPlainCode(t *testing.T) {
	t.Helper()
	if testing.CoverMode() != "" {
		t.Skip("SKIPPED: the code counts its coverage, for which the simulated processor has no memory")
	}
}

// features answers CPUID with what the test says of leaf 1, 0DH and 80000001H.
func features(ecx, edx, vectors, extended uint64) func(leaf, subleaf uint64) [4]uint64 {
	return func(leaf, subleaf uint64) [4]uint64 {
		switch {
		case leaf == 1:
			return [4]uint64{0, 0x5A00_0000, ecx, edx}
		case leaf == 0xD && subleaf == 0:
			return [4]uint64{vectors, 832}
		case leaf == 0x8000_0001:
			return [4]uint64{3: extended}
		}
		return [4]uint64{}
	}
}

// TestInitCPU: what the kernel turns on for each set of features (Intel SDM volume 1, 13.3 and 14.3; volume 3, 2.5, 11.11.8 and
// 11.12.4), and that restoreCPU undoes it, for the boot processor and for another.
func TestInitCPU(t *testing.T) {
	needPlainCode(t)
	defer func(nx uint64) { bootCore, noExecute = core{}, nx }(noExecute)
	const (
		xsave, avx, pat, snoop, nx = 1 << 26, 1 << 28, 1 << 16, 1 << 27, 1 << 20
		reset                      = 0x0007040600070406
	)
	for _, c := range []struct {
		name                        string
		ecx, edx, vectors, extended uint64
		pat                         uint64
		other                       bool // than the boot processor
		xcr0, efer, wantPAT, entry  uint64
		osxsave                     uint64
	}{
		{"nothing", avx, 0, 0xE7, 0, reset, false, 0, 0, reset, 3, 0},
		{"SSE", xsave, snoop, 7, 0, reset, false, 3, 0, reset, 3, 1 << 18},
		{"no AVX in XCR0", xsave | avx, 0, 3, 0, reset, false, 3, 0, reset, 3, 1 << 18},
		{"AVX", xsave | avx, pat | snoop, 7, nx, reset, false, 7, 0x800, 0x0001040600070406, 6, 1 << 18},
		{"parts of AVX-512", xsave | avx, pat, 0x67, nx, reset, false, 7, 0x800, 0x0001040600070406, 6, 1 << 18},
		{"AVX-512", xsave | avx, pat, 0x2E7, nx, 0x0007010600070406, false, 0xE7, 0x800, 0x0007010600070406, 5, 1 << 18},
		{"another processor", xsave | avx, pat | snoop, 7, nx, reset, true, 7, 0x800, 0x0001040600070406, 6, 1 << 18},
	} {
		bootCore, noExecute = core{}, 0
		core := &bootCore
		if c.other {
			core = newCore()
			bootCore.pat, bootCore.patEntry = c.wantPAT, c.entry
		}
		s := newSimulated(t, seeded(1))
		lend(s, core)
		if c.other {
			lend(s, &bootCore)
		}
		lend(s, &noExecute)
		var gdt [16]uint64
		lend(s, &gdt)
		gdt[2], gdt[9] = 0x0000_8900_1111_0067, 0x1234_8B56_789A_0067 // 3.5: the latter is busy
		s.gdtr.set(address(&gdt), 88)
		s.idtr.set(0x3000, 4096)
		s.cpuid = features(c.ecx, c.edx, c.vectors, c.extended)
		s.cr = [9]uint64{0: 0x8000_0013, 3: 0x7000, 4: 1<<23 | 1<<7 | 0x668} // NE, WP clear; CET
		s.xcr0, s.task = 1, 72
		for register, v := range map[uint32]uint64{0xC0000080: 0x500, 0xC0000081: 11, 0xC0000082: 12, 0xC0000084: 13, 0x277: c.pat} {
			s.msr[register] = v
		}
		msrs, before := maps.Clone(s.msr), *s
		s.goCall(initCPU, uint64(address(core)))
		if s.cr != [9]uint64{0: 0x8000_0013, 3: 0x7000, 4: 1<<7 | 0x668 | c.osxsave} || core.cr0 != 0x8001_0033 || core.cr4 != s.cr[4] || !core.changed() {
			t.Errorf("%s: control registers %#x; CR0 is to be %#x, CR4 %#x", c.name, s.cr, core.cr0, core.cr4)
		}
		if want := max(c.xcr0, 1); s.xcr0 != want || core.xcr0 != c.xcr0 {
			t.Errorf("%s: XCR0 %#x, %#x, want %#x", c.name, s.xcr0, core.xcr0, c.xcr0)
		}
		if s.msr[0xC0000080] != 0x500|c.efer || noExecute != c.efer<<52 {
			t.Errorf("%s: EFER %#x, no-execute bit %#x", c.name, s.msr[0xC0000080], noExecute)
		}
		if s.msr[0x277] != c.wantPAT || core.patEntry != c.entry {
			t.Errorf("%s: PAT %#x, entry %d, want %#x, %d", c.name, s.msr[0x277], core.patEntry, c.wantPAT, c.entry)
		}
		if want := patChanges(s.cr, c.wantPAT, c.edx&snoop == 0); c.wantPAT != c.pat && !strings.HasSuffix(strings.Join(s.changes, "; "), want) {
			t.Errorf("%s: %q, want %q last", c.name, s.changes, want)
		}
		if core.codeSelector != 0x38 || core.firmware.ss != 0x30 || core.firmware.task != 72 {
			t.Errorf("%s: CS %#x, SS %#x, task %#x", c.name, core.codeSelector, core.firmware.ss, core.firmware.task)
		}
		// The kernel's world, and back.
		core.cr3 = 0x9000
		core.gdtr.set(address(&core.gdt), 88)
		core.idtr.set(0x6000, 4096)
		core.dataSelector = 0x40
		s.goCall(enterKernelWorld, uint64(address(core)))
		handler, _, _, _, _ := addresses()
		if s.cr[0] != 0x8001_0033 || s.cr[3] != 0x9000 || s.gdtr != core.gdtr || s.idtr != core.idtr || s.selector[2] != 0x40 || s.task != 0x48 ||
			s.msr[0xC0000080] != 0x501|c.efer || s.msr[0xC0000081] != 0x38<<32 || s.msr[0xC0000082] != uint64(handler) || s.msr[0xC0000084] != 0x47700 {
			t.Errorf("%s: the kernel's world has CR %#x, GDT %#x, IDT %#x, SS %#x, task %#x, MSR %#x", c.name, s.cr, s.gdtr, s.idtr, s.selector[2], s.task, s.msr)
		}
		if !c.other { // what FirmwareRegisters returns, once the firmware has the core
			core.firmware.fs, core.firmware.gs, core.firmware.spuriousVector, core.firmware.taskPriority = 21, 22, 23, 24
			cores[0] = address(core)
			pat := c.pat * (c.edx >> 16 & 1)
			if got, want := FirmwareRegisters(0), (Registers{0x8000_0013, 0x7000, before.cr[4], 1 * (c.osxsave >> 18), 0x500, 11, 12, 13, 21, 22, pat, address(&gdt), 0x3000, 23, 24}); got != want {
				t.Errorf("%s: the firmware's registers are %+v, want %+v", c.name, got, want)
			}
			cores[0] = 0
		}
		s.task, s.changes = 0, nil
		s.goCall(restoreCPU, uint64(address(core)))
		delete(s.msr, simFS)
		delete(msrs, simFS)
		if s.cr != before.cr || s.xcr0 != before.xcr0 || s.gdtr != before.gdtr || s.idtr != before.idtr || s.selector != before.selector || s.task != 72 || !maps.Equal(s.msr, msrs) {
			t.Errorf("%s: the firmware has CR %#x, XCR0 %#x, GDT %#x, IDT %#x, selectors %#x, task %#x, MSR %#x, which are not what it had", c.name, s.cr, s.xcr0, s.gdtr, s.idtr, s.selector, s.task, s.msr)
		}
		if gdt[2] != 0x0000_8900_1111_0067 || gdt[9] != 0x1234_8956_789A_0067 {
			t.Errorf("%s: task states %#x, %#x", c.name, gdt[2], gdt[9])
		}
		if !strings.HasPrefix(s.changes[0], "CR3 0x7000") {
			t.Errorf("%s: %q: the firmware's tables may not be mapped in the kernel's", c.name, s.changes)
		}
	}
}

func newCore() *core { return new(core) }

// patChanges are the steps of 11.11.8 that change the page attribute table to a value, with control registers that are cr before and after.
func patChanges(cr [9]uint64, pat uint64, writeBack bool) string {
	flush := ""
	if writeBack {
		flush = "WBINVD; "
	}
	return fmt.Sprintf("CR0 %#x; %sCR4 %#x; CR3 %#x; MSR 0x277 %#x; %sCR3 %#x; CR0 %#x; CR4 %#x",
		cr[0]&^(1<<29)|1<<30, flush, cr[4]&^(1<<7), cr[3], pat, flush, cr[3], cr[0], cr[4])
}

// TestRestoreTask: a task register is loaded again if its selector is one of the GDT's, and that of a task state.
func TestRestoreTask(t *testing.T) {
	needPlainCode(t)
	const busy, available = 0x0000_8B00_1111_0067, 0x0000_8900_1111_0067
	for _, c := range []struct {
		task       uint64
		limit      uintptr
		descriptor uint64
		want       uint64 // the descriptor
		loaded     bool
	}{
		{16, 32, busy, available, true}, {16, 32, available, available, true}, {19, 64, busy, available, true}, {16, 31, busy, busy, false},
		{20, 64, busy, busy, false}, {0, 64, busy, busy, false}, {3, 64, busy, busy, false}, {16, 64, 0x00AF_9B00_0000_FFFF, 0x00AF_9B00_0000_FFFF, false},
		{16, 64, 0x0000_8200_1111_0067, 0x0000_8200_1111_0067, false}, {16, 64, 0x0000_9B00_1111_0067, 0x0000_9B00_1111_0067, false},
	} {
		s := newSimulated(t, seeded(1))
		fw := new(firmwareState)
		lend(s, fw)
		var gdt [8]uint64
		lend(s, &gdt)
		gdt[0], gdt[2] = c.descriptor, c.descriptor
		fw.task = c.task
		fw.gdtr.set(address(&gdt), c.limit)
		s.task = 0x99
		s.goCall(restoreTask, uint64(address(fw)))
		if gdt[2] != c.want || (s.task == c.task) != c.loaded || gdt[0] != c.descriptor {
			t.Errorf("%+v: task %#x, descriptor %#x", c, s.task, gdt[2])
		}
	}
}

// TestIsFit: a processor that lacks one thing that the boot processor has cannot take part.
func TestIsFit(t *testing.T) {
	needPlainCode(t)
	defer func(nx uint64) { bootCore, noExecute = core{}, nx }(noExecute)
	for _, c := range []struct {
		name   string
		change func(s *simulated, c *core)
		want   bool
	}{
		{"alike", func(*simulated, *core) {}, true},
		{"code segment", func(_ *simulated, c *core) { c.codeSelector = 0x10 }, false},
		{"five levels", func(_ *simulated, c *core) { c.cr4 |= 1 << 12 }, false},
		{"other bits of CR4", func(_ *simulated, c *core) { c.cr4 |= 1 << 20 }, true},
		{"vectors", func(_ *simulated, c *core) { c.xcr0 = 3 }, false},
		{"no no-execute pages", func(s *simulated, _ *core) { s.msr[0xC0000080] &^= 0x800 }, false},
		{"no no-execute pages anywhere", func(s *simulated, _ *core) { s.msr[0xC0000080], noExecute = 0x500, 0 }, true},
		{"APIC off", func(s *simulated, _ *core) { s.msr[0x1B] = 0xFEE0_0000 }, false},
	} {
		bootCore.codeSelector, bootCore.cr4, bootCore.xcr0, noExecute = 0x38, 0x668, 7, 1<<63
		other := newCore()
		other.codeSelector, other.cr4, other.xcr0 = 0x38, 0x668, 7
		s := newSimulated(t, seeded(1))
		lend(s, other)
		lend(s, &bootCore)
		lend(s, &noExecute)
		s.msr[0xC0000080], s.msr[0x1B] = 0xD01, 0xFEE0_0800
		c.change(s, other)
		if got := s.goCall((*core).isFit, uint64(address(other)))&0xFF != 0; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestCPUIDFigures: what is computed from leaves of CPUID (Intel SDM volume 2), where they are.
func TestCPUIDFigures(t *testing.T) {
	needPlainCode(t)
	for _, c := range []struct {
		name string
		f    any
		leaf map[uint64][4]uint64
		want uint64
	}{
		{"rate", counterRate, map[uint64][4]uint64{0: {0x15}, 0x15: {2, 250, 38_400_000}}, 4_800_000_000},
		{"rate, low leaves", counterRate, map[uint64][4]uint64{0: {0x14}, 0x15: {2, 250, 38_400_000}}, 0},
		{"rate, no denominator", counterRate, map[uint64][4]uint64{0: {0x16}, 0x15: {0, 250, 38_400_000}}, 0},
		{"rate, no numerator", counterRate, map[uint64][4]uint64{0: {0x16}, 0x15: {2, 0, 38_400_000}}, 0},
		{"rate, no crystal", counterRate, map[uint64][4]uint64{0: {0x16}, 0x15: {2, 250, 0}}, 0},
		{"addresses", physicalLimit, map[uint64][4]uint64{0x8000_0000: {0x8000_0008}, 0x8000_0008: {0x3027}}, 1 << 39},
		{"addresses of too many bits", physicalLimit, map[uint64][4]uint64{0x8000_0000: {0x8000_001F}, 0x8000_0008: {0x3039}}, 1 << 52},
		{"addresses, low leaves", physicalLimit, map[uint64][4]uint64{0x8000_0000: {0x8000_0007}, 0x8000_0008: {0x3027}}, 1 << 36},
		{"huge pages", hasHugePages, map[uint64][4]uint64{0x8000_0001: {3: 1 << 26}}, 1},
		{"no huge pages", hasHugePages, map[uint64][4]uint64{0x8000_0001: {1 << 26, 1 << 26, 1 << 26, ^uint64(1<<26) & 0xFFFF_FFFF}}, 0},
		{"RDRAND", hasHardwareRandom, map[uint64][4]uint64{1: {2: 1 << 30}}, 1},
		{"no RDRAND", hasHardwareRandom, map[uint64][4]uint64{1: {1 << 30, 1 << 30, ^uint64(1<<30) & 0xFFFF_FFFF, 1 << 30}}, 0},
	} {
		s := newSimulated(t, seeded(1))
		s.cpuid = func(leaf, subleaf uint64) [4]uint64 {
			if subleaf != 0 {
				t.Errorf("%s: subleaf %d", c.name, subleaf)
			}
			return c.leaf[leaf]
		}
		if got := s.goCall(c.f); got != c.want && (c.want > 1 || got&0xFF != c.want) {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}
