package start

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"bootllama/arena"
	"bootllama/internal/flags"
	"bootllama/internal/run"
	"bootllama/session"
)

// Choose returns the model that a session begins with: that of the settings, else the only one on the volume, else the one
// that a person chooses at the terminal; without one the first that can be loaded. If there is none, it is the built-in one.
// The error is ErrLeft if the person has chosen nothing. What is wrong becomes Problems.
func (s *Settings) Choose(ctx context.Context, root string, t *session.Terminal) (session.Model, error) {
	draft := s.Options.Draft
	if draft != "" && s.given["draft"] > 0 { // a command line's is another folder's
		s.Options.Draft = path.Join(root, strings.ReplaceAll(draft, `\`, "/"))
	}
	m, err := s.choose(ctx, root, t)
	if err != nil || draft == "" {
		return m, err
	}
	o := ForModel(s.Options, m.Path)
	if o.Draft != "" {
		return m, nil
	}
	o.Draft = s.Options.Draft
	if _, wrong := run.Check(o); wrong != nil {
		s.problem(s.given["draft"], "draft = %s: %s; nothing is guessed by it", draft, strings.ReplaceAll(wrong.Error(), root+"/", ""))
	}
	return m, nil
}

func (s *Settings) choose(ctx context.Context, root string, t *session.Terminal) (session.Model, error) {
	if s.Args != nil {
		return session.Model{}, nil
	}
	var found []session.Model
	searched := false
	search := func() []session.Model {
		if !searched {
			var notes []string
			found, notes = lookFor(root, s.Options, t)
			s.Problems = append(s.Problems, notes...)
			searched = true
		}
		return found
	}
	if name := s.Options.Model; name != "" {
		if m, ok := s.named(root, name, search); ok {
			return m, nil
		}
		s.Options.Model = ""
	}
	search()
	fits := slices.IndexFunc(found, func(m session.Model) bool { return m.Reason == "" })
	switch {
	case len(found) == 0:
		return session.Model{}, nil
	case len(found) == 1 && fits == 0:
		return found[0], nil
	case len(found) == 1:
		s.Problems = append(s.Problems, fmt.Sprintf("%s: %s; it is the built-in model", found[0].Name, found[0].Reason))
		return session.Model{}, nil
	case t == nil && fits < 0:
		return session.Model{}, nil
	case t == nil:
		return found[fits], nil
	}
	return s.ask(ctx, t, found, fits)
}

// lookFor is Find that shows on a terminal what it does.
func lookFor(root string, o run.Options, t *session.Terminal) (found []session.Model, notes []string) {
	if t == nil {
		return Find(root, o, nil)
	}
	columns, _ := t.Size()
	shown := false
	found, notes = Find(root, o, func(name string) {
		fmt.Fprintf(t.Out, "\r\x1b[K%s", cut("Looking at "+name, columns-1)) // an error is ignored: the session reports it
		shown = true
	})
	if shown {
		fmt.Fprint(t.Out, "\r\x1b[K")
	}
	return found, notes
}

// builtIn are the values of the setting model for the built-in one.
var builtIn = []string{"built-in", "builtin", "built in", "none"}

// named returns the model that the setting model names, by its path or, wherever it is, by its file's name.
func (s *Settings) named(root, name string, search func() []session.Model) (m session.Model, ok bool) {
	line := s.given["model"]
	if slices.Contains(builtIn, strings.ToLower(name)) {
		return session.Model{}, true
	}
	file := path.Join(root, strings.ReplaceAll(name, `\`, "/"))
	if _, err := os.Stat(file); err != nil {
		all := search()
		i := slices.IndexFunc(all, func(m session.Model) bool { return strings.EqualFold(path.Base(m.Path), path.Base(file)) })
		if i < 0 {
			var names []string
			for _, m := range all {
				names = append(names, m.Name)
			}
			hint := "there is no model on this volume"
			if near := flags.Nearest(path.Base(file), names); near != "" {
				hint = "did you mean " + near + "?"
			} else if len(names) > 0 {
				hint = "there are " + strings.Join(names, ", ")
			}
			s.problem(line, "model = %s: there is no such file: %s", name, hint)
			return m, false
		}
		file = all[i].Path
	}
	if _, _, err := ForModel(s.Options, file).Need(); err != nil {
		s.problem(line, "model = %s: %s", name, reason(err, file))
		return m, false
	}
	return session.Model{Path: file, Name: path.Base(file)}, true
}

// ask shows the menu. The built-in model comes last.
func (s *Settings) ask(ctx context.Context, t *session.Terminal, found []session.Model, first int) (m session.Model, err error) {
	restore, err := t.Raw()
	if err != nil {
		return m, err
	}
	defer restore()
	columns, rows := t.Size()
	menu := Menu{
		Title: fmt.Sprintf("Which model? There are %s of memory.", session.Memory(arena.Limit())), Models: append(slices.Clip(found), BuiltIn()),
		Chosen: first, Wait: s.Menu, Out: t.Out, Columns: columns, Rows: rows,
	}
	if first < 0 {
		menu.Chosen = len(menu.Models) - 1
	}
	return menu.Run(ctx, t.Keys)
}

// Models returns the models on a volume, for a session's command /model. The built-in one comes last.
func Models(root string, o run.Options) ([]session.Model, error) {
	found, notes := Find(root, o, nil)
	var err error
	if notes != nil {
		err = errors.New(strings.Join(notes, "; "))
	}
	return append(found, BuiltIn()), err
}
