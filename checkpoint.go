package llama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"bootllama/tensor"
)

// LoadCheckpoint reads a model from the file of that name: see ReadCheckpoint.
func LoadCheckpoint(name string, progress func(done, total int64)) (*Checkpoint, error) {
	return load(name, func(r io.Reader, size int64) (*Checkpoint, error) { return ReadCheckpoint(r, size, name, progress) })
}

// Open opens a regular file, of which it returns the size. Others are not opened: that of a
// FIFO would wait for a writer.
func Open(name string) (r io.ReadCloser, size int64, err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// load opens a file for read.
func load[T any](name string, read func(r io.Reader, size int64) (T, error)) (v T, err error) {
	f, size, err := Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close() // read only: nothing is lost when closing fails
	return read(f, size)
}

// ReadCheckpoint reads a model in one of llama2.c's formats from r, which holds size bytes;
// name is for error messages. Nothing is allocated before the header has been compared with
// the size of the file: see ReadHeader. The weights are read by Load.
func ReadCheckpoint(r io.Reader, size int64, name string, progress func(done, total int64)) (*Checkpoint, error) {
	h, err := ReadHeader(r, size, name)
	if err != nil {
		return nil, err
	}
	return Load(r, h, progress)
}

// llama2c is the header of llama2.c's formats. Version 0 is the legacy one, 1 the same
// weights behind a proper header, both float32; 2 is int8.
type llama2c struct {
	version          int
	config           Config
	sharedClassifier bool // the embedding table serves as the classifier
	groupSize        int  // version 2: this many neighbours in a row share a scale,
	dropped          int  // and so many columns of w2 have no part: see checkGroupSize
}

// The largest values that a header may have, far above those of any published Llama model.
// They ensure that products of sizes are below 2**63, that simd.SinCos is exact, and that the
// sum of the int8 products of a group fits an int32.
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
	magicAK42        = 0x616b3432
)

// ReadHeader reads the header of a checkpoint of llama2.c from r, which holds size bytes,
// and leaves r at the weights; name is for error messages. The numbers are little endian:
//
//	version 0: 7 int32: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len;
//	    a negative vocab_size says that the classifier is separate from the embedding
//	version 1: "ak42" as uint32, int32 version, the same 7 int32, one byte: shared classifier;
//	    zeros up to 256
//	version 2: as version 1, with int32 group_size behind the byte, at offset 37
//
// Behind it stand the Weights,
//
//	version 0: in their order, with (2, seq_len, head_size/2) unused values before WCls,
//	    once the table of rotations
//	version 1: the three norms first, then the matrices
//	version 2: as version 1, and each matrix of each layer as int8 (rows, columns)
//	    followed by its float32 scales, one for each group
//
// and WCls only when it is separate. Every field is checked before it is used, and the
// size of the file must be the one that the header implies.
func ReadHeader(r io.Reader, size int64, name string) (Header, error) {
	h, l := Header{Name: name}, llama2c{}
	rd := tensor.NewReader(r, h.file(), 0)
	var b [headerSize]byte
	if size < legacyHeaderSize {
		return h, rd.Errorf("the file has %d bytes, too few for a checkpoint's header of %d", size, legacyHeaderSize)
	}
	if err := rd.Read(b[:legacyHeaderSize], "header"); err != nil {
		return h, err
	}
	fields := 0
	if magic := binary.LittleEndian.Uint32(b[:]); magic == magicAK42 {
		fields = 8
		l.version = int(int32(binary.LittleEndian.Uint32(b[4:])))
		if l.version != 1 && l.version != 2 {
			return h, h.errorf(4, "version is %d: llama2.c has versions 1 and 2 of this format", l.version)
		}
		if size < headerSize {
			return h, rd.Errorf("the file has %d bytes, too few for the header of %d", size, headerSize)
		}
		if err := rd.Read(b[legacyHeaderSize:], "header"); err != nil {
			return h, err
		}
	}
	err := l.parse(h, b[fields:], fields)
	if err == nil {
		err = l.checkSize(h, size, fields)
	}
	if err != nil {
		return h, err
	}
	h.Format, h.Version, h.Config, h.Tensors = formats[l.version], l.version, l.config, l.tensors()
	if l.dropped > 0 {
		h.Warnings = []string{fmt.Sprintf("group_size %d does not divide hidden_dim %d: as in runq.c, the last %d columns of w2 have no part", l.groupSize, l.config.HiddenDim, l.dropped)}
	}
	return h, nil
}

