package run

import (
	"io"
	"runtime"
	"runtime/debug"
)

// collectAtPrompts stops the garbage collector until resume is called, except for one
// collection before each Read of reader, where a session waits for the user. Generating
// allocates nothing, so that there is little to collect, but the runtime would nevertheless
// run the collector at the same time: to finish the cycle that loading started, and then
// every two minutes. The memory limit (GOMEMLIMIT, which metal sets) is still obeyed.
func collectAtPrompts(in io.Reader) (reader io.Reader, resume func()) {
	percent := debug.SetGCPercent(-1)
	return collecting{in}, func() { debug.SetGCPercent(percent) }
}

// collecting collects garbage before each Read.
type collecting struct{ io.Reader }

func (c collecting) Read(p []byte) (int, error) {
	runtime.GC()
	return c.Reader.Read(p)
}
