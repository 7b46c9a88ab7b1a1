//go:build linux && amd64

package metal_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/pe"
	"bootllama/internal/vm/vmtest"
)

// TestGo runs on metal the tests that the installed toolchain has for its packages of files, but
// for those of notOnMetal.
func TestGo(t *testing.T) {
	t.Parallel()
	vmtest.Need(t)
	need(t, "mcopy", "mmd")
	root := goRoot(t)
	overlay := overlayRoot(t, root)
	packages := []string{"os", "path/filepath"}
	var files []disk.File
	var lines []string
	for i, pkg := range packages {
		name := fmt.Sprintf("TEST%d.EFI", i)
		files = append(files, vmtest.Content(name, goTest(t, overlay, pkg)))
		lines = append(lines, name)
	}
	b := vmtest.New(t, files, 64<<20, lines...)
	fillVolume(t, b.Disk, root)
	b.WantStatuses(t, make([]int, len(packages))...)
	out := b.Out.String()
	for i, pkg := range packages {
		mine, rest, _ := strings.Cut(out, "\nPASS\n")
		if out = rest; i == len(packages)-1 {
			mine += rest
		}
		count := map[string]int{}
		for _, m := range verdict.FindAllStringSubmatch(mine, -1) {
			count[m[1]]++
			if m[1] == "FAIL" {
				t.Errorf("%s: %s has failed", pkg, m[2])
			}
		}
		t.Logf("%s: %v", pkg, count)
		least := leastPassed[pkg]
		if pkg == "os" && vmtest.Of(2) == 1 {
			least += 300 // of otherPaths
		}
		if count["PASS"] < least {
			t.Errorf("%s: %d tests and subtests passed, want %d at least", pkg, count["PASS"], least)
		}
	}
}

func goRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// overlayRoot makes a GOROOT of links to the installed one, in which metal is a package of the
// standard library: only such a package can be imported by a test of one.
func overlayRoot(t *testing.T, root string) string {
	t.Helper()
	overlay := t.TempDir()
	link := func(from, to string) {
		t.Helper()
		if err := os.Symlink(from, to); err != nil {
			t.Fatal(err)
		}
	}
	// linkAll makes dir a folder of links to what the same folder of root has.
	linkAll := func(dir string) {
		t.Helper()
		os.Remove(filepath.Join(overlay, dir)) // a link, made for the folder above
		if err := os.MkdirAll(filepath.Join(overlay, dir), 0o777); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			link(filepath.Join(root, dir, e.Name()), filepath.Join(overlay, dir, e.Name()))
		}
	}
	for _, dir := range []string{".", "src", "src/os", "src/path", "src/path/filepath"} {
		linkAll(dir)
	}
	metal := filepath.Join(overlay, "src", "bootllama", "metal")
	if err := os.MkdirAll(filepath.Join(metal, "vt"), 0o777); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.go", "*.s", "vt/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				link(filepath.Join(here, name), filepath.Join(metal, name))
			}
		}
	}
	return overlay
}

