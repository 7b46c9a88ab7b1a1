package simd

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"bootllama/quant"
)

// blocks is the format of GGUF's quantised types (package quant).
//
// A matrix of blocks is stored as tiles of 16 rows, and a tile as the blocks of its rows, 32 or
// 256 columns each, one behind the other:
//
//	16 halves d, and 16 halves dmin for a type that has minima
//	for each group of 32 columns:
//		in a block of 256: the integers that its scales are multiples of, 16 bytes or, where
//		16 columns share a scale, 2 times 16; then those of the minima
//		the values q, as unsigned integers of 4, 5, 6 or 8 bits
//
// Values stand as in tiles of int8, four columns of a row side by side (a quad), 16 rows in 64
// bytes. The low 4 bits of quads j and j+4 share 64 bytes, j in the low halves of the bytes. Before
// these 256 bytes stand the fifth bits of all: 64 bytes, bit i for quad i; or the fifth and
// sixth: two times 64 bytes, of which the first have quads 0, 4, 1 and 5 from the low bits up,
// and the others 2, 6, 3 and 7. (Behind them, where they are not needed first, reading was slower
// by a third: the stream has to be read in order.) Values of 8 bits are 512 bytes.
//
// The product is that of MatMulInt8 with float32 scales, less that of the minima by MatMulF32:
// the definition at FormatOf. Kernels for up to four tokens read tiles as they are. Where there is none
// but for one token, a tile is unpacked once for many.
type blocks struct {
	quant.Type
	bits   int  // of a value
	groups int  // of 32 columns, in a block
	scales int  // that a group has besides d: 0, 1 or 2
	mins   bool // are there minima
}

// blockFormats are the formats of all types that have blocks. Q3_K has more bits than it needs,
// Q2_K too; the values of IQ4_NL and IQ4_XS are those that their 4 bits stand for.
var blockFormats = [...]blocks{
	quant.Q8_0:   {quant.Q8_0, 8, 1, 0, false},
	quant.Q4_0:   {quant.Q4_0, 4, 1, 0, false},
	quant.Q4_1:   {quant.Q4_1, 4, 1, 0, true},
	quant.Q5_0:   {quant.Q5_0, 5, 1, 0, false},
	quant.Q5_1:   {quant.Q5_1, 5, 1, 0, true},
	quant.Q2_K:   {quant.Q2_K, 4, 8, 2, true},
	quant.Q3_K:   {quant.Q3_K, 6, 8, 2, false},
	quant.Q4_K:   {quant.Q4_K, 4, 8, 1, true},
	quant.Q5_K:   {quant.Q5_K, 5, 8, 1, true},
	quant.Q6_K:   {quant.Q6_K, 6, 8, 2, false},
	quant.IQ4_NL: {quant.IQ4_NL, 8, 1, 0, false},
	quant.IQ4_XS: {quant.IQ4_XS, 8, 8, 1, false},
}

// groupBlocks is how many activations share a scale.
const groupBlocks = 32

// columns returns how many columns a block has.
func (f *blocks) columns() int { return f.groups * groupBlocks }

// group returns how many columns of a row share a scale.
func (f *blocks) group() int { return groupBlocks / max(f.scales, 1) }

func (*blocks) TileRows() int { return TileInt8 }

func (f *blocks) Group() (group int, halves bool) { return groupBlocks, f.scales == 2 }

func (f *blocks) Size(rows, columns int) int {
	return (rows + TileInt8 - 1) / TileInt8 * f.tile(columns)
}

// head returns the size of a block's halves.
func (f *blocks) head() int {
	if f.mins {
		return 4 * TileInt8
	}
	return 2 * TileInt8
}

// integers returns the size of a group's integer scales, and of those of its minima.
func (f *blocks) integers() (scales, mins int) {
	scales = f.scales * TileInt8
	if f.mins {
		mins = scales
	}
	return scales, mins
}

