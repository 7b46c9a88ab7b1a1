//go:build linux && amd64

package main

import (
	"bytes"
	"debug/pe"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bootllama"
	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/gengguf"
	"bootllama/internal/randommodel"
	"bootllama/internal/vm/vmtest"
)

// measure is the program whose memory is measured.
const measure = "bootllama/cmd/efi/internal/measure"

// generation are the options of run: a text that no model here ends sooner.
var generation = []string{"-n", "8", "-s", "1"}

// measured are the models, by 8.3 names.
var measured = []struct {
	name   string
	create func(name string) error
}{
	{"15M.BIN", randommodel.Stories15M.Create},
	{"15M-Q8.BIN", randommodel.Stories15M.Int8().Create},
	{"110M.BIN", randommodel.Stories110M.Create},
	{"110M-Q8.BIN", randommodel.Stories110M.Int8().Create},
	{"1100M-Q8.BIN", randommodel.TinyLlama1100.Int8().Create},
	{"QWEN-Q8.GGU", qwen3("Q8_0")},
	{"QWEN-Q4.GGU", qwen3("Q4_0")},
	{"QWEN-Q4K.GGU", qwen3("Q4_K_M")},
}

// qwen3 makes a model of Qwen3 0.6B's shape, but for the number of layers, with 151,936 tokens.
func qwen3(typ string) func(name string) error {
	return func(name string) error {
		f := gengguf.New("qwen3-0.6b", typ)
		f.Layers, f.Mixed, f.Tokenizer = 2, true, gengguf.Qwen3()
		f.Tokenizer.Grow(f.Vocab)
		return f.Create(name)
	}
}

// arguments are what runs a model of a folder.
func arguments(dir, name string) []string {
	args := append([]string{"run", filepath.Join(dir, name)}, generation...)
	if strings.HasSuffix(name, ".GGU") {
		return append(args, "-c", "1024", "-i", "Once")
	}
	return append(args, "-z", filepath.Join(dir, "TOK.BIN"))
}

// machines are what models run on, bare; 0 MiB: as boot has it. The others are for the host: a machine without KVM takes a minute for each.
var machines = []struct {
	models string
	mib    int
}{
	{"15M.BIN 15M-Q8.BIN", 0},
	{"110M.BIN", 0},
	{"1100M-Q8.BIN", 0},
	{"1100M-Q8.BIN", 6144},
	{"QWEN-Q4K.GGU", 0},
}

// TestPeakMemory loads models and generates, as a process and on the bare machine: no more memory is used than info
// foretells, and while the model talks nothing is collected.
func TestPeakMemory(t *testing.T) {
	leavesNothing(t)
	dir := t.TempDir()
	headers := map[string]llama.Header{}
	for _, m := range measured {
		if large := m.name == "1100M-Q8.BIN"; large && os.Getenv("BOOTLLAMA_LARGE") == "" {
			t.Logf("SKIPPED %s: 1.2 GiB and minutes; BOOTLLAMA_LARGE=1 tests it too", m.name)
			continue
		} else if large && testing.Short() {
			continue
		}
		if err := m.create(filepath.Join(dir, m.name)); err != nil {
			t.Fatal(err)
		}
		o, err := parseBoot(arguments(dir, m.name)[1:])
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.Header()
		if err != nil {
			t.Fatal(err)
		}
		headers[m.name] = h
	}
	tokenizer := randommodel.Tokenizer(32000)
	if err := os.WriteFile(filepath.Join(dir, "TOK.BIN"), tokenizer, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("host", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "measure")
		if out, err := exec.Command("go", "build", "-o", program, measure).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, m := range measured {
			if h, ok := headers[m.name]; ok {
				cmd := exec.Command(program, arguments(dir, m.name)...)
				cmd.Stderr = os.Stderr
				out, err := cmd.Output()
				if err != nil {
					t.Errorf("%s: %v", m.name, err)
					continue
				}
				// Eight tokens touch little of the cache: count it as if they had filled it.
				checkMemory(t, m.name, h, string(out), h.Memory().Cache)
			}
		}
	})
	t.Run("metal", func(t *testing.T) {
		needQEMU(t)
		app, err := efi.Build(t.Context(), efi.Options{Package: measure})
		if err != nil {
			t.Fatal(err)
		}
		image := imageSize(t, app)
		for _, machine := range machines {
			b := metalBench(t, app, dir, tokenizer, headers, strings.Fields(machine.models))
			if b == nil {
				continue
			}
			names := strings.Fields(machine.models)
			if machine.mib != 0 {
				b.MemoryMiB = machine.mib
			}
			t.Logf("%v: %d MiB", names, b.MemoryMiB)
			for _, status := range b.Run(t) {
				if status != 0 {
					t.Errorf("exit status %d", status)
				}
			}
			for _, name := range names {
				if h, ok := headers[name]; ok {
					checkMemory(t, name, h, b.Out.String(), image+unlucky(t, name, b.Out.String()))
					// What metal tells the garbage collector that there is (GOMEMLIMIT) must be enough.
					if taken := figureOf(t, name, b.Out.String(), "taken"); h.Memory().Total()-image > taken/10*9 {
						t.Errorf("%s: the firmware of a machine of %d MiB leaves %d bytes", name, b.MemoryMiB, taken)
					}
				}
			}
			// What takes long to load says how far it is, and leaves an empty line.
			if bar := regexp.MustCompile(`\rloading \[[=> ]+\] +\d+%  \d+ of \d+ MB, \d+ MB/s, [0-9ms]+ left *\r +\rachieved`); names[0] == "110M.BIN" && !bar.MatchString(b.Err.String()) {
				t.Errorf("no bar, or not removed: %q", b.Err.String())
			}
			if machine.mib > 4096 && figureOf(t, names[0], b.Out.String(), "high") == 0 {
				t.Error("no memory above 4 GiB")
			}
		}
	})
}

