// Package heap measures what a function allocates, for tests of what reads files: a length in a file that is believed before
// it has been compared with the file's size is memory that nobody has.
package heap

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// Slack is what Check allows for any input, however small.
const Slack = 1 << 20

// Check calls f, which reads size bytes, and fails the test if it allocates more than times as many and Slack on the Go heap,
// what it has freed again included. What other goroutines allocate meanwhile counts, too.
//
// So that a fuzzer can call it for each input, it reads runtime/metrics, which does not stop the world, and where the runtime
// counts small objects only when a span is full or garbage is collected. That may be wrong by a megabyte or two, both ways: f
// is called once more and measured exactly before it is told of, and so must do the same again.
func Check(t testing.TB, size, times int, f func()) {
	t.Helper()
	most := int64(Slack) + int64(size)*int64(times)
	if about(f) <= most {
		return
	}
	if got := exactly(f); got > most {
		t.Errorf("%d bytes were allocated for %d bytes of input: more than %d", got, size, most)
	}
}

// about returns how many bytes f allocates, roughly.
func about(f func()) int64 {
	total := func() int64 {
		sample := [...]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample[:])
		return int64(sample[0].Value.Uint64())
	}
	before := total()
	f()
	return total() - before
}

// exactly returns how many bytes f allocates. It stops the world twice.
func exactly(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
