// Package quant is the block formats of GGUF's quantised tensors: what the bytes of a block
// mean, to the bit. A tensor's row is a run of blocks; a block holds 32 or 256 neighbours of a
// row as small integers, with scales that are products of a float16 and a small integer.
//
// Sources: ggml's ggml-common.h (layouts) and the dequantisation of ggml-quants.c (order of
// the operations). All numbers are little endian; d, dmin and m are IEEE halves.
package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Type is the type of a tensor, by GGUF's number.
type Type uint32

const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	IQ4_XS Type = 23
	BF16   Type = 30
)

// Types lists the types that this package reads.
var Types = [...]Type{F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS}

// layouts describes the types by their numbers: name, values and bytes of a block, where in it
// floats stand, and what unpacks it, nil for floats.
var layouts = [...]struct {
	name          string
	values, bytes int
	floats        []int
	unpack        func(b *Block, src []byte)
}{
	F32:    {"F32", 1, 4, []int{0}, nil},
	F16:    {"F16", 1, 2, []int{0}, nil},
	Q4_0:   {"Q4_0", 32, 18, []int{0}, unpackQ4_0},
	Q4_1:   {"Q4_1", 32, 20, []int{0, 2}, unpackQ4_1},
	Q5_0:   {"Q5_0", 32, 22, []int{0}, unpackQ5_0},
	Q5_1:   {"Q5_1", 32, 24, []int{0, 2}, unpackQ5_1},
	Q8_0:   {"Q8_0", 32, 34, []int{0}, unpackQ8_0},
	Q2_K:   {"Q2_K", 256, 84, []int{80, 82}, unpackQ2_K},
	Q3_K:   {"Q3_K", 256, 110, []int{108}, unpackQ3_K},
	Q4_K:   {"Q4_K", 256, 144, []int{0, 2}, unpackQ4_K},
	Q5_K:   {"Q5_K", 256, 176, []int{0, 2}, unpackQ5_K},
	Q6_K:   {"Q6_K", 256, 210, []int{208}, unpackQ6_K},
	IQ4_NL: {"IQ4_NL", 32, 18, []int{0}, unpackIQ4_NL},
	IQ4_XS: {"IQ4_XS", 256, 136, []int{0}, unpackIQ4_XS},
	BF16:   {"BF16", 1, 2, []int{0}, nil},
}

// String returns ggml's name of the type, or its number for one that this package cannot read.
func (t Type) String() string {
	if values, _ := t.Block(); values == 0 {
		return fmt.Sprintf("type %d", uint32(t))
	}
	return layouts[t].name
}

// Block returns how many values a block of the type has and how many bytes it takes: 0, 0 for
// types that this package cannot read.
func (t Type) Block() (values, bytes int) {
	if uint64(t) >= uint64(len(layouts)) {
		return 0, 0
	}
	return layouts[t].values, layouts[t].bytes
}

// Quantised says whether values are small integers, in blocks that Unpack reads, or floats.
func (t Type) Quantised() bool {
	values, _ := t.Block()
	return values > 1
}

// Group returns how many neighbours share a scale in blocks of the type, 32 or 16; 0 for floats.
func (t Type) Group() int {
	switch t {
	case Q2_K, Q3_K, Q6_K:
		return 16
	}
	return min(32, t.values()/32*32)
}

// HasMins says whether the values of the type have a minimum besides their scale.
func (t Type) HasMins() bool {
	switch t {
	case Q4_1, Q5_1, Q2_K, Q4_K, Q5_K:
		return true
	}
	return false
}

func (t Type) values() int {
	values, _ := t.Block()
	return values
}

// Block is the integers of one block of a quantised type. Group neighbours share a scale and a
// minimum, and value i stands for
//
//	float32(D*Scales[i/Group])*Values[i] - float32(DMin*Mins[i/Group])
//
// which in float32 is llama.cpp's dequantisation to the bit: products with a half are exact but
// for the last one of Q6_K, which is rounded once, as there. What a type does not have is 1
// (Scales) or 0 (Mins, DMin).
type Block struct {
	Values  [256]int8 // as many as Type.Block says; offsets such as the 8 of Q4_0 are taken off
	Group   int       // 16 or 32
	D, DMin float32
	Scales  [16]int16 // -128 to 127
	Mins    [16]int16 // 0 to 63
}

// Unpack reads a block of type t at the beginning of src.
func (t Type) Unpack(b *Block, src []byte) {
	if !t.Quantised() {
		panic(fmt.Sprintf("quant: Unpack of %v", t))
	}
	layouts[t].unpack(b, src)
}

// Value returns value i of a block.
func (b *Block) Value(i int) float32 {
	g := i / b.Group
	return float32(float32(b.D*float32(b.Scales[g]))*float32(b.Values[i])) - float32(b.DMin*float32(b.Mins[g]))
}

// Dequantize sets dst to the values of the blocks in src. dst has as many values as src holds.
func (t Type) Dequantize(dst []float32, src []byte) {
	values, bytes := t.Block()
	if values == 0 || len(dst)%values != 0 || len(src) != len(dst)/values*bytes {
		panic(fmt.Sprintf("quant: Dequantize: %d bytes of %v for %d values", len(src), t, len(dst)))
	}
	switch t {
	case F32, F16, BF16:
		for i := range dst {
			dst[i] = t.Float(src[i*bytes:])
		}
	default:
		var b Block
		for ; len(dst) > 0; dst, src = dst[values:], src[bytes:] {
			t.Unpack(&b, src)
			for i := range values {
				dst[i] = b.Value(i)
			}
		}
	}
}

// Float returns the float at the beginning of src, as type t stores its values or its scales.
func (t Type) Float(src []byte) float32 {
	switch t {
	case F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(src))
	case BF16: // the upper half of a float32
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(src)) << 16)
	}
	return half(src)
}

// NotFinite returns where in src, which is blocks, the first float stands that is infinite or
// not a number, or -1.
func (t Type) NotFinite(src []byte) int {
	_, size := t.Block()
	for at := 0; at < len(src); at += size {
		for _, i := range layouts[t].floats {
			if v := t.Float(src[at+i:]); v-v != 0 {
				return at + i
			}
		}
	}
	return -1
}

// Float16 returns the value of an IEEE 754 half (binary16). A signalling NaN stays one.
func Float16(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 31: // infinite, or not a number
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case 0: // subnormal: fraction * 2**-24, where a float32 is normal
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*(1.0/(1<<24))))
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

func half(b []byte) float32 { return Float16(binary.LittleEndian.Uint16(b)) }
