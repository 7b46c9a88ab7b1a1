package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// tree is the checked list of files and the folders that they need.
type tree struct {
	files   []File
	folders []*folder // parents before children; the first is the root
	bytes   int64     // sum of all sizes
	first   []uint32  // the first cluster of each of the files, 0 for an empty one
}

// folder is a folder, with what is in it in the order of the files that were given.
type folder struct {
	path    string // "" of the root
	parent  *folder
	names   []string
	files   []int     // which of the tree's files each name is, -1: a folder
	folders []*folder // which folder each name is, or nil
	first   uint32    // cluster
}

// maxFolder is the largest folder in bytes (FAT32 specification, section 6).
const maxFolder = 2 * mib

func newTree(files []File) (*tree, error) {
	root := &folder{}
	t := &tree{files: files, folders: []*folder{root}, first: make([]uint32, len(files))}
	there := map[string]*folder{"": root} // by folded path; nil: a file
	for i, f := range files {
		if f.Size < 0 || f.Size > MaxFile {
			return nil, fmt.Errorf("disk image: %s: %d bytes; a file on FAT32 has at most %d", f.Path, f.Size, int64(MaxFile))
		}
		elements := strings.Split(f.Path, "/")
		parent := root
		for n, name := range elements {
			if err := checkName(name); err != nil {
				return nil, fmt.Errorf("disk image: path %q: %w", f.Path, err)
			}
			path := strings.Join(elements[:n+1], "/")
			old, is := there[fold(path)]
			isFile := n == len(elements)-1
			switch {
			case is && isFile:
				return nil, fmt.Errorf("disk image: %s is there twice", f.Path)
			case is && old == nil:
				return nil, fmt.Errorf("disk image: %s is a file and a folder of %s", path, f.Path)
			case is:
				parent = old
				continue
			}
			entry, file := (*folder)(nil), i
			if !isFile {
				entry, file = &folder{path: path, parent: parent}, -1
				t.folders = append(t.folders, entry)
			}
			there[fold(path)] = entry
			parent.names, parent.files, parent.folders = append(parent.names, name), append(parent.files, file), append(parent.folders, entry)
			parent = entry
		}
		t.bytes += f.Size
	}
	for _, d := range t.folders {
		if n := d.bytes(); n > maxFolder {
			return nil, fmt.Errorf("disk image: folder /%s: its %d files are too many, or their names too long: a folder on FAT32 has at most %d entries", d.path, len(d.names), maxFolder/dirEntrySize)
		}
	}
	return t, nil
}

// bytes is the size of the folder.
func (d *folder) bytes() int64 {
	n := 1 // the volume's label
	if d.parent != nil {
		n = 2 // . and ..
	}
	for _, name := range d.names {
		n += 1 + longEntries(name)
	}
	return int64(n) * dirEntrySize
}

const (
	reservedSectors = 32 // before the first FAT, at least
	numFATs         = 2
	rootCluster     = 2
	backupBoot      = 6 // sector
	// minClusters makes a volume FAT32; with fewer than 65525 it is FAT16 by definition. 16 more are for who counts wrongly,
	// as the specification advises.
	minClusters = 65525 + 16
	// maxVolume is what 32 bits of sectors of 512 bytes count, less 1 MiB.
	maxVolume = 2<<40 - mib
	// endOfChain is the entry of a file's last cluster.
	endOfChain = 0x0fffffff
)

// clusterSizes are the specification's, Windows's and mkfs.fat's for volumes up to a size.
var clusterSizes = []struct{ cluster, upTo int64 }{
	{512, 260 * mib},
	{4 << 10, 8 << 30},
	{8 << 10, 16 << 30},
	{16 << 10, 32 << 30},
	{32 << 10, maxVolume},
}

// layout is the geometry of the disk. All but sector and clusters are bytes.
type layout struct {
	sector   int64 // of the disk
	size     int64 // of the partition, a multiple of 1 MiB
	reserved int64 // before the first FAT
	fat      int64 // of one FAT
	cluster  int64
	clusters int64
}

// disk is the size of the whole disk.
func (l layout) disk() int64 { return partitionStart + l.size + gptBackup }

// data is where the clusters begin, in the partition.
func (l layout) data() int64 { return l.reserved + numFATs*l.fat }

// plan finds the smallest layout for the files and free bytes. The smallest of all is 33 MiB, or 257 MiB with sectors of 4096
// bytes: FAT32 has no fewer clusters, and none smaller than a sector.
func plan(t *tree, sector, free int64) (layout, error) {
	above := int64(0)
	for _, c := range clusterSizes {
		cluster := max(c.cluster, sector)
		need := max(t.clusters(cluster)+(min(free, maxVolume)+cluster-1)/cluster+1, minClusters)
		for size := max(above, need*cluster) / mib * mib; size <= c.upTo; size += mib {
			if l := layoutOf(size, sector, cluster); size > above && l.clusters >= need {
				return l, nil
			}
		}
		above = c.upTo
	}
	return layout{}, fmt.Errorf("disk image: %d bytes of files and %d free are too much: the largest volume of FAT32 is %d GiB", t.bytes, free, int64((maxVolume+mib)>>30))
}

