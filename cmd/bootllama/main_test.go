package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"bootllama/internal/start"
	"bootllama/internal/vm"
)

const models = "../../../shared/models/"

// statusFailed is an exit status, as of run.Main.
const statusFailed = 1

// needModels skips the test where the small models of a development machine are not.
func needModels(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(models + "stories260K.bin"); err != nil {
		t.Skip("no models: ", err)
	}
}

// needQEMU skips the test where QEMU or its firmware are not installed, and lets it leave nothing in the folder for
// temporary files.
func needQEMU(t *testing.T) {
	t.Helper()
	if err := vm.Check(""); err != nil {
		t.Skip(err)
	}
	if err := exec.Command("go", "version").Run(); err != nil {
		t.Skip("no Go toolchain: ", err)
	}
	leavesNothing(t)
}

func leavesNothing(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the temporary folder: %v %v", left, err)
		}
	})
}

// invoke runs a command in this process.
func invoke(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = command(t.Context(), args, streams{strings.NewReader(stdin), &out, &err})
	return out.String(), err.String(), status
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // in the one line
	}{
		{[]string{"fly"}, `unknown command "fly"`},
		{[]string{"help", "fly"}, `unknown command "fly"`},
		{[]string{"imgae", "m.bin"}, `unknown command "imgae": did you mean image?`},
		{[]string{"help", "imgae"}, `unknown command "imgae": did you mean image?`},
		{[]string{"main.go"}, "unknown command \"main.go\": if that is a model, `bootllama console main.go` starts it"},
		{[]string{"boot", "--framware", "x"}, "not defined: --framware (did you mean --firmware?) (`bootllama help boot` lists the options)"},
		{[]string{"run", "--fly"}, "fly"},
		{[]string{"console", ""}, "MODEL is empty"},
		{[]string{"boot", ""}, "MODEL is empty"},
		{[]string{"boot", "m.bin", "--fly"}, "fly"},
		{[]string{"boot", "m.bin", "n.bin"}, "one MODEL"},
		{[]string{"boot", "--smp", "0", "m.bin"}, "--smp 0"},
		{[]string{"boot", "--memory", "1", "m.bin"}, "--memory 1"},
		{[]string{"boot", "--accel", "steam", "m.bin"}, "auto, kvm or tcg"},
		{[]string{"boot", "--timeout", "-1s", "m.bin"}, "\"-1s\" for flag --timeout: want seconds, or a time with a unit"},
		{[]string{"boot", "--timeout", "soon", "m.bin"}, "\"soon\" for flag --timeout: want seconds, or a time with a unit"},
		{[]string{"boot", "m.bin", "--tempp", "1"}, "not defined: --tempp"},
		{[]string{"image", "m.bin", "-tempp", "1"}, "not defined: -tempp"},
		{[]string{"run", "m.bin", "--tokenizer"}, "needs an argument: --tokenizer"},
		{[]string{"bench", "--rounds=x"}, "\"x\" for flag --rounds: "},
		{[]string{"boot", "--console", "m.bin", "-i", "x"}, "--console"},
		{[]string{"boot", "--console", "m.bin", "--ids"}, "--console"},
		{[]string{"boot", "m.bin", "-t"}, "-t"},
		{[]string{"image"}, "no -o"},
		{[]string{"image", "", "-o", "x.img"}, "MODEL is empty"},
		{[]string{"image", "m.bin"}, "no -o"},
		{[]string{"image", "m.bin", "-o"}, "-o"},
		{[]string{"image", "m.bin", "-o", "x", "-m", "dance"}, "dance"},
		{[]string{"efi", "a", "b"}, "one PACKAGE"},
		{[]string{"efi", "--fly"}, "fly"},
		{[]string{"tokenize"}, "a MODEL and a TEXT, not 0 operands"},
		{[]string{"tokenize", "", "x"}, "MODEL is empty"},
		{[]string{"tokenize", "../../models/tales.bin", "x", "--special"}, "--special is for GGUF models, which ../../models/tales.bin is not"},
		{[]string{"run", "../../models/tales.bin", "-z", "../../models/tok1024.bin", "--top-k", "3"}, "--top-k is for GGUF models"},
		{[]string{"run", "m.bin", "-m", "chat", "--special"}, "--special"},
		{[]string{"info", ""}, "MODEL is empty"},
		{[]string{"info", "a", "b"}, "one MODEL"},
		{[]string{"info", "a", "--fly"}, "--fly (`bootllama help info` lists the options)"},
	} {
		stdout, stderr, status := invoke(t, "", c.args...)
		if status != statusUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.HasPrefix(stderr, "bootllama: ") || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", c.args, status, stdout, stderr, c.want)
		}
	}
}

