package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"bootllama/internal/efi"
	"bootllama/internal/file"
	"bootllama/internal/run"
)

const efiHelp = `Usage: efi [-o FILE] [PACKAGE]    build the UEFI application

  -o FILE   where to write it (default BOOTX64.EFI)

PACKAGE is the one of bootllama, or any Go package main that imports bootllama/metal.
The firmware starts it from \EFI\BOOT\BOOTX64.EFI on a FAT volume.
`

// buildEFI is the command efi.
func buildEFI(ctx context.Context, args []string, s streams) error {
	flags := flag.NewFlagSet("efi", flag.ContinueOnError)
	output := flags.String("o", "BOOTX64.EFI", "")
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
	var options efi.Options
	if len(packages) == 1 { // perhaps of another module
		options = efi.Options{Dir: ".", Package: packages[0]}
	}
	if err := file.Check(*output); err != nil {
		return err
	}
	application, err := efi.Build(ctx, options)
	if err != nil {
		return err
	}
	if err := file.Write(*output, application); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stderr, "wrote %s: %s\n", *output, size(int64(len(application))))
	return err
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
