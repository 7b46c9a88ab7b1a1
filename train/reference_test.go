package train

import (
	"math"

	"bootllama"
)

// reference computes the loss in float64, plainly, from the description of the model: what
// the gradients are checked against. It shares no code with the package.
type reference struct {
	c llama.Config
	w map[string][]float64
}

func newReference(p *Parameters) *reference {
	r := &reference{c: p.Config, w: map[string][]float64{}}
	for _, t := range p.tensors() {
		w := make([]float64, len(*t.data))
		for i, v := range *t.data {
			w[i] = float64(v)
		}
		r.w[t.name] = w
	}
	return r
}

// product returns w (rows, n), which begins at row `from`, times x (n,).
func product(w []float64, from, rows int, x []float64) []float64 {
	y := make([]float64, rows)
	for i := range y {
		for j, v := range x {
			y[i] += w[(from+i)*len(x)+j] * v
		}
	}
	return y
}

func normalized(x, weight []float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / math.Sqrt(sum/float64(len(x))+1e-5) * weight[i]
	}
	return y
}

func rotated(x []float64, size, pos int) []float64 {
	y := make([]float64, len(x))
	for i := 0; i < len(x); i += 2 {
		angle := float64(pos) * math.Pow(10000, -float64(i%size)/float64(size))
		sin, cos := math.Sincos(angle)
		y[i], y[i+1] = x[i]*cos-x[i+1]*sin, x[i]*sin+x[i+1]*cos
	}
	return y
}

// exponentials returns e**(x - max) and their sum.
func exponentials(x []float64) (e []float64, sum float64) {
	largest := math.Inf(-1)
	for _, v := range x {
		largest = max(largest, v)
	}
	for _, v := range x {
		e = append(e, math.Exp(v-largest))
		sum += e[len(e)-1]
	}
	return e, sum
}

// logits returns those after every token.
func (r *reference) logits(tokens []uint16) [][]float64 {
	c := r.c
	d, kvDim, hidden, size := c.Dim, c.KVDim(), c.HiddenDim, c.HeadSize
	x := make([][]float64, len(tokens))
	for i, token := range tokens {
		if token == Ignore {
			token = 0
		}
		x[i] = append([]float64(nil), r.w["token_embedding_table"][int(token)*d:][:d]...)
	}
	add := func(i int, y []float64) {
		for j, v := range y {
			x[i][j] += v
		}
	}
	for l := range c.NLayers {
		var keys, values [][]float64
		for i := range x {
			xb := normalized(x[i], r.w["rms_att_weight"][l*d:][:d])
			q := rotated(product(r.w["wq"], l*d, d, xb), size, i)
			keys = append(keys, rotated(product(r.w["wk"], l*kvDim, kvDim, xb), size, i))
			values = append(values, product(r.w["wv"], l*kvDim, kvDim, xb))
			out := make([]float64, d)
			for h := range c.NHeads {
				kv := h * c.NKVHeads / c.NHeads * size
				scores := make([]float64, i+1)
				for pos := range scores {
					for j := range size {
						scores[pos] += q[h*size+j] * keys[pos][kv+j] / math.Sqrt(float64(size))
					}
				}
				e, sum := exponentials(scores)
				for pos := range e {
					for j := range size {
						out[h*size+j] += e[pos] / sum * values[pos][kv+j]
					}
				}
			}
			add(i, product(r.w["wo"], l*d, d, out))
		}
		for i := range x {
			xb := normalized(x[i], r.w["rms_ffn_weight"][l*d:][:d])
			h := product(r.w["w1"], l*hidden, hidden, xb)
			for j, v := range product(r.w["w3"], l*hidden, hidden, xb) {
				h[j] *= v / (1 + math.Exp(-h[j]))
			}
			add(i, product(r.w["w2"], l*d, d, h))
		}
	}
	y := make([][]float64, len(x))
	for i := range x {
		y[i] = product(r.w["token_embedding_table"], 0, c.VocabSize, normalized(x[i], r.w["rms_final_weight"]))
	}
	return y
}

// loss returns the mean cross-entropy of sequences, (n, seq_len+1).
func (r *reference) loss(tokens []uint16) float64 {
	sum, counted := 0.0, 0
	for ; len(tokens) > 0; tokens = tokens[r.c.SeqLen+1:] {
		for i, logits := range r.logits(tokens[:r.c.SeqLen]) {
			if target := tokens[i+1]; target != Ignore {
				e, total := exponentials(logits)
				sum -= math.Log(e[target] / total)
				counted++
			}
		}
	}
	return sum / float64(counted)
}
