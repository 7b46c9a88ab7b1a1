#include "textflag.h"

#define rOut DI
#define rX DX
#define rW SI
#define rN CX

// One column of a tile times one value: the 32 rows are two registers of 16.
#define COLUMN(k) \
	VBROADCASTSS (4*k)(rX), Z2; \
	VMULPS (128*k)(rW), Z2, Z3; \
	VMULPS (128*k+64)(rW), Z2, Z4; \
	VADDPS Z3, Z0, Z0; \
	VADDPS Z4, Z1, Z1

// func f32AVX512(out, x, w *float32, n int)
TEXT ·f32AVX512(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ w+16(FP), rW
	MOVQ n+24(FP), rN
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
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
	VMOVUPS Z0, (rOut)
	VMOVUPS Z1, 64(rOut)
	VZEROUPPER
	RET

#undef rX

// The activations of 12 tokens lie a stride apart; rX0, rX3, rX6 and rX9 point at every third.
#define rX0 DX
#define rX3 R8
#define rX6 R9
#define rX9 R10
#define rStride R11
#define rOutStride R12

// One token's value, already in Z26, times the column in Z24 and Z25.
#define TOKEN(a, b) \
	VMULPS Z24, Z26, Z27; \
	VMULPS Z25, Z26, Z28; \
	VADDPS Z27, a, a; \
	VADDPS Z28, b, b

// Three tokens.
#define TOKENS(xt, a0, b0, a1, b1, a2, b2) \
	VBROADCASTSS (xt), Z26; \
	TOKEN(a0, b0); \
	VBROADCASTSS (xt)(rStride*1), Z26; \
	TOKEN(a1, b1); \
	VBROADCASTSS (xt)(rStride*2), Z26; \
	TOKEN(a2, b2); \
	ADDQ $4, xt

#define LOAD(a, b) \
	VMOVUPS (rOut), a; \
	VMOVUPS 64(rOut), b; \
	ADDQ rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut); \
	VMOVUPS b, 64(rOut); \
	ADDQ rOutStride, rOut

// func f32sAVX512(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)
//
// 32 rows of 12 tokens: 24 sums in registers, so that a column of weights is loaded
// once for 12 tokens, and the sums of a row never wait for each other. The sums begin
// with what out holds if there is more to add, else with 0.
TEXT ·f32sAVX512(SB), NOSPLIT, $0-49
	MOVQ x+16(FP), rX0
	MOVQ xStride+24(FP), rStride
	SHLQ $2, rStride
	LEAQ (rX0)(rStride*2), rX3
	ADDQ rStride, rX3
	LEAQ (rX3)(rStride*2), rX6
	ADDQ rStride, rX6
	LEAQ (rX6)(rStride*2), rX9
	ADDQ rStride, rX9
	MOVQ w+32(FP), rW
	MOVQ n+40(FP), rN
	MOVQ out+0(FP), rOut
	MOVQ outStride+8(FP), rOutStride
	SHLQ $2, rOutStride
	CMPB more+48(FP), $0
	JNE continue
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	VPXORD Z16, Z16, Z16
	VPXORD Z17, Z17, Z17
	VPXORD Z18, Z18, Z18
	VPXORD Z19, Z19, Z19
	VPXORD Z20, Z20, Z20
	VPXORD Z21, Z21, Z21
	VPXORD Z22, Z22, Z22
	VPXORD Z23, Z23, Z23
	JMP columns
continue:
	LOAD(Z0, Z1)
	LOAD(Z2, Z3)
	LOAD(Z4, Z5)
	LOAD(Z6, Z7)
	LOAD(Z8, Z9)
	LOAD(Z10, Z11)
	LOAD(Z12, Z13)
	LOAD(Z14, Z15)
	LOAD(Z16, Z17)
	LOAD(Z18, Z19)
	LOAD(Z20, Z21)
	LOAD(Z22, Z23)
	MOVQ out+0(FP), rOut
columns:
	VMOVUPS (rW), Z24
	VMOVUPS 64(rW), Z25
	TOKENS(rX0, Z0, Z1, Z2, Z3, Z4, Z5)
	TOKENS(rX3, Z6, Z7, Z8, Z9, Z10, Z11)
	TOKENS(rX6, Z12, Z13, Z14, Z15, Z16, Z17)
	TOKENS(rX9, Z18, Z19, Z20, Z21, Z22, Z23)
	ADDQ $128, rW
	DECQ rN
	JNZ columns
	STORE(Z0, Z1)
	STORE(Z2, Z3)
	STORE(Z4, Z5)
	STORE(Z6, Z7)
	STORE(Z8, Z9)
	STORE(Z10, Z11)
	STORE(Z12, Z13)
	STORE(Z14, Z15)
	STORE(Z16, Z17)
	STORE(Z18, Z19)
	STORE(Z20, Z21)
	STORE(Z22, Z23)
	VZEROUPPER
	RET

