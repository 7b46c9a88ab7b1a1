package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	const skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no QEMU here\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"empty"}
`
	const ok = `{"Action":"output","Package":"p","Output":"ok p 1s\n"}
{"Action":"pass","Package":"p"}
`
	const fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"wrong sum\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
`
	const build = `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: no\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
	for _, c := range []struct {
		events, want string
		failed       bool
	}{
		{pass + ok, "ok p 1s\n\n1 passed, 0 failed, 0 skipped\n", false},
		{pass + skip + ok, "ok p 1s\n\nSKIPPED, so not tested here:\n  p TestB b_test.go:7: no QEMU here\n\n1 passed, 0 failed, 1 skipped\n", false},
		{pass + fail, "wrong sum\n\n1 passed, 1 failed, 0 skipped\n", true},
		{pass + build, "p.go:1: no\n\n1 passed, 0 failed, 0 skipped\n", true},
		{"go: bad module\n", "go: bad module\n\n0 passed, 0 failed, 0 skipped\n", true},
		{skip, "\nSKIPPED, so not tested here:\n  p TestB b_test.go:7: no QEMU here\n\n0 passed, 0 failed, 1 skipped\n", true},
	} {
		var out strings.Builder
		failed, err := report(strings.NewReader(c.events), &out)
		if out.String() != c.want || failed != c.failed || err != nil {
			t.Errorf("%s\ngave %q, %v, %v; want %q, %v", c.events, out.String(), failed, err, c.want, c.failed)
		}
	}
}
