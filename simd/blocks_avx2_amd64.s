#include "textflag.h"

// The products of a tile of blocks with one token, for AVX2. kernels_amd64.go says how to read
// this, blocks.go where everything is in a tile.
//
// A register holds eight rows: those from 0 to 7 of all that is in a group are done first, then 8
// to 15. VPMADDUBSW multiplies unsigned bytes (weights) by signed ones and adds two neighbouring
// products, in 16 bits. Activations are -127 to 127, so that 8 such sums can be added in 16 bits
// for weights of 4 bits, 4 of 5 bits, 2 of 6 bits; then VPMADDWD with ones adds the two sums of
// a row, in 32.

#define rOut DI
#define rX DX
#define rG BX
#define rSums R8
#define rW SI       // the values of a group
#define rBlocks R9
#define rHalves R11 // the halves of a block of 256 columns
#define rLeft CX    // groups of a block

#define OUT0 Y0   // rows 0 to 7
#define OUT1 Y1
#define MIN0 Y2   // the product of the minima
#define MIN1 Y3
#define LOW Y4    // the sum of a group's products with quads 0 to 3
#define HIGH Y5   // and with quads 4 to 7
#define SCALE Y6
#define V Y7
#define T Y8
#define X Y9
#define PLANE Y10
#define LOW1 Y11
#define HIGH1 Y12
#define ONES Y13
#define MASK Y14  // of the bits of a plane, or what is added to values of 8 bits
#define MASK0F Y15

// CONSTANT sets a register to 32 bits in every lane; x is its lower half.
#define CONSTANT(bits, x, y) \
	MOVL         $bits, AX \
	VMOVD        AX, x     \
	VPBROADCASTD x, y

// BEGIN reads the arguments and sets the constants.
#define BEGIN(mask) \
	MOVQ   out+0(FP), rOut            \
	MOVQ   x+8(FP), rX                \
	MOVQ   gr+16(FP), rG              \
	MOVQ   sums+24(FP), rSums         \
	MOVQ   w+32(FP), rW               \
	MOVQ   blocks+40(FP), rBlocks     \
	VXORPS OUT0, OUT0, OUT0           \
	VXORPS OUT1, OUT1, OUT1           \
	VXORPS MIN0, MIN0, MIN0           \
	VXORPS MIN1, MIN1, MIN1           \
	CONSTANT(0x00010001, X13, ONES)   \
	CONSTANT(mask, X14, MASK)         \
	CONSTANT(0x0f0f0f0f, X15, MASK0F)

#define END \
	VMOVUPS OUT0, (rOut)   \
	VMOVUPS OUT1, 32(rOut) \
	VZEROUPPER             \
	RET

// ENDMIN is END for a type that has minima.
#define ENDMIN \
	VSUBPS MIN0, OUT0, OUT0 \
	VSUBPS MIN1, OUT1, OUT1 \
	END

// SPLIT sets T to the low and V to the high 4 bits of the 32 bytes at `at`.
#define SPLIT(at) \
	VMOVDQU (at)(rW), V  \
	VPAND   MASK0F, V, T \
	VPSRLW  $4, V, V     \
	VPAND   MASK0F, V, V

// WITH sets bits of the values v: those of PLANE, shifted, that are in MASK.
#define WITH(v, shift, n) \
	shift $n, PLANE, X \
	VPAND MASK, X, X   \
	VPOR  X, v, v

// PRODUCT sets `to` to the products of the values v with quad j.
#define PRODUCT(v, j, to) \
	VPBROADCASTD (4*j)(rX), X \
	VPMADDUBSW   X, v, to

// FIRST sets LOW to the products of T with quad j, and HIGH to those of V with quad j+4; MORE
// adds them.
#define FIRST(j) \
	PRODUCT(T, j, LOW)      \
	PRODUCT(V, (j+4), HIGH)

