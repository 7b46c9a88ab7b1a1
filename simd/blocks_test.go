package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"bootllama/quant"
)

// blockTypes are the types that have tiles of blocks.
func blockTypes() (types []quant.Type) {
	for _, f := range blockFormats {
		if f.bits > 0 {
			types = append(types, f.Type)
		}
	}
	return types
}

// halvesAt is where the halves of a block in a file are.
func halvesAt(t quant.Type) []int {
	switch t {
	case quant.Q4_1, quant.Q5_1, quant.Q4_K, quant.Q5_K:
		return []int{0, 2}
	case quant.Q2_K:
		return []int{80, 82}
	case quant.Q3_K:
		return []int{108}
	case quant.Q6_K:
		return []int{208}
	}
	return []int{0}
}

// randomBlocks returns n random blocks as they are in a file. Every bit is drawn; halves are
// finite, some of them zero or subnormal.
func randomBlocks(rng *rand.Rand, t quant.Type, n int) []byte {
	_, size := t.Block()
	src := make([]byte, n*size)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	for i := range n {
		for _, at := range halvesAt(t) {
			h := toHalf(float32(rng.NormFloat64() * 0.01))
			if rng.IntN(32) == 0 {
				h = uint16(rng.IntN(0x400)) | uint16(rng.IntN(2))<<15
			}
			binary.LittleEndian.PutUint16(src[i*size+at:], h)
		}
	}
	return src
}

// randomActivations returns activations of some tokens, of which some have the largest sums.
func randomActivations(rng *rand.Rand, tokens, columns int) *Activations {
	x := &Activations{N: columns, Size: 32, QStride: columns + rng.IntN(5)}
	n := columns / 32
	x.Q, x.Groups, x.Sums = make([]int8, (tokens-1)*x.QStride+columns), make([]Group, tokens*n), make([]float32, tokens*n)
	x.Halves, x.HalfSums = make([]Group, 2*tokens*n), make([]float32, 2*tokens*n)
	large := rng.IntN(3) == 0
	for i := range tokens {
		q := x.Q[i*x.QStride:][:columns]
		for j := range n {
			var sums [2]int32
			sign, scale := int8(rng.IntN(2)*2-1), float32(rng.NormFloat64())
			for c := range 32 {
				v := int8(rng.IntN(255) - 127)
				if large {
					v = 127 * sign
				}
				q[32*j+c] = v
				sums[c/16] += int32(v)
			}
			x.Groups[i*n+j], x.Sums[i*n+j] = Group{scale, -128 * (sums[0] + sums[1])}, scale*float32(sums[0]+sums[1])
			for h, sum := range sums {
				x.Halves[2*(i*n+j)+h], x.HalfSums[2*(i*n+j)+h] = Group{scale, -128 * sum}, scale*float32(sum)
			}
		}
	}
	return x
}

// productOfBlocks is the definition of the product, on the blocks of one row in a file and one
// token's activations.
func productOfBlocks(t quant.Type, row []byte, q []int8, g []Group) float32 {
	var b quant.Block
	var sum, mins float32
	values, bytes := t.Block()
	for c := 0; c < len(q); c += values {
		t.Unpack(&b, row[c/values*bytes:])
		for i := 0; i < values; i += b.Group {
			var isum, xsum int32
			for j := range b.Group {
				x := int32(q[c+i+j])
				isum += int32(b.Values[i+j]) * x
				xsum += x
			}
			scale := g[(c+i)/32].Scale
			sum += float32(float32(float32(isum)*float32(b.D*float32(b.Scales[i/b.Group]))) * scale)
			mins += float32(float32(b.DMin*float32(b.Mins[i/b.Group])) * float32(float32(xsum)*scale))
		}
	}
	return sum - mins
}