// metalBench makes a machine with the memory that boot would give it; nil if none of the models is to be tested.
func metalBench(t *testing.T, app []byte, dir string, tokenizer []byte, headers map[string]llama.Header, names []string) *vmtest.Bench {
	files := []disk.File{vmtest.Content("MEASURE.EFI", app), vmtest.Content("TOK.BIN", tokenizer)}
	var lines []string
	memory := 0
	for _, name := range names {
		h, ok := headers[name]
		if !ok || testing.Short() && strings.HasPrefix(name, "110M") {
			delete(headers, name)
			continue
		}
		files = append(files, vmtest.Copy(t, name, filepath.Join(dir, name)))
		lines = append(lines, "MEASURE.EFI "+strings.Join(arguments("", name), " "))
		memory = max(memory, memoryMiB(h))
	}
	if len(lines) == 0 {
		return nil
	}
	b := vmtest.New(t, files, 0, lines...)
	b.MemoryMiB, b.Timeout = memory, 40*time.Minute
	return b
}

// checkMemory compares what measure said of a model with what was foretold; uncounted is what measure did not count.
func checkMemory(t *testing.T, name string, h llama.Header, said string, uncounted int64) {
	t.Helper()
	m := h.Memory()
	tensors := int64(0) // in the file
	for _, w := range h.Tensors {
		tensors += w.Bytes
	}
	if strings.HasSuffix(name, ".GGU") && m.Weights > tensors/10*11 {
		t.Errorf("%s: weights of %d bytes for tensors of %d", name, m.Weights, tensors)
	}
	peak := figureOf(t, name, said, "peak") + uncounted
	over := peak - m.Weights - m.Cache - m.State
	mib := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }
	first, last := figureOf(t, name, said, "first_ms"), figureOf(t, name, said, "last_ms")
	pieces := figureOf(t, name, said, "pieces")
	t.Logf("%s: weights %s, keys and values %s, state %s, foretold %s, peak %s MiB (%s beside the model's); first token after %d ms, %d pieces after %d; %d collections",
		name, mib(m.Weights), mib(m.Cache), mib(m.State), mib(h.Memory().Total()), mib(peak), mib(over), first, pieces, last, figureOf(t, name, said, "collections"))
	if pieces < 6 { // 8 and the newline, but for those that are control bytes or nothing
		t.Errorf("%s: %d pieces of text: nothing was generated", name, pieces)
	}
	if peak > h.Memory().Total() {
		t.Errorf("%s: %s MiB beside the model's, more than the %s of llama.Overhead", name, mib(over), mib(llama.Overhead))
	}
	if peak < m.Weights {
		t.Errorf("%s: less than the weights: this is no measurement", name)
	}
	if n := figureOf(t, name, said, "during"); n != 0 {
		t.Errorf("%s: %d garbage collections during generation", name, n)
	}
}

// unlucky is what a program takes on metal when the runtime throws its dice worse than this time: since Go 1.26 the heap
// begins anywhere in its first chunk (runtime.mheap.grow), and all of a chunk is mapped.
func unlucky(t *testing.T, name, said string) int64 {
	const chunk, page = 4 << 20, 8 << 10 // the runtime's pallocChunkBytes and pageSize
	needed := (figureOf(t, name, said, "heap") + 2*chunk - page - 1) / chunk * chunk
	return max(0, needed-figureOf(t, name, said, "mapped"))
}

// figureOf finds a figure in what measure said of a model.
func figureOf(t *testing.T, name, said, figure string) int64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)(?:^|/)` + regexp.QuoteMeta(name) + `:.* ` + figure + `=(\d+)`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("no %s of %s in %q", figure, name, said)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// imageSize is what the firmware allocates for an application's image.
func imageSize(t *testing.T, app []byte) int64 {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(app))
	if err != nil {
		t.Fatal(err)
	}
	return int64(f.OptionalHeader.(*pe.OptionalHeader64).SizeOfImage)
}
