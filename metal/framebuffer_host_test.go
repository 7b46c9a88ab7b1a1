//go:build linux && amd64

package metal

import "testing"

// TestPictureTables: every page of a picture is found by its address, nothing behind it is, and a table of 2 MiB is made only where
// a large page does not fit.
func TestPictureTables(t *testing.T) {
	set(t, &noExecute, 0)
	set(t, &bootCore.patEntry, 1)
	const present, writable, writeThrough, large, mib = 1, 2, 8, 128, 1 << 20
	for _, c := range []struct {
		name       string
		base, size uintptr
		linear     bool
		tables     uintptr
	}{
		{"a page", 0xC000_0000, 4096, true, 2},
		{"a byte more", 0xC000_0000, 4097, true, 2},
		{"a large page", 0xC000_0000, 2 * mib, true, 1},
		{"less than two", 0xC000_0000, 4*mib - 4096, true, 2},
		{"two, but for a byte", 0xC000_0000, 4*mib - 1, true, 1},
		{"many, and some", 0xC000_0000, 9*mib + 5000, true, 2},
		{"not aligned", 0xC010_0000, 5 * mib, true, 4},
		{"not aligned, of one table", 0xC000_1000, 2 * mib, true, 2},
		{"the last of all", 0xC000_0000, 1024 * mib, true, 1},
		{"cached", 0xC000_0000, 3 * mib, false, 2},
	} {
		freshDisplay(t)
		giveMemory(t, int(c.tables))
		p := picture{base: c.base, size: c.size, linear: c.linear}
		if !mapPicture(&p) || memoryUse.Used != c.tables*pageSize {
			t.Errorf("%s: %d bytes for tables, want %d pages", c.name, memoryUse.Used, c.tables)
			continue
		}
		end := (c.size + pageSize - 1) &^ (pageSize - 1)
		for offset := uintptr(0); offset < min(end+16*pageSize, 1<<30); offset += pageSize {
			e := *at[uint64](fbDirectory + offset>>21*8)
			want := uint64(present | writable)
			if c.linear {
				want |= writeThrough // the entry of patEntry 1
			}
			switch {
			case offset >= end && e&large == 0 && e != 0:
				e, want = *at[uint64](uintptr(e)&^0xFFF + offset>>12&511*8), 0
			case offset >= end:
				want = 0
			case e&large != 0:
				want |= large | uint64(c.base+offset&^(2<<20-1))
			default:
				e, want = *at[uint64](uintptr(e)&^0xFFF + offset>>12&511*8), want|uint64(c.base+offset)
			}
			if e != want {
				t.Errorf("%s: at %#x the entry is %#x, want %#x", c.name, offset, e, want)
				break
			}
		}
	}
	freshDisplay(t)
	giveMemory(t, 6)
	p := picture{base: 0xC000_0000, size: 64 << 10, linear: true}
	step := func(what string, change func(), used uintptr, ok bool) {
		t.Helper()
		change()
		if got := mapPicture(&p); got != ok || memoryUse.Used != used*pageSize || ok && (fbBase != p.base || fbLinear != p.linear || fbBaseEnd < p.base+p.size) {
			t.Errorf("%s: %v, %d bytes are used, want %v, %d pages", what, got, memoryUse.Used, ok, used)
		}
	}
	step("the first", func() {}, 2, true)
	step("the same", func() {}, 2, true)
	step("a larger one", func() { p.size = 1 << 20 }, 2, true)
	directory := fbDirectory
	step("a smaller one", func() { p.size = 4096 }, 2, true)
	if fbDirectory != directory || fbBaseEnd != 0xC010_0000 {
		t.Error("a picture at the same place has another table")
	}
	step("elsewhere", func() { p.base = 0xD000_0000 }, 4, true)
	step("cached", func() { p.linear = false }, 6, true)
	step("no memory for a directory", func() { p.base = 0xE000_0000 }, 6, false)
	giveMemory(t, 1)
	step("no memory for a table", func() {}, 1, false)
}

