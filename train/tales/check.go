package tales

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is a breach of a rule by a tale.
type Fault struct {
	Rule   string // the rule, as in the package comment
	Offset int    // the byte where
	Words  string // the words concerned
}

func (f Fault) String() string {
	return fmt.Sprintf("offset %d: %q: %s", f.Offset, f.Words, f.Rule)
}

// Check returns the faults of a tale, in the order of the rules; none for a good
// one. It accepts any string.
func Check(tale string) []Fault {
	c := &checker{lex: theLexicon(), tale: tale}
	c.form()
	c.tokenise()
	if len(c.tokens) == 0 {
		return append(c.faults, Fault{"an ending", 0, tale})
	}
	c.wording()
	c.dialogue()
	c.characters()
	c.objects()
	c.troubles()
	c.ending()
	return c.faults
}

// token is a word or a punctuation mark of a tale.
type token struct {
	text       string // without "'s"
	lower      string
	offset     int
	word       bool
	possessive bool // "'s" follows
	quoted     bool // within a speech; the quotes themselves are not
	sentence   int
}

type checker struct {
	lex    *lexicon
	tale   string
	tokens []token
	starts []int // the first token of each sentence
	faults []Fault
}

func (c *checker) fault(rule string, offset int, words string) {
	c.faults = append(c.faults, Fault{rule, offset, words})
}

func (c *checker) faultAt(rule string, i int) { c.fault(rule, c.tokens[i].offset, c.tokens[i].text) }

// form looks at bytes: which there are, and how they are spaced.
func (c *checker) form() {
	s := c.tale
	for i := range len(s) {
		b := s[i]
		next := byte('\n')
		if i+1 < len(s) {
			next = s[i+1]
		}
		switch {
		case letter(b):
		case b == ' ' || b == '\n':
			if i == 0 || i == len(s)-1 || strings.IndexByte(" \n.,!?'", next) >= 0 {
				c.fault("spacing", i, s[max(0, i-8):min(len(s), i+8)])
			}
		case b == '.' || b == ',' || b == '!' || b == '?':
			if i == 0 || !letter(s[i-1]) || next != ' ' && next != '\n' && next != '"' {
				c.fault("spacing", i, s[max(0, i-8):min(len(s), i+8)])
			}
		case b == '"':
		case b == '\'':
			if i == 0 || !letter(s[i-1]) || next != 's' {
				c.fault("spacing", i, s[max(0, i-8):min(len(s), i+8)])
			}
		default:
			c.fault("plain characters", i, string(rune(b)))
		}
	}
}

// tokenise cuts the tale into words and marks, and finds speeches and sentences:
// a sentence ends with . ! or ?, or with a speech that does and goes before a capital.
func (c *checker) tokenise() {
	s := c.tale
	quoted, begin := false, true
	for i := 0; i < len(s); {
		t := token{offset: i, quoted: quoted}
		switch {
		case letter(s[i]):
			j := i
			for j < len(s) && letter(s[j]) {
				j++
			}
			t.text, t.word = s[i:j], true
			if j+1 < len(s) && s[j] == '\'' && s[j+1] == 's' && (j+2 == len(s) || !letter(s[j+2])) {
				t.possessive = true
				j += 2
			}
			i = j
		case s[i] == ' ':
			i++
			continue
		case s[i] == '\n':
			if quoted {
				c.fault("balanced quotes", i, "new line in a speech")
			}
			i++
			continue
		default:
			t.text = s[i : i+1]
			if s[i] == '"' {
				t.quoted = false
				quoted = !quoted
			}
			i++
		}
		t.lower = strings.ToLower(t.text)
		if n := len(c.tokens); n > 1 && !begin && !t.quoted && (t.word && capital(t.text[0]) || t.text == `"` && quoted) &&
			c.tokens[n-1].text == `"` && (quoted && t.text == `"` || !quoted) && ends(c.tokens[n-2].text) {
			begin = true
		}
		if begin {
			c.starts = append(c.starts, len(c.tokens))
			begin = false
		}
		t.sentence = len(c.starts) - 1
		c.tokens = append(c.tokens, t)
		begin = ends(t.text) && !quoted
	}
	if quoted {
		c.fault("balanced quotes", len(s), `"`)
	}
}

func ends(mark string) bool { return mark == "." || mark == "!" || mark == "?" }

// at returns the token i, an empty one where there is none.
func (c *checker) at(i int) token {
	if i < 0 || i >= len(c.tokens) {
		return token{}
	}
	return c.tokens[i]
}

// sentenceEnd returns the token after sentence n.
func (c *checker) sentenceEnd(n int) int {
	if n+1 < len(c.starts) {
		return c.starts[n+1]
	}
	return len(c.tokens)
}

