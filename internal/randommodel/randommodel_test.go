package randommodel

import (
	"crypto/sha256"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"bootllama"
)

// counter hashes and counts what is written.
type counter struct {
	hash.Hash
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.Hash.Write(p)
}

// TestSizes: the files of karpathy/tinyllamas have these sizes.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape Shape
		want  int64
	}{
		{"stories15M.bin", Stories15M, 60816028},
		{"stories110M.bin", Stories110M, 438381596},
	} {
		if testing.Short() && c.want > 100<<20 {
			continue
		}
		h := counter{Hash: sha256.New()}
		if err := c.shape.Write(&h); err != nil || h.n != c.want {
			t.Errorf("%s: %d bytes, %v; want %d", c.name, h.n, err, c.want)
		}
	}
}

// sum is the SHA-256 of what Write writes.
func (s Shape) sum(t *testing.T) [32]byte {
	h := sha256.New()
	if err := s.Write(h); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func fileSum(t *testing.T, name string) [32]byte {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// TestModels: the reader takes what is written, the same bytes each time, and
// logits are finite and differ.
func TestModels(t *testing.T) {
	tiny := Shape{Dim: 32, HiddenDim: 64, NLayers: 3, NHeads: 4, NKVHeads: 2, VocabSize: 320, SeqLen: 16}
	separate := tiny
	separate.Separate = true
	for name, s := range map[string]Shape{"tiny": tiny, "separate": separate, "tiny int8": tiny.Int8(),
		"separate int8": separate.Int8(), "15M": Stories15M, "15M int8": Stories15M.Int8(),
		"110M": Stories110M, "110M int8": Stories110M.Int8(), "1100M int8": TinyLlama1100.Int8()} {
		t.Run(name, func(t *testing.T) {
			switch {
			case s.Dim == TinyLlama1100.Dim && os.Getenv("BOOTLLAMA_LARGE") == "":
				t.Skip("needs 2.4 GiB of memory and disk: only with BOOTLLAMA_LARGE=1")
			case s.Dim > Stories15M.Dim && testing.Short():
				t.Skip("needs 1 GiB of memory and disk: not with -short")
			}
			file := filepath.Join(t.TempDir(), "model.bin")
			if err := s.Create(file); err != nil {
				t.Fatal(err)
			}
			if s.Dim <= Stories15M.Dim && fileSum(t, file) != s.sum(t) {
				t.Errorf("another time other bytes")
			}
			c, err := llama.LoadCheckpoint(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			m := llama.NewTransformer(c, llama.Options{})
			for pos := range 3 {
				logits := m.Forward(pos+1, pos)
				low, high := math.Inf(1), math.Inf(-1)
				for i, v := range logits {
					if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("position %d, logit %d is %v", pos, i, v)
					} else {
						low, high = min(low, v), max(high, v)
					}
				}
				if high-low < 0.01 {
					t.Errorf("position %d: logits from %v to %v", pos, low, high)
				}
			}
		})
	}
}
