package settings

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isCommandLine reports whether the first line of a file makes it one of the old form.
func (k Keys) isCommandLine(line string) bool {
	if line[0] == '-' || line[0] == '"' {
		return true
	}
	word, rest, _ := strings.Cut(line, " ")
	return slices.Contains(k.Commands, word) && !strings.HasPrefix(strings.TrimSpace(rest), "=")
}

// args reads a command line, one argument a line. Empty lines and lines that begin with # are ignored. A line that begins
// with a quotation mark is a string literal of Go. The first line, and each one that begins with an option and is no value
// of the option before it, may have several arguments; they are separated by blanks, and quotation marks enclose one.
func (k Keys) args(lines []string, problems []Problem) ([]string, []Problem) {
	args := []string{}
	value := false // the next line is the value of an option
	before := len(problems)
	for i, line := range lines {
		switch {
		case len(problems)-before == maxProblems:
			return args, append(problems, givenUp(i+1))
		case line == "" || line[0] == '#':
			continue
		case line[0] == '"':
			arg, err := strconv.Unquote(line)
			if err != nil {
				problems = append(problems, Problem{i + 1, "not a complete quoted string: " + line})
				continue
			}
			args = append(args, arg)
		case value || len(args) > 0 && line[0] != '-':
			args = append(args, line)
		default:
			words, ok := words(line)
			if !ok {
				problems = append(problems, Problem{i + 1, "a quotation mark has no other: " + line})
				continue
			}
			args = append(args, words...)
		}
		value = !value && k.takesValue(args[len(args)-1])
	}
	return args, problems
}

// takesValue reports whether an argument is an option whose value is the next argument.
func (k Keys) takesValue(arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if dashes := len(arg) - len(name); dashes < 1 || dashes > 2 || name == "" || strings.ContainsAny(name, "= \t") {
		return false
	}
	f := k.Flags.Lookup(name)
	if f == nil {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// words splits a line at blanks that are not between quotation marks, which vanish.
func words(line string) (words []string, ok bool) {
	var word strings.Builder
	in, quoted := false, false
	for _, r := range line {
		switch {
		case r == '"':
			in, quoted = true, !quoted
		case unicode.IsSpace(r) && !quoted:
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words, !quoted
}

// WriteArgs writes a command line for Read. It quotes an argument if Read would read the plain line as something else, or if
// a reader could not see all of it.
func WriteArgs(w io.Writer, args []string) error {
	var b strings.Builder
	for _, arg := range args {
		if !plain(arg) {
			arg = strconv.Quote(arg)
		}
		b.WriteString(arg + "\n")
	}
	if b.Len() > MaxSize {
		return fmt.Errorf("the arguments take %d bytes, more than %d", b.Len(), MaxSize)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain reports whether arg can be written without quotation marks.
func plain(arg string) bool {
	return arg != "" && arg[0] != '#' && arg[0] != '"' && arg == strings.TrimSpace(arg) &&
		!(arg[0] == '-' && strings.ContainsAny(arg, " \t\"")) &&
		utf8.ValidString(arg) && !strings.ContainsFunc(arg, func(r rune) bool { return !unicode.IsPrint(r) })
}
