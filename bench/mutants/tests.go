//go:build unix

package main

import "strings"

// check is a run of go test.
type check struct {
	args []string
	vm   bool // it starts virtual machines
}

func (c check) String() string { return strings.Join(c.args, " ") }

// room is a package of which mutants are made, and the tests that can see them: its own, and those of what imports it.
// Cheap ones come first.
type room struct {
	folder string
	checks []check
}

func host(args ...string) check { return check{args, false} }
func vm(args ...string) check   { return check{args, true} }

// cmd is those tests of the host command that start no machine.
var cmd = host("-run", "Test(Usage|Help|ClosedPipe|BadFiles|Image|Info.*|CannotWrite)$", "./cmd/bootllama")

var rooms = []room{
	{"simd", []check{host("./simd"), host(".")}},
	{".", []check{host("."), host("./chat", "./internal/run")}},
	{"tensor", []check{host("./tensor"), host(".")}},
	{"session", []check{host("./session"), host("./chat", "./assistant", "./internal/run")}},
	{"chat", []check{host("./chat"), host("./internal/run")}},
	{"stories", []check{host("./stories"), host("./internal/run")}},
	{"assistant", []check{host("./assistant"), host("./internal/run")}},
	{"internal/run", []check{host("./internal/run"), host("./chat"), cmd}},
	{"gguf", []check{host("./gguf")}},
	{"tokenizer", []check{host("./tokenizer")}},
	{"sampler", []check{host("./sampler")}},
	{"workers", []check{host("./workers"), host("."), host("./internal/run")}},
	{"internal/disk", []check{host("-short", "./internal/disk"), cmd}},
	{"internal/pe", []check{host("./internal/pe"), host("./internal/efi")}},
	{"metal/vt", []check{host("./metal/vt")}},
	{"screen", []check{host("-short", "./screen")}},
	{"internal/settings", []check{host("./internal/settings"), host("./internal/start")}},
	{"internal/start", []check{host("./internal/start")}},
	{"metal", []check{host("-short", "./metal"), vm("-failfast", "-timeout", "60m", "-run", "Test(Exercises|Files)$", "./metal"), vm("-run", "TestUBoot$", "./cmd/efi"), vm("-failfast", "-timeout", "60m", "./metal")}},
}

func checksOf(folder string) []check {
	for _, r := range rooms {
		if r.folder == folder {
			return r.checks
		}
	}
	return nil
}
