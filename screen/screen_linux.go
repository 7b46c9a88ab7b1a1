package screen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"bootllama/metal/vt"
)

// A Screen is the machine's screen while this package draws it.
type Screen struct {
	display *Display
	device  int // /dev/fb0, open
	memory  []byte
	mode    fbVarScreeninfo
	console int        // /dev/tty, open
	mu      sync.Mutex // drawing, and being stopped
	stopped bool
}

// Names and numbers of Linux: <linux/fb.h>, <linux/kd.h>, <asm-generic/ioctls.h>.
const (
	fbiogetVscreeninfo = 0x4600
	fbiogetFscreeninfo = 0x4602
	fbiopanDisplay     = 0x4606
	kdsetmode          = 0x4B3A
	kdText             = 0
	kdGraphics         = 1
	tiocswinsz         = 0x5414
)

// fbVarScreeninfo is struct fb_var_screeninfo.
type fbVarScreeninfo struct {
	xres, yres, xresVirtual, yresVirtual, xoffset, yoffset uint32
	bitsPerPixel, grayscale                                uint32
	red, green, blue, transp                               fbBitfield
	_                                                      [20]uint32
}

type fbBitfield struct{ offset, length, msbRight uint32 }

// fbFixScreeninfo is struct fb_fix_screeninfo.
type fbFixScreeninfo struct {
	_          [16]byte // id
	_          uint64   // smem_start
	smemLen    uint32
	kind       uint32
	_          uint32 // type_aux
	visual     uint32
	_          [3]uint16 // xpanstep, ypanstep, ywrapstep
	lineLength uint32
	_          uint64    // mmio_start
	_          [2]uint32 // mmio_len, accel
	_          [3]uint16
}

type winsize struct{ row, col, xpixel, ypixel uint16 }

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func setMode(fd int, mode uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), kdsetmode, mode); errno != 0 {
		return errno
	}
	return nil
}

// Start takes the screen, gives the terminal the size of this package's cells, and draws in a goroutine of its own until Stop.
// An error says why the screen stays as it is.
func Start(o Options) (s *Screen, err error) {
	s = &Screen{device: -1, console: -1}
	defer func() {
		if err != nil {
			s.release()
			s = nil
		}
	}()
	if s.device, err = syscall.Open("/dev/fb0", syscall.O_RDWR|syscall.O_CLOEXEC, 0); err != nil {
		return s, fmt.Errorf("screen: there is no framebuffer: %w", &os.PathError{Op: "open", Path: "/dev/fb0", Err: err})
	}
	fb, err := s.mapFramebuffer()
	if err != nil {
		return s, err
	}
	if s.console, err = syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_CLOEXEC, 0); err != nil {
		return s, &os.PathError{Op: "open", Path: "/dev/tty", Err: err}
	}
	if err = setMode(s.console, kdGraphics); err != nil {
		return s, os.NewSyscallError("screen: KDSETMODE", err)
	}
	if s.display, err = New(fb, o); err == nil {
		err = s.begin()
	}
	if err != nil {
		return s, errors.Join(err, s.text())
	}
	return s, nil
}

// Size returns how many characters are in a line, and how many lines there are.
func (s *Screen) Size() (cols, rows int) { return s.display.Size() }

// mapFramebuffer asks what the framebuffer is like and maps it.
func (s *Screen) mapFramebuffer() (fb Framebuffer, err error) {
	var fixed fbFixScreeninfo
	if err := ioctl(s.device, fbiogetVscreeninfo, unsafe.Pointer(&s.mode)); err != nil {
		return fb, os.NewSyscallError("screen: FBIOGET_VSCREENINFO", err)
	}
	if err := ioctl(s.device, fbiogetFscreeninfo, unsafe.Pointer(&fixed)); err != nil {
		return fb, os.NewSyscallError("screen: FBIOGET_FSCREENINFO", err)
	}
	m := &s.mode
	if m.bitsPerPixel != 32 {
		return fb, fmt.Errorf("screen: pixels of %d bits, not 32", m.bitsPerPixel)
	}
	field := func(b fbBitfield) Field { return Field{b.offset, b.length} }
	fb = Framebuffer{
		Width: int(m.xres), Height: int(m.yres), Stride: int(fixed.lineLength),
		Red: field(m.red), Green: field(m.green), Blue: field(m.blue),
	}
	s.memory, err = syscall.Mmap(s.device, 0, int(fixed.smemLen), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return fb, os.NewSyscallError("screen: mmap of /dev/fb0", err)
	}
	fb.Pix = s.memory
	return fb, nil
}

