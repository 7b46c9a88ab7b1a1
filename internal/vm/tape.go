package vm

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"
)

// tapeSize bounds what a tape keeps.
const tapeSize = 1 << 20

// tape keeps the last MiB that a machine said on a stream, for those who wait for a text in it.
type tape struct {
	mu   sync.Mutex
	text []byte
	read int           // how much of text earlier awaits have passed
	news chan struct{} // closed, and made anew, when something is added
	over bool
}

func newTape() *tape { return &tape{news: make(chan struct{})} }

func (t *tape) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if old := len(t.text) - tapeSize; old > 0 {
		t.text = append([]byte(nil), t.text[old:]...)
		t.read = max(0, t.read-old)
	}
	close(t.news)
	t.news = make(chan struct{})
}

// close says that nothing will be added.
func (t *tape) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	close(t.news)
	t.news = make(chan struct{})
}

func (t *tape) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text)
}

func (t *tape) contains(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Contains(t.text, []byte(text))
}

// await waits until text is on the tape, and passes it.
func (t *tape) await(ctx context.Context, text string) error {
	for {
		t.mu.Lock()
		i := bytes.Index(t.text[t.read:], []byte(text))
		if i >= 0 {
			t.read += i + len(text)
		}
		news, over, rest := t.news, t.over, strings.Join(plainLines(t.text[t.read:]), "\n")
		t.mu.Unlock()
		if i >= 0 {
			return nil
		}
		if over {
			return fmt.Errorf("the machine ended and never said %q but %q", text, rest)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("the machine did not say %q but %q: %w", text, rest, context.Cause(ctx))
		}
	}
}

// plainText takes terminal control sequences (ECMA-48 5.4: CSI, parameter and intermediate bytes, final byte) out of what
// the firmware's console says, in pieces of any size. Moving the cursor to a place becomes a new line.
type plainText struct {
	state byte // 0: text, '\x1b': after ESC, '[': in a control sequence
}

func (p *plainText) filter(log []byte) []byte {
	text := make([]byte, 0, len(log))
	for _, b := range log {
		switch {
		case b == '\x1b':
			p.state = b
		case p.state == '\x1b' && b == '[':
			p.state = b
		case p.state == '\x1b':
			p.state = 0
		case p.state == '[':
			if b >= '@' && b <= '~' {
				p.state = 0
			}
			if b == 'H' {
				text = append(text, '\n')
			}
		default:
			text = append(text, b)
		}
	}
	return text
}

// plainLines are the lines of a text that say something.
func plainLines(text []byte) []string {
	var lines []string
	for _, line := range strings.FieldsFunc(strings.ToValidUTF8(string(text), "\ufffd"), unicode.IsControl) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
