package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootllama"
	"bootllama/train"
)

// small are the options of a training that takes a second.
func small() Options {
	o := Options{Tales: 300, PrimerSteps: 10, Config: llama.Config{Dim: 32, HiddenDim: 64, NLayers: 2, NHeads: 2, NKVHeads: 1, VocabSize: 400, SeqLen: 64}, Train: train.DefaultOptions}
	o.Train.Steps, o.Train.Batch, o.Train.Warmup, o.Train.LearningRate = 30, 4, 5, 5e-3
	return o
}

func prepared(t *testing.T, o Options) *Material {
	t.Helper()
	m, err := Prepare(o, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trainUntil trains in dir, and is interrupted after a step; 0: not at all.
func trainUntil(t *testing.T, dir string, o Options, m *Material, stop int) *Run {
	t.Helper()
	r, err := Open(dir, o, m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	samples := 0
	err = r.Train(ctx, func(p Progress) {
		if p.Step == stop {
			cancel()
		}
	}, 10, func(step int, text string) error {
		if samples++; step%10 != 0 || text == "" {
			t.Errorf("after step %d a sample %q", step, text)
		}
		return nil
	})
	if stop > 0 && !errors.Is(err, context.Canceled) || stop == 0 && err != nil {
		t.Fatal(err)
	}
	if stop == 0 && samples == 0 {
		t.Error("no sample")
	}
	return r
}

// TestResume: a training that was interrupted twice, with another number of threads each time,
// makes the same files, byte for byte, and the same curve.
func TestResume(t *testing.T) {
	o := small()
	m := prepared(t, o)
	whole, parts := t.TempDir(), t.TempDir()
	r := trainUntil(t, whole, o, m, 0)
	if err := r.Write(); err != nil {
		t.Fatal(err)
	}
	if loss := r.History().Loss; !(loss[0] >= 5.5 && loss[0] <= 7 && loss[len(loss)-1] > 0 && loss[len(loss)-1] <= loss[0]-1) {
		t.Errorf("it has learned nothing: %v", loss)
	}
	for i, stop := range []int{7, 19, 0} {
		o.Train.Threads = i + 1
		again := trainUntil(t, parts, o, m, stop)
		if again.Resumed != (i > 0) {
			t.Errorf("part %d: resumed %v", i, again.Resumed)
		}
		if stop == 0 {
			if err := again.Write(); err != nil {
				t.Fatal(err)
			}
			if got, want := again.History(), r.History(); !equal(got, want) {
				t.Errorf("losses %v, without interruption %v", got, want)
			}
		}
	}
	for _, name := range []string{TokenizerName, Float32Name, Int8Name} {
		a, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(parts, name)); err != nil || string(a) != string(b) {
			t.Errorf("%s: not the same with interruptions, %v", name, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(parts, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func equal(a, b History) bool {
	if len(a.Loss) != len(b.Loss) || len(a.HeldOut) != len(b.HeldOut) {
		return false
	}
	for i := range a.Loss {
		if a.Loss[i] != b.Loss[i] {
			return false
		}
	}
	for i := range a.HeldOut {
		if a.HeldOut[i] != b.HeldOut[i] {
			return false
		}
	}
	return true
}

// TestResumeOther: another training's folder, or a damaged one, is refused and stays as it is.
func TestResumeOther(t *testing.T) {
	o := small()
	m := prepared(t, o)
	dir := t.TempDir()
	trainUntil(t, dir, o, m, 3)
	refuse := func(what string, o Options, m *Material, want string) {
		t.Helper()
		if _, err := Open(dir, o, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	other := o
	other.Train.Steps++
	refuse("another number of steps", other, m, "other options")
	another := *m
	corpus := *m.Corpus
	corpus.SHA256[0]++
	another.Corpus = &corpus
	refuse("another corpus", o, &another, "another corpus")
	for name, want := range map[string]string{stateName: stateName + ": offset ", recordName: recordName + ": "} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		refuse(name+" cut short", o, m, want)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	trainUntil(t, dir, o, m, 5)
}

// TestTextFile: any text can be the corpus; one in a hundred of its texts, but at least one, is
// held out.
func TestTextFile(t *testing.T) {
	var text strings.Builder
	for i := range 250 {
		text.WriteString(strings.Repeat("The cat sat on the mat and saw the rat. ", 1+i%3) + "\n\n")
	}
	name := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	o := small()
	o.Corpus, o.Config.VocabSize = name, 290
	m := prepared(t, o)
	if m.Corpus.Documents() != 248 || m.HeldOut.Documents() != 2 {
		t.Errorf("%d texts to train on, %d held out, of 250", m.Corpus.Documents(), m.HeldOut.Documents())
	}
	r := trainUntil(t, t.TempDir(), o, m, 0)
	if err := r.Write(); err != nil {
		t.Fatal(err)
	}
	rep, err := r.Report(t.Context(), t.Logf)
	if err != nil || rep.Quality != nil || !(rep.HeldOutLoss > 0 && rep.HeldOutLoss <= 5) || !strings.Contains(rep.String(), "248 texts") {
		t.Errorf("%v, %v", rep, err)
	}
	if err := os.WriteFile(name, []byte("only one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(o, t.Logf); err == nil || !strings.Contains(err.Error(), "one document") {
		t.Errorf("a text of one document: %v", err)
	}
}

// TestDiverged: a training that has lost its way ends with an error, not with a model.
func TestDiverged(t *testing.T) {
	o := small()
	o.Train.LearningRate = 1e39 // not a float32
	r, err := Open(t.TempDir(), o, prepared(t, o))
	if err != nil {
		t.Fatal(err)
	}
	err = r.Train(t.Context(), func(Progress) {}, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "learning rate 1e+39 is too high") {
		t.Errorf("%v", err)
	}
}
