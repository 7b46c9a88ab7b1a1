//go:build linux && amd64

package metal

// Which thread runs on which core. The boot processor alone can call the firmware, so
// thread 1, where a program that writes and reads much locks its main goroutine, runs
// there and nowhere else; the other threads prefer the other cores, and get the boot
// processor when those are taken and thread 1 waits. No core is idle while a thread
// that it may run is ready. A core without a thread watches memory for a while, since
// what comes next mostly comes soon, and then halts.

// What a core does without a thread, in core.idle.
const (
	idleNo       = iota // it has one, or looks for one
	idleWatching        // it reads core.idle again and again
	idleHalted          // it needs an interrupt
	idleCalled          // it has been told to look
)

const (
	slice        = int64(10e6) // ns a thread may run while another wants to
	watchTime    = int64(50e3) // ns that a core watches before it halts
	calledTime   = int64(1e6)  // ns after which the boot processor takes a thread that a called core has not
	firmwareTick = int64(10e6) // ns: EDK2's timer interrupt, the resolution of its timers
)

// All of these are under kernelLock, but may be looked at without it: each is a word.
var (
	ready    int     // threads that are stateRunnable
	earliest = never // no wait ends in time before this
	keeper   uintptr // *core that watches the clock for all, while it idles
	calls    int     // threads that are stateBoot
	tickets  uint64  // given to them, in order
	pending  uint64  // signals for the process, bit n-1 for signal n
)

// undisturbed says that the thread on a core may go on without asking the scheduler.
func undisturbed(c *core, now int64) bool {
	if ending != 0 || pending != 0 || now >= earliest || ready > 0 && now-c.sliceStart > slice {
		return false
	}
	return !c.isBoot() || calls == 0 && outputSize == 0 && now-lastPump <= pumpInterval &&
		(threads[0].state != stateRunnable || coreCount == 1)
}

// schedule chooses the thread that runs next on this core: the current one while it
// wants to and its slice lasts, else the next in turn; with none, it idles until there
// is one. The lock is held when it begins, and no more when it returns.
func schedule(c *core, yield bool) {
	for impatient := false; ; {
		if c.thread != 0 && at[thread](c.thread).state != stateRunning {
			c.thread = 0
		}
		if c.isBoot() {
			release(&kernelLock)
			attend()
			acquire(&kernelLock)
		}
		if ending != 0 {
			stop()
		}
		now := ticktime()
		expire(now)
		if choose(c, now, yield, impatient) {
			if pending != 0 {
				takeSignals(at[thread](c.thread))
			}
			callKeeper()
			release(&kernelLock)
			return
		}
		impatient = rest(c)
	}
}

// attend does what only the boot processor can do for the others.
func attend() {
	drainOutput()
	if now := ticktime(); now-lastPump > pumpInterval {
		pumpKeys(now)
	}
	for last := tickets; calls > 0 && serve(last); {
	}
}

// serve makes the system call of the thread that has waited longest for it, if its
// ticket is not after last.
func serve(last uint64) bool {
	acquire(&kernelLock)
	var t *thread
	for i := range threadCount {
		if w := &threads[i]; w.state == stateBoot && w.ticket <= last && (t == nil || w.ticket < t.ticket) {
			t = w
		}
	}
	release(&kernelLock)
	if t == nil {
		return false
	}
	result := bootCall(t)
	acquire(&kernelLock)
	calls--
	if t.state == stateBoot {
		wake(t, result)
	}
	release(&kernelLock)
	return true
}

// choose decides; false if there is nothing for this core.
func choose(c *core, now int64, yield, impatient bool) bool {
	if c.thread != 0 {
		t := at[thread](c.thread)
		aside := c.isBoot() && t != &threads[0] && coreCount > 1 && (threads[0].state == stateRunnable || resting() > 0)
		if !aside && (others(c) == 0 || !yield && now-c.sliceStart <= slice) {
			return true
		}
		c.thread = 0
		makeReady(t)
	}
	t := next(c, impatient)
	if t == nil {
		return false
	}
	ready--
	t.state = stateRunning
	c.thread, c.sliceStart = address(t), now
	return true
}

// others counts the ready threads that a core may run.
func others(c *core) int {
	if !c.isBoot() && threads[0].state == stateRunnable {
		return ready - 1
	}
	return ready
}

