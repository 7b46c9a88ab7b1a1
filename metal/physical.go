//go:build linux && amd64

package metal

import "unsafe"

const (
	pageSize      = 4 << 10
	largePageSize = 2 << 20
	hugePageSize  = 1 << 30

	maxRegions = 64
	// An eighth of the memory, at most 32 MiB, is left to the firmware, for what its
	// services allocate: file buffers, events, the shell's next program.
	firmwareReserve = 32 << 20
	// leastMemory is what the runtime of a Go program that does next to nothing takes: 38 to
	// 43 MiB were measured, most of them the index of the heap's arenas, and the heap grows by
	// 4 MiB. With 45.5 MiB the runtime ended before main.
	leastMemory = 48 << 20
)

// region is a range of physical memory taken from the firmware with AllocatePages. Small
// pages are allocated upwards from low, large ones downwards from high.
type region struct {
	base, size uintptr
	low, high  uintptr
}

// Memory is how much memory the program has, in bytes.
type Memory struct {
	Free      uintptr // free in the firmware's map at start
	Taken     uintptr // taken from the firmware at start, and given back at the end
	Above4GiB uintptr // the part of Taken above the first 4 GiB
	Used      uintptr // the part of Taken that is allocated, page tables included
}

var (
	regions     [maxRegions]region
	regionCount int
	memoryUse   Memory
	memoryTop   uintptr // end of the highest memory in the firmware's map

	memoryMap                              [64 << 10]byte
	mapSize, mapKey, mapStride, mapVersion uintptr
)

// MemoryStatus returns the memory of the bare machine; all zero under an operating system.
func MemoryStatus() Memory { return memoryUse }

// initMemory takes the free memory of the firmware's map (UEFI 2.10, 7.2), each range by
// its address: without one, EDK2's AllocatePages returns memory below 4 GiB only, also
// when more is free above.
func initMemory() {
	mapSize = uintptr(len(memoryMap))
	status := firmware(bootServices().getMemoryMap, address(&mapSize), address(&memoryMap), address(&mapKey), address(&mapStride), address(&mapVersion))
	if status != efiSuccess {
		fail("cannot read the memory map", status)
	}
	if mapStride < unsafe.Sizeof(efiMemoryDescriptor{}) || mapSize > uintptr(len(memoryMap)) {
		fail("the memory map has descriptors of an impossible size", efiInvalidParameter)
	}
	from, room := surveyMemory()
	for i := range mapSize / mapStride {
		d := memoryDescriptor(i)
		if !usable(d) {
			continue
		}
		size := d.size()
		if d.start() == from {
			size -= room
		}
		takeRange(d.start(), size)
	}
	if memoryUse.Taken < leastMemory {
		say("metal: a Go program needs ")
		sayNumber(leastMemory >> 20)
		say(" MiB of memory, and the firmware leaves it ")
		sayNumber(uint64(memoryUse.Taken >> 20))
		say(" MiB\n")
		leave(efiOutOfResources, statusCrash)
	}
}

// surveyMemory looks at all of the memory map: what memory there is, and which room is to be left to the firmware, at the end of
// the range that begins at from: the largest below 4 GiB.
func surveyMemory() (from, room uintptr) {
	free, largestSize := uintptr(0), uintptr(0)
	for i := range mapSize / mapStride {
		d := memoryDescriptor(i)
		if isRAM(d.typ) && d.end() > memoryTop {
			memoryTop = d.end()
		}
		if d.typ == efiConventionalMemory {
			memoryUse.Free += d.size()
		}
		if !usable(d) {
			continue
		}
		free += d.size()
		if d.end() <= 4<<30 && d.size() > largestSize {
			from, largestSize = d.start(), d.size()
		}
	}
	return from, min(firmwareReserve, free/8, largestSize) &^ (pageSize - 1)
}

// memoryDescriptor returns entry i of the memory map.
func memoryDescriptor(i uintptr) *efiMemoryDescriptor {
	return at[efiMemoryDescriptor](address(&memoryMap) + i*mapStride)
}

func (d *efiMemoryDescriptor) start() uintptr { return uintptr(d.physicalStart) }
func (d *efiMemoryDescriptor) size() uintptr  { return uintptr(d.numberOfPages) * pageSize }
func (d *efiMemoryDescriptor) end() uintptr   { return d.start() + d.size() }

