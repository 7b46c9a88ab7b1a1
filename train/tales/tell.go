package tales

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// Bounds of a tale. Cost is an estimate of its tokens in a vocabulary of 1024
// byte pairs, in tenths: 13 for a word, 12 for a punctuation mark or a new line. By
// far most tales fit a context of 256 tokens, BOS included: models' tests count those
// that do not.
const (
	MinWords = 90
	MaxWords = 165
	MaxCost  = 2300
)

// Set says which tales a corpus is made of. No seed belongs to both sets.
type Set uint64

const (
	Train   Set = 0
	HeldOut Set = 1
)

// Seed returns the seed of tale i of a corpus: a bijection of seed+i (SplitMix64;
// Steele et al. 2014) whose last bit is the set.
func Seed(set Set, seed uint64, i int) uint64 {
	z := seed + (uint64(i)+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z^z>>31)<<1 | uint64(set)
}

// Corpus returns the tales from, from+1, ..., from+n-1 of the corpus with that
// seed. Each has a seed of its own, so that parts of a corpus can be made in
// parallel, in any order, and a tale can be found again by its number.
func Corpus(set Set, seed uint64, from, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := from; i < from+n; i++ {
			if !yield(Tale(Seed(set, seed, i))) {
				return
			}
		}
	}
}

// Tale returns the tale of a seed: 90 to 165 words in plain ASCII, paragraphs set
// apart by a new line, none at the end. It is the same on every machine.
func Tale(seed uint64) string {
	tale, _ := tell(seed)
	return tale
}

// tell returns a tale and the names of the blocks it is made of, the main plot first.
func tell(seed uint64) (string, []string) {
	rng := rand.New(rand.NewPCG(seed, 0x7461_6c65))
	for {
		t := &teller{library: theLibrary(), rng: rng, capital: true}
		t.play(t.library.plots[rng.IntN(len(t.library.plots))])
		tale := strings.TrimSpace(string(t.buf))
		if words, cost := measure(tale); words >= MinWords && words <= MaxWords && cost <= MaxCost {
			return tale, t.told
		}
	}
}

// measure returns the number of words of a tale and its cost.
func measure(tale string) (words, cost int) {
	inWord := false
	for i := range len(tale) {
		switch c := tale[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if !inWord {
				words++
			}
			inWord = true
		case c == '\'':
			cost += 12
		default:
			if c != ' ' {
				cost += 12
			}
			inWord = false
		}
	}
	return words, cost + 13*words
}

// character is somebody in a tale.
type character struct {
	slot   string
	entry  *entry
	name   string     // "" for a relative, a worker, an elder, a baby
	gender string     // he, she, it; they for a pair
	owner  *character // whose relative
	look   string
	home   string // how the home was called
	seen   int    // the sentence it was last mentioned in
}

// thing is a filled slot that is no character.
type thing struct {
	slot  string
	entry *entry
	look  string
	hide  string // of a place: the spot where somebody hides
}

// scope holds the slots of a block.
type scope struct {
	block  *block
	parent *scope
	cast   []*character
	things []*thing
}

// teller tells one tale. It knows at every moment whom a pronoun would mean: the
// topic is the first character that the last sentence to mention one mentioned,
// and only the topic is "he" or "she" at the beginning of a sentence.
type teller struct {
	library *library
	rng     *rand.Rand
	buf     []byte
	told    []string

	scope    *scope
	all      []*character // everybody in the tale
	used     []string     // names, kinds and things that are taken
	lines    []*beat      // of choices that have been told, so as not to say them twice
	spots    []string     // of places, likewise
	topic    *character
	first    *character // the first character in this sentence, nil before it
	last     *character // the last one named in this sentence
	sentence int
	dayTold  bool // the time of day has been told
	capital  bool // the next letter is a capital
	quoted   bool
	open     bool // the sentence has begun
}

func (t *teller) play(b *block) {
	t.told = append(t.told, b.name+" "+b.title)
	t.scope = &scope{block: b, parent: t.scope}
	if t.scope.parent == nil {
		t.person("H")
	}
	for _, beat := range b.beats {
		switch {
		case beat.paragraph:
			t.paragraph()
		case beat.optional && t.rng.IntN(2) == 0:
		default:
			t.beginSentence()
			t.nodes(beat.phrasings[t.rng.IntN(len(beat.phrasings))])
			t.endSentence()
		}
	}
	t.scope = t.scope.parent
}

