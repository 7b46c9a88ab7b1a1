package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
	"bootllama/internal/randommodel"
)

// What a person is told of each version of the format.
func TestInfo(t *testing.T) {
	needModels(t)
	for model, want := range map[string]string{
		"stories260K.bin": `(?s)stories260K.bin: 1056540 bytes \(1.0 MiB\), 260032 \(260K\) parameters\n` +
			`.*version +0 .*legacy.*\ndim +64 .*\nhidden_dim +172 .*\nn_layers +5 .*\nn_heads +8 +query heads of 8\n` +
			`n_kv_heads +4 +.*each for 2 query heads\nvocab_size +512 .*\nseq_len +512 .*\nclassifier +shared ` +
			`.*token_embedding_table +\(512, 64\) +float32 +28 +131072 bytes\n` +
			`.*w2 +\(5, 64, 172\) +float32 +599580 +220160 bytes\n` +
			`.*freq_cis +\(2, 512, 4\) +float32 +1040156 +16384 bytes +unused` +
			`.*weights +1091328 bytes .*\n +keys and values +1638400 bytes .*\n +state +\d+ bytes\n +on top, at most +54525952 bytes .*\n +sum +\d+ bytes .*\n.*--memory 512 `,
		"stories260K-v1.bin": `(?s)version +1 .*float32.*rms_att_weight +\(5, 64\) +float32 +256 +1280 bytes\n`,
		"stories260K-q8.bin": `(?s)260032 \(260K\) parameters\n.*version +2 .*int8.*group_size +8 .*last 4 columns of w2` +
			`.*wq\[0-4\] +5 × \(64, 64\) +int8 +52224 +20480 bytes\nwq\[0-4\].scale +5 × \(512\) +float32 +56320 +10240 bytes\n.*followed by their scales`,
	} {
		stdout, stderr, status := invoke(t, "", "info", models+model)
		if status != 0 || stderr != "" || !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("%s: status %d, stderr %q, stdout:\n%s", model, status, stderr, stdout)
		}
	}
}

// The JSON says the same: its tensors lie one behind the other from the header to the file's end.
func TestInfoJSON(t *testing.T) {
	shape := randommodel.Shape{Dim: 32, HiddenDim: 64, NLayers: 3, NHeads: 4, NKVHeads: 2, VocabSize: 320, SeqLen: 16}
	separate := shape.Int8()
	separate.Separate = true
	one := shape
	one.NLayers = 1
	for name, c := range map[string]struct {
		shape               randommodel.Shape
		start, params       int64
		tensors, collapsing int
	}{
		// Embedding, per layer wq, wk, wv, wo, w1 to w3, the norms.
		"float32":  {shape, 28, 320*32 + 3*(2*32*32+2*16*32+3*64*32) + 7*32, 12, 12},
		"separate": {separate, 256, 2*320*32 + 3*(2*32*32+2*16*32+3*64*32) + 7*32, 3 + 2 + 3*7*2 + 2, 3 + 2 + 7*2 + 2},
		"one":      {one.Int8(), 256, 320*32 + 1*(2*32*32+2*16*32+3*64*32) + 3*32, 3 + 2 + 7*2, 3 + 2 + 7*2},
	} {
		file := filepath.Join(t.TempDir(), "model.bin")
		if err := c.shape.Create(file); err != nil {
			t.Fatal(err)
		}
		size, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := invoke(t, "", "info", "--json", file)
		var f facts
		if err := json.Unmarshal([]byte(stdout), &f); err != nil || status != 0 || stderr != "" {
			t.Fatalf("%s: status %d, stderr %q, %v", name, status, stderr, err)
		}
		m := f.Memory
		// Two heads of 8, keys of 16 positions and values of 8 filled up to tiles of 32.
		cache := int64(4 * c.shape.NLayers * 2 * (32*8 + 32*16))
		if f.File != file || f.Size != size.Size() || f.Parameters != c.params || len(f.Tensors) != c.tensors || f.Header.HiddenDim != 64 ||
			f.GroupSize != c.shape.GroupSize || f.SharedClassifier == c.shape.Separate || f.Memory.BootMiB != 512 ||
			m.Sum != m.Weights+m.Cache+m.State+m.Overhead || m.Cache != cache {
			t.Errorf("%s: %s", name, stdout)
		}
		at := c.start
		for _, x := range f.Tensors {
			n := int64(map[string]int{"float32": 4, "int8": 1}[x.Type])
			for _, d := range x.Shape {
				n *= int64(d)
			}
			if x.Offset != at || x.Bytes != n {
				t.Errorf("%s: %s at %d has %d bytes; want %d at %d", name, x.Name, x.Offset, x.Bytes, n, at)
			}
			at += x.Bytes
		}
		if at != f.Size {
			t.Errorf("%s: the tensors end at %d of %d", name, at, f.Size)
		}
		rows := collapse(f.Tensors)
		bytes := int64(0)
		for _, r := range rows {
			bytes += r.Bytes
		}
		if len(rows) != c.collapsing || bytes != f.Size-c.start {
			t.Errorf("%s: %d rows of %d bytes", name, len(rows), bytes)
		}
	}
}

