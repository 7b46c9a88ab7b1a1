package run

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bootllama/internal/file"
	"bootllama/train"
)

// record is, as JSON, one of the two files from which a training goes on; the other is the
// trainer's own state. It is written first, so it may know of steps that the state has not
// seen; they are done anew.
type record struct {
	Options       Options // see recipe
	CorpusSHA256  string
	Elapsed       time.Duration // in nanoseconds
	Loss          []float64     // before each step
	HeldOutLosses []Point
}

// recipe is what decides the result; of a corpus the content does, not the name.
func (o Options) recipe() Options {
	o.Corpus, o.Train.Threads, o.Train.Kernels = "", 0, nil
	return o
}

// save writes the state, each file whole or not at all.
func (r *Run) save() error {
	text, err := json.Marshal(record{r.Options.recipe(), hex.EncodeToString(r.Material.Corpus.SHA256[:]), r.Elapsed(), r.history.Loss, r.history.HeldOut})
	if err != nil {
		return err
	}
	var state bytes.Buffer
	if err := r.trainer.Save(&state); err != nil {
		return err
	}
	if err := file.Write(filepath.Join(r.dir, recordName), text); err != nil {
		return err
	}
	r.saved = time.Now()
	return file.Write(filepath.Join(r.dir, stateName), state.Bytes())
}

// restore takes up the training in the folder; false if there is none.
func (r *Run) restore() (bool, error) {
	name, recordName := filepath.Join(r.dir, stateName), filepath.Join(r.dir, recordName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // read only
	text, err := os.ReadFile(recordName)
	if err != nil {
		return false, err
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return false, fmt.Errorf("%s: %w: the file is damaged", recordName, err)
	}
	switch {
	case rec.Options != r.Options.recipe():
		return false, fmt.Errorf("%s is of a training with other options: give those, or another folder\nthere: %+v\nhere:  %+v", recordName, rec.Options, r.Options.recipe())
	case rec.CorpusSHA256 != hex.EncodeToString(r.Material.Corpus.SHA256[:]):
		return false, fmt.Errorf("%s is of a training on another corpus: give that one, or another folder", recordName)
	}
	if r.trainer, err = train.Load(f, name, r.Options.Train); err != nil {
		return false, err
	}
	done := r.trainer.StepsDone
	if len(rec.Loss) < done {
		return false, fmt.Errorf("%s has the losses of %d steps, %s is after %d: they do not belong together", recordName, len(rec.Loss), name, done)
	}
	r.history.Loss, r.before = rec.Loss[:done], rec.Elapsed
	for _, p := range rec.HeldOutLosses {
		if p.Step < done {
			r.history.HeldOut = append(r.history.HeldOut, p)
		}
	}
	return true, nil
}
