//go:build linux

#include "go_asm.h"
#include "textflag.h"

// The ways between three worlds: the firmware, the kernel (package metal) and the Go
// program. Offsets come from go_asm.h, which the toolchain writes from the structs core,
// processor, firmwareState and registers.

#define FIRMWARE core_processor+processor_firmware // of a core: its firmwareState

#define MSR_FS_BASE $0xC0000100
#define MSR_GS_BASE $0xC0000101

// A g begins with stack.lo, stack.hi, stackguard0, stackguard1 (runtime/runtime2.go);
// function prologues compare SP with stackguard0. Go code without a stack check may
// use up to 800 bytes below the guard, so the guard is 1 KiB above the end of the stack.
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

// MAKE_G fills the g at field g of core BX, for a stack of that core, stores its address in
// the first word of field tls, and in field fs the FS base with which FS:-8 is that word.
// Clobbers AX, CX.
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

// SAVE_FIRMWARE begins a function in the Microsoft x64 calling convention: it pushes the
// registers that the convention protects and leaves SP aligned to 16. returnToFirmware
// undoes it. Vector instructions are turned on first, since not all firmware uses them
// (U-Boot 2023.01 has CR4.OSFXSR off), and stay on until returnToFirmware. Clobbers AX.
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
	SUBQ $192, SP \
	MOVQ CR0, AX \
	MOVQ AX, 168(SP) \
	ANDQ $~const_cr0Vector, AX \
	ORQ $const_cr0MP, AX \
	MOVQ AX, CR0 \
	MOVQ CR4, AX \
	MOVQ AX, 176(SP) \
	ORQ $const_cr4Vector, AX \
	MOVQ AX, CR4 \
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
	STMXCSR 160(SP) \
	FSTCW 164(SP)

// DEFAULT_FLOAT gives MXCSR and the x87 control word the values that they have at the start
// of Linux and UEFI programs: all exceptions masked, x87 in extended precision. It uses
// eight bytes below sp. Clobbers AX.
#define DEFAULT_FLOAT(sp) \
	MOVQ $0x37F00001F80, AX \
	MOVQ AX, -8(sp) \
	LDMXCSR -8(sp) \
	FLDCW -4(sp)

// ENTER_KERNEL makes core BX the core of this processor and changes to its kernel stack.
// Clobbers AX, CX, DX.
#define ENTER_KERNEL \
	MOVQ SP, (FIRMWARE+firmwareState_sp)(BX) \
	MOVQ 256(SP), AX \
	MOVQ AX, (FIRMWARE+firmwareState_flags)(BX) \
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
	DEFAULT_FLOAT(SP) \
	XORL BP, BP \
	XORPS X15, X15

// entry is the entry point of the PE image (UEFI 2.10, 4.1 EFI_IMAGE_ENTRY_POINT):
// CX = ImageHandle, DX = SystemTable. A processor without what the Go compiler's code for amd64
// (GOAMD64=v1) and the kernel take for granted gets a line (ConOut->OutputString, 4.3 and 12.4),
// and the firmware EFI_UNSUPPORTED. Virtual machines can be set up so.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ BX, R10
	MOVQ CX, R8
	MOVQ DX, R9
	MOVL $1, AX
	CPUID
	ANDL $const_cpuidBaseline, DX
	CMPL DX, $const_cpuidBaseline
	JEQ vectors
	JMP ·refuse(SB)
vectors:
	MOVL $0x80000001, AX
	CPUID
	BTL $const_cpuidSyscallBit, DX
	JCS complete
	JMP ·refuse(SB)
complete:
	MOVQ R8, CX
	MOVQ R9, DX
	MOVQ R10, BX
	SAVE_FIRMWARE
	MOVQ CX, ·imageHandle(SB)
	MOVQ DX, ·systemTableAddress(SB)
	LEAQ ·bootCore(SB), BX
	ENTER_KERNEL
	CALL ·startKernel(SB)
	JMP ·resume(SB)

