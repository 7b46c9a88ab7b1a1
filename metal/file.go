//go:build linux && amd64

package metal

import "unsafe"

const (
	maxFiles = 8192

	bounceBufferSize = 512 << 10 // of one firmware read or write; larger ones are hardly faster
)

const (
	kindClosed = iota
	kindConsole
	kindEpoll
	kindEvent
	kindPipe
	kindFile
	kindDirectory
	kindVCS // /dev/vcs: the cells of the screen (package vt says in which form)
	kindFramebuffer
)

// file is an open descriptor.
type file struct {
	kind   uint64
	handle uintptr // *efiFile
	flags  uintptr // of openat
	offset uint64  // where the next read or write begins; of a directory, entries read
	inode  uint64
	volume int  // index in volumes
	dirty  bool // written to, and not flushed since

	inside   int    // while handle is closed for a rename: 1 + where its path is (closeInside)
	unlinked uint64 // the file has no name any more: the number of its stand-in (unlinkOpen)

	count uint64 // value of an eventfd; number of a pipe
}

// Only the boot processor uses descriptors, except those of events: other cores use them,
// too, so that such a descriptor, and whether it is one, is under kernelLock.
var (
	files [maxFiles]file

	workingDirectory file    // its handle is 0 while it is the root
	filesEnd         uintptr // no descriptor of a file is at or above it
	bounceBuffer     uintptr // memory that the firmware reads into and writes from
	ioSize           uintptr // BufferSize of a firmware call: the buffer's size, then what was transferred
)

// namedInfo is EFI_FILE_INFO with the name that follows it.
type namedInfo struct {
	efiFileInfo
	name [len(pathBuffer)]uint16 // a path, for a rename
}

var infoBuffer namedInfo

func (i *namedInfo) isDirectory() bool { return i.attribute&efiFileDirectory != 0 }

// nameSize counts the units of the name before the zero.
func (i *namedInfo) nameSize() (n int) {
	for n < len(i.name)-1 && i.name[n] != 0 {
		n++
	}
	return n
}

// initFiles opens the standard descriptors and the volume that the image was loaded from.
func initFiles() {
	for fd := stdin; fd <= stderr; fd++ {
		files[fd] = file{kind: kindConsole, flags: 2} // O_RDWR
	}
	if bounceBuffer = allocPages(bounceBufferSize / pageSize); bounceBuffer == 0 {
		fail("no room for a file buffer", efiOutOfResources)
	}
	initVolumes()
}

func closeFiles() {
	for fd := range files {
		if files[fd].kind != kindClosed {
			closeFile(uintptr(fd))
		}
	}
	if workingDirectory.handle != 0 {
		closeHandle(workingDirectory.handle)
		workingDirectory = file{}
	}
	closeVolumes()
}

func isEvent(fd uintptr) bool { return fd < maxFiles && files[fd].kind == kindEvent }

func isConsole(fd uintptr) bool { return fd < maxFiles && files[fd].kind == kindConsole }

// outputStream is the stream to which a descriptor of the terminal writes: standard error, or
// for all others standard output.
func outputStream(fd uintptr) int {
	if fd == stderr {
		return stderr
	}
	return stdout
}

func isOpen(fd uintptr) bool { return fd < maxFiles && files[fd].kind != kindClosed }

var lowestFree int // no descriptor below it is free

// freeFile finds the lowest free descriptor; maxFiles if there is none.
func freeFile() (fd int) {
	for lowestFree < maxFiles && files[lowestFree].kind != kindClosed {
		lowestFree++
	}
	return lowestFree
}

// statusErrno returns the error number for a status of the firmware; 0 for success.
func statusErrno(status uintptr) uint64 {
	switch status {
	case efiSuccess:
		return 0
	case efiNotFound:
		return enoent
	case efiWriteProtected:
		return erofs
	case efiVolumeFull:
		return enospc
	case efiAccessDenied:
		return eacces
	case efiNoMedia, efiMediaChanged:
		return enxio
	case efiOutOfResources:
		return enomem
	case efiInvalidParameter, efiUnsupported:
		return einval
	}
	return eio
}

