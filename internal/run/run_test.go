package run

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"bootllama/internal/golden"
	"bootllama/models"
	"bootllama/session"
)

const (
	model     = "../../testdata/random.bin"
	modelInt8 = "../../testdata/random-q8.bin"
	tokenizer = "../../testdata/random-tok.bin"
)

// runMain runs Main and returns its status and what it wrote.
func runMain(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = Main(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

func TestRun(t *testing.T) {
	status, text, errs := runMain("", "run", model, "-z", tokenizer, "-t", "0", "-n", "9", "-i", "once and")
	if status != 0 || !strings.HasPrefix(text, "once and") || !strings.HasSuffix(text, "\n") {
		t.Errorf("status %d, text %q", status, text)
	}
	if ok := strings.HasPrefix(errs, "achieved tok/s: ") && strings.Count(errs, "\n") == 1; !ok {
		t.Errorf("stderr %q", errs)
	}
	// Long forms, the model last.
	status, again, _ := runMain("", "run", "--temperature=0", "--steps", "9", "--tokenizer", tokenizer, "--prompt", "once and", model)
	if status != 0 || again != text {
		t.Errorf("status %d, text %q, want %q", status, again, text)
	}
	// One step: no timing line, as in run.c.
	if _, _, errs := runMain("", "run", model, "-z", tokenizer, "-n", "1"); errs != "" {
		t.Errorf("one step: stderr %q", errs)
	}
}

// TestIDs: the goldens' tokens, in one line; every option reaches the model.
func TestIDs(t *testing.T) {
	cases, err := golden.Read[golden.Case]("../../testdata/random.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		args := append(c.In("../..").Args(), "--ids")
		want, line, wantStatus := c.IDs(), "achieved tok/s: ", 0
		if c.Prompt == "a prompt that is longer than the steps" { // run.c cuts it, as package llama does: see its TestGoldens
			want, line, wantStatus = "", "bootllama: the prompt has 31 tokens, 23 too many: the text may have 8 (-n; the model's context holds 64)\n", 1
		}
		if status, got, errs := runMain("", args...); status != wantStatus || got != want || !strings.HasPrefix(errs, line) {
			t.Errorf("%q: status %d, %q, stderr %q, want %q, %q", args, status, got, errs, want, line)
		}
	}
}

// TestPromptFits: a prompt of as many tokens as the text may have is written whole; with one token less to write it is
// refused, before anything is written, by -n as by the model's context.
func TestPromptFits(t *testing.T) {
	ids := func(prompt string, more ...string) (status, tokens int, errs string) {
		status, out, errs := runMain("", append([]string{"run", model, "-z", tokenizer, "-t", "0", "-i", prompt, "--ids"}, more...)...)
		if out == "" {
			return status, 0, errs
		}
		return status, len(strings.Fields(out)), errs
	}
	fits, over := strings.Repeat("x", 63), strings.Repeat("x", 64) // and a space before them; the context holds 64
	for _, c := range []struct {
		prompt string
		more   []string
		tokens int
		want   string
	}{
		{"xyz", []string{"-n", "4"}, 4, ""},
		{"xyz", []string{"-n", "6"}, 6, "achieved"},
		{"xyz", []string{"-n", "3"}, 0, "the prompt has 4 tokens, 1 too many: the text may have 3 (-n; the model's context holds 64)"},
		{fits, []string{"-n", "0"}, 64, ""},
		{fits, nil, 64, ""},
		{over, []string{"-n", "0"}, 0, "the prompt has 65 tokens, 1 too many: the text may have 64 (-n; the model's context holds 64)"},
		{over, nil, 0, "65 tokens, 1 too many: the text may have 64"},
		{over, []string{"-n", "1000"}, 0, "65 tokens, 1 too many: the text may have 64"},
	} {
		status, tokens, errs := ids(c.prompt, c.more...)
		if tokens != c.tokens || (status == 0) != (tokens > 0) || status > 1 || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%d bytes, %q: status %d, %d tokens, %q; want %d, %q", len(c.prompt), c.more, status, tokens, errs, c.tokens, c.want)
		}
	}
	if status, out, errs := runMain("", "run", model, "-z", tokenizer, "-n", "3", "-i", "xyz"); status != 1 || out != "" || !strings.Contains(errs, "1 too many") {
		t.Errorf("as text: status %d, %q, %q", status, out, errs)
	}
}

// TestExtremes: a number in an option's range gives the mathematically right choice: the least temperatures and top-p the
// likeliest token, the highest temperature any.
func TestExtremes(t *testing.T) {
	text := func(more ...string) string {
		t.Helper()
		status, out, errs := runMain("", append([]string{"run", model, "-z", tokenizer, "-s", "7", "-n", "30", "--ids"}, more...)...)
		if status != 0 {
			t.Errorf("%q: status %d, %q", more, status, errs)
		}
		return out
	}
	greedy := text("-t", "0")
	for _, more := range [][]string{
		{"-t", "-0"}, {"-t", "1e-30"}, {"-t", "1e-38", "-p", "1"}, {"-t", "1e-38", "-p", "0.9"}, {"-t", "1e-45", "-p", "0"}, {"-t", "0x1p-149"},
		{"-t", "1e-300"}, {"-t", "1e-400"}, {"-p", "1e-45"}, {"-p", "1e-300"}, {"-p", "0x1p-1000"}, {"-t", "1e-38", "-p", "1e-45"}, {"-t", "3", "-p", "1e-10"},
	} {
		if got := text(more...); got != greedy {
			t.Errorf("%q: %s not the likeliest tokens, %s", more, got, greedy)
		}
	}
	all := text("-p", "1")
	for _, p := range []string{"0", "0.99999999", "0.999999999999999999999"} {
		if got := text("-p", p); got != all {
			t.Errorf("-p %s: %s, want %s", p, got, all)
		}
	}
	flat := text("-t", "1e38", "-p", "1")
	seen := map[string]bool{}
	for _, id := range strings.Fields(flat) {
		seen[id] = true
	}
	if got := text("-t", "1.7e308", "-p", "1"); got != flat || len(seen) < 20 {
		t.Errorf("-t 1.7e308: %s, -t 1e38: %s", got, flat)
	}
}

// TestRanges: outside an option's range, the option and the range are named.
func TestRanges(t *testing.T) {
	for _, c := range []struct{ option, values, want string }{
		{"-t", "-1|-1e-60|inf|+Inf|-inf|infinity|nan|1e400|1e309||abc| 1|1 |1,5|0x", "not a number from 0 to 1.7976931348623157e+308"},
		{"-p", "2|-0.1|-1e-300|1.00000001|1.0000000000000002|inf|nan|1e400|| 1", "not a number from 0 to 1"},
		{"-n", "-5|-1|1.5|1e3|2147483648|99999999999999999999|| 5|0x10|inf", "not a whole number from 0 to 2147483647"},
		{"-s", "18446744073709551616|-9223372036854775809|1e3|1.5||nan| 1", "not a whole number from -9223372036854775808 to 18446744073709551615"},
		{"--top-k", "-1|1.5||many", "not a whole number from 0 to 2147483647"},
		{"--min-p", "-0.1|1.1|nan|", "not a number from 0 to 1"},
		{"--repeat-penalty", "0|-1|101|nan|inf|", "not a number from 0.01 to 100"},
		{"--lookup", "16|-1|x", "not a whole number from 0 to 15"},
		{"--repeat-last-n", "-2|1.5||many", "not a whole number from -1 to 2147483647"},
		{"--threads", "-1|1025|1.5||many", "not a whole number from 0 to 1024"},
	} {
		for value := range strings.SplitSeq(c.values, "|") {
			status, out, errs := runMain("", "run", model, "-z", tokenizer, c.option, value)
			if status != 2 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) || !strings.Contains(errs, strings.TrimPrefix(c.option, "-")) {
				t.Errorf("%s %q: status %d, stdout %q, stderr %q; want %q", c.option, value, status, out, errs, c.want)
			}
		}
	}
}

