package vm

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"
)

// backlogSize is the limit of a backlog in bytes.
const backlogSize = 1 << 20

// backlog keeps the last MiB of a stream of the machine, for callers that wait for a text in it.
type backlog struct {
	mu   sync.Mutex
	text []byte
	read int           // bytes of text up to the end of what an earlier await found
	news chan struct{} // closed and replaced when text is added
	over bool
}

func newBacklog() *backlog { return &backlog{news: make(chan struct{})} }

func (b *backlog) add(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if old := len(b.text) - backlogSize; old > 0 {
		b.text = append([]byte(nil), b.text[old:]...)
		b.read = max(0, b.read-old)
	}
	close(b.news)
	b.news = make(chan struct{})
}

// close marks the end of the stream.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	close(b.news)
	b.news = make(chan struct{})
}

func (b *backlog) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text)
}

func (b *backlog) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.text, []byte(text))
}

// await waits until the stream contains text, after what an earlier await found.
func (b *backlog) await(ctx context.Context, text string) error {
	for {
		b.mu.Lock()
		i := bytes.Index(b.text[b.read:], []byte(text))
		if i >= 0 {
			b.read += i + len(text)
		}
		news, over, rest := b.news, b.over, strings.Join(plainLines(b.text[b.read:]), "\n")
		b.mu.Unlock()
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

// plainText removes terminal control sequences (ECMA-48 5.4: CSI, parameter and intermediate bytes, final byte) from the
// output of the firmware's console, which comes in pieces of any size. A sequence that moves the cursor becomes a newline.
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

// plainLines returns the lines of a text that are not empty.
func plainLines(text []byte) []string {
	var lines []string
	for _, line := range strings.FieldsFunc(strings.ToValidUTF8(string(text), "\ufffd"), unicode.IsControl) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
