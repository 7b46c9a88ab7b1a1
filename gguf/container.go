package gguf

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"

	"bootllama/quant"
)

// file is a GGUF file, read from front to back; its methods are the sections of the
// specification. Whatever a length, a count or an offset says is compared with what is left of
// the file before it is used. After an error, which the first one is, reads return zeros.
type file struct {
	r            *bufio.Reader
	name         string
	size, offset int64  // of the file; of what is read next
	what         string // is being read, for errors: a key, a tensor
	err          error

	version  uint32
	pairs    []pair
	end      int64 // offset behind the pairs
	tensors  []tensor
	data     int64 // offset of the tensors' data
	trailing int64 // bytes behind them
}

// Limits of what a file may have, far above those of any model that runs here.
const (
	maxPairs   = 1 << 16
	maxTensors = 1 << 16
	maxText    = 1 << 24 // bytes of a string value
	maxTokens  = 1 << 24 // elements of the tokenizer's arrays
)

func newFile(r io.Reader, size int64, name string) *file {
	return &file{r: bufio.NewReaderSize(r, 64<<10), name: name, size: size}
}

// fail keeps the first error, which is at an offset of the file.
func (f *file) fail(offset int64, format string, a ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: offset %d: %s: %s", f.name, offset, f.what, fmt.Sprintf(format, a...))
	}
}

// left returns how many bytes of the file are left.
func (f *file) left() uint64 { return uint64(f.size - f.offset) }

// has says whether n items of that size can be there; more is an error.
func (f *file) has(n uint64, size uint64) bool {
	if f.err == nil && n > f.left()/size {
		what := fmt.Sprintf("%d bytes", n)
		if size > 1 {
			what = fmt.Sprintf("%d times %d bytes or more", n, size)
		}
		f.fail(f.offset, "%s, and the file has %d left: it is damaged or not complete", what, f.left())
	}
	return f.err == nil
}

// got counts bytes that were read.
func (f *file) got(n int, err error) {
	f.offset += int64(n)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		f.fail(f.offset, "the file ends here")
	case f.err == nil:
		f.err = fmt.Errorf("%s: offset %d: %s: %w", f.name, f.offset, f.what, err)
	}
}

// word reads a number of 1 to 8 bytes, little endian.
func (f *file) word(size int) (v uint64) {
	if !f.has(1, uint64(size)) {
		return 0
	}
	b, err := f.r.Peek(size)
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	n, _ := f.r.Discard(len(b)) // what Peek has returned is there
	if f.got(n, err); err != nil {
		return 0
	}
	return v
}

func (f *file) u32() uint32 { return uint32(f.word(4)) }
func (f *file) u64() uint64 { return f.word(8) }

// skip passes over n bytes.
func (f *file) skip(n uint64) {
	if f.has(n, 1) {
		skipped, err := io.CopyN(io.Discard, f.r, int64(n))
		f.got(int(skipped), err)
	}
}

// text reads a string: uint64 length, bytes.
func (f *file) text(most uint64) string {
	at, n := f.offset, f.u64()
	if n > most {
		f.has(n, 1) // which is the better reason
		f.fail(at, "a string of %d bytes, where %d can be", n, most)
	}
	if !f.has(n, 1) {
		return ""
	}
	b := make([]byte, n)
	read, err := io.ReadFull(f.r, b)
	f.got(read, err)
	return string(b)
}

// read reads the file up to the descriptions of the tensors, which the last section is before
// tensorData.
func (f *file) read() error {
	f.what = "header"
	tensors, pairs := f.header()
	for range pairs {
		f.pair()
		if f.err != nil {
			return f.err
		}
	}
	f.end = f.offset
	f.checkKeys()
	for range tensors {
		f.tensorInfo()
		if f.err != nil {
			return f.err
		}
	}
	f.checkNames()
	return f.err
}

