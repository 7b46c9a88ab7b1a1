package llama

import "math"

// The same bits everywhere: package math computes Exp, Sin, Cos and Pow with
// assembly on some CPUs and with Go on others, and a compiler may fuse a
// multiplication with the addition that follows. So the model has functions of
// its own, and every product that is added to something is written
// float32(a*b) or float64(a*b): the conversion rounds, which forbids fusing.
// math.Sqrt is correctly rounded on every CPU and is used as it is.

// Constants of expf.
const (
	log2e  float32 = 1.44269504088896340736
	ln2Hi  float32 = 0x1.62e4p-1               // ln 2 to 15 bits: k*ln2Hi is exact for |k| < 512
	ln2Lo  float32 = 1.42860682030941723212e-6 // ln 2 - ln2Hi
	magic  float32 = 0x1.8p23                  // x + magic - magic rounds x to the nearest integer
	expMax float32 = 89                        // exp(89) overflows float32
	expMin float32 = -104                      // exp(-104) rounds to 0
	exp2   float32 = 0x1.fffffcp-2             // coefficients of r**2 ... r**6: minimax
	exp3   float32 = 0x1.55549p-3              // for the relative error of e**r
	exp4   float32 = 0x1.5558f4p-5             // on |r| <= ln(2)/2, 3.1e-9
	exp5   float32 = 0x1.123a6cp-7             // before rounding
	exp6   float32 = 0x1.6a235p-10
)

// expf returns e**x within 1 ulp, results below the normal range and
// infinities included. It is float32 arithmetic and bit operations without a
// branch that depends on more than its own lane, so that a vector kernel can
// repeat it lane for lane: x = k ln 2 + r, e**x = 2**k e**r.
func expf(x float32) float32 {
	if x > expMax {
		x = expMax
	}
	if x < expMin {
		x = expMin
	}
	t := float32(x*log2e) + magic
	n := t - magic
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	p := exp6
	p = float32(p*r) + exp5
	p = float32(p*r) + exp4
	p = float32(p*r) + exp3
	p = float32(p*r) + exp2
	y := 1 + (r + float32(float32(r*r)*p))
	// 2**k as 2**(k/2) * 2**(k-k/2): k is -150 ... 128, too wide for one exponent.
	k := int32(math.Float32bits(t)) - int32(math.Float32bits(magic))
	half := k >> 1
	y *= math.Float32frombits(uint32(half+127) << 23)
	y *= math.Float32frombits(uint32(k-half+127) << 23)
	return y
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
// and cosf, for 0 <= x < 2**20 (positions are smaller). It is computed once per
// position and frequency at load, in float64.
func sincosf(x float32) (sin, cos float32) {
	const (
		twoOverPi = 0.636619772367581343075535053490057448
		// pi/2 in three parts; the first two have 33 bits, so that their
		// products with k, which has 20, are exact.
		pio2a = 0x1.921fb544p+0
		pio2b = 0x1.0b4611a6p-34
		pio2c = 0x1.3198a2e037073p-69
	)
	k := math.Floor(float64(float64(x)*twoOverPi) + 0.5)
	r := float64(x) - float64(k*pio2a)
	r -= float64(k * pio2b)
	r -= float64(k * pio2c)
	// Taylor series, |r| <= pi/4: the first terms left out are below 2**-60.
	r2 := float64(r * r)
	s, c := 1.0, 1.0
	for i := 18.0; i >= 2; i -= 2 {
		s = 1 - float64(float64(r2/float64(i*(i+1)))*s)
		c = 1 - float64(float64(r2/float64(i*(i-1)))*c)
	}
	s = float64(s * r)
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
