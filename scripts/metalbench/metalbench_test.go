package main

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"bootllama/scripts/internal/bench"
)

// TestArchive: what the kernel will unpack, aligned as it wants it.
func TestArchive(t *testing.T) {
	files := []archived{{"init", []byte("abc"), 0o755}, {"MODEL.BIN", bytes.Repeat([]byte{7}, 1001), 0o644}}
	var b bytes.Buffer
	if err := archive(&b, files); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b.Bytes(), []byte("070701")) || b.Len()%4 != 0 {
		t.Errorf("%d bytes, not newc: %.10q", b.Len(), b.Bytes())
	}
	r := cpio.NewReader(&b)
	for _, f := range files {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != f.name || !h.Mode.IsRegular() || h.Mode.Perm() != f.mode || !bytes.Equal(data, f.data) {
			t.Errorf("%s: %+v, %d bytes", f.name, h, len(data))
		}
	}
	if h, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("more: %v, %v", h, err)
	}
}

func TestVersion(t *testing.T) {
	kernel := make([]byte, 0x300)
	copy(kernel[0x2f0:], "6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org)"[:0x10])
	kernel[0x20e] = 0xf0
	if got := version(kernel); got != "Linux 6.1.0-56-cloud-a" {
		t.Errorf("%q", got)
	}
	for _, n := range []int{0, 0x20f, 0x210, 0x2f0} { // cut short
		if got := version(kernel[:n]); got != "Linux" {
			t.Errorf("of %d bytes: %q", n, got)
		}
	}
}

func TestUsage(t *testing.T) {
	files := []string{"-kernel", "k", "-model", "m", "-tokenizer", "t"}
	for _, args := range [][]string{{}, files[:4], append(slices.Clone(files), "x"), append(slices.Clone(files), "-decode", "1"),
		append(slices.Clone(files), "-smp", "0"), append(slices.Clone(files), "-only", "(")} {
		var stderr strings.Builder
		if status := metalbench(t.Context(), args, io.Discard, &stderr); status != 2 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %q", args, status, stderr.String())
		}
	}
	o, err := parse(append(files, "-decode", "99"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(o.args(2), " "), "bench MODEL.BIN --threads 2 --prefill 0 --decode 99 --rounds 1 --json"; got != want {
		t.Errorf("%s", got)
	}
	if o.run = true; strings.Join(o.args(2), " ") != "run MODEL.BIN -z TOKENS.BIN -t 0 -n 100" {
		t.Errorf("%q", o.args(2))
	}
}

// TestWorlds: each is there once.
func TestWorlds(t *testing.T) {
	for _, c := range []struct {
		smp  int
		only string
		want string
	}{{2, "", "linux-2 metal-2 metal-1"}, {1, "", "linux-1 metal-1"}, {4, "metal", "metal-4 metal-1"}, {1, "metal", "metal-1"}} {
		var names []string
		for _, w := range newWorlds(c.smp, regexp.MustCompile(c.only)) {
			names = append(names, w.name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("-smp %d -only %q: %s, want %s", c.smp, c.only, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	rounds := func(tokS float64, us ...float64) []bench.Result {
		r := bench.Result{TokenUs: us}
		r.Decode.Median = tokS
		return []bench.Result{r, r}
	}
	got := table([]*world{
		{name: "linux-2", rounds: rounds(100, 10, 10, 20)},
		{name: "metal-2", rounds: rounds(110, 10, 10, 10)},
		{name: "metal-1", rounds: rounds(55, 20, 20, 20)},
	}, "ABOUT")
	want := `| | linux-2 | metal-2 | metal-1 | metal-2 / linux-2 | metal-2 / metal-1 |
|---|---|---|---|---|---|
| decode, tok/s | 100.0 | 110.0 | 55.0 | 1.100 [1.100..1.100] | 2.000 [2.000..2.000] |
| a token, median, µs | 10 | 10 | 20 | 1.000 [1.000..1.000] | 0.500 [0.500..0.500] |
| a token, p99, µs | 20 | 10 | 20 | 0.505 [0.505..0.505] | 0.500 [0.500..0.500] |
| p99 / median | 1.980 | 1.000 | 1.000 | 0.505 [0.505..0.505] | 1.000 [1.000..1.000] |

Medians of 2 rounds. ABOUT.
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := table([]*world{{name: "metal-1", rounds: rounds(55)}}, "ABOUT"); strings.Count(got, "\n") != 5 || strings.Contains(got, "NaN") {
		t.Errorf("without token times:\n%s", got)
	}
}

func TestSpeedOfRun(t *testing.T) {
	if r, err := speedOfRun([]byte("loading\rachieved tok/s: 204.1\n")); r.Decode.Median != 204.1 || err != nil {
		t.Error(r, err)
	}
	if _, err := speedOfRun([]byte("panic")); err == nil {
		t.Error("no error")
	}
}
