package vmtest

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"testing"
)

// Soak returns the share of its whole length for which a soak test runs: BOOTLLAMA_SOAK=1 is all of it, 0.1 a tenth.
// Without it the test is skipped. Such tests log what they measure as they go:
//
//	BOOTLLAMA_SOAK=1 go test -v -timeout 0 -run TestSoak ./cmd/efi
//	BOOTLLAMA_SOAK=1 go test -v -timeout 0 -run TestSoak ./metal
func Soak(t testing.TB) float64 {
	t.Helper()
	text := os.Getenv("BOOTLLAMA_SOAK")
	if text == "" {
		t.Skip("SKIPPED: up to three hours; BOOTLLAMA_SOAK=1 runs it, 0.1 a tenth of it")
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || share <= 0 || share > 1000 {
		t.Fatalf("BOOTLLAMA_SOAK is %q: a number above 0, 1 for the whole test", text)
	}
	return share
}

// Of returns n: of its cases, turns or seconds a test in QEMU takes one in n, as the host's tests have them all. With
// BOOTLLAMA_LARGE=1 it is 1, and the test takes all.
func Of(n int) int {
	if os.Getenv("BOOTLLAMA_LARGE") != "" {
		return 1
	}
	return n
}

// A LineWriter calls a function for each line that is written, without its end.
type LineWriter struct {
	Line func(line string)

	lock sync.Mutex
	rest []byte
}

// Write takes a part of the text.
func (w *LineWriter) Write(p []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.Line(string(bytes.TrimSuffix(line, []byte("\r"))))
		w.rest = bytes.Clone(rest)
	}
}
