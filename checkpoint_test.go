package llama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"bootllama/arena"
	"bootllama/internal/heap"
)

var tinyConfig = shape(4, 3, 2, 2, 1, 5, 6)

// TestCheckpointOrder: every tensor has the values of its place in the file.
func TestCheckpointOrder(t *testing.T) {
	for _, shared := range []bool{true, false} {
		b := checkpointBytes(tinyConfig, shared)
		for i := range (len(b) - legacyHeaderSize) / 4 {
			binary.LittleEndian.PutUint32(b[legacyHeaderSize+4*i:], math.Float32bits(float32(i)))
		}
		// One byte at a time: a short read is no end.
		c, err := ReadCheckpoint(iotest.OneByteReader(bytes.NewReader(b)), int64(len(b)), "m", nil)
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
			{"token_embedding_table", w.TokenEmbeddingTable.plain(), 5 * 4},
			{"rms_att_weight", w.RMSAttWeight, 2 * 4},
			{"wq", flat(w.WQ), 2 * 4 * 4},
			{"wk", flat(w.WK), 2 * 2 * 4},
			{"wv", flat(w.WV), 2 * 2 * 4},
			{"wo", flat(w.WO), 2 * 4 * 4},
			{"rms_ffn_weight", w.RMSFFNWeight, 2 * 4},
			{"w1", flat(w.W1), 2 * 3 * 4},
			{"w2", flat(w.W2), 2 * 4 * 3},
			{"w3", flat(w.W3), 2 * 3 * 4},
			{"rms_final_weight", w.RMSFinalWeight, 4},
			{"freq_cis", nil, 6 * 2},
			{"wcls", w.WCls.plain(), 5 * 4},
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

// flat puts the layers of a float32 matrix one after another.
func flat(layers []Matrix) (values []float32) {
	for _, m := range layers {
		values = append(values, m.plain()...)
	}
	return values
}

// plain returns a float32 matrix row by row.
func (m *Matrix) plain() []float32 {
	values := make([]float32, m.Rows*m.Columns)
	for i := range values {
		row, column := i/m.Columns, i%m.Columns
		values[i] = Float32.Float(m.Tiles[4*((row/32*m.Columns+column)*32+row%32):])
	}
	return values
}

// plainInt8 returns an int8 matrix row by row, and its scales.
func (m *Matrix) plainInt8() (values []int8, scales []float32) {
	size, _ := m.Format.Group()
	groups, padded := m.Columns/size, (size+3)/4*4
	for i := range m.Rows * m.Columns {
		row, column := i/m.Columns, i%m.Columns
		group, c := column/size, column%size
		tile := m.Tiles[(row/16*groups+group)*16*(padded+4):]
		values = append(values, int8(tile[(c/4*16+row%16)*4+c%4]-128))
		if c == 0 {
			scales = append(scales, math.Float32frombits(binary.NativeEndian.Uint32(tile[16*padded+4*(row%16):])))
		}
	}
	return values, scales
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
		{"dim limit", set(0, 1<<17+1), "dim is 131073, must be 1 to 131072"},
		{"hidden_dim limit", set(4, 1<<19+1), "hidden_dim is 524289, must be 1 to 524288"},
		{"n_layers limit", set(8, 1<<12+1), "n_layers is 4097, must be 1 to 4096"},
		{"n_heads limit", set(12, 1<<17+1), "n_heads is 131073, must be 1 to 131072"},
		{"n_kv_heads limit", set(16, 1<<17+1), "n_kv_heads is 131073, must be 1 to 131072"},
		{"vocab_size limit", set(20, 1<<24+1), "vocab_size is 16777217, must be 1 to 16777216"},
		{"seq_len limit", set(24, 1<<20+1), "seq_len is 1048577, must be 1 to 1048576"},
		{"truncated", good[:len(good)-1], "m: offset 987:|truncated: the header (dim 4, hidden_dim 3, n_layers 2, n_heads 2, n_kv_heads 1, vocab_size 5, seq_len 6) implies|988 bytes|has 987"},
		{"header only", good[:28], "m: offset 28:|truncated|988 bytes|has 28"},
		{"one byte more", append(bytes.Clone(good), 0), "m: offset 988:|too long|988 bytes|has 989"},
		{"seq_len other", set(24, 7), "m: offset 988:|truncated|996 bytes"},
		{"version 3", set(0, magicAK42), "m: offset 4:|version is 3|1 and 2"},
		{"NaN", set(28+4*30, nan), "m: offset 148:|wq: NaN"},
		{"infinity", set(28+4*(20+2), 0xff800000), "m: offset 116:|rms_att_weight: -Inf"},
		{"text", []byte(strings.Repeat("Once upon a time ", 9)), "m: offset 0:|dim is 1701015119"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadCheckpoint(bytes.NewReader(c.b), int64(len(c.b)), "m", nil)
			wantError(t, err, c.want)
		})
	}
}

