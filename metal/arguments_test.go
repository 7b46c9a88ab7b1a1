//go:build linux && amd64

package metal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// imagePath is argv[0] of the tests.
const imagePath = `\EFI\BOOT\BOOTX64.EFI`

// optionWords returns what the program gets of load options after argv[0], and whether they are a
// command line. They lie between other bytes, which must not become words, and at an odd address.
func optionWords(t *testing.T, options []byte) (words []string, ok bool) {
	t.Helper()
	const around = 8
	memory := bytes.Repeat([]byte{'!'}, around+1+len(options)+around)
	copy(memory[around+1:], options)
	vector := make([]uint64, 2+maxArguments)
	text := bytes.Repeat([]byte{0xA5}, argumentSpace+around)
	p := initialStack{word: address(&vector[1]), text: address(&text[0]), textEnd: address(&text[argumentSpace])}
	p.push(p.string(imagePath))
	n, ok := p.loadOptions(address(&memory[around+1]), uintptr(len(options)))
	if got := int(p.word-address(&vector[1])) / 8; got != int(n)+1 {
		t.Fatalf("%d arguments, and %d were pushed", n+1, got)
	}
	end := int(p.text - address(&text[0]))
	if end > argumentSpace-environmentSpace || vector[0] != 0 || vector[maxArguments+1] != 0 || !bytes.Equal(text[argumentSpace:], bytes.Repeat([]byte{0xA5}, around)) {
		t.Fatal("no room is left for the environment, or memory beside the stack has changed")
	}
	for i := range n {
		at := int(uintptr(vector[2+i]) - address(&text[0]))
		if at < 0 || at >= end {
			t.Fatalf("argument %d is outside of the stack", i+1)
		}
		size := bytes.IndexByte(text[at:end], 0)
		words = append(words, string(text[at:at+size]))
	}
	if !ok && (n != 0 || end != len(imagePath)+1) {
		t.Fatalf("no command line, %d words, %d bytes of text", n, end)
	}
	runtime.KeepAlive([][]byte{memory, text})
	runtime.KeepAlive(vector)
	return words, ok
}

