package guess

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// plainMatch is match, plainly.
func plainMatch(text []int32) (at, length int) {
	for n := longest; n > 0; n-- {
		for end := len(text) - 1; end >= n; end-- {
			if slices.Equal(text[end-n:end], text[len(text)-n:]) {
				return end, n
			}
		}
	}
	return 0, 0
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		text       []int32
		at, length int
	}{
		{[]int32{1}, 0, 0}, {[]int32{1, 2}, 0, 0}, {[]int32{1, 1}, 1, 1}, {[]int32{1, 2, 1}, 1, 1},
		{[]int32{1, 2, 3, 9, 2, 3, 4, 3, 5, 2, 3}, 6, 2}, // the last of equally long ones
		{[]int32{1, 2, 3, 4, 2, 3, 5, 3, 1, 2, 3}, 3, 3}, // a longer one before
		{[]int32{7, 7, 7, 7}, 3, 3},
	} {
		if at, length := match(c.text); at != c.at || length != c.length {
			t.Errorf("%d: %d tokens before %d, want %d before %d", c.text, length, at, c.length, c.at)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		text := make([]int32, 1+rng.IntN(70))
		words := int32(1 + rng.IntN(6))
		for i := range text {
			text[i] = rng.Int32N(words)
		}
		at, length := match(text)
		if wantAt, want := plainMatch(text); at != wantAt || length != want {
			t.Fatalf("%d: %d tokens before %d, want %d before %d", text, length, at, want, wantAt)
		}
	}
}

// TestLookup: what is found goes on into itself, and is no more than asked for.
func TestLookup(t *testing.T) {
	l := NewLookup(10)
	for _, c := range []struct {
		text  []int32
		n     int
		found []int
	}{
		{[]int32{1, 2, 3}, 9, nil},
		{[]int32{1, 2, 3, 4, 5, 2, 3}, 3, []int{4, 5, 2}},
		{[]int32{1, 2, 3, 4, 5, 2, 3}, 9, []int{4, 5, 2, 3, 4, 5, 2, 3, 4}},
		{[]int32{1, 2, 3, 4, 5, 2, 3}, 15, []int{4, 5, 2, 3, 4, 5, 2, 3, 4, 5}},
		{[]int32{8, 8}, 4, []int{8, 8, 8, 8}},
	} {
		if l.Guess(c.text, c.n); !slices.Equal(l.found, c.found) {
			t.Errorf("%d: %d, want %d", c.text, l.found, c.found)
		}
	}
	text := make([]int32, 4096)
	for i := range text {
		text[i] = int32(i % 700)
	}
	n := 100
	if a := testing.AllocsPerRun(100, func() { n++; l.Guess(text[:n], 15) }); a != 0 {
		t.Errorf("%g allocations", a)
	}
}

func TestClass(t *testing.T) {
	last := 0
	for length := range longest + 1 {
		c := class(length)
		if c < last || c > last+1 || c >= classes {
			t.Errorf("%d tokens: class %d after %d", length, c, last)
		}
		last = c
	}
	if last != classes-1 {
		t.Errorf("%d classes, want %d", last+1, classes)
	}
}

// TestLookupRepeats: a text that repeats is guessed in long passes after a few short ones, as by a machine on which a pass
// takes a millisecond however long it is.
func TestLookupRepeats(t *testing.T) {
	l, now := NewLookup(15), time.Time{}
	text := make([]int32, 0, 1000)
	for i := range cap(text) {
		text = append(text, int32(i%40))
	}
	passes := 0
	for n := 100; n < len(text); passes++ {
		guess := l.guess(text[:n], 15, now)
		for i, token := range guess {
			if n+i < len(text) && int(text[n+i]) != token {
				t.Fatalf("token %d: %d, want %d", n+i, token, text[n+i])
			}
		}
		n += 1 + len(guess)
		now = now.Add(time.Millisecond)
	}
	if passes > 90 {
		t.Errorf("%d passes for 900 tokens", passes)
	}
}

func BenchmarkGuess(b *testing.B) {
	l := NewLookup(15)
	text := make([]int32, 4096)
	for i := range text {
		text[i] = int32(i * i % 1000)
	}
	for b.Loop() {
		l.Guess(text, 15)
	}
}
