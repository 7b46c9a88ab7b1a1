package llama

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"bootllama/tensor"
)

// What llama2.c's tokenizer.bin does not say: <unk>, BOS and EOS come first, then the
// tokens of the 256 bytes.
const (
	bos       = 1
	eos       = 2
	firstByte = 3
)

// Tokenizer translates between text and tokens: byte pair encoding in the
// manner of SentencePiece, over the pieces and scores of llama2.c's
// tokenizer.bin.
type Tokenizer struct {
	BOS int // beginning of a sequence: the model generates it when a text is complete
	EOS int // end of a turn in a chat

	byteTokens [256]int // the token of each byte, for characters that have none; -1: no such token

	vocab  []string    // (vocab_size,): the piece of each token
	scores []float32   // (vocab_size,): pairs merge in the order of their scores, highest first
	sorted []int32     // (vocab_size,): the tokens in the order of their pieces, then of their ids (run.c's sorted_vocab)
	bytes  [256]string // every one-byte string, so that Decode allocates nothing
}

// LoadTokenizer reads the tokenizer of a model with vocabSize tokens from the
// file of that name: see ReadTokenizer.
func LoadTokenizer(name string, vocabSize int) (*Tokenizer, error) {
	return load(name, func(r io.Reader, size int64) (*Tokenizer, error) { return ReadTokenizer(r, size, name, vocabSize) })
}

// pieceHeader is the size of the score and the length before each piece.
const pieceHeader = 8

// ReadTokenizer reads llama2.c's tokenizer.bin from r, which holds size bytes;
// name is for error messages:
//
//	int32 max_token_length, little endian
//	vocabSize times: float32 score, int32 length, the piece
//
// The file does not say how many pieces it has; one with fewer or more than the
// model's vocabSize belongs to another model, which is an error.
func ReadTokenizer(r io.Reader, size int64, name string, vocabSize int) (*Tokenizer, error) {
	if vocabSize < firstByte {
		panic(fmt.Sprintf("llama: ReadTokenizer: vocabSize is %d", vocabSize))
	}
	rd := tensor.NewReader(bufio.NewReaderSize(r, 1<<16), tensor.File{Name: name}, 0)
	var b [pieceHeader]byte
	if size < int64(4+vocabSize*(pieceHeader+1)) {
		return nil, rd.Errorf("the file has %d bytes, too few for the model's %d tokens: truncated, or another model's tokenizer", size, vocabSize)
	}
	if err := rd.Read(b[:4], "max_token_length"); err != nil {
		return nil, err
	}
	maxLen := int32(binary.LittleEndian.Uint32(b[:]))
	if maxLen < 1 || int64(maxLen) > size {
		return nil, fmt.Errorf("%s: offset 0: max_token_length is %d: not a llama2.c tokenizer", name, maxLen)
	}
	t := &Tokenizer{
		BOS:    bos,
		EOS:    eos,
		vocab:  make([]string, vocabSize),
		scores: make([]float32, vocabSize),
		sorted: make([]int32, vocabSize),
	}
	for i := range t.bytes {
		t.bytes[i] = string([]byte{byte(i)})
		if t.byteTokens[i] = firstByte + i; firstByte+i >= vocabSize {
			t.byteTokens[i] = -1
		}
	}
	piece := make([]byte, maxLen)
	var pieces strings.Builder // all pieces in one string: 32,000 allocations would take twice the memory
	pieces.Grow(int(min(size-int64(vocabSize*pieceHeader), 8*int64(vocabSize))))
	for id := range t.vocab {
		start := rd.Offset
		if size-start < pieceHeader+1 {
			return nil, rd.Errorf("the file ends after %d of the model's %d tokens: truncated, or another model's tokenizer", id, vocabSize)
		}
		if err := rd.Read(b[:], "score and length"); err != nil {
			return nil, err
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(b[:]))
		n := int32(binary.LittleEndian.Uint32(b[4:]))
		switch {
		case score != score:
			return nil, fmt.Errorf("%s: offset %d: the score of token %d is not a number", name, start, id)
		case n < 1 || n > maxLen:
			return nil, fmt.Errorf("%s: offset %d: the length of token %d is %d, must be 1 to max_token_length %d", name, start+4, id, n, maxLen)
		case int64(n) > size-rd.Offset:
			return nil, rd.Errorf("the file ends within token %d of the model's %d: truncated", id, vocabSize)
		}
		if err := rd.Read(piece[:n], "token"); err != nil {
			return nil, err
		}
		// A piece ends at its first zero byte, as C strings do.
		text, _, _ := bytes.Cut(piece[:n], []byte{0})
		at := pieces.Len()
		pieces.Write(text)
		t.vocab[id] = pieces.String()[at:]
		t.scores[id] = score
		t.sorted[id] = int32(id)
	}
	if rd.Offset != size {
		return nil, rd.Errorf("%d bytes follow the last of the model's %d tokens: another model's tokenizer?", size-rd.Offset, vocabSize)
	}
	slices.SortFunc(t.sorted, func(a, b int32) int {
		return cmp.Or(strings.Compare(t.vocab[a], t.vocab[b]), cmp.Compare(a, b))
	})
	return t, nil
}

// lookup returns the token of a piece, the first of several (run.c's str_lookup).
func (t *Tokenizer) lookup(piece string) (id int, ok bool) {
	i, ok := slices.BinarySearchFunc(t.sorted, piece, func(id int32, piece string) int {
		return strings.Compare(t.vocab[id], piece)
	})
	if !ok {
		return 0, false
	}
	return int(t.sorted[i]), true
}

