//go:build linux && amd64

#include "go_asm.h"
#include "textflag.h"

// The doors between three worlds: the firmware, the kernel (package metal) and
// the Go program. Offsets come from go_asm.h, which the toolchain writes from
// the structs core, thread and firmwareState.

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
	LEAQ stack(BX), CX \
	MOVQ CX, (g+G_LO)(BX) \
	LEAQ (stack+size)(BX), AX \
	MOVQ AX, (g+G_HI)(BX) \
	ADDQ $GUARD, CX \
	MOVQ CX, (g+G_GUARD0)(BX) \
	MOVQ CX, (g+G_GUARD1)(BX) \
	LEAQ g(BX), AX \
	MOVQ AX, tls(BX) \
	LEAQ (tls+8)(BX), AX \
	MOVQ AX, fs(BX)

// entry is the entry point of the PE image (UEFI 2.10, 4.1 EFI_IMAGE_ENTRY_POINT),
// in the Microsoft x64 calling convention: CX = ImageHandle, DX = SystemTable.
// What that convention lets the callee not touch is pushed here and loaded in leaveTo.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CLI
	CLD
	PUSHQ BX
	PUSHQ BP
	PUSHQ SI
	PUSHQ DI
	PUSHQ R12
	PUSHQ R13
	PUSHQ R14
	PUSHQ R15
	SUBQ $168, SP
	MOVUPS X6, 0(SP)
	MOVUPS X7, 16(SP)
	MOVUPS X8, 32(SP)
	MOVUPS X9, 48(SP)
	MOVUPS X10, 64(SP)
	MOVUPS X11, 80(SP)
	MOVUPS X12, 96(SP)
	MOVUPS X13, 112(SP)
	MOVUPS X14, 128(SP)
	MOVUPS X15, 144(SP)
	MOVQ SP, ·fw+firmwareState_sp(SB)
	MOVQ CX, ·fw+firmwareState_image(SB)
	MOVQ DX, ·fw+firmwareState_systemTable(SB)
	MOVL MSR_FS_BASE, CX
	RDMSR
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ·fw+firmwareState_fs(SB)
	MOVL MSR_GS_BASE, CX
	RDMSR
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ·fw+firmwareState_gs(SB)
	LEAQ ·bootCore(SB), BX
	MOVQ BX, core_self(BX)
	MAKE_G(core_kernelG, core_kernelStack, const_kernelStackSize, core_kernelTLS, core_kernelFS)
	MAKE_G(core_trapG, core_trapStack, const_trapStackSize, core_trapTLS, core_trapFS)
	LEAQ (core_kernelStack+const_kernelStackSize)(BX), AX
	MOVQ AX, core_kernelSP(BX)
	MOVQ $1, core_inKernel(BX)
	MOVQ BX, AX
	WRITE_BASE(MSR_GS_BASE)
	MOVQ core_kernelFS(BX), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ core_kernelSP(BX), SP
	XORL BP, BP
	XORPS X15, X15
	CALL ·start(SB)
	JMP ·resume(SB)

// syscallEntry is where the SYSCALL instruction of the Go runtime lands (LSTAR).
// The CPU has put the return address in CX and the flags in R11, masked IF, and
// left SP on the goroutine's stack. All registers go into the thread; vector
// registers need no saving, because none is live across a call in Go.
TEXT ·syscallEntry(SB),NOSPLIT|NOFRAME,$0
	MOVQ SP, core_scratch(GS)
	MOVQ core_thread(GS), SP
	MOVQ AX, thread_ax(SP)
	MOVQ BX, thread_bx(SP)
	MOVQ CX, thread_cx(SP)
	MOVQ CX, thread_ip(SP)
	MOVQ DX, thread_dx(SP)
	MOVQ SI, thread_si(SP)
	MOVQ DI, thread_di(SP)
	MOVQ BP, thread_bp(SP)
	MOVQ R8, thread_r8(SP)
	MOVQ R9, thread_r9(SP)
	MOVQ R10, thread_r10(SP)
	MOVQ R11, thread_r11(SP)
	MOVQ R11, thread_flags(SP)
	MOVQ R12, thread_r12(SP)
	MOVQ R13, thread_r13(SP)
	MOVQ R14, thread_r14(SP)
	MOVQ R15, thread_r15(SP)
	MOVQ core_scratch(GS), AX
	MOVQ AX, thread_sp(SP)
	MOVQ $1, core_inKernel(GS)
	MOVQ core_kernelSP(GS), SP
	MOVQ core_kernelFS(GS), AX
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
	MOVQ thread_fs(BX), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ core_kernelSP(GS), SP
	MOVQ core_dataSelector(GS), AX
	PUSHQ AX
	PUSHQ thread_sp(BX)
	PUSHQ thread_flags(BX)
	MOVQ core_codeSelector(GS), AX
	PUSHQ AX
	PUSHQ thread_ip(BX)
	MOVQ $0, core_inKernel(GS)
	PUSHQ thread_bp(BX)
	POPQ BP                   // by way of the stack: go vet takes a MOVQ for a lost frame pointer
	MOVQ thread_ax(BX), AX
	MOVQ thread_cx(BX), CX
	MOVQ thread_dx(BX), DX
	MOVQ thread_si(BX), SI
	MOVQ thread_di(BX), DI
	MOVQ thread_r8(BX), R8
	MOVQ thread_r9(BX), R9
	MOVQ thread_r10(BX), R10
	MOVQ thread_r11(BX), R11
	MOVQ thread_r12(BX), R12
	MOVQ thread_r13(BX), R13
	MOVQ thread_r14(BX), R14
	MOVQ thread_r15(BX), R15
	MOVQ thread_bx(BX), BX
	XORPS X15, X15
	IRETQ

