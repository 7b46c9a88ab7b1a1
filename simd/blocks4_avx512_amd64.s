#include "textflag.h"

// The products of a tile of blocks with two, three or four tokens, for AVX-512 with VNNI:
// blocks_avx512_amd64.s, which see, with values that are unpacked once. There are always four
// sums: of two tokens both are done twice, of three the second one.

#define rOut DI
#define rOut2 R12
#define rX DX      // activations of the first token; those of the second are rStride behind
#define rX2 R8     // and of the last but one
#define rStride R9
#define rG BX      // groups of these tokens, 2*rGroups apart
#define rG2 R10
#define rSums R11  // and sums, rGroups apart
#define rSums2 R13
#define rGroups R15 // 4 bytes for each group of a token
#define rW SI
#define rBlocks AX
#define rLeft CX

#define OUT0 Z0
#define OUT1 Z1
#define OUT2 Z2
#define OUT3 Z3
#define MIN0 Z4
#define MIN1 Z5
#define MIN2 Z6
#define MIN3 Z7
#define LOW0 Z8    // sums of a group's products, or of those with quads 0 to 3
#define LOW1 Z9
#define LOW2 Z10
#define LOW3 Z11
#define HIGH0 Z12  // and with quads 4 to 7
#define HIGH1 Z13
#define HIGH2 Z14
#define HIGH3 Z15
#define SCALE Z16
#define D Z17
#define DMIN Z18
#define V Z19      // values of quads j+4
#define T Z20      // and j
#define PLANE Z21
#define PLANE1 Z22
#define L Z23
#define H Z24
#define MASK0F Z29
#define MASK10 Z30
#define MASK30 Z31

// CONSTANT sets a register to 32 bits in every lane.
#define CONSTANT(bits, z) \
	MOVL         $bits, AX \
	VPBROADCASTD AX, z

// BEGIN reads the arguments and sets the constants. The last tokens are tokens-2 behind the first.
#define BEGIN \
	CONSTANT(0x0f0f0f0f, MASK0F) \
	CONSTANT(0x10101010, MASK10) \
	CONSTANT(0x30303030, MASK30) \
	MOVQ   tokens+72(FP), CX     \
	SUBQ   $2, CX                \
	MOVQ   out+0(FP), rOut       \
	MOVQ   outStride+8(FP), rOut2 \
	SHLQ   $2, rOut2             \
	IMULQ  CX, rOut2             \
	ADDQ   rOut, rOut2           \
	MOVQ   x+16(FP), rX          \
	MOVQ   xStride+24(FP), rStride \
	MOVQ   rStride, rX2          \
	IMULQ  CX, rX2               \
	ADDQ   rX, rX2               \
	MOVQ   groups+48(FP), rGroups \
	SHLQ   $2, rGroups           \
	IMULQ  rGroups, CX           \
	MOVQ   gr+32(FP), rG         \
	LEAQ   (rG)(CX*2), rG2       \
	MOVQ   sums+40(FP), rSums    \
	LEAQ   (rSums)(CX*1), rSums2 \
	MOVQ   w+56(FP), rW          \
	MOVQ   blocks+64(FP), rBlocks \
	CLEAR(OUT0, OUT1, OUT2, OUT3) \
	CLEAR(MIN0, MIN1, MIN2, MIN3)

#define CLEAR(a, b, c, d) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c \
	VPXORD d, d, d

// END writes the outputs: OUT - MIN, where MIN is 0 for types without minima.
#define END \
	MOVQ    outStride+8(FP), rStride \
	VSUBPS  MIN0, OUT0, OUT0         \
	VSUBPS  MIN1, OUT1, OUT1         \
	VSUBPS  MIN2, OUT2, OUT2         \
	VSUBPS  MIN3, OUT3, OUT3         \
	VMOVUPS OUT0, (rOut)             \
	VMOVUPS OUT1, (rOut)(rStride*4)  \
	VMOVUPS OUT2, (rOut2)            \
	VMOVUPS OUT3, (rOut2)(rStride*4) \
	VZEROUPPER                       \
	RET

// OFFSET sets sums to what takes off again that 128 >> shift was added to each value of the groups
// whose Bias is at `bias`.
#define OFFSET(a, b, c, d, bias, shift) \
	VPBROADCASTD bias(rG), a               \
	VPBROADCASTD bias(rG)(rGroups*2), b    \
	VPBROADCASTD bias(rG2), c              \
	VPBROADCASTD bias(rG2)(rGroups*2), d   \
	VPSRAD       $shift, a, a              \
	VPSRAD       $shift, b, b              \
	VPSRAD       $shift, c, c              \
	VPSRAD       $shift, d, d

// DOT adds the products of v with quad j.
#define DOT(j, v, a, b, c, d) \
	VPDPBUSD.BCST (4*j)(rX), v, a              \
	VPDPBUSD.BCST (4*j)(rX)(rStride*1), v, b   \
	VPDPBUSD.BCST (4*j)(rX2), v, c             \
	VPDPBUSD.BCST (4*j)(rX2)(rStride*1), v, d

