//go:build linux

package metal

// registers are what the program has in the processor while a thread runs; they lie in
// its thread while the kernel runs.
type registers struct {
	ax, bx, cx, dx, si, di, bp           uint64
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	ip, flags, sp                        uint64
	fs                                   uint64 // FS base: the Go runtime's thread-local storage
}

// Where Linux's system calls have their number, arguments and result (syscall(2)).

func (r *registers) callNumber() uint64 { return r.ax }

func (r *registers) arguments() (a, b, c, d, e uintptr) {
	return uintptr(r.di), uintptr(r.si), uintptr(r.dx), uintptr(r.r10), uintptr(r.r8)
}

func (r *registers) result() uint64             { return r.ax }
func (r *registers) setResult(v uint64)         { r.ax = v }
func (r *registers) setStackPointer(sp uintptr) { r.sp = uint64(sp) }
func (r *registers) setTLS(base uintptr)        { r.fs = uint64(base) }

// begin makes a thread start at an instruction on a stack.
func (r *registers) begin(ip, sp uintptr) {
	r.ip, r.sp, r.flags = uint64(ip), uint64(sp), flagsOfHandler
}

// archPrctl sets what arch_prctl(2) sets of a thread's registers.
func archPrctl(t *thread, code, value uintptr) uint64 {
	const setFS = 0x1002
	if code != setFS {
		return errno(einval)
	}
	t.setTLS(value)
	return 0
}
