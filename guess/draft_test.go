package guess

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama"
	"bootllama/internal/randommodel"
)

// words is a tokenizer: a text begins with token 1 and ends nowhere.
type words struct{}

func (words) Encode(text string, _, _ bool) (tokens []int, err error) {
	tokens = []int{1}
	for i := range len(text) {
		tokens = append(tokens, int(text[i]))
	}
	return tokens, nil
}
func (words) Decode(_, _ int) string { return "" }
func (words) Ends(int) bool          { return false }
func (words) VocabSize() int         { return 0 }

// drafted is a model and a draft for it, which it asks at times at which each pass took as long as the others.
type drafted struct {
	model, draft *llama.Transformer
	g            llama.Generator
	d            *Draft
	cost         time.Duration // of a guess
	calls        []int         // the numbers of guesses
	likeliest    bool          // the draft guesses its likeliest token
}

func newDrafted(t testing.TB, model, draft string) *drafted {
	load := func(name string) *llama.Transformer {
		file := name
		if !filepath.IsAbs(name) {
			file = "../testdata/" + name
		}
		if name == "other.bin" {
			file = filepath.Join(t.TempDir(), name)
			if err := (randommodel.Shape{Dim: 32, HiddenDim: 64, NLayers: 1, NHeads: 4, NKVHeads: 2, VocabSize: 300, SeqLen: 500}).Create(file); err != nil {
				t.Fatal(err)
			}
		}
		c, err := llama.LoadCheckpoint(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := llama.NewTransformer(c, llama.Options{Threads: 1})
		t.Cleanup(func() {
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
			c.Close()
		})
		return tr
	}
	x := &drafted{model: load(model), draft: load(draft)}
	x.g = llama.Generator{Transformer: x.model, Tokenizer: words{}}
	x.d = NewDraft(llama.Generator{Transformer: x.draft}, llama.Guesses)
	now := time.Unix(0, 0)
	x.g.Guess = func(text []int32, n int) []int {
		now = now.Add(time.Millisecond + x.cost*time.Duration(len(x.d.found)))
		tokens := x.d.guess(text, n, now)
		x.calls = append(x.calls, len(tokens))
		return tokens
	}
	return x
}

// text generates with samplers that begin at the seed.
func (x *drafted) text(t testing.TB, temperature float32, seed uint64, prompt string, steps int) (ids []int, passes int) {
	s, own := x.model.NewSampler(temperature, 0.9, seed), x.draft.NewSampler(temperature, 0.9, 99)
	x.g.Sampler, x.d.Model.Sampler, x.d.Follow = s, own, func() { own.Follow(s) }
	if x.likeliest {
		x.d.Model.Sampler, x.d.Follow = x.draft.NewSampler(0, 0, 1), nil
	}
	before := x.g.Passes
	_, err := x.g.Generate(context.Background(), prompt, steps, func(token int, _ string) error {
		ids = append(ids, token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, x.g.Passes - before
}

// TestDraft: with a draft of another model the tokens are those without it; with one of the same weights all its guesses are
// right, at any temperature, since it draws the same random numbers. One draft guesses for several texts in turn.
func TestDraft(t *testing.T) {
	for _, names := range [][2]string{{"random.bin", "random.bin"}, {"random-q8.bin", "random.bin"}, {"random.bin", "random-q8.bin"}, {"random.bin", "other.bin"}} {
		alone := newDrafted(t, names[0], names[0])
		alone.g.Guess = nil
		x := newDrafted(t, names[0], names[1])
		saved := 0
		for i := range 40 {
			temperature, prompt := []float32{0, 0.5, 1, 1.5}[i%4], []string{"", "abc", "abd", string(make([]byte, 40))}[i/2%4]
			want, _ := alone.text(t, temperature, uint64(i+1), prompt, 0)
			got, passes := x.text(t, temperature, uint64(i+1), prompt, 0)
			if !slices.Equal(got, want) {
				t.Errorf("%v, case %d: with a draft\n%d\nwithout\n%d", names, i, got, want)
			}
			if passes > len(want)+1 {
				t.Errorf("%v, case %d: %d passes for %d tokens", names, i, passes, len(want))
			}
			saved += len(want) - len(prompt) - passes
			// The first passes learn: one token, 2, 4, 8.
			if i > 3 && names[0] == names[1] && passes > (len(want)-len(prompt))/(1+llama.Guesses)+4 {
				t.Errorf("%v, case %d: %d passes for %d tokens of its own", names, i, passes, len(want)-len(prompt))
			}
		}
		t.Logf("%v: %d passes saved", names, saved)
	}
}

// TestBadDraft: what is wrong is soon guessed no longer, and tried again after a while.
func TestBadDraft(t *testing.T) {
	x := newDrafted(t, "random.bin", "other.bin")
	x.cost = time.Millisecond / 10
	for i := uint64(1); len(x.calls) < 2000; i++ {
		x.text(t, 1, i, "", 0)
	}
	sum := func(n []int) (sum int) {
		for _, n := range n {
			sum += n
		}
		return sum
	}
	if begin, then, again := sum(x.calls[:40]), sum(x.calls[40:700]), sum(x.calls[700:]); begin < 8 || then > 8 || again < 8 || again > 80 {
		t.Errorf("%d guesses in the first 40 passes, %d in the next 660, %d in 1300", begin, then, again)
	}
}

// TestDraftContext: a draft of a smaller context guesses nothing behind it.
func TestDraftContext(t *testing.T) {
	x := newDrafted(t, "random.bin", "random.bin")
	x.d.text = make([]int, 0, 40)
	_, passes := x.text(t, 0, 1, "", 0)
	if n := x.model.Config.SeqLen; passes < n-40 || passes > n-40+12 {
		t.Errorf("%d passes for %d tokens with guesses for 40", passes, n)
	}
}

// TestDraftAllocatesNothing.
func TestDraftAllocatesNothing(t *testing.T) {
	x := newDrafted(t, "random.bin", "random.bin")
	x.text(t, 1, 1, "", 0)
	text := make([]int32, 0, 64)
	if n := testing.AllocsPerRun(20, func() {
		if text = append(text, 5); len(text) == cap(text) {
			text = text[:1]
		}
		x.g.Guess(text, 7)
	}); n != 0 {
		t.Errorf("%g allocations a call", n)
	}
}

// TestAcceptance measures how many tokens come of a pass, for numbers of guesses and temperatures, with a real pair:
// BOOTLLAMA_PAIR=MODEL:DRAFT, checkpoints of the same tokens, by their whole paths. The text is that without a draft.
func TestAcceptance(t *testing.T) {
	model, draft, ok := strings.Cut(os.Getenv("BOOTLLAMA_PAIR"), ":")
	if !ok {
		t.Skip("SKIPPED: BOOTLLAMA_PAIR=MODEL:DRAFT measures how often a draft is right")
	}
	const texts = 20
	for _, temperature := range []float32{0, 0.5, 1} {
		for _, follows := range []bool{true, false} {
			line := fmt.Sprintf("temperature %g, the same random numbers %t:", temperature, follows)
			for _, most := range guesses[1:] {
				alone, x := newDrafted(t, model, model), newDrafted(t, model, draft)
				alone.g.Guess, x.likeliest = nil, !follows
				x.d.most = most
				tokens, passes := 0, 0
				for seed := uint64(1); seed <= texts; seed++ {
					want, _ := alone.text(t, temperature, seed, "", 0)
					got, n := x.text(t, temperature, seed, "", 0)
					if !slices.Equal(got, want) {
						t.Fatalf("other tokens at temperature %g, seed %d", temperature, seed)
					}
					tokens, passes = tokens+len(got), passes+n
				}
				line += fmt.Sprintf(" %d guesses: %.2f tokens a pass", most, float64(tokens)/float64(passes))
			}
			t.Log(line)
		}
	}
}
