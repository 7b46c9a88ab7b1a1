#include "textflag.h"

// The matrix products for AVX-512 with VNNI. kernels_amd64.go says how to read this.

#define rOut DI
#define rW SI
#define rN CX

// ZERO4 sets four registers to 0.
#define ZERO4(a, b, c, d) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c \
	VPXORD d, d, d

// f32sAVX512 and gemmAVX512 multiply several rows of x (tokens) with 32 columns of a matrix.
// A row of x has two registers of sums. Rows 0 to 2 are reached from rX0, 3 to 5 from rX3
// and so on, with 0, 1 or 2 times the distance of rows.
#define rX0 DX
#define rX3 R8
#define rX6 R9
#define rOutStride R12

// ROW adds the products of one row's value xr with the 32 values in Z24 and Z25 to the
// row's sums a and b. The multiplications broadcast xr themselves: on Zen 4 VBROADCASTSS to
// 512 bits takes a turn of the units that multiply, so that 12 rows took 36 cycles for 24.
#define ROW(xr, a, b) \
	VMULPS.BCST xr, Z24, Z26 \
	VMULPS.BCST xr, Z25, Z27 \
	VADDPS      Z26, a, a    \ // a += Z24 * xr
	VADDPS      Z27, b, b    // b += Z25 * xr

// LOAD sets a row's sums to what is in out, and STORE does the reverse; both go on to the
// next row.
#define LOAD(a, b) \
	VMOVUPS (rOut), a        \
	VMOVUPS 64(rOut), b      \
	ADDQ    rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut)        \
	VMOVUPS b, 64(rOut)      \
	ADDQ    rOutStride, rOut

// ZERO8, LOAD8 and STORE8 are for the sums of rows 0 to 7, Z0 to Z15.
#define ZERO8 \
	ZERO4(Z0, Z1, Z2, Z3)     \
	ZERO4(Z4, Z5, Z6, Z7)     \
	ZERO4(Z8, Z9, Z10, Z11)   \
	ZERO4(Z12, Z13, Z14, Z15)

#define LOAD8 \
	LOAD(Z0, Z1)   \
	LOAD(Z2, Z3)   \
	LOAD(Z4, Z5)   \
	LOAD(Z6, Z7)   \
	LOAD(Z8, Z9)   \
	LOAD(Z10, Z11) \
	LOAD(Z12, Z13) \
	LOAD(Z14, Z15)

#define STORE8 \
	STORE(Z0, Z1)   \
	STORE(Z2, Z3)   \
	STORE(Z4, Z5)   \
	STORE(Z6, Z7)   \
	STORE(Z8, Z9)   \
	STORE(Z10, Z11) \
	STORE(Z12, Z13) \
	STORE(Z14, Z15)

#define rX9 R10
#define rStride R11

// TOKENS is ROW for three tokens, whose next values are at xt and one and two strides
// behind; xt goes on to the next column.
#define TOKENS(xt, a0, b0, a1, b1, a2, b2) \
	ROW((xt), a0, b0)            \
	ROW((xt)(rStride*1), a1, b1) \
	ROW((xt)(rStride*2), a2, b2) \
	ADDQ $4, xt

// COLUMN sets Z24 and Z25 to a column of weights, COLUMNHALVES to one of halves.
#define COLUMN \
	VMOVUPS (rW), Z24   \ // w[j][0:16]
	VMOVUPS 64(rW), Z25 \ // w[j][16:32]
	ADDQ    $128, rW

#define COLUMNHALVES \
	VCVTPH2PS (rW), Z24   \
	VCVTPH2PS 32(rW), Z25 \
	ADDQ      $64, rW

// MULTIPLY12 is all of f32sAVX512 and f16sAVX512.
#define MULTIPLY12(column) \
	MOVQ x+16(FP), rX0               \
	MOVQ xStride+24(FP), rStride     \
	SHLQ $2, rStride                 \ // in bytes
	LEAQ (rX0)(rStride*2), rX3       \
	ADDQ rStride, rX3                \
	LEAQ (rX3)(rStride*2), rX6       \
	ADDQ rStride, rX6                \
	LEAQ (rX6)(rStride*2), rX9       \
	ADDQ rStride, rX9                \
	MOVQ w+32(FP), rW                \
	MOVQ n+40(FP), rN                \
	MOVQ out+0(FP), rOut             \
	MOVQ outStride+8(FP), rOutStride \
	SHLQ $2, rOutStride              \
	CMPB more+48(FP), $0             \
	JNE  continue                    \
	ZERO8                            \
	ZERO4(Z16, Z17, Z18, Z19)        \
	ZERO4(Z20, Z21, Z22, Z23)        \
	JMP  columns                     \
