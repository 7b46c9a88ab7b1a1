//go:build linux

#include "textflag.h"

// func xcr0() uint64
TEXT ·xcr0(SB),NOSPLIT,$0-8
	XORL CX, CX
	XGETBV
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+0(FP)
	RET

// func pageAttributes() uint64
//
// IA32_PAT (Intel SDM volume 3, 11.12.2).
TEXT ·pageAttributes(SB),NOSPLIT,$0-8
	MOVL $0x277, CX
	RDMSR
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+0(FP)
	RET

// func processorID() uint32
//
// CPUID leaf 1, EBX[31:24]: the number of the processor that this runs on.
TEXT ·processorID(SB),NOSPLIT,$0-4
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $24, BX
	MOVL BX, ret+0(FP)
	RET

// func hasOSXSAVE() bool
TEXT ·hasOSXSAVE(SB),NOSPLIT,$0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $27, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET

// func vectorsOfProcessor() uint64: of x87 and SSE, AVX, and AVX-512, what XCR0 can have, if there is AVX (Intel SDM volume 2, CPUID,
// leaf 1 and leaf 0DH).
TEXT ·vectorsOfProcessor(SB),NOSPLIT,$0-8
	MOVL $1, AX
	XORL CX, CX
	CPUID
	MOVL $3, AX
	BTL $28, CX
	JCC sse
	MOVL $13, AX
	XORL CX, CX
	CPUID
	ANDL $0xE7, AX
sse:
	MOVQ AX, ret+0(FP)
	RET

// func changeRounding()
//
// MXCSR: denormal numbers are zero, rounding down; x87: single precision, rounding up.
TEXT ·changeRounding(SB),NOSPLIT,$8-0
	MOVQ $0x87F0000BFC0, AX
	MOVQ AX, 0(SP)
	LDMXCSR 0(SP)
	FLDCW 4(SP)
	RET

// func floatControl() uint64
//
// MXCSR without its flags of exceptions that have happened, and the x87 control word above it.
TEXT ·floatControl(SB),NOSPLIT,$8-8
	MOVQ $0, 0(SP)
	STMXCSR 0(SP)
	FSTCW 4(SP)
	MOVQ 0(SP), AX
	ANDQ $~0x3F, AX
	MOVQ AX, ret+0(FP)
	RET

// func addAVX(sum, a, b *[8]float32)
TEXT ·addAVX(SB),NOSPLIT,$0-24
	MOVQ sum+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	VMOVUPS (SI), Y0
	VADDPS (DX), Y0, Y1
	VMOVUPS Y1, (DI)
	VZEROUPPER
	RET

