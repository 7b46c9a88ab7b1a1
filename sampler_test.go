package llama

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"bootllama/simd"
)

// TestRandom: run.c's generator, seed 1234, as printed by it at llama2.c 350e04fe.
func TestRandom(t *testing.T) {
	state := uint64(1234)
	for i, want := range []uint32{3159758022, 1306163061, 1764681998, 1393191135} {
		if got := randomU32(&state); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
	if got := randomF32(&state); got != 0.9794752 {
		t.Errorf("randomF32 = %.9g, want 0.9794752", got)
	}
}

func TestArgmaxTakesFirst(t *testing.T) {
	if got := simd.Best().Argmax([]float32{-3, 2, 5, 5, 1}); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
}

func TestMult(t *testing.T) {
	p := []float32{0.25, 0, 0.5, 0.125} // sums to less than 1, as rounding may
	for _, c := range []struct {
		coin float32
		want int
	}{{0, 0}, {0.2499999, 0}, {0.25, 2}, {0.7499999, 2}, {0.75, 3}, {0.99, 3}} {
		if got := sampleMult(p, c.coin); got != c.want {
			t.Errorf("coin %g: %d, want %d", c.coin, got, c.want)
		}
	}
}

// TestTopPEquals: tokens of the same probability stay in the order of their ids,
// likelier ones come before them. The set of 0.6 is {4, 1, 2}.
func TestTopPEquals(t *testing.T) {
	p := []float32{0.0625, 0.1875, 0.1875, 0.1875, 0.25, 0.125}
	for _, c := range []struct {
		coin float32
		want int
	}{{0, 4}, {0.39, 4}, {0.41, 1}, {0.69, 1}, {0.71, 2}, {0.999, 2}, {1, 2}} { // 1: as rounding may make of it
		if got := topPSampler(len(p), 0.6).sampleTopP(p, c.coin); got != c.want {
			t.Errorf("coin %g: token %d, want %d", c.coin, got, c.want)
		}
	}
}

// TestTopPExceeds: the set's probability must exceed top-p, not reach it.
func TestTopPExceeds(t *testing.T) {
	if got := topPSampler(3, 0.5).sampleTopP([]float32{0.25, 0.5, 0.25}, 0.9); got != 0 {
		t.Errorf("token %d, want 0, the second of the set {1, 0}", got)
	}
}

// TestTopPCutoff: leaving out the unlikely tokens before sorting changes nothing.
func TestTopPCutoff(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		logits := make([]float32, 3+rng.IntN(60))
		spread := 8 * rng.Float32()
		for i := range logits {
			logits[i] = spread * rng.Float32()
		}
		simd.Best().Softmax(logits, 1)
		topP, coin := 0.02+0.96*rng.Float32(), rng.Float32()
		if got, want := topPSampler(len(logits), topP).sampleTopP(logits, coin), nucleus(logits, topP, coin); got != want {
			t.Fatalf("top-p %g of %v, coin %g: token %d, want %d", topP, logits, coin, got, want)
		}
	}
}

// nucleus is top-p sampling without the cutoff.
func nucleus(p []float32, topP, coin float32) int {
	ids := make([]int, len(p))
	for i := range ids {
		ids[i] = i
	}
	sort.SliceStable(ids, func(a, b int) bool { return p[ids[a]] > p[ids[b]] })
	var cumulative float32
	for i, id := range ids {
		if cumulative += p[id]; cumulative > topP {
			ids = ids[:i+1]
			break
		}
	}
	var cdf float32
	for _, id := range ids {
		if cdf += p[id]; coin*cumulative < cdf {
			return id
		}
	}
	return ids[len(ids)-1]
}