// header reads the beginning of the file ("gguf_header_t"):
//
//	"GGUF", uint32 version, uint64 tensors, uint64 pairs
//
// Version 1 had counts and lengths of 32 bits. Version 3 is version 2, and files may be big
// endian, which those of version 2 may not.
func (f *file) header() (tensors, pairs uint64) {
	const size = 24
	if f.size < size {
		f.fail(0, "the file has %d bytes, too few for the %d of a GGUF header", f.size, size)
		return 0, 0
	}
	magic, version := f.u32(), f.u32()
	switch f.version = version; {
	case f.err != nil:
	case magic != magicGGUF:
		f.fail(0, "begins with %+q, not with \"GGUF\": no GGUF file, or a damaged one", binary.LittleEndian.AppendUint32(nil, magic))
	case version&0xffff == 0 && version != 0:
		f.fail(4, "a big-endian file: take the little-endian one")
	case version == 1:
		f.fail(4, "version 1 of August 2023, which no program reads any more: take a newer file of the model")
	case version < 1 || version > 3:
		f.fail(4, "version is %d, must be 2 or 3", version)
	}
	f.what = "count of tensors"
	tensors = f.count(maxTensors, 1+8+4+8+4+8)
	f.what = "count of metadata"
	pairs = f.count(maxPairs, 1+8+4+1)
	return tensors, pairs
}

const magicGGUF = 'G' | 'G'<<8 | 'U'<<16 | 'F'<<24

// count reads a number of items that have at least so many bytes each.
func (f *file) count(most, size uint64) uint64 {
	at, n := f.offset, f.u64()
	if n > most && f.has(n, size) {
		f.fail(at, "is %d, must be %d at most", n, most)
	}
	if !f.has(n, size) {
		return 0
	}
	return n
}

// valueType is the type of a value ("gguf_metadata_value_type").
type valueType uint32

const (
	typeU16    valueType = 2
	typeU32    valueType = 4
	typeI32    valueType = 5
	typeF32    valueType = 6
	typeBool   valueType = 7
	typeString valueType = 8
	typeArray  valueType = 9
	typeF64    valueType = 12
)

// valueTypes are the types by number: name, and size in bytes, 0 where it is not fixed.
var valueTypes = [...]struct {
	name string
	size int
}{{"u8", 1}, {"i8", 1}, {"u16", 2}, {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4}, {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8}}

func (t valueType) String() string { return valueTypes[t].name }

// pair is a key and its value.
type pair struct {
	key    string
	begin  int64 // where the pair begins in the file
	typ    valueType
	offset int64  // of the value
	bits   uint64 // of a number or a bool
	text   string // typeString
	array  *array // typeArray
	used   bool   // something has asked for it
}

// array is a value of that type. Elements are kept only of the arrays in keptArrays.
type array struct {
	n      int
	ints   []int32
	floats []float32
	texts  string   // of strings, one behind the other,
	ends   []uint32 // and where each ends
}

// keptArrays are the arrays that are used, and the types of their elements.
var keptArrays = map[string]valueType{keyTokens: typeString, keyScores: typeF32, keyTypes: typeI32, keyMerges: typeString}

// pair reads a pair ("gguf_metadata_kv_t"): string key, uint32 type, value.
func (f *file) pair() {
	f.what = "key"
	at := f.offset
	p := pair{begin: at, key: f.text(1<<16 - 1)}
	if p.key == "" {
		f.fail(at, "is empty")
	}
	f.what = quoted(p.key)
	p.typ = f.valueType()
	p.offset = f.offset
	switch {
	case p.typ == typeString:
		p.text = f.text(maxText)
	case p.typ == typeArray:
		f.array(&p)
	default:
		p.bits = f.word(valueTypes[p.typ].size)
		if p.typ == typeBool && p.bits > 1 {
			f.fail(p.offset, "is %d, must be 0 or 1", p.bits)
		}
	}
	f.pairs = append(f.pairs, p)
}

// quoted returns a name for a message: as it is if it is short and plain.
func quoted(name string) string {
	if len(name) <= 80 && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
		return name
	}
	return fmt.Sprintf("%+.80q", name)
}

func (f *file) valueType() valueType {
	at, t := f.offset, f.u32()
	if t >= uint32(len(valueTypes)) {
		f.fail(at, "value of type %d, which GGUF does not have", t)
		return 0
	}
	return valueType(t)
}

