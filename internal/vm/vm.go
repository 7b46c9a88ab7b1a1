// Package vm boots a disk image in QEMU under UEFI firmware and talks to the program on it: the test bench of this
// project, and what `bootllama boot` runs on.
//
// The program in the machine is heard on three I/O ports (QEMU's isa-debugcon): 0xe9 is its standard output, 0xea its
// standard error, and 0xeb takes one byte for every program that ended, its exit status. The serial port COM1 is the
// firmware's console: what it says is the console log, what is written to it are keys. Each of these, and QEMU's own
// control channel (QMP), is a Unix socket in a private folder on which this package listens and to which QEMU connects;
// that works alike on Linux, macOS and Windows. QEMU writes to the sockets before the guest's OUT instruction ends, so
// when the status byte is here, all output before it is in its sockets.
package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrTimeout is in the error of a machine that was switched off because its time was up.
var ErrTimeout = errors.New("time limit reached")

// ErrNotStarted is in the error of a machine whose firmware never started a program that was heard.
var ErrNotStarted = errors.New("the firmware did not start the program")

// Machine describes a PC: q35 chipset, UEFI firmware, no network, a disk on AHCI. The zero value of a field means what
// its comment says; only Disk must be given.
type Machine struct {
	Disk     string // path of a raw disk image, which the firmware boots
	ReadOnly bool   // the disk is write-protected (as a virtio disk: QEMU's AHCI disks cannot be)

	CPUs      int    // 0: 1
	MemoryMiB int    // 0: 512
	CPU       string // QEMU's -cpu; "": max
	Accel     string // auto, kvm or tcg; "": auto
	Firmware  string // path of an OVMF or edk2 image; "": where distributions put it

	Screen  bool          // show the machine's screen in a window
	Timeout time.Duration // 0: none

	Stdout io.Writer // nil: io.Discard
	Stderr io.Writer // nil: io.Discard
	Log    io.Writer // console log, as it came over COM1 with its escape sequences; nil: io.Discard

	// Keys are typed on COM1 from the moment the program wrote its first byte; earlier ones would open the firmware's
	// setup. A Read that blocks for ever outlives the machine (nobody can interrupt it): close what it reads from.
	Keys io.Reader

	// Stay leaves the machine on when a program has ended, until it is switched off from within or its time is up:
	// for a script of the UEFI shell that starts several.
	Stay bool

	shell bool // the UEFI shell is the program: do not take its appearance for a failure to start one
}

// Stream is something that a running machine says.
type Stream int

// The streams of a machine.
const (
	Stdout Stream = iota
	Stderr
	Console
	status
	streams
)

// ports are the names of the sockets; the first three in the order of Stream.
var ports = [...]string{"stdout", "stderr", "console", "status", "qmp"}

// Running is a machine that has been switched on.
type Running struct {
	machine Machine
	dir     string // private folder: sockets, variable store
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stderr  tail // QEMU's own
	conns   [len(ports)]net.Conn
	qmp     *qmp
	tapes   [streams]*tape
	started chan struct{} // closed at the program's first byte on stdout, stderr or status
	once    sync.Once     // of started
	copies  sync.WaitGroup

	done   chan struct{}
	result int
	err    error
	unsaid [streams]error // why a stream could not be passed on
}

// Run switches the machine on, waits until the program has ended and returns its exit status. With Stay it waits until
// the machine is off and returns the last status. An error says that there is none: ErrTimeout, ErrNotStarted, the cause
// of ctx's end, or what QEMU said. Whatever happens, QEMU has ended and its folder is gone when Run returns.
func (m Machine) Run(ctx context.Context) (int, error) {
	r, err := m.Start(ctx)
	if err != nil {
		return 0, err
	}
	return r.Wait()
}

