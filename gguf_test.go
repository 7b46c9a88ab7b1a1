package llama_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	llama "bootllama"
	"bootllama/internal/gengguf"
	"bootllama/internal/golden"
	"bootllama/quant"
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
	ours, theirs := map[string][]float64{}, map[string][]float64{} // by type
	for _, c := range cases {
		t.Run(c.Model+" "+c.Type+" "+c.File, func(t *testing.T) {
			file := c.read(t)
			h := readGGUF(file)
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
	for _, c := range cases[:16] { // of the first model
		o, l := rootMeanSquare(ours[c.Type]), rootMeanSquare(theirs[c.Type])
		t.Logf("%-7s root mean square error %.4f, llama.cpp's %.4f", c.Type, o, l)
		if o > max(l, 1e-4) {
			t.Errorf("%s is worse than llama.cpp", c.Type)
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

// readGGUF describes a file of gengguf's.
func readGGUF(b []byte) (h llama.Header) {
	numbers := map[string]float64{}
	arch := ""
	p := 8
	u32 := func() uint32 { p += 4; return binary.LittleEndian.Uint32(b[p-4:]) }
	u64 := func() int { p += 8; return int(binary.LittleEndian.Uint64(b[p-8:])) }
	str := func() string { n := u64(); p += n; return string(b[p-n : p]) }
	size := [13]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}
	nt, nkv := u64(), u64()
	align := 32
	for range nkv {
		key, t := str(), u32()
		n := 1
		if t == 9 {
			t, n = u32(), u64()
		}
		for range n {
			switch {
			case t == 8:
				if v := str(); key == "general.architecture" {
					arch = v
				}
			case t == 4:
				numbers[key] = float64(u32())
			case t == 6:
				numbers[key] = float64(math.Float32frombits(u32()))
			default:
				p += size[t]
			}
		}
	}
	num := func(key string, def float64) float64 {
		if v, ok := numbers[arch+"."+key]; ok {
			return v
		}
		return def
	}
	c := &h.Config
	i := func(key string, def float64) int { return int(num(key, def)) }
	c.Dim, c.HiddenDim, c.NLayers, c.NHeads = i("embedding_length", 0), i("feed_forward_length", 0), i("block_count", 0), i("attention.head_count", 0)
	c.NKVHeads = i("attention.head_count_kv", float64(c.NHeads))
	c.HeadSize = i("attention.key_length", float64(c.Dim/c.NHeads))
	c.NormEpsilon, c.RoPEBase = float32(num("attention.layer_norm_rms_epsilon", 0)), float32(num("rope.freq_base", 10000))
	c.SeqLen = i("context_length", 0)
	c.RoPEHalves = arch != "llama"
	names := map[string]string{"token_embd.weight": "token_embedding_table", "output_norm.weight": "rms_final_weight", "output.weight": "wcls", "rope_freqs.weight": "rope_divisors",
		"attn_norm.weight": "rms_att_weight", "attn_q.weight": "wq", "attn_k.weight": "wk", "attn_v.weight": "wv", "attn_output.weight": "wo",
		"attn_q.bias": "bq", "attn_k.bias": "bk", "attn_v.bias": "bv", "attn_q_norm.weight": "rms_q_weight", "attn_k_norm.weight": "rms_k_weight",
		"ffn_norm.weight": "rms_ffn_weight", "ffn_gate.weight": "w1", "ffn_up.weight": "w3", "ffn_down.weight": "w2"}
	for range nt {
		t := llama.Tensor{Name: str(), Rows: 1}
		dims := u32()
		t.Columns = u64()
		if dims > 1 {
			t.Rows = u64()
		}
		t.Type = quant.Type(u32())
		t.Offset = int64(u64())
		values, bytes := t.Type.Block()
		t.Bytes = int64(t.Rows * t.Columns / values * bytes)
		name := t.Name
		if rest, ok := strings.CutPrefix(name, "blk."); ok {
			n, rest, _ := strings.Cut(rest, ".")
			fmt.Sscan(n, &t.Layer)
			name = rest
		}
		t.Weight = names[name]
		switch t.Weight {
		case "":
			panic(name)
		case "bq":
			c.QKVBias = true
		case "rms_q_weight":
			c.QKNorm = true
		case "rope_divisors":
			c.RoPEDivisors = true
		case "token_embedding_table":
			c.VocabSize = t.Rows
		}
		h.Tensors = append(h.Tensors, t)
	}
	start := (p + align - 1) / align * align
	for i := range h.Tensors {
		h.Tensors[i].Offset += int64(start)
	}
	return h
}
