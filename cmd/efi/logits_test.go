//go:build linux && amd64

package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/efi"
	"bootllama/internal/golden"
	"bootllama/internal/vm/vmtest"
)

// TestLogitsOnMetal: on the bare machine, with AVX or without it, in turn, the logits have llama2.c's bits, and tokens and
// text of every golden of this repository's models are llama2.c's; an eighth is made by the next Go release, too. With
// BOOTLLAMA_LARGE=1 each of the three machines makes all.
func TestLogitsOnMetal(t *testing.T) {
	vmtest.Need(t)
	s := newScript()
	var cases []golden.Case
	absent := 0
	for _, name := range append([]string{"testdata/logits.json"}, golden.Own...) {
		all, err := golden.Read[golden.Case](filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c = c.In(root); golden.Absent(c.Model) {
				absent++
				continue
			}
			c.Model, c.Tokenizer = s.name(t, c.Model), s.name(t, c.Tokenizer)
			if c.FNV64a != "" {
				s.wants = append(s.wants, c.FNV64a+"\n")
			} else {
				s.wants = append(s.wants, c.IDs()+c.Text())
				c.Tokens, c.Stdout, c.Bytes = nil, "", "" // the machine does not know them
			}
			cases = append(cases, c)
		}
	}
	for _, c := range []struct {
		name, cpu, toolchain string
		first, nth           int
	}{{"max", "max", "", 0, 2}, {"qemu64", "qemu64", "", 1, 2}, {"next Go", "max", "go1.27.4", 0, 8}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, err := efi.Build(t.Context(), efi.Options{Package: "bootllama/cmd/efi/internal/bits", Toolchain: c.toolchain})
			if err != nil && strings.Contains(err.Error(), "download go1.27.4") {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			nth := vmtest.Of(c.nth)
			first := c.first % nth
			data, err := json.Marshal(every(first, nth, cases))
			if err != nil {
				t.Fatal(err)
			}
			b := vmtest.New(t, append(slices.Clone(s.files), vmtest.Content("BITS.EFI", app), vmtest.Content("GOLDENS.JSN", data)), 0, "BITS.EFI")
			b.CPU, b.MemoryMiB = c.cpu, 256 // for one model after the other
			b.WantStatuses(t, 0)
			if got, want := b.Out.String(), strings.Join(every(first, nth, s.wants), ""); got != want {
				t.Errorf("bare metal printed\n%s\nllama2.c\n%s", got, want)
			}
		})
	}
	if absent > 0 {
		t.Run("published models", func(t *testing.T) {
			t.Skipf("SKIPPED, %d cases of published models: they are not there (see testdata/README.md)", absent)
		})
	}
}
