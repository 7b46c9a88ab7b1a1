//go:build linux && amd64

// The UEFI application: the commands run, console and bench of bootllama, on a machine with
// no operating system. Linked with -E bootllama/metal.entry it boots; see package metal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"bootllama/internal/run"
	"bootllama/metal"
)

const help = `bootllama runs a LLaMA model (a llama2.c checkpoint) on a machine with no operating system.

  run     [MODEL] [options]    one text
  console [MODEL] [options]    a session: type how a story begins, read it
  bench   [MODEL] [options]    how fast it runs, and what limits it
  help    [COMMAND]
  version

Without MODEL, it is a small one that is built in and tells children's tales.
Without a command, LLAMA.TXT on the volume of this program is the command, one
argument a line, or else it is console. help COMMAND lists a command's options.
`

// argumentsFile holds the arguments if the firmware started the application from a stick or
// disk, without any, and not a user from the UEFI shell.
const argumentsFile = "/LLAMA.TXT"

// On the bare machine only thread 1 can call the firmware directly; other threads wait for it
// to do so. The main goroutine, which reads files and writes text, therefore stays on it.
func init() { runtime.LockOSThread() }

func main() {
	if !metal.On() {
		fmt.Fprintln(os.Stderr, "bootllama: this program runs on UEFI; on an operating system use the bootllama command")
		os.Exit(2)
	}
	args := os.Args[1:]
	if !metal.StartedByShell() && len(args) > 0 && !isCommand(args) {
		// A person's mistake, or what the firmware keeps for itself: it must not hinder the machine from starting.
		fmt.Fprintf(os.Stderr, "bootllama: the load options are ignored: %q is no command (help lists them)\n", args[0])
		args = nil
	}
	if len(args) == 0 {
		var err error
		if args, err = storedArguments(); err != nil {
			os.Exit(run.Report(err, os.Stderr))
		}
	}
	stderr := io.Writer(run.Screen{Writer: os.Stderr})
	if len(args) > 0 && args[0] == run.NoBar {
		args, stderr = args[1:], os.Stderr
	}
	os.Exit(command(args, stderr))
}

// Words for help and version, as the host's command takes them.
var (
	helpWords    = []string{"help", "-h", "-help", "--help"}
	versionWords = []string{"version", "-version", "--version"}
	commands     = []string{"run", "console", "bench"}
)

// isCommand reports whether args begin with a command, or ask for help or the version.
func isCommand(args []string) bool {
	if args[0] == run.NoBar {
		args = args[1:]
	}
	return len(args) > 0 && slices.Contains(slices.Concat(commands, helpWords, versionWords), args[0])
}

// command runs a command and returns the exit status.
func command(args []string, stderr io.Writer) int {
	switch {
	case len(args) > 0 && slices.Contains(versionWords, args[0]), len(args) == 2 && slices.Contains(versionWords[1:], args[1]):
		fmt.Printf("bootllama for UEFI, %s %s\n", runtime.Version(), runtime.GOARCH)
		return 0
	case len(args) > 0 && slices.Contains(helpWords, args[0]):
		return showHelp(args[1:], stderr)
	}
	return run.Main(context.Background(), args, os.Stdin, os.Stdout, stderr)
}

func showHelp(args []string, stderr io.Writer) int {
	text := help
	if len(args) > 0 && !slices.Contains(helpWords, args[0]) && !slices.Contains(versionWords, args[0]) {
		if !slices.Contains(commands, args[0]) {
			return run.Report(run.Usagef("unknown command %q: %s", args[0], strings.Join(commands, ", ")), stderr)
		}
		text = run.Help(args[0])
	}
	_, err := io.WriteString(os.Stdout, text)
	return run.Report(err, stderr)
}

// storedArguments reads the arguments, and makes the folder of their file the current one, to
// which the names in it are relative. If the file does not exist, the application is alone on
// the volume: it then holds a session with the built-in model.
func storedArguments() ([]string, error) {
	var f *os.File
	err := os.Chdir(filepath.Dir(argumentsFile))
	if err == nil {
		f, err = os.Open(argumentsFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"console"}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	args, err := run.ReadArgs(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", argumentsFile, err)
	}
	return args, nil
}
