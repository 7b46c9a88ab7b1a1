package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
)

const imageHelp = `Usage: image [MODEL…] -o FILE [options]    write a disk image that boots a PC

  -o FILE   where to write it

The machine starts with the first MODEL, or with the one that is built in: with -i it writes that text, else it holds a
session at its keyboard. The other MODELs are there for a line of LLAMA.TXT that names one of them.

A GGUF file has its tokenizer in it; one of 4 GiB or more, too large for a file of FAT's, is divided into parts, and all
parts of one that is in several files are taken when the first is named. A checkpoint of llama2.c's has its tokenizer beside
it, under its own name with the ending .tok; -z names that of those that have none (default tokenizer.bin).

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
		c, _, err := run.Load(forModel(o, model, len(models) > 1), s.stderr)
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
