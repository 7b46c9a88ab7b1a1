//go:build linux && amd64

package metal

// Ending is what the machine does when the program has ended and a person has read what it wrote last.
type Ending uint64

const (
	// AskPerson: the person chooses. Enter and all keys but o and r return to the firmware.
	AskPerson Ending = iota
	// ToFirmware: the program returns to the firmware, which goes on with its next boot entry or, when a boot manager has
	// started the program, with that one's menu.
	ToFirmware
	// PowerOff: the machine is switched off.
	PowerOff
	// Restart: the machine starts again.
	Restart
)

var (
	afterEnd     Ending
	afterEndWait uint64 // 1: wait for a key also after the exit status 0
)

// AtEnd says what the machine does when the program has ended, where a person sits at it: neither the UEFI shell has started
// the program, nor does the owner of a virtual machine read its exit status (see the package's text). There a program that
// fails, by an exit status other than 0, a panic, a fatal error, or a fault of the kernel, waits for a key before the firmware
// clears the screen; with wait, one that succeeds does so, too. Elsewhere the program returns to what started it, at once.
//
// A program that does not call AtEnd has AskPerson without wait.
func AtEnd(e Ending, wait bool) {
	afterEndWait = 0
	if wait {
		afterEndWait = 1
	}
	afterEnd = e
}

// Observed reports whether the owner of a virtual machine gets what the program writes, byte for byte, and its exit status.
// Otherwise all text goes to a screen or to the terminal on a serial line.
func Observed() bool { return hasDebugChannel(statusChannel) }

// attend lets the person read what the program wrote last, and does what AtEnd said. It returns to return to the firmware.
func attend(status uint64) {
	if startedByShell || Observed() {
		return
	}
	e := afterEnd
	if status != 0 || afterEndWait != 0 {
		switch key := pressedKey(e); {
		case e != AskPerson:
		case key == 'o' || key == 'O':
			e = PowerOff
		case key == 'r' || key == 'R':
			e = Restart
		}
	}
	switch e {
	case PowerOff:
		resetSystem(efiResetShutdown)
	case Restart:
		resetSystem(efiResetCold)
	}
}

// pressedKey asks for a key and returns its first byte, 0 if there is no keyboard. What was typed before does not count.
func pressedKey(e Ending) byte {
	if conIn == 0 {
		return 0
	}
	receivedKey()
	switch e {
	case PowerOff:
		say("\nPress a key to switch the machine off.")
	case Restart:
		say("\nPress a key to start the machine again.")
	case ToFirmware:
		say("\nPress a key to go on with the machine's firmware.")
	default:
		say("\nPress a key to go on with the machine's firmware, o to switch it off, r to start it again.")
	}
	for {
		if key, ok := receivedKey(); ok {
			say("\n")
			return key
		}
		waitForKey(1e9)
	}
}

// receivedKey takes all keys that the firmware has, and returns the first byte of them. A start that fails early comes here
// without a clock.
func receivedKey() (key byte, ok bool) {
	drainKeys(lastFullPoll + fullPollInterval)
	key, ok = received[receivedHead%receivedSize], receivedHead != receivedEnd
	receivedHead = receivedEnd
	return key, ok
}

// resetSystem switches the machine off or starts it again. Where the firmware cannot, it returns.
func resetSystem(kind uintptr) {
	warn("ResetSystem", firmware(at[efiRuntimeServices](systemTable().runtimeServices).resetSystem, kind, efiSuccess, 0, 0))
}
