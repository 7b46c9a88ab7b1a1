//go:build linux && amd64

package metal_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
)

// forcedBase is an image base at which there is no memory, so that the firmware must
// relocate the image.
const forcedBase = 0x1000000000

// application builds the exercises as an EFI application, once for each image base. When
// a program has ended, it compares the registers that belong to the firmware (checkedEntry).
func application(t testing.TB, base uint64) []byte {
	t.Helper()
	return buildKind(t, efi.Options{ImageBase: base, Entry: "main.checkedEntry"})
}

// buildKind builds the exercises, or the Package that the kind names, as an EFI application, once for each kind.
func buildKind(t testing.TB, kind efi.Options) []byte {
	t.Helper()
	vmtest.Need(t)
	applications.Lock()
	defer applications.Unlock()
	if applications.built[kind] == nil {
		opt := kind
		opt.Package = cmp.Or(opt.Package, "bootllama/metal/internal/exercise")
		app, err := efi.Build(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		applications.built[kind] = app
	}
	return applications.built[kind]
}

var applications = struct {
	sync.Mutex
	built map[efi.Options][]byte
}{built: map[efi.Options][]byte{}}

// newBench makes a machine whose shell runs the lines, each an exercise with its
// arguments or, with a leading "!", a shell command.
func newBench(t testing.TB, app []byte, free int64, lines ...string) *vmtest.Bench {
	t.Helper()
	for i, line := range lines {
		command, ok := strings.CutPrefix(line, "!")
		if !ok {
			command = "EX.EFI " + line
		}
		lines[i] = command
	}
	return vmtest.New(t, []disk.File{vmtest.Content("EX.EFI", app)}, free, lines...)
}

// expect runs the machine and checks that every exercise ends with status 0 and prints ok.
func expect(t testing.TB, b *vmtest.Bench, exercises ...string) {
	t.Helper()
	b.WantStatuses(t, make([]int, len(exercises))...)
	for _, name := range exercises {
		if !strings.Contains(b.Out.String(), name+": ok\n") {
			t.Errorf("%s did not print ok", name)
		}
	}
}

// session is a running machine that a test talks with.
type session struct {
	t   *testing.T
	b   *vmtest.Bench
	run *vm.Running

	screens int // looked at
}

func start(t *testing.T, b *vmtest.Bench) *session {
	t.Helper()
	run, err := b.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &session{t: t, b: b, run: run}
}

// awaitLimit is far longer than a machine takes for anything on a busy host: what comes later never comes.
const awaitLimit = 5 * time.Minute

// await waits until the machine has printed a text, after the last that was awaited. If it does not,
// as when a key was lost, it tells what the firmware shows and where the processors are.
func (m *session) await(text string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), awaitLimit)
	defer cancel()
	if err := m.run.Await(ctx, vm.Stdout, text); err != nil {
		registers, unknown := m.run.Registers()
		m.t.Fatalf("waiting for %q: %v\nstdout: %q\nstderr: %q\nconsole: %q\nprocessors: %s, %v", text, err, &m.b.Out, &m.b.Err, m.b.Console(), registers, unknown)
	}
}

// say types on the machine's keyboard.
func (m *session) say(keys string) {
	m.t.Helper()
	if err := m.run.Type(keys); err != nil {
		m.t.Fatal(err)
	}
}

// wait waits until the machine is off.
func (m *session) wait() {
	m.t.Helper()
	if _, err := m.run.Wait(); err != nil {
		m.t.Error(err)
	}
}

