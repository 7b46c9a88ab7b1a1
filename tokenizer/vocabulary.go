package tokenizer

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// vocabulary is pieces of text by number.
type vocabulary struct {
	text  strings.Builder // all pieces, one behind the other
	start []uint32        // where each begins, and where the last one ends
}

// grow makes room for pieces of that many bytes together.
func (v *vocabulary) grow(pieces, bytes int) {
	v.text.Grow(bytes)
	v.start = append(make([]uint32, 0, pieces+1), 0)
}

// add adds a piece and returns its number, none if all of them are too long.
func (v *vocabulary) add(piece string) int32 {
	if v.text.Len()+len(piece) > math.MaxUint32 || len(v.start) > math.MaxInt32 {
		return none
	}
	v.text.WriteString(piece)
	v.start = append(v.start, uint32(v.text.Len()))
	return int32(len(v.start) - 2)
}

// piece returns a piece.
func (v *vocabulary) piece(id int32) string { return v.text.String()[v.start[id]:v.start[id+1]] }

// index finds pieces of a vocabulary by their text. It is a hash table with linear probing that
// is at most half full.
type index struct {
	seed  maphash.Seed
	slots []uint32 // 1 + the piece; 0: free
	used  int
}

// newIndex returns an index that has room for that many pieces, and grows.
func newIndex(pieces int) index {
	size := 16
	for size < 2*pieces {
		size *= 2
	}
	return index{seed: maphash.MakeSeed(), slots: make([]uint32, size)}
}

// find returns the piece of this text, or none.
func (x *index) find(v *vocabulary, text string) int32 {
	for i := maphash.String(x.seed, text); ; i++ {
		switch slot := x.slots[i&uint64(len(x.slots)-1)]; {
		case slot == 0:
			return none
		case v.piece(int32(slot-1)) == text:
			return int32(slot - 1)
		}
	}
}

// add adds a piece whose text it does not have.
func (x *index) add(v *vocabulary, id int32) {
	if x.used++; 2*x.used > len(x.slots) {
		old := x.slots
		x.slots = make([]uint32, 2*len(old))
		for _, slot := range old {
			if slot != 0 {
				x.put(v, slot)
			}
		}
	}
	x.put(v, uint32(id)+1)
}

func (x *index) put(v *vocabulary, slot uint32) {
	mask := uint64(len(x.slots) - 1)
	i := maphash.String(x.seed, v.piece(int32(slot-1))) & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = slot
}

// markers are the special tokens, which are found in a text before anything else.
type markers struct {
	index   index     // all of them
	always  index     // the user-defined ones
	first   [256]bool // the bytes that they begin with
	lengths []int     // of their texts, ascending
}

// marker is a special token in a text.
type marker struct {
	at int
	id int32
}

func newMarkers() markers { return markers{index: newIndex(0), always: newIndex(0)} }

// add adds a special token.
func (m *markers) add(v *vocabulary, id int32, always bool) {
	piece := v.piece(id)
	if piece == "" || m.index.find(v, piece) != none {
		return // empty: found nowhere; twice: the first one is found
	}
	m.index.add(v, id)
	if always {
		m.always.add(v, id)
	}
	m.first[piece[0]] = true
	if i, ok := slices.BinarySearch(m.lengths, len(piece)); !ok {
		m.lengths = slices.Insert(m.lengths, i, len(piece))
	}
}

// find returns the special tokens in text, which parts make, in order: longer ones are found
// first, and of equal ones the left. Tokens that are not user-defined lie within one part of
// the template's own, see EncodeTemplate.
func (m *markers) find(v *vocabulary, parts []string, text string) []marker {
	var found []marker
	partEnd := 0
	for p, part := range parts {
		at := partEnd
		partEnd += len(part)
		for ; at < partEnd; at++ {
			if !m.first[text[at]] {
				continue
			}
			for _, n := range m.lengths {
				if n > len(text)-at {
					break
				}
				known := &m.always
				if p%2 == 0 && at+n <= partEnd {
					known = &m.index
				}
				if id := known.find(v, text[at:at+n]); id != none {
					found = append(found, marker{at, id})
				}
			}
		}
	}
	size := func(f marker) int { return len(v.piece(f.id)) }
	slices.SortStableFunc(found, func(a, b marker) int { return cmp.Compare(size(b), size(a)) })
	taken := make([]bool, len(text)*min(len(found), 1))
	kept := found[:0]
	for _, f := range found {
		// Those taken before are no shorter, so that an overlap has one of the ends.
		if end := f.at + size(f); !taken[f.at] && !taken[end-1] {
			for i := f.at; i < end; i++ {
				taken[i] = true
			}
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b marker) int { return cmp.Compare(a.at, b.at) })
	return kept
}
