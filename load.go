package llama

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"bootllama/arena"
	"bootllama/quant"
	"bootllama/simd"
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

// Part is a file of a model's several. What Load reads has their tensors one behind the other.
type Part struct {
	Name          string
	Begin, Offset int64 // what is at Begin for Load, and from there on, is at Offset in the file
}

// Tensor is an array of numbers in a model file.
type Tensor struct {
	Name          string // as the format calls it
	Weight        string // what it is in Weights, by run.c's name; "": it is not used
	Layer         int    // 0 where there is one for all
	Rows, Columns int    // a vector is one row
	Type          Type
	Group         int // Int8: this many neighbours in a row share a scale
	Offset, Bytes int64
}

// Type is how the numbers of a Tensor are stored, little endian: one of GGUF's types, or Int8.
type Type = quant.Type

const (
	Float32      = quant.F32
	Int8    Type = 1 << 31 // runq.c's QuantizedTensor: values, then the float32 scale of each group
)

// bytes returns the size of some rows of a tensor in the file: of their scales, or of all else.
func (t *Tensor) bytes(scales bool, row, rows int) int {
	switch {
	case scales && t.Type != Int8:
		return 0
	case scales: // where groups straddle rows, these are not the same for each row
		return 4 * ((row+rows)*t.Columns/t.Group - row*t.Columns/t.Group)
	case t.Type == Int8:
		return rows * t.Columns
	}
	values, size := t.Type.Block()
	return rows * (t.Columns / values) * size
}

// size returns the size of a tensor in the file.
func (t *Tensor) size() int64 { return int64(t.bytes(false, 0, t.Rows) + t.bytes(true, 0, t.Rows)) }

// format returns how a matrix is held in memory, nil for a type that is not read.
func (t *Tensor) format() simd.Format {
	if t.Type == Int8 {
		return simd.Int8(t.Group)
	}
	return simd.FormatOf(t.Type)
}

// readable says whether there is a format for the tensor, and its rows are whole blocks.
func (t *Tensor) readable(vector bool) bool {
	if t.Type == Int8 {
		return true
	}
	values, _ := t.Type.Block()
	return values > 0 && t.Columns%values == 0 && (!vector || t.Type == Float32)
}

// packed returns the size of a matrix in tiles, in bytes: whole lines of the cache.
func (t *Tensor) packed() int { return (t.format().Size(t.Rows, t.Columns) + 63) &^ 63 }

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
		case !t.readable(a != nil && a.vectors != nil):
			return fail("rows of %d values of type %v", t.Columns, t.Type)
		case t.Offset < end || t.Bytes != t.size():
			return fail("%d bytes at %d, where its shape and the tensor before it say %d at %d", t.Bytes, t.Offset, t.size(), end)
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
			in.scratch = max(in.scratch, simd.Scratch(t.format(), t.Columns, Batch))
		}
	}
	return in
}

// errorf returns an error at an offset of the file.
func (h Header) errorf(offset int64, format string, a ...any) error {
	name := h.Name
	for _, p := range slices.Backward(h.Parts) {
		if p.Begin <= offset {
			name, offset = p.Name, offset-p.Begin+p.Offset
			break
		}
	}
	return fmt.Errorf("%s: offset %d: %w", name, offset, fmt.Errorf(format, a...))
}

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
const Overhead = 49 << 20

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
			m.Weights += int64(p.packed())
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
	l := loader{places: places, r: reader{r, h, places[0].Offset}, at: math.MaxInt64}
	if last := h.Tensors[len(h.Tensors)-1]; progress != nil {
		l.progress = func() { progress(l.r.offset, last.Offset+last.Bytes) }
	}
	if err := l.load(); err != nil {
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
			size += p.packed()
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
		m, size := a.matrix(p.Layer), p.packed()
		*m = Matrix{Rows: p.Rows, Columns: p.Columns, Format: p.format(), Tiles: block[:size:size]}
		if p.Type == Int8 {
			m.Columns -= p.Columns % p.Group // see dropped
		}
		block = block[size:]
	}
	return nil
}

// loader reads tensors and puts them into tiles on several goroutines. The file is read in
// order, one band of rows at a time: while one goroutine reads, the others pack.
type loader struct {
	places []place

	mu       sync.Mutex
	r        reader
	progress func() // may be nil
	next     int    // the place that is read,
	scales   bool   // whether its values have been read and its scales are next,
	row      int    // and the row that is next
	err      error
	at       int64 // where in the file err is
}

// band is some rows of a tensor, or their scales.
type band struct {
	place
	scales    bool
	row, rows int
	at        int64 // where it begins in the file
}

