// Package bench is the command bench: how fast a model runs, and what limits it.
package bench

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootllama"
	"bootllama/guess"
	"bootllama/internal/flags"
	"bootllama/simd"
	"bootllama/workers"
)

// Help is what -h prints.
const Help = `Usage: bench [MODEL] [options]    how fast a model runs, and what limits it

In each round a prompt goes through the model, then tokens are generated, then
all weights are read by as many cores: a token cannot take less time than that.
The figures are medians. The text is nonsense and is not shown.

      --threads N        processor cores that share the work; 0 (default): all
                         physical ones
      --prefill N        tokens of the prompt; 0: none (default 128, or half of
                         the model's context)
      --decode N         tokens to generate (default 64, or what is left of it)
      --lookup N         also with up to N guesses in a pass, 1 to 15, where the
                         text repeats something, and what such passes take
      --draft DRAFT      the same with guesses by a smaller model (15, or N)
      --right P          of these a share of P, 0 to 1, is made right, since
                         this text is nonsense
      --rounds N         (default 5)
      --json             all figures as JSON
  -h, --help             print this

BOOTLLAMA_SIMD=go, sse2, avx2 or avx512 in the environment forces these kernels.
`

// options are the options of bench.
type options struct {
	model           string
	threads         int
	prefill, decode int // -1: the default
	rounds          int
	lookup          int // 0: not measured
	draft           string
	right           float64 // -1: as they are
	json            bool
}

// Report is the result. TokS and GBS have one value for each round.
type Report struct {
	Model   string  `json:"model"`
	Threads int     `json:"threads"`
	SIMD    string  `json:"simd"`
	LoadMS  float64 `json:"load_ms"`
	Prefill struct {
		Tokens int       `json:"tokens"`
		TokS   []float64 `json:"tok_s"`
		Median float64   `json:"median"`
	} `json:"prefill"`
	Decode struct {
		Tokens        int       `json:"tokens"`
		TokS          []float64 `json:"tok_s"`
		Median        float64   `json:"median"`
		BytesPerToken int64     `json:"bytes_per_token"` // weights, and the keys and values that the middle token reads
		GBS           float64   `json:"gb_s"`            // bytes of tokens read per second, at the median speed
	} `json:"decode"`
	Read struct {
		GBS    []float64 `json:"gb_s"`
		Median float64   `json:"median"`
	} `json:"read"`
	Guesses *Guesses  `json:"guesses,omitempty"`
	Share   float64   `json:"share"`    // of the bandwidth of Read that Decode reaches: the median of all rounds
	TokenUS []float64 `json:"token_us"` // microseconds for each token of the last round
}

// Guesses is how fast Decode is with guesses, and the time of a pass of 1, 2, 4, 8
// and 16 tokens as multiples of the first. Tokens of a pass depend on the text, which is nonsense here.
type Guesses struct {
	By            string    `json:"by"` // lookup, or the model that guesses
	Most          int       `json:"most"`
	TokS          []float64 `json:"tok_s"`
	Median        float64   `json:"median"`
	TokensPerPass float64   `json:"tokens_per_pass"` // in the last round
	Passes        []float64 `json:"passes"`

	passes [][]float64 // seconds, of each round
	guess  func(text []int32, n int) []int
	right  *partlyRight // nil: guesses are as they are
}

// partlyRight is a sampler of a draft that chooses a share of tokens as the model does.
type partlyRight struct {
	draft *llama.Transformer
	share float64
	pos   int   // where
	text  []int // the model's begins
	rng   *rand.Rand
}

func (s *partlyRight) Sample([]float32) int {
	token := s.text[min(len(s.draft.Context())-s.pos, len(s.text)-1)]
	if s.rng.Float64() >= s.share {
		token = (token + 1) % s.draft.Config.VocabSize
	}
	return token
}