// func handlerThatFaults() uintptr
TEXT ·handlerThatFaults(SB),NOSPLIT,$0-8
	LEAQ ·faultingHandler(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// faultingHandler: see faultAgain. exit_group is 231.
TEXT ·faultingHandler(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVL $'!', AX
	MOVL $0xEA, DX
	OUTB
	INCQ ·handlerRuns(SB)
	CMPQ ·handlerRuns(SB), $3
	JNE fault
	XORL DI, DI
	MOVL $231, AX
	SYSCALL
fault:
	XORL AX, AX
	MOVQ (AX), AX
	RET

GLOBL ·handlerRuns(SB), NOPTR, $8

// func trapWithRegisters()
TEXT ·trapWithRegisters(SB),NOSPLIT,$0-0
	MOVQ $0x0101010101010101, AX
	MOVQ $0x0202020202020202, BX
	MOVQ $0x0303030303030303, CX
	MOVQ $0x0404040404040404, DX
	MOVQ $0x0505050505050505, SI
	MOVQ $0x0606060606060606, DI
	MOVQ $0x0808080808080808, R8
	MOVQ $0x0909090909090909, R9
	MOVQ $0x1010101010101010, R10
	MOVQ $0x1111111111111111, R11
	MOVQ $0x1212121212121212, R12
	MOVQ $0x1313131313131313, R13
	MOVQ $0x1515151515151515, R15
	INT $3
	RET

// func hardwareRandomCode() uintptr
TEXT ·hardwareRandomCode(SB),NOSPLIT,$0-8
	LEAQ bootllama∕metal·hardwareRandom(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func writeText(to, from, n uintptr)
//
// With CR0.WP (bit 16) clear, read-only pages can be written in ring 0.
TEXT ·writeText(SB),NOSPLIT,$0-24
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ CR0, AX
	MOVQ AX, DX
	BTRQ $16, AX
	MOVQ AX, CR0
	CLD
	REP
	MOVSB
	MOVQ DX, CR0
	RET

// func spin(state *vectors, avx bool, stop *uint32)
//
// All vector registers are those of state, then it loops until *stop is not 0, and then they
// are written to state again; so are R8 and R9, which hold the addresses of state and of stop,
// and the flag CF, which is set.
TEXT ·spin(SB),NOSPLIT,$0-24
	MOVQ state+0(FP), SI
	MOVBLZX avx+8(FP), BX
	MOVQ stop+16(FP), DI
	MOVQ SI, R8
	MOVQ DI, R9
	TESTL BX, BX
	JEQ sse
	VMOVUPS 0(SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VMOVUPS 128(SI), Y4
	VMOVUPS 160(SI), Y5
	VMOVUPS 192(SI), Y6
	VMOVUPS 224(SI), Y7
	VMOVUPS 256(SI), Y8
	VMOVUPS 288(SI), Y9
	VMOVUPS 320(SI), Y10
	VMOVUPS 352(SI), Y11
	VMOVUPS 384(SI), Y12
	VMOVUPS 416(SI), Y13
	VMOVUPS 448(SI), Y14
	VMOVUPS 480(SI), Y15
	JMP loop
sse:
	MOVUPS 0(SI), X0
	MOVUPS 32(SI), X1
	MOVUPS 64(SI), X2
	MOVUPS 96(SI), X3
	MOVUPS 128(SI), X4
	MOVUPS 160(SI), X5
	MOVUPS 192(SI), X6
	MOVUPS 224(SI), X7
	MOVUPS 256(SI), X8
	MOVUPS 288(SI), X9
	MOVUPS 320(SI), X10
	MOVUPS 352(SI), X11
	MOVUPS 384(SI), X12
	MOVUPS 416(SI), X13
	MOVUPS 448(SI), X14
	MOVUPS 480(SI), X15
loop:
	STC
	PAUSE
	MOVL (DI), AX
	INCL AX
	DECL AX                   // these two set ZF and leave CF
	JEQ loop
	SBBQ AX, AX
	MOVQ AX, 528(SI)
	TESTL BX, BX
	JEQ sse2
	VMOVUPS Y0, 0(SI)
	VMOVUPS Y1, 32(SI)
	VMOVUPS Y2, 64(SI)
	VMOVUPS Y3, 96(SI)
	VMOVUPS Y4, 128(SI)
	VMOVUPS Y5, 160(SI)
	VMOVUPS Y6, 192(SI)
	VMOVUPS Y7, 224(SI)
	VMOVUPS Y8, 256(SI)
	VMOVUPS Y9, 288(SI)
	VMOVUPS Y10, 320(SI)
	VMOVUPS Y11, 352(SI)
	VMOVUPS Y12, 384(SI)
	VMOVUPS Y13, 416(SI)
	VMOVUPS Y14, 448(SI)
	VMOVUPS Y15, 480(SI)
	VZEROUPPER
	JMP done
sse2:
	MOVUPS X0, 0(SI)
	MOVUPS X1, 32(SI)
	MOVUPS X2, 64(SI)
	MOVUPS X3, 96(SI)
	MOVUPS X4, 128(SI)
	MOVUPS X5, 160(SI)
	MOVUPS X6, 192(SI)
	MOVUPS X7, 224(SI)
	MOVUPS X8, 256(SI)
	MOVUPS X9, 288(SI)
	MOVUPS X10, 320(SI)
	MOVUPS X11, 352(SI)
	MOVUPS X12, 384(SI)
	MOVUPS X13, 416(SI)
	MOVUPS X14, 448(SI)
	MOVUPS X15, 480(SI)
done:
	MOVQ R8, 512(SI)
	MOVQ R9, 520(SI)
	XORPS X15, X15
	RET

// func fileHooks() (open, close, delete uintptr)
TEXT ·fileHooks(SB),NOSPLIT,$0-24
	LEAQ ·openHook(SB), AX
	MOVQ AX, open+0(FP)
	LEAQ ·closeHook(SB), AX
	MOVQ AX, close+8(FP)
	LEAQ ·deleteHook(SB), AX
	MOVQ AX, delete+16(FP)
	RET

// openHook is EFI_FILE_PROTOCOL.Open (UEFI 2.10, 13.5.2), called by metal: the handle that it opens has these functions, too.
TEXT ·openHook(SB),NOSPLIT|NOFRAME,$0
	SUBQ $56, SP
	MOVQ DX, 40(SP)           // where the handle is stored
	MOVQ 96(SP), AX           // the fifth argument
	MOVQ AX, 32(SP)
	MOVQ ·hookedOpen(SB), AX
	CALL AX
	TESTQ AX, AX
	JNE failed
	MOVQ 40(SP), DX
	MOVQ (DX), DX
	LEAQ ·openHook(SB), CX
	MOVQ CX, 8(DX)
	LEAQ ·closeHook(SB), CX
	MOVQ CX, 16(DX)
	LEAQ ·deleteHook(SB), CX
	MOVQ CX, 24(DX)
	INCQ ·openHandles(SB)
failed:
	ADDQ $56, SP
	RET

TEXT ·closeHook(SB),NOSPLIT|NOFRAME,$0
	DECQ ·openHandles(SB)
	MOVQ ·hookedClose(SB), AX
	JMP AX

TEXT ·deleteHook(SB),NOSPLIT|NOFRAME,$0
	DECQ ·openHandles(SB)
	MOVQ ·hookedDelete(SB), AX
	JMP AX
