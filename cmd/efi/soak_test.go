//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bootllama/internal/cputime"
	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/gengguf"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
)

// What these tests look for shows after many minutes, or after many programs: memory that is not given back, work that becomes
// more. They are here since it is the EFI application's own code that runs; that programs leave nothing behind in the
// firmware is metal's (TestSoakPrograms there).

// soakProgram is the program that measures itself.
const soakProgram = "bootllama/cmd/efi/internal/soak"

// soakApplication builds it for the bare machine.
func soakApplication(t *testing.T) disk.File {
	t.Helper()
	if _, err := vm.FindQEMU(); err != nil {
		t.Skip(err)
	}
	app, err := efi.Build(t.Context(), efi.Options{Package: soakProgram})
	if err != nil {
		t.Fatal(err)
	}
	return vmtest.Content("SOAK.EFI", app)
}

// figures are those of a line that the program has printed.
type figures struct {
	pieces, bytes, memory, heap int64
	sum                         string
	processor                   time.Duration // that QEMU has used so far
}

var figuresLine = regexp.MustCompile(`^(?:tale|conversation) \d+: pieces=(\d+) bytes=(\d+) sum=([0-9a-f]+) memory=(\d+) heap=(\d+) goroutines=\d+ collections=\d+$`)

// parseFigures reads such a line.
func parseFigures(line string) (f figures, ok bool) {
	m := figuresLine.FindStringSubmatch(line)
	if m == nil {
		return f, false
	}
	for i, dst := range map[int]*int64{1: &f.pieces, 2: &f.bytes, 4: &f.memory, 5: &f.heap} {
		*dst, _ = strconv.ParseInt(m[i], 10, 64) // the pattern has digits
	}
	f.sum = m[3]
	return f, true
}

// soakOnMetal runs the program on a machine, and logs its lines as they come.
func soakOnMetal(t *testing.T, cores int, limit time.Duration, files []disk.File, line string) (all []figures) {
	t.Helper()
	b := vmtest.New(t, append(files, soakApplication(t)), 0, line)
	b.CPUs, b.Timeout = cores, limit
	b.Stdout = &vmtest.LineWriter{Line: func(line string) {
		f, ok := parseFigures(line)
		if !ok {
			t.Errorf("the machine printed %q", line)
			return
		}
		var err error
		if f.processor, err = cputime.QEMU(b.Disk); err != nil {
			t.Errorf("QEMU's processor time: %v", err)
		}
		all = append(all, f)
		t.Logf("%s processor=%v", line, f.processor)
	}}
	b.WantStatuses(t, 0)
	return all
}

// wantFlat compares the memory of the last line with that of an early one, when everything has been used once. A session keeps
// what was said in it, kept bytes, for its person to save.
func wantFlat(t *testing.T, all []figures, kept int64) {
	t.Helper()
	if len(all) < 4 {
		t.Fatalf("%d lines of figures: too few to compare, let it run for longer", len(all))
	}
	early, last := all[2], all[len(all)-1]
	const slack = 2 << 20 // spans of the heap that are partly used, bookkeeping of collections
	if last.heap > early.heap+2*kept+slack {
		t.Errorf("the heap grew from %d bytes to %d, and %d were said", early.heap, last.heap, kept)
	}
	if last.memory > early.memory+2*kept+4*slack {
		t.Errorf("the program's memory grew from %d bytes to %d, and %d were said", early.memory, last.memory, kept)
	}
	t.Logf("%d lines: heap %d to %d bytes, memory %d to %d, %d bytes kept", len(all), early.heap, last.heap, early.memory, last.memory, kept)
}

// TestSoakTales tells the same tale for half an hour on four cores: it stays the same to the byte, memory stays flat, and a tale
// does not come to cost more of QEMU's processor time.
func TestSoakTales(t *testing.T) {
	d := time.Duration(vmtest.Soak(t) * float64(30*time.Minute))
	all := soakOnMetal(t, 4, d+10*time.Minute, nil, fmt.Sprintf("SOAK.EFI tales %v -t 0 -s 1", d))
	var kept int64
	var costs []time.Duration
	for i, f := range all {
		if f.sum != all[0].sum || f.pieces != all[0].pieces {
			t.Errorf("tale %d is another: %+v, the first %+v", i+1, f, all[0])
		}
		if kept += f.bytes; i > 0 {
			costs = append(costs, (f.processor-all[i-1].processor)/time.Duration(max(f.pieces, 1)))
		}
	}
	wantFlat(t, all, kept)
	wantNoTrend(t, costs)
}

