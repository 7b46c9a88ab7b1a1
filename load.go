package llama

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"bootllama/arena"
	"bootllama/quant"
	"bootllama/simd"
	"bootllama/tensor"
)

// Header is what a model file says before its weights, in terms that belong to no file
// format: the reader of a format makes one, and Load needs to know nothing else.
type Header struct {
	Name      string // of the file, for messages
	Format    string // what the format is, for a person
	Version   int    // of the format
	Config    Config
	Tensors   []Tensor          // in the order of the file; what is between them is skipped
	Warnings  []string          // what a person should know before the model is used
	Tokenizer Vocab             // nil: it has a file of its own
	Texts     map[string]string // what the file says about itself, by the keys of the format
	Parts     []Part            // the files, if there may be several: see Tensor.Offset
}

// The terms of package tensor.
type (
	Tensor = tensor.Tensor
	Part   = tensor.Part
	Type   = quant.Type
)

// Float32 and Int8 are the types of llama2.c's tensors.
const (
	Float32 = tensor.Float32
	Int8    = tensor.Int8
)

// array is an array of Weights: its name in run.c, its shape, and where it is.
type array struct {
	name          string
	layers        int
	rows, columns int        // of a layer
	perLayer      *[]Matrix  // a matrix for each layer,
	single        *Matrix    // or one for all,
	vectors       *[]float32 // or (layers, columns), which every file has as Float32
}

// arrays lists what Weights holds for a model of this shape.
func (c Config) arrays(w *Weights) []array {
	as := []array{
		{"token_embedding_table", 1, c.VocabSize, c.Dim, nil, &w.TokenEmbeddingTable, nil},
		{"rms_att_weight", c.NLayers, 1, c.Dim, nil, nil, &w.RMSAttWeight},
		{"wq", c.NLayers, c.QDim(), c.Dim, &w.WQ, nil, nil},
		{"wk", c.NLayers, c.KVDim(), c.Dim, &w.WK, nil, nil},
		{"wv", c.NLayers, c.KVDim(), c.Dim, &w.WV, nil, nil},
		{"wo", c.NLayers, c.Dim, c.QDim(), &w.WO, nil, nil},
		{"rms_ffn_weight", c.NLayers, 1, c.Dim, nil, nil, &w.RMSFFNWeight},
		{"w1", c.NLayers, c.HiddenDim, c.Dim, &w.W1, nil, nil},
		{"w2", c.NLayers, c.Dim, c.HiddenDim, &w.W2, nil, nil},
		{"w3", c.NLayers, c.HiddenDim, c.Dim, &w.W3, nil, nil},
		{"rms_final_weight", 1, 1, c.Dim, nil, nil, &w.RMSFinalWeight},
		{"wcls", 1, c.VocabSize, c.Dim, nil, &w.WCls, nil},
	}
	if c.QKVBias {
		as = append(as, array{"bq", c.NLayers, 1, c.QDim(), nil, nil, &w.BQ},
			array{"bk", c.NLayers, 1, c.KVDim(), nil, nil, &w.BK},
			array{"bv", c.NLayers, 1, c.KVDim(), nil, nil, &w.BV})
	}
	if c.QKNorm {
		as = append(as, array{"rms_q_weight", c.NLayers, 1, c.HeadSize, nil, nil, &w.RMSQWeight},
			array{"rms_k_weight", c.NLayers, 1, c.HeadSize, nil, nil, &w.RMSKWeight})
	}
	if c.RoPEDivisors {
		as = append(as, array{"rope_divisors", 1, 1, c.HeadSize / 2, nil, nil, &w.RoPEDivisors})
	}
	return as
}

// matrix returns the matrix of a layer.
func (a *array) matrix(layer int) *Matrix {
	if a.single != nil {
		return a.single
	}
	return &(*a.perLayer)[layer]
}

// place is a tensor and its array in Weights, or nil if the tensor is not used.
type place struct {
	*Tensor
	array *array
}

