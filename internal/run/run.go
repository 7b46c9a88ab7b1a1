// Package run is the program that the host and the metal share: the commands
// run and console, their options, and the file that carries them to a machine
// without a command line. What it prints must be the same bytes in both worlds.
package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"bootllama"
	"bootllama/chat"
	"bootllama/simd"
)

// Exit statuses of Main.
const (
	statusOK          = 0
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 128 + 2 // as a shell reports SIGINT
)

// Main runs one command, "run" or "console" followed by its options, and returns
// the exit status: 0, 1 (failed), 2 (usage), or 130 when run was interrupted.
// Text goes to stdout, all else to stderr. It handles os.Interrupt once the
// model is loaded.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdin, stdout, stderr)
	if errors.As(err, new(usageError)) {
		err = fmt.Errorf("%w (-h lists the options)", err)
	}
	return Report(err, stderr)
}

// Report prints an error, in one line, and returns the exit status of a program that ends
// with it: see Main.
func Report(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return statusOK
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	}
	fmt.Fprintf(stderr, "bootllama: %v\n", err)
	if errors.As(err, new(usageError)) {
		return statusUsage
	}
	return statusFailed
}

func command(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return Usagef("no command: run, console or bench")
	}
	if args[0] == "bench" {
		return bench(args[1:], stdout, stderr)
	}
	if args[0] != "run" && args[0] != "console" {
		return Usagef("unknown command %q: run, console or bench", args[0])
	}
	o, err := parse(args[1:])
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(stdout, Help)
		return err
	}
	if err != nil {
		return err
	}
	if screen, ok := stderr.(Screen); ok {
		o.progress = screen
	}
	stdin, resume := collectAtPrompts(stdin)
	defer resume()
	if args[0] == "console" {
		return console(ctx, o, stdin, stdout, stderr)
	}
	if o.Mode == "chat" {
		return converse(ctx, o, stdin, stdout, stderr)
	}
	return generate(ctx, o, stdout, stderr)
}

func parse(args []string) (Options, error) {
	var o Options
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	o.Register(flags)
	operands, err := ParseFlags(flags, args)
	if err != nil {
		return o, err
	}
	return o, o.Complete(operands)
}

// newGenerator loads what the options ask for.
func newGenerator(o Options, stderr io.Writer) (*llama.Generator, error) {
	kernels, err := chooseKernels()
	if err != nil {
		return nil, err
	}
	c, tok, err := Load(o)
	if err != nil {
		return nil, err
	}
	if n := c.Dropped(); n > 0 {
		if _, err := fmt.Fprintf(stderr, "bootllama: %s: group_size %d does not divide hidden_dim %d: as in runq.c, the last %d columns of w2 have no part\n",
			o.Model, c.GroupSize, c.Config.HiddenDim, n); err != nil {
			return nil, err
		}
	}
	threads := o.Threads
	if threads == 0 {
		threads = physicalCores()
	}
	seed := o.Seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	return &llama.Generator{
		Transformer: llama.NewTransformer(c, llama.Options{Threads: threads, Kernels: kernels}),
		Tokenizer:   tok,
		Sampler:     llama.NewSampler(c.Config.VocabSize, float32(o.Temperature), float32(o.TopP), seed),
	}, nil
}

// variable is the variable of the environment that forces kernels, for tests and measurements.
const variable = "BOOTLLAMA_SIMD"

// chooseKernels returns the kernels that the environment names, else the fastest.
func chooseKernels() (*simd.Kernels, error) {
	name := os.Getenv(variable)
	if name == "" {
		return simd.Best(), nil
	}
	k, err := simd.Named(name)
	if err != nil {
		return nil, Usagef("%s=%w", variable, err)
	}
	return k, nil
}

// generate is the command run: one text, as run.c's generate.
func generate(ctx context.Context, o Options, stdout, stderr io.Writer) error {
	g, err := newGenerator(o, stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	var stats llama.Stats
	if o.IDs {
		stats, err = generateIDs(ctx, g, o, stdout)
	} else {
		stats, err = g.GenerateText(ctx, stdout, o.Prompt, o.Steps)
	}
	if err != nil {
		return err
	}
	if stats.Positions > stats.Prompt {
		_, err = fmt.Fprintf(stderr, "achieved tok/s: %f\n", stats.TokensPerSecond())
	}
	return err
}

// generateIDs writes the tokens' ids in one line in place of the text.
func generateIDs(ctx context.Context, g *llama.Generator, o Options, stdout io.Writer) (llama.Stats, error) {
	sep := ""
	stats, err := g.Generate(ctx, o.Prompt, o.Steps, func(token int, _ string) error {
		_, err := fmt.Fprintf(stdout, "%s%d", sep, token)
		sep = " "
		return err
	})
	if _, e := io.WriteString(stdout, "\n"); err == nil {
		err = e
	}
	return stats, err
}

// converse is the command run in mode chat, as run.c's chat.
func converse(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	g, err := newGenerator(o, stderr)
	if err != nil {
		return err
	}
	interrupt, stop := interrupts()
	defer stop()
	c := chat.Conversation{Generator: g, Steps: o.Steps, Interrupt: interrupt}
	if o.HasSystem {
		c.System = &o.System
	}
	if o.HasPrompt {
		c.User = &o.Prompt
	}
	return c.Run(ctx, stdin, stdout)
}

// console is the session on stdin and stdout.
func console(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	if o.HasPrompt || o.IDs {
		return Usagef("console takes neither a prompt nor --ids: they are options of run")
	}
	if o.Mode != "generate" {
		return Usagef("console has no mode %s: it is one of run", o.Mode)
	}
	g, err := newGenerator(o, stderr)
	if err != nil {
		return err
	}
	interrupt, stop := interrupts()
	defer stop()
	s := chat.Session{Generator: g, Steps: o.Steps, Interrupt: interrupt}
	return s.Run(ctx, stdin, stdout)
}

// interrupts returns the interrupts from now until stop.
func interrupts() (interrupt <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}
