#include "textflag.h"

#define rOut DI
#define rX DX
#define rW SI
#define rN CX

// One column of a tile times one value: the 32 rows are four registers of eight.
#define COLUMN(k) \
	VBROADCASTSS (4*k)(rX), Y4; \
	VMULPS (128*k)(rW), Y4, Y5; \
	VMULPS (128*k+32)(rW), Y4, Y6; \
	VMULPS (128*k+64)(rW), Y4, Y7; \
	VMULPS (128*k+96)(rW), Y4, Y8; \
	VADDPS Y5, Y0, Y0; \
	VADDPS Y6, Y1, Y1; \
	VADDPS Y7, Y2, Y2; \
	VADDPS Y8, Y3, Y3

// func f32AVX2(out, x, w *float32, n int)
TEXT ·f32AVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ w+16(FP), rW
	MOVQ n+24(FP), rN
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	SUBQ $4, rN
	JLT rest
columns:
	COLUMN(0)
	COLUMN(1)
	COLUMN(2)
	COLUMN(3)
	ADDQ $16, rX
	ADDQ $512, rW
	SUBQ $4, rN
	JGE columns
rest:
	ADDQ $4, rN
	JZ done
column:
	COLUMN(0)
	ADDQ $4, rX
	ADDQ $128, rW
	DECQ rN
	JNZ column
done:
	VMOVUPS Y0, (rOut)
	VMOVUPS Y1, 32(rOut)
	VMOVUPS Y2, 64(rOut)
	VMOVUPS Y3, 96(rOut)
	VZEROUPPER
	RET

#undef rX

// The activations of six tokens lie a stride apart; rX0 and rX3 point at every third.
#define rX0 DX
#define rX3 R8
#define rStride R11
#define rOutStride R12
#define rHalf R13

#define TOKEN(xt, a, b) \
	VBROADCASTSS xt, Y14; \
	VMULPS Y12, Y14, Y15; \
	VADDPS Y15, a, a; \
	VMULPS Y13, Y14, Y15; \
	VADDPS Y15, b, b

#define LOAD(a, b) \
	VMOVUPS (rOut), a; \
	VMOVUPS 32(rOut), b; \
	ADDQ rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut); \
	VMOVUPS b, 32(rOut); \
	ADDQ rOutStride, rOut

// func f32sAVX2(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)
//
// 32 rows of six tokens, in two halves of 16 rows: 12 sums in registers. They begin with
// what out holds if there is more to add, else with 0.
TEXT ·f32sAVX2(SB), NOSPLIT, $0-49
	MOVQ xStride+24(FP), rStride
	SHLQ $2, rStride
	MOVQ outStride+8(FP), rOutStride
	SHLQ $2, rOutStride
	XORQ rHalf, rHalf
rows:
	MOVQ x+16(FP), rX0
	LEAQ (rX0)(rStride*2), rX3
	ADDQ rStride, rX3
	MOVQ w+32(FP), rW
	ADDQ rHalf, rW
	MOVQ n+40(FP), rN
	MOVQ out+0(FP), rOut
	ADDQ rHalf, rOut
	CMPB more+48(FP), $0
	JNE continue
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	JMP columns
continue:
	LOAD(Y0, Y1)
	LOAD(Y2, Y3)
	LOAD(Y4, Y5)
	LOAD(Y6, Y7)
	LOAD(Y8, Y9)
	LOAD(Y10, Y11)
	MOVQ out+0(FP), rOut
	ADDQ rHalf, rOut