// TestScreenInfo: the words of the two structs of linux/fb.h, and what FBIOPUT_VSCREENINFO takes.
func TestScreenInfo(t *testing.T) {
	freshDisplay(t)
	giveMemory(t, 40)
	f := newFirmware(t)
	o := newOutput(f, outputMode(64, 48, efiPixelBGR), outputMode(32, 24, efiPixelRGB), outputMode(24, 32, efiPixelBltOnly), outputMode(8, 8, efiPixelBGR))
	o.broken[3] = true
	display.output, display.entered = address(&o.efiGraphicsOutput), true
	display.picture = picture{width: 64, height: 48, red: 16, green: 8, stride: 512, base: 0x12_3456_7000, size: 512 * 48, linear: true}
	want := [40]uint32{0: 64, 1: 48, 2: 64, 3: 48, 6: 32, 8: 16, 9: 8, 11: 8, 12: 8, 14: 0, 15: 8, 22: 1<<32 - 1, 23: 1<<32 - 1}
	v, x := fixed(t, &[40]uint32{5: 77, 39: 77}), fixed(t, &[20]uint32{19: 77})
	if e := framebufferIoctl(0x4600, address(v)); e != 0 || *v != want {
		t.Errorf("FBIOGET_VSCREENINFO: %d, %v, want %v", e, *v, want)
	}
	constant := [20]uint32{0: 'U' | 'E'<<8 | 'F'<<16 | 'I'<<24, 1: ' ' | 'G'<<8 | 'O'<<16 | 'P'<<24, 4: 0x3456_7000, 5: 0x12, 6: 512 * 48, 9: 2, 12: 512} // FB_VISUAL_TRUECOLOR
	if e := framebufferIoctl(0x4602, address(x)); e != 0 || *x != constant {
		t.Errorf("FBIOGET_FSCREENINFO: %d, %v, want %v", e, *x, constant)
	}
	const xres, yres, xresVirtual, yresVirtual, xoffset, yoffset, bits, activate, test = 0, 1, 2, 3, 4, 5, 6, 21, 2
	for _, c := range []struct {
		name    string
		request uintptr
		change  map[int]uint32
		e       uint64
		calls   []string
	}{
		{"a pan to the picture itself", 0x4606, nil, 0, nil},
		{"a pan to the right", 0x4606, map[int]uint32{xoffset: 1}, einval, nil},
		{"a pan down", 0x4606, map[int]uint32{yoffset: 1}, einval, nil},
		{"a mode of 24 bits", 0x4601, map[int]uint32{bits: 24}, einval, nil},
		{"a wider virtual screen", 0x4601, map[int]uint32{xresVirtual: 65}, einval, nil},
		{"a higher virtual screen", 0x4601, map[int]uint32{yresVirtual: 49}, einval, nil},
		{"an offset to the right", 0x4601, map[int]uint32{xoffset: 1}, einval, nil},
		{"an offset down", 0x4601, map[int]uint32{yoffset: 1}, einval, nil},
		{"no such width", 0x4601, map[int]uint32{xres: 65}, einval, nil},
		{"no such height", 0x4601, map[int]uint32{yres: 49}, einval, nil},
		{"a test of the mode that is set", 0x4601, map[int]uint32{activate: test}, 0, nil},
		{"a test of another mode", 0x4601, map[int]uint32{xres: 24, yres: 32, xresVirtual: 0, yresVirtual: 0, activate: test}, 0, nil},
		{"a test of no mode", 0x4601, map[int]uint32{xres: 25, xresVirtual: 0, yresVirtual: 0, activate: test}, einval, nil},
		{"a test, and flags", 0x4601, map[int]uint32{xres: 32, yres: 24, xresVirtual: 0, yresVirtual: 0, activate: 0xF0 | test}, 0, nil},
		{"the mode that is set", 0x4601, nil, 0, nil},
		{"another mode, not a test", 0x4601, map[int]uint32{xres: 32, yres: 24, xresVirtual: 0, yresVirtual: 0, activate: 3}, 0, []string{"mode 1"}},
		{"a mode that is none", 0x4601, map[int]uint32{xres: 8, yres: 8, xresVirtual: 0, yresVirtual: 0}, einval, []string{"mode 3", "mode 1"}},
		{"no request", 0x4603, nil, enotty, nil},
	} {
		*v = want
		for i, w := range c.change {
			v[i] = w
		}
		before := *v
		e := framebufferIoctl(c.request, address(v))
		if e != errno(c.e) {
			t.Errorf("%s: %d, want errno %d", c.name, int64(e), c.e)
		}
		set := c.request == 0x4601 && c.e == 0 && c.change[activate] != test && c.change[activate] != 0xF0|test
		if !set && *v != before || set && (v[2] != v[0] || v[22] != 1<<32-1 || v[activate] != 0) {
			t.Errorf("%s: the struct is %v, was %v", c.name, *v, before)
		}
		o.did(t, c.name, c.calls...)
	}
	if display.width != 32 || display.base != uintptr(o.base) || fbBase != uintptr(o.base) {
		t.Errorf("the picture is %+v, mapped %#x; the framebuffer is at %#x", display.picture, fbBase, o.base)
	}
	display.entered = false
	*v = want
	if e := framebufferIoctl(0x4601, address(v)); e != errno(ebusy) {
		t.Errorf("a mode while there is text: %d", int64(e))
	}
	display.entered, display.linear, o.bltEnd, display.base = true, false, []uintptr{efiDeviceError}, address(fixed(t, new([64 * 48]uint64)))
	if e := framebufferIoctl(0x4606, address(v)); e != errno(eio) {
		t.Errorf("a pan that the firmware cannot do: %d", int64(e))
	}
}

