package vm

import (
	"os/exec"
	"syscall"
)

// dieWithParent has Linux kill QEMU when this process dies in a way that it cannot see, and keeps the terminal's Ctrl-C,
// which goes to the whole process group, from QEMU: it is this process that ends the machine.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
