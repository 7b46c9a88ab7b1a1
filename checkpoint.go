package llama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Checkpoint is the content of a model file.
type Checkpoint struct {
	Config  Config
	Weights Weights
}

// Largest values a header may hold, far above any published Llama model. They
// keep every product of sizes below 2**64 and within what math.go is exact for.
const (
	maxDim       = 1 << 17
	maxHiddenDim = 1 << 19
	maxLayers    = 1 << 12
	maxVocabSize = 1 << 24
	maxSeqLen    = 1 << 20
)

const (
	headerSize = 7 * 4
	// magicAK42 starts the checkpoints of llama2.c's versions 1 and 2.
	magicAK42 = 0x616b3432
)

// LoadCheckpoint reads a model from the file of that name: see ReadCheckpoint.
func LoadCheckpoint(name string) (*Checkpoint, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost when closing fails
	size, err := fileSize(f)
	if err != nil {
		return nil, err
	}
	return ReadCheckpoint(f, size, name)
}

// fileSize returns the size of an open regular file.
func fileSize(f *os.File) (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !fi.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: not a regular file", f.Name())
	}
	return fi.Size(), nil
}

// ReadCheckpoint reads a model in llama2.c's legacy format (version 0, float32)
// from r, which holds size bytes; name is for error messages:
//
//	7 int32, little endian: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len;
//	    a negative vocab_size says that the classifier is separate from the embedding
//	the Weights in order, with (2, seq_len, head_size/2) unused values before WCls,
//	    once the table of rotations; WCls only when it is separate
//
// Every field is checked before it is used, the size must be the one that the
// header implies, and nothing is allocated before that holds.
func ReadCheckpoint(r io.Reader, size int64, name string) (*Checkpoint, error) {
	rd := &reader{r: r, name: name}
	var header [headerSize]byte
	if size < headerSize {
		return nil, rd.errorf("the file has %d bytes, too few for a checkpoint's header of %d", size, headerSize)
	}
	if err := rd.read(header[:], "header"); err != nil {
		return nil, err
	}
	p, shared, err := parseHeader(header, name)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Config: p}
	tensors := c.tensors(shared)
	if err := checkSize(p, tensors, size, name); err != nil {
		return nil, err
	}
	buf := make([]byte, min(1<<20, size))
	for _, t := range tensors {
		if t.dst == nil {
			err = rd.skip(4*t.len, t.name, buf)
		} else {
			*t.dst = make([]float32, t.len)
			err = rd.floats(*t.dst, t.name, buf)
		}
		if err != nil {
			return nil, err
		}
	}
	if shared {
		c.Weights.WCls = c.Weights.TokenEmbeddingTable
	}
	return c, nil
}

// parseHeader checks the seven fields of a legacy header, each by itself and
// against those before it.
func parseHeader(b [headerSize]byte, name string) (p Config, shared bool, err error) {
	field := func(i int) int32 { return int32(binary.LittleEndian.Uint32(b[4*i:])) }
	if field(0) == magicAK42 {
		return p, false, fmt.Errorf("%s: offset 4: checkpoint version %d is not supported, only version 0 (legacy, float32) is", name, field(1))
	}
	shared = field(5) > 0
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
		v := int64(field(i))
		if i == 5 && v < 0 {
			v = -v
		}
		fail := func(format string, a ...any) error {
			return fmt.Errorf("%s: offset %d: %s is %d, %s: not a llama2.c checkpoint, or a damaged one",
				name, 4*i, f.name, field(i), fmt.Sprintf(format, a...))
		}
		if v < 1 || v > f.max {
			return p, false, fail("must be 1 to %d", f.max)
		}
		*f.dst = int(v)
		switch f.dst {
		case &p.NHeads:
			if p.Dim%p.NHeads != 0 {
				return p, false, fail("which does not divide dim %d", p.Dim)
			}
			if p.HeadSize()%2 != 0 {
				return p, false, fail("which makes heads of %d: rotary embedding needs an even size", p.HeadSize())
			}
		case &p.NKVHeads:
			if p.NHeads%p.NKVHeads != 0 {
				return p, false, fail("which does not divide n_heads %d", p.NHeads)
			}
		case &p.VocabSize:
			if p.VocabSize <= EOS {
				return p, false, fail("too few for <unk>, BOS and EOS")
			}
		}
	}
	return p, shared, nil
}

