//go:build linux

package metal

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
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
	s.run(codeOf(f))
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
