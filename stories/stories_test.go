package stories

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bootllama"
	"bootllama/session"
)

const (
	usage   = Usage
	prompt  = session.Prompt
	maxLine = session.MaxLine
)

// teller is a session with a Teller.
type teller struct {
	Teller
	Interrupt <-chan os.Signal
}

func (s *teller) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	held := session.Session{Talk: session.Talk{Engine: &s.Teller}, Usage: usage, Interrupt: s.Interrupt}
	return held.Run(ctx, in, out)
}

// stories returns a session with the random model at temperature 0: its stories
// are noise, and the same each time.
func stories(t *testing.T, steps int) *teller {
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
	return &teller{Teller: Teller{Generator: &llama.Generator{Transformer: tr, Tokenizer: tok, Sampler: tr.NewSampler(0, 0, 1)}, Steps: steps}}
}

// story returns what the session's model tells.
func story(t *testing.T, s *teller, beginning string) string {
	t.Helper()
	var b strings.Builder
	if _, err := s.Generator.GenerateText(context.Background(), &b, beginning, s.Steps); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSession(t *testing.T) {
	s := stories(t, 12)
	once, own := story(t, s, "once"), story(t, s, "")
	if !strings.HasPrefix(once, "once") || once == own {
		t.Fatalf("stories %q, %q", once, own)
	}
	long := strings.Repeat("xyz ", 10)
	for _, c := range []struct{ name, in, want string }{
		{"end of input", "", prompt + "\n"},
		{"quit", "/quit\nonce\n", prompt},
		{"a story", "once\n/quit\n", prompt + once + prompt},
		{"a line of a DOS machine", "once\r\n /quit \r\n", prompt + once + prompt},
		{"an empty line", "\n\n/quit\n", prompt + own + prompt + own + prompt},
		{"a last line without an end", "once", prompt + once + prompt + "\n"},
		{"too long for the steps", long + "\nonce\n/quit\n", prompt + "That line is 41 tokens long and the story may have 12. Try a shorter one.\n" + prompt + once + prompt},
		{"a token too long", "xyzxyzxyzxyz\n/quit\n", prompt + "That line is 13 tokens long and the story may have 12. Try a shorter one.\n" + prompt},
		{"too long to read", strings.Repeat("x", 3*maxLine) + "\nonce\n/quit\n", prompt + "That line is longer than 65536 bytes. Try a shorter one.\n" + prompt + once + prompt},
		{"just not too long to read", strings.Repeat("x", maxLine) + "\n/quit\n", prompt + "That line is 65537 tokens long and the story may have 12. Try a shorter one.\n" + prompt},
		{"too long to read, then nothing", strings.Repeat("x", 3*maxLine), prompt + "That line is longer than 65536 bytes. Try a shorter one.\n" + prompt + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if err := s.Run(context.Background(), strings.NewReader(c.in), &out); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimPrefix(out.String(), usage); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestLongestLine: a line may fill the steps, its story is the line itself.
func TestLongestLine(t *testing.T) {
	s := stories(t, 12)
	var out strings.Builder
	if err := s.Run(context.Background(), strings.NewReader("xyzxyzxyzxy\n"), &out); err != nil { // space, 11 bytes
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(out.String(), usage+prompt); !strings.HasPrefix(got, "xyzxyzxyzxy") {
		t.Errorf("got %q", got)
	}
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

// TestInterruptStory: the story stops, the session goes on, and an interrupt at
// its prompt ends it although input has not ended.
func TestInterruptStory(t *testing.T) {
	s := stories(t, 0)
	interrupt := make(chan os.Signal) // unbuffered: a send returns when it was heard
	s.Interrupt = interrupt
	in, keys := io.Pipe()
	defer keys.Close()
	whole := story(t, s, "once")
	prompts := 0
	out := &onWrite{}
	out.f = func(text string) {
		switch {
		case text == prompt:
			prompts++
			if prompts == 1 {
				go io.WriteString(keys, "once\n")
			} else {
				go func() { interrupt <- os.Interrupt }()
			}
		case text == "once":
			interrupt <- os.Interrupt
		default:
			time.Sleep(10 * time.Millisecond) // for the goroutine that heard it, which ends the story
		}
	}
	if err := s.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	got := strings.TrimPrefix(out.text.String(), usage+prompt)
	if !strings.HasPrefix(got, "once") || len(got) >= len(whole) || !strings.HasSuffix(got, "\n"+prompt+"\n") || prompts != 2 {
		t.Errorf("%d prompts, %q", prompts, got)
	}
}

// TestCancelled: the session ends when its context does, at the prompt or in a story.
func TestCancelled(t *testing.T) {
	for _, at := range []string{prompt, "once"} {
		ctx, cancel := context.WithCancel(context.Background())
		in, keys := io.Pipe()
		out := &onWrite{f: func(text string) {
			if text == at {
				cancel()
			} else if text == prompt {
				go io.WriteString(keys, "once\n")
			}
		}}
		if err := stories(t, 0).Run(ctx, in, out); err != nil {
			t.Errorf("cancelled at %q: %v", at, err)
		}
		keys.Close()
	}
}

// failing fails from the n-th Write on.
type failing int

func (w *failing) Write(b []byte) (int, error) {
	if *w--; *w < 0 {
		return 0, errors.New("broken console")
	}
	return len(b), nil
}

func TestFailures(t *testing.T) {
	s := stories(t, 5)
	if err := s.Run(context.Background(), iotest.ErrReader(errors.New("broken keyboard")), io.Discard); err == nil || err.Error() != "broken keyboard" {
		t.Errorf("a reader's error: %v", err)
	}
	for n := range 6 {
		w := failing(n)
		if err := s.Run(context.Background(), strings.NewReader("once\nonce\n"), &w); err == nil || err.Error() != "broken console" {
			t.Errorf("a writer's error at write %d: %v", n, err)
		}
	}
}

// TestEveryWriteFails: a session whose output breaks, at whichever write, end with that error.
func TestEveryWriteFails(t *testing.T) {
	const in = "once\nxyzxyzxyzxyxyzxyz xyzxyz\n" // the second is too long for 12 steps
	for name, run := range map[string]func(r io.Reader, w io.Writer) error{
		"session": func(r io.Reader, w io.Writer) error { return stories(t, 12).Run(context.Background(), r, w) },
		"long lines": func(r io.Reader, w io.Writer) error {
			return stories(t, 5).Run(context.Background(), io.MultiReader(strings.NewReader(strings.Repeat("x", 2*maxLine)+"\n"), r), w)
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

// TestReadersGone: the goroutine that reads lines ends with the session, once its Read returns.
func TestReadersGone(t *testing.T) {
	s := stories(t, 5)
	before := runtime.NumGoroutine()
	for range 5 {
		if err := s.Run(context.Background(), strings.NewReader("once\n"), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// noBOS is a tokenizer of a model whose texts do not begin with BOS.
type noBOS struct{ llama.Vocab }

func (n noBOS) Encode(text string, _, eos bool) ([]int, error) {
	return n.Vocab.Encode(text, false, eos)
}

// TestNoBOS: a model that begins no text by itself says so, and goes on.
func TestNoBOS(t *testing.T) {
	s := stories(t, 12)
	s.Generator.Tokenizer = noBOS{s.Generator.Tokenizer}
	var out strings.Builder
	if err := s.Run(context.Background(), strings.NewReader("\nonce\n"), &out); err != nil {
		t.Fatal(err)
	}
	got := strings.TrimPrefix(out.String(), usage)
	if want := prompt + "The model begins no text by itself: give it a word.\n" + prompt + " once"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAgain: another story with the last beginning, in the place of the last.
func TestAgain(t *testing.T) {
	s := stories(t, 30)
	g := s.Generator
	g.Sampler = g.Transformer.NewSampler(1, 0, 5)
	ctx := context.Background()
	if err := s.Again(ctx, io.Discard); err != session.ErrNothing {
		t.Error(err)
	}
	for _, beginning := range []string{"once", "the"} {
		if err := s.Reply(ctx, io.Discard, beginning); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Said()
	var out strings.Builder
	if err := s.Again(ctx, &out); err != nil {
		t.Fatal(err)
	}
	if said := s.Said(); len(said) != 4 || said[1] != before[1] || said[2] != (session.Message{Person: true, Text: "the"}) || said[3].Text != out.String() || !strings.HasPrefix(out.String(), "the") {
		t.Errorf("%+v, written %q", said, &out)
	}
	if st := s.Stats(); st.Used != 30 || st.Size != 64 || st.Tokens < 20 || st.Elapsed <= 0 {
		t.Errorf("%+v", st)
	}
	if err := s.Clear(); err != nil || len(s.Said()) > 0 || s.Stats() != (session.Stats{}) {
		t.Error(err, s.Said())
	}
}