#undef rX0
#undef rX3
#undef rX6
#undef rX9
#undef rStride
#undef rOutStride
#undef rN
#undef TOKEN
#undef TOKENS
#undef LOAD
#undef STORE

#define rX DX
#define rG BX
#define rGroups R9
#define rQuads R10
#define rLeft CX

// Four columns of 16 rows times four values: acc gets the sums.
#define QUAD(k, acc) \
	VMOVDQU32 (64*k)(rW), Z5; \
	VPDPBUSD.BCST (4*k)(rX), Z5, acc

// func int8AVX512(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)
//
// Weights are unsigned for VPDPBUSD; the sums of a group begin at its bias, which takes
// the 128 of each weight back. Four sums side by side hide the instruction's latency. A
// line two pages ahead is asked for now and then: the processor's own prefetchers begin
// anew in each page, and with it they begin in time (1.1 to 1.2 times as fast from DRAM,
// Zen 5; more of it, or for float32, was no gain).
TEXT ·int8AVX512(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ gr+16(FP), rG
	MOVQ w+24(FP), rW
	MOVQ groups+32(FP), rGroups
	MOVQ quads+40(FP), rQuads
	VPXORD Z0, Z0, Z0
group:
	PREFETCHT1 8192(rW)
	VPBROADCASTD 4(rG), Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	MOVQ rQuads, rLeft
	SUBQ $4, rLeft
	JLT rest
four:
	QUAD(0, Z1)
	QUAD(1, Z2)
	QUAD(2, Z3)
	QUAD(3, Z4)
	ADDQ $16, rX
	ADDQ $256, rW
	SUBQ $4, rLeft
	JGE four
rest:
	ADDQ $4, rLeft
	JZ sum
one:
	QUAD(0, Z1)
	ADDQ $4, rX
	ADDQ $64, rW
	DECQ rLeft
	JNZ one
sum:
	VPADDD Z2, Z1, Z1
	VPADDD Z4, Z3, Z3
	VPADDD Z3, Z1, Z1
	VCVTDQ2PS Z1, Z1
	VMULPS (rW), Z1, Z1
	VMULPS.BCST (rG), Z1, Z1
	VADDPS Z1, Z0, Z0
	ADDQ $64, rW
	ADDQ $8, rG
	DECQ rGroups
	JNZ group
	VMOVUPS Z0, (rOut)
	VZEROUPPER
	RET

#undef rX
#undef rG

// The activations of eight tokens, and their groups: every third has a pointer.
#define rX0 DX
#define rX3 R11
#define rX6 R12
#define rStride R13
#define rG0 BX
#define rG3 R14
#define rG6 R15
#define rGStride AX

#define TOKENS(acc0, acc1, acc2, xt) \
	VPDPBUSD.BCST (xt), Z24, acc0; \
	VPDPBUSD.BCST (xt)(rStride*1), Z24, acc1; \
	VPDPBUSD.BCST (xt)(rStride*2), Z24, acc2; \
	ADDQ $4, xt


// acc is a token's group as integers, sum its row so far, Z24 the weights' scales.
#define SCALE(scale, acc, sum) \
	VCVTDQ2PS acc, acc; \
	VMULPS Z24, acc, acc; \
	VMULPS.BCST scale, acc, acc; \
	VADDPS acc, sum, sum

#define STORE(sum) \
	VMOVUPS sum, (rOut); \
	ADDQ rStride, rOut

// func int8sAVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)
//
// 16 rows of 8 tokens: Z0 to Z7 are the sums of a group, Z8 to Z15 those of the row.
TEXT ·int8sAVX512(SB), NOSPLIT, $0-72
	MOVQ x+16(FP), rX0
	MOVQ xStride+24(FP), rStride
	LEAQ (rX0)(rStride*2), rX3
	ADDQ rStride, rX3
	LEAQ (rX3)(rStride*2), rX6
	ADDQ rStride, rX6
	MOVQ gr+32(FP), rG0
	MOVQ gStride+40(FP), rGStride
	SHLQ $3, rGStride
	LEAQ (rG0)(rGStride*2), rG3
	ADDQ rGStride, rG3
	LEAQ (rG3)(rGStride*2), rG6
	ADDQ rGStride, rG6
	MOVQ w+48(FP), rW
	MOVQ groups+56(FP), rGroups
	MOVQ quads+64(FP), rQuads
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
group:
	VPBROADCASTD 4(rG0), Z0
	VPBROADCASTD 4(rG0)(rGStride*1), Z1
	VPBROADCASTD 4(rG0)(rGStride*2), Z2
	VPBROADCASTD 4(rG3), Z3
	VPBROADCASTD 4(rG3)(rGStride*1), Z4
	VPBROADCASTD 4(rG3)(rGStride*2), Z5
	VPBROADCASTD 4(rG6), Z6
	VPBROADCASTD 4(rG6)(rGStride*1), Z7
	MOVQ rQuads, rLeft
quad:
	VMOVDQU32 (rW), Z24
	TOKENS(Z0, Z1, Z2, rX0)
	TOKENS(Z3, Z4, Z5, rX3)
	VPDPBUSD.BCST (rX6), Z24, Z6
	VPDPBUSD.BCST (rX6)(rStride*1), Z24, Z7
	ADDQ $4, rX6
	ADDQ $64, rW
	DECQ rLeft
	JNZ quad
	VMOVUPS (rW), Z24
	SCALE((rG0), Z0, Z8)
	SCALE((rG0)(rGStride*1), Z1, Z9)
	SCALE((rG0)(rGStride*2), Z2, Z10)
	SCALE((rG3), Z3, Z11)
	SCALE((rG3)(rGStride*1), Z4, Z12)
	SCALE((rG3)(rGStride*2), Z5, Z13)
	SCALE((rG6), Z6, Z14)
	SCALE((rG6)(rGStride*1), Z7, Z15)
	ADDQ $8, rG0
	ADDQ $8, rG3
	ADDQ $8, rG6
	ADDQ $64, rW
	DECQ rGroups
	JNZ group
	MOVQ out+0(FP), rOut
	MOVQ outStride+8(FP), rStride
	SHLQ $2, rStride
	STORE(Z8)
	STORE(Z9)
	STORE(Z10)
	STORE(Z11)
	STORE(Z12)
	STORE(Z13)
	STORE(Z14)
	STORE(Z15)
	VZEROUPPER
	RET

#undef rX0
#undef rX3
#undef rX6
#undef rStride
#undef rG0
#undef rG3
#undef rG6
#undef rGStride
#undef TOKENS
#undef SCALE
#undef STORE

// The values of eight rows of x lie xRow apart; rX0, rX3 and rX6 point at every third.
#define rX0 DX
#define rX3 R8
#define rX6 R9
#define rY SI
#define rYStride R10
#define rRow R11
#define rOutStride R12
#define rColumn R13
#define rN CX

#define ROW(xr, a, b) \
	VBROADCASTSS xr, Z26; \
	VMULPS Z24, Z26, Z27; \
	VMULPS Z25, Z26, Z28; \
	VADDPS Z27, a, a; \
	VADDPS Z28, b, b

#define LOAD(a, b) \
	VMOVUPS (rOut), a; \
	VMOVUPS 64(rOut), b; \
	ADDQ rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut); \
	VMOVUPS b, 64(rOut); \
	ADDQ rOutStride, rOut

