package llama

import "math"

// The same bits everywhere: package math computes Exp, Sin, Cos and Pow with
// assembly on some CPUs and with Go on others, and a compiler may fuse a
// multiplication with the addition that follows. So the model has functions of
// its own, and every product that is added to something is written
// float32(a*b) or float64(a*b): the conversion rounds, which forbids fusing.
// math.Sqrt is correctly rounded on every CPU and is used as it is.

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
// then have the bits of run.c and runq.c built with that library, and no rounding of an
// int8 activation goes the other way. x = (32 k + i + r) ln(2)/32 and
// e**x = 2**k 2**(i/32) 2**(r/32), in float64; a vector kernel can repeat it lane for lane.
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

// pow10000 returns 10000**y rounded to float32, for 0 <= y <= 1: run.c's
// powf(10000.0f, y). It is computed once per frequency at load, in float64.
func pow10000(y float32) float32 {
	const (
		ln10000 = 9.21034037197618273607196581873745683040
		ln2     = 0.693147180559945309417232121458176568
	)
	x := float64(float64(y) * ln10000)
	k := math.Floor(float64(x/ln2) + 0.5)
	r := x - float64(k*ln2)
	// Taylor series of e**r, |r| <= ln(2)/2: the first term left out is below 2**-60.
	p := 1.0
	for i := 16.0; i >= 1; i-- {
		p = 1 + float64(float64(r/i)*p)
	}
	return float32(math.Ldexp(p, int(k)))
}

// sincosf returns the sine and cosine of x rounded to float32: run.c's sinf
// and cosf, for 0 <= x < 2**20 (positions are smaller). The polynomials and the
// reduction below 120 are those of Arm's Optimized Routines, and so of glibc: see expf.
// It is computed once per position and frequency at load, in float64.
func sincosf(x float32) (sin, cos float32) {
	const (
		twoOverPi = 0x1.45f306dc9c883p-1
		pio2      = 0x1.921fb54442d18p+0
		// pi/2 in three parts; the first two have 33 bits, so that their
		// products with k, which has 20, are exact.
		pio2a = 0x1.921fb544p+0
		pio2b = 0x1.0b4611a6p-34
		pio2c = 0x1.3198a2e037073p-69
		// Coefficients of x**3 to x**7 and of x**2 to x**8, |x| <= pi/4: minimax.
		sin1, sin2, sin3       = -0x1.555545995a603p-3, 0x1.1107605230bc4p-7, -0x1.994eb3774cf24p-13
		cos1, cos2, cos3, cos4 = -0x1.ffffffd0c621cp-2, 0x1.55553e1068f19p-5, -0x1.6c087e89a359dp-10, 0x1.99343027bf8c3p-16
	)
	k := math.Floor(float64(float64(x)*twoOverPi) + 0.5)
	r := float64(x) - float64(k*pio2)
	if x >= 120 {
		r = float64(x) - float64(k*pio2a)
		r -= float64(k * pio2b)
		r -= float64(k * pio2c)
	}
	r2 := float64(r * r)
	r3, r4 := float64(r*r2), float64(r2*r2)
	s := r + float64(r3*sin1)
	s += float64(float64(r3*r2) * (sin2 + float64(r2*sin3)))
	c := 1 + float64(r2*cos1)
	c += float64(r4 * cos2)
	c += float64(float64(r4*r2) * (cos3 + float64(r2*cos4)))
	switch int64(k) & 3 {
	case 1:
		s, c = c, -s
	case 2:
		s, c = -s, -c
	case 3:
		s, c = -c, s
	}
	return float32(s), float32(c)
}
