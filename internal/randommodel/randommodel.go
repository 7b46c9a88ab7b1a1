// Package randommodel makes checkpoints with random weights, of any shape, for
// tests: the size and the arithmetic of a real model, without its stories. It
// writes the formats from their description (llama2.c, export.py) and shares no
// code with the reader that it serves to test.
package randommodel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
)

// Shape is what a checkpoint's header says.
type Shape struct {
	Dim, HiddenDim, NLayers, NHeads, NKVHeads, VocabSize, SeqLen int

	GroupSize int  // 0: version 0 (legacy), float32; else version 2, int8 with a scale for as many
	Separate  bool // the classifier is not the embedding table
}

// The shapes of models that people use: karpathy/tinyllamas' and TinyLlama's.
var (
	Stories15M    = Shape{Dim: 288, HiddenDim: 768, NLayers: 6, NHeads: 6, NKVHeads: 6, VocabSize: 32000, SeqLen: 256}
	Stories110M   = Shape{Dim: 768, HiddenDim: 2048, NLayers: 12, NHeads: 12, NKVHeads: 12, VocabSize: 32000, SeqLen: 1024}
	TinyLlama1100 = Shape{Dim: 2048, HiddenDim: 5632, NLayers: 22, NHeads: 32, NKVHeads: 4, VocabSize: 32000, SeqLen: 2048, Separate: true}
)

// TooLargeCache has weights of 21 MiB, and keys and values of 256.
var TooLargeCache = Shape{Dim: 256, HiddenDim: 512, NLayers: 8, NHeads: 4, NKVHeads: 4, VocabSize: 300, SeqLen: 16384}

// Int8 returns the shape as int8. The group size, halved until it divides both
// widths, as export.py does for dim, is 64 at most.
func (s Shape) Int8() Shape {
	s.GroupSize = 64
	for s.Dim%s.GroupSize != 0 || s.HiddenDim%s.GroupSize != 0 {
		s.GroupSize /= 2
	}
	return s
}

// Create writes a checkpoint to a file of that name, or nothing. The same shape
// gives the same bytes.
func (s Shape) Create(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = errors.Join(s.Write(f), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// Write writes a checkpoint to w.
func (s Shape) Write(w io.Writer) error {
	m := &writer{Writer: bufio.NewWriterSize(w, 1<<20)}
	m.rng = rand.NewChaCha8([32]byte{0: byte(s.Dim), 1: byte(s.NLayers), 2: byte(s.GroupSize), 3: 'b', 4: 'l'})
	kvDim := s.Dim / s.NHeads * s.NKVHeads
	norms, table, layers := s.NLayers*s.Dim, s.VocabSize*s.Dim, s.NLayers
	matrices := []int{s.Dim * s.Dim, kvDim * s.Dim, kvDim * s.Dim, s.Dim * s.Dim} // wq, wk, wv, wo of a layer
	ffn := []int{s.HiddenDim * s.Dim, s.Dim * s.HiddenDim, s.HiddenDim * s.Dim}   // w1, w2, w3 of a layer
	if s.GroupSize == 0 {
		m.legacyHeader(s)
		m.weights(table)
		m.norms(norms)
		for _, n := range matrices {
			m.weights(layers * n)
		}
		m.norms(norms)
		for _, n := range ffn {
			m.weights(layers * n)
		}
		m.norms(s.Dim)
		for range s.SeqLen * (s.Dim / s.NHeads) { // the table of rotations, which nobody reads any more
			m.float(12345)
		}
		if s.Separate {
			m.weights(table)
		}
	} else {
		m.int8Header(s)
		m.norms(norms)
		m.norms(norms)
		m.norms(s.Dim)
		m.groups(table, s.GroupSize)
		for _, n := range append(matrices, ffn...) {
			for range layers {
				m.groups(n, s.GroupSize)
			}
		}
		if s.Separate {
			m.groups(table, s.GroupSize)
		}
	}
	return m.Flush()
}

// writer writes parts of a checkpoint; the first error is Flush's.
type writer struct {
	*bufio.Writer
	rng *rand.ChaCha8
}

// amplitude of the weights, which are evenly distributed around 0: small enough
// for finite logits in all the shapes above, large enough that they differ.
const amplitude = 0.05

func (m *writer) legacyHeader(s Shape) {
	vocab := s.VocabSize
	if s.Separate {
		vocab = -vocab
	}
	for _, v := range []int{s.Dim, s.HiddenDim, s.NLayers, s.NHeads, s.NKVHeads, vocab, s.SeqLen} {
		m.uint32(uint32(int32(v)))
	}
}

func (m *writer) int8Header(s Shape) {
	const size, magic, version = 256, 0x616b3432, 2
	for _, v := range []int{magic, version, s.Dim, s.HiddenDim, s.NLayers, s.NHeads, s.NKVHeads, s.VocabSize, s.SeqLen} {
		m.uint32(uint32(int32(v)))
	}
	shared := byte(1)
	if s.Separate {
		shared = 0
	}
	m.WriteByte(shared) // at an odd place: the group size is not aligned
	m.uint32(uint32(s.GroupSize))
	m.Write(make([]byte, size-9*4-1-4))
}

func (m *writer) uint32(v uint32) { m.Write(binary.LittleEndian.AppendUint32(m.AvailableBuffer(), v)) }

func (m *writer) float(v float32) { m.uint32(math.Float32bits(v)) }

// norms writes n weights of an rmsnorm, near 1.
func (m *writer) norms(n int) {
	for range n {
		m.float(1 + amplitude*m.unit())
	}
}

// unit returns a number from -1 to 1.
func (m *writer) unit() float32 { return float32(int32(m.rng.Uint64())) / (1 << 31) }

// weights writes n float32, several times faster than one by one.
func (m *writer) weights(n int) {
	var b [4096]byte
	for n > 0 {
		k := min(n, len(b)/4)
		for i := 0; i < len(b); i += 8 {
			u := m.rng.Uint64()
			lo, hi := float32(int32(u))*(amplitude/(1<<31)), float32(int32(u>>32))*(amplitude/(1<<31))
			binary.LittleEndian.PutUint64(b[i:], uint64(math.Float32bits(hi))<<32|uint64(math.Float32bits(lo)))
		}
		m.Write(b[:4*k])
		n -= k
	}
}

// groups writes n int8, then their scales, one for each group.
func (m *writer) groups(n, groupSize int) {
	if n%groupSize != 0 {
		panic(fmt.Sprintf("randommodel: groups of %d do not make %d", groupSize, n))
	}
	var b [4096]byte
	for left := n; left > 0; left -= len(b) {
		m.rng.Read(b[:])
		for i, v := range b {
			if v == 0x80 {
				b[i] = 0x81 // export.py rounds to -127..127
			}
		}
		m.Write(b[:min(left, len(b))])
	}
	for range n / groupSize {
		m.float(amplitude / 127 * (1 + m.unit()/4))
	}
}

// Tokenizer returns a tokenizer.bin of that many pieces, the control tokens, the
// bytes and then words that begin no text: for generating from BOS.
func Tokenizer(vocabSize int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 16) // max_token_length
	for i := range vocabSize {
		var piece string
		switch {
		case i < 3:
			piece = []string{"<unk>", "\n<s>\n", "\n</s>\n"}[i]
		case i < 3+256:
			piece = fmt.Sprintf("<0x%02X>", i-3)
		case i == 3+256:
			piece = " "
		default:
			piece = fmt.Sprintf(" w%d", i)
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(-i)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(piece)))
		b = append(b, piece...)
	}
	return b
}