func parse(args []string) (options, error) {
	o := options{prefill: -1, decode: -1, rounds: 5, right: -1}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.Func("threads", "", flags.Number(&o.threads, flags.MaxThreads))
	fs.Func("prefill", "", flags.Number(&o.prefill, 1<<20))
	fs.Func("decode", "", flags.Number(&o.decode, 1<<20))
	fs.Func("rounds", "", flags.Number(&o.rounds, 1<<20))
	fs.Func("lookup", "", flags.Number(&o.lookup, llama.Guesses))
	fs.StringVar(&o.draft, "draft", "", "")
	fs.Func("right", "", flags.Float(&o.right, 0, 1))
	fs.BoolVar(&o.json, "json", false, "")
	operands, err := flags.Parse(fs, args)
	if err != nil {
		return o, err
	}
	if o.right >= 0 && o.draft == "" {
		return o, flags.Usagef("--right is for the guesses of a --draft")
	}
	if o.rounds == 0 {
		return o, flags.Usagef("--rounds 0: at least one")
	}
	o.model, err = flags.Model(operands)
	return o, err
}

// Main runs the command with its arguments, on a model that load reads.
func Main(args []string, load func(model string) (*llama.Checkpoint, *simd.Kernels, error), stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	start := time.Now()
	c, kernels, err := load(o.model)
	if err != nil {
		return err
	}
	o.threads = cmp.Or(o.threads, workers.Cores())
	t, err := c.NewTransformer(llama.Options{Threads: o.threads, Kernels: kernels})
	if err != nil {
		return err
	}
	defer t.Close()
	r := Report{Model: filepath.Base(c.Name), Threads: o.threads, SIMD: kernels.Name}
	r.LoadMS = 1e3 * time.Since(start).Seconds()
	if err := r.setLengths(o, c.Config.SeqLen); err != nil {
		return err
	}
	reader := newWeightReader(c.Weights, o.threads, kernels)
	defer reader.team.Close()
	r.Decode.BytesPerToken = reader.bytes + int64(r.Prefill.Tokens+(r.Decode.Tokens+1)/2)*2*c.Config.KVBytes()*int64(c.Config.NLayers*c.Config.KVDim())
	if o.draft != "" || o.lookup > 0 {
		r.Guesses = &Guesses{By: "lookup", Most: o.lookup, guess: guess.NewLookup(o.lookup).Guess}
	}
	if o.draft != "" {
		d, err := r.Guesses.load(o, load, t.Config)
		if err != nil {
			return err
		}
		defer d.Close()
	}
	if err := r.round(t, reader); err != nil { // a warm-up, whose results are dropped
		return err
	}
	r.Prefill.TokS, r.Decode.TokS, r.Read.GBS = nil, nil, nil
	if r.Guesses != nil {
		r.Guesses.TokS, r.Guesses.passes = nil, nil
	}
	for range o.rounds {
		if err := r.round(t, reader); err != nil {
			return err
		}
	}
	r.summarize()
	if o.json {
		text, err := r.json()
		if err == nil {
			_, err = io.WriteString(stdout, text)
		}
		return err
	}
	return r.print(stdout, c, reader.bytes)
}

// setLengths sets the numbers of tokens to the options, or to defaults that fit the context.
func (r *Report) setLengths(o options, seqLen int) error {
	prefill, decode := o.prefill, o.decode
	if prefill < 0 {
		prefill = min(128, seqLen/2)
	}
	if decode < 0 {
		decode = min(64, seqLen-prefill)
	}
	if prefill+decode > seqLen {
		return flags.Usagef("--prefill %d and --decode %d exceed the model's context of %d", prefill, decode, seqLen)
	}
	if decode < 1 {
		return flags.Usagef("--decode 0: at least one token")
	}
	r.Prefill.Tokens, r.Decode.Tokens = prefill, decode
	return nil
}

