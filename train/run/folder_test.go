package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeign: a file that no training has written is refused with its name, before anything is computed, and stays.
func TestForeign(t *testing.T) {
	o := small()
	m := prepared(t, o)
	trained := t.TempDir() // of which the folders are copies
	r := trainUntil(t, trained, o, m, 0)
	if err := errors.Join(r.Write(), r.WriteCurve([]byte("picture"))); err != nil {
		t.Fatal(err)
	}
	if err := Check(trained, o); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{recordName}, outputs...) {
		for what, foreign := range map[string]func(path string) error{
			"a text":              func(path string) error { return os.WriteFile(path, []byte("a poem"), 0o600) },
			"JSON":                func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
			"an empty file":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
			"a folder":            func(path string) error { return os.Mkdir(path, 0o700) },
			"a link to nothing":   func(path string) error { return os.Symlink("nothing", path) },
			"another training's":  func(path string) error { return copyFile(filepath.Join(trained, name), path) },
			"a link to a corpus":  func(path string) error { return os.Symlink(filepath.Join(trained, Float32Name), path) },
			"a link to that file": func(path string) error { return os.Symlink(filepath.Join(trained, name), path) },
		} {
			// alone, and in the folder of a training
			for _, full := range []bool{false, true} {
				mine := strings.HasPrefix(what, "another") || strings.HasSuffix(what, "that file")
				if mine && (full || name == recordName) || what == "a link to a corpus" && full && name == Float32Name {
					continue // it is what the training wrote there
				}
				dir := t.TempDir()
				if full {
					copyFolder(t, trained, dir)
				}
				path := filepath.Join(dir, name)
				os.Remove(path) // perhaps it is not there
				if err := foreign(path); err != nil {
					t.Fatal(err)
				}
				before := files(t, dir)
				for _, err := range []error{Check(dir, o), second(Open(dir, o, m))} {
					if err == nil || !strings.Contains(err.Error(), path) {
						t.Errorf("%s is %s, full %v: %v", name, what, full, err)
					}
				}
				if after := files(t, dir); after != before {
					t.Errorf("%s is %s, full %v: files %s, before %s", name, what, full, after, before)
				}
			}
		}
	}
}

func second(_ *Run, err error) error { return err }

// TestCorpusInFolder: a corpus is not replaced, by whatever name it is given.
func TestCorpusInFolder(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("The cat sat on the mat and saw the rat.\n\n", 50)
	o := small()
	o.Corpus = filepath.Join(t.TempDir(), "corpus")
	for _, name := range append([]string{recordName}, outputs...) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, o.Corpus); err != nil {
			t.Fatal(err)
		}
		if err := Check(dir, o); err == nil || !strings.Contains(err.Error(), path+": that is "+o.Corpus+", which is read") {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(os.Remove(path), os.Remove(o.Corpus)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwnFiles: what a training wrote is its own whenever it was interrupted: between the record and each of the files that
// the record has announced, too. Other files of the folder are nobody's business.
func TestOwnFiles(t *testing.T) {
	o := small()
	m := prepared(t, o)
	dir, before := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	trainUntil(t, dir, o, m, 3)
	copyFolder(t, dir, before)
	r, err := Open(dir, o, m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = r.Train(ctx, func(p Progress) {
		if p.Step == 6 {
			cancel()
		}
	}, 0, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	after := files(t, dir)
	// The power fails after the record was written: the state is still the earlier one.
	if err := copyFile(filepath.Join(before, stateName), filepath.Join(dir, stateName)); err != nil {
		t.Fatal(err)
	}
	trainUntil(t, dir, o, m, 6)
	if got := files(t, dir); len(got) != len(after) {
		t.Errorf("files %s, want %s", got, after)
	}
	// A new file whose record does not know it, as by an older program: it is not the training's.
	last := trainUntil(t, dir, o, m, 0)
	if err := last.Write(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, CurveName), []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir, o); err == nil || !strings.Contains(err.Error(), CurveName) {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "notes.txt")); string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// files are the names and contents of all files of a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name())) // an error: a folder, or a link to nothing
		if err != nil {
			data = nil
		}
		b.WriteString(e.Name() + info.Mode().String() + sum(data) + "\n")
	}
	return b.String()
}
