package screen

import (
	"encoding/binary"
	"slices"
	"testing"
	"unsafe"

	"bootllama/metal/vt"
)

// TestStructs has the offsets of <linux/fb.h> on 64-bit systems.
func TestStructs(t *testing.T) {
	var v fbVarScreeninfo
	var x fbFixScreeninfo
	for name, c := range map[string][2]uintptr{
		"struct fb_var_screeninfo": {unsafe.Sizeof(v), 160},
		"bits_per_pixel":           {unsafe.Offsetof(v.bitsPerPixel), 24},
		"red":                      {unsafe.Offsetof(v.red), 32},
		"transp":                   {unsafe.Offsetof(v.transp), 68},
		"struct fb_fix_screeninfo": {unsafe.Sizeof(x), 80},
		"smem_len":                 {unsafe.Offsetof(x.smemLen), 24},
		"line_length":              {unsafe.Offsetof(x.lineLength), 48},
		"struct winsize":           {unsafe.Sizeof(winsize{}), 8},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, want %d", name, c[0], c[1])
		}
	}
}

// device returns what a read of /dev/vcs returns.
func device(cols, rows, x, y, visible uint32, cells ...vt.Cell) (b []byte) {
	for _, v := range []uint32{cols, rows, x, y, visible, 7, 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, c := range cells {
		for _, v := range []uint32{uint32(c.Rune), uint32(c.Fg), uint32(c.Bg), uint32(c.Attr)} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return b
}

func TestDecode(t *testing.T) {
	cells := []vt.Cell{{Rune: 'a', Fg: 1, Bg: vt.RGB | 2, Attr: vt.Bold}, plain}
	f := Frame{Cells: make([]vt.Cell, 6)}
	if !f.decode(device(1, 2, 0, 1, 1, cells...)) {
		t.Fatal("refused")
	}
	if f.Cols != 1 || f.Rows != 2 || f.CursorX != 0 || f.CursorY != 1 || !f.CursorVisible || !slices.Equal(f.Cells[:2], cells) {
		t.Errorf("%+v", f)
	}
	if !f.decode(device(2, 1, 1, 0, 0, cells...)) || f.CursorVisible {
		t.Error("the second frame is not as it was read")
	}
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"half a header":     make([]byte, vt.HeaderSize/2),
		"no columns":        device(0, 2, 0, 0, 1, cells...),
		"more than read":    device(3, 1, 0, 0, 1, cells...),
		"more than room":    device(7, 1, 0, 0, 1, slices.Repeat(cells, 4)...),
		"numbers too large": device(1<<31, 1<<31, 0, 0, 1, cells...),
	} {
		if f.decode(b) {
			t.Errorf("%s: taken for a frame", name)
		}
	}
}