// places finds the place of every tensor. An error says which one does not belong to a
// model of this shape, or what is missing.
func (h Header) places(w *Weights) (ps []place, err error) {
	arrays := h.Config.arrays(w)
	seen, group := map[string][]bool{}, h.inputs().group // by layer
	for _, a := range arrays {
		seen[a.name] = make([]bool, a.layers)
	}
	var end int64 // of the tensor before
	for i := range h.Tensors {
		t := &h.Tensors[i]
		if i == 0 {
			end = t.Offset
		}
		p := place{Tensor: t}
		if j := slices.IndexFunc(arrays, func(a array) bool { return a.name == t.Weight }); j >= 0 {
			p.array = &arrays[j]
		}
		fail := func(format string, v ...any) ([]place, error) {
			return ps, h.errorf(t.Offset, "%s: %s", t.Name, fmt.Sprintf(format, v...))
		}
		switch a := p.array; {
		case a == nil && t.Weight != "":
			return fail("this kind of model has no %s", t.Weight)
		case a != nil && (t.Rows != a.rows || t.Columns != a.columns || t.Layer < 0 || t.Layer >= a.layers || seen[a.name][t.Layer]):
			return fail("(%d, %d) in layer %d, where the model has (%d, %d) in %d layers, each once", t.Rows, t.Columns, t.Layer, a.rows, a.columns, a.layers)
		case t.Type == Int8 && (a == nil || a.vectors != nil || t.Group < 1 || t.Group > t.Columns || t.Group != group):
			return fail("groups of %d values, where %d can be", t.Group, group)
		case !t.Readable(a != nil && a.vectors != nil):
			return fail("rows of %d values of type %v", t.Columns, t.Type)
		case t.Offset < end || t.Bytes != t.Size():
			return fail("%d bytes at %d, where its shape and the tensor before it say %d at %d", t.Bytes, t.Offset, t.Size(), end)
		case a != nil:
			seen[a.name][t.Layer] = true
		}
		ps, end = append(ps, p), t.Offset+t.Bytes
	}
	for _, a := range arrays {
		if layer := slices.Index(seen[a.name], false); layer >= 0 && a.name != "wcls" {
			return ps, fmt.Errorf("%s: there is no %s for layer %d", h.Name, a.name, layer)
		}
	}
	return ps, nil
}

// inputs returns what the matrices are multiplied with.
func (h Header) inputs() (in inputs) {
	in.headsTerms = 1
	for i := range h.Tensors {
		t := &h.Tensors[i]
		if values, _ := t.Type.Block(); t.Weight == "wo" && values == 32 {
			in.headsTerms = 2
		}
		switch {
		case t.Type == Int8:
			in.group = cmp.Or(in.group, t.Group)
		case t.Type.Quantised():
			in.group, in.quantised = cmp.Or(in.group, 32), true
			in.scratch = max(in.scratch, simd.Scratch(t.Format(), t.Columns, Batch))
		}
	}
	return in
}

// errorf returns an error at an offset of the file.
func (h Header) errorf(offset int64, format string, a ...any) error {
	return h.file().Errorf(offset, format, a...)
}

// file names the file for messages.
func (h Header) file() tensor.File { return tensor.File{Name: h.Name, Parts: h.Parts} }

// Check returns the error of Load for tensors that do not make a model of this shape.
func (h Header) Check() error {
	_, err := h.places(&Weights{})
	return err
}

// Memory is what a model takes when it runs, in bytes.
type Memory struct {
	Weights int64 // in tiles, unused tensors excluded: the size of the file, or a little more
	Cache   int64 // keys and values of all positions
	State   int64 // activations, rotations, logits, what sampling needs, and a tokenizer that is in the file
}

// Overhead is the most that a program needs beside a model's memory: the Go runtime, the
// tokenizer, buffers.
const Overhead = 52 << 20

// Total returns what a program needs to run the model, Overhead included.
func (m Memory) Total() int64 { return m.Weights + m.Cache + m.State + Overhead }

