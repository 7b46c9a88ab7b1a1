package template

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/heap"
)

// rendered is a conversation as Jinja renders it, in ../shared/gguf/templates.json and testdata.
type rendered struct {
	Template       string
	EnableThinking *bool `json:"enable_thinking"` // nil: not said, which is true
	Messages       []struct{ Role, Content string }
	Prompt         string
}

// tokens are the texts of BOS and EOS with which they were rendered.
var tokens = map[string][2]string{
	"llama32": {"<|begin_of_text|>", "<|eot_id|>"}, "llama30": {"<|begin_of_text|>", "<|eot_id|>"}, "llama2": {"<s>", "</s>"},
	"qwen25": {"", "<|im_end|>"}, "qwen3": {"", "<|im_end|>"}, "factory": {"", "<|im_end|>"}, "smollm2": {"<|im_start|>", "<|im_end|>"}, "tinyllama": {"<s>", "</s>"},
}

// said returns the conversation's messages.
func (r rendered) said(t *testing.T) (said []Message) {
	for _, m := range r.Messages {
		role := slices.Index(names[:], m.Role)
		if role < 0 {
			t.Fatalf("role %q", m.Role)
		}
		said = append(said, Message{Role(role), m.Content})
	}
	return said
}

// testRendered compares the conversations of a file with what the templates in a folder render.
func testRendered(t *testing.T, file string, program func(name string) string) (n int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []rendered
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		tmpl := New(program(r.Template), tokens[r.Template][0], tokens[r.Template][1])
		if tmpl == nil {
			t.Fatalf("%s: no family", r.Template)
		}
		said := r.said(t)
		parts := tmpl.Render(said, r.EnableThinking == nil || *r.EnableThinking)
		if got := strings.Join(parts, ""); got != r.Prompt {
			t.Errorf("%s: %+v\n got %q\nwant %q", r.Template, r.Messages, got, r.Prompt)
		}
		checkParts(t, parts, said)
		n++
	}
	return n
}

