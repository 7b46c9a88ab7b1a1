package llama_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	llama "bootllama"
	"bootllama/gguf"
	"bootllama/internal/gengguf"
	"bootllama/internal/golden"
)

// ggufCase is what llama.cpp computes with a file of gengguf's: see testdata/README.md.
type ggufCase struct {
	Model, Type string
	File        string // made by llama.cpp's quantiser, in ../shared/gguf; "": by gengguf
	Runs        []ggufRun
	Error       float64 // of llama.cpp with the file itself: root mean square
}

// ggufRun is a text that llama.cpp continues with the file dequantised to float32.
type ggufRun struct {
	Prompt []int
	Top    [][][2]float64 // for each step the largest logits, and their tokens: the first is the next
}

// TestGGUFGoldens: with weights dequantised to float32, the logits are llama.cpp's; with those of
// the file, they are as near to these as llama.cpp's own, or nearer. -v shows how near.
func TestGGUFGoldens(t *testing.T) {
	cases, err := golden.Read[ggufCase]("testdata/gguf.json")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		cases = cases[3:5]
	}
	ours, theirs := map[string][]float64{}, map[string][]float64{} // by type
	for _, c := range cases {
		t.Run(c.Model+" "+c.Type+" "+c.File, func(t *testing.T) {
			file := c.read(t)
			m, err := gguf.Read(bytes.NewReader(file), int64(len(file)), c.Model, nil)
			if err != nil {
				t.Fatal(err)
			}
			h := m.Header
			h.Config.KVFloat16 = false
			largest, _ := c.compare(t, dequantised(t, h, file), 0)
			if largest > 1e-4 {
				t.Errorf("with float32, a logit is off by %g", largest)
			}
			largest, rms := c.compare(t, loadGGUF(t, h, file), c.Error)
			h.Config.KVFloat16 = true
			largest16, rms16 := c.compare(t, loadGGUF(t, h, file), max(c.Error, 0.01))
			t.Logf("root mean square error %.4f, llama.cpp's %.4f, largest %.3f; with float16 keys and values %.4f, %.3f", rms, c.Error, largest, rms16, largest16)
			if c.File != "" && rms > c.Error {
				t.Error("worse than llama.cpp")
				return
			}
			ours[c.Type], theirs[c.Type] = append(ours[c.Type], rms), append(theirs[c.Type], c.Error)
		})
	}
	for _, c := range cases[:min(len(cases), 16)] { // of the first model
		o, l := rootMeanSquare(ours[c.Type]), rootMeanSquare(theirs[c.Type])
		t.Logf("%-7s root mean square error %.4f, llama.cpp's %.4f", c.Type, o, l)
		if o > max(l, 1e-4) {
			t.Errorf("%s is worse than llama.cpp", c.Type)
		}
	}
}

// TestGGUFMemory: the weights of what people use take hardly more memory than the file.
func TestGGUFMemory(t *testing.T) {
	for _, shape := range []string{"smollm2-135m", "qwen3-0.6b", "llama32-1b", "llama31-8b"} {
		for _, typ := range []string{"Q8_0", "Q4_0", "Q5_0", "Q6_K", "Q4_K_M", "Q5_K_M"} {
			f := gengguf.New(shape, typ)
			f.Sparse = true
			name := filepath.Join(t.TempDir(), "m.gguf")
			if err := f.Create(name); err != nil {
				t.Fatal(err)
			}
			r, size, err := llama.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			m, err := gguf.Read(r, size, name, llama.Open)
			if r.Close(); err != nil {
				t.Fatal(err)
			}
			var bytes int64
			for _, x := range m.Tensors {
				bytes += x.Bytes
			}
			share := float64(m.Memory().Weights) / float64(bytes)
			t.Logf("%s %s: %d MiB of tensors, %.3f times that in memory", shape, typ, bytes>>20, share)
			if share > 1.05 {
				t.Errorf("%s %s: %.3f times the tensors", shape, typ, share)
			}
		}
	}
}

// read returns the file.
func (c *ggufCase) read(t *testing.T) []byte {
	if c.File != "" {
		b, err := os.ReadFile(filepath.Join("../shared/gguf", c.File))
		if err != nil {
			t.Skipf("SKIPPED, no file of llama.cpp's quantiser was compared with it: %v", err)
		}
		return b
	}
	var b bytes.Buffer
	if err := gengguf.New(c.Model, c.Type).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compare returns how far the logits are from the golden's, and their root mean square. Tokens
// have to be the golden's wherever its first two logits are further apart than four times an error.
func (c *ggufCase) compare(t *testing.T, model *llama.Checkpoint, allowed float64) (largest, rms float64) {
	t.Helper()
	tr := llama.NewTransformer(model, llama.Options{})
	defer func() {
		tr.Close()
		model.Close()
	}()
	var differences []float64
	for _, run := range c.Runs {
		tokens := slices.Clone(run.Prompt)
		pos := 0
		for i, top := range run.Top {
			for ; len(tokens)-pos > llama.Batch; pos += llama.Batch {
				tr.Prefill(tokens[pos:][:llama.Batch], pos)
			}
			tr.Prefill(tokens[pos:], pos)
			logits := tr.Logits(len(tokens) - pos - 1)
			pos = len(tokens)
			for _, want := range top {
				differences = append(differences, math.Abs(float64(logits[int(want[0])])-want[1]))
			}
			next := int(top[0][0])
			if got := slices.Index(logits, slices.Max(logits)); got != next && top[0][1]-top[1][1] > 4*allowed {
				t.Errorf("step %d: token %d, want %d", i, got, next)
			}
			tokens = append(tokens, next)
		}
	}
	return slices.Max(differences), rootMeanSquare(differences)
}

func rootMeanSquare(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(x)))
}

func loadGGUF(t *testing.T, h llama.Header, file []byte) *llama.Checkpoint {
	t.Helper()
	c, err := llama.Load(bytes.NewReader(file[h.Tensors[0].Offset:]), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dequantised is loadGGUF with all tensors as float32.
func dequantised(t *testing.T, h llama.Header, file []byte) *llama.Checkpoint {
	t.Helper()
	var out []byte
	h.Tensors = slices.Clone(h.Tensors)
	for i := range h.Tensors {
		x := &h.Tensors[i]
		values := make([]float32, x.Rows*x.Columns)
		x.Type.Dequantize(values, file[x.Offset:][:x.Bytes])
		x.Type, x.Offset, x.Bytes = llama.Float32, int64(len(out)), int64(4*len(values))
		for _, v := range values {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return loadGGUF(t, h, out)
}
