package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// Only this file and the kernels know the layout of tiles.

// SizeF32 returns the number of values that the tiles of a float32 matrix take.
func SizeF32(rows, columns int) int {
	return (rows + TileF32 - 1) / TileF32 * TileF32 * columns
}

// SizeInt8 returns the number of bytes that the tiles of an int8 matrix take, whose rows
// have that many groups.
func SizeInt8(rows, groups, group int) int {
	return (rows + TileInt8 - 1) / TileInt8 * sizeInt8(groups, group)
}

// sizeInt8 returns the size of one tile, in bytes.
func sizeInt8(groups, group int) int { return groups * TileInt8 * (Padded(group) + 4) }

// checkTiles panics unless tiles have room for what is put into them or taken out, of a shape that can be.
func checkTiles(name string, have, need int, ok bool) {
	if !ok || have < need {
		panic(fmt.Sprintf("simd: %s: tiles of %d values, need %d, or a shape that cannot be", name, have, need))
	}
}

// PackF32 fills tiles of w with src, little-endian float32 (rows, columns): those rows of the
// matrix from row on, which begins a tile. It returns the index in src of the first value
// that is not finite, or -1.
func PackF32(w []float32, src []byte, row, columns int) (bad int) {
	checkTiles("PackF32", len(w), SizeF32(row, columns)+SizeF32(len(src)/max(4*columns, 1), columns),
		columns > 0 && row >= 0 && row%TileF32 == 0 && len(src)%(4*columns) == 0)
	size := TileF32 * 4 * columns
	for from := 0; from < len(src); from += size {
		tile := w[SizeF32(row, columns):]
		if bad := packTileF32(tile, src[from:min(from+size, len(src))], columns); bad >= 0 {
			return from/4 + bad
		}
		row += TileF32
	}
	return -1
}

// packTileF32 does it for one tile (columns, 32), of which src may have fewer rows.
func packTileF32(tile []float32, src []byte, columns int) (bad int) {
	tile = tile[:TileF32*columns]
	rows := len(src) / (4 * columns)
	if rows < TileF32 {
		clear(tile)
	}
	// 16 columns at a time: a cache line of each row, and one piece of the tile.
	const line = 16
	var exponents uint32 // bit 31 is set if some value is not finite
	j := 0
	for ; j+line <= columns; j += line {
		to := (*[line * TileF32]float32)(tile[j*TileF32:])
		for r := range rows {
			from := (*[4 * line]byte)(src[4*(r*columns+j):])
			for c := range line {
				bits := binary.LittleEndian.Uint32(from[4*c:])
				exponents |= bits&infinite + 1<<23
				to[c*TileF32+r&(TileF32-1)] = math.Float32frombits(bits)
			}
		}
	}
	for ; j < columns; j++ {
		for r := range rows {
			bits := binary.LittleEndian.Uint32(src[4*(r*columns+j):])
			exponents |= bits&infinite + 1<<23
			tile[j*TileF32+r] = math.Float32frombits(bits)
		}
	}
	if exponents>>31 == 0 {
		return -1
	}
	return NotFinite(src)
}

// infinite is the exponent of infinities and NaNs. Adding 1<<23, one in the exponent, to it
// sets bit 31.
const infinite = 0x7F800000

// NotFinite returns the index of the first little-endian float32 in src that is infinite or
// NaN, or -1.
func NotFinite(src []byte) int {
	for i := range len(src) / 4 {
		if binary.LittleEndian.Uint32(src[4*i:])&infinite == infinite {
			return i
		}
	}
	return -1
}

// Finite reports whether no value of x is infinite or NaN. Two values at a time, and four
// times that, take a third of the time of a plain loop: 5 us for 32,000 logits.
func Finite(x []float32) bool {
	const mask, one = infinite<<32 | infinite, 1<<55 | 1<<23
	var exponents uint64 // bit 31 or 63 is set if some value is not finite
	var eights [][4]uint64
	if len(x) >= 8 { // a pointer to more than there is would be wrong, even if it is not used
		eights = unsafe.Slice((*[4]uint64)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/8)
	}
	for i := range eights {
		v := &eights[i]
		exponents |= (v[0]&mask + one) | (v[1]&mask + one) | (v[2]&mask + one) | (v[3]&mask + one)
	}
	for _, v := range x[8*len(eights):] {
		exponents |= uint64(math.Float32bits(v)&infinite + 1<<23)
	}
	return exponents&(1<<63|1<<31) == 0
}

// RowF32 sets x (columns,) to a row of a float32 matrix in tiles w.
func RowF32(x, w []float32, row int) {
	checkTiles("RowF32", len(w), SizeF32(row+1, len(x)), row >= 0)
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j := range x {
		x[j] = tile[j*TileF32+row%TileF32]
	}
}