// goTest builds the tests of a package of the standard library as an EFI application.
func goTest(t *testing.T, overlay, pkg string) []byte {
	t.Helper()
	base := pkg[strings.LastIndexByte(pkg, '/')+1:]
	var skip []string
	for reason, names := range notOnMetal[pkg] {
		if reason == otherPaths && vmtest.Of(2) == 1 {
			continue
		}
		for name := range strings.FieldsSeq(names) {
			test, sub, _ := strings.Cut(name, "/")
			skip = append(skip, strings.TrimSuffix("^"+test+"$/"+sub, "/"))
		}
	}
	// Where an earlier pattern has more elements than a name and agrees so far, -skip looks at no
	// later one.
	slices.SortFunc(skip, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	start := fmt.Sprintf(`package %s_test

import (
	_ "bootllama/metal"
	"os"
)

func init() {
	os.Args = []string{"test", "-test.v", "-test.short", "-test.run=^Test", "-test.skip=%s"}
	os.Setenv("TMPDIR", "/tmp")
	if err := os.Chdir("/go/src/%s"); err != nil {
		panic(err)
	}
}
`, base, strings.ReplaceAll(strings.Join(skip, "|"), `\`, `\\`), pkg)
	if err := os.WriteFile(filepath.Join(overlay, "src", pkg, "metal_test.go"), []byte(start), 0o666); err != nil {
		t.Fatal(err)
	}
	elf := filepath.Join(t.TempDir(), "elf")
	c := exec.Command("go", "test", "-c", "-buildmode=pie", "-trimpath", "-ldflags=-s -w -E bootllama/metal.entry", "-o", elf, pkg)
	c.Dir = t.TempDir() // in no module
	c.Env = append(os.Environ(), "GOROOT="+overlay, "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go test -c %s: %v\n%s", pkg, err, out)
	}
	f, err := os.Open(elf)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	app, err := pe.Convert(f, pe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// fillVolume copies to the volume the files that the tests expect.
func fillVolume(t *testing.T, image, root string) {
	t.Helper()
	mtools(t, image, "mmd", "::/go", "::/go/src", "::/go/src/path", "::/go/src/os", "::/go/src/path/filepath", "::/tmp", "::/etc", "::/usr", "::/usr/bin")
	for _, dir := range []string{"src/os", "src/path/filepath"} {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(err, len(names))
		}
		for _, sub := range []string{"testdata", "exec"} {
			if folder := filepath.Join(root, dir, sub); exists(folder) {
				names = append(names, folder)
			}
		}
		mtools(t, image, "mcopy", append(append([]string{"-s", "-Q"}, names...), "::/go/"+dir+"/")...)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/group", "etc/hosts", "etc/passwd", "usr/bin/one", "usr/bin/two", "usr/bin/three"} {
		mtools(t, image, "mcopy", file, "::/"+name)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

var verdict = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)

// otherPaths is why tests are left out that BOOTLLAMA_LARGE=1 does not leave out.
const otherPaths = "minutes: other ways to write the same path, as TestRootMultiOpen has them"

// notOnMetal are the tests that are not run, as go test's -skip has them, by what they need.
var notOnMetal = map[string]map[string]string{
	"os": {
		"links": `TestDirFSReadLink TestDirFSLstat TestDirFSWalkDir TestStatError TestStatSymlinkLoop TestSymlink TestLongSymlink
			TestHardLink TestOpenFileCreateExclDanglingSymlink TestCopyFSWithSymlinks TestRootSymlinkToRoot
			TestSymlinkWithTrailingSlash TestFileAndSymlinkStats TestDirAndSymlinkStats TestMkdirAllWithSymlink
			TestStatRelativeSymlink TestRootReadlink TestRootSymlink TestLchown TestRootLinkFrom TestRootLinkTo TestRootMultiLink
			TestRootMultiReadlink TestRootLchown TestRootConsistencyLink TestRootConsistencyReadlink
			TestRootConsistencySymlink TestRootConsistencyLchown TestOpenInRoot
			TestRoot[A-Z].*/symlink TestRootConsistencyRename/.*/symlink TestRootMulti.*/S`,
		"pipes and sockets": `TestLargeCopyViaNetwork TestOpenFileNonBlocking TestNewFileNonBlocking TestFIFONonBlockingEOF TestPipeThreads
			TestEPIPE TestStdPipe TestClosedPipeRaceRead TestClosedPipeRaceWrite TestFdRace TestSpliceFile
			TestGetPollFDAndNetwork TestCopyFile/NotRegular TestSendFile TestRawConnReadWrite TestFdReadRace TestPipeEOF
			TestCloseWithBlockingReadByFd TestCloseWithBlockingReadByNewFile TestReadNonblockingFd TestNewFileNonBlock
			TestNewFileBlock TestPipeCloseRace TestPipeIOCloseRace TestSeekError TestFifoEOF .*/anonymous_pipe`,
		"processes": `TestProcessAlreadyDone TestFileChdirTestlog TestPidfdLeak TestProcessWithHandleLinux TestKillFindProcess TestGetppid
			TestKillStartProcess TestStatStdin TestStartProcess TestExecutable`,
		otherPaths: `TestRootMultiRename/(^|_to_)(dpb|prb|srb)
			TestRootMulti(Chtimes|Create|Lstat|Mkdir|MkdirAllDeep|MkdirAllShallow|OpenFile|ReadFile|Remove|RemoveAll|Stat|WriteFile)/^(dpb|prb|srb)`,
		"devices":     "TestOpenFileDevNull TestDevNullFile",
		"a host name": "TestHostname",
		"permissions, which FAT lacks but for the read-only attribute": "TestChmod TestRootChmod TestRootMultiChmod TestMkdirStickyUmask",
		"times before 1980 or in nanoseconds, or of an access, which EDK2's driver sets itself": `TestChtimesToUnixZero TestChtimes
			TestChtimesOmit TestChtimesDir TestRootChtimes`,
		"paths of more than 260 units, which EDK2's driver refuses": "TestGetwdDeep TestGetwdDeepWithPWDSet TestRemoveAllLongPath TestLongPath",
		"names that FAT does not allow":                             "TestDirFSPathsValid",
		"files of 8 GiB":                                            "TestSeek",
	},
	"path/filepath": {
		"links": `TestGlobSymlink TestWalkSymlinkRoot TestEvalSymlinks TestEvalSymlinksIsNotExist TestIssue13582
			TestRelativeSymlinkToAbsolute TestWalkSymlink TestEvalSymlinksAboveRootChdir TestEvalSymlinksTooManyLinks
			TestEvalSymlinksAboveRoot`,
	},
}

// leastPassed is how many tests and subtests pass with Go 1.26; a later release has more.
var leastPassed = map[string]int{"os": 650, "path/filepath": 30}
