package quiet

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestDisturbed(t *testing.T) {
	for _, c := range []struct {
		others, elapsed time.Duration
		want            bool
	}{
		{0, time.Second, false},
		{40 * time.Millisecond, 100 * time.Millisecond, false}, // too short to tell
		{60 * time.Millisecond, 100 * time.Millisecond, true},
		{500 * time.Millisecond, 10 * time.Second, false},
		{700 * time.Millisecond, 10 * time.Second, true},
	} {
		if got := disturbed(c.others, c.elapsed); got != c.want {
			t.Errorf("disturbed(%v, %v) = %v", c.others, c.elapsed, got)
		}
	}
}

// TestQuietRun: errors come back at once, and a cancelled context does not start anything.
func TestQuietRun(t *testing.T) {
	q := Runner{Log: io.Discard}
	failure := errors.New("failure")
	if err := q.Run(t.Context(), "x", func(context.Context) error { return failure }); err != failure {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := false
	if err := q.Run(ctx, "x", func(context.Context) error { started = true; return nil }); !errors.Is(err, context.Canceled) || started {
		t.Error(err, started)
	}
}

func TestMachine(t *testing.T) {
	if m := Machine(); !strings.Contains(m, "cores") {
		t.Error(m)
	}
}
