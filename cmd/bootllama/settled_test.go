package main

import (
	"strings"
	"testing"
)

func TestSettled(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"a\nb":                       "a\nb",
		"\rloading 1\rloading 2":     "loading 2",
		"\r10%\r20%\r   \rdone\n":    "done\n",
		"a\n\r10%\r20%\r   \rb\nc\n": "a\nb\nc\n",
		"a\r\nb\r\n":                 "a\nb\n",
		"\r10%\r   \r":               "",
	} {
		for size := 1; size <= len(text)+1; size++ {
			var out strings.Builder
			s := &settled{w: &out}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if got, err := s.Write([]byte(rest[:n])); got != n || err != nil {
					t.Fatal(got, err)
				}
				rest = rest[n:]
			}
			if err := s.close(); err != nil || out.String() != want {
				t.Errorf("%q, %d bytes a time: %q, %v; want %q", text, size, out.String(), err, want)
			}
		}
	}
}
