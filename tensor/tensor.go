// Package tensor reads the arrays of numbers in a model's file, whatever its format, and puts
// matrices into the tiles of package simd.
package tensor

import (
	"fmt"
	"slices"

	"bootllama/quant"
	"bootllama/simd"
)

// Part is a file of a model's several. What Load reads has their tensors one behind the other.
type Part struct {
	Name          string
	Begin, Offset int64 // what is at Begin for Load, and from there on, is at Offset in the file
}

// Tensor is an array of numbers in a model file.
type Tensor struct {
	Name          string     // as the format calls it
	Weight        string     // what it is in a model's weights, by run.c's name; "": it is not used
	Layer         int        // 0 where there is one for all
	Rows, Columns int        // a vector is one row
	Type          quant.Type // how the numbers are stored, little endian: one of GGUF's types, or Int8
	Group         int        // Int8: this many neighbours in a row share a scale
	Offset, Bytes int64
}

// Types beside GGUF's.
const (
	Float32            = quant.F32 // vectors have no other
	Int8    quant.Type = 1 << 31   // runq.c's QuantizedTensor: values, then the float32 scale of each group
)

// bytes returns the size of some rows of a tensor in the file: of their scales, or of all else.
func (t *Tensor) bytes(scales bool, row, rows int) int {
	switch {
	case scales && t.Type != Int8:
		return 0
	case scales: // where groups straddle rows, these are not the same for each row
		return 4 * ((row+rows)*t.Columns/t.Group - row*t.Columns/t.Group)
	case t.Type == Int8:
		return rows * t.Columns
	}
	values, size := t.Type.Block()
	return rows * (t.Columns / values) * size
}

// Size returns the size of a tensor in the file.
func (t *Tensor) Size() int64 { return int64(t.bytes(false, 0, t.Rows) + t.bytes(true, 0, t.Rows)) }

// Format returns how a matrix is held in memory, nil for a type that is not read.
func (t *Tensor) Format() simd.Format {
	if t.Type == Int8 {
		return simd.Int8(t.Group)
	}
	return simd.FormatOf(t.Type)
}

// Readable says whether there is a format for the tensor, and its rows are whole blocks.
func (t *Tensor) Readable(vector bool) bool {
	if t.Type == Int8 {
		return true
	}
	values, _ := t.Type.Block()
	return values > 0 && t.Columns%values == 0 && (!vector || t.Type == Float32)
}

// Packed returns the size of a matrix in tiles, in bytes: whole lines of the cache.
func (t *Tensor) Packed() int { return (t.Format().Size(t.Rows, t.Columns) + 63) &^ 63 }

// File names a file, or several, for messages.
type File struct {
	Name  string
	Parts []Part // if there may be several
}

// Errorf returns an error at an offset of the file.
func (f File) Errorf(offset int64, format string, a ...any) error {
	name := f.Name
	for _, p := range slices.Backward(f.Parts) {
		if p.Begin <= offset {
			name, offset = p.Name, offset-p.Begin+p.Offset
			break
		}
	}
	return fmt.Errorf("%s: offset %d: %w", name, offset, fmt.Errorf(format, a...))
}
