// Package efi builds a Go program as a UEFI application with the stock Go
// toolchain and nothing else: go build for linux/amd64 with metal's entry point,
// then internal/pe. A program built with the tag release, see scripts/release, has the
// one of this project in it and needs no toolchain for that.
package efi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"bootllama/internal/pe"
)

const (
	module       = "bootllama"
	entry        = "bootllama/metal.entry"
	defaultBuild = "bootllama/cmd/efi"
)

// Options of Build and Link. The zero value builds the application of this
// project for any x86-64 processor.
type Options struct {
	// Dir is a folder of the module that holds Package. Empty: the working
	// directory or a parent of it if that is a checkout of bootllama, else the
	// folder that this program was compiled from.
	Dir string
	// Package is the import path of package main, which must import
	// bootllama/metal. Empty: bootllama/cmd/efi.
	Package string
	// Toolchain is a GOTOOLCHAIN, such as go1.27.4. Empty: the caller's.
	Toolchain string
	// ImageBase is pe.Options.ImageBase.
	ImageBase uint64
	// Entry is the symbol that the firmware calls. Empty: metal's; another one must call it.
	Entry string
	// Symbols keeps the ELF's symbol table and DWARF. The EFI application has
	// neither in any case.
	Symbols bool
}

// Inside reports whether this program has the EFI application in it that the zero Options ask for.
func Inside() bool { return application != "" }

// Build returns the package as an EFI application. The same source and
// toolchain give the same bytes wherever and by whomever it is built.
func Build(ctx context.Context, opt Options) ([]byte, error) {
	if opt == (Options{}) && Inside() {
		return []byte(application), nil
	}
	elf, err := Link(ctx, opt)
	if err != nil {
		return nil, err
	}
	out, err := pe.Convert(bytes.NewReader(elf), pe.Options{ImageBase: opt.ImageBase})
	if err != nil {
		return nil, fmt.Errorf("converting %s to an EFI application: %w", opt.pkg(), err)
	}
	return out, nil
}

// Link returns the ELF file that Build converts.
func Link(ctx context.Context, opt Options) (elf []byte, err error) {
	goTool, dir, env, err := opt.environment(ctx)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "bootllama-efi-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	ldflags := "-E " + cmp.Or(opt.Entry, entry)
	if !opt.Symbols {
		ldflags = "-s -w " + ldflags
	}
	// go build works in a folder of ours too, which goes even when go build is killed.
	output, work := filepath.Join(tmp, "output"), filepath.Join(tmp, "work")
	if err := errors.Join(os.Mkdir(output, 0o700), os.Mkdir(work, 0o700)); err != nil {
		return nil, err
	}
	// -o with a folder: go build then refuses a package that is not main.
	_, stderr, err := run(ctx, dir, append(env, "GOTMPDIR="+work), goTool, "build", "-buildmode=pie", "-trimpath", "-buildvcs=false",
		"-ldflags="+ldflags, "-o", output+string(filepath.Separator), opt.pkg())
	if err != nil {
		if strings.Contains(stderr, "missing entry symbol") {
			err = fmt.Errorf("%s has no entry point for the firmware: add import _ %q to its package main", opt.pkg(), module+"/metal")
		} else {
			err = fmt.Errorf("go build %s in %s: %w\n%s", opt.pkg(), dir, err, strings.TrimRight(stderr, "\n"))
		}
		return nil, withHint(ctx, err, goTool, dir, env)
	}
	files, err := os.ReadDir(output)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("go build %s wrote %d files, want 1: name one package main", opt.pkg(), len(files))
	}
	return os.ReadFile(filepath.Join(output, files[0].Name()))
}

