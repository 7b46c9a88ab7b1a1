#include "textflag.h"

// The products of a tile of blocks with one token, for SSE2. kernels_amd64.go says how to read
// this, blocks.go where everything is in a tile.
//
// A register holds four rows, so a group is done in four parts. Without VPMADDUBSW, values are
// widened to 16 bits: bytes 0 and 2 of a quad, and bytes 1 and 3. PMADDWD then adds two products
// of a row in 32 bits, and nothing has to be summed across lanes. The activations of a group are
// widened in the same way before, in memory.

#define rOut DI
#define rX DX
#define rG BX
#define rSums R8
#define rW SI      // the values of a group
#define rBlocks R9
#define rM R10     // memory: 256 bytes of activations, 64 of MIN, 128 of the halves of a block
#define rLeft CX   // groups of a block

#define LOW X0    // the sum of a part's products with quads 0 to 3
#define HIGH X1   // and with quads 4 to 7
#define SCALE X2
#define V X3
#define T X4
#define X X5
#define PLANE X6
#define MASK0F X11
#define MASKFF X12 // the lower byte of 16 bits
#define MASK X13   // of the bits of a plane
#define HALF X14   // the bits of a half that is 3 bits right of the upper 16 of 32
#define POWER X15  // 2**112

// CONSTANT sets a register to 32 bits in every lane.
#define CONSTANT(bits, x) \
	MOVL   $bits, AX \
	MOVL   AX, x     \
	PSHUFL $0, x, x

// BEGIN reads the arguments, sets the constants, and out and MIN to 0.
#define BEGIN(mask) \
	MOVQ   out+0(FP), rOut        \
	MOVQ   x+8(FP), rX            \
	MOVQ   gr+16(FP), rG          \
	MOVQ   sums+24(FP), rSums     \
	MOVQ   w+32(FP), rW           \
	MOVQ   blocks+40(FP), rBlocks \
	LEAQ   memory-464(SP), rM     \
	ADDQ   $15, rM                \
	ANDQ   $~15, rM               \
	CONSTANT(0x0f0f0f0f, MASK0F)  \
	CONSTANT(0x00ff00ff, MASKFF)  \
	CONSTANT(mask, MASK)          \
	CONSTANT(0x8fffe000, HALF)    \
	CONSTANT(0x77800000, POWER)   \
	XORPS  X, X                   \
	MOVUPS X, (rOut)              \
	MOVUPS X, 16(rOut)            \
	MOVUPS X, 32(rOut)            \
	MOVUPS X, 48(rOut)            \
	MOVAPS X, 256(rM)             \
	MOVAPS X, 272(rM)             \
	MOVAPS X, 288(rM)             \
	MOVAPS X, 304(rM)

// LESSMIN ends the product of a type that has minima, for four rows.
#define LESSMIN(part) \
	MOVUPS (16*part)(rOut), X    \
	SUBPS  (16*part+256)(rM), X  \
	MOVUPS X, (16*part)(rOut)

#define ENDMIN \
	LESSMIN(0) \
	LESSMIN(1) \
	LESSMIN(2) \
	LESSMIN(3) \
	RET

// ACTIVATIONS widens the activations of a group: quad j's 0 and 2, then its 1 and 3, for four rows.
#define ACTIVATIONS \
	QUAD(0) \
	QUAD(1) \
	QUAD(2) \
	QUAD(3) \
	QUAD(4) \
	QUAD(5) \
	QUAD(6) \
	QUAD(7)

#define QUAD(j) \
	MOVL   (4*j)(rX), V        \
	PSHUFL $0, V, V            \
	MOVO   V, T                \
	PSLLW  $8, T               \
	PSRAW  $8, T               \
	PSRAW  $8, V               \
	MOVO   T, (32*j)(rM)       \
	MOVO   V, (32*j+16)(rM)

// SPLIT sets T to the low and V to the high 4 bits of the 16 bytes at `at`.
#define SPLIT(at) \
	MOVOU (at)(rW), V \
	MOVO  V, T        \
	PSRLW $4, V       \
	PAND  MASK0F, T   \
	PAND  MASK0F, V

