package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"bootllama/quant"
)

// guard fills the memory around every output; a kernel that writes outside changes it.
const guard = float32(12345.678)

// fenced returns n values, offset values behind the start of their memory so that all
// alignments are tested, and a check that nothing around them was written.
func fenced(t testing.TB, n, offset int) ([]float32, func()) {
	b := make([]float32, 32+offset+n+32)
	for i := range b {
		b[i] = guard
	}
	s := b[16+offset:][:n:n]
	return s, func() {
		t.Helper()
		for i, v := range b {
			if (i < 16+offset || i >= 16+offset+n) && v != guard {
				t.Fatalf("%d values: wrote %g at %d", n, v, i-16-offset)
			}
		}
	}
}

func randoms(rng *rand.Rand, s []float32) {
	for i := range s {
		s[i] = float32(rng.NormFloat64())
	}
}

func equal(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b }

// unchanged fails if a kernel wrote into what it reads. The other comparisons would not see it: they use what it left.
func unchanged[T any](t *testing.T, name string, got, before []T) {
	t.Helper()
	bytes := func(s []T) []byte { // of which NaNs are equal, too
		var v T
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(v)))
	}
	if !slices.Equal(bytes(got), bytes(before)) {
		t.Fatalf("the kernel changed %s", name)
	}
}

// sameRows compares rows of out, columns values each, which are stride apart, with want.
// What is between them must be guard.
func sameRows(out []float32, stride, columns int, want func(row, column int) float32) error {
	for i, got := range out {
		row, column, v := i/stride, i%stride, guard
		if column < columns {
			v = want(row, column)
		}
		if !equal(got, v) {
			return fmt.Errorf("value %d of row %d is %g, want %g", column, row, got, v)
		}
	}
	return nil
}

// TestGemmF32: all kernels give the bits of a plain sum in order, for every shape, for x as
// it is and transposed, for sums that begin at 0 and those that go on.
func TestGemmF32(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	mx, my := newMemory(t, 1<<20), newMemory(t, 1<<20)
	for _, k := range All() {
		t.Run(k.Name, func(t *testing.T) {
			for i := range 400 {
				rows, n, columns := 1+rng.IntN(40), 1+rng.IntN(70), 1+rng.IntN(100)
				yStride, outStride := columns+rng.IntN(5), columns+rng.IntN(5)
				xRow, xColumn := n+rng.IntN(5), 1
				if i%3 == 0 {
					xRow, xColumn = 1, rows+rng.IntN(5)
				}
				x := make([]float32, i%7+(rows-1)*xRow+(n-1)*xColumn+1)[i%7:]
				y := make([]float32, i%5+(n-1)*yStride+columns)[i%5:]
				randoms(rng, x)
				randoms(rng, y)
				out, check := fenced(t, outStride*(rows-1)+columns, i%9)
				more := i%4 > 1
				if i%2 == 0 { // the page behind cannot be read
					x, y = filled(mx, x, -1), filled(my, y, -1)
				}
				xBefore, yBefore := slices.Clone(x), slices.Clone(y)
				k.GemmF32(out, outStride, x, xRow, xColumn, y, yStride, rows, n, columns, more)
				check()
				unchanged(t, "x", x, xBefore)
				unchanged(t, "y", y, yBefore)
				if err := sameRows(out, outStride, columns, func(r, c int) (want float32) {
					if more {
						want = guard
					}
					for j := range n {
						want += float32(y[j*yStride+c] * x[r*xRow+j*xColumn])
					}
					return want
				}); err != nil {
					t.Fatalf("%d rows, %d products, %d columns: %v", rows, n, columns, err)
				}
			}
		})
	}
}

// TestMatMulF32: all kernels give the bits of a plain sum in order, for every number of
// rows and tokens.
func TestMatMulF32(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	mx, mw := newMemory(t, 1<<20), newMemory(t, 2<<20)
	for _, k := range All() {
		t.Run(k.Name, func(t *testing.T) {
			for i := range 400 {
				rows, n, tokens := 1+rng.IntN(100), 1+rng.IntN(70), 1+rng.IntN(30)
				if i%20 == 0 {
					n = 1000 + rng.IntN(1000)
				}
				xStride, outStride := n+rng.IntN(5), rows+rng.IntN(5)
				x := make([]float32, i%7+xStride*tokens)[i%7:]
				tiles := (rows + TileF32 - 1) / TileF32
				stride := TileF32*n + rng.IntN(40)
				w := make([]float32, i%5+tiles*stride)[i%5:]
				randoms(rng, x)
				randoms(rng, w)
				out, check := fenced(t, outStride*(tokens-1)+rows, i%9)
				x, w = x[:xStride*(tokens-1)+n], w[:(tiles-1)*stride+TileF32*n]
				if i%2 == 0 { // the page behind cannot be read
					x, w = filled(mx, x, -1), filled(mw, w, -1)
				}
				xBefore, wBefore := slices.Clone(x), slices.Clone(w)
				k.MatMulF32(out, outStride, x, xStride, tokens, n, w, stride, rows)
				check()
				unchanged(t, "x", x, xBefore)
				unchanged(t, "w", w, wBefore)
				if err := sameRows(out, outStride, rows, func(tok, r int) (want float32) {
					for j := range n {
						want += float32(w[r/TileF32*stride+j*TileF32+r%TileF32] * x[tok*xStride+j])
					}
					return want
				}); err != nil {
					t.Fatalf("%d rows, %d columns, %d tokens, a row each: %v", rows, n, tokens, err)
				}
			}
		})
	}
}

