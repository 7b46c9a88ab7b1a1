package start

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bootllama/internal/run"
	"bootllama/internal/settings"
)

// setting is a key of LLAMA.TXT for a person who reads the file: what it is for, the value that it has without a line, and
// the one that options give it, "" for none.
type setting struct{ key, about, otherwise, value string }

// Write writes a LLAMA.TXT that says what options say, in which every key is explained. Lines of text come first, as comments.
func Write(w io.Writer, o run.Options, lines ...string) error {
	var b strings.Builder
	b.WriteString(`# LLAMA.TXT: what this machine does when it starts from this stick.
#
# A line is key = value. What stands behind a # is only for you: take it away, and the line counts. Put a text
# in "quotation marks" if it has a # or begins with a blank; \n is a new line in them. Mistakes are told with
# their line when the machine starts, and all other lines count.
`)
	if len(lines) > 0 {
		b.WriteString("#\n")
	}
	for _, l := range lines {
		b.WriteString("# " + l + "\n")
	}
	for _, s := range all(o) {
		b.WriteString("\n")
		for l := range strings.Lines(s.about) {
			b.WriteString("# " + strings.TrimSpace(l) + "\n")
		}
		if s.value != "" {
			fmt.Fprintf(&b, "%s = %s\n", s.key, s.value)
		} else {
			fmt.Fprintf(&b, "#%s\n", strings.TrimRight(s.key+" = "+s.otherwise, " "))
		}
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), "\n", "\r\n")) // for old editors of Windows
	return err
}

// all are all settings.
func all(o run.Options) []setting {
	return []setting{
		{"model", "The model's file. Without this line: if there is one model on this stick, that one; if there are several,\na menu asks. built-in is the small one that needs no file.", "", quoted(o.Model)},
		{"tokenizer", "The tokenizer's file of a llama2.c checkpoint. Without this line: beside it, its name with the ending .tok,\nor tokenizer.bin. GGUF files have theirs in them.", "", quoted(o.Tokenizer)},
		{"menu", "Seconds after which the menu takes the first model that fits into memory; 0: it waits for you.", "10", ""},
		{"system", "What an assistant is told before you talk to it. Without this line: what its file says. \"\" is nothing.", "", text(o.System)},
		{"think", "yes: the model may think before it answers, if it can.", "no", yes(o.Think)},
		{"temperature", "0: always the likeliest word; 1: as the model has learned; more: wilder.\nWithout this line: what the model's makers recommend, or 1.", "1", number(o.Temperature, o.Temperature >= 0)},
		{"top-p", "0 to 1: choose among the likeliest words that have this probability together.", "0.9", number(o.TopP, o.TopP >= 0)},
		{"top-k", "GGUF: choose among so many of the likeliest words; 0: among all.", "40", pointer(o.TopK)},
		{"min-p", "GGUF: 0 to 1: choose among words that have this share of the likeliest one's probability; 0: among all.", "0.05", pointer(o.MinP)},
		{"repeat-penalty", "GGUF: 0.01 to 100: above 1, words that were said lately are less likely.", "1", pointer(o.RepeatPenalty)},
		{"repeat-last-n", "GGUF: how many tokens are lately; -1: all.", "64", pointer(o.RepeatLastN)},
		{"seed", "The same number, the same answers; 0: others each time.", "0", unsigned(o.Seed)},
		{"steps", "The most tokens (words and parts of words) of a text or an answer; 0: as many as the context holds.", "", number(float64(o.Steps), o.Steps >= 0)},
		{"context", "How many tokens the model sees at once, which take memory; 0: as many as it can, GGUF at most 4096.", "0", number(float64(o.Context), o.Context > 0)},
		{"kv", "GGUF: f16 or f32: the numbers in which a conversation is remembered; f32 takes twice the memory.", "f16", o.KV},
		{"lookup", "How many words are guessed at a time where the text repeats something, if that is faster; 0: none.", "15", pointer(o.Lookup)},
		{"draft", "A smaller model with the same tokens, which guesses what comes next: the same answers, sooner.", "", quoted(o.Draft)},
		{"threads", "How many processor cores share the work; 0: all.", "0", number(float64(o.Threads), o.Threads > 0)},
		{"plain", "yes: no colours.", "no", yes(o.Plain)},
		{"prompt", "With this line the machine does not ask: it writes one text, which begins so.", "Once upon a time", text(o.Prompt)},
		{"mode", "chat: the conversation of llama2.c's chat models, beginning with the prompt.", "generate", o.Mode},
		{"special", "yes: the prompt may have special tokens, such as <|im_start|>, and they are written (GGUF).", "no", yes(o.Special)},
		{"ids", "yes: numbers of tokens are written in place of text.", "no", yes(o.IDs)},
		{"keyboard", "The keyboard's layout: us, uk, de, fr, es, it, pt, be, ch, dk, no or se. Without this line: the firmware's, mostly us.", "us", ""},
		{"font-size", "The height of a character in dots. Without this line: by the size of the screen.", "16", ""},
		{"font", "The file of a font (TTF) on this stick, for example for Chinese. Without this line: FONT.TTF, or the built-in one.", "FONT.TTF", ""},
		{"text", "yes: the screen is left to the firmware (if nothing else can be read).", "no", ""},
		{"end", "What happens at the end: wait (you are asked), off, reboot, or firmware (its boot menu,\nor the next boot entry).", "wait", ""},
	}
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return settings.Quote(s)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return settings.Quote(*s)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func number(v float64, given bool) string {
	if !given {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func unsigned(v uint64) string { return cmp.Or(strings.TrimLeft(strconv.FormatUint(v, 10), "0"), "") }

func pointer[T int | float64](p *T) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(*p)
}
