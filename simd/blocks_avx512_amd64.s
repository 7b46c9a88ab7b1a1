#include "textflag.h"

// The products of a tile of blocks with one token, for AVX-512 with VNNI. kernels_amd64.go says
// how to read this, blocks.go where everything is in a tile.

#define rOut DI
#define rX DX
#define rG BX
#define rSums R8
#define rW SI       // the values of a group
#define rBlocks R9
#define rLeft CX    // groups of a block

#define OUT Z0
#define MIN Z1     // the product of the minima
#define LOW Z2     // the sum of a group's products with quads 0 to 3
#define HIGH Z3    // and with quads 4 to 7
#define SCALE Z4
#define D Z5
#define DMIN Z6
#define PLANE Z7
#define PLANE1 Z8
#define V Z9
#define T Z10
#define L Z11
#define H Z12
#define MASK0F Z28
#define MASKF0 Z29
#define MASK10 Z30
#define MASK30 Z31

// CONSTANT sets a register to 32 bits in every lane.
#define CONSTANT(bits, z) \
	MOVL         $bits, AX \
	VPBROADCASTD AX, z

// BEGIN reads the arguments and sets the constants.
#define BEGIN \
	MOVQ   out+0(FP), rOut      \
	MOVQ   x+8(FP), rX          \
	MOVQ   gr+16(FP), rG        \
	MOVQ   sums+24(FP), rSums   \
	MOVQ   w+32(FP), rW         \
	MOVQ   blocks+40(FP), rBlocks \
	VPXORD OUT, OUT, OUT        \
	VPXORD MIN, MIN, MIN        \
	CONSTANT(0x0f0f0f0f, MASK0F) \
	CONSTANT(0xf0f0f0f0, MASKF0) \
	CONSTANT(0x10101010, MASK10) \
	CONSTANT(0x30303030, MASK30)

#define END \
	VMOVUPS OUT, (rOut) \
	VZEROUPPER          \
	RET

// ENDMIN is END for a type that has minima.
#define ENDMIN \
	VSUBPS MIN, OUT, OUT \
	END

// ZERO and OFFSET begin a sum: with 0, or with what takes off again that 128 >> shift was added
// to each value of the group whose Bias is at `bias`.
#define ZERO(sum) VPXORD sum, sum, sum

#define OFFSET(sum, bias, shift) \
	VPBROADCASTD bias(rG), sum \
	VPSRAD       $shift, sum, sum

// VALUES4 adds the products of a group of 4 bits at `at` to LOW, and 16 times those of quads 4 to
// 7 to HIGH; after it, HIGH is shifted back.
#define VALUES4(at) \
	NIBBLES(at, 0)         \
	NIBBLES((at+64), 1)    \
	NIBBLES((at+128), 2)   \
	NIBBLES((at+192), 3)   \
	VPSRAD $4, HIGH, HIGH

#define NIBBLES(at, j) \
	VMOVDQU32     (at)(rW), V      \
	VPANDD        V, MASK0F, T     \
	VPANDD        V, MASKF0, V     \
	VPDPBUSD.BCST (4*j)(rX), T, LOW \
	VPDPBUSD.BCST (4*j+16)(rX), V, HIGH

// VALUES5 and VALUES6 add the products of a group of 5 or 6 bits.
#define VALUES5(at) \
	VMOVDQU32 (at)(rW), PLANE            \
	VPSLLD    $4, PLANE, L               \
	WITH((at+64), 0, L, PLANE, MASK10)   \
	VPSLLD    $3, PLANE, L               \
	VPSRLD    $1, PLANE, H               \
	WITH((at+128), 1, L, H, MASK10)      \
	VPSLLD    $2, PLANE, L               \
	VPSRLD    $2, PLANE, H               \
	WITH((at+192), 2, L, H, MASK10)      \
	VPSLLD    $1, PLANE, L               \
	VPSRLD    $3, PLANE, H               \
	WITH((at+256), 3, L, H, MASK10)

#define VALUES6(at) \
	VMOVDQU32 (at)(rW), PLANE            \
	VMOVDQU32 (at+64)(rW), PLANE1        \
	VPSLLD    $4, PLANE, L               \
	VPSLLD    $2, PLANE, H               \
	WITH((at+128), 0, L, H, MASK30)      \
	VPSRLD    $2, PLANE, H               \
	WITH((at+192), 1, PLANE, H, MASK30)  \
	VPSLLD    $4, PLANE1, L              \
	VPSLLD    $2, PLANE1, H              \
	WITH((at+256), 2, L, H, MASK30)      \
	VPSRLD    $2, PLANE1, H              \
	WITH((at+320), 3, PLANE1, H, MASK30)

// WITH is NIBBLES with the bits of low and high that are in the mask: 0xF8 is a | b&c.
#define WITH(at, j, low, high, mask) \
	VMOVDQU32     (at)(rW), V              \
	VPANDD        V, MASK0F, T             \
	VPSRLD        $4, V, V                 \
	VPANDD        V, MASK0F, V             \
	VPTERNLOGD    $0xF8, mask, low, T      \
	VPTERNLOGD    $0xF8, mask, high, V     \
	VPDPBUSD.BCST (4*j)(rX), T, LOW        \
	VPDPBUSD.BCST (4*j+16)(rX), V, HIGH

