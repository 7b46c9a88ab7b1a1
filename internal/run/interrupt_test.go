//go:build unix

package run

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupting sends the process an interrupt at each of its first n Writes that
// begin with at, and is slow enough for it to arrive.
type interrupting struct {
	t    *testing.T
	text strings.Builder
	at   string
	n    int
}

func (w *interrupting) Write(b []byte) (int, error) {
	if w.n > 0 && strings.HasPrefix(string(b), w.at) {
		w.n--
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
			w.t.Error(err)
		}
	}
	time.Sleep(10 * time.Millisecond)
	return w.text.Write(b)
}

// TestInterruptRun: the text stops at a token, its line ends, status 130.
func TestInterruptRun(t *testing.T) {
	out := &interrupting{t: t, at: "once", n: 1}
	var errs strings.Builder
	status := Main(context.Background(), []string{"run", model, "-z", tokenizer, "-n", "0", "-t", "0", "-i", "once"}, nil, out, &errs)
	if text := out.text.String(); status != 130 || !strings.HasPrefix(text, "once") || !strings.HasSuffix(text, "\n") || len(text) > 40 || errs.Len() != 0 {
		t.Errorf("status %d, stdout %q, stderr %q", status, text, errs.String())
	}
}

// TestInterruptConsole: one interrupt stops the story, one at the prompt ends
// the session with status 0.
func TestInterruptConsole(t *testing.T) {
	in, keys := io.Pipe()
	defer keys.Close()
	go io.WriteString(keys, "once\n")
	out := &interrupting{t: t, at: "once", n: 1}
	var errs strings.Builder
	done := make(chan int)
	go func() {
		done <- Main(context.Background(), []string{"console", model, "-z", tokenizer, "-n", "0", "-t", "0"}, in, out, &errs)
	}()
	select {
	case status := <-done:
		t.Fatalf("ended with status %d after an interrupt in a story: %q", status, out.text.String())
	case <-time.After(500 * time.Millisecond):
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status := <-done
	text := out.text.String()
	if _, story, _ := strings.Cut(text, "> "); status != 0 || errs.Len() != 0 || strings.Count(text, "> ") != 2 || len(story) > 50 || !strings.HasSuffix(text, "\n> \n") {
		t.Errorf("status %d, stdout %q, stderr %q", status, text, errs.String())
	}
}

// TestInterruptChat: one interrupt ends the assistant's turn, one in the user's
// turn ends the conversation with status 0.
func TestInterruptChat(t *testing.T) {
	in, keys := io.Pipe()
	defer keys.Close()
	out := &interrupting{t: t, at: "Assistant: ", n: 1}
	var errs strings.Builder
	done := make(chan int)
	go func() {
		done <- Main(context.Background(), []string{"run", model, "-z", tokenizer, "-n", "0", "-t", "0", "-m", "chat", "-y", "", "-i", "once"}, in, out, &errs)
	}()
	select {
	case status := <-done:
		t.Fatalf("ended with status %d after an interrupt of the assistant: %q", status, out.text.String())
	case <-time.After(500 * time.Millisecond):
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status := <-done
	if text := out.text.String(); status != 0 || errs.Len() != 0 || text != "Assistant: \nUser: \n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, text, errs.String())
	}
}
