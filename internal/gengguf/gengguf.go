// Package gengguf makes GGUF files with random weights for tests and measurements: the shapes of
// models that people use, any of the block types, a real tokenizer whole or cut down. The same
// File gives the same bytes on every machine; goldens were made with them. It shares no code with
// the reader that it serves to test. It has no quantiser: a quantised matrix is random blocks,
// every bit of which a reader has to understand.
package gengguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// Shape is the shape of a model.
type Shape struct {
	Name                                            string
	Arch                                            string // general.architecture
	Dim, FF, Layers, Heads, KVHeads, HeadDim, Vocab int
	Context                                         int
	Epsilon, Base                                   float32
	Tied                                            bool    // no output.weight
	Bias                                            bool    // of q, k and v
	QKNorm                                          bool    // norms of the heads
	RoPEFactor                                      float64 // Llama 3's, for rope_freqs.weight; 0: there is none
}

// Shapes are those of models that people use, from memory, and, behind them, small ones of the same structure.
var Shapes = []Shape{
	{"llama32-1b", "llama", 2048, 8192, 16, 32, 8, 64, 128256, 131072, 1e-5, 500000, true, false, false, 32},
	{"llama32-3b", "llama", 3072, 8192, 28, 24, 8, 128, 128256, 131072, 1e-5, 500000, true, false, false, 32},
	{"llama31-8b", "llama", 4096, 14336, 32, 32, 8, 128, 128256, 131072, 1e-5, 500000, false, false, false, 8},
	{"tinyllama", "llama", 2048, 5632, 22, 32, 4, 64, 32000, 2048, 1e-5, 10000, false, false, false, 0},
	{"smollm2-135m", "llama", 576, 1536, 30, 9, 3, 64, 49152, 8192, 1e-5, 100000, true, false, false, 0},
	{"smollm2-360m", "llama", 960, 2560, 32, 15, 5, 64, 49152, 8192, 1e-5, 100000, true, false, false, 0},
	{"smollm2-1.7b", "llama", 2048, 8192, 24, 32, 32, 64, 49152, 8192, 1e-5, 130000, true, false, false, 0},
	{"qwen25-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, 32768, 1e-6, 1000000, true, true, false, 0},
	{"qwen25-1.5b", "qwen2", 1536, 8960, 28, 12, 2, 128, 151936, 32768, 1e-6, 1000000, true, true, false, 0},
	{"qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, 40960, 1e-6, 1000000, true, false, true, 0},
	{"qwen3-1.7b", "qwen3", 2048, 6144, 28, 16, 8, 128, 151936, 40960, 1e-6, 1000000, true, false, true, 0},

	{"tiny-llama3", "llama", 256, 512, 2, 4, 2, 64, 512, 512, 1e-5, 500000, true, false, false, 32},
	{"tiny-spm", "llama", 256, 768, 2, 8, 1, 32, 512, 512, 1e-5, 10000, false, false, false, 0},
	{"tiny-qwen2", "qwen2", 256, 512, 2, 4, 2, 64, 512, 512, 1e-6, 1000000, true, true, false, 0},
	{"tiny-qwen3", "qwen3", 256, 512, 2, 4, 2, 128, 512, 512, 1e-6, 1000000, true, false, true, 0},
	// 192 columns: no multiple of 256, as SmolLM2 135M (576) and 360M (960) and Qwen2.5 0.5B (896).
	{"tiny-smollm", "llama", 192, 512, 2, 3, 1, 64, 512, 512, 1e-5, 100000, true, false, false, 0},
}

// File is a file to be made.
type File struct {
	Shape
	Type      string     // of the matrices: one of Types, or the mix Q4_K_M or Q5_K_M
	Mixed     bool       // Q6_K for the output matrix, as llama-quantize does for Q4_0 and others
	Tokenizer *Tokenizer // nil: none. Else the model's vocabulary is the tokenizer's
	Seed      uint64     // another seed, other weights
	Version   uint32     // of the container: 2 or 3
	Align     int        // general.alignment
	VocabOnly bool       // no tensors: a tokenizer and metadata
	Sparse    bool       // Create leaves out the data of the tensors: a file with a hole
	Reverse   bool       // the tensors' descriptions stand in the opposite order of their data
	Extra     []Pair     // further metadata, or other values; nil: without the key
}

// Pair is a key and its value, whose type is one of those that kvs.add knows.
type Pair struct {
	Key   string
	Value any
}

// New returns a file of the shape of that name. It panics if there is none, or no such type.
func New(shape, typ string) File {
	i := slices.IndexFunc(Shapes, func(s Shape) bool { return s.Name == shape })
	if _, ok := fileTypes[typ]; i < 0 || !ok {
		panic(fmt.Sprintf("gengguf: no shape %q or type %q", shape, typ))
	}
	return File{Shape: Shapes[i], Type: typ, Seed: 1, Version: 3, Align: 32}
}

// rng is splitmix64.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is uniform in [-1, 1).
func (r *rng) unit() float64 { return float64(int64(r.next())>>11) / (1 << 52) }

// bell is about normal with standard deviation 1: the sum of 12 uniform values, exact, so that it is the same everywhere.
func (r *rng) bell() float64 {
	s := 0
	for range 3 {
		z := r.next()
		for k := 0; k < 64; k += 16 {
			s += int(z>>k&0xffff) - 0x8000
		}
	}
	return float64(s) / 65536
}

func (r *rng) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.next())
		b = b[8:]
	}
	z := r.next()
	for i := range b {
		b[i] = byte(z >> (8 * i))
	}
}

