//go:build linux && amd64

package metal

import (
	"unsafe"

	"bootllama/metal/vt"
)

// /dev/vcs: the cells of the terminal, in the form that package vt describes. read(2) begins
// at 0, whatever was read before; pread(2) at its offset.

var (
	vcsHeader [vt.HeaderSize / 4]uint32
	vcsWaits  threadList // stateVCS
)

// vcsSeen is what file.count has when a read has returned a counter.
const vcsSeen = 1 << 32

// vcsRead reads the cells. A read from 0 waits for a change since the last one.
func vcsRead(t *thread, fd, p, n, offset uintptr) uint64 {
	f := &files[fd]
	if offset == 0 && f.count == vcsSeen|uint64(terminal.Changes()) {
		t.buffer, t.bufferSize, t.descriptor = p, n, fd
		acquire(&kernelLock)
		wait(t, &vcsWaits, stateVCS, never)
		release(&kernelLock)
		return 0
	}
	if offset == 0 {
		f.count = vcsSeen | uint64(terminal.Changes())
	}
	return copyCells(p, n, offset)
}

// serveVCS ends the waits for a change of the cells, as far as there was one.
func serveVCS() {
	for vcsWaits.first != 0 {
		acquire(&kernelLock)
		t := changedReader()
		if t != nil {
			t.leaveList()
		}
		release(&kernelLock)
		if t == nil {
			return
		}
		result := errno(ebadf) // closed meanwhile
		if f := &files[t.descriptor]; f.kind == kindVCS {
			f.count = vcsSeen | uint64(terminal.Changes())
			result = copyCells(t.buffer, t.bufferSize, 0) // without the lock: it may be a MiB
		}
		acquire(&kernelLock)
		wake(t, result)
		release(&kernelLock)
	}
}

// changedReader finds a thread that waits for a change, and there was one; nil if none does.
func changedReader() *thread {
	seen := vcsSeen | uint64(terminal.Changes())
	for next := vcsWaits.first; next != 0; {
		t := at[thread](next)
		if f := &files[t.descriptor]; f.kind != kindVCS || f.count != seen {
			return t
		}
		next = t.next
	}
	return nil
}

// copyCells copies the bytes of the device from an offset on, and returns their number.
func copyCells(p, n, offset uintptr) (done uint64) {
	columns, rows := terminal.Size()
	x, y, visible := terminal.Cursor()
	vcsHeader = [len(vcsHeader)]uint32{uint32(columns), uint32(rows), uint32(x), uint32(y), 0, terminal.Changes()}
	if visible {
		vcsHeader[4] = 1
	}
	done = copyPart(p, n, offset, 0, address(&vcsHeader), vt.HeaderSize)
	rowSize := uintptr(columns) * unsafe.Sizeof(vt.Cell{})
	for y := range rows {
		done += copyPart(p, n, offset, vt.HeaderSize+uintptr(y)*rowSize, address(&terminal.Row(y)[0]), rowSize)
	}
	return done
}

// copyPart copies what is at from, size bytes, and begins at byte start of the device, as far
// as it is in the n bytes from offset on, which go to p.
func copyPart(p, n, offset, start, from, size uintptr) uint64 {
	first, end := max(start, offset), min(start+size, offset+n)
	if first >= end {
		return 0
	}
	move(p+first-offset, from+first-start, end-first)
	return uint64(end - first)
}
