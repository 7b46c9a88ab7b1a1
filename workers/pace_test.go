package workers

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPace follows the decisions, window by window: the speeds that were measured, and what is done next. Work is in
// units, speeds in units a second.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	type state struct {
		mode         mode
		team, single float64
		hold, until  time.Duration // until: since the beginning
	}
	type end struct { // of a window
		elapsed time.Duration
		work    int
		stalled bool
		want    state
	}
	for _, c := range []struct {
		name    string
		windows []end
	}{
		{"the team, which is measured as a running mean", []end{
			{2 * ms, 2000, false, state{probing, 250_000, 0, 0, 0}}, // the first window: nothing is known of the caller
			{2 * ms, 200, false, state{together, 250_000, 100_000, 4 * ms, 4*ms + 256*ms}},
			{4 * ms, 4000, false, state{together, 437_500, 100_000, 4 * ms, 260 * ms}},
			{2 * ms, 2000, true, state{probing, 578_125, 100_000, 4 * ms, 260 * ms}},      // it has stalled
			{3 * ms, 150, true, state{together, 578_125, 50_000, 4 * ms, 13*ms + 300*ms}}, // a hundred times as long as it probed
			{299 * ms, 299_000, false, state{together, 683_593.75, 50_000, 4 * ms, 313 * ms}},
			{ms, 1000, false, state{together, 683_593.75, 50_000, 4 * ms, 313 * ms}}, // no window yet
			{ms, 1000, false, state{probing, 762_695.3125, 50_000, 4 * ms, 313 * ms}},
		}},
		{"the caller alone, for longer each time", []end{
			{2 * ms, 800, true, state{probing, 100_000, 0, 0, 0}},
			{2 * ms, 1000, false, state{holding, 100_000, 500_000, 8 * ms, 8 * ms}}, // until then; the next time for 8 ms
			{2 * ms, 600, false, state{holding, 100_000, 450_000, 8 * ms, 8 * ms}},
			{2 * ms, 900, false, state{trying, 100_000, 450_000, 8 * ms, 8 * ms}},
			{2 * ms, 400, false, state{holding, 200_000, 450_000, 16 * ms, 18 * ms}},
		}},
		{"as fast as the caller", []end{
			{2 * ms, 800, true, state{probing, 100_000, 0, 0, 0}},
			{2 * ms, 200, false, state{together, 100_000, 100_000, 4 * ms, 260 * ms}},
		}},
		{"slower, then faster again", []end{
			{2 * ms, 800, true, state{probing, 100_000, 0, 0, 0}},
			{2 * ms, 200, false, state{together, 100_000, 100_000, 4 * ms, 260 * ms}},
			{2 * ms, 200, true, state{probing, 100_000, 100_000, 4 * ms, 260 * ms}},
			{2 * ms, 400, false, state{holding, 100_000, 200_000, 8 * ms, 12 * ms}},
			{2 * ms, 400, true, state{holding, 100_000, 200_000, 8 * ms, 12 * ms}},
			{2 * ms, 800, false, state{trying, 100_000, 250_000, 8 * ms, 12 * ms}},
			{2 * ms, 498, true, state{holding, 249_000, 250_000, 16 * ms, 22 * ms}},
			{8 * ms, 2000, false, state{trying, 249_000, 250_000, 16 * ms, 22 * ms}},
			{2 * ms, 500, true, state{together, 250_000, 250_000, 4 * ms, 24*ms + 256*ms}},
			{2 * ms, 1000, false, state{together, 312_500, 250_000, 4 * ms, 280 * ms}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pace
			begin := time.Unix(1000, 0)
			now := begin
			p.start = begin
			p.until = begin.Add(-1) // as the zero time is: long ago
			for i, w := range c.windows {
				p.work += w.work
				p.stalled = p.stalled || w.stalled
				work, start := p.work, p.start
				now = now.Add(w.elapsed)
				p.endWindow(now)
				got := state{p.mode, p.team, p.single, p.hold, p.until.Sub(begin)}
				if i == 0 || w.want.until == 0 {
					got.until = 0
				}
				if got != w.want {
					t.Fatalf("window %d: %+v, want %+v", i, got, w.want)
				}
				if ended := now.Sub(start) >= window; ended && (p.work != 0 || p.start != now || p.stalled) || !ended && (p.work != work || p.start != start) {
					t.Errorf("window %d: %d units since %v, stalled %v", i, p.work, p.start.Sub(begin), p.stalled)
				}
				if alone := p.mode == probing || p.mode == holding; p.alone() != alone {
					t.Errorf("window %d: alone %v in mode %d", i, p.alone(), p.mode)
				}
			}
		})
	}
}

// TestHold: the caller works alone for twice as long each time that the team is slower, up to a quarter of a second.
func TestHold(t *testing.T) {
	p := pace{hold: minHold, single: 2, team: 1}
	now := time.Unix(1000, 0)
	for _, want := range []time.Duration{4, 8, 16, 32, 64, 128, 256, 256, 256} {
		if p.decide(now); p.mode != holding || p.until.Sub(now) != want*time.Millisecond {
			t.Errorf("mode %d until %v from now, want %v", p.mode, p.until.Sub(now), want*time.Millisecond)
		}
	}
	p.team = 2
	if p.decide(now); p.mode != together || p.hold != 4*time.Millisecond {
		t.Errorf("mode %d, then alone for %v", p.mode, p.hold)
	}
}

// TestAdd: work is counted at once, and the clock is read at every fourth step.
func TestAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{start: time.Now(), mode: holding, until: time.Now().Add(3 * time.Millisecond), single: 1}
		for i := 1; i <= 12; i++ {
			time.Sleep(time.Millisecond / 2)
			p.add(10)
			mode, work := holding, 10*i
			switch {
			case i == 4:
				work = 0 // a window has ended, before the time to try
			case i > 4 && i < 8:
				work = 10 * (i - 4)
			case i >= 8:
				mode, work = trying, 10*(i-8)
			}
			if i == 12 {
				mode, work = together, 0
			}
			if p.mode != mode || p.work != work {
				t.Errorf("step %d: mode %d, %d units, want %d, %d", i, p.mode, p.work, mode, work)
			}
			if i == 8 {
				p.single = 0 // the team will be faster
			}
		}
	})
}
