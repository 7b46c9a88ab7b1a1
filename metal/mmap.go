//go:build linux && amd64

package metal

const (
	userBase = 0x6000_0000_0000 // first address for mmap without a hint: above the hints that Go gives
	userTop  = 0x7F00_0000_0000 // above it are fbWindow and apicWindow

	maxSpans = 1024
)

// span is a range of addresses that mmap has reserved.
type span struct{ start, end uintptr }

var (
	spans     [maxSpans]span // sorted; no two touch each other
	spanCount int

	refusedSize uintptr // what the last mmap of memory asked for, if there was none; else 0
)

// Arguments of mmap and madvise (mman.h).
const (
	protExec     = 0x4
	mapShared    = 0x1
	mapPrivate   = 0x2
	mapFixed     = 0x10
	mapAnonymous = 0x20

	madviseDontNeed = 4
	madviseLast     = 25 // that Linux knows, but for two for tests of broken memory
)

// mmap reserves addresses and, unless prot is PROT_NONE, maps zeroed memory there.
func mmap(hint, n, prot, flags uintptr) uint64 {
	if flags&mapAnonymous == 0 {
		return errno(enodev)
	}
	if n == 0 || flags&(mapShared|mapPrivate) == 0 || hint%pageSize != 0 && flags&mapFixed != 0 {
		return errno(einval)
	}
	if n > userTop {
		return errno(enomem)
	}
	if prot&protExec != 0 {
		return errno(eacces)
	}
	acquire(&memoryLock)
	start := mmapLocked(hint, (n+pageSize-1)&^(pageSize-1), prot, flags)
	if start == errno(enomem) {
		refusedSize = n
	} else if prot != 0 {
		refusedSize = 0
	}
	release(&memoryLock)
	return start
}

// mmapLocked is mmap under memoryLock, with arguments that have been checked.
func mmapLocked(hint, n, prot, flags uintptr) uint64 {
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
	if prot != 0 && (!hasRoom(start, n) || !mapZeroed(start, n)) {
		if flags&mapFixed == 0 {
			releaseSpan(start, start+n)
		}
		return errno(enomem)
	}
	return uint64(start)
}

// munmap gives the addresses back. Their pages stay mapped, for the next mmap there: so
// no processor ever holds a translation that is no longer right.
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

// madvise writes zeroes for MADV_DONTNEED, since the heap relies on reading zeroes
// afterwards, and ignores other advice. It changes no mapping, and so needs no lock.
func madvise(start, n, advice uintptr) uint64 {
	if start%pageSize != 0 || start < identityEnd || start > userTop || n > userTop-start || advice > madviseLast {
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

// overlaps says whether any of n bytes at start is reserved.
func overlaps(start, n uintptr) bool {
	for i := 0; i < spanCount; i++ {
		if s := &spans[i]; start < s.end && s.start < start+n {
			return true
		}
	}
	return false
}

// freeAddresses finds n unreserved bytes of addresses from userBase on, aligned for large
// pages if n is large; 0 if there are none.
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

// reserve adds a range to the spans, merged with those that it touches; false if the table
// is full.
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

// releaseSpan removes a range from the spans.
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

// replaceSpans replaces spans[i:j] by those of a and b that are not empty.
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
