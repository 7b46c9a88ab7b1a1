package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// Of go-diskfs v1.9.4, what this file works around:
//
//   - File.Write walks the file's whole chain, scans the FAT, writes both FATs
//     and the folder, and writes a cluster at a time, for each call. So one Write
//     of the last byte allocates the file, and its contents go to the ranges that
//     GetDiskRanges then tells.
//   - Create chooses the cluster size from the volume's size alone, may make the
//     FAT two entries too short, and allocation may take clusters after the end
//     of the volume that the last sector of the FAT has room for. So plan finds
//     a size without these faults, and createVolume checks the result.
//   - An empty file keeps a cluster; ".." in a folder of the root names cluster 2
//     instead of 0; a new file has no ATTR_ARCHIVE; times are the clock's; the free
//     count, the serial number, the hidden sectors and the geometry are not filled
//     in. fsck.vfat complains about the first two. finish corrects these in place.
//   - A folder that cannot be read is taken for an empty one, and what was in it is lost
//     without an error. So keepingError keeps the first error of a read or write.
//   - A file is found by name also where the entry is the volume label. So the
//     label is set last.

// Offsets in the boot sector, the FSInfo sector and a directory entry.
const (
	bpbBytsPerSec = 11
	bpbSecPerClus = 13
	bpbRsvdSecCnt = 14
	bpbNumFATs    = 16
	bpbSecPerTrk  = 24
	bpbNumHeads   = 26
	bpbHiddSec    = 28
	bpbTotSec32   = 32
	bpbFATSz32    = 36
	bpbRootClus   = 44
	bpbFSInfo     = 48
	bpbBkBootSec  = 50
	bsVolID       = 67

	fsiFreeCount = 488
	fsiNxtFree   = 492

	dirAttr         = 11
	dirCrtTimeTenth = 13
	dirCrtTime      = 14
	dirCrtDate      = 16
	dirLstAccDate   = 18
	dirFstClusHI    = 20
	dirWrtTime      = 22
	dirWrtDate      = 24
	dirFstClusLO    = 26
	dirFileSize     = 28
	dirEntrySize    = 32

	attrVolumeID  = 0x08
	attrDirectory = 0x10
	attrArchive   = 0x20
	attrLongName  = 0x0f
)

const (
	reservedSectors = 32 // before the first FAT
	rootCluster     = 2
	// minClusters makes a volume FAT32; with fewer it is FAT16 by definition.
	minClusters = 65525
	// maxVolume stays within go-diskfs's 16-bit count of FAT sectors.
	maxVolume = 128 << 30
)

// clusterSizes are go-diskfs's (and mkfs.fat's) for volumes up to a size.
var clusterSizes = []struct{ cluster, upTo int64 }{
	{512, 260 * mib},
	{4 << 10, 8 << 30},
	{8 << 10, 16 << 30},
	{16 << 10, 32 << 30},
	{32 << 10, maxVolume},
}

// layout is the geometry of the volume.
type layout struct {
	size     int64 // of the partition, bytes, a multiple of 1 MiB
	cluster  int64 // bytes
	clusters int64
	fat      int64 // bytes of one FAT
}

// fatStart is the offset of the first FAT in the partition.
const fatStart = reservedSectors * sectorSize

// plan finds the smallest layout for the files and free bytes. The smallest of
// all is 33 MiB: FAT32 has no fewer clusters, and none smaller than a sector.
func plan(t *tree, free int64) (layout, error) {
	above := int64(0)
	for _, c := range clusterSizes {
		need := max(t.clusters(c.cluster)+free/c.cluster+1, minClusters)
		for size := max(above, need*c.cluster) / mib * mib; size <= c.upTo; size += mib {
			if l := layoutOf(size, c.cluster); size > above && l.clusters >= need && l.fat/4 >= l.clusters+2 {
				return l, nil
			}
		}
		above = c.upTo
	}
	return layout{}, fmt.Errorf("disk image: %d bytes of files and %d free are too much: the largest volume is %d GiB", t.bytes, free, int64(maxVolume>>30))
}

// layoutOf is what go-diskfs makes of a size.
func layoutOf(size, cluster int64) layout {
	l := layout{size: size, cluster: cluster}
	sectors := size/sectorSize - reservedSectors
	if sectors <= 0 {
		return l
	}
	fatSectors := (4*sectors + cluster + 7) / (cluster + 8)
	l.fat = fatSectors * sectorSize
	l.clusters = (sectors - 2*fatSectors) * sectorSize / cluster
	return l
}

