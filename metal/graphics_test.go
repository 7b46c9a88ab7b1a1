//go:build linux && amd64

package metal

import (
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