// getInfo reads the EFI_FILE_INFO of a handle, into infoBuffer.
func getInfo(handle uintptr) (info *namedInfo, e uint64) {
	ioSize = unsafe.Sizeof(infoBuffer)
	status := firmware(at[efiFile](handle).getInfo, handle, address(&fileInfoGUID), address(&ioSize), address(&infoBuffer))
	return &infoBuffer, statusErrno(status)
}

// setInfo writes what getInfo has read and the caller has changed.
func setInfo(handle uintptr, info *namedInfo) (e uint64) {
	size := info.complete()
	return statusErrno(firmware(at[efiFile](handle).setInfo, handle, address(&fileInfoGUID), size, address(info)))
}

// complete makes what SetInfo takes, and returns its size. Times of 0 leave those of the file as
// they are (13.5.16), except that EDK2's driver sets the modification to now: that is passed, and
// has to be a date, which a file need not have.
func (i *namedInfo) complete() (size uintptr) {
	i.create = efiTime{}
	if i.modification != (efiTime{}) {
		clampDate(&i.modification)
	}
	size = unsafe.Sizeof(efiFileInfo{}) + uintptr(i.nameSize()+1)*2
	i.size = uint64(size)
	return size
}

// closeHandle cannot fail (13.5.2).
func closeHandle(handle uintptr) { firmware(at[efiFile](handle).close, handle) }

// Linux open flags (asm-generic/fcntl.h).
const (
	oAccess    = 0x3
	oCreate    = 0x40
	oExclusive = 0x80
	oTruncate  = 0x200
	oAppend    = 0x400
	oNonblock  = 0x800
	oDataSync  = 0x1000 // O_SYNC has it, too
)

func openat(directory, name, flags uintptr) uint64 {
	fd := freeFile()
	if fd == maxFiles {
		return errno(emfile)
	}
	if flags&oCreate != 0 && flags&oDirectory != 0 {
		return errno(einval)
	}
	if kind := deviceKind(name); kind == kindFramebuffer {
		if e := openFramebuffer(&files[fd], flags); e != 0 {
			return errno(e)
		}
		return uint64(fd)
	} else if kind != kindClosed {
		files[fd] = file{kind: kind, flags: flags}
		return uint64(fd)
	}
	e := source.find(directory, name)
	if e == 0 {
		e = source.openFile(&files[fd], flags)
	}
	source.leave()
	if e != 0 {
		return errno(e)
	}
	filesEnd = max(filesEnd, uintptr(fd)+1)
	return uint64(fd)
}

// openFile opens what is at the place, or creates it, into a free descriptor.
func (p *place) openFile(f *file, flags uintptr) (e uint64) {
	if flags&oCreate != 0 && p.last == lastName && p.slash {
		return eisdir // also where there is none
	}
	change := flags&oAccess != 0 || flags&oTruncate != 0
	handle, e := p.open(efiFileModeRead, 0)
	if e == enoent && flags&oCreate != 0 {
		return p.createFile(f, flags)
	}
	if e != 0 {
		return e
	}
	info, e := getInfo(handle)
	directory := info.isDirectory()
	switch {
	case e != 0:
	case flags&oCreate != 0 && flags&oExclusive != 0:
		e = eexist
	case directory && (change || flags&oCreate != 0):
		e = eisdir
	case !directory && (p.slash || flags&oDirectory != 0):
		e = enotdir
	case change:
		closeHandle(handle)
		if handle, e = p.open(efiFileModeRead|efiFileModeWrite, 0); e != 0 {
			return e
		}
		if flags&oTruncate != 0 {
			e = setSize(handle, 0)
		}
	}
	if e != 0 {
		closeHandle(handle)
		return e
	}
	*f = file{kind: kindFile, handle: handle, flags: flags, inode: p.inodeOf(info), volume: p.volume}
	if directory {
		f.kind = kindDirectory
	}
	return 0
}

