package llama

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"bootllama/quant"
)

// The random model: small enough to be committed, with what the shared models
// do not have, a separate classifier. Its stories are noise; it serves the tests
// that need a model but no story. testdata/README.md says where it is used.
const (
	randomModel     = "testdata/random.bin"
	randomInt8      = "testdata/random-q8.bin"
	randomTokenizer = "testdata/random-tok.bin"
)

// shape returns the configuration of a llama2.c model.
func shape(dim, hiddenDim, nLayers, nHeads, nKVHeads, vocabSize, seqLen int) Config {
	return Config{
		Dim: dim, HiddenDim: hiddenDim, NLayers: nLayers, NHeads: nHeads, NKVHeads: nKVHeads, VocabSize: vocabSize, SeqLen: seqLen,
	}.Llama2()
}

var update = flag.Bool("update", false, "write testdata/random.bin and random-tok.bin anew")

// TestRandomModel: the committed files are what the functions below make.
func TestRandomModel(t *testing.T) {
	for name, want := range map[string][]byte{
		randomModel:     checkpointBytes(shape(8, 12, 2, 2, 1, 300, 64), false),
		randomInt8:      modelBytes(llama2c{version: 2, config: shape(8, 12, 2, 2, 1, 300, 64), groupSize: 4}),
		randomTokenizer: tokenizerBytes(300),
	} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what this test makes (go test -run TestRandomModel -update)", name)
		}
	}
}

// checkpointBytes returns a legacy checkpoint of that shape with random weights.
func checkpointBytes(p Config, shared bool) []byte {
	return modelBytes(llama2c{config: p, sharedClassifier: shared})
}

// modelBytes returns a checkpoint with that header and random weights.
func modelBytes(h llama2c) []byte {
	var b bytes.Buffer
	write := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	p, vocab := h.config, h.config.VocabSize
	if h.version == 0 && !h.sharedClassifier {
		vocab = -vocab
	}
	if h.version != 0 {
		write([]int32{magicAK42, int32(h.version)})
	}
	for _, v := range []int{p.Dim, p.HiddenDim, p.NLayers, p.NHeads, p.NKVHeads, vocab, p.SeqLen} {
		write(int32(v))
	}
	if h.version != 0 {
		write(h.sharedClassifier)
		if h.version == 2 {
			write(int32(h.groupSize))
		}
		b.Write(make([]byte, headerSize-b.Len()))
	}
	b.Write(randomWeights(h.tensors()))
	return b.Bytes()
}

// randomWeights returns the bytes of tensors with random values.
func randomWeights(tensors []Tensor) []byte {
	var b bytes.Buffer
	write := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	rng := rand.New(rand.NewPCG(1, 2))
	for _, t := range tensors {
		if at := int(t.Offset - tensors[0].Offset); at > b.Len() { // padding
			b.Write(make([]byte, at-b.Len()))
		}
		if t.Rows > 1 && t.Type != Float32 && t.Type != Int8 {
			b.Write(randomBlocks(rng, t))
			continue
		}
		value := func() float32 { return float32(rng.IntN(2001)-1000) / 500 }
		for range t.Rows * t.Columns {
			v := value()
			switch {
			case t.Weight == "":
				write(float32(12345)) // must not reach the classifier
			case t.Type == Int8:
				write(int8(rng.IntN(255) - 127))
			case t.Weight == "rope_divisors":
				write(3 + v)
			default:
				write(v)
			}
		}
		if t.Type == Int8 {
			for range t.Rows * t.Columns / t.Group {
				write((value() + 2.5) / 127)
			}
		}
	}
	return b.Bytes()
}

// floatsOf returns where in a block of the type floats stand.
func floatsOf(t Type) []int {
	switch t {
	case quant.Q4_1, quant.Q5_1, quant.Q4_K, quant.Q5_K:
		return []int{0, 2}
	case quant.Q2_K:
		return []int{80, 82}
	case quant.Q3_K:
		return []int{108}
	case quant.Q6_K:
		return []int{208}
	}
	return []int{0}
}

// randomBlocks returns the bytes of a matrix of one of GGUF's types but F32: all of them random
// but for the exponents of its floats, so that nothing overflows.
func randomBlocks(rng *rand.Rand, t Tensor) []byte {
	floats := floatsOf(t.Type)
	b := make([]byte, t.Bytes)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	_, size := t.Type.Block()
	for i := 0; i < len(b); i += size {
		for _, f := range floats {
			high := &b[i+f+1] // sign, exponent and more
			if *high = *high&0x83 | byte(1+rng.IntN(8))<<2; t.Type == quant.BF16 {
				*high = *high&0x80 | 0x3e
			}
		}
	}
	return b
}

// tokenizerBytes returns a tokenizer.bin with vocabSize pieces, 300 at most: the
// three control tokens, the bytes, single characters, and merges of them.
func tokenizerBytes(vocabSize int) []byte {
	pieces := []string{"<unk>", "\n<s>\n", "\n</s>\n"}
	for b := range 256 {
		pieces = append(pieces, "<0x"+string("0123456789ABCDEF"[b>>4])+string("0123456789ABCDEF"[b&15])+">")
	}
	pieces = append(pieces, " ", "a", "b", "c", "d", "e", "h", "i", "n", "o", "r", "s", "t", "é", "日", "🙂",
		"th", "he", "in", "er", " t", "the", " the", "an", "nd", "and", " and", "aa", "aaa", "aaaa", "on", "onc", "once",
		" o", " on", " once", "é日", "ab", "bc", "cd", "dé")
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, int32(8))
	for i, p := range pieces[:vocabSize] {
		score := float32(0)
		if i >= firstByte+256 {
			score = -float32((i - firstByte - 256) / 2) // two pieces share each score
		}
		binary.Write(&b, binary.LittleEndian, score)
		binary.Write(&b, binary.LittleEndian, int32(len(p)))
		b.WriteString(p)
	}
	return b.Bytes()
}

// randomGenerator returns a generator of the random model.
func randomGenerator(t testing.TB, temperature, topP float32, seed uint64) *Generator {
	t.Helper()
	return generatorOf(t, randomModel, temperature, topP, seed)
}

// generatorOf returns a generator of one of the random models.
func generatorOf(t testing.TB, model string, temperature, topP float32, seed uint64) *Generator {
	t.Helper()
	c, err := LoadCheckpoint(model, nil)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := LoadTokenizer(randomTokenizer, c.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTransformer(c, Options{})
	return &Generator{Transformer: tr, Tokenizer: tok, Sampler: tr.NewSampler(temperature, topP, seed)}
}
