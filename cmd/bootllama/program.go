package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/pe"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bootllama/internal/efi"
	"bootllama/internal/run"
	"bootllama/internal/sign"
)

// program is the EFI application of a disk.
type program struct {
	file   string       // of one that is built already, "": build it
	build  efi.Options  // the zero value: bootllama's
	signer *sign.Signer // nil: it stays as it is
}

// newProgram is the program of --efi: a file that ends in .efi, or a package.
func newProgram(name string) program {
	if strings.EqualFold(filepath.Ext(name), ".efi") {
		return program{file: name}
	}
	return program{build: efi.Options{Dir: ".", Package: name}} // perhaps of another module
}

// bytes reads or builds the program, and signs it.
func (p program) bytes(ctx context.Context) ([]byte, error) {
	b, err := p.unsigned(ctx)
	if err != nil || p.signer == nil {
		return b, err
	}
	if b, err = p.signer.Sign(b); err != nil {
		err = fmt.Errorf("cannot sign %s: %w", cmp.Or(p.file, "BOOTX64.EFI"), err)
	}
	return b, err
}

// unsigned reads or builds the program.
func (p program) unsigned(ctx context.Context) ([]byte, error) {
	if p.file == "" {
		return efi.Build(ctx, p.build)
	}
	b, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: not an EFI application: %w", p.file, err)
	}
	header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 || header.Subsystem != pe.IMAGE_SUBSYSTEM_EFI_APPLICATION {
		return nil, fmt.Errorf("%s: not an EFI application for x86-64 processors", p.file)
	}
	return b, nil
}

// programContents lays out a disk with a program and files of the host, which it can read: each in the root folder, folders with
// all that is in them, but for what macOS leaves in them.
func programContents(name string, sources []string) (*contents, error) {
	c := &contents{program: newProgram(name), taken: map[string]bool{}}
	for _, source := range sources {
		absolute, err := filepath.Abs(source)
		if err != nil {
			return nil, err
		}
		base := filepath.Base(absolute)
		if slices.Contains([]string{".", ".."}, filepath.Base(source)) {
			base = "" // the files in it
		}
		err = filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if name := d.Name(); file != source && (strings.HasPrefix(name, "._") || name == ".DS_Store") {
				return nil
			}
			rel, err := filepath.Rel(source, file)
			if err == nil {
				c.add(file, path.Join(base, filepath.ToSlash(rel)))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// programFlags returns an error if a flag was given with --efi that is not among these: one of bootllama's own program.
func programFlags(flags *flag.FlagSet, names ...string) (err error) {
	flags.Visit(func(f *flag.Flag) {
		if dashes := "--"; err == nil && f.Name != "efi" && !slices.Contains(names, f.Name) {
			err = run.Usagef("%s%s goes with a model, and not with --efi", dashes[:min(2, len(f.Name))], f.Name)
		}
	})
	return err
}
