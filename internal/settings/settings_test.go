package settings

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"bootllama/internal/heap"
)

// keys are some like run's. set gets what was set, in order.
func keys(set *[]string) Keys {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	for _, name := range []string{"t", "temperature", "topp", "prompt", "i", "model", "font-size", "end", "system"} {
		fs.Func(name, "", func(s string) error {
			if (name == "temperature" || name == "topp") && strings.Trim(s, "0123456789.") != "" {
				return errors.New("not a number from 0 to 1")
			}
			*set = append(*set, name+"="+s)
			return nil
		})
	}
	fs.BoolFunc("think", "", func(s string) error { *set = append(*set, "think="+s); return nil })
	return Keys{Flags: fs, Names: []string{"model"}, Other: map[string]string{"heat": "temperature"}, Commands: []string{"run", "console"}}
}

// texts returns problems as one text each.
func texts(problems []Problem) (all []string) {
	for _, p := range problems {
		all = append(all, p.In("F"))
	}
	return all
}

// TestRead: whatever a person writes means what they meant, or is told with its line, and the other lines count.
func TestRead(t *testing.T) {
	for _, c := range []struct{ file, set, problems string }{
		{"", "", ""},
		{"\r\n  \n# only\n#comments = 1", "", ""},
		{"temperature = 0.5", "temperature=0.5", ""},
		{"\ufeffTemperature=0.5\r\n\tTOP_P   =  0.9 \t\r\n", "temperature=0.5|topp=0.9", ""},
		{"font size = 3\rFontSize = 4\rheat = 1", "font-size=3|font-size=4|temperature=1", "F:2: FontSize was set in line 1: this line counts"},
		{"temperature = 0.5  # warm\nprompt = C# is #1\nsystem = \"a # b\" # c\nend = # nothing", "temperature=0.5|prompt=C# is|system=a # b", ""},
		{`prompt = "say \"hi\"\n"` + "\nmodel = \"models\\new.gguf\"\nmodel = a\\b c.gguf", "prompt=say \"hi\"\n|model=models\\new.gguf|model=a\\b c.gguf", "F:3: model was set in line 2: this line counts"},
		{"prompt = “Once upon”\nsystem = 'a b'\nend = 'twas", "prompt=Once upon|system=a b|end='twas", ""},
		{"prompt = \"\"\nsystem =\nend=a=b", "prompt=|end=a=b", ""},
		{"think = Yes\nthink = off\nthink = perhaps", "think=true|think=false", "F:2: think was set in line 1: this line counts|F:3: think: perhaps is neither yes nor no"},
		{"temprature = 1\nend = off", "end=off", `F:1: there is no setting "temprature": did you mean temperature?`},
		{"modle = x\nend = off", "end=off", `F:1: there is no setting "modle": did you mean model?`},
		{"colour = red", "", `F:1: there is no setting "colour": there are end, font-size, heat, model, prompt, system, temperature, think, topp`},
		{"t = 1", "", `F:1: there is no setting "t": there are end, font-size, heat, model, prompt, system, temperature, think, topp`},
		{"= 1", "", `F:1: there is no setting "": there are end, font-size, heat, model, prompt, system, temperature, think, topp`},
		{"\n\ntemperature = hot\nend = off", "end=off", "F:3: temperature = hot: not a number from 0 to 1"},
		{"temperature = 0.5, top-p = 0.9", "", "F:1: temperature = 0.5, top-p = 0.9: not a number from 0 to 1; a line has one setting: top-p needs another line"},
		{"end = off\ntemperature 0.5\ntop-p: 0.5\njust words", "end=off",
			"F:2: a setting is key = value: did you mean temperature = 0.5?|F:3: a setting is key = value: did you mean top-p = 0.5?|" +
				`F:4: "just words" is no setting: a line is key = value, or begins with # if it is none`},
		{`prompt = "open`, "", `F:1: prompt: the quotation marks do not enclose the value: "open`},
		{`prompt = "a" b`, "", `F:1: prompt: the quotation marks do not enclose the value: "a" b`},
		{`prompt = "C:\dir"`, "", `F:1: prompt: a backslash in quotation marks stands before n, t, " or another backslash: "C:\dir"`},
		{"end = off\nprompt = h\xf6flich", "end=off", "F:2: it is not UTF-8: save the file as UTF-8"},
		{"prompt = a\x00b", "", "F:1: it is not UTF-8: save the file as UTF-8"},
		{strings.Repeat("x", 1<<20+1), "", "F: it has more than 1048576 bytes: is it a text?"},
	} {
		var set []string
		f := keys(&set).Read([]byte(c.file))
		if got := strings.Join(set, "|"); got != c.set || f.Args != nil {
			t.Errorf("%.60q: set %q, want %q; %q", c.file, got, c.set, f.Args)
		}
		if got := strings.Join(texts(f.Problems), "|"); got != c.problems {
			t.Errorf("%.60q: problems\n%s\nwant\n%s", c.file, got, c.problems)
		}
	}
}

