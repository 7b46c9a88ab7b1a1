//go:build linux && amd64

package main

import (
	"cmp"
	"slices"
	"testing"
)

// A pair says that one of two values is at place a of a combination, and another at place b, which is behind a.
type pair struct{ a, av, b, bv int }

// pairs are all pairs of sizes[0], sizes[1] … values that allowed lets be together, in order.
func pairs(sizes []int, allowed func(pair) bool) (list []pair) {
	for a := range sizes {
		for b := a + 1; b < len(sizes); b++ {
			for av := range sizes[a] {
				for bv := range sizes[b] {
					if p := (pair{a, av, b, bv}); allowed(p) {
						list = append(list, p)
					}
				}
			}
		}
	}
	return list
}

// allPairs chooses combinations of values so that every pair that is allowed is in one of them, and none that is not: all-pairs
// testing, with the greedy choice that the field uses. The result depends on nothing but the arguments. It also returns the
// pairs of which there is no combination, since what one of the two needs is forbidden beside the other.
func allPairs(sizes []int, allowed func(pair) bool) (combinations [][]int, impossible []pair) {
	g := generator{sizes: sizes, allowed: allowed, left: map[pair]bool{}, used: make([][]int, len(sizes))}
	for i, n := range sizes {
		g.used[i] = make([]int, n)
	}
	all := pairs(sizes, allowed)
	for _, p := range all {
		g.left[p] = true
	}
	for _, p := range all {
		if !g.left[p] {
			continue
		}
		combination := g.with(p)
		if combination == nil {
			impossible = append(impossible, p)
			delete(g.left, p)
			continue
		}
		combinations = append(combinations, combination)
		for a, av := range combination {
			g.used[a][av]++
			for b := a + 1; b < len(combination); b++ {
				delete(g.left, pair{a, av, b, combination[b]})
			}
		}
	}
	return combinations, impossible
}

// generator is the state of allPairs.
type generator struct {
	sizes   []int
	allowed func(pair) bool
	left    map[pair]bool // that are in no combination yet
	used    [][]int       // how often a value is in the combinations
}

// with returns the best combination with a pair: each order of the other places is tried once, and what has the most pairs
// that are left is taken.
func (g *generator) with(p pair) (best []int) {
	most := -1
	for shift := range g.sizes {
		combination := make([]int, len(g.sizes))
		for i := range combination {
			combination[i] = -1
		}
		combination[p.a], combination[p.b] = p.av, p.bv
		var places []int
		for i := range g.sizes {
			if place := (i + shift) % len(g.sizes); combination[place] < 0 {
				places = append(places, place)
			}
		}
		if !g.complete(combination, places) {
			return nil
		}
		n := 0
		for place, value := range combination {
			n += g.gain(combination[:place], place, value)
		}
		if n > most {
			best, most = combination, n
		}
	}
	return best
}

// complete sets the places of a combination, each to what gains the most, and takes back what leads to nothing.
func (g *generator) complete(combination, places []int) bool {
	if len(places) == 0 {
		return true
	}
	place := places[0]
	var values []int
	for v := range g.sizes[place] {
		if g.fits(combination, place, v) {
			values = append(values, v)
		}
	}
	slices.SortStableFunc(values, func(v, w int) int {
		return cmp.Or(cmp.Compare(g.gain(combination, place, w), g.gain(combination, place, v)), cmp.Compare(g.used[place][v], g.used[place][w]))
	})
	for _, v := range values {
		combination[place] = v
		if g.complete(combination, places[1:]) {
			return true
		}
	}
	combination[place] = -1
	return false
}

// fits reports whether a value is allowed beside those that are set.
func (g *generator) fits(combination []int, place, value int) bool {
	for other, v := range combination {
		if v >= 0 && other != place && !g.allowed(ordered(place, value, other, v)) {
			return false
		}
	}
	return true
}

// gain counts the pairs left that a value has with those that are set.
func (g *generator) gain(combination []int, place, value int) (n int) {
	for other, v := range combination {
		if v >= 0 && other != place && g.left[ordered(place, value, other, v)] {
			n++
		}
	}
	return n
}

