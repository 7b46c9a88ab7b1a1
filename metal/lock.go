//go:build linux && amd64

package metal

// There are two locks, never held together, and none during a firmware call: kernelLock
// for threads, signals and events, memoryLock for addresses and pages. What only the boot
// processor uses (console, files, everything of the firmware) needs none.
var kernelLock, memoryLock uint64

// acquire takes a lock. When the program ends, the lock may belong to a core that has
// been stopped and never releases it; so a core that waits stops, too.
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
