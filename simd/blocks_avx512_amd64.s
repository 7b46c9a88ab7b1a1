#include "textflag.h"

// The products of a tile of blocks with one token for AVX-512 with VNNI. kernels_amd64.go says
// how to read this, blocks.go where everything is in a tile.

#define rOut DI
#define rX DX
#define rG BX
#define rSums R8
#define rW SI
#define rBlocks R9
#define rScales R10 // the integer scales of a group; for a type with minima these are 128 bytes behind
#define rLeft CX    // groups of a block

#define OUT Z0
#define MIN Z1    // the product of the minima
#define LOW Z2    // the sum of a group's products, of quads 0 to 3
#define HIGH Z3   // and of quads 4 to 7
#define SCALE Z4
#define D Z5
#define DMIN Z6
#define PLANE0 Z7
#define PLANE1 Z8
#define MASK0F Z31
#define MASKF0 Z30
#define MASK10 Z29
#define MASK30 Z28

// BEGIN reads the arguments and sets the constants.
#define BEGIN \
	MOVQ         out+0(FP), rOut    \
	MOVQ         x+8(FP), rX        \
	MOVQ         gr+16(FP), rG      \
	MOVQ         sums+24(FP), rSums \
	MOVQ         w+32(FP), rW       \
	MOVQ         blocks+40(FP), rBlocks \
	VPXORD       OUT, OUT, OUT      \
	VPXORD       MIN, MIN, MIN      \
	MOVL         $0x0f0f0f0f, AX    \
	VPBROADCASTD AX, MASK0F         \
	SHLL         $4, AX             \
	VPBROADCASTD AX, MASKF0         \
	MOVL         $0x10101010, AX    \
	VPBROADCASTD AX, MASK10         \
	MOVL         $0x30303030, AX    \
	VPBROADCASTD AX, MASK30

// NIBBLES adds the products of the 64 bytes at `at`: quads j, and j+4 times 16.
#define NIBBLES(at, j) \
	VMOVDQU32     at(rW), Z16               \
	VPANDD        Z16, MASK0F, Z17          \
	VPANDD        Z16, MASKF0, Z18          \
	VPDPBUSD.BCST (4*j)(rX), Z17, LOW       \
	VPDPBUSD.BCST (4*j+16)(rX), Z18, HIGH

// VALUES4 does it for a group of 4 bits at `at`. LOW and HIGH are their sums before.
#define VALUES4(at) \
	NIBBLES(at, 0)      \
	NIBBLES(at+64, 1)   \
	NIBBLES(at+128, 2)  \
	NIBBLES(at+192, 3)  \
	VPSRAD $4, HIGH, HIGH \
	VPADDD HIGH, LOW, LOW

// WITH adds a bit or two of each value: those of quad j are in plane when it is shifted left
// by low bits, of quad j+4 shifted right by high.
#define WITH(at, j, low, high, mask) \
	VMOVDQU32     at(rW), Z16                \
	VPANDD        Z16, MASK0F, Z17           \
	VPSRLD        $4, Z16, Z16               \
	VPANDD        Z16, MASK0F, Z18           \
	VPTERNLOGD    $0xF8, mask, low, Z17      \
	VPTERNLOGD    $0xF8, mask, high, Z18     \
	VPDPBUSD.BCST (4*j)(rX), Z17, LOW        \
	VPDPBUSD.BCST (4*j+16)(rX), Z18, HIGH

#define VALUES5(at) \
	VMOVDQU32 (at+256)(rW), PLANE0   \
	VPSLLD $4, PLANE0, Z20 \
	WITH(at, 0, Z20, PLANE0, MASK10) \
	VPSLLD $3, PLANE0, Z20 \
	VPSRLD $1, PLANE0, Z21 \
	WITH(at+64, 1, Z20, Z21, MASK10) \
	VPSLLD $2, PLANE0, Z20 \
	VPSRLD $2, PLANE0, Z21 \
	WITH(at+128, 2, Z20, Z21, MASK10) \
	VPSLLD $1, PLANE0, Z20 \
	VPSRLD $3, PLANE0, Z21 \
	WITH(at+192, 3, Z20, Z21, MASK10) \
	VPADDD HIGH, LOW, LOW

#define VALUES6(at) \
	VMOVDQU32 (at+256)(rW), PLANE0   \
	VMOVDQU32 (at+320)(rW), PLANE1   \
	VPSLLD $4, PLANE0, Z20 \
	VPSLLD $2, PLANE0, Z21 \
	WITH(at, 0, Z20, Z21, MASK30) \
	VPSRLD $2, PLANE0, Z21 \
	WITH(at+64, 1, PLANE0, Z21, MASK30) \
	VPSLLD $4, PLANE1, Z20 \
	VPSLLD $2, PLANE1, Z21 \
	WITH(at+128, 2, Z20, Z21, MASK30) \
	VPSRLD $2, PLANE1, Z21 \
	WITH(at+192, 3, PLANE1, Z21, MASK30)

