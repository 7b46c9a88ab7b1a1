package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"bootllama/internal/file"
	"bootllama/train"
)

// folder is a training's. It holds no other files of the names that a training writes: that the folder was named is no
// permission to replace what somebody has put there.
type folder struct {
	dir    string
	record *record           // what it was when the folder was opened; nil: no training was there
	sums   map[string]string // SHA-256 of each file that the training has written, as it is now
}

// output is a file that a training writes.
type output struct {
	name string
	data []byte
}

// outputs are the names of all files that a training writes, besides its record.
var outputs = []string{TokenizerName, Float32Name, Int8Name, CurveName, stateName}

// Check returns an error if a training would replace what is not its own: a file of the folder dir that no training has
// written there, or the corpus; or one with other options that was interrupted there. It takes no time, unlike what comes
// before Open.
func Check(dir string, o Options) error {
	_, err := openFolder(dir, o)
	return err
}

// openFolder looks through the folder, if there is one.
func openFolder(dir string, o Options) (*folder, error) {
	f := &folder{dir: dir, sums: map[string]string{}}
	for _, name := range append([]string{recordName}, outputs...) {
		if err := file.Check(filepath.Join(dir, name), o.Corpus); err != nil {
			return nil, err
		}
	}
	if err := f.readRecord(); err != nil {
		return nil, err
	}
	for _, name := range outputs {
		if err := f.own(name, o); err != nil {
			return nil, err
		}
	}
	if here := o.recipe(); f.sums[stateName] != "" && f.record.Options != here {
		return nil, fmt.Errorf("%s is of a training with other options: give those, or another folder\nthere: %+v\nhere:  %+v",
			filepath.Join(dir, recordName), f.record.Options, here)
	}
	return f, nil
}

// readRecord reads the record, if there is one. A file of that name that is none is somebody else's.
func (f *folder) readRecord() error {
	name := filepath.Join(f.dir, recordName)
	text, err := f.read(recordName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	f.record = new(record)
	if err := d.Decode(f.record); err != nil || len(f.record.CorpusSHA256) != 2*sha256.Size {
		if err == nil {
			err = errors.New("it says nothing of a corpus")
		}
		return fmt.Errorf("%s: %w: it is damaged, or no training has written it: move it away, or name another folder", name, err)
	}
	return nil
}

// read reads a file of the folder. A link to nothing is an error, but not fs.ErrNotExist: who made it wants a file there.
func (f *folder) read(name string) ([]byte, error) {
	name = filepath.Join(f.dir, name)
	if _, err := os.Lstat(name); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is a link to a file that does not exist: remove it, or name another folder", name)
	}
	return data, err
}

// own notes the sum of a file if it is there and the record has it.
func (f *folder) own(name string, o Options) error {
	data, err := f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	got := sum(data)
	if f.record != nil && slices.Contains(f.record.Files[name], got) {
		f.sums[name] = got
		return nil
	}
	path := filepath.Join(f.dir, name)
	if f.record != nil && name == stateName { // perhaps it can be said what is wrong with it
		if _, err := train.Load(bytes.NewReader(data), path, o.Train); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is not what a training has written there: move it away, or name another folder", path)
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// write writes files, each as a whole or not at all. Before, the record gets to know them, so that they are the training's
// whenever it is interrupted.
func (r *Run) write(files ...output) error {
	rec := record{r.Options.recipe(), hex.EncodeToString(r.Material.Corpus.SHA256[:]), r.Elapsed(), r.history.Loss, r.history.HeldOut, map[string][]string{}}
	for name, is := range r.folder.sums {
		rec.Files[name] = []string{is}
	}
	for _, o := range files {
		if s := sum(o.data); !slices.Contains(rec.Files[o.name], s) {
			rec.Files[o.name] = append(rec.Files[o.name], s)
		}
	}
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := file.Write(filepath.Join(r.folder.dir, recordName), text); err != nil {
		return err
	}
	for _, o := range files {
		if err := file.Write(filepath.Join(r.folder.dir, o.name), o.data); err != nil {
			return err
		}
		r.folder.sums[o.name] = sum(o.data)
	}
	return nil
}
