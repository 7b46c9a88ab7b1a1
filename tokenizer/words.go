package tokenizer

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// rule says how a text is cut into words, within which pieces merge: each cut divides what those
// before have left together.
type rule struct {
	cuts       []cut
	wholeWords bool // a word that is a token is that token, whatever the merges say
	addBOS     bool // unless the file says otherwise
}

// cut returns the length of the first part of a text that is not empty.
type cut func(text string) int

// ruleOf returns the rule of the key tokenizer.ggml.pre. The expressions are those of llama.cpp;
// in them \p{L} is a letter, \p{N} a number, \s white space, in Unicode's sense.
func ruleOf(pre string) (r rule, ok bool) {
	switch pre {
	case "llama-bpe", "llama-v3", "llama3":
		return rule{[]cut{llama3}, true, true}, true
	case "qwen2", "deepseek-r1-qwen":
		return rule{cuts: []cut{qwen2}}, true
	case "smollm", "starcoder":
		return rule{cuts: []cut{runs(number, 1), gpt2}}, true
	case "gpt-2":
		return rule{cuts: []cut{gpt2}}, true
	case "default", "":
		return rule{cuts: []cut{runs(punctuation, 0), gpt2, runs(number, 0), threeDigits}}, true
	}
	return rule{}, false
}

// words cuts a text.
func (r rule) words(text string) iter.Seq[string] {
	return func(yield func(string) bool) { each(text, r.cuts, yield) }
}

func each(text string, cuts []cut, yield func(string) bool) bool {
	for len(text) > 0 {
		n := cuts[0](text)
		if len(cuts) == 1 {
			if !yield(text[:n]) {
				return false
			}
		} else if !each(text[:n], cuts[1:], yield) {
			return false
		}
		text = text[n:]
	}
	return true
}

// class is what the expressions ask of a character.
type class uint8

const (
	nothing class = iota // no character
	letter               // \p{L}
	digit                // \p{N}
	space                // \s, but
	newline              // CR and LF
	other
)

// classOf returns the class of the first character of a text, and its length. A byte that is
// not UTF-8 is a character of its own.
func classOf(text string) (class, int) {
	if text == "" {
		return nothing, 0
	}
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case r == '\r' || r == '\n':
		return newline, n
	case unicode.IsLetter(r):
		return letter, n
	case unicode.IsNumber(r):
		return digit, n
	case unicode.IsSpace(r):
		return space, n
	}
	return other, n
}

// run returns the length of the characters of a class at the beginning of text, at most so many.
func run(text string, c class, most int) int {
	i := 0
	for range most {
		k, n := classOf(text[i:])
		if k != c {
			break
		}
		i += n
	}
	return i
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning of text,
// also in capitals if fold is set.
func contraction(text string, fold bool) int {
	at := func(i int) byte {
		switch {
		case i >= len(text):
			return 0
		case fold && text[i] >= 'A' && text[i] <= 'Z':
			return text[i] + 'a' - 'A'
		}
		return text[i]
	}
	if at(0) != '\'' {
		return 0
	}
	switch a, b := at(1), at(2); {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case a == 'r' && b == 'e' || a == 'v' && b == 'e' || a == 'l' && b == 'l':
		return 3
	}
	return 0
}

// llama3 is
//
//	'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL]|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//	 ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func llama3(text string) int { return modern(text, 3) }

// qwen2 is llama3 with one \p{N} at a time.
func qwen2(text string) int { return modern(text, 1) }

func modern(text string, digits int) int {
	if n := contraction(text, true); n > 0 {
		return n
	}
	const all = 1 << 62
	first, n := classOf(text)
	after, _ := classOf(text[n:])
	switch {
	case first == letter || after == letter && (first == space || first == other):
		return n + run(text[n:], letter, all)
	case first == digit:
		return run(text, digit, digits)
	case first == other || text[0] == ' ' && after == other:
		n += run(text[n:], other, all)
		return n + run(text[n:], newline, all)
	}
	return spaces(text, true)
}

// gpt2 is
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func gpt2(text string) int {
	if n := contraction(text, false); n > 0 {
		return n
	}
	const all = 1 << 62
	before := 0
	if text[0] == ' ' {
		before = 1
	}
	switch c, _ := classOf(text[before:]); c {
	case letter, digit, other:
		return before + run(text[before:], c, all)
	}
	return spaces(text, false)
}

// spaces is \s+(?!\S)|\s+ and, if lines is set, \s*[\r\n]+ before: the white space at the
// beginning of text to its last line end, else without the last character if something follows.
func spaces(text string, lines bool) int {
	i, last, lineEnd := 0, 0, 0
	for {
		c, n := classOf(text[i:])
		if c != space && c != newline {
			switch {
			case lines && lineEnd > 0:
				return lineEnd
			case c != nothing && last > 0:
				return last
			}
			return i
		}
		last = i
		if i += n; c == newline {
			lineEnd = i
		}
	}
}

// runs returns the cut that takes the characters of a kind together, at most so many of them if
// most is not 0, and what lies between.
func runs(is func(rune) bool, most int) cut {
	return func(text string) int {
		inside, i := false, 0
		for count := 0; i < len(text); count++ {
			r, n := utf8.DecodeRuneInString(text[i:])
			if count == 0 {
				inside = is(r)
			}
			if is(r) != inside || inside && most > 0 && count == most {
				break
			}
			i += n
		}
		return i
	}
}

func number(r rune) bool { return unicode.IsNumber(r) }

// punctuation is [\p{P}\$\+<=>\^~\|].
func punctuation(r rune) bool {
	switch r {
	case '$', '+', '<', '=', '>', '^', '~', '|':
		return true
	}
	return unicode.IsPunct(r)
}

// threeDigits is [0-9][0-9][0-9], or what lies before.
func threeDigits(text string) int {
	digits := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			digits = 0
		} else if digits++; digits == 3 {
			if i == 2 {
				return 3
			}
			return i - 2
		}
	}
	return len(text)
}