#define MORE(j) \
	PRODUCT(T, j, T)       \
	VPADDW T, LOW, LOW     \
	PRODUCT(V, (j+4), V)   \
	VPADDW V, HIGH, HIGH

// NIBBLES sets LOW and HIGH to the products of a group of 4 bits, in 16 bits, at `at`.
#define NIBBLES(at) \
	SPLIT((at))     \
	FIRST(0)        \
	SPLIT((at+64))  \
	MORE(1)         \
	SPLIT((at+128)) \
	MORE(2)         \
	SPLIT((at+192)) \
	MORE(3)

// WIDEN adds the two sums of each row: LOW and HIGH have 32 bits.
#define WIDEN \
	VPMADDWD ONES, LOW, LOW   \
	VPMADDWD ONES, HIGH, HIGH

// VALUES4, VALUES5 and VALUES8 set LOW to the products of a group, in 32 bits.
#define VALUES4(at) \
	NIBBLES(at)            \
	VPADDW HIGH, LOW, LOW  \
	VPMADDWD ONES, LOW, LOW

#define VALUES5(at) \
	VMOVDQU (at)(rW), PLANE \
	SPLIT((at+64))          \
	WITH(T, VPSLLW, 4)      \
	WITH(V, VPSRLW, 0)      \
	FIRST(0)                \
	SPLIT((at+128))         \
	WITH(T, VPSLLW, 3)      \
	WITH(V, VPSRLW, 1)      \
	MORE(1)                 \
	SPLIT((at+192))         \
	WITH(T, VPSLLW, 2)      \
	WITH(V, VPSRLW, 2)      \
	MORE(2)                 \
	SPLIT((at+256))         \
	WITH(T, VPSLLW, 1)      \
	WITH(V, VPSRLW, 3)      \
	MORE(3)                 \
	WIDEN                   \
	VPADDD  HIGH, LOW, LOW

#define VALUES8(at) \
	VPXOR LOW, LOW, LOW \
	BYTES((at), 0)      \
	BYTES((at+64), 1)   \
	BYTES((at+128), 2)  \
	BYTES((at+192), 3)  \
	BYTES((at+256), 4)  \
	BYTES((at+320), 5)  \
	BYTES((at+384), 6)  \
	BYTES((at+448), 7)

// BYTES takes the 128 off again that was added to values, and multiplies their absolute values by
// activations that have their signs: 2*128*127 fits into 16 bits.
#define BYTES(at, j) \
	VPXOR        at(rW), MASK, V \
	VPABSB       V, T            \
	VPBROADCASTD (4*j)(rX), X    \
	VPSIGNB      V, X, X         \
	VPMADDUBSW   X, T, T         \
	VPMADDWD     ONES, T, T      \
	VPADDD       T, LOW, LOW

// VALUES6 sets LOW and HIGH to the products of a group, in 32 bits.
#define VALUES6(at) \
	VMOVDQU  (at)(rW), PLANE      \
	SPLIT((at+128))               \
	WITH(T, VPSLLW, 4)            \
	WITH(V, VPSLLW, 2)            \
	FIRST(0)                      \
	SPLIT((at+192))               \
	WITH(T, VPSLLW, 0)            \
	WITH(V, VPSRLW, 2)            \
	MORE(1)                       \
	VPMADDWD ONES, LOW, LOW1      \
	VPMADDWD ONES, HIGH, HIGH1    \
	VMOVDQU  (at+64)(rW), PLANE   \
	SPLIT((at+256))               \
	WITH(T, VPSLLW, 4)            \
	WITH(V, VPSLLW, 2)            \
	FIRST(2)                      \
	SPLIT((at+320))               \
	WITH(T, VPSLLW, 0)            \
	WITH(V, VPSRLW, 2)            \
	MORE(3)                       \
	WIDEN                         \
	VPADDD   LOW1, LOW, LOW       \
	VPADDD   HIGH1, HIGH, HIGH

