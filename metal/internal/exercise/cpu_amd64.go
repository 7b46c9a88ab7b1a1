//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

const sysGetrandom = 318 // which package syscall lacks

func xcr0() uint64
func processorID() uint32
func pageAttributes() uint64
func hasOSXSAVE() bool
func vectorsOfProcessor() uint64
func changeRounding()
func floatControl() uint64
func addAVX(sum, a, b *[8]float32)
func handlerThatFaults() uintptr

func fileHooks() (open, close, delete uintptr)

// openHandles is how many handles of files metal has opened since countHandles, and not closed or deleted.
var openHandles, hookedOpen, hookedClose, hookedDelete uintptr

// countHandles counts handles from now on, if root is the only one that is open; it returns the firmware's functions of
// EFI_FILE_PROTOCOL, which root no longer has.
func countHandles(root *[11]uintptr) *[11]uintptr {
	firmware := *root
	hookedOpen, hookedClose, hookedDelete = firmware[fileOpen], firmware[fileClose], firmware[fileDelete]
	root[fileOpen], _, _ = fileHooks() // closed when the program ends
	return &firmware
}

// trapWithRegisters ends the program by a breakpoint; the runtime shows the registers then, each of which has a number of its
// own, but for BP and R14, which the runtime needs.
func trapWithRegisters()
func spin(state *vectors, avx bool, stop *uint32)

// vectors are the vector registers, of which those of SSE are the first half, and what else spin tells.
type vectors struct {
	registers [16][32]byte
	r8, r9    uint64
	carry     int64 // -1: CF was set
}

// vectorState returns XCR0, or 0 if it cannot be read, and checks that it has what the processor has, and that AVX works if it
// is enabled there.
func vectorState() (state uint64, err error) {
	if !hasOSXSAVE() {
		return 0, nil
	}
	if state = xcr0(); state != vectorsOfProcessor() {
		return state, fmt.Errorf("XCR0 is %#x on a processor that has %#x", state, vectorsOfProcessor())
	}
	if state&4 == 0 {
		return state, nil
	}
	var sum [8]float32
	a, b := [8]float32{1, 2, 3, 4, 5, 6, 7, 8}, [8]float32{8, 7, 6, 5, 4, 3, 2, 1}
	if addAVX(&sum, &a, &b); sum != [8]float32{9, 9, 9, 9, 9, 9, 9, 9} {
		err = fmt.Errorf("AVX added to %v", sum)
	}
	return state, err
}

// overwrite makes a firmware function return a status and do nothing: its code becomes
// MOVQ $status, AX; RET.
func overwrite(function uintptr, status uint64) {
	code := *(**[11]byte)(unsafe.Pointer(&function))
	code[0], code[1], code[10] = 0x48, 0xB8, 0xC3
	*(*uint64)(unsafe.Pointer(&code[2])) = status
}

// overwriteAfter makes a firmware function pass its first arguments on to another one, and return a status: SUBQ $40, SP;
// MOVQ $first, AX; CALL AX; ADDQ $40, SP; MOVQ $status, AX; RET.
func overwriteAfter(function, first uintptr, status uint64) {
	code := *(**[31]byte)(unsafe.Pointer(&function))
	*code = [31]byte{0x48, 0x83, 0xEC, 40, 0x48, 0xB8, 14: 0xFF, 0xD0, 0x48, 0x83, 0xC4, 40, 0x48, 0xB8, 30: 0xC3}
	binary.LittleEndian.PutUint64(code[6:], uint64(first))
	binary.LittleEndian.PutUint64(code[22:], status)
}

// overwriteCount makes a firmware function store a number at its second and third argument,
// and return success: MOVQ $n, (DX); MOVQ $n, (R8); XORL AX, AX; RET.
func overwriteCount(function uintptr, n uint32) {
	code := *(**[17]byte)(unsafe.Pointer(&function))
	*code = [17]byte{0x48, 0xC7, 0x02, 0, 0, 0, 0, 0x49, 0xC7, 0x00, 0, 0, 0, 0, 0x31, 0xC0, 0xC3}
	binary.LittleEndian.PutUint32(code[3:], n)
	binary.LittleEndian.PutUint32(code[10:], n)
}

// overwriteMap makes a firmware function return a status at the first call, and later store a number at its fourth argument
// and return success.
func overwriteMap(function uintptr, status uint64, n uint32) {
	code := *(**[37]byte)(unsafe.Pointer(&function))
	*code = [37]byte{
		0x80, 0x3D, 29, 0, 0, 0, 0, // CMPB called, $0; called is the last byte, relative to the next instruction
		0x75, 17, // JNE later
		0xFE, 0x05, 21, 0, 0, 0, // INCB called
		0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, // MOVQ $status, AX
		0xC3,                         // RET
		0x49, 0xC7, 0x01, 0, 0, 0, 0, // later: MOVQ $n, (R9)
		0x31, 0xC0, // XORL AX, AX
		0xC3, // RET
	}
	binary.LittleEndian.PutUint64(code[17:], status)
	binary.LittleEndian.PutUint32(code[29:], n)
}

func hardwareRandomCode() uintptr
func writeText(to, from, n uintptr)

// breakRandom replaces the code of metal's hardwareRandom, in which a RDRAND is, by one that
// returns a constant: as that function, it has its results at 8(SP) and 16(SP).
func breakRandom(value uint64, ok bool) {
	code := []byte{
		0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, // MOVQ $value, AX
		0x48, 0x89, 0x44, 0x24, 0x08, // MOVQ AX, 8(SP)
		0xC6, 0x44, 0x24, 0x10, 0, // MOVB $ok, 16(SP)
		0xC3, // RET
	}
	binary.LittleEndian.PutUint64(code[2:], value)
	if ok {
		code[19] = 1
	}
	writeText(hardwareRandomCode(), uintptr(unsafe.Pointer(&code[0])), uintptr(len(code)))
}