// wantNoTrend compares the medians of the first third of costs and of the last. What else the host does counts, too, and so only
// half as much again is an error.
func wantNoTrend(t *testing.T, costs []time.Duration) {
	t.Helper()
	median := func(part []time.Duration) time.Duration {
		part = slices.Sorted(slices.Values(part))
		return part[len(part)/2]
	}
	if len(costs) < 3 {
		t.Fatalf("%d tales were told: too few to compare", len(costs))
	}
	third := len(costs) / 3
	first, last := median(costs[:third]), median(costs[len(costs)-third:])
	t.Logf("QEMU's processor time of a piece of text: %v in the first third, %v in the last (%+.1f %%)", first, last, 100*(float64(last)/float64(first)-1))
	if last > first*3/2 {
		t.Errorf("a piece of text took %v of QEMU's processor time, and %v in the end", first, last)
	}
}

// TestSoakPrompt leaves a session alone at its prompt for ten minutes, in which the machine takes less than a tenth of a core,
// and then it tells the host's tale.
func TestSoakPrompt(t *testing.T) {
	d := time.Duration(vmtest.Soak(t) * float64(10*time.Minute))
	image := filepath.Join(t.TempDir(), "disk.img")
	stdout, stderr := sitsFor(t, image, d+6*time.Minute, []disk.File{vmtest.Content("LLAMA.TXT", []byte("seed = 3\ntemperature = 0\nend = off\n"))},
		func(ctx context.Context, m *vm.Running) error {
			if err := m.Await(ctx, vm.Stdout, "press Enter."); err != nil {
				return err
			}
			time.Sleep(5 * time.Second) // what is behind the prompt is shown
			begin, err := cputime.QEMU(image)
			if err != nil {
				return err
			}
			step := max(d/10, time.Second)
			for waited := time.Duration(0); waited < d; waited += step {
				time.Sleep(step)
				used, err := cputime.QEMU(image)
				if err != nil {
					return err
				}
				t.Logf("after %v at the prompt QEMU has used %v", waited+step, used-begin)
				if used-begin > (waited+step)/10+time.Second {
					t.Errorf("a machine that waits for a key has used %v in %v", used-begin, waited+step)
				}
			}
			return errors.Join(m.Type("One day\r"), m.Await(ctx, vm.Stdout, "tok/s"), m.Type("/off\r"))
		})
	tale, _, _ := host([]string{"run", "-t", "0", "-s", "3", "-i", "One day"})
	rows := strings.Join(rowsOf(stdout), " ")
	if want := strings.Join(strings.Fields(tale), " "); !strings.Contains(strings.Join(strings.Fields(rows), " "), want) {
		t.Errorf("the tale is not %q in %q", want, rows)
	}
	if rest := regexp.MustCompile(`\r(loading \[[^\r]*| *)`).ReplaceAllString(stderr, ""); rest != "" {
		t.Errorf("stderr %q", rest)
	}
}

// TestSoakConversations holds 1,000 conversations of random length, on the host and on the bare machine: the model is loaded and
// freed each time, memory stays flat, and both write the same bytes.
func TestSoakConversations(t *testing.T) {
	share := vmtest.Soak(t)
	n := max(40, int(share*1000))
	dir := t.TempDir()
	model := makeGGUF(t, dir, "tiny-qwen3", "Q8_0", gengguf.Qwen3())
	program := filepath.Join(dir, "soak")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, soakProgram).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	arguments := []string{"conversations", strconv.Itoa(n), "7"}
	options := []string{"-s", "1", "-n", "10", "--threads", "2"}
	var hosts []figures
	cmd := exec.CommandContext(t.Context(), program, slices.Concat(arguments, []string{model}, options)...)
	cmd.Stderr = os.Stderr
	cmd.Stdout = &vmtest.LineWriter{Line: func(line string) {
		if f, ok := parseFigures(line); ok {
			hosts = append(hosts, f)
			t.Log("host: ", line)
		}
	}}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	wantFlat(t, hosts, 0)
	line := "SOAK.EFI " + strings.Join(slices.Concat(arguments, []string{"QWEN.GGU"}, options), " ")
	metal := soakOnMetal(t, 2, time.Duration(share*float64(3*time.Hour))+10*time.Minute, []disk.File{vmtest.Copy(t, "QWEN.GGU", model)}, line)
	wantFlat(t, metal, 0)
	if len(metal) != len(hosts) {
		t.Fatalf("%d lines of the bare machine, %d of the host", len(metal), len(hosts))
	}
	for i, f := range metal {
		if f.sum != hosts[i].sum {
			t.Errorf("up to conversation %d the bare machine wrote %+v, the host %+v", 10*(i+1), f, hosts[i])
		}
	}
}
