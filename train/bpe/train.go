// Package bpe makes tokenizers in the format of llama2.c's tokenizer.bin by byte pair
// encoding (Gage 1994, Sennrich et al. 2016) in the manner of SentencePiece (Kudo and
// Richardson 2018), and encodes whole corpora with them.
//
// A text is cut into words, and no piece of the vocabulary goes beyond a word. A space
// belongs to the letters, or to the one punctuation mark, behind it; letters in a row are a word;
// every other character is one: digits, punctuation, newlines.
package bpe

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"strings"
)

const (
	firstByte  = EOS + 1         // the token of byte 0
	firstPiece = firstByte + 256 // the first token that training chooses

	// MinVocabSize is the size of a vocabulary of the control tokens, the bytes and a
	// space, which every text begins with.
	MinVocabSize = firstPiece + 1
	// MaxVocabSize is how many tokens a uint16 tells apart, but for the last, which package
	// train takes for none.
	MaxVocabSize = 1<<16 - 1
)

// maxWord bounds the characters of a word in training, where longer ones are counted in
// parts: what a merge costs grows with the length of the words.
const maxWord = 64

// minCount is how often a pair must occur for a merge.
const minCount = 2

// Train returns a vocabulary of vocabSize tokens for documents, each as Encode sees it,
// with a space in front. They may hold any bytes.
//
// It merges the pair of neighbours that is most frequent, again and again. Frequencies are
// of what the pair spells: Encode looks for the piece, however it came to be. Characters compete with
// the merges, since any of them can be expressed by byte tokens: one becomes a token when a
// merge has it, or when the tokens that it saves, one for each byte but the first, are
// more than those of a merge. Among equals the shorter goes first, then the lower in
// bytes. So the same words, in any order, give the same vocabulary.
//
// A vocabSize outside MinVocabSize to MaxVocabSize and a corpus with fewer pieces are
// errors.
func Train(documents iter.Seq[string], vocabSize int) (*Vocabulary, error) {
	if vocabSize < MinVocabSize || vocabSize > MaxVocabSize {
		return nil, fmt.Errorf("bpe: a vocabulary of %d tokens: must be %d to %d", vocabSize, MinVocabSize, MaxVocabSize)
	}
	t := &trainer{room: vocabSize - firstPiece, symbols: map[string]*symbol{}, pairs: map[[2]*symbol]*symbol{}}
	t.take(t.symbol(" "))
	t.count(documents)
	t.offerChanged()
	for t.room > 0 && len(t.queue) > 0 {
		o := heap.Pop(&t.queue).(offer)
		switch s := o.symbol; {
		case o.gain != s.gain() || s.token || t.cost(s) > t.room:
			// Out of date, or in the vocabulary by now, or too much for what is left.
		case s.merge:
			t.merge(s)
		default:
			t.take(s)
		}
	}
	if t.room > 0 {
		return nil, fmt.Errorf("bpe: the corpus is too small: it has pieces for a vocabulary of %d tokens, not of %d",
			vocabSize-t.room, vocabSize)
	}
	return newVocabulary(t.merges, t.characters), nil
}

// symbol is a character, or what a pair of neighbours spells.
type symbol struct {
	text  string
	merge bool    // it is a pair
	token bool    // it is in the vocabulary
	rank  int     // of a merge in the vocabulary: which it was
	count int64   // in the corpus, as it is merged so far
	words []*word // of a pair: where it occurs or once did, some twice

	changed bool // count did, since it was last offered
}

// word is a word of the corpus, or a part of a long one, as it is merged so far.
type word struct {
	symbols []*symbol
	count   int64
}

// trainer is the state of Train.
type trainer struct {
	symbols map[string]*symbol     // by text
	pairs   map[[2]*symbol]*symbol // what neighbours spell

	room               int // for tokens in the vocabulary
	merges, characters []string

	queue   offers
	changed []*symbol
}

// count counts the words of documents and, in them, characters and pairs.
func (t *trainer) count(documents iter.Seq[string]) {
	index := map[string]int{}
	var texts []string
	var counts []int64
	for document := range documents {
		for text := range spacedWords(document) {
			i, ok := index[text]
			if !ok {
				i = len(counts)
				text = strings.Clone(text) // a document need not stay in memory for a word of it
				index[text] = i
				texts, counts = append(texts, text), append(counts, 0)
			}
			counts[i]++
		}
	}
	for i, text := range texts {
		for len(text) > 0 {
			w := &word{count: counts[i]}
			text = t.spell(w, text)
			for i := range w.symbols {
				t.countPair(w, i, w.count)
			}
		}
	}
}

