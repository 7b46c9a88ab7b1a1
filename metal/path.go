//go:build linux && amd64

package metal

// setPath turns a Linux path into the firmware's: backslashes, no empty, "." or ".."
// elements (there are no links here, so ".." can be taken back). A person at the UEFI
// shell types backslashes, so they part elements too.
func setPath(name uintptr) (e uint64) {
	size, mark := 0, 0 // mark: start of the element
	var d utf8Decoder
	for i := uintptr(0); ; i++ {
		if i == maxPath {
			return enametoolong
		}
		b := *at[byte](name + i)
		if b == '/' || b == '\\' || b == 0 {
			if d.need > 0 {
				return einval
			}
			switch element := path[mark:size]; {
			case len(element) == 0 || len(element) == 1 && element[0] == '.':
				size = mark
			case len(element) == 2 && element[0] == '.' && element[1] == '.':
				size = parentOf(mark)
			default:
				path[size] = '\\'
				size++
			}
			mark = size
			if b == 0 {
				break
			}
			continue
		}
		r, again := d.decode(b)
		if r == noRune {
			continue
		}
		if again || r == replacementRune || r > 0xFFFF || size+2 >= maxPath {
			return einval
		}
		path[size] = uint16(r)
		size++
	}
	if size > 0 {
		size-- // the last separator
	}
	path[size] = 0
	return 0
}

// parentOf gives the end of path[:end] without its last element and separator.
func parentOf(end int) int {
	if end > 0 {
		end--
	}
	for end > 0 && path[end-1] != '\\' {
		end--
	}
	return end
}
