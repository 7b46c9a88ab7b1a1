package chat_test

import (
	"context"
	"strings"
	"testing"

	"bootllama/internal/golden"
	"bootllama/internal/run"
)

// TestGoldens: the same arguments and lines give the same bytes as in run.c and runq.c.
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
			if status != 0 || stdout.String() != string(g.Stdout) || stderr.Len() != 0 {
				t.Errorf("%q, lines %q: status %d, stderr %q\n got %q\nwant %q", args, g.Stdin, status, stderr.String(), stdout.String(), g.Stdout)
			}
		})
	}
}
