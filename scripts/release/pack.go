package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"time"
)

// packed is a file of an archive.
type packed struct {
	name string
	mode int64
	data []byte
}

// epoch is the time of all files in archives: the earliest that ZIP has.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// addProgram adds the archive of a platform, in the format that its system opens without further programs.
func (r *release) addProgram(p platform, program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	files := append([]packed{{p.program(), 0o755, data}}, r.notices...)
	name := "bootllama-" + p.name()
	pack, end := tarGzip, ".tar.gz"
	if p.os == "windows" {
		pack, end = zipped, ".zip"
	}
	archive, err := pack(name, files)
	if err != nil {
		return err
	}
	return r.add(name+end, archive)
}

// tarGzip packs files in a folder.
func tarGzip(folder string, files []packed) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: folder + "/" + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: epoch, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return compress(&b)
}

// zipped packs files in a folder.
func zipped(folder string, files []packed) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate}
		h.Modified = epoch
		h.SetMode(os.FileMode(f.mode))
		to, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// compress compresses with gzip. The header has neither a name nor a time.
func compress(from io.Reader) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(w, from)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}
