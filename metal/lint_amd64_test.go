//go:build linux

package metal_test

import (
	"bytes"

	"golang.org/x/arch/x86/x86asm"
)

// decode reads the instruction at an address.
func decode(code []byte, address uint64) instruction {
	inst, err := x86asm.Decode(code, 64)
	if err != nil {
		return instruction{size: undecoded(code)}
	}
	next := address + uint64(inst.Len)
	target, direct := inst.Args[0].(x86asm.Rel)
	return instruction{inst.Len, direct, next + uint64(int64(target)), !direct && inst.Op == x86asm.CALL}
}

// undecoded gives the length of instructions that x86asm does not know.
func undecoded(code []byte) int {
	for _, known := range [][]byte{
		{0x0F, 0x01, 0xD0}, // XGETBV
		{0x0F, 0x01, 0xD1}, // XSETBV
	} {
		if bytes.HasPrefix(code, known) {
			return len(known)
		}
	}
	return 0
}
