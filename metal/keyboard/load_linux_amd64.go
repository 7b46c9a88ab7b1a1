package keyboard

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"bootllama/metal"
)

// Requests of ioctl_kd(2).
const (
	kdSKBEnt     = 0x4B47
	kdSKBDiacrUC = 0x4BFB
)

// load gives metal a layout.
func load(entries []entry, compositions []composition) error {
	if !metal.On() {
		return nil
	}
	table := struct {
		count uint32
		list  [256]composition
	}{count: uint32(len(compositions))}
	copy(table.list[:], compositions)
	err := request(kdSKBDiacrUC, unsafe.Pointer(&table))
	for i := range entries {
		if err == nil {
			err = request(kdSKBEnt, unsafe.Pointer(&entries[i]))
		}
	}
	if err != nil {
		return fmt.Errorf("setting the keyboard layout: %w", os.NewSyscallError("ioctl", err))
	}
	return nil
}

func request(number uintptr, argument unsafe.Pointer) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, number, uintptr(argument)); e != 0 {
		return e
	}
	return nil
}