// half rounds to an IEEE half, to nearest even; the largest finite one stands for what is beyond.
func half(f float64) uint16 {
	b := math.Float32bits(float32(f))
	sign, e, m := uint16(b>>16&0x8000), int(b>>23&0xff)-127+15, b&0x7fffff
	switch {
	case e >= 31:
		return sign | 0x7bff
	case e <= 0: // subnormal
		if e < -10 {
			return sign
		}
		m |= 0x800000
		s := uint(14 - e)
		h := m >> s
		if rest, mid := m&(1<<s-1), uint32(1)<<(s-1); rest > mid || rest == mid && h&1 == 1 {
			h++
		}
		return sign | uint16(h)
	}
	h := uint32(e)<<10 | m>>13
	if rest := m & 0x1fff; rest > 0x1000 || rest == 0x1000 && h&1 == 1 {
		h++
	}
	return sign | uint16(min(h, 0x7bff))
}

// kind is a tensor type of ggml: its number, values and bytes of a block, and how a random block is made such that the
// values have about standard deviation s.
type kind struct {
	name          string
	id            uint32
	values, bytes int
	fill          func(r *rng, b []byte, s float64)
}

func put(b []byte, f float64) { binary.LittleEndian.PutUint16(b, half(f)) }

// spread is a factor for a block's scale: 0.5 to 1.5, of either sign if signed; one block in 64 has a scale of 0, or one
// that is subnormal as a half.
func spread(r *rng, signed bool) float64 {
	z := r.next()
	if z&63 == 0 {
		if z&64 == 0 {
			return 0
		}
		return 1e-5
	}
	f := 0.5 + float64(z>>40)/(1<<24)
	if signed && z>>8&1 == 1 {
		f = -f
	}
	return f
}

// scaled makes blocks of random bits with a half scale at offset d, and, if m >= 0, a half minimum at m that is mid times
// the scale so that the values are about centred.
func scaled(d, m int, signed bool, dev, mid float64) func(*rng, []byte, float64) {
	return func(r *rng, b []byte, s float64) {
		r.fill(b)
		f := s / dev * spread(r, signed)
		put(b[d:], f)
		if m >= 0 {
			put(b[m:], mid*f)
		}
	}
}

