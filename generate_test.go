package llama

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"bootllama/simd"
)

// writes records each Write.
type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

func TestTextWriter(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		want   []string
	}{
		{"as it comes", []string{"Once", " upon", ""}, []string{"Once", " upon"}},
		{"control bytes are dropped", []string{"a", "\x00", "\x07", "\x08", "\x1b", "\x7f", "b"}, []string{"a", "b"}},
		{"white space stays", []string{"\t", "\n", "\v", "\f", "\r", " "}, []string{"\t", "\n", "\v", "\f", "\r", " "}},
		{"pieces of several bytes stay as they are", []string{"\x1b[0m"}, []string{"\x1b[0m"}},
		{"a character in bytes", []string{"x", "\xf0", "\x9f", "\x99", "\x82", "y"}, []string{"x", "🙂", "y"}},
		{"half a character at a piece's end", []string{"ab\xc3", "\xa9cd"}, []string{"ab", "écd"}},
		{"a character that never ends", []string{"\xc3", "x"}, []string{"\xc3x"}},
		{"bytes that begin nothing", []string{"\xa9", "\xff"}, []string{"\xa9", "\xff"}},
		{"half a character at the end", []string{"a", "\xe6", "\x97"}, []string{"a", "\xe6\x97"}},
	} {
		var w writes
		text := NewTextWriter(&w)
		for _, p := range c.pieces {
			if err := text.WritePiece(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := text.Flush(); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc([]string(w), func(s string) bool { return s == "" })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// generate returns the tokens of a generation with the random model.
func generate(t *testing.T, g *Generator, prompt string, steps int) ([]int, Stats) {
	t.Helper()
	var ids []int
	stats, err := g.Generate(context.Background(), prompt, steps, func(token int, piece string) error {
		ids = append(ids, token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, stats
}

func TestGenerateSteps(t *testing.T) {
	for _, c := range []struct{ steps, want int }{{1, 1}, {10, 10}, {64, 64}, {0, 64}, {-1, 64}, {65, 64}, {1 << 30, 64}} {
		ids, stats := generate(t, randomGenerator(t, 0, 0, 1), "", c.steps)
		if len(ids) != c.want || stats.Positions != c.want {
			t.Errorf("steps %d: %d tokens, %d positions, want %d", c.steps, len(ids), stats.Positions, c.want)
		}
	}
}

// TestGenerateLongPrompt: a prompt longer than the steps or the context is cut.
func TestGenerateLongPrompt(t *testing.T) {
	g := randomGenerator(t, 0, 0, 1)
	prompt := strings.Repeat("once xyz ", 30)
	want, err := g.Tokenizer.Encode(prompt, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{5, 0} {
		ids, _ := generate(t, g, prompt, steps)
		if n := g.Steps(steps); !slices.Equal(ids, want[:n]) {
			t.Errorf("steps %d: %v, want the prompt's first %d tokens, %v", steps, ids, n, want[:n])
		}
	}
}

// TestGenerateStopsAtBOS: it ends the text and is not emitted.
func TestGenerateStopsAtBOS(t *testing.T) {
	g := randomGenerator(t, 0, 0, 1)
	before, _ := generate(t, g, "the", 12)
	// From now on bos is the likeliest token where before[7] was: swap their rows.
	cls, dim := g.Transformer.Weights.WCls, g.Transformer.Config.Dim
	a, b := make([]float32, dim), make([]float32, dim)
	cls.row(a, bos)
	cls.row(b, before[7])
	tiles := unsafe.Slice((*float32)(unsafe.Pointer(&cls.Tiles[0])), len(cls.Tiles)/4)
	simd.SetRowF32(tiles, b, bos)
	simd.SetRowF32(tiles, a, before[7])
	first := slices.Index(before[1:], before[7]) + 1
	ids, stats := generate(t, g, "the", 12)
	if !slices.Equal(ids, before[:first]) || stats.Positions != first+1 {
		t.Errorf("%v after %d positions, want %v after %d", ids, stats.Positions, before[:first], first+1)
	}
}

func TestGenerateStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	failed := errors.New("disk full")
	for _, c := range []struct {
		name string
		emit func() error
		want error
	}{
		{"cancelled", func() error { cancel(); return nil }, context.Canceled},
		{"the text goes nowhere", func() error { return failed }, failed},
	} {
		n := 0
		_, err := randomGenerator(t, 0, 0, 1).Generate(ctx, "", 0, func(int, string) error {
			if n++; n == 3 {
				return c.emit()
			}
			return nil
		})
		if n != 3 || !errors.Is(err, c.want) {
			t.Errorf("%s: %d tokens, error %v; want 3, %v", c.name, n, err, c.want)
		}
		ctx = context.Background()
	}
}

// cancelWriter cancels at the n-th Write.
type cancelWriter struct {
	writes
	n      int
	cancel func()
}

func (w *cancelWriter) Write(b []byte) (int, error) {
	if w.n--; w.n == 0 {
		w.cancel()
	}
	return w.writes.Write(b)
}

// TestGenerateText: a text that is stopped is still a line.
func TestGenerateText(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &cancelWriter{n: 2, cancel: cancel}
	_, err := randomGenerator(t, 0, 0, 1).GenerateText(ctx, w, "once and the", 0)
	if got := strings.Join(w.writes, ""); !errors.Is(err, context.Canceled) || got != "once and\n" {
		t.Errorf("%q, %v; want the first two words, a newline and %v", got, err, context.Canceled)
	}
}

// TestNumbersOverflow: a model of finite weights whose numbers overflow on the way to the logits ends in one error, at the
// first position, whatever overflows: the classifier alone, the squares of rmsnorm, attention that int8 would hide.
func TestNumbersOverflow(t *testing.T) {
	config := shape(8, 12, 2, 2, 1, 300, 64)
	for _, c := range []struct {
		name   string
		group  int
		weight string // "": all matrices
		value  float32
	}{
		{"all", 0, "", 1e38}, {"all", 4, "", 1e38}, {"all, in squares", 0, "", 1e30}, {"all, in squares", 4, "", 1e30},
		{"wcls", 0, "wcls", 3e38}, {"wcls", 4, "wcls", 3e38}, {"wq", 0, "wq", 3e38}, {"wq", 4, "wq", 3e38},
		{"w1", 0, "w1", 3e38}, {"w1", 4, "w1", 3e38}, {"embedding", 0, "token_embedding_table", 1e25}, {"wv", 4, "wv", 3e38},
	} {
		h := plainHeader(config, c.group)
		file := randomWeights(h.Tensors)
		for _, x := range h.Tensors {
			if x.Weight == "" || c.weight != "" && x.Weight != c.weight || x.Rows == 1 {
				continue
			}
			at, n := x.Offset-h.Tensors[0].Offset, x.Rows*x.Columns
			if x.Type == Int8 { // the scales
				at, n = at+int64(n), n/x.Group
			}
			for i := range n {
				b := file[at+4*int64(i):]
				v := math.Float32frombits(binary.LittleEndian.Uint32(b))
				binary.LittleEndian.PutUint32(b, math.Float32bits(float32(math.Copysign(float64(c.value), float64(v)))))
			}
		}
		checkpoint, err := Load(bytes.NewReader(file), h, nil)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := LoadTokenizer(randomTokenizer, config.VocabSize)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range simd.All() {
			for _, temperature := range []float32{0, 1} {
				tr, err := checkpoint.NewTransformer(Options{Kernels: k})
				if err != nil {
					t.Fatal(err)
				}
				var text strings.Builder
				g := &Generator{Transformer: tr, Tokenizer: tok, Sampler: tr.NewSampler(temperature, 0.9, 1)}
				_, err = g.GenerateText(context.Background(), &text, "", 0)
				if text.String() != "\n" {
					t.Errorf("%s, groups of %d, %s: wrote %q", c.name, c.group, k.Name, text.String())
				}
				wantError(t, err, "plain: the logits of position 0 are no finite numbers")
				if err := tr.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestNoMemoryForState: weights that fit with a state that does not are one error; nothing is left of it, and the checkpoint
// still serves others.
func TestNoMemoryForState(t *testing.T) {
	c, err := LoadCheckpoint(randomModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := c.NewTransformer(Options{Threads: 1 << 45}) // attention scores of each
	if wantError(t, err, "random.bin: keys, values and state: |bytes of memory: "); tr != nil {
		t.Error("there is a Transformer, too")
	}
	func() {
		defer func() {
			if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "llama: NewTransformer: ") || strings.Contains(s, "\n") {
				t.Errorf("panic %v, want llama's own", s)
			}
		}()
		NewTransformer(c, Options{Threads: 1 << 45})
	}()
	if err := NewTransformer(c, Options{}).Close(); err != nil {
		t.Error(err)
	}
}

// TestSharedCheckpoint: Transformers of one Checkpoint and one Tokenizer are made, used and closed at the same time, and
// compute what one alone does. The race detector sees what they share.
func TestSharedCheckpoint(t *testing.T) {
	for _, model := range []string{randomModel, randomInt8} {
		g := generatorOf(t, model, 1, 0.9, 7)
		want, _ := generate(t, g, "once and", 40)
		c, err := LoadCheckpoint(model, nil)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 4 {
					tr, err := c.NewTransformer(Options{Threads: 2})
					if err != nil {
						t.Error(err)
						return
					}
					var ids []int
					own := Generator{Transformer: tr, Tokenizer: g.Tokenizer, Sampler: tr.NewSampler(1, 0.9, 7)}
					_, err = own.Generate(context.Background(), "once and", 40, func(token int, _ string) error {
						ids = append(ids, token)
						return nil
					})
					if err := errors.Join(err, tr.Close()); err != nil || !slices.Equal(ids, want) {
						t.Errorf("%s: %v, %v, alone %v", model, err, ids, want)
					}
				}
			})
		}
		wg.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// foreign is a tokenizer of another format: a token is a byte, 256 ends a text, and texts begin with BOS, 257, if there is
// one.
type foreign struct{ bos bool }

func (f foreign) Encode(text string, bos, eos bool) (tokens []int, err error) {
	if bos && f.bos {
		tokens = append(tokens, 257)
	}
	for i := range len(text) {
		tokens = append(tokens, int(text[i]))
	}
	return tokens, nil
}
func (f foreign) Decode(_, token int) string { return string([]byte{byte(token)}) }
func (f foreign) Ends(token int) bool        { return token == 256 || token == 5 }
func (f foreign) VocabSize() int             { return 300 }

// script samples these tokens, one after the other, and token 9 then.
type script struct{ tokens []int }

func (s *script) Sample([]float32) int {
	next := 9
	if len(s.tokens) > 0 {
		next, s.tokens = s.tokens[0], s.tokens[1:]
	}
	return next
}

// TestForeignTokenizer: what generating does with another format's tokenizer and sampler: a model without BOS emits its
// first token, too, tokens that end a text do so only where the model has chosen them, and every byte is written.
func TestForeignTokenizer(t *testing.T) {
	for _, c := range []struct {
		name, prompt string
		bos          bool
		steps        int
		script       []int
		want         string
	}{
		{"with BOS", "ab", true, 6, []int{'c', 0, 0xc3, 0xa9}, "abc\x00é"},
		{"without", "ab", false, 6, []int{'c', 0, 0xc3, 0xa9}, "abc\x00é"},
		{"an end", "a", true, 9, []int{'c', 256}, "ac"},
		{"an end at once", "a", false, 9, []int{5}, "a"},
		{"an end in the prompt", "a\x05b", true, 9, []int{'c', 5}, "a\x05bc"},
		{"as long as the prompt", "abc", true, 3, nil, "abc"},
		{"as long as the prompt, without BOS", "abc", false, 3, nil, "abc"},
		{"one more", "abc", false, 4, []int{'d'}, "abcd"},
	} {
		g := Generator{Transformer: randomGenerator(t, 0, 0, 1).Transformer, Tokenizer: foreign{c.bos}, Sampler: &script{c.script}}
		var b strings.Builder
		if _, err := g.GenerateText(context.Background(), &b, c.prompt, c.steps); err != nil || b.String() != c.want+"\n" {
			t.Errorf("%s: %q, %v, want %q", c.name, b.String(), err, c.want)
		}
	}
	g := Generator{Transformer: randomGenerator(t, 0, 0, 1).Transformer, Tokenizer: foreign{}, Sampler: &script{}}
	if _, err := g.GenerateText(context.Background(), io.Discard, "", 0); err == nil || err.Error() != "prompt: the model begins no text by itself: give it a word" {
		t.Errorf("no prompt, no BOS: %v", err)
	}
}

// TestContext: the tokens that logits follow, also in the middle of a batch and where positions are computed anew.
func TestContext(t *testing.T) {
	tr := randomGenerator(t, 0, 0, 1).Transformer
	tr.Prefill([]int{1, 2, 3}, 0)
	for i, want := range [][]int32{{1}, {1, 2}, {1, 2, 3}} {
		if tr.Logits(i); !slices.Equal(tr.Context(), want) {
			t.Errorf("%d, want %d", tr.Context(), want)
		}
	}
	tr.Forward(4, 3)
	tr.Prefill([]int{7, 8}, 1)
	if tr.Logits(1); !slices.Equal(tr.Context(), []int32{1, 7, 8}) {
		t.Errorf("%d", tr.Context())
	}
}

// countdown is a context that is done when Err has been called so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestPrefillContext: it ends behind any layer, and then it is as if it had not begun.
func TestPrefillContext(t *testing.T) {
	c, err := LoadCheckpoint(randomModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr, fresh := NewTransformer(c, Options{}), NewTransformer(c, Options{})
	defer tr.Close()
	defer fresh.Close()
	tokens := []int{1, 20, 30, 40, 50}
	fresh.Prefill(tokens, 0)
	want := slices.Clone(fresh.Logits(4))
	tr.Prefill(tokens[:2], 0)
	for layers := range c.Config.NLayers {
		if err := tr.PrefillContext(&countdown{t.Context(), layers}, tokens[2:], 2); err != context.Canceled {
			t.Errorf("after %d layers: %v", layers, err)
		}
	}
	if err := tr.PrefillContext(&countdown{t.Context(), c.Config.NLayers}, tokens[2:], 2); err != nil || !slices.Equal(tr.Logits(2), want) {
		t.Errorf("%v, other logits", err)
	}
}
