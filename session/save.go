package session

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bootllama/internal/file"
)

// SaveFile writes a conversation as a whole or not at all, into the current folder if name has none. A
// file that is there is replaced only if it is a conversation, too.
func SaveFile(name, text string) (string, error) {
	if name == "" {
		name = time.Now().Format("chat-20060102-150405.txt")
		if _, err := os.Stat(name); err == nil {
			return "", fmt.Errorf("%s is there already: wait a second, or name a file", name)
		}
	}
	if filepath.Ext(name) == "" {
		name += ".txt"
	}
	begins, err := beginsAsTranscript(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case !begins:
		return "", fmt.Errorf("%s is there, and is no saved conversation: take another name", name)
	}
	return name, file.Write(name, []byte(text))
}

// beginsAsTranscript reports whether a file is a conversation.
func beginsAsTranscript(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close() // read only: nothing is lost when closing fails
	begin, err := bufio.NewReader(f).Peek(len(TranscriptBegin))
	if err != nil && err != io.EOF {
		return false, err
	}
	return string(begin) == TranscriptBegin, nil
}
