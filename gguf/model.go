package gguf

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bootllama"
	"bootllama/quant"
	"bootllama/tokenizer"
)

// The keys of the arrays that are kept.
const (
	keyTokens = "tokenizer.ggml.tokens"
	keyScores = "tokenizer.ggml.scores"
	keyTypes  = "tokenizer.ggml.token_type"
	keyMerges = "tokenizer.ggml.merges"
)

// find returns the pair of a key, nil if there is none.
func (f *file) find(key string) *pair {
	i := slices.IndexFunc(f.pairs, func(p pair) bool { return p.key == key })
	if i < 0 {
		return nil
	}
	f.pairs[i].used = true
	return &f.pairs[i]
}

// value returns the pair of a key if it has that type; another is an error.
func (f *file) value(key string, typ valueType) *pair {
	p := f.find(key)
	if p == nil {
		return nil
	}
	f.what = key
	switch {
	case p.typ == typ:
		return p
	case p.typ == typeArray:
		f.fail(p.offset, "is an array, such as models have whose layers differ: they are not implemented")
	default:
		f.fail(p.offset, "is of type %v, must be %v", p.typ, typ)
	}
	return nil
}

// missing fails for a key that every model has.
func (f *file) missing(key string) {
	f.what = key
	f.fail(f.end, "is missing from the metadata, which end here")
}

// number returns a u32, without which a value below 0 for missing is an error.
func (f *file) number(key string, missing, least, most int64) int64 {
	return f.integer(key, typeU32, missing, least, most)
}

// integer is number for any type of integers that has no negative ones here.
func (f *file) integer(key string, typ valueType, missing, least, most int64) int64 {
	p := f.value(key, typ)
	switch {
	case p == nil && missing < 0 && f.err == nil:
		f.missing(key)
	case p == nil:
		return max(missing, least)
	case int64(p.bits) < least || int64(p.bits) > most:
		f.fail(p.offset, "is %d, must be %d to %d", p.bits, least, most)
	}
	if f.err != nil {
		return least
	}
	return int64(p.bits)
}

// float returns a f32, without which NaN for missing is an error.
func (f *file) float(key string, missing, least, most float32) float32 {
	p := f.value(key, typeF32)
	switch {
	case p == nil && missing != missing && f.err == nil:
		f.missing(key)
	case p == nil:
		return missing
	}
	if f.err != nil {
		return least
	}
	v := math.Float32frombits(uint32(p.bits))
	if !(v >= least && v <= most) {
		f.fail(p.offset, "is %v, must be %v to %v", v, least, most)
	}
	return v
}

// string returns a string, "" if there is none.
func (f *file) string(key string) string {
	if p := f.value(key, typeString); p != nil {
		return p.text
	}
	return ""
}

// flag returns a bool, id the number of a token; nil if there is none.
func (f *file) flag(key string) *bool {
	if p := f.value(key, typeBool); p != nil {
		return new(p.bits == 1)
	}
	return nil
}

func (f *file) id(key string) *uint32 {
	if p := f.value(key, typeU32); p != nil {
		return new(uint32(p.bits))
	}
	return nil
}

// architecture is a kind of models that runs here: which tensors a layer has, and how heads
// rotate.
type architecture struct {
	name   string
	halves bool // llama.Config.RoPEHalves
	bias   bool // q, k and v always have biases; without, they may have them
	qkNorm bool
}

var architectures = [...]architecture{
	{name: "llama"},
	{name: "qwen2", halves: true, bias: true},
	{name: "qwen3", halves: true, qkNorm: true},
}

// architecture returns the one that the file names.
func (f *file) architecture() (a architecture) {
	const key = "general.architecture"
	name := f.string(key)
	i := slices.IndexFunc(architectures[:], func(a architecture) bool { return a.name == name })
	switch p := f.find(key); {
	case f.err != nil:
	case p == nil:
		f.missing(key)
	case i < 0:
		f.fail(p.offset, "is %+.40q, which is not implemented: take a model whose architecture is llama, qwen2 or qwen3", name)
	default:
		a = architectures[i]
	}
	if p := f.find("general.type"); p != nil && p.typ == typeString && p.text != "model" && f.err == nil {
		f.what = p.key
		f.fail(p.offset, "is %+.40q: the file is no model, but belongs to one", p.text)
	}
	return a
}

