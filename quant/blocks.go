package quant

import "encoding/binary"

// One function a type, which is the specification of its layout. "Nibbles split" says that the
// low nibbles of 16 bytes are values 0 to 15 and the high ones 16 to 31.

// unit makes b a block of 32 values with one scale, d.
func (b *Block) unit(d float32) {
	b.Group, b.D, b.DMin, b.Scales[0], b.Mins[0] = 32, d, 0, 1, 0
}

// minimum gives a block of 32 values the minimum m: D*q + m, which is D*q - (-m)*1.
func (b *Block) minimum(m float32) { b.DMin, b.Mins[0] = -m, 1 }

// unpackQ8_0: d, 32 int8 q: d*q.
func unpackQ8_0(b *Block, src []byte) {
	b.unit(half(src))
	for i, q := range src[2:34] {
		b.Values[i] = int8(q)
	}
}

// unpackQ4_0: d, 16 bytes of 4 bits q, nibbles split: d*(q-8).
func unpackQ4_0(b *Block, src []byte) {
	b.unit(half(src))
	for i, q := range src[2:18] {
		b.Values[i], b.Values[i+16] = int8(q&15)-8, int8(q>>4)-8
	}
}

// unpackQ4_1: d, m, 16 bytes of 4 bits q, nibbles split: d*q + m.
func unpackQ4_1(b *Block, src []byte) {
	b.unit(half(src))
	b.minimum(half(src[2:]))
	for i, q := range src[4:20] {
		b.Values[i], b.Values[i+16] = int8(q&15), int8(q>>4)
	}
}

// unpackQ5_0: d, uint32 h, 16 bytes of the low 4 bits of q, nibbles split; bit i of h is the
// fifth bit of value i: d*(q-16).
func unpackQ5_0(b *Block, src []byte) {
	b.unit(half(src))
	h := binary.LittleEndian.Uint32(src[2:])
	for i, q := range src[6:22] {
		b.Values[i] = int8(q&15|byte(h>>i&1)<<4) - 16
		b.Values[i+16] = int8(q>>4|byte(h>>(i+16)&1)<<4) - 16
	}
}

// unpackQ5_1: d, m, uint32 h, 16 bytes as Q5_0: d*q + m.
func unpackQ5_1(b *Block, src []byte) {
	b.unit(half(src))
	b.minimum(half(src[2:]))
	h := binary.LittleEndian.Uint32(src[4:])
	for i, q := range src[8:24] {
		b.Values[i] = int8(q&15 | byte(h>>i&1)<<4)
		b.Values[i+16] = int8(q>>4 | byte(h>>(i+16)&1)<<4)
	}
}

// unpackQ2_K: 16 bytes, each the scale (low nibble) and the minimum (high nibble) of 16 values;
// 64 bytes of 2 bits q; d; dmin. In each half of 128 values, byte l of 32 has values l, l+32,
// l+64 and l+96 from the low bits up: d*scale*q - dmin*min.
func unpackQ2_K(b *Block, src []byte) {
	b.Group, b.D, b.DMin = 16, half(src[80:]), half(src[82:])
	for i, s := range src[:16] {
		b.Scales[i], b.Mins[i] = int16(s&15), int16(s>>4)
	}
	b.twoBits(src[16:80])
}

// twoBits sets the values to the 64 bytes of 2 bits of Q2_K and Q3_K.
func (b *Block) twoBits(src []byte) {
	for i, q := range src[:64] {
		v := b.Values[i/32*128+i%32:][:97]
		v[0], v[32], v[64], v[96] = int8(q&3), int8(q>>2&3), int8(q>>4&3), int8(q>>6)
	}
}

// unpackQ3_K: 32 bytes of high bits: bit i/32 of byte i%32 belongs to value i, and 4 is taken
// off where it is clear; 64 bytes of the low 2 bits as in Q2_K; 12 bytes of 16 scales of 6 bits;
// d. The low 4 bits of scale k are in byte k%8, low nibbles first, its high 2 in byte 8+k%4 from
// bit 2*(k/4) on: d*(scale-32)*q.
func unpackQ3_K(b *Block, src []byte) {
	high, s := src[:32], src[96:108]
	b.Group, b.D, b.DMin = 16, half(src[108:]), 0
	for k := range b.Scales {
		b.Scales[k] = int16(s[k%8]>>(k/8*4)&15|s[8+k%4]>>(k/4*2)&3<<4) - 32
	}
	b.Mins = [16]int16{}
	b.twoBits(src[32:96])
	for i := range b.Values {
		b.Values[i] -= int8(^high[i%32]>>(i/32)&1) << 2
	}
}

