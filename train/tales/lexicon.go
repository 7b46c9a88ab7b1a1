package tales

import (
	"strings"
	"sync"
)

// lexicon is what the checker knows of the language: words and what they stand
// for. It holds no phrase of any plot.
type lexicon struct {
	words     map[string]bool   // every word form, in lower case unless it is proper
	genders   map[string]string // of a name: he, she
	children  map[string]bool   // names that are children's
	kinds     map[string]string // of the nouns for characters: their gender; "" when the name decides
	relatives map[string]bool
	workers   map[string]bool
	things    map[string]bool
	looks     map[string]bool
	speech    map[string]bool
}

// proper are the words besides names that are always capitalised.
const proper = `I Sunday Monday Tuesday Friday Saturday April June July October December`

// props are things that plots use and no table lists. They too have to be
// introduced before they are "the".
const props = `ladder rope net bucket box egg seed lantern candle broom cart letter
scarecrow snowman spade rake tray sack picnic basket rainbow hole raft storm contest`

// belongings may be introduced by their owner alone: "her coat".
const belongings = `hat scarf cap coat cloak basket bucket`

// grammar are words that the teller itself puts into a tale.
const grammar = `a an the and he she it they him her his its himself herself named called old little`

// theLexicon is made once and never changed.
var theLexicon = sync.OnceValue(func() *lexicon {
	l := theLibrary()
	lex := &lexicon{
		words: map[string]bool{}, genders: map[string]string{}, children: map[string]bool{}, kinds: map[string]string{},
		relatives: map[string]bool{}, workers: map[string]bool{}, things: set(props), looks: map[string]bool{}, speech: map[string]bool{},
	}
	properWords := set(proper)
	add := func(text string) {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !letter(byte(r)) }) {
			if !properWords[w] {
				w = strings.ToLower(w)
			}
			lex.words[w] = true
		}
	}
	for _, text := range l.texts {
		add(withoutReferences(text))
	}
	add(grammar)
	add(strings.Join(manners, " "))
	for _, v := range speech {
		lex.speech[v] = true
		add(v)
	}
	for of, names := range l.names {
		for _, n := range names {
			lex.words[n] = true
			lex.children[n] = of == "girl" || of == "boy"
			lex.genders[n] = map[string]string{"girl": "she", "boy": "he", "she": "she", "he": "he"}[of]
		}
	}
	for _, e := range l.kinds {
		lex.kinds[e.word] = map[string]string{"girl": "she", "boy": "he"}[e.word]
	}
	for _, table := range [][]*entry{l.relatives, l.workers, l.elders, l.babies} {
		for _, e := range table {
			lex.kinds[e.word] = e.tags[0]
		}
	}
	for _, e := range l.relatives {
		lex.relatives[e.word] = true
	}
	for _, e := range l.workers {
		lex.workers[e.word] = true
	}
	for _, e := range l.things {
		lex.things[e.word] = true
		for _, look := range e.looks {
			lex.looks[look] = true
		}
	}
	return lex
})

// withoutReferences blanks {references} and <calls>.
func withoutReferences(text string) string {
	b := []byte(text)
	inside := false
	for i, c := range b {
		inside = inside || c == '{' || c == '<'
		if inside {
			b[i] = '|'
		}
		inside = inside && c != '}' && c != '>'
	}
	return string(b)
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func capital(c byte) bool { return c >= 'A' && c <= 'Z' }
