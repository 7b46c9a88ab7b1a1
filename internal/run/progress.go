package run

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Screen is a standard error that a person looks at, on which a line can be
// drawn anew: given to Main as stderr, it shows how far loading is.
type Screen struct{ io.Writer }

// NoBar stands before the command in the arguments of a machine whose standard error no
// person looks at: it is then no Screen.
const NoBar = "--no-bar"

const (
	progressAfter = 500 * time.Millisecond // what loads sooner needs no bar
	progressEvery = 200 * time.Millisecond
)

// progressBar is a line that is drawn again and again in its place, with nothing
// but a carriage return, which every console knows.
type progressBar struct {
	w            io.Writer // draw nothing if it is no Screen
	start, drawn time.Time
	width        int // of what stands in the line
}

func newProgressBar(w io.Writer) *progressBar {
	return &progressBar{w: w, start: time.Now()}
}

// show draws the bar for done of total bytes, if it is time.
func (b *progressBar) show(done, total int64) {
	if _, ok := b.w.(Screen); !ok {
		return
	}
	now := time.Now()
	elapsed := now.Sub(b.start)
	if elapsed < progressAfter || now.Sub(b.drawn) < progressEvery {
		return
	}
	b.drawn = now
	b.draw(progressLine(done, total, elapsed))
}

// clear removes the bar: what is written next begins an empty line.
func (b *progressBar) clear() {
	if b.width == 0 {
		return
	}
	fmt.Fprintf(b.w, "\r%*s\r", b.width, "") // as in draw
	b.width = 0
}

// draw replaces what stands in the line, all of which it covers.
func (b *progressBar) draw(line string) {
	fmt.Fprintf(b.w, "\r%-*s", b.width, line) // a remark: nothing depends on it
	b.width = len(line)
}

// progressLine says how far a load is, in less than 80 columns:
//
//	loading [=========>           ]  46%  192 of 418 MB, 61 MB/s, 4s left
func progressLine(done, total int64, elapsed time.Duration) string {
	const width, mb = 24, 1e6
	part := float64(done) / float64(max(total, 1))
	speed := float64(done) / elapsed.Seconds() // elapsed is not 0: see show
	left := "?"
	if done > 0 {
		left = (time.Duration(float64(total-done)/speed*float64(time.Second)) + time.Second - 1).Truncate(time.Second).String()
	}
	arrow := strings.Repeat("=", int(part*width))
	if len(arrow) < width {
		arrow += ">"
	}
	return fmt.Sprintf("loading [%-*s] %3d%%  %.0f of %.0f MB, %.0f MB/s, %s left",
		width, arrow, int(100*part), float64(done)/mb, float64(total)/mb, speed/mb, left)
}
