#include "textflag.h"

// The products of a tile of blocks with two, three or four tokens, for AVX2: blocks_avx2_amd64.s,
// which see, with values that are unpacked once. There are always four sums: of two tokens both are
// done twice, of three the second one. A register holds eight rows. Quads 0 to 3 of a group are done
// first, then 4 to 7, so that the sums of four tokens fit into registers.

#define rX DX        // activations of the first token; those of the second are rStride behind
#define rX2 R8       // and of the last but one
#define rStride R9
#define rG BX        // groups of these tokens, 2*rGroups apart
#define rG2 R10
#define rSums R11    // and sums, rGroups apart
#define rSums2 R12
#define rGroups R13  // 4 bytes for each group of a token
#define rW SI
#define rBlocks DI
#define rHalves R15
#define rLeft CX

#define A0 Y0 // sums in 16 bits, a token each
#define A1 Y1
#define A2 Y2
#define A3 Y3
#define B0 Y4 // sums in 32 bits
#define B1 Y5
#define B2 Y6
#define B3 Y7
#define V Y8
#define X Y9
#define P Y10
#define PLANE Y11
#define SCALE Y12
#define ONES Y13
#define MASK Y14
#define MASK0F Y15

// CONSTANT sets a register to 32 bits in every lane; x is its lower half.
#define CONSTANT(bits, x, y) \
	MOVL         $bits, AX \
	VMOVD        AX, x     \
	VPBROADCASTD x, y

// OUT and MIN are the outputs and the products of the minima, in memory: token t's 16 rows are
// 64*t bytes behind.
#define OUT(at) sum-512+(at)(SP)
#define MIN(at) sum-256+(at)(SP)

// BEGIN reads the arguments, and sets the constants, OUT and MIN. The last tokens are tokens-2
// behind the first.
#define BEGIN(mask) \
	MOVQ   tokens+72(FP), CX              \
	SUBQ   $2, CX                         \
	MOVQ   x+16(FP), rX                   \
	MOVQ   xStride+24(FP), rStride        \
	MOVQ   rStride, rX2                   \
	IMULQ  CX, rX2                        \
	ADDQ   rX, rX2                        \
	MOVQ   groups+48(FP), rGroups         \
	SHLQ   $2, rGroups                    \
	IMULQ  rGroups, CX                    \
	MOVQ   gr+32(FP), rG                  \
	LEAQ   (rG)(CX*2), rG2                \
	MOVQ   sums+40(FP), rSums             \
	LEAQ   (rSums)(CX*1), rSums2          \
	MOVQ   w+56(FP), rW                   \
	MOVQ   blocks+64(FP), rBlocks         \
	CONSTANT(0x00010001, X13, ONES)       \
	CONSTANT(mask, X14, MASK)             \
	CONSTANT(0x0f0f0f0f, X15, MASK0F)     \
	VXORPS X, X, X                        \
	CLEAR(0)                              \
	CLEAR(64)                             \
	CLEAR(128)                            \
	CLEAR(192)

#define CLEAR(at) \
	VMOVUPS X, OUT(at)      \
	VMOVUPS X, OUT((at+32)) \
	VMOVUPS X, MIN(at)      \
	VMOVUPS X, MIN((at+32))

// END writes the outputs: OUT - MIN, where MIN is 0 for types without minima.
#define END \
	MOVQ  outStride+8(FP), rStride \
	SHLQ  $2, rStride              \
	MOVQ  out+0(FP), rX            \
	MOVQ  tokens+72(FP), rX2       \
	SUBQ  $2, rX2                  \
	IMULQ rStride, rX2             \
	ADDQ  rX, rX2                  \
	WRITE(0, rX)                   \
	ADDQ  rStride, rX              \
	WRITE(64, rX)                  \
	WRITE(128, rX2)                \
	ADDQ  rStride, rX2             \
	WRITE(192, rX2)                \
	VZEROUPPER                     \
	RET

#define WRITE(at, to) \
	VMOVUPS OUT(at), Y0          \
	VMOVUPS OUT((at+32)), Y1     \
	VSUBPS  MIN(at), Y0, Y0      \
	VSUBPS  MIN((at+32)), Y1, Y1 \
	VMOVUPS Y0, (to)             \
	VMOVUPS Y1, 32(to)

// NIBBLE sets V to the low 4 bits of the 32 bytes at `at`, UPPER to the high ones.
#define NIBBLE(at) \
	VPAND (at)(rW), MASK0F, V

#define UPPER(at) \
	VMOVDQU (at)(rW), V  \
	VPSRLW  $4, V, V     \
	VPAND   MASK0F, V, V