func (p *place) createFile(f *file, flags uintptr) (e uint64) {
	handle, e := p.create(0)
	if e != 0 {
		return e
	}
	info, e := getInfo(handle)
	if e != 0 {
		closeHandle(handle)
		return e
	}
	*f = file{kind: kindFile, handle: handle, flags: flags, inode: p.inodeOf(info), volume: p.volume}
	return 0
}

// create makes a file or a directory at the place, where there is none.
func (p *place) create(attributes uint64) (handle uintptr, e uint64) {
	switch {
	case p.last != lastName: // of a directory that has been removed
		return 0, enoent
	case p.impossible:
		return 0, einval
	}
	return p.open(efiFileModeRead|efiFileModeWrite|efiFileModeCreate, attributes)
}

func closeFile(fd uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.handle != 0 {
		closeHandle(f.handle)
	}
	forgetWatches(fd)
	kind := f.kind
	if kind == kindPipe {
		closePipe(f)
	}
	f.kind, f.handle = kindClosed, 0
	if kind == kindFramebuffer {
		closeFramebuffer()
	}
	lowestFree = min(lowestFree, int(fd))
	for filesEnd > 0 && files[filesEnd-1].handle == 0 {
		filesEnd--
	}
	if f.unlinked != 0 {
		removeUnlinked(f)
	}
	return 0
}

func read(t *thread, fd, p, n uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	switch f.kind {
	case kindConsole:
		return consoleRead(t, f, p, n)
	case kindVCS:
		return vcsRead(t, fd, p, n, 0)
	case kindDirectory:
		return errno(eisdir)
	case kindFile, kindFramebuffer:
		return transferNext(f, p, n, false)
	}
	return errno(einval)
}

func write(fd, p, n uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	switch f.kind {
	case kindConsole:
		drainOutput() // other cores have written that before
		consoleWrite(outputStream(fd), p, n)
		return uint64(n)
	case kindVCS:
		return errno(ebadf)
	case kindFile, kindFramebuffer:
		return transferNext(f, p, n, true)
	case kindDirectory:
		return errno(ebadf)
	}
	return errno(einval)
}

func pread(t *thread, fd, p, n, offset uintptr) uint64 {
	if isOpen(fd) && files[fd].kind == kindVCS && int64(offset) >= 0 {
		return vcsRead(t, fd, p, n, offset)
	}
	return positioned(fd, p, n, offset, false)
}

func pwrite(fd, p, n, offset uintptr) uint64 { return positioned(fd, p, n, offset, true) }

func positioned(fd, p, n, offset uintptr, out bool) uint64 {
	switch {
	case int64(offset) < 0:
		return errno(einval)
	case !isOpen(fd):
		return errno(ebadf)
	case files[fd].kind == kindDirectory && out:
		return errno(ebadf) // no directory is open for writing
	case files[fd].kind == kindDirectory:
		return errno(eisdir)
	case files[fd].kind != kindFile && files[fd].kind != kindFramebuffer:
		return errno(espipe)
	}
	result, _ := transfer(&files[fd], p, n, uint64(offset), out)
	return result
}

// transferNext reads or writes a file at the descriptor's offset, and moves that on.
func transferNext(f *file, p, n uintptr, out bool) uint64 {
	result, end := transfer(f, p, n, f.offset, out)
	if int64(result) > 0 {
		f.offset = end
	}
	return result
}

