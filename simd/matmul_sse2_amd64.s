#include "textflag.h"

// The products of a tile with one token for SSE2, which every amd64 has: its registers hold
// 4 float32. kernels_amd64.go says how to read this; here an instruction has one source,
// and MULPS a, b is b *= a.

#define rOut DI
#define rX DX
#define rW SI
#define rN CX

// ROWS does four rows of a column, at off behind rW: acc[r] += w[j][r] * x[j]. X8 holds x[j]
// four times.
#define ROWS(off, acc) \
	MOVUPS off(rW), X9 \
	MULPS  X8, X9      \
	ADDPS  X9, acc

// f32SSE2's twin is tileF32: a tile w (n, 32) times x (n,). X0 to X7 are out (32,).
//
//	for j := range n {
//		for r := range 32 {
//			out[r] += w[j][r] * x[j]
//		}
//	}
//
// func f32SSE2(out, x, w *float32, n int)
TEXT ·f32SSE2(SB), NOSPLIT, $0-32
	MOVQ  out+0(FP), rOut
	MOVQ  x+8(FP), rX
	MOVQ  w+16(FP), rW
	MOVQ  n+24(FP), rN
	XORPS X0, X0
	XORPS X1, X1
	XORPS X2, X2
	XORPS X3, X3
	XORPS X4, X4
	XORPS X5, X5
	XORPS X6, X6
	XORPS X7, X7

column:
	MOVSS  (rX), X8
	SHUFPS $0, X8, X8    // x[j] in every lane
	ROWS(0, X0)
	ROWS(16, X1)
	ROWS(32, X2)
	ROWS(48, X3)
	ROWS(64, X4)
	ROWS(80, X5)
	ROWS(96, X6)
	ROWS(112, X7)
	ADDQ   $4, rX
	ADDQ   $128, rW
	DECQ   rN
	JNZ    column
	MOVUPS X0, (rOut)
	MOVUPS X1, 16(rOut)
	MOVUPS X2, 32(rOut)
	MOVUPS X3, 48(rOut)
	MOVUPS X4, 64(rOut)
	MOVUPS X5, 80(rOut)
	MOVUPS X6, 96(rOut)
	MOVUPS X7, 112(rOut)
	RET

#define HALF X12  // the bits of a half that is 3 bits right of the upper 16 of 32
#define EXPONENT X13
#define POWER X14 // 2**112
#define INF X15

// CONSTANT sets a register to 32 bits in every lane.
#define CONSTANT(bits, x) \
	MOVL   $bits, AX \
	MOVL   AX, x     \
	PSHUFL $0, x, x

// HALVES is ROWS for halves. Their bits, moved to where those of a float32 are, lack 112 in the
// exponent, and subnormal ones are right after the product with 2**112, too. The largest
// exponent stands for what is not finite, and becomes that of a float32.
#define HALVES(off, acc) \
	PXOR      X9, X9        \
	MOVQ      off(rW), X10  \
	PUNPCKLWL X10, X9       \ // 16 bits of 0, then 16 of the half
	PSRAL     $3, X9        \
	PAND      HALF, X9      \
	MOVO      EXPONENT, X10 \
	PAND      X9, X10       \
	PCMPEQL   EXPONENT, X10 \
	PAND      INF, X10      \
	MULPS     POWER, X9     \
	POR       X10, X9       \
	MULPS     X8, X9        \
	ADDPS     X9, acc

// f16SSE2 is f32SSE2 for a tile of halves; its twin is tileF16.
//
// func f16SSE2(out, x *float32, w *uint16, n int)
TEXT ·f16SSE2(SB), NOSPLIT, $0-32
	MOVQ  out+0(FP), rOut
	MOVQ  x+8(FP), rX
	MOVQ  w+16(FP), rW
	MOVQ  n+24(FP), rN
	CONSTANT(0x8fffe000, HALF)
	CONSTANT(0x0f800000, EXPONENT)
	CONSTANT(0x77800000, POWER)
	CONSTANT(0x7f800000, INF)
	XORPS X0, X0
	XORPS X1, X1
	XORPS X2, X2
	XORPS X3, X3
	XORPS X4, X4
	XORPS X5, X5
	XORPS X6, X6
	XORPS X7, X7

