package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder makes a folder with files, whose contents are their names.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(filepath.Base(name)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestProgramFiles: what lies beside a program, and under which names.
func TestProgramFiles(t *testing.T) {
	dir := folder(t, "a.txt", "data/b.txt", "data/._b.txt", "data/.DS_Store", "data/deep/Größe.bin", "data/.hidden", "._c")
	t.Chdir(dir)
	for _, c := range []struct{ files, want string }{
		{"", ""},
		{"a.txt", "a.txt"},
		{"data", "data/.hidden data/b.txt data/deep/Größe.bin"},
		{"./data/ a.txt", "data/.hidden data/b.txt data/deep/Größe.bin a.txt"},
		{"data/b.txt data/deep", "b.txt deep/Größe.bin"},
		{".", "a.txt data/.hidden data/b.txt data/deep/Größe.bin"},
		{"._c", "._c"}, // who names it means it
	} {
		got, err := programContents("x.efi", strings.Fields(c.files))
		if err != nil {
			t.Error(err)
			continue
		}
		var names []string
		for _, f := range got.files {
			names = append(names, f.name)
		}
		if strings.Join(names, " ") != c.want || got.check() != nil {
			t.Errorf("%s: %q, %v, want %s", c.files, names, got.check(), c.want)
		}
	}
}

// TestProgramErrors: each is one line with the user's file or option.
func TestProgramErrors(t *testing.T) {
	leavesNothing(t)
	dir := folder(t, "text.efi", "a/x", "b/X", "colon:.txt", "key")
	t.Chdir(dir)
	for _, c := range []struct{ command, want string }{
		{"image --efi absent.efi -o i", "open absent.efi: no such file"},
		{"image --efi text.efi -o i", "text.efi: not an EFI application"},
		{"image --efi text.efi absent -o i", "absent: no such file"},
		{"image --efi text.efi a/x b/X -o i", "X is there twice"},
		{"image --efi text.efi colon:.txt -o i", `FAT has no name "colon:.txt"; it has "colon_.txt"`},
		{"image --efi text.efi -o text.efi", ": that is text.efi, which is read: "},
		{"image --efi text.efi a/x -o a/x", ": that is a/x, which is read: "},
		{"image --efi text.efi -t 1 -o i", "-t goes with a model, and not with --efi"},
		{"image --efi text.efi --top-k 1 -o i", "--top-k goes with a model, and not with --efi"},
		{"image --efi text.efi", "no -o FILE"},
		{"boot --efi text.efi", "text.efi: not an EFI application"},
		{"boot --efi text.efi -i x", "-i goes with a model, and not with --efi"},
		{"boot --efi text.efi --no-check", "--no-check goes with a model, and not with --efi"},
		{"image --free 5X -o i", "--free: want a size, such as 4G, 500M or a number of bytes"},
		{"image --free -1 -o i", "--free: want a size"},
		{"image --free 9999999999G -o i", "--free: want a size"},
		{"image --free 3T -o i", "the largest volume of FAT32 is 2048 GiB"},
		{"image --sign key -o i", "--sign key: --cert CERT is missing"},
		{"image --efi text.efi --cert a/x -o i", "--cert a/x: --sign KEY is missing"},
		{"efi --sign key", "--sign key: --cert CERT is missing"},
		{"image --sign= --cert= -o i", "--sign: want the name of a file"},
		{"image --sign absent --cert a/x -o i", "open absent: no such file"},
		{"image --sign key --cert a/x -o i", "key key: there is no private key in it"},
		{"image --efi text.efi . --sign key --cert a/x -o i", "key is the key, which must not be on a stick"},
		{"efi --sign key --cert a/x -o i", "key key: there is no private key in it"},
		{"image --sign key --cert a/x -o key", ": that is key, which is read: "},
		{"image --sign key --cert a/x -o a/x", ": that is a/x, which is read: "},
		{"efi --sign key --cert a/x -o key", ": that is key, which is read: "},
		{"image --sector 520 -o i", "--sector: disks have sectors of 512 or 4096 bytes"},
	} {
		if strings.HasPrefix(c.command, "boot") {
			if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
				continue
			}
		}
		stdout, stderr, status := invoke(t, "", strings.Fields(c.command)...)
		if status == 0 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %q", c.command, status, stdout, stderr, c.want)
		}
	}
	checkOnly(t, dir, "a", "b", "colon:.txt", "key", "text.efi")
}

