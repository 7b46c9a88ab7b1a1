package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bootllama/metal/vt"
)

// parrot is an engine that says words, a second each.
type parrot struct {
	words  int // of an answer
	said   []Message
	stats  Stats
	agains int
	fails  error
	clears error
	spoken int           // words of all answers
	at     func(n int)   // is called before each word
	reads  time.Duration // before the first
	passes int
}

func (e *parrot) Reply(ctx context.Context, out io.Writer, text string) error {
	e.stats = Stats{}
	if e.fails != nil || strings.TrimSpace(text) == "" {
		return e.fails
	}
	e.said = append(e.said, Message{true, text}, Message{})
	answer := &e.said[len(e.said)-1].Text
	if e.reads > 0 {
		select {
		case <-time.After(e.reads):
		case <-ctx.Done():
			e.said = e.said[:len(e.said)-2]
			return Say(out, "Stopped.")
		}
	}
	for n := range e.words {
		if e.at != nil {
			e.at(n)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		e.spoken++
		word := fmt.Sprintf("%s%d", strings.Repeat(" ", min(n, 1)), n)
		if _, err := io.WriteString(out, word); err != nil {
			return err
		}
		*answer += word
		e.stats = Stats{Tokens: n + 1, Elapsed: time.Duration(n+1) * time.Second / 12, Passes: e.passes, Used: 300 + n, Size: 4096}
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func (e *parrot) Again(ctx context.Context, out io.Writer) error {
	if len(e.said) == 0 {
		return ErrNothing
	}
	e.agains++
	last := e.said[len(e.said)-2].Text
	e.said = e.said[:len(e.said)-2]
	return e.Reply(ctx, out, last)
}

func (e *parrot) Clear() error {
	e.said = nil
	return e.clears
}

func (e *parrot) Said() []Message { return e.said }
func (e *parrot) Stats() Stats    { return e.stats }

// talk returns a parrot's, with a setting.
func (e *parrot) talk(title string) Talk {
	value := "0.8"
	return Talk{Engine: e, Title: title, Facts: func() string { return "A parrot.\n" }, Settings: []Setting{
		{"temperature", "0 or more", func() string { return value }, func(s string) error {
			if s == "hot" {
				return errors.New("not a number from 0 to 2")
			}
			value = s
			return nil
		}},
		{"top-p", "0 to 1", func() string { return "0.9" }, func(string) error { return nil }},
	}}
}

const greeting = "Polly · 2 cores · /help lists the commands"

// talking lets a person talk with a parrot, in a bubble.
func talking(t *testing.T, e *parrot, f func(p *person, s *Session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		p.interrupt = make(chan os.Signal)
		s := &Session{Talk: e.talk("Polly · 2 cores"), Interrupt: p.interrupt}
		p.hold(s)
		defer p.leave()
		f(p, s)
	})
}

// type types a line, and waits for what it does.
func (p *person) enter(lines ...string) {
	for _, line := range lines {
		p.press(line, "\r")
		time.Sleep(time.Hour)
		synctest.Wait()
	}
}

// TestSession: what is said, how fast it was, and the looks of both.
func TestSession(t *testing.T) {
	talking(t, &parrot{words: 3}, func(p *person, _ *Session) {
		p.enter("Hello, you", "", "//etc?")
		p.sees(greeting, "> Hello, you", "0 1 2", "12 tok/s · context 302 of 4096", ">", "> //etc?", "0 1 2", "12 tok/s · context 302 of 4096", "> |")
		for x, want := range map[int]vt.Cell{2: {Rune: 'H', Fg: 6, Bg: vt.Default}, 0: {Rune: '>', Fg: 6, Bg: vt.Default, Attr: vt.Bold}} {
			if got := p.vt.Cell(x, 1); got != want {
				t.Errorf("the person's words are %+v, want %+v", got, want)
			}
		}
		if got, want := p.vt.Cell(0, 2), (vt.Cell{Rune: '0', Fg: vt.Default, Bg: vt.Default}); got != want {
			t.Errorf("the model's words are %+v, want %+v", got, want)
		}
		if got := p.vt.Cell(0, 3); got.Attr != vt.Dim {
			t.Errorf("the figures are %+v", got)
		}
	})
}

// TestTokensPerPass: where guesses were right, the figures say how many tokens came of a pass.
func TestTokensPerPass(t *testing.T) {
	talking(t, &parrot{words: 3, passes: 2}, func(p *person, _ *Session) {
		p.enter("Hello")
		p.sees(greeting, "> Hello", "0 1 2", "12 tok/s · context 302 of 4096 · 1.5 tokens a pass", "> |")
	})
}

// TestNoSpeed: an answer that was stopped at its first token has no speed.
func TestNoSpeed(t *testing.T) {
	e := &parrot{words: 0}
	talking(t, e, func(p *person, s *Session) {
		s.Engine = onlyContext{e}
		p.enter("Hello")
		p.sees(greeting, "> Hello", "", "context 7 of 64", "> |")
	})
}

// onlyContext is an engine whose answers have no speed.
type onlyContext struct{ *parrot }

func (onlyContext) Stats() Stats { return Stats{Used: 7, Size: 64} }

// TestHint: a person who does not know what to do is told.
func TestHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		talk := (&parrot{words: 3}).talk("Polly · 2 cores")
		talk.Hint = "Say something."
		p.hold(&Session{Talk: talk})
		p.sees(greeting, "Say something.", "> |")
		p.leave()
	})
}

