//go:build linux

package metal

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// simulated is a processor that executes the kernel's assembly, one instruction at a time (Intel
// SDM volume 2). So a test sees what that does with registers which no program may touch, on
// firmware that leaves other things in them than a machine's, and with an NMI between any two
// instructions. It has the memory that the test gives it, and no page tables.
type simulated struct {
	t        *testing.T
	reg      [16]uint64 // as instructions number them
	ip       uint64
	flags    uint64
	vector   [16][32]byte // YMM0 to YMM15
	mxcsr    uint32
	fcw      uint16
	cr       [9]uint64
	xcr0     uint64
	msr      map[uint32]uint64
	selector [6]uint64 // ES, CS, SS, DS, FS, GS
	task     uint64
	gdtr     tableRegister
	idtr     tableRegister

	cpuid    func(leaf, subleaf uint64) [4]uint64
	memory   []simulatedMemory
	kept     []any             // what that memory belongs to
	calls    map[string]func() // what takes the place of functions in Go, by name
	places   map[uint64]func() // and of code at an address
	open     func()            // is called where an interrupt may come
	before   func()            // is called before each instruction
	executed int
	limit    int  // of instructions
	shadow   bool // STI was the last instruction
	inNMI    bool // no other NMI comes
	done     bool
	seen     []string // instructions that do nothing else here
	changes  []string // of control and model-specific registers

	ticks, tick uint64 // the time-stamp counter, and what each look at it adds

	in  byte // what IN reads
	out []byte
}

// simulatedMemory is a range of addresses that is at another one, or at the same, in the test.
type simulatedMemory struct {
	from, to, at uint64
	cr3          uint64 // the page tables that map it; 0: all
}

// Registers by their numbers.
const (
	simAX = iota
	simCX
	simDX
	simBX
	simSP
	simBP
	simSI
	simDI
)

const (
	simCF, simZF, simSF, simIF, simDF, simOF = 1 << 0, 1 << 6, 1 << 7, 1 << 9, 1 << 10, 1 << 11

	simFS, simGS = 0xC0000100, 0xC0000101 // the MSRs of the bases
)

// newSimulated makes a processor with random values in most registers.
func newSimulated(t *testing.T, random *rand.Rand) *simulated {
	s := &simulated{t: t, msr: map[uint32]uint64{}, calls: map[string]func(){}, places: map[uint64]func(){}, mxcsr: 0x9FC0, fcw: 0x27F, limit: 2000}
	for i := range s.reg {
		s.reg[i] = random.Uint64()
	}
	for i := range s.vector {
		for j := range s.vector[i] {
			s.vector[i][j] = byte(random.Uint32())
		}
	}
	s.flags = 0x2 | random.Uint64()&(simCF|simZF|simSF|simOF)
	s.cr = [9]uint64{0: 0x80010033, 3: 0x1000, 4: 0x668}
	s.msr[simFS], s.msr[simGS] = random.Uint64()>>17, random.Uint64()>>17
	s.selector = [6]uint64{1: 0x38, 2: 0x30}
	return s
}

// lend gives the processor memory of the test's.
func lend[T any](s *simulated, p *T) uint64 {
	a := uint64(address(p))
	s.kept = append(s.kept, p)
	s.memory = append(s.memory, simulatedMemory{from: a, to: a + uint64(unsafe.Sizeof(*p)), at: a})
	return a
}

// stack makes a stack and returns its end, which is aligned to 16.
func (s *simulated) stack(cr3 uint64) uint64 {
	a := lend(s, new([4096]byte))
	s.memory[len(s.memory)-1].cr3 = cr3
	return (a + 4096) &^ 15
}

// run executes instructions from ip on until one of the test's functions says that it is enough, or a limit is reached.
func (s *simulated) run(ip uintptr) {
	s.t.Helper()
	s.ip, s.done, s.executed = uint64(ip), false, 0
	for !s.done {
		if s.executed++; s.executed > s.limit {
			s.t.Fatalf("it does not end: %s", s.where())
		}
		if s.flags&simIF != 0 && !s.shadow && s.open != nil {
			s.open()
		}
		s.shadow = false
		if s.before != nil {
			s.before()
		}
		if place := s.places[s.ip]; place != nil {
			place()
		} else if call := s.calls[s.function()]; call != nil {
			s.ip = s.pop()
			call()
		} else {
			s.step()
		}
	}
}

