package guess

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// machine is how long a pass of one token and so many guesses takes, and each token beside it.
type machine struct {
	pass  func(guesses int) float64 // milliseconds
	token float64
	noise float64 // so much more, at most, at random; and a pause of a hundred passes once in 100
}

// run lets the pace generate tokens of which guesses of a class are right with that probability, and returns how much faster
// it was than passes without guesses, the pauses left out.
func (m machine) run(p *pace, tokens int, right func(class, token int) float64, rng *rand.Rand) float64 {
	now, alone, pauses, begin := time.Time{}.Add(time.Hour), 0.0, 0.0, time.Time{}.Add(time.Hour)
	text := []int32{1}
	var found []int
	for len(text) < tokens {
		p.passed(text, found, now)
		class, n := rng.IntN(classes), rng.IntN(16)
		guessed := p.choose(class, n)
		found = found[:0]
		for range n {
			found = append(found, 5)
		}
		wrong := false
		accepted := 0
		for i := range guessed + 1 {
			next := int32(5)
			if rng.Float64() >= right(class, len(text)) {
				next, wrong = 6, true
			}
			if text = append(text, next); wrong {
				break
			}
			if i < guessed {
				accepted++
			}
		}
		noise, pause := 1+m.noise*rng.Float64(), 0.0
		if m.noise > 0 && rng.IntN(100) == 0 {
			pause = 100 * m.pass(0)
		}
		now = now.Add(time.Duration(1e6 * (pause + noise*m.pass(guessed) + m.token*float64(accepted+1))))
		pauses += pause
		alone += float64(accepted+1) * (noise*m.pass(0) + m.token)
	}
	return alone / (1e3*now.Sub(begin).Seconds() - pauses)
}

// TestPace: on machines on which guesses cost nothing, little or as much as a token of its own, guesses of any quality are
// never slower than none, but for what measuring takes, and as fast as the best number of them would be, nearly.
func TestPace(t *testing.T) {
	flat := func(n int) float64 { return 10 + 0.1*float64(n) }
	slope := func(n int) float64 { return 10 + 2*float64(n) }
	linear := func(n int) float64 { return 1 + float64(n) }
	stairs := func(n int) float64 { return 10 * float64(1+n/2) }
	for _, m := range []struct {
		name string
		machine
	}{
		{"memory is the limit", machine{flat, 0, 0}}, {"memory is the limit, noise", machine{flat, 0.5, 0.3}},
		{"in between", machine{slope, 0, 0}}, {"in between, noise", machine{slope, 1, 0.3}},
		{"arithmetic is the limit", machine{linear, 0, 0}}, {"arithmetic is the limit, noise", machine{linear, 0.1, 0.3}},
		{"stairs", machine{stairs, 0, 0}},
	} {
		for _, right := range []float64{0, 0.1, 0.3, 0.6, 0.9, 1} {
			t.Run(fmt.Sprintf("%s, %g", m.name, right), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(5, 6))
				got := m.run(new(pace), 20000, func(int, int) float64 { return right }, rng)
				// What the best size of each pass would give: the model is asked as often for 0 guesses to 15.
				var tokens, seconds float64
				for n := range 16 {
					best, bestTokens, bestSeconds := 0.0, 0.0, 0.0
					for size := range guesses {
						if g := guesses[size]; g <= n {
							e := float64(g + 1)
							if right < 1 {
								e = (1 - math.Pow(right, float64(g+1))) / (1 - right)
							}
							s := m.pass(g) + m.token*e
							if e/s > best {
								best, bestTokens, bestSeconds = e/s, e, s
							}
						}
					}
					tokens, seconds = tokens+bestTokens, seconds+bestSeconds
				}
				ideal := tokens / seconds * (m.pass(0) + m.token)
				t.Logf("%.3f times the speed without guesses, %.3f at best", got, ideal)
				if got < 0.98 || got < 0.85*ideal {
					t.Errorf("%.3f times the speed without guesses; %.3f would be the best", got, ideal)
				}
			})
		}
	}
}

// TestPaceFollows: where guesses become right, or wrong, or a pass becomes dear, the pace follows.
func TestPaceFollows(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	m := machine{pass: func(n int) float64 { return 10 + 0.2*float64(n) }}
	p := new(pace)
	m.run(p, 2000, func(int, int) float64 { return 0 }, rng)
	p.length = 0
	if got := m.run(p, 2000, func(int, int) float64 { return 0.9 }, rng); got < 1.7 {
		t.Errorf("guesses became right: %.3f", got)
	}
	p.length = 0
	if got := m.run(p, 2000, func(int, int) float64 { return 0 }, rng); got < 0.95 {
		t.Errorf("guesses became wrong: %.3f", got)
	}
	p.length = 0
	m.pass = func(n int) float64 { return 10 + 10*float64(n) }
	if got := m.run(p, 2000, func(int, int) float64 { return 0.5 }, rng); got < 0.95 {
		t.Errorf("a pass became dear: %.3f", got)
	}
}

// TestPaceAlone: where guesses are always right, a pass without any is nevertheless measured now and then.
func TestPaceAlone(t *testing.T) {
	p, now, text := new(pace), time.Time{}.Add(time.Hour), []int32{5}
	var found []int
	without := 0
	for range 1000 {
		p.passed(text, found, now)
		found = append(found[:0], 5, 5, 5, 5, 5, 5, 5)
		n := p.choose(0, len(found))
		for range n + 1 {
			text = append(text, 5)
		}
		now = now.Add(time.Second)
		if n == 0 {
			without++
		}
	}
	if without < 8 || without > 14 {
		t.Errorf("%d of 1000 passes were without guesses", without)
	}
}

// TestPaceOtherText: a text that is not the one before with as many tokens as a pass may give is not measured, and the
// length of a prompt's pass neither.
func TestPaceOtherText(t *testing.T) {
	for _, next := range [][]int32{{1, 2, 3, 4, 5}, {1, 2, 7, 4}, {1, 2}, {1, 2, 3}, {9}} {
		p, now := new(pace), time.Time{}.Add(time.Hour)
		p.passed([]int32{1, 2, 3}, nil, now)
		p.passed(next, nil, now.Add(time.Second))
		if p.cost != (pace{}).cost {
			t.Errorf("%d: %+v", next, p.cost)
		}
	}
	p, now := new(pace), time.Time{}.Add(time.Hour)
	p.passed([]int32{1, 2, 3}, nil, now)
	if p.passed([]int32{1, 2, 3, 4}, nil, now.Add(time.Second)); p.cost[0].seconds != 1 {
		t.Errorf("%+v", p.cost)
	}
}
