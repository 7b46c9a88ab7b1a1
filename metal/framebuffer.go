//go:build linux && amd64

package metal

// /dev/fb0, the framebuffer device of Linux (linux/fb.h), on a display of the firmware
// (graphics.go). A program that draws
//
//	opens it, asks FBIOGET_VSCREENINFO and FBIOGET_FSCREENINFO how the pixels lie, maps it with
//	mmap and MAP_SHARED, writes pixels, and after each change calls ioctl FBIOPAN_DISPLAY, or
//	fsync.
//
// That last step shows the changes where the firmware has no framebuffer, but only a function
// that copies rectangles (Blt, 12.9.2.3); where it has one, they are seen at once. write and
// pwrite show what they write. A pixel has 32 bits, always.
//
// The first open sets the mode for all pixels of the monitor, if the firmware's has fewer, and
// FBIOPUT_VSCREENINFO sets the mode of another size, if the firmware has it; a program then maps
// again. The firmware's mode returns when nothing is open or mapped any more, and at the end.

// Requests of ioctl, and values in their structs (linux/fb.h).
const (
	fbioGetVScreenInfo = 0x4600
	fbioPutVScreenInfo = 0x4601
	fbioGetFScreenInfo = 0x4602
	fbioPanDisplay     = 0x4606

	fbVisualTrueColor = 2
	fbActivateMask    = 15
	fbActivateTest    = 2
)

// fbBitfield is struct fb_bitfield.
type fbBitfield struct{ offset, length, msbRight uint32 }

// fbVarScreenInfo is struct fb_var_screeninfo.
type fbVarScreenInfo struct {
	xres, yres, xresVirtual, yresVirtual      uint32
	xoffset, yoffset, bitsPerPixel, grayscale uint32
	red, green, blue, transp                  fbBitfield
	nonstd, activate, height, width           uint32
	accelFlags, pixclock                      uint32
	leftMargin, rightMargin                   uint32
	upperMargin, lowerMargin                  uint32
	hsyncLen, vsyncLen, sync, vmode           uint32
	rotate, colorspace                        uint32
	_                                         [4]uint32
}

// fbFixScreenInfo is struct fb_fix_screeninfo.
type fbFixScreenInfo struct {
	id                            [16]byte
	smemStart                     uint64
	smemLen, typ, typeAux, visual uint32
	xpanstep, ypanstep, ywrapstep uint16
	_                             uint16
	lineLength                    uint32
	mmioStart                     uint64
	mmioLen, accel                uint32
	capabilities                  uint16
	_                             [2]uint16
}

const (
	fbWindow    = userTop // 512 GiB of addresses: a mapping of the framebuffer in each GiB
	maxPicture  = hugePageSize
	maxMappings = 64
)

// fbMapping is a GiB of the window. Its addresses lead to the same memory for ever, since the
// kernel only adds entries to page tables.
type fbMapping struct {
	directory  uintptr // its page table of level 2; 0: it has never been used
	start, end uintptr // what mmap has returned of it; 0: it is free
}

// Only the boot processor uses these.
var (
	fbOpen     int // open descriptors
	fbMapped   int // mappings of the program
	fbMappings [maxMappings]fbMapping

	fbDirectory uintptr // page table of level 2 that maps the picture
	fbBase      uintptr // the physical memory that it maps,
	fbBaseEnd   uintptr // and where that ends
	fbLinear    bool
)

// openFramebuffer opens /dev/fb0 into a free descriptor.
func openFramebuffer(f *file, flags uintptr) (e uint64) {
	switch {
	case flags&oDirectory != 0:
		return enotdir
	case flags&oCreate != 0 && flags&oExclusive != 0:
		return eexist
	case !hasDisplay():
		return enodev
	}
	if e = enterGraphics(); e == 0 {
		*f = file{kind: kindFramebuffer, flags: flags}
		fbOpen++
	}
	return e
}

func closeFramebuffer() {
	fbOpen--
	leaveFramebuffer()
}

// leaveFramebuffer gives the display back when the program does not use it any more.
func leaveFramebuffer() {
	if fbOpen > 0 || fbMapped > 0 {
		return
	}
	display.programModeSet = false
	if restoreGraphics() {
		redrawText()
	}
}

