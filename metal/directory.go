//go:build linux && amd64

package metal

import "unsafe"

// getdents lists a directory as struct linux_dirent64: inode, offset, length of the
// record, type, name.
func getdents(fd, p, n uintptr) uint64 {
	const (
		header    = 19
		largest   = header + maxName*3 + 1 + 7
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
			if _, e := getInfo(f.handle); e != 0 {
				return errno(enoent) // the directory has been removed
			}
			return errno(statusErrno(status))
		}
		if ioSize == 0 {
			break
		}
		inode := childInode(f.inode, info)
		if isUnlinked(inode) {
			f.offset++
			continue
		}
		record := p + done
		size := header + storeName(record+header, &info.name[0], min(info.nameSize(), maxName))
		*at[byte](record + size) = 0
		size = (size + 1 + 7) &^ 7
		kind := byte(regular)
		if info.isDirectory() {
			kind = directory
		}
		*at[uint64](record) = inode
		*at[uint64](record + 8) = uint64(done + size)
		*at[uint16](record + 16) = uint16(size)
		*at[byte](record + 18) = kind
		done += size
		f.offset++
	}
	return uint64(done)
}

func chdir(name uintptr) uint64 {
	e := source.find(atFDCWD, name)
	if e == 0 {
		var f file
		if e = source.openFile(&f, oDirectory); e == 0 {
			changeDirectory(f)
		}
	}
	source.leave()
	return errno(e)
}

func fchdir(fd uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if files[fd].kind != kindDirectory {
		return errno(enotdir)
	}
	name := &dot
	if isRootInode(files[fd].inode) {
		name = &rootName
	}
	handle, e := openHandle(files[fd].handle, address(name), efiFileModeRead, 0)
	if e == 0 {
		changeDirectory(file{handle: handle, inode: files[fd].inode, volume: files[fd].volume})
	}
	return errno(e)
}

func changeDirectory(f file) {
	if workingDirectory.handle != 0 {
		closeHandle(workingDirectory.handle)
	}
	workingDirectory = f
}

// getcwd stores the path of the working directory, such as /dir or, on another volume than the
// boot volume, /fs1:/dir, and returns its size with the zero.
func getcwd(p, n uintptr) uint64 {
	pathStart = len(pathBuffer) - 1
	if workingDirectory.handle != 0 && !isRootInode(workingDirectory.inode) {
		if e := absolutePath(workingDirectory.handle); e != 0 {
			return errno(e)
		}
	}
	if v := workingDirectory.volume; v != 0 {
		n := volumes[v].name.size()
		if pathStart < n+1 {
			return errno(enametoolong)
		}
		for i := n - 1; i >= 0; i-- {
			pathStart--
			pathBuffer[pathStart] = volumes[v].name[i]
		}
		pathStart--
		pathBuffer[pathStart] = '\\'
	} else if pathStart == len(pathBuffer)-1 {
		pathStart--
		pathBuffer[pathStart] = '\\'
	}
	units := len(pathBuffer) - 1 - pathStart
	for i := range units {
		if u := &pathBuffer[pathStart+i]; *u == '\\' {
			*u = '/'
		}
	}
	size := storeName(address(&cwdBuffer), &pathBuffer[pathStart], units)
	if size+1 > n {
		return errno(erange)
	}
	move(p, address(&cwdBuffer), size)
	*at[byte](p + size) = 0
	return uint64(size + 1)
}

var cwdBuffer [3 * len(pathBuffer)]byte

func mkdirat(directory, name uintptr) uint64 {
	e := source.find(directory, name)
	if e == 0 {
		e = source.makeDirectory()
	}
	source.leave()
	return errno(e)
}

func (p *place) makeDirectory() (e uint64) {
	if e = p.absent(); e != 0 {
		return e
	}
	handle, e := p.create(efiFileDirectory)
	if e == 0 {
		closeHandle(handle)
	}
	return e
}

// absent checks that there is nothing at the place.
func (p *place) absent() (e uint64) {
	handle, e := p.open(efiFileModeRead, 0)
	if e == 0 {
		closeHandle(handle)
		return eexist
	}
	if e == enoent {
		e = 0
	}
	return e
}

// linkat and symlinkat make nothing: FAT has no links.
func linkat(oldDirectory, oldName, newDirectory, newName uintptr) uint64 {
	e := source.find(oldDirectory, oldName)
	if e == 0 {
		handle, missing := source.open(efiFileModeRead, 0)
		if e = missing; e == 0 {
			closeHandle(handle)
		}
	}
	source.leave()
	if e != 0 {
		return errno(e)
	}
	return symlinkat(newDirectory, newName)
}

