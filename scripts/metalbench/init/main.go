//go:build linux && amd64

// Command init is process 1 of the Linux that metalbench boots: it runs bootllama with the arguments of /LLAMA.TXT, says
// what bootllama said on the ports on which internal/vm listens, as the EFI application does, and switches the machine off.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"bootllama/internal/run"
)

// The ports of package vm.
const (
	portOut    = 0xe9
	portErr    = 0xea
	portStatus = 0xeb
)

// out writes a byte to an I/O port.
func out(port uint16, b byte)

func main() {
	runtime.LockOSThread() // ioperm is a thread's
	if err := syscall.Ioperm(portOut, 3, 1); err != nil {
		fmt.Println("init: ioperm:", err) // on the console; nobody hears us on the ports
		os.Exit(1)
	}
	status, stdout, stderr := bench()
	for _, b := range stdout {
		out(portOut, b)
	}
	for _, b := range stderr {
		out(portErr, b)
	}
	out(portStatus, byte(status))
	err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Println("init: power off:", err)
	os.Exit(1) // the kernel panics
}

// bench runs bootllama. What it says is kept until it has ended: passing it on would take a core's time from it.
func bench() (status int, stdout, stderr []byte) {
	args, err := prepare()
	if err != nil {
		return 1, nil, fmt.Appendf(nil, "init: %v\n", err)
	}
	cmd := exec.Command("/bootllama", args...)
	cmd.Dir = "/"
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(&e, "init: bootllama: %v\n", err)
		status = 1
	}
	return status, o.Bytes(), e.Bytes()
}

// prepare mounts what a program expects on Linux and reads the arguments.
func prepare() ([]string, error) {
	for dir, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := syscall.Mount(kind, dir, kind, 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
			return nil, fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	f, err := os.Open("/LLAMA.TXT")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return run.ReadArgs(f)
}
