package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootllama/internal/run"
)

// golden is a conversation with run.c: see testdata/README.md.
type golden struct {
	Name   string
	Args   []string // the model and the tokenizer without a directory
	Stdin  string
	Stdout string // a character for each byte
}

// TestGoldens: the same arguments and lines give the same bytes as in run.c.
func TestGoldens(t *testing.T) {
	data, err := os.ReadFile("testdata/chat.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []golden
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		t.Run(g.Name, func(t *testing.T) {
			dir := "../../shared/models"
			if strings.HasPrefix(g.Args[0], "random") {
				dir = "../testdata"
			}
			args := []string{"run"}
			for _, arg := range g.Args {
				if strings.HasSuffix(arg, ".bin") {
					arg = filepath.Join(dir, arg)
				}
				args = append(args, arg)
			}
			if _, err := os.Stat(args[1]); errors.Is(err, fs.ErrNotExist) {
				t.Skipf("no %s", args[1])
			}
			want := make([]byte, 0, len(g.Stdout))
			for _, r := range g.Stdout {
				want = append(want, byte(r))
			}
			var stdout, stderr strings.Builder
			status := run.Main(context.Background(), args, strings.NewReader(g.Stdin), &stdout, &stderr)
			if status != 0 || stdout.String() != string(want) || stderr.Len() != 0 {
				t.Errorf("%q, lines %q: status %d, stderr %q\n got %q\nwant %q", args, g.Stdin, status, stderr.String(), stdout.String(), want)
			}
		})
	}
}
