package llama

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama/internal/fusetest"
	"bootllama/quant"
	"bootllama/simd"
)

// TestNothingFused: every product is rounded before it is added, whatever the compiler.
func TestNothingFused(t *testing.T) {
	fusetest.NothingFused(t, []string{"bootllama", "bootllama/simd"}, "simd/twin.go", "simd/exp.go", "simd/libm.go")
}

// TestForwardRestarts: a sequence that starts again at 0 does not see the last one.
func TestForwardRestarts(t *testing.T) {
	g := randomGenerator(t, 0, 0, 1)
	first := append([]float32(nil), g.Transformer.Forward(bos, 0)...)
	for pos := range 10 {
		g.Transformer.Forward(20+pos, pos)
	}
	for i, v := range g.Transformer.Forward(bos, 0) {
		if v != first[i] {
			t.Fatalf("logit %d is %g after other sequences, %g at first", i, v, first[i])
		}
	}
}

// TestPanics: a caller's mistake is refused before anything is computed, in the package's name.
func TestPanics(t *testing.T) {
	g := randomGenerator(t, 0, 0, 1)
	tr := g.Transformer
	defer tr.Close()
	const vocabSize, seqLen = 300, 64
	prefill := func(pos int, tokens ...int) func() { return func() { tr.Prefill(tokens, pos) } }
	tr.Prefill([]int{5, 6, 7}, seqLen-3) // what is allowed: to the last position,
	tr.Prefill([]int{vocabSize - 1, 0}, 0)
	tr.Logits(1) // and of the last token
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"token -1":         {prefill(0, -1), "Forward(token -1, pos 0): the model has 300 tokens and 64 positions"},
		"token 300":        {prefill(0, 300), "Forward(token 300, pos 0)"},
		"second token":     {prefill(7, 1, 300), "Forward(token 300, pos 8)"},
		"position -1":      {prefill(-1, 0), "Forward(token 0, pos -1)"},
		"position 64":      {prefill(64, 0), "Forward(token 0, pos 64)"},
		"second position":  {prefill(63, 5, 6), "Forward(token 6, pos 64)"},
		"no tokens":        {prefill(0), "Prefill of 0 tokens: must be 1 to 96"},
		"97 tokens":        {prefill(0, make([]int, Batch+1)...), "Prefill of 97 tokens"},
		"logits of -1":     {func() { tr.Logits(-1) }, "Logits(-1): the last batch had 2 tokens"},
		"logits of 2":      {func() { tr.Logits(2) }, "Logits(2): the last batch had 2 tokens"},
		"few logits":       {func() { g.Sampler.Sample(make([]float32, 299)) }, "Sample: 299 logits for a vocabulary of 300"},
		"many logits":      {func() { g.Sampler.Sample(make([]float32, 301)) }, "Sample: 301 logits"},
		"vocabulary of 2":  {func() { ReadTokenizer(strings.NewReader(""), 0, "t", 2) }, "ReadTokenizer: vocabSize is 2"},
		"vocabulary of -1": {func() { ReadTokenizer(strings.NewReader(""), 0, "t", -1) }, "ReadTokenizer: vocabSize is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "llama: "+c.want) {
					t.Errorf("panic %q, want %q", s, "llama: "+c.want)
				}
			}()
			c.f()
		})
	}
}

// TestThreads: a Transformer has as many goroutines as it was asked for, by default one for each processor that Go uses,
// and Close ends them.
func TestThreads(t *testing.T) {
	c, err := LoadCheckpoint(randomModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	for threads, want := range map[int]int{1: 1, 2: 2, 3: 3, 8: 8, 0: 5, -1: 5} {
		before := settledGoroutines()
		tr := NewTransformer(c, Options{Threads: threads})
		if got := runtime.NumGoroutine() - before + 1; got != want || tr.team.Size() != want {
			t.Errorf("%d threads: %d goroutines, a team of %d, want %d", threads, got, tr.team.Size(), want)
		}
		tr.Forward(1, 0)
		tr.Close()
		for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("%d threads: %d goroutines after Close, %d before", threads, runtime.NumGoroutine(), before)
			}
		}
	}
}

// settledGoroutines counts the goroutines when it has been the same for a while: those of the teams
// that earlier tests closed end on their own, later on a busy host.
func settledGoroutines() int {
	n := runtime.NumGoroutine()
	for same := 0; same < 100; same++ {
		time.Sleep(time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, same = now, 0
		}
	}
	return n
}

// TestNoAllocation: nothing is allocated per token.
func TestNoAllocation(t *testing.T) {
	for _, c := range []struct {
		model             string
		temperature, topP float32
	}{{randomModel, 0, 0}, {randomModel, 1, 1}, {randomModel, 1, 0.9}, {randomInt8, 1, 0.9}} {
		g := generatorOf(t, c.model, c.temperature, c.topP, 1)
		text := NewTextWriter(discard{})
		pos, token := 0, bos
		if n := testing.AllocsPerRun(40, func() {
			g.Transformer.Prefill([]int{token}, pos)
			next, err := g.Next(0)
			if err := errors.Join(err, text.WritePiece(g.Tokenizer.Decode(token, next))); err != nil {
				t.Fatal(err)
			}
			pos, token = pos+1, next
		}); n != 0 {
			t.Errorf("%s, temperature %g, top-p %g: %g allocations per token, want 0", c.model, c.temperature, c.topP, n)
		}
	}
}