// TestCheckpointVersion1: the same model in both formats is the same model.
func TestCheckpointVersion1(t *testing.T) {
	const legacy, v1 = "../shared/models/stories260K.bin", "../shared/models/stories260K-v1.bin"
	if _, err := os.Stat(v1); err != nil {
		t.Skipf("SKIPPED, no published version 1 model was read: %v (see testdata/README.md)", err)
	}
	a, err := LoadCheckpoint(legacy, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadCheckpoint(v1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.Version != 1 || a.Version != 0 || a.Config != b.Config || !reflect.DeepEqual(a.Weights, b.Weights) {
		t.Errorf("version %d and %d, %v and %v: not the same weights", a.Version, b.Version, a.Config, b.Config)
	}
}

// TestTensors: the list of a file's arrays covers it without gaps, and each array is
// where the loader found it.
func TestTensors(t *testing.T) {
	p := shape(8, 12, 2, 2, 1, 30, 6)
	for _, h := range []llama2c{
		{config: p}, {config: p, sharedClassifier: true},
		{version: 1, config: p}, {version: 1, config: p, sharedClassifier: true},
		{version: 2, config: p, groupSize: 4}, {version: 2, config: p, groupSize: 2, sharedClassifier: true},
	} {
		b := modelBytes(h)
		c, err := ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "m", nil)
		if err != nil {
			t.Fatal(err)
		}
		offset := int64(h.size())
		for _, x := range h.tensors() {
			if x.Offset != offset {
				t.Errorf("version %d: %s of layer %d is at %d, want %d", h.version, x.Name, x.Layer, x.Offset, offset)
			}
			offset += x.Bytes
			if x.Weight != "" && !bytes.Equal(loaded(c, x), b[x.Offset:][:x.Bytes]) {
				t.Errorf("version %d: %s of layer %d has other values than the file", h.version, x.Name, x.Layer)
			}
		}
		if offset != int64(len(b)) {
			t.Errorf("version %d: the arrays end at %d of %d", h.version, offset, len(b))
		}
		if h.sharedClassifier && !reflect.DeepEqual(c.Weights.WCls, c.Weights.TokenEmbeddingTable) {
			t.Errorf("version %d: the classifier is not shared", h.version)
		}
	}
}

// loaded returns the numbers that were read for a tensor, as they stand in a file.
func loaded(c *Checkpoint, x Tensor) []byte {
	var b bytes.Buffer
	arrays := c.Config.arrays(&c.Weights)
	a := arrays[slices.IndexFunc(arrays, func(a array) bool { return a.name == x.Weight })]
	if a.vectors != nil {
		binary.Write(&b, binary.LittleEndian, (*a.vectors)[x.Layer*a.columns:][:a.columns])
	} else if m := a.matrix(x.Layer); x.Type == Float32 {
		binary.Write(&b, binary.LittleEndian, m.plain())
	} else {
		values, scales := m.plainInt8()
		binary.Write(&b, binary.LittleEndian, values)
		binary.Write(&b, binary.LittleEndian, scales)
	}
	return b.Bytes()
}

// TestBadVersion2: what only versions 1 and 2 have can be wrong, too.
func TestBadVersion2(t *testing.T) {
	good := modelBytes(llama2c{version: 2, config: shape(64, 172, 1, 8, 4, 30, 6), groupSize: 4})
	set := func(offset int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[offset:], v)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string // parts, separated by |
	}{
		{"version 0", set(4, 0), "m: offset 4:|version is 0"},
		{"version 3", set(4, 3), "m: offset 4:|version is 3"},
		{"short header", good[:255], "m: offset 28:|255 bytes|256"},
		{"dim", set(8, 63), "m: offset 20:|n_heads is 8|does not divide dim 63"},
		{"negative vocab_size", set(28, 0xff, 0xff, 0xff, 0xff), "m: offset 28:|vocab_size is -1"},
		{"classifier", set(36, 2), "m: offset 36:|shared_classifier is 2"},
		{"no group", set(37, 0), "m: offset 37:|group_size is 0"},
		{"negative group", set(37, 0xff, 0xff, 0xff, 0xff), "m: offset 37:|group_size is -1"},
		{"huge group", set(37, 0, 0, 0, 1), "m: offset 37:|group_size is 16777216"},
		{"straddles dim", set(37, 3), "m: offset 37:|group_size is 3|does not divide dim 64"},
		{"straddles hidden_dim", set(37, 64), "m: offset 37:|group_size is 64|does not divide hidden_dim 172|leave out 44 of its 172 columns"},
		{"padding", set(100, 7), "m: offset 100:|padded"},
		{"truncated", good[:len(good)-1], "truncated"},
		{"other group size", set(37, 2), "truncated"},
		{"scale", set(len(good)-4, 0, 0, 0xc0, 0x7f), "wcls: NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadCheckpoint(bytes.NewReader(c.b), int64(len(c.b)), "m", nil)
			wantError(t, err, c.want)
		})
	}
	// runq.c's behaviour is kept where little is lost: 4 of 172 columns.
	h := llama2c{version: 2, config: shape(64, 172, 1, 8, 4, 30, 6), groupSize: 8}
	b := modelBytes(h)
	c, err := ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "m", nil)
	if err != nil || len(c.Warnings) != 1 || c.Warnings[0] != "group_size 8 does not divide hidden_dim 172: as in runq.c, the last 4 columns of w2 have no part" {
		t.Errorf("group size 8: %q, %v", c.Warnings, err)
	}
}

