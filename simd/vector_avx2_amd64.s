#include "textflag.h"
#include "lanes_amd64.h"

// All but the matrix products, for AVX2. kernels_amd64.go says how to read this. Lengths are
// multiples of 8, the lanes of a register; vector_amd64.go does the rest.

// EXPCONSTANTS loads the constants of EXP8, and the address of exp2Table into AX.
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

// EXP8's twin is expf in exp.go, whose lines and names stand beside: Y0 = expf(Y0) for 8
// float32, computed in two halves of 4 float64, each instruction for one and then for the
// other. Y1 to Y7 are lost. VMINPS and VMAXPS return the first operand where either is a NaN.
#define EXP8 \
	VBROADCASTSS ·expFloats+0(SB), Y6 \ // expMax
	VBROADCASTSS ·expFloats+4(SB), Y7 \ // expMin
	VMINPS       Y0, Y6, Y0           \ // if x > expMax { x = expMax }
	VMAXPS       Y0, Y7, Y0           \ // if x < expMin { x = expMin }
	VEXTRACTF128 $1, Y0, X2           \
	VCVTPS2PD    X0, Y1               \
	VCVTPS2PD    X2, Y2               \
	VMULPD       Y8, Y1, Y1           \ // z = float64(x) * log2e32
	VMULPD       Y8, Y2, Y2           \
	VADDPD       Y9, Y1, Y3           \ // shifted = z + magic
	VADDPD       Y9, Y2, Y4           \
	VSUBPD       Y9, Y3, Y5           \
	VSUBPD       Y9, Y4, Y6           \
	VSUBPD       Y5, Y1, Y1           \ // r = z - (shifted - magic)
	VSUBPD       Y6, Y2, Y2           \
	VPAND        Y14, Y3, Y0          \ // n & 31
	VPCMPEQD     Y7, Y7, Y7           \ // gather all lanes
	VGATHERQPD   Y7, (AX)(Y0*8), Y5   \ // exp2Table[n & 31]
	VPAND        Y14, Y4, Y0          \
	VPCMPEQD     Y7, Y7, Y7           \
	VGATHERQPD   Y7, (AX)(Y0*8), Y6   \
	VPSRLQ       $5, Y3, Y3           \ // n >> 5
	VPSRLQ       $5, Y4, Y4           \
	VPSLLQ       $52, Y3, Y3          \ // uint64(n >> 5) << 52
	VPSLLQ       $52, Y4, Y4          \
	VPADDQ       Y3, Y5, Y5           \ // scale
	VPADDQ       Y4, Y6, Y6           \
	VMULPD       Y10, Y1, Y3          \
	VMULPD       Y10, Y2, Y4          \
	VADDPD       Y13, Y3, Y3          \ // y = exp2C1 * r + 1
	VADDPD       Y13, Y4, Y4          \
	VMULPD       Y12, Y1, Y0          \
	VMULPD       Y12, Y2, Y7          \
	VADDPD       Y11, Y0, Y0          \ // exp2C3 * r + exp2C2
	VADDPD       Y11, Y7, Y7          \
	VMULPD       Y1, Y1, Y1           \ // r * r
	VMULPD       Y2, Y2, Y2           \
	VMULPD       Y1, Y0, Y0           \
	VMULPD       Y2, Y7, Y7           \
	VADDPD       Y3, Y0, Y0           \ // y = (exp2C3 * r + exp2C2) * (r * r) + y
	VADDPD       Y4, Y7, Y7           \
	VMULPD       Y5, Y0, Y0           \ // y * scale
	VMULPD       Y6, Y7, Y7           \
	VCVTPD2PSY   Y0, X0               \
	VCVTPD2PSY   Y7, X7               \
	VINSERTF128  $1, X7, Y0, Y0

#define x SI
#define n CX
#define y DI
#define o R8

// scale8AVX2 is the loop of rmsNorm; y is weight.
//
//	for j := range n {
//		o[j] = weight[j] * (scale * x[j])
//	}
//
// func scale8AVX2(o, x, weight []float32, scale float32)
TEXT ·scale8AVX2(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), o
	MOVQ         o_len+8(FP), n
	MOVQ         x_base+24(FP), x
	MOVQ         weight_base+48(FP), y
	VBROADCASTSS scale+72(FP), Y15
	XORQ         DX, DX                // bytes done
	TESTQ        n, n
	JLE          done

loop:
	VMULPS  (x)(DX*1), Y15, Y0 // scale * x[j]
	VMULPS  (y)(DX*1), Y0, Y0  // weight[j] * that
	VMOVUPS Y0, (o)(DX*1)
	ADDQ    $32, DX
	SUBQ    $8, n
	JGT     loop

done:
	VZEROUPPER
	RET

