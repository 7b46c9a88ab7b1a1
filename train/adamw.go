package train

import "math"

// adamW is what a step of AdamW needs to know (Loshchilov and Hutter 2019), in float32 as
// torch.optim.AdamW computes.
type adamW struct {
	scale        float32 // of the gradient: 1 unless it is clipped
	decay        float32 // 1 - learning rate * weight decay
	beta1, beta2 float32
	rest1, rest2 float32 // 1 - beta
	rate         float32 // learning rate / (1 - beta1**t)
	correction2  float32 // 1 - beta2**t
	epsilon      float32
}

// newAdamW prepares the step that comes after `done` others.
func newAdamW(o *Options, done int, learningRate, scale float64) adamW {
	return adamW{
		scale: float32(scale),
		decay: float32(1 - float64(learningRate*o.WeightDecay)),
		beta1: float32(o.Beta1), rest1: float32(1 - o.Beta1),
		beta2: float32(o.Beta2), rest2: float32(1 - o.Beta2),
		rate:        float32(learningRate / (1 - power(o.Beta1, done+1))),
		correction2: float32(1 - power(o.Beta2, done+1)),
		epsilon:     float32(o.Epsilon),
	}
}

// power returns x**n for n >= 0, the same bits everywhere.
func power(x float64, n int) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = float64(p * x)
		}
		x = float64(x * x)
	}
	return p
}

// update moves the weights w, whose gradient is g and whose moments are m and v. All have
// the same length.
func (a *adamW) update(w, g, m, v []float32, matrix bool) {
	decay := float32(1)
	if matrix {
		decay = a.decay
	}
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i, wi := range w {
		gi := a.scale * g[i]
		mi := float32(a.beta1*m[i]) + float32(a.rest1*gi)
		vi := float32(a.beta2*v[i]) + float32(a.rest2*float32(gi*gi))
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi / a.correction2)))
		w[i] = float32(wi*decay) - float32(a.rate*mi)/(root+a.epsilon)
	}
}

// normBlock is the number of values whose squares are summed by themselves, so that the
// order of all sums is the same for any number of threads.
const normBlock = 1 << 14

// sumOfSquares returns the sum of the squares of g, in four sums.
func sumOfSquares(g []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(g) >= 4; g = g[4:] {
		v := (*[4]float32)(g)
		a, b, c, d := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(c * c)
		s3 += float64(d * d)
	}
	for _, v := range g {
		s0 += float64(float64(v) * float64(v))
	}
	return (s0 + s1) + (s2 + s3)
}
