//go:build linux && amd64

package metal

// statusCrash is the exit status that a virtual machine hears when the kernel or the
// start failed: what a shell reports for SIGABRT.
const statusCrash = 128 + sigABRT

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

// leave puts the machine back as it was found and returns to the firmware, from the boot
// processor when it is the only one left.
func leave(efiStatus uintptr, status uint64) {
	drainOutput()
	closeFiles()
	closeConsole()
	if bootCore.cr4 != 0 { // initCPU has run
		restoreCPU(&bootCore)
		away = false
	}
	freeMemory()
	reportStatus(byte(status))
	leaveTo(&bootCore, efiStatus)
}
