// Package workers divides the many small steps of a token among cores. A step takes
// microseconds, less than it takes to wake a thread, so workers spin for a bounded time
// while they wait for the next step, and then sleep.
package workers

import (
	"sync/atomic"
	"time"
)

const (
	// spinHelper is how long a helper spins while it waits for the next step: longer than
	// the time between two steps of a token, which includes sampling and writing it.
	spinHelper = 200 * time.Microsecond
	// spinCaller is how long Do spins while it waits for the last parts. If they take longer,
	// another program has the helpers' processors, and Do sleeps to offer them its own.
	spinCaller = 300 * time.Microsecond
	// spinsPerRead is how many times a waiting loop turns between two readings of the clock.
	spinsPerRead = 64
)

// Team is the caller of Do and the goroutines that help it. What they work on is a *T.
type Team[T any] struct {
	// step describes the step and which part is next, in one word, so that a worker that
	// is delayed between reading and claiming cannot claim a part of the next step as one
	// of this: bits 32 to 63 count the steps, 16 to 31 are the number of parts, 0 to 15 the
	// part that is next.
	step atomic.Uint64
	_    [56]byte // the words that all cores write have cache lines of their own
	done atomic.Uint32
	_    [60]byte

	waiting atomic.Bool   // Do sleeps until the last part is done,
	last    chan struct{} // and whoever does that sends here

	f       func(t *T, worker, i int) // the step: f(t, worker, i) for every i below n,
	t       *T
	n       int // which are divided into the parts
	helpers []*helper
	pace    pace
	closed  atomic.Bool
}

// helper is a goroutine that helps.
type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // no two share a cache line
}

// MaxParts is the largest number of parts of a step.
const MaxParts = 1<<15 - 1

// New returns a team of size workers, the caller of Do among them. Close ends it.
func New[T any](size int) *Team[T] {
	team := &Team[T]{last: make(chan struct{}, 1)}
	for i := 1; i < size; i++ {
		h := &helper{wake: make(chan struct{}, 1)}
		team.helpers = append(team.helpers, h)
		go team.help(h, i)
	}
	return team
}

// Size returns the number of workers.
func (team *Team[T]) Size() int { return len(team.helpers) + 1 }

// Close ends the goroutines. Do may not be called again.
func (team *Team[T]) Close() {
	team.closed.Store(true)
	for _, h := range team.helpers {
		if h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
}

// Do calls f(t, worker, part) for every part below parts, on all workers, and returns
// when all calls have. worker is below Size; no two calls at a time have the same. Do
// allocates nothing when f is no closure. It is not for use by several goroutines.
//
// work is the size of the step, in any unit, by which the team measures its speed; 0 for a
// step too small to count.
func (team *Team[T]) Do(t *T, parts, work int, f func(t *T, worker, part int)) {
	team.do(t, parts, parts, f)
	switch {
	case work == 0:
	case len(team.helpers) > 0:
		team.pace.add(work)
	default:
		time.Now() // which add does, too: on metal the kernel looks for keys then
	}
}

// Each calls f(t, worker, i) for every i below n, as Do does. It is for calls so short that
// claiming a part may take longer: a part is several neighbours.
func (team *Team[T]) Each(t *T, n int, f func(t *T, worker, i int)) {
	team.do(t, n, min(n, 8*team.Size()), f)
}

// do divides the calls of f for all i below n into parts, and the parts among all workers.
func (team *Team[T]) do(t *T, n, parts int, f func(t *T, worker, i int)) {
	if parts > MaxParts {
		panic("workers: too many parts")
	}
	if parts <= 1 || len(team.helpers) == 0 || team.pace.alone() {
		for i := range n {
			f(t, 0, i)
		}
		return
	}
	team.f, team.t, team.n = f, t, n
	team.done.Store(0)
	team.step.Store((team.step.Load()>>32+1)<<32 | uint64(parts)<<16)
	for _, h := range team.helpers {
		if h.asleep.Load() && h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
	team.work(0)
	team.join(uint32(parts))
}

// work does parts of the step until there are no more.
func (team *Team[T]) work(worker int) {
	var parts, done uint32
	for {
		step := team.step.Add(1) - 1
		part, n := int(step&0xFFFF), int(step>>16&0xFFFF)
		if part >= n {
			break
		}
		for i := part * team.n / n; i < (part+1)*team.n/n; i++ {
			team.f(team.t, worker, i)
		}
		parts = uint32(n)
		done++
	}
	if done > 0 && team.done.Add(done) == parts && worker != 0 && team.waiting.CompareAndSwap(true, false) {
		team.last <- struct{}{}
	}
}

// left reports whether the step has parts that nobody has begun.
func (team *Team[T]) left() bool {
	step := team.step.Load()
	return step&0xFFFF < step>>16&0xFFFF
}

// spinner is a loop that waits: it counts the turns, and the time since it first read the
// clock.
type spinner struct {
	turns int
	start time.Time
}

// exceeds is called once a turn, and reports whether the loop has waited for longer than
// limit.
func (s *spinner) exceeds(limit time.Duration) bool {
	s.turns++
	return s.turns%spinsPerRead == 0 && s.waited() > limit
}

// waited reads the clock. It is a function of its own so that exceeds can be inlined.
func (s *spinner) waited() time.Duration {
	now := time.Now()
	if s.start.IsZero() {
		s.start = now
	}
	return now.Sub(s.start)
}

// join waits until all parts are done.
func (team *Team[T]) join(parts uint32) {
	for s := (spinner{}); team.done.Load() != parts; {
		pause()
		if s.exceeds(spinCaller) {
			team.sleep(parts)
			team.pace.stalled = true
			return
		}
	}
}

// sleep waits for the last part as join does, but lets the processor go.
func (team *Team[T]) sleep(parts uint32) {
	for {
		team.waiting.Store(true)
		if team.done.Load() == parts && team.waiting.CompareAndSwap(true, false) {
			return
		}
		// A worker has sent or will send. It may be one that finished the last part of the
		// step before but was delayed until now: then this step is not done yet.
		<-team.last
		if team.done.Load() == parts {
			return
		}
	}
}

// help runs on a goroutine of its own until the team is closed: it does parts, spins while
// there are none, and then sleeps.
func (team *Team[T]) help(h *helper, worker int) {
	for !team.closed.Load() {
		for s := (spinner{}); ; {
			if team.left() {
				team.work(worker)
				s = spinner{}
				continue
			}
			pause()
			if s.exceeds(spinHelper) {
				break
			}
		}
		h.asleep.Store(true)
		// Whoever began a step, or closed the team, before this may have seen it awake.
		if (team.left() || team.closed.Load()) && h.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-h.wake
	}
}
