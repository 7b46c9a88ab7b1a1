#include "textflag.h"

// The matrix products for AVX2. kernels_amd64.go says how to read this.

#define rOut DI
#define rW SI
#define rN CX

// ZERO4 sets four registers to 0.
#define ZERO4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

// f32sAVX2 and gemmAVX2 multiply several rows of x (tokens) with 16 columns of a matrix at
// a time. A row of x has two registers of sums. Rows 0 to 2 are reached from rX0, rows 3 to
// 5 from rX3, with 0, 1 or 2 times the distance of rows.
#define rX0 DX
#define rX3 R8
#define rOutStride R12

// ROW adds the products of one row's value xr with the 16 values in Y12 and Y13 to the
// row's sums a and b.
#define ROW(xr, a, b) \
	VBROADCASTSS xr, Y14       \ // Y14 = xr, in every lane
	VMULPS       Y12, Y14, Y15 \
	VADDPS       Y15, a, a     \ // a += Y12 * xr
	VMULPS       Y13, Y14, Y15 \
	VADDPS       Y15, b, b     // b += Y13 * xr

// LOAD sets a row's sums to what is in out, and STORE does the reverse; both go on to the
// next row.
#define LOAD(a, b) \
	VMOVUPS (rOut), a        \
	VMOVUPS 32(rOut), b      \
	ADDQ    rOutStride, rOut

#define STORE(a, b) \
	VMOVUPS a, (rOut)        \
	VMOVUPS b, 32(rOut)      \
	ADDQ    rOutStride, rOut

#define rStride R11
#define rHalf R13

// COLUMN sets Y12 and Y13 to 16 rows of a column of weights, COLUMNHALVES to those of halves.
#define COLUMN \
	VMOVUPS (rW), Y12   \ // w[j][half:half+8]
	VMOVUPS 32(rW), Y13 \ // w[j][half+8:half+16]
	ADDQ    $128, rW

#define COLUMNHALVES \
	VCVTPH2PS (rW), Y12   \
	VCVTPH2PS 16(rW), Y13 \
	ADDQ      $64, rW

// MULTIPLY6 is all of f32sAVX2 and f16sAVX2, whose weights have `size` bytes.
#define MULTIPLY6(column, size) \
	MOVQ xStride+24(FP), rStride     \
	SHLQ $2, rStride                 \ // in bytes
	MOVQ outStride+8(FP), rOutStride \
	SHLQ $2, rOutStride              \
	XORQ rHalf, rHalf                \ // rows before this half: 0, then 16
half:                                \
	MOVQ x+16(FP), rX0               \
	LEAQ (rX0)(rStride*2), rX3       \
	ADDQ rStride, rX3                \
	MOVQ w+32(FP), rW                \
	LEAQ (rW)(rHalf*size), rW        \
	MOVQ n+40(FP), rN                \
	MOVQ out+0(FP), rOut             \
	LEAQ (rOut)(rHalf*4), rOut       \
	CMPB more+48(FP), $0             \
	JNE  continue                    \
	ZERO4(Y0, Y1, Y2, Y3)            \
	ZERO4(Y4, Y5, Y6, Y7)            \
	ZERO4(Y8, Y9, Y10, Y11)          \
	JMP  columns                     \
continue:                            \
	LOAD(Y0, Y1)                     \
	LOAD(Y2, Y3)                     \
	LOAD(Y4, Y5)                     \
	LOAD(Y6, Y7)                     \
	LOAD(Y8, Y9)                     \
	LOAD(Y10, Y11)                   \
	MOVQ out+0(FP), rOut             \
	LEAQ (rOut)(rHalf*4), rOut       \
columns:                             \
	column                           \
	ROW((rX0), Y0, Y1)               \
	ROW((rX0)(rStride*1), Y2, Y3)    \
	ROW((rX0)(rStride*2), Y4, Y5)    \
	ROW((rX3), Y6, Y7)               \
	ROW((rX3)(rStride*1), Y8, Y9)    \
	ROW((rX3)(rStride*2), Y10, Y11)  \
	ADDQ $4, rX0                     \
	ADDQ $4, rX3                     \
	DECQ rN                          \
	JNZ  columns                     \
	STORE(Y0, Y1)                    \
	STORE(Y2, Y3)                    \
	STORE(Y4, Y5)                    \
	STORE(Y6, Y7)                    \
	STORE(Y8, Y9)                    \
	STORE(Y10, Y11)                  \
	XORQ $16, rHalf                  \
	JNZ  half                        \
	VZEROUPPER                       \
	RET

