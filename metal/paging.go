//go:build linux && amd64

package metal

var (
	root        uintptr // level 4 table
	identityEnd uintptr // physical memory is mapped at its own address up to here
)

// sectionBits gives the permission bits of a page of the image by its PE section
// (Microsoft PE format): the firmware keeps the headers at the image's base.
func sectionBits(base, offset uintptr) uint64 {
	const (
		sectionExecute = 0x20000000
		sectionWrite   = 0x80000000
	)
	pe := base + uintptr(*at[uint32](base + 0x3C))
	count := uintptr(*at[uint16](pe + 6))
	section := pe + 24 + uintptr(*at[uint16](pe + 20))
	for i := uintptr(0); i < count; i++ {
		size, start := uintptr(*at[uint32](section + i*40 + 8)), uintptr(*at[uint32](section + i*40 + 12))
		if offset < start&^(pageSize-1) || offset >= start+size {
			continue
		}
		switch characteristics := *at[uint32](section + i*40 + 36); {
		case characteristics&sectionExecute != 0:
			return 0
		case characteristics&sectionWrite != 0:
			return entryWritable | noExecute
		}
		break
	}
	return noExecute
}

// entryFor finds the entry for an address in the table whose entries span 1<<level
// bytes (12, 21 or 30), making the tables above it; nil when memory is out.
func entryFor(va uintptr, level uint) *uint64 {
	table := root
	for shift := uint(39); ; shift -= 9 {
		e := at[uint64](table + va>>shift&511*8)
		if shift == level {
			return e
		}
		if *e == 0 {
			p := allocPages(1)
			if p == 0 {
				return nil
			}
			*e = uint64(p) | entryPresent | entryWritable
		}
		table = uintptr(*e & entryAddress)
	}
}

// mapZeroed puts zeroed memory behind a range. It maps eagerly: no fault is ever
// taken to fill a page, so that a page fault always means a bug.
func mapZeroed(va, n uintptr) bool {
	for last := va + n; va < last; {
		e := entryFor(va, 21)
		if e == nil {
			return false
		}
		next := min(last, (va|(largePageSize-1))+1)
		if *e == 0 && next-va == largePageSize {
			if p := allocLargePage(); p != 0 {
				*e = uint64(p) | entryPresent | entryWritable | entryLarge | noExecute
				va = next
				continue
			}
		}
		if *e&entryLarge != 0 {
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
			*e = uint64(p) | entryPresent | entryWritable | noExecute
		} else {
			zero(va, pageSize)
		}
		va += pageSize
	}
	return true
}

// mappedEnd returns where the page around va ends and whether there is one.
func mappedEnd(va uintptr) (next uintptr, mapped bool) {
	table := root
	for shift := uint(39); ; shift -= 9 {
		e := *at[uint64](table + va>>shift&511*8)
		next = (va | (1<<shift - 1)) + 1
		if e&entryPresent == 0 || shift == 12 || shift < 39 && e&entryLarge != 0 {
			return next, e&entryPresent != 0
		}
		table = uintptr(e & entryAddress)
	}
}
