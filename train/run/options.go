// Package run is a whole training, from a corpus to the files of a model, in a folder from which an interrupted
// training goes on.
package run

import (
	"errors"
	"fmt"

	"bootllama"
	"bootllama/train"
	"bootllama/train/bpe"
)

// Options say what is trained, and how. With Threads set apart, the same options make the
// same files, byte for byte, on every machine.
type Options struct {
	// Corpus is a text file, which train.ReadDocuments describes; "": tales, of which
	// Tales are made.
	Corpus string
	Tales  int

	// PrimerSteps is for how many steps, the first, a model that learns tales reads a primer.
	PrimerSteps int

	Config llama.Config
	Train  train.Options
}

// Default makes the model that is built in, package models.
func Default() Options {
	o := Options{
		Tales: 200_000, PrimerSteps: 400,
		Config: llama.Config{Dim: 128, HiddenDim: 384, NLayers: 5, NHeads: 4, NKVHeads: 2, VocabSize: 1024, SeqLen: 256},
		Train:  train.DefaultOptions,
	}
	o.Train.Seed, o.Train.Steps, o.Train.Batch = 1, 25_000, 8
	o.Train.LearningRate, o.Train.Warmup = 2e-3, 200
	o.Train.Beta2 = 0.99
	return o
}

// talesSeed is the seed of the corpus of tales, and of those that are held out.
const talesSeed = 1

// primers is how many texts the primer has.
const primers = 20_000

// heldOutTales is how many tales are held out of training.
const heldOutTales = 2000

// heldOutEvery of a text file's documents one is held out.
const heldOutEvery = 100

// Check returns an error unless a model can have these options.
func (o *Options) Check() error {
	c := o.Config
	switch {
	case c.Dim > 1<<14 || c.HiddenDim > 1<<16 || c.NLayers > 1<<8:
		return errors.New("the model is larger than this trains: at most 16384 wide, 65536 hidden, 256 layers")
	case c.VocabSize < bpe.MinVocabSize || c.VocabSize > bpe.MaxVocabSize:
		return fmt.Errorf("a vocabulary of %d tokens: must be %d to %d", c.VocabSize, bpe.MinVocabSize, bpe.MaxVocabSize)
	case o.Corpus == "" && o.Tales < 1:
		return fmt.Errorf("%d tales: at least 1", o.Tales)
	case o.PrimerSteps < 0:
		return fmt.Errorf("%d steps of a primer: at least 0", o.PrimerSteps)
	case o.Train.Batch > 1<<12 || o.Train.Steps > 1<<24:
		return fmt.Errorf("%d steps of %d sequences: at most 16777216 of 4096", o.Train.Steps, o.Train.Batch)
	}
	return errors.Join(train.CheckConfig(c), o.Train.Check())
}
