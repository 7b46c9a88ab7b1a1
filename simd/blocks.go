package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"bootllama/quant"
)

// Tiles of GGUF's quantised types (package quant).
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
// Their product is that of MatMulInt8 with float32 scales, less that of the minima: see
// MatMulBlocks.
type layout struct {
	bits   int  // of a value
	groups int  // of 32 columns, in a block
	scales int  // that a group has besides d: 0, 1 or 2
	mins   bool // are there minima
}

// layouts are the layouts of all types that have one. Q3_K has more bits than it needs, Q2_K too;
// the values of IQ4_NL and IQ4_XS are those that their 4 bits stand for.
var layouts = [...]layout{
	quant.Q8_0:   {8, 1, 0, false},
	quant.Q4_0:   {4, 1, 0, false},
	quant.Q4_1:   {4, 1, 0, true},
	quant.Q5_0:   {5, 1, 0, false},
	quant.Q5_1:   {5, 1, 0, true},
	quant.Q2_K:   {4, 8, 2, true},
	quant.Q3_K:   {6, 8, 2, false},
	quant.Q4_K:   {4, 8, 1, true},
	quant.Q5_K:   {5, 8, 1, true},
	quant.Q6_K:   {6, 8, 2, false},
	quant.IQ4_NL: {8, 1, 0, false},
	quant.IQ4_XS: {8, 8, 1, false},
}

// groupBlocks is how many activations share a scale.
const groupBlocks = 32

// layoutOf returns the layout of a type.
func layoutOf(t quant.Type) *layout {
	if uint64(t) >= uint64(len(layouts)) || layouts[t].bits == 0 {
		panic(fmt.Sprintf("simd: there are no tiles of %v", t))
	}
	return &layouts[t]
}

// columns returns how many columns a block has.
func (l *layout) columns() int { return l.groups * groupBlocks }

// group returns how many columns of a row share a scale.
func (l *layout) group() int { return groupBlocks / max(l.scales, 1) }

// head returns the size of a block's halves.
func (l *layout) head() int {
	if l.mins {
		return 4 * TileInt8
	}
	return 2 * TileInt8
}

// integers returns the size of a group's integer scales, and of those of its minima.
func (l *layout) integers() (scales, mins int) {
	scales = l.scales * TileInt8
	if l.mins {
		mins = scales
	}
	return scales, mins
}

// size returns the size of a group of 16 rows, in bytes.
func (l *layout) size() int {
	scales, mins := l.integers()
	return scales + mins + groupBlocks*TileInt8*l.bits/8
}

// block returns the size of a block of 16 rows.
func (l *layout) block() int { return l.head() + l.groups*l.size() }

// tile returns the size of a tile.
func (l *layout) tile(columns int) int { return columns / l.columns() * l.block() }

// parts returns the parts of a group: integer scales, those of the minima, values.
func (l *layout) parts(block []uint8, g int) (scales, mins, values []uint8) {
	group := block[l.head()+g*l.size():][:l.size()]
	s, m := l.integers()
	return group[:s], group[s:][:m], group[s+m:]
}

// minAt is where the halves of the minima are in a block.
const minAt = 2 * TileInt8

// offset is what is added to values that can be negative.
func (l *layout) offset() uint32 {
	if l.mins {
		return 0
	}
	return 1 << (l.bits - 1)
}

// SizeBlocks returns the number of bytes that the tiles of a matrix of type t take. It is 0 for
// a type that has no tiles of blocks.
func SizeBlocks(t quant.Type, rows, columns int) int {
	if uint64(t) >= uint64(len(layouts)) || layouts[t].bits == 0 {
		return 0
	}
	return (rows + TileInt8 - 1) / TileInt8 * layouts[t].tile(columns)
}

