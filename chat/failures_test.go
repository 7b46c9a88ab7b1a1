package chat

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"bootllama"
	"bootllama/session"
)

const maxLine = session.MaxLine

// generator returns the random model at temperature 0: its texts are noise, and the same each time.
func generator(t *testing.T) *llama.Generator {
	t.Helper()
	c, err := llama.LoadCheckpoint("../testdata/random.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := llama.LoadTokenizer("../testdata/random-tok.bin", c.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	tr := llama.NewTransformer(c, llama.Options{})
	return &llama.Generator{Transformer: tr, Tokenizer: tok, Sampler: tr.NewSampler(0, 0, 1)}
}

// onWrite calls f after each Write.
type onWrite struct {
	text strings.Builder
	f    func(string)
}

func (w *onWrite) Write(b []byte) (int, error) {
	defer w.f(string(b))
	return w.text.Write(b)
}

// failing fails from the n-th Write on.
type failing int

func (w *failing) Write(b []byte) (int, error) {
	if *w--; *w < 0 {
		return 0, errors.New("broken console")
	}
	return len(b), nil
}

// TestEveryWriteFails: a conversation whose output breaks, at whichever write, end with that error.
func TestEveryWriteFails(t *testing.T) {
	const in = "once\nxyzxyzxyzxyxyzxyz xyzxyz\n" // the second is too long for 12 steps
	for name, run := range map[string]func(r io.Reader, w io.Writer) error{
		"conversation": func(r io.Reader, w io.Writer) error { return conversation(t, 0).Run(context.Background(), r, w) },
		"no tokens": func(r io.Reader, w io.Writer) error {
			c := conversation(t, 0)
			c.Generator.Tokenizer = smallTokenizer(t, templateCharacters+"be")
			return c.Run(context.Background(), io.MultiReader(strings.NewReader("b\nx\n"), strings.NewReader("")), w)
		},
	} {
		all := failing(1 << 20)
		if err := run(strings.NewReader(in), &all); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		writes := 1<<20 - int(all)
		for n := range writes {
			w := failOnce(n)
			if err := run(strings.NewReader(in), &w); err == nil || err.Error() != "broken console" {
				t.Errorf("%s, write %d of %d: %v", name, n+1, writes, err)
			}
		}
	}
}

// failOnce fails at one Write, the one after that many others.
type failOnce int

func (w *failOnce) Write(b []byte) (int, error) {
	if *w--; *w == -1 {
		return 0, errors.New("broken console")
	}
	return len(b), nil
}

// TestReadersGone: the goroutine that reads lines ends with the conversation, once its Read returns.
func TestReadersGone(t *testing.T) {
	c := conversation(t, 20)
	before := runtime.NumGoroutine()
	for range 5 {
		if err := c.Run(context.Background(), strings.NewReader("be kind\n"), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
