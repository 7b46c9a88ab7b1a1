package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama"
	"bootllama/internal/fusetest"
	"bootllama/simd"
)

// The shapes of the tests: heads that share keys and values, or do not; widths that are
// whole tiles, or are not; several blocks of queries.
var (
	grouped = llama.Config{Dim: 32, HiddenDim: 40, NLayers: 2, NHeads: 4, NKVHeads: 2, VocabSize: 50, SeqLen: 60}
	odd     = llama.Config{Dim: 36, HiddenDim: 50, NLayers: 1, NHeads: 6, NKVHeads: 1, VocabSize: 41, SeqLen: 99}
	plain   = llama.Config{Dim: 64, HiddenDim: 96, NLayers: 1, NHeads: 2, NKVHeads: 2, VocabSize: 64, SeqLen: 32}
)

// testOptions are for short trainings.
func testOptions(batch int) Options {
	o := DefaultOptions
	o.Seed, o.Steps, o.Batch, o.Warmup, o.LearningRate = 1, 100, batch, 2, 1e-3
	return o
}

// randomTokens returns n sequences.
func randomTokens(c llama.Config, n int, seed uint64) []uint16 {
	rng := rand.New(rand.NewPCG(seed, 1))
	tokens := make([]uint16, n*(c.SeqLen+1))
	for i := range tokens {
		tokens[i] = uint16(rng.IntN(c.VocabSize))
	}
	return tokens
}

// unsettle makes the weights larger than Init does, and those of rmsnorms differ, so that no
// gradient is near zero everywhere.
func unsettle(p *Parameters) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, t := range p.tensors() {
		for i := range *t.data {
			if t.matrix {
				(*t.data)[i] = float32(0.6 * (rng.Float64() - 0.5))
			} else {
				(*t.data)[i] = float32(0.7 + 0.6*rng.Float64())
			}
		}
	}
}

// gradient returns that of the loss of tokens, and the loss, without an update.
func gradient(t *Trainer, tokens []uint16) (*Parameters, float64) {
	t.options.LearningRate, t.options.MinLearningRate = 0, 0
	r := t.Step(tokens)
	return t.gradient, r.Loss
}

// TestNothingFused: every product is rounded before it is added, whatever the compiler.
func TestNothingFused(t *testing.T) {
	fusetest.NothingFused(t, []string{"bootllama/train"}, "backward.go", "adamw.go", "schedule.go")
}

// TestGradients: the gradient of every kind of weight is that of the loss, by central
// differences of a loss in float64 that is computed independently. Those are exact to about
// 1e-9; what differs is the rounding of float32, some 1e-6 of the largest gradients of a
// tensor. An error in a formula is far larger than what is allowed here.
func TestGradients(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: finite differences take a minute with the race detector (-short)")
	}
	const step, tolerance, samples = 1e-5, 2e-5, 8
	for _, c := range []llama.Config{grouped, odd, plain} {
		tr := New(c, testOptions(2))
		unsettle(tr.parameters)
		tokens := randomTokens(c, 2, 7)
		for i := c.SeqLen - 5; i < c.SeqLen+1; i++ {
			tokens[i] = Ignore // the end of the first sequence is padding
		}
		r := newReference(tr.parameters)
		d, loss := gradient(tr, tokens)
		if want := r.loss(tokens); !(math.Abs(loss-want) <= 1e-5*want) {
			t.Errorf("%+v: the loss is %v, want %v", c, loss, want)
		}
		rng := rand.New(rand.NewPCG(8, 9))
		for _, kind := range d.tensors() {
			largest := 0.0
			for _, v := range *kind.data {
				largest = max(largest, math.Abs(float64(v)))
			}
			if !(largest >= 1e-4) {
				t.Errorf("%+v: %s: the largest gradient is %g: nothing is tested", c, kind.name, largest)
			}
			w := r.w[kind.name]
			for range samples {
				i := rng.IntN(len(w))
				before := w[i]
				w[i] = before + step
				up := r.loss(tokens)
				w[i] = before - step
				down := r.loss(tokens)
				w[i] = before
				want, got := (up-down)/(2*step), float64((*kind.data)[i])
				if !(math.Abs(got-want) <= tolerance*largest) {
					t.Errorf("%+v: %s[%d]: the gradient is %g, want %g (the largest is %g)", c, kind.name, i, got, want, largest)
				}
			}
		}
	}
}

