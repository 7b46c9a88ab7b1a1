//go:build !amd64

package simd

// machine returns nothing: there are no kernels for this processor yet.
func machine() []*Kernels { return nil }

func (k *Kernels) f32(out, x, w *float32, n int) { tileF32(out, x, w, n) }

func (k *Kernels) f16(out, x *float32, w *uint16, n int) { tileF16(out, x, w, n) }

func (k *Kernels) int8(out *float32, x *int8, g *Group, w *uint8, groups, quads int) {
	tileInt8(out, x, g, w, groups, quads)
}
