package bpe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"bootllama"
)

// The control tokens, with which every vocabulary begins.
const (
	Unknown = 0
	BOS     = 1 // beginning of a sequence
	EOS     = 2
)

// Vocabulary is the tokens of a tokenizer.
type Vocabulary struct {
	pieces []string  // (vocab_size,)
	scores []float32 // (vocab_size,)
}

// newVocabulary puts the tokens into the order of llama2.c's: <unk>, BOS and EOS, the
// bytes, the merges, the characters. The score of merge k is -k, so that Encode merges in
// the order of training; characters, whose scores no one looks at, go on from there.
func newVocabulary(merges, characters []string) *Vocabulary {
	v := &Vocabulary{}
	add := func(piece string, score int) {
		v.pieces = append(v.pieces, piece)
		v.scores = append(v.scores, float32(score))
	}
	for _, piece := range []string{Unknown: "<unk>", BOS: "\n<s>\n", EOS: "\n</s>\n"} {
		add(piece, 0)
	}
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 0)
	}
	for _, pieces := range [][]string{merges, characters} {
		for _, piece := range pieces {
			add(piece, firstPiece-len(v.pieces))
		}
	}
	return v
}

// Size returns the number of tokens.
func (v *Vocabulary) Size() int { return len(v.pieces) }

// Bytes returns the vocabulary as a tokenizer.bin, which llama.ReadTokenizer describes.
func (v *Vocabulary) Bytes() []byte {
	longest := 0
	for _, piece := range v.pieces {
		longest = max(longest, len(piece))
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(longest))
	for id, piece := range v.pieces {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v.scores[id]))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(piece)))
		b = append(b, piece...)
	}
	return b
}

// Tokenizer returns what Encode and Decode of package llama make of the vocabulary.
func (v *Vocabulary) Tokenizer() (*llama.Tokenizer, error) {
	b := v.Bytes()
	return llama.ReadTokenizer(bytes.NewReader(b), int64(len(b)), "tokenizer.bin", v.Size())
}
