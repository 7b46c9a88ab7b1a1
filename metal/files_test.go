//go:build linux && amd64

package metal

import (
	"encoding/binary"
	"hash/fnv"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unsafe"
)

// cString is a string in memory, with a zero behind it.
func cString(t *testing.T, s string) uintptr {
	b := append([]byte(s), 0)
	t.Cleanup(func() { runtime.KeepAlive(b) })
	return address(&b[0])
}

// firmwareString is a string in the firmware's form.
func firmwareString(t *testing.T, s string) uintptr {
	u := append(utf16.Encode([]rune(s)), 0)
	t.Cleanup(func() { runtime.KeepAlive(u) })
	return address(&u[0])
}

// TestDeviceKind: a device has one name, and no other path is one.
func TestDeviceKind(t *testing.T) {
	for path, want := range map[string]uint64{
		"/dev/tty": kindConsole, "/dev/console": kindConsole, "/dev/vcs": kindVCS, "/dev/fb0": kindFramebuffer,
		"": kindClosed, "/": kindClosed, "/dev/tt": kindClosed, "/dev/tty1": kindClosed, "/dev/ttx": kindClosed, "dev/tty": kindClosed,
		"xdev/vcs": kindClosed, "/dev/vcs1": kindClosed, "/dev/vc": kindClosed, "/dev/fb": kindClosed, "/dev/fb00": kindClosed, "/dev/consol": kindClosed,
	} {
		if got := deviceKind(cString(t, path)); got != want {
			t.Errorf("%q: %d, want %d", path, got, want)
		}
	}
}

// TestMappings: what begins a path as the shell's name of a volume, as the firmware and as a program writes it.
func TestMappings(t *testing.T) {
	long := strings.Repeat("m", len(mappingName)-2)
	for path, want := range map[string]string{
		`fs1:`: "fs1:", `FS0:\a`: "FS0:", `fs1:a:b`: "fs1:", `:`: ":", `fs1`: "", ``: "", long + `:\a`: long + ":", long + `x:`: "",
	} {
		m := mapping{'o', 'l', 'd', ' ', 'n', 'a', 'm', 'e'}
		found := m.set(firmwareString(t, path))
		if found != (want != "") || found && (string(utf16.Decode(m[:m.size()])) != want || m.size() != len(want)) {
			t.Errorf("%q: %q, %v, want %q", path, string(utf16.Decode(m[:m.size()])), found, want)
		}
	}
	for path, want := range map[string][2]string{
		"fs1:": {"fs1:", ""}, `fs1:\a`: {"fs1:", `\a`}, "fs1:/a": {"fs1:", "/a"}, "fs1:a:b": {"fs1:", "a:b"}, "/fs1:/a": {"fs1:", "/a"}, "///fs1:": {"fs1:", ""},
		long + ":a": {long + ":", "a"}, long + "x:": {}, "fs1": {}, "": {}, "/": {}, "a/fs1:": {}, `a\fs1:`: {}, `\fs1:`: {}, "é:": {}, "\x7f:": {"\x7f:", ""}, "\x80:": {},
	} {
		mappingName = mapping{'o', 'l', 'd', ' ', 'n', 'a', 'm', 'e'}
		p := cString(t, path)
		rest, found := takeMapping(p)
		if found != (want[0] != "") {
			t.Errorf("%q: %v", path, found)
		}
		if !found {
			if rest != 0 {
				t.Errorf("%q goes on at %#x", path, rest)
			}
			continue
		}
		if name := string(utf16.Decode(mappingName[:mappingName.size()])); name != want[0] || rest != p+uintptr(len(path)-len(want[1])) {
			t.Errorf("%q: %q, and goes on %d bytes later, want %q", path, name, rest-p, want)
		}
	}
}

