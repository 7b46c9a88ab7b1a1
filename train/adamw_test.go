package train

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestAdamW: many steps of every kind of weight follow the published algorithm in float64.
// Both start at the same weights, and the gradients are float32; what differs is rounding,
// 2**-24 of the weight in each of the steps.
func TestAdamW(t *testing.T) {
	const steps = 50
	o := testOptions(1)
	o.Clip = 0
	rng := rand.New(rand.NewPCG(1, 2))
	for _, matrix := range []bool{true, false} {
		const n = 100
		w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		var want, first, second [n]float64
		for i := range w {
			w[i] = float32(rng.Float64() - 0.5)
			want[i] = float64(w[i])
		}
		for step := range steps {
			rate := o.learningRate(step)
			for i := range g {
				g[i] = float32(0.1 * (rng.Float64() - 0.3))
				gi := float64(g[i]) * 0.5
				first[i] = o.Beta1*first[i] + (1-o.Beta1)*gi
				second[i] = o.Beta2*second[i] + (1-o.Beta2)*gi*gi
				mHat := first[i] / (1 - math.Pow(o.Beta1, float64(step+1)))
				vHat := second[i] / (1 - math.Pow(o.Beta2, float64(step+1)))
				if matrix {
					want[i] -= rate * o.WeightDecay * want[i]
				}
				want[i] -= rate * mHat / (math.Sqrt(vHat) + o.Epsilon)
			}
			a := newAdamW(&o, step, rate, 0.5)
			a.update(w, g, m, v, matrix)
		}
		moved := 0.0
		for i := range w {
			if diff := math.Abs(float64(w[i]) - want[i]); !(diff <= 2e-6) {
				t.Errorf("matrix %v: weight %d is %g, want %g", matrix, i, w[i], want[i])
			}
			moved = max(moved, math.Abs(float64(m[i])))
		}
		if !(moved > 0) {
			t.Error("nothing moved")
		}
	}
}

// TestWeightDecay: matrices decay, and nothing else does. Without a learning rate nothing
// changes at all.
func TestWeightDecay(t *testing.T) {
	o := testOptions(1)
	tokens := randomTokens(grouped, 1, 1)
	weights := func(decay, rate float64) *Parameters {
		o.WeightDecay, o.LearningRate = decay, rate
		tr := New(grouped, o)
		tr.Step(tokens)
		return tr.parameters
	}
	none, some, start := weights(0, 1e-3), weights(0.1, 1e-3), New(grouped, o).parameters
	for i, kind := range some.tensors() {
		if differs(*kind.data, *none.tensors()[i].data) >= 0 != kind.matrix {
			t.Errorf("%s: decays: %v, want %v", kind.name, !kind.matrix, kind.matrix)
		}
	}
	if i := differs(weights(0.1, 0).Data, start.Data); i >= 0 {
		t.Errorf("without a learning rate weight %d changes", i)
	}
}

// TestClip: the norm that is reported is that of the gradient, and what is left of a
// gradient that is too long has the length allowed, as the first moments show, which are
// (1 - beta1) times the gradient after one step.
func TestClip(t *testing.T) {
	for _, clip := range []float64{0, 0.01, 1e6} {
		o := testOptions(2)
		o.Clip = clip
		tr := New(grouped, o)
		r := tr.Step(randomTokens(grouped, 2, 1))
		norm := func(data []float32) float64 {
			sum := 0.0
			for _, v := range data {
				sum += float64(v) * float64(v)
			}
			return math.Sqrt(sum)
		}
		if got := norm(tr.gradient.Data); !(math.Abs(got-r.GradNorm) <= 1e-9*got && got >= 0.02) {
			t.Errorf("clip %g: the norm is %g, want %g", clip, r.GradNorm, got)
		}
		want := r.GradNorm
		if clip > 0 {
			want = min(want, clip)
		}
		if got := norm(tr.m.Data) / (1 - o.Beta1); !(math.Abs(got-want) <= 1e-5*want) {
			t.Errorf("clip %g: the gradient has norm %g after clipping, want %g", clip, got, want)
		}
	}
}

// TestNotFinite: a gradient that is not finite is reported, and does not spoil the weights.
func TestNotFinite(t *testing.T) {
	tr := New(grouped, testOptions(1))
	tr.parameters.RMSFinalWeight[0] = float32(math.Inf(1))
	before := append([]float32(nil), tr.parameters.Data...)
	r := tr.Step(randomTokens(grouped, 1, 1))
	if !math.IsNaN(r.GradNorm) && !math.IsInf(r.GradNorm, 0) {
		t.Errorf("the norm is %g", r.GradNorm)
	}
	if i := differs(tr.parameters.Data, before); i >= 0 || tr.StepsDone != 1 {
		t.Errorf("weight %d changed; %d steps are done", i, tr.StepsDone)
	}
}

// TestLearningRate: warm-up, cosine and what comes after, against package math, and the bits
// of some rates, which no machine may change.
func TestLearningRate(t *testing.T) {
	o := Options{Steps: 1000, Warmup: 100, LearningRate: 1e-3, MinLearningRate: 1e-4}
	for step := range 1100 {
		want := 1e-3 * float64(step+1) / 100
		if step >= 100 {
			want = 1e-4 + 0.5*(1+math.Cos(math.Pi*float64(min(step, 1000)-100)/900))*9e-4
		}
		if got := o.learningRate(step); !(math.Abs(got-want) <= 1e-17) {
			t.Errorf("step %d: the rate is %g, want %g", step, got, want)
		}
	}
	for step, want := range map[int]uint64{0: 0x3ee4f8b588e368f1, 250: 0x3f4ecadeeef4ab52, 550: 0x3f4205bc01a36e2f, 999: 0x3f1a37120497a637} {
		if got := math.Float64bits(o.learningRate(step)); got != want {
			t.Errorf("step %d: the bits of the rate are %#x, want %#x", step, got, want)
		}
	}
}