continue:                            \
	LOAD8                            \
	LOAD(Z16, Z17)                   \
	LOAD(Z18, Z19)                   \
	LOAD(Z20, Z21)                   \
	LOAD(Z22, Z23)                   \
	MOVQ out+0(FP), rOut             \
columns:                             \
	column                                        \
	TOKENS(rX0, Z0, Z1, Z2, Z3, Z4, Z5)           \
	TOKENS(rX3, Z6, Z7, Z8, Z9, Z10, Z11)         \
	TOKENS(rX6, Z12, Z13, Z14, Z15, Z16, Z17)     \
	TOKENS(rX9, Z18, Z19, Z20, Z21, Z22, Z23)     \
	DECQ rN                          \
	JNZ  columns                     \
	STORE8                           \
	STORE(Z16, Z17)                  \
	STORE(Z18, Z19)                  \
	STORE(Z20, Z21)                  \
	STORE(Z22, Z23)                  \
	VZEROUPPER                       \
	RET

// f32sAVX512 is f32AVX512 for 12 tokens, with sums that begin with what is in out if more:
// 24 registers of sums, Z0 to Z23, so that a column of weights is loaded once for 12 tokens,
// and other additions fill the time that each takes.
//
//	for j := range n {
//		for t := range 12 {
//			for r := range 32 {
//				out[t][r] += w[j][r] * x[t][j]
//			}
//		}
//	}
//
// func f32sAVX512(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)
TEXT ·f32sAVX512(SB), NOSPLIT, $0-49
	MULTIPLY12(COLUMN)

// f16sAVX512 is f32sAVX512 for a tile of halves.
//
// func f16sAVX512(out *float32, outStride int, x *float32, xStride int, w *uint16, n int, more bool)
TEXT ·f16sAVX512(SB), NOSPLIT, $0-49
	MULTIPLY12(COLUMNHALVES)

#undef COLUMN
#undef rX9
#undef rStride
#undef TOKENS

#define rY SI
#define rYStride R10
#define rRow R11
#define rColumn R13

// gemmAVX512's twin is gemm, for 8 rows and 32 columns of out; Z0 to Z15 are the sums.
// x[i][t] is xRow*i + xColumn*t values behind x.
//
//	for t := range n {
//		for i := range 8 {
//			for j := range 32 {
//				out[i][j] += y[t][j] * x[i][t]
//			}
//		}
//	}
//
// A row costs what it costs in f32sAVX512, but 12 rows do not divide the 128 and 256 of
// training.
//
// func gemmAVX512(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)
TEXT ·gemmAVX512(SB), NOSPLIT, $0-65
	MOVQ x+16(FP), rX0
	MOVQ xRow+24(FP), rRow
	SHLQ $2, rRow                    // in bytes
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
	JNE  continue
	ZERO8
	JMP  columns

continue:
	LOAD8
	MOVQ out+0(FP), rOut

columns:
	VMOVUPS (rY), Z24    // y[t][0:16]
	VMOVUPS 64(rY), Z25  // y[t][16:32]
	ROW((rX0), Z0, Z1)
	ROW((rX0)(rRow*1), Z2, Z3)
	ROW((rX0)(rRow*2), Z4, Z5)
	ROW((rX3), Z6, Z7)
	ROW((rX3)(rRow*1), Z8, Z9)
	ROW((rX3)(rRow*2), Z10, Z11)
	ROW((rX6), Z12, Z13)
	ROW((rX6)(rRow*1), Z14, Z15)
	ADDQ    rColumn, rX0
	ADDQ    rColumn, rX3
	ADDQ    rColumn, rX6
	ADDQ    rYStride, rY
	DECQ    rN
	JNZ     columns
	STORE8
	VZEROUPPER
	RET

#undef rX0
#undef rX3
#undef rX6
#undef rY
#undef rYStride
#undef rRow
#undef rColumn
#define rX DX

// COLUMN(k) is a step of f32AVX512: for r := range 32 { out[r] += w[k][r] * x[k] }.
#define COLUMN(k) \
	VBROADCASTSS (4*k)(rX), Z2          \ // Z2 = x[k], in every lane
	VMULPS       (128*k)(rW), Z2, Z3    \ // Z3 = w[k][0:16] * x[k]
	VMULPS       (128*k+64)(rW), Z2, Z4 \ // Z4 = w[k][16:32] * x[k]
	VADDPS       Z3, Z0, Z0             \ // out[0:16] += Z3
	VADDPS       Z4, Z1, Z1             // out[16:32] += Z4