// tensor is a part of the file: where it goes (nil: nowhere) and its length in
// float32.
type tensor struct {
	name string
	dst  *[]float32
	len  uint64
}

// tensors lists what follows the header, in order.
func (c *Checkpoint) tensors(shared bool) []tensor {
	w := &c.Weights
	dim, hidden, layers := uint64(c.Config.Dim), uint64(c.Config.HiddenDim), uint64(c.Config.NLayers)
	kvDim, vocab, seqLen := uint64(c.Config.KVDim()), uint64(c.Config.VocabSize), uint64(c.Config.SeqLen)
	ts := []tensor{
		{"token_embedding_table", &w.TokenEmbeddingTable, vocab * dim},
		{"rms_att_weight", &w.RMSAttWeight, layers * dim},
		{"wq", &w.WQ, layers * dim * dim},
		{"wk", &w.WK, layers * kvDim * dim},
		{"wv", &w.WV, layers * kvDim * dim},
		{"wo", &w.WO, layers * dim * dim},
		{"rms_ffn_weight", &w.RMSFFNWeight, layers * dim},
		{"w1", &w.W1, layers * hidden * dim},
		{"w2", &w.W2, layers * dim * hidden},
		{"w3", &w.W3, layers * hidden * dim},
		{"rms_final_weight", &w.RMSFinalWeight, dim},
		{"freq_cis", nil, seqLen * uint64(c.Config.HeadSize())},
	}
	if !shared {
		ts = append(ts, tensor{"wcls", &w.WCls, vocab * dim})
	}
	return ts
}

// checkSize compares the size of the file with what its header implies, and
// the size of the state, which grows faster with the header than the file does,
// with a generous multiple of the file.
func checkSize(p Config, tensors []tensor, size int64, name string) error {
	want := uint64(headerSize)
	for _, t := range tensors {
		want += 4 * t.len
	}
	if want != uint64(size) {
		what := "truncated"
		if uint64(size) > want {
			what = "too long"
		}
		return fmt.Errorf("%s: offset %d: %s: the header (%v) implies %d bytes, the file has %d",
			name, min(want, uint64(size)), what, p, want, size)
	}
	state := 8 * uint64(p.NLayers) * uint64(p.SeqLen) * uint64(p.KVDim())
	if limit := 64<<20 + 8*uint64(size); state > limit {
		return fmt.Errorf("%s: offset 24: seq_len is %d: keys and values would take %d bytes, far more than a model of %d bytes warrants",
			name, p.SeqLen, state, size)
	}
	if want > math.MaxInt || state > math.MaxInt {
		return fmt.Errorf("%s: the model (%d bytes and %d of state) exceeds this machine's address space", name, want, state)
	}
	return nil
}

// String returns the header's fields, in order and by their names.
func (c Config) String() string {
	return fmt.Sprintf("dim %d, hidden_dim %d, n_layers %d, n_heads %d, n_kv_heads %d, vocab_size %d, seq_len %d",
		c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen)
}

// reader reads a file from front to back and knows where it is.
type reader struct {
	r      io.Reader
	name   string
	offset int64
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

// skip passes over n bytes, through buf: what is unused is read all the same, so
// that its absence shows.
func (r *reader) skip(n uint64, what string, buf []byte) error {
	for n > 0 {
		b := buf[:min(uint64(len(buf)), n)]
		if err := r.read(b, what); err != nil {
			return err
		}
		n -= uint64(len(b))
	}
	return nil
}

// floats fills dst with little-endian float32, through buf, which is small next
// to dst. A value that is no finite number is an error: nothing but noise comes
// out of a model that has one.
func (r *reader) floats(dst []float32, what string, buf []byte) error {
	for len(dst) > 0 {
		n := min(len(buf)/4, len(dst))
		start := r.offset
		b := buf[:4*n]
		if err := r.read(b, what); err != nil {
			return err
		}
		for i := range dst[:n] {
			bits := binary.LittleEndian.Uint32(b[4*i:])
			if bits&0x7f800000 == 0x7f800000 {
				r.offset = start + int64(4*i)
				return r.errorf("%s: %v is not a weight: the file is damaged", what, math.Float32frombits(bits))
			}
			dst[i] = math.Float32frombits(bits)
		}
		dst = dst[n:]
	}
	return nil
}
