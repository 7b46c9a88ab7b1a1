package cputime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Of returns the processor time that f takes on its own thread. What f leaves to other goroutines,
// and what the garbage collector does on other threads, is not counted.
func Of(f func()) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin, err := thread()
	f()
	end, err2 := thread()
	return end - begin, errors.Join(err, err2)
}

func thread() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}

// Self returns the processor time that this process has used, with all its threads.
func Self() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}

// QEMU returns the processor time that the QEMU with text in its command line has used, with all its
// threads.
func QEMU(text string) (time.Duration, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if program, _, _ := bytes.Cut(line, []byte{0}); err != nil || !bytes.Contains(program, []byte("qemu")) || !bytes.Contains(line, []byte(text)) {
			continue // another process, or one that has ended since
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(name), "stat"))
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // proc_pid_stat(5): utime and stime are fields 14 and 15
		user, err1 := strconv.Atoi(fields[11])
		system, err2 := strconv.Atoi(fields[12])
		return time.Duration(user+system) * time.Second / 100, errors.Join(err1, err2) // USER_HZ
	}
	return 0, fmt.Errorf("no QEMU has %q in its command line", text)
}
