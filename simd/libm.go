package simd

import "math"

// What run.c has from libm, with expf (exp.go). The same bits everywhere: package math
// computes Exp, Sin, Cos and Pow with assembly on some CPUs and with Go on others, and a
// compiler may fuse a multiplication with the addition that follows. So the model has
// functions of its own, and every product that is added to something is written
// float32(a*b) or float64(a*b): the conversion rounds, which forbids fusing.
// math.Sqrt is correctly rounded on every CPU and is used as it is.

const ln2 = 0.693147180559945309417232121458176568

// Pow returns base**y rounded to float32, for base >= 1 and 0 <= y <= 1: run.c's
// powf(10000.0f, y). It is computed once per frequency at load, in float64.
func Pow(base, y float32) float32 {
	x := float64(float64(y) * ln(float64(base)))
	k := math.Floor(float64(x/ln2) + 0.5)
	r := x - float64(k*ln2)
	// Taylor series of e**r, |r| <= ln(2)/2: the first term left out is below 2**-60.
	p := 1.0
	for i := 16.0; i >= 1; i-- {
		p = 1 + float64(float64(r/i)*p)
	}
	return float32(math.Ldexp(p, int(k)))
}

// ln returns the natural logarithm of x, x >= 1, with an error of a few units in the last
// place; that of 10000 is correctly rounded.
func ln(x float64) float64 {
	m, e := math.Frexp(x) // m in [1/2, 1)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	// Series of 2*atanh(s), |s| < 0.172: the first term left out is below 2**-58.
	s := (m - 1) / (m + 1)
	sum, s2 := 0.0, float64(s*s)
	for i := 23.0; i >= 1; i -= 2 {
		sum = 1/i + float64(s2*sum)
	}
	// ln(2) in two parts; the first has 33 bits, so that its product with e is exact.
	const ln2a, ln2b = 0x1.62e42fee00000p-1, 0x1.a39ef35793c76p-33
	return float64(float64(e)*ln2a) + (float64(2*float64(s*sum)) + float64(float64(e)*ln2b))
}

// SinCos returns the sine and cosine of x rounded to float32: run.c's sinf
// and cosf, for 0 <= x < 2**20 (positions are smaller). The polynomials and the
// reduction below 120 are those of Arm's Optimized Routines, and so of glibc: see expf.
// It is computed once per position and frequency at load, in float64.
func SinCos(x float32) (sin, cos float32) {
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
