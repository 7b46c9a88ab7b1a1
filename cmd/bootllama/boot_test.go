package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bootllama"
	"bootllama/internal/gengguf"
	"bootllama/internal/randommodel"
)

// The same arguments say the same on the host and on a machine without an operating system.
func TestBootSaysWhatRunSays(t *testing.T) {
	needQEMU(t)
	const random = "../../testdata/"
	// One that takes long enough to load that a terminal would show how far that is.
	dir := t.TempDir()
	slow, slowTokenizer := filepath.Join(dir, "slow.bin"), filepath.Join(dir, "tok.bin")
	if err := errors.Join(randommodel.Stories15M.Create(slow), os.WriteFile(slowTokenizer, randommodel.Tokenizer(32000), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model, tokenizer string
		options          []string
	}{
		{models + "stories260K.bin", models + "tok512.bin", []string{"-t", "0", "-n", "256"}},
		{models + "stories260K.bin", models + "tok512.bin", []string{"-t", "0.8", "-s", "7", "-n", "40", "-i", "#1: \"Tom\"\nand Ümit ", "--ids"}},
		{random + "random-q8.bin", random + "random-tok.bin", []string{"-s", "5", "-n", "30", "-i", "once"}},
		{slow, slowTokenizer, []string{"-s", "5", "-n", "3"}},
	} {
		t.Run(filepath.Base(c.model), func(t *testing.T) {
			if _, err := os.Stat(c.model); err != nil {
				t.Skip("no model: ", err)
			}
			args := append([]string{c.model, "-z", c.tokenizer}, c.options...)
			want, _, status := invoke(t, "", append([]string{"run"}, args...)...)
			if status != 0 {
				t.Fatal("run", status)
			}
			log := filepath.Join(t.TempDir(), "log")
			got, stderr, status := invoke(t, "", append([]string{"boot", "--log", log}, args...)...)
			if status != 0 || got != want || !regexp.MustCompile(`^achieved tok/s: [0-9.]+\n$`).MatchString(stderr) {
				t.Errorf("%q: status %d, stdout %q, stderr %q; run says %q", c.options, status, got, stderr, want)
			}
			if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "BdsDxe") {
				t.Errorf("console log %q, %v", text, err)
			}
		})
	}
}

// What the host would have found, the machine finds too.
func TestBootReportsFailure(t *testing.T) {
	needModels(t)
	needQEMU(t)
	stdout, stderr, status := invoke(t, "", "boot", "--no-check", "absent-model.bin", "-z", models+"tok512.bin")
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "bootllama: ") ||
		!strings.Contains(stderr, "absent-model.bin") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// Piped lines are typed at the machine's console; their end is the end of the session.
func TestBootConsole(t *testing.T) {
	needModels(t)
	needQEMU(t)
	person := &typing{lines: []string{"One day a dog\n", "The end\n"}}
	var errs bytes.Buffer
	status := command(t.Context(), []string{"boot", models + "stories260K.bin", "-z", models + "tok512.bin", "-t", "0", "-n", "30", "--console"},
		streams{person, person, &errs})
	stdout, stderr := person.text(), errs.String()
	if status != 0 || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	for _, text := range []string{"One day a dog", "The end"} {
		story, _, _ := invoke(t, "", "run", models+"stories260K.bin", "-z", models+"tok512.bin", "-t", "0", "-n", "30", "-i", text)
		if !strings.Contains(stdout, strings.TrimSuffix(story, "\n")) {
			t.Errorf("%q is not in %q", story, stdout)
		}
	}
}

// A conversation with a GGUF model, typed at the machine's console, is the host's.
func TestBootConversation(t *testing.T) {
	needQEMU(t)
	f := gengguf.New("tiny-qwen3", "Q4_K")
	f.Tokenizer = gengguf.Qwen3()
	model := filepath.Join(t.TempDir(), "tiny-qwen3.Q4_K.gguf")
	if err := f.Create(model); err != nil {
		t.Fatal(err)
	}
	options := []string{model, "-s", "7", "-n", "20", "-y", "Be brief."}
	lines := []string{"Who are you?\n", "And \"then\"?\n"}
	text, stderr, status := invoke(t, strings.Join(lines, ""), append([]string{"console"}, options...)...)
	if turns := strings.Split(text, "\n> "); status != 0 || len(turns) != 4 || len(turns[1]) < 20 {
		t.Fatalf("the host: status %d, %q, %q", status, text, stderr)
	}
	person := &typing{lines: lines}
	var errs bytes.Buffer
	if status := command(t.Context(), append([]string{"boot", "--console"}, options...), streams{person, person, &errs}); status != 0 || errs.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, &errs)
	}
	want := text
	for _, line := range lines { // a machine shows what is typed
		want = strings.Replace(want, "\n> ", "\n>\x00"+line, 1)
	}
	want = strings.ReplaceAll(want, "\x00", " ")
	if got := person.text(); got != want {
		t.Errorf("the machine printed\n%q\nwith what was typed, the host\n%q", got, want)
	}
}

