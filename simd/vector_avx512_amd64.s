#include "textflag.h"

// Every kernel works on 16 values at a time; of the last 16 there may be fewer. What
// lies beyond them is masked: neither read nor written.

// LANES sets K1 to the lanes that `left` values fill, 1 or more; K1 has all of them before.
#define LANES(left, full) \
	CMPQ  left, $16      \
	JGE   full           \
	MOVL  $-1, AX        \
	BZHIL left, AX, AX   \
	KMOVW AX, K1

// The constants of EXP16: Z16-Z19 are exp2Table.
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

// EXP16 sets Z0 to expf of each lane; Z1-Z10 and K2, K3 are lost. Two halves of 8
// float64 each, line for line as in exp.go. With a NaN as second source (the first in
// this syntax), VMINPS and VMAXPS return it. Bits 0-3 of `shifted` choose from 16 values
// of the table, bit 4 between the table's halves, and the bits above are added to the
// exponent.
#define EXP16 \
	VMINPS        Z0, Z20, Z0      \
	VMAXPS        Z0, Z21, Z0      \
	VEXTRACTF32X8 $1, Z0, Y2       \
	VCVTPS2PD     Y0, Z1           \
	VCVTPS2PD     Y2, Z2           \
	VMULPD        Z23, Z1, Z1      \ // z
	VMULPD        Z23, Z2, Z2      \
	VADDPD        Z24, Z1, Z3      \ // shifted
	VADDPD        Z24, Z2, Z4      \
	VSUBPD        Z24, Z3, Z5      \
	VSUBPD        Z24, Z4, Z6      \
	VSUBPD        Z5, Z1, Z1       \ // r
	VSUBPD        Z6, Z2, Z2       \
	VPTESTMQ      Z29, Z3, K2      \
	VPTESTMQ      Z29, Z4, K3      \
	VMOVDQA64     Z3, Z5           \
	VMOVDQA64     Z4, Z6           \
	VMOVDQA64     Z3, Z7           \
	VMOVDQA64     Z4, Z8           \
	VPERMI2PD     Z17, Z16, Z5     \
	VPERMI2PD     Z17, Z16, Z6     \
	VPERMI2PD     Z19, Z18, Z7     \
	VPERMI2PD     Z19, Z18, Z8     \
	VMOVAPD       Z7, K2, Z5       \ // exp2Table[n & 31]
	VMOVAPD       Z8, K3, Z6       \
	VPSRLQ        $5, Z3, Z3       \
	VPSRLQ        $5, Z4, Z4       \
	VPSLLQ        $52, Z3, Z3      \
	VPSLLQ        $52, Z4, Z4      \
	VPADDQ        Z3, Z5, Z5       \ // scale
	VPADDQ        Z4, Z6, Z6       \
	VMULPD        Z25, Z1, Z3      \
	VMULPD        Z25, Z2, Z4      \
	VADDPD        Z28, Z3, Z3      \ // y = C1 r + 1
	VADDPD        Z28, Z4, Z4      \
	VMULPD        Z27, Z1, Z7      \
	VMULPD        Z27, Z2, Z8      \
	VADDPD        Z26, Z7, Z7      \ // C3 r + C2
	VADDPD        Z26, Z8, Z8      \
	VMULPD        Z1, Z1, Z1       \
	VMULPD        Z2, Z2, Z2       \
	VMULPD        Z1, Z7, Z7       \
	VMULPD        Z2, Z8, Z8       \
	VADDPD        Z3, Z7, Z7       \ // y
	VADDPD        Z4, Z8, Z8       \
	VMULPD        Z5, Z7, Z7       \
	VMULPD        Z6, Z8, Z8       \
	VCVTPD2PS     Z7, Y0           \
	VCVTPD2PS     Z8, Y8           \
	VINSERTF32X8  $1, Y8, Z0, Z0

#define x SI
#define n CX
#define y DI

