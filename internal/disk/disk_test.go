package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need skips a test loudly where a program is not installed.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIPPED: the image is not read back: %v", err)
		}
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// random is n bytes that differ from name to name.
func random(name string, n int) []byte {
	r := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", name))))
	b := make([]byte, n)
	r.Read(b)
	return b
}

func write(t testing.TB, files []File, opt Options) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image")
	if err := Write(t.Context(), name, files, opt); err != nil {
		t.Fatal(err)
	}
	return name
}

// partition copies the image's partition to a file of its own, holes as holes.
func partition(t testing.TB, image string) string {
	t.Helper()
	in, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "partition")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	size := st.Size() - partitionStart - gptBackup
	if err := out.Truncate(size); err != nil {
		t.Fatal(err)
	}
	b, zero := make([]byte, mib), make([]byte, mib)
	for off := int64(0); off < size; off += mib {
		if runtime.GOOS == "linux" { // skip holes without reading them
			const seekData = 3
			data, err := in.Seek(partitionStart+off, seekData)
			if errors.Is(err, syscall.ENXIO) {
				break
			}
			if off = max(off, (data-partitionStart)/mib*mib); off >= size {
				break
			}
		}
		if _, err := in.ReadAt(b, partitionStart+off); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, zero) {
			if _, err := out.WriteAt(b, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	return name
}

// fsck holds the partition against fsck.vfat, which prints two lines if all is well.
func fsck(t testing.TB, image string) {
	t.Helper()
	out, err := exec.Command("fsck.vfat", "-n", partition(t, image)).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 2 {
		t.Errorf("fsck.vfat: %v\n%s", err, out)
	}
}

// at is mtools' name for the image's partition.
func at(image string) string { return fmt.Sprintf("%s@@%d", image, partitionStart) }

// TestReadBack writes file sets and reads them with mtools and fsck.vfat.
func TestReadBack(t *testing.T) {
	need(t, "mcopy", "mdir", "fsck.vfat")
	sizes := func(sizes ...int) (files []File) {
		for i, n := range sizes {
			name := fmt.Sprintf("F%d.BIN", i)
			files = append(files, Content(name, random(name, n)))
		}
		return files
	}
	many := func(n int, format string) (files []File) {
		for i := range n {
			name := fmt.Sprintf(format, i)
			files = append(files, Content(name, random(name, i*37)))
		}
		return files
	}
	for _, c := range []struct {
		name  string
		files []File
		opt   Options
	}{
		{"nothing", nil, Options{}},
		{"empty", sizes(0), Options{}},
		{"one byte", sizes(1), Options{}},
		{"around a cluster", sizes(511, 512, 513, 0, 1023, 1024, 1025, 0), Options{}},
		{"around a 4 KiB cluster", sizes(4095, 4096, 4097, 0, 8191, 8192, 8193, 1<<20-1, 1<<20, 1<<20+1), Options{Free: 300 * mib}},
		{"many in the root", many(100, "N%d.X"), Options{}},
		{"many in a folder", many(200, "A/N%d"), Options{}},
		{"directory cluster exactly full", many(15, "N%d"), Options{}},
		{"subdirectory cluster exactly full", many(14, "S/N%d"), Options{}},
		{"nested", append(many(20, "A/B/C/D%d/E.TXT"), sizes(5, 70000)...), Options{}},
		{"all characters", []File{Content("!#$%&'().-@^", []byte("x")), Content("_`{}~/0.9", nil)}, Options{}},
		{"sectors of 4096 bytes", append(sizes(0, 1, 4095, 4096, 4097, 3*mib), many(300, "folder with a long name/N%d")...), Options{Sector: 4096}},
		{"names", append(append(many(30, "many-of-them %d.bin"), many(13, "%0250d.x")...), []File{
			Content("SmolLM2-135M-Instruct-Q4_K_M.gguf", random("s", 5000)), Content("tokens.bin", []byte("t")), Content("Mixed.Case", nil),
			Content("tiny.gguf", nil), Content("TINY.GGU", []byte("u")), Content("tiny.gguf2", nil), Content(".hidden", []byte("h")), Content("a b.c.json", nil),
			Content("a+b=c;d,", nil), Content("Größe – λ, 模型.gguf", []byte("u")), Content("größe – λ, 模型.bin", nil),
			Content("a/b/LLAMA-~1.GGU", []byte("x")), Content("a/b/llama-tiny.Q4_K.gguf", []byte("y")),
			Content("exactly13.bin", nil), Content("exactly-26-characters.gguf", nil), Content("com1x.bin", nil)}...), Options{}},
		{"long names", append([]File{Content("Llama-3.1-8B-00001-of-00003.gguf", random("1", 5000)), Content("Llama-3.1-8B-00002-of-00003.gguf", nil),
			Content("M/LLAMA-~1.GGU", []byte("x")), Content("M/llama-tiny.Q4_K.gguf", []byte("y")), Content("LLAMA3~1.GGU", []byte("z")),
			Content("Llama-3.1-8B-00003-of-00003.gguf", random("3", 700))}, many(20, "qwen2.5-0.5b-instruct-%05d-of-00020.gguf")...), Options{}},
		{"named as the label", []File{Content("BOOTLLAM.A", []byte("x"))}, Options{}},
		{"30 MiB", sizes(30 * mib), Options{}},
		{"40 MiB", append(sizes(40*mib-7), Content("EFI/BOOT/BOOTX64.EFI", random("x", 3*mib+5))), Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := write(t, c.files, c.opt)
			fsck(t, image)
			var want []string
			for _, f := range c.files {
				want = append(want, "::/"+f.Path)
				got, err := exec.Command("mcopy", "-i", at(image), "::/"+f.Path, "-").Output()
				if err != nil {
					t.Fatalf("mcopy %s: %v", f.Path, err)
				}
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
					t.Errorf("%s: mcopy gives %d bytes that are not the %d written (%v)", f.Path, len(got), len(b), err)
				}
			}
			if len(want) == 0 {
				return // mdir takes an empty volume for an error
			}
			var got []string
			for line := range strings.Lines(run(t, "mdir", "-i", at(image), "-/", "-b", "::")) {
				if line = strings.TrimSpace(line); !strings.HasSuffix(line, "/") {
					got = append(got, line)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			listed(t, image, want)
			// mdir -b prints capitals of 8.3 names as they are stored.
			if !slices.Equal(got, want) {
				t.Errorf("mdir lists %q, want %q", got, want)
			}
		})
	}
}

// TestBeyond16Bits: characters of two units, which mtools does not read.
func TestBeyond16Bits(t *testing.T) {
	need(t, "7z", "fsck.vfat")
	image := write(t, []File{Content("🦙🦙🦙🦙🦙🦙🦙/🦙.gguf", []byte("llama")), Content("a🦙b", nil)}, Options{})
	fsck(t, image)
	listed(t, image, []string{"::/a🦙b", "::/🦙🦙🦙🦙🦙🦙🦙/🦙.gguf"})
	if got := run(t, "7z", "e", "-so", "-tfat", partition(t, image), "🦙🦙🦙🦙🦙🦙🦙/🦙.gguf"); got != "llama" {
		t.Errorf("%q", got)
	}
}

// listed lets 7z list the image's partition, whose reader has nothing in common with mtools'.
func listed(t *testing.T, image string, want []string) {
	t.Helper()
	if _, err := exec.LookPath("7z"); err != nil {
		t.Log("SKIPPED: not listed with 7z")
		return
	}
	var got []string
	folder := regexp.MustCompile(`(?m)^Folder = \+$`)
	for entry := range strings.SplitSeq(run(t, "7z", "l", "-slt", "-tfat", "-sccUTF-8", partition(t, image)), "\n\n") {
		if name, ok := strings.CutPrefix(strings.TrimLeft(entry, "-\n"), "Path = "); ok && strings.Contains(entry, "Short Name = ") && !folder.MatchString(entry) {
			name, _, _ = strings.Cut(name, "\n")
			got = append(got, "::/"+name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("7z lists %q, want %q", got, want)
	}
}

// TestSize: small images are as small as FAT32 can be, and all are sparse; Free
// bytes can in fact be written afterwards.
func TestSize(t *testing.T) {
	need(t, "mcopy", "fsck.vfat")
	for _, c := range []struct {
		bytes, free int64
		want        int64 // MiB
	}{
		{0, 0, 35},
		{25 * mib, 0, 35},
		{0, 32 * mib, 35},
		{32 * mib, 0, 35},
		{33 * mib, 0, 36},
		{64 * mib, 0, 68},
		{250 * mib, 0, 256},
		{257 * mib, 0, 263}, // 4 KiB clusters from here
		{20 * mib, 400 * mib, 423},
	} {
		image := write(t, []File{Content("A.BIN", random("a", int(c.bytes)))}, Options{Free: c.free})
		st, err := os.Stat(image)
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() != c.want*mib {
			t.Errorf("%d MiB and %d free: image of %d MiB, want %d", c.bytes/mib, c.free/mib, st.Size()/mib, c.want)
		}
		if runtime.GOOS == "linux" {
			if got, most := allocated(t, image), c.bytes+6*mib; got > most {
				t.Errorf("%d MiB and %d free: %d bytes on disk, more than %d: not sparse", c.bytes/mib, c.free/mib, got, most)
			}
		}
		if c.free > 0 {
			extra := filepath.Join(t.TempDir(), "extra")
			if err := os.WriteFile(extra, random("extra", int(c.free)), 0o666); err != nil {
				t.Fatal(err)
			}
			run(t, "mcopy", "-i", at(image), extra, "::/EXTRA.BIN")
			fsck(t, image)
		}
	}
}

// TestHoles: zeros in a source take no room on the host's disk.
func TestHoles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: sizes on disk are read with du -k on Linux")
	}
	f, _ := sparse("A.BIN", 100*mib)
	if got := allocated(t, write(t, []File{f}, Options{})); got > 5*mib {
		t.Errorf("100 MiB of zeros take %d bytes on disk", got)
	}
}

// allocated is how many bytes a file takes on the host's disk.
func allocated(t *testing.T, name string) int64 {
	var kib int64
	if _, err := fmt.Sscan(run(t, "du", "-k", name), &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestVolume reads the volume's headers with minfo and fsck.vfat's eyes.
func TestVolume(t *testing.T) {
	need(t, "minfo", "mlabel")
	image := write(t, []File{Content("EFI/BOOT/BOOTX64.EFI", []byte("x"))}, Options{})
	out := run(t, "minfo", "-i", at(image), "::")
	for _, want := range []string{
		"sector size: 512 bytes", "cluster size: 1 sectors", "reserved (boot) sectors: 32", "fats: 2",
		"hidden sectors: 2048", "serial number: B0071A3A", "disk type=\"FAT32   \"", "disk label=\"BOOTLLAMA  \"",
		"backup boot sector=6", "infoSector location=1", "free clusters=66492", "last allocated cluster=6",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("minfo does not say %q:\n%s", want, out)
		}
	}
	if out := run(t, "mlabel", "-s", "-i", at(image), "::"); !strings.Contains(out, "BOOTLLAMA") {
		t.Errorf("mlabel: %s", out)
	}
}

// TestHeaders checks what minfo does not show: both copies and the dates.
func TestHeaders(t *testing.T) {
	image := write(t, []File{Content("D/A.BIN", nil), Content("B.BIN", []byte("b"))}, Options{})
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(off, n int64) []byte {
		b := make([]byte, n)
		if _, err := f.ReadAt(b, partitionStart+off); err != nil {
			t.Fatal(err)
		}
		return b
	}
	const sectorSize = 512
	head := read(0, 2*sectorSize)
	if !bytes.Equal(head, read(6*sectorSize, 2*sectorSize)) {
		t.Error("backup boot sector and FSInfo differ from the first ones")
	}
	if !bytes.HasPrefix(head, []byte{0xeb, 90 - 2, 0x90}) || !bytes.HasPrefix(head[90:], append(bytes.Clone(biosCode), 0)) || head[510] != 0x55 || head[511] != 0xaa {
		t.Error("the boot sector does not jump to the boot code")
	}
	if s := le.Uint32(head[67:]); s != 0xB0071A3A {
		t.Errorf("BS_VolID %#x, want 0xB0071A3A", s)
	}
	if s := string(head[71:82]); s != "BOOTLLAMA  " {
		t.Errorf("BS_VolLab %q", s)
	}
	if s, h := le.Uint16(head[24:]), le.Uint16(head[26:]); s != 63 || h != 255 {
		t.Errorf("BPB_SecPerTrk %d, BPB_NumHeads %d, want 63, 255", s, h)
	}
	if s := le.Uint32(head[28:]); s != 2048 {
		t.Errorf("BPB_HiddSec %d, want 2048", s)
	}
	fat := int64(le.Uint32(head[36:])) * sectorSize
	table := read(32*sectorSize, fat)
	if !bytes.Equal(table, read(32*sectorSize+fat, fat)) {
		t.Error("the two FATs differ")
	}
	// Root, D and B.BIN have a cluster each, the empty A.BIN none.
	clusters := (int64(le.Uint32(head[32:])) - 32 - 2*fat/sectorSize)
	if clusters < 65525 || fat/4 < clusters+2 {
		t.Errorf("%d clusters, FAT of %d entries", clusters, fat/4)
	}
	if free := le.Uint32(head[512+488:]); int64(free) != clusters-3 {
		t.Errorf("FSI_Free_Count %d, want %d", free, clusters-3)
	}
	if next := le.Uint32(head[512+492:]); next < 2 || le.Uint32(table[4*next:]) != 0 {
		t.Errorf("FSI_Nxt_Free %d is not free", next)
	}
	data := 32*sectorSize + 2*fat
	for _, folder := range [][]byte{read(data, 512), read(data+512, 512)} {
		for e := folder; e[0] != 0; e = e[32:] {
			const date, clock = (1980-1980)<<9 | 1<<5 | 1, 0
			if le.Uint16(e[14:]) != clock || le.Uint16(e[16:]) != date || le.Uint16(e[18:]) != date || le.Uint16(e[22:]) != clock || le.Uint16(e[24:]) != date {
				t.Errorf("%q has times % x, % x", e[:11], e[13:20], e[22:26])
			}
			want := map[string]byte{"BOO": 0x08, "D  ": 0x10, ".  ": 0x10, ".. ": 0x10, "A  ": 0x20, "B  ": 0x20}[string(e[:3])]
			if e[11] != want {
				t.Errorf("%q has attributes %#x, want %#x", e[:11], e[11], want)
			}
			if cluster := le.Uint16(e[26:]); string(e[:3]) == ".. " && cluster != 0 {
				t.Errorf("'..' of a folder in the root names cluster %d, want 0", cluster)
			}
		}
	}
}

// TestGPT reads both partition tables at the offsets of the UEFI specification, chapter 5, on disks with sectors of both sizes.
func TestGPT(t *testing.T) {
	for _, c := range []struct {
		sector     int
		blocks     uint64 // of the entries
		last       uint64
		start, end []byte // CHS
	}{
		// UEFI 5.2.3: the StartingCHS is 0x000200, the EndingCHS that of the last block. By fdisk, in 255 heads of 63 sectors,
		// block 71679 is cylinder 4, head 117, sector 49; block 66303 cylinder 4, head 32, sector 28.
		{512, 32, 71679, []byte{0, 2, 0}, []byte{117, 49, 4}},
		{4096, 4, 66303, []byte{0, 2, 0}, []byte{32, 28, 4}},
	} {
		image := write(t, nil, Options{Sector: int64(c.sector)})
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(len(b)/c.sector - 1)
		if b[510] != 0x55 || b[511] != 0xaa || b[446] != 0 || b[450] != 0xee || le.Uint32(b[454:]) != 1 || uint64(le.Uint32(b[458:])) != last {
			t.Errorf("protective MBR % x", b[446:512])
		}
		if start, end := b[447:450], b[451:454]; last != c.last || !bytes.Equal(start, c.start) || !bytes.Equal(end, c.end) {
			t.Errorf("protective MBR: last block %d, CHS % x to % x", last, start, end)
		}
		if !bytes.HasPrefix(b, append(bytes.Clone(biosCode), 0)) {
			t.Error("protective MBR: no boot code")
		}
		// UniqueMBRDiskSignature, Unknown and the other partitions are zero, and so is the rest of the block.
		if !bytes.Equal(b[440:446], make([]byte, 6)) || !bytes.Equal(b[462:510], make([]byte, 48)) || !bytes.Equal(b[512:c.sector], make([]byte, c.sector-512)) {
			t.Error("protective MBR: more than boot code and one partition")
		}
		var arrays [2][]byte
		for i, h := range [][]byte{b[c.sector:][:c.sector], b[int(last)*c.sector:]} {
			my, alternate, entries := uint64(1), last, uint64(2)
			if i == 1 {
				my, alternate, entries = last, 1, last-c.blocks
			}
			sum := bytes.Clone(h[:92])
			clear(sum[16:20])
			if string(h[:8]) != "EFI PART" || le.Uint32(h[8:]) != 0x10000 || le.Uint32(h[12:]) != 92 || le.Uint32(h[16:]) != crc32.ChecksumIEEE(sum) {
				t.Errorf("GPT header %d: % x", i, h[:24])
			}
			if le.Uint64(h[24:]) != my || le.Uint64(h[32:]) != alternate || le.Uint64(h[40:]) != 2+c.blocks || le.Uint64(h[48:]) != last-c.blocks-1 || le.Uint64(h[72:]) != entries {
				t.Errorf("GPT header %d: LBAs % x", i, h[24:80])
			}
			if le.Uint32(h[20:]) != 0 || !bytes.Equal(h[92:], make([]byte, c.sector-92)) {
				t.Errorf("GPT header %d: reserved bytes are not zero", i)
			}
			if le.Uint32(h[80:]) != 128 || le.Uint32(h[84:]) != 128 {
				t.Errorf("GPT header %d: %d entries of %d", i, le.Uint32(h[80:]), le.Uint32(h[84:]))
			}
			arrays[i] = b[int(entries)*c.sector:][:128*128]
			if le.Uint32(h[88:]) != crc32.ChecksumIEEE(arrays[i]) {
				t.Errorf("GPT header %d: wrong checksum of the entries", i)
			}
		}
		e := arrays[0]
		// EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, without attributes: Windows gives it a letter.
		basicData := []byte{0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7}
		mib := uint64(mib / c.sector)
		if !bytes.Equal(e, arrays[1]) || !bytes.Equal(e[:16], basicData) || le.Uint64(e[32:]) != mib || le.Uint64(e[40:]) != last-mib || le.Uint64(e[48:]) != 0 ||
			string(e[56:76]) != "b\x00o\x00o\x00t\x00l\x00l\x00a\x00m\x00a\x00\x00\x00" {
			t.Errorf("partition entry % x", e[:128])
		}
		if !bytes.Equal(e[128:], make([]byte, 127*128)) {
			t.Error("more than one partition")
		}
		device := image
		if c.sector != 512 { // these programs take the size of sectors from the device, which is 512 for a file
			out, err := exec.Command("losetup", "--find", "--show", "--read-only", "--sector-size", fmt.Sprint(c.sector), image).Output()
			if err != nil {
				t.Logf("SKIPPED: not verified by others with sectors of %d bytes: losetup: %v", c.sector, err)
				continue
			}
			device = strings.TrimSpace(string(out))
			defer func() { run(t, "losetup", "--detach", device) }()
		}
		for _, c := range []struct{ name, arg, want string }{{"sgdisk", "-v", "No problems found"}, {"sgdisk", "-p", "0700  bootllama"}, {"sfdisk", "-V", "No errors detected"}} {
			if _, err := exec.LookPath(c.name); err != nil {
				t.Logf("SKIPPED: not verified with %s: %v", c.name, err)
				continue
			}
			if out := run(t, c.name, c.arg, device); !strings.Contains(out, c.want) {
				t.Errorf("%s: %s", c.name, out)
			}
		}
	}
}

// TestCHS: addresses at the ends of the geometry, and behind them.
func TestCHS(t *testing.T) {
	for lba, want := range map[int64][3]byte{
		0: {0, 1, 0}, 1: {0, 2, 0}, 62: {0, 63, 0}, 63: {1, 1, 0}, 255*63 - 1: {254, 63, 0}, 255 * 63: {0, 1, 1},
		256 * 255 * 63: {0, 0x41, 0}, 1024*255*63 - 1: {254, 0xff, 0xff}, 1024 * 255 * 63: {0xff, 0xff, 0xff}, 1 << 28: {0xff, 0xff, 0xff},
	} {
		if got := chs(lba); got != want {
			t.Errorf("block %d: % x, want % x", lba, got, want)
		}
	}
}

// TestReproducible: another time, place and environment, the same bytes; and those of a
// known image, so that no change of the code changes them silently.
func TestReproducible(t *testing.T) {
	files := []File{Content("A/B.BIN", random("b", 5000)), Content("LLAMA.TXT", []byte("run\n")), Content("EMPTY", nil)}
	a, err := os.ReadFile(write(t, files, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	b, err := os.ReadFile(write(t, files, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two images of the same files differ")
	}
	const want = "695b887b8a1b0dfe8527c1d9854866c748737ca85da09dfaee8b93765ae6eb8c"
	if got := fmt.Sprintf("%x", sha256.Sum256(a)); got != want {
		t.Errorf("SHA-256 of the image %s, want %s", got, want)
	}
}

// sparse is n zeros but for the last bytes. (A file with a hole would fill the
// host's page cache with zeros.)
func sparse(path string, n int64) (File, []byte) {
	tail := random(path, 5000)
	return File{Path: path, Size: n, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, n-int64(len(tail))), bytes.NewReader(tail))), nil
	}}, tail
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestLarge: a model of 420 MiB with contents and the largest file that FAT has.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: large files (-short)")
	}
	need(t, "mcopy", "mshowfat", "fsck.vfat")
	full := random("420", 420*mib)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	image := write(t, []File{Content("MODEL.BIN", full)}, Options{})
	t.Logf("420 MiB: %v", time.Since(start))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64*mib {
		t.Errorf("%d MiB allocated to write 420 MiB", n/mib)
	}
	fsck(t, image)
	got, err := exec.Command("mcopy", "-i", at(image), "::/MODEL.BIN", "-").Output()
	if err != nil || !bytes.Equal(got, full) {
		t.Errorf("mcopy gives other bytes: %v", err)
	}
	got, full = nil, nil

	const largest = int64(1<<32 - 1)
	source, tail := sparse("LARGEST.BIN", largest)
	runtime.ReadMemStats(&before)
	start = time.Now()
	image = write(t, []File{source, Content("AFTER.BIN", []byte("after"))}, Options{})
	t.Logf("4 GiB - 1: %v", time.Since(start))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256*mib {
		t.Errorf("%d MiB allocated to write 4 GiB", n/mib)
	}
	// fsck.vfat 4.2 multiplies clusters in 32 bits: it says this of the same file
	// on an image made by mkfs.vfat and mcopy, too, and must say nothing else.
	out, _ := exec.Command("fsck.vfat", "-n", partition(t, image)).CombinedOutput()
	if n := strings.Count(string(out), "\n"); n != 2 && !(n == 7 && strings.Contains(string(out), "/LARGEST.BIN\n  File size is 4294967295 bytes, cluster chain length is 0 bytes.\n")) {
		t.Errorf("fsck.vfat:\n%s", out)
	}
	// Where it lies, from mtools' walk along the chain: ::/LARGEST.BIN <3-1048578>.
	var first, last int64
	if _, err := fmt.Sscanf(run(t, "mshowfat", "-i", at(image), "::/LARGEST.BIN"), "::/LARGEST.BIN <%d-%d>", &first, &last); err != nil || last-first+1 != 1<<20 {
		t.Fatalf("clusters %d to %d, %v; want %d in one range", first, last, err, 1<<20)
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, len(tail))
	l := layoutOf(imageSize(t, f)-partitionStart-gptBackup, 512, 4096)
	if _, err := f.ReadAt(b, partitionStart+l.data()+(first-2)*4096+largest-int64(len(tail))); err != nil || !bytes.Equal(b, tail) {
		t.Errorf("the last bytes of the largest file differ: %v", err)
	}
	if got := run(t, "mcopy", "-i", at(image), "::/AFTER.BIN", "-"); got != "after" {
		t.Errorf("the file after the largest has %q", got)
	}
}

