package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"bootllama/quant"
)

// wide is the format that holds every quantised type: tiles of int8, as of llama2.c's, in the
// groups of the type and with D*Scale, exact in float32, as their scales. Where the type has
// minima, a tile is two of those, 32 rows, and behind them a tile of float32 (groups, 32),
// DMin*Min.
type wide struct {
	quant.Type
	group int
	mins  bool
}

func (f wide) TileRows() int {
	if f.mins {
		return TileF32
	}
	return TileInt8
}

func (f wide) Size(rows, columns int) int {
	return (rows + f.TileRows() - 1) / f.TileRows() * f.tile(columns)
}

// tile returns the size of a tile, and values that of its part without minima.
func (f wide) tile(columns int) int {
	size := f.values(columns)
	if f.mins {
		size += 4 * TileF32 * (columns / f.group)
	}
	return size
}

func (f wide) values(columns int) int {
	return f.TileRows() / TileInt8 * sizeInt8(columns/f.group, f.group)
}

func (f wide) Group() (group int, halves bool) { return 32, f.group == 16 }

func (f wide) Scratch(columns, tokens int) int {
	if f.mins {
		return 4 * TileF32 * tokens
	}
	return 0
}

func (f wide) Pack(w, src []byte, row, columns int) (bad int) {
	values, size := f.Block()
	if columns%values != 0 || row%f.TileRows() != 0 || len(src)%(columns/values*size) != 0 {
		panic(fmt.Sprintf("simd: Pack: %d bytes of %v for rows of %d from %d on", len(src), f.Type, columns, row))
	}
	rowBytes := columns / values * size
	rows := len(src) / rowBytes
	checkTiles("Pack", len(w), f.Size(row+rows, columns), row >= 0)
	var b quant.Block
	for at := 0; at < rows; at += f.TileRows() {
		tile := w[f.Size(row+at, columns):][:f.tile(columns)]
		n := min(rows-at, f.TileRows())
		if n < f.TileRows() {
			f.clear(tile, columns)
		}
		for c := 0; c < columns; c += values { // the blocks of a tile's rows are neighbours in the tile
			for r := range n {
				block := (at+r)*rowBytes + c/values*size
				f.Unpack(&b, src[block:])
				if !finite(b.D) || !finite(b.DMin) {
					return f.NotFinite(src)
				}
				f.set(tile, &b, values, r, c, columns)
			}
		}
	}
	return -1
}

func finite(v float32) bool { return v-v == 0 }

// clear makes all rows of a tile zeros.
func (f wide) clear(tile []byte, columns int) {
	clear(tile)
	group := TileInt8 * (f.group + 4)
	for at := 0; at < f.values(columns); at += group {
		for i := range TileInt8 * f.group {
			tile[at+i] = zero
		}
	}
}

// set puts a block of that many values into row r of a tile, from column c on.
func (f wide) set(tile []byte, b *quant.Block, values, r, c, columns int) {
	bytes := (*[256]byte)(unsafe.Pointer(&b.Values))
	group, first := TileInt8*(f.group+4), c/f.group
	part := tile[r/TileInt8*sizeInt8(columns/f.group, f.group)+first*group:]
	mins := tile[f.values(columns):]
	for g := range values / f.group {
		from, to := bytes[g*f.group:][:f.group], part[g*group+r%TileInt8*4:]
		for i := 0; i < f.group; i += 4 {
			binary.NativeEndian.PutUint32(to[i*TileInt8:], binary.NativeEndian.Uint32(from[i:])^zero*0x01010101)
		}
		putFloat(part[g*group+TileInt8*f.group+r%TileInt8*4:], b.D*float32(b.Scales[g]))
		if f.mins {
			putFloat(mins[4*((first+g)*TileF32+r):], b.DMin*float32(b.Mins[g]))
		}
	}
}

func putFloat(b []byte, v float32) { binary.NativeEndian.PutUint32(b, math.Float32bits(v)) }
func getFloat(b []byte) float32    { return math.Float32frombits(binary.NativeEndian.Uint32(b)) }

func (f wide) Row(x []float32, w []byte, row int) {
	columns := len(x)
	checkTiles("Row", len(w), f.Size(row+1, columns), row >= 0 && columns%f.group == 0)
	tile, r := w[row/f.TileRows()*f.tile(columns):], row%f.TileRows()
	mins := tile[f.values(columns):]
	group, part := TileInt8*(f.group+4), tile[r/TileInt8*sizeInt8(columns/f.group, f.group)+r%TileInt8*4:]
	for j := range x {
		g, i := j/f.group, j%f.group
		values := part[g*group:]
		x[j] = float32(int32(values[i/4*4*TileInt8+i%4])-zero) * getFloat(values[TileInt8*f.group:])
		if f.mins {
			x[j] -= getFloat(mins[4*(g*TileF32+r):])
		}
	}
}

func (f wide) MatMul(k *Kernels, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, scratch []byte) {
	groups, sums, n := x.Groups, x.Sums, x.N/f.group
	if f.group == 16 {
		groups, sums = x.Halves, x.HalfSums
	}
	if !f.mins {
		k.MatMulInt8(out, outStride, x.Q, x.QStride, groups, n, tokens, n, f.group, w, rows)
		return
	}
	m := float32s(scratch)
	for ; rows > 0; out, w, rows = out[min(TileF32, len(out)):], w[f.tile(x.N):], rows-TileF32 {
		tileRows := min(rows, TileF32)
		k.MatMulInt8(out, outStride, x.Q, x.QStride, groups, n, tokens, n, f.group, w, tileRows)
		k.MatMulF32(m, TileF32, sums, n, tokens, n, float32s(w[f.values(x.N):f.tile(x.N)]), TileF32*n, tileRows)
		for t := range tokens {
			o := out[t*outStride:][:tileRows]
			for i, v := range m[t*TileF32:][:tileRows] {
				o[i] -= v
			}
		}
	}
}