// ucs is UTF-16, little-endian.
func ucs(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// widened is what GRUB's chainloader makes of its arguments: each byte of UTF-8 as a signed unit.
func widened(s string) (b []byte) {
	for i := range len(s) {
		b = binary.LittleEndian.AppendUint16(b, uint16(int8(s[i])))
	}
	return b
}

// TestLoadOptions: words as the UEFI shell splits a line, in every encoding in which load options
// come; what is no text is no word.
func TestLoadOptions(t *testing.T) {
	lines := []struct {
		line string
		want []string
	}{
		{"console", []string{"console"}},
		{"run -i x", []string{"run", "-i", "x"}},
		{"  run\t-n   5 \r\n", []string{"run", "-n", "5"}},
		{"h", []string{"h"}},
		{`run -i "Once upon a time" -s 1`, []string{"run", "-i", "Once upon a time", "-s", "1"}},
		{`run -i "" ""`, []string{"run", "-i", "", ""}},
		{`""`, []string{""}},
		{`a""b c"d e"f "g`, []string{"ab", "cd ef", "g"}},
		{`say ^"so^" ^^ "a ^" b" x^ y end^`, []string{"say", `"so"`, "^", `a " b`, "x y", "end^"}},
		{"run -i été 日本 🙂 Ā", []string{"run", "-i", "été", "日本", "🙂", "Ā"}},
		{`the end ^"`, []string{"the", "end", `"`}},
		{"   ", nil},
		{"", nil},
		{"bootx64.efi run", []string{"run"}},
		{`fs0:\efi\boot\BOOTX64.EFI`, nil},
		{`OTHER.EFI run`, []string{"OTHER.EFI", "run"}},
		{"BOOTX64.EFIX run", []string{"BOOTX64.EFIX", "run"}},
		{"BOOTX64 run", []string{"BOOTX64", "run"}},
	}
	encodings := []struct {
		name   string
		encode func(string) []byte
	}{
		{"UTF-16", ucs},
		{"UTF-16 with a zero", func(s string) []byte { return append(ucs(s), 0, 0) }},
		{"UTF-16 with a zero and more", func(s string) []byte { return append(ucs(s), 0, 0, 0xFF, 0xD8, 1, 2) }},
		{"UTF-16 with a byte order mark", func(s string) []byte { return ucs("\uFEFF" + s) }},
		{"UTF-16 of an odd size", func(s string) []byte { return append(ucs(s), 0) }},
		{"UTF-8", func(s string) []byte { return []byte(s) }},
		{"UTF-8 with a zero", func(s string) []byte { return append([]byte(s), 0) }},
		{"UTF-8 with zeroes", func(s string) []byte { return append([]byte(s), 0, 0, 0) }},
		{"UTF-8 with a byte order mark", func(s string) []byte { return []byte("\uFEFF" + s) }},
		{"GRUB's", func(s string) []byte { return append(widened(s), 0, 0) }},
		{"GRUB's of an odd size", func(s string) []byte { return append(widened(" "+s), 'x') }},
	}
	for _, e := range encodings {
		for _, c := range lines {
			if words, ok := optionWords(t, e.encode(c.line)); !ok || !slices.Equal(words, c.want) {
				t.Errorf("%s: %q: %q, %v; want %q", e.name, c.line, words, ok, c.want)
			}
		}
	}
	for _, text := range []string{"日本 x", "é"} { // only the byte order mark says what they are
		if words, ok := optionWords(t, ucs("\uFEFF"+text)); !ok || !slices.Equal(words, strings.Fields(text)) {
			t.Errorf("%q with a byte order mark: %q, %v", text, words, ok)
		}
	}
	const space = 32<<10 - len(imagePath) - 1 - 256
	for name, data := range map[string][]byte{
		"EDK2's GUID of its own boot entries": {0x4E, 0xAC, 0x08, 0x81, 0x11, 0x9F, 0x59, 0x4D, 0x85, 0x0E, 0xE2, 0x1A, 0x52, 0x2C, 0x59, 0xB2},
		"a device path":                       {0x02, 0x01, 0x0C, 0x00, 0xD0, 0x41, 0x03, 0x0A, 0, 0, 0, 0, 0x7F, 0xFF, 4, 0},
		"one byte":                            {1},
		"one byte, not ASCII":                 {0xFF},
		"a number":                            {0x01, 0, 0, 0},
		"UTF-16, then a control":              ucs("run\x01"),
		"UTF-16, then half a pair":            append(ucs("run"), 0x3D, 0xD8),
		"UTF-16, half a pair inside":          append(append(ucs("run "), 0x3D, 0xD8), ucs("x")...),
		"UTF-16, the other half":              append(ucs("run "), 0x42, 0xDE),
		"UTF-8, then half a character":        []byte("run \xC3"),
		"UTF-8, then an error":                []byte("run \xFF\xFE"),
		"UTF-8, then a control":               []byte("run\x7F"),
		"UTF-8, then another control":         []byte("run\u0085"),
		"not a character":                     ucs("run \uFFFE"),
		"64 KiB of noise":                     bytes.Repeat([]byte{'r', 0xA5, 0x5A}, 64<<10/3),
		"64 KiB of text":                      bytes.Repeat([]byte("words "), 64<<10/6),
		"text that fills the stack":           bytes.Repeat([]byte("w"), space),
		"too many words":                      bytes.Repeat([]byte("w "), 256),
	} {
		if words, ok := optionWords(t, data); ok || words != nil {
			t.Errorf("%s: %q, %v; want nothing", name, words, ok)
		}
	}
	if words, ok := optionWords(t, bytes.Repeat([]byte("w "), 255)); !ok || len(words) != 255 {
		t.Errorf("255 words: %d, %v", len(words), ok)
	}
	if words, ok := optionWords(t, bytes.Repeat([]byte("w"), space-1)); !ok || len(words) != 1 {
		t.Errorf("one long word: %d words, %v", len(words), ok)
	}
	if words, ok := optionWords(t, make([]byte, 64<<10)); !ok || words != nil {
		t.Errorf("64 KiB of zeroes: %q, %v", words, ok)
	}
	vector, text := make([]uint64, 8), make([]byte, argumentSpace)
	p := initialStack{word: address(&vector[0]), text: address(&text[0]), textEnd: address(&text[argumentSpace-1])}
	p.push(p.imageName(0))
	run := []byte("efi run")
	if n, ok := p.loadOptions(address(&run[0]), uintptr(len(run))); n != 2 || !ok {
		t.Errorf("a first word that is a name without an extension is taken for the program's: %d words, %v", n, ok)
	}
	runtime.KeepAlive([]any{vector, text, run})
	for _, b := range [][]byte{{0xFF, 0xFE}, {0xEF, 0xBB, 0xBF}} { // a byte order mark, but for its last byte
		if n, ok := p.loadOptions(address(fixed(t, &b[0])), uintptr(len(b)-1)); n != 0 || ok {
			t.Errorf("half a byte order mark, % x: %d words, %v", b, n, ok)
		}
	}
	if n, ok := p.loadOptions(0, 64<<10); n != 0 || !ok {
		t.Errorf("a null pointer: %d words, %v", n, ok)
	}
	if n, ok := p.loadOptions(1, 0); n != 0 || !ok {
		t.Errorf("no bytes: %d words, %v", n, ok)
	}
}

// TestText: what can be in a command line, of all characters.
func TestText(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		noCharacter := r&0xFFFE == 0xFFFE // the last two of each plane (Unicode 15.0, 23.7)
		want := strings.ContainsRune(" \t\r\n", r) || !unicode.IsControl(r) && r != unicode.ReplacementChar && !noCharacter
		if got := isText(uint32(r)); got != want {
			t.Errorf("%U is text: %v", r, got)
		}
	}
	for paths, want := range map[[2]string]bool{
		{"x.y", "x.y"}: true, {`\b\X.Y`, "FS0:/a/x.y"}: true, {"x.y/", "x.y/"}: false, {"x", "x"}: false, {"x.y", "x.yz"}: false, {"x.yz", "x.y"}: false,
		{"A.Z", "a.z"}: true, {"a.z", "A.Z"}: true, {"@.@", "`.`"}: false, {"[.[", "{.{"}: false, {"x.y", "y.y"}: false, {"x.y", ""}: false, {".", "."}: true,
	} {
		a, b := []byte(paths[0]+"\x00"), []byte(paths[1]+"\x00")
		if got := sameFile(address(fixed(t, &a[0])), address(fixed(t, &b[0]))); got != want {
			t.Errorf("%q are one file: %v", paths, got)
		}
	}
}

