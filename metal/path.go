//go:build linux && amd64

package metal

const (
	maxPath = 4096 // bytes of a path with its zero (PATH_MAX)
	maxName = 255  // UTF-16 units of an element, on FAT and in Linux's vfat
)

// What the last element of a path is, as Linux's namei tells them apart.
const (
	lastName = iota
	lastRoot // the path has no element
	lastDot
	lastDotDot
)

// place is where a path leads: an element, which need not exist, of a directory, which does.
type place struct {
	volume     int     // index in volumes
	parent     uintptr // *efiFile of the directory
	opened     bool    // parent was opened on the way
	inode      uint64  // of the directory
	last       int     // if it is not lastName, the path leads to the directory itself
	slash      bool    // a separator ends the path: only a directory can be meant
	impossible bool    // no file can have this name: it is not found, and creating it is EINVAL
	size       int
	name       [maxName + 1]uint16 // the element, as the firmware wants it: with a zero behind size units
}

// Rename has two places, everything else one.
var source, target place

const atFDCWD = ^uintptr(99) // -100

// find follows a path, relative to an open directory or to the working directory. Each element
// but the last must be a directory. There are no links. The caller calls leave, whatever find
// returns.
//
// A backslash separates elements too, since that is what people type at the UEFI shell, but
// only in a path that has no slash and is relative to no descriptor: fs.FS and os.Root must
// not be escaped by a name like `..\x`. Such a path from a backslash on begins in the root of
// the working directory's volume, and one from a slash on in that of the boot volume.
func (p *place) find(directory, path uintptr) (e uint64) {
	p.opened, p.slash, p.impossible, p.size = false, false, false, 0
	p.beginRoot(0)
	backslash := uintptr(int32(directory)) == atFDCWD
	n := uintptr(0)
	for ; *at[byte](path + n) != 0; n++ {
		if n == maxPath-1 {
			return enametoolong
		}
		backslash = backslash && *at[byte](path + n) != '/'
	}
	if n == 0 {
		return enoent
	}
	end := path + n
	first := *at[byte](path)
	mapped := false
	if first == '/' || uintptr(int32(directory)) == atFDCWD {
		path, mapped, e = p.beginMapping(path)
	}
	switch {
	case mapped:
	case backslash && first == '\\':
		p.beginRoot(workingDirectory.volume)
	case first != '/':
		e = p.begin(directory)
	}
	if e == 0 && p.parent == 0 {
		e = enoent
	}
	if e != 0 {
		return e
	}
	for {
		start := path
		for path < end && isSeparator(path, backslash) {
			path++
		}
		if path == end {
			p.slash = path > start
			return 0
		}
		if p.last == lastName {
			if e = p.enter(); e != 0 {
				return e
			}
		}
		start = path
		for path < end && !isSeparator(path, backslash) {
			path++
		}
		if e = p.element(start, path); e != 0 {
			return e
		}
	}
}

func isSeparator(p uintptr, backslash bool) bool {
	b := *at[byte](p)
	return b == '/' || backslash && b == '\\'
}

// beginRoot starts a path in the root of a volume.
func (p *place) beginRoot(volume int) {
	p.volume, p.parent, p.inode, p.last = volume, volumes[volume].root, rootInode(volume), lastRoot
}

// begin starts a relative path.
func (p *place) begin(directory uintptr) (e uint64) {
	p.last = lastDot
	if uintptr(int32(directory)) == atFDCWD {
		if workingDirectory.handle != 0 {
			p.volume, p.parent, p.inode = workingDirectory.volume, workingDirectory.handle, workingDirectory.inode
		}
		return 0
	}
	fd := uintptr(uint32(directory))
	if !isOpen(fd) {
		return ebadf
	}
	if files[fd].kind != kindDirectory {
		return enotdir
	}
	p.volume, p.parent, p.inode = files[fd].volume, files[fd].handle, files[fd].inode
	return 0
}

