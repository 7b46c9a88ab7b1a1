//go:build linux && amd64

package metal

// Queues of threads: lists of those that wait for the same, and all that have a deadline
// by its time. Every operation takes a time that does not grow with the number of threads,
// or grows with its logarithm. All of it is under kernelLock.

// threadList is a doubly linked list of threads, in the order in which they came. A thread
// is in one list at most.
type threadList struct{ first, last uintptr } // *thread

var (
	ready         threadList                 // stateRunnable
	bootCalls     threadList                 // stateBoot
	epollWaits    threadList                 // stateEpoll
	consoleWaits  threadList                 // stateConsole
	pollWaits     threadList                 // statePoll
	pipeWaits     threadList                 // statePipe
	sleeps        threadList                 // stateSleep
	futexWaits    [1 << futexBits]threadList // stateFutex, by the address of the word
	freeThreads   threadList                 // stateFree
	deadlineCount uintptr                    // threads in the heap of deadlines
)

const futexBits = 10

// futexList is the list of the threads that wait at a word, and at others with the same
// hash (Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio).
func futexList(word uintptr) *threadList {
	return &futexWaits[uint64(word)*0x9E3779B97F4A7C15>>(64-futexBits)]
}

// add appends a thread that is in no list.
func (l *threadList) add(t *thread) {
	t.list, t.previous, t.next = address(l), l.last, 0
	if l.last == 0 {
		l.first = address(t)
	} else {
		at[thread](l.last).next = address(t)
	}
	l.last = address(t)
}

// leaveList takes a thread out of the list that it is in, if it is in one.
func (t *thread) leaveList() {
	if t.list == 0 {
		return
	}
	l := at[threadList](t.list)
	if t.previous == 0 {
		l.first = t.next
	} else {
		at[thread](t.previous).next = t.next
	}
	if t.next == 0 {
		l.last = t.previous
	} else {
		at[thread](t.next).previous = t.previous
	}
	t.list = 0
}

// The threads with a deadline are a binary heap, the earliest first. Entry i of it is in
// the field heapEntry of thread i of the table: so it has room for all threads, however
// many there are.

func heapThread(i uintptr) *thread { return at[thread](threadNumber(i).heapEntry) }

func placeInHeap(i uintptr, t *thread) { threadNumber(i).heapEntry, t.heapPlace = address(t), i+1 }

// addDeadline puts a thread that has a deadline into the heap.
func addDeadline(t *thread) {
	deadlineCount++
	moveUp(deadlineCount-1, t)
	earliestDeadline = heapThread(0).deadline
}

// removeDeadline takes a thread out of the heap, if it is there.
func removeDeadline(t *thread) {
	if t.heapPlace == 0 {
		return
	}
	i := t.heapPlace - 1
	t.heapPlace = 0
	deadlineCount--
	if last := heapThread(deadlineCount); last != t {
		if i > 0 && last.deadline < heapThread((i-1)/2).deadline {
			moveUp(i, last)
		} else {
			moveDown(i, last)
		}
	}
	earliestDeadline = never
	if deadlineCount > 0 {
		earliestDeadline = heapThread(0).deadline
	}
}

// moveUp places a thread at entry i or, as long as that has a later deadline, at the entry
// above, whose thread takes the place.
func moveUp(i uintptr, t *thread) {
	for i > 0 {
		above := heapThread((i - 1) / 2)
		if above.deadline <= t.deadline {
			break
		}
		placeInHeap(i, above)
		i = (i - 1) / 2
	}
	placeInHeap(i, t)
}

// moveDown is moveUp towards the later deadlines.
func moveDown(i uintptr, t *thread) {
	for 2*i+1 < deadlineCount {
		child := 2*i + 1
		if child+1 < deadlineCount && heapThread(child+1).deadline < heapThread(child).deadline {
			child++
		}
		below := heapThread(child)
		if below.deadline >= t.deadline {
			break
		}
		placeInHeap(i, below)
		i = child
	}
	placeInHeap(i, t)
}