// goCall calls a function in Go with words as arguments, as compiled code does (ABIInternal), and returns the word that
// it returns. Of what that calls, the functions of calls are the test's. See needPlainCode.
func (s *simulated) goCall(f any, args ...uint64) uint64 {
	s.t.Helper()
	g, tls := new([16]uint64), new([2]uint64)
	lend(s, tls)
	tls[0] = lend(s, g)
	s.msr[simFS] = uint64(address(tls)) + 8
	s.reg[14], s.vector[15], s.flags = tls[0], [32]byte{}, s.flags&^simDF
	const back = 0x1234_5678
	s.stopAt(back)
	s.reg[simSP] = s.stack(0) - 512
	s.push(back)
	for i, v := range args {
		s.reg[[]int{simAX, simBX, simCX, simDI, simSI}[i]] = v
	}
	s.run(reflect.ValueOf(f).Pointer())
	return s.reg[simAX]
}

// lendConstants gives the processor the program's constants, among which the compiler's tables are.
func (s *simulated) lendConstants() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		s.t.Fatal(err)
	}
	name, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x r--p", &from, &to); err == nil && strings.HasSuffix(line, name+"\n") {
			s.memory = append(s.memory, simulatedMemory{from: from, to: to, at: from})
		}
	}
}

// stopAt makes the processor stop at an address.
func (s *simulated) stopAt(ip uint64) { s.places[ip] = func() { s.done = true } }

// function returns the name of a function of this package that begins at ip.
func (s *simulated) function() string {
	f := runtime.FuncForPC(uintptr(s.ip))
	if f == nil || f.Entry() != uintptr(s.ip) {
		return ""
	}
	return strings.TrimPrefix(f.Name(), "bootllama/metal.")
}

func (s *simulated) where() string {
	if f := runtime.FuncForPC(uintptr(s.ip)); f != nil {
		_, line := f.FileLine(uintptr(s.ip))
		return fmt.Sprintf("%s, line %d", f.Name(), line)
	}
	return fmt.Sprintf("%#x", s.ip)
}

func (s *simulated) fault(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s", s.where(), fmt.Sprintf(format, args...))
}

// byteAt returns where the test has n bytes of the processor's memory.
func (s *simulated) byteAt(a uint64, n int) uintptr {
	s.t.Helper()
	for _, m := range s.memory {
		if a >= m.from && a+uint64(n) <= m.to && (m.cr3 == 0 || m.cr3 == s.cr[3]) {
			return uintptr(m.at + a - m.from)
		}
	}
	s.fault("%d bytes at %#x with CR3 %#x", n, a, s.cr[3])
	return 0
}

func (s *simulated) load(a uint64, n int) (v uint64) {
	p := s.byteAt(a, n)
	for i := range n {
		v |= uint64(*at[byte](p + uintptr(i))) << (8 * i)
	}
	return v
}

func (s *simulated) store(a uint64, n int, v uint64) {
	p := s.byteAt(a, n)
	for i := range n {
		*at[byte](p + uintptr(i)) = byte(v >> (8 * i))
	}
}

func (s *simulated) push(v uint64) {
	s.reg[simSP] -= 8
	s.store(s.reg[simSP], 8, v)
}

func (s *simulated) pop() uint64 {
	v := s.load(s.reg[simSP], 8)
	s.reg[simSP] += 8
	return v
}

// exception does what the processor does at an exception or interrupt that uses a stack of its own.
func (s *simulated) exception(vector uintptr, top uint64, code ...uint64) {
	sp := s.reg[simSP]
	s.reg[simSP] = top
	for _, v := range append([]uint64{s.selector[2], sp, s.flags, s.selector[1], s.ip}, code...) {
		s.push(v)
	}
	s.flags &^= simIF
	s.ip = uint64(vector)
}