func imageSize(t testing.TB, f *os.File) int64 {
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// TestErrors: bad requests are refused before anything is written, and nothing
// is left of a write that failed.
func TestErrors(t *testing.T) {
	reads := func(n int64, r io.Reader) File {
		return File{Path: "A.BIN", Size: n, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
	}
	broken := errors.New("bad sector")
	x := Content("X", nil)
	for _, c := range []struct {
		name  string
		files []File
		opt   Options
		want  string
	}{
		{"too large", []File{{Path: "A.BIN", Size: 1 << 32, Open: x.Open}}, Options{}, "A.BIN: 4294967296 bytes; a file on FAT32 has at most 4294967295"},
		{"negative", []File{{Path: "A.BIN", Size: -1, Open: x.Open}}, Options{}, "-1 bytes"},
		{"no contents", []File{{Path: "A.BIN"}}, Options{}, "no contents"},
		{"twice", []File{x, Content("X", nil)}, Options{}, "X is there twice"},
		{"file and folder", []File{x, Content("X/Y", nil)}, Options{}, "X is a file and a folder"},
		{"folder and file", []File{Content("X/Y", nil), x}, Options{}, "X is there twice"},
		{"no path", []File{Content("", nil)}, Options{}, "a name has 1 to 255 characters"},
		{"leading slash", []File{Content("/X", nil)}, Options{}, "a name has 1 to 255 characters"},
		{"dots", []File{Content("A/../X", nil)}, Options{}, `FAT has no name ".."`},
		{"last dot", []File{Content("A.", nil)}, Options{}, `FAT has no name "A."; it has "A"`},
		{"last blank", []File{Content("A ", nil)}, Options{}, `FAT has no name "A "; it has "A"`},
		{"colon", []File{Content("a:b", nil)}, Options{}, `FAT has no name "a:b"; it has "a_b"`},
		{"control", []File{Content("a\nb", nil)}, Options{}, `FAT has no name "a\nb"`},
		{"not UTF-8", []File{Content("a\xff", nil)}, Options{}, "not UTF-8"},
		{"too long", []File{Content(strings.Repeat("🦙", 128), nil)}, Options{}, "a name has 1 to 255 characters"},
		{"device", []File{Content("aux.tar.bin", nil)}, Options{}, `FAT has no name "aux.tar.bin"; it has "aux_.tar.bin"`},
		{"a long name twice", []File{Content("llama-3.2-1b.gguf", nil), Content("Llama-3.2-1B.gguf", nil)}, Options{}, "Llama-3.2-1B.gguf is there twice"},
		{"a name twice", []File{Content("größe", nil), Content("GRÖßE", nil)}, Options{}, "GRÖßE is there twice"},
		{"file and folder in other letters", []File{Content("x", nil), Content("X/Y", nil)}, Options{}, "X is a file and a folder"},
		{"sector", nil, Options{Sector: 1024}, "sectors of 1024 bytes; disks have 512 or 4096"},
		{"free", nil, Options{Free: -1}, "-1 free bytes"},
		{"free too much", nil, Options{Free: 2 << 40}, "the largest volume of FAT32 is 2048 GiB"},
		{"free overflows", nil, Options{Free: math.MaxInt64}, "largest volume"},
		{"source shrank", []File{reads(3*mib, bytes.NewReader(make([]byte, 2*mib)))}, Options{}, "A.BIN: the source ended after 2097152 of 3145728 bytes"},
		{"source grew", []File{reads(3, strings.NewReader("four"))}, Options{}, "A.BIN: the source is longer than 3 bytes"},
		{"empty source grew", []File{reads(0, strings.NewReader("f"))}, Options{}, "A.BIN: the source is longer than 0 bytes"},
		{"source unreadable", []File{reads(10, io.MultiReader(strings.NewReader("four"), errReader{broken}))}, Options{}, "bad sector"},
		{"source unreadable after the end", []File{reads(4, io.MultiReader(strings.NewReader("four"), errReader{broken}))}, Options{}, "bad sector"},
		{"source absent", []File{x, {Path: "A.BIN", Size: 1, Open: func() (io.ReadCloser, error) { return os.Open("/no/such/file") }}}, Options{}, "/no/such/file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "image")
			if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			err := Write(t.Context(), name, c.files, c.opt)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
			leftBehind(t, dir, "image")
			if b, err := os.ReadFile(name); string(b) != "old" {
				t.Errorf("the file that was there has %d other bytes, %v", len(b), err)
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// leftBehind fails if dir holds anything but the names given.
func leftBehind(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	f, _ := sparse("A.BIN", 64*mib)
	open := f.Open
	f.Open = func() (io.ReadCloser, error) { // cancelled when half of it has been read
		r, err := open()
		return io.NopCloser(io.MultiReader(io.LimitReader(r, 32*mib), calling{cancel}, r)), err
	}
	if err := Write(ctx, filepath.Join(dir, "image"), []File{f}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	leftBehind(t, dir)
	if err := Write(ctx, filepath.Join(dir, "image"), nil, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before it began: error %v, want %v", err, context.Canceled)
	}
	leftBehind(t, dir)
}

// calling is an empty reader that calls a function.
type calling struct{ f func() }

func (c calling) Read([]byte) (int, error) { c.f(); return 0, io.EOF }

// TestNotRegular: a device must not be replaced by a file.
func TestNotRegular(t *testing.T) {
	dir := t.TempDir()
	if err := Write(t.Context(), dir, nil, Options{}); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Errorf("error %v", err)
	}
	if err := Write(t.Context(), filepath.Join(dir, "none", "image"), nil, Options{}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	leftBehind(t, dir)
}

// TestFull writes to a full file system: a small tmpfs, which needs root.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no full disk to be had: %v: %s", err, out)
	}
	defer func() { run(t, "umount", dir) }()
	err := Write(t.Context(), filepath.Join(dir, "image"), []File{Content("A.BIN", random("a", 20*mib))}, Options{})
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	leftBehind(t, dir)
}

// TestName: names that FAT has stay as they are.
func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"SmolLM2-135M-Instruct-Q4_K_M.gguf": "", "LLAMA.TXT": "", "a b.c.json": "", ".hidden": "", "größe 模型.bin": "", "🦙": "", "a+b=c;[d],": "", "com10": "", "x.con": "",
		"a:b|c?.bin": "a_b_c_.bin", `<a>"*"\/`: "_a______", "x.": "x", "x. .": "x", "...": "_", "": "_", " ": "_", "a\tb\x7f": "a_b_", "a\xffb": "a_b", "\uffff\ufffe": "__",
		"con": "con_", "CON.bin": "CON_.bin", "Lpt1 .x": "Lpt1 _.x", strings.Repeat("🦙", 130): strings.Repeat("🦙", 127),
	} {
		if want == "" && strings.Trim(name, " ") != "" {
			want = name
		}
		if got := Name(name); got != want || checkName(got) != nil {
			t.Errorf("Name(%q) = %q, %v, want %q", name, got, checkName(got), want)
		}
	}
}

// TestAliases: 8.3 names as Windows makes them (those of other characters than ASCII it makes by its code page).
func TestAliases(t *testing.T) {
	for _, c := range []struct{ names, want []string }{
		{[]string{"LLAMA.TXT", "tokens.bin", "model", "A", "!#$%&'()"}, []string{"LLAMA   TXT", "TOKENS  BIN", "MODEL      ", "A          ", "!#$%&'()   "}},
		{[]string{"stories260K.bin", "stories260K-q80.bin", "STORIE~1.BIN", "stories260K.gguf"}, []string{"STORIE~2BIN", "STORIE~3BIN", "STORIE~1BIN", "STORIE~1GGU"}},
		{[]string{"Llama-3.1-8B.Q4_K_M.gguf", "tiny.gguf", "a b.c.json", ".hidden", "x.tar.gz"}, []string{"LLAMA-~1GGU", "TINY~1  GGU", "ABC~1   JSO", "HIDDEN~1   ", "XTAR~1  GZ "}},
		{[]string{"a+b=c;[d],", "größe.bin", "模型.gguf", "🦙", "tiny.ggufx", "tiny.gguf"}, []string{"A_B_C_~1   ", "GR__E~1 BIN", "__~1    GGU", "_~1        ", "TINY~1  GGU", "TINY~2  GGU"}},
		{[]string{"ſ.bin", "ı"}, []string{"_~1     BIN", "_~1        "}}, // whose capitals are S and I
	} {
		for i, alias := range aliases(c.names) {
			if got := string(alias[:]); got != c.want[i] {
				t.Errorf("%s: %q, want %q", c.names[i], got, c.want[i])
			}
		}
	}
	many := aliases(slices.Repeat([]string{"a long name.bin"}, 12345))
	slices.SortFunc(many, func(a, b [11]byte) int { return bytes.Compare(a[:], b[:]) })
	if got := len(slices.Compact(many)); got != 12345 {
		t.Errorf("%d different names of 12345", got)
	}
}

// TestFullFolder: as many entries as a folder has, and one more.
func TestFullFolder(t *testing.T) {
	var files []File
	for i := range 65536 - 2 {
		files = append(files, File{Path: fmt.Sprintf("D/%X", i)})
	}
	if err := Check(files, Options{}); err != nil {
		t.Error(err)
	}
	if err := Check(append(files, File{Path: "D/X"}), Options{}); err == nil || !strings.Contains(err.Error(), "folder /D: its 65535 files are too many") {
		t.Error(err)
	}
}

// TestDevices: what Windows takes for a device, and what only looks like one.
func TestDevices(t *testing.T) {
	for _, name := range []string{"CON", "PRN", "aux", "NUL", "COM1", "com9", "LPT1", "LPT9", "LPT5", "NUL "} {
		if !isDevice(name) {
			t.Errorf("%s is a device", name)
		}
	}
	for _, name := range []string{"COM", "COM0", "COMA", "COM10", "LPT", "LPT0", "LPTX", "XOM1", "CO1", "CON1", "CONX", "NULL"} {
		if isDevice(name) {
			t.Errorf("%s is no device", name)
		}
	}
}

// TestPlan: every planned volume is a valid FAT32 with room for its files, for sizes around each change of the cluster size.
func TestPlan(t *testing.T) {
	empty, err := newTree(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sector := range []int64{512, 4096} {
		for _, around := range []int64{0, 33 * mib, 255 * mib, 259 * mib, 260 * mib, 262 * mib, 8 << 30, 16 << 30, 32 << 30, 127 << 30, 2047 << 30} {
			for d := int64(-3); d <= 3; d++ {
				free := max(0, around+d*(mib/2)+d)
				l, err := plan(empty, sector, free)
				if err != nil {
					t.Fatal(err)
				}
				if l.clusters < 65525+16 || l.clusters > 0x0ffffff5 || l.fat/4 < l.clusters+2 || l.data()+l.clusters*l.cluster > l.size || l.data()%l.cluster != 0 ||
					(l.clusters-1)*l.cluster < free || l.size%mib != 0 || l.size/sector > math.MaxUint32 || l.reserved/sector > math.MaxUint16 ||
					l.reserved < 32*sector || l.reserved%sector != 0 || l.fat%sector != 0 || l.cluster%sector != 0 || l.cluster/sector > 128 {
					t.Errorf("%d bytes: %+v", free, l)
				}
				if waste := l.size - l.fat*2 - free; waste > 36*mib && l.cluster > 512 && free > 300*mib && free < 7<<30 {
					t.Errorf("%d bytes: %+v is %d larger than needed", free, l, waste)
				}
			}
		}
	}
}

// TestPlanSmallest: a volume whose clusters just suffice is taken, and with one cluster more the next one.
func TestPlanSmallest(t *testing.T) {
	empty, err := newTree(nil)
	if err != nil {
		t.Fatal(err)
	}
	for size, cluster := range map[int64]int64{100 * mib: 512, 200 * mib: 512, 300 * mib: 4096, 7 << 30: 4096, 12 << 30: 8192, 31 << 30: 16384, 127 << 30: 32768} {
		free := (layoutOf(size, 512, cluster).clusters - empty.clusters(cluster) - 1) * cluster
		for want, free := range map[int64]int64{size: free, size + mib: free + cluster} {
			if l, err := plan(empty, 512, free); err != nil || l.size != want || l.cluster != cluster {
				t.Errorf("%d bytes: %d in clusters of %d, %v, want %d in those of %d", free, l.size, l.cluster, err, want, cluster)
			}
		}
	}
}

// TestClusters counts by hand, for clusters of 512 bytes: 16 entries.
func TestClusters(t *testing.T) {
	var files []File
	for i := range 15 { // 14 in the folder fill a cluster with . and ..
		files = append(files, Content(fmt.Sprintf("A/B/F%d", i), make([]byte, i)))
	}
	files = append(files, Content("BIG", make([]byte, 513)))
	tr, err := newTree(files)
	if err != nil {
		t.Fatal(err)
	}
	// Root 1, A 1, B 2, small files 14 (one is empty), BIG 2.
	if got := tr.clusters(512); got != 20 {
		t.Errorf("%d clusters, want 20", got)
	}
}
