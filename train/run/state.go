package run

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bootllama/train"
)

// record is, as JSON, one of the two files from which a training goes on; the other is the
// trainer's own state. It is written first, so it may know of steps that the state has not
// seen; they are done anew. It also says which files of the folder are the training's.
type record struct {
	Options       Options // see recipe
	CorpusSHA256  string
	Elapsed       time.Duration // in nanoseconds
	Loss          []float64     // before each step
	HeldOutLosses []Point

	// Files are the SHA-256 of the files that the training has written, by name: two where one
	// is about to be replaced.
	Files map[string][]string
}

// recipe is what decides the result; of a corpus the content does, not the name.
func (o Options) recipe() Options {
	o.Corpus, o.Train.Threads, o.Train.Kernels = "", 0, nil
	return o
}

// save writes the state.
func (r *Run) save() error {
	var state bytes.Buffer
	if err := r.trainer.Save(&state); err != nil {
		return err
	}
	r.saved = time.Now()
	return r.write(output{stateName, state.Bytes()})
}

// restore takes up the training in the folder; false if there is none.
func (r *Run) restore() (bool, error) {
	name, recordName := filepath.Join(r.folder.dir, stateName), filepath.Join(r.folder.dir, recordName)
	rec := r.folder.record
	if r.folder.sums[stateName] == "" {
		return false, nil
	}
	if rec.CorpusSHA256 != hex.EncodeToString(r.Material.Corpus.SHA256[:]) {
		return false, fmt.Errorf("%s is of a training on another corpus: give that one, or another folder", recordName)
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close() // read only
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