// TestOpenFramebuffer: the display is the program's from the first descriptor or mapping on, and until none is left.
func TestOpenFramebuffer(t *testing.T) {
	freshDisplay(t)
	giveMemory(t, 40)
	f := newFirmware(t)
	const oDirectory, readWrite = 0x10000, 2
	var opened file
	if e := openFramebuffer(&opened, readWrite); e != enodev {
		t.Errorf("no display: %d", e)
	}
	o := newOutput(f, outputMode(64, 48, efiPixelBGR))
	display.output = address(&o.efiGraphicsOutput)
	for flags, want := range map[uintptr]uint64{oDirectory: enotdir, oDirectory | oCreate | oExclusive: enotdir, oCreate | oExclusive: eexist, oCreate: 0, oExclusive: 0, 1: 0} {
		opened = file{}
		if e := openFramebuffer(&opened, flags); e != want || want == 0 && opened != (file{kind: kindFramebuffer, flags: flags}) || want != 0 && opened != (file{}) {
			t.Errorf("open with %#x: %d, want %d; %+v", flags, e, want, opened)
		}
	}
	if fbOpen != 3 || !display.entered {
		t.Fatalf("%d are open, entered %v", fbOpen, display.entered)
	}
	display.programModeSet = true
	fbMapped = 1
	closeFramebuffer()
	closeFramebuffer()
	closeFramebuffer()
	if fbOpen != 0 || !display.entered || !display.programModeSet {
		t.Error("closed while it is mapped: the display is given back")
	}
	fbMapped, fbOpen = 0, 1
	leaveFramebuffer()
	if !display.entered {
		t.Error("unmapped while it is open: the display is given back")
	}
	redrawn := 0
	replace(t, redrawText, func() { redrawn++ })
	closeFramebuffer()
	if display.entered || display.programModeSet || redrawn != 0 {
		t.Errorf("closed: the display is not given back, or the text that is there was drawn %d times", redrawn)
	}
	display.entered, display.changed = true, true
	if leaveFramebuffer(); redrawn != 1 {
		t.Errorf("a picture is left: the text was drawn %d times", redrawn)
	}
	enterAgain()
	if display.entered {
		t.Error("entered again, though it is not open")
	}
	fbMapped = 1
	if enterAgain(); !display.entered {
		t.Error("mapped, and not entered again")
	}
	restoreGraphics()
	fbMapped, fbOpen = 0, 1
	if enterAgain(); !display.entered {
		t.Error("open, and not entered again")
	}
	o.mode = 0
	restore := display.entered
	display.entered = false
	if e := openFramebuffer(&opened, readWrite); e != enodev || fbOpen != 1 {
		t.Errorf("a display that shows nothing: %d, %d are open", e, fbOpen)
	}
	display.entered, o.mode = restore, address(&o.now)
}