// PackBlocks fills tiles of w with src, rows of blocks of type t: those rows of the matrix from row
// on, which begins a tile. It returns the index of the first value of the first block in src
// with a scale or minimum that is not finite, or -1.
func PackBlocks(t quant.Type, w []uint8, src []byte, row, columns int) (bad int) {
	l := layoutOf(t)
	values, bytes := t.Block()
	line := columns / values * bytes // of src
	checkTiles("PackBlocks", len(w), SizeBlocks(t, row, columns)+SizeBlocks(t, len(src)/max(line, 1), columns),
		columns > 0 && columns%l.columns() == 0 && row >= 0 && row%TileInt8 == 0 && len(src)%line == 0)
	var zeros, b quant.Block
	rows := len(src) / line
	bad = -1
	for first := 0; first < rows; first += TileInt8 {
		tile := w[SizeBlocks(t, row+first, columns):][:l.tile(columns)]
		for r := range TileInt8 {
			for c := 0; c < columns; c += l.columns() {
				block := tile[c/l.columns()*l.block():][:l.block()]
				if first+r >= rows {
					l.pack(block, r, &zeros)
					continue
				}
				for v := 0; v < l.columns(); v += values {
					t.Unpack(&b, src[(first+r)*line+(c+v)/values*bytes:])
				}
				if l.pack(block, r, &b); bad < 0 && !(finite(b.D) && finite(b.DMin)) {
					bad = (first+r)*columns + c
				}
			}
		}
	}
	return bad
}

func finite(x float32) bool { return x-x == 0 }

// pack sets row r of a block.
func (l *layout) pack(block []uint8, r int, b *quant.Block) {
	binary.LittleEndian.PutUint16(block[2*r:], toHalf(b.D))
	if l.mins {
		binary.LittleEndian.PutUint16(block[minAt+2*r:], toHalf(b.DMin))
	}
	for g := range l.groups {
		scales, mins, values := l.parts(block, g)
		for s := range l.scales {
			scales[s*TileInt8+r] = uint8(b.Scales[g*l.scales+s])
			if l.mins {
				mins[s*TileInt8+r] = uint8(b.Mins[g*l.scales+s])
			}
		}
		l.packValues(values, r, (*[groupBlocks]int8)(b.Values[g*groupBlocks:]))
	}
}

// ones has 1 in each byte: times x, it has x in each.
const ones = 0x0101010101010101

// packValues sets row r of a group's values. Four columns are handled at a time.
func (l *layout) packValues(group []uint8, r int, values *[groupBlocks]int8) {
	quad := func(i int) uint32 { // the unsigned values
		v := *(*[4]int8)(values[4*i:])
		u := uint32(uint8(v[0])) | uint32(uint8(v[1]))<<8 | uint32(uint8(v[2]))<<16 | uint32(uint8(v[3]))<<24
		mask := uint32(1<<l.bits - 1)
		return u&(mask*(ones&math.MaxUint32)) ^ l.offset()*(ones&math.MaxUint32)
	}
	put := func(i int, v uint32) { binary.LittleEndian.PutUint32(group[64*i+4*r:], v) }
	if l.bits == 8 {
		for i := range 8 {
			put(i, quad(i))
		}
		return
	}
	var planes [2]uint32
	for j := range 4 {
		low, high := quad(j), quad(j+4)
		put(l.bits-4+j, low&0x0f0f0f0f|high&0x0f0f0f0f<<4)
		if l.bits == 5 {
			planes[0] |= low>>4&0x01010101<<j | high>>4&0x01010101<<(j+4)
		} else {
			planes[j/2] |= (low>>4&0x03030303 | high>>4&0x03030303<<2) << (j % 2 * 4)
		}
	}
	for p := range l.bits - 4 {
		put(p, planes[p])
	}
}

// unpack sets wide to a block as it would be in a tile of int8, and mins (groups, 32), of which
// each row has 16 values, to its minima: all are products with the halves.
func (l *layout) unpack(wide []uint8, mins []float32, block []uint8) {
	subs, quads := max(l.scales, 1), 8/max(l.scales, 1)
	size := 64 * (quads + 1)
	var d, dmin [TileInt8]float32
	for r := range TileInt8 {
		d[r] = half(block[2*r:])
		if l.mins {
			dmin[r] = half(block[minAt+2*r:])
		}
	}
	for g := range l.groups {
		group := wide[g*subs*size:][:subs*size]
		scales, minScales, values := l.parts(block, g)
		l.unpackValues(group, quads, values)
		for s := range subs {
			to := group[s*size+64*quads:][:64]
			for r := range TileInt8 {
				scale, minimum := d[r], dmin[r]
				if l.scales > 0 {
					scale *= float32(l.scale(scales[s*TileInt8+r]))
					if l.mins {
						minimum *= float32(minScales[s*TileInt8+r])
					}
				}
				binary.NativeEndian.PutUint32(to[4*r:], math.Float32bits(scale))
				if l.mins {
					mins[(g*subs+s)*TileF32+r] = minimum
				}
			}
		}
	}
}

