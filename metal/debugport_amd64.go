//go:build linux

package metal

const firstDebugPort = 0xE9 // of stdout; those of stderr and statusChannel follow

var debugPorts [statusChannel + 1]uint16 // by descriptor: I/O port, or 0

// findDebugChannels finds the debug ports of a virtual machine. QEMU's isa-debugcon
// returns a fixed value when it is read, which its user can set; ours is the port's own
// number. A PC without such a device reads 0xFF.
func findDebugChannels() {
	for i := stdout; i <= statusChannel; i++ {
		if port := uint16(firstDebugPort + i - stdout); inb(port) == byte(port) {
			debugPorts[i] = port
		}
	}
}

// hasDebugChannel says whether findDebugChannels has found a channel.
func hasDebugChannel(channel int) bool { return debugPorts[channel] != 0 }

// debugWrite writes n bytes at p to a debug channel, if the machine has it.
func debugWrite(channel int, p, n uintptr) {
	if debugPorts[channel] != 0 {
		outsb(debugPorts[channel], p, n)
	}
}