// PackInt8 fills the values of tiles of w with src, int8 (rows, columns) as bytes: those rows
// of the matrix from row on, which begins a tile. Columns behind the last group are left out.
func PackInt8(w []uint8, src []byte, row, columns, groups, group int) {
	checkTiles("PackInt8", len(w), SizeInt8(row, groups, group)+SizeInt8(len(src)/max(columns, 1), groups, group),
		group > 0 && groups > 0 && groups*group <= columns && row >= 0 && row%TileInt8 == 0 && len(src)%columns == 0)
	size := TileInt8 * columns
	for from := 0; from < len(src); from += size {
		packTileInt8(w[SizeInt8(row, groups, group):], src[from:min(from+size, len(src))], columns, groups, group)
		row += TileInt8
	}
}

// packTileInt8 does it for one tile, of which src may have fewer rows.
func packTileInt8(tile []uint8, src []byte, columns, groups, group int) {
	rows := len(src) / columns
	size := TileInt8 * (Padded(group) + 4)
	tile = tile[:groups*size]
	if rows < TileInt8 || group%4 != 0 {
		for g := range groups {
			values := tile[g*size:][:TileInt8*Padded(group)]
			for i := range values {
				values[i] = zero
			}
		}
	}
	for g := range groups {
		for r := range rows {
			from, to := src[r*columns+g*group:][:group], tile[g*size+4*r:]
			for ; len(from) >= 4; from = from[4:] {
				v := binary.NativeEndian.Uint32(from)
				binary.NativeEndian.PutUint32(to, v^(zero*0x01010101))
				to = to[min(4*TileInt8, len(to)):]
			}
			for c, v := range from {
				to[c] = v ^ zero
			}
		}
	}
}

// zero is the byte that represents 0 in a tile of int8.
const zero = 0x80

// scaleInt8 returns where the scale of a row's group stands in tiles of int8.
func scaleInt8(row, g, groups, group int) int {
	return row/TileInt8*sizeInt8(groups, group) + g*TileInt8*(Padded(group)+4) + TileInt8*Padded(group) + 4*(row%TileInt8)
}

// PackScales fills the scales of some rows in tiles of w with src, little-endian float32. The
// matrix in the file has that many columns, and a scale for each group of all values one
// after the other: where groups straddle rows, the scale of a group is here that of its
// first value, as in runq.c.
func PackScales(w []uint8, src []byte, row, rows, columns, groups, group int) {
	checkTiles("PackScales", len(w), SizeInt8(row+rows, groups, group), group > 0 && groups > 0 && groups*group <= columns &&
		row >= 0 && rows >= 0 && len(src) == 4*((row+rows)*columns/group-row*columns/group))
	first := row * columns / group
	for r := row; r < row+rows; r++ {
		for g := range groups {
			at := (r*columns+g*group)/group - first
			binary.NativeEndian.PutUint32(w[scaleInt8(r, g, groups, group):], binary.LittleEndian.Uint32(src[4*at:]))
		}
	}
}

// RowInt8 sets x (groups*group,) to a row of an int8 matrix in tiles w.
func RowInt8(x []float32, w []uint8, row, group int) {
	groups, size := len(x)/max(group, 1), TileInt8*(Padded(group)+4)
	checkTiles("RowInt8", len(w), SizeInt8(row+1, groups, group), group > 0 && len(x) == groups*group && row >= 0)
	tile := w[row/TileInt8*groups*size:][:groups*size]
	for g := range groups {
		scale := math.Float32frombits(binary.NativeEndian.Uint32(w[scaleInt8(row, g, groups, group):]))
		values := tile[g*size+row%TileInt8*4:]
		for c := range group {
			x[g*group+c] = float32(int32(values[c/4*TileInt8*4+c%4])-zero) * scale
		}
	}
}

// SetRowF32 sets a row of a matrix in tiles w to x (columns,).
func SetRowF32(w, x []float32, row int) {
	checkTiles("SetRowF32", len(w), SizeF32(row+1, len(x)), row >= 0)
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j, v := range x {
		tile[j*TileF32+row%TileF32] = v
	}
}

// SetColumnF32 sets a column of a matrix of that many columns in tiles w to x (rows,).
func SetColumnF32(w, x []float32, column, columns int) {
	checkTiles("SetColumnF32", len(w), SizeF32(len(x), columns), column >= 0 && column < columns)
	for r := 0; r < len(x); r += TileF32 {
		copy(w[(r*columns)+column*TileF32:][:TileF32], x[r:])
	}
}

// SetRowF16 is SetRowF32 for tiles of halves: values become the nearest half, the even one of
// two.
func SetRowF16(w []uint16, x []float32, row int) {
	checkTiles("SetRowF16", len(w), SizeF32(row+1, len(x)), row >= 0)
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j, v := range x {
		tile[j*TileF32+row%TileF32] = toHalf(v)
	}
}

// SetColumnF16 is SetColumnF32 for tiles of halves.
func SetColumnF16(w []uint16, x []float32, column, columns int) {
	checkTiles("SetColumnF16", len(w), SizeF32(len(x), columns), column >= 0 && column < columns)
	for r, v := range x {
		w[r/TileF32*TileF32*columns+column*TileF32+r%TileF32] = toHalf(v)
	}
}