// Memory returns what Load, NewTransformer and NewSampler will allocate.
func (h Header) Memory() (m Memory) {
	places, _ := h.places(&Weights{}) // Load returns the error
	for _, p := range places {
		switch {
		case p.array == nil:
		case p.array.vectors != nil:
			m.Weights += p.Bytes
		default:
			m.Weights += int64(p.Packed())
		}
	}
	m.Cache = h.Config.cacheBytes()
	state := arena.Arena{CountOnly: true}
	h.newRunState(&state, 1)
	m.State = state.Bytes - m.Cache + int64(unsafe.Sizeof(probIndex{}))*int64(h.Config.VocabSize)
	if h.Tokenizer != nil { // while it is read; 97 to 128 bytes were measured
		m.State += 136 * int64(h.Config.VocabSize)
	}
	return m
}

// Checkpoint is the content of a model file.
type Checkpoint struct {
	Header
	Weights Weights

	arena arena.Arena // of the tiles
}

// Close frees the memory of the weights. Neither they nor the Transformers of c may be used
// afterwards. A program that runs one model until it exits need not call it.
func (c *Checkpoint) Close() error {
	c.Weights = Weights{}
	return c.arena.Free()
}

// Load reads the weights of a model; r is at the first of the tensors that h lists. They
// are put into tiles on all cores. progress, if not nil, is called now and then with the
// bytes of the file that have been read.
func Load(r io.Reader, h Header, progress func(done, total int64)) (*Checkpoint, error) {
	c := &Checkpoint{Header: h}
	places, err := h.places(&c.Weights)
	if err == nil {
		err = c.allocateWeights(places)
	}
	if err != nil {
		return nil, err
	}
	if err := tensor.Load(r, h.file(), c.destinations(places), progress); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for _, d := range c.Weights.RoPEDivisors { // with others, angles are beyond simd.SinCos
		if d < 1 {
			return nil, errors.Join(fmt.Errorf("%s: divisors of the rotation: %v, must be 1 or more", c.Name, d), c.Close())
		}
	}
	if c.Weights.WCls.Rows == 0 { // the embedding table serves as the classifier
		c.Weights.WCls = c.Weights.TokenEmbeddingTable
	}
	return c, nil
}

// allocateWeights makes the arrays of Weights. All tiles are in one block, in the order of
// the file.
func (c *Checkpoint) allocateWeights(places []place) error {
	size := 0
	for _, p := range places {
		if a := p.array; a != nil && a.vectors == nil {
			size += p.Packed()
		}
	}
	block := arena.Make[uint8](&c.arena, size)
	if err := c.arena.Err; err != nil {
		return fmt.Errorf("%s: weights: %w", c.Name, err)
	}
	arena.LargePages(block)
	for _, p := range places {
		a := p.array
		switch {
		case a == nil:
			continue
		case a.vectors != nil:
			if *a.vectors == nil {
				*a.vectors = make([]float32, a.layers*a.columns)
			}
			continue
		case a.perLayer != nil && *a.perLayer == nil:
			*a.perLayer = make([]Matrix, a.layers)
		}
		m, size := a.matrix(p.Layer), p.Packed()
		*m = Matrix{Rows: p.Rows, Columns: p.Columns, Format: p.Format(), Tiles: block[:size:size]}
		if p.Type == Int8 {
			m.Columns -= p.Columns % p.Group // see dropped
		}
		block = block[size:]
	}
	return nil
}

// destinations says where the numbers of the tensors go.
func (c *Checkpoint) destinations(places []place) (ds []tensor.Destination) {
	for _, p := range places {
		d := tensor.Destination{Tensor: p.Tensor}
		switch a := p.array; {
		case a == nil:
		case a.vectors != nil:
			d.Vector = (*a.vectors)[p.Layer*p.Columns:][:p.Columns]
		default:
			m := a.matrix(p.Layer)
			d.Tiles, d.Used = m.Tiles, m.Columns
		}
		ds = append(ds, d)
	}
	return ds
}
