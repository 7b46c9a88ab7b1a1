//go:build linux && amd64

package metal

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"
)

// TestAllocate takes all of two ranges, page by page and large page by large page, and compares what is given and counted.
func TestAllocate(t *testing.T) {
	defer func(use Memory) { regionCount, memoryUse = 0, use }(memoryUse)
	memory := bytes.Repeat([]byte{0xFF}, 6*largePageSize)
	base := (uintptr(unsafe.Pointer(&memory[0])) + largePageSize - 1) &^ (largePageSize - 1)
	// One range of two large pages and three pages on each side of them, one of a large page that is not aligned.
	first := region{low: base + largePageSize - 3*pageSize, high: base + 3*largePageSize + 3*pageSize}
	second := region{low: base + 3*largePageSize + 5*pageSize, high: base + 4*largePageSize + 5*pageSize}
	regions[0], regions[1], regionCount, memoryUse = first, second, 2, Memory{}
	if n := unallocated(); n != 3*largePageSize+6*pageSize {
		t.Errorf("%d bytes in the beginning", n)
	}
	given := func(what string, p, want, size uintptr) {
		t.Helper()
		if p != want {
			t.Fatalf("%s at %#x, want %#x, of %#x", what, p, want, base)
		}
		if p != 0 && bytes.ContainsFunc(memory[p-uintptr(unsafe.Pointer(&memory[0])):][:size], func(r rune) bool { return r != 0 }) {
			t.Errorf("%s at %#x: not zero", what, p)
		}
	}
	large := func(want uintptr) { t.Helper(); given("a large page", allocLargePage(), want, largePageSize) }
	small := func(n, want uintptr) { t.Helper(); given(fmt.Sprint(n, " pages"), allocPages(n), want, n*pageSize) }
	large(base + 2*largePageSize) // the second range has none, its pages are for small ones
	small(2, first.low)
	large(base + largePageSize)
	large(0)
	small(2, second.low) // the first has one page left
	small(1, first.low+2*pageSize)
	small(largePageSize/pageSize-1, 0)
	small(largePageSize/pageSize-2, second.low+2*pageSize)
	small(1, 0)
	if n := unallocated(); n != 0 || memoryUse.Used != 3*largePageSize+3*pageSize {
		t.Errorf("%d bytes are left, %d are used", n, memoryUse.Used)
	}
}

// TestUsable: which ranges of the firmware's map are taken.
func TestUsable(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(d *efiMemoryDescriptor)
		want   bool
	}{
		{"free memory", func(*efiMemoryDescriptor) {}, true},
		{"from 1 MiB on", func(d *efiMemoryDescriptor) { d.physicalStart = 1 << 20 }, true},
		{"the last page below 1 MiB", func(d *efiMemoryDescriptor) { d.physicalStart = 1<<20 - 4096 }, false},
		{"boot services' data", func(d *efiMemoryDescriptor) { d.typ = 4 }, false},
		{"persistent memory", func(d *efiMemoryDescriptor) { d.typ = 14 }, false},
		{"not cached", func(d *efiMemoryDescriptor) { d.attribute = 7 }, false},
		{"for special purposes", func(d *efiMemoryDescriptor) { d.attribute |= 0x40000 }, false},
		{"2 MiB", func(d *efiMemoryDescriptor) { d.numberOfPages = 512 }, true},
		{"less than 2 MiB", func(d *efiMemoryDescriptor) { d.numberOfPages = 511 }, false},
		{"an address that no processor has", func(d *efiMemoryDescriptor) { d.physicalStart = 1 << 46 }, false},
		{"a size that no machine has", func(d *efiMemoryDescriptor) { d.numberOfPages = 1 << 34 }, false},
	} {
		d := efiMemoryDescriptor{typ: 7, physicalStart: 16 << 20, numberOfPages: 4096, attribute: 0xF}
		c.change(&d)
		if got := usable(&d); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for typ, want := range []bool{false, true, true, true, true, true, true, true, false, true, true, false, false, false, true, false} { // UEFI 2.10, 7.2
		if got := isRAM(uint32(typ)); got != want {
			t.Errorf("memory of type %d is RAM: %v", typ, got)
		}
	}
}

