package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Piece is one of the files that a model is divided into: a header of its own, and the data of
// tensors that follow each other in the undivided file.
type Piece struct {
	Name string // NAME-00001-of-00003.gguf, without a folder
	Size int64  // in bytes

	pairs     int    // of metadata
	meta      []byte // their bytes
	head      []byte // what is before them,
	tail      []byte // and between them and the data
	alignment uint64
	tensors   []tensor // offsets count in the undivided file, from data on
	data      int64
}

// Divide returns the files, of at most so many bytes each, that hold what is in the named file of
// size bytes, which r reads: the files that Model.split reads. Errors name the file.
func Divide(r io.ReaderAt, size int64, name string, most int64) ([]Piece, error) {
	f := newFile(io.NewSectionReader(r, 0, size), size, name)
	end := int64(0) // of the metadata
	if f.read() == nil && len(f.tensors) > 0 {
		end = f.tensors[0].at
		f.tensorData()
	}
	if f.find("split.count") != nil {
		f.at("split.count", "this is one file of several, which is not divided again")
	}
	if len(f.tensors) == 0 {
		f.at("split.count", "there are no tensors that could be divided")
	}
	if f.err != nil {
		return nil, f.err
	}
	const header = 24
	meta := make([]byte, end-header)
	if _, err := r.ReadAt(meta, header); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pieces := []Piece{{pairs: len(f.pairs), meta: meta, alignment: f.alignment(), data: f.data}}
	for from, i := 0, 0; i < len(f.tensors); {
		p := &pieces[len(pieces)-1]
		p.tensors = f.tensors[from : i+1]
		switch {
		case p.layOut(0, 0, 0) <= most:
			i++
		case i > from:
			p.tensors = f.tensors[from:i]
			from = i
			pieces = append(pieces, Piece{alignment: 32, data: f.data}) // as files have that do not say it
		default:
			return nil, fmt.Errorf("%s: tensor %s needs a file of %d bytes, and %d are the most", name, p.tensors[0].name, p.layOut(0, 0, 0), most)
		}
	}
	stem := strings.TrimSuffix(filepath.Base(name), ".gguf")
	for i := range pieces {
		p := &pieces[i]
		p.Name = fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, i+1, len(pieces))
		p.Size = p.layOut(i, len(pieces), len(f.tensors))
	}
	return pieces, nil
}

// layOut sets head and tail of file no, from 0, of count, which have so many tensors, and returns
// the size of the file.
func (p *Piece) layOut(no, count, tensors int) int64 {
	le := binary.LittleEndian
	text := func(b []byte, s string) []byte { return append(le.AppendUint64(b, uint64(len(s))), s...) }
	pair := func(b []byte, key string, typ valueType) []byte { return le.AppendUint32(text(b, key), uint32(typ)) }
	b := le.AppendUint32([]byte("GGUF"), 3)
	b = le.AppendUint64(b, uint64(len(p.tensors)))
	p.head = le.AppendUint64(b, uint64(p.pairs+3))
	b = le.AppendUint16(pair(nil, "split.no", typeU16), uint16(no))
	b = le.AppendUint16(pair(b, "split.count", typeU16), uint16(count))
	b = le.AppendUint32(pair(b, "split.tensors.count", typeI32), uint32(tensors))
	data := uint64(0)
	for _, t := range p.tensors {
		dims := []uint64{t.columns, t.rows}
		if t.rows == 1 {
			dims = dims[:1]
		}
		b = le.AppendUint32(text(b, t.name), uint32(len(dims)))
		for _, d := range dims {
			b = le.AppendUint64(b, d)
		}
		b = le.AppendUint32(b, t.typ)
		b = le.AppendUint64(b, data)
		data += padded(t.bytes, p.alignment)
	}
	size := uint64(len(p.head) + len(p.meta) + len(b))
	p.tail = append(b, make([]byte, padded(size, p.alignment)-size)...)
	return int64(padded(size, p.alignment) + data)
}

// padded is n rounded up to a multiple of a power of two.
func padded(n, alignment uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }

// Reader reads the file; r is what Divide was given.
func (p Piece) Reader(r io.ReaderAt) io.Reader {
	readers := []io.Reader{bytes.NewReader(p.head), bytes.NewReader(p.meta), bytes.NewReader(p.tail)}
	for _, t := range p.tensors {
		padding := padded(t.bytes, p.alignment) - t.bytes
		readers = append(readers, io.NewSectionReader(r, p.data+int64(t.offset), int64(t.bytes)), bytes.NewReader(make([]byte, padding)))
	}
	return io.MultiReader(readers...)
}