// WITH sets bits of V: those of PLANE, shifted, that are in MASK.
#define WITH(shift, n) \
	shift $n, PLANE, X \
	VPAND MASK, X, X   \
	VPOR  X, V, V

// FIRST sets A0 to A3 to the products of V with quad j; MORE adds them.
#define FIRST(j) \
	VPBROADCASTD (4*j)(rX), X             \
	VPMADDUBSW   X, V, A0                 \
	VPBROADCASTD (4*j)(rX)(rStride*1), X  \
	VPMADDUBSW   X, V, A1                 \
	VPBROADCASTD (4*j)(rX2), X            \
	VPMADDUBSW   X, V, A2                 \
	VPBROADCASTD (4*j)(rX2)(rStride*1), X \
	VPMADDUBSW   X, V, A3

#define MORE(j) \
	VPBROADCASTD (4*j)(rX), X             \
	VPMADDUBSW   X, V, P                  \
	VPADDW       P, A0, A0                \
	VPBROADCASTD (4*j)(rX)(rStride*1), X  \
	VPMADDUBSW   X, V, P                  \
	VPADDW       P, A1, A1                \
	VPBROADCASTD (4*j)(rX2), X            \
	VPMADDUBSW   X, V, P                  \
	VPADDW       P, A2, A2                \
	VPBROADCASTD (4*j)(rX2)(rStride*1), X \
	VPMADDUBSW   X, V, P                  \
	VPADDW       P, A3, A3

// WIDEN sets B0 to B3 to A0 to A3 in 32 bits; ADDWIDE adds them.
#define WIDEN \
	VPMADDWD ONES, A0, B0 \
	VPMADDWD ONES, A1, B1 \
	VPMADDWD ONES, A2, B2 \
	VPMADDWD ONES, A3, B3

#define ADDWIDE \
	VPMADDWD ONES, A0, P \
	VPADDD   P, B0, B0   \
	VPMADDWD ONES, A1, P \
	VPADDD   P, B1, B1   \
	VPMADDWD ONES, A2, P \
	VPADDD   P, B2, B2   \
	VPMADDWD ONES, A3, P \
	VPADDD   P, B3, B3

// LOW4 and so on set B0 to B3 to the products with quads 0 to 3, HIGH4 those with quads 4 to 7;
// VALUES4 and so on to those with all.
#define LOW4(at) \
	NIBBLE(at)       \
	FIRST(0)         \
	NIBBLE((at+64))  \
	MORE(1)          \
	NIBBLE((at+128)) \
	MORE(2)          \
	NIBBLE((at+192)) \
	MORE(3)

#define HIGH4(at, first) \
	UPPER(at)       \
	first(4)        \
	UPPER((at+64))  \
	MORE(5)         \
	UPPER((at+128)) \
	MORE(6)         \
	UPPER((at+192)) \
	MORE(7)

#define VALUES4(at) \
	LOW4(at)        \
	HIGH4(at, MORE) \
	WIDEN

#define VALUES5(at) \
	VMOVDQU (at)(rW), PLANE \
	NIBBLE((at+64))         \
	WITH(VPSLLW, 4)         \
	FIRST(0)                \
	NIBBLE((at+128))        \
	WITH(VPSLLW, 3)         \
	MORE(1)                 \
	NIBBLE((at+192))        \
	WITH(VPSLLW, 2)         \
	MORE(2)                 \
	NIBBLE((at+256))        \
	WITH(VPSLLW, 1)         \
	MORE(3)                 \
	WIDEN                   \
	UPPER((at+64))          \
	WITH(VPSRLW, 0)         \
	FIRST(4)                \
	UPPER((at+128))         \
	WITH(VPSRLW, 1)         \
	MORE(5)                 \
	UPPER((at+192))         \
	WITH(VPSRLW, 2)         \
	MORE(6)                 \
	UPPER((at+256))         \
	WITH(VPSRLW, 3)         \
	MORE(7)                 \
	ADDWIDE

#define LOW6(at) \
	VMOVDQU (at)(rW), PLANE    \
	NIBBLE((at+128))           \
	WITH(VPSLLW, 4)            \
	FIRST(0)                   \
	NIBBLE((at+192))           \
	WITH(VPSLLW, 0)            \
	MORE(1)                    \
	WIDEN                      \
	VMOVDQU (at+64)(rW), PLANE \
	NIBBLE((at+256))           \
	WITH(VPSLLW, 4)            \
	FIRST(2)                   \
	NIBBLE((at+320))           \
	WITH(VPSLLW, 0)            \
	MORE(3)                    \
	ADDWIDE