// TestSeed: a seed repeats a text, 0 does not.
func TestSeed(t *testing.T) {
	text := func(seed string) string {
		_, out, _ := runMain("", "run", model, "-z", tokenizer, "-s", seed, "-n", "40", "--ids")
		return out
	}
	if a, b := text("5"), text("5"); a != b {
		t.Errorf("seed 5: %q, then %q", a, b)
	}
	if a, b := text("0"), text("0"); a == b {
		t.Errorf("seed 0, twice: %q", a)
	}
}

func TestConsole(t *testing.T) {
	status, out, errs := runMain("once\n/quit\n", "console", model, "-z", tokenizer, "-n", "6", "-t", "0")
	if status != 0 || strings.Count(out, "> ") != 2 || !strings.Contains(out, "> once") || errs != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// TestChat: package chat compares conversations with run.c's; here is where the
// prompts come from, and that nothing else is written.
func TestChat(t *testing.T) {
	const system, user, assistant = "Enter system prompt (optional): ", "User: ", "Assistant: "
	chat := []string{"run", model, "-z", tokenizer, "-n", "50", "-t", "0", "--mode", "chat"}
	for _, c := range []struct {
		name, stdin string
		more        []string
		want        string // what it begins with
	}{
		{"both asked", "be kind\nonce\n", nil, system + user + assistant},
		{"user given", "be kind\n", []string{"-i", "once"}, system + assistant},
		{"system given", "once\n", []string{"--system", ""}, user + assistant},
		{"both given", "", []string{"-y", "", "-i", ""}, assistant},
		{"end of input", "be kind\n", nil, system + user + "\n"},
		{"nothing", "", nil, system + "\n"},
	} {
		status, out, errs := runMain(c.stdin, append(chat, c.more...)...)
		if status != 0 || !strings.HasPrefix(out, c.want) || !strings.HasSuffix(out, "\n") || errs != "" {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %q", c.name, status, out, errs, c.want)
		}
	}
}

// TestHelp: -h names the command that it was asked of, and has its options and no others.
func TestHelp(t *testing.T) {
	ofText := []string{"-i, --prompt", "--ids", "-m, --mode"}
	for _, args := range [][]string{{"run", "-h"}, {"console", "--help"}, {"run", model, "-n", "3", "-h"}, {"bench", "-h"}} {
		status, out, errs := runMain("", args...)
		if status != 0 || errs != "" || !strings.HasPrefix(out, "Usage: "+args[0]+" [MODEL]") || strings.Count(out, "Usage") != 1 {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, out, errs)
		}
		for _, option := range ofText {
			if strings.Contains(out, option) != (args[0] == "run") {
				t.Errorf("%q: %s in %q", args, option, out)
			}
		}
		for line := range strings.Lines(out) {
			if len(line) > 81 {
				t.Errorf("wider than a terminal: %q", line)
			}
		}
	}
	// Every option is there, short and long.
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	new(Options).Register(fs)
	fs.VisitAll(func(f *flag.Flag) {
		if dash := "-" + strings.Repeat("-", min(len(f.Name)-1, 1)); !strings.Contains(Help("run"), dash+f.Name) {
			t.Errorf("the help lacks %s%s", dash, f.Name)
		}
	})
}

