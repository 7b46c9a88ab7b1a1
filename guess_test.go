package llama_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	llama "bootllama"
	"bootllama/gguf"
	"bootllama/internal/gengguf"
	"bootllama/sampler"
	"bootllama/simd"
)

// numbers is a tokenizer: token n is the text "n", a text begins with token 1 and ends nowhere.
type numbers int

func (n numbers) Encode(text string, bos, _ bool) (tokens []int, err error) {
	if bos {
		tokens = append(tokens, 1)
	}
	for i := range len(text) {
		tokens = append(tokens, int(text[i]))
	}
	return tokens, nil
}
func (numbers) Decode(_, token int) string { return "x" }
func (numbers) Ends(int) bool              { return false }
func (n numbers) VocabSize() int           { return int(n) }

// guessedModels returns models of all types: llama2.c's two, and of GGUF's families with each type of blocks.
func guessedModels(t *testing.T) (names []string, models []*llama.Checkpoint) {
	add := func(name string, c *llama.Checkpoint, err error) {
		if err != nil {
			t.Fatal(err)
		}
		names, models = append(names, name), append(models, c)
		t.Cleanup(func() { c.Close() })
	}
	for _, name := range []string{"testdata/random.bin", "testdata/random-q8.bin"} {
		c, err := llama.LoadCheckpoint(name, nil)
		add(name, c, err)
	}
	types := gengguf.Types
	if testing.Short() {
		types = types[3:6]
	}
	for i, typ := range types {
		shape := []string{"tiny-qwen3", "tiny-llama3", "tiny-qwen2", "tiny-spm"}[i%4]
		var b bytes.Buffer
		if err := gengguf.New(shape, typ).Write(&b); err != nil {
			t.Fatal(err)
		}
		m, err := gguf.Read(&b, int64(b.Len()), shape+" "+typ, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Header.Config.SeqLen = 150
		m.Header.Config.KVFloat16 = i%2 == 0
		c, err := llama.Load(m, m.Header, nil)
		add(shape+" "+typ, c, err)
	}
	return names, models
}

// newGuessSampler returns one of the samplers, greedy or not, of run.c or of llama.cpp.
func newGuessSampler(g *llama.Generator, k *simd.Kernels, i int) {
	t := g.Transformer
	if i%2 == 0 {
		g.Sampler = t.NewSampler([]float32{0, 0.3, 1, 1.5}[i/2%4], []float32{0, 0.9, 0.5}[i/2%3], uint64(i+1))
		return
	}
	o := sampler.Options{RepeatPenalty: 1, TopP: 1, Seed: uint64(i), Temperature: []float32{0, 0.7, 1, 1.5}[i/2%4]}
	if i%3 == 0 {
		o.RepeatPenalty, o.RepeatLastN = 1.3, []int{-1, 5, 64}[i%5%3]
	}
	o.TopK, o.TopP, o.MinP = []int{0, 5, 40}[i%7%3], []float32{1, 0.8}[i%11%2], []float32{0, 0.05}[i%13%2]
	g.Sampler = sampler.New(t.Config.VocabSize, k, t.Context, o)
}

// guessSamplers is the number of samplers.
const guessSamplers = 48

// prompts have lengths around a batch, and some of no matter; with one of them the context is full.
var guessPrompts = []int{0, 1, 7, 62, 94, 95, 96, 130, 148}

// TestGuesses: with any guesses, right ones and wrong ones at all places, more than there is room for or of no vocabulary, the
// tokens are those that come without, by every sampler, kernel, type of model and number of threads.
func TestGuesses(t *testing.T) {
	names, models := guessedModels(t)
	cases := 1000
	if testing.Short() {
		cases = 40
	}
	type text struct{ model, sampler, prompt, steps int }
	alone := map[text][]int{} // what comes without guesses
	rng := rand.New(rand.NewPCG(3, 4))
	seen := map[[2]int]bool{} // guesses in a pass, and how many of them were right
	for i := range cases {
		x := text{model: i / 2 % len(models), sampler: rng.IntN(guessSamplers), prompt: guessPrompts[rng.IntN(len(guessPrompts))]}
		if i%2 == 0 { // these are small
			x.model = i / 2 % 2
		}
		c := models[x.model]
		x.prompt = min(x.prompt, c.Config.SeqLen-2)
		x.steps = min(c.Config.SeqLen, x.prompt+2+rng.IntN(24))
		if rng.IntN(4) == 0 { // to the end of the context
			x.prompt, x.steps = max(x.prompt, c.Config.SeqLen-20), 0
		}
		k, threads := simd.All()[rng.IntN(len(simd.All()))], 1+rng.IntN(4)
		if k.Name == "go" && x.model > 1 { // it takes long
			x.prompt = min(x.prompt, 7)
			x.steps = x.prompt + 2 + rng.IntN(18)
		}
		name := fmt.Sprintf("%s, sampler %d, prompt %d, steps %d", names[x.model], x.sampler, x.prompt, x.steps)
		if alone[x] == nil {
			alone[x], _, _ = guessed(t, c, simd.Best(), 1, x.sampler, x.prompt, x.steps, nil)
		}
		want := alone[x]
		right := []float64{0, 0.5, 0.9, 1, -1, -1, -1}[rng.IntN(7)] // -1: up to a place, all of them equally likely
		guess := func(text []int32, n int) (tokens []int) {
			wrong := rng.IntN(2 + llama.Guesses)
			for at, token := range want[min(len(text)-1, len(want)):] { // BOS is none of want
				if right >= 0 && rng.Float64() >= right || right < 0 && at == wrong {
					token = rng.IntN(c.Config.VocabSize)
				}
				tokens = append(tokens, token)
			}
			if right < 0 {
				return tokens[:min(len(tokens), 1+rng.IntN(2*llama.Guesses))]
			}
			switch rng.IntN(6) {
			case 0: // more than there is room for
				tokens = append(tokens, make([]int, 200)...)
			case 1:
				tokens = append(tokens[:min(len(tokens), rng.IntN(4))], -1, c.Config.VocabSize, 1<<40)
			case 2:
				tokens = nil
			}
			return tokens[:min(len(tokens), rng.IntN(2*llama.Guesses))]
		}
		got, passes, counts := guessed(t, c, k, threads, x.sampler, x.prompt, x.steps, guess)
		if !slices.Equal(got, want) {
			t.Errorf("%s, %s, %d threads, right %g:\n%d\nwithout guesses\n%d", name, k.Name, threads, right, got, want)
		}
		if passes > len(want)+1 {
			t.Errorf("%s: %d passes for %d tokens", name, passes, len(want))
		}
		for c := range counts {
			seen[c] = true
		}
	}
	missing := 0
	for n := 1; n <= llama.Guesses; n++ {
		for r := 0; r <= n; r++ {
			if !seen[[2]int{n, r}] {
				missing++
			}
		}
	}
	t.Logf("%d cases; of %d pairs of guesses and right ones, %d did not occur", cases, len(seen)+missing, missing)
	if missing > 20 && !testing.Short() {
		t.Errorf("%d of the pairs of guesses and right ones did not occur", missing)
	}
}

// guessed generates a text and returns its tokens, the passes, and the pairs of guesses and of right ones that occurred.
func guessed(t *testing.T, c *llama.Checkpoint, k *simd.Kernels, threads, s, prompt, steps int, guess func([]int32, int) []int) (ids []int, passes int, seen map[[2]int]bool) {
	t.Helper()
	tr, err := c.NewTransformer(llama.Options{Kernels: k, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	g := &llama.Generator{Transformer: tr, Tokenizer: numbers(c.Config.VocabSize)}
	newGuessSampler(g, k, s)
	seen = map[[2]int]bool{}
	last, guesses := 0, 0
	text := bytes.Repeat([]byte{7, 9, 200, 33}, prompt)[:prompt]
	known, _ := g.Tokenizer.Encode(string(text), true, false)
	if guess != nil {
		g.Guess = func(text []int32, n int) []int {
			if so := append(known[:1:1], ids...); len(text) <= len(known) && !slices.Equal(text, int32s(known[:len(text)])) ||
				len(text) > len(known) && !slices.Equal(text, int32s(so)) {
				t.Errorf("asked what follows %d, where the text is %d", text, so)
			}
			if guesses > 0 {
				seen[[2]int{guesses, len(text) - last - 1}] = true
			}
			tokens := guess(text, n)
			valid := slices.IndexFunc(append(slices.Clone(tokens), -1), func(token int) bool { return token < 0 || token >= c.Config.VocabSize })
			last, guesses = len(text), min(n, valid)
			return tokens
		}
	}
	stats, err := g.Generate(context.Background(), string(text), steps, func(token int, _ string) error {
		ids = append(ids, token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Positions != len(ids) || stats.Passes > stats.Positions-stats.Prompt {
		t.Errorf("%+v of %d tokens", stats, len(ids))
	}
	return ids, g.Passes, seen
}

// TestGuessesRight: guesses that are right save passes: 16 tokens come of each.
func TestGuessesRight(t *testing.T) {
	_, models := guessedModels(t)
	for _, c := range models[:3] {
		want, _, _ := guessed(t, c, simd.Best(), 2, 4, 0, 60, nil)
		_, passes, _ := guessed(t, c, simd.Best(), 2, 4, 0, 60, func(text []int32, n int) (tokens []int) {
			return want[len(text)-1:][:min(n, len(want)-len(text)+1)]
		})
		if want := (60 + llama.Guesses) / (1 + llama.Guesses); passes != want {
			t.Errorf("%d passes for 60 tokens, want %d", passes, want)
		}
	}
}

// TestLogitsOfBatch: the logits of several tokens, which one product makes, are those of each alone, in any order of calls,
// also when the caller changes what it gets, with every kernel and type.
func TestLogitsOfBatch(t *testing.T) {
	names, models := guessedModels(t)
	for i, c := range models {
		for _, k := range simd.All() {
			tr := llama.NewTransformer(c, llama.Options{Kernels: k, Threads: 1 + i%4})
			one := llama.NewTransformer(c, llama.Options{Kernels: k, Threads: 1})
			tokens := []int{1, 9, 200, 30, 9, 9, 200, 1, 5, 5, 5, 77, 8, 200, 9, 1, 3, 40, 40, 2, 6}
			var want [][]float32
			for pos, token := range tokens {
				want = append(want, slices.Clone(one.Forward(token, pos)))
			}
			tr.Prefill(tokens, 0)
			for _, at := range []int{0, 1, 2, 15, 16, 17, 20, 20, 3, 4, 6, 5, 7, 0} {
				got := tr.Logits(at)
				if !slices.Equal(got, want[at]) || !slices.Equal(tr.Context(), int32s(tokens[:at+1])) {
					t.Fatalf("%s, %s: other logits of token %d, or of %d", names[i], k.Name, at, tr.Context())
				}
				clear(got)
			}
			tr.Logits(2)
			tr.Prefill(tokens[4:], 4) // of the batch before there were logits up to token 17
			if !slices.Equal(tr.Logits(5), want[9]) {
				t.Errorf("%s, %s: logits of another batch", names[i], k.Name)
			}
			tr.Close()
			one.Close()
		}
	}
}

func int32s(tokens []int) (list []int32) {
	for _, token := range tokens {
		list = append(list, int32(token))
	}
	return list
}

// TestGuessesStopped: a pass with guesses that the context's end stops in any layer is as if it had not begun.
func TestGuessesStopped(t *testing.T) {
	_, models := guessedModels(t)
	c := models[0]
	want, _, _ := guessed(t, c, simd.Best(), 1, 0, 3, 0, nil)
	tr := llama.NewTransformer(c, llama.Options{Threads: 1})
	defer tr.Close()
	g := &llama.Generator{Transformer: tr, Sampler: tr.NewSampler(0, 0, 1)}
	g.Guess = func(text []int32, n int) []int { return want[len(text)-1:][:min(n, len(want)-len(text)+1)] }
	text, pos := []int{1, 7, 9, 200}, 0
	for len(text) < len(want)+1 {
		for layers := range c.Config.NLayers {
			stopped, cancel := context.WithCancel(t.Context())
			if layers == 0 {
				cancel()
			}
			_, err := g.Prefill(&endsAfter{stopped, layers}, text[pos:], pos)
			cancel()
			if err == nil && pos > 0 { // a guess that was right
				break
			}
		}
		first, err := g.Prefill(t.Context(), text[pos:], pos)
		if err != nil {
			t.Fatal(err)
		}
		next, err := g.Next(first + len(text) - pos - 1)
		if err != nil {
			t.Fatal(err)
		}
		pos, text = len(text), append(text, next)
	}
	if !slices.Equal(text[1:], want) {
		t.Errorf("%d, without stops %d", text[1:], want)
	}
}

// endsAfter is a context that is done when Err has been called so many times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestGuessesAllocateNothing, for right and wrong ones.
func TestGuessesAllocateNothing(t *testing.T) {
	_, models := guessedModels(t)
	for _, c := range models[:4] {
		tr := llama.NewTransformer(c, llama.Options{Threads: 2})
		g := &llama.Generator{Transformer: tr, Sampler: tr.NewSampler(1, 0.9, 1)}
		guess := []int{5, 6, 7, 8, 9}
		g.Guess = func(text []int32, n int) []int { return guess[:min(n, len(guess))] }
		token := []int{1}
		pos := 0
		generate := func() {
			first, err := g.Prefill(context.Background(), token, pos)
			if err != nil {
				t.Fatal(err)
			}
			if token[0], err = g.Next(first); err != nil {
				t.Fatal(err)
			}
			if pos++; pos%3 == 0 {
				token[0] = 5
			}
			pos %= c.Config.SeqLen
		}
		if n := testing.AllocsPerRun(50, generate); n != 0 {
			t.Errorf("%s: %g allocations a token", c.Name, n)
		}
		tr.Close()
	}
}
