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
	kindFile
	kindDirectory
)

// file is an open descriptor.
type file struct {
	kind   uint64
	handle uintptr // *efiFile
	flags  uintptr // of openat
	offset uint64  // where the next read or write begins
	inode  uint64

	count     uint64 // value of an eventfd
	watched   bool
	watchData epollEvent
}

// Only the boot processor uses descriptors, except those of events: other cores use them,
// too, so that such a descriptor, and whether it is one, is under kernelLock.
var (
	files        [maxFiles]file
	bootVolume   uintptr // *efiFile: root directory of the volume that the program was loaded from
	bounceBuffer uintptr // memory that the firmware reads into and writes from
	ioSize       uintptr // BufferSize of a firmware call: the buffer's size, then what was transferred
)

// namedInfo is EFI_FILE_INFO with the name that follows it.
type namedInfo struct {
	efiFileInfo
	name firmwarePath
}

var infoBuffer namedInfo

func (i *namedInfo) isDirectory() bool { return i.attribute&efiFileDirectory != 0 }

// nameSize counts the units of the name before the zero.
func (i *namedInfo) nameSize() (n int) {
	for n < maxPath-1 && i.name[n] != 0 {
		n++
	}
	return n
}

// nameHash serves as the inode number, which FAT lacks.
func (i *namedInfo) nameHash() uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for k := range i.nameSize() {
		h = (h ^ uint64(i.name[k])) * 1099511628211
	}
	return h | 1
}

// initFiles opens the standard descriptors and the volume that the image was loaded
// from. An image that was not loaded from a volume (but from the network, say) has no
// files.
func initFiles() {
	for fd := stdin; fd <= stderr; fd++ {
		files[fd].kind = kindConsole
	}
	if bounceBuffer = allocPages(bounceBufferSize / pageSize); bounceBuffer == 0 {
		fail("no room for a file buffer", efiOutOfResources)
	}
	device := at[efiLoadedImage](loadedImage).deviceHandle
	if device == 0 {
		return
	}
	fs := handleProtocol(device, &simpleFileSystemGUID)
	if fs == 0 {
		return
	}
	if r := firmware(at[efiSimpleFileSystem](fs).openVolume, fs, address(&firmwareResult)); r != efiSuccess {
		warn("OpenVolume: the boot volume cannot be read", r)
		return
	}
	bootVolume = firmwareResult
}

func closeFiles() {
	for fd := range files {
		if files[fd].kind != kindClosed {
			closeFile(uintptr(fd))
		}
	}
	if bootVolume != 0 {
		firmware(at[efiFile](bootVolume).close, bootVolume)
		bootVolume = 0
	}
}

func isEvent(fd uintptr) bool { return fd < maxFiles && files[fd].kind == kindEvent }