// TestBootLarge boots models of the size that people use from an image: Llama 3.2 1B on a machine with 2 GiB, and 3.1 8B,
// which is in two files there, with 7 GiB.
func TestBootLarge(t *testing.T) {
	if os.Getenv("BOOTLLAMA_LARGE") == "" {
		t.Skip("SKIPPED: 20 GiB of files and minutes; BOOTLLAMA_LARGE=1 runs it")
	}
	needQEMU(t)
	for _, c := range []struct {
		model, typ string
		memory     string
		sparse     bool // without data, which are all zeros: it stands for the size
		options    []string
	}{
		{"llama32-1b", "Q4_K_M", "2048", false, []string{"-n", "8", "-c", "512", "-i", "Once upon"}},
		{"llama32-1b", "Q8_0", "2048", false, []string{"-n", "8", "-c", "512", "-i", "Once upon"}},
		{"llama31-8b", "Q4_K_M", "7168", true, []string{"-n", "2", "-c", "512", "-i", "a"}},
	} {
		t.Run(c.model+" "+c.typ, func(t *testing.T) {
			f := gengguf.New(c.model, c.typ)
			f.Tokenizer, f.Sparse = gengguf.Qwen2(), c.sparse
			f.Tokenizer.Pad(f.Vocab)
			if c.sparse {
				f.RoPEFactor = 0 // no rope_freqs.weight: its zeros would be refused
			}
			name := filepath.Join(t.TempDir(), c.model+"."+c.typ+".gguf")
			if err := f.Create(name); err != nil {
				t.Fatal(err)
			}
			options := append([]string{name, "-t", "0", "--ids"}, c.options...)
			stdout, stderr, status := invoke(t, "", append([]string{"boot", "--memory", c.memory, "--timeout", "1h"}, options...)...)
			t.Logf("%q %s", stdout, stderr)
			want := stdout
			if !c.sparse {
				want, _, _ = invoke(t, "", append([]string{"run"}, options...)...)
			}
			if status != 0 || stdout != want || len(strings.Fields(stdout)) < 2 {
				t.Errorf("status %d, %q, %q, the host %q", status, stdout, stderr, want)
			}
		})
	}
}

// typing is a person who types a line at each prompt. Whoever types while a story is told sees it in the
// middle of the story, as on any terminal.
type typing struct {
	mu    sync.Mutex
	out   bytes.Buffer
	lines []string
	typed int
}

func (p *typing) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *typing) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *typing) Read(b []byte) (int, error) {
	for strings.Count(p.text(), "\n> ") <= p.typed {
		time.Sleep(20 * time.Millisecond)
	}
	if p.typed == len(p.lines) {
		return 0, io.EOF
	}
	p.typed++
	return copy(b, p.lines[p.typed-1]), nil
}

func TestBootTimeout(t *testing.T) {
	needModels(t)
	needQEMU(t)
	stdout, stderr, status := invoke(t, "", "boot", models+"stories260K.bin", "-z", models+"tok512.bin", "--timeout", "100ms")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "time limit reached (100ms)") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestMemory(t *testing.T) {
	needModels(t)
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{models + "stories260K.bin", "-z", models + "tok512.bin"}, 512},
		{[]string{models + "stories260K.bin", "-z", models + "tok512.bin", "--memory", "300"}, 300},
		{[]string{models + "absent.bin", "--no-check"}, 512},
		{[]string{"--memory", "116"}, 116},
	} {
		o, err := parseBoot(c.args)
		if err == nil {
			err = o.prepare()
		}
		if err != nil || o.machine.MemoryMiB != c.want {
			t.Errorf("%q: %d MiB, %v; want %d", c.args, o.machine.MemoryMiB, err, c.want)
		}
	}
	// Too little: one line with what is needed, also where the machine is to check the files.
	for _, c := range [][]string{
		{models + "stories260K.bin", "-z", models + "tok512.bin", "--memory", "64"}, {"--memory", "64"}, {"--memory", "104"}, {"--memory", "106"},
		{"--memory", "96", "--no-check"}, {models + "absent.bin", "--no-check", "--memory", "104"},
	} {
		stdout, stderr, status := invoke(t, "", append([]string{"boot"}, c...)...)
		if status != statusFailed || stdout != "" || !regexp.MustCompile(`^bootllama: --memory \d+: the machine needs at least 1[01]\d MiB for this model, (59|6\d) of them for its firmware\n$`).MatchString(stderr) {
			t.Errorf("%q: status %d, stdout %q, stderr %q", c, status, stdout, stderr)
		}
	}
	// 1 GiB of embedding, as much of keys and values, and little else.
	h := llama.Header{
		Config:  llama.Config{Dim: 4096, HiddenDim: 1, NLayers: 1, NHeads: 1, NKVHeads: 1, VocabSize: 1 << 16, SeqLen: 1 << 15}.Llama2(),
		Tensors: []llama.Tensor{{Weight: "token_embedding_table", Rows: 1 << 16, Columns: 4096, Bytes: 1 << 30}},
	}
	if got := memoryMiB(h); got < 128+(2048+48+256)*10/9 || got > 128+(2048+48+1024)*10/9 {
		t.Errorf("%d MiB, for %+v", got, h.Memory())
	}
}