// OFFSET takes off that 128 >> shift was added to each value of the group whose Bias is at
// `bias`.
#define OFFSET(sum, bias, shift) \
	VPBROADCASTD bias(rG), X  \
	VPSRAD       $shift, X, X \
	VPADDD       X, sum, sum

// INTEGERS sets SCALE to the products of the halves at `halves` and the integers at `at`; widen
// says whether these are signed.
#define INTEGERS(halves, at, widen) \
	VCVTPH2PS halves(rHalves), X \
	widen     at(rW), SCALE \
	VCVTDQ2PS SCALE, SCALE       \
	VMULPS    X, SCALE, SCALE

// ADD ends a sum: out += float32(sum) * SCALE * gr.Scale, which is at `scale`.
#define ADD(sum, scale, out) \
	VCVTDQ2PS    sum, sum        \
	VMULPS       SCALE, sum, sum \
	VBROADCASTSS scale(rG), X    \
	VMULPS       X, sum, sum     \
	VADDPS       sum, out, out

// ADDMIN adds the product of the minima in SCALE with the sum at `sum`.
#define ADDMIN(sum, min) \
	VBROADCASTSS sum(rSums), X   \
	VMULPS       X, SCALE, SCALE \
	VADDPS       SCALE, min, min

// NEXT goes on to the next group, of which there is Group and sum n times. A cache line two
// pages ahead is prefetched, as in int8AVX512.
#define NEXT(size, n) \
	PREFETCHT1 8192(rW)        \
	ADDQ       $32, rX         \
	ADDQ       $(8*n), rG      \
	ADDQ       $(4*n), rSums   \
	ADDQ       $size, rW

// BLOCK begins a block of 8 groups, with `head` bytes of halves.
#define BLOCK(head) \
	MOVQ rW, rHalves         \
	ADDQ $head, rW           \
	MOVQ $8, rLeft

// The eight rows of a group whose integer scales are at `at` and those of its minima at `min`: a step
// of q4_K and q5_K.
#define ROWSK(halves, at, min, sumOut, sumMin) \
	INTEGERS(halves, at, VPMOVZXBD)      \
	ADD(LOW, 0, sumOut)                  \
	INTEGERS((halves+32), min, VPMOVZXBD) \
	ADDMIN(0, sumMin)

// func q8_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q8_0AVX2(SB), NOSPLIT, $0-48
	BEGIN(0x80808080)

