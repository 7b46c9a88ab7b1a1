package bpe

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// class says what a character may stand beside in a word.
type class uint8

const (
	raw    class = iota // nothing: control characters and bytes that are no UTF-8, which are byte tokens always
	single              // nothing: digits
	letter              // beside letters, and behind a space
	mark                // behind a space: punctuation, quotes, symbols
	space               // U+0020, before any of the two
)

// ascii holds the classes of the ASCII characters.
var ascii = func() (c [utf8.RuneSelf]class) {
	for r := range rune(len(c)) {
		c[r] = classify(r)
	}
	return c
}()

func classify(r rune) class {
	switch {
	case r == ' ':
		return space
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letter
	case unicode.IsControl(r):
		return raw
	case unicode.IsNumber(r):
		return single
	default:
		return mark
	}
}

// character returns the length and the class of the first character of text, which is not
// empty. Characters are what run.c's encode looks up: a byte and the continuation bytes
// after it, four at most, valid or not.
func character(text string) (n int, c class) {
	if b := text[0]; b < utf8.RuneSelf && (len(text) == 1 || utf8.RuneStart(text[1])) {
		return 1, ascii[b]
	}
	n = 1
	for n < 4 && n < len(text) && !utf8.RuneStart(text[n]) {
		n++
	}
	r, size := utf8.DecodeRuneInString(text[:n])
	if size != n || r == utf8.RuneError && n == 1 {
		return n, raw
	}
	return n, classify(r)
}

// joined reports whether neighbours are of one word. It looks at nothing else, so a piece
// that is one word stands within one word wherever it stands.
func joined(left, right class) bool {
	return left == letter && right == letter || left == space && (right == letter || right == mark)
}

// words cuts text into words.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, before := 0, raw
		for i := 0; i < len(text); {
			n, c := character(text[i:])
			if i > start && !joined(before, c) {
				if !yield(text[start:i]) {
					return
				}
				start = i
			}
			before = c
			i += n
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

// spacedWords cuts text into the words that Encode sees: it puts a space in front of a text
// that is not empty. That is a character of its own even before a continuation byte.
func spacedWords(text string) iter.Seq[string] {
	switch {
	case text == "":
		return words("")
	case utf8.RuneStart(text[0]):
		return words(" " + text)
	}
	return func(yield func(string) bool) {
		if yield(" ") {
			words(text)(yield)
		}
	}
}
