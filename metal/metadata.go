//go:build linux && amd64

package metal

import "unsafe"

const (
	modeDirectory = 0o040000
	modeRegular   = 0o100000
	modeCharacter = 0o020000
	modeFIFO      = 0o010000
)

func storeStat(p uintptr, info *namedInfo, volume int, inode uint64) {
	s := at[stat](p)
	*s = stat{}
	s.dev, s.ino, s.nlink = uint64(volume)+1, inode, 1
	s.mode = modeRegular | 0o644
	if info.attribute&efiFileReadOnly != 0 {
		s.mode = modeRegular | 0o444
	}
	if info.isDirectory() {
		s.mode = modeDirectory | 0o755
	}
	s.size, s.blockSize = int64(info.fileSize), 4096
	s.blocks = int64(info.physicalSize+511) / 512
	s.accessed = fileTime(&info.lastAccess)
	s.modified = fileTime(&info.modification)
	s.changed = s.modified
}

// fileTime is the time of a file, 1980-01-01 where it has none, as in Linux's vfat.
func fileTime(t *efiTime) timespec {
	clampDate(t)
	return timespec{unixTime(t), int64(t.nanosecond)}
}

func fstat(fd, p uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.handle == 0 {
		storeDeviceStat(at[stat](p), f.kind, uint64(fd)+1)
		return 0
	}
	flushWritten(f.inode)
	info, e := getInfo(f.handle)
	if e == 0 {
		storeStat(p, info, f.volume, f.inode)
		if f.unlinked != 0 {
			at[stat](p).nlink = 0
		}
	}
	return errno(e)
}

func storeDeviceStat(s *stat, kind, inode uint64) {
	*s = stat{}
	s.dev, s.ino, s.nlink, s.mode, s.blockSize = maxVolumes+1, inode, 1, modeCharacter|0o600, 1024
	switch kind {
	case kindFramebuffer:
		s.rdev = fbDevice
	case kindPipe:
		s.mode = modeFIFO | 0o600
	}
}

func fstatat(directory, name, p, flags uintptr) uint64 {
	if flags&^(atSymlinkNoFollow|atNoAutomount|atEmptyPath) != 0 {
		return errno(einval)
	}
	switch empty := flags&atEmptyPath != 0 && *at[byte](name) == 0; {
	case empty && uintptr(int32(directory)) == atFDCWD:
		name = address(&here)
	case empty:
		return fstat(uintptr(uint32(directory)), p)
	}
	if kind := deviceKind(name); kind != kindClosed {
		if kind == kindFramebuffer && !hasDisplay() {
			return errno(enoent)
		}
		storeDeviceStat(at[stat](p), kind, kind)
		return 0
	}
	info, e := source.existing(directory, name)
	if e == 0 {
		inode := source.inodeOf(info)
		if flushWritten(inode); isOpenInode(inode) {
			info, e = source.info()
		}
		if e == 0 {
			storeStat(p, info, source.volume, inode)
		}
	}
	source.leave()
	return errno(e)
}

var here = [2]byte{'.'} // a path

// Flags of calls with names (fcntl.h). There are no links, and nothing is mounted by itself.
const (
	atSymlinkNoFollow = 0x100
	atNoAutomount     = 0x800
	atEmptyPath       = 0x1000
)

// existing finds what must be there. The caller calls leave.
func (p *place) existing(directory, name uintptr) (info *namedInfo, e uint64) {
	if e = p.find(directory, name); e != 0 {
		return &infoBuffer, e
	}
	if info, e = p.info(); e == 0 && p.slash && !info.isDirectory() {
		e = enotdir
	}
	return info, e
}

func faccessat(directory, name, mode uintptr) uint64 {
	const execute, write, all = 1, 2, 7
	if mode&^all != 0 {
		return errno(einval)
	}
	info, e := source.existing(directory, name)
	switch {
	case e != 0 || info.isDirectory():
	case mode&execute != 0, mode&write != 0 && info.attribute&efiFileReadOnly != 0:
		e = eacces
	}
	source.leave()
	return errno(e)
}

// chmod sets or removes the read-only attribute of a file. Like Linux's vfat, it ignores modes
// that FAT does not have.
func chmod(handle uintptr, mode uint64) (e uint64) {
	info, e := getInfo(handle)
	if e != 0 || info.isDirectory() || mode&0o444 != 0o444 {
		return e
	}
	info.attribute |= efiFileReadOnly
	if mode&0o200 != 0 {
		info.attribute &^= efiFileReadOnly
	}
	return setInfo(handle, info)
}

func fchmod(fd, mode uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if files[fd].handle == 0 {
		return 0
	}
	return errno(chmod(files[fd].handle, uint64(mode)))
}

func fchmodat(directory, name, mode uintptr) uint64 {
	_, e := source.existing(directory, name)
	if e == 0 {
		handle, missing := source.open(efiFileModeRead, 0)
		if e = missing; e == 0 {
			e = chmod(handle, uint64(mode))
			closeHandle(handle)
		}
	}
	source.leave()
	return errno(e)
}

// chown refuses an owner other than 0: FAT has none.
func chown(uid, gid uintptr) (e uint64) {
	if uint32(uid) != 0 && ^uint32(uid) != 0 || uint32(gid) != 0 && ^uint32(gid) != 0 {
		return eperm
	}
	return 0
}