// figure finds a number in what the machine has printed.
func figure(t testing.TB, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %q in:\n%s", pattern, text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestExercises(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	b := vmtest.New(t, []disk.File{
		vmtest.Content("EX.EFI", application(t, 0)),
		vmtest.Content("RAND.EFI", buildKind(t, efi.Options{Package: "bootllama/metal/internal/cryptorand"})),
	}, 64<<20, "EX.EFI args one \"two three\" é", "EX.EFI time", "EX.EFI panics", "EX.EFI deep", "EX.EFI zero", "EX.EFI random", "EX.EFI signals",
		"EX.EFI files", "EX.EFI memory", "EX.EFI random ones", "EX.EFI random zeroes", "EX.EFI random same", "EX.EFI random none", "RAND.EFI")
	expect(t, b, "args", "time", "panics", "deep", "zero", "random", "signals", "files", "memory", "random", "random", "random", "random", "cryptorand")
	if want := `["one" "two three" "é"]`; !strings.Contains(b.Out.String(), want) {
		t.Errorf("the arguments are not %s", want)
	}
	if !strings.Contains(b.Out.String(), "random: from a hardware source\nrandom: ok\nsignals: ok") {
		t.Error("there are no random numbers")
	}
	stamp, err := time.Parse(time.RFC3339, regexp.MustCompile(`time: (\S+),`).FindStringSubmatch(b.Out.String())[1])
	if end := time.Now(); err != nil || stamp.Before(begin.Add(-5*time.Second)) || stamp.After(end.Add(5*time.Second)) {
		t.Errorf("between %v and %v the machine's date was %v: %v", begin, end, stamp, err)
	}
	late, err := time.ParseDuration(regexp.MustCompile(`sleeps late by (\S+)\n`).FindStringSubmatch(b.Out.String())[1])
	if err != nil || late > 100*time.Millisecond {
		t.Errorf("sleeps are late by %v, %v", late, err)
	}
}

// TestSoak runs 64 goroutines with channels, maps, collections, timers and deep stacks for
// 10 s, or 30 with BOOTLLAMA_LARGE=1.
func TestSoak(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, forcedBase), 0, fmt.Sprint("soak ", 30/vmtest.Of(3), " 64"))
	b.MemoryMiB = 256
	expect(t, b, "soak")
}

// TestMachines boots machines with different memory and processors.
func TestMachines(t *testing.T) {
	for _, c := range []struct {
		name   string
		memory int
		cpu    string
		base   uint64
		grow   int // MiB
	}{
		{"256MiB", 256, "max", 0, 96},
		{"qemu64", 512, "qemu64", 0, 200}, // no AVX, no RDRAND, no 1 GiB pages
		{"relocated", 512, "max", forcedBase, 200},
		{"4608MiB", 4608, "max", 0, 2700}, // more than 32 bits count, and than there is below 4 GiB
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.memory > 1024 {
				t.Skip("needs 4.5 GiB of the host's memory: not with -short")
			}
			t.Parallel()
			lines, exercises := []string{fmt.Sprint("grow ", c.grow)}, []string{"grow"}
			if c.memory <= 1024 { // what a program gives back is overwritten by OVMF, at 8 s a GiB in QEMU
				lines, exercises = append(lines, "memory", "panics"), append(exercises, "memory", "panics")
			}
			if c.cpu == "qemu64" {
				lines, exercises = append(lines, "random absent"), append(exercises, "random")
			}
			b := newBench(t, application(t, c.base), 0, lines...)
			b.MemoryMiB, b.CPU = c.memory, c.cpu
			expect(t, b, exercises...)
			taken := figure(t, b.Out.String(), `taken (\d+) MiB`)
			high := figure(t, b.Out.String(), `above 4 GiB (\d+) MiB`)
			if taken < c.memory/2 || c.memory > 4096 && high < c.memory-4096 {
				t.Errorf("took %d MiB, %d of them above 4 GiB, of %d", taken, high, c.memory)
			}
		})
	}
}

// TestNoMemory: sysinfo tells a program what there is; an mmap of more is refused and takes nothing; and when the runtime
// ends a program for it, the reason is the last thing on the screen.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 0, "hoard by mmap", "memory", "hoard")
	b.WantStatuses(t, 0, 0, 2)
	last := regexp.MustCompile(`\nmetal: out of memory: the program asked for 8589934592 bytes, and [0-9]+ of [0-9]+ are free\n$`)
	if !last.MatchString(b.Err.String()) || strings.Count(b.Err.String(), "metal: out of memory") != 1 || !strings.Contains(b.Out.String(), "memory: ok\n") {
		t.Errorf("stdout %q, stderr %q", b.Out.String(), b.Err.String())
	}
}