// transfer reads or writes a file from an offset on, and returns where that has ended. If an error
// comes after some bytes were transferred, it returns their number; the error will come again with
// the next call. With O_APPEND any write is one at the end, also pwrite's, as on Linux.
func transfer(f *file, p, n uintptr, offset uint64, out bool) (result, end uint64) {
	if f.kind == kindFramebuffer {
		result = fbTransfer(f, p, n, offset, out)
		return result, offset + result
	}
	if out && f.flags&oAppend != 0 {
		info, e := getInfo(f.handle)
		if e != 0 {
			return errno(e), 0
		}
		offset = info.fileSize
	}
	done, e := transferChunks(f, p, n, offset, out)
	if e == 0 && out && f.flags&oDataSync != 0 {
		if e = flush(f); e != 0 {
			done = 0
		}
	}
	if done == 0 && e != 0 {
		return errno(e), 0
	}
	return done, offset + done
}

// maxFileSize is FAT's, the file system of a boot volume.
const maxFileSize = 1<<32 - 1

// transferChunks copies through the bounce buffer, since the firmware's page tables do not
// have the program's addresses.
func transferChunks(f *file, p, n uintptr, offset uint64, out bool) (done, e uint64) {
	switch access := f.flags & oAccess; {
	case out && access == 0, !out && access == 1:
		return 0, ebadf
	case n == 0:
		return 0, 0
	}
	h := at[efiFile](f.handle)
	if out {
		if offset >= maxFileSize {
			return 0, efbig
		}
		n = uintptr(min(uint64(n), maxFileSize-offset))
		if e = fillUpTo(f.handle, offset); e != 0 {
			return 0, e
		}
		f.dirty = true
	}
	if status := firmware(h.setPosition, f.handle, uintptr(offset)); status != efiSuccess {
		return 0, statusErrno(status)
	}
	for n > 0 {
		chunk := min(n, bounceBufferSize)
		ioSize = chunk
		fn := h.read
		if out {
			move(bounceBuffer, p, chunk)
			fn = h.write
		}
		status := firmware(fn, f.handle, address(&ioSize), bounceBuffer)
		if status == efiDeviceError && !out {
			// What the specification wants for a read that begins after the end (13.5.4).
			if info, e := getInfo(f.handle); e == 0 && offset+done >= info.fileSize {
				return done, 0
			}
		}
		if status != efiSuccess {
			return done, statusErrno(status)
		}
		moved := min(ioSize, chunk)
		if !out {
			move(p, bounceBuffer, moved)
		}
		done += uint64(moved)
		p += moved
		n -= moved
		if moved < chunk {
			break
		}
	}
	return done, 0
}

// fillUpTo makes a file that ends before an offset longer, with zeroes: where a write begins
// behind the end, EDK2's driver leaves between the two what was on the disk before.
func fillUpTo(handle uintptr, offset uint64) (e uint64) {
	info, e := getInfo(handle)
	if e != 0 || info.fileSize >= offset {
		return e
	}
	size := info.fileSize
	if volume, unknown := volumeInfo(handle); unknown == 0 && offset-size > volume.freeSpace+uint64(volume.blockSize) {
		return enospc // before the volume is full of zeroes
	}
	zero(bounceBuffer, uintptr(min(offset-size, bounceBufferSize)))
	h := at[efiFile](handle)
	status := firmware(h.setPosition, handle, uintptr(size))
	for position := size; status == efiSuccess && position < offset; position += uint64(ioSize) {
		ioSize = uintptr(min(offset-position, bounceBufferSize))
		if status = firmware(h.write, handle, address(&ioSize), bounceBuffer); ioSize == 0 && status == efiSuccess {
			status = efiVolumeFull
		}
	}
	if status != efiSuccess {
		shrink(handle, size)
	}
	return statusErrno(status)
}

// shrink ends a file earlier.
func shrink(handle uintptr, size uint64) (e uint64) {
	info, e := getInfo(handle)
	if e != 0 || info.fileSize <= size {
		return e
	}
	info.fileSize, info.modification = size, efiTime{}
	return setInfo(handle, info)
}

