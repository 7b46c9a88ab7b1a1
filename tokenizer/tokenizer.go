// Package tokenizer is the tokenizers that GGUF files carry, by llama.cpp's rules: "llama" is
// SentencePiece's byte pair encoding over scores (SPM in llama.cpp), "gpt2" byte-level byte
// pair encoding over ranked merges (BPE), which has been cut into words before.
//
// A vocabulary of 152,000 tokens takes a few MiB, all in flat arrays.
package tokenizer

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// Metadata is what a GGUF file says of its tokenizer: the keys tokenizer.ggml.*.
type Metadata struct {
	Model  string           // model: llama or gpt2
	Pre    string           // pre: how text is cut into words, gpt2 only; "": the file does not say
	Tokens iter.Seq[string] // tokens; any bytes
	Scores []float32        // scores: a token each, llama only
	Types  []int32          // token_type, a token each: see the constants; nil: all Normal
	Merges iter.Seq[string] // merges: "left right", the first rank first, gpt2 only

	BOS, EOS, EOT, EOM *uint32 // bos_token_id, eos_token_id, eot_token_id, eom_token_id; nil: the file does not say

	AddBOS         *bool // add_bos_token; nil: llama and llama-bpe do
	AddSpacePrefix *bool // add_space_prefix; nil: llama does. Byte-level BPE never does
}

// The types of tokens, as in the key tokenizer.ggml.token_type.
const (
	Undefined = iota
	Normal
	Unknown
	Control     // such as <|im_end|>: only templates have them
	UserDefined // such as <think>: found in every text, before it is cut into words
	Unused
	Byte // such as <0x0A>

	lastType = Byte
)

// none is the id of a token that does not exist.
const none = -1

// Tokenizer translates between text and tokens. It is only read and may be shared.
type Tokenizer struct {
	BOS int // beginning of a sequence, -1: none
	EOS int // end of a sequence, -1: none

	vocabulary
	size     int     // tokens; pieces beyond are parts of merges that are no tokens
	types    []uint8 // (size,)
	ends     []int   // the tokens that end an answer, ascending
	markers  markers
	method   method
	addBOS   bool
	addSpace bool // SentencePiece's: before a text, and behind each special token
	special  bool // see Special
}

// method is how text without special tokens becomes tokens.
type method interface {
	// encode appends the tokens of text to tokens.
	encode(tokens []int, text string) ([]int, error)
}

// New makes a tokenizer. Warnings are what a person should know before it is used; an error
// names the key.
func New(m Metadata) (t *Tokenizer, warnings []string, err error) {
	t = &Tokenizer{}
	spm := m.Model == "llama"
	if !spm && m.Model != "gpt2" {
		return nil, nil, fmt.Errorf("tokenizer.ggml.model is %q: llama and gpt2 are implemented", m.Model)
	}
	if err := t.readTypes(m); err != nil {
		return nil, nil, err
	}
	if spm {
		t.method, err = t.newSPM(m)
		t.addBOS, t.addSpace = true, true
	} else {
		t.method, err = t.newBPE(m)
		r, _ := ruleOf(m.Pre)
		t.addBOS = r.addBOS
	}
	if err != nil {
		return nil, nil, err
	}
	if m.Pre == "" && !spm {
		warnings = append(warnings, "the file does not say how its tokenizer cuts text into words (tokenizer.ggml.pre): taking \"default\", as llama.cpp does; answers may be poor")
	}
	t.BOS, t.EOS = none, none
	if spm && t.size > 2 {
		t.BOS, t.EOS = 1, 2 // llama.cpp's defaults; for gpt2 it takes 11, which is a comma
	}
	id := func(key string, value *uint32, to *int) {
		switch {
		case value == nil:
		case *value < uint32(t.size):
			*to = int(*value)
		default:
			if *to = none; *value != math.MaxUint32 { // which some files have for none
				warnings = append(warnings, fmt.Sprintf("tokenizer.ggml.%s is %d and there are %d tokens: taken for none", key, *value, t.size))
			}
		}
	}
	eot, eom := none, none
	id("bos_token_id", m.BOS, &t.BOS)
	id("eos_token_id", m.EOS, &t.EOS)
	id("eot_token_id", m.EOT, &eot)
	id("eom_token_id", m.EOM, &eom)
	for _, end := range []int{t.EOS, eot, eom} {
		if end != none {
			t.ends = append(t.ends, end)
		}
	}
	slices.Sort(t.ends)
	if m.AddBOS != nil {
		t.addBOS = *m.AddBOS
	}
	if m.AddSpacePrefix != nil {
		t.addSpace = t.addSpace && *m.AddSpacePrefix
	}
	t.addBOS = t.addBOS && t.BOS != none
	return t, warnings, nil
}

