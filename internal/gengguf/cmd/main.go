// The command gengguf writes a GGUF file with random weights: see package gengguf.
//
//	go run ./internal/gengguf/cmd -model qwen3-0.6b -type Q4_K_M -tokenizer VOCAB.gguf -o OUT.gguf
package main

import (
	"flag"
	"fmt"
	"os"

	"bootllama/internal/gengguf"
)

func main() {
	model := flag.String("model", "tiny-llama3", "a shape; -list prints them")
	list := flag.Bool("list", false, "print the shapes and types")
	typ := flag.String("type", "F32", "type of the matrices, or the mix Q4_K_M or Q5_K_M")
	mixed := flag.Bool("mixed", false, "Q6_K for the output matrix, as llama-quantize does for Q4_0 and others")
	out := flag.String("o", "", "file to write")
	tok := flag.String("tokenizer", "", "take the tokenizer of this GGUF, which may be gzipped, or tokenizer.json")
	pre := flag.String("pre", "", "tokenizer.ggml.pre, if not the one of the file")
	cut := flag.Int("cut", 0, "keep only so many of its tokens; the model's vocabulary is what remains")
	seed := flag.Uint64("seed", 1, "another seed, other weights")
	version := flag.Uint("version", 3, "2 or 3")
	align := flag.Int("align", 32, "general.alignment; 32 is not written")
	rename := flag.String("rename", "", "other texts for tokens: old=new,…")
	bos := flag.String("bos", "", "the text of the token that begins a text")
	eos := flag.String("eos", "", "the text of the token that ends one")
	template := flag.String("template", "", "file with a chat template")
	vocabOnly := flag.Bool("vocab-only", false, "no tensors: a tokenizer and metadata")
	sparse := flag.Bool("sparse", false, "leave the data of the tensors out: a file with a hole")
	layers := flag.Int("layers", 0, "another number of layers")
	vocab := flag.Int("vocab", 0, "another number of tokens, if there is no tokenizer")
	flag.Parse()
	if *list {
		for _, s := range gengguf.Shapes {
			fmt.Printf("%-14s %+v\n", s.Name, s)
		}
		fmt.Println(gengguf.Types)
		return
	}
	if *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	f := gengguf.New(*model, *typ)
	f.Mixed, f.Seed, f.Version, f.Align, f.VocabOnly, f.Sparse = *mixed, *seed, uint32(*version), *align, *vocabOnly, *sparse
	if *layers > 0 {
		f.Layers = *layers
	}
	if *vocab > 0 {
		f.Vocab = *vocab
	}
	if *tok != "" {
		t, err := gengguf.ReadTokenizer(*tok)
		check(err)
		if *cut > 0 {
			t = t.Cut(*cut)
		} else {
			t.Pad(f.Vocab)
		}
		if *pre != "" {
			t.Pre = *pre
		}
		if *rename != "" {
			t.Rename(*rename)
		}
		if *bos != "" {
			t.Set("bos_token_id", *bos)
		}
		if *eos != "" {
			t.Set("eos_token_id", *eos)
		}
		if *template != "" {
			b, err := os.ReadFile(*template)
			check(err)
			t.Template = string(b)
		}
		f.Tokenizer = t
	}
	check(f.Create(*out))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gengguf:", err)
		os.Exit(1)
	}
}