// TestFind: where paths lead for which no folder has to be opened.
func TestFind(t *testing.T) {
	defer func() { clear(files[:]); clear(volumes[:]); workingDirectory = file{} }()
	volumes[0].root, volumes[1].root = 100, 101
	const none, folder, text = 6, 7, 8
	files[folder] = file{kind: kindDirectory, handle: 200, inode: 204, volume: 1}
	files[text] = file{kind: kindFile, handle: 300, inode: 304}
	root, second, inFolder, inWorking := place{parent: 100, inode: 1}, place{volume: 1, parent: 101, inode: 5}, place{volume: 1, parent: 200, inode: 204}, place{volume: 1, parent: 400, inode: 404}
	for _, c := range []struct {
		directory int // -100: the working directory
		path      string
		entered   bool // the working directory is not the root
		want      place
		last      int
		slash     bool
		name      string
		e         uint64
	}{
		{-100, "", false, root, lastRoot, false, "", enoent},
		{-100, "/", false, root, lastRoot, true, "", 0},
		{-100, "///", true, root, lastRoot, true, "", 0},
		{-100, `\`, false, root, lastRoot, true, "", 0},
		{-100, `\`, true, second, lastRoot, true, "", 0},
		{-100, ".", false, root, lastDot, false, "", 0},
		{-100, "./", true, inWorking, lastDot, true, "", 0},
		{-100, "..", false, root, lastDotDot, false, "", 0},
		{-100, "../.", false, root, lastDot, false, "", 0},
		{-100, "../a", false, root, lastName, false, "a", 0},
		{-100, "/.././/a//", true, root, lastName, true, "a", 0},
		{-100, "a", false, root, lastName, false, "a", 0},
		{-100, "a/", true, inWorking, lastName, true, "a", 0},
		{-100, `.\a\`, true, inWorking, lastName, true, "a", 0},
		{-100, `\a`, true, second, lastName, false, "a", 0},
		{-100, "a.", true, inWorking, lastName, false, "a", 0},
		{-100, "...", true, inWorking, lastName, false, "", enoent},
		{-100, strings.Repeat("n", 255), true, inWorking, lastName, false, strings.Repeat("n", 255), 0},
		{-100, strings.Repeat("n", 256), true, inWorking, lastName, false, "", enametoolong},
		{-100, strings.Repeat("./", 2047) + "a", true, inWorking, lastName, false, "a", 0},
		{-100, strings.Repeat("./", 2047) + "aa", true, root, lastRoot, false, "", enametoolong},
		{folder, "a", false, inFolder, lastName, false, "a", 0},
		{folder, ".", false, inFolder, lastDot, false, "", 0},
		{folder, "/a", true, root, lastName, false, "a", 0},
		{folder | 1<<32, "a", false, inFolder, lastName, false, "a", 0}, // a descriptor has 32 bits
		{text, "a", false, root, lastDot, false, "", enotdir},
		{text, "/a", false, root, lastName, false, "a", 0},
		{none, "a", false, root, lastDot, false, "", ebadf},
		{maxFiles, "a", false, root, lastDot, false, "", ebadf},
		{-1, "a", false, root, lastDot, false, "", ebadf},
		{-101, "a", false, root, lastDot, false, "", ebadf},
		{-100, "fs9:", false, root, lastRoot, false, "", enodev}, // there is no shell
		{-100, "fs9:/a", true, root, lastRoot, false, "", enodev},
		{folder, `/fs9:\a`, true, root, lastRoot, false, "", enodev},
	} {
		if workingDirectory = (file{}); c.entered {
			workingDirectory = file{handle: 400, inode: 404, volume: 1}
		}
		got := place{slash: true, impossible: true, size: 9} // of the last path
		e := got.find(uintptr(c.directory), cString(t, c.path))
		if e != c.e || got.last != c.last || got.slash != c.slash || got.opened || got.impossible {
			t.Errorf("%.20q at %d: errno %d, %+v, want %d, %+v", c.path, c.directory, e, got, c.e, c)
		}
		if got.volume != c.want.volume || got.parent != c.want.parent || got.inode != c.want.inode {
			t.Errorf("%.20q at %d: in the folder %d %d %d, want %d %d %d", c.path, c.directory, got.volume, got.parent, got.inode, c.want.volume, c.want.parent, c.want.inode)
		}
		if e == 0 && c.last == lastName && string(utf16.Decode(got.name[:got.size])) != c.name {
			t.Errorf("%.20q at %d: the name %q, want %q", c.path, c.directory, string(utf16.Decode(got.name[:got.size])), c.name)
		}
	}
	// A name with a backslash, at a descriptor or after a slash, is one that no file has.
	for path, directory := range map[string]int{`\a`: folder, `a\b`: folder, `./a\b`: -100, `fs1:a`: folder, `fs9:a`: -100} {
		var got place
		if e := got.find(uintptr(directory), cString(t, path)); e != 0 || !got.impossible || got.last != lastName {
			t.Errorf("%q at %d: errno %d, %+v", path, directory, e, got)
		}
	}
	volumes[0].root = 0 // nothing was loaded from a volume
	var p place
	if e := p.find(uintptr(text), cString(t, "/a")); e != enoent {
		t.Errorf("without a volume: errno %d", e)
	}
}

// TestInfoForFirmware: what SetInfo gets has its size (UEFI 2.10, 13.5.16), no time of creation, and a time of modification that is a
// date or none.
func TestInfoForFirmware(t *testing.T) {
	for _, name := range []string{"", "a", `\folder\name`, strings.Repeat("n", len(pathBuffer)-1)} {
		var info namedInfo
		copy(info.name[:], utf16.Encode([]rune(name)))
		info.create, info.lastAccess = efiTime{year: 1999, month: 1, day: 1}, efiTime{year: 1998, month: 1, day: 1}
		const before = 80 // SIZE_OF_EFI_FILE_INFO
		if size := info.complete(); size != uintptr(before+2*len(name)+2) || info.size != uint64(size) {
			t.Errorf("a name of %d units: %d bytes, and %d for the firmware", len(name), size, info.size)
		}
		if info.create != (efiTime{}) || info.modification != (efiTime{}) || info.lastAccess.year != 1998 {
			t.Errorf("the times are %+v", info.efiFileInfo)
		}
		info.modification = efiTime{year: 2020, month: 13, day: 40}
		if info.complete(); info.modification != (efiTime{year: 2020, month: 12, day: 31}) {
			t.Errorf("modified at %+v", info.modification)
		}
	}
}

// TestStat: what a program sees of EFI_FILE_INFO, and of what is no file.
func TestStat(t *testing.T) {
	date := efiTime{year: 2001, month: 2, day: 3, hour: 4, minute: 5, second: 6, nanosecond: 7, timeZone: efiUnspecifiedTimeZone}
	none, first, second := efiTime{}, timespec{315532800, 0}, timespec{981173106, 7} // 1980-01-01, date
	for _, c := range []struct {
		info efiFileInfo
		want stat
	}{
		{efiFileInfo{fileSize: 5, physicalSize: 4096, lastAccess: none, modification: date},
			stat{mode: 0o100644, size: 5, blocks: 8, accessed: first, modified: second, changed: second}},
		{efiFileInfo{fileSize: 1, physicalSize: 513, attribute: efiFileReadOnly, lastAccess: date, modification: none},
			stat{mode: 0o100444, size: 1, blocks: 2, accessed: second, modified: first, changed: first}},
		{efiFileInfo{attribute: efiFileDirectory, lastAccess: date, modification: date}, stat{mode: 0o040755, accessed: second, modified: second, changed: second}},
		{efiFileInfo{attribute: efiFileDirectory | efiFileReadOnly, physicalSize: 512, lastAccess: date, modification: date},
			stat{mode: 0o040755, blocks: 1, accessed: second, modified: second, changed: second}},
	} {
		c.want.dev, c.want.ino, c.want.nlink, c.want.blockSize = 4, 77, 1, 4096
		got := stat{uid: 1, gid: 1, rdev: 1}
		if storeStat(address(&got), &namedInfo{efiFileInfo: c.info}, 3, 77); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.info, got, c.want)
		}
	}
	for kind, want := range map[uint64]stat{
		kindConsole: {mode: 0o020600}, kindVCS: {mode: 0o020600}, kindEvent: {mode: 0o020600}, kindFramebuffer: {mode: 0o020600, rdev: 29 << 8}, kindPipe: {mode: 0o010600},
	} {
		want.dev, want.ino, want.nlink, want.blockSize = maxVolumes+1, 5, 1, 1024
		got := stat{size: 1, blocks: 1, uid: 1}
		if storeDeviceStat(&got, kind, 5); got != want {
			t.Errorf("of kind %d: %+v, want %+v", kind, got, want)
		}
	}
}

// TestSetTimes: UTIME_OMIT leaves a time as it is, for the firmware that of access by none.
func TestSetTimes(t *testing.T) {
	before, omit := efiTime{year: 1999, month: 1, day: 1}, timespec{nsec: 1<<30 - 2}
	first, second := timespec{981173106, 999_999_999}, timespec{1e9, 0}
	for _, c := range []struct {
		access, modification         timespec
		wantAccess, wantModification efiTime
	}{
		{first, second, efiDate(981173106), efiDate(1e9)}, {omit, second, efiTime{}, efiDate(1e9)}, {second, first, efiDate(1e9), efiDate(981173106)}, {first, omit, efiDate(981173106), before},
	} {
		info := namedInfo{efiFileInfo: efiFileInfo{lastAccess: before, modification: before}}
		if info.setTimes(c.access, c.modification); info.lastAccess != c.wantAccess || info.modification != c.wantModification {
			t.Errorf("%+v: %+v", c, info.efiFileInfo)
		}
	}
}

// TestTouchDescriptor: the times of an open file go to a handle that may write, and if there is none, to that of the file.
func TestTouchDescriptor(t *testing.T) {
	f := newServices(t)
	var own, other efiFile
	var opened bool
	var got []uintptr
	own.open = f.service(func(a ...uintptr) uintptr {
		if a[0] != address(&own) || *at[uint16](a[2]) != '.' || a[3] != efiFileModeRead|efiFileModeWrite || a[4] != 0 {
			t.Errorf("Open%#x", a)
		}
		firmwareResult = address(&other)
		if !opened {
			return efiWriteProtected
		}
		return efiSuccess
	})
	other.close = f.service(func(a ...uintptr) uintptr { got = append(got, a[0]); return efiSuccess })
	own.getInfo = f.service(func(a ...uintptr) uintptr { *at[namedInfo](a[3]) = namedInfo{}; return efiSuccess })
	own.setInfo = f.service(func(a ...uintptr) uintptr {
		info := at[namedInfo](a[3])
		if got = append(got, a[0]); info.lastAccess != efiDate(1e9) || info.modification != efiDate(981173106) {
			t.Errorf("%+v", info.efiFileInfo)
		}
		return efiSuccess
	})
	other.getInfo, other.setInfo = own.getInfo, own.setInfo
	set(t, &files[7], file{kind: kindFile, handle: address(&own)})
	set(t, &filesEnd, 8)
	for opened = range map[bool]bool{false: true, true: true} {
		got = nil
		want := []uintptr{address(&own)}
		if opened {
			want = []uintptr{address(&other), address(&other)} // closed, too
		}
		if e := touchDescriptor(7, timespec{sec: 1e9}, timespec{sec: 981173106}); e != 0 || !slices.Equal(got, want) {
			t.Errorf("%v: error %d, %#x, want %#x", opened, e, got, want)
		}
	}
}

// TestChown: a file is of user and group 0, and -1 leaves it as it is.
func TestChown(t *testing.T) {
	const keep = ^uintptr(0)
	for _, c := range []struct {
		uid, gid uintptr
		want     uint64
	}{
		{0, 0, 0}, {keep, keep, 0}, {0, keep, 0}, {keep, 0, 0}, {1<<32 - 1, 1<<32 - 1, 0}, {1 << 32, 1 << 32, 0},
		{1, 0, eperm}, {0, 1, eperm}, {1, keep, eperm}, {keep, 1, eperm}, {1<<32 - 2, 0, eperm}, {0, 1<<32 - 2, eperm},
	} {
		if got := chown(c.uid, c.gid); got != c.want {
			t.Errorf("to %d and %d: errno %d, want %d", int64(c.uid), int64(c.gid), got, c.want)
		}
	}
}

// TestStandInName: the name of a removed file that is open has its number in eight digits.
func TestStandInName(t *testing.T) {
	for number, want := range map[uint64]string{1: `\.unlinked-00000001`, 0x89ABCDEF: `\.unlinked-89abcdef`, 0x12345670: `\.unlinked-12345670`, 0xFFFFFFFF: `\.unlinked-ffffffff`} {
		name := unsafe.Slice(at[uint16](unlinkedName(number)), len(want)+1)
		if got := string(utf16.Decode(name)); got != want+"\x00" {
			t.Errorf("%#x: %q, want %q", number, got, want)
		}
	}
}

// TestInodeKey: a file's number is the FNV-1a hash of the number of its folder and its name, with the mark of one that is no root.
func TestInodeKey(t *testing.T) {
	for volume := range maxVolumes {
		if root := rootInode(volume); !isRootInode(root) || root>>2 != uint64(volume) {
			t.Errorf("the root of volume %d has the number %d", volume, root)
		}
	}
	for _, parent := range []uint64{1, 5, 0x0102030405060708, 0xFEDCBA9876543210} {
		for _, name := range []string{"", "a", "name.txt", "é"} {
			h := fnv.New64a()
			h.Write(binary.LittleEndian.AppendUint64(nil, parent))
			units := append(utf16.Encode([]rune(name)), 'x')
			for _, u := range units[:len(units)-1] {
				h.Write([]byte{byte(u)})
			}
			got := inodeKey(parent, &units[0], len(units)-1)
			if got != h.Sum64()|2 || isRootInode(got) {
				t.Errorf("%q in %#x: %#x, want %#x", name, parent, got, h.Sum64()|2)
			}
		}
	}
}

// TestFollowPath: the folders on a path have the numbers that they have one in the other, and the place where each ends is found.
func TestFollowPath(t *testing.T) {
	defer func() { clear(pathBuffer[:]); pathStart = 0 }()
	const path = `\outer\in\file`
	pathStart = len(pathBuffer) - 1 - len(path)
	copy(pathBuffer[pathStart:], utf16.Encode([]rune(path)))
	inode := rootInode(2)
	if _, end := followPath(2, inode); end != pathStart {
		t.Errorf("the root ends at %d, want %d", end, pathStart)
	}
	at := pathStart
	for _, name := range []string{"outer", "in", "file"} {
		units := utf16.Encode([]rune(name))
		inode, at = inodeKey(inode, &units[0], len(units)), at+1+len(name)
		if got, end := followPath(2, inode); end != at || got != pathInode(2) {
			t.Errorf("%s ends at %d, want %d", name, end, at)
		}
	}
	if pathInode(2) != inode {
		t.Errorf("the path has the number %#x, want %#x", pathInode(2), inode)
	}
	for _, other := range []uint64{rootInode(1), inode + 4, 0} {
		if _, end := followPath(2, other); end != 0 {
			t.Errorf("the path leads through %#x at %d", other, end)
		}
	}
	if pathInode(1) == inode {
		t.Error("two volumes have one number")
	}
	pathStart = len(pathBuffer) - 1
	if pathInode(3) != rootInode(3) {
		t.Error("no path is not the root")
	}
}