// next picks the thread whose turn it is. On the boot processor, if there are others,
// that is thread 1 when it is ready, but for a turn of another thread after each slice
// if no other core is free for that; and another thread only in that case or when it
// has waited too long.
func next(c *core, impatient bool) *thread {
	first := 1
	if c.isBoot() {
		first = 0
		if coreCount > 1 {
			n := ready
			if threads[0].state == stateRunnable {
				n--
			}
			if n > 0 && (impatient || n > resting()) {
				first = 1
			}
			if threads[0].state == stateRunnable && (c.lastThread != 0 || first == 0) {
				c.lastThread = 0
				return &threads[0]
			}
			if first == 0 {
				return nil
			}
		}
	}
	for i := range threadCount {
		n := (c.lastThread + 1 + i) % threadCount
		if n >= first && threads[n].state == stateRunnable {
			c.lastThread = n
			return &threads[n]
		}
	}
	return nil
}

// resting counts the other cores that are free or about to take a thread.
func resting() (n int) {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleNo {
			n++
		}
	}
	return n
}

// makeReady lets a thread run as soon as a core may: an idle one is called, of those
// that watch rather than one that halts.
func makeReady(t *thread) {
	t.state = stateRunnable
	ready++
	if t != &threads[0] {
		if c := idleCore(idleWatching); c != nil {
			callCore(c)
			return
		}
		if c := idleCore(idleHalted); c != nil {
			callCore(c)
			return
		}
	}
	if bootCore.idle == idleWatching {
		callCore(&bootCore)
	}
}

// idleCore finds another core than the boot processor that idles in a given way.
func idleCore(how uint64) *core {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle == how {
			return c
		}
	}
	return nil
}

func callCore(c *core) {
	if swap(&c.idle, idleCalled) == idleHalted {
		sendWake(c)
	}
}

// callKeeper sees to it that somebody watches the clock when waits will end in time,
// the boot processor does not idle, and all other idle cores have halted.
func callKeeper() {
	if coreCount == 1 || earliest == never || keeper != 0 || bootCore.idle != idleNo || idleCore(idleWatching) != nil {
		return
	}
	if c := idleCore(idleHalted); c != nil {
		callCore(c)
	}
}

// rest is a core without a thread. It returns when there may be something to do;
// impatient, when a ready thread has waited here for a core that was called for it.
func rest(c *core) (impatient bool) {
	c.idle = idleWatching
	release(&kernelLock)
	if c.isBoot() {
		impatient = restBoot(c)
	} else {
		restAP(c)
	}
	acquire(&kernelLock)
	c.idle = idleNo
	if keeper == address(c) {
		keeper = 0
	}
	return impatient
}

// restAP watches, then halts, unless the clock must be watched and nobody else does.
func restAP(c *core) {
	for start := ticktime(); c.idle == idleWatching; pause() {
		now := ticktime()
		switch {
		case ending != 0:
			stop()
		case now >= earliest:
			return
		case now-start > watchTime && (keeper != address(c) || bootCore.idle != idleNo):
			acquire(&kernelLock)
			switch {
			case keeper == address(c): // no need any more; but the boot processor may be back at once
				keeper, start = 0, now
			case keeper == 0 && earliest != never && bootCore.idle == idleNo:
				keeper = address(c)
			case c.idle == idleWatching:
				c.idle = idleHalted
			}
			release(&kernelLock)
			for c.idle == idleHalted && ending == 0 {
				haltUntilInterrupt()
			}
		}
	}
}

// restBoot watches for what the boot processor is wanted for, and the clock. Once all
// other cores have halted nothing can come but a key or a deadline, and the firmware
// halts this one, too. It counts time in ticks of some 10 ms, so the last two are spent
// looking at the clock.
func restBoot(c *core) (impatient bool) {
	for start := ticktime(); ; pause() {
		now := ticktime()
		othersHalted := allHalted() // before the rest is looked at: what they left is there then
		switch {
		case c.idle != idleWatching || ending != 0 || calls > 0 || outputSize > 0 || now >= earliest:
			return false
		case now-lastPump > pumpInterval:
			return false
		case ready > 0 && now-start > calledTime:
			return true
		case othersHalted && earliest-now > 2*firmwareTick:
			waitForKey(earliest - now - firmwareTick)
			pumpKeys(ticktime())
			return false
		}
	}
}

func allHalted() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleHalted {
			return false
		}
	}
	return true
}

// expire ends the waits whose time has come.
func expire(now int64) {
	if now < earliest {
		return
	}
	earliest = never
	for i := range threadCount {
		t := &threads[i]
		switch {
		case t.state < stateFutex:
		case t.deadline > now:
			earliest = min(earliest, t.deadline)
		case t.state == stateFutex:
			wake(t, errno(etimedout))
		default:
			wake(t, 0)
		}
	}
}
