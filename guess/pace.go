package guess

import "time"

// pace decides how many guesses go through a model with a token. How likely a guess is right, and
// what a pass of that many tokens costs on this machine, with this model and at this time, is
// measured; so is a pass without guesses. A pass is timed from one call of Guess to the next: sampling
// and writing its tokens are part of it, as they are where nothing is guessed.
type pace struct {
	start  time.Time // of the last pass
	length int       // of the text then
	last   int32     // token of it
	class  int       // of what was found then,
	size   int       // of which so many went through the model: guesses[size]

	cost  [len(guesses)]cost
	right [classes]quality
	calls int
}

// guesses are the numbers of guesses that a pass may have.
var guesses = [...]int{0, 1, 3, 7, 15}

// classes is the number of classes of guesses, of which some are likelier right than others.
const classes = 5

// cost is what a pass of one size takes.
type cost struct {
	seconds float64 // a running mean; 0: nothing is known
	call    int     // when that was measured
}

// quality is how likely a guess of a class is right if those before it were.
type quality struct {
	probability float64 // a running mean
	call        int     // when that was measured; 0: it was not
}

const (
	first  = 0.5  // the probability of a guess before anything is known
	margin = 1.03 // guesses have to be faster by as much
	// forget is after how many calls a cost counts as unknown: what another program has disturbed is then tried again.
	forget = 800
	single = 100 // and that of a pass without guesses is measured again
	// The running means are of about so many passes and tokens: fewer follow a change sooner, more are disturbed less.
	passes, tokens = 4, 12
	// more is how much longer a pass with one guess is taken to be before it is measured: little, so that it is tried.
	more = 1.05
)

// passed measures the pass that has ended now, in which text got longer, of what was found then.
func (p *pace) passed(text []int32, found []int, now time.Time) {
	n := len(text) - p.length // tokens that came out
	p.calls++
	if p.length > 0 && n >= 1 && n <= 1+guesses[p.size] && text[p.length-1] == p.last { // or else it is another text, or a prompt
		p.learn(text[p.length:], found)
		c, seconds := &p.cost[p.size], now.Sub(p.start).Seconds()
		if c.seconds == 0 {
			c.seconds = seconds
		}
		// A pass during which the person, or another program, made it wait counts little.
		c.seconds += (min(seconds, 2*c.seconds) - c.seconds) / passes
		c.call = p.calls
	}
	p.start, p.length, p.last = now, len(text), text[len(text)-1]
}

// learn compares what was found with what came out, whether it went through the model or not.
func (p *pace) learn(text []int32, found []int) {
	q := &p.right[p.class]
	for i := range min(len(text), len(found)) {
		right := 0.0
		if int(text[i]) == found[i] {
			right = 1
		}
		mean := p.likely(p.class)
		q.probability, q.call = mean+(right-mean)/tokens, p.calls
	}
}

// likely returns how likely a guess of a class is right. A quality is forgotten as a cost is: of a draft nothing is
// learned while it does not guess.
func (p *pace) likely(class int) float64 {
	if q := p.right[class]; q.call > 0 && p.calls-q.call < forget {
		return q.probability
	}
	return first
}

// choose returns how many of n guesses of a class go through the model.
func (p *pace) choose(class, n int) int {
	p.class, p.size = class, 0
	alone := p.cost[0]
	if n == 0 || alone.seconds == 0 || p.calls-alone.call > single {
		return 0
	}
	right := p.likely(class)
	best := margin / alone.seconds // tokens a second
	expected, power := 1.0, 1.0    // tokens of a pass; the probability of its last
	for size := 1; size < len(guesses) && guesses[size] <= n; size++ {
		for range guesses[size] - guesses[size-1] {
			power *= right
			expected += power
		}
		if !p.known(size) && size > 1 && !p.known(size-1) { // too far to estimate: a pass of 16 tokens may take 16 times as long
			break
		}
		if speed := expected / p.estimate(size); speed > best {
			best, p.size = speed, size
		}
	}
	return guesses[p.size]
}

// skip says that the pass that begins is not like others: it is not measured.
func (p *pace) skip() { p.length = 0 }

// known reports whether it was measured lately what a pass costs.
func (p *pace) known(size int) bool {
	c := p.cost[size]
	return c.seconds > 0 && p.calls-c.call < forget
}

// estimate returns what a pass costs. Where that is not known, it is on the line through what is known of the
// two sizes before, or a little more than the one before.
func (p *pace) estimate(size int) float64 {
	if size == 0 || p.known(size) {
		return p.cost[size].seconds
	}
	before := p.estimate(size - 1)
	if size == 1 {
		return before * more
	}
	slope := (before - p.estimate(size-2)) / float64(guesses[size-1]-guesses[size-2])
	return before + max(slope, 0)*float64(guesses[size]-guesses[size-1])
}
