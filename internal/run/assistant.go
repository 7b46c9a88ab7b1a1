package run

import (
	"io"

	"bootllama"
	"bootllama/assistant"
	"bootllama/session"
	ggml "bootllama/tokenizer"
)

// newAssistant returns the conversation that the options ask for in the format of the model's
// file; nil if they ask for none, or for run.c's. Without a mode it is for a session, which is
// a conversation if the file has a template.
func newAssistant(o Options, g *llama.Generator, h llama.Header, stderr io.Writer) (*assistant.Assistant, error) {
	program := assistant.Program(h)
	tok, ok := g.Tokenizer.(*ggml.Tokenizer)
	if !ok || o.Mode == "generate" || o.Mode == "" && program == "" {
		if o.Think {
			return nil, Usagef("--think is for conversations: %s has none here", h.Name)
		}
		return nil, nil
	}
	t, err := assistant.NewTemplate(program, tok, h.Name, stderr)
	if err == nil && o.Think && !t.Switch {
		err = Usagef("--think: the format of %s (%s) does not turn thinking on and off", h.Name, t.Name)
	}
	if err != nil {
		return nil, err
	}
	return &assistant.Assistant{
		Generator: g, Tokenizer: tok, Template: t,
		Think: o.Think, System: o.System, Steps: max(o.Steps, 0),
		Progress: session.Reading(stderr),
	}, nil
}

// Conversation is assistant.Conversation.
func Conversation(h llama.Header) string { return assistant.Conversation(h) }
