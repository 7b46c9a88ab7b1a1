//go:build linux && amd64

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/gengguf"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/screen"
)

// TestWalk does what README tells a person to do who has no Go: a stick is made from the release's image, an assistant is
// dropped onto it, the PC starts from it, the temperature is changed, the conversation saved, the PC switched off; and the
// saved text is on the stick. The assistant's weights are random. Pictures of all states are among the test's artifacts.
func TestWalk(t *testing.T) {
	if !whole() {
		t.Skip("SKIPPED: minutes and 4 GiB; BOOTLLAMA_RELEASE=1 runs it")
	}
	for _, tool := range []string{"mcopy", "mtype"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if err := vm.Check(""); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	r := release{source: repository, output: filepath.Join(dir, "release"), version: "v1.2.3", platforms: []platform{here}, free: "4G"}
	if err := r.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	stick := filepath.Join(dir, "stick.img")
	gunzip(t, filepath.Join(r.output, "bootllama-stick.img.gz"), stick)
	model := filepath.Join(dir, "Tiny Assistant Q4_K.gguf")
	f := gengguf.New("tiny-qwen3", "Q4_K")
	f.Tokenizer = gengguf.Qwen3()
	if err := f.Create(model); err != nil {
		t.Fatal(err)
	}
	mtools(t, "mcopy", "-i", stick+"@@1M", model, "::")
	sit(t, stick)
	saved := mtools(t, "mtype", "-i", stick+"@@1M", "::walk.txt")
	if !strings.HasPrefix(saved, "# bootllama: ") || !strings.Contains(saved, "\n> Who are you?\n\n") {
		t.Errorf("what was saved: %q", saved)
	}
}

// sit sits at a PC that starts from the stick.
func sit(t *testing.T, stick string) {
	t.Helper()
	m := vm.Machine{Disk: stick, CPUs: 2, MemoryMiB: 1024, Person: true, Timeout: 15 * time.Minute}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running, err := m.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := vmtest.Watch(t, running, screen.Options{})
	await := func(name, text string) {
		t.Helper()
		s.Save(s.Await(text), name)
	}
	await("1-start", "/help")
	for i, step := range []struct{ keys, shows string }{
		{"/set length 12", "length is 12"},
		{"/set temperature 0.3", "temperature is 0.3"},
		{"Who are you?", "tok/s"},
		{"/save walk", "Saved as walk.txt"},
	} {
		if err := running.Press(vmtest.Chords(step.keys + "\r")...); err != nil {
			t.Fatal(err)
		}
		await(fmt.Sprintf("%d-%s", i+2, strings.Fields(step.keys)[0][1:]), step.shows)
	}
	if err := running.Press(vmtest.Chords("/off\r")...); err != nil {
		t.Fatal(err)
	}
	if _, err := running.Wait(); errors.Is(err, vm.ErrTimeout) {
		t.Error("the machine was not switched off: ", err)
	}
}

// gunzip unpacks a file. Zeros become holes.
func gunzip(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	block, zeros := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(block)) {
		n, err := io.ReadFull(z, block)
		if err == io.EOF {
			err = out.Truncate(at)
			if err == nil {
				return
			}
		}
		if err == nil && !bytes.Equal(block[:n], zeros) {
			_, err = out.WriteAt(block[:n], at)
		}
		if err != nil { // the image has whole MiB
			t.Fatal(err)
		}
	}
}

// mtools runs one of mtools' programs.
func mtools(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	c := exec.Command(name, args...)
	c.Stderr, c.Env = &stderr, append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v, %s", name, err, &stderr)
	}
	return string(out)
}