// Start switches the machine on. It runs on its own from there; Wait waits for its end, and the end of ctx ends it.
func (m Machine) Start(ctx context.Context) (*Running, error) {
	qemu, err := FindQEMU()
	if err != nil {
		return nil, err
	}
	firmware, err := findFirmware("/", qemu, m.Firmware)
	if err != nil {
		return nil, err
	}
	accel, err := accelerators(m.Accel, runtime.GOOS, runtime.GOARCH, kvmWorks("/dev/kvm", "/proc/cpuinfo"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bootllama-vm-")
	if err != nil {
		return nil, err
	}
	r := &Running{machine: m, dir: dir, started: make(chan struct{}), done: make(chan struct{})}
	for i := range r.tapes {
		r.tapes[i] = newTape()
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if m.Timeout > 0 {
		limit, stop := context.WithTimeoutCause(r.ctx, m.Timeout, fmt.Errorf("%w (%v)", ErrTimeout, m.Timeout))
		context.AfterFunc(limit, stop)
		r.ctx = limit
	}
	exited, err := r.start(qemu, firmware, accel)
	if err != nil {
		cause := context.Cause(r.ctx)
		r.cancel(nil)
		if exited != nil {
			<-exited
		}
		return nil, errors.Join(r.startError(cause, err), os.RemoveAll(dir))
	}
	r.listen()
	go r.supervise(exited)
	return r, nil
}

// startError says why the machine could not be switched on: the cause of its being killed, if it was, or QEMU's words.
func (r *Running) startError(cause, err error) error {
	if cause != nil {
		return cause
	}
	if said := r.stderr.String(); said != "" {
		err = errors.New(said)
	}
	return fmt.Errorf("QEMU did not start: %w", err)
}

// start starts QEMU and lets it connect to every socket. The channel, if any, tells that QEMU has ended.
func (r *Running) start(qemu string, firmware Firmware, accel []string) (<-chan error, error) {
	flash, err := firmware.flash(r.dir)
	if err != nil {
		return nil, err
	}
	display := "none"
	if r.machine.Screen {
		if display, err = window(r.ctx, qemu); err != nil {
			return nil, err
		}
	}
	var listeners [len(ports)]net.Listener
	closeAll := func() {
		for _, l := range listeners {
			if l != nil {
				l.Close() // its error says that it is closed already
			}
		}
	}
	defer closeAll()
	for i, name := range ports {
		if listeners[i], err = net.Listen("unix", filepath.Join(r.dir, name)); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(r.ctx, qemu, r.args(display, flash, accel)...)
	cmd.Stderr = &r.stderr
	cmd.WaitDelay = 5 * time.Second
	dieWithParent(cmd)
	exited, err := startLocked(cmd)
	if err != nil {
		return nil, err
	}
	over := make(chan error, 1)
	connected := make(chan struct{})
	go func() { // a QEMU that ends early ends the Accept calls
		err := <-exited
		select {
		case <-connected:
		default:
			closeAll()
		}
		over <- err
	}()
	for i, l := range listeners {
		if r.conns[i], err = l.Accept(); err != nil {
			r.closeConns()
			return over, errors.New("it ended without a word")
		}
	}
	close(connected)
	if r.qmp, err = newQMP(r.conns[len(ports)-1]); err != nil {
		r.closeConns()
		return over, err
	}
	return over, nil
}

// startLocked starts cmd and waits for it on one locked thread: Linux sends the parent-death signal when the thread that
// forked ends, not the process.
func startLocked(cmd *exec.Cmd) (<-chan error, error) {
	started, exited := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return exited, <-started
}

// args are QEMU's arguments.
func (r *Running) args(display string, flash, accel []string) []string {
	m := r.machine
	args := []string{"-nodefaults", "-no-user-config", "-machine", "q35", "-vga", "std", "-nic", "none", "-no-reboot"}
	for _, a := range accel {
		args = append(args, "-accel", a)
	}
	args = append(args, "-cpu", cmp.Or(m.CPU, "max"), "-smp", strconv.Itoa(cmp.Or(m.CPUs, 1)), "-m", strconv.Itoa(cmp.Or(m.MemoryMiB, 512)))
	args = append(args, "-display", display)
	args = append(args, flash...)
	drive, device := "if=none,format=raw,id=disk,file="+escape(m.Disk), "ide-hd"
	if m.ReadOnly {
		drive, device = drive+",readonly=on", "virtio-blk-pci"
	}
	args = append(args, "-drive", drive, "-device", device+",drive=disk")
	for _, name := range ports {
		args = append(args, "-chardev", "socket,id="+name+",path="+escape(filepath.Join(r.dir, name)))
	}
	for _, p := range [][2]string{{"stdout", "0xe9"}, {"stderr", "0xea"}, {"status", "0xeb"}} {
		args = append(args, "-device", "isa-debugcon,iobase="+p[1]+",readback="+p[1]+",chardev="+p[0])
	}
	return append(args, "-serial", "chardev:console", "-mon", "chardev=qmp,mode=control")
}

// window is the kind of window that this QEMU can open. Left to choose, one without any becomes a VNC server.
func window(ctx context.Context, qemu string) (string, error) {
	kinds, err := exec.CommandContext(ctx, qemu, "-display", "help").Output()
	if err != nil {
		return "", fmt.Errorf("-display help: %w", err)
	}
	for _, kind := range []string{"gtk", "sdl", "cocoa"} {
		if slices.Contains(strings.Fields(string(kinds)), kind) {
			return kind, nil
		}
	}
	return "", errors.New("it cannot open a window (Debian and Ubuntu: apt install qemu-system-gui)")
}

// escape writes a file name as QEMU's option syntax wants it: a comma is doubled.
func escape(name string) string { return strings.ReplaceAll(name, ",", ",,") }

// listen starts to copy what the machine says, and the keys.
func (r *Running) listen() {
	m := r.machine
	for s, w := range map[Stream]io.Writer{Stdout: m.Stdout, Stderr: m.Stderr, Console: m.Log, status: nil} {
		r.copies.Add(1)
		go func() {
			defer r.copies.Done()
			r.copy(s, w)
		}()
	}
	if m.Keys != nil {
		go r.typeKeys()
	}
}

// copy takes down what the machine says on s until QEMU ends, and passes it on. When it cannot be passed on, the machine
// has nobody to talk to and is switched off; what it still says is read all the same, else QEMU would wait for us.
func (r *Running) copy(s Stream, w io.Writer) {
	defer r.tapes[s].close()
	buf := make([]byte, 32<<10)
	var plain plainText
	for {
		n, err := r.conns[s].Read(buf)
		if n > 0 {
			if w != nil {
				if _, err := w.Write(buf[:n]); err != nil {
					r.unsaid[s], w = err, nil
					r.cancel(err)
				}
			}
			text := buf[:n]
			if s == Console {
				text = plain.filter(text)
			}
			r.tapes[s].add(text)
			r.heard(s)
		}
		if err != nil {
			return // end of file: QEMU has ended
		}
	}
}

// heard acts on what the machine just said on s.
func (r *Running) heard(s Stream) {
	if s != Console {
		r.once.Do(func() { close(r.started) })
	}
	if r.machine.Stay {
		return
	}
	switch s { // nothing to do for stdout and stderr
	case status:
		if _, err := r.qmp.execute("quit", nil); err != nil {
			r.cancel(nil) // QEMU has ended by itself, or hangs and is killed
		}
	case Console:
		if r.machine.shell {
			return
		}
		select {
		case <-r.started:
		default:
			if r.tapes[Console].contains("UEFI Interactive Shell") { // the firmware's last boot option
				r.cancel(ErrNotStarted)
			}
		}
	}
}

// typeKeys types machine.Keys on COM1 once the program runs.
func (r *Running) typeKeys() {
	select {
	case <-r.started:
	case <-r.done:
		return
	}
	if _, err := io.Copy(r.conns[Console], r.machine.Keys); err != nil {
		r.cancel(fmt.Errorf("keys: %w", err)) // harmless if the machine has just ended
	}
}

// supervise waits for QEMU's end, then cleans up and draws the conclusion.
func (r *Running) supervise(exited <-chan error) {
	exit := <-exited
	cause := context.Cause(r.ctx)
	removed := os.RemoveAll(r.dir)
	r.copies.Wait()
	r.closeConns()
	r.cancel(nil)
	r.result, r.err = r.conclude(exit, cause)
	r.err = errors.Join(r.err, removed)
	if unsaid := errors.Join(r.unsaid[:]...); unsaid != nil {
		r.err = unsaid
	}
	close(r.done)
}

// conclude tells how the machine ended, from QEMU's exit and the cause of its being killed, if it was.
func (r *Running) conclude(exit, cause error) (int, error) {
	statuses := r.Statuses()
	last := 0
	if len(statuses) > 0 {
		last = statuses[len(statuses)-1]
	}
	switch {
	case r.machine.Stay && cause != nil:
		return last, cause
	case r.machine.Stay && exit == nil:
		return last, nil
	case len(statuses) > 0 && !r.machine.Stay:
		return statuses[0], nil
	case errors.Is(cause, ErrTimeout):
		select {
		case <-r.started:
			return 0, cause
		default:
			return 0, fmt.Errorf("%w; %w%s", cause, ErrNotStarted, r.clue())
		}
	case cause == ErrNotStarted:
		return 0, fmt.Errorf("%w%s", cause, r.clue())
	case cause != nil:
		return 0, cause
	case exit != nil:
		return 0, fmt.Errorf("QEMU ended (%w): %s", exit, r.stderr.String())
	}
	return 0, fmt.Errorf("the machine was switched off before the program ended%s", r.clue())
}

// clue is the end of the console log in words that a person can read, each line indented under the error.
func (r *Running) clue() string {
	lines := plainLines(r.tapes[Console].bytes())
	if len(lines) == 0 {
		return "; its console said nothing"
	}
	const few = 8
	if len(lines) > few {
		lines = lines[len(lines)-few:]
	}
	return "; the end of its console log:\n    " + strings.Join(lines, "\n    ")
}

// Wait waits for the machine's end; see Run for what it returns.
func (r *Running) Wait() (int, error) {
	<-r.done
	return r.result, r.err
}

// Statuses are the exit statuses of the programs that have ended so far.
func (r *Running) Statuses() []int {
	var list []int
	for _, b := range r.tapes[status].bytes() {
		list = append(list, int(b))
	}
	return list
}

// Await waits until the machine says text on s, after what an earlier Await on s has found. On Console, terminal control
// sequences do not count.
func (r *Running) Await(ctx context.Context, s Stream, text string) error {
	return r.tapes[s].await(ctx, text)
}

// Type types keys on COM1 at once. A carriage return is the Enter key.
func (r *Running) Type(keys string) error {
	_, err := io.WriteString(r.conns[Console], keys)
	return err
}

func (r *Running) closeConns() {
	for _, c := range r.conns {
		if c != nil {
			c.Close() // its error says that QEMU has closed it already
		}
	}
}

// tail is an io.Writer that keeps the last KiB; String is one line.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-1024):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(plainLines(t.text), "; ")
}
