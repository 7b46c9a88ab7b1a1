//go:build linux

package metal

// processor is the part of a core's state that only x86-64 has. In the kernel's world the
// GS base is the address of the core.
type processor struct {
	scratch   uintptr // SP of the program, between two instructions of syscallEntry
	kernelFS  uintptr // FS base with which FS:-8, where Go code finds its g, is kernelG
	trapFS    uintptr // the same for trapG
	kernelTLS [2]uintptr
	trapTLS   [2]uintptr

	nmis, nmisSent uint64 // that nmiEntry has taken, and that other cores have sent
	vectorArea     uint64 // *vectorArea for the thread that the next NMI interrupts; 0: it interrupts none

	apicID, x2APIC             uint64 // x2APIC: not 0 if the local APIC is in that mode
	cr0, cr3, cr4, xcr0        uint64 // the kernel's; xcr0 is 0 without OSXSAVE
	pat, patEntry              uint64 // the kernel's IA32_PAT, 0 without; the entry in it for write-combining
	codeSelector, dataSelector uint64
	gdtr, idtr                 tableRegister
	firmware                   firmwareState
	gdt                        [maxDescriptors]uint64
	tss                        taskState

	trapG      [128]uintptr        // as kernelG
	abortStack [trapStackSize]byte // IST 2: NMI, double fault, machine check
}

// firmwareState is what the firmware has in the registers that the kernel changes: read
// at the start, and on the boot processor after each call, and restored at the end.
type firmwareState struct {
	sp            uintptr // of the firmware's stack; callFirmware uses the stack below it
	flags         uint64
	fs, gs        uint64 // segment bases
	cr0, cr3, cr4 uint64
	ss, task      uint64 // selectors; task is 0 in most firmware
	gdtr, idtr    tableRegister

	efer, star, lstar, fmask, xcr0 uint64
	pat                            uint64
	spuriousVector, taskPriority   uint32 // of the local APIC, except on the boot processor
}

// addresses returns where entry_amd64.s has syscallEntry, vectors, nmiEntry,
// interruptEntry and apEntry.
func addresses() (syscallEntry, vectors, nmi, interrupt, ap uintptr)

// Single instructions (cpu_amd64.s).
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
func rdmsr(register uint32) uint64
func wrmsr(register uint32, value uint64)
func xgetbv() uint64
func xsetbv(value uint64)
func controlRegisters() (cr0, cr2, cr3, cr4 uint64)
func writeCR0(value uint64)
func writeCR3(value uint64)
func writeCR4(value uint64)
func selectors() (cs, ss uint64)
func storeTables(gdtr, idtr *tableRegister)
func loadTables(gdtr, idtr *tableRegister, ss uint64)
func loadTaskRegister(selector uint64)
func taskRegister() (selector uint64)
func inb(port uint16) byte
func outsb(port uint16, p, n uintptr)
func writeBackCaches()

// Model-specific registers and their bits (Intel SDM volume 4), control register bits
// (volume 3, 2.5) and CPUID bits.
const (
	msrPAT   = 0x277
	msrEFER  = 0xC0000080
	msrSTAR  = 0xC0000081
	msrLSTAR = 0xC0000082
	msrFMASK = 0xC0000084

	eferSCE = 1 << 0  // SYSCALL
	eferNXE = 1 << 11 // no-execute pages

	cpuidBaseline   = 1<<4 | 1<<8 | 1<<15 | 7<<24 // leaf 1, EDX: TSC, CMPXCHG8B, CMOV, FXSR, SSE, SSE2
	cpuidSyscallBit = 11                          // leaf 0x80000001, EDX

	flagsOnSyscall = 0x47700 // cleared by SYSCALL: TF, IF, DF, IOPL, NT, AC

	cr0MP = 1 << 1 // with TS and EM clear: vector instructions do not trap
	cr0EM = 1 << 2
	cr0TS = 1 << 3
	cr0NE = 1 << 5
	cr0WP = 1 << 16 // read-only pages are read-only for ring 0, too
	cr0NW = 1 << 29
	cr0CD = 1 << 30

	cr0Vector = cr0MP | cr0EM | cr0TS
	cr4Vector = cr4OSFXSR | cr4OSXMMEXCPT

	cr4PGE        = 1 << 7
	cr4OSFXSR     = 1 << 9
	cr4OSXMMEXCPT = 1 << 10
	cr4LA57       = 1 << 12
	cr4OSXSAVE    = 1 << 18
	cr4CET        = 1 << 23

	xcr0SSE    = 0x3  // x87, SSE
	xcr0AVX    = 0x4  // upper halves of YMM
	xcr0AVX512 = 0xE0 // opmask, upper halves of ZMM0–15, ZMM16–31
)

