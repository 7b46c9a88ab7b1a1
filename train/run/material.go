package run

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"bootllama"
	"bootllama/train"
	"bootllama/train/bpe"
	"bootllama/train/tales"
)

// Material is what a training starts from.
type Material struct {
	TokenizerFile []byte // tokenizer.bin
	Tokenizer     *llama.Tokenizer
	Corpus        *train.Corpus
	Primer        *train.Corpus // what it reads first; nil: nothing
	HeldOut       *train.Corpus // what the model is not trained on
}

// Prepare makes the corpus and its tokenizer. say is told what goes on.
func Prepare(o Options, say func(format string, a ...any)) (*Material, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	documents, heldOut, err := o.documents(say)
	if err != nil {
		return nil, err
	}
	say("making the tokenizer of %d tokens", o.Config.VocabSize)
	v, err := bpe.Train(documents, o.Config.VocabSize)
	if err != nil {
		return nil, err
	}
	m := &Material{TokenizerFile: v.Bytes()}
	if m.Tokenizer, err = llama.ReadTokenizer(bytes.NewReader(m.TokenizerFile), int64(len(m.TokenizerFile)), "tokenizer.bin", v.Size()); err != nil {
		return nil, err
	}
	encoder, err := bpe.NewEncoder(m.Tokenizer)
	if err != nil {
		return nil, err
	}
	say("encoding the corpus")
	if m.Corpus, err = train.NewCorpus(documents, encoder.Append); err != nil {
		return nil, err
	}
	if o.Corpus == "" && o.PrimerSteps > 0 {
		if m.Primer, err = train.NewCorpus(tales.Primer(talesSeed, primers), encoder.Append); err != nil {
			return nil, err
		}
	}
	if m.HeldOut, err = train.NewCorpus(heldOut, encoder.Append); err != nil {
		return nil, err
	}
	return m, nil
}

// documents returns the texts to train on and those that are held out.
func (o Options) documents(say func(format string, a ...any)) (training, heldOut iter.Seq[string], err error) {
	if o.Corpus == "" {
		say("telling %d tales to learn from", o.Tales)
		told := slices.Collect(tales.Corpus(tales.Train, talesSeed, 0, o.Tales))
		return slices.Values(told), tales.Corpus(tales.HeldOut, talesSeed, 0, heldOutTales), nil
	}
	all, err := train.LoadDocuments(o.Corpus)
	if err != nil {
		return nil, nil, err
	}
	if len(all) < 2 {
		return nil, nil, fmt.Errorf("%s: one document; at least two are needed, one of them to measure what was learned: separate them by blank lines or by lines of %s",
			o.Corpus, train.EndOfText)
	}
	var kept, held []string
	for i, d := range all {
		if i%heldOutEvery == min(len(all), heldOutEvery)-1 {
			held = append(held, d)
		} else {
			kept = append(kept, d)
		}
	}
	return slices.Values(kept), slices.Values(held), nil
}
