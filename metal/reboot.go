//go:build linux && amd64

package metal

// The numbers of reboot(2) (linux/reboot.h).
const (
	rebootMagic1  = 0xFEE1DEAD
	rebootMagic2  = 672274793
	rebootMagic2A = 85072278
	rebootMagic2B = 369367448
	rebootMagic2C = 537993216

	rebootRestart  = 0x01234567
	rebootHalt     = 0xCDEF0123
	rebootPowerOff = 0x4321FEDC
	rebootCADOff   = 0x00000000
	rebootCADOn    = 0x89ABCDEF
)

// EFI_RESET_TYPE (8.5.1).
const (
	efiResetCold     = 0
	efiResetShutdown = 2
)

// reboot is reboot(2): it writes what has not been written, and restarts the machine or
// switches it off. A halt is taken for the latter, since there is no firmware prompt to
// return to. If the firmware returns from ResetSystem, the machine cannot do it: EIO. The
// owner of a virtual machine gets the exit status 0 before it goes off.
func reboot(magic1, magic2, command uintptr) uint64 {
	if uint32(magic1) != rebootMagic1 {
		return errno(einval)
	}
	switch uint32(magic2) {
	case rebootMagic2, rebootMagic2A, rebootMagic2B, rebootMagic2C:
	default:
		return errno(einval)
	}
	reset := uintptr(efiResetShutdown)
	switch uint32(command) {
	case rebootCADOff, rebootCADOn: // Ctrl-Alt-Del is the firmware's
		return 0
	case rebootRestart:
		reset = efiResetCold
	case rebootPowerOff, rebootHalt:
	default:
		return errno(einval)
	}
	drainOutput()
	if e := flushWritten(0); e != 0 {
		return errno(e)
	}
	reportStatus(0)
	firmware(at[efiRuntimeServices](systemTable().runtimeServices).resetSystem, reset, efiSuccess, 0, 0)
	return errno(eio)
}