// The largest values that a header may have: see the same of llama2.c's in checkpoint.go.
const (
	maxDim       = 1 << 17
	maxHiddenDim = 1 << 19
	maxLayers    = 1 << 12
	maxSeqLen    = 1 << 20
)

// config returns the model's shape, of which the tensors' presence is a part.
func (f *file) config(a architecture, tensors []string) (c llama.Config) {
	key := func(name string) string { return a.name + "." + name }
	c.NLayers = int(f.number(key("block_count"), -1, 1, maxLayers))
	c.SeqLen = int(f.number(key("context_length"), -1, 1, maxSeqLen))
	c.Dim = int(f.number(key("embedding_length"), -1, 1, maxDim))
	c.HiddenDim = int(f.number(key("feed_forward_length"), -1, 1, maxHiddenDim))
	c.NHeads = int(f.number(key("attention.head_count"), -1, 1, maxDim))
	c.NKVHeads = int(f.number(key("attention.head_count_kv"), int64(c.NHeads), 1, maxDim))
	if f.find(key("attention.head_count_kv")) != nil && c.NHeads%c.NKVHeads != 0 {
		f.at(key("attention.head_count_kv"), "is %d, which does not divide the head_count %d", c.NKVHeads, c.NHeads)
	}
	c.HeadSize = f.headSize(key, c)
	for _, k := range []string{"attention.value_length", "rope.dimension_count"} {
		if n := f.number(key(k), int64(c.HeadSize), 0, math.MaxUint32); int(n) != c.HeadSize {
			f.at(key(k), "is %d, where heads have %d: not implemented", n, c.HeadSize)
		}
	}
	c.NormEpsilon = f.float(key("attention.layer_norm_rms_epsilon"), float32(math.NaN()), 0, 1)
	c.RoPEBase = f.float(key("rope.freq_base"), 10000, 1, math.MaxFloat32)
	c.VocabSize = f.vocabSize(key("vocab_size"))
	c.RoPEHalves, c.QKNorm, c.KVFloat16 = a.halves, a.qkNorm, true
	c.QKVBias = a.bias || slices.Contains(tensors, "blk.0.attn_q.bias")
	c.RoPEDivisors = slices.Contains(tensors, "rope_freqs.weight")
	return c
}

// headSize returns the key_length, or without it what the number of heads makes it.
func (f *file) headSize(key func(name string) string, c llama.Config) int {
	name := key("attention.key_length")
	if f.find(name) == nil {
		name = key("attention.head_count")
		if c.Dim%c.NHeads != 0 {
			f.at(name, "is %d, which does not divide the embedding_length %d", c.NHeads, c.Dim)
		}
	}
	n := f.number(key("attention.key_length"), int64(c.Dim/c.NHeads), 1, maxDim)
	if n%2 != 0 {
		f.at(name, "makes heads of %d: rotary embedding needs an even size", n)
	}
	return int(n)
}

// at fails because of the value of a key.
func (f *file) at(key, format string, a ...any) {
	offset := f.end
	if p := f.find(key); p != nil {
		offset = p.offset
	}
	f.what = key
	f.fail(offset, format, a...)
}

// vocabSize returns the number of tokens: those of the tokenizer, or without one what the
// key says.
func (f *file) vocabSize(key string) int {
	if p := f.value(keyTokens, typeArray); p != nil {
		f.find(key)
		if p.array.n < 1 {
			f.at(keyTokens, "has no element")
		}
		return p.array.n
	}
	return int(f.number(key, -1, 1, maxTokens))
}

// ignored are the keys of an architecture that change nothing here.
var ignored = []string{"rope.scaling.original_context_length", "rope.scaling.finetuned", "attention.layer_norm_epsilon", "tensor_data_layout"}