// array reads an array: uint32 type of the elements, uint64 count, elements.
func (f *file) array(p *pair) {
	at := f.offset
	typ := f.valueType()
	if typ == typeArray {
		f.fail(at, "an array of arrays, which no model has")
	}
	at = f.offset
	n, size := f.u64(), uint64(cmp.Or(valueTypes[typ].size, 8)) // a string has its length at least
	if !f.has(n, size) {
		return
	}
	p.array = &array{n: int(n)}
	want, kept := keptArrays[p.key]
	switch {
	case !kept && typ == typeString:
		for ; n > 0 && f.err == nil; n-- {
			f.skip(f.u64())
		}
	case !kept:
		f.skip(n * size)
	case typ != want:
		f.fail(p.offset, "is an array of %v, must be one of %v", typ, want)
	case n > maxTokens:
		f.fail(at, "has %d elements, must be %d at most", n, maxTokens)
	default:
		f.elements(p.array, typ)
	}
}

// elements reads those of an array that is kept.
func (f *file) elements(a *array, typ valueType) {
	switch typ {
	case typeString:
		f.texts(a)
	case typeI32:
		a.ints = make([]int32, a.n)
		for i := range a.ints {
			a.ints[i] = int32(f.u32())
		}
	case typeF32:
		a.floats = make([]float32, a.n)
		for i := range a.floats {
			a.floats[i] = math.Float32frombits(f.u32())
		}
	}
}

// texts reads the strings of an array.
func (f *file) texts(a *array) {
	a.ends = make([]uint32, 0, a.n)
	var texts strings.Builder                                                     // not in array, which is copied: a Builder points to itself
	texts.Grow(int(min(f.left(), uint64(16*a.n)) - min(f.left(), uint64(8*a.n)))) // they have 6 to 7 bytes
	for range a.n {
		at, n := f.offset, f.u64()
		if n > math.MaxUint32-uint64(texts.Len()) {
			f.has(n, 1)
			f.fail(at, "strings of more than 4 GiB")
		}
		if !f.has(n, 1) {
			return
		}
		for n > 0 {
			part, err := f.r.Peek(int(min(n, uint64(f.r.Size()))))
			texts.Write(part)
			read, _ := f.r.Discard(len(part))
			if f.got(read, err); err != nil {
				return
			}
			n -= uint64(read)
		}
		a.ends = append(a.ends, uint32(texts.Len()))
	}
	a.texts = texts.String()
}

// strings yields the strings of an array.
func (a *array) strings(yield func(string) bool) {
	from := uint32(0)
	for _, end := range a.ends {
		if !yield(a.texts[from:end]) {
			return
		}
		from = end
	}
}

// checkKeys refuses a key that is there twice.
func (f *file) checkKeys() {
	i, twice := repeated(len(f.pairs), func(i int) string { return f.pairs[i].key })
	if twice && f.err == nil {
		f.what = quoted(f.pairs[i].key)
		f.fail(f.pairs[i].offset, "is there twice")
	}
}

// checkNames refuses a name that two tensors have.
func (f *file) checkNames() {
	i, twice := repeated(len(f.tensors), func(i int) string { return f.tensors[i].name })
	if twice && f.err == nil {
		f.what = "tensor " + quoted(f.tensors[i].name)
		f.fail(f.tensors[i].at, "is there twice")
	}
}

// repeated returns which of n names is that of one before it.
func repeated(n int, name func(i int) string) (i int, twice bool) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(name(a), name(b)) })
	for i := 1; i < n; i++ {
		if name(order[i]) == name(order[i-1]) {
			return order[i], true
		}
	}
	return 0, false
}

// tensor is an array of numbers.
type tensor struct {
	name          string
	at            int64 // of the description
	columns, rows uint64
	deep          bool // there are more dimensions, and they are not 1
	typ           uint32
	offset        uint64 // from the beginning of the data
	bytes         uint64 // set by tensorData
}

// tensorInfo reads the description of a tensor ("gguf_tensor_info_t"):
//
//	string name, uint32 dimensions, uint64 each, uint32 type, uint64 offset
//
// The first dimension is the columns, the values of a row, the second the rows.
func (f *file) tensorInfo() {
	f.what = "tensor's name"
	t := tensor{at: f.offset, rows: 1}
	if t.name = f.text(64); t.name == "" || len(t.name) == 64 {
		f.fail(t.at, "has %d bytes, must have 1 to 63", len(t.name))
	}
	f.what = "tensor " + quoted(t.name)
	at, n := f.offset, f.u32()
	if n < 1 || n > 4 {
		f.fail(at, "has %d dimensions, must have 1 to 4", n)
		return
	}
	for i := range n {
		at := f.offset
		switch d := f.u64(); {
		case d == 0:
			f.fail(at, "dimension %d is 0", i)
		case d > 4*uint64(f.size): // no type has more values in a byte
			f.fail(at, "dimension %d is %d, in a file of %d bytes", i, d, f.size)
		case i == 0:
			t.columns = d
		case i == 1:
			t.rows = d
		case d != 1:
			t.deep = true
		}
	}
	t.typ = f.u32()
	t.offset = f.u64()
	f.tensors = append(f.tensors, t)
}

