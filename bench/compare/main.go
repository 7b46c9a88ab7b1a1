// Command compare makes the README's table of speeds again: bootllama against llama2.c and llama.cpp, in turns, on this
// machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"bootllama/bench/internal/quiet"
	"bootllama/internal/file"
	"bootllama/internal/flags"
)

const help = `Usage: compare -models DIR [-bootllama FILE] [-llama2c DIR] [-llamacpp DIR] [options]

Runs bootllama and the programs it is compared with in turns (A B C A B C …, a warm-up first), each when the machine is
idle, again when another process took processor time meanwhile, and prints a Markdown table of the medians of each
round's ratios. Nothing is downloaded or built: what is not given is not compared.

  -bootllama FILE   the bootllama command (go build -o build/bootllama ./cmd/bootllama)
  -llama2c DIR      builds of karpathy/llama2.c without its stop at BOS (if (next == 1) { break; } in generate), since a
                    model of random weights may draw BOS at any time:
                      run1     gcc -Ofast -march=native           run.c -lm
                      runomp   gcc -Ofast -march=native -fopenmp  run.c -lm
                      runq1    gcc -Ofast -march=native           runq.c -lm
                      runqomp  gcc -Ofast -march=native -fopenmp  runq.c -lm
  -llamacpp DIR     llama-bench of llama.cpp (cmake -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON)
  -models DIR       15M, 110M and 1.1B, each as NAME.bin (llama2.c version 0), NAME.q8.bin (version 2) and NAME.q8_0.gguf;
                    260K.bin; tokenizer.bin (32000 pieces) and tok512.bin. Random weights will do.
                      260K  stories260K                           dim 64, 5 layers
                      15M   the shape of stories15M               dim 288, hidden 768, 6 layers, 6 heads
                      110M  the shape of stories110M              dim 768, hidden 2048, 12 layers, 12 heads
                      1.1B  the shape of TinyLlama, two embeddings  dim 2048, hidden 5632, 22 layers, 32/4 heads
  -rounds N         rounds (default 5)
  -only REGEXP      only the rows whose name matches, such as 'q8.*15M' (-list prints the names)
  -list             print the rows' names and end
  -patience D       wait so long for an idle machine before each run: seconds, or with a unit (default 20s)
  -retries N        repeat a disturbed run so often (default 3)
  -o FILE           write the table to FILE, too; as JSON with every figure if it ends in .json

A file VERSION in -llama2c or -llamacpp, one line such as a commit and compiler flags, is printed under the table.
Interrupted, it prints what it has so far.
Exit status: 0, 1 (something failed), 2 (usage).
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(compare(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options of the command.
type options struct {
	engines         engines
	rounds, retries int
	only            *regexp.Regexp
	list            bool
	patience        time.Duration
	output          string
}

func parse(args []string) (options, error) {
	o := options{only: regexp.MustCompile(""), patience: 20 * time.Second}
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	fs.StringVar(&o.engines.bootllama, "bootllama", "", "")
	fs.StringVar(&o.engines.llama2c, "llama2c", "", "")
	fs.StringVar(&o.engines.llamacpp, "llamacpp", "", "")
	fs.StringVar(&o.engines.models, "models", "", "")
	fs.IntVar(&o.rounds, "rounds", 5, "")
	fs.IntVar(&o.retries, "retries", 3, "")
	fs.Func("only", "", func(s string) (err error) {
		o.only, err = regexp.Compile(s)
		return err
	})
	fs.BoolVar(&o.list, "list", false, "")
	fs.Func("patience", "", func(s string) (err error) {
		if o.patience, err = time.ParseDuration(s); err != nil {
			o.patience, err = time.ParseDuration(s + "s")
		}
		if err != nil {
			err = errors.New("want seconds, or a time with a unit, such as 90s or 5m")
		}
		return err
	})
	fs.StringVar(&o.output, "o", "", "")
	operands, err := flags.Parse(fs, args)
	switch {
	case err != nil:
	case len(operands) > 0:
		err = fmt.Errorf("no operands are expected: %q", operands)
	case o.list:
	case o.engines.models == "":
		err = errors.New("no -models DIR")
	case o.engines == engines{models: o.engines.models}:
		err = errors.New("nothing to run: give -bootllama, -llama2c or -llamacpp")
	case o.rounds < 1 || o.retries < 0:
		err = errors.New("want -rounds 1 or more and -retries 0 or more")
	}
	return o, err
}

// compare is the command; it returns the exit status.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "compare: %v (-h lists the options)\n", err)
		return 2
	}
	rows := selectRows(allRows(), o.only)
	if o.list {
		for _, r := range rows {
			fmt.Fprintln(stdout, r.name())
		}
		return 0
	}
	if rows = possible(rows, o.engines); len(rows) == 0 {
		fmt.Fprintln(stderr, "compare: no rows are left of those that -only names and the given programs can fill")
		return 2
	}
	if o.output != "" {
		if err := file.Check(o.output, o.engines.files(rows)...); err != nil {
			fmt.Fprintf(stderr, "compare: %v\n", err)
			return 1
		}
	}
	q := &quiet.Runner{Patience: o.patience, Retries: o.retries, Log: stderr}
	figures, failures := measure(ctx, groups(rows, o.engines.has), o.rounds, o.engines.run, q, stderr)
	report := newReport(rows, figures, q.Disturbed, o.engines)
	if err := write(report, o.output, stdout); err != nil {
		failures = errors.Join(failures, err)
	}
	if failures != nil {
		fmt.Fprintf(stderr, "compare: %v\n", failures)
		return 1
	}
	return 0
}

// measure runs the jobs of each group in turns, once a round, and returns what each has measured. One model is measured
// after the other, so that the two sides of a ratio are close in time and the files stay in memory. A job that fails is
// not run again; the others go on.
func measure(ctx context.Context, groups [][]job, rounds int, run func(context.Context, job) (figure, error), q *quiet.Runner,
	progress io.Writer) (map[job][]figure, error) {
	figures := map[job][]figure{}
	var failures error
	for _, jobs := range groups {
		failed := map[job]bool{}
		for round := 0; round <= rounds; round++ { // round 0 is the warm-up
			for _, j := range jobs {
				if failed[j] {
					continue
				}
				var f figure
				err := q.Run(ctx, j.String(), func(ctx context.Context) (err error) {
					f, err = run(ctx, j)
					return err
				})
				if ctx.Err() != nil {
					return figures, errors.Join(failures, context.Cause(ctx))
				}
				if err != nil {
					failed[j] = true
					failures = errors.Join(failures, fmt.Errorf("%v: %w", j, err))
					continue
				}
				fmt.Fprintf(progress, "round %d of %d: %v: %.1f tok/s\n", round, rounds, j, f.tokS)
				if round > 0 {
					figures[j] = append(figures[j], f)
				}
			}
		}
	}
	return figures, failures
}

// write prints the table and writes it to a file if one is named.
func write(r report, output string, stdout io.Writer) error {
	text := r.markdown()
	if _, err := io.WriteString(stdout, text); err != nil || output == "" {
		return err
	}
	if strings.EqualFold(filepath.Ext(output), ".json") {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		text = string(b) + "\n"
	}
	return file.Write(output, []byte(text))
}
