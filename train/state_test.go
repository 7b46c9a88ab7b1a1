package train

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// savedState is a training of a few steps as a file.
func savedState(t *testing.T) (*Trainer, []byte) {
	t.Helper()
	tr := New(grouped, testOptions(3))
	for i := range 3 {
		tr.Step(randomTokens(grouped, 3, uint64(i)))
	}
	var b bytes.Buffer
	if err := tr.Save(&b); err != nil {
		t.Fatal(err)
	}
	return tr, b.Bytes()
}

// TestResume: a training that is saved and loaded goes on bit for bit as the one that is not.
func TestResume(t *testing.T) {
	tr, file := savedState(t)
	again, err := Load(iotest.OneByteReader(bytes.NewReader(file)), "state", Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if tr.StepsDone != 3 || again.StepsDone != 3 {
		t.Fatalf("%d and %d steps are done, want 3", tr.StepsDone, again.StepsDone)
	}
	for i := range 4 {
		tokens := randomTokens(grouped, 3, uint64(10+i))
		if a, b := tr.Step(tokens), again.Step(tokens); a != b {
			t.Fatalf("step %d: %+v, and after Load %+v", i, a, b)
		}
	}
	for i, want := range []*Parameters{tr.parameters, tr.m, tr.v} {
		if j := differs([]*Parameters{again.parameters, again.m, again.v}[i].Data, want.Data); j >= 0 {
			t.Errorf("values %d differ at %d", i, j)
		}
	}
	var a, b bytes.Buffer
	if err := errors.Join(tr.Save(&a), again.Save(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the files differ, or %v", err)
	}
}

// TestDamagedState: no byte may be lost, added or changed.
func TestDamagedState(t *testing.T) {
	_, file := savedState(t)
	fails := func(what string, r io.Reader, want string) {
		t.Helper()
		tr, err := Load(r, "state.bin", Options{})
		if err == nil || tr != nil || !strings.HasPrefix(err.Error(), "state.bin: offset ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", what, err, want)
		}
	}
	for n := 0; n < len(file); n += max(1, min(n, 4999)) {
		fails("cut short", bytes.NewReader(file[:n]), "the file ends within the")
	}
	fails("cut short", bytes.NewReader(file[:len(file)-1]), "the file ends within the checksum")
	fails("too long", bytes.NewReader(append(slices.Clone(file), 0)), "goes on")
	fails("unreadable", io.MultiReader(bytes.NewReader(file[:5000]), iotest.ErrReader(errors.New("lamp burnt out"))), "weights: lamp burnt out")
	fails("another file", bytes.NewReader(make([]byte, 4096)), "offset 0: magic")
	for _, c := range []struct {
		at   int
		want string
	}{
		{0, "magic"}, {8, "version"}, {15, "header"}, {12 + 4*4, "keys and values"}, {40, "there is nothing to train"},
		{60, "checksum"}, {headerSize, "checksum"}, {len(file) / 2, "checksum"}, {len(file) - 1, "checksum"},
	} {
		damaged := slices.Clone(file)
		damaged[c.at] ^= 0x80
		if c.at == 40 {
			copy(damaged[40:], []byte{0, 0, 0, 0})
		}
		fails("changed", bytes.NewReader(damaged), c.want)
	}
}

// TestSaveFails: what the writer says is passed on, wherever it says so.
func TestSaveFails(t *testing.T) {
	tr, file := savedState(t)
	for _, n := range []int{0, headerSize, len(file) / 2, len(file) - 1} {
		w := &shortWriter{n}
		if err := tr.Save(w); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("with room for %d bytes: %v", n, err)
		}
	}
}

// shortWriter has room for so many bytes.
type shortWriter struct{ room int }

func (w *shortWriter) Write(b []byte) (int, error) {
	if len(b) > w.room {
		return w.room, io.ErrShortWrite
	}
	w.room -= len(b)
	return len(b), nil
}
