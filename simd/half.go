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
	const least, most = 113 << 23, 143 << 23 // 2**-14, which is normal, and 65536, which is too large
	switch {
	case u-least < most-least: // rounding carries into the exponent, to infinity where it has to
		return sign | uint16((u+0xfff+u>>13&1-112<<23)>>13)
	case u < least: // a multiple of 2**-24: adding 0.5 rounds to these
		return sign | uint16(math.Float32bits(math.Float32frombits(u)+0.5)-math.Float32bits(0.5))
	case u <= 255<<23:
		return sign | 0x7c00
	}
	return sign | 0x7e00 | uint16(u>>13&0x3ff) // not a number
}
