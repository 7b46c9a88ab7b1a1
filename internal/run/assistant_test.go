package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bootllama/chat/template"
	"bootllama/internal/gengguf"
)

// assistantModel makes a small random model, whose vocabulary is a part of Qwen's.
func assistantModel(t *testing.T, shape, typ string, seed uint64, more ...gengguf.Pair) string {
	t.Helper()
	f := gengguf.New(shape, typ)
	f.Seed, f.Extra = seed, more
	if f.Tokenizer = gengguf.Qwen2(); shape == "tiny-qwen3" {
		f.Tokenizer = gengguf.Qwen3()
	}
	name := filepath.Join(t.TempDir(), shape+".gguf")
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// continuation is what the model writes behind a prompt: at most n tokens.
func continuation(t *testing.T, model string, context, n int, prompt string) string {
	t.Helper()
	v, err := Vocab(Options{Model: model, Special: true})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := v.Encode(prompt, true, false)
	if err != nil {
		t.Fatal(err)
	}
	status, out, errs := runMain("", "run", model, "-t", "0", "-c", strconv.Itoa(context), "-n", strconv.Itoa(len(tokens)+n), "--special", "-i", prompt)
	text, ok := strings.CutPrefix(strings.TrimSuffix(out, "\n"), prompt)
	if status != 0 || !ok {
		t.Fatalf("status %d, %s%q behind %q", status, errs, out, prompt)
	}
	return text
}

// TestAssistant: every answer of a conversation is what the model writes behind the conversation as its template
// renders it, with the oldest turns left out when the context was full.
func TestAssistant(t *testing.T) {
	const context, answer = 232, 16 // tokens, so that the context is full before an answer, not within one
	for _, c := range []struct {
		shape, typ string
		seed       uint64
		think      bool
		system     *string
		args       []string
	}{
		{"tiny-qwen2", "Q8_0", 1, true, nil, nil},
		{"tiny-qwen2", "Q4_K_M", 2, true, new("Be brief."), nil},
		{"tiny-qwen3", "Q4_0", 1, false, nil, nil},
		{"tiny-qwen3", "F32", 2, true, new(""), []string{"--think"}},
	} {
		t.Run(fmt.Sprint(c.shape, c.typ), func(t *testing.T) {
			model := assistantModel(t, c.shape, c.typ, c.seed)
			program, err := os.ReadFile("../../chat/template/testdata/" + map[string]string{"tiny-qwen2": "qwen25", "tiny-qwen3": "qwen3"}[c.shape] + ".jinja")
			if err != nil {
				t.Fatal(err)
			}
			format := template.New(string(program), "", "")
			var lines strings.Builder
			for i := range 9 {
				fmt.Fprintf(&lines, "Line %d,  and more %s\n", i, strings.Repeat("of it ", i%3))
			}
			var said []template.Message
			args := append([]string{"run", model, "-m", "chat", "-t", "0", "-c", strconv.Itoa(context), "-n", strconv.Itoa(answer)}, c.args...)
			if c.system != nil {
				args, said = append(args, "-y", *c.system), []template.Message{{Role: template.System, Text: *c.system}}
			}
			first := len(said)
			status, out, errs := runMain(lines.String(), args...)
			if status != 0 || errs != "" {
				t.Fatalf("status %d, %s%q", status, errs, out)
			}
			forgotten := 0
			for line := range strings.Lines(lines.String()) {
				said = append(said, template.Message{Role: template.User, Text: strings.TrimSuffix(line, "\n")})
				rest, ok := strings.CutPrefix(out, "> ")
				if !ok {
					t.Fatalf("no prompt before %q", out)
				}
				if told, after, ok := strings.Cut(rest, "are forgotten.]\n"); ok && strings.HasPrefix(rest, "[") {
					turns, rest2 := 0, after
					if _, err := fmt.Sscanf(told, "[The context holds 232 tokens and is full: the oldest turns, %d,", &turns); err != nil || turns == 0 {
						t.Fatalf("%v: %q", err, told)
					}
					rest, said, forgotten = rest2, append(said[:first:first], said[first+2*turns:]...), forgotten+1
				}
				want := continuation(t, model, context, answer, strings.Join(format.Render(said, c.think), ""))
				if out, ok = strings.CutPrefix(rest, want+"\n"); !ok {
					t.Fatalf("%+v\n got %q\nwant %q", said, rest, want)
				}
				said = append(said, template.Message{Role: template.Assistant, Text: want})
			}
			if out != "> \n" || forgotten < 1 {
				t.Errorf("turns forgotten %d times, at the end %q", forgotten, out)
			}
		})
	}
}

// TestAssistantOptions: what the options make of a file, and what a person is told.
func TestAssistantOptions(t *testing.T) {
	qwen2, qwen3 := assistantModel(t, "tiny-qwen2", "Q8_0", 1), assistantModel(t, "tiny-qwen3", "Q8_0", 1)
	const usage = "Say something, and press Enter. Ctrl-C stops an answer, /quit leaves.\n"
	for _, c := range []struct {
		name   string
		args   []string
		status int
		out    string // what it begins with
		errs   string // what it contains, "" for nothing
	}{
		{"console", []string{"console", qwen2}, 0, usage + "> ", ""},
		{"stories on the console", []string{"console", qwen2, "-m", "generate"}, 0, "Type how a story begins", ""},
		{"chat", []string{"run", qwen3, "-m", "chat"}, 0, "> ", ""},
		{"no thoughts", []string{"console", qwen2, "--think"}, 2, "", "--think: the format of " + qwen2 + " (ChatML) does not turn thinking on and off"},
		{"no conversation", []string{"run", qwen3, "--think", "-i", "a"}, 2, "", "--think is for conversations"},
		{"too large", []string{"run", qwen2, "-m", "chat", "-c", "513"}, 1, "", "its context holds 512 tokens, fewer than the 513 of -c"},
		{"system", []string{"run", qwen2, "-m", "chat", "-c", "64", "-y", strings.Repeat("a b ", 40)}, 1, "", "system text: it has "},
		{"prompt", []string{"run", qwen2, "-m", "chat", "-c", "64", "-i", strings.Repeat("a b ", 40)}, 1, "", "prompt: it has "},
	} {
		status, out, errs := runMain("/quit\n", c.args...)
		if status != c.status || !strings.HasPrefix(out, c.out) || !strings.Contains(errs, c.errs) || (errs == "") != (c.errs == "") {
			t.Errorf("%s: status %d, stdout %q, stderr %q", c.name, status, out, errs)
		}
	}
}
