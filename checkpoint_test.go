package llama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

var tinyConfig = Config{4, 3, 2, 2, 1, 5, 6}

// TestCheckpointOrder: every tensor has the values of its place in the file.
func TestCheckpointOrder(t *testing.T) {
	for _, shared := range []bool{true, false} {
		b := checkpointBytes(tinyConfig, shared)
		for i := range (len(b) - headerSize) / 4 {
			binary.LittleEndian.PutUint32(b[headerSize+4*i:], math.Float32bits(float32(i)))
		}
		// One byte at a time: a short read is no end.
		c, err := ReadCheckpoint(iotest.OneByteReader(bytes.NewReader(b)), int64(len(b)), "m")
		if err != nil {
			t.Fatal(err)
		}
		if c.Config != tinyConfig {
			t.Errorf("config %v, want %v", c.Config, tinyConfig)
		}
		w := c.Weights
		at := 0
		for _, x := range []struct {
			name string
			w    []float32
			len  int
		}{
			{"token_embedding_table", w.TokenEmbeddingTable, 5 * 4},
			{"rms_att_weight", w.RMSAttWeight, 2 * 4},
			{"wq", w.WQ, 2 * 4 * 4},
			{"wk", w.WK, 2 * 2 * 4},
			{"wv", w.WV, 2 * 2 * 4},
			{"wo", w.WO, 2 * 4 * 4},
			{"rms_ffn_weight", w.RMSFFNWeight, 2 * 4},
			{"w1", w.W1, 2 * 3 * 4},
			{"w2", w.W2, 2 * 4 * 3},
			{"w3", w.W3, 2 * 3 * 4},
			{"rms_final_weight", w.RMSFinalWeight, 4},
			{"freq_cis", nil, 6 * 2},
			{"wcls", w.WCls, 5 * 4},
		} {
			if x.name == "wcls" && shared {
				at = 0
			}
			if x.w != nil && (len(x.w) != x.len || x.w[0] != float32(at) || x.w[x.len-1] != float32(at+x.len-1)) {
				t.Errorf("shared %v: %s has %d values %g to %g, want %d from %d on", shared, x.name, len(x.w), x.w[0], x.w[len(x.w)-1], x.len, at)
			}
			at += x.len
		}
	}
}

// header returns a checkpoint's header alone.
func header(fields ...int32) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, fields)
	return b.Bytes()
}

// TestBadCheckpoint: one clear line with the file, the field and the offset.
func TestBadCheckpoint(t *testing.T) {
	good := checkpointBytes(tinyConfig, false)
	set := func(offset int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[offset:], v)
		return b
	}
	nan := math.Float32bits(float32(math.NaN()))
	for _, c := range []struct {
		name string
		b    []byte
		want string // parts, separated by |
	}{
		{"empty", nil, "m: offset 0:|0 bytes"},
		{"short header", good[:27], "m: offset 0:|27 bytes|header"},
		{"dim 0", set(0, 0), "m: offset 0:|dim is 0"},
		{"dim negative", set(0, 0xffffffff), "m: offset 0:|dim is -1"},
		{"dim huge", set(0, 1<<30), "m: offset 0:|dim is 1073741824"},
		{"hidden_dim", set(4, 0), "m: offset 4:|hidden_dim is 0"},
		{"n_layers", set(8, 0x7fffffff), "m: offset 8:|n_layers is 2147483647"},
		{"n_heads", set(12, 3), "m: offset 12:|n_heads is 3|does not divide dim 4"},
		{"odd heads", set(12, 4), "m: offset 12:|n_heads is 4|heads of 1"},
		{"n_kv_heads", set(16, 3), "m: offset 16:|n_kv_heads is 3|does not divide n_heads 2"},
		{"vocab_size 0", set(20, 0), "m: offset 20:|vocab_size is 0"},
		{"vocab_size least", set(20, 0x80000000), "m: offset 20:|vocab_size is -2147483648"},
		{"vocab_size few", set(20, 2), "m: offset 20:|vocab_size is 2|too few"},
		{"seq_len", set(24, 0xfffffff0), "m: offset 24:|seq_len is -16"},
		{"truncated", good[:len(good)-1], "m: offset 987:|truncated|988 bytes|has 987"},
		{"header only", good[:28], "m: offset 28:|truncated|988 bytes|has 28"},
		{"one byte more", append(bytes.Clone(good), 0), "m: offset 988:|too long|988 bytes|has 989"},
		{"seq_len other", set(24, 7), "m: offset 988:|truncated|996 bytes"},
		{"version 1", set(0, magicAK42), "m: offset 4:|version 3 is not supported"},
		{"NaN", set(28+4*30, nan), "m: offset 148:|wq: NaN"},
		{"infinity", set(28+4*(20+2), 0xff800000), "m: offset 116:|rms_att_weight: -Inf"},
		{"text", []byte(strings.Repeat("Once upon a time ", 9)), "m: offset 0:|dim is 1701015119"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadCheckpoint(bytes.NewReader(c.b), int64(len(c.b)), "m")
			wantError(t, err, c.want)
		})
	}
}