// layoutOf is the layout of a partition's size. The FATs have room for a few more clusters than there are. The clusters begin
// at a multiple of their size, as the blocks of flash do.
func layoutOf(size, sector, cluster int64) layout {
	l := layout{sector: sector, size: size, cluster: cluster, reserved: reservedSectors * sector}
	most := max(0, size-l.reserved) / cluster
	l.fat = (4*(most+rootCluster) + sector - 1) / sector * sector
	l.reserved += (cluster - l.data()%cluster) % cluster
	l.clusters = max(0, size-l.data()) / cluster
	return l
}

// clusters counts the clusters of all files and folders.
func (t *tree) clusters(size int64) int64 {
	n := int64(0)
	for _, d := range t.folders {
		n += (d.bytes() + size - 1) / size
	}
	for _, f := range t.files {
		n += (f.Size + size - 1) / size
	}
	return n
}

// place gives all folders and then all files their clusters, one after the other, and returns how many each chain has.
func (t *tree) place(l layout) (chains []int64) {
	next := uint32(rootCluster)
	place := func(bytes int64) (first uint32) {
		n := (bytes + l.cluster - 1) / l.cluster
		if n > 0 {
			first = next
			next += uint32(n)
			chains = append(chains, n)
		}
		return first
	}
	for _, d := range t.folders {
		d.first = place(d.bytes())
	}
	for i, f := range t.files {
		t.first[i] = place(f.Size)
	}
	return chains
}

// volume is the file system while it is written.
type volume struct {
	layout
	out io.WriterAt
}