// isRAM says whether a range of that type is memory, not device registers or unusable
// (UEFI 2.10, table 7.6).
func isRAM(typ uint32) bool { return typ >= 1 && typ <= 7 || typ == 9 || typ == 10 || typ == 14 }

// usable says whether a range is to be taken: free memory without special attributes, of
// 2 MiB or more, not in the first MiB, whose use BIOS conventions fix.
func usable(d *efiMemoryDescriptor) bool {
	return d.typ == efiConventionalMemory && d.attribute&efiMemoryWB != 0 && d.attribute&efiMemorySP == 0 &&
		d.physicalStart >= 1<<20 && d.numberOfPages >= largePageSize/pageSize && d.physicalStart < 1<<46 && d.numberOfPages < 1<<34
}

// takeRange takes one range, but for what the firmware uses of it now. That should not be in free
// memory (UEFI 2.10, 2.3.4: the stack is in EfiBootServicesData), but U-Boot 2023.01 for x86-64
// runs on the stack of its early start, at 1 MiB, with its global data and interrupt
// descriptors beside it, and knows nothing of that when it makes the map. So the large pages
// with the stack and the descriptors are left alone. If the firmware refuses a range that is
// no error: it may have allocated from it since it made the map.
func takeRange(base, size uintptr) {
	if size == 0 {
		return
	}
	if from, to := firmwareUses(base, size); from < to {
		takeRange(base, from-base)
		takeRange(to, base+size-to)
		return
	}
	if regionCount == maxRegions {
		warn("a range of free memory is left unused: the table of ranges is full", efiOutOfResources)
		return
	}
	firmwareResult = base // AllocatePages reads it, too
	if firmware(bootServices().allocatePages, efiAllocateAddress, efiLoaderData, size/pageSize, address(&firmwareResult)) != efiSuccess {
		return
	}
	regions[regionCount] = region{base: base, size: size, low: base, high: base + size}
	regionCount++
	memoryUse.Taken += size
	if base+size > 4<<30 {
		memoryUse.Above4GiB += base + size - max(base, 4<<30)
	}
}

// firmwareUses returns the part of a range that is in the large page of the firmware's stack or of a descriptor table; nothing if
// none of these is in it.
func firmwareUses(base, size uintptr) (from, to uintptr) {
	fw := &bootCore.firmware
	for i := range 3 {
		used := fw.sp
		switch i {
		case 1:
			used = fw.idtr.base()
		case 2:
			used = fw.gdtr.base()
		}
		used &^= largePageSize - 1
		if from, to = max(used, base), min(used+largePageSize, base+size); from < to {
			return from, to
		}
	}
	return 0, 0
}

// allocPages allocates n adjacent small pages, zeroed; 0 if there are none.
func allocPages(n uintptr) uintptr {
	for i := 0; i < regionCount; i++ {
		if r := &regions[i]; r.high-r.low >= n*pageSize {
			p := r.low
			r.low += n * pageSize
			memoryUse.Used += n * pageSize
			zero(p, n*pageSize)
			return p
		}
	}
	return 0
}

// allocLargePage allocates one large page, aligned and zeroed; 0 if there is none.
func allocLargePage() uintptr {
	for i := regionCount - 1; i >= 0; i-- {
		r := &regions[i]
		p := (r.high - largePageSize) &^ (largePageSize - 1)
		if r.high >= largePageSize && p >= r.low && p < r.high {
			memoryUse.Used += largePageSize
			r.high = p
			zero(p, largePageSize)
			return p
		}
	}
	return 0
}

// unallocated returns the size of what is left of the regions.
func unallocated() (n uintptr) {
	for i := 0; i < regionCount; i++ {
		n += regions[i].high - regions[i].low
	}
	return n
}

// sysinfoCall tells the program how much memory it has, as Linux does: what was taken from
// the firmware.
func sysinfoCall(p uintptr) uint64 {
	acquire(&memoryLock)
	*at[sysinfo](p) = sysinfo{
		uptime: nanotime() / 1e9, totalRAM: uint64(memoryUse.Taken), freeRAM: uint64(unallocated()), procs: 1, memUnit: 1,
	}
	release(&memoryLock)
	return 0
}

// freeMemory gives all regions back to the firmware.
func freeMemory() {
	for ; regionCount > 0; regionCount-- {
		r := &regions[regionCount-1]
		if status := firmware(bootServices().freePages, r.base, r.size/pageSize); status != efiSuccess {
			warn("FreePages", status)
		}
	}
}