// WITH sets bits of the values v: those of PLANE, shifted, that are in MASK.
#define WITH(v, shift, n) \
	MOVO  PLANE, X \
	shift $n, X    \
	PAND  MASK, X  \
	POR   X, v

// PRODUCT adds the products of the values v with quad j to a sum.
#define PRODUCT(v, j, sum) \
	MOVO    v, X                \
	PSRLW   $8, X               \
	PAND    MASKFF, v           \
	PMADDWL (32*j)(rM), v       \
	PMADDWL (32*j+16)(rM), X    \
	PADDL   v, sum              \
	PADDL   X, sum

// BOTH adds those of T and V, in quads j and j+4.
#define BOTH(j) \
	PRODUCT(T, j, LOW)       \
	PRODUCT(V, (j+4), HIGH)

// VALUES4 to VALUES8 set LOW and HIGH to the products of a part's values, of which the first
// 16 bytes are at `at`.
#define VALUES4(at) \
	PXOR LOW, LOW   \
	PXOR HIGH, HIGH \
	SPLIT((at))     \
	BOTH(0)         \
	SPLIT((at+64))  \
	BOTH(1)         \
	SPLIT((at+128)) \
	BOTH(2)         \
	SPLIT((at+192)) \
	BOTH(3)

#define VALUES5(at) \
	PXOR  LOW, LOW        \
	PXOR  HIGH, HIGH      \
	MOVOU (at)(rW), PLANE \
	SPLIT((at+64))        \
	WITH(T, PSLLW, 4)     \
	WITH(V, PSRLW, 0)     \
	BOTH(0)               \
	SPLIT((at+128))       \
	WITH(T, PSLLW, 3)     \
	WITH(V, PSRLW, 1)     \
	BOTH(1)               \
	SPLIT((at+192))       \
	WITH(T, PSLLW, 2)     \
	WITH(V, PSRLW, 2)     \
	BOTH(2)               \
	SPLIT((at+256))       \
	WITH(T, PSLLW, 1)     \
	WITH(V, PSRLW, 3)     \
	BOTH(3)

#define VALUES6(at) \
	PXOR  LOW, LOW           \
	PXOR  HIGH, HIGH         \
	MOVOU (at)(rW), PLANE    \
	SPLIT((at+128))          \
	WITH(T, PSLLW, 4)        \
	WITH(V, PSLLW, 2)        \
	BOTH(0)                  \
	SPLIT((at+192))          \
	WITH(T, PSLLW, 0)        \
	WITH(V, PSRLW, 2)        \
	BOTH(1)                  \
	MOVOU (at+64)(rW), PLANE \
	SPLIT((at+256))          \
	WITH(T, PSLLW, 4)        \
	WITH(V, PSLLW, 2)        \
	BOTH(2)                  \
	SPLIT((at+320))          \
	WITH(T, PSLLW, 0)        \
	WITH(V, PSRLW, 2)        \
	BOTH(3)

#define VALUES8(at) \
	PXOR LOW, LOW         \
	PXOR HIGH, HIGH       \
	BYTES((at), 0, LOW)   \
	BYTES((at+64), 1, LOW) \
	BYTES((at+128), 2, LOW) \
	BYTES((at+192), 3, LOW) \
	BYTES((at+256), 4, HIGH) \
	BYTES((at+320), 5, HIGH) \
	BYTES((at+384), 6, HIGH) \
	BYTES((at+448), 7, HIGH)

#define BYTES(at, j, sum) \
	MOVOU at(rW), V \
	PRODUCT(V, j, sum)

// HALVES sets a register to four halves. Their bits, moved to where those of a float32 are,
// lack 112 in the exponent, and a subnormal half is right after the product with 2**112, too.
// Halves are finite (PackBlocks).
#define HALVES(at, x) \
	PXOR      x, x       \
	MOVQ      (at)(rW), X \
	PUNPCKLWL X, x       \ // 16 bits of 0, then 16 of the half
	PSRAL     $3, x      \
	PAND      HALF, x    \
	MULPS     POWER, x

// OFFSET takes off that 128 >> shift was added to each value of the group whose Bias is at
// `bias`.
#define OFFSET(sum, bias, shift) \
	MOVL   bias(rG), X \
	PSHUFL $0, X, X    \
	PSRAL  $shift, X   \
	PADDL  X, sum