// TestPlain: without colours there is none.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		p.terminal.Plain = true
		p.hold(&Session{Talk: (&parrot{words: 3}).talk("Polly")})
		p.enter("Hello", "/help", "/no", "/show")
		if sgr := regexp.MustCompile(`\x1b\[[0-9;]*m`); sgr.MatchString(p.written.String()) {
			t.Errorf("%q", p.written.String())
		}
		p.leave()
	})
}

// TestCommands: each command, and what a person is told.
func TestCommands(t *testing.T) {
	for _, c := range []struct {
		lines []string
		sees  []string // behind the last command
	}{
		{[]string{"/set"}, []string{"  temperature     0.8", "                  0 or more", "  top-p           0.9", "                  0 to 1"}},
		{[]string{"/set temperature 0.5"}, []string{"temperature is 0.5"}},
		{[]string{"/set temperature=0.5"}, []string{"temperature is 0.5"}},
		{[]string{"/set temperature = 0.5"}, []string{"temperature is 0.5"}},
		{[]string{`/set temperature ""`}, []string{`temperature is ""`}},
		{[]string{"/set temperature 0.5", "/set temperature"}, []string{"temperature is 0.5"}},
		{[]string{"/set temperature hot"}, []string{"temperature hot: not a number from 0 to 2."}},
		{[]string{"/set warmth 1"}, []string{"There is no setting warmth. There are: temperature, top-p."}},
		{[]string{"/show"}, []string{"A parrot.", "  temperature     0.8", "  top-p           0.9"}},
		{[]string{"/model"}, []string{"Models cannot be changed here."}},
		{[]string{"/clear"}, []string{"A new conversation."}},
		{[]string{"/again"}, []string{"There is no answer yet that could be given again."}},
		{[]string{"hi", "/again"}, []string{"0 1", "12 tok/s · context 301 of 4096"}},
		{[]string{"/save"}, []string{"Nothing can be saved here."}},
		{[]string{"/off"}, []string{"That is for the bare machine. /quit leaves."}},
		{[]string{"/reboot"}, []string{"That is for the bare machine. /quit leaves."}},
		{[]string{"/off now"}, []string{"/off takes nothing behind it."}},
		{[]string{"/sett"}, []string{"There is no command /sett. Did you mean /set?"}},
		{[]string{"/h"}, []string{"There is no command /h. Did you mean /help?"}},
		{[]string{"/Quit"}, []string{"There is no command /Quit. Did you mean /quit?"}},
		{[]string{"/exit"}, []string{"There is no command /exit. Did you mean /quit?"}},
		{[]string{"/etc/passwd"}, []string{"There is no command /etc/passwd: /help lists them. (What begins with // is said", "with one slash.)"}},
		{[]string{"help"}, []string{"/help lists the commands. What begins with no slash is for the model."}},
		{[]string{"Quit"}, []string{"/quit leaves, and so does Ctrl-D."}},
		{[]string{"exit"}, []string{"/quit leaves, and so does Ctrl-D."}},
	} {
		e := &parrot{words: 2}
		talking(t, e, func(p *person, _ *Session) {
			p.enter(c.lines...)
			p.sees(append(append([]string{"> " + c.lines[len(c.lines)-1]}, c.sees...), "> |")...)
			if want := 4 * (len(e.said) / 2) * len(c.lines) / 2; len(c.lines) == 2 && c.lines[0] == "hi" && e.spoken != want || len(c.lines) == 1 && e.spoken > 0 {
				t.Errorf("%q: the model said %d words", c.lines, e.spoken)
			}
		})
	}
	talking(t, &parrot{}, func(p *person, _ *Session) {
		p.enter("/help")
		for _, c := range commands() {
			if !slices.ContainsFunc(p.screen(), func(row string) bool { return strings.HasPrefix(row, "  "+c.name+" ") }) {
				t.Errorf("%s is not in %q", c.name, p.screen())
			}
		}
	})
	for _, quit := range []string{"/quit\r", " /quit \r", "\x04"} {
		talking(t, &parrot{}, func(p *person, _ *Session) {
			p.press(quit)
			select {
			case <-p.ended:
			default:
				t.Errorf("%q does not leave", quit)
			}
		})
	}
}

