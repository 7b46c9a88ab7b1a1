package llama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"unsafe"

	"bootllama/simd"
)

// Checkpoint is the content of a model file.
type Checkpoint struct {
	Header
	Weights Weights

	mapped [][]byte // memory of large arrays, see allocate
}

// Close gives the memory of the weights and of the Transformers of c back. Neither may
// be used afterwards. A program that runs one model to its end need not call it.
func (c *Checkpoint) Close() error {
	var err error
	for _, b := range c.mapped {
		err = errors.Join(err, unmapMemory(b))
	}
	c.mapped, c.Weights = nil, Weights{}
	return err
}

// large is the size in bytes from which on arrays do not go into the Go heap.
const large = 64 << 10

// allocate returns n zeroed values that live as long as c.
func allocate[T float32 | int8 | uint8 | simd.Group](c *Checkpoint, n uint64) ([]T, error) {
	var v T
	size := n * uint64(unsafe.Sizeof(v))
	if size < large {
		return make([]T, n), nil
	}
	b, err := mapMemory(size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	c.mapped = append(c.mapped, b)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil // b is aligned to a page, or by make for 8-byte words
}

// Header is what a checkpoint says of itself before the weights.
type Header struct {
	// Version of llama2.c's format: 0 is the legacy one, 1 the same weights behind a
	// proper header, both float32; 2 is int8 with a scale for each group of GroupSize.
	Version          int
	Config           Config
	SharedClassifier bool // the embedding table serves as the classifier
	GroupSize        int  // version 2; otherwise 0

	name string // of the file
}

// Name returns the name of the file, as it was given.
func (h *Header) Name() string { return h.name }

// Largest values a header may hold, far above any published Llama model. They
// keep every product of sizes below 2**64, what math.go computes exact, and the sum of
// a group of int8 products within int32.
const (
	maxDim       = 1 << 17
	maxHiddenDim = 1 << 19
	maxLayers    = 1 << 12
	maxVocabSize = 1 << 24
	maxSeqLen    = 1 << 20
	maxGroupSize = 1 << 16
)

const (
	legacyHeaderSize = 7 * 4 // version 0
	headerSize       = 256   // versions 1 and 2, padded with zeros
	// magicAK42 starts the checkpoints of versions 1 and 2.
	magicAK42 = 0x616b3432
)

// LoadCheckpoint reads a model from the file of that name: see ReadCheckpoint.
func LoadCheckpoint(name string, progress func(done, total int64)) (*Checkpoint, error) {
	f, size, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost when closing fails
	return ReadCheckpoint(f, size, name, progress)
}

// LoadHeader reads the header of the model in the file of that name: see ReadHeader.
func LoadHeader(name string) (Header, error) {
	f, size, err := open(name)
	if err != nil {
		return Header{}, err
	}
	defer f.Close() // read only
	return ReadHeader(f, size, name)
}

// open opens a regular file and returns its size.
func open(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	if err != nil {
		f.Close() // read only
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// ReadHeader reads the header of a checkpoint from r, which holds size bytes, and
// leaves r at the weights; name is for error messages. The numbers are little endian:
//
//	version 0: 7 int32: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len;
//	    a negative vocab_size says that the classifier is separate from the embedding
//	version 1: "ak42" as uint32, int32 version, the same 7 int32, one byte: shared classifier;
//	    zeros up to 256
//	version 2: as version 1, with int32 group_size behind the byte, at offset 37
//
// Every field is checked before it is used, and the file's size must be the one that
// the header implies.
func ReadHeader(r io.Reader, size int64, name string) (Header, error) {
	return readHeader(&reader{r: r, name: name}, size)
}

func readHeader(rd *reader, size int64) (h Header, err error) {
	h.name = rd.name
	var b [headerSize]byte
	if size < legacyHeaderSize {
		return h, rd.errorf("the file has %d bytes, too few for a checkpoint's header of %d", size, legacyHeaderSize)
	}
	if err := rd.read(b[:legacyHeaderSize], "header"); err != nil {
		return h, err
	}
	fields := 0
	if magic := binary.LittleEndian.Uint32(b[:]); magic == magicAK42 {
		fields = 8
		h.Version = int(int32(binary.LittleEndian.Uint32(b[4:])))
		if h.Version != 1 && h.Version != 2 {
			return h, h.errorf(4, "version is %d: llama2.c has versions 1 and 2 of this format", h.Version)
		}
		if size < headerSize {
			return h, rd.errorf("the file has %d bytes, too few for the header of %d", size, headerSize)
		}
		if err := rd.read(b[legacyHeaderSize:], "header"); err != nil {
			return h, err
		}
	}
	if err := h.parse(b[fields:], fields); err != nil {
		return h, err
	}
	return h, h.checkSize(size)
}

// errorf returns an error at an offset of the file.
func (h *Header) errorf(offset int, format string, a ...any) error {
	return fmt.Errorf("%s: offset %d: %s", h.name, offset, fmt.Sprintf(format, a...))
}

// parse checks the fields from the shape on, each by itself and against those before
// it; b begins at the shape, which stands at offset start of the file.
func (h *Header) parse(b []byte, start int) error {
	p := &h.Config
	for i, f := range []struct {
		name string
		dst  *int
		max  int64
	}{
		{"dim", &p.Dim, maxDim},
		{"hidden_dim", &p.HiddenDim, maxHiddenDim},
		{"n_layers", &p.NLayers, maxLayers},
		{"n_heads", &p.NHeads, maxDim},
		{"n_kv_heads", &p.NKVHeads, maxDim},
		{"vocab_size", &p.VocabSize, maxVocabSize},
		{"seq_len", &p.SeqLen, maxSeqLen},
	} {
		field := int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		v := field
		if f.dst == &p.VocabSize && h.Version == 0 {
			h.SharedClassifier = v > 0
			v = max(v, -v)
		}
		fail := func(format string, a ...any) error {
			return h.errorf(start+4*i, "%s is %d, %s: not a llama2.c checkpoint, or a damaged one", f.name, field, fmt.Sprintf(format, a...))
		}
		if v < 1 || v > f.max {
			return fail("must be 1 to %d", f.max)
		}
		*f.dst = int(v)
		switch f.dst {
		case &p.NHeads:
			if p.Dim%p.NHeads != 0 {
				return fail("which does not divide dim %d", p.Dim)
			}
			if p.HeadSize()%2 != 0 {
				return fail("which makes heads of %d: rotary embedding needs an even size", p.HeadSize())
			}
		case &p.NKVHeads:
			if p.NHeads%p.NKVHeads != 0 {
				return fail("which does not divide n_heads %d", p.NHeads)
			}
		case &p.VocabSize:
			if p.VocabSize <= EOS {
				return fail("too few for <unk>, BOS and EOS")
			}
		}
	}
	if h.Version == 0 {
		return nil
	}
	const flags = 36 // offset of the byte behind the shape
	b = b[flags-start:]
	if b[0] > 1 {
		return h.errorf(flags, "shared_classifier is %d, must be 0 or 1: a damaged checkpoint", b[0])
	}
	h.SharedClassifier = b[0] == 1
	b = b[1:]
	if h.Version == 2 {
		h.GroupSize = int(int32(binary.LittleEndian.Uint32(b)))
		if err := h.checkGroupSize(flags + 1); err != nil {
			return err
		}
		b = b[4:]
	}
	for i, v := range b { // up to the header's end
		if v != 0 {
			return h.errorf(headerSize-len(b)+i, "%#x where the header is padded with zeros: a damaged checkpoint, or a later format", v)
		}
	}
	return nil
}

// checkGroupSize refuses groups that straddle rows. export.py makes them when
// group_size does not divide hidden_dim; runq.c then takes each row of w2 to begin a
// group and leaves out its last hidden_dim % group_size columns. As long as that is
// less than 1 column in 32 the file runs here as it does there (see Dropped).
func (h *Header) checkGroupSize(offset int) error {
	p, gs := h.Config, h.GroupSize
	switch {
	case gs < 1 || gs > maxGroupSize:
		return h.errorf(offset, "group_size is %d, must be 1 to %d: a damaged checkpoint", gs, maxGroupSize)
	case p.Dim%gs != 0:
		return h.errorf(offset, "group_size is %d, which does not divide dim %d: groups would straddle rows", gs, p.Dim)
	case h.Dropped()*32 >= p.HiddenDim:
		return h.errorf(offset, "group_size is %d, which does not divide hidden_dim %d: groups straddle the rows of w2, and runq.c would leave out %d of its %d columns; export the model with a group size that divides both",
			gs, p.HiddenDim, h.Dropped(), p.HiddenDim)
	}
	return nil
}

// Dropped returns how many columns of w2 do not take part because the groups of a
// version 2 checkpoint straddle its rows, as in runq.c; 0 for any sound checkpoint.
func (h Header) Dropped() int {
	if h.GroupSize == 0 {
		return 0
	}
	return h.Config.HiddenDim % h.GroupSize
}

// kind is a run of tensors of one shape in the file: one for each layer, or one.
type kind struct {
	name       string
	layers     int
	rows, cols int
	vector     bool       // float32 in every version: (layers, cols)
	unused     bool       // in the file, but not in Weights
	perLayer   *[]Matrix  // where a matrix for each layer goes,
	single     *Matrix    // or the one there is,
	norm       *[]float32 // or the vectors
}

// kinds lists what follows the header, in order, and where in w it goes.
func (h Header) kinds(w *Weights) []kind {
	p := h.Config
	embedding := kind{name: "token_embedding_table", layers: 1, rows: p.VocabSize, cols: p.Dim, single: &w.TokenEmbeddingTable}
	rmsAtt := kind{name: "rms_att_weight", layers: p.NLayers, rows: 1, cols: p.Dim, vector: true, norm: &w.RMSAttWeight}
	rmsFFN := kind{name: "rms_ffn_weight", layers: p.NLayers, rows: 1, cols: p.Dim, vector: true, norm: &w.RMSFFNWeight}
	rmsFinal := kind{name: "rms_final_weight", layers: 1, rows: 1, cols: p.Dim, vector: true, norm: &w.RMSFinalWeight}
	attention := []kind{
		{name: "wq", layers: p.NLayers, rows: p.Dim, cols: p.Dim, perLayer: &w.WQ},
		{name: "wk", layers: p.NLayers, rows: p.KVDim(), cols: p.Dim, perLayer: &w.WK},
		{name: "wv", layers: p.NLayers, rows: p.KVDim(), cols: p.Dim, perLayer: &w.WV},
		{name: "wo", layers: p.NLayers, rows: p.Dim, cols: p.Dim, perLayer: &w.WO},
	}
	ffn := []kind{
		{name: "w1", layers: p.NLayers, rows: p.HiddenDim, cols: p.Dim, perLayer: &w.W1},
		{name: "w2", layers: p.NLayers, rows: p.Dim, cols: p.HiddenDim, perLayer: &w.W2},
		{name: "w3", layers: p.NLayers, rows: p.HiddenDim, cols: p.Dim, perLayer: &w.W3},
	}
	var ks []kind
	if h.Version == 0 {
		// The table of rotations of older llama2.c, before the classifier.
		freqCis := kind{name: "freq_cis", layers: 2, rows: p.SeqLen, cols: p.HeadSize() / 2, vector: true, unused: true}
		ks = slices.Concat([]kind{embedding, rmsAtt}, attention, []kind{rmsFFN}, ffn, []kind{rmsFinal, freqCis})
	} else {
		ks = slices.Concat([]kind{rmsAtt, rmsFFN, rmsFinal, embedding}, attention, ffn)
	}
	if !h.SharedClassifier {
		ks = append(ks, kind{name: "wcls", layers: 1, rows: p.VocabSize, cols: p.Dim, single: &w.WCls})
	}
	return ks
}

// values returns the number of values in one layer of k, and of the scales with them.
func (h Header) values(k kind) (n, scales uint64) {
	n = uint64(k.rows) * uint64(k.cols)
	if h.Version == 2 && !k.vector {
		scales = n / uint64(h.GroupSize)
	}
	return n, scales
}

// bytes returns the size of one layer of k, in the file and in memory.
func (h Header) bytes(k kind) uint64 {
	n, scales := h.values(k)
	if scales == 0 {
		return 4 * n
	}
	return n + 4*scales
}

// packed returns the size of one layer of k in memory, in bytes.
func (h Header) packed(k kind) int {
	switch {
	case k.vector:
		return 4 * k.cols
	case h.GroupSize == 0:
		return 4 * simd.SizeF32(k.rows, k.cols)
	default:
		return simd.SizeInt8(k.rows, k.cols/h.GroupSize, h.GroupSize)
	}
}

// size returns the size of the header, in bytes.
func (h Header) size() uint64 {
	if h.Version == 0 {
		return legacyHeaderSize
	}
	return headerSize
}

// checkSize compares the size of the file with what its header implies, and
// the size of the state, which grows faster with the header than the file does,
// with a generous multiple of the file.
func (h *Header) checkSize(size int64) error {
	want := h.size()
	for _, k := range h.kinds(&Weights{}) {
		want += uint64(k.layers) * h.bytes(k)
	}
	if want != uint64(size) {
		what := "truncated"
		if uint64(size) > want {
			what = "too long"
		}
		return fmt.Errorf("%s: offset %d: %s: the header (%v) implies %d bytes, the file has %d",
			h.name, min(want, uint64(size)), what, h.Config, want, size)
	}
	cache := h.Memory().Cache
	if limit := 64<<20 + 8*size; cache > limit {
		offset := 24
		if h.Version != 0 {
			offset += 8
		}
		return h.errorf(offset, "seq_len is %d: keys and values would take %d bytes, far more than a model of %d bytes warrants",
			h.Config.SeqLen, cache, size)
	}
	if want > math.MaxInt || cache > math.MaxInt {
		return fmt.Errorf("%s: the model (%d bytes and %d of state) exceeds this machine's address space", h.name, want, cache)
	}
	return nil
}

// Tensor is one array of numbers in a checkpoint.
type Tensor struct {
	Name          string // the matrices of version 2 are a tensor for each layer: wq[0], wq[0].scale
	Shape         []int  // in storage order
	Type          string // float32 or int8
	Offset, Bytes int64
	Unused        bool // by this program, as by llama2.c
}

// Tensors lists the arrays of the file in its order.
func (h Header) Tensors() []Tensor {
	var ts []Tensor
	offset := int64(h.size())
	add := func(name, typ string, n uint64, width int64, unused bool, shape ...int) {
		t := Tensor{name, shape, typ, offset, int64(n) * width, unused}
		ts = append(ts, t)
		offset += t.Bytes
	}
	for _, k := range h.kinds(&Weights{}) {
		n, scales := h.values(k)
		switch {
		case scales != 0:
			for l := range k.layers {
				name := k.name
				if k.perLayer != nil {
					name = fmt.Sprintf("%s[%d]", k.name, l)
				}
				add(name, "int8", n, 1, false, k.rows, k.cols)
				add(name+".scale", "float32", scales, 4, false, int(scales))
			}
		case k.norm != nil && k.layers == 1:
			add(k.name, "float32", n, 4, false, k.cols)
		case k.norm != nil:
			add(k.name, "float32", uint64(k.layers)*n, 4, false, k.layers, k.cols)
		case k.single != nil:
			add(k.name, "float32", n, 4, false, k.rows, k.cols)
		default:
			add(k.name, "float32", uint64(k.layers)*n, 4, k.unused, k.layers, k.rows, k.cols)
		}
	}
	return ts
}

// Memory is what a model takes when it runs, in bytes.
type Memory struct {
	Weights int64 // in tiles, without what is unused: the file's size, or a little more
	Cache   int64 // keys and values of all positions
	State   int64 // activations, rotations, logits and what sampling needs
}

// Overhead is the most that a program needs beside Memory: the Go runtime, the
// tokenizer, buffers.
const Overhead = 48 << 20

// Memory foretells what NewTransformer and NewSampler allocate, and the weights.
func (h Header) Memory() (m Memory) {
	for _, k := range h.kinds(&Weights{}) {
		if k.unused {
			continue
		}
		m.Weights += int64(k.layers) * int64(h.packed(k))
	}
	p := h.Config
	keys, values := p.cacheSize()
	m.Cache = 4 * int64(p.NLayers) * int64(p.NKVHeads) * int64(keys+values)
	m.State = stateSize(h) + int64(unsafe.Sizeof(probIndex{}))*int64(p.VocabSize)
	return m
}

// ReadCheckpoint reads a model in one of llama2.c's formats from r, which holds size
// bytes; name is for error messages. The header is as ReadHeader says; behind it stand
// the Weights,
//
//	version 0: in their order, with (2, seq_len, head_size/2) unused values before WCls,
//	    once the table of rotations
//	version 1: the three norms first, then the matrices
//	version 2: as version 1, and each matrix of each layer as int8 (rows, columns)
//	    followed by its float32 scales, one for each group
//
// and WCls only when it is separate. The matrices are put into the order in which the
// kernels read them, on all cores. Nothing is allocated before the header has been
// borne out by the size. progress, if not nil, is called now and then with the bytes
// read so far.
func ReadCheckpoint(r io.Reader, size int64, name string, progress func(done, total int64)) (*Checkpoint, error) {
	rd := &reader{r: r, name: name}
	h, err := readHeader(rd, size)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Header: h}
	if progress != nil {
		rd.progress = func() { progress(rd.offset, size) }
	}
	for _, k := range h.kinds(&c.Weights) {
		if err := c.readKind(rd, k); err != nil {
			return nil, errors.Join(err, rd.freeBuffers(), c.Close())
		}
	}
	if err := rd.freeBuffers(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if h.SharedClassifier {
		c.Weights.WCls = c.Weights.TokenEmbeddingTable
	}
	return c, nil
}

// readKind reads all layers of k.
func (c *Checkpoint) readKind(rd *reader, k kind) error {
	n, _ := c.values(k)
	if k.unused {
		return rd.skip(4*n*uint64(k.layers), k.name)
	}
	if k.vector {
		*k.norm = make([]float32, n*uint64(k.layers))
		return rd.floats(*k.norm, k.name)
	}
	ms, err := c.newMatrices(k)
	if err != nil {
		return err
	}
	if err := c.pack(rd, k, ms); err != nil {
		return err
	}
	if k.single != nil {
		*k.single = ms[0]
	} else {
		*k.perLayer = ms
	}
	return nil
}

// newMatrices allocates the matrices of all layers of k at once.
func (c *Checkpoint) newMatrices(k kind) ([]Matrix, error) {
	ms := make([]Matrix, k.layers)
	size := c.packed(k)
	var f32 []float32
	var q []uint8
	var err error
	if c.GroupSize == 0 {
		f32, err = allocate[float32](c, uint64(size/4*k.layers))
	} else {
		q, err = allocate[uint8](c, uint64(size*k.layers))
	}
	if err != nil {
		return nil, err
	}
	// All of it will be written soon, unlike the caches.
	largePages(bytesOf(f32))
	largePages(q)
	for l := range ms {
		ms[l] = Matrix{Rows: k.rows, Columns: k.cols, Group: c.GroupSize}
		if c.GroupSize == 0 {
			ms[l].F32 = f32[l*size/4:][:size/4]
			continue
		}
		ms[l].Columns -= k.cols % c.GroupSize // see Dropped
		ms[l].Q = q[l*size:][:size]
	}
	return ms, nil
}

// String returns the header's fields, in order and by their names.
func (c Config) String() string {
	return fmt.Sprintf("dim %d, hidden_dim %d, n_layers %d, n_heads %d, n_kv_heads %d, vocab_size %d, seq_len %d",
		c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen)
}

// reader reads a file from front to back and knows where it is.
type reader struct {
	r        io.Reader
	name     string
	offset   int64
	progress func()             // nil, or called after each piece
	buffers  [maxPackers][]byte // see pack; outside the heap
}

// errorf returns an error at the current offset.
func (r *reader) errorf(format string, a ...any) error {
	return fmt.Errorf("%s: offset %d: "+format, append([]any{r.name, r.offset}, a...)...)
}

// read fills b with the bytes of what.
func (r *reader) read(b []byte, what string) error {
	n, err := io.ReadFull(r.r, b)
	r.offset += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.errorf("%s: the file ends here", what)
	}
	if err != nil {
		return r.errorf("%s: %w", what, err)
	}
	return nil
}

// piece is how many bytes are read at a time: large enough for a firmware's file
// system to be quick, small enough to be in the cache when they are looked at.
const piece = 1 << 20

// readPieces fills b, piece by piece; look, if not nil, sees each of them.
func (r *reader) readPieces(b []byte, what string, look func(b []byte) error) error {
	for len(b) > 0 {
		n := min(piece, len(b))
		if err := r.read(b[:n], what); err != nil {
			return err
		}
		if look != nil {
			if err := look(b[:n]); err != nil {
				return err
			}
		}
		if r.progress != nil {
			r.progress()
		}
		b = b[n:]
	}
	return nil
}

// skip passes over n bytes: what is unused is read all the same, so that its absence
// shows.
func (r *reader) skip(n uint64, what string) error {
	buf := make([]byte, min(n, 1<<16))
	for ; n > 0; n -= uint64(len(buf)) {
		buf = buf[:min(uint64(len(buf)), n)]
		if err := r.readPieces(buf, what, nil); err != nil {
			return err
		}
	}
	return nil
}

// floats fills dst with little-endian float32. A value that is no finite number is an
// error: nothing but noise comes out of a model that has one.
func (r *reader) floats(dst []float32, what string) error {
	b := bytesOf(dst)
	return r.readPieces(b, what, func(b []byte) error {
		for i := 0; i < len(b); i += 4 {
			bits := binary.LittleEndian.Uint32(b[i:])
			if bits&0x7f800000 == 0x7f800000 {
				r.offset -= int64(len(b) - i)
				return r.errorf("%s: %v is not a weight: the file is damaged", what, math.Float32frombits(bits))
			}
			binary.NativeEndian.PutUint32(b[i:], bits)
		}
		return nil
	})
}

// bytesOf returns the memory of s.
func bytesOf[T float32 | uint8](s []T) []byte {
	var v T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(v))
}
