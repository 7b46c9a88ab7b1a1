package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPackF32: every value is where RowF32 finds it, rows that src lacks are zeros, and the
// first value that is not finite is found, wherever it is.
func TestPackF32(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for i := range 300 {
		first, rows, columns := TileF32*rng.IntN(2), 1+rng.IntN(3*TileF32), 1+rng.IntN(60)
		src := make([]byte, 4*rows*columns)
		for j := range rows * columns {
			binary.LittleEndian.PutUint32(src[4*j:], math.Float32bits(float32(j+1)))
		}
		w := make([]float32, SizeF32(first+rows, columns))
		for j := range w {
			w[j] = 99
		}
		if bad := PackF32(w, src, first, columns); bad != -1 {
			t.Fatalf("%d x %d: value %d is bad", rows, columns, bad)
		}
		x := make([]float32, columns)
		for r := range len(w) / columns {
			RowF32(x, w, r)
			for c, v := range x {
				want := float32((r-first)*columns + c + 1)
				if r < first {
					want = 99
				} else if r >= first+rows {
					want = 0
				}
				if v != want {
					t.Fatalf("%d x %d: row %d, column %d is %g, want %g", rows, columns, r, c, v, want)
				}
			}
		}
		at := rng.IntN(rows * columns)
		for j, bits := range []uint32{0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF} {
			if j%2 == i%2 {
				binary.LittleEndian.PutUint32(src[4*(rows*columns-1):], bits) // not the first
			}
			binary.LittleEndian.PutUint32(src[4*at:], bits)
			if bad := PackF32(w, src, first, columns); bad != at {
				t.Fatalf("%d x %d: %#x at %d was found at %d", rows, columns, bits, at, bad)
			}
		}
		binary.LittleEndian.PutUint32(src[4*at:], 0x7F7FFFFF) // the largest number
		binary.LittleEndian.PutUint32(src[4*(rows*columns-1):], 0xFF7FFFFF)
		if bad := PackF32(w, src, first, columns); bad != -1 {
			t.Fatalf("%d x %d: a large number at %d is bad: %d", rows, columns, at, bad)
		}
	}
}

// TestPackInt8: every value is where RowInt8 finds it, with its scale, which is that of the
// group of its first value where groups straddle rows.
func TestPackInt8(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		first, rows, groups, group := TileInt8*rng.IntN(2), 1+rng.IntN(3*TileInt8), 1+rng.IntN(6), 1+rng.IntN(70)
		columns := groups*group + rng.IntN(group)*rng.IntN(2) // runq.c leaves the rest out
		src := make([]byte, rows*columns)
		for j := range src {
			src[j] = byte(rng.IntN(256))
		}
		before := first * columns / group // the scales of the rows before
		scales := make([]byte, 4*((first+rows)*columns/group-before))
		for i := range len(scales) / 4 {
			binary.LittleEndian.PutUint32(scales[4*i:], math.Float32bits(float32(i+1)))
		}
		w := make([]uint8, SizeInt8(first+rows, groups, group))
		PackScales(w, scales, first, rows, columns, groups, group)
		PackInt8(w, src, first, columns, groups, group)
		x := make([]float32, groups*group)
		for r := range rows {
			RowInt8(x, w, first+r, group)
			for c, v := range x {
				scale := ((first+r)*columns+c/group*group)/group - before + 1
				if want := float32(int8(src[r*columns+c])) * float32(scale); v != want {
					t.Fatalf("%d rows, %d groups of %d: row %d, column %d is %g, want %g", rows, groups, group, r, c, v, want)
				}
			}
		}
	}
}

func BenchmarkPack(b *testing.B) {
	for _, columns := range []int{288, 768, 5632} {
		src, tile := make([]byte, 4*TileF32*columns), make([]float32, TileF32*columns)
		b.Run(fmt.Sprintf("f32/%d", columns), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for range b.N {
				PackF32(tile, src, 0, columns)
			}
		})
		const group = 32
		q := make([]uint8, SizeInt8(TileInt8, columns/group, group))
		b.Run(fmt.Sprintf("int8/%d", columns), func(b *testing.B) {
			b.SetBytes(int64(TileInt8 * columns))
			for range b.N {
				PackInt8(q, src[:TileInt8*columns], 0, columns, columns/group, group)
			}
		})
	}
}
