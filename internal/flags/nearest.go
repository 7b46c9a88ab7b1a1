package flags

import (
	"strings"
)

// Nearest returns the word among candidates that a person meant who typed word, or "": one of which it is a beginning of
// three characters or more, or else the one with the fewest slips between them, of which a third of the word may be wrong.
// A slip is a character too many, one too few, another one, or two that changed places.
func Nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	nearest, fewest := "", (len(word)+2)/3+1
	for _, c := range candidates {
		n := slips(word, c)
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			n = 0
		}
		if n < fewest && n < len(c) {
			nearest, fewest = c, n
		}
	}
	return nearest
}

// slips is the distance of Damerau and Levenshtein between two words, in which no part changes twice.
func slips(a, b string) int {
	const longest = 64 // no word of ours is longer; the time grows with the product of both
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	var before []int // the row of a's character before the last
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := []int{i + 1}
		for j := range len(b) {
			n := last[j]
			if a[i] != b[j] {
				n++
			}
			n = min(n, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				n = min(n, before[j-1]+1)
			}
			row = append(row, n)
		}
		before, last = last, row
	}
	return last[len(b)]
}