// size returns the size of a group of 16 rows, in bytes.
func (f *blocks) size() int {
	scales, mins := f.integers()
	return scales + mins + groupBlocks*TileInt8*f.bits/8
}

// block returns the size of a block of 16 rows.
func (f *blocks) block() int { return f.head() + f.groups*f.size() }

// tile returns the size of a tile.
func (f *blocks) tile(columns int) int { return columns / f.columns() * f.block() }

// parts returns the parts of a group: integer scales, those of the minima, values.
func (f *blocks) parts(block []uint8, g int) (scales, mins, values []uint8) {
	group := block[f.head()+g*f.size():][:f.size()]
	s, m := f.integers()
	return group[:s], group[s:][:m], group[s+m:]
}

// minAt is where the halves of the minima are in a block.
const minAt = 2 * TileInt8

// offset is what is added to values that can be negative.
func (f *blocks) offset() uint32 {
	if f.mins {
		return 0
	}
	return 1 << (f.bits - 1)
}

func (f *blocks) Pack(w, src []byte, row, columns int) (bad int) {
	values, bytes := f.Block()
	line := columns / values * bytes // of src
	checkTiles("Pack", len(w), f.Size(row, columns)+f.Size(len(src)/max(line, 1), columns),
		columns > 0 && columns%values == 0 && row >= 0 && row%TileInt8 == 0 && len(src)%line == 0)
	var zeros, b quant.Block
	rows := len(src) / line
	for first := 0; first < rows; first += TileInt8 {
		tile := w[f.Size(row+first, columns):][:f.tile(columns)]
		for c := 0; c < columns; c += values {
			block := tile[c/values*f.block():][:f.block()]
			for r := range TileInt8 {
				if first+r >= rows {
					f.pack(block, r, &zeros)
					continue
				}
				f.Unpack(&b, src[(first+r)*line+c/values*bytes:])
				if !finite(b.D) || !finite(b.DMin) {
					return f.NotFinite(src)
				}
				f.pack(block, r, &b)
			}
		}
	}
	return -1
}

func finite(x float32) bool { return x-x == 0 }

// pack sets row r of a block.
func (f *blocks) pack(block []uint8, r int, b *quant.Block) {
	binary.LittleEndian.PutUint16(block[2*r:], toHalf(b.D))
	if f.mins {
		binary.LittleEndian.PutUint16(block[minAt+2*r:], toHalf(b.DMin))
	}
	for g := range f.groups {
		scales, mins, values := f.parts(block, g)
		for s := range f.scales {
			scales[s*TileInt8+r] = uint8(b.Scales[g*f.scales+s])
			if f.mins {
				mins[s*TileInt8+r] = uint8(b.Mins[g*f.scales+s])
			}
		}
		f.packValues(values, r, (*[groupBlocks]int8)(b.Values[g*groupBlocks:]))
	}
}

// packValues sets row r of a group's values, four columns at a time.
func (f *blocks) packValues(group []uint8, r int, values *[groupBlocks]int8) {
	const four = 0x01010101
	mask, offset := uint32(1<<f.bits-1)*four, f.offset()*four
	v := (*[groupBlocks]byte)(unsafe.Pointer(values))
	if f.bits == 8 {
		to := group[4*r:][:64*7+4]
		for j := range 8 {
			binary.NativeEndian.PutUint32(to[64*j:], binary.NativeEndian.Uint32(v[4*j:])^offset)
		}
		return
	}
	planes := f.bits - 4
	to := group[64*planes+4*r:][:64*3+4]
	var plane [2]uint32
	for j := range 4 {
		low := binary.NativeEndian.Uint32(v[4*j:])&mask ^ offset
		high := binary.NativeEndian.Uint32(v[4*j+16:])&mask ^ offset
		binary.NativeEndian.PutUint32(to[64*j:], low&(0x0f*four)|high&(0x0f*four)<<4)
		if f.bits == 5 {
			plane[0] |= low>>4&four<<j | high>>4&four<<(j+4)
		} else {
			plane[j/2] |= (low>>4&(3*four) | high>>4&(3*four)<<2) << (j % 2 * 4)
		}
	}
	for i := range planes {
		binary.NativeEndian.PutUint32(group[64*i+4*r:], plane[i])
	}
}