// encode returns a text as UTF-16.
func encode(text string, big bool) (data []byte) {
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			data = append(data, byte(u>>8), byte(u))
		} else {
			data = append(data, byte(u), byte(u>>8))
		}
	}
	return data
}

// TestEncodings: UTF-16 of either order, with and without a byte order mark.
func TestEncodings(t *testing.T) {
	for _, mark := range []string{"", "\ufeff"} {
		for _, big := range []bool{false, true} {
			var set []string
			f := keys(&set).Read(encode(mark+"end = off\r\nprompt = Zoé 😀\r\n", big))
			if got := strings.Join(set, "|"); got != "end=off|prompt=Zoé 😀" || f.Problems != nil {
				t.Errorf("mark %q, big endian %v: %q, %q", mark, big, got, texts(f.Problems))
			}
		}
	}
}

// TestCommandLine: files of the old form.
func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		file     string
		want     []string
		problems string
	}{
		{"\ufeff# what to do\r\nrun\r\n\r\nSTORIES2.BIN\n-i\n\"two\\nlines \\\"\"\n#x\n\"\"\nZoé said\n -t ", []string{"run", "STORIES2.BIN", "-i", "two\nlines \"", "", "Zoé said", "-t"}, ""},
		{"run m.bin -t 0.5 -i \"Once upon a time\"", []string{"run", "m.bin", "-t", "0.5", "-i", "Once upon a time"}, ""},
		{"console\nmy model.gguf\n-t 0.5 --think\n--think\n-t 0.7\n-i\n- not -an option", []string{"console", "my model.gguf", "-t", "0.5", "--think", "--think", "-t", "0.7", "-i", "- not -an option"}, ""},
		{"-t 0.5", []string{"-t", "0.5"}, ""},
		{"run\n-i\n-t\n-t 5", []string{"run", "-i", "-t", "-t", "5"}, ""},
		{"console", []string{"console"}, ""},
		{"run\n\"open", []string{"run"}, "F:2: not a complete quoted string: \"open"},
		{"run\n\n-i \"a b", []string{"run"}, "F:3: a quotation mark has no other: -i \"a b"},
		{"run\n\xff\nm", []string{"run", "m"}, "F:2: it is not UTF-8: save the file as UTF-8"},
		{string(encode("\ufeffrun\nm.bin", false)), []string{"run", "m.bin"}, ""},
	} {
		var set []string
		f := keys(&set).Read([]byte(c.file))
		if !slices.Equal(f.Args, c.want) || set != nil {
			t.Errorf("%q: %q, want %q; set %q", c.file, f.Args, c.want, set)
		}
		if got := strings.Join(texts(f.Problems), "|"); got != c.problems {
			t.Errorf("%q: problems %s, want %s", c.file, got, c.problems)
		}
	}
}

