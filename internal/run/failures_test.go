package run

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bootllama/workers"
)

var errBroken = errors.New("broken pipe of the test")

// failAt is a writer of which one Write fails, the one after n others.
type failAt struct {
	n, writes int
}

func (w *failAt) Write(b []byte) (int, error) {
	if w.writes++; w.writes == w.n+1 {
		return 0, errBroken
	}
	return len(b), nil
}

// typed is a command and what is typed meanwhile.
type typed struct {
	name, stdin string
	args        []string
}

// commands are all that Main does.
func commands(t *testing.T) []typed {
	return []typed{
		{"run", "", []string{"run", model, "-z", tokenizer, "-n", "9", "-t", "0"}},
		{"run --ids", "", []string{"run", model, "-z", tokenizer, "-n", "9", "-t", "0", "--ids"}},
		{"run with a warning", "", []string{"run", straddling(t), "-z", tokenizer, "-n", "2", "-t", "0"}},
		{"chat", "be kind\nonce\n", []string{"run", model, "-z", tokenizer, "-n", "64", "-t", "0", "-m", "chat"}},
		{"console", "once\nand\n", []string{"console", model, "-z", tokenizer, "-n", "6", "-t", "0"}},
		{"bench", "", []string{"bench", model, "--rounds", "1", "--decode", "2"}},
		{"bench --json", "", []string{"bench", model, "--rounds", "1", "--decode", "2", "--json"}},
		{"run -h", "", []string{"run", "-h"}},
		{"bench -h", "", []string{"bench", "-h"}},
	}
}

// straddling writes an int8 model of zeros of which runq.c leaves out columns, about which there is a warning.
func straddling(t *testing.T) string {
	t.Helper()
	const dim, hiddenDim, vocabSize, group = 64, 172, 300, 8
	b := []byte("24ka")
	for _, v := range []uint32{2, dim, hiddenDim, 1, 8, 4, vocabSize, 64} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = binary.LittleEndian.AppendUint32(append(b, 1), group)
	const values = vocabSize*dim + 3*dim*dim + 3*hiddenDim*dim // wk and wv are half of wq
	b = append(b, make([]byte, 256-len(b)+3*dim*4+values+values/group*4)...)
	name := filepath.Join(t.TempDir(), "straddling.bin")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestWritersFail: no command succeeds whose output, or whose messages, were lost, wherever it was.
func TestWritersFail(t *testing.T) {
	for _, c := range commands(t) {
		var stdout, stderr failAt
		stdout.n, stderr.n = math.MaxInt, math.MaxInt
		main := func() int { return Main(context.Background(), c.args, strings.NewReader(c.stdin), &stdout, &stderr) }
		if status := main(); status != 0 {
			t.Errorf("%s: status %d", c.name, status)
			continue
		}
		for n := range stdout.writes {
			stdout, stderr = failAt{n: n}, failAt{n: math.MaxInt}
			if status := main(); status != 1 || stderr.writes == 0 {
				t.Errorf("%s: write %d of stdout fails, status %d, %d writes of stderr", c.name, n+1, status, stderr.writes)
			}
		}
		stdout, stderr = failAt{n: math.MaxInt}, failAt{n: math.MaxInt}
		main()
		for n := range stderr.writes {
			stdout, stderr = failAt{n: math.MaxInt}, failAt{n: n}
			if status := main(); status != 1 {
				t.Errorf("%s: write %d of stderr fails, status %d", c.name, n+1, status)
			}
		}
	}
}

// TestReadersFail: a keyboard that breaks, wherever in a session, is an error with a line about it.
func TestReadersFail(t *testing.T) {
	for _, c := range commands(t) {
		for n := range len(c.stdin) {
			var stdout, stderr strings.Builder
			stdin := io.MultiReader(strings.NewReader(c.stdin[:n]), iotest.ErrReader(errBroken))
			if status := Main(context.Background(), c.args, stdin, &stdout, &stderr); status != 1 || stderr.String() != "bootllama: "+errBroken.Error()+"\n" {
				t.Errorf("%s, %d bytes of input: status %d, %q", c.name, n, status, stderr.String())
			}
		}
	}
}

// TestNoModel: without its model, or its tokenizer, no command and no mode succeeds.
func TestNoModel(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "none.bin")
	for _, args := range [][]string{
		{"run", absent}, {"run", absent, "--ids"}, {"run", absent, "-m", "chat"}, {"run", absent, "-m", "chat", "-z", tokenizer},
		{"run", model, "-z", absent}, {"run", model, "-m", "chat", "-z", absent}, {"run", "-z", absent}, {"run", "-z", tokenizer},
		{"console", absent}, {"console", model, "-z", absent}, {"console", "-z", absent}, {"bench", absent},
	} {
		if status, out, errs := runMain("once\n", args...); status != 1 || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, out, errs)
		}
	}
	for _, o := range []Options{{Model: absent}, {Model: model, Tokenizer: absent}, {Tokenizer: absent}} {
		if _, err := Check(o); err == nil {
			t.Errorf("Check(%+v): no error", o)
		}
		if c, tok, err := Load(o, io.Discard); err == nil || tok != nil {
			t.Errorf("Load(%+v): %v, %v, %v", o, c, tok, err)
		}
	}
	if h, err := Check(Options{Model: model, Tokenizer: tokenizer}); err != nil || h.Config.VocabSize != 300 {
		t.Errorf("Check: %v, %v", h.Config, err)
	}
}

// TestNoGoroutines: bench ends what it started.
func TestNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	if status, _, errs := runMain("", "bench", model, "--rounds", "1", "--decode", "2", "--threads", "4"); status != 0 {
		t.Fatal(errs)
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestCollector: it is off while a command runs, collects before each line that is read, and is as before afterwards.
func TestCollector(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	var before, after runtime.MemStats
	in, resume := collectAtPrompts(strings.NewReader("line\n"))
	if got := debug.SetGCPercent(-1); got != -1 {
		t.Errorf("it is at %d %%", got)
	}
	runtime.ReadMemStats(&before)
	b, err := io.ReadAll(in)
	if runtime.ReadMemStats(&after); string(b) != "line\n" || err != nil || after.NumGC-before.NumGC < 2 {
		t.Errorf("%q, %v, %d collections", b, err, after.NumGC-before.NumGC)
	}
	if resume(); debug.SetGCPercent(77) != 77 {
		t.Error("it is not as before")
	}
}

// TestCores: --threads 0 is not more than Go uses, and not more than the machine has.
func TestCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if got := workers.Cores(); got != 1 {
		t.Errorf("--threads 0 with one processor: %d", got)
	}
	runtime.GOMAXPROCS(1000)
	if got := workers.Cores(); got < 1 || got > runtime.NumCPU() && runtime.GOOS == "linux" {
		t.Errorf("--threads 0 with %d processors: %d", runtime.NumCPU(), got)
	}
}

// TestSeedRange: seeds have 64 bits, with a sign and without.
func TestSeedRange(t *testing.T) {
	for text, want := range map[string]uint64{"-9223372036854775808": 1 << 63, "9223372036854775808": 1 << 63, "-1": 1<<64 - 1, "18446744073709551615": 1<<64 - 1} {
		if o, err := parse([]string{"-s", text}); err != nil || o.Seed != want {
			t.Errorf("-s %s: %d, %v", text, o.Seed, err)
		}
	}
	for _, text := range []string{"-9223372036854775809", "18446744073709551616"} {
		if _, err := parse([]string{"-s", text}); err == nil {
			t.Errorf("-s %s: no error", text)
		}
	}
}