// clusters counts the clusters of all files and folders. An empty file takes one
// while it is written.
func (t *tree) clusters(size int64) int64 {
	n := int64(0)
	for _, f := range t.files {
		n += max(1, (f.Size+size-1)/size)
	}
	for _, entries := range t.entries {
		n += (int64(entries+2)*dirEntrySize + size - 1) / size // with . and .., or the label
	}
	return n
}

// volume is the file system while it is written.
type volume struct {
	layout
	fs  *fat32.FileSystem
	out backend.WritableFile
}

// createVolume makes the file system and checks that it has the planned layout.
func createVolume(storage backend.Storage, l layout) (*volume, error) {
	fs, err := fat32.Create(storage, l.size, partitionStart, sectorSize, "", true)
	if err != nil {
		return nil, err
	}
	out, err := storage.Writable()
	if err != nil {
		return nil, err
	}
	v := &volume{layout: l, fs: fs, out: out}
	boot, err := v.read(0, sectorSize)
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		field     string
		got, want int64
	}{
		{"BPB_BytsPerSec", int64(le.Uint16(boot[bpbBytsPerSec:])), sectorSize},
		{"BPB_SecPerClus", int64(boot[bpbSecPerClus]), l.cluster / sectorSize},
		{"BPB_RsvdSecCnt", int64(le.Uint16(boot[bpbRsvdSecCnt:])), reservedSectors},
		{"BPB_NumFATs", int64(boot[bpbNumFATs]), 2},
		{"BPB_TotSec32", int64(le.Uint32(boot[bpbTotSec32:])), l.size / sectorSize},
		{"BPB_FATSz32", int64(le.Uint32(boot[bpbFATSz32:])), l.fat / sectorSize},
		{"BPB_RootClus", int64(le.Uint32(boot[bpbRootClus:])), rootCluster},
		{"BPB_FSInfo", int64(le.Uint16(boot[bpbFSInfo:])), 1},
		{"BPB_BkBootSec", int64(le.Uint16(boot[bpbBkBootSec:])), 6},
	} {
		if c.got != c.want {
			return nil, fmt.Errorf("go-diskfs made a FAT32 with %s %d, want %d: this version is not known here", c.field, c.got, c.want)
		}
	}
	return v, nil
}

// keepingError is a storage that keeps the first error of a read or write.
type keepingError struct {
	backend.Storage
	err error
}

func (s *keepingError) keep(err error) error {
	if s.err == nil && err != io.EOF {
		s.err = err
	}
	return err
}

func (s *keepingError) ReadAt(b []byte, off int64) (int, error) {
	n, err := s.Storage.ReadAt(b, off)
	return n, s.keep(err)
}

func (s *keepingError) Writable() (backend.WritableFile, error) {
	w, err := s.Storage.Writable()
	return keepingErrorFile{w, s}, s.keep(err)
}

// keepingErrorFile is its file.
type keepingErrorFile struct {
	backend.WritableFile
	s *keepingError
}

func (f keepingErrorFile) ReadAt(b []byte, off int64) (int, error) { return f.s.ReadAt(b, off) }

func (f keepingErrorFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.WritableFile.WriteAt(b, off)
	return n, f.s.keep(err)
}

var le = binary.LittleEndian

// read returns n bytes at an offset in the partition.
func (v *volume) read(off, n int64) ([]byte, error) {
	b := make([]byte, n)
	_, err := v.out.ReadAt(b, partitionStart+off)
	return b, err
}

// write writes b at an offset in the partition.
func (v *volume) write(off int64, b []byte) error {
	_, err := v.out.WriteAt(b, partitionStart+off)
	return err
}

// writeFile creates a file and copies its contents.
func (v *volume) writeFile(ctx context.Context, f File) (err error) {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	ranges, err := v.allocate(f)
	if err != nil {
		return err
	}
	buf := make([]byte, min(f.Size, mib))
	zero := make([]byte, len(buf))
	done := int64(0)
	for _, g := range ranges {
		off, left := int64(g.Offset), min(int64(g.Length), f.Size-done)
		for left > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := buf[:min(left, int64(len(buf)))]
			n, err := io.ReadFull(r, b)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return fmt.Errorf("the source ended after %d of %d bytes", done+int64(n), f.Size)
			}
			if err != nil {
				return fmt.Errorf("reading the source: %w", err)
			}
			if !bytes.Equal(b, zero[:n]) { // zeros remain holes
				if err := v.write(off, b); err != nil {
					return err
				}
			}
			off, left, done = off+int64(n), left-int64(n), done+int64(n)
		}
	}
	if done != f.Size {
		return fmt.Errorf("go-diskfs allocated %d of %d bytes", done, f.Size)
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("the source is longer than %d bytes", f.Size)
	default:
		return fmt.Errorf("reading the source: %w", err)
	}
}

