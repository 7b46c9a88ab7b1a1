// Command bootllama runs a LLaMA model here, or on a machine with no operating system: it builds the UEFI application,
// the disk image, and boots it in QEMU.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"bootllama/internal/efi"
	"bootllama/internal/flags"
	"bootllama/internal/run"
	"bootllama/internal/start"
	"bootllama/internal/stdio"
)

const help = `bootllama runs a language model (GGUF, or a checkpoint of llama2.c), also on a machine with no operating system.

  bootllama run     [MODEL] [options]          one text on standard output
  bootllama console [MODEL] [options]          a session: talk with an assistant, or type how a story begins
  bootllama boot    [MODEL] [options]          the same on a virtual PC that has nothing but UEFI firmware
  bootllama image   [MODEL…] -o FILE [options] a disk image for a USB stick
  bootllama efi     [-o FILE] [PACKAGE]        the UEFI application alone
  bootllama bench   [MODEL] [options]          how fast it runs, and what limits it
  bootllama info    [MODEL]                    what a model is, and the memory it needs
  bootllama tokenize MODEL [TEXT]              the tokens that the model would see of a text
  bootllama help    [COMMAND]
  bootllama version

Without MODEL, it is a small one that is built in and tells children's tales.
` + "`bootllama help COMMAND` lists a command's options.\n"

// statusUsage is the exit status of a command line that is wrong, as of run.Main.
const statusUsage = 2

// statusSignal plus the number of a signal is the exit status of a command that the signal ended, as in shells. run.Main
// lists the other statuses.
const statusSignal = 128

// streams are a command's standard streams.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// exit is the exit status of a program that has already printed what went wrong.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is then an error of Write, and temporary files are removed
	os.Exit(command(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// command runs a command and returns the exit status.
func command(ctx context.Context, args []string, s streams) int {
	s.stdout = stdio.Output{Writer: s.stdout}
	err := dispatch(ctx, args, s)
	var status exit
	if errors.As(err, &status) {
		return int(status)
	}
	return run.Report(err, s.text("").stderr)
}

func dispatch(ctx context.Context, args []string, s streams) error {
	if len(args) == 0 { // as go does: help, but a script that forgot the command fails
		_, err := io.WriteString(s.stderr, help)
		if alone() && stdio.IsTerminal(s.stdin) {
			fmt.Fprint(s.stderr, "\nbootllama is a program for a terminal: open one in this folder, and type its name and a command.\n"+
				"Enter closes this window.")
			s.stdin.Read(make([]byte, 1)) // an error closes it, too
		}
		return errors.Join(err, exit(statusUsage))
	}
	name, args := args[0], args[1:]
	if len(args) == 1 && (args[0] == "-version" || args[0] == "--version") {
		return showVersion(s)
	}
	if name == "boot" {
		return withSignals(ctx, func(ctx context.Context) error { return boot(ctx, args, s) })
	}
	screen, direct := stdio.IsTerminal(s.stderr), s
	s = s.text("")
	switch name {
	case "run", "console", "bench":
		if screen {
			s.stderr = run.Screen{Writer: s.stderr}
		}
		host := run.Host{Stdin: s.stdin, Stdout: s.stdout, Stderr: s.stderr, Terminal: direct.terminal()}
		if name == "console" {
			var err error
			if args, err = inFolder(ctx, args, &host); errors.Is(err, start.ErrLeft) {
				return nil
			} else if err != nil {
				return err
			}
		}
		return status(host.Main(ctx, append([]string{name}, args...)))
	case "image":
		return withSignals(ctx, func(ctx context.Context) error { return image(ctx, args, s) })
	case "efi":
		return withSignals(ctx, func(ctx context.Context) error { return buildEFI(ctx, args, s) })
	case "info":
		return info(args, s)
	case "tokenize":
		return tokenize(args, s)
	case "help", "-h", "-help", "--help":
		return showHelp(args, s)
	case "version", "-version", "--version":
		return showVersion(s)
	}
	return unknown(name)
}

// commands are the names of all commands.
var commands = []string{"run", "console", "boot", "image", "efi", "bench", "info", "tokenize", "help", "version"}

// unknown is the error of a command that does not exist, with what was probably meant.
func unknown(name string) error {
	if meant := flags.Nearest(name, commands); meant != "" {
		return run.Usagef("unknown command %q: did you mean %s? (`bootllama help` lists all)", name, meant)
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return run.Usagef("unknown command %[1]q: if that is a model, `bootllama console %[1]s` starts it (`bootllama help` lists the commands)", name)
	}
	return run.Usagef("unknown command %q (`bootllama help` lists them)", name)
}

// status returns an exit status as an error, nil for 0.
func status(s int) error {
	if s == 0 {
		return nil
	}
	return exit(s)
}

// interrupted is the reason why a command ended: a signal.
type interrupted struct{ os.Signal }

func (i interrupted) Error() string { return i.String() }

// withSignals runs a command with a context that ends at the first SIGINT, SIGTERM or SIGHUP. The second one kills the
// process.
func withSignals(ctx context.Context, command func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interrupted{s})
		case <-ctx.Done():
		}
	}()
	err := command(ctx)
	var by interrupted
	if err != nil && errors.As(context.Cause(ctx), &by) {
		if number, ok := by.Signal.(syscall.Signal); ok {
			return exit(statusSignal + int(number))
		}
	}
	return err
}

func showHelp(args []string, s streams) error {
	text := help
	if len(args) > 0 {
		switch args[0] {
		case "run", "console", "bench":
			text = run.Help(args[0])
		case "boot":
			text = bootHelp + run.OptionsHelp
		case "image":
			text = imageHelp + run.OptionsHelp
		case "efi":
			text = efiHelp
		case "info":
			text = infoHelp
		case "tokenize":
			text = tokenizeHelp
		case "help", "-h", "-help", "--help", "version", "-version", "--version":
		default:
			return unknown(args[0])
		}
	}
	_, err := io.WriteString(s.stdout, text)
	return err
}

// version and commit are of a release, whose build sets them (-ldflags -X main.version=…); else go build knows.
var version, commit string

func showVersion(s streams) error {
	name, revision := version, commit
	if info, ok := debug.ReadBuildInfo(); ok && name == "" {
		name = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if revision != "" {
		name += " (commit " + revision + ")"
	}
	application := "built from source, with Go"
	if efi.Inside() {
		application = "inside"
	}
	_, err := fmt.Fprintf(s.stdout, "bootllama %s, %s, %s/%s, EFI application: %s\n", name, runtime.Version(), runtime.GOOS, runtime.GOARCH, application)
	return err
}

// operands parses a command's flags and returns its operands. An error names the command that prints the options.
func operands(flags *flag.FlagSet, args []string) ([]string, error) {
	rest, err := run.ParseFlags(flags, args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = fmt.Errorf("%w (`bootllama help %s` lists the options)", err, flags.Name())
	}
	return rest, err
}

// list joins names for a sentence.
func list(names []string) string { return strings.Join(names, ", ") }
