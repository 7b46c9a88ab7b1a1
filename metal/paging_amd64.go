//go:build linux

package metal

// Page table entry bits (Intel SDM volume 3, 4.5).
const (
	entryPresent      = 1 << 0
	entryWritable     = 1 << 1
	entryWriteThrough = 1 << 3
	entryCacheDisable = 1 << 4
	entryUncached     = entryWriteThrough | entryCacheDisable
	entryPAT          = 1 << 7 // of a page of 4 KiB
	entryPATLarge     = 1 << 12
	entryLarge        = 1 << 7
	entryAddress      = 0x000F_FFFF_FFFF_F000
)

var noExecute uint64 // the no-execute bit, where the processor has it

func tableEntry(p uintptr) uint64    { return uint64(p) | entryPresent | entryWritable }
func textEntry(p uintptr) uint64     { return uint64(p) | entryPresent }
func constantEntry(p uintptr) uint64 { return uint64(p) | entryPresent | noExecute }
func deviceEntry(p uintptr) uint64   { return dataEntry(p, false) | entryUncached }

func dataEntry(p uintptr, large bool) uint64 {
	e := uint64(p) | entryPresent | entryWritable | noExecute
	if large {
		e |= entryLarge
	}
	return e
}

// physicalLimit is where the addresses end that an entry may have.
func physicalLimit() uintptr {
	if highest, _, _, _ := cpuid(0x80000000, 0); highest < 0x80000008 {
		return 1 << 36
	}
	bits, _, _, _ := cpuid(0x80000008, 0)
	return 1 << min(bits&0xFF, 52)
}

// writeCombiningEntry is the entry for a framebuffer: stores are collected, and may arrive in
// another order; reads go to the device. Without a page attribute table it is not cached.
func writeCombiningEntry(p uintptr, large bool) uint64 {
	e := dataEntry(p, large)
	i := bootCore.patEntry
	if i&1 != 0 {
		e |= entryWriteThrough
	}
	if i&2 != 0 {
		e |= entryCacheDisable
	}
	switch {
	case i&4 == 0:
	case large:
		e |= entryPATLarge
	default:
		e |= entryPAT
	}
	return e
}

func isLarge(e uint64) bool { return e&entryLarge != 0 }

// hasHugePages says whether the processor has pages of 1 GiB.
func hasHugePages() bool {
	_, _, _, extended := cpuid(0x80000001, 0)
	return extended>>26&1 != 0
}

// usePageTables makes a level 4 table what the core's CR3 will be; false when there is no
// memory for the table of level 5 that it needs where the firmware uses five levels,
// since that cannot be changed without turning paging off.
func usePageTables(c *core, root uintptr) bool {
	c.cr3 = uint64(root)
	if c.firmware.cr4&cr4LA57 == 0 {
		return true
	}
	top := allocPages(1)
	if top == 0 {
		return false
	}
	*at[uint64](top) = tableEntry(root)
	c.cr3 = uint64(top)
	return true
}
