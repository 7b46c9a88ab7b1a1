package workers

import "time"

// pace tells whether the team or its caller alone is faster. On a machine of one's own it
// is the team. But where another program wants a processor, too, a helper that has lost
// its own holds everybody up, and one that shares the caller's takes away what it gives.
// No rule tells these apart as well as a look at the clock.
type pace struct {
	mode    mode
	stalled bool      // the others had to be waited for since the window began
	start   time.Time // of the window
	work    int       // in it
	calls   int

	team, single float64       // work a second of the team, a mean of late, and of the caller
	hold         time.Duration // how long the caller is to be alone the next time,
	until        time.Time     // and this time; or when to probe though nothing stalls
}

type mode int

const (
	together mode = iota // until something stalls, or pace.until
	probing              // alone, for a window, to see how fast that is
	holding              // alone, until pace.until
	trying               // together, for a window, to see whether that is better now
)

const (
	window           = 2 * time.Millisecond
	minHold, maxHold = 4 * time.Millisecond, 256 * time.Millisecond
	rarely           = 100 // probing takes so small a part of the time
)

// alone reports whether the caller shall do everything itself.
func (p *pace) alone() bool { return p.mode == probing || p.mode == holding }

// add is called when work has been done.
func (p *pace) add(work int) {
	p.work += work
	if p.calls++; p.calls%4 != 0 { // the clock costs something, too
		return
	}
	p.look(time.Now())
}

// look ends a window if it is time.
func (p *pace) look(now time.Time) {
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
			p.until = now.Add(max(maxHold, rarely*elapsed))
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

// decide chooses the faster way.
func (p *pace) decide(now time.Time) {
	if p.team >= p.single {
		p.mode, p.hold = together, minHold
		return
	}
	p.mode, p.until = holding, now.Add(p.hold)
	p.hold = min(2*p.hold, maxHold)
}