#define HIGH6(at) \
	VMOVDQU (at)(rW), PLANE    \
	UPPER((at+128))            \
	WITH(VPSLLW, 2)            \
	FIRST(4)                   \
	UPPER((at+192))            \
	WITH(VPSRLW, 2)            \
	MORE(5)                    \
	WIDEN                      \
	VMOVDQU (at+64)(rW), PLANE \
	UPPER((at+256))            \
	WITH(VPSLLW, 2)            \
	FIRST(6)                   \
	UPPER((at+320))            \
	WITH(VPSRLW, 2)            \
	MORE(7)                    \
	ADDWIDE

#define VALUES8(at) \
	VPXOR B0, B0, B0    \
	VPXOR B1, B1, B1    \
	VPXOR B2, B2, B2    \
	VPXOR B3, B3, B3    \
	BYTES((at), 0)      \
	BYTES((at+64), 1)   \
	BYTES((at+128), 2)  \
	BYTES((at+192), 3)  \
	BYTES((at+256), 4)  \
	BYTES((at+320), 5)  \
	BYTES((at+384), 6)  \
	BYTES((at+448), 7)

// BYTES: absolute values, and activations with the signs of the values.
#define BYTES(at, j) \
	VPXOR  at(rW), MASK, V                \
	VPABSB V, A0                          \
	VPBROADCASTD (4*j)(rX), X             \
	SIGNED(B0)                            \
	VPBROADCASTD (4*j)(rX)(rStride*1), X  \
	SIGNED(B1)                            \
	VPBROADCASTD (4*j)(rX2), X            \
	SIGNED(B2)                            \
	VPBROADCASTD (4*j)(rX2)(rStride*1), X \
	SIGNED(B3)

#define SIGNED(sum) \
	VPSIGNB    V, X, X      \
	VPMADDUBSW X, A0, P     \
	VPMADDWD   ONES, P, P   \
	VPADDD     P, sum, sum

// INTEGERS sets SCALE to the products of the halves at `halves` and the integers at `at`.
#define INTEGERS(halves, at, widen) \
	VCVTPH2PS halves(rHalves), X \
	widen     at(rW), SCALE      \
	VCVTDQ2PS SCALE, SCALE       \
	VMULPS    X, SCALE, SCALE

// TAKE takes off that 128 >> shift was added to each value of the groups whose Bias is at `bias`.
#define TAKE(bias, shift) \
	OFFSET(B0, bias(rG), shift)            \
	OFFSET(B1, bias(rG)(rGroups*2), shift) \
	OFFSET(B2, bias(rG2), shift)           \
	OFFSET(B3, bias(rG2)(rGroups*2), shift)

#define OFFSET(sum, bias, shift) \
	VPBROADCASTD bias, X      \
	VPSRAD       $shift, X, X \
	VPADDD       X, sum, sum

// ADD ends a sum of all tokens: OUT += float32(sum) * SCALE * gr.Scale, which is at `scale`; half
// is 0 or, for rows 8 to 15, 32.
#define ADD(scale, half) \
	ADDONE(B0, scale(rG), half)                 \
	ADDONE(B1, scale(rG)(rGroups*2), (half+64)) \
	ADDONE(B2, scale(rG2), (half+128))          \
	ADDONE(B3, scale(rG2)(rGroups*2), (half+192))

#define ADDONE(sum, scale, at) \
	VCVTDQ2PS    sum, sum          \
	VMULPS       SCALE, sum, sum   \
	VBROADCASTSS scale, X          \
	VMULPS       X, sum, sum       \
	VADDPS       OUT(at), sum, sum \
	VMOVUPS      sum, OUT(at)

// ADDMIN adds the products of the minima in SCALE with the sums at `sum`.
#define ADDMIN(sum, half) \
	ADDMINONE(sum(rSums), half)                 \
	ADDMINONE(sum(rSums)(rGroups*1), (half+64)) \
	ADDMINONE(sum(rSums2), (half+128))          \
	ADDMINONE(sum(rSums2)(rGroups*1), (half+192))

#define ADDMINONE(sum, at) \
	VBROADCASTSS sum, X       \
	VMULPS       X, SCALE, X  \
	VADDPS       MIN(at), X, X \
	VMOVUPS      X, MIN(at)

// NEXT goes on to the next group, of which there is Group and sum n times.
#define NEXT(size, n) \
	ADDQ $32, rX         \
	ADDQ $32, rX2        \
	ADDQ $(8*n), rG      \
	ADDQ $(8*n), rG2     \
	ADDQ $(4*n), rSums   \
	ADDQ $(4*n), rSums2  \
	ADDQ $size, rW

