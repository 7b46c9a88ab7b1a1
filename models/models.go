// Package models holds the model that bootllama has built in: a small LLaMA that writes
// children's tales, and its tokenizer. Both were made by this repository, `make model`
// makes them again; README.md has the record.
package models

import _ "embed"

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
