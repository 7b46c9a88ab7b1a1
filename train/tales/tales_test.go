package tales

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sample are tales of the training set, made once for all tests.
func sample(n int) []string { return slices.Collect(Corpus(Train, 1, 0, n)) }

// TestGolden guarantees that no change of the tales goes unnoticed: models are
// made from them.
func TestGolden(t *testing.T) {
	h := sha256.New()
	for tale := range Corpus(Train, 1, 0, 1000) {
		fmt.Fprintln(h, tale)
	}
	const want = "c9b4d97ed3f2ef498bca868c8d5949e73879f47a8c2325a4d25cfec40315e1ee"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the first 1000 tales have the SHA-256 %s, want %s", got, want)
	}
}

// TestTalesPass guarantees that every tale keeps the checker's rules and the bounds.
func TestTalesPass(t *testing.T) {
	for i, tale := range sample(20000) {
		if faults := Check(tale); len(faults) > 0 {
			t.Fatalf("tale %d: %v\n%s", i, faults, tale)
		}
		words, cost := measure(tale)
		if words < MinWords || words > MaxWords || cost > MaxCost {
			t.Errorf("tale %d has %d words and costs %d", i, words, cost)
		}
		if n := strings.Count(tale, "\n"); n > 3 {
			t.Errorf("tale %d has %d paragraphs", i, n+1)
		}
	}
}

// TestVocabulary guarantees that the corpus has 1000 to 1500 words and that a model
// meets nearly all of them often enough: in more than one of 2000 tales.
func TestVocabulary(t *testing.T) {
	const n = 20000
	in := map[string]int{} // tales that have the word
	for _, tale := range sample(n) {
		words := strings.FieldsFunc(strings.ToLower(tale), func(r rune) bool { return !letter(byte(r)) })
		slices.Sort(words)
		for _, w := range slices.Compact(words) {
			in[w]++
		}
	}
	often := 0
	for _, k := range in {
		if k > n/2000 {
			often++
		}
	}
	t.Logf("%d words, %d of them in more than one of 2000 tales", len(in), often)
	if len(in) < 1000 || len(in) > 1500 {
		t.Errorf("%d words, want 1000 to 1500", len(in))
	}
	if often < 1000 || often < len(in)*95/100 {
		t.Errorf("only %d of %d words are in more than one of 2000 tales", often, len(in))
	}
}

// TestDistinct guarantees that no tale is told twice, and that tales do not differ
// by the names alone.
func TestDistinct(t *testing.T) {
	const n = 20000
	lex := theLexicon()
	whole, nameless := map[string]bool{}, map[string]bool{}
	for _, tale := range sample(n) {
		whole[tale] = true
		words := strings.FieldsFunc(tale, func(r rune) bool { return !letter(byte(r)) })
		for i, w := range words {
			if lex.genders[w] != "" {
				words[i] = "NAME"
			}
		}
		nameless[strings.Join(words, " ")] = true
	}
	if len(whole) != n {
		t.Errorf("%d of %d tales are told twice", n-len(whole), n)
	}
	if same := n - len(nameless); same > n/1000 {
		t.Errorf("%d of %d tales differ from others by names only", same, n)
	}
}

// TestPlots guarantees that there are at least 36 plots, that all of them and all
// meetings are told, and that plots nest.
func TestPlots(t *testing.T) {
	const n = 20000
	told, nested := map[string]int{}, 0
	for i := range n {
		_, blocks := tell(Seed(Train, 1, i))
		for _, b := range blocks {
			told[b]++
		}
		if len(blocks) > 1 {
			nested++
		}
	}
	l := theLibrary()
	plots, meetings := l.blocks["tale"], l.blocks["way"] // l.plots has some plots twice
	if len(plots) < 36 {
		t.Errorf("%d plots", len(plots))
	}
	for _, b := range slices.Concat(plots, meetings) {
		if told[b.name+" "+b.title] < n/2000 {
			t.Errorf("%s %s is told %d times in %d tales", b.name, b.title, told[b.name+" "+b.title], n)
		}
	}
	t.Logf("%d plots, %d meetings, %d%% of tales nest", len(plots), len(meetings), nested*100/n)
	if nested < n/10 {
		t.Errorf("%d of %d tales have a meeting within the plot", nested, n)
	}
}

