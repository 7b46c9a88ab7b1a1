package template

import (
	"iter"
	"strings"
)

// New returns the template that a program in Jinja describes; bos and eos are the texts of
// these special tokens, "" for none. It returns nil if the program is of no known family.
func New(jinja, bos, eos string) *Template {
	has := func(s string) bool { return strings.Contains(jinja, s) }
	var t *Template
	switch { // the order matters: several families write roles as <|user|>
	case has("<|im_start|>"):
		t = chatML(jinja)
	case has("<|start_header_id|>"):
		t = llama3(jinja)
	case has("[INST]") && has("<<SYS>>"):
		return llama2(bos, eos) // which writes BOS itself
	case has("<|user|>") && has("eos_token"):
		t = format("Zephyr", "<|", "|>\n", eos+"\n")
	default:
		return nil
	}
	if has("bos_token") {
		t.start = bos
	}
	return t
}

// ChatML returns the format that is most common, for a model whose own is not known.
func ChatML() *Template { return format("ChatML", "<|im_start|>", "\n", "<|im_end|>\n") }

// Plain returns no format at all: each message is a line.
func Plain() *Template { return &Template{Name: "plain text", end: [roles]string{"\n", "\n", "\n"}} }

// format returns a template that begins messages with a role's name between two texts.
func format(name, before, behind, end string) *Template {
	t := &Template{Name: name}
	for r := range roles {
		t.open[r], t.end[r] = before+names[r]+behind, end
	}
	t.answer = t.open[Assistant]
	return t
}

// chatML returns the format of Qwen and SmolLM2. Many programs have a text for the system,
// as "<|im_start|>system\nTEXT<|im_end|>\n" or in a variable; Qwen3's removes earlier thoughts,
// and an empty thought turns thinking off; those of models that always think begin the thought.
func chatML(jinja string) *Template {
	t := ChatML()
	if text := literalAfter(jinja, "set system_message = "); text != "" {
		t.system = &text
	}
	for s := range literals(jinja) {
		if text, ok := strings.CutPrefix(s, t.open[System]); ok && t.system == nil {
			if text, _, ok := strings.Cut(text, "<|im_end|>"); ok {
				t.system = &text
			}
		}
		if s == t.open[Assistant]+"<think>\n" {
			t.answer = s
		}
	}
	t.trim = strings.Contains(jinja, "| trim") || strings.Contains(jinja, "|trim")
	t.thoughts = strings.Contains(jinja, "</think>")
	if strings.Contains(jinja, "enable_thinking") {
		t.Name, t.Switch, t.unthought = "ChatML with thoughts", true, "<think>\n\n</think>\n\n"
	}
	return t
}

// llama3 returns the format of Llama 3. From 3.1 on the system's message is always there and
// begins with two dates: today's is the one in the program, for the same text every day.
func llama3(jinja string) *Template {
	t := format("Llama 3", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>")
	t.trim = true
	today := literalAfter(jinja, "set date_string = ")
	for s := range literals(jinja) {
		if strings.HasPrefix(s, "Cutting Knowledge Date: ") {
			t.preamble = s + "Today Date: " + today + "\n\n"
			t.system = new("")
		}
	}
	return t
}

// llama2 returns the format of Llama 2 Chat (Touvron et al. 2023).
func llama2(bos, eos string) *Template {
	return &Template{Name: "Llama 2", nested: true, trim: true,
		open: [roles]string{User: bos + "[INST] ", Assistant: " "},
		end:  [roles]string{User: " [/INST]", Assistant: " " + eos}}
}

// literalAfter returns the first string literal of the program that stands behind text, "" if
// there is none.
func literalAfter(jinja, text string) string {
	for {
		var ok bool
		if _, jinja, ok = strings.Cut(jinja, text); !ok {
			return ""
		}
		if jinja != "" && (jinja[0] == '"' || jinja[0] == '\'') {
			s, _ := literal(jinja)
			return s
		}
	}
}

// literals yields the string literals of a program in Jinja: those within {{ }} and {% %}.
func literals(jinja string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			i := strings.IndexByte(jinja, '{')
			if i < 0 || i+1 == len(jinja) {
				return
			}
			mark := jinja[i+1]
			jinja = jinja[i+1:]
			if mark == '#' {
				_, jinja, _ = strings.Cut(jinja[1:], "#}")
				continue
			}
			end := map[byte]string{'{': "}}", '%': "%}"}[mark]
			for end != "" && jinja != "" && !strings.HasPrefix(jinja, end) {
				if jinja[0] != '"' && jinja[0] != '\'' {
					jinja = jinja[1:]
					continue
				}
				s, n := literal(jinja)
				if !yield(s) {
					return
				}
				jinja = jinja[n:]
			}
		}
	}
}

// literal returns the text of the string literal that jinja begins with, and its length.
func literal(jinja string) (text string, length int) {
	var b strings.Builder
	i := 1
	for ; i < len(jinja) && jinja[i] != jinja[0]; i++ {
		c := jinja[i]
		if c == '\\' && i+1 < len(jinja) {
			i++
			switch c = jinja[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			}
		}
		b.WriteByte(c)
	}
	return b.String(), min(i+1, len(jinja))
}
