package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"bootllama"
	"bootllama/train"
)

// The files of a training, in its folder.
const (
	TokenizerName = "tokenizer.bin" // llama2.c's format
	Float32Name   = "model.bin"     // version 0
	Int8Name      = "model-q8.bin"  // version 2
	CurveName     = "loss.png"
	stateName     = "training.state"
	recordName    = "training.json"
)

const (
	saveEvery = 30 * time.Second // no more than that is lost, and a step
	// lossRows are the held-out sequences whose loss is taken during training.
	lossRows = 32
)

// Run is a training in its folder.
type Run struct {
	Options  Options
	Material *Material
	Resumed  bool // it goes on from a state that was in the folder

	folder  *folder
	trainer *train.Trainer
	batches *Batches
	heldOut []uint16 // (lossRows, seq_len+1)
	history History
	before  time.Duration // time taken before this process
	started time.Time
	saved   time.Time
}

// History is how the losses went.
type History struct {
	Loss    []float64 // of each step
	HeldOut []Point   // of the held-out sequences, now and then
}

// Point is a loss before a step.
type Point struct {
	Step int
	Loss float64
}

// Progress is what there is to say about a step.
type Progress struct {
	train.StepResult
	Step, Steps int           // done, of how many
	HeldOut     float64       // latest loss of the held-out sequences
	Tokens      int           // of the step
	Elapsed     time.Duration // of all processes that have trained
}

// Open starts a training in dir, or takes up the one that was interrupted there, which must
// have had the same options and corpus. dir is made if there is none. What Check refuses is
// an error.
func Open(dir string, o Options, m *Material) (*Run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	folder, err := openFolder(dir, o)
	if err != nil {
		return nil, err
	}
	c := o.Config
	r := &Run{Options: o, Material: m, folder: folder, started: time.Now(), saved: time.Now()}
	r.batches = NewBatches(o, m)
	r.heldOut = make([]uint16, lossRows*(c.SeqLen+1))
	train.NewBatches(m.HeldOut, c.SeqLen, lossRows, o.Train.Seed).At(0, r.heldOut)
	if r.Resumed, err = r.restore(); err != nil {
		return nil, err
	}
	if !r.Resumed {
		r.trainer = train.New(c, o.Train)
	}
	return r, r.write(output{TokenizerName, m.TokenizerFile})
}

// Train trains until the last step, or until ctx is done: then it saves the state and returns
// ctx.Err(). show is told of every step; every heldOutSteps steps the loss of the held-out
// sequences is taken, every sampleSteps steps sample gets a text of the model.
func (r *Run) Train(ctx context.Context, show func(Progress), sampleSteps int, sample func(step int, text string) error) error {
	c := r.Options.Config
	tokens := make([]uint16, r.Options.Train.Batch*(c.SeqLen+1))
	for r.trainer.StepsDone < r.Options.Train.Steps {
		step := r.trainer.StepsDone
		if step%heldOutSteps == 0 {
			r.history.HeldOut = append(r.history.HeldOut, Point{step, r.trainer.Loss(r.heldOut)})
		}
		if sampleSteps > 0 && step > 0 && step%sampleSteps == 0 {
			text, err := r.sample(ctx)
			if err == nil {
				err = sample(step, text+"\n")
			}
			if err != nil {
				if e := r.save(); e != nil {
					err = errors.Join(err, e)
				}
				return err
			}
		}
		r.batches.At(step, tokens)
		result := r.trainer.Step(tokens)
		if math.IsNaN(result.Loss) || math.IsInf(result.Loss, 0) {
			return fmt.Errorf("the loss of step %d is %v: the learning rate %v is too high for this model", step, result.Loss, r.Options.Train.LearningRate)
		}
		r.history.Loss = append(r.history.Loss, result.Loss)
		show(Progress{
			StepResult: result, Step: step + 1, Steps: r.Options.Train.Steps, HeldOut: r.history.HeldOut[len(r.history.HeldOut)-1].Loss,
			Tokens: len(tokens) - r.Options.Train.Batch, Elapsed: r.Elapsed(),
		})
		if ctx.Err() != nil || time.Since(r.saved) > saveEvery {
			if err := r.save(); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return r.save()
}

// heldOutSteps is how often the loss of the held-out sequences is taken.
const heldOutSteps = 100

// Elapsed is the time that all processes have trained.
func (r *Run) Elapsed() time.Duration { return r.before + time.Since(r.started) }

// History returns how the losses went so far.
func (r *Run) History() History { return r.history }

// Write writes the model's files.
func (r *Run) Write() error {
	var f32, int8 bytes.Buffer
	if err := errors.Join(train.WriteFloat32(&f32, r.trainer.Parameters()), train.WriteInt8(&int8, r.trainer.Parameters())); err != nil {
		return err
	}
	return r.write(output{TokenizerName, r.Material.TokenizerFile}, output{Float32Name, f32.Bytes()}, output{Int8Name, int8.Bytes()})
}

// WriteCurve writes the picture of History, a PNG.
func (r *Run) WriteCurve(png []byte) error { return r.write(output{CurveName, png}) }

// sample returns a text of the model as it is.
func (r *Run) sample(ctx context.Context) (string, error) {
	var model bytes.Buffer
	if err := train.WriteFloat32(&model, r.trainer.Parameters()); err != nil {
		return "", err
	}
	c, err := llama.ReadCheckpoint(&model, int64(model.Len()), Float32Name, nil)
	if err != nil {
		return "", err
	}
	defer c.Close() // plain memory
	t := llama.NewTransformer(c, llama.Options{Kernels: r.Options.Train.Kernels})
	defer t.Close()
	return Sample(ctx, t, r.Material.Tokenizer, 1)
}
