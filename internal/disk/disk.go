// Package disk writes a disk image that a PC boots from: a GUID partition table
// with one EFI System Partition, FAT32, and files in it. It needs no root, no
// loop device and no external program.
//
// The partition table and the file system are go-diskfs's. fat32.go adds what
// that library lacks and corrects what fsck.vfat or EDK2 would find wrong, each
// with its reason.
//
// Sources: UEFI specification 2.10, chapters 5 and 13.3; Microsoft, "FAT32 File
// System Specification" 1.03.
package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	osfile "github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"

	"bootllama/internal/file"
)

const (
	sectorSize = 512
	mib        = 1 << 20
	// partitionStart is where partitioning tools put the first partition: a
	// multiple of every flash page and RAID stripe.
	partitionStart = mib
	// gptBackup is the room after the partition for the second table, 33 sectors.
	gptBackup = mib
)

// MaxFile is the largest file: FAT keeps 32 bits of size, and go-diskfs counts
// in int, which is smaller on a 32-bit host.
const MaxFile = min(math.MaxUint32, math.MaxInt)

// File is a file of the image.
type File struct {
	// Path in the image, slash separated without a leading slash. Every element
	// is an 8.3 name in capitals, as ShortName makes; the last may be a long name
	// of a GGUF file: see IsLongName.
	Path string
	// Size in bytes, at most 4 GiB - 1.
	Size int64
	// Open opens the contents, exactly Size bytes. It is called once; the reader
	// is closed.
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
}

// Other programs choose these at random or from the clock. Here they are constants, so
// that an image can be reproduced.
const (
	label         = "BOOTLLAMA"
	serial        = 0xB0071A3A // of the volume
	diskGUID      = "6A2C1F5E-93B4-4D07-8E1B-5B0071A3A001"
	partitionGUID = "6A2C1F5E-93B4-4D07-8E1B-5B0071A3A002"
)

// Write writes the image to the named file, which it replaces. After an error,
// also that of ctx, an existing file is unchanged and no other one is left.
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
		if err := writeImage(ctx, f, t, l); err != nil {
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
	t, err := newTree(files)
	if err != nil {
		return nil, layout{}, err
	}
	l, err := plan(t, opt.Free)
	return t, l, err
}

// writeImage writes everything to f, which is new and empty.
func writeImage(ctx context.Context, f *os.File, t *tree, l layout) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	size := partitionStart + l.size + gptBackup
	// What is not written remains a hole in the file and reads as zeros.
	if err := f.Truncate(size); err != nil {
		return err
	}
	return writeStorage(ctx, osfile.New(f, false), size, t, l)
}

// writeStorage writes everything to storage, which has that size and reads as zeros.
func writeStorage(ctx context.Context, storage backend.Storage, size int64, t *tree, l layout) error {
	kept := &keepingError{Storage: storage}
	err := writeVolume(ctx, kept, size, t, l)
	if kept.err != nil {
		return kept.err
	}
	return err
}

