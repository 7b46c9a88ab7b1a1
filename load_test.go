package llama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"testing/iotest"

	"bootllama/quant"
	"bootllama/simd"
)

// TestBadDescription: what the reader of a format says of a file must fit together before
// anything is read or allocated.
func TestBadDescription(t *testing.T) {
	c := shape(8, 12, 2, 2, 1, 30, 6)
	find := func(h *Header, weight string, layer int) *Tensor {
		for i := range h.Tensors {
			if x := &h.Tensors[i]; x.Weight == weight && x.Layer == layer {
				return x
			}
		}
		t.Fatalf("no %s", weight)
		return nil
	}
	for _, x := range []struct {
		name  string
		group int
		spoil func(h *Header)
		want  string // parts, separated by |
	}{
		{"unknown weight", 0, func(h *Header) { find(h, "wk", 0).Weight = "wz" }, "plain: offset |wk of layer 0|has no wz"},
		{"bias without the flag", 0, func(h *Header) { find(h, "wk", 0).Weight = "bk" }, "has no bk"},
		{"rows", 0, func(h *Header) { find(h, "wk", 0).Rows = 5 }, "wk of layer 0: (5, 8) in layer 0|(4, 8) in 2 layers"},
		{"columns", 0, func(h *Header) { find(h, "wk", 0).Columns = 9 }, "(4, 9) in layer 0"},
		{"bytes", 0, func(h *Header) { h.Tensors[len(h.Tensors)-1].Bytes-- }, "wcls of layer 0: 959 bytes|960"},
		{"layer", 0, func(h *Header) { find(h, "wk", 1).Layer = 2 }, "(4, 8) in layer 2"},
		{"negative layer", 0, func(h *Header) { find(h, "wk", 1).Layer = -1 }, "in layer -1"},
		{"twice", 0, func(h *Header) { find(h, "wk", 1).Layer = 0 }, "wk of layer 0: (4, 8) in layer 0|2 layers, each once"},
		{"missing", 0, func(h *Header) { find(h, "wk", 1).Weight = "" }, "plain: there is no wk for layer 1"},
		{"overlap", 0, func(h *Header) { find(h, "wk", 1).Offset-- }, "wk of layer 1: 128 bytes at 1535, where|128 at 1536"},
		{"int8 vector", 4, func(h *Header) { x := find(h, "rms_att_weight", 0); x.Type, x.Group = Int8, 4 }, "rms_att_weight of layer 0: groups of 4"},
		{"int8 and not used", 4, func(h *Header) { find(h, "wk", 1).Weight = "" }, "wk of layer 1: groups of 4"},
		{"no group", 4, func(h *Header) { find(h, "wk", 1).Group = 0 }, "wk of layer 1: groups of 0"},
		{"no groups", 4, func(h *Header) {
			for i := range h.Tensors {
				h.Tensors[i].Group = 0
			}
		}, "groups of 0 values, where 0 can be"},
		{"two groups", 4, func(h *Header) { find(h, "wk", 1).Group = 2 }, "groups of 2 values, where 4 can be"},
		{"group beyond a row", 4, func(h *Header) {
			for i := range h.Tensors {
				if h.Tensors[i].Type == Int8 {
					h.Tensors[i].Group = 16
				}
			}
		}, "groups of 16"},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := plainHeader(c, x.group)
			file := randomWeights(h.Tensors)
			if _, err := Load(bytes.NewReader(file), h, nil); err != nil {
				t.Fatal(err)
			}
			x.spoil(&h)
			_, err := Load(bytes.NewReader(file), h, nil)
			wantError(t, err, x.want)
		})
	}
}

// TestNoTensors: a description of nothing is an error.
func TestNoTensors(t *testing.T) {
	_, err := Load(bytes.NewReader(nil), Header{Name: "m", Config: tinyConfig}, nil)
	wantError(t, err, "m: there is no token_embedding_table for layer 0")
}

// banded returns a model whose embedding has several bands of values, and of scales if group is not 0.
func banded(group int) Header {
	c := Config{Dim: 64, HiddenDim: 64, NLayers: 1, NHeads: 1, NKVHeads: 1, VocabSize: 9001, SeqLen: 4}.Llama2()
	return plainHeader(c, group)
}

// straddling returns an int8 model whose groups straddle the rows of w2, which has several bands of values.
func straddling() Header {
	c := shape(4096, 172, 1, 1, 1, 35, 4)
	c.HeadSize = 8 // so that the matrices of attention are small
	return plainHeader(c, 8)
}

