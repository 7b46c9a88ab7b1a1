package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/run"
)

// programs are what the machines run, built from this module.
type programs struct {
	application []byte // EFI: metal
	bootllama   []byte // Linux: the same commands
	init        []byte // Linux: process 1
	kernel      []byte // Linux itself, an EFI application, too
}

func build(ctx context.Context, kernel string) (p programs, err error) {
	if p.kernel, err = os.ReadFile(kernel); err != nil {
		return p, err
	}
	if len(p.kernel) < 2 || string(p.kernel[:2]) != "MZ" {
		return p, fmt.Errorf("%s: no EFI application: a kernel with CONFIG_EFI_STUB is needed", kernel)
	}
	if p.application, err = efi.Build(ctx, efi.Options{}); err != nil {
		return p, err
	}
	if p.bootllama, err = goBuild(ctx, "bootllama/cmd/bootllama"); err != nil {
		return p, err
	}
	p.init, err = goBuild(ctx, "bootllama/scripts/metalbench/init")
	return p, err
}

// goBuild builds a program that needs no library, for the processors for which efi.Build builds.
func goBuild(ctx context.Context, pkg string) (program []byte, err error) {
	dir, err := os.MkdirTemp("", "bootllama-metalbench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	output := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", output, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build %s: %w: %s", pkg, err, said)
	}
	return os.ReadFile(output)
}

// Names of files in both worlds, so that the arguments are the same.
const (
	modelName     = "MODEL.BIN"
	tokenizerName = "TOKENS.BIN"
	argsName      = "LLAMA.TXT"
)

// script is what the UEFI shell does: Linux reads its initramfs through the firmware, as bootllama reads its model.
const script = "@echo -off\r\nfs0:\r\nVMLINUZ.EFI initrd=\\INITRD.IMG console=ttyS0 quiet panic=-1\r\nreset -s\r\n"

// metalDisk writes the disk of a machine without an operating system.
func (p programs) metalDisk(ctx context.Context, output, model, tokenizer string, args []string) error {
	files := []disk.File{content("EFI/BOOT/BOOTX64.EFI", p.application)}
	for name, source := range map[string]string{modelName: model, tokenizerName: tokenizer} {
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		files = append(files, disk.File{Path: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(source) }})
	}
	var text bytes.Buffer
	if err := run.WriteArgs(&text, args); err != nil {
		return err
	}
	return disk.Write(ctx, output, append(files, content(argsName, text.Bytes())), disk.Options{})
}

// linuxDisk writes the disk of a machine with Linux, which the UEFI shell starts. Everything is in the initramfs: no
// driver and no file system is between bootllama and the model.
func (p programs) linuxDisk(ctx context.Context, output, model, tokenizer string, args []string) error {
	var text bytes.Buffer
	if err := run.WriteArgs(&text, args); err != nil {
		return err
	}
	files := []archived{{"init", p.init, 0o755}, {"bootllama", p.bootllama, 0o755}, {argsName, text.Bytes(), 0o644}}
	for name, source := range map[string]string{modelName: model, tokenizerName: tokenizer} {
		b, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		files = append(files, archived{name, b, 0o644})
	}
	var initramfs bytes.Buffer
	if err := archive(&initramfs, files); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	return disk.Write(ctx, output, []disk.File{content("VMLINUZ.EFI", p.kernel), content("INITRD.IMG", initramfs.Bytes()),
		content("STARTUP.NSH", []byte(script))}, disk.Options{})
}

// archived is a file of an initramfs.
type archived struct {
	name string
	data []byte
	mode cpio.FileMode
}

// archive writes an initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). The kernel adds what
// it has built in: /dev and /dev/console.
func archive(w io.Writer, files []archived) error {
	c := cpio.NewWriter(w)
	for i, f := range files {
		h := &cpio.Header{Name: f.name, Mode: cpio.TypeReg | f.mode, Size: int64(len(f.data)), Links: 1, Inode: int64(i + 1)}
		if err := c.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := c.Write(f.data); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return c.Close()
}

func content(path string, data []byte) disk.File {
	return disk.File{Path: path, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// version is the release that a Linux kernel image tells about itself (x86 boot protocol, kernel_version).
func version(kernel []byte) string {
	const at = 0x20e
	if len(kernel) < at+2 {
		return "Linux"
	}
	i := int(kernel[at]) + int(kernel[at+1])<<8 + 0x200
	if i >= len(kernel) {
		return "Linux"
	}
	text, _, _ := strings.Cut(string(kernel[i:min(len(kernel), i+100)]), " ")
	return "Linux " + strings.TrimRight(text, "\x00")
}
