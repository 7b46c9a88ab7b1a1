//go:build linux

#include "go_asm.h"
#include "textflag.h"

// The doors between three worlds: the firmware, the kernel (package metal) and
// the Go program. Offsets come from go_asm.h, which the toolchain writes from
// the structs core, thread and firmwareState.

#define FIRMWARE core_processor+processor_firmware // of a core: its firmwareState

#define MSR_FS_BASE $0xC0000100
#define MSR_GS_BASE $0xC0000101

// A g begins with stack.lo, stack.hi, stackguard0, stackguard1 (runtime/runtime2.go);
// function prologues compare SP with stackguard0. Go code without a stack check may
// use up to 800 bytes below the guard, so it stands 1 KiB above the end.
#define G_LO 0
#define G_HI 8
#define G_GUARD0 16
#define G_GUARD1 24
#define GUARD 1024

// WRITE_BASE stores the 64 bits in AX into the base register msr. Clobbers CX, DX.
#define WRITE_BASE(msr) \
	MOVQ AX, DX \
	SHRQ $32, DX \
	MOVL msr, CX \
	WRMSR

// MAKE_G makes the g at field g of core BX, for the stack between two fields,
// and stores the g where FS:-8 finds it once FS base is fs. Clobbers AX, CX.
#define MAKE_G(g, stack, size, tls, fs) \
	LEAQ (stack)(BX), CX \
	MOVQ CX, (g+G_LO)(BX) \
	LEAQ (stack+size)(BX), AX \
	MOVQ AX, (g+G_HI)(BX) \
	ADDQ $GUARD, CX \
	MOVQ CX, (g+G_GUARD0)(BX) \
	MOVQ CX, (g+G_GUARD1)(BX) \
	LEAQ (g)(BX), AX \
	MOVQ AX, (tls)(BX) \
	LEAQ (tls+8)(BX), AX \
	MOVQ AX, (fs)(BX)

// SAVE_FIRMWARE begins a function in the Microsoft x64 calling convention: it pushes what
// the convention lets the callee not touch, leaving SP aligned to 16. The way back from
// there is returnToFirmware.
#define SAVE_FIRMWARE \
	PUSHFQ \
	CLI \
	CLD \
	PUSHQ BX \
	PUSHQ BP \
	PUSHQ SI \
	PUSHQ DI \
	PUSHQ R12 \
	PUSHQ R13 \
	PUSHQ R14 \
	PUSHQ R15 \
	SUBQ $176, SP \
	MOVUPS X6, 0(SP) \
	MOVUPS X7, 16(SP) \
	MOVUPS X8, 32(SP) \
	MOVUPS X9, 48(SP) \
	MOVUPS X10, 64(SP) \
	MOVUPS X11, 80(SP) \
	MOVUPS X12, 96(SP) \
	MOVUPS X13, 112(SP) \
	MOVUPS X14, 128(SP) \
	MOVUPS X15, 144(SP) \
	STMXCSR 160(SP)

// ENTER_KERNEL makes core BX this processor's and goes to its kernel stack. MXCSR gets
// the value with which Linux and UEFI start it: all exceptions masked. Clobbers AX, CX, DX.
#define ENTER_KERNEL \
	MOVQ SP, (FIRMWARE+firmwareState_sp)(BX) \
	MOVL MSR_FS_BASE, CX \
	RDMSR \
	SHLQ $32, DX \
	ORQ DX, AX \
	MOVQ AX, (FIRMWARE+firmwareState_fs)(BX) \
	MOVL MSR_GS_BASE, CX \
	RDMSR \
	SHLQ $32, DX \
	ORQ DX, AX \
	MOVQ AX, (FIRMWARE+firmwareState_gs)(BX) \
	MOVQ BX, core_self(BX) \
	MAKE_G(core_kernelG, core_kernelStack, const_kernelStackSize, core_processor+processor_kernelTLS, core_processor+processor_kernelFS) \
	MAKE_G(core_processor+processor_trapG, core_trapStack, const_trapStackSize, core_processor+processor_trapTLS, core_processor+processor_trapFS) \
	LEAQ (core_kernelStack+const_kernelStackSize)(BX), AX \
	MOVQ AX, core_kernelSP(BX) \
	MOVQ $1, core_inKernel(BX) \
	MOVQ BX, AX \
	WRITE_BASE(MSR_GS_BASE) \
	MOVQ (core_processor+processor_kernelFS)(BX), AX \
	WRITE_BASE(MSR_FS_BASE) \
	MOVQ core_kernelSP(BX), SP \
	MOVL $0x1F80, AX \
	MOVL AX, -8(SP) \
	LDMXCSR -8(SP) \
	XORL BP, BP \
	XORPS X15, X15