// TestBlocks: a row of a tile is the dequantised row of the file, and the product of all
// kernels has the bits of its definition, for all types, numbers of rows, columns and tokens.
func TestBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	mq, mg, mh, mw, ms := newMemory(t, 1<<20), newMemory(t, 1<<20), newMemory(t, 1<<20), newMemory(t, 1<<20), newMemory(t, 1<<20)
	for _, typ := range blockTypes() {
		f := FormatOf(typ)
		values, bytes := typ.Block()
		for _, k := range All() {
			t.Run(fmt.Sprintf("%v/%s", typ, k.Name), func(t *testing.T) {
				for i := range 60 {
					rows, n, tokens := 1+rng.IntN(70), 1+rng.IntN(1024/values), 1+rng.IntN(2)*rng.IntN(20)
					columns := n * values
					src := randomBlocks(rng, typ, rows*n)
					first := rng.IntN(2) * TileInt8
					w := make([]uint8, f.Size(first+rows, columns))
					if bad := f.Pack(w, src, first, columns); bad != -1 {
						t.Fatalf("byte %d is bad", bad)
					}
					got, want := make([]float32, columns), make([]float32, columns)
					for r := range rows {
						f.Row(got, w, first+r)
						typ.Dequantize(want, src[r*n*bytes:][:n*bytes])
						if err := same(got, want); err != nil {
							t.Fatalf("row %d: %v", r, err)
						}
					}
					w = w[f.Size(first, columns):]
					x := randomActivations(rng, tokens, columns)
					outStride := rows + rng.IntN(5)
					out, check := fenced(t, outStride*(tokens-1)+rows, i%9)
					scratch := make([]byte, f.Scratch(columns, tokens))
					if i%2 == 0 { // the page behind cannot be read
						x.Q, w, scratch = filled(mq, x.Q, -1), filled(mw, w, -1), filled(ms, scratch, -1)
						if group, halves := f.Group(); halves {
							x.Halves, x.HalfSums = filled(mg, x.Halves, -1), filled(mh, x.HalfSums, -1)
						} else if group == 32 {
							x.Groups, x.Sums = filled(mg, x.Groups, -1), filled(mh, x.Sums, -1)
						}
					}
					xBefore, qBefore, wBefore := *x, slices.Clone(x.Q), slices.Clone(w)
					xBefore.Groups, xBefore.Sums, xBefore.Halves, xBefore.HalfSums = slices.Clone(x.Groups), slices.Clone(x.Sums), slices.Clone(x.Halves), slices.Clone(x.HalfSums)
					f.MatMul(k, out, outStride, x, tokens, w, rows, scratch)
					check()
					unchanged(t, "q", x.Q, qBefore)
					unchanged(t, "groups", x.Groups, xBefore.Groups)
					unchanged(t, "sums", x.Sums, xBefore.Sums)
					unchanged(t, "halves", x.Halves, xBefore.Halves)
					unchanged(t, "sums of halves", x.HalfSums, xBefore.HalfSums)
					unchanged(t, "w", w, wBefore)
					if err := sameRows(out, outStride, rows, func(tok, r int) float32 {
						return productOfBlocks(typ, src[r*n*bytes:][:n*bytes], x.Q[tok*x.QStride:][:columns], x.Groups[tok*columns/32:])
					}); err != nil {
						t.Fatalf("%d rows, %d blocks, %d tokens, a row each: %v", rows, n, tokens, err)
					}
				}
			})
		}
	}
}

// TestPackBlocks: rows that src lacks are zeros, and the first half that is not finite is found.
func TestPackBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 2))
	for _, typ := range blockTypes() {
		f := FormatOf(typ)
		values, bytes := typ.Block()
		for range 20 {
			rows, n := 1+rng.IntN(40), 1+rng.IntN(3)
			columns := n * values
			src := randomBlocks(rng, typ, rows*n)
			w := make([]uint8, f.Size(rows, columns))
			for i := range w {
				w[i] = 99
			}
			f.Pack(w, src, 0, columns)
			x := make([]float32, columns)
			for r := rows; r < (rows+TileInt8-1)/TileInt8*TileInt8; r++ {
				f.Row(x, w, r)
				for c, v := range x {
					if v != 0 {
						t.Fatalf("%v: row %d of %d, column %d is %g", typ, r, rows, c, v)
					}
				}
			}
			block := rng.IntN(rows * n)
			for _, bits := range []uint16{0x7c00, 0xfc00, 0x7e00, 0x7c01} {
				for _, at := range halvesAt(typ) {
					bad := slices.Clone(src)
					binary.LittleEndian.PutUint16(bad[block*bytes+at:], bits)
					binary.LittleEndian.PutUint16(bad[len(bad)-bytes+at:], bits) // not the first
					if got := f.Pack(w, bad, 0, columns); got != block*bytes+at {
						t.Fatalf("%v: %#x in block %d was found at %d", typ, bits, block, got)
					}
				}
			}
		}
	}
}

