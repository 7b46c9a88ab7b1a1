// Package golden reads goldens, outputs of the reference llama2.c, and computes what they
// are compared with: see testdata/README.md.
package golden

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bootllama"
)

// Case is one text that llama2.c generated, or the hash of the logits on the way to it.
type Case struct {
	Model, Tokenizer  string // names of files; In makes paths of them
	Temperature, TopP float32
	Seed              uint64
	Steps             int
	Prompt            string
	Tokens            []int  // ids in the order generated, the prompt's own first, without BOS
	Stdout            string // the text, where it is valid UTF-8
	Bytes             Bytes  // the text, where it is not
	FNV64a            string // what Hash returns
}

// Conversation is a whole output of llama2.c's chat: see chat/testdata/README.md.
type Conversation struct {
	Name   string
	Args   []string // of the command run; the model and its tokenizer by name
	Stdin  string
	Stdout Bytes
}

// Bytes is text that need not be valid UTF-8. As JSON has no way to write it, each
// character from U+0000 to U+00FF stands for one byte there.
type Bytes string

// UnmarshalJSON makes bytes of the characters.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	var characters string
	if err := json.Unmarshal(data, &characters); err != nil {
		return err
	}
	bytes := make([]byte, 0, len(characters))
	for _, c := range characters {
		if c > math.MaxUint8 {
			return fmt.Errorf("%q is not one byte", c)
		}
		bytes = append(bytes, byte(c))
	}
	*b = Bytes(bytes)
	return nil
}

// Files of Case with tokens and text, seen from the root of the repository.
var (
	Own       = []string{"testdata/random.json", "testdata/tales.json"} // of the models that it has
	Published = published + "/goldens.json"                             // of models that others published
)

// published is the folder of those, which is beside the repository or Absent.
const published = "../shared/models"

// Absent reports whether a file is one of the published models' that is not there, as in
// a clone of the repository.
func Absent(path string) bool {
	_, err := os.Stat(path)
	return err != nil && strings.HasSuffix(filepath.ToSlash(filepath.Dir(path)), published)
}

// Read reads a file of goldens: a list of Case or of Conversation.
func Read[T any](name string) ([]T, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var cases []T
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s has no case", name)
	}
	return cases, nil
}

// Path returns where a model's or tokenizer's file of that name lies when root is the
// folder of the repository.
func Path(root, name string) string {
	dir := published
	switch {
	case strings.HasPrefix(name, "random"):
		dir = "testdata"
	case name == "tales.bin" || name == "tok1024.bin":
		dir = "models"
	}
	return filepath.Join(root, dir, name)
}

// In returns the case with the paths of its files in place of their names: see Path.
func (c Case) In(root string) Case {
	c.Model, c.Tokenizer = Path(root, c.Model), Path(root, c.Tokenizer)
	return c
}

// Command returns Args with the paths of its files: see Path.
func (c Conversation) Command(root string) []string {
	args := []string{"run"}
	for _, arg := range c.Args {
		if strings.HasSuffix(arg, ".bin") {
			arg = Path(root, arg)
		}
		args = append(args, arg)
	}
	return args
}

// Text returns what llama2.c wrote to stdout, the newline at the end included.
func (c Case) Text() string { return c.Stdout + string(c.Bytes) }

// IDs returns the tokens as `bootllama run --ids` writes them.
func (c Case) IDs() string { return strings.Trim(fmt.Sprint(c.Tokens), "[]") + "\n" }

// Args returns the command line of the case: run and its options.
func (c Case) Args() []string {
	args := []string{"run", c.Model, "-z", c.Tokenizer, "-t", fmt.Sprint(c.Temperature), "-p", fmt.Sprint(c.TopP),
		"-s", strconv.FormatUint(c.Seed, 10), "-n", strconv.Itoa(c.Steps)}
	if c.Prompt != "" {
		args = append(args, "-i", c.Prompt)
	}
	return args
}

// Load returns a generator as the command line makes it.
func (c Case) Load() (*llama.Generator, error) {
	checkpoint, err := llama.LoadCheckpoint(c.Model, nil)
	if err != nil {
		return nil, err
	}
	tokenizer, err := llama.LoadTokenizer(c.Tokenizer, checkpoint.Config.VocabSize)
	if err != nil {
		return nil, err
	}
	t := llama.NewTransformer(checkpoint, llama.Options{})
	return &llama.Generator{Transformer: t, Tokenizer: tokenizer, Sampler: t.NewSampler(c.Temperature, c.TopP, c.Seed)}, nil
}

// Generate returns the tokens and the text that come out here, the text with guesses of the tokens of which
// two of three are right.
func (c Case) Generate() (tokens []int, text string, err error) {
	g, err := c.Load()
	if err != nil {
		return nil, "", err
	}
	_, err = g.Generate(context.Background(), c.Prompt, c.Steps, func(token int, _ string) error {
		tokens = append(tokens, token)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if g, err = c.Load(); err != nil { // the sampler begins anew
		return nil, "", err
	}
	g.Guess = func(text []int32, n int) (guesses []int) {
		for i, token := range tokens[min(len(text)-1, len(tokens)):] { // BOS is none of them
			if (len(text)+i)%3 == 0 {
				token = 1
			}
			guesses = append(guesses, token)
		}
		return guesses[:min(n, len(guesses))]
	}
	var b strings.Builder
	_, err = g.GenerateText(context.Background(), &b, c.Prompt, c.Steps)
	return tokens, b.String(), err
}

// Hash generates and returns the 64-bit FNV-1a hash of the logits of every position, as
// little-endian float32. Unlike Generate it does not end at BOS. The cases of
// testdata/logits.json are greedy.
func (c Case) Hash() (string, error) {
	g, err := c.Load()
	if err != nil {
		return "", err
	}
	prompt, err := g.Tokenizer.Encode(c.Prompt, true, false)
	if err != nil {
		return "", err
	}
	hash := fnv.New64a()
	bytes := make([]byte, 0, 4*g.Tokenizer.VocabSize())
	token := prompt[0]
	for pos := range g.Steps(c.Steps) {
		logits := g.Transformer.Forward(token, pos)
		bytes = bytes[:0]
		for _, v := range logits {
			bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(v))
		}
		hash.Write(bytes) // never fails
		if pos+1 < len(prompt) {
			token = prompt[pos+1]
		} else {
			token = g.Sampler.Sample(logits)
		}
	}
	return fmt.Sprintf("%016x", hash.Sum64()), nil
}
