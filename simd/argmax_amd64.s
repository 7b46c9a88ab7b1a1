#include "textflag.h"

// Both kernels find the largest value first, then where it stands first. VMAXPS with what
// is largest so far as its second operand keeps that when the other is not a number, as
// the twin's comparison does.

#define rX DI
#define rN SI
#define rI AX
#define rMask CX

// func argmaxAVX512(x []float32) int
//
// len(x) is at least 1, and x[0] is a number.
TEXT ·argmaxAVX512(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), rX
	MOVQ x_len+8(FP), rN
	VBROADCASTSS (rX), Z0
	VMOVAPS Z0, Z1
	XORQ rI, rI
	MOVQ rN, DX
	SUBQ $31, DX
	JMP wholeTest
whole:
	VMOVUPS (rX)(rI*4), Z2
	VMOVUPS 64(rX)(rI*4), Z3
	VMAXPS Z0, Z2, Z0
	VMAXPS Z1, Z3, Z1
	ADDQ $32, rI
wholeTest:
	CMPQ rI, DX
	JLT whole
	JMP restTest
rest:
	VBROADCASTSS (rX)(rI*4), Z2
	VMAXPS Z0, Z2, Z0
	INCQ rI
restTest:
	CMPQ rI, rN
	JLT rest
	VMAXPS Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VMAXPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x0E, X0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x01, X0, X1
	VMAXPS X1, X0, X0
	VBROADCASTSS X0, Z0
	XORQ rI, rI
	SUBQ $16, rN
	JMP findTest
find:
	VCMPPS $0, (rX)(rI*4), Z0, K1
	KMOVW K1, rMask
	TESTL rMask, rMask
	JNE found
	ADDQ $16, rI
findTest:
	CMPQ rI, rN
	JLE find
one:
	VUCOMISS (rX)(rI*4), X0
	JPS next // not a number
	JEQ done
next:
	INCQ rI
	JMP one
found:
	BSFL rMask, rMask
	ADDQ rMask, rI
done:
	MOVQ rI, ret+24(FP)
	VZEROUPPER
	RET

// func argmaxAVX2(x []float32) int
//
// len(x) is at least 1, and x[0] is a number.
TEXT ·argmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), rX
	MOVQ x_len+8(FP), rN
	VBROADCASTSS (rX), Y0
	VMOVAPS Y0, Y1
	XORQ rI, rI
	MOVQ rN, DX
	SUBQ $15, DX
	JMP wholeTest
whole:
	VMOVUPS (rX)(rI*4), Y2
	VMOVUPS 32(rX)(rI*4), Y3
	VMAXPS Y0, Y2, Y0
	VMAXPS Y1, Y3, Y1
	ADDQ $16, rI
wholeTest:
	CMPQ rI, DX
	JLT whole
	JMP restTest
rest:
	VBROADCASTSS (rX)(rI*4), Y2
	VMAXPS Y0, Y2, Y0
	INCQ rI
restTest:
	CMPQ rI, rN
	JLT rest
	VMAXPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x0E, X0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x01, X0, X1
	VMAXPS X1, X0, X0
	VBROADCASTSS X0, Y0
	XORQ rI, rI
	SUBQ $8, rN
	JMP findTest
find:
	VCMPPS $0, (rX)(rI*4), Y0, Y1
	VMOVMSKPS Y1, rMask
	TESTL rMask, rMask
	JNE found
	ADDQ $8, rI
findTest:
	CMPQ rI, rN
	JLE find
one:
	VUCOMISS (rX)(rI*4), X0
	JPS next // not a number
	JEQ done
next:
	INCQ rI
	JMP one
found:
	BSFL rMask, rMask
	ADDQ rMask, rI
done:
	MOVQ rI, ret+24(FP)
	VZEROUPPER
	RET