// TestMatMulF16: all kernels give the bits of a plain sum in order, for every half: subnormal
// ones, infinities and NaNs among them.
func TestMatMulF16(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	mx, mw := newMemory(t, 1<<20), newMemory(t, 2<<20)
	for _, k := range All() {
		t.Run(k.Name, func(t *testing.T) {
			for i := range 400 {
				rows, n, tokens := 1+rng.IntN(100), 1+rng.IntN(70), 1+rng.IntN(4)
				xStride, outStride := n+rng.IntN(5), rows+rng.IntN(5)
				x := make([]float32, i%7+xStride*(tokens-1)+n)[i%7:]
				tiles := (rows + TileF32 - 1) / TileF32
				stride := TileF32*n + rng.IntN(40)
				w := make([]uint16, i%5+(tiles-1)*stride+TileF32*n)[i%5:]
				randoms(rng, x)
				for j := range w {
					w[j] = uint16(rng.IntN(1 << 16))
					if i%4 > 0 && w[j]&0x7c00 == 0x7c00 { // only finite ones
						w[j] &= 0x83ff
					}
				}
				out, check := fenced(t, outStride*(tokens-1)+rows, i%9)
				if i%2 == 0 { // the page behind cannot be read
					x, w = filled(mx, x, -1), filled(mw, w, -1)
				}
				xBefore, wBefore := slices.Clone(x), slices.Clone(w)
				k.MatMulF16(out, outStride, x, xStride, tokens, n, w, stride, rows)
				check()
				unchanged(t, "x", x, xBefore)
				unchanged(t, "w", w, wBefore)
				if err := sameRows(out, outStride, rows, func(tok, r int) (want float32) {
					for j := range n {
						want += float32(quant.Float16(w[r/TileF32*stride+j*TileF32+r%TileF32]) * x[tok*xStride+j])
					}
					return want
				}); err != nil {
					t.Fatalf("%d rows, %d columns, %d tokens, a row each: %v", rows, n, tokens, err)
				}
			}
		})
	}
}

// TestSetF16: rows and columns of halves are where a product with one of the units finds them.
func TestSetF16(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	for range 50 {
		rows, columns := 1+rng.IntN(70), 1+rng.IntN(50)
		byRows, byColumns := make([]uint16, SizeF32(rows, columns)), make([]uint16, SizeF32(rows, columns))
		m := make([]float32, rows*columns)
		randoms(rng, m)
		for r := range rows {
			SetRowF16(byRows, m[r*columns:][:columns], r)
		}
		x, column := make([]float32, columns), make([]float32, rows)
		for c := range columns {
			for r := range column {
				column[r] = m[r*columns+c]
			}
			SetColumnF16(byColumns, column, c, columns)
		}
		if !slices.Equal(byRows, byColumns) {
			t.Fatalf("%d x %d: rows and columns differ", rows, columns)
		}
		for c := range columns {
			clear(x)
			x[c] = 1
			Best().MatMulF16(column, rows, x, columns, 1, columns, byRows, TileF32*columns, rows)
			for r, got := range column {
				if want := quant.Float16(toHalf(m[r*columns+c])); got != want {
					t.Fatalf("%d x %d: row %d, column %d is %g, want %g", rows, columns, r, c, got, want)
				}
			}
		}
	}
}

