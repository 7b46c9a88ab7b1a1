// Command fuzz runs the repository's fuzz targets, each until it has found nothing new for a time, and prints a line of
// each:
//
//	go run ./scripts/fuzz [-time 30m] [-rounds N] [-parallel N] [PATTERN]
//
// A target runs in rounds of that time, and ends with the first in which no input reached code that no other had reached.
// What reached any is kept in Go's cache (go clean -fuzzcache), so that a later run goes on from there. An input that fails
// is written to the package's testdata, as the testing package does it; the status is then 1.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
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
	round := flag.Duration("time", 30*time.Minute, "how long a target has to find nothing new")
	rounds := flag.Int("rounds", 0, "the most rounds of a target; 0: until one finds nothing new")
	parallel := flag.Int("parallel", runtime.GOMAXPROCS(0), "inputs that are tried at a time")
	flag.Parse()
	pattern, err := regexp.Compile(flag.Arg(0))
	if err != nil || flag.NArg() > 1 {
		fmt.Fprintln(os.Stderr, "fuzz: at most one argument, a regular expression of targets:", flag.Args())
		os.Exit(2)
	}
	targets, err := find(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
	status := 0
	for _, t := range targets {
		if !pattern.MatchString(t.String()) {
			continue
		}
		line, err := t.run(*round, *rounds, *parallel)
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
func (t target) run(round time.Duration, most, parallel int) (line string, err error) {
	begin, executions := time.Now(), 0
	for n := 1; ; n++ {
		out, err := t.round(round, parallel)
		took := time.Since(begin).Round(time.Second)
		r, ok := last(out)
		executions += r.executions
		switch {
		case err != nil:
			return fmt.Sprintf("FAILED after %v, %d executions", took, executions), fmt.Errorf("%s: %w\n%s", t, err, out)
		case !ok:
			return "no figures", fmt.Errorf("%s: go test has told nothing of what it did:\n%s", t, out)
		case r.found == 0:
			return fmt.Sprintf("nothing new in %v; %v, %d executions, %d inputs", round, took, executions, r.inputs), nil
		case n == most:
			return fmt.Sprintf("%d new in the last %v; %v, %d executions, %d inputs", r.found, round, took, executions, r.inputs), nil
		}
	}
}

// round runs a target once. The folder is the command's, since it may be one of another module. Inputs are made smaller a
// little only: with the default, a minute of each that is new, a target does hardly anything else.
func (t target) round(round time.Duration, parallel int) ([]byte, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", round.String(), "-fuzzminimizetime", "100x", "-parallel", strconv.Itoa(parallel), ".")
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
