package start

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bootllama/internal/run"
	"bootllama/models"
	"bootllama/session"
)

var layouts = []string{"de", "fr", "us"}

// read reads a LLAMA.TXT.
func read(t *testing.T, text string) Settings {
	t.Helper()
	return ReadSettings(volume(t, map[string]any{"LLAMA.TXT": text}), layouts)
}

// TestSettings: what a file says, and what it is blamed for.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ file, command, problems string }{
		{"", "console -s 0", ""},
		{"# nothing", "console -s 0", ""},
		{"temperature = 0.5\ntop-p = 0.8\nlength = 7\nseed=3", "console -t 0.5 -p 0.8 -s 3 -n 7", ""},
		{"prompt = Once upon\nthink = no", "run -s 0 -i Once upon", ""},
		{"mode = chat\nsystem = \"\"", "run -s 0 -m chat -y ", ""},
		{"temperature = -1\nseed = 4", "console -s 4", "LLAMA.TXT:1: temperature = -1: not a number from 0 to 1.7976931348623157e+308"},
		{"threads = 5000", "console -s 0", "LLAMA.TXT:1: threads = 5000: not a whole number from 0 to 1024"},
		{"end = of\nkeyboard = dvorak\nfont-size = 2", "console -s 0",
			"LLAMA.TXT:1: end = of: there are wait, off, reboot, firmware|LLAMA.TXT:2: keyboard = dvorak: there are de, fr, us|LLAMA.TXT:3: font-size = 2: not a whole number from 8 to 200"},
		{"menu = never\nkeybord = de", "console -s 0", "LLAMA.TXT:1: menu = never: not a whole number from 0 to 3600|LLAMA.TXT:2: there is no setting \"keybord\": did you mean keyboard?"},
		{"mode = tell\nkv = f64\nseed = 2", "console -s 2", "LLAMA.TXT:1: unknown mode \"tell\": generate or chat|LLAMA.TXT:2: --kv \"f64\": f16 or f32"},
		{"mode = chat\nids = yes", "run -s 0 -m chat", "LLAMA.TXT:2: --ids is for mode generate: a chat is text"},
		{"special = yes", "console -s 0", "LLAMA.TXT:1: console takes no prompt, no --ids and no --special: they are options of run"},
		{"prompt = x\nthink = yes", "run -s 0 -i x", "LLAMA.TXT:2: --think is for conversations (-m chat)"},
		{"run\nM.BIN\n-t\n0.5", "run M.BIN -t 0.5", ""},
		{"-t 0.5 -i \"a b\"", "run -t 0.5 -i a b", ""},
		{"-t 0.5", "console -t 0.5", ""},
		{"--no-bar\nrun\n-h", "--no-bar run -h", ""},
		{"bench\n--rounds\n1", "bench --rounds 1", ""},
		{"run\n-t\nhot", "console -s 0", "LLAMA.TXT: invalid value \"hot\" for flag -t: not a number from 0 to 1.7976931348623157e+308"},
		{"console\n-i\nx", "console -s 0", "LLAMA.TXT: console takes no prompt, no --ids and no --special: they are options of run"},
		{"run\n\"open", "run", "LLAMA.TXT:2: not a complete quoted string: \"open"},
	} {
		s := read(t, c.file)
		if got := strings.Join(s.Command(session.Model{}), " "); got != c.command {
			t.Errorf("%q: %s, want %s", c.file, got, c.command)
		}
		if got := strings.Join(s.Problems, "|"); got != c.problems {
			t.Errorf("%q: problems\n%s\nwant\n%s", c.file, got, c.problems)
		}
	}
	s := read(t, "end = OFF\nkeyboard = DE\nfont-size = 24\nfont = fonts\\a.ttf\ntext = yes\nmenu = 5 s\nmodel = a\\b.gguf # mine")
	if s.End != "off" || s.Keyboard != "de" || s.FontSize != 24 || s.Font != `fonts\a.ttf` || !s.Text || s.Menu != 5*time.Second || s.Model != `a\b.gguf` || s.Problems != nil {
		t.Errorf("%+v", s)
	}
	if s = read(t, "timeout = 0"); s.Menu != 0 || s.End != "wait" {
		t.Errorf("%+v", s)
	}
}

