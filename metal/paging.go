//go:build linux && amd64

package metal

var (
	rootTable   uintptr // level 4 table
	identityEnd uintptr // physical memory, mapped at its own addresses, ends here
)

// initPaging builds page tables of our own. The firmware's are neither changed nor used:
// some firmware unmaps free memory or changes mappings with each allocation. In ours, all
// memory of the firmware's map is mapped at its own addresses, not executable, except
// page 0, so that a nil pointer faults. Nothing else is mapped there: a processor may read
// ahead from what is mapped as memory, and a read can have an effect on a device. The
// image's text and constants are read-only, its data is not executable. Go's heap and
// stacks get other addresses (mmap).
func initPaging(c *core) {
	image := at[efiLoadedImage](loadedImage)
	imageStart := image.imageBase &^ (pageSize - 1)
	imageEnd := (image.imageBase + uintptr(image.imageSize) + pageSize - 1) &^ (pageSize - 1)
	identityEnd = (max(memoryTop, imageEnd) + hugePageSize - 1) &^ (hugePageSize - 1)
	rootTable = allocPages(1)
	mapped := rootTable != 0 && identityEnd <= userBase
	for i := uintptr(0); mapped && i < mapSize/mapStride; i++ {
		if d := memoryDescriptor(i); isRAM(d.typ) && d.attribute&efiMemoryWB != 0 {
			mapped = mapIdentity(max(d.start(), pageSize), min(d.end(), imageStart)) &&
				mapIdentity(max(d.start(), imageEnd), d.end())
		}
	}
	for p := imageStart; mapped && p < imageEnd; p += pageSize {
		e := entryFor(p, 12)
		if mapped = e != nil; mapped {
			*e = sectionEntry(image.imageBase, p)
		}
	}
	if !mapped || !usePageTables(c, rootTable) {
		fail("no room for page tables", efiOutOfResources)
	}
}

// mapIdentity maps memory at its own addresses, in pages as large as fit; false if there is
// no memory for tables.
func mapIdentity(start, end uintptr) bool {
	huge := hasHugePages()
	for p := start; p < end; {
		size, level := uintptr(pageSize), uint(12)
		switch {
		case huge && p%hugePageSize == 0 && end-p >= hugePageSize:
			size, level = hugePageSize, 30
		case p%largePageSize == 0 && end-p >= largePageSize:
			size, level = largePageSize, 21
		}
		e := entryFor(p, level)
		if e == nil {
			return false
		}
		if *e == 0 { // not 0 only if ranges of the firmware's map overlap
			*e = dataEntry(p, level > 12)
		}
		p += size
	}
	return true
}

// sectionEntry returns the entry for the page of the image at p, by its PE section
// (Microsoft PE format): the firmware loads the headers to the image's base.
func sectionEntry(base, p uintptr) uint64 {
	const (
		sectionExecute = 0x20000000
		sectionWrite   = 0x80000000
	)
	pe := base + uintptr(*at[uint32](base + 0x3C))
	count := uintptr(*at[uint16](pe + 6))
	section := pe + 24 + uintptr(*at[uint16](pe + 20))
	offset := p - base
	for i := uintptr(0); i < count; i++ {
		size, start := uintptr(*at[uint32](section + i*40 + 8)), uintptr(*at[uint32](section + i*40 + 12))
		if offset < start&^(pageSize-1) || offset >= start+size {
			continue
		}
		switch characteristics := *at[uint32](section + i*40 + 36); {
		case characteristics&sectionExecute != 0:
			return textEntry(p)
		case characteristics&sectionWrite != 0:
			return dataEntry(p, false)
		}
		break
	}
	return constantEntry(p)
}

// entryFor finds the entry for an address in the table whose entries cover 1<<level bytes
// each (level 12, 21 or 30), and makes the tables above it. If a larger page covers the
// address, it returns the entry of that page; nil if memory is out.
func entryFor(va uintptr, level uint) *uint64 {
	table := rootTable
	for shift := uint(39); ; shift -= 9 {
		e := at[uint64](table + va>>shift&511*8)
		if shift == level || shift < 39 && isLarge(*e) {
			return e
		}
		if *e == 0 {
			p := allocPages(1)
			if p == 0 {
				return nil
			}
			*e = tableEntry(p)
		}
		table = uintptr(*e & entryAddress)
	}
}

// mapZeroed maps zeroed memory at n bytes of addresses from va on; false if memory is out.
// It maps all of it at once, so that a page fault always means a bug.
func mapZeroed(va, n uintptr) bool {
	for last := va + n; va < last; {
		e := entryFor(va, 21)
		if e == nil {
			return false
		}
		next := min(last, (va|(largePageSize-1))+1)
		if *e == 0 && next-va == largePageSize {
			if p := allocLargePage(); p != 0 {
				*e = dataEntry(p, true)
				va = next
				continue
			}
		}
		if isLarge(*e) {
			zero(va, next-va)
			va = next
			continue
		}
		if e = entryFor(va, 12); e == nil {
			return false
		}
		if *e == 0 {
			p := allocPages(1)
			if p == 0 {
				return false
			}
			*e = dataEntry(p, false)
		} else {
			zero(va, pageSize)
		}
		va += pageSize
	}
	return true
}

// hasRoom says whether there is memory for what is not mapped yet of n bytes of addresses
// from va on, and for tables. An mmap without memory would else leave none for anything.
func hasRoom(va, n uintptr) bool {
	needed := n/(largePageSize/pageSize) + 4*pageSize // for tables at most
	for last := va + n; va < last; {
		next, mapped := mappedEnd(va)
		next = min(next, last)
		if !mapped {
			needed += next - va
		}
		va = next
	}
	return needed <= unallocated()
}

// mappedEnd returns where the page that contains va ends, and whether it is mapped.
func mappedEnd(va uintptr) (next uintptr, mapped bool) {
	table := rootTable
	for shift := uint(39); ; shift -= 9 {
		e := *at[uint64](table + va>>shift&511*8)
		next = (va | (1<<shift - 1)) + 1
		if e&entryPresent == 0 || shift == 12 || shift < 39 && isLarge(e) {
			return next, e&entryPresent != 0
		}
		table = uintptr(e & entryAddress)
	}
}