// spell sets w to the first characters of text, counts them and returns the others. Raw
// ones take no part.
func (t *trainer) spell(w *word, text string) (rest string) {
	for len(text) > 0 && len(w.symbols) < maxWord {
		n, class := character(text)
		if class != raw {
			s := t.symbol(text[:n])
			t.add(s, w.count)
			w.symbols = append(w.symbols, s)
		}
		text = text[n:]
	}
	return text
}

// symbol returns the symbol of that text.
func (t *trainer) symbol(text string) *symbol {
	s := t.symbols[text]
	if s == nil {
		s = &symbol{text: text}
		t.symbols[text] = s
	}
	return s
}

// pair returns what two neighbours spell.
func (t *trainer) pair(left, right *symbol) *symbol {
	key := [2]*symbol{left, right}
	s := t.pairs[key]
	if s == nil {
		s = t.symbol(left.text + right.text)
		s.merge = true
		t.pairs[key] = s
	}
	return s
}

// countPair adds count to the pair of w that begins at i, if there is one.
func (t *trainer) countPair(w *word, i int, count int64) {
	if i < 0 || i+1 >= len(w.symbols) {
		return
	}
	s := t.pair(w.symbols[i], w.symbols[i+1])
	t.add(s, count)
	if count > 0 && (len(s.words) == 0 || s.words[len(s.words)-1] != w) {
		s.words = append(s.words, w)
	}
}

func (t *trainer) add(s *symbol, count int64) {
	s.count += count
	if !s.changed {
		s.changed = true
		t.changed = append(t.changed, s)
	}
}

// take makes a character a token.
func (t *trainer) take(s *symbol) {
	s.token = true
	t.characters = append(t.characters, s.text)
	t.room--
}

// merge makes a pair a token, and the characters in it.
func (t *trainer) merge(s *symbol) {
	for _, c := range t.missing(s) {
		t.take(c)
	}
	s.token = true
	s.rank = len(t.merges)
	t.merges = append(t.merges, s.text)
	t.room--
	for _, w := range s.words {
		t.mergeWord(w)
	}
	s.words = nil
	t.offerChanged()
}

// missing returns the characters of a symbol that are no tokens yet.
func (t *trainer) missing(s *symbol) []*symbol {
	var missing []*symbol
	for text := s.text; text != ""; {
		n, _ := character(text)
		if c := t.symbols[text[:n]]; !c.token && !slices.Contains(missing, c) {
			missing = append(missing, c)
		}
		text = text[n:]
	}
	return missing
}

// cost returns how many tokens a symbol adds to the vocabulary.
func (t *trainer) cost(s *symbol) int {
	if s.merge {
		return 1 + len(t.missing(s))
	}
	return 1
}

// mergeWord merges as Encode does: the pair of the lowest rank, the leftmost of equals, until
// there is none. A new merge may bring together what spells an old one.
func (t *trainer) mergeWord(w *word) {
	for {
		var best *symbol
		at := 0
		for i := 1; i < len(w.symbols); i++ {
			if s := t.pairs[[2]*symbol{w.symbols[i-1], w.symbols[i]}]; s.token && (best == nil || s.rank < best.rank) {
				best, at = s, i-1
			}
		}
		if best == nil {
			return
		}
		for i := at - 1; i <= at+1; i++ {
			t.countPair(w, i, -w.count)
		}
		w.symbols[at] = best
		w.symbols = slices.Delete(w.symbols, at+1, at+2)
		t.countPair(w, at-1, w.count)
		t.countPair(w, at, w.count)
	}
}

// gain returns how many tokens a symbol saves in the corpus, or about: the pairs of "aaa"
// overlap, and count as two.
func (s *symbol) gain() int64 {
	if s.merge {
		return s.count
	}
	return s.count * int64(len(s.text)-1)
}

// offerChanged puts the symbols whose count has changed into the queue.
func (t *trainer) offerChanged() {
	for _, s := range t.changed {
		s.changed = false
		if !s.token && (!s.merge || s.count >= minCount) {
			heap.Push(&t.queue, offer{s.gain(), s})
		}
	}
	t.changed = t.changed[:0]
}

// offer is a symbol that may become a token, and its gain when it was offered.
type offer struct {
	gain   int64
	symbol *symbol
}

// offers is a heap: the largest gain first.
type offers []offer

func (o offers) Len() int { return len(o) }
func (o offers) Less(i, j int) bool {
	a, b := o[i].symbol.text, o[j].symbol.text
	return cmp.Or(cmp.Compare(o[j].gain, o[i].gain), cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0
}
func (o offers) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *offers) Push(x any)   { *o = append(*o, x.(offer)) }
func (o *offers) Pop() any {
	last := (*o)[len(*o)-1]
	*o = (*o)[:len(*o)-1]
	return last
}
