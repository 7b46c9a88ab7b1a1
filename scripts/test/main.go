// Command test runs `go test` with its arguments, prints what go test prints of packages and failures, and ends with the
// tests that were skipped, each with its reason, and the count of all: a test that did not run must be seen.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
	failed, err := report(stdout, os.Stdout)
	if err = errors.Join(err, cmd.Wait()); err != nil || failed {
		fmt.Fprintln(os.Stderr, "test: failed:", err)
		os.Exit(1)
	}
}

// event is one of go test's (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// report copies what matters of events to w and counts. It tells if something failed, or if no test passed at all.
func report(events io.Reader, w io.Writer) (failed bool, err error) {
	var passes, failures int
	var skips []string
	said := map[[2]string]*strings.Builder{} // by package and test
	out := bufio.NewWriter(w)
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil { // go's own words
			fmt.Fprintf(out, "%s\n", lines.Bytes())
			continue
		}
		key := [2]string{e.Package, e.Test}
		if said[key] == nil {
			said[key] = &strings.Builder{}
		}
		switch {
		case e.Action == "build-output", e.Action == "output" && e.Test == "" && e.Output != "PASS\n":
			out.WriteString(e.Output)
		case e.Action == "output":
			said[key].WriteString(e.Output)
		case e.Action == "fail":
			failed = true
			if e.Test != "" {
				failures++
				out.WriteString(said[key].String())
			}
		case e.Action == "pass" && e.Test != "":
			passes++
		case e.Action == "skip" && e.Test != "":
			skips = append(skips, e.Package+" "+reason(e.Test, said[key].String()))
		}
		if err := out.Flush(); err != nil {
			return true, err
		}
	}
	if len(skips) > 0 {
		fmt.Fprintf(out, "\nSKIPPED, so not tested here:\n  %s\n", strings.Join(skips, "\n  "))
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", passes, failures, len(skips))
	return failed || passes == 0, errors.Join(lines.Err(), out.Flush())
}

// reason is the test's name and what it said itself.
func reason(test, output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			test += " " + line
		}
	}
	return test
}
