//go:build linux && amd64

package metal

// The display: EFI_GRAPHICS_OUTPUT_PROTOCOL (12.9). framebuffer.go makes /dev/fb0 of it.

const (
	bytesPerPixel  = 4
	maxWidth       = 16384
	maxHeight      = 8192
	maxOutputModes = 4096
)

// picture says how the pixels of a mode, of 32 bits each, lie in memory.
type picture struct {
	width, height    uint32
	red, green, blue uint32  // where the eight bits of a colour begin in a pixel
	stride           uintptr // bytes from a row to the next one
	base, size       uintptr // physical memory; base is 0 until there is some
	linear           bool    // that memory is what is shown; if not, showPicture copies it there
}

// display is the graphics output that a person sees.
var display struct {
	searched bool
	output   uintptr // *efiGraphicsOutput; 0: there is none
	handle   uintptr // on which it is

	entered      bool   // a program uses it, and restoreGraphics has to be called
	changed      bool   // what was on the screen is gone
	firmwareMode uint32 // before the program came

	programMode    uint32 // what it had when it gave the display back,
	programModeSet bool   // if it uses it still

	shadow, shadowSize uintptr // physical memory for modes that are not linear
	shadowShown        bool    // shadowRows are those of the screen
	shadowRows         [maxHeight]uint64

	picture
}

// hasDisplay finds the display at the first call.
func hasDisplay() bool {
	if !display.searched {
		display.searched = true
		findDisplay()
	}
	return display.output != 0
}

var handleCount uintptr

// findDisplay chooses among the graphics outputs. EDK2 has one for each display with a monitor,
// and one on ConOut's handle (ConSplitter) that draws on all which are consoles; the latter has
// no framebuffer, no EDID, and exists also where there is no display at all. So the console's
// own display is the best, if there is exactly one; if there are several, nobody knows before
// which the person sits, and ConOut's output serves all.
func findDisplay() {
	const byProtocol = 2
	if firmware(bootServices().locateHandleBuffer, byProtocol, address(&graphicsOutputGUID), 0, address(&handleCount), address(&firmwareResult)) != efiSuccess {
		return
	}
	buffer, best, consoles := firmwareResult, 0, 0
	common := uintptr(0) // ConOut's
	for i := range handleCount {
		handle := *at[uintptr](buffer + i*8)
		output := handleProtocol(handle, &graphicsOutputGUID)
		p, ok := currentPicture(output)
		rank := 1
		if p.linear {
			rank++
		}
		switch {
		case !ok:
			continue
		case handle == systemTable().consoleOutHandle:
			common = output
			if !p.linear {
				continue
			}
		case hasProtocol(handle, &consoleOutDeviceGUID):
			consoles++
			rank += 2
		}
		if rank > best {
			best, display.output, display.handle = rank, output, handle
		}
	}
	if consoles > 1 && common != 0 {
		display.output, display.handle = common, systemTable().consoleOutHandle
	}
	firmware(bootServices().freePool, buffer)
}

// hasProtocol says whether a protocol is on a handle, also one without functions.
func hasProtocol(handle uintptr, id *guid) bool {
	return openProtocol(handle, id) == efiSuccess
}

// currentPicture describes the mode that an output has; ok is false if it has none, or one that
// no display can have.
func currentPicture(output uintptr) (p picture, ok bool) {
	if output == 0 || at[efiGraphicsOutput](output).mode == 0 {
		return p, false
	}
	mode := at[efiGraphicsOutputMode](at[efiGraphicsOutput](output).mode)
	if mode.info == 0 {
		return p, false
	}
	return newPicture(at[efiGraphicsOutputModeInformation](mode.info), uintptr(mode.frameBufferBase), mode.frameBufferSize)
}

// newPicture describes a mode whose framebuffer is said to be at an address. A framebuffer is
// used only if it has pixels of 32 bits with eight for each colour, begins at a page, and is
// where memory of devices can be: a pixel format of 16 or 24 bits would be a case that no
// program is tested with.
func newPicture(info *efiGraphicsOutputModeInformation, base, size uintptr) (p picture, ok bool) {
	p.width, p.height = info.horizontalResolution, info.verticalResolution
	if p.width == 0 || p.height == 0 || p.width > maxWidth || p.height > maxHeight {
		return p, false
	}
	p.stride = uintptr(info.pixelsPerScanLine) * bytesPerPixel
	p.size = p.stride * uintptr(p.height)
	p.base = base
	p.linear = p.setColours(info) && info.pixelsPerScanLine >= p.width && info.pixelsPerScanLine <= 2*maxWidth &&
		base != 0 && base%pageSize == 0 && size >= p.size && p.size <= maxPicture &&
		base < physicalLimit() && p.size <= physicalLimit()-base && !overlapsRegions(base, p.size)
	if !p.linear { // EFI_GRAPHICS_OUTPUT_BLT_PIXEL: blue, green, red, reserved
		p.base, p.stride = 0, uintptr(p.width)*bytesPerPixel
		p.size = p.stride * uintptr(p.height)
		p.red, p.green, p.blue = 16, 8, 0
	}
	return p, true
}