// TestSets guarantees that the training and the held-out tales have no seed in
// common, and that a part of a corpus is the same as in the whole.
func TestSets(t *testing.T) {
	train := map[uint64]bool{}
	for i := range 10000 {
		train[Seed(Train, 1, i)] = true
	}
	if len(train) != 10000 {
		t.Errorf("%d different seeds, want 10000", len(train))
	}
	for i := range 10000 {
		if s := Seed(HeldOut, 1, i); s&1 != 1 || train[s] {
			t.Errorf("held-out tale %d has a training seed", i)
		}
	}
	all := slices.Collect(Corpus(HeldOut, 3, 0, 30))
	if part := slices.Collect(Corpus(HeldOut, 3, 10, 20)); !slices.Equal(part, all[10:]) {
		t.Error("tales 10 to 29 are not the same when made apart")
	}
}

// mutant makes a tale wrong; ok is false when it has no place for that.
type mutant func(rng *rand.Rand, tale, other string) (wrong string, ok bool)

// mutants are ways to spoil a tale, and the share in percent of them that the
// checker must notice: 100 where the mutant always breaks a rule, less where it
// may happen to be another good tale.
var mutants = map[string]struct {
	share  int
	mutant mutant
}{
	// A pronoun of the other gender is right when it happens to mean another
	// character who is near: only those that lead a sentence are always wrong.
	"swap a leading pronoun":   {100, swapPronoun(true)},
	"swap any pronoun":         {75, swapPronoun(false)},
	"rename the hero":          {100, renameHero},
	"rename in a speech tag":   {100, renameSpeaker},
	"change the kind":          {100, changeKind},
	"girl named as boy":        {100, changeGender},
	"change the look":          {100, changeLook},
	"remove the introduction":  {95, removeIntroduction}, // the next mention may be "a kite" again
	"cut":                      {97, cut},                // a sentence in the middle may sound like an end
	"cut in a sentence":        {97, cutWord},
	"misspell":                 {98, misspell}, // now and then it is another word
	"join two tales":           {97, join},     // the halves may suit
	"drop a quote":             {100, dropQuote},
	"double a word":            {100, doubleWord},
	"repeat a sentence":        {100, repeatSentence},
	"a for an":                 {100, swapArticle},
	"swap distant sentences":   {60, swapSentences}, // often as good as before
	"remove the last sentence": {97, removeLast},
}

// TestMutants guarantees that the checker notices what it claims to.
func TestMutants(t *testing.T) {
	tales := sample(1500)
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		m := mutants[name]
		rng := rand.New(rand.NewPCG(1, 2))
		made, noticed, missed := 0, 0, ""
		for i, tale := range tales {
			wrong, ok := m.mutant(rng, tale, tales[(i+1)%len(tales)])
			if !ok || wrong == tale {
				continue
			}
			made++
			if len(Check(wrong)) > 0 {
				noticed++
			} else {
				missed = wrong
			}
		}
		t.Logf("%-26s %5d made, %6.2f%% noticed", name, made, 100*float64(noticed)/float64(made))
		if made < 200 || noticed*100 < made*m.share {
			t.Errorf("%s: %d made, %d noticed, want %d%%; not noticed:\n%s", name, made, noticed, m.share, missed)
		}
	}
}

// parsed returns a tale's tokens.
func parsed(tale string) *checker {
	c := &checker{lex: theLexicon(), tale: tale}
	c.tokenise()
	return c
}

// replace puts a word in the place of token i.
func (c *checker) replace(i int, word string) string {
	t := c.tokens[i]
	return c.tale[:t.offset] + word + c.tale[t.offset+len(t.text):]
}

// choose returns one of the tokens that suit.
func (c *checker) choose(rng *rand.Rand, suits func(i int, t token) bool) (int, bool) {
	var fit []int
	for i, t := range c.tokens {
		if suits(i, t) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return 0, false
	}
	return fit[rng.IntN(len(fit))], true
}

// sentences returns the sentences of a tale, each with the space behind it.
func (c *checker) sentences() (list []string) {
	for n := range c.starts {
		end := len(c.tale)
		if n+1 < len(c.starts) {
			end = c.tokens[c.starts[n+1]].offset
		}
		list = append(list, c.tale[c.tokens[c.starts[n]].offset:end])
	}
	return list
}