#define DOTLOW(j, v) DOT(j, v, LOW0, LOW1, LOW2, LOW3)
#define DOTHIGH(j, v) DOT(j, v, HIGH0, HIGH1, HIGH2, HIGH3)

// VALUES4 and so on add the products of a group of 4, 5, 6 or 8 bits at `at` to LOW; those of quads
// 4 to 7 by `high`, which is DOTLOW or DOTHIGH.
#define VALUES4(at, high) \
	NIBBLES(at, 0, high)         \
	NIBBLES((at+64), 1, high)    \
	NIBBLES((at+128), 2, high)   \
	NIBBLES((at+192), 3, high)

#define NIBBLES(at, j, high) \
	VMOVDQU32 (at)(rW), V    \
	VPANDD    V, MASK0F, T   \
	VPSRLD    $4, V, V       \
	VPANDD    V, MASK0F, V   \
	DOTLOW(j, T)             \
	high((j+4), V)

#define VALUES5(at) \
	VMOVDQU32 (at)(rW), PLANE                  \
	VPSLLD    $4, PLANE, L                     \
	WITH((at+64), 0, L, PLANE, MASK10, DOTLOW) \
	VPSLLD    $3, PLANE, L                     \
	VPSRLD    $1, PLANE, H                     \
	WITH((at+128), 1, L, H, MASK10, DOTLOW)    \
	VPSLLD    $2, PLANE, L                     \
	VPSRLD    $2, PLANE, H                     \
	WITH((at+192), 2, L, H, MASK10, DOTLOW)    \
	VPSLLD    $1, PLANE, L                     \
	VPSRLD    $3, PLANE, H                     \
	WITH((at+256), 3, L, H, MASK10, DOTLOW)

#define VALUES6(at) \
	VMOVDQU32 (at)(rW), PLANE                     \
	VMOVDQU32 (at+64)(rW), PLANE1                 \
	VPSLLD    $4, PLANE, L                        \
	VPSLLD    $2, PLANE, H                        \
	WITH((at+128), 0, L, H, MASK30, DOTHIGH)      \
	VPSRLD    $2, PLANE, H                        \
	WITH((at+192), 1, PLANE, H, MASK30, DOTHIGH)  \
	VPSLLD    $4, PLANE1, L                       \
	VPSLLD    $2, PLANE1, H                       \
	WITH((at+256), 2, L, H, MASK30, DOTHIGH)      \
	VPSRLD    $2, PLANE1, H                       \
	WITH((at+320), 3, PLANE1, H, MASK30, DOTHIGH)

// WITH is NIBBLES with the bits of low and high that are in the mask: 0xF8 is a | b&c.
#define WITH(at, j, low, high, mask, to) \
	VMOVDQU32  (at)(rW), V             \
	VPANDD     V, MASK0F, T            \
	VPSRLD     $4, V, V                \
	VPANDD     V, MASK0F, V            \
	VPTERNLOGD $0xF8, mask, low, T     \
	VPTERNLOGD $0xF8, mask, high, V    \
	DOTLOW(j, T)                       \
	to((j+4), V)

#define VALUES8(at) \
	BYTES((at), 0)      \
	BYTES((at+64), 1)   \
	BYTES((at+128), 2)  \
	BYTES((at+192), 3)  \
	BYTES((at+256), 4)  \
	BYTES((at+320), 5)  \
	BYTES((at+384), 6)  \
	BYTES((at+448), 7)

#define BYTES(at, j) \
	VMOVDQU32 at(rW), V \
	DOTLOW(j, V)

// INTEGERS sets SCALE to the products of halves d and the integers at `at`; widen says whether
// these are signed.
#define INTEGERS(at, d, widen) \
	widen     at(rW), SCALE      \
	VCVTDQ2PS SCALE, SCALE       \
	VMULPS    d, SCALE, SCALE

// ADD ends sums: OUT += float32(sum) * SCALE * gr.Scale, which is at `scale`.
#define ADD(a, b, c, d, scale) \
	ADDONE(a, OUT0, scale(rG))             \
	ADDONE(b, OUT1, scale(rG)(rGroups*2))  \
	ADDONE(c, OUT2, scale(rG2))            \
	ADDONE(d, OUT3, scale(rG2)(rGroups*2))

#define ADDONE(sum, out, scale) \
	VCVTDQ2PS   sum, sum         \
	VMULPS      SCALE, sum, sum  \
	VMULPS.BCST scale, sum, sum  \
	VADDPS      sum, out, out

#define ADDLOW(scale) ADD(LOW0, LOW1, LOW2, LOW3, scale)
#define ADDHIGH(scale) ADD(HIGH0, HIGH1, HIGH2, HIGH3, scale)

// ADDMIN adds the products of the minima in SCALE with the sums at `sum`.
#define ADDMIN(sum) \
	ADDMINONE(MIN0, sum(rSums))             \
	ADDMINONE(MIN1, sum(rSums)(rGroups*1))  \
	ADDMINONE(MIN2, sum(rSums2))            \
	ADDMINONE(MIN3, sum(rSums2)(rGroups*1))

#define ADDMINONE(min, sum) \
	VMULPS.BCST sum, SCALE, T \
	VADDPS      T, min, min

