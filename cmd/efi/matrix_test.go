//go:build linux && amd64

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/file"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
	"bootllama/screen"
)

// dimensions are in what the machines of the matrix differ. There is no SD card: OVMF 2022.11 found none on QEMU's sdhci-pci, so
// that nothing was started. A machine's description is a value of each, in this order.
var dimensions = []struct {
	name   string
	values []string
}{
	{"firmware", []string{"OVMF-4M", "OVMF-2M", "secboot", "snakeoil", "newer", "newer-strictnx", "U-Boot"}},
	{"loader", []string{"none", "GRUB", "systemd-boot", "shell", "entry", "unsigned"}},
	{"medium", []string{"AHCI", "virtio", "NVMe", "USB", "SCSI", "4096"}},
	{"processor", []string{"max", "kvm64", "qemu64", "Nehalem", "SandyBridge", "Haswell", "max,-avx,-avx2"}},
	{"cores", []string{"1", "2", "4", "7", "16"}},
	{"MiB", []string{"512", "140", "256", "2048", "6144"}},
	{"screen", []string{"VGA", "virtio-gpu", "no-screen"}},
	{"keyboard", []string{"PS/2", "USB-keyboard", "terminal"}}, // the terminal is on the serial line
}

// only says what a value allows of another dimension, where that is not all.
var only = map[string][]string{
	"unsigned": {"snakeoil", "1", "2", "4"}, // the other firmwares start it
	// A shell would be a way around Secure Boot, and it is what makes the boot entries here: Debian's newer code for it has none,
	// on or off. GRUB without shim starts nothing there, signed or not ("verification requested but nobody cares").
	// With system management mode, without KVM on two quiet cores, 7 cores take 82 s to the end of the talk, and 16 take 229.
	"snakeoil": {"none", "systemd-boot", "unsigned", "1", "2", "4"}, "secboot": {"1", "2", "4"}, "newer-strictnx": {"none", "GRUB", "systemd-boot", "1", "2", "4"},
	// It boots from no other medium by itself, starts no USB for a keyboard, and does not switch a screen on.
	"U-Boot": {"none", "AHCI", "virtio", "USB", "no-screen", "PS/2", "terminal"},
}

// together reports whether a machine can have both values.
func together(p pair) bool {
	of := func(value, other string, dimension int) bool {
		allowed, values := only[value], dimensions[dimension].values
		return slices.Contains(allowed, other) || !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(allowed, v) })
	}
	v, w := dimensions[p.a].values[p.av], dimensions[p.b].values[p.bv]
	return of(v, w, p.b) && of(w, v, p.a)
}

// matrix are the machines.
func matrix() (machines []pc, impossible []pair) {
	combinations, impossible := allPairs(sizes(), together)
	return machinesOf(combinations), impossible
}

func sizes() (list []int) {
	for _, d := range dimensions {
		list = append(list, len(d.values))
	}
	return list
}

// pc is a machine of the matrix.
type pc struct {
	firmware, loader, medium, cpu string
	cores, memory                 int
	screen, keyboard              string
}

func machinesOf(combinations [][]int) (list []pc) {
	for _, c := range combinations {
		var words []string
		for i, v := range c {
			words = append(words, dimensions[i].values[v])
		}
		m, err := parsePC(strings.Join(words, " "))
		if err != nil {
			panic(err)
		}
		list = append(list, m)
	}
	return list
}

// parsePC reads a description. Its processor, cores and memory may be others than the matrix has.
func parsePC(description string) (m pc, err error) {
	words := strings.Fields(description)
	if len(words) != len(dimensions) {
		return m, fmt.Errorf("a machine has %d words, and %q has %d", len(dimensions), description, len(words))
	}
	m = pc{firmware: words[0], loader: words[1], medium: words[2], cpu: words[3], screen: words[6], keyboard: words[7]}
	for i, d := range dimensions {
		if !slices.Contains(d.values, words[i]) && d.name != "MiB" && d.name != "cores" && d.name != "processor" {
			return m, fmt.Errorf("%s %q: want one of %s", d.name, words[i], strings.Join(d.values, ", "))
		}
	}
	if m.cores, err = strconv.Atoi(words[4]); err == nil {
		m.memory, err = strconv.Atoi(words[5])
	}
	return m, err
}

func (m pc) String() string {
	return fmt.Sprintf("%s %s %s %s %d %d %s %s", m.firmware, m.loader, m.medium, m.cpu, m.cores, m.memory, m.screen, m.keyboard)
}

// values are m's, in the order of dimensions.
func (m pc) values() []string { return strings.Fields(m.String()) }

