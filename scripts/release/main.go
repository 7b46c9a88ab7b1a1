// Command release makes the files that a person takes who has neither Go nor the source: for each system a bootllama with the
// EFI application in it, that application, the image of a stick with room for models, and the sums of all of them. The same
// source and toolchain give the same bytes wherever and whenever it runs. Run it in the repository.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"bootllama/internal/efi"
	"bootllama/internal/file"
)

// platform is a system that bootllama is built for.
type platform struct{ os, arch string }

// platforms are those of a release.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// name is what people call the platform.
func (p platform) name() string {
	if p.os == "darwin" {
		return "macos-" + p.arch
	}
	return p.os + "-" + p.arch
}

// program is the file name of bootllama there.
func (p platform) program() string {
	if p.os == "windows" {
		return "bootllama.exe"
	}
	return "bootllama"
}

// release is a release that is being made.
type release struct {
	source          string // folder of the repository
	output          string // folder of the release
	version, commit string
	free            string // room on the stick, as image takes it; "": none
	platforms       []platform

	notices []packed // licences, for each archive
	sums    bytes.Buffer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{source: ".", platforms: platforms}
	flag.StringVar(&r.output, "o", "build/release", "folder of the release")
	flag.StringVar(&r.version, "version", "", "the version's name (default: the commit's tag, or unreleased)")
	flag.StringVar(&r.commit, "commit", "", "the commit (default: what git says)")
	flag.StringVar(&r.free, "free", "4G", "room for models on the stick")
	flag.Parse()
	err := r.ask(ctx)
	if err == nil {
		err = r.make(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// ask asks git for version and commit. A source that is no checkout of git has none.
func (r *release) ask(ctx context.Context) error {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.source}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	if tag, err := git("describe", "--tags", "--exact-match"); err == nil {
		r.version = cmp.Or(r.version, tag)
	}
	r.version = cmp.Or(r.version, "unreleased")
	if r.commit != "" {
		return nil
	}
	if up, err := git("rev-parse", "--show-cdup"); err != nil || up != "" {
		return nil // no checkout, or that of something around it
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	changes, err := git("status", "--porcelain")
	if err != nil {
		return fmt.Errorf("git status: %w", err)
	}
	if r.commit = commit; changes != "" {
		r.commit += " and changes"
	}
	return nil
}

// make makes all files, SHA256SUMS at last.
func (r *release) make(ctx context.Context) error {
	if !slices.Contains(r.platforms, platform{runtime.GOOS, runtime.GOARCH}) {
		return fmt.Errorf("the stick's image is made with a bootllama of the release, and none is for %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	if err := os.MkdirAll(r.output, 0o777); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "bootllama-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // what is left there is in nobody's way
	if err := r.addNotices(ctx); err != nil {
		return err
	}
	application, err := efi.Build(ctx, efi.Options{Dir: r.source})
	if err != nil {
		return err
	}
	if err := r.add("BOOTX64.EFI", application); err != nil {
		return err
	}
	overlay, err := r.overlay(work, application)
	if err != nil {
		return err
	}
	for _, p := range r.platforms {
		program := filepath.Join(work, p.name()+"-"+p.program())
		if err := r.build(ctx, p, overlay, program); err != nil {
			return err
		}
		if err := r.addProgram(p, program); err != nil {
			return err
		}
		if p == (platform{runtime.GOOS, runtime.GOARCH}) {
			if err := r.addStick(ctx, program, work); err != nil {
				return err
			}
		}
	}
	return file.Write(filepath.Join(r.output, "SHA256SUMS"), r.sums.Bytes())
}

// add writes a file of the release and its sum, as sha256sum does.
func (r *release) add(name string, data []byte) error {
	fmt.Fprintf(&r.sums, "%x  %s\n", sha256.Sum256(data), name)
	fmt.Printf("%10d  %s\n", len(data), name)
	return file.Write(filepath.Join(r.output, name), data)
}

// overlay writes what go build's -overlay takes: the application in the place where internal/efi embeds it.
func (r *release) overlay(work string, application []byte) (string, error) {
	inside, err := filepath.Abs(filepath.Join(r.source, "internal", "efi", "BOOTX64.EFI"))
	if err != nil {
		return "", err
	}
	built, name := filepath.Join(work, "BOOTX64.EFI"), filepath.Join(work, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {inside: built}})
	return name, errors.Join(err, os.WriteFile(built, application, 0o666), os.WriteFile(name, text, 0o666))
}

// build builds the command for a platform.
func (r *release) build(ctx context.Context, p platform, overlay, output string) error {
	env, err := efi.Environ(ctx, "go", r.source, p.os, p.arch)
	if err != nil {
		return err
	}
	ldflags := fmt.Sprintf("-s -w -X 'main.version=%s' -X 'main.commit=%s'", r.version, r.commit)
	c := exec.CommandContext(ctx, "go", "build", "-tags=release", "-overlay="+overlay, "-trimpath", "-buildvcs=false", "-ldflags="+ldflags,
		"-o", output, "./cmd/bootllama")
	c.Dir, c.Env = r.source, env
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for %s: %w\n%s", p.name(), err, bytes.TrimSpace(out))
	}
	return nil
}

// addStick adds the image of a stick with the built-in model and room for others. bootllama makes it as a person does who
// has nothing but that.
func (r *release) addStick(ctx context.Context, program, work string) error {
	image := filepath.Join(work, "stick.img")
	args := []string{"image", "-o", image}
	if r.free != "" {
		args = append(args, "--free", r.free)
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.Env = work, []string{}
	if runtime.GOOS == "windows" { // its programs do without nearly everything, but not without that
		c.Env = append(c.Env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("the stick's image: %w\n%s", err, bytes.TrimSpace(out))
	}
	f, err := os.Open(image)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	data, err := compress(f)
	if err != nil {
		return fmt.Errorf("the stick's image: %w", err)
	}
	return errors.Join(r.add("bootllama-stick.img.gz", data), os.Remove(image))
}
