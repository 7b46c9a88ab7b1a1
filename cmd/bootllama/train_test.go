package main

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTrain trains a tiny model on tales, which run and info take; the same command again finds nothing to do and
// reports the same.
func TestTrain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	args := strings.Fields("train --tales 300 --dim 32 --hidden 64 --layers 1 --heads 2 --kv-heads 1 --vocab 400 --context 64 --batch 4 -n 40 --rate 0.005 --warmup 5 --sample 20 -o " + dir)
	stdout, stderr, status := invoke(t, "", args...)
	if status != 0 || !strings.Contains(stdout, "--- after 20 steps ---\n") || !strings.Contains(stdout, "| steps | 40, 10240 tokens |") ||
		!strings.Contains(stderr, "step 40 of 40: loss ") {
		t.Fatalf("status %d, %s\n%s", status, stdout, stderr)
	}
	for _, model := range []string{"model.bin", "model-q8.bin"} {
		text, stderr, status := invoke(t, "", "run", filepath.Join(dir, model), "-z", filepath.Join(dir, "tokenizer.bin"), "-s", "1")
		if status != 0 || text == "" {
			t.Errorf("run %s: status %d, %q, %q", model, status, text, stderr)
		}
		if facts, stderr, status := invoke(t, "", "info", filepath.Join(dir, model)); status != 0 || !strings.Contains(facts, "hidden_dim") {
			t.Errorf("info %s: status %d, %q, %q", model, status, facts, stderr)
		}
	}
	f, err := os.Open(filepath.Join(dir, "loss.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Errorf("loss.png: %v", err)
	}

	report := regexp.MustCompile(`(?m)^\| (model|loss|tales).*\n`)
	again, stderr, status := invoke(t, "", args...)
	if status != 0 || !strings.Contains(stderr, "going on") || strings.Contains(stderr, "step ") {
		t.Errorf("again: status %d, %s", status, stderr)
	}
	want, got := report.FindAllString(stdout, -1), report.FindAllString(again, -1)
	if len(want) < 5 || strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("again it reports %q, at first %q", got, want)
	}
}

// TestTrainHelp guarantees that the defaults in the help are the defaults.
func TestTrainHelp(t *testing.T) {
	byDefault, err := parseTrain([]string{"-o", "folder"})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-o", "folder"}
	for _, m := range regexp.MustCompile(`(--[a-z-]+) [A-Z]+ .*\(default ([0-9.]+)\)`).FindAllStringSubmatch(trainHelp, -1) {
		args = append(args, m[1], m[2])
	}
	asHelped, err := parseTrain(args)
	if err != nil {
		t.Fatal(err)
	}
	if asHelped != byDefault || len(args) != 2+2*15 {
		t.Errorf("%q means\n%+v, the default is\n%+v", args, asHelped, byDefault)
	}
}