// writeVolume writes the file system to w, the partition.
func writeVolume(ctx context.Context, w io.WriterAt, t *tree, l layout) error {
	v := volume{l, w}
	chains := t.place(l)
	used := int64(0)
	for _, n := range chains {
		used += n
	}
	if err := v.writeHeaders(used); err != nil {
		return err
	}
	for i := range int64(numFATs) {
		if err := v.writeFAT(l.reserved+i*l.fat, chains); err != nil {
			return err
		}
	}
	for _, d := range t.folders {
		if _, err := w.WriteAt(t.entries(d), v.offset(d.first)); err != nil {
			return err
		}
	}
	for i, f := range t.files {
		if err := v.writeFile(ctx, f, t.first[i]); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// offset is where a cluster lies in the partition.
func (v volume) offset(cluster uint32) int64 { return v.data() + int64(cluster-rootCluster)*v.cluster }

// writeHeaders writes the boot sector and FSInfo, of a volume of which that many clusters are used, and their copies.
func (v volume) writeHeaders(used int64) error {
	b := make([]byte, 2*v.sector)
	copy(b, "\xeb\x58\x90MSWIN4.1") // a jump to the code; the name that the specification recommends
	le.PutUint16(b[11:], uint16(v.sector))
	b[13] = byte(v.cluster / v.sector)
	le.PutUint16(b[14:], uint16(v.reserved/v.sector))
	b[16] = numFATs
	b[21] = 0xf8 // BPB_Media
	le.PutUint16(b[24:], sectorsPerTrack)
	le.PutUint16(b[26:], heads)
	le.PutUint32(b[28:], uint32(partitionStart/v.sector)) // BPB_HiddSec
	le.PutUint32(b[32:], uint32(v.size/v.sector))         // BPB_TotSec32
	le.PutUint32(b[36:], uint32(v.fat/v.sector))          // BPB_FATSz32
	le.PutUint32(b[44:], rootCluster)
	le.PutUint16(b[48:], 1) // BPB_FSInfo
	le.PutUint16(b[50:], backupBoot)
	b[64] = 0x80 // BS_DrvNum
	b[66] = 0x29 // BS_BootSig: the three fields that follow are there
	le.PutUint32(b[67:], serial)
	name := volumeLabel()
	copy(b[71:], name[:])
	copy(b[82:], "FAT32   ")
	copy(b[90:510], biosCode)
	le.PutUint16(b[510:], 0xaa55)

	info := b[v.sector:]
	copy(info, "RRaA")
	copy(info[484:], "rrAa")
	le.PutUint32(info[488:], uint32(v.clusters-used)) // FSI_Free_Count
	next := uint32(math.MaxUint32)                    // FSI_Nxt_Free: unknown
	if used < v.clusters {
		next = uint32(rootCluster + used)
	}
	le.PutUint32(info[492:], next)
	le.PutUint16(info[510:], 0xaa55)
	_, err := v.out.WriteAt(b, 0)
	if err == nil {
		_, err = v.out.WriteAt(b, backupBoot*v.sector)
	}
	return err
}

// writeFAT writes a FAT at an offset in the partition, as far as it is not zero.
func (v volume) writeFAT(off int64, chains []int64) error {
	w := bufio.NewWriterSize(io.NewOffsetWriter(v.out, off), mib)
	put := func(entry uint32) { w.Write(le.AppendUint32(w.AvailableBuffer(), entry)) } // Flush returns its error
	put(endOfChain&^0xff | 0xf8)                                                       // BPB_Media
	put(endOfChain)                                                                    // with the bits that say that the volume was left clean and has had no error
	cluster := uint32(rootCluster)
	for _, n := range chains {
		for ; n > 1; n-- {
			cluster++
			put(cluster)
		}
		cluster++
		put(endOfChain)
	}
	return w.Flush()
}

// Offsets in a directory entry, and its attributes.
const (
	dirAttr      = 11
	dirCrtDate   = 16
	dirLstAccDat = 18
	dirFstClusHI = 20
	dirWrtDate   = 24
	dirFstClusLO = 26
	dirFileSize  = 28
	dirEntrySize = 32

	attrVolumeID  = 0x08
	attrDirectory = 0x10
	attrArchive   = 0x20
	attrLongName  = 0x0f
)

// entries are the contents of a folder.
func (t *tree) entries(d *folder) []byte {
	var b []byte
	if d.parent == nil {
		b = appendEntry(b, volumeLabel(), attrVolumeID, 0, 0)
	} else {
		up := d.parent.first
		if up == rootCluster {
			up = 0 // by the specification
		}
		b = appendEntry(b, shortName(".", ""), attrDirectory, d.first, 0)
		b = appendEntry(b, shortName("..", ""), attrDirectory, up, 0)
	}
	for i, alias := range aliases(d.names) {
		b = appendLongName(b, longUnits(d.names[i]), alias)
		if sub := d.folders[i]; sub != nil {
			b = appendEntry(b, alias, attrDirectory, sub.first, 0)
		} else {
			b = appendEntry(b, alias, attrArchive, t.first[d.files[i]], t.files[d.files[i]].Size)
		}
	}
	return b
}

// appendEntry appends the entry of an alias. Its times are 1980-01-01 00:00, the earliest that FAT has.
func appendEntry(b []byte, alias [11]byte, attr byte, first uint32, size int64) []byte {
	const date = 0<<9 | 1<<5 | 1 // years since 1980, month, day
	var e [dirEntrySize]byte
	copy(e[:], alias[:])
	e[dirAttr] = attr
	for _, at := range []int{dirCrtDate, dirLstAccDat, dirWrtDate} {
		le.PutUint16(e[at:], date)
	}
	le.PutUint16(e[dirFstClusHI:], uint16(first>>16))
	le.PutUint16(e[dirFstClusLO:], uint16(first))
	le.PutUint32(e[dirFileSize:], uint32(size))
	return append(b, e[:]...)
}

// appendLongName appends the entries of a long name, the last part of it first, which come before that of its alias.
func appendLongName(b []byte, units []uint16, alias [11]byte) []byte {
	const inEntry, lastEntry = 13, 0x40
	sum := byte(0)
	for _, c := range alias {
		sum = sum>>1 | sum<<7
		sum += c
	}
	parts := slices.Collect(slices.Chunk(units, inEntry))
	for i := len(parts) - 1; i >= 0; i-- {
		var e [dirEntrySize]byte
		e[0] = byte(i + 1)
		if i == len(parts)-1 {
			e[0] |= lastEntry
		}
		e[dirAttr], e[13] = attrLongName, sum
		for n := range inEntry {
			unit := uint16(0xffff) // behind the zero at the end
			switch {
			case n < len(parts[i]):
				unit = parts[i][n]
			case n == len(parts[i]):
				unit = 0
			}
			at := 1 + 2*n
			switch {
			case n >= 11:
				at = 28 + 2*(n-11)
			case n >= 5:
				at = 14 + 2*(n-5)
			}
			le.PutUint16(e[at:], unit)
		}
		b = append(b, e[:]...)
	}
	return b
}

// volumeLabel is the label as it lies on the disk.
func volumeLabel() (b [11]byte) {
	copy(b[:], fmt.Sprintf("%-11s", label))
	return b
}

// writeFile copies a file's contents to its clusters.
func (v volume) writeFile(ctx context.Context, f File, first uint32) (err error) {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf := make([]byte, min(f.Size, mib))
	zero := make([]byte, len(buf))
	for done := int64(0); done < f.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(f.Size-done, int64(len(buf)))]
		n, err := io.ReadFull(r, b)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("the source ended after %d of %d bytes", done+int64(n), f.Size)
		}
		if err != nil {
			return fmt.Errorf("reading the source: %w", err)
		}
		if !bytes.Equal(b, zero[:n]) { // zeros remain holes
			if _, err := v.out.WriteAt(b, v.offset(first)+done); err != nil {
				return err
			}
		}
		done += int64(n)
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
