//go:build linux && amd64

// The program that a test boots to compare the logits of the bare machine with the
// host's and with llama2.c's: it prints the hash of every case in LOGITS.JSN.
package main

import (
	"fmt"
	"os"

	"bootllama/internal/logits"
	_ "bootllama/metal"
)

func main() {
	cases, err := logits.ReadCases("/LOGITS.JSN")
	for i := 0; err == nil && i < len(cases); i++ {
		var hash string
		if hash, err = cases[i].Hash("/"); err == nil {
			fmt.Println(hash)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
