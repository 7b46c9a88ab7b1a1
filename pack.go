package llama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"bootllama/simd"
)

// maxPackers bounds how many goroutines put weights into tiles: each has a buffer, and
// the file is read by one at a time.
const maxPackers = 4

// packer reads the matrices of a kind and puts them into tiles. The file is read in
// order, a band of rows at a time, by whichever goroutine has nothing to pack; so one
// reads while the others pack.
type packer struct {
	k       kind
	ms      []Matrix // of all layers
	columns int      // in the file

	valueRows, valueBands int // rows of a band of values; bands of a layer
	scaleRows, scaleBands int // the same of scales, which stand behind a layer's values

	mu   sync.Mutex
	rd   *reader
	next int // band
	err  error
	at   int64 // where in the file err is
}

// pack reads the matrices of k from rd into ms.
func (c *Checkpoint) pack(rd *reader, k kind, ms []Matrix) error {
	p := &packer{k: k, ms: ms, columns: k.cols, rd: rd, at: math.MaxInt64}
	p.valueRows, p.valueBands = bands(k.rows, p.rowBytes(false), simd.TileF32)
	buffer := min(p.valueRows, k.rows) * p.rowBytes(false)
	if c.GroupSize != 0 {
		p.scaleRows, p.scaleBands = bands(k.rows, p.rowBytes(true), simd.TileInt8)
		if k.cols%c.GroupSize != 0 {
			// Two rows may share a group, and so a scale: all of a layer at once.
			p.scaleRows, p.scaleBands = k.rows, 1
		}
		buffer = max(buffer, p.scaleBytes(0, min(p.scaleRows, k.rows)))
	}
	packers := min(runtime.GOMAXPROCS(0), maxPackers, len(ms)*(p.valueBands+p.scaleBands))
	for i := range packers {
		if err := rd.growBuffer(i, buffer); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for i := range packers {
		wg.Go(func() {
			for p.band(rd.buffers[i]) {
			}
		})
	}
	wg.Wait()
	return p.err
}

// growBuffer makes a buffer at least as large as size.
func (r *reader) growBuffer(i, size int) error {
	b := &r.buffers[i]
	if len(*b) >= size {
		return nil
	}
	err := unmapMemory(*b)
	if err == nil {
		*b, err = mapMemory(uint64(size))
	}
	return err
}

func (r *reader) freeBuffers() (err error) {
	for i, b := range r.buffers {
		err = errors.Join(err, unmapMemory(b))
		r.buffers[i] = nil
	}
	return err
}

// rowBytes returns the size of a row's values, or of its scales, in the file.
func (p *packer) rowBytes(scales bool) int {
	group := p.ms[0].Group
	switch {
	case group == 0:
		return 4 * p.columns
	case scales:
		return 4 * ((p.columns + group - 1) / group)
	default:
		return p.columns
	}
}

// bands divides rows into bands of about 256 KiB and whole tiles; a tile of either type
// is whole then.
func bands(rows, rowBytes, tile int) (rowsOfBand, n int) {
	rowsOfBand = min(max(1, (256<<10)/(rowBytes*tile))*tile, (rows+tile-1)/tile*tile)
	return rowsOfBand, (rows + rowsOfBand - 1) / rowsOfBand
}

// scaleBytes returns where the scales of some rows stand among a layer's, in bytes.
func (p *packer) scaleBytes(row, rows int) int {
	group := p.ms[0].Group
	return 4 * ((row+rows)*p.columns/group - row*p.columns/group)
}

// band reads the next band into b and packs it. It returns false when there is none, or
// after an error.
func (p *packer) band(b []byte) bool {
	p.mu.Lock()
	perLayer := p.valueBands + p.scaleBands
	if p.err != nil || p.next == perLayer*len(p.ms) {
		p.mu.Unlock()
		return false
	}
	m, i := &p.ms[p.next/perLayer], p.next%perLayer
	p.next++
	scales, bandRows := i >= p.valueBands, p.valueRows
	if scales {
		i, bandRows = i-p.valueBands, p.scaleRows
	}
	row := i * bandRows
	rows := min(bandRows, m.Rows-row)
	if scales {
		b = b[:p.scaleBytes(row, rows)]
	} else {
		b = b[:rows*p.rowBytes(false)]
	}
	start := p.rd.offset
	err := p.rd.readPieces(b, p.k.name, nil)
	if err != nil {
		p.fail(p.rd.offset, err)
	}
	p.mu.Unlock()
	if err != nil {
		return false
	}
	bad := -1
	switch {
	case m.Group == 0:
		bad = m.packF32(b, row)
	case scales:
		bad = m.packScales(b, row, rows, p.columns)
	default:
		m.packInt8(b, row, p.columns)
	}
	if bad >= 0 {
		at := start + 4*int64(bad)
		v := math.Float32frombits(binary.LittleEndian.Uint32(b[4*bad:]))
		p.mu.Lock()
		p.fail(at, fmt.Errorf("%s: offset %d: %s: %v is not a weight: the file is damaged", p.rd.name, at, p.k.name, v))
		p.mu.Unlock()
	}
	return bad < 0
}

// fail keeps the error that stands first in the file.
func (p *packer) fail(at int64, err error) {
	if at < p.at {
		p.at, p.err = at, err
	}
}

// packF32 puts rows of the file, which begin at the start of a tile, into tiles. It returns
// the index in src of the first value that is no finite number, or -1.
func (m *Matrix) packF32(src []byte, row int) (bad int) {
	size := simd.TileF32 * 4 * m.Columns
	for from := 0; from < len(src); from += size {
		tile := m.F32[(row+from/(4*m.Columns))*m.Columns:]
		if bad := simd.PackF32(tile, src[from:min(from+size, len(src))], m.Columns); bad >= 0 {
			return from/4 + bad
		}
	}
	return -1
}

// packInt8 does the same for int8, any value of which is good.
func (m *Matrix) packInt8(src []byte, row, columns int) {
	size, groups := simd.TileInt8*columns, m.Columns/m.Group
	for from := 0; from < len(src); from += size {
		tile := m.Q[simd.SizeInt8(row+from/columns, groups, m.Group):]
		simd.PackInt8(tile, src[from:min(from+size, len(src))], columns, groups, m.Group)
	}
}

// packScales puts the scales of some rows into tiles. columns is what a row has in the
// file: when groups straddle rows, the scale of a row's group is that of its first value,
// as in runq.c.
func (m *Matrix) packScales(src []byte, row, rows, columns int) (bad int) {
	groups, first := m.Columns/m.Group, row*columns/m.Group
	for r := row; r < row+rows; r++ {
		for g := range groups {
			at := (r*columns+g*m.Group)/m.Group - first
			bits := binary.LittleEndian.Uint32(src[4*at:])
			simd.SetScale(m.Q, r, g, groups, m.Group, math.Float32frombits(bits))
		}
	}
	for at := 0; at+4 <= len(src); at += 4 {
		if bits := binary.LittleEndian.Uint32(src[at:]); bits&0x7F800000 == 0x7F800000 {
			return at / 4
		}
	}
	return -1
}
