package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"bootllama"
	"bootllama/train"
	"bootllama/train/tales"
)

// Samples is how many texts of a model are judged: those of the seeds 1, 2, ... at
// SampleTemperature and SampleTopP.
const (
	Samples           = 200
	SampleTemperature = 1.0
	SampleTopP        = 0.9
)

// lossDocuments is how many texts of a corpus the loss is the mean of.
const lossDocuments = 1000

// Report is what is to be said of a trained model.
type Report struct {
	Files   []File
	Corpus  [sha256.Size]byte
	Primer  *[sha256.Size]byte // nil: there was none
	Texts   int                // of the corpus
	Tokens  int                // of the corpus
	Seen    int                // tokens trained on
	Steps   int                // done
	Elapsed time.Duration      // of all processes that have trained

	// Mean cross-entropy in nats for a token, run by package llama.
	TrainingLoss, HeldOutLoss float64 // of the float32 model
	Int8TrainingLoss          float64
	Int8HeldOutLoss           float64

	Quality *Quality // nil: not of tales
}

// File is a file of the model.
type File struct {
	Name   string
	Size   int64
	SHA256 [sha256.Size]byte
}

// Quality says how good the tales of a model are.
type Quality struct {
	Tales  []string // the samples
	Faulty int      // tales in which tales.Check finds a fault
	Told   int      // that are a tale of the corpus, in full
}

// Report writes how the training went and what came of it. It runs the model that Write has
// written.
func (r *Run) Report(ctx context.Context, say func(format string, a ...any)) (*Report, error) {
	m := r.Material
	rep := &Report{
		Corpus: m.Corpus.SHA256, Texts: m.Corpus.Documents(), Tokens: len(m.Corpus.Tokens), Elapsed: r.Elapsed(),
		Steps: r.trainer.StepsDone, Seen: r.trainer.StepsDone * r.Options.Train.Batch * r.Options.Config.SeqLen,
	}
	if m.Primer != nil {
		rep.Primer = &m.Primer.SHA256
	}
	for _, name := range []string{TokenizerName, Float32Name, Int8Name} {
		data, err := os.ReadFile(filepath.Join(r.folder.dir, name))
		if err != nil {
			return nil, err
		}
		rep.Files = append(rep.Files, File{name, int64(len(data)), sha256.Sum256(data)})
	}
	say("measuring the loss")
	for _, loss := range []struct {
		file     string
		corpus   *train.Corpus
		measured *float64
	}{
		{Float32Name, m.Corpus, &rep.TrainingLoss}, {Float32Name, m.HeldOut, &rep.HeldOutLoss},
		{Int8Name, m.Corpus, &rep.Int8TrainingLoss}, {Int8Name, m.HeldOut, &rep.Int8HeldOutLoss},
	} {
		c, err := llama.LoadCheckpoint(filepath.Join(r.folder.dir, loss.file), nil)
		if err != nil {
			return nil, err
		}
		*loss.measured = Loss(c, loss.corpus)
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	if r.Options.Corpus == "" {
		say("judging %d tales", Samples)
		c, err := llama.LoadCheckpoint(filepath.Join(r.folder.dir, Int8Name), nil)
		if err != nil {
			return nil, err
		}
		defer c.Close() // plain memory
		if rep.Quality, err = Judge(ctx, c, m.Tokenizer, r.Options.Tales); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

// Loss returns the mean cross-entropy, in nats for a token, of the first texts of a corpus.
func Loss(c *llama.Checkpoint, corpus *train.Corpus) float64 {
	t := llama.NewTransformer(c, llama.Options{})
	defer t.Close()
	return train.Evaluate(t, corpus, min(lossDocuments, corpus.Documents()))
}

// Judge samples tales of a model and judges them; the model was trained on so many.
func Judge(ctx context.Context, c *llama.Checkpoint, tokenizer *llama.Tokenizer, trained int) (*Quality, error) {
	q := &Quality{Tales: make([]string, Samples)}
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for worker := range errs {
		wg.Go(func() {
			t := llama.NewTransformer(c, llama.Options{Threads: 1})
			defer t.Close()
			for i := worker; i < Samples && errs[worker] == nil; i += len(errs) {
				q.Tales[i], errs[worker] = Sample(ctx, t, tokenizer, uint64(i+1))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	told := map[string]bool{}
	for tale := range tales.Corpus(tales.Train, talesSeed, 0, trained) {
		told[tale] = true
	}
	for _, tale := range q.Tales {
		if len(tales.Check(tale)) > 0 {
			q.Faulty++
		}
		if told[tale] {
			q.Told++
		}
	}
	return q, nil
}

// Sample returns the text that `bootllama run -t 1.0 -p 0.9 -s SEED` prints, without the
// newline at its end.
func Sample(ctx context.Context, t *llama.Transformer, tokenizer *llama.Tokenizer, seed uint64) (string, error) {
	g := llama.Generator{Transformer: t, Tokenizer: tokenizer, Sampler: t.NewSampler(SampleTemperature, SampleTopP, seed)}
	var text bytes.Buffer
	_, err := g.GenerateText(ctx, &text, "", 0)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// String returns the report as a table in Markdown.
func (r *Report) String() string {
	var b strings.Builder
	row := func(what, format string, a ...any) { fmt.Fprintf(&b, "| %s | %s |\n", what, fmt.Sprintf(format, a...)) }
	b.WriteString("| | |\n|---|---|\n")
	row("corpus", "%d texts, %d tokens, SHA-256 `%x`", r.Texts, r.Tokens, r.Corpus)
	if r.Primer != nil {
		row("primer", "%d texts, SHA-256 `%x`", primers, *r.Primer)
	}
	row("steps", "%d, %d tokens", r.Steps, r.Seen)
	row("time", "%v", r.Elapsed.Round(time.Second))
	for _, f := range r.Files {
		row(f.Name, "%d bytes, SHA-256 `%x`", f.Size, f.SHA256)
	}
	row("loss of the training texts", "%.4f float32, %.4f int8", r.TrainingLoss, r.Int8TrainingLoss)
	row("loss of the texts held out", "%.4f float32 (%+.2f %%), %.4f int8 (%+.2f %% of float32's)", r.HeldOutLoss, percent(r.HeldOutLoss, r.TrainingLoss),
		r.Int8HeldOutLoss, percent(r.Int8HeldOutLoss, r.HeldOutLoss))
	if q := r.Quality; q != nil {
		row("tales without a fault", "%d of %d", len(q.Tales)-q.Faulty, len(q.Tales))
		row("tales that repeat one of the corpus", "%d of %d", q.Told, len(q.Tales))
	}
	return b.String()
}

// percent is how much v is above base.
func percent(v, base float64) float64 { return 100 * (v/base - 1) }
