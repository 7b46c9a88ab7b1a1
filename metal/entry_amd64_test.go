//go:build linux

package metal

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// programState is what a program sees of a processor.
type programState struct {
	reg    [16]uint64
	ip     uint64
	flags  uint64
	vector [16][32]byte
	mxcsr  uint32
	fcw    uint16
	fs, gs uint64
	cs, ss uint64
}

func (s *simulated) program() programState {
	return programState{s.reg, s.ip, s.flags, s.vector, s.mxcsr, s.fcw, s.msr[simFS], s.msr[simGS], s.selector[1], s.selector[2]}
}

// simulatedKernel is a processor in the kernel's world, and what belongs to it.
type simulatedKernel struct {
	*simulated
	core   *core
	thread *thread
	area   *[2 * pageSize]byte
	abort  uint64 // end of the stack of NMIs
	stack  uint64 // of the program

	kernelFS, trapFS, kernelSP uintptr // of the core
}

// programIP is where a program is, and goIP somewhere in the kernel's Go code: behind all assembly, as the program's is.
const programIP = 0x7000_1234_5678

// newKernel makes one that executes the program: random registers, but for SP and the bases.
func newKernel(t *testing.T, random *rand.Rand) *simulatedKernel {
	k := &simulatedKernel{simulated: newSimulated(t, random), core: new(core), thread: new(thread)}
	c := k.core
	lend(k.simulated, c)
	lend(k.simulated, k.thread)
	lend(k.simulated, &ending)
	c.self, c.thread = address(c), address(k.thread)
	k.kernelSP, k.kernelFS, k.trapFS = address(&c.kernelStack)+kernelStackSize, uintptr(random.Uint64()>>17), uintptr(random.Uint64()>>17)
	c.kernelSP, c.kernelFS, c.trapFS = k.kernelSP, k.kernelFS, k.trapFS
	c.codeSelector, c.dataSelector = 0x38, 0x40
	c.nmis, c.nmisSent = 6, 6
	c.xcr0 = 7
	k.xcr0 = 7
	k.area = new([2 * pageSize]byte)
	lend(k.simulated, k.area)
	k.abort, k.stack = k.simulated.stack(0), k.simulated.stack(0)-512
	k.reg[simSP] = k.stack
	k.msr[simGS] = uint64(c.self)
	k.thread.fs = k.msr[simFS]
	k.selector[2] = c.dataSelector
	return k
}

// lendArea lets the next NMI interrupt the thread.
func (k *simulatedKernel) lendArea() *vectorArea {
	a := (address(k.area) + pageSize - 1) &^ (pageSize - 1)
	v := at[vectorArea](a)
	v.used, k.core.vectorArea = 1, uint64(a)
	return v
}

// nmi is one that another core has sent, or, if it has not, the machine.
func (k *simulatedKernel) nmi() {
	if k.inNMI {
		k.t.Fatalf("%s: a second NMI", k.where())
	}
	k.inNMI = true
	_, _, nmi, _, _ := addresses()
	k.exception(nmi, k.abort)
}

// wantKernel checks what Go code of the kernel relies on, after the CALL of it: its stack, FS, no frame, zero in X15.
func (k *simulatedKernel) wantKernel(fs, stack uintptr) {
	k.t.Helper()
	if k.reg[simSP] != uint64(stack) || k.msr[simFS] != uint64(fs) || k.msr[simGS] != uint64(k.core.self) {
		k.t.Errorf("SP %#x, FS %#x, GS %#x, want %#x, %#x, %#x", k.reg[simSP], k.msr[simFS], k.msr[simGS], stack, fs, k.core.self)
	}
	if k.reg[simBP] != 0 || [16]byte(k.vector[15][:16]) != [16]byte{} || k.flags&(simDF|simIF) != 0 {
		k.t.Errorf("BP %#x, X15 %x, flags %#x", k.reg[simBP], k.vector[15], k.flags)
	}
}

// scramble changes all registers that a function in Go may change.
func (s *simulated) scramble(random *rand.Rand) {
	sp := s.reg[simSP]
	other := newSimulated(s.t, random)
	s.reg, s.vector, s.flags = other.reg, other.vector, s.flags&simIF|other.flags&^simDF
	s.reg[simSP] = sp
}

func seeded(n int) *rand.Rand { return rand.New(rand.NewPCG(uint64(n), 1)) }

