// Package start is what happens before a session on the bare machine, and after it: LLAMA.TXT is read, the models on the
// volume are found, and a person chooses among several.
package start

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"bootllama"
	"bootllama/internal/run"
	"bootllama/models"
	"bootllama/session"
)

const (
	maxEntries = 4096 // of a folder that are looked at
	maxFolders = 64
	maxModels  = 250
)

// Find returns the models in a folder and in the folders in it, those of the folder itself first, each with what is wrong
// with it. It reads headers and tokenizers, and no weights. The options say how the models would be run. Notes tell what was
// left out because there is too much of it. Progress, which may be nil, is called with the name of each model before it is
// looked at: on a slow stick that takes a moment.
func Find(root string, o run.Options, progress func(name string)) (found []session.Model, notes []string) {
	folders := []string{root}
	for i := 0; i < len(folders); i++ {
		entries, more := list(folders[i])
		if more {
			notes = append(notes, fmt.Sprintf("%s: only %d of its files were looked at", folders[i], maxEntries))
		}
		for _, e := range entries {
			name := path.Join(folders[i], e.Name())
			switch {
			case e.IsDir() && i == 0 && !slices.Contains(systemFolders, strings.ToLower(e.Name())):
				folders = append(folders, name)
			case e.IsDir() || !isCandidate(name, entries):
			case len(found) == maxModels:
				return found, append(notes, fmt.Sprintf("there are more than %d models: the others were left out", maxModels))
			default:
				short := strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
				if progress != nil {
					progress(short)
				}
				m := describe(name, o)
				m.Name = short
				found = append(found, m)
			}
		}
		if len(folders) > maxFolders {
			folders = folders[:maxFolders]
			notes = append(notes, fmt.Sprintf("%s: only %d of its folders were looked at", root, maxFolders-1))
		}
	}
	return found, notes
}

// systemFolders have no models.
var systemFolders = []string{"efi", "system volume information", "$recycle.bin", "lost+found"}

// list returns the entries of a folder that are not hidden, sorted; more is true if there are more than maxEntries.
func list(folder string) (entries []fs.DirEntry, more bool) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, false // it has no models for us
	}
	defer f.Close()
	entries, _ = f.ReadDir(maxEntries + 1) // what could be read before an error counts
	if more = len(entries) > maxEntries; more {
		entries = entries[:maxEntries]
	}
	// macOS writes a ._NAME beside each NAME.
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name()), strings.ToLower(b.Name())), cmp.Compare(a.Name(), b.Name()))
	})
	return entries, more
}

// isCandidate reports whether a file is a model, perhaps a damaged one; beside are the entries of its folder. Of a model in
// several files only the first counts.
func isCandidate(name string, beside []fs.DirEntry) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".gguf", ".ggu": // the second is what image makes of a name that is too long for it
	case ".bin":
		return isCheckpoint(name)
	default:
		return false
	}
	base := path.Base(name)
	no, count, ok := part(base)
	if !ok || no == 1 {
		return true
	}
	// The first one there is shows what is missing.
	return !slices.ContainsFunc(beside, func(e fs.DirEntry) bool {
		n, _, ok := part(e.Name())
		return ok && n < no && strings.EqualFold(e.Name(), partName(base, n, count))
	})
}

// part returns the number in a name that ends in -00002-of-00003.gguf, and how many there are.
func part(name string) (no, count int, ok bool) {
	if len(name) <= len(partEnd) {
		return 0, 0, false
	}
	n, err := fmt.Sscanf(strings.ToLower(name[len(name)-len(partEnd):]), "-%05d-of-%05d.gguf", &no, &count)
	return no, count, err == nil && n == 2 && no >= 1 && no <= count
}

const partEnd = "-00002-of-00003.gguf"

// partName returns the name of another part.
func partName(name string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", name[:len(name)-len(partEnd)], no, count)
}