func symlinkat(directory, name uintptr) uint64 {
	e := source.find(directory, name)
	if e == 0 {
		e = source.absent()
	}
	switch {
	case e == 0 && source.slash:
		e = enoent
	case e == 0:
		e = eperm
	}
	source.leave()
	return errno(e)
}

// readlinkat finds that whatever is there is no link.
func readlinkat(directory, name uintptr) uint64 {
	e := source.find(directory, name)
	if e == 0 {
		handle, missing := source.open(efiFileModeRead, 0)
		if e = missing; e == 0 {
			closeHandle(handle)
			e = einval
		}
	}
	source.leave()
	return errno(e)
}

func unlinkat(directory, name, flags uintptr) uint64 {
	if flags&^removeDirectory != 0 {
		return errno(einval)
	}
	e := source.find(directory, name)
	if e == 0 {
		e = source.remove(flags)
	}
	source.leave()
	return errno(e)
}

const removeDirectory = 0x200 // AT_REMOVEDIR

func (p *place) remove(flags uintptr) (e uint64) {
	switch {
	case p.last == lastName:
	case flags == 0:
		return eisdir
	case p.last == lastDot:
		return einval
	case p.last == lastDotDot:
		return enotempty
	default:
		return ebusy
	}
	info, e := p.info()
	switch directory := info.isDirectory(); {
	case e != 0:
		return e
	case directory && flags == 0:
		return eisdir
	case !directory && (p.slash || flags != 0):
		return enotdir
	}
	return p.delete(info)
}

// info is the EFI_FILE_INFO of what is at the place.
func (p *place) info() (info *namedInfo, e uint64) {
	handle, e := p.open(efiFileModeRead, 0)
	if e != 0 {
		return &infoBuffer, e
	}
	info, e = getInfo(handle)
	closeHandle(handle)
	return info, e
}

// openWritable opens what is at the place for a change of its names or dates, also where it is
// read-only: the firmware permits that only after the attribute is gone, Linux in any case.
func (p *place) openWritable() (handle uintptr, readOnly uint64, e uint64) {
	handle, e = p.open(efiFileModeRead|efiFileModeWrite, 0)
	if e != eacces {
		return handle, 0, e
	}
	if handle, e = p.open(efiFileModeRead, 0); e != 0 {
		return 0, 0, e
	}
	info, e := getInfo(handle)
	readOnly = info.attribute & efiFileReadOnly
	if e == 0 && readOnly != 0 {
		info.attribute &^= efiFileReadOnly
		e = setInfo(handle, info)
	}
	closeHandle(handle)
	if e != 0 {
		return 0, 0, e
	}
	handle, e = p.open(efiFileModeRead|efiFileModeWrite, 0)
	return handle, readOnly, e
}

// delete deletes what is at the place, of which the caller has read info.
func (p *place) delete(info *namedInfo) (e uint64) {
	directory, inode := info.isDirectory(), p.inodeOf(info)
	if !directory && isOpenInode(inode) {
		return p.unlinkOpen(inode)
	}
	handle, _, e := p.openWritable()
	if e != 0 {
		return e
	}
	// Delete closes the handle, whatever status it returns (13.5.3).
	switch firmware(at[efiFile](handle).delete, handle) {
	case efiSuccess:
		return 0
	case efiWarnDeleteFailure:
		if directory {
			return enotempty
		}
		return eacces
	}
	return eio
}

func isOpenInode(inode uint64) bool {
	for fd := range filesEnd {
		if f := &files[fd]; f.kind == kindFile && f.inode == inode {
			return true
		}
	}
	return false
}

// unlinkOpen removes the name of a file that is open. The firmware would remove the file, too,
// and so it gets another name in the root, which getdents does not list, until its last
// descriptor is closed. If the power fails before, the file is found under that name.
func (p *place) unlinkOpen(inode uint64) (e uint64) {
	if e = p.roomForNames(0); e != 0 {
		return e
	}
	handle, _, e := p.openWritable()
	if e != 0 {
		return e
	}
	info, e := getInfo(handle)
	key := inodeKey(p.inode, &info.name[0], info.nameSize())
	if e == 0 {
		e = setStandIn(handle, p.volume)
	}
	closeHandle(handle)
	if e != 0 {
		return e
	}
	moveInode(key, inodeKey(rootInode(p.volume), &standIn[1], len(standIn)-2))
	for fd := range filesEnd {
		if f := &files[fd]; f.kind == kindFile && f.inode == inode {
			f.unlinked = lastUnlinked
		}
	}
	return 0
}