// nmiBefore lets an NMI come before the n-th instruction that the kernel executes, counted from 0.
func (k *simulatedKernel) nmiBefore(n int) {
	k.before = func() {
		if k.executed-1 == n && k.ip != programIP && !k.inNMI {
			n = -1
			k.core.nmisSent++
			k.nmi()
		}
	}
}

// saved are the registers that a thread has while it does not run.
func (r *registers) saved() [16]uint64 {
	return [16]uint64{r.ax, r.cx, r.dx, r.bx, r.sp, r.bp, r.si, r.di, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15}
}

// callSystem executes SYSCALL (SDM volume 2) with an NMI before the n-th instruction of the kernel, and returns how many there are.
func callSystem(t *testing.T, n int) (instructions int) {
	random := seeded(n)
	k := newKernel(t, random)
	area := k.lendArea()
	k.stopAt(programIP)
	k.flags |= simIF | simDF
	k.reg[simCX], k.reg[11], k.ip = programIP, k.flags, programIP
	want := k.program()
	k.calls["syscall"] = func() {
		k.wantKernel(k.kernelFS, k.kernelSP)
		if r := &k.thread.registers; r.saved() != want.reg || r.ip != programIP || r.flags != want.flags || k.core.inKernel != 1 {
			t.Errorf("the system call has the registers %x, want %x", r.saved(), want.reg)
		}
		k.scramble(random)
		k.thread.ax = 4711
	}
	k.nmiBefore(n)
	entry, _, _, _, _ := addresses()
	k.flags &^= 0x47700
	k.run(entry)
	want.reg[simAX], want.vector = 4711, k.vector
	if got := k.program(); got != want {
		t.Errorf("NMI before instruction %d: the program has %x, had %x", n, got, want)
	}
	if k.core.nmis != k.core.nmisSent || k.core.inKernel != 0 || area.used != 1 || k.core.vectorArea == 0 {
		t.Errorf("NMI before instruction %d: %d of %d counted, in the kernel %d", n, k.core.nmis, k.core.nmisSent, k.core.inKernel)
	}
	return k.executed - 1
}

// TestSystemCallRegisters: a system call gets the program's registers and changes none but AX and what SYSCALL itself changes.
// So it is with an NMI before each instruction on the way in and out, which is only counted.
func TestSystemCallRegisters(t *testing.T) {
	for n := callSystem(t, -1); n >= 0 && !t.Failed(); n-- {
		callSystem(t, n)
	}
}

// TestInterruptedProgram: an NMI takes the processor from the program, which later goes on with all registers; the area for its
// vector registers is then free. So it is with and without XSAVE, and another NMI on the way is only counted.
func TestInterruptedProgram(t *testing.T) {
	for _, xcr0 := range []uint64{7, 0xE7, 0} {
		for n := interruptProgram(t, xcr0, -1); n >= 0 && !t.Failed(); n-- {
			interruptProgram(t, xcr0, n)
		}
	}
}

func interruptProgram(t *testing.T, xcr0 uint64, n int) (instructions int) {
	random := seeded(n)
	k := newKernel(t, random)
	k.core.xcr0, k.xcr0 = xcr0, xcr0
	area := k.lendArea()
	k.flags |= simIF | simDF
	k.ip = programIP
	if n&1 == 0 {
		k.ip = 0x1234 // below the kernel's
	}
	k.stopAt(k.ip)
	want := k.program()
	k.calls["giveUpBoot"] = func() {
		k.wantKernel(k.kernelFS, k.kernelSP)
		r := &k.thread.registers
		if r.saved() != want.reg || r.ip != want.ip || r.flags != want.flags || k.core.inKernel != 1 || k.inNMI {
			t.Errorf("the thread has the registers %x, flags %#x, want %x, %#x", r.saved(), r.flags, want.reg, want.flags)
		}
		if r.mayTakeSignal() || k.core.vectorArea != 0 || area.used != 1 {
			t.Error("the thread has no vector registers")
		}
		k.scramble(random)
	}
	k.nmiBefore(n)
	k.core.nmisSent++
	k.nmi()
	k.run(uintptr(k.ip))
	got := k.program()
	if xcr0 == 0 {
		for i := range got.vector {
			copy(got.vector[i][16:], want.vector[i][16:])
		}
	}
	if got != want || !k.thread.mayTakeSignal() || area.used != 0 || k.core.nmis != k.core.nmisSent || k.core.inKernel != 0 || k.core.vectorArea != 0 {
		t.Errorf("XCR0 %#x, NMI before instruction %d: the program has %x, had %x; area %d", xcr0, n, got, want, area.used)
	}
	return k.executed - 1
}

