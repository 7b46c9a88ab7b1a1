package chat_test

import (
	"context"
	"strings"
	"testing"

	"bootllama/internal/golden"
	"bootllama/internal/run"
)

// tooLong are the goldens in which the positions end within the user's turn: run.c says nothing.
var tooLong = map[string]string{
	"the steps end in the prompt": "what you said has 21 tokens with its template, 16 too many: 5 of the chat's 5 are left (-n; the model's context holds 64)",
	"one step":                    "what you said has 17 tokens with its template, 16 too many: 1 of the chat's 1 are left (-n; the model's context holds 64)",
	"several turns":               "what you said has 18 tokens with its template, 10 too many: 8 of the chat's 64 are left (-n; the model's context holds 64)",
	"half a character after EOS":  "what you said has 18 tokens with its template, 17 too many: 1 of the chat's 64 are left (-n; the model's context holds 64)",
	"a tale, several turns":       "what you said has 18 tokens with its template, 6 too many: 12 of the chat's 256 are left (-n; the model's context holds 256)",
}

// TestGoldens: the same arguments and lines give the same bytes as in run.c and runq.c. Where
// run.c's conversation ends as the user's turn does not fit, here an error says so, too.
func TestGoldens(t *testing.T) {
	goldens, err := golden.Read[golden.Conversation]("testdata/chat.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		t.Run(g.Name, func(t *testing.T) {
			args := g.Command("..")
			if golden.Absent(args[1]) {
				t.Skipf("SKIPPED, no conversation with a published model was compared with llama2.c's: no %s (see testdata/README.md)", args[1])
			}
			var stdout, stderr strings.Builder
			status := run.Main(context.Background(), args, strings.NewReader(g.Stdin), &stdout, &stderr)
			wantStatus, line := 0, ""
			if tooLong[g.Name] != "" {
				wantStatus, line = 1, "bootllama: "+tooLong[g.Name]+"\n"
			}
			if status != wantStatus || stdout.String() != string(g.Stdout) || stderr.String() != line {
				t.Errorf("%q, lines %q: status %d, stderr %q\n got %q\nwant %q", args, g.Stdin, status, stderr.String(), stdout.String(), g.Stdout)
			}
		})
	}
}
