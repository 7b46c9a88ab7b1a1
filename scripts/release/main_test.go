package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// here is the platform of this test.
var here = platform{runtime.GOOS, runtime.GOARCH}

// whole says whether all of a release is made, which takes minutes.
func whole() bool { return os.Getenv("BOOTLLAMA_RELEASE") != "" }

// copySource copies what a release is built from.
func copySource(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repository, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || slices.Contains([]string{".git", "build", "train", "bench"}, name) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read returns the files of a folder.
func read(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range list {
		if files[f.Name()], err = os.ReadFile(filepath.Join(folder, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestRelease makes a release of two copies of the source in two places: the files are the same, and work without Go. With
// BOOTLLAMA_RELEASE=1 it makes all of it, and for the second with an empty cache.
func TestRelease(t *testing.T) {
	first := release{source: repository, output: filepath.Join(t.TempDir(), "first"), version: "v1.2.3", commit: "0123abc", platforms: []platform{here}}
	second := first
	second.source, second.output = filepath.Join(t.TempDir(), "some", "where else"), filepath.Join(t.TempDir(), "a", "second")
	copySource(t, second.source)
	if whole() {
		first.platforms, first.free = platforms, "4G"
		second.platforms, second.free = platforms, "4G"
	}
	if err := first.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if whole() {
		t.Setenv("GOCACHE", t.TempDir())
	}
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("TZ", "Asia/Tokyo")
	if err := second.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, got := read(t, first.output), read(t, second.output)
	for name, data := range want {
		if !bytes.Equal(got[name], data) {
			t.Errorf("%s is another file when it is made elsewhere", name)
		}
	}
	if number := 5 + len(first.platforms); len(want) != number || len(got) != number {
		t.Errorf("%d files and %d, want %d", len(want), len(got), number)
	}
	checkSums(t, want)
	archive := "bootllama-" + here.name()
	if here.os == "windows" {
		checkArchive(t, unzip(t, want[archive+".zip"]), archive, here, want)
	} else {
		checkArchive(t, untar(t, want[archive+".tar.gz"]), archive, here, want)
	}
}

// checkSums checks that SHA256SUMS has the sum of each other file.
func checkSums(t *testing.T, files map[string][]byte) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(files["SHA256SUMS"]), "\n"), "\n")
	if len(lines) != len(files)-1 {
		t.Errorf("%d sums of %d files", len(lines), len(files)-1)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if data, ok := files[name]; !ok || sum != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("SHA256SUMS: %q", line)
		}
	}
}

// member is a file of an archive.
type member struct {
	mode fs.FileMode
	data []byte
}

func untar(t *testing.T, archive []byte) map[string]member {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]member{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = member{h.FileInfo().Mode(), data}
	}
}

func unzip(t *testing.T, archive []byte) map[string]member {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]member{}
	for _, f := range r.File {
		data, err := fs.ReadFile(r, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = member{f.Mode(), data}
	}
	return files
}