// TestErrors: the status, one line on stderr, nothing on stdout.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no command", nil, 2, "no command"},
		{"unknown command", []string{"walk"}, 2, `unknown command "walk"`},
		{"empty model", []string{"run", "-t", "0", ""}, 2, "MODEL is empty"},
		{"two models", []string{"run", "a", "-t", "0", "b"}, 2, "one MODEL, not 2"},
		{"unknown option", []string{"run", "a", "-q"}, 2, "-q"},
		{"no value", []string{"run", "a", "-t"}, 2, "-t"},
		{"temperature", []string{"run", "a", "-t", "warm"}, 2, `"warm" for flag -t: not a number`},
		{"topp", []string{"run", "a", "--topp", "x"}, 2, `"x" for flag --topp: not a number`},
		{"seed", []string{"run", "a", "-s", "1.5"}, 2, `"1.5" for flag -s: not a whole number`},
		{"seed huge", []string{"run", "a", "-s", "18446744073709551616"}, 2, "flag -s: not a whole number"},
		{"steps", []string{"run", "a", "-n", "1.5"}, 2, `"1.5" for flag -n: not a whole number`},
		{"steps huge", []string{"run", "a", "-n", "99999999999"}, 2, "flag -n: not a whole number"},
		{"chat with ids", []string{"run", "a", "-m", "chat", "--ids"}, 2, "--ids is for mode generate"},
		{"chat on the console", []string{"console", "a", "-m", "chat"}, 2, "console has no mode chat"},
		{"unknown mode", []string{"run", "a", "-m", "sing"}, 2, `unknown mode "sing"`},
		{"a prompt for console", []string{"console", "a", "-i", "x"}, 2, "options of run"},
		{"model missing", []string{"run", "missing.bin"}, 1, "model: open missing.bin"},
		{"model empty", []string{"run", file("empty.bin", nil)}, 1, "empty.bin: offset 0"},
		{"model truncated", []string{"run", file("short.bin", good[:9999])}, 1, "short.bin: offset 9999: truncated"},
		{"model too long", []string{"run", file("long.bin", append(good, 0))}, 1, "too long"},
		{"model a directory", []string{"run", dir}, 1, "not a regular file"},
		{"tokenizer missing", []string{"run", model}, 1, "-z names the model's tokenizer"},
		{"tokenizer nonsense", []string{"run", model, "-z", model}, 1, "random.bin: offset 18: the length of token 1 is -19660800"},
		{"tokenizer short", []string{"run", model, "-z", file("tok.bin", good[:100])}, 1, "tok.bin: offset 0: the file has 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, out, errs := runMain("", c.args...)
			if status != c.status || out != "" || strings.Count(errs, "\n") != 1 ||
				!strings.HasPrefix(errs, "bootllama: ") || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d, one line with %q", status, out, errs, c.status, c.want)
			}
		})
	}
}