func (t *teller) paragraph() {
	for len(t.buf) > 0 && t.buf[len(t.buf)-1] == ' ' {
		t.buf = t.buf[:len(t.buf)-1]
	}
	if len(t.buf) > 0 && t.buf[len(t.buf)-1] != '\n' {
		t.buf = append(t.buf, '\n')
	}
	t.topic = nil
}

func (t *teller) beginSentence() {
	if n := len(t.buf); n > 0 && t.buf[n-1] != ' ' && t.buf[n-1] != '\n' {
		t.buf = append(t.buf, ' ')
	}
	t.capital = true
}

func (t *teller) endSentence() {
	if t.first != nil {
		t.topic = t.first
	}
	t.first, t.last = nil, nil
	if t.open {
		t.sentence++
	}
	t.open = false
}

func (t *teller) nodes(nodes []node) {
	for i := range nodes {
		switch n := &nodes[i]; n.op {
		case literal:
			if n.text == " and " && i > 0 && nodes[i-1].isCharacter() && nodes[i+1].isCharacter() && t.first != nil {
				t.first = &character{gender: "they"}
			}
			t.write(n.text)
		case choice:
			t.nodes(n.choice[t.rng.IntN(len(n.choice))])
		case call:
			t.call(n.text)
		case reference:
			t.refer(n)
		}
	}
}

// call tells one of the blocks of that name that suit the characters.
func (t *teller) call(name string) {
	var fit []*block
	for _, b := range t.library.blocks[name] {
		if t.suits(b) {
			fit = append(fit, b)
		}
	}
	if len(fit) == 0 {
		panic(fmt.Sprintf("tales: no block %s suits", name))
	}
	b := fit[t.rng.IntN(len(fit))]
	t.dayTold = t.dayTold || name == "open2"
	if !b.pick {
		t.play(b)
		return
	}
	line := &b.beats[t.rng.IntN(len(b.beats))]
	for try := 0; slices.Contains(t.lines, line) && try < 8; try++ {
		line = &b.beats[t.rng.IntN(len(b.beats))]
	}
	t.lines = append(t.lines, line)
	t.nodes(line.phrasings[t.rng.IntN(len(line.phrasings))])
}

// suits says whether the characters and the season there are meet the block's demands.
func (t *teller) suits(b *block) bool {
	for _, d := range b.demands {
		if d.want[0] == "there" && d.none == slices.ContainsFunc(t.all, func(c *character) bool { return c.slot == d.slot }) {
			return false
		}
		if d.slot == "day" && d.none == t.dayTold {
			return false
		}
		for _, c := range t.all {
			if c.slot == d.slot && d.want[0] != "there" && (d.slot == "H" || d.slot == "F") && !d.allows(c.entry) {
				return false
			}
		}
		for s := t.scope; s != nil; s = s.parent {
			for _, x := range s.things {
				if x.slot == d.slot && (d.slot == "place" || d.slot == "season") && !d.allows(x.entry) {
					return false
				}
			}
		}
	}
	return true
}

// write appends a text of the book: it sees to capitals, to "an", and to where
// sentences end.
func (t *teller) write(s string) {
	for i := range len(s) {
		c := s[i]
		if (c == '"' || capital(c)) && t.afterSpeech() {
			t.endSentence()
		}
		if letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'; letter && t.capital {
			c &^= 'a' - 'A'
			t.capital, t.open = false, true
		}
		if !t.quoted && t.first == nil && c == 'T' && strings.HasPrefix(s[i:], "They ") {
			t.first = &character{gender: "they"}
		}
		if strings.IndexByte("aeiou", c) >= 0 && t.afterArticle() {
			t.buf = append(t.buf[:len(t.buf)-1], 'n', ' ')
		}
		t.buf = append(t.buf, c)
		switch c {
		case '"':
			t.quoted = !t.quoted
			t.capital = t.quoted && !strings.HasSuffix(string(t.buf[max(0, len(t.buf)-3):]), `, "`)
			t.open = true
		case '.', '!', '?':
			if !t.quoted {
				t.endSentence()
				t.capital = true
			}
		}
	}
}

