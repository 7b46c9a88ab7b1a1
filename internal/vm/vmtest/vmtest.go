// Package vmtest runs UEFI applications from a script of the UEFI shell, for tests:
// one boot serves many programs.
package vmtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"bootllama/internal/disk"
	"bootllama/internal/vm"
)

// Bench is a machine whose shell runs a script and then switches it off, and what it
// said. Its fields may be changed before it is started.
type Bench struct {
	vm.Machine
	Out, Err, Log bytes.Buffer
}

// Need skips a test that starts a machine where there is no QEMU, and with -short.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a virtual machine: not with -short")
	}
	if _, err := vm.FindQEMU(); err != nil {
		t.Skip(err)
	}
}

// memoryMiB is the memory of a test's machine, of which a program gets 94. OVMF overwrites what it gets back when a
// program ends: of 256 MiB this takes half a second in QEMU, a third of what the start of a small program takes in all.
const memoryMiB = 160

// quickFirmware is OVMF's build of 2 MiB, where there is one (Debian to 12): its boot takes a fifth less than that of the 4 MiB
// build, which other machines have (see vm).
const quickFirmware = "/usr/share/OVMF/OVMF_CODE.fd"

// New makes a machine with files on its volume, room for free bytes more, and lines
// for its shell. It needs QEMU (Need).
func New(t testing.TB, files []disk.File, free int64, lines ...string) *Bench {
	t.Helper()
	Need(t)
	script := strings.Join(append(append([]string{"@echo -off", "fs0:"}, lines...), "reset -s", ""), "\r\n")
	image := filepath.Join(t.TempDir(), "disk.img")
	files = append(files, Content("STARTUP.NSH", utf16File(script)))
	if err := disk.Write(t.Context(), image, files, disk.Options{Free: free}); err != nil {
		t.Fatal(err)
	}
	b := &Bench{}
	b.Machine = vm.Machine{Disk: image, MemoryMiB: memoryMiB, Stay: true, Timeout: 20 * time.Minute, Accel: "tcg", Stdout: &b.Out, Stderr: &b.Err, Log: &b.Log}
	if _, err := os.Stat(quickFirmware); err == nil {
		b.Firmware = quickFirmware
	}
	return b
}

// Run runs the machine until it is off and returns the exit statuses of its programs.
// Where the host is so busy that the firmware's disk driver gives up before the shell
// has started anything, it tries once more.
func (b *Bench) Run(t testing.TB) []int {
	t.Helper()
	statuses, err := b.run(t)
	if errors.Is(err, errNoDisk) && b.Out.Len()+b.Err.Len()+len(statuses) == 0 {
		t.Logf("once more: %v; console:\n%s", err, b.Console())
		b.Log.Reset()
		statuses, err = b.run(t)
	}
	t.Logf("stdout:\n%s\nstderr:\n%s", &b.Out, &b.Err)
	if err != nil {
		t.Fatalf("%v\nconsole:\n%s", err, b.Console())
	}
	return statuses
}

// errNoDisk is the end of a machine whose firmware could boot nothing.
var errNoDisk = errors.New("the firmware found nothing to boot")

func (b *Bench) run(t testing.TB) ([]int, error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r, err := b.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if r.Await(ctx, vm.Console, "No bootable option or device was found") == nil {
			cancel(errNoDisk)
		}
	}()
	over := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-over:
		case <-time.After(b.Timeout - 5*time.Second):
			registers, err := r.Registers()
			if err != nil {
				registers = err.Error()
			}
			t.Logf("almost out of time; the processors: %s", registers)
		}
	}()
	_, err = r.Wait()
	close(over)
	<-told
	return r.Statuses(), err
}

// WantStatuses runs the machine and compares the exit statuses.
func (b *Bench) WantStatuses(t testing.TB, want ...int) {
	t.Helper()
	if got := b.Run(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("exit statuses %v, want %v", got, want)
	}
}

// Console is what the firmware's console showed, without terminal control sequences.
func (b *Bench) Console() string { return escape.ReplaceAllString(b.Log.String(), "") }

var escape = regexp.MustCompile(`\x1b\[[0-9;?=]*[A-Za-z]`)

// Content is a file of an image, from memory.
func Content(name string, b []byte) disk.File {
	return disk.Content(name, b)
}

// Copy is a file of an image, from a file of the host.
func Copy(t testing.TB, name, path string) disk.File {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return disk.File{Path: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// Chords are the keys of a US keyboard that type a text, as vm.Running.Press takes them.
func Chords(text string) (keys []string) {
	named := map[rune]string{'\r': "ret", ' ': "spc", '/': "slash", '.': "dot", '?': "shift-slash", '-': "minus"}
	for _, r := range text {
		switch name, ok := named[r]; {
		case ok:
			keys = append(keys, name)
		case r >= 'A' && r <= 'Z':
			keys = append(keys, "shift-"+strings.ToLower(string(r)))
		default:
			keys = append(keys, string(r))
		}
	}
	return keys
}

// BootEntries are lines of the shell that make boot entries, which start the program in a file with optional data, and
// restart the machine, which then tries one after the other.
func BootEntries(path string, options ...[]byte) (lines []string) {
	const setVariable = "setvar %s -guid 8BE4DF61-93CA-11D2-AA0D-00E098032B8C -nv -bs -rt =%x" // of EFI_GLOBAL_VARIABLE
	var order []byte
	for i, o := range options {
		number := 0xB000 + i
		order = binary.LittleEndian.AppendUint16(order, uint16(number))
		lines = append(lines, fmt.Sprintf(setVariable, fmt.Sprintf("Boot%04X", number), loadOption(path, o)))
	}
	return append(lines, fmt.Sprintf(setVariable, "BootOrder", order), "reset")
}

// loadOption is an EFI_LOAD_OPTION (UEFI 2.10, 3.1.3), active, of a file by its path alone.
func loadOption(path string, optional []byte) []byte {
	name := append(UTF16(path), 0, 0)
	nodes := binary.LittleEndian.AppendUint16([]byte{4, 4}, uint16(4+len(name))) // media, file path
	nodes = slices.Concat(nodes, name, []byte{0x7F, 0xFF, 4, 0})
	head := binary.LittleEndian.AppendUint16([]byte{1, 0, 0, 0}, uint16(len(nodes)))
	return slices.Concat(head, UTF16("entry"), []byte{0, 0}, nodes, optional)
}

// UTF16 is a text as the firmware has it.
func UTF16(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// utf16File encodes a script so that the shell takes it for UTF-16.
func utf16File(s string) []byte { return UTF16("\uFEFF" + s) }