// tensorData finds where the data of the tensors are ("tensor_data"): behind the last
// description, at a multiple of general.alignment, and so is every tensor in it, one behind the
// other. Their order is not that of the descriptions in all files.
func (f *file) tensorData() {
	alignment := f.alignment()
	if f.err != nil || len(f.tensors) == 0 {
		return
	}
	f.what = "tensors' data"
	padding := (alignment - uint64(f.offset)%alignment) % alignment
	f.skip(padding)
	f.data = f.offset
	slices.SortStableFunc(f.tensors, func(a, b tensor) int { return cmp.Compare(a.offset, b.offset) })
	end := uint64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		f.what = "tensor " + quoted(t.name)
		t.bytes = f.tensorSize(t)
		switch {
		case f.err != nil:
		case t.offset != end:
			f.fail(t.at, "its data are said to begin at %d of the tensors' data, where those before it end at %d", t.offset, end)
		case end > f.left() || t.bytes > f.left()-end:
			f.fail(f.size, "the file ends here, and this tensor is the %d bytes from %d on: it is not complete", t.bytes, f.data+int64(end))
		}
		if f.err != nil {
			return
		}
		end = (t.offset + t.bytes + alignment - 1) &^ (alignment - 1)
	}
	if end < f.left() {
		f.trailing = int64(f.left() - end)
	}
}

// alignment returns the value of general.alignment.
func (f *file) alignment() uint64 {
	const key = "general.alignment"
	n := f.number(key, 32, 1, math.MaxUint32)
	if n&(n-1) != 0 {
		f.at(key, "is %d, must be a power of two", n)
	}
	return uint64(n)
}

// tensorSize returns the bytes of a tensor: rows of whole blocks.
func (f *file) tensorSize(t *tensor) uint64 {
	values, size := quant.Type(t.typ).Block()
	switch {
	case t.deep:
		f.fail(t.at, "has more than two dimensions: models that have such tensors, such as those of experts, are not implemented")
		return 0
	case values == 0:
		f.fail(t.at, "is of type %s, which is not implemented: take %s", typeName(t.typ), instead(t.typ))
		return 0
	case t.columns%uint64(values) != 0:
		f.fail(t.at, "has rows of %d values, and the blocks of its type %v have %d", t.columns, quant.Type(t.typ), values)
		return 0
	}
	high, bytes := bits.Mul64(t.columns/uint64(values)*uint64(size), t.rows)
	if high != 0 || bytes > uint64(f.size) {
		f.fail(t.at, "(%d, %d) values of type %v do not fit into the %d bytes of the file", t.rows, t.columns, quant.Type(t.typ), f.size)
	}
	return bytes
}

// typeName returns ggml's name of a type of tensors (enum ggml_type), and its number.
func typeName(t uint32) string {
	names := [...]string{4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
		24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0",
		36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4"}
	if t < uint32(len(names)) && names[t] != "" {
		return fmt.Sprintf("%s (%d)", names[t], t)
	}
	return fmt.Sprint(t)
}

// instead says which file of a model to take in place of one with tensors of a type.
func instead(t uint32) string {
	switch {
	case t == 4 || t == 5 || t >= 31 && t <= 33:
		return "the Q4_0 file of the model"
	case t >= 36 && t <= 38:
		return "the IQ4_NL file of the model"
	case t == 16 || t == 17 || t == 19 || t == 22 || t == 29 || t == 34 || t == 35:
		return "the Q2_K file of the model, or a larger one"
	case t == 18 || t == 21:
		return "the Q3_K_M file of the model, or a larger one"
	}
	return "the Q4_K_M or Q8_0 file of the model"
}