group:
	VALUES8(32)
	VCVTPH2PS (rW), SCALE
	ADD(LOW, 0, OUT0)
	VALUES8(64)
	VCVTPH2PS 16(rW), SCALE
	ADD(LOW, 0, OUT1)
	NEXT(544, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_0AVX2(SB), NOSPLIT, $0-48
	BEGIN(0)

group:
	VALUES4(32)
	OFFSET(LOW, 4, 4)
	VCVTPH2PS (rW), SCALE
	ADD(LOW, 0, OUT0)
	VALUES4(64)
	OFFSET(LOW, 4, 4)
	VCVTPH2PS 16(rW), SCALE
	ADD(LOW, 0, OUT1)
	NEXT(288, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q4_1AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_1AVX2(SB), NOSPLIT, $0-48
	BEGIN(0)

group:
	VALUES4(64)
	VCVTPH2PS (rW), SCALE
	ADD(LOW, 0, OUT0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0, MIN0)
	VALUES4(96)
	VCVTPH2PS 16(rW), SCALE
	ADD(LOW, 0, OUT1)
	VCVTPH2PS 48(rW), SCALE
	ADDMIN(0, MIN1)
	NEXT(320, 1)
	DECQ      rBlocks
	JNZ       group
	ENDMIN

// func q5_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_0AVX2(SB), NOSPLIT, $0-48
	BEGIN(0x10101010)

group:
	VALUES5(32)
	OFFSET(LOW, 4, 3)
	VCVTPH2PS (rW), SCALE
	ADD(LOW, 0, OUT0)
	VALUES5(64)
	OFFSET(LOW, 4, 3)
	VCVTPH2PS 16(rW), SCALE
	ADD(LOW, 0, OUT1)
	NEXT(352, 1)
	DECQ      rBlocks
	JNZ       group
	END

// func q5_1AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_1AVX2(SB), NOSPLIT, $0-48
	BEGIN(0x10101010)

group:
	VALUES5(64)
	VCVTPH2PS (rW), SCALE
	ADD(LOW, 0, OUT0)
	VCVTPH2PS 32(rW), SCALE
	ADDMIN(0, MIN0)
	VALUES5(96)
	VCVTPH2PS 16(rW), SCALE
	ADD(LOW, 0, OUT1)
	VCVTPH2PS 48(rW), SCALE
	ADDMIN(0, MIN1)
	NEXT(384, 1)
	DECQ      rBlocks
	JNZ       group
	ENDMIN

// func q4_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_KAVX2(SB), NOSPLIT, $0-48
	BEGIN(0)

block:
	BLOCK(64)

group:
	VALUES4(32)
	ROWSK(0, 0, 16, OUT0, MIN0)
	VALUES4(64)
	ROWSK(16, 8, 24, OUT1, MIN1)
	NEXT(288, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

// func q5_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_KAVX2(SB), NOSPLIT, $0-48
	BEGIN(0x10101010)

block:
	BLOCK(64)

group:
	VALUES5(32)
	ROWSK(0, 0, 16, OUT0, MIN0)
	VALUES5(64)
	ROWSK(16, 8, 24, OUT1, MIN1)
	NEXT(352, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

// q6_KAVX2 is for Q3_K, too. The groups of activations are those of 16.
//
// func q6_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q6_KAVX2(SB), NOSPLIT, $0-48
	BEGIN(0x30303030)

block:
	BLOCK(32)

group:
	VALUES6(32)
	OFFSET(LOW, 4, 2)
	OFFSET(HIGH, 12, 2)
	INTEGERS(0, 0, VPMOVSXBD)
	ADD(LOW, 0, OUT0)
	INTEGERS(0, 16, VPMOVSXBD)
	ADD(HIGH, 8, OUT0)
	VALUES6(64)
	OFFSET(LOW, 4, 2)
	OFFSET(HIGH, 12, 2)
	INTEGERS(16, 8, VPMOVSXBD)
	ADD(LOW, 0, OUT1)
	INTEGERS(16, 24, VPMOVSXBD)
	ADD(HIGH, 8, OUT1)
	NEXT(416, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END

// The eight rows of a group of Q2_K.
#define ROWS2K(halves, at, sumOut, sumMin) \
	INTEGERS(halves, at, VPMOVZXBD)             \
	ADD(LOW, 0, sumOut)                         \
	INTEGERS(halves, (at+16), VPMOVZXBD)        \
	ADD(HIGH, 8, sumOut)                        \
	INTEGERS((halves+32), (at+32), VPMOVZXBD)  \
	ADDMIN(0, sumMin)                           \
	INTEGERS((halves+32), (at+48), VPMOVZXBD)  \
	ADDMIN(4, sumMin)

// func q2_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q2_KAVX2(SB), NOSPLIT, $0-48
	BEGIN(0)

block:
	BLOCK(64)

group:
	NIBBLES(64)
	WIDEN
	ROWS2K(0, 0, OUT0, MIN0)
	NIBBLES(96)
	WIDEN
	ROWS2K(16, 8, OUT1, MIN1)
	NEXT(320, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

// func iq4_XSAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·iq4_XSAVX2(SB), NOSPLIT, $0-48
	BEGIN(0x80808080)

block:
	BLOCK(32)

group:
	VALUES8(16)
	INTEGERS(0, 0, VPMOVSXBD)
	ADD(LOW, 0, OUT0)
	VALUES8(48)
	INTEGERS(16, 8, VPMOVSXBD)
	ADD(LOW, 0, OUT1)
	NEXT(528, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	END