// TestTooSmall: on a machine that has less than any Go program needs, one line says so, and no runtime's.
func TestTooSmall(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 0, "memory", "!echo last %lasterror%")
	b.MemoryMiB = 100
	b.WantStatuses(t, 134)
	if want := regexp.MustCompile(`^metal: a Go program needs 48 MiB of memory, and the firmware leaves it [0-9]+ MiB\n$`); !want.MatchString(b.Err.String()) || b.Out.Len() != 0 {
		t.Errorf("stdout %q, stderr %q", b.Out.String(), b.Err.String())
	}
	if !strings.Contains(b.Console(), "last 0x9\r\n") { // EFI_OUT_OF_RESOURCES
		t.Errorf("the shell's lasterror was not 0x9:\n%s", b.Console())
	}
	// Where a person sits, the line stays, although the kernel has hardly begun.
	b = newBench(t, application(t, 0), 1<<20, "!if not exist MADE then", "!echo made > MADE",
		"!"+strings.Join(vmtest.BootEntries(`\EX.EFI`, vmtest.UTF16("memory")), "\r\n"), "!endif")
	b.MemoryMiB, b.Restart, b.Person, b.Timeout = 100, true, true, 4*time.Minute
	m := start(t, b)
	for _, text := range []string{"needs 48 MiB of memory", "Press a key"} {
		if err := m.run.Await(t.Context(), vm.Stderr, text); err != nil {
			t.Fatalf("%v; stderr:\n%s\nconsole:\n%s", err, &b.Err, b.Console())
		}
	}
	m.say("o")
	m.wait()
}

// TestBrokenServices: a firmware whose services fail gets a line for each, and the program runs without what it can do
// without. Without a memory map it does not run, nor with one whose descriptors are too small.
func TestBrokenServices(t *testing.T) {
	t.Parallel()
	b := newBench(t, application(t, 0), 0, "break SetWatchdogTimer", "same", "break GetTime", "same", "break GetNumberOfProcessors", "same",
		"break QueryMode", "same", "break GetMemoryMap", "same", "same")
	b.CPUs = 2
	b.WantStatuses(t, 0, 0, 0, 0, 0, 0, 0, 0, 0, 134, 134)
	const failed = ": EFI_DEVICE_ERROR (0x8000000000000007)\n"
	const watchdog = "metal: SetWatchdogTimer: the firmware may reset the machine after five minutes" + failed
	const date = "metal: GetTime: the date is unknown" + failed
	const cores = "metal: one processor core is used: GetNumberOfProcessors" + failed
	want := watchdog + watchdog + watchdog + date + watchdog + date + watchdog + date + cores + watchdog + date + cores +
		watchdog + date + cores + watchdog + date + cores + watchdog + "metal: cannot read the memory map" + failed +
		watchdog + "metal: the memory map has descriptors of an impossible size: EFI_INVALID_PARAMETER (0x8000000000000002)\n"
	if b.Err.String() != want {
		t.Errorf("stderr: %q, want %q", &b.Err, want)
	}
	if n := strings.Count(b.Console(), "same: ok"); n != 4 {
		t.Errorf("the console shows %d programs that went well, not 4:\n%s", n, b.Console())
	}
}