// checkArchive unpacks an archive and works with what is in it, where there are neither Go nor other programs.
func checkArchive(t *testing.T, files map[string]member, folder string, p platform, released map[string][]byte) {
	t.Helper()
	program := files[folder+"/"+p.program()]
	if len(files) != 3 || program.mode != 0o755 || !bytes.Equal(files[folder+"/LICENSE"].data, released["LICENSE"]) ||
		!bytes.Equal(files[folder+"/THIRD_PARTY.txt"].data, released["THIRD_PARTY.txt"]) {
		t.Fatalf("%d files, mode %v", len(files), program.mode)
	}
	for _, want := range []string{"Copyright 2009 The Go Authors", "golang.org/x/term v", "golang.org/x/image v", "github.com/sassoftware/relic/v7 v", "Bigelow & Holmes Inc"} {
		if !bytes.Contains(released["THIRD_PARTY.txt"], []byte(want)) {
			t.Errorf("THIRD_PARTY.txt does not have %q", want)
		}
	}
	dir := t.TempDir()
	name := filepath.Join(dir, p.program())
	if err := os.WriteFile(name, program.data, 0o777); err != nil {
		t.Fatal(err)
	}
	writeKey(t, dir)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"version"}, "bootllama v1.2.3 (commit 0123abc), " + runtime.Version() + ", " + p.os + "/" + p.arch + ", EFI application: inside\n"},
		{[]string{"efi"}, "wrote BOOTX64.EFI"},
		{[]string{"efi"}, "wrote BOOTX64.EFI"}, // in the place of its own
		{[]string{"image", "-o", "stick.img"}, "wrote stick.img"},
		{[]string{"image", "-o", "stick.img"}, "wrote stick.img"},
		{[]string{"image", "--sign", "db.key", "--cert", "db.cer", "-o", "signed.img"}, ", LLAMA.TXT, DB.CER\n"},
		{[]string{"run", "-s", "10", "-n", "5"}, "In a little"},
	} {
		command := exec.Command(name, c.args...)
		command.Dir, command.Env = dir, []string{"PATH=" + dir}
		if p.os == "windows" {
			command.Env = append(command.Env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
		}
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: %v, %q; want %q", c.args, err, out, c.want)
		}
	}
	if application, err := os.ReadFile(filepath.Join(dir, "BOOTX64.EFI")); err != nil || !bytes.Equal(application, released["BOOTX64.EFI"]) {
		t.Error("bootllama efi writes another application than the release has: ", err)
	}
	if whole() {
		return // the stick of the release has room
	}
	z, err := gzip.NewReader(bytes.NewReader(released["bootllama-stick.img.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	stick, err1 := io.ReadAll(z)
	image, err2 := os.ReadFile(filepath.Join(dir, "stick.img"))
	if err1 != nil || err2 != nil || !bytes.Equal(stick, image) {
		t.Error("bootllama image writes another stick than the release has: ", err1, err2)
	}
}

// writeKey writes a key and its certificate, db.key and db.cer.
func writeKey(t *testing.T, dir string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "db.key"), x509.MarshalPKCS1PrivateKey(key), 0o600),
		os.WriteFile(filepath.Join(dir, "db.cer"), cert, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestPacked: archives of both kinds have what was put in, at a time of their own.
func TestPacked(t *testing.T) {
	files := []packed{{"program", 0o755, []byte("\x7fELF")}, {"text", 0o644, bytes.Repeat([]byte("abc"), 1000)}}
	for _, c := range []struct {
		pack   func(string, []packed) ([]byte, error)
		unpack func(*testing.T, []byte) map[string]member
	}{{tarGzip, untar}, {zipped, unzip}} {
		archive, err := c.pack("folder", files)
		if err != nil {
			t.Fatal(err)
		}
		got := c.unpack(t, archive)
		for _, f := range files {
			if m := got["folder/"+f.name]; len(got) != 2 || int64(m.mode) != f.mode || !bytes.Equal(m.data, f.data) {
				t.Errorf("%s: mode %v, %d bytes", f.name, m.mode, len(m.data))
			}
		}
	}
}

// TestPlatforms: the command compiles for systems that no test here runs on, its tests included.
func TestPlatforms(t *testing.T) {
	for _, p := range []platform{{"windows", "amd64"}, {"darwin", "arm64"}} {
		c := exec.Command("go", "vet", "./cmd/bootllama", "./internal/...")
		c.Dir, c.Env = repository, append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("go vet for %s: %v\n%s", p.name(), err, out)
		}
	}
}

// TestNoLicence: a module without a licence stops a release.
func TestNoLicence(t *testing.T) {
	dir := t.TempDir()
	if text, err := licences(dir); err == nil {
		t.Errorf("%q", text)
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE.md"), []byte("Take it."), 0o666); err != nil {
		t.Fatal(err)
	}
	if text, err := licences(dir); err != nil || string(text) != "Take it.\n" {
		t.Errorf("%q, %v", text, err)
	}
}
