package simd

import (
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"
)

// TestSets: each set has the kernels of its instructions, where there are some, and else those of the set before it.
func TestSets(t *testing.T) {
	want := map[string]struct {
		level     level
		tokens    [3]int   // of f32s, int8s and the rows of gemm
		functions []string // that end with the set's name in capitals
		before    []string // with AVX2, in the set avx512
	}{
		"go":     {level: goTwin},
		"sse2":   {level: sse2},
		"avx2":   {avx2, [3]int{6, 2, 4}, []string{"f32s", "f16s", "int8s", "gemm", "rmsNorm", "softmax", "swiGLU", "rotate", "quantize", "add", "read", "argmax"}, nil},
		"avx512": {avx512, [3]int{12, 8, 8}, []string{"f32s", "f16s", "int8s", "gemm", "softmax", "swiGLU", "quantize", "read"}, []string{"rmsNorm", "rotate", "add", "argmax"}},
	}
	names := []string{"go", "sse2"} // every amd64 has it: a test of kernels that finds none has tested nothing
	if x := cpu.X86; x.HasAVX2 && hasF16C() {
		names = append(names, "avx2")
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI && x.HasBMI2 {
			names = append(names, "avx512")
		}
	}
	if len(All()) != len(names) {
		t.Fatalf("%d sets, want %q", len(All()), names)
	}
	for i, k := range All() {
		if k.Name != names[i] {
			t.Errorf("set %d is %s, want %s", i, k.Name, names[i])
		}
		w := want[k.Name]
		if k.level != w.level || [3]int{k.f32Tokens, k.int8Tokens, k.gemmRows} != w.tokens {
			t.Errorf("%s: level %d, %d, %d tokens, %d rows", k.Name, k.level, k.f32Tokens, k.int8Tokens, k.gemmRows)
		}
		v := reflect.ValueOf(k).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).Kind() != reflect.Func {
				continue
			}
			end := ""
			switch {
			case slices.Contains(w.functions, name):
				end = strings.ToUpper(k.Name)
			case slices.Contains(w.before, name):
				end = "AVX2"
			case v.Field(i).IsNil():
				continue // there is no such twin
			}
			if got := runtime.FuncForPC(v.Field(i).Pointer()).Name(); got != "bootllama/simd."+name+end {
				t.Errorf("%s: %s is %s", k.Name, name, got)
			}
		}
	}
	for _, k := range All() {
		for typ, product := range k.blocks {
			name := ""
			if product != nil {
				name = runtime.FuncForPC(reflect.ValueOf(product).Pointer()).Name()
			}
			if got, want := strings.HasSuffix(name, strings.ToUpper(k.Name)), blockFormats[typ].bits > 0 && k.level > goTwin; got != want {
				t.Errorf("%s: the kernel of type %d is %q", k.Name, typ, name)
			}
			if got, want := k.blocks4[typ] != nil, product != nil && k.level >= avx2; got != want {
				t.Errorf("%s: the kernel of type %d for four tokens: %t", k.Name, typ, got)
			}
		}
	}
	if best, all := Best(), All(); best.Name != all[len(all)-1].Name || all[0].Name != "go" {
		t.Errorf("the best are %s, the first %s", best.Name, all[0].Name)
	}
	for _, k := range All() {
		if got, err := Named(k.Name); err != nil || got.Name != k.Name || got.level != k.level {
			t.Errorf("%s: %v, %v", k.Name, got, err)
		}
	}
}

// TestF16C compares with what the operating system read from the same register.
func TestF16C(t *testing.T) {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skipf("SKIPPED, F16C was compared with nothing: %v", err)
	}
	if got, want := hasF16C(), slices.Contains(strings.Fields(string(b)), "f16c"); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
