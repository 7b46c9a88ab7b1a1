//go:build linux

package metal

import (
	"testing"
	"unsafe"
)

// archLayouts are the layouts of x86-64: Linux's asm/sigcontext.h, asm/stat.h and
// epoll.h, Intel SDM volume 3.
func archLayouts() []layout {
	var (
		frame  signalFrame
		st     stat
		tables tableRegister
		tss    taskState
		trap   trapFrame
	)
	return []layout{
		{"ucontext", unsafe.Offsetof(frame.context), 8},
		{"ucontext.uc_stack", unsafe.Offsetof(frame.context.stackSP), 16},
		{"sigcontext.r8", unsafe.Offsetof(frame.context.r8), 40},
		{"sigcontext.rip", unsafe.Offsetof(frame.context.ip), 40 + 16*8},
		{"sigcontext.err", unsafe.Offsetof(frame.context.err), 40 + 19*8},
		{"sigcontext.cr2", unsafe.Offsetof(frame.context.cr2), 40 + 22*8},
		{"ucontext.uc_sigmask", unsafe.Offsetof(frame.context.mask), 296},
		{"siginfo.si_addr", unsafe.Offsetof(frame.info.addr), 16},
		{"siginfo", unsafe.Sizeof(frame.info), 128},
		{"stat.st_mode", unsafe.Offsetof(st.mode), 24},
		{"stat.st_size", unsafe.Offsetof(st.size), 48},
		{"stat.st_mtime", unsafe.Offsetof(st.modified), 88},
		{"stat", unsafe.Sizeof(st), 144},
		{"epoll_event", unsafe.Sizeof(epollEvent{}), 12},

		{"GDTR", unsafe.Sizeof(tables), 10},
		{"TSS", unsafe.Sizeof(tss), 104},
		{"trap frame below the CPU's", unsafe.Offsetof(trap.cpu), 16 * 8},
	}
}

