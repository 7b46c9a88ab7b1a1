package train

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"unicode/utf8"

	"bootllama/train/bpe"
)

// EndOfText is the line that stands between two documents of a corpus file.
const EndOfText = "<|endoftext|>"

// maxText bounds the size of a corpus file in bytes: all of it is held in memory.
const maxText = 1 << 30

// LoadDocuments reads the documents of the text file of that name: see ReadDocuments.
func LoadDocuments(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // not opened: a FIFO would wait for a writer
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost when closing fails
	return ReadDocuments(f, info.Size(), name)
}

// ReadDocuments reads a text of size bytes, at most 1 GiB, from r and cuts it into
// documents, in order; name is for error messages. When a line of the text is
// <|endoftext|>, as in the files of TinyStories, such lines stand between the documents.
// Otherwise blank lines do, so that a story of several paragraphs becomes as many
// documents, and a text without a blank line is one. White space around a document is no
// part of it, nor is a byte order mark at the beginning of the text, and nothing but white
// space is no document. A text that is not UTF-8 is an error with line and column, which
// count from 1, columns in characters: a model of its bytes could not be read.
func ReadDocuments(r io.Reader, size int64, name string) ([]string, error) {
	if size > maxText {
		return nil, fmt.Errorf("%s: offset %d: the text has %d bytes, more than fit", name, maxText, size)
	}
	var text strings.Builder
	text.Grow(int(size))
	n, err := io.CopyN(&text, r, size)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the file ends here, not at %d", size)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: offset %d: %w", name, n, err)
	}
	if err := checkUTF8(text.String()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	plain := strings.TrimPrefix(text.String(), "\ufeff")
	documents, separated := cut(plain, isEndOfText)
	if !separated {
		documents, _ = cut(plain, isBlank)
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("%s: offset %d: the file ends here without a document: it is white space only", name, n)
	}
	return documents, nil
}

// checkUTF8 returns an error that says where a text is not UTF-8.
func checkUTF8(text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return errors.New("line 1, column 1: the text is UTF-16, not UTF-8: convert it")
	}
	number := 0
	for line := range strings.Lines(text) {
		if number++; utf8.ValidString(line) {
			continue
		}
		column := 1
		for line = strings.TrimPrefix(line, "\ufeff"); ; column++ {
			r, size := utf8.DecodeRuneInString(line)
			if r == utf8.RuneError && size == 1 {
				return fmt.Errorf("line %d, column %d: byte %#02x: the text is not UTF-8: convert it", number, column, line[0])
			}
			line = line[size:]
		}
	}
	panic("train: a text whose lines are UTF-8 is UTF-8")
}

func isEndOfText(line string) bool { return strings.TrimRight(line, "\r\n") == EndOfText }
func isBlank(line string) bool     { return strings.TrimSpace(line) == "" }

// cut returns what stands between the lines that are a boundary, and whether there was one.
func cut(text string, isBoundary func(line string) bool) (documents []string, found bool) {
	add := func(document string) {
		if document = strings.TrimSpace(document); document != "" {
			documents = append(documents, document)
		}
	}
	start, end := 0, 0
	for line := range strings.Lines(text) {
		if isBoundary(line) {
			found = true
			add(text[start:end])
			start = end + len(line)
		}
		end += len(line)
	}
	add(text[start:])
	return documents, found
}

// Corpus is a text to train on, as tokens.
type Corpus struct {
	Tokens []uint16 // all documents, each from its BOS on
	Starts []int    // (documents+1,): where each document starts in Tokens, and where the last ends

	// SHA256 is of the text: of every document followed by a newline, <|endoftext|> and a
	// newline. A file that is written so has the same sum.
	SHA256 [sha256.Size]byte
}

// NewCorpus encodes documents. encode appends the tokens of a text, without BOS, to dst,
// as bpe.Encoder's Append does. A document may be empty: it is a BOS alone. No document is
// an error.
func NewCorpus(documents iter.Seq[string], encode func(dst []uint16, text string) []uint16) (*Corpus, error) {
	c := &Corpus{Starts: []int{0}}
	sum := sha256.New()
	var text []byte
	for document := range documents {
		text = append(append(text[:0], document...), "\n"+EndOfText+"\n"...)
		sum.Write(text)
		c.Tokens = encode(append(c.Tokens, bpe.BOS), document)
		c.Starts = append(c.Starts, len(c.Tokens))
	}
	if c.Documents() == 0 {
		return nil, errors.New("train: a corpus without a document")
	}
	sum.Sum(c.SHA256[:0])
	return c, nil
}

// Documents returns the number of documents.
func (c *Corpus) Documents() int { return len(c.Starts) - 1 }

// Document returns the tokens of document i, its BOS first.
func (c *Corpus) Document(i int) []uint16 { return c.Tokens[c.Starts[i]:c.Starts[i+1]] }
