//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Of linux/fb.h, as a program has them that does not know metal: 32-bit words of the two structs.
const (
	fbioGetVScreenInfo = 0x4600
	fbioPutVScreenInfo = 0x4601
	fbioGetFScreenInfo = 0x4602
	fbioPanDisplay     = 0x4606

	kdText     = 0 // linux/kd.h
	kdGraphics = 1
)

// framebuffer is an open /dev/fb0.
type framebuffer struct {
	*os.File
	variable [40]uint32 // struct fb_var_screeninfo
	fixed    [20]uint32 // struct fb_fix_screeninfo
	pixels   []byte
}

func openFramebuffer() (*framebuffer, error) {
	f, err := os.OpenFile("/dev/fb0", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b := &framebuffer{File: f}
	return b, errors.Join(b.ioctl(fbioGetVScreenInfo, unsafe.Pointer(&b.variable)), b.ioctl(fbioGetFScreenInfo, unsafe.Pointer(&b.fixed)))
}

func (b *framebuffer) ioctl(request uintptr, argument unsafe.Pointer) error {
	if err := ioctl(int(b.Fd()), request, uintptr(argument)); err != nil {
		return fmt.Errorf("ioctl %#x: %w", request, err)
	}
	return nil
}

func (b *framebuffer) width() int  { return int(b.variable[0]) }
func (b *framebuffer) height() int { return int(b.variable[1]) }
func (b *framebuffer) stride() int { return int(b.fixed[12]) }
func (b *framebuffer) size() int   { return int(b.fixed[6]) }

// set stores a pixel at an offset.
func (b *framebuffer) set(pixels []byte, x int, colour uint32) {
	v := colour >> 16 & 0xFF << b.variable[8]
	v |= colour >> 8 & 0xFF << b.variable[11]
	v |= colour & 0xFF << b.variable[14]
	*(*uint32)(unsafe.Pointer(&pixels[4*x])) = v
}

// testPicture is what the tests compare the screen with: 0xRRGGBB.
func testPicture(x, y, seed int) uint32 {
	return uint32(x*x+3*y*y+x*y*7+seed*99) * 2654435761 >> 8
}

// framebufferTest draws on /dev/fb0:
//
//	fb map        through mmap
//	fb write      through pwrite
//	fb set W H    through mmap, in the mode of a size
//	fb edid W H   through mmap, with a monitor of a size (monitorEntry)
//	fb text       through mmap; before and after it shows its text
//	fb panic      the same, and panics
//	fb cursor     nothing: a screen that is the program's has no text cursor
//	fb none       there is none
//	fb ioctl      what the calls refuse
//	fb ioctl blt  the same, on a display without framebuffer
//
// Each waits for a line on standard input, so that a test can look at the screen.
func framebufferTest(args []string) error {
	if len(args) == 0 {
		return errors.New("which one?")
	}
	if args[0] == "edid" {
		setMonitor(number(args, 1, 0), number(args, 2, 0))
	}
	if args[0] == "ioctl" {
		if err := withoutMode(); err != nil {
			return err
		}
	}
	b, err := openFramebuffer()
	if args[0] == "none" {
		_, statErr := os.Stat("/dev/fb0")
		if !errors.Is(err, syscall.ENODEV) || !errors.Is(statErr, os.ErrNotExist) {
			return fmt.Errorf("open: %v, stat: %v", err, statErr)
		}
		return nil
	}
	if err != nil {
		return err
	}
	info, err := b.Stat()
	named, namedErr := os.Stat("/dev/fb0")
	if err = errors.Join(err, namedErr); err != nil || info.Mode()&os.ModeCharDevice == 0 || named.Mode() != info.Mode() || info.Sys().(*syscall.Stat_t).Rdev != 29<<8 {
		return fmt.Errorf("stat: %v, %v", info, err)
	}
	if args[0] == "set" {
		if err := b.clears(number(args, 1, 0), number(args, 2, 0)); err != nil {
			return err
		}
		b.variable[0], b.variable[1] = uint32(number(args, 1, 0)), uint32(number(args, 2, 0))
		b.variable[2], b.variable[3] = b.variable[0], b.variable[1]
		const height = 22 // in millimetres, which nobody knows
		b.variable[height] = 1
		if err := errors.Join(b.ioctl(fbioPutVScreenInfo, unsafe.Pointer(&b.variable)), b.ioctl(fbioGetFScreenInfo, unsafe.Pointer(&b.fixed))); err != nil {
			return err
		}
		if b.variable[height] != 1<<32-1 {
			return fmt.Errorf("what is set is not what the call returned: %v", b.variable)
		}
	}
	if b.width() == 0 || b.height() == 0 || b.variable[6] != 32 || b.stride() < 4*b.width() || b.size() < b.stride()*b.height() {
		return fmt.Errorf("%v %v", b.variable, b.fixed)
	}
	fmt.Printf("fb: %q %dx%d, %d bytes a row, at %#x\n", (*[8]byte)(unsafe.Pointer(&b.fixed))[:], b.width(), b.height(), b.stride(), uint64(b.fixed[5])<<32|uint64(b.fixed[4]))
	if args[0] == "ioctl" {
		return errors.Join(b.unseen(len(args) > 1), b.refusals())
	}
	keyboard := bufio.NewReader(os.Stdin)
	switch args[0] {
	case "cursor":
		fmt.Println("fb: cursor")
		keyboard.ReadString('\n')
		return b.cursorGoes()
	case "text":
		fmt.Println("fb: text")
		keyboard.ReadString('\n')
	}
	if err := errors.Join(setConsoleMode(kdGraphics), b.draw(args[0] == "write", 1)); err != nil {
		return err
	}
	fmt.Printf("fb: drawn %d %d\n", b.width(), b.height())
	if _, err := keyboard.ReadString('\n'); err != nil {
		return err
	}
	switch args[0] {
	case "panic":
		panic("as asked")
	case "text":
		return b.showText(keyboard)
	}
	return errors.Join(b.close(), setConsoleMode(kdText))
}

// clears checks that what is drawn stays when the mode is set that is there already, and goes with another.
func (b *framebuffer) clears(width, height int) error {
	all, pattern := make([]byte, b.size()), bytes.Repeat([]byte("pixel..."), b.width())
	pattern = pattern[:4*b.width()]
	for _, step := range []struct {
		width, height int
		clear         bool
	}{{b.width(), b.height(), false}, {width, height, true}, {width, height, false}, {b.width(), b.height(), true}} {
		if _, err := b.WriteAt(pattern, 0); err != nil {
			return err
		}
		v := b.variable
		v[0], v[1] = uint32(step.width), uint32(step.height)
		v[2], v[3] = v[0], v[1]
		if err := b.ioctl(fbioPutVScreenInfo, unsafe.Pointer(&v)); err != nil {
			return err
		}
		n, err := b.ReadAt(all, 0)
		if err != nil && err != io.EOF {
			return err
		}
		isClear := len(bytes.Trim(all[:n], "\x00")) == 0
		if kept := bytes.HasPrefix(all, pattern[:4*step.width]); isClear != step.clear || kept == step.clear {
			return fmt.Errorf("a mode of %d by %d: the picture of before has gone: %v, has stayed: %v", step.width, step.height, isClear, kept)
		}
	}
	return nil
}

// cursorGoes checks that KD_GRAPHICS takes the cursor off the screen, which is there from the first wait for a line on.
func (b *framebuffer) cursorGoes() error {
	before, after := make([]byte, b.size()), make([]byte, b.size())
	_, err := b.ReadAt(before, 0)
	if err := errors.Join(err, setConsoleMode(kdGraphics)); err != nil {
		return err
	}
	_, err = b.ReadAt(after, 0)
	const cell = 4 * 8 * 19 // bytes of a character of EDK2's console
	changed := 0
	for i := range after {
		if after[i] != before[i] {
			changed++
		}
	}
	if err := errors.Join(err, setConsoleMode(kdText)); err != nil || changed == 0 || changed > cell {
		return fmt.Errorf("%d bytes of the screen changed: that is no cursor; %v", changed, err)
	}
	return nil
}

// showText goes back to text, with the device still open, and draws the picture again.
func (b *framebuffer) showText(keyboard *bufio.Reader) error {
	if err := setConsoleMode(kdText); err != nil {
		return err
	}
	fmt.Println("fb: text again")
	keyboard.ReadString('\n')
	if err := errors.Join(setConsoleMode(kdGraphics), b.draw(false, 1)); err != nil {
		return err
	}
	fmt.Printf("fb: drawn %d %d\n", b.width(), b.height())
	keyboard.ReadString('\n')
	return nil // without KD_TEXT: that is the kernel's task now
}

func setConsoleMode(mode uintptr) error {
	return os.NewSyscallError("KDSETMODE", ioctl(1, kdSetMode, mode))
}

func (b *framebuffer) close() error {
	if b.pixels != nil {
		if err := syscall.Munmap(b.pixels); err != nil {
			return fmt.Errorf("munmap: %w", err)
		}
	}
	return b.Close()
}

// draw draws the test's picture and shows it.
func (b *framebuffer) draw(byWrite bool, seed int) (err error) {
	if byWrite {
		row := make([]byte, 4*b.width())
		for y := range b.height() {
			for x := range b.width() {
				b.set(row, x, testPicture(x, y, seed))
			}
			if n, err := b.WriteAt(row, int64(y*b.stride())); err != nil || n != len(row) {
				return fmt.Errorf("row %d: %d, %w", y, n, err)
			}
		}
		return nil
	}
	b.pixels, err = syscall.Mmap(int(b.Fd()), 0, b.size(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	for y := range b.height() {
		row := b.pixels[y*b.stride():]
		for x := range b.width() {
			b.set(row, x, testPicture(x, y, seed))
		}
	}
	began := time.Now()
	if err := b.ioctl(fbioPanDisplay, unsafe.Pointer(&b.variable)); err != nil {
		return err
	}
	all := time.Since(began)
	began = time.Now()
	err = b.Sync() // which does the same; nothing has changed
	fmt.Printf("fb: shown in %v, again in %v\n", all, time.Since(began))
	return err
}

// setMonitor makes the EDID of a monitor (VESA E-EDID 1.4, 3.10.2).
func setMonitor(width, height int) {
	copy(edidBlock[:], "\x00\xFF\xFF\xFF\xFF\xFF\xFF\x00")
	copy(edidBlock[54:], []byte{0xFF, 0xFF, byte(width), 0, byte(width >> 8 << 4), byte(height), 0, byte(height >> 8 << 4)})
	for _, v := range edidBlock[:127] {
		edidBlock[127] -= v
	}
	edid[0] = uint64(len(edidBlock))
}

//go:linkname display bootllama/metal.display
var display struct {
	searched bool
	output   *struct {
		queryMode, setMode, blt uintptr
		mode                    *struct { // EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE (UEFI 2.10, 12.9.2)
			_    [2]uint32
			info *struct{ _, horizontalResolution uint32 }
		}
	}
	handle           uintptr
	entered, changed bool
}

// withoutMode opens a display of which the firmware says that it has no columns.
func withoutMode() error {
	if _, err := os.Stat("/dev/fb0"); err != nil { // which finds the display
		return err
	}
	info := display.output.mode.info
	before := info.horizontalResolution
	info.horizontalResolution = 0
	_, err := openFramebuffer()
	info.horizontalResolution = before
	return want("no columns", err, syscall.ENODEV)
}

// unseen writes while the firmware cannot copy to the screen, which only matters on a display without framebuffer.
func (b *framebuffer) unseen(withoutFramebuffer bool) error {
	const deviceError = 7
	display.changed = false
	_, err := b.WriteAt([]byte{1}, 0)
	if err != nil || !display.changed {
		return fmt.Errorf("a write: %w; the screen is said to have changed: %v", err, display.changed)
	}
	pan := func() error { return b.ioctl(fbioPanDisplay, unsafe.Pointer(&b.variable)) }
	for i, call := range []func() error{ // what the first has not shown the others show
		func() error { _, err := b.WriteAt([]byte{2}, 0); return err }, pan, b.Sync,
	} {
		if err := whileFails(display.output.blt, deviceError, call); errors.Is(err, syscall.EIO) != withoutFramebuffer || !withoutFramebuffer && err != nil {
			return fmt.Errorf("call %d, when nothing can be shown: %w", i, err)
		}
	}
	return pan()
}

// refusals checks what the calls refuse, and what else a file does.
func (b *framebuffer) refusals() error {
	fail := func(what string, got error, want syscall.Errno) error {
		if !errors.Is(got, want) || got == nil {
			return fmt.Errorf("%s: %v, want %v", what, got, want)
		}
		return nil
	}
	mapping := func(fd, offset, n, prot, flags int) error {
		p, err := syscall.Mmap(fd, int64(offset), n, prot, flags)
		if err == nil {
			return errors.Join(errors.New("it was mapped"), syscall.Munmap(p))
		}
		return err
	}
	const activate, activateTest = 21, 2
	put := func(words ...uint32) error { // in pairs: which one, and its value
		v := b.variable
		for ; len(words) > 0; words = words[2:] {
			v[words[0]] = words[1]
		}
		return b.ioctl(fbioPutVScreenInfo, unsafe.Pointer(&v))
	}
	const deviceError = 7
	unasked := whileFails(display.output.queryMode, deviceError, func() error { return put(0, 640, 1, 480) })
	pan := b.variable
	pan[5] = 1
	reader, err := os.Open("/dev/fb0")
	if err != nil {
		return err
	}
	defer reader.Close()
	const read, write, shared = syscall.PROT_READ, syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_SHARED
	end := (b.size() + 4095) &^ 4095
	_, seekErr := b.Seek(0, 2)
	_, writeErr := reader.WriteAt([]byte{1}, 0)
	_, farErr := b.WriteAt([]byte{1}, int64(b.size())+1)
	_, fullErr := b.WriteAt([]byte{1}, int64(b.size()))
	_, beforeErr := b.Seek(-1, 0)
	at, onErr := b.Seek(6, 0)
	if onErr == nil {
		at, onErr = b.Seek(-2, 1)
	}
	if onErr != nil || at != 4 {
		return fmt.Errorf("seek on: %d, %w", at, onErr)
	}
	textErr := setConsoleMode(kdText)
	busyErr := put()
	return errors.Join(
		fail("a mode of which the firmware tells nothing", unasked, syscall.EINVAL),
		textErr, fail("a size while there is text", busyErr, syscall.EBUSY), setConsoleMode(kdGraphics), put(activate, activateTest),
		fail("a size that no mode has, to see", put(0, 12345, activate, activateTest), syscall.EINVAL),
		fail("a new one", func() error { _, err := os.OpenFile("/dev/fb0", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); return err }(), syscall.EEXIST),
		fail("a seek before the beginning", beforeErr, syscall.EINVAL),
		fail("a size that no mode has", put(0, 12345), syscall.EINVAL),
		fail("16 bits", put(6, 16), syscall.EINVAL),
		fail("a larger virtual screen", put(3, 100000), syscall.EINVAL),
		fail("a pan", b.ioctl(fbioPanDisplay, unsafe.Pointer(&pan)), syscall.EINVAL),
		fail("an unknown request", b.ioctl(0x4699, unsafe.Pointer(&pan)), syscall.ENOTTY),
		fail("a private mapping", mapping(int(b.Fd()), 0, 4096, write, syscall.MAP_PRIVATE), syscall.EINVAL),
		fail("a mapping of too much", mapping(int(b.Fd()), 0, end+1, write, shared), syscall.EINVAL),
		fail("a mapping behind the end", mapping(int(b.Fd()), end, 4096, write, shared), syscall.EINVAL),
		fail("a mapping for writing of a descriptor for reading", mapping(int(reader.Fd()), 0, 4096, write, shared), syscall.EACCES),
		fail("a mapping of standard input", mapping(0, 0, 4096, read, shared), syscall.ENODEV),
		fail("a mapping of no descriptor", mapping(77, 0, 4096, read, shared), syscall.EBADF),
		fail("a directory", func() error { _, err := os.OpenFile("/dev/fb0", syscall.O_DIRECTORY, 0); return err }(), syscall.ENOTDIR),
		fail("a seek from the end", seekErr, syscall.EINVAL),
		fail("a write without permission", writeErr, syscall.EBADF),
		fail("a write far behind the end", farErr, syscall.EFBIG),
		fail("a write behind the end", fullErr, syscall.ENOSPC),
		b.twoMappings(), b.allMappings(), b.readBack(), reader.Sync())
}

// allMappings maps the framebuffer as often as it can be: then a write has no way to it either. A mapping ends as a whole.
func (b *framebuffer) allMappings() (err error) {
	var all [][]byte
	for {
		p, err := syscall.Mmap(int(b.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			if !errors.Is(err, syscall.ENOMEM) || len(all) == 0 {
				return fmt.Errorf("mapping %d: %w", len(all), err)
			}
			break
		}
		all = append(all, p)
	}
	if _, err := b.WriteAt([]byte{1}, 0); !errors.Is(err, syscall.ENOMEM) {
		return fmt.Errorf("a write beside %d mappings: %w", len(all), err)
	}
	for _, n := range []uintptr{0, 4097} {
		if _, _, e := syscall.Syscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&all[0][0])), n, 0); e != syscall.EINVAL {
			return fmt.Errorf("munmap of %d bytes of 4096: %w", n, e)
		}
	}
	for _, p := range all {
		err = errors.Join(err, syscall.Munmap(p))
	}
	return err
}

// twoMappings maps the framebuffer twice, and often: both show the same bytes, and an address that
// has been given back can be got again.
func (b *framebuffer) twoMappings() error {
	for round := range 200 {
		one, err := syscall.Mmap(int(b.Fd()), 0, b.size(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		two, err := syscall.Mmap(int(b.Fd()), 4096, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		one[4096+round] = byte(round) | 1
		same := two[round] == byte(round)|1
		if err := errors.Join(syscall.Munmap(one), syscall.Munmap(two)); err != nil || !same {
			return fmt.Errorf("round %d: the same in both mappings: %v; munmap: %v", round, same, err)
		}
	}
	return nil
}

// readBack reads what it has written, to the end and no further.
func (b *framebuffer) readBack() error {
	text := []byte("0123456789")
	if n, err := syscall.Pwrite(int(b.Fd()), text, int64(b.size()-4)); n != 4 || err != nil {
		return fmt.Errorf("a write over the end: %d, %w", n, err)
	}
	got := make([]byte, 10)
	if n, _ := b.ReadAt(got, int64(b.size()-4)); n != 4 || string(got[:4]) != "0123" {
		return fmt.Errorf("read back %d bytes, %q", n, got)
	}
	if at, err := b.Seek(8, 0); at != 8 || err != nil {
		return fmt.Errorf("seek: %d, %w", at, err)
	}
	if _, err := b.Write(text[:8]); err != nil {
		return err
	}
	if n, err := b.ReadAt(got[:8], 8); n != 8 || err != nil || string(got[:8]) != "01234567" {
		return fmt.Errorf("read back %d bytes, %q, %w", n, got, err)
	}
	return nil
}