// setSize cuts a file, or makes it longer with zeroes.
func setSize(handle uintptr, size uint64) (e uint64) {
	if size > maxFileSize {
		return efbig
	}
	if e = shrink(handle, size); e == 0 {
		e = fillUpTo(handle, size)
	}
	return e
}

func lseek(fd, offset, whence uintptr) uint64 {
	const set, cur, end, data, hole = 0, 1, 2, 3, 4
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if whence > hole {
		return errno(einval)
	}
	f := &files[fd]
	if f.kind == kindDirectory && offset == 0 && whence == set { // rewind
		if status := firmware(at[efiFile](f.handle).setPosition, f.handle, 0); status != efiSuccess {
			if _, e := getInfo(f.handle); e == 0 { // else it has been removed, as getdents says
				return errno(statusErrno(status))
			}
		}
		f.offset = 0
		return 0
	}
	if f.kind == kindFramebuffer {
		return fbSeek(f, offset, whence)
	}
	if f.kind != kindFile {
		return errno(espipe)
	}
	info, e := getInfo(f.handle)
	if e != 0 {
		return errno(e)
	}
	to := offset
	switch whence {
	case cur:
		to += uintptr(f.offset)
	case end:
		to += uintptr(info.fileSize)
	case data, hole: // a file on FAT has no holes but the one at its end
		if uint64(offset) >= info.fileSize {
			return errno(enxio)
		}
		if whence == hole {
			to = uintptr(info.fileSize)
		}
	}
	if int64(to) < 0 || uint64(to) > max(maxFileSize, info.fileSize) {
		return errno(einval)
	}
	f.offset = uint64(to)
	return f.offset
}

func fcntl(fd, command, argument uintptr) uint64 {
	const getFD, setFD, getFL, setFL = 1, 2, 3, 4
	if !isOpen(fd) {
		return errno(ebadf)
	}
	switch command {
	case getFD, setFD: // they matter for exec
		return 0
	case setFL:
		const may = oNonblock | oAppend
		files[fd].flags = files[fd].flags&^may | argument&may
		return 0
	case getFL:
		return uint64(files[fd].flags & (oAccess | oAppend | oNonblock))
	}
	return errno(einval)
}

// fsync writes what the firmware may still keep. Changes of a directory are on the disk when
// the call that made them returns.
func fsync(fd uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind == kindFramebuffer {
		return errno(showPicture())
	}
	if f.handle == 0 {
		return errno(einval)
	}
	if f.kind == kindDirectory {
		return 0
	}
	if e := flushWritten(f.inode); e != 0 || f.flags&oAccess == 0 {
		return errno(e)
	}
	return errno(flush(f))
}

func flush(f *file) (e uint64) {
	if e = statusErrno(firmware(at[efiFile](f.handle).flush, f.handle)); e == 0 {
		f.dirty = false
	}
	return e
}

// flushWritten flushes a file, or with 0 all files, that has been written to, by whichever
// descriptor. That also updates its date.
func flushWritten(inode uint64) (e uint64) {
	for fd := range filesEnd {
		if f := &files[fd]; f.kind == kindFile && f.dirty && (inode == 0 || f.inode == inode) {
			if failed := flush(f); e == 0 {
				e = failed
			}
		}
	}
	return e
}

func ftruncate(fd, size uintptr) uint64 {
	if int64(size) < 0 {
		return errno(einval)
	}
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind != kindFile || f.flags&oAccess == 0 {
		return errno(einval)
	}
	f.dirty = true
	return errno(setSize(f.handle, uint64(size)))
}

// truncate is ftruncate by path.
func truncate(name, size uintptr) uint64 {
	if int64(size) < 0 {
		return errno(einval)
	}
	e := source.find(atFDCWD, name)
	if e == 0 {
		var f file
		if e = source.openFile(&f, 1); e == 0 { // O_WRONLY
			e = setSize(f.handle, uint64(size))
			closeHandle(f.handle)
		}
	}
	source.leave()
	return errno(e)
}
