//go:build linux && amd64

package metal

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// withThreads gives a test a table of n free threads.
func withThreads(t *testing.T, n int) {
	t.Helper()
	table := make([]thread, n)
	threadTable, threadLimit, earliestDeadline = address(&table[0]), uintptr(n), never
	for i := range table {
		table[i].id = uint64(i) + 1
		freeThreads.add(&table[i])
	}
	t.Cleanup(func() {
		threadTable, threadLimit, readyCount, earliestDeadline, deadlineCount = 0, 0, 0, never, 0
		freeThreads, ready, sleeps, futexWaits = threadList{}, threadList{}, threadList{}, [1 << futexBits]threadList{}
		clear(table)
	})
}

// TestQueues lets threads sleep, wait at words, be woken, expire, end and begin in a random
// order, and compares the queues with slices.
func TestQueues(t *testing.T) {
	const count, words = 300, 40
	withThreads(t, count)
	random := rand.New(rand.NewPCG(3, 4))
	values := make([]uint32, words)
	type waiter struct {
		t        *thread
		word     int // -1: it sleeps
		deadline int64
	}
	var waiting []waiter
	var runnable []*thread
	free, now := count, int64(0)
	wakeAll := func(which func(w waiter) bool, result uint64) {
		waiting = slices.DeleteFunc(waiting, func(w waiter) bool {
			if !which(w) {
				return false
			}
			if got := w.t.result(); got != result {
				t.Fatalf("the system call of a thread that was woken returned %d, want %d", int64(got), int64(result))
			}
			runnable = append(runnable, w.t)
			return true
		})
	}
	for step := range 20000 {
		switch random.IntN(6) {
		case 0: // a thread begins
			if free == 0 {
				continue
			}
			n := newThread()
			free--
			if n.state != stateFree {
				t.Fatalf("step %d: a thread in state %d was free", step, n.state)
			}
			n.state = stateRunning
			runnable = append(runnable, n)
		case 1, 2: // one waits
			if len(runnable) == 0 {
				continue
			}
			i := random.IntN(len(runnable))
			w := waiter{runnable[i], random.IntN(words+10) - 10, never}
			runnable = slices.Delete(runnable, i, i+1)
			run(w.t)
			if random.IntN(3) > 0 || w.word < 0 {
				w.deadline = now + 1 + random.Int64N(1000)
			}
			if w.word < 0 {
				w.word = -1
				wait(w.t, &sleeps, stateSleep, w.deadline)
			} else {
				w.t.futex = address(&values[w.word])
				wait(w.t, futexList(w.t.futex), stateFutex, w.deadline)
			}
			waiting = append(waiting, w)
		case 3: // some at a word are woken, the first that came first
			word, most := random.IntN(words), 1+random.IntN(3)
			want := 0
			for _, w := range waiting {
				if w.word == word && want < most {
					want++
				}
			}
			if got := futex(nil, address(&values[word]), 1, uintptr(most), 0); got != uint64(want) {
				t.Fatalf("step %d: woke %d threads of %d", step, got, want)
			}
			n := 0
			wakeAll(func(w waiter) bool { n += b2i(w.word == word); return w.word == word && n <= most }, 0)
		case 4: // time passes
			now += random.Int64N(200)
			endExpiredWaits(now)
			wakeAll(func(w waiter) bool { return w.word >= 0 && w.deadline <= now }, errno(etimedout))
			wakeAll(func(w waiter) bool { return w.word < 0 && w.deadline <= now }, 0)
		case 5: // one ends
			if len(runnable) == 0 || random.IntN(3) > 0 {
				continue
			}
			i := random.IntN(len(runnable))
			run(runnable[i])
			exitThread(runnable[i])
			runnable = slices.Delete(runnable, i, i+1)
			free++
		}
		earliest := never
		for _, w := range waiting {
			earliest = min(earliest, w.deadline)
			if w.t.state != stateFutex && w.t.state != stateSleep {
				t.Fatalf("step %d: a thread that waits is in state %d", step, w.t.state)
			}
		}
		if earliestDeadline != earliest {
			t.Fatalf("step %d: the earliest deadline is %d, want %d", step, earliestDeadline, earliest)
		}
		for _, r := range runnable {
			if r.state != stateRunnable && r.state != stateRunning {
				t.Fatalf("step %d: a thread that does not wait is in state %d", step, r.state)
			}
		}
		if n := length(&freeThreads); n != free {
			t.Fatalf("step %d: %d free threads, want %d", step, n, free)
		}
		if n := length(&ready); n != readyCount {
			t.Fatalf("step %d: %d threads in the queue of %d that are ready", step, n, readyCount)
		}
	}
	if free == count || len(waiting) == 0 {
		t.Errorf("%d free, %d wait: nothing was tested", free, len(waiting))
	}
}

