//go:build !linux

package simd

import "testing"

// guarded returns size bytes. Only Linux guards them.
func guarded(t testing.TB, size int) []byte { return make([]byte, size) }
