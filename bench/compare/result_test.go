package main

import (
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	values := []float64{3, 1, 2}
	if median(values); !slices.Equal(values, []float64{3, 1, 2}) {
		t.Error("median has sorted its argument")
	}
	if got := ratios([]float64{4, 9, 1}, []float64{2, 3}); !slices.Equal(got, []float64{2, 3}) {
		t.Error(got)
	}
}

const example = `loading
{"model":"m.bin","threads":2,"simd":"avx512","prefill":{"tokens":250,"tok_s":[9,8],"median":8.5},
"decode":{"tokens":255,"tok_s":[1,2,3],"median":2,"bytes_per_token":1e6,"gb_s":31.5},
"read":{"gb_s":[33,34],"median":33.5},"share":0.93,"token_us":[1,2.5],"load_ms":12}
`

func TestParse(t *testing.T) {
	r, err := parseResult([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if r.SIMD != "avx512" || r.Threads != 2 || r.Prefill.Median != 8.5 || r.Decode != (speed{255, 2, 31.5}) || r.Share != 0.93 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "no such command", `{"model":`, `{"model":"m"}`} {
		if _, err := parseResult([]byte(bad)); err == nil {
			t.Errorf("parseResult(%q): no error", bad)
		}
	}
}
