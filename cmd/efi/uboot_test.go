//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
)

// uBoot is U-Boot for QEMU's PC, as Debian's package u-boot-qemu has it: its EFI loader is a firmware with other habits
// than EDK2.
const uBoot = "/usr/lib/u-boot/qemu-x86_64/u-boot.rom"

// TestUBoot: under U-Boot's EFI loader the machine tells the host's text, ends, and does both again, and no processor
// exception is taken meanwhile. U-Boot starts it anew when its command has ended.
func TestUBoot(t *testing.T) {
	t.Parallel()
	qemu, err := vm.FindQEMU()
	if err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat(uBoot); err != nil {
		t.Skip("SKIPPED: nothing was tried under another firmware than EDK2: no U-Boot: ", err)
	}
	args := []string{"run", "-s", "1", "-n", "40", "-i", "One day"}
	want, _, _ := host(args)
	application := build(t)
	application.Path = "EFI/BOOT/BOOTX64.EFI"
	dir := t.TempDir()
	image, exceptions := filepath.Join(dir, "disk.img"), filepath.Join(dir, "exceptions")
	files := []disk.File{application, vmtest.Content("LLAMA.TXT", []byte(strings.Join(args, "\n")))}
	if err := disk.Write(t.Context(), image, files, disk.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	// Its drivers are for this old chipset and disk. It has no other console here than the serial line.
	cmd := exec.CommandContext(ctx, qemu, "-M", "pc", "-cpu", "max", "-accel", "tcg", "-m", "512", "-bios", uBoot, "-nic", "none", "-display", "none",
		"-drive", "if=ide,index=0,format=raw,file="+image, "-monitor", "none", "-no-reboot", "-serial", "stdio", "-d", "int", "-D", exceptions)
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	console, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	out := bufio.NewReader(io.TeeReader(console, &log))
	for _, again := range []string{"", "run bootcmd\r"} {
		if _, err := io.WriteString(keys, again); err != nil {
			t.Fatal(err)
		}
		for _, step := range [][2]string{{"Press a key to go on", " "}, {"=> ", ""}} {
			if err := readUntil(out, step[0]); err != nil {
				t.Fatalf("%v; console:\n%s", err, &log)
			}
			if _, err := io.WriteString(keys, step[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	cmd.Wait() // it was killed
	said := regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`).ReplaceAllString(log.String(), "")
	if n := strings.Count(strings.ReplaceAll(said, "\r", ""), want); n != 2 {
		t.Errorf("the text\n%q\nstands there %d times, not twice; console:\n%s", want, n, said)
	}
	// U-Boot's own calls of the PC's old BIOS for its screen are software interrupts, which are no exceptions.
	taken, err := os.ReadFile(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	if bad := regexp.MustCompile(`(?m)^ *\d+: v=(0|1)[0-9a-f] .*$`).FindAllString(string(taken), 5); bad != nil {
		t.Errorf("exceptions:\n%s", strings.Join(bad, "\n"))
	}
}

// readUntil reads to the end of a text.
func readUntil(r *bufio.Reader, text string) error {
	for seen := ""; !strings.HasSuffix(seen, text); {
		b, err := r.ReadByte()
		if err != nil {
			return fmt.Errorf("%q never came: %w", text, err)
		}
		seen = seen[max(0, len(seen)-len(text)+1):] + string(b)
	}
	return nil
}
