package assistant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bootllama"
	"bootllama/assistant/template"
	"bootllama/models"
	"bootllama/session"
)

const prompt = session.Prompt

// hold holds a conversation, of which the user says first what is given.
func hold(a *Assistant, in io.Reader, out io.Writer, interrupt <-chan os.Signal, first *string) error {
	if err := a.Clear(); err != nil {
		return err
	}
	s := session.Session{Talk: session.Talk{Engine: a}, First: first, Interrupt: interrupt}
	return s.Run(context.Background(), in, out)
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

// failOnce fails at one Write, the one after that many others.
type failOnce int

func (w *failOnce) Write(b []byte) (int, error) {
	if *w--; *w == -1 {
		return 0, errors.New("broken console")
	}
	return len(b), nil
}

// marked is a tokenizer of llama2.c that finds "<|im_start|>" and "<|im_end|>" in templates: they are BOS and EOS.
type marked struct{ *llama.Tokenizer }

func (m marked) EncodeTemplate(parts []string, bos bool) (ids []int, err error) {
	text := "" // behind the last mark
	encode := func(mark ...int) {
		tokens, e := m.Tokenizer.Encode(text, false, false)
		ids, err, text = append(append(ids, tokens...), mark...), errors.Join(err, e), ""
	}
	for i, part := range parts {
		for {
			before, mark, found := strings.Cut(part, "<|im_")
			if !found || i%2 == 1 {
				break
			}
			text += before
			if part, found = strings.CutPrefix(mark, "end|>"); found {
				encode(m.EOS)
			} else {
				part = strings.TrimPrefix(mark, "start|>")
				encode(m.BOS)
			}
		}
		text += part
	}
	encode()
	return ids, err
}

func (m marked) Ends(token int) bool { return token == m.BOS || token == m.EOS }

// assistant returns an assistant that is the built-in model, whose context holds 256 tokens, at temperature 0.
func assistant(t *testing.T, size int) *Assistant {
	t.Helper()
	c, tok, err := models.Open()
	if err != nil {
		t.Fatal(err)
	}
	c.Config.SeqLen = size
	tr := llama.NewTransformer(c, llama.Options{})
	t.Cleanup(func() { tr.Close() })
	return &Assistant{
		Generator: &llama.Generator{Transformer: tr, Tokenizer: tok, Sampler: tr.NewSampler(0, 0, 1)},
		Tokenizer: marked{tok}, Template: template.ChatML(), Steps: 20,
	}
}

// next returns the likeliest token behind ids, in a fresh context.
func next(t *testing.T, a *Assistant, ids []int) int {
	t.Helper()
	g, n := a.Generator, 0
	for pos := 0; pos < len(ids); pos += n {
		n = min(llama.Batch, len(ids)-pos)
		g.Transformer.Prefill(ids[pos:pos+n], pos)
	}
	token, err := g.Next(n - 1)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestAssistant: each token of a long conversation is the one that a fresh one with the same turns would write. So it
// is when turns have been forgotten, before an answer and within one, until half of the context is free or there is but
// one turn; the system's text stays.
func TestAssistant(t *testing.T) {
	const size = 256
	a, fresh := assistant(t, size), assistant(t, size)
	system := "You tell tales."
	a.System, a.Steps = &system, 43
	tokens, forgotten, within, since := 0, 0, 0, 0
	out := &onWrite{}
	out.f = func(piece string) {
		switch {
		case piece == prompt || piece == "\n":
			return
		case strings.Contains(piece, "["):
			forgotten, since = forgotten+1, 0
			if strings.HasPrefix(piece, "\n") {
				within++
			}
			if half := len(a.ids) <= size/2 || len(a.said) == 2; !half || !strings.Contains(piece, "[The context holds 256 tokens and is full: the oldest turns, ") || a.said[0].Text != system {
				t.Errorf("%q, %d tokens left, %+v", piece, len(a.ids), a.said)
			}
			return
		}
		tokens++
		if since++; since > 8 && since%8 > 0 {
			return // it takes time
		}
		if want := a.Tokenizer.Decode(a.ids[len(a.ids)-1], next(t, fresh, a.ids)); piece != want {
			t.Errorf("behind %d tokens %q, in a fresh conversation %q", len(a.ids), piece, want)
		}
		prompt, err := a.encode(a.said)
		if err != nil || len(prompt) > len(a.ids) || !slices.Equal(a.ids[:len(prompt)], prompt) {
			t.Errorf("%v: the tokens are not those of %+v", err, a.said)
		}
	}
	var lines strings.Builder
	for i := range 24 {
		fmt.Fprintf(&lines, "A fox%s.\n", strings.Repeat(" and a fox", i%3))
	}
	if err := hold(a, strings.NewReader(lines.String()), out, nil, nil); err != nil {
		t.Fatal(err)
	}
	if tokens < 300 || within < 2 || forgotten-within < 2 {
		t.Errorf("%d tokens, turns forgotten %d times, %d of them within an answer", tokens, forgotten, within)
	}
}

// TestAssistantReads: of a later turn only what is new goes through the model, and the last token of the answer before it.
func TestAssistantReads(t *testing.T) {
	a := assistant(t, 256)
	var reads []string
	a.Progress = func(done, total int) { reads = append(reads, fmt.Sprint(done, "/", total)) }
	if err := hold(a, strings.NewReader(strings.Repeat("Go on. ", 25)+"\n\nThe fox\n"), io.Discard, nil, nil); err != nil {
		t.Fatal(err)
	}
	var n []int // tokens of the first message, of three, of four
	for _, messages := range []int{1, 3} {
		ids, err := a.encode(a.said[:messages])
		if err != nil {
			t.Fatal(err)
		}
		n = append(n, len(ids))
	}
	fresh := n[1] - (n[0] + a.Steps - 1)
	var want []string
	for _, r := range [][2]int{{0, n[0]}, {llama.Batch, n[0]}, {n[0], n[0]}, {0, fresh}, {fresh, fresh}} {
		want = append(want, fmt.Sprint(r[0], "/", r[1]))
	}
	if !slices.Equal(reads, want) {
		t.Errorf("read %s, want %s", reads, want)
	}
}

// TestAssistantTold: what the user is told, and what becomes of the lines.
func TestAssistantTold(t *testing.T) {
	a := assistant(t, 64)
	a.Steps = 0
	long, fox := strings.Repeat("a fox ", 40), "The fox"
	const unread = "The model cannot read that: it has 176 tokens in the model's format, and the context holds 64.\n"
	const full = "\n[The context holds 64 tokens and is full: the answer ends here.]\n"
	var out strings.Builder
	if err := hold(a, strings.NewReader(long+"\n\t\nThe fox\n /quit\nThe fox\n"), &out, nil, nil); err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(out.String(), unread+prompt+prompt)
	if answer, ok := strings.CutSuffix(after, full+prompt); before != prompt || !ok || len(a.said) != 2 || a.said[1].Text != answer {
		t.Errorf("%q, %+v", out.String(), a.said)
	}
	for _, c := range []struct {
		system, user *string
		want         string
	}{
		{&long, nil, "system text: it has 179 tokens in the model's format, and the context holds 64"},
		{nil, &long, "prompt: it has 176 tokens in the model's format, and the context holds 64"},
	} {
		a.System = c.system
		if err := hold(a, strings.NewReader(""), io.Discard, nil, c.user); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	out.Reset()
	if a.System = nil; hold(a, strings.NewReader(""), &out, nil, &fox) != nil || out.String() != after+"\n" {
		t.Errorf("a first line that is given: %q, want %q", out.String(), after)
	}
}

// TestAssistantInterrupt: an interrupt while the model reads takes the line back, one within an answer ends it there; the
// conversation goes on as one in which that was said.
func TestAssistantInterrupt(t *testing.T) {
	a, fresh := assistant(t, 256), assistant(t, 256)
	interrupt := make(chan os.Signal) // unbuffered: a send returns when it was heard
	stop := func() {
		interrupt <- os.Interrupt
		time.Sleep(10 * time.Millisecond) // for the goroutine that heard it
	}
	a.Progress = func(done, total int) {
		if done == llama.Batch && done < total {
			stop()
		}
	}
	tokens := 0
	out := &onWrite{f: func(piece string) {
		if tokens++; tokens == 5 { // two prompts, a message, and the second token
			stop()
		}
	}}
	if err := hold(a, strings.NewReader(strings.Repeat("a fox ", 40)+"\nThe fox\nsmiled.\n"), out, interrupt, nil); err != nil {
		t.Fatal(err)
	}
	if len(a.said) != 4 || len(a.said[1].Text) > 12 {
		t.Fatalf("%+v", a.said)
	}
	fresh.said = slices.Clone(a.said[:2])
	var want strings.Builder
	if err := fresh.Reply(context.Background(), &want, "smiled."); err != nil || want.String() != a.said[3].Text+"\n" {
		t.Errorf("%v, %q, in a fresh conversation %q", err, a.said[3].Text, want.String())
	}
	const stopped = "Stopped before the answer: the model has not heard that.\n"
	if got := out.text.String(); got != prompt+stopped+prompt+a.said[1].Text+"\n"+prompt+a.said[3].Text+"\n"+prompt+"\n" {
		t.Errorf("%q", got)
	}
}

// TestAssistantFailures: whichever write fails, the conversation ends with its error.
func TestAssistantFailures(t *testing.T) {
	a := assistant(t, 128)
	run := func(w io.Writer) error {
		return hold(a, strings.NewReader(strings.Repeat("a fox ", 40)+"\n"+strings.Repeat("A fox and a fox.\n", 3)), w, nil, nil)
	}
	all := failOnce(1 << 20)
	if err := run(&all); err != nil {
		t.Fatal(err)
	}
	for n := range 1<<20 - int(all) {
		w := failOnce(n)
		if err := run(&w); err == nil || err.Error() != "broken console" {
			t.Errorf("write %d: %v", n+1, err)
		}
	}
	if err := hold(a, iotest.ErrReader(errors.New("broken keyboard")), io.Discard, nil, nil); err == nil || err.Error() != "broken keyboard" {
		t.Errorf("a reader's error: %v", err)
	}
}

// TestAgain: the last answer is given anew, in its place, with the next random numbers; one that is stopped before its
// first word leaves the old one.
func TestAgain(t *testing.T) {
	a := assistant(t, 256)
	g := a.Generator
	g.Sampler = g.Transformer.NewSampler(1, 0, 5)
	ctx := context.Background()
	if err := a.Again(ctx, io.Discard); err != session.ErrNothing {
		t.Error(err)
	}
	for _, line := range []string{"A fox.", "And a hen."} {
		if err := a.Reply(ctx, io.Discard, line); err != nil {
			t.Fatal(err)
		}
	}
	before := a.Said()
	var out strings.Builder
	if err := a.Again(ctx, &out); err != nil {
		t.Fatal(err)
	}
	said := a.Said()
	if len(said) != 4 || !slices.Equal(said[:3], before[:3]) || said[3] == before[3] || said[3].Text+"\n" != out.String() {
		t.Errorf("%+v, before %+v, written %q", said, before, &out)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := a.Again(stopped, io.Discard); err != nil || !slices.Equal(a.Said(), said) {
		t.Errorf("%v, %+v, want %+v", err, a.Said(), said)
	}
	if a.stats != (session.Stats{}) {
		t.Errorf("figures of no answer: %+v", a.stats)
	}
}

// TestSetSystem: what the model is told before may change in a conversation, which then goes on as one that began with it.
func TestSetSystem(t *testing.T) {
	a, fresh := assistant(t, 256), assistant(t, 256)
	ctx := context.Background()
	if err := a.Reply(ctx, io.Discard, "A fox."); err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{"You tell tales.", "Be brief."} {
		if err := a.SetSystem(&system); err != nil {
			t.Fatal(err)
		}
		fresh.said, fresh.System, fresh.held = slices.Clone(a.said), &system, 0
		if fresh.said[0].Role != template.System || fresh.said[0].Text != system || len(a.Said()) != len(a.said)-1 {
			t.Errorf("%+v", a.said)
		}
		var got, want strings.Builder
		if err := errors.Join(a.Reply(ctx, &got, "Go on."), fresh.Reply(ctx, &want, "Go on.")); err != nil || got.String() != want.String() {
			t.Errorf("%v, %q, want %q", err, &got, &want)
		}
	}
	said, long := slices.Clone(a.said), strings.Repeat("a fox ", 200)
	if err := a.SetSystem(&long); err == nil || !strings.Contains(err.Error(), "the context holds 256") || *a.System != "Be brief." || !slices.Equal(a.said, said) {
		t.Errorf("%v, %+v", err, a.said)
	}
	if err := a.SetSystem(nil); err != nil || len(a.said) != len(said)-1 || a.said[0].Role != template.User {
		t.Errorf("%v, %+v", err, a.said)
	}
}

// TestStats: the tokens of an answer, and of the context.
func TestStats(t *testing.T) {
	a := assistant(t, 256)
	if err := a.Reply(context.Background(), io.Discard, "A fox."); err != nil {
		t.Fatal(err)
	}
	s := a.Stats()
	prompt, err := a.encode(a.said[:1])
	if err != nil || s.Tokens < 1 || s.Tokens > a.Steps || s.Elapsed <= 0 || s.Size != 256 || s.Used != len(a.ids) || s.Used < len(prompt)+s.Tokens {
		t.Errorf("%+v, %v; %d tokens of the prompt", s, err, len(prompt))
	}
}

// TestGuesses: a long conversation with guesses, in which turns are forgotten and answers given again, is the one
// without, by fewer passes.
func TestGuesses(t *testing.T) {
	for _, temperature := range []float32{0, 1} {
		converse := func(guess func(text []int32, n int) []int) (string, int) {
			a := assistant(t, 256)
			a.Steps = 40
			a.Generator.Sampler = a.Generator.Transformer.NewSampler(temperature, 0.9, 5)
			a.Generator.Guess = guess
			var out strings.Builder
			for i := range 12 {
				if err := a.Reply(t.Context(), &out, "A fox"+strings.Repeat(" and a fox", i%3)+"."); err != nil {
					t.Fatal(err)
				}
				if i%4 == 3 {
					if err := a.Again(t.Context(), &out); err != nil {
						t.Fatal(err)
					}
				}
				st := a.Stats()
				fmt.Fprintln(&out, a.ids, st.Tokens, st.Used)
				if extra := st.Passes - st.Tokens; guess == nil && extra < 0 || extra > 2 { // what is left is read where turns are forgotten
					t.Errorf("%+v", st)
				}
			}
			return out.String(), a.Generator.Passes
		}
		want, passes := converse(nil)
		got, fewer := converse(func(text []int32, n int) (tokens []int) { // as it went on before
			last := len(text) - 1
			for at := last - 1; at >= 0; at-- {
				if text[at] == text[last] {
					for _, token := range text[at+1:] {
						tokens = append(tokens, int(token))
					}
					break
				}
			}
			return tokens
		})
		if got != want || fewer >= passes {
			t.Errorf("temperature %g: %d passes, without guesses %d:\n%s\nwithout guesses\n%s", temperature, fewer, passes, got, want)
		}
	}
}
