// Command train trains a LLaMA model: from a text, or from tales that it makes, to the files that bootllama runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"

	"bootllama/internal/stdio"
	"bootllama/train/run"
)

const help = `Usage: train [CORPUS] -o FOLDER [options]    train a model, here, on the processor

CORPUS is a text file; lines of <|endoftext|>, or else blank lines, separate its texts. Without it children's tales are
made, and with the options' defaults the model that is built in, byte for byte: same options, same model, whatever the
machine and the number of cores.

FOLDER gets tokenizer.bin, model.bin (float32), model-q8.bin (int8), loss.png. An interrupted training goes on from there
when the same command is given again: at most half a minute of it is done anew. A file of these names that no training has
written there is not replaced.

  -o FOLDER              where the files go; it is made if there is none
      --tales N          how many tales are made (default 200000)
      --primer N         for N steps a primer of plain sentences is read before the tales (default 400)
      --dim N            width of the model (default 128)
      --hidden N         width of its feed-forward layers (default 384)
      --layers N         (default 5)
      --heads N          of queries (default 4)
      --kv-heads N       of keys and values (default 2)
      --vocab N          tokens of the tokenizer (default 1024)
      --context N        positions (default 256)
  -n, --steps N          (default 25000)
      --batch N          texts of --context tokens in a step (default 8)
      --rate R           learning rate (default 0.002)
      --warmup N         steps until it is reached (default 200)
  -s, --seed SEED        of the first weights and the order of the texts (default 1)
      --threads N        (default: all processors)
      --sample N         every N steps print a text of the model; 0: never (default 1000)

Exit status: 0, 1 (failed), 2 (usage), 130 (interrupted), 141 (nobody reads the output any more).
`

// Exit statuses.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130 // as shells have it: 128 and the number of SIGINT
	statusClosed      = 141 // and of SIGPIPE
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is a write error, and what was begun is saved
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command parses the command line, trains and returns the exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	terminal := stdio.IsTerminal(stdout)
	stdout = stdio.Output{Writer: stdout}
	if terminal {
		stdout = stdio.Text(stdout, "")
	}
	messages := stderr // and stderr gets the bar, which commands a terminal
	if stdio.IsTerminal(stderr) {
		messages = stdio.Text(stderr, "")
	}
	if len(args) == 1 && (args[0] == "version" || args[0] == "--version") {
		if _, err := fmt.Fprintln(stdout, "train, of bootllama,", runtime.Version(), runtime.GOOS, runtime.GOARCH); err != nil {
			return statusFailed
		}
		return 0
	}
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) || len(args) > 0 && args[0] == "help" {
		if _, err = io.WriteString(stdout, help); err == nil {
			return 0
		}
	} else if err != nil {
		fmt.Fprintf(messages, "train: %v (-h lists the options)\n", err)
		return statusUsage
	} else {
		err = train(ctx, o, stdout, stderr, messages)
	}
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return statusInterrupted
	case err == io.ErrClosedPipe: // and nothing else has failed
		return statusClosed
	}
	fmt.Fprintf(messages, "train: %v\n", err)
	return statusFailed
}

// options are the command's.
type options struct {
	run.Options
	output string
	sample int
}

func parse(args []string) (options, error) {
	o := options{Options: run.Default()}
	flags := pflag.NewFlagSet("train", pflag.ContinueOnError)
	flags.Usage = func() {}
	c, t := &o.Config, &o.Train
	flags.StringVarP(&o.output, "output", "o", "", "")
	flags.IntVar(&o.Tales, "tales", o.Tales, "")
	flags.IntVar(&o.PrimerSteps, "primer", o.PrimerSteps, "")
	flags.IntVar(&c.Dim, "dim", c.Dim, "")
	flags.IntVar(&c.HiddenDim, "hidden", c.HiddenDim, "")
	flags.IntVar(&c.NLayers, "layers", c.NLayers, "")
	flags.IntVar(&c.NHeads, "heads", c.NHeads, "")
	flags.IntVar(&c.NKVHeads, "kv-heads", c.NKVHeads, "")
	flags.IntVar(&c.VocabSize, "vocab", c.VocabSize, "")
	flags.IntVar(&c.SeqLen, "context", c.SeqLen, "")
	flags.IntVarP(&t.Steps, "steps", "n", t.Steps, "")
	flags.IntVar(&t.Batch, "batch", t.Batch, "")
	flags.Float64Var(&t.LearningRate, "rate", t.LearningRate, "")
	flags.IntVar(&t.Warmup, "warmup", t.Warmup, "")
	flags.Uint64VarP(&t.Seed, "seed", "s", t.Seed, "")
	flags.IntVar(&t.Threads, "threads", 0, "")
	flags.IntVar(&o.sample, "sample", 1000, "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch corpora := flags.Args(); {
	case len(corpora) > 1:
		return o, fmt.Errorf("one CORPUS, not %d: %s", len(corpora), strings.Join(corpora, ", "))
	case len(corpora) == 1 && corpora[0] == "":
		return o, errors.New("CORPUS is empty: name a text file, or leave it out for tales")
	case o.output == "":
		return o, errors.New("no -o FOLDER: where shall the model be written?")
	case t.Threads < 0 || t.Threads > 1024:
		return o, fmt.Errorf("--threads %d: want 0 to 1024", t.Threads)
	case len(corpora) == 1:
		o.Corpus = corpora[0]
	}
	return o, o.Check()
}