// formats describes the versions for a person.
var formats = [...]string{
	"llama2.c legacy format, float32",
	"llama2.c format with magic ak42, float32",
	"llama2.c format with magic ak42, int8 with float32 scales; runs as int8, as in runq.c",
}

// parse checks the fields from the shape on, each by itself and then against the others;
// b begins at the shape, which stands at offset start of the file.
func (l *llama2c) parse(h Header, b []byte, start int) error {
	p := &l.config
	fields := [...]struct {
		name string
		dst  *int
		max  int
	}{
		{"dim", &p.Dim, maxDim},
		{"hidden_dim", &p.HiddenDim, maxHiddenDim},
		{"n_layers", &p.NLayers, maxLayers},
		{"n_heads", &p.NHeads, maxDim},
		{"n_kv_heads", &p.NKVHeads, maxDim},
		{"vocab_size", &p.VocabSize, maxVocabSize},
		{"seq_len", &p.SeqLen, maxSeqLen},
	}
	field := func(i int) int { return int(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	fail := func(i int, format string, a ...any) error {
		return h.errorf(int64(start+4*i), "%s is %d, %s: not a llama2.c checkpoint, or a damaged one", fields[i].name, field(i), fmt.Sprintf(format, a...))
	}
	for i, f := range fields {
		v := field(i)
		if f.dst == &p.VocabSize && l.version == 0 {
			l.sharedClassifier = v > 0
			v = max(v, -v)
		}
		if v < 1 || v > f.max {
			return fail(i, "must be 1 to %d", f.max)
		}
		*f.dst = v
	}
	switch *p = p.Llama2(); {
	case p.Dim%p.NHeads != 0:
		return fail(3, "which does not divide dim %d", p.Dim)
	case p.HeadSize%2 != 0:
		return fail(3, "which makes heads of %d: rotary embedding needs an even size", p.HeadSize)
	case p.NHeads%p.NKVHeads != 0:
		return fail(4, "which does not divide n_heads %d", p.NHeads)
	case p.VocabSize < firstByte:
		return fail(5, "too few for <unk>, BOS and EOS")
	}
	if l.version == 0 {
		return nil
	}
	const flags = 36 // offset of the byte behind the shape
	b = b[flags-start:]
	if b[0] > 1 {
		return h.errorf(flags, "shared_classifier is %d, must be 0 or 1: a damaged checkpoint", b[0])
	}
	l.sharedClassifier = b[0] == 1
	b = b[1:]
	if l.version == 2 {
		l.groupSize = int(int32(binary.LittleEndian.Uint32(b)))
		if err := l.checkGroupSize(h, flags+1); err != nil {
			return err
		}
		b = b[4:]
	}
	for i, v := range b { // up to the header's end
		if v != 0 {
			return h.errorf(int64(headerSize-len(b)+i), "%#x where the header is padded with zeros: a damaged checkpoint, or a later format", v)
		}
	}
	return nil
}

// checkGroupSize refuses groups that straddle rows. export.py makes them when
// group_size does not divide hidden_dim; runq.c then takes each row of w2 to begin a
// group and leaves out its last hidden_dim % group_size columns. As long as that is
// less than 1 column in 32 the file runs here as it does there.
func (l *llama2c) checkGroupSize(h Header, offset int64) error {
	p, gs := l.config, l.groupSize
	if gs < 1 || gs > maxGroupSize {
		return h.errorf(offset, "group_size is %d, must be 1 to %d: a damaged checkpoint", gs, maxGroupSize)
	}
	if p.Dim%gs != 0 {
		return h.errorf(offset, "group_size is %d, which does not divide dim %d: groups would straddle rows", gs, p.Dim)
	}
	if l.dropped = p.HiddenDim % gs; l.dropped*32 >= p.HiddenDim {
		return h.errorf(offset, "group_size is %d, which does not divide hidden_dim %d: groups straddle the rows of w2, and runq.c would leave out %d of its %d columns; export the model with a group size that divides both",
			gs, p.HiddenDim, l.dropped, p.HiddenDim)
	}
	return nil
}

// arrays lists the arrays behind the header, in the order of the file.
func (l *llama2c) arrays() []array {
	as := l.config.arrays(&Weights{}) // wcls is the last
	if l.version == 0 {
		// The table of rotations of older llama2.c, before the classifier.
		freqCis := array{name: "freq_cis", layers: 2, rows: l.config.SeqLen, columns: l.config.HeadSize / 2}
		as = slices.Insert(as, len(as)-1, freqCis)
	} else { // the norms first
		isMatrix := func(a array) bool { return a.vectors == nil }
		isNorm := func(a array) bool { return a.vectors != nil }
		as = append(slices.DeleteFunc(slices.Clone(as), isMatrix), slices.DeleteFunc(as, isNorm)...)
	}
	if l.sharedClassifier {
		as = as[:len(as)-1]
	}
	return as
}

// layer describes one layer of a. Its Offset is not set.
func (l *llama2c) layer(a *array, layer int) Tensor {
	t := Tensor{Name: a.name, Weight: a.name, Layer: layer, Rows: a.rows, Columns: a.columns, Bytes: 4 * int64(a.rows) * int64(a.columns)}
	if a.name == "freq_cis" {
		t.Weight = ""
	}
	if l.version == 2 && a.vectors == nil {
		values := t.Bytes / 4
		t.Type, t.Group, t.Bytes = Int8, l.groupSize, values+4*(values/int64(l.groupSize))
		if a.perLayer != nil {
			t.Name = fmt.Sprintf("%s[%d]", a.name, layer)
		}
	}
	return t
}

// tensors lists the arrays of the file.
func (l *llama2c) tensors() (ts []Tensor) {
	offset := l.size()
	for _, a := range l.arrays() {
		for layer := range a.layers {
			t := l.layer(&a, layer)
			t.Offset, offset = offset, offset+t.Bytes
			ts = append(ts, t)
		}
	}
	return ts
}

// size returns the size of the header, in bytes.
func (l *llama2c) size() int64 {
	if l.version == 0 {
		return legacyHeaderSize
	}
	return headerSize
}

// checkSize compares the size of the file with what its header implies, and
// the size of the state, which grows faster with the header than the file does,
// with a generous multiple of the file.
func (l *llama2c) checkSize(h Header, size int64, start int) error {
	want := l.size()
	for _, a := range l.arrays() {
		want += int64(a.layers) * l.layer(&a, 0).Bytes
	}
	if want != size {
		what := "truncated"
		if size > want {
			what = "too long"
		}
		return h.errorf(min(want, size), "%s: the header (%v) implies %d bytes, the file has %d", what, l.config, want, size)
	}
	cache := l.config.cacheBytes()
	if limit := 64<<20 + 8*size; cache > limit {
		return h.errorf(int64(start+6*4), "seq_len is %d: keys and values would take %d bytes, far more than a model of %d bytes warrants",
			l.config.SeqLen, cache, size)
	}
	if want > math.MaxInt || cache > math.MaxInt {
		return fmt.Errorf("%s: the model (%d bytes and %d of state) exceeds this machine's address space", h.Name, want, cache)
	}
	return nil
}