// entry is the entry point of the PE image (UEFI 2.10, 4.1 EFI_IMAGE_ENTRY_POINT):
// CX = ImageHandle, DX = SystemTable.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SAVE_FIRMWARE
	MOVQ CX, ·imageHandle(SB)
	MOVQ DX, ·systemTableAddress(SB)
	LEAQ ·bootCore(SB), BX
	ENTER_KERNEL
	CALL ·startKernel(SB)
	JMP ·resume(SB)

// apEntry is the procedure that the firmware calls on every other processor (PI 1.7
// volume 2, 13.4 EFI_AP_PROCEDURE). Each takes the next number and the core that was
// made for it; one that comes without finding a core goes back at once. The firmware's
// page tables map the cores, which are memory of its own giving.
TEXT ·apEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SAVE_FIRMWARE
	MOVL $1, BX
	LOCK
	XADDL BX, ·arrivals(SB)
	INCL BX                   // 0 is the boot processor
	CMPL BX, $const_maxCores
	JAE back
	LEAQ ·cores(SB), AX
	MOVQ (AX)(BX*8), BX
	TESTQ BX, BX
	JEQ back
	ENTER_KERNEL
	CALL ·startAP(SB)
	JMP ·resume(SB)
back:
	MOVQ SP, BX
	JMP ·returnToFirmware(SB)

// syscallEntry is where the SYSCALL instruction of the Go runtime lands (LSTAR).
// The CPU has put the return address in CX and the flags in R11, masked IF, and
// left SP on the goroutine's stack. All registers go into the thread; vector
// registers need no saving, because none is live across a call in Go.
TEXT ·syscallEntry(SB),NOSPLIT|NOFRAME,$0
	MOVQ SP, (core_processor+processor_scratch)(GS)
	MOVQ core_thread(GS), SP
	MOVQ AX, registers_ax(SP)
	MOVQ BX, registers_bx(SP)
	MOVQ CX, registers_cx(SP)
	MOVQ CX, registers_ip(SP)
	MOVQ DX, registers_dx(SP)
	MOVQ SI, registers_si(SP)
	MOVQ DI, registers_di(SP)
	MOVQ BP, registers_bp(SP)
	MOVQ R8, registers_r8(SP)
	MOVQ R9, registers_r9(SP)
	MOVQ R10, registers_r10(SP)
	MOVQ R11, registers_r11(SP)
	MOVQ R11, registers_flags(SP)
	MOVQ R12, registers_r12(SP)
	MOVQ R13, registers_r13(SP)
	MOVQ R14, registers_r14(SP)
	MOVQ R15, registers_r15(SP)
	MOVQ (core_processor+processor_scratch)(GS), AX
	MOVQ AX, registers_sp(SP)
	MOVQ $1, core_inKernel(GS)
	MOVQ core_kernelSP(GS), SP
	MOVQ (core_processor+processor_kernelFS)(GS), AX
	WRITE_BASE(MSR_FS_BASE)
	XORL BP, BP
	XORPS X15, X15
	CALL ·syscall(SB)
	JMP ·resume(SB)

