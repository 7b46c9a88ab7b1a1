package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bootllama/assistant"
	"bootllama/assistant/template"
	"bootllama/internal/gengguf"
	ggml "bootllama/tokenizer"
)

const sharedGGUF = "../../../shared/gguf/"

// assistantModel makes a small random model, whose vocabulary is a part of Qwen's or of one in ../shared.
func assistantModel(t *testing.T, shape, typ string, seed uint64) string {
	t.Helper()
	f := gengguf.New(shape, typ)
	f.Seed = seed
	switch shape {
	case "tiny-qwen2":
		f.Tokenizer = gengguf.Qwen2()
	case "tiny-qwen3":
		f.Tokenizer = gengguf.Qwen3()
	default:
		var err error
		if f.Tokenizer, err = gengguf.ReadTokenizer(sharedGGUF + "vocab/cut-" + strings.TrimPrefix(shape, "tiny-") + ".gguf"); err != nil {
			t.Skipf("SKIPPED, no conversation in the format of %s: %v", shape, err)
		}
	}
	name := filepath.Join(t.TempDir(), shape+".gguf")
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// assistantFormat returns the format of a model's conversations.
func assistantFormat(t *testing.T, model string) (*template.Template, *ggml.Tokenizer) {
	t.Helper()
	h, err := Header(model)
	if err != nil {
		t.Fatal(err)
	}
	tok := h.Tokenizer.(*ggml.Tokenizer)
	format, err := assistant.NewTemplate(assistant.Program(h), tok, model, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return format, tok
}

// continuation is what the model writes behind a prompt, at most n tokens, without special ones.
func continuation(t *testing.T, model string, tok *ggml.Tokenizer, context, n int, prompt string) string {
	t.Helper()
	known, err := tok.Special().Encode(prompt, true, false)
	if err != nil {
		t.Fatal(err)
	}
	status, out, errs := runMain("", "run", model, "-t", "0", "-c", strconv.Itoa(context), "-n", strconv.Itoa(len(known)+n), "--special", "--ids", "-i", prompt)
	ids := strings.Fields(out)
	if bos, _ := tok.Encode("", true, false); len(bos) > 0 {
		known = known[1:] // BOS is not shown
	}
	if status != 0 || len(ids) < len(known) || strings.Join(ids[:len(known)], " ") != strings.Trim(fmt.Sprint(known), "[]") {
		t.Fatalf("status %d, %s%s behind %d", status, errs, ids, known)
	}
	var text strings.Builder
	prev := known[len(known)-1]
	for _, id := range ids[len(known):min(len(ids), len(known)+n)] {
		token, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(tok.Decode(prev, token))
		prev = token
	}
	return text.String()
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
		{"tiny-llama3", "Q8_0", 1, true, new(" Be brief.\n"), nil},
		{"tiny-smollm", "Q5_0", 5, true, nil, nil},
		{"tiny-spm", "Q6_K", 1, true, nil, nil},
	} {
		t.Run(fmt.Sprint(c.shape, c.typ), func(t *testing.T) {
			model := assistantModel(t, c.shape, c.typ, c.seed)
			format, tok := assistantFormat(t, model)
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
				want := continuation(t, model, tok, context, answer, strings.Join(format.Render(said, c.think), ""))
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
	strange := func(program, begin string) string { // another template, and another token for <|im_start|>
		f := gengguf.New("tiny-qwen2", "Q8_0")
		f.Tokenizer = gengguf.Qwen2()
		f.Tokenizer.Template = program
		f.Tokenizer.Tokens[slices.Index(f.Tokenizer.Tokens, "<|im_start|>")] = begin
		name := filepath.Join(t.TempDir(), "strange.gguf")
		if err := f.Create(name); err != nil {
			t.Fatal(err)
		}
		return name
	}
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
		{"unknown", []string{"console", strange("{{ messages }}", "<|im_start|>")}, 0, usage + "> ",
			"/strange.gguf has a chat template of no family that is known here: the conversation is in ChatML\n"},
		{"unknown, no ChatML", []string{"run", "-m", "chat", strange("{{ messages }}", "<|begin|>")}, 0, "> ",
			"/strange.gguf has a chat template of no family that is known here: the conversation is in plain text\n"},
		{"none", []string{"run", "-m", "chat", strange("", "<|im_start|>")}, 0, "> ", "/strange.gguf has no chat template: the conversation is in ChatML\n"},
		{"none on the console", []string{"console", strange("", "<|im_start|>")}, 0, "Type how a story begins", ""},
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

// TestTemplateIDs: the 24 conversations of ../shared in five formats, with whole vocabularies: the tokens are those that
// llama.cpp makes of the rendered text, BOS once.
func TestTemplateIDs(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector")
	}
	data, err := os.ReadFile(sharedGGUF + "templates.json")
	if err != nil {
		t.Skipf("SKIPPED, no tokens of conversations were compared with llama.cpp's: %v", err)
	}
	var all []struct {
		Template string
		Thinking *bool `json:"enable_thinking"`
		Messages []struct{ Role, Content string }
		IDs      []int
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 24 {
		t.Fatal(err, len(all))
	}
	roles := map[string]template.Role{"system": template.System, "user": template.User, "assistant": template.Assistant}
	for name, files := range map[string][2]string{ // the vocabulary, and where the template is
		"llama32": {"ggml-vocab-llama-bpe", "vocab/cut-llama3.gguf"}, "qwen25": {"qwen3", "vocab/cut-qwen2.gguf"}, "qwen3": {"qwen3", "vocab/cut-qwen3.gguf"},
		"smollm2": {"smollm-standin", "vocab/cut-smollm.gguf"}, "tinyllama": {"ggml-vocab-llama-spm", "vocab/cut-spm.gguf"},
	} {
		f := gengguf.New("tiny-qwen3", "Q8_0")
		f.Sparse = true
		cut, err := gengguf.ReadTokenizer(sharedGGUF + files[1])
		if err == nil {
			f.Tokenizer, err = gengguf.ReadTokenizer(sharedGGUF + "vocab-full/" + files[0] + ".gguf.gz")
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Tokenizer.Template = cut.Template
		model := filepath.Join(t.TempDir(), name+".gguf")
		if err := f.Create(model); err != nil {
			t.Fatal(err)
		}
		format, tok := assistantFormat(t, model)
		for _, c := range all {
			if c.Template != name {
				continue
			}
			var said []template.Message
			for _, m := range c.Messages {
				said = append(said, template.Message{Role: roles[m.Role], Text: m.Content})
			}
			ids, err := tok.EncodeTemplate(format.Render(said, c.Thinking == nil || *c.Thinking), true)
			want := c.IDs
			if name == "tinyllama" { // whose template does not write BOS
				want = append([]int{tok.BOS}, want...)
			}
			if err != nil || !slices.Equal(ids, want) {
				t.Errorf("%s, %+v: %v\n got %d\nwant %d", name, said, err, ids, want)
			}
		}
	}
}
