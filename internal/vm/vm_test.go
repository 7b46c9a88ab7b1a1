package vm

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// shellMachine is a machine with one core whose firmware finds nothing to start but its own UEFI shell, which runs the
// script. The shell's mm command writes the three ports. QEMU makes the FAT volume of a folder, without a file of ours.
func shellMachine(t *testing.T, script ...string) Machine {
	t.Helper()
	qemu, err := FindQEMU()
	if err == nil {
		_, err = findFirmware("/", qemu, "")
	}
	if err != nil {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	t.Cleanup(func() { checkNothingLeft(t, os.Getenv("TMPDIR")) })
	volume := t.TempDir()
	if script != nil {
		text := strings.Join(append(script, ""), "\r\n")
		if err := os.WriteFile(filepath.Join(volume, "startup.nsh"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Disk: "fat:rw:" + volume, Timeout: 10 * time.Minute, shell: true}
}

// start starts m, to be switched off at the end of the test at the latest.
func start(t *testing.T, m Machine) *Running {
	t.Helper()
	r, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Wait() }) // t.Context has ended
	return r
}

// checkNothingLeft fails if the folder is not empty or a process has it in its arguments.
func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, err)
	}
	if users := processes(dir); len(users) > 0 {
		t.Errorf("processes left: %v", users)
	}
}

// processes are the processes other than this one that have text in their arguments (Linux; elsewhere none).
func processes(text string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file) // an error: the process has just ended
		if err == nil && bytes.Contains(line, []byte(text)) && bytes.Contains(line, []byte("qemu")) {
			found = append(found, file)
		}
	}
	return found
}

func TestStreams(t *testing.T) {
	m := shellMachine(t, "echo on the console", "mm E9 48 -w 1 -IO -n", "mm EA 45 -w 1 -IO -n", "mm EB 3 -w 1 -IO -n",
		"mm E9 0A -w 1 -IO -n", "mm EB FF -w 1 -IO -n", "mm E9 49 -w 1 -IO -n", "pause", "reset -s")
	var stdout, stderr, log bytes.Buffer
	m.Stdout, m.Stderr, m.Log, m.Stay = &stdout, &stderr, &log, true
	r := start(t, m)
	await := func(s Stream, text string) {
		t.Helper()
		if err := r.Await(t.Context(), s, text); err != nil {
			t.Fatal(err)
		}
	}
	await(Console, "Press ESC in")
	select {
	case <-r.started:
		t.Error("started before anything was heard")
	default:
	}
	if err := r.Type("\r"); err != nil { // do not wait five seconds
		t.Fatal(err)
	}
	await(Console, "Shell> echo on the console")
	await(Stdout, "H\nI")
	await(Console, "pause")
	if registers, err := r.Registers(); err != nil || strings.Count(registers, "RIP=") != 1 {
		t.Errorf("registers of one processor: %v\n%s", err, registers)
	}
	if err := r.Type("\r"); err != nil {
		t.Fatal(err)
	}
	if last, err := r.Wait(); last != 255 || err != nil {
		t.Errorf("ended with %d, %v", last, err)
	}
	if stdout.String() != "H\nI" || stderr.String() != "E" || !slices.Equal(r.Statuses(), []int{3, 255}) {
		t.Errorf("stdout %q, stderr %q, statuses %v", &stdout, &stderr, r.Statuses())
	}
	if !strings.Contains(log.String(), "\r\non the console\r\n") {
		t.Errorf("console log %q", &log)
	}
	if err := r.Await(t.Context(), Stdout, "more"); err == nil || !strings.Contains(err.Error(), `never said "more"`) {
		t.Errorf("await after the end: %v", err)
	}
}

// lateKeys fails the test if its keys are asked for before the program was heard.
type lateKeys struct {
	t     *testing.T
	heard atomic.Bool
	text  *strings.Reader
}

func (k *lateKeys) Write(p []byte) (int, error) {
	k.heard.Store(true)
	return len(p), nil
}

func (k *lateKeys) Read(p []byte) (int, error) {
	if !k.heard.Load() {
		k.t.Error("keys before the program was heard")
	}
	return k.text.Read(p)
}

