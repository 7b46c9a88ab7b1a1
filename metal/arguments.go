//go:build linux && amd64

package metal

const (
	maxArguments     = 256      // with argv[0]
	argumentSpace    = 32 << 10 // bytes of all strings on the initial stack, each with its zero
	environmentSpace = 256      // of it, what load options leave for the environment
)

// startedByShell is set if the arguments come from the UEFI shell.
var startedByShell bool

// StartedByShell reports whether os.Args come from the UEFI shell, so that a person or a script
// has called the program by its name. Otherwise os.Args[1:] are the load options of the image,
// which a boot loader or the firmware's boot entry has: they may not be meant as a command.
func StartedByShell() bool { return startedByShell }

// arguments pushes the program's arguments and returns their number. If the UEFI shell
// started the program, they are the words into which the shell has split the line, the
// program's name first. Otherwise they are the path of the image's file and the words of its
// load options, which have no name of the program.
func (p *initialStack) arguments() (n uint64) {
	argv, argc := shellArguments()
	if startedByShell {
		if argc > maxArguments {
			fail("the shell has passed more than 255 arguments", efiInvalidParameter)
		}
		for ; n < uint64(argc); n++ {
			p.push(p.utf16(*at[uintptr](argv + uintptr(n)*8)))
		}
		return n
	}
	image := at[efiLoadedImage](loadedImage)
	p.push(p.imageName(image.filePath))
	n, ok := p.loadOptions(image.loadOptions, uintptr(image.loadOptionsSize))
	if !ok {
		say("metal: the load options (")
		sayNumber(uint64(image.loadOptionsSize))
		say(" bytes) are no command line; they are ignored\n")
	}
	return n + 1
}

// shellArguments returns the words of the shell's command line; argc is 0 if no shell has started
// the program. Shells before 2.0 have another protocol for the same.
func shellArguments() (argv, argc uintptr) {
	if shell := handleProtocol(imageHandle, &shellParametersGUID); shell != 0 {
		return at[efiShellParameters](shell).argv, at[efiShellParameters](shell).argc
	}
	if shell := handleProtocol(imageHandle, &shellInterfaceGUID); shell != 0 {
		return at[efiShellInterface](shell).argv, at[efiShellInterface](shell).argc
	}
	return 0, 0
}

// imageName stores the path in a device path (10.3.5.4), which may be split over several nodes.
// If there is none, as after a boot from the network, the name is "efi".
func (p *initialStack) imageName(node uintptr) uint64 {
	const (
		header   = 4 // type, subtype and two bytes of length
		media    = 4
		filePath = 4
		maxNodes = 64
	)
	start := p.text
	for i := 0; i < maxNodes && !isPathEnd(node); i++ {
		size := uintptr(*at[uint16](node + 2))
		if size < header {
			break
		}
		if *at[byte](node) == media && *at[byte](node + 1) == filePath {
			if p.text > start && *at[byte](p.text - 1) != '\\' {
				p.byte('\\')
			}
			p.utf16Text(node+header, node+size) // a name that is no text is cut short: it is only shown
		}
		node += size
	}
	if p.text == start {
		return p.string("efi")
	}
	p.byte(0)
	return uint64(start)
}

// isPathEnd reports whether a device path (10.3) ends at node, or there is none.
func isPathEnd(node uintptr) bool { return node == 0 || *at[byte](node)&0x7F == 0x7F }

// loadOptions pushes the words of load options (9.1) after argv[0], and returns their number.
// What they are is up to whoever made the boot entry: UTF-16, UTF-8, or data that the firmware
// keeps for itself. ok is false for what is no command line, or too long for one.
func (p *initialStack) loadOptions(options, size uintptr) (n uint64, ok bool) {
	if options == 0 || size == 0 {
		return 0, true
	}
	text, name := p.text, uintptr(*at[uint64](p.word - 8))
	if !p.optionsText(options, options+size) {
		p.text = text
		return 0, false
	}
	n, ok = p.words(text)
	if n > 0 && sameFile(uintptr(*at[uint64](p.word - uintptr(n)*8)), name) {
		// Some shells and boot loaders put the program's name before the options.
		for i := uintptr(n); i > 0; i-- {
			*at[uint64](p.word - (i+1)*8) = *at[uint64](p.word - i*8)
		}
		p.word -= 8
		n--
	}
	return n, ok
}

