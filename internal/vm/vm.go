// Package vm boots a disk image in QEMU under UEFI firmware and exchanges text with the program on it. Tests and
// `bootllama boot` use it.
//
// The program in the machine writes to three I/O ports (QEMU's isa-debugcon): 0xe9 is its standard output, 0xea its
// standard error, and 0xeb takes one byte for every program that ended, its exit status. The serial port COM1 is the
// firmware's console: its output is the console log, its input are keys. Each of these, and QEMU's own control channel
// (QMP), is a Unix socket in a private folder on which this package listens and to which QEMU connects; that works on
// Linux, macOS and Windows alike. QEMU writes to the sockets before the guest's OUT instruction ends, so that all output
// before a status byte is in its sockets when the status byte arrives.
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

// ErrTimeout is wrapped by the error of a machine that was switched off at its time limit.
var ErrTimeout = errors.New("time limit reached")

// ErrNotStarted is wrapped by the error of a machine whose program wrote nothing: the firmware did not start one.
var ErrNotStarted = errors.New("the firmware did not start the program")

// Machine describes a PC: q35 chipset, UEFI firmware, no network, a disk on AHCI. Comments give the
// meaning of zero values; Disk is required.
type Machine struct {
	Disk     string // path of a raw disk image, which the firmware boots
	Medium   string // QEMU's -device for it, without its drive; "": ide-hd,bus=ide.0
	ReadOnly bool   // the disk is write-protected (as a virtio disk: QEMU's AHCI disks cannot be)
	Second   string // path of another one, behind the first; "": none

	Chipset   string   // QEMU's -machine; "": q35
	CPUs      int      // 0: 1
	MemoryMiB int      // 0: 512
	CPU       string   // QEMU's -cpu; "": max
	VGA       string   // QEMU's -vga; "": std
	Devices   []string // more of QEMU's -device; Medium may be on them
	Accel     string   // auto, kvm or tcg; "": auto
	Firmware  string   // path of an OVMF or edk2 image; "": where distributions put it

	Screen  bool          // show the machine's screen in a window
	Person  bool          // nobody reads the programs' exit statuses: they end as on a PC, at which a person sits
	Bare    bool          // as Person, and there are no debug ports at all: only console and screen tell what the program does
	Timeout time.Duration // 0: none

	Stdout io.Writer // nil: io.Discard
	Stderr io.Writer // nil: io.Discard
	Log    io.Writer // console log, as it came over COM1 with its escape sequences; nil: io.Discard

	// Keys are typed on COM1 from the moment the program wrote its first byte; earlier ones would open the firmware's
	// setup. A Read that blocks for ever outlives the machine (nobody can interrupt it): close what it reads from.
	Keys io.Reader

	// Stay keeps the machine on when a program has ended, until the guest switches it off or its time is up. A script of
	// the UEFI shell can then start several programs.
	Stay bool
	// Restart lets a reset by the guest start the machine again, with the firmware's variables as they are. Otherwise it
	// switches the machine off.
	Restart bool

	shell bool // the program is the UEFI shell, which otherwise shows that the firmware found no program
}

// Stream is an output of a running machine.
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
	machine  Machine
	dir      string // private folder: sockets, variable store
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stderr   tail // QEMU's own
	conns    [len(ports)]net.Conn
	qmp      *qmp
	backlogs [streams]*backlog
	started  chan struct{} // closed at the program's first byte on stdout, stderr or status
	once     sync.Once     // of started
	hurried  bool          // the shell has been told not to wait, by what copies the console
	dump     sync.Mutex    // of the file of Screendump
	copies   sync.WaitGroup

	done      chan struct{}
	result    int
	err       error
	writeErrs [streams]error // of Machine.Stdout, Stderr and Log
}