// TestNMI: one that has nothing to do, or arrives in the kernel, changes nothing; so does one in trap before it has set inKernel,
// where FS is not the program's. When the program ends, a core that runs it goes to stop.
func TestNMI(t *testing.T) {
	handler, _, nmi, _, _ := addresses()
	for _, c := range []struct {
		name                    string
		ip                      uint64
		inKernel, ending, fault uint64
		room                    bool
		want                    string
	}{
		{"the program, no room for vectors", programIP, 0, 0, 0, false, ""},
		{"the program", programIP, 0, 0, 0, true, "giveUpBoot"},
		{"the program, before the kernel's entry", uint64(handler) - 1, 0, 0, 0, true, "giveUpBoot"},
		{"the kernel's entry", uint64(handler), 0, 0, 0, true, ""},
		{"the kernel's way out", uint64(nmi) - 1, 0, 0, 0, true, ""},
		{"the kernel", programIP, 1, 0, 0, true, ""},
		{"a fault of the program", programIP, 0, 0, 8, true, ""},
		{"the program at the end", programIP, 0, 1, 0, true, "stop"},
		{"the program at the end, no room for vectors", programIP, 0, 1, 0, false, "stop"},
		{"the kernel at the end", programIP, 1, 1, 0, true, ""},
	} {
		k := newKernel(t, seeded(1))
		if c.room {
			k.lendArea()
		}
		k.core.inKernel, k.msr[simFS], ending = c.inKernel, k.msr[simFS]+c.fault, c.ending
		k.ip = c.ip
		k.stopAt(c.ip)
		want, got := k.program(), ""
		for _, name := range []string{"stop", "giveUpBoot"} {
			k.calls[name] = func() {
				k.wantKernel(k.kernelFS, k.kernelSP)
				if k.selector[1] != 0x38 || k.selector[2] != 0x40 || k.flags != flagsOfHandler || k.inNMI || k.core.inKernel != 1 {
					t.Errorf("%s: flags %#x, selectors %x", c.name, k.flags, k.selector)
				}
				got, k.done = name, true
			}
		}
		k.core.nmisSent++
		k.nmi()
		k.run(nmi)
		ending = 0
		if got != c.want || c.want == "" && k.program() != want || k.core.nmis != 7 {
			t.Errorf("%s: it went to %q, want %q; %d NMIs", c.name, got, c.want, k.core.nmis)
		}
	}
}

// TestTrapFrame: trap gets the number of the exception, the processor's registers, error code and all, and what is to go on after
// it has those that it has left in the thread. An NMI that no core has sent is exception 2.
func TestTrapFrame(t *testing.T) {
	_, vectors, nmi, _, _ := addresses()
	for vector := range uint64(32) {
		random := seeded(int(vector))
		k := newKernel(t, random)
		k.flags |= simDF
		k.ip = programIP
		want := k.program()
		k.calls["trap"] = func() {
			if sp := k.reg[simSP]; sp%16 != 0 {
				t.Errorf("exception %d: the stack is not aligned: %#x", vector, sp)
			}
			k.wantKernel(k.trapFS, uintptr(k.reg[simSP]))
			k.byteAt(k.load(k.reg[simSP], 8), int(unsafe.Sizeof(trapFrame{}))-8)
			f := at[trapFrame](uintptr(k.load(k.reg[simSP], 8)))
			got := [16]uint64{f.ax, f.cx, f.dx, f.bx, f.cpu[4], f.bp, f.si, f.di, f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15}
			cpu := [4]uint64{f.cpu[1], f.cpu[2], f.cpu[3], f.cpu[5]}
			if vector == 2 {
				got[simSP], cpu = f.cpu[3], [4]uint64{f.cpu[0], f.cpu[1], f.cpu[2], f.cpu[4]}
			} else if f.cpu[0] != 0x123 {
				t.Errorf("exception %d: code %#x", vector, f.cpu[0])
			}
			if got != want.reg || cpu != [4]uint64{programIP, want.cs, want.flags, want.ss} {
				t.Errorf("exception %d: registers %x, %x, want %x", vector, got, cpu, want)
			}
			if n := (f.stub-uint64(vectors))/vectorStride - 1; n != vector {
				t.Errorf("exception %d: %d", vector, n)
			}
			k.done = true
		}
		if vector == 2 {
			k.nmi()
			k.run(nmi)
			continue
		}
		k.exception(vectors+uintptr(5*vector), k.abort-8*(vector%2), 0x123)
		k.run(uintptr(k.ip))
	}
}