// element takes the next element of the path: the bytes from start to end.
func (p *place) element(start, end uintptr) (e uint64) {
	n := end - start
	switch {
	case n == 1 && *at[byte](start) == '.':
		p.last = lastDot
		return 0
	case n == 2 && *at[byte](start) == '.' && *at[byte](start + 1) == '.':
		p.last = lastDotDot
		return p.up()
	}
	p.last, p.impossible, p.size = lastName, false, 0
	var d utf8Decoder
	for q := start; q < end || d.need > 0; {
		b := byte(0) // behind the end: ends an incomplete sequence
		if q < end {
			b = *at[byte](q)
		}
		r, again := d.decode(b)
		if !again {
			q++
		}
		switch {
		case r == noRune:
			continue
		case d.invalid && !d.surrogate(), !isNameUnit(r):
			p.impossible = true
			r = replacementRune
		case d.invalid:
			r = d.rune // half of a pair alone: storeName writes it like this
		}
		if r > 0xFFFF {
			p.add(uint16(0xD800 + (r-0x10000)>>10))
			r = 0xDC00 + (r-0x10000)&0x3FF
		}
		p.add(uint16(r))
	}
	if p.size > maxName {
		return enametoolong
	}
	// Like Linux's vfat: dots at the end do not count, blanks there cannot be.
	for p.size > 0 && p.name[p.size-1] == '.' {
		p.size--
	}
	if p.size == 0 {
		return enoent
	}
	// EDK2's driver drops blanks at the beginning: such a name would mean another file.
	if p.name[0] == ' ' || p.name[p.size-1] == ' ' {
		p.impossible = true
	}
	p.name[p.size] = 0
	return 0
}

// add appends a unit to the name, and counts on when there is no room.
func (p *place) add(u uint16) {
	if p.size < maxName {
		p.name[p.size] = u
	}
	p.size++
}

// isNameUnit reports whether FAT allows a character in a name.
func isNameUnit(r uint32) bool {
	switch r {
	case '"', '*', '/', ':', '<', '>', '?', '\\', '|':
		return false
	}
	return r >= ' '
}

// enter makes the element the directory of the next one.
func (p *place) enter() (e uint64) {
	handle, e := p.open(efiFileModeRead, 0)
	if e != 0 {
		return e
	}
	info, e := getInfo(handle)
	if e == 0 && !info.isDirectory() {
		e = enotdir
	}
	if e != 0 {
		closeHandle(handle)
		return e
	}
	p.change(handle, childInode(p.inode, info))
	return 0
}

// up goes to the directory above; that of the root is the root.
func (p *place) up() (e uint64) {
	if isRootInode(p.inode) {
		return 0
	}
	handle, e := openHandle(p.parent, address(&dotDot), efiFileModeRead, 0)
	if e != 0 {
		return enoent // the directory has been removed
	}
	e = absolutePath(handle)
	if e != 0 {
		closeHandle(handle)
		return e
	}
	p.change(handle, pathInode(p.volume))
	return 0
}

func (p *place) change(handle uintptr, inode uint64) {
	p.leave()
	p.parent, p.inode, p.opened = handle, inode, true
}

// leave closes what find has opened.
func (p *place) leave() {
	if p.opened {
		closeHandle(p.parent)
		p.opened = false
	}
}

// open opens the file or directory at the place in one of the firmware's modes.
func (p *place) open(mode, attributes uint64) (handle uintptr, e uint64) {
	switch {
	case p.last != lastName && isRootInode(p.inode):
		return openHandle(p.parent, address(&rootName), uintptr(mode), uintptr(attributes))
	case p.last != lastName:
		return openHandle(p.parent, address(&dot), uintptr(mode), uintptr(attributes))
	case p.impossible:
		return 0, enoent
	}
	handle, e = openHandle(p.parent, address(&p.name), uintptr(mode), uintptr(attributes))
	if e == einval { // the name is possible: what FAT does not allow is a path of more than 260 units
		e = enametoolong
	}
	return handle, e
}

// inodeOf is the inode number of what has been opened at the place.
func (p *place) inodeOf(info *namedInfo) uint64 {
	if p.last != lastName {
		return p.inode
	}
	return childInode(p.inode, info)
}

// Names that the firmware reads.
var (
	dot      = [2]uint16{'.'}
	dotDot   = [3]uint16{'.', '.'}
	rootName = [2]uint16{'\\'}
)

func openHandle(base, name, mode, attributes uintptr) (handle uintptr, e uint64) {
	status := firmware(at[efiFile](base).open, base, address(&firmwareResult), name, mode, attributes)
	return firmwareResult, statusErrno(status)
}

// pathBuffer holds a path from the root in the firmware's form. It is written from its end.
var (
	pathBuffer [1024]uint16
	pathStart  int
)

