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

// TestTimesRun: work of this process shows in both clocks: a chain of 200 million multiplications
// takes a tenth of a second or more on any processor, /proc/stat counts ticks of 10 ms.
func TestTimesRun(t *testing.T) {
	all, own := machineTime(), ownTime()
	x := uint64(own)
	for range 200_000_000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if all, own = machineTime()-all, ownTime()-own; all < 40*time.Millisecond || own < 40*time.Millisecond {
		t.Errorf("work that ends with %d: machine %v, own %v", x, all, own)
	}
}

func TestDescribe(t *testing.T) {
	cpu := "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx avx2 avx512f\nprocessor\t: 1\nmodel\t\t: 3\n"
	want := "AMD EPYC (family 26, model 2), 2 cores with avx512f, 24 GiB, Linux 6.18"
	if got := describe(cpu, "MemTotal:       24659708 kB\n", "6.18"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
