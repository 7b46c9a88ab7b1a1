package start

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"bootllama/internal/flags"
	"bootllama/internal/run"
	"bootllama/internal/settings"
	"bootllama/session"
)

// Settings are what LLAMA.TXT says.
type Settings struct {
	run.Options
	Keyboard string        // the layout; "": the firmware's
	FontSize int           // rows of pixels of a character; 0: by the size of the screen
	Font     string        // file of a font; "": the one that is built in
	Text     bool          // the firmware's text mode, and no screen of our own
	End      string        // wait, off, reboot or firmware
	Menu     time.Duration // after which the menu takes the first model; 0: it waits for a person

	// Args is the command line of a file of the old form; nil: it has settings, or there is none.
	Args []string
	// Problems are lines about what is wrong with the file.
	Problems []string

	file  string         // the file's name, for messages
	given map[string]int // lines
}

const (
	defaultMenu = 10 * time.Second
	maxMenu     = 3600 // seconds
	minFontSize = 8
	maxFontSize = 200
)

// Ends are what may happen at the end of a session, in the words of the setting end.
var Ends = []string{"wait", "off", "reboot", "firmware"}

// Files are where LLAMA.TXT is looked for on a volume, in this order. Windows hides the ending .txt, so that many write
// another one behind it.
var Files = []string{"LLAMA.TXT", "LLAMA.TXT.TXT", "EFI/BOOT/LLAMA.TXT", "EFI/BOOT/LLAMA.TXT.TXT"}

// commands are the words with which a command line begins.
var commands = []string{run.NoBar, run.Piped, "run", "console", "bench", "help", "version"}

// keys defines what a file may say.
func (s *Settings) keys(layouts []string) settings.Keys {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	s.Options.Register(f)
	s.End, s.Menu = Ends[0], defaultMenu
	oneOf := func(dst *string, words []string) func(string) error {
		return func(v string) error {
			if v = strings.ToLower(v); !slices.Contains(words, v) {
				return errors.New("there are " + strings.Join(words, ", "))
			}
			*dst = v
			return nil
		}
	}
	text := func(dst *string) func(string) error { return func(v string) error { *dst = v; return nil } }
	f.Func("model", "", text(&s.Options.Model))
	f.Func("keyboard", "", oneOf(&s.Keyboard, layouts))
	f.Func("font", "", text(&s.Font))
	f.Func("font-size", "", flags.Integer(&s.FontSize, minFontSize, maxFontSize))
	f.BoolVar(&s.Text, "text", false, "")
	f.Func("end", "", oneOf(&s.End, Ends))
	f.Func("menu", "", func(v string) error {
		seconds := 0
		err := flags.Number(&seconds, maxMenu)(strings.TrimSuffix(strings.TrimSpace(strings.TrimSuffix(v, "s")), " "))
		s.Menu = time.Duration(seconds) * time.Second
		return err
	})
	return settings.Keys{
		Flags: f, Names: []string{"model", "tokenizer", "font"}, Commands: commands,
		Other: map[string]string{"length": "steps", "timeout": "menu", "top-p": "topp"},
	}
}

// ReadSettings reads LLAMA.TXT on the volume whose root is a folder. Mistakes are Problems, and what is right counts. Layouts
// are the keyboards that there are.
func ReadSettings(root string, layouts []string) (s Settings) {
	keys := s.keys(layouts)
	data, err := s.read(root)
	if err != nil {
		s.problem(0, "it cannot be read: %v", err)
	}
	if s.file == "" {
		return s
	}
	f := keys.Read(data)
	s.given = f.Given
	for _, p := range f.Problems {
		s.Problems = append(s.Problems, p.In(s.file))
	}
	if f.Args != nil {
		s.setArgs(f.Args)
		return s
	}
	s.checkOptions()
	return s
}

// read returns the contents of the first of Files that there is, and tells of the others.
func (s *Settings) read(root string) (data []byte, err error) {
	for _, name := range Files {
		file, e := os.Open(path.Join(root, name))
		if errors.Is(e, fs.ErrNotExist) {
			continue
		}
		if s.file != "" {
			s.Problems = append(s.Problems, fmt.Sprintf("%s is not read, since there is %s", name, s.file))
			file.Close()
			continue
		}
		s.file = name
		if err = e; err == nil {
			data, err = io.ReadAll(io.LimitReader(file, settings.MaxSize+1))
			file.Close() // read only: nothing is lost when closing fails
		}
	}
	return data, err
}

// Problem adds a problem with the value of a key.
func (s *Settings) Problem(key, format string, a ...any) {
	if s.file == "" {
		s.Problems = append(s.Problems, fmt.Sprintf(format, a...))
		return
	}
	s.problem(s.given[key], "%s: %s", key, fmt.Sprintf(format, a...))
}

func (s *Settings) problem(line int, format string, a ...any) {
	s.Problems = append(s.Problems, settings.Problem{Line: line, Text: fmt.Sprintf(format, a...)}.In(s.file))
}

// setArgs takes a command line, if it is one that the commands would not refuse.
func (s *Settings) setArgs(args []string) {
	words := new(run.Host).Streams(args)
	if len(words) > 0 && strings.HasPrefix(words[0], "-") { // options alone
		words = append([]string{""}, words...)
	}
	if len(words) == 0 {
		return
	}
	if words[0] == "" || words[0] == "run" || words[0] == "console" {
		var o run.Options
		f := flag.NewFlagSet("", flag.ContinueOnError)
		o.Register(f)
		operands, err := run.ParseFlags(f, words[1:])
		if err == nil {
			err = o.Complete(operands)
		}
		if words[0] == "" {
			words[0] = Verb(o)
			args = words
		}
		if err == nil {
			err = o.Allowed(words[0])
		}
		if err != nil && !errors.Is(err, flag.ErrHelp) {
			s.problem(0, "%v", err)
			return
		}
	}
	s.Args = args
}

// Verb is the command that options ask for: run for one text or for run.c's chat, else console.
func Verb(o run.Options) string {
	if o.Prompt != nil || o.IDs || o.Mode == "chat" {
		return "run"
	}
	return "console"
}

// checkOptions leaves out settings that are not allowed, or not beside the others, with a problem for each.
func (s *Settings) checkOptions() {
	for err := s.check(); err != nil; err = s.check() {
		if !s.leaveOut(err) {
			s.problem(0, "%v", err) // it is no key's
			return
		}
	}
}

// leaveOut leaves out the setting without which an error of check is another one, or none.
func (s *Settings) leaveOut(err error) bool {
	for _, c := range []struct {
		key   string
		reset func()
	}{
		{"ids", func() { s.IDs = false }}, {"special", func() { s.Special = false }}, {"think", func() { s.Think = false }},
		{"kv", func() { s.KV = "" }}, {"mode", func() { s.Mode = "" }},
	} {
		if s.given[c.key] == 0 {
			continue
		}
		before := s.Options
		c.reset()
		if after := s.check(); after == nil || after.Error() != err.Error() {
			s.problem(s.given[c.key], "%v", err)
			return true
		}
		s.Options = before
	}
	return false
}

// check returns why the options cannot be those of their command.
func (s *Settings) check() error {
	o := s.Options
	if err := o.Complete(nil); err != nil {
		return err
	}
	return s.Options.Allowed(Verb(s.Options))
}

// Command is the command line that does what the file says, with the model that has been chosen.
func (s Settings) Command(model session.Model) []string {
	if s.Args != nil {
		return s.Args
	}
	o := ForModel(s.Options, model.Path)
	return append([]string{Verb(o)}, o.Args()...)
}
