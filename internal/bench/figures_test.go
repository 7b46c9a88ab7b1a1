package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"bootllama"
	"bootllama/models"
	"bootllama/simd"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 9, 2}, 3}, {[]float64{5, 4, 3, 2, 1}, 3}, {[]float64{1, 1, 8, 10, 90, 90}, 9}} {
		given := append([]float64(nil), c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: %g, want %g", c.values, got, c.want)
		}
		for i, v := range given {
			if c.values[i] != v {
				t.Errorf("%v was %v", c.values, given)
			}
		}
	}
}

// TestSummary: the figures of a report, from rounds that are known.
func TestSummary(t *testing.T) {
	var r Report
	r.Prefill.TokS, r.Decode.TokS, r.Read.GBS = []float64{10, 30, 20}, []float64{1, 4, 2}, []float64{2, 4, 16}
	r.Decode.BytesPerToken = 2e9
	r.summarize()
	if r.Prefill.Median != 20 || r.Decode.Median != 2 || r.Read.Median != 4 || r.Decode.GBS != 4 || r.Share != 1 {
		t.Errorf("%+v", r)
	}
}

// TestWeightReader: all bytes that are counted are read, each once, in parts that have limits.
func TestWeightReader(t *testing.T) {
	c, _, err := models.Open()
	if err != nil {
		t.Fatal(err)
	}
	r := newWeightReader(c.Weights, 2, simd.Best())
	defer r.team.Close()
	var want, got int64
	for _, layers := range [][]llama.Matrix{c.Weights.WQ, c.Weights.WK, c.Weights.WV, c.Weights.WO, c.Weights.W1, c.Weights.W2, c.Weights.W3, {c.Weights.WCls}} {
		for _, m := range layers {
			want += int64(len(m.Tiles))
		}
	}
	seen := map[*byte]bool{}
	for _, step := range r.steps {
		for _, part := range step {
			if got += int64(len(part)); seen[&part[0]] {
				t.Error("a part is read twice")
			}
			seen[&part[0]] = true
		}
	}
	if got != want || r.bytes != want || len(r.steps) != 4*c.Config.NLayers+1 {
		t.Errorf("%d bytes in %d steps, %d counted, want %d", got, len(r.steps), r.bytes, want)
	}
}

// TestJSON: the report is what encoding/json writes of it.
func TestJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() float64 {
		switch random.IntN(4) {
		case 0:
			return float64(random.IntN(1000))
		case 1:
			return random.Float64()
		}
		return math.Ldexp(random.NormFloat64(), random.IntN(200)-100)
	}
	list := func() (l []float64) {
		if n := random.IntN(4); n > 0 {
			l = []float64{}
			for range n - 1 {
				l = append(l, number())
			}
		}
		return l
	}
	for range 3000 {
		name := make([]rune, random.IntN(8))
		for i := range name {
			name[i] = []rune{rune(random.IntN(0x80)), rune(random.IntN(0x3000)), '"', 0x2028}[random.IntN(4)]
		}
		r := Report{Model: string(name) + string([]byte{byte(random.IntN(256))}), SIMD: "avx2", Threads: random.IntN(9), LoadMS: number(), Share: number(), TokenUS: list()}
		r.Prefill.Tokens, r.Prefill.TokS, r.Prefill.Median = random.IntN(100), list(), number()
		r.Decode.Tokens, r.Decode.TokS, r.Decode.Median, r.Decode.BytesPerToken, r.Decode.GBS = random.IntN(100), list(), number(), random.Int64(), number()
		r.Read.GBS, r.Read.Median = list(), number()
		if random.IntN(2) == 0 {
			r.Guesses = &Guesses{By: string(name), Most: random.IntN(16), TokS: list(), Median: number(), TokensPerPass: number(), Passes: list()}
		}
		var want bytes.Buffer
		if err := json.NewEncoder(&want).Encode(r); err != nil {
			t.Fatal(err)
		}
		if got, err := r.json(); err != nil || got != want.String() {
			t.Fatalf("%v\n got %s\nwant %s", err, got, &want)
		}
	}
	if _, err := (&Report{TokenUS: []float64{math.Inf(1)}}).json(); err == nil {
		t.Error("infinity is a number")
	}
}
