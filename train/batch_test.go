package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"bootllama/train/bpe"
)

// firstToken is the first of the tokens that numbered documents consist of.
const firstToken = 10

// numbered returns a corpus with documents of these lengths in which every token but BOS is
// another, and what they mean: which document, and which token of it.
func numbered(lengths []int) (*Corpus, func(token uint16) (document, offset int)) {
	c := &Corpus{Starts: []int{0}}
	for _, n := range lengths {
		c.Tokens = append(c.Tokens, bpe.BOS)
		for range n - 1 {
			c.Tokens = append(c.Tokens, uint16(firstToken+len(c.Tokens)))
		}
		c.Starts = append(c.Starts, len(c.Tokens))
	}
	return c, func(token uint16) (document, offset int) {
		i := int(token) - firstToken
		document, found := slices.BinarySearch(c.Starts, i)
		if !found {
			document--
		}
		return document, i - c.Starts[document]
	}
}

// randomLengths returns lengths of documents, some of them longer than seqLen.
func randomLengths(random *rand.Rand, seqLen int) []int {
	lengths := make([]int, 1+random.IntN(40))
	for i := range lengths {
		lengths[i] = 2 + random.IntN(seqLen)
		if random.IntN(5) == 0 {
			lengths[i] += seqLen * random.IntN(4)
		}
	}
	return lengths
}

// TestBatches: in every epoch every document ends exactly once, with the next BOS behind its last
// token in the same row. If it is no longer than seq_len it stands whole in that row; otherwise
// it begins a row, and each of its tokens is a target once, in rows that follow each other.
func TestBatches(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	for range 200 {
		seqLen := 1 + random.IntN(30)
		lengths := randomLengths(random, seqLen)
		c, meaning := numbered(lengths)
		b := NewBatches(c, seqLen, 1, random.Uint64())
		row := make([]uint16, seqLen+1)
		const epochs = 3
		var ended []int // the documents whose end was seen, in order
		last := -1      // the last token of the row before
		begin := -1     // where the current document begins in the row; -1: in an earlier one
		for step := 0; len(ended) < epochs*len(lengths); step++ {
			if got, want := b.start(step).document/len(lengths), len(ended)/len(lengths); got != want {
				t.Fatalf("row %d is of epoch %d, want %d", step, got, want)
			}
			b.At(step, row)
			if row[0] != bpe.BOS && (int(row[0]) != last || begin > 0) {
				t.Fatalf("row %d starts with %d, neither BOS nor the end of a row of one document, which was %d", step, row[0], last)
			}
			begin = -1
			for i, token := range row {
				if token == bpe.BOS {
					begin = i
					continue
				}
				d, offset := meaning(token)
				before := uint16(bpe.BOS)
				if offset > 1 {
					before = token - 1
				}
				if i > 0 && row[i-1] != before {
					t.Fatalf("row %d: %v: token %d of document %d does not follow the one before", step, row, offset, d)
				}
				if offset < lengths[d]-1 || i == seqLen {
					continue
				}
				if row[i+1] != bpe.BOS {
					t.Fatalf("row %d: %v: document %d is not followed by BOS", step, row, d)
				}
				if whole := begin >= 0 && i-begin == offset; whole != (lengths[d] <= seqLen) {
					t.Fatalf("row %d: %v: document %d of %d tokens, whole: %v", step, row, d, lengths[d], whole)
				}
				ended = append(ended, d)
			}
			last = int(row[seqLen])
		}
		all := make([]int, len(lengths))
		for i := range all {
			all[i] = i
		}
		for e := range epochs {
			got := slices.Sorted(slices.Values(ended[e*len(all):][:len(all)]))
			if !slices.Equal(got, all) {
				t.Fatalf("epoch %d has the documents %v, want each of %d once", e, got, len(all))
			}
		}
	}
}

// TestBatchesAtAnyStep: a step's rows are the same whatever was asked for before, so that training can
// go on from any step; another seed gives others.
func TestBatchesAtAnyStep(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 0))
	c, _ := numbered(randomLengths(random, 16))
	const seqLen, batch, steps = 16, 3, 40
	at := func(b *Batches, step int) []uint16 {
		dst := make([]uint16, batch*(seqLen+1))
		b.At(step, dst)
		return dst
	}
	b := NewBatches(c, seqLen, batch, 7)
	want := make([][]uint16, steps)
	for step := range want {
		want[step] = at(b, step)
	}
	for range 200 {
		if random.IntN(5) == 0 {
			b = NewBatches(c, seqLen, batch, 7)
		}
		if step := random.IntN(steps); !slices.Equal(at(b, step), want[step]) {
			t.Fatalf("step %d has other rows than before", step)
		}
	}
	if slices.Equal(at(NewBatches(c, seqLen, batch, 8), 0), want[0]) {
		t.Error("seed 8 gives the rows of seed 7")
	}
}

// TestPermutation: the order is part of what a seed means, in every release of Go.
func TestPermutation(t *testing.T) {
	for epoch, want := range [][]int32{{6, 2, 5, 3, 4, 7, 0, 1, 9, 8}, {2, 3, 9, 6, 0, 8, 7, 4, 5, 1}} {
		if got := permutation(nil, 10, 42, epoch); !slices.Equal(got, want) {
			t.Errorf("epoch %d: %v, want %v", epoch, got, want)
		}
	}
}