// TestNoCommand: the help, and a status for scripts.
func TestNoCommand(t *testing.T) {
	if stdout, stderr, status := invoke(t, ""); status != statusUsage || stdout != "" || stderr != help {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	for _, name := range commands {
		if !strings.Contains(help, "\n  bootllama "+name+" ") && !strings.Contains(help, "\n  bootllama "+name+"\n") {
			t.Errorf("the help has no line for %s", name)
		}
		if _, stderr, _ := invoke(t, "", name, "--no-such-option"); strings.Contains(stderr, `unknown command "`+name) {
			t.Errorf("%s: %q", name, stderr)
		}
	}
}

// TestHelpNames: -h of a command, and help with its name, are about that command alone.
func TestHelpNames(t *testing.T) {
	for _, name := range []string{"run", "console", "boot", "image", "efi", "bench", "info"} {
		want := "Usage: " + name + " "
		for _, args := range [][]string{{name, "-h"}, {name, "--help"}, {"help", name}, {"-h", name}, {"--help", name}} {
			stdout, stderr, status := invoke(t, "", args...)
			if status != 0 || stderr != "" || !strings.HasPrefix(stdout, want) || strings.Count(stdout, "Usage: ") != 1 {
				t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", args, status, stdout, stderr, want)
			}
		}
		if stdout, stderr, status := invoke(t, "", name, "--version"); status != 0 || stderr != "" || !strings.HasPrefix(stdout, "bootllama ") {
			t.Errorf("%s --version: status %d, stdout %q, stderr %q", name, status, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"help", "help"}, {"help", "version"}, {"help", "-h"}} {
		if stdout, stderr, status := invoke(t, "", args...); status != 0 || stdout != help || stderr != "" {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for want, args := range map[string][]string{
		"bootllama image ": {"-h"}, "bootllama boot ": {"--help"}, "bootllama efi ": {"help", "help"},
		"--firmware PATH": {"boot", "-h"}, "-z, --tokenizer": {"boot", "--help"}, "--smp NUMBER": {"help", "boot"},
		"-o FILE": {"help", "image"}, "write a disk image": {"image", "m.bin", "-h"}, "[PACKAGE]": {"efi", "-h"}, "Usage: info": {"info", "-h"}, "--json": {"help", "info"},
		"bootllama info ": {"help"}, "bootllama tokenize ": {"help"}, "Usage: tokenize": {"tokenize", "-h"},
		"--temperature": {"help", "run"}, "go1.": {"version"},
	} {
		stdout, stderr, status := invoke(t, "", args...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", args, status, stdout, stderr, want)
		}
	}
}

// What boot and image find wrong with the files on the host is what run says.
func TestBadFiles(t *testing.T) {
	needModels(t)
	leavesNothing(t)
	dir := t.TempDir()
	model, err := os.ReadFile(models + "stories260K.bin")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"empty.bin": nil, "short.bin": model[:len(model)-1], "long.bin": append(model, 0),
		"noise.bin": bytes.Repeat([]byte{0xa5}, 4096)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := filepath.Join(dir, "out.img")
	for _, c := range [][]string{
		{filepath.Join(dir, "absent.bin"), "-z", models + "tok512.bin"},
		{dir, "-z", models + "tok512.bin"},
		{filepath.Join(dir, "empty.bin"), "-z", models + "tok512.bin"},
		{filepath.Join(dir, "short.bin"), "-z", models + "tok512.bin"},
		{filepath.Join(dir, "long.bin"), "-z", models + "tok512.bin"},
		{filepath.Join(dir, "noise.bin"), "-z", models + "tok512.bin"},
		{models + "stories260K.bin", "-z", filepath.Join(dir, "absent.bin")},
		{models + "stories260K.bin", "-z", filepath.Join(dir, "empty.bin")},
		{models + "stories260K.bin", "-z", filepath.Join(dir, "noise.bin")},
		{models + "stories260K.bin", "-z", models + "tok105.bin"},
		{models + "stories260K.bin"},
	} {
		_, want, status := invoke(t, "", append([]string{"run"}, c...)...)
		if status != statusFailed || strings.Count(want, "\n") != 1 {
			t.Errorf("run %q: status %d, stderr %q", c, status, want)
		}
		for _, args := range [][]string{append([]string{"boot"}, c...), append([]string{"image", "-o", output}, c...)} {
			stdout, stderr, status := invoke(t, "", args...)
			if status != statusFailed || stderr != want || stdout != "" {
				t.Errorf("%q: status %d, stdout %q, stderr %q; want %q", args, status, stdout, stderr, want)
			}
		}
	}
	if _, err := os.Stat(output); err == nil {
		t.Error("there is an image")
	}
}

func TestImage(t *testing.T) {
	needModels(t)
	leavesNothing(t)
	output := filepath.Join(t.TempDir(), "stick.img")
	stdout, stderr, status := invoke(t, "", "image", models+"stories260K.bin", "-o", output, "-z", models+"tok512.bin", "-t", "0",
		models+"stories260K.bin")
	if status != 0 || stdout != "" || !strings.Contains(stderr, "stories260K.bin, stories260K.tok (tok512.bin), stories260K-2.bin (stories260K.bin), stories260K-2.tok (tok512.bin)") ||
		!strings.Contains(stderr, "of=/dev/sdX") || !strings.Contains(stderr, "right disk") {
		t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if _, err := exec.LookPath("mtype"); err != nil {
		t.Skip("the image is not read back: ", err)
	}
	read := func(name string) []byte {
		t.Helper()
		text, err := exec.Command("mtype", "-i", output+"@@1M", "::"+name).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return text
	}
	text := read("LLAMA.TXT")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LLAMA.TXT"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := start.ReadSettings(dir, nil); said.Problems != nil || said.Model != "" || said.Tokenizer != "" || said.Temperature != 0 {
		t.Errorf("%+v", said)
	}
	if !strings.Contains(string(text), "\n#   \"stories260K-2.bin (stories260K.bin)\"") {
		t.Errorf("the second model is not in %q", text)
	}
	for name, source := range map[string]string{"stories260K.bin": "stories260K.bin", "stories260K.tok": "tok512.bin",
		"stories260K-2.bin": "stories260K.bin", "stories260K-2.tok": "tok512.bin"} {
		want, err := os.ReadFile(models + source)
		if err != nil || !bytes.Equal(read(name), want) {
			t.Errorf("%s is not %s (%v)", name, source, err)
		}
	}
	if application := read("EFI/BOOT/BOOTX64.EFI"); !bytes.HasPrefix(application, []byte("MZ")) {
		t.Errorf("the application begins %q", application[:min(2, len(application))])
	}
}

func TestEFI(t *testing.T) {
	leavesNothing(t)
	dir := t.TempDir()
	output := filepath.Join(dir, "a.efi")
	_, stderr, status := invoke(t, "", "efi", "-o", output, "bootllama/cmd/efi")
	application, err := os.ReadFile(output)
	if status != 0 || err != nil || !bytes.HasPrefix(application, []byte("MZ")) || !strings.HasPrefix(stderr, "wrote "+output+": ") {
		t.Errorf("status %d, stderr %q, %v", status, stderr, err)
	}
	if _, stderr, status = invoke(t, "", "efi", "-o", output, "bootllama/cmd/bootllama"); status != statusFailed {
		t.Errorf("a package without metal: status %d, stderr %q", status, stderr)
	}
	if again, err := os.ReadFile(output); err != nil || !bytes.Equal(again, application) {
		t.Error("a failure changed the file", err)
	}
	checkOnly(t, dir, "a.efi")
}

// checkOnly fails if the folder holds anything but these files.
func checkOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(names) {
		t.Errorf("in %s: %v, %v; want %v", dir, files, err, names)
	}
}

// A file that cannot be written: one line, status 1, nothing left.
func TestCannotWrite(t *testing.T) {
	needModels(t)
	leavesNothing(t)
	image := []string{"image", models + "stories260K.bin", "-z", models + "tok512.bin", "-o"}
	efi := []string{"efi", "-o"}
	check := func(folder, output string, args []string, want string) {
		t.Helper()
		stdout, stderr, status := invoke(t, "", append(args, output)...)
		if status != statusFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) ||
			!strings.Contains(stderr, output) {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want %q", output, status, stdout, stderr, want)
		}
		if folder != "" {
			checkOnly(t, folder)
		}
	}
	// A socket stands for what must not be replaced: the test would destroy a device if it had to fail.
	socket := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, args := range [][]string{image, efi} {
		check("", filepath.Join(t.TempDir(), "absent", "out"), args, "no such file")
		check("", socket, args, "not a plain file")
		check("", t.TempDir(), args, "not a plain file")
	}
	full, readOnly, why := smallDisks(t)
	if why != nil {
		t.Skip("full and write-protected disks are not tested: ", why)
	}
	for _, args := range [][]string{image, efi} {
		check(full, filepath.Join(full, "out"), args, "no space left on device")
		check(readOnly, filepath.Join(readOnly, "out"), args, "read-only file system")
	}
}

func TestTypist(t *testing.T) {
	for text, want := range map[string]string{"": "\x04", "\n": "\r\x04", "a\nb\n": "a\rb\r\x04", "a\nb": "a\rb\r\x04"} {
		keys, err := io.ReadAll(&typist{lines: iotest.OneByteReader(strings.NewReader(text))})
		if string(keys) != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, keys, err, want)
		}
	}
}