// afterSpeech says whether a speech that ends a sentence has just ended.
func (t *teller) afterSpeech() bool {
	n := len(t.buf)
	return n >= 3 && !t.quoted && t.buf[n-1] == ' ' && t.buf[n-2] == '"' && ends(string(t.buf[n-3:n-2]))
}

// afterArticle says whether the text ends with the word "a" and a space.
func (t *teller) afterArticle() bool {
	n := len(t.buf)
	return n >= 2 && t.buf[n-1] == ' ' && t.buf[n-2]|0x20 == 'a' &&
		(n == 2 || strings.IndexByte(" \n\"", t.buf[n-3]) >= 0)
}

// refer tells a reference to a slot.
func (t *teller) refer(n *node) {
	if t.afterSpeech() && !slices.Contains(speech, n.attr) {
		t.endSentence()
		t.capital = true
	}
	switch {
	case n.slot == "both":
		other := n.attr
		if other == "" {
			other = "F"
		}
		t.pair(t.person("H"), t.person(other))
	case n.slot[0] >= 'A' && n.slot[0] <= 'Z':
		t.character(t.person(n.slot), n.attr)
	default:
		t.thing(t.item(n.slot), n)
	}
}

// demandsOf returns what the block demands of a slot.
func (s *scope) demandsOf(slot string) (demands []demand) {
	for _, d := range s.block.demands {
		if d.slot == slot {
			demands = append(demands, d)
		}
	}
	return demands
}

// draw returns an entry that meets the demands and is not taken, and takes it.
func (t *teller) draw(from []*entry, demands []demand) *entry {
	var fit []*entry
	for _, e := range from {
		ok := !slices.Contains(t.used, e.word)
		for _, d := range demands {
			ok = ok && d.allows(e)
		}
		if ok {
			fit = append(fit, e)
		}
	}
	if len(fit) == 0 {
		panic(fmt.Sprintf("tales: nothing suits %v in %s", demands, t.scope.block.name))
	}
	e := fit[t.rng.IntN(len(fit))]
	if !e.is("child") {
		t.used = append(t.used, e.word)
	}
	return e
}

// person returns the character of a slot and casts it when it is new.
func (t *teller) person(slot string) *character {
	global := slot == "H" || slot == "F"
	for s := t.scope; s != nil; s = s.parent {
		for _, c := range s.cast {
			if c.slot == slot && (global || s == t.scope) {
				return c
			}
		}
	}
	c := &character{slot: slot, seen: -9}
	demands := t.scope.demandsOf(slot)
	switch slot {
	case "W":
		c.entry = t.draw(t.library.workers, demands)
	case "G":
		c.entry, c.owner = t.draw(t.library.relatives, demands), t.person("H")
	case "M":
		c.entry, c.owner = t.library.relatives[0], t.person("B")
	case "O":
		c.entry = t.draw(t.library.elders, demands)
	case "B":
		c.entry = t.draw(t.library.babies, demands)
	case "H", "F":
		c.entry = t.draw(t.library.cast, demands)
	default:
		c.entry = t.draw(t.library.kinds, append(demands, demand{want: []string{"animal"}}))
	}
	if len(c.entry.looks) > 0 {
		c.look = c.entry.looks[t.rng.IntN(len(c.entry.looks))]
	}
	switch {
	case strings.Contains("WGOBM", slot):
		c.gender = c.entry.tags[0]
	case c.entry.word == "girl":
		c.gender, c.name = "she", t.newName("girl")
	case c.entry.word == "boy":
		c.gender, c.name = "he", t.newName("boy")
	default:
		c.gender = [2]string{"he", "she"}[t.rng.IntN(2)]
		c.name = t.newName(c.gender)
	}
	at := t.scope
	for global && at.parent != nil {
		at = at.parent
	}
	at.cast = append(at.cast, c)
	t.all = append(t.all, c)
	return c
}