// TestFailingServices starts programs that have a boot service fail, from a call on. The program runs, or ends with a line that
// says what failed.
func TestFailingServices(t *testing.T) {
	t.Parallel()
	const failed = ": EFI_DEVICE_ERROR (0x8000000000000007)\n"
	const late = "metal: not all processors came back to the firmware in time; they are lost until it starts anew\n"
	var lines []string
	var statuses []int
	var stdout, stderr string
	for _, s := range []struct {
		offset rune // in EFI_BOOT_SERVICES (UEFI 2.10, 4.4)
		call   int
		status int
		line   string
	}{
		{40, 1, 134, "metal: a Go program needs 48 MiB of memory, and the firmware leaves it 0 MiB\n"}, // AllocatePages
		{72, 1, 0, ""}, // FreePool
		{80, 1, 134, "metal: cannot make a timer" + failed}, // CreateEvent
		{80, 2, 0, "metal: one processor core is used: CreateEvent" + failed},
		{88, 1, 0, ""},    // SetTimer
		{96, 1, 0, ""},    // WaitForEvent
		{112, 1, 0, ""},   // CloseEvent
		{120, 1, 0, late}, // CheckEvent
		{176, 1, 0, ""},   // LocateHandle
		{176, 2, 0, ""},
		{184, 2, 0, "metal: the shell's current folder cannot be opened; names begin in the root: EFI_NOT_FOUND (0x800000000000000e)\n"}, // LocateDevicePath
		{280, 1, 134, "metal: this program has no EFI_LOADED_IMAGE_PROTOCOL: EFI_UNSUPPORTED (0x8000000000000003)\n"},                    // OpenProtocol
		{312, 1, 0, ""}, // LocateHandleBuffer
		{320, 1, 0, "metal: one processor core is used, as the firmware has no EFI_MP_SERVICES_PROTOCOL to start others with" + failed}, // LocateProtocol
		{48, 1, 0, "metal: FreePages" + failed}, // FreePages, last: there is little memory then
	} {
		lines = append(lines, fmt.Sprintf("ordinary %c%d", 'A'+(s.offset-24)/8, s.call))
		statuses = append(statuses, s.status)
		stderr += s.line
		if s.status == 0 {
			stdout += "ordinary: ok\n"
		}
	}
	b := newBench(t, buildKind(t, efi.Options{Entry: "main.failingEntry"}), 1<<20, lines...)
	b.CPUs = 2
	b.WantStatuses(t, statuses...)
	told := strings.Join(slices.Compact(strings.SplitAfter(b.Err.String(), "\n")), "") // FreePages is called for each range
	if b.Out.String() != stdout || told != stderr {
		t.Errorf("stdout: %q, want %q; stderr: %q, want %q", &b.Out, stdout, told, stderr)
	}
}

// TestLacks: a processor that lacks what compiled code takes for granted gets a line and no exception.
func TestLacks(t *testing.T) {
	for _, feature := range []string{"cx8", "syscall"} { // one of each leaf of CPUID; this firmware itself runs without them
		t.Run(feature, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, application(t, 0), 0, "memory", "!echo last %lasterror%")
			b.CPU = "max,-" + feature
			b.WantStatuses(t)
			for _, want := range []string{
				"This program needs a processor with CMOV, CMPXCHG8B, FXSR, SSE2, SYSCALL and TSC, and this one lacks one of them.\r\n",
				"last 0x3\r\n", // EFI_UNSUPPORTED
			} {
				if !strings.Contains(b.Console(), want) {
					t.Errorf("no %q in:\n%s", want, b.Console())
				}
			}
		})
	}
}

// TestEnds checks the status that the firmware gets for each way in which a program can
// end.
func TestEnds(t *testing.T) {
	t.Parallel()
	show := "!echo last %lasterror%"
	b := newBench(t, application(t, 0), 0, "exit 0", show, "exit 7", show, "panic", show, "throw", show, "crash", show, "exit 0", show, "registers", "again", "again nodefer")
	b.WantStatuses(t, 0, 7, 2, 2, 134, 0, 2, 134, 0)
	// The shell shows a status without its two top bits; 0x15 is EFI_ABORTED.
	console := b.Console()
	at := 0
	for _, want := range []string{"0x0", "0x7", "0x2", "0x2", "0x15", "0x0"} {
		i := strings.Index(console[at:], "last "+want+"\r\n")
		if i < 0 {
			t.Errorf("the shell's lasterror was not %s when it should be:\n%s", want, console)
			break
		}
		at += i + 1
	}
	for _, want := range []string{
		"panic: as asked", "goroutine 1 [running]", "fatal error: sync: unlock of unlocked mutex",
		"metal: the kernel failed: exception 14 (page fault)", "address 0x0000123456789000", "in system call 1 of thread 1",
	} {
		if !strings.Contains(b.Err.String(), want) {
			t.Errorf("stderr lacks %q", want)
		}
	}
	// A stack may have hundreds of them.
	dumps := regexp.MustCompile(`code addresses on the stack.*\n(.*)`).FindAllStringSubmatch(b.Err.String(), -1)
	for _, dump := range dumps {
		if n := len(strings.Fields(dump[1])); n < 1 || n > 16 {
			t.Errorf("%d code addresses on the stack: %q", n, dump[1])
		}
	}
	if len(dumps) == 0 {
		t.Error("stderr lacks code addresses on the stack")
	}
	// The runtime's dump has the registers that the processor had at the exception.
	for register, want := range map[string]string{"rax": "01", "rbx": "02", "rcx": "03", "rdx": "04", "rsi": "05", "rdi": "06", "r8": "08", "r9": "09",
		"r10": "10", "r11": "11", "r12": "12", "r13": "13", "r15": "15"} {
		if line := fmt.Sprintf("%-6s 0x%s\n", register, strings.TrimPrefix(strings.Repeat(want, 8), "0")); !strings.Contains(b.Err.String(), line) {
			t.Errorf("stderr lacks %q", line)
		}
	}
	// A fault in the handler of the same signal ends the program, unless the program asks for the signal.
	if again := regexp.MustCompile(`(?s)!\n?\nmetal: an exception that the program cannot handle: 14 \(page fault\).*[^!]!!!$`); !again.MatchString(b.Err.String()) {
		t.Error("a second fault within the handler did not end the program, or did without a line")
	}
}

