//go:build linux && amd64

package metal

// Serial lines get what the program writes as it is, in UTF-8, from EFI_SERIAL_IO_PROTOCOL
// (12.8): the firmware's terminal on the line is of a type that its setup has chosen, mostly
// PC-ANSI or VT100, where EDK2 writes ? for what is not ASCII or line drawing.

const maxSerialFailures = 15

var (
	serialLines    [4]uintptr // *efiSerialIO
	serialFailures [4]uint    // writes in a row that the line has taken nothing of
	serialCount    int
	serialPath     uintptr // device path, which the firmware moves on
	serialText     [512]byte
	serialSize     int     // of serialText
	serialEnd      int     // of what is whole in it: behind it, an escape sequence or character has not ended
	serialMoved    uintptr // BufferSize of Write
)

// findSerialLine adds the serial line in the device path of a terminal; false if there is none.
func findSerialLine(path uintptr) bool {
	if !hasUART(path) {
		return false
	}
	serialPath = path
	// The handle found is the one with the longest beginning of the path: that of the line, of
	// which the terminal is a child.
	if firmware(bootServices().locateDevicePath, address(&serialIOGUID), address(&serialPath), address(&firmwareResult)) != efiSuccess {
		return false
	}
	line := handleProtocol(firmwareResult, &serialIOGUID)
	serialLines[serialCount] = line
	return line != 0
}

// hasUART reports whether a device path has the node of a serial line.
func hasUART(path uintptr) bool {
	const maxNodes = 64
	for i := 0; i < maxNodes && !isPathEnd(path); i++ {
		node := at[efiDevicePathNode](path)
		if node.typ == efiMessagingDevicePath && node.subtype == efiMessagingUART {
			return true
		}
		size := uintptr(node.length[0]) | uintptr(node.length[1])<<8
		if size < 4 {
			return false
		}
		path += size
	}
	return false
}

// clearSerial clears the terminals on the lines, so that they show what the kernel's does.
func clearSerial() {
	serialString("\x1b[0m\x1b[2J\x1b[H")
	flushSerial()
}

func serialString(s string) {
	for i := 0; i < len(s); i++ {
		serialByte(s[i])
	}
}

// serialByte takes a byte after the terminal has. A sequence that the terminal answers is not
// passed on: the one on the line would answer, too.
func serialByte(b byte) {
	if serialSize == len(serialText) {
		flushSerial()
		if serialSize == len(serialText) { // a long string, such as a title
			serialEnd = serialSize
			flushSerial()
		}
	}
	serialText[serialSize] = b
	serialSize++
	switch {
	case terminal.InSequence():
	case terminal.Queried():
		serialSize = serialEnd
	default:
		serialEnd = serialSize
	}
}

// flushSerial writes what is whole, and keeps the rest.
func flushSerial() {
	if serialEnd == 0 {
		return
	}
	for i := range serialCount {
		writeSerial(i)
	}
	for i := serialEnd; i < serialSize; i++ {
		serialText[i-serialEnd] = serialText[i]
	}
	serialSize, serialEnd = serialSize-serialEnd, 0
}

// writeSerial writes to a line. EDK2's Write returns EFI_TIMEOUT when the line has taken nothing
// for the time of a few characters, which a virtual machine on a busy host reaches often; it keeps
// the byte at which it gave up, as many as 16 of them, and does not count it. So the next Write
// begins behind it, after a while. A line that takes nothing for about a second, since it has flow
// control and nobody listens, loses the text, and is from then on only tried.
func writeSerial(i int) {
	line := serialLines[i]
	for p, n := address(&serialText), uintptr(serialEnd); n > 0; {
		serialMoved = n
		status := firmware(at[efiSerialIO](line).write, line, address(&serialMoved), p)
		moved := min(serialMoved, n)
		if moved > 0 {
			serialFailures[i] = 0
		}
		if status != efiSuccess {
			if status != efiTimeout || serialFailures[i] == maxSerialFailures {
				return
			}
			serialFailures[i]++
			firmware(bootServices().stall, 1000<<min(serialFailures[i], 6))
			moved = min(moved+1, n)
		}
		p, n = p+moved, n-moved
	}
}
