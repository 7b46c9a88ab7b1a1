package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// memory is where tests put the slices of a kernel, to see what it touches beside them: on
// Linux the pages before and behind cannot be read, and all other bytes are canaries.
type memory struct {
	bytes []byte
	used  [][]byte // the slices that were taken
}

const canary = 0xa5

func newMemory(t testing.TB, size int) *memory {
	m := &memory{bytes: guarded(t, size)}
	for i := range m.bytes {
		m.bytes[i] = canary
	}
	return m
}

// take returns n bytes that begin off bytes behind the start, or that end with the
// memory for off < 0.
func (m *memory) take(n, off int) []byte {
	if off < 0 {
		off = len(m.bytes) - n
	}
	b := m.bytes[off:][:n:n]
	m.used = append(m.used, b)
	return b
}

// check returns an error if a byte around the slices that were taken has changed, up to 16 KiB
// before and behind, and makes canaries of the slices again.
func (m *memory) check() error {
	for _, b := range m.used {
		for i := range b {
			b[i] = canary
		}
	}
	for _, b := range m.used {
		first := 0
		if len(b) > 0 {
			first = int(uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&m.bytes[0])))
		}
		from := max(first-16<<10, 0)
		for i, v := range m.bytes[from:min(first+len(b)+16<<10, len(m.bytes))] {
			if v != canary {
				m.bytes[from+i] = canary
				return fmt.Errorf("byte %d from the start of %d bytes was written", from+i-first, len(b))
			}
		}
	}
	m.used = m.used[:0]
	return nil
}

// as returns b as values of type T.
func as[T any](b []byte) []T {
	var v T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(v)))
}

// filled takes a slice and fills it with src.
func filled[T any](m *memory, src []T, off int) []T {
	var v T
	size := int(unsafe.Sizeof(v))
	if off > 0 {
		off *= size
	}
	s := as[T](m.take(len(src)*size, off))
	copy(s, src)
	return s
}

// same compares bits; NaN equals NaN.
func same(got, want []float32) error {
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) && (got[i] == got[i] || v == v) {
			return fmt.Errorf("value %d of %d is %g (%#08x), the twin's %g (%#08x)", i, len(want), got[i], math.Float32bits(got[i]), v, math.Float32bits(v))
		}
	}
	return nil
}

// kinds are the kinds of values that are drawn.
var kinds = []struct {
	name string
	draw func(r *rand.Rand) float32
}{
	{"normal", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	{"wide", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 40) }},
	{"large", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 1e37) }},
	{"small", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 1e-38) }},
	// Units of the smallest float32: scales are 0 or denormal, and units exceed int8.
	{"denormal", func(r *rand.Rand) float32 {
		return math.Float32frombits(uint32(r.IntN(200)) | uint32(r.IntN(2))<<31)
	}},
	// With 127 in the group, its scale is 1: halves, and their neighbours.
	{"halves", func(r *rand.Rand) float32 {
		v := float32(r.IntN(128))
		if v != 127 && r.IntN(4) > 0 {
			v += 0.5
			v = math.Nextafter32(v, v+float32(r.IntN(3)-1))
		}
		return float32(math.Copysign(float64(v), float64(r.IntN(2))-0.5))
	}},
	{"zeros", func(r *rand.Rand) float32 { return float32(math.Copysign(0, float64(r.IntN(2))-0.5)) }},
	{"bits", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) }},
	{"special", func(r *rand.Rand) float32 { return special[r.IntN(len(special))] }},
}

var special = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 0.49999997, -0.49999997, 89, 88.72284, 88.8, 89.00001, -104, -103.9,
	-87.4, -104.1, 1e-45, -1e-45, math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

// values draws n values of one kind; now and then one of them is special.
func values(r *rand.Rand, n int) []float32 {
	kind := kinds[r.IntN(len(kinds))]
	v := make([]float32, n)
	for i := range v {
		v[i] = kind.draw(r)
	}
	if n > 0 && r.IntN(4) == 0 {
		v[r.IntN(n)] = special[r.IntN(len(special))]
	}
	return v
}