// The machine ends with the first status, whatever stands after it in the script; keys come after the first output.
func TestKeysAndStatus(t *testing.T) {
	m := shellMachine(t, "mm E9 41 -w 1 -IO -n")
	keys := &lateKeys{t: t, text: strings.NewReader("mm EB 7 -w 1 -IO -n\r")}
	m.Stdout, m.Keys = keys, keys
	if status, err := m.Run(t.Context()); status != 7 || err != nil {
		t.Errorf("status %d, %v; want 7", status, err)
	}
}

func TestReadOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a machine as TestStreams does: not with -short")
	}
	m := shellMachine(t, "fs0:", "echo text > new.txt", "mm EB 1 -w 1 -IO -n")
	m.Disk, m.ReadOnly = strings.Replace(m.Disk, ":rw", "", 1), true
	r := start(t, m)
	if err := r.Await(t.Context(), Console, "echo text > new.txt"); err != nil {
		t.Fatal(err)
	}
	if err := r.Await(t.Context(), Console, "Unable to redirect file"); err != nil {
		t.Error(err)
	}
}

func TestNotStarted(t *testing.T) {
	m := shellMachine(t)
	m.shell = false
	_, err := m.Run(t.Context())
	if !errors.Is(err, ErrNotStarted) || !strings.Contains(err.Error(), "Not Found") {
		t.Error(err)
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("escape sequences in %q", err)
	}
}

// A machine that would run for ever is switched off at its time limit, also if QEMU has not answered by then.
func TestTimeout(t *testing.T) {
	for _, limit := range []time.Duration{time.Nanosecond, time.Second} {
		m := shellMachine(t)
		m.Timeout = limit
		_, err := m.Run(t.Context())
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, ErrNotStarted) || !strings.Contains(err.Error(), limit.String()) {
			t.Errorf("limit %v: %v", limit, err)
		}
	}
}

func TestCancel(t *testing.T) {
	m := shellMachine(t)
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := m.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel(reason)
	if _, err := r.Wait(); !errors.Is(err, reason) {
		t.Error(err)
	}
	if _, err := m.Run(ctx); !errors.Is(err, reason) {
		t.Error("started although cancelled:", err)
	}
}

// fullWriter fails to write once the program has ended.
type fullWriter struct{ machine chan *Running }

func (w fullWriter) Write([]byte) (int, error) {
	for r := <-w.machine; len(r.Statuses()) == 0; time.Sleep(time.Millisecond) {
	}
	return 0, errors.New("the paper is out")
}

// Output that is lost is an error, also when the program ended well.
func TestWriteError(t *testing.T) {
	m := shellMachine(t, "mm E9 41 -w 1 -IO -n", "mm EB 0 -w 1 -IO -n")
	w := fullWriter{make(chan *Running, 1)}
	m.Stdout = w
	r := start(t, m)
	w.machine <- r
	if _, err := r.Wait(); err == nil || err.Error() != "the paper is out" {
		t.Error(err)
	}
}

// A folder for temporary files whose path has more bytes than a socket's may have: the machine runs nevertheless.
func TestLongFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a machine as TestStreams does: not with -short")
	}
	m := shellMachine(t, "mm EB 7 -w 1 -IO -n")
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	r := start(t, m)
	if status, err := r.Wait(); status != 7 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	checkNothingLeft(t, long)
	if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", r.dir, err)
	}
}

func TestPrivateFolder(t *testing.T) {
	short := t.TempDir()
	for _, c := range []struct{ temporary, parent string }{{short, short}, {filepath.Join(short, strings.Repeat("x", 90)), "/tmp"}} {
		dir, err := privateFolder(c.temporary)
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		if filepath.Dir(dir) != c.parent {
			t.Errorf("%s: %s, want it in %s", c.temporary, dir, c.parent)
		}
	}
}

func TestBadDisk(t *testing.T) {
	m := shellMachine(t)
	m.Disk = filepath.Join(t.TempDir(), "a,b.img")
	_, err := m.Run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "QEMU did not start: ") || !strings.Contains(err.Error(), "a,b.img': No such file") {
		t.Error(err)
	}
	m.Disk, m.CPU = "fat:"+t.TempDir(), "abacus"
	if _, err = m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Error(err)
	}
	m.CPU, m.Accel = "", "steam"
	if _, err = m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "want auto, kvm or tcg") {
		t.Error(err)
	}
}

