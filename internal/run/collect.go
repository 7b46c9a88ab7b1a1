package run

import (
	"io"
	"runtime"
	"runtime/debug"
)

// collectAtPrompts turns the garbage collector's own schedule off until resume is
// called. What is loaded stays, and generating allocates nothing, so a collection
// would find next to nothing; yet the runtime would hold one during generation:
// that which loading began, and from then on one every two minutes. What a
// session's prompts leave behind is collected when the next one is awaited, which
// is when in is read. A memory limit (GOMEMLIMIT, which metal sets) still counts.
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