func (t *teller) newName(of string) string {
	for {
		name := t.library.names[of][t.rng.IntN(len(t.library.names[of]))]
		if !slices.Contains(t.used, name) {
			t.used = append(t.used, name)
			return name
		}
	}
}

// item returns the thing, place or season of a slot and chooses it when it is new.
func (t *teller) item(slot string) *thing {
	global := slot == "place" || slot == "season"
	for s := t.scope; s != nil; s = s.parent {
		for _, x := range s.things {
			if x.slot == slot && (global || s == t.scope) {
				return x
			}
		}
	}
	x := &thing{slot: slot}
	demands := t.scope.demandsOf(slot)
	switch class := strings.TrimRight(slot, "0123456789"); class {
	case "place":
		x.entry = t.draw(t.library.places, demands)
	case "season":
		if len(demands) == 0 {
			demands = []demand{{want: []string{"warm"}}}
		}
		x.entry = t.draw(t.library.seasons, demands)
	default:
		if len(demands) == 0 {
			demands = []demand{{want: []string{class}}}
		}
		x.entry = t.draw(t.library.things, demands)
		x.look = x.entry.looks[t.rng.IntN(len(x.entry.looks))]
	}
	at := t.scope
	for global && at.parent != nil {
		at = at.parent
	}
	at.things = append(at.things, x)
	return x
}

// thing tells a thing, or one of its attributes.
func (t *teller) thing(x *thing, n *node) {
	switch {
	case n.attr == "spot":
		t.spot(x)
	case n.attr == "hide":
		if x.hide == "" {
			t.spot(x)
			x.hide = t.spots[len(t.spots)-1]
			return
		}
		t.write(x.hide)
	case n.attr == "look" && x.look != "":
		t.write(x.look)
	case n.attr != "":
		t.attribute(x.entry, n.attr)
	case n.article == "a":
		t.write("a " + x.look + " " + x.entry.word)
	case n.article == "new":
		t.write(x.look + " " + x.entry.word)
	case n.article == "the" && t.rng.IntN(5) == 0:
		t.write("the " + x.look + " " + x.entry.word)
	case n.article == "the":
		t.write("the " + x.entry.word)
	default:
		t.write(x.entry.word)
	}
}

// spot tells a spot of a place, if possible one that has not been told.
func (t *teller) spot(x *thing) {
	spots := x.entry.attrs["spot"][0].choice
	text := spots[t.rng.IntN(len(spots))][0].text
	for try := 0; slices.Contains(t.spots, text) && try < 8; try++ {
		text = spots[t.rng.IntN(len(spots))][0].text
	}
	t.spots = append(t.spots, text)
	t.write(text)
}

func (t *teller) attribute(e *entry, attr string) {
	nodes, ok := e.attrs[attr]
	if !ok {
		panic(fmt.Sprintf("tales: %s has no %s, which %s wants", e.word, attr, t.scope.block.name))
	}
	t.nodes(nodes)
}

// speech are the verbs of speech tags.
var speech = []string{
	"said", "asked", "cried", "called", "whispered", "answered", "shouted", "laughed", "sighed", "begged", "sobbed", "thought",
}

// character tells a character in the form that attr names.
func (t *teller) character(c *character, attr string) {
	switch attr {
	case "":
		if t.first == nil && t.pronounClear(c) && t.rng.IntN(8) == 0 && !t.quoted {
			t.mention(c, t.describe(c))
			return
		}
		t.pronounOr(c, c.gender)
	case "he":
		t.pronounOr(c, c.gender)
	case "name":
		t.mention(c, t.describe(c))
	case "new":
		t.enter(c)
	case "him":
		if !t.quoted && (c != t.subject() || t.first == nil) && t.pronounClear(c) {
			t.write(map[string]string{"he": "him", "she": "her", "it": "it"}[c.gender])
			c.seen = t.sentence
			return
		}
		t.mention(c, t.describe(c))
	case "obj":
		t.write(map[string]string{"he": "him", "she": "her"}[c.gender])
	case "his":
		t.possessive(c)
	case "himself":
		t.write(map[string]string{"he": "himself", "she": "herself", "it": "it"}[c.gender])
	case "kind":
		t.write(c.entry.word)
	case "the":
		t.mention(c, c.name+" the "+c.entry.word)
	case "home":
		if c.home == "" {
			from := len(t.buf)
			t.attribute(c.entry, attr)
			c.home = string(t.buf[from:])
			return
		}
		t.write(c.home)
	default:
		if slices.Contains(speech, attr) {
			t.tag(c, attr)
			return
		}
		t.attribute(c.entry, attr)
	}
}