// scalesAndMins reads the 12 bytes s of Q4_K and Q5_K: 8 scales and 8 minima of 6 bits, each of
// 32 values. The first four of both are the low 6 bits of s[0:4] and s[4:8]; the other four have
// their low 4 bits in s[8:12], scales in the low nibbles, and their high 2 in the top of s[0:4]
// and s[4:8].
func (b *Block) scalesAndMins(s []byte) {
	for k := range 4 {
		low, scale, minimum := s[8+k], s[k], s[4+k]
		b.Scales[k], b.Mins[k] = int16(scale&63), int16(minimum&63)
		b.Scales[4+k], b.Mins[4+k] = int16(low&15|scale>>6<<4), int16(low>>4|minimum>>6<<4)
	}
}

// fourBits sets the values to the 128 bytes of 4 bits of Q4_K and Q5_K: the low nibbles of 32
// bytes are 32 values, the high ones the next 32.
func (b *Block) fourBits(src []byte) {
	for i, q := range src[:128] {
		v := b.Values[i/32*64+i%32:][:33]
		v[0], v[32] = int8(q&15), int8(q>>4)
	}
}

// unpackQ4_K: d; dmin; 12 bytes of scales and minima; 128 bytes of 4 bits q:
// d*scale*q - dmin*min.
func unpackQ4_K(b *Block, src []byte) {
	b.Group, b.D, b.DMin = 32, half(src), half(src[2:])
	b.scalesAndMins(src[4:16])
	b.fourBits(src[16:144])
}

// unpackQ5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles: bit i/32 of byte i%32
// belongs to value i.
func unpackQ5_K(b *Block, src []byte) {
	b.Group, b.D, b.DMin = 32, half(src), half(src[2:])
	b.scalesAndMins(src[4:16])
	b.fourBits(src[48:176])
	high := src[16:48]
	for i := range b.Values {
		b.Values[i] |= int8(high[i%32]>>(i/32)&1) << 4
	}
}

// unpackQ6_K: 128 bytes of the low 4 bits of q, 64 of the high 2, 16 int8 scales, d. In each
// half of 128 values, bytes l and l+32 of 64 have the low bits of values l and l+32 in their low
// nibbles and of l+64 and l+96 in their high ones; byte l of 32 has the high bits of l, l+32,
// l+64 and l+96 from the low bits up: d*scale*(q-32).
func unpackQ6_K(b *Block, src []byte) {
	b.Group, b.D, b.DMin = 16, half(src[208:]), 0
	for i, s := range src[192:208] {
		b.Scales[i] = int16(int8(s))
	}
	b.Mins = [16]int16{}
	for i, high := range src[128:192] {
		low, v := src[i/32*64+i%32:][:33], b.Values[i/32*128+i%32:][:97]
		v[0] = int8(low[0]&15|high&3<<4) - 32
		v[32] = int8(low[32]&15|high>>2&3<<4) - 32
		v[64] = int8(low[0]>>4|high>>4&3<<4) - 32
		v[96] = int8(low[32]>>4|high>>6<<4) - 32
	}
}

// iq4 is what the 4 bits of IQ4_NL and IQ4_XS stand for (kvalues_iq4nl in ggml-common.h).
var iq4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// unpackIQ4_NL: d, 16 bytes of 4 bits q, nibbles split: d*iq4[q].
func unpackIQ4_NL(b *Block, src []byte) {
	b.unit(half(src))
	for i, q := range src[2:18] {
		b.Values[i], b.Values[i+16] = iq4[q&15], iq4[q>>4]
	}
}

// unpackIQ4_XS: d; uint16 with the high 2 bits of 8 scales; 4 bytes with their low 4 bits, low
// nibbles first; 8 times 16 bytes of 4 bits q, nibbles split: d*(scale-32)*iq4[q].
func unpackIQ4_XS(b *Block, src []byte) {
	b.Group, b.D, b.DMin = 32, half(src), 0
	high := binary.LittleEndian.Uint16(src[2:])
	for k := range 8 {
		b.Scales[k] = int16(src[4+k/2]>>(k%2*4)&15) | int16(high>>(2*k)&3)<<4 - 32
		b.Mins[k] = 0
	}
	for i, q := range src[8:136] {
		v := b.Values[i/16*32+i%16:][:17]
		v[0], v[16] = iq4[q&15], iq4[q>>4]
	}
}