// train trains a model and reports on it.
func train(ctx context.Context, o options, stdout, stderr, messages io.Writer) error {
	if err := run.Check(o.output, o.Options); err != nil {
		return err
	}
	say := func(format string, a ...any) { fmt.Fprintf(messages, "train: "+format+"\n", a...) } // an error is ignored: only a message is lost
	m, err := run.Prepare(o.Options, say)
	if err != nil {
		return err
	}
	say("%d texts, %d tokens, SHA-256 %x", m.Corpus.Documents(), len(m.Corpus.Tokens), m.Corpus.SHA256)
	r, err := run.Open(o.output, o.Options, m)
	if err != nil {
		return err
	}
	if r.Resumed {
		say("going on from what was trained in %v", r.Elapsed().Round(time.Second))
	}
	display := newDisplay(stdout, stderr, o.Train.Steps-len(r.History().Loss))
	err = r.Train(ctx, display.show, o.sample, display.sample)
	display.close()
	h := r.History()
	if len(h.Loss) > 0 {
		png, e := curve(h).png()
		if e == nil {
			e = r.WriteCurve(png)
		}
		if e != nil {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			say("interrupted after step %d of %d: the same command goes on from there", len(h.Loss), o.Train.Steps)
		}
		return err
	}
	if err := r.Write(); err != nil {
		return err
	}
	report, err := r.Report(ctx, say)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(stdout, report)
	return err
}

// display shows how far a training is: with a bar on a terminal, else with a line now and then.
type display struct {
	stdout, stderr io.Writer
	bar            *progressbar.ProgressBar // nil: lines
	last           time.Time                // of a line
	from           int                      // the steps done when the timing began, after this process's first step; 0: it has not begun
	time           time.Duration            // that Progress.Elapsed was then
}

// lineEvery is how often there is a line where there is no bar.
const lineEvery = 30 * time.Second

// newDisplay shows a training with that many steps to go.
func newDisplay(stdout, stderr io.Writer, left int) *display {
	d := &display{stdout: stdout, stderr: stderr, last: time.Now()}
	if stdio.IsTerminal(stderr) {
		d.bar = progressbar.NewOptions(left, progressbar.OptionSetWriter(stderr), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionThrottle(200*time.Millisecond))
	}
	return d
}

func (d *display) show(p run.Progress) {
	if d.bar != nil {
		d.bar.Describe(fmt.Sprintf("loss %.3f, held out %.3f", p.Loss, p.HeldOut))
		d.bar.Add(1) // an error is ignored: only the bar is wrong
		return
	}
	if d.from == 0 {
		d.from, d.time = p.Step, p.Elapsed
		return
	}
	if time.Since(d.last) < lineEvery && p.Step < p.Steps {
		return
	}
	d.last = time.Now()
	took, done := p.Elapsed-d.time, p.Step-d.from
	left := took / time.Duration(done) * time.Duration(p.Steps-p.Step)
	fmt.Fprintf(d.stderr, "step %d of %d: loss %.3f, held out %.3f, %.0f tokens/s, %v left\n",
		p.Step, p.Steps, p.Loss, p.HeldOut, float64(done*p.Tokens)/took.Seconds(), left.Round(time.Second))
}

// sample prints a text of the model.
func (d *display) sample(step int, text string) error {
	if d.bar != nil {
		d.bar.Clear() // as above
	}
	_, err := fmt.Fprintf(d.stdout, "--- after %d steps ---\n%s", step, text)
	return err
}

func (d *display) close() {
	if d.bar != nil {
		d.bar.Exit() // as above
		fmt.Fprintln(d.stderr)
	}
}