columns:
	VMOVUPS (rW), Y12
	VMOVUPS 32(rW), Y13
	TOKEN((rX0), Y0, Y1)
	TOKEN((rX0)(rStride*1), Y2, Y3)
	TOKEN((rX0)(rStride*2), Y4, Y5)
	TOKEN((rX3), Y6, Y7)
	TOKEN((rX3)(rStride*1), Y8, Y9)
	TOKEN((rX3)(rStride*2), Y10, Y11)
	ADDQ $4, rX0
	ADDQ $4, rX3
	ADDQ $128, rW
	DECQ rN
	JNZ columns
	STORE(Y0, Y1)
	STORE(Y2, Y3)
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	STORE(Y8, Y9)
	STORE(Y10, Y11)
	XORQ $64, rHalf
	JNZ rows
	VZEROUPPER
	RET

#undef rX0
#undef rX3
#undef rStride
#undef rOutStride
#undef rHalf
#undef rN
#undef TOKEN
#undef LOAD
#undef STORE

#define rX DX
#define rG BX
#define rGroups R9
#define rQuads R10
#define rLeft CX

// Four rows of four columns, as 16 bit, times the four values that Y8 holds four times:
// acc gets two sums for each row.
#define ROWS(off, acc) \
	VPMOVZXBW off(rW), Y9; \
	VPMADDWD Y8, Y9, Y9; \
	VPADDD Y9, acc, acc

// Eight rows: a and b hold two sums for each of four; sum gets bias and both, scaled by
// the weights' scales at off and the activation's.
#define SCALE(a, b, off, bias, scale, sum) \
	VPHADDD b, a, a; \
	VPERMQ $0xD8, a, a; \
	VPADDD bias, a, a; \
	VCVTDQ2PS a, a; \
	VMULPS off(rW), a, a; \
	VMULPS scale, a, a; \
	VADDPS a, sum, sum

// func int8AVX2(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)
//
// 16-bit products (VPMADDWD) are exact for all values; 8-bit ones (VPMADDUBSW) saturate.
TEXT ·int8AVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ gr+16(FP), rG
	MOVQ w+24(FP), rW
	MOVQ groups+32(FP), rGroups
	MOVQ quads+40(FP), rQuads
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
group:
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	MOVQ rQuads, rLeft
quad:
	VPBROADCASTD (rX), X8
	VPMOVSXBW X8, Y8
	ROWS(0, Y2)
	ROWS(16, Y3)
	ROWS(32, Y4)
	ROWS(48, Y5)
	ADDQ $4, rX
	ADDQ $64, rW
	DECQ rLeft
	JNZ quad
	VPBROADCASTD 4(rG), Y10
	VBROADCASTSS (rG), Y11
	SCALE(Y2, Y3, 0, Y10, Y11, Y0)
	SCALE(Y4, Y5, 32, Y10, Y11, Y1)
	ADDQ $64, rW
	ADDQ $8, rG
	DECQ rGroups
	JNZ group
	VMOVUPS Y0, (rOut)
	VMOVUPS Y1, 32(rOut)
	VZEROUPPER
	RET

#define rStride R11
#define rGStride R12

// As ROWS, for the two tokens in Y12 and Y13.
#define ROWS2(off, acc, bcc) \
	VPMOVZXBW off(rW), Y14; \
	VPMADDWD Y12, Y14, Y15; \
	VPADDD Y15, acc, acc; \
	VPMADDWD Y13, Y14, Y15; \
	VPADDD Y15, bcc, bcc

