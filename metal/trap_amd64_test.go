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

// TestTrap: an exception of the program is a signal to it, if it can have one, with the page fault's address from CR2; all others end it.
func TestTrap(t *testing.T) {
	needPlainCode(t)
	_, vectors, _, _, _ := addresses()
	for _, c := range []struct {
		name                   string
		vector                 uint64
		inKernel, signal, mask uint64
		delivered              bool
		want                   string
	}{
		{"page fault", 14, 0, 11, 0, true, "deliver"},
		{"divide error", 0, 0, 8, 0, true, "deliver"},
		{"others are blocked", 14, 0, 11, ^uint64(1 << 10), true, "deliver"},
		{"blocked", 14, 0, 11, 1 << 10, true, "crash"},
		{"no handler", 14, 0, 11, 0, false, "deliver crash"},
		{"in the kernel", 14, 1, 11, 0, true, "crash"},
		{"no signal", 8, 0, 0, 0, true, "crash"},
	} {
		s := newSimulated(t, seeded(1))
		core, th, f := new(core), new(thread), new(trapFrame)
		s.msr[simGS] = lend(s, core)
		core.self, core.thread, core.inKernel = address(core), address(th), c.inKernel
		lend(s, th)
		lend(s, f)
		n := numbered()
		f.ax, f.r15, f.stub = n.ax, n.r15, uint64(vectors)+5*(c.vector+1)
		frame, code, fault := f.cpu[:5], uint64(0), uint64(0)
		if c.vector != 0 {
			frame, code, f.cpu[0] = f.cpu[1:], 6, 6
		}
		frame[0], frame[2], frame[3] = n.ip, n.flags, n.sp
		th.mask = c.mask
		if s.cr[2] = 0x1234_5678_9ABC; c.vector == 14 {
			fault = s.cr[2]
		}
		var did []string
		s.lendConstants()
		s.calls["deliver"] = func() {
			did = append(did, "deliver")
			if got, want := s.arguments(6), fmt.Sprint([]uint64{uint64(address(th)), c.signal, 1, fault, code, c.vector}); got != want || core.inKernel != 1 || th.ip != n.ip || th.r15 != n.r15 {
				t.Errorf("%s: deliver%s, want %s; thread %+v", c.name, got, want, th.registers)
			}
			s.reg[simAX] = map[bool]uint64{true: 1}[c.delivered]
		}
		s.calls["crash"] = func() {
			did = append(did, "crash")
			s.reg[simDI] = 0  // the frame's capacity
			s.reg[10] &= 0xFF // a bool
			want := []uint64{uint64(address(f)), uint64(address(&frame[0])), uint64(len(frame)), 0, c.vector, code, fault, 1 - c.inKernel, uint64(core.self)}
			if c.vector == 0 {
				want[2] = 6
			}
			if got := s.arguments(9); got != fmt.Sprint(want) {
				t.Errorf("%s: crash%s, want %d", c.name, got, want)
			}
		}
		s.goCall(trap, uint64(address(f)))
		if got := strings.Join(did, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCrash: the first exception is what printCrash prints, when the program has ended; a second one of the boot processor, which may
// be printing, only returns to the firmware, and after that it halts.
func TestCrash(t *testing.T) {
	needPlainCode(t)
	defer func() { bootCrashes, endClaimed = 0, 0; crashed.core, crashed.program = 0, 0 }()
	for _, c := range []struct {
		name    string
		boot    bool
		crashes int
		claimed uint64
		want    string
	}{
		{"boot processor", true, 0, 0, "beginEnd stop"}, {"another", false, 5, 0, "beginEnd stop"}, {"at the end", true, 0, 1, "stop"},
		{"while printing", true, 1, 1, "leave"}, {"again", true, 2, 1, "halt"}, {"and again", true, 3, 1, "halt"},
	} {
		for _, inProgram := range []uint64{0, 1} {
			s := newSimulated(t, seeded(1))
			other := new(core)
			if c.boot {
				other = &bootCore
			}
			lend(s, other)
			lend(s, &bootCrashes)
			lend(s, &endClaimed)
			lend(s, &crashed)
			frame := &[6]uint64{}
			lend(s, frame)
			bootCrashes, endClaimed = c.crashes, c.claimed
			crashed.core, crashed.frame, crashed.vector, crashed.cpu, crashed.code, crashed.fault, crashed.program = 0, 0, 0, 0, 0, 0, 0
			var did []string
			for name, want := range map[string]string{"beginEnd": fmt.Sprint([]uint64{1<<63 | 21, 134}), "leave": fmt.Sprint([]uint64{1<<63 | 21, 134}), "stop": "", "halt": ""} {
				s.calls[name] = func() {
					did = append(did, name)
					if want != "" && s.arguments(2) != want {
						t.Errorf("%s: %s%s, want %s", c.name, name, s.arguments(2), want)
					}
					s.done = name != "beginEnd"
				}
			}
			s.reg[8], s.reg[9], s.reg[10], s.reg[11] = 6, 0x4567, inProgram, uint64(address(other))
			s.goCall(crash, 0x1111, uint64(address(frame)), 5, 6, 14)
			if got := strings.Join(did, " "); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			if c.claimed == 0 && (crashed.core != address(other) || crashed.frame != 0x1111 || crashed.vector != 14 || crashed.cpu != address(frame) ||
				crashed.code != 6 || crashed.fault != 0x4567 || crashed.program != inProgram) || c.claimed != 0 && crashed.core != 0 {
				t.Errorf("%s: %+v", c.name, crashed)
			}
		}
	}
}

// arguments returns the first n words of the arguments of a function in Go.
func (s *simulated) arguments(n int) string {
	var v []uint64
	for _, r := range []int{simAX, simBX, simCX, simDI, simSI, 8, 9, 10, 11}[:n] {
		v = append(v, s.reg[r])
	}
	return fmt.Sprint(v)
}
