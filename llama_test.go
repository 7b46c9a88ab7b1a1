package llama

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestNothingFused: the compiler for arm64, which fuses a product with the sum
// it goes into wherever it may, finds nothing to fuse. (amd64 does so for float64
// alone, from GOAMD64=v3 on.)
func TestNothingFused(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for arm64")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("SKIPPED, fused products were not looked for: %v", err)
	}
	cmd := exec.Command(goTool, "build", "-gcflags=-S", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	listing, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, listing)
	}
	fused := regexp.MustCompile(`\((\S+\.go:\d+)\)\s+(FN?M(?:ADD|SUB)[SD])\s`)
	if !bytes.Contains(listing, []byte("FMULS")) {
		t.Fatal("the listing has no multiplication: this test sees nothing")
	}
	for _, m := range fused.FindAllSubmatch(listing, -1) {
		t.Errorf("%s: %s: round the product before it is added", m[1], m[2])
	}
}

// TestForwardRestarts: a sequence that starts again at 0 does not see the last one.
func TestForwardRestarts(t *testing.T) {
	g := randomGenerator(t, 0, 0, 1)
	first := append([]float32(nil), g.Transformer.Forward(BOS, 0)...)
	for pos := range 10 {
		g.Transformer.Forward(20+pos, pos)
	}
	for i, v := range g.Transformer.Forward(BOS, 0) {
		if v != first[i] {
			t.Fatalf("logit %d is %g after other sequences, %g at first", i, v, first[i])
		}
	}
}

func TestForwardPanics(t *testing.T) {
	tr := randomGenerator(t, 0, 0, 1).Transformer
	for _, c := range [][2]int{{-1, 0}, {300, 0}, {0, -1}, {0, 64}} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "llama: Forward") {
					t.Errorf("Forward(%d, %d): panic %v, want llama's own", c[0], c[1], s)
				}
			}()
			tr.Forward(c[0], c[1])
		}()
	}
}

// TestNoAllocation: nothing is allocated per token.
func TestNoAllocation(t *testing.T) {
	for _, c := range []struct {
		model             string
		temperature, topP float32
	}{{randomModel, 0, 0}, {randomModel, 1, 1}, {randomModel, 1, 0.9}, {randomInt8, 1, 0.9}} {
		g := generatorOf(t, c.model, c.temperature, c.topP, 1)
		text := NewTextWriter(discard{})
		pos, token := 0, BOS
		if n := testing.AllocsPerRun(40, func() {
			next := g.Sampler.Sample(g.Transformer.Forward(token, pos))
			if err := text.WritePiece(g.Tokenizer.Decode(token, next)); err != nil {
				t.Fatal(err)
			}
			pos, token = pos+1, next
		}); n != 0 {
			t.Errorf("%s, temperature %g, top-p %g: %g allocations per token, want 0", c.model, c.temperature, c.topP, n)
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name string
		h    Header
	}{
		{"260K", Header{Config: Config{64, 172, 5, 8, 4, 512, 512}}},
		{"15M", Header{Config: Config{288, 768, 6, 6, 6, 32000, 256}}},
		{"15M-int8", Header{Version: 2, Config: Config{288, 768, 6, 6, 6, 32000, 256}, GroupSize: 32}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.h.SharedClassifier = true
			file := modelBytes(c.h)
			ck, err := ReadCheckpoint(bytes.NewReader(file), int64(len(file)), c.name, nil)
			if err != nil {
				b.Fatal(err)
			}
			tr := NewTransformer(ck, Options{})
			b.ResetTimer()
			for i := range b.N {
				tr.Forward(5, i%256)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
