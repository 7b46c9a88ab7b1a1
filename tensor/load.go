package tensor

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"

	"bootllama/arena"
	"bootllama/simd"
)

// Destination is where the numbers of a tensor go: nowhere, or into Vector, as float32, or into
// Tiles, in its Format, of whose columns the first are Used.
type Destination struct {
	*Tensor
	Vector []float32
	Tiles  []byte
	Used   int
}

// Load reads tensors from r, which is at the first of them, on several goroutines. progress, if
// not nil, is called now and then with the bytes of the file that have been read.
func Load(r io.Reader, f File, places []Destination, progress func(done, total int64)) error {
	first, last := places[0], places[len(places)-1]
	l := loader{places: places, r: NewReader(r, f, first.Offset), at: math.MaxInt64}
	if progress != nil {
		l.progress = func() { progress(l.r.Offset, last.Offset+last.Bytes) }
	}
	return l.load()
}

// loader reads tensors and puts them into tiles on several goroutines. The file is read in
// order, one band of rows at a time: while one goroutine reads, the others pack.
type loader struct {
	places []Destination

	mu       sync.Mutex
	r        *Reader
	progress func() // may be nil
	next     int    // the place that is read,
	scales   bool   // whether its values have been read and its scales are next,
	row      int    // and the row that is next
	err      error
	at       int64 // where in the file err is
}

// band is some rows of a tensor, or their scales.
type band struct {
	Destination
	scales    bool
	row, rows int
	at        int64 // where it begins in the file
}

const (
	// bandBytes is the approximate size of a read: large, since the file systems of firmware
	// are slow with small reads, but small enough that it is still in the cache when packed.
	bandBytes = 256 << 10
	// maxPackers bounds the goroutines, each of which has a buffer.
	maxPackers = 4
)

// BandRows returns the number of rows that Load reads at a time, or of which it reads the scales: whole tiles, of either
// type.
func (t *Tensor) BandRows(scales bool) int {
	if scales && t.Columns%t.Group != 0 {
		return t.Rows // two rows may have a group in common, and so a scale
	}
	tile := simd.TileF32
	return min(t.Rows, max(1, bandBytes/(t.bytes(scales, 0, 1)*tile))*tile)
}

func (l *loader) load() error {
	size := 0 // of the largest band
	for _, p := range l.places {
		size = max(size, p.bytes(false, 0, p.BandRows(false)))
		if p.Type == Int8 {
			size = max(size, p.bytes(true, 0, p.BandRows(true)))
		}
	}
	packers := min(runtime.GOMAXPROCS(0), maxPackers)
	var a arena.Arena
	buffers := arena.Make[byte](&a, packers*size)
	if a.Err != nil {
		return fmt.Errorf("%s: buffers: %w", l.r.file.Name, a.Err)
	}
	var wg sync.WaitGroup
	for i := range packers {
		wg.Go(func() {
			for l.packBand(buffers[i*size:][:size]) {
			}
		})
	}
	wg.Wait()
	return errors.Join(l.err, a.Free())
}

// packBand reads the next band into buf and puts it into tiles. It returns false when
// there is none, or after an error.
func (l *loader) packBand(buf []byte) bool {
	b, ok := l.read(buf)
	if !ok {
		return false
	}
	bad := b.pack(buf[:b.bytes(b.scales, b.row, b.rows)])
	if bad >= 0 {
		typ := b.Type
		if b.scales {
			typ = Float32
		}
		at, v := b.at+int64(bad), typ.Float(buf[bad:])
		l.mu.Lock()
		l.fail(at, l.r.file.Errorf(at, "%s: %v is not a weight: the file is damaged", b.Name, v))
		l.mu.Unlock()
	}
	return bad < 0
}

// read reads the next band into buf.
func (l *loader) read(buf []byte) (b band, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.next == len(l.places) {
		return b, false
	}
	p := l.places[l.next]
	err := l.r.Skip(p.Offset, p.Name)
	b = band{p, l.scales, l.row, 0, l.r.Offset}
	b.rows = min(b.BandRows(l.scales), b.Rows-l.row)
	if err == nil {
		err = l.r.Read(buf[:b.bytes(b.scales, b.row, b.rows)], b.Name)
	}
	if err != nil {
		l.fail(l.r.Offset, err)
		return b, false
	}
	if l.progress != nil {
		l.progress()
	}
	if l.row += b.rows; l.row == b.Rows {
		l.row, l.scales = 0, b.Type == Int8 && !l.scales
		if !l.scales {
			l.next++
		}
	}
	return b, true
}

// fail keeps the error with the lowest offset in the file.
func (l *loader) fail(at int64, err error) {
	if at < l.at {
		l.at, l.err = at, err
	}
}

// pack puts the numbers of a band in their place. It returns where in src the first float stands
// that is not finite, or -1. A model with such a number generates only noise.
func (b *band) pack(src []byte) (bad int) {
	switch {
	case b.Vector != nil:
		Float32.Dequantize(b.Vector, src)
		return Float32.NotFinite(src)
	case b.Tiles == nil:
		return -1
	case b.scales:
		simd.PackScales(b.Tiles, src, b.row, b.rows, b.Columns, b.Used/b.Group, b.Group)
		return Float32.NotFinite(src)
	}
	return b.Format().Pack(b.Tiles, src, b.row, b.Columns)
}

// Reader reads a file from front to back and knows where it is.
type Reader struct {
	Offset int64
	r      io.Reader
	file   File
}

// NewReader returns a Reader of r, which is at an offset of a file.
func NewReader(r io.Reader, f File, offset int64) *Reader { return &Reader{offset, r, f} }

// Errorf returns an error at the current offset.
func (r *Reader) Errorf(format string, a ...any) error {
	return r.file.Errorf(r.Offset, format, a...)
}

// Read fills b with the bytes of what.
func (r *Reader) Read(b []byte, what string) error {
	n, err := io.ReadFull(r.r, b)
	r.Offset += int64(n)
	return r.explain(err, what)
}

// Skip reads up to an offset, at which what begins, unless it is behind that.
func (r *Reader) Skip(offset int64, what string) error {
	n, err := io.CopyN(io.Discard, r.r, max(0, offset-r.Offset))
	r.Offset += n
	return r.explain(err, what)
}

// explain returns err, which ended the reading of what, for a person.
func (r *Reader) explain(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.Errorf("%s: the file ends here", what)
	}
	if err != nil {
		return r.Errorf("%s: %w", what, err)
	}
	return nil
}