// round adds one measurement of each kind.
func (r *Report) round(t *llama.Transformer, reader *weightReader) error {
	prompt := make([]int, r.Prefill.Tokens)
	for i := range prompt {
		prompt[i] = (7919*i + 1) % t.Config.VocabSize
	}
	start := time.Now()
	for pos := 0; pos < len(prompt); pos += llama.Batch {
		t.Prefill(prompt[pos:min(pos+llama.Batch, len(prompt))], pos)
	}
	if len(prompt) > 0 {
		t.Logits((len(prompt) - 1) % llama.Batch)
		r.Prefill.TokS = append(r.Prefill.TokS, float64(len(prompt))/time.Since(start).Seconds())
	}

	greedy := t.NewSampler(0, 0, 1)
	r.TokenUS = make([]float64, 0, r.Decode.Tokens)
	text := make([]int, 1, 1+r.Decode.Tokens)
	text[0] = 1
	start = time.Now()
	last, token := start, 1
	for i := range r.Decode.Tokens {
		token = greedy.Sample(t.Forward(token, len(prompt)+i))
		text = append(text, token)
		now := time.Now()
		r.TokenUS = append(r.TokenUS, 1e6*now.Sub(last).Seconds())
		last = now
	}
	r.Decode.TokS = append(r.Decode.TokS, float64(r.Decode.Tokens)/last.Sub(start).Seconds())

	if r.Guesses != nil {
		if err := r.Guesses.round(t, len(prompt), text); err != nil {
			return err
		}
	}

	// For at least 20 ms: one pass over a small model is too short for the clock.
	var bytes int64
	start = time.Now()
	for bytes == 0 || time.Since(start) < 20*time.Millisecond {
		reader.read()
		bytes += reader.bytes
	}
	r.Read.GBS = append(r.Read.GBS, float64(bytes)/time.Since(start).Seconds()/1e9)
	return nil
}

// load loads the model that guesses.
func (l *Guesses) load(o options, load func(model string) (*llama.Checkpoint, *simd.Kernels, error), model llama.Config) (*llama.Transformer, error) {
	c, kernels, err := load(o.draft)
	if err != nil {
		return nil, fmt.Errorf("draft %w", err)
	}
	if n := c.Config.VocabSize; n != model.VocabSize {
		return nil, fmt.Errorf("draft model: %s has %d tokens, and the model %d", o.draft, n, model.VocabSize)
	}
	c.Config.SeqLen = min(c.Config.SeqLen, model.SeqLen)
	t, err := c.NewTransformer(llama.Options{Threads: o.threads, Kernels: kernels})
	if err != nil {
		return nil, err
	}
	l.By, l.Most = filepath.Base(c.Name), cmp.Or(o.lookup, llama.Guesses)
	d := guess.NewDraft(llama.Generator{Transformer: t, Sampler: t.NewSampler(0, 0, 1)}, l.Most)
	if l.guess = d.Guess; o.right >= 0 {
		l.right = &partlyRight{draft: t, share: o.right, rng: rand.New(rand.NewPCG(1, 1))}
		d.Model.Sampler = l.right
	}
	return t, nil
}

// round adds one measurement at the position behind the prompt, of a text, which must come out.
func (l *Guesses) round(t *llama.Transformer, pos int, text []int) error {
	g := llama.Generator{Transformer: t, Sampler: t.NewSampler(0, 0, 1), Guess: l.guess}
	if l.right != nil {
		l.right.pos, l.right.text = pos, text
	}
	tokens := len(text) - 1
	start := time.Now()
	for i := range tokens {
		first, err := g.Prefill(context.Background(), text[i:i+1], pos+i)
		if err != nil {
			return err
		}
		if token, err := g.Next(first); err != nil {
			return err
		} else if token != text[i+1] {
			panic(fmt.Sprintf("bench: with guesses token %d is %d, without %d", i, token, text[i+1]))
		}
	}
	l.TokS = append(l.TokS, float64(tokens)/time.Since(start).Seconds())
	l.TokensPerPass = float64(tokens) / float64(g.Passes)
	var passes []float64
	for n := 1; n <= 1+llama.Guesses && pos+n <= t.Config.SeqLen; n *= 2 {
		start := time.Now()
		t.Prefill(make([]int, n), pos)
		t.Logits(0)
		passes = append(passes, time.Since(start).Seconds())
	}
	l.passes = append(l.passes, passes)
	return nil
}

// summarize fills in what follows from the rounds.
func (l *Guesses) summarize() {
	l.Median, l.Passes = median(l.TokS), nil
	for size := range l.passes[0] {
		var seconds []float64
		for _, round := range l.passes {
			seconds = append(seconds, round[size]/round[0])
		}
		l.Passes = append(l.Passes, median(seconds))
	}
}

// weightReader reads all weights that a token takes, on all threads and in the order in
// which Forward does, and does nothing with them: no token can take less time.
type weightReader struct {
	kernels *simd.Kernels
	team    *workers.Team[weightReader]
	steps   [][][]byte // the matrices of each product, in parts for the threads
	parts   [][]byte   // those of the step that is read
	bytes   int64      // of all steps
}

