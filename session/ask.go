package session

import (
	"context"
	"errors"
	"strings"
)

// Ask lets the person type a text and returns it. It is several lines where a line ends in \, where
// the text begins with """ up to the next, and where it was pasted. At the end of input, which
// Ctrl-D at an empty line is, too, the error is io.EOF, as when ctx is done.
func (t *Terminal) Ask(ctx context.Context, prompt string) (string, error) {
	for {
		text, err := t.edit(ctx, prompt)
		if !errors.Is(err, errDropped) {
			return text, err
		}
	}
}

// edit is Ask, which returns errDropped at Ctrl-C.
func (t *Terminal) edit(ctx context.Context, prompt string) (string, error) {
	e := &t.editor
	e.t, e.prompt, e.text, e.at, e.entry, e.latest = t, prompt, nil, 0, len(e.history), ""
	if t.column > 0 {
		if err := t.say(styleNone, ""); err != nil {
			return "", err
		}
	}
	err := e.run(ctx)
	text := string(e.text)
	if err == nil && strings.TrimSpace(text) != "" && (len(e.history) == 0 || e.history[len(e.history)-1] != text) {
		e.history = append(e.history, text)
	}
	return unquoted(text), err
}

// unquoted returns what is between """ and """, without the newlines beside them, else text.
func unquoted(text string) string {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), `"""`)
	if !ok {
		return text
	}
	return strings.Trim(strings.TrimSuffix(inner, `"""`), "\n")
}
