package train

import "bootllama/simd"

// The products of the forward pass with weights are simd.Kernels.MatMulF32, as those of
// package llama are, for which weights, and the keys of a head, are put into tiles. The others
// are simd.Kernels.GemmF32, which takes matrices, and transposes, as they are.

const tile = simd.TileF32

// roundUp returns n, rounded up to whole tiles.
func roundUp(n int) int { return (n + tile - 1) / tile * tile }

// packRows puts m, (rows, columns) with rows `stride` apart, into tiles from row `from` on:
// (rows/32, columns, 32).
func packRows(tiles []float32, from int, m []float32, stride, rows, columns int) {
	for r := 0; r < rows; {
		to := tiles[(from+r)/tile*tile*columns+(from+r)%tile:]
		if (from+r)%8 == 0 && rows-r >= 8 {
			pack8(to, m[r*stride:], stride, columns)
			r += 8
			continue
		}
		for j, v := range m[r*stride:][:columns] {
			to[j*tile] = v
		}
		r++
	}
}

// pack8 does so for 8 rows, which stand together in a tile.
func pack8(to, m []float32, stride, columns int) {
	m0, m1, m2, m3 := m[:columns], m[stride:][:columns], m[2*stride:][:columns], m[3*stride:][:columns]
	m4, m5, m6, m7 := m[4*stride:][:columns], m[5*stride:][:columns], m[6*stride:][:columns], m[7*stride:][:columns]
	for j := range columns {
		*(*[8]float32)(to[j*tile:]) = [8]float32{m0[j], m1[j], m2[j], m3[j], m4[j], m5[j], m6[j], m7[j]}
	}
}
