package vm

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// FindQEMU finds qemu-system-x86_64 on the PATH or where installers put it that do not touch the PATH. The error says
// what to install.
func FindQEMU() (string, error) {
	const name = "qemu-system-x86_64"
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range qemuDirs(runtime.GOOS, os.Getenv) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %s", name, advice("/", runtime.GOOS))
}

// qemuDirs are the folders of installers: QEMU's own for Windows, Homebrew and MacPorts.
func qemuDirs(goos string, getenv func(string) string) []string {
	switch goos {
	case "windows":
		var dirs []string
		for _, v := range []string{"ProgramFiles", "ProgramW6432", "ProgramFiles(x86)"} {
			if dir := getenv(v); dir != "" {
				dirs = append(dirs, filepath.Join(dir, "qemu"))
			}
		}
		return dirs
	case "darwin":
		return []string{"/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"}
	}
	return nil
}

// Firmware is a UEFI firmware for QEMU's machines.
type Firmware struct {
	Code string // the firmware, or firmware and variable store in one image
	Vars string // template of the variable store; "": it is in Code
}

// rom reports whether the firmware takes the place of the PC's BIOS and has no variable store, as U-Boot.
func (f Firmware) rom() bool { return filepath.Ext(f.Code) == ".rom" }

// firmwares are the places of known distributions, best first. The 4 MiB builds come first (they are what distributions
// maintain); none of them enforces Secure Boot, whose builds refuse an unsigned application.
var firmwares = []Firmware{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},                                   // Debian, Ubuntu
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},                           // Arch
	{"/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", "/usr/share/edk2/ovmf/OVMF_VARS_4M.qcow2"},                   // Fedora
	{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"},                   // openSUSE
	{"/usr/share/edk2/OvmfX64/OVMF_CODE_4M.qcow2", "/usr/share/edk2/OvmfX64/OVMF_VARS_4M.qcow2"},             // Gentoo
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},                               // Fedora, RHEL
	{"/usr/share/edk2/OvmfX64/OVMF_CODE.fd", "/usr/share/edk2/OvmfX64/OVMF_VARS.fd"},                         // Gentoo
	{"/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},                       // Arch before 2024
	{"/usr/share/edk2-ovmf/OVMF_CODE.fd", "/usr/share/edk2-ovmf/OVMF_VARS.fd"},                               // Gentoo before 2024
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},                                         // Debian to 12, Alpine
	{"/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"},                         // openSUSE
	{"/run/libvirt/nix-ovmf/OVMF_CODE.fd", "/run/libvirt/nix-ovmf/OVMF_VARS.fd"},                             // NixOS with libvirt
	{"/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"},                             // QEMU's own
	{"/opt/homebrew/share/qemu/edk2-x86_64-code.fd", "/opt/homebrew/share/qemu/edk2-i386-vars.fd"},           // Homebrew
	{"/usr/local/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-i386-vars.fd"},                 // make install
	{"/usr/share/edk2/x64/OVMF.4m.fd", ""}, {"/usr/share/ovmf/OVMF.fd", ""}, {"/usr/share/OVMF/OVMF.fd", ""}, // combined
	{"/usr/share/qemu/OVMF.fd", ""}, {"/usr/share/ovmf/bios.bin", ""}, {"/usr/share/edk2/ovmf/OVMF.fd", ""},
}

// findFirmware finds the firmware of the system whose root folder is root, or the one at path if that is not empty. qemu
// is QEMU's path: its installers put a firmware beside it.
func findFirmware(root, qemu, path string) (Firmware, error) {
	if path != "" {
		return firmwareAt(path)
	}
	candidates := slices.Clone(firmwares)
	for i := range candidates {
		candidates[i].Code = filepath.Join(root, candidates[i].Code)
		if candidates[i].Vars != "" {
			candidates[i].Vars = filepath.Join(root, candidates[i].Vars)
		}
	}
	if real, err := filepath.EvalSymlinks(qemu); err == nil { // Windows: beside it; Nix, MacPorts and others: in ../share/qemu
		for _, dir := range []string{"share", "../share/qemu", "../share"} {
			dir = filepath.Join(filepath.Dir(real), dir)
			candidates = append(candidates, Firmware{filepath.Join(dir, "edk2-x86_64-code.fd"), filepath.Join(dir, "edk2-i386-vars.fd")})
		}
	}
	for _, f := range candidates {
		if isFile(f.Code) && (f.Vars == "" || isFile(f.Vars)) {
			return f, nil
		}
	}
	return Firmware{}, fmt.Errorf("no UEFI firmware for QEMU (OVMF) was found: %s, or name one with --firmware PATH", advice(root, runtime.GOOS))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// nvData is EFI_SYSTEM_NV_DATA_FV_GUID as it stands in a file, at offset 16 of the volume of a variable store (UEFI PI
// specification, volume 3, EFI_FIRMWARE_VOLUME_HEADER.FileSystemGuid). An image that begins so has its store in it.
var nvData, _ = hex.DecodeString("8d2bf1ff96768b4ca9852747075b4f50")

// firmwareAt is the firmware whose code is at path, with the template of its variable store, if that is a file of its
// own, beside it under the name that goes with it.
func firmwareAt(path string) (Firmware, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // not opened: a FIFO would wait for a writer
		return Firmware{}, fmt.Errorf("firmware: %s: not a regular file", path)
	}
	head, err := readHead(path, 32)
	if err != nil {
		return Firmware{}, fmt.Errorf("firmware: %w", err)
	}
	if f := (Firmware{Code: path}); f.rom() || len(head) == 32 && bytes.Equal(head[16:], nvData) {
		return f, nil
	}
	dir, name := filepath.Split(path)
	for _, swap := range [][]string{{"CODE", "VARS"}, {"code", "vars"}, {"x86_64-code", "i386-vars"},
		{".secboot.strictnx", "", ".secboot", "", "CODE", "VARS"}, {"x86_64-secure-code", "i386-vars"}} {
		vars := strings.NewReplacer(swap...).Replace(name)
		if vars != name && isFile(dir+vars) {
			return Firmware{Code: path, Vars: dir + vars}, nil
		}
	}
	return Firmware{}, fmt.Errorf("firmware %s: it has no variable store, and no template of one is beside it (…CODE… goes with …VARS…)", path)
}

