// Package cputime measures how long the processor works, for tests: unlike time on the wall it does
// not grow with what else the host does.
package cputime

import (
	"errors"
	"testing"
	"time"
)

// Growth returns how many times as much processor time f takes for 16 n as for n: about 16 if the
// time is linear, 256 if it is quadratic. Of three measurements of each the least counts, since
// what else the host does disturbs the caches, too.
func Growth(t *testing.T, n int, f func(n int)) float64 {
	t.Helper()
	least := func(n int) time.Duration {
		least := time.Duration(1<<63 - 1)
		for range 3 {
			took, err := Of(func() { f(n) })
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("no processor time of a thread on this system")
			}
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, took)
		}
		return max(least, 1)
	}
	small, large := least(n), least(16*n)
	t.Logf("%v for %d, %v for %d", small, n, large, 16*n)
	return float64(large) / float64(small)
}
