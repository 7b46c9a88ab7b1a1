package main

import (
	"fmt"
	"strings"

	"bootllama/scripts/internal/bench"
)

// metrics are the lines of the table.
var metrics = []struct {
	name   string
	format string
	of     func(bench.Result) float64 // 0: not measured
}{
	{"decode, tok/s", "%.1f", func(r bench.Result) float64 { return r.Decode.Median }},
	{"a token, median, µs", "%.0f", func(r bench.Result) float64 { return bench.Quantile(r.TokenUs, 0.5) }},
	{"a token, p99, µs", "%.0f", func(r bench.Result) float64 { return bench.Quantile(r.TokenUs, 0.99) }},
	{"p99 / median", "%.3f", func(r bench.Result) float64 {
		if len(r.TokenUs) == 0 {
			return 0
		}
		return bench.Quantile(r.TokenUs, 0.99) / bench.Quantile(r.TokenUs, 0.5)
	}},
}

// table compares the worlds in Markdown: medians over the rounds, and the median, least and greatest of the ratios of a
// round, of the second world, which is metal on all cores unless -only left it out, to the others.
func table(worlds []*world, about string) string {
	var b strings.Builder
	header, rule := "| |", "|---|"
	for _, w := range worlds {
		header += " " + w.name + " |"
		rule += "---|"
	}
	var subject *world
	if len(worlds) > 1 {
		subject = worlds[1]
		for _, w := range worlds {
			if w != subject {
				header += fmt.Sprintf(" %s / %s |", subject.name, w.name)
				rule += "---|"
			}
		}
	}
	fmt.Fprintf(&b, "%s\n%s\n", header, rule)
	rounds := 0
	for _, m := range metrics {
		values := map[*world][]float64{}
		measured := false
		for _, w := range worlds {
			rounds = max(rounds, len(w.rounds))
			for _, r := range w.rounds {
				values[w] = append(values[w], m.of(r))
				measured = measured || m.of(r) != 0
			}
		}
		if !measured {
			continue
		}
		fmt.Fprintf(&b, "| %s |", m.name)
		for _, w := range worlds {
			fmt.Fprintf(&b, " "+m.format+" |", bench.Median(values[w]))
		}
		for _, w := range worlds {
			if subject != nil && w != subject {
				ratios := bench.Ratios(values[subject], values[w])
				fmt.Fprintf(&b, " %.3f [%.3f..%.3f] |", bench.Median(ratios), bench.Quantile(ratios, 0), bench.Quantile(ratios, 1))
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\nMedians of %d rounds. %s.\n", rounds, about)
	return b.String()
}