// TestProcessorNumbers compares numbers of registers and their bits with the Intel SDM.
func TestProcessorNumbers(t *testing.T) {
	for name, n := range map[string][2]uint64{
		// Volume 4, table 2-2.
		"IA32_APIC_BASE": {msrAPICBase, 0x1B}, "IA32_PAT": {msrPAT, 0x277}, "IA32_EFER": {msrEFER, 0xC0000080}, "IA32_STAR": {msrSTAR, 0xC0000081},
		"IA32_LSTAR": {msrLSTAR, 0xC0000082}, "IA32_FMASK": {msrFMASK, 0xC0000084},
		"EFER.SCE": {eferSCE, 0x1}, "EFER.NXE": {eferNXE, 0x800}, "APIC_BASE.EXTD": {apicBaseX2APIC, 0x400}, "APIC_BASE.EN": {apicBaseEnabled, 0x800},
		// Volume 1, 3.4.3: what SYSCALL clears is TF, IF, DF, IOPL, NT and AC.
		"FMASK": {flagsOnSyscall, 0x100 | 0x200 | 0x400 | 0x3000 | 0x4000 | 0x40000}, "flags of a handler": {flagsOfHandler, 2},
		"flags of a program": {flagsOfProgram, 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x400 | 0x800},
		// Volume 3, 2.5 and 2.6.
		"CR0.MP": {cr0MP, 0x2}, "CR0.EM": {cr0EM, 0x4}, "CR0.TS": {cr0TS, 0x8}, "CR0.NE": {cr0NE, 0x20}, "CR0.WP": {cr0WP, 0x10000},
		"CR0.NW": {cr0NW, 0x20000000}, "CR0.CD": {cr0CD, 0x40000000}, "CR0's of vectors": {cr0Vector, 0xE},
		"CR4.PGE": {cr4PGE, 0x80}, "CR4.OSFXSR": {cr4OSFXSR, 0x200}, "CR4.OSXMMEXCPT": {cr4OSXMMEXCPT, 0x400}, "CR4.LA57": {cr4LA57, 0x1000},
		"CR4.OSXSAVE": {cr4OSXSAVE, 0x40000}, "CR4.CET": {cr4CET, 0x800000}, "CR4's of vectors": {cr4Vector, 0x600},
		"XCR0 of SSE": {xcr0SSE, 0x3}, "XCR0 of AVX": {xcr0AVX, 0x4}, "XCR0 of AVX-512": {xcr0AVX512, 0xE0},
		// Volume 2, CPUID.
		"CPUID.1:EDX": {cpuidBaseline, 0x07008110}, "CPUID.80000001H:EDX": {cpuidSyscallBit, 11},
		// Volume 3, 11.12.2 and 11.12.4.
		"PAT after a reset": {patReset, 0x0007040600070406}, "write-combining": {patWriteCombining, 1},
		// Volume 3, table 11-1, 11.6.1, 11.8.3 and 11.9; with x2APIC from 800H on (table 11-6).
		"APIC ID": {apicID, 0x20}, "TPR": {apicTaskPriority, 0x80}, "EOI": {apicEOI, 0xB0}, "SVR": {apicSpurious, 0xF0}, "ICR": {apicCommand, 0x300},
		"ICR, high": {apicDestination, 0x310}, "x2APIC": {msrX2APIC, 0x800}, "SVR.enable": {spuriousEnable, 0x100}, "spurious vector": {spuriousVector, 0xFF},
		"ICR, fixed": {commandFixed, 0x4000}, "ICR, NMI": {commandNMI, 0x4400}, "ICR, INIT": {commandINIT, 0x4500}, "ICR, pending": {commandPending, 0x1000},
		// Volume 3, tables 4-15 to 4-20.
		"P": {entryPresent, 0x1}, "R/W": {entryWritable, 0x2}, "PWT": {entryWriteThrough, 0x8}, "PCD": {entryCacheDisable, 0x10}, "PS": {entryLarge, 0x80},
		"PAT of 4 KiB": {entryPAT, 0x80}, "PAT of more": {entryPATLarge, 0x1000}, "address": {entryAddress, 0x000F_FFFF_FFFF_F000},
		// PI 1.7 volume 2, 13.4.
		"PROCESSOR_AS_BSP_BIT": {efiProcessorAsBSP, 1}, "PROCESSOR_ENABLED_BIT": {efiProcessorEnabled, 2},
	} {
		if n[0] != n[1] {
			t.Errorf("%s is %#x, the specification says %#x", name, n[0], n[1])
		}
	}
	if wakeVector < 32 || wakeVector > 255 { // below are exceptions
		t.Errorf("the vector of interrupts is %#x", wakeVector)
	}
	if apicWindow%pageSize != 0 || apicWindow < userTop || apicWindow+pageSize > 1<<47 {
		t.Errorf("the APIC is mapped at %#x", apicWindow)
	}
}

// TestEntries: entries of page tables for each use (volume 3, tables 4-15 to 4-20).
func TestEntries(t *testing.T) {
	defer func(nx uint64) { noExecute = nx }(noExecute)
	for _, nx := range []uint64{0, 1 << 63} {
		noExecute = nx
		const p = 0x1234_5678_9000
		for name, e := range map[string][2]uint64{
			"a table": {tableEntry(p), p | 3}, "text": {textEntry(p), p | 1}, "constants": {constantEntry(p), p | 1 | nx}, "data": {dataEntry(p, false), p | 3 | nx},
			"a large page": {dataEntry(p, true), p | 0x83 | nx}, "a device": {deviceEntry(p), p | 0x1B | nx},
		} {
			if e[0] != e[1] {
				t.Errorf("%s: %#x, want %#x", name, e[0], e[1])
			}
		}
		if isLarge(dataEntry(p, false)) || !isLarge(dataEntry(p, true)) || isLarge(tableEntry(p)) {
			t.Error("large pages are not told from others")
		}
	}
}