// run does what chooseThread does with the thread that it has chosen, if it is ready.
func run(t *thread) {
	if t.state == stateRunnable {
		t.leaveList()
		readyCount--
		t.state = stateRunning
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// length counts the threads of a list in both directions.
func length(l *threadList) (n int) {
	last := uintptr(0)
	for p := l.first; p != 0; p = at[thread](p).next {
		if at[thread](p).previous != last || at[thread](p).list != address(l) {
			return -1
		}
		last = p
		n++
	}
	if l.last != last {
		return -1
	}
	return n
}

// TestTurns checks the order in which threads run: the one that has been ready longest is
// next, thread 1 never runs on another core than the boot processor, and there it has every
// second turn.
func TestTurns(t *testing.T) {
	withThreads(t, 6)
	defer func() { coreCount, othersRanLast = 0, false }()
	var all [6]*thread
	for i := range all {
		all[i] = newThread()
		all[i].state = stateRunning
	}
	other := new(core)
	turns := func(c *core, n int) (ids []uint64) {
		for range n {
			next := nextThread(c, false)
			if next == nil {
				return append(ids, 0)
			}
			run(next)
			ids = append(ids, next.id)
			makeReady(next)
		}
		return ids
	}
	for _, next := range all[:4] {
		makeReady(next)
	}
	for _, c := range []struct {
		cores uint64
		on    *core
		want  []uint64
	}{
		{1, &bootCore, []uint64{1, 2, 3, 4, 1, 2, 3, 4}},
		{2, other, []uint64{2, 3, 4, 2, 3, 4, 2}},
		{2, &bootCore, []uint64{3, 1, 4, 1, 2, 1, 3, 1}},
	} {
		coreCount = c.cores
		if got := turns(c.on, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("of %d cores, on the boot processor %v: threads %d, want %d", c.cores, c.on.isBoot(), got, c.want)
		}
	}
	for _, r := range all[1:4] {
		run(r)
	}
	if got := turns(other, 1); got[0] != 0 {
		t.Errorf("thread %d ran on another core", got[0])
	}
}

// TestAffinity reads the mask of the cores as the Go runtime and others do.
func TestAffinity(t *testing.T) {
	defer func() { coreCount = 0 }()
	for _, c := range []struct {
		cores uint64
		size  uintptr
		want  uint64
	}{
		{1, 8192, maxCores / 8}, {64, 8, 8}, {65, 8, errno(einval)}, {65, 16, 16}, {72, 128, maxCores / 8},
		{maxCores, 8192, maxCores / 8}, {maxCores, maxCores/8 - 8, errno(einval)}, {4, 0, errno(einval)}, {4, 12, errno(einval)},
	} {
		coreCount = c.cores
		mask := slices.Repeat([]byte{0xA5}, 8192)
		if got := schedGetaffinity(c.size, address(&mask[0])); got != c.want {
			t.Errorf("%d cores, %d bytes: %d, want %d", c.cores, c.size, int64(got), int64(c.want))
		}
		if int64(c.want) < 0 {
			continue
		}
		for i := range uint64(8 * 8192) {
			set, want := mask[i/8]>>(i%8)&1 != 0, i < c.cores
			if i >= c.want*8 {
				want = 0xA5>>(i%8)&1 != 0
			}
			if set != want {
				t.Fatalf("%d cores, %d bytes: bit %d is %v", c.cores, c.size, i, set)
			}
		}
	}
}

// TestFreeFile opens and closes descriptors at random: the lowest free one is next.
func TestFreeFile(t *testing.T) {
	defer func() { clear(files[:]); lowestFree = 0 }()
	random := rand.New(rand.NewPCG(5, 6))
	open := map[int]bool{}
	for step := range 3000 {
		if fd := random.IntN(200); random.IntN(2) == 0 && open[fd] {
			if closeFile(uintptr(fd)) != 0 {
				t.Fatalf("step %d: %d cannot be closed", step, fd)
			}
			delete(open, fd)
			continue
		}
		want := 0
		for open[want] {
			want++
		}
		if fd := freeFile(); fd != want {
			t.Fatalf("step %d: descriptor %d, want %d", step, fd, want)
		}
		files[want].kind, open[want] = kindEvent, true
	}
	for i := range files {
		files[i].kind = kindEvent
	}
	if fd := freeFile(); fd != maxFiles {
		t.Errorf("all are open, and %d is free", fd)
	}
}

// TestLimitBootCalls checks that a core goes on at once while few calls wait, and after a time
// slice while the boot processor is in the program, which may wait for that core.
func TestLimitBootCalls(t *testing.T) {
	defer func() { bootCallCount, ticksPerSecond = 0, 0 }()
	ticksPerSecond = 1e9 // any rate: only ticktime is compared with itself
	c := &core{thread: 1}
	bootCallCount = maxBootCalls - 1
	if limitBootCalls(c); c.thread != 1 {
		t.Error("a core lost its thread, though few calls wait")
	}
	bootCallCount = maxBootCalls
	acquire(&kernelLock)
	start := ticktime()
	if limitBootCalls(c); ticktime()-start < timeSlice || c.thread != 0 || kernelLock != 1 {
		t.Errorf("after %d ns the core has thread %d, and the lock is %d", ticktime()-start, c.thread, kernelLock)
	}
	release(&kernelLock)
}
