package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bootllama"
	"bootllama/internal/run"
)

// invoke runs the command in this process.
func invoke(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = command(t.Context(), args, &out, &err)
	return out.String(), err.String(), status
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // in the one line
	}{
		{[]string{}, "no -o"},
		{[]string{"", "-o", "x"}, "CORPUS is empty"},
		{[]string{"a", "b", "-o", "x"}, "one CORPUS"},
		{[]string{"-o", "x", "--heads", "3"}, "3 heads do not divide the width of 128"},
		{[]string{"-o", "x", "--steps", "0"}, "0 steps"},
		{[]string{"-o", "x", "--vocab", "9"}, "9 tokens"},
		{[]string{"-o", "x", "--fly"}, "fly"},
		{[]string{"-o", "x", "--rate", "-1"}, "learning rate -1"},
		{[]string{"-o", "x", "--hidden", "65536", "--dim", "16384"}, "weights: must be at most"},
		{[]string{"-o", "x", "--context", "0"}, "every number must be"},
	} {
		stdout, stderr, status := invoke(t, c.args...)
		if status != statusUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.HasPrefix(stderr, "train: ") || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", c.args, status, stdout, stderr, c.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for want, args := range map[string][]string{"Usage: train": {"-h"}, "-o FOLDER": {"--help"}, "--tales N": {"corpus", "-h"}, "--dim N": {"help"}, "--heads N": {"help", "train"}, "go1.": {"--version"}, "bootllama, go1.": {"version"}} {
		stdout, stderr, status := invoke(t, args...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", args, status, stdout, stderr, want)
		}
	}
}

// TestTrain trains a tiny model on tales, which bootllama takes; the same command again finds nothing to do and reports
// the same.
func TestTrain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	args := strings.Fields("--tales 300 --dim 32 --hidden 64 --layers 1 --heads 2 --kv-heads 1 --vocab 400 --context 64 --batch 4 -n 40 --rate 0.005 --warmup 5 --sample 20 -o " + dir)
	stdout, stderr, status := invoke(t, args...)
	if status != 0 || !strings.Contains(stdout, "--- after 20 steps ---\n") || !strings.Contains(stdout, "| steps | 40, 10240 tokens |") ||
		!strings.Contains(stderr, "step 40 of 40: loss ") {
		t.Fatalf("status %d, %s\n%s", status, stdout, stderr)
	}
	for _, model := range []string{"model.bin", "model-q8.bin"} {
		name := filepath.Join(dir, model)
		var text, said bytes.Buffer
		bootllama := []string{"run", name, "-z", filepath.Join(dir, "tokenizer.bin"), "-s", "1"}
		if status := run.Main(t.Context(), bootllama, strings.NewReader(""), &text, &said); status != 0 || text.Len() == 0 {
			t.Errorf("bootllama %q: status %d, %q, %q", bootllama, status, text.String(), said.String())
		}
		c, err := llama.LoadCheckpoint(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := (llama.Config{Dim: 32, HiddenDim: 64, NLayers: 1, NHeads: 2, NKVHeads: 1, VocabSize: 400, SeqLen: 64}).Llama2(); c.Config != want {
			t.Errorf("%s: %+v; want %+v", model, c.Config, want)
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
	again, stderr, status := invoke(t, args...)
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
	byDefault, err := parse([]string{"-o", "folder"})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-o", "folder"}
	for _, m := range regexp.MustCompile(`(--[a-z-]+) [A-Z]+ .*\(default ([0-9.]+)\)`).FindAllStringSubmatch(help, -1) {
		args = append(args, m[1], m[2])
	}
	asHelped, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	if asHelped != byDefault || len(args) != 2+2*15 {
		t.Errorf("%q means\n%+v, the default is\n%+v", args, asHelped, byDefault)
	}
}