column:
	MOVSS  (rX), X8
	SHUFPS $0, X8, X8    // x[j] in every lane
	HALVES(0, X0)
	HALVES(8, X1)
	HALVES(16, X2)
	HALVES(24, X3)
	HALVES(32, X4)
	HALVES(40, X5)
	HALVES(48, X6)
	HALVES(56, X7)
	ADDQ   $4, rX
	ADDQ   $64, rW
	DECQ   rN
	JNZ    column
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
#define rGroups R9
#define rQuads R10
#define rLeft CX

// ROWS multiplies the 16 weights of four rows, four of each, with the four activations that
// X14 holds twice. a gets two sums for each of the first two rows, of two columns each, and
// b for the last two. X15 is 0.
#define ROWS(off, a, b) \
	MOVOU     off(rW), X12 \
	MOVOU     X12, X13     \
	PUNPCKLBW X15, X12     \ // the weights of the first two rows, widened to 16 bits
	PUNPCKHBW X15, X13     \ // and of the last two
	PMADDWL   X14, X12     \ // 4 sums of two neighbouring products
	PMADDWL   X14, X13     \
	PADDL     X12, a       \
	PADDL     X13, b

// SCALE ends a group for four rows. a holds the two sums of each of the first two, b those of
// the last two; scales are those of the weights, bias (X14) and scale (X15) the activation's:
//
//	out[r] += float32(a[2*r] + a[2*r+1] + bias) * scales[r] * scale
#define SCALE(a, b, off) \
	MOVOU    a, X12         \
	SHUFPS   $0x88, b, X12  \ // each row's first sum
	SHUFPS   $0xDD, b, a    \ // each row's second sum
	PADDL    X12, a         \
	PADDL    X14, a         \
	CVTPL2PS a, a           \
	MOVUPS   off(rW), X12   \
	MULPS    X12, a         \
	MULPS    X15, a         \
	MOVUPS   off(rOut), X12 \
	ADDPS    a, X12         \
	MOVUPS   X12, off(rOut)

// int8SSE2's twin is tileInt8: a tile w of int8 times x, in groups of 4*quads columns. There
// is no register left for out: it is in memory.
//
//	for i := range groups {
//		var sums [16]int32 // X0 to X7
//		for j := range quads {
//			for r := range 16 {
//				for c := range 4 {
//					sums[r] += w[i][j][r][c] * x[i][j][c]
//				}
//			}
//		}
//		for r := range 16 {
//			out[r] += float32(sums[r]+gr[i].Bias) * scales[i][r] * gr[i].Scale
//		}
//	}
//
// func int8SSE2(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)
TEXT ·int8SSE2(SB), NOSPLIT, $0-48
	MOVQ   out+0(FP), rOut
	MOVQ   x+8(FP), rX
	MOVQ   gr+16(FP), rG
	MOVQ   w+24(FP), rW
	MOVQ   groups+32(FP), rGroups
	MOVQ   quads+40(FP), rQuads
	XORPS  X0, X0
	MOVUPS X0, (rOut)             // out = 0
	MOVUPS X0, 16(rOut)
	MOVUPS X0, 32(rOut)
	MOVUPS X0, 48(rOut)

group:
	PXOR X0, X0        // sums = 0
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
	MOVL       (rX), X14    // x[i][j][0:4]
	PUNPCKLBW  X14, X14     // each byte twice: a word whose upper byte is the value
	PSRAW      $8, X14      // the value widened to 16 bits
	PUNPCKLQDQ X14, X14     // all four twice
	ROWS(0, X0, X1)
	ROWS(16, X2, X3)
	ROWS(32, X4, X5)
	ROWS(48, X6, X7)
	ADDQ       $4, rX
	ADDQ       $64, rW
	DECQ       rLeft
	JNZ        quad
	MOVL       4(rG), X14   // gr[i].Bias
	PSHUFL     $0, X14, X14
	MOVSS      (rG), X15    // gr[i].Scale
	SHUFPS     $0, X15, X15
	SCALE(X0, X1, 0)
	SCALE(X2, X3, 16)
	SCALE(X4, X5, 32)
	SCALE(X6, X7, 48)
	ADDQ       $64, rW      // behind the scales
	ADDQ       $8, rG
	DECQ       rGroups
	JNZ        group
	RET
