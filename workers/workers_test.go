package workers

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// sums counts how often each part was done, and by how many workers at a time.
type sums struct {
	parts  [64]atomic.Int32
	inside [8]atomic.Int32
	twice  atomic.Bool
	slow   time.Duration
	step   int
}

func (s *sums) part(worker, part int) {
	if s.inside[worker].Add(1) != 1 {
		s.twice.Store(true)
	}
	if s.slow > 0 && worker > 0 {
		time.Sleep(s.slow)
	}
	s.parts[part].Add(int32(s.step))
	s.inside[worker].Add(-1)
}

// TestDo: every part of every step is done once, and before Do returns, whatever the
// number of workers and parts, whether helpers spin, sleep or are slow.
func TestDo(t *testing.T) {
	for _, size := range []int{1, 2, 3, 8} {
		team := New[sums](size)
		var s sums
		want := make([]int32, len(s.parts))
		for step := range 20000 {
			parts := step % (len(s.parts) + 1)
			s.step = step % 7
			switch step % 4000 {
			case 0:
				time.Sleep(2 * spinHelper) // the helpers sleep
			case 1000:
				s.slow = 3 * spinCaller // they are slow
			case 1010:
				s.slow = 0
				time.Sleep(maxHold / 8)
			}
			team.Do(&s, parts, parts, (*sums).part)
			for i := range parts {
				want[i] += int32(s.step)
			}
			for i := range want {
				if got := s.parts[i].Load(); got != want[i] {
					t.Fatalf("%d workers, step %d of %d parts: part %d has %d, want %d", size, step, parts, i, got, want[i])
				}
			}
		}
		if s.twice.Load() {
			t.Errorf("%d workers: two calls at a time had the same worker", size)
		}
		team.Close()
	}
}

// TestAllHelp: given enough time, every worker does parts, also after sleeping.
func TestAllHelp(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("SKIPPED, helpers were not seen to help: one processor")
	}
	type seen struct{ by [3]atomic.Int32 }
	team := New[seen](3)
	defer team.Close()
	for range 3 {
		var s seen
		for step := 0; step < 1000 && (s.by[1].Load() == 0 || s.by[2].Load() == 0); step++ {
			time.Sleep(spinHelper * 2)
			team.Do(&s, 30, 0, func(s *seen, worker, _ int) {
				s.by[worker].Add(1)
				time.Sleep(50 * time.Microsecond)
			})
		}
		if s.by[1].Load() == 0 || s.by[2].Load() == 0 {
			t.Fatal("a helper did not help")
		}
	}
}

// TestClose: the goroutines end, those that sleep and those that do not.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 10 {
		team := New[sums](4)
		var s sums
		team.Do(&s, 10, 1, (*sums).part)
		time.Sleep(time.Duration(i%2) * 3 * spinHelper)
		team.Close()
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d goroutines, %d at first", runtime.NumGoroutine(), before)
		}
	}
}

// TestQuiet: helpers sleep when there has been no step for some time.
func TestQuiet(t *testing.T) {
	team := New[sums](4)
	defer team.Close()
	var s sums
	team.Do(&s, 10, 1, (*sums).part)
	for i, h := range team.helpers {
		// On a busy machine it may take some time until a helper has run for spinHelper.
		for start := time.Now(); !h.asleep.Load(); time.Sleep(spinHelper) {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("helper %d is awake long after the last step", i)
			}
		}
	}
}

// TestNoAllocation: a step allocates nothing.
func TestNoAllocation(t *testing.T) {
	team := New[sums](2)
	defer team.Close()
	var s sums
	if n := testing.AllocsPerRun(100, func() { team.Do(&s, 4, 1, (*sums).part) }); n != 0 {
		t.Errorf("%g allocations per step", n)
	}
}

func BenchmarkDo(b *testing.B) {
	for _, work := range []int{0, 1000, 10000} {
		type counter struct{ v [16]float64 }
		team := New[counter](2)
		var c counter
		f := func(c *counter, worker, part int) {
			v := 0.0
			for i := range work / 4 {
				v += float64(i)
			}
			c.v[8*worker] = v
		}
		b.Run(time.Duration(work).String(), func(b *testing.B) {
			for range b.N {
				team.Do(&c, 4, 0, f)
			}
		})
		team.Close()
	}
}
