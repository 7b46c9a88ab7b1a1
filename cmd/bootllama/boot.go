package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"bootllama"
	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
	"bootllama/internal/stdio"
	"bootllama/internal/vm"
)

const bootHelp = `Usage: boot [MODEL] [options]    build the disk image, boot it in QEMU, show what the machine prints

With -i, or when standard input or output is no terminal, the machine runs once and the command ends with its exit
status. Otherwise the terminal is the machine's console.

      --smp NUMBER          processor cores (default as many as there are here, at most 4)
      --memory MiB          memory (default: what the model needs, at least 512)
      --cpu NAME            QEMU's processor model (default max)
      --accel NAME          auto, kvm or tcg (default auto: KVM where it works, else TCG)
      --firmware PATH       OVMF or edk2 image (default: the distribution's)
      --screen              show the machine's screen in a window
      --timeout DURATION    switch the machine off after it: seconds, or with a unit,
                            such as 5m; 0: never (default 10m without a person at
                            the console)
      --log FILE            write what the firmware's console says
      --console             hold a session also without a terminal: lines of standard input are typed
      --no-check            leave it to the machine to find fault with the files
  -v                        say what is going on

The other options are those of run.
`

// bootOptions are the options of boot.
type bootOptions struct {
	run.Options
	machine vm.Machine
	timeout time.Duration
	log     string
	console bool
	noCheck bool
	verbose bool
}

func parseBoot(args []string) (bootOptions, error) {
	const notGiven = -1 // boot chooses
	var o bootOptions
	flags := flag.NewFlagSet("boot", flag.ContinueOnError)
	o.Register(flags)
	flags.IntVar(&o.machine.CPUs, "smp", min(runtime.NumCPU(), 4), "")
	flags.IntVar(&o.machine.MemoryMiB, "memory", 0, "")
	flags.StringVar(&o.machine.CPU, "cpu", "max", "")
	flags.StringVar(&o.machine.Accel, "accel", "auto", "")
	flags.StringVar(&o.machine.Firmware, "firmware", "", "")
	flags.BoolVar(&o.machine.Screen, "screen", false, "")
	o.timeout = notGiven
	flags.Func("timeout", "", func(s string) (err error) {
		o.timeout, err = duration(s)
		return err
	})
	flags.StringVar(&o.log, "log", "", "")
	flags.BoolVar(&o.console, "console", false, "")
	flags.BoolVar(&o.noCheck, "no-check", false, "")
	flags.BoolVar(&o.verbose, "v", false, "")
	models, err := run.ParseFlags(flags, args)
	if err == nil {
		err = o.Complete(models)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (`bootllama help boot` lists the options)", err)
	case o.machine.CPUs < 1 || o.machine.CPUs > 255:
		return o, run.Usagef("--smp %d: want 1 to 255 cores", o.machine.CPUs)
	case o.machine.MemoryMiB < 0 || o.machine.MemoryMiB > 0 && o.machine.MemoryMiB < 64:
		return o, run.Usagef("--memory %d: want 64 MiB or more", o.machine.MemoryMiB)
	case o.machine.Accel != "auto" && o.machine.Accel != "kvm" && o.machine.Accel != "tcg":
		return o, run.Usagef("--accel %s: want auto, kvm or tcg", o.machine.Accel)
	case o.console && o.Mode != "chat" && verb(o.Options) != "console":
		return o, run.Usagef("--console takes neither -i nor --ids: a session asks for its prompts")
	}
	o.machine.Timeout = o.timeout
	return o, nil
}

// duration reads a time of 0 or more: a number of seconds, or one with units, such as 1m30s.
func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		d, err = time.ParseDuration(s + "s")
	}
	if err != nil || d < 0 {
		return 0, errors.New("want seconds, or a time with a unit, such as 90s or 5m; 0 or more")
	}
	return d, nil
}

