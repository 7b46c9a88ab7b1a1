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

// func changeRounding()
//
// MXCSR: denormal numbers are zero, rounding down; x87: single precision, rounding up.
TEXT ·changeRounding(SB),NOSPLIT,$8-0
	MOVQ $0x87F0000BFC0, AX
	MOVQ AX, 0(SP)
	LDMXCSR 0(SP)
	FLDCW 4(SP)
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
