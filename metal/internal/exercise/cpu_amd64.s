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
