package gguf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"bootllama"
	"bootllama/internal/gengguf"
	"bootllama/internal/heap"
	"bootllama/tokenizer"
)

// shared is where the data are that are not committed.
const shared = "../../shared/gguf/"

// made returns a model's file.
func made(t testing.TB, f gengguf.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// header reads the header of a sparse file, as large as the model.
func header(t testing.TB, f gengguf.File) llama.Header {
	t.Helper()
	name := filepath.Join(t.TempDir(), "m.gguf")
	f.Sparse = true
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	m, r := open(t, name)
	r.Close()
	return m.Header
}

// open opens a model.
func open(t testing.TB, name string) (*Model, io.Closer) {
	t.Helper()
	r, size, err := llama.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(r, size, name, llama.Open)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

// loaded loads a model and returns its weights.
func loaded(t testing.TB, m *Model) llama.Weights {
	t.Helper()
	c, err := llama.Load(m, m.Header, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(make([]byte, 1)); err != nil && err != io.EOF {
		t.Errorf("behind the weights: %v", err)
	}
	return c.Weights
}

// The shapes of models that people use become the Config that they have.
func TestConfig(t *testing.T) {
	for _, s := range gengguf.Shapes {
		f := gengguf.New(s.Name, "Q8_0")
		want := llama.Config{Dim: s.Dim, HiddenDim: s.FF, NLayers: s.Layers, NHeads: s.Heads, NKVHeads: s.KVHeads, VocabSize: s.Vocab, SeqLen: s.Context,
			HeadSize: s.HeadDim, NormEpsilon: s.Epsilon, RoPEBase: s.Base, RoPEHalves: s.Arch != "llama",
			RoPEDivisors: strings.HasPrefix(s.Name, "llama3") || s.Name == "tiny-llama3",
			QKVBias:      s.Arch == "qwen2", QKNorm: s.Arch == "qwen3", KVFloat16: true}
		h := header(t, f)
		if h.Config != want {
			t.Errorf("%s: %+v\nwant %+v", s.Name, h.Config, want)
		}
		tied := !slices.ContainsFunc(h.Tensors, func(w llama.Tensor) bool { return w.Weight == "wcls" })
		if h.Format != "GGUF" || h.Version != 3 || h.Tokenizer != nil || len(h.Warnings) != 0 || tied != s.Tied {
			t.Errorf("%s: %s %d, tokenizer %v, warnings %q, tied %v", s.Name, h.Format, h.Version, h.Tokenizer, h.Warnings, tied)
		}
		f.Version = 2
		if h := header(t, f); h.Config != want || h.Version != 2 {
			t.Errorf("%s, version 2: %+v", s.Name, h)
		}
	}
}

// What a key's absence means, and a classifier and biases where other models of the architecture have none.
func TestDefaults(t *testing.T) {
	without := func(keys ...string) (p []gengguf.Pair) {
		for _, key := range keys {
			p = append(p, gengguf.Pair{Key: key})
		}
		return p
	}
	f := gengguf.New("tiny-smollm", "F32")
	want := header(t, f).Config
	f.KVHeads = f.Heads
	f.Extra = without("llama.attention.head_count_kv", "llama.rope.freq_base", "llama.rope.dimension_count", "general.quantization_version", "general.file_type")
	want.NKVHeads, want.RoPEBase = want.NHeads, 10000
	if got := header(t, f).Config; got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	f.Tied, f.Bias = false, true
	want.QKVBias = true
	h := header(t, f)
	if h.Config != want || !slices.ContainsFunc(h.Tensors, func(w llama.Tensor) bool { return w.Weight == "wcls" }) {
		t.Errorf("%+v\nwant %+v", h.Config, want)
	}
}

// features are pairs of metadata that a model may have, and what comes of them.
var features = []struct {
	extra []gengguf.Pair
	want  string // "": no error; "!": a warning
}{
	{pairs("llama.rope.scaling.type", "linear"), `llama.rope.scaling.type: is "linear", which is not implemented: take`},
	{pairs("llama.rope.scaling.type", "yarn", "llama.rope.scaling.factor", float32(4)), `llama.rope.scaling.type: is "yarn"`},
	{pairs("llama.rope.scaling.type", "none", "llama.rope.scaling.factor", float32(1)), ""},
	{pairs("llama.rope.scaling.factor", float32(8)), "llama.rope.scaling.factor: is 8"},
	{pairs("llama.rope.scale_linear", float32(2)), "llama.rope.scale_linear: is 2"},
	{pairs("llama.attention.sliding_window", uint32(4096)), "llama.attention.sliding_window: is 4096"},
	{pairs("llama.attention.sliding_window", uint32(0)), ""},
	{pairs("llama.expert_count", uint32(8)), "llama.expert_count: is 8, which is not implemented: take another model"},
	{pairs("llama.expert_count", uint32(0), "llama.expert_used_count", uint32(0)), ""},
	{pairs("llama.attention.causal", false), "llama.attention.causal: is false"},
	{pairs("llama.attention.causal", true), ""},
	{pairs("llama.logit_scale", float32(0.5)), "llama.logit_scale: is 0.5"},
	{pairs("llama.rope.dimension_sections", []int32{1, 2}), "llama.rope.dimension_sections: is an array"},
	{pairs("llama.attention.head_count_kv", []int32{1, 1}), "llama.attention.head_count_kv: is an array"},
	{pairs("llama.feed_forward_length", []int32{512, 512}), "llama.feed_forward_length: is an array"},
	{pairs("llama.attention.key_length", uint32(32)), "llama.rope.dimension_count: is 64, where heads have 32"},
	{pairs("llama.attention.value_length", uint32(32)), "llama.attention.value_length: is 32, where heads have 64"},
	{pairs("llama.rope.dimension_count", uint32(32)), "llama.rope.dimension_count: is 32, where heads have 64"},
	{pairs("llama.attention.key_length", uint32(63)), "llama.attention.key_length: makes heads of 63"},
	{pairs("llama.attention.head_count", uint32(64), "llama.attention.head_count_kv", uint32(64)), "llama.attention.head_count: makes heads of 3"},
	{pairs("llama.attention.head_count", uint32(5), "llama.attention.head_count_kv", uint32(5)), "llama.attention.head_count: is 5, which does not divide the embedding_length 192"},
	{pairs("llama.rope.freq_base", float32(0)), "llama.rope.freq_base: is 0"},
	{pairs("general.architecture", "qwen3moe"), `general.architecture: is "qwen3moe", which is not implemented: take a model whose architecture is llama, qwen2 or qwen3`},
	{pairs("general.type", "adapter"), `general.type: is "adapter"`},
	{pairs("general.type", "model"), ""},
	{pairs("general.quantization_version", uint32(1)), "general.quantization_version: is 1"},
	{pairs("general.alignment", uint32(4096)), "its data are said to begin at 768 of the tensors' data, where those before it end at 4096"},
	{pairs("llama.context_length", uint32(1<<20)), ""},
	{pairs("llama.context_length", nil), "llama.context_length: is missing"},
	{pairs("llama.block_count", uint32(1)), "tensor blk.1.attn_norm.weight: is of layer 1, where the model has 1"},
	{pairs("llama.vocab_size", nil), "llama.vocab_size: is missing"},
	{pairs("llama.vocab_size", uint32(511)), "token_embd.weight: (512, 192) in layer 0, where the model has (511, 192)"},
	{pairs("tokenizer.ggml.model", "bert", "tokenizer.ggml.tokens", make([]string, 512)), `tokenizer.ggml.model: is "bert"`},
	{pairs("tokenizer.ggml.model", "gpt2"), "tokenizer.ggml.tokens: is missing"},
	{pairs("tokenizer.ggml.model", "gpt2", "tokenizer.ggml.tokens", make([]string, 512), "tokenizer.ggml.pre", "tekken"), `tokenizer.ggml.pre: is "tekken"`},
	{pairs("tokenizer.ggml.model", "llama", "tokenizer.ggml.tokens", make([]string, 512), "tokenizer.ggml.add_eos_token", true), "tokenizer.ggml.add_eos_token: is true"},
	{pairs("tokenizer.ggml.model", "gpt2", "tokenizer.ggml.tokens", []string{}), "tokenizer.ggml.tokens: has no element"},
	{pairs("llama.new_thing", uint32(1)), "!llama.new_thing is not known"},
	{pairs("llama.new thing", uint32(1)), `!"llama.new thing" is not known`},
	{pairs("other.new_thing", uint32(1)), ""},
	{pairs("split.count", uint16(1), "split.no", uint16(0)), ""},
	{pairs("split.count", uint32(1)), "split.count: is of type u32, must be u16"},
}

func pairs(v ...any) (p []gengguf.Pair) {
	for i := 0; i < len(v); i += 2 {
		p = append(p, gengguf.Pair{Key: v[i].(string), Value: v[i+1]})
	}
	return p
}

// What is not implemented and would change the result is refused by name; what would not is not, and of what is unknown a
// person is told.
func TestFeatures(t *testing.T) {
	for _, c := range features {
		f := gengguf.New("tiny-smollm", "Q4_0")
		f.Extra = c.extra
		h, err := load("m.gguf", made(t, f))
		switch want, warning := strings.CutPrefix(c.want, "!"); {
		case warning:
			if err != nil || len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], want) {
				t.Errorf("%v: error %v, warnings %q", c.extra, err, h.Warnings)
			}
		case want == "" && (err != nil || len(h.Warnings) != 0):
			t.Errorf("%v: error %v, warnings %q", c.extra, err, h.Warnings)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), "m.gguf: offset ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: %v\nwant %s", c.extra, err, want)
		}
	}
}

