package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"bootllama/gguf"
	"bootllama/internal/disk"
	"bootllama/internal/run"
	"bootllama/internal/settings"
	"bootllama/internal/start"
)

// contents are the files of a disk in addition to the application.
//
// All lie in its root folder under the names that they have here, long ones too: FAT keeps them, and finds them whatever the
// case of their letters. A character that FAT does not have becomes _, and of two files with the same name the second becomes
// STEM-2.bin.
//
// A checkpoint of llama2.c's, STEM.bin, has its tokenizer beside it as STEM.tok, whatever the tokenizer was called here; that
// is what run looks for, before tokenizer.bin. So that each has its own, no two checkpoints on a disk have the same STEM: the
// second becomes STEM-2.bin, with STEM-2.tok. What does not end in .bin, or a GGUF file in .gguf, gets that ending too, by
// which the machine's menu knows models: m.q80 becomes m.q80.bin. A GGUF file has its tokenizer in it, and needs none; only -z
// with a GGUF model puts a tokenizer there under its own name, which LLAMA.TXT then says.
type contents struct {
	program program
	files   []entry
	taken   map[string]bool // names, in capitals: see add
	args    []byte          // LLAMA.TXT; nil: there is none
	options disk.Options
	partial bool // leave out files that do not exist: the machine reports them
}

// entry is a file of the disk: one of the host, or a piece of one.
type entry struct {
	name, source string
	piece        *gguf.Piece
}

// newContents lays out a disk for options o and further models. LLAMA.TXT is that of a person, or a command that is not nil.
func newContents(command []string, o run.Options, more []string) (c *contents, err error) {
	c = &contents{taken: map[string]bool{"LLAMA.TXT": true, "EFI": true}}
	given := o
	o = forModel(o, o.Model, len(more) > 0)
	for i, source := range append([]string{o.Model}, more...) {
		if source == "" {
			continue // the one that is built in
		}
		m := forModel(given, source, len(more) > 0)
		name, tokenizer, err := c.addModel(source, m)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			o.Model, o.Tokenizer = name, tokenizer
		}
	}
	if o.Draft != "" {
		if o.Draft, _, err = c.addModel(o.Draft, forModel(given, o.Draft, true)); err != nil {
			return nil, err
		}
	}
	if given.Model == "" && given.Tokenizer != "" {
		o.Tokenizer = c.add(given.Tokenizer, c.unused(given.Tokenizer, "", nil))
	}
	var b bytes.Buffer
	if command != nil {
		err = settings.WriteArgs(&b, append(command, o.Args()...))
	} else {
		if len(more) > 0 {
			o.Model, o.Tokenizer = "", "" // the menu asks; each checkpoint has its tokenizer beside it
		}
		err = start.Write(&b, o, c.lines(o.Model)...)
	}
	if err != nil {
		return nil, err
	}
	c.args = b.Bytes()
	return c, nil
}

// lines say in LLAMA.TXT what is on the disk.
func (c *contents) lines(model string) []string {
	names := c.listed()
	var lines []string
	switch {
	case model != "":
		lines = []string{model + " is the model, here are:"}
	case len(names) > 0:
		lines = []string{"Here are:"}
	default:
		lines = []string{"The model is the one that is built in."}
	}
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("  %q", name))
	}
	return lines
}

// forModel returns the options with which to load one of several models, or the only one. Of several, one that has a
// tokenizer of its own does not take that of the options.
func forModel(o run.Options, model string, several bool) run.Options {
	o.Model = model
	if several && model != "" && (run.IsGGUFFile(model) || run.OwnTokenizer(model) != "") {
		o.Tokenizer = ""
	}
	return o
}

// add adds a file of the host under a name.
func (c *contents) add(source, name string) string {
	c.files = append(c.files, entry{name: name, source: source})
	c.taken[strings.ToUpper(name)] = true
	return name
}

// unused returns the name of a file of the host as the disk can have it, with the ending that its kind has, "" for any, and with
// a number where there is such a file. also is given such a name and may want another one, for a file that goes with it: nil,
// if nothing goes with it.
func (c *contents) unused(source, ending string, also func(name string) string) string {
	name := disk.Name(filepath.Base(source))
	end := filepath.Ext(name)
	stem := strings.TrimSuffix(name, end)
	if ending != "" && !strings.EqualFold(end, ending) {
		stem, end = name, ending
		name = disk.Name(withRoom(stem) + end)
	}
	for i := 2; c.taken[strings.ToUpper(name)] || also != nil && c.taken[strings.ToUpper(also(name))]; i++ {
		name = disk.Name(fmt.Sprintf("%s-%d%s", withRoom(stem), i, end))
	}
	return name
}

// withRoom cuts the beginning of a name so that a number and an ending fit behind it.
func withRoom(stem string) string {
	const most = 110 // characters, which may take two of the 255 places of a name
	r := []rune(stem)
	return string(r[:min(len(r), most)])
}

// tokenizerName returns the name that a checkpoint's tokenizer has beside it.
func tokenizerName(checkpoint string) string {
	return strings.TrimSuffix(checkpoint, filepath.Ext(checkpoint)) + ".tok"
}

