package gguf

import (
	"bytes"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"bootllama"
	"bootllama/internal/gengguf"
)

// none opens no further file.
func none(name string) (io.ReadCloser, int64, error) {
	return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// load reads a whole model from memory. A panic is the test's.
func load(name string, data []byte) (llama.Header, error) {
	m, err := Read(bytes.NewReader(data), int64(len(data)), name, none)
	if err != nil {
		return llama.Header{}, err
	}
	c, err := llama.Load(m, m.Header, nil)
	if err != nil {
		return m.Header, err
	}
	return m.Header, c.Close()
}

// Every faulty file is answered with one line that says what is wrong where, and takes no more memory than the file and a
// buffer. llama.cpp, too, runs the three that load.
func TestFaults(t *testing.T) {
	want := map[string]string{
		"00-valid":              "",
		"01-magic":              `offset 0: header: begins with "GGUX", not with "GGUF"`,
		"02-ggml":               `offset 0: header: begins with "lmgg", not with "GGUF"`,
		"03-version-0":          "offset 4: header: version is 0, must be 2 or 3",
		"04-version-1":          "offset 4: header: version 1 of August 2023",
		"05-version-4":          "offset 4: header: version is 4, must be 2 or 3",
		"06-big-endian":         "offset 4: header: a big-endian file",
		"07-tensors-2e63":       "offset 16: count of tensors: 9223372036854775808 times 33 bytes or more, and the file has 62800 left",
		"08-tensors-2e40":       "offset 16: count of tensors: 1099511627776 times",
		"09-kvs-2e62":           "offset 24: count of metadata: 4611686018427387904 times",
		"10-key-length-max":     "offset 16: count of tensors: 11 times 33 bytes or more, and the file has 36 left",
		"11-string-2e40":        "offset 64: general.architecture: 1099511627776 bytes, and the file has 62752 left",
		"12-string-max":         "offset 64: general.architecture: 18446744073709551615 bytes",
		"13-array-2e61":         "offset 6478: x: 2305843009213693952 times 8 bytes",
		"14-array-strings-2e32": "offset 6478: x: 4294967296 times 8 bytes",
		"15-array-of-arrays":    "offset 6466: x: an array of arrays",
		"16-type-13":            "offset 6466: x: value of type 13",
		"17-array-type-13":      "offset 6470: x: value of type 13",
		"18-key-twice":          "offset 6485: general.architecture: is there twice",
		"19-key-empty":          "offset 6453: key: is empty",
		"20-align-0":            "offset 6482: general.alignment: is 0",
		"21-align-48":           "offset 6482: general.alignment: is 48, must be a power of two",
		"22-align-u64":          "offset 6482: general.alignment: is of type u64, must be u32",
		"23-align-2e31":         "offset 7122: tensors' data: 2147476526 bytes, and the file has 55726 left",
		"24-tensor-twice":       "offset 6732: tensor blk.0.attn_k.weight: is there twice",
		"25-tensor-name-64":     "offset 6518: tensor's name: a string of 65 bytes",
		"26-dims-5":             "offset 6645: tensor blk.0.attn_q.weight: has 5 dimensions",
		"27-dims-0":             "offset 6540: tensor output_norm.weight: has 0 dimensions",
		"28-dim-zero":           "offset 6653: tensor blk.0.attn_q.weight: dimension 1 is 0",
		"29-dim-negative":       "tensor blk.0.attn_q.weight: dimension 1 is 9223372036854775808",
		"30-dims-wrap":          "tensor blk.0.attn_q.weight: dimension 0 is 4294967296",
		"31-dims-wrap-2":        "tensor blk.0.attn_q.weight: dimension 1 is 288230376151711745",
		"32-dims-int64-max":     "tensor blk.0.attn_q.weight: dimension 0 is 9223372036854775807",
		"33-pad-wrap":           "tensor output_norm.weight: dimension 0 is 4611686018427387903",
		"34-type-q4_2":          "tensor blk.0.attn_q.weight: is of type Q4_2 (4), which is not implemented: take the Q4_0 file",
		"35-type-q4_0_4_4":      "is of type Q4_0_4_4 (31), which is not implemented: take the Q4_0 file",
		"36-type-99":            "is of type 99, which is not implemented",
		"37-type-negative":      "is of type 4294967295, which is not implemented",
		"38-columns":            "blk.0.attn_q.weight: has rows of 64 values, and the blocks of its type Q4_K have 256",
		"39-offset-odd":         "blk.0.attn_q.weight: its data are said to begin at 18465",
		"40-offset-far":         "blk.0.ffn_down.weight: its data are said to begin at 4611686018427387904",
		"41-offset-wrap":        "blk.0.ffn_down.weight: its data are said to begin at 18446744073709551584",
		"42-overlap":            "blk.0.attn_k.weight: its data are said to begin at 18464",
		"43-data-cut":           "offset 62752: tensor blk.0.ffn_down.weight: the file ends here",
		"44-head-cut":           "offset 490: tokenizer.ggml.tokens: 264 times 8 bytes or more, and the file has 1510 left",
		"45-head-only":          "offset 16: count of tensors: 11 times",
		"46-empty":              "offset 0: header: the file has 0 bytes",
		"47-arch-missing":       "general.architecture: is missing",
		"48-arch-unknown":       `offset 56: general.architecture: is "mamba9", which is not implemented: take`,
		"49-arch-number":        "offset 56: general.architecture: is of type u32, must be string",
		"50-heads-0":            "llama.attention.head_count: is 0",
		"51-heads-3":            "llama.attention.head_count_kv: is 2, which does not divide the head_count 3",
		"52-kv-heads-0":         "llama.attention.head_count_kv: is 0",
		"53-kv-heads-3":         "llama.attention.head_count_kv: is 3, which does not divide",
		"54-layers-2e31":        "llama.block_count: is 2147483648, must be 1 to 4096",
		"55-layers-2":           "tensor blk.1.attn_norm.weight: is missing",
		"56-layers-0":           "llama.block_count: is 0",
		"57-context-max":        "llama.context_length: is 4294967295, must be 1 to 1048576",
		"58-dim-other":          "llama.rope.dimension_count: is 32, where heads have 64",
		"59-key-type":           "llama.embedding_length: is of type string, must be u32",
		"60-rope-33":            "llama.rope.dimension_count: is 33, where heads have 32",
		"61-eps-nan":            "llama.attention.layer_norm_rms_epsilon: is NaN",
		"62-tensor-missing":     "tensor output_norm.weighs: is not known",
		"63-shape-other":        "offset 56288: blk.0.ffn_down.weight: (96, 64) in layer 0, where the model has (64, 96)",
		"64-norm-half":          "output_norm.weight: is of type F16: norms and biases must be F32",
		"65-scale-inf":          "offset 25568: blk.0.attn_q.weight: +Inf is not a weight",
		"66-tokens-fewer":       "token_embd.weight: (264, 64) in layer 0, where the model has (259, 64)",
		"67-types-u8":           "tokenizer.ggml.token_type: is an array of u8, must be one of i32",
		"68-scores-fewer":       "offset 4194: tokenizer.ggml.scores: has 1 values for 264 tokens",
		"69-eos-far":            "",
		"70-byte-token":         `offset 478: tokenizer.ggml.tokens: [3] is "<0x-1>"`,
		"71-token-utf8":         "",
		"72-model-missing":      "tokenizer.ggml.model: is missing",
		"73-split":              "offset 6498: split.count: is 2, and so the names of the model's files must end in -00001-of-00002.gguf",
	}
	faults := gengguf.Faults()
	if len(faults) != len(want) {
		t.Errorf("%d files, %d in the list", len(faults), len(want))
	}
	for _, f := range faults {
		name := f.Name + ".gguf"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, headerErr := Read(bytes.NewReader(f.Data), int64(len(f.Data)), name, none)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 100<<10+uint64(len(f.Data)) {
			t.Errorf("%s: %d bytes were allocated, for a file of %d", f.Name, n, len(f.Data))
		}
		h, err := load(name, f.Data)
		line, ok := want[f.Name]
		switch {
		case !ok:
			t.Errorf("%s (%s) is not in the list", f.Name, f.What)
		case line == "" && err != nil:
			t.Errorf("%s (%s): %v", f.Name, f.What, err)
		case line == "":
		case err == nil:
			t.Errorf("%s (%s) loads: %+v", f.Name, f.What, h.Config)
		case !strings.HasPrefix(err.Error(), name+": offset ") || !strings.Contains(err.Error(), line) || strings.ContainsAny(err.Error(), "\n\r"):
			t.Errorf("%s (%s): %v\nwant %s: …%s…", f.Name, f.What, err, name, line)
		}
		if headerErr == nil && err != nil && f.Name != "65-scale-inf" {
			t.Errorf("%s (%s) is found with the weights only: %v", f.Name, f.What, err)
		}
		if len(h.Warnings) > 0 != (f.Name == "69-eos-far") {
			t.Errorf("%s: warnings %q", f.Name, h.Warnings)
		}
	}
}
