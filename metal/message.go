//go:build linux && amd64

package metal

// Messages of the kernel itself. They go where the program's standard error goes.

func say(s string) {
	if len(s) > 0 {
		consoleWrite(stderr, stringAddress(s), uintptr(len(s)))
	}
}

func sayNumber(v uint64) {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			break
		}
	}
	consoleWrite(stderr, address(&digits)+uintptr(i), uintptr(len(digits)-i))
}

func sayHex(v uint64) {
	var digits [18]byte
	digits[0], digits[1] = '0', 'x'
	for i := range 16 {
		digits[2+i] = "0123456789abcdef"[v>>(60-4*i)&15]
	}
	consoleWrite(stderr, address(&digits), uintptr(len(digits)))
}

func sayRegisters(n1 string, v1 uint64, n2 string, v2 uint64, n3 string, v3 uint64, n4 string, v4 uint64) {
	sayRegister(n1, v1)
	sayRegister(n2, v2)
	sayRegister(n3, v3)
	sayRegister(n4, v4)
	say("\n")
}

func sayRegister(name string, v uint64) {
	say(name)
	say(" ")
	sayHex(v)
	say("  ")
}

func sayStatus(status uintptr) {
	say(statusName(status))
	say(" (")
	sayHex(uint64(status))
	say(")\n")
}

// warn reports that a firmware call has failed, and the program goes on without it.
func warn(what string, status uintptr) {
	say("metal: ")
	say(what)
	say(": ")
	sayStatus(status)
}

// fail reports why the program cannot start, and returns to the firmware.
func fail(what string, status uintptr) {
	warn(what, status)
	leave(status|efiError, statusCrash)
}
