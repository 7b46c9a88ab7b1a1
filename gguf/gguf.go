// Package gguf reads models in GGUF files, versions 2 and 3, of the architectures llama, qwen2 and
// qwen3. The specification is ggml's docs/gguf.md. All numbers are little endian:
//
//	"GGUF" | uint32 version | uint64 tensors | uint64 pairs | pairs | descriptions of tensors | padding | data
//
// What would change a model's results and is not implemented is refused by name. A model may be
// in several files, NAME-00001-of-00003.gguf and so on; it is known by the first.
package gguf

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"bootllama"
)

// Model is a model's header, and a reader of its weights for llama.Load.
type Model struct {
	llama.Header

	files   []*file
	current int // the file that Read is in
	opened  []io.Closer
}

type opener = func(name string) (io.ReadCloser, int64, error)

// Is reports whether a file of that name, which begins with these bytes, four or more, is a GGUF
// file, or ought to be one.
func Is(begin []byte, name string) bool {
	return strings.HasPrefix(string(begin), "GGUF") || strings.EqualFold(path.Ext(name), ".gguf")
}

// Read reads the header of a model from r, which holds size bytes of the file of that name. open
// opens the further files of a model and returns their sizes. Weights are not read, but by
// Model.Read, from front to back. Errors name the file, the key or tensor, and the offset.
func Read(r io.Reader, size int64, name string, open opener) (*Model, error) {
	m := &Model{Header: llama.Header{Name: name, Format: "GGUF", Texts: map[string]string{}}}
	first := newFile(r, size, name)
	err := first.read()
	if err == nil {
		err = m.read(first, open)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// ReadTokenizer reads the tokenizer of a file like Read's, which need not be a model that runs
// here, nor have tensors; nil if it has none.
func ReadTokenizer(r io.Reader, size int64, name string) (llama.Vocab, error) {
	f := newFile(r, size, name)
	if err := f.read(); err != nil {
		return nil, err
	}
	v, _ := f.tokenizer()
	return v, f.err
}

// Close closes the further files.
func (m *Model) Close() (err error) {
	for _, f := range m.opened {
		err = errors.Join(err, f.Close())
	}
	m.opened = nil
	return err
}

// Read reads the tensors' data, those of one file after the other's.
func (m *Model) Read(p []byte) (int, error) {
	for m.current < len(m.files) {
		f := m.files[m.current]
		if f.left() == 0 {
			m.current++
			continue
		}
		n, err := f.r.Read(p[:min(uint64(len(p)), f.left())])
		f.offset += int64(n)
		if err == io.EOF && f.left() > 0 {
			err = io.ErrUnexpectedEOF
		} else if err == io.EOF {
			err = nil
		}
		return n, err
	}
	return 0, io.EOF
}

// read makes the header of what the first file says, and opens the others.
func (m *Model) read(first *file, open opener) error {
	count := first.splitCount()
	a := first.architecture()
	first.checkFeatures(a)
	if err := m.split(first, count, open); err != nil {
		return err
	}
	if m.Config = first.config(a, m.names()); first.err != nil {
		return first.err
	}
	if err := m.places(); err != nil {
		return err
	}
	if first.checkPresence(m.Config, m.Tensors); first.err != nil {
		return first.err
	}
	if err := m.Check(); err != nil {
		return err
	}
	m.Version = int(first.version)
	for _, p := range first.pairs {
		if p.typ == typeString {
			m.Texts[p.key] = p.text
		}
	}
	for _, key := range first.unknown(a) {
		m.Warnings = append(m.Warnings, quoted(key)+" is not known here: what it says is ignored")
	}
	var warnings []string
	m.Tokenizer, warnings = first.tokenizer()
	m.Warnings = append(m.Warnings, warnings...)
	return first.err
}

// names lists the tensors of all files.
func (m *Model) names() (names []string) {
	for _, f := range m.files {
		for _, t := range f.tensors {
			names = append(names, t.name)
		}
	}
	return names
}

// places sets Tensors and Parts. The data of all files are as one to the reader of the tensors,
// which begins at those of the first.
func (m *Model) places() error {
	begin := m.files[0].data
	for _, f := range m.files {
		m.Parts = append(m.Parts, llama.Part{Name: f.name, Begin: begin, Offset: f.data})
		for _, t := range f.tensors {
			w := f.weight(t, m.Config)
			w.Offset += begin - f.data
			m.Tensors = append(m.Tensors, w)
		}
		if f.err != nil {
			return f.err
		}
		if f.trailing > 0 {
			m.Warnings = append(m.Warnings, fmt.Sprintf("%s: %d bytes behind the last tensor are ignored", f.name, f.trailing))
		}
		begin += f.size - f.data
	}
	return nil
}