// failing fails to write.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteFails(t *testing.T) {
	for _, extra := range []string{"--ids=false", "--ids"} {
		var errs strings.Builder
		status := Main(context.Background(), []string{"run", model, "-z", tokenizer, extra}, nil, failing{}, &errs)
		if status != 1 || errs.String() != "bootllama: no space left\n" {
			t.Errorf("%s: status %d, stderr %q", extra, status, errs.String())
		}
	}
}

func TestParse(t *testing.T) {
	std := Options{Model: "m", Temperature: -1, TopP: -1, Steps: -1}
	with := func(f func(*Options)) Options { o := std; f(&o); return o }
	for _, c := range []struct {
		args string
		want Options
	}{
		{"m", std},
		{"-- m", std},
		{"-t 1", with(func(o *Options) { o.Model, o.Temperature = "", 1 })},
		{"-n 256 m", with(func(o *Options) { o.Steps = 256 })},
		{"m --top-k 0 --min-p 0.05 --repeat-penalty 1.1 --repeat-last-n -1 --special", with(func(o *Options) {
			o.TopK, o.MinP, o.RepeatPenalty, o.RepeatLastN, o.Special = new(0), new(0.05), new(1.1), new(-1), true
		})},
		{"m --lookup 0", with(func(o *Options) { o.Lookup = new(0) })},
		{"m --draft d", with(func(o *Options) { o.Draft = "d" })},
		{"m --think -c 7 --kv f32", with(func(o *Options) { o.Think, o.Context, o.KV = true, 7, "f32" })},
		{"m -t 0x1p-1074 -p 1 -n 2147483647", with(func(o *Options) { o.Temperature, o.TopP, o.Steps = 0x1p-1074, 1, 1<<31-1 })},
		{"-s -1 m", with(func(o *Options) { o.Seed = 1<<64 - 1 })},
		{"-s +5 m", with(func(o *Options) { o.Seed = 5 })},
		{"-s 18446744073709551615 m --ids", with(func(o *Options) { o.Seed, o.IDs = 1<<64-1, true })},
		{"m -i -x", with(func(o *Options) { o.Prompt = new("-x") })},
		{"-i -- m -t 0", with(func(o *Options) { o.Prompt, o.Temperature = new("--"), 0 })},
		{"-t 0 -- -m", with(func(o *Options) { o.Model, o.Temperature = "-m", 0 })},
		{"m -m generate -y sys -z t", with(func(o *Options) { o.Mode, o.System, o.Tokenizer = "generate", new("sys"), "t" })},
		{"m -m chat", with(func(o *Options) { o.Mode = "chat" })},
	} {
		if got, err := parse(strings.Fields(c.args)); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.args, got, err, c.want)
		}
	}
	if o, err := parse([]string{"m", "-i", ""}); err != nil || o.Prompt == nil || *o.Prompt != "" {
		t.Errorf("an empty prompt: %+v, %v", o, err)
	}
	if o, err := parse([]string{"m", "-y", ""}); err != nil || o.System == nil || *o.System != "" {
		t.Errorf("an empty system prompt: %+v, %v", o, err)
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestArgs: the parser and the file give back every option.
func TestArgs(t *testing.T) {
	for _, o := range []Options{
		{Model: "STORIES2.BIN", Temperature: 0.1, TopP: 1.0 / 3, Seed: 1<<64 - 1, Steps: 7, Tokenizer: "TOK512.BIN", Mode: "generate"},
		{Model: "-odd-", Temperature: 1e-300, TopP: 0, Tokenizer: "", Mode: "generate", Prompt: new(""), IDs: true, System: new("s")},
		{Model: "m", Tokenizer: "--", Mode: "generate", Prompt: new("# two\nlines, \"quoted\" \x00\xff")},
		{Model: "m", Tokenizer: "t", Mode: "generate", Prompt: new("--")},
		{Model: "m", Tokenizer: "t", Mode: "chat", System: new("")},
		{Model: "m", Tokenizer: "t", Mode: "chat"},
		{Temperature: 1, TopP: 0.9, Steps: 256, Mode: "generate", Prompt: new("")},
		{Tokenizer: "t", Mode: "generate"},
		{Temperature: 1, TopP: 0.9, Steps: -1, Think: true, Context: 7, KV: "f16"},
		{Temperature: -1, TopP: -1, TopK: new(20), MinP: new(1.0 / 3), RepeatPenalty: new(1.1), RepeatLastN: new(-1), Special: true, Steps: -1, Lookup: new(15), Draft: "d e"},
	} {
		args := o.Args()
		if got, err := parse(args); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", args, got, err, o)
		}
	}
}

