package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"bootllama"
	"bootllama/internal/run"
)

const infoHelp = `Usage: info [MODEL] [options]    what a model is: format, shape, tensors, and the memory it needs to run

Only the header is read, and the file's size compared with it. A file that is neither a checkpoint of llama2.c's nor a
GGUF file that runs here is an error that says why.

  -c, --context N   the memory with a context of N tokens (default: as in run)
      --json        for programs: all tensors, sizes and offsets in bytes
`

// info is the command info.
func info(args []string, s streams) error {
	flags := flag.NewFlagSet("info", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	var o run.Options
	flags.IntVar(&o.Context, "c", 0, "")
	flags.IntVar(&o.Context, "context", 0, "")
	models, err := operands(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return showHelp([]string{"info"}, s)
	case err != nil:
		return err
	}
	name, err := run.Model(models)
	if err != nil {
		return err
	}
	h, err := run.Header(name)
	if err != nil {
		return err
	}
	context, err := o.Positions(h)
	if err != nil {
		return err
	}
	f := describe(h, context)
	if !*asJSON {
		_, err = io.WriteString(s.stdout, f.String())
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(s.stdout, "%s\n", text)
	}
	return err
}

// facts are what info tells of a checkpoint; sizes and offsets in bytes.
type facts struct {
	File             string      `json:"file"`
	Size             int64       `json:"size"`
	Version          int         `json:"version"`
	Format           string      `json:"format"`
	Header           shape       `json:"header"`
	SharedClassifier bool        `json:"shared_classifier"`
	GroupSize        int         `json:"group_size,omitempty"`
	Dropped          int         `json:"dropped_w2_columns,omitempty"`
	HeadSize         int         `json:"head_size"`
	Parameters       int64       `json:"parameters"`
	GGUF             *ggufFacts  `json:"gguf,omitempty"`
	Tensors          []tensor    `json:"tensors"`
	Memory           memoryFacts `json:"memory"`
}

// shape is the header's fields by llama2.c's names.
type shape struct {
	Dim       int `json:"dim"`
	HiddenDim int `json:"hidden_dim"`
	NLayers   int `json:"n_layers"`
	NHeads    int `json:"n_heads"`
	NKVHeads  int `json:"n_kv_heads"`
	VocabSize int `json:"vocab_size"`
	SeqLen    int `json:"seq_len"`
}

// ggufFacts are what a GGUF file tells besides.
type ggufFacts struct {
	Architecture string      `json:"architecture"`
	Name         string      `json:"name,omitempty"` // as its makers call it
	Files        int         `json:"files"`
	NormEpsilon  float32     `json:"norm_epsilon"`
	RoPEBase     float32     `json:"rope_base"`
	RoPEDivisors bool        `json:"rope_divisors"`
	RoPEHalves   bool        `json:"rope_halves"`
	QKVBias      bool        `json:"qkv_bias"`
	QKNorm       bool        `json:"qk_norm"`
	Types        []typeFacts `json:"types"` // the largest share first
	Tokenizer    string      `json:"tokenizer,omitempty"`
	Conversation string      `json:"conversation,omitempty"` // the family of its format
	Warnings     []string    `json:"warnings,omitempty"`
}

// typeFacts are the tensors of a type.
type typeFacts struct {
	Type    string  `json:"type"`
	Tensors int     `json:"tensors"`
	Bytes   int64   `json:"bytes"`
	Share   float64 `json:"share"` // of the bytes of all tensors
}

type tensor struct {
	Name   string `json:"name"`
	Shape  []int  `json:"shape"` // in storage order
	Type   string `json:"type"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Unused bool   `json:"unused,omitempty"`
}

type memoryFacts struct {
	Context  int   `json:"context"` // with so many positions
	Weights  int64 `json:"weights"`
	Cache    int64 `json:"keys_and_values"`
	State    int64 `json:"state"`
	Overhead int64 `json:"overhead_at_most"`
	Sum      int64 `json:"sum"`
	BootMiB  int   `json:"boot_memory_mib"`
}

// describe tells of a model, and of its memory with a context of that size.
func describe(h llama.Header, context int) facts {
	c := h.Config
	h.Config.SeqLen = context
	m := h.Memory()
	f := facts{
		File: h.Name, Version: h.Version, Format: h.Format,
		Header:           shape{c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen},
		SharedClassifier: true, HeadSize: c.HeadSize,
		Memory: memoryFacts{context, m.Weights, m.Cache, m.State, llama.Overhead, m.Total(), memoryMiB(h)},
	}
	if run.IsGGUF(h) {
		f.GGUF = describeGGUF(h)
	}
	for i, t := range h.Tensors {
		f.Size = t.Offset + t.Bytes // in the end, the file's: reading the header has compared
		f.SharedClassifier = f.SharedClassifier && t.Weight != "wcls"
		if t.Weight != "" {
			f.Parameters += int64(t.Rows) * int64(t.Columns)
		}
		if i > 0 && t.Name == h.Tensors[i-1].Name {
			f.Tensors[len(f.Tensors)-1].grow(t)
		} else {
			f.add(t)
		}
	}
	if f.GGUF != nil {
		f.Size = sizeOf(h)
	}
	return f
}

// sizeOf returns the size of a GGUF model's files, which are there: their headers have been read.
func sizeOf(h llama.Header) (size int64) {
	for _, p := range h.Parts {
		if info, err := os.Stat(p.Name); err == nil {
			size += info.Size()
		}
	}
	return size
}

func describeGGUF(h llama.Header) *ggufFacts {
	c := h.Config
	g := &ggufFacts{
		Architecture: h.Texts["general.architecture"], Name: h.Texts["general.name"], Files: len(h.Parts),
		NormEpsilon: c.NormEpsilon, RoPEBase: c.RoPEBase, RoPEDivisors: c.RoPEDivisors, RoPEHalves: c.RoPEHalves,
		QKVBias: c.QKVBias, QKNorm: c.QKNorm,
		Conversation: run.Conversation(h), Warnings: h.Warnings,
	}
	if h.Tokenizer != nil {
		g.Tokenizer = h.Texts["tokenizer.ggml.model"]
		if pre := h.Texts["tokenizer.ggml.pre"]; pre != "" && g.Tokenizer == "gpt2" {
			g.Tokenizer += ", " + pre
		}
	}
	var all int64
	for _, t := range h.Tensors {
		i := slices.IndexFunc(g.Types, func(f typeFacts) bool { return f.Type == t.Type.String() })
		if i < 0 {
			i = len(g.Types)
			g.Types = append(g.Types, typeFacts{Type: t.Type.String()})
		}
		g.Types[i].Tensors++
		g.Types[i].Bytes += t.Bytes
		all += t.Bytes
	}
	for i := range g.Types {
		g.Types[i].Share = float64(g.Types[i].Bytes) / float64(all)
	}
	slices.SortStableFunc(g.Types, func(a, b typeFacts) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return g
}

// add lists a tensor. The scales of int8 are one of their own.
func (f *facts) add(t llama.Tensor) {
	listed := tensor{t.Name, []int{t.Rows, t.Columns}, "float32", t.Offset, t.Bytes, t.Weight == ""}
	if f.GGUF != nil {
		listed.Type = t.Type.String()
	}
	if t.Rows == 1 {
		listed.Shape = listed.Shape[1:]
	}
	if t.Type != llama.Int8 {
		f.Tensors = append(f.Tensors, listed)
		return
	}
	f.GroupSize, f.Dropped = t.Group, f.Header.HiddenDim%t.Group
	n := int64(t.Rows) * int64(t.Columns)
	scales := tensor{t.Name + ".scale", []int{int(n) / t.Group}, "float32", t.Offset + n, t.Bytes - n, false}
	listed.Type, listed.Bytes = "int8", n
	f.Tensors = append(f.Tensors, listed, scales)
}

// grow adds a layer that stands behind those before: (layers, rows, columns).
func (listed *tensor) grow(t llama.Tensor) {
	if listed.Bytes == t.Bytes {
		listed.Shape = append([]int{1}, listed.Shape...)
	}
	listed.Shape[0]++
	listed.Bytes += t.Bytes
}

// String explains the checkpoint to a person.
func (f facts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s parameters\n\n", f.File, quantity(f.Size), count(f.Parameters))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "version\t%d\t%s\n", f.Version, f.Format)
	if g := f.GGUF; g != nil {
		fmt.Fprintf(w, "architecture\t%s\t%s\n", g.Architecture, strings.Map(printable, g.Name))
		if g.Files > 1 {
			fmt.Fprintf(w, "files\t%d\tthe model is known by the first\n", g.Files)
		}
	}
	fmt.Fprintf(w, "dim\t%d\twidth of the residual stream\n", f.Header.Dim)
	fmt.Fprintf(w, "hidden_dim\t%d\twidth of the feed-forward layers\n", f.Header.HiddenDim)
	fmt.Fprintf(w, "n_layers\t%d\tlayers\n", f.Header.NLayers)
	fmt.Fprintf(w, "n_heads\t%d\tquery heads of %d\n", f.Header.NHeads, f.HeadSize)
	fmt.Fprintf(w, "n_kv_heads\t%d\tkey and value heads, %s\n", f.Header.NKVHeads, sharing(f.Header.NHeads/f.Header.NKVHeads))
	fmt.Fprintf(w, "vocab_size\t%d\ttokens, as many as its tokenizer must have\n", f.Header.VocabSize)
	fmt.Fprintf(w, "seq_len\t%d\tpositions: the longest text, in tokens\n", f.Header.SeqLen)
	if f.GroupSize != 0 {
		fmt.Fprintf(w, "group_size\t%d\tneighbours in a row that share a scale\n", f.GroupSize)
	}
	if f.Dropped != 0 {
		fmt.Fprintf(w, "\t\tIt does not divide hidden_dim: as in runq.c, the last %d columns of w2 have no part.\n", f.Dropped)
	}
	if f.SharedClassifier {
		fmt.Fprintf(w, "classifier\tshared\tthe embedding table serves as the classifier\n")
	} else {
		fmt.Fprintf(w, "classifier\tseparate\ta table of its own, wcls\n")
	}
	if f.GGUF != nil {
		f.GGUF.rows(w)
	}
	w.Flush() // to memory, as below: cannot fail

	fmt.Fprint(&b, "\n")
	if f.GGUF != nil {
		f.GGUF.types(&b, w)
	} else {
		f.tensors(&b, w)
	}

	fmt.Fprintf(&b, "\nmemory to run it with %d positions\n", f.Memory.Context)
	m := f.Memory
	for _, r := range []struct {
		what  string
		bytes int64
	}{{"weights", m.Weights}, {"keys and values", m.Cache}, {"state", m.State}, {"on top, at most", m.Overhead}, {"sum", m.Sum}} {
		fmt.Fprintf(w, "  %s\t%s\n", r.what, quantity(r.bytes))
	}
	w.Flush()
	fmt.Fprintf(&b, "`bootllama boot` gives the machine --memory %d (MiB).\n", m.BootMiB)
	return b.String()
}

// rows are the lines that a GGUF file has besides.
func (g *ggufFacts) rows(w io.Writer) {
	yes := map[bool]string{true: "yes", false: "no"}
	fmt.Fprintf(w, "q, k, v bias\t%s\t\n", yes[g.QKVBias])
	fmt.Fprintf(w, "q, k norm\t%s\tof each head; epsilon of all norms: %g\n", yes[g.QKNorm], g.NormEpsilon)
	pairs := "of neighbours in a head"
	if g.RoPEHalves {
		pairs = "of a head's halves"
	}
	if g.RoPEDivisors {
		pairs += ", angles divided by rope_freqs"
	}
	fmt.Fprintf(w, "rotation\t%s\tbase; of pairs %s\n", strconv.FormatFloat(float64(g.RoPEBase), 'f', -1, 32), pairs)
	if g.Tokenizer == "" {
		fmt.Fprint(w, "tokenizer\tnone\tthe file has none: -z\n")
	} else {
		fmt.Fprintf(w, "tokenizer\t%s\t\n", g.Tokenizer)
	}
	if g.Conversation == "" {
		fmt.Fprint(w, "conversation\tnone\tthe file has no chat template\n")
	} else {
		fmt.Fprintf(w, "conversation\t%s\t\n", g.Conversation)
	}
	for _, warning := range g.Warnings {
		fmt.Fprintf(w, "warning\t\t%s\n", strings.Map(printable, warning))
	}
}

// types is the table of the types of tensors.
func (g *ggufFacts) types(b *strings.Builder, w *tabwriter.Writer) {
	fmt.Fprint(w, "type\ttensors\tsize\tshare\n")
	for _, t := range g.Types {
		fmt.Fprintf(w, "%s\t%d\t%s\t%.1f %%\n", t.Type, t.Tensors, quantity(t.Bytes), 100*t.Share)
	}
	w.Flush()
	fmt.Fprint(b, "(--json lists all tensors.)\n")
}

// printable drops what is no text from that of a file.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// tensors is the table of the tensors of a checkpoint of llama2.c's.
func (f facts) tensors(b *strings.Builder, w *tabwriter.Writer) {
	fmt.Fprint(w, "tensor\tshape\ttype\toffset\tsize\n")
	interleaved := false
	for _, r := range collapse(f.Tensors) {
		remark := ""
		if r.Unused {
			remark = "\tunused: the rotations are computed"
		}
		interleaved = interleaved || strings.Contains(r.Name, "[")
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s%s\n", r.Name, r.dims(), r.Type, r.Offset, quantity(r.Bytes), remark)
	}
	w.Flush()
	if interleaved {
		fmt.Fprint(b, "The offset is that of layer 0; each layer's values are followed by their scales (--json lists them all).\n")
	}
}

// row is a tensor, or the tensors of all layers that differ in the layer only.
type row struct {
	tensor
	layers int // 0: one tensor
}

// collapse takes name[0]suffix, name[1]suffix … as one row, in the place of the first.
func collapse(tensors []tensor) []row {
	var rows []row
	at := map[string]int{}
	for _, t := range tensors {
		name, rest, ok := strings.Cut(t.Name, "[")
		layer, suffix, _ := strings.Cut(rest, "]")
		if !ok {
			rows = append(rows, row{tensor: t})
			continue
		}
		key := name + suffix
		i, again := at[key]
		if !again {
			i = len(rows)
			at[key] = i
			rows = append(rows, row{tensor: t})
			rows[i].Bytes = 0
		}
		rows[i].Name = fmt.Sprintf("%s[0-%s]%s", name, layer, suffix)
		if layer == "0" {
			rows[i].Name = t.Name
		}
		rows[i].Bytes += t.Bytes
		rows[i].layers++
	}
	return rows
}

// dims is the row's shape: (rows, columns), with the number of layers before it.
func (r row) dims() string {
	var dims []string
	for _, d := range r.Shape {
		dims = append(dims, strconv.Itoa(d))
	}
	text := "(" + list(dims) + ")"
	if r.layers > 1 {
		text = fmt.Sprintf("%d × %s", r.layers, text)
	}
	return text
}

// sharing says how many query heads use one key and value head.
func sharing(queries int) string {
	if queries == 1 {
		return "one for each query head"
	}
	return fmt.Sprintf("each for %d query heads", queries)
}

// quantity is a number of bytes for a person, exact and, where it is large, readable.
func quantity(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%d bytes (%.2f GiB)", n, float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d bytes (%.1f MiB)", n, float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// count is a number of parameters as models' names have it, after the exact one.
func count(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%d (%.1fB)", n, float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%d (%.1fM)", n, float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%d (%.0fK)", n, float64(n)/1e3)
	}
	return strconv.FormatInt(n, 10)
}
