package llama

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

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
	simd.SetRowF32(cls.F32, b, bos)
	simd.SetRowF32(cls.F32, a, before[7])
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
