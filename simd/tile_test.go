package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPackF32: every value is where RowF32 finds it, rows that are not there are zeros, and
// the first value that is no number is found wherever it stands.
func TestPackF32(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for i := range 300 {
		rows, columns := 1+rng.IntN(TileF32), 1+rng.IntN(60)
		src := make([]byte, 4*rows*columns)
		for j := range rows * columns {
			binary.LittleEndian.PutUint32(src[4*j:], math.Float32bits(float32(j+1)))
		}
		tile := make([]float32, TileF32*columns)
		for j := range tile {
			tile[j] = 99
		}
		if bad := PackF32(tile, src, columns); bad != -1 {
			t.Fatalf("%d x %d: value %d is bad", rows, columns, bad)
		}
		x := make([]float32, columns)
		for r := range TileF32 {
			RowF32(x, tile, r)
			for c, v := range x {
				want := float32(r*columns + c + 1)
				if r >= rows {
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
			if bad := PackF32(tile, src, columns); bad != at {
				t.Fatalf("%d x %d: %#x at %d was found at %d", rows, columns, bits, at, bad)
			}
		}
		binary.LittleEndian.PutUint32(src[4*at:], 0x7F7FFFFF) // the largest number
		binary.LittleEndian.PutUint32(src[4*(rows*columns-1):], 0xFF7FFFFF)
		if bad := PackF32(tile, src, columns); bad != -1 {
			t.Fatalf("%d x %d: a large number at %d is bad: %d", rows, columns, at, bad)
		}
	}
}

// TestPackInt8: every value is where RowInt8 finds it, with its scale.
func TestPackInt8(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		rows, groups, group := 1+rng.IntN(TileInt8), 1+rng.IntN(6), 1+rng.IntN(70)
		columns := groups*group + rng.IntN(group) // runq.c leaves the rest out
		src := make([]byte, rows*columns)
		for j := range src {
			src[j] = byte(rng.IntN(256))
		}
		values, scales := SizeInt8(rows, groups, group)
		tile, s := make([]uint8, values), make([]float32, scales)
		for r := range rows {
			for g := range groups {
				s[ScaleInt8(r, g, groups)] = float32(r*groups + g + 1)
			}
		}
		PackInt8(tile, src, columns, groups, group)
		x := make([]float32, groups*group)
		for r := range rows {
			RowInt8(x, tile, s, r, group)
			for c, v := range x {
				if want := float32(int8(src[r*columns+c])) * float32(r*groups+c/group+1); v != want {
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
				PackF32(tile, src, columns)
			}
		})
		const group = 32
		q := make([]uint8, TileInt8*columns)
		b.Run(fmt.Sprintf("int8/%d", columns), func(b *testing.B) {
			b.SetBytes(int64(len(q)))
			for range b.N {
				PackInt8(q, src[:len(q)], columns, columns/group, group)
			}
		})
	}
}
