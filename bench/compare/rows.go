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
}

// name is what -only is matched with.
func (r row) name() string {
	other := "of read bandwidth"
	if !r.share {
		other = "vs " + r.theirs.engine
	}
	return fmt.Sprintf("%s %s %s %s, threads: %d", r.ours.weights, r.ours.mode, r.ours.shape.name, other, r.ours.threads)
}

// allRows are the rows of the table.
func allRows() []row {
	var rows []row
	add := func(weights, mode string, threads int, engine string, shapes ...shape) {
		for _, s := range shapes {
			ours := job{"bootllama", s, weights, mode, threads}
			theirs := ours
			theirs.engine = engine
			rows = append(rows, row{ours: ours, theirs: theirs})
		}
	}
	add("f32", "decode", 2, "run.c", shape15M, shape110M, shape1B)
	add("f32", "decode", 1, "run.c", shape260K, shape15M, shape110M, shape1B)
	add("f32", "prefill", 2, "run.c", shape15M, shape110M, shape1B)
	add("q8", "decode", 2, "runq.c", shape15M, shape110M, shape1B)
	add("q8", "prefill", 2, "runq.c", shape15M, shape110M, shape1B)
	add("q8", "decode", 2, "llama.cpp", shape15M, shape110M, shape1B)
	add("q8", "prefill", 2, "llama.cpp", shape15M, shape110M, shape1B)
	for _, weights := range []string{"f32", "q8"} {
		for _, s := range []shape{shape110M, shape1B} {
			rows = append(rows, row{ours: job{"bootllama", s, weights, "decode", 2}, share: true})
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
