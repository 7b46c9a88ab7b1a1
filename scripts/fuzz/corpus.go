package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// largest is the size of an input, in bytes, beyond which it stays in Go's cache: what is kept travels with the repository.
const largest = 4 << 10

// blocks are the pieces of code that a run has reached, each as a line of a coverage profile.
type blocks map[string]bool

// beyond returns how many of them are not among others.
func (b blocks) beyond(others blocks) (n int) {
	for block := range b {
		if !others[block] {
			n++
		}
	}
	return n
}

// input is one of Go's cache.
type input struct {
	name string // of its file
	text []byte
}

// corpus is a target, the program of its package's tests, and what there is to try.
type corpus struct {
	target
	program string
	inputs  []input // those of Go's cache that testdata does not have
}

// with builds the target's tests, reads what Go's cache has, and says what comes of it.
func (t target) with(ctx context.Context, do func(c *corpus) (line string, err error)) (line string, err error) {
	temp, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	module, err := t.output(ctx, "go", "list", "-m")
	if err != nil {
		return "", err
	}
	c := &corpus{target: t, program: filepath.Join(temp, "test")}
	if _, err := t.output(ctx, "go", "test", "-c", "-coverpkg", module+"/...", "-o", c.program, "."); err != nil {
		return "", err
	}
	if err := c.read(ctx); err != nil {
		return "", err
	}
	return do(c)
}

// read reads what Go's cache has now.
func (c *corpus) read(ctx context.Context) error {
	cache, err := c.output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	pkg, err := c.output(ctx, "go", "list", ".")
	if err != nil {
		return err
	}
	folder := filepath.Join(cache, "fuzz", pkg, c.name)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it does not exist before the target has run
		return err
	}
	c.inputs = nil
	for _, e := range entries {
		if _, err := os.Stat(c.path(e.Name())); err == nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		c.inputs = append(c.inputs, input{e.Name(), text})
	}
	return nil
}

// path is where go test looks for an input.
func (t target) path(name string) string {
	return filepath.Join(t.folder, "testdata", "fuzz", t.name, name)
}

// write writes an input to testdata. A file that is there is not replaced.
func (t target) write(in input) error {
	path := t.path(in.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(in.text)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// reach runs the target with its seeds and what testdata has, or with one input alone, and returns what that reaches. go
// test tries no inputs but those of testdata: they lie there meanwhile. What becomes empty when they are taken away goes, too.
func (c *corpus) reach(ctx context.Context, inputs []input, alone bool) (blocks, error) {
	pattern := "^" + c.name + "$"
	if alone {
		pattern += "/^" + inputs[0].name + "$"
	}
	for _, in := range inputs {
		if err := c.write(in); err != nil {
			return nil, err
		}
		defer func() {
			for path := c.path(in.name); os.Remove(path) == nil; {
				path = filepath.Dir(path)
			}
		}()
	}
	profile := c.program + ".cover"
	switch _, err := c.output(ctx, c.program, "-test.run", pattern, "-test.coverprofile", profile); {
	case err != nil && strings.Contains(err.Error(), "mismatched types"):
		return nil, fmt.Errorf("%w\nAn input of Go's cache is older than the target's arguments: go clean -fuzzcache removes all inputs.", err)
	case err != nil:
		return nil, err
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	reached := blocks{}
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(line, " 1\n") { // the mode is "set": a block was reached or was not
			reached[line] = true
		}
	}
	return reached, nil
}

// keep copies inputs from Go's cache to the package's testdata, where go test tries them each time: as few small ones as
// reach all the code of the module that any of them does and that the target's seeds, and what testdata has, do not.
func (c *corpus) keep(ctx context.Context) (line string, err error) {
	reached, err := c.reach(ctx, nil, false)
	if err != nil {
		return "", err
	}
	small := slices.DeleteFunc(c.inputs, func(in input) bool { return len(in.text) > largest })
	reach := map[string]blocks{}
	for _, in := range small {
		if reach[in.name], err = c.reach(ctx, []input{in}, true); err != nil {
			return "", err
		}
	}
	before, kept, size := len(reached), 0, 0
	for len(small) > 0 {
		best := slices.MaxFunc(small, func(a, b input) int {
			return cmp.Or(cmp.Compare(reach[a.name].beyond(reached), reach[b.name].beyond(reached)), cmp.Compare(len(b.text), len(a.text)))
		})
		if reach[best.name].beyond(reached) == 0 {
			break
		}
		if err := c.write(best); err != nil {
			return "", err
		}
		maps.Copy(reached, reach[best.name])
		kept++
		size += len(best.text)
	}
	return fmt.Sprintf("%d inputs kept, %d bytes, of %d small ones; %d pieces of code reached, %d before", kept, size, len(small), len(reached), before), nil
}

// output runs a command in the target's folder, which may be one of another module, and returns what it printed, without
// the last line feed.
func (t target) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.folder
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%v: %w\n%s%s", cmd.Args, err, out, exit.Stderr)
	} else if err != nil {
		return "", fmt.Errorf("%v: %w", cmd.Args, err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