// func gemmAVX512(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)
//
// 8 rows of 32 columns: 16 sums in registers. It could stand for f32sAVX512, too, but with
// 8 tokens for 12 a prompt's products are 2 to 10 % slower (2 % for 288 columns, 10 % for
// 5632); and 12 rows do not divide the 128 and 256 of training.
TEXT ·gemmAVX512(SB), NOSPLIT, $0-65
	MOVQ x+16(FP), rX0
	MOVQ xRow+24(FP), rRow
	SHLQ $2, rRow
	MOVQ xColumn+32(FP), rColumn
	SHLQ $2, rColumn
	LEAQ (rX0)(rRow*2), rX3
	ADDQ rRow, rX3
	LEAQ (rX3)(rRow*2), rX6
	ADDQ rRow, rX6
	MOVQ y+40(FP), rY
	MOVQ yStride+48(FP), rYStride
	SHLQ $2, rYStride
	MOVQ n+56(FP), rN
	MOVQ out+0(FP), rOut
	MOVQ outStride+8(FP), rOutStride
	SHLQ $2, rOutStride
	CMPB more+64(FP), $0
	JNE continue
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	JMP columns
continue:
	LOAD(Z0, Z1)
	LOAD(Z2, Z3)
	LOAD(Z4, Z5)
	LOAD(Z6, Z7)
	LOAD(Z8, Z9)
	LOAD(Z10, Z11)
	LOAD(Z12, Z13)
	LOAD(Z14, Z15)
	MOVQ out+0(FP), rOut
columns:
	VMOVUPS (rY), Z24
	VMOVUPS 64(rY), Z25
	ROW((rX0), Z0, Z1)
	ROW((rX0)(rRow*1), Z2, Z3)
	ROW((rX0)(rRow*2), Z4, Z5)
	ROW((rX3), Z6, Z7)
	ROW((rX3)(rRow*1), Z8, Z9)
	ROW((rX3)(rRow*2), Z10, Z11)
	ROW((rX6), Z12, Z13)
	ROW((rX6)(rRow*1), Z14, Z15)
	ADDQ rColumn, rX0
	ADDQ rColumn, rX3
	ADDQ rColumn, rX6
	ADDQ rYStride, rY
	DECQ rN
	JNZ columns
	STORE(Z0, Z1)
	STORE(Z2, Z3)
	STORE(Z4, Z5)
	STORE(Z6, Z7)
	STORE(Z8, Z9)
	STORE(Z10, Z11)
	STORE(Z12, Z13)
	STORE(Z14, Z15)
	VZEROUPPER
	RET
