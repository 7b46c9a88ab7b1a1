package train

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"bootllama"
	"bootllama/internal/randommodel"
	"bootllama/train/bpe"
)

// TestEvaluate: what a loop of Forward finds, for documents shorter and longer than a batch
// and than the model has positions, for float32 and int8.
func TestEvaluate(t *testing.T) {
	float := randommodel.Shape{
		Dim: 32, HiddenDim: 64, NLayers: 2, NHeads: 4, NKVHeads: 2, VocabSize: 300, SeqLen: 2*llama.Batch + 9,
	}
	for _, shape := range []randommodel.Shape{float, float.Int8()} {
		var b bytes.Buffer
		if err := shape.Write(&b); err != nil {
			t.Fatal(err)
		}
		m := llama.NewTransformer(readCheckpoint(t, b.Bytes()), llama.Options{Threads: 1})
		defer m.Close()
		n := shape.SeqLen
		c, _ := numbered([]int{1, 2, 30, llama.Batch, llama.Batch + 1, n - 1, n, n + 1, 500, 40})
		for i, token := range c.Tokens {
			c.Tokens[i] = token % uint16(shape.VocabSize)
		}
		documents := c.Documents() - 1 // the last is of no account
		var sum float64
		predicted := 0
		for d := range documents {
			document := c.Document(d)
			for pos := 0; pos < len(document) && pos < shape.SeqLen; pos++ {
				target := bpe.BOS
				if pos+1 < len(document) {
					target = int(document[pos+1])
				}
				logits := m.Forward(int(document[pos]), pos)
				var total float64
				for _, v := range logits {
					total += math.Exp(float64(v))
				}
				sum -= math.Log(math.Exp(float64(logits[target])) / total)
				predicted++
			}
		}
		got, want := Evaluate(m, c, documents), sum/float64(predicted)
		if !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("groups of %d: %v, want %v", shape.GroupSize, got, want)
		}
		if !(got >= 3 && got <= 9) {
			t.Errorf("groups of %d: %v nats for random weights, want about %v", shape.GroupSize, got, math.Log(300))
		}
	}
}

// TestEvaluateStories: what karpathy's stories260K, as float32 and as int8, finds likely and what not.
func TestEvaluateStories(t *testing.T) {
	const models = "../../shared/models/"
	tok, err := llama.LoadTokenizer(models+"tok512.bin", 512)
	if err != nil {
		t.Skipf("SKIPPED, no published model was evaluated: %v (see testdata/README.md)", err)
	}
	e, err := bpe.NewEncoder(tok)
	if err != nil {
		t.Fatal(err)
	}
	var corpora [2]*Corpus
	for i, text := range []string{
		"Once upon a time, there was a little girl named Lily. She loved to play outside in the park.",
		"sky time girl Lily there loved a upon outside was play to little the in a She park named Once",
	} {
		if corpora[i], err = NewCorpus(slices.Values([]string{text}), e.Append); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"stories260K.bin", "stories260K-q8.bin"} {
		checkpoint, err := llama.LoadCheckpoint(models+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := llama.NewTransformer(checkpoint, llama.Options{Threads: 1})
		if story, salad := Evaluate(m, corpora[0], 1), Evaluate(m, corpora[1], 1); !(story > 0 && story <= 1 && salad >= 5 && salad < 20) {
			t.Errorf("%s: %v nats for a story, %v for its words in any order", name, story, salad)
		}
		m.Close()
	}
}
