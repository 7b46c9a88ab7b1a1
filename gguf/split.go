package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"

	"bootllama"
)

// A model in several files is as llama.cpp's gguf-split makes it: every file has the keys split.no
// (from 0), split.count and split.tensors.count, the first all other metadata, and each some of
// the tensors. Their names end in -00001-of-00003.gguf and so on.

// splitCount returns the number of the model's files, of which this one must be the first.
func (f *file) splitCount() int {
	count := f.integer("split.count", typeU16, 1, 0, math.MaxUint16)
	no := f.integer("split.no", typeU16, 0, 0, math.MaxUint16)
	first, ok := partName(f.name, 1, int(count))
	switch {
	case count < 2:
	case !ok:
		f.at("split.count", "is %d, and so the names of the model's files must end in -00001-of-%05d.gguf and so on", count, count)
	case no != 0:
		f.at("split.no", "is %d: this is file %d of %d, and the model is known by the first, %s", no, no+1, count, path.Base(first))
	case first != f.name:
		f.at("split.no", "is 0: this is the first file of %d, whose name must end in -00001-of-%05d.gguf", count, count)
	}
	return int(count)
}

// split reads the model's files behind the first one, and sets m.files.
func (m *Model) split(first *file, count int, open opener) error {
	if err := m.add(first); err != nil {
		return err
	}
	total := len(first.tensors)
	for i := 1; i < count; i++ {
		f, err := m.part(first, i, count, open)
		if err != nil {
			return err
		}
		total += len(f.tensors)
	}
	if n := first.integer("split.tensors.count", typeI32, int64(total), 0, maxTensors); int(n) != total {
		first.at("split.tensors.count", "is %d, and the files have %d tensors: they do not belong together", n, total)
	}
	return first.err
}

// add adds a file that has been read up to the descriptions of its tensors.
func (m *Model) add(f *file) error {
	f.tensorData()
	m.files = append(m.files, f)
	return f.err
}

// part reads file i, from 0, of a model's several.
func (m *Model) part(first *file, i, count int, open opener) (*file, error) {
	name, _ := partName(first.name, i+1, count)
	r, size, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("file %d of %d of the model: %w", i+1, count, err)
	}
	m.opened = append(m.opened, r)
	f := newFile(r, size, name)
	if err := f.read(); err != nil {
		return nil, err
	}
	no := f.integer("split.no", typeU16, -1, 0, math.MaxUint16)
	n := f.integer("split.count", typeU16, -1, 0, math.MaxUint16)
	if int(no) != i || int(n) != count {
		f.at("split.no", "this is file %d of %d, where %d of %d should be", no+1, n, i+1, count)
	}
	return f, m.add(f)
}

// partName returns the name of file no, from 1, of a model's several, given that of any.
func partName(name string, no, count int) (string, bool) {
	const suffix = "-00001-of-00003.gguf"
	if len(name) < len(suffix) {
		return "", false
	}
	base, end := name[:len(name)-len(suffix)], name[len(name)-len(suffix):]
	want := fmt.Sprintf("-of-%05d", count)
	if end[0] != '-' || end[6:15] != want || !strings.EqualFold(end[15:], ".gguf") {
		return "", false
	}
	return fmt.Sprintf("%s-%05d%s%s", base, no, want, end[15:]), true
}

// Piece is a file of a model that Split has divided.
type Piece struct {
	Name string // the model's, with -00001-of-00003 and so on
	Size int64

	source string
	head   []byte // what is before the data, with the padding
	data   span   // of the source
}

// span is bytes of a file from an offset to another.
type span struct{ from, to int64 }

// Split divides the model in the named file, which must be in one, into files of most bytes or
// less, as gguf-split does. A file that is small enough is a piece as it is.
func Split(name string, most int64) ([]Piece, error) {
	r, size, err := llama.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close() // read only: nothing is lost when closing fails
	if size <= most {
		return []Piece{{Name: name, Size: size, source: name, data: span{0, size}}}, nil
	}
	f := newFile(r, size, name)
	if err := f.read(); err != nil {
		return nil, err
	}
	if f.tensorData(); f.splitCount() > 1 {
		f.at("split.count", "is more than 1, and this file by itself has more than %d bytes", most)
	}
	if f.err != nil {
		return nil, f.err
	}
	metadata, err := f.metadata()
	if err != nil {
		return nil, err
	}
	return f.pieces(metadata, most)
}