// TestFiles: where the file is looked for.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		files    map[string]any
		seed     uint64
		problems string
	}{
		{map[string]any{}, 0, ""},
		{map[string]any{"LLAMA.TXT.TXT": "seed = 2"}, 2, ""},
		{map[string]any{"EFI/BOOT/LLAMA.TXT": "seed = 3"}, 3, ""},
		{map[string]any{"EFI/BOOT/LLAMA.TXT.TXT": "sed = 3"}, 0, "EFI/BOOT/LLAMA.TXT.TXT:1: there is no setting \"sed\": did you mean seed?"},
		{map[string]any{"LLAMA.TXT": "seed = 1", "EFI/BOOT/LLAMA.TXT": "seed = 3"}, 1, "EFI/BOOT/LLAMA.TXT is not read, since there is LLAMA.TXT"},
		{map[string]any{"LLAMA.TXT/x": ""}, 0, "LLAMA.TXT: it cannot be read: "},
	} {
		s := ReadSettings(volume(t, c.files), layouts)
		if got := strings.Join(s.Problems, "|"); s.Seed != c.seed || got != c.problems && (c.problems == "" || !strings.HasPrefix(got, c.problems)) {
			t.Errorf("%v: seed %d, %s", c.files, s.Seed, got)
		}
	}
}

// terminal is a terminal at which keys are pressed.
func terminal(s *screen, keys string) *session.Terminal {
	r, w := io.Pipe()
	go io.WriteString(w, keys)
	return &session.Terminal{Keys: session.NewKeyboard(r), Out: s, Raw: func() (func(), error) { return func() {}, nil }, Size: s.Size}
}

// TestChoose: with which model a session begins.
func TestChoose(t *testing.T) {
	good := map[string]any{"a.bin": models.Checkpoint, "models/b.bin": models.Checkpoint, "models/tokenizer.bin": models.Tokenizer, "tokenizer.bin": models.Tokenizer}
	with := func(name string, content any) map[string]any {
		all := map[string]any{name: content}
		for n, c := range good {
			all[n] = c
		}
		return all
	}
	only := map[string]any{"a.bin": models.Checkpoint, "a.tok": models.Tokenizer}
	for _, c := range []struct {
		files          map[string]any
		model          string
		keys           string // "": there is no terminal
		want, problems string
	}{
		{map[string]any{}, "", "", "", ""},
		{only, "", "", "a.bin", ""},
		{only, "", "x", "a.bin", ""}, // no menu for one
		{only, "a.bin", "", "a.bin", ""},
		{only, "Built-In", "", "", ""},
		{only, "b.bin", "", "a.bin", "LLAMA.TXT:1: model = b.bin: there is no such file: did you mean a.bin?"},
		{map[string]any{}, "b.bin", "", "", "LLAMA.TXT:1: model = b.bin: there is no such file: there is no model on this volume"},
		{map[string]any{"a.bin": models.Checkpoint[:5000]}, "a.bin", "", "", "LLAMA.TXT:1: model = a.bin: offset 5000: truncated"},
		{map[string]any{"a.bin": models.Checkpoint}, "", "", "", "a.bin: tokenizer: "},
		{good, "", "", "a.bin", ""},
		{good, `models\b.bin`, "", "models/b.bin", ""},
		{good, "B.BIN", "", "models/b.bin", ""},
		{good, "", "\r", "a.bin", ""},
		{good, "", "2\r", "models/b.bin", ""},
		{good, "", "\x1b[B\r", "models/b.bin", ""},
		{good, "", "3\r", "", ""},
		{good, "", "q", "left", ""},
		{with("0.bin", models.Checkpoint[:5000]), "", "\r", "a.bin", ""},
		{with("0.bin", models.Checkpoint[:5000]), "", "", "a.bin", ""},
		{with("x.bin", models.Checkpoint[:5000]), "x.bin", "2\r3\r", "models/b.bin", "LLAMA.TXT:1: model = x.bin: "},
	} {
		root := volume(t, c.files)
		s := Settings{Menu: 0, file: "LLAMA.TXT", given: map[string]int{"model": 1}}
		s.keys(nil)
		s.Menu, s.Options.Model = 0, c.model
		var on *session.Terminal
		if c.keys != "" {
			var scr screen
			scr.Resize(80, 25)
			on = terminal(&scr, c.keys)
		}
		m, err := s.Choose(t.Context(), root, on)
		got := strings.TrimPrefix(m.Path, root+"/")
		if errors.Is(err, ErrLeft) {
			got = "left"
		} else if err != nil {
			t.Errorf("%q: %v", c.model, err)
		}
		if problems := strings.Join(s.Problems, "|"); got != c.want || !strings.HasPrefix(problems, c.problems) || c.problems == "" && problems != "" {
			t.Errorf("%d files, model %q, keys %q: %q, want %q; problems %q, want %q", len(c.files), c.model, c.keys, got, c.want, problems, c.problems)
		}
		if strings.Contains(strings.Join(s.Problems, " "), root) {
			t.Errorf("%q has the path", s.Problems)
		}
	}
}

