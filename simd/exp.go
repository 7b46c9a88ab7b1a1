package simd

import "math"

// exp2Table holds 2**(i/32), rounded to float64.
var exp2Table = [32]float64{
	0x1.0000000000000p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.11301d0125b51p+0,
	0x1.172b83c7d517bp+0, 0x1.1d4873168b9aap+0, 0x1.2387a6e756238p+0, 0x1.29e9df51fdee1p+0,
	0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0, 0x1.3dea64c123422p+0, 0x1.44e086061892dp+0,
	0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0, 0x1.6247eb03a5585p+0,
	0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0, 0x1.7a11473eb0187p+0, 0x1.82589994cce13p+0,
	0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f090p+0, 0x1.a5503b23e255dp+0,
	0x1.ae89f995ad3adp+0, 0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0, 0x1.cb720dcef9069p+0,
	0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0, 0x1.ea4afa2a490dap+0, 0x1.f50765b6e4540p+0,
}

// Constants of expf.
const (
	log2e32 = 0x1.71547652b82fep+5 // 32/ln 2
	magic   = 0x1.8p52             // x + magic - magic rounds x to the nearest integer
	expMax  = 89                   // exp(89) overflows float32
	expMin  = -104                 // exp(-104) rounds to 0
	// 2**(r/32) = 1 + exp2C1 r + exp2C2 r**2 + exp2C3 r**3 for |r| <= 1/2, minimax
	exp2C1 = 0x1.62e42ff0c52d6p-1 / 32
	exp2C2 = 0x1.ebfce50fac4f3p-3 / (32 * 32)
	exp2C3 = 0x1.c6af84b912394p-5 / (32 * 32 * 32)
)

// expf returns e**x rounded to float32, within 0.502 ulp. It is the method of Arm's
// Optimized Routines, with its table and polynomial, because glibc's expf is: the logits
// then have the bits of run.c and runq.c built with that library, and no int8 activation is
// rounded differently. x = (32 k + i + r) ln(2)/32 and
// e**x = 2**k 2**(i/32) 2**(r/32), in float64; the kernels do the same operations in each lane.
func expf(x float32) float32 {
	if x > expMax {
		x = expMax
	}
	if x < expMin {
		x = expMin
	}
	z := float64(float64(x) * log2e32)
	shifted := z + magic
	r := z - (shifted - magic)
	n := int64(math.Float64bits(shifted)) - int64(math.Float64bits(magic)) // 32 k + i
	scale := math.Float64frombits(math.Float64bits(exp2Table[n&31]) + uint64(n>>5)<<52)
	y := float64(exp2C1*r) + 1
	y = float64((float64(exp2C3*r)+exp2C2)*float64(r*r)) + y
	return float32(y * scale)
}

// sqrtf returns the square root of x, correctly rounded: the rounding of the
// float64 root to float32 never differs from rounding once.
func sqrtf(x float32) float32 {
	return float32(math.Sqrt(float64(x)))
}

// Exp is run.c's expf, with the bits that all kernels give.
func Exp(x float32) float32 { return expf(x) }
