//go:build !amd64

package simd

// machine returns nothing: there are no kernels for this processor yet.
func machine() []*Kernels { return nil }
