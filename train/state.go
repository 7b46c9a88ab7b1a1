package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"bootllama"
)

// The state of a training is a file of little-endian numbers:
//
//	8 bytes  "blltrain"
//	uint32   version, 1
//	7 uint32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
//	3 uint32 steps, batch, warmup
//	uint32   steps done
//	uint64   seed
//	7 float64 learning rate, minimum, weight decay, beta1, beta2, epsilon, clip
//	float32  weights, then both moments of AdamW, each in the order of Parameters.Data
//	32 bytes SHA-256 of all that stands before
const (
	stateMagic   = "blltrain"
	stateVersion = 1
	headerSize   = 8 + 12*4 + 8 + 7*8
)

// header is what stands before the weights, behind magic and version.
type header struct {
	Dim, HiddenDim, NLayers, NHeads, NKVHeads, VocabSize, SeqLen uint32
	Steps, Batch, Warmup, StepsDone                              uint32
	Seed                                                         uint64
	LearningRate, MinLearningRate, WeightDecay                   float64
	Beta1, Beta2, Epsilon, Clip                                  float64
}

func (h *header) config() llama.Config {
	return llama.Config{Dim: int(h.Dim), HiddenDim: int(h.HiddenDim), NLayers: int(h.NLayers), NHeads: int(h.NHeads),
		NKVHeads: int(h.NKVHeads), VocabSize: int(h.VocabSize), SeqLen: int(h.SeqLen)}
}

func (h *header) options() Options {
	return Options{Seed: h.Seed, Steps: int(h.Steps), Batch: int(h.Batch), Warmup: int(h.Warmup),
		LearningRate: h.LearningRate, MinLearningRate: h.MinLearningRate, WeightDecay: h.WeightDecay,
		Beta1: h.Beta1, Beta2: h.Beta2, Epsilon: h.Epsilon, Clip: h.Clip}
}

func (t *Trainer) header() *header {
	c, o := t.parameters.Config, t.options
	u := func(v int) uint32 { return uint32(v) }
	return &header{u(c.Dim), u(c.HiddenDim), u(c.NLayers), u(c.NHeads), u(c.NKVHeads), u(c.VocabSize), u(c.SeqLen),
		u(o.Steps), u(o.Batch), u(o.Warmup), u(t.StepsDone), o.Seed,
		o.LearningRate, o.MinLearningRate, o.WeightDecay, o.Beta1, o.Beta2, o.Epsilon, o.Clip}
}

// Save writes the state of the training to w: all that Load needs to go on bit for bit as if
// nothing had been between. The errors are w's.
func (t *Trainer) Save(w io.Writer) error {
	sum := sha256.New()
	all := io.MultiWriter(w, sum)
	b := binary.LittleEndian.AppendUint32([]byte(stateMagic), stateVersion)
	b, err := binary.Append(b, binary.LittleEndian, t.header())
	if err != nil {
		panic("train: " + err.Error()) // header has fields of fixed size
	}
	if _, err := all.Write(b); err != nil {
		return err
	}
	for _, p := range []*Parameters{t.parameters, t.m, t.v} {
		if err := writeFloats(all, p.Data); err != nil {
			return err
		}
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// chunk is how many values are written or read at once.
const chunk = 1 << 14

func writeFloats(w io.Writer, data []float32) error {
	b := make([]byte, 0, 4*chunk)
	for len(data) > 0 {
		n := min(len(data), chunk)
		for _, v := range data[:n] {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		data, b = data[n:], b[:0]
	}
	return nil
}

// Load reads a state that Save wrote from r to its end and returns the training, which goes
// on as it would have without. Of the options only Threads and Kernels are taken from o. A
// state that is damaged, cut short or something else is an error, which says where with
// name, that of the file.
func Load(r io.Reader, name string, o Options) (*Trainer, error) {
	s := &stateReader{r: r, name: name, sum: sha256.New()}
	h, err := s.header()
	if err != nil {
		return nil, err
	}
	var ps [3]*Parameters
	for i, what := range []string{"weights", "first moments", "second moments"} {
		ps[i] = NewParameters(h.config())
		if err := s.floats(ps[i].Data, what); err != nil {
			return nil, err
		}
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	saved := h.options()
	saved.Threads, saved.Kernels = o.Threads, o.Kernels
	t := newTrainer(ps[0], ps[1], ps[2], saved)
	t.StepsDone = int(h.StepsDone)
	return t, nil
}

// stateReader reads a state and knows where it is.
type stateReader struct {
	r      io.Reader
	name   string
	offset int64
	sum    hash.Hash
}

func (s *stateReader) errorf(format string, a ...any) error {
	return fmt.Errorf("%s: offset %d: %w", s.name, s.offset, fmt.Errorf(format, a...))
}

// read fills b with what is called so.
func (s *stateReader) read(b []byte, what string) error {
	n, err := io.ReadFull(s.r, b)
	s.offset += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.errorf("the file ends within the %s", what)
	} else if err != nil {
		return s.errorf("%s: %w", what, err)
	}
	s.sum.Write(b)
	return nil
}

func (s *stateReader) header() (*header, error) {
	var b [headerSize]byte
	if err := s.read(b[:12], "header"); err != nil {
		return nil, err
	}
	s.offset = 0
	if string(b[:8]) != stateMagic {
		return nil, s.errorf("magic is %q, not %q: not the state of a training", b[:8], stateMagic)
	}
	s.offset = 8
	if v := binary.LittleEndian.Uint32(b[8:]); v != stateVersion {
		return nil, s.errorf("version is %d, only %d is known", v, stateVersion)
	}
	s.offset = 12
	if err := s.read(b[12:], "header"); err != nil {
		return nil, err
	}
	s.offset = 12
	h := new(header)
	if _, err := binary.Decode(b[12:], binary.LittleEndian, h); err != nil {
		return nil, s.errorf("header: %w", err)
	}
	c, o := h.config(), h.options()
	if err := errors.Join(CheckConfig(c), o.Check()); err != nil {
		return nil, s.errorf("header: %w: the file is damaged", err)
	}
	s.offset = headerSize
	return h, nil
}

func (s *stateReader) floats(data []float32, what string) error {
	b := make([]byte, 4*chunk)
	for len(data) > 0 {
		n := min(len(data), chunk)
		if err := s.read(b[:4*n], what); err != nil {
			return err
		}
		for i := range data[:n] {
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		data = data[n:]
	}
	return nil
}

// end reads the checksum, behind which there is nothing.
func (s *stateReader) end() error {
	want := s.sum.Sum(nil)
	var got [sha256.Size]byte
	at := s.offset
	if err := s.read(got[:], "checksum"); err != nil {
		return err
	}
	if !bytes.Equal(got[:], want) {
		s.offset = at
		return s.errorf("checksum is %x, that of the file is %x: the file is damaged", got, want)
	}
	var more [1]byte
	if n, err := io.ReadFull(s.r, more[:]); n != 0 {
		return s.errorf("the file goes on behind the checksum")
	} else if !errors.Is(err, io.EOF) {
		return s.errorf("%w", err)
	}
	return nil
}
