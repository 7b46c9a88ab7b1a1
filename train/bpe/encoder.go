package bpe

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"bootllama"
)

// Encoder encodes the texts of a corpus as llama.Tokenizer's Encode does, but keeps the
// tokens of every word that it has seen. It serves one goroutine at a time.
type Encoder struct {
	tokenizer *llama.Tokenizer
	byWord    bool // no piece goes beyond a word
	words     map[string][]uint16
}

// NewEncoder returns an encoder for any tokenizer with byte tokens and at most 65535
// tokens. One from Train is fast; another may have pieces that go beyond a word, and then
// every text is encoded as a whole.
func NewEncoder(t *llama.Tokenizer) (*Encoder, error) {
	if t.VocabSize() > MaxVocabSize {
		return nil, fmt.Errorf("bpe: a tokenizer of %d tokens: must be at most %d", t.VocabSize(), MaxVocabSize)
	}
	if _, err := t.Encode("\xff", false, false); err != nil { // the last of the bytes
		return nil, fmt.Errorf("bpe: %w", err)
	}
	e := &Encoder{tokenizer: t, byWord: true, words: map[string][]uint16{}}
	for id := firstByte; id < t.VocabSize() && e.byWord; id++ {
		e.byWord = e.isWord(id)
	}
	return e, nil
}

// isWord reports whether the piece of a token is within one word wherever it stands.
func (e *Encoder) isWord(id int) bool {
	piece := e.tokenizer.Decode(Unknown, id)
	if id < firstPiece {
		return piece == string([]byte{byte(id - firstByte)})
	}
	if len(piece) == 1 {
		// Perhaps the piece is not what it decodes to: <0x41>, or <0x41> and more.
		tokens, err := e.tokenizer.Encode("\n"+piece, false, false)
		return err == nil && tokens[len(tokens)-1] == id
	}
	n := 0
	for range words(piece) {
		n++
	}
	return n == 1 && utf8.ValidString(piece)
}

// Append appends the tokens of text to dst, without BOS and EOS.
func (e *Encoder) Append(dst []uint16, text string) []uint16 {
	if !e.byWord {
		return append(dst, e.encode(text)...)
	}
	for word := range spacedWords(text) {
		tokens, ok := e.words[word]
		if !ok {
			// The newline keeps the space that Encode puts in front away from the word.
			tokens = e.encode("\n" + word)[2:]
			e.words[strings.Clone(word)] = tokens
		}
		dst = append(dst, tokens...)
	}
	return dst
}

// encode encodes a text as a whole.
func (e *Encoder) encode(text string) []uint16 {
	tokens, err := e.tokenizer.Encode(text, false, false)
	if err != nil {
		panic("bpe: " + err.Error()) // not with byte tokens, which NewEncoder has seen
	}
	short := make([]uint16, len(tokens))
	for i, token := range tokens {
		short[i] = uint16(token)
	}
	return short
}