// TestHandlerRegisters: what a thread begins with in a handler, or goes on with after one.
func TestHandlerRegisters(t *testing.T) {
	_, vectors, _, _, _ := addresses()
	for n := range 2 {
		random := seeded(n)
		k := newKernel(t, random)
		k.stopAt(programIP + 7)
		want := newKernel(t, random).program()
		want.reg[simSP], want.ip, want.fs, want.gs = k.stack-64, programIP+7, 0xC0_0012_3458, k.msr[simGS]
		want.cs, want.ss = 0x38, 0x40
		k.calls["trap"] = func() {
			r := &k.thread.registers
			r.ax, r.cx, r.dx, r.bx, r.sp, r.bp, r.si, r.di = want.reg[0], want.reg[1], want.reg[2], want.reg[3], want.reg[4], want.reg[5], want.reg[6], want.reg[7]
			r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 = want.reg[8], want.reg[9], want.reg[10], want.reg[11], want.reg[12], want.reg[13], want.reg[14], want.reg[15]
			r.ip, r.flags, r.fs = want.ip, want.flags, want.fs
			k.core.inKernel = 1
			k.scramble(random)
		}
		k.exception(vectors+6*5, k.abort)
		k.run(uintptr(k.ip))
		want.vector = k.vector
		if got := k.program(); got != want || k.core.inKernel != 0 || [16]byte(k.vector[15][:]) != [16]byte{} {
			t.Errorf("registers %x, want %x", got, want)
		}
	}
}

// TestInterrupt: an interrupt is ended in the APIC, by its register or its MSR (SDM volume 3, 11.8.5 and 11.12.1.2), and changes nothing.
func TestInterrupt(t *testing.T) {
	_, _, _, interrupt, _ := addresses()
	for _, x2APIC := range []uint64{0, 1 << 10} {
		k := newKernel(t, seeded(1))
		var window [1024]uint32
		a := lend(k.simulated, &window)
		for i := range window {
			window[i] = 1
		}
		k.memory = append(k.memory, simulatedMemory{from: 0x7FFF_FFFF_0000, to: 0x7FFF_FFFF_1000, at: a})
		k.core.x2APIC = x2APIC
		k.stopAt(programIP)
		k.ip = programIP
		k.msr[0x80B] = 1
		want := k.program()
		k.exception(interrupt, k.reg[simSP]-128)
		k.run(interrupt)
		if got := k.program(); got != want {
			t.Errorf("registers %x, want %x", got, want)
		}
		if x2APIC != 0 && (window[0xB0/4] != 1 || k.msr[0x80B] != 0) || x2APIC == 0 && (window[0xB0/4] != 0 || k.msr[0x80B] != 1) {
			t.Errorf("x2APIC %#x: register %d, MSR %d", x2APIC, window[0xB0/4], k.msr[0x80B])
		}
	}
}

// simulatedFirmware is a processor in the firmware's world.
type simulatedFirmware struct {
	*simulated
	core          *core
	system        efiSystemTable
	output        efiSimpleTextOutput
	returnAddress uint64
	stack         uint64
}

const (
	firmwareCR3   = 0x5000
	outputString  = 0xF000_0000_0010 // where OutputString is
	firmwareIP    = 0xF000_0000_0020
	theirFunction = 0x8000_0000_0030 // where the firmware's function is
)

// newSimulatedFirmware makes one that is about to call the kernel: with vector instructions on or off, and DF set,
// which the convention forbids.
func newSimulatedFirmware(t *testing.T, random *rand.Rand, c *core) *simulatedFirmware {
	f := &simulatedFirmware{simulated: newSimulated(t, random), core: c, returnAddress: firmwareIP}
	s := f.simulated
	lend(s, c)
	lend(s, &imageHandle)
	lend(s, &systemTableAddress)
	lend(s, &arrivals)
	lend(s, &cores)
	lend(s, &f.system)
	lend(s, &f.output)
	f.system.conOut = address(&f.output)
	f.output.outputString = outputString
	s.cr = [9]uint64{0: 0x8001_0030 | random.Uint64()&0xE, 3: firmwareCR3, 4: 0x0010_00E8 | random.Uint64()&0x600} // MP, EM, TS; OSFXSR, OSXMMEXCPT
	f.stack = s.stack(firmwareCR3) - 1024
	s.reg[simSP] = f.stack
	s.push(firmwareIP)
	s.stopAt(firmwareIP)
	s.flags |= simDF
	s.cpuid = func(leaf, _ uint64) [4]uint64 {
		switch leaf {
		case 1:
			return [4]uint64{1, 2, 3, 0x078B_FBFF}
		case 0x8000_0001:
			return [4]uint64{4, 5, 6, 0x2C10_0800}
		}
		t.Errorf("CPUID %#x", leaf)
		return [4]uint64{}
	}
	return f
}

