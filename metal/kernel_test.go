//go:build linux && amd64

package metal

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"bootllama/metal/vt"
)

// TestSpans compares the table of address ranges with a map of pages.
func TestSpans(t *testing.T) {
	defer func() { spanCount = 0 }()
	const pages = 400
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		spanCount = 0
		taken := [pages]bool{}
		for step := range 500 {
			start := random.IntN(pages)
			n := 1 + random.IntN(min(20, pages-start))
			a, b := uintptr(userBase+start*pageSize), uintptr(userBase+(start+n)*pageSize)
			any := false
			for _, p := range taken[start : start+n] {
				any = any || p
			}
			if got := overlaps(a, b-a); got != any {
				t.Fatalf("step %d: overlaps(%d, %d) is %v", step, start, n, got)
			}
			add := random.IntN(2) == 0
			if add && !reserve(a, b) || !add && releaseSpan(a, b) != 0 {
				t.Fatalf("step %d: the table is full with %d spans", step, spanCount)
			}
			for i := range taken[start : start+n] {
				taken[start+i] = add
			}
			checkSpans(t, taken[:])
			checkFree(t, taken[:], 1+random.IntN(30))
		}
	}
}

// checkSpans checks that the table has exactly the taken pages, sorted, with gaps between
// the spans.
func checkSpans(t *testing.T, taken []bool) {
	t.Helper()
	i := 0
	for p := 0; p < len(taken); p++ {
		if !taken[p] {
			continue
		}
		first := p
		for p < len(taken) && taken[p] {
			p++
		}
		want := span{uintptr(userBase + first*pageSize), uintptr(userBase + p*pageSize)}
		if i >= spanCount || spans[i] != want {
			t.Fatalf("span %d of %d is %x, want %x", i, spanCount, spans[i], want)
		}
		i++
	}
	if i != spanCount {
		t.Fatalf("%d spans, want %d", spanCount, i)
	}
}

// checkFree checks that freeAddresses finds the first gap that is large enough.
func checkFree(t *testing.T, taken []bool, n int) {
	t.Helper()
	run := 0
	want := 0
	for p := 0; run < n; p++ {
		if p < len(taken) && taken[p] {
			run = 0
			continue
		}
		if run == 0 {
			want = p
		}
		run++
	}
	if got := freeAddresses(uintptr(n) * pageSize); got != uintptr(userBase+want*pageSize) {
		t.Fatalf("%d free pages at page %d, want %d", n, int(got-userBase)/pageSize, want)
	}
}

// TestSpansFull fills the table: then it must refuse another span and keep those it has.
func TestSpansFull(t *testing.T) {
	defer func() { spanCount, identityEnd = 0, 0 }()
	identityEnd = 1 << 40
	for i := range uintptr(maxSpans) {
		if !reserve(userBase+i*2*pageSize, userBase+(i*2+1)*pageSize) {
			t.Fatalf("span %d was refused", i)
		}
	}
	far := uintptr(userBase + 1<<40)
	if reserve(far, far+pageSize) || spanCount != maxSpans {
		t.Fatalf("a span was added to a full table; %d spans", spanCount)
	}
	if !reserve(userBase+pageSize, userBase+2*pageSize) || spanCount != maxSpans-1 {
		t.Fatalf("a span that closes a gap was refused; %d spans", spanCount)
	}
	if !reserve(far, far+pageSize) || munmap(userBase+pageSize, pageSize) != errno(enomem) || spanCount != maxSpans || !overlaps(userBase+pageSize, pageSize) {
		t.Fatalf("a full table has room for both sides of a gap; %d spans", spanCount)
	}
	if munmap(userBase, pageSize) != 0 || munmap(userBase+2*pageSize, pageSize) != 0 || spans[0] != (span{userBase + pageSize, userBase + 2*pageSize}) {
		t.Fatalf("of a span, what is left of both ends that are taken away is %#x", spans[0])
	}
}

func TestMmapArguments(t *testing.T) {
	for _, c := range []struct {
		name                 string
		hint, n, prot, flags uintptr
		want                 uint64
	}{
		{"a file", 0, pageSize, 0, 0x2, enodev},
		{"nothing", 0, 0, 0, mapAnonymous | mapPrivate, einval},
		{"more than there are addresses", 0, ^uintptr(0), 0, mapAnonymous | mapPrivate, enomem},
		{"neither private nor shared", 0, pageSize, 0, mapAnonymous, einval},
		{"executable", 0, pageSize, protExec, mapAnonymous | mapPrivate, eacces},
		{"fixed, unaligned", userBase + 1, pageSize, 0, mapAnonymous | mapPrivate | mapFixed, einval},
		{"fixed, too high", 1 << 47, pageSize, 0, mapAnonymous | mapPrivate | mapFixed, enomem},
		{"fixed, over the top", userTop &^ (pageSize - 1), 1 << 30, 0, mapAnonymous | mapPrivate | mapFixed, enomem},
	} {
		if got := mmap(c.hint, c.n, c.prot, c.flags); got != errno(c.want) {
			t.Errorf("%s: %d, want errno %d", c.name, int64(got), c.want)
		}
	}
}

