//go:build linux && amd64

package metal

// Locks. There are two, never held together, and none during a firmware call: one for
// threads, signals and events, one for memory. What only the boot processor touches
// (console, files, everything of the firmware) needs none.
var kernelLock, memoryLock uint64

// acquire takes a lock. Its holder may be a core that has just been stopped for ever:
// then the program ends, and so does the wait.
func acquire(lock *uint64) {
	for swap(lock, 1) != 0 {
		for *lock != 0 {
			if ending != 0 {
				stop()
			}
			pause()
		}
	}
}

func release(lock *uint64) { store(lock, 0) }
