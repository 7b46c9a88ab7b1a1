//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/run"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/models"
)

const modelsDir = "../../../shared/models"

func build(t *testing.T) disk.File {
	t.Helper()
	if _, err := vm.FindQEMU(); err != nil {
		t.Skip(err)
	}
	app, err := efi.Build(t.Context(), efi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if beside := len(app) - len(models.Checkpoint); beside > 4<<20 {
		t.Errorf("the application has %d bytes beside the model: something large was linked in", beside)
	}
	return vmtest.Content("LLAMA.EFI", app)
}

// host runs a command as the host does and returns its stdout and status.
func host(args []string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	status = run.Main(context.Background(), args, strings.NewReader(""), &out, &err)
	return out.String(), err.String(), status
}

// shellLine writes a command for the UEFI shell, every argument in quotation marks.
func shellLine(args []string) string {
	line := "LLAMA.EFI"
	for _, arg := range args {
		line += ` "` + arg + `"`
	}
	return line
}

// golden is what the test needs of a case of goldens.json: the command line. That the
// host prints what llama2.c does is the root package's test.
type golden struct {
	Model, Tokenizer  string
	Temperature, TopP float64
	Seed, Steps       int
	Prompt            *string
}

func (g golden) args(model, tokenizer string) []string {
	args := []string{"run", model, "-z", tokenizer, "-t", fmt.Sprint(g.Temperature), "-p", fmt.Sprint(g.TopP), "-s", strconv.Itoa(g.Seed), "-n", strconv.Itoa(g.Steps)}
	if g.Prompt != nil {
		args = append(args, "-i", *g.Prompt)
	}
	return args
}

// TestGoldensOnMetal runs every golden on the bare machine and on the host: stdout
// must be the same bytes, token ids and text.
func TestGoldensOnMetal(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(modelsDir, "goldens.json"))
	if err != nil {
		t.Skipf("SKIPPED, no story from bare metal was compared with the host's: %v (see testdata/README.md)", err)
	}
	var cases []golden
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	var want string
	var files []disk.File
	var lines []string
	var statuses []int
	taken := map[string]bool{}
	short := map[string]string{}
	name := func(host string) string {
		if short[host] == "" {
			short[host] = disk.ShortName(host, taken)
			files = append(files, vmtest.Copy(t, short[host], filepath.Join(modelsDir, host)))
		}
		return short[host]
	}
	for _, g := range cases {
		hostArgs := g.args(filepath.Join(modelsDir, g.Model), filepath.Join(modelsDir, g.Tokenizer))
		metalArgs := g.args(name(g.Model), name(g.Tokenizer))
		for _, ids := range []bool{false, true} {
			if ids {
				hostArgs, metalArgs = append(hostArgs, "--ids"), append(metalArgs, "--ids")
			}
			stdout, stderr, status := host(hostArgs)
			if status != 0 {
				t.Fatalf("%v: %s", hostArgs, stderr)
			}
			want += stdout
			lines = append(lines, shellLine(metalArgs))
			statuses = append(statuses, 0)
		}
	}
	// A conversation of one turn, which the positions end: nobody types here.
	chat := []string{"-t", "0", "-n", "80", "-m", "chat", "-y", "You are kind", "-i", "Tell me of a dog"}
	stdout, stderr, status := host(append([]string{"run", filepath.Join(modelsDir, "stories260K.bin"), "-z", filepath.Join(modelsDir, "tok512.bin")}, chat...))
	if status != 0 || !strings.HasPrefix(stdout, "Assistant: ") {
		t.Fatalf("chat: status %d, %q, %q", status, stdout, stderr)
	}
	want += stdout
	lines = append(lines, shellLine(append([]string{"run", name("stories260K.bin"), "-z", name("tok512.bin")}, chat...)))
	statuses = append(statuses, 0)
	app := build(t)
	for _, c := range []struct {
		name, cpu string
		cores     int
	}{{"max", "max", 4}, {"qemu64", "qemu64", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := vmtest.New(t, append(slices.Clone(files), app), 0, lines...)
			b.CPU, b.CPUs = c.cpu, c.cores
			b.WantStatuses(t, statuses...)
			if got := b.Out.String(); got != want {
				t.Errorf("%d cases: bare metal printed\n%q\nthe host\n%q", len(lines), got, want)
			}
		})
	}
}

// TestBadInputOnMetal gives the bare machine the files and arguments that must be
// refused, and wants the host's line and status for each.
func TestBadInputOnMetal(t *testing.T) {
	model, err := os.ReadFile("../../testdata/random.bin")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := os.ReadFile("../../testdata/random-tok.bin")
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string][]byte{
		"GOOD.BIN": model, "GOODTOK.BIN": tokenizer,
		"SHORT.BIN": model[:len(model)-4], "HEADER.BIN": model[:20], "EMPTY.BIN": {},
		"LONG.BIN": append(bytes.Clone(model), 1, 2, 3, 4), "NOISE.BIN": bytes.Repeat([]byte{0x5A}, 5000),
		"SHORTTOK.BIN": tokenizer[:len(tokenizer)-3], "LONGTOK.BIN": append(bytes.Clone(tokenizer), 0), "NOISETOK.BIN": bytes.Repeat([]byte{0xA5}, 500),
	}
	dir := t.TempDir()
	files := []disk.File{build(t)}
	for name, b := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, vmtest.Content(name, b))
	}
	t.Chdir(dir)
	var lines []string
	var statuses []int
	var want string
	for _, args := range [][]string{
		{"run", "MISSING.BIN", "-z", "GOODTOK.BIN"},
		{"run", "SHORT.BIN", "-z", "GOODTOK.BIN"},
		{"run", "HEADER.BIN", "-z", "GOODTOK.BIN"},
		{"run", "EMPTY.BIN", "-z", "GOODTOK.BIN"},
		{"run", "LONG.BIN", "-z", "GOODTOK.BIN"},
		{"run", "NOISE.BIN", "-z", "GOODTOK.BIN"},
		{"run", "GOOD.BIN", "-z", "MISSING.BIN"},
		{"run", "GOOD.BIN", "-z", "SHORTTOK.BIN"},
		{"run", "GOOD.BIN", "-z", "LONGTOK.BIN"},
		{"run", "GOOD.BIN", "-z", "NOISETOK.BIN"},
		{"run", "GOOD.BIN", "-z", "EMPTY.BIN"},
		{"run", "GOOD.BIN", "--no-such-option"},
		{"no-such-command"},
	} {
		_, stderr, status := host(args)
		if status == 0 || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "bootllama: ") {
			t.Errorf("%v on the host: status %d, %q: want a failure and one line", args, status, stderr)
		}
		if args[0] == "run" && len(args) == 4 && status != 1 {
			t.Errorf("%v on the host: status %d, want 1", args, status)
		}
		want += stderr
		lines, statuses = append(lines, shellLine(args)), append(statuses, status)
	}
	b := vmtest.New(t, files, 0, lines...)
	b.WantStatuses(t, statuses...)
	if got := b.Err.String(); got != want {
		t.Errorf("bare metal said\n%s\nthe host\n%s", got, want)
	}
	if b.Out.Len() != 0 {
		t.Errorf("bare metal printed %q on stdout", &b.Out)
	}
}
