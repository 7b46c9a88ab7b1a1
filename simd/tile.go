package simd

import (
	"encoding/binary"
	"math"
)

// Where everything stands in tiles is written here, and in the kernels.

// SizeF32 returns the number of values that the tiles of a float32 matrix take.
func SizeF32(rows, columns int) int {
	return (rows + TileF32 - 1) / TileF32 * TileF32 * columns
}

// SizeInt8 returns the number of values, and of scales, that the tiles of an int8 matrix
// take, whose rows have that many groups.
func SizeInt8(rows, groups, group int) (values, scales int) {
	padded := (rows + TileInt8 - 1) / TileInt8 * TileInt8
	return padded * groups * Padded(group), padded * groups
}

// PackF32 fills a tile (columns, 32) with src: little-endian float32 (rows, columns), at
// most 32 rows. It returns the index in src of the first value that is no finite number,
// or -1.
func PackF32(tile []float32, src []byte, columns int) (bad int) {
	tile = tile[:TileF32*columns]
	rows := len(src) / (4 * columns)
	if rows < TileF32 {
		clear(tile)
	}
	// A cache line of each row at a time: 16 columns, which stand together in the tile.
	const line = 16
	var exponents uint32 // of which some value has all bits
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
	for i := range len(src) / 4 {
		if binary.LittleEndian.Uint32(src[4*i:])&infinite == infinite {
			return i
		}
	}
	panic("simd: PackF32: lost an infinite value")
}

// infinite is the exponent of infinity and of what is not a number: one more, and the
// sign's bit is set.
const infinite = 0x7F800000

// RowF32 sets x (columns,) to a row of a float32 matrix in tiles w.
func RowF32(x, w []float32, row int) {
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j := range x {
		x[j] = tile[j*TileF32+row%TileF32]
	}
}

// PackInt8 fills a tile (groups, group/4, 16, 4) with src, int8 (rows, columns) as bytes, at
// most 16 rows. Columns behind the last group are left out.
func PackInt8(tile []uint8, src []byte, columns, groups, group int) {
	rows := len(src) / columns
	quads := groups * Padded(group) / 4
	tile = tile[:TileInt8*4*quads]
	if rows < TileInt8 || group%4 != 0 {
		for i := range tile {
			tile[i] = zero
		}
	}
	if group%4 == 0 {
		// Quads are neighbours in the file, too: a cache line of each row at a time.
		const line = 16
		for q := 0; q < quads; q += line {
			n := min(line, quads-q)
			for r := range rows {
				from, to := src[r*columns+4*q:][:4*n], tile[TileInt8*4*q+4*r:]
				for i := 0; i+4 <= len(from); i += 4 {
					v := binary.NativeEndian.Uint32(from[i:])
					binary.NativeEndian.PutUint32(to[TileInt8*i:], v^(zero*0x01010101))
				}
			}
		}
		return
	}
	for r := range rows {
		for g := range groups {
			from := src[r*columns+g*group:][:group]
			to := tile[TileInt8*g*Padded(group)+4*r:]
			for c, v := range from {
				to[c/4*TileInt8*4+c%4] = v ^ zero
			}
		}
	}
}

// zero is what stands for 0 in a tile of int8.
const zero = 0x80

// RowInt8 sets x (groups*group,) to a row of an int8 matrix in tiles w and s.
func RowInt8(x []float32, w []uint8, s []float32, row, group int) {
	groups, padded := len(x)/group, Padded(group)
	tile := w[row/TileInt8*TileInt8*groups*padded:]
	scales := s[row/TileInt8*TileInt8*groups:]
	for j := range x {
		g, c := j/group, j%group
		v := tile[TileInt8*g*padded+c/4*TileInt8*4+row%TileInt8*4+c%4]
		x[j] = float32(int32(v)-128) * scales[g*TileInt8+row%TileInt8]
	}
}

// ScaleInt8 returns where the scale of a row's group stands among the scales of a matrix.
func ScaleInt8(row, g, groups int) int {
	return (row/TileInt8*groups+g)*TileInt8 + row%TileInt8
}

// The keys of a head are a float32 matrix (positions, head_size) in tiles, so that its
// product with a query is the scores of all positions. The values are one of (head_size,
// positions), so that its product with the scores is their weighted sum; it is written a
// column at a time.

// SetRowF32 sets a row of a matrix in tiles w to x (columns,).
func SetRowF32(w, x []float32, row int) {
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j, v := range x {
		tile[j*TileF32+row%TileF32] = v
	}
}

// SetColumnF32 sets a column of a matrix of that many columns in tiles w to x (rows,).
func SetColumnF32(w, x []float32, column, columns int) {
	for r := 0; r < len(x); r += TileF32 {
		copy(w[(r*columns)+column*TileF32:][:TileF32], x[r:])
	}
}