// isCheckpoint reports whether a file begins as one of llama2.c's checkpoints does. Many other files are called .bin.
func isCheckpoint(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return true // the reason is shown
	}
	defer f.Close()
	var b [28]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return false
	}
	if string(b[:4]) == "24ka" {
		return true
	}
	var v [7]int // dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
	for i := range v {
		v[i] = int(int32(binary.LittleEndian.Uint32(b[4*i:])))
		if most := [...]int{1 << 17, 1 << 19, 1 << 12, 1 << 12, 1 << 12, 1 << 24, 1 << 20}[i]; v[i] == 0 || v[i] > most || v[i] < 0 && i != 5 {
			return false
		}
	}
	return v[0] >= 8 && v[0]%v[3] == 0 && v[3]%v[4] == 0
}

// describe reads the header of a model.
func describe(name string, o run.Options) (m session.Model) {
	m.Path = name
	if info, err := os.Stat(name); err == nil {
		m.Size = info.Size()
	}
	h, need, err := ForModel(o, name).Need()
	if h.Format != "" {
		m.Kind, m.Need = Kind(h), need
		if len(h.Parts) > 1 {
			m.Size = 0
			for _, p := range h.Parts {
				if info, err := os.Stat(p.Name); err == nil {
					m.Size += info.Size()
				}
			}
		}
	}
	if no, count, ok := part(path.Base(name)); ok && no > 1 {
		err = fmt.Errorf("file %d of %d of a model: the first, %s, is missing", no, count, partName(path.Base(name), 1, count))
	}
	if err != nil {
		m.Reason = reason(err, name)
	}
	return m
}

// ForModel returns the options with which to run one of several models: the tokenizer that they name is for those that have
// none of their own, the draft for those for which it can guess.
func ForModel(o run.Options, name string) run.Options {
	given, draft := o.Tokenizer, o.Draft
	o.Model, o.Tokenizer, o.Draft = name, "", ""
	if given != "" && name != "" {
		if _, err := run.Check(o); err != nil && !run.IsGGUFFile(name) {
			o.Tokenizer = given
		}
	}
	if draft != "" {
		with := o
		with.Draft = draft
		if _, err := run.Check(with); err == nil {
			return with
		}
	}
	return o
}

// reason is an error of a model for a list in which it has its name.
func reason(err error, name string) string {
	if errors.Is(err, fs.ErrPermission) {
		return "it cannot be read"
	}
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "model: "), path.Dir(name)+"/", "")
	return strings.TrimPrefix(text, path.Base(name)+": ")
}

// BuiltIn describes the model that is built in.
func BuiltIn() session.Model {
	h, need, err := run.Options{}.Need()
	m := session.Model{Name: "the built-in one", Kind: "tells children's tales", Size: int64(len(models.Checkpoint)), Need: need}
	if err != nil {
		m.Reason = reason(err, h.Name)
	}
	return m
}

// Kind says what a model is: its architecture, its parameters, and the type of most of its weights.
func Kind(h llama.Header) string {
	var parameters int64
	bytes := map[string]int64{}
	most := ""
	for _, t := range h.Tensors {
		parameters += int64(t.Rows) * int64(t.Columns)
		typ := "int8"
		if t.Type != llama.Int8 {
			typ = t.Type.String()
		}
		if bytes[typ] += t.Bytes; bytes[typ] > bytes[most] {
			most = typ
		}
	}
	return fmt.Sprintf("%s %s %s", cmp.Or(h.Texts["general.architecture"], "llama2.c"), count(parameters), most)
}

// count is a number of parameters in three digits.
func count(n int64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if v := float64(n) / u.size; v >= 0.9995 {
			return fmt.Sprintf("%.*f%s", max(0, digits(v)), v, u.name)
		}
	}
	return fmt.Sprint(n)
}

// digits are those behind the point of a number that has two digits or more.
func digits(v float64) int {
	if v < 9.95 {
		return 1
	}
	return 0
}
