//go:build linux && amd64

package metal

const (
	kernelStackSize = 64 << 10
	trapStackSize   = 16 << 10
)

// core is the state of one processor, found through GS base while the processor is
// in the kernel's world. The stacks stand in the order of their addresses on
// purpose: code that runs on a later stack with the g of an earlier one still passes
// the stack checks of its prologues.
type core struct {
	self      uintptr
	thread    uintptr // *thread that runs here
	scratch   uintptr // SP of the program, between two instructions of syscallEntry
	inKernel  uint64  // 1 from syscallEntry to resume: a fault then is the kernel's own
	kernelSP  uintptr
	kernelFS  uintptr // FS base under which FS:-8 is kernelG
	trapFS    uintptr // FS base under which FS:-8 is trapG
	kernelTLS [2]uintptr
	trapTLS   [2]uintptr

	cr3, cr4                   uint64
	codeSelector, dataSelector uint64
	gdtr, idtr                 tableRegister
	gdt                        [maxDescriptors]uint64
	tss                        taskState

	kernelG, trapG [128]uintptr // larger than runtime.g, of which only the stack bounds are used

	kernelStack [kernelStackSize]byte
	trapStack   [trapStackSize]byte // IST 1: exceptions
	abortStack  [trapStackSize]byte // IST 2: NMI, double fault, machine check
}

// bootCore is the boot processor, the only one that calls the firmware.
var bootCore core

func addresses() (syscallEntry, vectors, rt0 uintptr)
func entry()
func rdtsc() uint64
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
func rdmsr(register uint32) uint64
func wrmsr(register uint32, value uint64)
func xgetbv() uint64
func xsetbv(value uint64)
func readCR2() uint64
func readCR3() uint64
func writeCR3(value uint64)
func readCR4() uint64
func writeCR4(value uint64)
func selectors() (cs, ss uint64)
func storeTables(gdtr, idtr *tableRegister)
func loadTables(gdtr, idtr *tableRegister, ss uint64)
func loadTaskRegister(selector uint64)
func inb(port uint16) byte
func outsb(port uint16, p, n uintptr)
func rdrand() (value uint64, ok bool)
func zero(p, n uintptr)
func move(to, from, n uintptr)
func pause()
func halt()

// Model-specific registers and their bits (Intel SDM volume 4), control register bits
// (volume 3, 2.5) and CPUID bits.
const (
	msrEFER  = 0xC0000080
	msrSTAR  = 0xC0000081
	msrLSTAR = 0xC0000082
	msrFMASK = 0xC0000084

	eferSCE = 1 << 0  // SYSCALL
	eferNXE = 1 << 11 // no-execute pages

	flagsOnSyscall = 0x47700 // cleared by SYSCALL: TF, IF, DF, IOPL, NT, AC

	cr4OSFXSR     = 1 << 9
	cr4OSXMMEXCPT = 1 << 10
	cr4LA57       = 1 << 12
	cr4OSXSAVE    = 1 << 18
	cr4CET        = 1 << 23

	xcr0SSE    = 0x3  // x87, SSE
	xcr0AVX    = 0x4  // upper halves of YMM
	xcr0AVX512 = 0xE0 // opmask, upper halves of ZMM0–15, ZMM16–31
)

// initCPU turns on what Go code needs and remembers what was: SSE always, AVX and
// AVX-512 state where the processor has it. Firmware leaves OSXSAVE off, and
// without it the Go runtime's own CPU detection finds no AVX. Shadow stacks (CET)
// are off in the kernel's world, since goroutines switch stacks as they like.
func initCPU(c *core) {
	storeTables(&fw.gdtr, &fw.idtr)
	c.codeSelector, fw.ss = selectors()
	fw.cr3, fw.cr4 = readCR3(), readCR4()
	fw.efer, fw.star, fw.lstar, fw.fmask = rdmsr(msrEFER), rdmsr(msrSTAR), rdmsr(msrLSTAR), rdmsr(msrFMASK)
	c.cr4 = fw.cr4&^cr4CET | cr4OSFXSR | cr4OSXMMEXCPT
	_, _, features, _ := cpuid(1, 0)
	if xsave := features>>26&1 != 0; xsave {
		c.cr4 |= cr4OSXSAVE
	}
	writeCR4(c.cr4)
	if c.cr4&cr4OSXSAVE != 0 {
		fw.xcr0 = xgetbv()
		state := uint64(xcr0SSE)
		supported, _, _, _ := cpuid(0xD, 0)
		if avx := features>>28&1 != 0; avx && supported&xcr0AVX != 0 {
			state |= xcr0AVX
			if supported&xcr0AVX512 == xcr0AVX512 {
				state |= xcr0AVX512
			}
		}
		xsetbv(state)
	}
	if _, _, _, extended := cpuid(0x80000001, 0); extended>>20&1 != 0 {
		noExecute = 1 << 63
		wrmsr(msrEFER, fw.efer|eferNXE)
	}
}

// initSyscall points SYSCALL at the kernel. Go's SYSCALL comes from ring 0 and
// stays there: the CPU loads CS and SS from STAR[47:32] and the next descriptor.
func initSyscall(c *core) {
	entry, _, _ := addresses()
	wrmsr(msrSTAR, c.codeSelector<<32)
	wrmsr(msrLSTAR, uint64(entry))
	wrmsr(msrFMASK, flagsOnSyscall)
	wrmsr(msrEFER, rdmsr(msrEFER)|eferSCE)
}

// Registers are those of the firmware that the kernel changes.
type Registers struct {
	CR3, CR4, XCR0           uint64
	EFER, STAR, LSTAR, FMASK uint64
	FSBase, GSBase           uint64
}

// FirmwareRegisters returns what the firmware had in its registers when the program
// began, and has again when it ends; all zero under an operating system.
func FirmwareRegisters() Registers {
	return Registers{fw.cr3, fw.cr4, fw.xcr0, fw.efer, fw.star, fw.lstar, fw.fmask, fw.fs, fw.gs}
}

// restoreCPU puts back what initCPU and its successors changed.
// The task register stays: it cannot be loaded with the null selector it had.
func restoreCPU() {
	loadTables(&fw.gdtr, &fw.idtr, fw.ss)
	writeCR3(fw.cr3)
	if bootCore.cr4&cr4OSXSAVE != 0 {
		xsetbv(fw.xcr0)
	}
	writeCR4(fw.cr4)
	fw.away = false
	wrmsr(msrSTAR, fw.star)
	wrmsr(msrLSTAR, fw.lstar)
	wrmsr(msrFMASK, fw.fmask)
	wrmsr(msrEFER, fw.efer)
}
