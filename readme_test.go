package llama_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/run"
	"bootllama/internal/start"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeCommands: each go test in README names folders that there are, and tests that are in them.
func TestReadmeCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("searches hundreds of files: not with -short")
	}
	commands := regexp.MustCompile("`go test [^`]*`").FindAllString(readme(t), -1)
	if len(commands) < 50 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, command := range commands {
		words := strings.Fields(strings.NewReplacer("`", "", "'", "", `\|`, "|").Replace(command))[2:]
		root, pattern, folders := ".", "", []string{}
		for i := 0; i < len(words); i++ {
			switch words[i] {
			case "-C", "-run", "-bench":
				if words[i] == "-C" {
					root = words[i+1]
				} else if words[i+1] != "-" {
					pattern = words[i+1]
				}
				i++
			case "-race":
			default:
				folders = append(folders, words[i])
			}
		}
		names := testsIn(t, root, folders)
		for alternative := range strings.SplitSeq(pattern, "|") {
			re, err := regexp.Compile(alternative)
			if err != nil {
				t.Errorf("%s: %v", command, err)
			} else if !slices.ContainsFunc(names, re.MatchString) {
				t.Errorf("%s: no test matches %q", command, alternative)
			}
		}
	}
}

// testsIn returns the names of the tests, examples and benchmarks in folders.
func testsIn(t *testing.T, root string, folders []string) (names []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (?:Test|Fuzz|Example|Benchmark)(\w*)\(`)
	for _, folder := range folders {
		glob := filepath.Join(root, strings.TrimSuffix(folder, "..."), "*_test.go")
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 && !strings.HasSuffix(folder, "...") {
			t.Errorf("there are no tests in %s: %v", glob, err)
		}
		if strings.HasSuffix(folder, "...") {
			more, err := filepath.Glob(filepath.Join(root, strings.TrimSuffix(folder, "..."), "*", "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, more...)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllString(string(text), -1) {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(m, "func "), "("))
			}
		}
	}
	return names
}

// TestReadmeLinks: what README links to in the repository is there.
func TestReadmeLinks(t *testing.T) {
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readme(t), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Error(err)
		}
	}
}

// TestReadmeKeys: README names all that LLAMA.TXT can say, and nothing else.
func TestReadmeKeys(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "| key | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var told []string
	for line := range strings.Lines(table) {
		cell := strings.Split(line, "|")[1]
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			told = append(told, m[1])
		}
	}
	var b bytes.Buffer
	if err := start.Write(&b, run.Options{Temperature: -1, TopP: -1, Steps: -1}); err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?m)^#?([a-z][a-z-]*) =`).FindAllStringSubmatch(b.String(), -1)
	for _, m := range keys {
		if !slices.Contains(told, m[1]) {
			t.Errorf("README does not name the key %s", m[1])
		}
		told = slices.DeleteFunc(told, func(s string) bool { return s == m[1] })
	}
	told = slices.DeleteFunc(told, func(s string) bool { return s == "length" }) // another name of steps
	if len(keys) < 10 || len(told) > 0 {
		t.Errorf("%d keys; README has %q, which LLAMA.TXT cannot say", len(keys), told)
	}
}