// optionsText stores load options as UTF-8; false if they are not text. A command line begins
// with an ASCII character, which tells UTF-16 from UTF-8, or with a byte order mark, and it
// ends at the first zero.
func (p *initialStack) optionsText(s, end uintptr) bool {
	first, second, third := *at[byte](s), byte(0), byte(0)
	if s+1 < end {
		second = *at[byte](s + 1)
	}
	if s+2 < end {
		third = *at[byte](s + 2)
	}
	switch {
	case first == 0xFF && second == 0xFE:
		return p.utf16Text(s+2, end)
	case first == 0xEF && second == 0xBB && third == 0xBF:
		return p.utf8Text(s+3, end, 1)
	case first >= 0x80:
		return false
	case second != 0 || s+1 == end:
		return p.utf8Text(s, end, 1)
	}
	start := p.text
	if p.utf8Text(s, end, 2) {
		return true
	}
	p.text = start
	return p.utf16Text(s, end)
}

// utf16Text stores UTF-16 up to a zero or to the end, as UTF-8; false if it is not text or too long.
func (p *initialStack) utf16Text(s, end uintptr) bool {
	var d utf16Decoder
	for ; s+1 < end && *at[uint16](s) != 0; s += 2 {
		u := *at[uint16](s)
		if isLow := u>>10 == 0xDC00>>10; isLow != (d.high != 0) || !isText(uint32(u)) {
			return false
		}
		n := d.decode(u)
		if !p.bytes(&d.utf8, n) {
			return false
		}
	}
	return d.high == 0
}

// utf8Text stores UTF-8 of which every byte has a width of 1 byte, or of 2: GRUB's chainloader
// makes a UTF-16 unit of each byte of its arguments, with its sign (0xE9 becomes 0xFFE9).
func (p *initialStack) utf8Text(s, end, width uintptr) bool {
	var d utf8Decoder
	for ; s+width <= end; s += width {
		b := [4]byte{*at[byte](s)}
		if width == 2 && *at[byte](s + 1) != byte(int8(b[0])>>7) {
			return false
		}
		if b[0] == 0 {
			break
		}
		// What does not belong to a sequence is the replacement character, which is no text.
		if r, _ := d.decode(b[0]); r != noRune && !isText(r) || !p.bytes(&b, 1) {
			return false
		}
	}
	return d.need == 0
}

// bytes stores n bytes if there is room for them, a zero, and the environment.
func (p *initialStack) bytes(b *[4]byte, n int) bool {
	if p.textEnd-p.text <= environmentSpace+uintptr(n) {
		return false
	}
	for i := range n {
		p.byte(b[i])
	}
	return true
}

// isText reports whether a character, or a surrogate, can be in a command line.
func isText(r uint32) bool {
	switch {
	case isBlank(r):
		return true
	case r < ' ', r >= 0x7F && r < 0xA0: // controls
		return false
	}
	return r != replacementRune && r&0xFFFE != 0xFFFE
}

func isBlank(r uint32) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// words splits the text from start on as the UEFI shell does, in place, and pushes the words:
// blanks separate, quotation marks group and vanish, and ^ takes the next character as it is
// (UEFI Shell 2.2, 3.3). ok is false if there are too many.
func (p *initialStack) words(start uintptr) (n uint64, ok bool) {
	first, end := p.word, p.text
	p.text = start // never overtakes s: quotation marks and ^ vanish, and a zero takes the place of a blank
	inWord, quoted := false, false
	for s := start; s < end; s++ {
		b := *at[byte](s)
		if isBlank(uint32(b)) && !quoted {
			if inWord {
				p.byte(0)
			}
			inWord = false
			continue
		}
		if !inWord {
			if n == maxArguments-1 {
				p.word, p.text = first, start
				return 0, false
			}
			p.push(uint64(p.text))
			n++
			inWord = true
		}
		switch {
		case b == '"':
			quoted = !quoted
			continue
		case b == '^' && s+1 < end:
			s++
			b = *at[byte](s)
		}
		p.byte(b)
	}
	if inWord {
		p.byte(0)
	}
	return n, true
}

// sameFile reports whether two paths end in the same file name, which has an extension: the
// case of ASCII letters does not count.
func sameFile(a, b uintptr) bool {
	a, b = fileName(a), fileName(b)
	dot := false
	for ; *at[byte](a) != 0 && lower(*at[byte](a)) == lower(*at[byte](b)); a, b = a+1, b+1 {
		dot = dot || *at[byte](a) == '.'
	}
	return dot && *at[byte](a) == *at[byte](b)
}

// fileName returns where the last element of a path begins.
func fileName(path uintptr) uintptr {
	name := path
	for ; *at[byte](path) != 0; path++ {
		if b := *at[byte](path); b == '/' || b == '\\' {
			name = path + 1
		}
	}
	return name
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
