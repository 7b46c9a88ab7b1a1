//go:build linux && amd64

package metal

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
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
	defer func() { spanCount = 0 }()
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
}

func TestMmapArguments(t *testing.T) {
	for _, c := range []struct {
		name                 string
		hint, n, prot, flags uintptr
		want                 uint64
	}{
		{"a file", 0, pageSize, 0, 0x2, enodev},
		{"nothing", 0, 0, 0, mapAnonymous, einval},
		{"more than there are addresses", 0, ^uintptr(0), 0, mapAnonymous, einval},
		{"executable", 0, pageSize, protExec, mapAnonymous, eacces},
		{"fixed, unaligned", userBase + 1, pageSize, 0, mapAnonymous | mapFixed, einval},
		{"fixed, too high", 1 << 47, pageSize, 0, mapAnonymous | mapFixed, enomem},
		{"fixed, over the top", userTop &^ (pageSize - 1), 1 << 30, 0, mapAnonymous | mapFixed, enomem},
	} {
		if got := mmap(c.hint, c.n, c.prot, c.flags); got != errno(c.want) {
			t.Errorf("%s: %d, want errno %d", c.name, int64(got), c.want)
		}
	}
}

// TestUnicode compares the decoders, which get one byte or unit at a time, with the
// standard library's.
func TestUnicode(t *testing.T) {
	inputs := []string{"plain", "é日本🙂", "\xff", "a\xc3", "a\xc3b", "\xc3\xa9\xe6\x97", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "é\x80é"}
	for _, s := range inputs {
		var d utf8Decoder
		var got []rune
		for i := range len(s) {
			for again := true; again; {
				var r uint32
				if r, again = d.decode(s[i]); r != noRune {
					got = append(got, rune(r))
				}
			}
		}
		if utf8.ValidString(s) && string(got) != s {
			t.Errorf("%q decoded as %q", s, string(got))
		}
		if d.need == 0 && !utf8.ValidString(s) && !slices.Contains(got, replacementRune) {
			t.Errorf("%q decoded as %q, without a sign that it is wrong", s, string(got))
		}
	}
	for _, s := range inputs[:2] {
		var d utf16Decoder
		var got []byte
		for _, u := range utf16.Encode([]rune(s)) {
			n := d.decode(u)
			got = append(got, d.utf8[:n]...)
		}
		if string(got) != s {
			t.Errorf("%q went through UTF-16 as %q", s, got)
		}
	}
	var d utf16Decoder
	if n := d.decode(0xDC00); string(d.utf8[:n]) != "\uFFFD" {
		t.Error("a lone low surrogate is not replaced")
	}
}

// TestControls: of the control characters, in UTF-8 or as single bytes, only those of EFI consoles reach one.
func TestControls(t *testing.T) {
	defer func() { outputTextSize = 0 }()
	shown := func(s string) string {
		outputTextSize = 0
		var d utf8Decoder
		for i := range len(s) {
			for again := true; again; {
				var r uint32
				r, again = d.decode(s[i])
				putRune(r)
			}
		}
		return string(utf16.Decode(outputText[:outputTextSize]))
	}
	for r := range rune(0x100) {
		want := string(r)
		switch {
		case r == '\n':
			want = "\r\n"
		case (r < ' ' || r >= 0x7F && r < 0xA0) && r != '\r' && r != '\b' && r != '\t':
			want = ""
		}
		if got := shown(string(r)); got != want {
			t.Errorf("%U is shown as %q, want %q", r, got, want)
		}
	}
	if got := shown("\x1b[31m\x9b31m"); got != "[31m\uFFFD31m" {
		t.Errorf("%q", got)
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		name, want string
		e          uint64
	}{
		{"/", "", 0},
		{"", "", 0},
		{".", "", 0},
		{"/a/b.txt", `a\b.txt`, 0},
		{"a//b/./c/", `a\b\c`, 0},
		{`\models\x.bin`, `models\x.bin`, 0},
		{"/a/../b", "b", 0},
		{"/a/b/../../..", "", 0},
		{"a/b/..", "a", 0},
		{"été/日", `été\日`, 0},
		{"/..a/.b/c..", `..a\.b\c..`, 0},
		{"bad\xff", "", einval},
		{"bad\xc3/x", "", einval},
		{"🙂", "", einval}, // not in the UCS-2 of a firmware path
	} {
		b := append([]byte(c.name), 0)
		path, e := convertPath(address(&b[0]))
		runtime.KeepAlive(b)
		if e != c.e {
			t.Errorf("%q: errno %d, want %d", c.name, e, c.e)
		}
		if e != 0 {
			continue
		}
		n := 0
		for path[n] != 0 {
			n++
		}
		if got := string(utf16.Decode(path[:n])); got != c.want {
			t.Errorf("%q became %q, want %q", c.name, got, c.want)
		}
	}
	long := make([]byte, 2*maxPath)
	for i := range long {
		long[i] = 'x'
	}
	if _, e := convertPath(address(&long[0])); e != enametoolong && e != einval {
		t.Errorf("a path of %d bytes: errno %d", len(long), e)
	}
}

func TestUnixTime(t *testing.T) {
	for year := 1970; year < 2200; year++ {
		for month := time.January; month <= time.December; month++ {
			for _, day := range []int{1, 28} {
				want := time.Date(year, month, day, 23, 59, 58, 0, time.UTC)
				got := unixTime(&efiTime{year: uint16(year), month: byte(month), day: byte(day), hour: 23, minute: 59, second: 58, timeZone: efiUnspecifiedTimeZone})
				if got != want.Unix() {
					t.Fatalf("%v: %d, want %d", want, got, want.Unix())
				}
			}
		}
	}
	// 8.3: Localtime = UTC - TimeZone, so noon at -60 is 11:00 UTC.
	noon := efiTime{year: 2000, month: 1, day: 1, hour: 12, timeZone: -60}
	if got, want := unixTime(&noon), time.Date(2000, 1, 1, 11, 0, 0, 0, time.UTC).Unix(); got != want {
		t.Errorf("a time zone of -60: %d, want %d", got, want)
	}
}