// VALUES8 adds the products of a group of 8 bits.
#define VALUES8(at) \
	BYTES((at), 0, LOW)     \
	BYTES((at+64), 1, LOW)  \
	BYTES((at+128), 2, LOW) \
	BYTES((at+192), 3, LOW) \
	BYTES((at+256), 4, HIGH) \
	BYTES((at+320), 5, HIGH) \
	BYTES((at+384), 6, HIGH) \
	BYTES((at+448), 7, HIGH)

#define BYTES(at, j, sum) \
	VMOVDQU32     at(rW), V      \
	VPDPBUSD.BCST (4*j)(rX), V, sum

// INTEGERS sets SCALE to the products of halves d and the integers at `at`; widen says whether
// these are signed.
#define INTEGERS(at, d, widen) \
	widen     at(rW), SCALE \
	VCVTDQ2PS SCALE, SCALE       \
	VMULPS    d, SCALE, SCALE

// BOTH sets LOW to LOW + HIGH: they have the same scale.
#define BOTH VPADDD HIGH, LOW, LOW

// ADD ends a sum: out += float32(sum) * SCALE * gr.Scale, which is at `scale`.
#define ADD(sum, scale) \
	VCVTDQ2PS   sum, sum            \
	VMULPS      SCALE, sum, sum     \
	VMULPS.BCST scale(rG), sum, sum \
	VADDPS      sum, OUT, OUT

// ADDMIN adds the product of the minima in SCALE with the sum at `sum`.
#define ADDMIN(sum) \
	VMULPS.BCST sum(rSums), SCALE, SCALE \
	VADDPS      SCALE, MIN, MIN

// NEXT goes on to the next group, of which there is Group and sum n times. A cache line two
// pages ahead is prefetched, as in int8AVX512.
#define NEXT(size, n) \
	PREFETCHT1 8192(rW)   \
	ADDQ $32, rX          \
	ADDQ $(8*n), rG       \
	ADDQ $(4*n), rSums    \
	ADDQ $size, rW

// BLOCK begins a block of 8 groups, with `head` bytes of halves.
#define BLOCK(head) \
	ADDQ $head, rW           \
	MOVQ $8, rLeft

// The twins of all these are in MatMulBlocks, which see.

// func q8_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q8_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	OFFSET(LOW, 4, 0)
	ZERO(HIGH)
	VALUES8(32)
	BOTH
	ADD(LOW, 0)
	NEXT(544, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	ZERO(LOW)
	OFFSET(HIGH, 4, 0)    // which VALUES4 shifts
	VALUES4(32)
	BOTH
	ADD(LOW, 0)
	NEXT(288, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_1AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_1AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	ZERO(LOW)
	ZERO(HIGH)
	VALUES4(64)
	BOTH
	ADD(LOW, 0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0)
	NEXT(320, 1)
	DECQ      rBlocks
	JNZ       group
	ENDMIN

// func q5_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	OFFSET(LOW, 4, 3)
	ZERO(HIGH)
	VALUES5(32)
	BOTH
	ADD(LOW, 0)
	NEXT(352, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q5_1AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_1AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	ZERO(LOW)
	ZERO(HIGH)
	VALUES5(64)
	BOTH
	ADD(LOW, 0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0)
	NEXT(384, 1)
	DECQ      rBlocks
	JNZ       group
	ENDMIN

// func q4_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	ZERO(LOW)
	ZERO(HIGH)
	VALUES4(32)
	BOTH
	INTEGERS(0, D, VPMOVZXBD)
	ADD(LOW, 0)
	INTEGERS(16, DMIN, VPMOVZXBD)
	ADDMIN(0)
	NEXT(288, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	ENDMIN

// func q5_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	ZERO(LOW)
	ZERO(HIGH)
	VALUES5(32)
	BOTH
	INTEGERS(0, D, VPMOVZXBD)
	ADD(LOW, 0)
	INTEGERS(16, DMIN, VPMOVZXBD)
	ADDMIN(0)
	NEXT(352, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	ENDMIN

// q6_KAVX512 is for Q3_K, too. The groups of activations are those of 16.
//
// func q6_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q6_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	VCVTPH2PS (rW), D
	BLOCK(32)

group:
	OFFSET(LOW, 4, 2)
	OFFSET(HIGH, 12, 2)
	VALUES6(32)
	INTEGERS(0, D, VPMOVSXBD)
	ADD(LOW, 0)
	INTEGERS(16, D, VPMOVSXBD)
	ADD(HIGH, 8)
	NEXT(416, 2)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END

// func q2_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q2_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	ZERO(LOW)
	ZERO(HIGH)
	VALUES4(64)
	INTEGERS(0, D, VPMOVZXBD)
	ADD(LOW, 0)
	INTEGERS(16, D, VPMOVZXBD)
	ADD(HIGH, 8)
	INTEGERS(32, DMIN, VPMOVZXBD)
	ADDMIN(0)
	INTEGERS(48, DMIN, VPMOVZXBD)
	ADDMIN(4)
	NEXT(320, 2)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	ENDMIN

// func iq4_XSAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·iq4_XSAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	VCVTPH2PS (rW), D
	BLOCK(32)

group:
	OFFSET(LOW, 4, 0)
	ZERO(HIGH)
	VALUES8(16)
	BOTH
	INTEGERS(0, D, VPMOVSXBD)
	ADD(LOW, 0)
	NEXT(528, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END
