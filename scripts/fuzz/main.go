// Command fuzz runs the repository's fuzz targets, each until it has reached no new code for a time, and prints a line of
// each:
//
//	go run ./scripts/fuzz [-time 30m] [-rounds N] [-parallel N] [PATTERN]
//	go run ./scripts/fuzz -keep [PATTERN]
//
// A target runs in rounds of that time, and ends with the first in which no input reached code that no other had reached.
// The testing package's own count has also those that ran the same code a different number of times: there is hardly an
// end to them. All of them are kept in Go's cache (go clean -fuzzcache), so that a later run goes on from there. An input
// that fails is written to the package's testdata, as the testing package does it; the status is then 1.
//
// -keep runs no target: it copies to testdata the few small inputs of the cache that reach code which the others do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// target is a fuzz target: its folder and its name.
type target struct{ folder, name string }

// String is what PATTERN is compared with.
func (t target) String() string { return t.folder + " " + t.name }

func main() {
	round := flag.Duration("time", 30*time.Minute, "how long a target has to reach no new code")
	rounds := flag.Int("rounds", 0, "the most rounds of a target; 0: until one reaches no new code")
	parallel := flag.Int("parallel", runtime.GOMAXPROCS(0), "inputs that are tried at a time")
	keep := flag.Bool("keep", false, "copy inputs from the cache to testdata instead")
	flag.Parse()
	pattern, err := regexp.Compile(flag.Arg(0))
	if err != nil || flag.NArg() > 1 {
		fmt.Fprintln(os.Stderr, "fuzz: at most one argument, a regular expression of targets:", flag.Args())
		os.Exit(2)
	}
	// What was laid into testdata is taken away after Ctrl-C, too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	targets, err := find(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
	status := 0
	for _, t := range targets {
		if ctx.Err() != nil {
			break
		}
		if !pattern.MatchString(t.String()) {
			continue
		}
		line, err := t.with(ctx, func(c *corpus) (string, error) {
			if *keep {
				return c.keep(ctx)
			}
			return c.run(ctx, *round, *rounds, *parallel)
		})
		if err != nil {
			line = "FAILED " + line
		}
		fmt.Printf("%s: %s\n", t, line)
		if err != nil {
			fmt.Fprintln(os.Stderr, "fuzz:", err)
			status = 1
		}
	}
	os.Exit(status)
}

var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// find returns the targets in a folder and below, in the order of their files.
func find(root string) (targets []target, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "build"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, m := range declaration.FindAllSubmatch(source, -1) {
			targets = append(targets, target{filepath.Dir(path), string(m[1])})
		}
		return err
	})
	return targets, err
}

// run runs a target in rounds, and says what came out. The error has what the target wrote, if it failed.
func (c *corpus) run(ctx context.Context, round time.Duration, most, parallel int) (line string, err error) {
	reached, err := c.reach(ctx, c.inputs, false)
	if err != nil {
		return "", err
	}
	begin, executions := time.Now(), 0
	for n := 1; ; n++ {
		out, err := c.round(ctx, round, parallel)
		took := time.Since(begin).Round(time.Second)
		r, ok := last(out)
		executions += r.executions
		if err != nil {
			return fmt.Sprintf("after %v, %d executions", took, executions), fmt.Errorf("%s: %w\n%s", c, err, out)
		}
		if !ok {
			return "", fmt.Errorf("%s: go test has told nothing of what it did:\n%s", c, out)
		}
		before := reached
		if err := c.read(ctx); err != nil {
			return "", err
		}
		if reached, err = c.reach(ctx, c.inputs, false); err != nil {
			return "", err
		}
		found := reached.beyond(before)
		if found == 0 || n == most {
			return fmt.Sprintf("%d new pieces of code and %d new counts in the last %v; %v, %d executions, %d inputs, %d pieces",
				found, r.found, round, took, executions, r.inputs, len(reached)), nil
		}
	}
}

// round runs a target once. The folder is the command's, since it may be one of another module. Inputs are made smaller a
// little only: with the default, a minute of each that is new, a target does hardly anything else.
func (t target) round(ctx context.Context, round time.Duration, parallel int) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", round.String(), "-fuzzminimizetime", "100x", "-parallel", strconv.Itoa(parallel), ".")
	cmd.Dir = t.folder
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return out, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	return out, err
}

// figures are those of a line that go test prints now and then.
type figures struct{ executions, found, inputs int }

var progress = regexp.MustCompile(`fuzz: elapsed: \S+, execs: (\d+) \(\d+/sec\), new interesting: (\d+) \(total: (\d+)\)`)

// last returns the figures of the last such line.
func last(out []byte) (f figures, ok bool) {
	lines := progress.FindAllSubmatch(out, -1)
	if len(lines) == 0 {
		return f, false
	}
	m := lines[len(lines)-1]
	for i, dst := range []*int{&f.executions, &f.found, &f.inputs} {
		*dst, _ = strconv.Atoi(string(m[1+i])) // the pattern has digits
	}
	return f, true
}
