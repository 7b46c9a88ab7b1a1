// Package flags parses a command line with package flag, as people write it: flags stand wherever they like, and errors
// quote them as they were typed and suggest what was meant.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// UsageError is a mistake in the command line.
type UsageError struct{ error }

// Usagef makes a UsageError in the words of fmt.Errorf.
func Usagef(format string, a ...any) error { return UsageError{fmt.Errorf(format, a...)} }

// Parse parses the flags among args and returns the operands: all other arguments, and
// whatever follows "--". It prints nothing. The error is flag.ErrHelp when help is asked for,
// else a UsageError.
func Parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	flags.SetOutput(io.Discard)
	for {
		err := flags.Parse(args)
		rest := flags.Args()
		n := len(args) - len(rest)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, err
		case err != nil:
			return nil, UsageError{suggest(flags, asTyped(err, args[:n]))}
		case len(rest) == 0:
			return operands, nil
		// Parse stops at an operand or after "--". A "--" may also be the value of an
		// option: then that option is incomplete without it.
		case n > 0 && args[n-1] == "--" && flags.Parse(args[:n-1]) == nil:
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// asTyped returns an error of Parse, which has one dash before each flag, with the flag as it
// was typed: the last of args, or the one before its value.
func asTyped(err error, args []string) error {
	text := err.Error() + ":" // now one stands behind the flag in all of them
	if n := len(args) - 1; strings.HasPrefix(text, "invalid value ") && !strings.Contains(args[n], "=") {
		args = args[:n]
	}
	for _, arg := range slices.Backward(args) {
		typed, _, _ := strings.Cut(arg, "=")
		name := strings.TrimLeft(typed, "-")
		if i := strings.LastIndex(text, " -"+name+":"); i >= 0 && name != typed {
			before, after := text[:i+1], text[i+len(" -"+name):]
			return errors.New(strings.TrimSuffix(before+typed+after, ":"))
		}
	}
	return err
}

// suggest adds to an error of Parse about a flag that is not defined the one that was meant.
func suggest(flags *flag.FlagSet, err error) error {
	typed, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: ")
	if !ok {
		return err
	}
	var long []string
	flags.VisitAll(func(f *flag.Flag) {
		if len(f.Name) > 1 {
			long = append(long, f.Name)
		}
	})
	if name := Nearest(strings.TrimLeft(typed, "-"), long); name != "" {
		return fmt.Errorf("%w (did you mean --%s?)", err, name)
	}
	return err
}

// MaxThreads bounds a number of threads: more cores than any machine has.
const MaxThreads = 1024

// Number sets dst to a flag's value, a whole number from 0 to most.
func Number(dst *int, most int) func(string) error { return Integer(dst, 0, most) }

// Integer sets dst to a flag's value, a whole number from least to most.
func Integer(dst *int, least, most int) func(string) error {
	return func(s string) error {
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > most {
			return fmt.Errorf("not a whole number from %d to %d", least, most)
		}
		*dst = v
		return nil
	}
}

// Float sets dst to a flag's value, a number from least to most.
func Float(dst *float64, least, most float64) func(string) error {
	return func(s string) error {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= least && v <= most) {
			return fmt.Errorf("not a number from %g to %g", least, most)
		}
		*dst = v
		return nil
	}
}

// Given sets *dst to a new variable with a flag's value.
func Given[T any](dst **T, set func(*T) func(string) error) func(string) error {
	return func(s string) error {
		*dst = new(T)
		return set(*dst)(s)
	}
}

// Model returns the operand MODEL, "" if there is none.
func Model(operands []string) (string, error) {
	switch {
	case len(operands) > 1:
		return "", Usagef("one MODEL, not %d: %q", len(operands), operands)
	case len(operands) == 0:
		return "", nil
	case operands[0] == "": // probably an unset shell variable
		return "", Usagef("MODEL is empty: name a llama2.c checkpoint, or leave it out for the built-in model")
	}
	return operands[0], nil
}