// Ends reports whether the model generates token when its text is complete: BOS, that of the next one.
func (t *Tokenizer) Ends(token int) bool { return token == t.BOS }

// VocabSize returns the number of tokens.
func (t *Tokenizer) VocabSize() int { return len(t.vocab) }

// Encode returns the tokens of text, those of run.c's encode, also for text that is not
// valid UTF-8. bos and eos add these tokens in front and at the end. Text that is not empty
// gets a space in front, as in SentencePiece. Where run.c would read outside its tables,
// Encode returns an error: a vocabulary without byte tokens cannot express every text.
func (t *Tokenizer) Encode(text string, bos, eos bool) ([]int, error) {
	tokens := make([]int, 0, len(text)+3)
	if bos {
		tokens = append(tokens, t.BOS)
	}
	if text != "" {
		space, ok := t.lookup(" ")
		if !ok {
			return nil, fmt.Errorf("the tokenizer has no token for a space: it can encode no text")
		}
		tokens = append(tokens, space)
	}
	for i := 0; i < len(text); {
		n := codepoint(text[i:])
		if id, ok := t.lookup(text[i : i+n]); ok {
			tokens = append(tokens, id)
		} else {
			for j := i; j < i+n; j++ {
				id := t.byteTokens[text[j]]
				if id < 0 {
					return nil, fmt.Errorf("the tokenizer has no token for %+q, byte %d of the text", text[i:i+n], i)
				}
				tokens = append(tokens, id)
			}
		}
		i += n
	}
	tokens = t.merge(tokens)
	if eos {
		tokens = append(tokens, t.EOS)
	}
	return tokens, nil
}

// codepoint returns the length of the first code point of text in run.c's
// sense: a byte and the continuation bytes (10xxxxxx) after it, four at most.
func codepoint(text string) int {
	n := 1
	for n < 4 && n < len(text) && text[n]&0xc0 == 0x80 {
		n++
	}
	return n
}

// A pair is a candidate for merging: the tokens left and right stand side by
// side, left at index at, and together they are the piece of token id.
type pair struct {
	score       float32
	at          int
	left, right int
	id          int
}

// pairs is a heap: the highest score first, the leftmost among equals.
type pairs []pair

func (p pairs) Len() int { return len(p) }
func (p pairs) Less(i, j int) bool {
	if p[i].score != p[j].score {
		return p[i].score > p[j].score
	}
	return p[i].at < p[j].at
}
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pairs) Push(x any)   { *p = append(*p, x.(pair)) }
func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// merge replaces the pair of neighbouring tokens with the highest score by the token of
// both, until no pair is a piece, as run.c does. run.c compares all pairs again after each
// merge, which takes quadratic time. Here the tokens are a linked list and the pairs are in
// a heap; a pair of which a token has been merged since is skipped when it is removed.
func (t *Tokenizer) merge(tokens []int) []int {
	const minScore float32 = -1e10 // run.c never merges at or below it
	next := make([]int, len(tokens))
	prev := make([]int, len(tokens))
	for i := range tokens {
		prev[i], next[i] = i-1, i+1
	}
	const gone = -1 // in tokens: merged into the token before
	var queue pairs
	var piece []byte
	candidate := func(i int) {
		if i < 0 || next[i] >= len(tokens) {
			return
		}
		left, right := tokens[i], tokens[next[i]]
		piece = append(append(piece[:0], t.vocab[left]...), t.vocab[right]...)
		if id, ok := t.lookup(string(piece)); ok && t.scores[id] > minScore {
			heap.Push(&queue, pair{t.scores[id], i, left, right, id})
		}
	}
	for i := range tokens {
		candidate(i)
	}
	for len(queue) > 0 {
		p := heap.Pop(&queue).(pair)
		i := p.at
		j := next[i]
		if tokens[i] != p.left || j >= len(tokens) || tokens[j] != p.right {
			continue
		}
		tokens[i], tokens[j] = p.id, gone
		next[i] = next[j]
		if next[i] < len(tokens) {
			prev[next[i]] = i
		}
		candidate(prev[i])
		candidate(i)
	}
	merged := tokens[:0]
	for _, id := range tokens {
		if id != gone {
			merged = append(merged, id)
		}
	}
	return merged
}

// Decode returns the piece of token when it follows the token prev: without the
// leading space after BOS (SentencePiece put it there), and a byte token such as
// <0x0A> as its byte. It allocates nothing.
func (t *Tokenizer) Decode(prev, token int) string {
	piece := t.vocab[token]
	if prev == t.BOS && piece != "" && piece[0] == ' ' {
		piece = piece[1:]
	}
	if b, ok := byteToken(piece); ok {
		return t.bytes[b]
	}
	return piece
}

// byteToken returns the byte that a piece like <0x0A> stands for. Like run.c's
// sscanf(piece, "<0x%02hhX>") it reads one or two digits and ignores the rest.
func byteToken(piece string) (b byte, ok bool) {
	digits, ok := strings.CutPrefix(piece, "<0x")
	n := 0
	for n < min(2, len(digits)) && strings.IndexByte("0123456789abcdefABCDEF", digits[n]) >= 0 {
		n++
	}
	if !ok || n == 0 {
		return 0, false
	}
	v, err := strconv.ParseUint(digits[:n], 16, 8)
	return byte(v), err == nil
}