// The same weights come of a file whatever its version, alignment and order, and of several files.
func TestLayouts(t *testing.T) {
	for _, name := range []string{"tiny-smollm", "tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-spm"} {
		f := gengguf.New(name, "Q4_K_M")
		b := made(t, f)
		m, err := Read(bytes.NewReader(b), int64(len(b)), "m.gguf", none)
		if err != nil {
			t.Fatal(err)
		}
		want := loaded(t, m)
		check := func(what string, m *Model) {
			t.Helper()
			if got := loaded(t, m); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: other weights of %s", name, what)
			}
		}
		for _, align := range []int{1, 8, 32, 64, 4096} {
			g := f
			g.Align, g.Version, g.Reverse = align, uint32(2+align%2), align != 64
			b := made(t, g)
			// A reader that gives a byte now and then, as the reader of a device may.
			m, err := Read(&slowly{r: bytes.NewReader(b)}, int64(len(b)), "m.gguf", none)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprint("alignment ", align), m)
			if names, err := g.CreateSplit(filepath.Join(t.TempDir(), "m"), 3); err != nil {
				t.Fatal(err)
			} else {
				m, r := open(t, names[0])
				check(fmt.Sprint("three files, alignment ", align), m)
				if err := errors.Join(m.Close(), r.Close()); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// slowly reads a byte, then what it is asked for.
type slowly struct {
	r    io.Reader
	fast bool
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.fast = !s.fast; !s.fast && len(p) > 1 {
		p = p[:1]
	}
	return s.r.Read(p)
}

// A model in several files that are not all there, or do not belong together, or have a damaged weight in one.
func TestSplit(t *testing.T) {
	f := gengguf.New("tiny-smollm", "Q4_0")
	dir := t.TempDir()
	write := func(folder string, n int) []string {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
		names, err := f.CreateSplit(filepath.Join(dir, folder, "m"), n)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	rename := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	three, two := write("good", 3), write("good", 2)
	second := write("second", 3)[1]
	missing := write("missing", 3)
	if err := os.Remove(missing[2]); err != nil {
		t.Fatal(err)
	}
	renamed := write("renamed", 3)
	rename(renamed[0], filepath.Join(dir, "renamed", "x.gguf"))
	swapped := write("swapped", 3)
	rename(swapped[1], swapped[1]+"~")
	rename(swapped[2], swapped[1])
	rename(swapped[1]+"~", swapped[2])
	mixed := write("mixed", 3)
	f.Layers = 1
	rename(write("other", 3)[1], mixed[1])
	f.Layers = 2
	damaged := write("damaged", 3)
	b, err := os.ReadFile(damaged[2])
	if err != nil {
		t.Fatal(err)
	}
	m, _ := open(t, damaged[0])
	last := m.Tensors[len(m.Tensors)-1]
	at := len(b) - int(last.Bytes) // whose data are a multiple of the alignment
	b[at], b[at+1] = 0, 0x7c       // an infinite scale
	if err := os.WriteFile(damaged[2], b, 0o666); err != nil {
		t.Fatal(err)
	}
	unknown, odd := write("unknown", 3), write("odd", 3)
	replace := func(name, from, to string) {
		b, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(b, []byte(from)) {
			t.Fatal(name, err)
		}
		if err := os.WriteFile(name, bytes.Replace(b, []byte(from), []byte(to), 1), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	replace(unknown[1], "ffn_down", "ffn_left")
	replace(odd[1], "ffn_gate.weight\x02\x00\x00\x00\xc0", "ffn_gate.weight\x02\x00\x00\x00\xc1")
	cut := write("cut", 3)
	if err := os.WriteFile(cut[1], b[:len(b)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		three[0]:                                "",
		two[0]:                                  "",
		second:                                  "split.no: is 1: this is file 2 of 3, and the model is known by the first, m-00001-of-00003.gguf",
		missing[0]:                              "file 3 of 3 of the model: open ",
		filepath.Join(dir, "renamed", "x.gguf"): "x.gguf: offset 701: split.count: is 3, and so the names of the model's files must end in -00001-of-00003.gguf",
		swapped[0]:                              swapped[1] + ": offset 44: split.no: this is file 3 of 3, where 2 of 3 should be",
		mixed[0]:                                mixed[0] + ": offset 734: split.tensors.count: is 20, and the files have 17 tensors: they do not belong together",
		damaged[0]:                              fmt.Sprintf("%s: offset %d: %s: +Inf is not a weight", damaged[2], at, last.Name),
		cut[0]:                                  cut[1],
	} {
		r, size, err := llama.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(r, size, name, llama.Open)
		if err == nil {
			_, err = llama.Load(m, m.Header, nil)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
	}
}

// Split's pieces are no larger than they may be, and the model again.
func TestSplitWrites(t *testing.T) {
	for _, align := range []int{32, 64} {
		f := gengguf.New("tiny-qwen3", "Q4_K_M")
		f.Tokenizer, f.Align = gengguf.Qwen3(), align
		f.Extra = []gengguf.Pair{{Key: "split.no", Value: uint16(0)}, {Key: "split.count", Value: uint16(1)}, {Key: "split.tensors.count", Value: int32(24)}}
		dir := t.TempDir()
		name := filepath.Join(dir, "m.gguf")
		if err := f.Create(name); err != nil {
			t.Fatal(err)
		}
		whole, _ := open(t, name)
		want := loaded(t, whole)
		for most, count := range map[int64]int{2 << 20: 1, 300 << 10: 4, 160 << 10: 8} {
			pieces, err := Split(name, most)
			if err != nil || len(pieces) != count {
				t.Fatalf("%d pieces of %d bytes, want %d: %v", len(pieces), most, count, err)
			}
			for _, p := range pieces {
				r, err := p.Open()
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil || int64(len(b)) != p.Size || p.Size > most {
					t.Errorf("%s: %d bytes, want %d, of at most %d: %v", p.Name, len(b), p.Size, most, err)
				}
				if err := os.WriteFile(p.Name, b, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			m, _ := open(t, pieces[0].Name)
			if m.Config != whole.Config || m.Texts["tokenizer.chat_template"] != f.Tokenizer.Template || !reflect.DeepEqual(loaded(t, m), want) {
				t.Errorf("%d pieces: %+v, or other weights or texts", count, m.Config)
			}
			if count > 1 {
				if _, err := Split(pieces[0].Name, 100<<10); err == nil || !strings.Contains(err.Error(), "split.count: is more than 1") {
					t.Errorf("a piece in pieces: %v", err)
				}
			}
		}
		if _, err := Split(name, 64<<10); err == nil || !strings.Contains(err.Error(), "tensor token_embd.weight: has 107520 bytes, and does not fit") {
			t.Errorf("a tensor that does not fit: %v", err)
		}
	}
}

// What llama.cpp's gguf-split has made of a file is that file.
func TestSharedSplit(t *testing.T) {
	tok, err := gengguf.ReadTokenizer(shared + "vocab/cut-smollm.gguf")
	if err != nil {
		t.Skip("the files of gguf-split are in data that is not here: ", err)
	}
	f := gengguf.New("tiny-smollm", "Q4_0")
	f.Tokenizer = tok
	b := made(t, f)
	whole, err := Read(bytes.NewReader(b), int64(len(b)), "m.gguf", none)
	if err != nil {
		t.Fatal(err)
	}
	split, _ := open(t, shared+"split/tiny-00001-of-00003.gguf")
	if split.Config != whole.Config || !reflect.DeepEqual(loaded(t, split), loaded(t, whole)) {
		t.Errorf("%+v\nwant %+v, or other weights", split.Config, whole.Config)
	}
}

// The types of tensors are those that llama-quantize gives the models.
func TestMixes(t *testing.T) {
	data, err := os.ReadFile(shared + "quant-mixes.json")
	if err != nil {
		t.Skip("the types of real models are in data that is not here: ", err)
	}
	var mixes map[string]map[string]struct {
		MiB   float64
		Types map[string]int
	}
	if err := json.Unmarshal(data, &mixes); err != nil || len(mixes) != 10 {
		t.Fatal(len(mixes), err)
	}
	for name, mix := range mixes {
		for _, typ := range []string{"Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K"} {
			f := gengguf.New(name, typ)
			f.Mixed = true
			got, mib := map[string]int{}, 0.0
			for _, w := range header(t, f).Tensors {
				mib += float64(w.Bytes) / (1 << 20)
				if w.Type != llama.Float32 {
					got[strings.ToLower(w.Type.String())]++
				}
			}
			want := map[string]int{}
			for typ, n := range mix[typ].Types {
				want[strings.ToLower(typ)] = n
			}
			if !reflect.DeepEqual(got, want) || mib < mix[typ].MiB-0.01 || mib > mix[typ].MiB+0.01 {
				t.Errorf("%s %s: %v, %.2f MiB, want %v, %.2f", name, typ, got, mib, want, mix[typ].MiB)
			}
		}
	}
}

// The tokenizer and the texts of a file.
func TestTokenizer(t *testing.T) {
	f := gengguf.New("tiny-qwen3", "Q8_0")
	f.Tokenizer, f.Extra = gengguf.Qwen3(), []gengguf.Pair{{Key: "qwen3.vocab_size", Value: uint32(999)}} // llama.cpp ignores it, too
	h, err := load("m.gguf", made(t, f))
	if err != nil || len(h.Warnings) != 0 {
		t.Fatal(err, h.Warnings)
	}
	tok, ok := h.Tokenizer.(*tokenizer.Tokenizer)
	if !ok || tok.VocabSize() != 512 || h.Config.VocabSize != 512 || h.Texts["tokenizer.chat_template"] != f.Tokenizer.Template ||
		h.Texts["general.name"] != "tiny-qwen3 with random weights" || tok.Text(tok.EOS) != "<|im_end|>" {
		t.Errorf("%v, %d tokens, end %d, texts %q", ok, h.Config.VocabSize, tok.EOS, h.Texts)
	}
	for i, want := range f.Tokenizer.Tokens {
		if f.Tokenizer.Types[i] == 3 && tok.Text(i) != want {
			t.Errorf("token %d is %q, want %q", i, tok.Text(i), want)
		}
	}
}

// Every key of the tokenizer gets where it belongs.
func TestTokenizerKeys(t *testing.T) {
	f := gengguf.New("tiny-qwen3", "Q8_0")
	f.Tokenizer, f.Layers = gengguf.Qwen3(), 1
	read := func(extra ...gengguf.Pair) *tokenizer.Tokenizer {
		t.Helper()
		f.Extra = extra
		h, err := load("m.gguf", made(t, f))
		if err != nil {
			t.Fatal(err)
		}
		return h.Tokenizer.(*tokenizer.Tokenizer)
	}
	id := func(key string, id uint32) gengguf.Pair { return gengguf.Pair{Key: "tokenizer.ggml." + key, Value: id} }
	tok := read(id("bos_token_id", 5), id("eos_token_id", 6), id("eot_token_id", 7), id("eom_token_id", 8), gengguf.Pair{Key: "tokenizer.ggml.add_bos_token", Value: true})
	ids, err := tok.Encode("a", true, false)
	if tok.BOS != 5 || tok.EOS != 6 || !tok.Ends(7) || !tok.Ends(8) || tok.Ends(5) || err != nil || len(ids) != 2 || ids[0] != 5 {
		t.Errorf("BOS %d, EOS %d, %v %v, ids %d, %v", tok.BOS, tok.EOS, tok.Ends(7), tok.Ends(8), ids, err)
	}
	spm := &gengguf.Tokenizer{Model: "llama", Tokens: []string{"<unk>", "<s>", "</s>", "a", "▁", "▁a"}, Scores: []float32{0, 0, 0, 0, 0, 1}, Types: []int32{2, 3, 3, 1, 1, 1}}
	f.Tokenizer = spm
	with, _ := read().Encode("a", false, false)
	without, _ := read(gengguf.Pair{Key: "tokenizer.ggml.add_space_prefix", Value: false}).Encode("a", false, false)
	if !slices.Equal(with, []int{5}) || !slices.Equal(without, []int{3}) {
		t.Errorf("%d with the space, %d without", with, without)
	}
}

// A whole vocabulary, of 152,000 tokens, takes a few MiB, and so does reading it: no garbage is collected meanwhile.
func TestVocabularyMemory(t *testing.T) {
	tok, err := gengguf.ReadTokenizer(shared + "vocab-full/qwen3.gguf.gz")
	if err != nil {
		t.Skip("whole vocabularies are in data that is not here: ", err)
	}
	f := gengguf.New("tiny-qwen3", "Q8_0")
	f.Tokenizer = tok
	b := made(t, f)
	var before, after, kept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := Read(bytes.NewReader(b), int64(len(b)), "m.gguf", none)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	h := m.Header
	m = nil
	runtime.GC()
	runtime.ReadMemStats(&kept)
	read, stays := (after.TotalAlloc-before.TotalAlloc)>>20, (int64(kept.HeapAlloc)-int64(before.HeapAlloc))>>20
	t.Logf("%d tokens: %d MiB to read them, %d MiB stay", h.Config.VocabSize, read, stays)
	if read > 32 || stays > 16 {
		t.Errorf("%d tokens: %d MiB to read them, %d MiB stay", h.Config.VocabSize, read, stays)
	}
	runtime.KeepAlive(b)
	runtime.KeepAlive(h)
}

// No more is read of a file than its header and what a buffer holds.
func TestHeaderOnly(t *testing.T) {
	f := gengguf.New("tiny-spm", "F32")
	b := made(t, f)
	r := bytes.NewReader(b)
	m, err := Read(r, r.Size(), "m.gguf", none)
	if err != nil {
		t.Fatal(err)
	}
	if read := r.Size() - int64(r.Len()); read > m.Tensors[0].Offset+64<<10 || r.Size() < 1<<20 {
		t.Errorf("%d of %d bytes were read, and the header has %d", read, r.Size(), m.Tensors[0].Offset)
	}
}

// A file that ends too early is an error wherever it does, and one whose bytes are others is answered, whatever they are.
func TestDamage(t *testing.T) {
	f := gengguf.New("tiny-qwen2", "Q4_K_M")
	f.Tokenizer, f.Layers = gengguf.Qwen2(), 1
	b := made(t, f)
	m, err := Read(bytes.NewReader(b), int64(len(b)), "m.gguf", none)
	if err != nil {
		t.Fatal(err)
	}
	head := int(m.Tensors[0].Offset)
	for n := 0; n < head; n += 1 + n/50 {
		if _, err := Read(bytes.NewReader(b[:n]), int64(n), "m.gguf", none); err == nil {
			t.Errorf("%d bytes of the header of %d are enough", n, head)
		}
		if _, err := Read(bytes.NewReader(b[:n]), int64(len(b)), "m.gguf", none); err == nil || !strings.Contains(err.Error(), "the file ends here") {
			t.Errorf("%d bytes where the file is said to have %d: %v", n, len(b), err)
		}
	}
	if _, err := load("m.gguf", b[:len(b)-32]); err == nil {
		t.Error("the last tensor is not whole, and it loads")
	}
	if h, err := load("m.gguf", append(slices.Clone(b), 0)); err != nil || len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], "1 bytes behind the last tensor") {
		t.Errorf("a byte behind the last tensor: %v, warnings %q", err, h.Warnings)
	}
	for i := 0; i < head; i += 1 + i/500 {
		b[i] ^= byte(1 + i%255)
		if _, err := Read(bytes.NewReader(b), int64(len(b)), "m.gguf", none); err != nil && !strings.HasPrefix(err.Error(), "m.gguf: offset ") {
			t.Errorf("byte %d: %v", i, err)
		}
		b[i] ^= byte(1 + i%255)
	}
}

// kinds are small models of each structure, each type and each feature, for the fuzzers to begin with. Matrices whose columns
// are no multiple of 256 have another type than the file's: ffn_down has it.
func kinds() (files []gengguf.File) {
	add := func(shape, typ string) {
		c := gengguf.New(shape, typ)
		c.Tokenizer, c.Dim, c.FF, c.Layers = gengguf.Qwen3().Cut(320), 32, 256, 1
		files = append(files, c)
	}
	for _, s := range gengguf.Shapes {
		if strings.HasPrefix(s.Name, "tiny-") {
			add(s.Name, "F32")
		}
	}
	for _, typ := range gengguf.Types {
		add("tiny-qwen3", typ)
	}
	for _, c := range features {
		f := tiny()
		f.Extra = c.extra
		files = append(files, f)
	}
	return files
}

// tiny is a model of 2 KiB.
func tiny() gengguf.File {
	f := gengguf.New("tiny-smollm", "F32")
	f.Vocab, f.Dim, f.FF, f.Layers, f.Heads, f.KVHeads, f.HeadDim = 8, 8, 8, 1, 2, 1, 4
	return f
}

// typed are files of that model, one of whose tensors has each type of ggml, those included that are gone or none.
func typed(t testing.TB) (files [][]byte) {
	const name = "output_norm.weight"
	for typ := range uint32(41) {
		b := made(t, tiny())
		at := bytes.Index(b, []byte(name)) + len(name) + 4 + 8 // behind the count of dimensions and the only one
		binary.LittleEndian.PutUint32(b[at:], typ)
		files = append(files, b)
	}
	return files
}

// FuzzRead: no file makes the reader panic, or take memory beyond it; what it accepts, loads or is refused.
func FuzzRead(f *testing.F) {
	for _, b := range gengguf.Faults() {
		f.Add(b.Data)
	}
	for _, c := range kinds() {
		f.Add(made(f, c))
	}
	for _, b := range typed(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readAny(t, "m.gguf", b, none)
	})
}

// readAny reads what a fuzzer has made, and loads it if it is a model. The files after the first are those of open; all
// files together are b and those.
func readAny(t *testing.T, name string, b []byte, open opener, others ...[]byte) {
	size := len(b)
	for _, o := range others {
		size += len(o)
	}
	var m *Model
	var err error
	heap.Check(t, size, 64, func() { m, err = Read(bytes.NewReader(b), int64(len(b)), name, open) })
	if err != nil {
		return
	}
	defer m.Close()
	if m.Header.Memory().Total() < 256<<20 { // a program compares it with what there is: positions take no room in the file
		if c, err := llama.Load(m, m.Header, nil); err == nil {
			c.Close()
		}
	}
}

// FuzzSplit: no files of a model in two make the reader panic, or take memory beyond them.
func FuzzSplit(f *testing.F) {
	for i, c := range kinds() {
		names, err := c.CreateSplit(filepath.Join(f.TempDir(), "m"), 2)
		if err != nil {
			f.Fatal(err)
		}
		var files [2][]byte
		for i, name := range names {
			if files[i], err = os.ReadFile(name); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(files[0], files[1])
		if i == 0 {
			f.Add(files[0], files[0])
			f.Add(files[0], files[1][:200])
		}
	}
	for _, b := range gengguf.Faults() {
		f.Add(b.Data, b.Data)
	}
	for _, b := range typed(f) {
		f.Add(b, b)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		readAny(t, "m-00001-of-00002.gguf", first, func(name string) (io.ReadCloser, int64, error) {
			if name != "m-00002-of-00002.gguf" {
				return none(name)
			}
			return io.NopCloser(bytes.NewReader(second)), int64(len(second)), nil
		}, second)
	})
}
