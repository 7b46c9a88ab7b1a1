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

	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
)

const efiHelp = `Usage: efi [-o FILE] [PACKAGE]    build the UEFI application

  -o FILE         where to write it (default BOOTX64.EFI)
` + signingHelp + `
PACKAGE is the one of bootllama, or any Go package main that imports bootllama/metal. A released bootllama has its own
inside; others are built with Go.
The firmware starts it from \EFI\BOOT\BOOTX64.EFI on a FAT volume.
`

// buildEFI is the command efi.
func buildEFI(ctx context.Context, args []string, s streams) error {
	flags := flag.NewFlagSet("efi", flag.ContinueOnError)
	output := flags.String("o", "BOOTX64.EFI", "")
	var keys signing
	keys.register(flags)
	packages, err := operands(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(s.stdout, efiHelp)
		return err
	}
	if err != nil {
		return err
	}
	if len(packages) > 1 {
		return run.Usagef("one PACKAGE, not %d: %s", len(packages), list(packages))
	}
	var p program
	if len(packages) == 1 { // perhaps of another module
		p.build = efi.Options{Dir: ".", Package: packages[0]}
	}
	if err := keys.check(); err != nil {
		return err
	}
	if err := checkOutput(ctx, file.Check, *output, p, keys.files()); err != nil {
		return err
	}
	given := false
	flags.Visit(func(f *flag.Flag) { given = given || f.Name == "o" })
	if !given {
		if err := checkDefault(*output); err != nil {
			return err
		}
	}
	if p.signer, err = keys.load(); err != nil {
		return err
	}
	application, err := p.bytes(ctx)
	if err != nil {
		return err
	}
	if err := file.Write(*output, application); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stderr, "wrote %s: %s\n", *output, size(int64(len(application))))
	return err
}

// checkDefault refuses to replace a file that nobody named, unless it is an earlier output of this command: of those only
// has a PE file package metal in it.
func checkDefault(name string) error {
	old, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.HasPrefix(old, []byte("MZ")) && bytes.Contains(old, []byte("bootllama/metal.")) {
		return nil
	}
	if err == nil {
		err = errors.New("it is there, and bootllama has not made it: -o FILE names another, or this one")
	}
	return file.Error(name, err)
}

// size returns a number of bytes as text, rounded.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
