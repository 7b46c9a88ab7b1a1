// Hello is the smallest program that boots on a PC without an operating system:
//
//	bootllama efi ./examples/hello
//
// writes BOOTX64.EFI, which the firmware starts from \EFI\BOOT on a FAT volume.
package main

import (
	"fmt"
	"runtime"

	_ "bootllama/metal" // makes it boot
)

func main() {
	fmt.Printf("Hello from %s on %d processor cores.\n", runtime.Version(), runtime.NumCPU())
}
