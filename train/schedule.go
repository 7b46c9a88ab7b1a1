package train

import "math"

// learningRate returns the learning rate of a step, the first being 0: it grows evenly for
// Warmup steps, the last of which has LearningRate, and then falls as half a wave of the
// cosine to MinLearningRate at step Steps (Loshchilov and Hutter 2017; llama2.c's train.py).
func (o *Options) learningRate(step int) float64 {
	if step < o.Warmup {
		return o.LearningRate * float64(step+1) / float64(o.Warmup)
	}
	if step >= o.Steps {
		return o.MinLearningRate
	}
	ratio := float64(step-o.Warmup) / float64(o.Steps-o.Warmup)
	share := 0.5 + float64(0.5*cosPi(ratio))
	return o.MinLearningRate + float64(share*(o.LearningRate-o.MinLearningRate))
}

// cosPi returns cos(pi*x) for 0 <= x <= 1, as the Taylor series of sin(pi*(1/2 - x)); the
// first term left out is below 2**-60. math.Cos has not the same bits on all machines.
func cosPi(x float64) float64 {
	y := float64(math.Pi * (0.5 - x))
	y2 := float64(y * y)
	p := 1.0
	for k := 22.0; k >= 2; k -= 2 {
		p = 1 - float64(p*float64(y2/float64(k*(k+1))))
	}
	return float64(y * p)
}