// stranger returns a name of the same gender that the tale does not have.
func stranger(rng *rand.Rand, tale, name string) string {
	lex := theLexicon()
	for _, of := range []string{"girl", "boy", "she", "he"} {
		names := theLibrary().names[of]
		if !slices.Contains(names, name) {
			continue
		}
		for {
			if n := names[rng.IntN(len(names))]; lex.genders[n] == lex.genders[name] && !strings.Contains(tale, n) {
				return n
			}
		}
	}
	panic("no such name: " + name)
}

func swapPronoun(leading bool) mutant {
	other := map[string]string{"he": "she", "she": "he", "his": "her", "him": "her", "himself": "herself", "herself": "himself", "her": "his",
		"He": "She", "She": "He", "His": "Her", "Her": "His"}
	return func(rng *rand.Rand, tale, _ string) (string, bool) {
		c := parsed(tale)
		i, ok := c.choose(rng, func(i int, t token) bool {
			return other[t.text] != "" && !t.quoted && (!leading || i == c.starts[t.sentence])
		})
		if !ok {
			return "", false
		}
		return c.replace(i, other[c.tokens[i].text]), true
	}
}

func renameHero(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	hero, _ := c.choose(rng, func(i int, t token) bool { _, ok := c.introduction(i); return ok && t.sentence < 3 })
	name := c.tokens[hero].text
	half := tale[len(tale)/2:]
	return tale[:len(tale)/2] + strings.ReplaceAll(half, name, stranger(rng, tale, name)), strings.Contains(half, name)
}

func renameSpeaker(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(i int, t token) bool {
		return c.tag(i-1) && c.lex.genders[t.text] != "" && !t.quoted && c.at(i-1).text != "called"
	})
	if !ok {
		return "", false
	}
	return c.replace(i, stranger(rng, tale, c.tokens[i].text)), true
}

func changeKind(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(i int, t token) bool {
		return c.lex.kinds[t.lower] == "" && theLibrary().byWord[t.lower] != nil && theLibrary().byWord[t.lower].is("animal") && c.definite(i) && !t.quoted
	})
	if !ok {
		return "", false
	}
	for _, k := range theLibrary().kinds[2:] {
		if !strings.Contains(tale, k.word) {
			return c.replace(i, k.word), true
		}
	}
	return "", false
}

func changeGender(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(i int, t token) bool { return (t.text == "girl" || t.text == "boy") && c.at(i+2).word })
	if !ok {
		return "", false
	}
	return c.replace(i, map[string]string{"girl": "boy", "boy": "girl"}[c.tokens[i].text]), true
}

// mentionedBefore tells whether the tale has the word of token i before.
func (c *checker) mentionedBefore(i int) bool {
	for j := range i {
		if c.tokens[j].lower == c.tokens[i].lower {
			return true
		}
	}
	return false
}

func changeLook(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(i int, t token) bool {
		e := theLibrary().byWord[t.lower]
		return e != nil && len(e.looks) > 2 && c.lex.things[t.lower] && c.at(i-1).lower == "the" && c.mentionedBefore(i)
	})
	if !ok {
		return "", false
	}
	for _, look := range theLibrary().byWord[c.tokens[i].lower].looks {
		if !strings.Contains(tale, look) {
			return c.replace(i, look+" "+c.tokens[i].text), true
		}
	}
	return "", false
}

func removeIntroduction(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	later, ok := c.choose(rng, func(i int, t token) bool {
		return c.lex.things[t.lower] && c.at(i-1).lower == "the" && c.mentionedBefore(i)
	})
	if !ok {
		return "", false
	}
	first := slices.IndexFunc(c.tokens, func(t token) bool { return t.lower == c.tokens[later].lower })
	n := c.tokens[first].sentence
	list := c.sentences()
	return strings.Join(slices.Delete(list, n, n+1), ""), n != c.tokens[later].sentence && n > 0
}

func cut(rng *rand.Rand, tale, _ string) (string, bool) {
	list := parsed(tale).sentences()
	return strings.TrimSpace(strings.Join(list[:1+rng.IntN(len(list)-1)], "")), true
}

func cutWord(rng *rand.Rand, tale, _ string) (string, bool) {
	i := strings.IndexByte(tale[len(tale)/2+rng.IntN(len(tale)/2):], ' ')
	if i < 0 {
		return "", false
	}
	return tale[:len(tale)/2+i] + ".", true
}

func misspell(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(_ int, t token) bool { return len(t.text) > 4 })
	if !ok {
		return "", false
	}
	b := []byte(c.tokens[i].text)
	k := 1 + rng.IntN(len(b)-2)
	b[k], b[k+1] = b[k+1], b[k]
	return c.replace(i, string(b)), true
}

