//go:build linux && amd64

package metal

import (
	"bytes"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withMemory gives a test so many bytes of physical memory, and page tables without entries.
func withMemory(t *testing.T, size uintptr) {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, int(size+largePageSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	base := (address(&memory[0]) + largePageSize - 1) &^ (largePageSize - 1)
	use, nx := memoryUse, noExecute
	regions[0], regionCount, memoryUse, noExecute = region{base, size, base, base + size}, 1, Memory{Taken: size}, 1<<63
	identityEnd, spanCount, refusedSize = 1<<40, 0, 0
	rootTable = allocPages(1)
	t.Cleanup(func() {
		regionCount, memoryUse, noExecute, identityEnd, spanCount, refusedSize, rootTable = 0, use, nx, 0, 0, 0, 0
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
}

// withAddresses has Linux map memory at n bytes of addresses, so that the kernel's stores there go somewhere.
func withAddresses(t *testing.T, start, n uintptr) []byte {
	t.Helper()
	p, err := unix.MmapPtr(-1, 0, unsafe.Pointer(at[byte](start)), n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_FIXED_NOREPLACE|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.MunmapPtr(p, n) })
	return unsafe.Slice((*byte)(p), n)
}

// translate walks page tables of four levels as a processor does (Intel SDM volume 3, 4.5): it returns the physical address for
// another, the size of the page, 0 if there is none, and the entry's other bits.
func translate(va uintptr) (physical, size uintptr, bits uint64) {
	table := rootTable
	for level := 3; level >= 0; level-- {
		e := *at[uint64](table + va>>(12+9*level)%512*8)
		size = 1 << (12 + 9*level)
		switch {
		case e&1 == 0:
			return 0, 0, 0
		case level == 0 || e>>7&1 != 0:
			frame := e & (1<<52 - 1) &^ (uint64(size) - 1)
			return uintptr(frame) + va%size, size, e &^ frame
		case e>>1&1 == 0 || e>>63 != 0:
			return 0, 0, 0 // what is below could not be written or executed
		}
		table = uintptr(e & (1<<52 - 1) &^ 0xFFF)
	}
	panic("no level is left")
}

// Bits of the entries (4.5): present, writable, large, no execution.
const (
	textBits     = 1
	constantBits = 1<<63 | 1
	dataBits     = 1<<63 | 3
	largeBits    = 1<<63 | 0x83
)

// TestMapZeroed maps memory in small and large pages, again in part, and until there is none.
func TestMapZeroed(t *testing.T) {
	withMemory(t, 3*largePageSize)
	const start = userBase
	memory := withAddresses(t, start, 6*largePageSize)
	full := bytes.Repeat([]byte{0xFF}, len(memory))
	used := func(n uintptr) {
		t.Helper()
		if memoryUse.Used != n {
			t.Errorf("%d bytes are used, want %d", memoryUse.Used, n)
		}
	}
	frames := map[uintptr]bool{}
	check := func(from, to, size uintptr, bits uint64) {
		t.Helper()
		for va := from; va < to; va += pageSize {
			p, got, b := translate(start + va)
			if got != size || b != bits || frames[p] && size != 0 {
				t.Fatalf("%#x is mapped to %#x, %#x bytes, bits %#x, as another: %v", va, p, got, b, frames[p])
			}
			if size == 0 {
				continue
			}
			if *at[uint64](p) != 0 || *at[uint64](p + pageSize - 8) != 0 {
				t.Fatalf("%#x is mapped to what is not zero", va)
			}
			frames[p] = true
		}
	}
	mapAt := func(from, n uintptr, want bool) {
		t.Helper()
		clear(frames)
		copy(memory, full)
		if got := mapZeroed(start+from, n); got != want {
			t.Fatalf("%#x bytes at %#x: %v", n, from, got)
		}
	}
	zeroed := func(from, to uintptr) { // what was mapped before is emptied through its addresses
		t.Helper()
		want := bytes.Clone(full)
		if clear(want[from:to]); !bytes.Equal(memory, want) {
			t.Fatalf("what is empty is not from %#x to %#x", from, to)
		}
	}
	mapAt(3*pageSize, 5*pageSize, true)
	used((1 + 3 + 5) * pageSize) // tables for 512 GiB, 1 GiB, 2 MiB
	zeroed(0, 0)
	check(0, 3*pageSize, 0, 0)
	check(3*pageSize, 8*pageSize, pageSize, dataBits)
	check(8*pageSize, 2*largePageSize, 0, 0)

	mapAt(4*pageSize, 2*pageSize, true)
	used(9 * pageSize)
	zeroed(4*pageSize, 6*pageSize)

	mapAt(6*pageSize, 2*largePageSize-6*pageSize, true)
	used((9+512-8)*pageSize + largePageSize)
	zeroed(6*pageSize, 8*pageSize)
	check(0, 3*pageSize, 0, 0)
	check(3*pageSize, largePageSize, pageSize, dataBits)
	check(largePageSize, 2*largePageSize, largePageSize, largeBits)
	check(2*largePageSize, 3*largePageSize, 0, 0)

	mapAt(largePageSize+pageSize, 3*pageSize, true)
	zeroed(largePageSize+pageSize, largePageSize+4*pageSize)
	mapAt(largePageSize, largePageSize, true)
	zeroed(largePageSize, 2*largePageSize)
	used((9+512-8)*pageSize + largePageSize)

	// What is left is less than a large page: small ones take its place, as long as there are any.
	left := uintptr(3*largePageSize-largePageSize)/pageSize - 9 - 512 + 8
	for va := uintptr(start); va < start+6*largePageSize; {
		next, mapped := mappedEnd(va)
		_, size, _ := translate(va)
		if mapped != (size != 0) || mapped && next != va&^(size-1)+size || !mapped && next != va&^(largePageSize-1)+largePageSize && next != va+pageSize {
			t.Fatalf("%#x: to %#x %v; a page of %#x", va, next, mapped, size)
		}
		va = next
	}
	if next, mapped := mappedEnd(start + 1<<30 + 5); mapped || next != start+2<<30 {
		t.Errorf("a GiB without a table goes to %#x, %v", next, mapped)
	}
	if next, mapped := mappedEnd(start + 1<<39 + 5); mapped || next != start+2<<39 {
		t.Errorf("512 GiB without a table go to %#x, %v", next, mapped)
	}
	// Room is needed for the tables of all, and what is not mapped.
	room := left*pageSize - 4*pageSize
	for _, n := range []uintptr{pageSize, 16 * pageSize, room - pageSize, room, room + pageSize} {
		n &^= pageSize - 1
		if got, want := hasRoom(start+2*largePageSize, n), n+n/512+4*pageSize <= left*pageSize; got != want {
			t.Errorf("room for %d pages of %d: %v", n/pageSize, left, got)
		}
	}
	if !hasRoom(start+3*pageSize, 2*largePageSize-3*pageSize) {
		t.Error("no room for what is mapped")
	}
	if hasRoom(start, 2*largePageSize) != (3*pageSize+2*largePageSize/512+4*pageSize <= left*pageSize) {
		t.Error("room for three pages that are not mapped")
	}
	left-- // a table for the next 2 MiB
	mapAt(2*largePageSize, left*pageSize, true)
	check(2*largePageSize, 2*largePageSize+left*pageSize, pageSize, dataBits)
	used(3 * largePageSize)
	mapAt(2*largePageSize+left*pageSize, pageSize, false)
	mapAt(4*largePageSize, pageSize, false)
	mapAt(2<<30, pageSize, false)
	if mapIdentity(1<<36, 1<<36+pageSize) {
		t.Error("there was memory for tables")
	}
}

// TestMapIdentity maps memory at its own addresses, in pages as large as fit.
func TestMapIdentity(t *testing.T) {
	for _, c := range [][2]uintptr{
		{pageSize, 3 * pageSize},
		{largePageSize - pageSize, 2*largePageSize + pageSize},
		{largePageSize, 2 * largePageSize},
		{hugePageSize - largePageSize, 2*hugePageSize + largePageSize},
		{hugePageSize, 2*hugePageSize - pageSize},
		{3 * hugePageSize, 5 * hugePageSize},
		{7 * pageSize, 7 * pageSize},
		{9 * pageSize, 7 * pageSize},
	} {
		func() {
			withMemory(t, 8*largePageSize)
			if !mapIdentity(c[0], c[1]) {
				t.Fatalf("%#x: no room", c)
			}
			for _, va := range []uintptr{c[0] - pageSize, c[1]} {
				if p, size, _ := translate(va); size != 0 && (va < c[0] || va >= c[1]) {
					t.Errorf("%#x: %#x is mapped to %#x", c, va, p)
				}
			}
			for va := c[0]; va < c[1]; {
				p, size, bits := translate(va)
				want, wantBits := uintptr(pageSize), uint64(dataBits)
				for _, larger := range []uintptr{largePageSize, hugePageSize} {
					if va%larger == 0 && c[1]-va >= larger && (larger < hugePageSize || hasHugePages()) {
						want, wantBits = larger, largeBits
					}
				}
				if p != va || size != want || bits != wantBits {
					t.Fatalf("%#x: %#x is mapped to %#x, %#x bytes, bits %#x", c, va, p, size, bits)
				}
				va += size
			}
		}()
	}
}

// TestInitPaging: memory of the firmware's map is mapped, devices and the first page are not, and the image is as its sections
// say (Microsoft PE format; UEFI 2.10, table 7.6 for the types of memory).
func TestInitPaging(t *testing.T) {
	withMemory(t, 4*largePageSize)
	image := withAddresses(t, userBase>>1, 16*pageSize)
	base := address(&image[0])
	const header, optional = 0x80, 0xF0
	for offset, v := range map[uintptr]uint32{0x3C: header, header + 20: optional} {
		*at[uint32](base + offset) = v
	}
	sections := []struct{ size, start, characteristics uint32 }{
		{pageSize + 1, pageSize, 0x60000020},    // text, of two pages
		{pageSize, 3 * pageSize, 0x40000040},    // constants
		{pageSize, 4 * pageSize, 0xC0000040},    // data
		{8, 5*pageSize + 16, 0xE0000020},        // text, whatever else it is; it begins in its page
		{2 * pageSize, 7 * pageSize, 1 << 31},   // data, up to the end
		{9 * pageSize, 9 * pageSize, 1<<29 | 1}, // more than the image has
	}
	*at[uint16](base + header + 6) = uint16(len(sections))
	for i, s := range sections {
		p := base + header + 24 + optional + uintptr(i)*40
		*at[[2]uint32](p + 8), *at[uint32](p + 36) = [2]uint32{s.size, s.start}, s.characteristics
	}
	loaded := &efiLoadedImage{imageBase: base, imageSize: 10*pageSize + 1}
	loadedImage = address(loaded)
	defer func() { loadedImage, mapSize, mapStride, memoryTop = 0, 0, 0, 0 }()
	mapStride = 48
	add := func(typ uint32, start, pages, attribute uint64) {
		*at[efiMemoryDescriptor](address(&memoryMap) + mapSize) = efiMemoryDescriptor{typ: typ, physicalStart: start, numberOfPages: pages, attribute: attribute}
		mapSize += mapStride
	}
	const cached = 8
	mapped := []bool{false, true, true, true, true, true, true, true, false, true, true, false, false, false, true, false}
	for typ := range mapped {
		add(uint32(typ), uint64(typ)*16*pageSize, 4, cached|7)
	}
	add(3, 0, 3, cached)
	add(7, 64<<20, 16, 7)                       // not cached
	add(7, 80<<20, 16, cached)                  // and twice in the map
	add(7, 80<<20, 16, cached)                  //
	add(2, uint64(base)-2*pageSize, 20, cached) // the image, and memory beside it
	memoryTop = 100 << 20
	c := new(core)
	initPaging(c)
	if c.cr3 != uint64(rootTable) || identityEnd != (base+16*pageSize+hugePageSize-1)&^(hugePageSize-1) {
		t.Errorf("CR3 is %#x, of %#x; memory ends at %#x", c.cr3, rootTable, identityEnd)
	}
	check := func(va uintptr, bits uint64) {
		t.Helper()
		if p, _, got := translate(va); got != bits || bits != 0 && p != va {
			t.Errorf("%#x is mapped to %#x, bits %#x, want %#x", va, p, got, bits)
		}
	}
	for typ, is := range mapped {
		for page := range uintptr(5) {
			bits := uint64(0)
			if is && page < 4 || typ == 0 && (page == 1 || page == 2) { // at 0 there is memory, too
				bits = dataBits
			}
			check((uintptr(typ)*16+page)*pageSize, bits)
		}
	}
	check(64<<20, 0)
	check(80<<20, dataBits)
	check(80<<20+16*pageSize, 0)
	const text, constants, data = textBits, constantBits, dataBits
	for page, bits := range []uint64{constants, text, text, constants, data, text, constants, data, data, text, text, data, data} {
		check(base+uintptr(page)*pageSize, bits)
	}
	check(base-2*pageSize, data)
	check(base-pageSize, data)
	check(base-3*pageSize, 0)
	check(base+18*pageSize, 0)

	// Five levels, where the firmware has them, are one table more.
	c.firmware.cr4 = 1 << 12
	before := memoryUse.Used
	if !usePageTables(c, rootTable) || *at[uint64](uintptr(c.cr3)) != uint64(rootTable)|3 || memoryUse.Used != before+pageSize {
		t.Errorf("CR3 is %#x, of %#x", c.cr3, rootTable)
	}
	regions[0].low = regions[0].high
	if usePageTables(c, rootTable) {
		t.Error("there was memory for another table")
	}
}

// TestMmap reserves and maps addresses: where they are, what is mapped, and what a refusal leaves.
func TestMmap(t *testing.T) {
	withMemory(t, 8*largePageSize)
	withAddresses(t, userBase, 16*largePageSize)
	program := new(thread)
	call := func(number uint64, args ...uintptr) uintptr {
		t.Helper()
		got, _ := makeCall(program, number, args...)
		if kernelLock != 0 || memoryLock != 0 {
			t.Fatalf("call %d%#x keeps a lock", number, args)
		}
		return uintptr(got)
	}
	const none, readWrite = 0, 3
	const private, shared, fixed = mapAnonymous | mapPrivate, mapAnonymous | mapShared, mapFixed
	mmap := func(hint, n, prot, flags, want uintptr) {
		t.Helper()
		if got := call(sysMmap, hint, n, prot, flags); got != want {
			t.Fatalf("%#x bytes at %#x: %#x, want %#x", n, hint, got, want)
		}
		if want > 1<<63 || prot == 0 {
			return
		}
		for va := want; va < want+n; va += pageSize {
			if _, size, _ := translate(va); size == 0 {
				t.Fatalf("%#x bytes at %#x: %#x is not mapped", n, hint, va)
			}
		}
	}
	reserved := func(want ...span) {
		t.Helper()
		if got := spans[:spanCount]; !slices.Equal(got, want) {
			t.Fatalf("reserved are %#x, want %#x", got, want)
		}
	}
	failed := uintptr(errno(enomem))
	const base, far = uintptr(userBase), uintptr(userBase + 1<<39)
	mmap(0, 1, readWrite, private, base)
	mmap(0, pageSize+1, none, shared, base+pageSize)
	reserved(span{base, base + 3*pageSize})
	if _, size, _ := translate(base + pageSize); size != 0 {
		t.Error("memory without access is mapped")
	}
	mmap(base+2*pageSize, pageSize, none, private, base+3*pageSize) // there is something at the hint
	mmap(far+5, pageSize, none, private, far)
	mmap(far-pageSize, pageSize, none, private, far-pageSize)
	reserved(span{base, base + 4*pageSize}, span{far - pageSize, far + pageSize})
	mmap(identityEnd-pageSize, pageSize, none, private, base+4*pageSize) // the firmware's
	mmap(identityEnd, pageSize, none, private, identityEnd)
	mmap(userTop, pageSize, none, private, base+5*pageSize)
	mmap(userTop-pageSize, pageSize, none, private, userTop-pageSize)
	mmap(userTop-pageSize, pageSize, none, private|fixed, userTop-pageSize)
	mmap(userTop-pageSize, 2*pageSize, none, private|fixed, failed)
	mmap(identityEnd-pageSize, 2*pageSize, none, private|fixed, failed)
	mmap(base+pageSize, pageSize, readWrite, private|fixed, base+pageSize) // of what is reserved
	mmap(0, largePageSize, readWrite, private, base+largePageSize)         // large ones are aligned
	mmap(0, largePageSize-pageSize, none, private, base+2*largePageSize)
	reserved(span{identityEnd, identityEnd + pageSize}, span{base, base + 6*pageSize}, span{base + largePageSize, base + 3*largePageSize - pageSize},
		span{far - pageSize, far + pageSize}, span{userTop - pageSize, userTop})

	// What cannot be had takes nothing, and is remembered until a request succeeds.
	before, used := slices.Clone(spans[:spanCount]), memoryUse.Used
	const much = 20*largePageSize + 5
	mmap(0, much, readWrite, private, failed)
	if refusedSize != much || memoryUse.Used != used {
		t.Errorf("refused %d, and used %d", refusedSize, memoryUse.Used-used)
	}
	reserved(before...)
	mmap(0, pageSize, none, private, base+6*pageSize)
	if refusedSize != much {
		t.Error("to reserve addresses is no success")
	}
	mmap(base+6*pageSize, pageSize, readWrite, private|fixed, base+6*pageSize)
	if refusedSize != 0 {
		t.Error("memory was had, and the refusal is remembered")
	}
	mmap(base+6*pageSize, 20*largePageSize, readWrite, private|fixed, failed)
	if overlaps(base+6*pageSize, pageSize) != true {
		t.Error("a refusal at an address took away what was there")
	}
	mmap(0, userTop-far-largePageSize, none, private, failed)
	mmap(0, userTop-far-largePageSize-pageSize, none, private, far+largePageSize) // all up to the last page, which is taken
	mmap(0, userTop, none, private, failed)
	mmap(0, userTop+1, none, private, failed)

	for _, c := range []struct{ start, n, want uintptr }{
		{base + pageSize, 1, 0}, {base + 3*pageSize, pageSize + 1, 0}, {far, 1 << 38, 0}, {userTop - pageSize, pageSize, 0}, {userTop, pageSize, uintptr(errno(einval))},
		{identityEnd, pageSize, 0}, {identityEnd - pageSize, 2 * pageSize, uintptr(errno(einval))}, {base + largePageSize, 2 * largePageSize, 0},
	} {
		if got := call(sysMunmap, c.start, c.n); got != c.want {
			t.Errorf("munmap(%#x, %#x): %d", c.start, c.n, int64(got))
		}
	}
	if overlaps(base+pageSize, pageSize) || overlaps(base+3*pageSize, 2*pageSize) || !overlaps(base+2*pageSize, pageSize) || !overlaps(base+5*pageSize, pageSize) || overlaps(userTop-pageSize, pageSize) {
		t.Errorf("reserved are %#x", spans[:spanCount])
	}
}

// TestMadvise empties what is mapped, and nothing else (madvise(2)).
func TestMadvise(t *testing.T) {
	withMemory(t, 3*largePageSize)
	memory := withAddresses(t, userBase, 4*largePageSize)
	if !mapZeroed(userBase+pageSize, 3*pageSize) || !mapZeroed(userBase+largePageSize, largePageSize) {
		t.Fatal("no room")
	}
	const dontNeed, base = 4, uintptr(userBase)
	for _, c := range []struct {
		name             string
		start, n, advice uintptr
		want             uint64
		empty            [][2]uintptr
	}{
		{"small pages", base + 2*pageSize, pageSize, dontNeed, 0, [][2]uintptr{{2 * pageSize, 3 * pageSize}}},
		{"pages with a gap", base, largePageSize + 3*pageSize, dontNeed, 0, [][2]uintptr{{pageSize, 4 * pageSize}, {largePageSize, largePageSize + 3*pageSize}}},
		{"the end of a large page", base + 2*largePageSize - pageSize, 3 * pageSize, dontNeed, 0, [][2]uintptr{{2*largePageSize - pageSize, 2 * largePageSize}}},
		{"nothing", base + 2*pageSize, 0, dontNeed, 0, nil},
		{"other advice", base + pageSize, pageSize, 3, 0, nil},
		{"the last that there is", base + pageSize, pageSize, 25, 0, nil},
		{"no advice", base + pageSize, pageSize, 26, errno(einval), nil},
		{"between pages", base + pageSize + 8, pageSize, dontNeed, errno(einval), nil},
		{"the firmware's", identityEnd - pageSize, pageSize, dontNeed, errno(einval), nil},
		{"the first address", identityEnd, pageSize, dontNeed, 0, nil},
		{"the last address", userTop - pageSize, pageSize, dontNeed, 0, nil},
		{"behind it", userTop - pageSize, pageSize + 1, dontNeed, errno(einval), nil},
		{"above", userTop + pageSize, 0, dontNeed, errno(einval), nil},
		{"nothing at the end", userTop, 0, dontNeed, 0, nil},
	} {
		want := bytes.Repeat([]byte{0xFF}, len(memory))
		copy(memory, want)
		if got, _ := makeCall(new(thread), sysMadvise, c.start, c.n, c.advice); got != c.want {
			t.Errorf("%s: %d", c.name, int64(got))
		}
		for _, e := range c.empty {
			clear(want[e[0]:e[1]])
		}
		if !bytes.Equal(memory, want) {
			t.Errorf("%s: what is empty is not what should be", c.name)
		}
	}
}
