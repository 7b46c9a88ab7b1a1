package disk

import (
	"encoding/hex"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"unicode/utf16"
)

// basicData is the type of a partition with files of Microsoft's or anybody's. Windows and macOS give such a partition on a
// stick a drive letter or show it; they hide an EFI System Partition, onto which nobody could then drop a model. Firmware
// starts \EFI\BOOT\BOOTX64.EFI from it all the same: by UEFI 3.5.1.1 and 13.3.1, removable media need no System Partition.
// Rufus (4.15, src/drive.c) makes GPT sticks so, and has since 2015; its author has met no PC that would not start one (issues
// 461 and 1001 of github.com/pbatard/rufus).
const basicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

// partitionName is what partitioning programs show.
const partitionName = "bootllama"

// Entries of the partition tables (UEFI 5.3.3).
const (
	gptEntries   = 128
	gptEntrySize = 128
)

// writeGPT writes the protective MBR and both partition tables (UEFI 5.2.3, 5.3).
func writeGPT(w io.WriterAt, l layout) error {
	last := l.disk()/l.sector - 1
	blocks := gptEntries * gptEntrySize / l.sector // of the entries
	entries := gptTable(l)
	for _, part := range []struct {
		lba  int64
		data []byte
	}{
		{0, protectiveMBR(last)},
		{1, gptHeader(l, 1, last, 2, entries)},
		{2, entries},
		{last - blocks, entries},
		{last, gptHeader(l, last, 1, last-blocks, entries)},
	} {
		if _, err := w.WriteAt(part.data, part.lba*l.sector); err != nil {
			return err
		}
	}
	return nil
}

// protectiveMBR is the first sector, 512 bytes of it: a boot sector for BIOSes, and one partition that covers the disk up to
// the block last, so that programs that know no GPT leave it alone.
func protectiveMBR(last int64) []byte {
	b := make([]byte, 512)
	copy(b[:440], biosCode) // what UEFI calls BootCode ends there
	p := b[446:462]
	first, end := chs(1), chs(last)
	copy(p[1:], first[:])
	p[4] = 0xee // OSType: GPT Protective
	copy(p[5:], end[:])
	le.PutUint32(p[8:], 1)
	le.PutUint32(p[12:], uint32(min(last, math.MaxUint32)))
	le.PutUint16(b[510:], 0xaa55)
	return b
}

// gptTable is the array of partitions: one, and nothing.
func gptTable(l layout) []byte {
	b := make([]byte, gptEntries*gptEntrySize)
	copy(b, guid(basicData))
	copy(b[16:], guid(partitionGUID))
	le.PutUint64(b[32:], uint64(partitionStart/l.sector))
	le.PutUint64(b[40:], uint64((partitionStart+l.size)/l.sector-1))
	for i, u := range utf16.Encode([]rune(partitionName)) {
		le.PutUint16(b[56+2*i:], u)
	}
	return b
}

// gptHeader is the header at the block my, whose copy is at alternate, of the entries at the block table.
func gptHeader(l layout, my, alternate, table int64, entries []byte) []byte {
	const size = 92
	blocks := gptEntries * gptEntrySize / l.sector
	b := make([]byte, size)
	copy(b, "EFI PART")
	le.PutUint32(b[8:], 1<<16) // revision 1.0
	le.PutUint32(b[12:], size)
	le.PutUint64(b[24:], uint64(my))
	le.PutUint64(b[32:], uint64(alternate))
	le.PutUint64(b[40:], uint64(2+blocks))                     // the first usable block
	le.PutUint64(b[48:], uint64(l.disk()/l.sector-1-blocks-1)) // the last one
	copy(b[56:], guid(diskGUID))
	le.PutUint64(b[72:], uint64(table))
	le.PutUint32(b[80:], gptEntries)
	le.PutUint32(b[84:], gptEntrySize)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b))
	return b
}

// guid is an EFI_GUID as it lies on a disk: the first three of its fields are little-endian (UEFI, appendix A).
func guid(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		panic("disk: not a GUID: " + s)
	}
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5], b[6], b[7] = b[5], b[4], b[7], b[6]
	return b
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