// BLOCK begins a block of 8 groups, with `head` bytes of halves.
#define BLOCK(head) \
	MOVQ rW, rHalves \
	ADDQ $head, rW   \
	MOVQ $8, rLeft

// func q8_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q8_0x4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x80808080)

group:
	VALUES8(32)
	VCVTPH2PS (rW), SCALE
	ADD(0, 0)
	VALUES8(64)
	VCVTPH2PS 16(rW), SCALE
	ADD(0, 32)
	NEXT(544, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_0x4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0)

group:
	VALUES4(32)
	TAKE(4, 4)
	VCVTPH2PS (rW), SCALE
	ADD(0, 0)
	VALUES4(64)
	TAKE(4, 4)
	VCVTPH2PS 16(rW), SCALE
	ADD(0, 32)
	NEXT(288, 1)
	DECQ      rBlocks
	JNZ       group
	END

// ROWSMIN is eight rows of a group of Q4_1 or Q5_1.
#define ROWSMIN(values, half) \
	values((64+half))                \
	VCVTPH2PS (half/2)(rW), SCALE    \
	ADD(0, half)                     \
	VCVTPH2PS (half/2+32)(rW), SCALE \
	ADDMIN(0, half)

// func q4_1x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_1x4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0)

group:
	ROWSMIN(VALUES4, 0)
	ROWSMIN(VALUES4, 32)
	NEXT(320, 1)
	DECQ rBlocks
	JNZ  group
	END

// func q5_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_0x4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x10101010)

group:
	VALUES5(32)
	TAKE(4, 3)
	VCVTPH2PS (rW), SCALE
	ADD(0, 0)
	VALUES5(64)
	TAKE(4, 3)
	VCVTPH2PS 16(rW), SCALE
	ADD(0, 32)
	NEXT(352, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q5_1x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_1x4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x10101010)

group:
	ROWSMIN(VALUES5, 0)
	ROWSMIN(VALUES5, 32)
	NEXT(384, 1)
	DECQ rBlocks
	JNZ  group
	END

// ROWSK is eight rows of a group of Q4_K or Q5_K.
#define ROWSK(values, half) \
	values((32+half))                              \
	INTEGERS((half/2), (half/4), VPMOVZXBD)        \
	ADD(0, half)                                   \
	INTEGERS((half/2+32), (half/4+16), VPMOVZXBD)  \
	ADDMIN(0, half)

// func q4_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_Kx4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0)

block:
	BLOCK(64)

group:
	ROWSK(VALUES4, 0)
	ROWSK(VALUES4, 32)
	NEXT(288, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END

// func q5_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_Kx4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x10101010)

block:
	BLOCK(64)

group:
	ROWSK(VALUES5, 0)
	ROWSK(VALUES5, 32)
	NEXT(352, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END

#define ROWS6K(half) \
	LOW6((32+half))                              \
	TAKE(4, 2)                                   \
	INTEGERS((half/2), (half/4), VPMOVSXBD)      \
	ADD(0, half)                                 \
	HIGH6((32+half))                             \
	TAKE(12, 2)                                  \
	INTEGERS((half/2), (half/4+16), VPMOVSXBD)   \
	ADD(8, half)

// q6_Kx4AVX2 is for Q3_K, too. The groups of activations are those of 16.
//
// func q6_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q6_Kx4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x30303030)

block:
	BLOCK(32)

group:
	ROWS6K(0)
	ROWS6K(32)
	NEXT(416, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END

#define ROWS2K(half) \
	LOW4((64+half))                                \
	WIDEN                                          \
	INTEGERS((half/2), (half/4), VPMOVZXBD)        \
	ADD(0, half)                                   \
	HIGH4((64+half), FIRST)                        \
	WIDEN                                          \
	INTEGERS((half/2), (half/4+16), VPMOVZXBD)     \
	ADD(8, half)                                   \
	INTEGERS((half/2+32), (half/4+32), VPMOVZXBD)  \
	ADDMIN(0, half)                                \
	INTEGERS((half/2+32), (half/4+48), VPMOVZXBD)  \
	ADDMIN(4, half)

// func q2_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q2_Kx4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0)

block:
	BLOCK(64)

group:
	ROWS2K(0)
	ROWS2K(32)
	NEXT(320, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END

// func iq4_XSx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·iq4_XSx4AVX2(SB), NOSPLIT, $512-80
	BEGIN(0x80808080)

block:
	BLOCK(32)

group:
	VALUES8(16)
	INTEGERS(0, 0, VPMOVSXBD)
	ADD(0, 0)
	VALUES8(48)
	INTEGERS(16, 8, VPMOVSXBD)
	ADD(0, 32)
	NEXT(528, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END