// f32AVX512's twin is tileF32: a tile w (n, 32) times x (n,). Z0 and Z1 are out (32,).
//
//	for j := range n {
//		for r := range 32 {
//			out[r] += w[j][r] * x[j]
//		}
//	}
//
// func f32AVX512(out, x, w *float32, n int)
TEXT ·f32AVX512(SB), NOSPLIT, $0-32
	MOVQ   out+0(FP), rOut
	MOVQ   x+8(FP), rX
	MOVQ   w+16(FP), rW
	MOVQ   n+24(FP), rN
	VPXORD Z0, Z0, Z0      // out = 0
	VPXORD Z1, Z1, Z1
	SUBQ   $4, rN
	JLT    rest

columns:  // four columns at a time
	COLUMN(0)
	COLUMN(1)
	COLUMN(2)
	COLUMN(3)
	ADDQ $16, rX
	ADDQ $512, rW
	SUBQ $4, rN
	JGE  columns

rest:
	ADDQ $4, rN
	JZ   done

column:  // the last one to three
	COLUMN(0)
	ADDQ $4, rX
	ADDQ $128, rW
	DECQ rN
	JNZ  column

done:
	VMOVUPS Z0, (rOut)
	VMOVUPS Z1, 64(rOut)
	VZEROUPPER
	RET

#undef rX
#undef rN

#define rX DX
#define rG BX
#define rGroups R9
#define rQuads R10
#define rLeft CX

// QUAD(k, acc) is a step of int8AVX512, for quad k from where rX and rW are: acc[r] += the
// sum of w[k][r][c] * x[k][c] over the four c. VPDPBUSD multiplies unsigned bytes (the
// weights) by signed ones, and adds each four products to 32 bits; nothing saturates.
#define QUAD(k, acc) \
	VMOVDQU32     (64*k)(rW), Z5     \
	VPDPBUSD.BCST (4*k)(rX), Z5, acc

// int8AVX512's twin is tileInt8: a tile w of int8 times x, in groups of 4*quads columns.
//
//	for i := range groups {
//		sums := gr[i].Bias // in each of 16 rows; Z1 to Z4 are parts of it
//		for j := range quads {
//			for r := range 16 {
//				for c := range 4 {
//					sums[r] += w[i][j][r][c] * x[i][j][c]
//				}
//			}
//		}
//		for r := range 16 { // Z0 is out
//			out[r] += float32(sums[r]) * scales[i][r] * gr[i].Scale
//		}
//	}
//
// Weights are unsigned for VPDPBUSD; a sum that begins with the bias has the 128 that was
// added to each weight taken off again. Quads go to four sums in turn, because an addition
// to the same sum waits for the one before.
//
// One cache line two pages ahead is prefetched in every group: the processor's own
// prefetchers begin anew in each page, and with it they begin in time (1.1 to 1.2 times as
// fast from DRAM, Zen 5; more of it, or for float32, was no gain).
//
// func int8AVX512(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)
TEXT ·int8AVX512(SB), NOSPLIT, $0-48
	MOVQ   out+0(FP), rOut
	MOVQ   x+8(FP), rX
	MOVQ   gr+16(FP), rG
	MOVQ   w+24(FP), rW
	MOVQ   groups+32(FP), rGroups
	MOVQ   quads+40(FP), rQuads
	VPXORD Z0, Z0, Z0             // out = 0

group:
	PREFETCHT1   8192(rW)
	VPBROADCASTD 4(rG), Z1     // gr[i].Bias
	VPXORD       Z2, Z2, Z2
	VPXORD       Z3, Z3, Z3
	VPXORD       Z4, Z4, Z4
	MOVQ         rQuads, rLeft
	SUBQ         $4, rLeft
	JLT          rest

four:  // four quads at a time
	QUAD(0, Z1)
	QUAD(1, Z2)
	QUAD(2, Z3)
	QUAD(3, Z4)
	ADDQ $16, rX
	ADDQ $256, rW
	SUBQ $4, rLeft
	JGE  four

rest:
	ADDQ $4, rLeft
	JZ   sum

one:  // the last one to three
	QUAD(0, Z1)
	ADDQ $4, rX
	ADDQ $64, rW
	DECQ rLeft
	JNZ  one

sum:
	VPADDD      Z2, Z1, Z1   // Z1 += Z2 + Z3 + Z4
	VPADDD      Z4, Z3, Z3
	VPADDD      Z3, Z1, Z1
	VCVTDQ2PS   Z1, Z1
	VMULPS      (rW), Z1, Z1 // scales[i]
	VMULPS.BCST (rG), Z1, Z1 // gr[i].Scale
	VADDPS      Z1, Z0, Z0
	ADDQ        $64, rW      // behind the scales
	ADDQ        $8, rG
	DECQ        rGroups
	JNZ         group
	VMOVUPS     Z0, (rOut)
	VZEROUPPER
	RET