// TestMemory: what Memory foretells is what is allocated, in the Go heap and beside it.
func TestMemory(t *testing.T) {
	for _, h := range []llama2c{
		{config: shape(64, 256, 4, 4, 4, 4096, 256), sharedClassifier: true},
		{version: 2, config: shape(64, 256, 4, 4, 2, 4096, 256), groupSize: 32},
	} {
		b := modelBytes(h)
		m := Header{Config: h.config, Tensors: h.tensors()}.Memory()
		var c *Checkpoint
		var tr *Transformer
		allocated := func(f func() *arena.Arena) int64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := f()
			runtime.ReadMemStats(&after)
			return int64(after.TotalAlloc-before.TotalAlloc) + a.Mapped
		}
		if n := allocated(func() *arena.Arena {
			c, _ = ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "m", nil)
			return &c.arena
		}); n < m.Weights || n > m.Weights+4<<18+1<<17 { // the buffers of package tensor
			t.Errorf("version %d: %d bytes for weights, foretold %d", h.version, n, m.Weights)
		}
		if n := allocated(func() *arena.Arena {
			tr = NewTransformer(c, Options{})
			tr.NewSampler(1, 0.9, 1)
			return &tr.arena
		}); n < m.Cache+m.State-(1<<12) || n > m.Cache+m.State+(1<<16) {
			t.Errorf("version %d: %d bytes for the state, foretold %d", h.version, n, m.Cache+m.State)
		}
		if err := errors.Join(tr.Close(), c.Close()); err != nil || tr.arena.Mapped+c.arena.Mapped != 0 {
			t.Errorf("%d bytes are left: %v", tr.arena.Mapped+c.arena.Mapped, err)
		}
	}
}

