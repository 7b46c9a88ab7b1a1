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
	const exponent = 0x7F800000
	bad = -1
	tile = tile[:TileF32*columns]
	rows := len(src) / (4 * columns)
	for r := range rows {
		row := src[r*4*columns:][:4*columns]
		for j := 0; j < len(row); j += 4 {
			bits := binary.LittleEndian.Uint32(row[j:])
			if bits&exponent == exponent && bad < 0 {
				bad = (r*4*columns + j) / 4
			}
			tile[j/4*TileF32+r] = math.Float32frombits(bits)
		}
	}
	for r := rows; r < TileF32; r++ {
		for j := range columns {
			tile[j*TileF32+r] = 0
		}
	}
	return bad
}

// RowF32 sets x (columns,) to a row of a float32 matrix in tiles w.
func RowF32(x, w []float32, row int) {
	tile := w[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j := range x {
		x[j] = tile[j*TileF32+row%TileF32]
	}
}

// PackInt8 fills a tile (groups, group/4, 16, 4) with src, int8 (rows, columns) as bytes, at most
// 16 rows. Columns behind the last group are left out.
func PackInt8(tile []uint8, src []byte, columns, groups, group int) {
	padded := Padded(group)
	tile = tile[:TileInt8*groups*padded]
	for i := range tile {
		tile[i] = 128
	}
	for r := range len(src) / columns {
		for g := range groups {
			from := src[r*columns+g*group:][:group]
			to := tile[TileInt8*g*padded+4*r:]
			for c, v := range from {
				to[c/4*TileInt8*4+c%4] = v ^ 0x80
			}
		}
	}
}

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
