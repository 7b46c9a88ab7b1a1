package workers

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// meeting is a step each of whose parts ends when all are in it: by as many workers as there
// are parts.
type meeting struct {
	inside sync.WaitGroup
	by     [3]atomic.Int32
}

func (m *meeting) part(worker, _ int) {
	m.by[worker].Add(1)
	m.inside.Done()
	m.inside.Wait() // for ever if a helper does not help: the test runs out of time
}

// TestAllHelp: every worker does parts, all at the same time, also after sleeping.
func TestAllHelp(t *testing.T) {
	const size = 3
	team := New[meeting](size)
	defer team.Close()
	for round := range 300 {
		if round%3 == 0 {
			awaitSleep(team)
		}
		var m meeting
		m.inside.Add(size)
		team.Do(&m, size, 0, (*meeting).part)
		for worker := range m.by {
			if n := m.by[worker].Load(); n != 1 {
				t.Fatalf("round %d: worker %d did %d parts", round, worker, n)
			}
		}
	}
}

// awaitSleep waits until all helpers of a team sleep: for ever, and so the test runs out of
// time, if one does not.
func awaitSleep[T any](team *Team[T]) {
	for _, h := range team.helpers {
		for !h.asleep.Load() {
			time.Sleep(spinHelper)
		}
	}
}

// helping returns the states of all goroutines that help, of any team: "running", "chan receive".
func helping() (states []string) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "/workers.(*Team[...]).help(") {
			_, state, _ := strings.Cut(stack, " [")
			state, _, _ = strings.Cut(state, "]")
			states = append(states, state)
		}
	}
	return states
}

// awaitEnd waits until no goroutine helps: for ever, and so the test runs out of time, if one of a
// team that was closed does not end.
func awaitEnd() {
	for len(helping()) > 0 {
		time.Sleep(time.Millisecond)
	}
}

// TestClose: the goroutines end, those that sleep and those that do not.
func TestClose(t *testing.T) {
	for i := range 10 {
		team := New[sums](4)
		var s sums
		team.Do(&s, 10, 1, (*sums).part)
		if i%2 == 1 {
			awaitSleep(team)
			if got := helping(); len(got) < 3 {
				t.Fatalf("of three helpers there are goroutines %q", got)
			}
		}
		team.Close()
	}
	awaitEnd()
}

// TestQuiet: helpers sleep, in the sense of the scheduler, when there has been no step for some time.
func TestQuiet(t *testing.T) {
	awaitEnd() // of the helpers of tests before
	team := New[sums](4)
	defer team.Close()
	var s sums
	team.Do(&s, 10, 1, (*sums).part)
	awaitSleep(team)
	asleep := func(state string) bool { return strings.HasPrefix(state, "chan receive") }
	for states := helping(); slices.ContainsFunc(states, func(s string) bool { return !asleep(s) }); states = helping() {
		time.Sleep(time.Millisecond) // until they do, or the test runs out of time
	}
	if n := len(helping()); n != 3 {
		t.Errorf("%d helpers sleep, want 3", n)
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

// TestStaleSignal: Do waits until the last part of its own step is done, although a helper that was delayed since the
// step before wakes it, again and again; and it takes what a worker has sent, so that nothing is left for the next step.
func TestStaleSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team := New[sums](1) // the test is the helper
		returned := make(chan bool, 1)
		signal := func() { // as the end of work
			synctest.Wait() // the caller sleeps
			if !team.waiting.CompareAndSwap(true, false) {
				t.Fatal("the caller does not wait")
			}
			team.last <- struct{}{}
		}
		go func() {
			team.sleep(3)
			returned <- true
		}()
		for i := range 3 {
			team.done.Store(uint32(i))
			signal()
			if synctest.Wait(); len(returned) > 0 {
				t.Fatalf("it returned when %d of 3 parts were done", i)
			}
		}
		team.done.Store(3)
		signal()
		if synctest.Wait(); len(returned) == 0 {
			t.Error("it sleeps though all parts are done")
		}
		if len(team.last) > 0 || team.waiting.Load() {
			t.Errorf("%d signals are left, waiting %v", len(team.last), team.waiting.Load())
		}
		// All are done before it sleeps: no signal comes.
		team.sleep(3)
		if team.waiting.Load() {
			t.Error("waiting, though it has returned")
		}
	})
}

