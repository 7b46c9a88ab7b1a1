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

// TestPAT gives page attribute tables an entry for write-combining (Intel SDM volume 3, 11.12.3).
func TestPAT(t *testing.T) {
	for _, c := range []struct{ pat, want, entry uint64 }{
		{0x0007040600070406, 0x0001040600070406, 6}, // after a reset
		{0x0407050600070106, 0x0407050600070106, 1}, // as Linux sets it
		{0x0007010600070406, 0x0007010600070406, 5}, // the firmware has one
		{0x0007040500070406, 0x0007040500070406, 3}, // the firmware has changed it, and has none
		{0, 0, 3},
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
