package gengguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Faulty is a small GGUF file with one fault, or without.
type Faulty struct {
	Name string
	What string // is wrong with it
	Data []byte
}

// Faults returns files, the first of which is valid; the others have one fault each, most of them
// such as made other readers crash, or read what is not there. A reader has to answer each with
// one clear line: no panic, no huge allocation, no endless loop, nothing read beside the file.
func Faults() (files []Faulty) {
	for _, x := range faults {
		f := valid()
		x.do(f)
		b := f.bytes()
		if x.name == "10-key-length-max" {
			b = append(b, u64(math.MaxUint64)...)
			b = append(b, "general.architecture"...)
		}
		files = append(files, Faulty{x.name, x.what, b})
	}
	return files
}

type faultyPair struct {
	key string
	typ uint32
	val []byte // as in the file
}

type faultyTensor struct {
	name string
	dims []uint64
	typ  uint32
	off  uint64
	data []byte
}

type faultyFile struct {
	magic   string
	version uint32
	nt, nkv *uint64
	kvs     []faultyPair
	ts      []faultyTensor
	align   int
	cut     int // bytes to cut off at the end
	head    int // keep only so many bytes
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
func f32(v float32) []byte {
	return u32(math.Float32bits(v))
}
func str(s string) []byte { return append(u64(uint64(len(s))), s...) }
func arr(typ uint32, n int, b []byte) []byte {
	return append(append(u32(typ), u64(uint64(n))...), b...)
}

const dim, ff, heads, layers = 64, 96, 2, 1

// valid is a model of llama2.c's architecture without a fault.
func valid() *faultyFile {
	f := &faultyFile{magic: "GGUF", version: 3, align: 32}
	add := func(k string, t uint32, v []byte) { f.kvs = append(f.kvs, faultyPair{k, t, v}) }
	add("general.architecture", 8, str("llama"))
	add("llama.block_count", 4, u32(layers))
	add("llama.context_length", 4, u32(64))
	add("llama.embedding_length", 4, u32(dim))
	add("llama.feed_forward_length", 4, u32(ff))
	add("llama.attention.head_count", 4, u32(heads))
	add("llama.attention.head_count_kv", 4, u32(heads))
	add("llama.attention.layer_norm_rms_epsilon", 6, f32(1e-5))
	add("llama.rope.dimension_count", 4, u32(dim/heads))
	tokens := []string{"<unk>", "<s>", "</s>"}
	for i := range 256 {
		tokens = append(tokens, fmt.Sprintf("<0x%02X>", i))
	}
	tokens = append(tokens, "▁", "a", "b", "ab", "▁a")
	var tb, sb, yb []byte
	for i, t := range tokens {
		tb = append(tb, str(t)...)
		sb = append(sb, f32(-float32(i))...)
		typ := uint32(1)
		switch {
		case i == 0:
			typ = 2
		case i < 3:
			typ = 3
		case i < 259:
			typ = 6
		}
		yb = append(yb, u32(typ)...)
	}
	n := len(tokens)
	add("tokenizer.ggml.model", 8, str("llama"))
	add("tokenizer.ggml.tokens", 9, arr(8, n, tb))
	add("tokenizer.ggml.scores", 9, arr(6, n, sb))
	add("tokenizer.ggml.token_type", 9, arr(5, n, yb))
	add("tokenizer.ggml.bos_token_id", 4, u32(1))
	add("tokenizer.ggml.eos_token_id", 4, u32(2))
	seed := uint32(1)
	mat := func(name string, typ uint32, dims ...uint64) {
		v := 1
		for _, d := range dims {
			v *= int(d)
		}
		var b []byte
		if typ == 0 {
			for range v {
				b = append(b, f32(1)...)
			}
		} else { // Q8_0
			for range v / 32 {
				b = append(b, 0x00, 0x14) // 0.001 or so
				for range 32 {
					seed = seed*1664525 + 1013904223
					b = append(b, byte(seed>>24))
				}
			}
		}
		f.ts = append(f.ts, faultyTensor{name: name, dims: dims, typ: typ, data: b})
	}
	mat("token_embd.weight", 8, dim, uint64(n))
	mat("output_norm.weight", 0, dim)
	mat("blk.0.attn_norm.weight", 0, dim)
	mat("blk.0.attn_q.weight", 8, dim, dim)
	mat("blk.0.attn_k.weight", 8, dim, dim)
	mat("blk.0.attn_v.weight", 8, dim, dim)
	mat("blk.0.attn_output.weight", 8, dim, dim)
	mat("blk.0.ffn_norm.weight", 0, dim)
	mat("blk.0.ffn_gate.weight", 8, dim, ff)
	mat("blk.0.ffn_up.weight", 8, dim, ff)
	mat("blk.0.ffn_down.weight", 8, ff, dim)
	off := uint64(0)
	for i := range f.ts {
		f.ts[i].off = off
		off += uint64(len(f.ts[i].data)+31) / 32 * 32
	}
	return f
}

func (f *faultyFile) bytes() []byte {
	nt, nkv := uint64(len(f.ts)), uint64(len(f.kvs))
	if f.nt != nil {
		nt = *f.nt
	}
	if f.nkv != nil {
		nkv = *f.nkv
	}
	b := append([]byte(f.magic), u32(f.version)...)
	b = append(append(b, u64(nt)...), u64(nkv)...)
	for _, k := range f.kvs {
		b = append(append(append(b, str(k.key)...), u32(k.typ)...), k.val...)
	}
	for _, t := range f.ts {
		b = append(append(b, str(t.name)...), u32(uint32(len(t.dims)))...)
		for _, d := range t.dims {
			b = append(b, u64(d)...)
		}
		b = append(append(b, u32(t.typ)...), u64(t.off)...)
	}
	for len(b)%f.align != 0 {
		b = append(b, 0)
	}
	for _, t := range f.ts {
		b = append(b, t.data...)
		for len(b)%f.align != 0 {
			b = append(b, 0)
		}
	}
	if f.head > 0 {
		b = b[:f.head]
	}
	return b[:len(b)-f.cut]
}

func (f *faultyFile) kv(key string) *faultyPair {
	for i := range f.kvs {
		if f.kvs[i].key == key {
			return &f.kvs[i]
		}
	}
	panic(key)
}

func (f *faultyFile) set(key string, typ uint32, val []byte) {
	for i := range f.kvs {
		if f.kvs[i].key == key {
			f.kvs[i].typ, f.kvs[i].val = typ, val
			return
		}
	}
	f.kvs = append(f.kvs, faultyPair{key, typ, val})
}

func (f *faultyFile) drop(key string) {
	for i := range f.kvs {
		if f.kvs[i].key == key {
			f.kvs = append(f.kvs[:i], f.kvs[i+1:]...)
			return
		}
	}
}

func ptr(v uint64) *uint64 { return &v }

// faults are the names of the files, what is wrong with each, and what makes it so.
var faults = []struct {
	name, what string
	do         func(f *faultyFile)
}{
	{"00-valid", "no fault", func(f *faultyFile) {}},
	{"01-magic", "GGUX for GGUF", func(f *faultyFile) { f.magic = "GGUX" }},
	{"02-ggml", "the older format's magic, lmgg", func(f *faultyFile) { f.magic = "lmgg" }},
	{"03-version-0", "", func(f *faultyFile) { f.version = 0 }},
	{"04-version-1", "", func(f *faultyFile) { f.version = 1 }},
	{"05-version-4", "", func(f *faultyFile) { f.version = 4 }},
	{"06-big-endian", "version 3 in the other byte order", func(f *faultyFile) { f.version = 3 << 24 }},
	{"07-tensors-2e63", "2^63 tensors", func(f *faultyFile) { f.nt = ptr(1 << 63) }},
	{"08-tensors-2e40", "2^40 tensors: a slice of that length must not be made", func(f *faultyFile) { f.nt = ptr(1 << 40) }},
	{"09-kvs-2e62", "2^62 key-value pairs", func(f *faultyFile) { f.nkv = ptr(1 << 62) }},
	{"10-key-length-max", "a key of 2^64-1 bytes: 8 + length wraps", func(f *faultyFile) {
		f.kvs = append([]faultyPair{{"x", 4, u32(0)}}, f.kvs...)
		f.head = 24
	}},
	{"11-string-2e40", "a string value that claims 2^40 bytes", func(f *faultyFile) { f.kv("general.architecture").val = append(u64(1<<40), "llama"...) }},
	{"12-string-max", "a string value that claims 2^64-1 bytes", func(f *faultyFile) { f.kv("general.architecture").val = append(u64(math.MaxUint64), "llama"...) }},
	{"13-array-2e61", "2^61 elements of 8 bytes: the size wraps to 0", func(f *faultyFile) { f.set("x", 9, arr(10, 1<<61, nil)) }},
	{"14-array-strings-2e32", "2^32 strings in a small file", func(f *faultyFile) { f.set("x", 9, arr(8, 1<<32, nil)) }},
	{"15-array-of-arrays", "nested arrays", func(f *faultyFile) { f.set("x", 9, arr(9, 1, arr(4, 1, u32(0)))) }},
	{"16-type-13", "a value of unknown type 13", func(f *faultyFile) { f.set("x", 13, u64(0)) }},
	{"17-array-type-13", "an array of unknown type", func(f *faultyFile) { f.set("x", 9, arr(13, 1, u64(0))) }},
	{"18-key-twice", "general.architecture twice", func(f *faultyFile) { f.kvs = append(f.kvs, f.kvs[0]) }},
	{"19-key-empty", "a key without a letter", func(f *faultyFile) { f.kvs = append(f.kvs, faultyPair{"", 4, u32(1)}) }},
	{"20-align-0", "general.alignment 0: division by zero", func(f *faultyFile) { f.set("general.alignment", 4, u32(0)) }},
	{"21-align-48", "general.alignment that is no power of two", func(f *faultyFile) { f.set("general.alignment", 4, u32(48)) }},
	{"22-align-u64", "general.alignment as uint64", func(f *faultyFile) { f.set("general.alignment", 10, u64(32)) }},
	{"23-align-2e31", "general.alignment 2^31: the data would begin behind the end", func(f *faultyFile) { f.set("general.alignment", 4, u32(1<<31)) }},
	{"24-tensor-twice", "the same name for two tensors", func(f *faultyFile) { f.ts[5].name = f.ts[4].name }},
	{"25-tensor-name-64", "a name of 64 bytes", func(f *faultyFile) {
		f.ts[1].name = "output_norm.weight..............................................."
	}},
	{"26-dims-5", "five dimensions", func(f *faultyFile) { f.ts[3].dims = []uint64{dim, dim, 1, 1, 1} }},
	{"27-dims-0", "no dimension", func(f *faultyFile) { f.ts[1].dims = nil }},
	{"28-dim-zero", "a dimension of 0", func(f *faultyFile) { f.ts[3].dims = []uint64{dim, 0} }},
	{"29-dim-negative", "a dimension of 2^63", func(f *faultyFile) { f.ts[3].dims = []uint64{dim, 1 << 63} }},
	{"30-dims-wrap", "2^32 times 2^32: the product wraps to 0", func(f *faultyFile) { f.ts[3].dims = []uint64{1 << 32, 1 << 32} }},
	{"31-dims-wrap-2", "64 times 2^58+1: the product wraps to 64", func(f *faultyFile) { f.ts[3].dims = []uint64{64, 1<<58 + 1} }},
	{"32-dims-int64-max", "2^63-1 times 2, one byte each: negative", func(f *faultyFile) { f.ts[3].dims, f.ts[3].typ = []uint64{math.MaxInt64, 2}, 24 }},
	{"33-pad-wrap", "a size near 2^64: rounding up to 32 wraps to 0", func(f *faultyFile) { f.ts[1].dims = []uint64{math.MaxUint64 / 4} }},
	{"34-type-q4_2", "type 4, removed", func(f *faultyFile) { f.ts[3].typ = 4 }},
	{"35-type-q4_0_4_4", "type 31, removed; old downloads have it", func(f *faultyFile) { f.ts[3].typ = 31 }},
	{"36-type-99", "an unknown type", func(f *faultyFile) { f.ts[3].typ = 99 }},
	{"37-type-negative", "type 2^32-1", func(f *faultyFile) { f.ts[3].typ = math.MaxUint32 }},
	{"38-columns", "Q4_K with 64 columns", func(f *faultyFile) { f.ts[3].typ = 12 }},
	{"39-offset-odd", "an offset that is not aligned", func(f *faultyFile) { f.ts[3].off++ }},
	{"40-offset-far", "an offset of 2^62", func(f *faultyFile) { f.ts[10].off = 1 << 62 }},
	{"41-offset-wrap", "an offset of 2^64-32: offset plus size wraps", func(f *faultyFile) { f.ts[10].off = math.MaxUint64 - 31 }},
	{"42-overlap", "two tensors in the same place", func(f *faultyFile) { f.ts[4].off = f.ts[3].off }},
	{"43-data-cut", "the last tensor lacks its last block", func(f *faultyFile) { f.cut = 64 }},
	{"44-head-cut", "ends within the tokens", func(f *faultyFile) { f.head = 2000 }},
	{"45-head-only", "ends after the counts", func(f *faultyFile) { f.head = 24 }},
	{"46-empty", "no byte", func(f *faultyFile) { f.head, f.cut = 1, 1 }},
	{"47-arch-missing", "no general.architecture", func(f *faultyFile) { f.drop("general.architecture") }},
	{"48-arch-unknown", "an architecture that is not known", func(f *faultyFile) { f.set("general.architecture", 8, str("mamba9")) }},
	{"49-arch-number", "general.architecture is a number", func(f *faultyFile) { f.set("general.architecture", 4, u32(7)) }},
	{"50-heads-0", "head_count 0: division by zero", func(f *faultyFile) { f.set("llama.attention.head_count", 4, u32(0)) }},
	{"51-heads-3", "head_count that does not divide", func(f *faultyFile) { f.set("llama.attention.head_count", 4, u32(3)) }},
	{"52-kv-heads-0", "head_count_kv 0", func(f *faultyFile) { f.set("llama.attention.head_count_kv", 4, u32(0)) }},
	{"53-kv-heads-3", "more KV heads than heads", func(f *faultyFile) { f.set("llama.attention.head_count_kv", 4, u32(3)) }},
	{"54-layers-2e31", "block_count 2^31", func(f *faultyFile) { f.set("llama.block_count", 4, u32(1<<31)) }},
	{"55-layers-2", "a layer too many: its tensors are missing", func(f *faultyFile) { f.set("llama.block_count", 4, u32(2)) }},
	{"56-layers-0", "a layer too few: tensors are left over", func(f *faultyFile) { f.set("llama.block_count", 4, u32(0)) }},
	{"57-context-max", "context_length 2^32-1: the cache must not be allocated at once", func(f *faultyFile) { f.set("llama.context_length", 4, u32(math.MaxUint32)) }},
	{"58-dim-other", "embedding_length that is not the tensors'", func(f *faultyFile) { f.set("llama.embedding_length", 4, u32(128)) }},
	{"59-key-type", "embedding_length as a string", func(f *faultyFile) { f.set("llama.embedding_length", 8, str("64")) }},
	{"60-rope-33", "rope.dimension_count that is odd and above the head's size", func(f *faultyFile) { f.set("llama.rope.dimension_count", 4, u32(33)) }},
	{"61-eps-nan", "epsilon is not a number", func(f *faultyFile) { f.set("llama.attention.layer_norm_rms_epsilon", 6, f32(float32(math.NaN()))) }},
	{"62-tensor-missing", "no output_norm.weight", func(f *faultyFile) { f.ts[1].name = "output_norm.weighs" }},
	{"63-shape-other", "rows and columns of ffn_down exchanged", func(f *faultyFile) { f.ts[10].dims = []uint64{dim, ff} }},
	{"64-norm-half", "a norm in F16 (legal in the container; llama.cpp runs it)", func(f *faultyFile) {
		f.ts[1].typ, f.ts[1].data = 1, f.ts[1].data[:dim*2]
		for i := range f.ts[1].data {
			f.ts[1].data[i] = byte(0x3c * (i % 2)) // 1.0
		}
		off := uint64(0)
		for i := range f.ts {
			f.ts[i].off = off
			off += uint64(len(f.ts[i].data)+31) / 32 * 32
		}
	}},
	{"65-scale-inf", "an infinite scale in a block", func(f *faultyFile) { f.ts[3].data[0], f.ts[3].data[1] = 0, 0x7c }},
	{"66-tokens-fewer", "five tokens fewer than rows of token_embd, scores and types", func(f *faultyFile) {
		var b []byte
		for i := range 259 {
			b = append(b, str(fmt.Sprintf("t%d", i))...)
		}
		f.set("tokenizer.ggml.tokens", 9, arr(8, 259, b))
	}},
	{"67-types-u8", "token_type as bytes: reading four a token runs out of the array", func(f *faultyFile) { f.set("tokenizer.ggml.token_type", 9, arr(0, 264, make([]byte, 264))) }},
	{"68-scores-fewer", "one score", func(f *faultyFile) { f.set("tokenizer.ggml.scores", 9, arr(6, 1, f32(0))) }},
	{"69-eos-far", "eos_token_id beyond the vocabulary", func(f *faultyFile) { f.set("tokenizer.ggml.eos_token_id", 4, u32(1<<20)) }},
	{"70-byte-token", "a byte token that is no number", func(f *faultyFile) {
		k := f.kv("tokenizer.ggml.tokens")
		i := 12 + 8 + 5 + 8 + 3 + 8 + 4 + 8
		copy(k.val[i:], "<0x-1>")
	}},
	{"71-token-utf8", "a token that is not UTF-8", func(f *faultyFile) { k := f.kv("tokenizer.ggml.tokens"); k.val[len(k.val)-1] = 0xff }},
	{"72-model-missing", "no tokenizer.ggml.model", func(f *faultyFile) { f.drop("tokenizer.ggml.model") }},
	{"73-split", "a shard of two without the other", func(f *faultyFile) {
		f.set("split.no", 2, []byte{0, 0})
		f.set("split.count", 2, []byte{2, 0})
		f.set("split.tensors.count", 5, u32(22))
	}},
}
