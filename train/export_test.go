package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"bootllama"
	"bootllama/internal/randommodel"
	"bootllama/simd"
)

// exportShapes have one and several query heads for a head of keys, and widths with and without a factor 64.
var exportShapes = []llama.Config{
	{Dim: 64, HiddenDim: 192, NLayers: 2, NHeads: 4, NKVHeads: 2, VocabSize: 71, SeqLen: 16},
	{Dim: 24, HiddenDim: 44, NLayers: 3, NHeads: 3, NKVHeads: 3, VocabSize: 5, SeqLen: 7},
}

// randomParameters returns random weights of very different sizes, and groups of zeros.
func randomParameters(c llama.Config) *Parameters {
	p := NewParameters(c)
	random := rand.New(rand.NewPCG(5, 0))
	for i := range p.Data {
		if i/64%9 != 0 {
			p.Data[i] = float32(math.Ldexp(random.Float64()-0.5, random.IntN(12)-9))
		}
	}
	return p
}

// written returns what an export writes.
func written(t testing.TB, p *Parameters, write func(io.Writer, *Parameters) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readCheckpoint(t testing.TB, b []byte) *llama.Checkpoint {
	t.Helper()
	c, err := llama.ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "model.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// rows calls f with each row of the matrices of p and the same row as w has it.
func rows(p *Parameters, w *llama.Weights, f func(name string, want, got []float32)) {
	for _, m := range []struct {
		name     string
		data     []float32
		matrices []llama.Matrix
	}{
		{"token_embedding_table", p.TokenEmbeddingTable, []llama.Matrix{w.TokenEmbeddingTable}},
		{"wcls", p.TokenEmbeddingTable, []llama.Matrix{w.WCls}},
		{"wq", p.WQ, w.WQ}, {"wk", p.WK, w.WK}, {"wv", p.WV, w.WV}, {"wo", p.WO, w.WO},
		{"w1", p.W1, w.W1}, {"w2", p.W2, w.W2}, {"w3", p.W3, w.W3},
	} {
		data := m.data
		for l, matrix := range m.matrices {
			got := make([]float32, matrix.Columns)
			for row := range matrix.Rows {
				matrix.Format.Row(got, matrix.Tiles, row)
				f(fmt.Sprintf("%s[%d] row %d", m.name, l, row), data[:matrix.Columns], got)
				data = data[matrix.Columns:]
			}
		}
		if len(data) != 0 {
			f(m.name, data, nil)
		}
	}
	for _, v := range []struct {
		name      string
		want, got []float32
	}{
		{"rms_att_weight", p.RMSAttWeight, w.RMSAttWeight},
		{"rms_ffn_weight", p.RMSFFNWeight, w.RMSFFNWeight},
		{"rms_final_weight", p.RMSFinalWeight, w.RMSFinalWeight},
	} {
		f(v.name, v.want, v.got)
	}
}

// shared reports whether the embedding table serves as the classifier.
func shared(c *llama.Checkpoint) bool {
	return !slices.ContainsFunc(c.Tensors, func(t llama.Tensor) bool { return t.Weight == "wcls" })
}

// TestWriteFloat32: package llama reads the same weights, bit for bit.
func TestWriteFloat32(t *testing.T) {
	for _, c := range exportShapes {
		p := randomParameters(c)
		checkpoint := readCheckpoint(t, written(t, p, WriteFloat32))
		if checkpoint.Config != c.Llama2() || !shared(checkpoint) || checkpoint.Version != 0 {
			t.Errorf("header %+v, want shape %v", checkpoint.Header, c)
		}
		rows(p, &checkpoint.Weights, func(name string, want, got []float32) {
			if !slices.Equal(got, want) {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		})
	}
}

// TestWriteInt8: package llama reads the same norms, and matrices within half a scale of each group.
func TestWriteInt8(t *testing.T) {
	for i, c := range exportShapes {
		p := randomParameters(c)
		checkpoint := readCheckpoint(t, written(t, p, WriteInt8))
		group := []int{64, 4}[i]
		if checkpoint.Config != c.Llama2() || !shared(checkpoint) || checkpoint.Version != 2 || checkpoint.Weights.WQ[0].Format != simd.Int8(group) {
			t.Errorf("header %+v, want shape %v and groups of %d", checkpoint.Header, c, group)
		}
		rows(p, &checkpoint.Weights, func(name string, want, got []float32) {
			if strings.HasPrefix(name, "rms") {
				if !slices.Equal(got, want) {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
				return
			}
			for g := 0; g < len(want); g += group {
				var largest float64
				for _, v := range want[g:][:group] {
					largest = max(largest, math.Abs(float64(v)))
				}
				bound := largest / 127 / 2 * (1 + 1e-5)
				for i := g; i < g+group; i++ {
					if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= bound) {
						t.Errorf("%s: value %d is %v, want %v, not %v from it", name, i, got[i], want[i], d)
					}
				}
			}
		})
	}
}

// TestQuantize: ties go to the even number, as torch.round has it, and the extremes fit.
func TestQuantize(t *testing.T) {
	const tiny = math.SmallestNonzeroFloat32
	for _, c := range []struct {
		values []float32
		want   []int8
		scale  float32
	}{
		{[]float32{127, 0.5, 1.5, -2.5, -126.4, 3}, []int8{127, 0, 2, -2, -126, 3}, 1},
		{[]float32{-254, 3, 5, 100}, []int8{-127, 2, 2, 50}, 2},
		{[]float32{0, 0}, []int8{0, 0}, 0},
		{[]float32{180 * tiny, -180 * tiny, tiny}, []int8{127, -127, 1}, tiny}, // 180/127 is 1 in units of tiny
	} {
		q := make([]int8, len(c.values))
		if scale := quantize(q, c.values); scale != c.scale || !slices.Equal(q, c.want) {
			t.Errorf("%v: %v with scale %v, want %v with %v", c.values, q, scale, c.want, c.scale)
		}
	}
}

// TestExportNotFinite: what is no model is not written.
func TestExportNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		p := randomParameters(exportShapes[0])
		p.W1[7] = float32(bad)
		for name, write := range map[string]func(io.Writer, *Parameters) error{"float32": WriteFloat32, "int8": WriteInt8} {
			var b bytes.Buffer
			err := write(&b, p)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("value 7 of w1 is %v", float32(bad))) || b.Len() > 0 {
				t.Errorf("%s: %d bytes, error %v", name, b.Len(), err)
			}
		}
	}
}

