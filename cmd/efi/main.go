//go:build linux && amd64

// The UEFI application: the commands run, console and bench of bootllama, on a machine with
// no operating system. Linked with -E bootllama/metal.entry it boots; see package metal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"bootllama/internal/run"
	"bootllama/internal/start"
	"bootllama/internal/stdio"
	"bootllama/internal/tty"
	"bootllama/metal"
	"bootllama/metal/keyboard"
	"bootllama/session"
)

const help = `bootllama runs a LLaMA model (a llama2.c checkpoint) on a machine with no operating system.

  run     [MODEL] [options]    one text
  console [MODEL] [options]    a session: type how a story begins, read it
  bench   [MODEL] [options]    how fast it runs, and what limits it
  help    [COMMAND]
  version

Without MODEL, it is a small one that is built in and tells children's tales.
Without a command, it does what LLAMA.TXT on the volume of this program says, a
file of lines such as temperature = 0.7; without that, it is console, with a
menu if there are several models. help COMMAND lists a command's options.
`

// On the bare machine only thread 1 can call the firmware directly; other threads wait for it
// to do so. The main goroutine, which reads files and writes text, therefore stays on it.
func init() { runtime.LockOSThread() }

func main() {
	if !metal.On() {
		fmt.Fprintln(os.Stderr, "bootllama: this program runs on UEFI; on an operating system use the bootllama command")
		os.Exit(2)
	}
	os.Exit(program(os.Args[1:]))
}

// program does what the arguments say or, without any that are meant for it, what LLAMA.TXT says, and returns the exit
// status. What a person should see at the end stays until a key is pressed (metal.AtEnd).
func program(args []string) int {
	var notice string
	if !metal.StartedByShell() && len(args) > 0 && !isCommand(args) {
		// A person's mistake, or what the firmware keeps for itself: it must not hinder the machine from starting.
		notice = fmt.Sprintf("bootllama: the load options are ignored: %q is no command (help lists them)\n", args[0])
		args = nil
	}
	var s start.Settings
	if len(args) == 0 || !metal.StartedByShell() {
		s = start.ReadSettings(volume, keyboard.Names())
	}
	end := endings[s.End]
	metal.AtEnd(end, true)
	setUp(&s)
	fmt.Fprint(os.Stderr, notice)
	host := run.Host{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: run.Screen{Writer: os.Stderr}, Terminal: tty.Open(os.Stdin, os.Stdout, os.Stdout),
		Models: func() ([]session.Model, error) { return start.Models(volume, s.Options) }, Power: power,
	}
	ctx := context.Background()
	var model session.Model
	var err error
	if len(args) == 0 {
		model, err = s.Choose(ctx, volume, host.Terminal)
	}
	for _, p := range s.Problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if errors.Is(err, start.ErrLeft) {
		return 0
	}
	if len(args) == 0 && err == nil {
		args = s.Command(model)
		err = os.Chdir(volume) // names in LLAMA.TXT are relative to it
	}
	if err != nil {
		return run.Report(err, os.Stderr)
	}
	args = host.Streams(args)
	if !metal.Observed() {
		host.Stdout = stdio.Text(os.Stdout, "") // a session filters by itself
	}
	status := command(ctx, args, host)
	if len(args) > 0 && args[0] == "console" {
		metal.AtEnd(end, end == metal.AskPerson) // a person has ended it, and has read it
	}
	return status
}

// Words for help and version, as the host's command takes them.
var (
	helpWords    = []string{"help", "-h", "-help", "--help"}
	versionWords = []string{"version", "-version", "--version"}
	commands     = []string{"run", "console", "bench"}
)

// isCommand reports whether args begin with a command, or ask for help or the version.
func isCommand(args []string) bool {
	args = new(run.Host).Streams(args)
	return len(args) > 0 && slices.Contains(slices.Concat(commands, helpWords, versionWords), args[0])
}

// command runs a command and returns the exit status.
func command(ctx context.Context, args []string, host run.Host) int {
	switch {
	case len(args) > 0 && slices.Contains(versionWords, args[0]), len(args) == 2 && slices.Contains(versionWords[1:], args[1]):
		fmt.Printf("bootllama for UEFI, %s %s\n", runtime.Version(), runtime.GOARCH)
		return 0
	case len(args) > 0 && slices.Contains(helpWords, args[0]):
		return showHelp(args[1:], host.Stderr)
	}
	return host.Main(ctx, args)
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
