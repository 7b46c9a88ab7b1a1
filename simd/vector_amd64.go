package simd

import "math"

// The kernels that are not matrix products. Sums are taken in index order, one addition after
// the other, so lanes do not make them faster: rmsNorm calls the twin's loop for its sum, and
// softmax computes exponentials while it adds those before. All else is done in lanes.
//
// The kernels for AVX2 take whole registers of 8 values; the last few are done here, because
// AVX2's masked loads read the whole register's memory under QEMU's TCG, and its masked stores
// are slow. Those for AVX-512 use masks.

// The constants of exp.go that the kernels read beside exp2Table, in this order.
var (
	expFloats  = [...]float32{expMax, expMin, 1}
	expDoubles = [...]float64{log2e32, magic, exp2C1, exp2C2, exp2C3, 1}
)

func rmsNormAVX2(o, x, weight []float32, epsilon float32) {
	scale := rmsScale(x, epsilon)
	n := len(x) &^ 7
	scale8AVX2(o[:n], x, weight, scale)
	for j := n; j < len(x); j++ {
		o[j] = weight[j] * (scale * x[j])
	}
}

func softmaxAVX2(x []float32, divisor float32) {
	n := len(x) &^ 7
	maxVal := divideMax8AVX2(x[:n], divisor)
	// The last values go through the kernel, too, filled up with -Inf: exp(-Inf) adds 0.
	inf := float32(math.Inf(-1))
	tail := [8]float32{inf, inf, inf, inf, inf, inf, inf, inf}
	rest := x[n:]
	for i, v := range rest {
		v /= divisor
		tail[i] = v
		if v > maxVal {
			maxVal = v
		}
	}
	sum := expSum8AVX2(x[:n], maxVal, 0)
	if len(rest) > 0 {
		sum = expSum8AVX2(tail[:], maxVal, sum)
	}
	divide8AVX2(x[:n], sum)
	for i := range rest {
		rest[i] = tail[i] / sum
	}
}

func swiGLUAVX2(hb, hb2 []float32) {
	n := len(hb) &^ 7
	swiGLU8AVX2(hb[:n], hb2)
	if n < len(hb) {
		var a, b [8]float32
		copy(a[:], hb[n:])
		copy(b[:], hb2[n:])
		swiGLU8AVX2(a[:], b[:])
		copy(hb[n:], a[:])
	}
}

func rotateAVX2(vec, cos, sin []float32) {
	if len(cos)%4 != 0 {
		rotate(vec, cos, sin)
		return
	}
	rotate4AVX2(vec, cos, sin)
}

func quantizeAVX2(q []int8, gs []Group, x []float32, group int) {
	if group%8 != 0 {
		quantize(q, gs, x, group)
		return
	}
	quantize8AVX2(q, gs, x, group)
}

func addAVX2(x, y []float32) {
	n := len(x) &^ 7
	add8AVX2(x[:n], y)
	add(x[n:], y[n:])
}

func readAVX2(b []byte) uint64 {
	n := len(b) &^ 255
	return read256AVX2(b[:n]) ^ read(b[n:])
}

func softmaxAVX512(x []float32, divisor float32) {
	maxVal := divideMaxAVX512(x, divisor)
	divideAVX512(x, expSumAVX512(x, maxVal))
}

func readAVX512(b []byte) uint64 {
	n := len(b) &^ 255
	return read256AVX512(b[:n]) ^ read(b[n:])
}

// scale8AVX2 sets o to weight * (scale * x); len(o) is a multiple of 8.
//
//go:noescape
func scale8AVX2(o, x, weight []float32, scale float32)

// divideMax8AVX2 divides x by divisor and returns the maximum, -Inf without one; len(x)
// is a multiple of 8.
//
//go:noescape
func divideMax8AVX2(x []float32, divisor float32) float32

// expSum8AVX2 replaces x by e**(x - maxVal) and returns sum plus all of these, added in
// order; len(x) is a multiple of 8.
//
//go:noescape
func expSum8AVX2(x []float32, maxVal, sum float32) float32

// divide8AVX2 divides x by divisor; len(x) is a multiple of 8.
//
//go:noescape
func divide8AVX2(x []float32, divisor float32)

// swiGLU8AVX2 is swiGLU; len(hb) is a multiple of 8.
//
//go:noescape
func swiGLU8AVX2(hb, hb2 []float32)

// rotate4AVX2 is rotate; len(cos) is a multiple of 4.
//
//go:noescape
func rotate4AVX2(vec, cos, sin []float32)

// quantize8AVX2 is quantize; group is a multiple of 8.
//
//go:noescape
func quantize8AVX2(q []int8, gs []Group, x []float32, group int)

// add8AVX2 is add; len(x) is a multiple of 8.
//
//go:noescape
func add8AVX2(x, y []float32)

// read256AVX2 is read; len(b) is a multiple of 256.
//
//go:noescape
func read256AVX2(b []byte) uint64

// argmaxAVX2 is argmax; x[0] is a number.
//
//go:noescape
func argmaxAVX2(x []float32) int

// divideMaxAVX512 divides x by divisor and returns the maximum.
//
//go:noescape
func divideMaxAVX512(x []float32, divisor float32) float32

// expSumAVX512 replaces x by e**(x - maxVal) and returns the sum of these, added in order.
//
//go:noescape
func expSumAVX512(x []float32, maxVal float32) float32

// divideAVX512 divides x by divisor.
//
//go:noescape
func divideAVX512(x []float32, divisor float32)

//go:noescape
func swiGLUAVX512(hb, hb2 []float32)

//go:noescape
func quantizeAVX512(q []int8, gs []Group, x []float32, group int)

// read256AVX512 is read; len(b) is a multiple of 256.
//
//go:noescape
func read256AVX512(b []byte) uint64
