package llama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/cputime"
	"bootllama/internal/heap"
)

func randomTok(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := LoadTokenizer(randomTokenizer, 300)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// quadratic is run.c's way to encode, all pairs anew after each merge: the twin
// of Encode. ok is false where run.c would read outside its tables.
func quadratic(t *Tokenizer, text string, bos, eos bool) (tokens []int, ok bool) {
	ids := make(map[string]int)
	for id, piece := range slices.Backward(t.vocab) {
		ids[piece] = id // the first of equals
	}
	lookup := func(s string) int {
		if id, ok := ids[s]; ok {
			return id
		}
		return -1
	}
	if bos {
		tokens = append(tokens, t.BOS)
	}
	if text != "" {
		tokens = append(tokens, lookup(" "))
	}
	var buf []byte
	for i := 0; i < len(text); i++ {
		if text[i]&0xc0 != 0x80 {
			buf = nil
		}
		buf = append(buf, text[i])
		if i+1 < len(text) && text[i+1]&0xc0 == 0x80 && len(buf) < 4 {
			continue
		}
		if id := lookup(string(buf)); id != -1 {
			tokens = append(tokens, id)
		} else {
			for _, b := range buf {
				tokens = append(tokens, int(b)+3)
			}
		}
		buf = nil
	}
	for _, id := range tokens {
		if id < 0 || id >= len(t.vocab) {
			return nil, false
		}
	}
	for {
		bestScore, bestID, bestIdx := float32(-1e10), -1, -1
		for i := 0; i+1 < len(tokens); i++ {
			id := lookup(t.vocab[tokens[i]] + t.vocab[tokens[i+1]])
			if id != -1 && t.scores[id] > bestScore {
				bestScore, bestID, bestIdx = t.scores[id], id, i
			}
		}
		if bestIdx == -1 {
			break
		}
		tokens[bestIdx] = bestID
		tokens = slices.Delete(tokens, bestIdx+1, bestIdx+2)
	}
	if eos {
		tokens = append(tokens, t.EOS)
	}
	return tokens, true
}

func TestEncode(t *testing.T) {
	tok := randomTok(t)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{"\n<s>\n"}},
		{" ", []string{"\n<s>\n", " ", " "}},
		{"the", []string{"\n<s>\n", " the"}},
		{"once and once", []string{"\n<s>\n", " once", " and", " once"}},
		{"aaaaa", []string{"\n<s>\n", " ", "aaaa", "a"}}, // the leftmost of equals first
		{"éx", []string{"\n<s>\n", " ", "é", "<0x78>"}},
		{"\u65e5\u672c", []string{"\n<s>\n", " ", "日", "<0xE6>", "<0x9C>", "<0xAC>"}},
		{"\xa9\xc3", []string{"\n<s>\n", " ", "<0xA9>", "<0xC3>"}},
		{"\xc3\xa9\xa9", []string{"\n<s>\n", " ", "<0xC3>", "<0xA9>", "<0xA9>"}},
		{"\xf0\x9f\x99\x82\x82", []string{"\n<s>\n", " ", "🙂", "<0x82>"}},
	} {
		ids, err := tok.Encode(c.text, true, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range ids {
			got = append(got, tok.vocab[id])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
	if ids, err := tok.Encode("", false, true); err != nil || !slices.Equal(ids, []int{eos}) {
		t.Errorf("empty text with eos alone: %v, %v", ids, err)
	}
}

// TestEncodeLongPrompt: the time is linear, but for the depth of a heap, in the length of the text.
// TestFirstToken: token 0 is <unk> in published vocabularies; it may be a piece like any other.
func TestFirstToken(t *testing.T) {
	tok := *randomTok(t)
	space, _ := tok.lookup(" ")
	tok.vocab = slices.Clone(tok.vocab)
	tok.vocab[0], tok.vocab[space] = tok.vocab[space], tok.vocab[0]
	tok.sorted = slices.Clone(tok.sorted)
	slices.SortFunc(tok.sorted, func(a, b int32) int { return strings.Compare(tok.vocab[a], tok.vocab[b]) })
	if got, err := tok.Encode("\x01", false, false); err != nil || len(got) != 2 || got[0] != 0 {
		t.Errorf("a space, which is token 0, and a byte are %v, %v", got, err)
	}
}

func TestEncodeLongPrompt(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the race detector takes longer (-short)")
	}
	tok := randomTok(t)
	for _, unit := range []string{"a", "once the ", "\x80"} {
		growth := cputime.Growth(t, 8000, func(n int) {
			if _, err := tok.Encode(strings.Repeat(unit, n/len(unit)), true, false); err != nil {
				t.Fatal(err)
			}
		})
		if !(growth < 64) {
			t.Errorf("%q, 16 times as often, takes %.0f times as long", unit, growth)
		}
	}
}

// TestEncodeWithoutByteTokens: what run.c looks up outside its tables is an error.
func TestEncodeWithoutByteTokens(t *testing.T) {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, int32(8))
	for _, p := range []string{"<unk>", "<s>", "</s>", "x"} {
		binary.Write(&b, binary.LittleEndian, []int32{0, int32(len(p))})
		b.WriteString(p)
	}
	tok, err := ReadTokenizer(bytes.NewReader(b.Bytes()), int64(b.Len()), "t", 4)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tok.Encode("x", true, false)
	wantError(t, err, "no token for a space")
	tok.vocab[eos] = " " // the first in order, as "</s>" was
	_, err = tok.Encode("xxé", true, false)
	wantError(t, err, `no token for "\u00e9"|byte 2 `)
}

