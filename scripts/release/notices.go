package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"bootllama/internal/efi"
)

// addNotices adds the licences: ours, and those of what is linked in, whose makers ask for their text beside the programs.
func (r *release) addNotices(ctx context.Context) error {
	licence, err1 := os.ReadFile(filepath.Join(r.source, "LICENSE"))
	list, err2 := os.ReadFile(filepath.Join(r.source, "THIRD_PARTY.md"))
	folders, err3 := r.licensed(ctx)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	third := bytes.NewBuffer(list)
	for _, f := range folders {
		texts, err := licences(f.folder)
		if err != nil {
			return fmt.Errorf("the licence of %s: %w", f.name, err)
		}
		fmt.Fprintf(third, "\n\n%s\n%s\n\n%s", f.name, strings.Repeat("=", len(f.name)), texts)
	}
	r.notices = []packed{{"LICENSE", 0o644, licence}, {"THIRD_PARTY.txt", 0o644, third.Bytes()}}
	for _, n := range r.notices {
		if err := r.add(n.name, n.data); err != nil {
			return err
		}
	}
	return nil
}

// licensed is something with a licence of its own.
type licensed struct{ name, folder string }

// licensed lists Go and the modules that are linked into the programs of a release, by name.
func (r *release) licensed(ctx context.Context) ([]licensed, error) {
	list := func(p platform, args ...string) (string, error) {
		env, err := efi.Environ(ctx, "go", r.source, p.os, p.arch)
		if err != nil {
			return "", err
		}
		var stderr bytes.Buffer
		c := exec.CommandContext(ctx, "go", args...)
		c.Dir, c.Env, c.Stderr = r.source, env, &stderr
		out, err := c.Output()
		if err != nil {
			err = fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
		}
		return string(out), err
	}
	root, err := list(platforms[0], "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules := map[licensed]bool{}
	const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
	add := func(p platform, program string) error {
		out, err := list(p, "list", "-deps", "-f", format, program)
		for line := range strings.Lines(out) {
			if name, folder, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				modules[licensed{name, folder}] = true
			}
		}
		return err
	}
	err = add(platform{"linux", "amd64"}, "./cmd/efi")
	for _, p := range r.platforms {
		err = errors.Join(err, add(p, "./cmd/bootllama"))
	}
	all := []licensed{{"The Go standard library and runtime", strings.TrimSpace(root)}}
	for m := range modules {
		all = append(all, m)
	}
	slices.SortFunc(all[1:], func(a, b licensed) int { return strings.Compare(a.name, b.name) })
	return all, err
}

// licences returns the texts in a folder that say what may be done with the rest: at least one.
func licences(folder string) ([]byte, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var texts []byte
	for _, f := range files {
		switch name, _, _ := strings.Cut(strings.ToUpper(f.Name()), "."); name {
		case "LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS":
			text, err := os.ReadFile(filepath.Join(folder, f.Name()))
			if err != nil {
				return nil, err
			}
			texts = append(append(texts, text...), '\n')
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has none", folder)
	}
	return texts, nil
}