// TestMapFramebuffer: where mappings are, which memory they lead to, and what mmap and munmap refuse.
func TestMapFramebuffer(t *testing.T) {
	freshDisplay(t)
	giveMemory(t, 20)
	const read, write, exec, window, gib = 1, 2, 4, 0x7F00_0000_0000, 1 << 30
	display.picture, display.entered = picture{width: 50, height: 50, stride: 200, size: 10000, base: 0xC000_0000, linear: true}, true
	if !mapPicture(&display.picture) {
		t.Fatal("no memory")
	}
	for fd, f := range map[int]file{10: {kind: kindFramebuffer, flags: 2}, 11: {kind: kindFramebuffer, flags: 0}, 12: {kind: kindFramebuffer, flags: 1}, 13: {kind: kindConsole, flags: 2}} {
		set(t, &files[fd], f)
	}
	for _, c := range []struct {
		name                       string
		n, prot, flags, fd, offset uintptr
		e                          uint64
	}{
		{"no descriptor", 4096, read, mapShared, 14, 0, ebadf},
		{"a terminal", 4096, read, mapShared, 13, 0, enodev},
		{"of a descriptor for writing", 4096, write, mapShared, 12, 0, eacces},
		{"for writing, of one for reading", 4096, read | write, mapShared, 11, 0, eacces},
		{"for executing", 4096, read | exec, mapShared, 10, 0, eacces},
		{"nothing", 0, read, mapShared, 10, 0, einval},
		{"more than all", 12289, read, mapShared, 10, 0, einval},
		{"more than there are addresses", ^uintptr(0), read, mapShared, 10, 0, einval},
		{"an offset in a page", 4096, read, mapShared, 10, 1, einval},
		{"from the end on", 4096, read, mapShared, 10, 12288, einval},
		{"from behind the end on", 4096, read, mapShared, 10, 16384, einval},
		{"over the end", 8193, read, mapShared, 10, 4096, einval},
		{"private", 4096, read, mapPrivate, 10, 0, einval},
		{"private and shared", 4096, read, mapPrivate | mapShared, 10, 0, einval},
		{"neither private nor shared", 4096, read, 0, 10, 0, einval},
		{"at an address", 4096, read, mapShared | mapFixed, 10, 0, einval},
	} {
		if got := mmapFramebuffer(c.n, c.prot, c.flags, c.fd, c.offset); got != errno(c.e) {
			t.Errorf("%s: %#x, want errno %d", c.name, got, c.e)
		}
	}
	if fbMapped != 0 || display.changed {
		t.Errorf("%d mappings of what was refused; changed: %v", fbMapped, display.changed)
	}
	// What is mapped is in a GiB of its own, whose table is the picture's.
	for i, c := range []struct{ n, prot, fd, offset, size uintptr }{
		{12288, read | write, 10, 0, 12288}, {10000, read, 11, 0, 12288}, {1, read, 11, 8192, 4096}, {8192, write, 10, 4096, 8192},
	} {
		start := uintptr(window + i*gib + int(c.offset))
		if got := mmapFramebuffer(c.n, c.prot, mapShared, c.fd, c.offset); got != uint64(start) || fbMapped != i+1 || !display.changed {
			t.Errorf("mapping %d: %#x, want %#x; %d are mapped; changed: %v", i, got, start, fbMapped, display.changed)
		}
		if m := fbMappings[i]; m.start != start || m.end != start+c.size {
			t.Errorf("mapping %d: %#x to %#x, want %#x to %#x", i, m.start, m.end, start, start+c.size)
		}
		if e := entryFor(start, 30); *e != tableEntry(fbDirectory) {
			t.Errorf("mapping %d: the entry is %#x, the picture's table %#x", i, *e, fbDirectory)
		}
		display.changed = false
	}
	for _, a := range []struct {
		address uintptr
		inside  bool
	}{{window - 1, false}, {window, true}, {window + 64*gib - 1, true}, {window + 64*gib, false}} {
		if isFramebuffer(a.address) != a.inside {
			t.Errorf("%#x is in the window: %v", a.address, !a.inside)
		}
	}
	for _, c := range []struct {
		name     string
		start, n uintptr
		e        uint64
	}{
		{"not its beginning", window + gib + 4096, 8192, einval},
		{"less", window + gib, 8192, einval},
		{"more", window + gib, 12289, einval},
		{"what is not mapped", window + 5*gib, 4096, einval},
		{"nothing of what is not mapped", window + 5*gib, 0, einval},
		{"bytes", window + gib, 12287, 0},
		{"twice", window + gib, 12288, einval},
	} {
		if got := munmapFramebuffer(c.start, c.n); got != errno(c.e) {
			t.Errorf("munmap of %s: %#x, want errno %d", c.name, got, c.e)
		}
	}
	if fbMapped != 3 || fbMappings[1].start != 0 || fbMappings[1].end != 0 {
		t.Errorf("%d are mapped, the second is %+v", fbMapped, fbMappings[1])
	}
	// A GiB that has led to another picture is never used again; one that is free is.
	if i := freeMapping(); i != 1 {
		t.Errorf("free is %d, not the second", i)
	}
	old := fbDirectory
	fbDirectory = allocPages(1)
	if i := freeMapping(); i != 4 || fbMappings[4].directory != fbDirectory || fbMappings[1].directory != old {
		t.Errorf("for another picture, %d is free", i)
	}
	for i := range fbMappings {
		fbMappings[i].start, fbMappings[i].directory = 1, 1
	}
	if got := mmapFramebuffer(4096, read, mapShared, 10, 0); got != errno(enomem) || freeMapping() != -1 {
		t.Errorf("one mapping too many: %#x", got)
	}
	fbMappings[63] = fbMapping{}
	allocPages(unallocated() / pageSize)
	rootTable = regions[0].base // of which no entry is used
	zero(rootTable, pageSize)
	if i := freeMapping(); i != -1 || fbMappings[63].directory != 0 {
		t.Errorf("without memory for a table, %d is free", i)
	}
	fbMappings = [maxMappings]fbMapping{{start: window, end: window + 4096}}
	fbMapped, display.entered, display.programModeSet = 1, false, true
	if munmapFramebuffer(window, 4096); display.programModeSet {
		t.Error("the last mapping has gone, and the display is not given back")
	}
}