// scale returns an integer scale: those beside minima are not negative.
func (l *layout) scale(b uint8) int32 {
	if l.mins {
		return int32(b)
	}
	return int32(int8(b))
}

// unpackValues sets wide to a group's values plus 128; a scale or two follow each `quads` quads.
func (l *layout) unpackValues(wide []uint8, quads int, group []uint8) {
	add := (zero - uint64(l.offset())) * ones
	put := func(quad, i int, v uint64) {
		binary.LittleEndian.PutUint64(wide[64*(quad+quad/quads)+i:], v+add)
	}
	for i := 0; i < 64; i += 8 {
		get := func(j int) uint64 { return binary.LittleEndian.Uint64(group[64*j+i:]) }
		switch l.bits {
		case 8:
			for j := range 8 {
				put(j, i, get(j))
			}
		case 4:
			for j := range 4 {
				v := get(j)
				put(j, i, v&(0x0f*ones))
				put(j+4, i, v>>4&(0x0f*ones))
			}
		case 5:
			for j := range 4 {
				v, p := get(1+j), get(0)>>j
				put(j, i, v&(0x0f*ones)|p&ones<<4)
				put(j+4, i, v>>4&(0x0f*ones)|p&(0x10*ones))
			}
		case 6:
			for j := range 4 {
				v, p := get(2+j), get(j/2)>>(j%2*4)
				put(j, i, v&(0x0f*ones)|p&(0x03*ones)<<4)
				put(j+4, i, v>>4&(0x0f*ones)|p&(0x0c*ones)<<2)
			}
		}
	}
}

// RowBlocks sets x (columns,) to a row of a matrix of type t in tiles w: llama.cpp's
// dequantisation, to the bit.
func RowBlocks(t quant.Type, x []float32, w []uint8, row int) {
	l := layoutOf(t)
	checkTiles("RowBlocks", len(w), SizeBlocks(t, row+1, len(x)), row >= 0 && len(x)%l.columns() == 0)
	var wide [wideBlock]uint8
	var mins [16 * TileF32]float32
	tile, r, group := w[SizeBlocks(t, row/TileInt8*TileInt8, len(x)):], row%TileInt8, l.group()
	for c := 0; c < len(x); c += l.columns() {
		l.unpack(wide[:], mins[:], tile[c/l.columns()*l.block():][:l.block()])
		RowInt8(x[c:][:l.columns()], wide[:], r, group)
		if l.mins {
			for i := range l.columns() {
				x[c+i] -= mins[i/group*TileF32+r]
			}
		}
	}
}

// wideBlock is the size of the largest block as tile of int8: 16 groups of 16 columns.
const wideBlock = 16 * (16*TileInt8 + 4*TileInt8)

// Activations are vectors of int8 in groups of 32 (see Quantize), the input of products with
// matrices of blocks.
type Activations struct {
	Q       []int8  // (tokens, QStride)
	QStride int     //
	G       []Group // (tokens, GStride)
	G16     []Group // (tokens, 2*GStride): the same for groups of 16 (SplitGroups), where a type has such groups
	GStride int
}

// SplitGroups sets g16 to the groups of 16 values into which the groups of 32 values q fall.
func SplitGroups(g16 []Group, g []Group, q []int8) {
	if len(g16) < 2*len(g) || len(q) < len(g)*groupBlocks {
		panic(fmt.Sprintf("simd: SplitGroups: %d groups and %d values into %d groups", len(g), len(q), len(g16)))
	}
	for i := range g16[:2*len(g)] {
		var sum int32
		for _, v := range q[16*i:][:16] {
			sum += int32(v)
		}
		g16[i] = Group{g[i/2].Scale, -128 * sum}
	}
}

// scratch is the memory of a call of MatMulBlocks.
type scratch struct {
	wide []uint8   // a tile of int8
	mins []float32 // (groups, 32): the minima of two tiles
	sums []float32 // (tokens, groups): the sums of activations
	out  []float32 // (tokens, 32): the product of minima and sums
}

// SizeScratch returns how many values a call of MatMulBlocks needs as scratch.
func SizeScratch(columns, tokens int) int {
	groups := columns / 16
	return groups*wideBlock/16/4 + (groups+tokens)*TileF32 + tokens*groups
}

