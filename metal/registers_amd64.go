//go:build linux

package metal

// registers are the program's registers of a thread, while it does not run on a core. They
// are first in struct thread, where entry_amd64.s finds them.
type registers struct {
	ax, bx, cx, dx, si, di, bp           uint64
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	ip, flags, sp                        uint64
	fs                                   uint64  // FS base: the Go runtime's thread-local storage
	vectors                              uintptr // *vectorArea, if an NMI has interrupted it; 0: a system call, across which Go keeps none
}

// Linux has the number, arguments and result of a system call in these (syscall(2)).

func (r *registers) callNumber() uint64 { return r.ax }

func (r *registers) arguments() (a, b, c, d, e uintptr) {
	return uintptr(r.di), uintptr(r.si), uintptr(r.dx), uintptr(r.r10), uintptr(r.r8)
}

func (r *registers) sixthArgument() uintptr     { return uintptr(r.r9) }
func (r *registers) result() uint64             { return r.ax }
func (r *registers) setResult(v uint64)         { r.ax = v }
func (r *registers) setStackPointer(sp uintptr) { r.sp = uint64(sp) }
func (r *registers) setTLS(base uintptr)        { r.fs = uint64(base) }

// repeatCall makes the thread execute its SYSCALL again, which has two bytes.
func (r *registers) repeatCall(number uint64) { r.ax, r.ip = number, r.ip-2 }

// begin makes a thread start at instruction ip with stack pointer sp.
func (r *registers) begin(ip, sp uintptr) {
	r.ip, r.sp, r.flags = uint64(ip), uint64(sp), flagsOfHandler
}

// archPrctl is arch_prctl(2), which the runtime uses to set FS base.
func archPrctl(t *thread, code, value uintptr) uint64 {
	const setFS = 0x1002
	if code != setFS {
		return errno(einval)
	}
	t.setTLS(value)
	return 0
}
