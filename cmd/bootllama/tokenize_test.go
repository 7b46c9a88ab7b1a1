package main

import "testing"

// TestTokenize: ids and pieces of a text, which is an operand or standard input.
func TestTokenize(t *testing.T) {
	const model, tok = "../../models/tales.bin", "../../models/tok1024.bin"
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"tokenize", model, "A fox sang.", "-z", tok}, "1\t\"\\n<s>\\n\"\n337\t\" A\"\n275\t\" f\"\n991\t\"o\"\n1019\t\"x\"\n814\t\" sang\"\n49\t\".\"\n"},
		{"A fox sang.", []string{"tokenize", "--ids", "--tokenizer", tok, model}, "1 337 275 991 1019 814 49\n"},
		{"", []string{"tokenize", model, "", "-z", tok, "--ids"}, "1\n"},
		{"", []string{"tokenize", model, "-z", tok, "--ids", "--", "-x"}, "1 976 48 1019\n"},
	} {
		stdout, stderr, status := invoke(t, c.stdin, c.args...)
		if stdout != c.want || stderr != "" || status != 0 {
			t.Errorf("%q: status %d, stderr %q, stdout %q, want %q", c.args, status, stderr, stdout, c.want)
		}
	}
}
