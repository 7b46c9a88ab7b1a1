package tales

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The language of the plots. A book is a text of blocks; a block is a heading and
// its beats, one a line:
//
//	== fetch water  X=climb toy=kite,ball   a plot: its beats are told one after another
//	** morning                              a choice: one of its lines is told
//
// A heading ends with what the block demands of its slots: a word or a tag of the
// tables, one of several (comma), or none of them (X=!fly). Blocks with the same
// name are alternatives. Of a line:
//
//	this / that      one of these phrasings
//	? text           told every other time
//	--               a new paragraph
//	[a|b|]           one of these words, or none
//	{H}              a character as a subject: name, description or pronoun, whichever is clear
//	{H.him} {H.his}  the same as an object and as an owner
//	{F.new}          a character when it enters: "a fox named Rusty"
//	{both} {both.X}  hero and friend, or hero and X: "Mia and Tom", "they"
//	{F.said}         a speech tag: "said Tom", "he said"
//	{a toy}          a thing when it enters: "a red kite"
//	{the toy} {toy}  the thing later on: "the kite" or "the red kite"; "kite"
//	{toy.play}       an attribute of an entry of the tables
//	<morning>        another block
//
// H is the hero and F the friend of the whole tale; place and season are the
// tale's too. All other slots are the block's own: W is a worker, G a grown-up of
// the hero's family, O an old animal, B a baby animal, X, Y and Z are animals.
// The article of "a apple" and capitals are put right by the teller.

// node is a piece of a parsed text.
type node struct {
	op         op
	text       string   // literal: the words; call: the block
	choice     [][]node // choice: the alternatives
	slot, attr string   // reference
	article    string   // reference: "a", "the" or ""
}

type op uint8

const (
	literal op = iota
	choice
	reference
	call
)

// isCharacter says whether the node tells a character, not its attribute.
func (n *node) isCharacter() bool {
	return n.op == reference && capital(n.slot[0]) && (n.attr == "" || n.attr == "new" || n.attr == "name")
}

// beat is a line of a block.
type beat struct {
	optional  bool
	paragraph bool
	phrasings [][]node
}

// block is a plot, a part of one, or a choice.
type block struct {
	name    string
	title   string
	pick    bool
	demands []demand
	beats   []beat
}

// demand says which entries may fill a slot.
type demand struct {
	slot string
	none bool // one of want is forbidden, not demanded
	want []string
}

func (d demand) allows(e *entry) bool {
	for _, w := range d.want {
		if e.is(w) {
			return !d.none
		}
	}
	return d.none
}

// entry is a line of a table of the world.
type entry struct {
	word  string
	tags  []string
	attrs map[string][]node
	looks []string // the attribute look as words
}

func (e *entry) is(tag string) bool { return e.word == tag || slices.Contains(e.tags, tag) }

// library is the world and the plots, parsed.
type library struct {
	names                                     map[string][]string // he, she: animals; boy, girl: children
	kinds, relatives, workers, elders, babies []*entry
	things, places, seasons                   []*entry
	cast                                      []*entry // kinds for hero and friend: children as often as a third of them
	blocks                                    map[string][]*block
	plots                                     []*block // a tale's main plots, twice those that have another within
	texts                                     []string // every text there is, for the list of words
	byWord                                    map[string]*entry
}

// theLibrary parses the tables and the plots once. The result is never changed.
var theLibrary = sync.OnceValue(func() *library {
	l := &library{
		names: map[string][]string{
			"girl": strings.Fields(girlNames), "boy": strings.Fields(boyNames),
			"she": strings.Fields(sheNames), "he": strings.Fields(heNames),
		},
		blocks: map[string][]*block{},
		byWord: map[string]*entry{},
	}
	l.kinds = l.table(kindTable)
	l.cast = l.kinds
	for range 4 {
		l.cast = append(l.cast, l.kinds[0], l.kinds[1])
	}
	l.relatives = l.table(relativeTable)
	l.workers = l.table(workerTable)
	l.elders = l.table(elderTable)
	l.babies = l.table(babyTable)
	l.things = l.table(thingTable)
	l.places = l.table(placeTable)
	l.seasons = l.table(seasonTable)
	for _, text := range []string{phrases, meetings, plotsOfThings, plotsOfFriends, plotsOfFeelings, plotsOfSeasons} {
		l.read(text)
	}
	for _, b := range l.blocks["tale"] {
		l.plots = append(l.plots, b)
		if b.calls("way") {
			l.plots = append(l.plots, b)
		}
	}
	return l
})

