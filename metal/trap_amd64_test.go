//go:build linux

package metal

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// said returns what the kernel's messages in f show on the terminal.
func said(f func()) string {
	defer func(n bool) { outputNewLine = n }(outputNewLine)
	outputNewLine = true
	terminal.Resize(400, 60)
	for _, b := range []byte("\x18\x1bc") {
		terminal.Write(b)
	}
	f()
	var lines []string
	_, rows := terminal.Size()
	for y := range rows {
		var line strings.Builder
		for _, c := range terminal.Row(y) {
			line.WriteRune(c.Rune)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n")) + "\n"
}

// TestDump: what a person reads of an exception that ends the program: each register under its name, and code addresses on the
// stack, sixteen at most, of 4 KiB at most, up to where nothing is mapped.
func TestDump(t *testing.T) {
	defer func(use Memory) {
		regionCount, memoryUse, rootTable, loadedImage = 0, use, 0, 0
		crashed.core = 0
	}(memoryUse)
	memory := new([16 * pageSize]byte)
	base := (address(memory) + pageSize - 1) &^ (pageSize - 1)
	stack := base + 8*pageSize
	regions[0], regionCount = region{low: base, high: stack}, 1
	rootTable = allocPages(1)
	for page := range uintptr(3) {
		*entryFor(stack+page*pageSize, 12) = dataEntry(stack+page*pageSize, false)
	}
	image := &efiLoadedImage{imageBase: 0x4000_0000, imageSize: 0x1000}
	loadedImage = address(image)
	words := unsafe.Slice(at[uint64](stack), 4*pageSize/8)
	f := &trapFrame{ax: 1, bx: 2, cx: 3, dx: 4, si: 5, di: 6, bp: 7, r8: 8, r9: 9, r10: 0x10, r11: 0x11, r12: 0x12, r13: 0x13, r14: 0x14, r15: 0x15}
	cpu := &[5]uint64{0x4000_0123, 0x38, 0x246, 0, 0x40}
	th := &thread{call: 257, id: 42}
	other := new(core)
	other.cr3, other.thread = 0x9000, address(th)
	bootCore.cr3 = 0x8000
	defer func() { bootCore.cr3 = 0 }()
	const registers = `ip 0x0000000040000123  image 0x0000000040000000  flags 0x0000000000000246  sp 0x%016[1]x
ax 0x0000000000000001  bx 0x0000000000000002  cx 0x0000000000000003  dx 0x0000000000000004
si 0x0000000000000005  di 0x0000000000000006  bp 0x0000000000000007  r8 0x0000000000000008
r9 0x0000000000000009  r10 0x0000000000000010  r11 0x0000000000000011  r12 0x0000000000000012
r13 0x0000000000000013  r14 0x0000000000000014  r15 0x0000000000000015  cr3 0x%016[2]x
code addresses on the stack, less the image's base:
%[3]s
`
	for _, c := range []struct {
		name    string
		core    *core
		vector  uintptr
		code    uint64
		program uint64
		sp      uintptr
		first   string
		found   string
	}{
		{"kernel", &bootCore, 14, 2, 0, stack, "metal: the kernel failed: exception 14 (page fault), error code 0x0000000000000002, address 0x0000123456789000\n", " 0 7f8 ff8"},
		{"program", other, 13, 0, 1, stack + 5, "metal: an exception that the program cannot handle: 13 (general protection), error code 0x0000000000000000\n" +
			"in system call 257 of thread 42\non another processor than the boot processor\n", " 0 7f8 ff8"},
		{"many", other, 3, 0, 0, stack + pageSize, "metal: the kernel failed: exception 3, error code 0x0000000000000000\n" +
			"in system call 257 of thread 42\non another processor than the boot processor\n", " 1 2 3 4 5 6 7 8 9 a b c d e f 10"},
		{"end of what is mapped", &bootCore, 8, 0, 0, stack + 3*pageSize - 16, "metal: the kernel failed: exception 8 (double fault), error code 0x0000000000000000\n", " 77 88"},
	} {
		clear(words)
		words[0], words[255], words[511] = 0x4000_0000, 0x4000_07F8, 0x4000_0FF8
		words[254], words[256] = 0x3FFF_FFFF, 0x4000_1000 // not in the image
		for i := range 32 {
			words[512+2*i] = 0x4000_0001 + uint64(i)
		}
		words[3*512-2], words[3*512-1], words[3*512] = 0x4000_0077, 0x4000_0088, 0x4000_0099
		crashed.core, crashed.frame, crashed.vector, crashed.cpu = address(c.core), address(f), c.vector, address(cpu)
		crashed.code, crashed.fault, crashed.program = c.code, 0x1234_5678_9000, c.program
		cpu[3] = uint64(c.sp)
		var found strings.Builder
		for _, w := range strings.Fields(c.found) {
			fmt.Fprintf(&found, " 0x%016s", w)
		}
		want := c.first + fmt.Sprintf(registers, c.sp, c.core.cr3, found.String())
		if got := said(printCrash); got != want {
			t.Errorf("%s: %s\nwant %s", c.name, got, want)
		}
	}
	crashed.core = 0
	if got := said(printCrash); got != "\n" {
		t.Errorf("without an exception: %q", got)
	}
	for vector, want := range map[uintptr]string{0: " (divide error)", 2: " (NMI)", 6: " (invalid opcode)", 18: " (machine check)", 1: ""} { // SDM volume 3, table 6-1
		if got := exceptionName(vector); got != want {
			t.Errorf("exception %d is %q, want %q", vector, got, want)
		}
	}
}