// TestConsoleCells: what the firmware's console shows of a cell.
func TestConsoleCells(t *testing.T) {
	for _, c := range []struct {
		cell      vt.Cell
		unit      uint16
		attribute uint16 // UEFI 2.10, 12.4.5: text in bits 0 to 3, ground in 4 to 6
	}{
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default}, 'a', 0x07},
		{vt.Cell{Rune: 'é', Fg: 1, Bg: 4}, 'é', 0x14},
		{vt.Cell{Rune: 'a', Fg: 3, Bg: 6}, 'a', 0x36},
		{vt.Cell{Rune: 'a', Fg: 9, Bg: 12}, 'a', 0x1C},
		{vt.Cell{Rune: 0, Fg: vt.Default, Bg: vt.Default}, ' ', 0x07},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default, Attr: vt.Bold}, 'a', 0x0F},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default, Attr: vt.Dim}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 9, Bg: vt.Default, Attr: vt.Dim}, 'a', 0x04},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default, Attr: vt.Reverse}, 'a', 0x70},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default, Attr: vt.Dim | vt.Reverse}, 'a', 0x70},
		{vt.Cell{Rune: 'a', Fg: 8, Bg: vt.Default, Attr: vt.Reverse}, 'a', 0x07}, // 8 is no colour of the ground
		{vt.Cell{Rune: 'a', Fg: 8, Bg: vt.Default}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 8, Bg: 7}, 'a', 0x78},
		{vt.Cell{Rune: 'a', Fg: 2, Bg: 10}, 'a', 0x27},
		{vt.Cell{Rune: 'a', Fg: 0, Bg: 0}, 'a', 0x00},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: 7}, 'a', 0x70},
		{vt.Cell{Rune: 'a', Fg: vt.Default, Bg: vt.Default, Attr: vt.Italic | vt.Underline | vt.Strike}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 0, Bg: vt.Default}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 0, Bg: 8}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 7, Bg: 7}, 'a', 0x77},
		{vt.Cell{Rune: 'a', Fg: 8, Bg: 8}, 'a', 0x07},
		{vt.Cell{Rune: 'a', Fg: 15, Bg: 15}, 'a', 0x7F},
		{vt.Cell{Rune: 'a', Fg: 8, Bg: 4}, 'a', 0x18},
		{vt.Cell{Rune: 'a', Fg: 1, Bg: vt.Default, Attr: vt.Bold}, 'a', 0x0C},
		{vt.Cell{Rune: 'a', Fg: 9, Bg: vt.Default, Attr: vt.Bold | vt.Dim}, 'a', 0x04},
		{vt.Cell{Rune: 'a', Fg: 1, Bg: 4, Attr: vt.Bold | vt.Reverse}, 'a', 0x41},
		{vt.Cell{Rune: 'a', Fg: 16, Bg: 231}, 'a', 0x70},
		{vt.Cell{Rune: 'a', Fg: 196, Bg: 21}, 'a', 0x1C},
		{vt.Cell{Rune: 'a', Fg: 255, Bg: 232}, 'a', 0x0F},
		{vt.Cell{Rune: 'a', Fg: vt.RGB | 0x00FF00, Bg: vt.RGB | 0x000090}, 'a', 0x1A},
		{vt.Cell{Rune: 'a', Fg: vt.RGB | 0xA0A0A0, Bg: vt.RGB | 0x303030}, 'a', 0x07},
	} {
		if got := consoleCell(c.cell); got != (shownCell{c.unit, c.attribute}) {
			t.Errorf("%+v: %q, %#x, want %q, %#x", c.cell, rune(got.unit), got.attribute, rune(c.unit), c.attribute)
		}
	}
}

// TestSimilarCharacters: a letter with a mark becomes the letter.
func TestSimilarCharacters(t *testing.T) {
	for r := rune(0x100); r < 0x180; r++ {
		if base := norm.NFD.String(string(r)); len(base) > len(string(r)) && similarCharacter(r) != uint16(base[0]) {
			t.Errorf("%c becomes %c", r, rune(similarCharacter(r)))
		}
	}
	for r, want := range map[rune]rune{'Ǹ': '?', 'ł': 'l', 'ſ': 's', '’': '\'', '—': '-', '┃': '|', '│': '|', '…': '.', '•': '*', '●': '*', '‹': '<', '←': '<', '›': '>', '→': '>', '↑': '^', '↓': 'v', '“': '"', '⎺': '-', '日': '?', '😀': '?'} {
		if got := similarCharacter(r); got != uint16(want) {
			t.Errorf("%c becomes %c, want %c", r, rune(got), want)
		}
	}
}

