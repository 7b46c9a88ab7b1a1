#include "textflag.h"

#define rOut DI
#define rX DX
#define rW SI
#define rN CX

// Four rows of a column, times the value that X8 holds four times.
#define ROWS(off, acc) \
	MOVUPS off(rW), X9; \
	MULPS X8, X9; \
	ADDPS X9, acc

// func f32SSE2(out, x, w *float32, n int)
TEXT ·f32SSE2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ w+16(FP), rW
	MOVQ n+24(FP), rN
	XORPS X0, X0
	XORPS X1, X1
	XORPS X2, X2
	XORPS X3, X3
	XORPS X4, X4
	XORPS X5, X5
	XORPS X6, X6
	XORPS X7, X7
column:
	MOVSS (rX), X8
	SHUFPS $0, X8, X8
	ROWS(0, X0)
	ROWS(16, X1)
	ROWS(32, X2)
	ROWS(48, X3)
	ROWS(64, X4)
	ROWS(80, X5)
	ROWS(96, X6)
	ROWS(112, X7)
	ADDQ $4, rX
	ADDQ $128, rW
	DECQ rN
	JNZ column
	MOVUPS X0, (rOut)
	MOVUPS X1, 16(rOut)
	MOVUPS X2, 32(rOut)
	MOVUPS X3, 48(rOut)
	MOVUPS X4, 64(rOut)
	MOVUPS X5, 80(rOut)
	MOVUPS X6, 96(rOut)
	MOVUPS X7, 112(rOut)
	RET

#undef ROWS
#undef rN

#define rG BX
#define rS R8
#define rGroups R9
#define rQuads R10
#define rLeft CX

// Four rows of four columns, as 16 bit (X15 is 0), times the four values that X14 holds
// twice: a and b get two sums for each of two rows.
#define ROWS(off, a, b) \
	MOVOU off(rW), X12; \
	MOVOU X12, X13; \
	PUNPCKLBW X15, X12; \
	PUNPCKHBW X15, X13; \
	PMADDWL X14, X12; \
	PMADDWL X14, X13; \
	PADDL X12, a; \
	PADDL X13, b

// Four rows: a and b hold two sums for each of two; the sums of out at off get bias (X14)
// and both, scaled by the weights' scales at off and the activation's (X15).
#define SCALE(a, b, off) \
	MOVOU a, X12; \
	SHUFPS $0x88, b, X12; \
	SHUFPS $0xDD, b, a; \
	PADDL X12, a; \
	PADDL X14, a; \
	CVTPL2PS a, a; \
	MOVUPS off(rS), X12; \
	MULPS X12, a; \
	MULPS X15, a; \
	MOVUPS off(rOut), X12; \
	ADDPS a, X12; \
	MOVUPS X12, off(rOut)

// func int8SSE2(out *float32, x *int8, gr *Group, w *uint8, s *float32, groups, quads int)
TEXT ·int8SSE2(SB), NOSPLIT, $0-56
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ gr+16(FP), rG
	MOVQ w+24(FP), rW
	MOVQ s+32(FP), rS
	MOVQ groups+40(FP), rGroups
	MOVQ quads+48(FP), rQuads
	XORPS X0, X0
	MOVUPS X0, (rOut)
	MOVUPS X0, 16(rOut)
	MOVUPS X0, 32(rOut)
	MOVUPS X0, 48(rOut)
group:
	PXOR X0, X0
	PXOR X1, X1
	PXOR X2, X2
	PXOR X3, X3
	PXOR X4, X4
	PXOR X5, X5
	PXOR X6, X6
	PXOR X7, X7
	PXOR X15, X15
	MOVQ rQuads, rLeft
quad:
	MOVL (rX), X14
	PUNPCKLBW X14, X14
	PSRAW $8, X14
	PUNPCKLQDQ X14, X14
	ROWS(0, X0, X1)
	ROWS(16, X2, X3)
	ROWS(32, X4, X5)
	ROWS(48, X6, X7)
	ADDQ $4, rX
	ADDQ $64, rW
	DECQ rLeft
	JNZ quad
	MOVL 4(rG), X14
	PSHUFL $0, X14, X14
	MOVSS (rG), X15
	SHUFPS $0, X15, X15
	SCALE(X0, X1, 0)
	SCALE(X2, X3, 16)
	SCALE(X4, X5, 32)
	SCALE(X6, X7, 48)
	ADDQ $64, rS
	ADDQ $8, rG
	DECQ rGroups
	JNZ group
	RET
