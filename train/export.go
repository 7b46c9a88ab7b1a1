package train

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"bootllama"
)

// WriteFloat32 writes p as a checkpoint of version 0, float32, as export.py's legacy_export
// does: the header of 7 int32, the weights in the order of p.Data, and the table of
// rotations, cos and sin (seq_len, head_size/2), which only the run.c of llama2.c's first
// weeks reads. A weight that is no finite number is an error.
func WriteFloat32(w io.Writer, p *Parameters) error {
	if err := p.checkFinite(); err != nil {
		return err
	}
	e := &encoder{bufio.NewWriter(w)}
	e.config(p.Config)
	e.floats(p.Data)
	cos, sin := rotations(p.Config)
	e.floats(cos)
	e.floats(sin)
	return e.Flush()
}

// GroupSize returns how many weights share a scale in a checkpoint that WriteInt8 writes:
// 64, halved until it divides both widths, so that no group goes beyond a row. export.py
// looks at dim only, and runq.c then leaves out columns of w2.
func GroupSize(c llama.Config) int {
	size := 64
	for c.Dim%size != 0 || c.HiddenDim%size != 0 {
		size /= 2
	}
	return size
}

// WriteInt8 writes p as a checkpoint of version 2, int8, as export.py's version2_export
// does: a header of 256 bytes, the rmsnorms as float32, then each matrix of each layer as int8 and
// the float32 scales of its groups of GroupSize weights. A weight that is no finite number
// is an error.
func WriteInt8(w io.Writer, p *Parameters) error { return writeInt8(w, p, GroupSize(p.Config)) }

func writeInt8(w io.Writer, p *Parameters, groupSize int) error {
	if err := p.checkFinite(); err != nil {
		return err
	}
	const headerSize, magic, version = 256, 0x616b3432, 2 // "ak42"
	e := &encoder{bufio.NewWriter(w)}
	e.uint32(magic)
	e.uint32(version)
	e.config(p.Config)
	e.WriteByte(1) // shared classifier
	e.uint32(uint32(groupSize))
	e.Write(make([]byte, headerSize-9*4-1-4))
	for _, norm := range [][]float32{p.RMSAttWeight, p.RMSFFNWeight, p.RMSFinalWeight} {
		e.floats(norm)
	}
	e.quantized(p.TokenEmbeddingTable, groupSize)
	for _, matrices := range [][]float32{p.WQ, p.WK, p.WV, p.WO, p.W1, p.W2, p.W3} {
		for l := range p.Config.NLayers {
			e.quantized(p.layer(matrices, l), groupSize)
		}
	}
	return e.Flush()
}

// checkFinite returns an error for a weight that no checkpoint may have.
func (p *Parameters) checkFinite() error {
	for _, t := range p.tensors() {
		for i, v := range *t.data {
			if v-v != 0 {
				return fmt.Errorf("train: value %d of %s is %v: not a model", i, t.name, v)
			}
		}
	}
	return nil
}

// encoder writes little-endian numbers. The first error is Flush's.
type encoder struct{ *bufio.Writer }

func (e *encoder) uint32(v uint32) { e.Write(binary.LittleEndian.AppendUint32(e.AvailableBuffer(), v)) }

// config writes the shape. In version 0 a vocab_size above 0 says that the classifier is
// the embedding table.
func (e *encoder) config(c llama.Config) {
	for _, v := range []int{c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen} {
		e.uint32(uint32(v))
	}
}

func (e *encoder) floats(values []float32) {
	for _, v := range values {
		e.uint32(math.Float32bits(v))
	}
}

// quantized writes values as int8, then the scales of their groups.
func (e *encoder) quantized(values []float32, groupSize int) {
	scales := make([]float32, len(values)/groupSize)
	q := make([]int8, groupSize)
	for g := range scales {
		scales[g] = quantize(q, values[g*groupSize:][:groupSize])
		for _, v := range q {
			e.WriteByte(byte(v))
		}
	}
	e.floats(scales)
}

// quantize sets q to the values of a group divided by the scale that it returns, rounded to
// the nearest, the even one of two (torch.round). The largest becomes 127 or -127. It is
// export.py's quantize_q80, except where that divides 0 by 0, in a group of zeros, or leaves the
// range of int8, since the scale of values near the smallest float32 is inexact.
func quantize(q []int8, values []float32) (scale float32) {
	var largest float32
	for _, v := range values {
		largest = max(largest, v, -v)
	}
	scale = largest / 127
	for i, v := range values {
		q[i] = 0
		if scale != 0 {
			q[i] = int8(math.RoundToEven(float64(max(-127, min(127, v/scale)))))
		}
	}
	return scale
}