// TestSurveyMemory: what is free and where memory ends, and what is left to the firmware: an eighth, at most 32 MiB, at the end
// of the largest range below 4 GiB. Descriptors may be larger than the specification's (UEFI 2.10, 7.2.3).
func TestSurveyMemory(t *testing.T) {
	defer func(use Memory) { memoryUse, memoryTop, mapSize, mapStride = use, 0, 0, 0 }(memoryUse)
	const free, cached = 7, 0xF
	type entry struct {
		typ         uint32
		start, size uint64
	}
	for _, c := range []struct {
		name       string
		entries    []entry
		free, top  uintptr
		from, room uintptr
		special    int // an entry with that attribute; -1: none
	}{
		{"a small machine", []entry{{typ: free, size: 640 << 10}, {typ: free, start: 1 << 20, size: 7 << 20}, {typ: 4, start: 8 << 20, size: 1 << 20}, {typ: free, start: 16 << 20, size: 100 << 20}},
			107<<20 + 640<<10, 116 << 20, 16 << 20, 107 << 20 / 8 &^ 4095, -1},
		{"two alike", []entry{{typ: free, start: 32 << 20, size: 40 << 20}, {typ: free, start: 128 << 20, size: 40 << 20}}, 80 << 20, 168 << 20, 32 << 20, 10 << 20, -1},
		{"a large machine", []entry{{typ: free, start: 16 << 20, size: 1 << 30}, {typ: 11, start: 5 << 30, size: 1 << 30}, {typ: free, start: 4 << 30, size: 8 << 30}, {typ: free, start: 2 << 30, size: 2 << 30}},
			11 << 30, 12 << 30, 2 << 30, 32 << 20, -1},
		{"nothing below 4 GiB", []entry{{typ: free, start: 4<<30 - 4096, size: 1 << 30}}, 1 << 30, 5<<30 - 4096, 0, 0, -1},
		{"little below 4 GiB", []entry{{typ: free, start: 2 << 20, size: 3 << 20}, {typ: free, start: 4 << 30, size: 1 << 30}}, 1<<30 + 3<<20, 5 << 30, 2 << 20, 3 << 20, -1},
		{"the largest is for special purposes", []entry{{typ: free, start: 16 << 20, size: 64 << 20}, {typ: free, start: 256 << 20, size: 1 << 30}}, 64<<20 + 1<<30, 256<<20 + 1<<30, 16 << 20, 8 << 20, 1},
		{"nothing", nil, 0, 0, 0, 0, -1},
	} {
		for _, stride := range []uintptr{unsafe.Sizeof(efiMemoryDescriptor{}), 48, 56} {
			memoryUse, memoryTop, mapSize, mapStride = Memory{}, 0, 0, stride
			for i, e := range c.entries {
				d := efiMemoryDescriptor{typ: e.typ, physicalStart: e.start, numberOfPages: e.size / 4096, attribute: cached}
				if i == c.special {
					d.attribute |= efiMemorySP
				}
				*memoryDescriptor(uintptr(i)) = d
				mapSize += stride
			}
			if from, room := surveyMemory(); memoryUse.Free != c.free || memoryTop != c.top || from != c.from || room != c.room {
				t.Errorf("%s, by %d bytes: free %#x, top %#x, %#x left in %#x", c.name, stride, memoryUse.Free, memoryTop, room, from)
			}
		}
	}
}

// TestFirmwareUses: the large pages with the firmware's stack and descriptor tables are no free memory, whatever the map says.
func TestFirmwareUses(t *testing.T) {
	fw := &bootCore.firmware
	defer func(saved firmwareState) { *fw = saved }(*fw)
	const mib = uintptr(1 << 20)
	fw.sp = 9*mib + 8
	fw.idtr.set(21*mib, 16)
	fw.gdtr.set(32*mib-1, 16)
	for _, c := range [][4]uintptr{ // a range, and what is used of it
		{mib, 7 * mib, 0, 0},
		{mib, 7*mib + 1, 8 * mib, 8*mib + 1},
		{mib, 40 * mib, 8 * mib, 10 * mib},
		{9 * mib, mib / 2, 9 * mib, 9*mib + mib/2},
		{9 * mib, 4 * mib, 9 * mib, 10 * mib},
		{10*mib - 4096, 4096, 10*mib - 4096, 10 * mib},
		{10 * mib, 10 * mib, 0, 0},
		{10 * mib, 20 * mib, 20 * mib, 22 * mib},
		{22 * mib, 20 * mib, 30 * mib, 32 * mib},
		{32 * mib, 20 * mib, 0, 0},
		{0, 0, 0, 0},
	} {
		if from, to := firmwareUses(c[0], c[1]); from != c[2] || to != c[3] {
			t.Errorf("of %#x bytes at %#x: %#x to %#x", c[1], c[0], from, to)
		}
	}
}

// TestSysinfo: a program is told how much memory it has, what is left of it, and how long it has run.
func TestSysinfo(t *testing.T) {
	withMemory(t, 2*largePageSize)
	withThreads(t, 1)
	defer func(rate uint64) { ticksPerSecond = rate }(ticksPerSecond)
	ticksPerSecond = 1e9
	info := new(sysinfo)
	*info = sysinfo{totalSwap: 1, loads: [3]uint64{1}}
	before := nanotime()
	if got, _ := makeCall(newThread(), sysSysinfo, address(info)); got != 0 || memoryLock != 0 {
		t.Errorf("sysinfo: %d", int64(got))
	}
	if info.uptime < before/1e9 || info.uptime > nanotime()/1e9 {
		t.Errorf("it has run for %d s, since %d ns", info.uptime, before)
	}
	if want := (sysinfo{uptime: info.uptime, totalRAM: 2 * largePageSize, freeRAM: 2*largePageSize - pageSize, procs: 1, memUnit: 1}); *info != want {
		t.Errorf("%+v, want %+v", *info, want)
	}
}
