package bpe

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"bootllama"
	"bootllama/internal/cputime"
)

// TestWords: what a word is.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"Once upon", []string{" Once", " upon"}},
		{" Once  upon ", []string{" ", " Once", " ", " upon", " "}},
		{`"Hi," said he. "7 o'clock!"`, []string{` "`, "Hi", ",", `"`, " said", " he", ".", ` "`, "7", " o", "'", "clock", "!", `"`}},
		{"a1 23", []string{" a", "1", " ", "2", "3"}},
		{"one\n\n two\ttabs", []string{" one", "\n", "\n", " two", "\t", "tabs"}},
		{"été “日本”", []string{" été", " “", "日本", "”"}},
		{"e\u0301\u00a0x \u0666", []string{" e\u0301", "\u00a0", "x", " ", "\u0666"}},
		{"a\x80b\xc3", []string{" ", "a\x80", "b", "\xc3"}},
		{"\x80\x80\x80\x80\x80a", []string{" ", "\x80\x80\x80\x80", "\x80", "a"}},
		{"\ufffd\x00", []string{" \ufffd", "\x00"}},
	} {
		if got := slices.Collect(spacedWords(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// FuzzWords: nothing of a text is lost, and a piece that is one word goes beyond no word of a text
// that has it.
func FuzzWords(f *testing.F) {
	for _, text := range nasty {
		f.Add(text, " t")
	}
	f.Fuzz(func(t *testing.T, text, piece string) {
		ends := map[int]bool{}
		n := 0
		for word := range words(text) {
			if word == "" {
				t.Fatalf("%q: an empty word at %d", text, n)
			}
			n += len(word)
			ends[n] = true
		}
		if joined := strings.Join(slices.Collect(words(text)), ""); joined != text {
			t.Fatalf("%q: the words are %q", text, joined)
		}
		if !utf8.ValidString(piece) || len(slices.Collect(words(piece))) != 1 {
			return
		}
		for at := 0; at < len(text); at++ {
			if !strings.HasPrefix(text[at:], piece) || at+len(piece) < len(text) && !utf8.RuneStart(text[at+len(piece)]) {
				continue
			}
			for i := at + 1; i < at+len(piece); i++ {
				if ends[i] {
					t.Fatalf("%q: the piece %q at %d goes beyond a word, which ends at %d", text, piece, at, i)
				}
			}
		}
	})
}

// nasty are texts that are no tales.
var nasty = []string{
	"", " ", "  ", "\n", "the", " the", "the ", "  the  cat\n\n\tsat. \"On the mat,\" it said; the 12 mice o'clock",
	"<unk>", "<0x41>", " <0x41> <0x", "\n<s>\n", "\n</s>\n", "a<s>b", "été “日本語” 🙂🙂 ﬁn e\u0301",
	"\x80", "\x80the", "a\x80", "the\x80 cat",
	"\xc3", "\xc3\xa9\xa9", "\xf0\x9f\x99", "\xed\xa0\x80", "\xc0\x80", "\x80\x80\x80\x80\x80 x",
	"\x00", "the\x00the", " \x00", "\x7f", "\u0085", "\u2028", "\ufffd", "\ufeffthe",
	strings.Repeat("a", 300), strings.Repeat(" the", 100),
}

// tales is a small corpus.
var tales = []string{
	"Once upon a time there was a little cat. The cat had a red hat.\n\n\"What a hat!\" said the little dog.",
	"Once upon a time there was a dog that sat on a mat. \"The cat sat here,\" said the dog, \"but that was a time ago.\"",
	"The hat and the mat and the cat: that is what there was at 7 o'clock. “Été”, said the dog. “Été”. “Été”.",
	"<0x41> is no letter; <0x41> is \x80\xff no \x00 word. aaaaaaa aaaaaaaaa aaaa aaa aaaaaaa.",
}

// TestTrain: what is chosen, and the score of each.
func TestTrain(t *testing.T) {
	v, err := Train(slices.Values([]string{"ab ab ab abc", "“xy”", "“xy”"}), MinVocabSize+8)
	if err != nil {
		t.Fatal(err)
	}
	// " a", then " ab" occur four times, and “ and ” save four byte tokens each. "xy" and " “" occur
	// twice: the shorter needs three tokens, for which there is no room any more. The last is a
	// character that saves nothing.
	wantPieces := []string{" a", " ab", " “", " ", "a", "b", "“", "”", "c"}
	wantScores := []float32{0, -1, -2, -3, -4, -5, -6, -7, -8}
	pieces, scores := v.pieces[firstPiece:], v.scores[firstPiece:]
	if !slices.Equal(pieces, wantPieces) || !slices.Equal(scores, wantScores) {
		t.Errorf("%q with scores %v, want %q with %v", pieces, scores, wantPieces, wantScores)
	}
}

// naive is the twin of Train: it encodes everything anew after each merge, with the Encode of
// package llama, and counts what neighbours within words spell.
func naive(t *testing.T, documents []string, vocabSize int) *Vocabulary {
	t.Helper()
	var all []string // characters
	counts := map[string]int{}
	for _, document := range documents {
		for word := range spacedWords(document) {
			for _, r := range word {
				if s := string(r); utf8.ValidString(word) && !unicode.IsControl(r) {
					if !slices.Contains(all, s) && s != " " {
						all = append(all, s)
					}
					counts[s]++
				}
			}
		}
	}
	var merges []string
	characters := []string{" "}
	missing := func(piece string) (missing []string) {
		for _, r := range piece {
			if s := string(r); !slices.Contains(characters, s) && !slices.Contains(missing, s) {
				missing = append(missing, s)
			}
		}
		return missing
	}
	for firstPiece+len(merges)+len(characters) < vocabSize {
		v := newVocabulary(merges, append([]string{" "}, all...))
		gains := map[string]int{}
		for _, document := range documents {
			tokens, pieces := encodePieces(t, v, document)
			for i := 1; i < len(tokens); i++ {
				if tokens[i-1] < firstPiece || tokens[i] < firstPiece {
					continue
				}
				if pair := pieces[i-1] + pieces[i]; len(slices.Collect(words(pair))) == 1 {
					gains[pair]++
				}
			}
		}
		for pair, n := range gains {
			if n < minCount {
				delete(gains, pair)
			}
		}
		for _, c := range all {
			if !slices.Contains(characters, c) {
				gains[c] = counts[c] * (len(c) - 1)
			}
		}
		best := ""
		for piece, gain := range gains {
			need := len(missing(piece))
			if utf8.RuneCountInString(piece) > 1 {
				need++
			}
			if firstPiece+len(merges)+len(characters)+need > vocabSize {
				continue
			}
			order := cmp.Or(cmp.Compare(gains[best], gain), cmp.Compare(len(piece), len(best)), cmp.Compare(piece, best))
			if best == "" || order < 0 {
				best = piece
			}
		}
		if best == "" {
			return nil
		}
		characters = append(characters, missing(best)...)
		if utf8.RuneCountInString(best) > 1 {
			merges = append(merges, best)
		}
	}
	return newVocabulary(merges, characters)
}

// encodePieces returns the tokens of a text, as Encode of package llama gives them, and their pieces.
func encodePieces(t *testing.T, v *Vocabulary, text string) (tokens []int, pieces []string) {
	t.Helper()
	tokens, err := tokenizer(t, v).Encode(text, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		pieces = append(pieces, v.pieces[token])
	}
	return tokens, pieces
}

func tokenizer(t testing.TB, v *Vocabulary) *llama.Tokenizer {
	t.Helper()
	tok, err := v.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// randomText returns a text of the few characters that make many words and ties.
func randomText(random *rand.Rand, alphabet []rune, n int) string {
	var b strings.Builder
	for range random.IntN(n) {
		b.WriteRune(alphabet[random.IntN(len(alphabet))])
	}
	if random.IntN(4) == 0 {
		b.WriteString("\x80\xc3")
	}
	return b.String()
}

// TestTrainIsNaive: Train chooses what it says it does, and Encode cuts a text as training
// did: the twin counts in what Encode returns.
func TestTrainIsNaive(t *testing.T) {
	corpora := [][]string{tales}
	random := rand.New(rand.NewPCG(1, 0))
	for range 40 {
		var documents []string
		for range 1 + random.IntN(4) {
			documents = append(documents, randomText(random, []rune("aaabbc  .é”1\n"), 120))
		}
		corpora = append(corpora, documents)
	}
	trained := 0
	for _, documents := range corpora {
		for _, more := range []int{0, 1, 2, 5, 17, 40} {
			size := MinVocabSize + more
			v, err := Train(slices.Values(documents), size)
			want := naive(t, documents, size)
			if (want == nil) != (err != nil) {
				t.Fatalf("%q, %d tokens: error %v, the twin has a vocabulary: %v", documents, size, err, want != nil)
			}
			if err != nil {
				continue
			}
			trained++
			if !slices.Equal(v.pieces, want.pieces) {
				t.Fatalf("%q:\n got %q\nwant %q", documents, v.pieces[firstPiece:], want.pieces[firstPiece:])
			}
		}
	}
	if trained < 100 {
		t.Errorf("only %d vocabularies were compared", trained)
	}
}

// TestTrainErrors: an error says what is possible.
func TestTrainErrors(t *testing.T) {
	for _, c := range []struct {
		size int
		want string
	}{
		{MinVocabSize - 1, "a vocabulary of 259 tokens: must be 260 to 65535"},
		{MaxVocabSize + 1, "a vocabulary of 65536 tokens: must be 260 to 65535"},
		{1000, "too small: it has pieces for a vocabulary of 264 tokens, not of 1000"}, // space, a, b, " a", " ab"
	} {
		_, err := Train(slices.Values([]string{"ab ab"}), c.size)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d tokens: error %v, want %q", c.size, err, c.want)
		}
	}
	if v, err := Train(slices.Values([]string(nil)), MinVocabSize); err != nil || v.pieces[firstPiece] != " " {
		t.Errorf("the smallest vocabulary needs no corpus, and has a space: %v", err)
	}
}

// TestTrainOrder: the order of the documents, and how often the whole corpus is repeated, change nothing.
func TestTrainOrder(t *testing.T) {
	var files [][]byte
	reversed := slices.Clone(tales)
	slices.Reverse(reversed)
	for _, documents := range [][]string{tales, reversed} {
		v, err := Train(slices.Values(documents), 300)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, v.Bytes())
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the documents in another order give another vocabulary")
	}
}

// TestBytes: the layout of tokenizer.bin, read here without package llama.
func TestBytes(t *testing.T) {
	v, err := Train(slices.Values(tales), 300)
	if err != nil {
		t.Fatal(err)
	}
	b := v.Bytes()
	longest, n := int(binary.LittleEndian.Uint32(b)), 0
	b = b[4:]
	for id := range v.Size() {
		size := int(binary.LittleEndian.Uint32(b[4:]))
		want := v.pieces[id]
		switch {
		case id < firstByte:
			want = []string{"<unk>", "\n<s>\n", "\n</s>\n"}[id]
		case id < firstPiece:
			want = fmt.Sprintf("<0x%02X>", id-firstByte)
		}
		if got := string(b[8:][:size]); got != want {
			t.Errorf("token %d is %q, want %q", id, got, want)
		}
		n = max(n, size)
		b = b[8+size:]
	}
	if n != longest || len(b) != 0 {
		t.Errorf("max_token_length %d, the longest is %d; %d bytes behind the last token", longest, n, len(b))
	}
}

// FuzzEncoder: the tokens are those of llama.Tokenizer's Encode, with a tokenizer from Train and with one
// whose pieces go beyond words, and decoding them gives the text back.
func FuzzEncoder(f *testing.F) {
	for _, text := range slices.Concat(nasty, tales) {
		f.Add(text)
	}
	v, err := Train(slices.Values(tales), 330)
	if err != nil {
		f.Fatal(err)
	}
	beyond := newVocabulary([]string{"e ", "the ", "e c", "\n\n", ". "}, strings.Split("the cat.\n", ""))
	var encoders []*Encoder
	for i, tok := range []*llama.Tokenizer{tokenizer(f, v), tokenizer(f, beyond)} {
		e, err := NewEncoder(tok)
		if err != nil {
			f.Fatal(err)
		}
		if e.byWord != (i == 0) {
			f.Fatalf("tokenizer %d: byWord is %v", i, e.byWord)
		}
		encoders = append(encoders, e)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, e := range encoders {
			want, err := e.tokenizer.Encode(text, false, false)
			if err != nil {
				t.Fatal(err)
			}
			got := e.Append([]uint16{BOS}, text)
			if !slices.EqualFunc(got[1:], want, func(a uint16, b int) bool { return int(a) == b }) {
				t.Fatalf("tokenizer %d: %q: %v, want %v", i, text, got[1:], want)
			}
			var decoded strings.Builder
			for i, token := range got[1:] {
				decoded.WriteString(e.tokenizer.Decode(int(got[i]), int(token)))
			}
			if decoded.String() != text {
				t.Fatalf("tokenizer %d: %q comes back as %q", i, text, decoded.String())
			}
		}
	})
}

// TestEncoderRandom: as FuzzEncoder, for random texts, and a vocabulary trained on texts like them.
func TestEncoderRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 0))
	alphabet := []rune("aaaabbbcc    ..\"é”1\n<0x>日🙂\x00")
	var documents []string
	for range 300 {
		documents = append(documents, randomText(random, alphabet, 200))
	}
	v, err := Train(slices.Values(documents), 600)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEncoder(tokenizer(t, v))
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		text := randomText(random, alphabet, 60)
		want, err := e.tokenizer.Encode(text, false, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Append(nil, text); !slices.EqualFunc(got, want, func(a uint16, b int) bool { return int(a) == b }) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestPublishedTokenizers: a tokenizer that another program made is encoded with as well.
func TestPublishedTokenizers(t *testing.T) {
	const models = "../../../shared/models/"
	if _, err := os.Stat(models); err != nil {
		t.Skipf("SKIPPED, no published tokenizer was tried: %v (see testdata/README.md)", err)
	}
	for name, size := range map[string]int{"tok105.bin": 105, "tok512.bin": 512, "tokenizer.bin": 32000} {
		tok, err := llama.LoadTokenizer(models+name, size)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEncoder(tok)
		if err != nil {
			if size < firstPiece {
				continue // no byte tokens
			}
			t.Fatal(err)
		}
		for _, text := range slices.Concat(nasty, tales) {
			want, err := tok.Encode(text, false, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Append(nil, text); !slices.EqualFunc(got, want, func(a uint16, b int) bool { return int(a) == b }) {
				t.Errorf("%s: %q: %v, want %v", name, text, got, want)
			}
		}
	}
}

// TestNewEncoderRefuses what has tokens that it cannot hold.
func TestNewEncoderRefuses(t *testing.T) {
	v := newVocabulary(nil, []string{" "})
	for range MaxVocabSize {
		v.pieces, v.scores = append(v.pieces, "x"), append(v.scores, 0)
	}
	if _, err := NewEncoder(tokenizer(t, v)); err == nil || !strings.Contains(err.Error(), "at most 65535") {
		t.Errorf("%d tokens: error %v", v.Size(), err)
	}
	v = newVocabulary(nil, []string{"x"})
	if _, err := NewEncoder(tokenizer(t, v)); err == nil || !strings.Contains(err.Error(), "no token for a space") {
		t.Errorf("no space: error %v", err)
	}
}

// TestTrainLongWord: the time is linear, but for logarithms, in the length of a word and in the number of different words.
func TestTrainLongWord(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 0))
	long := make([]byte, 1<<18)
	for i := range long {
		long[i] = 'a' + byte(random.IntN(26))
	}
	different := bytes.Clone(long)
	for i := 7; i < len(different); i += 8 {
		different[i] = ' '
	}
	for name, text := range map[string][]byte{"long": long, "one letter": bytes.Repeat([]byte("a"), 1<<18), "different": different} {
		growth := cputime.Growth(t, len(text)/16, func(n int) {
			v, err := Train(slices.Values([]string{string(text[:n])}), 300)
			if err != nil {
				return // of one letter there are few pieces
			}
			e, err := NewEncoder(tokenizer(t, v))
			if err != nil {
				t.Fatal(err)
			}
			e.Append(nil, string(text[:n]))
		})
		if !(growth < 64) {
			t.Errorf("%s: 16 times the text takes %.0f times as long", name, growth)
		}
	}
}
