package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"bootllama/internal/heap"
)

const shared = "../../shared/gguf/"

// vocabularies are those that goldens exist for, with the goldens. Of the others than Qwen's, the licences say who may have
// them: they are not in this repository.
var vocabularies = []struct{ file, goldens string }{
	{"../internal/gengguf/cut-qwen2.gguf", "testdata/tok-cut-qwen2.json"},
	{"../internal/gengguf/cut-qwen3.gguf", "testdata/tok-cut-qwen3.json"},
	{shared + "vocab/cut-llama3.gguf", shared + "tok-cut-llama3.json"},
	{shared + "vocab/cut-spm.gguf", shared + "tok-cut-spm.json"},
	{shared + "vocab/cut-smollm.gguf", shared + "tok-cut-smollm.json"},
	{shared + "vocab-full/ggml-vocab-llama-bpe.gguf.gz", shared + "tok-llama-bpe.json"},
	{shared + "vocab-full/ggml-vocab-llama-spm.gguf.gz", shared + "tok-llama-spm.json"},
	{shared + "vocab-full/ggml-vocab-qwen2.gguf.gz", shared + "tok-qwen2.json"},
	{shared + "vocab-full/qwen3.gguf.gz", shared + "tok-qwen3.json"},
	{shared + "vocab-full/smollm-standin.gguf.gz", shared + "tok-smollm-standin.json"},
}

// skipWithout skips a test whose file is not there.
func skipWithout(t testing.TB, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Skipf("%v: not in the repository, for its licence", err)
	}
}

// golden is a text and what llama.cpp's llama_tokenize makes of it.
type golden struct {
	Text         string
	Special, BOS bool
	IDs          []int
}

func goldens(t testing.TB, name string) (g []golden) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGoldens(t *testing.T) {
	for _, v := range vocabularies {
		t.Run(filepath.Base(v.file), func(t *testing.T) {
			skipWithout(t, v.file)
			compare(t, read(t, v.file), goldens(t, v.goldens))
		})
	}
}

// compare compares with llama.cpp.
func compare(t *testing.T, tok *Tokenizer, cases []golden) {
	t.Helper()
	if len(cases) == 0 {
		t.Error("no cases")
	}
	for _, c := range cases {
		tok := tok
		if c.Special {
			tok = tok.Special()
		}
		ids, err := tok.Encode(c.Text, c.BOS, false)
		if err != nil || !slices.Equal(ids, c.IDs) {
			t.Errorf("%q: %v\n got %v\nwant %v", c.Text, err, ids, c.IDs)
		}
	}
}