// wantError checks that err is one line and has the parts of want.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for part := range strings.SplitSeq(want, "|") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

// TestCheckpointShrinks: the reader has less than it promised, or fails.
func TestCheckpointShrinks(t *testing.T) {
	b := checkpointBytes(tinyConfig, false)
	_, err := ReadCheckpoint(bytes.NewReader(b[:100]), int64(len(b)), "m")
	wantError(t, err, "m: offset 100: token_embedding_table: the file ends here")
	_, err = ReadCheckpoint(bytes.NewReader(b[:880]), int64(len(b)), "m")
	wantError(t, err, "m: offset 880: freq_cis: the file ends here")
	_, err = ReadCheckpoint(iotest.TimeoutReader(bytes.NewReader(b)), int64(len(b)), "m")
	if wantError(t, err, "m: offset 28: token_embedding_table: timeout"); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v does not wrap the reader's error", err)
	}
}

// TestCheckpointAllocation: a header's claims cost nothing until the file's size
// bears them out, nor when only the state would be huge.
func TestCheckpointAllocation(t *testing.T) {
	deep := checkpointBytes(Config{2, 1, 2000, 1, 1, 3, 1}, true)
	binary.LittleEndian.PutUint32(deep[24:], 40000) // state: 1.2 GiB
	deep = append(deep, make([]byte, 39999*2*4)...)
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{header(1<<17, 1<<19, 1<<12, 1<<16, 1<<16, -1<<24, 1<<20), "truncated"},
		{deep, "m: offset 24: seq_len is 40000: keys and values would take 1280000000 bytes"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadCheckpoint(bytes.NewReader(c.b), int64(len(c.b)), "m")
		runtime.ReadMemStats(&after)
		wantError(t, err, c.want)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<16 {
			t.Errorf("%q: %d bytes allocated", c.want, n)
		}
	}
}

// TestLoadMemory: the weights are in memory once, and little else.
func TestLoadMemory(t *testing.T) {
	b := checkpointBytes(Config{64, 256, 4, 4, 4, 4096, 32}, true)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "m"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(b))+(1<<20)+(1<<16) {
		t.Errorf("%d bytes allocated for a file of %d: more than it and a buffer of 1 MiB", n, len(b))
	}
}

func TestLoadCheckpoint(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadCheckpoint(filepath.Join(dir, "missing.bin"))
	if wantError(t, err, "missing.bin"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
	_, err = LoadCheckpoint(dir)
	wantError(t, err, "not a regular file")
}

// FuzzCheckpoint: any file is a model that runs or one clear error. size stands
// for a file that is not as long as it was said to be.
func FuzzCheckpoint(f *testing.F) {
	for _, shared := range []bool{true, false} {
		b := checkpointBytes(Config{2, 1, 1, 1, 1, 3, 1}, shared)
		f.Add(b, len(b))
		f.Add(b, len(b)+1)
	}
	f.Add(checkpointBytes(tinyConfig, true), 500)
	f.Add(header(magicAK42, 2, 64), 12)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 0 {
			return
		}
		c, err := ReadCheckpoint(bytes.NewReader(b), int64(size), "m")
		if err != nil {
			wantError(t, err, "m: offset ")
			return
		}
		if size > len(b) {
			t.Fatalf("%d bytes read of %d", size, len(b))
		}
		tr := NewTransformer(c)
		if n := len(tr.Forward(c.Config.VocabSize-1, c.Config.SeqLen-1)); n != c.Config.VocabSize {
			t.Errorf("%d logits, want %d", n, c.Config.VocabSize)
		}
	})
}