#define BYTES(at, j) \
	VMOVDQU32     at(rW), Z16               \
	VMOVDQU32     (at+256)(rW), Z17         \
	VPDPBUSD.BCST (4*j)(rX), Z16, LOW       \
	VPDPBUSD.BCST (4*j+16)(rX), Z17, HIGH

#define VALUES8(at) \
	BYTES(at, 0)      \
	BYTES(at+64, 1)   \
	BYTES(at+128, 2)  \
	BYTES(at+192, 3)  \
	VPADDD HIGH, LOW, LOW

// ZERO starts the sums of a type without offset.
#define ZERO \
	VPXORD LOW, LOW, LOW \
	VPXORD HIGH, HIGH, HIGH

// HALVES sets a register to 16 halves.
#define HALVES(at, to) VCVTPH2PS at(rW), to

// INTEGERS sets a register to the products of a half and an integer of 8 bits.
#define UNSIGNED(at, d, to) \
	VPMOVZXBD at(rScales), to \
	VCVTDQ2PS to, to          \
	VMULPS    d, to, to

#define SIGNED(at, d, to) \
	VPMOVSXBD at(rScales), to \
	VCVTDQ2PS to, to          \
	VMULPS    d, to, to

// ADD ends a group: out += float32(sum) * scale * gr.Scale.
#define ADD(sum, g) \
	VCVTDQ2PS   sum, sum        \
	VMULPS      SCALE, sum, sum \
	VMULPS.BCST g(rG), sum, sum \
	VADDPS      sum, OUT, OUT

// ADDMIN adds to the product of the minima: min += m * sums.
#define ADDMIN(m) \
	VMULPS.BCST (rSums), m, m \
	VADDPS      m, MIN, MIN   \
	ADDQ        $4, rSums

// NEXT goes on to the next group.
#define NEXT(size) \
	ADDQ $32, rX   \
	ADDQ $8, rG    \
	ADDQ $size, rW

#define AHEAD PREFETCHT1 8192(rW)

// func q8_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q8_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	AHEAD
	VPBROADCASTD 4(rG), LOW
	VPXORD HIGH, HIGH, HIGH
	HALVES(0, SCALE)
	VALUES8(32)
	ADD(LOW, 0)
	NEXT(544)
	DECQ rBlocks
	JNZ  group
	VMOVUPS OUT, (rOut)
	VZEROUPPER
	RET

// func q4_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	AHEAD
	VPXORD LOW, LOW, LOW
	VPBROADCASTD 4(rG), HIGH
	HALVES(0, SCALE)
	VALUES4(32)
	ADD(LOW, 0)
	NEXT(288)
	DECQ rBlocks
	JNZ  group
	VMOVUPS OUT, (rOut)
	VZEROUPPER
	RET

// func q5_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_0AVX512(SB), NOSPLIT, $0-48
	BEGIN

group:
	AHEAD
	VPXORD HIGH, HIGH, HIGH
	VPBROADCASTD 4(rG), LOW
	VPSRAD $3, LOW, LOW
	HALVES(0, SCALE)
	VALUES5(32)
	ADD(LOW, 0)
	NEXT(352)
	DECQ rBlocks
	JNZ  group
	VMOVUPS OUT, (rOut)
	VZEROUPPER
	RET

// func q4_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	HALVES(0, D)
	HALVES(32, DMIN)
	LEAQ 64(rW), rScales
	ADDQ $320, rW
	MOVQ $8, rLeft

group:
	AHEAD
	ZERO
	VALUES4(0)
	UNSIGNED(0, D, SCALE)
	ADD(LOW, 0)
	UNSIGNED(128, DMIN, SCALE)
	ADDMIN(SCALE)
	ADDQ $16, rScales
	NEXT(256)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	VSUBPS MIN, OUT, OUT
	VMOVUPS OUT, (rOut)
	VZEROUPPER
	RET

// func q6_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q6_KAVX512(SB), NOSPLIT, $0-48
	BEGIN

block:
	HALVES(0, D)
	LEAQ 32(rW), rScales
	ADDQ $288, rW
	MOVQ $8, rLeft

group:
	AHEAD
	VPBROADCASTD 4(rG), LOW
	VPBROADCASTD 12(rG), HIGH
	VPSRAD $2, LOW, LOW
	VPSRAD $2, HIGH, HIGH
	VALUES6(0)
	SIGNED(0, D, SCALE)
	ADD(LOW, 0)
	SIGNED(16, D, SCALE)
	ADD(HIGH, 8)
	ADDQ $32, rScales
	ADDQ $8, rG
	NEXT(384)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	VMOVUPS OUT, (rOut)
	VZEROUPPER
	RET
