package run

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/gengguf"
)

// TestGGUFOptions: what the options of GGUF models do, on one with random weights.
func TestGGUFOptions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "qwen3.gguf")
	f := gengguf.New("tiny-qwen3", "F32")
	f.Tokenizer = gengguf.Qwen3()
	if err := f.Create(name); err != nil {
		t.Fatal(err)
	}
	ids := func(options ...string) string {
		t.Helper()
		status, out, errs := runMain("", append([]string{"run", name, "-s", "7", "-n", "40", "--ids", "-i", "Hi"}, options...)...)
		if status != 0 {
			t.Fatalf("%q: status %d, %s", options, status, errs)
		}
		return out
	}
	greedy, defaults := ids("-t", "0"), ids()
	for _, c := range []struct {
		options string
		same    string
	}{
		{"--top-k 1", greedy}, {"--min-p 1", greedy}, {"-p 1e-300", greedy},
		{"-t 0 --repeat-penalty 1", greedy}, {"-t 0 --kv f16", greedy}, {"-t 0 --repeat-penalty 3 --repeat-last-n 0", greedy},
		{"-t 0.7 -p 0.8 --top-k 20 --min-p 0 --repeat-penalty 1", defaults},
	} {
		if got := ids(strings.Fields(c.options)...); got != c.same {
			t.Errorf("%s: %s, want %s", c.options, got, c.same)
		}
	}
	free := ids("-t", "1", "-p", "0", "--top-k", "0")
	if got := ids("-t", "1", "-p", "1", "--top-k", "0"); got != free || free == greedy || defaults == greedy {
		t.Errorf("-p 0 is not all tokens: %s, %s", free, got)
	}
	penalty := strings.Fields(ids("-t", "0", "--repeat-penalty", "100", "--repeat-last-n", "-1"))
	if slices.Sort(penalty); len(slices.Compact(penalty)) != 40 {
		t.Errorf("tokens repeat: %s", penalty)
	}

	// <|im_end|> in the prompt ends no text; as text it is more tokens.
	text := ids("-i", "<|im_end|>", "-t", "0", "-n", "10")
	special := ids("-i", "<|im_end|>", "-t", "0", "-n", "10", "--special")
	if !strings.HasPrefix(special, "488 ") || strings.HasPrefix(text, "488 ") || len(strings.Fields(special)) != 10 {
		t.Errorf("%s, and special %s", text, special)
	}
	_, out, _ := runMain("", "run", name, "-i", "<|im_end|>x", "-n", "2", "--special")
	if out != "<|im_end|>x\n" {
		t.Errorf("special tokens are not written: %q", out)
	}
}
