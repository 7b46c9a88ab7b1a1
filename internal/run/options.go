package run

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"

	"bootllama"
	"bootllama/internal/bench"
	"bootllama/internal/flags"
)

// Help returns what -h of run, console or bench prints.
func Help(command string) string {
	switch command {
	case "bench":
		return bench.Help
	case "console":
		return "Usage: console [MODEL] [options]    a session: type how a story begins, read it\n\nOf a folder in place of MODEL you choose one of its models.\n" + optionsHelp
	}
	return "Usage: run [MODEL] [options]    one text on standard output\n" + OptionsHelp
}

// OptionsHelp lists the options of run: console's, and those of one text or a chat.
const OptionsHelp = optionsHelp + `  -i, --prompt TEXT      how the text begins; in mode chat, what you say first
      --special          TEXT may have special tokens, such as <|im_start|>, and
                         they are written (GGUF)
      --ids              print token ids, space separated, in place of text
  -m, --mode MODE        generate (default) or chat: say something, the model
                         answers, if it was finetuned for it (Llama 2 Chat;
                         GGUF: as the file says); Ctrl-C cuts the answer short,
                         Ctrl-D ends. console chats if the GGUF says how
`

const optionsHelp = `
MODEL is a GGUF file of the families llama, qwen2 or qwen3, or a llama2.c
checkpoint, such as stories15M.bin. Without it, a small one that is built in
tells a tale.

  -h, --help             print this
  -z, --tokenizer FILE   the MODEL's tokenizer (default: beside MODEL the file
                         with its name and the end .tok, or tokenizer.bin; or
                         tokenizer.bin here)
  -t, --temperature T    0: always the likeliest token; 1: the model's own
                         distribution; above: wilder (default 1.0)
  -p, --topp P           0 to 1: choose among the likeliest tokens that have
                         this probability together; 0 or 1: among all (default
                         0.9)
      --top-k N          choose among the N likeliest tokens; 0: among all
      --min-p P          0 to 1: choose among tokens that have this share of the
                         likeliest one's probability; 0: among all
      --repeat-penalty R 0.01 to 100: makes tokens of the last --repeat-last-n N
                         (default 64; -1: all) less likely; 1 (default): not
                         These four are for GGUF models, whose defaults, of -t
                         and -p too, are what their makers recommend; chance
                         chooses from what -t has made of what they leave over
  -s, --seed SEED        the same seed, the same text; 0 (default): by the clock
  -n, --steps N          tokens of the text, the prompt's included, which must
                         fit; in mode chat those of all turns together (GGUF: of
                         an answer); 0: as many as the context holds (default
                         256, of an answer 0)
  -c, --context N        tokens that the model sees at once, which take memory;
                         0 (default): as many as it can, GGUF at most 4096
      --kv TYPE          f16 (default) or f32: numbers in which a GGUF model
                         remembers them
  -y, --system TEXT      what the model is told before a chat, "" for nothing;
                         without it you are asked (GGUF: what the file says)
      --think            let the model think before it answers, if it can
      --plain            no colours on a terminal (nor with NO_COLOR in the
                         environment)
      --draft MODEL      a smaller model with the same tokens, which guesses
                         what comes next, if that is faster
      --lookup N         guess up to N tokens, with --draft by it, else where
                         the text repeats something, if that is faster; 0: none
                         (default 15). The text that comes out is the same
      --threads N        processor cores that share the work; 0 (default): all
                         physical ones
`

// Options are the options of the commands run and console.
type Options struct {
	Model       string  // file of the checkpoint; "": the built-in model
	Temperature float64 // 0 or more, finite; -1: the model's default
	TopP        float64 // 0 to 1; -1: the model's default
	Seed        uint64  // 0: taken from the clock
	Steps       int     // 0: as many as the context holds; -1: the mode's default
	Prompt      *string // nil: none was given
	Tokenizer   string  // file of the tokenizer; "": see TokenizerFile
	Mode        string  // generate or chat; "": generate, but console chats if the model's file says how
	System      *string // system prompt of mode chat; nil: none was given
	Think       bool    // the model may think before it answers
	Plain       bool    // a session has no colours
	Context     int     // positions; 0: see Positions
	KV          string  // f16 or f32: numbers of a GGUF model's keys and values; "": f16
	Special     bool    // special tokens are found in the prompt, and written
	IDs         bool    // print token ids in place of text
	Threads     int     // 0: as many as there are physical cores
	Draft       string  // file of a smaller model that guesses; "": none
	Lookup      *int    // the most tokens that are guessed at a time; nil: the default

	// Of GGUF models, see package sampler; nil: the model's default.
	TopK, RepeatLastN   *int
	MinP, RepeatPenalty *float64
}

// Usagef is flags.Usagef.
func Usagef(format string, a ...any) error { return flags.Usagef(format, a...) }

// ParseFlags is flags.Parse.
func ParseFlags(fs *flag.FlagSet, args []string) (operands []string, err error) {
	return flags.Parse(fs, args)
}

// Model is flags.Model.
func Model(operands []string) (string, error) { return flags.Model(operands) }

// Register sets o to the defaults and defines the options as flags of fs, with their short
// and long names. A command can add flags of its own to fs. After ParseFlags it calls
// Complete with the operands.
func (o *Options) Register(fs *flag.FlagSet) {
	*o = Options{Temperature: -1, TopP: -1, Steps: -1}
	o.define(fs)
}