// vectors holds one five-byte CALL per exception: the return address it pushes
// tells trap which of them was taken. All other interrupts share the last one.
#define EIGHT \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB) \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB)
TEXT ·vectors(SB),NOSPLIT|NOFRAME,$0
	EIGHT
	EIGHT
	EIGHT
	EIGHT
	CALL ·trapEntry(SB)

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
	MOVQ core_trapFS(GS), AX
	WRITE_BASE(MSR_FS_BASE)
	XORL BP, BP
	XORPS X15, X15
	ANDQ $~15, SP
	SUBQ $16, SP
	MOVQ BX, 0(SP)
	CALL ·trap(SB)
	JMP ·resume(SB)

// func callFirmware(fn uintptr, args *[8]uintptr) (status uintptr)
//
// callFirmware calls a firmware function in the Microsoft x64 convention, in the
// firmware's own world: its page tables, descriptor tables, CR4, segment bases and
// stack, with interrupts on. Every service that raises the task priority ends with
// STI (EDK2 CoreRestoreTpl), whatever IF was, so CLI comes first on the way back;
// and a service may have changed its own tables, so they are read again.
TEXT ·callFirmware(SB),NOSPLIT,$0-24
	MOVQ fn+0(FP), R15
	MOVQ args+8(FP), SI
	MOVQ SP, BX
	MOVQ ·fw+firmwareState_sp(SB), SP
	SUBQ $64, SP              // 32 bytes of shadow space, four stack arguments
	MOVQ 32(SI), AX
	MOVQ AX, 32(SP)
	MOVQ 40(SI), AX
	MOVQ AX, 40(SP)
	MOVQ 48(SI), AX
	MOVQ AX, 48(SP)
	MOVQ 56(SI), AX
	MOVQ AX, 56(SP)
	CMPB ·fw+firmwareState_away(SB), $0
	JEQ call
	MOVQ ·fw+firmwareState_fs(SB), AX
	WRITE_BASE(MSR_FS_BASE)
	LIDT ·fw+firmwareState_idtr(SB)
	MOVQ ·fw+firmwareState_gs(SB), AX
	WRITE_BASE(MSR_GS_BASE)
	LGDT ·fw+firmwareState_gdtr(SB)
	MOVW ·fw+firmwareState_ss(SB), AX
	MOVW AX, SS
	MOVQ ·fw+firmwareState_cr4(SB), AX
	MOVQ AX, CR4
	MOVQ ·fw+firmwareState_cr3(SB), AX
	MOVQ AX, CR3
call:
	MOVQ 0(SI), CX
	MOVQ 8(SI), DX
	MOVQ 16(SI), R8
	MOVQ 24(SI), R9
	STI
	CALL R15
	CLI
	CLD
	MOVQ AX, R12
	CMPB ·fw+firmwareState_away(SB), $0
	JEQ back
	MOVQ CR3, AX
	MOVQ AX, ·fw+firmwareState_cr3(SB)
	MOVQ CR4, AX
	MOVQ AX, ·fw+firmwareState_cr4(SB)
	SGDT ·fw+firmwareState_gdtr(SB)
	SIDT ·fw+firmwareState_idtr(SB)
	LEAQ ·bootCore(SB), R13
	MOVQ core_cr4(R13), AX
	MOVQ AX, CR4
	MOVQ core_cr3(R13), AX
	MOVQ AX, CR3
	LGDT core_gdtr(R13)
	MOVQ core_dataSelector(R13), AX
	MOVW AX, SS
	MOVQ R13, AX
	WRITE_BASE(MSR_GS_BASE)
	LIDT core_idtr(R13)
	MOVQ core_kernelFS(R13), AX
	WRITE_BASE(MSR_FS_BASE)
back:
	MOVL $0x1F80, AX          // MXCSR as Linux and UEFI start it: all exceptions masked
	MOVL AX, -8(BX)
	LDMXCSR -8(BX)
	MOVQ BX, SP
	XORPS X15, X15
	MOVQ R12, status+16(FP)
	RET

// func leaveTo(sp, status uintptr)
//
// leaveTo returns from entry: the firmware's tables are in force again, its
// registers come from its stack.
TEXT ·leaveTo(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ sp+0(FP), BX
	MOVQ status+8(FP), SI
	MOVQ ·fw+firmwareState_fs(SB), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ ·fw+firmwareState_gs(SB), AX
	WRITE_BASE(MSR_GS_BASE)
	MOVQ SI, AX
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
	MOVQ 168(BX), R15
	MOVQ 176(BX), R14
	MOVQ 184(BX), R13
	MOVQ 192(BX), R12
	MOVQ 200(BX), DI
	MOVQ 208(BX), SI
	PUSHQ 216(BX)
	POPQ BP
	LEAQ 232(BX), SP          // at the return address
	MOVQ 224(BX), BX
	STI
	RET

// func addresses() (syscallEntry, vectors, rt0 uintptr)
TEXT ·addresses(SB),NOSPLIT,$0-24
	LEAQ ·syscallEntry(SB), AX
	MOVQ AX, syscallEntry+0(FP)
	LEAQ ·vectors(SB), AX
	MOVQ AX, vectors+8(FP)
	LEAQ _rt0_amd64_linux(SB), AX
	MOVQ AX, rt0+16(FP)
	RET
