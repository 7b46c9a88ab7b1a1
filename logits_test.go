package llama_test

import (
	"os"
	"path/filepath"
	"testing"

	"bootllama/internal/logits"
)

// TestLogits: the logits of every position have the bits of run.c's and runq.c's, built
// with gcc -O2 -ffp-contract=off and glibc. Nothing else may come out of another
// processor, compiler or kernel either.
func TestLogits(t *testing.T) {
	cases, err := logits.ReadCases("testdata/logits.json")
	if err != nil || len(cases) == 0 {
		t.Fatal(err, len(cases))
	}
	for _, c := range cases {
		t.Run(c.Model+" "+c.Prompt, func(t *testing.T) {
			dir := "testdata"
			if _, err := os.Stat(filepath.Join(dir, c.Model)); err != nil {
				dir = "../shared/models"
			}
			if _, err := os.Stat(filepath.Join(dir, c.Model)); err != nil {
				t.Skipf("SKIPPED, logits were not compared with llama2.c's: %v (see testdata/README.md)", err)
			}
			got, err := c.Hash(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.FNV64a {
				t.Errorf("the logits' bits have the hash %s, llama2.c's %s", got, c.FNV64a)
			}
		})
	}
}