// protected are the registers that a function of the firmware's calling convention keeps (UEFI 2.10, 2.3.4.2), and control
// registers, flags and bases.
func (s *simulated) protected() programState {
	p := s.program()
	p.flags &= simIF | simDF
	for _, r := range []int{simAX, simCX, simDX, 8, 9, 10, 11} {
		p.reg[r] = 0
	}
	for i := range p.vector {
		p.vector[i] = [32]byte{}
		if i >= 6 {
			copy(p.vector[i][:16], s.vector[i][:])
		}
	}
	return p
}

// wantG checks a g and the FS base with which code finds it (runtime/runtime2.go and asm_amd64.s).
func wantG(t *testing.T, name string, g *[128]uintptr, fs, stack, size uintptr) {
	t.Helper()
	if g[2] != stack+1024 || g[3] != stack+1024 || g[1] != stack+size || g[0] != stack || *at[uintptr](fs - 8) != address(g) {
		t.Errorf("%s: %#x, FS base %#x, stack %#x", name, g[:4], fs, stack)
	}
}

// wantEntered checks what a function in Go finds that begins a processor's work in the kernel, and what is known of the firmware then.
func (f *simulatedFirmware) wantEntered(before programState, flags uint64) {
	t, c := f.t, f.core
	t.Helper()
	if c.self != address(c) || c.inKernel != 1 || c.kernelSP != address(&c.kernelStack)+kernelStackSize || f.msr[simGS] != uint64(c.self) ||
		f.msr[simFS] != uint64(c.kernelFS) || f.reg[simSP] != uint64(c.kernelSP) {
		t.Errorf("self %#x, in kernel %d, kernel SP %#x, GS %#x, FS %#x, SP %#x", c.self, c.inKernel, c.kernelSP, f.msr[simGS], f.msr[simFS], f.reg[simSP])
	}
	wantG(t, "kernelG", &c.kernelG, c.kernelFS, address(&c.kernelStack), kernelStackSize)
	wantG(t, "trapG", &c.trapG, c.trapFS, address(&c.trapStack), trapStackSize)
	fw := &c.firmware
	if uint64(fw.sp)%16 != 0 || uint64(fw.sp) > f.stack-8 || uint64(fw.sp) < f.stack-512 || (fw.flags^flags)&(simIF|simDF) != 0 || fw.fs != before.fs || fw.gs != before.gs {
		t.Errorf("the firmware's SP %#x, flags %#x, FS %#x, GS %#x, were %#x, %#x, %#x, %#x", fw.sp, fw.flags, fw.fs, fw.gs, f.stack, flags, before.fs, before.gs)
	}
	if f.flags&(simIF|simDF) != 0 || f.mxcsr != 0x1F80 || f.fcw != 0x37F || f.reg[simBP] != 0 || [16]byte(f.vector[15][:]) != [16]byte{} {
		t.Errorf("flags %#x, MXCSR %#x, x87 %#x, BP %#x, X15 %x", f.flags, f.mxcsr, f.fcw, f.reg[simBP], f.vector[15])
	}
	if f.cr != [9]uint64{0: 0x8001_0032, 3: firmwareCR3, 4: 0x0010_06E8} {
		t.Errorf("control registers %#x", f.cr)
	}
}

