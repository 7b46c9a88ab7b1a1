//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/gengguf"
	"bootllama/internal/stdio"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/screen"
)

// sits boots a volume on a machine at which a person sits, who does what do says, and returns what the machine wrote.
func sits(t *testing.T, files []disk.File, do func(ctx context.Context, m *vm.Running) error) (stdout, stderr string) {
	t.Helper()
	return sitsAt(t, filepath.Join(t.TempDir(), "disk.img"), files, do)
}

// sitsAt is sits with the image of that name, which it makes.
func sitsAt(t *testing.T, image string, files []disk.File, do func(ctx context.Context, m *vm.Running) error) (stdout, stderr string) {
	t.Helper()
	return sitsFor(t, image, 4*time.Minute, files, do)
}

// sitsFor is sitsAt for another time than four minutes.
func sitsFor(t *testing.T, image string, limit time.Duration, files []disk.File, do func(ctx context.Context, m *vm.Running) error) (stdout, stderr string) {
	t.Helper()
	application := build(t)
	application.Path = "EFI/BOOT/BOOTX64.EFI"
	if err := disk.Write(t.Context(), image, append(files, application), disk.Options{}); err != nil {
		t.Fatal(err)
	}
	var out, errs, log bytes.Buffer
	machine := vm.Machine{Disk: image, Person: true, Stay: true, Accel: "tcg", Timeout: limit, Stdout: &out, Stderr: &errs, Log: &log}
	ctx, cancel := context.WithCancel(t.Context()) // switches it off
	defer cancel()
	m, err := machine.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	failed := do(ctx, m)
	if failed != nil {
		t.Error(failed)
		cancel()
	}
	if _, err := m.Wait(); err != nil || failed != nil {
		t.Fatalf("%v; stdout %q, stderr %q", err, &out, &errs)
	}
	return out.String(), errs.String()
}

// TestMenuOnMetal: a volume with several models asks which; the person chooses with the arrow keys and digits; a mistake in
// LLAMA.TXT is told with its line, and what else it says is done; the text stays until a key is pressed, and the machine is
// switched off.
func TestMenuOnMetal(t *testing.T) {
	dir := t.TempDir()
	model, tokenizer := filepath.Join(root, "testdata/random.bin"), filepath.Join(root, "testdata/random-tok.bin")
	qwen := makeGGUF(t, dir, "tiny-qwen3", "Q8_0", gengguf.Qwen3())
	settings := "\ufeff# mine\r\ntemprature = 2\r\nmenu = 0\r\nprompt = \"once and\"\r\nseed = 5\r\nsteps = 9\r\nend = off\r\n"
	files := []disk.File{
		vmtest.Content("LLAMA.TXT", []byte(settings)), vmtest.Copy(t, "QWEN.GGU", qwen), vmtest.Content("BROKEN.BIN", []byte("24ka and no more than that, which is too little")),
		vmtest.Copy(t, "MODELS/RANDOM.BIN", model), vmtest.Copy(t, "MODELS/RANDOM.TOK", tokenizer),
	}
	stdout, stderr := sits(t, files, func(ctx context.Context, m *vm.Running) error {
		if err := m.Await(ctx, vm.Stdout, "Arrow keys"); err != nil {
			return err
		}
		lookAtMenu(t, vmtest.Watch(t, m, screen.Options{}).Await("Arrow keys"))
		for _, step := range []struct{ text, keys, shows string }{
			{"", "1 ret", "cannot be loaded here"}, // the broken one: nothing happens but a notice
			{"\x1b[B\x1b[B", "", "\x1b[7m   3 "},   // over the serial line
			{"", "up", "\x1b[7m   2 "},             // on the keyboard
			{"", "3", "\x1b[7m   3 "},
			{"", "ret", "once and"},
		} {
			if err := errors.Join(m.Type(step.text), m.Press(strings.Fields(step.keys)...)); err != nil {
				return err
			}
			if err := m.Await(ctx, vm.Stdout, step.shows); err != nil {
				return err
			}
		}
		if err := m.Await(ctx, vm.Stderr, "Press a key to switch the machine off."); err != nil {
			return err
		}
		return m.Press("x")
	})
	want, _, _ := host([]string{"run", model, "-z", tokenizer, "-i", "once and", "-s", "5", "-n", "9"})
	var shown bytes.Buffer // a terminal does not get the model's control codes
	if _, err := stdio.Text(&shown, "").Write([]byte(want)); err != nil || shown.String() == want {
		t.Fatalf("%q has no control codes (%v)", want, err)
	}
	if want = shown.String(); !strings.HasSuffix(stdout, "\x1b[?25h"+want) || len(want) < 10 {
		t.Errorf("stdout ends in %q, want %q", stdout[max(0, len(stdout)-200):], want)
	}
	for _, line := range []string{"BROKEN.BIN", "QWEN.GGU", "qwen3", "models/RANDOM.BIN", "llama2.c", "the built-in one"} {
		if !strings.Contains(strings.ToLower(stdout), strings.ToLower(line)) {
			t.Errorf("the menu has no %s", line)
		}
	}
	if line := "LLAMA.TXT:2: there is no setting \"temprature\": did you mean temperature?\n"; !strings.HasPrefix(stderr, line) {
		t.Errorf("stderr %q, want %q first", stderr, line)
	}
}

// lookAtMenu looks at the menu on the machine's screen: what cannot be loaded is grey, what is chosen is reversed.
func lookAtMenu(t *testing.T, p *vmtest.Picture) {
	t.Helper()
	var texts, grounds []color.RGBA
	for _, name := range []string{"BROKEN.BIN", "QWEN.GGU", "MODELS/RANDOM.BIN", "the built-in one"} {
		x, y, ok := p.Find(name)
		if !ok {
			x, y, ok = p.Find(strings.Replace(name, "MODELS", "models", 1))
		}
		if !ok {
			t.Fatalf("the screen has no %s:\n%s", name, p.Text())
		}
		text, ground := p.Colors(x, y)
		texts, grounds = append(texts, text), append(grounds, ground)
	}
	// The second is chosen, as it is the first that can be loaded.
	if texts[0] == texts[2] || grounds[0] != grounds[2] || texts[1] != grounds[2] || grounds[1] != texts[2] || texts[3] != texts[2] {
		t.Errorf("colours of the texts %v, of the grounds %v:\n%s", texts, grounds, p.Text())
	}
}

// TestErrorStays: an error stays on the screen until the person has chosen what happens then.
func TestErrorStays(t *testing.T) {
	stdout, stderr := sits(t, []disk.File{vmtest.Content("EFI/BOOT/LLAMA.TXT", []byte("run\r\nMISSING.BIN\r\n"))}, func(ctx context.Context, m *vm.Running) error {
		if err := m.Await(ctx, vm.Stderr, "o to switch it off"); err != nil {
			return err
		}
		return m.Type("o")
	})
	_, want, _ := host([]string{"run", "MISSING.BIN"})
	if stdout != "" || !strings.HasPrefix(stderr, want+"\nPress a key") {
		t.Errorf("stdout %q, stderr %q, want %q first", stdout, stderr, want)
	}
}
