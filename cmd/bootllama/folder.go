package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"bootllama/internal/run"
	"bootllama/internal/start"
	"bootllama/session"
)

// inFolder returns console's arguments with the model that the person has chosen in place of a folder, and lets the session
// list the models that are beside its own. Arguments that are wrong it leaves to the command.
func inFolder(ctx context.Context, args []string, host *run.Host) ([]string, error) {
	var s start.Settings
	flags := flag.NewFlagSet("console", flag.ContinueOnError)
	s.Options.Register(flags)
	operands, err := run.ParseFlags(flags, args)
	if err != nil || len(operands) > 1 {
		return args, nil
	}
	folder, isFolder := ".", false
	if len(operands) == 1 {
		info, err := os.Stat(operands[0])
		if isFolder = err == nil && info.IsDir(); isFolder {
			folder = operands[0]
		} else {
			folder = filepath.Dir(operands[0])
		}
	}
	host.Models = func() ([]session.Model, error) { return start.Models(folder, s.Options) }
	if !isFolder {
		return args, nil
	}
	found, _ := start.Find(folder, s.Options, nil)
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: there is no model in this folder", folder)
	}
	if !slices.ContainsFunc(found, func(m session.Model) bool { return m.Reason == "" }) {
		return nil, fmt.Errorf("%s: no model in this folder can be used: %s: %s", folder, found[0].Name, found[0].Reason)
	}
	model, err := s.Choose(ctx, folder, host.Terminal)
	for _, p := range s.Problems {
		fmt.Fprintf(host.Stderr, "bootllama: %s\n", p) // an error is ignored: the command's own would show
	}
	return start.ForModel(s.Options, model.Path).Args(), err
}
