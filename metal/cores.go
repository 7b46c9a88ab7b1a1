//go:build linux && amd64

package metal

import "unsafe"

const (
	maxCores = 64 // a word of the affinity mask

	arrivalTime = int64(3e9) // ns that the firmware has to start the others
	homeTime    = int64(3e9) // ns that it has to notice that they are back: EDK2 looks ten times a second
	nmiTime     = int64(3e9) // ns that an NMI to the boot processor may be on its way
	patience    = int64(1e6) // ns between two NMIs to a core that has not stopped
)

var (
	cores     [maxCores]uintptr // *core, by number; 0: none
	coreLimit int               // numbers below it have one
	coreCount uint64            // that take part in scheduling, the boot processor included
	arrivals  uint32            // other processors that have come to apEntry

	mpServices uintptr // *efiMPServices
	mpEvent    uintptr // signalled when the firmware has seen every processor return
	processors uintptr // in the machine
	enabled    uintptr // of them in use by the firmware
)

func coreNumber(i int) *core { return at[core](cores[i]) }

func (c *core) isBoot() bool { return c == &bootCore }

// startCores asks the firmware for its other processors (PI 1.7 volume 2, 13.4) and
// waits until they are in the scheduler. The call does not block; the specification
// lets a firmware refuse that once it has signalled ReadyToBoot, which is before any
// boot option starts. With fewer cores than there are, or one, everything works.
func startCores() {
	coreCount = 1
	if r := firmware(bootServices().locateProtocol, address(&mpServicesGUID), 0, address(&protocolFound)); r != efiSuccess {
		warn("one processor core is used, as the firmware has no EFI_MP_SERVICES_PROTOCOL to start others with", r)
		return
	}
	mpServices = protocolFound
	mp := at[efiMPServices](mpServices)
	if r := firmware(mp.getNumberOfProcessors, mpServices, address(&processors), address(&enabled)); r != efiSuccess {
		warn("one processor core is used: GetNumberOfProcessors", r)
		return
	}
	wanted := uint64(min(enabled, maxCores))
	if enabled > maxCores {
		warn("64 processor cores are used, as many as there is room for; the firmware has more", efiOutOfResources)
	}
	if wanted < 2 {
		return
	}
	if !makeCores(int(wanted)) {
		warn("one processor core is used: no room for the others", efiOutOfResources)
		return
	}
	if r := firmware(bootServices().createEvent, 0, 0, 0, 0, address(&mpEvent)); r != efiSuccess {
		warn("one processor core is used: CreateEvent", r)
		mpEvent = 0
		return
	}
	_, _, _, _, _, ap := addresses()
	if r := firmware(mp.startupAllAPs, mpServices, ap, 0, mpEvent, 0, 0, 0); r != efiSuccess {
		warn("one processor core is used, as the firmware does not start the others: StartupAllAPs", r)
		closeMPEvent()
		return
	}
	for limit := ticktime() + arrivalTime; coreCount < wanted && ticktime() < limit; {
		pause()
	}
	if n := coreCount; n < wanted {
		say("metal: ")
		sayNumber(n)
		say(" of ")
		sayNumber(wanted)
		say(" processor cores are used: the firmware said that it started the others, but they have not come\n")
	}
}

// makeCores makes the states of cores 1 to n-1, in memory taken for them, and the way
// to interrupt them.
func makeCores(n int) bool {
	const pages = (unsafe.Sizeof(core{}) + pageSize - 1) / pageSize
	if !mapAPIC() {
		return false
	}
	for coreLimit = 1; coreLimit < n; coreLimit++ {
		if cores[coreLimit] = allocPages(pages); cores[coreLimit] == 0 {
			return false
		}
	}
	return true
}

func closeMPEvent() {
	if mpEvent != 0 {
		firmware(bootServices().closeEvent, mpEvent)
		mpEvent = 0
	}
}

// startAP makes a processor that has come from the firmware the program's. It arrives
// with the firmware's page tables, no AVX, and interrupts off. A processor that runs
// under other segments than the boot processor cannot share its IDT, and goes back.
func startAP() {
	c := getCore()
	initCPU(c)
	if c.codeSelector != bootCore.codeSelector {
		restoreCPU(c)
		leaveTo(c, efiSuccess)
	}
	c.cr3 = bootCore.cr3
	initTraps(c)
	enterKernelWorld(c)
	initSyscall(c)
	enterAPIC(c)
	acquire(&kernelLock)
	c.online = 1
	coreCount++
	schedule(c, false)
}

