package llama

import (
	"bytes"
	"testing"
)

// TestBadDescription: what the reader of a format says of a file must fit together before
// anything is read or allocated.
func TestBadDescription(t *testing.T) {
	c := shape(8, 12, 2, 2, 1, 30, 6)
	find := func(h *Header, weight string, layer int) *Tensor {
		for i := range h.Tensors {
			if x := &h.Tensors[i]; x.Weight == weight && x.Layer == layer {
				return x
			}
		}
		t.Fatalf("no %s", weight)
		return nil
	}
	for _, x := range []struct {
		name  string
		group int
		spoil func(h *Header)
		want  string // parts, separated by |
	}{
		{"unknown weight", 0, func(h *Header) { find(h, "wk", 0).Weight = "wz" }, "plain: offset |wk of layer 0|has no wz"},
		{"bias without the flag", 0, func(h *Header) { find(h, "wk", 0).Weight = "bk" }, "has no bk"},
		{"rows", 0, func(h *Header) { find(h, "wk", 0).Rows = 5 }, "wk of layer 0: (5, 8) in layer 0|(4, 8) in 2 layers"},
		{"columns", 0, func(h *Header) { find(h, "wk", 0).Columns = 9 }, "(4, 9) in layer 0"},
		{"bytes", 0, func(h *Header) { h.Tensors[len(h.Tensors)-1].Bytes-- }, "wcls of layer 0: 959 bytes|960"},
		{"layer", 0, func(h *Header) { find(h, "wk", 1).Layer = 2 }, "(4, 8) in layer 2"},
		{"negative layer", 0, func(h *Header) { find(h, "wk", 1).Layer = -1 }, "in layer -1"},
		{"twice", 0, func(h *Header) { find(h, "wk", 1).Layer = 0 }, "wk of layer 0: (4, 8) in layer 0|2 layers, each once"},
		{"missing", 0, func(h *Header) { find(h, "wk", 1).Weight = "" }, "plain: there is no wk for layer 1"},
		{"gap", 0, func(h *Header) { find(h, "wk", 1).Offset++ }, "wk of layer 1: 128 bytes at 1537, where|128 at 1536"},
		{"int8 vector", 4, func(h *Header) { x := find(h, "rms_att_weight", 0); x.Type, x.Group = Int8, 4 }, "rms_att_weight of layer 0: groups of 4"},
		{"int8 and not used", 4, func(h *Header) { find(h, "wk", 1).Weight = "" }, "wk of layer 1: groups of 4"},
		{"no group", 4, func(h *Header) { find(h, "wk", 1).Group = 0 }, "wk of layer 1: groups of 0"},
		{"two groups", 4, func(h *Header) { find(h, "wk", 1).Group = 2 }, "groups of 2 values, where 4 can be"},
		{"group beyond a row", 4, func(h *Header) {
			for i := range h.Tensors {
				if h.Tensors[i].Type == Int8 {
					h.Tensors[i].Group = 16
				}
			}
		}, "groups of 16"},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := plainHeader(c, x.group)
			file := randomWeights(h.Tensors)
			if _, err := Load(bytes.NewReader(file), h, nil); err != nil {
				t.Fatal(err)
			}
			x.spoil(&h)
			_, err := Load(bytes.NewReader(file), h, nil)
			wantError(t, err, x.want)
		})
	}
}

// TestNoTensors: a description of nothing is an error.
func TestNoTensors(t *testing.T) {
	_, err := Load(bytes.NewReader(nil), Header{Name: "m", Config: tinyConfig}, nil)
	wantError(t, err, "m: there is no token_embedding_table for layer 0")
}