// f32sAVX2 is f32AVX2 for six tokens, with sums that begin with what is in out if more. The
// 32 rows of the tile are done in two halves of 16: six tokens then have 12 registers of
// sums, Y0 to Y11.
//
//	for half := 0; half < 32; half += 16 {
//		for j := range n {
//			for t := range 6 {
//				for r := range 16 {
//					out[t][half+r] += w[j][half+r] * x[t][j]
//				}
//			}
//		}
//	}
//
// func f32sAVX2(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)
TEXT ·f32sAVX2(SB), NOSPLIT, $0-49
	MULTIPLY6(COLUMN, 4)

// f16sAVX2 is f32sAVX2 for a tile of halves.
//
// func f16sAVX2(out *float32, outStride int, x *float32, xStride int, w *uint16, n int, more bool)
TEXT ·f16sAVX2(SB), NOSPLIT, $0-49
	MULTIPLY6(COLUMNHALVES, 2)

#undef COLUMN
#undef rStride
#undef rHalf
#undef rOutStride

#define rY SI
#define rHalf R9
#define rYStride R10
#define rRow R13
#define rOutStride R14
#define rColumn R15

// gemmAVX2's twin is gemm, for 4 rows and 32 columns of out, in two halves of 16 columns;
// Y0 to Y7 are the sums. x[i][t] is xRow*i + xColumn*t values behind x.
//
//	for half := 0; half < 32; half += 16 {
//		for t := range n {
//			for i := range 4 {
//				for j := range 16 {
//					out[i][half+j] += y[t][half+j] * x[i][t]
//				}
//			}
//		}
//	}
//
// func gemmAVX2(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)
TEXT ·gemmAVX2(SB), NOSPLIT, $0-65
	MOVQ outStride+8(FP), rOutStride
	SHLQ $2, rOutStride              // in bytes
	MOVQ xRow+24(FP), rRow
	SHLQ $2, rRow
	MOVQ xColumn+32(FP), rColumn
	SHLQ $2, rColumn
	MOVQ yStride+48(FP), rYStride
	SHLQ $2, rYStride
	XORQ rHalf, rHalf                // bytes of a row before this half: 0, then 64

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
	JNE  continue
	ZERO4(Y0, Y1, Y2, Y3)
	ZERO4(Y4, Y5, Y6, Y7)
	JMP  columns

continue:
	LOAD(Y0, Y1)
	LOAD(Y2, Y3)
	LOAD(Y4, Y5)
	LOAD(Y6, Y7)
	MOVQ out+0(FP), rOut
	ADDQ rHalf, rOut

columns:
	VMOVUPS (rY), Y12    // y[t][half:half+8]
	VMOVUPS 32(rY), Y13  // y[t][half+8:half+16]
	ROW((rX0), Y0, Y1)
	ROW((rX0)(rRow*1), Y2, Y3)
	ROW((rX0)(rRow*2), Y4, Y5)
	ROW((rX3), Y6, Y7)
	ADDQ    rColumn, rX0
	ADDQ    rColumn, rX3
	ADDQ    rYStride, rY
	DECQ    rN
	JNZ     columns
	STORE(Y0, Y1)
	STORE(Y2, Y3)
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	XORQ    $64, rHalf
	JNZ     half
	VZEROUPPER
	RET

#undef rX0
#undef rX3
#undef rY
#undef rHalf
#undef rYStride
#undef rRow
#undef rOutStride
#undef rColumn
#define rX DX

// COLUMN(k) is a step of f32AVX2: for r := range 32 { out[r] += w[k][r] * x[k] }.
#define COLUMN(k) \
	VBROADCASTSS (4*k)(rX), Y4          \ // Y4 = x[k], in every lane
	VMULPS       (128*k)(rW), Y4, Y5    \ // Y5 = w[k][0:8] * x[k]
	VMULPS       (128*k+32)(rW), Y4, Y6 \ // Y6 = w[k][8:16] * x[k]
	VMULPS       (128*k+64)(rW), Y4, Y7 \
	VMULPS       (128*k+96)(rW), Y4, Y8 \
	VADDPS       Y5, Y0, Y0             \ // out[0:8] += Y5
	VADDPS       Y6, Y1, Y1             \ // out[8:16] += Y6
	VADDPS       Y7, Y2, Y2             \
	VADDPS       Y8, Y3, Y3