// initCPU saves the firmware's registers and turns on what Go code needs besides SSE, which
// SAVE_FIRMWARE has turned on: AVX and AVX-512 state where the processor has it. Firmware leaves OSXSAVE off, and without
// it the Go runtime's own CPU detection finds no AVX. Shadow stacks (CET) are off in the
// kernel's world, since the runtime switches between the stacks of goroutines.
func initCPU(c *core) {
	fw := &c.firmware
	storeTables(&fw.gdtr, &fw.idtr)
	c.codeSelector, fw.ss = selectors()
	fw.task = taskRegister()
	fw.cr0, _, fw.cr3, fw.cr4 = controlRegisters()
	fw.efer, fw.star, fw.lstar, fw.fmask = rdmsr(msrEFER), rdmsr(msrSTAR), rdmsr(msrLSTAR), rdmsr(msrFMASK)
	c.cr0 = fw.cr0 | cr0NE | cr0WP
	c.cr4 = fw.cr4 &^ cr4CET
	_, _, features, _ := cpuid(1, 0)
	if xsave := features>>26&1 != 0; xsave {
		c.cr4 |= cr4OSXSAVE
	}
	writeCR4(c.cr4)
	if c.cr4&cr4OSXSAVE != 0 {
		fw.xcr0 = xgetbv()
		c.xcr0 = xcr0SSE
		supported, _, _, _ := cpuid(0xD, 0)
		if avx := features>>28&1 != 0; avx && supported&xcr0AVX != 0 {
			c.xcr0 |= xcr0AVX
			if supported&xcr0AVX512 == xcr0AVX512 {
				c.xcr0 |= xcr0AVX512
			}
		}
		xsetbv(c.xcr0)
	}
	if _, _, _, extended := cpuid(0x80000001, 0); extended>>20&1 != 0 {
		noExecute = 1 << 63
		wrmsr(msrEFER, fw.efer|eferNXE)
	}
	initPAT(c)
}

const (
	patReset          = 0x0007040600070406 // write-back, write-through, uncached-, uncached, and again
	patWriteCombining = 1
)

// initPAT gives the page attribute table (Intel SDM volume 3, 11.12) an entry for
// write-combining, the same on every core. It stays during calls of the firmware, whose page
// tables are used then, so it must be one that they do not use: after a reset, entries 4 to 7
// are the same as 0 to 3, and nobody needs the bit of a page that selects them. Entry 6 is then
// "uncached-", which is as good for a device. If the firmware has changed the table, an entry
// for write-combining that it may have is used; if it has none, the table stays.
func initPAT(c *core) {
	_, _, _, features := cpuid(1, 0)
	c.patEntry = 3 // uncached
	if features>>16&1 == 0 {
		return
	}
	c.firmware.pat = rdmsr(msrPAT)
	if c.isBoot() {
		c.pat, c.patEntry = withWriteCombining(c.firmware.pat)
	} else {
		c.pat, c.patEntry = bootCore.pat, bootCore.patEntry
	}
	writePAT(c.firmware.pat, c.pat)
}

// withWriteCombining returns a page attribute table with an entry for write-combining, and its
// number, or that of the entry for uncached memory if there must be no such entry.
func withWriteCombining(pat uint64) (with, entry uint64) {
	for i := range uint64(8) {
		if pat>>(8*i)&0xFF == patWriteCombining {
			return pat, i
		}
	}
	if pat != patReset {
		return pat, 3
	}
	return pat&^(0xFF<<48) | patWriteCombining<<48, 6
}

// writePAT changes the page attribute table as 11.12.4 and 11.11.8 want: without caches and
// without translations that have been made with the old one. Where a processor looks into its
// own caches (self-snoop), they need not be written back.
func writePAT(old, value uint64) {
	if old == value {
		return
	}
	_, _, _, features := cpuid(1, 0)
	selfSnoop := features>>27&1 != 0
	cr0, _, cr3, cr4 := controlRegisters()
	writeCR0(cr0&^cr0NW | cr0CD)
	if !selfSnoop {
		writeBackCaches()
	}
	writeCR4(cr4 &^ cr4PGE)
	writeCR3(cr3)
	wrmsr(msrPAT, value)
	if !selfSnoop {
		writeBackCaches()
	}
	writeCR3(cr3)
	writeCR0(cr0)
	writeCR4(cr4)
}

// isFit says whether a core can take part. The program and the kernel move from core to
// core; so what the boot processor has, every other must have, too: the selector of the
// code segment, which the shared IDT names; no-execute pages and the number of levels,
// since the page tables are shared; and the vector registers, since the Go runtime looks on
// one core which of them it may use. Its local APIC must be on, so that others can wake it.
func (c *core) isFit() bool {
	return c.codeSelector == bootCore.codeSelector && (c.cr4^bootCore.cr4)&cr4LA57 == 0 && c.xcr0 == bootCore.xcr0 &&
		(noExecute == 0 || rdmsr(msrEFER)&eferNXE != 0) && rdmsr(msrAPICBase)&apicBaseEnabled != 0
}