// boot is the command boot.
func boot(ctx context.Context, args []string, s streams) (err error) {
	o, err := parseBoot(args)
	if errors.Is(err, flag.ErrHelp) {
		return showHelp([]string{"boot"}, s)
	}
	if err != nil {
		return err
	}
	terminals := openTerminals(s)
	session := o.console || o.Mode == "chat" || terminals.in && terminals.out && verb(o.Options) == "console"
	if o.timeout < 0 {
		o.machine.Timeout = 10 * time.Minute
		if session && terminals.in {
			o.machine.Timeout = 0
		}
	}
	command := []string{"run"}
	if session && o.Mode != "chat" {
		command = []string{"console"}
	}
	if !terminals.err {
		command = append([]string{run.NoBar}, command...)
	}
	contents, err := newContents(command, o.Options, nil)
	if err != nil {
		return err
	}
	contents.partial = o.noCheck
	if err := contents.check(); err != nil {
		return err
	}
	if o.log != "" {
		inputs := append(contents.sources(), vm.Files(o.machine.Firmware)...)
		if err := checkOutput(ctx, file.CheckInputs, o.log, efi.Options{}, inputs); err != nil {
			return err
		}
	}
	if err := o.prepare(); err != nil {
		return err
	}
	say := func(format string, a ...any) {
		if o.verbose || terminals.err {
			fmt.Fprintf(s.stderr, "bootllama: "+format+"\n", a...) // an error is ignored: this is only for information
		}
	}
	if err := vm.Check(o.machine.Firmware); err != nil { // before the build, which takes longer
		return err
	}

	dir, err := os.MkdirTemp("", "bootllama-boot-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m := o.machine
	m.Disk = filepath.Join(dir, "disk.img")
	say("building the application and the disk")
	if err := contents.write(ctx, m.Disk); err != nil {
		return err
	}
	if o.log != "" {
		log, err := os.Create(o.log)
		if err != nil {
			return file.Error(o.log, err)
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		m.Log = log
	}
	say("booting it in QEMU with %d MiB and --smp %d", m.MemoryMiB, m.CPUs)
	var code int
	if session {
		code, err = hold(ctx, m, s, terminals)
	} else {
		shown := s.text("")
		m.Stdout, m.Stderr = shown.stdout, shown.stderr
		code, err = m.Run(ctx)
	}
	if err != nil {
		return err
	}
	return status(code)
}

// prepare sets the machine's memory and, without --no-check, checks the files.
func (o *bootOptions) prepare() error {
	read := run.Check
	if o.noCheck {
		read = run.Options.Header
	}
	h, err := read(o.Options)
	if err != nil && !o.noCheck { // else the machine reports it
		return err
	}
	need := h.Memory().Total()
	least := int((firmware+need+min(reserve, need/7))>>20) + 1
	switch given := o.machine.MemoryMiB; {
	case given == 0:
		o.machine.MemoryMiB = memoryMiB(h)
	case given < least:
		return fmt.Errorf("--memory %d: the machine needs at least %d MiB for this model, %d of them for its firmware", given, least, least-int(need>>20))
	}
	return nil
}

const (
	leastMiB = 512 // of a machine for a small model
	// firmware is what OVMF takes itself, measured on machines of 96 to 128 MiB; reserve is what metal leaves free of the rest,
	// an eighth at most.
	firmware = 52 << 20
	reserve  = 32 << 20
)

// memoryMiB returns the memory of a machine for a model. metal sets the memory limit of the garbage collector to nine
// tenths of what the firmware leaves free. If the program needed more, the collector would run all the time.
func memoryMiB(h llama.Header) int {
	const spare = 44 << 20 // other firmware takes more
	return max(leastMiB, int((firmware+spare+reserve+h.Memory().Total()/9*10)>>20)+1)
}

// hold boots the machine for a session. Its keyboard is the terminal or, without one, the lines of standard input.
func hold(ctx context.Context, m vm.Machine, s streams, t terminals) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const echo = "\b" // of the keys that erase
	shown := s.text(echo)
	m.Stdout, m.Stderr = shown.stdout, shown.stderr
	if !t.in {
		m.Keys = &typist{lines: s.stdin}
		return m.Run(ctx)
	}
	if _, err := fmt.Fprintln(s.stderr, "bootllama: this terminal is the machine's console; Ctrl-] switches the machine off"); err != nil {
		return 0, err
	}
	restore, err := t.raw()
	if err != nil {
		return 0, err
	}
	defer restore()
	keys := newKeyboard(s.stdin, func() { cancel(errSwitchedOff) })
	t.tellSize(ctx, keys)
	m.Keys = keys
	if t.out {
		m.Stdout = &statements{w: crlf{s.stdout}}
	}
	if t.err {
		m.Stderr = stdio.Text(crlf{s.stderr}, "\r")
	}
	return m.Run(ctx)
}

// errSwitchedOff ends a session at Ctrl-].
var errSwitchedOff = errors.New("the machine was switched off with Ctrl-]")

// typist converts lines into the keys that type them, and the end of input into Ctrl-D on an empty line.
type typist struct {
	lines io.Reader
	last  byte // the last key, 0: none
	done  bool
}

func (t *typist) Read(p []byte) (int, error) {
	const ctrlD = 4
	if len(p) < 2 {
		return 0, io.ErrShortBuffer
	}
	if t.done {
		return 0, io.EOF
	}
	n, err := t.lines.Read(p[:len(p)-2])
	for i, b := range p[:n] {
		if b == '\n' {
			p[i] = '\r'
		}
		t.last = p[i]
	}
	if err == io.EOF {
		err, t.done = nil, true
		if t.last != 0 && t.last != '\r' {
			p[n] = '\r'
			n++
		}
		p[n] = ctrlD
		n++
	}
	return n, err
}