const (
	// bandBytes is the approximate size of a read: large, since the file systems of firmware
	// are slow with small reads, but small enough that it is still in the cache when packed.
	bandBytes = 256 << 10
	// maxPackers bounds the goroutines, each of which has a buffer.
	maxPackers = 4
)

// bandRows returns the number of rows in a band: whole tiles, of either type.
func (t *Tensor) bandRows(scales bool) int {
	if scales && t.Columns%t.Group != 0 {
		return t.Rows // two rows may have a group in common, and so a scale
	}
	tile := simd.TileF32
	return min(t.Rows, max(1, bandBytes/(t.bytes(scales, 0, 1)*tile))*tile)
}

func (l *loader) load() error {
	size := 0 // of the largest band
	for _, p := range l.places {
		size = max(size, p.bytes(false, 0, p.bandRows(false)))
		if p.Type == Int8 {
			size = max(size, p.bytes(true, 0, p.bandRows(true)))
		}
	}
	packers := min(runtime.GOMAXPROCS(0), maxPackers)
	var a arena.Arena
	buffers := arena.Make[byte](&a, packers*size)
	if a.Err != nil {
		return fmt.Errorf("%s: buffers: %w", l.r.h.Name, a.Err)
	}
	var wg sync.WaitGroup
	for i := range packers {
		wg.Go(func() {
			for l.packBand(buffers[i*size:][:size]) {
			}
		})
	}
	wg.Wait()
	return errors.Join(l.err, a.Free())
}

// packBand reads the next band into buf and puts it into tiles. It returns false when
// there is none, or after an error.
func (l *loader) packBand(buf []byte) bool {
	b, ok := l.read(buf)
	if !ok {
		return false
	}
	bad := b.pack(buf[:b.bytes(b.scales, b.row, b.rows)])
	if bad >= 0 {
		typ := b.Type
		if b.scales {
			typ = Float32
		}
		at, v := b.at+int64(bad), typ.Float(buf[bad:])
		l.mu.Lock()
		l.fail(at, l.r.h.errorf(at, "%s: %v is not a weight: the file is damaged", b.Name, v))
		l.mu.Unlock()
	}
	return bad < 0
}

// read reads the next band into buf.
func (l *loader) read(buf []byte) (b band, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.next == len(l.places) {
		return b, false
	}
	p := l.places[l.next]
	err := l.r.skip(p.Offset, p.Name)
	b = band{p, l.scales, l.row, 0, l.r.offset}
	b.rows = min(b.bandRows(l.scales), b.Rows-l.row)
	if err == nil {
		err = l.r.read(buf[:b.bytes(b.scales, b.row, b.rows)], b.Name)
	}
	if err != nil {
		l.fail(l.r.offset, err)
		return b, false
	}
	if l.progress != nil {
		l.progress()
	}
	if l.row += b.rows; l.row == b.Rows {
		l.row, l.scales = 0, b.Type == Int8 && !l.scales
		if !l.scales {
			l.next++
		}
	}
	return b, true
}

// fail keeps the error with the lowest offset in the file.
func (l *loader) fail(at int64, err error) {
	if at < l.at {
		l.at, l.err = at, err
	}
}

// pack puts the numbers of a band into Weights. It returns where in src the first float stands
// that is not finite, or -1. A model with such a number generates only noise.
func (b *band) pack(src []byte) (bad int) {
	if b.array == nil {
		return -1
	}
	if b.array.vectors != nil {
		Float32.Dequantize((*b.array.vectors)[b.Layer*b.Columns:][:b.Columns], src)
		return Float32.NotFinite(src)
	}
	m := b.array.matrix(b.Layer)
	if b.scales {
		simd.PackScales(m.Tiles, src, b.row, b.rows, b.Columns, m.Columns/b.Group, b.Group)
		return Float32.NotFinite(src)
	}
	return m.Format.Pack(m.Tiles, src, b.row, b.Columns)
}

// reader reads a file from front to back and knows where it is.
type reader struct {
	r      io.Reader
	h      Header // of the file, for messages
	offset int64
}

// errorf returns an error at the current offset.
func (r *reader) errorf(format string, a ...any) error {
	return r.h.errorf(r.offset, format, a...)
}

// read fills b with the bytes of what.
func (r *reader) read(b []byte, what string) error {
	n, err := io.ReadFull(r.r, b)
	r.offset += int64(n)
	return r.explain(err, what)
}

// skip reads up to an offset, at which what begins, unless it is behind that.
func (r *reader) skip(offset int64, what string) error {
	n, err := io.CopyN(io.Discard, r.r, max(0, offset-r.offset))
	r.offset += n
	return r.explain(err, what)
}

// explain returns err, which ended the reading of what, for a person.
func (r *reader) explain(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.errorf("%s: the file ends here", what)
	}
	if err != nil {
		return r.errorf("%s: %w", what, err)
	}
	return nil
}