// TestNoAllocationOfTypes: nor with GGUF's types, one token or a batch.
func TestNoAllocationOfTypes(t *testing.T) {
	h := plainHeader(mixedConfig, 0).ofTypes(quant.Types[:]...)
	c, err := Load(bytes.NewReader(randomWeights(h.Tensors)), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, k := range simd.All() {
		tr := NewTransformer(c, Options{Kernels: k})
		for _, tokens := range [][]int{{5}, {5, 6}, make([]int, 20)} {
			if n := testing.AllocsPerRun(5, func() {
				tr.Prefill(tokens, 7)
				tr.Logits(0)
			}); n != 0 {
				t.Errorf("%s, %d tokens: %g allocations", k.Name, len(tokens), n)
			}
		}
		tr.Close()
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// TestSameBits: every kernel, 1 to 4 threads, and every division of a text into batches
// give the logits of the Go twins, one token after the other.
func TestSameBits(t *testing.T) {
	const positions = 3 * Batch
	for i, h := range []llama2c{
		{config: shape(96, 200, 2, 6, 3, 700, positions)},                                                  // heads of 16
		{config: shape(96, 172, 2, 2, 1, 300, positions), sharedClassifier: true},                          // heads of 48
		{version: 2, config: shape(96, 192, 2, 6, 6, 300, positions), groupSize: 32},                       // groups of whole quads
		{version: 2, config: shape(64, 172, 2, 8, 4, 300, positions), groupSize: 8},                        // straddling w2's rows
		{version: 2, config: shape(36, 54, 2, 2, 2, 301, positions), groupSize: 6, sharedClassifier: true}, // no whole quads
	} {
		if testing.Short() && i%3 != 0 { // the race detector needs one of each kind
			continue
		}
		file := modelBytes(h)
		c, err := ReadCheckpoint(bytes.NewReader(file), int64(len(file)), "m", nil)
		if err != nil {
			t.Fatal(err)
		}
		compareBits(t, c)
	}
}

// TestSameBitsOfTypes: the same for GGUF's types, which take turns.
func TestSameBitsOfTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("TestSameBits has the same code for the race detector")
	}
	for _, i := range []int{0, 7} {
		h := plainHeader(mixedConfig, 0).ofTypes(append(slices.Clone(quant.Types[i:]), quant.Types[:i]...)...)
		c, err := Load(bytes.NewReader(randomWeights(h.Tensors)), h, nil)
		if err != nil {
			t.Fatal(err)
		}
		compareBits(t, c)
	}
}

// compareBits compares all kernels, threads and batches with Forward of the Go twin, and closes c.
func compareBits(t *testing.T, c *Checkpoint) {
	t.Helper()
	const positions = 3 * Batch
	rng := rand.New(rand.NewPCG(5, 6))
	tokens := make([]int, positions)
	for i := range tokens {
		tokens[i] = rng.IntN(c.Config.VocabSize)
	}
	want := make([][]float32, positions)
	twin, err := simd.Named("go")
	if err != nil {
		t.Fatal(err)
	}
	reference := NewTransformer(c, Options{Threads: 1, Kernels: twin})
	for pos, token := range tokens {
		want[pos] = slices.Clone(reference.Forward(token, pos))
	}
	for _, k := range simd.All() {
		for threads := 1; threads <= 4; threads++ {
			tr := NewTransformer(c, Options{Threads: threads, Kernels: k})
			for pos := 0; pos < positions; {
				n := min(positions-pos, Batch)
				if threads != 2 { // which goes in full batches
					n = min(n, 1+rng.IntN(2+rng.IntN(Batch-1)))
				}
				tr.Prefill(tokens[pos:pos+n], pos)
				for _, i := range []int{n - 1, 0, rng.IntN(n)} {
					for j, v := range tr.Logits(i) {
						if math.Float32bits(v) != math.Float32bits(want[pos+i][j]) {
							t.Fatalf("%s, %d threads: logit %d of position %d, in a batch of %d, is %g, want %g", k.Name, threads, j, pos+i, n, v, want[pos+i][j])
						}
					}
				}
				pos += n
			}
			tr.Close()
		}
	}
	reference.Close()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name string
		h    llama2c
	}{
		{"260K", llama2c{config: shape(64, 172, 5, 8, 4, 512, 512)}},
		{"15M", llama2c{config: shape(288, 768, 6, 6, 6, 32000, 256)}},
		{"15M-int8", llama2c{version: 2, config: shape(288, 768, 6, 6, 6, 32000, 256), groupSize: 32}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.h.sharedClassifier = true
			file := modelBytes(c.h)
			ck, err := ReadCheckpoint(bytes.NewReader(file), int64(len(file)), c.name, nil)
			if err != nil {
				b.Fatal(err)
			}
			tr := NewTransformer(ck, Options{})
			b.ResetTimer()
			for i := range b.N {
				tr.Forward(5, i%256)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