// enter calls entry or apEntry, which call a function in Go, and then leaveTo with a status. The kernel leaves other bits than those of
// vector instructions in CR0 and CR4 as restoreCPU has them.
func (f *simulatedFirmware) enter(ip uintptr, name string, random *rand.Rand, resume bool) {
	t, c := f.t, f.core
	th := new(thread)
	lend(f.simulated, th)
	want := f.protected()
	want.ip, want.reg[simSP] = firmwareIP, f.stack
	flags, cr := f.flags, f.cr
	f.calls[name] = func() {
		f.wantEntered(want, flags)
		f.scramble(random)
		if resume {
			*th = thread{}
			th.ip, th.sp, th.flags = programIP, uint64(c.kernelSP)-640, 2
			c.thread = address(th)
			return
		}
		f.cr[0], f.cr[4] = f.cr[0]&^0x10000, f.cr[4]|1<<21
		f.msr[simFS], f.msr[simGS] = 1, uint64(c.self)
		f.mxcsr, f.fcw = 0x1FA0, 0x77F
		sp := f.reg[simSP] - 256
		f.reg[simSP] = sp
		f.store(sp+8, 8, uint64(c.self))
		f.store(sp+16, 8, 0x8000_0000_0000_0015)
		f.ip = uint64(assemblyOf(leaveTo))
	}
	f.stopAt(programIP)
	f.run(ip)
	if resume {
		if f.ip != programIP || c.inKernel != 0 || f.reg[simSP] != uint64(c.kernelSP)-640 {
			t.Errorf("%s: the program does not begin: %#x", name, f.ip)
		}
		return
	}
	if got := f.protected(); got != want || f.reg[simAX] != 0x8000_0000_0000_0015 || c.returning != 1 {
		t.Errorf("%s: the firmware has %x, status %#x, had %x", name, got, f.reg[simAX], want)
	}
	if f.cr[0] != cr[0]&^0x10000 || f.cr[4] != cr[4]|1<<21 {
		t.Errorf("%s: control registers %#x, were %#x", name, f.cr, cr)
	}
}

// assemblyOf returns where the assembly of a function is, which Go code calls by way of another.
func assemblyOf(f any) uintptr {
	for p := reflect.ValueOf(f).Pointer(); ; {
		i, err := x86asm.Decode(unsafe.Slice(at[byte](p), 15), 64)
		if err != nil {
			panic(err)
		}
		p += uintptr(i.Len)
		if to, ok := i.Args[0].(x86asm.Rel); ok && (i.Op == x86asm.CALL || i.Op == x86asm.JMP) {
			return p + uintptr(to)
		}
	}
}

// TestEntry: the program's beginning and end keep what the firmware's calling convention says, and the registers of vector
// instructions, which the firmware may have off.
func TestEntry(t *testing.T) {
	defer func() { bootCore, imageHandle, systemTableAddress = core{}, 0, 0 }()
	for n := range 8 {
		random := seeded(n)
		f := newSimulatedFirmware(t, random, &bootCore)
		bootCore = core{}
		if n&1 == 0 {
			f.flags |= simIF
		}
		f.reg[simCX], f.reg[simDX] = 0x1122_3344_5566, uint64(address(&f.system))
		f.enter(assemblyOf(entry), "startKernel", random, n >= 4)
		if imageHandle != 0x1122_3344_5566 || systemTableAddress != address(&f.system) {
			t.Errorf("image %#x, system table %#x", imageHandle, systemTableAddress)
		}
	}
}

// TestOtherProcessors: each takes the next number and its core; one for which there is no core goes back at once.
func TestOtherProcessors(t *testing.T) {
	_, _, _, _, ap := addresses()
	defer func() { arrivals, cores = 0, [maxCores]uintptr{} }()
	for _, c := range []struct {
		arrived uint32
		number  int
		room    bool
	}{{0, 1, true}, {0, 1, false}, {4, 5, true}, {maxCores - 2, maxCores - 1, true}, {maxCores - 1, 0, false}, {maxCores, 0, false}} {
		random := seeded(c.number)
		f := newSimulatedFirmware(t, random, new(core))
		arrivals, cores = c.arrived, [maxCores]uintptr{}
		if c.room {
			cores[c.number] = address(f.core)
			f.enter(ap, "startAP", random, c.arrived == 4)
		} else {
			want, cr := f.protected(), f.cr
			f.run(ap)
			want.ip, want.reg[simSP] = firmwareIP, f.stack
			if got := f.protected(); got != want || f.cr != cr {
				t.Errorf("after %d others: the firmware has %x, had %x", c.arrived, got, want)
			}
		}
		if arrivals != c.arrived+1 {
			t.Errorf("%d arrivals", arrivals)
		}
	}
}