// begin gives the terminal its size and starts to draw.
func (s *Screen) begin() error {
	cols, rows := s.display.Size()
	w := winsize{uint16(rows), uint16(cols), uint16(s.mode.xres), uint16(s.mode.yres)}
	if err := ioctl(s.console, tiocswinsz, unsafe.Pointer(&w)); err != nil {
		return os.NewSyscallError("screen: TIOCSWINSZ", err)
	}
	cells, err := syscall.Open("/dev/vcs", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/vcs", Err: err}
	}
	s.pan()
	go s.draw(cells, make([]byte, vt.HeaderSize+cols*rows*vt.CellSize))
	return nil
}

// pan shows what was drawn where the mapped memory is not the screen's own.
func (s *Screen) pan() error { return ioctl(s.device, fbiopanDisplay, unsafe.Pointer(&s.mode)) }

// While text streams, a picture is drawn 60 times in a second at most, and large ones so rarely that drawing takes no more
// than a fifth of the time of one processor: the others compute what is to be shown.
const (
	shortestFrame = time.Second / 60
	restPerWork   = 4
)

// draw draws the terminal's cells each time they have changed. It allocates nothing but pictures of new characters, since
// the collector may be off.
func (s *Screen) draw(cells int, buf []byte) {
	defer syscall.Close(cells)
	f := Frame{Cells: make([]vt.Cell, (len(buf)-vt.HeaderSize)/vt.CellSize)}
	for {
		n, err := syscall.Pread(cells, buf, 0) // waits until something has changed
		if err == syscall.EINTR {
			continue
		}
		began := time.Now()
		if err != nil || !s.drawOnce(&f, buf[:n]) {
			return
		}
		took := time.Since(began)
		time.Sleep(max(shortestFrame-took, restPerWork*took))
	}
}

// drawOnce draws one state of the cells; false: nothing is drawn any more.
func (s *Screen) drawOnce(f *Frame, read []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	if f.decode(read) && !s.display.Draw(f).Empty() {
		s.pan()
	}
	return true
}

// decode takes what a read of /dev/vcs returned. It is false for a size that f has no room for: the terminal was resized.
func (f *Frame) decode(b []byte) bool {
	if len(b) < vt.HeaderSize {
		return false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i*4:]) }
	cols, rows := int(word(0)), int(word(1))
	if cols < 1 || rows < 1 || cols > vt.MaxCells || rows > vt.MaxCells || cols*rows > min(len(f.Cells), (len(b)-vt.HeaderSize)/vt.CellSize) {
		return false
	}
	f.Cols, f.Rows, f.CursorX, f.CursorY, f.CursorVisible = cols, rows, int(word(2)), int(word(3)), word(4) != 0
	b = b[vt.HeaderSize:]
	for i := range f.Cells[:cols*rows] {
		f.Cells[i] = vt.Cell{Rune: rune(word(0)), Fg: vt.Color(word(1)), Bg: vt.Color(word(2)), Attr: vt.Attr(word(3))}
		b = b[vt.CellSize:]
	}
	return true
}

// Stop gives the screen back to the kernel, which shows the text with the firmware's console. It may be called twice.
func (s *Screen) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	err := s.text()
	s.release()
	return err
}

// text gives the screen back to the kernel, and with it the terminal the size that it had.
func (s *Screen) text() error {
	return os.NewSyscallError("screen: KDSETMODE", setMode(s.console, kdText))
}

// release unmaps and closes what is open. Errors would change nothing.
func (s *Screen) release() {
	if s.memory != nil {
		syscall.Munmap(s.memory)
	}
	for _, fd := range []int{s.device, s.console} {
		if fd >= 0 {
			syscall.Close(fd)
		}
	}
}