// lengths are all from 0 to 300, and some of real models.
func lengths() []int {
	var ns []int
	for n := range 301 {
		ns = append(ns, n)
	}
	return append(ns, 512, 768, 1023, 2048, 5632, 32000)
}

// offset draws where a slice starts: 0 to 15 values behind the start of the memory, or -1, so
// that it ends with the memory.
func offset(r *rand.Rand) int {
	if r.IntN(3) == 0 {
		return -1
	}
	return r.IntN(16)
}

// eachKernel runs f for every set of kernels but the twin's, with the same seed.
func eachKernel(t *testing.T, f func(t *testing.T, k *Kernels, r *rand.Rand)) {
	if len(All()) == 1 {
		t.Skip("this processor has no kernels")
	}
	for _, k := range All()[1:] {
		t.Run(k.Name, func(t *testing.T) { f(t, k, rand.New(rand.NewPCG(1, 2))) })
	}
}

const most = 4*32000 + 8<<10 // bytes of the longest slice and of the largest offset

func TestRMSNorm(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		mo, mx, mw := newMemory(t, most), newMemory(t, most), newMemory(t, most)
		for round := range 4 {
			for _, n := range lengths() {
				x, w := values(r, n), values(r, n)
				want := make([]float32, n)
				epsilon := []float32{1e-5, 1e-6, 0, 1}[r.IntN(4)]
				rmsNorm(want, x, w, epsilon)
				o, got, weight := filled(mo, want, offset(r)), filled(mx, x, offset(r)), filled(mw, w, offset(r))
				clear(o)
				if round%2 == 0 {
					o = got // o may be x
				}
				k.RMSNorm(o, got, weight, epsilon)
				if err := same(o, want); err != nil {
					t.Fatalf("epsilon %g: %v", epsilon, err)
				}
				if unchanged(t, "weight", weight, w); round%2 != 0 {
					unchanged(t, "x", got, x)
				}
				check(t, mo, mx, mw)
			}
		}
	})
}

// TestRMSNormByHand: the mean square of (1, -1, 1) is 1, and 1 / sqrt(1 + 3) is 1/2.
func TestRMSNormByHand(t *testing.T) {
	for _, k := range All() {
		x := []float32{1, -1, 1}
		k.RMSNorm(x, x, []float32{1, 2, 4}, 3)
		if want := []float32{0.5, -1, 2}; !slices.Equal(x, want) {
			t.Errorf("%s: %v, want %v", k.Name, x, want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		m := newMemory(t, most)
		for range 8 {
			for _, n := range lengths() {
				x := values(r, n)
				divisor := []float32{1, 0.9, 8, float32(math.Sqrt(48)), 1e-3, 1e30, -2}[r.IntN(7)]
				got := filled(m, x, offset(r))
				k.Softmax(got, divisor)
				if n > 0 {
					softmax(x, divisor)
				}
				if err := same(got, x); err != nil {
					t.Fatalf("divisor %g: %v", divisor, err)
				}
				check(t, m)
			}
		}
	})
}

func TestSwiGLU(t *testing.T) { testPair(t, (*Kernels).SwiGLU, swiGLU) }

func TestAdd(t *testing.T) { testPair(t, (*Kernels).Add, add) }

// testPair compares a kernel that changes x, with y of the same length, with its twin.
func testPair(t *testing.T, kernel func(k *Kernels, x, y []float32), twin func(x, y []float32)) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		mx, my := newMemory(t, most), newMemory(t, most)
		for range 8 {
			for _, n := range lengths() {
				x, y := values(r, n), values(r, n)
				got, other := filled(mx, x, offset(r)), filled(my, y, offset(r))
				kernel(k, got, other)
				twin(x, y)
				if err := same(got, x); err != nil {
					t.Fatal(err)
				}
				unchanged(t, "y", other, y)
				check(t, mx, my)
			}
		}
	})
}

