// Package fusetest looks for products that a compiler fuses with the sum they go into: such a sum has other bits.
package fusetest

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// NothingFused fails if the compiler for arm64, which fuses wherever it may, finds anything to fuse in packages (import
// paths). (amd64 does so for float64 alone, from GOAMD64=v3 on.) files are of these packages, named as from the test's
// folder, and have products: a listing without these would prove nothing.
func NothingFused(t *testing.T, packages []string, files ...string) {
	if testing.Short() {
		t.Skip("compiles for arm64")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("SKIPPED, fused products were not looked for: %v", err)
	}
	args := []string{"build", "-o", os.DevNull}
	for _, p := range packages {
		args = append(args, "-gcflags="+p+"=-S")
	}
	cmd := exec.Command(goTool, append(args, packages...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	listing, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, listing)
	}
	for _, file := range files {
		// What is asked about a file makes go test run again when it changes: on amd64 nothing else may.
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		if !regexp.MustCompile(regexp.QuoteMeta(file) + `:\d+\)\s+FMUL[SD]\s`).Match(listing) {
			t.Errorf("the listing has no multiplication of %s: this test sees nothing", file)
		}
	}
	fused := regexp.MustCompile(`\((\S+\.go:\d+)\)\s+(FN?M(?:ADD|SUB)[SD])\s`)
	for _, m := range fused.FindAllSubmatch(listing, -1) {
		t.Errorf("%s: %s: round the product before it is added", m[1], m[2])
	}
}