// divideMax8AVX2 is the first two loops of softmax.
//
//	maxVal := -Inf
//	for i := range x {
//		x[i] /= divisor
//		maxVal = max(maxVal, x[i])
//	}
//	return maxVal
//
// VMAXPS returns its first operand where either is a NaN: the maximum so far, which never is
// one. (A softmax with a NaN is NaN everywhere in any case.)
//
// func divideMax8AVX2(x []float32, divisor float32) float32
TEXT ·divideMax8AVX2(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS divisor+24(FP), Y15
	MOVL         $0xff800000, AX     // -Inf
	VMOVD        AX, X14
	VBROADCASTSS X14, Y14            // maxVal
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
	VMOVAPS Y14, Y0
	MAX8
	VMOVSS  X0, ret+32(FP)
	VZEROUPPER
	RET

// expSum8AVX2 is the third loop of softmax.
//
//	for i := range x {
//		x[i] = expf(x[i] - maxVal)
//		sum += x[i] // X15
//	}
//	return sum
//
// The additions are one chain, in index order; meanwhile the processor computes the next
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

// divide8AVX2 is the last loop of softmax.
//
//	for i := range x {
//		x[i] /= divisor
//	}
//
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

// swiGLU8AVX2's twin is swiGLU; x is hb, y is hb2.
//
//	for i, val := range hb {
//		hb[i] = val * (1 / (1 + expf(-val))) * hb2[i]
//	}
//
// func swiGLU8AVX2(hb, hb2 []float32)
TEXT ·swiGLU8AVX2(SB), NOSPLIT, $0-48
	MOVQ     hb_base+0(FP), x
	MOVQ     hb_len+8(FP), n
	MOVQ     hb2_base+24(FP), y
	EXPCONSTANTS
	VPCMPEQD Y15, Y15, Y15
	VPSLLD   $31, Y15, Y15      // the bit of the sign
	TESTQ    n, n
	JLE      done

loop:
	VXORPS       (x), Y15, Y0         // -val
	EXP8
	VBROADCASTSS ·expFloats+8(SB), Y1 // 1
	VADDPS       Y1, Y0, Y0
	VDIVPS       Y0, Y1, Y0           // 1 / (1 + expf(-val))
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

// add8AVX2's twin is add.
//
//	for i := range n {
//		x[i] += y[i]
//	}
//
// func add8AVX2(x, y []float32)
TEXT ·add8AVX2(SB), NOSPLIT, $0-48
	MOVQ  x_base+0(FP), x
	MOVQ  x_len+8(FP), n
	MOVQ  y_base+24(FP), y
	XORQ  DX, DX           // bytes done
	TESTQ n, n
	JLE   done

loop:
	VMOVUPS (x)(DX*1), Y0
	VADDPS  (y)(DX*1), Y0, Y0
	VMOVUPS Y0, (x)(DX*1)
	ADDQ    $32, DX
	SUBQ    $8, n
	JGT     loop

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

// rotate4AVX2's twin is rotate.
//
//	for i := 0; i < len(cos); i += 4 {   // pairs
//		for h := 0; h < len(vec); h += 2*len(cos) {   // heads
//			for j := i; j < i+4; j++ {
//				v0, v1 := vec[h+2*j], vec[h+2*j+1]
//				vec[h+2*j] = v0*cos[j] - v1*sin[j]
//				vec[h+2*j+1] = v1*cos[j] + v0*sin[j]
//			}
//		}
//	}
//
// Four pairs are a register. Cosines and sines are doubled, (c, c) and (s, s), once for all
// heads; VADDSUBPS subtracts in even lanes and adds in odd ones.
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
	SHLQ $3, head             // bytes of a head
	CMPQ vec, end
	JGE  done

pairs:
	VPMOVZXDQ (cos), Y1 // c0 0 c1 0 c2 0 c3 0
	VPMOVZXDQ (sin), Y2
	VMOVSLDUP Y1, Y1    // c0 c0 c1 c1 c2 c2 c3 c3
	VMOVSLDUP Y2, Y2
	MOVQ      vec, p

heads:
	VMOVUPS   (p), Y0
	VPERMILPS $0xb1, Y0, Y3 // v1 v0 in each pair
	VMULPS    Y1, Y0, Y0    // v0*c v1*c
	VMULPS    Y2, Y3, Y3    // v1*s v0*s
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

// quantize8AVX2's twin is quantize.
//
//	for i := range gs {
//		wmax := 0
//		for j := range group {
//			wmax = max(wmax, abs(x[i*group+j])) // Y0
//		}
//		gs[i].Scale = wmax / 127
//		sum := 0
//		for j := range group {
//			v := x[i*group+j] / gs[i].Scale
//			q[i*group+j] = int8(int32(v + copysign(1/2 - 1/2**25, v)))
//			sum += q[i*group+j] // Y3
//		}
//		gs[i].Bias = -128 * sum
//	}
//
// Halves are rounded away from zero: the largest float32 below 1/2 is added with the
// quotient's sign, and the conversion to int32 drops the fraction. What is not finite is
// converted to -1<<31, whose low byte is 0. VMAXPS returns its first operand, the maximum so
// far, where either is a NaN.
//
// func quantize8AVX2(q []int8, gs []Group, x []float32, group int)
TEXT ·quantize8AVX2(SB), NOSPLIT, $0-80
	MOVQ           q_base+0(FP), q
	MOVQ           gs_base+24(FP), groups
	MOVQ           gs_len+32(FP), left
	MOVQ           x_base+48(FP), x
	MOVQ           group+72(FP), size
	VPCMPEQD       Y11, Y11, Y11
	VPSRLD         $1, Y11, Y10           // all bits but the sign
	VPSLLD         $31, Y11, Y11          // the bit of the sign
	MOVL           $0x3effffff, AX
	VMOVD          AX, X12
	VBROADCASTSS   X12, Y12               // 1/2 - 1/2**25
	MOVL           $0x42fe0000, AX
	VMOVD          AX, X13                // 127
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

	MAX8
	VDIVSS       X13, X0, X0
	VMOVSS       X0, (groups)
	VBROADCASTSS X0, Y0       // scale
	VPXOR        X3, X3, X3

round:
	VMOVUPS      (x), Y1
	VDIVPS       Y0, Y1, Y1
	VANDPS       Y11, Y1, Y2
	VORPS        Y12, Y2, Y2 // 1/2 - 1/2**25 with the quotient's sign
	VADDPS       Y2, Y1, Y1
	VCVTTPS2DQ   Y1, Y1
	VPSHUFB      Y14, Y1, Y2 // the low bytes of 4 int32, and of 4 more
	VMOVD        X2, (q)
	VEXTRACTI128 $1, Y2, X2
	VMOVD        X2, 4(q)
	VPSLLD       $24, Y1, Y1
	VPSRAD       $24, Y1, Y1 // int32(int8(Y1))
	VPADDD       Y1, Y3, Y3
	ADDQ         $32, x
	ADDQ         $8, q
	CMPQ         x, stop
	JNE          round

	SUM8
	VPSLLD $7, X3, X3
	VMOVD  X3, AX
	NEGL   AX
	MOVL   AX, 4(groups)
	ADDQ   $8, groups
	DECQ   left
	JNE    next

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

#define b SI
#define end CX

// read256AVX2's twin is read, with 16 sums, four in each register; len(b) is a
// multiple of 256.
//
//	for ; b < end; b += 256 {
//		for i := range 32 {
//			sums[i%16] ^= 8 bytes at b + 8*i
//		}
//	}
//	return sums[0] ^ ... ^ sums[15]
//
// func read256AVX2(b []byte) uint64
TEXT ·read256AVX2(SB), NOSPLIT, $0-32
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
	VPXOR (b), Y0, Y0
	VPXOR 32(b), Y1, Y1
	VPXOR 64(b), Y2, Y2
	VPXOR 96(b), Y3, Y3
	VPXOR 128(b), Y0, Y0
	VPXOR 160(b), Y1, Y1
	VPXOR 192(b), Y2, Y2
	VPXOR 224(b), Y3, Y3
	ADDQ  $256, b
	CMPQ  b, end
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

#undef b
#undef end

#define x DI
#define n SI
#define i AX
#define mask CX

// argmaxAVX2's twin is argmax; x is not empty and x[0] is no NaN.
//
//	maxVal := x[0] // Y0, and Y1 for every second 8
//	for _, v := range x {
//		maxVal = max(maxVal, v)
//	}
//	for i, v := range x {
//		if v == maxVal {
//			return i
//		}
//	}
//
// VMAXPS returns its first operand, the maximum so far, where either is a NaN.
//
// func argmaxAVX2(x []float32) int
TEXT ·argmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ         x_base+0(FP), x
	MOVQ         x_len+8(FP), n
	VBROADCASTSS (x), Y0
	VMOVAPS      Y0, Y1
	XORQ         i, i
	MOVQ         n, DX
	SUBQ         $15, DX
	JMP          wholeTest

whole:  // 16 values at a time
	VMOVUPS (x)(i*4), Y2
	VMOVUPS 32(x)(i*4), Y3
	VMAXPS  Y0, Y2, Y0
	VMAXPS  Y1, Y3, Y1
	ADDQ    $16, i

wholeTest:
	CMPQ i, DX
	JLT  whole
	JMP  restTest

rest:  // one at a time
	VBROADCASTSS (x)(i*4), Y2
	VMAXPS       Y0, Y2, Y0
	INCQ         i

restTest:
	CMPQ i, n
	JLT  rest

	VMAXPS       Y1, Y0, Y0
	MAX8
	VBROADCASTSS X0, Y0     // maxVal
	XORQ         i, i
	SUBQ         $8, n
	JMP          findTest

find:  // in 8 values at a time
	VCMPPS    $0, (x)(i*4), Y0, Y1 // which are equal
	VMOVMSKPS Y1, mask             // a bit for each
	TESTL     mask, mask
	JNE       found
	ADDQ      $8, i

findTest:
	CMPQ i, n
	JLE  find

one:  // in the rest, where it is
	VUCOMISS (x)(i*4), X0
	JPS      next         // a NaN
	JEQ      done

next:
	INCQ i
	JMP  one

found:
	BSFL mask, mask // the first that is equal
	ADDQ mask, i

done:
	MOVQ i, ret+24(FP)
	VZEROUPPER
	RET
