//go:build linux

package metal

import "unsafe"

// What the kernel uses of the local APIC (Intel SDM volume 3, chapter 11), so that
// processors can interrupt each other: registers by their offset in the page that maps
// them; in x2APIC mode each is a model-specific register.
const (
	msrAPICBase = 0x1B
	msrX2APIC   = 0x800

	apicBaseX2APIC  = 1 << 10
	apicBaseEnabled = 1 << 11

	apicID           = 0x20
	apicTaskPriority = 0x80
	apicEOI          = 0xB0
	apicSpurious     = 0xF0
	apicCommand      = 0x300
	apicDestination  = 0x310

	spuriousEnable = 1 << 8

	commandFixed   = 0x4000 // delivery mode, with level: assert
	commandNMI     = 0x4400
	commandINIT    = 0x4500
	commandPending = 1 << 12

	wakeVector     = 0xF0
	spuriousVector = 0xFF

	apicWindow = 0x7FFF_FFFF_0000 // address at which the registers are mapped: above all of mmap's
)

// mapAPIC maps the registers and reads the boot processor's APIC ID; false without an APIC
// or memory for page tables.
func mapAPIC() bool {
	base := rdmsr(msrAPICBase)
	if base&apicBaseEnabled == 0 {
		return false
	}
	e := entryFor(apicWindow, 12)
	if e == nil {
		return false
	}
	*e = deviceEntry(uintptr(base & entryAddress))
	identifyAPIC(&bootCore)
	return true
}

// identifyAPIC stores the ID of a processor's APIC and whether it is in x2APIC mode.
func identifyAPIC(c *core) {
	if c.x2APIC = rdmsr(msrAPICBase) & apicBaseX2APIC; c.x2APIC != 0 {
		c.apicID = rdmsr(msrX2APIC + apicID>>4)
		return
	}
	c.apicID = uint64(*at[uint32](apicWindow + apicID)) >> 24
}

// identifyUnfit stores the ID of a processor that is not to use our page tables, where the
// registers are mapped: the one that its APIC has had after the reset (Intel SDM volume 3, 11.4.6).
func identifyUnfit(c *core) {
	if rdmsr(msrAPICBase)&apicBaseX2APIC != 0 {
		c.apicID = rdmsr(msrX2APIC + apicID>>4)
		return
	}
	_, ids, _, _ := cpuid(1, 0)
	c.apicID = uint64(ids >> 24)
}

// enterAPIC makes a processor's APIC accept interrupts: firmware may have disabled it.
func enterAPIC(c *core) {
	identifyAPIC(c)
	c.firmware.spuriousVector, c.firmware.taskPriority = readAPIC(c, apicSpurious), readAPIC(c, apicTaskPriority)
	writeAPIC(c, apicSpurious, spuriousEnable|spuriousVector)
	writeAPIC(c, apicTaskPriority, 0)
}

// leaveAPIC restores what enterAPIC has changed.
func leaveAPIC(c *core) {
	writeAPIC(c, apicTaskPriority, c.firmware.taskPriority)
	writeAPIC(c, apicSpurious, c.firmware.spuriousVector)
}

func readAPIC(c *core, register uintptr) uint32 {
	if c.x2APIC != 0 {
		return uint32(rdmsr(msrX2APIC + uint32(register>>4)))
	}
	return *at[uint32](apicWindow + register)
}

func writeAPIC(c *core, register uintptr, value uint32) {
	if c.x2APIC != 0 {
		wrmsr(msrX2APIC+uint32(register>>4), uint64(value))
		return
	}
	*at[uint32](apicWindow + register) = value
}

// sendCommand sends an interrupt to the processor whose APIC has an ID. In x2APIC mode the write does not wait
// for earlier stores (11.12.3). What the other core has to see is visible all the same:
// there is a swap, a full barrier, before each call of this.
func sendCommand(id uint64, command uint32) {
	c := getCore()
	if c.x2APIC != 0 {
		wrmsr(msrX2APIC+apicCommand>>4, id<<32|uint64(command))
		return
	}
	for readAPIC(c, apicCommand)&commandPending != 0 {
		pause()
	}
	writeAPIC(c, apicDestination, uint32(id)<<24)
	writeAPIC(c, apicCommand, command)
}

// sendWake wakes a core from haltUntilInterrupt.
func sendWake(to *core) { sendCommand(to.apicID, commandFixed|wakeVector) }

// vectorArea holds the vector registers of a thread that an NMI has interrupted, as XSAVE
// stores them (Intel SDM volume 1, 13.4), 2,688 bytes with AVX-512, or FXSAVE.
type vectorArea struct {
	registers [4088]byte
	used      uint64 // 1: it is a thread's, or a core's for the next one
}

// vectorAreas is for as many threads at a time as may be interrupted, and aligned to 64 bytes,
// which XSAVE asks for, only from the first page in it.
var vectorAreas [9 * pageSize]byte

// prepareInterrupt sees to it that the next NMI to a core can interrupt its thread; false if
// that is not possible.
func (c *core) prepareInterrupt() bool {
	if c.vectorArea != 0 {
		return true
	}
	if _, size, _, _ := cpuid(0xD, 0); c.xcr0 != 0 && uintptr(size) > unsafe.Offsetof(vectorArea{}.used) {
		return false
	}
	first := (address(&vectorAreas) + pageSize - 1) &^ (pageSize - 1)
	for a := first; a+pageSize <= address(&vectorAreas)+unsafe.Sizeof(vectorAreas); a += pageSize {
		if swap(&at[vectorArea](a).used, 1) == 0 {
			if other := swap(&c.vectorArea, uint64(a)); other != 0 { // of another core, which came here at the same time
				at[vectorArea](uintptr(other)).used = 0
			}
			return true
		}
	}
	return false
}

// mayTakeSignal says whether a signal handler may run before the thread goes on: it does not
// save vector registers.
func (r *registers) mayTakeSignal() bool { return r.vectors == 0 }

// reach brings a core that runs the program, with interrupts off, to stop when the
// program ends, or to give its thread up: by an NMI.
func reach(to *core) {
	to.nmisSent++
	sendCommand(to.apicID, commandNMI)
}

// reachPending says whether an NMI to a core has been sent and has not arrived.
func (c *core) reachPending() bool { return c.nmis != c.nmisSent }

// sendINIT resets a processor; it then waits to be started.
func sendINIT(id uint64) { sendCommand(id, commandINIT) }