var kinds = []kind{
	{"F32", 0, 1, 4, func(r *rng, b []byte, s float64) {
		binary.LittleEndian.PutUint32(b, math.Float32bits(float32(r.bell()*s)))
	}},
	{"F16", 1, 1, 2, func(r *rng, b []byte, s float64) { put(b, r.bell()*s) }},
	{"Q4_0", 2, 32, 18, scaled(0, -1, true, 4.6, 0)},
	{"Q4_1", 3, 32, 20, scaled(0, 2, false, 4.6, -7.5)},
	{"Q5_0", 6, 32, 22, scaled(0, -1, true, 9.2, 0)},
	{"Q5_1", 7, 32, 24, scaled(0, 2, false, 9.2, -15.5)},
	{"Q8_0", 8, 32, 34, scaled(0, -1, false, 74, 0)},
	{"Q2_K", 10, 256, 84, scaled(80, 82, false, 14.5, 1.5)},
	{"Q3_K", 11, 256, 110, scaled(108, -1, true, 42, 0)},
	{"Q4_K", 12, 256, 144, scaled(0, 2, false, 330, 7.5)},
	{"Q5_K", 13, 256, 176, scaled(0, 2, false, 680, 15.5)},
	{"Q6_K", 14, 256, 210, scaled(208, -1, true, 1370, 0)},
	{"IQ4_NL", 20, 32, 18, scaled(0, -1, true, 69, 0)},
	{"IQ4_XS", 23, 256, 136, scaled(0, -1, true, 1280, 0)},
	{"BF16", 30, 1, 2, func(r *rng, b []byte, s float64) {
		binary.LittleEndian.PutUint16(b, uint16(math.Float32bits(float32(r.bell()*s))>>16))
	}},
}

// kindOf returns the kind of a name that is known: see New.
func kindOf(name string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
}

// fileTypes are the types that a File may have, and what general.file_type says of them.
var fileTypes = map[string]uint32{"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K": 12,
	"Q4_K": 14, "Q4_K_M": 15, "Q5_K": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32}

// Types lists the types that a File may have: the tensor types, then the mixes.
var Types = []string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
	"Q4_K_M", "Q5_K_M"}

// tensor is one of a file; the columns come first in dims, as in the file.
type tensor struct {
	name string
	dims []int
	kind kind
	dev  float64 // of the values of a matrix
}

func (t tensor) values() int {
	n := 1
	for _, d := range t.dims {
		n *= d
	}
	return n
}

func (t tensor) bytes() int { return t.values() / t.kind.values * t.kind.bytes }

// pick is the type of a matrix: what llama-quantize takes without an importance matrix (its mixes, and what it falls back
// to where the columns are no multiple of 256).
func (f File) pick(name string, layer, cols int) string {
	more := layer < f.Layers/8 || layer >= 7*f.Layers/8 || (layer-f.Layers/8)%3 == 2
	head := name == "output.weight" || name == "token_embd.weight" && f.Tied
	out := f.Type
	switch {
	case f.Type == "Q4_K_M" || f.Type == "Q5_K_M":
		out = f.Type[:4]
		if head || more && (strings.HasSuffix(name, "attn_v.weight") || strings.HasSuffix(name, "ffn_down.weight")) {
			out = "Q6_K"
		}
	case f.Type == "Q8_0" || f.Type == "F32" || f.Type == "F16" || f.Type == "BF16":
	case f.Mixed && head:
		out = "Q6_K"
	}
	if cols%kindOf(out).values != 0 {
		out = map[string]string{"Q2_K": "Q4_0", "Q3_K": "Q4_0", "IQ4_XS": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}[out]
	}
	return out
}