func newScratch(s []float32, columns, groups, tokens int) (c scratch) {
	take := func(n int) (t []float32) { t, s = s[:n:n], s[n:]; return t }
	wide := take(columns / 16 * wideBlock / 16 / 4)
	c.wide = unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(wide))), 4*len(wide))
	c.mins, c.out, c.sums = take(groups*TileF32), take(tokens*TileF32), take(tokens*groups)
	return c
}

// MatMulBlocks sets out (tokens, outStride), of which each row gets `rows` values, to the products
// of the activations x, `columns` values each, with w, the tiles of a matrix of type t. For each
// row, with the groups of its weights in order, it is
//
//	out += float32(sum of q*x) * (d*scale) * x's scale
//	min += (dmin*minimum) * (float32(sum of x) * x's scale)
//
// and out - min for a type that has minima. The sums in brackets are of integers, and exact;
// products of halves and integers are exact, too, and all others are rounded, from left to right.
// So it is the product of MatMulInt8 with float32 scales, less a product of MatMulF32.
//
// scratch has SizeScratch values; calls at the same time need one each.
func (k *Kernels) MatMulBlocks(t quant.Type, out []float32, outStride int, x *Activations, tokens, columns int, w []uint8, rows int, scratch []float32) {
	if columns <= 0 || tokens <= 0 || rows <= 0 {
		return
	}
	l := layoutOf(t)
	tiles, size, groups := (rows+TileInt8-1)/TileInt8, l.tile(columns), columns/l.group()
	g, gStride := x.G, x.GStride
	if l.group() == 16 {
		g, gStride = x.G16, 2*x.GStride
	}
	if columns%l.columns() != 0 || len(w) < tiles*size || len(out) < (tokens-1)*outStride+rows || len(x.Q) < (tokens-1)*x.QStride+columns ||
		len(g) < (tokens-1)*gStride+groups || tokens > 1 && (outStride < rows || x.QStride < columns || gStride < groups) || len(scratch) < SizeScratch(columns, tokens) {
		panic(fmt.Sprintf("simd: MatMulBlocks: out %d, q %d, g %d, w %d, scratch %d values for %d tokens, %d columns of %v, %d rows", len(out), len(x.Q), len(g), len(w), len(scratch), tokens, columns, t, rows))
	}
	s := newScratch(scratch, columns, groups, tokens)
	if l.mins {
		for i := range tokens {
			sumGroups(s.sums[i*groups:][:groups], g[i*gStride:])
		}
	}
	if one := k.blocks[t]; one != nil && tokens == 1 {
		for row := 0; row < rows; row += TileInt8 {
			tile, to := &w[row/TileInt8*size], &s.out[0]
			if row+TileInt8 <= rows {
				to = &out[row]
			}
			one(to, &x.Q[0], &g[0], &s.sums[0], tile, columns/l.columns())
			if row+TileInt8 > rows {
				copy(out[row:rows], s.out)
			}
		}
		return
	}
	for row := 0; row < rows; row += TileInt8 {
		tile, o, left := w[row/TileInt8*size:][:size], out[row:], min(rows-row, TileInt8)
		upper := row % TileF32 // which of the two tiles in s.mins
		l.unpackTile(s.wide, s.mins[upper:], tile)
		k.MatMulInt8(o, outStride, x.Q, x.QStride, g, gStride, tokens, groups, l.group(), s.wide, left)
		if both := upper + left; l.mins && (upper > 0 || row+left == rows) {
			k.MatMulF32(s.out, TileF32, s.sums, groups, tokens, groups, s.mins, TileF32*groups, both)
			for i := range tokens {
				subtract(out[i*outStride+row-upper:][:both], s.out[i*TileF32:])
			}
		}
	}
}

// unpackTile unpacks the blocks of a tile.
func (l *layout) unpackTile(wide []uint8, mins []float32, tile []uint8) {
	groups := l.columns() / l.group() // of a block
	size := groups * 16 * (l.group() + 4)
	for len(tile) > 0 {
		l.unpack(wide[:size], mins, tile[:l.block()])
		wide, mins, tile = wide[size:], mins[min(groups*TileF32, len(mins)):], tile[l.block():]
	}
}

// sumGroups sets sums to what the activations of each group add up to.
func sumGroups(sums []float32, g []Group) {
	for i := range sums {
		sums[i] = float32(g[i].Bias/-128) * g[i].Scale
	}
}

func subtract(x, y []float32) {
	for i := range x {
		x[i] -= y[i]
	}
}
