// Package template renders conversations in the formats that assistants were trained with. A
// GGUF file has its model's format as a program in Jinja (key tokenizer.chat_template). There
// is no Jinja here: a family of formats is found by what is written in the program, and the
// family's text, without tools, is the one that Jinja would render.
package template

import (
	"strings"
	"unicode"
)

// Role is who says a message.
type Role int

const (
	System Role = iota // what the assistant is told before the conversation
	User
	Assistant
	roles
)

// names are the roles' names in the formats.
var names = [roles]string{"system", "user", "assistant"}

// Message is what one of them says.
type Message struct {
	Role Role
	Text string
}

// Template is the format of a model's conversations.
type Template struct {
	Name   string // of the family, for a person
	Switch bool   // thinking can be turned off

	start     string        // before the first message
	open, end [roles]string // around the text of a message
	preamble  string        // of the system's message, before its text
	system    *string       // the text of a system's message that the conversation does not have; nil: none
	nested    bool          // the system's message stands in the user's first
	trim      bool          // white space around texts is removed
	thoughts  bool          // of earlier answers are removed
	answer    string        // begins the answer that the model shall write
	unthought string        // follows it where thinking is off
}

// Render returns the text of a conversation that the model shall answer, in parts: by turns
// what is the template's own, in which special tokens are meant, and what has been said, in
// which they are not. Only the first message may be the system's; the others are the user's
// and the assistant's by turns.
func (t *Template) Render(said []Message, think bool) []string {
	var p parts
	p.own(t.start)
	if len(said) > 0 && said[0].Role == System && !t.nested {
		p.own(t.open[System] + t.preamble)
		p.said(t.trimmed(said[0].Text))
		p.own(t.end[System])
		said = said[1:]
	} else if t.system != nil {
		p.own(t.open[System] + t.preamble + *t.system + t.end[System])
	}
	query := lastQuery(said)
	for i, m := range said {
		if m.Role == System {
			continue // nested
		}
		p.own(t.open[m.Role])
		switch {
		case t.nested && i == 1 && said[0].Role == System:
			p.nest(said[0].Text, m.Text)
		case t.thoughts && m.Role == Assistant:
			p.think(m.Text, i > query)
		default:
			p.said(t.trimmed(m.Text))
		}
		p.own(t.end[m.Role])
	}
	p.own(t.answer)
	if t.Switch && !think {
		p.own(t.unthought)
	}
	return p.end()
}

// lastQuery returns the index of the user's last message that does not look like a tool's
// answer, as Qwen3's template does: what was thought before it is removed. Without any it is
// the last message's.
func lastQuery(said []Message) int {
	for i := len(said) - 1; i >= 0; i-- {
		if m := said[i]; m.Role == User && !(strings.HasPrefix(m.Text, "<tool_response>") && strings.HasSuffix(m.Text, "</tool_response>")) {
			return i
		}
	}
	return len(said) - 1
}

func (t *Template) trimmed(text string) string {
	if t.trim {
		return strings.TrimFunc(text, isSpace)
	}
	return text
}

// isSpace reports what Python's strip removes.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// parts collects what Render returns, which has an odd number of parts after own.
type parts struct {
	ended []string
	last  strings.Builder
}

// own appends text of the template.
func (p *parts) own(text string) { p.add(text, 0) }

// said appends text of a message.
func (p *parts) said(text string) {
	if text != "" {
		p.add(text, 1)
	}
}

// add appends text to the last part if that is even or odd as asked, or else to a new one.
func (p *parts) add(text string, odd int) {
	if len(p.ended)%2 != odd {
		p.end()
	}
	p.last.WriteString(text)
}

// end ends the last part, and returns all of them.
func (p *parts) end() []string {
	p.ended = append(p.ended, p.last.String())
	p.last.Reset()
	return p.ended
}

// nest appends the system's text and the user's first, as Llama 2's template does, which
// removes the white space around both together.
func (p *parts) nest(system, user string) {
	user = strings.TrimRightFunc(user, isSpace)
	p.own("<<SYS>>\n")
	p.said(system)
	p.own("\n<</SYS>>")
	if user != "" {
		p.own("\n\n")
		p.said(user)
	}
}

// think appends an answer as Qwen3's template does: without what was thought, or if that is
// to be kept, with it, in the form of the template.
func (p *parts) think(text string, keep bool) {
	thought, answer := "", text
	if i := strings.LastIndex(text, "</think>"); i >= 0 {
		answer = strings.TrimLeft(text[i+len("</think>"):], "\n")
		thought, _, _ = strings.Cut(text, "</think>")
		if i := strings.LastIndex(thought, "<think>"); i >= 0 {
			thought = thought[i+len("<think>"):]
		}
		thought = strings.Trim(thought, "\n")
	}
	if keep && thought != "" {
		p.own("<think>\n")
		p.said(thought)
		p.own("\n</think>\n\n")
		answer = strings.TrimLeft(answer, "\n")
	}
	p.said(answer)
}