// setColours finds the colours in a pixel (EFI_GRAPHICS_PIXEL_FORMAT); false if a pixel has
// not 32 bits, or a colour not eight.
func (p *picture) setColours(info *efiGraphicsOutputModeInformation) bool {
	switch info.pixelFormat {
	case efiPixelRGB:
		p.red, p.green, p.blue = 0, 8, 16
		return true
	case efiPixelBGR:
		p.red, p.green, p.blue = 16, 8, 0
		return true
	case efiPixelBitMask:
		all := info.redMask | info.greenMask | info.blueMask | info.reservedMask
		p.red, p.green, p.blue = byteOfMask(info.redMask), byteOfMask(info.greenMask), byteOfMask(info.blueMask)
		return all>>24 != 0 && p.red < 32 && p.green < 32 && p.blue < 32 && p.red != p.green && p.red != p.blue && p.green != p.blue
	}
	return false
}

// byteOfMask returns where the byte that a mask covers begins; 32 if it covers none.
func byteOfMask(mask uint32) uint32 {
	for n := uint32(0); n < 32; n += 8 {
		if mask == 0xFF<<n {
			return n
		}
	}
	return 32
}

// overlapsRegions says whether any of n bytes at a physical address is memory of the program.
func overlapsRegions(start, n uintptr) bool {
	for i := range regionCount {
		if r := &regions[i]; start < r.base+r.size && r.base < start+n {
			return true
		}
	}
	return false
}

// enterGraphics prepares the display for a program. If the monitor has more pixels than the
// firmware's mode, and the firmware has a mode for all of them, that one is set. A program that
// comes back gets the mode that it had.
func enterGraphics() (e uint64) {
	if display.entered {
		return 0
	}
	p, ok := currentPicture(display.output)
	if !ok {
		return enodev
	}
	display.firmwareMode = displayMode().mode
	display.changed = false
	e = einval
	width, height := monitorSize()
	switch {
	case display.programModeSet:
		e = setDisplayMode(display.programMode)
	case width > p.width || height > p.height:
		e = setDisplaySize(width, height)
	}
	if e != 0 { // p is from before a mode was tried
		if p, ok = currentPicture(display.output); ok {
			e = usePicture(p)
		}
	}
	display.entered, display.programModeSet = e == 0, e == 0
	return e
}

func displayMode() *efiGraphicsOutputMode {
	return at[efiGraphicsOutputMode](at[efiGraphicsOutput](display.output).mode)
}

// setDisplaySize sets the mode of a size; EINVAL if there is none that works, and then the
// mode is as before.
func setDisplaySize(width, height uint32) (e uint64) {
	n, found := findMode(width, height)
	if !found {
		return einval
	}
	return setDisplayMode(n)
}

func setDisplayMode(n uint32) (e uint64) {
	old := displayMode().mode
	e = einval
	if n == old || setOutputMode(n) {
		if p, ok := currentPicture(display.output); ok {
			e = usePicture(p)
		}
	}
	if e != 0 && displayMode().mode != old && setOutputMode(old) {
		if p, ok := currentPicture(display.output); ok {
			usePicture(p)
		}
	}
	return e
}

func setOutputMode(n uint32) bool {
	display.changed = true
	return firmware(at[efiGraphicsOutput](display.output).setMode, display.output, uintptr(n)) == efiSuccess
}

// findMode finds the mode of a size: one with a framebuffer rather than one without.
func findMode(width, height uint32) (mode uint32, found bool) {
	g := at[efiGraphicsOutput](display.output)
	limit := min(displayMode().maxMode, maxOutputModes)
	for n := range limit {
		if firmware(g.queryMode, display.output, uintptr(n), address(&infoSize), address(&firmwareResult)) != efiSuccess {
			continue
		}
		buffer := firmwareResult
		info := *at[efiGraphicsOutputModeInformation](buffer)
		firmware(bootServices().freePool, buffer)
		if info.horizontalResolution != width || info.verticalResolution != height {
			continue
		}
		mode, found = n, true
		var p picture
		if p.setColours(&info) {
			break
		}
	}
	return mode, found
}

var infoSize uintptr // where QueryMode stores the size of its result