// f32AVX2's twin is tileF32: a tile w (n, 32) times x (n,). Y0 to Y3 are out (32,).
//
//	for j := range n {
//		for r := range 32 {
//			out[r] += w[j][r] * x[j]
//		}
//	}
//
// func f32AVX2(out, x, w *float32, n int)
TEXT ·f32AVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ w+16(FP), rW
	MOVQ n+24(FP), rN
	ZERO4(Y0, Y1, Y2, Y3)
	SUBQ $4, rN
	JLT  rest

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
	VMOVUPS Y0, (rOut)
	VMOVUPS Y1, 32(rOut)
	VMOVUPS Y2, 64(rOut)
	VMOVUPS Y3, 96(rOut)
	VZEROUPPER
	RET

// HALVES(k) is COLUMN(k) for halves: VCVTPH2PS makes eight of them float32.
#define HALVES(k) \
	VBROADCASTSS (4*k)(rX), Y4     \
	VCVTPH2PS    (64*k)(rW), Y5    \
	VCVTPH2PS    (64*k+16)(rW), Y6 \
	VCVTPH2PS    (64*k+32)(rW), Y7 \
	VCVTPH2PS    (64*k+48)(rW), Y8 \
	VMULPS       Y5, Y4, Y5        \
	VMULPS       Y6, Y4, Y6        \
	VMULPS       Y7, Y4, Y7        \
	VMULPS       Y8, Y4, Y8        \
	VADDPS       Y5, Y0, Y0        \
	VADDPS       Y6, Y1, Y1        \
	VADDPS       Y7, Y2, Y2        \
	VADDPS       Y8, Y3, Y3

// f16AVX2 is f32AVX2 for a tile of halves; its twin is tileF16. Every processor that has AVX2
// has F16C, too. AVX-512 has no kernel of its own: with VCVTPH2PS of 16 halves it reached 41 GB/s
// from L2 where this one has 58 (Zen 4).
//
// func f16AVX2(out, x *float32, w *uint16, n int)
TEXT ·f16AVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), rOut
	MOVQ x+8(FP), rX
	MOVQ w+16(FP), rW
	MOVQ n+24(FP), rN
	ZERO4(Y0, Y1, Y2, Y3)

column:
	HALVES(0)
	ADDQ    $4, rX
	ADDQ    $64, rW
	DECQ    rN
	JNZ     column
	VMOVUPS Y0, (rOut)
	VMOVUPS Y1, 32(rOut)
	VMOVUPS Y2, 64(rOut)
	VMOVUPS Y3, 96(rOut)
	VZEROUPPER
	RET

#undef rX
#undef rN

#define rX DX
#define rG BX
#define rGroups R9
#define rQuads R10
#define rLeft CX

// ROWS multiplies the 16 weights of four rows, four of each, with the four activations that
// Y8 holds four times, and adds them to acc: two sums for each row, of two columns each.
#define ROWS(off, acc) \
	VPMOVZXBW off(rW), Y9  \ // 16 weights, widened to 16 bits
	VPMADDWD  Y8, Y9, Y9   \ // 8 sums of two neighbouring products
	VPADDD    Y9, acc, acc

// SCALE ends a group for eight rows. a holds the two sums of each of the first four, b those
// of the last:
//
//	sum[r] += float32(a[2*r] + a[2*r+1] + bias) * scales[r] * scale
//
// scales are those of the weights, at off behind rW; bias and scale are the activation's.
#define SCALE(a, b, off, bias, scale, sum) \
	VPHADDD   b, a, a       \ // rows 0, 1, 4, 5, 2, 3, 6, 7
	VPERMQ    $0xD8, a, a   \ // rows 0 to 7
	VPADDD    bias, a, a    \
	VCVTDQ2PS a, a          \
	VMULPS    off(rW), a, a \
	VMULPS    scale, a, a   \
	VADDPS    a, sum, sum

// int8AVX2's twin is tileInt8: a tile w of int8 times x, in groups of 4*quads columns.
//
//	for i := range groups {
//		var sums [16]int32 // Y2 to Y5
//		for j := range quads {
//			for r := range 16 {
//				for c := range 4 {
//					sums[r] += w[i][j][r][c] * x[i][j][c]
//				}
//			}
//		}
//		for r := range 16 { // Y0 and Y1 are out
//			out[r] += float32(sums[r]+gr[i].Bias) * scales[i][r] * gr[i].Scale
//		}
//	}
//
// 16-bit products (VPMADDWD) are exact for all values; 8-bit ones (VPMADDUBSW) saturate.
//
// func int8AVX2(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)
TEXT ·int8AVX2(SB), NOSPLIT, $0-48
	MOVQ   out+0(FP), rOut
	MOVQ   x+8(FP), rX
	MOVQ   gr+16(FP), rG
	MOVQ   w+24(FP), rW
	MOVQ   groups+32(FP), rGroups
	MOVQ   quads+40(FP), rQuads
	VXORPS Y0, Y0, Y0             // out = 0
	VXORPS Y1, Y1, Y1

