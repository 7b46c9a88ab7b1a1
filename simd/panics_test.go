package simd

import (
	"fmt"
	"strings"
	"testing"

	"bootllama/quant"
)

// TestPanics: a call is refused, in the package's name, whichever of its slices is one value too short, and whichever of
// its numbers cannot be. Slices that are long enough are taken.
func TestPanics(t *testing.T) {
	const tokens, n, rows, columns, group, groups = 3, 9, 40, 7, 5, 2
	f32 := func(n int) []float32 { return make([]float32, n) }
	for _, k := range All() {
		for _, c := range []struct {
			name    string
			lengths []int // of the slices that call makes
			numbers []int // the others
			bad     [][]int
			call    func(l, n []int)
		}{
			{"MatMulF32", []int{2*50 + rows, 2*11 + n, 330 + TileF32*n}, []int{50, 11, tokens, n, 330, rows},
				[][]int{{rows - 1, 11, tokens, n, 330, rows}, {50, n - 1, tokens, n, 330, rows}, {50, 11, tokens, n, TileF32*n - 1, rows}, {-50, 11, tokens, n, 330, rows}, {50, -11, tokens, n, 330, rows}},
				func(l, n []int) { k.MatMulF32(f32(l[0]), n[0], f32(l[1]), n[1], n[2], n[3], f32(l[2]), n[4], n[5]) }},
			{"MatMulF16", []int{2*50 + rows, 2*11 + n, 330 + TileF32*n}, []int{50, 11, tokens, n, 330, rows},
				[][]int{{rows - 1, 11, tokens, n, 330, rows}, {50, n - 1, tokens, n, 330, rows}, {50, 11, tokens, n, TileF32*n - 1, rows}, {-50, 11, tokens, n, 330, rows}, {50, -11, tokens, n, 330, rows}},
				func(l, n []int) {
					k.MatMulF16(f32(l[0]), n[0], f32(l[1]), n[1], n[2], n[3], make([]uint16, l[2]), n[4], n[5])
				}},
			{"GemmF32", []int{(rows-1)*10 + columns, (rows-1)*13 + (n-1)*2 + 1, (n-1)*8 + columns}, []int{10, 13, 2, 8, rows, n, columns},
				[][]int{{columns - 1, 13, 2, 8, rows, n, columns}, {10, 0, 2, 8, rows, n, columns}, {10, 13, 0, 8, rows, n, columns}, {10, 13, 2, 0, rows, n, columns}},
				func(l, n []int) {
					k.GemmF32(f32(l[0]), n[0], f32(l[1]), n[1], n[2], f32(l[2]), n[3], n[4], n[5], n[6], true)
				}},
			{"MatMulInt8", []int{2*50 + rows, 2*20 + groups*8, 2*3 + groups, 3 * groups * 16 * 12}, []int{50, 20, 3, tokens, groups, group, rows},
				[][]int{{rows - 1, 20, 3, tokens, groups, group, rows}, {50, 15, 3, tokens, groups, group, rows}, {50, 20, 1, tokens, groups, group, rows}, {50, 20, 3, tokens, groups, 0, rows}, {50, 20, 3, tokens, groups, -5, rows}},
				func(l, n []int) {
					k.MatMulInt8(f32(l[0]), n[0], make([]int8, l[1]), n[1], make([]Group, l[2]), n[2], n[3], n[4], n[5], make([]uint8, l[3]), n[6])
				}},
			{"RMSNorm", []int{9, 9, 9}, nil, nil, func(l, _ []int) { k.RMSNorm(f32(l[0]), f32(l[1]), f32(l[2]), 1) }},
			{"SwiGLU", []int{9, 9}, nil, nil, func(l, _ []int) { k.SwiGLU(f32(l[0]), f32(l[1])) }},
			{"Rotate", []int{24, 4, 4}, nil, nil, func(l, _ []int) { k.Rotate(f32(l[0]), f32(l[1]), f32(l[2])) }},
			{"RotateHalves", []int{24, 4, 4}, nil, nil, func(l, _ []int) { k.RotateHalves(f32(l[0]), f32(l[1]), f32(l[2])) }},
			{"Quantize", []int{16, 2, 10}, []int{group}, [][]int{{0}, {-1}, {6}},
				func(l, n []int) { k.Quantize(make([]int8, l[0]), make([]Group, 2), f32(l[2]), n[0]) }},
			{"Add", []int{9, 9}, nil, nil, func(l, _ []int) { k.Add(f32(l[0]), f32(l[1])) }},
			{"Argmax", []int{1}, nil, nil, func(l, _ []int) { k.Argmax(f32(l[0])) }},
			{"PackF32", []int{96 * columns, 4 * 33 * columns}, []int{32, columns}, [][]int{{-32, columns}, {31, columns}, {33, columns}, {32, 0}, {32, -1}, {64, columns}},
				func(l, n []int) { PackF32(f32(l[0]), make([]byte, l[1]), n[0], n[1]) }},
			{"RowF32", []int{64 * columns, columns}, []int{32}, [][]int{{-1}, {64}},
				func(l, n []int) { RowF32(f32(columns), f32(l[0]), n[0]) }},
			{"PackInt8", []int{3 * groups * 16 * 12, 17 * 11}, []int{16, 11, groups, group},
				[][]int{{-16, 11, groups, group}, {15, 11, groups, group}, {17, 11, groups, group}, {16, 9, groups, group}, {16, 11, 0, group}, {16, 11, groups, 0}, {16, 0, groups, group}, {32, 11, groups, group}},
				func(l, n []int) { PackInt8(make([]uint8, l[0]), make([]byte, l[1]), n[0], n[1], n[2], n[3]) }},
			{"PackScales", []int{3 * groups * 16 * 12, 4 * (33*11/5 - 16*11/5)}, []int{16, 17, 11, groups, group},
				[][]int{{-1, 17, 11, groups, group}, {16, -1, 11, groups, group}, {16, 18, 11, groups, group}, {16, 33, 11, groups, group}, {16, 17, 9, groups, group}, {16, 17, 11, 0, group}, {16, 17, 11, groups, 0}},
				func(l, n []int) { PackScales(make([]uint8, l[0]), make([]byte, l[1]), n[0], n[1], n[2], n[3], n[4]) }},
			{"RowInt8", []int{2 * groups * 16 * 12, groups * group}, []int{31, group}, [][]int{{-1, group}, {32, group}, {31, 0}, {31, 3}, {31, -1}},
				func(l, n []int) { RowInt8(f32(l[1]), make([]uint8, l[0]), n[0], n[1]) }},
			{"Pack", []int{2 * 2368, 17 * 144}, []int{0, 256}, [][]int{{-16, 256}, {15, 256}, {16, 256}, {0, 0}, {0, 255}, {0, -256}},
				func(l, n []int) { FormatOf(quant.Q4_K).Pack(make([]uint8, l[0]), make([]byte, l[1]), n[0], n[1]) }},
			{"Row", []int{2 * 2368}, []int{31, 256}, [][]int{{-1, 256}, {32, 256}, {31, 255}},
				func(l, n []int) { FormatOf(quant.Q4_K).Row(f32(n[1]), make([]uint8, l[0]), n[0]) }},
			{"MatMul", []int{2*50 + rows, 2*270 + 256, 3 * 8, 3 * 8, 3 * 2368, FormatOf(quant.Q4_K).Scratch(256, tokens)}, []int{50, 270, tokens, 256, rows},
				[][]int{{rows - 1, 270, tokens, 256, rows}, {50, 255, tokens, 256, rows}, {50, 270, tokens, 255, rows}, {50, 270, tokens, 32, rows}},
				func(l, n []int) {
					x := &Activations{N: n[3], Size: 32, Q: make([]int8, l[1]), QStride: n[1], Groups: make([]Group, l[2]), Sums: f32(l[3])}
					FormatOf(quant.Q4_K).MatMul(k, f32(l[0]), n[0], x, n[2], make([]uint8, l[4]), n[4], make([]byte, l[5]))
				}},
			{"SetRowF32", []int{64 * columns}, []int{32}, [][]int{{-1}, {64}}, func(l, n []int) { SetRowF32(f32(l[0]), f32(columns), n[0]) }},
			{"SetColumnF32", []int{64 * columns}, []int{columns - 1, columns}, [][]int{{-1, columns}, {columns, columns}, {columns, columns + 1}},
				func(l, n []int) { SetColumnF32(f32(l[0]), f32(33), n[0], n[1]) }},
			{"SetRowF16", []int{64 * columns}, []int{32}, [][]int{{-1}, {64}}, func(l, n []int) { SetRowF16(make([]uint16, l[0]), f32(columns), n[0]) }},
			{"SetColumnF16", []int{64 * columns}, []int{columns - 1, columns}, [][]int{{-1, columns}, {columns, columns}, {columns, columns + 1}},
				func(l, n []int) { SetColumnF16(make([]uint16, l[0]), f32(33), n[0], n[1]) }},
		} {
			call := func(lengths, numbers []int) (message string) {
				defer func() {
					if v := recover(); v != nil {
						message = fmt.Sprint(v)
					}
				}()
				c.call(lengths, numbers)
				return ""
			}
			if got := call(c.lengths, c.numbers); got != "" {
				t.Errorf("%s %s, as it should be called: %s", k.Name, c.name, got)
			}
			refused := func(what string, i int, lengths, numbers []int) {
				if got := call(lengths, numbers); !strings.HasPrefix(got, "simd: "+c.name+":") {
					t.Errorf("%s %s, %s %d: panic %q", k.Name, c.name, what, i, got)
				}
			}
			for i := range c.lengths {
				short := append([]int(nil), c.lengths...)
				if short[i]--; c.name == "Quantize" && i == 1 || c.name == "RowF32" && i == 1 {
					continue // it says how many there are
				}
				refused("short slice", i, short, c.numbers)
			}
			for i, numbers := range c.bad {
				refused("numbers", i, c.lengths, numbers)
			}
		}
	}
}
