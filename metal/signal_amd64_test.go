//go:build linux

package metal

import (
	"testing"
	"unsafe"
)

// numbered are registers each of which has a number of its own: those of ucontext_t in its order (asm/sigcontext.h), and FS.
func numbered() registers {
	return registers{r8: 1, r9: 2, r10: 3, r11: 4, r12: 5, r13: 6, r14: 7, r15: 8, di: 9, si: 10, bp: 11, bx: 12, dx: 13, ax: 14, cx: 15, sp: 16, ip: 17, flags: 0xCD7, fs: 19}
}

// TestDeliver: what the handler of a signal begins with, and what is in its frame, as Linux has it (arch/x86/kernel/signal_64.c), on the
// signal's stack.
func TestDeliver(t *testing.T) {
	defer func(a sigaction) { actions[sigUSR1] = a }(actions[sigUSR1])
	stack := new([8192]byte)
	base := uint64(address(stack)+63) &^ 63
	const size = 4096
	const frame = 8 + 424 + 128 // restorer, ucontext, siginfo
	for _, c := range []struct {
		name    string
		handler uint64
		flags   uint64
		sp      uint64 // of the program
		size    uint64 // of the signal's stack
		end     uint64 // of the frame; 0: none
	}{
		{"on the stack's end", 0x4000, 0, 16, size, base + size},
		{"no defer", 0x4000, 0x40000000, 16, size, base + size},
		{"just below the stack", 0x4000, 0, base, size, base + size},
		{"on the stack already, at its end", 0x4000, 0, base + size, size, base + size - 256},
		{"on the stack already", 0x4000, 0, base + size - 8, size, base + size - 8 - 256},
		{"just above the stack", 0x4000, 0, base + size + 1, size, base + size},
		{"no room on the stack", 0x4000, 0, base + 800, size, 0},
		{"room for a frame", 0x4000, 0, 16, frame + 16, base + frame + 16},
		{"a byte less", 0x4000, 0, 16, frame + 15, 0},
		{"no stack", 0x4000, 0, 16, 0, 0},
		{"default", 0, 0, 16, size, 0},
		{"ignored", 1, 0, 16, size, 0},
	} {
		actions[sigUSR1] = sigaction{handler: c.handler, flags: c.flags, restorer: 0x5000, mask: 0x30}
		for i := range stack {
			stack[i] = 0xFF
		}
		th := &thread{registers: numbered(), signalStack: base, signalStackSize: c.size, mask: 0x5}
		th.sp = c.sp
		before := *th
		got := deliver(th, sigUSR1, ^uint64(5), 0x1234_5678_9ABC, 6, 14)
		if got != (c.end != 0) || !got && *th != before {
			t.Errorf("%s: %v, registers %+v", c.name, got, *th)
		}
		if !got {
			continue
		}
		p := uintptr(th.sp)
		if uint64(p) != (c.end-frame)&^15-8 {
			t.Errorf("%s: the frame is at %#x, its end should be %#x", c.name, p, c.end)
		}
		want := before
		want.ip, want.sp, want.flags, want.mask = 0x4000, th.sp, 2, 0x35|1<<9
		want.di, want.si, want.dx = 10, uint64(p)+432, uint64(p)+8
		if c.flags != 0 {
			want.mask = 0x35
		}
		if *th != want {
			t.Errorf("%s: the handler has %+v, want %+v", c.name, *th, want)
		}
		f := at[[frame / 8]uint64](p)
		wantFrame := [frame / 8]uint64{0x5000, 0, 0, base, 0, c.size, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, c.sp, 17, 0xCD7, 0, 6, 14, 0, 0x1234_5678_9ABC}
		wantFrame[38] = 5 // uc_sigmask
		wantFrame[54], wantFrame[55], wantFrame[56] = 10, 0xFFFF_FFFA, 0x1234_5678_9ABC
		if *f != wantFrame {
			t.Errorf("%s: the frame is %#x, want %#x", c.name, *f, wantFrame)
		}
		if stack[p-address(stack)-1] != 0xFF || stack[p-address(stack)+frame] != 0xFF {
			t.Errorf("%s: more than the frame was written", c.name)
		}
		// The handler's RET pops the restorer; Linux keeps IOPL, NT, AC and others as they were.
		f[23] |= 1<<63 - 1
		th.registers = registers{fs: 19, sp: uint64(p) + 8}
		sigreturn(th)
		if want := numbered(); th.mask != 5 || th.flags != 0xCD7 || th.sp != c.sp {
			t.Errorf("%s: mask %#x, flags %#x, SP %#x", c.name, th.mask, th.flags, th.sp)
		} else if want.sp = c.sp; th.registers != want {
			t.Errorf("%s: after the handler %+v, want %+v", c.name, th.registers, want)
		}
	}
}