// TestSerialBytes: a serial line gets what is written as it is, but nothing that the terminal
// answers, and no beginning of what has not ended.
func TestSerialBytes(t *testing.T) {
	defer func() { serialSize, serialEnd = 0, 0 }()
	terminal.Resize(80, 24)
	sent := func(s string) string {
		serialSize, serialEnd = 0, 0
		for i := range len(s) {
			terminal.Write(s[i])
			serialByte(s[i])
		}
		return string(serialText[:serialEnd])
	}
	for _, c := range [][2]string{
		{"plain\r\n", "plain\r\n"},
		{"é日😀", "é日😀"},
		{"\x1b[1;31mred\x1b[m\x1b[2J", "\x1b[1;31mred\x1b[m\x1b[2J"},
		{"a\x1b[6nb\x1b[c\x1b[5n\x1b[>cc", "abc"},
		{"a\x1b[?25$pb\x1b[18tc\x1bZd", "abcd"},
		{"\xff\xc3", "\xff"},
		{"a\xe6\x97", "a"},
		{"a\x1b[3", "a"},
		{"\x1b]0;title\a", "\x1b]0;title\a"},
	} {
		if got := sent(c[0]); got != c[1] {
			t.Errorf("%q is sent as %q, want %q", c[0], got, c[1])
		}
		for _, b := range []byte("\x18\r\n") {
			terminal.Write(b)
		}
	}
}

// TestSignalFor: exceptions are the signals that Linux makes of them (arch/x86/kernel/traps.c), with its si_code.
func TestSignalFor(t *testing.T) {
	const kernel = 0x80 // SI_KERNEL
	linux := map[uintptr][2]uint64{0: {8, 1}, 1: {5, kernel}, 3: {5, kernel}, 4: {11, kernel}, 5: {11, kernel}, 6: {4, 2}, 10: {11, kernel}, 11: {7, kernel},
		12: {7, kernel}, 13: {11, kernel}, 16: {8, kernel}, 17: {7, kernel}, 19: {8, kernel}}
	for vector := range uintptr(40) {
		for code := range uint64(64) {
			want := linux[vector]
			if vector == 14 {
				want = [2]uint64{11, 1 + code&1}
			}
			if signal, signalCode := signalFor(vector, code); [2]uint64{signal, signalCode} != want {
				t.Fatalf("exception %d with the code %d: signal %d, %d, want %d", vector, code, signal, signalCode, want)
			}
		}
	}
}

