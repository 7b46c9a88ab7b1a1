package llama_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"bootllama"
	"bootllama/models"
)

// A text of the built-in model; llama.LoadCheckpoint and llama.LoadTokenizer read others.
func Example() {
	checkpoint, tokenizer, err := models.Open()
	if err != nil {
		log.Fatal(err)
	}
	transformer, err := checkpoint.NewTransformer(llama.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer transformer.Close()
	g := llama.Generator{
		Transformer: transformer,
		Tokenizer:   tokenizer,
		Sampler:     transformer.NewSampler(0, 0, 1), // the likeliest token
	}
	if _, err := g.GenerateText(context.Background(), os.Stdout, "Once upon a time", 50); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Once upon a time, a shy girl named Emma lived in a white house at the edge of the village. She was small but quick. She had a lovely voice, but she
}

func ExampleTokenizer() {
	_, tokenizer, err := models.Open()
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := tokenizer.Encode("A fox sang.", true, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens)
	for i, token := range tokens[1:] {
		fmt.Printf("%q ", tokenizer.Decode(tokens[i], token))
	}
	// Output:
	// [1 337 275 991 1019 814 49]
	// "A" " f" "o" "x" " sang" "."
}

// The loop of Generator.Generate, by hand: logits, a token, its text.
func ExampleSampler() {
	checkpoint, tokenizer, err := models.Open()
	if err != nil {
		log.Fatal(err)
	}
	transformer, err := checkpoint.NewTransformer(llama.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer transformer.Close()
	sampler := transformer.NewSampler(0.8, 0.9, 42)
	token := tokenizer.BOS
	for pos := range 20 {
		next := sampler.Sample(transformer.Forward(token, pos))
		fmt.Print(tokenizer.Decode(token, next))
		token = next
	}
	// Output:
	// One fresh spring morning, a shy duck named Betty was looking for something
}