// enterAgain takes the display for a program that still has it open and has given it back
// with KD_TEXT.
func enterAgain() {
	if fbOpen > 0 || fbMapped > 0 {
		enterGraphics()
	}
}

// framebufferIoctl carries out the requests that Linux's drivers without acceleration have.
func framebufferIoctl(request, argument uintptr) uint64 {
	switch request {
	case fbioGetVScreenInfo:
		storeVarScreenInfo(at[fbVarScreenInfo](argument))
		return 0
	case fbioPutVScreenInfo:
		return errno(putVarScreenInfo(at[fbVarScreenInfo](argument)))
	case fbioGetFScreenInfo:
		storeFixScreenInfo(at[fbFixScreenInfo](argument))
		return 0
	case fbioPanDisplay:
		if v := at[fbVarScreenInfo](argument); v.xoffset != 0 || v.yoffset != 0 {
			return errno(einval)
		}
		return errno(showPicture())
	}
	return errno(enotty)
}

func storeVarScreenInfo(v *fbVarScreenInfo) {
	unknown := ^uint32(0)
	*v = fbVarScreenInfo{
		xres: display.width, yres: display.height, xresVirtual: display.width, yresVirtual: display.height,
		bitsPerPixel: 8 * bytesPerPixel,
		red:          fbBitfield{offset: display.red, length: 8},
		green:        fbBitfield{offset: display.green, length: 8},
		blue:         fbBitfield{offset: display.blue, length: 8},
		height:       unknown, width: unknown, // in millimetres
	}
}

func storeFixScreenInfo(x *fbFixScreenInfo) {
	*x = fbFixScreenInfo{
		id:        [16]byte{'U', 'E', 'F', 'I', ' ', 'G', 'O', 'P'},
		smemStart: uint64(display.base), smemLen: uint32(display.size),
		visual: fbVisualTrueColor, lineLength: uint32(display.stride),
	}
}

// putVarScreenInfo sets the mode of a size, or with FB_ACTIVATE_TEST finds whether there is one.
func putVarScreenInfo(v *fbVarScreenInfo) (e uint64) {
	if v.bitsPerPixel != 8*bytesPerPixel || v.xresVirtual > v.xres || v.yresVirtual > v.yres || v.xoffset != 0 || v.yoffset != 0 {
		return einval
	}
	if !display.entered { // after KD_TEXT
		return ebusy
	}
	if v.activate&fbActivateMask == fbActivateTest {
		if _, found := findMode(v.xres, v.yres); !found {
			return einval
		}
		return 0
	}
	if e = setDisplaySize(v.xres, v.yres); e == 0 {
		storeVarScreenInfo(v)
	}
	return e
}

// mapPicture makes fbDirectory map a picture. If that is in other memory than the one before,
// it gets a table of its own: the entries of the other one stay. The caller holds memoryLock.
// It returns false if memory is out.
func mapPicture(p *picture) bool {
	if fbDirectory == 0 || fbBase != p.base || fbLinear != p.linear {
		directory := allocPages(1)
		if directory == 0 {
			return false
		}
		fbDirectory, fbBase, fbBaseEnd, fbLinear = directory, p.base, p.base, p.linear
	}
	for end := (p.base + p.size + pageSize - 1) &^ (pageSize - 1); fbBaseEnd < end; {
		offset := fbBaseEnd - fbBase
		e := at[uint64](fbDirectory + offset/largePageSize*8)
		if fbBaseEnd%largePageSize == 0 && offset%largePageSize == 0 && end-fbBaseEnd >= largePageSize {
			*e = pictureEntry(fbBaseEnd, true, p.linear)
			fbBaseEnd += largePageSize
			continue
		}
		if *e == 0 {
			table := allocPages(1)
			if table == 0 {
				return false
			}
			*e = tableEntry(table)
		}
		*at[uint64](uintptr(*e&entryAddress) + offset/pageSize%512*8) = pictureEntry(fbBaseEnd, false, p.linear)
		fbBaseEnd += pageSize
	}
	return true
}