// readTypes counts the tokens and sets size and types. A token whose text is one of endTexts
// or fimTexts is a control token whatever the file says: Qwen's <|fim_pad|> is user-defined
// there, its </s> an ordinary token.
func (t *Tokenizer) readTypes(m Metadata) error {
	if m.Tokens == nil {
		m.Tokens = func(func(string) bool) {}
	}
	for text := range m.Tokens {
		typ := int32(Normal)
		switch {
		case m.Types == nil:
		case t.size >= len(m.Types):
			return fmt.Errorf("tokenizer.ggml.token_type has %d values, too few for the tokens", len(m.Types))
		default:
			typ = m.Types[t.size]
		}
		if typ < 0 || typ > lastType {
			return fmt.Errorf("tokenizer.ggml.token_type[%d] is %d, must be 0 to %d", t.size, typ, lastType)
		}
		switch end := slices.Contains(endTexts, text); {
		case end:
			t.ends = append(t.ends, t.size)
			fallthrough
		case slices.Contains(fimTexts, text):
			typ = Control
		}
		t.types = append(t.types, uint8(typ))
		t.size++
	}
	switch {
	case t.size == 0:
		return fmt.Errorf("tokenizer.ggml.tokens is missing or empty")
	case m.Types != nil && len(m.Types) != t.size:
		return fmt.Errorf("tokenizer.ggml.token_type has %d values for %d tokens", len(m.Types), t.size)
	}
	return nil
}

// endTexts are the texts of the tokens that end an answer, besides those that the file names:
// llama.cpp's list (end of generation), since files name one where a model has several. The
// last ones are of models that complete code.
var endTexts = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
	"<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
	"<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
	"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
	"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>"}

// fimTexts are the texts of other tokens that are control tokens by their text: those around
// code that is to be filled in.
var fimTexts = []string{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>",
	"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>",
	"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"}

// VocabSize returns the number of tokens.
func (t *Tokenizer) VocabSize() int { return t.size }

// Ends reports whether the model generates token when its answer is complete.
func (t *Tokenizer) Ends(token int) bool {
	_, ok := slices.BinarySearch(t.ends, token)
	return ok
}

// Text returns the text of a token as the file has it, for one that is not Normal, and the
// bytes that it stands for else. It allocates nothing.
func (t *Tokenizer) Text(token int) string {
	if token < 0 || token >= t.size {
		panic(fmt.Sprintf("tokenizer: token %d of %d", token, t.size))
	}
	return t.piece(int32(token))
}

// Special returns a tokenizer that knows special tokens, those of types Control and Unknown,
// by their texts: its Encode finds them, its Decode writes them. They are for templates; what
// a person types must not have them.
func (t *Tokenizer) Special() *Tokenizer {
	s := *t
	s.special = true
	return &s
}

// Encode returns the tokens of text, any bytes. bos puts BOS in front, if the model was trained
// with it and the text does not begin with it; eos adds EOS, if there is one. Of the special
// tokens, user-defined ones are found in the text, others by a Special tokenizer only. It is an
// error if the vocabulary has no token for a part of the text.
func (t *Tokenizer) Encode(text string, bos, eos bool) ([]int, error) {
	parts := []string{"", text}
	if t.special {
		parts = []string{text}
	}
	tokens, err := t.EncodeTemplate(parts, bos)
	if eos && t.EOS != none && err == nil {
		tokens = append(tokens, t.EOS)
	}
	return tokens, err
}

// EncodeTemplate returns the tokens of a text that a template makes. Its parts are by turns the
// template's own, in which all special tokens are found, and what persons have typed, in which
// only user-defined ones are. The tokens are those of the whole text: its parts do not cut it
// into words. bos is Encode's.
func (t *Tokenizer) EncodeTemplate(parts []string, bos bool) ([]int, error) {
	text := strings.Join(parts, "")
	tokens := make([]int, 0, len(text)/3+4)
	var err error
	begin, afterSpecial := 0, true
	plain := func(end int) {
		if begin < end && err == nil {
			s := text[begin:end]
			if afterSpecial && t.addSpace {
				s = " " + s
			}
			tokens, err = t.method.encode(tokens, s)
			afterSpecial = false
		}
	}
	for _, found := range t.markers.find(&t.vocabulary, parts, text) {
		plain(found.at)
		tokens, begin, afterSpecial = append(tokens, int(found.id)), found.at+len(t.piece(found.id)), true
	}
	plain(len(text))
	if bos && t.addBOS && (len(tokens) == 0 || tokens[0] != t.BOS) {
		tokens = slices.Insert(tokens, 0, t.BOS)
	}
	return tokens, err
}

// Decode returns the bytes of token when it follows the token prev, -1 at the beginning of a
// text: nothing for a special token unless t is Special, and no space where SentencePiece put
// one at the beginning. They may be a part of a character. It allocates nothing.
func (t *Tokenizer) Decode(prev, token int) string {
	piece := t.Text(token)
	switch typ := t.types[token]; {
	case typ == Control || typ == Unknown:
		if !t.special {
			return ""
		}
	case typ != UserDefined && t.addSpace && (prev < 0 || prev == t.BOS):
		return strings.TrimPrefix(piece, " ")
	}
	return piece
}