// What a person is told of a GGUF file, and of one in several files, which is the same.
func TestInfoGGUF(t *testing.T) {
	dir := t.TempDir()
	f := gengguf.New("tiny-qwen3", "Q4_K_M")
	f.Tokenizer, f.Context = gengguf.Qwen3(), 40960
	f.Extra = []gengguf.Pair{{Key: "qwen3.new_thing", Value: uint32(1)}}
	file := filepath.Join(dir, "m.gguf")
	if err := f.Create(file); err != nil {
		t.Fatal(err)
	}
	names, err := f.CreateSplit(filepath.Join(dir, "s"), 2)
	if err != nil {
		t.Fatal(err)
	}
	const want = `(?s)version +3 +GGUF\narchitecture +qwen3 +tiny-qwen3 with random weights\n(files +2 .*)?dim +256 .*\nhidden_dim +512 .*\nn_layers +2 .*` +
		`n_heads +4 +query heads of 128\nn_kv_heads +2 .*\nvocab_size +512 .*\nseq_len +40960 .*\nclassifier +shared .*\nq, k, v bias +no .*\nq, k norm +yes +.*: 1e-06\n` +
		`rotation +1000000 +.*halves\ntokenizer +gpt2, qwen2 *\nconversation +ChatML with thoughts *\nwarning +qwen3.new_thing is not known here: .*\n\n` +
		`type +tensors +size +share\nQ4_K +12 +774144 bytes +\d+.\d %\nQ6_K +3 +268800 bytes +\d+.\d %\nF32 +9 +7168 bytes +\d.\d %\n.*memory to run it with CONTEXT positions\n`
	for _, name := range []string{file, names[0]} {
		for context, args := range map[int][]string{4096: {"info", name}, 77: {"info", name, "-c", "77"}} {
			stdout, stderr, status := invoke(t, "", args...)
			if status != 0 || stderr != "" || !regexp.MustCompile(strings.Replace(want, "CONTEXT", strconv.Itoa(context), 1)).MatchString(stdout) {
				t.Errorf("%q: status %d, stderr %q, stdout:\n%s", args, status, stderr, stdout)
			}
		}
	}
	stdout, _, status := invoke(t, "", "info", "--json", file)
	var facts facts
	if err := json.Unmarshal([]byte(stdout), &facts); err != nil || status != 0 || facts.GGUF == nil || len(facts.Tensors) != 24 || facts.Tensors[1].Type != "Q6_K" {
		t.Errorf("status %d, %v: %s", status, err, stdout)
	}
	if _, stderr, status := invoke(t, "", "info", names[1]); status != statusFailed || !strings.Contains(stderr, "known by the first, s-00001-of-00002.gguf") {
		t.Errorf("the second of two: status %d, %s", status, stderr)
	}
}

// A file that is no checkpoint: the line that run says, and status 1.
func TestInfoOfNone(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.bin")
	if err := os.WriteFile(text, []byte(strings.Repeat("Once upon a time ", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{text: "offset 0: dim is 1701015119", dir: "not a regular file", filepath.Join(dir, "absent"): "no such file"} {
		stdout, stderr, status := invoke(t, "", "info", name)
		_, said, _ := invoke(t, "", "run", name)
		if status != statusFailed || stdout != "" || stderr != said || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, stdout %q, stderr %q; run says %q", name, status, stdout, stderr, said)
		}
	}
}