func pictureEntry(p uintptr, large, linear bool) uint64 {
	if linear {
		return writeCombiningEntry(p, large)
	}
	return dataEntry(p, large)
}

// mmapFramebuffer maps /dev/fb0, also for reading only with permission to write: the entries of
// a page are shared by all mappings.
func mmapFramebuffer(n, prot, flags, fd, offset uintptr) uint64 {
	const protWrite = 2
	if !isOpen(fd) {
		return errno(ebadf)
	}
	size := (display.size + pageSize - 1) &^ (pageSize - 1)
	access := files[fd].flags & oAccess
	switch {
	case files[fd].kind != kindFramebuffer:
		return errno(enodev)
	case access == 1 || prot&protWrite != 0 && access == 0 || prot&protExec != 0:
		return errno(eacces)
	case n == 0 || n > size || offset%pageSize != 0 || offset > size || (n+pageSize-1)&^(pageSize-1) > size-offset,
		flags&mapPrivate != 0 || flags&mapShared == 0 || flags&mapFixed != 0:
		return errno(einval)
	}
	i := freeMapping()
	if i < 0 {
		return errno(enomem)
	}
	m := &fbMappings[i]
	m.start = fbWindow + uintptr(i)*hugePageSize + offset
	m.end = m.start + (n+pageSize-1)&^(pageSize-1)
	fbMapped++
	display.changed = true
	return uint64(m.start)
}

// freeMapping finds a mapping that is free and leads to the picture, or has never been used;
// -1 if there is none.
func freeMapping() int {
	for i := range fbMappings {
		m := &fbMappings[i]
		if m.start != 0 || m.directory != 0 && m.directory != fbDirectory {
			continue
		}
		if m.directory == 0 {
			acquire(&memoryLock)
			e := entryFor(fbWindow+uintptr(i)*hugePageSize, 30)
			release(&memoryLock)
			if e == nil {
				return -1
			}
			*e = tableEntry(fbDirectory)
			m.directory = fbDirectory
		}
		return i
	}
	return -1
}

// isFramebuffer says whether an address is in the framebuffer's window.
func isFramebuffer(a uintptr) bool { return a >= fbWindow && a < fbWindow+maxMappings*hugePageSize }

// munmapFramebuffer ends a mapping, as a whole.
func munmapFramebuffer(start, n uintptr) uint64 {
	m := &fbMappings[(start-fbWindow)/hugePageSize]
	if m.start == 0 || start != m.start || (n+pageSize-1)&^(pageSize-1) != m.end-m.start {
		return errno(einval)
	}
	m.start, m.end = 0, 0
	fbMapped--
	leaveFramebuffer()
	return 0
}

// fbTransfer reads or writes the picture from an offset on, and shows what it has written.
func fbTransfer(f *file, p, n uintptr, offset uint64, out bool) uint64 {
	size := uint64(display.size)
	switch access := f.flags & oAccess; {
	case out && access == 0, !out && access == 1:
		return errno(ebadf)
	case n == 0, !out && offset >= size:
		return 0
	case offset > size:
		return errno(efbig)
	case offset == size:
		return errno(enospc)
	}
	n = uintptr(min(uint64(n), size-offset))
	i := freeMapping()
	if i < 0 {
		return errno(enomem)
	}
	here := fbWindow + uintptr(i)*hugePageSize + uintptr(offset)
	if !out {
		move(p, here, n)
		return uint64(n)
	}
	display.changed = true
	move(here, p, n)
	if e := showPicture(); e != 0 {
		return errno(e)
	}
	return uint64(n)
}

// fbSeek is lseek: like Linux's devices, the framebuffer has no end to count from.
func fbSeek(f *file, offset, whence uintptr) uint64 {
	const set, cur = 0, 1
	switch {
	case whence == cur:
		offset += uintptr(f.offset)
	case whence != set:
		return errno(einval)
	}
	if int64(offset) < 0 {
		return errno(einval)
	}
	f.offset = uint64(offset)
	return f.offset
}

// fbDevice is st_rdev of /dev/fb0: major number 29, minor number 0.
const fbDevice = 29 << 8
