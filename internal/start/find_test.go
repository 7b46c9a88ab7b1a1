package start

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/arena"
	"bootllama/internal/gengguf"
	"bootllama/internal/randommodel"
	"bootllama/internal/run"
	"bootllama/models"
	"bootllama/session"
)

// volume is a folder with files, by their paths. A value is the contents, an error of writing one, or a function that writes it.
func volume(t *testing.T, files map[string]any) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		switch content := content.(type) {
		case string:
			if err == nil {
				err = os.WriteFile(path, []byte(content), 0o600)
			}
		case func(string) error:
			if err == nil {
				err = content(path)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func gguf(shape string) func(string) error {
	f := gengguf.New(shape, "Q8_0")
	f.Tokenizer = gengguf.Qwen3()
	f.Tokenizer.Pad(f.Vocab)
	return f.Create
}

// TestFind: what is a model, and what is not.
func TestFind(t *testing.T) {
	good, tokens := models.Checkpoint, models.Tokenizer
	root := volume(t, map[string]any{
		"Zeta.gguf": gguf("tiny-qwen3"), "alone.bin": good, "tokenizer.bin": tokens, "own.bin": good, "own.tok": tokens,
		"models/nest.gguf": gguf("tiny-qwen3"), "models/no-tokens.bin": good, "models/deeper/x.gguf": gguf("tiny-qwen3"),
		"models/wrong.bin": good, "models/wrong.tok": string(randommodel.Tokenizer(300)),
		"._alone.bin": good, ".hidden/a.bin": good, "EFI/BOOT/a.bin": good, "System Volume Information/a.bin": good,
		"cut.bin": good[:len(good)-9], "cut.gguf": "GGUF", "text.gguf": "not a model at all, but a text of some length", "random.bin": strings.Repeat("\x5a", 500),
		"empty.bin": "", "notes.txt": good, "ak.bin": "24ka\x07\x00\x00\x00" + strings.Repeat("\x01", 300), "TINY.GGU": gguf("tiny-qwen3"),
		"part-00002-of-00003.gguf": "GGUF", "part-00003-of-00003.gguf": "GGUF",
		"separate.bin": randommodel.Shape{Dim: 64, HiddenDim: 64, NLayers: 1, NHeads: 4, NKVHeads: 4, VocabSize: 300, SeqLen: 8, Separate: true}.Create,
		"separate.tok": string(randommodel.Tokenizer(300)),
		"huge.gguf": func(name string) error {
			f := gengguf.New("llama31-8b", "Q4_K_M")
			f.Tokenizer, f.Sparse = gengguf.Qwen3(), true
			f.Tokenizer.Pad(f.Vocab)
			return f.Create(name)
		},
	})
	f := gengguf.New("tiny-qwen3", "Q8_0")
	f.Tokenizer = gengguf.Qwen3()
	f.Tokenizer.Pad(f.Vocab)
	if _, err := f.CreateSplit(filepath.Join(root, "split"), 3); err != nil {
		t.Fatal(err)
	}
	found, notes := Find(root, run.Options{Temperature: -1, TopP: -1, Steps: -1}, nil)
	var got []string
	for _, m := range found {
		state := m.Reason
		if state == "" {
			state = "ok"
		}
		if m.Path != root+"/"+m.Name {
			t.Errorf("%s is named %s", m.Path, m.Name)
		}
		if (m.Need > 0) != (m.Kind != "") || m.Size <= 0 && m.Reason == "" {
			t.Errorf("%+v", m)
		}
		got = append(got, fmt.Sprintf("%s: %s: %s", m.Name, m.Kind, state))
	}
	tales := "llama2.c 1.1M int8"
	for _, m := range found {
		if m.Name == "alone.bin" {
			tales = m.Kind
		}
	}
	want := []string{"ak.bin: : offset 4: version is 7", "alone.bin: " + tales + ": ok", "cut.bin: : ", "cut.gguf: : ", "huge.gguf: llama 8.0B Q4_K: ", "own.bin: " + tales + ": ok",
		"part-00002-of-00003.gguf: : file 2 of 3 of a model: the first, part-00001-of-00003.gguf, is missing", "separate.bin: llama2.c 67K F32: ok", "split-00001-of-00003.gguf: qwen3 ", "text.gguf: : ",
		"TINY.GGU: qwen3 ", "Zeta.gguf: qwen3 ", "models/nest.gguf: qwen3 ", "models/no-tokens.bin: " + tales + ": ", "models/wrong.bin: " + tales + ": "}
	if len(got) != len(want) || !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i, g := range got {
		ok := strings.HasSuffix(g, ": ok")
		if bad := slices.ContainsFunc([]string{"ak.", "cut", "part", "text", "models/no-", "models/wrong"}, func(s string) bool { return strings.HasPrefix(g, s) }); bad == ok && !strings.HasPrefix(g, "huge") {
			t.Errorf("%s", g)
		}
		if strings.Contains(found[i].Reason, root) && !strings.Contains(found[i].Reason, "nor is one beside") {
			t.Errorf("the reason has the path: %s", found[i].Reason)
		}
	}
	if notes != nil {
		t.Errorf("notes %q", notes)
	}
	limit := arena.Limit()
	for _, m := range found {
		if m.Name == "huge.gguf" && (m.Reason == "") != (m.Need <= limit) {
			t.Errorf("%d bytes are needed, there are %d: %q", m.Need, limit, m.Reason)
		}
	}
}

// TestFindBounds: a folder with very many files and folders is not read for ever.
func TestFindBounds(t *testing.T) {
	files := map[string]any{}
	for i := range maxEntries + 3 {
		files[fmt.Sprintf("file%05d.txt", i)] = ""
	}
	for i := range maxFolders + 5 {
		files[fmt.Sprintf("a/%03d.bin", i)] = models.Checkpoint[:100]
	}
	root := volume(t, files)
	if _, notes := Find(root, run.Options{}, nil); len(notes) != 1 || !strings.Contains(notes[0], "only 4096 of its files") {
		t.Errorf("%q", notes)
	}
	if _, notes := Find(filepath.Join(root, "absent"), run.Options{}, nil); notes != nil {
		t.Errorf("%q", notes)
	}
	many := map[string]any{}
	for i := range maxFolders + 5 {
		many[fmt.Sprintf("d%03d/tokenizer.bin", i)] = models.Tokenizer
	}
	if _, notes := Find(volume(t, many), run.Options{}, nil); len(notes) != 1 || !strings.Contains(notes[0], "folders were looked at") {
		t.Errorf("%q", notes)
	}
}

// TestForModel: the tokenizer of the settings is for the models that have none.
func TestForModel(t *testing.T) {
	root := volume(t, map[string]any{"a.bin": models.Checkpoint, "b.bin": models.Checkpoint, "b.tok": models.Tokenizer, "t": models.Tokenizer, "c.gguf": gguf("tiny-qwen3")})
	for name, want := range map[string]string{"a.bin": root + "/t", "b.bin": "", "c.gguf": ""} {
		if o := ForModel(run.Options{Tokenizer: root + "/t"}, root+"/"+name); o.Tokenizer != want || o.Model != root+"/"+name {
			t.Errorf("%s: %q, %q", name, o.Model, o.Tokenizer)
		}
	}
	if o := ForModel(run.Options{Tokenizer: "t"}, ""); o.Tokenizer != "" || o.Model != "" {
		t.Errorf("built in: %+v", o)
	}
}

func TestBuiltIn(t *testing.T) {
	if m := BuiltIn(); m.Reason != "" || m.Need < m.Size || m.Path != "" {
		t.Errorf("%+v", m)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{12: "12", 260_032: "260K", 15_191_712: "15M", 1_235_814_400: "1.2B", 8_030_261_312: "8.0B", 999_999_999: "1.0B", 134_515_008: "135M"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	_ = session.Model{}
}