// neutral are the keys of an architecture that would change what a model computes, and are not
// implemented, and the values with which they do not.
var neutral = []struct {
	key    string
	values []float64
}{
	{"rope.scaling.factor", []float64{0, 1}}, {"rope.scale_linear", []float64{0, 1}}, {"rope.scaling.attn_factor", []float64{0, 1}},
	{"rope.scaling.yarn_log_multiplier", []float64{0}}, {"rope.dimension_sections", nil},
	{"attention.sliding_window", []float64{0}}, {"attention.sliding_window_pattern", nil}, {"attention.chunk_size", []float64{0}},
	{"attention.scale", []float64{0}}, {"attention.clamp_kqv", []float64{0}}, {"attention.max_alibi_bias", []float64{0}},
	{"attention.causal", []float64{1}}, {"use_parallel_residual", []float64{0}},
	{"attn_logit_softcapping", []float64{0}}, {"final_logit_softcapping", []float64{0}},
	{"logit_scale", []float64{0, 1}}, {"residual_scale", []float64{0, 1}}, {"embedding_scale", []float64{0, 1}},
	{"expert_count", []float64{0}}, {"expert_used_count", []float64{0}}, {"expert_shared_count", []float64{0}},
	{"nextn_predict_layers", []float64{0}},
}

// checkFeatures refuses what is not implemented and would change what the model computes.
func (f *file) checkFeatures(a architecture) {
	if s := f.string(a.name + ".rope.scaling.type"); s != "" && s != "none" {
		f.at(a.name+".rope.scaling.type", "is %+.40q, which is not implemented: take a file of the model without it, whose context is shorter", s)
	}
	for _, n := range neutral {
		p := f.find(a.name + "." + n.key)
		if p == nil {
			continue
		}
		v, ok := p.number()
		if !ok || !slices.Contains(n.values, v) {
			f.at(p.key, "is %s, which is not implemented: take another model, or a file without it", p)
		}
	}
	if v := f.number("general.quantization_version", 2, 0, math.MaxUint32); v != 2 {
		f.at("general.quantization_version", "is %d, must be 2: take a newer file of the model", v)
	}
}