// tensors lists what the file holds, in its order.
func (f File) tensors() (list []tensor) {
	if f.VocabOnly {
		return nil
	}
	layer := -1
	mat := func(name string, cols, rows int) {
		list = append(list, tensor{name, []int{cols, rows}, kindOf(f.pick(name, layer, cols)), 1 / math.Sqrt(float64(cols))})
	}
	vec := func(name string, n int) { list = append(list, tensor{name, []int{n}, kindOf("F32"), 0}) }
	vec("output_norm.weight", f.Dim)
	if f.RoPEFactor != 0 {
		vec("rope_freqs.weight", f.HeadDim/2)
	}
	mat("token_embd.weight", f.Dim, f.Vocab)
	list[len(list)-1].dev = 1
	if f.Tied {
		list[len(list)-1].dev = 2 / math.Sqrt(float64(f.Dim)) // it is the output matrix, too
	} else {
		mat("output.weight", f.Dim, f.Vocab)
		list[len(list)-1].dev *= 2
	}
	for layer = range f.Layers {
		p := fmt.Sprintf("blk.%d.", layer)
		vec(p+"attn_norm.weight", f.Dim)
		mat(p+"attn_q.weight", f.Dim, f.Heads*f.HeadDim)
		mat(p+"attn_k.weight", f.Dim, f.KVHeads*f.HeadDim)
		mat(p+"attn_v.weight", f.Dim, f.KVHeads*f.HeadDim)
		mat(p+"attn_output.weight", f.Heads*f.HeadDim, f.Dim)
		if f.Bias {
			vec(p+"attn_q.bias", f.Heads*f.HeadDim)
			vec(p+"attn_k.bias", f.KVHeads*f.HeadDim)
			vec(p+"attn_v.bias", f.KVHeads*f.HeadDim)
		}
		if f.QKNorm {
			vec(p+"attn_q_norm.weight", f.HeadDim)
			vec(p+"attn_k_norm.weight", f.HeadDim)
		}
		vec(p+"ffn_norm.weight", f.Dim)
		mat(p+"ffn_gate.weight", f.Dim, f.FF)
		mat(p+"ffn_up.weight", f.Dim, f.FF)
		mat(p+"ffn_down.weight", f.FF, f.Dim)
	}
	return list
}

// ropeFreqs are the frequency factors of Llama 3.1 and 3.2 (low 1, high 4, old context 8192).
func (s Shape) ropeFreqs() []float32 {
	f := make([]float32, s.HeadDim/2)
	const old, low, high = 8192, 1, 4
	for i := range f {
		freq := math.Pow(float64(s.Base), -2*float64(i)/float64(s.HeadDim))
		wave := 2 * math.Pi / freq
		switch {
		case wave < old/high:
			f[i] = 1
		case wave > old/low:
			f[i] = float32(s.RoPEFactor)
		default:
			smooth := (old/wave - low) / (high - low)
			f[i] = float32(1 / ((1-smooth)/s.RoPEFactor + smooth))
		}
	}
	return f
}

// data writes the values of a tensor.
func (f File) data(w io.Writer, t tensor) {
	r := rng(f.Seed)
	for _, c := range []byte(t.name) {
		r = rng(uint64(r)*31 + uint64(c))
	}
	n := t.values()
	if len(t.dims) > 1 {
		b := make([]byte, t.kind.bytes)
		for range n / t.kind.values {
			t.kind.fill(&r, b, t.dev)
			w.Write(b)
		}
		return
	}
	var b [4]byte
	factors := f.ropeFreqs()
	for i := range n {
		var v float32
		switch {
		case t.name == "rope_freqs.weight":
			v = factors[i]
		case strings.HasSuffix(t.name, ".bias"):
			v = float32(r.bell())
		default:
			v = float32(1 + r.unit()/4)
		}
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		w.Write(b[:])
	}
}