// The maximum starts as -Inf and is VMAXPS's second source, which is returned beside a
// NaN: it never is one. (A softmax with a NaN is NaN all over in any case.)
//
// func divideMaxAVX512(x []float32, divisor float32) float32
TEXT ·divideMaxAVX512(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Z15
	MOVL         $0xff800000, AX
	VPBROADCASTD AX, Z14
	KXNORW       K1, K1, K1
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
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x4e, X0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0xb1, X0, X1
	VMAXPS        X1, X0, X0
	VMOVSS        X0, ret+32(FP)
	VZEROUPPER
	RET

// Sixteen adds, one after the other, which is as fast as a sum in index order can be.
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

// While 16 values are added, the processor computes the next 16, so those to add wait on
// the stack: zeros at first, and behind the last.
//
// func expSumAVX512(x []float32, maxVal float32) float32
TEXT ·expSumAVX512(SB), NOSPLIT, $64-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS maxVal+24(FP), Z15
	VPXOR        X14, X14, X14
	VMOVUPS      Z14, e-64(SP)
	EXPCONSTANTS
	KXNORW       K1, K1, K1
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z0
	VSUBPS    Z15, Z0, Z0
	EXP16
	VMOVUPS   Z0, K1, (x)
	VMOVAPS.Z Z0, K1, Z0
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

// func divideAVX512(x []float32, divisor float32)
TEXT ·divideAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Z15
	KXNORW       K1, K1, K1
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

// func swiGLUAVX512(hb, hb2 []float32)
TEXT ·swiGLUAVX512(SB), NOSPLIT, $0-48
	MOVQ         hb_base+0(FP), x
	MOVQ         hb_len+8(FP), n
	MOVQ         hb2_base+24(FP), y
	EXPCONSTANTS
	MOVL         $0x80000000, AX
	VPBROADCASTD AX, Z15
	KXNORW       K1, K1, K1
	TESTQ        n, n
	JLE          done

loop:
	LANES(n, full)

full:
	VMOVUPS.Z (x), K1, Z14
	VPXORD    Z15, Z14, Z0
	EXP16
	VADDPS    Z22, Z0, Z0
	VDIVPS    Z0, Z22, Z0         // 1 / (1 + e**-x)
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

// A group in two passes: the largest absolute value (the first source of VMAXPS, so that
// a NaN is passed over), then the quotients. Halves go away from zero: the largest
// float32 below 1/2 is added with the quotient's sign, and what follows the point is cut
// off. What is not finite is converted to -1<<31, whose low byte is 0.
// K1 has the lanes of the last less than 16 values, K2 those together with the padding.
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
	MOVL         $0x7fffffff, AX
	VPBROADCASTD AX, Z10
	MOVL         $0x80000000, AX
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
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x4e, X0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0xb1, X0, X1
	VMAXPS        X1, X0, X0
	VDIVSS        X13, X0, X0
	VMOVSS        X0, (groups)
	VBROADCASTSS  X0, Z0
	VPXOR         X3, X3, X3     // sums
	CMPQ          x, stop
	JEQ           rounded

round:
	VMOVUPS    (x), Z1
	VDIVPS     Z0, Z1, Z1
	VMOVDQA32  Z11, Z2
	VPTERNLOGD $0xea, Z12, Z1, Z2 // sign of Z1, or Z12
	VADDPS     Z2, Z1, Z1
	VCVTTPS2DQ Z1, Z1
	VPMOVDB    Z1, (q)
	VPSLLD     $24, Z1, Z1
	VPSRAD     $24, Z1, Z1
	VPADDD     Z1, Z3, Z3
	ADDQ       $64, x
	ADDQ       $16, q
	CMPQ       x, stop
	JNE        round

rounded:
	TESTQ      rest, rest
	JEQ        sum
	VMOVUPS.Z  (x), K1, Z1
	VDIVPS     Z0, Z1, Z1
	VMOVDQA32  Z11, Z2
	VPTERNLOGD $0xea, Z12, Z1, Z2
	VADDPS     Z2, Z1, Z1
	VCVTTPS2DQ Z1, Z1
	VPMOVDB    Z1, K2, (q)
	VPSLLD     $24, Z1, Z1
	VPSRAD     $24, Z1, Z1
	VPADDD     Z1, Z3, Z3
	LEAQ       (x)(rest*4), x
	ADDQ       padded, q

sum:
	VEXTRACTI32X8 $1, Z3, Y1
	VPADDD        Y1, Y3, Y3
	VEXTRACTI128  $1, Y3, X1
	VPADDD        X1, X3, X3
	VPSHUFD       $0x4e, X3, X1
	VPADDD        X1, X3, X3
	VPSHUFD       $0xb1, X3, X1
	VPADDD        X1, X3, X3
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

// func read256AVX512(b []byte) uint64
TEXT ·read256AVX512(SB), NOSPLIT, $0-32
	MOVQ  b_base+0(FP), SI
	MOVQ  b_len+8(FP), CX
	ADDQ  SI, CX
	VPXOR X0, X0, X0
	VPXOR X1, X1, X1
	VPXOR X2, X2, X2
	VPXOR X3, X3, X3
	CMPQ  SI, CX
	JGE   done

loop:
	VPXORQ (SI), Z0, Z0
	VPXORQ 64(SI), Z1, Z1
	VPXORQ 128(SI), Z2, Z2
	VPXORQ 192(SI), Z3, Z3
	ADDQ   $256, SI
	CMPQ   SI, CX
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