func TestWriteArgs(t *testing.T) {
	var file bytes.Buffer
	if err := WriteArgs(&file, []string{"run", "M.BIN", "", "#1", "\"", "a b", " a", "a\n", "é", "\u200b", "-t 0"}); err != nil {
		t.Fatal(err)
	}
	if want := "run\nM.BIN\n\"\"\n\"#1\"\n\"\\\"\"\na b\n\" a\"\n\"a\\n\"\né\n\"\\u200b\"\n\"-t 0\"\n"; file.String() != want {
		t.Errorf("%q, want %q", file.String(), want)
	}
	if err := WriteArgs(&file, []string{strings.Repeat("x", 1<<20)}); err == nil {
		t.Error("a file that Read refuses was written")
	}
}

// FuzzArgs: what WriteArgs writes, Read reads.
func FuzzArgs(f *testing.F) {
	f.Add("-t", "a\r", "\ufeff")
	f.Add("", "\"", "\xff")
	f.Add("-t", "--think", "-t 0.5")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		args := []string{"run", a, b, c}
		var file bytes.Buffer
		if err := WriteArgs(&file, args); err != nil {
			return
		}
		var set []string
		if got := keys(&set).Read(file.Bytes()); got.Problems != nil || !slices.Equal(got.Args, args) {
			t.Errorf("%q, %q, want %q", got.Args, texts(got.Problems), args)
		}
	})
}

// tooMany are lines of which a file of another kind may have hundreds of thousands.
var tooMany = []string{"\xff\n", "x\n", "end=\n", "end=1\n", "topp=x\n", "x=1\n", "\"\n", "-\"\n"}

// TestTooMany: a file that is no settings at all is told in a few lines, and takes a moment.
func TestTooMany(t *testing.T) {
	for _, line := range tooMany {
		for _, begin := range []string{"", "run\n", "end = off\n"} {
			var set []string
			var f File
			file := []byte(begin + strings.Repeat(line, MaxSize/len(line)-10))
			heap.Check(t, len(file), 64, func() { f = keys(&set).Read(file) })
			wrong := line != "end=\n" && !(begin == "run\n" && line[0] != '\xff' && line[0] != '"' && line[0] != '-')
			if n := len(f.Problems); wrong && n != maxProblems+1 || !wrong && n != 0 {
				t.Errorf("%q and many %q: %d problems", begin, line, n)
			} else if wrong && !strings.Contains(f.Problems[n-1].Text, "were not read") {
				t.Errorf("%q and many %q: the last problem is %+v", begin, line, f.Problems[n-1])
			}
			if begin == "end = off\n" && !slices.Contains(set, "end=off") {
				t.Errorf("many %q: the line before them does not count: %q", line, set)
			}
		}
	}
}

// FuzzRead: any file is read without a panic, problems name lines that exist, and what Quote writes is read.
func FuzzRead(f *testing.F) {
	f.Add([]byte("temperature = 0.5\nend=off # x"), "a # b")
	f.Add([]byte("\xff\xfee\x00=\x00"), "\"\\\n")
	f.Add([]byte("run\n-t \"0"), "")
	for _, line := range tooMany {
		f.Add([]byte(strings.Repeat(line, 3000)), "")
		f.Add([]byte("run\n"+strings.Repeat(line, 3000)), "")
	}
	f.Fuzz(func(t *testing.T, file []byte, value string) {
		var set []string
		var got File
		heap.Check(t, len(file), 128, func() { got = keys(&set).Read(file) })
		lines := len(file) + 1
		for _, p := range got.Problems {
			if p.Line < 0 || p.Line > lines || p.Text == "" {
				t.Errorf("%q: problem %+v", file, p)
			}
		}
		if got.Args != nil && set != nil {
			t.Errorf("%q: both forms: %q, %q", file, got.Args, set)
		}
		set = nil
		text := fmt.Sprintf("prompt = %s\nend = off", Quote(value))
		if keys(&set).Read([]byte(text)); !slices.Equal(set, []string{"prompt=" + value, "end=off"}) {
			t.Errorf("%q: %q", text, set)
		}
	})
}
