package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bootllama/bench/internal/quiet"
)

// report is the table, with every figure that went into it.
type report struct {
	Machine   string            `json:"machine"`
	Date      string            `json:"date"`
	Versions  map[string]string `json:"versions"` // of the references, as their folders say
	SIMD      string            `json:"simd,omitempty"`
	Rounds    int               `json:"rounds"`    // of the longest row
	Disturbed int               `json:"disturbed"` // runs that other processes slowed down in every try
	Rows      []line            `json:"rows"`
}

// line is a row with its figures, one for each round.
type line struct {
	Name   string    `json:"name"`
	Ours   []float64 `json:"ours,omitempty"` // tok/s, or GB/s where Theirs is a share
	Theirs []float64 `json:"theirs,omitempty"`
	Ratios []float64 `json:"ratios,omitempty"` // ours to theirs, or the share of the read bandwidth
	Median float64   `json:"median,omitempty"`
	share  bool
}

func newReport(rows []row, figures map[job][]figure, disturbed int, e engines) report {
	r := report{Machine: quiet.Machine(), Date: time.Now().Format(time.DateOnly), Disturbed: disturbed, Versions: map[string]string{}}
	for name, dir := range map[string]string{"llama2.c": e.llama2c, "llama.cpp": e.llamacpp} {
		if v := version(dir); v != "" {
			r.Versions[name] = v
		}
	}
	for _, row := range rows {
		l := newLine(row, figures)
		r.Rounds = max(r.Rounds, len(l.Ours), len(l.Theirs))
		if ours := figures[row.ours]; len(ours) > 0 && ours[0].simd != "" {
			r.SIMD = ours[0].simd
		}
		r.Rows = append(r.Rows, l)
	}
	return r
}

func newLine(r row, figures map[job][]figure) line {
	l := line{Name: r.name(), share: r.share}
	for _, f := range figures[r.ours] {
		if r.share {
			l.Ours = append(l.Ours, f.gbS)
			l.Ratios = append(l.Ratios, f.share)
		} else {
			l.Ours = append(l.Ours, f.tokS)
		}
	}
	if !r.share {
		for _, f := range figures[r.theirs] {
			l.Theirs = append(l.Theirs, f.tokS)
		}
		l.Ratios = ratios(l.Ours, l.Theirs)
	}
	l.Median = median(l.Ratios)
	return l
}

// markdown is the report as a table and what to know about it.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("| | bootllama | other | ratio [min..max] |\n|---|---|---|---|\n")
	for _, l := range r.Rows {
		ours, theirs, ratio := number(l.Ours), number(l.Theirs), ""
		if len(l.Ratios) > 0 {
			ratio = fmt.Sprintf("%.2f [%.2f..%.2f]", l.Median, slices.Min(l.Ratios), slices.Max(l.Ratios))
		}
		if l.share {
			if theirs = ""; ours != "" {
				ours += " GB/s"
			}
			if len(l.Ratios) > 0 {
				ratio = fmt.Sprintf("%.0f %% [%.0f..%.0f]", 100*l.Median, 100*slices.Min(l.Ratios), 100*slices.Max(l.Ratios))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.Name, ours, theirs, ratio)
	}
	fmt.Fprintf(&b, "\nTok/s; medians of %d interleaved rounds, ratios within a round. %s", r.Rounds, r.Machine)
	if r.SIMD != "" {
		fmt.Fprintf(&b, "; bootllama with %s", r.SIMD)
	}
	fmt.Fprintf(&b, "; %s.", r.Date)
	for _, name := range []string{"llama2.c", "llama.cpp"} {
		if v := r.Versions[name]; v != "" {
			fmt.Fprintf(&b, " %s: %s.", name, v)
		}
	}
	if r.Disturbed > 0 {
		fmt.Fprintf(&b, " %d runs were disturbed by other processes in every try.", r.Disturbed)
	}
	return b.String() + "\n"
}

// number is the median for a person: three digits or more.
func number(values []float64) string {
	switch m := median(values); {
	case len(values) == 0:
		return ""
	case m < 10:
		return fmt.Sprintf("%.2f", m)
	case m < 100:
		return fmt.Sprintf("%.1f", m)
	default:
		return fmt.Sprintf("%.0f", m)
	}
}