// TestEnds: the tokens that end an answer are llama.cpp's (llama_vocab_is_eog).
func TestEnds(t *testing.T) {
	for i, want := range [][]int{
		{509, 511}, {486, 488, 505, 506, 507}, {508, 511}, {2}, {474, 476, 478},
		{128001, 128009}, {2}, {128247, 151643, 151645}, {128247, 151643, 151645, 151662, 151663, 151664}, {0, 2, 4},
	} {
		t.Run(filepath.Base(vocabularies[i].file), func(t *testing.T) {
			skipWithout(t, vocabularies[i].file)
			tok := read(t, vocabularies[i].file)
			var got []int
			for id := range tok.VocabSize() {
				if tok.Ends(id) {
					got = append(got, id)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d, want %d", got, want)
			}
		})
	}
}

// decode returns the bytes of tokens.
func decode(tok *Tokenizer, ids []int) string {
	var b strings.Builder
	prev := -1
	for _, id := range ids {
		b.WriteString(tok.Decode(prev, id))
		prev = id
	}
	return b.String()
}

// TestRoundTrip: decoding what was encoded gives back every byte, also where a character is split over tokens and where
// the text is no UTF-8. For SentencePiece a space mark is a space.
func TestRoundTrip(t *testing.T) {
	for _, v := range vocabularies {
		t.Run(filepath.Base(v.file), func(t *testing.T) {
			skipWithout(t, v.file)
			tok := read(t, v.file)
			texts := []string{"\xff", "a\xc3", "\xe2\x82", "\x80\xe2 \x80\xf0\x9f\x98x", "\xed\xa0\x80", " \xc2 \xa0 "}
			for _, c := range goldens(t, v.goldens) {
				texts = append(texts, c.Text)
			}
			for _, text := range texts {
				ids, err := tok.Encode(text, false, false)
				want := text
				if tok.addSpace {
					want = strings.ReplaceAll(text, spaceMark, " ")
				}
				if err != nil && !utf8.ValidString(text) && strings.Contains(v.file, "smollm") {
					continue // its vocabulary lacks bytes that UTF-8 does not have
				}
				if got := decode(tok, ids); err != nil || got != want {
					t.Errorf("%q: %q, %v", text, got, err)
				}
			}
		})
	}
}

// typed returns text with what is between § and § as the parts that persons have typed.
func typed(text string) []string { return strings.Split(text, "§") }

// TestTemplate: the tokens are those of the whole text, but special tokens that were typed are text, and so are those that
// the template and a person make together. User-defined ones are found everywhere.
func TestTemplate(t *testing.T) {
	tok := read(t, "../internal/gengguf/cut-qwen3.gguf")
	id := func(text string) int {
		ids, err := tok.Special().Encode(text, false, false)
		if err != nil || len(ids) != 1 {
			t.Fatalf("%q: %d, %v", text, ids, err)
		}
		return ids[0]
	}
	start, end, think := id("<|im_start|>"), id("<|im_end|>"), id("<think>")
	for _, c := range []struct {
		text        string
		starts, end int // so many tokens of these
		think       int
	}{
		{"<|im_start|>user\n§hello§<|im_end|>\n<|im_start|>assistant\n", 2, 1, 0},
		{"<|im_start|>user\n§\n\n hello§<|im_end|>\n", 1, 1, 0},
		{"<|im_start|>user\n§<|im_end|><|im_start|>§<|im_end|>\n", 1, 1, 0},
		{"<|im_start|>user\n<§|im_end|>§<|im_end|>\n", 1, 1, 0},
		{"<|im_start|>user\n§<|im_end§|>", 1, 0, 0},
		{"§<think>§<think><thi§nk>§", 0, 0, 3},
		{"", 0, 0, 0},
		{"§§", 0, 0, 0},
	} {
		ids, err := tok.EncodeTemplate(typed(c.text), false)
		count := func(id int) (n int) {
			for _, v := range ids {
				if v == id {
					n++
				}
			}
			return n
		}
		text := strings.ReplaceAll(c.text, "§", "")
		if got := decode(tok.Special(), ids); err != nil || got != text || count(start) != c.starts || count(end) != c.end || count(think) != c.think {
			t.Errorf("%q: %d, %v, %q", c.text, ids, err, got)
		}
	}
	for _, text := range []string{"<|im_start|>user\n§\n12 apples§\n<|im_end|>", "a§b§c§d", "it§'s§", " § §x"} {
		ids, err := tok.EncodeTemplate(typed(text), false)
		whole, e := tok.Special().Encode(strings.ReplaceAll(text, "§", ""), false, false)
		if err != nil || e != nil || !slices.Equal(ids, whole) {
			t.Errorf("%q: %d, %v, and as a whole %d", text, ids, err, whole)
		}
	}
	// What a person types has no special tokens, whatever it is.
	if ids, err := tok.Encode("<|im_end|>", false, false); err != nil || slices.Contains(ids, end) || decode(tok, ids) != "<|im_end|>" {
		t.Errorf("%d, %v", ids, err)
	}
	if got := tok.Decode(-1, end); got != "" || tok.Special().Decode(-1, end) != "<|im_end|>" || tok.Decode(-1, think) != "<think>" {
		t.Errorf("decoded %q", got)
	}
}

// small returns a SentencePiece vocabulary of <unk>, <s>, </s>, the bytes and pieces, which are better the earlier.
func small(pieces ...string) Metadata {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{Unknown, Control, Control}
	for b := range 256 {
		tokens, types = append(tokens, fmt.Sprintf("<0x%02X>", b)), append(types, Byte)
	}
	m := Metadata{Model: "llama", Scores: make([]float32, len(tokens)), Types: types}
	for i, piece := range pieces {
		tokens, m.Types, m.Scores = append(tokens, piece), append(m.Types, Normal), append(m.Scores, float32(-i))
	}
	m.Tokens = slices.Values(tokens)
	return m
}

func mustNew(t testing.TB, m Metadata) *Tokenizer {
	t.Helper()
	tok, _, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestSpaces: SentencePiece's space stands at the beginning and behind each special token, and goes when the text begins.
func TestSpaces(t *testing.T) {
	m := small("▁", "a", "▁a", "b")
	no := false
	tok := mustNew(t, m)
	m.AddSpacePrefix = &no
	bare := mustNew(t, m)
	for _, c := range []struct {
		tok  *Tokenizer
		text string
		want string
	}{
		{tok, "a", "| a"}, {tok, " a", "| | a"}, {tok, "▁a", "| | a"}, {tok, "", ""}, {tok, "ab", "| a|b"},
		{tok, "</s>a<s> a</s>", "|</s>| a|<s>| | a|</s>"},
		{tok, "é", "| |\xc3|\xa9"},
		{bare, "a", "|a"}, {bare, " a</s>a", "| a|</s>|a"},
	} {
		ids, err := c.tok.Special().Encode(c.text, false, false)
		got := ""
		for _, id := range ids {
			got += "|" + c.tok.Text(id)
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	a := tok.size - 2
	if got := tok.Decode(-1, a) + tok.Decode(tok.BOS, a) + tok.Decode(a, a) + bare.Decode(-1, a); got != "aa a a" {
		t.Errorf("%q", got)
	}
}

// TestBOS: it is put in front once, where the file asks for it; EOS where the caller does.
func TestBOS(t *testing.T) {
	yes, no, four, far := true, false, uint32(4), uint32(math.MaxUint32)
	for _, c := range []struct {
		name string
		set  func(*Metadata)
		text string
		bos  bool
		want []int
	}{
		{"asked for", func(*Metadata) {}, "<s>", true, []int{1}},
		{"asked for, and text", func(*Metadata) {}, "</s>", true, []int{1, 2}},
		{"not asked for", func(*Metadata) {}, "</s>", false, []int{2}},
		{"the file does without", func(m *Metadata) { m.AddBOS = &no }, "</s>", true, []int{2}},
		{"another id", func(m *Metadata) { m.BOS = &four }, "</s>", true, []int{4, 2}},
		{"none", func(m *Metadata) { m.BOS, m.AddBOS = &far, &yes }, "</s>", true, []int{2}},
	} {
		m := small("▁")
		c.set(&m)
		if got, err := mustNew(t, m).Special().Encode(c.text, c.bos, false); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d, %v, want %d", c.name, got, err, c.want)
		}
	}
	tok := mustNew(t, small("▁"))
	if got, err := tok.Encode("", true, true); err != nil || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%d, %v", got, err)
	}
}

// TestFaults: one clear error names the key; what is merely odd is a warning.
func TestFaults(t *testing.T) {
	qwen := func() Metadata { return metadata(t, "../internal/gengguf/cut-qwen2.gguf") }
	far, nan := uint32(1<<20), float32(math.NaN())
	for _, c := range []struct {
		name string
		m    Metadata
		set  func(*Metadata)
		want string // the error; with "warning: " before it, a warning
	}{
		{"another model", small(), func(m *Metadata) { m.Model = "bert" }, `tokenizer.ggml.model is "bert": llama and gpt2 are implemented`},
		{"another rule", qwen(), func(m *Metadata) { m.Pre = "tekken" }, `tokenizer.ggml.pre is "tekken", which is not implemented`},
		{"no rule", qwen(), func(m *Metadata) { m.Pre = "" }, "warning: the file does not say how"},
		{"no tokens", small(), func(m *Metadata) { m.Tokens = slices.Values([]string(nil)) }, "tokenizer.ggml.tokens is missing or empty"},
		{"tokens not there", Metadata{Model: "llama"}, func(*Metadata) {}, "tokenizer.ggml.tokens is missing or empty"},
		{"no scores", small(), func(m *Metadata) { m.Scores = nil }, "tokenizer.ggml.scores has 0 values for 259 tokens"},
		{"a score", small("a"), func(m *Metadata) { m.Scores[259] = nan }, "tokenizer.ggml.scores[259] is not a number"},
		{"few types", small(), func(m *Metadata) { m.Types = m.Types[:7] }, "tokenizer.ggml.token_type has 7 values, too few"},
		{"many types", small(), func(m *Metadata) { m.Types = append(m.Types, 1) }, "tokenizer.ggml.token_type has 260 values for 259 tokens"},
		{"a type", small(), func(m *Metadata) { m.Types[5] = 7 }, "tokenizer.ggml.token_type[5] is 7, must be 0 to 6"},
		{"an undefined type", small("a"), func(m *Metadata) { m.Types[259] = Undefined }, ""},
		{"a negative type", small(), func(m *Metadata) { m.Types[5] = -1 }, "tokenizer.ggml.token_type[5] is -1"},
		{"a byte that is none", small("<0x-1>"), func(m *Metadata) { m.Types[259] = Byte }, `tokenizer.ggml.tokens[259] is "<0x-1>" and token_type[259] says that it is a byte`},
		{"twice", small("a", "b", "a"), func(*Metadata) {}, `tokenizer.ggml.tokens[259] and [261] are both "a"`},
		{"not UTF-8", small("\xff\xfe"), func(*Metadata) {}, ""},
		{"no merges", qwen(), func(m *Metadata) { m.Merges = nil }, "tokenizer.ggml.merges is missing"},
		{"a merge", qwen(), func(m *Metadata) { m.Merges = slices.Values([]string{"a b", "ab"}) }, `tokenizer.ggml.merges[1] is "ab", must be two pieces`},
		{"an empty merge", qwen(), func(m *Metadata) { m.Merges = slices.Values([]string{""}) }, `tokenizer.ggml.merges[0] is "", must be`},
		{"a merge of what is no letter", qwen(), func(m *Metadata) { m.Merges = slices.Values([]string{"\x01 b"}) }, `tokenizer.ggml.merges[0] is "\x01 b", must be`},
		{"BOS", small(), func(m *Metadata) { m.BOS = &far }, "warning: tokenizer.ggml.bos_token_id is 1048576 and there are 259 tokens"},
		{"EOS", small(), func(m *Metadata) { m.EOS = &far }, "warning: tokenizer.ggml.eos_token_id is 1048576"},
		{"fine", small(), func(*Metadata) {}, ""},
	} {
		c.set(&c.m)
		tok, warnings, err := New(c.m)
		got := strings.Join(warnings, "\n")
		if got != "" {
			got = "warning: " + got
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || (err == nil) != (tok != nil) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	tok := mustNew(t, func() Metadata { m := small(); m.BOS, m.EOS = &far, &far; return m }())
	if ids, err := tok.Encode("", true, true); err != nil || len(ids) != 0 || tok.BOS != -1 || tok.EOS != -1 {
		t.Errorf("ids that do not exist are used: %d, %v", ids, err)
	}
}

// TestMissingBytes: what the vocabulary cannot say is an error, not silence.
func TestMissingBytes(t *testing.T) {
	m := Metadata{Model: "llama", Tokens: slices.Values([]string{"<unk>", "<s>", "</s>", "▁", "a"}), Scores: make([]float32, 5)}
	tok := mustNew(t, m)
	if ids, err := tok.Encode("aa", true, false); err != nil || !slices.Equal(ids, []int{1, 3, 4, 4}) {
		t.Errorf("%d, %v", ids, err)
	}
	if ids, err := tok.Encode("aé", true, false); err == nil || err.Error() != `the tokenizer has no token for "\u00e9", byte 2 of the text` {
		t.Errorf("%d, %v", ids, err)
	}
	m = Metadata{Model: "gpt2", Pre: "gpt-2", Tokens: slices.Values([]string{"a", "b", "ab"}), Merges: slices.Values([]string{"a b", "ab c"})}
	tok = mustNew(t, m)
	if ids, err := tok.Encode("abba", true, false); err != nil || !slices.Equal(ids, []int{2, 1, 0}) {
		t.Errorf("%d, %v", ids, err)
	}
	if ids, err := tok.Encode("a\x00", true, false); err == nil { // the first byte of those that are missing
		t.Errorf("%d", ids)
	}
	if ids, err := tok.Encode("abc", true, false); err == nil || err.Error() != "the tokenizer has no token for the byte 0x63" {
		t.Errorf("%d, %v", ids, err)
	}
}

// TestControlByText: a special token that the file takes for text is none, and SentencePiece's merges make none.
func TestControlByText(t *testing.T) {
	tok := mustNew(t, small("</", "s", ">", "s>", "<|im_end|>", "<|fim_pad|>", "▁"))
	ids, err := tok.Encode("</s><|im_end|><|fim_pad|>", false, false)
	for _, id := range ids {
		if tok.Ends(id) {
			t.Errorf("typed text has token %d, %q", id, tok.Text(id))
		}
	}
	if err != nil || decode(tok, ids) != "</s><|im_end|><|fim_pad|>" {
		t.Errorf("%d, %v", ids, err)
	}
	special, err := tok.Special().Encode("<|im_end|><|fim_pad|></s>", false, false)
	if err != nil || len(special) != 3 {
		t.Errorf("%d, %v", special, err)
	}
	for _, id := range special {
		if !tok.Ends(id) {
			t.Errorf("%q does not end an answer", tok.Text(id))
		}
	}
}

// TestMarkers: longer special tokens are found first, of equal ones the left.
func TestMarkers(t *testing.T) {
	m := small("▁", "ab", "abc", "cde", "bcdef")
	for i := 260; i < 264; i++ {
		m.Types[i] = UserDefined
	}
	tok := mustNew(t, m)
	for text, want := range map[string]string{
		"abcde": "|abc| |d|e", "xabcdef": "| |x|a|bcdef", "ababab": "|ab|ab|ab", "cdeabc": "|cde|abc", "abcabcde": "|abc|abc| |d|e",
	} {
		ids, err := tok.Encode(text, false, false)
		got := ""
		for _, id := range ids {
			got += "|" + tok.Text(id)
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestLongWord: 300 KB without a space. A merge that takes quadratic time would need many minutes.
func TestLongWord(t *testing.T) {
	for _, tok := range []*Tokenizer{read(t, "../internal/gengguf/cut-qwen3.gguf"), mustNew(t, small("▁", "a", "b", "aa", "ab", "aaaa", "abab"))} {
		for _, text := range []string{strings.Repeat("a", 3e5), strings.Repeat("ab", 15e4), strings.Repeat("\xff", 3e5), strings.Repeat("<|im_end|>", 3e4)} {
			ids, err := tok.Encode(text, false, false)
			if err != nil || decode(tok, ids) != text {
				t.Errorf("%.20q: %d tokens, %v", text, len(ids), err)
			}
		}
	}
}

// TestSize: a vocabulary of 152,000 is a few MiB of heap.
func TestSize(t *testing.T) {
	const name = shared + "vocab-full/qwen3.gguf.gz"
	skipWithout(t, name)
	m := metadata(t, name)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tok := mustNew(t, m)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(m)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > 10<<20 {
		t.Errorf("%d tokens take %d bytes", tok.VocabSize(), got)
	}
	token, piece := 0, ""
	if n := testing.AllocsPerRun(100, func() { piece = tok.Decode(token, token+1); token++ }); n != 0 || piece == "" {
		t.Errorf("Decode: %g allocations", n)
	}
}

// FuzzEncode: every text can be encoded, and decoding gives it back.
func FuzzEncode(f *testing.F) {
	toks := []*Tokenizer{read(f, "../internal/gengguf/cut-qwen2.gguf"), read(f, "../internal/gengguf/cut-qwen3.gguf"), mustNew(f, small("▁", "a", "▁a", "aa", "é", "▁▁", "s>", "</"))}
	for _, pre := range []string{"llama-bpe", "smollm", "gpt-2", "default"} {
		m := metadata(f, "../internal/gengguf/cut-qwen3.gguf")
		m.Pre = pre
		toks = append(toks, mustNew(f, m))
	}
	for _, c := range goldens(f, "testdata/tok-cut-qwen3.json") {
		f.Add(c.Text, c.Text)
	}
	f.Add("\xff▁", "\xf0\x9f")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, tok := range toks {
			want := a + b
			if tok.addSpace {
				want = strings.ReplaceAll(want, spaceMark, " ")
			}
			ids, err := tok.Encode(a+b, false, false)
			if got := decode(tok, ids); err != nil || got != want {
				t.Fatalf("%q: %q, %v", a+b, got, err)
			}
			for _, id := range ids {
				if tok.types[id] == Control {
					t.Fatalf("%q has the special token %d", a+b, id)
				}
			}
			if ids, err = tok.EncodeTemplate([]string{a, b}, false); err != nil {
				t.Fatal(err)
			}
			s := tok.Special()
			if got := decode(s, ids); !tok.addSpace && got != a+b {
				t.Fatalf("%q, %q: %q", a, b, got)
			}
		}
	})
}

// FuzzNew: any vocabulary is one that works or an error. The tokens and merges are lines; types and scores are bytes.
func FuzzNew(f *testing.F) {
	f.Add(true, "", "<unk>\n<s>\n</s>\n▁\na\n▁a\n<0x0A>", "", "\x02\x03\x03\x01\x01\x01\x06", "a a")
	f.Add(false, "gpt-2", "a\nb\nab\nĠ\n<x>\n\n\xff", "a b\nĠ ab\nc d", "\x01\x01\x01\x01\x04\x01\x01", "abc <x>")
	f.Add(true, "", "a", "", "\x01", "")
	f.Fuzz(func(t *testing.T, spm bool, pre, tokens, merges, types, text string) {
		list := strings.Split(tokens, "\n")
		m := Metadata{Model: "gpt2", Pre: pre, Tokens: slices.Values(list), Merges: slices.Values(strings.Split(merges, "\n"))}
		if spm {
			m.Model = "llama"
		}
		for i := range types {
			m.Types = append(m.Types, int32(types[i]))
			m.Scores = append(m.Scores, float32(types[len(types)-1-i]))
		}
		var tok *Tokenizer
		var err error
		heap.Check(t, len(tokens)+len(merges)+len(types), 256, func() { tok, _, err = New(m) })
		if err != nil {
			return
		}
		for id := range tok.VocabSize() {
			tok.Decode(-1, id)
			tok.Special().Decode(id, id)
		}
		for _, tok := range []*Tokenizer{tok, tok.Special()} {
			var ids []int
			var err error
			heap.Check(t, len(text), 512, func() { ids, err = tok.Encode(text, true, true) })
			for _, id := range ids {
				if err == nil && (id < 0 || id >= tok.VocabSize()) {
					t.Fatalf("%q: %d", text, ids)
				}
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for _, v := range vocabularies[5:] {
		b.Run(filepath.Base(v.file), func(b *testing.B) {
			skipWithout(b, v.file)
			m := metadata(b, v.file)
			for b.Loop() {
				if _, _, err := New(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, v := range vocabularies[5:] {
		for name, text := range map[string]string{"word": strings.Repeat("a", 1e5), "words": strings.Repeat("The quick brown fox, 12 of them. ", 3e3)} {
			b.Run(filepath.Base(v.file)+"/"+name, func(b *testing.B) {
				skipWithout(b, v.file)
				tok := read(b, v.file)
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if _, err := tok.Encode(text, false, false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestScores: pieces merge in the order of their scores, whatever their signs.
func TestScores(t *testing.T) {
	inf := float32(math.Inf(1))
	scores := []float32{inf, 1e30, 3, 1, 1e-40, 0, -1e-40, -1, -3, -inf}
	for i, score := range scores[1:] {
		if descending(scores[i]) >= descending(score) {
			t.Errorf("%g does not come before %g", scores[i], score)
		}
	}
	if descending(0) != descending(float32(math.Copysign(0, -1))) {
		t.Error("0 and -0 differ")
	}
}

// TestLongRuns: a run of characters of a class is one word, however long.
func TestLongRuns(t *testing.T) {
	for _, pre := range []string{"llama-bpe", "qwen2", "smollm", "gpt-2", "default"} {
		r, _ := ruleOf(pre)
		for _, word := range []string{strings.Repeat("é", 1000), strings.Repeat("\U0001f600", 1000), strings.Repeat("\t", 1000)} {
			if n := len(slices.Collect(r.words(word))); n != 1 {
				t.Errorf("%s: %.5q… is %d words", pre, word, n)
			}
		}
	}
	standard, _ := ruleOf("")
	if words := slices.Collect(standard.words("a1234567!?b  c")); !slices.Equal(words, []string{"a", "123", "456", "7", "!?", "b", " ", " c"}) {
		t.Errorf("%q", words)
	}
}

// TestConversations: the ids of 24 conversations as Jinja renders them are llama.cpp's, with what was said as typed text.
func TestConversations(t *testing.T) {
	const name = shared + "templates.json"
	skipWithout(t, name)
	var conversations []struct {
		Template, Prompt string
		Messages         []struct{ Content string }
		IDs              []int
	}
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &conversations)
	}
	if err != nil || len(conversations) == 0 {
		t.Fatal(err)
	}
	toks := map[string]*Tokenizer{}
	for _, c := range conversations {
		tok := toks[c.Template]
		if tok == nil {
			file := map[string]string{"llama32": "ggml-vocab-llama-bpe", "qwen25": "qwen3", "qwen3": "qwen3",
				"smollm2": "smollm-standin", "tinyllama": "ggml-vocab-llama-spm"}[c.Template]
			tok = read(t, shared+"vocab-full/"+file+".gguf.gz")
			toks[c.Template] = tok
		}
		var parts []string
		rest := c.Prompt
		for _, m := range c.Messages {
			if before, after, ok := strings.Cut(rest, m.Content); ok && m.Content != "" {
				parts, rest = append(parts, before, m.Content), after
			}
		}
		parts = append(parts, rest)
		for _, parts := range [][]string{parts, {c.Prompt}} {
			if ids, err := tok.EncodeTemplate(parts, false); err != nil || !slices.Equal(ids, c.IDs) {
				t.Errorf("%s %q: %v\n got %d\nwant %d", c.Template, parts, err, ids, c.IDs)
			}
		}
	}
}
