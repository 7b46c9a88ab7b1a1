package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"bootllama"
	"bootllama/arena"
	"bootllama/models"
)

// TokenizerFile returns the name of the tokenizer's file, "" for the built-in tokenizer.
func (o Options) TokenizerFile() string {
	if o.Tokenizer == "" && o.Model != "" {
		return "tokenizer.bin" // as in run.c
	}
	return o.Tokenizer
}

// Load reads the model and its tokenizer. It draws a progress bar if stderr is a Screen.
func Load(o Options, stderr io.Writer) (*llama.Checkpoint, llama.Vocab, error) {
	c, err := loadCheckpoint(o.Model, stderr)
	if err != nil {
		return nil, nil, err
	}
	tok, err := loadTokenizer(o, c.Header)
	return c, tok, err
}

func loadCheckpoint(name string, stderr io.Writer) (*llama.Checkpoint, error) {
	if name == "" {
		return llama.ReadCheckpoint(strings.NewReader(models.Checkpoint), int64(len(models.Checkpoint)), models.Name, nil)
	}
	bar := newProgressBar(stderr)
	c, err := llama.LoadCheckpoint(name, bar.show)
	bar.clear()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return c, nil
}

// Header reads the header of the model in the named file, "" for the built-in model.
func Header(name string) (llama.Header, error) {
	if name == "" {
		return llama.ReadHeader(strings.NewReader(models.Checkpoint), int64(len(models.Checkpoint)), models.Name)
	}
	h, err := llama.LoadHeader(name)
	if err != nil {
		return llama.Header{}, fmt.Errorf("model: %w", err)
	}
	return h, nil
}

// checkMemory returns an error if a model and its tokenizer's file, "" for none, need more
// memory than there is. Nothing has been loaded then.
func checkMemory(model, tokenizer string) error {
	h, err := Header(model)
	m, program := h.Memory(), int64(llama.Overhead)
	if info, err := os.Stat(tokenizer); err == nil { // if not, loadTokenizer says so
		program += 4 * info.Size() // its pieces while they grow, and the tables
	}
	need, limit := m.Total()-llama.Overhead+program, arena.Limit()
	if err == nil && need > limit {
		return fmt.Errorf("model: %s needs %d MiB of memory (weights %d, keys and values %d, state %d, the program up to %d) and there are %d MiB",
			h.Name, mib(need), mib(m.Weights), mib(m.Cache), mib(m.State), mib(program), limit>>20)
	}
	return err
}

// mib returns a number of bytes in MiB, rounded up.
func mib(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// Check reads the model's header and its tokenizer. It returns the errors of Load but one:
// it does not read the weights and cannot find one that is not a finite number.
func Check(o Options) (llama.Header, error) {
	h, err := Header(o.Model)
	if err != nil {
		return llama.Header{}, err
	}
	_, err = loadTokenizer(o, h)
	return h, err
}

func loadTokenizer(o Options, h llama.Header) (llama.Vocab, error) {
	name := o.TokenizerFile()
	switch {
	case h.Tokenizer != nil && o.Tokenizer == "":
		return h.Tokenizer, nil
	case name == "":
		return llama.ReadTokenizer(strings.NewReader(models.Tokenizer), int64(len(models.Tokenizer)), models.Name, h.Config.VocabSize)
	}
	tok, err := llama.LoadTokenizer(name, h.Config.VocabSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w (-z names the model's tokenizer)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return tok, nil
}