// unpack sets wide to a block as it would be in a tile of int8, and mins (groups, 32), of which
// each row has 16 values, to its minima: all are products with the halves.
func (f *blocks) unpack(wide []uint8, mins []float32, block []uint8) {
	subs, quads := max(f.scales, 1), 8/max(f.scales, 1)
	size := 64 * (quads + 1)
	var d, dmin [TileInt8]float32
	halves16(&d[0], &block[0])
	if f.mins {
		halves16(&dmin[0], &block[minAt])
	}
	for g := range f.groups {
		group := wide[g*subs*size:][:subs*size]
		scales, minScales, values := f.parts(block, g)
		f.unpackValues(group, subs, values)
		for s := range subs {
			to := (*[TileInt8]float32)(unsafe.Pointer(&group[s*size+64*quads:][:64][0]))
			if f.scales == 0 {
				*to = d
			} else {
				scales16(&to[0], &d[0], &scales[s*TileInt8], f.mins)
			}
			if !f.mins {
				continue
			}
			m := (*[TileInt8]float32)(mins[(g*subs+s)*TileF32:])
			if f.scales == 0 {
				*m = dmin
			} else {
				scales16(&m[0], &dmin[0], &minScales[s*TileInt8], true)
			}
		}
	}
}

// unpackValues sets wide to a group's values plus 128, in one or two groups of a tile of int8.
func (f *blocks) unpackValues(wide []uint8, subs int, group []uint8) {
	gap, add := 64*(subs-1), uint8(zero-f.offset()) // the scales between quads 3 and 4
	_ = wide[8*64+gap-1]
	if f.bits == 8 {
		copy(wide, group)
	} else {
		unpack(f.bits, &wide[0], gap, &group[0], add)
	}
}

// Row sets x to a row: llama.cpp's dequantisation, to the bit.
func (f *blocks) Row(x []float32, w []byte, row int) {
	checkTiles("Row", len(w), f.Size(row+1, len(x)), row >= 0 && len(x)%f.columns() == 0)
	var wide [wideBlock]uint8
	var mins [16 * TileF32]float32
	tile, r, group := w[f.Size(row/TileInt8*TileInt8, len(x)):], row%TileInt8, f.group()
	for c := 0; c < len(x); c += f.columns() {
		f.unpack(wide[:], mins[:], tile[c/f.columns()*f.block():][:f.block()])
		RowInt8(x[c:][:f.columns()], wide[:], r, group)
		if f.mins {
			for i := range f.columns() {
				x[c+i] -= mins[i/group*TileF32+r]
			}
		}
	}
}

// wideGroup is the size of 16 columns as tile of int8, wideBlock that of the largest block.
const (
	wideGroup = TileInt8 * (16 + 4)
	wideBlock = 16 * wideGroup
)

// scratch is the memory of a product of several tokens.
type scratch struct {
	wide []uint8   // a tile as one of int8
	mins []float32 // (groups, 32): the minima of two tiles
	out  []float32 // (tokens, 32): the product of minima and sums
}

func (f *blocks) Scratch(columns, tokens int) int {
	groups := columns / 16
	return groups*wideGroup + 4*TileF32*(groups+tokens)
}

func (f *blocks) newScratch(b []byte, columns, tokens int) (s scratch) {
	wide := columns / 16 * wideGroup
	floats := float32s(b[wide:])
	return scratch{b[:wide], floats[:columns/16*TileF32], floats[columns/16*TileF32:][:tokens*TileF32]}
}

