package keyboard

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestRows: each layout has a symbol for each key of a US keyboard, and no letter twice.
func TestRows(t *testing.T) {
	for name, l := range layouts {
		for table, rows := range [][4]string{l.plain, l.shift} {
			seen := map[rune]bool{}
			for row, keys := range rows {
				if got, want := utf8.RuneCountInString(keys), len(us[row]); got != want {
					t.Errorf("%s: row %d of table %d has %d keys, want %d", name, row, table, got, want)
				}
				for _, c := range keys {
					if seen[c] && c != ' ' {
						t.Errorf("%s: table %d has %c twice", name, table, c)
					}
					seen[c] = true
				}
			}
		}
		list := l.entries()
		if len(list) != 4*47 {
			t.Errorf("%s: %d entries", name, len(list))
		}
		for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;?!/\\()[]{}<>|#@$%&*+-=_'\"~^`" {
			if c != ' ' && !has(list, c) {
				t.Errorf("%s: no key has %c", name, c)
			}
		}
	}
}

// has says whether a layout has a character, if only as a dead key.
func has(list []entry, c rune) bool {
	for _, e := range list {
		if e.value == uint16(c)^0xF000 || e.value == dead2|uint16(c) {
			return true
		}
	}
	return false
}

// TestFacts: what people know of their keyboards.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name  string
		table int
		us    rune
		want  rune
		dead  bool
	}{
		{"us", 0, 'y', 'y', false}, {"us", 1, '\\', '|', false}, {"us", 1, '`', '~', false},
		{"de", 0, 'y', 'z', false}, {"de", 0, 'z', 'y', false}, {"de", 1, 'y', 'Z', false}, {"de", 0, '-', 'ß', false},
		{"de", 1, '7', '/', false}, {"de", 2, 'q', '@', false}, {"de", 2, 'e', '€', false}, {"de", 0, ';', 'ö', false},
		{"de", 0, '=', '´', true}, {"de", 1, '=', '`', true}, {"de", 0, '`', '^', true}, {"de", 2, ']', '~', false},
		{"de", 2, '7', '{', false}, {"de", 2, '-', '\\', false}, {"de", 0, '\\', '#', false}, {"de", 2, ',', '<', false},
		{"fr", 0, 'q', 'a', false}, {"fr", 0, 'w', 'z', false}, {"fr", 0, ';', 'm', false}, {"fr", 0, '1', '&', false},
		{"fr", 1, '1', '1', false}, {"fr", 0, '[', '^', true}, {"fr", 1, '[', '¨', true}, {"fr", 2, '0', '@', false},
		{"fr", 1, '.', '/', false}, {"fr", 0, 'm', ',', false},
		{"es", 0, ';', 'ñ', false}, {"es", 0, '\'', '´', true}, {"es", 1, '-', '?', false}, {"es", 0, '=', '¡', false}, {"es", 2, '2', '@', false},
		{"it", 0, ';', 'ò', false}, {"it", 0, '=', 'ì', false}, {"it", 2, ';', '@', false}, {"it", 1, '[', 'é', false},
		{"uk", 1, '3', '£', false}, {"uk", 1, '2', '"', false}, {"uk", 1, '\'', '@', false}, {"uk", 0, '\\', '#', false},
		{"ch", 0, 'y', 'z', false}, {"ch", 1, '[', 'è', false}, {"ch", 2, '2', '@', false},
		{"se", 0, '[', 'å', false}, {"no", 0, ';', 'ø', false}, {"dk", 0, ';', 'æ', false}, {"pt", 0, '\\', '~', true}, {"be", 0, 'q', 'a', false},
	} {
		want := uint16(c.want) ^ 0xF000
		if c.dead {
			want = dead2 | uint16(c.want)
		}
		for _, e := range layouts[c.name].entries() {
			if int(e.table) == c.table && e.key == keyOf(c.us) && e.value != want {
				t.Errorf("%s: table %d of the US key %c has %#x, want %c", c.name, c.table, c.us, e.value, c.want)
			}
		}
	}
}

// TestComposed: the letters are in pairs, each made of the same letter.
func TestComposed(t *testing.T) {
	list := composed()
	if len(list) > 256 {
		t.Errorf("%d compositions, and the kernel takes 256", len(list))
	}
	for d, letters := range composedLetters {
		if utf8.RuneCountInString(letters)%2 != 0 || !strings.ContainsRune(dead, d) {
			t.Errorf("%c: %q", d, letters)
		}
	}
	for _, want := range []composition{{'´', 'e', 'é'}, {'`', 'A', 'À'}, {'^', 'o', 'ô'}, {'~', 'n', 'ñ'}, {'¨', 'u', 'ü'}} {
		found := false
		for _, c := range list {
			found = found || c == want
		}
		if !found {
			t.Errorf("no %c", want.result)
		}
	}
}

func TestUnknown(t *testing.T) {
	if err := Set("de"); err != nil {
		t.Error(err)
	}
	err := Set("xx")
	if err == nil || !strings.Contains(err.Error(), `"xx": there are be, ch, de, dk, es, fr, it, no, pt, se, uk, us`) {
		t.Errorf("an unknown layout: %v", err)
	}
}
