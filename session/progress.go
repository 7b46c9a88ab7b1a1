package session

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Screen marks a stderr that is a terminal or a console: a progress bar is then drawn on it
// while a model is loaded, or reads.
type Screen struct{ io.Writer }

const (
	progressAfter = 500 * time.Millisecond // no bar for a model that is loaded by then
	progressEvery = 200 * time.Millisecond
)

// Bar is one line that is redrawn in place. It uses only the carriage return, which
// every console supports.
type Bar struct {
	w            io.Writer // nothing is drawn if it is no Screen
	line         func(done, total int64, elapsed time.Duration) string
	start, drawn time.Time
	width        int // columns of the line that is on the screen
}

// Loading returns a bar for the bytes of a file.
func Loading(w io.Writer) *Bar {
	return &Bar{w: w, line: progressLine, start: time.Now()}
}

// Reading returns a function that draws a bar of tokens, from 0 on to total, which clears it.
func Reading(w io.Writer) func(done, total int) {
	return reading(w, func(done, total int64, elapsed time.Duration) string {
		return barLine("reading", "tokens", 1, done, total, elapsed)
	})
}

// reading is Reading with another line.
func reading(w io.Writer, line func(done, total int64, elapsed time.Duration) string) func(done, total int) {
	b := Bar{w: w, line: line}
	return func(done, total int) {
		switch done {
		case 0:
			b.start = time.Now()
		case total:
			b.Clear()
		default:
			b.Show(int64(done), int64(total))
		}
	}
}

// Reading returns a function that shows how much of a text the model has read, from 0 on to total,
// which clears it. It is one row, however narrow.
func (t *Terminal) Reading() func(done, total int) {
	return reading(Screen{t.Out}, func(done, total int64, elapsed time.Duration) string {
		line := barLine("reading", "tokens", 1, done, total, elapsed)
		columns, _ := t.Size()
		if _, figures, _ := strings.Cut(line, "] "); len(line) >= columns { // without the arrow
			line = "reading" + figures
		}
		if len(line) >= columns {
			line = fmt.Sprintf("reading %d%%", 100*done/max(total, 1))
		}
		return line
	})
}

// Show draws the bar for done of total if it is time to do so.
func (b *Bar) Show(done, total int64) {
	if _, ok := b.w.(Screen); !ok {
		return
	}
	now := time.Now()
	elapsed := now.Sub(b.start)
	if elapsed < progressAfter || now.Sub(b.drawn) < progressEvery {
		return
	}
	b.drawn = now
	b.draw(b.line(done, total, elapsed))
}

// Clear removes the bar and leaves the cursor at the start of the empty line.
func (b *Bar) Clear() {
	if b.width == 0 {
		return
	}
	fmt.Fprintf(b.w, "\r%*s\r", b.width, "") // an error is ignored, as in draw
	b.width = 0
}

// draw replaces the line. Spaces overwrite the rest of a longer one.
func (b *Bar) draw(line string) {
	fmt.Fprintf(b.w, "\r%-*s", b.width, line) // an error is ignored: loading does not depend on the bar
	b.width = len(line)
}

// progressLine returns the bar as text of less than 80 columns:
//
//	loading [=========>           ]  46%  192 of 418 MB, 61 MB/s, 4s left
func progressLine(done, total int64, elapsed time.Duration) string {
	return barLine("loading", "MB", 1e6, done, total, elapsed)
}

// barLine returns such a line of what is done, in units of that size.
func barLine(verb, unit string, size float64, done, total int64, elapsed time.Duration) string {
	const width = 24
	part := float64(done) / float64(max(total, 1))
	speed := float64(done) / elapsed.Seconds() // show ensures that elapsed is not 0
	left := "?"
	if done > 0 {
		left = (time.Duration(float64(total-done)/speed*float64(time.Second)) + time.Second - 1).Truncate(time.Second).String()
	}
	arrow := strings.Repeat("=", int(part*width))
	if len(arrow) < width {
		arrow += ">"
	}
	return fmt.Sprintf("%s [%-*s] %3d%%  %.0f of %.0f %s, %.0f %s/s, %s left",
		verb, width, arrow, int(100*part), float64(done)/size, float64(total)/size, unit, speed/size, unit, left)
}
