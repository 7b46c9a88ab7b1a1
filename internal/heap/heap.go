// Package heap measures what a function allocates, for tests of what reads files: a length in a file that is believed before
// it has been compared with the file's size is memory that nobody has.
package heap

import (
	"runtime/metrics"
	"testing"
)

// Allocated returns how many bytes f allocates on the Go heap, those that it has freed again included. It may be wrong by the
// small objects of some spans, less than 1 MiB, which the runtime counts when a span is full: unlike runtime.ReadMemStats,
// which is exact, it does not stop the world, and so a fuzzer can call it for each input. What other goroutines allocate
// meanwhile counts, too.
func Allocated(f func()) int64 {
	before := total()
	f()
	return total() - before
}

func total() int64 {
	sample := [...]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return int64(sample[0].Value.Uint64())
}

// Slack is what Check allows for any input, however small: it is above the error of Allocated.
const Slack = 1 << 20

// Check calls f, which reads size bytes, and fails the test if it allocates more than times as many and Slack.
func Check(t testing.TB, size, times int, f func()) {
	t.Helper()
	if got, most := Allocated(f), int64(Slack)+int64(size)*int64(times); got > most {
		t.Errorf("%d bytes were allocated for %d bytes of input: more than %d", got, size, most)
	}
}
