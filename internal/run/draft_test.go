package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
	"bootllama/session"
)

// draftFiles are models, some of the same tokens.
func draftFiles(t *testing.T) (model, draft, other string) {
	dir := t.TempDir()
	create := func(name, shape, typ string, tok *gengguf.Tokenizer, seed uint64) string {
		f := gengguf.New(shape, typ)
		f.Tokenizer, f.Seed = tok, seed
		name = filepath.Join(dir, name)
		if err := f.Create(name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	return create("model.gguf", "tiny-qwen3", "Q8_0", gengguf.Qwen3(), 1),
		create("draft.gguf", "tiny-llama3", "Q4_K_M", gengguf.Qwen3(), 2),
		create("other.gguf", "tiny-qwen2", "Q4_0", gengguf.Qwen2(), 1)
}

// TestDraft: whoever guesses, the text is the same, of GGUF models and llama2.c's, in one text and in a chat. With weights that
// are the model's own every guess that is made is right.
func TestDraft(t *testing.T) {
	model, draft, _ := draftFiles(t)
	small := "../../testdata/random-q8.bin -z ../../testdata/random-tok.bin"
	for _, c := range []struct{ args, drafts string }{
		{model + " -i Hello -n 300", draft + "|" + model},
		{model + " -i Hello -n 300 -c 350 --kv f32", draft + "|" + model},
		{model + " -m chat -i Hello -n 40", draft},
		{small, "../../testdata/random.bin|../../testdata/random-q8.bin"},
		{small + " -m chat -i a -y b", "../../testdata/random.bin"},
	} {
		for _, draft := range strings.Split(c.drafts, "|") {
			for _, sampling := range []string{"-t 0", "-t 1 -s 7", "-t 1.3 -p 0.8 -s 8"} {
				run := func(args string) (string, string) {
					var stdout, stderr bytes.Buffer
					if status := Main(context.Background(), strings.Fields("run "+c.args+" "+sampling+args), strings.NewReader("Hi\n"), &stdout, &stderr); status != 0 {
						t.Fatalf("%s%s: status %d, %s", c.args, args, status, &stderr)
					}
					return stdout.String(), stderr.String()
				}
				want, _ := run("")
				got, said := run(" --draft " + draft)
				if got != want || len(want) < 20 {
					t.Errorf("%s %s, draft %s:\n%q\nwithout\n%q", c.args, sampling, draft, got, want)
				}
				if chat := strings.Contains(c.args, "chat"); !chat && !strings.Contains(said, "\ntokens per pass: ") {
					t.Errorf("%s, draft %s: %s", c.args, draft, said)
				}
			}
		}
	}
}

// TestDraftRefused: what cannot guess is refused before anything is loaded.
func TestDraftRefused(t *testing.T) {
	model, draft, other := draftFiles(t)
	damaged := filepath.Join(t.TempDir(), "d.gguf")
	b, err := os.ReadFile(draft)
	if err == nil {
		err = os.WriteFile(damaged, b[:len(b)/2], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ draft, want string }{
		{other, fmt.Sprintf("bootllama: draft model: %s cannot guess for %s: it", other, model)},
		{"../../testdata/random.bin", "bootllama: draft tokenizer: "},
		{filepath.Join(t.TempDir(), "none"), "bootllama: draft model: open "},
		{damaged, "bootllama: draft model: " + damaged + ": offset "},
	} {
		var stdout, stderr bytes.Buffer
		status := Main(context.Background(), []string{"run", model, "--draft", c.draft}, strings.NewReader(""), &stdout, &stderr)
		if got := stderr.String(); status != 1 || stdout.Len() > 0 || !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: status %d, %q, %s", c.draft, status, &stdout, got)
		}
	}
}

// TestDraftMemory: what is needed is foretold with the draft.
func TestDraftMemory(t *testing.T) {
	model, draft, _ := draftFiles(t)
	_, alone, err := Options{Model: model, Temperature: -1}.Need()
	if err != nil {
		t.Fatal(err)
	}
	h, err := Options{Model: draft}.Header()
	if err != nil {
		t.Fatal(err)
	}
	_, both, err := Options{Model: model, Draft: draft}.Need()
	if m := h.Memory(); err != nil || both-alone != m.Weights+m.Cache+m.State {
		t.Errorf("%d bytes with, %d without a draft, which has %+v: %v", both, alone, m, err)
	}
	if _, err := checkMemory(h, "", 1<<60); err == nil || !strings.Contains(err.Error(), ", the draft 1099511627776) and there are") {
		t.Errorf("a draft of 2^60 bytes: %v", err)
	}
}

// TestDraftInSession: /show says who guesses, and another model for which it cannot is used without it, which is told.
func TestDraftInSession(t *testing.T) {
	model, other := assistantModel(t, "tiny-qwen3", "Q8_0", 1), assistantModel(t, "tiny-qwen2", "Q8_0", 1)
	draft := assistantModel(t, "tiny-qwen3", "Q4_0", 1)
	host := Host{Models: func() ([]session.Model, error) { return []session.Model{{Path: other, Name: "other"}}, nil }}
	talk := func(args ...string) ([]string, string) {
		return sit(t, host, []string{"Hello", "/show", "/model other", "/show", "Hello"}, append([]string{"console", model, "-t", "1", "-s", "3", "-n", "30"}, args...)...)
	}
	rows, _ := talk()
	with, said := talk("--draft", draft)
	for _, of := range []func([]string) []string{func(r []string) []string { return answers(r, "Hello") }, func(r []string) []string { return answers(r[slices.Index(r, "> Hello")+1:], "Hello") }} {
		want, got := of(rows), of(with)
		if len(want) < 2 || len(got) != len(want) || !slices.Equal(got[:len(got)-1], want[:len(want)-1]) { // the last one has figures
			t.Errorf("with a draft %q, without %q", got, want)
		}
	}
	if got := strings.Join(answers(with, "/show"), " "); !strings.Contains(got, "guesses         what "+filepath.Base(draft)+" says") {
		t.Errorf("/show: %s", got)
	}
	again := answers(with[slices.Index(with, "> /show")+1:], "/show")
	if got := strings.Join(again, " "); !strings.Contains(got, "guesses         what a text repeats") {
		t.Errorf("the second /show: %s", got)
	}
	if all := strings.Join(with, "") + said; !strings.Contains(all, "draft model: ") || !strings.Contains(all, "cannot guess for") {
		t.Errorf("%q, %s", with, said)
	}
}