// setStandIn gives an open file of a volume the next free name in its root that stands for none.
func setStandIn(handle uintptr, volume int) (e uint64) {
	for e == 0 {
		lastUnlinked++
		var taken uintptr
		if taken, e = openHandle(volumes[volume].root, unlinkedName(lastUnlinked), efiFileModeRead, 0); e == 0 {
			closeHandle(taken)
		}
	}
	if e != enoent {
		return e
	}
	info, e := getInfo(handle)
	if e != 0 {
		return e
	}
	for i := range len(standIn) {
		info.name[i] = standIn[i]
	}
	return setInfo(handle, info)
}

// standIn is the name of a file that has none, with its number in hexadecimal digits.
var (
	standIn      = [...]uint16{'\\', '.', 'u', 'n', 'l', 'i', 'n', 'k', 'e', 'd', '-', 0, 0, 0, 0, 0, 0, 0, 0, 0}
	lastUnlinked uint64
)

func unlinkedName(number uint64) uintptr {
	for i := range 8 {
		standIn[len(standIn)-2-i] = uint16("0123456789abcdef"[number>>(4*i)&15])
	}
	return address(&standIn)
}

func isUnlinked(inode uint64) bool {
	for fd := range filesEnd {
		if f := &files[fd]; f.unlinked != 0 && f.kind == kindFile && f.inode == inode {
			return true
		}
	}
	return false
}

// removeUnlinked deletes a file without a name when its last descriptor has been closed.
func removeUnlinked(f *file) {
	if isOpenInode(f.inode) {
		return
	}
	handle, e := openHandle(volumes[f.volume].root, unlinkedName(f.unlinked), efiFileModeRead|efiFileModeWrite, 0)
	if e == 0 {
		firmware(at[efiFile](handle).delete, handle)
	}
}

// renameat gives a file a new name, also one in another directory of the volume. The firmware
// has no call that replaces a file: what has the new name is removed before. If the power
// fails between the two, the file is complete under its old name.
func renameat(oldDirectory, oldName, newDirectory, newName, flags uintptr) uint64 {
	const noReplace = 1
	if flags&^noReplace != 0 {
		return errno(einval)
	}
	e := source.find(oldDirectory, oldName)
	if e == 0 {
		e = target.find(newDirectory, newName)
		if e == 0 {
			e = rename(flags&noReplace != 0)
		}
		target.leave()
	}
	source.leave()
	return errno(e)
}

// rename renames source to target, and has Linux's order of what can be wrong.
func rename(noReplace bool) (e uint64) {
	switch {
	case source.volume != target.volume:
		return exdev
	case source.last == lastName && target.last != lastName && noReplace:
		return eexist
	case source.last != lastName || target.last != lastName:
		return ebusy
	}
	info, e := source.info()
	if e != 0 {
		return e
	}
	directory, inode := info.isDirectory(), source.inodeOf(info)
	oldKey := inodeKey(source.inode, &info.name[0], info.nameSize())
	info, e = target.info()
	there := e == 0
	onDirectory, replaced, freed, same := info.isDirectory(), target.inodeOf(info), info.physicalSize, sameName(info, &target)
	switch {
	case !there && e != enoent:
		return e
	case there && noReplace:
		return eexist
	case !directory && (source.slash || target.slash):
		return enotdir
	}
	if e = absolutePath(target.parent); e != 0 {
		return e
	}
	if _, end := followPath(target.volume, inode); directory && end != 0 {
		return einval
	}
	if e = absolutePath(source.parent); e != 0 {
		return e
	}
	if _, end := followPath(source.volume, replaced); there && end != 0 {
		return enotempty
	}
	aside := false
	switch {
	case !there && target.impossible:
		return einval
	case !there:
	case replaced == inode && same:
		return 0
	case replaced == inode:
		aside = true // the firmware changes no name that differs in capitals only
	case onDirectory && !directory:
		return eisdir
	case !onDirectory && directory:
		return enotdir
	default:
		if e = target.replace(freed); e != 0 {
			return e
		}
	}
	if e = target.roomForNames(0); e != 0 {
		return e
	}
	return setName(oldKey, aside)
}

// replace deletes what is at the place, if there is room for another name when its clusters are free.
func (p *place) replace(freed uint64) (e uint64) {
	if e = p.roomForNames(freed); e != 0 {
		return e
	}
	info, e := p.info()
	if e != 0 {
		return e
	}
	return p.delete(info)
}

