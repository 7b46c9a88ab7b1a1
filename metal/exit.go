//go:build linux && amd64

package metal

const (
	returnLimit   = int64(3e9) // ns that the firmware has to notice that the others are back: EDK2 looks ten times a second
	reachLimit    = int64(3e9) // ns that an NMI to the boot processor may be on its way
	reachInterval = int64(1e6) // ns between two NMIs to a core that has not stopped
)

// statusCrash is the exit status that a virtual machine hears when the kernel or the
// start failed: what a shell reports for SIGABRT.
const statusCrash = 128 + sigABRT

// The end of the program may come from any core; the boot processor brings it about.
var (
	endClaimed uint64 // the first to want the end has it
	ending     uint64 // 1: the program ends, with
	endStatus  uintptr
	endCode    uint64

	bootStopping  uint64 // 1: the boot processor knows
	reaching      uint64 // 1: another core is about to send it an NMI
	reachGivenUp  bool   // it has waited for one in vain
	returnAllowed uint64 // 1: the others may return to the firmware
)

// leaveProgram ends the program with an exit status. The firmware gets EFI_SUCCESS
// for 0 and for others a status in the range that appendix D of the specification
// leaves to a program's maker: 0xC000000000000000 + status.
func leaveProgram(status uint64) {
	status &= 0xFF
	if status == 0 {
		endProgram(efiSuccess, 0)
	}
	endProgram(efiOEM|uintptr(status), status)
}

// endProgram ends the program with a status for the firmware and one for a virtual machine's
// owner. It does not return.
func endProgram(efiStatus uintptr, code uint64) {
	if swap(&endClaimed, 1) == 0 {
		beginEnd(efiStatus, code)
	}
	stop()
}

func beginEnd(efiStatus uintptr, code uint64) {
	endStatus, endCode = efiStatus, code
	swap(&ending, 1)
	if !getCore().isBoot() {
		reachBoot()
	}
}

// nudge makes the boot processor look. If it runs the program, only an NMI gets
// through; in the firmware's world one would be taken for the machine's. So it says
// when it is there, and before it goes waits for an NMI that is on its way.
func reachBoot() {
	for bootStopping == 0 {
		for limit := ticktime() + reachInterval/10; bootStopping == 0 && ticktime() < limit; {
			pause()
		}
		swap(&reaching, 1)
		if inFirmware == 0 && bootStopping == 0 && !bootCore.reachPending() {
			reach(&bootCore)
		}
		store(&reaching, 0)
	}
}

// awaitNMIs is the boot processor's part of nudge. What it waits for is a few instructions
// away, but a hypervisor may have taken the other processor from them: under QEMU on a busy
// host more than a millisecond went by, and the NMI came in the firmware, which stopped for
// ever ("X64 Exception Type - 02(NMI Interrupt)"). The limit is for an NMI that never comes,
// as when this processor is in the handler of one that the machine has sent.
func awaitReach() {
	if reachGivenUp || ending == 0 && reaching == 0 {
		return
	}
	for limit := ticktime() + reachLimit; reaching != 0 || bootCore.reachPending(); pause() {
		if ticktime() >= limit {
			reachGivenUp = true
			return
		}
	}
}

// stop is where a core goes, whatever it was doing, when the program ends.
func stop() {
	c := getCore()
	if c.isBoot() {
		swap(&bootStopping, 1)
		awaitReach()
		returnCores()
		printCrash()
		leave(endStatus, endCode)
	}
	swap(&c.parked, 1)
	for returnAllowed == 0 {
		pause()
	}
	returnCore(c)
}

// bringHome returns the other processors to the firmware before the memory that they
// run in is its own again: first all come to rest in stop, for which a core in the
// program must be reached, then all go, and at last the firmware itself must have seen
// them.
func returnCores() {
	if coreLimit < 2 {
		return
	}
	limit := ticktime() + returnLimit
	for !allParked() && ticktime() < limit {
		for i := 1; i < coreLimit; i++ {
			if c := coreNumber(i); c.online != 0 && c.parked == 0 && !c.reachPending() {
				reach(c)
			}
		}
		for wave := ticktime() + reachInterval; !allParked() && ticktime() < wave; {
			pause()
		}
	}
	swap(&returnAllowed, 1)
	kernelLock, memoryLock = 0, 0 // whoever held them is no more
	awaitReturn(limit)
}

// allParked says whether no other core runs any more, nor has an NMI to come.
func allParked() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && (c.parked == 0 || c.reachPending()) {
			return false
		}
	}
	return true
}

// leave puts the machine back as it was found and returns to the firmware, from the boot
// processor when it is the only one left.
func leave(efiStatus uintptr, status uint64) {
	drainOutput()
	closeFiles()
	closeConsole()
	if bootCore.changed() {
		restoreCPU(&bootCore)
		worldEntered = false
	}
	freeMemory()
	reportStatus(byte(status))
	leaveTo(&bootCore, efiStatus)
}
