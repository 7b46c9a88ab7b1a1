// Package settings reads LLAMA.TXT, which a person writes for a machine without a command line. It has lines of
//
//	key = value    # a comment
//
// in which a key is the long name of a flag. Whoever wrote it sits at another machine, perhaps without an editor: so
// each line stands for itself, a mistake is told with its line, and all others count.
//
// Before there were settings, the file was a command line, one argument a line. Such a file is still read (see Read).
package settings

import (
	"cmp"
	"encoding/binary"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"bootllama/internal/flags"
)

// MaxSize bounds the size of a file in bytes.
const MaxSize = 1 << 20

// maxProblems bounds the mistakes that are told of a file, which is then not read further: one of another kind may have
// hundreds of thousands.
const maxProblems = 20

// givenUp is the problem behind the last one.
func givenUp(line int) Problem {
	return Problem{line, "there are too many mistakes: this line and those below it were not read"}
}

// Problem is a mistake in a file: its line, and what is wrong with it.
type Problem struct {
	Line int // from 1; 0: it concerns the whole file
	Text string
}

// In returns the problem as one line of text, with the name of the file.
func (p Problem) In(file string) string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", file, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", file, p.Line, p.Text)
}

// File is what Read has made of a file.
type File struct {
	// Args is the command line of a file of the old form; nil: it has settings.
	Args []string
	// Given has the long names of the flags that were set, and the lines that count.
	Given    map[string]int
	Problems []Problem // in the order of the lines
}

// Keys are what a file may say.
type Keys struct {
	Flags *flag.FlagSet
	// Names are the flags of which the value is the name of a file: a backslash in it is one.
	Names []string
	// Other are further keys, and the flags that they stand for.
	Other map[string]string
	// Commands are words with which a file of the old form begins.
	Commands []string

	index map[string]string // flags by their keys as bare returns them
}

// Read sets the flags as the file with this content says. The text may be UTF-8 or UTF-16 and begin with a byte order mark,
// as Windows' Notepad writes it. Lines end as they do on any system. Blanks around keys and values do not count, neither do
// case, hyphens and underscores in keys. What stands behind a blank and # is a comment. A value in quotation marks is taken
// as it is, and may have the escapes of Go's strings. A key without a value means the default.
//
// A file whose first line begins with one of the commands, or with an option, is a command line: see Args.
func (k Keys) Read(data []byte) (f File) {
	f.Given = map[string]int{}
	lines, problems := split(data)
	f.Problems, k.index = problems, k.bareKeys()
	for i, line := range lines {
		if line == "" || line[0] == '#' {
			continue
		}
		if k.isCommandLine(line) {
			f.Args, f.Problems = k.args(lines, problems)
			return f
		}
		lines = lines[i:]
		for j, line := range lines {
			if len(f.Problems)-len(problems) == maxProblems {
				f.Problems = append(f.Problems, givenUp(i+j+1))
				break
			}
			k.setLine(&f, i+j+1, line)
		}
		break
	}
	slices.SortStableFunc(f.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return f
}

// split returns the lines of a file without the blanks around them. A line that is no text is a problem, and empty.
func split(data []byte) (lines []string, problems []Problem) {
	if len(data) > MaxSize {
		return nil, []Problem{{0, fmt.Sprintf("it has more than %d bytes: is it a text?", MaxSize)}}
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decode(data))
	lines = strings.Split(text, "\n")
	for i, line := range lines {
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			if len(problems) == maxProblems {
				return lines[:i], append(problems, givenUp(i+1))
			}
			problems = append(problems, Problem{i + 1, "it is not UTF-8: save the file as UTF-8"})
			line = ""
		}
		lines[i] = strings.TrimSpace(line)
	}
	return lines, problems
}

