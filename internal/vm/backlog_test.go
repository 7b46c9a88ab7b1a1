package vm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAwait: whoever waits for a text is woken by it, by the end of the stream, and by that of its context; a text that
// was found is not found again.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		await := func(text string) chan error {
			done := make(chan error, 1)
			go func() { done <- b.await(ctx, text) }()
			synctest.Wait()
			return done
		}
		b.add([]byte("on"))
		once := await("once")
		if len(once) > 0 {
			t.Fatalf("half a text: %v", <-once)
		}
		b.add([]byte("ce and"))
		if err := <-once; err != nil {
			t.Error(err)
		}
		again := await("once")
		if len(again) > 0 {
			t.Errorf("found twice: %v", <-again)
		}
		if err := <-await("and"); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		if err := <-again; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `did not say "once" but`) {
			t.Error(err)
		}
		ctx = t.Context()
		never := await("never")
		b.close()
		if err := <-never; err == nil || err.Error() != `the machine ended and never said "never" but ""` {
			t.Error(err)
		}
	})
}
