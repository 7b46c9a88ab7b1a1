// Package tales tells short children's tales and checks them.
//
// Tale tells a tale from a seed: a small world (world.go) of named children and
// animals, places, seasons and things, and a few dozen plots (plots_*.go,
// meetings.go, phrases.go) written in a small language (book.go) that a teller
// (tell.go) turns into sentences. It keeps account of who is there, what a
// pronoun would mean, and how things look. Corpus makes many tales: the training
// corpus of a model.
//
// Check judges a tale from its text alone, whoever wrote it, with a lexicon
// (lexicon.go): the words there are, the names with their genders, the nouns that
// are characters or things. It knows no plot and no phrase but the endings. A tale
// passes when it keeps all of these rules:
//
// Form.
//   - plain characters: letters, space, new line and . , ! ? ' " only.
//   - spacing: one space between words, none before a mark, one new line between
//     paragraphs, none at the ends.
//   - balanced quotes: every speech is closed in its paragraph.
//   - known words: each word is in the lexicon; names, months and days with a
//     capital, all others in lower case within a sentence.
//   - capitals: sentences and speeches begin with one.
//   - a or an, as the next word begins.
//   - no doubled word, no repeated sentence.
//
// Dialogue.
//   - a speech ends with a mark: . , ! or ?, a comma before a speech tag, no full
//     stop before one.
//   - a speech has a speaker: a tag ("said Tom", "he said") before or after it, or
//     it follows a speech with one. Names in tags are bound by the rules below.
//
// Characters.
//   - a hero: somebody has a name; a hero enters at the beginning: within three
//     sentences; the hero stays to the end: and is mentioned in the last third.
//   - a name is introduced with a kind ("a fox named Rusty") where it is first used,
//     outside speeches; a character enters once: it never gets a second kind.
//   - the name suits the kind: children have children's names, girls girls'.
//   - a character enters before it is "the": "the fox" needs a fox. Only people of
//     the village (the baker) and relatives (her mother) need no introduction.
//   - one animal of a kind: "a fox" never comes twice.
//   - pronouns agree. The topic is the first character mentioned in the last
//     sentence that mentions one ("Tom and Mia" are two, and no topic; nor is there
//     one at the beginning of a paragraph). A pronoun before any character of its
//     sentence has the gender of the topic. One after it has the gender of the
//     sentence's first character or of one mentioned in this sentence or the two
//     before. In speeches there must be somebody of the gender.
//   - they are at least two: "They" at a beginning needs two characters.
//
// Things. They are the lexicon's toys, food, clothes, tools and the like, not
// scenery such as trees, houses and the moon.
//   - a thing is introduced: "a kite" comes before "the kite" and "her kite". Clothes
//     and baskets may come with an owner at once: "her hat".
//   - a thing has an article, an owner, a number or an adjective.
//   - a thing keeps its look: the red kite is never the blue kite.
//   - what is eaten is gone: after "ate the cake" no "the cake" in the narration.
//
// The whole.
//   - a trouble ends: after the last word of a trouble (lost, broken, stuck, afraid,
//     sick, hungry, cried or sad, angry) comes one of relief (found, mended, free,
//     laughed, well, ate, happy, sorry, ...), or the trouble is denied ("not afraid").
//   - an ending: the last sentence ends with a mark and says one of the things that
//     end a tale ("that night", "ever since", "from that day on", "fell asleep", ...).
package tales