func join(_ *rand.Rand, tale, other string) (string, bool) {
	a, b := parsed(tale).sentences(), parsed(other).sentences()
	return strings.Join(a[:len(a)/2], "") + strings.Join(b[len(b)/2:], ""), true
}

func dropQuote(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(_ int, t token) bool { return t.text == `"` })
	if !ok {
		return "", false
	}
	return c.replace(i, ""), true
}

func doubleWord(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, _ := c.choose(rng, func(_ int, t token) bool { return t.word && !t.possessive })
	return c.replace(i, c.tokens[i].text+" "+c.tokens[i].text), true
}

func repeatSentence(rng *rand.Rand, tale, _ string) (string, bool) {
	list := parsed(tale).sentences()
	n := rng.IntN(len(list) - 1)
	if len(strings.Fields(list[n])) < 3 {
		return "", false
	}
	return strings.Join(slices.Insert(list, n+1, list[n]), ""), true
}

func swapArticle(rng *rand.Rand, tale, _ string) (string, bool) {
	c := parsed(tale)
	i, ok := c.choose(rng, func(_ int, t token) bool { return t.text == "a" || t.text == "an" })
	if !ok {
		return "", false
	}
	return c.replace(i, map[string]string{"a": "an", "an": "a"}[c.tokens[i].text]), true
}

func swapSentences(rng *rand.Rand, tale, _ string) (string, bool) {
	list := parsed(tale).sentences()
	list[len(list)-1] += " "
	a := rng.IntN(len(list) / 2)
	b := a + 3 + rng.IntN(len(list)/2-3)
	list[a], list[b] = list[b], list[a]
	return strings.TrimSpace(strings.Join(list, "")), true
}

func removeLast(_ *rand.Rand, tale, _ string) (string, bool) {
	list := parsed(tale).sentences()
	return strings.TrimSpace(strings.Join(list[:len(list)-1], "")), true
}

// TestFaultString guarantees that a fault says where it is and what it is.
func TestFaultString(t *testing.T) {
	faults := Check(`Once there was a fox named Rusty. Rusty lost an kite. That night he slept.`)
	if len(faults) == 0 || !strings.Contains(faults[0].String(), "offset 45: \"an\": a or an") {
		t.Errorf("%v", faults)
	}
}

// FuzzCheck guarantees that Check accepts any string.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "\"", "a", "He said.", "the the", "\n\n", "A fox named", "named Tom", "Tom's's", "\x00\xff", "'", "\"\"\"", "said \"said", "its mother"} {
		f.Add(s)
	}
	for _, tale := range sample(5) {
		f.Add(tale)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, fault := range Check(s) {
			if fault.Offset < 0 || fault.Offset > len(s) {
				t.Errorf("%v in a text of %d bytes", fault, len(s))
			}
		}
	})
}

func BenchmarkTale(b *testing.B) {
	for i := range b.N {
		Tale(uint64(i))
	}
}

func BenchmarkCheck(b *testing.B) {
	tales := sample(100)
	for i := range b.N {
		Check(tales[i%len(tales)])
	}
}

// TestPrimer guarantees that the primer is made of the tales' own words and names, and does not
// change unnoticed.
func TestPrimer(t *testing.T) {
	lex := theLexicon()
	sum := sha256.New()
	for text := range Primer(1, 1000) {
		fmt.Fprintln(sum, text)
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" .,?\"'", r) }) {
			if word != "s" && !lex.words[word] && !lex.words[strings.ToLower(word)] {
				t.Fatalf("%q is not in the lexicon: %s", word, text)
			}
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != "ee573b9593a2cdb54260e556a1315f8ee34f0917d60e2af086c0a4da894ffe24" {
		t.Errorf("the first 1000 texts have the SHA-256 %s", got)
	}
}

// TestCheckTogether guarantees that tales can be checked at once (with -race it also says where
// not): what a tale is found to be depends on nothing but the tale.
func TestCheckTogether(t *testing.T) {
	tales := append(sample(20), "A fox named Rusty and a cat called Molly ran. He slept.")
	var want [][]Fault
	for _, tale := range tales {
		want = append(want, Check(tale))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, tale := range tales {
				if got := Check(tale); !slices.Equal(got, want[i]) {
					t.Errorf("%v, alone %v:\n%s", got, want[i], tale)
				}
			}
		})
	}
	wg.Wait()
}
