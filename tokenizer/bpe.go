package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-level byte pair encoding (Radford et al. 2019): the bytes of a word merge by the
// ranks of a list. In the file, bytes have GPT-2's letters; here pieces are bytes.
type bpe struct {
	v     *vocabulary
	index index
	rule  rule
	bytes [256]int32 // the piece of each byte
	size  int        // tokens: pieces from here on are none

	left, right, piece []int32  // by rank: the pieces that merge, and what they become
	slots              []uint32 // hash table of the pairs: 1 + the rank; 0: free
}

// newBPE fills the vocabulary.
func (t *Tokenizer) newBPE(m Metadata) (*bpe, error) {
	r, ok := ruleOf(m.Pre)
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre is %q, which is not implemented: llama-bpe, qwen2, smollm, starcoder, gpt-2 and default are", m.Pre)
	}
	e := &bpe{v: &t.vocabulary, index: newIndex(t.size), rule: r, size: t.size}
	bytes := 0
	for text := range m.Tokens {
		bytes += len(text)
	}
	t.grow(t.size+256, bytes)
	t.markers = newMarkers()
	i := 0
	for text := range m.Tokens {
		typ := t.types[i]
		marker := typ == Control || typ == Unknown || typ == UserDefined
		raw, reachable := "", false
		if raw, reachable = fromLetters(text); marker || !reachable {
			raw = text
		}
		id := t.add(raw)
		switch {
		case id == none:
			return nil, fmt.Errorf("tokenizer.ggml.tokens: too many bytes")
		case marker:
			t.markers.add(&t.vocabulary, id, typ == UserDefined)
		case reachable && raw != "":
			if same := e.index.find(e.v, raw); same != none {
				return nil, fmt.Errorf("tokenizer.ggml.tokens[%d] and [%d] are both %+.40q", same, id, text)
			}
			e.index.add(e.v, id)
		}
		i++
	}
	for b := range e.bytes {
		if e.bytes[b] = e.intern(string([]byte{byte(b)})); e.bytes[b] == none {
			return nil, fmt.Errorf("tokenizer.ggml.tokens: too many bytes")
		}
	}
	return e, e.readMerges(m)
}

// readMerges reads the list of pairs.
func (e *bpe) readMerges(m Metadata) error {
	if m.Merges == nil {
		return fmt.Errorf("tokenizer.ggml.merges is missing")
	}
	n := 0
	for range m.Merges {
		n++
	}
	e.left, e.right, e.piece = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n)
	size := 16
	for size < 2*n {
		size *= 2
	}
	e.slots = make([]uint32, size)
	rank := 0
	for text := range m.Merges {
		// The space that divides is the first one behind the first byte.
		space := strings.IndexByte(text[min(1, len(text)):], ' ') + 1
		a, okA := fromLetters(text[:space])
		b, okB := fromLetters(text[min(space+1, len(text)):])
		if space == 0 || !okA || !okB {
			return fmt.Errorf("tokenizer.ggml.merges[%d] is %+.40q, must be two pieces with a space between them", rank, text)
		}
		left, right, both := e.intern(a), e.intern(b), e.intern(a+b)
		if left == none || right == none || both == none {
			return fmt.Errorf("tokenizer.ggml.merges[%d]: too many bytes", rank)
		}
		e.left, e.right, e.piece = append(e.left, left), append(e.right, right), append(e.piece, both)
		if slot, found := e.slot(left, right); !found { // else the first one counts
			e.slots[slot] = uint32(rank) + 1
		}
		rank++
	}
	return nil
}

// intern returns the piece of a text, which is added if the vocabulary does not have it.
func (e *bpe) intern(text string) int32 {
	id := e.index.find(e.v, text)
	if id == none {
		if id = e.v.add(text); id != none {
			e.index.add(e.v, id)
		}
	}
	return id
}

// slot returns where a pair is in the hash table, or where it belongs.
func (e *bpe) slot(left, right int32) (i uint64, found bool) {
	h := (uint64(left)<<32 | uint64(right)) * 0x9e3779b97f4a7c15 // Fibonacci hashing (Knuth, volume 3, 6.4)
	for i = h >> 32; ; i++ {
		i &= uint64(len(e.slots) - 1)
		slot := e.slots[i]
		if slot == 0 {
			return i, false
		}
		if rank := slot - 1; e.left[rank] == left && e.right[rank] == right {
			return i, true
		}
	}
}

// join implements table.
func (e *bpe) join(sym *symbols, left, right int32) (key uint32, id int32, ok bool) {
	i, ok := e.slot(sym.id[left], sym.id[right])
	if !ok {
		return 0, 0, false
	}
	rank := e.slots[i] - 1
	return rank, e.piece[rank], true
}

// encode implements method.
func (e *bpe) encode(tokens []int, text string) (_ []int, err error) {
	var sym symbols
	for word := range e.rule.words(text) {
		if id := e.index.find(e.v, word); e.rule.wholeWords && id != none && id < int32(e.size) {
			tokens = append(tokens, int(id))
			continue
		}
		sym.reset(word)
		for i := range len(word) {
			sym.add(i, e.bytes[word[i]])
		}
		sym.merge(e)
		for i, n := int32(0), int32(len(sym.id)); i < n; i = sym.next[i] {
			if tokens, err = e.append(tokens, sym.id[i]); err != nil {
				return nil, err
			}
		}
	}
	return tokens, nil
}

// append appends a piece, or its bytes if it is no token.
func (e *bpe) append(tokens []int, id int32) ([]int, error) {
	if id < int32(e.size) {
		return append(tokens, int(id)), nil
	}
	for _, b := range []byte(e.v.piece(id)) {
		if e.bytes[b] >= int32(e.size) {
			return nil, fmt.Errorf("the tokenizer has no token for the byte %#02x", b)
		}
		tokens = append(tokens, int(e.bytes[b]))
	}
	return tokens, nil
}

// byteOf is the byte of each of GPT-2's letters: a byte that can be printed is its own character
// of Latin-1, the others are the characters from U+0100 on, in order.
var byteOf = func() (byteOf [256 + 68]int16) {
	next := 256
	for i := range byteOf {
		byteOf[i] = none
	}
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b != 0xad {
			byteOf[b] = int16(b)
		} else {
			byteOf[next] = int16(b)
			next++
		}
	}
	return byteOf
}()

// fromLetters returns the bytes that a text of GPT-2's letters stands for.
func fromLetters(text string) (raw string, ok bool) {
	buf := make([]byte, 0, 64)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if int(r) >= len(byteOf) || byteOf[r] == none {
			return "", false
		}
		buf = append(buf, byte(byteOf[r]))
		i += n
	}
	return string(buf), true
}
