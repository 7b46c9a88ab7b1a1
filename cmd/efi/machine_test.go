//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/golden"
	"bootllama/internal/randommodel"
	"bootllama/internal/run"
	"bootllama/internal/vm/vmtest"
)

const root = "../.." // of the repository

func build(t *testing.T) disk.File {
	t.Helper()
	vmtest.Need(t)
	app, err := efi.Build(t.Context(), efi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(app) > 6<<20 {
		t.Errorf("the application has %d bytes: something large was linked in", len(app))
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

// script is what the bare machine's shell runs: lines, the files that they need, and
// what has to come out of each.
type script struct {
	files []disk.File
	lines []string
	wants []string
	names map[string]string // path on the host: name on the volume
}

func newScript() *script {
	return &script{names: map[string]string{}}
}

// add adds a command line, in which files are named by their paths, and what llama2.c
// wrote; the host has to write that, too.
func (s *script) add(t *testing.T, args []string, want string) {
	t.Helper()
	if stdout, stderr, status := host(args); status != 0 || stdout != want {
		t.Errorf("%q on the host: status %d, %q, stdout %q, llama2.c's %q", args, status, stderr, stdout, want)
	}
	metal := slices.Clone(args)
	for i, path := range metal {
		if strings.HasSuffix(path, ".bin") || strings.HasSuffix(path, ".gguf") {
			metal[i] = s.name(t, path)
		}
	}
	s.lines = append(s.lines, shellLine(metal))
	s.wants = append(s.wants, want)
}

// every returns each nth of all, from the one with the index first on.
func every[E any](first, n int, all []E) (some []E) {
	for i := first; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// name returns the name on the volume of a file of the host.
func (s *script) name(t *testing.T, path string) string {
	t.Helper()
	if s.names[path] == "" {
		s.names[path] = strconv.Itoa(len(s.names)) + "-" + filepath.Base(path)
		s.files = append(s.files, vmtest.Copy(t, s.names[path], path))
	}
	return s.names[path]
}

// TestGoldensOnMetal: the bare machine and the host write the bytes that llama2.c wrote,
// ids of tokens and text, with the models of this repository and with published ones,
// which a clone does not have; and the same bytes with GGUF models.
func TestGoldensOnMetal(t *testing.T) {
	s := newScript()
	for _, name := range append(slices.Clone(golden.Own), golden.Published) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			path := filepath.Join(root, name)
			if golden.Absent(path) {
				t.Skipf("SKIPPED, bare metal told no story of a published model: no %s (see testdata/README.md)", path)
			}
			cases, err := golden.Read[golden.Case](path)
			if err != nil {
				t.Fatal(err)
			}
			all := !slices.Contains(golden.Own, name)
			for i, c := range cases {
				// To start the application takes seconds: TestLogitsOnMetal has all the others.
				args := c.In(root).Args()
				if all && i%2 == 0 || i%16 == 0 {
					if name == golden.Own[0] && i == 0 { // another model guesses
						args = append(args, "--draft", filepath.Join(root, "testdata/random-q8.bin"))
					}
					s.add(t, args, c.Text())
				}
				if all && i%2 == 1 || i%16 == 8 {
					s.add(t, append(args, "--ids"), c.IDs())
				}
			}
		})
	}
	conversations, err := golden.Read[golden.Conversation](filepath.Join(root, "chat/testdata/chat.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conversations {
		if c.Name == "a tale, sampled, prompts from options" { // nobody types here
			s.add(t, c.Command(root), string(c.Stdout))
		}
	}
	s.addGGUF(t, t.TempDir())
	app := build(t)
	for _, c := range []struct {
		name, cpu  string
		cores, nth int
	}{{"max", "max", 4, 1}, {"qemu64", "qemu64", 1, 3}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nth := vmtest.Of(c.nth)
			lines := every(0, nth, s.lines)
			b := vmtest.New(t, append(slices.Clone(s.files), app), 0, lines...)
			b.CPU, b.CPUs = c.cpu, c.cores
			b.WantStatuses(t, make([]int, len(lines))...)
			if got, want := b.Out.String(), strings.Join(every(0, nth, s.wants), ""); got != want {
				t.Errorf("%d cases: bare metal printed\n%q\nllama2.c\n%q", len(lines), got, want)
			}
		})
	}
}

// TestTooLittleMemoryOnMetal: where a model's weights fit, but not its keys and values, each command says so in one line
// before it loads them, as on the host (see internal/run), and the machine still runs what fits.
func TestTooLittleMemoryOnMetal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.bin")
	if err := randommodel.TooLargeCache.Create(path); err != nil {
		t.Fatal(err)
	}
	files := []disk.File{build(t), vmtest.Copy(t, "M.BIN", path), vmtest.Content("T.BIN", randommodel.Tokenizer(randommodel.TooLargeCache.VocabSize))}
	b := vmtest.New(t, files, 0, shellLine([]string{"run", "M.BIN", "-z", "T.BIN"}), shellLine([]string{"console", "M.BIN", "-z", "T.BIN"}),
		shellLine([]string{"bench", "M.BIN"}), shellLine([]string{"run", "-s", "10", "-n", "5"}))
	b.MemoryMiB = 256
	b.WantStatuses(t, 1, 1, 1, 0)
	line := `bootllama: model: M\.BIN needs 3\d\d MiB of memory \(weights 21, keys and values 256, state \d+, the program up to \d+\) and there are 1\d\d MiB\n`
	if !regexp.MustCompile("^(" + line + "){3}achieved tok/s: [0-9.]+\n$").MatchString(b.Err.String()) {
		t.Errorf("stderr %q, want three times %s", b.Err.String(), line)
	}
	if want, _, _ := host([]string{"run", "-s", "10", "-n", "5"}); b.Out.String() != want {
		t.Errorf("stdout %q, want %q", b.Out.String(), want)
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
