package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"bootllama/internal/training"
)

const trainHelp = `Usage: train [CORPUS] -o FOLDER [options]    train a model, here, on the processor

CORPUS is a text file; lines of <|endoftext|>, or else blank lines, separate its texts. Without it children's tales are
made, and with the options' defaults the model that is built in, byte for byte: same options, same model, whatever the
machine and the number of cores.

FOLDER gets tokenizer.bin, model.bin (float32), model-q8.bin (int8), loss.png. An interrupted training goes on from there
when the same command is given again: at most half a minute of it is done anew.

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
`

// trainOptions are the options of train.
type trainOptions struct {
	training.Options
	output string
	sample int
}

func parseTrain(args []string) (trainOptions, error) {
	o := trainOptions{Options: training.Default()}
	flags := flag.NewFlagSet("train", flag.ContinueOnError)
	c, t := &o.Config, &o.Train
	flags.StringVar(&o.output, "o", "", "")
	flags.IntVar(&o.Tales, "tales", o.Tales, "")
	flags.IntVar(&o.PrimerSteps, "primer", o.PrimerSteps, "")
	flags.IntVar(&c.Dim, "dim", c.Dim, "")
	flags.IntVar(&c.HiddenDim, "hidden", c.HiddenDim, "")
	flags.IntVar(&c.NLayers, "layers", c.NLayers, "")
	flags.IntVar(&c.NHeads, "heads", c.NHeads, "")
	flags.IntVar(&c.NKVHeads, "kv-heads", c.NKVHeads, "")
	flags.IntVar(&c.VocabSize, "vocab", c.VocabSize, "")
	flags.IntVar(&c.SeqLen, "context", c.SeqLen, "")
	flags.IntVar(&t.Steps, "n", t.Steps, "")
	flags.IntVar(&t.Steps, "steps", t.Steps, "")
	flags.IntVar(&t.Batch, "batch", t.Batch, "")
	flags.Float64Var(&t.LearningRate, "rate", t.LearningRate, "")
	flags.IntVar(&t.Warmup, "warmup", t.Warmup, "")
	flags.Uint64Var(&t.Seed, "s", t.Seed, "")
	flags.Uint64Var(&t.Seed, "seed", t.Seed, "")
	flags.IntVar(&t.Threads, "threads", 0, "")
	flags.IntVar(&o.sample, "sample", 1000, "")
	corpora, err := operands(flags, args)
	switch {
	case err != nil:
		return o, err
	case len(corpora) > 1:
		return o, usageError{fmt.Errorf("one CORPUS, not %d: %s", len(corpora), list(corpora))}
	case len(corpora) == 1 && corpora[0] == "":
		return o, usageError{errors.New("CORPUS is empty: name a text file, or leave it out for tales")}
	case o.output == "":
		return o, usageError{errors.New("no -o FOLDER: where shall the model be written?")}
	case t.Threads < 0 || t.Threads > 1024:
		return o, usageError{fmt.Errorf("--threads %d: want 0 to 1024", t.Threads)}
	}
	if len(corpora) == 1 {
		o.Corpus = corpora[0]
	}
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// trainModel is the command train.
func trainModel(ctx context.Context, args []string, w world) error {
	o, err := parseTrain(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(w.stdout, trainHelp)
		return err
	}
	if err != nil {
		return err
	}
	say := func(format string, a ...any) { fmt.Fprintf(w.stderr, "bootllama: "+format+"\n", a...) } // remarks: nothing depends on them
	m, err := training.Prepare(o.Options, say)
	if err != nil {
		return err
	}
	say("%d texts, %d tokens, SHA-256 %x", m.Corpus.Documents(), len(m.Corpus.Tokens), m.Corpus.SHA256)
	r, err := training.Open(o.output, o.Options, m)
	if err != nil {
		return err
	}
	if r.Resumed {
		say("going on from what was trained in %v", r.Elapsed().Round(time.Second))
	}
	display := newDisplay(w, o.Train.Steps-len(r.History().Loss))
	err = r.Train(ctx, display.show, o.sample, display.sample)
	display.close()
	h := r.History()
	if len(h.Loss) > 0 {
		err = errors.Join(err, writeCurve(filepath.Join(o.output, "loss.png"), curve(h)))
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
	_, err = fmt.Fprint(w.stdout, report)
	return err
}

// display shows how far a training is: with a bar on a terminal, else with a line now and then.
type display struct {
	w    world
	bar  *progressbar.ProgressBar // nil: lines
	last time.Time                // of a line
	from int                      // this process's first step, from which on it is timed; 0: none yet
	time time.Duration            // after that
}

// lineEvery is how often there is a line where there is no bar.
const lineEvery = 30 * time.Second

// newDisplay shows a training with that many steps to go.
func newDisplay(w world, left int) *display {
	d := &display{w: w, last: time.Now()}
	if openTerminals(w).err {
		d.bar = progressbar.NewOptions(left, progressbar.OptionSetWriter(w.stderr), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionThrottle(200*time.Millisecond))
	}
	return d
}

func (d *display) show(p training.Progress) {
	if d.bar != nil {
		d.bar.Describe(fmt.Sprintf("loss %.3f, held out %.3f", p.Loss, p.HeldOut))
		d.bar.Add(1) // a remark: nothing depends on it
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
	fmt.Fprintf(d.w.stderr, "step %d of %d: loss %.3f, held out %.3f, %.0f tokens/s, %v left\n",
		p.Step, p.Steps, p.Loss, p.HeldOut, float64(done*p.Tokens)/took.Seconds(), left.Round(time.Second))
}

// sample prints a text of the model.
func (d *display) sample(step int, text string) error {
	if d.bar != nil {
		d.bar.Clear() // as above
	}
	_, err := fmt.Fprintf(d.w.stdout, "--- after %d steps ---\n%s", step, text)
	return err
}

func (d *display) close() {
	if d.bar != nil {
		d.bar.Exit() // as above
		fmt.Fprintln(d.w.stderr)
	}
}
