//go:build linux && amd64

package metal_test

import (
	"bytes"
	"debug/elf"
	"maps"
	"slices"
	"strings"
	"testing"

	"bootllama/internal/efi"
)

// kernelMayCall are the functions outside the package that kernel code may call. The
// panics are for bugs: without an m they fault at once, and the kernel prints the fault.
var kernelMayCall = map[string]bool{
	"runtime.morestack_noctxt": true, // in every prologue, for a stack that is never full
	"runtime.panicBounds":      true,
	"runtime.panicdivide":      true,
}

// callsFirmware are the functions that call an address which they got as a value, and the one that calls callFirmware by a
// variable.
var callsFirmware = []string{"bootllama/metal.callFirmware", "bootllama/metal.refuse", "bootllama/metal.firmware"}

// instruction is what TestKernelCalls needs to know of an instruction. decode, in
// lint_amd64_test.go, reads one.
type instruction struct {
	size         int    // in bytes; 0: unknown
	direct       bool   // a call or any jump to
	target       uint64 // this address
	indirectCall bool
}

// TestKernelCalls disassembles the linked kernel. Kernel code runs without a P and
// between any two instructions of the program: a call into the allocator, a write
// barrier or a map would corrupt the heap, and the compiler inserts them silently.
func TestKernelCalls(t *testing.T) {
	file, err := efi.Link(t.Context(), efi.Options{Package: "bootllama/metal/internal/exercise", Symbols: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	text := f.Section(".text")
	code, err := text.Data()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(symbols, func(a, b elf.Symbol) int { return int(int64(a.Value) - int64(b.Value)) })
	var functions []elf.Symbol
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value >= text.Addr && s.Value+s.Size <= text.Addr+text.Size {
			functions = append(functions, s)
		}
	}
	called := map[string]bool{}
	kernel := 0
	for _, s := range functions {
		if !isKernel(s.Name) {
			continue
		}
		kernel++
		for at := s.Value; at < s.Value+s.Size; {
			inst := decode(code[at-text.Addr:], at)
			if inst.size == 0 {
				t.Errorf("%s+%#x: cannot decode % x", s.Name, at-s.Value, code[at-text.Addr:][:8])
				break
			}
			switch {
			case inst.direct:
				name := functionAt(functions, inst.target)
				if !isKernel(name) {
					called[name] = true
					if !kernelMayCall[name] {
						t.Errorf("%s+%#x calls %s", s.Name, at-s.Value, name)
					}
				}
			case inst.indirectCall && !slices.Contains(callsFirmware, strings.TrimSuffix(s.Name, ".abi0")):
				t.Errorf("%s+%#x: an indirect call", s.Name, at-s.Value)
			}
			at += uint64(inst.size)
		}
	}
	if kernel < 100 {
		t.Errorf("found %d kernel functions: the test does not look where the kernel is", kernel)
	}
	t.Logf("%d functions, calls outside: %v", kernel, slices.Sorted(maps.Keys(called)))
}

// isKernel reports whether a function is one of the kernel's.
func isKernel(name string) bool {
	return strings.HasPrefix(name, "bootllama/metal.") || strings.HasPrefix(name, "bootllama/metal/vt.")
}

// functionAt returns the name of the function that contains an address.
func functionAt(functions []elf.Symbol, address uint64) string {
	i, _ := slices.BinarySearchFunc(functions, address+1, func(s elf.Symbol, a uint64) int { return int(int64(s.Value) - int64(a)) })
	if i == 0 || address >= functions[i-1].Value+functions[i-1].Size {
		return "?"
	}
	return strings.TrimSuffix(functions[i-1].Name, ".abi0")
}