// TestTab: it completes commands and what they take.
func TestTab(t *testing.T) {
	for typed, want := range map[string][]string{
		"/h":          {"> /help|"},
		"/se":         {"> /set |"},
		"/s":          {"> /s", "/set   /show  /save", "> /s|"},
		"/set te":     {"> /set temperature |"},
		"/set t":      {"> /set t", "/set temperature   /set top-p", "> /set t|"},
		"/model tall": {"> /model tall.gguf|"},
		"/x":          {"> /x|"},
		"hel":         {"> hel|"},
		"":            {"> |"},
	} {
		talking(t, &parrot{}, func(p *person, s *Session) {
			s.Models = func() ([]Model, error) { return []Model{{Name: "small.gguf"}, {Name: "tall.gguf"}}, nil }
			p.press(typed, "\t")
			p.sees(want...)
		})
	}
}

// TestModels: they are listed, and changed by number or name.
func TestModels(t *testing.T) {
	models := []Model{
		{Path: "/a/small.gguf", Name: "small.gguf", Kind: "qwen3 Q4_K_M", Size: 378e6, Need: 908 << 20},
		{Path: "/a/tall.gguf", Name: "tall.gguf", Size: 4693e6, Need: 5389 << 20, Reason: "needs more memory than there is"},
		{Path: "/a/broken.gguf", Name: "broken.gguf", Size: 1, Need: 1},
	}
	second := &parrot{words: 1}
	talking(t, &parrot{words: 2}, func(p *person, s *Session) {
		var loaded []string
		s.Models = func() ([]Model, error) { return models, nil }
		s.Load = func(path string) (Talk, error) {
			if loaded = append(loaded, path); path == "/a/broken.gguf" {
				return Talk{}, errors.New("model: it is broken")
			}
			return second.talk("Small · 1 core"), nil
		}
		p.enter("/model")
		p.sees("> /model", "  1  small.gguf · qwen3 Q4_K_M · 378 MB, needs 908 MiB",
			"  2  tall.gguf · 4.7 GB, needs 5389 MiB · needs more memory than there is",
			"  3  broken.gguf · 1 B, needs 1 MiB",
			"/model and a number or name changes to it. The conversation then begins anew.", "> |")
		if p.vt.Cell(5, 3).Attr != vt.Dim {
			t.Error("what cannot be loaded is as bright as the others")
		}
		p.enter("/model 2", "/model 4", "/model broken.gguf")
		p.sees("> /model 2", "tall.gguf: needs more memory than there is.", "> /model 4", "There is no model 4: /model lists them.",
			"> /model broken.gguf", "model: it is broken.", "> |")
		p.enter("/model 1", "hi")
		p.sees("> /model 1", "Small · 1 core · /help lists the commands", "> hi", "0", "12 tok/s · context 300 of 4096", "> |")
		if !slices.Equal(loaded, []string{"/a/broken.gguf", "/a/small.gguf"}) || len(second.said) != 2 {
			t.Errorf("%q, %v", loaded, second.said)
		}
		models = nil
		p.enter("/model")
		p.sees("> /model", "There are no models.", "> |")
	})
}

