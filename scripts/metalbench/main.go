// Command metalbench compares bootllama on bare metal with the same program on Linux, in the same emulated machine.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"bootllama/internal/vm"
	"bootllama/scripts/internal/bench"
)

const help = `Usage: go run ./scripts/metalbench -kernel VMLINUZ -model FILE -tokenizer FILE [options]

Boots a virtual PC (QEMU with UEFI firmware) in turns with bootllama alone, with bootllama as the only program of a Linux,
and with bootllama on one core, and prints a Markdown table of decoding speed and of the times of single tokens. Firmware,
processor, memory, disk and the arguments of bootllama are the same; on Linux the model is in the initramfs.

  -kernel FILE      a Linux kernel with EFI stub, such as Debian's (package linux-image-cloud-amd64, /boot/vmlinuz-…)
  -model FILE       a llama2.c checkpoint
  -tokenizer FILE   its tokenizer
  -decode N         tokens to decode (default 255)
  -smp N            cores, and threads of bootllama (default 2)
  -memory MiB       (default 1024; Linux needs three times the model)
  -cpu NAME         QEMU's processor model (default max)
  -accel NAME       tcg (default), kvm or auto
  -rounds N         (default 5)
  -run              measure with "bootllama run -t 0" instead of bench: total speed only, whatever the number of cores
  -only REGEXP      boot only the machines whose name matches: linux-N, metal-N, metal-1
  -timeout D        of one boot (default 10m)
  -patience D       wait so long for an idle host before each boot (default 20s)
  -retries N        repeat a boot that other processes disturbed so often (default 2)
  -v                show the machines' consoles
Exit status: 0, 1 (failed), 2 (usage).
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(metalbench(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options of the command.
type options struct {
	kernel, model, tokenizer string
	decode, rounds, retries  int
	only                     *regexp.Regexp
	run, verbose             bool
	patience                 time.Duration
	machine                  vm.Machine
}

func parse(args []string) (options, error) {
	o := options{only: regexp.MustCompile("")}
	flags := flag.NewFlagSet("metalbench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.kernel, "kernel", "", "")
	flags.StringVar(&o.model, "model", "", "")
	flags.StringVar(&o.tokenizer, "tokenizer", "", "")
	flags.IntVar(&o.decode, "decode", 255, "")
	flags.IntVar(&o.rounds, "rounds", 5, "")
	flags.IntVar(&o.retries, "retries", 2, "")
	flags.BoolVar(&o.run, "run", false, "")
	flags.BoolVar(&o.verbose, "v", false, "")
	flags.DurationVar(&o.patience, "patience", 20*time.Second, "")
	flags.Func("only", "", func(s string) (err error) {
		o.only, err = regexp.Compile(s)
		return err
	})
	flags.IntVar(&o.machine.CPUs, "smp", 2, "")
	flags.IntVar(&o.machine.MemoryMiB, "memory", 1024, "")
	flags.StringVar(&o.machine.CPU, "cpu", "max", "")
	flags.StringVar(&o.machine.Accel, "accel", "tcg", "")
	flags.DurationVar(&o.machine.Timeout, "timeout", 10*time.Minute, "")
	err := flags.Parse(args)
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("no operands are expected: %q", flags.Args())
	case o.kernel == "" || o.model == "" || o.tokenizer == "":
		err = errors.New("-kernel, -model and -tokenizer are needed")
	case o.decode < 2 || o.rounds < 1 || o.retries < 0 || o.machine.CPUs < 1:
		err = errors.New("want -decode 2, -rounds 1, -retries 0, -smp 1 or more")
	}
	return o, err
}

// metalbench is the command; it returns the exit status.
func metalbench(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "metalbench: %v (-h lists the options)\n", err)
		return 2
	}
	if err := measure(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "metalbench: %v\n", err)
		return 1
	}
	return 0
}

// world is a machine with a disk.
type world struct {
	name    string
	cores   int
	disk    string
	rounds  []bench.Result
	isLinux bool
}

// newWorlds are the machines that are compared, those whose name matches.
func newWorlds(cores int, only *regexp.Regexp) []*world {
	worlds := []*world{{name: fmt.Sprintf("linux-%d", cores), cores: cores, isLinux: true}, {name: fmt.Sprintf("metal-%d", cores), cores: cores}}
	if cores > 1 {
		worlds = append(worlds, &world{name: "metal-1", cores: 1})
	}
	return slices.DeleteFunc(worlds, func(w *world) bool { return !only.MatchString(w.name) })
}

// measure builds the worlds, boots them in turns and prints the table.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if err := vm.Check(""); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bootllama-metalbench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := build(ctx, o.kernel)
	if err != nil {
		return err
	}
	worlds := newWorlds(o.machine.CPUs, o.only)
	for _, w := range worlds {
		w.disk = filepath.Join(dir, w.name+".img")
		write := p.metalDisk
		if w.isLinux {
			write = p.linuxDisk
		}
		if err := write(ctx, w.disk, o.model, o.tokenizer, o.args(w.cores)); err != nil {
			return err
		}
	}
	quiet := &bench.Quiet{Patience: o.patience, Retries: o.retries, Log: stderr}
	for round := range o.rounds {
		for _, w := range worlds {
			var r bench.Result
			start := time.Now()
			if err := quiet.Run(ctx, w.name, func(ctx context.Context) (err error) {
				r, err = o.boot(ctx, w, stderr)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.rounds = append(w.rounds, r)
			fmt.Fprintf(stderr, "round %d of %d: %s: %.1f tok/s (%.0f s with boot)\n", round+1, o.rounds, w.name, r.Decode.Median, time.Since(start).Seconds())
		}
	}
	_, err = io.WriteString(stdout, table(worlds, fmt.Sprintf("%s, %s, %d tokens of %s; QEMU %s -cpu %s; %s; %d runs disturbed",
		version(p.kernel), time.Now().Format(time.DateOnly), o.decode, filepath.Base(o.model), o.machine.Accel, o.machine.CPU,
		bench.Machine(), quiet.Disturbed)))
	return err
}

// args are the arguments of bootllama on that many cores.
func (o options) args(cores int) []string {
	n := strconv.Itoa(o.decode)
	if o.run {
		return []string{"run", modelName, "-z", tokenizerName, "-t", "0", "-n", strconv.Itoa(o.decode + 1)} // see compare
	}
	return []string{"bench", modelName, "--threads", strconv.Itoa(cores), "--prefill", "0", "--decode", n, "--rounds", "1", "--json"}
}

// boot boots a world once and returns what bootllama measured there.
func (o options) boot(ctx context.Context, w *world, console io.Writer) (bench.Result, error) {
	var out, errs bytes.Buffer
	m := o.machine
	m.CPUs, m.Disk, m.Stdout, m.Stderr = w.cores, w.disk, &out, &errs
	m.Stay = w.isLinux // it is the UEFI shell that starts it, and it switches itself off
	if o.verbose {
		m.Log = console
	}
	status, err := m.Run(ctx)
	if err != nil {
		return bench.Result{}, fmt.Errorf("%w: %s", err, errs.Bytes())
	}
	if status != 0 {
		return bench.Result{}, fmt.Errorf("bootllama ended with status %d: %s", status, errs.Bytes())
	}
	if o.run {
		return speedOfRun(errs.Bytes())
	}
	r, err := bench.Parse(out.Bytes())
	if err == nil && (r.Decode.Median <= 0 || r.Decode.Tokens != o.decode || r.Threads != w.cores) {
		err = fmt.Errorf("bench decoded %d tokens with %d threads", r.Decode.Tokens, r.Threads)
	}
	return r, err
}

var achieved = regexp.MustCompile(`achieved tok/s: ([0-9.]+)`)

// speedOfRun reads what the command run says at its end.
func speedOfRun(stderr []byte) (bench.Result, error) {
	var r bench.Result
	m := achieved.FindSubmatch(stderr)
	if m == nil {
		return r, fmt.Errorf("run did not say its speed but: %s", stderr)
	}
	var err error
	r.Decode.Median, err = strconv.ParseFloat(string(m[1]), 64)
	return r, err
}