// TestBands: every number of every row is where the model finds it, with its scale, in tensors that are read in several
// bands of values and of scales.
func TestBands(t *testing.T) {
	for name, h := range map[string]Header{"float32": banded(0), "int8": banded(4), "two groups a row": banded(32), "straddling": straddling()} {
		t.Run(name, func(t *testing.T) {
			file := randomWeights(h.Tensors)
			c, err := Load(bytes.NewReader(file), h, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			bands, arrays := 0, c.Config.arrays(&c.Weights)
			for _, x := range h.Tensors {
				a := arrays[slices.IndexFunc(arrays, func(a array) bool { return a.name == x.Weight })]
				if a.vectors != nil {
					continue // TestTensors
				}
				bands = max(bands, (x.Rows+x.BandRows(false)-1)/x.BandRows(false))
				m, b := a.matrix(x.Layer), file[x.Offset-h.Tensors[0].Offset:]
				want, got := plainTensor{group: x.Group}, make([]float32, m.Columns)
				if x.Type == Float32 {
					want.f32 = numbers[float32](b, x.Rows*x.Columns)
				} else {
					want.q, want.s = numbers[int8](b, x.Rows*x.Columns), numbers[float32](b[x.Rows*x.Columns:], x.Rows*x.Columns/x.Group)
				}
				for r := range x.Rows {
					m.row(got, r)
					for i, v := range got {
						w := want.f32
						if w == nil { // runq.c's matmul: the scale of a group is that of its first value
							first := r*x.Columns + i/x.Group*x.Group
							w = []float32{float32(want.q[r*x.Columns+i]) * want.s[first/x.Group]}
						} else {
							w = w[r*x.Columns+i:]
						}
						if v != w[0] {
							t.Fatalf("%s: row %d of %d, column %d is %g, the file has %g", x.Name, r, x.Rows, i, v, w[0])
						}
					}
				}
			}
			if bands < 3 {
				t.Errorf("%d bands: nothing is tested", bands)
			}
		})
	}
}

// numbers reads n numbers of a file.
func numbers[T any](b []byte, n int) []T {
	v := make([]T, n)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, v); err != nil {
		panic(err)
	}
	return v
}

// TestDamaged: a number that is not finite is found at its offset, wherever in a tile or a band it is, and of several
// the first.
func TestDamaged(t *testing.T) {
	for _, group := range []int{0, 4} {
		h := banded(group)
		c := h.Config
		clean := randomWeights(h.Tensors)
		check := func(want int64, name string, at ...int64) {
			t.Helper()
			b := bytes.Clone(clean)
			for i, at := range at {
				binary.LittleEndian.PutUint32(b[at:], math.Float32bits(float32(math.Inf(1-2*(i%2)))))
			}
			_, err := Load(bytes.NewReader(b), h, nil)
			wantError(t, err, fmt.Sprintf("plain: offset %d: %s|Inf is not a weight: the file is damaged", want, name))
		}
		for _, x := range h.Tensors {
			numbers, first := int64(x.Rows*x.Columns), x.Offset // of float32
			if x.Type == Int8 {
				numbers, first = numbers/int64(group), x.Offset+numbers
			}
			tile := int64(simd.TileF32 * x.Columns)
			band := int64(x.BandRows(x.Type == Int8) * x.Columns)
			if x.Type == Int8 {
				tile, band = tile/int64(group), band/int64(group)
			}
			for _, i := range []int64{0, 1, tile - 1, tile, band - 1, band, 2*band + 1, numbers - 1} {
				if i < numbers {
					check(first+4*i, x.Name, first+4*i)
				}
			}
			if x.Rows == c.VocabSize { // several bands at the same time on several processors
				check(first+4*(band-1), x.Name, first+4*(2*band), first+4*(band-1), first+4*band)
			}
		}
	}
}

// TestReaderFails: when reading fails, wherever it does, that is the error, and there is no model.
func TestReaderFails(t *testing.T) {
	broken := errors.New("bad sector")
	for _, h := range []llama2c{{config: tinyConfig}, {version: 2, config: tinyConfig, groupSize: 1}} {
		file := modelBytes(h)
		for n := range file {
			r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
			if c, err := ReadCheckpoint(r, int64(len(file)), "m", nil); c != nil || !errors.Is(err, broken) {
				t.Fatalf("version %d, %d of %d bytes: %v, %v", h.version, n, len(file), c, err)
			}
			r = io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
			if _, err := ReadHeader(r, int64(len(file)), "m"); int64(n) < h.size() && !errors.Is(err, broken) || int64(n) >= h.size() && err != nil {
				t.Fatalf("version %d, header, %d of %d bytes: %v", h.version, n, len(file), err)
			}
		}
	}
	file := tokenizerBytes(300)
	for n := range file {
		if tok, err := ReadTokenizer(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)), int64(len(file)), "t", 300); tok != nil || !errors.Is(err, broken) {
			t.Fatalf("tokenizer, %d of %d bytes: %v, %v", n, len(file), tok, err)
		}
	}
}

// TestDamagedBlocks: a float that is not finite is found in every type, wherever it stands.
func TestDamagedBlocks(t *testing.T) {
	for _, typ := range quant.Types {
		h := plainHeader(mixedConfig, 0).ofTypes(typ)
		file := randomWeights(h.Tensors)
		x := h.Tensors[slices.IndexFunc(h.Tensors, func(x Tensor) bool { return x.Weight == "w2" })]
		_, size := typ.Block()
		for _, f := range floatsOf(typ) {
			at := int(x.Offset) + 37*size + f // of a block that is neither the first nor the last
			infinity := []byte{0x00, 0xfc}
			switch typ {
			case quant.F32:
				infinity = []byte{0, 0, 0x80, 0xff}
			case quant.BF16:
				infinity = []byte{0x80, 0xff}
			}
			damaged := slices.Clone(file)
			copy(damaged[at:], infinity)
			_, err := Load(bytes.NewReader(damaged), h, nil)
			wantError(t, err, fmt.Sprintf("plain: offset %d: %s: -Inf is not a weight", at, x.Name))
		}
	}
}
