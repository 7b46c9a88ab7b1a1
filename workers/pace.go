package workers

import "time"

// pace decides whether the team or its caller alone does the steps. On a machine that runs
// nothing else the team is faster. But where another program needs a processor, too, a helper
// that has been preempted delays every step, and one that shares the caller's processor gains
// nothing. Rules about waits did not tell these cases apart; so the speed of both is measured,
// in windows of time.
type pace struct {
	mode    mode
	stalled bool      // the caller slept while it waited for the others, in this window
	start   time.Time // of the window
	work    int       // done in the window
	calls   int       // of add

	team, single float64       // work a second of the team (a running mean) and of the caller alone
	hold         time.Duration // how long the caller works alone the next time the team is slower
	until        time.Time     // end of holding; or when to probe again though nothing has stalled
}

type mode int

const (
	together mode = iota // the team, until it stalls or pace.until
	probing              // the caller alone for a window, to measure its speed
	holding              // the caller alone, until pace.until
	trying               // the team for a window, to measure whether it is faster again
)

const (
	window           = 2 * time.Millisecond
	minHold, maxHold = 4 * time.Millisecond, 256 * time.Millisecond
	probeInterval    = 100 // probing takes at most one part in so many of the time
)

// alone reports whether the caller does the step without the helpers.
func (p *pace) alone() bool { return p.mode == probing || p.mode == holding }

// add counts work that has been done.
func (p *pace) add(work int) {
	p.work += work
	if p.calls++; p.calls%4 != 0 { // reading the clock takes time, too
		return
	}
	p.endWindow(time.Now())
}

// endWindow ends the window if it has lasted long enough, and chooses the mode of the next.
func (p *pace) endWindow(now time.Time) {
	elapsed := now.Sub(p.start)
	if elapsed < window {
		return
	}
	speed := float64(p.work) / elapsed.Seconds()
	switch p.mode {
	case together:
		p.team += (speed - p.team) / 4
		if p.stalled || now.After(p.until) {
			p.mode = probing
		}
	case probing:
		p.single = speed
		p.decide(now)
		if p.mode == together {
			p.until = now.Add(max(maxHold, probeInterval*elapsed))
		}
	case holding:
		p.single += (speed - p.single) / 4
		if !now.Before(p.until) {
			p.mode = trying
		}
	case trying:
		p.team, p.until = speed, now.Add(maxHold)
		p.decide(now)
	}
	p.start, p.work, p.stalled = now, 0, false
}

// decide chooses the faster of team and caller.
func (p *pace) decide(now time.Time) {
	if p.team >= p.single {
		p.mode, p.hold = together, minHold
		return
	}
	p.hold = max(p.hold, minHold) // 0 before the team has been the faster one for the first time
	p.mode, p.until = holding, now.Add(p.hold)
	p.hold = min(2*p.hold, maxHold)
}