// TestPower: what switches the machine off ends the session; what fails is told.
func TestPower(t *testing.T) {
	doing := map[bool]string{false: "Switching off. If the machine stays on, use its button.", true: "Starting anew."}
	for line, reboot := range map[string]bool{"/off": false, "/reboot": true} {
		talking(t, &parrot{}, func(p *person, s *Session) {
			var calls []bool
			fails := errors.New("the firmware will not")
			s.Power = func(reboot bool) error { calls = append(calls, reboot); return fails }
			p.enter(line)
			p.sees("> "+line, doing[reboot], "the firmware will not.", "> |")
			fails = nil
			p.enter(line)
			select {
			case <-p.ended:
			default:
				t.Error("the session goes on")
			}
			if !slices.Equal(calls, []bool{reboot, reboot}) {
				t.Error(calls)
			}
		})
	}
}

// TestStop: Ctrl-C, as a key and as a signal, stops an answer at once, and while the model reads; the session goes on, and
// what was typed meanwhile is at the next prompt.
func TestStop(t *testing.T) {
	for _, signal := range []bool{false, true} {
		e := &parrot{words: 100, reads: time.Minute}
		talking(t, e, func(p *person, s *Session) {
			stop := func() {
				if signal {
					p.interrupt <- os.Interrupt
				} else {
					io.WriteString(p.keyboard, "\x03")
				}
				synctest.Wait()
			}
			p.press("go", "\r")
			stop()
			p.sees(greeting, "> go", "Stopped.", "> |")
			p.press("go", "\r")
			time.Sleep(58*time.Second + 3500*time.Millisecond)
			synctest.Wait()
			p.press("ahe", "ad")
			if y := len(p.screen()) - 1; p.screen()[y] != "0 1 2 3 4" && p.screen()[y] != "0 1 2 3" {
				t.Errorf("what was typed is seen: %q", p.screen())
			}
			spoken := e.spoken
			stop()
			if rows := p.screen(); rows[len(rows)-1] != "> ahead" || !strings.HasPrefix(rows[len(rows)-2], "12 tok/s") || e.spoken > spoken {
				t.Errorf("%q, %d words more", rows, e.spoken-spoken)
			}
			stop()
			p.press("x")
			if rows := p.screen(); rows[len(rows)-2] != "> ahead^C" || rows[len(rows)-1] != "> x" {
				t.Errorf("%q", rows)
			}
			stop()
			stop()
			p.sees("> ahead^C", "> x^C", "> ^C", "Ctrl-D or /quit leaves.", "> |")
		})
	}
}

// TestTypedAhead: lines that were typed while the model writes are said one after the other.
func TestTypedAhead(t *testing.T) {
	e := &parrot{words: 5}
	talking(t, e, func(p *person, s *Session) {
		p.press("one", "\r", "two\r", "th")
		time.Sleep(time.Hour)
		synctest.Wait()
		p.sees(greeting, "> one", "0 1 2 3 4", "12 tok/s · context 304 of 4096", "> two", "0 1 2 3 4", "12 tok/s · context 304 of 4096", "> th|")
		p.press("\x15")
	})
}