// resume enters the thread that the kernel chose for this core, with every
// register as the thread has it: a system call's return, a signal handler's
// start and rt_sigreturn are the same to it. X15 is zero in Go code.
TEXT ·resume(SB),NOSPLIT|NOFRAME,$0
	MOVQ core_thread(GS), BX
	MOVQ registers_fs(BX), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ core_kernelSP(GS), SP
	MOVQ (core_processor+processor_dataSelector)(GS), AX
	PUSHQ AX
	PUSHQ registers_sp(BX)
	PUSHQ registers_flags(BX)
	MOVQ (core_processor+processor_codeSelector)(GS), AX
	PUSHQ AX
	PUSHQ registers_ip(BX)
	MOVQ $0, core_inKernel(GS)
	PUSHQ registers_bp(BX)
	POPQ BP                   // by way of the stack: go vet takes a MOVQ for a lost frame pointer
	MOVQ registers_ax(BX), AX
	MOVQ registers_cx(BX), CX
	MOVQ registers_dx(BX), DX
	MOVQ registers_si(BX), SI
	MOVQ registers_di(BX), DI
	MOVQ registers_r8(BX), R8
	MOVQ registers_r9(BX), R9
	MOVQ registers_r10(BX), R10
	MOVQ registers_r11(BX), R11
	MOVQ registers_r12(BX), R12
	MOVQ registers_r13(BX), R13
	MOVQ registers_r14(BX), R14
	MOVQ registers_r15(BX), R15
	MOVQ registers_bx(BX), BX
	XORPS X15, X15
	IRETQ

// vectors holds one five-byte CALL per exception: the return address it pushes
// tells trap which of them was taken.
#define EIGHT \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB) \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB)
TEXT ·vectors(SB),NOSPLIT|NOFRAME,$0
	EIGHT
	EIGHT
	EIGHT
	EIGHT

// trapEntry runs on a stack of the interrupt stack table: under a goroutine's
// stack there is no room for even the CPU's own frame. It completes the trapFrame
// that vectors and the CPU began.
TEXT ·trapEntry(SB),NOSPLIT|NOFRAME,$0
	PUSHQ R15
	PUSHQ R14
	PUSHQ R13
	PUSHQ R12
	PUSHQ R11
	PUSHQ R10
	PUSHQ R9
	PUSHQ R8
	PUSHQ BP
	PUSHQ DI
	PUSHQ SI
	PUSHQ DX
	PUSHQ CX
	PUSHQ BX
	PUSHQ AX
	CLD
	MOVQ SP, BX
	MOVQ (core_processor+processor_trapFS)(GS), AX
	WRITE_BASE(MSR_FS_BASE)
	XORL BP, BP
	XORPS X15, X15
	ANDQ $~15, SP
	SUBQ $16, SP
	MOVQ BX, 0(SP)
	CALL ·trap(SB)
	JMP ·resume(SB)

// nmiEntry takes the NMI by which a core that wants the program to end gets through to
// one that runs it (nudge, bringHome): interrupts are off there, so nothing else would.
// In the kernel there is nothing to do, because that looks for itself. In the program,
// the program is abandoned in the middle of things; the IRETQ makes the processor take
// NMIs again. Any other NMI is the machine's, and an exception like others.
TEXT ·nmiEntry(SB),NOSPLIT|NOFRAME,$0
	CMPQ ·ending(SB), $0
	JEQ hardware
	INCQ (core_processor+processor_nmis)(GS)
	CMPQ core_inKernel(GS), $0
	JEQ abandon
	IRETQ
abandon:
	MOVQ $1, core_inKernel(GS)
	MOVQ (core_processor+processor_kernelFS)(GS), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ (core_processor+processor_dataSelector)(GS), AX
	PUSHQ AX
	PUSHQ core_kernelSP(GS)
	PUSHQ $const_flagsOfHandler
	MOVQ (core_processor+processor_codeSelector)(GS), AX
	PUSHQ AX
	LEAQ ·abandoned(SB), AX
	PUSHQ AX
	XORPS X15, X15
	IRETQ
