//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/randommodel"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/metal/vt"
	"bootllama/models"
	"bootllama/session"
)

// rowsOf returns what is seen of an output on a large screen, row by row.
func rowsOf(output string) (rows []string) {
	const columns, height = 160, 400
	t := new(vt.Terminal)
	t.Resize(columns, height)
	for _, b := range []byte(output) {
		t.Write(b)
	}
	for y := range height {
		var row strings.Builder
		for x := range columns {
			if r := t.Cell(x, y).Rune; r != 0 {
				row.WriteRune(r)
			}
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	return rows
}

// TestSessionOnMetal: a person edits a line, stops an answer, has typed ahead, sets, changes the model, brings back a line,
// saves, pastes 5,000 characters, and switches the machine off; the saved text is on the volume.
func TestSessionOnMetal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mtype"); err != nil {
		t.Skip("SKIPPED, no saved conversation was read back: ", err)
	}
	shape := randommodel.Shape{Dim: 256, HiddenDim: 512, NLayers: 8, NHeads: 4, NKVHeads: 4, VocabSize: 300, SeqLen: 1024}
	dir := t.TempDir()
	model, image := filepath.Join(dir, "slow.bin"), filepath.Join(dir, "disk.img")
	if err := shape.Create(model); err != nil {
		t.Fatal(err)
	}
	files := []disk.File{
		vmtest.Copy(t, "SLOW.BIN", model), vmtest.Content("SLOW.TOK", randommodel.Tokenizer(shape.VocabSize)),
		vmtest.Content("LLAMA.TXT", []byte("model = SLOW.BIN\nseed = 3\ntemperature = 0\nsteps = 0\n")),
	}
	_, tokenizer, err := models.Open()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789", 500)
	tokens, err := tokenizer.Encode(long, false, false)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := sitsAt(t, image, files, func(ctx context.Context, m *vm.Running) error {
		for _, step := range []struct{ text, keys string }{
			{"and press Enter.", "one fx\x1b[Do"},
			{"one fox", "\r"},
			{"\r\none fox", "ahe\x03ad"},
			{"context ", ""},
			{"ahead", "\x15/set temperature 0.5\r"},
			{"temperature is 0.5", "/sho\r"},
			{"Did you mean /show?", "/set temperature 0\r"},
			{"temperature is 0", "/model\r"},
			{"/model and a number or name", "/model 2\r"},
			{"and press Enter.", "One day\r"},
			{"tok/s · context ", "/save story\r"},
			{"Saved as story.txt", "\x1b[A\x1b[A!"},
			{"One day!", "\x03"},
			{"^C", long + "\r"},
			{fmt.Sprintf("That line is %d tokens long", len(tokens)), "/off\r"},
		} {
			if err := m.Await(ctx, vm.Stdout, step.text); err != nil {
				return fmt.Errorf("no %q: %w", step.text, err)
			}
			if err := m.Type(step.keys); err != nil {
				return err
			}
		}
		return nil
	})
	rows := rowsOf(stdout)
	if figures := regexp.MustCompile(`context (\d+) of 1024`).FindStringSubmatch(stdout); figures == nil {
		t.Errorf("no figures of the first answer in %q", rows)
	} else if used, _ := strconv.Atoi(figures[1]); used < 2 || used > 1000 {
		t.Errorf("Ctrl-C stopped the answer at token %d", used)
	}
	tale, _, _ := host([]string{"run", "-t", "0", "-n", "0", "-s", "3", "-i", "One day"})
	tale = strings.TrimSpace(tale)
	at := slices.Index(rows, "> One day")
	if at < 0 || !strings.HasPrefix(strings.Join(rows[at+1:], " "), strings.ReplaceAll(tale, "\n", " ")+" ") {
		t.Errorf("the tale is not %q in\n%s", tale, strings.Join(rows, "\n"))
	}
	text, err := exec.Command("mtype", "-i", image+"@@1M", "::/story.txt").Output()
	if err != nil || !bytes.HasPrefix(text, []byte(session.TranscriptBegin+models.Name)) || !bytes.HasSuffix(text, []byte("\n\n> One day\n\n"+tale+"\n")) {
		t.Errorf("saved: %v, %q", err, text)
	}
	// A slow host sees how far loading is.
	if rest := regexp.MustCompile(`\r(loading \[[^\r]*| *)`).ReplaceAllString(stderr, ""); rest != "" {
		t.Errorf("stderr %q", rest)
	}
}