// INTEGERS sets SCALE to the products of four halves, which BLOCK put to `halves`, and the
// integers at `at`; shift is PSRLL or PSRAL: are these signed?
#define INTEGERS(halves, at, shift) \
	MOVL      (at)(rW), SCALE     \
	PUNPCKLBW SCALE, SCALE        \
	PUNPCKLWL SCALE, SCALE        \
	shift     $24, SCALE          \
	CVTPL2PS  SCALE, SCALE        \
	MULPS     (halves)(rM), SCALE

// ADD ends a sum for the rows of a part: out += float32(sum) * SCALE * gr.Scale, which is at
// `scale`.
#define ADD(sum, scale, part) \
	CVTPL2PS sum, sum             \
	MULPS    SCALE, sum           \
	MOVSS    scale(rG), X         \
	SHUFPS   $0, X, X             \
	MULPS    X, sum               \
	MOVUPS   (16*part)(rOut), X   \
	ADDPS    X, sum               \
	MOVUPS   sum, (16*part)(rOut)

// ADDMIN adds the product of the minima in SCALE with the sum at `sum`.
#define ADDMIN(sum, part) \
	MOVSS  sum(rSums), X             \
	SHUFPS $0, X, X                  \
	MULPS  X, SCALE                  \
	ADDPS  (16*part+256)(rM), SCALE  \
	MOVAPS SCALE, (16*part+256)(rM)

// NEXT goes on to the next group, of which there is Group and sum n times.
#define NEXT(size, n) \
	ADDQ $32, rX      \
	ADDQ $(8*n), rG   \
	ADDQ $(4*n), rSums \
	ADDQ $size, rW

// BLOCK begins a block of 8 groups and widens its halves; BLOCKMIN those of a type with minima.
#define BLOCK \
	FLOATS(0)      \
	FLOATS(1)      \
	FLOATS(2)      \
	FLOATS(3)      \
	ADDQ $32, rW   \
	MOVQ $8, rLeft

#define BLOCKMIN \
	FLOATS(4)    \
	FLOATS(5)    \
	FLOATS(6)    \
	FLOATS(7)    \
	BLOCK        \
	ADDQ $32, rW

#define FLOATS(i) \
	HALVES((8*i), SCALE)          \
	MOVAPS SCALE, (16*i+320)(rM)

// PART8, PART4, PART5 and so on are the four rows of a group, by type.
#define PART8(part) \
	VALUES8((16*part+32))   \
	PADDL HIGH, LOW       \
	OFFSET(LOW, 4, 0)     \
	HALVES((8*part), SCALE) \
	ADD(LOW, 0, part)

// func q8_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q8_0SSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

group:
	ACTIVATIONS
	PART8(0)
	PART8(1)
	PART8(2)
	PART8(3)
	NEXT(544, 1)
	DECQ rBlocks
	JNZ  group
	RET

#define PART4(part) \
	VALUES4((16*part+32))   \
	PADDL HIGH, LOW         \
	OFFSET(LOW, 4, 4)       \
	HALVES((8*part), SCALE) \
	ADD(LOW, 0, part)

// func q4_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_0SSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

group:
	ACTIVATIONS
	PART4(0)
	PART4(1)
	PART4(2)
	PART4(3)
	NEXT(288, 1)
	DECQ rBlocks
	JNZ  group
	RET

#define PARTMIN(values, part) \
	values((16*part+64))       \
	PADDL HIGH, LOW            \
	HALVES((8*part), SCALE)    \
	ADD(LOW, 0, part)          \
	HALVES((8*part+32), SCALE) \
	ADDMIN(0, part)

// func q4_1SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_1SSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

group:
	ACTIVATIONS
	PARTMIN(VALUES4, 0)
	PARTMIN(VALUES4, 1)
	PARTMIN(VALUES4, 2)
	PARTMIN(VALUES4, 3)
	NEXT(320, 1)
	DECQ rBlocks
	JNZ  group
	ENDMIN

