package assistant

import (
	"fmt"
	"io"
	"strings"

	"bootllama"
	"bootllama/assistant/template"
	ggml "bootllama/tokenizer"
)

// NewTemplate returns the template of the model in the named file, whose program in Jinja is
// given. If it is unknown that is told, and the model gets the format for which it has tokens.
func NewTemplate(program string, tok *ggml.Tokenizer, name string, stderr io.Writer) (*template.Template, error) {
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

// Program returns the program in Jinja that a GGUF file has as its template, "" for none.
func Program(h llama.Header) string { return h.Texts["tokenizer.chat_template"] }

// Conversation says for a person in what format a model of a GGUF file holds conversations, ""
// if its file has none.
func Conversation(h llama.Header) string {
	tok, ok := h.Tokenizer.(*ggml.Tokenizer)
	program := Program(h)
	if !ok || program == "" {
		return ""
	}
	var unknown strings.Builder
	t, err := NewTemplate(program, tok, h.Name, &unknown)
	if err != nil || unknown.Len() > 0 {
		return "of no family that is known here; taken for " + t.Name
	}
	return t.Name
}
