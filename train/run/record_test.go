package run_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"bootllama"
	"bootllama/models"
	"bootllama/train"
	"bootllama/train/run"
)

// record is what package models says of the model. go test does not notice when it changes, since it is in another
// module: -count=1 makes it run again.
const record = "../../models/README.md"

// material is what the model was trained on, made again.
var material = sync.OnceValues(func() (*run.Material, error) {
	return run.Prepare(run.Default(), func(string, ...any) {})
})

func prepare(t *testing.T) *run.Material {
	t.Helper()
	m, err := material()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// recorded finds what the record says, in the first group of pattern.
func recorded(t *testing.T, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no %s", record, pattern)
	}
	return string(found[1])
}

func checkpoint(t *testing.T) *llama.Checkpoint {
	t.Helper()
	c, err := llama.ReadCheckpoint(strings.NewReader(models.Checkpoint), int64(len(models.Checkpoint)), models.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestRecord makes again what can be made in a minute: the corpus, the tokenizer and the first
// steps of the training, which have the checksums of the record. Nearly all tales fit the
// model's context.
func TestRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the corpus takes half a minute (-short)")
	}
	m := prepare(t)
	if got, want := fmt.Sprintf("%x", m.Corpus.SHA256), recorded(t, "corpus.*SHA-256 `([0-9a-f]{64})`"); got != want {
		t.Errorf("the corpus has SHA-256 %s, README.md says %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", m.Primer.SHA256), recorded(t, "primer.*SHA-256 `([0-9a-f]{64})`"); got != want {
		t.Errorf("the primer has SHA-256 %s, README.md says %s", got, want)
	}
	if string(m.TokenizerFile) != models.Tokenizer {
		t.Error("the tokenizer made from the corpus is not the built-in one")
	}

	o := run.Default()
	long := 0
	for i := range m.Corpus.Documents() {
		if len(m.Corpus.Document(i)) > o.Config.SeqLen {
			long++
		}
	}
	t.Logf("%d of %d tales do not fit the context of %d tokens", long, m.Corpus.Documents(), o.Config.SeqLen)
	if long > m.Corpus.Documents()/100 {
		t.Errorf("%d of %d tales do not fit the context: the model cannot learn how they end", long, m.Corpus.Documents())
	}
	steps, err := strconv.Atoi(recorded(t, "weights after (\\d+) steps"))
	if err != nil {
		t.Fatal(err)
	}
	trainer := train.New(o.Config, o.Train)
	batches := run.NewBatches(o, m)
	tokens := make([]uint16, o.Train.Batch*(o.Config.SeqLen+1))
	for step := range steps {
		batches.At(step, tokens)
		trainer.Step(tokens)
	}
	sum := sha256.New()
	if err := train.WriteFloat32(sum, trainer.Parameters()); err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)), recorded(t, "weights after \\d+ steps.*SHA-256 `([0-9a-f]{64})`"); got != want {
		t.Errorf("after %d steps the weights have SHA-256 %s, README.md says %s", steps, got, want)
	}
}

// TestQuality samples 200 tales of the built-in model and judges them, and measures its loss.
func TestQuality(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the corpus takes half a minute (-short)")
	}
	m, c := prepare(t), checkpoint(t)
	tok, err := llama.ReadTokenizer(strings.NewReader(models.Tokenizer), int64(len(models.Tokenizer)), models.Name, c.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	q, err := run.Judge(context.Background(), c, tok, run.Default().Tales)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d tales without a fault, %d repeat a tale of the corpus; the first:\n%s", len(q.Tales)-q.Faulty, len(q.Tales), q.Told, q.Tales[0])
	if good := len(q.Tales) - q.Faulty; good < len(q.Tales)*9/10 {
		t.Errorf("%d of %d tales are without a fault, want 90 %%", good, len(q.Tales))
	}
	if q.Told > len(q.Tales)/50 {
		t.Errorf("%d of %d tales repeat one of the corpus, want 2 %% at most", q.Told, len(q.Tales))
	}

	learned, heldOut := run.Loss(c, m.Corpus), run.Loss(c, m.HeldOut)
	float32Loss, err := strconv.ParseFloat(recorded(t, `loss of the texts held out \| ([0-9.]+) float32`), 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %.4f of tales of the corpus, %.4f of tales held out; float32 %.4f", learned, heldOut, float32Loss)
	if !(learned > 0 && heldOut <= 1.03*learned) {
		t.Errorf("loss %.4f of tales held out, %.4f of tales of the corpus: want 3 %% more at most", heldOut, learned)
	}
	if !(heldOut > 0.99*float32Loss && heldOut <= 1.01*float32Loss) {
		t.Errorf("loss %.4f, %.4f with float32: want 1 %% more at most", heldOut, float32Loss)
	}
}