// absolutePath stores the path of an open directory in pathBuffer, nothing for the root. The
// firmware tells only the name of a file, so the directories above are opened one by one.
func absolutePath(handle uintptr) (e uint64) {
	pathStart = len(pathBuffer) - 1
	pathBuffer[pathStart] = 0
	for h := handle; ; {
		info, e := getInfo(h)
		n := info.nameSize()
		root := isRoot(h) || e == 0 && (n == 0 || info.name[0] == '\\')
		above := uintptr(0)
		switch {
		case root:
		case e != 0:
			e = enoent // removed
		case n+1 > pathStart:
			e = enametoolong
		default:
			for i := n - 1; i >= 0; i-- {
				pathStart--
				pathBuffer[pathStart] = info.name[i]
			}
			pathStart--
			pathBuffer[pathStart] = '\\'
			above, e = openHandle(h, address(&dotDot), efiFileModeRead, 0)
		}
		if h != handle {
			closeHandle(h)
		}
		if root || e != 0 {
			return e
		}
		h = above
	}
}

// FAT has no inode numbers. A file gets a hash of its names from the root on, and keeps it
// when it, or a directory above, is renamed: then the table has the number that belongs to the
// new name, and another one for a file that gets the old name. If the table is full, the
// oldest entry goes, and that file gets the number of its name.
var (
	renamedKeys, renamedInodes [256]uint64
	renamedCount               uint64
)

// rootInode is the inode number of a volume's root. No hash has its lowest two bits.
func rootInode(volume int) uint64 { return uint64(volume)<<2 | 1 }

func isRootInode(inode uint64) bool { return inode&3 == 1 }

// inodeKey hashes a name and the inode number of its directory (FNV-1a).
func inodeKey(parent uint64, name *uint16, n int) uint64 {
	h := uint64(14695981039346656037)
	for i := range 8 {
		h = (h ^ parent>>(8*i)&0xFF) * 1099511628211
	}
	for i := range n {
		h = (h ^ uint64(unitAt(name, i))) * 1099511628211
	}
	return h | 2 // neither none nor a root
}

func inodeAt(key uint64) uint64 {
	for i := range min(renamedCount, uint64(len(renamedKeys))) {
		if renamedKeys[i] == key {
			return renamedInodes[i]
		}
	}
	return key
}

func setInode(key, inode uint64) {
	i := uint64(0)
	for i < min(renamedCount, uint64(len(renamedKeys))) && renamedKeys[i] != key {
		i++
	}
	if i == min(renamedCount, uint64(len(renamedKeys))) {
		i = renamedCount % uint64(len(renamedKeys))
		renamedCount++
	}
	renamedKeys[i], renamedInodes[i] = key, inode
}

// moveInode gives an inode number to a new name, and another to the next file of the old one.
func moveInode(oldKey, newKey uint64) {
	inode := inodeAt(oldKey)
	if oldKey == newKey {
		return
	}
	freshInodes++
	setInode(oldKey, inodeKey(freshInodes, &rootName[0], 1))
	setInode(newKey, inode)
}

var freshInodes uint64

func childInode(parent uint64, info *namedInfo) uint64 {
	return inodeAt(inodeKey(parent, &info.name[0], info.nameSize()))
}

// pathInode is the inode number of the directory of a volume whose path is in pathBuffer.
func pathInode(volume int) uint64 {
	inode, _ := followPath(volume, 0)
	return inode
}

// followPath also returns where in pathBuffer the path of the directory with the wanted inode
// number ends, 0 if the path does not lead through it.
func followPath(volume int, wanted uint64) (inode uint64, end int) {
	inode = rootInode(volume)
	if wanted == inode {
		end = pathStart
	}
	for i := pathStart; pathBuffer[i] == '\\'; {
		start := i + 1
		for i = start; pathBuffer[i] != 0 && pathBuffer[i] != '\\'; {
			i++
		}
		if inode = inodeAt(inodeKey(inode, &pathBuffer[start], i-start)); inode == wanted {
			end = i
		}
	}
	return inode, end
}

func unitAt(name *uint16, i int) uint32 { return uint32(*at[uint16](address(name) + 2*uintptr(i))) }

// storeName writes n units of a name as UTF-8 and returns the number of bytes, at most three
// for a unit. Half of a surrogate pair alone, which FAT does not exclude, becomes the three
// bytes that UTF-8 would have for it: element reads them, so that every file that is listed
// can be opened.
func storeName(to uintptr, name *uint16, n int) (size uintptr) {
	for i := 0; i < n; i++ {
		r := unitAt(name, i)
		if r>>10 == 0xD800>>10 && i+1 < n && unitAt(name, i+1)>>10 == 0xDC00>>10 {
			r = 0x10000 + (r-0xD800)<<10 + (unitAt(name, i+1) - 0xDC00)
			i++
		}
		var b [4]byte
		k := encodeUTF8(&b, r)
		for j := range k {
			*at[byte](to + size) = b[j]
			size++
		}
	}
	return size
}
