//go:build linux && amd64

// The program that the memory test runs, under an operating system and on the bare
// machine: the command run, and what it took of memory, collections and time.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"bootllama/internal/run"
	"bootllama/metal"
)

func main() {
	if len(os.Args) < 3 || os.Args[1] != "run" {
		fmt.Fprintln(os.Stderr, "usage: measure run MODEL [options]")
		os.Exit(2)
	}
	text := &watch{start: time.Now()}
	status := run.Main(context.Background(), os.Args[1:], os.Stdin, text, run.Screen{Writer: os.Stderr})
	if status == 0 {
		if err := text.report(os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "measure: %v\n", err)
			status = 1
		}
	}
	os.Exit(status)
}

// watch takes the text in place of a console, and looks at the runtime when its first
// piece comes and each time after.
type watch struct {
	start       time.Time
	pieces      int
	first, last time.Duration // of the first and the latest piece
	before, now runtime.MemStats
}

func (w *watch) Write(p []byte) (int, error) {
	runtime.ReadMemStats(&w.now)
	w.last = time.Since(w.start)
	if w.pieces == 0 {
		w.first, w.before = w.last, w.now
	}
	w.pieces++
	return len(p), nil
}

func (w *watch) report(model string) error {
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	var end runtime.MemStats
	runtime.ReadMemStats(&end)
	_, err = fmt.Printf("%s: peak=%d taken=%d high=%d heap=%d mapped=%d system=%d pieces=%d collections=%d during=%d mallocs=%d first_ms=%d last_ms=%d\n",
		model, peak, metal.MemoryStatus().Taken, metal.MemoryStatus().Above4GiB, end.HeapInuse+end.StackInuse, end.HeapSys+end.StackSys, end.Sys, w.pieces,
		end.NumGC, w.now.NumGC-w.before.NumGC, w.now.Mallocs-w.before.Mallocs, w.first.Milliseconds(), w.last.Milliseconds())
	return err
}

// peakMemory returns the most memory that this process has had, in bytes: resident
// under Linux (proc(5), VmHWM); given out by metal, which takes none back, and without
// the program's own image.
func peakMemory() (int64, error) {
	if metal.On() {
		return int64(metal.MemoryStatus().Used), nil
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscanf(text, "%d kB", &kb); err != nil {
		return 0, fmt.Errorf("/proc/self/status: VmHWM: %w", err)
	}
	return kb << 10, nil
}
