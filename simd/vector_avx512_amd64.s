#include "textflag.h"
#include "lanes_amd64.h"

// What AVX-512 does faster than AVX2 beside the matrix products. kernels_amd64.go says how
// to read this. Every kernel works on 16 values at a time; of the last 16 there may be
// fewer. The lanes that lie beyond them are masked (K1): neither read nor written.

// LANES sets K1 to the lanes that `left` values fill, 1 or more. It has 16 lanes before.
#define LANES(left, full) \
	CMPQ  left, $16    \
	JGE   full         \
	MOVL  $-1, AX      \
	BZHIL left, AX, AX \ // the low `left` bits
	KMOVW AX, K1

// EXPCONSTANTS loads the constants of EXP16. Z16 to Z19 are exp2Table.
#define EXPCONSTANTS \
	VMOVUPD      ·exp2Table+0(SB), Z16   \
	VMOVUPD      ·exp2Table+64(SB), Z17  \
	VMOVUPD      ·exp2Table+128(SB), Z18 \
	VMOVUPD      ·exp2Table+192(SB), Z19 \
	VBROADCASTSS ·expFloats+0(SB), Z20   \ // expMax
	VBROADCASTSS ·expFloats+4(SB), Z21   \ // expMin
	VBROADCASTSS ·expFloats+8(SB), Z22   \ // 1
	VBROADCASTSD ·expDoubles+0(SB), Z23  \ // log2e32
	VBROADCASTSD ·expDoubles+8(SB), Z24  \ // magic
	VBROADCASTSD ·expDoubles+16(SB), Z25 \ // exp2C1
	VBROADCASTSD ·expDoubles+24(SB), Z26 \ // exp2C2
	VBROADCASTSD ·expDoubles+32(SB), Z27 \ // exp2C3
	VBROADCASTSD ·expDoubles+40(SB), Z28 \ // 1
	MOVL         $16, AX                 \
	VPBROADCASTQ AX, Z29

// EXP16's twin is expf in exp.go, whose lines and names stand beside: Z0 = expf(Z0) for 16
// float32, computed in two halves of 8 float64, each instruction for one and then for the
// other. Z1 to Z10, K2 and K3 are lost. VMINPS and VMAXPS return the first operand where
// either is a NaN. VPERMI2PD chooses one of 16 values of the table by bits 0 to 3 of n; bit 4
// chooses the half of the table.
#define EXP16 \
	VMINPS        Z0, Z20, Z0    \ // if x > expMax { x = expMax }
	VMAXPS        Z0, Z21, Z0    \ // if x < expMin { x = expMin }
	VEXTRACTF32X8 $1, Z0, Y2     \
	VCVTPS2PD     Y0, Z1         \
	VCVTPS2PD     Y2, Z2         \
	VMULPD        Z23, Z1, Z1    \ // z = float64(x) * log2e32
	VMULPD        Z23, Z2, Z2    \
	VADDPD        Z24, Z1, Z3    \ // shifted = z + magic
	VADDPD        Z24, Z2, Z4    \
	VSUBPD        Z24, Z3, Z5    \
	VSUBPD        Z24, Z4, Z6    \
	VSUBPD        Z5, Z1, Z1     \ // r = z - (shifted - magic)
	VSUBPD        Z6, Z2, Z2     \
	VPTESTMQ      Z29, Z3, K2    \ // n & 16 != 0
	VPTESTMQ      Z29, Z4, K3    \
	VMOVDQA64     Z3, Z5         \
	VMOVDQA64     Z4, Z6         \
	VMOVDQA64     Z3, Z7         \
	VMOVDQA64     Z4, Z8         \
	VPERMI2PD     Z17, Z16, Z5   \ // exp2Table[n & 15]
	VPERMI2PD     Z17, Z16, Z6   \
	VPERMI2PD     Z19, Z18, Z7   \ // exp2Table[16 + n & 15]
	VPERMI2PD     Z19, Z18, Z8   \
	VMOVAPD       Z7, K2, Z5     \ // exp2Table[n & 31]
	VMOVAPD       Z8, K3, Z6     \
	VPSRLQ        $5, Z3, Z3     \ // n >> 5
	VPSRLQ        $5, Z4, Z4     \
	VPSLLQ        $52, Z3, Z3    \ // uint64(n >> 5) << 52
	VPSLLQ        $52, Z4, Z4    \
	VPADDQ        Z3, Z5, Z5     \ // scale
	VPADDQ        Z4, Z6, Z6     \
	VMULPD        Z25, Z1, Z3    \
	VMULPD        Z25, Z2, Z4    \
	VADDPD        Z28, Z3, Z3    \ // y = exp2C1 * r + 1
	VADDPD        Z28, Z4, Z4    \
	VMULPD        Z27, Z1, Z7    \
	VMULPD        Z27, Z2, Z8    \
	VADDPD        Z26, Z7, Z7    \ // exp2C3 * r + exp2C2
	VADDPD        Z26, Z8, Z8    \
	VMULPD        Z1, Z1, Z1     \ // r * r
	VMULPD        Z2, Z2, Z2     \
	VMULPD        Z1, Z7, Z7     \
	VMULPD        Z2, Z8, Z8     \
	VADDPD        Z3, Z7, Z7     \ // y = (exp2C3 * r + exp2C2) * (r * r) + y
	VADDPD        Z4, Z8, Z8     \
	VMULPD        Z5, Z7, Z7     \ // y * scale
	VMULPD        Z6, Z8, Z8     \
	VCVTPD2PS     Z7, Y0         \
	VCVTPD2PS     Z8, Y8         \
	VINSERTF32X8  $1, Y8, Z0, Z0