func newWeightReader(w llama.Weights, threads int, kernels *simd.Kernels) *weightReader {
	r := &weightReader{kernels: kernels, team: workers.New[weightReader](threads)}
	for l := range w.WQ {
		r.add(w.WQ[l], w.WK[l], w.WV[l])
		r.add(w.WO[l])
		r.add(w.W1[l], w.W3[l])
		r.add(w.W2[l])
	}
	r.add(w.WCls)
	return r
}

// add adds a step. Its parts get smaller, as those of a product do.
func (r *weightReader) add(matrices ...llama.Matrix) {
	var parts [][]byte
	for _, m := range matrices {
		for b := m.Tiles; len(b) > 0; {
			n := min(len(b), max(len(b)/(2*r.team.Size()), 64<<10))
			parts, b = append(parts, b[:n]), b[n:]
			r.bytes += int64(n)
		}
	}
	r.steps = append(r.steps, parts)
}

func (r *weightReader) read() {
	for _, r.parts = range r.steps {
		size := 0
		for _, b := range r.parts {
			size += len(b)
		}
		r.team.Do(r, len(r.parts), size, (*weightReader).readPart)
	}
}

func (r *weightReader) readPart(_, part int) { r.kernels.Read(r.parts[part]) }

// summarize fills in what follows from the rounds.
func (r *Report) summarize() {
	shares := make([]float64, len(r.Read.GBS))
	for i := range shares {
		shares[i] = r.Decode.TokS[i] * float64(r.Decode.BytesPerToken) / 1e9 / r.Read.GBS[i]
	}
	r.Share = median(shares)
	r.Prefill.Median, r.Decode.Median, r.Read.Median = median(r.Prefill.TokS), median(r.Decode.TokS), median(r.Read.GBS)
	if r.Guesses != nil {
		r.Guesses.summarize()
	}
	r.Decode.GBS = r.Decode.Median * float64(r.Decode.BytesPerToken) / 1e9
}

// types lists the types of a model's matrices, that of most bytes first.
func types(h llama.Header) string {
	var names []string
	bytes := map[string]int64{}
	for _, t := range h.Tensors {
		name := t.Type.String()
		if t.Type == llama.Int8 {
			name = "int8"
		}
		if t.Rows > 1 && t.Weight != "" {
			if bytes[name] += t.Bytes; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(bytes[b], bytes[a]) })
	return strings.Join(names, ", ")
}

// print writes the Report as text.
func (r *Report) print(w io.Writer, c *llama.Checkpoint, weights int64) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %.1f MB of weights; kernels %s, %d threads; loaded in %.0f ms\n",
		r.Model, types(c.Header), float64(weights)/1e6, r.SIMD, r.Threads, r.LoadMS)
	line := func(name, tokens, unit string, median float64, all []float64) {
		if len(all) > 0 {
			fmt.Fprintf(&b, "%-8s %11s %9.1f %-5s (%.1f to %.1f in %d rounds)\n", name, tokens, median, unit, slices.Min(all), slices.Max(all), len(all))
		}
	}
	line("prefill", fmt.Sprint(r.Prefill.Tokens, " tokens"), "tok/s", r.Prefill.Median, r.Prefill.TokS)
	line("decode", fmt.Sprint(r.Decode.Tokens, " tokens"), "tok/s", r.Decode.Median, r.Decode.TokS)
	if l := r.Guesses; l != nil {
		line("guesses", fmt.Sprint(r.Decode.Tokens, " tokens"), "tok/s", l.Median, l.TokS)
	}
	line("read", "", "GB/s", r.Read.Median, r.Read.GBS)
	fmt.Fprintf(&b, "decode reads %.1f MB a token, weights, keys and values: %.1f GB/s, %.0f %% of that\n", float64(r.Decode.BytesPerToken)/1e6, r.Decode.GBS, 100*r.Share)
	if l := r.Guesses; l != nil {
		fmt.Fprintf(&b, "guesses by %s: %.2f tokens a pass of this text; a pass of 1, 2, 4, 8, 16 tokens takes %.2f times the first\n", l.By, l.TokensPerPass, l.Passes)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// median returns the median of values, or 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