// FuzzLoadOptions: any words, quoted as a person would, come back in every encoding; any bytes at all
// give words inside of the stack or none.
func FuzzLoadOptions(f *testing.F) {
	f.Add([]byte("run\x00-i\x00Once \"upon\" a ^ time\x00\x00é🙂"))
	f.Add([]byte("r\x00u\x00n\x00"))
	f.Add([]byte("\xFF\xFEr\x00"))
	random := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		b := make([]byte, random.IntN(40))
		for i := range b {
			b[i] = "run \"^\x00é\xFF"[random.IntN(10)]
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		optionWords(t, data)
		if !utf8.Valid(data) || len(data) > 4096 {
			return
		}
		words := strings.Split(string(data), "\x00")
		for _, w := range words {
			if strings.ContainsFunc(w, func(r rune) bool { return !isText(uint32(r)) }) {
				return
			}
		}
		line := ""
		for _, w := range words {
			line += ` "` + strings.NewReplacer(`^`, `^^`, `"`, `^"`).Replace(w) + `"`
		}
		if len(words) >= maxArguments || strings.EqualFold(words[0], "BOOTX64.EFI") {
			return
		}
		for name, options := range map[string][]byte{"UTF-16": ucs(line), "UTF-8": []byte(line), "GRUB's": widened(line)} {
			if got, ok := optionWords(t, options); !ok || !slices.Equal(got, words) {
				t.Errorf("%s: %q: %q, %v; want %q", name, line, got, ok, words)
			}
		}
	})
}

