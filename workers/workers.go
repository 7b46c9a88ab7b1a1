// Package workers shares the many small steps of a token among cores. A step takes
// microseconds, less than it takes to wake a thread, so workers that wait for the next
// one spin, for a bounded time, and then sleep.
package workers

import (
	"sync/atomic"
	"time"
)

const (
	// spinning is how long a worker waits awake for the next step: longer than what
	// lies between two steps of a token, the sampling and writing of it included.
	spinning = 200 * time.Microsecond
	// patience is how long Do waits awake for the others to finish their last parts.
	// Longer, and somebody else has their processor; then it is better to offer them
	// this one.
	patience = 300 * time.Microsecond
	// look is how many spins there are between two looks at the clock.
	look = 64
)

// Team is the caller of Do and the goroutines that help it. What they work on is a *T.
type Team[T any] struct {
	// step is what there is to do, in one word, so that a worker that comes late
	// cannot take part of one step for part of the next: bits 32 to 63 count the
	// steps, 16 to 31 are the number of parts, 0 to 15 the part that is next.
	step atomic.Uint64
	_    [56]byte // the words that all cores write have cache lines of their own
	done atomic.Uint32
	_    [60]byte

	waiting atomic.Bool   // Do sleeps until
	last    chan struct{} // whoever finishes the last part says so

	f       func(t *T, worker, i int) // of the step: f(t, worker, i) for i below n,
	t       *T
	n       int // divided into parts
	helpers []*helper
	pace    pace
	closed  atomic.Bool
}

// helper is a goroutine that helps.
type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte
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
// work says how much all of it is, in any unit, 0 for next to nothing: from it the team
// learns how fast it is.
func (team *Team[T]) Do(t *T, parts, work int, f func(t *T, worker, part int)) {
	team.do(t, parts, parts, f)
	if work > 0 && len(team.helpers) > 0 {
		team.pace.add(work)
	}
}

// Each calls f(t, worker, i) for every i below n, as Do does, for work that may take less
// time than workers need to share it: a part is several neighbours.
func (team *Team[T]) Each(t *T, n int, f func(t *T, worker, i int)) {
	team.do(t, n, min(n, 8*team.Size()), f)
}

// do has all workers do n things in parts.
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

// join waits until all parts are done.
func (team *Team[T]) join(parts uint32) {
	var start time.Time
	for i := 1; team.done.Load() != parts; i++ {
		pause()
		if i%look != 0 {
			continue
		}
		now := time.Now()
		if start.IsZero() {
			start = now
		}
		if now.Sub(start) < patience {
			continue
		}
		team.sleep(parts)
		team.pace.stalled = true
		return
	}
}

// sleep waits for the last part as join does, without a processor.
func (team *Team[T]) sleep(parts uint32) {
	for {
		team.waiting.Store(true)
		if team.done.Load() == parts && team.waiting.CompareAndSwap(true, false) {
			return
		}
		// Somebody says so, if not now then soon. It may be one who finished the step
		// before and is late: then there is more to wait for.
		<-team.last
		if team.done.Load() == parts {
			return
		}
	}
}

// help is the life of a helper.
func (team *Team[T]) help(h *helper, worker int) {
	for !team.closed.Load() {
		var start time.Time
		for i := 1; ; i++ {
			if team.left() {
				team.work(worker)
				i, start = 0, time.Time{}
				continue
			}
			pause()
			if i%look != 0 {
				continue
			}
			now := time.Now()
			if start.IsZero() {
				start = now
			}
			if now.Sub(start) > spinning {
				break
			}
		}
		h.asleep.Store(true)
		// A step that began, or a Close, before this may not have seen it.
		if (team.left() || team.closed.Load()) && h.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-h.wake
	}
}
