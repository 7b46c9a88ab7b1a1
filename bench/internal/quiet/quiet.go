// Package quiet measures programs on a machine that nobody else uses meanwhile.
package quiet

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Runner runs programs when the machine is idle, and again when it did not stay so: a neighbour that takes a tenth of a
// core makes two spinning threads wait for each other far longer than that.
type Runner struct {
	Patience time.Duration // how long to wait for an idle machine before each run
	Retries  int           // how often to repeat a run that was disturbed
	Log      io.Writer     // told of disturbed runs

	Disturbed int // runs that were disturbed in every try, and count all the same
}

const (
	idleFor   = 200 * time.Millisecond
	idleBelow = 0.15 // of one core
	noise     = 0.06 // of one core, by others while a run lasts
	noiseTime = 50 * time.Millisecond
)

// Run waits for an idle machine and calls run, which must wait for the processes that it starts. An error of run, or of
// ctx, is returned at once.
func (q *Runner) Run(ctx context.Context, what string, run func(context.Context) error) error {
	for try := 0; ; try++ {
		if err := q.wait(ctx); err != nil {
			return err
		}
		start, all, own := time.Now(), machineTime(), ownTime()
		if err := run(ctx); err != nil {
			return err
		}
		elapsed := time.Since(start)
		others := (machineTime() - all) - (ownTime() - own)
		if !disturbed(others, elapsed) {
			return nil
		}
		fmt.Fprintf(q.Log, "%s: other processes took %.0f%% of a core\n", what, 100*others.Seconds()/elapsed.Seconds()) // an error is ignored: only a message is lost
		if try == q.Retries {
			q.Disturbed++
			return nil
		}
	}
}

// disturbed tells if others took so much time that a run of that length does not count. What is shorter than a few ticks
// of the kernel's clock cannot be told from rounding.
func disturbed(others, elapsed time.Duration) bool {
	return others > noiseTime && others.Seconds() > noise*elapsed.Seconds()
}

// wait waits until the machine is idle, or patience ends: then the run has to show if it is disturbed.
func (q *Runner) wait(ctx context.Context) error {
	for start := time.Now(); ; {
		before := machineTime()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(idleFor):
		}
		if busy := machineTime() - before; busy.Seconds() < idleBelow*idleFor.Seconds() || time.Since(start) > q.Patience {
			return nil
		}
	}
}