// func int8sAVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)
//
// Two tokens: the weights are widened once for both.
TEXT ·int8sAVX2(SB), NOSPLIT, $0-72
	MOVQ x+16(FP), rX
	MOVQ xStride+24(FP), rStride
	MOVQ gr+32(FP), rG
	MOVQ gStride+40(FP), rGStride
	SHLQ $3, rGStride
	MOVQ w+48(FP), rW
	MOVQ groups+56(FP), rGroups
	MOVQ quads+64(FP), rQuads
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
group:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ rQuads, rLeft
quad:
	VPBROADCASTD (rX), X12
	VPMOVSXBW X12, Y12
	VPBROADCASTD (rX)(rStride*1), X13
	VPMOVSXBW X13, Y13
	ROWS2(0, Y0, Y4)
	ROWS2(16, Y1, Y5)
	ROWS2(32, Y2, Y6)
	ROWS2(48, Y3, Y7)
	ADDQ $4, rX
	ADDQ $64, rW
	DECQ rLeft
	JNZ quad
	VPBROADCASTD 4(rG), Y12
	VBROADCASTSS (rG), Y13
	SCALE(Y0, Y1, 0, Y12, Y13, Y8)
	SCALE(Y2, Y3, 32, Y12, Y13, Y9)
	VPBROADCASTD 4(rG)(rGStride*1), Y12
	VBROADCASTSS (rG)(rGStride*1), Y13
	SCALE(Y4, Y5, 0, Y12, Y13, Y10)
	SCALE(Y6, Y7, 32, Y12, Y13, Y11)
	ADDQ $64, rW
	ADDQ $8, rG
	DECQ rGroups
	JNZ group
	MOVQ out+0(FP), rOut
	MOVQ outStride+8(FP), rStride
	VMOVUPS Y8, (rOut)
	VMOVUPS Y9, 32(rOut)
	LEAQ (rOut)(rStride*4), rOut
	VMOVUPS Y10, (rOut)
	VMOVUPS Y11, 32(rOut)
	VZEROUPPER
	RET

// The values of four rows of x lie xRow apart.
#define rX0 DX
#define rX3 R8
#define rY SI
#define rHalf R9
#define rYStride R10
#define rRow R13
#define rOutStride R14
#define rColumn R15
#define rN CX

#define ROW(xr, a, b) \
	VBROADCASTSS xr, Y14; \
	VMULPS Y12, Y14, Y15; \
	VADDPS Y15, a, a; \
	VMULPS Y13, Y14, Y15; \
	VADDPS Y15, b, b

#define LOAD(a, b) \
	VMOVUPS (rOut), a; \
	VMOVUPS 32(rOut), b; \
	ADDQ rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut); \
	VMOVUPS b, 32(rOut); \
	ADDQ rOutStride, rOut

// func gemmAVX2(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)
//
// 4 rows of 32 columns, in two halves of 16 columns: 8 sums in registers.
TEXT ·gemmAVX2(SB), NOSPLIT, $0-65
	MOVQ outStride+8(FP), rOutStride
	SHLQ $2, rOutStride
	MOVQ xRow+24(FP), rRow
	SHLQ $2, rRow
	MOVQ xColumn+32(FP), rColumn
	SHLQ $2, rColumn
	MOVQ yStride+48(FP), rYStride
	SHLQ $2, rYStride
	XORQ rHalf, rHalf
half:
	MOVQ x+16(FP), rX0
	LEAQ (rX0)(rRow*2), rX3
	ADDQ rRow, rX3
	MOVQ y+40(FP), rY
	ADDQ rHalf, rY
	MOVQ n+56(FP), rN
	MOVQ out+0(FP), rOut
	ADDQ rHalf, rOut
	CMPB more+64(FP), $0
	JNE continue
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	JMP columns
continue:
	LOAD(Y0, Y1)
	LOAD(Y2, Y3)
	LOAD(Y4, Y5)
	LOAD(Y6, Y7)
	MOVQ out+0(FP), rOut
	ADDQ rHalf, rOut
columns:
	VMOVUPS (rY), Y12
	VMOVUPS 32(rY), Y13
	ROW((rX0), Y0, Y1)
	ROW((rX0)(rRow*1), Y2, Y3)
	ROW((rX0)(rRow*2), Y4, Y5)
	ROW((rX3), Y6, Y7)
	ADDQ rColumn, rX0
	ADDQ rColumn, rX3
	ADDQ rYStride, rY
	DECQ rN
	JNZ columns
	STORE(Y0, Y1)
	STORE(Y2, Y3)
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	XORQ $64, rHalf
	JNZ half
	VZEROUPPER
	RET
