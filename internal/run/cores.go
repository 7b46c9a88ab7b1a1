package run

import (
	"os"
	"path/filepath"
	"runtime"
)

// physicalCores returns how many threads the work is worth sharing among: the cores that
// the program may use, not the hyper-threads, two of which share what the kernels need
// most. Linux tells which processors are one core; elsewhere, on the bare machine too,
// each counts.
func physicalCores() int {
	n := runtime.GOMAXPROCS(0)
	cores := map[string]bool{}
	// A pattern that is wrong is the only error that Glob has.
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list")
	for _, name := range files {
		siblings, err := os.ReadFile(name)
		if err != nil {
			return n
		}
		cores[string(siblings)] = true
	}
	if len(cores) > 0 {
		n = min(n, len(cores))
	}
	return n
}
