// Package keyboard tells package metal which layout a keyboard has. Most firmware takes every
// keyboard for a US one, and tells which character such a keyboard would have at the place of
// the key that was pressed.
//
// Two limits follow from that. The numeric keypad, while Num Lock is on, cannot be told from
// the main block. And the key between the left Shift and Z, which a US keyboard lacks, is
// either not there for the firmware, or cannot be told from the one with \ and |; where a
// layout has < > | on it, they are also AltGr with the three keys left of the right Shift, as
// far as the layout has nothing else there.
package keyboard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// A symbol of a layout is a character, or one of these: a dead key, which waits for a letter.
// In the tables they are written as the letters that they are drawn like.
const dead = "`´^~¨"

// layout is the rows of a keyboard, as a person sees them: the keys in the places of
//
//	`1234567890-=
//	qwertyuiop[]
//	asdfghjkl;'\
//	zxcvbnm,./
//
// of a US keyboard, without Shift and with it. A blank is a key without a character. third has
// what AltGr adds: pairs of the US character of the key and the symbol; fourth the same with
// Shift. live are those symbols of dead that are no dead keys in this layout.
type layout struct {
	plain, shift  [4]string
	third, fourth string
	live          string
	beside        string // symbols that the key beside the left Shift alone has
}

var layouts = map[string]layout{
	"us": {
		plain: us, live: dead,
		shift: usShift,
	},
	"uk": {
		plain: [4]string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'#", "zxcvbnm,./"},
		shift: [4]string{"¬!\"£$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:@~", "ZXCVBNM<>?"},
		third: "`¦ 4€ eé uú ií oó aá", fourth: "eÉ uÚ iÍ oÓ aÁ", live: dead, beside: "\\|",
	},
	"de": {
		plain: [4]string{"^1234567890ß´", "qwertzuiopü+", "asdfghjklöä#", "yxcvbnm,.-"},
		shift: [4]string{"°!\"§$%&/()=?`", "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", "YXCVBNM;:_"},
		third: "2² 3³ 7{ 8[ 9] 0} -\\ q@ e€ ]~ mµ", live: "~", beside: "<>|",
	},
	"fr": {
		plain: [4]string{"²&é\"'(-è_çà)=", "azertyuiop^$", "qsdfghjklmù*", "wxcvbn,;:!"},
		shift: [4]string{" 1234567890°+", "AZERTYUIOP¨£", "QSDFGHJKLM%µ", "WXCVBN?./§"},
		third: "2~ 3# 4{ 5[ 6| 7` 8\\ 9^ 0@ -] =} e€ ]¤", beside: "<>",
	},
	"be": {
		plain: [4]string{"²&é\"'(§è!çà)-", "azertyuiop^$", "qsdfghjklmùµ", "wxcvbn,;:="},
		shift: [4]string{"³1234567890°_", "AZERTYUIOP¨*", "QSDFGHJKLM%£", "WXCVBN?./+"},
		third: "1| 2@ 3# 6^ 8\\ 9{ 0} [[ ]] e€ '´ \\` /~", beside: "<>",
	},
	"es": {
		plain: [4]string{"º1234567890'¡", "qwertyuiop`+", "asdfghjklñ´ç", "zxcvbnm,.-"},
		shift: [4]string{"ª!\"·$%&/()=?¿", "QWERTYUIOP^*", "ASDFGHJKLÑ¨Ç", "ZXCVBNM;:_"},
		third: "`\\ 1| 2@ 3# 4~ 5€ 6¬ e€ [[ ]] '{ \\}", beside: "<>|",
	},
	"it": {
		plain: [4]string{"\\1234567890'ì", "qwertyuiopè+", "asdfghjklòàù", "zxcvbnm,.-"},
		shift: [4]string{"|!\"£$%&/()=?^", "QWERTYUIOPé*", "ASDFGHJKLç°§", "ZXCVBNM;:_"},
		third: "5€ e€ [[ ]] ;@ '# -` =~", fourth: "[{ ]}", live: dead, beside: "<>|",
	},
	"pt": {
		plain: [4]string{"\\1234567890'«", "qwertyuiop+´", "asdfghjklçº~", "zxcvbnm,.-"},
		shift: [4]string{"|!\"#$%&/()=?»", "QWERTYUIOP*`", "ASDFGHJKLÇª^", "ZXCVBNM;:_"},
		third: "2@ 3£ 4§ 5€ 7{ 8[ 9] 0} e€ [¨", beside: "<>|",
	},
	"ch": {
		plain: [4]string{"§1234567890'^", "qwertzuiopü¨", "asdfghjklöä$", "yxcvbnm,.-"},
		shift: [4]string{"°+\"*ç%&/()=?`", "QWERTZUIOPè!", "ASDFGHJKLéà£", "YXCVBNM;:_"},
		third: "1¦ 2@ 3# 6¬ 7| 8¢ -´ =~ e€ [[ ]] '{ \\}", beside: "<>\\",
	},
	"se": {
		plain: [4]string{"§1234567890+´", "qwertyuiopå¨", "asdfghjklöä'", "zxcvbnm,.-"},
		shift: [4]string{"½!\"#¤%&/()=?`", "QWERTYUIOPÅ^", "ASDFGHJKLÖÄ*", "ZXCVBNM;:_"},
		third: "2@ 3£ 4$ 5€ 7{ 8[ 9] 0} -\\ e€ ]~ mµ", beside: "<>|",
	},
	"no": {
		plain: [4]string{"|1234567890+\\", "qwertyuiopå¨", "asdfghjkløæ'", "zxcvbnm,.-"},
		shift: [4]string{"§!\"#¤%&/()=?`", "QWERTYUIOPÅ^", "ASDFGHJKLØÆ*", "ZXCVBNM;:_"},
		third: "2@ 3£ 4$ 5€ 7{ 8[ 9] 0} =´ e€ ]~ mµ", beside: "<>|",
	},
	"dk": {
		plain: [4]string{"½1234567890+´", "qwertyuiopå¨", "asdfghjklæø'", "zxcvbnm,.-"},
		shift: [4]string{"§!\"#¤%&/()=?`", "QWERTYUIOPÅ^", "ASDFGHJKLÆØ*", "ZXCVBNM;:_"},
		third: "2@ 3£ 4$ 5€ 7{ 8[ 9] 0} =| e€ ]~ mµ", beside: "<>\\",
	},
}