// number is the number of a general register and its size in bytes; -1 for other registers.
func number(r x86asm.Reg) (n, size int) {
	switch {
	case r >= x86asm.RAX && r <= x86asm.R15:
		return int(r - x86asm.RAX), 8
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return int(r - x86asm.EAX), 4
	case r >= x86asm.AX && r <= x86asm.R15W:
		return int(r - x86asm.AX), 2
	case r >= x86asm.AL && r <= x86asm.BL:
		return int(r - x86asm.AL), 1
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return int(r-x86asm.SPB) + simSP, 1
	}
	return -1, 8
}

func (s *simulated) address(m x86asm.Mem, next uint64) uint64 {
	a := uint64(m.Disp)
	switch m.Segment {
	case x86asm.FS:
		a += s.msr[simFS]
	case x86asm.GS:
		a += s.msr[simGS]
	}
	if m.Base == x86asm.RIP {
		a += next
	} else if m.Base != 0 {
		n, _ := number(m.Base)
		a += s.reg[n]
	}
	if m.Scale != 0 && m.Index != 0 {
		n, _ := number(m.Index)
		a += s.reg[n] * uint64(m.Scale)
	}
	return a
}

// operand is an operand of the instruction that is executed.
type operand struct {
	s        *simulated
	register x86asm.Reg
	inMemory bool
	address  uint64
	value    uint64
	size     int
}

func (s *simulated) operand(i x86asm.Inst, n int, next uint64) (o operand) {
	o.s = s
	switch a := i.Args[n].(type) {
	case x86asm.Reg:
		o.register = a
		_, o.size = number(a)
	case x86asm.Mem:
		o.inMemory, o.address, o.size = true, s.address(a, next), i.MemBytes
	case x86asm.Imm:
		o.value, o.size = uint64(a), 8
	case x86asm.Rel:
		o.value, o.size = next+uint64(a), 8
	}
	return o
}

func (o operand) get() uint64 {
	n, size := number(o.register)
	switch r := o.register; {
	case o.inMemory:
		return o.s.load(o.address, o.size)
	case r == 0:
		return o.value
	case r >= x86asm.ES && r <= x86asm.GS:
		return o.s.selector[r-x86asm.ES]
	case r >= x86asm.CR0 && r <= x86asm.CR8:
		return o.s.cr[r-x86asm.CR0]
	default:
		return o.s.reg[n] << (64 - 8*size) >> (64 - 8*size)
	}
}

func (o operand) set(v uint64) {
	n, size := number(o.register)
	switch r := o.register; {
	case o.inMemory:
		o.s.store(o.address, o.size, v)
	case r >= x86asm.ES && r <= x86asm.GS:
		o.s.selector[r-x86asm.ES] = v & 0xFFFF
	case r >= x86asm.CR0 && r <= x86asm.CR8:
		o.s.cr[r-x86asm.CR0] = v
	case size == 8:
		o.s.reg[n] = v
	case size == 4:
		o.s.reg[n] = v & 0xFFFF_FFFF
	default:
		mask := uint64(1)<<(8*size) - 1
		o.s.reg[n] = o.s.reg[n]&^mask | v&mask
	}
}

// setFlags sets those that depend on a result of size bytes.
func (s *simulated) setFlags(v uint64, size int, carry, overflow bool) {
	s.flags &^= simCF | simZF | simSF | simOF
	v <<= 64 - 8*size
	for bit, on := range map[uint64]bool{simCF: carry, simOF: overflow, simZF: v == 0, simSF: v>>63 != 0} {
		if on {
			s.flags |= bit
		}
	}
}

func (s *simulated) changed(format string, args ...any) {
	s.changes = append(s.changes, fmt.Sprintf(format, args...))
}

// needXSAVE faults where XGETBV and XSETBV do: without CR4.OSXSAVE, and for other registers than XCR0.
func (s *simulated) needXSAVE() {
	if s.reg[simCX]&0xFFFF_FFFF != 0 || s.cr[4]&(1<<18) == 0 {
		s.fault("register %d with CR4 %#x", s.reg[simCX], s.cr[4])
	}
}

// needVectors faults where vector instructions are off (volume 3, 2.5).
func (s *simulated) needVectors() {
	if s.cr[0]&(1<<2|1<<3) != 0 || s.cr[4]&(1<<9) == 0 {
		s.fault("a vector instruction with CR0 %#x, CR4 %#x", s.cr[0], s.cr[4])
	}
}