// TestAttended: where a person sits at the machine, what a program that failed has written stays until a key is pressed, and
// then happens what the program or the person has asked for. One that succeeded does that at once.
func TestAttended(t *testing.T) {
	t.Parallel()
	asked := []string{"panic", "panic elsewhere", "throw", "crash", "exit 3", "exit 4 firmware", "exit 0 off"} // after success there is no next one
	var options [][]byte
	for _, o := range asked {
		options = append(options, vmtest.UTF16(o))
	}
	lines := append([]string{"!if not exist MADE then", "!echo made > MADE"}, "!"+strings.Join(vmtest.BootEntries(`\EX.EFI`, options...), "\r\n"), "!endif")
	b := newBench(t, application(t, 0), 1<<20, lines...)
	b.Restart, b.Person, b.Timeout = true, true, 4*time.Minute
	m := start(t, b)
	for i, said := range []string{"panic: as asked", "panic: as asked, elsewhere", "fatal error: sync: unlock", "the kernel failed", "Press", "Press"} {
		for _, text := range []string{said, "a key to go on with the machine's firmware"} {
			if err := m.run.Await(t.Context(), vm.Stderr, text); err != nil {
				t.Fatalf("%s: waiting for %q: %v; stderr:\n%s\nconsole:\n%s", asked[i], text, err, &b.Err, b.Console())
			}
		}
		m.say(string("\rx "[i%3]))
	}
	m.wait()
	if n := strings.Count(b.Err.String(), "Press a key"); n != 6 {
		t.Errorf("it waited %d times, not 6:\n%s", n, &b.Err)
	}
}

// TestNothingLost runs programs one after another from one shell, some of which fail, and
// compares the firmware's free memory and its registers before each; the first has made its pools as large as they become. Then a loader that has changed
// the processor's state, five levels of page tables among it, starts each program twice, and finds
// all registers as they were. Its last program fails, and leaves the screen in its own mode, for
// which the firmware takes nine pages more.
func TestNothingLost(t *testing.T) {
	t.Parallel()
	b := vmtest.New(t, []disk.File{
		vmtest.Content("EX.EFI", application(t, 0)),
		vmtest.Content("LOADER.EFI", buildKind(t, efi.Options{Entry: "main.loaderEntry"})),
	}, 0, "EX.EFI leaks", "EX.EFI memory", "EX.EFI memory", "EX.EFI crash", "EX.EFI memory", "EX.EFI files", "EX.EFI memory", "EX.EFI exit 3", "EX.EFI memory",
		"EX.EFI throw", "EX.EFI memory", "EX.EFI leaks", "EX.EFI memory", "LOADER.EFI loaded", "EX.EFI memory", "LOADER.EFI exit 3")
	b.WantStatuses(t, 0, 0, 0, 134, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 3, 3)
	if n := strings.Count(b.Out.String(), "loaded: ok\n"); n != 2 {
		t.Errorf("%d programs found the loader's state", n)
	}
	wantNothingLost(t, b.Out.String(), 8)
}