// addModel adds the files of a model, with its tokenizer, if it has one of its own. It returns the names by which it is loaded,
// "" for a tokenizer that is found without one.
func (c *contents) addModel(source string, o run.Options) (name, tokenizer string, err error) {
	if run.IsGGUFFile(source) {
		if name, err = c.addGGUF(source); err == nil && o.Tokenizer != "" {
			tokenizer = c.add(o.Tokenizer, c.unused(o.Tokenizer, "", nil))
		}
		return name, tokenizer, err
	}
	name = c.add(source, c.unused(source, ".bin", tokenizerName))
	c.add(o.TokenizerFile(), tokenizerName(name))
	return name, "", nil
}

// addGGUF adds the files of a GGUF model and returns the name of the first one.
func (c *contents) addGGUF(source string) (string, error) {
	info, err := os.Stat(source)
	if err == nil && info.Size() > disk.MaxFile {
		return c.divide(source)
	}
	h, err := run.Header(source)
	if err != nil || len(h.Parts) < 2 { // run reports the error
		return c.add(source, c.unused(source, ".gguf", nil)), nil
	}
	var sources, names []string
	for _, p := range h.Parts {
		sources, names = append(sources, p.Name), append(names, filepath.Base(p.Name))
	}
	names = c.partNames(names)
	for i, name := range names {
		c.add(sources[i], name)
	}
	return names[0], nil
}

// divide adds a GGUF file that is too large for the disk's file system as files that are not.
func (c *contents) divide(source string) (string, error) {
	pieces, err := gguf.Split(source, disk.MaxFile)
	if err != nil {
		return "", fmt.Errorf("model: %w", err)
	}
	var names []string
	for _, p := range pieces {
		names = append(names, filepath.Base(p.Name))
	}
	names = c.partNames(names)
	for i, name := range names {
		c.add(source, name)
		c.files[len(c.files)-1].piece = &pieces[i]
	}
	return names[0], nil
}

// partNames returns the names of the parts of a model on the disk: as they are given, NAME-00001-of-00003.gguf, but for
// characters that FAT does not have, and for a number where there is such a model.
func (c *contents) partNames(names []string) []string {
	const number = "-00001-of-00003.gguf"
	stem := withRoom(disk.Name(names[0][:len(names[0])-len(number)]))
	end := func(name string) string { return strings.ToLower(name[len(name)-len(number):]) }
	free := stem
	for i := 2; c.taken[strings.ToUpper(free+end(names[0]))]; i++ {
		free = fmt.Sprintf("%s-%d", stem, i)
	}
	var on []string
	for _, name := range names {
		on = append(on, free+end(name))
	}
	return on
}

// names returns the names of the files on the disk, for a message.
func (c *contents) names() []string {
	names := []string{"EFI/BOOT/BOOTX64.EFI"}
	if c.args != nil {
		names = append(names, "LLAMA.TXT")
	}
	if c.certified() {
		names = append(names, certificate)
	}
	return append(names, c.listed()...)
}

// certificate is what the program is signed with, on the disk.
const certificate = "DB.CER"

// certified says whether the disk gets the certificate: of a program that is signed, if no file of the host has its name.
func (c *contents) certified() bool { return c.program.signer != nil && !c.taken[certificate] }

// listed returns the names of the files of the host on the disk, with what they are called here, if that is something else.
func (c *contents) listed() []string {
	var names []string
	for _, f := range c.files {
		name := f.name
		if base := filepath.Base(f.source); base != path.Base(name) {
			name += " (" + base + ")"
		}
		names = append(names, name)
	}
	return names
}

// sources are the files of the host that the disk's are copied from.
func (c *contents) sources() []string {
	var sources []string
	if c.program.file != "" {
		sources = append(sources, c.program.file)
	}
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
		if f.piece != nil {
			files = append(files, disk.File{Path: f.name, Size: f.piece.Size})
			continue
		}
		info, err := os.Stat(f.source)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > disk.MaxFile {
			return fmt.Errorf("%s: %d bytes; a file on the disk's file system, FAT32, has at most %d", f.source, info.Size(), int64(disk.MaxFile))
		}
		files = append(files, disk.File{Path: f.name, Size: info.Size()})
	}
	return disk.Check(files, c.options)
}

// write builds the application and writes the disk image.
func (c *contents) write(ctx context.Context, output string) error {
	application, err := c.program.bytes(ctx)
	if err != nil {
		return err
	}
	files := []disk.File{disk.Content("EFI/BOOT/BOOTX64.EFI", application)}
	if c.args != nil {
		files = append(files, disk.Content("LLAMA.TXT", c.args))
	}
	if c.certified() {
		files = append(files, disk.Content(certificate, c.program.signer.Certificate()))
	}
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
		size := info.Size()
		if f.piece != nil {
			size = f.piece.Size
		}
		files = append(files, disk.File{Path: f.name, Size: size, Open: f.open})
	}
	return disk.Write(ctx, output, files, c.options)
}

// open opens the contents of the file.
func (f entry) open() (io.ReadCloser, error) {
	if f.piece != nil {
		return f.piece.Open()
	}
	return os.Open(f.source)
}
