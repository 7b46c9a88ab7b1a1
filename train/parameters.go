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

// NewParameters returns zeros for a model of that shape. It panics if there is no such
// model.
func NewParameters(c llama.Config) *Parameters {
	if err := check(c); err != nil {
		panic("train: " + err.Error())
	}
	p := &Parameters{Config: c, Data: make([]float32, c.VocabSize*c.Dim+c.NLayers*layerSize(c)+c.Dim)}
	rest := p.Data
	for _, t := range p.tensors() {
		*t.data, rest = rest[:t.size:t.size], rest[t.size:]
	}
	return p
}

// check returns an error unless c is the shape of a model that can be trained.
func check(c llama.Config) error {
	ok := c.Dim > 0 && c.HiddenDim > 0 && c.NLayers > 0 && c.NHeads > 0 && c.NKVHeads > 0 && c.SeqLen > 0 &&
		c.Dim%c.NHeads == 0 && c.HeadSize()%2 == 0 && c.NHeads%c.NKVHeads == 0 &&
		c.VocabSize > 0 && c.VocabSize <= Ignore
	if !ok {
		return fmt.Errorf("no model has the shape %+v", c)
	}
	return nil
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
// deviation of 1/sqrt(dim) (the 0.02 of GPT-2 and llama2.c is that of models 2048 wide; a
// narrow one takes up to twice as many steps from there until its heads look back for a name), those of WO and W2, which add to the residual stream, smaller by
// sqrt(2*n_layers) (GPT-2; llama2.c's model.py), those of the rmsnorms 1. The random numbers
// are evenly distributed, so that they come from integers and one rounded product.
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
