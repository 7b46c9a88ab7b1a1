package sampler

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"bootllama/simd"
)

// nothing are options that do nothing but draw.
var nothing = Options{RepeatPenalty: 1, TopP: 1, Temperature: 1, Seed: 1}

func with(f func(*Options)) Options {
	o := nothing
	f(&o)
	return o
}

// TestChain: tokens and their probabilities before the draw are those of llama.cpp v0.5.0, whose samplers were called in
// the same order by its C API (llama_sampler_apply).
func TestChain(t *testing.T) {
	var cases []struct {
		Options
		Logits  []float32
		Context []int32
		Want    []struct {
			ID int32
			P  float64
		}
	}
	data, err := os.ReadFile("testdata/chain.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil || len(cases) == 0 {
		t.Fatal(err, len(cases))
	}
	for i, c := range cases {
		for _, k := range simd.All() {
			s := New(len(c.Logits), k, func() []int32 { return c.Context }, c.Options)
			logits := slices.Clone(c.Logits)
			s.penalize(logits)
			got := s.minP(s.topP(s.topK(logits)))
			s.softmax(got, c.Temperature)
			slices.SortFunc(got, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
			same := len(got) == len(c.Want)
			for i := range min(len(got), len(c.Want)) {
				same = same && got[i].id == c.Want[i].ID && math.Abs(float64(got[i].prob)-c.Want[i].P) < 2e-6
			}
			if !same {
				t.Errorf("case %d, %s, %+v:\n got %v\nwant %v", i, k.Name, c.Options, got, c.Want)
			}
		}
	}
}

// TestByHand: each option alone, and the order of two that do not commute.
func TestByHand(t *testing.T) {
	ln := func(p float64) float32 { return float32(math.Log(p)) }
	logits := []float32{ln(0.1), ln(0.4), ln(0.2), ln(0.3)}
	penalty := func(n int, temperature float32) Options {
		return with(func(o *Options) { o.RepeatPenalty, o.RepeatLastN, o.Temperature = 2, n, temperature })
	}
	for _, c := range []struct {
		name string
		o    Options
		want []int // what chance may choose
	}{
		{"nothing", nothing, []int{0, 1, 2, 3}},
		{"the likeliest", with(func(o *Options) { o.Temperature = 0 }), []int{1}},
		{"top-k", with(func(o *Options) { o.TopK = 2 }), []int{1, 3}},
		{"top-k of more", with(func(o *Options) { o.TopK = 9 }), []int{0, 1, 2, 3}},
		{"top-p", with(func(o *Options) { o.TopP = 0.69 }), []int{1, 3}},
		{"top-p, a little more", with(func(o *Options) { o.TopP = 0.71 }), []int{1, 2, 3}},
		{"top-p 0", with(func(o *Options) { o.TopP = 0 }), []int{1}},
		{"min-p", with(func(o *Options) { o.MinP = 0.49 }), []int{1, 2, 3}},
		{"min-p, a little more", with(func(o *Options) { o.MinP = 0.51 }), []int{1, 3}},
		{"min-p 1", with(func(o *Options) { o.MinP = 1 }), []int{1}},
		{"top-p of what top-k has left", with(func(o *Options) { o.TopK, o.TopP = 2, 0.56 }), []int{1}},
		{"top-p before the temperature", with(func(o *Options) { o.TopP, o.Temperature = 0.69, 100 }), []int{1, 3}},
		{"min-p before the temperature", with(func(o *Options) { o.MinP, o.Temperature = 0.51, 100 }), []int{1, 3}},
		{"the penalty before the likeliest", penalty(64, 0), []int{3}},
		{"recent enough", penalty(3, 0), []int{3}},
		{"not recent", penalty(1, 0), []int{1}},
		{"nothing is recent", penalty(0, 0), []int{1}},
		{"all is recent", penalty(-1, 0), []int{3}},
	} {
		s := New(4, simd.Best(), func() []int32 { return []int32{2, 1, 1, 0} }, c.o)
		var got []int
		for range 400 {
			got = append(got, s.Sample(slices.Clone(logits)))
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestPenalty: a positive logit is divided, a negative one multiplied, each once.
func TestPenalty(t *testing.T) {
	s := New(4, simd.Best(), func() []int32 { return []int32{0, 1, 0, 2} }, with(func(o *Options) { o.RepeatPenalty, o.RepeatLastN = 2, -1 }))
	for range 2 {
		logits := []float32{3, -3, 0, 5}
		if s.penalize(logits); !slices.Equal(logits, []float32{1.5, -6, 0, 5}) {
			t.Errorf("%g", logits)
		}
	}
}

// TestFrequencies: chance follows the probabilities, and the same seed chooses the same.
func TestFrequencies(t *testing.T) {
	draw := func(seed uint64) (counts [3]int, sequence []int) {
		s := New(3, simd.Best(), nil, with(func(o *Options) { o.Seed = seed }))
		for range 20000 {
			id := s.Sample([]float32{0, float32(math.Log(2)), 0})
			counts[id]++
			sequence = append(sequence, id)
		}
		return counts, sequence
	}
	counts, first := draw(7)
	_, again := draw(7)
	_, other := draw(8)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Error("the seed does not decide")
	}
	for i, want := range []int{5000, 10000, 5000} {
		if math.Abs(float64(counts[i]-want)) > 300 {
			t.Errorf("token %d: %d of 20000, want about %d", i, counts[i], want)
		}
	}
}

// TestExtremes: logits and options at their limits choose one of the likeliest tokens, and allocate nothing.
func TestExtremes(t *testing.T) {
	const most = math.MaxFloat32
	for _, o := range []Options{
		with(func(o *Options) { o.Temperature = 1e-45 }),
		with(func(o *Options) { o.TopP = 1e-45 }),
		with(func(o *Options) { o.TopP, o.TopK = 1e-45, 3 }),
		with(func(o *Options) { o.MinP = 1e-45 }),
		with(func(o *Options) { o.TopK = 1 }),
		with(func(o *Options) { o.RepeatPenalty, o.RepeatLastN, o.TopK = most, -1, 2 }),
	} {
		s := New(4, simd.Best(), func() []int32 { return []int32{0} }, o)
		for _, logits := range [][]float32{{-most, most, 0, -most}, {-most, most, most, 1}, {-500, 0, -1e-30, -most}} {
			if id := s.Sample(slices.Clone(logits)); id != 1 && id != 2 {
				t.Errorf("%+v of %g: token %d", o, logits, id)
			}
		}
	}
	recent := []int32{0, 1}
	s := New(5000, simd.Best(), func() []int32 { return recent }, Options{RepeatPenalty: 1.1, RepeatLastN: 64, TopK: 40, TopP: 0.9, MinP: 0.05, Temperature: 0.8})
	logits := make([]float32, 5000)
	if n := testing.AllocsPerRun(10, func() { s.Sample(logits) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestNewPanics: options that mean nothing are the caller's mistake.
func TestNewPanics(t *testing.T) {
	nan := float32(math.NaN())
	for _, f := range []func(*Options){
		func(o *Options) { o.Temperature = -1 }, func(o *Options) { o.Temperature = nan }, func(o *Options) { o.RepeatPenalty = 0 },
		func(o *Options) { o.TopP = nan }, func(o *Options) { o.MinP = -1 }, func(o *Options) { o.TopK = -1 }, func(o *Options) { o.RepeatLastN = -2 },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "sampler: New") {
					t.Errorf("%+v: %v", with(f), s)
				}
			}()
			New(4, simd.Best(), nil, with(f))
		}()
	}
}

func TestDefaults(t *testing.T) {
	const chat, name = "tokenizer.chat_template", "general.name"
	for _, c := range []struct {
		texts map[string]string
		think bool
		want  Options
	}{
		{map[string]string{"general.architecture": "qwen3"}, true, Options{1, 64, 20, 0.95, 0, 0.6, 0}},
		{map[string]string{"general.architecture": "qwen3"}, false, Options{1, 64, 20, 0.8, 0, 0.7, 0}},
		{map[string]string{"general.architecture": "qwen2"}, true, Options{1, 64, 20, 0.8, 0, 0.7, 0}},
		{map[string]string{"general.architecture": "llama", name: "Smollm2 135M", chat: "<|im_start|>"}, false, Options{1, 64, 0, 0.9, 0, 0.2, 0}},
		{map[string]string{"general.architecture": "llama", name: "Llama 3.2 1B Instruct", chat: "<|start_header_id|>"}, false, Options{1, 64, 0, 0.9, 0, 0.6, 0}},
		{map[string]string{"general.architecture": "llama", name: "tinyllama_tinyllama-1.1b-chat-v1.0"}, false, Options{1, 64, 50, 0.95, 0, 0.7, 0}},
		{nil, false, Options{1, 64, 40, 0.95, 0.05, 0.8, 0}},
	} {
		if got := Defaults(c.texts, c.think); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.texts, got, c.want)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := make([]float32, 152000)
	for i := range random {
		random[i] = float32(3 * rng.NormFloat64())
	}
	logits := make([]float32, len(random))
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"top-k 20 top-p 0.8", with(func(o *Options) { o.TopK, o.TopP = 20, 0.8 })},
		{"top-p 0.9", with(func(o *Options) { o.TopP = 0.9 })},
		{"llama.cpp", Defaults(nil, false)},
		{"all", nothing},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := New(len(logits), simd.Best(), nil, c.o)
			for b.Loop() {
				copy(logits, random)
				s.Sample(logits)
			}
		})
	}
}
