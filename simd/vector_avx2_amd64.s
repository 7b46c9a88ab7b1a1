#include "textflag.h"

// The constants of EXP8: AX is exp2Table.
#define EXPCONSTANTS \
	LEAQ         ·exp2Table(SB), AX      \
	VBROADCASTSD ·expDoubles+0(SB), Y8   \ // log2e32
	VBROADCASTSD ·expDoubles+8(SB), Y9   \ // magic
	VBROADCASTSD ·expDoubles+16(SB), Y10 \ // exp2C1
	VBROADCASTSD ·expDoubles+24(SB), Y11 \ // exp2C2
	VBROADCASTSD ·expDoubles+32(SB), Y12 \ // exp2C3
	VBROADCASTSD ·expDoubles+40(SB), Y13 \ // 1
	MOVL         $31, BX                 \
	VMOVQ        BX, X14                 \
	VPBROADCASTQ X14, Y14

// EXP8 sets Y0 to expf of each lane; Y1-Y7 are lost. Two halves of 4 float64 each, line
// for line as in exp.go. With a NaN as second source (the first in this syntax), VMINPS
// and VMAXPS return it.
#define EXP8 \
	VBROADCASTSS ·expFloats+0(SB), Y6  \ // expMax
	VBROADCASTSS ·expFloats+4(SB), Y7  \ // expMin
	VMINPS       Y0, Y6, Y0            \
	VMAXPS       Y0, Y7, Y0            \
	VEXTRACTF128 $1, Y0, X2            \
	VCVTPS2PD    X0, Y1                \
	VCVTPS2PD    X2, Y2                \
	VMULPD       Y8, Y1, Y1            \ // z
	VMULPD       Y8, Y2, Y2            \
	VADDPD       Y9, Y1, Y3            \ // shifted
	VADDPD       Y9, Y2, Y4            \
	VSUBPD       Y9, Y3, Y5            \
	VSUBPD       Y9, Y4, Y6            \
	VSUBPD       Y5, Y1, Y1            \ // r
	VSUBPD       Y6, Y2, Y2            \
	VPAND        Y14, Y3, Y0           \
	VPCMPEQD     Y7, Y7, Y7            \
	VGATHERQPD   Y7, (AX)(Y0*8), Y5    \ // exp2Table[n & 31]
	VPAND        Y14, Y4, Y0           \
	VPCMPEQD     Y7, Y7, Y7            \
	VGATHERQPD   Y7, (AX)(Y0*8), Y6    \
	VPSRLQ       $5, Y3, Y3            \
	VPSRLQ       $5, Y4, Y4            \
	VPSLLQ       $52, Y3, Y3           \
	VPSLLQ       $52, Y4, Y4           \
	VPADDQ       Y3, Y5, Y5            \ // scale
	VPADDQ       Y4, Y6, Y6            \
	VMULPD       Y10, Y1, Y3           \
	VMULPD       Y10, Y2, Y4           \
	VADDPD       Y13, Y3, Y3           \ // y = C1 r + 1
	VADDPD       Y13, Y4, Y4           \
	VMULPD       Y12, Y1, Y0           \
	VMULPD       Y12, Y2, Y7           \
	VADDPD       Y11, Y0, Y0           \ // C3 r + C2
	VADDPD       Y11, Y7, Y7           \
	VMULPD       Y1, Y1, Y1            \
	VMULPD       Y2, Y2, Y2            \
	VMULPD       Y1, Y0, Y0            \
	VMULPD       Y2, Y7, Y7            \
	VADDPD       Y3, Y0, Y0            \ // y
	VADDPD       Y4, Y7, Y7            \
	VMULPD       Y5, Y0, Y0            \
	VMULPD       Y6, Y7, Y7            \
	VCVTPD2PSY   Y0, X0                \
	VCVTPD2PSY   Y7, X7                \
	VINSERTF128  $1, X7, Y0, Y0

#define x SI
#define n CX
#define y DI
#define o R8

// func scale8AVX2(o, x, weight []float32, scale float32)
TEXT ·scale8AVX2(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), o
	MOVQ         o_len+8(FP), n
	MOVQ         x_base+24(FP), x
	MOVQ         weight_base+48(FP), y
	VBROADCASTSS scale+72(FP), Y15
	XORQ         DX, DX
	TESTQ        n, n
	JLE          done

