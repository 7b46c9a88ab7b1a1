// Package logits condenses everything that a model computes into one number, so that
// kernels, compilers and machines can be compared bit for bit.
package logits

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"

	"bootllama"
)

// Case is a case of testdata/logits.json: see testdata/README.md.
type Case struct {
	Model, Tokenizer string
	Prompt           string
	Steps            int
	FNV64a           string // what the reference's logits give
}

// ReadCases reads the cases in a file.
func ReadCases(name string) ([]Case, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var cases []Case
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cases, nil
}

// Hash loads the case's files from a folder, generates greedily and returns the 64-bit
// FNV-1a hash of the logits of every position, as little-endian float32. BOS does not
// end it.
func (c Case) Hash(dir string) (string, error) {
	checkpoint, err := llama.LoadCheckpoint(filepath.Join(dir, c.Model), nil)
	if err != nil {
		return "", err
	}
	vocab := checkpoint.Config.VocabSize
	tokenizer, err := llama.LoadTokenizer(filepath.Join(dir, c.Tokenizer), vocab)
	if err != nil {
		return "", err
	}
	prompt, err := tokenizer.Encode(c.Prompt, true, false)
	if err != nil {
		return "", err
	}
	t, s := llama.NewTransformer(checkpoint, llama.Options{}), llama.NewSampler(vocab, 0, 0, 1, nil)
	hash := fnv.New64a()
	bytes := make([]byte, 0, 4*vocab)
	token := prompt[0]
	for pos := range min(c.Steps, checkpoint.Config.SeqLen) {
		logits := t.Forward(token, pos)
		bytes = bytes[:0]
		for _, v := range logits {
			bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(v))
		}
		hash.Write(bytes) // never fails
		token = s.Sample(logits)
		if pos+1 < len(prompt) {
			token = prompt[pos+1]
		}
	}
	return fmt.Sprintf("%016x", hash.Sum64()), nil
}
