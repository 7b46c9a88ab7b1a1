package simd

import (
	"encoding/binary"
	"math"

	"bootllama/quant"
)

// half returns the value of an IEEE 754 half (binary16).
func half(b []byte) float32 { return quant.Float16(binary.LittleEndian.Uint16(b)) }

// toHalf returns the half that is nearest to x, the even one of two.
func toHalf(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, u := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case u > 0x7f800000: // not a number
		return sign | 0x7e00 | uint16(u>>13&0x3ff)
	case u >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case u < 0x38800000: // less than 2**-14: a multiple of 2**-24. Adding 0.5 rounds to these
		return sign | uint16(math.Float32bits(math.Float32frombits(u)+0.5)-math.Float32bits(0.5))
	}
	u += 0xfff + u>>13&1 // carries into the exponent, and to infinity, where it has to
	return sign | uint16((u-(127-15)<<23)>>13)
}
