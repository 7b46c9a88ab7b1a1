package run

import (
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"bootllama/metal/vt"
	"bootllama/session"
)

// seat is a terminal at which lines are typed, one when the one before is done.
type seat struct {
	mu       sync.Mutex
	vt       *vt.Terminal
	keyboard *io.PipeWriter
	lines    []string
	prompts  int
	written  strings.Builder
}

// Write types the next line at each prompt.
func (s *seat) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written.Write(p)
	for _, b := range p {
		s.vt.Write(b)
	}
	if strings.HasSuffix(string(p), "> \x1b[K\x1b[J\x1b[3G") && len(s.lines) > 0 { // a prompt without a text
		line := s.lines[0]
		s.lines = s.lines[1:]
		go io.WriteString(s.keyboard, line+"\r")
	}
	return len(p), nil
}

// sit runs a command at a terminal where lines are typed, and returns the rows that are seen and stderr.
func sit(t *testing.T, h Host, lines []string, args ...string) (rows []string, stderr string) {
	t.Helper()
	r, w := io.Pipe()
	s := &seat{vt: new(vt.Terminal), keyboard: w, lines: append(lines, "/quit")}
	s.vt.Resize(100, 300)
	var errs strings.Builder
	h.Stdin, h.Stdout, h.Stderr = strings.NewReader(""), io.Discard, &errs
	h.Terminal = &session.Terminal{Keys: session.NewKeyboard(r), Out: s, Size: s.vt.Size, Plain: true,
		Raw: func() (func(), error) { return func() {}, nil }}
	if status := h.Main(t.Context(), args); status != 0 {
		t.Errorf("%q: status %d, %s", args, status, errs.String())
	}
	w.Close()
	for y := range 300 {
		var row strings.Builder
		for x := range 100 {
			row.WriteRune(max(s.vt.Cell(x, y).Rune, ' '))
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	for len(rows) > 0 && rows[len(rows)-1] == "" {
		rows = rows[:len(rows)-1]
	}
	return rows, errs.String()
}

// answers are the rows below a line that was typed, up to the next.
func answers(rows []string, line string) (below []string) {
	at := slices.Index(rows, "> "+line)
	if at < 0 {
		return nil
	}
	for _, row := range rows[at+1:] {
		if strings.HasPrefix(row, "> ") {
			break
		}
		below = append(below, row)
	}
	return below
}

// TestSettings: what may be set of a model, in the ranges of the options, and that it is as if it had been an option.
func TestSettings(t *testing.T) {
	qwen3 := assistantModel(t, "tiny-qwen3", "Q8_0", 1)
	lines := []string{"/set", "/set temperature 0", "/set temperature -1", "/set top-p 2", "/set top-k 1", "/set top-k x", "/set min-p 0.5", "/set repeat-penalty 0",
		"/set repeat-penalty 1.5", "/set seed 7", "/set seed x", "/set length 5", "/set system Be brief.", "/set think maybe", "/set think on", "Hello", "/again", "/show", "/clear", "/again"}
	rows, errs := sit(t, Host{}, lines, "console", qwen3, "-c", "200")
	if errs != "" {
		t.Errorf("stderr %q", errs)
	}
	for line, want := range map[string]string{
		"/set temperature 0":      "temperature is 0",
		"/set temperature -1":     "temperature -1: not a number from 0 to 1.7976931348623157e+308.",
		"/set top-p 2":            "top-p 2: not a number from 0 to 1.",
		"/set top-k 1":            "top-k is 1",
		"/set top-k x":            "top-k x: not a whole number from 0 to 2147483647.",
		"/set min-p 0.5":          "min-p is 0.5",
		"/set repeat-penalty 0":   "repeat-penalty 0: not a number from 0.01 to 100.",
		"/set repeat-penalty 1.5": "repeat-penalty is 1.5",
		"/set seed 7":             "seed is 7",
		"/set length 5":           "length is 5",
		"/set system Be brief.":   "system is Be brief.",
		"/set think maybe":        "think maybe: on or off.",
		"/set think on":           "think is on",
		"/clear":                  "A new conversation.",
		"/again":                  "There is no answer yet that could be given again.",
	} {
		if line == "/again" { // the last one
			rows := slices.Clone(rows)
			slices.Reverse(rows)
			if slices.Index(rows, want) < 0 {
				t.Errorf("%s: %q", line, rows[:5])
			}
			continue
		}
		if got := strings.Join(answers(rows, line), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	// As options, the same answer; the greedy choice gives it again.
	_, out, _ := runMain("", "run", qwen3, "-c", "200", "-m", "chat", "-t", "0", "--top-k", "1", "--min-p", "0.5", "--repeat-penalty", "1.5", "-s", "7", "-n", "5", "-y", "Be brief.", "--think", "-i", "Hello")
	answer, _, _ := strings.Cut(out, "\n> ")
	squeeze := func(s string) string { return strings.Join(strings.Fields(string([]rune(s))), " ") } // bytes that are no text are U+FFFD
	for _, line := range []string{"Hello", "/again"} {
		got := answers(rows, line)
		figures := regexp.MustCompile(`^[0-9.]+ tok/s · context \d+ of 200( · [0-9.]+ tokens a pass)?$`)
		if len(got) < 2 || !figures.MatchString(got[len(got)-1]) || squeeze(strings.Join(got[:len(got)-1], " ")) != squeeze(answer) {
			t.Errorf("%s: %q, want %q", line, got, answer)
		}
	}
	if shown := strings.Join(answers(rows, "/show"), "\n"); !strings.Contains(shown, "a conversation in the format") || !strings.Contains(shown, "think           on") {
		t.Errorf("/show: %s", shown)
	}
}

// TestChangeModel: another model is loaded in the place of the present one; one that cannot be leaves it as it is.
func TestChangeModel(t *testing.T) {
	qwen2, qwen3 := assistantModel(t, "tiny-qwen2", "Q8_0", 1), assistantModel(t, "tiny-qwen3", "Q8_0", 1)
	host := Host{Models: func() ([]session.Model, error) {
		return []session.Model{{Path: qwen2, Name: "two"}, {Path: model, Name: "random"}, {Path: filepath.Join(t.TempDir(), "absent"), Name: "absent"}, {Name: "built-in"}}, nil
	}}
	lines := []string{"/set system Be brief.", "/set top-k 3", "/set length 4", "/model 2", "/set", "once", "/model absent", "/model two", "/show", "/set system", "Hi", "/model built-in", "One day"}
	rows, errs := sit(t, host, lines, "console", qwen3, "-z", "", "-t", "0", "-s", "1", "-c", "64")
	if errs != "" {
		t.Errorf("stderr %q", errs)
	}
	if got := answers(rows, "/model 2"); !strings.HasPrefix(strings.Join(got, ""), "tokenizer: ") { // there is none beside it
		t.Errorf("%q", got)
	}
	if got := answers(rows, "/model absent"); len(got) == 0 || !strings.Contains(strings.Join(got, ""), "no such file") {
		t.Errorf("%q", got)
	}
	if got := strings.Join(answers(rows, "/show"), " "); !strings.Contains(got, qwen2[len(qwen2)-15:]) || !strings.Contains(got, "ChatML") || !strings.Contains(got, "top-k           3") {
		t.Errorf("%q", got)
	}
	if got := answers(rows, "/set system"); !slices.Equal(got, []string{"system is Be brief."}) {
		t.Errorf("%q", got)
	}
	if got := strings.Join(answers(rows, "/model built-in"), " "); !strings.HasPrefix(got, "built-in tales.bin · 1.2 MB · ") || !strings.HasSuffix(got, "/help lists the commands Type how a story begins, or nothing, and press Enter.") {
		t.Errorf("%q", got)
	}
	if got := answers(rows, "One day"); len(got) != 2 || !strings.HasPrefix(got[0], "One day") {
		t.Errorf("%q", got)
	}
}

// TestSitFails: a terminal that cannot be made raw is an error.
func TestSitFails(t *testing.T) {
	var errs strings.Builder
	h := Host{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs, Terminal: &session.Terminal{Raw: func() (func(), error) { return nil, errors.New("no terminal") }}}
	if status := h.Main(t.Context(), []string{"console"}); status != 1 || errs.String() != "bootllama: no terminal\n" {
		t.Errorf("%d, %q", status, errs.String())
	}
}