// decode returns a file's text as UTF-8, without a byte order mark. UTF-16 without one is known by the zero in the first
// character, which is ASCII's.
func decode(data []byte) string {
	var order binary.ByteOrder
	switch {
	case len(data) < 2:
	case data[0] == 0xFF && data[1] == 0xFE, data[0] != 0 && data[1] == 0:
		order = binary.LittleEndian
	case data[0] == 0xFE && data[1] == 0xFF, data[0] == 0 && data[1] != 0:
		order = binary.BigEndian
	}
	text := string(data)
	if order != nil {
		units := make([]uint16, len(data)/2) // half a unit at the end is none
		for i := range units {
			units[i] = order.Uint16(data[2*i:])
		}
		text = string(utf16.Decode(units))
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// setLine sets what a line says.
func (k Keys) setLine(f *File, number int, line string) {
	if line == "" || line[0] == '#' {
		return
	}
	problem := func(format string, a ...any) {
		f.Problems = append(f.Problems, Problem{number, fmt.Sprintf(format, a...)})
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		problem("%s", k.noSetting(line))
		return
	}
	key = strings.TrimSpace(key)
	name := k.find(key)
	if name == "" {
		problem("there is no setting %q%s", key, k.suggest(key))
		return
	}
	value, given, err := k.value(name, value)
	switch {
	case err != nil:
		problem("%s: %v", key, err)
	case !given: // the default
	default:
		if err := k.Flags.Set(name, value); err != nil {
			problem("%s = %s: %v%s", key, value, err, k.second(value))
			return
		}
		if before := f.Given[name]; before > 0 {
			problem("%s was set in line %d: this line counts", key, before)
		}
		f.Given[name] = number
	}
}

// value returns the value that the text behind = stands for; given is false if there is none.
func (k Keys) value(name, text string) (value string, given bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return "", false, nil
	}
	for _, marks := range []string{`""`, "“”", "„“", "''"} { // Word processors make the second and the third of the first
		open, size := utf8.DecodeRuneInString(marks)
		first, n := utf8.DecodeRuneInString(text)
		if open != first {
			continue
		}
		body, rest, ok := closing(text[n:], marks[size:])
		if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' {
			if open == '\'' { // an apostrophe
				break
			}
			return "", true, fmt.Errorf("the quotation marks do not enclose the value: %s", text)
		}
		if open == '"' && !slices.Contains(k.Names, name) {
			if body, err = strconv.Unquote(`"` + body + `"`); err != nil {
				return "", true, fmt.Errorf(`a backslash in quotation marks stands before n, t, " or another backslash: %s`, text)
			}
		}
		return body, true, nil
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			text = strings.TrimSpace(text[:i])
			break
		}
	}
	if b, ok := k.Flags.Lookup(name).Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		switch strings.ToLower(text) {
		case "yes", "y", "on", "true", "1":
			return "true", true, nil
		case "no", "n", "off", "false", "0":
			return "false", true, nil
		}
		return "", true, fmt.Errorf("%s is neither yes nor no", text)
	}
	return text, true, nil
}

// closing cuts a text at the closing quotation mark; one behind a backslash is none, where the mark is ".
func closing(text, mark string) (body, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && mark == `"` && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
		case strings.HasPrefix(text[i:], mark):
			return text[:i], text[i+len(mark):], true
		}
	}
	return "", "", false
}

// bare is a key without what does not count in it.
func bare(key string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ \t", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, key)
}

// bareKeys returns the flags by their keys.
func (k Keys) bareKeys() map[string]string {
	index := map[string]string{}
	k.Flags.VisitAll(func(f *flag.Flag) {
		if len(f.Name) > 1 {
			index[bare(f.Name)] = f.Name
		}
	})
	for other, flag := range k.Other {
		index[bare(other)] = flag
	}
	return index
}

// find returns the flag of a key, "" if there is none.
func (k Keys) find(key string) (name string) { return k.index[bare(key)] }

// names returns all keys, sorted.
func (k Keys) names() (names []string) {
	k.Flags.VisitAll(func(f *flag.Flag) {
		if len(f.Name) > 1 {
			names = append(names, f.Name)
		}
	})
	for other := range k.Other {
		names = append(names, other)
	}
	slices.Sort(names)
	return names
}

// suggest returns the key that is most like an unknown one, for the end of a message; all keys if none is.
func (k Keys) suggest(key string) string {
	if near := flags.Nearest(key, k.names()); near != "" {
		return fmt.Sprintf(": did you mean %s?", near)
	}
	return ": there are " + strings.Join(k.names(), ", ")
}

// noSetting says what is wrong with a line that has no =.
func (k Keys) noSetting(line string) string {
	word, rest, ok := strings.Cut(line, " ")
	if i := strings.IndexByte(line, ':'); i > 0 {
		word, rest, ok = line[:i], line[i+1:], true
	}
	if rest = strings.TrimSpace(rest); ok && rest != "" && k.find(word) != "" {
		return fmt.Sprintf("a setting is key = value: did you mean %s = %s?", word, rest)
	}
	return fmt.Sprintf("%q is no setting: a line is key = value, or begins with # if it is none", line)
}

// second says that a value has another setting in it, if it has.
func (k Keys) second(value string) string {
	before, _, ok := strings.Cut(value, "=")
	if words := strings.FieldsFunc(before, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == ';' }); ok && len(words) > 1 {
		if key := words[len(words)-1]; k.find(key) != "" {
			return fmt.Sprintf("; a line has one setting: %s needs another line", key)
		}
	}
	return ""
}

// Quote returns the text of a value that Read reads as value: in quotation marks where it needs them.
func Quote(value string) string {
	if plain(value) && !strings.ContainsAny(value, "#\"'\\=") && !strings.ContainsAny(value, "“„") {
		return value
	}
	return strconv.Quote(value)
}