// checkParts: what stands in the parts for what has been said, is from the messages.
func checkParts(t *testing.T, parts []string, said []Message) {
	t.Helper()
	for i := 1; i < len(parts); i += 2 {
		if !slices.ContainsFunc(said, func(m Message) bool { return strings.Contains(m.Text, parts[i]) }) {
			t.Errorf("part %d of %q has not been said", i, parts)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestQwen: random conversations in the formats of Qwen2.5 and Qwen3, with blanks, special
// tokens and thoughts in all places.
func TestQwen(t *testing.T) {
	testRendered(t, "testdata/qwen.json", func(name string) string { return read(t, "testdata/"+name+".jinja") })
}

const shared = "../../../shared/gguf/"

// TestTemplates: the 24 conversations of ../shared, in five formats.
func TestTemplates(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("SKIPPED, no conversation was compared with the templates of Llama 3, SmolLM2 and TinyLlama: no " + shared)
	}
	program := func(name string) string {
		switch name {
		case "smollm2", "tinyllama":
			return read(t, shared+"templates/"+name+".jinja")
		case "llama32": // as it stands in the file, behind the length
			_, after, _ := strings.Cut(read(t, shared+"vocab/cut-llama3.gguf"), "tokenizer.chat_template")
			return after[12:]
		}
		return read(t, "testdata/"+name+".jinja")
	}
	if n := testRendered(t, filepath.Join(shared, "templates.json"), program); n != 24 {
		t.Errorf("%d conversations", n)
	}
}

// llama3Program has what Llama 3.2's program is known by, and what it must not be misled by.
const llama3Program = `{#- We've no "Cutting Knowledge Date: none" here #}{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "1 May 2025" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}{{- "Cutting Knowledge Date: December 2023\n" }}{{- "Today Date: " + date_string + "\n\n" }}`

// TestFamilies: what families are known by, and that what has been said stands in parts of its own.
func TestFamilies(t *testing.T) {
	said := []Message{{System, "s"}, {User, " <|im_end|>\n"}, {Assistant, "<think>\n\n</think>\n\na"}, {User, "u"}}
	const header = "<|start_header_id|>"
	for _, c := range []struct {
		program, name string
		said          []Message
		want          []string
	}{
		{llama3Program, "Llama 3", said, []string{
			"BOS" + header + "system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 1 May 2025\n\n", "s",
			"<|eot_id|>" + header + "user<|end_header_id|>\n\n", "<|im_end|>",
			"<|eot_id|>" + header + "assistant<|end_header_id|>\n\n", "<think>\n\n</think>\n\na",
			"<|eot_id|>" + header + "user<|end_header_id|>\n\n", "u", "<|eot_id|>" + header + "assistant<|end_header_id|>\n\n"}},
		{llama3Program, "Llama 3", said[3:], []string{
			"BOS" + header + "system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 1 May 2025\n\n<|eot_id|>" + header + "user<|end_header_id|>\n\n", "u",
			"<|eot_id|>" + header + "assistant<|end_header_id|>\n\n"}},
		{"{{ '<|start_header_id|>' }}", "Llama 3", said[3:], []string{
			header + "user<|end_header_id|>\n\n", "u", "<|eot_id|>" + header + "assistant<|end_header_id|>\n\n"}},
		{"{{ '<|start_header_id|>' }}", "Llama 3", []Message{{User, "\x1c\u2028\u0085\ufeffa\u00a0\x1f"}}, []string{
			header + "user<|end_header_id|>\n\n", "\ufeffa", "<|eot_id|>" + header + "assistant<|end_header_id|>\n\n"}}, // Python's white space
		{"{{ '[INST] <<SYS>>' }}", "Llama 2", said, []string{
			"BOS[INST] <<SYS>>\n", "s", "\n<</SYS>>\n\n", " <|im_end|>", " [/INST] ", "<think>\n\n</think>\n\na", " EOSBOS[INST] ", "u", " [/INST]"}},
		{"{{ '<|user|>' + eos_token }}", "Zephyr", said[3:], []string{"<|user|>\n", "u", "EOS\n<|assistant|>\n"}},
		{`{{ "<|im_start|>system\nIt\'s \"me\"\\\t<|im_end|>\n" + bos_token + '<|user|>[INST]` + header + `' }}`, "ChatML", said[3:], []string{
			"BOS<|im_start|>system\nIt's \"me\"\\\t<|im_end|>\n<|im_start|>user\n", "u", "<|im_end|>\n<|im_start|>assistant\n"}},
		{`{% set system_message = messages[0] %}{%set system_message = 'Hm'%}{{ '<|im_start|>' + x|trim }}`, "ChatML", said[1:2], []string{
			"<|im_start|>system\nHm<|im_end|>\n<|im_start|>user\n", "<|im_end|>", "<|im_end|>\n<|im_start|>assistant\n"}},
		{"{{ '<|im_start|>assistant\\n<think>\\n' }}{{ '</think>' }}", "ChatML", said[1:], []string{
			"<|im_start|>user\n", " <|im_end|>\n", "<|im_end|>\n<|im_start|>assistant\n", "a", "<|im_end|>\n<|im_start|>user\n", "u", "<|im_end|>\n<|im_start|>assistant\n<think>\n"}},
		{"{{ '<|im_start|>' }}{% if enable_thinking %}", "ChatML with thoughts", said[3:], []string{
			"<|im_start|>user\n", "u", "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"}},
		{"{{ unfinished '<|im_start|>", "ChatML", nil, []string{"<|im_start|>assistant\n"}},
	} {
		tmpl := New(c.program, "BOS", "EOS")
		if tmpl == nil || tmpl.Name != c.name {
			t.Errorf("%q: %+v, want %s", c.program, tmpl, c.name)
		} else if got := tmpl.Render(c.said, false); !slices.Equal(got, c.want) {
			t.Errorf("%q:\n got %q\nwant %q", c.program, got, c.want)
		}
	}
	for _, program := range []string{"", "{", "{{", "{%", "{#", "{{ '<|user|>' }}", "{{ '[INST]' }}", "{{ '<|turn|>' }}"} {
		if tmpl := New(program, "BOS", "EOS"); tmpl != nil {
			t.Errorf("%q is %s", program, tmpl.Name)
		}
	}
	if got := Plain().Render(said[:2], true); !slices.Equal(got, []string{"", "s", "\n", " <|im_end|>\n", "\n"}) {
		t.Errorf("plain text: %q", got)
	}
}

// FuzzTemplate: of any program there is a template or none, and of any conversation an odd number of parts, of which every
// second has been said by somebody; neither takes memory beyond them.
func FuzzTemplate(f *testing.F) {
	for _, program := range []string{llama3Program, "{{ '[INST] <<SYS>>' }}", "{{ '<|user|>' + eos_token }}{% if bos_token %}",
		"{% set system_message = 'a\\n\\'b' %}{{ '<|im_start|>system\n' + system_message }}{{ x | trim }}", "{{ '<|im_start|>system\nYou<|im_end|>\n' }}enable_thinking</think>",
		"{{ \"<|im_start|>assistant\n<think>\n\" }}{# '", "{{ '<|im_start|>\\"} {
		f.Add(program, "<s>", "</s>", "s\x00<think>\n\nt\n</think>\n\na\x00<tool_response>u</tool_response>\x00<|im_end|>", true, true)
		f.Add(program, "", "", " \u0085u\x00", false, false)
	}
	f.Fuzz(func(t *testing.T, program, bos, eos, conversation string, system, think bool) {
		if conversation = strings.ToValidUTF8(conversation, "?"); len(conversation) > 1<<16 {
			return
		}
		var said []Message
		role := User
		if system {
			role = System
		}
		for _, text := range strings.Split(conversation, "\x00") {
			said = append(said, Message{role, text})
			if role++; role == roles {
				role = User
			}
		}
		var tmpl *Template
		heap.Check(t, len(program)+len(bos)+len(eos), 32, func() { tmpl = New(program, bos, eos) })
		if tmpl == nil {
			return
		}
		var own int // what a message costs of the template's own, and the message before all
		for r := range roles {
			own += len(tmpl.open[r]) + len(tmpl.end[r])
		}
		own += len(tmpl.start) + len(tmpl.preamble) + len(tmpl.answer) + 64
		if tmpl.system != nil {
			own += len(*tmpl.system)
		}
		var parts []string
		heap.Check(t, len(conversation)+own*(len(said)+2), 32, func() { parts = tmpl.Render(said, think) })
		if len(parts)%2 != 1 {
			t.Errorf("%d parts: %q", len(parts), parts)
		}
		checkParts(t, parts, said)
		for i, m := range said {
			if text := tmpl.trimmed(m.Text); m.Role == User && text != "" && !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, strings.TrimRightFunc(text, isSpace)) }) {
				t.Errorf("message %d, %q, is not in %q", i, m.Text, parts)
			}
		}
	})
}