// TestRoot: CR3 is the table of level 4, or one of level 5 whose first entry is that (4.5.4).
func TestRoot(t *testing.T) {
	defer func(use Memory) { regionCount, memoryUse = 0, use }(memoryUse)
	memory := new([2 * pageSize]byte)
	base := (address(memory) + pageSize - 1) &^ (pageSize - 1)
	for _, c := range []struct {
		name      string
		cr4       uint64
		room      uintptr
		want      bool
		root, has uint64
	}{
		{"four levels", cr4PGE, 0, true, 0x5000, 0},
		{"five levels", 1<<12 | cr4PGE, pageSize, true, uint64(base), 0x5003},
		{"five levels, no memory", 1 << 12, 0, false, 0x5000, 0},
	} {
		core := new(core)
		core.firmware.cr4 = c.cr4
		regions[0], regionCount = region{low: base, high: base + c.room}, 1
		*memory = [2 * pageSize]byte{}
		if got := usePageTables(core, 0x5000); got != c.want || core.cr3 != c.root || *at[uint64](base) != c.has {
			t.Errorf("%s: %v, CR3 %#x, first entry %#x", c.name, got, core.cr3, *at[uint64](base))
		}
	}
}

func TestDescriptors(t *testing.T) {
	if unsafe.Offsetof(bootCore.trapStack) >= unsafe.Offsetof(bootCore.processor)+unsafe.Offsetof(bootCore.processor.abortStack) {
		t.Error("the stacks of a core are not in the order that trap relies on")
	}
	var tss taskState
	tss.setIST(1, 0x1234_5678_9ABC)
	if tss[9] != 0x5678_9AB0 || tss[10] != 0x1234 { // 8.7: IST1 at byte 36
		t.Errorf("IST 1: %#x %#x", tss[9], tss[10])
	}
	var tables tableRegister
	tables.set(0x1122_3344_5566_7788, 0x1000)
	if tables.base() != 0x1122_3344_5566_7788 || tables.limit != 0xFFF {
		t.Errorf("table register: base %#x limit %#x", tables.base(), tables.limit)
	}
}

// TestGDT makes the descriptor tables of a core whose firmware has a GDT with the largest
// limit, at an address that cannot be read: they have what CS, SS and TR need.
func TestGDT(t *testing.T) {
	for _, code := range []uint64{0x08, 0x10, 0x38, 60 * 8} {
		c := new(core)
		c.codeSelector = code
		c.firmware.gdtr.set(1, 1<<16)
		if !hasRoomForSelector(code) {
			t.Fatalf("no room for selector %#x", code)
		}
		initTraps(c)
		n := code / 8
		if d := c.gdt[n]; d>>40&0xFF != 0x9B || d>>53&3 != 1 { // present, ring 0, code; L set, D clear
			t.Errorf("selector %#x: code descriptor %#x", code, d)
		}
		if d := c.gdt[n+1]; c.dataSelector != code+8 || d>>40&0xFF != 0x93 {
			t.Errorf("selector %#x: data descriptor %#x at %#x", code, d, c.dataSelector)
		}
		low, high := c.gdt[n+2], c.gdt[n+3]
		if c.gdt[n] != 0x00AF_9B00_0000_FFFF || c.gdt[n+1] != 0x00CF_9300_0000_FFFF {
			t.Errorf("selector %#x: descriptors %#x, %#x", code, c.gdt[n], c.gdt[n+1])
		}
		for i, d := range c.gdt {
			if d != 0 && (uint64(i) < n || uint64(i) > n+3) {
				t.Errorf("selector %#x: descriptor %#x at %d", code, d, i*8)
			}
		}
		want := taskState{25: 104 << 16} // 8.7 and 8.5.3: no bitmap; interrupt stacks 1 and 2 from byte 36 on
		want[9], want[10] = uint32((address(&c.trapStack)+trapStackSize)&^15), uint32(address(&c.trapStack)>>32)
		want[11], want[12] = uint32((address(&c.abortStack)+trapStackSize)&^15), uint32(address(&c.abortStack)>>32)
		if c.tss != want {
			t.Errorf("selector %#x: task state %#x, want %#x", code, c.tss, want)
		}
		if c.idtr.base() != address(&idt) || c.idtr.limit != 4095 {
			t.Errorf("IDT at %#x with limit %#x", c.idtr.base(), c.idtr.limit)
		}
		if base := uintptr(low>>16&0xFF_FFFF | low>>56<<24 | high<<32); base != address(&c.tss) || low>>40&0xFF != 0x89 || low&0xFFFF != 103 {
			t.Errorf("selector %#x: task state %#x %#x", code, low, high)
		}
		if c.gdtr.base() != address(&c.gdt) || uint64(c.gdtr.limit) != (n+4)*8-1 {
			t.Errorf("selector %#x: GDT at %#x with limit %#x", code, c.gdtr.base(), c.gdtr.limit)
		}
	}
	for _, code := range []uint64{0, 4, 0xC, 0x3B, 61 * 8, 0xFFF8} {
		if hasRoomForSelector(code) {
			t.Errorf("selector %#x of the code segment is taken", code)
		}
	}
}

