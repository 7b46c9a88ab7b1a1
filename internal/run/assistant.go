package run

import (
	"fmt"
	"io"
	"strings"

	"bootllama"
	"bootllama/chat"
	"bootllama/chat/template"
	ggml "bootllama/tokenizer"
)

// newAssistant returns the conversation that the options ask for in the format of the model's
// file; nil if they ask for none, or for run.c's. Without a mode it is for a session, which is
// a conversation if the file has a template.
func newAssistant(o Options, g *llama.Generator, h llama.Header, stderr io.Writer) (*chat.Assistant, error) {
	program := h.Texts["tokenizer.chat_template"]
	tok, ok := g.Tokenizer.(*ggml.Tokenizer)
	if !ok || o.Mode == "generate" || o.Mode == "" && program == "" {
		if o.Think {
			return nil, Usagef("--think is for conversations: %s has none here", h.Name)
		}
		return nil, nil
	}
	t, err := newTemplate(program, tok, h.Name, stderr)
	if err == nil && o.Think && !t.Switch {
		err = Usagef("--think: the format of %s (%s) does not turn thinking on and off", h.Name, t.Name)
	}
	if err != nil {
		return nil, err
	}
	return &chat.Assistant{
		Generator: g, Tokenizer: tok, Template: t,
		Think: o.Think, System: o.System, User: o.Prompt, Steps: max(o.Steps, 0),
		Progress: readingProgress(stderr),
	}, nil
}

// newTemplate returns the template of the model in the named file, whose program in Jinja is
// given. If it is unknown that is told, and the model gets the format for which it has tokens.
func newTemplate(program string, tok *ggml.Tokenizer, name string, stderr io.Writer) (*template.Template, error) {
	text := func(token int) string {
		if token < 0 {
			return ""
		}
		return tok.Text(token)
	}
	if t := template.New(program, text(tok.BOS), text(tok.EOS)); t != nil {
		return t, nil
	}
	t, what := template.Plain(), "has no chat template"
	if begin, err := tok.EncodeTemplate([]string{"<|im_start|>"}, false); err == nil && len(begin) == 1 {
		t = template.ChatML()
	}
	if program != "" {
		what = "has a chat template of no family that is known here"
	}
	_, err := fmt.Fprintf(stderr, "bootllama: %s %s: the conversation is in %s\n", name, what, t.Name)
	return t, err
}

// Conversation says for a person in what format a model of a GGUF file holds conversations, ""
// if its file has none.
func Conversation(h llama.Header) string {
	tok, ok := h.Tokenizer.(*ggml.Tokenizer)
	program := h.Texts["tokenizer.chat_template"]
	if !ok || program == "" {
		return ""
	}
	var unknown strings.Builder
	t, err := newTemplate(program, tok, h.Name, &unknown)
	if err != nil || unknown.Len() > 0 {
		return "of no family that is known here; taken for " + t.Name
	}
	return t.Name
}
