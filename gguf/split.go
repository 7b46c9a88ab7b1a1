package gguf

import (
	"fmt"
	"math"
	"path"
	"strings"
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
