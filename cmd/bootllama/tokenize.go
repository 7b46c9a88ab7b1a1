package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"

	"bootllama/internal/run"
)

const tokenizeHelp = `Usage: tokenize MODEL [TEXT] [options]    the tokens that the model would see of TEXT

One a line: the id, and the token as a quoted string of Go. Without TEXT, standard input is read. Nothing of the model
is read but its header, and its tokenizer.

  -z, --tokenizer FILE   as in run
      --special          TEXT may have special tokens, such as <|im_start|> (GGUF)
      --ids              print the ids alone, space separated
`

// tokenize is the command tokenize.
func tokenize(args []string, s streams) error {
	var o run.Options
	flags := flag.NewFlagSet("tokenize", flag.ContinueOnError)
	flags.StringVar(&o.Tokenizer, "z", "", "")
	flags.StringVar(&o.Tokenizer, "tokenizer", "", "")
	flags.BoolVar(&o.Special, "special", false, "")
	flags.BoolVar(&o.IDs, "ids", false, "")
	rest, err := operands(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return showHelp([]string{"tokenize"}, s)
	case err != nil:
		return err
	case len(rest) < 1 || len(rest) > 2:
		return run.Usagef("tokenize takes a MODEL and a TEXT, not %d operands (`bootllama help tokenize` lists the options)", len(rest))
	}
	if o.Model, err = run.Model(rest[:1]); err != nil {
		return err
	}
	v, err := run.Vocab(o)
	if err != nil {
		return err
	}
	var text string
	if len(rest) == 2 {
		text = rest[1]
	} else if b, err := io.ReadAll(s.stdin); err == nil {
		text = string(b)
	} else {
		return err
	}
	tokens, err := v.Encode(text, true, false)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(s.stdout)
	for i, token := range tokens {
		switch {
		case !o.IDs:
			fmt.Fprintf(w, "%d\t%q\n", token, run.Piece(v, token))
		case i > 0:
			fmt.Fprintf(w, " %d", token)
		default:
			fmt.Fprint(w, token)
		}
	}
	if o.IDs {
		fmt.Fprintln(w)
	}
	return w.Flush()
}
