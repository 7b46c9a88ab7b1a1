package bench_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/bench"
	"bootllama/internal/run"
)

const (
	model     = "../../testdata/random.bin"
	modelInt8 = "../../testdata/random-q8.bin"
)

func runMain(args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = run.Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// TestBench: all that was asked for was measured, in both forms of the report.
func TestBench(t *testing.T) {
	status, out, errs := runMain("bench", model, "--threads", "3", "--prefill", "20", "--decode", "12", "--rounds", "3", "--json")
	var r bench.Report
	if err := json.Unmarshal([]byte(out), &r); status != 0 || errs != "" || err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("status %d, %q, %q, %v", status, out, errs, err)
	}
	if r.Model != "random.bin" || r.Threads != 3 || r.SIMD == "" || !(r.LoadMS > 0) ||
		r.Prefill.Tokens != 20 || r.Decode.Tokens != 12 || len(r.TokenUS) != 12 || len(r.Prefill.TokS) != 3 || len(r.Decode.TokS) != 3 || len(r.Read.GBS) != 3 {
		t.Errorf("%+v", r)
	}
	var sum float64
	for _, us := range r.TokenUS {
		sum += us
	}
	if speed := r.Decode.TokS[2]; !(math.Abs(speed*sum/1e6-12) < 1e-6) {
		t.Errorf("%g tokens per second, but 12 tokens took %g us", speed, sum)
	}
	// The model's 300 x 8 classifier and two layers, rows filled up to 32: see Header.Memory;
	// and the keys and values of 20 + 6 positions.
	layer := (8*32*2 + 2*8*32 + 2*8*32 + 12*32) * 4
	if want := int64(320*8*4 + 2*layer + 26*8*2*4); r.Decode.BytesPerToken != want {
		t.Errorf("%d bytes a token, want %d", r.Decode.BytesPerToken, want)
	}
	for _, v := range slices.Concat(r.Prefill.TokS, r.Decode.TokS, r.Read.GBS, r.TokenUS, []float64{r.Prefill.Median, r.Decode.Median, r.Decode.GBS, r.Read.Median, r.Share}) {
		if !(v > 0) {
			t.Fatalf("a speed of %g: %+v", v, r)
		}
	}
	// The same as int8 in groups of 4, rows filled up to 16: 5 bytes a group, and a scale.
	status, out, errs = runMain("bench", modelInt8, "--prefill", "20", "--decode", "12", "--rounds", "1", "--json")
	r = bench.Report{}
	err := json.Unmarshal([]byte(out), &r)
	layer = 16*8*2*3 + 16*8*2 + 2*16*8*2 + 16*12*2
	if want := int64(304*8*2 + 2*layer + 26*8*2*4); status != 0 || err != nil || r.Decode.BytesPerToken != want {
		t.Errorf("int8: %d bytes a token, want %d; status %d, %q, %v", r.Decode.BytesPerToken, want, status, errs, err)
	}
	status, out, errs = runMain("bench", "--prefill", "0", model, "--rounds=1")
	if status != 0 || errs != "" || strings.Contains(out, "prefill") || strings.Count(out, "\n") != 4 || !strings.Contains(out, "decode     64 tokens") {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

// TestGuesses: the same with guesses, and what a pass takes, also where the context has no room for a long one.
func TestGuesses(t *testing.T) {
	for _, c := range []struct{ prefill, decode, passes string }{{"20", "40", "5"}, {"54", "10", "4"}, {"63", "1", "1"}} {
		status, out, errs := runMain("bench", model, "--prefill", c.prefill, "--decode", c.decode, "--rounds", "3", "--lookup", "15", "--json")
		var r bench.Report
		if err := json.Unmarshal([]byte(out), &r); status != 0 || errs != "" || err != nil || r.Guesses == nil {
			t.Fatalf("status %d, %q, %q, %v", status, out, errs, err)
		}
		l := r.Guesses
		if l.By != "lookup" || l.Most != 15 || len(l.TokS) != 3 || !(slices.Min(l.TokS) > 0) || !(l.Median > 0) || !(l.TokensPerPass >= 1) ||
			strconv.Itoa(len(l.Passes)) != c.passes || l.Passes[0] != 1 || !(slices.Min(l.Passes) > 0) {
			t.Errorf("%+v", l)
		}
	}
	status, out, errs := runMain("bench", model, "--rounds", "1", "--lookup", "3")
	if status != 0 || errs != "" || strings.Count(out, "\n") != 7 || !strings.Contains(out, "\nguesses ") || !strings.Contains(out, "guesses by lookup: ") || !strings.Contains(out, " tokens a pass of this text; a pass of 1, 2, 4, 8, 16 tokens takes [1.00 ") {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

// TestDraft: with a draft, whose guesses are as they are, wrong, or right in part; a text that is not the model's would be a panic.
func TestDraft(t *testing.T) {
	for _, right := range []string{"", "--right=0", "--right=0.5", "--right=1"} {
		args := append([]string{"bench", model, "--draft", "../../testdata/random-q8.bin", "--prefill", "3", "--decode", "60", "--rounds", "2", "--json"}, strings.Fields(right)...)
		status, out, errs := runMain(args...)
		var r bench.Report
		if err := json.Unmarshal([]byte(out), &r); status != 0 || errs != "" || err != nil || r.Guesses == nil {
			t.Fatalf("%s: status %d, %q, %q, %v", right, status, out, errs, err)
		}
		if g := r.Guesses; g.By != "random-q8.bin" || g.Most != 15 || len(g.TokS) != 2 || !(slices.Min(g.TokS) > 0) || !(g.TokensPerPass >= 1) || right == "--right=0" && g.TokensPerPass != 1 {
			t.Errorf("%s: %+v", right, g)
		}
	}
	status, out, errs := runMain("bench", model, "--draft", "../../models/tales.bin")
	if status != 1 || out != "" || !strings.Contains(errs, "tales.bin has 1024 tokens, and the model 300") {
		t.Errorf("another vocabulary: status %d, %q, %q", status, out, errs)
	}
}

func TestBenchUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"bench", ""}, "MODEL is empty"},
		{[]string{"bench", model, model}, "one MODEL, not 2"},
		{[]string{"bench", model, "--rounds", "0"}, "at least one"},
		{[]string{"bench", model, "--prefill", "60", "--decode", "5"}, "exceed the model's context of 64"},
		{[]string{"bench", model, "--lookup", "16"}, "not a whole number from 0 to 15"},
		{[]string{"bench", model, "--right", "0.5"}, "--right is for the guesses of a --draft"},
		{[]string{"bench", model, "--right", "2", "--draft", model}, "0 to 1"},
		{[]string{"bench", model, "--decode", "0"}, "at least one token"},
		{[]string{"bench", model, "--threads", "-1"}, "not a whole number from 0"},
	} {
		if status, out, errs := runMain(c.args...); status != 2 || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q, want %q", c.args, status, out, errs, c.want)
		}
	}
	if status, out, _ := runMain("bench", "-h"); status != 0 || out != bench.Help {
		t.Errorf("status %d, %q", status, out)
	}
}
