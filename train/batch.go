package train

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Batches packs the documents of a corpus into the rows that a model is trained on.
//
// An epoch is all documents in an order that depends on the seed and the epoch's number
// alone. They are laid into rows of seq_len+1 tokens, one after the other: the inputs are
// all but the last of them, the targets all but the first. A document that ends in a row is
// followed there by the BOS of the next, since the model must learn to end a text. One that
// is cut short by the row's end begins the next row anew, so that every document is seen
// whole once per epoch and, where it was cut, begun twice. One that is longer than a row
// begins a row and goes on in the next, from the token that was the last target, so
// that each of its tokens is a target. The last row of an epoch goes on with the documents
// of the next.
//
// Any step can be asked for at any time; steps in ascending order are the fastest. A
// Batches serves one goroutine at a time.
type Batches struct {
	corpus *Corpus
	seqLen int
	batch  int
	seed   uint64

	starts []position // where each row starts, as far as they have been laid out; there is one
	orders [2]order   // of two epochs that follow each other: the even and the odd
}

// position is a place in the endless sequence of documents of all epochs.
type position struct {
	document int // epoch * documents + place in the epoch's order
	offset   int // of the token in the document
}

// order is the order of the documents in an epoch.
type order struct {
	epoch     int
	documents []int32 // nil: not made yet
}

// NewBatches returns batches of batch rows of seqLen+1 tokens.
func NewBatches(c *Corpus, seqLen, batch int, seed uint64) *Batches {
	if seqLen < 1 || batch < 1 || c.Documents() < 1 {
		panic(fmt.Sprintf("train: NewBatches: %d rows of %d positions from %d documents", batch, seqLen, c.Documents()))
	}
	return &Batches{corpus: c, seqLen: seqLen, batch: batch, seed: seed, starts: make([]position, 1)}
}

// At sets dst (batch, seq_len+1) to the tokens of a step, which count from 0.
func (b *Batches) At(step int, dst []uint16) {
	width := b.seqLen + 1
	if step < 0 || len(dst) != b.batch*width {
		panic(fmt.Sprintf("train: At(%d) with %d tokens: the batch has %d rows of %d", step, len(dst), b.batch, width))
	}
	for i := range b.batch {
		b.fill(dst[i*width:][:width], b.start(step*b.batch+i))
	}
}

// start returns where a row starts, and lays out the rows up to it.
func (b *Batches) start(row int) position {
	for len(b.starts) <= row {
		b.starts = append(b.starts, b.next(b.starts[len(b.starts)-1]))
	}
	return b.starts[row]
}

// next returns where the row after the one that starts at p starts.
func (b *Batches) next(p position) position {
	width := b.seqLen + 1
	used := 0
	for {
		left := len(b.document(p.document)) - p.offset
		if used+left >= width { // no place for the next BOS
			break
		}
		used += left
		p = position{document: p.document + 1}
	}
	if used == 0 {
		p.offset += b.seqLen
	}
	return p
}

// fill sets row to the tokens from p on.
func (b *Batches) fill(row []uint16, p position) {
	for len(row) > 0 {
		row = row[copy(row, b.document(p.document)[p.offset:]):]
		p = position{document: p.document + 1}
	}
}

// document returns a document of the endless sequence.
func (b *Batches) document(i int) []uint16 {
	n := b.corpus.Documents()
	epoch := i / n
	o := &b.orders[epoch%len(b.orders)]
	if o.documents == nil || o.epoch != epoch {
		*o = order{epoch, permutation(o.documents, n, b.seed, epoch)}
	}
	return b.corpus.Document(int(o.documents[i%n]))
}

// permutation returns the numbers below n in a random order, in the memory of p if that has
// n. The algorithm (Fisher and Yates, Durstenfeld 1964; Lemire 2019 for the bounded random
// numbers, without rejecting: their bias is below n/2**64) stands here because rand.Shuffle
// may become another one with a release of Go.
func permutation(p []int32, n int, seed uint64, epoch int) []int32 {
	if p == nil {
		p = make([]int32, n)
	}
	for i := range p {
		p[i] = int32(i)
	}
	random := rand.NewPCG(seed, uint64(epoch))
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(random.Uint64(), uint64(i+1))
		p[i], p[j] = p[j], p[i]
	}
	return p
}