// A process that is killed takes its machine along (Linux).
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	if on := os.Getenv("BOOTLLAMA_VM_VICTIM"); on != "" {
		r := start(t, shellMachine(t))
		if err := os.WriteFile(on, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.Wait()
		t.Fatal("not killed:", err)
	}
	shellMachine(t) // skips where there is no QEMU
	dir := t.TempDir()
	victim := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	on := filepath.Join(dir, "on") // QEMU has passed the point where it would end by itself without its sockets
	victim.Env = append(os.Environ(), "BOOTLLAMA_VM_VICTIM="+on, "TMPDIR="+dir)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- victim.Wait() }()
	for {
		if _, err := os.Stat(on); err == nil && len(processes(dir)) > 0 {
			break
		}
		select {
		case err := <-ended:
			t.Fatal("the victim ended before it was killed: ", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := victim.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the victim ended well")
	}
	for len(processes(dir)) > 0 { // for ever if QEMU does not end: the test runs out of time
		time.Sleep(20 * time.Millisecond)
	}
}

func TestPlainText(t *testing.T) {
	log := "a\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01HBdsDxe: failed\r\n\r\n\x1b[1m\x1b[33m\x1b[40mone\x1b[0m\x1b[37m two\r\n \r\n\xff\x1b"
	for size := 1; size <= len(log); size++ { // pieces of every size
		var plain plainText
		var text []byte
		for piece := range slices.Chunk([]byte(log), size) {
			text = append(text, plain.filter(piece)...)
		}
		if got := plainLines(text); !slices.Equal(got, []string{"a", "BdsDxe: failed", "one two", "\ufffd"}) {
			t.Errorf("%d: %q", size, got)
		}
	}
}

func TestBacklogKeepsTheEnd(t *testing.T) {
	backlog := newBacklog()
	backlog.add([]byte("first"))
	backlog.add(make([]byte, backlogSize))
	backlog.add([]byte("last"))
	if text := backlog.bytes(); len(text) != backlogSize || !bytes.HasSuffix(text, []byte("last")) || backlog.contains("first") {
		t.Errorf("%d bytes, end %q", len(text), text[len(text)-4:])
	}
	if err := backlog.await(t.Context(), "last"); err != nil {
		t.Error(err)
	}
}

// TestNothingBootable: either text of the firmware says that it started no program.
func TestNothingBootable(t *testing.T) {
	for _, text := range []string{"\r\nUEFI Interactive Shell v2.2\r\n", "BdsDxe: startingBdsDxe: No bootable option or device was found.\r\n", "BdsDxe: starting Boot0001"} {
		r := &Running{started: make(chan struct{})}
		r.ctx, r.cancel = context.WithCancelCause(t.Context())
		r.backlogs[Console] = newBacklog()
		r.backlogs[Console].add([]byte(text))
		r.heard(Console)
		if got, want := context.Cause(r.ctx) == ErrNotStarted, !strings.HasSuffix(text, "Boot0001"); got != want {
			t.Errorf("%q: not started: %v", text, got)
		}
		r.cancel(nil)
	}
}

// TestArgs: a machine has the medium that is wanted, behind the devices that it may be on, and a bare one no debug ports.
func TestArgs(t *testing.T) {
	for _, c := range []struct {
		machine    Machine
		has, hasNo []string
	}{
		{Machine{Disk: "a,b"}, []string{"-machine q35 ", "file=a,,b -device ide-hd,bus=ide.0,drive=disk", "iobase=0xe9", "iobase=0xea", "iobase=0xeb"}, nil},
		{Machine{Disk: "d", Person: true}, []string{"iobase=0xe9", "iobase=0xea"}, []string{"iobase=0xeb"}},
		{Machine{Disk: "d", Bare: true, Chipset: "pc", Devices: []string{"qemu-xhci"}, Medium: "usb-storage,removable=on"},
			[]string{"-machine pc ", "-device qemu-xhci -drive if=none,format=raw,id=disk,file=d -device usb-storage,removable=on,drive=disk"}, []string{"debugcon"}},
		{Machine{Disk: "d", ReadOnly: true}, []string{"file=d,readonly=on -device virtio-blk-pci,drive=disk"}, nil},
	} {
		args := strings.Join((&Running{machine: c.machine}).args("none", nil, nil), " ")
		for _, s := range c.has {
			if !strings.Contains(args, s) {
				t.Errorf("%+v: no %q in %s", c.machine, s, args)
			}
		}
		for _, s := range c.hasNo {
			if strings.Contains(args, s) {
				t.Errorf("%+v: %q in %s", c.machine, s, args)
			}
		}
	}
}
