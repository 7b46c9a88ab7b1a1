// Package metal lets a Go program, built by the unmodified Go toolchain, run on a PC
// that has no operating system: it is a UEFI application and its own kernel.
//
// A program of any module becomes one in three lines, of which the first tells go where
// the source lies, as the module has no public home; PATH is that of a checkout:
//
//	go mod edit -require=bootllama@v0.0.0 -replace=bootllama=PATH
//	import _ "bootllama/metal"
//	bootllama efi .
//
// The last, in the program's folder, writes BOOTX64.EFI. examples/hello is such a program,
// examples/story one with a model. fmt, os (standard streams,
// arguments, files of the boot volume), time, sync, math/rand, context, os/signal and
// the garbage collector work as under Linux; net and os/exec fail with the error of a
// Linux that lacks them.
//
// # How it works
//
// A Go program for linux/amd64 that uses no C asks the world for some fifty things,
// all by the instruction SYSCALL. The program is linked as a position-independent
// executable with this package's entry as its first instruction, and converted to the
// format that UEFI loads. entry saves what the firmware's calling convention wants
// saved; start takes the free memory, builds page tables, descriptor tables and an
// initial stack (arguments, environment, auxiliary vector) as Linux would, points the
// SYSCALL instruction at syscallEntry and jumps to the Go runtime's first instruction.
// From there on the runtime believes itself on a small, slow Linux.
//
// Everything runs in ring 0: SYSCALL taken there stays there, and the way back is an
// IRETQ to the thread's registers (resume). There are three worlds. The firmware's has
// its own page tables, descriptor tables, stack, and interrupts; callFirmware enters it
// for each call and leaves it with interrupts off. The kernel's is this package on a
// stack of its own per processor, with a g of its own, so that the prologues of Go
// functions find stack bounds. The program's is everything else.
//
// # Rules of kernel code
//
// The kernel is ordinary Go under a restriction that lint_test.go enforces on the
// linked program: it allocates nothing, and uses no map, interface, defer, panic,
// append or string concatenation, because it runs between any two instructions of the
// program, also in the middle of a garbage collection and on threads without a P. For
// the same reason no variable or field of it is a pointer (the compiler would add a
// write barrier to each store): addresses are uintptr, and at turns them into pointers
// for the length of an expression. It imports unsafe only.
//
// Interrupts are never on outside the firmware, but while a core halts. A goroutine's
// stack has no room for even the 40 bytes that an interrupt pushes: on linux/amd64 the
// runtime gives stacks no reserve for signals (stackSystem is 0). Exceptions run on
// stacks of the interrupt stack table. What follows from it:
//
//   - Threads change places in system calls only. A loop that calls nothing keeps the
//     processor, and a collection waits for it: call runtime.Gosched in such loops.
//   - Keys arrive while the firmware runs: at least every 10 ms of a program that
//     makes system calls, and always while it waits.
//
// # What the runtime gets
//
//   - Memory is mapped when asked for, in 2 MiB pages where it fits, never on a fault:
//     a page fault is always a bug. PROT_NONE only reserves addresses, and munmap only
//     gives them back. madvise(MADV_DONTNEED) writes zeroes, because the heap relies
//     on reading zeroes afterwards; to ignore it corrupts memory in Go 1.26 and 1.27.
//   - Page 0 is not mapped and text and constants are read-only; a fault in the program
//     becomes the signal that Linux would send, with Linux's frame on the runtime's
//     signal stack, and so a Go panic. A fault in the kernel prints registers and
//     return addresses and goes back to the firmware with EFI_ABORTED.
//   - Threads (clone, futex, nanosleep, sched_yield) run on all processor cores; see
//     below.
//   - epoll and eventfd exist for the runtime's timers and nothing else.
//   - Profiles (runtime/pprof) of memory, locks and blocking are empty, as that of the
//     processor is: GODEBUG has profstackdepth=0, which saves 1.4 MiB.
//   - Standard input is a terminal in line mode: echo, Backspace, Ctrl-U, Ctrl-D for
//     the end of input, Ctrl-C for SIGINT. Standard output and error are the firmware's
//     console.
//   - Files are those of the volume that the program was loaded from, the root "/".
//     Names and contents go through buffers that the firmware can see: it knows
//     nothing of the program's addresses. A rename that replaces a file removes that
//     file first, as the firmware has no call for both.
//   - The clock is the time-stamp counter, measured once against the firmware's Stall;
//     the date is asked for once. Random numbers come from RDRAND or EFI_RNG_PROTOCOL;
//     with neither, getrandom fails and crypto/rand with it.
//
// # Several cores
//
// startCores asks the firmware's EFI_MP_SERVICES_PROTOCOL to start the other processors;
// each becomes a core (found through GS) with stacks and descriptor tables of its own,
// and enters the scheduler. runtime.NumCPU and GOMAXPROCS tell how many came, up to 64.
// Where the firmware has none to give or refuses, a line on standard error says so and
// the program runs on those that are there. It has to know this:
//
//   - The boot processor alone can call the firmware. Thread 1 runs there and nowhere
//     else. Other threads run there only while no other core is free, and thread 1 waits
//     or has had its turn: a loop that calls nothing, and happens to be on that core,
//     keeps thread 1 waiting though others may idle by then. A program that reads and
//     writes much does well to lock its main goroutine to thread 1:
//     func init() { runtime.LockOSThread() }.
//   - A system call that needs the firmware (files, standard input, the console) waits,
//     on other cores, until the boot processor makes its next system call or idles.
//     Text of up to 8 KiB for the console does not wait: it is kept, in order.
//   - Two locks: kernelLock for threads, signals and events, memoryLock for addresses and
//     pages. Neither is held during a firmware call; the clock needs none.
//   - Translations are only ever added, so no core need be told to forget one. No vector
//     register is saved, as a thread changes cores in system calls only.
//   - A core without a thread watches memory for 50 µs and then halts until another sends
//     it an interrupt. One that idles goes on watching while the boot processor is busy
//     and a wait is to end in time; while everything waits for a key, all halt.
//   - At the end every core is brought home first, if need be by an NMI out of a loop
//     that makes no system calls: the firmware must see them all return.
//
// # The end
//
// os.Exit, a return from main, a fatal error and a kernel fault all pass through leave:
// files are closed, tables, control registers and MSRs are the firmware's again, every
// page is given back, and the firmware gets a status: EFI_SUCCESS, or
// 0xC000000000000000 + the exit status. One thing stays: the task register, which
// cannot be loaded with the null selector it had; nothing uses it before something
// loads it anew.
//
// # In a virtual machine
//
// What goes to standard output and error goes byte for byte to the I/O ports 0xE9 and
// 0xEA too, and every exit status to 0xEB, if a device answers there with the port's
// own number, as QEMU's `-device isa-debugcon,iobase=0xe9,readback=0xe9` does.
// Package internal/vm listens there; a PC has nothing at these ports.
package metal
