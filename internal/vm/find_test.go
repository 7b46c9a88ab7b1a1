package vm

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes small files into a fake root folder.
func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindFirmware(t *testing.T) {
	for _, c := range []struct {
		about      string
		files      []string
		code, vars string
	}{
		{"Debian 12", []string{"usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd", "usr/share/OVMF/OVMF_CODE_4M.fd",
			"usr/share/OVMF/OVMF_VARS_4M.fd", "usr/share/ovmf/OVMF.fd"}, "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"no template", []string{"usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"},
			"usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"},
		{"openSUSE", []string{"usr/share/qemu/ovmf-x86_64-4m-code.bin", "usr/share/qemu/ovmf-x86_64-4m-vars.bin"},
			"usr/share/qemu/ovmf-x86_64-4m-code.bin", "usr/share/qemu/ovmf-x86_64-4m-vars.bin"},
		{"combined", []string{"usr/share/ovmf/OVMF.fd"}, "usr/share/ovmf/OVMF.fd", ""},
		{"Windows", []string{"qemu/share/edk2-x86_64-code.fd", "qemu/share/edk2-i386-vars.fd"},
			"qemu/share/edk2-x86_64-code.fd", "qemu/share/edk2-i386-vars.fd"},
		{"Nix", []string{"share/qemu/edk2-x86_64-code.fd", "share/qemu/edk2-i386-vars.fd"},
			"share/qemu/edk2-x86_64-code.fd", "share/qemu/edk2-i386-vars.fd"},
	} {
		root := t.TempDir()
		root, err := filepath.EvalSymlinks(root)
		if err != nil {
			t.Fatal(err)
		}
		put(t, root, map[string]string{"qemu/qemu-system-x86_64": ""})
		for _, name := range c.files {
			put(t, root, map[string]string{name: ""})
		}
		want := Firmware{Code: filepath.Join(root, c.code)}
		if c.vars != "" {
			want.Vars = filepath.Join(root, c.vars)
		}
		if got, err := findFirmware(root, filepath.Join(root, "qemu/qemu-system-x86_64"), ""); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", c.about, got, err, want)
		}
	}
}

func TestFirmwareNotFound(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{"etc/os-release": "NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"})
	_, err := findFirmware(root, "", "")
	if err == nil || !strings.Contains(err.Error(), "--firmware PATH") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	for goos, want := range map[string]string{"linux": "apt install qemu-system-x86 ovmf", "darwin": "brew install qemu",
		"windows": "winget", "plan9": "qemu-system-x86 and ovmf"} {
		if got := advice(root, goos); !strings.Contains(got, want) {
			t.Errorf("%s: %s", goos, got)
		}
	}
	put(t, root, map[string]string{"etc/os-release": "ID=\"alpine\"\n"})
	if got := advice(root, "linux"); !strings.Contains(got, "apk add") {
		t.Error(got)
	}
}

func TestQEMUNotFound(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if dirs := qemuDirs("windows", func(v string) string { return map[string]string{"ProgramFiles": "C:"}[v] }); len(dirs) != 1 {
		t.Error(dirs)
	}
	if path, err := FindQEMU(); err == nil && strings.HasPrefix(path, os.Getenv("PATH")) {
		t.Error("found", path)
	} else if err != nil && !strings.Contains(err.Error(), "install") {
		t.Error(err)
	}
}