// TestProgress: it goes up to the file's size.
func TestProgress(t *testing.T) {
	b := modelBytes(llama2c{version: 2, config: tinyConfig, groupSize: 1})
	var last int64
	_, err := ReadCheckpoint(bytes.NewReader(b), int64(len(b)), "m", func(done, total int64) {
		if done < last || total != int64(len(b)) {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || last != int64(len(b)) {
		t.Errorf("progress ended at %d of %d, %v", last, len(b), err)
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
	_, err := ReadCheckpoint(bytes.NewReader(b[:100]), int64(len(b)), "m", nil)
	wantError(t, err, "m: offset 100: token_embedding_table: the file ends here")
	_, err = ReadCheckpoint(bytes.NewReader(b[:880]), int64(len(b)), "m", nil)
	wantError(t, err, "m: offset 880: freq_cis: the file ends here")
	_, err = ReadCheckpoint(iotest.TimeoutReader(bytes.NewReader(b)), int64(len(b)), "m", nil)
	if wantError(t, err, "m: offset 28: token_embedding_table: timeout"); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v does not wrap the reader's error", err)
	}
}

// TestCheckpointAllocation: a header's claims cost nothing until the file's size
// bears them out, nor when only the state would be huge.
func TestCheckpointAllocation(t *testing.T) {
	deep := checkpointBytes(shape(2, 1, 2000, 1, 1, 3, 1), true)
	binary.LittleEndian.PutUint32(deep[24:], 40000) // state: 1.2 GiB
	deep = append(deep, make([]byte, 39999*2*4)...)
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{header(1<<17, 1<<19, 1<<12, 1<<16, 1<<16, -1<<24, 1<<20), "truncated"},
		{deep, "m: offset 24: seq_len is 40000: keys and values would take 10880000000 bytes"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadCheckpoint(bytes.NewReader(c.b), int64(len(c.b)), "m", nil)
		runtime.ReadMemStats(&after)
		wantError(t, err, c.want)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<16 {
			t.Errorf("%q: %d bytes allocated", c.want, n)
		}
	}
}

func TestLoadCheckpoint(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadCheckpoint(filepath.Join(dir, "missing.bin"), nil)
	if wantError(t, err, "missing.bin"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
	_, err = LoadCheckpoint(dir, nil)
	wantError(t, err, "not a regular file")
}

// FuzzCheckpoint: any file is a model that runs or one clear error, and takes the memory that its size warrants. size
// stands for a file that is not as long as it was said to be.
func FuzzCheckpoint(f *testing.F) {
	for _, shared := range []bool{true, false} {
		b := checkpointBytes(shape(2, 1, 1, 1, 1, 3, 1), shared)
		f.Add(b, len(b))
		f.Add(b, len(b)+1)
	}
	for _, h := range []llama2c{{version: 1, config: tinyConfig}, {version: 2, config: tinyConfig, groupSize: 1, sharedClassifier: true}, {version: 2, config: shape(64, 68, 1, 2, 1, 3, 1), groupSize: 4}} {
		b := modelBytes(h)
		f.Add(b, len(b))
	}
	f.Add(checkpointBytes(tinyConfig, true), 500)
	f.Add(header(magicAK42, 2, 64), 12)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 0 || size > len(b)+1<<16 {
			return
		}
		var c *Checkpoint
		var err error
		heap.Check(t, size, 64, func() { c, err = ReadCheckpoint(bytes.NewReader(b), int64(size), "m", nil) })
		if err != nil {
			wantError(t, err, "m: offset ")
			return
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		if size > len(b) {
			t.Fatalf("%d bytes read of %d", size, len(b))
		}
		// A row is 4 bytes of the file or more, and a tile 32 rows; a batch has 96 tokens. seq_len, which costs the file
		// nothing, has a limit of its own for keys and values (checkSize), of which scores and rotations are a part.
		if m := c.Memory(); m.Weights > 1<<20+64*int64(size) || m.Cache > 64<<20+8*int64(size) || m.State > 64<<20+4096*int64(size) {
			t.Errorf("a file of %d bytes takes %+v", size, m)
		}
		if c.arena.Bytes > 1<<20+64*int64(size) {
			t.Errorf("%d bytes for the weights of a file of %d", c.arena.Bytes, size)
		}
		tr := NewTransformer(c, Options{Threads: 1})
		defer tr.Close()
		if n := len(tr.Forward(c.Config.VocabSize-1, c.Config.SeqLen-1)); n != c.Config.VocabSize {
			t.Errorf("%d logits, want %d", n, c.Config.VocabSize)
		}
	})
}