// tag tells who speaks: "said Tom", "he said".
func (t *teller) tag(c *character, verb string) {
	if t.pronounClear(c) {
		t.pronounOr(c, c.gender)
		t.write(" " + verb)
		return
	}
	t.write(verb + " ")
	t.mention(c, t.describe(c))
}

// pair tells the hero and another: "Mia and Tom", or "they" when these two are the topic.
func (t *teller) pair(a, b *character) {
	if t.first == nil && t.topic != nil && t.topic.gender == "they" && t.topic.owner == b {
		t.write("they")
		t.first = t.topic
		return
	}
	t.write(t.describe(a) + " and " + t.describe(b))
	a.seen, b.seen = t.sentence, t.sentence
	if t.first == nil {
		t.first = &character{gender: "they", owner: b}
	}
}

// subject returns whom the sentence is about, as far as it is told.
func (t *teller) subject() *character {
	if t.first != nil {
		return t.first
	}
	return t.topic
}

// pronounClear says whether a pronoun would mean c: c is the sentence's subject,
// or, once the subject is named, the only one of its gender in three sentences.
func (t *teller) pronounClear(c *character) bool {
	if c == t.subject() {
		return true
	}
	if t.first == nil || t.first.gender == c.gender || t.first.gender == "they" || t.sentence-c.seen > 2 {
		return false
	}
	for _, other := range t.all {
		if other != c && other.gender == c.gender && t.sentence-other.seen <= 2 {
			return false
		}
	}
	return true
}

func (t *teller) pronounOr(c *character, pronoun string) {
	if t.quoted || !t.pronounClear(c) {
		t.mention(c, t.describe(c))
		return
	}
	t.write(pronoun)
	c.seen = t.sentence
	if t.first == nil {
		t.first = c
	}
}

func (t *teller) possessive(c *character) {
	if t.quoted || !t.pronounClear(c) && t.last != c {
		t.write(t.describe(c) + "'s")
		if t.first == nil && !t.quoted {
			t.first = c
		}
		return
	}
	t.write(map[string]string{"he": "his", "she": "her", "it": "its"}[c.gender])
}

// mention tells a character by name or description. Within a speech it changes no topic.
func (t *teller) mention(c *character, as string) {
	t.write(as)
	if t.quoted {
		return
	}
	c.seen, t.last = t.sentence, c
	if t.first == nil {
		t.first = c
	}
}

// describe returns how a character that has entered is called.
func (t *teller) describe(c *character) string {
	switch {
	case c.slot == "M":
		return "its mother"
	case c.owner != nil:
		if t.quoted || !t.pronounClear(c.owner) {
			return c.owner.name + "'s " + c.entry.word
		}
		return map[string]string{"he": "his ", "she": "her "}[c.owner.gender] + c.entry.word
	case c.name == "":
		return "the " + c.entry.word
	case !t.quoted && t.rng.IntN(10) == 0 && !c.entry.is("child"):
		return [2]string{"the little ", "the "}[t.rng.IntN(2)] + c.entry.word
	}
	return c.name
}

// manners are what a new animal may be.
var manners = []string{"", "", "", "friendly ", "young ", "cheerful ", "clever ", "little ", "shy "}

// enter tells a character that is new: "a young fox named Rusty", "an old toad", "the baker".
func (t *teller) enter(c *character) {
	switch {
	case c.owner != nil || c.slot == "W":
		t.mention(c, t.describe(c))
	case c.slot == "B":
		t.mention(c, "a "+c.look+" "+c.entry.word)
	case c.name == "":
		t.mention(c, "a "+c.look+" old "+c.entry.word)
	default:
		manner := manners[t.rng.IntN(len(manners))]
		t.mention(c, "a "+manner+c.entry.word+[2]string{" named ", " called "}[t.rng.IntN(2)]+c.name)
	}
}
