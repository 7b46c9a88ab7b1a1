//go:build unix

package run

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// interrupting sends the process an interrupt at each of its first n Writes that begin with
// at, and returns when it has been delivered. seen is closed when then appears in what comes after.
type interrupting struct {
	t    *testing.T
	mu   sync.Mutex
	text strings.Builder
	at   string
	n    int
	from int // length of the text at the interrupt
	then string
	seen chan struct{}
}

func (w *interrupting) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n > 0 && strings.HasPrefix(string(b), w.at) {
		w.n--
		w.from = w.text.Len()
		delivered := make(chan os.Signal, 1)
		signal.Notify(delivered, os.Interrupt)
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
			w.t.Error(err)
		}
		<-delivered
		signal.Stop(delivered) // returns when the signal is in the channels of all others, too
	}
	n, err := w.text.Write(b)
	if w.seen != nil && w.n == 0 && strings.Contains(w.text.String()[w.from:], w.then) {
		close(w.seen)
		w.seen = nil
	}
	return n, err
}

func (w *interrupting) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// slow gives the goroutine that hears of an interrupt time before the next token.
type slow struct{ io.Writer }

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return s.Writer.Write(b)
}

// TestInterruptRun: the text stops at a token, before its end, its line ends, status 130.
func TestInterruptRun(t *testing.T) {
	args := []string{"run", model, "-z", tokenizer, "-n", "0", "-t", "0", "-i", "once"}
	_, whole, _ := runMain("", args...)
	out := &interrupting{t: t, at: "once", n: 1}
	var errs strings.Builder
	status := Main(context.Background(), args, nil, slow{out}, &errs)
	text, ended := strings.CutSuffix(out.String(), "\n")
	if status != 130 || !ended || !strings.HasPrefix(text, "once") || !strings.HasPrefix(whole, text) || len(text) >= len(whole)-1 || errs.Len() != 0 {
		t.Errorf("status %d, stdout %q, stderr %q; not interrupted %q", status, out, errs.String(), whole)
	}
}

// TestInterruptConsole: one interrupt stops the story, one at the prompt ends
// the session with status 0.
func TestInterruptConsole(t *testing.T) {
	_, whole, _ := runMain("", "run", model, "-z", tokenizer, "-n", "0", "-t", "0", "-i", "once")
	in, keys := io.Pipe()
	defer keys.Close()
	go io.WriteString(keys, "once\n")
	prompt := make(chan struct{})
	out := &interrupting{t: t, at: "once", n: 1, then: "\n> ", seen: prompt}
	var errs strings.Builder
	done := make(chan int)
	go func() {
		done <- Main(context.Background(), []string{"console", model, "-z", tokenizer, "-n", "0", "-t", "0"}, in, slow{out}, &errs)
	}()
	select {
	case status := <-done:
		t.Fatalf("ended with status %d after an interrupt in a story: %q", status, out.String())
	case <-prompt:
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status := <-done
	text := out.String()
	if _, story, _ := strings.Cut(text, "> "); status != 0 || errs.Len() != 0 || strings.Count(text, "> ") != 2 || len(story) >= len(whole) || !strings.HasSuffix(text, "\n> \n") {
		t.Errorf("status %d, stdout %q, stderr %q; not interrupted %q", status, text, errs.String(), whole)
	}
}

// TestInterruptChat: one interrupt ends the assistant's turn, one in the user's
// turn ends the conversation with status 0.
func TestInterruptChat(t *testing.T) {
	in, keys := io.Pipe()
	defer keys.Close()
	turn := make(chan struct{})
	out := &interrupting{t: t, at: "Assistant: ", n: 1, then: "\nUser: ", seen: turn}
	var errs strings.Builder
	done := make(chan int)
	go func() {
		done <- Main(context.Background(), []string{"run", model, "-z", tokenizer, "-n", "0", "-t", "0", "-m", "chat", "-y", "", "-i", "once"}, in, out, &errs)
	}()
	select {
	case status := <-done:
		t.Fatalf("ended with status %d after an interrupt of the assistant: %q", status, out.String())
	case <-turn:
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status := <-done
	if text := out.String(); status != 0 || errs.Len() != 0 || text != "Assistant: \nUser: \n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, text, errs.String())
	}
}