func TestFirmwareAt(t *testing.T) {
	dir := t.TempDir()
	guid, err := hex.DecodeString("8d2bf1ff96768b4ca9852747075b4f50")
	if err != nil {
		t.Fatal(err)
	}
	store := strings.Repeat("\x00", 16) + string(guid)
	put(t, dir, map[string]string{"A_CODE.fd": "", "A_VARS.fd": "", "B_CODE.secboot.fd": "", "B_CODE.secboot.strictnx.fd": "", "B_VARS.fd": "", "whole.fd": store, "u-boot.rom": "",
		"edk2-x86_64-code.fd": "", "edk2-i386-vars.fd": "", "lonely.fd": strings.Repeat("x", 99)})
	at := func(name string) string { return filepath.Join(dir, name) }
	for code, vars := range map[string]string{"A_CODE.fd": "A_VARS.fd", "B_CODE.secboot.fd": "B_VARS.fd", "B_CODE.secboot.strictnx.fd": "B_VARS.fd",
		"edk2-x86_64-code.fd": "edk2-i386-vars.fd"} {
		if got, err := findFirmware("/", "", at(code)); got != (Firmware{at(code), at(vars)}) || err != nil {
			t.Error(got, err)
		}
	}
	for _, name := range []string{"whole.fd", "u-boot.rom"} {
		if got, err := findFirmware("/", "", at(name)); got != (Firmware{Code: at(name)}) || err != nil {
			t.Error(got, err)
		}
	}
	for _, bad := range []string{"lonely.fd", "absent.fd"} {
		if _, err := findFirmware("/", "", at(bad)); err == nil || !strings.Contains(err.Error(), bad) {
			t.Error(err)
		}
	}
}

func TestFlash(t *testing.T) {
	dir, private := t.TempDir(), t.TempDir()
	put(t, dir, map[string]string{"code": "QFI\xfb", "vars": "template", "whole": "both"})
	at := func(name string) string { return filepath.Join(dir, name) }
	args, err := Firmware{at("code"), at("vars")}.flash(private)
	store := filepath.Join(private, "vars.fd")
	want := []string{"-drive", "if=pflash,format=qcow2,readonly=on,file=" + at("code"), "-drive", "if=pflash,format=raw,file=" + store}
	if !slices.Equal(args, want) || err != nil {
		t.Errorf("%q, %v; want %q", args, err, want)
	}
	if text, err := os.ReadFile(store); string(text) != "template" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	private = t.TempDir()
	args, err = Firmware{Code: at("whole")}.flash(private)
	if want := []string{"-drive", "if=pflash,format=raw,file=" + filepath.Join(private, "vars.fd")}; !slices.Equal(args, want) || err != nil {
		t.Errorf("%q, %v; want %q", args, err, want)
	}
	if args, err := (Firmware{Code: at("u-boot.rom")}).flash(private); !slices.Equal(args, []string{"-bios", at("u-boot.rom")}) || err != nil {
		t.Errorf("%q, %v", args, err)
	}
}

func TestKVMWorks(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"kvm": "", "intel": "processor\t: 0\nflags\t\t: fpu vmx sse\nvmx flags\t: vnmi\n",
		"amd": "flags : svm\n", "virtual": "model name\t: svm vmx\nflags\t\t: fpu svme avx\nvmx flags\t: vmx\n", "arm": "Features : fp\n"})
	at := func(name string) string { return filepath.Join(dir, name) }
	for info, want := range map[string]bool{"intel": true, "amd": true, "virtual": false, "arm": false, "absent": false} {
		if got := kvmWorks(at("kvm"), at(info)); got != want {
			t.Errorf("%s: %v", info, got)
		}
	}
	if kvmWorks(at("no-kvm"), at("intel")) {
		t.Error("works without a device")
	}
}

func TestAccelerators(t *testing.T) {
	for _, c := range []struct {
		choice, goos, goarch string
		kvm                  bool
		want                 string
	}{
		{"", "linux", "amd64", true, "kvm tcg,thread=multi"}, {"auto", "linux", "amd64", false, "tcg,thread=multi"},
		{"auto", "darwin", "amd64", false, "hvf tcg,thread=multi"}, {"auto", "darwin", "arm64", false, "tcg"},
		{"auto", "windows", "amd64", true, "tcg,thread=multi"}, {"tcg", "linux", "amd64", true, "tcg,thread=multi"},
		{"kvm", "linux", "amd64", false, "kvm"},
	} {
		got, err := accelerators(c.choice, c.goos, c.goarch, c.kvm)
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
