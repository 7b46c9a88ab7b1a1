//go:build unix

// Command mutants tries the tests: it changes one small thing of the code at a time, as a slip of the hand would, and
// runs the tests that should notice.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const help = `Usage: mutants -o FILE [-C DIR] [options]

Makes N mutants of the code in DIR, a working tree that must not change meanwhile, and runs for each the tests that can
see it, until one fails. The changes are made in a copy beside DIR. What came of a mutant is a line of FILE; a
mutant that FILE has is not tried again, so that an interrupted run goes on where it was.

  -C DIR        the repository (default .)
  -n N          how many mutants that compile (default 200)
  -seed S       which ones (default 1): a seed draws the same mutants from the same code
  -rooms LIST   of which rooms, separated by commas (default all: see tests.go)
  -files REGEXP of which files of these rooms
  -kinds LIST   of which kinds: condition, constant, statement, error, operand, return, register (default all)
  -vm COMMAND   starts the tests that start virtual machines, such as 'flock FILE'; "" (default): these are left out
  -list         prints the mutants and ends
  -o FILE       the results, JSON lines

Prints the mutants that survived, and how many were noticed. Exit status: 0, 1 (something failed), 2 (usage).
`

// options of the command.
type options struct {
	dir, output, vm string
	n               int
	seed            uint64
	rooms           []string
	files           *regexp.Regexp
	kinds           []string // empty: all
	list            bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(help)
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "mutants: %v (-h lists the options)\n", err)
		os.Exit(2)
	}
	if err := mutants(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var only, files, some string
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.dir, "C", ".", "")
	flags.StringVar(&o.output, "o", "", "")
	flags.StringVar(&o.vm, "vm", "", "")
	flags.IntVar(&o.n, "n", 200, "")
	flags.Uint64Var(&o.seed, "seed", 1, "")
	flags.StringVar(&only, "rooms", "", "")
	flags.StringVar(&files, "files", "", "")
	flags.StringVar(&some, "kinds", "", "")
	flags.BoolVar(&o.list, "list", false, "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.files, err = regexp.Compile(files); err != nil {
		return o, err
	}
	if some != "" {
		o.kinds = strings.Split(some, ",")
	}
	for _, k := range o.kinds {
		if !slices.Contains(kinds, kind(k)) {
			return o, fmt.Errorf("-kinds %s: %q is none", some, k)
		}
	}
	for _, r := range rooms {
		if only == "" || slices.Contains(strings.Split(only, ","), r.folder) {
			o.rooms = append(o.rooms, r.folder)
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q: no operands", flags.Args())
	case only != "" && len(o.rooms) != strings.Count(only, ",")+1:
		return o, fmt.Errorf("-rooms %s: not all of these are rooms", only)
	case o.output == "" && !o.list:
		return o, errors.New("-o names the file of the results")
	}
	return o, nil
}

// mutant is one change of one file.
type mutant struct {
	Room, File    string // File is relative to the repository
	Line          int
	Kind          kind
	Before, After string

	at int // the offset of Before in File
}

func (m mutant) String() string {
	short := func(s string) string { return fmt.Sprintf("%.90q", strings.Join(strings.Fields(s), " ")) }
	return fmt.Sprintf("%s:%d: %s: %s -> %s", m.File, m.Line, m.Kind, short(m.Before), short(m.After))
}

// result is what became of a mutant.
type result struct {
	Mutant mutant
	Result outcome
	By     string // the test that noticed it
}

type outcome string

const (
	noticed     outcome = "noticed"
	survived    outcome = "survived"
	notCompiled outcome = "not compiled"
)

// mutants is the command.
func mutants(ctx context.Context, o options, stdout, stderr io.Writer) error {
	var all []mutant
	for _, r := range o.rooms {
		ms, err := roomMutants(o.dir, r, o.files)
		if err != nil {
			return err
		}
		all = append(all, ms...)
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return len(o.kinds) > 0 && !slices.Contains(o.kinds, string(m.Kind)) })
	all = draw(all, o.seed)
	if o.list {
		for _, m := range all[:min(o.n, len(all))] {
			fmt.Fprintln(stdout, m)
		}
		return nil
	}
	known, err := readResults(o.output)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := clone(o.dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(copied)
	t := &tester{dir: copied, vm: o.vm, limits: map[string]time.Duration{}}
	var results []result
	for _, m := range all {
		if compiled := len(results); compiled == o.n {
			break
		}
		r, ok := known[m.String()]
		if !ok {
			if r, err = t.try(ctx, m); err != nil {
				return err
			}
			if err := json.NewEncoder(f).Encode(r); err != nil {
				return err
			}
			fmt.Fprintf(stderr, "%d %s %s %s\n", len(results)+1, r.Result, m, r.By)
		}
		if r.Result != notCompiled {
			results = append(results, r)
		}
	}
	return report(stdout, results)
}

// draw puts mutants into an order that depends on seed alone: kinds in turns, so that the many constants of a table do
// not crowd out the few statements that handle errors.
func draw(all []mutant, seed uint64) (drawn []mutant) {
	byKind := map[kind][]mutant{}
	for _, m := range all {
		byKind[m.Kind] = append(byKind[m.Kind], m)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, k := range kinds {
		rng.Shuffle(len(byKind[k]), func(i, j int) { byKind[k][i], byKind[k][j] = byKind[k][j], byKind[k][i] })
	}
	for len(drawn) < len(all) {
		for _, k := range kinds {
			if ms := byKind[k]; len(ms) > 0 {
				drawn, byKind[k] = append(drawn, ms[0]), ms[1:]
			}
		}
	}
	return drawn
}

// readResults reads what came of earlier runs, by mutant.
func readResults(name string) (map[string]result, error) {
	known := map[string]result{}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	for d := json.NewDecoder(bytes.NewReader(b)); err == nil; {
		var r result
		if err = d.Decode(&r); err == nil {
			known[r.Mutant.String()] = r
		}
	}
	if err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return known, nil
}

func report(w io.Writer, results []result) error {
	b := bufio.NewWriter(w)
	count := map[outcome]int{}
	for _, r := range results {
		if count[r.Result]++; r.Result == survived {
			fmt.Fprintln(b, r.Result, r.Mutant)
		}
	}
	fmt.Fprintf(b, "%d mutants: %d noticed, %d survived\n", len(results), count[noticed], count[survived])
	return b.Flush()
}

// tester runs the tests.
type tester struct {
	dir, vm string
	limits  map[string]time.Duration // of each check, from a run on the code as it is
}

// try builds a mutant and runs the tests that can see it.
func (t *tester) try(ctx context.Context, m mutant) (result, error) {
	r := result{Mutant: m, Result: survived}
	for _, c := range checksOf(m.Room) {
		if c.vm && t.vm == "" {
			continue
		}
		if _, ok := t.limits[c.String()]; !ok {
			start := time.Now()
			if out, err := t.run(ctx, c, 30*time.Minute); err != nil {
				return r, fmt.Errorf("%s fails without a mutant: %w\n%s", c, err, out)
			}
			t.limits[c.String()] = 4*time.Since(start) + 30*time.Second
		}
		undo, err := m.apply(t.dir)
		if err != nil {
			return r, err
		}
		out, err := t.run(ctx, c, t.limits[c.String()])
		if e := undo(); e != nil {
			return r, e
		}
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case err == nil:
			continue
		case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
			r.Result = notCompiled
			return r, nil
		}
		r.Result, r.By = noticed, c.String()
		if found := failure.FindSubmatch(out); found != nil {
			r.By += " " + string(found[1])
		}
		return r, nil
	}
	return r, nil
}

var failure = regexp.MustCompile(`(?m)^(?:--- FAIL: |panic: |fatal error: )(\S+(?: \S+)?)`)

// apply makes the change in a copy of the repository, and returns what takes it back.
func (m mutant) apply(dir string) (undo func() error, err error) {
	name := filepath.Join(dir, m.File)
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(src[min(m.at, len(src)):], []byte(m.Before)) {
		return nil, fmt.Errorf("%s has changed", m.File)
	}
	changed := slices.Concat(src[:m.at], []byte(m.After), src[m.at+len(m.Before):])
	return func() error { return os.WriteFile(name, src, 0o644) }, os.WriteFile(name, changed, 0o644)
}

// clone copies a repository to a folder beside it, without what git and builds keep there: tests look for ../shared. It is a
// copy, and not an overlay of the go command's, since tests build EFI applications with an environment of their own.
func clone(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	copied, err := os.MkdirTemp(filepath.Dir(dir), "mutants-")
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		switch to := filepath.Join(copied, inside); {
		case err != nil:
			return err
		case inside == ".git" || inside == "build":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case !d.Type().IsRegular():
			return nil
		default:
			return copyFile(to, path)
		}
	})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(copied))
	}
	return copied, nil
}

func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode())
}

// run runs a check and ends it, and what it started, after limit.
func (t *tester) run(ctx context.Context, c check, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := append([]string{"go", "test", "-failfast"}, c.args...)
	if c.vm { // what the machines run is nothing that go test knows of
		args = append(args, "-count=1")
	}
	if c.vm {
		args = append(strings.Fields(t.vm), args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = t.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd.CombinedOutput()
}