// NEXT goes on to the next group, of which there is Group and sum n times. The lines of a group, a page
// ahead, are prefetched: beside the four streams of activations, the processor does not do so by itself
// (four tokens of a 1B model in Q4_K_M: 38 ms without, 27 ms with it).
#define NEXT(size, n) \
	PREFETCHT0 4096(rW)  \
	PREFETCHT0 4160(rW)  \
	PREFETCHT0 4224(rW)  \
	PREFETCHT0 4288(rW)  \
	PREFETCHT0 4352(rW)  \
	ADDQ $32, rX         \
	ADDQ $32, rX2        \
	ADDQ $(8*n), rG      \
	ADDQ $(8*n), rG2     \
	ADDQ $(4*n), rSums   \
	ADDQ $(4*n), rSums2  \
	ADDQ $size, rW

// BLOCK begins a block of 8 groups, with `head` bytes of halves.
#define BLOCK(head) \
	ADDQ $head, rW  \
	MOVQ $8, rLeft

// func q8_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q8_0x4AVX512(SB), NOSPLIT, $0-80
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	OFFSET(LOW0, LOW1, LOW2, LOW3, 4, 0)
	VALUES8(32)
	ADDLOW(0)
	NEXT(544, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_0x4AVX512(SB), NOSPLIT, $0-80
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	OFFSET(LOW0, LOW1, LOW2, LOW3, 4, 4)
	VALUES4(32, DOTLOW)
	ADDLOW(0)
	NEXT(288, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_1x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_1x4AVX512(SB), NOSPLIT, $0-80
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	CLEAR(LOW0, LOW1, LOW2, LOW3)
	VALUES4(64, DOTLOW)
	ADDLOW(0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0)
	NEXT(320, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q5_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_0x4AVX512(SB), NOSPLIT, $0-80
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	OFFSET(LOW0, LOW1, LOW2, LOW3, 4, 3)
	VALUES5(32)
	ADDLOW(0)
	NEXT(352, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q5_1x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_1x4AVX512(SB), NOSPLIT, $0-80
	BEGIN

group:
	VCVTPH2PS (rW), SCALE
	CLEAR(LOW0, LOW1, LOW2, LOW3)
	VALUES5(64)
	ADDLOW(0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0)
	NEXT(384, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q4_Kx4AVX512(SB), NOSPLIT, $0-80
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	CLEAR(LOW0, LOW1, LOW2, LOW3)
	VALUES4(32, DOTLOW)
	INTEGERS(0, D, VPMOVZXBD)
	ADDLOW(0)
	INTEGERS(16, DMIN, VPMOVZXBD)
	ADDMIN(0)
	NEXT(288, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END

// func q5_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q5_Kx4AVX512(SB), NOSPLIT, $0-80
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	CLEAR(LOW0, LOW1, LOW2, LOW3)
	VALUES5(32)
	INTEGERS(0, D, VPMOVZXBD)
	ADDLOW(0)
	INTEGERS(16, DMIN, VPMOVZXBD)
	ADDMIN(0)
	NEXT(352, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END

// q6_Kx4AVX512 is for Q3_K, too. The groups of activations are those of 16.
//
// func q6_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q6_Kx4AVX512(SB), NOSPLIT, $0-80
	BEGIN

block:
	VCVTPH2PS (rW), D
	BLOCK(32)

group:
	OFFSET(LOW0, LOW1, LOW2, LOW3, 4, 2)
	OFFSET(HIGH0, HIGH1, HIGH2, HIGH3, 12, 2)
	VALUES6(32)
	INTEGERS(0, D, VPMOVSXBD)
	ADDLOW(0)
	INTEGERS(16, D, VPMOVSXBD)
	ADDHIGH(8)
	NEXT(416, 2)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END

// func q2_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·q2_Kx4AVX512(SB), NOSPLIT, $0-80
	BEGIN

block:
	VCVTPH2PS (rW), D
	VCVTPH2PS 32(rW), DMIN
	BLOCK(64)

group:
	CLEAR(LOW0, LOW1, LOW2, LOW3)
	CLEAR(HIGH0, HIGH1, HIGH2, HIGH3)
	VALUES4(64, DOTHIGH)
	INTEGERS(0, D, VPMOVZXBD)
	ADDLOW(0)
	INTEGERS(16, D, VPMOVZXBD)
	ADDHIGH(8)
	INTEGERS(32, DMIN, VPMOVZXBD)
	ADDMIN(0)
	INTEGERS(48, DMIN, VPMOVZXBD)
	ADDMIN(4)
	NEXT(320, 2)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END

// func iq4_XSx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
TEXT ·iq4_XSx4AVX512(SB), NOSPLIT, $0-80
	BEGIN

block:
	VCVTPH2PS (rW), D
	BLOCK(32)

group:
	OFFSET(LOW0, LOW1, LOW2, LOW3, 4, 0)
	VALUES8(16)
	INTEGERS(0, D, VPMOVSXBD)
	ADDLOW(0)
	NEXT(528, 1)
	DECQ      rLeft
	JNZ       group
	DECQ      rBlocks
	JNZ       block
	END