#define PART5(part) \
	VALUES5((16*part+32))   \
	PADDL HIGH, LOW         \
	OFFSET(LOW, 4, 3)       \
	HALVES((8*part), SCALE) \
	ADD(LOW, 0, part)

// func q5_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_0SSE2(SB), NOSPLIT, $464-48
	BEGIN(0x10101010)

group:
	ACTIVATIONS
	PART5(0)
	PART5(1)
	PART5(2)
	PART5(3)
	NEXT(352, 1)
	DECQ rBlocks
	JNZ  group
	RET

// func q5_1SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_1SSE2(SB), NOSPLIT, $464-48
	BEGIN(0x10101010)

group:
	ACTIVATIONS
	PARTMIN(VALUES5, 0)
	PARTMIN(VALUES5, 1)
	PARTMIN(VALUES5, 2)
	PARTMIN(VALUES5, 3)
	NEXT(384, 1)
	DECQ rBlocks
	JNZ  group
	ENDMIN

#define PARTK(values, part) \
	values((16*part+32))                           \
	PADDL HIGH, LOW                                \
	INTEGERS((16*part+320), (4*part), PSRLL)       \
	ADD(LOW, 0, part)                              \
	INTEGERS((16*part+384), (4*part+16), PSRLL)    \
	ADDMIN(0, part)

// func q4_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q4_KSSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

block:
	BLOCKMIN

group:
	ACTIVATIONS
	PARTK(VALUES4, 0)
	PARTK(VALUES4, 1)
	PARTK(VALUES4, 2)
	PARTK(VALUES4, 3)
	NEXT(288, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

// func q5_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q5_KSSE2(SB), NOSPLIT, $464-48
	BEGIN(0x10101010)

block:
	BLOCKMIN

group:
	ACTIVATIONS
	PARTK(VALUES5, 0)
	PARTK(VALUES5, 1)
	PARTK(VALUES5, 2)
	PARTK(VALUES5, 3)
	NEXT(352, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

#define PART6(part) \
	VALUES6((16*part+32))                        \
	OFFSET(LOW, 4, 2)                            \
	OFFSET(HIGH, 12, 2)                          \
	INTEGERS((16*part+320), (4*part), PSRAL)     \
	ADD(LOW, 0, part)                            \
	INTEGERS((16*part+320), (4*part+16), PSRAL)  \
	ADD(HIGH, 8, part)

// q6_KSSE2 is for Q3_K, too. The groups of activations are those of 16.
//
// func q6_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q6_KSSE2(SB), NOSPLIT, $464-48
	BEGIN(0x30303030)

block:
	BLOCK

group:
	ACTIVATIONS
	PART6(0)
	PART6(1)
	PART6(2)
	PART6(3)
	NEXT(416, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	RET

#define PART2(part) \
	VALUES4((16*part+64))                        \
	INTEGERS((16*part+320), (4*part), PSRLL)     \
	ADD(LOW, 0, part)                            \
	INTEGERS((16*part+320), (4*part+16), PSRLL)  \
	ADD(HIGH, 8, part)                           \
	INTEGERS((16*part+384), (4*part+32), PSRLL)  \
	ADDMIN(0, part)                              \
	INTEGERS((16*part+384), (4*part+48), PSRLL)  \
	ADDMIN(4, part)

// func q2_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·q2_KSSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

block:
	BLOCKMIN

group:
	ACTIVATIONS
	PART2(0)
	PART2(1)
	PART2(2)
	PART2(3)
	NEXT(320, 2)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	ENDMIN

#define PARTXS(part) \
	VALUES8((16*part+16))                    \
	PADDL HIGH, LOW                          \
	OFFSET(LOW, 4, 0)                        \
	INTEGERS((16*part+320), (4*part), PSRAL) \
	ADD(LOW, 0, part)

// func iq4_XSSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
TEXT ·iq4_XSSSE2(SB), NOSPLIT, $464-48
	BEGIN(0)

block:
	BLOCK

group:
	ACTIVATIONS
	PARTXS(0)
	PARTXS(1)
	PARTXS(2)
	PARTXS(3)
	NEXT(528, 1)
	DECQ rLeft
	JNZ  group
	DECQ rBlocks
	JNZ  block
	RET