// legacyCheckpoint returns p as a file of version 0.
func legacyCheckpoint(p *Parameters) []byte {
	c := p.Config
	var b []byte
	for _, v := range []int{c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	for _, v := range append(slices.Clone(p.Data), make([]float32, c.SeqLen*c.HeadSize)...) {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// TestForward: the logits have the bits of package llama's.
func TestForward(t *testing.T) {
	for _, c := range []llama.Config{grouped, odd, plain} {
		tr := New(c, testOptions(1))
		unsettle(tr.parameters)
		file := legacyCheckpoint(tr.parameters)
		checkpoint, err := llama.ReadCheckpoint(bytes.NewReader(file), int64(len(file)), "model.bin", nil)
		if err != nil {
			t.Fatal(err)
		}
		m := llama.NewTransformer(checkpoint, llama.Options{})
		defer m.Close()
		tokens := randomTokens(c, 1, 5)[:c.SeqLen]
		tr.pack()
		s := tr.states[0]
		s.forward(tokens)
		for i, token := range tokens {
			for j, want := range m.Forward(int(token), i) {
				if got := s.logits[i*c.VocabSize+j]; math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%+v: logit %d of position %d is %g, want %g", c, j, i, got, want)
				}
			}
		}
	}
}

// TestSameBits: any number of threads and all kernels give the same weights.
func TestSameBits(t *testing.T) {
	kernels := simd.All()
	if testing.Short() {
		kernels = kernels[len(kernels)-1:]
	}
	for _, c := range []llama.Config{grouped, odd} {
		var want []float32
		for _, k := range kernels {
			for _, threads := range []int{1, 2, 3, 5} {
				o := testOptions(19) // lanes of one and of two sequences
				o.Threads, o.Kernels = threads, k
				tr := New(c, o)
				for i := range 3 {
					tr.Step(randomTokens(c, o.Batch, uint64(i)))
				}
				if want == nil {
					want = tr.parameters.Data
				}
				if i := differs(tr.parameters.Data, want); i >= 0 {
					t.Fatalf("%+v: %s, %d threads: parameter %d is %g, want %g", c, k.Name, threads, i, tr.parameters.Data[i], want[i])
				}
			}
		}
	}
}

// differs returns the first index where two slices have other bits, or -1.
func differs(a, b []float32) int {
	for i, v := range a {
		if math.Float32bits(v) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// TestOverfits: a batch is learned by heart.
func TestOverfits(t *testing.T) {
	o := testOptions(2)
	o.Steps, o.LearningRate, o.WeightDecay = 150, 1e-2, 0
	tr := New(plain, o)
	tokens := randomTokens(plain, 2, 1)
	first := tr.Step(tokens).Loss
	// Logits of unit variance, which Init makes, cost half a nat more than none.
	if want := math.Log(float64(plain.VocabSize)) + 0.5; !(math.Abs(first-want) <= 0.25) {
		t.Errorf("the first loss is %.3f, want about ln %d + 1/2 = %.3f", first, plain.VocabSize, want)
	}
	for tr.StepsDone < o.Steps {
		tr.Step(tokens)
	}
	if loss := tr.Loss(tokens); !(loss >= 0 && loss <= 0.02) {
		t.Errorf("after %d steps the loss is %.3f, want near 0", o.Steps, loss)
	}
}

// TestIgnore: what follows the end of a text does not change the loss or the gradient,
// whatever it is, and the loss is the mean of the targets that count.
func TestIgnore(t *testing.T) {
	c := grouped
	tokens := randomTokens(c, 2, 7)
	half := c.SeqLen / 2
	for i := half; i <= c.SeqLen; i++ {
		tokens[i] = Ignore
	}
	tr := New(c, testOptions(2))
	unsettle(tr.parameters)
	loss := tr.Loss(tokens)
	if want := newReference(tr.parameters).loss(tokens); !(math.Abs(loss-want) <= 1e-5*want) {
		t.Errorf("the loss is %v, want %v", loss, want)
	}
	if got := tr.Loss(slices.Repeat([]uint16{Ignore}, c.SeqLen+1)); got != 0 {
		t.Errorf("the loss of nothing is %v, want 0", got)
	}
	// The same text in a shorter model, without padding, has the same loss.
	short := c
	short.SeqLen = half - 1
	o := testOptions(1)
	other := New(short, o)
	unsettle(other.parameters)
	if got, want := tr.Loss(tokens[:c.SeqLen+1]), other.Loss(tokens[:half]); got != want {
		t.Errorf("the loss of a padded text is %v, that of the text %v", got, want)
	}
}

// TestCheckConfig: what cannot be trained, or needs more memory than any machine here has, is
// refused before anything is allocated, whatever the numbers.
func TestCheckConfig(t *testing.T) {
	for _, c := range []llama.Config{grouped, odd, plain} {
		if err := CheckConfig(c); err != nil {
			t.Error(err)
		}
	}
	for want, change := range map[string]func(c *llama.Config){
		"every number":       func(c *llama.Config) { c.NLayers = 0 },
		"1 to 65536":         func(c *llama.Config) { c.HiddenDim = 1 << 40 },
		"do not divide":      func(c *llama.Config) { c.NHeads = 3 },
		"cannot be rotated":  func(c *llama.Config) { c.NHeads = 32 },
		"keys and values":    func(c *llama.Config) { c.NKVHeads = 3 },
		"vocabulary":         func(c *llama.Config) { c.VocabSize = 1 << 16 },
		"weights: must":      func(c *llama.Config) { c.HiddenDim, c.NLayers = 1<<16, 1<<16 },
		"attention weights:": func(c *llama.Config) { c.NLayers, c.SeqLen = 4, 1<<14 },
		"context of 16385":   func(c *llama.Config) { c.NLayers, c.NHeads, c.NKVHeads, c.SeqLen = 1, 1, 1, 1<<14+1 },
	} {
		c := grouped
		change(&c)
		if err := CheckConfig(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestStepPanics(t *testing.T) {
	tr := New(grouped, testOptions(1))
	good := randomTokens(grouped, 1, 1)
	unknown := slices.Clone(good)
	unknown[3] = uint16(grouped.VocabSize)
	for name, tokens := range map[string][]uint16{
		"a token too many": append(slices.Clone(good), 1),
		"two sequences":    slices.Concat(good, good),
		"unknown token":    unknown,
		"nothing counts":   slices.Repeat([]uint16{Ignore}, len(good)),
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || len(s) < 6 || s[:6] != "train:" {
					t.Errorf("%s: panic %v, want train's own", name, s)
				}
			}()
			tr.Step(tokens)
		}()
	}
}

// BenchmarkStep is a step of the built-in model's training, with batches of 8 sequences, as it was
// trained, and of 32. It reports the tokens and the useful operations per second of the fastest
// step, and their share of the peak, which is the best that MatMulF32 does on all threads at a
// size that stays in the caches, in bursts between the steps: the fastest of each, since others
// may share the machine. Operations are 6 for each weight of a matrix and token, and those of
// causal attention (Chowdhery et al. 2022, appendix B, for half of the positions).
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{8, 32} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { benchmarkStep(b, batch) })
	}
}

func benchmarkStep(b *testing.B, batch int) {
	c := llama.Config{Dim: 128, HiddenDim: 384, NLayers: 5, NHeads: 4, NKVHeads: 2, VocabSize: 1024, SeqLen: 256}
	tr := New(c, testOptions(batch))
	tokens := randomTokens(c, batch, 1)
	tr.Step(tokens)
	fastest, peak := math.Inf(1), 0.0
	for b.Loop() {
		start := time.Now()
		tr.Step(tokens)
		fastest = min(fastest, time.Since(start).Seconds())
		b.StopTimer()
		peak = max(peak, peakOperations(tr))
		b.StartTimer()
	}
	perToken := 6*float64(len(tr.parameters.Data)-(2*c.NLayers+1)*c.Dim) + 3*4*float64(c.NLayers*c.Dim*(c.SeqLen+1))/2
	perSecond := float64(batch*c.SeqLen) / fastest
	b.ReportMetric(perSecond, "tok/s")
	b.ReportMetric(perToken*perSecond/1e9, "GFLOP/s")
	b.ReportMetric(peak/1e9, "peak-GFLOP/s")
	b.ReportMetric(100*perToken*perSecond/peak, "%peak")
}

// peakOperations returns the most operations per second of MatMulF32 on all threads, in a few
// bursts of milliseconds.
func peakOperations(tr *Trainer) (peak float64) {
	const tokens, n, rows, times = 48, 128, 128, 200
	type operands struct{ out, x, w []float32 }
	var each []operands
	for range tr.states {
		each = append(each, operands{make([]float32, tokens*rows), make([]float32, tokens*n), make([]float32, rows*n)})
	}
	for range 20 {
		start := time.Now()
		tr.share(len(each), func(_, i int) {
			o := each[i]
			for range times {
				tr.kernels.MatMulF32(o.out, rows, o.x, n, tokens, n, o.w, tile*n, rows)
			}
		})
		peak = max(peak, float64(len(each))*2*tokens*n*rows*times/time.Since(start).Seconds())
	}
	return peak
}
