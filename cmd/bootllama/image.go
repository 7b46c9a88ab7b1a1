package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
)

const imageHelp = `Usage: image [MODEL…] -o FILE [options]    write a disk image that boots a PC

  -o FILE   where to write it

The machine starts with the first MODEL, or with the one that is built in: with -i it writes that text, else it holds a session at its keyboard.
The other options are those of run.
`

const imageAdvice = `To put it on a USB stick, which loses all that is on it (make sure that you name the right disk):
  Linux    lsblk              then  sudo dd if=%[1]s of=/dev/sdX bs=4M conv=fsync
  macOS    diskutil list      then  diskutil unmountDisk /dev/diskN && sudo dd if=%[1]s of=/dev/rdiskN bs=4m
  Windows  Rufus ("DD image") or balenaEtcher
Then start the PC from the stick, with Secure Boot off.
`

// image is the command image.
func image(ctx context.Context, args []string, s streams) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	var o run.Options
	o.Register(flags)
	output := flags.String("o", "", "")
	models, err := operands(flags, args)
	if err == nil {
		err = o.Complete(models[:min(1, len(models))])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return showHelp([]string{"image"}, s)
	case err != nil:
		return err
	case *output == "":
		return run.Usagef("no -o FILE: where shall the image be written?")
	}
	if len(models) == 0 {
		models = []string{o.Model}
	}
	contents, err := newContents([]string{verb(o)}, o, models[1:])
	if err != nil {
		return err
	}
	if err := checkOutput(ctx, file.Check, *output, efi.Options{}, contents.sources()); err != nil {
		return err
	}
	if err := contents.check(); err != nil {
		return err
	}
	for _, model := range models { // with all weights: an error would otherwise show on the other machine only
		checked := o
		checked.Model = model
		c, _, err := run.Load(checked, s.stderr)
		if err == nil {
			err = c.Close() // before the next one: only one is in memory at a time
		}
		if err != nil {
			return err
		}
	}
	if err := contents.write(ctx, *output); err != nil {
		return err
	}
	info, err := os.Stat(*output)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stderr, "wrote %s: %s, with %s\n"+imageAdvice, *output, size(info.Size()), list(contents.names()), *output)
	return err
}

// checkOutput lets check, file.Check or file.CheckInputs, refuse an output that the command reads: one of the inputs, of
// the files that the application is built from, or this program.
func checkOutput(ctx context.Context, check func(string, ...string) error, output string, o efi.Options, inputs []string) error {
	if self, err := os.Executable(); err == nil {
		inputs = append(inputs, self)
	}
	if err := check(output, inputs...); err != nil {
		return err
	}
	if _, err := os.Stat(output); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	sources, err := efi.Sources(ctx, o)
	if err != nil {
		return err
	}
	return check(output, sources...)
}

// verb returns the machine's command: run if the options ask for one text or a chat, else console.
func verb(o run.Options) string {
	if o.Prompt != nil || o.IDs || o.Mode == "chat" {
		return "run"
	}
	return "console"
}

// contents are the files of a disk in addition to the application.
type contents struct {
	files   []entry
	args    []byte // LLAMA.TXT
	partial bool   // leave out files that do not exist: the machine reports them
}

// entry is a file of the host under its 8.3 name on the disk.
type entry struct{ name, source string }

// newContents lays out a disk for a command with options o and further models.
func newContents(command []string, o run.Options, more []string) (*contents, error) {
	c := &contents{}
	taken := map[string]bool{"LLAMA.TXT": true, "EFI": true}
	add := func(source string) string {
		name := disk.ShortName(source, taken)
		c.files = append(c.files, entry{name, source})
		return name
	}
	tokenizer := o.TokenizerFile()
	if o.Model != "" {
		o.Model = add(o.Model)
	}
	if tokenizer != "" {
		o.Tokenizer = add(tokenizer)
	}
	for _, source := range more {
		add(source)
	}
	var b bytes.Buffer
	b.WriteString("# What bootllama does when this machine starts, one argument a line.\n")
	if o.Model == "" {
		b.WriteString("# Without a file's name, the model is the one that is built in.\n")
	} else {
		fmt.Fprintf(&b, "# %s is the model, here are:\n", o.Model)
	}
	for _, f := range c.files {
		fmt.Fprintf(&b, "#   %-12s %q\n", f.name, filepath.Base(f.source))
	}
	if err := run.WriteArgs(&b, append(command, o.Args()...)); err != nil {
		return nil, err
	}
	c.args = b.Bytes()
	return c, nil
}

// names returns the names of the files on the disk, for a message.
func (c *contents) names() []string {
	names := []string{"EFI/BOOT/BOOTX64.EFI", "LLAMA.TXT"}
	for _, f := range c.files {
		name := f.name
		if base := filepath.Base(f.source); !strings.EqualFold(base, name) {
			name += " (" + base + ")"
		}
		names = append(names, name)
	}
	return names
}

// sources are the files of the host that the disk's are copied from.
func (c *contents) sources() []string {
	var sources []string
	for _, f := range c.files {
		sources = append(sources, f.source)
	}
	return sources
}

// check refuses files that are too large for a disk, before they are read. What is wrong with a file that is none or
// cannot be found, run.Load and write report.
func (c *contents) check() error {
	var files []disk.File
	for _, f := range c.files {
		info, err := os.Stat(f.source)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > disk.MaxFile {
			return fmt.Errorf("%s: %d bytes; a file on the disk's file system, FAT32, has at most %d", f.source, info.Size(), int64(disk.MaxFile))
		}
		files = append(files, disk.File{Path: f.name, Size: info.Size()})
	}
	return disk.Check(files, disk.Options{})
}

// write builds the application and writes the disk image.
func (c *contents) write(ctx context.Context, output string) error {
	application, err := efi.Build(ctx, efi.Options{})
	if err != nil {
		return err
	}
	files := []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application), disk.Content("LLAMA.TXT", c.args)}
	for _, f := range c.files {
		info, err := os.Stat(f.source)
		if c.partial && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s: not a regular file", f.source)
		}
		if err != nil {
			return err
		}
		files = append(files, disk.File{Path: f.name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(f.source) }})
	}
	return disk.Write(ctx, output, files, disk.Options{})
}