func fchown(fd, uid, gid uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	return errno(chown(uid, gid))
}

func fchownat(directory, name, uid, gid uintptr) uint64 {
	_, e := source.existing(directory, name)
	if e == 0 {
		e = chown(uid, gid)
	}
	source.leave()
	return errno(e)
}

// utimensat sets the times of access and modification by path, or of a descriptor if name is 0.
func utimensat(directory, name, times, flags uintptr) uint64 {
	const now, omit = 1<<30 - 1, 1<<30 - 2
	var access, modification timespec
	modification.nsec = now
	access.nsec = now
	if times != 0 {
		access, modification = *at[timespec](times), *at[timespec](times + unsafe.Sizeof(access))
	}
	if access.nsec == omit && modification.nsec == omit {
		return 0 // whatever the name is
	}
	if flags&^(atSymlinkNoFollow|atEmptyPath) != 0 {
		return errno(einval)
	}
	wrong := false
	for _, t := range [...]*timespec{&access, &modification} {
		if t.nsec == now {
			ns := nanotime() + bootTime
			*t = timespec{ns / 1e9, ns % 1e9}
		}
		wrong = wrong || t.nsec < 0 || t.nsec >= 1e9 && t.nsec != omit
	}
	if name == 0 || flags&atEmptyPath != 0 && *at[byte](name) == 0 {
		fd := uintptr(uint32(directory))
		if isOpen(fd) && wrong {
			return errno(einval)
		}
		return errno(touchDescriptor(fd, access, modification))
	}
	info, e := source.existing(directory, name)
	switch {
	case e == 0 && wrong:
		e = einval
	case e == 0:
		e = source.touch(source.inodeOf(info), access, modification)
	}
	source.leave()
	return errno(e)
}

func touchDescriptor(fd uintptr, access, modification timespec) (e uint64) {
	if !isOpen(fd) {
		return ebadf
	}
	f := &files[fd]
	if f.handle == 0 {
		return 0
	}
	flushWritten(f.inode)
	// A handle for reading does not take times. The file itself is "." for EDK2's driver.
	handle, e := openHandle(f.handle, address(&dot), efiFileModeRead|efiFileModeWrite, 0)
	if e != 0 {
		return touch(f.handle, 0, access, modification)
	}
	e = touch(handle, 0, access, modification)
	closeHandle(handle)
	return e
}

// touch sets the times of what is at the place.
func (p *place) touch(inode uint64, access, modification timespec) (e uint64) {
	if isRootInode(inode) { // has no times on FAT
		return 0
	}
	flushWritten(inode)
	handle, readOnly, e := p.openWritable()
	if e != 0 {
		return e
	}
	e = touch(handle, readOnly, access, modification)
	closeHandle(handle)
	return e
}

func touch(handle uintptr, readOnly uint64, access, modification timespec) (e uint64) {
	info, e := getInfo(handle)
	if e != 0 {
		return e
	}
	info.attribute |= readOnly
	info.setTimes(access, modification)
	return setInfo(handle, info)
}

// setTimes changes the times that are no UTIME_OMIT. EDK2's driver ignores that of access.
func (i *namedInfo) setTimes(access, modification timespec) {
	if modification.nsec < 1e9 {
		i.modification = efiDate(modification.sec)
	}
	i.lastAccess = efiTime{}
	if access.nsec < 1e9 {
		i.lastAccess = efiDate(access.sec)
	}
}

// statfs is struct statfs (asm-generic/statfs.h).
type statfs struct {
	typ, blockSize          int64
	blocks, free, available uint64
	files, filesFree        uint64
	id                      [2]int32
	nameLength              int64
	fragmentSize, flags     int64
	_                       [4]int64
}

func statfsPath(name, p uintptr) uint64 {
	_, e := source.existing(atFDCWD, name)
	if e == 0 {
		e = storeStatfs(p, source.parent)
	}
	source.leave()
	return errno(e)
}

func fstatfs(fd, p uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	if files[fd].handle == 0 {
		return errno(enosys)
	}
	return errno(storeStatfs(p, files[fd].handle))
}

func storeStatfs(p, handle uintptr) (e uint64) {
	const msdos, readOnly = 0x4d44, 1
	info, e := volumeInfo(handle)
	if e == 0 && info.blockSize == 0 {
		e = eio
	}
	if e != 0 {
		return e
	}
	s := at[statfs](p)
	*s = statfs{typ: msdos, blockSize: int64(info.blockSize), fragmentSize: int64(info.blockSize), nameLength: maxName * 6}
	s.blocks, s.free = info.volumeSize/uint64(info.blockSize), info.freeSpace/uint64(info.blockSize)
	s.available = s.free
	if info.readOnly {
		s.flags = readOnly
	}
	return 0
}

var volumeBuffer efiFileSystemInfo

// volumeInfo is the EFI_FILE_SYSTEM_INFO of the volume on which an open file or directory is.
func volumeInfo(handle uintptr) (info *efiFileSystemInfo, e uint64) {
	ioSize = unsafe.Sizeof(volumeBuffer)
	status := firmware(at[efiFile](handle).getInfo, handle, address(&fileSystemInfoGUID), address(&ioSize), address(&volumeBuffer))
	return &volumeBuffer, statusErrno(status)
}