// step executes an instruction.
func (s *simulated) step() {
	i, err := x86asm.Decode(unsafe.Slice(at[byte](uintptr(s.ip)), 15), 64)
	if err != nil {
		s.fault("%v", err)
	}
	next := s.ip + uint64(i.Len)
	a, b := s.operand(i, 0, next), s.operand(i, 1, next)
	if c := s.operand(i, 2, next); i.Op == x86asm.IMUL && i.Args[2] != nil {
		a.set(b.get() * c.get())
		s.ip = next
		return
	}
	if to, done := s.conditional(i, a, b, next); done {
		s.ip = to
		return
	}
	switch i.Op {
	case x86asm.MOV, x86asm.MOVZX:
		a.set(b.get())
		if a.register >= x86asm.CR0 && a.register <= x86asm.CR8 {
			s.changed("%v %#x", a.register, b.get())
		}
	case x86asm.NOP:
	case x86asm.LEA:
		a.set(b.address)
	case x86asm.ADD, x86asm.SUB, x86asm.CMP, x86asm.INC, x86asm.AND, x86asm.TEST, x86asm.OR, x86asm.XOR, x86asm.SHL, x86asm.SHR,
		x86asm.BT, x86asm.BTS, x86asm.BTR, x86asm.NOT, x86asm.NEG, x86asm.IMUL, x86asm.MUL, x86asm.DIV, x86asm.DEC, x86asm.SBB:
		s.calculate(i.Op, a, b)
	case x86asm.XCHG:
		x, y := a.get(), b.get()
		a.set(y)
		b.set(x)
	case x86asm.XADD:
		s.needLock(i)
		x, y := a.get(), b.get()
		b.set(x)
		a.set(x + y)
	case x86asm.CMPXCHG:
		s.needLock(i)
		if s.flags &^= simZF; a.get() == s.reg[simAX] {
			s.flags |= simZF
			a.set(b.get())
		} else {
			s.reg[simAX] = a.get()
		}
	case x86asm.PUSH:
		s.push(a.get())
	case x86asm.POP:
		v := s.pop()
		s.operand(i, 0, next).set(v) // an address with SP is that after the POP
	case x86asm.PUSHFQ:
		s.push(s.flags)
	case x86asm.POPFQ:
		s.flags = s.pop()
	case x86asm.CALL:
		s.push(next)
		next = a.get()
	case x86asm.RET:
		next = s.pop()
	case x86asm.IRETQ:
		s.inNMI = false
		next, s.selector[1], s.flags = s.pop(), s.pop(), s.pop()
		sp, ss := s.pop(), s.pop()
		s.reg[simSP], s.selector[2] = sp, ss
	case x86asm.JMP:
		next = a.get()
	case x86asm.CLI:
		s.flags &^= simIF
	case x86asm.STI:
		s.shadow = s.flags&simIF == 0
		s.flags |= simIF
	case x86asm.CLD:
		s.flags &^= simDF
	case x86asm.OUTSB:
		for s.flags&simDF == 0 && s.reg[simCX] > 0 {
			s.out = append(s.out, byte(s.load(s.reg[simSI], 1)))
			s.reg[simSI]++
			s.reg[simCX]--
		}
		s.seen = append(s.seen, fmt.Sprintf("OUTSB %#x", s.reg[simDX]&0xFFFF))
	case x86asm.IN:
		a.set(uint64(s.in))
		s.seen = append(s.seen, fmt.Sprintf("IN %#x", s.reg[simDX]&0xFFFF))
	case x86asm.HLT, x86asm.WBINVD, x86asm.PAUSE:
		s.seen = append(s.seen, i.Op.String())
		s.changed("%v", i.Op)
	default:
		s.system(i, a, b)
	}
	s.ip = next
}

func (s *simulated) needLock(i x86asm.Inst) {
	if !slices.Contains(i.Prefix[:], x86asm.PrefixLOCK) {
		s.fault("%v without LOCK", i)
	}
}