// TestSleep: a caller whose helper takes long sleeps, and is woken by the helper that does the last part, whichever part
// that is; the helper that does another one does not wake it. A caller that need not wait has not stalled.
func TestSleep(t *testing.T) {
	team := New[sums](1)
	if team.join(0); team.pace.stalled {
		t.Error("it stalled though nothing was left to do")
	}
	team.n, team.f = 2, func(s *sums, worker, part int) {}
	team.step.Store(1<<32 | 2<<16)
	returned := make(chan bool)
	go func() {
		team.join(3) // one part is done by nobody yet
		returned <- team.pace.stalled
	}()
	for !team.waiting.Load() {
		time.Sleep(spinCaller)
	}
	team.work(1)
	select {
	case <-returned:
		t.Fatal("it returned before the last part was done")
	case <-time.After(10 * spinCaller):
	}
	team.n = 3
	team.step.Store(2<<32 | 3<<16 | 2)
	team.work(1)
	if !<-returned {
		t.Error("it slept and says that it has not stalled")
	}
	if n := team.done.Load(); n != 3 {
		t.Errorf("%d parts are done, want 3", n)
	}
}

// TestParts: more parts than a step can have are refused; fewer go, as do the largest number of parts and of calls.
func TestParts(t *testing.T) {
	if MaxParts != 1<<15-1 { // a half of the word's 16 bits, so that claims behind the last part do not run into the next bits
		t.Errorf("MaxParts is %d", MaxParts)
	}
	type count struct{ calls atomic.Int64 }
	counting := New[count](2)
	defer counting.Close()
	for _, n := range []int{0, 1, 2, 15, 16, 17, MaxParts, MaxParts + 1} {
		var c count
		if counting.Each(&c, n, func(c *count, _, i int) { c.calls.Add(int64(i) + 1) }); c.calls.Load() != int64(n)*(int64(n)+1)/2 {
			t.Errorf("Each of %d: the calls sum up to %d", n, c.calls.Load())
		}
	}
	var c count
	counting.Do(&c, MaxParts, 0, func(c *count, _, _ int) { c.calls.Add(1) })
	if c.calls.Load() != MaxParts {
		t.Errorf("%d calls, want %d", c.calls.Load(), MaxParts)
	}
	defer func() {
		if v := recover(); v != "workers: too many parts" {
			t.Errorf("panic %v", v)
		}
	}()
	counting.Do(&c, MaxParts+1, 0, func(c *count, _, _ int) {})
}

// TestMeasures: Do gives the work of a step to the pace, unless it is 0 or there is nobody to share it with; Each does not.
func TestMeasures(t *testing.T) {
	for size, want := range map[int]int{1: 0, 2: 14} {
		team := New[sums](size)
		team.pace.start = time.Now().Add(time.Hour) // no window ends
		var s sums
		for range 2 {
			team.Do(&s, 2, 7, (*sums).part)
			team.Do(&s, 2, 0, (*sums).part)
			team.Each(&s, 2, (*sums).part)
		}
		if team.pace.work != want || team.pace.calls != want/7 || team.Size() != size {
			t.Errorf("%d units of a team of %d, want %d of %d", team.pace.work, team.Size(), want, size)
		}
		// Alone, the caller does all parts.
		team.pace.mode = holding
		team.Do(&s, 64, 0, func(s *sums, worker, _ int) {
			if worker != 0 {
				t.Errorf("worker %d helps", worker)
			}
		})
		team.Close()
	}
}

// TestSpinner: the clock is read at every 64th turn, and the time counts from the first reading on.
func TestSpinner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s spinner
		for turn := 1; turn <= 4*spinsPerRead; turn++ {
			time.Sleep(time.Microsecond)
			if got, want := s.exceeds(100*time.Microsecond), turn == 3*64 || turn == 4*64; got != want {
				t.Errorf("turn %d: %v, want %v", turn, got, want)
			}
		}
	})
}