#undef rX
#undef rG
#undef STORE

// The activations of eight tokens, and their groups: those of tokens 0 to 2 are reached from
// rX0 and rG0, those of 3 to 5 from rX3 and rG3, those of 6 and 7 from rX6 and rG6.
#define rX0 DX
#define rX3 R11
#define rX6 R12
#define rStride R13
#define rG0 BX
#define rG3 R14
#define rG6 R15
#define rGStride AX

// TOKENS does a quad, whose weights are in Z24, for three tokens.
#define TOKENS(acc0, acc1, acc2, xt) \
	VPDPBUSD.BCST (xt), Z24, acc0            \
	VPDPBUSD.BCST (xt)(rStride*1), Z24, acc1 \
	VPDPBUSD.BCST (xt)(rStride*2), Z24, acc2 \
	ADDQ          $4, xt

// SCALE ends a group for a token: sum[r] += float32(acc[r]) * scales[r] * scale. The weights'
// scales are in Z24.
#define SCALE(scale, acc, sum) \
	VCVTDQ2PS   acc, acc        \
	VMULPS      Z24, acc, acc   \
	VMULPS.BCST scale, acc, acc \
	VADDPS      acc, sum, sum

#define STORE(sum) \
	VMOVUPS sum, (rOut)   \
	ADDQ    rStride, rOut

// int8sAVX512 is int8AVX512 for 8 tokens. Z0 to Z7 are the sums of a group, a token each, and
// Z8 to Z15 are out.
//
// func int8sAVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)
TEXT ·int8sAVX512(SB), NOSPLIT, $0-72
	MOVQ x+16(FP), rX0
	MOVQ xStride+24(FP), rStride
	LEAQ (rX0)(rStride*2), rX3
	ADDQ rStride, rX3
	LEAQ (rX3)(rStride*2), rX6
	ADDQ rStride, rX6
	MOVQ gr+32(FP), rG0
	MOVQ gStride+40(FP), rGStride
	SHLQ $3, rGStride             // in bytes
	LEAQ (rG0)(rGStride*2), rG3
	ADDQ rGStride, rG3
	LEAQ (rG3)(rGStride*2), rG6
	ADDQ rGStride, rG6
	MOVQ w+48(FP), rW
	MOVQ groups+56(FP), rGroups
	MOVQ quads+64(FP), rQuads
	ZERO4(Z8, Z9, Z10, Z11)
	ZERO4(Z12, Z13, Z14, Z15)

group:
	VPBROADCASTD 4(rG0), Z0             // each token's gr[i].Bias
	VPBROADCASTD 4(rG0)(rGStride*1), Z1
	VPBROADCASTD 4(rG0)(rGStride*2), Z2
	VPBROADCASTD 4(rG3), Z3
	VPBROADCASTD 4(rG3)(rGStride*1), Z4
	VPBROADCASTD 4(rG3)(rGStride*2), Z5
	VPBROADCASTD 4(rG6), Z6
	VPBROADCASTD 4(rG6)(rGStride*1), Z7
	MOVQ         rQuads, rLeft

quad:
	VMOVDQU32     (rW), Z24
	TOKENS(Z0, Z1, Z2, rX0)
	TOKENS(Z3, Z4, Z5, rX3)
	VPDPBUSD.BCST (rX6), Z24, Z6
	VPDPBUSD.BCST (rX6)(rStride*1), Z24, Z7
	ADDQ          $4, rX6
	ADDQ          $64, rW
	DECQ          rLeft
	JNZ           quad
	VMOVUPS       (rW), Z24                 // the weights' scales
	SCALE((rG0), Z0, Z8)
	SCALE((rG0)(rGStride*1), Z1, Z9)
	SCALE((rG0)(rGStride*2), Z2, Z10)
	SCALE((rG3), Z3, Z11)
	SCALE((rG3)(rGStride*1), Z4, Z12)
	SCALE((rG3)(rGStride*2), Z5, Z13)
	SCALE((rG6), Z6, Z14)
	SCALE((rG6)(rGStride*1), Z7, Z15)
	ADDQ          $8, rG0
	ADDQ          $8, rG3
	ADDQ          $8, rG6
	ADDQ          $64, rW
	DECQ          rGroups
	JNZ           group
	MOVQ          out+0(FP), rOut
	MOVQ          outStride+8(FP), rStride
	SHLQ          $2, rStride
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
