package run

import (
	"errors"
	"fmt"
	"io/fs"

	"bootllama"
)

// Load reads the model and its tokenizer.
func Load(o Options) (*llama.Checkpoint, *llama.Tokenizer, error) {
	c, err := loadCheckpoint(o)
	if err != nil {
		return nil, nil, err
	}
	tok, err := loadTokenizer(o, c.Config)
	return c, tok, err
}

func loadCheckpoint(o Options) (*llama.Checkpoint, error) {
	bar := newProgressBar(o.progress)
	c, err := llama.LoadCheckpoint(o.Model, bar.show)
	bar.clear()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return c, nil
}

// Check reads the model's header and its tokenizer, with the errors of Load. What
// only the weights themselves would tell, that one is no finite number, it does
// not find.
func Check(o Options) (llama.Header, error) {
	h, err := llama.LoadHeader(o.Model)
	if err != nil {
		return llama.Header{}, fmt.Errorf("model: %w", err)
	}
	_, err = loadTokenizer(o, h.Config)
	return h, err
}

func loadTokenizer(o Options, c llama.Config) (*llama.Tokenizer, error) {
	tok, err := llama.LoadTokenizer(o.Tokenizer, c.VocabSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w (-z names the model's tokenizer)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return tok, nil
}
