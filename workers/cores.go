package workers

import (
	"os"
	"path/filepath"
	"runtime"
)

// Cores returns the number of physical cores that the program may use, the best size of a
// team: the two hyper-threads of a core share the units that the kernels are limited by.
// Linux tells which processors belong to one core. On other systems and on the bare machine
// every processor counts as a core.
func Cores() int {
	n := runtime.GOMAXPROCS(0)
	cores := map[string]bool{}
	// Glob has no error but that of a malformed pattern.
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
