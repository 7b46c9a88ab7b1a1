//go:build linux && amd64

package metal

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

// TestFramebufferLayouts compares structs with the specification (UEFI 2.10, 12.9) and linux/fb.h.
func TestFramebufferLayouts(t *testing.T) {
	var (
		output efiGraphicsOutput
		mode   efiGraphicsOutputMode
		info   efiGraphicsOutputModeInformation
		edid   efiEDID
		v      fbVarScreenInfo
		x      fbFixScreenInfo
	)
	for _, c := range []layout{
		{"GraphicsOutput.QueryMode", unsafe.Offsetof(output.queryMode), 0},
		{"GraphicsOutput.SetMode", unsafe.Offsetof(output.setMode), 8},
		{"GraphicsOutput.Blt", unsafe.Offsetof(output.blt), 16},
		{"GraphicsOutput.Mode", unsafe.Offsetof(output.mode), 24},
		{"GraphicsOutputMode.Mode", unsafe.Offsetof(mode.mode), 4},
		{"GraphicsOutputMode.Info", unsafe.Offsetof(mode.info), 8},
		{"GraphicsOutputMode.FrameBufferBase", unsafe.Offsetof(mode.frameBufferBase), 24},
		{"GraphicsOutputMode.FrameBufferSize", unsafe.Offsetof(mode.frameBufferSize), 32},
		{"GraphicsOutputModeInformation", unsafe.Sizeof(info), 36},
		{"GraphicsOutputModeInformation.HorizontalResolution", unsafe.Offsetof(info.horizontalResolution), 4},
		{"GraphicsOutputModeInformation.PixelFormat", unsafe.Offsetof(info.pixelFormat), 12},
		{"GraphicsOutputModeInformation.PixelInformation", unsafe.Offsetof(info.redMask), 16},
		{"GraphicsOutputModeInformation.PixelInformation.ReservedMask", unsafe.Offsetof(info.reservedMask), 28},
		{"GraphicsOutputModeInformation.PixelsPerScanLine", unsafe.Offsetof(info.pixelsPerScanLine), 32},
		{"EdidActive.Edid", unsafe.Offsetof(edid.data), 8},

		{"fb_bitfield", unsafe.Sizeof(fbBitfield{}), 12},
		{"fb_var_screeninfo", unsafe.Sizeof(v), 160},
		{"fb_var_screeninfo.yres", unsafe.Offsetof(v.yres), 4},
		{"fb_var_screeninfo.xoffset", unsafe.Offsetof(v.xoffset), 16},
		{"fb_var_screeninfo.bits_per_pixel", unsafe.Offsetof(v.bitsPerPixel), 24},
		{"fb_var_screeninfo.red", unsafe.Offsetof(v.red), 32},
		{"fb_var_screeninfo.transp", unsafe.Offsetof(v.transp), 68},
		{"fb_var_screeninfo.activate", unsafe.Offsetof(v.activate), 84},
		{"fb_var_screeninfo.width", unsafe.Offsetof(v.width), 92},
		{"fb_var_screeninfo.pixclock", unsafe.Offsetof(v.pixclock), 100},
		{"fb_var_screeninfo.vmode", unsafe.Offsetof(v.vmode), 132},
		{"fb_var_screeninfo.colorspace", unsafe.Offsetof(v.colorspace), 140},
		{"fb_fix_screeninfo", unsafe.Sizeof(x), 80},
		{"fb_fix_screeninfo.smem_start", unsafe.Offsetof(x.smemStart), 16},
		{"fb_fix_screeninfo.smem_len", unsafe.Offsetof(x.smemLen), 24},
		{"fb_fix_screeninfo.type", unsafe.Offsetof(x.typ), 28},
		{"fb_fix_screeninfo.visual", unsafe.Offsetof(x.visual), 36},
		{"fb_fix_screeninfo.line_length", unsafe.Offsetof(x.lineLength), 48},
		{"fb_fix_screeninfo.mmio_start", unsafe.Offsetof(x.mmioStart), 56},
		{"fb_fix_screeninfo.capabilities", unsafe.Offsetof(x.capabilities), 72},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, the specification says %d", c.name, c.got, c.want)
		}
	}
}