// firmwareFile returns the file of a firmware; there may be none.
func firmwareFile(name string) string {
	debian := "/usr/share/OVMF"
	newer := os.Getenv("BOOTLLAMA_OVMF")
	return map[string]string{
		"OVMF-4M": debian + "/OVMF_CODE_4M.fd", "OVMF-2M": debian + "/OVMF_CODE.fd",
		"secboot": debian + "/OVMF_CODE_4M.secboot.fd", "snakeoil": debian + "/OVMF_CODE_4M.snakeoil.fd",
		"newer": newer + "/OVMF_CODE_4M.fd", "newer-strictnx": newer + "/OVMF_CODE_4M.secboot.strictnx.fd",
		"U-Boot": uBoot,
	}[name]
}

// mediums are QEMU's devices, and those that they are on.
var mediums = map[string]struct {
	device string
	on     []string
}{
	"AHCI": {device: "ide-hd,bus=ide.0"}, "virtio": {device: "virtio-blk-pci"}, "NVMe": {device: "nvme,serial=1"},
	"USB": {device: "usb-storage,removable=on"}, "SCSI": {"scsi-hd", []string{"virtio-scsi-pci"}},
	"4096": {device: "virtio-blk-pci,logical_block_size=4096,physical_block_size=4096"},
}

// machine is m without its disk.
func (m pc) machine() vm.Machine {
	q := vm.Machine{Firmware: firmwareFile(m.firmware), CPU: m.cpu, CPUs: m.cores, MemoryMiB: m.memory, Accel: "tcg",
		Bare: true, Person: true, Stay: true, Restart: true}
	usb := "qemu-xhci"
	if m.firmware == "U-Boot" { // its drivers are for this old chipset
		q.Chipset, usb = "pc", "usb-ehci"
	}
	if m.medium == "USB" || m.keyboard == "USB-keyboard" {
		q.Devices = append(q.Devices, usb)
	}
	if m.keyboard == "USB-keyboard" {
		q.Devices = append(q.Devices, "usb-kbd")
	}
	q.Medium = mediums[m.medium].device
	q.Devices = append(q.Devices, mediums[m.medium].on...)
	switch m.screen {
	case "virtio-gpu":
		q.VGA, q.Devices = "none", append(q.Devices, "virtio-gpu-pci")
	case "no-screen":
		q.VGA = "none"
	}
	return q
}

// What LLAMA.TXT sets, and what a loader's options do: the text is the same, but how long it is.
const (
	inFile    = "temperature = 0\nsteps = 20\n"
	inOptions = "console -t 0 -n 28"
	beginning = "One day"
)

// text is what a machine answers to the beginning of a tale: the host's text.
func (m pc) text() string {
	steps := "20"
	if slices.Contains([]string{"GRUB", "systemd-boot", "entry"}, m.loader) {
		steps = "28"
	}
	text, _, _ := host([]string{"run", "-t", "0", "-n", steps, "-i", beginning})
	return words(text)
}

// words is a text with one blank for each white space.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// parts are what the machines are made of.
type parts struct {
	application, signed []byte // ours
	grub, systemd       []byte // nil: there is none
	systemdSigned       []byte
}