// TestImageName: argv[0] is the path in the image's device path, whatever its nodes.
func TestImageName(t *testing.T) {
	node := func(kind, subtype byte, data []byte) []byte {
		return append([]byte{kind, subtype, byte(len(data) + 4), byte((len(data) + 4) >> 8)}, data...)
	}
	end := node(0x7F, 0xFF, nil)
	file := func(s string) []byte { return node(4, 4, append(ucs(s), 0, 0)) }
	for _, c := range []struct {
		path []byte
		want string
	}{
		{slices.Concat(file(`\EFI\BOOT\été.EFI`), end), `\EFI\BOOT\été.EFI`},
		{slices.Concat(node(4, 1, make([]byte, 38)), file(`\EFI`), file("BOOT"), file(`X.EFI`), end), `\EFI\BOOT\X.EFI`},
		{slices.Concat(node(4, 4, ucs("NOZERO.EFI")), end), "NOZERO.EFI"},
		{slices.Concat(file(`\A\`), file("B.EFI"), end), `\A\B.EFI`},
		{slices.Concat(node(4, 1, ucs("X")), file("Y"), end), "Y"},
		{slices.Concat(bytes.Repeat(node(1, 1, nil), 63), file("Y"), end), "Y"},
		{slices.Concat(bytes.Repeat(node(1, 1, nil), 64), file("Y"), end), "efi"}, // longer than any path
		{slices.Concat(node(0x7F, 1, nil), file("Y"), end), "efi"},                // the end of one of several paths
		{slices.Concat(file("X"), node(0xFF, 0xFF, nil), file("Y"), end), "X"},    // an end as EFI 1.02 has it
		{slices.Concat(file("X"), node(4, 5, ucs("Z")), node(3, 4, ucs("Z")), end), "X"},
		{slices.Concat([]byte{3, 1, 2, 0, 8, 0, 0, 0, 0, 0}, file("Y"), end), "efi"}, // a size that cannot be
		{end, "efi"},
		{slices.Concat(node(3, 11, make([]byte, 33)), end), "efi"},
		{[]byte{4, 4, 0, 0, 'x', 0}, "efi"}, // a size of 0 would be for ever
	} {
		text := bytes.Repeat([]byte{0xA5}, 1024)
		p := initialStack{text: address(&text[0]), textEnd: address(&text[1023])}
		at := uintptr(p.imageName(address(&c.path[0]))) - address(&text[0])
		runtime.KeepAlive(text)
		if got, _, _ := strings.Cut(string(text[at:]), "\x00"); got != c.want || at != 0 || int(p.text-address(&text[0])) != len(got)+1 {
			t.Errorf("% x: %q at %d, want %q", c.path, got, at, c.want)
		}
	}
	text := make([]byte, 1024)
	p := initialStack{text: address(&text[0]), textEnd: address(&text[1023])}
	if p.imageName(0); string(text[:4]) != "efi\x00" {
		t.Errorf("no device path: %q", text[:4])
	}
}

// shellWords makes what the shell has of a command line.
func shellWords(t *testing.T, words ...string) (argv, argc uintptr) {
	var pointers []uintptr
	for _, w := range words {
		units := append(utf16.Encode([]rune(w)), 0)
		pointers = append(pointers, address(fixed(t, &units[0])))
	}
	return address(fixed(t, &append(pointers, 1)[0])), uintptr(len(words))
}

// TestStack compares the stack of the program with what Linux puts there (System V ABI for AMD64, 3.4.1).
func TestStack(t *testing.T) {
	f := newFirmware(t)
	set(t, &rngProtocol, 0)
	set(t, &memoryUse, Memory{Taken: 1234567890})
	set(t, &startedByShell, true)
	replace(t, leave, func(status uintptr, code uint64) { panic(fmt.Sprintf("%s, %d", statusName(status), code)) })
	many := slices.Repeat([]string{"w"}, 256)
	long := strings.Repeat("x", 32<<10-200)
	for _, words := range [][]string{{"EX.EFI"}, {`FS0:\\EX.EFI`, "", "été 日本 🙂"}, many, {long}} {
		parameters := fixed(t, &efiShellParameters{})
		parameters.argv, parameters.argc = shellWords(t, words...)
		f.install(imageHandle, shellParametersGUID, address(parameters))
		stack := fixed(t, new([32 << 10]uint64)) // 256 KiB
		top := address(stack)&^15 + 256<<10
		sp := buildStack(top)
		if sp%16 != 0 || sp < address(stack)+64<<10 {
			t.Errorf("%d arguments: the stack begins at %#x", len(words), sp)
		}
		least := top
		text := func() string {
			p := *at[uintptr](sp)
			sp += 8
			least = min(least, p)
			n := uintptr(0)
			for *at[byte](p + n) != 0 && p+n < top-16 {
				n++
			}
			return string(unsafe.Slice(at[byte](p), n))
		}
		word := func() uintptr { sp += 8; return *at[uintptr](sp - 8) }
		var got, environment []string
		for range word() {
			got = append(got, text())
		}
		if end := word(); !slices.Equal(got, words) || end != 0 {
			t.Errorf("arguments %q, %d; want %q", got, end, words)
		}
		for *at[uintptr](sp) != 0 {
			environment = append(environment, text())
		}
		word()
		if want := []string{"GODEBUG=asyncpreemptoff=1,profstackdepth=0", "GOMEMLIMIT=1111111101", "TERM=xterm-256color"}; !slices.Equal(environment, want) {
			t.Errorf("environment %q, want %q", environment, want)
		}
		auxiliary := map[uintptr]uintptr{} // elf.h
		for tag := word(); tag != 0; tag = word() {
			auxiliary[tag] = word()
		}
		if end := word(); end != 0 {
			t.Errorf("the auxiliary vector ends with %#x", end)
		}
		const pageSz, secure, random = 6, 23, 25
		if len(auxiliary) != 3 || auxiliary[pageSz] != 4096 || auxiliary[secure] != 0 || auxiliary[random] != top-16 {
			t.Errorf("auxiliary vector %#x", auxiliary)
		}
		if a, b := *at[uint64](top - 16), *at[uint64](top - 8); a == b || a == 0 || b == 0 {
			t.Errorf("random bytes %#x, %#x", a, b)
		}
		if sp > least {
			t.Errorf("%d arguments: the words end at %#x, the strings begin at %#x", len(words), sp, least)
		}
	}
	for want, words := range map[string][]string{
		"metal: the shell has passed more than 255 arguments: EFI_INVALID_PARAMETER (0x8000000000000002)\n": append(many, "w"),
		"metal: the arguments are too long: EFI_INVALID_PARAMETER (0x8000000000000002)\n":                   {long, strings.Repeat("x", 200)},
	} {
		old := fixed(t, &efiShellInterface{}) // of shells before 2.0
		old.argv, old.argc = shellWords(t, words...)
		f.protocols[imageHandle] = map[guid]uintptr{shellInterfaceGUID: address(old)}
		f.said = ""
		stack := fixed(t, new([32 << 10]uint64))
		if got := ends(func() { buildStack(address(stack) + 256<<10) }); got != "EFI_INVALID_PARAMETER, 134" || f.said != want {
			t.Errorf("%s; %q, want %q", got, f.said, want)
		}
	}
	f.protocols[imageHandle] = nil
	if argv, argc := shellArguments(); argv != 0 || argc != 0 {
		t.Errorf("no shell: %#x, %d", argv, argc)
	}
}

// TestOptionsOfImage: without a shell the arguments are the image's path and the words of its load options.
func TestOptionsOfImage(t *testing.T) {
	f := newFirmware(t)
	set(t, &startedByShell, false)
	path := append([]byte{4, 4, 16, 0}, ucs("A.EFI\x00")...)
	path = append(path, 0x7F, 0xFF, 4, 0)
	options := []byte("run \x01 now")
	image := fixed(t, &efiLoadedImage{filePath: address(fixed(t, &path[0])), loadOptions: address(fixed(t, &options[0]))})
	set(t, &loadedImage, address(image))
	for size, want := range map[uint32]string{0: "A.EFI", 4: "A.EFI run", 10: "A.EFI"} {
		image.loadOptionsSize, f.said = size, ""
		vector, text := fixed(t, new([300]uint64)), fixed(t, new([argumentSpace]byte))
		p := initialStack{word: address(vector), text: address(text), textEnd: address(text) + argumentSpace}
		n := p.arguments()
		var got []string
		for _, at := range vector[:n] {
			s, _, _ := strings.Cut(string(text[uintptr(at)-address(text):]), "\x00")
			got = append(got, s)
		}
		said := ""
		if size == 10 {
			said = "metal: the load options (10 bytes) are no command line; they are ignored\n"
		}
		if strings.Join(got, " ") != want || f.said != said || p.word != address(&vector[n]) {
			t.Errorf("%d bytes: %q, want %q; it said %q", size, got, want, f.said)
		}
	}
	if !On() {
		t.Error("with a firmware it is not on")
	}
	if systemTableAddress = 0; On() {
		t.Error("without a firmware it is on")
	}
}

// TestMemoryLimit: the limit is nine tenths of the memory, in decimal.
func TestMemoryLimit(t *testing.T) {
	defer func(use Memory) { memoryUse = use }(memoryUse)
	for _, taken := range []uintptr{0, 9, 10, 19, 110, 111, 1110, 1120, 64 << 20, 4 << 30, 1 << 46, 999_999_999, 1_000_000_000, 1_111_111_111} {
		memoryUse.Taken = taken
		text := fixed(t, new([64]byte))
		p := initialStack{text: address(text), textEnd: address(text) + 64}
		start := uintptr(p.memoryLimit())
		got, _, _ := strings.Cut(string(text[:]), "\x00")
		if want := fmt.Sprint("GOMEMLIMIT=", taken/10*9); got != want || start != address(text) || p.text != start+uintptr(len(want))+1 {
			t.Errorf("%d bytes: %q, want %q", taken, got, want)
		}
	}
}

// TestFirstThread: thread 1 begins at the runtime's first instruction, on a stack of its own, or there is a line that says why not.
func TestFirstThread(t *testing.T) {
	f := newFirmware(t)
	set(t, &bootCore.thread, 0)
	set(t, &spanCount, 0)
	replace(t, leave, func(status uintptr, code uint64) { panic(fmt.Sprintf("%s, %d", statusName(status), code)) })
	var mapped, threads bool
	replace(t, mapZeroed, func(start, n uintptr) bool {
		if start != userBase+pageSize || n != 256<<10 {
			t.Errorf("the stack is %d bytes at %#x", n, start)
		}
		return mapped
	})
	replace(t, buildStack, func(top uintptr) uintptr { return top - 1000 })
	replace(t, initThreads, func() bool { return threads })
	first := fixed(t, &thread{})
	replace(t, newThread, func() *thread { return first })
	for _, c := range []struct {
		name            string
		mapped, threads bool
		want            string
	}{
		{"room for all", true, true, ""},
		{"no memory", false, true, "metal: no room for the program's stack: EFI_OUT_OF_RESOURCES (0x8000000000000009)\n"},
		{"no threads", true, false, "metal: no room for a table of threads: EFI_OUT_OF_RESOURCES (0x8000000000000009)\n"},
	} {
		mapped, threads, f.said, *first = c.mapped, c.threads, "", thread{}
		spans[0], spanCount = span{userBase, userBase + pageSize}, 1 // the stack is behind it
		ended := ends(initFirstThread)
		if f.said != c.want || (ended == "EFI_OUT_OF_RESOURCES, 134") != (c.want != "") {
			t.Errorf("%s: %q, %s", c.name, f.said, ended)
		}
		if stack := (span{userBase, userBase + pageSize + 256<<10}); c.want == "" && (spans[0] != stack || spanCount != 1 ||
			first.state != stateRunning || uintptr(first.ip) != runtimeEntry() || uintptr(first.sp) != stack.end-1000 || bootCore.thread != address(first)) {
			t.Errorf("the stack %x, thread %+v, which runs: %v", spans[0], first.registers, bootCore.thread == address(first))
		}
	}
}
