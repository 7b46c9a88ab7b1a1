package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/arch/x86/x86asm"
)

// TestBIOSCode disassembles the boot code, in which every instruction is what its comment says (the disassembler writes a
// far address with its offset first); jumps lead to instructions, and the text fits.
func TestBIOSCode(t *testing.T) {
	code := biosCode[:len(biosCode)-len(biosText)-1]
	var got []string
	starts := map[int]bool{len(code): true}
	var targets []int
	for pc := 0; pc < len(code); {
		inst, err := x86asm.Decode(code[pc:], 16)
		if err != nil {
			t.Fatalf("at %#x: %v", pc, err)
		}
		starts[pc] = true
		pc += inst.Len
		if rel, ok := inst.Args[0].(x86asm.Rel); ok {
			targets = append(targets, pc+int(rel))
		}
		got = append(got, strings.ToLower(x86asm.IntelSyntax(inst, 0, nil)))
	}
	want := []string{"xor ax, ax", "mov ss, ax", "mov sp, 0x7c00", "push cs", "pop ds", "sti", "cld", "mov ax, 0x3", "int 0x10", "call .+0x0", "pop si",
		"add si, 0x1b", "lodsb byte ptr [si]", "test al, al", "jz .+0x9", "mov ah, 0xe", "mov bx, 0x7", "int 0x10", "jmp .-0xe", "xor ah, ah", "int 0x16",
		"jmp far 0xfff0, 0xf000"}
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, target := range targets {
		if !starts[target] {
			t.Errorf("a jump to %#x", target)
		}
	}
	if here := bytes.IndexByte(code, 0x5e); here+0x1b != len(code) {
		t.Errorf("the text is at %#x, looked for at %#x", len(code), here+0x1b)
	}
	if n := len(biosCode); n > 420 {
		t.Errorf("%d bytes: a FAT has room for 420, the MBR for 440", n)
	}
	for line := range strings.SplitSeq(biosText, "\r\n") {
		if len(line) > 79 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

// TestBIOS starts an image as a BIOS does, and its partition alone, and reads the screen: 25 lines of 80 characters at
// 0xB8000, each with an attribute. A key restarts the PC.
func TestBIOS(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: boot (-short)")
	}
	need(t, "qemu-system-x86_64")
	image := write(t, []File{Content("EFI/BOOT/BOOTX64.EFI", []byte("x"))}, Options{})
	for _, c := range []struct{ name, image string }{{"MBR", image}, {"FAT", partition(t, image)}} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			qemu := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-display", "none", "-vga", "std", "-nic", "none", "-serial", "none",
				"-no-reboot", "-drive", "format=raw,snapshot=on,file="+c.image, "-monitor", "stdio")
			monitor, err := qemu.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			qemu.Stdout, qemu.Stderr = &log, &log
			if err := qemu.Start(); err != nil {
				t.Fatal(err)
			}
			memory := filepath.Join(t.TempDir(), "screen")
			say := func(command string) {
				if _, err := io.WriteString(monitor, command+"\n"); err != nil {
					t.Error(err)
				}
			}
			var shown string
			for ctx.Err() == nil && !strings.Contains(shown, strings.TrimSpace(biosText[strings.LastIndex(biosText[:len(biosText)-2], "\r\n"):])) {
				say(fmt.Sprintf("pmemsave 0xb8000 4000 \"%s\"", memory))
				time.Sleep(100 * time.Millisecond)
				cells, err := os.ReadFile(memory)
				if err != nil {
					continue // not yet
				}
				var b strings.Builder
				for i := 0; i+1 < len(cells); i += 2 {
					b.WriteByte(cells[i])
					if i%160 == 158 {
						b.WriteString("\r\n")
					}
				}
				shown = b.String()
			}
			var lines []string
			for line := range strings.SplitSeq(shown, "\r\n") {
				lines = append(lines, strings.TrimRight(line, " \x00"))
			}
			if got := strings.TrimRight(strings.Join(lines, "\r\n"), "\r\n") + "\r\n"; got != biosText { // from the first line: the screen was cleared
				t.Errorf("the screen shows\n%s", got)
			}
			say("sendkey a")
			if err := qemu.Wait(); err != nil || ctx.Err() != nil {
				t.Errorf("the PC did not restart: %v\n%s", err, &log)
			}
		})
	}
}
