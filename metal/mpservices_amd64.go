//go:build linux

package metal

const arrivalLimit = int64(3e9) // ns after which no further processor is expected to come

var (
	mpServices uintptr // *efiMPServices
	mpEvent    uintptr // EFI_EVENT, signalled when the firmware has seen all processors return

	processorCount uintptr // processors of the machine
	enabledCount   uintptr // those of them that the firmware may start
	processorInfo  efiProcessorInformation
)

// startCores lets the firmware start its other processors (PI 1.7 volume 2, 13.4) and
// waits until they are in the scheduler. The call does not block; the specification
// allows a firmware to refuse such calls after it has signalled ReadyToBoot, which is
// before any boot option starts. The program runs on the cores that did start, if need
// be on one.
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
	if enabledCount < 2 {
		return
	}
	if !mapAPIC() {
		warn("one processor core is used, as the others could not be interrupted: no local APIC", efiUnsupported)
		return
	}
	makeCores(int(min(enabledCount, maxCores)))
	if coreLimit < 2 {
		reportCores()
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
	limit := ticktime() + arrivalLimit
	for came := uint64(1); came < uint64(coreLimit) && ticktime() < limit; pause() {
		if n := coreCount + countUnfit(); n != came {
			came, limit = n, ticktime()+arrivalLimit
		}
	}
	reportCores()
}

// reportCores says in one line how many of the machine's cores are not used, and why.
func reportCores() {
	if coreCount == uint64(enabledCount) {
		return
	}
	say("metal: ")
	sayNumber(coreCount)
	say(" of ")
	sayNumber(uint64(enabledCount))
	say(" processor cores are used: ")
	next := ""
	if room := uintptr(coreLimit); room < enabledCount {
		say("there is room for ")
		sayNumber(uint64(room))
		next = "; "
	}
	unfit := countUnfit()
	if unfit > 0 {
		say(next)
		sayNumber(unfit)
		say(" cannot do what the boot processor can")
		next = "; "
	}
	if coreCount+unfit < uint64(coreLimit) {
		say(next)
		say("the firmware said that it started the others, but they have not come")
	}
	say("\n")
}

// countUnfit counts the cores that came and cannot take part.
func countUnfit() (n uint64) {
	for i := 1; i < coreLimit; i++ {
		n += coreNumber(i).unfit
	}
	return n
}

func closeMPEvent() {
	if mpEvent != 0 {
		firmware(bootServices().closeEvent, mpEvent)
		mpEvent = 0
	}
}

// startAP prepares an application processor (the specification's word for all but the
// boot processor) for the program and enters the scheduler. It arrives with the
// firmware's page tables, without AVX, and with interrupts off. Nothing on this way may
// call the firmware, nor print: a core that cannot take part is counted, and returns.
func startAP() {
	c := getCore()
	initCPU(c)
	if !c.isFit() {
		identifyUnfit(c)
		swap(&c.unfit, 1)
		restoreCPU(c)
		leaveTo(c, efiSuccess)
	}
	c.cr3 = bootCore.cr3
	initTraps(c)
	enterKernelWorld(c)
	enterAPIC(c)
	acquire(&kernelLock)
	c.online = 1
	coreCount++
	schedule(c, false)
}

// awaitReturn waits, with a limit, until the firmware has noticed that the other
// processors have returned: before that it refuses to start them for the next program.
// If one does not return in time, the event stays for ever: the firmware still has it, and
// signals it if that processor comes after all.
func awaitReturn(limit int64) {
	if mpEvent == 0 {
		return
	}
	for ticktime() < limit {
		if firmware(bootServices().checkEvent, mpEvent) == efiSuccess {
			closeMPEvent()
			return
		}
		firmware(bootServices().stall, 1000)
	}
	mpEvent = 0
	say("metal: not all processors came back to the firmware in time; they are lost until it starts anew\n")
	resetLost()
}

// resetLost resets (INIT) each processor that has not come back; it then waits to be started. The
// firmware has lost it, but it does not run in memory that is given back. It may be one that the
// firmware has said it started, and that has never come, but would: only the firmware knows its ID.
func resetLost() {
	for i := range processorCount {
		if firmware(at[efiMPServices](mpServices).getProcessorInfo, mpServices, i, address(&processorInfo)) != efiSuccess {
			continue
		}
		if processorInfo.statusFlag&(efiProcessorAsBSP|efiProcessorEnabled) == efiProcessorEnabled && !hasReturned(processorInfo.processorID) {
			sendINIT(processorInfo.processorID)
		}
	}
}

// hasReturned says whether the processor with an ID has been here and is back in the firmware.
func hasReturned(id uint64) bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.returning != 0 && c.apicID == id {
			return true
		}
	}
	return false
}

// returnCore returns to the firmware. It runs on any processor but the boot processor.
func returnCore(c *core) {
	leaveAPIC(c)
	restoreCPU(c)
	leaveTo(c, efiSuccess)
}
