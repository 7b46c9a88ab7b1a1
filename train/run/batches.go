package run

import "bootllama/train"

// Batches are those of the primer for some steps, then those of the corpus.
type Batches struct {
	primer, corpus *train.Batches
	primerSteps    int
}

// NewBatches returns what a training of these options reads.
func NewBatches(o Options, m *Material) *Batches {
	b := &Batches{corpus: train.NewBatches(m.Corpus, o.Config.SeqLen, o.Train.Batch, o.Train.Seed)}
	if m.Primer != nil {
		b.primer = train.NewBatches(m.Primer, o.Config.SeqLen, o.Train.Batch, o.Train.Seed)
		b.primerSteps = o.PrimerSteps
	}
	return b
}

// At sets tokens (batch, seq_len+1) to those of a step.
func (b *Batches) At(step int, tokens []uint16) {
	if step < b.primerSteps {
		b.primer.At(step, tokens)
	} else {
		b.corpus.At(step-b.primerSteps, tokens)
	}
}
