package llama

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// modelsDir holds published models, which are no part of the repository.
const modelsDir = "../shared/models"

// golden is a case of goldens.json: see testdata/README.md.
type golden struct {
	Model       string
	Tokenizer   string
	Temperature float32
	TopP        float32
	Seed        uint64
	Steps       int
	Prompt      *string
	Reference   string
	Tokens      []int
	Stdout      *string // null: only the tokens are compared
}

// readGoldens returns the cases in a file.
func readGoldens(t *testing.T, name string) []golden {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var gs []golden
	if err := json.Unmarshal(data, &gs); err != nil {
		t.Fatal(err)
	}
	if len(gs) == 0 {
		t.Fatalf("%s has no case", name)
	}
	return gs
}

// TestGoldens: the tokens and the text of llama2.c's run, with models that
// others trained.
func TestGoldens(t *testing.T) {
	if _, err := os.Stat(modelsDir); err != nil {
		t.Skipf("SKIPPED, no story was compared with llama2.c: %v (see testdata/README.md)", err)
	}
	for i, g := range readGoldens(t, filepath.Join(modelsDir, "goldens.json")) {
		t.Run(fmt.Sprintf("%d/%s", i, g.Model), func(t *testing.T) {
			g.compare(t, modelsDir)
		})
	}
}

// TestRandomGoldens: the tokens of llama2.c's run with the committed model,
// whose classifier is separate.
func TestRandomGoldens(t *testing.T) {
	for i, g := range readGoldens(t, "testdata/random.json") {
		t.Run(fmt.Sprint(i), func(t *testing.T) { g.compare(t, "testdata") })
	}
}

// load returns a generator as the golden's command line makes it.
func (g *golden) load(t *testing.T, dir string) *Generator {
	t.Helper()
	c, err := LoadCheckpoint(filepath.Join(dir, g.Model), nil)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := LoadTokenizer(filepath.Join(dir, g.Tokenizer), c.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	return &Generator{NewTransformer(c, Options{}), tok, NewSampler(c.Config.VocabSize, g.Temperature, g.TopP, g.Seed, nil)}
}

// compare runs the case with the files in dir.
func (g *golden) compare(t *testing.T, dir string) {
	prompt := ""
	if g.Prompt != nil {
		prompt = *g.Prompt
	}
	var ids []int
	_, err := g.load(t, dir).Generate(context.Background(), prompt, g.Steps, func(token int, _ string) error {
		ids = append(ids, token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, g.Tokens) {
		i := 0
		for i < len(ids) && i < len(g.Tokens) && ids[i] == g.Tokens[i] {
			i++
		}
		t.Errorf("%d tokens, want %d; they differ from token %d on:\n got %v\nwant %v", len(ids), len(g.Tokens), i, ids[i:], g.Tokens[i:])
	}
	if g.Stdout == nil {
		return
	}
	var text bytes.Buffer
	if _, err := g.load(t, dir).GenerateText(context.Background(), &text, prompt, g.Steps); err != nil {
		t.Fatal(err)
	}
	if text.String() != *g.Stdout {
		t.Errorf("stdout:\n got %q\nwant %q", text.String(), *g.Stdout)
	}
}