// TestRefused: a processor that lacks one of the features in the line gets that line on the console, if there is one, and
// EFI_UNSUPPORTED (Intel SDM volume 2, CPUID; UEFI 2.10, appendix D).
func TestRefused(t *testing.T) {
	const line = "This program needs a processor with CMOV, CMPXCHG8B, FXSR, SSE2, SYSCALL and TSC, and this one lacks one of them.\r\n\x00"
	for _, c := range []struct {
		leaf    uint64
		bit     int
		console bool
	}{
		{1, 4, true}, {1, 8, true}, {1, 15, true}, {1, 24, true}, {1, 25, true}, {1, 26, true}, // TSC, CX8, CMOV, FXSR, SSE, SSE2
		{0x8000_0001, 11, true}, {0x8000_0001, 11, false}, {1, 26, false}, // SYSCALL
	} {
		f := newSimulatedFirmware(t, seeded(c.bit), new(core))
		with := f.cpuid
		f.cpuid = func(leaf, subleaf uint64) [4]uint64 {
			v := with(leaf, subleaf)
			if leaf == c.leaf {
				v[3] &^= 1 << c.bit
			}
			return v
		}
		if !c.console {
			f.system.conOut = 0
		}
		said := ""
		f.places[outputString] = func() {
			if f.reg[simCX] != uint64(f.system.conOut) || (f.reg[simSP]+8)%16 != 0 || f.reg[simSP] > f.stack-8-32-8 {
				t.Errorf("OutputString of %#x with SP %#x", f.reg[simCX], f.reg[simSP])
			}
			for p := f.reg[simDX]; said == "" || said[len(said)-1] != 0; p += 2 {
				said += string(utf16.Decode([]uint16{*at[uint16](uintptr(p))}))
			}
			f.store(f.reg[simSP]+8, 8, 0)
			f.store(f.reg[simSP]+32, 8, 0)
			f.ip = f.pop()
		}
		want := f.protected()
		want.ip, want.reg[simSP] = firmwareIP, f.stack
		f.reg[simDX] = uint64(address(&f.system))
		cr := f.cr
		f.run(assemblyOf(entry))
		if got := f.protected(); got != want || f.cr != cr || f.reg[simAX] != 0x8000_0000_0000_0003 || c.console != (said == line) {
			t.Errorf("without bit %d of leaf %#x: status %#x, %q; the firmware has %x, had %x", c.bit, c.leaf, f.reg[simAX], said, got, want)
		}
	}
}

// TestCallFirmware: a function of the firmware gets its ten arguments in its own world, and the kernel its own again and the
// status, whatever the function has changed. Interrupts come only where all is the firmware's, and if they did at the start.
func TestCallFirmware(t *testing.T) {
	defer func() { bootCore, worldEntered = core{}, false }()
	for n := range 8 {
		bootCore = core{}
		worldEntered = n&1 != 0
		callSimulated(t, n, n&2 != 0, n&4 != 0)
	}
}

// world is what the kernel and the firmware each have of their own.
type world struct {
	cr0, cr3, cr4, fs, gs, ss uint64
	gdtr, idtr                tableRegister
}

func (s *simulated) world() world {
	return world{s.cr[0], s.cr[3], s.cr[4], s.msr[simFS], s.msr[simGS], s.selector[2], s.gdtr, s.idtr}
}

func (s *simulated) setWorld(w world) {
	s.cr[0], s.cr[3], s.cr[4], s.msr[simFS], s.msr[simGS], s.selector[2], s.gdtr, s.idtr = w.cr0, w.cr3, w.cr4, w.fs, w.gs, w.ss, w.gdtr, w.idtr
}

// randomWorld makes one with random bases, with vector instructions on.
func randomWorld(random *rand.Rand, cr3, ss uint64) world {
	w := world{cr0: 0x8001_0033 ^ random.Uint64()&0x20, cr3: cr3, cr4: 0x668 | random.Uint64()&0x1800, fs: random.Uint64() >> 17, gs: random.Uint64() >> 17, ss: ss}
	w.gdtr.set(uintptr(random.Uint64()>>17), 0x1000)
	w.idtr.set(uintptr(random.Uint64()>>17), 0x800)
	return w
}