func TestRotate(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		mv, mc, ms := newMemory(t, most), newMemory(t, most), newMemory(t, most)
		for size := 2; size <= 160; size += 2 {
			for heads := range 9 {
				vec := values(r, heads*size)
				c, s := values(r, size/2), values(r, size/2)
				if r.IntN(2) == 0 {
					for i := range c {
						sin, cos := math.Sincos(r.Float64() * 7)
						c[i], s[i] = float32(cos), float32(sin)
					}
				}
				got, cos, sin := filled(mv, vec, offset(r)), filled(mc, c, offset(r)), filled(ms, s, offset(r))
				k.Rotate(got, cos, sin)
				want := slices.Clone(vec)
				rotate(want, c, s)
				if err := same(got, want); err != nil {
					t.Fatalf("%d heads of %d: %v", heads, size, err)
				}
				unchanged(t, "cos", cos, c)
				unchanged(t, "sin", sin, s)
				check(t, mv, mc, ms)

				// The same pairs, with the first values of a head's pairs before the second.
				got, cos, sin = filled(mv, halves(vec, size), offset(r)), filled(mc, c, offset(r)), filled(ms, s, offset(r))
				k.RotateHalves(got, cos, sin)
				if err := same(got, halves(want, size)); err != nil {
					t.Fatalf("%d heads of %d, halves: %v", heads, size, err)
				}
				unchanged(t, "cos", cos, c)
				unchanged(t, "sin", sin, s)
				check(t, mv, mc, ms)
			}
		}
	})
}

// halves returns vec (heads, head_size/2, 2) as (heads, 2, head_size/2).
func halves(vec []float32, headSize int) []float32 {
	v := make([]float32, len(vec))
	for i := range vec {
		head, pair, second := i/headSize, i%headSize/2, i%2
		v[head*headSize+second*headSize/2+pair] = vec[i]
	}
	return v
}

func TestQuantize(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		mq, mg, mx := newMemory(t, most), newMemory(t, most), newMemory(t, most)
		for group := 1; group <= 160; group++ {
			for groups := range 5 {
				for range 4 {
					quantizeOnce(t, k, r, mq, mg, mx, group, groups)
				}
			}
		}
		for _, group := range []int{8, 32, 64, 256} {
			for range 16 {
				quantizeOnce(t, k, r, mq, mg, mx, group, 5632/group)
			}
		}
	})
}

func quantizeOnce(t *testing.T, k *Kernels, r *rand.Rand, mq, mg, mx *memory, group, groups int) {
	t.Helper()
	var x []float32
	for range groups {
		x = append(x, values(r, group)...) // each group of its kind
	}
	want, wantGroups := make([]int8, groups*Padded(group)), make([]Group, groups)
	quantize(want, wantGroups, x, group)
	q, g, got := filled(mq, make([]int8, len(want)), offset(r)), filled(mg, make([]Group, groups), offset(r)), filled(mx, x, offset(r))
	for i := range q {
		q[i] = 1 // the kernel must clear the padding
	}
	k.Quantize(q, g, got, group)
	unchanged(t, "x", got, x)
	for i, v := range want {
		if q[i] != v {
			p := Padded(group)
			t.Fatalf("groups of %d: value %d of group %d is %d, the twin's %d; scale %g", group, i%p, i/p, q[i], v, wantGroups[i/p].Scale)
		}
	}
	for i, v := range wantGroups {
		if err := same([]float32{g[i].Scale}, []float32{v.Scale}); err != nil {
			t.Fatalf("groups of %d: scale: %v", group, err)
		}
		if g[i].Bias != v.Bias {
			t.Fatalf("groups of %d: bias %d, the twin's %d", group, g[i].Bias, v.Bias)
		}
	}
	check(t, mq, mg, mx)
}