// calculate executes an instruction that sets flags.
func (s *simulated) calculate(op x86asm.Op, a, b operand) {
	x, y, size := a.get(), b.get(), a.size
	if (op == x86asm.MUL || op == x86asm.DIV) && size != 8 {
		s.fault("%v of %d bytes", op, size)
	}
	mask := ^uint64(0) >> (64 - 8*size)
	sign := uint64(1) << (8*size - 1)
	switch op {
	case x86asm.ADD:
		v := (x + y) & mask
		s.setFlags(v, size, v < x, (x^v)&(y^v)&sign != 0)
		a.set(v)
	case x86asm.INC:
		carry := s.flags&simCF != 0
		v := (x + 1) & mask
		s.setFlags(v, size, carry, v == sign)
		a.set(v)
	case x86asm.SUB, x86asm.CMP:
		y &= mask
		v := (x - y) & mask
		s.setFlags(v, size, x < y, (x^y)&(x^v)&sign != 0)
		if op == x86asm.SUB {
			a.set(v)
		}
	case x86asm.AND, x86asm.TEST:
		s.setFlags(x&y, size, false, false)
		if op == x86asm.AND {
			a.set(x & y)
		}
	case x86asm.OR:
		s.setFlags(x|y, size, false, false)
		a.set(x | y)
	case x86asm.XOR:
		s.setFlags(x^y, size, false, false)
		a.set(x ^ y)
	case x86asm.SHL:
		s.setFlags(x<<y, size, false, false)
		a.set(x << y)
	case x86asm.SHR:
		s.setFlags(x>>y, size, false, false)
		a.set(x >> y)
	case x86asm.BT:
		s.flags = s.flags&^simCF | x>>y&1
	case x86asm.BTS:
		s.flags = s.flags&^simCF | x>>y&1
		a.set(x | 1<<y)
	case x86asm.BTR:
		s.flags = s.flags&^simCF | x>>y&1
		a.set(x &^ (1 << y))
	case x86asm.NOT:
		a.set(^x)
	case x86asm.NEG:
		s.setFlags(-x, size, x != 0, x == sign)
		a.set(-x)
	case x86asm.IMUL:
		a.set(x * y)
	case x86asm.SBB:
		carry := s.flags & simCF
		y &= mask
		v := (x - y - carry) & mask
		s.setFlags(v, size, x < y || x == y && carry != 0, (x^y)&(x^v)&sign != 0)
		a.set(v)
	case x86asm.MUL:
		s.reg[simDX], s.reg[simAX] = bits.Mul64(s.reg[simAX], x)
	case x86asm.DIV:
		s.reg[simAX], s.reg[simDX] = bits.Div64(s.reg[simDX], s.reg[simAX], x)
	}
}

// holds says whether a condition holds that is in the name of an instruction, behind J, SET or CMOV.
func (s *simulated) holds(condition string) (holds, known bool) {
	below, zero, sign := s.flags&simCF != 0, s.flags&simZF != 0, s.flags&simSF != 0
	less := sign != (s.flags&simOF != 0)
	holds, known = map[string]bool{"E": zero, "B": below, "BE": below || zero, "L": less, "LE": less || zero, "S": sign}[condition]
	if !known {
		opposite := map[string]string{"NE": "E", "AE": "B", "A": "BE", "GE": "L", "G": "LE", "NS": "S"}[condition]
		if opposite == "" {
			return false, false
		}
		holds, known = s.holds(opposite)
		holds = !holds
	}
	return holds, known
}

// conditional executes an instruction that depends on a condition, and returns where it goes; false if it is another.
func (s *simulated) conditional(i x86asm.Inst, a, b operand, next uint64) (uint64, bool) {
	name := i.Op.String()
	for _, kind := range []string{"J", "SET", "CMOV"} {
		condition, is := strings.CutPrefix(name, kind)
		holds, known := s.holds(condition)
		if !is || !known {
			continue
		}
		switch {
		case kind == "SET" && holds:
			a.set(1)
		case kind == "SET":
			a.set(0)
		case kind == "CMOV" && holds:
			a.set(b.get())
		case kind == "CMOV":
			a.set(a.get())
		case holds:
			next = a.get()
		}
		return next, true
	}
	return next, false
}