// newParts builds and signs. What is not there is left out, and said.
func newParts(t *testing.T) *parts {
	t.Helper()
	file := build(t)
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{}
	if p.application, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	p.grub = grubImage(t, []started{{line: inOptions}})
	if p.systemd, err = os.ReadFile(systemdBoot); err != nil {
		p.systemd = nil
	}
	if signer := snakeoil(t); signer != nil {
		for _, of := range []struct{ signed, program *[]byte }{{&p.signed, &p.application}, {&p.systemdSigned, &p.systemd}} {
			if *of.program == nil {
				continue
			}
			if *of.signed, err = signer.Sign(*of.program); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

// lacks says what of a machine is not here; "": all is.
func (p *parts) lacks(m pc) string {
	if strings.HasPrefix(m.firmware, "newer") && os.Getenv("BOOTLLAMA_OVMF") == "" {
		return "another OVMF, whose folder BOOTLLAMA_OVMF names"
	}
	if err := vm.Check(firmwareFile(m.firmware)); err != nil {
		return err.Error()
	}
	for _, need := range []struct {
		when bool
		what []byte
		name string
	}{
		{m.loader == "GRUB", p.grub, "GRUB (Debian: grub-efi-amd64-bin and grub-common)"},
		{m.loader == "systemd-boot", p.systemd, "systemd-boot (Debian: systemd-boot-efi)"},
		{m.firmware == "snakeoil", p.signed, "openssl or the key of Debian's OVMF (Debian: openssl, ovmf)"},
	} {
		if need.when && need.what == nil {
			return "there is no " + need.name
		}
	}
	return ""
}

// files are what is on a machine's volume.
func (p *parts) files(m pc) []disk.File {
	application, systemd := p.application, p.systemd
	if m.firmware == "snakeoil" && m.loader != "unsigned" {
		application, systemd = p.signed, p.systemdSigned
	}
	const first, ours = "EFI/BOOT/BOOTX64.EFI", "LLAMA.EFI"
	files := []disk.File{disk.Content("LLAMA.TXT", []byte(inFile))}
	put := func(name string, content []byte) { files = append(files, disk.Content(name, content)) }
	script := func(lines ...string) {
		put("STARTUP.NSH", []byte(strings.Join(append([]string{"@echo -off", "fs0:"}, lines...), "\r\n")+"\r\n"))
	}
	switch m.loader {
	case "none", "unsigned":
		put(first, application)
		return files
	case "GRUB":
		put(first, p.grub)
	case "systemd-boot":
		put(first, systemd)
		put("loader/loader.conf", []byte("timeout 0\ndefault tale.conf\n"))
		put("loader/entries/tale.conf", []byte("title tale\nefi /LLAMA.EFI\noptions "+inOptions+"\n"))
	case "shell":
		script(ours)
	case "entry":
		script(slices.Concat([]string{"if not exist MADE then", "echo made > MADE"},
			vmtest.BootEntries(`\`+ours, vmtest.UTF16(inOptions)), []string{"endif"})...)
	}
	put(ours, application)
	return files
}

// write writes a machine's disk.
func (p *parts) write(t *testing.T, m pc, image string) {
	t.Helper()
	options := disk.Options{Free: 1 << 20}
	if m.medium == "4096" {
		options.Sector = 4096
	}
	if err := disk.Write(t.Context(), image, p.files(m), options); err != nil {
		t.Fatal(err)
	}
}

// sitting is a person at a machine of the matrix.
type sitting struct {
	t       *testing.T
	ctx     context.Context
	m       pc
	running *vm.Running
}

// sit boots a machine, talks with it by its keyboard, reads its screen and serial line, and switches it off by its command.
func (p *parts) sit(t *testing.T, m pc, patience time.Duration) {
	image := filepath.Join(t.TempDir(), "disk.img")
	p.write(t, m, image)
	var log bytes.Buffer
	q := m.machine()
	q.Disk, q.Log, q.Timeout = image, &log, patience
	ctx, cancel := context.WithCancel(t.Context()) // switches it off
	r, err := q.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	defer func() {
		cancel()
		r.Wait()
		if t.Failed() {
			rows := plainRows(log.String())
			t.Logf("the end of its serial line:\n%s", strings.Join(rows[max(0, len(rows)-25):], "\n"))
		}
	}()
	s := sitting{t, ctx, m, r}
	if m.loader == "unsigned" {
		s.await("Access Denied")
		cancel()
		r.Wait()
		if strings.Contains(log.String(), "/help") {
			t.Error("it was started although it is not signed")
		}
		return
	}
	if s.tooLittle() {
		if m.loader != "shell" { // to which it returns
			s.await("o to switch it off")
			s.say("o")
			if _, err := r.Wait(); err != nil {
				t.Fatalf("o: %v", err)
			}
		}
		return
	}
	s.say(beginning + "\r")
	s.await("tok/s")
	s.look(p)
	s.say("/off\r")
	if m.firmware == "U-Boot" { // its ResetSystem waits for ever: it was built without a way to switch QEMU off
		s.await("use its button")
		cancel()
		r.Wait()
	} else if _, err := r.Wait(); err != nil {
		t.Fatalf("/off: %v", err)
	}
	if said := words(strings.Join(plainRows(log.String()), " ")); !strings.Contains(said, m.text()) {
		t.Errorf("the serial line has no %q", m.text())
	}
}

// await waits until the serial line, on which all machines show what they show, has a text.
func (s *sitting) await(text string) {
	s.t.Helper()
	if err := s.running.Await(s.ctx, vm.Console, text); err != nil {
		s.fail("no %q: %v", text, err)
	}
}

// fail ends the test with a picture of the screen.
func (s *sitting) fail(format string, args ...any) {
	s.t.Helper()
	if p, err := s.running.Screendump(); err == nil {
		vmtest.Watch(s.t, s.running, screen.Options{}).Save(&vmtest.Picture{Image: p}, "failed")
	}
	s.t.Fatalf(format, args...)
}

// tooLittle waits for the session, or for the line that says that the machine has too little memory, and reports which it was.
// What the firmware leaves of the least memory depends on its version.
func (s *sitting) tooLittle() bool {
	s.t.Helper()
	const session, kernel, model = "press Enter", "MiB of memory, and the firmware leaves it", "MiB of memory (weights"
	if s.m.memory >= 200 {
		s.await(session)
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	which := make(chan string, 3)
	for _, text := range []string{session, kernel, model} {
		go func() {
			if err := s.running.Await(ctx, vm.Console, text); err != nil {
				text = ""
			}
			which <- text
		}()
	}
	text := <-which
	if text == "" {
		s.fail("neither %q nor %q nor %q", session, kernel, model)
	}
	return text != session
}

// say types a text on the machine's keyboard, or on the terminal's on its serial line.
func (s *sitting) say(text string) {
	s.t.Helper()
	var err error
	if s.m.keyboard == "terminal" {
		err = s.running.Type(text)
	} else {
		err = s.running.Press(vmtest.Chords(text)...)
	}
	if err != nil {
		s.fail("typing %q: %v", text, err)
	}
}

// look reads the screen.
func (s *sitting) look(p *parts) {
	s.t.Helper()
	switch {
	case s.m.screen == "no-screen":
	case s.m.loader == "shell": // the screen stays the shell's, with the firmware's font
		if p, err := s.running.Screendump(); err != nil || !lit(p.Pix) {
			s.fail("the screen is dark: %v", err)
		}
	default:
		picture := vmtest.Watch(s.t, s.running, screen.Options{}).Await("tok/s")
		if !strings.Contains(words(picture.Text()), s.m.text()) {
			s.fail("the screen has no %q:\n%s", s.m.text(), picture.Text())
		}
	}
}

// lit reports whether a picture has something bright.
func lit(pix []byte) bool {
	for i := 0; i < len(pix); i += 4 {
		if max(pix[i], pix[i+1], pix[i+2]) > 128 {
			return true
		}
	}
	return false
}

// plainRows are the rows of what a serial line had that are not empty.
func plainRows(log string) []string {
	return slices.DeleteFunc(rowsOf(log), func(row string) bool { return row == "" })
}

// TestMatrix boots machines that differ in everything that a PC can differ in, as far as QEMU has it, talks with each by its
// keyboard, reads the answer from its screen and its serial line, and switches it off. It has every value once; with
// BOOTLLAMA_MATRIX=1 every pair of values, two machines at a time, and an interrupted run goes on where it was. With a
// description, BOOTLLAMA_MATRIX boots that machine.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: minutes")
	}
	p := newParts(t)
	machines, _ := matrix()
	which := os.Getenv("BOOTLLAMA_MATRIX")
	var done *record
	patience := 5 * time.Minute // of a machine, on a busy host
	switch which {
	case "":
		t.Parallel()
		machines = p.few(t)
	case "1":
		done, patience = openRecord(t, p), 75*time.Second // of two, where nothing else runs; a failure is tried again by the next run
		few := p.few(t)
		machines = append(few, slices.DeleteFunc(machines, func(m pc) bool { return slices.Contains(few, m) })...)
		slices.SortStableFunc(machines, func(a, b pc) int { return cmp.Compare(done.results[a.String()], done.results[b.String()]) })
	default:
		m, err := parsePC(which)
		if err != nil {
			t.Fatal(err)
		}
		machines = []pc{m}
	}
	queue := make(chan pc, len(machines))
	for _, m := range machines {
		if !done.passed(m) {
			queue <- m
		}
	}
	close(queue)
	var left atomic.Int32
	t.Run("two", func(t *testing.T) { // at a time
		for _, name := range []string{"a", "b"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for m := range queue {
					if end, limited := t.Deadline(); done != nil && limited && time.Until(end) < patience+10*time.Second {
						left.Add(1)
						continue
					}
					t.Run(strings.ReplaceAll(m.String(), "/", ""), func(t *testing.T) { p.try(t, m, patience, done) })
				}
			})
		}
	})
	if n := left.Load(); n > 0 {
		t.Errorf("the time is up; the same command goes on with the %d machines that are left", n)
	}
	if done != nil {
		done.table(t, machines)
	}
}

// try tries a machine, and notes how it did.
func (p *parts) try(t *testing.T, m pc, patience time.Duration, done *record) {
	if missing := p.lacks(m); missing != "" {
		t.Skip("SKIPPED: ", missing)
	}
	begin := time.Now()
	defer func() {
		if done.add(t, m, time.Since(begin)); t.Failed() {
			t.Logf("again: BOOTLLAMA_MATRIX='%s' go test -count=1 -run TestMatrix ./cmd/efi", m)
		}
	}()
	p.sit(t, m, patience)
}

// few are the machines that have every value which can be had here, and no others.
func (p *parts) few(t *testing.T) []pc {
	t.Helper()
	combinations, _ := allPairs(sizes(), together)
	missing := map[string]bool{}
	here := slices.DeleteFunc(slices.Clone(combinations), func(c []int) bool {
		why := p.lacks(machinesOf([][]int{c})[0])
		missing[why] = true
		return why != ""
	})
	delete(missing, "")
	for why := range missing {
		t.Run("missing", func(t *testing.T) { t.Skip("SKIPPED, machines of the matrix: ", why) })
	}
	return machinesOf(eachValue(here))
}

// record is the file build/matrix.txt, which says how the machines of a whole matrix did: a line each, for one application.
type record struct {
	mu      sync.Mutex
	name    string
	lines   []string          // of the file
	results map[string]string // by description
	program string            // the beginning of the application's SHA-256
}

func openRecord(t *testing.T, p *parts) *record {
	t.Helper()
	r := &record{name: filepath.Join(root, "build", "matrix.txt"), results: map[string]string{}, program: fmt.Sprintf("%x", sha256.Sum256(p.application))[:12]}
	if err := os.MkdirAll(filepath.Dir(r.name), 0o777); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if words := strings.Split(strings.TrimSpace(line), "\t"); len(words) == 4 && words[0] == r.program {
			r.lines = append(r.lines, line)
			r.results[words[1]] = words[2]
		}
	}
	return r
}

// passed reports whether a machine need not be tried again.
func (r *record) passed(m pc) bool { return r != nil && r.results[m.String()] == "passed" }

// add notes a machine.
func (r *record) add(t *testing.T, m pc, took time.Duration) {
	t.Helper()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	result := "passed"
	if t.Failed() {
		result = "failed"
	}
	r.results[m.String()] = result
	r.lines = append(r.lines, fmt.Sprintf("%s\t%s\t%s\t%.0f s\n", r.program, m, result, took.Seconds()))
	if err := file.Write(r.name, []byte(strings.Join(r.lines, ""))); err != nil {
		t.Error(err)
	}
}

// table prints README's table: of each value, how many machines passed of those that have it.
func (r *record) table(t *testing.T, machines []pc) {
	t.Helper()
	var b strings.Builder
	for i, d := range dimensions {
		var cells []string
		for _, v := range d.values {
			passed, all := 0, 0
			for _, m := range machines {
				if m.values()[i] == v {
					all++
					if r.passed(m) {
						passed++
					}
				}
			}
			cells = append(cells, fmt.Sprintf("%s %d/%d", v, passed, all))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", d.name, strings.Join(cells, ", "))
	}
	passed := 0
	for _, m := range machines {
		if r.passed(m) {
			passed++
		}
	}
	t.Logf("%d of %d machines passed\n%s", passed, len(machines), &b)
}

// TestMatrixMachines: the whole matrix has each value, each pair that there can be, and 150 machines at most; the few of
// `make test` have each value; and a description is read as the machine that it was written for.
func TestMatrixMachines(t *testing.T) {
	combinations, impossible := allPairs(sizes(), together)
	machines, _ := matrix()
	few := eachValue(combinations)
	t.Logf("%d machines, of which %d have each value; %d pairs of values cannot be had", len(machines), len(few), len(impossible))
	if len(machines) > 150 || len(few) > 12 {
		t.Errorf("%d machines, and %d", len(machines), len(few))
	}
	checkPairs(t, sizes(), together, combinations, impossible)
	for i, d := range dimensions {
		for v := range d.values {
			for _, list := range [][][]int{combinations, few} {
				if !slices.ContainsFunc(list, func(c []int) bool { return c[i] == v }) {
					t.Errorf("%s %s: no machine has it", d.name, d.values[v])
				}
			}
		}
	}
	for _, p := range impossible {
		t.Errorf("no machine has %s and %s, and nothing says why", dimensions[p.a].values[p.av], dimensions[p.b].values[p.bv])
	}
	for i, m := range machines {
		if got, err := parsePC(m.String()); got != m || err != nil {
			t.Errorf("%q is read as %v, %v", m, got, err)
		}
		for place, v := range combinations[i] {
			if m.values()[place] != dimensions[place].values[v] {
				t.Errorf("%v is no %v", m, combinations[i])
			}
		}
	}
	for _, bad := range []string{"", "OVMF-4M none", "OVMF-4M none AHCI max x 512 VGA PS/2", "OVMF-4M lilo AHCI max 1 512 VGA PS/2"} {
		if m, err := parsePC(bad); err == nil {
			t.Errorf("%q is read as %v", bad, m)
		}
	}
}