// sameName reports whether a file has exactly the name of a place.
func sameName(info *namedInfo, p *place) bool {
	for i := range p.size {
		if info.name[i] != p.name[i] {
			return false
		}
	}
	return info.nameSize() == p.size
}

// roomForNames checks that a directory can grow: EDK2's driver removes the old name before it
// looks for room for the new one, and if there is none, the file is lost.
func (p *place) roomForNames(freed uint64) (e uint64) {
	const longest = 21 * 32 // entries of a name of 255 units
	info, e := volumeInfo(p.parent)
	if e != 0 {
		return 0 // not known
	}
	if info.freeSpace+freed < longest+2*uint64(info.blockSize) {
		return enospc
	}
	return 0
}

// setName renames source to target, which is free, or by way of a name in the root.
func setName(oldKey uint64, aside bool) (e uint64) {
	handle, readOnly, e := source.openWritable()
	if e != 0 {
		return e
	}
	if e = setPath(handle, oldKey, readOnly, aside); e == eacces {
		// EDK2's driver renames no directory in which something is open.
		if e = closeInside(inodeAt(oldKey)); e == 0 {
			e = setPath(handle, oldKey, readOnly, aside)
		}
		openInside(handle)
	}
	closeHandle(handle)
	return e
}

// setPath gives an open file the name and directory of target.
func setPath(handle uintptr, oldKey, readOnly uint64, aside bool) (e uint64) {
	if aside {
		if e = setStandIn(handle, source.volume); e != 0 {
			return e
		}
	}
	if e = absolutePath(target.parent); e != 0 {
		return e
	}
	info, e := getInfo(handle)
	if e != 0 {
		return e
	}
	n := 0
	for i := pathStart; pathBuffer[i] != 0; i++ {
		info.name[n] = pathBuffer[i]
		n++
	}
	if n+1+target.size >= len(info.name) {
		return enametoolong
	}
	info.name[n] = '\\'
	for i := range target.size + 1 {
		info.name[n+1+i] = target.name[i]
	}
	info.attribute |= readOnly
	if e = setInfo(handle, info); e == einval {
		e = enametoolong // see open
	}
	if e == 0 {
		moveInode(oldKey, inodeKey(target.inode, &target.name[0], target.size))
	}
	return e
}

// insidePaths holds, while a directory is renamed, the paths in it of what was open there,
// with a zero behind each.
var (
	insidePaths [16 << 10]uint16
	insideEnd   int
)

// closeInside closes the handles of all that is open in a directory, but not of itself.
func closeInside(directory uint64) (e uint64) {
	insideEnd = 0
	for fd := range filesEnd {
		if e = closeIfInside(&files[fd], directory); e != 0 {
			return e
		}
	}
	return closeIfInside(&workingDirectory, directory)
}

func closeIfInside(f *file, directory uint64) (e uint64) {
	if f.handle == 0 || absolutePath(f.handle) != 0 {
		return 0
	}
	_, i := followPath(f.volume, directory)
	if i == 0 || pathBuffer[i] == 0 {
		return 0
	}
	if insideEnd+len(pathBuffer)-i > len(insidePaths) {
		return ebusy
	}
	closeHandle(f.handle)
	f.handle, f.inside = 0, insideEnd+1
	for i++; pathBuffer[i] != 0; i++ {
		insidePaths[insideEnd] = pathBuffer[i]
		insideEnd++
	}
	insidePaths[insideEnd] = 0
	insideEnd++
	return 0
}

// openInside opens again, relative to the directory, what closeInside has closed.
func openInside(directory uintptr) {
	for fd := range filesEnd {
		openAgain(&files[fd], directory)
	}
	openAgain(&workingDirectory, directory)
}

func openAgain(f *file, directory uintptr) {
	if f.inside == 0 {
		return
	}
	name := address(&insidePaths[f.inside-1])
	f.inside = 0
	e := uint64(eacces)
	if f.flags&oAccess != 0 {
		f.handle, e = openHandle(directory, name, efiFileModeRead|efiFileModeWrite, 0)
	}
	if e != 0 {
		f.handle, e = openHandle(directory, name, efiFileModeRead, 0)
	}
	if e != 0 {
		*f = file{} // the descriptor is lost
		return
	}
	for skip := uint64(0); f.kind == kindDirectory && skip < f.offset; skip++ {
		ioSize = unsafe.Sizeof(infoBuffer)
		firmware(at[efiFile](f.handle).read, f.handle, address(&ioSize), address(&infoBuffer))
	}
}
