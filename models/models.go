// Package models holds the model that bootllama has built in: a small LLaMA that writes
// children's tales, and its tokenizer. Both were made by this repository, `make model`
// makes them again; README.md has the record.
package models

import (
	_ "embed"
	"strings"

	"bootllama"
)

// Name is what messages call the model.
const Name = "built-in tales.bin"

// Checkpoint is the model, a llama2.c checkpoint of version 2 (int8).
//
//go:embed tales.bin
var Checkpoint string

// Tokenizer is its tokenizer.bin.
//
//go:embed tok1024.bin
var Tokenizer string

// Open returns the model and its tokenizer, ready for a llama.Generator.
func Open() (*llama.Checkpoint, *llama.Tokenizer, error) {
	c, err := llama.ReadCheckpoint(strings.NewReader(Checkpoint), int64(len(Checkpoint)), Name, nil)
	if err != nil {
		return nil, nil, err
	}
	t, err := llama.ReadTokenizer(strings.NewReader(Tokenizer), int64(len(Tokenizer)), Name, c.Config.VocabSize)
	return c, t, err
}