hardware:
	PUSHQ AX                  // what the CALL of exception 2 in vectors would push
	LEAQ ·vectors(SB), AX
	ADDQ $(3*const_vectorStride), AX
	XCHGQ AX, 0(SP)
	JMP ·trapEntry(SB)

TEXT ·abandoned(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CALL ·stop(SB)
	INT $3

// interruptEntry takes every interrupt that is not an exception, which can come only
// while a core is in haltUntilInterrupt: that it has come is all there is to it. The
// end of interrupt goes to the local APIC by the way that APIC is in (Intel SDM volume
// 3, 11.8.5 and 11.12.1.2).
TEXT ·interruptEntry(SB),NOSPLIT|NOFRAME,$0
	PUSHQ AX
	PUSHQ CX
	PUSHQ DX
	CMPQ (core_processor+processor_x2APIC)(GS), $0
	JEQ mapped
	XORL AX, AX
	XORL DX, DX
	MOVL $(const_msrX2APIC+const_apicEOI>>4), CX
	WRMSR
	JMP out
mapped:
	MOVQ $(const_apicWindow+const_apicEOI), AX
	MOVL $0, (AX)
out:
	POPQ DX
	POPQ CX
	POPQ AX
	IRETQ

// func getCore() *core
TEXT ·getCore(SB),NOSPLIT,$0-8
	MOVQ core_self(GS), AX
	MOVQ AX, ret+0(FP)
	RET

// func callFirmware(fn uintptr, args *[8]uintptr) (status uintptr)
//
// callFirmware calls a firmware function in the Microsoft x64 convention, in the
// firmware's own world: its page tables, descriptor tables, CR4, segment bases and
// stack, with interrupts on. Every service that raises the task priority ends with
// STI (EDK2 CoreRestoreTpl), whatever IF was, so CLI comes first on the way back;
// and a service may have changed its own tables, so they are read again. The firmware's
// stack and descriptors may lie in memory that our page tables do not map: nothing of
// them is touched before CR3.
TEXT ·callFirmware(SB),NOSPLIT,$0-24
	MOVQ fn+0(FP), R15
	MOVQ args+8(FP), SI
	MOVQ SP, BX
	MOVQ ·bootCore+FIRMWARE+firmwareState_sp(SB), SP
	SUBQ $64, SP              // 32 bytes of shadow space, four stack arguments
	CMPB ·worldEntered(SB), $0
	JEQ call
	MOVQ ·bootCore+FIRMWARE+firmwareState_fs(SB), AX
	WRITE_BASE(MSR_FS_BASE)
	LIDT ·bootCore+FIRMWARE+firmwareState_idtr(SB)
	MOVQ ·bootCore+FIRMWARE+firmwareState_gs(SB), AX
	WRITE_BASE(MSR_GS_BASE)
	MOVQ ·bootCore+FIRMWARE+firmwareState_cr4(SB), AX
	MOVQ AX, CR4
	MOVQ ·bootCore+FIRMWARE+firmwareState_cr3(SB), AX
	MOVQ AX, CR3
	LGDT ·bootCore+FIRMWARE+firmwareState_gdtr(SB)
	MOVW ·bootCore+FIRMWARE+firmwareState_ss(SB), AX
	MOVW AX, SS
call:
	MOVQ 32(SI), AX
	MOVQ AX, 32(SP)
	MOVQ 40(SI), AX
	MOVQ AX, 40(SP)
	MOVQ 48(SI), AX
	MOVQ AX, 48(SP)
	MOVQ 56(SI), AX
	MOVQ AX, 56(SP)
	MOVQ 0(SI), CX
	MOVQ 8(SI), DX
	MOVQ 16(SI), R8
	MOVQ 24(SI), R9
	STI
	CALL R15
	CLI
	CLD
	MOVQ AX, R12
	CMPB ·worldEntered(SB), $0
	JEQ back
	MOVQ CR3, AX
	MOVQ AX, ·bootCore+FIRMWARE+firmwareState_cr3(SB)
	MOVQ CR4, AX
	MOVQ AX, ·bootCore+FIRMWARE+firmwareState_cr4(SB)
	SGDT ·bootCore+FIRMWARE+firmwareState_gdtr(SB)
	SIDT ·bootCore+FIRMWARE+firmwareState_idtr(SB)
	LEAQ ·bootCore(SB), R13
	MOVQ (core_processor+processor_cr4)(R13), AX
	MOVQ AX, CR4
	MOVQ (core_processor+processor_cr3)(R13), AX
	MOVQ AX, CR3
	LGDT (core_processor+processor_gdtr)(R13)
	MOVQ (core_processor+processor_dataSelector)(R13), AX
	MOVW AX, SS
	MOVQ R13, AX
	WRITE_BASE(MSR_GS_BASE)
	LIDT (core_processor+processor_idtr)(R13)
	MOVQ (core_processor+processor_kernelFS)(R13), AX
	WRITE_BASE(MSR_FS_BASE)
back:
	MOVL $0x1F80, AX          // as in ENTER_KERNEL
	MOVL AX, -8(BX)
	LDMXCSR -8(BX)
	MOVQ BX, SP
	XORPS X15, X15
	MOVQ R12, status+16(FP)
	RET

// func leaveTo(c *core, status uintptr)
//
// leaveTo returns from entry or apEntry: the firmware's tables are in force again, its
// registers come from its stack. home is the last thing written to memory of ours.
TEXT ·leaveTo(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ c+0(FP), BX
	MOVQ status+8(FP), SI
	MOVQ (FIRMWARE+firmwareState_fs)(BX), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ (FIRMWARE+firmwareState_gs)(BX), AX
	WRITE_BASE(MSR_GS_BASE)
	MOVQ SI, AX
	MOVQ $1, core_returning(BX)
	MOVQ (FIRMWARE+firmwareState_sp)(BX), BX
	JMP ·returnToFirmware(SB)

// returnToFirmware undoes SAVE_FIRMWARE and returns AX; BX is what SP was behind it.
TEXT ·returnToFirmware(SB),NOSPLIT|NOFRAME,$0
	MOVUPS 0(BX), X6
	MOVUPS 16(BX), X7
	MOVUPS 32(BX), X8
	MOVUPS 48(BX), X9
	MOVUPS 64(BX), X10
	MOVUPS 80(BX), X11
	MOVUPS 96(BX), X12
	MOVUPS 112(BX), X13
	MOVUPS 128(BX), X14
	MOVUPS 144(BX), X15
	LDMXCSR 160(BX)
	MOVQ 176(BX), R15
	MOVQ 184(BX), R14
	MOVQ 192(BX), R13
	MOVQ 200(BX), R12
	MOVQ 208(BX), DI
	MOVQ 216(BX), SI
	PUSHQ 224(BX)
	POPQ BP
	LEAQ 248(BX), SP          // at the return address
	PUSHQ 240(BX)             // the flags: they lie there already
	MOVQ 232(BX), BX
	POPFQ
	RET

// func addresses() (syscallEntry, vectors, nmi, interrupt, ap uintptr)
TEXT ·addresses(SB),NOSPLIT,$0-40
	LEAQ ·syscallEntry(SB), AX
	MOVQ AX, syscallEntry+0(FP)
	LEAQ ·vectors(SB), AX
	MOVQ AX, vectors+8(FP)
	LEAQ ·nmiEntry(SB), AX
	MOVQ AX, nmi+16(FP)
	LEAQ ·interruptEntry(SB), AX
	MOVQ AX, interrupt+24(FP)
	LEAQ ·apEntry(SB), AX
	MOVQ AX, ap+32(FP)
	RET

// func runtimeEntry() uintptr
TEXT ·runtimeEntry(SB),NOSPLIT,$0-8
	LEAQ _rt0_amd64_linux(SB), AX
	MOVQ AX, ret+0(FP)
	RET
