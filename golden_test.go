package llama_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"bootllama/internal/golden"
)

// TestGoldens: the tokens and the text of llama2.c's run.c and runq.c, with the models of
// this repository and with published ones, which a clone does not have.
func TestGoldens(t *testing.T) {
	for _, name := range append(slices.Clone(golden.Own), golden.Published) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if golden.Absent(name) {
				t.Skipf("SKIPPED, no story of a published model was compared with llama2.c's: no %s (see testdata/README.md)", name)
			}
			cases, err := golden.Read[golden.Case](name)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range cases {
				t.Run(fmt.Sprintf("%d/%s", i, c.Model), func(t *testing.T) { compare(t, c.In(".")) })
			}
		})
	}
}

// compare generates the tokens of a case, and its text.
func compare(t *testing.T, c golden.Case) {
	ids, text, err := c.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, c.Tokens) {
		i := 0
		for i < len(ids) && i < len(c.Tokens) && ids[i] == c.Tokens[i] {
			i++
		}
		t.Errorf("%d tokens, want %d; they differ from token %d on:\n got %v\nwant %v", len(ids), len(c.Tokens), i, ids[i:], c.Tokens[i:])
	}
	if text != c.Text() {
		t.Errorf("stdout:\n got %q\nwant %q", text, c.Text())
	}
}

// TestLogits: the logits of every position have the bits of run.c's and runq.c's, built
// with gcc -O2 -ffp-contract=off and glibc. Nothing else may come out of another
// processor, compiler or kernel either.
func TestLogits(t *testing.T) {
	cases, err := golden.Read[golden.Case]("testdata/logits.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Model+" "+c.Prompt, func(t *testing.T) {
			c = c.In(".")
			if golden.Absent(c.Model) {
				t.Skipf("SKIPPED, no logits of a published model were compared with llama2.c's: no %s (see testdata/README.md)", c.Model)
			}
			got, err := c.Hash()
			if err != nil {
				t.Fatal(err)
			}
			if got != c.FNV64a {
				t.Errorf("the logits' bits have the hash %s, llama2.c's %s", got, c.FNV64a)
			}
		})
	}
}