// Locks. There are two, never held together, and none during a firmware call: one for
// threads, signals and events, one for memory. What only the boot processor touches
// (console, files, everything of the firmware) needs none.
var kernelLock, memoryLock uint64

// acquire takes a lock. Its holder may be a core that has just been stopped for ever:
// then the program ends, and so does the wait.
func acquire(lock *uint64) {
	for swap(lock, 1) != 0 {
		for *lock != 0 {
			if ending != 0 {
				stop()
			}
			pause()
		}
	}
}

func release(lock *uint64) { store(lock, 0) }

// The end of the program may come from any core; the boot processor brings it about.
var (
	claimed   uint64 // the first to want the end has it
	ending    uint64 // 1: the program ends, with
	endStatus uintptr
	endCode   uint64

	leaving uint64 // 1: the boot processor knows
	nudging uint64 // 1: another core is about to send it an NMI
	deaf    bool   // it has waited for one in vain
	goHome  uint64 // 1: the others may return to the firmware
)

// endProgram ends the program with a status for the firmware and one for a virtual machine's
// owner. It does not return.
func endProgram(efiStatus uintptr, code uint64) {
	if swap(&claimed, 1) == 0 {
		beginEnd(efiStatus, code)
	}
	stop()
}

func beginEnd(efiStatus uintptr, code uint64) {
	endStatus, endCode = efiStatus, code
	swap(&ending, 1)
	if !getCore().isBoot() {
		nudge()
	}
}

// nudge makes the boot processor look. If it runs the program, only an NMI gets
// through; in the firmware's world one would be taken for the machine's. So it says
// when it is there, and before it goes waits for an NMI that is on its way.
func nudge() {
	for leaving == 0 {
		for limit := ticktime() + patience/10; leaving == 0 && ticktime() < limit; {
			pause()
		}
		swap(&nudging, 1)
		if inFirmware == 0 && leaving == 0 && bootCore.nmis == bootCore.nmisDue {
			sendNMI(&bootCore)
		}
		store(&nudging, 0)
	}
}

// awaitNMIs is the boot processor's part of nudge. What it waits for is a few instructions
// away, but a hypervisor may have taken the other processor from them: under QEMU on a busy
// host more than a millisecond went by, and the NMI came in the firmware, which stopped for
// ever ("X64 Exception Type - 02(NMI Interrupt)"). The limit is for an NMI that never comes,
// as when this processor is in the handler of one that the machine has sent.
func awaitNMIs() {
	if deaf || ending == 0 && nudging == 0 {
		return
	}
	for limit := ticktime() + nmiTime; nudging != 0 || bootCore.nmis != bootCore.nmisDue; pause() {
		if ticktime() >= limit {
			deaf = true
			return
		}
	}
}

// stop is where a core goes, whatever it was doing, when the program ends.
func stop() {
	c := getCore()
	if c.isBoot() {
		swap(&leaving, 1)
		awaitNMIs()
		bringHome()
		printCrash()
		leave(endStatus, endCode)
	}
	swap(&c.parked, 1)
	for goHome == 0 {
		pause()
	}
	leaveAPIC(c)
	restoreCPU(c)
	leaveTo(c, efiSuccess)
}

// bringHome returns the other processors to the firmware before the memory that they
// run in is its own again: first all come to rest in stop, for which a core in the
// program needs an NMI, then all go, and at last the firmware itself must have seen
// them, or it would refuse to start them for the next program. A processor that does
// not come in time is reset to where it waits to be started (INIT): better lost than
// running in memory that is no longer ours.
func bringHome() {
	if mpEvent == 0 {
		return
	}
	limit := ticktime() + homeTime
	for !allParked() && ticktime() < limit {
		for i := 1; i < coreLimit; i++ {
			if c := coreNumber(i); c.online != 0 && c.parked == 0 && c.nmis == c.nmisDue {
				sendNMI(c)
			}
		}
		for wave := ticktime() + patience; !allParked() && ticktime() < wave; {
			pause()
		}
	}
	swap(&goHome, 1)
	kernelLock, memoryLock = 0, 0 // whoever held them is no more
	returned := false
	for !returned && ticktime() < limit {
		if returned = firmware(bootServices().checkEvent, mpEvent) == efiSuccess; !returned {
			firmware(bootServices().stall, 1000)
		}
	}
	closeMPEvent()
	if returned {
		return
	}
	say("metal: not all processors came back to the firmware in time; they are lost until it starts anew\n")
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.home == 0 {
			sendINIT(c)
		}
	}
}

// allParked says whether no other core runs any more, nor has an NMI to come.
func allParked() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && (c.parked == 0 || c.nmis != c.nmisDue) {
			return false
		}
	}
	return true
}