#define x SI
#define n CX
#define y DI

// divideMaxAVX512 is the first two loops of softmax.
//
//	maxVal := -Inf // Z14
//	for i := range x {
//		x[i] /= divisor
//		maxVal = max(maxVal, x[i])
//	}
//	return maxVal
//
// VMAXPS returns its first operand where either is a NaN: the maximum so far, which never is
// one. (A softmax with a NaN is NaN everywhere in any case.)
//
// func divideMaxAVX512(x []float32, divisor float32) float32
TEXT ·divideMaxAVX512(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Z15
	MOVL         $0xff800000, AX     // -Inf
	VPBROADCASTD AX, Z14
	KXNORW       K1, K1, K1          // all lanes
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z0
	VDIVPS    Z15, Z0, Z0
	VMOVUPS   Z0, K1, (x)
	VMAXPS    Z14, Z0, K1, Z14
	ADDQ      $64, x
	SUBQ      $16, n
	JGT       loop

done:
	VEXTRACTF32X8 $1, Z14, Y0
	VMAXPS        Y0, Y14, Y0
	MAX8
	VMOVSS        X0, ret+32(FP)
	VZEROUPPER
	RET

// ADD16 adds the 16 values on the stack to X14, one after the other, which is as fast as a
// sum in index order can be.
#define ADD16 \
	VADDSS e-64(SP), X14, X14 \
	VADDSS e-60(SP), X14, X14 \
	VADDSS e-56(SP), X14, X14 \
	VADDSS e-52(SP), X14, X14 \
	VADDSS e-48(SP), X14, X14 \
	VADDSS e-44(SP), X14, X14 \
	VADDSS e-40(SP), X14, X14 \
	VADDSS e-36(SP), X14, X14 \
	VADDSS e-32(SP), X14, X14 \
	VADDSS e-28(SP), X14, X14 \
	VADDSS e-24(SP), X14, X14 \
	VADDSS e-20(SP), X14, X14 \
	VADDSS e-16(SP), X14, X14 \
	VADDSS e-12(SP), X14, X14 \
	VADDSS e-8(SP), X14, X14  \
	VADDSS e-4(SP), X14, X14

// expSumAVX512 is the third loop of softmax.
//
//	var sum float32 // X14
//	for i := range x {
//		x[i] = expf(x[i] - maxVal)
//		sum += x[i]
//	}
//	return sum
//
// The processor computes the next 16 values while it adds 16, which therefore are on the
// stack until the next turn: zeros in the first turn, and the last 16 behind the loop.
//
// func expSumAVX512(x []float32, maxVal float32) float32
TEXT ·expSumAVX512(SB), NOSPLIT, $64-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS maxVal+24(FP), Z15
	VPXOR        X14, X14, X14
	VMOVUPS      Z14, e-64(SP)
	EXPCONSTANTS
	KXNORW       K1, K1, K1         // all lanes
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z0
	VSUBPS    Z15, Z0, Z0
	EXP16
	VMOVUPS   Z0, K1, (x)
	VMOVAPS.Z Z0, K1, Z0   // masked lanes are 0
	ADD16
	VMOVUPS   Z0, e-64(SP)
	ADDQ      $64, x
	SUBQ      $16, n
	JGT       loop

done:
	ADD16
	VMOVSS X14, ret+32(FP)
	VZEROUPPER
	RET

// divideAVX512 is the last loop of softmax.
//
//	for i := range x {
//		x[i] /= divisor
//	}
//
// func divideAVX512(x []float32, divisor float32)
TEXT ·divideAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Z15
	KXNORW       K1, K1, K1          // all lanes
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z0
	VDIVPS    Z15, Z0, Z0
	VMOVUPS   Z0, K1, (x)
	ADDQ      $64, x
	SUBQ      $16, n
	JGT       loop

done:
	VZEROUPPER
	RET

// swiGLUAVX512's twin is swiGLU; x is hb, y is hb2.
//
//	for i, val := range hb {
//		hb[i] = val * (1 / (1 + expf(-val))) * hb2[i]
//	}
//
// func swiGLUAVX512(hb, hb2 []float32)
TEXT ·swiGLUAVX512(SB), NOSPLIT, $0-48
	MOVQ         hb_base+0(FP), x
	MOVQ         hb_len+8(FP), n
	MOVQ         hb2_base+24(FP), y
	EXPCONSTANTS
	MOVL         $0x80000000, AX    // the bit of the sign
	VPBROADCASTD AX, Z15
	KXNORW       K1, K1, K1         // all lanes
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z14
	VPXORD    Z15, Z14, Z0    // -val
	EXP16
	VADDPS    Z22, Z0, Z0
	VDIVPS    Z0, Z22, Z0     // 1 / (1 + expf(-val))
	VMULPS    Z0, Z14, Z0
	VMULPS    (y), Z0, K1, Z0
	VMOVUPS   Z0, K1, (x)
	ADDQ      $64, x
	ADDQ      $64, y
	SUBQ      $16, n
	JGT       loop

done:
	VZEROUPPER
	RET

#undef x
#undef y
#undef n

#define q DI
#define groups SI
#define left DX
#define x BX
#define whole CX
#define p R8
#define stop R9
#define rest R10
#define padded R11

// ROUND16 sets Z1 to 16 values of x, which are in it, in units of the scale, as int32.
#define ROUND16 \
	VDIVPS     Z0, Z1, Z1         \
	VMOVDQA32  Z11, Z2            \
	VPTERNLOGD $0xea, Z12, Z1, Z2 \ // Z2 = Z2 & Z1 | Z12: 1/2 - 1/2**25 with the quotient's sign
	VADDPS     Z2, Z1, Z1         \
	VCVTTPS2DQ Z1, Z1

// SUM16 adds the low bytes of Z1, as signed numbers, to the sums in Z3.
#define SUM16 \
	VPSLLD $24, Z1, Z1 \
	VPSRAD $24, Z1, Z1 \
	VPADDD Z1, Z3, Z3

// quantizeAVX512's twin is quantize, and the loop is quantize8AVX2's, which says how it
// rounds. A group is `whole` bytes of x, 16 values at a time, and `rest` values: K1 has their
// lanes, and K2 those together with the padding that follows them in q.
//
// func quantizeAVX512(q []int8, gs []Group, x []float32, group int)
TEXT ·quantizeAVX512(SB), NOSPLIT, $0-80
	MOVQ         q_base+0(FP), q
	MOVQ         gs_base+24(FP), groups
	MOVQ         gs_len+32(FP), left
	MOVQ         x_base+48(FP), x
	MOVQ         group+72(FP), whole
	MOVQ         whole, rest
	ANDQ         $15, rest
	ANDQ         $~15, whole
	SHLQ         $2, whole              // in bytes
	MOVL         $-1, AX
	BZHIL        rest, AX, R12
	KMOVW        R12, K1
	LEAQ         3(rest), padded
	ANDQ         $~3, padded
	BZHIL        padded, AX, R12
	KMOVW        R12, K2
	MOVL         $0x7fffffff, AX        // all bits but the sign
	VPBROADCASTD AX, Z10
	MOVL         $0x80000000, AX        // the bit of the sign
	VPBROADCASTD AX, Z11
	MOVL         $0x3effffff, AX
	VPBROADCASTD AX, Z12                // 1/2 - 1/2**25
	MOVL         $0x42fe0000, AX
	VMOVD        AX, X13                // 127
	TESTQ        left, left
	JLE          done

group:
	LEAQ  (x)(whole*1), stop
	VPXOR X0, X0, X0
	MOVQ  x, p
	CMPQ  p, stop
	JEQ   maxrest

max:
	VANDPS (p), Z10, Z1
	VMAXPS Z0, Z1, Z0
	ADDQ   $64, p
	CMPQ   p, stop
	JNE    max

maxrest:
	TESTQ     rest, rest
	JEQ       scale
	VMOVUPS.Z (p), K1, Z1
	VANDPS    Z10, Z1, Z1
	VMAXPS    Z0, Z1, Z0

scale:
	VEXTRACTF32X8 $1, Z0, Y1
	VMAXPS        Y1, Y0, Y0
	MAX8
	VDIVSS        X13, X0, X0
	VMOVSS        X0, (groups)
	VBROADCASTSS  X0, Z0       // scale
	VPXOR         X3, X3, X3
	CMPQ          x, stop
	JEQ           rounded

round:
	VMOVUPS (x), Z1
	ROUND16
	VPMOVDB Z1, (q) // the low bytes
	SUM16
	ADDQ    $64, x
	ADDQ    $16, q
	CMPQ    x, stop
	JNE     round

rounded:
	TESTQ     rest, rest
	JEQ       sum
	VMOVUPS.Z (x), K1, Z1
	ROUND16
	VPMOVDB   Z1, K2, (q)
	SUM16
	LEAQ      (x)(rest*4), x
	ADDQ      padded, q

sum:
	VEXTRACTI32X8 $1, Z3, Y1
	VPADDD        Y1, Y3, Y3
	SUM8
	VPSLLD        $7, X3, X3
	VMOVD         X3, AX
	NEGL          AX
	MOVL          AX, 4(groups)
	ADDQ          $8, groups
	DECQ          left
	JNE           group

done:
	VZEROUPPER
	RET

#undef q
#undef groups
#undef left
#undef x
#undef whole
#undef p
#undef stop
#undef rest
#undef padded

#define b SI
#define end CX

// read256AVX512's twin is read, with 32 sums, of which eight are in each register; len(b) is
// a multiple of 256. AVX2's is as fast on Zen 4; this one stays because what it measures is
// the limit of the products, which read 64 bytes at a time, too.
//
//	for ; b < end; b += 256 {
//		for i := range 32 {
//			sums[i] ^= 8 bytes at b + 8*i
//		}
//	}
//	return sums[0] ^ ... ^ sums[31]
//
// func read256AVX512(b []byte) uint64
TEXT ·read256AVX512(SB), NOSPLIT, $0-32
	MOVQ  b_base+0(FP), b
	MOVQ  b_len+8(FP), end
	ADDQ  b, end
	VPXOR X0, X0, X0
	VPXOR X1, X1, X1
	VPXOR X2, X2, X2
	VPXOR X3, X3, X3
	CMPQ  b, end
	JGE   done

loop:
	VPXORQ (b), Z0, Z0
	VPXORQ 64(b), Z1, Z1
	VPXORQ 128(b), Z2, Z2
	VPXORQ 192(b), Z3, Z3
	ADDQ   $256, b
	CMPQ   b, end
	JLT    loop

done:
	VPXORQ        Z1, Z0, Z0
	VPXORQ        Z3, Z2, Z2
	VPXORQ        Z2, Z0, Z0
	VEXTRACTI64X4 $1, Z0, Y1
	VPXOR         Y1, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPXOR         X1, X0, X0
	VPSHUFD       $0x4e, X0, X1
	VPXOR         X1, X0, X0
	VMOVQ         X0, ret+24(FP)
	VZEROUPPER
	RET