// Run switches the machine on, waits until the program has ended and returns its exit status. With Stay it waits until
// the machine is off and returns the last status. The error, if there is no status, is ErrTimeout, ErrNotStarted, the
// cause of ctx or a message of QEMU's. When Run returns, QEMU has always ended and its folder is removed.
func (m Machine) Run(ctx context.Context) (int, error) {
	r, err := m.Start(ctx)
	if err != nil {
		return 0, err
	}
	return r.Wait()
}

// Start switches the machine on and returns. Wait waits for its end; the end of ctx switches it off.
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
	dir, err := privateFolder(os.TempDir())
	if err != nil {
		return nil, err
	}
	r := &Running{machine: m, dir: dir, started: make(chan struct{}), done: make(chan struct{})}
	for i := range r.backlogs {
		r.backlogs[i] = newBacklog()
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

// maxSocketPath is how many bytes the path of a Unix socket may have: sun_path has 108 with the NUL behind it, on macOS and
// the BSDs 104.
const maxSocketPath = 103

// privateFolder makes a folder for the sockets and the variable store: in the folder for temporary files or, where the
// sockets' paths would be too long there, in /tmp.
func privateFolder(temporary string) (string, error) {
	const pattern, random = "bootllama-vm-", "4294967295" // MkdirTemp's random numbers have 32 bits
	longest := slices.MaxFunc(ports[:], func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	if len(filepath.Join(temporary, pattern+random, longest)) > maxSocketPath && runtime.GOOS != "windows" {
		temporary = "/tmp"
	}
	return os.MkdirTemp(temporary, pattern)
}

// startError returns why the machine was not switched on: the cause of ctx, if QEMU was killed, or QEMU's message.
func (r *Running) startError(cause, err error) error {
	if errors.Is(cause, ErrTimeout) {
		return fmt.Errorf("%w; %w", cause, ErrNotStarted)
	}
	if cause != nil {
		return cause
	}
	if said := r.stderr.String(); said != "" {
		err = errors.New(said)
	}
	return fmt.Errorf("QEMU did not start: %w", err)
}

// start starts QEMU and accepts its connections. The channel, if it is not nil, gets QEMU's end.
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
				l.Close() // fails only if it is closed already
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
// forked ends, even if the process goes on.
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
	args := []string{"-nodefaults", "-no-user-config", "-machine", cmp.Or(m.Chipset, "q35"), "-vga", cmp.Or(m.VGA, "std"), "-nic", "none"}
	if !m.Restart {
		args = append(args, "-no-reboot")
	}
	for _, a := range accel {
		args = append(args, "-accel", a)
	}
	args = append(args, "-cpu", cmp.Or(m.CPU, "max"), "-smp", strconv.Itoa(cmp.Or(m.CPUs, 1)), "-m", strconv.Itoa(cmp.Or(m.MemoryMiB, 512)))
	args = append(args, "-display", display)
	args = append(args, flash...)
	for _, d := range m.Devices {
		args = append(args, "-device", d)
	}
	drive, device := "if=none,format=raw,id=disk,file="+escape(m.Disk), cmp.Or(m.Medium, "ide-hd,bus=ide.0")
	if m.ReadOnly {
		drive, device = drive+",readonly=on", cmp.Or(m.Medium, "virtio-blk-pci")
	}
	args = append(args, "-drive", drive, "-device", device+",drive=disk")
	if m.Second != "" {
		args = append(args, "-drive", "if=none,format=raw,id=second,file="+escape(m.Second), "-device", "ide-hd,bus=ide.1,drive=second")
	}
	for _, name := range ports {
		args = append(args, "-chardev", "socket,id="+name+",path="+escape(filepath.Join(r.dir, name)))
	}
	for _, p := range [][2]string{{"stdout", "0xe9"}, {"stderr", "0xea"}, {"status", "0xeb"}} {
		if m.Bare || p[0] == "status" && m.Person {
			continue
		}
		args = append(args, "-device", "isa-debugcon,iobase="+p[1]+",readback="+p[1]+",chardev="+p[0])
	}
	return append(args, "-serial", "chardev:console", "-mon", "chardev=qmp,mode=control")
}

// window returns a kind of window that this QEMU can open. By default, a QEMU without windows starts a VNC server.
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

// listen starts the goroutines that copy the machine's output and the keys.
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

// copy copies stream s to its backlog and to w, if that is not nil, until QEMU ends. If w fails, the machine is switched
// off. The rest of its output is read nevertheless, because QEMU would otherwise block.
func (r *Running) copy(s Stream, w io.Writer) {
	defer r.backlogs[s].close()
	buf := make([]byte, 32<<10)
	var plain plainText
	for {
		n, err := r.conns[s].Read(buf)
		if n > 0 {
			if w != nil {
				if _, err := w.Write(buf[:n]); err != nil {
					r.writeErrs[s], w = err, nil
					r.cancel(err)
				}
			}
			text := buf[:n]
			if s == Console {
				text = plain.filter(text)
			}
			r.backlogs[s].add(text)
			r.heard(s)
		}
		if err != nil {
			return // end of file: QEMU has ended
		}
	}
}

// heard is called after each output on s. It notes the start of a program and switches the machine off at its end.
func (r *Running) heard(s Stream) {
	if s != Console {
		r.once.Do(func() { close(r.started) })
	}
	if s == Console && (r.machine.Stay || r.machine.shell) {
		r.hurryShell()
	}
	if r.machine.Stay {
		return
	}
	switch s {
	case status:
		if _, err := r.qmp.execute("quit", nil); err != nil {
			r.cancel(nil) // QEMU has ended already, or it hangs and is killed
		}
	case Console:
		if r.machine.shell {
			return
		}
		select {
		case <-r.started:
		default:
			// The firmware's last boot option; and what it says when that has ended, too. On a very busy host a serial line
			// has lost the text between the two.
			if b := r.backlogs[Console]; b.contains("UEFI Interactive Shell") || b.contains("No bootable option") {
				r.cancel(ErrNotStarted)
			}
		}
	}
}

// hurryShell types a key where the shell offers to begin its script at once. It waits for one five seconds, in a loop that
// takes a core of the host, which is half of what a boot takes.
func (r *Running) hurryShell() {
	if !r.hurried && r.backlogs[Console].contains("any other key to continue") {
		r.hurried = true
		r.conns[Console].Write([]byte{' '}) // fails only if the machine has just ended
	}
}

// typeKeys copies machine.Keys to COM1 once the program runs.
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

// supervise waits for QEMU's end, cleans up and sets the result.
func (r *Running) supervise(exited <-chan error) {
	exit := <-exited
	cause := context.Cause(r.ctx)
	removed := os.RemoveAll(r.dir)
	r.copies.Wait()
	r.closeConns()
	r.cancel(nil)
	r.result, r.err = r.conclude(exit, cause)
	r.err = errors.Join(r.err, removed)
	if writeErrs := errors.Join(r.writeErrs[:]...); writeErrs != nil {
		r.err = writeErrs
	}
	close(r.done)
}

// conclude returns the result of Run from QEMU's exit and the cause of ctx, if QEMU was killed.
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

// clue returns the end of the console log as text for an error, with indented lines.
func (r *Running) clue() string {
	lines := plainLines(r.backlogs[Console].bytes())
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
	for _, b := range r.backlogs[status].bytes() {
		list = append(list, int(b))
	}
	return list
}

// Await waits until the output on s contains text, after what an earlier Await on s found. Terminal control sequences on
// Console are ignored.
func (r *Running) Await(ctx context.Context, s Stream, text string) error {
	return r.backlogs[s].await(ctx, text)
}

// Type types keys on COM1 at once. A carriage return is the Enter key.
func (r *Running) Type(keys string) error {
	_, err := io.WriteString(r.conns[Console], keys)
	return err
}

func (r *Running) closeConns() {
	for _, c := range r.conns {
		if c != nil {
			c.Close() // fails only if QEMU has closed it
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