// unknown returns the keys of the architecture that nothing here has asked for.
func (f *file) unknown(a architecture) (keys []string) {
	for _, key := range ignored {
		f.find(a.name + "." + key)
	}
	for _, p := range f.pairs {
		if !p.used && strings.HasPrefix(p.key, a.name+".") {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// number returns a number or bool of any type.
func (p *pair) number() (v float64, ok bool) {
	switch p.typ {
	case typeF32:
		return float64(math.Float32frombits(uint32(p.bits))), true
	case typeString, typeArray:
		return 0, false
	case typeF64:
		return math.Float64frombits(p.bits), true
	}
	// Negative ones are none of the values that are asked for, whatever they are taken for.
	return float64(p.bits), true
}

// String returns the value for a message.
func (p *pair) String() string {
	switch v, ok := p.number(); {
	case p.typ == typeBool:
		return strconv.FormatBool(p.bits == 1)
	case ok:
		return fmt.Sprint(v)
	case p.typ == typeString:
		return fmt.Sprintf("%+.40q", p.text)
	}
	return "an array"
}

// weights are the names of tensors, and what the same is in llama.Weights. Those from blk on
// are in every layer.
var weights = [...]struct{ tensor, weight string }{
	{"token_embd.weight", "token_embedding_table"},
	{"output_norm.weight", "rms_final_weight"},
	{"output.weight", "wcls"},
	{"rope_freqs.weight", "rope_divisors"},
	{"blk.attn_norm.weight", "rms_att_weight"},
	{"blk.attn_q.weight", "wq"},
	{"blk.attn_k.weight", "wk"},
	{"blk.attn_v.weight", "wv"},
	{"blk.attn_output.weight", "wo"},
	{"blk.ffn_norm.weight", "rms_ffn_weight"},
	{"blk.ffn_gate.weight", "w1"},
	{"blk.ffn_down.weight", "w2"},
	{"blk.ffn_up.weight", "w3"},
	{"blk.attn_q.bias", "bq"},
	{"blk.attn_k.bias", "bk"},
	{"blk.attn_v.bias", "bv"},
	{"blk.attn_q_norm.weight", "rms_q_weight"},
	{"blk.attn_k_norm.weight", "rms_k_weight"},
}

// weightOf returns what a tensor is, and in which layer.
func weightOf(name string) (weight string, layer int, ok bool) {
	if rest, found := strings.CutPrefix(name, "blk."); found {
		number, rest, _ := strings.Cut(rest, ".")
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != number {
			return "", 0, false
		}
		name, layer = "blk."+rest, int(n)
	}
	for _, w := range weights {
		if w.tensor == name {
			return w.weight, layer, true
		}
	}
	return "", 0, false
}

// weight describes a tensor of the file for llama.Load. Its offset is in the file.
func (f *file) weight(t tensor, c llama.Config) (w llama.Tensor) {
	f.what = "tensor " + quoted(t.name)
	weight, layer, ok := weightOf(t.name)
	w = llama.Tensor{Name: t.name, Weight: weight, Layer: layer, Rows: int(t.rows), Columns: int(t.columns),
		Type: quant.Type(t.typ), Offset: f.data + int64(t.offset), Bytes: int64(t.bytes)}
	switch vector := strings.Contains(t.name, "norm") || strings.HasSuffix(t.name, ".bias") || weight == "rope_divisors"; {
	case !ok:
		f.fail(t.at, "is not known here: what it is for is not implemented")
	case layer >= c.NLayers:
		f.fail(t.at, "is of layer %d, where the model has %d", layer, c.NLayers)
	case vector && w.Type != quant.F32:
		f.fail(t.at, "is of type %v: norms and biases must be F32, as they are in all files", w.Type)
	}
	return w
}

// checkPresence refuses a model that lacks a tensor. Without an output.weight, the embedding
// table is the classifier.
func (f *file) checkPresence(c llama.Config, tensors []llama.Tensor) {
	have := map[string]bool{}
	for _, t := range tensors {
		have[t.Name] = true
	}
	for _, w := range weights {
		switch {
		case w.weight == "wcls", w.weight == "rope_divisors",
			strings.HasSuffix(w.tensor, ".bias") && !c.QKVBias,
			(w.weight == "rms_q_weight" || w.weight == "rms_k_weight") && !c.QKNorm:
			continue
		}
		rest, inLayers := strings.CutPrefix(w.tensor, "blk.")
		for layer := range c.NLayers {
			name := w.tensor
			if inLayers {
				name = fmt.Sprintf("blk.%d.%s", layer, rest)
			}
			if !have[name] {
				f.what = "tensor " + name
				f.fail(f.offset, "is missing from the descriptions, which end here")
				return
			}
			if !inLayers {
				break
			}
		}
	}
}

// tokenizer returns the one of the file, nil if it has none.
func (f *file) tokenizer() (v llama.Vocab, warnings []string) {
	const prefix = "tokenizer.ggml."
	model := f.string(prefix + "model")
	switch {
	case f.err != nil:
		return nil, nil
	case f.find(prefix+"model") == nil:
		f.missing(prefix + "model")
		return nil, nil
	case model == "no_vocab" || model == "none":
		return nil, nil
	}
	m := tokenizer.Metadata{Model: model, Pre: f.string(prefix + "pre")}
	if p := f.value(keyTokens, typeArray); p != nil {
		m.Tokens = p.array.strings
	} else if f.err == nil {
		f.missing(keyTokens)
	}
	if p := f.value(keyMerges, typeArray); p != nil {
		m.Merges = p.array.strings
	}
	if p := f.value(keyScores, typeArray); p != nil {
		m.Scores = p.array.floats
	}
	if p := f.value(keyTypes, typeArray); p != nil {
		m.Types = p.array.ints
	}
	m.BOS, m.EOS = f.id(prefix+"bos_token_id"), f.id(prefix+"eos_token_id")
	m.EOT, m.EOM = f.id(prefix+"eot_token_id"), f.id(prefix+"eom_token_id")
	m.AddBOS, m.AddSpacePrefix = f.flag(prefix+"add_bos_token"), f.flag(prefix+"add_space_prefix")
	if eos := f.flag(prefix + "add_eos_token"); eos != nil && *eos {
		f.at(prefix+"add_eos_token", "is true, which is not implemented: such models complete no text")
	}
	if f.err != nil {
		return nil, nil
	}
	t, warnings, err := tokenizer.New(m)
	if err != nil {
		f.blame(err)
		return nil, nil
	}
	return t, warnings
}

// blame fails with an error that begins with a key.
func (f *file) blame(err error) {
	key := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ' ' || r == '[' || r == ':' })[0]
	f.at(key, "%s", strings.TrimLeft(strings.TrimPrefix(err.Error(), key), " :"))
}
