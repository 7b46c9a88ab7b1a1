// Story tells children's tales, on a PC without an operating system and on one with:
//
//	bootllama efi ./examples/story
//	go run ./examples/story
//
// Enter brings another tale. With an argument, a seed, it tells that seed's tale only.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"bootllama"
	_ "bootllama/metal" // makes it boot
	"bootllama/models"
)

func main() {
	if err := story(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "story:", err)
		os.Exit(1)
	}
}

func story(args []string) error {
	checkpoint, tokenizer, err := models.Open()
	if err != nil {
		return err
	}
	transformer, err := checkpoint.NewTransformer(llama.Options{})
	if err != nil {
		return err
	}
	defer transformer.Close()
	tell := func(seed uint64) error {
		g := llama.Generator{
			Transformer: transformer,
			Tokenizer:   tokenizer,
			Sampler:     transformer.NewSampler(1.0, 0.9, seed),
		}
		_, err := g.GenerateText(context.Background(), os.Stdout, "", 0)
		return err
	}
	if len(args) > 0 {
		seed, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return fmt.Errorf("the seed is a whole number: %w", err)
		}
		return tell(seed)
	}
	for lines := bufio.NewScanner(os.Stdin); ; {
		if err := tell(uint64(time.Now().UnixNano())); err != nil {
			return err
		}
		fmt.Print("Enter: another tale. Ctrl-D: the end. ")
		if !lines.Scan() {
			return lines.Err()
		}
	}
}
