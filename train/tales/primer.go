package tales

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
)

// Primer returns n texts to learn reading from before the tales: a few plain sentences about
// one or two characters and a thing, whose names return in nearly every sentence.
//
// In a tale, a name that was told before is one word of fifty. A small model that reads
// nothing else first learns that all names are equally likely, which makes them alike to it,
// and then cannot tell them apart when it begins to look back. From a primer it learns to
// look back within some hundred steps, and keeps it (curriculum learning, Bengio et al.
// 2009).
func Primer(seed uint64, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(primer(Seed(Train, seed, i))) {
				return
			}
		}
	}
}

// reader is a character of a primer.
type reader struct{ name, kind, he, his string }

func newReader(rng *rand.Rand, l *library) reader {
	k := l.kinds[rng.IntN(len(l.kinds))]
	r := reader{kind: k.word, he: "He", his: "his"}
	names := l.names["he"]
	if k.is("child") {
		names = l.names[k.word]
	}
	if k.word == "girl" || k.is("animal") && rng.IntN(2) == 0 {
		r.he, r.his = "She", "her"
		if k.is("animal") {
			names = l.names["she"]
		}
	}
	r.name = names[rng.IntN(len(names))]
	return r
}

// primer returns the text of a seed.
func primer(seed uint64) string {
	rng, l := rand.New(rand.NewPCG(seed, 0x7072_696d)), theLibrary()
	a := newReader(rng, l)
	b := newReader(rng, l)
	for b.name == a.name || b.kind == a.kind {
		b = newReader(rng, l)
	}
	thing := l.things[rng.IntN(len(l.things))]
	for !thing.is("toy") {
		thing = l.things[rng.IntN(len(l.things))]
	}
	look := thing.looks[rng.IntN(len(thing.looks))]
	text := []string{fmt.Sprintf("There was a %s named %s. %s had a %s %s.", a.kind, a.name, a.name, look, thing.word)}
	if rng.IntN(2) == 0 {
		text = append(text, fmt.Sprintf("A %s called %s came by.", b.kind, b.name))
	} else {
		b = a
	}
	for range 6 + rng.IntN(4) {
		r := a
		if rng.IntN(2) == 0 {
			r = b
		}
		switch rng.IntN(10) {
		case 0:
			text = append(text, r.name+" was happy.")
		case 1:
			text = append(text, fmt.Sprintf("%s took the %s.", r.name, thing.word))
		case 2:
			text = append(text, fmt.Sprintf(`"Thank you," said %s.`, r.name))
		case 3:
			text = append(text, fmt.Sprintf("%s laughed. %s looked at the %s.", r.name, r.he, thing.word))
		case 4:
			text = append(text, fmt.Sprintf("Then %s ran home.", r.name))
		case 5:
			text = append(text, fmt.Sprintf("%s called %s mother.", r.name, r.his))
		case 6:
			text = append(text, fmt.Sprintf(`"Where is the %s?" asked %s.`, thing.word, r.name))
		case 7:
			text = append(text, fmt.Sprintf("%s went to the river. %s saw %s's %s.", r.name, r.he, a.name, thing.word))
		case 8:
			text = append(text, fmt.Sprintf("The %s smiled.", r.kind))
		case 9:
			text = append(text, fmt.Sprintf("%s sat down. %s was tired.", r.name, r.he))
		}
	}
	return strings.Join(text, " ")
}
