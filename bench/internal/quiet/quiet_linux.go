package quiet

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of /proc/stat for programs: USER_HZ is 100 on every architecture that Go knows.
const tick = time.Second / 100

// machineTime is the time that all cores together have worked, or were kept from it by a hypervisor: proc_stat(5).
func machineTime() time.Duration {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0 // without it every run counts
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return 0
	}
	return busyTime(line)
}

// busyTime adds up the first line of /proc/stat: user, nice, system, irq, softirq and steal, not idle and iowait. Guests'
// time is in user already.
func busyTime(line string) time.Duration {
	fields := strings.Fields(line)
	var sum time.Duration
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		if i < len(fields) {
			if n, err := strconv.ParseInt(fields[i], 10, 64); err == nil {
				sum += time.Duration(n) * tick
			}
		}
	}
	return sum
}

// ownTime is the time that this process and the children for which it has waited have worked.
func ownTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return 0
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// Machine describes this machine in a line: processor, cores, memory, kernel.
func Machine() string {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		memory = nil
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		release = nil
	}
	return describe(string(cpu), string(memory), strings.TrimSpace(string(release)))
}

// describe is Machine, from the contents of /proc/cpuinfo and meminfo and the kernel's release.
func describe(cpu, memory, release string) string {
	first := map[string]string{} // of each name the first value
	cores := 0
	for line := range strings.Lines(cpu + memory) {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "processor" {
			cores++
		}
		if _, seen := first[name]; ok && !seen {
			first[name] = value
		}
	}
	text := fmt.Sprintf("%s (family %s, model %s), %d cores", first["model name"], first["cpu family"], first["model"], cores)
	for _, simd := range []string{"avx512_vnni", "avx512f", "avx2", "avx"} {
		if strings.Contains(" "+first["flags"]+" ", " "+simd+" ") {
			text += " with " + simd
			break
		}
	}
	if kib, err := strconv.ParseInt(strings.TrimSuffix(first["MemTotal"], " kB"), 10, 64); err == nil {
		text += fmt.Sprintf(", %.0f GiB", float64(kib)/(1<<20))
	}
	if release != "" {
		text += ", Linux " + release
	}
	return text
}