// refuse prints lacking and returns EFI_UNSUPPORTED. It has SystemTable in R9 and entry's BX in R10.
TEXT ·refuse(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ R10, BX
	MOVQ efiSystemTable_conOut(R9), CX
	TESTQ CX, CX
	JEQ silent
	LEAQ ·lacking(SB), DX
	MOVQ efiSimpleTextOutput_outputString(CX), AX
	SUBQ $40, SP              // 32 bytes of shadow space; SP is then aligned to 16
	CALL AX
	ADDQ $40, SP
silent:
	MOVQ $const_efiUnsupported, AX
	RET

// lacking is UTF-16.
DATA ·lacking+0(SB)/8, $"T\x00h\x00i\x00s\x00"
DATA ·lacking+8(SB)/8, $" \x00p\x00r\x00o\x00"
DATA ·lacking+16(SB)/8, $"g\x00r\x00a\x00m\x00"
DATA ·lacking+24(SB)/8, $" \x00n\x00e\x00e\x00"
DATA ·lacking+32(SB)/8, $"d\x00s\x00 \x00a\x00"
DATA ·lacking+40(SB)/8, $" \x00p\x00r\x00o\x00"
DATA ·lacking+48(SB)/8, $"c\x00e\x00s\x00s\x00"
DATA ·lacking+56(SB)/8, $"o\x00r\x00 \x00w\x00"
DATA ·lacking+64(SB)/8, $"i\x00t\x00h\x00 \x00"
DATA ·lacking+72(SB)/8, $"C\x00M\x00O\x00V\x00"
DATA ·lacking+80(SB)/8, $",\x00 \x00C\x00M\x00"
DATA ·lacking+88(SB)/8, $"P\x00X\x00C\x00H\x00"
DATA ·lacking+96(SB)/8, $"G\x008\x00B\x00,\x00"
DATA ·lacking+104(SB)/8, $" \x00F\x00X\x00S\x00"
DATA ·lacking+112(SB)/8, $"R\x00,\x00 \x00S\x00"
DATA ·lacking+120(SB)/8, $"S\x00E\x002\x00,\x00"
DATA ·lacking+128(SB)/8, $" \x00S\x00Y\x00S\x00"
DATA ·lacking+136(SB)/8, $"C\x00A\x00L\x00L\x00"
DATA ·lacking+144(SB)/8, $" \x00a\x00n\x00d\x00"
DATA ·lacking+152(SB)/8, $" \x00T\x00S\x00C\x00"
DATA ·lacking+160(SB)/8, $",\x00 \x00a\x00n\x00"
DATA ·lacking+168(SB)/8, $"d\x00 \x00t\x00h\x00"
DATA ·lacking+176(SB)/8, $"i\x00s\x00 \x00o\x00"
DATA ·lacking+184(SB)/8, $"n\x00e\x00 \x00l\x00"
DATA ·lacking+192(SB)/8, $"a\x00c\x00k\x00s\x00"
DATA ·lacking+200(SB)/8, $" \x00o\x00n\x00e\x00"
DATA ·lacking+208(SB)/8, $" \x00o\x00f\x00 \x00"
DATA ·lacking+216(SB)/8, $"t\x00h\x00e\x00m\x00"
DATA ·lacking+224(SB)/8, $".\x00\x0d\x00\x0a\x00\x00\x00"
GLOBL ·lacking(SB), RODATA|NOPTR, $232

// apEntry is the procedure that the firmware calls on every other processor (PI 1.7
// volume 2, 13.4 EFI_AP_PROCEDURE). Each takes the next number and the core of that
// number; a processor for which there is no core returns at once. The firmware's page
// tables map the cores, since they are in memory that it has allocated.
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

// These save and restore vector registers at DI: those of the mask DX:AX, or on processors
// without XSAVE, those of SSE. The Go assembler lacks the first two.
#define XSAVE64_DI BYTE $0x48; BYTE $0x0F; BYTE $0xAE; BYTE $0x27
#define XRSTOR64_DI BYTE $0x48; BYTE $0x0F; BYTE $0xAE; BYTE $0x2F
#define FXSAVE64_DI BYTE $0x48; BYTE $0x0F; BYTE $0xAE; BYTE $0x07
#define FXRSTOR64_DI BYTE $0x48; BYTE $0x0F; BYTE $0xAE; BYTE $0x0F

// syscallEntry is where the SYSCALL instruction of the Go runtime jumps to (LSTAR).
// The CPU has put the return address in CX and the flags in R11, cleared IF, and
// left SP on the goroutine's stack. All registers are saved in the thread, except the
// vector registers, because Go keeps nothing in them across a call.
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

// resume continues the thread that the kernel has chosen for this core, with all registers
// from struct thread: after a system call, at the start of a signal handler and after
// rt_sigreturn alike. X15 is zero in Go code. A thread that an NMI has interrupted gets its
// vector registers again, whose area is then free.
TEXT ·resume(SB),NOSPLIT|NOFRAME,$0
	MOVQ core_thread(GS), BX
	XORPS X15, X15
	MOVQ registers_vectors(BX), DI
	TESTQ DI, DI
	JEQ called
	XORL DX, DX
	MOVQ (core_processor+processor_xcr0)(GS), AX
	TESTL AX, AX
	JEQ legacy
	XRSTOR64_DI
	JMP restored
legacy:
	FXRSTOR64_DI
restored:
	MOVQ $0, registers_vectors(BX)
	MOVQ $0, vectorArea_used(DI)
called:
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
	POPQ BP                   // through the stack: go vet would report a MOVQ as a lost frame pointer
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
	IRETQ

// vectors has a CALL of five bytes for each exception: from the return address that it
// pushes, trap computes which exception it was.
#define EIGHT \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB) \
	CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB); CALL ·trapEntry(SB)