// system executes an instruction that reads or writes registers other than general ones.
func (s *simulated) system(i x86asm.Inst, a, b operand) {
	r := &s.reg
	wide := r[simDX]<<32 | r[simAX]&0xFFFF_FFFF
	split := func(v uint64) { r[simAX], r[simDX] = v&0xFFFF_FFFF, v>>32 }
	switch i.Op {
	case x86asm.RDTSC:
		split(s.ticks)
		s.ticks += s.tick
	case x86asm.RDMSR:
		split(s.msr[uint32(r[simCX])])
	case x86asm.WRMSR:
		s.msr[uint32(r[simCX])] = wide
		s.changed("MSR %#x %#x", r[simCX]&0xFFFF_FFFF, wide)
	case x86asm.XGETBV:
		s.needXSAVE()
		split(s.xcr0)
	case x86asm.XSETBV:
		s.needXSAVE()
		s.xcr0 = wide
	case x86asm.CPUID:
		v := s.cpuid(r[simAX]&0xFFFF_FFFF, r[simCX]&0xFFFF_FFFF)
		r[simAX], r[simBX], r[simCX], r[simDX] = v[0], v[1], v[2], v[3]
	case x86asm.LGDT:
		s.gdtr = *at[tableRegister](s.byteAt(a.address, 10))
	case x86asm.LIDT:
		s.idtr = *at[tableRegister](s.byteAt(a.address, 10))
	case x86asm.SGDT:
		*at[tableRegister](s.byteAt(a.address, 10)) = s.gdtr
	case x86asm.SIDT:
		*at[tableRegister](s.byteAt(a.address, 10)) = s.idtr
	case x86asm.LTR:
		s.task = a.get() & 0xFFFF
	case x86asm.STR:
		a.set(s.task)
	default:
		s.needVectors()
		s.vectors(i, a, b)
	}
}

// vectors executes an instruction on vector registers or their control.
func (s *simulated) vectors(i x86asm.Inst, a, b operand) {
	switch i.Op {
	case x86asm.MOVUPS:
		if a.register != 0 {
			copy(s.vector[a.register-x86asm.X0][:16], unsafe.Slice(at[byte](s.byteAt(b.address, 16)), 16))
		} else {
			copy(unsafe.Slice(at[byte](s.byteAt(a.address, 16)), 16), s.vector[b.register-x86asm.X0][:16])
		}
	case x86asm.XORPS:
		for j := range 16 {
			s.vector[a.register-x86asm.X0][j] ^= s.vector[b.register-x86asm.X0][j]
		}
	case x86asm.STMXCSR:
		s.store(a.address, 4, uint64(s.mxcsr))
	case x86asm.LDMXCSR:
		s.mxcsr = uint32(s.load(a.address, 4))
	case x86asm.FNSTCW:
		s.store(a.address, 2, uint64(s.fcw))
	case x86asm.FLDCW:
		s.fcw = uint16(s.load(a.address, 2))
	case x86asm.FXSAVE64, x86asm.FXRSTOR64:
		s.copyVectors(a.address, 16, 0, i.Op == x86asm.FXSAVE64)
	case x86asm.XSAVE64, x86asm.XRSTOR64:
		if mask := s.reg[simDX]<<32 | s.reg[simAX]&0xFFFF_FFFF; mask != s.xcr0 || s.xcr0 == 0 || a.address%64 != 0 {
			s.fault("%v with the mask %#x of %#x", i, mask, s.xcr0)
		}
		s.copyVectors(a.address, 32, 1<<63, i.Op == x86asm.XSAVE64)
	default:
		s.fault("%v", i)
	}
}

// copyVectors copies the first n bytes of all vector registers to or from an area, and the form of the area in its first word.
func (s *simulated) copyVectors(area uint64, n int, form uint64, save bool) {
	form |= uint64(n)
	if save {
		s.store(area, 8, form)
	} else if s.load(area, 8) != form {
		s.fault("vector registers are restored in another way than they were stored")
	}
	for i := range s.vector {
		p := unsafe.Slice(at[byte](s.byteAt(area+64+uint64(32*i), n)), n)
		if save {
			copy(p, s.vector[i][:])
		} else {
			copy(s.vector[i][:], p)
		}
	}
}
