package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// metadata reads the tokenizer of a GGUF file, which may be gzipped: tests of package gguf, which reads files that
// may be damaged, are elsewhere.
func metadata(t testing.TB, name string) (m Metadata) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil && strings.HasSuffix(name, ".gz") {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			data, err = io.ReadAll(r)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) []byte { b := data[:n]; data = data[n:]; return b }
	u32 := func() uint32 { return binary.LittleEndian.Uint32(take(4)) }
	u64 := func() int { return int(binary.LittleEndian.Uint64(take(8))) }
	str := func() string { return string(take(u64())) }
	size := func(typ uint32) int { return []int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}[typ] }
	take(8)
	u64()
	for range u64() {
		key, typ := strings.TrimPrefix(str(), "tokenizer.ggml."), u32()
		switch typ {
		case 8:
			v := str()
			switch key {
			case "model":
				m.Model = v
			case "pre":
				m.Pre = v
			}
		case 9:
			element := u32()
			var texts []string
			var words []uint32
			for range u64() {
				if element == 8 {
					texts = append(texts, str())
				} else {
					words = append(words, binary.LittleEndian.Uint32(append(bytes.Clone(take(size(element))), 0, 0, 0, 0)))
				}
			}
			switch key {
			case "tokens":
				m.Tokens = slices.Values(texts)
			case "merges":
				m.Merges = slices.Values(texts)
			case "scores":
				for _, w := range words {
					m.Scores = append(m.Scores, math.Float32frombits(w))
				}
			case "token_type":
				for _, w := range words {
					m.Types = append(m.Types, int32(w))
				}
			}
		default:
			v := binary.LittleEndian.Uint32(append(bytes.Clone(take(size(typ))), 0, 0, 0, 0))
			flag := v != 0
			switch key {
			case "bos_token_id":
				m.BOS = &v
			case "eos_token_id":
				m.EOS = &v
			case "eot_token_id":
				m.EOT = &v
			case "eom_token_id":
				m.EOM = &v
			case "add_bos_token":
				m.AddBOS = &flag
			case "add_space_prefix":
				m.AddSpacePrefix = &flag
			}
		}
	}
	return m
}

// read makes the tokenizer of a GGUF file.
func read(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, _, err := New(metadata(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tok
}
