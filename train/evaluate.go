package train

import (
	"fmt"
	"math"

	"bootllama"
	"bootllama/train/bpe"
)

// Evaluate returns the mean cross-entropy per token, in nats, of the first n documents of c,
// computed by the program that people run, so that a float32 and an int8 checkpoint can be
// compared. Every document starts at position 0 with its BOS; what is predicted is each of
// its other tokens and the BOS that ends it, as far as the model has positions.
func Evaluate(m *llama.Transformer, c *Corpus, n int) (loss float64) {
	if n < 1 || n > c.Documents() {
		panic(fmt.Sprintf("train: Evaluate of %d documents: the corpus has %d", n, c.Documents()))
	}
	var sum float64
	predicted := 0
	for i := range n {
		loss, tokens := evaluateDocument(m, c.Document(i))
		sum += loss
		predicted += tokens
	}
	return sum / float64(predicted)
}

// evaluateDocument returns the sum of the cross-entropies of what is predicted, and their number.
func evaluateDocument(m *llama.Transformer, document []uint16) (sum float64, n int) {
	n = min(len(document), m.Config.SeqLen)
	tokens := make([]int, 0, llama.Batch)
	for pos := 0; pos < n; pos += len(tokens) {
		tokens = tokens[:0]
		for _, token := range document[pos:min(pos+llama.Batch, n)] {
			tokens = append(tokens, int(token))
		}
		m.Prefill(tokens, pos)
		for i := range tokens {
			next := uint16(bpe.BOS)
			if pos+i+1 < len(document) {
				next = document[pos+i+1]
			}
			sum += crossEntropy(m.Logits(i), next)
		}
	}
	return sum, n
}

// crossEntropy returns -log softmax(logits)[target].
func crossEntropy(logits []float32, target uint16) float64 {
	largest := logits[0]
	for _, v := range logits {
		largest = max(largest, v)
	}
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v - largest))
	}
	return math.Log(sum) - float64(logits[target]-largest)
}
