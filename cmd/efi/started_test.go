//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama/internal/disk"
	"bootllama/internal/run"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
)

// started is one start of the application, and what it has to do.
type started struct {
	line    string // of the shell's script, or of a boot loader's configuration
	options []byte // of a boot entry
	typed   string // at the prompt of console

	stdout, stderr string
	status         int
}

// as says that a start has to do what the host does for a command.
func (s started) as(args ...string) started {
	if args[0] == "console" {
		s.typed = "/quit\r" // what it shows is TestSessionOnMetal's
		return s
	}
	stdout, stderr, status := host(args)
	s.stdout, s.stderr, s.status = s.stdout+stdout, s.stderr+stderr, status
	return s
}

// TestStarted: the firmware's boot entries with optional data of all kinds, the UEFI shell in any
// folder, GRUB's chainloader and systemd-boot start the application with a command; what is no
// command starts that of LLAMA.TXT. One machine does it all, and starts again once it has its entries.
func TestStarted(t *testing.T) {
	t.Parallel()
	application := build(t)
	dir := t.TempDir()
	stored := started{}.as("run", filepath.Join(dir, "STORED.BIN"))
	stored.stderr = strings.ReplaceAll(stored.stderr, dir+"/", "")
	absent := func(options []byte, name string) started {
		return started{options: options, status: stored.status, stderr: strings.ReplaceAll(stored.stderr, "STORED.BIN", name)}
	}
	ignored := func(options []byte, notice string) started {
		return started{options: options, status: stored.status, stderr: notice + stored.stderr}
	}
	const (
		noText = "metal: the load options (%d bytes) are no command line; they are ignored\n"
		noWord = "bootllama: the load options are ignored: %q is no command (help lists them)\n"
	)
	guid := []byte{0x81, 0xAC, 0x08, 0x81, 0x11, 0x9F, 0x59, 0x4D, 0x85, 0x0E, 0xE2, 0x1A, 0x52, 0x2C, 0x59, 0xB2}
	windows := slices.Concat([]byte("WINDOWS\x00\x01\x00\x00\x00\x88\x00\x00\x00x\x00\x00\x00"), vmtest.UTF16("BCDOBJECT={9dea862c}"), []byte{0, 0, 1, 0})
	// All fail: the firmware would not go on to the next after success.
	entries := []started{
		absent(vmtest.UTF16("run UTF16.BIN"), "UTF16.BIN"),
		absent(append(vmtest.UTF16(`run "two words.bin"`), 0, 0), "two words.bin"),
		absent(vmtest.UTF16("\uFEFFrun BOM.BIN"), "BOM.BIN"),
		absent([]byte("run ASCII.BIN"), "ASCII.BIN"),
		ignored(vmtest.UTF16("rnu X.BIN"), fmt.Sprintf(noWord, "rnu")),
		ignored([]byte("RC"), fmt.Sprintf(noWord, "RC")),
		ignored(windows, fmt.Sprintf(noWord, "WINDOWS")),
		ignored([]byte{0x81}, fmt.Sprintf(noText, 1)),
		ignored(guid, fmt.Sprintf(noText, len(guid))),
		stored,
	}

	random, tokenizer := filepath.Join(root, "testdata/random.bin"), filepath.Join(root, "testdata/random-tok.bin")
	text := started{}.as("run", random, "-z", tokenizer, "-s", "5", "-n", "8")
	shell := []started{
		{line: `..\LLAMA.EFI run RANDOM.BIN -z TOK.BIN -s 5 -n 8`},
		{line: `\LLAMA.EFI run ..\sub\random.bin -z ./tok.bin -s 5 -n 8`},
		{line: `..\LLAMA.EFI run \SUB\RANDOM.BIN -z /SUB/TOK.BIN -s 5 -n 8`},
		{line: `..\LLAMA.EFI run fs1:\MODELS\RANDOM.BIN -z FS1:/models/tok.bin -s 5 -n 8`},
		{line: "fs1:\r\ncd MODELS\r\nfs0:\\LLAMA.EFI run RANDOM.BIN -z \\MODELS\\TOK.BIN -s 5 -n 8"},
		{line: `fs0:\LLAMA.EFI run fs0:RANDOM.BIN -z fs0:tok.bin -s 5 -n 8`},
	}
	for i := range shell {
		shell[i].stdout, shell[i].stderr = text.stdout, text.stderr
	}
	noDevice := started{line: `fs0:\LLAMA.EFI run fs7:\X.BIN`, status: 1, stderr: "bootllama: model: open fs7:\\X.BIN: no such device\n"}
	stored.line = `fs0:\LLAMA.EFI` // in a folder that has a STORED.BIN, too
	shell = append(shell, noDevice, stored,
		started{line: `fs0:\LLAMA.EFI -h`, stdout: help},
		started{line: `fs0:\LLAMA.EFI help bench`, stdout: run.Help("bench")},
		started{line: `fs0:\LLAMA.EFI --version`, stdout: fmt.Sprintf("bootllama for UEFI, %s amd64\n", runtime.Version())},
		started{line: `fs0:\LLAMA.EFI fly`}.as("fly"))

	const prompt = "Once upon  a été"
	tale := []string{"run", "-s", "1", "-n", "12", "-i", prompt}
	stored.line = ""
	grub := []started{
		started{line: `run -s 1 -n 12 -i '"` + prompt + `"'`}.as(tale...),
		started{line: "console"}.as("console"),
		stored,
	}
	systemd := []started{
		started{line: `run -s 1 -n 12 -i "` + prompt + `"`}.as(tale...),
		started{line: "console"}.as("console"),
		stored,
	}

	files := []disk.File{application, vmtest.Content("LLAMA.TXT", []byte("run\nSTORED.BIN\n")),
		vmtest.Copy(t, "SUB/RANDOM.BIN", random), vmtest.Copy(t, "SUB/TOK.BIN", tokenizer)}
	lines := []string{"if not exist MADE then", "echo made > MADE"}
	var options [][]byte
	for _, e := range entries {
		options = append(options, e.options)
	}
	lines = append(append(lines, vmtest.BootEntries(`\LLAMA.EFI`, options...)...), "endif", "cd SUB")
	for _, s := range shell {
		lines = append(lines, s.line)
	}
	lines = append(lines, "fs0:", `cd \`)
	starts := slices.Concat(entries, shell)
	menu := len(starts) // from here on systemd-boot
	if image := grubImage(t, grub); image != nil {
		files = append(files, vmtest.Content("GRUB.EFI", image))
		lines = append(lines, `fs0:\GRUB.EFI`)
		starts = append(starts, grub...)
		menu = len(starts)
	}
	if loader, err := os.ReadFile(systemdBoot); err != nil {
		t.Run("systemd-boot", func(t *testing.T) { t.Skipf("SKIPPED, systemd-boot: %v (Debian: systemd-boot-efi)", err) })
	} else {
		files = append(files, vmtest.Content("SYSTEMD.EFI", loader))
		lines = append(lines, "mkdir loader", `mkdir loader\entries`)
		for i, s := range systemd {
			entry, settings := fmt.Sprintf("%d.ENT", i), fmt.Sprintf("%d.SET", i)
			options := ""
			if s.line != "" {
				options = "options " + s.line + "\n"
			}
			files = append(files, vmtest.Content(entry, []byte("title menu of systemd\nefi /LLAMA.EFI\n"+options)),
				vmtest.Content(settings, fmt.Appendf(nil, "timeout 0\ndefault %d.conf\n", i)))
			lines = append(lines, fmt.Sprintf(`cp -q fs0:\%s fs0:\loader\entries\%d.conf`, entry, i),
				fmt.Sprintf(`cp -q fs0:\%s fs0:\loader\loader.conf`, settings), `fs0:\SYSTEMD.EFI`)
		}
		starts = append(starts, systemd...)
	}
	second := filepath.Join(dir, "second.img")
	if err := disk.Write(t.Context(), second, []disk.File{vmtest.Copy(t, "MODELS/RANDOM.BIN", random), vmtest.Copy(t, "MODELS/TOK.BIN", tokenizer),
		vmtest.Content("MODELS/STORED.BIN", []byte("no model"))}, disk.Options{}); err != nil {
		t.Fatal(err)
	}

	b := vmtest.New(t, files, 16<<20, lines...)
	b.Restart, b.Second = true, second
	checkStarts(t, b, starts, menu)
}

// checkStarts runs a machine and compares what each start of the application did. From menu on,
// success leads to systemd-boot's menu, which is left.
func checkStarts(t *testing.T, b *vmtest.Bench, starts []started, menu int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	m, err := b.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	press := func(keys string) {
		if err := m.Type(keys); err != nil {
			t.Error(err) // the machine is off, and what it said is compared
		}
	}
	var stdout, stderr string
	for i, s := range starts {
		if s.typed != "" && m.Await(ctx, vm.Stdout, sessionBegins) == nil {
			press(s.typed)
		}
		for len(m.Statuses()) <= i && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		if i >= menu && s.status == 0 && m.Await(ctx, vm.Console, "menu of systemd") == nil {
			press("Q")
		}
		stdout, stderr = stdout+s.stdout, stderr+s.stderr
	}
	_, err = m.Wait()
	if err != nil {
		t.Errorf("%v; console:\n%s", err, b.Console())
	}
	statuses := m.Statuses()
	for i, s := range starts {
		if i < len(statuses) && statuses[i] != s.status {
			t.Errorf("start %d (%q, % x): status %d, want %d", i, s.line, s.options, statuses[i], s.status)
		}
	}
	if len(statuses) != len(starts) {
		t.Errorf("%d starts, want %d", len(statuses), len(starts))
	}
	compareLines(t, "stdout", b.Out.String(), stdout)
	compareLines(t, "stderr", b.Err.String(), stderr)
}

// sessionBegins switches on the bracketed paste of a terminal; the end of a session switches it off.
const sessionBegins = "\x1b[?2004h"

// compareLines compares what was written, but for speeds and sessions.
func compareLines(t *testing.T, stream, got, want string) {
	t.Helper()
	other := regexp.MustCompile(`(?m)^achieved tok/s: .*\n|(?s:` + regexp.QuoteMeta(sessionBegins) + `.*?\x1b\[\?2004l)`)
	g, w := strings.Split(other.ReplaceAllString(got, ""), "\n"), strings.Split(other.ReplaceAllString(want, ""), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s differs from line %d on:\n%s\nwant\n%s", stream, i+1, strings.Join(g[min(i, len(g)):], "\n"), strings.Join(w[min(i, len(w)):], "\n"))
			return
		}
	}
}

// systemdBoot is where systemd's packages have it.
const systemdBoot = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// grubImage makes a GRUB that starts the application once for each of list, and ends, under Secure Boot without shim, too. It is nil
// where there is no GRUB.
func grubImage(t *testing.T, list []started) (image []byte) {
	t.Helper()
	dir := t.TempDir()
	script, output := filepath.Join(dir, "grub.cfg"), filepath.Join(dir, "grub.efi")
	var lines strings.Builder
	for _, s := range list {
		fmt.Fprintf(&lines, "chainloader /LLAMA.EFI %s\nboot\n", s.line)
	}
	if err := os.WriteFile(script, []byte(lines.String()+"exit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool, err := exec.LookPath("grub-mkimage")
	if err != nil {
		tool, err = exec.LookPath("grub2-mkimage") // Fedora
	}
	var said []byte
	if err == nil {
		said, err = exec.Command(tool, "-O", "x86_64-efi", "-o", output, "-p", "/", "--disable-shim-lock", "-c", script, "boot", "chain", "fat", "minicmd", "part_gpt").CombinedOutput()
	}
	if err == nil {
		image, err = os.ReadFile(output)
	}
	if err != nil {
		t.Run("GRUB", func(t *testing.T) {
			t.Skipf("SKIPPED, GRUB: %v %s (Debian: grub-efi-amd64-bin and grub-common)", err, said)
		})
	}
	return image
}
