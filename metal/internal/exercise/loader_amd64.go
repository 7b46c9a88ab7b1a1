//go:build linux

package main

import (
	"fmt"
	"unsafe"

	"bootllama/metal"
)

// loaderEntry makes the program a loader, which leaves the processor in a state that is rare: as
// makeOdd does, with other values in model-specific registers, and with five levels of page tables,
// where the processor has them. It loads the program's own file by LoadImage and starts it by
// StartImage, twice, with what stands behind the first word of its load options, and compares
// processorState before and after. The words that have changed are reported as register 50 and
// above. What it starts begins at checkedEntry, which checks the other registers.

// processorState is what no program may leave changed.
type processorState struct {
	cr0, cr3, cr4, flags uint64
	selectors            [8]uint16 // CS, SS, DS, ES, FS, GS, task
	task                 uint64    // the task's descriptor, whose type tells whether it is loaded
	gdtr, idtr           [16]byte
	msrs                 [len(loaderMSRs)]uint64
}

// loaderMSRs are registers that metal uses, and what the loader writes there, if it is not 0.
var loaderMSRs = [...]struct {
	register uint32
	value    uint64
}{
	{0xC0000080, 0},                     // EFER
	{0xC0000081, 0x0018_0008_1234_5678}, // STAR
	{0xC0000082, 0x0000_0000_00AB_C000}, // LSTAR
	{0xC0000084, 0x0000_0000_0004_0200}, // FMASK
	{0xC0000100, 0},                     // FS base
	{0xC0000101, 0x0000_0012_3456_7000}, // GS base
	{0xC0000102, 0x0000_0076_5432_1000}, // GS base for SWAPGS
	{0x277, 0},                          // IA32_PAT
}

var (
	started                 bool // a loader has started this
	loaderTLS               [1]uintptr
	oldState                processorState // the firmware's
	stateBefore, stateAfter processorState
	levelFive               [2 * 512]uint64 // has a whole page in it

	ownImage, ownPath, child, childImage uintptr

	loadedImageGUID = [4]uint32{0x5B1B31A1, 0x11D29562, 0xA0003F8E, 0x3B7269C9}
	loadedPathGUID  = [4]uint32{0xBC62157E, 0x4FEC3E33, 0x3B2D2099, 0xDF50D736}
)

func firmwareCall(fn, a, b, c, d, e, f uintptr) (status uintptr)
func makeOdd()
func makeEven()
func readMSR(register uint32) uint64
func writeMSR(register uint32, value uint64)
func storeState(to *processorState)
func switchLevels(root uintptr)
func hasLevelFive() bool
func reportNumber(n int)

// loadTwice is loaderEntry's part in Go. It has no g, so no function that it calls may have a stack
// check. UEFI 2.10: 4.4 EFI_BOOT_SERVICES, 7.3 HandleProtocol, 7.4 LoadImage and StartImage, 9.1
// EFI_LOADED_IMAGE_PROTOCOL, 9.2 EFI_LOADED_IMAGE_DEVICE_PATH_PROTOCOL.
//
//go:nosplit
func loadTwice(image, system uintptr) (status uintptr) {
	services := *word(system + 96)
	handleProtocol, loadImage, startImage := *word(services + 152), *word(services + 200), *word(services + 208)
	firmwareCall(handleProtocol, image, place(&loadedImageGUID), place(&ownImage), 0, 0, 0)
	firmwareCall(handleProtocol, image, place(&loadedPathGUID), place(&ownPath), 0, 0, 0)
	options, size := *word(ownImage + 56), *word(ownImage + 48)&0xFFFF // bytes of UTF-16
	for size > 2 && *word(options)&0xFFFF != ' ' {
		options, size = options+2, size-2
	}
	makeLoaderState()
	for range 2 {
		if status = firmwareCall(loadImage, 0, image, ownPath, 0, 0, place(&child)); status != 0 {
			reportNumber(99)
			break
		}
		firmwareCall(handleProtocol, child, place(&loadedImageGUID), place(&childImage), 0, 0, 0)
		*word(childImage + 48), *word(childImage + 56) = size, options
		*word(*word(childImage + 64) + place(&started) - *word(ownImage + 64)) |= 1
		readState(&stateBefore)
		status = firmwareCall(startImage, child, 0, 0, 0, 0, 0)
		readState(&stateAfter)
		for i := uintptr(0); i < unsafe.Sizeof(stateBefore); i += 8 {
			if *word(place(&stateBefore) + i) != *word(place(&stateAfter) + i) {
				reportNumber(50 + int(i/8))
			}
		}
	}
	undoLoaderState()
	return status
}

//go:nosplit
func makeLoaderState() {
	readState(&oldState)
	makeOdd()
	for i := range loaderMSRs {
		if m := &loaderMSRs[i]; m.value != 0 {
			writeMSR(m.register, m.value)
		}
	}
	if hasLevelFive() {
		table := (place(&levelFive) + 4095) &^ 4095
		*word(table) = uintptr(oldState.cr3)&^4095 | 3
		switchLevels(table)
	}
}

//go:nosplit
func undoLoaderState() {
	if hasLevelFive() {
		switchLevels(uintptr(oldState.cr3))
	}
	for i := range loaderMSRs {
		if m := &loaderMSRs[i]; m.value != 0 {
			writeMSR(m.register, oldState.msrs[i])
		}
	}
	makeEven()
}

//go:nosplit
func readState(s *processorState) {
	storeState(s)
	for i := range loaderMSRs {
		s.msrs[i] = readMSR(loaderMSRs[i].register)
	}
}

func word(a uintptr) *uintptr { return *(**uintptr)(unsafe.Pointer(&a)) }

func place[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// loaded checks that a loader with such a state has started the program.
func loaded([]string) error {
	const bits = 1<<11 | 1<<12 | 1<<20 | 1<<21 | 1<<22 // UMIP, LA57, SMEP, SMAP, PKE
	r := metal.FirmwareRegisters(0)
	if r.CR4&bits != bits || r.CR0&0x10020 != 0 {
		return fmt.Errorf("CR0 is %#x, CR4 %#x", r.CR0, r.CR4)
	}
	known := map[uint32]uint64{0xC0000081: r.STAR, 0xC0000082: r.LSTAR, 0xC0000084: r.FMASK, 0xC0000101: r.GSBase}
	for _, m := range loaderMSRs {
		if got, ok := known[m.register]; ok && got != m.value {
			return fmt.Errorf("register %#x is %#x, not %#x", m.register, got, m.value)
		}
	}
	return panics(nil)
}
