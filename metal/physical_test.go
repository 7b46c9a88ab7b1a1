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
