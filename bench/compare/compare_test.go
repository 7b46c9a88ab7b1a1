package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"bootllama/bench/internal/quiet"
)

var all = regexp.MustCompile("")

func everything(job) bool { return true }

// TestRows: names are distinct, and both sides of a row do the same work.
func TestRows(t *testing.T) {
	rows := allRows()
	if len(rows) != 26 {
		t.Errorf("%d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.name()] {
			t.Errorf("two rows %q", r.name())
		}
		seen[r.name()] = true
		same := r.theirs
		same.engine = r.ours.engine
		if !r.share && same != r.ours || r.share && r.theirs != (job{}) {
			t.Errorf("%s: %v against %v", r.name(), r.ours, r.theirs)
		}
		if r.ours.tokens() < 1 {
			t.Errorf("%s: %d tokens", r.name(), r.ours.tokens())
		}
	}
}

func TestSelect(t *testing.T) {
	rows := selectRows(allRows(), regexp.MustCompile(`q8 decode 15M`))
	var names []string
	for _, r := range rows {
		names = append(names, r.name())
	}
	want := []string{"q8 decode 15M vs runq.c, threads: 2", "q8 decode 15M vs llama.cpp, threads: 2"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if n := len(possible(allRows(), engines{llamacpp: "x"})); n != 6 {
		t.Errorf("with llama.cpp alone %d rows, want 6", n)
	}
	if n := len(possible(allRows(), engines{bootllama: "x"})); n != 26 {
		t.Errorf("with bootllama alone %d rows, want all", n)
	}
}

// TestGroups: every job once, one file of weights a group.
func TestGroups(t *testing.T) {
	seen := map[job]bool{}
	for _, jobs := range groups(allRows(), everything) {
		for _, j := range jobs {
			if seen[j] {
				t.Errorf("%v twice", j)
			}
			seen[j] = true
			if j.shape != jobs[0].shape || j.weights != jobs[0].weights {
				t.Errorf("%v and %v in one group", jobs[0], j)
			}
		}
	}
	for _, r := range allRows() {
		if !seen[r.ours] || !r.share && !seen[r.theirs] {
			t.Errorf("%s is not measured", r.name())
		}
	}
}

func TestCommand(t *testing.T) {
	e := engines{"b", "c", "p", "m"}
	for want, j := range map[string]job{
		"b bench m/15M.bin --threads 1 --prefill 0 --decode 255 --rounds 1 --json":          {"bootllama", shape15M, "f32", "decode", 1},
		"b bench m/1.1B.q8.bin --threads 2 --prefill 64 --decode 1 --rounds 1 --json":       {"bootllama", shape1B, "q8", "prefill", 2},
		"p/llama-bench -m m/110M.q8_0.gguf -t 2 -p 256 -n 0 -r 1 -o json":                   {"llama.cpp", shape110M, "q8", "prefill", 2},
		"c/run1 m/260K.bin -z m/tok512.bin -t 0 -n 512":                                     {"run.c", shape260K, "f32", "decode", 1},
		"c/runqomp m/110M.q8.bin -z m/tokenizer.bin -t 0 -n 128":                            {"runq.c", shape110M, "q8", "decode", 2},
		"c/runomp m/1.1B.bin -z m/tokenizer.bin -t 0 -n 65 -i a" + strings.Repeat(" a", 64): {"run.c", shape1B, "f32", "prefill", 2},
	} {
		cmd := e.command(t.Context(), j)
		if got := filepath.ToSlash(strings.Join(cmd.Args, " ")); got != want {
			t.Errorf("%v:\n got %s\nwant %s", j, got, want)
		}
		if threads := fmt.Sprint("OMP_NUM_THREADS=", j.threads); j.engine[:3] == "run" && !slices.Contains(cmd.Env, threads) {
			t.Errorf("%v: no %s", j, threads)
		}
	}
}

func TestFigures(t *testing.T) {
	j := job{"bootllama", shape15M, "q8", "decode", 2}
	f, err := bootllamaFigure([]byte(`{"threads":2,"simd":"avx2","decode":{"tokens":255,"tok_s":[50],"median":50,"gb_s":30},"share":0.9}`), j)
	if want := (figure{50, 0.9, 30, "avx2"}); f != want || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", `{"threads":1,"decode":{"tokens":255,"median":50}}`, `{"threads":2,"decode":{"tokens":254,"median":50}}`,
		`{"threads":2,"prefill":{"tokens":255,"median":50}}`} {
		if _, err := bootllamaFigure([]byte(bad), j); err == nil {
			t.Errorf("bench %q: no error", bad)
		}
	}
	f, err = llamaBenchFigure([]byte(`[{"n_prompt":0,"n_gen":255,"avg_ts":1234.5}]`), j)
	if f.tokS != 1234.5 || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "[]", `[{"n_gen":128,"avg_ts":1}]`} {
		if _, err := llamaBenchFigure([]byte(bad), j); err == nil {
			t.Errorf("llama-bench %q: no error", bad)
		}
	}
	if f, err = runFigure([]byte("x\nachieved tok/s: 526.000000\n")); f.tokS != 526 || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"Couldn't open file", "achieved tok/s: inf"} { // less than a millisecond
		if _, err := runFigure([]byte(bad)); err == nil {
			t.Errorf("run.c %q: no error", bad)
		}
	}
}

