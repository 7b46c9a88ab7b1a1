package gengguf

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// kvs are metadata as they stand in a file.
type kvs struct {
	b     []byte
	n     int
	other []Pair // values for add to take in place of those that it gets
}

func appendStr(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// add adds a pair, but for a value of nil. It panics at types that it does not know.
func (k *kvs) add(key string, value any) {
	for i, p := range k.other {
		if p.Key == key {
			k.other = slices.Delete(slices.Clone(k.other), i, i+1)
			value = p.Value
			break
		}
	}
	if value == nil {
		return
	}
	k.n++
	k.b = appendStr(k.b, key)
	typ := func(t uint32) { k.b = binary.LittleEndian.AppendUint32(k.b, t) }
	array := func(t uint32, n int) {
		typ(9)
		typ(t)
		k.b = binary.LittleEndian.AppendUint64(k.b, uint64(n))
	}
	switch v := value.(type) {
	case uint16:
		typ(2)
		k.b = binary.LittleEndian.AppendUint16(k.b, v)
	case uint32:
		typ(4)
		k.b = binary.LittleEndian.AppendUint32(k.b, v)
	case int32:
		typ(5)
		k.b = binary.LittleEndian.AppendUint32(k.b, uint32(v))
	case float32:
		typ(6)
		k.b = binary.LittleEndian.AppendUint32(k.b, math.Float32bits(v))
	case bool:
		typ(7)
		if v {
			k.b = append(k.b, 1)
		} else {
			k.b = append(k.b, 0)
		}
	case string:
		typ(8)
		k.b = appendStr(k.b, v)
	case []string:
		array(8, len(v))
		for _, s := range v {
			k.b = appendStr(k.b, s)
		}
	case []float32:
		array(6, len(v))
		for _, f := range v {
			k.b = binary.LittleEndian.AppendUint32(k.b, math.Float32bits(f))
		}
	case []int32:
		array(5, len(v))
		for _, i := range v {
			k.b = binary.LittleEndian.AppendUint32(k.b, uint32(i))
		}
	default:
		panic(fmt.Sprintf("gengguf: %s: metadata of type %T", key, value))
	}
}

// rest returns k with those other values that no key has taken.
func (k kvs) rest() kvs {
	for len(k.other) > 0 {
		k.add(k.other[0].Key, nil)
	}
	return k
}

// Tokenizer is what a GGUF file says of one.
type Tokenizer struct {
	Model, Pre string // "llama" or "gpt2"
	Tokens     []string
	Scores     []float32
	Types      []int32
	Merges     []string
	IDs        map[string]int // "bos_token_id" …
	Flags      map[string]bool
	Template   string // chat_template
}

//go:embed cut-qwen2.gguf
var cutQwen2 []byte

//go:embed cut-qwen3.gguf
var cutQwen3 []byte

// Qwen2 and Qwen3 return the tokenizers of these models, cut down to 512 tokens, with the chat
// templates of Qwen2.5 7B and Qwen3 0.6B (Apache 2.0, Alibaba Cloud).
func Qwen2() *Tokenizer { return fromGGUF(cutQwen2) }
func Qwen3() *Tokenizer { return fromGGUF(cutQwen3) }

// ReadTokenizer reads the tokenizer of a GGUF file, which may be gzipped, or a tokenizer.json of
// byte-level BPE. It panics at files that are damaged.
func ReadTokenizer(name string) (*Tokenizer, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if data, err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if bytes.HasPrefix(data, []byte("GGUF")) {
		return fromGGUF(data), nil
	}
	t, err := fromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func fromGGUF(data []byte) *Tokenizer {
	t := &Tokenizer{IDs: map[string]int{}, Flags: map[string]bool{}}
	p := 8
	u32 := func() uint32 { p += 4; return binary.LittleEndian.Uint32(data[p-4:]) }
	u64 := func() int { p += 8; return int(binary.LittleEndian.Uint64(data[p-8:])) }
	str := func() string { n := u64(); p += n; return string(data[p-n : p]) }
	sizes := map[uint32]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
	number := func(typ uint32) uint32 {
		p += sizes[typ]
		return binary.LittleEndian.Uint32(append(bytes.Clone(data[p-sizes[typ]:p]), 0, 0, 0, 0))
	}
	u64()
	for range u64() {
		key, typ := str(), u32()
		short := strings.TrimPrefix(key, "tokenizer.ggml.")
		switch typ {
		case 8:
			v := str()
			switch key {
			case "tokenizer.ggml.model":
				t.Model = v
			case "tokenizer.ggml.pre":
				t.Pre = v
			case "tokenizer.chat_template":
				t.Template = v
			}
		case 9:
			element, n := u32(), u64()
			for range n {
				if element == 8 {
					v := str()
					switch short {
					case "tokens":
						t.Tokens = append(t.Tokens, v)
					case "merges":
						t.Merges = append(t.Merges, v)
					}
					continue
				}
				v := number(element)
				switch short {
				case "scores":
					t.Scores = append(t.Scores, math.Float32frombits(v))
				case "token_type":
					t.Types = append(t.Types, int32(v))
				}
			}
		default:
			v := number(typ)
			switch {
			case short == key:
			case typ == 7:
				t.Flags[short] = v != 0
			default:
				t.IDs[short] = int(v)
			}
		}
	}
	return t
}

// fromJSON reads the tokenizer.json of a byte-level BPE (Llama 3, Qwen, SmolLM).
func fromJSON(data []byte) (*Tokenizer, error) {
	var j struct {
		Added []struct {
			ID      int
			Content string
			Special bool
		} `json:"added_tokens"`
		Model struct {
			Vocab  map[string]int
			Merges []json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	t := &Tokenizer{Model: "gpt2", IDs: map[string]int{}, Flags: map[string]bool{"add_bos_token": false}}
	n := 0
	for _, id := range j.Model.Vocab {
		n = max(n, id+1)
	}
	for _, a := range j.Added {
		n = max(n, a.ID+1)
	}
	t.Tokens, t.Types = make([]string, n), make([]int32, n)
	for s, id := range j.Model.Vocab {
		t.Tokens[id], t.Types[id] = s, 1
	}
	for _, a := range j.Added {
		t.Tokens[a.ID], t.Types[a.ID] = a.Content, 4
		if a.Special {
			t.Types[a.ID] = 3
		}
		switch a.Content {
		case "<|begin_of_text|>":
			t.IDs["bos_token_id"], t.Flags["add_bos_token"] = a.ID, true
		case "<|endoftext|>":
			t.IDs["padding_token_id"] = a.ID
			t.IDs["bos_token_id"] = a.ID
		case "<|im_end|>", "<|eot_id|>":
			t.IDs["eos_token_id"] = a.ID
		}
	}
	for _, m := range j.Model.Merges {
		var pair [2]string
		var s string
		if json.Unmarshal(m, &pair) == nil {
			s = pair[0] + " " + pair[1]
		} else if err := json.Unmarshal(m, &s); err != nil {
			return nil, err
		}
		t.Merges = append(t.Merges, s)
	}
	return t, nil
}

// Pad fills the vocabulary up to n tokens as converters do.
func (t *Tokenizer) Pad(n int) {
	for i := len(t.Tokens); i < n; i++ {
		t.Tokens = append(t.Tokens, fmt.Sprintf("[PAD%d]", i))
		if t.Types != nil {
			t.Types = append(t.Types, 5)
		}
		if t.Scores != nil {
			t.Scores = append(t.Scores, -1000)
		}
	}
	for i := range t.Tokens {
		if t.Tokens[i] == "" {
			t.Tokens[i], t.Types[i] = fmt.Sprintf("[PAD%d]", i), 5
		}
	}
}

// Grow fills a byte-level vocabulary up to n tokens with merges of its first ones, so that it takes the memory of a real one.
func (t *Tokenizer) Grow(n int) {
	have := make(map[string]bool, n)
	for _, text := range t.Tokens {
		have[text] = true
	}
	first := slices.Clone(t.Tokens)
	for i := 0; len(t.Tokens) < n; i++ {
		a, b := first[i/len(first)], first[i%len(first)]
		if t.Types[i/len(first)] == 1 && t.Types[i%len(first)] == 1 && !have[a+b] {
			have[a+b] = true
			t.Tokens, t.Types, t.Merges = append(t.Tokens, a+b), append(t.Types, 1), append(t.Merges, a+" "+b)
		}
	}
}

// Cut keeps n tokens: the first ones, which are bytes and the first merges, single characters, and the special tokens that
// matter for a chat, with new numbers behind them.
func (t *Tokenizer) Cut(n int) *Tokenizer {
	var special, plain []int
	for i, s := range t.Tokens {
		switch {
		case t.Types[i] == 3 || t.Types[i] == 4:
			if t.Model == "llama" {
				plain = append(plain, i)
			} else if !strings.Contains(s, "reserved") && !strings.HasPrefix(s, "[PAD") {
				special = append(special, i)
			}
		case t.Model == "llama" && (t.Types[i] != 1 || s == "▁" || len(s) == 1):
			plain = append(plain, i)
		}
	}
	room := n - len(special)
	keep := map[int]bool{}
	for _, i := range plain {
		keep[i] = true
	}
	for i := 0; len(keep) < room; i++ {
		if t.Types[i] == 1 {
			keep[i] = true
		}
	}
	c := *t
	c.Tokens, c.Scores, c.Types, c.Merges, c.IDs = nil, nil, nil, nil, map[string]int{}
	number := map[int]int{}
	add := func(i int) {
		number[i] = len(c.Tokens)
		c.Tokens, c.Types = append(c.Tokens, t.Tokens[i]), append(c.Types, t.Types[i])
		if t.Scores != nil {
			c.Scores = append(c.Scores, t.Scores[i])
		}
	}
	for i := range t.Tokens {
		if keep[i] {
			add(i)
		}
	}
	for _, i := range special {
		add(i)
	}
	for k, i := range t.IDs {
		if j, ok := number[i]; ok {
			c.IDs[k] = j
		}
	}
	have := map[string]bool{}
	for _, s := range c.Tokens {
		have[s] = true
	}
	for _, m := range t.Merges {
		a, b, _ := strings.Cut(m, " ")
		if have[a] && have[b] && have[a+b] {
			c.Merges = append(c.Merges, m)
		}
	}
	return &c
}

// Rename gives tokens other texts: "old=new,…". Set makes the token of a text the one that a key, such as eos_token_id,
// names. Both panic if there is no such token.
func (t *Tokenizer) Rename(pairs string) {
	for pair := range strings.SplitSeq(pairs, ",") {
		a, b, _ := strings.Cut(pair, "=")
		t.Tokens[t.id(a)] = b
	}
}

func (t *Tokenizer) Set(key, token string) { t.IDs[key] = t.id(token) }

func (t *Tokenizer) id(token string) int {
	i := slices.Index(t.Tokens, token)
	if i < 0 {
		panic(fmt.Sprintf("gengguf: no token %q", token))
	}
	return i
}

// write adds the pairs of the tokenizer.
func (t *Tokenizer) write(k *kvs) {
	k.add("tokenizer.ggml.model", t.Model)
	if t.Pre != "" {
		k.add("tokenizer.ggml.pre", t.Pre)
	}
	k.add("tokenizer.ggml.tokens", t.Tokens)
	if t.Scores != nil && t.Model == "llama" {
		k.add("tokenizer.ggml.scores", t.Scores)
	}
	if t.Types != nil {
		k.add("tokenizer.ggml.token_type", t.Types)
	}
	if t.Merges != nil {
		k.add("tokenizer.ggml.merges", t.Merges)
	}
	for _, n := range sorted(t.IDs) {
		k.add("tokenizer.ggml."+n, uint32(t.IDs[n]))
	}
	for _, n := range sorted(t.Flags) {
		k.add("tokenizer.ggml."+n, t.Flags[n])
	}
	if t.Template != "" {
		k.add("tokenizer.chat_template", t.Template)
	}
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