const sigUSR1 = 10

// TestTake: exceptions with an error code are those of table 6-1 (Intel SDM volume 3) and of virtualization (AMD64 APM volume 2, 8.2.22
// and 8.2.23), and a thread has the registers of its exception.
func TestTake(t *testing.T) {
	_, vectors, _, _, _ := addresses()
	const withCode = 1<<8 | 1<<10 | 1<<11 | 1<<12 | 1<<13 | 1<<14 | 1<<17 | 1<<21 | 1<<29 | 1<<30
	for vector := range uintptr(32) {
		n := numbered()
		f := &trapFrame{ax: n.ax, bx: n.bx, cx: n.cx, dx: n.dx, si: n.si, di: n.di, bp: n.bp, r8: n.r8, r9: n.r9, r10: n.r10, r11: n.r11, r12: n.r12,
			r13: n.r13, r14: n.r14, r15: n.r15, stub: uint64(vectors + 5*(vector+1)), cpu: [6]uint64{n.ip, 0x38, n.flags, n.sp, 0x40, 99}}
		wantCode := uint64(0)
		if withCode>>vector&1 != 0 {
			f.cpu, wantCode = [6]uint64{6, n.ip, 0x38, n.flags, n.sp, 0x40}, 6
		}
		got, frame, code := f.exception()
		if got != vector || code != wantCode || len(frame) < 5 || [5]uint64(frame) != [5]uint64{n.ip, 0x38, n.flags, n.sp, 0x40} {
			t.Errorf("exception %d: %d, code %d, frame %d", vector, got, code, frame)
			continue
		}
		r := registers{fs: 19}
		if r.take(f, frame); r != n {
			t.Errorf("exception %d: %+v, want %+v", vector, r, n)
		}
	}
	if unsafe.Sizeof(trapFrame{}) != 22*8 {
		t.Error("the frame has another size")
	}
}

// TestCallRegisters: where the number, the arguments and the result of a system call are (syscall(2)), and what begins or repeats one.
func TestCallRegisters(t *testing.T) {
	r := numbered()
	a, b, c, d, e := r.arguments()
	if got, want := [7]uint64{r.callNumber(), uint64(a), uint64(b), uint64(c), uint64(d), uint64(e), uint64(r.sixthArgument())}, [7]uint64{r.ax, r.di, r.si, r.dx, r.r10, r.r8, r.r9}; got != want {
		t.Errorf("number and arguments %d, want %d", got, want)
	}
	for name, c := range map[string]struct {
		do   func(r *registers)
		want func(r *registers)
	}{
		"result":   {func(r *registers) { r.setResult(r.result() + 30) }, func(r *registers) { r.ax = 44 }},
		"stack":    {func(r *registers) { r.setStackPointer(99) }, func(r *registers) { r.sp = 99 }},
		"TLS":      {func(r *registers) { r.setTLS(99) }, func(r *registers) { r.fs = 99 }},
		"repeated": {func(r *registers) { r.repeatCall(98) }, func(r *registers) { r.ax, r.ip = 98, 15 }}, // SYSCALL is 0F 05
		"begun":    {func(r *registers) { r.begin(97, 96) }, func(r *registers) { r.ip, r.sp, r.flags = 97, 96, 2 }},
	} {
		got, want := numbered(), numbered()
		c.do(&got)
		if c.want(&want); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	th := &thread{registers: numbered()}
	for code, want := range map[uintptr]uint64{0x1001: errno(einval), 0x1002: 0, 0x1003: errno(einval)} { // ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS
		th.fs = 1
		if got := archPrctl(th, code, 0x5000); got != want || (th.fs == 0x5000) != (want == 0) {
			t.Errorf("arch_prctl %#x: %#x, FS %#x", code, got, th.fs)
		}
	}
}