func isConsoleOutput(fd uintptr) bool {
	return fd != stdin && fd < maxFiles && files[fd].kind == kindConsole
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

const atFDCWD = ^uintptr(99) // -100

// openPath opens a path in one of the firmware's modes, relative to a directory.
func openPath(directory, name uintptr, mode, attributes uint64) (handle uintptr, e uint64) {
	path, e := convertPath(name)
	if e != 0 {
		return 0, e
	}
	base := bootVolume
	first := *at[byte](name)
	if first != '/' && first != '\\' && uintptr(int32(directory)) != atFDCWD {
		fd := uintptr(uint32(directory))
		if !isOpen(fd) {
			return 0, ebadf
		}
		if files[fd].kind != kindDirectory {
			return 0, enotdir
		}
		base = files[fd].handle
	}
	if base == 0 {
		return 0, enoent
	}
	if path[0] == 0 { // the directory itself
		path[0], path[1] = '.', 0
		if base == bootVolume {
			path[0] = '\\'
		}
	}
	status := firmware(at[efiFile](base).open, base, address(&firmwareResult), address(path), uintptr(mode), uintptr(attributes))
	return firmwareResult, statusErrno(status)
}

// getInfo reads the EFI_FILE_INFO of a handle, into infoBuffer.
func getInfo(handle uintptr) (info *namedInfo, e uint64) {
	ioSize = unsafe.Sizeof(infoBuffer)
	status := firmware(at[efiFile](handle).getInfo, handle, address(&fileInfoGUID), address(&ioSize), address(&infoBuffer))
	return &infoBuffer, statusErrno(status)
}

// setInfo writes what getInfo has read and the caller has changed.
func setInfo(handle uintptr, info *namedInfo) (e uint64) {
	size := unsafe.Sizeof(efiFileInfo{}) + uintptr(info.nameSize()+1)*2
	info.size = uint64(size)
	return statusErrno(firmware(at[efiFile](handle).setInfo, handle, address(&fileInfoGUID), size, address(info)))
}

func closeHandle(handle uintptr) { firmware(at[efiFile](handle).close, handle) }

// Linux open flags (asm-generic/fcntl.h).
const (
	oAccess    = 0x3
	oCreate    = 0x40
	oExclusive = 0x80
	oTruncate  = 0x200
	oAppend    = 0x400
)

func openat(directory, name, flags uintptr) uint64 {
	fd := freeFile()
	if fd == maxFiles {
		return errno(emfile)
	}
	mode := uint64(efiFileModeRead)
	if flags&oAccess != 0 || flags&oCreate != 0 {
		mode |= efiFileModeWrite
	}
	handle, e := openPath(directory, name, mode, 0)
	if e != 0 && mode&efiFileModeWrite != 0 && flags&oAccess == 0 {
		handle, e = openPath(directory, name, efiFileModeRead, 0) // O_CREAT of a file that exists but cannot be written
	}
	switch {
	case e == 0 && flags&oCreate != 0 && flags&oExclusive != 0:
		closeHandle(handle)
		return errno(eexist)
	case e == enoent && flags&oCreate != 0:
		handle, e = openPath(directory, name, mode|efiFileModeCreate, 0)
	}
	if e != 0 {
		return errno(e)
	}
	info, e := getInfo(handle)
	switch {
	case e != 0:
	case info.isDirectory() && flags&oAccess != 0:
		e = eisdir
	case !info.isDirectory() && flags&oDirectory != 0:
		e = enotdir
	case !info.isDirectory() && flags&oTruncate != 0 && flags&oAccess != 0 && info.fileSize != 0:
		info.fileSize = 0
		e = setInfo(handle, info)
	}
	if e != 0 {
		closeHandle(handle)
		return errno(e)
	}
	kind := uint64(kindFile)
	if info.isDirectory() {
		kind = kindDirectory
	}
	files[fd] = file{kind: kind, handle: handle, flags: flags, inode: info.nameHash()}
	return uint64(fd)
}

func closeFile(fd uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	e := uint64(0)
	if f.handle != 0 {
		e = statusErrno(firmware(at[efiFile](f.handle).close, f.handle))
	}
	f.kind, f.handle = kindClosed, 0
	lowestFree = min(lowestFree, int(fd))
	return errno(e)
}

func read(t *thread, fd, p, n uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	switch f.kind {
	case kindConsole:
		return consoleRead(t, p, n)
	case kindDirectory:
		return errno(eisdir)
	case kindFile:
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
		if fd == stdin {
			return errno(ebadf)
		}
		drainOutput() // other cores have written that before
		consoleWrite(int(fd), p, n)
		return uint64(n)
	case kindFile:
		if f.flags&oAppend != 0 {
			info, e := getInfo(f.handle)
			if e != 0 {
				return errno(e)
			}
			f.offset = info.fileSize
		}
		return transferNext(f, p, n, true)
	}
	return errno(einval)
}

func pread(fd, p, n, offset uintptr) uint64  { return positioned(fd, p, n, offset, false) }
func pwrite(fd, p, n, offset uintptr) uint64 { return positioned(fd, p, n, offset, true) }

func positioned(fd, p, n, offset uintptr, out bool) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if files[fd].kind != kindFile {
		return errno(espipe)
	}
	if int64(offset) < 0 {
		return errno(einval)
	}
	return transfer(&files[fd], p, n, uint64(offset), out)
}

// transferNext reads or writes a file at the descriptor's offset, and moves that on.
func transferNext(f *file, p, n uintptr, out bool) uint64 {
	result := transfer(f, p, n, f.offset, out)
	if int64(result) > 0 {
		f.offset += result
	}
	return result
}

// transfer reads or writes a file from an offset on. If an error comes after some bytes
// were transferred, it returns their number; the error will come again with the next call.
func transfer(f *file, p, n uintptr, offset uint64, out bool) uint64 {
	done, e := transferChunks(f, p, n, offset, out)
	if done == 0 && e != 0 {
		return errno(e)
	}
	return done
}