// TestHasUART: the node of a serial line is found wherever it is in a device path, which may have no end, or a node of no length.
func TestHasUART(t *testing.T) {
	const end, line, other = "\x7f\xff\x04\x00", "\x03\x0e\x13\x00               ", "\x02\x01\x0c\x00        "
	for path, want := range map[string]bool{
		end: false, line + end: true, other + line + end: true, other + end + line: false, other + other: false, "\x03\x0d" + line[2:] + end: false,
		"\x02\x0e" + line[2:] + end: false, "\x02\x01\x03\x00" + line + end: false, "\x02\x01\x04\x00" + line + end: true, "\x02\x01\x04\x01" + strings.Repeat(" ", 256) + line + end: true,
		strings.Repeat("\x02\x01\x04\x00", 63) + line: true, strings.Repeat("\x02\x01\x04\x00", 64) + line: false,
	} {
		b := append([]byte(path), end...)
		if got := hasUART(address(&b[0])); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
	if hasUART(0) {
		t.Error("no path has one")
	}
}

// TestNames compares the firmware's form of a name with what Linux's vfat makes of it, and
// what a listing makes of that with the name.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", maxName)
	for _, c := range []struct {
		name, want string
		impossible bool
		e          uint64
	}{
		{"b.txt", "b.txt", false, 0},
		{".b", ".b", false, 0},
		{"..a", "..a", false, 0},
		{"a b", "a b", false, 0},
		{"été", "été", false, 0},
		{"日本", "日本", false, 0},
		{"a😀.txt", "a😀.txt", false, 0},
		{"\uFFFD", "\uFFFD", false, 0},
		{"c..", "c", false, 0},
		{"...", "", false, enoent},
		{"bad\xff", "", true, 0},
		{"bad\xc3", "", true, 0},
		{"bad\xf0\x9f\x98", "", true, 0},
		{"bad\xc3x", "", true, 0},
		{" a", "", true, 0},
		{"a ", "", true, 0},
		{"a .", "", true, 0},
		{" ", "", true, 0},
		{"a:b", "", true, 0},
		{"a\\b", "", true, 0},
		{"a\x1f", "", true, 0},
		{"a\x7f", "a\x7f", false, 0},
		{`a"`, "", true, 0},
		{"a*", "", true, 0},
		{"a<", "", true, 0},
		{"a>", "", true, 0},
		{"a?", "", true, 0},
		{"a|", "", true, 0},
		{"\uD7FF\uE000\uFFFF", "\uD7FF\uE000\uFFFF", false, 0},
		{"\U00010000\U0010FFFF", "\U00010000\U0010FFFF", false, 0},
		{long, long, false, 0},
		{long + "x", "", false, enametoolong},
		{strings.Repeat("😀", 127) + "x", strings.Repeat("😀", 127) + "x", false, 0},
		{strings.Repeat("😀", 128), "", false, enametoolong},
		{strings.Repeat("x", 4000), "", false, enametoolong},
	} {
		var p place
		b := []byte(c.name)
		e := p.element(address(&b[0]), address(&b[0])+uintptr(len(b)))
		runtime.KeepAlive(b)
		if e != c.e || p.impossible != c.impossible {
			t.Errorf("%q: errno %d, impossible %v, want %d, %v", c.name, e, p.impossible, c.e, c.impossible)
		}
		if e != 0 || p.impossible {
			continue
		}
		if got := string(utf16.Decode(p.name[:p.size])); got != c.want || p.name[p.size] != 0 {
			t.Errorf("%q became %q, want %q with a zero", c.name, got, c.want)
		}
		if got := listed(p.name[:p.size]); got != c.want {
			t.Errorf("%q is listed as %q", c.want, got)
		}
	}
	if pair := utf16.Encode([]rune("😀")); listed(pair[:1]) != "\xed\xa0\xbd" {
		t.Errorf("half of a pair is listed with what follows it, as %q", listed(pair[:1]))
	}
	// Halves of surrogate pairs, which other systems may have written.
	for _, units := range [][]uint16{{'a', 0xD83D}, {0xDE00, 'b'}, {0xDE00, 0xD83D}, {0xD83D, 0xD83D, 0xDE00}} {
		name := []byte(listed(units))
		var p place
		if e := p.element(address(&name[0]), address(&name[0])+uintptr(len(name))); e != 0 || p.impossible || !slices.Equal(p.name[:p.size], units) {
			t.Errorf("%x is listed as %q, which is %x: errno %d", units, name, p.name[:p.size], e)
		}
		runtime.KeepAlive(name)
	}
}

// listed is the name of a file as getdents has it.
func listed(units []uint16) string {
	b := make([]byte, 3*len(units))
	n := storeName(address(&b[0]), &units[0], len(units))
	return string(b[:n])
}

// TestInodes: a file keeps its number under a new name, and the old name gets another one.
func TestInodes(t *testing.T) {
	defer func() { renamedCount = 0 }()
	key := func(parent uint64, name string) uint64 {
		units := utf16.Encode([]rune(name))
		return inodeKey(parent, &units[0], len(units))
	}
	a, b := key(rootInode(0), "a"), key(rootInode(0), "b")
	inA := inodeAt(key(inodeAt(a), "file"))
	if inodeAt(a) == inodeAt(b) || inA == inodeAt(key(inodeAt(b), "file")) {
		t.Fatal("two names have one number")
	}
	number := inodeAt(a)
	moveInode(a, b)
	if inodeAt(b) != number || inodeAt(a) == number {
		t.Errorf("after a rename %#x and %#x, want %#x only in the second", inodeAt(a), inodeAt(b), number)
	}
	if inodeAt(key(inodeAt(b), "file")) != inA {
		t.Error("a file in a renamed directory has another number")
	}
	second := inodeAt(a)
	moveInode(a, b) // as by writing anew and replacing
	if inodeAt(b) != second || inodeAt(a) == number || inodeAt(a) == second {
		t.Error("a file that replaces another does not keep its number")
	}
	if count := renamedCount; inodeAt(b) != second || count != 2 {
		t.Errorf("%d names are kept, want 2", count)
	}
	if moveInode(b, b); inodeAt(b) != second {
		t.Error("a file that gets its own name does not keep its number")
	}
	const renames = 3 * len(renamedKeys)
	for i := range renames {
		moveInode(key(2, fmt.Sprint(i)), key(3, fmt.Sprint(i)))
	}
	for i := range renames { // each has an entry for either name
		old, anew := key(2, fmt.Sprint(i)), key(3, fmt.Sprint(i))
		if kept := i >= renames-len(renamedKeys)/2; (inodeAt(anew) == old) != kept || (inodeAt(old) != old) != kept {
			t.Fatalf("of %d renames, number %d is kept: %v", renames, i, !kept)
		}
	}
	if inodeAt(a) != a {
		t.Error("the oldest entry of a full table is still there")
	}
}