// TestTokenizerFile: a checkpoint's tokenizer is looked for beside it, under its own name, then as tokenizer.bin, and then
// in the current folder as run.c does.
func TestTokenizerFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	model := filepath.Join("folder", "m.bin")
	own, beside := filepath.Join("folder", "m.tok"), filepath.Join("folder", "tokenizer.bin")
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string, o Options) {
		t.Helper()
		if got := o.TokenizerFile(); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	write(model, models.Checkpoint)
	check("tokenizer.bin", Options{Model: model})
	status, _, stderr := runMain("", "run", model)
	if status != 1 || !strings.Contains(stderr, "tokenizer.bin") || !strings.Contains(stderr, "nor is one beside "+model) {
		t.Errorf("status %d, %q", status, stderr)
	}
	write("tokenizer.bin", "another model's")
	check("tokenizer.bin", Options{Model: model})
	write(beside, models.Tokenizer)
	check(beside, Options{Model: model})
	if status, stdout, stderr := runMain("", "run", model, "-s", "10"); status != 0 || !strings.HasPrefix(stdout, "In a little hut") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	check("tokenizer.bin", Options{Model: "m.bin"})
	check("x", Options{Model: model, Tokenizer: "x"})
	check("", Options{})
	write(own, models.Tokenizer)
	check(own, Options{Model: model})
}

// TestNoBar: what loads in no time shows nothing, on a screen either.
func TestNoBar(t *testing.T) {
	var errs strings.Builder
	args := []string{"run", model, "-z", tokenizer, "-n", "1"}
	for try := 0; try == 0 || errs.Len() > 0 && try < 20; try++ { // one may last, on a busy host
		errs.Reset()
		if status := Main(context.Background(), args, nil, &strings.Builder{}, Screen{Writer: &errs}); status != 0 {
			t.Fatalf("status %d", status)
		}
	}
	if errs.Len() != 0 {
		t.Errorf("on the screen: %q", errs.String())
	}
}

// TestStreams: what stands before a command says what the streams are.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		args         string
		screen, sits bool
		rest         string
	}{
		{"", true, true, ""}, {"run m", true, true, "run m"}, {"--no-bar run", false, true, "run"}, {"--piped --no-bar console", false, false, "console"},
		{"--piped", true, false, ""}, {"run --piped", true, true, "run --piped"},
	} {
		h := Host{Stderr: Screen{Writer: io.Discard}, Terminal: new(session.Terminal)}
		rest := h.Streams(strings.Fields(c.args))
		if _, screen := h.Stderr.(Screen); screen != c.screen || (h.Terminal != nil) != c.sits || strings.Join(rest, " ") != c.rest {
			t.Errorf("%s: %v, %v, %q", c.args, screen, h.Terminal, rest)
		}
	}
}