// wantNothingLost compares the firmware's free memory and registers that n programs have printed.
func wantNothingLost(t *testing.T, out string, n int) {
	t.Helper()
	free := regexp.MustCompile(`memory: (\d+) pages free, taken \d+ MiB`).FindAllString(out, -1)
	if len(free) != n {
		t.Fatalf("%d programs printed the firmware's free memory, want %d", len(free), n)
	}
	registers := regexp.MustCompile(`registers: \{.*\}`).FindAllString(out, -1)
	if len(registers) != n {
		t.Fatalf("%d programs printed the firmware's registers, want %d", len(registers), n)
	}
	for i := range free {
		if registers[i] != registers[0] {
			t.Errorf("before the first program, %s; before a later one, %s", registers[0], registers[i])
		}
		if free[i] != free[0] {
			t.Errorf("before the first program: %s; before a later one: %s", free[0], free[i])
		}
	}
}

// TestSoakPrograms is TestNothingLost with a hundred programs on four cores, which end in all ways.
func TestSoakPrograms(t *testing.T) {
	n := max(8, int(vmtest.Soak(t)*100))
	kinds := []struct {
		line   string
		status int
	}{{"memory", 0}, {"cores 4", 0}, {"memory", 0}, {"crash", 134}, {"memory", 0}, {"loops ap exit", 9}, {"memory", 0}, {"panic elsewhere", 2},
		{"memory", 0}, {"together", 0}, {"memory", 0}, {"throw", 2}, {"memory", 0}, {"loops boot crash", 134}, {"memory", 0}, {"exit 3", 3}}
	var lines []string
	var statuses []int
	for i := range n {
		lines, statuses = append(lines, kinds[i%len(kinds)].line), append(statuses, kinds[i%len(kinds)].status)
	}
	lines, statuses = append(lines, "cores 4", "memory"), append(statuses, 0, 0) // what the last has left
	count := func(line string) (n int) {
		for _, l := range lines {
			if l == line {
				n++
			}
		}
		return n
	}
	looks, cores := count("memory"), count("cores 4") // before newBench, which makes commands of them
	b := newBench(t, application(t, 0), 0, lines...)
	b.CPUs, b.Timeout = 4, time.Duration(n)*time.Minute
	b.Stdout = io.MultiWriter(&b.Out, &vmtest.LineWriter{Line: func(line string) {
		if strings.HasPrefix(line, "memory: ") || strings.HasPrefix(line, "registers: ") {
			t.Log(line)
		}
	}})
	b.WantStatuses(t, statuses...)
	wantNothingLost(t, b.Out.String(), looks)
	wantCoresAlike(t, b.Out.String(), 4, cores)
}

// TestFiles holds files and names against Linux, on a volume where others have left things
// that this program would not make, and on a second volume.
func TestFiles(t *testing.T) {
	t.Parallel()
	need(t, "mcopy", "mattrib")
	b := newBench(t, application(t, 0), 160<<20, "strange", "holes", "names", "files", "!fs1:", `!fs0:\EX.EFI volumes root`, "!cd DIR", `!fs0:\EX.EFI volumes`)
	prepareStrange(t, b.Disk)
	b.Second = filepath.Join(t.TempDir(), "second.img")
	second := []disk.File{vmtest.Content("DIR/FILE", []byte("on fs1"))}
	if err := disk.Write(t.Context(), b.Second, second, disk.Options{Free: 48 << 20}); err != nil {
		t.Fatal(err)
	}
	expect(t, b, "strange", "holes", "names", "files", "volumes", "volumes")
}

// TestBrokenFiles: what the firmware's driver of a volume answers when it fails is a Linux error, and nothing is lost, nor left open.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	expect(t, newBench(t, application(t, 0), 8<<20, "broken"), "broken")
}