// TestCountdown: the first model that fits starts by itself.
// TestDraft: a draft is used with the models for which it can guess, whichever is chosen; why it is not with another is told.
func TestDraft(t *testing.T) {
	files := map[string]any{"a.bin": models.Checkpoint, "a.tok": models.Tokenizer, "models/d.bin": models.Checkpoint, "models/d.tok": models.Tokenizer, "q.gguf": gguf("tiny-qwen2")}
	for _, c := range []struct{ model, draft, want, problems string }{
		{"a.bin", `models\d.bin`, "models/d.bin", ""},
		{"q.gguf", "models/d.bin", "", "LLAMA.TXT:2: draft = models/d.bin: draft model: models/d.bin cannot guess for q.gguf: it has 1024 tokens in place of "},
		{"a.bin", "none.bin", "", "LLAMA.TXT:2: draft = none.bin: draft model: "},
		{"built-in", "models/d.bin", "models/d.bin", ""},
	} {
		root := volume(t, files)
		s := Settings{file: "LLAMA.TXT", given: map[string]int{"model": 1, "draft": 2}}
		s.keys(nil)
		s.Options.Model, s.Options.Draft = c.model, c.draft
		m, err := s.Choose(t.Context(), root, nil)
		if err != nil {
			t.Fatal(err)
		}
		args := strings.ReplaceAll(strings.Join(s.Command(m), " "), root+"/", "")
		if has := strings.Contains(args, " --draft "+c.want); has != (c.want != "") || !has && strings.Contains(args, "--draft") {
			t.Errorf("%s, draft %s: %s", c.model, c.draft, args)
		}
		problems := strings.Join(s.Problems, "|")
		if !strings.HasPrefix(problems, c.problems) || c.problems == "" && problems != "" || c.problems != "" && !strings.HasSuffix(problems, "; nothing is guessed by it") || strings.Contains(problems, root) {
			t.Errorf("%s, draft %s: %q, want %q", c.model, c.draft, problems, c.problems)
		}
	}
}

func TestCountdown(t *testing.T) {
	root := volume(t, map[string]any{"a.bin": models.Checkpoint, "b.bin": models.Checkpoint, "tokenizer.bin": models.Tokenizer})
	var scr screen
	scr.Resize(80, 25)
	s := Settings{Menu: time.Second}
	if m, err := s.Choose(context.Background(), root, terminal(&scr, "")); err != nil || m.Name != "a.bin" {
		t.Errorf("%v, %v", m, err)
	}
}

// TestWrite: the file that image writes is read without a problem and says what the options say; every key that there is has
// an explanation; with all lines that are comments taken for settings it is read, too.
func TestWrite(t *testing.T) {
	all := run.Options{Temperature: 0.25, TopP: 1.0 / 3, Seed: 1<<64 - 1, Steps: 0, Prompt: new("# two\nlines, \"quoted\" \\ ä = 1"), Mode: "generate",
		System: new(""), Context: 77, KV: "f32", Special: true, IDs: true, Threads: 3, TopK: new(5), RepeatLastN: new(-1), MinP: new(0.1), RepeatPenalty: new(1.5), Lookup: new(7), Draft: "a draft",
		Model: "größe # 1.gguf", Tokenizer: "a b.tok", Plain: true}
	for _, o := range []run.Options{{Temperature: -1, TopP: -1, Steps: -1}, all, {Temperature: 0, TopP: 0, Steps: 9, Model: "m.gguf", Think: true}} {
		var file bytes.Buffer
		if err := Write(&file, o, "Here are:", "  m.gguf"); err != nil {
			t.Fatal(err)
		}
		s := read(t, file.String())
		if s.Problems != nil || !reflect.DeepEqual(s.Options, o) {
			t.Errorf("%s\ngives %+v\nof %+v\n%q", &file, s.Options, o, s.Problems)
		}
		for line := range strings.Lines(file.String()) {
			if n := len([]rune(strings.TrimSpace(line))); n > 120 || !strings.HasSuffix(line, "\r\n") {
				t.Errorf("%d characters: %q", n, line)
			}
		}
	}
	var file bytes.Buffer
	if err := Write(&file, run.Options{Temperature: -1, TopP: -1, Steps: -1}); err != nil {
		t.Fatal(err)
	}
	var s Settings
	var missing []string
	s.keys(layouts).Flags.VisitAll(func(f *flag.Flag) {
		key := f.Name
		if key == "topp" {
			key = "top-p"
		}
		if len(f.Name) > 1 && !strings.Contains(file.String(), "\n#"+key+" =") {
			missing = append(missing, f.Name)
		}
	})
	if missing != nil {
		t.Errorf("the file does not explain %q", missing)
	}
	var set []string
	for line := range strings.Lines(file.String()) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && len(rest) > 1 && rest[0] != ' ' && strings.Contains(rest, " = ") {
			set = append(set, rest)
		}
	}
	if s := read(t, strings.Join(set, "")); len(s.Problems) != 0 || len(set) < 20 {
		t.Errorf("%d defaults: %q", len(set), s.Problems)
	}
	if s := read(t, file.String()); slices.Contains(s.Command(session.Model{}), "-t") {
		t.Error("a comment counts")
	}
}