func callSimulated(t *testing.T, n int, open, changes bool) {
	random := seeded(n)
	s := newSimulated(t, random)
	c, fw := &bootCore, &bootCore.firmware
	lend(s, c)
	lend(s, &worldEntered)
	const kernelCR3 = 0x9000
	ours, theirs := randomWorld(random, kernelCR3, 0x40), randomWorld(random, firmwareCR3, 0x30)
	ours.gs = uint64(address(c))
	c.kernelFS, c.cr0, c.cr3, c.cr4, c.dataSelector, c.gdtr, c.idtr = uintptr(ours.fs), ours.cr0, ours.cr3, ours.cr4, ours.ss, ours.gdtr, ours.idtr
	fw.fs, fw.gs, fw.cr0, fw.cr3, fw.cr4, fw.ss, fw.gdtr, fw.idtr = theirs.fs, theirs.gs, theirs.cr0, theirs.cr3, theirs.cr4, theirs.ss, theirs.gdtr, theirs.idtr
	fw.flags = 0xFFFF_FFFF_FFFF_FDFF
	if open {
		fw.flags = 1 << 9
	}
	inside := theirs
	if !worldEntered {
		inside = ours // the kernel has not changed anything yet
		s.cr[3] = kernelCR3
	}
	s.setWorld(ours)
	fw.sp = uintptr(s.stack(inside.cr3)) - 1024
	kernel := s.stack(0) - 1024
	args := &[10]uintptr{}
	lend(s, args)
	for i := range args {
		args[i] = uintptr(random.Uint64())
	}
	s.open = func() {
		if s.world() != inside {
			s.fault("an interrupt comes in %+v", s.world())
		}
	}
	s.places[theirFunction] = func() {
		sp := s.reg[simSP]
		got := [10]uintptr{uintptr(s.reg[simCX]), uintptr(s.reg[simDX]), uintptr(s.reg[8]), uintptr(s.reg[9])}
		for i := 4; i < 10; i++ {
			got[i] = uintptr(s.load(sp+8+uint64(8*i), 8))
		}
		if got != *args || (sp+8)%16 != 0 || s.world() != inside || s.mxcsr != 0x1F80 || s.fcw != 0x37F || s.flags&simDF != 0 || (s.flags&simIF != 0) != open {
			t.Errorf("arguments %x, want %x; SP %#x, world %+v, want %+v; MXCSR %#x, x87 %#x, flags %#x", got, *args, sp, s.world(), inside, s.mxcsr, s.fcw, s.flags)
		}
		for i := range uint64(4) { // the shadow space is the function's
			s.store(sp+8+8*i, 8, random.Uint64())
		}
		if changes && worldEntered {
			theirs = randomWorld(random, firmwareCR3, theirs.ss)
			theirs.fs, theirs.gs = inside.fs, inside.gs // which no service changes
			inside = theirs
			s.setWorld(theirs)
		}
		kept := s.reg
		s.scramble(random)
		for _, r := range []int{simBX, simBP, simSI, simDI, 12, 13, 14, 15} {
			s.reg[r] = kept[r]
		}
		s.flags |= simIF | simDF // some services end with STI
		s.mxcsr, s.fcw = 0x5F80, 0x27F
		s.reg[simAX] = 0x8000_0000_0000_1234
		s.ip = s.pop()
	}
	const back = 0x1234_5678
	s.stopAt(back)
	s.reg[simSP] = kernel
	s.store(kernel, 8, back)
	s.store(kernel+8, 8, theirFunction)
	s.store(kernel+16, 8, uint64(address(args)))
	s.flags = 2
	s.run(assemblyOf(callFirmware))
	if s.world() != ours || s.reg[simSP] != kernel+8 || s.load(kernel+24, 8) != 0x8000_0000_0000_1234 || s.flags&(simIF|simDF) != 0 ||
		s.mxcsr != 0x1F80 || s.fcw != 0x37F || [16]byte(s.vector[15][:]) != [16]byte{} {
		t.Errorf("the kernel has %+v, want %+v; SP %#x, status %#x, flags %#x", s.world(), ours, s.reg[simSP], s.load(kernel+24, 8), s.flags)
	}
	if got := (world{fw.cr0, fw.cr3, fw.cr4, fw.fs, fw.gs, fw.ss, fw.gdtr, fw.idtr}); worldEntered && got != inside || !worldEntered && got != theirs {
		t.Errorf("the firmware's world is %+v, want %+v", got, inside)
	}
}

// TestAddresses: the addresses of the assembly, by the names that the linker has.
func TestAddresses(t *testing.T) {
	a, b, c, d, e := addresses()
	for want, p := range map[string]uintptr{"bootllama/metal.syscallEntry": a, "bootllama/metal.vectors": b, "bootllama/metal.nmiEntry": c,
		"bootllama/metal.interruptEntry": d, "bootllama/metal.apEntry": e, "_rt0_amd64_linux": runtimeEntry()} {
		if f := runtime.FuncForPC(p); f.Name() != want || f.Entry() != p {
			t.Errorf("%#x is %s, want %s", p, f.Name(), want)
		}
	}
}
