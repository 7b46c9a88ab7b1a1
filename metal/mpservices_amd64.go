//go:build linux

package metal

const arrivalLimit = int64(3e9) // ns that the firmware has to start the others

var (
	mpServices uintptr // *efiMPServices
	mpEvent    uintptr // signalled when the firmware has seen every processor return

	processorCount uintptr // in the machine
	enabledCount   uintptr // of them in use by the firmware
)

// startCores asks the firmware for its other processors (PI 1.7 volume 2, 13.4) and
// waits until they are in the scheduler. The call does not block; the specification
// lets a firmware refuse that once it has signalled ReadyToBoot, which is before any
// boot option starts. With fewer cores than there are, or one, everything works.
func startCores() {
	coreCount = 1
	found, r := locateProtocol(&mpServicesGUID)
	if r != efiSuccess {
		warn("one processor core is used, as the firmware has no EFI_MP_SERVICES_PROTOCOL to start others with", r)
		return
	}
	mpServices = found
	mp := at[efiMPServices](mpServices)
	if r := firmware(mp.getNumberOfProcessors, mpServices, address(&processorCount), address(&enabledCount)); r != efiSuccess {
		warn("one processor core is used: GetNumberOfProcessors", r)
		return
	}
	wanted := uint64(min(enabledCount, maxCores))
	if enabledCount > maxCores {
		warn("64 processor cores are used, as many as there is room for; the firmware has more", efiOutOfResources)
	}
	if wanted < 2 {
		return
	}
	if !mapAPIC() || !makeCores(int(wanted)) {
		warn("one processor core is used: no room for the others", efiOutOfResources)
		return
	}
	if r := firmware(bootServices().createEvent, 0, 0, 0, 0, address(&mpEvent)); r != efiSuccess {
		warn("one processor core is used: CreateEvent", r)
		mpEvent = 0
		return
	}
	_, _, _, _, ap := addresses()
	if r := firmware(mp.startupAllAPs, mpServices, ap, 0, mpEvent, 0, 0, 0); r != efiSuccess {
		warn("one processor core is used, as the firmware does not start the others: StartupAllAPs", r)
		closeMPEvent()
		return
	}
	for limit := ticktime() + arrivalLimit; coreCount < wanted && ticktime() < limit; {
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

// awaitReturn waits, with a limit, until the firmware has seen the other processors
// return, or it would refuse to start them for the next program. A processor that does
// not come in time is reset to where it waits to be started (INIT): better lost than
// running in memory that is no longer ours.
func awaitReturn(limit int64) {
	if mpEvent == 0 {
		return
	}
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
		if c := coreNumber(i); c.online != 0 && c.returning == 0 {
			sendINIT(c)
		}
	}
}

// goBack returns another processor than the boot processor to the firmware.
func returnCore(c *core) {
	leaveAPIC(c)
	restoreCPU(c)
	leaveTo(c, efiSuccess)
}