// TestExportWriteError: the error of the file comes back.
func TestExportWriteError(t *testing.T) {
	p := randomParameters(exportShapes[0])
	for name, write := range map[string]func(io.Writer, *Parameters) error{"float32": WriteFloat32, "int8": WriteInt8} {
		r, w := io.Pipe()
		r.CloseWithError(os.ErrDeadlineExceeded)
		if err := write(w, p); err != os.ErrDeadlineExceeded {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// parameters returns the weights in a checkpoint of version 0, read here without package llama.
func parameters(t testing.TB, b []byte) *Parameters {
	t.Helper()
	var h [7]int32
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		t.Fatal(err)
	}
	p := NewParameters(llama.Config{
		Dim: int(h[0]), HiddenDim: int(h[1]), NLayers: int(h[2]), NHeads: int(h[3]), NKVHeads: int(h[4]),
		VocabSize: int(h[5]), SeqLen: int(h[6]),
	})
	if _, err := binary.Decode(b[len(h)*4:], binary.LittleEndian, p.Data); err != nil {
		t.Fatal(err)
	}
	return p
}

// withoutRotations returns a checkpoint of version 0 without the table at its end.
func withoutRotations(p *Parameters, b []byte) []byte {
	return b[:len(b)-4*p.Config.SeqLen*p.Config.HeadSize]
}

// TestRandomModelBytes: the layout of version 0 that internal/randommodel writes on its own.
func TestRandomModelBytes(t *testing.T) {
	for _, c := range exportShapes {
		var want bytes.Buffer
		s := randommodel.Shape{
			Dim: c.Dim, HiddenDim: c.HiddenDim, NLayers: c.NLayers, NHeads: c.NHeads, NKVHeads: c.NKVHeads,
			VocabSize: c.VocabSize, SeqLen: c.SeqLen,
		}
		if err := s.Write(&want); err != nil {
			t.Fatal(err)
		}
		p := parameters(t, want.Bytes())
		got := written(t, p, WriteFloat32)
		if len(got) != want.Len() || !bytes.Equal(withoutRotations(p, got), withoutRotations(p, want.Bytes())) {
			t.Errorf("%v: %d bytes that are not randommodel's %d", c, len(got), want.Len())
		}
	}
}

// TestPublishedExport: what llama2.c's export.py made of karpathy's stories260K, in both versions.
func TestPublishedExport(t *testing.T) {
	const models = "../../shared/models/"
	want0, err := os.ReadFile(models + "stories260K.bin")
	if err != nil {
		t.Skipf("SKIPPED, no published checkpoint was written anew: %v (see testdata/README.md)", err)
	}
	p := parameters(t, want0)
	got0 := written(t, p, WriteFloat32)
	table := len(withoutRotations(p, want0))
	if len(got0) != len(want0) || !bytes.Equal(got0[:table], want0[:table]) {
		t.Fatal("version 0 is not stories260K.bin")
	}
	for i := table; i < len(want0); i += 4 {
		const ulp = 1.0 / (1 << 24) // torch has another cosine
		got := math.Float32frombits(binary.LittleEndian.Uint32(got0[i:]))
		want := math.Float32frombits(binary.LittleEndian.Uint32(want0[i:]))
		if !(math.Abs(float64(got)-float64(want)) <= ulp) {
			t.Errorf("rotation at offset %d is %v, want %v", i, got, want)
		}
	}
	want2, err := os.ReadFile(models + "stories260K-q8.bin")
	if err != nil {
		t.Fatal(err)
	}
	// Its groups of 8 divide dim alone.
	got2 := written(t, p, func(w io.Writer, p *Parameters) error { return writeInt8(w, p, 8) })
	if !bytes.Equal(got2, want2) {
		t.Error("version 2 is not stories260K-q8.bin")
	}
}