// ordered is the pair of two values.
func ordered(a, av, b, bv int) pair {
	if a > b {
		return pair{b, bv, a, av}
	}
	return pair{a, av, b, bv}
}

// eachValue chooses some of the combinations that have every value that is in any, and as few as the greedy choice finds.
func eachValue(combinations [][]int) (chosen [][]int) {
	type value struct{ place, value int }
	left := map[value]bool{}
	for _, c := range combinations {
		for place, v := range c {
			left[value{place, v}] = true
		}
	}
	for len(left) > 0 {
		var best []int
		most := 0
		for _, c := range combinations {
			n := 0
			for place, v := range c {
				if left[value{place, v}] {
					n++
				}
			}
			if n > most {
				best, most = c, n
			}
		}
		chosen = append(chosen, best)
		for place, v := range best {
			delete(left, value{place, v})
		}
	}
	return chosen
}

// TestPairs: every pair that is allowed is in a combination, unless each combination with it is forbidden, and none that is
// forbidden is in any; the same arguments have the same result, and it is not much longer than it must be.
func TestPairs(t *testing.T) {
	odd := func(p pair) bool { return p.a != 0 || p.b != 2 || (p.av+p.bv)%2 == 0 }
	for _, c := range []struct {
		sizes   []int
		allowed func(pair) bool
		most    int // combinations; the least is the product of the two largest sizes
	}{
		{[]int{2, 2, 2}, func(pair) bool { return true }, 4},
		{[]int{3, 3, 3, 3}, func(pair) bool { return true }, 12},
		{[]int{4, 3, 4, 2, 5}, odd, 26},
		// The first value of place 0 wants the first of place 1, which the last of place 2 forbids: they are never together.
		{[]int{2, 2, 3}, func(p pair) bool {
			return p != pair{0, 0, 1, 1} && p != pair{1, 0, 2, 2}
		}, 8},
	} {
		combinations, impossible := allPairs(c.sizes, c.allowed)
		if again, _ := allPairs(c.sizes, c.allowed); !slices.EqualFunc(again, combinations, slices.Equal) {
			t.Errorf("%v: %v and %v", c.sizes, combinations, again)
		}
		if len(combinations) > c.most {
			t.Errorf("%v: %d combinations, want %d at most", c.sizes, len(combinations), c.most)
		}
		checkPairs(t, c.sizes, c.allowed, combinations, impossible)
	}
}

// checkPairs looks for each pair of values in combinations, and among all that there can be.
func checkPairs(t *testing.T, sizes []int, allowed func(pair) bool, combinations [][]int, impossible []pair) {
	t.Helper()
	for _, c := range combinations {
		for b, bv := range c {
			for a, av := range c[:b] {
				if p := (pair{a, av, b, bv}); !allowed(p) {
					t.Errorf("%v has %v, which is forbidden", c, p)
				}
			}
		}
	}
	for _, p := range pairs(sizes, allowed) {
		has := func(c []int) bool { return c[p.a] == p.av && c[p.b] == p.bv }
		if slices.ContainsFunc(combinations, has) == slices.Contains(impossible, p) {
			t.Errorf("%v is in no combination, or is said to be in none", p)
		}
	}
	for _, p := range impossible {
		if c := find(sizes, allowed, p, nil); c != nil {
			t.Errorf("%v is said to be impossible: %v", p, c)
		}
	}
}

// find looks through all combinations for one with a pair, and no forbidden one.
func find(sizes []int, allowed func(pair) bool, p pair, c []int) []int {
	place := len(c)
	if place == len(sizes) {
		return c
	}
	for v := range sizes[place] {
		if place == p.a && v != p.av || place == p.b && v != p.bv {
			continue
		}
		fits := true
		for other, w := range c {
			fits = fits && allowed(pair{other, w, place, v})
		}
		if fits {
			if found := find(sizes, allowed, p, append(slices.Clone(c), v)); found != nil {
				return found
			}
		}
	}
	return nil
}
