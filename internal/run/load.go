package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"bootllama"
	"bootllama/arena"
	"bootllama/gguf"
	"bootllama/models"
	"bootllama/session"
)

// TokenizerFile returns the name of the tokenizer's file, "" for the one that is built in or in
// the model's file. Of a checkpoint it is the one beside it that has its name, or tokenizer.bin,
// or else, as in run.c, the tokenizer.bin of the current folder.
func (o Options) TokenizerFile() string {
	if o.Tokenizer != "" || o.Model == "" || IsGGUFFile(o.Model) {
		return o.Tokenizer
	}
	const common = "tokenizer.bin"
	if own := OwnTokenizer(o.Model); own != "" {
		return own
	}
	if beside := filepath.Join(filepath.Dir(o.Model), common); isThere(beside) {
		return beside
	}
	return common
}

// OwnTokenizer returns the name of a tokenizer's file beside a model's: with the ending .tok in
// place of the model's. It is "" if there is none.
func OwnTokenizer(model string) string {
	name := strings.TrimSuffix(model, filepath.Ext(model)) + ".tok"
	if !isThere(name) {
		return ""
	}
	return name
}

func isThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// IsGGUFFile reports whether a file is a GGUF file, which has its tokenizer in it.
func IsGGUFFile(name string) bool {
	f, _, err := llama.Open(name)
	if err != nil {
		return false // open says so
	}
	defer f.Close()
	var begin [4]byte
	n, _ := io.ReadFull(f, begin[:])
	return gguf.Is(begin[:n], name)
}

// source is a model's file: its header, which has been read, and its weights for llama.Load.
type source struct {
	llama.Header
	weights io.Reader
	files   []io.Closer
}

// Close closes the files.
func (s *source) Close() {
	for _, f := range s.files {
		f.Close() // read only: nothing is lost when closing fails
	}
}

// open opens the model in the named file, "" for the built-in model, and reads its header. It
// knows a GGUF file by how it begins; the others are llama2.c's.
func open(name string) (*source, error) {
	if name == "" {
		r := strings.NewReader(models.Checkpoint)
		h, err := llama.ReadHeader(r, r.Size(), models.Name)
		return &source{Header: h, weights: r}, err
	}
	f, size, err := llama.Open(name)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	s := &source{files: []io.Closer{f}}
	r := bufio.NewReaderSize(f, 64<<10)
	begin, _ := r.Peek(4) // if there are fewer, the header's reader says so
	if gguf.Is(begin, name) {
		var m *gguf.Model
		if m, err = gguf.Read(r, size, name, llama.Open); err == nil {
			s.Header, s.weights, s.files = m.Header, m, append(s.files, m)
		}
	} else {
		s.Header, err = llama.ReadHeader(r, size, name)
		s.weights = r
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("model: %w", err)
	}
	return s, nil
}

// Header reads the header of the model in the named file, "" for the built-in model.
func Header(name string) (llama.Header, error) {
	s, err := open(name)
	if err != nil {
		return llama.Header{}, err
	}
	s.Close()
	return s.Header, nil
}

