//go:build linux && amd64

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/disk"
	"bootllama/internal/efi"
	"bootllama/internal/logits"
	"bootllama/internal/vm"
	"bootllama/internal/vm/vmtest"
)

// TestLogitsOnMetal: on the bare machine, with and without AVX, and built by the next
// Go release, too, the logits have llama2.c's bits.
func TestLogitsOnMetal(t *testing.T) {
	if _, err := vm.FindQEMU(); err != nil {
		t.Skip(err)
	}
	all, err := logits.ReadCases("../../testdata/logits.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []logits.Case
	var want string
	var files []disk.File
	taken, short := map[string]bool{}, map[string]string{}
	for _, c := range all {
		for _, name := range []*string{&c.Model, &c.Tokenizer} {
			path := filepath.Join("../../testdata", *name)
			if _, err := os.Stat(path); err != nil {
				path = filepath.Join(modelsDir, *name)
			}
			if _, err := os.Stat(path); err != nil {
				*name = ""
				continue
			}
			if short[path] == "" {
				short[path] = disk.ShortName(*name, taken)
				files = append(files, vmtest.Copy(t, short[path], path))
			}
			*name = short[path]
		}
		if c.Model != "" && c.Tokenizer != "" {
			cases = append(cases, c)
			want += c.FNV64a + "\n"
		}
	}
	data, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, vmtest.Content("LOGITS.JSN", data))
	for _, c := range []struct{ name, cpu, toolchain string }{{"max", "max", ""}, {"qemu64", "qemu64", ""}, {"next Go", "max", "go1.27.4"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, err := efi.Build(t.Context(), efi.Options{Package: "bootllama/cmd/efi/internal/bits", Toolchain: c.toolchain})
			if err != nil && strings.Contains(err.Error(), "download go1.27.4") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			b := vmtest.New(t, append(slices.Clone(files), vmtest.Content("BITS.EFI", app)), 0, "BITS.EFI")
			b.CPU = c.cpu
			b.WantStatuses(t, 0)
			if got := b.Out.String(); got != want {
				t.Errorf("hashes on bare metal\n%sllama2.c's\n%s", got, want)
			}
		})
	}
	if len(cases) < len(all) {
		t.Logf("%d of %d cases: the published models are absent (see testdata/README.md)", len(cases), len(all))
	}
}
