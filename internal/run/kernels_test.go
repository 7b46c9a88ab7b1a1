package run

import (
	"os"
	"strings"
	"testing"
)

// TestKernelsVariable: the environment forces kernels, and a name that is none is an error.
func TestKernelsVariable(t *testing.T) {
	t.Setenv(variable, "go")
	status, out, errs := runMain("", "bench", model, "--rounds", "1", "--decode", "2", "--json")
	if status != 0 || !strings.Contains(out, `"simd":"go"`) {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	os.Setenv(variable, "mmx")
	status, _, errs = runMain("", "run", model, "-z", tokenizer)
	if status != 2 || !strings.Contains(errs, `BOOTLLAMA_SIMD="mmx": this processor has the kernels ["go"`) {
		t.Errorf("status %d, %q", status, errs)
	}
}

// TestThreads: more threads than processors, or one, say the same.
func TestThreads(t *testing.T) {
	if status, _, errs := runMain("", "run", model, "-z", tokenizer, "--threads", "many"); status != 2 || !strings.Contains(errs, "not a whole number from 0") {
		t.Errorf("status %d, %q", status, errs)
	}
	var want string
	for i, n := range []string{"1", "2", "3", "7", "0"} {
		status, out, errs := runMain("", "run", model, "-z", tokenizer, "-t", "1", "-s", "3", "-n", "60", "-i", "once and the", "--threads", n)
		if status != 0 {
			t.Fatalf("%s threads: status %d, %q", n, status, errs)
		}
		if i == 0 {
			want = out
		}
		if out != want {
			t.Errorf("%s threads: %q, want %q", n, out, want)
		}
	}
}