// Sources are the files that Build reads, as far as they are of modules: source, embedded files, and what go.mod says.
func Sources(ctx context.Context, opt Options) ([]string, error) {
	if opt == (Options{}) && Inside() {
		return nil, nil
	}
	goTool, dir, env, err := opt.environment(ctx)
	if err != nil {
		return nil, err
	}
	// -e: what is wrong with the packages is for go build to say.
	stdout, stderr, err := run(ctx, dir, env, goTool, "list", "-e", "-deps", "-json=Dir,Standard,GoFiles,SFiles,HFiles,EmbedFiles,Module", opt.pkg())
	if err != nil {
		return nil, fmt.Errorf("go list %s in %s: %w\n%s", opt.pkg(), dir, err, strings.TrimRight(stderr, "\n"))
	}
	var names []string
	for d := json.NewDecoder(strings.NewReader(stdout)); ; {
		var p struct {
			Dir                                 string
			Standard                            bool
			GoFiles, SFiles, HFiles, EmbedFiles []string
			Module                              *struct{ GoMod string }
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return names, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Standard {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.SFiles, p.HFiles, p.EmbedFiles) {
			names = append(names, filepath.Join(p.Dir, name))
		}
		if p.Module != nil {
			names = append(names, p.Module.GoMod, strings.TrimSuffix(p.Module.GoMod, ".mod")+".sum")
		}
	}
}

// withHint adds what to do to an error of a build in dir when the module there cannot
// import this one.
func withHint(ctx context.Context, failed error, goTool, dir string, env []string) error {
	known, _, err := run(ctx, dir, env, goTool, "list", "-m", "-f", "{{.Dir}}", module)
	if ctx.Err() != nil {
		return failed
	}
	if err == nil {
		if ok, err := isModule(strings.TrimSpace(known)); ok && err == nil {
			return failed
		}
	}
	source, err := sourceDir()
	if err != nil {
		source = "PATH" // of the checkout
	}
	begin := ""
	if mod, _, err := run(ctx, dir, env, goTool, "env", "GOMOD"); err == nil && strings.TrimSpace(mod) == os.DevNull {
		begin = "\n\tgo mod init NAME"
	}
	return fmt.Errorf("%w\nThe module does not say where %s is, and go get cannot find it: it has no public home. In the module's folder, run%s\n"+
		"\tgo mod edit -require=%[2]s@v0.0.0 -replace=%[2]s=%[4]s", failed, module, begin, source)
}

func (o Options) pkg() string {
	if o.Package == "" {
		return defaultBuild
	}
	return o.Package
}

// passed are the settings that say where the toolchain, modules and caches come
// from. All other GO variables could change the result and are not inherited.
var passed = []string{
	"GOTOOLCHAIN", "GOPROXY", "GOCACHE", "GOMODCACHE", "GOPATH", "GOCACHEPROG",
	"GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS",
}

// environment is what the go command runs with: where it is, the folder and the environment.
func (o Options) environment(ctx context.Context) (goTool, dir string, env []string, err error) {
	if goTool, err = exec.LookPath("go"); err != nil {
		return "", "", nil, fmt.Errorf("building the EFI application needs the Go toolchain, 1.26 or newer, in PATH: get it from https://go.dev/dl/ (%w)", err)
	}
	if dir = o.Dir; dir == "" {
		if dir, err = sourceDir(); err != nil {
			return "", "", nil, err
		}
	}
	if env, err = Environ(ctx, goTool, dir, "linux", "amd64"); err != nil {
		return "", "", nil, err
	}
	if o.Toolchain != "" {
		env = append(env, "GOTOOLCHAIN="+o.Toolchain) // the last one counts
	}
	return goTool, dir, env, nil
}

// Environ is the environment for a go build in dir whose result depends on source and toolchain only. goTool is the go
// command. The settings of go env -w count too (an empty variable would not override
// them), so that file is switched off and what is passed is asked for.
func Environ(ctx context.Context, goTool, dir, goos, goarch string) ([]string, error) {
	stdout, stderr, err := run(ctx, dir, os.Environ(), goTool, append([]string{"env", "-json"}, passed...)...)
	if err != nil {
		return nil, fmt.Errorf("go env in %s: %w\n%s", dir, err, strings.TrimRight(stderr, "\n"))
	}
	settings := make(map[string]string)
	if err := json.Unmarshal([]byte(stdout), &settings); err != nil {
		return nil, fmt.Errorf("go env -json: %w", err)
	}
	var env []string
	for _, e := range os.Environ() {
		// Windows compares names without case.
		if name := strings.ToUpper(strings.SplitN(e, "=", 2)[0]); !strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "CGO_") {
			env = append(env, e)
		}
	}
	for _, name := range passed {
		env = append(env, name+"="+settings[name])
	}
	return append(env, "GOENV=off", "GOWORK=off", "GOFIPS140=off", "CGO_ENABLED=0",
		"GOOS="+goos, "GOARCH="+goarch, "GOAMD64=v1", "GOARM64=v8.0"), nil
}

// run runs a command; when ctx ends the command, its error is ctx's.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (stdout, stderr string, err error) {
	var o, e bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	// An interrupt lets go build end its compilers before it goes; where a process
	// cannot be sent one (Windows), the kill of WaitDelay follows.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, env, &o, &e
	c.WaitDelay = 5 * time.Second // go leaves compilers behind that hold the pipes
	err = c.Run()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return o.String(), e.String(), err
}

// sourceDir finds the checkout to build from, see Options.Dir.
func sourceDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if ok, err := isModule(dir); ok || err != nil {
			return dir, err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	// With -trimpath the file is not an absolute path.
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
		if ok, err := isModule(dir); ok || err != nil {
			return dir, err
		}
	}
	return "", fmt.Errorf("building the EFI application needs the source of %s: run this inside its checkout (%s is not), or take a released %[1]s", module, wd)
}

// isModule reports whether dir holds the go.mod of this module.
func isModule(dir string) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], "\"`") == module, nil
		}
	}
	return false, nil
}
