//go:build linux && amd64

package metal

const maxPath = 1024

// firmwarePath is a path in the firmware's form: UTF-16 with a zero at the end, and
// backslashes between the elements.
type firmwarePath [maxPath]uint16

var pathBuffer firmwarePath

// convertPath turns a Linux path into the firmware's form, in pathBuffer. It leaves out
// empty elements and ".", and for ".." removes the element before: there are no links. A
// backslash separates elements, too, since that is what people type at the UEFI shell.
func convertPath(name uintptr) (path *firmwarePath, e uint64) {
	path = &pathBuffer
	size, mark := 0, 0 // mark: where the current element begins
	var d utf8Decoder
	for i := uintptr(0); ; i++ {
		if i == maxPath {
			return nil, enametoolong
		}
		b := *at[byte](name + i)
		if b == '/' || b == '\\' || b == 0 {
			if d.need > 0 {
				return nil, einval
			}
			switch element := path[mark:size]; {
			case len(element) == 0 || len(element) == 1 && element[0] == '.':
				size = mark
			case len(element) == 2 && element[0] == '.' && element[1] == '.':
				size = path.parent(mark)
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
			return nil, einval
		}
		path[size] = uint16(r)
		size++
	}
	if size > 0 {
		size-- // the last separator
	}
	path[size] = 0
	return path, 0
}

// parent returns where p[:end] ends without its last element and separator.
func (p *firmwarePath) parent(end int) int {
	if end > 0 {
		end--
	}
	for end > 0 && p[end-1] != '\\' {
		end--
	}
	return end
}
