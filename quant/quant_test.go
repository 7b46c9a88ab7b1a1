package quant

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// golden is some blocks of a type and the SHA-256 of the float32 that llama.cpp v0.5.0 makes of
// them. The blocks are random, so that every bit of a format is in use.
type golden struct {
	Type   string
	Blocks []byte
	SHA256 string
}

func goldens(t *testing.T) (gs []golden) {
	b, err := os.ReadFile("testdata/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &gs); err != nil {
		t.Fatal(err)
	}
	return gs
}

// TestDequantize: the bits of llama.cpp, for every type.
func TestDequantize(t *testing.T) {
	gs := goldens(t)
	if len(gs) != len(Types) {
		t.Errorf("goldens of %d types, of %d", len(gs), len(Types))
	}
	for i, g := range gs {
		typ := Types[i]
		if typ.String() != g.Type {
			t.Fatalf("golden %d is of %s, want %v", i, g.Type, typ)
		}
		values, size := typ.Block()
		dst := make([]float32, len(g.Blocks)/size*values)
		typ.Dequantize(dst, g.Blocks)
		var out bytes.Buffer
		binary.Write(&out, binary.LittleEndian, dst)
		if got := fmt.Sprintf("%x", sha256.Sum256(out.Bytes())); got != g.SHA256 {
			t.Errorf("%v: %v...", typ, dst[:8])
		}
	}
}

// TestUnpack: Unpack writes all that a block has, whatever was there, reads nothing beyond it,
// and keeps to the bounds that Block names.
func TestUnpack(t *testing.T) {
	for _, g := range goldens(t) {
		var typ Type
		for _, typ = range Types {
			if typ.String() == g.Type {
				break
			}
		}
		if !typ.Quantised() {
			continue
		}
		values, size := typ.Block()
		for at := 0; at < len(g.Blocks); at += size {
			src := g.Blocks[at:][:size:size]
			var clean, dirty Block
			for i := range dirty.Values {
				dirty.Values[i] = 77
			}
			for i := range dirty.Scales {
				dirty.Scales[i], dirty.Mins[i] = 77, 77
			}
			dirty.DMin = 77
			typ.Unpack(&clean, src)
			typ.Unpack(&dirty, src)
			if clean.Group != typ.Group() {
				t.Fatalf("%v: Group is %d, Unpack says %d", typ, typ.Group(), clean.Group)
			}
			for i := range values {
				if clean.Value(i) != dirty.Value(i) {
					t.Fatalf("%v: value %d is %v or %v", typ, i, clean.Value(i), dirty.Value(i))
				}
			}
			for i := range values / clean.Group {
				if clean.Scales[i] < -128 || clean.Scales[i] > 127 || clean.Mins[i] < 0 || clean.Mins[i] > 63 || clean.Mins[i] != 0 && !typ.HasMins() {
					t.Fatalf("%v: scale %d, minimum %d", typ, clean.Scales[i], clean.Mins[i])
				}
			}
		}
	}
}

// TestFloat16 compares all halves with their value by definition.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		got, exponent, fraction := Float16(uint16(h)), h>>10&31, float64(h&0x3ff)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if h>>15 == 1 {
			want = -want
		}
		if w := float32(want); math.Float32bits(got) != math.Float32bits(w) && !(got != got && w != w) {
			t.Fatalf("%#04x is %v, want %v", h, got, w)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, typ := range []Type{4, 5, 9, 16, 31, 39, 1 << 31, math.MaxUint32} {
		if values, size := typ.Block(); values != 0 || size != 0 || typ.Quantised() || typ.Group() != 0 {
			t.Errorf("type %d: %d values in %d bytes", typ, values, size)
		}
	}
	if s := Type(31).String(); s != "type 31" {
		t.Error(s)
	}
	if F32.Quantised() || BF16.Group() != 0 || !Q4_0.Quantised() || Q2_K.Group() != 16 {
		t.Error("Quantised or Group")
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, typ := range Types {
		if !typ.Quantised() {
			continue
		}
		b.Run(typ.String(), func(b *testing.B) {
			values, size := typ.Block()
			src := make([]byte, size)
			b.SetBytes(int64(size))
			var block Block
			for range b.N {
				typ.Unpack(&block, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(values), "ns/value")
		})
	}
}
