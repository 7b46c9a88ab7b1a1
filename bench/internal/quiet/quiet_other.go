//go:build !linux

package quiet

import (
	"fmt"
	"runtime"
	"time"
)

// Where there is no /proc/stat every run counts: machineTime stands still.

func machineTime() time.Duration { return 0 }

func ownTime() time.Duration { return 0 }

// Machine describes this machine in a line.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
