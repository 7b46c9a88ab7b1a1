package efi

import (
	"bytes"
	"context"
	"debug/elf"
	coff "debug/pe"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tiny is a stand-in for this module with a metal that only says hello.
var tiny = filepath.Join("testdata", "tiny")

// absent makes a toolchain that is not here a loud skip.
func absent(t *testing.T, toolchain string) {
	t.Helper()
	t.Setenv("GOTOOLCHAIN", toolchain)
	if out, err := exec.Command("go", "version").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no toolchain %s here: %v\n%s", toolchain, err, out)
	}
}

func build(t *testing.T, opt Options) []byte {
	t.Helper()
	b, err := Build(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBuild(t *testing.T) {
	for _, toolchain := range []string{"go1.26.8", "go1.27.4"} {
		t.Run(toolchain, func(t *testing.T) {
			absent(t, toolchain)
			opt := Options{Dir: tiny, Symbols: true}
			b, err := Link(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			syms, err := f.Symbols()
			if err != nil {
				t.Fatalf("Symbols: %v", err)
			}
			address := uint64(0)
			for _, s := range syms {
				// A function that Go code declares has a wrapper of the plain name.
				if s.Name == entry+".abi0" || s.Name == entry && address == 0 {
					address = s.Value
				}
			}
			if address == 0 || f.Entry != address {
				t.Errorf("e_entry %#x, %s is at %#x", f.Entry, entry, address)
			}
			opt.ImageBase = 0x10_0000_0000
			p, err := coff.NewFile(bytes.NewReader(build(t, opt)))
			if err != nil {
				t.Fatal(err)
			}
			h := p.OptionalHeader.(*coff.OptionalHeader64)
			if h.ImageBase != opt.ImageBase || uint64(h.AddressOfEntryPoint) != address-0x400000 {
				t.Errorf("ImageBase %#x, AddressOfEntryPoint %#x, want %#x, %#x", h.ImageBase, h.AddressOfEntryPoint, opt.ImageBase, address-0x400000)
			}
			b, err = Link(t.Context(), Options{Dir: tiny})
			if err != nil {
				t.Fatal(err)
			}
			if f, err = elf.NewFile(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Symbols(); !errors.Is(err, elf.ErrNoSymbols) {
				t.Errorf("without Symbols: %v, want %v", err, elf.ErrNoSymbols)
			}
		})
	}
}

// TestReproducible builds in another folder, with an environment and a go env -w
// file that would change the program.
func TestReproducible(t *testing.T) {
	want := build(t, Options{Dir: tiny})
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	// A workspace around it that does not know it.
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "go.work"), []byte("go 1.26\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	config := t.TempDir() // Linux's place for go env -w
	if err := os.Mkdir(filepath.Join(config, "go"), 0o777); err != nil {
		t.Fatal(err)
	}
	goenv := filepath.Join(config, "go", "env")
	if err := os.WriteFile(goenv, []byte("GOFLAGS=-gcflags=all=-N\nGOAMD64=v4\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	// The file also names the toolchain, which must pass.
	toolchain, err := exec.Command("go", "env", "GOTOOLCHAIN", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	v := strings.Split(string(toolchain), "\n")
	for name, value := range map[string]string{
		"GOTOOLCHAIN": strings.TrimSpace(v[0]), "GOCACHE": strings.TrimSpace(v[1]), "GOMODCACHE": strings.TrimSpace(v[2]),
		"GOENV": goenv, "XDG_CONFIG_HOME": config, "GOAMD64": "v3", "GOEXPERIMENT": "norandomizedheapbase64", "GOOS": "windows", "GOARCH": "386",
		"CGO_ENABLED": "1", "GOWORK": filepath.Join(dir, "go.work"), "GODEBUG": "madvdontneed=1", "GOFIPS140": "latest",
		"CGO_LDFLAGS": "-lm", "GO386": "softfloat",
	} {
		t.Setenv(name, value)
	}
	if !bytes.Equal(build(t, Options{Dir: dir}), want) {
		t.Error("the environment or the folder changes the application")
	}
	t.Setenv("GOFLAGS", "-ldflags=-X=main.x=y -tags=foo -race")
	if !bytes.Equal(build(t, Options{Dir: dir}), want) {
		t.Error("GOFLAGS changes the application")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  Options
		want []string
	}{
		{"no metal", Options{Dir: tiny, Package: "bootllama/cmd/plain"}, []string{"bootllama/cmd/plain has no entry point", `import _ "bootllama/metal"`}},
		{"does not compile", Options{Dir: tiny, Package: "bootllama/cmd/broken"}, []string{"go build bootllama/cmd/broken", "main.go:4:15: undefined: undefinedHere"}},
		{"no such package", Options{Dir: tiny, Package: "bootllama/cmd/none"}, []string{"bootllama/cmd/none"}},
		{"no such folder", Options{Dir: filepath.Join(tiny, "none")}, []string{filepath.Join(tiny, "none")}},
		{"not main", Options{Dir: tiny, Package: "bootllama/lib"}, []string{"bootllama/lib", "no main packages"}},
		{"image base", Options{Dir: tiny, ImageBase: 1}, []string{"image base 0x1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmp := t.TempDir() // a folder of its own: others build at the same time
			t.Setenv("TMPDIR", tmp)
			t.Setenv("TMP", tmp)
			b, err := Build(t.Context(), c.opt)
			if err == nil || b != nil {
				t.Fatalf("%d bytes, error %v", len(b), err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
			if left, err := filepath.Glob(filepath.Join(tmp, "bootllama-efi-*")); err != nil || len(left) != 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}

// TestHint: where the module cannot import this one, the error says what to do, and that
// helps; elsewhere it does not.
func TestHint(t *testing.T) {
	const require = "require bootllama v0.0.0\n"
	const metal, plain = "package main\n\nimport _ \"bootllama/metal\"\n\nfunc main() {}\n", "package main\n\nfunc main() {}\n"
	source, err := filepath.Abs(tiny)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, mod, program, want string }{
		{"no module", "", metal, "\tgo mod init NAME\n\tgo mod edit"},
		{"not required", "module m\n", metal, "run\n\tgo mod edit"},
		{"without a place", "module m\n" + require, metal, "run\n\tgo mod edit"},
		{"a place that is none", "module m\n" + require + "replace bootllama => ./nowhere\n", metal, "run\n\tgo mod edit"},
		{"metal is not imported", "module m\n", plain, `add import _ "bootllama/metal"`},
		{"all is said", "module m\n" + require + "replace bootllama => " + source + "\n", "package main\n\nfunc main() { undefinedHere() }\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(c.program), 0o666); err != nil {
				t.Fatal(err)
			}
			if c.mod != "" {
				if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(c.mod+"go 1.26.0\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(dir)
			_, err := Build(t.Context(), Options{Dir: ".", Package: "."})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q in it", err, c.want)
			}
			_, hint, ok := strings.Cut(err.Error(), "\tgo mod edit ")
			if ok != (c.want != "") {
				t.Errorf("error %v", err)
			}
			if !ok || c.mod == "" || c.program == plain {
				return
			}
			if out, err := exec.Command("go", append([]string{"mod", "edit"}, strings.Fields(hint)...)...).CombinedOutput(); err != nil {
				t.Fatalf("go mod edit %s: %v\n%s", hint, err, out)
			}
			if _, err := Build(t.Context(), Options{Dir: ".", Package: "."}); err != nil {
				t.Errorf("after go mod edit %s: %v", hint, err)
			}
		})
	}
}

func TestNoGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(t.Context(), Options{Dir: tiny}); err == nil || !strings.Contains(err.Error(), "https://go.dev/dl/") {
		t.Errorf("error %v, want one that says where to get Go", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := Build(ctx, Options{Dir: tiny}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestSourceDir(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := filepath.Abs(filepath.Join(tiny, "cmd", "efi"))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("// module bootllama\nmodule other\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ wd, want string }{
		{sub, filepath.Dir(filepath.Dir(sub))}, // a parent
		{root, root},
		{other, root}, // where this was compiled from
	} {
		t.Run(filepath.Base(c.wd), func(t *testing.T) {
			t.Chdir(c.wd)
			dir, err := sourceDir()
			if err != nil || dir != c.want {
				t.Errorf("in %s: %s, %v; want %s", c.wd, dir, err, c.want)
			}
		})
	}
}

// TestSourceDirTrimmed: a program built with -trimpath, outside a checkout, says
// what to do.
func TestSourceDirTrimmed(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "efi.test.exe")
	if out, err := exec.Command("go", "test", "-c", "-trimpath", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	c := exec.Command(exe, "-test.run=^TestNowhere$", "-test.v")
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "BOOTLLAMA_TEST_NOWHERE=1")
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "run this inside its checkout") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNowhere is run by TestSourceDirTrimmed.
func TestNowhere(t *testing.T) {
	if os.Getenv("BOOTLLAMA_TEST_NOWHERE") == "" {
		t.Skip("runs inside TestSourceDirTrimmed")
	}
	dir, err := sourceDir()
	t.Logf("dir %q, error %v", dir, err)
	if err == nil {
		t.Fail()
	}
}
