package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
)

const imageHelp = `Usage: image [MODEL…] -o FILE [options]       write a disk image that boots a PC
       image --efi PACKAGE [FILE…] -o FILE    the same with another program

  -o FILE         where to write it
  --free SIZE     room that is left on it, such as 4G or 500M (K, M, G, T: 1024 each)
  --sector BYTES  logical sectors of the disk: 512 (default), or 4096 for one
                  that has such ("4Kn"; sticks do not)
` + signingHelp + `                  DB.CER on the disk is that certificate, for the firmware's setup

The machine starts with the MODEL, with the one that is built in if there is none, and of several it asks which in a menu:
with -i it writes that text, else it holds a session at its keyboard. LLAMA.TXT, a text on the disk in which every line is
explained, can be changed: "model = NAME" there starts with that one, without a menu.

All files keep their names. A GGUF file has its tokenizer in it; one of 4 GiB or more, too large for a file of FAT's, is
divided into parts, and all parts of one that is in several files are taken when the first is named. A checkpoint of llama2.c's
has its tokenizer beside it, under its own name with the ending .tok; -z names that of those that have none (default tokenizer.bin).

With --efi, the machine starts PACKAGE, any Go package main that imports bootllama/metal, or an .efi file; the FILEs, folders
with all that is in them, lie beside it.

The other options are those of run.
`

// advice says how an image gets onto a stick, first on the system goos, where the image is.
func advice(output, goos string, signed bool) string {
	lines := map[string]string{
		"linux":   "  Linux    lsblk              then  sudo dd if=%s of=/dev/sdX bs=4M conv=fsync\n",
		"darwin":  "  macOS    diskutil list      then  diskutil unmountDisk /dev/diskN && sudo dd if=%s of=/dev/rdiskN bs=4m\n",
		"windows": "  Windows  Rufus (choose \"DD image\") or balenaEtcher, with the file %s\n",
	}
	text := "To put it on a USB stick, which loses all that is on it (make sure that you name the right disk):\n"
	for _, system := range []string{goos, "linux", "darwin", "windows"} {
		if line, ok := lines[system]; ok {
			name := output
			if system != goos { // there it is in another folder
				name = filepath.Base(output)
			}
			if system != "windows" {
				name = quote(name)
			}
			text += fmt.Sprintf(line, name)
			delete(lines, system)
		}
	}
	if signed {
		return text + "Then start the PC from the stick, with Secure Boot off or, once its setup has enrolled DB.CER from the stick (\"db\"), on.\n"
	}
	return text + "Then start the PC from the stick, with Secure Boot off.\n"
}

// quote writes a word for a shell, sh or one like it.
func quote(word string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("%+,-./:=@_", r)
	}
	if !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// byteSize sets *n to a flag's value, a number of bytes or of units of 1024 bytes, 1024² and so on.
func byteSize(n *int64) func(string) error {
	return func(s string) error {
		digits := strings.TrimRight(s, "KMGTkmgtiB")
		shift, ok := map[string]int{"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}[strings.TrimSuffix(strings.ToUpper(s[len(digits):]), "IB")]
		v, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || v < 0 || v > math.MaxInt64>>shift {
			return errors.New("want a size, such as 4G, 500M or a number of bytes")
		}
		*n = v << shift
		return nil
	}
}

// imageOptions are the options of image.
type imageOptions struct {
	run.Options
	output  string
	program string // "": bootllama's
	keys    signing
	disk    disk.Options
	files   []string // of the program
	models  []string // "" for the one that is built in
}

func parseImage(args []string) (imageOptions, error) {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	var o imageOptions
	o.Register(flags)
	flags.StringVar(&o.output, "o", "", "")
	flags.StringVar(&o.program, "efi", "", "")
	o.keys.register(flags)
	flags.Func("free", "", byteSize(&o.disk.Free))
	flags.Func("sector", "", func(s string) (err error) {
		if o.disk.Sector, err = strconv.ParseInt(s, 10, 64); err != nil || o.disk.Sector != 512 && o.disk.Sector != 4096 {
			return errors.New("disks have sectors of 512 or 4096 bytes")
		}
		return nil
	})
	named, err := operands(flags, args)
	switch {
	case err != nil:
		return o, err
	case o.program != "":
		o.files, err = named, programFlags(flags, "o", "free", "sector", "sign", "cert")
	default:
		o.models = named
		if len(named) == 0 {
			o.models = []string{""}
		}
		err = o.Complete(named[:min(1, len(named))])
	}
	if err == nil && o.output == "" {
		err = run.Usagef("no -o FILE: where shall the image be written?")
	}
	if err == nil {
		err = o.keys.check()
	}
	return o, err
}

// image is the command image.
func image(ctx context.Context, args []string, s streams) error {
	o, err := parseImage(args)
	if errors.Is(err, flag.ErrHelp) {
		return showHelp([]string{"image"}, s)
	}
	if err != nil {
		return err
	}
	var c *contents
	if o.program != "" {
		c, err = programContents(o.program, o.files)
	} else {
		c, err = newContents(nil, o.Options, o.models[1:])
	}
	if err != nil {
		return err
	}
	c.options = o.disk
	if err := checkOutput(ctx, file.Check, o.output, c.program, append(c.sources(), o.keys.files()...)); err != nil {
		return err
	}
	if err := o.keys.secret(c.sources()); err != nil {
		return err
	}
	if c.program.signer, err = o.keys.load(); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	for _, model := range o.models { // with all weights: an error would otherwise show on the other machine only
		c, _, err := run.Load(forModel(o.Options, model, len(o.models) > 1), s.stderr)
		if err == nil {
			err = c.Close() // before the next one: only one is in memory at a time
		}
		if err != nil {
			return err
		}
	}
	if err := c.write(ctx, o.output); err != nil {
		return err
	}
	info, err := os.Stat(o.output)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stderr, "wrote %s: %s, with %s\n%s", o.output, size(info.Size()), list(c.names()), advice(o.output, runtime.GOOS, c.program.signer != nil))
	return err
}

// checkOutput lets check, file.Check or file.CheckInputs, refuse an output that the command reads: one of the inputs, of
// the files that the application p is built from, or this program.
func checkOutput(ctx context.Context, check func(string, ...string) error, output string, p program, inputs []string) error {
	if self, err := os.Executable(); err == nil {
		inputs = append(inputs, self)
	}
	if err := check(output, inputs...); err != nil {
		return err
	}
	if _, err := os.Stat(output); errors.Is(err, fs.ErrNotExist) || p.file != "" {
		return nil
	}
	sources, err := efi.Sources(ctx, p.build)
	if err != nil {
		return err
	}
	return check(output, sources...)
}