// wording looks at words one by one: known, capitalised, a or an, not doubled;
// and at sentences: none is repeated.
func (c *checker) wording() {
	for i, t := range c.tokens {
		if !t.word {
			continue
		}
		prev := c.at(i - 1)
		begins := i == c.starts[t.sentence] || prev.text == `"` && t.quoted && !c.continues(i-1) ||
			ends(prev.text) || prev.text == `"` && i-1 == c.starts[t.sentence]
		known := c.lex.words[t.text] || begins && capital(t.text[0]) && c.lex.words[t.lower]
		if !known {
			c.faultAt("known words", i)
		} else if begins && !capital(t.text[0]) {
			c.faultAt("capitals", i)
		}
		if prev.word && prev.lower == t.lower && prev.lower != "ha" {
			c.faultAt("no doubled word", i)
		}
		if next := c.at(i + 1); t.lower == "a" || t.lower == "an" {
			if !next.word || (t.lower == "an") != (strings.IndexByte("aeiou", next.lower[0]) >= 0 || next.lower == "hour") {
				c.faultAt("a or an", i)
			}
		}
	}
	seen := map[string]bool{}
	for n := range c.starts {
		var words []string
		for _, t := range c.tokens[c.starts[n]:c.sentenceEnd(n)] {
			if t.word {
				words = append(words, t.lower)
			}
		}
		key := strings.Join(words, " ")
		if len(words) > 2 && seen[key] {
			c.fault("no repeated sentence", c.tokens[c.starts[n]].offset, key)
		}
		seen[key] = true
	}
}

// continues says whether the opening quote i goes on with a speech: "No," said Tom, "but".
func (c *checker) continues(i int) bool {
	if c.at(i-1).text != "," {
		return false
	}
	for j := i - 1; j >= c.starts[c.tokens[i].sentence]; j-- {
		if c.tokens[j].text == `"` {
			return true
		}
	}
	return false
}

// dialogue looks for who says each speech.
func (c *checker) dialogue() {
	lastTagged := -2 // the sentence of the last speech with a speaker
	for i := 0; i < len(c.tokens); i++ {
		if c.tokens[i].text != `"` {
			continue
		}
		open := i
		for i++; i < len(c.tokens) && c.tokens[i].text != `"`; i++ {
		}
		if i == len(c.tokens) {
			return
		}
		sentence := c.tokens[open].sentence
		last, after := c.at(i-1), c.at(i+1)
		tagged := c.tag(i+1) || c.at(open-1).text == "," && (c.lex.speech[c.at(open-2).lower] || c.spokenBefore(open))
		switch {
		case i == open+1 || last.text != "," && !ends(last.text):
			c.faultAt("a speech ends with a mark", i)
		case last.text == "," && !c.tag(i+1):
			c.faultAt("a speech has a speaker", open)
		case last.text == "." && after.word && !capital(after.text[0]):
			c.faultAt("a speech ends with a mark", i)
		case tagged:
			lastTagged = sentence
		case lastTagged == sentence-1 && open == c.starts[sentence]:
			lastTagged = sentence
		case lastTagged == sentence && c.at(open-1).text != ",":
		default:
			c.faultAt("a speech has a speaker", open)
		}
	}
}

// tag says whether the words from token i are those of a speech tag: a verb and a
// character, or a pronoun and a verb.
func (c *checker) tag(i int) bool {
	first, second := c.at(i), c.at(i+1)
	switch {
	case c.lex.speech[first.text]:
		if second.text == "the" || second.text == "a" || second.text == "an" || second.text == "his" || second.text == "her" || second.text == "its" {
			return true
		}
		return c.lex.genders[second.text] != "" || slices.Contains([]string{"everybody", "somebody", "all", "both"}, second.text)
	case slices.Contains([]string{"he", "she", "it", "they"}, first.text):
		return c.lex.speech[second.text] || c.lex.speech[c.at(i+2).text]
	}
	return false
}

// spokenBefore says whether there is a speech verb before the quote in its sentence.
func (c *checker) spokenBefore(open int) bool {
	for j := open - 1; j >= c.starts[c.tokens[open].sentence]; j-- {
		if t := c.tokens[j]; !t.quoted && c.lex.speech[t.lower] {
			return true
		}
	}
	return false
}

// figure is a character of the tale that is checked.
type figure struct {
	name, kind, gender string
	seen               int // the sentence that mentions it last
}

