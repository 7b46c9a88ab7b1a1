// Package run is the program that runs on the host and on the bare machine: the commands
// run, console and bench, their options, and the file LLAMA.TXT that holds them for a machine
// without a command line. Its output must be the same bytes on both.
package run

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"bootllama"
	"bootllama/internal/bench"
	"bootllama/internal/flags"
	"bootllama/session"
	"bootllama/simd"
)

// Host is what a program gives the commands beside their arguments.
type Host struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal is where a person sits, nil if Stdin and Stdout are no terminal.
	Terminal *session.Terminal
	Models   func() ([]session.Model, error) // that there are, for the session's /model; or nil
	Power    func(reboot bool) error         // switches the machine off; nil: it is not ours
}

// Main is Host.Main without a terminal.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Host{Stdin: stdin, Stdout: stdout, Stderr: stderr}.Main(ctx, args)
}

// Main runs one command, "run", "console" or "bench" followed by its options, and returns
// the exit status: 0, 1 (failed), 2 (usage), 130 (run was interrupted), or 141 (stdout gave
// io.ErrClosedPipe). Text goes to Stdout, everything else to Stderr; a session that a person holds
// on Terminal, there. It handles os.Interrupt once the model is loaded.
func (h Host) Main(ctx context.Context, args []string) int {
	err := h.command(ctx, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(h.Stdout, Help(args[0]))
	case errors.As(err, new(flags.UsageError)):
		err = fmt.Errorf("%w (-h lists the options)", err)
	}
	return Report(err, h.Stderr)
}

// Report prints err, if it is not nil, as one line and returns the exit status: see Main.
func Report(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return 128 + 2 // as a shell reports SIGINT
	case errors.Is(err, io.ErrClosedPipe):
		return 128 + 13 // SIGPIPE: whoever reads stdout has seen enough
	}
	fmt.Fprintf(stderr, "bootllama: %v\n", err)
	if errors.As(err, new(flags.UsageError)) {
		return 2
	}
	return 1
}

// Screen is session.Screen: stderr is a terminal or a console.
type Screen = session.Screen

// Arguments of the UEFI application, before the command, which boot passes.
const (
	NoBar = "--no-bar" // its stderr is no Screen: the host's is a file or a pipe
	Piped = "--piped"  // nobody sits at its terminal: the host's stdin or stdout is none
)

// Streams takes NoBar and Piped from the front of args, and returns the rest.
func (h *Host) Streams(args []string) []string {
	for ; len(args) > 0; args = args[1:] {
		switch screen, ok := h.Stderr.(Screen); {
		case args[0] == Piped:
			h.Terminal = nil
		case args[0] != NoBar:
			return args
		case ok:
			h.Stderr = screen.Writer
		}
	}
	return nil
}

func (h Host) command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return Usagef("no command: run, console or bench")
	}
	name, args := args[0], args[1:]
	switch name {
	case "bench":
		_, resume := collectAtPrompts(nil)
		defer resume()
		return bench.Main(args, func(model string) (*llama.Checkpoint, *simd.Kernels, error) { return benchModel(model, h.Stderr) }, h.Stdout)
	case "run", "console":
	default:
		return Usagef("unknown command %q: run, console or bench", name)
	}
	o, err := parse(args)
	if err == nil {
		err = o.Allowed(name)
	}
	if err != nil {
		return err
	}
	var resume func()
	h.Stdin, resume = collectAtPrompts(h.Stdin)
	defer resume()
	m, err := load(o, name == "console", h.Stderr)
	if err != nil {
		return err
	}
	defer func() { m.close() }()
	if name == "run" && o.Mode != "chat" {
		return generate(ctx, m.generator, o, h.Stdout, h.Stderr)
	}
	return h.session(ctx, name == "console", m)
}

// benchModel loads the model that bench measures.
func benchModel(name string, stderr io.Writer) (*llama.Checkpoint, *simd.Kernels, error) {
	kernels, err := chooseKernels()
	if err != nil {
		return nil, nil, err
	}
	model, err := Options{Model: name}.open()
	if err != nil {
		return nil, nil, err
	}
	defer model.Close()
	if _, err := checkMemory(model.Header, "", 0); err != nil {
		return nil, nil, err
	}
	c, err := model.loadCheckpoint(stderr)
	return c, kernels, err
}

// guesses returns the most tokens that are guessed at a time.
func (o Options) guesses() int { return *cmp.Or(o.Lookup, new(llama.Guesses)) }

// steps returns the positions of a text: run.c's number by default.
func (o Options) steps() int {
	if o.Steps < 0 {
		return 256
	}
	return o.Steps
}

// fit returns an error if there is too little memory for the model, its tokenizer's file and a draft. A
// session takes a smaller context instead, where that helps, and says so.
func (s *source) fit(tokenizer string, draft int64, session bool, stderr io.Writer) error {
	fits, err := checkMemory(s.Header, tokenizer, draft)
	if err == nil || !session || fits == 0 {
		return err
	}
	s.Config.SeqLen = fits
	_, err = fmt.Fprintf(stderr, "bootllama: %v: taking that\n", err)
	return err
}

func parse(args []string) (Options, error) {
	var o Options
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	o.Register(fs)
	operands, err := flags.Parse(fs, args)
	if err != nil {
		return o, err
	}
	return o, o.Complete(operands)
}

// variable is the variable of the environment that forces kernels, for tests and measurements.
const variable = "BOOTLLAMA_SIMD"

// chooseKernels returns the kernels that the environment names, or else the fastest.
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

// generate writes one text, as run.c's generate.
func generate(ctx context.Context, g *llama.Generator, o Options, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	prompt := *cmp.Or(o.Prompt, new(""))
	tokens, err := g.Tokenizer.Encode(prompt, false, false)
	if n, steps := len(tokens), g.Steps(o.steps()); err == nil && n > steps { // run.c cuts it
		return fmt.Errorf("the prompt has %d tokens, %d too many: the text may have %d (-n; the model's context holds %d)",
			n, n-steps, steps, g.Transformer.Config.SeqLen)
	}
	var stats llama.Stats
	if o.IDs {
		stats, err = generateIDs(ctx, g, prompt, o.steps(), stdout)
	} else {
		stats, err = g.GenerateText(ctx, stdout, prompt, o.steps())
	}
	if err != nil {
		return err
	}
	if stats.Positions > stats.Prompt {
		_, err = fmt.Fprintf(stderr, "achieved tok/s: %f\n", stats.TokensPerSecond())
		if (o.Lookup != nil || o.Draft != "") && err == nil {
			_, err = fmt.Fprintf(stderr, "tokens per pass: %.2f\n", float64(stats.Positions-stats.Prompt)/float64(max(stats.Passes, 1)))
		}
	}
	return err
}

// generateIDs writes the ids of the tokens on one line in place of the text.
func generateIDs(ctx context.Context, g *llama.Generator, prompt string, steps int, stdout io.Writer) (llama.Stats, error) {
	sep := ""
	stats, err := g.Generate(ctx, prompt, steps, func(token int, _ string) error {
		_, err := fmt.Fprintf(stdout, "%s%d", sep, token)
		sep = " "
		return err
	})
	if _, e := io.WriteString(stdout, "\n"); err == nil {
		err = e
	}
	return stats, err
}
