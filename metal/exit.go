//go:build linux && amd64

package metal

const (
	// ns in which the other cores must have returned. EDK2 looks for them ten times a second; on a host that ran twelve
	// processors on two cores, three seconds were not enough once.
	returnLimit   = int64(6e9)
	reachLimit    = int64(3e9) // ns in which a reach of the boot processor must have arrived
	reachInterval = int64(1e6) // ns between two attempts to reach a core that has not stopped
)

// statusCrash is the exit status for a virtual machine's owner when the kernel or the start
// failed: the one that a shell reports for SIGABRT.
const statusCrash = 128 + sigABRT

// statusFatal is the exit status of a Go program that has panicked or that the runtime ended.
const statusFatal = 2

// Any core may end the program; the boot processor carries the end out.
var (
	endClaimed uint64  // 1: a core has begun the end; only the first counts
	ending     uint64  // 1: the program ends, and these are set:
	endStatus  uintptr // for the firmware
	endCode    uint64  // for a virtual machine's owner

	bootStopping  uint64 // 1: the boot processor has seen ending
	reaching      uint64 // 1: another core is about to reach the boot processor
	reachGivenUp  bool   // the boot processor has waited for that longer than reachLimit
	returnAllowed uint64 // 1: the parked cores may return to the firmware
)

// leaveProgram ends the program with an exit status. The firmware gets EFI_SUCCESS
// for 0 and for others a status in the range that appendix D of the specification
// reserves for the maker of a program: 0xC000000000000000 + status.
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

// reachBoot makes the boot processor look at ending. While it runs the program, only an
// NMI interrupts it. In the firmware's world an NMI would be handled as an error of the
// machine; so the boot processor says when it is there (inFirmware), and before it
// enters, waits for an NMI that is on its way (awaitReach).
func reachBoot() {
	for bootStopping == 0 {
		for limit := ticktime() + reachInterval/10; bootStopping == 0 && ticktime() < limit; {
			pause()
		}
		if bootStopping == 0 {
			tryReachBoot()
		}
	}
}

// tryReachBoot sends the boot processor an NMI, unless it is in the firmware's world, or one
// is on its way, or another core is here.
func tryReachBoot() {
	if swap(&reaching, 1) != 0 {
		return
	}
	if inFirmware == 0 && !bootCore.reachPending() {
		reach(&bootCore)
	}
	store(&reaching, 0)
}

// awaitReach is the boot processor's part of tryReachBoot: it waits until no other core is
// about to send it an NMI and every one sent has arrived. That takes a few instructions of
// the other core, unless a hypervisor interrupts it there: under QEMU on a busy host it
// took more than a millisecond, and the NMI arrived in the firmware, which stopped for ever
// ("X64 Exception Type - 02(NMI Interrupt)"). The limit is for an NMI that never arrives, as
// when this processor is in the handler of one that the machine has sent.
func awaitReach() {
	if reachGivenUp || reaching == 0 && !bootCore.reachPending() {
		return
	}
	for limit := ticktime() + reachLimit; reaching != 0 || bootCore.reachPending(); pause() {
		if ticktime() >= limit {
			reachGivenUp = true
			return
		}
	}
}

// stop ends what a core does, whatever it is, when the program ends. It does not return.
func stop() {
	c := getCore()
	if c.isBoot() {
		swap(&bootStopping, 1)
		awaitReach()
		returnCores()
		kernelLock, memoryLock = 0, 0 // the core that held one was stopped, or is this one
		showText()
		printCrash()
		leave(endStatus, endCode)
	}
	swap(&c.parked, 1)
	for returnAllowed == 0 {
		pause()
	}
	returnCore(c)
}

// returnCores returns the other processors to the firmware, before the memory that they
// run in is given back: first all must wait in stop, to which a core that runs the program
// is brought by reach; then all return; then the firmware must have noticed.
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
		for next := ticktime() + reachInterval; !allParked() && ticktime() < next; {
			pause()
		}
	}
	swap(&returnAllowed, 1)
	awaitReturn(limit)
}

// allParked says whether all other cores wait in stop and no NMI to one is on its way.
func allParked() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && (c.parked == 0 || c.reachPending()) {
			return false
		}
	}
	return true
}

// sayRefused says why a program has probably ended, below what the runtime has printed.
func sayRefused() {
	say("metal: out of memory: the program asked for ")
	sayNumber(uint64(refusedSize))
	say(" bytes, and ")
	sayNumber(uint64(unallocated()))
	say(" of ")
	sayNumber(uint64(memoryUse.Taken))
	say(" are free\n")
}

// leave restores the state of the machine and returns to the firmware. It runs on the
// boot processor, when no other core runs any more.
func leave(efiStatus uintptr, status uint64) {
	showText()
	drainOutput()
	if status == statusFatal && refusedSize != 0 {
		sayRefused()
	}
	closeFiles()
	attend(status)
	closeInput()
	if bootCore.changed() {
		restoreCPU(&bootCore)
		worldEntered = false
	}
	freeMemory()
	closeConsole(efiStatus != efiSuccess)
	reportStatus(byte(status))
	leaveTo(&bootCore, efiStatus)
}
