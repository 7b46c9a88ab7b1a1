package flags

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

func set() *flag.FlagSet {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.Int("n", 0, "")
	fs.Int("number", 0, "")
	fs.String("text", "", "")
	fs.Bool("yes", false, "")
	return fs
}

// TestErrors: the flag has the dashes with which it was typed.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--tempp 1", "flag provided but not defined: --tempp"},
		{"-tempp 1", "flag provided but not defined: -tempp"},
		{"--tempp=1", "flag provided but not defined: --tempp"},
		{"a -n 1 b --tempp", "flag provided but not defined: --tempp"},
		{"--number", "flag needs an argument: --number"},
		{"-n 1 --n", "flag needs an argument: --n"},
		{"--text --text", ""},
		{"--number x", `invalid value "x" for flag --number: parse error`},
		{"--number=x", `invalid value "x" for flag --number: parse error`},
		{"-number x", `invalid value "x" for flag -number: parse error`},
		{"--number --n", `invalid value "--n" for flag --number: parse error`},
		{"--n -n", `invalid value "-n" for flag --n: parse error`},
		{"--n -number:", `invalid value "-number:" for flag --n: parse error`},
		{"--yes=maybe", `invalid boolean value "maybe" for --yes: parse error`},
		{"-yes=maybe", `invalid boolean value "maybe" for -yes: parse error`},
		{"---x", "bad flag syntax: ---x"},
		{"--=x", "bad flag syntax: --=x"},
	} {
		_, err := Parse(set(), strings.Fields(c.args))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
	if _, err := Parse(set(), []string{"--number", "a: -number: x"}); err == nil || err.Error() != `invalid value "a: -number: x" for flag --number: parse error` {
		t.Error(err)
	}
}

func TestOperands(t *testing.T) {
	for args, want := range map[string]string{"a -n 1 b": "a b", "-n 1 -- -n": "-n", "--text -- a": "a", "": "", "- a": "- a"} {
		operands, err := Parse(set(), strings.Fields(args))
		if got := strings.Join(operands, " "); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", args, got, err, want)
		}
	}
	if _, err := Parse(set(), []string{"a", "-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

// FuzzParse: any command line is operands or an error, and what stands behind -- are operands.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a\x00-n\x001\x00b", "--tempp=1", "--\x00--", "--number\x00a: -number: x", "-yes=maybe", "---x", "--=x", "-", "--n\x00-n", "--text\x00--\x00--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		operands, err := Parse(set(), args)
		if err != nil && err.Error() == "" || len(operands) > len(args) {
			t.Errorf("%q: %q, %v", args, operands, err)
		}
		if err != nil || slices.Contains(args, "--") {
			return
		}
		more := append(slices.Clone(args), "--", "-x", "--")
		if got, err := Parse(set(), more); err != nil || !slices.Equal(got, append(operands, "-x", "--")) {
			t.Errorf("%q: %q, %v, without the end %q", more, got, err, operands)
		}
	})
}