// TestHalf: halves become float32 and float32 the nearest half, the even one of two.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		x := half([]byte{byte(h), byte(h >> 8)})
		if got := toHalf(x); got != uint16(h) && !(x != x && got == uint16(h)|0x200) {
			t.Fatalf("half %#04x is %g, and that %#04x", h, x, got)
		}
	}
	rng := rand.New(rand.NewPCG(11, 3))
	for h := range uint16(0x7c00) { // between h and the next, which is 65536 behind the largest
		a, b := float64(half([]byte{byte(h), byte(h >> 8)})), float64(half([]byte{byte(h + 1), byte((h + 1) >> 8)}))
		if h == 0x7bff {
			b = 65536
		}
		middle := float32((a + b) / 2)
		even := h + h&1
		for _, c := range []struct {
			x    float32
			want uint16
		}{{middle, even}, {math.Nextafter32(middle, 0), h}, {math.Nextafter32(middle, math.MaxFloat32), h + 1},
			{math.Nextafter32(float32(a), math.MaxFloat32), h}, {math.Nextafter32(float32(b), 0), h + 1}} {
			sign := uint16(rng.IntN(2)) << 15
			if got := toHalf(math.Float32frombits(math.Float32bits(c.x) | uint32(sign)<<16)); got != c.want|sign {
				t.Fatalf("%g is half %#04x, want %#04x", c.x, got, c.want|sign)
			}
		}
	}
	if toHalf(math.MaxFloat32) != 0x7c00 || toHalf(float32(math.Inf(-1))) != 0xfc00 || toHalf(math.SmallestNonzeroFloat32) != 0 {
		t.Error("the ends")
	}
}

// BenchmarkMatMulBlocks reports the speed of reading tiles (GB/s) in the product with one token, from the L2 cache and
// from memory, beside that of plain reading; for many tokens that of computing (Gop/s: a multiplication and an addition
// are two).
func BenchmarkMatMulBlocks(b *testing.B) {
	const columns = 2048
	data := make([]uint8, 256<<20)
	for i := range data {
		data[i] = 0x2a // a half of 0.05
	}
	for _, size := range []int{512 << 10, len(data)} {
		for _, k := range All() {
			b.Run(fmt.Sprintf("read/%dK/%s", size>>10, k.Name), func(b *testing.B) {
				b.SetBytes(int64(size))
				for range b.N {
					k.Read(data[:size])
				}
			})
			for _, t := range blockTypes() {
				f := FormatOf(t)
				tile := f.Size(TileInt8, columns)
				rows := size / tile * TileInt8
				for _, tokens := range []int{1, 96} {
					if tokens > 1 && size > 1<<20 {
						continue
					}
					x, scratch, out := randomActivations(rand.New(rand.NewPCG(11, 4)), tokens, columns), make([]byte, f.Scratch(columns, tokens)), make([]float32, rows*tokens)
					b.Run(fmt.Sprintf("%v/%dK/%dtok/%s", t, size>>10, tokens, k.Name), func(b *testing.B) {
						if tokens == 1 {
							b.SetBytes(int64(rows / TileInt8 * tile))
						}
						for range b.N {
							f.MatMul(k, out, rows, x, tokens, data, rows, scratch)
						}
						if tokens > 1 {
							b.ReportMetric(2*float64(rows)*columns*float64(tokens)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gop/s")
						}
					})
				}
			}
		}
	}
}
