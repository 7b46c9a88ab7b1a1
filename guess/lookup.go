// Package guess guesses what a text goes on with, so that a model can check several tokens in one
// pass over its weights (llama.Generator.Prefill), and measures whether that is faster here.
package guess

import "time"

// longest is the most tokens of a match that count.
const longest = 16

// Lookup guesses that a text goes on as it did after the longest earlier place that ends with the same
// tokens as the text does now, of several the last (prompt lookup decoding, Saxena 2023). One
// goroutine at a time may use it.
type Lookup struct {
	most  int // guesses
	pace  pace
	found []int
}

// NewLookup returns a Lookup that guesses up to most tokens.
func NewLookup(most int) *Lookup { return &Lookup{most: most, found: make([]int, 0, most)} }

// Guess returns up to n tokens that may follow text, or nothing where that is faster. They are valid until the
// next call. It allocates nothing.
func (l *Lookup) Guess(text []int32, n int) []int { return l.guess(text, n, time.Now()) }

// guess is Guess at a time.
func (l *Lookup) guess(text []int32, n int, now time.Time) []int {
	if n = min(n, l.most); n == 0 {
		return nil
	}
	l.pace.passed(text, l.found, now)
	at, length := match(text)
	l.found = l.found[:0]
	if length > 0 {
		for i := range n { // what has been found may go on into itself
			if at+i < len(text) {
				l.found = append(l.found, int(text[at+i]))
			} else {
				l.found = append(l.found, l.found[at+i-len(text)])
			}
		}
	}
	return l.found[:l.pace.choose(class(length), len(l.found))]
}

// match returns where the text goes on after the longest earlier place that ends as it does, and how
// many tokens are the same there, up to longest; 0: there is no such place.
func match(text []int32) (at, length int) {
	last := len(text) - 1
	for end := last - 1; end >= 0 && length < longest; end-- {
		n := 0
		for n <= end && n < longest && text[end-n] == text[last-n] {
			n++
		}
		if n > length {
			at, length = end+1, n
		}
	}
	return at, length
}

// class returns the class of a guess by the length of its match: the longer, the likelier it is right.
func class(length int) int {
	switch {
	case length > 5:
		return 4
	case length > 3:
		return 3
	}
	return max(length, 1) - 1
}
