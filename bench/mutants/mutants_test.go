//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// all returns the mutants of a source as kind: before -> after.
func all(t *testing.T, name, src string) (list []string) {
	t.Helper()
	c := changes{src: src, m: mutant{File: name}}
	if strings.HasSuffix(name, ".s") {
		c.assembly()
	} else if err := c.golang(); err != nil {
		t.Fatal(err)
	}
	for _, m := range c.all {
		if !strings.HasPrefix(src[m.at:], m.Before) || m.Line != 1+strings.Count(src[:m.at], "\n") {
			t.Errorf("%v is not at %d", m, m.at)
		}
		list = append(list, fmt.Sprintf("%s: %s -> %s", m.Kind, m.Before, m.After))
	}
	return list
}

func TestGo(t *testing.T) {
	const src = `package p

import "fmt"

func f(a, b int) (n int, err error) {
	if err := g(a, b); err != nil {
		return 0, fmt.Errorf("g")
	}
	for a < 7 && true {
		a++
	}
	n = a - b
	return n, nil
}
`
	want := []string{
		"error: err != nil -> (err != nil) && false",
		"operand: a, b -> b, a",
		"return: 0 -> (0) + 1",
		`error: fmt.Errorf("g") -> nil`,
		"constant: 0 -> 1",
		"condition: a < 7 && true -> !(a < 7 && true)",
		"condition: a < 7 && true -> ((a < 7) || (true))",
		"condition: a < 7 -> ((a) <= (7))",
		"constant: 7 -> 8",
		"constant: 7 -> 6",
		"constant: true -> false",
		"statement: a++ -> ",
		"statement: n = a - b -> ",
		"operand: a - b -> ((a) + (b))",
		"operand: a - b -> ((b) - (a))",
		"return: n -> (n) + 1",
	}
	got := all(t, "p.go", src)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAssembly(t *testing.T) {
	const src = `#define x DI
#define n CX

// VADDPS Y1, Y2, Y3
TEXT ·f(SB), NOSPLIT, $0-8
loop:
	VADDPS 8(x), Y6, Y7 // a comment
	SUBQ   $16, n
	JGT    loop
	RET
`
	want := []string{
		"statement: VADDPS 8(x), Y6, Y7 -> ",
		"operand: 8(x), Y6, Y7 -> Y6, 8(x), Y7",
		"operand: 8(x), Y6, Y7 -> 8(x), Y7, Y6",
		"constant: 8 -> 9",
		"constant: 8 -> 7",
		"register: 6 -> 7",
		"register: 7 -> 6",
		"register: x -> n",
		"statement: SUBQ   $16, n -> ",
		"operand: $16, n -> n, $16",
		"constant: 16 -> 17",
		"constant: 16 -> 15",
		"register: n -> x",
		"statement: JGT    loop -> ",
		"condition: JGT -> JGE",
	}
	if got := all(t, "p.s", src); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestDraw: a seed draws the same mutants, another one others, and all kinds come in turns.
func TestDraw(t *testing.T) {
	var ms []mutant
	for i := range 300 {
		ms = append(ms, mutant{Kind: []kind{constant, constant, constant, statement}[i%4], at: i})
	}
	a, again, b := draw(slices.Clone(ms), 1), draw(slices.Clone(ms), 1), draw(slices.Clone(ms), 2)
	if !slices.Equal(a, again) || slices.Equal(a, b) || len(a) != len(ms) {
		t.Error("the draw does not depend on the seed, or not on it alone")
	}
	for i := range 150 {
		if want := []kind{constant, statement}[i%2]; a[i].Kind != want {
			t.Fatalf("number %d is a %s, want a %s", i, a[i].Kind, want)
		}
	}
}

// TestTry: what a test notices, also in a program that it builds with an environment of its own, as those of machines are; what
// none does, what does not compile, and what never ends, in a copy of a module. The module stays as it is.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module m\ngo 1.26\n",
		"m.go":      "package m\n\nfunc F(n int) int {\n\tsum := 0\n\tfor i := 0; i < n; i++ {\n\t\tsum += 2\n\t}\n\treturn sum\n}\n\nfunc G() int { return 5 }\n\nfunc H() int { return 8 }\n",
		"build/old": "",
		"g/main.go": "package main\n\nimport \"m\"\n\nfunc main() { print(m.G()) }\n",
		"m_test.go": "package m\n\nimport (\n\t\"os\"\n\t\"os/exec\"\n\t\"testing\"\n)\n\nfunc TestG(t *testing.T) {\n\tc := exec.Command(\"go\", \"run\", \"./g\")\n" +
			"\tc.Env = append(os.Environ(), \"GOFLAGS=\")\n\tif out, _ := c.CombinedOutput(); string(out) != \"5\" {\n\t\tt.Fatal(string(out))\n\t}\n}\n\nfunc TestF(t *testing.T) {\n\tif F(3) != 6 {\n\t\tt.Fatal()\n\t}\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copied, err := clone(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(copied, "build")); err == nil || filepath.Dir(copied) != filepath.Dir(dir) {
		t.Errorf("the copy %s has what is built, or is not beside %s", copied, dir)
	}
	src, err := os.ReadFile(filepath.Join(dir, "m.go"))
	if err != nil {
		t.Fatal(err)
	}
	rooms = append(rooms, room{"m", []check{host(".")}})
	defer func() { rooms = rooms[:len(rooms)-1] }()
	for _, c := range []struct {
		before, after string
		want          outcome
		by            string
	}{
		{"sum += 2", "sum += 3", noticed, ". TestF (0.00s)"},
		{"return 5", "return 6", noticed, "TestG"},
		{"return 8", "return 9", survived, ""},
		{"return sum", "return nil", notCompiled, ""},
		{"i++", "", noticed, "."},
	} {
		limit := time.Hour
		if c.before == "i++" {
			limit = time.Second // noticed, in the compiler or the endless loop
		}
		tester := &tester{dir: copied, limits: map[string]time.Duration{".": limit}}
		m := mutant{Room: "m", File: "m.go", Kind: constant, Before: c.before, After: c.after, at: strings.Index(string(src), c.before)}
		r, err := tester.try(t.Context(), m)
		if err != nil || r.Result != c.want || !strings.Contains(r.By, c.by) {
			t.Errorf("%s -> %s: %s by %q, %v", c.before, c.after, r.Result, r.By, err)
		}
	}
	for _, d := range []string{dir, copied} {
		if now, err := os.ReadFile(filepath.Join(d, "m.go")); string(now) != string(src) {
			t.Errorf("the file has changed: %q, %v", now, err)
		}
	}
}
