//go:build !linux

package main

import (
	"fmt"
	"runtime"
	"time"
)

// Where there is no /proc/stat every run counts: machineTime stands still.

func machineTime() time.Duration { return 0 }

func ownTime() time.Duration { return 0 }

// machine describes this machine in a line.
func machine() string {
	return fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