// TestMatMulInt8: all kernels give the bits of runq.c's matmul, for every group size, all
// values of a byte among them.
func TestMatMulInt8(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	mq, mg, mw := newMemory(t, 1<<20), newMemory(t, 1<<20), newMemory(t, 1<<20)
	for _, k := range All() {
		t.Run(k.Name, func(t *testing.T) {
			for i := range 400 {
				rows, groups, group, tokens := 1+rng.IntN(50), 1+rng.IntN(9), 1+rng.IntN(70), 1+rng.IntN(20)
				switch i % 8 {
				case 0:
					group = 32
				case 1:
					group = 64
				case 2:
					group, groups = 1000+rng.IntN(1000), 2
				case 3:
					group, groups = 1+rng.IntN(8), 100
				}
				padded := Padded(group)
				xStride, gStride, outStride := groups*padded+rng.IntN(5), groups+rng.IntN(3), rows+rng.IntN(5)
				q := make([]int8, i%7+tokens*xStride)[i%7:]
				g := make([]Group, tokens*gStride)
				for tok := range tokens {
					for j := range groups {
						var sum int32
						for c := range group {
							v := int8(rng.IntN(256) - 128)
							if i%3 == 0 { // the largest sums
								v = -128
							}
							q[tok*xStride+j*padded+c] = v
							sum += int32(v)
						}
						g[tok*gStride+j] = Group{float32(rng.NormFloat64()), -128 * sum}
					}
				}
				tiles, size := (rows+TileInt8-1)/TileInt8, 16*padded+64 // of a group
				w := make([]uint8, i%5*4+tiles*groups*size)[i%5*4:]
				for j := range w {
					w[j] = uint8(rng.IntN(256))
					if i%6 == 0 {
						w[j] = 0
					}
				}
				scales := make([]float32, rows*groups)
				randoms(rng, scales)
				for j, v := range scales {
					r, g := j/groups, j%groups
					binary.NativeEndian.PutUint32(w[(r/16*groups+g)*size+16*padded+4*(r%16):], math.Float32bits(v))
				}
				out, check := fenced(t, outStride*(tokens-1)+rows, i%9)
				q, g = q[:xStride*(tokens-1)+groups*padded], g[:gStride*(tokens-1)+groups]
				if i%2 == 0 {
					q, g, w = filled(mq, q, -1), filled(mg, g, -1), filled(mw, w, -1)
				}
				qBefore, gBefore, wBefore := slices.Clone(q), slices.Clone(g), slices.Clone(w)
				k.MatMulInt8(out, outStride, q, xStride, g, gStride, tokens, groups, group, w, rows)
				check()
				unchanged(t, "q", q, qBefore)
				unchanged(t, "g", g, gBefore)
				unchanged(t, "w", w, wBefore)
				if err := sameRows(out, outStride, rows, func(tok, r int) (want float32) {
					for j := range groups {
						var sum int32
						for c := range group {
							at := (r/16*groups+j)*size + c/4*64 + r%16*4 + c%4
							sum += int32(q[tok*xStride+j*padded+c]) * (int32(w[at]) - 128)
						}
						want += float32(float32(float32(sum)*scales[r*groups+j]) * g[tok*gStride+j].Scale)
					}
					return want
				}); err != nil {
					t.Fatalf("%d rows, %d groups of %d, %d tokens, a row each: %v", rows, groups, group, tokens, err)
				}
			}
		})
	}
}

// BenchmarkMatMul reports the speed of reading weights (GB/s), or for many tokens that of
// computing (Gop/s: a multiplication and an addition are two).
func BenchmarkMatMul(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 3))
	for _, shape := range []struct{ rows, n int }{{288, 288}, {768, 2048}, {2048, 5632}, {32000, 288}, {32000, 2048}} {
		for _, tokens := range []int{1, 48} {
			if tokens > 1 && shape.rows > 10000 {
				continue
			}
			rows, n := shape.rows, shape.n
			x, out := make([]float32, (n+16)*tokens), make([]float32, rows*tokens)
			w := make([]float32, (rows+TileF32-1)/TileF32*TileF32*n)
			randoms(rng, x)
			randoms(rng, w)
			measure := func(kind string, bytes int, multiply func(k *Kernels)) {
				for _, k := range All() {
					b.Run(fmt.Sprintf("%s/%dx%d/%dtok/%s", kind, rows, n, tokens, k.Name), func(b *testing.B) {
						if tokens == 1 {
							b.SetBytes(int64(bytes))
						}
						for range b.N {
							multiply(k)
						}
						if tokens > 1 {
							b.ReportMetric(2*float64(rows)*float64(n)*float64(tokens)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gop/s")
						}
					})
				}
			}
			measure("f32", 4*rows*n, func(k *Kernels) {
				k.MatMulF32(out, rows, x, n+16, tokens, n, w, TileF32*n, rows)
			})
			h := make([]uint16, len(w))
			for i, v := range w {
				h[i] = toHalf(v)
			}
			measure("f16", 2*rows*n, func(k *Kernels) {
				k.MatMulF16(out, rows, x, n+16, tokens, n, h, TileF32*n, rows)
			})
			const group = 32
			q, g := make([]int8, (n+64)*tokens), make([]Group, n/group*tokens)
			wq := make([]uint8, SizeInt8(rows, n/group, group))
			measure("int8", len(wq), func(k *Kernels) {
				k.MatMulInt8(out, rows, q, n+64, g, n/group, tokens, n/group, group, wq, rows)
			})
		}
	}
}
