package session

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// Keyboard reads the keys of a terminal in raw mode as they are pressed, and keeps them until they
// are asked for. A menu and a session that follows it have one in common, so that none is lost.
type Keyboard struct {
	mu        sync.Mutex
	keys      []Key
	size      int           // of keys: their number, and the bytes of what was pasted
	err       error         // why there are no more
	more      chan struct{} // holds one when keys or err have changed
	interrupt func()
	start     func() // reading; it may be called again
}

const (
	// escapeTime is how long the rest of an escape sequence may take: after that, ESC was a key.
	escapeTime = 50 * time.Millisecond
	// Many bytes at once are pasted, and not typed, on a terminal that does not mark what is pasted.
	manyBytes = 64
	// pasteTime is how long the next of them may take.
	pasteTime = 20 * time.Millisecond
	// maxAhead bounds what is typed and pasted ahead, in keys and bytes.
	maxAhead = 1 << 20
)

// NewKeyboard returns a Keyboard of a terminal, which is read as soon as the first key is asked for.
// The goroutines that read it end when a Read fails.
func NewKeyboard(in io.Reader) *Keyboard {
	k := &Keyboard{more: make(chan struct{}, 1)}
	k.start = sync.OnceFunc(func() { k.read(in) })
	return k
}

// read starts reading.
func (k *Keyboard) read(in io.Reader) {
	chunks := make(chan []byte)
	var err error // set when chunks is closed
	go func() {
		defer close(chunks)
		for err == nil {
			b := make([]byte, 4096)
			var n int
			if n, err = in.Read(b); n > 0 {
				chunks <- b[:n]
			}
		}
	}()
	go func() {
		var keys Keys
		for b := range chunks {
			k.add(keysOf(&keys, b, chunks))
		}
		k.add(keys.Flush())
		k.mu.Lock()
		k.err = err
		k.mu.Unlock()
		k.wake()
	}()
}

// keysOf returns the keys of b, and of what comes within a moment of it and belongs to it.
func keysOf(keys *Keys, b []byte, chunks <-chan []byte) (list []Key) {
	for len(b) >= manyBytes && len(b) <= MaxLine {
		more, ok := within(chunks, pasteTime)
		if !ok {
			break
		}
		b = append(b, more...)
	}
	if text := bytes.TrimRight(b, "\r\n"); len(b) >= manyBytes && !keys.pasting && !keys.Pending() && !bytes.ContainsFunc(text, isCommand) {
		list, b = []Key{{Code: KeyPaste, Text: pastedText(string(text))}}, b[len(text):]
		b = b[:min(len(b), 1)] // one Enter, however many lines are empty at the end
	}
	list = append(list, keys.Feed(b)...)
	for keys.Pending() {
		more, ok := within(chunks, escapeTime)
		if !ok {
			return append(list, keys.Flush()...)
		}
		list = append(list, keys.Feed(more)...)
	}
	return list
}

// isCommand reports whether r is a control code that no text has.
func isCommand(r rune) bool { return isControl(r) && r != '\t' && r != '\n' && r != '\r' }

// within returns what comes within a time.
func within(chunks <-chan []byte, d time.Duration) (b []byte, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case b, ok = <-chunks:
		return b, ok
	case <-timer.C:
		return nil, false
	}
}

// add keeps keys. Ctrl-C goes to the function of Interrupts, if there is one.
func (k *Keyboard) add(keys []Key) {
	k.mu.Lock()
	for _, key := range keys {
		switch {
		case k.interrupt != nil && key.Is(Ctrl, 'c'):
			k.interrupt()
		case k.size < maxAhead:
			k.keys = append(k.keys, key)
			k.size += 1 + len(key.Text)
		}
	}
	k.mu.Unlock()
	k.wake()
}

func (k *Keyboard) wake() {
	select {
	case k.more <- struct{}{}:
	default:
	}
}

// Interrupts lets Ctrl-C call f, at once and whatever was typed before it, instead of being a key;
// one that was typed already counts, too. nil ends that. f must return soon.
func (k *Keyboard) Interrupts(f func()) {
	k.start()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.interrupt = f; f == nil {
		return
	}
	isInterrupt := func(key Key) bool { return key.Is(Ctrl, 'c') }
	if slices.ContainsFunc(k.keys, isInterrupt) {
		k.keys = slices.DeleteFunc(k.keys, isInterrupt)
		f()
	}
}

// Next returns the next key, for which it waits. The error is ctx's, or that of Read: io.EOF at
// the end.
func (k *Keyboard) Next(ctx context.Context) (Key, error) {
	key, _, err := k.wait(ctx, nil)
	return key, err
}

// wait is Next, which also ends, without a key, when other has something.
func (k *Keyboard) wait(ctx context.Context, other <-chan os.Signal) (key Key, pressed bool, err error) {
	k.start()
	for {
		if key, ok, err := k.take(); ok || err != nil {
			return key, ok, err
		}
		select {
		case <-k.more:
		case <-other:
			return key, false, nil
		case <-ctx.Done():
			return key, false, ctx.Err()
		}
	}
}

// Waiting reports whether Next would return a key at once.
func (k *Keyboard) Waiting() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.keys) > 0
}

// take takes the first key that is there.
func (k *Keyboard) take() (key Key, ok bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		return key, false, k.err
	}
	key = k.keys[0]
	k.size -= 1 + len(key.Text)
	if k.keys = k.keys[1:]; len(k.keys) == 0 {
		k.keys, k.size = nil, 0
	}
	return key, true, nil
}