loop:
	VMULPS  (x)(DX*1), Y15, Y0
	VMULPS  (y)(DX*1), Y0, Y0
	VMOVUPS Y0, (o)(DX*1)
	ADDQ    $32, DX
	SUBQ    $8, n
	JGT     loop

done:
	VZEROUPPER
	RET

// The maximum starts as -Inf and is VMAXPS's second source, which is returned beside a
// NaN: it never is one. (A softmax with a NaN is NaN all over in any case.)
//
// func divideMax8AVX2(x []float32, divisor float32) float32
TEXT ·divideMax8AVX2(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Y15
	MOVL         $0xff800000, AX
	VMOVD        AX, X14
	VBROADCASTSS X14, Y14
	TESTQ        n, n
	JLE          done

loop:
	VMOVUPS (x), Y0
	VDIVPS  Y15, Y0, Y0
	VMOVUPS Y0, (x)
	VMAXPS  Y14, Y0, Y14
	ADDQ    $32, x
	SUBQ    $8, n
	JGT     loop

done:
	VEXTRACTF128 $1, Y14, X0
	VMAXPS       X0, X14, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+32(FP)
	VZEROUPPER
	RET

// The adds are one chain, in index order; meanwhile the processor computes the next
// exponentials.
//
// func expSum8AVX2(x []float32, maxVal, sum float32) float32
TEXT ·expSum8AVX2(SB), NOSPLIT, $0-36
	MOVQ   x_base+0(FP), x
	MOVQ   x_len+8(FP), n
	VMOVSS sum+28(FP), X15
	EXPCONSTANTS
	TESTQ  n, n
	JLE    done

loop:
	VBROADCASTSS maxVal+24(FP), Y1
	VMOVUPS      (x), Y0
	VSUBPS       Y1, Y0, Y0
	EXP8
	VMOVUPS      Y0, (x)
	VADDSS       (x), X15, X15
	VADDSS       4(x), X15, X15
	VADDSS       8(x), X15, X15
	VADDSS       12(x), X15, X15
	VADDSS       16(x), X15, X15
	VADDSS       20(x), X15, X15
	VADDSS       24(x), X15, X15
	VADDSS       28(x), X15, X15
	ADDQ         $32, x
	SUBQ         $8, n
	JGT          loop

done:
	VMOVSS X15, ret+32(FP)
	VZEROUPPER
	RET

// func divide8AVX2(x []float32, divisor float32)
TEXT ·divide8AVX2(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Y15
	TESTQ        n, n
	JLE          done

loop:
	VMOVUPS (x), Y0
	VDIVPS  Y15, Y0, Y0
	VMOVUPS Y0, (x)
	ADDQ    $32, x
	SUBQ    $8, n
	JGT     loop

done:
	VZEROUPPER
	RET

// func swiGLU8AVX2(hb, hb2 []float32)
TEXT ·swiGLU8AVX2(SB), NOSPLIT, $0-48
	MOVQ         hb_base+0(FP), x
	MOVQ         hb_len+8(FP), n
	MOVQ         hb2_base+24(FP), y
	EXPCONSTANTS
	VPCMPEQD     Y15, Y15, Y15
	VPSLLD       $31, Y15, Y15
	TESTQ        n, n
	JLE          done

loop:
	VXORPS       (x), Y15, Y0
	EXP8
	VBROADCASTSS ·expFloats+8(SB), Y1
	VADDPS       Y1, Y0, Y0
	VDIVPS       Y0, Y1, Y0           // 1 / (1 + e**-x)
	VMULPS       (x), Y0, Y0
	VMULPS       (y), Y0, Y0
	VMOVUPS      Y0, (x)
	ADDQ         $32, x
	ADDQ         $32, y
	SUBQ         $8, n
	JGT          loop

done:
	VZEROUPPER
	RET

#undef x
#undef y
#undef o

#define vec DI
#define end R8
#define cos SI
#define sin DX
#define head BX
#define p R9

// Four pairs of each head at a time, so that their cosines and sines are doubled once:
// each pair (v0, v1) times (c, c), minus and plus (v1, v0) times (s, s).
//
// func rotate4AVX2(vec, cos, sin []float32)
TEXT ·rotate4AVX2(SB), NOSPLIT, $0-72
	MOVQ vec_base+0(FP), vec
	MOVQ vec_len+8(FP), end
	MOVQ cos_base+24(FP), cos
	MOVQ cos_len+32(FP), n
	MOVQ sin_base+48(FP), sin
	LEAQ (vec)(end*4), end
	MOVQ n, head
	SHLQ $3, head           // bytes of a head
	CMPQ vec, end
	JGE  done

pairs:
	VPMOVZXDQ (cos), Y1
	VPMOVZXDQ (sin), Y2
	VMOVSLDUP Y1, Y1
	VMOVSLDUP Y2, Y2
	MOVQ      vec, p

heads:
	VMOVUPS   (p), Y0
	VPERMILPS $0xb1, Y0, Y3
	VMULPS    Y1, Y0, Y0
	VMULPS    Y2, Y3, Y3
	VADDSUBPS Y3, Y0, Y0
	VMOVUPS   Y0, (p)
	ADDQ      head, p
	CMPQ      p, end
	JLT       heads

	ADDQ $32, vec
	ADDQ $16, cos
	ADDQ $16, sin
	SUBQ $4, n
	JGT  pairs

done:
	VZEROUPPER
	RET

#undef vec
#undef end
#undef cos
#undef sin
#undef head
#undef p
#undef n

#define q DI
#define groups SI
#define left DX
#define x BX
#define size CX
#define p R8
#define stop R9

DATA lowBytes<>+0(SB)/8, $0x808080800c080400 // of four int32, then zeros
DATA lowBytes<>+8(SB)/8, $0x8080808080808080
GLOBL lowBytes<>(SB), RODATA|NOPTR, $16

// A group in two passes: the largest absolute value (the first source of VMAXPS, so that
// a NaN is passed over), then the quotients. Halves go away from zero: the largest
// float32 below 1/2 is added with the quotient's sign, and what follows the point is cut
// off. What is not finite is converted to -1<<31, whose low byte is 0.
//
// func quantize8AVX2(q []int8, gs []Group, x []float32, group int)
TEXT ·quantize8AVX2(SB), NOSPLIT, $0-80
	MOVQ           q_base+0(FP), q
	MOVQ           gs_base+24(FP), groups
	MOVQ           gs_len+32(FP), left
	MOVQ           x_base+48(FP), x
	MOVQ           group+72(FP), size
	VPCMPEQD       Y11, Y11, Y11
	VPSRLD         $1, Y11, Y10
	VPSLLD         $31, Y11, Y11
	MOVL           $0x3effffff, AX
	VMOVD          AX, X12
	VBROADCASTSS   X12, Y12            // 1/2 - 1/2**25
	MOVL           $0x42fe0000, AX
	VMOVD          AX, X13             // 127
	VBROADCASTI128 lowBytes<>(SB), Y14
	TESTQ          left, left
	JLE            done

next:
	LEAQ  (x)(size*4), stop
	VPXOR X0, X0, X0
	MOVQ  x, p

max:
	VANDPS (p), Y10, Y1
	VMAXPS Y0, Y1, Y0
	ADDQ   $32, p
	CMPQ   p, stop
	JNE    max

	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VDIVSS       X13, X0, X0
	VMOVSS       X0, (groups)
	VBROADCASTSS X0, Y0
	VPXOR        X3, X3, X3      // sums

round:
	VMOVUPS      (x), Y1
	VDIVPS       Y0, Y1, Y1
	VANDPS       Y11, Y1, Y2
	VORPS        Y12, Y2, Y2
	VADDPS       Y2, Y1, Y1
	VCVTTPS2DQ   Y1, Y1
	VPSHUFB      Y14, Y1, Y2
	VMOVD        X2, (q)
	VEXTRACTI128 $1, Y2, X2
	VMOVD        X2, 4(q)
	VPSLLD       $24, Y1, Y1
	VPSRAD       $24, Y1, Y1
	VPADDD       Y1, Y3, Y3
	ADDQ         $32, x
	ADDQ         $8, q
	CMPQ         x, stop
	JNE          round

	VEXTRACTI128 $1, Y3, X1
	VPADDD       X1, X3, X3
	VPSHUFD      $0x4e, X3, X1
	VPADDD       X1, X3, X3
	VPSHUFD      $0xb1, X3, X1
	VPADDD       X1, X3, X3
	VPSLLD       $7, X3, X3
	VMOVD        X3, AX
	NEGL         AX
	MOVL         AX, 4(groups)
	ADDQ         $8, groups
	DECQ         left
	JNE          next

done:
	VZEROUPPER
	RET

#undef q
#undef groups
#undef left
#undef x
#undef size
#undef p
#undef stop

// func add8AVX2(x, y []float32)
TEXT ·add8AVX2(SB), NOSPLIT, $0-48
	MOVQ  x_base+0(FP), SI
	MOVQ  x_len+8(FP), CX
	MOVQ  y_base+24(FP), DI
	XORQ  DX, DX
	TESTQ CX, CX
	JLE   done

loop:
	VMOVUPS (SI)(DX*1), Y0
	VADDPS  (DI)(DX*1), Y0, Y0
	VMOVUPS Y0, (SI)(DX*1)
	ADDQ    $32, DX
	SUBQ    $8, CX
	JGT     loop

done:
	VZEROUPPER
	RET

// func read256AVX2(b []byte) uint64
TEXT ·read256AVX2(SB), NOSPLIT, $0-32
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
	VPXOR (SI), Y0, Y0
	VPXOR 32(SI), Y1, Y1
	VPXOR 64(SI), Y2, Y2
	VPXOR 96(SI), Y3, Y3
	VPXOR 128(SI), Y0, Y0
	VPXOR 160(SI), Y1, Y1
	VPXOR 192(SI), Y2, Y2
	VPXOR 224(SI), Y3, Y3
	ADDQ  $256, SI
	CMPQ  SI, CX
	JLT   loop

done:
	VPXOR        Y1, Y0, Y0
	VPXOR        Y3, Y2, Y2
	VPXOR        Y2, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPXOR        X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPXOR        X1, X0, X0
	VMOVQ        X0, ret+24(FP)
	VZEROUPPER
	RET

#define rX DI
#define rN SI
#define rI AX
#define rMask CX

// The largest value first, then where it first is. VMAXPS with what
// is largest so far as its second operand keeps that when the other is not a number, as
// the twin's comparison does.
//
// func argmaxAVX2(x []float32) int
//
// len(x) is at least 1, and x[0] is a number.
TEXT ·argmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), rX
	MOVQ x_len+8(FP), rN
	VBROADCASTSS (rX), Y0
	VMOVAPS Y0, Y1
	XORQ rI, rI
	MOVQ rN, DX
	SUBQ $15, DX
	JMP wholeTest
whole:
	VMOVUPS (rX)(rI*4), Y2
	VMOVUPS 32(rX)(rI*4), Y3
	VMAXPS Y0, Y2, Y0
	VMAXPS Y1, Y3, Y1
	ADDQ $16, rI
wholeTest:
	CMPQ rI, DX
	JLT whole
	JMP restTest
rest:
	VBROADCASTSS (rX)(rI*4), Y2
	VMAXPS Y0, Y2, Y0
	INCQ rI
restTest:
	CMPQ rI, rN
	JLT rest
	VMAXPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x0E, X0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x01, X0, X1
	VMAXPS X1, X0, X0
	VBROADCASTSS X0, Y0
	XORQ rI, rI
	SUBQ $8, rN
	JMP findTest
find:
	VCMPPS $0, (rX)(rI*4), Y0, Y1
	VMOVMSKPS Y1, rMask
	TESTL rMask, rMask
	JNE found
	ADDQ $8, rI
findTest:
	CMPQ rI, rN
	JLE find
one:
	VUCOMISS (rX)(rI*4), X0
	JPS next // not a number
	JEQ done
next:
	INCQ rI
	JMP one
found:
	BSFL rMask, rMask
	ADDQ rMask, rI
done:
	MOVQ rI, ret+24(FP)
	VZEROUPPER
	RET
