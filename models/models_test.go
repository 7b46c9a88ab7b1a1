package models_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"testing"

	"bootllama/models"
)

// TestRecord: the model and its tokenizer have the checksums of README.md, and the model is small. That the training makes
// them is tested where the training is, in module bootllama/train.
func TestRecord(t *testing.T) {
	record, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"model-q8.bin": models.Checkpoint, "tokenizer.bin": models.Tokenizer} {
		sum := sha256.Sum256([]byte(data))
		want := regexp.QuoteMeta(name) + ".*SHA-256 `" + hex.EncodeToString(sum[:]) + "`"
		if !regexp.MustCompile(want).Match(record) {
			t.Errorf("README.md has no %s", want)
		}
	}
	if len(models.Checkpoint) > 2<<20 {
		t.Errorf("the model has %d bytes, more than 2 MiB", len(models.Checkpoint))
	}
}
