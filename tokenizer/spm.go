package tokenizer

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// spm is SentencePiece's byte pair encoding: characters merge into the piece with the highest
// score. In the file, a space is "▁" (U+2581); here it is a space everywhere, also one that
// was typed as "▁".
type spm struct {
	v      *vocabulary
	index  index
	keys   []uint32   // (size,): the order in which pieces merge, the highest score first
	bytes  [256]int32 // the tokens of bytes, for characters that have none
	tokens int
}

const spaceMark = "▁"

// newSPM fills the vocabulary.
func (t *Tokenizer) newSPM(m Metadata) (*spm, error) {
	if len(m.Scores) != t.size {
		return nil, fmt.Errorf("tokenizer.ggml.scores has %d values for %d tokens", len(m.Scores), t.size)
	}
	s := &spm{v: &t.vocabulary, index: newIndex(t.size), keys: make([]uint32, t.size), tokens: t.size}
	for b := range s.bytes {
		s.bytes[b] = none
	}
	bytes := 0
	for text := range m.Tokens {
		bytes += len(text)
	}
	t.grow(t.size, bytes)
	t.markers = newMarkers()
	i := 0
	for text := range m.Tokens {
		reachable := false
		b, isByte := byteToken(text)
		switch t.types[i] {
		case Control, Unknown, UserDefined:
		case Byte:
			if !isByte {
				return nil, fmt.Errorf("tokenizer.ggml.tokens[%d] is %+.40q and token_type[%d] says that it is a byte, such as <0x0A>", i, text, i)
			}
			fallthrough
		default:
			if isByte {
				t.types[i], text, s.bytes[b] = Byte, string([]byte{b}), int32(i)
				break
			}
			reachable = text != "" && !strings.Contains(text, " ")
			text = strings.ReplaceAll(text, spaceMark, " ")
		}
		id := t.add(text)
		switch typ := t.types[i]; {
		case id == none:
			return nil, fmt.Errorf("tokenizer.ggml.tokens: too many bytes")
		case typ == Control || typ == Unknown || typ == UserDefined:
			t.markers.add(&t.vocabulary, id, typ == UserDefined)
		case reachable:
			if same := s.index.find(s.v, text); same != none {
				return nil, fmt.Errorf("tokenizer.ggml.tokens[%d] and [%d] are both %+.40q", same, id, text)
			}
			s.index.add(s.v, id)
		}
		score := m.Scores[i]
		if score != score {
			return nil, fmt.Errorf("tokenizer.ggml.scores[%d] is not a number", i)
		}
		s.keys[i] = descending(score)
		i++
	}
	for b := range s.bytes {
		if s.bytes[b] == none {
			s.bytes[b] = s.index.find(s.v, string([]byte{byte(b)}))
		}
	}
	return s, nil
}

// byteToken returns the byte that a token like <0x0A> stands for.
func byteToken(text string) (b byte, ok bool) {
	if len(text) != len("<0x0A>") || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	const digits = "0123456789ABCDEF"
	high, low := strings.IndexByte(digits, text[3]), strings.IndexByte(digits, text[4])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// descending returns numbers in the opposite order of the floats.
func descending(f float32) uint32 {
	bits := math.Float32bits(f + 0) // not -0
	if bits>>31 != 0 {
		return bits
	}
	return ^bits &^ (1 << 31)
}

// join implements table.
func (s *spm) join(sym *symbols, left, right int32) (key uint32, id int32, ok bool) {
	if id = s.index.find(s.v, sym.span(left, right)); id == none {
		return 0, 0, false
	}
	return s.keys[id], id, true
}

// encode implements method.
func (s *spm) encode(tokens []int, text string) ([]int, error) {
	text = strings.ReplaceAll(text, spaceMark, " ")
	var sym symbols
	sym.reset(text)
	for i := 0; i < len(text); {
		_, n := utf8.DecodeRuneInString(text[i:])
		sym.add(i, s.index.find(s.v, text[i:i+n]))
		i += n
	}
	sym.merge(s)
	for i, n := int32(0), int32(len(sym.id)); i < n; i = sym.next[i] {
		if sym.id[i] != none {
			tokens = append(tokens, int(sym.id[i]))
			continue
		}
		for j := sym.start[i]; j < sym.start[i+1]; j++ {
			b := s.bytes[text[j]]
			if b == none {
				return nil, fmt.Errorf("the tokenizer has no token for %+q, byte %d of the text", text[sym.start[i]:sym.start[i+1]], j)
			}
			tokens = append(tokens, int(b))
		}
	}
	return tokens, nil
}