// TestByteSize: sizes as people write them.
func TestByteSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "500M": 500 << 20, "4G": 4 << 30, "4g": 4 << 30, "4GiB": 4 << 30, "1T": 1 << 40, "7K": 7 << 10, "512": 512, "512B": 512} {
		var n int64
		if err := byteSize(&n)(s); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "G", "4 G", "4GB", "4.5G", "-1", "8388608T", "4GG", "4Gi B", "0x4G", "4i"} {
		var n int64
		if err := byteSize(&n)(s); err == nil {
			t.Errorf("%q is taken for %d", s, n)
		}
	}
}

// TestAdvice: what is printed can be pasted into a shell.
func TestAdvice(t *testing.T) {
	for name, want := range map[string]string{"stick.img": "stick.img", "/home/größe/a-b_c+1.img": "/home/größe/a-b_c+1.img", "my stick.img": "'my stick.img'",
		"it's.img": `'it'\''s.img'`, "$(reboot).img": "'$(reboot).img'", "a;b": "'a;b'", "*": "'*'", "~x": "'~x'", "a\nb": "'a\nb'"} {
		got := quote(name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if out, err := exec.Command("sh", "-c", "printf %s "+got).Output(); err == nil && string(out) != name {
			t.Errorf("a shell takes %s for %q", got, out)
		}
	}
	text := func(goos string) []string {
		return strings.SplitAfter(advice("dir/my stick.img", goos, false), "\n")[1:4]
	}
	linux, macOS, windows := "sudo dd if='dir/my stick.img' of=/dev/sdX bs=4M conv=fsync\n", "sudo dd if='dir/my stick.img' of=/dev/rdiskN bs=4m\n", "with the file dir/my stick.img\n"
	for goos, want := range map[string][]string{
		"linux":   {linux, strings.ReplaceAll(macOS, "dir/", ""), strings.ReplaceAll(windows, "dir/", "")},
		"darwin":  {macOS, strings.ReplaceAll(linux, "dir/", ""), strings.ReplaceAll(windows, "dir/", "")},
		"windows": {windows, strings.ReplaceAll(linux, "dir/", ""), strings.ReplaceAll(macOS, "dir/", "")},
	} {
		if got := text(goos); !slices.EqualFunc(got, want, strings.HasSuffix) {
			t.Errorf("%s: %q, want %q", goos, got, want)
		}
	}
}

// TestBootProgram: a Go package of another module boots, with files beside it that it reads.
func TestBootProgram(t *testing.T) {
	needQEMU(t)
	leavesNothing(t)
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	module := folder(t, "data/Größe – λ.txt", "data/._x")
	for name, text := range map[string]string{
		"go.mod": "module hello\n\ngo 1.26.0\n\nrequire bootllama v0.0.0\n\nreplace bootllama => " + checkout + "\n",
		"main.go": `package main

import (
	"fmt"
	"os"

	_ "bootllama/metal"
)

func main() {
	files, err := os.ReadDir("/data")
	for _, f := range files {
		text, err := os.ReadFile("/data/" + f.Name())
		fmt.Printf("%s: %s %v\n", f.Name(), text, err)
	}
	fmt.Println(len(files), err)
	os.Exit(7)
}
`} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(module)
	const want = "Größe – λ.txt: Größe – λ.txt <nil>\n1 <nil>\n"
	if stdout, stderr, status := invoke(t, "", "boot", "--efi", ".", "data"); status != 7 || stdout != want || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	// The same from an .efi file, as an image.
	for _, args := range [][]string{{"efi", "-o", "hello.EFI", "."}, {"image", "--efi", "hello.EFI", "data", "-o", "a.img"}, {"image", "--efi", ".", "data", "-o", "b.img"}} {
		if _, stderr, status := invoke(t, "", args...); status != 0 || !strings.HasPrefix(stderr, "wrote ") {
			t.Fatalf("%q: status %d, %s", args, status, stderr)
		}
	}
	a, err := os.ReadFile("a.img")
	b, err2 := os.ReadFile("b.img")
	if err := errors.Join(err, err2); err != nil || string(a) != string(b) {
		t.Error("the image of a package is not that of its application", err)
	}
}
