//go:build linux && amd64

package metal

const maxVolumes = 16 // that a program can use

// mapping is the UEFI shell's name of a volume with its colon, such as "fs1:", and a zero.
type mapping [32]uint16

// volume is a file system that the program uses.
type volume struct {
	device uintptr // EFI_HANDLE
	root   uintptr // *efiFile: its root directory; 0: there is none
	name   mapping // by which it was found; the boot volume needs none
}

var (
	volumes     [maxVolumes]volume // the first is the one that the program was loaded from; its root is "/"
	volumeCount int
	shell       uintptr // *efiShell, if the UEFI shell has started the program
	mappingName mapping // for calls of the shell
	mappedPath  uintptr // device path, which the firmware moves on
)

// initVolumes opens the volume that the image was loaded from. An image that was not loaded
// from a volume (but from the network, say) has no files. The shell's current folder, if the
// shell has started the program, is the program's, too.
func initVolumes() {
	volumeCount = 1
	if volumes[0].device = at[efiLoadedImage](loadedImage).deviceHandle; volumes[0].device != 0 {
		var status uintptr
		if volumes[0].root, status = openVolume(volumes[0].device); status != efiSuccess && status != efiUnsupported {
			warn("OpenVolume: the boot volume cannot be read", status)
		}
	}
	if handleProtocol(imageHandle, &shellParametersGUID) == 0 {
		return
	}
	found, status := locateProtocol(&shellGUID)
	if status != efiSuccess {
		return
	}
	shell = found
	folder := firmware(at[efiShell](shell).getCurDir, 0) // such as FS0:\dir
	if folder == 0 || !mappingName.set(folder) {
		return
	}
	v, e := mappedVolume()
	if e == 0 {
		source.beginRoot(v)
		e = source.enterFolder(folder)
	}
	if e == 0 && v != 0 && !source.opened {
		source.parent, e = openHandle(source.parent, address(&rootName), efiFileModeRead, 0)
	}
	if e != 0 {
		warn("the shell's current folder cannot be opened; names begin in the root", efiNotFound)
	} else if v != 0 || source.opened {
		workingDirectory = file{handle: source.parent, inode: source.inode, volume: v}
	}
}

func closeVolumes() {
	for i := range volumeCount {
		if root := volumes[i].root; root != 0 {
			closeHandle(root)
			volumes[i].root = 0
		}
	}
}

// openVolume opens the root directory of a device.
func openVolume(device uintptr) (root, status uintptr) {
	fs := handleProtocol(device, &simpleFileSystemGUID)
	if fs == 0 {
		return 0, efiUnsupported
	}
	if status = firmware(at[efiSimpleFileSystem](fs).openVolume, fs, address(&firmwareResult)); status != efiSuccess {
		return 0, status
	}
	return firmwareResult, efiSuccess
}

// isRoot reports whether a handle is the root directory of a volume.
func isRoot(handle uintptr) bool {
	for i := range volumeCount {
		if volumes[i].root == handle {
			return true
		}
	}
	return false
}

// set takes the mapping from the firmware's path of a folder; false if it has none.
func (m *mapping) set(path uintptr) bool {
	for n := 0; n < len(m)-1 && *at[uint16](path) != 0; n++ {
		m[n], m[n+1] = *at[uint16](path), 0
		if m[n] == ':' {
			return true
		}
		path += 2
	}
	return false
}

func (m *mapping) size() (n int) {
	for m[n] != 0 {
		n++
	}
	return n
}

// mappedVolume finds the volume that the shell calls mappingName, and opens it the first time.
func mappedVolume() (v int, e uint64) {
	if shell == 0 {
		return 0, enodev
	}
	mappedPath = firmware(at[efiShell](shell).getDevicePathFromMap, address(&mappingName))
	if mappedPath == 0 {
		return 0, enodev
	}
	// The handle found is that of the beginning of the path: of the device, if nothing is left.
	status := firmware(bootServices().locateDevicePath, address(&simpleFileSystemGUID), address(&mappedPath), address(&firmwareResult))
	device := firmwareResult
	if status != efiSuccess || !isPathEnd(mappedPath) {
		return 0, enodev
	}
	for v = range volumeCount {
		if volumes[v].device == device {
			return v, 0
		}
	}
	if volumeCount == maxVolumes {
		return 0, emfile
	}
	root, status := openVolume(device)
	if status != efiSuccess {
		return 0, statusErrno(status)
	}
	v = volumeCount
	volumes[v] = volume{device, root, mappingName}
	volumeCount++
	return v, 0
}

// takeMapping copies what begins a path, if that is a mapping, to mappingName, and returns where
// the path goes on. FAT has no colons in the names of files.
func takeMapping(name uintptr) (rest uintptr, found bool) {
	for *at[byte](name) == '/' {
		name++
	}
	for n := range len(mappingName) - 1 {
		b := *at[byte](name + uintptr(n))
		if b == 0 || b == '/' || b == '\\' || b >= 0x80 {
			return 0, false
		}
		mappingName[n], mappingName[n+1] = uint16(b), 0
		if b == ':' {
			return name + uintptr(n) + 1, true
		}
	}
	return 0, false
}

// beginMapping starts a path that begins with a mapping: "fs1:\a", or "/fs1:/a" as an absolute
// path of Linux, is on that volume, and "fs1:a" in the shell's current folder there. rest is
// where the path goes on.
func (p *place) beginMapping(path uintptr) (rest uintptr, mapped bool, e uint64) {
	rest, found := takeMapping(path)
	if !found {
		return path, false, 0
	}
	rooted := *at[byte](rest) == 0 || isSeparator(rest, true)
	v, e := mappedVolume()
	if e == enodev && !rooted {
		return path, false, 0 // a name with a colon, which no file can have
	}
	if e != 0 {
		return rest, true, e
	}
	p.beginRoot(v)
	if !rooted {
		e = p.enterFolder(firmware(at[efiShell](shell).getCurDir, address(&mappingName)))
	}
	for isSeparator(rest, true) {
		rest++
	}
	return rest, true, e
}

// enterFolder goes from the root to a folder of which the firmware has the path, with a mapping
// before it or without.
func (p *place) enterFolder(path uintptr) (e uint64) {
	if path == 0 {
		return 0
	}
	for q := path; *at[uint16](q) != 0; q += 2 {
		if *at[uint16](q) == ':' {
			path = q + 2
		}
	}
	for *at[uint16](path) == '\\' {
		path += 2
	}
	if *at[uint16](path) == 0 {
		return 0
	}
	handle, e := openHandle(p.parent, path, efiFileModeRead, 0)
	if e != 0 {
		return e
	}
	if e = absolutePath(handle); e != 0 {
		closeHandle(handle)
		return e
	}
	p.change(handle, pathInode(p.volume))
	return 0
}
