package arena

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Limit returns the most memory, in bytes, that this process can still get: that of the
// machine, or less where a control group or a resource limit (ulimit -v, ulimit -d) says so.
// On the bare machine it is what metal has taken from the firmware, by the same system call;
// the rest is unknown there.
func Limit() int64 {
	limit := int64(math.MaxInt64)
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		limit = int64((uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit))
	}
	return min(limit, cgroupLimit("/"), resourceLimit())
}

// cgroupLimit returns the least limit of the control groups (cgroups(7)) that this process is
// in, in the file system at root: version 2 has memory.max, version 1 memory.limit_in_bytes.
func cgroupLimit(root string) int64 {
	limit := int64(math.MaxInt64)
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) // none without it
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path; within a container the path may be the host's, and then
		// only the last of its parents is here.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		for path, more := fields[2], true; more; path = filepath.Dir(path) {
			more = len(path) > 1
			for _, name := range []string{filepath.Join("sys/fs/cgroup", path, "memory.max"), filepath.Join("sys/fs/cgroup/memory", path, "memory.limit_in_bytes")} {
				text, _ := os.ReadFile(filepath.Join(root, name))
				if v, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max", or no such file
					limit = min(limit, v)
				}
			}
		}
	}
	return limit
}

// resourceLimit returns what getrlimit(2) leaves of the address space and of the data. The
// Go runtime reserves much more addresses than it uses.
func resourceLimit() int64 {
	limit := int64(math.MaxInt64)
	text, _ := os.ReadFile("/proc/self/statm") // in pages: size, resident, shared, text, lib, data
	var used [6]int64
	if _, err := fmt.Sscan(string(text), &used[0], &used[1], &used[2], &used[3], &used[4], &used[5]); err != nil {
		return limit
	}
	for resource, pages := range map[int]int64{syscall.RLIMIT_AS: used[0], syscall.RLIMIT_DATA: used[5]} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(resource, &r); err == nil && r.Cur < math.MaxInt64 {
			limit = min(limit, max(0, int64(r.Cur)-pages*int64(os.Getpagesize())))
		}
	}
	return limit
}