// allocate creates a file of its full size and returns where its contents lie,
// offsets in the partition. (An empty file has a cluster until finish.)
func (v *volume) allocate(f File) ([]fat12.DiskRange, error) {
	h, err := v.fs.OpenFile(f.Path, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if f.Size > 0 {
		if _, err := h.Seek(f.Size-1, io.SeekStart); err != nil {
			return nil, err
		}
		if _, err := h.Write([]byte{0}); err != nil {
			return nil, err
		}
	}
	ranges, err := diskRanges(h)
	return ranges, errors.Join(err, h.Close())
}

// diskRanges returns where the contents of a file or folder lie.
func diskRanges(h any) ([]fat12.DiskRange, error) {
	f, ok := h.(*fat12.File)
	if !ok {
		return nil, fmt.Errorf("go-diskfs opened a %T, want %T", h, f)
	}
	return f.GetDiskRanges()
}

// finish sets the label and corrects what go-diskfs leaves.
func (v *volume) finish(t *tree) error {
	if err := v.fs.SetLabel(label); err != nil {
		return err
	}
	fat, err := v.read(fatStart, v.fat)
	if err != nil {
		return err
	}
	for _, dir := range append([]string{""}, t.dirs...) {
		if err := v.finishFolder(dir, fat); err != nil {
			return fmt.Errorf("folder /%s: %w", dir, err)
		}
	}
	return errors.Join(v.write(fatStart, fat), v.write(fatStart+v.fat, fat), v.finishHeaders(fat))
}

// finishFolder corrects the entries of one folder, and fat, the allocation table.
func (v *volume) finishFolder(dir string, fat []byte) error {
	h, err := v.fs.OpenFile("/"+dir, os.O_RDONLY)
	if err != nil {
		return err
	}
	ranges, err := diskRanges(h)
	if err := errors.Join(err, h.Close()); err != nil {
		return err
	}
	for _, g := range ranges {
		b, err := v.read(int64(g.Offset), int64(g.Length))
		if err != nil {
			return err
		}
		for e := b; len(e) > 0 && e[0] != 0; e = e[dirEntrySize:] {
			if e[dirAttr] != attrLongName {
				finishEntry(e[:dirEntrySize], fat)
			}
		}
		if err := v.write(int64(g.Offset), b); err != nil {
			return err
		}
	}
	return nil
}

// finishEntry sets an entry's times to 1980-01-01 00:00, the earliest that FAT has,
// and corrects its attributes and its cluster.
func finishEntry(e, fat []byte) {
	const date, clock = 0<<9 | 1<<5 | 1, 0 // years since 1980, month, day
	e[dirCrtTimeTenth] = 0
	le.PutUint16(e[dirCrtTime:], clock)
	le.PutUint16(e[dirCrtDate:], date)
	le.PutUint16(e[dirLstAccDate:], date)
	le.PutUint16(e[dirWrtTime:], clock)
	le.PutUint16(e[dirWrtDate:], date)
	cluster := uint32(le.Uint16(e[dirFstClusHI:]))<<16 | uint32(le.Uint16(e[dirFstClusLO:]))
	parentIsRoot := string(e[:11]) == "..         " && cluster == rootCluster
	isFile := e[dirAttr]&(attrVolumeID|attrDirectory) == 0
	if isFile {
		e[dirAttr] |= attrArchive
	}
	empty := isFile && le.Uint32(e[dirFileSize:]) == 0
	if empty && cluster != 0 {
		le.PutUint32(fat[4*cluster:], 0)
	}
	if parentIsRoot || empty {
		le.PutUint16(e[dirFstClusHI:], 0)
		le.PutUint16(e[dirFstClusLO:], 0)
	}
}

// finishHeaders fills in the boot sector and FSInfo, and their copies.
func (v *volume) finishHeaders(fat []byte) error {
	free, next := uint32(0), uint32(0)
	for i := uint32(v.clusters + 1); i >= rootCluster; i-- {
		if le.Uint32(fat[4*i:]) == 0 {
			free, next = free+1, i
		}
	}
	boot, err := v.read(0, sectorSize)
	if err != nil {
		return err
	}
	le.PutUint16(boot[bpbSecPerTrk:], sectorsPerTrack)
	le.PutUint16(boot[bpbNumHeads:], heads)
	le.PutUint32(boot[bpbHiddSec:], partitionStart/sectorSize)
	le.PutUint32(boot[bsVolID:], serial)
	info, err := v.read(sectorSize, sectorSize)
	if err != nil {
		return err
	}
	le.PutUint32(info[fsiFreeCount:], free)
	le.PutUint32(info[fsiNxtFree:], next)
	both := append(boot, info...)
	return errors.Join(v.write(0, both), v.write(6*sectorSize, both))
}