// cast is who has entered the tale so far, and whom a pronoun would mean.
type cast struct {
	*checker
	figures  []*figure
	topic    *figure
	first    *figure // of this sentence
	pair     figure  // the topic when a sentence is about two
	sentence int

	hero                *figure
	heroFirst, heroSeen int // sentences
}

func (k *cast) find(name, kind string) *figure {
	for _, f := range k.figures {
		if name != "" && f.name == name || name == "" && f.kind == kind {
			return f
		}
	}
	return nil
}

// recent says whether somebody of that gender was mentioned in the last three
// sentences, and counts the pronoun as a mention of the one who was last.
func (k *cast) recent(gender string) bool {
	var last *figure
	for _, f := range k.figures {
		if f.gender == gender && k.sentence-f.seen <= 2 && (last == nil || f.seen > last.seen) {
			last = f
		}
	}
	if last != nil {
		last.seen = k.sentence
	}
	return last != nil
}

var pronouns = map[string]string{
	"he": "he", "him": "he", "his": "he", "himself": "he",
	"she": "she", "her": "she", "hers": "she", "herself": "she",
}

// characters follows the characters: entrances, names, kinds, pronouns.
func (c *checker) characters() {
	k := &cast{checker: c, pair: figure{gender: "they"}, heroFirst: -1, heroSeen: -1}
	for i, t := range c.tokens {
		if t.sentence != k.sentence {
			k.nextSentence(i)
		}
		_, isName := c.lex.genders[t.text]
		_, isKind := c.lex.kinds[t.lower]
		switch {
		case !t.word:
		case isName && k.find(t.text, "") == nil:
			k.newName(i)
		case isName:
			k.name(i)
		case t.quoted:
			k.spoken(i)
		case isKind:
			k.kind(i)
		case pronouns[t.lower] != "":
			k.pronoun(i)
		case t.text == "They" && k.first == nil:
			if len(k.figures) < 2 {
				c.faultAt("they are at least two", i)
			}
			k.first = &k.pair
		}
	}
	switch {
	case k.hero == nil:
		c.fault("a hero", 0, "nobody has a name")
	case k.heroFirst > 2:
		c.fault("a hero enters at the beginning", 0, k.hero.name)
	case k.heroSeen < len(c.starts)-1-len(c.starts)/3:
		c.fault("the hero stays to the end", len(c.tale), k.hero.name)
	}
}

// nextSentence begins the sentence of token i.
func (k *cast) nextSentence(i int) {
	if k.first != nil {
		k.topic = k.first
	}
	k.first, k.sentence = nil, k.tokens[i].sentence
	if k.newParagraph(i) {
		k.topic = nil
	}
}

// mention notes that token i mentions f.
func (k *cast) mention(f *figure, i int) {
	f.seen = k.sentence
	if k.first == nil {
		k.setFirst(f, i)
	}
	if f == k.hero {
		k.heroSeen = k.sentence
	}
}

// setFirst makes f the first of the sentence, or two if another is joined to the one that
// token i mentions.
func (k *cast) setFirst(f *figure, i int) {
	k.first = f
	if k.at(i+1).lower == "and" && k.beginsMention(i+2) {
		k.first = &k.pair
	}
}

// newName lets a character enter, whose name is token i.
func (k *cast) newName(i int) {
	t := k.tokens[i]
	gender := k.lex.genders[t.text]
	kind, ok := k.introduction(i)
	switch {
	case !ok || t.quoted:
		k.faultAt("a name is introduced with a kind", i)
		return
	case k.lex.children[t.text] != (kind == "girl" || kind == "boy"), k.lex.kinds[kind] != "" && k.lex.kinds[kind] != gender:
		k.faultAt("the name suits the kind", i)
	case k.find("", kind) != nil && kind != "girl" && kind != "boy":
		k.faultAt("one animal of a kind", i)
	}
	f := &figure{name: t.text, kind: kind, gender: gender}
	k.figures = append(k.figures, f)
	if k.hero == nil {
		k.hero, k.heroFirst = f, k.sentence
	}
	k.mention(f, i)
}

// name is token i, of a character that has entered.
func (k *cast) name(i int) {
	t := k.tokens[i]
	if kind, ok := k.introduction(i); ok {
		k.fault("a character enters once", t.offset, t.text+" the "+kind)
	}
	if t.quoted || t.possessive && (k.first != nil || k.lex.relatives[k.at(i+1).lower]) {
		return
	}
	k.mention(k.find(t.text, ""), i)
}

// spoken looks at token i, which is no name, in a speech.
func (k *cast) spoken(i int) {
	pronoun := pronouns[k.tokens[i].lower]
	if pronoun != "" && !slices.ContainsFunc(k.figures, func(f *figure) bool { return f.gender == pronoun }) {
		k.faultAt("pronouns agree", i)
	}
}