// TestMeasure: a warm-up that does not count, then A B C A B C; who fails is left out and the others go on.
func TestMeasure(t *testing.T) {
	a, b, c := job{engine: "a"}, job{engine: "b"}, job{engine: "c"}
	var order string
	failure := errors.New("failure")
	run := func(_ context.Context, j job) (figure, error) {
		order += j.engine
		if j == b {
			return figure{}, failure
		}
		return figure{tokS: float64(len(order))}, nil
	}
	q := &quiet.Runner{Log: io.Discard}
	figures, err := measure(t.Context(), [][]job{{a, b}, {c}}, 2, run, q, io.Discard)
	if order != "abaaccc" || !errors.Is(err, failure) {
		t.Errorf("order %s, %v", order, err)
	}
	want := map[job][]figure{a: {{tokS: 3}, {tokS: 4}}, c: {{tokS: 6}, {tokS: 7}}}
	if !maps.EqualFunc(figures, want, slices.Equal) {
		t.Errorf("%v", figures)
	}
}

func TestReport(t *testing.T) {
	rows := selectRows(allRows(), regexp.MustCompile("q8 decode (15M|110M)"))
	tokS := func(values ...float64) (list []figure) {
		for _, v := range values {
			list = append(list, figure{tokS: v, share: 0.93, gbS: 31})
		}
		return list
	}
	figures := map[job][]figure{}
	for _, r := range rows {
		if r.ours.shape == shape15M {
			figures[r.ours] = tokS(1000, 900, 1100)
			figures[r.theirs] = tokS(300, 300, 600)
		} else {
			figures[r.ours] = tokS(8)
		}
	}
	got := newReport(rows, figures, 1, engines{})
	got.Machine, got.Date = "MACHINE", "DATE"
	want := `| | bootllama | other | ratio [min..max] |
|---|---|---|---|
| q8 decode 15M vs runq.c, threads: 2 | 1000 | 300 | 3.00 [1.83..3.33] |
| q8 decode 110M vs runq.c, threads: 2 | 8.00 |  |  |
| q8 decode 15M vs llama.cpp, threads: 2 | 1000 | 300 | 3.00 [1.83..3.33] |
| q8 decode 110M vs llama.cpp, threads: 2 | 8.00 |  |  |
| q8 decode 110M of read bandwidth, threads: 2 | 31.0 GB/s |  | 93 % [93..93] |

Tok/s; medians of 3 interleaved rounds, ratios within a round. MACHINE; DATE. 1 runs were disturbed by other processes in every try.
`
	if text := got.markdown(); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-models", "m"}, {"-models", "m", "-bootllama", "b", "x"}, {"-only", "("},
		{"-models", "m", "-bootllama", "b", "-rounds", "0"}, {"-models", "m", "-bootllama", "b", "-only", "nothing"}, {"-patience", "soon"}, {"--modelz", "m"}} {
		var stderr strings.Builder
		if status := compare(t.Context(), args, io.Discard, &stderr); status != 2 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %q", args, status, stderr.String())
		}
	}
}

// TestEndToEnd: programs that only pretend go the whole way to a file.
func TestEndToEnd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the pretended programs are shell scripts")
	}
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("bootllama", "#!/bin/sh\n"+`echo '{"threads":2,"simd":"none","decode":{"tokens":255,"tok_s":[60],"median":60}}'`+"\n")
	put("runqomp", "#!/bin/sh\necho some text\necho 'achieved tok/s: 10.0' >&2\n")
	put("VERSION", "350e04f, gcc\n")
	output := filepath.Join(dir, "out.json")
	var stdout, stderr strings.Builder
	status := compare(t.Context(), []string{"-bootllama", filepath.Join(dir, "bootllama"), "-llama2c", dir, "-models", dir, "-rounds", "2",
		"-patience", "0", "-retries", "0", "-only", "q8 decode 15M vs runq", "-o", output}, &stdout, &stderr)
	if status != 0 || !strings.Contains(stdout.String(), "| 60.0 | 10.0 | 6.00 [6.00..6.00] |") {
		t.Errorf("status %d\n%s%s", status, stdout.String(), stderr.String())
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	// The output is none of the files that are read.
	put("15M.q8.bin", "a model")
	for _, name := range []string{"bootllama", "runqomp", "VERSION", "15M.q8.bin", "sub/../15M.q8.bin"} {
		name = filepath.Join(dir, name)
		var stderr strings.Builder
		status := compare(t.Context(), []string{"-bootllama", filepath.Join(dir, "bootllama"), "-llama2c", dir, "-models", dir, "-rounds", "1",
			"-patience", "0s", "-retries", "0", "-only", "q8 decode 15M vs runq", "-o", name}, io.Discard, &stderr)
		if status != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "which is read: ") {
			t.Errorf("%s: status %d, %q", name, status, stderr.String())
		}
	}
	if len(r.Rows) != 1 || !slices.Equal(r.Rows[0].Ratios, []float64{6, 6}) || r.Versions["llama2.c"] != "350e04f, gcc" || r.SIMD != "none" {
		t.Errorf("%s", text)
	}
}