// open opens the options' model. Its context is the one that the model will get.
func (o Options) open() (*source, error) {
	s, err := open(o.Model)
	if err != nil {
		return nil, err
	}
	if s.Config.SeqLen, err = o.Positions(s.Header); err != nil {
		err = fmt.Errorf("model: %w", err)
	} else {
		err = o.checkGGUF(s.Header)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	if o.KV == "f32" {
		s.Config.KVFloat16 = false
	}
	return s, nil
}

// Header reads the header of the options' model. Its context is the one that the model will get.
func (o Options) Header() (llama.Header, error) {
	s, err := o.open()
	if err != nil {
		return llama.Header{}, err
	}
	s.Close()
	return s.Header, nil
}

// Load reads the model and its tokenizer. It draws a progress bar if stderr is a Screen.
func Load(o Options, stderr io.Writer) (*llama.Checkpoint, llama.Vocab, error) {
	s, err := o.open()
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	return s.load(o, stderr)
}

// load is Load for the options' model, which has been opened.
func (s *source) load(o Options, stderr io.Writer) (*llama.Checkpoint, llama.Vocab, error) {
	c, err := s.loadCheckpoint(stderr)
	if err != nil {
		return nil, nil, err
	}
	tok, err := loadTokenizer(o, c.Header)
	return c, tok, err
}

func (s *source) loadCheckpoint(stderr io.Writer) (*llama.Checkpoint, error) {
	bar := session.Loading(stderr)
	if len(s.files) == 0 { // the built-in model takes no time
		bar = session.Loading(nil)
	}
	c, err := llama.Load(s.weights, s.Header, bar.Show)
	bar.Clear()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return c, nil
}

// Positions returns the size of a model's context: what -c says, or all that the model has, but
// of a GGUF model no more than 4096, since files name up to 131,072, which take gigabytes.
func (o Options) Positions(h llama.Header) (int, error) {
	n := h.Config.SeqLen
	switch {
	case o.Context > n:
		return 0, fmt.Errorf("%s: its context holds %d tokens, fewer than the %d of -c", h.Name, n, o.Context)
	case o.Context > 0:
		return o.Context, nil
	case IsGGUF(h):
		return min(n, 4096), nil
	}
	return n, nil
}

// IsGGUF reports whether a model's file is a GGUF file.
func IsGGUF(h llama.Header) bool { return strings.HasPrefix(h.Format, "GGUF") }

// checkMemory returns an error if a model, its tokenizer's file, "" for none, and a draft of so many bytes need more
// memory than there is, and the largest context with which they would not, 0 for none. Nothing
// has been loaded then.
func checkMemory(h llama.Header, tokenizer string, draft int64) (fits int, err error) {
	program := llama.Overhead + draft
	if info, err := os.Stat(tokenizer); err == nil { // if not, loadTokenizer says so
		program += 4 * info.Size() // its pieces while they grow, and the tables
	}
	need := func(context int) int64 {
		h.Config.SeqLen = context
		return h.Memory().Total() - llama.Overhead + program
	}
	limit, context, m := arena.Limit(), h.Config.SeqLen, h.Memory()
	if need(context) <= limit {
		return context, nil
	}
	parts := fmt.Sprintf("weights %d, keys and values %d, state %d, the program up to %d", mib(m.Weights), mib(m.Cache), mib(m.State), mib(program-draft))
	if draft > 0 {
		parts += fmt.Sprintf(", the draft %d", mib(draft))
	}
	err = fmt.Errorf("model: %s needs %d MiB of memory (%s) and there are %d MiB", h.Name, mib(need(context)), parts, limit>>20)
	if !IsGGUF(h) {
		return 0, err
	}
	fits = sort.Search(context, func(i int) bool { return need(i+1) > limit }) // i positions fit
	if fits > 256 {
		fits -= fits % 256
	}
	if fits > 0 {
		err = fmt.Errorf("%w; -c %d needs %d", err, fits, mib(need(fits)))
	}
	return fits, err
}

// mib returns a number of bytes in MiB, rounded up.
func mib(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// Check reads the model's header and its tokenizer. It returns the errors of Load but one:
// it does not read the weights and cannot find one that is not a finite number.
func Check(o Options) (llama.Header, error) {
	h, err := o.Header()
	if err != nil {
		return llama.Header{}, err
	}
	if _, err = loadTokenizer(o, h); err == nil {
		_, err = o.checkDraft(h)
	}
	return h, err
}

// Need checks the options' model as Check does, and returns the memory that a session with it takes, in bytes. The error says
// why there can be none, that there is too little memory for it included.
func (o Options) Need() (h llama.Header, bytes int64, err error) {
	if h, err = o.Header(); err != nil {
		return h, 0, err
	}
	draft, wrong := o.checkDraft(h)
	fits, tooLarge := checkMemory(h, o.TokenizerFile(), draft)
	if tooLarge != nil && fits > 0 { // a session takes that
		h.Config.SeqLen, tooLarge = fits, nil
	}
	bytes = h.Memory().Total() + draft
	if err = wrong; err == nil {
		_, err = loadTokenizer(o, h)
	}
	if err == nil && tooLarge != nil {
		err = fmt.Errorf("needs %d MiB of memory, there are %d", mib(bytes), arena.Limit()>>20)
	}
	return h, bytes, err
}

// Vocab reads the tokenizer of the options' model, and nothing else of it but the header. A GGUF
// file need not be a model that runs here, nor have tensors.
func Vocab(o Options) (llama.Vocab, error) {
	if o.Tokenizer != "" || o.Model == "" || !IsGGUFFile(o.Model) {
		h, err := o.Header()
		if err != nil {
			return nil, err
		}
		return loadTokenizer(o, h)
	}
	r, size, err := llama.Open(o.Model)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	defer r.Close() // read only: nothing is lost when closing fails
	v, err := gguf.ReadTokenizer(r, size, o.Model)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return loadTokenizer(o, llama.Header{Name: o.Model, Tokenizer: v})
}

func loadTokenizer(o Options, h llama.Header) (llama.Vocab, error) {
	name := o.TokenizerFile()
	switch {
	case h.Tokenizer != nil && o.Tokenizer == "":
		if o.Special {
			return special(h.Tokenizer), nil
		}
		return h.Tokenizer, nil
	case name == "" && o.Model != "":
		return nil, fmt.Errorf("tokenizer: %s has none (-z names one)", h.Name)
	case name == "":
		return llama.ReadTokenizer(strings.NewReader(models.Tokenizer), int64(len(models.Tokenizer)), models.Name, h.Config.VocabSize)
	}
	tok, err := llama.LoadTokenizer(name, h.Config.VocabSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w, nor is one beside %s (-z names the model's tokenizer)", err, o.Model)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return tok, nil
}
