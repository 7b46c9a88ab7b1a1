package simd

import (
	"encoding/binary"
	"math"
	"unsafe"

	"bootllama/quant"
)

// The Go twins. Each defines what the kernels of its name compute, and runs on processors
// that have no such kernel.

// tileF32 sets out (32,) to the products of a tile w (n, 32) with x (n,).
func tileF32(out, x, w *float32, n int) {
	o, xs, ws := unsafe.Slice(out, TileF32), unsafe.Slice(x, n), unsafe.Slice(w, TileF32*n)
	clear(o)
	for r := 0; r < TileF32; r += 8 {
		addColumns((*[8]float32)(o[r:]), xs, 1, ws[r:], TileF32, n)
	}
}

// tileF16 is tileF32 for a tile of halves.
func tileF16(out, x *float32, w *uint16, n int) {
	o := (*[TileF32]float32)(unsafe.Pointer(out))
	*o = [TileF32]float32{}
	ws := unsafe.Slice((*[TileF32]uint16)(unsafe.Pointer(w)), n)
	for j, v := range unsafe.Slice(x, n) {
		for r, h := range ws[j] {
			o[r] += float32(quant.Float16(h) * v)
		}
	}
}

// gemm is GemmF32.
func gemm(out []float32, outStride int, x []float32, xRow, xColumn int, y []float32, yStride, rows, n, columns int, more bool) {
	for i := range rows {
		o := out[i*outStride:][:columns]
		if !more {
			clear(o)
		}
		j := 0
		for ; j+8 <= columns; j += 8 {
			addColumns((*[8]float32)(o[j:]), x[i*xRow:], xColumn, y[j:], yStride, n)
		}
		for ; j < columns; j++ {
			v := o[j]
			for t := range n {
				v += float32(y[t*yStride+j] * x[i*xRow+t*xColumn])
			}
			o[j] = v
		}
	}
}

// addColumns adds n products to each of v: those of values of x, xStride apart, with the first
// eight of rows of y, yStride apart. Eight sums at a time are what registers hold.
func addColumns(v *[8]float32, x []float32, xStride int, y []float32, yStride, n int) {
	v0, v1, v2, v3, v4, v5, v6, v7 := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
	for t := range n {
		xt, row := x[t*xStride], (*[8]float32)(y[t*yStride:])
		v0 += float32(row[0] * xt)
		v1 += float32(row[1] * xt)
		v2 += float32(row[2] * xt)
		v3 += float32(row[3] * xt)
		v4 += float32(row[4] * xt)
		v5 += float32(row[5] * xt)
		v6 += float32(row[6] * xt)
		v7 += float32(row[7] * xt)
	}
	*v = [8]float32{v0, v1, v2, v3, v4, v5, v6, v7}
}

// tileInt8 sets out (16,) to the products of a tile w (groups, (quads, 16, 4) values and (16,)
// scales) with x (groups, quads, 4) and g (groups,). The products of a group are summed as
// integers, which is exact, and the groups of a row in order, scaled by weight and
// activation, in that order: runq.c's matmul.
func tileInt8(out *float32, x *int8, g *Group, w *uint8, groups, quads int) {
	o := (*[TileInt8]float32)(unsafe.Pointer(out))
	xs := unsafe.Slice((*[4]int8)(unsafe.Pointer(x)), groups*quads)
	size := 4 * TileInt8 * (quads + 1)
	ws := unsafe.Slice(w, groups*size)
	*o = [TileInt8]float32{}
	for i, group := range unsafe.Slice(g, groups) {
		var sums [TileInt8]int32
		for r := range sums {
			sums[r] = group.Bias
		}
		wg := ws[i*size:][:size]
		for j, xq := range xs[i*quads:][:quads] {
			x0, x1, x2, x3 := int32(xq[0]), int32(xq[1]), int32(xq[2]), int32(xq[3])
			for r := range sums {
				wq := (*[4]uint8)(wg[4*(TileInt8*j+r):])
				sums[r] += x0*int32(wq[0]) + x1*int32(wq[1]) + x2*int32(wq[2]) + x3*int32(wq[3])
			}
		}
		scales := wg[4*TileInt8*quads:]
		for r, sum := range sums {
			scale := math.Float32frombits(binary.NativeEndian.Uint32(scales[4*r:]))
			o[r] += float32(float32(float32(sum)*scale) * group.Scale)
		}
	}
}

// ones has 1 in each byte: times x, it has x in each.
const ones = 0x0101010101010101

// unpack sets `to` to the values of a group of blocks, of 4, 5 or 6 bits, plus add. Quads 4 to 7
// go `gap` bytes behind quad 3. Eight values are computed at a time: no sum exceeds its byte.
func unpack(bits int, to *uint8, gap int, from *uint8, add uint8) {
	switch bits {
	case 4:
		unpack4(to, gap, from, add)
	case 5:
		unpack5(to, gap, from, add)
	default:
		unpack6(to, gap, from, add)
	}
}

func unpack4(to *uint8, gap int, from *uint8, add uint8) {
	low, high, w := quads(to, 0), quads(to, 256+gap), quads(from, 0)
	for i, v := range w {
		low[i] = v&(0x0f*ones) + uint64(add)*ones
		high[i] = v>>4&(0x0f*ones) + uint64(add)*ones
	}
}

