//go:build linux && amd64

package metal

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"bootllama/metal/vt"
)

// vcsBytes are those of the device, as package vt describes them.
func vcsBytes() (b []byte) {
	word := func(n uint32) { b = binary.LittleEndian.AppendUint32(b, n) }
	columns, rows := terminal.Size()
	x, y, visible := terminal.Cursor()
	for _, n := range []int{columns, rows, x, y} {
		word(uint32(n))
	}
	if visible {
		word(1)
	} else {
		word(0)
	}
	word(terminal.Changes())
	word(0)
	word(0)
	for y := range rows {
		for x := range columns {
			c := terminal.Cell(x, y)
			word(uint32(c.Rune))
			word(uint32(c.Fg))
			word(uint32(c.Bg))
			word(uint32(c.Attr))
		}
	}
	return b
}

// TestCells reads every part of a small screen, and parts of others.
func TestCells(t *testing.T) {
	defer func() { terminal = vt.Terminal{}; terminal.Resize(80, 24) }()
	random := rand.New(rand.NewPCG(6, 6))
	around := bytes.Repeat([]byte{0xA5}, 16)
	buffer := make([]byte, 32<<10)
	for round := range 300 {
		terminal = vt.Terminal{}
		terminal.Resize(2+random.IntN(30), 2+random.IntN(8))
		if round < 2 {
			terminal.Resize(3, 2)
		}
		for range 20 {
			for _, c := range []byte(randomText(random, 10, 5)) {
				terminal.Write(c)
			}
		}
		if round%2 == 0 {
			for _, c := range []byte("\x1b[?25l") {
				terminal.Write(c)
			}
		}
		all := vcsBytes()
		check := func(offset, n int) {
			t.Helper()
			copy(buffer, around)
			copy(buffer[16+n:], around)
			want := all[min(offset, len(all)):min(offset+n, len(all))]
			got := int(copyCells(address(&buffer[16]), uintptr(n), uintptr(offset)))
			if got != len(want) || !bytes.Equal(buffer[16:16+got], want) {
				t.Fatalf("round %d: %d of %d bytes at %d, %d bytes expected; or they are others", round, got, n, offset, len(want))
			}
			if !bytes.Equal(buffer[:16], around) || !bytes.Equal(buffer[16+n:32+n], around) {
				t.Fatalf("round %d: memory beside the %d bytes at %d has changed", round, n, offset)
			}
		}
		if round < 2 {
			for offset := range len(all) + 3 {
				for n := range len(all) + 3 - offset {
					check(offset, n)
				}
			}
			continue
		}
		check(0, len(all)+random.IntN(100))
		for range 20 {
			check(random.IntN(len(all)+100), random.IntN(len(all)))
		}
	}
}

// TestCellsWait: a read from 0 waits until the cells differ from what the last such read of the open file has returned.
func TestCellsWait(t *testing.T) {
	withThreads(t, 3)
	terminal = vt.Terminal{}
	terminal.Resize(4, 2)
	defer func() { terminal.Resize(80, 24) }()
	const first, second = 20, 21
	defer func() { files[first], files[second], vcsWaits = file{}, file{}, threadList{} }()
	files[first], files[second] = file{kind: kindVCS}, file{kind: kindVCS}
	size := vt.HeaderSize + 8*vt.CellSize
	buffers := [3][]byte{make([]byte, size), make([]byte, size), make([]byte, size)}
	var threads [3]*thread
	for i := range threads {
		threads[i] = newThread()
		threads[i].state = stateRunning
	}
	read := func(i int, fd uintptr) (n uint64) {
		clear(buffers[i])
		return vcsRead(threads[i], fd, address(&buffers[i][0]), uintptr(size), 0)
	}
	returned := func(what string, i int, n uint64) {
		t.Helper()
		run(threads[i])
		if n != uint64(size) || !bytes.Equal(buffers[i], vcsBytes()) || threads[i].state != stateRunning {
			t.Errorf("%s: %d bytes, the right ones: %v; state %d", what, int64(n), bytes.Equal(buffers[i], vcsBytes()), threads[i].state)
		}
	}
	waits := func(what string, which ...int) {
		t.Helper()
		serveVCS()
		for _, i := range which {
			if threads[i].state != stateVCS || !bytes.Equal(buffers[i], make([]byte, size)) {
				t.Errorf("%s: state %d, or the buffer has changed", what, threads[i].state)
			}
		}
	}
	returned("the first read", 0, read(0, first))
	if n := vcsRead(threads[0], first, address(&buffers[0][0]), uintptr(size), 1); n != uint64(size)-1 || !bytes.Equal(buffers[0][:n], vcsBytes()[1:]) {
		t.Errorf("a read from 1: %d bytes", int64(n))
	}
	vcsRead(threads[1], second, address(&buffers[1][0]), uintptr(size), 1)
	returned("the first read of another file", 1, read(1, second))
	read(0, first)
	waits("nothing has changed", 0)
	read(1, second)
	waits("of two files", 0, 1)
	terminal.Write('a')
	serveVCS()
	returned("a change", 0, threads[0].result())
	returned("a change, of another file", 1, threads[1].result())
	read(0, first)
	waits("the change was seen", 0)
	terminal.Write('b')
	returned("a reader that did not wait", 1, read(1, second))
	serveVCS()
	returned("and the one that did", 0, threads[0].result())
	terminal.Write('c')
	returned("a change before the read", 1, read(1, second))
	returned("the same in another file", 0, read(0, first))
	read(0, first)
	read(1, first)
	waits("two of one file", 0, 1)
	read(2, second)
	files[second] = file{}
	serveVCS()
	if run(threads[2]); threads[2].state != stateRunning || threads[2].result() != errno(ebadf) {
		t.Errorf("its file was closed: state %d, %d", threads[2].state, int64(threads[2].result()))
	}
	waits("the others", 0, 1)
	terminal.Write('d')
	serveVCS()
	returned("one of them", 0, threads[0].result())
	waits("the other, as the last read of the file has returned the change", 1)
}