// prepareStrange puts files on the volume and changes their directory entries by hand.
func prepareStrange(t *testing.T, image string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strange")
	if err := os.WriteFile(file, []byte("strange"), 0o666); err != nil {
		t.Fatal(err)
	}
	names := []string{"NODATE.TXT", "BADDATE.TXT", "READONLY.TXT", "aXY.txt", "bXY.txt", "lead.txt", "Xlead.txt"}
	for _, name := range names {
		mtools(t, image, "mcopy", file, "::/"+name)
	}
	mtools(t, image, "mattrib", "+r", "::/READONLY.TXT")
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	long := func(units ...uint16) []byte {
		out := []byte{0x41} // the first and last entry of a long name
		for _, u := range units {
			out = binary.LittleEndian.AppendUint16(out, u)
		}
		return out
	}
	for _, c := range []struct{ find, replace []byte }{
		{long('a', 'X', 'Y', '.', 't'), long('a', 0xD83D, 0xDE00, '.', 't')},
		{long('b', 'X', 'Y', '.', 't'), long('b', 0xD83D, 'Y', '.', 't')},
		{long('X', 'l', 'e', 'a', 'd'), long(' ', 'l', 'e', 'a', 'd')},
	} {
		i := bytes.Index(b, c.find)
		if i < 0 {
			t.Fatalf("no directory entry % x", c.find)
		}
		copy(b[i:], c.replace)
	}
	for name, date := range map[string]byte{"NODATE  TXT": 0, "BADDATE TXT": 0xFF} {
		i := bytes.Index(b, []byte(name))
		if i < 0 {
			t.Fatalf("no directory entry %s", name)
		}
		for _, k := range []int{13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 25} {
			b[i+k] = date
		}
	}
	if err := os.WriteFile(image, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// need skips a test loudly where a program is not installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
	}
}

// mtools runs one of the mtools on the volume of an image.
func mtools(t *testing.T, image, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, append([]string{"-i", image + "@@1M"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		b := newBench(t, application(t, 0), 0, "full")
		expect(t, b, "full")
		if !strings.Contains(b.Out.String(), "no space left on device") {
			t.Error("a full volume was not reported as such")
		}
	})
	t.Run("write-protected", func(t *testing.T) {
		b := newBench(t, application(t, 0), 0, "readonly")
		b.ReadOnly = true
		expect(t, b, "readonly")
	})
}

// TestConsole types on the machine's keyboard.
func TestConsole(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprint(n, " cores"), func(t *testing.T) {
			t.Parallel()
			typeLines(t, n)
		})
	}
}

func typeLines(t *testing.T, cores int) {
	b := newBench(t, application(t, 0), 0, "lines", "signals keyboard")
	b.CPUs = cores
	m := start(t, b)
	for _, step := range []struct {
		await string
		ended int // how many programs must have ended before the keys are typed: earlier keys would be lost with a program
		typed string
	}{
		{"lines: ready\n", 0, "plain\r"},
		{"\"plain\"\n", 0, "mistax\x7fke\r"},
		{"\"mistake\"\n", 0, "thrown away\x15kept\r"},
		{"\"kept\"\n", 0, "été 日本\r"},
		{"\"été 日本\"\n", 0, "\x04"},
		{"lines: ok\n", 0, ""},
		{"signals: waiting for Ctrl-C\n", 1, "\x03"},
		{"signals: ok\n", 2, "EX.EFI lines\r"}, // the shell has seen Ctrl-C, too, and has ended its script
		{"lines: ready\n", 2, "\x03"},          // the program does not handle the signal: it ends the program
		{"^C\n", 3, "reset -s\r"},
	} {
		m.await(step.await)
		for len(m.run.Statuses()) < step.ended {
			time.Sleep(50 * time.Millisecond) // for ever if one never ends: the test runs out of time
		}
		m.say(step.typed)
	}
	m.wait()
	if got := fmt.Sprint(m.run.Statuses()); got != "[0 0 130]" {
		t.Errorf("exit statuses %s", got)
	}
	if !strings.Contains(b.Out.String(), "mistax\b \bke") {
		t.Errorf("no echo of an erased key in %q", &b.Out)
	}
}

// TestNextToolchain boots the same with the next Go release, on two cores.
func TestNextToolchain(t *testing.T) {
	t.Parallel()
	vmtest.Need(t)
	app, err := efi.Build(t.Context(), efi.Options{Package: "bootllama/metal/internal/exercise", Toolchain: "go1.27.4"})
	if err != nil && strings.Contains(err.Error(), "download go1.27.4") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, app, 64<<20, "panics", "deep", "zero", "files", fmt.Sprint("soak ", 8/vmtest.Of(2), " 64"))
	b.CPUs, b.MemoryMiB = 2, 256
	expect(t, b, "panics", "deep", "zero", "files", "soak")
}
