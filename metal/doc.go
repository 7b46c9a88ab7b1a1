// Package metal lets a Go program, built by the unmodified Go toolchain, run on a PC
// that has no operating system: the program is a UEFI application and brings its own
// kernel.
//
// A program of any module becomes one in three lines. The first tells the go command where
// the source is, since the module has no public home yet; PATH is a checkout:
//
//	go mod edit -require=bootllama@v0.0.0 -replace=bootllama=PATH
//	import _ "bootllama/metal"
//	bootllama efi .
//
// The last line, in the folder of the program, writes BOOTX64.EFI. examples/hello is such a
// program, examples/story is one with a model. fmt, os (standard streams,
// arguments, files of the boot volume), time, sync, math/rand, context, os/signal and
// the garbage collector work as under Linux; net and os/exec fail with the error of a
// Linux that lacks them.
//
// # How it works
//
// A Go program for linux/amd64 that uses no C needs some fifty services of its
// operating system, and asks for all of them by the instruction SYSCALL. The program is
// linked as a position-independent executable whose first instruction is this package's
// entry, and converted to the format that UEFI loads. entry saves the registers that
// the firmware's calling convention protects. startKernel takes the free memory, builds
// page tables, descriptor tables and an initial stack (arguments, environment,
// auxiliary vector) as Linux would, points the SYSCALL instruction at syscallEntry and
// jumps to the first instruction of the Go runtime. From there on the runtime runs as on
// a small Linux whose system calls are slow.
//
// Everything runs in ring 0: SYSCALL taken there stays there, and the way back is an
// IRETQ to the registers of the thread (resume). There are three worlds. The firmware's
// world has its own page tables, descriptor tables, stack, and interrupts; callFirmware
// enters it for each call and leaves it with interrupts off. The kernel's world is this
// package on a stack of its own for each processor, with a g of its own, so that the
// prologues of Go functions find stack bounds. The program's world is everything else.
//
// # The files
//
// The kernel is portable. What an instruction set or its Linux fixes is in the files
// that end in _amd64: entry (the way into and out of the kernel), cpu, registers (of a
// thread), descriptors and trap (exceptions), paging (bits of an entry), signal (the
// frame), linux (numbers and structs), apic and mpservices (other cores), debugport.
// The rest reaches them through methods and functions that another architecture can
// have too. The order to read in is that of a program's life:
//
//	start.go        from the firmware's call to the runtime's first instruction
//	arguments.go    the shell's words or the load options, as os.Args
//	efi.go          what the kernel uses of UEFI; firmware, which calls it
//	physical.go     memory that was taken from the firmware
//	paging.go       page tables
//	mmap.go         addresses: mmap, munmap, madvise
//	core.go         a processor core; lock.go: the two locks
//	syscall.go      the system calls, by the lock that they need
//	thread.go       threads, waits, futex; queue.go: lists of threads, deadlines
//	schedule.go     which thread runs on which core
//	signal.go       signals
//	file.go         open files; metadata.go: size, times, attributes
//	path.go         from a path to a file; directory.go: making, renaming, removing names
//	volume.go       where paths begin: volumes, the UEFI shell's names of them
//	console.go      what is written: the terminal; textmode.go, serial.go: how it becomes visible;
//	                vcs.go: how the program sees it; device.go: names in /dev
//	keys.go         from the firmware's keys to bytes; keymap.go: layouts; tty.go: the line
//	                discipline, reads; termios.go: its settings and the other ioctls
//	graphics.go     the display: modes, Blt; framebuffer.go: /dev/fb0
//	unicode.go, message.go
//	poll.go         epoll, poll, select, eventfd; pipe.go; clock.go, random.go
//	exit.go         the end of the program; reboot.go, end.go: and of the machine
//
// # Rules of kernel code
//
// The kernel is ordinary Go under a restriction that lint_test.go enforces on the
// linked program: it allocates nothing, and uses no map, interface, defer, panic,
// append or string concatenation, because it runs between any two instructions of the
// program, also in the middle of a garbage collection and on threads without a P. For
// the same reason no variable or field of it is a pointer (the compiler would add a
// write barrier to each store): addresses are uintptr, and at turns them into pointers
// that live in local variables only. It imports unsafe, and
// package vt, which keeps the same rules, only.
//
// Interrupts are always off outside the firmware, except while a core halts. A
// goroutine's stack does not have room for even the 40 bytes that an interrupt pushes: on
// linux/amd64 the runtime gives stacks no reserve for signals (stackSystem is 0).
// Exceptions run on stacks of the interrupt stack table. Two things follow:
//
//   - A core changes its thread in system calls only, but for the boot processor (see below).
//     A loop that makes no calls keeps its core, and a garbage collection waits for it: call
//     runtime.Gosched in such loops.
//   - Keys arrive while the firmware runs: at least every 10 ms of a program that
//     makes system calls, and always while the program waits.
//
// # What the runtime gets
//
//   - Memory is mapped when mmap asks for it, in 2 MiB pages where it fits, never on a
//     fault: a page fault is always a bug. PROT_NONE only reserves addresses, and munmap
//     only gives them back. madvise(MADV_DONTNEED) writes zeroes, because the heap relies
//     on reading zeroes afterwards; to ignore it corrupts memory in Go 1.26 and 1.27.
//     An mmap of more than there is fails and takes nothing; sysinfo says how much that is.
//     When the runtime then gives up, a line says why, below all that it has printed. With
//     less than 48 MiB no program is started.
//   - Page 0 is not mapped, and text and constants are read-only. A fault in the program
//     becomes the signal that Linux would send, with Linux's frame on the runtime's
//     signal stack, and so a Go panic. A fault in the kernel, or in the program while it
//     blocks that signal, as in the handler, prints registers and return addresses and
//     returns to the firmware with EFI_ABORTED.
//   - Threads (clone, futex, nanosleep, sched_yield) run on all processor cores; see
//     below.
//   - os.Args are the words of the UEFI shell's command line. Without the shell they are the path
//     of the image's file, and the words of its load options: what stands behind the file in
//     GRUB's chainloader, in the line options of systemd-boot, or as optional data in a boot
//     entry of the firmware. They are split as by the shell: quotation marks group words, ^ takes
//     the next character as it is. They may be UTF-16 or UTF-8, begin with an ASCII character or
//     a byte order mark, and end at the first zero. What is no text, or longer than 255 words or
//     about 32,000 bytes, is ignored as a whole, with a line on standard error. A program that
//     must not take the firmware's data for a person's words asks StartedByShell.
//   - epoll, poll and select wait for eventfd, pipes (16, of 4 KiB) and the terminal; other files are always ready, and
//     EPERM for epoll. The signal masks of ppoll and pselect are ignored.
//   - Profiles (runtime/pprof) of memory, locks and blocking are empty, and so is that of
//     the processor: GODEBUG has profstackdepth=0, which saves 1.4 MiB.
//   - Standard input is a terminal with Linux's settings, canonical and raw mode, VMIN and VTIME
//     (TCGETS, TCSETS, TCSETSW, TCSETSF), and so are the other standard streams, /dev/tty and
//     /dev/console; TERM is xterm-256color. Keys are the bytes that xterm would send. 64 KiB may be
//     typed ahead; then a bell tells. Three things differ: Ctrl-Z does nothing, since no process
//     could continue this one; after an echoed ^C a new line begins, as Linux's shells do it; and
//     a character of two cells is erased from both, where Linux leaves one.
//   - A keyboard is a US one, which most firmware takes it for, unless KDSKBENT and KDSKBDIACRUC
//     say otherwise (package keyboard has layouts). Keys of a serial terminal stay what they are.
//     EDK2's terminal driver parses some of its sequences, holds ESC back for two seconds, and
//     resets the machine at ESC R ESC r ESC R. In a fast paste it may lose the byte behind 0x9B,
//     which is in Л and ś.
//   - reboot(2) switches the machine off or restarts it, after what has been written is on the disk.
//   - Standard output and error are a terminal, whose screen package vt keeps: UTF-8, and the
//     sequences of xterm. Unless the UEFI shell has started the program, the screen is empty at
//     the start, and the firmware's console in its mode with the most columns. That console shows
//     16 colours of text and 8 of the ground, and nothing in the corner below right, where it
//     would scroll. A serial line in ConOut gets the same bytes in UTF-8, not what the firmware's
//     terminal driver makes of them; without a screen the terminal has 80 columns and 24 rows.
//     The ioctls TIOCGWINSZ, TIOCSWINSZ (with SIGWINCH), KDGETMODE and KDSETMODE are as on Linux:
//     with KD_GRAPHICS the kernel leaves the screen to the program, which can read the cells from
//     /dev/vcs, and at the program's end, whatever it is, shows them itself again.
//   - Files are those of the volume that the program was loaded from; its root is "/". The working
//     directory is the shell's, if the shell has started the program, else the root. Other
//     volumes have the shell's names: fs1:\a\b, or /fs1:/a/b; without the shell there are none
//     (ENODEV). A backslash separates names in a path that has no slash; one that begins with
//     it begins in the root of the working directory's volume.
//   - Errors are those of Linux's vfat: no links, owners or modes but the read-only attribute, files
//     of less than 4 GiB, times of two seconds. Names and contents go through buffers that the
//     firmware can address: it knows nothing of the program's addresses. A rename that
//     replaces a file removes that file first, since the firmware has no call for both. A file
//     that is removed while it is open has a hidden name in the root until it is closed.
//   - What EDK2's driver cannot do: paths of more than 260 units (ENAMETOOLONG), names that
//     begin with a blank (EINVAL), times of access, which it sets itself, and times in 1980.
//   - The clock is the time-stamp counter, whose rate is measured once against the
//     firmware's Stall; the date is read once. Random numbers come from RDRAND or
//     EFI_RNG_PROTOCOL, without words that show a broken source: all ones, all zeroes, the
//     word before. With neither, getrandom fails, and crypto/rand with it. The seed of the
//     runtime (AT_RANDOM), for hash functions and math/rand, is then made of the counter's
//     variations: it differs from start to start, but is not secret.
//   - /dev/fb0 is a display of the firmware as Linux's framebuffer device: FBIOGET_VSCREENINFO,
//     FBIOGET_FSCREENINFO, FBIOPUT_VSCREENINFO, mmap with MAP_SHARED, pread, pwrite; a pixel has
//     32 bits. After each change of what it has mapped a program calls FBIOPAN_DISPLAY, or
//     fsync (os.File.Sync): that shows it where the firmware has no framebuffer but only Blt,
//     and does nothing where it has one. The first open sets the monitor's own mode, if the
//     firmware knows it and its own has fewer pixels; what is shown returns to text when the
//     device is neither open nor mapped, with KD_TEXT, and at the end. Without a display, open
//     fails with ENODEV.
//   - There is room for 32,768 threads. A thread that has ended is used again.
//
// # Several cores
//
// startCores asks the firmware's EFI_MP_SERVICES_PROTOCOL to start the other processors;
// each becomes a core (found through GS) with stacks and descriptor tables of its own,
// and enters the scheduler. runtime.NumCPU and GOMAXPROCS tell how many have started, up
// to 256. If there are more, if the firmware has no others or does not start them, or if
// some are unlike the boot processor, a line on standard error says so and the program
// runs on the cores that it has. A program has to know this:
//
//   - Only the boot processor can call the firmware. Thread 1 runs there and nowhere
//     else. Other threads run there only while no other core is free, and thread 1 waits
//     or has used its time slice. A loop without calls that happens to run on that core is
//     interrupted by an NMI of another core, with all its registers, when thread 1 or another
//     core's call has waited for 10 ms and a core is free, and goes on there. A program that
//     reads and writes much should lock its main goroutine to thread 1:
//     func init() { runtime.LockOSThread() }.
//   - A system call on another core that needs the firmware (files, standard input, the
//     console) waits until the boot processor makes its next system call or idles.
//     Text of up to 8 KiB for the console does not wait: it is queued, in order. While
//     32 such calls wait, a core that makes one more waits with it, so that thousands of
//     goroutines that read files do not need a thread each.
//   - There are two locks: kernelLock for threads, signals and events, memoryLock for
//     addresses and pages. Neither is held during a firmware call; the clock needs none.
//   - The kernel only adds entries to page tables, so that no core has to invalidate
//     one. It saves no vector register, as a thread changes its core in system calls only, or
//     is interrupted.
//   - Entry 6 of each core's page attribute table is write-combining, for framebuffers, until
//     the end.
//   - An idle core polls memory for 50 µs and then halts until another core sends it an
//     interrupt. One idle core goes on polling the clock while the boot processor is busy
//     and a wait has a deadline; while everything waits for a key, all cores halt.
//   - At the end all other cores must return to the firmware before the program does: the
//     firmware waits for them. A core in a loop without system calls is stopped by an NMI. One
//     that does not return within six seconds, or that the firmware has started and that has
//     not come, is reset (INIT), and the firmware has no other cores until it starts anew.
//
// # What is assumed of the firmware
//
// Sections are of UEFI 2.10.
//
//   - The processor is in 64-bit mode with paging on, and while the firmware runs, all of its
//     memory map is mapped one to one (2.3.4). Its page tables stay as they are.
//   - The stack has 128 KiB, of which the kernel leaves alone what the firmware has used, and
//     calls follow the convention of 2.3.4.2, which protects RBX, RBP, RSI, RDI, R12 to R15 and
//     XMM6 to XMM15.
//   - Free memory is what the memory map says (7.2), but for the large pages with the firmware's
//     stack and descriptor tables, which U-Boot calls free.
//   - Boot services are there to the end; ExitBootServices is never called. No service but
//     OutputString of ConOut has to be there for a program to start that uses no files.
//   - CS names a segment of the global descriptor table with room for three more behind it.
//
// Not assumed: that interrupts are on, though 2.3.4 promises it: calls are made with interrupts
// as they were at the entry. That vector instructions are on (CR0.EM, CR0.TS, CR4.OSFXSR), or
// what MXCSR and the x87 control word are; all get the firmware's values again, on every core.
// That read-only pages are so for the firmware (CR0.WP): calls are made with its CR0 and CR4. That
// page tables have four levels (CR4.LA57), that SMEP, SMAP, UMIP and protection keys are off, or
// the task register null. That the descriptor tables are mapped by other page tables than the
// firmware's, or have a certain size. That there are protocols for other processors, files,
// graphics, random numbers.
//
// Untested on a machine, as QEMU 7.2 emulates neither: a local APIC in x2APIC mode, and control-flow enforcement
// (CET), of which the kernel turns shadow stacks off in its own world.
//
// # The end
//
// os.Exit, a return from main, a fatal error and a kernel fault all end in leave: files
// are closed, tables, control registers and MSRs get the firmware's values again, every
// page is given back, and the firmware receives a status: EFI_SUCCESS, or
// 0xC000000000000000 + the exit status. Where a person would not see any more what a program
// wrote that has failed, it waits for a key before that (AtEnd). One thing stays: the task
// register, if it had the null selector, which cannot be loaded; nothing uses it before
// something loads it again.
//
// # In a virtual machine
//
// What goes to standard output and error goes byte for byte to the I/O ports 0xE9 and
// 0xEA too, and every exit status to 0xEB, if a device answers there with the port's
// own number, as QEMU's `-device isa-debugcon,iobase=0xe9,readback=0xe9` does.
// Package internal/vm listens there; a PC has nothing at these ports.
package metal