// define defines the options as flags of fs.
func (o *Options) define(fs *flag.FlagSet) {
	define := func(short, long string, set func(string) error) {
		fs.Func(short, "", set)
		fs.Func(long, "", set)
	}
	define("t", "temperature", flags.Float(&o.Temperature, 0, math.MaxFloat64))
	define("p", "topp", flags.Float(&o.TopP, 0, 1))
	fs.Func("top-k", "", flags.Given(&o.TopK, func(v *int) func(string) error { return flags.Number(v, math.MaxInt32) }))
	fs.Func("min-p", "", flags.Given(&o.MinP, func(v *float64) func(string) error { return flags.Float(v, 0, 1) }))
	fs.Func("repeat-penalty", "", flags.Given(&o.RepeatPenalty, func(v *float64) func(string) error { return flags.Float(v, 0.01, 100) }))
	fs.Func("repeat-last-n", "", flags.Given(&o.RepeatLastN, func(v *int) func(string) error { return flags.Integer(v, -1, math.MaxInt32) }))
	fs.Func("lookup", "", flags.Given(&o.Lookup, func(v *int) func(string) error { return flags.Number(v, llama.Guesses) }))
	define("s", "seed", func(s string) error {
		// As in run.c, -1 is the largest seed, by two's complement.
		v, err := strconv.ParseInt(s, 10, 64)
		o.Seed = uint64(v)
		if err != nil {
			o.Seed, err = strconv.ParseUint(s, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("not a whole number from %d to %d", math.MinInt64, uint64(math.MaxUint64))
		}
		return nil
	})
	define("n", "steps", flags.Number(&o.Steps, math.MaxInt32))
	define("i", "prompt", func(s string) error { o.Prompt = &s; return nil })
	define("z", "tokenizer", func(s string) error { o.Tokenizer = s; return nil })
	define("m", "mode", func(s string) error { o.Mode = s; return nil })
	define("y", "system", func(s string) error { o.System = &s; return nil })
	define("c", "context", flags.Number(&o.Context, math.MaxInt32))
	fs.StringVar(&o.KV, "kv", o.KV, "")
	fs.StringVar(&o.Draft, "draft", o.Draft, "")
	fs.BoolVar(&o.Think, "think", o.Think, "")
	fs.BoolVar(&o.Plain, "plain", o.Plain, "")
	fs.BoolVar(&o.Special, "special", o.Special, "")
	fs.BoolVar(&o.IDs, "ids", o.IDs, "")
	fs.Func("threads", "", flags.Number(&o.Threads, flags.MaxThreads))
}

// Complete sets the model from the operands and checks the options.
func (o *Options) Complete(operands []string) (err error) {
	if o.Model, err = flags.Model(operands); err != nil {
		return err
	}
	if o.Mode != "" && o.Mode != "generate" && o.Mode != "chat" {
		return Usagef("unknown mode %q: generate or chat", o.Mode)
	}
	if o.KV != "" && o.KV != "f16" && o.KV != "f32" {
		return Usagef("--kv %q: f16 or f32", o.KV)
	}
	if o.Mode == "chat" && o.IDs {
		return Usagef("--ids is for mode generate: a chat is text")
	}
	if o.Mode == "chat" && o.Special {
		return Usagef("--special is for mode generate: in a chat the model's format has them")
	}
	return nil
}

// Allowed returns an error if the command run or console does not take the options together.
func (o Options) Allowed(command string) error {
	switch {
	case command == "console" && (o.Prompt != nil || o.IDs || o.Special):
		return Usagef("console takes no prompt, no --ids and no --special: they are options of run")
	case command == "console" && o.Mode == "chat":
		return Usagef("console has no mode %s: it is one of run", o.Mode)
	case command == "run" && o.Mode != "chat" && o.Think:
		return Usagef("--think is for conversations (-m chat)")
	}
	return nil
}

// Args returns arguments from which ParseFlags and Complete make o again.
func (o Options) Args() []string {
	var args []string
	add := func(given bool, words ...string) {
		if given {
			args = append(args, words...)
		}
	}
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	whole := func(name string, v *int) { add(v != nil, name, strconv.Itoa(*cmp.Or(v, new(0)))) }
	fraction := func(name string, v *float64) { add(v != nil, name, float(*cmp.Or(v, new(0.0)))) }
	text := func(name string, v *string) { add(v != nil, name, *cmp.Or(v, new(""))) }
	operand := o.Model != "" && !strings.HasPrefix(o.Model, "-")
	add(operand, o.Model)
	add(o.Tokenizer != "", "-z", o.Tokenizer)
	add(o.Temperature >= 0, "-t", float(o.Temperature))
	add(o.TopP >= 0, "-p", float(o.TopP))
	whole("--top-k", o.TopK)
	whole("--repeat-last-n", o.RepeatLastN)
	whole("--lookup", o.Lookup)
	add(o.Draft != "", "--draft", o.Draft)
	fraction("--min-p", o.MinP)
	fraction("--repeat-penalty", o.RepeatPenalty)
	add(true, "-s", strconv.FormatUint(o.Seed, 10))
	add(o.Steps >= 0, "-n", strconv.Itoa(o.Steps))
	add(o.Mode != "", "-m", o.Mode)
	text("-i", o.Prompt)
	text("-y", o.System)
	add(o.Think, "--think")
	add(o.Plain, "--plain")
	add(o.Context != 0, "-c", strconv.Itoa(o.Context))
	add(o.KV != "", "--kv", o.KV)
	add(o.Special, "--special")
	add(o.IDs, "--ids")
	add(o.Threads != 0, "--threads", strconv.Itoa(o.Threads))
	add(o.Model != "" && !operand, "--", o.Model)
	return args
}