// TestIDT: the gates of exceptions and interrupts (6.14.1): the stack of the table is 2 for what may come at any place, 1 for other
// exceptions, and none for interrupts.
func TestIDT(t *testing.T) {
	_, vectors, nmi, interrupt, _ := addresses()
	c := new(core)
	c.codeSelector = 0x1238
	fillIDT(c)
	for i, gate := range idt {
		ip, stack := vectors+uintptr(i)*5, uint64(1)
		switch {
		case i == 2:
			ip, stack = nmi, 2
		case i == 8 || i == 18: // 6.15: double fault, machine check
			stack = 2
		case i >= 32:
			ip, stack = interrupt, 0
		}
		got := uintptr(gate[0]&0xFFFF | gate[0]>>48<<16 | gate[1]<<32)
		if got != ip || gate[0]>>16&0xFFFF != 0x1238 || gate[0]>>32&0xFF != stack || gate[0]>>40&0xFF != 0x8E || gate[1]>>32 != 0 {
			t.Errorf("%d: gate %#x %#x, want %#x on stack %d", i, gate[0], gate[1], ip, stack)
		}
	}
}

// TestPAT gives page attribute tables an entry for write-combining (Intel SDM volume 3, 11.12.3).
func TestPAT(t *testing.T) {
	for _, c := range []struct{ pat, want, entry uint64 }{
		{0x0007040600070406, 0x0001040600070406, 6}, // after a reset
		{0x0407050600070106, 0x0407050600070106, 1}, // as Linux sets it
		{0x0007010600070406, 0x0007010600070406, 5}, // the firmware has one
		{0x0007040500070406, 0x0007040500070406, 3}, // the firmware has changed it, and has none
		{0, 0, 3},
		{0x0107040600070406, 0x0107040600070406, 7},
		{0x0007040600070401, 0x0007040600070401, 0},
	} {
		if got, entry := withWriteCombining(c.pat); got != c.want || entry != c.entry {
			t.Errorf("%#016x: %#016x, entry %d; want %#016x, entry %d", c.pat, got, entry, c.want, c.entry)
		}
	}
	defer func(entry, nx uint64) { bootCore.patEntry, noExecute = entry, nx }(bootCore.patEntry, noExecute)
	noExecute = 1 << 63
	const pwt, pcd, pat, patLarge = 1 << 3, 1 << 4, 1 << 7, 1 << 12 // 4.5.4, tables 4-18 and 4-20
	for entry, bits := range []struct{ small, large uint64 }{
		{0, 0}, {pwt, pwt}, {pcd, pcd}, {pwt | pcd, pwt | pcd},
		{pat, patLarge}, {pwt | pat, pwt | patLarge}, {pcd | pat, pcd | patLarge}, {pwt | pcd | pat, pwt | pcd | patLarge},
	} {
		bootCore.patEntry = uint64(entry)
		if small, large := writeCombiningEntry(1<<30, false), writeCombiningEntry(1<<30, true); small != 1<<63|1<<30|3|bits.small || large != 1<<63|1<<30|0x83|bits.large {
			t.Errorf("entry %d: %#x, %#x", entry, small, large)
		}
	}
}