// TestFramebufferTransfers: what read, write and lseek of the framebuffer return where nothing is moved.
func TestFramebufferTransfers(t *testing.T) {
	freshDisplay(t)
	display.picture = picture{size: 1000}
	for i := range fbMappings {
		fbMappings[i].start = 1 // none is free
	}
	for _, c := range []struct {
		name   string
		flags  uintptr
		n      uintptr
		offset uint64
		out    bool
		want   uint64
	}{
		{"a write of one for reading", 0, 1, 0, true, errno(ebadf)},
		{"a read of one for writing", 1, 1, 0, false, errno(ebadf)},
		{"a write of nothing", 1, 0, 1000, true, 0},
		{"a read of nothing", 2, 0, 0, false, 0},
		{"a read at the end", 0, 1, 1000, false, 0},
		{"a read behind the end", 0, 1, 1001, false, 0},
		{"a write at the end", 2, 1, 1000, true, errno(enospc)},
		{"a write behind the end", 2, 1, 1001, true, errno(efbig)},
		{"a write before the end", 0x8002, 1, 999, true, errno(enomem)},
		{"a read before the end", 0x8000, 1, 999, false, errno(enomem)},
	} {
		if got := fbTransfer(&file{flags: c.flags}, 0, c.n, c.offset, c.out); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, int64(got), int64(c.want))
		}
	}
	for _, c := range []struct {
		offset, whence int
		want           uint64
	}{{7, 0, 7}, {0, 0, 0}, {-1, 0, errno(einval)}, {5, 1, 105}, {-100, 1, 0}, {-101, 1, errno(einval)}, {0, 2, errno(einval)}, {0, 3, errno(einval)}} {
		f := file{offset: 100}
		got := fbSeek(&f, uintptr(c.offset), uintptr(c.whence))
		if want := c.want; got != want || want <= 105 && f.offset != want || want > 105 && f.offset != 100 {
			t.Errorf("lseek(%d, %d): %d, want %d; now at %d", c.offset, c.whence, int64(got), int64(want), f.offset)
		}
	}
}
