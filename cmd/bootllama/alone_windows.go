package main

import (
	"syscall"
	"unsafe"
)

// alone reports whether this program is the only one in its console, whose window then goes with it: somebody has clicked
// on it, and not typed its name.
func alone() bool {
	var processes [2]uint32
	list := syscall.NewLazyDLL("kernel32.dll").NewProc("GetConsoleProcessList")
	n, _, _ := list.Call(uintptr(unsafe.Pointer(&processes[0])), uintptr(len(processes))) // 0: there is no console
	return n == 1
}
