package flags

import (
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	commands := []string{"run", "console", "boot", "image", "bench", "t", "topp", "temperature"}
	for word, want := range map[string]string{
		"imgae": "image", "images": "image", "imag": "image", "mage": "image", "IMAGE": "image", "omage": "image",
		"rnu": "run", "ru": "run", "boto": "boot", "conosle": "console", "benhc": "bench", "tempp": "topp", "temp": "temperature",
		"temperture": "temperature", "fly": "", "": "", "x": "", "b": "", "llama.gguf": "", "an": "", strings.Repeat("image", 100): "",
	} {
		if got := Nearest(word, commands); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// TestSlips: known distances.
func TestSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"image", "image", 0}} {
		if got := slips(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestSuggestion: a mistyped option names the one that was meant, with the dashes that people write.
func TestSuggestion(t *testing.T) {
	for args, want := range map[string]string{
		"--nubmer 1": "flag provided but not defined: --nubmer (did you mean --number?)",
		"-nubmer=1":  "flag provided but not defined: -nubmer (did you mean --number?)",
		"--num":      "flag provided but not defined: --num (did you mean --number?)",
		"--yse":      "flag provided but not defined: --yse (did you mean --yes?)",
		"--fly":      "flag provided but not defined: --fly",
		"-x":         "flag provided but not defined: -x",
	} {
		if _, err := Parse(set(), strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	if _, err := Parse(set(), []string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}
