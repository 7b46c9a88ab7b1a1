//go:build linux && amd64

// Command cryptorand checks that crypto/rand works on metal. It is no exercise: crypto/rand brings 32 MiB of zeroed memory
// (Go 1.26: crypto/internal/fips140/drbg), which the firmware would clear at each start of an exercise.
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"

	"bootllama/metal"
)

func main() {
	if !metal.On() {
		fmt.Fprintln(os.Stderr, "cryptorand: runs on UEFI only")
		os.Exit(2)
	}
	a, b := make([]byte, 32), make([]byte, 32)
	for range 100 {
		rand.Read(a) // never fails: it ends the program instead
		rand.Read(b)
		if bytes.Equal(a, b) || bytes.Contains(a, make([]byte, 8)) || bytes.Equal(a[:8], a[8:16]) {
			fmt.Printf("cryptorand: %x and %x\n", a, b)
			os.Exit(1)
		}
	}
	fmt.Println("cryptorand: ok")
}
