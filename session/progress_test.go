package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// screen is what a console shows: a carriage return goes back to the line's start,
// and what is written there replaces what stood there.
type screen struct {
	lines  []string
	column int
	writes int
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes++
	if s.lines == nil {
		s.lines = []string{""}
	}
	for _, c := range string(p) {
		line := &s.lines[len(s.lines)-1]
		switch c {
		case '\r':
			s.column = 0
		case '\n':
			s.lines, s.column = append(s.lines, ""), 0
		default:
			*line = (*line)[:s.column] + string(c) + (*line)[min(s.column+1, len(*line)):]
			s.column++
		}
	}
	return len(p), nil
}

// last is the line with the cursor, as one sees it.
func (s *screen) last() string { return strings.TrimRight(s.lines[len(s.lines)-1], " ") }

func TestProgress(t *testing.T) { synctest.Test(t, testProgress) }

func testProgress(t *testing.T) {
	s := &screen{lines: []string{""}}
	start := time.Now()
	b := Loading(Screen{s})
	for _, c := range []struct {
		at   time.Duration
		done int64
		want string
	}{
		{0, 0, ""},
		{499 * time.Millisecond, 20e6, ""}, // soon done, perhaps
		{500 * time.Millisecond, 50e6, "loading [=>                      ]   5%  50 of 1000 MB, 100 MB/s, 10s left"},
		{699 * time.Millisecond, 99e6, "loading [=>                      ]   5%  50 of 1000 MB, 100 MB/s, 10s left"}, // too soon again
		{700 * time.Millisecond, 99e6, "loading [==>                     ]   9%  99 of 1000 MB, 141 MB/s, 7s left"},
		{20 * time.Second, 100e6, "loading [==>                     ]  10%  100 of 1000 MB, 5 MB/s, 3m0s left"},
		{40 * time.Second, 1000e6, "loading [========================] 100%  1000 of 1000 MB, 25 MB/s, 0s left"},
	} {
		time.Sleep(c.at - time.Since(start))
		b.Show(c.done, 1000e6)
		if got := s.last(); got != c.want {
			t.Errorf("at %v, %d bytes:\n got %q\nwant %q", c.at, c.done, got, c.want)
		}
	}
	if b.Clear(); len(s.lines) != 1 || s.last() != "" || s.column != 0 {
		t.Errorf("after the bar: %q, column %d", s.lines, s.column)
	}
	if n := s.writes; n != 5 {
		t.Errorf("%d writes, want 4 bars and a clearing", n)
	}
	if b.Clear(); s.writes != 5 {
		t.Error("cleared twice")
	}
}

// TestProgressLine: less than 80 columns, whatever the figures.
func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		elapsed     time.Duration
	}{{0, 0, time.Second}, {0, 1, time.Hour}, {1, 1 << 40, time.Hour}, {1<<40 - 1, 1 << 40, time.Nanosecond}, {9e12, 1e13, 1000 * time.Hour}} {
		if line := progressLine(c.done, c.total, c.elapsed); len(line) >= 100 || c.total < 1e12 && len(line) >= 80 {
			t.Errorf("%d of %d in %v: %d columns: %q", c.done, c.total, c.elapsed, len(line), line)
		}
	}
}

// TestScreen: what loads slowly shows a bar on a screen only.
func TestScreen(t *testing.T) {
	s := &screen{}
	b := Loading(s)
	b.start = b.start.Add(-time.Hour)
	b.Show(1, 2)
	b.Clear()
	if s.writes != 0 {
		t.Errorf("on what is no screen: %q", s.lines)
	}
	b = Loading(Screen{s})
	b.start = b.start.Add(-time.Hour)
	b.Show(1, 2)
	if s.writes != 1 || !strings.HasPrefix(s.last(), "loading [") {
		t.Errorf("after an hour: %q", s.lines)
	}
}

// TestReadingProgress: a bar of tokens, which is gone at the end, and starts anew with the next reading.
func TestReadingProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{lines: []string{""}}
		progress := Reading(Screen{s})
		for range 2 {
			time.Sleep(time.Minute)
			progress(0, 400)
			time.Sleep(6 * time.Second)
			progress(96, 400)
			if want := "reading [=====>                  ]  24%  96 of 400 tokens, 16 tokens/s, 19s left"; s.last() != want {
				t.Errorf("%q, want %q", s.last(), want)
			}
			if progress(400, 400); s.last() != "" || s.column != 0 {
				t.Errorf("at the end %q", s.last())
			}
		}
	})
}

// TestReadingRow: on a terminal it is one row, however narrow.
func TestReadingRow(t *testing.T) {
	for columns, want := range map[int]string{
		100: "reading [=====>                  ]  24%  96 of 400 tokens, 16 tokens/s, 19s left",
		80:  "reading 24%  96 of 400 tokens, 16 tokens/s, 19s left", 40: "reading 24%",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, columns, 24)
			progress := p.terminal.Reading()
			progress(0, 400)
			time.Sleep(6 * time.Second)
			progress(96, 400)
			if got := p.screen(); len(got) != 1 || got[0] != want {
				t.Errorf("%d columns: %q", columns, got)
			}
			progress(400, 400)
			p.sees("|")
		})
	}
}