// writeVolume does it; some errors of storage are lost.
func writeVolume(ctx context.Context, storage backend.Storage, size int64, t *tree, l layout) error {
	if err := writeGPT(storage, size, l); err != nil {
		return err
	}
	v, err := createVolume(storage, l)
	if err != nil {
		return err
	}
	for _, dir := range t.dirs {
		if err := v.fs.Mkdir(dir); err != nil {
			return fmt.Errorf("folder %s: %w", dir, err)
		}
	}
	for _, file := range t.files {
		if err := v.writeFile(ctx, file); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	return v.finish(t)
}

// writeGPT writes the protective MBR and both partition tables.
func writeGPT(storage backend.Storage, size int64, l layout) error {
	table := &gpt.Table{
		LogicalSectorSize:  sectorSize,
		PhysicalSectorSize: sectorSize,
		GUID:               diskGUID,
		ProtectiveMBR:      true,
		Partitions: []*gpt.Partition{{
			Index: 1,
			Start: partitionStart / sectorSize,
			End:   uint64(partitionStart+l.size)/sectorSize - 1,
			Type:  gpt.EFISystemPartition,
			Name:  "EFI System",
			GUID:  partitionGUID,
		}},
	}
	w, err := storage.Writable()
	if err != nil {
		return err
	}
	if err := table.Write(w, size); err != nil {
		return err
	}
	// go-diskfs leaves the CHS fields of the protective MBR's partition at 0 (UEFI 5.2.3, table 5.4).
	const startingCHS, endingCHS = 446 + 1, 446 + 5
	first, last := chs(1), chs(size/sectorSize-1)
	for off, b := range map[int64][3]byte{startingCHS: first, endingCHS: last} {
		if _, err := w.WriteAt(b[:], off); err != nil {
			return err
		}
	}
	return nil
}

// The geometry by which blocks have cylinders, heads and sectors: the one that firmware assumes for disks that have none.
const (
	heads           = 255
	sectorsPerTrack = 63
	cylinders       = 1024 // more cannot be represented
)

// chs is a block's address in an MBR: head, sector with the upper bits of the cylinder, cylinder; all ones if the block
// cannot be addressed so.
func chs(lba int64) [3]byte {
	cylinder, head, sector := lba/(heads*sectorsPerTrack), lba/sectorsPerTrack%heads, lba%sectorsPerTrack+1
	if cylinder >= cylinders {
		return [3]byte{0xff, 0xff, 0xff}
	}
	return [3]byte{byte(head), byte(sector | cylinder>>8<<6), byte(cylinder)}
}

// tree is the checked list of files and the folders that they need.
type tree struct {
	files   []File
	dirs    []string       // parents before children
	entries map[string]int // files and folders in each folder; "" is the root
	bytes   int64          // sum of all sizes
}

func newTree(files []File) (*tree, error) {
	t := &tree{files: slices.Clone(files), entries: map[string]int{"": 0}}
	// go-diskfs gives a file with a long name a short one that no file before it has.
	slices.SortStableFunc(t.files, func(a, b File) int { return longEntries(a.Path) - longEntries(b.Path) })
	isFile := make(map[string]bool)
	for _, f := range t.files {
		elements := strings.Split(f.Path, "/")
		for i, e := range elements {
			if !isShortName(e) && !(i == len(elements)-1 && IsLongName(e)) {
				return nil, fmt.Errorf("disk image: path %q: %q is not an 8.3 name in capitals, like LLAMA.TXT", f.Path, e)
			}
		}
		if f.Size < 0 || f.Size > MaxFile {
			return nil, fmt.Errorf("disk image: %s: %d bytes; a file on FAT32 has at most %d", f.Path, f.Size, int64(MaxFile))
		}
		parent := ""
		for i := 1; i < len(elements); i++ {
			dir := strings.Join(elements[:i], "/")
			if isFile[dir] {
				return nil, fmt.Errorf("disk image: %s is a file and a folder of %s", dir, f.Path)
			}
			if _, ok := t.entries[dir]; !ok {
				t.dirs = append(t.dirs, dir)
				t.entries[dir] = 0
				t.entries[parent]++
			}
			parent = dir
		}
		same := strings.ToUpper(f.Path)
		if _, isDir := t.entries[f.Path]; isDir || isFile[same] {
			return nil, fmt.Errorf("disk image: %s is there twice", f.Path)
		}
		isFile[same] = true
		t.entries[parent] += 1 + longEntries(f.Path)
		t.bytes += f.Size
	}
	return t, nil
}

// shortNameChars are the characters that FAT allows in an 8.3 name.
const shortNameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~"

// isShortName reports whether name can be stored as it is in an 8.3 entry.
func isShortName(name string) bool {
	stem, ext, dot := strings.Cut(name, ".")
	return len(stem) >= 1 && len(stem) <= 8 && len(ext) <= 3 && (!dot || ext != "") &&
		strings.Trim(stem+ext, shortNameChars) == "" && !isDevice(stem)
}

// IsLongName reports whether a file can have this name although it is no 8.3 name: one that ends in .gguf, of
// characters that 8.3 names have, small letters and dots. The names of the parts of a model are fixed, and people know
// models by them. There are more than 8 characters before the end, so that every implementation shortens the name in the
// same way, to one with a number.
func IsLongName(name string) bool {
	stem, ok := strings.CutSuffix(name, ".gguf")
	return ok && len(shortChars(stem)) > 8 && len(name) <= 128 && !strings.HasPrefix(stem, ".") &&
		strings.Trim(strings.ToUpper(stem), shortNameChars+".") == ""
}

// longEntries is how many entries of a folder the long name at the end of a path takes, beside that of the file: one for
// 13 characters. An 8.3 name takes none.
func longEntries(file string) int {
	if name := path.Base(file); !isShortName(name) {
		return (len(name) + 12) / 13
	}
	return 0
}

// isDevice reports whether Windows takes a file of this name for a device,
// whatever its extension.
func isDevice(stem string) bool {
	if len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") {
		return stem[3] >= '1' && stem[3] <= '9'
	}
	return slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, stem)
}

// ShortName derives an 8.3 name in capitals from a file name or path, different
// from all names in taken, and adds it there. stories260K.bin becomes
// STORIES2.BIN; the next one of that kind STORIE~1.BIN.
func ShortName(name string, taken map[string]bool) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i+1:]
	}
	stem, ext = shortChars(stem), shortChars(ext)
	if stem == "" {
		stem = "FILE"
	}
	if isDevice(stem) {
		stem += "_"
	}
	if ext != "" {
		ext = "." + ext[:min(len(ext), 3)]
	}
	short := stem[:min(len(stem), 8)] + ext
	for i := 1; taken[short]; i++ {
		tail := fmt.Sprintf("~%d", i)
		short = stem[:min(len(stem), 8-len(tail))] + tail + ext
	}
	taken[short] = true
	return short
}

// shortChars is s in capitals, without dots and spaces, with _ for what FAT
// does not allow.
func shortChars(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '.' || r == ' ':
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r < 0x80 && strings.ContainsRune(shortNameChars, r):
			return r
		}
		return '_'
	}, s)
}