// readHead returns the first n bytes of a file, or all of a shorter one.
func readHead(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, n)
	n, err = io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

// flash copies the variable store into dir and returns QEMU's arguments for the firmware. Without a fresh copy a machine
// would use the boot order of the previous one.
func (f Firmware) flash(dir string) ([]string, error) {
	if f.rom() {
		return []string{"-bios", f.Code}, nil
	}
	store := filepath.Join(dir, "vars.fd")
	if err := copyFile(store, cmp.Or(f.Vars, f.Code)); err != nil {
		return nil, fmt.Errorf("firmware: %w", err)
	}
	var args []string
	add := func(path, option string) error {
		head, err := readHead(path, 4)
		if err != nil {
			return fmt.Errorf("firmware: %w", err)
		}
		format := "raw"
		if string(head) == "QFI\xfb" {
			format = "qcow2"
		}
		args = append(args, "-drive", "if=pflash,format="+format+option+",file="+escape(path))
		return nil
	}
	if f.Vars != "" {
		if err := add(f.Code, ",readonly=on"); err != nil {
			return nil, err
		}
	}
	return args, add(store, "")
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// accelerators are the values of QEMU's -accel, of which it takes the first that works.
func accelerators(choice, goos, goarch string, kvm bool) ([]string, error) {
	tcg := "tcg" // QEMU chooses between one thread per core and one for all by the host's memory order
	if goarch == "amd64" {
		tcg = "tcg,thread=multi"
	}
	switch choice {
	case "kvm":
		return []string{"kvm"}, nil
	case "tcg":
		return []string{tcg}, nil
	case "", "auto":
		switch {
		case goos == "linux" && kvm:
			return []string{"kvm", tcg}, nil
		case goos == "darwin" && goarch == "amd64":
			return []string{"hvf", tcg}, nil
		}
		return []string{tcg}, nil
	}
	return nil, fmt.Errorf("accelerator %q: want auto, kvm or tcg", choice)
}

// kvmWorks reports whether KVM can be expected to work: its device can be opened and the processor has the instructions.
// A virtual machine may have the device without the instructions; its guests then hang or crash in real mode.
func kvmWorks(device, cpuinfo string) bool {
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	dev.Close() // nothing was written
	info, err := os.Open(cpuinfo)
	if err != nil {
		return false
	}
	defer info.Close()
	lines := bufio.NewScanner(info)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == "flags" {
			flags := strings.Fields(value)
			return slices.Contains(flags, "svm") || slices.Contains(flags, "vmx")
		}
	}
	return false
}

// packages are what to install on a Linux system, by the ID of os-release(5).
var packages = map[string]string{
	"debian":   "apt install qemu-system-x86 ovmf",
	"ubuntu":   "apt install qemu-system-x86 ovmf",
	"fedora":   "dnf install qemu-system-x86 edk2-ovmf",
	"arch":     "pacman -S qemu-system-x86 edk2-ovmf",
	"alpine":   "apk add qemu-system-x86_64 ovmf",
	"opensuse": "zypper install qemu-x86 qemu-ovmf-x86_64",
	"suse":     "zypper install qemu-x86 qemu-ovmf-x86_64",
	"gentoo":   "emerge app-emulation/qemu sys-firmware/edk2-bin",
	"nixos":    "nix-shell -p qemu",
}

// advice returns how to install QEMU and its firmware on this system.
func advice(root, goos string) string {
	switch goos {
	case "darwin":
		return "install QEMU with `brew install qemu`"
	case "windows":
		return "install QEMU with `winget install SoftwareFreedomConservancy.QEMU`"
	case "linux":
		release, err := fs.ReadFile(os.DirFS(root), "etc/os-release")
		if err != nil {
			release = nil // an unknown system
		}
		for _, key := range []string{"ID=", "ID_LIKE="} {
			for line := range strings.Lines(string(release)) {
				if value, ok := strings.CutPrefix(line, key); ok {
					for _, id := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"'`)) {
						if command := packages[id]; command != "" {
							return "install QEMU and its firmware with `" + command + "`"
						}
					}
				}
			}
		}
	}
	return "install QEMU for x86-64 and its UEFI firmware (packages are called qemu-system-x86 and ovmf or edk2-ovmf)"
}

// Files are the files of the host that a machine with a firmware, see Check, reads besides its disk, as far as they exist.
func Files(firmware string) []string {
	qemu, err := FindQEMU()
	if err != nil {
		return nil
	}
	f, err := findFirmware("/", qemu, firmware)
	if err != nil {
		return []string{qemu, firmware}
	}
	return []string{qemu, f.Code, f.Vars}
}

// Check returns an error if Start would not find QEMU or the firmware: at the given path or, if it is empty, where
// distributions put it. The error says what to install.
func Check(firmware string) error {
	qemu, err := FindQEMU()
	if err == nil {
		_, err = findFirmware("/", qemu, firmware)
	}
	return err
}
