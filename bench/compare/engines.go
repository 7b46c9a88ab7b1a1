package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// engines are where the programs and the models are. An empty path: it is not compared.
type engines struct{ bootllama, llama2c, llamacpp, models string }

// figure is what one run has measured.
type figure struct {
	tokS  float64
	share float64 // of the memory's read bandwidth; bootllama only
	gbS   float64 // bytes of weights read a second; bootllama only
	simd  string  // the instructions used; bootllama only
}

// has tells if the program for j is given.
func (e engines) has(j job) bool {
	switch j.engine {
	case "bootllama":
		return e.bootllama != ""
	case "run.c", "runq.c":
		return e.llama2c != ""
	}
	return e.llamacpp != ""
}

// files are those that are read or run for some rows.
func (e engines) files(rows []row) []string {
	var names []string
	for _, jobs := range groups(rows, e.has) {
		for _, j := range jobs {
			cmd := e.command(context.Background(), j)
			names = append(append(names, cmd.Path), cmd.Args...) // of the arguments, those that are files
		}
	}
	for _, dir := range []string{e.llama2c, e.llamacpp} {
		if dir != "" {
			names = append(names, filepath.Join(dir, "VERSION"))
		}
	}
	return names
}

// run measures j once.
func (e engines) run(ctx context.Context, j job) (figure, error) {
	cmd := e.command(ctx, j)
	var stdout, stderr bytes.Buffer
	cmd.Stderr = &stderr
	if j.engine == "bootllama" || j.engine == "llama.cpp" {
		cmd.Stdout = &stdout // run.c's is the text, of no use
	}
	if err := cmd.Run(); err != nil {
		return figure{}, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, end(stderr.Bytes()))
	}
	var f figure
	var err error
	switch j.engine {
	case "bootllama":
		f, err = bootllamaFigure(stdout.Bytes(), j)
	case "llama.cpp":
		f, err = llamaBenchFigure(stdout.Bytes(), j)
	default:
		f, err = runFigure(stderr.Bytes())
	}
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return f, nil
}

// command is the command line that measures j.
func (e engines) command(ctx context.Context, j job) *exec.Cmd {
	n, threads := strconv.Itoa(j.tokens()), strconv.Itoa(j.threads)
	model := func(f32, q8 string) string {
		return filepath.Join(e.models, j.shape.name+map[string]string{"f32": f32, "q8": q8}[j.weights])
	}
	prefill, decode := "0", n
	if j.mode == "prefill" {
		prefill, decode = n, "0"
	}
	switch j.engine {
	case "bootllama":
		if decode == "0" {
			decode = "1" // it decodes at least one, and times that apart
		}
		return exec.CommandContext(ctx, e.bootllama, "bench", model(".bin", ".q8.bin"), "--threads", threads,
			"--prefill", prefill, "--decode", decode, "--rounds", "1", "--json")
	case "llama.cpp":
		return exec.CommandContext(ctx, filepath.Join(e.llamacpp, "llama-bench"), "-m", model(".f32.gguf", ".q8_0.gguf"), "-t", threads,
			"-p", prefill, "-n", decode, "-r", "1", "-o", "json")
	}
	program := map[string]string{"run.c": "run", "runq.c": "runq"}[j.engine]
	if j.threads == 1 {
		program += "1"
	} else {
		program += "omp"
	}
	// run.c does not count the first position: with one more it counts as many as the others. It has no prefill: the tokens
	// of a prompt go through one at a time, with the logits of each. Each " a" is one token; there are more than will be used.
	args := []string{model(".bin", ".q8.bin"), "-z", filepath.Join(e.models, j.shape.tokenizer), "-t", "0", "-n", strconv.Itoa(j.tokens() + 1)}
	if j.mode == "prefill" {
		args = append(args, "-i", strings.TrimSpace(strings.Repeat("a ", j.tokens()+1)))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(e.llama2c, program), args...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS="+threads)
	return cmd
}

func bootllamaFigure(stdout []byte, j job) (figure, error) {
	r, err := parseResult(stdout)
	if err != nil {
		return figure{}, err
	}
	speed := r.Decode
	if j.mode == "prefill" {
		speed = r.Prefill
	}
	switch {
	case speed.Median <= 0:
		return figure{}, fmt.Errorf("bench did not measure %s", j.mode)
	case speed.Tokens != j.tokens():
		return figure{}, fmt.Errorf("bench measured %d tokens, not %d", speed.Tokens, j.tokens())
	case r.Threads != j.threads:
		return figure{}, fmt.Errorf("bench used %d threads, not %d", r.Threads, j.threads)
	}
	return figure{tokS: speed.Median, share: r.Share, gbS: speed.GBs, simd: r.SIMD}, nil
}

func llamaBenchFigure(stdout []byte, j job) (figure, error) {
	var tests []struct {
		Prompt    int     `json:"n_prompt"`
		Generated int     `json:"n_gen"`
		TokS      float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(stdout, &tests); err != nil {
		return figure{}, fmt.Errorf("llama-bench printed no JSON: %w", err)
	}
	if len(tests) != 1 || tests[0].Prompt+tests[0].Generated != j.tokens() || tests[0].TokS <= 0 {
		return figure{}, fmt.Errorf("llama-bench did not measure %d tokens: %+v", j.tokens(), tests)
	}
	return figure{tokS: tests[0].TokS}, nil
}

var achieved = regexp.MustCompile(`achieved tok/s: ([0-9.]+)`)

// runFigure reads what run.c and runq.c say.
func runFigure(stderr []byte) (figure, error) {
	m := achieved.FindSubmatch(stderr)
	if m == nil {
		return figure{}, fmt.Errorf("it did not say \"achieved tok/s\" but %s", end(stderr))
	}
	tokS, err := strconv.ParseFloat(string(m[1]), 64)
	return figure{tokS: tokS}, err
}

// version is the line that the person left in dir about what is there.
func version(dir string) string {
	if dir == "" {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil {
		return "" // nobody did
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}

// end is the end of what a program said.
func end(text []byte) string {
	const few = 400
	return strings.TrimSpace(string(text[max(0, len(text)-few):]))
}