func TestKeyboard(t *testing.T) {
	for text, want := range map[string]string{"ab\x7f\r\x03\x1b[Aé": "ab\x7f\r\x03\x1b[Aé", "ab\x1dxy": "ab", "\x1d": ""} {
		stopped := make(chan bool, 1)
		keys, err := io.ReadAll(newKeyboard(iotest.OneByteReader(strings.NewReader(text)), func() { stopped <- true }))
		if string(keys) != want || err != nil || len(stopped) != strings.Count(text, "\x1d") {
			t.Errorf("%q: %q, %v, stopped %d", text, keys, err, len(stopped))
		}
	}
	pressed, hold := io.Pipe()
	defer hold.Close()
	stopped := make(chan bool)
	newKeyboard(pressed, func() { close(stopped) }) // nobody reads from it
	if _, err := hold.Write([]byte("early")); err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Write([]byte{0x1d}); err != nil {
		t.Fatal(err)
	}
	<-stopped
	sized := newKeyboard(strings.NewReader(""), func() {})
	sized.size(100, 30)
	if keys, err := io.ReadAll(sized); string(keys) != "\x1b[8;30;100t" || err != nil {
		t.Errorf("a size is %q, %v", keys, err)
	}
}

func TestStatements(t *testing.T) {
	for text, want := range map[string]string{
		"plain é\r\n":                                "plain é\r\n",
		"\x1b[31mred\x1b[0m\x1b[2;3H\x1b[K":          "\x1b[31mred\x1b[0m\x1b[2;3H\x1b[K",
		"a\x1b[6nb\x1b[cc\x1b[>0cd\x1b[18te":         "abcde",
		"\x1b]0;title\x07x\x1b]10;?\x1b\\y":          "\x1b]0;title\x07xy",
		"\x1bP+q544e\x1b\\z\x05":                     "z",
		"\x1b7\x1b(B\x1b=\x1b[?25l\x1b[?2026$p\x1bZ": "\x1b7\x1b(B\x1b=\x1b[?25l",
		"\x1b\x1b[A":                                 "\x1b\x1b[A",
	} {
		var whole, bytewise strings.Builder
		if n, err := (&statements{w: &whole}).Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		s := statements{w: &bytewise}
		for i := range len(text) {
			s.Write([]byte{text[i]}) // a Builder never fails
		}
		if whole.String() != want || bytewise.String() != want {
			t.Errorf("%q: %q, and byte by byte %q, want %q", text, whole.String(), bytewise.String(), want)
		}
	}
}

func TestCRLF(t *testing.T) {
	var b strings.Builder
	n, err := crlf{&b}.Write([]byte("a\nb\n"))
	if n != 4 || err != nil || b.String() != "a\r\nb\r\n" {
		t.Errorf("%d, %v, %q", n, err, b.String())
	}
}