// metadata returns the file's pairs.
func (f File) metadata() kvs {
	meta := kvs{other: f.Extra}
	a := f.Arch + "."
	meta.add("general.architecture", f.Arch)
	meta.add("general.name", f.Name+" with random weights")
	meta.add("general.file_type", fileTypes[f.Type])
	meta.add("general.quantization_version", uint32(2))
	meta.add(a+"block_count", uint32(f.Layers))
	meta.add(a+"context_length", uint32(f.Context))
	meta.add(a+"embedding_length", uint32(f.Dim))
	meta.add(a+"feed_forward_length", uint32(f.FF))
	meta.add(a+"attention.head_count", uint32(f.Heads))
	meta.add(a+"attention.head_count_kv", uint32(f.KVHeads))
	meta.add(a+"attention.layer_norm_rms_epsilon", f.Epsilon)
	meta.add(a+"rope.freq_base", f.Base)
	if f.HeadDim*f.Heads != f.Dim {
		meta.add(a+"attention.key_length", uint32(f.HeadDim))
		meta.add(a+"attention.value_length", uint32(f.HeadDim))
	} else if f.Arch == "llama" {
		meta.add(a+"rope.dimension_count", uint32(f.HeadDim))
	}
	if f.Align != 32 {
		meta.add("general.alignment", uint32(f.Align))
	}
	if f.Tokenizer != nil {
		f.Tokenizer.write(&meta)
	} else {
		meta.add("tokenizer.ggml.model", "no_vocab")
		meta.add(a+"vocab_size", uint32(f.Vocab))
	}
	return meta.rest()
}

// vocabulary returns f with the vocabulary's size of its tokenizer.
func (f File) vocabulary() File {
	if f.Tokenizer != nil {
		f.Vocab = len(f.Tokenizer.Tokens)
	}
	return f
}

// head returns the bytes of a file with these pairs and tensors up to the data, and the size of
// the data.
func (f File) head(meta kvs, ts []tensor) (b []byte, data int) {
	b = append(b, "GGUF"...)
	b = binary.LittleEndian.AppendUint32(b, f.Version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(ts)))
	b = binary.LittleEndian.AppendUint64(b, uint64(meta.n))
	b = append(b, meta.b...)
	infos := make([][]byte, len(ts))
	for i, t := range ts {
		info := appendStr(nil, t.name)
		info = binary.LittleEndian.AppendUint32(info, uint32(len(t.dims)))
		for _, d := range t.dims {
			info = binary.LittleEndian.AppendUint64(info, uint64(d))
		}
		info = binary.LittleEndian.AppendUint32(info, t.kind.id)
		infos[i] = binary.LittleEndian.AppendUint64(info, uint64(data))
		data += f.padded(t.bytes())
	}
	if f.Reverse {
		slices.Reverse(infos)
	}
	b = append(b, bytes.Join(infos, nil)...)
	return append(b, make([]byte, f.padded(len(b))-len(b))...), data
}

func (f File) padded(n int) int { return (n + f.Align - 1) / f.Align * f.Align }

// Write writes the file, its data included.
func (f File) Write(w io.Writer) error {
	f = f.vocabulary()
	return f.write(w, f.metadata(), f.tensors())
}

func (f File) write(w io.Writer, meta kvs, ts []tensor) error {
	b, _ := f.head(meta, ts)
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(b)
	for _, t := range ts {
		f.data(out, t)
		out.Write(make([]byte, f.padded(t.bytes())-t.bytes()))
	}
	return out.Flush()
}

// Create writes a file of that name, or nothing.
func (f File) Create(name string) error {
	f = f.vocabulary()
	return f.create(name, f.metadata(), f.tensors())
}

func (f File) create(name string, meta kvs, ts []tensor) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if f.Sparse {
		b, data := f.head(meta, ts)
		if _, err = file.Write(b); err == nil {
			err = file.Truncate(int64(len(b) + data))
		}
	} else {
		err = f.write(file, meta, ts)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// CreateSplit writes the model in n files, NAME-00001-of-0000n.gguf and so on as llama.cpp's
// gguf-split does, and returns their names.
func (f File) CreateSplit(base string, n int) (names []string, err error) {
	f = f.vocabulary()
	ts := f.tensors()
	for i := range n {
		meta := kvs{other: f.Extra}
		if i == 0 {
			meta = f.metadata()
		} else if f.Align != 32 {
			meta.add("general.alignment", uint32(f.Align))
		}
		meta.add("split.no", uint16(i))
		meta.add("split.count", uint16(n))
		meta.add("split.tensors.count", int32(len(ts)))
		name := fmt.Sprintf("%s-%05d-of-%05d.gguf", base, i+1, n)
		if err := f.create(name, meta, ts[len(ts)*i/n:len(ts)*(i+1)/n]); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