group:
	VPXOR Y2, Y2, Y2    // sums = 0
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	MOVQ  rQuads, rLeft

quad:
	VPBROADCASTD (rX), X8     // x[i][j][0:4], four times
	VPMOVSXBW    X8, Y8       // widened to 16 bits
	ROWS(0, Y2)
	ROWS(16, Y3)
	ROWS(32, Y4)
	ROWS(48, Y5)
	ADDQ         $4, rX
	ADDQ         $64, rW
	DECQ         rLeft
	JNZ          quad
	VPBROADCASTD 4(rG), Y10   // gr[i].Bias
	VBROADCASTSS (rG), Y11    // gr[i].Scale
	SCALE(Y2, Y3, 0, Y10, Y11, Y0)
	SCALE(Y4, Y5, 32, Y10, Y11, Y1)
	ADDQ         $64, rW      // behind the scales
	ADDQ         $8, rG
	DECQ         rGroups
	JNZ          group
	VMOVUPS      Y0, (rOut)
	VMOVUPS      Y1, 32(rOut)
	VZEROUPPER
	RET

#define rStride R11
#define rGStride R12

// ROWS2 is ROWS for two tokens, whose activations are in Y12 and Y13.
#define ROWS2(off, acc, bcc) \
	VPMOVZXBW off(rW), Y14  \
	VPMADDWD  Y12, Y14, Y15 \
	VPADDD    Y15, acc, acc \
	VPMADDWD  Y13, Y14, Y15 \
	VPADDD    Y15, bcc, bcc

// int8sAVX2 is int8AVX2 for two tokens: the weights are widened once for both. The first
// token's sums are Y0 to Y3 and its out Y8 and Y9, the second's Y4 to Y7, Y10 and Y11.
//
// func int8sAVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)
TEXT ·int8sAVX2(SB), NOSPLIT, $0-72
	MOVQ x+16(FP), rX
	MOVQ xStride+24(FP), rStride
	MOVQ gr+32(FP), rG
	MOVQ gStride+40(FP), rGStride
	SHLQ $3, rGStride             // in bytes
	MOVQ w+48(FP), rW
	MOVQ groups+56(FP), rGroups
	MOVQ quads+64(FP), rQuads
	ZERO4(Y8, Y9, Y10, Y11)

group:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ  rQuads, rLeft

quad:
	VPBROADCASTD (rX), X12                // the first token's x[i][j][0:4], four times
	VPMOVSXBW    X12, Y12
	VPBROADCASTD (rX)(rStride*1), X13     // the second's
	VPMOVSXBW    X13, Y13
	ROWS2(0, Y0, Y4)
	ROWS2(16, Y1, Y5)
	ROWS2(32, Y2, Y6)
	ROWS2(48, Y3, Y7)
	ADDQ         $4, rX
	ADDQ         $64, rW
	DECQ         rLeft
	JNZ          quad
	VPBROADCASTD 4(rG), Y12
	VBROADCASTSS (rG), Y13
	SCALE(Y0, Y1, 0, Y12, Y13, Y8)
	SCALE(Y2, Y3, 32, Y12, Y13, Y9)
	VPBROADCASTD 4(rG)(rGStride*1), Y12
	VBROADCASTSS (rG)(rGStride*1), Y13
	SCALE(Y4, Y5, 0, Y12, Y13, Y10)
	SCALE(Y6, Y7, 32, Y12, Y13, Y11)
	ADDQ         $64, rW
	ADDQ         $8, rG
	DECQ         rGroups
	JNZ          group
	MOVQ         out+0(FP), rOut
	MOVQ         outStride+8(FP), rStride
	VMOVUPS      Y8, (rOut)
	VMOVUPS      Y9, 32(rOut)
	LEAQ         (rOut)(rStride*4), rOut
	VMOVUPS      Y10, (rOut)
	VMOVUPS      Y11, 32(rOut)
	VZEROUPPER
	RET

// func hasF16C() bool
TEXT ·hasF16C(SB), NOSPLIT, $0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $29, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
