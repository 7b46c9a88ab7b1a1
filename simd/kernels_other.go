//go:build !amd64

package simd

// machine returns nothing: there are no kernels for this processor yet.
func machine() []*Kernels { return nil }

func (k *Kernels) f32(out, x, w *float32, n int) { tileF32(out, x, w, n) }

func (k *Kernels) f16(out, x *float32, w *uint16, n int) { tileF16(out, x, w, n) }

func (k *Kernels) int8(out *float32, x *int8, g *Group, w *uint8, groups, quads int) {
	tileInt8(out, x, g, w, groups, quads)
}

func (k *Kernels) unpack(bits int, to *uint8, gap int, from *uint8, add uint8) {
	unpack(bits, to, gap, from, add)
}

func (k *Kernels) scales16(to, d *float32, integers *uint8, unsigned bool) {
	scales16(to, d, integers, unsigned)
}

func (k *Kernels) halves16(to *float32, from *uint8) { halves16(to, from) }