// pieces divides the tensors.
func (f *file) pieces(metadata []byte, most int64) (pieces []Piece, err error) {
	// At most what is in a file beside descriptions, metadata and data: a header of 24 bytes, 82 of the three keys of
	// splits, 33 of general.alignment.
	const fixed = 24 + 82 + 33
	// What is in a description beside the name: its length, the number of dimensions, two of them, type and offset.
	const description = 8 + 4 + 2*8 + 4 + 8
	alignment := int64(f.alignment())
	var runs [][]tensor
	used := int64(math.MaxInt64) // of the last one
	for i, t := range f.tensors {
		size := description + int64(len(t.name)) + (int64(t.bytes)+alignment-1)/alignment*alignment
		if used > most-size {
			if used = fixed + alignment; len(runs) == 0 {
				used += int64(len(metadata))
			}
			if used > most-size {
				f.what = "tensor " + quoted(t.name)
				f.fail(t.at, "has %d bytes, and does not fit into a file of %d", t.bytes, most)
				return nil, f.err
			}
			runs = append(runs, f.tensors[i:i])
		}
		used += size
		runs[len(runs)-1] = runs[len(runs)-1][:len(runs[len(runs)-1])+1]
	}
	for i, run := range runs {
		pieces = append(pieces, f.piece(i, len(runs), run, metadata, alignment))
	}
	return pieces, nil
}

// piece is file i, from 0, of a model's several.
func (f *file) piece(i, count int, tensors []tensor, metadata []byte, alignment int64) Piece {
	b := append([]byte("GGUF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], f.version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	text := func(s string) { b = append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...) }
	pairs := uint64(3)
	b = binary.LittleEndian.AppendUint64(b, 0)
	add := func(key string, typ valueType, value uint32) {
		text(key)
		b = binary.LittleEndian.AppendUint32(b, uint32(typ))
		if typ == typeU16 {
			b = binary.LittleEndian.AppendUint16(b, uint16(value))
		} else {
			b = binary.LittleEndian.AppendUint32(b, value)
		}
	}
	if i == 0 {
		b = append(b, metadata...)
		for _, p := range f.pairs {
			if !strings.HasPrefix(p.key, "split.") {
				pairs++
			}
		}
	} else if alignment != 32 {
		add("general.alignment", typeU32, uint32(alignment))
		pairs++
	}
	add("split.no", typeU16, uint32(i))
	add("split.count", typeU16, uint32(count))
	add("split.tensors.count", typeI32, uint32(len(f.tensors)))
	binary.LittleEndian.PutUint64(b[16:], pairs)
	first := tensors[0].offset
	for _, t := range tensors {
		text(t.name)
		dims := []uint64{t.columns, t.rows}
		if t.rows == 1 {
			dims = dims[:1]
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(dims)))
		for _, d := range dims {
			b = binary.LittleEndian.AppendUint64(b, d)
		}
		b = binary.LittleEndian.AppendUint32(b, t.typ)
		b = binary.LittleEndian.AppendUint64(b, t.offset-first)
	}
	b = append(b, make([]byte, (alignment-int64(len(b))%alignment)%alignment)...)
	last := tensors[len(tensors)-1]
	data := span{f.data + int64(first), f.data + int64(last.offset+last.bytes)}
	name := strings.TrimSuffix(f.name, path.Ext(f.name))
	return Piece{
		Name: fmt.Sprintf("%s-%05d-of-%05d.gguf", name, i+1, count), Size: int64(len(b)) + data.to - data.from,
		source: f.name, head: b, data: data,
	}
}

// metadata reads the pairs again as they stand in the file, without those of splits.
func (f *file) metadata() (b []byte, err error) {
	r, _, err := llama.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all := make([]byte, f.end)
	if _, err := io.ReadFull(r, all); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	for i, p := range f.pairs {
		end := f.end
		if i+1 < len(f.pairs) {
			end = f.pairs[i+1].begin
		}
		if !strings.HasPrefix(p.key, "split.") {
			b = append(b, all[p.begin:end]...)
		}
	}
	return b, nil
}

// Open opens the piece for reading, from front to back.
func (p Piece) Open() (io.ReadCloser, error) {
	r, err := os.Open(p.source)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(p.data.from, io.SeekStart); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(p.head)), io.LimitReader(r, p.data.to-p.data.from)), r}, nil
}