// calls says whether a beat of the block is nothing but a call of that name.
func (b *block) calls(name string) bool {
	return slices.ContainsFunc(b.beats, func(b beat) bool {
		return !b.paragraph && !b.optional && b.phrasings[0][0].op == call && b.phrasings[0][0].text == name
	})
}

func (l *library) table(text string) []*entry {
	var entries []*entry
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ";")
		if fields[0] == "" {
			continue
		}
		e := &entry{word: fields[0], attrs: map[string][]node{}}
		l.texts = append(l.texts, e.word)
		for i, f := range fields[1:] {
			name, value, ok := strings.Cut(strings.TrimSpace(f), ": ")
			switch {
			case !ok && i == 0:
				e.tags = strings.Fields(f)
			case !ok:
				panic(fmt.Sprintf("tales: attribute %q of %q", f, e.word))
			case name == "look" && !strings.Contains(value, "["):
				e.looks = strings.Split(value, ", ")
				l.texts = append(l.texts, e.looks...)
			default:
				e.attrs[name] = parse(value)
				l.texts = append(l.texts, value)
			}
		}
		l.byWord[e.word] = e
		entries = append(entries, e)
	}
	return entries
}

// read adds the blocks of a book.
func (l *library) read(text string) {
	var b *block
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "== "), strings.HasPrefix(line, "** "):
			b = heading(line)
			l.blocks[b.name] = append(l.blocks[b.name], b)
		default:
			b.beats = append(b.beats, parseBeat(line))
			l.texts = append(l.texts, line)
		}
	}
}

func heading(line string) *block {
	fields := strings.Fields(line)
	b := &block{name: fields[1], pick: fields[0] == "**"}
	for _, f := range fields[2:] {
		slot, want, ok := strings.Cut(f, "=")
		if !ok {
			b.title = strings.TrimSpace(b.title + " " + f)
			continue
		}
		want, none := strings.CutPrefix(want, "!")
		b.demands = append(b.demands, demand{slot, none, strings.Split(want, ",")})
	}
	return b
}

func parseBeat(line string) beat {
	if line == "--" {
		return beat{paragraph: true}
	}
	var b beat
	line, b.optional = strings.CutPrefix(line, "? ")
	for p := range strings.SplitSeq(line, " / ") {
		b.phrasings = append(b.phrasings, parse(p))
	}
	return b
}

// parse reads a text of the plots' language; a mistake in it is a bug.
func parse(text string) []node {
	nodes, rest := parseUntil(text, "")
	if rest != "" {
		panic(fmt.Sprintf("tales: %q in %q", rest, text))
	}
	return nodes
}

// parseUntil reads up to one of the bytes of stop, and returns what is left from there.
func parseUntil(s, stop string) (nodes []node, rest string) {
	for s != "" && !strings.Contains(stop, s[:1]) {
		switch s[0] {
		case '[':
			n := node{op: choice}
			for s[0] != ']' {
				var alternative []node
				alternative, s = parseUntil(s[1:], "|]")
				if s == "" {
					panic("tales: [ without ]")
				}
				n.choice = append(n.choice, alternative)
			}
			nodes, s = append(nodes, n), s[1:]
		case '{':
			inside, after, ok := strings.Cut(s[1:], "}")
			if !ok {
				panic(fmt.Sprintf("tales: { without } in %q", s))
			}
			n := node{op: reference}
			if article, slot, ok := strings.Cut(inside, " "); ok {
				n.article, inside = article, slot
			}
			n.slot, n.attr, _ = strings.Cut(inside, ".")
			nodes, s = append(nodes, n), after
		case '<':
			inside, after, ok := strings.Cut(s[1:], ">")
			if !ok {
				panic(fmt.Sprintf("tales: < without > in %q", s))
			}
			nodes, s = append(nodes, node{op: call, text: inside}), after
		default:
			end := strings.IndexAny(s, "[{<"+stop)
			if end < 0 {
				end = len(s)
			}
			nodes, s = append(nodes, node{op: literal, text: s[:end]}), s[end:]
		}
	}
	return nodes, s
}
