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
	"runtime"

	"bootllama/internal/run"
	"bootllama/metal"
)

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
	os.Exit(run.Main(context.Background(), args, os.Stdin, os.Stdout, stderr))
}

// storedArguments reads the arguments. If the file does not exist, the application is alone on
// the volume: it then holds a session with the built-in model.
func storedArguments() ([]string, error) {
	f, err := os.Open(argumentsFile)
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