// TestTopPNoCandidate: where run.c reads before its array.
func TestTopPNoCandidate(t *testing.T) {
	if got := topPSampler(4, 0.1).sampleTopP([]float32{0.24, 0.24, 0.28, 0.24}, 0.5); got != 2 {
		t.Errorf("nearly equal probabilities: %d, want the likeliest, 2", got)
	}
	nan := float32(math.NaN())
	if got := topPSampler(3, 0.9).Sample([]float32{nan, nan, nan}); got != 0 {
		t.Errorf("logits that are no numbers: %d, want 0", got)
	}
}

// TestTemperature: half the temperature squares the odds.
func TestTemperature(t *testing.T) {
	logits := []float32{0, 1, 3}
	s := topPSampler(3, 0.9)
	s.temperature = 0.5
	s.Sample(logits)
	if got, want := float64(logits[2]/logits[1]), math.Exp(4); !(math.Abs(got/want-1) <= 1e-6) {
		t.Errorf("odds %g, want %g", got, want)
	}
}

// topPSampler returns a sampler of that top-p.
func topPSampler(vocabSize int, topP float32) *Sampler {
	return &Sampler{1, topP, 1, make([]probIndex, vocabSize), simd.Best()}
}

// TestTemperatureOverflows: where logits / temperature is infinite in run.c, the likeliest token is chosen, one of several
// by the coin; where it is not, the probabilities are run.c's, to the bit; in a flood of temperature all are equally likely.
func TestTemperatureOverflows(t *testing.T) {
	const most = math.MaxFloat32
	inf := float32(math.Inf(1))
	for _, k := range simd.All() {
		for _, c := range []struct {
			temperature float32
			logits      []float32
			want        []float32 // probabilities
		}{
			{1e-38, []float32{1, 9, -7, 8.9999}, []float32{0, 1, 0, 0}},
			{1e-45, []float32{-9, -1, -7, -1.0001}, []float32{0, 1, 0, 0}},
			{1e-45, []float32{-1, 0, -1e-38, -most}, []float32{0, 1, 0, 0}},
			{0.5, []float32{most, -most, 1, most}, []float32{0.5, 0, 0, 0.5}},
			{0.99, []float32{-most, -most, -most, -most}, []float32{0.25, 0.25, 0.25, 0.25}},
			{1, []float32{most, -most, 0, 0}, []float32{1, 0, 0, 0}},
			{inf, []float32{most, -most, 0, 3}, []float32{0.25, 0.25, 0.25, 0.25}},
			{most, []float32{5, -5, 0, 3}, []float32{0.25, 0.25, 0.25, 0.25}},
		} {
			got := slices.Clone(c.logits)
			s := Sampler{c.temperature, 1, 1, make([]probIndex, len(got)), k}
			if token := s.Sample(got); !slices.Equal(got, c.want) || c.want[token] == 0 {
				t.Errorf("%s, temperature %g of %g: token %d of %g, want %g", k.Name, c.temperature, c.logits, token, got, c.want)
			}
		}
		for _, temperature := range []float32{1e-36, 0.1, 0.5, 0.999, 1, 30} {
			got := []float32{1, 9, -7, 8.75, 20}
			want := slices.Clone(got)
			k.Softmax(want, temperature)
			if (&Sampler{temperature, 1, 1, make([]probIndex, len(got)), k}).Sample(got); !slices.Equal(got, want) {
				t.Errorf("%s, temperature %g: %g, run.c's %g", k.Name, temperature, got, want)
			}
		}
	}
}

// TestNewSamplerPanics: what is no number, or below 0, is the caller's mistake.
func TestNewSamplerPanics(t *testing.T) {
	tr := randomGenerator(t, 0, 0, 1).Transformer
	nan := float32(math.NaN())
	for _, c := range [][2]float32{{nan, 0.9}, {-1, 0.9}, {float32(math.Inf(-1)), 0.9}, {1, nan}} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "llama: NewSampler") {
					t.Errorf("%v: panic %v, want llama's own", c, s)
				}
			}()
			tr.NewSampler(c[0], c[1], 1)
		}()
	}
}