// TestQuantizeRounds rounds numbers up to 127 with a scale of 1: all float32 near halves, and
// a sample of the others.
func TestQuantizeRounds(t *testing.T) {
	const group = 1 << 16
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		x := make([]float32, 0, group)
		q, g, want, wantGroup := make([]int8, group), make([]Group, 1), make([]int8, group), make([]Group, 1)
		flush := func() {
			x = append(x, make([]float32, group-len(x))...)
			x[0] = 127
			k.Quantize(q, g, x, group)
			quantize(want, wantGroup, x, group)
			if g[0] != wantGroup[0] || g[0].Scale != 1 {
				t.Fatalf("group %v, the twin's %v", g[0], wantGroup[0])
			}
			for i, v := range want {
				if q[i] != v {
					t.Fatalf("%g (%#08x) is rounded to %d, by the twin to %d", x[i], math.Float32bits(x[i]), q[i], v)
				}
			}
			x = x[:1]
		}
		x = x[:1]
		put := func(v float32) {
			if x = append(x, v, -v); len(x) >= group-1 {
				flush()
			}
		}
		for half := float32(0.5); half < 127; half++ {
			for b := math.Float32bits(half) - 1000; b <= math.Float32bits(half)+1000; b++ {
				put(math.Float32frombits(b))
			}
		}
		for b := uint32(0); b <= math.Float32bits(127); b += 997 {
			put(math.Float32frombits(b))
		}
		flush()
	})
}

func TestRead(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernels, r *rand.Rand) {
		m := newMemory(t, most)
		for n := range 2100 {
			want := make([]byte, n)
			for i := range want {
				want[i] = byte(r.Uint32())
			}
			b := filled(m, want, offset(r))
			if got, w := k.Read(b), read(want); got != w {
				t.Fatalf("%d bytes: %#x, the twin's %#x", n, got, w)
			}
			unchanged(t, "what it reads", b, want)
			check(t, m)
		}
	})
}

func check(t *testing.T, ms ...*memory) {
	t.Helper()
	for _, m := range ms {
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemory: check finds a byte that was written before or behind a slice.
func TestMemory(t *testing.T) {
	m := newMemory(t, 1<<12)
	for _, i := range []int{-1, 3} {
		m.take(3, 5)
		m.bytes[5+i]++
		if m.check() == nil {
			t.Errorf("byte %d of 3 was written, and not noticed", i)
		}
	}
	if m.take(3, 5); m.check() != nil {
		t.Error("a change is noticed again")
	}
}

func BenchmarkVector(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{64, 288, 768, 2048, 5632} {
		x, y, z, src := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range src {
			src[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64()*1e-3)
		}
		raw := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*n)
		const group = 32
		q, g := make([]int8, n), make([]Group, n/group)
		cos, sin := slices.Repeat([]float32{0.6}, 16), slices.Repeat([]float32{0.8}, 16)
		for _, c := range []struct {
			name  string
			bytes int // read and written
			f     func(k *Kernels)
		}{
			{"rmsNorm", 12 * n, func(k *Kernels) { k.RMSNorm(z, src, y, 1e-5) }},
			{"softmax", 8 * n, func(k *Kernels) { copy(x, src); k.Softmax(x, 1.5) }},
			{"swiGLU", 12 * n, func(k *Kernels) { copy(x, src); k.SwiGLU(x, y) }},
			{"rotate", 8 * n, func(k *Kernels) { k.Rotate(x, cos, sin) }},
			{"rotateHalves", 8 * n, func(k *Kernels) { k.RotateHalves(x, cos, sin) }},
			{"quantize", 5 * n, func(k *Kernels) { k.Quantize(q, g, src, group) }},
			{"add", 12 * n, func(k *Kernels) { k.Add(x, y) }},
			{"read", 4 * n, func(k *Kernels) { k.Read(raw) }},
		} {
			for _, k := range All() {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, k.Name, n), func(b *testing.B) {
					copy(x, src)
					b.SetBytes(int64(c.bytes))
					for b.Loop() {
						c.f(k)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/value")
				})
			}
		}
	}
}
