//go:build linux

package metal

// Page table entry bits (Intel SDM volume 3, 4.5).
const (
	entryPresent  = 1 << 0
	entryWritable = 1 << 1
	entryUncached = 1<<3 | 1<<4 // PWT, PCD
	entryLarge    = 1 << 7
	entryAddress  = 0x000F_FFFF_FFFF_F000
)

var noExecute uint64 // the no-execute bit, where the processor has it

// initPaging builds page tables of our own and enters them. The firmware's are never
// edited, nor relied on: some firmware unmaps free memory or changes mappings with
// each allocation. In ours, all memory is mapped at its own address, never executable
// and page 0 not at all, so that a nil pointer faults; the image has its text
// read-only, its constants too, its data not executable. Go's heap and stacks get
// addresses of their own.
func initPaging(c *core) {
	root = allocPages(1)
	image := at[efiLoadedImage](loadedImage)
	imageStart := image.imageBase &^ (pageSize - 1)
	imageEnd := (image.imageBase + uintptr(image.imageSize) + pageSize - 1) &^ (pageSize - 1)
	identityEnd = (max(memoryTop, imageEnd) + hugePageSize - 1) &^ (hugePageSize - 1)
	if root == 0 || identityEnd > userBase {
		fail("no room for page tables", efiOutOfResources)
	}
	_, _, _, extended := cpuid(0x80000001, 0)
	huge := extended>>26&1 != 0
	for p := uintptr(0); p < identityEnd; {
		special := func(size uintptr) bool { return p == 0 || p < imageEnd && p+size > imageStart }
		size, level := uintptr(pageSize), uint(12)
		switch {
		case huge && p%hugePageSize == 0 && !special(hugePageSize):
			size, level = hugePageSize, 30
		case p%largePageSize == 0 && !special(largePageSize):
			size, level = largePageSize, 21
		}
		e := entryFor(p, level)
		if e == nil {
			fail("no room for page tables", efiOutOfResources)
		}
		switch {
		case p == 0:
		case level > 12:
			*e = uint64(p) | entryPresent | entryWritable | entryLarge | noExecute
		case p >= imageStart && p < imageEnd:
			*e = uint64(p) | entryPresent | sectionBits(image.imageBase, p-image.imageBase)
		default:
			*e = uint64(p) | entryPresent | entryWritable | noExecute
		}
		p += size
	}
	c.cr3 = uint64(root)
	if c.firmware.cr4&cr4LA57 != 0 { // five levels: one more table on top
		top := allocPages(1)
		if top == 0 {
			fail("no room for page tables", efiOutOfResources)
		}
		*at[uint64](top) = uint64(root) | entryPresent | entryWritable
		c.cr3 = uint64(top)
	}
}