// product is a kernel for one tile and one token: gr are the groups of the activation, of 32
// values or 16, as the type has them, and sums their Sums or HalfSums, read for types with minima.
// There is at least one block, and no activation is -128.
type product = func(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

// product4 is such a kernel for two to four tokens, whose activations are xStride values apart, their
// groups and sums `groups`, and their outputs outStride.
type product4 = func(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

func (f *blocks) MatMul(k *Kernels, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, scratch []byte) {
	if tokens <= 0 || rows <= 0 {
		return
	}
	groups, sums, n := x.Groups, x.Sums, x.N/f.group()
	if f.scales == 2 {
		groups, sums = x.Halves, x.HalfSums
	}
	if x.N%f.columns() != 0 || len(w) < f.Size(rows, x.N) || len(out) < (tokens-1)*outStride+rows || len(x.Q) < (tokens-1)*x.QStride+x.N ||
		len(groups) < tokens*n || f.mins && len(sums) < tokens*n || tokens > 1 && (outStride < rows || x.QStride < x.N) || len(scratch) < f.Scratch(x.N, tokens) {
		panic(fmt.Sprintf("simd: MatMul: out %d, q %d, groups %d, sums %d, w %d, scratch %d values for %d tokens, %d columns of %v, %d rows",
			len(out), len(x.Q), len(groups), len(sums), len(w), len(scratch), tokens, x.N, f.Type, rows))
	}
	s := f.newScratch(scratch, x.N, tokens)
	if k.blocks[f.Type] != nil && tokens <= k.few {
		f.multiplyTiles(k, out, outStride, x, groups, sums, tokens, w, rows, s.out)
		return
	}
	for row := 0; row < rows; row += TileInt8 {
		left := min(rows-row, TileInt8)
		upper := row % TileF32 // which of the two tiles in s.mins
		f.unpackTile(s.wide, s.mins[upper:], w[f.Size(row, x.N):][:f.tile(x.N)])
		k.MatMulInt8(out[row:], outStride, x.Q, x.QStride, groups, n, tokens, n, f.group(), s.wide, left)
		if both := upper + left; f.mins && (upper > 0 || row+left == rows) {
			k.MatMulF32(s.out, TileF32, sums, n, tokens, n, s.mins, TileF32*n, both)
			for t := range tokens {
				subtract(out[t*outStride+row-upper:][:both], s.out[t*TileF32:])
			}
		}
	}
}

// multiplyTiles multiplies tokens by tiles as they are. last has room for a tile's rows.
func (f *blocks) multiplyTiles(k *Kernels, out []float32, outStride int, x *Activations, groups []Group, sums []float32, tokens int, w []byte, rows int, last []float32) {
	n, one, four := x.N/f.group(), k.blocks[f.Type], k.blocks4[f.Type]
	for row := 0; row < rows; row += TileInt8 {
		tile := &w[f.Size(row, x.N)]
		t := 0
		for four != nil && t+2 <= tokens && row+TileInt8 <= rows {
			n4 := min(tokens-t, 4)
			four(&out[t*outStride+row], outStride, &x.Q[t*x.QStride], x.QStride, &groups[t*n], &sums[t*n], n, tile, x.N/f.columns(), n4)
			t += n4
		}
		for ; t < tokens; t++ {
			o, to := out[t*outStride+row:], last
			if row+TileInt8 <= rows {
				to = o
			}
			one(&to[0], &x.Q[t*x.QStride], &groups[t*n], &sums[t*n], tile, x.N/f.columns())
			if row+TileInt8 > rows {
				copy(o[:rows-row], last)
			}
		}
	}
}

// unpackTile unpacks the blocks of a tile.
func (f *blocks) unpackTile(wide []uint8, mins []float32, tile []uint8) {
	groups := f.columns() / f.group() // of a block
	size := groups * TileInt8 * (f.group() + 4)
	for len(tile) > 0 {
		f.unpack(wide[:size], mins, tile[:f.block()])
		wide, mins, tile = wide[size:], mins[min(groups*TileF32, len(mins)):], tile[f.block():]
	}
}

func subtract(x, y []float32) {
	for i := range x {
		x[i] -= y[i]
	}
}