TEXT ·vectors(SB),NOSPLIT|NOFRAME,$0
	EIGHT
	EIGHT
	EIGHT
	EIGHT

// trapEntry runs on a stack of the interrupt stack table: a goroutine's stack may have no
// room for even the frame that the CPU pushes. It completes the trapFrame of which the
// CPU and vectors have pushed the first part.
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

// nmiEntry handles the NMI that a core sends to another: to all when the program ends
// (reach), and to the boot processor when that is needed for other things than the thread
// which runs there without system calls (interruptBoot). The other core may run the program,
// with interrupts off, so that nothing but an NMI interrupts it. If the NMI arrives in the
// kernel, it only counts it: kernel code looks at what there is to do itself. If it arrives
// in the program, it does not return there but, by IRETQ, after which the processor accepts
// NMIs again, to abandoned or, with all registers in the thread, to interrupted. An NMI that
// no core has sent comes from the machine, and is an exception like others.
TEXT ·nmiEntry(SB),NOSPLIT|NOFRAME,$0
	PUSHQ AX
	MOVQ (core_processor+processor_nmis)(GS), AX
	CMPQ AX, (core_processor+processor_nmisSent)(GS)
	JEQ hardware
	INCQ (core_processor+processor_nmis)(GS)
	CMPQ core_inKernel(GS), $0
	JNE back
	CMPQ ·ending(SB), $0
	JNE abandon
	CMPQ (core_processor+processor_vectorArea)(GS), $0
	JEQ back
	PUSHQ CX
	PUSHQ DX
	LEAQ ·syscallEntry(SB), CX // the kernel's way in and out, before and after inKernel says so
	CMPQ 24(SP), CX
	JB program
	LEAQ ·nmiEntry(SB), CX
	CMPQ 24(SP), CX
	JB within
program:
	MOVL MSR_FS_BASE, CX
	RDMSR                     // trap has another FS base
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ core_thread(GS), CX
	CMPQ AX, registers_fs(CX)
	JNE within
	MOVQ CX, AX
	POPQ registers_dx(AX)
	POPQ registers_cx(AX)
	POPQ registers_ax(AX)
	MOVQ BX, registers_bx(AX)
	MOVQ SI, registers_si(AX)
	MOVQ DI, registers_di(AX)
	MOVQ BP, registers_bp(AX)
	MOVQ R8, registers_r8(AX)
	MOVQ R9, registers_r9(AX)
	MOVQ R10, registers_r10(AX)
	MOVQ R11, registers_r11(AX)
	MOVQ R12, registers_r12(AX)
	MOVQ R13, registers_r13(AX)
	MOVQ R14, registers_r14(AX)
	MOVQ R15, registers_r15(AX)
	POPQ registers_ip(AX)
	ADDQ $8, SP               // CS
	POPQ registers_flags(AX)
	POPQ registers_sp(AX)
	CLD
	MOVQ (core_processor+processor_vectorArea)(GS), DI
	MOVQ DI, registers_vectors(AX)
	MOVQ $0, (core_processor+processor_vectorArea)(GS)
	XORL DX, DX
	MOVQ (core_processor+processor_xcr0)(GS), AX
	TESTL AX, AX
	JEQ legacy
	XSAVE64_DI
	JMP saved
legacy:
	FXSAVE64_DI
saved:
	LEAQ ·interrupted(SB), BX
	JMP leave
within:
	POPQ DX
	POPQ CX
back:
	POPQ AX
	IRETQ
abandon:
	LEAQ ·abandoned(SB), BX
leave:
	MOVQ $1, core_inKernel(GS)
	MOVQ (core_processor+processor_kernelFS)(GS), AX
	WRITE_BASE(MSR_FS_BASE)
	MOVQ (core_processor+processor_dataSelector)(GS), AX
	PUSHQ AX
	PUSHQ core_kernelSP(GS)
	PUSHQ $const_flagsOfHandler
	MOVQ (core_processor+processor_codeSelector)(GS), AX
	PUSHQ AX
	PUSHQ BX
	XORL BP, BP
	XORPS X15, X15
	IRETQ
hardware:
	LEAQ ·vectors(SB), AX
	ADDQ $(3*const_vectorStride), AX
	XCHGQ AX, 0(SP)           // in place of what the CALL of exception 2 in vectors pushes
	JMP ·trapEntry(SB)