// TestPicture describes modes as firmware may have them.
func TestPicture(t *testing.T) {
	defer func() { regionCount = 0 }()
	regions[0], regionCount = region{base: 64 << 20, size: 512 << 20}, 1
	const base, full = 3 << 30, 4 * 1024 * 768
	mode := efiGraphicsOutputModeInformation{horizontalResolution: 1024, verticalResolution: 768, pixelFormat: efiPixelBGR, pixelsPerScanLine: 1024}
	changed := func(change func(m *efiGraphicsOutputModeInformation)) efiGraphicsOutputModeInformation {
		m := mode
		change(&m)
		return m
	}
	sized := func(width, height uint32) efiGraphicsOutputModeInformation {
		return changed(func(m *efiGraphicsOutputModeInformation) {
			m.horizontalResolution, m.verticalResolution = width, height
		})
	}
	masks := func(red, green, blue, reserved uint32) efiGraphicsOutputModeInformation {
		return changed(func(m *efiGraphicsOutputModeInformation) {
			m.pixelFormat, m.redMask, m.greenMask, m.blueMask, m.reservedMask = efiPixelBitMask, red, green, blue, reserved
		})
	}
	linear := picture{width: 1024, height: 768, red: 16, green: 8, stride: 4096, base: base, size: full, linear: true}
	shadow := picture{width: 1024, height: 768, red: 16, green: 8, stride: 4096, size: full}
	with := func(p picture, change func(p *picture)) picture {
		change(&p)
		return p
	}
	for _, c := range []struct {
		name       string
		mode       efiGraphicsOutputModeInformation
		base, size uintptr
		want       picture
		ok         bool
	}{
		{"BGR", mode, base, full, linear, true},
		{"RGB", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelFormat = efiPixelRGB }), base, full,
			with(linear, func(p *picture) { p.red, p.blue = 0, 16 }), true},
		{"masks", masks(0xFF00, 0xFF0000, 0xFF000000, 0xFF), base, full,
			with(linear, func(p *picture) { p.red, p.green, p.blue = 8, 16, 24 }), true},
		{"a longer row", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelsPerScanLine = 1056 }), base, 4 * 1056 * 768,
			with(linear, func(p *picture) { p.stride, p.size = 4*1056, 4*1056*768 }), true},
		{"above 4 GiB", mode, 1 << 40, full, with(linear, func(p *picture) { p.base = 1 << 40 }), true},
		{"more memory", mode, base, 16 << 20, linear, true},
		{"a reserved bit", masks(0xFF0000, 0xFF00, 0xFF, 1<<24), base, full, linear, true},
		{"red last", masks(0xFF000000, 0xFF00, 0xFF, 0), base, full, with(linear, func(p *picture) { p.red = 24 }), true},
		{"green last", masks(0xFF0000, 0xFF000000, 0xFF, 0), base, full, with(linear, func(p *picture) { p.green = 24 }), true},
		{"blue last", masks(0xFF0000, 0xFF00, 0xFF000000, 0), base, full, with(linear, func(p *picture) { p.blue = 24 }), true},
		{"before the program's memory", mode, 64<<20 - full, full, with(linear, func(p *picture) { p.base = 64<<20 - full }), true},
		{"behind the program's memory", mode, 576 << 20, full, with(linear, func(p *picture) { p.base = 576 << 20 }), true},
		{"the last address", mode, physicalLimit() - full, full, with(linear, func(p *picture) { p.base = physicalLimit() - full }), true},
		{"the longest rows", changed(func(m *efiGraphicsOutputModeInformation) { m.verticalResolution, m.pixelsPerScanLine = 8192, 32768 }), 1 << 33, 1 << 30,
			picture{width: 1024, height: 8192, red: 16, green: 8, stride: 1 << 17, base: 1 << 33, size: 1 << 30, linear: true}, true},

		{"Blt only", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelFormat = 3 }), base, full, shadow, true},
		{"an unknown format", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelFormat = 4 }), base, full, shadow, true},
		{"no address", mode, 0, full, shadow, true},
		{"no page", mode, base + 64, full, shadow, true},
		{"too little memory", mode, base, full - 1, shadow, true},
		{"an address that no memory has", mode, 1 << 60, full, shadow, true},
		{"an end that no memory has", mode, physicalLimit() - pageSize, full, shadow, true},
		{"the program's memory", mode, 65 << 20, full, shadow, true},
		{"into the program's memory", mode, 63 << 20, full, shadow, true},
		{"a shorter row", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelsPerScanLine = 1023 }), base, full, shadow, true},
		{"an endless row", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelsPerScanLine = 1 << 31 }), base, 1 << 62, shadow, true},
		{"masks of 16 bits", masks(0xF800, 0x7E0, 0x1F, 0), base, full, shadow, true},
		{"masks of 24 bits", masks(0xFF0000, 0xFF00, 0xFF, 0), base, full, shadow, true},
		{"masks of 30 bits", masks(0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000), base, full, shadow, true},
		{"one mask twice", masks(0xFF00, 0xFF00, 0xFF, 0xFF000000), base, full, shadow, true},
		{"no masks", masks(0, 0, 0, 0xFFFFFFFF), base, full, shadow, true},
		{"no red", masks(0, 0xFF00, 0xFF, 0xFF000000), base, full, shadow, true},
		{"no green", masks(0xFF0000, 0, 0xFF, 0xFF000000), base, full, shadow, true},
		{"no blue", masks(0xFF0000, 0xFF00, 0, 0xFF000000), base, full, shadow, true},
		{"red as blue", masks(0xFF, 0xFF00, 0xFF, 0xFF000000), base, full, shadow, true},
		{"green as blue", masks(0xFF0000, 0xFF, 0xFF, 0xFF000000), base, full, shadow, true},
		{"a row too long", changed(func(m *efiGraphicsOutputModeInformation) { m.pixelsPerScanLine = 32769 }), base, 1 << 30, shadow, true},

		{"no width", changed(func(m *efiGraphicsOutputModeInformation) { m.horizontalResolution = 0 }), base, full, picture{}, false},
		{"no height", changed(func(m *efiGraphicsOutputModeInformation) { m.verticalResolution = 0 }), base, full, picture{}, false},
		{"the widest", sized(16384, 1), 0, 0, picture{width: 16384, height: 1, red: 16, green: 8, stride: 65536, size: 65536}, true},
		{"the highest", sized(1, 8192), 0, 0, picture{width: 1, height: 8192, red: 16, green: 8, stride: 4, size: 32768}, true},
		{"the largest", sized(16384, 8192), 0, 0, picture{width: 16384, height: 8192, red: 16, green: 8, stride: 65536, size: 512 << 20}, true},
		{"too wide", sized(16385, 1), 0, 0, picture{}, false},
		{"too high", sized(1, 8193), 0, 0, picture{}, false},
		{"far too high", sized(1024, 1<<32-1), 0, 0, picture{}, false},
	} {
		got, ok := newPicture(&c.mode, c.base, c.size)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v, want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// TestPreferredSize reads EDID as monitors have it, and as broken ones.
func TestPreferredSize(t *testing.T) {
	monitor := func(change func(b []byte)) []byte {
		b := make([]byte, 256)
		copy(b, "\x00\xFF\xFF\xFF\xFF\xFF\xFF\x00")
		// 3840x2160 at 533.25 MHz: 3840+160 and 2160+62 pixels.
		copy(b[54:], []byte{0x4D, 0xD0, 0x00, 0xA0, 0xF0, 0x70, 0x3E, 0x80, 0x30, 0x20, 0x35, 0, 0, 0, 0, 0, 0, 0x1A})
		sum := byte(0)
		for _, v := range b[:128] {
			sum += v
		}
		b[127] -= sum
		if change != nil {
			change(b)
		}
		return b
	}
	sized := func(n int, v byte) func(b []byte) { // changes a byte, and the sum with it
		return func(b []byte) { b[127] += b[n] - v; b[n] = v }
	}
	for _, c := range []struct {
		name          string
		edid          []byte
		size          uintptr
		width, height uint32
	}{
		{"a monitor", monitor(nil), 256, 3840, 2160},
		{"one block", monitor(nil), 128, 3840, 2160},
		{"1366x768", monitor(func(b []byte) { sized(56, 0x56)(b); sized(58, 0x50)(b); sized(59, 0)(b); sized(61, 0x30)(b) }), 128, 1366, 768},
		{"less than a block", monitor(nil), 127, 0, 0},
		{"nothing", monitor(nil), 0, 0, 0},
		{"a wrong sum", monitor(func(b []byte) { b[60]++ }), 128, 0, 0},
		{"another beginning", monitor(sized(1, 0)), 128, 0, 0},
		{"only the upper byte of a clock", monitor(sized(54, 0)), 128, 3840, 2160},
		{"only the lower byte of a clock", monitor(sized(55, 0)), 128, 3840, 2160},
		{"bits of stereo", monitor(sized(54+17, 0x7F)), 128, 3840, 2160},
		{"no timing", monitor(func(b []byte) { sized(54, 0)(b); sized(55, 0)(b) }), 128, 0, 0},
		{"interlaced", monitor(sized(54+17, 0x9A)), 128, 0, 0},
	} {
		if w, h := preferredSize(uintptr(unsafe.Pointer(&c.edid[0])), c.size); w != c.width || h != c.height {
			t.Errorf("%s: %dx%d, want %dx%d", c.name, w, h, c.width, c.height)
		}
	}
	if w, h := preferredSize(0, 128); w != 0 || h != 0 {
		t.Errorf("no EDID: %dx%d", w, h)
	}
}

// testOutput is a graphics output of a firmware. Its framebuffer is at 3 GiB, and 16 MiB higher after each SetMode.
type testOutput struct {
	efiGraphicsOutput
	now    efiGraphicsOutputMode
	modes  []efiGraphicsOutputModeInformation
	hidden map[uint32]bool // QueryMode fails
	broken map[uint32]bool // SetMode sets it, but to no size
	bltEnd []uintptr       // statuses that Blt returns
	calls  []string        // of SetMode and Blt
	base   uint64          // of the framebuffer
}

// newOutput makes an output that is in the first of its modes.
func newOutput(f *testFirmware, modes ...efiGraphicsOutputModeInformation) *testOutput {
	o := &testOutput{modes: modes, hidden: map[uint32]bool{}, broken: map[uint32]bool{}, base: 3 << 30}
	own := func(a []uintptr) {
		if a[0] != address(&o.efiGraphicsOutput) {
			f.t.Errorf("another output: %#x", a)
		}
	}
	show := func(n uint32) {
		o.now.mode, o.now.info, o.now.sizeOfInfo, o.now.frameBufferBase, o.now.frameBufferSize = n, address(&o.modes[n]), 36, o.base, 16<<20
		if o.broken[n] {
			o.now.info = address(fixed(f.t, &efiGraphicsOutputModeInformation{}))
		}
	}
	o.mode, o.now.maxMode = address(&o.now), uint32(len(modes))
	if len(modes) > 0 {
		show(0)
	}
	o.queryMode = f.service(func(a ...uintptr) uintptr {
		own(a)
		if int(a[1]) >= len(o.modes) || o.hidden[uint32(a[1])] {
			return efiInvalidParameter
		}
		words := make([]uintptr, 5) // 36 bytes
		*at[efiGraphicsOutputModeInformation](address(&words[0])) = o.modes[a[1]]
		*at[uintptr](a[2]), *at[uintptr](a[3]) = 36, f.pool(words)
		return efiSuccess
	})
	o.setMode = f.service(func(a ...uintptr) uintptr {
		own(a)
		o.calls = append(o.calls, fmt.Sprint("mode ", a[1]))
		if int(a[1]) >= len(o.modes) {
			return efiUnsupported
		}
		o.base += 16 << 20
		show(uint32(a[1]))
		return efiSuccess
	})
	o.blt = f.service(func(a ...uintptr) uintptr {
		own(a)
		if a[1] != display.base {
			f.t.Errorf("Blt from %#x, the picture is at %#x", a[1], display.base)
		}
		o.calls = append(o.calls, fmt.Sprint("blt ", a[2:]))
		if len(o.bltEnd) == 0 {
			return efiSuccess
		}
		status := o.bltEnd[0]
		o.bltEnd = o.bltEnd[1:]
		return status
	})
	return o
}

// did compares the calls of SetMode and Blt since the last time.
func (o *testOutput) did(t *testing.T, what string, want ...string) {
	t.Helper()
	if !slices.Equal(o.calls, want) {
		t.Errorf("%s: the firmware was called for %q, want %q", what, o.calls, want)
	}
	o.calls = nil
}

func outputMode(width, height, format uint32) efiGraphicsOutputModeInformation {
	return efiGraphicsOutputModeInformation{horizontalResolution: width, verticalResolution: height, pixelFormat: format, pixelsPerScanLine: width}
}

const efiPixelBltOnly = 3

// freshDisplay forgets the display, now and at the end of the test.
func freshDisplay(t *testing.T) {
	forget := func() {
		display.searched, display.output, display.handle, display.entered, display.changed, display.programModeSet = false, 0, 0, false, false, false
		display.shadow, display.shadowSize, display.shadowShown, display.picture = 0, 0, false, picture{}
		fbOpen, fbMapped, fbMappings, fbDirectory, fbBase, fbBaseEnd, fbLinear = 0, 0, [maxMappings]fbMapping{}, 0, 0, 0, false
	}
	forget()
	t.Cleanup(forget)
}

// TestFindDisplay: of several outputs, the one before which the person sits, or ConOut's, which draws on all.
func TestFindDisplay(t *testing.T) {
	const conOutHandle = 0x50
	linear, blt := outputMode(64, 48, efiPixelBGR), outputMode(64, 48, efiPixelBltOnly)
	type output struct {
		handle  uintptr
		mode    efiGraphicsOutputModeInformation
		console bool // a part of ConOut
	}
	for _, c := range []struct {
		name    string
		outputs []output
		want    uintptr // handle
	}{
		{"none", nil, 0},
		{"one", []output{{0x10, linear, false}}, 0x10},
		{"one without framebuffer", []output{{0x10, blt, false}}, 0x10},
		{"one that shows nothing", []output{{0x10, outputMode(0, 48, efiPixelBGR), false}}, 0},
		{"two", []output{{0x10, linear, false}, {0x20, linear, false}}, 0x10},
		{"two, the second with a framebuffer", []output{{0x10, blt, false}, {0x20, linear, false}}, 0x20},
		{"two, the first shows nothing", []output{{0x10, outputMode(64, 0, efiPixelBGR), true}, {0x20, blt, false}}, 0x20},
		{"the console has none", []output{{0x10, linear, false}, {0x20, blt, true}}, 0x20},
		{"the console has one", []output{{0x10, linear, true}, {0x20, linear, false}}, 0x10},
		{"the console, and ConOut", []output{{0x10, linear, true}, {conOutHandle, blt, false}}, 0x10},
		{"ConOut, marked as its own part, and a console", []output{{conOutHandle, blt, true}, {0x60, blt, true}}, 0x60},
		{"two consoles, and ConOut", []output{{0x10, linear, true}, {conOutHandle, blt, false}, {0x60, linear, true}}, conOutHandle},
		{"two consoles", []output{{0x10, blt, true}, {0x20, linear, true}}, 0x20},
		{"only ConOut", []output{{conOutHandle, blt, false}}, 0},
		{"only ConOut, with a framebuffer", []output{{conOutHandle, linear, false}}, conOutHandle},
		{"ConOut with a framebuffer, and another", []output{{0x10, linear, false}, {conOutHandle, linear, false}}, 0x10},
	} {
		t.Run(c.name, func(t *testing.T) {
			freshDisplay(t)
			f := newFirmware(t)
			f.table.consoleOutHandle = conOutHandle
			want := uintptr(0)
			for _, o := range c.outputs {
				made := newOutput(f, o.mode)
				if o.handle == c.want {
					want = address(&made.efiGraphicsOutput)
				}
				f.install(o.handle, graphicsOutputGUID, address(&made.efiGraphicsOutput))
				if o.console {
					f.install(o.handle, consoleOutDeviceGUID, 0)
				}
			}
			if found := hasDisplay(); found != (c.want != 0) || display.output != want || display.handle != c.want {
				t.Errorf("found %v, handle %#x, want %#x; output %#x, want %#x", found, display.handle, c.want, display.output, want)
			}
			f.boot.locateHandleBuffer = 0
			if found := hasDisplay(); found != (c.want != 0) {
				t.Errorf("asked again: %v", found)
			}
		})
	}
	freshDisplay(t)
	f := newFirmware(t)
	f.install(0x10, graphicsOutputGUID, 0)
	o := newOutput(f)
	o.mode = 0
	f.install(0x20, graphicsOutputGUID, address(&o.efiGraphicsOutput))
	o = newOutput(f)
	f.install(0x30, graphicsOutputGUID, address(&o.efiGraphicsOutput))
	if hasDisplay() {
		t.Error("outputs without an interface, a mode, or what it is, are one")
	}
}

// TestDisplayModes enters graphics in every way, with modes that work and that do not, and leaves it.
func TestDisplayModes(t *testing.T) {
	freshDisplay(t)
	f := newFirmware(t)
	o := newOutput(f, outputMode(64, 48, efiPixelBGR), outputMode(128, 96, efiPixelBltOnly), outputMode(128, 96, efiPixelRGB), outputMode(32, 24, efiPixelBGR),
		outputMode(100, 50, efiPixelBltOnly), outputMode(64, 96, efiPixelBGR), outputMode(128, 48, efiPixelBGR), outputMode(256, 192, efiPixelBGR), outputMode(512, 8, efiPixelBGR), outputMode(128, 96, efiPixelRGB))
	o.broken[7], o.hidden[8] = true, true
	display.output, display.handle = address(&o.efiGraphicsOutput), 0x10

	for _, c := range []struct {
		width, height, mode uint32
		found               bool
	}{{64, 48, 0, true}, {128, 96, 2, true}, {32, 24, 3, true}, {100, 50, 4, true}, {96, 128, 0, false}, {128, 24, 0, false}, {512, 8, 0, false}, {0, 0, 0, false}} {
		if n, found := findMode(c.width, c.height); n != c.mode || found != c.found {
			t.Errorf("%dx%d: mode %d, %v, want %d, %v", c.width, c.height, n, found, c.mode, c.found)
		}
	}
	o.now.maxMode = 3
	if n, found := findMode(32, 24); found {
		t.Errorf("mode %d of 3 was found", n)
	}
	asked := 0
	query := o.queryMode
	o.queryMode, o.now.maxMode = f.service(func(...uintptr) uintptr { asked++; return efiDeviceError }), 1<<32-1
	if _, found := findMode(64, 48); found || asked != 4096 {
		t.Errorf("of 2^32 modes that are none, %d were asked for; found %v", asked, found)
	}
	o.queryMode, o.now.maxMode = query, uint32(len(o.modes))

	for _, c := range []struct {
		name          string
		width, height int // of the monitor
		set           int // the mode that the program had, if it is not 0
		pages         int // that are free
		e             uint64
		calls         []string
		mode          uint32 // in the end
	}{
		{"a monitor of unknown size", 0, 0, 0, 9, 0, nil, 0},
		{"a monitor of the same size", 64, 48, 0, 9, 0, nil, 0},
		{"a smaller monitor", 32, 24, 0, 9, 0, nil, 0},
		{"a larger monitor", 128, 96, 0, 99, 0, []string{"mode 2"}, 2},
		{"a higher monitor", 64, 96, 0, 9, 0, []string{"mode 5"}, 5},
		{"a wider monitor", 128, 48, 0, 9, 0, []string{"mode 6"}, 6},
		{"a monitor without a mode", 1000, 1000, 0, 9, 0, nil, 0},
		{"a mode that is none", 256, 192, 0, 9, 0, []string{"mode 7", "mode 0"}, 0},
		{"a mode that the program had", 128, 96, 3, 9, 0, []string{"mode 3"}, 3},
		{"a mode that the program had, and is gone", 0, 0, 99, 9, 0, []string{"mode 99"}, 0},
		{"no memory", 0, 0, 0, 0, enomem, nil, 0},
		{"no memory for another mode", 128, 96, 0, 0, enomem, []string{"mode 2", "mode 0"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			giveMemory(t, c.pages)
			fbDirectory, display.picture = 0, picture{}
			block := fixed(t, new([128]byte))
			copy(block[:], "\x00\xFF\xFF\xFF\xFF\xFF\xFF\x00")
			copy(block[54:], []byte{1, 0, byte(c.width), 0, byte(c.width >> 8 << 4), byte(c.height), 0, byte(c.height >> 8 << 4)})
			for _, b := range block[:127] {
				block[127] -= b
			}
			edid := efiEDID{size: 128, data: address(block)}
			f.install(0x10, edidActiveGUID, address(fixed(t, &edid)))
			display.programMode, display.programModeSet, display.changed, display.firmwareMode = uint32(c.set), c.set != 0, true, 55
			e := enterGraphics()
			o.did(t, c.name, c.calls...)
			if e != c.e || display.entered != (e == 0) || display.programModeSet != (e == 0) || display.changed != (len(c.calls) > 0) || display.firmwareMode != 0 {
				t.Errorf("error %d, want %d; entered %v, a mode to come back to %v, changed %v", e, c.e, display.entered, display.programModeSet, display.changed)
			}
			if want, _ := currentPicture(display.output); o.now.mode != c.mode || e == 0 && (display.picture != want || want.width != o.modes[c.mode].horizontalResolution) {
				t.Errorf("mode %d, want %d; picture %+v, want %+v", o.now.mode, c.mode, display.picture, want)
			}
			if e != 0 {
				return
			}
			display.firmwareMode = 77
			if e := enterGraphics(); e != 0 || display.firmwareMode != 77 {
				t.Errorf("entered twice: %d, or it was done again", e)
			}
			display.firmwareMode = 0
			if changed := restoreGraphics(); changed != (len(c.calls) > 0) || display.entered || display.programMode != c.mode {
				t.Errorf("left: changed %v, entered %v, the program had mode %d", changed, display.entered, display.programMode)
			}
			if c.mode == 0 {
				o.did(t, "leave")
			} else {
				o.did(t, "leave", "mode 0")
			}
			display.changed = true
			if restoreGraphics() {
				t.Error("left twice")
			}
			o.did(t, "leave twice")
		})
	}
	o.broken[0], o.broken[2], display.programModeSet = true, true, false
	if e := enterGraphics(); e != einval || display.entered { // for the monitor of the last case
		t.Errorf("modes of which none shows anything: %d", e)
	}
	o.now.info = 0
	if e := enterGraphics(); e != enodev || display.entered {
		t.Errorf("a display that shows nothing: %d", e)
	}
}

// TestMonitorSize: a monitor's EDID may have been overridden, or be known though it is not active.
func TestMonitorSize(t *testing.T) {
	block := fixed(t, new([128]byte))
	copy(block[:], "\x00\xFF\xFF\xFF\xFF\xFF\xFF\x00")
	copy(block[54:], []byte{1, 0, 200, 0, 0, 100, 0, 0})
	for _, b := range block[:127] {
		block[127] -= b
	}
	some, none := fixed(t, &efiEDID{size: 128, data: address(block)}), fixed(t, &efiEDID{})
	for _, c := range []struct {
		active, discovered *efiEDID
		width, height      uint32
	}{{some, nil, 200, 100}, {some, none, 200, 100}, {nil, some, 200, 100}, {none, some, 200, 100}, {nil, nil, 0, 0}, {none, nil, 0, 0}, {none, none, 0, 0}} {
		f := newFirmware(t)
		set(t, &display.handle, 0x30)
		if c.active != nil {
			f.install(0x30, edidActiveGUID, address(c.active))
		}
		if c.discovered != nil {
			f.install(0x30, edidDiscoveredGUID, address(c.discovered))
		}
		if w, h := monitorSize(); w != c.width || h != c.height {
			t.Errorf("active %v, discovered %v: %dx%d, want %dx%d", c.active, c.discovered, w, h, c.width, c.height)
		}
	}
}

// TestShadow: memory for a picture that the firmware copies is as large as its largest mode, and black in a new mode.
func TestShadow(t *testing.T) {
	freshDisplay(t)
	giveMemory(t, 24)
	use := func(width, height uint32, pages uintptr, kept bool) {
		t.Helper()
		info := outputMode(width, height, efiPixelBltOnly)
		p, _ := newPicture(&info, 0, 0)
		shadow := display.shadow
		if e := usePicture(p); e != 0 {
			t.Fatalf("%dx%d: error %d", width, height, e)
		}
		if memoryUse.Used != pages*pageSize || display.shadowShown || display.width != width || display.height != height || display.base != display.shadow || display.linear {
			t.Errorf("%dx%d: %d bytes are used, want %d pages; %+v", width, height, memoryUse.Used, pages, display.picture)
		}
		pixels := unsafe.Slice(at[byte](display.base), p.size)
		black := !bytes.ContainsFunc(pixels, func(r rune) bool { return r != 0 })
		if black == kept || kept && shadow != display.shadow {
			t.Errorf("%dx%d: black %v, what was there should be kept: %v", width, height, black, kept)
		}
		for i := range unsafe.Slice(at[byte](display.base), display.shadowSize) {
			*at[byte](display.base + uintptr(i)) = 'x'
		}
		display.shadowShown = true
	}
	use(64, 48, 3+2, false) // and two tables
	use(64, 48, 5, true)
	use(64, 24, 5, false)
	use(32, 24, 5, false)
	use(64, 49, 5+4+2, false) // elsewhere, for there is no room for another row
	use(64, 49, 11, true)
	pauses := 0
	replaceAssembly(t, pause, func() { // what is in use by another core becomes free
		pauses++
		memoryLock = 0
	})
	info := outputMode(64, 60, efiPixelBltOnly)
	black, _ := newPicture(&info, 0, 0)
	info.pixelFormat = efiPixelBGR
	linear, _ := newPicture(&info, 3<<30, 1<<30)
	for what, do := range map[string]func(){
		"a shadow": func() { makeShadow(&black) }, "tables": func() { usePicture(linear) }, "a mapping": func() { freeMapping() },
	} {
		giveMemory(t, 20)
		memoryLock, pauses = 1, 0
		if do(); memoryLock != 0 || pauses != 1 {
			t.Errorf("%s: the lock of memory is %d, waited for %d times", what, memoryLock, pauses)
		}
	}
	for pages := range 4 { // one for the picture, two for tables
		freshDisplay(t)
		giveMemory(t, pages)
		info := outputMode(64, 16, efiPixelBltOnly)
		p, _ := newPicture(&info, 0, 0)
		if e := usePicture(p); (e == enomem) != (pages < 3) || (display.width == 64) != (pages == 3) {
			t.Errorf("with %d pages of memory: error %d, %+v", pages, e, display.picture)
		}
	}
}

// TestShow: what has changed is copied to the screen, and nothing else; what could not be copied is, the next time.
func TestShow(t *testing.T) {
	for _, width := range []int{7, 8} { // rows of half a word more, and of whole words
		showRows(t, width)
	}
}

func showRows(t *testing.T, width int) {
	freshDisplay(t)
	f := newFirmware(t)
	o := newOutput(f, outputMode(uint32(width), 6, efiPixelBltOnly))
	pixels, stride := fixed(t, new([48]uint32)), 4*width
	display.output, display.entered, display.changed = address(&o.efiGraphicsOutput), true, false
	display.picture = picture{width: uint32(width), height: 6, stride: uintptr(stride), size: uintptr(6 * stride), base: address(pixels)}
	pixel := func(x, y int) *uint32 { return at[uint32](display.base + uintptr(stride*y+4*x)) }
	show := func(what string, want uint64, calls ...string) {
		t.Helper()
		if e := showPicture(); e != want {
			t.Errorf("%s: error %d, want %d", what, e, want)
		}
		o.did(t, what, calls...)
	}
	blt := func(y, rows int) string { // EfiBltBufferToVideo, from and to 0 and y (12.9.2.3)
		return fmt.Sprintf("blt [2 0 %d 0 %[1]d %d %d %d]", y, width, rows, stride)
	}
	show("at first", 0, blt(0, 6))
	if !display.changed {
		t.Error("what was on the screen is not said to be gone")
	}
	show("nothing", 0)
	*pixel(0, 1), *pixel(6, 2), *pixel(3, 5) = 1, 1, 1
	show("some rows", 0, blt(1, 2), blt(5, 1))
	for y := range 6 {
		for x := range width {
			for bit := range 32 {
				*pixel(x, y) ^= 1 << bit
				show(fmt.Sprintf("bit %d of %d, %d", bit, x, y), 0, blt(y, 1))
			}
		}
	}
	*pixel(1, 3) ^= 1 << 31 // the highest bits of two words, which only add to something else
	*pixel(3, 3) ^= 1 << 31
	show("two pixels", 0, blt(3, 1))
	o.bltEnd = []uintptr{efiDeviceError}
	*pixel(0, 0), *pixel(0, 2) = 77, 77
	show("a failure", eio, blt(0, 1), blt(2, 1))
	show("after a failure", 0, blt(0, 6))
	*pixel(0, 0) = 78
	display.entered = false
	show("not entered", 0)
	display.entered, display.linear = true, true
	show("a framebuffer", 0)
}
