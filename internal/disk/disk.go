// Package disk writes a disk image that a PC boots from: a GUID partition table with one partition, FAT32 on it, and files.
// It needs no root, no loop device and no external program.
//
// A PC in BIOS mode finds a boot sector that says what it should do instead: see bios.go.
//
// Sources: UEFI specification 2.10, chapters 3.5.1, 5 and 13.3; Microsoft, "FAT32 File System Specification" 1.03.
package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"bootllama/internal/file"
)

const (
	mib = 1 << 20
	// partitionStart is where partitioning tools put the first partition: a multiple of every flash page and RAID stripe.
	partitionStart = mib
	// gptBackup is the room after the partition for the second table, 33 sectors of 512 bytes or 5 of 4096.
	gptBackup = mib
)

// MaxFile is the largest file: FAT keeps 32 bits of size.
const MaxFile = math.MaxUint32

// File is a file of the image.
type File struct {
	// Path in the image, slash separated without a leading slash. Every element is a name as Name makes it.
	Path string
	// Size in bytes, at most MaxFile.
	Size int64
	// Open opens the contents, exactly Size bytes. It is called once; the reader is closed.
	Open func() (io.ReadCloser, error)
}

// Content is a file of the image with data as its contents.
func Content(path string, data []byte) File {
	return File{Path: path, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// Options of Write. The same files and options give the same bytes.
type Options struct {
	// Free is the room in bytes, at least, for a file that is written later.
	Free int64
	// Sector is the size of the disk's logical sectors in bytes: 512, which 0 stands for, or 4096. An image for the one
	// cannot be read on a disk with the other.
	Sector int64
}

// Other programs choose these at random or from the clock. Here they are constants, so
// that an image can be reproduced.
const (
	label         = "BOOTLLAMA"
	serial        = 0xB0071A3A // of the volume
	diskGUID      = "6A2C1F5E-93B4-4D07-8E1B-5B0071A3A001"
	partitionGUID = "6A2C1F5E-93B4-4D07-8E1B-5B0071A3A002"
)

var le = binary.LittleEndian

// Write writes the image to the named file, which it replaces. After an error, also that of ctx, an existing file is
// unchanged and no other one is left.
func Write(ctx context.Context, name string, files []File, opt Options) error {
	t, l, err := layOut(files, opt)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Open == nil {
			return fmt.Errorf("disk image: %s: no contents", f.Path)
		}
	}
	return file.WriteFunc(name, func(f *os.File) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("disk image %s: %w", name, err)
		}
		// What is not written remains a hole in the file and reads as zeros.
		if err := f.Truncate(l.disk()); err != nil {
			return file.Error(name, err)
		}
		err := writeImage(ctx, f, t, l)
		if failed := (writeError{}); errors.As(err, &failed) {
			return file.Error(name, failed.error) // f has another name
		}
		if err != nil {
			return fmt.Errorf("disk image %s: %w", name, err)
		}
		return nil
	})
}

// Check returns the error that Write would return before it opens any of the files, whose Open may be nil.
func Check(files []File, opt Options) error {
	_, _, err := layOut(files, opt)
	return err
}

// layOut checks the files and finds room for them.
func layOut(files []File, opt Options) (*tree, layout, error) {
	if opt.Free < 0 {
		return nil, layout{}, fmt.Errorf("disk image: %d free bytes", opt.Free)
	}
	if opt.Sector == 0 {
		opt.Sector = 512
	}
	if opt.Sector != 512 && opt.Sector != 4096 {
		return nil, layout{}, fmt.Errorf("disk image: sectors of %d bytes; disks have 512 or 4096", opt.Sector)
	}
	t, err := newTree(files)
	if err != nil {
		return nil, layout{}, err
	}
	l, err := plan(t, opt.Sector, opt.Free)
	return t, l, err
}

// writeError is an error of a write to the image.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// image is where the image is written to.
type image struct{ io.WriterAt }

func (w image) WriteAt(b []byte, off int64) (int, error) {
	n, err := w.WriterAt.WriteAt(b, off)
	if err != nil {
		err = writeError{err}
	}
	return n, err
}

// writeImage writes everything to w, which reads as zeros.
func writeImage(ctx context.Context, w io.WriterAt, t *tree, l layout) error {
	w = image{w}
	if err := writeGPT(w, l); err != nil {
		return err
	}
	return writeVolume(ctx, io.NewOffsetWriter(w, partitionStart), t, l)
}