func TestDecode(t *testing.T) {
	tok := randomTok(t)
	tok.vocab = append(tok.vocab, "<0x4", "<0x", "<0x4142", " <0x43>", "<0xg>")
	for _, c := range []struct {
		prev int
		want string
		text string
	}{
		{0, " the", " the"}, {bos, " the", "the"}, {0, "the", "the"}, {bos, " ", ""},
		{0, "<0x0A>", "\n"}, {0, "<0xFF>", "\xff"}, {0, "<0x00>", "\x00"}, {0, "<unk>", "<unk>"},
		{0, "<0x4", "\x04"}, {0, "<0x", "<0x"}, {0, "<0x4142", "A"}, {bos, " <0x43>", "C"}, {0, " <0x43>", " <0x43>"}, {0, "<0xg>", "<0xg>"},
	} {
		if got := tok.Decode(c.prev, slices.Index(tok.vocab, c.want)); got != c.text {
			t.Errorf("%q after %d: %q, want %q", c.want, c.prev, got, c.text)
		}
	}
}

func TestBadTokenizer(t *testing.T) {
	good := tokenizerBytes(300)
	set := func(offset int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[offset:], v)
		return b
	}
	// Token 0, <unk>, is at 4; token 1 at 4+8+5.
	for _, c := range []struct {
		name  string
		b     []byte
		vocab int
		want  string
	}{
		{"empty", nil, 300, "t: offset 0:|0 bytes|300 tokens"},
		{"another model's, smaller", good, 32000, "t: offset 0:|too few|32000 tokens|another model's"},
		{"another model's, a little smaller", good, 301, "t: offset 4048:|after 300|301 tokens|another model's"},
		{"another model's, larger", good, 299, "t: offset 4037:|11 bytes follow|299 tokens|another model"},
		{"truncated", good[:len(good)-1], 300, "t: offset 4045:|within token 299 of"},
		{"truncated before a token", good[:len(good)-11], 300, "t: offset 4037:|after 299 "},
		{"one byte more", append(bytes.Clone(good), 0), 300, "t: offset 4048:|1 bytes follow"},
		{"max_token_length 0", set(0, 0), 300, "t: offset 0:|max_token_length is 0"},
		{"max_token_length huge", set(0, 1<<30), 300, "t: offset 0:|max_token_length is 1073741824"},
		{"max_token_length negative", set(0, 1<<31), 300, "t: offset 0:|max_token_length is -2147483648"},
		{"length 0", set(8, 0), 300, "t: offset 8:|length of token 0 is 0"},
		{"length negative", set(21, 0xffffffff), 300, "t: offset 21:|length of token 1 is -1"},
		{"length huge", set(21, 9), 300, "t: offset 21:|length of token 1 is 9"},
		{"score", set(17, math.Float32bits(float32(math.NaN()))), 300, "t: offset 17:|score of token 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadTokenizer(bytes.NewReader(c.b), int64(len(c.b)), "t", c.vocab)
			wantError(t, err, c.want)
		})
	}
	// What is just allowed: pieces of one byte, and a limit that no piece reaches.
	short := append([]byte{1, 0, 0, 0}, bytes.Repeat([]byte{0, 0, 0, 0, 1, 0, 0, 0, 'x'}, 3)...)
	for _, b := range [][]byte{short, set(0, uint32(len(good)))} {
		vocab := 300
		if len(b) == len(short) {
			vocab = 3
		}
		if _, err := ReadTokenizer(bytes.NewReader(b), int64(len(b)), "t", vocab); err != nil {
			t.Error(err)
		}
	}
	_, err := ReadTokenizer(bytes.NewReader(good[:100]), int64(len(good)), "t", 300)
	wantError(t, err, "t: offset 100:|ends here")
	_, err = LoadTokenizer("testdata/missing.bin", 300)
	if wantError(t, err, "missing.bin"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

// FuzzTokenizer: any file is a tokenizer that works or one clear error, and takes no memory beyond it.
func FuzzTokenizer(f *testing.F) {
	for _, n := range []int{3, 5, 263} {
		f.Add(tokenizerBytes(n), n, "a\x80")
	}
	f.Add([]byte("\x02\x00\x00\x00"+strings.Repeat("\x00\x00\x00\x00\x01\x00\x00\x00\x00", 3)), 3, "") // pieces that C takes for empty
	f.Add(tokenizerBytes(262)[:900], 262, "")
	f.Fuzz(func(t *testing.T, b []byte, vocabSize int, text string) {
		if vocabSize <= eos || vocabSize > 1<<16 {
			return
		}
		var tok *Tokenizer
		var err error
		heap.Check(t, len(b), 64, func() { tok, err = ReadTokenizer(bytes.NewReader(b), int64(len(b)), "t", vocabSize) })
		if err != nil {
			wantError(t, err, "t: offset ")
			return
		}
		for id := range vocabSize {
			tok.Decode(bos, id)
		}
		compareEncode(t, tok, text, false)
	})
}

// FuzzEncode: Encode gives the tokens of run.c's way, for any text.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "once the aaaaaaa and then", "é日🙂ééé", "\x80\x80\x80\x80\x80\xc3", "\xf0\x9f\x99", "the\x00the", "<0x41>\n<s>\n </s>"} {
		f.Add(s)
	}
	tok := randomTok(f)
	f.Fuzz(func(t *testing.T, text string) { compareEncode(t, tok, text, true) })
}

// compareEncode compares Encode with its twin. mustWork: the tokenizer has byte
// tokens, so that no text is an error.
func compareEncode(t *testing.T, tok *Tokenizer, text string, mustWork bool) {
	if len(text) > 300 {
		return
	}
	want, ok := quadratic(tok, text, true, true)
	got, err := tok.Encode(text, true, true)
	if ok != (err == nil) || (mustWork && !ok) {
		t.Fatalf("%q: error %v, run.c's way works: %v", text, err, ok)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%q: %v, want %v", text, got, want)
	}
}