// kind is token i, a noun for a character.
func (k *cast) kind(i int) {
	t := k.tokens[i]
	gender := k.lex.kinds[t.lower]
	if next := k.at(i + 1).lower; k.indefinite(i) && (next == "named" || next == "called") {
		return // the name that follows is the mention
	}
	f := k.find("", t.lower)
	if k.lex.relatives[t.lower] && k.at(i-1).lower == "its" {
		if f = k.find("its", ""); f == nil {
			f = &figure{name: "its", gender: gender}
			k.figures = append(k.figures, f)
		}
	}
	switch {
	case f == nil && k.definite(i) && !k.lex.workers[t.lower] && !k.lex.relatives[t.lower]:
		k.faultAt("a character enters before it is \"the\"", i)
		return
	case f != nil && !t.possessive && k.indefinite(i):
		k.faultAt("one animal of a kind", i)
	case f == nil:
		f = &figure{kind: t.lower, gender: gender}
		if f.gender == "" {
			f.gender = "it"
		}
		k.figures = append(k.figures, f)
	}
	if !t.possessive || k.first == nil && !k.lex.relatives[k.at(i+1).lower] {
		k.mention(f, i)
	}
}

// pronoun is token i. Before any character of its sentence it means the topic.
func (k *cast) pronoun(i int) {
	t := k.tokens[i]
	pronoun := pronouns[t.lower]
	strict := k.first == nil
	switch {
	case strict && (k.topic == nil || k.topic.gender != pronoun):
		k.faultAt("pronouns agree", i)
	case t.lower == "himself" || t.lower == "herself":
		if !k.recent(pronoun) {
			k.faultAt("pronouns agree", i)
		}
	case !strict && k.first.gender != pronoun && !k.recent(pronoun):
		k.faultAt("pronouns agree", i)
	}
	if !strict || k.topic == nil {
		return
	}
	k.topic.seen = k.sentence
	if t.lower == "he" || t.lower == "she" {
		k.setFirst(k.topic, i)
		if k.topic == k.hero {
			k.heroSeen = k.sentence
		}
	}
}

// newParagraph says whether a new line stands before token i.
func (c *checker) newParagraph(i int) bool {
	return c.tokens[i].offset > 0 && c.tale[c.tokens[i].offset-1] == '\n'
}

// introduction returns the kind with which the name at token i enters.
func (c *checker) introduction(i int) (kind string, ok bool) {
	if by := c.at(i - 1).lower; by != "named" && by != "called" {
		return "", false
	}
	kind = c.at(i - 2).lower
	_, ok = c.lex.kinds[kind]
	return kind, ok && c.indefinite(i-2)
}

// beginsMention says whether a character is mentioned from token i on.
func (c *checker) beginsMention(i int) bool {
	t := c.at(i)
	if c.lex.genders[t.text] != "" {
		return !t.possessive
	}
	if t.lower == "the" || t.lower == "his" || t.lower == "her" || t.lower == "a" || t.lower == "an" || t.possessive {
		for j := i + 1; j < i+4; j++ {
			if _, ok := c.lex.kinds[c.at(j).lower]; ok {
				return !c.at(j).possessive
			}
		}
	}
	return false
}

// determiner returns the word that says which one the noun at token i is: the
// nearest of the last four words that is a determiner, and where it is; i when
// there is none.
func (c *checker) determiner(i int) int {
	for j := i - 1; j >= i-4 && j >= 0 && c.tokens[j].word; j-- {
		t := c.tokens[j]
		if t.possessive || determiners[t.lower] != 0 {
			return j
		}
	}
	return i
}

// determiners: 'd' are definite, 'p' possessive, 'i' indefinite.
var determiners = map[string]byte{
	"the": 'd', "this": 'd', "that": 'd',
	"his": 'p', "her": 'p', "its": 'p', "my": 'p', "your": 'p', "their": 'p', "our": 'p',
	"a": 'i', "an": 'i', "some": 'i', "one": 'i', "another": 'i', "no": 'i', "any": 'i', "every": 'i', "each": 'i', "two": 'i', "three": 'i', "such": 'i',
}

func (c *checker) definite(i int) bool {
	j := c.determiner(i)
	return j < i && (c.tokens[j].possessive || determiners[c.tokens[j].lower] != 'i')
}

func (c *checker) indefinite(i int) bool {
	j := c.determiner(i)
	return j < i && !c.tokens[j].possessive && determiners[c.tokens[j].lower] == 'i'
}

// object is a thing of the tale that is checked.
type object struct {
	look  string
	eaten bool
}