// TestStopAhead: a Ctrl-C that was typed right behind the line stops its answer, too.
func TestStopAhead(t *testing.T) {
	e := &parrot{words: 100}
	talking(t, e, func(p *person, s *Session) {
		p.press("go\r\x03")
		p.sees(greeting, "> go", "", "> |")
		if e.spoken > 0 {
			t.Errorf("%d words", e.spoken)
		}
	})
}

// TestUnreadable: the person is told what the model cannot read, and other errors end the session.
func TestUnreadable(t *testing.T) {
	e := &parrot{fails: Unreadable{errors.New("it has 99 tokens")}}
	talking(t, e, func(p *person, s *Session) {
		p.enter("x")
		p.sees("> x", "The model cannot read that: it has 99 tokens.", "> |")
		e.clears = errors.New("system text: too long")
		p.enter("/clear")
		p.sees("> /clear", "system text: too long.", "> |")
		e.fails = errors.New("the weights are damaged")
		p.enter("x")
		if <-p.ended; p.err != e.fails {
			t.Error(p.err)
		}
		p.err = nil
	})
}

// TestFirst: what the person says first is seen, and answered.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		p.hold(&Session{Talk: (&parrot{words: 3}).talk("Polly · 2 cores"), First: new("Hello")})
		time.Sleep(time.Hour)
		synctest.Wait()
		p.sees(greeting, "> Hello", "0 1 2", "12 tok/s · context 302 of 4096", "> |")
		p.leave()
	})
}

// TestScreenFails: whichever write fails, the session ends with that error and the terminal is restored.
func TestScreenFails(t *testing.T) {
	for n := 1; ; n++ {
		reached := true
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, 80, 24)
			p.fails = n
			p.hold(&Session{Talk: (&parrot{words: 3}).talk("Polly"), First: new("a")})
			go io.WriteString(p.keyboard, "b\r/help\r/set\r/no\r\x03\t")
			time.Sleep(time.Hour)
			p.keyboard.Close()
			<-p.ended
			if reached = p.fails <= 0; reached && !errors.Is(p.err, errScreen) || p.raw != 0 {
				t.Errorf("write %d: %v", n, p.err)
			}
		})
		if !reached {
			break
		}
	}
}

// TestFigures: two of them, or more where they are whole.
func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.123: "0.12", 0.096: "0.10", 0.0996: "0.10", 0.996: "1.0", 1: "1.0", 1.25: "1.2", 9.96: "10", 12.4: "12", 99.6: "100", 123: "120", 1267: "1300"} {
		if got := twoFigures(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

// TestSave: a conversation as text, and what files it takes the place of.
func TestSave(t *testing.T) {
	t.Chdir(t.TempDir())
	e := &parrot{words: 3}
	talking(t, e, func(p *person, s *Session) {
		s.Save = SaveFile
		p.enter("/save")
		p.sees("> /save", "There is nothing to save yet.", "> |")
		p.enter("Hello\\", "there", "Bye", "/save first")
		p.sees("> /save first", "Saved as first.txt.", "> |")
		want := "# bootllama: Polly · 2 cores\n# 2000-01-01 "
		b, err := os.ReadFile("first.txt")
		if text := string(b); err != nil || !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "\n\n> Hello\n> there\n\n0 1 2\n\n> Bye\n\n0 1 2\n") {
			t.Errorf("%v, %q", err, b)
		}
		p.enter("/save", "/save first.txt")
		names, _ := filepath.Glob("chat-20000101-*.txt")
		if len(names) != 1 {
			t.Errorf("%q", names)
		}
		os.WriteFile("mine.txt", []byte("# bootlegs"), 0o644)
		os.WriteFile("empty", nil, 0o644)
		os.Mkdir("folder.txt", 0o755)
		p.enter("/save mine.txt", "/save folder", "/save no/where")
		p.sees("> /save mine.txt", "mine.txt is there, and is no saved conversation: take another name.",
			"> /save folder", "read folder.txt: is a directory.", "> /save no/where", "cannot write no/where.txt: no such file or directory.", "> |")
		if b, _ := os.ReadFile("mine.txt"); string(b) != "# bootlegs" {
			t.Errorf("%q", b)
		}
	})
}
