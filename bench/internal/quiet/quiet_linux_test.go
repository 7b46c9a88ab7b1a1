package quiet

import (
	"testing"
	"time"
)

func TestBusyTime(t *testing.T) {
	// user nice system idle iowait irq softirq steal guest guest_nice
	if got, want := busyTime("cpu  100 20 30 9999 8888 4 5 6 50 7\n"), 1650*time.Millisecond; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := busyTime("cpu  1 2"); got != 30*time.Millisecond {
		t.Error(got)
	}
}

// TestTimesRun: work of this process shows in both clocks.
func TestTimesRun(t *testing.T) {
	all, own := machineTime(), ownTime()
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
	}
	if all, own = machineTime()-all, ownTime()-own; all < 40*time.Millisecond || own < 40*time.Millisecond {
		t.Errorf("100 ms of work: machine %v, own %v", all, own)
	}
}

func TestDescribe(t *testing.T) {
	cpu := "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx avx2 avx512f\nprocessor\t: 1\nmodel\t\t: 3\n"
	want := "AMD EPYC (family 26, model 2), 2 cores with avx512f, 24 GiB, Linux 6.18"
	if got := describe(cpu, "MemTotal:       24659708 kB\n", "6.18"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