// transferChunks copies through the bounce buffer, since the firmware's page tables do not
// have the program's addresses.
func transferChunks(f *file, p, n uintptr, offset uint64, out bool) (done, e uint64) {
	switch access := f.flags & oAccess; {
	case out && access == 0, !out && access == 1:
		return 0, ebadf
	}
	h := at[efiFile](f.handle)
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

func lseek(fd, offset, whence uintptr) uint64 {
	const set, cur, end = 0, 1, 2
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind == kindDirectory && offset == 0 && whence == set { // rewind
		firmware(at[efiFile](f.handle).setPosition, f.handle, 0)
		return 0
	}
	if f.kind != kindFile {
		return errno(espipe)
	}
	base := uint64(0)
	switch whence {
	case set:
	case cur:
		base = f.offset
	case end:
		info, e := getInfo(f.handle)
		if e != 0 {
			return errno(e)
		}
		base = info.fileSize
	default:
		return errno(einval)
	}
	to := base + uint64(offset)
	if int64(to) < 0 {
		return errno(einval)
	}
	f.offset = to
	return to
}

const (
	modeDirectory = 0o040000
	modeRegular   = 0o100000
	modeCharacter = 0o020000
)

func storeStat(p uintptr, info *namedInfo, inode uint64) {
	s := at[stat](p)
	*s = stat{}
	s.dev, s.ino, s.nlink = 1, inode, 1
	s.mode = modeRegular | 0o644
	if info.attribute&efiFileReadOnly != 0 {
		s.mode = modeRegular | 0o444
	}
	if info.isDirectory() {
		s.mode = modeDirectory | 0o755
	}
	s.size, s.blockSize = int64(info.fileSize), 4096
	s.blocks = int64(info.physicalSize+511) / 512
	s.accessed.sec = unixTime(&info.lastAccess)
	s.modified.sec = unixTime(&info.modification)
	s.changed.sec = s.modified.sec
}

func fstat(fd, p uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.handle == 0 {
		s := at[stat](p)
		*s = stat{}
		s.dev, s.ino, s.nlink, s.mode, s.blockSize = 2, uint64(fd)+1, 1, modeCharacter|0o600, 1024
		return 0
	}
	info, e := getInfo(f.handle)
	if e == 0 {
		storeStat(p, info, f.inode)
	}
	return errno(e)
}

func fstatat(directory, name, p, flags uintptr) uint64 {
	const emptyPath = 0x1000
	if flags&emptyPath != 0 && *at[byte](name) == 0 {
		return fstat(uintptr(uint32(directory)), p)
	}
	if *at[byte](name) == 0 {
		return errno(enoent)
	}
	handle, e := openPath(directory, name, efiFileModeRead, 0)
	if e != 0 {
		return errno(e)
	}
	info, e := getInfo(handle)
	if e == 0 {
		storeStat(p, info, info.nameHash())
	}
	closeHandle(handle)
	return errno(e)
}

func fcntl(fd, command uintptr) uint64 {
	const getFD, setFD, getFL, setFL = 1, 2, 3, 4
	if !isOpen(fd) {
		return errno(ebadf)
	}
	switch command {
	case getFD, setFD, setFL: // they matter for exec and non-blocking files, which do not exist here
		return 0
	case getFL:
		if files[fd].kind == kindConsole {
			return 2 // O_RDWR
		}
		return uint64(files[fd].flags & (oAccess | oAppend))
	}
	return errno(einval)
}

func fsync(fd uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if files[fd].kind != kindFile {
		return errno(einval)
	}
	status := firmware(at[efiFile](files[fd].handle).flush, files[fd].handle)
	if status == efiAccessDenied { // the file was opened for reading: there is nothing to flush
		return 0
	}
	return errno(statusErrno(status))
}

func ftruncate(fd, size uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind != kindFile || f.flags&oAccess == 0 || int64(size) < 0 {
		return errno(einval)
	}
	info, e := getInfo(f.handle)
	if e == 0 && info.fileSize != uint64(size) {
		info.fileSize = uint64(size)
		e = setInfo(f.handle, info)
	}
	return errno(e)
}

// getdents lists a directory as struct linux_dirent64: inode, offset, length of the
// record, type, name.
func getdents(fd, p, n uintptr) uint64 {
	const (
		header    = 19
		largest   = header + 255*3 + 1 + 7 // a FAT name has at most 255 units
		directory = 4
		regular   = 8
	)
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind != kindDirectory {
		return errno(enotdir)
	}
	if n < largest {
		return errno(einval)
	}
	done := uintptr(0)
	for n-done >= largest {
		info := &infoBuffer
		ioSize = unsafe.Sizeof(infoBuffer)
		status := firmware(at[efiFile](f.handle).read, f.handle, address(&ioSize), address(info))
		if status != efiSuccess {
			return errno(statusErrno(status))
		}
		if ioSize == 0 {
			break
		}
		record := p + done
		size := uintptr(header)
		var d utf16Decoder
		for i := range min(info.nameSize(), 255) {
			k := d.decode(info.name[i])
			move(record+size, address(&d.utf8), uintptr(k))
			size += uintptr(k)
		}
		*at[byte](record + size) = 0
		size = (size + 1 + 7) &^ 7
		kind := byte(regular)
		if info.isDirectory() {
			kind = directory
		}
		*at[uint64](record) = info.nameHash()
		*at[uint64](record + 8) = uint64(done + size)
		*at[uint16](record + 16) = uint16(size)
		*at[byte](record + 18) = kind
		done += size
	}
	return uint64(done)
}

func mkdirat(directory, name uintptr) uint64 {
	handle, e := openPath(directory, name, efiFileModeRead, 0)
	if e == 0 {
		closeHandle(handle)
		return errno(eexist)
	}
	if e != enoent {
		return errno(e)
	}
	handle, e = openPath(directory, name, efiFileModeRead|efiFileModeWrite|efiFileModeCreate, efiFileDirectory)
	if e == 0 {
		closeHandle(handle)
	}
	return errno(e)
}

func unlinkat(directory, name, flags uintptr) uint64 {
	const removeDirectory = 0x200
	handle, e := openPath(directory, name, efiFileModeRead|efiFileModeWrite, 0)
	if e != 0 {
		return errno(e)
	}
	info, e := getInfo(handle)
	isDirectory := info.isDirectory()
	switch {
	case e != 0:
	case isDirectory && flags&removeDirectory == 0:
		e = eisdir
	case !isDirectory && flags&removeDirectory != 0:
		e = enotdir
	}
	if e != 0 {
		closeHandle(handle)
		return errno(e)
	}
	// Delete closes the handle, whatever status it returns (13.5.3).
	switch firmware(at[efiFile](handle).delete, handle) {
	case efiSuccess:
		return 0
	case efiWarnDeleteFailure:
		if isDirectory {
			return errno(enotempty)
		}
		return errno(eacces)
	}
	return errno(eio)
}

// renameat gives a file a new name, also one in another directory of the volume. The
// firmware has no call that replaces a file: it refuses; then the file that has the new
// name is deleted, and the rename tried again. If the power fails between the two, the
// file is complete under its old name.
func renameat(oldDirectory, oldName, newDirectory, newName uintptr) uint64 {
	first := *at[byte](newName)
	if first != '/' && first != '\\' && uintptr(int32(newDirectory)) != atFDCWD {
		return errno(enosys) // relative to an open directory: the firmware needs a path
	}
	handle, e := openPath(oldDirectory, oldName, efiFileModeRead|efiFileModeWrite, 0)
	if e != 0 {
		return errno(e)
	}
	e = setName(handle, newName)
	if e == eacces || e == eexist {
		if e = removeFile(newName, handle); e == 0 {
			e = setName(handle, newName)
		}
	}
	closeHandle(handle)
	return errno(e)
}

// setName gives a file another name, by its path from the root.
func setName(handle, name uintptr) (e uint64) {
	info, e := getInfo(handle)
	if e != 0 {
		return e
	}
	path, e := convertPath(name)
	if e != 0 {
		return e
	}
	info.name[0] = '\\'
	n := 0
	for ; n < maxPath-2 && path[n] != 0; n++ {
		info.name[n+1] = path[n]
	}
	info.name[n+1] = 0
	return setInfo(handle, info)
}

// removeFile removes the file that a rename of source replaces; it does not remove
// directories.
func removeFile(name, source uintptr) (e uint64) {
	info, e := getInfo(source)
	if e != 0 {
		return e
	}
	sourceIsDirectory := info.isDirectory()
	handle, e := openPath(atFDCWD, name, efiFileModeRead|efiFileModeWrite, 0)
	if e != 0 {
		return e
	}
	if info, e = getInfo(handle); e == 0 && (sourceIsDirectory || info.isDirectory()) {
		e = eexist
	}
	if e != 0 {
		closeHandle(handle)
		return e
	}
	if firmware(at[efiFile](handle).delete, handle) != efiSuccess {
		return eacces
	}
	return 0
}
