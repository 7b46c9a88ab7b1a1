//go:build linux && amd64

package metal

// Page table entry bits (Intel SDM volume 3, 4.5).
const (
	entryPresent  = 1 << 0
	entryWritable = 1 << 1
	entryUncached = 1<<3 | 1<<4 // PWT, PCD
	entryLarge    = 1 << 7
	entryAddress  = 0x000F_FFFF_FFFF_F000

	userBase = 0x6000_0000_0000 // addresses for mmap without a hint: above Go's hints
	userTop  = 0x7FFF_FFFF_0000

	apicWindow = userTop // where the local APIC's registers are mapped

	maxSpans = 1024
)

// span is a range of addresses that mmap has given away.
type span struct{ start, end uintptr }

var (
	noExecute   uint64  // the no-execute bit, where the processor has it
	root        uintptr // level 4 table
	identityEnd uintptr // physical memory is mapped at its own address up to here
	spans       [maxSpans]span
	spanCount   int
)

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
	if c.found.cr4&cr4LA57 != 0 { // five levels: one more table on top
		top := allocPages(1)
		if top == 0 {
			fail("no room for page tables", efiOutOfResources)
		}
		*at[uint64](top) = uint64(root) | entryPresent | entryWritable
		c.cr3 = uint64(top)
	}
}

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

// Linux mmap's arguments (mman.h) as the Go runtime uses them.
const (
	protExec     = 0x4
	mapFixed     = 0x10
	mapAnonymous = 0x20

	madviseDontNeed = 4
)

// mmap reserves addresses and, unless prot is PROT_NONE, maps zeroed memory there.
func mmap(hint, n, prot, flags uintptr) uint64 {
	if flags&mapAnonymous == 0 {
		return errno(enodev)
	}
	if n == 0 || n > userTop || hint%pageSize != 0 && flags&mapFixed != 0 {
		return errno(einval)
	}
	if prot&protExec != 0 {
		return errno(eacces)
	}
	acquire(&memoryLock)
	start := mapAnywhere(hint, (n+pageSize-1)&^(pageSize-1), prot, flags)
	release(&memoryLock)
	return start
}

// mapAnywhere is mmap with its arguments checked and under the lock.
func mapAnywhere(hint, n, prot, flags uintptr) uint64 {
	start := hint &^ (pageSize - 1)
	inside := start >= identityEnd && start <= userTop && n <= userTop-start
	switch {
	case flags&mapFixed != 0:
		if !inside {
			return errno(enomem)
		}
	case !inside || overlaps(start, n):
		if start = freeAddresses(n); start == 0 {
			return errno(enomem)
		}
	}
	if !reserve(start, start+n) {
		return errno(enomem)
	}
	if prot != 0 && !mapZeroed(start, n) {
		return errno(enomem)
	}
	return uint64(start)
}

// munmap gives the addresses back. Pages that lie behind them stay, for whatever is
// mapped there next: so no processor ever holds a stale translation.
func munmap(start, n uintptr) uint64 {
	n = (n + pageSize - 1) &^ (pageSize - 1)
	if start%pageSize != 0 || n == 0 || start < identityEnd || start > userTop || n > userTop-start {
		return errno(einval)
	}
	acquire(&memoryLock)
	e := releaseSpan(start, start+n)
	release(&memoryLock)
	return errno(e)
}

// madvise: MADV_DONTNEED promises zeroes and the heap relies on it; the rest is advice.
// No mapping changes, so that it needs no lock.
func madvise(start, n, advice uintptr) uint64 {
	if start < identityEnd || start > userTop || n > userTop-start {
		return errno(einval)
	}
	if advice != madviseDontNeed {
		return 0
	}
	for last := start + n; start < last; {
		next, mapped := mappedEnd(start)
		next = min(next, last)
		if mapped {
			zero(start, next-start)
		}
		start = next
	}
	return 0
}

// The spans are sorted and do not touch each other.

func overlaps(start, n uintptr) bool {
	for i := 0; i < spanCount; i++ {
		if s := &spans[i]; start < s.end && s.start < start+n {
			return true
		}
	}
	return false
}

// freeAddresses finds n bytes of unused addresses from userBase on, large ranges
// aligned for large pages; 0 if there are none.
func freeAddresses(n uintptr) uintptr {
	align := uintptr(pageSize)
	if n >= largePageSize {
		align = largePageSize
	}
	start := uintptr(userBase)
	for i := 0; i < spanCount; i++ {
		s := &spans[i]
		if s.end <= start {
			continue
		}
		if s.start >= start+n {
			break
		}
		start = (s.end + align - 1) &^ (align - 1)
	}
	if start > userTop || n > userTop-start {
		return 0
	}
	return start
}

// reserve adds a range, merging it with what it touches; false when the table is full.
func reserve(start, end uintptr) bool {
	i := 0
	for i < spanCount && spans[i].end < start {
		i++
	}
	j := i
	for j < spanCount && spans[j].start <= end {
		start, end = min(start, spans[j].start), max(end, spans[j].end)
		j++
	}
	if i == j && spanCount == maxSpans {
		return false
	}
	replaceSpans(i, j, span{start, end}, span{})
	return true
}

// releaseSpan removes a range.
func releaseSpan(start, end uintptr) (e uint64) {
	i := 0
	for i < spanCount && spans[i].end <= start {
		i++
	}
	j := i
	var left, right span
	for j < spanCount && spans[j].start < end {
		if spans[j].start < start {
			left = span{spans[j].start, start}
		}
		if spans[j].end > end {
			right = span{end, spans[j].end}
		}
		j++
	}
	if i == j {
		return 0
	}
	if left.end != 0 && right.end != 0 && spanCount == maxSpans {
		return enomem
	}
	if left.end == 0 {
		left, right = right, left
	}
	replaceSpans(i, j, left, right)
	return 0
}

// replaceSpans puts a and b, where not empty, in the place of spans[i:j].
func replaceSpans(i, j int, a, b span) {
	n := 0
	if a.end != 0 {
		n++
	}
	if b.end != 0 {
		n++
	}
	tail := spanCount - j
	if i+n > j {
		for k := tail - 1; k >= 0; k-- {
			spans[i+n+k] = spans[j+k]
		}
	} else {
		for k := 0; k < tail; k++ {
			spans[i+n+k] = spans[j+k]
		}
	}
	if a.end != 0 {
		spans[i] = a
	}
	if b.end != 0 {
		spans[i+1] = b
	}
	spanCount = i + n + tail
}
