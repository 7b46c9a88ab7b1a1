package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"bootllama"
)

// Parameters are the weights of a model in float32, or as many values that belong to
// them: gradients, moments. Every matrix is row-major. Data holds all of them, in the order
// of the legacy checkpoint (version 0); the slices behind it are parts of Data. The
// embedding table is the classifier, too.
type Parameters struct {
	Config llama.Config
	Data   []float32

	TokenEmbeddingTable []float32 // (vocab_size, dim)
	RMSAttWeight        []float32 // (layer, dim)
	WQ                  []float32 // (layer, n_heads*head_size, dim)
	WK                  []float32 // (layer, n_kv_heads*head_size, dim)
	WV                  []float32 // (layer, n_kv_heads*head_size, dim)
	WO                  []float32 // (layer, dim, n_heads*head_size)
	RMSFFNWeight        []float32 // (layer, dim)
	W1                  []float32 // (layer, hidden_dim, dim)
	W2                  []float32 // (layer, dim, hidden_dim)
	W3                  []float32 // (layer, hidden_dim, dim)
	RMSFinalWeight      []float32 // (dim,)
}

// NewParameters returns zeros for a model of that shape and, in everything else, llama2.c's. It panics if there is no such
// model.
func NewParameters(c llama.Config) *Parameters {
	if err := CheckConfig(c); err != nil {
		panic("train: " + err.Error())
	}
	c = c.Llama2()
	p := &Parameters{Config: c, Data: make([]float32, c.VocabSize*c.Dim+c.NLayers*layerSize(c)+c.Dim)}
	rest := p.Data
	for _, t := range p.tensors() {
		*t.data, rest = rest[:t.size:t.size], rest[t.size:]
	}
	return p
}

// maxParameters bounds the number of weights: a gigabyte of them, of which training needs
// some twenty times.
const maxParameters = 1 << 28

// maxScores bounds the attention weights of a sequence, which each thread keeps for the
// backward pass: 4 GiB.
const maxScores = 1 << 30

// CheckConfig returns an error unless c is the shape of a model that can be trained.
func CheckConfig(c llama.Config) error {
	for _, v := range []int{c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen} {
		if v < 1 || v > 1<<16 {
			return fmt.Errorf("%v: every number must be 1 to 65536", c)
		}
	}
	c = c.Llama2()
	// Where the heads divide what they must, these are below 2**52 and 2**64.
	n := c.VocabSize*c.Dim + c.NLayers*layerSize(c) + c.Dim
	scores := uint64(c.NLayers*c.NHeads) * uint64(c.SeqLen*c.SeqLen)
	switch {
	case c.Dim%c.NHeads != 0:
		return fmt.Errorf("%d heads do not divide the width of %d", c.NHeads, c.Dim)
	case c.HeadSize%2 != 0:
		return fmt.Errorf("heads %d wide cannot be rotated: the width must be even", c.HeadSize)
	case c.NHeads%c.NKVHeads != 0:
		return fmt.Errorf("%d heads of keys and values do not divide the %d heads", c.NKVHeads, c.NHeads)
	case c.VocabSize > Ignore:
		return fmt.Errorf("a vocabulary of %d tokens: must be at most %d", c.VocabSize, Ignore)
	case n > maxParameters:
		return fmt.Errorf("%d weights: must be at most %d", n, maxParameters)
	case c.SeqLen > 1<<14 || scores > maxScores:
		return fmt.Errorf("%d heads in %d layers with a context of %d: %d attention weights: must be at most %d", c.NHeads, c.NLayers, c.SeqLen, scores, maxScores)
	}
	return nil
}

// rotations returns the tables of RoPE, cos and sin, (seq_len, head_size/2) each.
func rotations(c llama.Config) (cos, sin []float32) {
	n := c.SeqLen * c.HeadSize / 2
	cos, sin = make([]float32, n), make([]float32, n)
	c.RoPE(cos, sin, nil)
	return cos, sin
}

// layerSize returns the number of parameters of one layer.
func layerSize(c llama.Config) int {
	return c.Dim * (2 + 2*c.Dim + 2*c.KVDim() + 3*c.HiddenDim)
}

// tensor is one kind of weight, of all layers.
type tensor struct {
	name   string
	data   *[]float32
	size   int
	matrix bool // weights of a matrix decay; those of an rmsnorm do not
}

// tensors returns all of them in the order of Data.
func (p *Parameters) tensors() []tensor {
	c := p.Config
	l, d, kv, h := c.NLayers, c.Dim, c.KVDim(), c.HiddenDim
	return []tensor{
		{"token_embedding_table", &p.TokenEmbeddingTable, c.VocabSize * d, true},
		{"rms_att_weight", &p.RMSAttWeight, l * d, false},
		{"wq", &p.WQ, l * d * d, true},
		{"wk", &p.WK, l * kv * d, true},
		{"wv", &p.WV, l * kv * d, true},
		{"wo", &p.WO, l * d * d, true},
		{"rms_ffn_weight", &p.RMSFFNWeight, l * d, false},
		{"w1", &p.W1, l * h * d, true},
		{"w2", &p.W2, l * d * h, true},
		{"w3", &p.W3, l * h * d, true},
		{"rms_final_weight", &p.RMSFinalWeight, d, false},
	}
}

// layer returns the part of a tensor that belongs to one layer.
func (p *Parameters) layer(tensor []float32, l int) []float32 {
	n := len(tensor) / p.Config.NLayers
	return tensor[l*n:][:n:n]
}

// embedding returns the row of an input token. Ignore has that of token 0.
func (p *Parameters) embedding(token uint16) []float32 {
	if token == Ignore {
		token = 0
	}
	return p.TokenEmbeddingTable[int(token)*p.Config.Dim:][:p.Config.Dim]
}

// Init sets the weights to where training starts: those of matrices random with a standard
// deviation of 1/sqrt(dim), those of WO and W2, which add to the residual stream, smaller by
// sqrt(2*n_layers) (GPT-2; llama2.c's model.py), those of the rmsnorms 1. The 0.02 that GPT-2 and
// llama2.c begin with is small for a narrow model: see DESIGN.md. The random numbers are evenly
// distributed, so that they come from integers and one rounded product.
func (p *Parameters) Init(seed uint64) {
	deviation := 1 / math.Sqrt(float64(p.Config.Dim))
	rng := rand.New(rand.NewPCG(seed, 0x7261696e)) // any number that is not another's stream
	for _, t := range p.tensors() {
		limit := deviation * math.Sqrt(3) // of even numbers from -limit to limit
		if t.data == &p.WO || t.data == &p.W2 {
			limit /= math.Sqrt(float64(2 * p.Config.NLayers))
		}
		unit := float32(limit / (1 << 31))
		for i := range *t.data {
			if t.matrix {
				(*t.data)[i] = float32(int32(rng.Uint32())) * unit
			} else {
				(*t.data)[i] = 1
			}
		}
	}
}