var (
	us      = [4]string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", "zxcvbnm,./"}
	usShift = [4]string{"~!@#$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:\"|", "ZXCVBNM<>?"}
)

// Names are the names of the layouts.
func Names() []string { return slices.Sorted(maps.Keys(layouts)) }

// Set makes metal take the keyboard for one of the named layout. On a host it only checks the
// name. Keys that come over a serial line are not changed.
func Set(name string) error {
	l, ok := layouts[name]
	if !ok {
		return fmt.Errorf("no keyboard layout %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return load(l.entries(), composed())
}

// entry is Linux's struct kbentry: the symbol of a key in a table (0 plain, 1 with Shift, 2
// with AltGr, 3 with both).
type entry struct {
	table, key byte
	value      uint16
}

// composition is Linux's struct kbdiacruc: what a dead key and a letter make.
type composition struct{ dead, base, result uint32 }

// firstKeys are Linux's numbers of the first keys of the rows (input-event-codes.h: KEY_1,
// KEY_Q, KEY_A, KEY_Z); the keys with ` and \ stand elsewhere.
var firstKeys = [4]byte{2, 16, 30, 44}

const keyGrave, keyBackslash = 41, 43

func keyNumber(row, column int) byte {
	switch {
	case row == 0 && column == 0:
		return keyGrave
	case row == 0:
		return firstKeys[0] + byte(column-1)
	case row == 2 && column == 11:
		return keyBackslash
	}
	return firstKeys[row] + byte(column)
}

// keyOf finds the key that has a character on a US keyboard.
func keyOf(c rune) byte {
	for row, keys := range us {
		if i := strings.IndexRune(keys, c); i >= 0 {
			return keyNumber(row, i)
		}
	}
	panic("keyboard: no US key has " + string(c))
}

// entries are all keys of a layout; those that a table does not have are K_HOLE.
func (l layout) entries() (list []entry) {
	var values [4][54]uint16
	for table, rows := range [][4]string{l.plain, l.shift} {
		for row, keys := range rows {
			for column, c := range []rune(keys) {
				values[table][keyNumber(row, column)] = l.value(c)
			}
		}
	}
	for table, pairs := range []string{l.third, l.fourth} {
		for pair := range strings.FieldsSeq(pairs) {
			key, size := utf8.DecodeRuneInString(pair)
			c, _ := utf8.DecodeRuneInString(pair[size:])
			values[2+table][keyOf(key)] = l.value(c)
		}
	}
	for i, c := range l.beside {
		if key := keyOf(rune(",./"[i])); values[2][key] == 0 {
			values[2][key] = l.value(c)
		}
	}
	for table := range values {
		for row := range us {
			for column := range us[row] {
				key := keyNumber(row, column)
				value := values[table][key]
				if value == 0 {
					value = hole
				}
				list = append(list, entry{byte(table), key, value})
			}
		}
	}
	return list
}

// Values of an entry (linux/keyboard.h): K_HOLE, and KT_DEAD2 with the dead key's character.
// Other characters have the bits 0xF000 inverted.
const (
	hole  = 0x0200
	dead2 = 0x0D00
)

func (l layout) value(c rune) uint16 {
	switch {
	case c == ' ':
		return hole
	case strings.ContainsRune(dead, c) && !strings.ContainsRune(l.live, c):
		return dead2 | uint16(c)
	}
	return uint16(c) ^ 0xF000
}

// composedLetters are, by dead key, letters and what becomes of them.
var composedLetters = map[rune]string{
	'`': "aàeèiìoòuùAÀEÈIÌOÒUÙnǹNǸ",
	'´': "aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝcćCĆlĺLĹnńNŃrŕRŔsśSŚzźZŹ",
	'^': "aâeêiîoôuûAÂEÊIÎOÔUÛcĉCĈgĝGĜhĥHĤjĵJĴsŝSŜwŵWŴyŷYŶ",
	'~': "aãnñoõAÃNÑOÕiĩIĨuũUŨ",
	'¨': "aäeëiïoöuüyÿAÄEËIÏOÖUÜYŸ",
}

func composed() (list []composition) {
	for _, d := range dead {
		letters := []rune(composedLetters[d])
		for i := 0; i < len(letters); i += 2 {
			list = append(list, composition{uint32(d), uint32(letters[i]), uint32(letters[i+1])})
		}
	}
	return list
}