// interrupted is where a core goes whose thread was interrupted in the program.
TEXT ·interrupted(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CALL ·giveUpBoot(SB)
	JMP ·resume(SB)

// abandoned is where a core goes that was interrupted in the program.
TEXT ·abandoned(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CALL ·stop(SB)
	INT $3

// interruptEntry handles all interrupts that are not exceptions. They can arrive only
// while a core is in haltUntilInterrupt, and have no other purpose than to end that. It
// writes to the end-of-interrupt register of the local APIC, by MSR or memory, depending
// on the APIC's mode (Intel SDM volume 3, 11.8.5 and 11.12.1.2).
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

// func callFirmware(fn uintptr, args *[10]uintptr) (status uintptr)
//
// callFirmware calls a firmware function in the Microsoft x64 convention, in the firmware's own
// world: its page tables, descriptor tables, CR0 (it may write to read-only pages of its own, with
// WP off), CR4, segment bases and stack, with interrupts on if they were at the start (UEFI 2.10,
// 2.3.4 promises that; U-Boot 2023.01 has them off, and its interrupt descriptors are not for
// 64-bit mode). Every service that raises the task priority ends with STI (EDK2 CoreRestoreTpl),
// whatever IF was, so CLI comes first after the call. A service may have changed the firmware's
// tables, so they are read again. Our page tables may not map the memory of the firmware's stack
// and descriptors: both are used only after CR3 has the firmware's page tables.
TEXT ·callFirmware(SB),NOSPLIT,$0-24
	MOVQ fn+0(FP), R15
	MOVQ args+8(FP), SI
	MOVQ SP, BX
	MOVQ ·bootCore+FIRMWARE+firmwareState_sp(SB), SP
	SUBQ $80, SP              // 32 bytes of shadow space, six stack arguments
	CMPB ·worldEntered(SB), $0
	JEQ call
	MOVQ ·bootCore+FIRMWARE+firmwareState_fs(SB), AX
	WRITE_BASE(MSR_FS_BASE)
	LIDT ·bootCore+FIRMWARE+firmwareState_idtr(SB)
	MOVQ ·bootCore+FIRMWARE+firmwareState_gs(SB), AX
	WRITE_BASE(MSR_GS_BASE)
	MOVQ ·bootCore+FIRMWARE+firmwareState_cr0(SB), AX
	MOVQ AX, CR0
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
	MOVQ 64(SI), AX
	MOVQ AX, 64(SP)
	MOVQ 72(SI), AX
	MOVQ AX, 72(SP)
	MOVQ 0(SI), CX
	MOVQ 8(SI), DX
	MOVQ 16(SI), R8
	MOVQ 24(SI), R9
	DEFAULT_FLOAT(SP)         // the program may have changed them
	BTL $9, ·bootCore+FIRMWARE+firmwareState_flags(SB)
	JCC closed
	STI
closed:
	CALL R15
	CLI
	CLD
	MOVQ AX, R12
	CMPB ·worldEntered(SB), $0
	JEQ back
	MOVQ CR3, AX
	MOVQ AX, ·bootCore+FIRMWARE+firmwareState_cr3(SB)
	MOVQ CR0, AX
	MOVQ AX, ·bootCore+FIRMWARE+firmwareState_cr0(SB)
	MOVQ CR4, AX
	MOVQ AX, ·bootCore+FIRMWARE+firmwareState_cr4(SB)
	SGDT ·bootCore+FIRMWARE+firmwareState_gdtr(SB)
	SIDT ·bootCore+FIRMWARE+firmwareState_idtr(SB)
	LEAQ ·bootCore(SB), R13
	MOVQ (core_processor+processor_cr4)(R13), AX
	MOVQ AX, CR4
	MOVQ (core_processor+processor_cr0)(R13), AX
	MOVQ AX, CR0
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
	DEFAULT_FLOAT(BX)
	MOVQ BX, SP
	XORPS X15, X15
	MOVQ R12, status+16(FP)
	RET

// func leaveTo(c *core, status uintptr)
//
// leaveTo returns from entry or apEntry. The firmware's tables are in use again; its
// registers come from its stack. The last write to memory of ours is that of returning.
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

// returnToFirmware undoes SAVE_FIRMWARE and returns AX; BX is the SP that SAVE_FIRMWARE left.
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
	FLDCW 164(BX)
	MOVQ CR4, CX
	ANDQ $~const_cr4Vector, CX
	MOVQ 176(BX), DX
	ANDQ $const_cr4Vector, DX
	ORQ DX, CX
	MOVQ CX, CR4
	MOVQ CR0, CX
	ANDQ $~const_cr0Vector, CX
	MOVQ 168(BX), DX
	ANDQ $const_cr0Vector, DX
	ORQ DX, CX
	MOVQ CX, CR0
	MOVQ 192(BX), R15
	MOVQ 200(BX), R14
	MOVQ 208(BX), R13
	MOVQ 216(BX), R12
	MOVQ 224(BX), DI
	MOVQ 232(BX), SI
	PUSHQ 240(BX)
	POPQ BP
	LEAQ 264(BX), SP          // at the return address
	PUSHQ 256(BX)             // the flags, which are at that place already
	MOVQ 248(BX), BX
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
