package main

import (
	"fmt"
	"regexp"
	"slices"
)

// shape is a model's size, and how many tokens are measured with it.
type shape struct {
	name            string
	decode, prefill int
	tokenizer       string
}

var (
	shape260K = shape{"260K", 511, 0, "tok512.bin"}
	shape15M  = shape{"15M", 255, 250, "tokenizer.bin"}
	shape110M = shape{"110M", 127, 256, "tokenizer.bin"}
	shape1B   = shape{"1.1B", 15, 64, "tokenizer.bin"}
)

// job is something that is measured.
type job struct {
	engine  string // bootllama, run.c, runq.c or llama.cpp
	shape   shape
	weights string // f32 or q8
	mode    string // decode or prefill
	threads int
}

func (j job) tokens() int {
	if j.mode == "prefill" {
		return j.shape.prefill
	}
	return j.shape.decode
}

func (j job) String() string {
	return fmt.Sprintf("%s %s %s %s, threads: %d", j.engine, j.shape.name, j.weights, j.mode, j.threads)
}

// row is a line of the table: ours against theirs, or, without theirs, our share of the memory's read bandwidth.
type row struct {
	ours, theirs job
	share        bool
	target       float64 // the ratio, or share, that is to be reached
}

// name is what -only is matched with.
func (r row) name() string {
	other := "of read bandwidth"
	if !r.share {
		other = "vs " + r.theirs.engine
	}
	return fmt.Sprintf("%s %s %s %s, threads: %d", r.ours.weights, r.ours.mode, r.ours.shape.name, other, r.ours.threads)
}

// allRows are the rows of the table with their targets.
func allRows() []row {
	var rows []row
	add := func(weights, mode string, threads int, engine string, targets map[string]float64) {
		for _, s := range []shape{shape260K, shape15M, shape110M, shape1B} {
			if target, ok := targets[s.name]; ok {
				ours := job{"bootllama", s, weights, mode, threads}
				theirs := ours
				theirs.engine = engine
				rows = append(rows, row{ours: ours, theirs: theirs, target: target})
			}
		}
	}
	each := func(target float64) map[string]float64 {
		return map[string]float64{"15M": target, "110M": target, "1.1B": target}
	}
	add("f32", "decode", 2, "run.c", map[string]float64{"15M": 1.05, "110M": 1, "1.1B": 1})
	add("f32", "decode", 1, "run.c", map[string]float64{"260K": 1.5, "15M": 1.05, "110M": 1, "1.1B": 1})
	add("f32", "prefill", 2, "run.c", each(8))
	add("q8", "decode", 2, "runq.c", map[string]float64{"15M": 5, "110M": 2.1, "1.1B": 1.9})
	add("q8", "prefill", 2, "runq.c", each(15))
	add("q8", "decode", 2, "llama.cpp", map[string]float64{"15M": 2.5, "110M": 1.5, "1.1B": 1.15})
	add("q8", "prefill", 2, "llama.cpp", each(2))
	for _, weights := range []string{"f32", "q8"} {
		for _, s := range []shape{shape110M, shape1B} {
			rows = append(rows, row{ours: job{"bootllama", s, weights, "decode", 2}, share: true, target: 0.9})
		}
	}
	return rows
}

func selectRows(rows []row, only *regexp.Regexp) []row {
	return slices.DeleteFunc(rows, func(r row) bool { return !only.MatchString(r.name()) })
}

// possible are the rows for which there is at least one engine. Without ours a row still says how fast theirs is.
func possible(rows []row, e engines) []row {
	return slices.DeleteFunc(rows, func(r row) bool { return !e.has(r.ours) && (r.share || !e.has(r.theirs)) })
}

// groups are those jobs of rows for which there is a program, each once, those of one file of weights together.
func groups(rows []row, has func(job) bool) [][]job {
	type file struct{ shape, weights string }
	var files []file
	jobs := map[file][]job{}
	for _, r := range rows {
		f := file{r.ours.shape.name, r.ours.weights}
		if !slices.Contains(files, f) {
			files = append(files, f)
		}
		for _, j := range []job{r.ours, r.theirs} {
			if j.engine != "" && has(j) && !slices.Contains(jobs[f], j) {
				jobs[f] = append(jobs[f], j)
			}
		}
	}
	var list [][]job
	for _, f := range files {
		list = append(list, jobs[f])
	}
	return list
}