// objects follows things: each is introduced before it is "the", keeps its look,
// and is not there any more when it has been eaten.
func (c *checker) objects() {
	known := map[string]*object{}
	own := set(belongings)
	for i, t := range c.tokens {
		if !t.word || !c.lex.things[t.lower] || c.at(i+1).word && c.lex.things[c.at(i+1).lower] {
			continue
		}
		look := ""
		if prev := c.at(i - 1); prev.word && c.lex.looks[prev.lower] {
			look = prev.lower
		}
		o := known[t.lower]
		d := c.determiner(i)
		switch {
		case d == i:
			if prev := c.at(i - 1); !prev.word || !c.lex.looks[prev.lower] {
				c.faultAt("a thing has an article", i)
			}
		case o == nil && c.definite(i) && !(own[t.lower] && (determiners[c.tokens[d].lower] == 'p' || c.tokens[d].possessive)):
			c.faultAt("a thing is introduced", i)
		case o == nil:
			o = &object{look: look}
			known[t.lower] = o
		case look != "" && o.look != "" && look != o.look && c.at(d).lower != "another":
			c.fault("a thing keeps its look", t.offset, look+" "+t.text)
		case o.eaten && !t.quoted && c.definite(i):
			c.faultAt("what is eaten is gone", i)
		}
		if o != nil {
			if o.look == "" {
				o.look = look
			}
			o.eaten = o.eaten || c.eats(i, d)
		}
	}
}

// eats says whether the thing at token i, whose determiner is token d, is eaten up there.
func (c *checker) eats(i, d int) bool {
	prev := c.at(d - 1)
	return !c.tokens[i].quoted && d < i && (prev.lower == "ate" || prev.lower == "whole" && c.at(d-2).lower == "ate")
}

// trouble is what went wrong, and the words that say that it is right again.
type trouble struct{ words, right map[string]bool }

var theTroubles = []trouble{
	{set("lost"), set("found safe pocket back gave it home")},
	{set("broken broke torn"), set("mended glued glue together new morning climb moon better")},
	{set("stuck"), set("free loose down out safe back top")},
	{set("afraid trembled shivered"), set("laughed smiled laugh smile safe brave beautiful song sang happy friends joy hugged danced happily cheered clapped easy")},
	{set("sick"), set("well better")},
	{set("hungry"), set("ate eat shared full fed meal soup licked crumb")},
	{set("cry cried sobbed sad lonely"), set("happy smiled laughed laugh smile hugged friends joy glad safe back slept asleep mended hummed dreamed smiling light together proud best happily danced free")},
	{set("angry"), set("sorry friends laughed together brave hugged thank")},
}

// troubles looks whether each trouble is over at the end: after the last word that
// tells of it comes one that says it is right again. The last sentence may name
// troubles as it likes.
func (c *checker) troubles() {
	last := c.starts[len(c.starts)-1]
	for _, trouble := range theTroubles {
		at, over := -1, false
		for i, t := range c.tokens {
			switch {
			case trouble.words[t.lower] && (i >= last || c.tag(i) || c.tag(i-1)):
			case trouble.words[t.lower]:
				at, over = i, c.denied(i)
			case trouble.right[t.lower]:
				over = true
			}
		}
		if at >= 0 && !over {
			c.faultAt("a trouble ends", at)
		}
	}
}

// denied says whether one of the three words before token i denies it.
func (c *checker) denied(i int) bool {
	for j := i - 3; j < i; j++ {
		switch c.at(j).lower {
		case "not", "neither", "nobody", "never", "forgot", "no":
			return true
		}
	}
	return false
}

// endings are what a last sentence says, one of them: that it is evening, that it
// has been so ever since, that something was learned.
var endings = strings.Split(`that night|that evening|that day on|ever since|after that|never forgot|had learned|fell asleep|all the way home|light heart|
best day|rest of|to this day|stars came out|home side by side`, "|")

// ending looks at the last sentence.
func (c *checker) ending() {
	n := len(c.starts) - 1
	end := c.tokens[len(c.tokens)-1]
	if !ends(end.text) && !(end.text == `"` && ends(c.at(len(c.tokens)-2).text)) {
		c.fault("an ending", end.offset, end.text)
		return
	}
	var words []string
	for _, t := range c.tokens[c.starts[n]:] {
		if t.word && !t.quoted {
			words = append(words, t.lower)
		}
	}
	said := " " + strings.Join(words, " ") + " "
	for _, e := range endings {
		if strings.Contains(said, " "+strings.TrimSpace(e)+" ") {
			return
		}
	}
	c.fault("an ending", c.tokens[c.starts[n]].offset, strings.TrimSpace(said))
}
