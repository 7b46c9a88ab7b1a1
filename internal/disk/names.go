package disk

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxName is how many UTF-16 units a name has at most.
const maxName = 255

// Name makes a name that FAT has of a file's on the host: what FAT or Windows does not allow becomes _, and so does a name
// of nothing else. Names that differ in the case of their letters only are the same on FAT.
func Name(name string) string {
	name = strings.Map(func(r rune) rune {
		if !isNameChar(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	units := utf16.Encode([]rune(name))
	name = strings.TrimRight(string(utf16.Decode(units[:min(len(units), maxName)])), ". \ufffd")
	if name == "" {
		return "_"
	}
	if stem, end, dot := strings.Cut(name, "."); isDevice(stem) {
		name = stem + "_"
		if dot {
			name += "." + end
		}
	}
	return name
}

// checkName returns an error if FAT or Windows does not allow a name.
func checkName(name string) error {
	switch {
	case name == "" || len(utf16.Encode([]rune(name))) > maxName:
		return fmt.Errorf("a name has 1 to %d characters", maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %q is not UTF-8", name)
	case name != Name(name):
		return fmt.Errorf("FAT has no name %q; it has %q", name, Name(name))
	}
	return nil
}

// isNameChar reports whether a long name can have the character. 0xFFFF is what fills a name's last entry up, and 0xFFFE is no
// character either.
func isNameChar(r rune) bool {
	return r >= ' ' && r != 0x7f && r != 0xfffe && r != 0xffff && !strings.ContainsRune(`"*/:<>?\|`, r)
}

// fold makes the same of names that are the same on FAT.
func fold(name string) string { return strings.ToUpper(name) }

// isDevice reports whether Windows takes a file of this name for a device, whatever its extension.
func isDevice(stem string) bool {
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") {
		return stem[3] >= '1' && stem[3] <= '9'
	}
	return slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, stem)
}

// shortNameChars are the characters that FAT allows in an 8.3 name.
const shortNameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~"

// isShortName reports whether name can be stored as it is in an 8.3 entry.
func isShortName(name string) bool {
	stem, ext, dot := strings.Cut(name, ".")
	return len(stem) >= 1 && len(stem) <= 8 && len(ext) <= 3 && (!dot || ext != "") && strings.Trim(stem+ext, shortNameChars) == ""
}

// aliases are the 8.3 names, as they lie on the disk, under which the files and folders of a folder are found by who knows
// no long names. One that is an 8.3 name but for the case of its letters has that; the others, shortened as the specification
// says, get a number, different from all.
func aliases(names []string) [][11]byte {
	list := make([][11]byte, len(names))
	taken := make(map[[11]byte]bool)
	for i, name := range names {
		if short := strings.ToUpper(name); isShortName(short) && isASCII(name) {
			stem, ext, _ := strings.Cut(short, ".")
			list[i] = shortName(stem, ext)
			taken[list[i]] = true
		}
	}
	last := make(map[string]int) // number of a stem and an extension
	for i, name := range names {
		if list[i] != [11]byte{} {
			continue
		}
		stem, ext := strings.TrimLeft(name, ". "), ""
		if dot := strings.LastIndexByte(stem, '.'); dot >= 0 {
			stem, ext = stem[:dot], stem[dot+1:]
		}
		stem, ext = shortChars(stem), shortChars(ext)
		ext = ext[:min(len(ext), 3)]
		for key := stem + "." + ext; list[i] == [11]byte{} || taken[list[i]]; {
			last[key]++
			tail := fmt.Sprintf("~%d", last[key])
			list[i] = shortName(stem[:min(len(stem), 8-len(tail))]+tail, ext)
		}
		taken[list[i]] = true
	}
	return list
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// shortName is an 8.3 name as it lies on the disk.
func shortName(stem, ext string) (name [11]byte) {
	copy(name[:], fmt.Sprintf("%-8s%-3s", stem, ext))
	return name
}

// shortChars is s in capitals, without dots and spaces, with _ for what 8.3 names do not have.
func shortChars(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '.' || r == ' ':
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r < utf8.RuneSelf && strings.ContainsRune(shortNameChars, r):
			return r
		}
		return '_'
	}, s)
}

// longUnits is the name as the entries before that of its alias have it, UTF-16; nothing if the alias is the name.
func longUnits(name string) []uint16 {
	if isShortName(name) {
		return nil
	}
	return utf16.Encode([]rune(name))
}

// longEntries is how many entries a name takes in its folder beside that of its alias: one for 13 units.
func longEntries(name string) int { return (len(longUnits(name)) + 12) / 13 }