// initSyscall makes the SYSCALL instruction enter the kernel. Go's SYSCALL is executed in
// ring 0 and stays there: the CPU loads CS and SS from STAR[47:32] and the next descriptor.
func initSyscall(c *core) {
	lstar, _, _, _, _ := addresses()
	wrmsr(msrSTAR, c.codeSelector<<32)
	wrmsr(msrLSTAR, uint64(lstar))
	wrmsr(msrFMASK, flagsOnSyscall)
	wrmsr(msrEFER, rdmsr(msrEFER)|eferSCE)
}

// Registers are the firmware's values of the registers that the kernel changes.
type Registers struct {
	CR0, CR3, CR4, XCR0          uint64
	EFER, STAR, LSTAR, FMASK     uint64
	FSBase, GSBase               uint64
	PAT                          uint64
	GDTBase, IDTBase             uintptr
	SpuriousVector, TaskPriority uint32 // of the local APIC, where the kernel changes them
}

// FirmwareRegisters returns what the firmware had in the registers of a processor when
// the program began, and has again when it ends. Number 0 is the boot processor; the
// others have numbers up to 255, with gaps. All are zero if there is no such core, or under
// an operating system.
func FirmwareRegisters(number int) Registers {
	if number < 0 || number >= maxCores || cores[number] == 0 {
		return Registers{}
	}
	c := coreNumber(number)
	if !c.isBoot() && c.online == 0 {
		return Registers{}
	}
	fw := &c.firmware
	return Registers{fw.cr0, fw.cr3, fw.cr4, fw.xcr0, fw.efer, fw.star, fw.lstar, fw.fmask, fw.fs, fw.gs,
		fw.pat, fw.gdtr.base(), fw.idtr.base(), fw.spuriousVector, fw.taskPriority}
}

// restoreCPU gives the registers the firmware's values again. The task register stays if it
// had the null selector, which cannot be loaded.
func restoreCPU(c *core) {
	fw := &c.firmware
	writeCR3(fw.cr3) // first: our tables may not map the firmware's
	writePAT(c.pat, fw.pat)
	loadTables(&fw.gdtr, &fw.idtr, fw.ss)
	writeCR0(c.cr0 &^ cr0WP) // the firmware's descriptors may be read-only
	restoreTask(fw)
	if c.cr4&cr4OSXSAVE != 0 {
		xsetbv(fw.xcr0)
	}
	writeCR0(fw.cr0) // before CR4, where CET can be on only with WP (Intel SDM volume 2, MOV to control registers)
	writeCR4(fw.cr4)
	wrmsr(msrSTAR, fw.star)
	wrmsr(msrLSTAR, fw.lstar)
	wrmsr(msrFMASK, fw.fmask)
	wrmsr(msrEFER, fw.efer)
}

// restoreTask loads the task register again, whose descriptor then must not be marked as busy
// (Intel SDM volume 2, LTR). Firmware has a task state where exceptions have stacks of their
// own, as with EDK2's PcdCpuStackGuard. A selector of no such descriptor is one that something
// has left behind.
func restoreTask(fw *firmwareState) {
	const typeMask, available, busy = 0x1F << 40, 0x9 << 40, 0xB << 40
	if fw.task&^7 == 0 || fw.task&4 != 0 || fw.task+15 > uint64(fw.gdtr.limit) {
		return
	}
	d := at[uint64](fw.gdtr.base() + uintptr(fw.task&^7))
	if *d&typeMask != available && *d&typeMask != busy {
		return
	}
	*d = *d&^typeMask | available
	loadTaskRegister(fw.task)
}

// changed says whether initCPU has run.
func (c *core) changed() bool { return c.cr4 != 0 }

// counterRate computes the time-stamp counter's rate from CPUID leaf 0x15 (Intel SDM
// volume 2, CPUID): crystal frequency × numerator / denominator; 0 where any is not given.
func counterRate() uint64 {
	if highest, _, _, _ := cpuid(0, 0); highest < 0x15 {
		return 0
	}
	denominator, numerator, crystal, _ := cpuid(0x15, 0)
	if denominator == 0 || numerator == 0 {
		return 0
	}
	return uint64(crystal) * uint64(numerator) / uint64(denominator)
}

// hasHardwareRandom says whether the processor announces RDRAND.
func hasHardwareRandom() bool {
	_, _, features, _ := cpuid(1, 0)
	return features>>30&1 != 0
}
