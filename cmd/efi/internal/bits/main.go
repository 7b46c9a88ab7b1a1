//go:build linux && amd64

// The program that a test boots to compare the bits of the bare machine with llama2.c's:
// for every case in GOLDENS.JSN it prints the hash of the logits, or ids and text.
package main

import (
	"fmt"
	"os"

	"bootllama/internal/golden"
	_ "bootllama/metal"
)

func main() {
	cases, err := golden.Read[golden.Case]("/GOLDENS.JSN")
	for i := 0; err == nil && i < len(cases); i++ {
		err = compute(cases[i])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compute(c golden.Case) error {
	if c.FNV64a != "" {
		hash, err := c.Hash()
		fmt.Println(hash)
		return err
	}
	tokens, text, err := c.Generate()
	fmt.Print(golden.Case{Tokens: tokens}.IDs(), text)
	return err
}