// usePicture makes a mode, which has been set, the one of /dev/fb0.
func usePicture(p picture) (e uint64) {
	if !p.linear {
		if e = makeShadow(&p); e != 0 {
			return e
		}
	}
	acquire(&memoryLock)
	mapped := mapPicture(&p)
	release(&memoryLock)
	if !mapped {
		return enomem
	}
	display.picture = p
	return 0
}

// makeShadow finds memory for a picture without framebuffer. Its contents are black, unless
// they are of a picture of the same size.
func makeShadow(p *picture) (e uint64) {
	if display.shadowSize < p.size {
		acquire(&memoryLock)
		shadow := allocPages((p.size + pageSize - 1) / pageSize)
		release(&memoryLock)
		if shadow == 0 {
			return enomem
		}
		display.shadow, display.shadowSize = shadow, p.size
	}
	if p.width != display.width || p.height != display.height {
		zero(display.shadow, p.size)
	}
	p.base, display.shadowShown = display.shadow, false
	return 0
}

// showPicture shows what a program has drawn. Where there is a framebuffer, it is there already.
// Else the rows that differ from those shown last are copied by Blt. A row is known by a hash of
// 64 bits: to keep what is shown would take as much memory as the picture.
func showPicture() (e uint64) {
	if display.linear || !display.entered {
		return 0
	}
	display.changed = true
	first := uint32(0) // of the rows that have changed and are not yet shown
	for y := range display.height + 1 {
		if y < display.height && rowChanged(y) {
			continue
		}
		if first < y {
			if failed := blt(first, y-first); failed != 0 {
				e = failed
			}
		}
		first = y + 1
	}
	display.shadowShown = e == 0
	return e
}

// rowChanged says whether a row differs from what is shown, and notes it as shown.
func rowChanged(y uint32) bool {
	h := uint64(14695981039346656037)
	p := display.base + uintptr(y)*display.stride
	end := p + display.stride
	for ; p+8 <= end; p += 8 {
		h = (h ^ *at[uint64](p)) * 0x9E3779B97F4A7C15
		h ^= h >> 32
	}
	if p < end {
		h = (h ^ uint64(*at[uint32](p))) * 0x9E3779B97F4A7C15
	}
	changed := !display.shadowShown || display.shadowRows[y] != h
	display.shadowRows[y] = h
	return changed
}

// blt copies rows to the screen.
func blt(y, rows uint32) (e uint64) {
	const bufferToVideo = 2
	return statusErrno(firmware(at[efiGraphicsOutput](display.output).blt, display.output, display.base, bufferToVideo,
		0, uintptr(y), 0, uintptr(y), uintptr(display.width), uintptr(rows), display.stride))
}

// restoreGraphics gives the display back to the firmware, in its mode, and says whether the
// screen may show something else than text. It does nothing if no program has used the display.
// EDK2's text console (GraphicsConsoleDxe) does not notice that another has set a mode, and
// draws where it would in its own.
func restoreGraphics() (changed bool) {
	if !display.entered {
		return false
	}
	display.entered = false
	if display.programMode = displayMode().mode; display.programMode != display.firmwareMode {
		setOutputMode(display.firmwareMode)
	}
	return display.changed
}

// monitorSize is the size in pixels that the display's monitor has; 0 if it is not known.
func monitorSize() (width, height uint32) {
	edid := handleProtocol(display.handle, &edidActiveGUID)
	if edid == 0 || at[efiEDID](edid).size == 0 {
		edid = handleProtocol(display.handle, &edidDiscoveredGUID)
	}
	if edid == 0 {
		return 0, 0
	}
	return preferredSize(at[efiEDID](edid).data, uintptr(at[efiEDID](edid).size))
}

// preferredSize reads the first detailed timing of n bytes of EDID, which is the one that the
// monitor prefers (VESA E-EDID 1.4, 3.10.2); 0 if there is none.
func preferredSize(edid, n uintptr) (width, height uint32) {
	const block, magic, timing = 128, 0x00FFFFFFFFFFFF00, 54
	if edid == 0 || n < block || *at[uint64](edid) != magic {
		return 0, 0
	}
	sum := byte(0)
	for i := range uintptr(block) {
		sum += *at[byte](edid + i)
	}
	t := at[[18]byte](edid + timing)
	if sum != 0 || t[0] == 0 && t[1] == 0 { // without a pixel clock it is no timing
		return 0, 0
	}
	if interlaced := t[17]&0x80 != 0; interlaced {
		return 0, 0
	}
	return uint32(t[2]) | uint32(t[4]>>4)<<8, uint32(t[5]) | uint32(t[7]>>4)<<8
}
