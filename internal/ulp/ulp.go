// Package ulp measures how far a float32 is from the exact result, for tests.
package ulp

import "math"

// Distance returns the distance between got and the exact value want in units of the last
// place of want rounded to float32.
func Distance(got float32, want float64) float64 {
	w := float32(want)
	if got == w || (got != got && w != w) {
		return 0
	}
	if math.IsInf(float64(got), 0) || math.IsInf(float64(w), 0) || got != got || w != w {
		return math.Inf(1)
	}
	a := float32(math.Abs(float64(w)))
	ulp := float64(math.Nextafter32(a, float32(math.Inf(1)))) - float64(a)
	return math.Abs(float64(got)-want) / ulp
}
