package run

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxArgs bounds the size of an argument file in bytes.
const maxArgs = 1 << 20

// ReadArgs reads a list of arguments such as LLAMA.TXT, which replaces the command line where
// the firmware starts the program without one: UTF-8, one argument per line. Empty lines and
// lines that begin with # are ignored. A line that begins with a quotation mark is a string
// literal of Go. A byte order mark and the carriage returns of DOS lines are removed. Errors
// contain the number of the line.
func ReadArgs(r io.Reader) ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxArgs+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxArgs {
		return nil, fmt.Errorf("more than %d bytes", maxArgs)
	}
	var args []string
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '"':
			arg, err := strconv.Unquote(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: not a complete quoted string: %s", i+1, line)
			}
			args = append(args, arg)
		case !utf8.ValidString(line):
			return nil, fmt.Errorf("line %d: not UTF-8", i+1)
		default:
			args = append(args, line)
		}
	}
	return args, nil
}

// WriteArgs writes args for ReadArgs. It quotes an argument if ReadArgs would read the plain
// line as something else, or if a reader could not see all of it.
func WriteArgs(w io.Writer, args []string) error {
	var b strings.Builder
	for _, arg := range args {
		if !plain(arg) {
			arg = strconv.Quote(arg)
		}
		b.WriteString(arg + "\n")
	}
	if b.Len() > maxArgs {
		return fmt.Errorf("the arguments take %d bytes, more than %d", b.Len(), maxArgs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain reports whether arg can be written without quotation marks.
func plain(arg string) bool {
	return arg != "" && arg[0] != '#' && arg[0] != '"' && arg == strings.TrimSpace(arg) &&
		utf8.ValidString(arg) && !strings.ContainsFunc(arg, func(r rune) bool { return !unicode.IsPrint(r) })
}