func unpack5(to *uint8, gap int, from *uint8, add uint8) {
	low, high, w, plane := quads(to, 0), quads(to, 256+gap), quads(from, 64), (*[8]uint64)(unsafe.Pointer(from))
	for i, v := range w {
		p := plane[i%8] >> (i / 8)
		low[i] = v&(0x0f*ones) + p&ones<<4 + uint64(add)*ones
		high[i] = v>>4&(0x0f*ones) + p&(0x10*ones) + uint64(add)*ones
	}
}

func unpack6(to *uint8, gap int, from *uint8, add uint8) {
	low, high, w, planes := quads(to, 0), quads(to, 256+gap), quads(from, 128), (*[16]uint64)(unsafe.Pointer(from))
	for i, v := range w {
		p := planes[i/16*8+i%8] >> (i / 8 % 2 * 4)
		low[i] = v&(0x0f*ones) + p&(0x03*ones)<<4 + uint64(add)*ones
		high[i] = v>>4&(0x0f*ones) + p&(0x0c*ones)<<2 + uint64(add)*ones
	}
}

// quads returns the 256 bytes of four quads that are n bytes behind b.
func quads(b *uint8, n int) *[32]uint64 { return (*[32]uint64)(unsafe.Add(unsafe.Pointer(b), n)) }

// scales16 sets `to` (16,) to the products of d (16,) and integers (16,) of 8 bits.
func scales16(to, d *float32, integers *uint8, unsigned bool) {
	t, ds, is := (*[16]float32)(unsafe.Pointer(to)), (*[16]float32)(unsafe.Pointer(d)), (*[16]uint8)(unsafe.Pointer(integers))
	for r, v := range is {
		if unsigned {
			t[r] = ds[r] * float32(v)
		} else {
			t[r] = ds[r] * float32(int8(v))
		}
	}
}

// halves16 sets `to` (16,) to 16 halves.
func halves16(to *float32, from *uint8) {
	h := unsafe.Slice(from, 32)
	for r := range unsafe.Slice(to, 16) {
		unsafe.Slice(to, 16)[r] = half(h[2*r:])
	}
}

func rmsNorm(o, x, weight []float32, epsilon float32) {
	scale := rmsScale(x, epsilon)
	for j, v := range x {
		o[j] = weight[j] * (scale * v)
	}
}

// rmsScale returns 1 / sqrt(mean(x**2) + epsilon).
func rmsScale(x []float32, epsilon float32) float32 {
	var ss float32
	for _, v := range x {
		ss += float32(v * v)
	}
	ss /= float32(len(x))
	ss += epsilon
	return 1 / sqrtf(ss)
}

func softmax(x []float32, divisor float32) {
	for i := range x {
		x[i] /= divisor
	}
	maxVal := x[0]
	for _, v := range x[1:] {
		if v > maxVal {
			maxVal = v
		}
	}
	var sum float32
	for i, v := range x {
		x[i] = expf(v - maxVal)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func swiGLU(hb, hb2 []float32) {
	for i, val := range hb {
		val *= 1 / (1 + expf(-val))
		hb[i] = val * hb2[i]
	}
}

func rotate(vec, cos, sin []float32) {
	for h := 0; h < len(vec); h += 2 * len(cos) {
		for i, c := range cos {
			v0, v1 := vec[h+2*i], vec[h+2*i+1]
			vec[h+2*i] = float32(v0*c) - float32(v1*sin[i])
			vec[h+2*i+1] = float32(v0*sin[i]) + float32(v1*c)
		}
	}
}

func rotateHalves(vec, cos, sin []float32) {
	half := len(cos)
	sin = sin[:half]
	for ; len(vec) >= 2*half; vec = vec[2*half:] {
		first, second := vec[:half], vec[half:][:half]
		for i, c := range cos {
			v0, v1 := first[i], second[i]
			first[i] = float32(v0*c) - float32(v1*sin[i])
			second[i] = float32(v0*sin[i]) + float32(v1*c)
		}
	}
}

func quantize(q []int8, g []Group, x []float32, group int) {
	padded := Padded(group)
	for i := range g {
		xg, qg := x[i*group:][:group], q[i*padded:][:padded]
		var wmax float32
		for _, v := range xg {
			if v < 0 {
				v = -v
			}
			if v > wmax {
				wmax = v
			}
		}
		scale := wmax / 127
		var sum int32
		for j, v := range xg {
			// The quotient is NaN if all of the group is 0, or if both v and the scale are
			// infinite; it is infinite if wmax / 127 is too small for a float32.
			if v /= scale; v-v != 0 {
				v = 0
			}
			qg[j] = int8(int32(math.Round(float64(v))))
			sum += int32(qg[j])
		}
		clear(qg[group:])
		g[i] = Group{scale, -128 * sum}
	}
}

func add(x, y []float32) {
	for i, v := range y {
		x[i] += v
	}
}

func read(b []byte) uint64 {
	var sum uint64
	for ; len(b) >= 8; b = b[8:] {
		sum ^= binary.NativeEndian.Uint64(b)
	}
	return sum
}

func argmax(x []float32) int {
	maxI, maxVal := 0, x[0]
	for i, v := range x {
		if v > maxVal {
			maxI, maxVal = i, v
		}
	}
	return maxI
}
