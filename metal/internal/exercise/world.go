//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// lines reads standard input to its end and prints each line quoted.
func lines([]string) error {
	s := bufio.NewScanner(os.Stdin)
	fmt.Println("lines: ready")
	for s.Scan() {
		fmt.Printf("%q\n", s.Text())
	}
	return s.Err()
}

// clocks checks sleeping and the monotonic clock, and prints the date. Of ten sleeps of each length the
// one that ends soonest counts: a busy host makes others late.
func clocks([]string) error {
	var worst time.Duration
	for _, d := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond} {
		least := time.Hour
		for range 10 {
			start := time.Now()
			time.Sleep(d)
			took := time.Since(start)
			if took < d {
				return fmt.Errorf("a sleep of %v took %v", d, took)
			}
			least = min(least, took-d)
		}
		worst = max(worst, least)
	}
	last := time.Now()
	for range 100000 {
		t := time.Now()
		if t.Before(last) {
			return fmt.Errorf("the clock went back from %v to %v", last, t)
		}
		last = t
	}
	fmt.Printf("time: %s, sleeps late by %v\n", time.Now().UTC().Format(time.RFC3339), worst.Round(time.Millisecond))
	return nil
}

//go:linkname rngProtocol bootllama/metal.rngProtocol
var rngProtocol uintptr

// random checks that random numbers differ. With an argument, the processor's instruction
// first goes bad, or is absent: then they come from the firmware, or if it has no source,
// getrandom fails. "device" as a second argument says that the firmware has one.
func random(args []string) error {
	const ones, same = ^uint64(0), 0x123456789ABCDEF0
	if len(args) > 0 {
		switch args[0] {
		case "ones":
			breakRandom(ones, true)
		case "zeroes":
			breakRandom(0, true)
		case "same":
			breakRandom(same, true)
		case "none":
			breakRandom(same, false)
		}
	}
	if len(args) > 1 && rngProtocol == 0 {
		return errors.New("the firmware has no EFI_RNG_PROTOCOL")
	}
	never := len(args) > 0 && rngProtocol == 0
	a, b := make([]byte, 32), make([]byte, 32)
	for try := range 100 {
		if len(args) > 1 {
			changeRounding() // the firmware must not find it changed
		}
		if err := rawRandom(a); err != nil {
			fmt.Printf("random: %v\n", err)
			if rngProtocol != 0 || try > 0 || err != syscall.ENOSYS {
				return fmt.Errorf("try %d: %w", try, err)
			}
			return nil
		}
		if never {
			return fmt.Errorf("getrandom gave %x", a)
		}
		if bytes.Equal(a, b) || bytes.Contains(a, make([]byte, 8)) || bytes.Contains(a, bytes.Repeat([]byte{0xFF}, 8)) || bytes.Equal(a[:8], a[8:16]) {
			return fmt.Errorf("random numbers are %x and %x", a, b)
		}
		copy(b, a)
	}
	fmt.Println("random: from a hardware source")
	return nil
}

func rawRandom(b []byte) error {
	if _, _, e := syscall.Syscall(sysGetrandom, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0); e != 0 {
		return e
	}
	return nil
}

// files does on the boot volume all that package os can do with files.
func files(args []string) error {
	dir := "/EXERCISE"
	if len(args) > 0 {
		dir = args[0]
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a directory twice: %v", err)
	}
	data := make([]byte, 3<<20+12345) // several bounce buffers, the last not full
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	name := path.Join(dir, "data.bin")
	begin := time.Now()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	end := time.Now()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("read back %d of %d bytes, equal %v: %v", len(got), len(data), bytes.Equal(got, data), err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() != int64(len(data)) || info.IsDir() || !info.Mode().IsRegular() {
		return fmt.Errorf("stat says %v: %v", info, err)
	}
	// FAT counts two seconds, and the firmware's clock is not metal's.
	if at := info.ModTime(); at.Before(begin.Add(-5*time.Second)) || at.After(end.Add(5*time.Second)) {
		return fmt.Errorf("a file written from %v to %v has the time %v", begin, end, at)
	}
	if err := positions(name, data); err != nil {
		return err
	}
	if err := shorten(path.Join(dir, "short.txt")); err != nil {
		return err
	}
	if err := names(dir, name); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removed, but stat says: %v", err)
	}
	return nil
}

// positions reads and writes in the middle of a file.
func positions(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1000)
	if _, err := f.ReadAt(b, 1<<20-500); err != nil || !bytes.Equal(b, data[1<<20-500:][:1000]) {
		return fmt.Errorf("ReadAt over a bounce: %v", err)
	}
	if n, err := f.ReadAt(b, int64(len(data)-10)); n != 10 || err != io.EOF {
		return fmt.Errorf("ReadAt the end gave %d bytes: %v", n, err)
	}
	if n, err := f.ReadAt(b, int64(len(data)+10)); n != 0 || err != io.EOF {
		return fmt.Errorf("ReadAt behind the end gave %d bytes: %v", n, err)
	}
	if at, err := f.Seek(-100, io.SeekEnd); err != nil || at != int64(len(data)-100) {
		return fmt.Errorf("Seek to the end less 100 gave %d: %v", at, err)
	}
	if tail, err := io.ReadAll(f); err != nil || !bytes.Equal(tail, data[len(data)-100:]) {
		return fmt.Errorf("the last 100 bytes: %d read: %v", len(tail), err)
	}
	if _, err := f.WriteAt([]byte("written in the middle"), 1<<20-5); err != nil {
		return err
	}
	if _, err := f.ReadAt(b[:21], 1<<20-5); err != nil || string(b[:21]) != "written in the middle" {
		return fmt.Errorf("reading the middle: %q: %v", b[:21], err)
	}
	return f.Sync()
}

// shorten appends, truncates and replaces.
func shorten(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString("one two three")
	if err = errors.Join(err, f.Truncate(7), f.Close()); err != nil {
		return err
	}
	if f, err = os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		return err
	}
	_, err = f.WriteString(" four")
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "one two four" {
		return fmt.Errorf("after truncating and appending: %q: %v", b, err)
	}
	if _, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating a file that exists: %v", err)
	}
	if err := os.WriteFile(name, []byte("new"), 0o644); err != nil {
		return err
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "new" {
		return fmt.Errorf("after writing anew: %q: %v", b, err)
	}
	return nil
}

// names lists, renames, replaces and removes.
func names(dir, name string) error {
	for i := range 100 {
		if err := os.WriteFile(path.Join(dir, fmt.Sprintf("File with a long name %02d é.txt", i)), []byte{byte(i)}, 0o644); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) != 102 || entries[42].Name() != "File with a long name 42 é.txt" {
		return fmt.Errorf("%d entries, the 42nd is %v", len(entries), entries[42])
	}
	short, long := path.Join(dir, "short.txt"), path.Join(dir, "A longer name, moved.txt")
	if err := os.Rename(short, long); err != nil {
		return err
	}
	if _, err := os.Stat(short); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("renamed, but the old name is there: %v", err)
	}
	sub := path.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		return err
	}
	moved := path.Join(sub, "moved.txt")
	if err := os.WriteFile(moved, []byte("in the way"), 0o644); err != nil {
		return err
	}
	if err := os.Rename(long, moved); err != nil {
		return fmt.Errorf("replacing by rename: %w", err)
	}
	if b, err := os.ReadFile(moved); err != nil || string(b) != "new" {
		return fmt.Errorf("after replacing: %q: %v", b, err)
	}
	upper := path.Join(sub, "MOVED.TXT")
	if err := errors.Join(os.Rename(moved, upper), os.Rename(upper, upper)); err != nil {
		return fmt.Errorf("renaming to itself in capitals: %w", err)
	}
	if b, err := os.ReadFile(upper); err != nil || string(b) != "new" {
		return fmt.Errorf("after renaming to itself: %q: %v", b, err)
	}
	if err := os.Remove(sub); err == nil {
		return errors.New("a directory with a file in it was removed")
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	if _, err := os.Open(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening a removed file: %v", err)
	}
	return nil
}

// full writes a file until the volume is full. By the rule of this project it writes to a
// temporary name, and removes that file if it cannot be completed.
func full([]string) error {
	if err := errors.Join(os.WriteFile("/OPEN.TXT", []byte("open"), 0o644), os.WriteFile("/EMPTY.TXT", nil, 0o644), os.WriteFile("/LARGE.TXT", make([]byte, 1<<20), 0o644)); err != nil {
		return err
	}
	err := save("/BIG.BIN", 1<<40)
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("writing without end: %v", err)
	}
	fmt.Printf("full: %v\n", err)
	for _, name := range []string{"/BIG.BIN", "/BIG.TMP"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s was left behind: %v", name, err)
		}
	}
	return save("/SMALL.BIN", 1000) // there is space again
}

func save(name string, size int64) error {
	temporary := strings.TrimSuffix(name, ".BIN") + ".TMP"
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	block := make([]byte, 256<<10)
	for written := int64(0); written < size && err == nil; written += int64(len(block)) {
		_, err = f.Write(block[:min(size-written, int64(len(block)))])
	}
	if errors.Is(err, syscall.ENOSPC) {
		if failed := whenFull(f); failed != nil {
			return failed
		}
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// whenFull changes names on a volume on which f takes what is left: what needs room for a name fails, and loses nothing.
func whenFull(f *os.File) error {
	fill := func() error {
		for block := make([]byte, 256<<10); len(block) >= 512; block = block[:len(block)/2] {
			for err := error(nil); err == nil; {
				_, err = f.Write(block)
			}
		}
		return nil
	}
	open, err := os.Open("/OPEN.TXT")
	if err = errors.Join(err, fill()); err != nil {
		return err
	}
	err = errors.Join(
		want("rename on a full volume", os.Rename("/OPEN.TXT", "/NEW.TXT"), syscall.ENOSPC),
		want("unlink of what is open", os.Remove("/OPEN.TXT"), syscall.ENOSPC),
		want("rename to what is smaller than a name", os.Rename("/OPEN.TXT", "/EMPTY.TXT"), syscall.ENOSPC),
		sized("/OPEN.TXT", 4), sized("/EMPTY.TXT", 0),
		want("rename to what makes room", os.Rename("/OPEN.TXT", "/LARGE.TXT"), nil), sized("/LARGE.TXT", 4), open.Close())
	if _, missing := os.Stat("/NEW.TXT"); !errors.Is(missing, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("renamed, but: %w", missing))
	}
	return err
}

// readOnly expects every change to a write-protected volume to be refused.
func readOnly([]string) error {
	for what, err := range map[string]error{
		"create": os.WriteFile("/NEW.TXT", []byte("x"), 0o644),
		"mkdir":  os.Mkdir("/NEW", 0o755),
		"remove": os.Remove("/STARTUP.NSH"),
		"rename": os.Rename("/STARTUP.NSH", "/OTHER.NSH"),
		"append": openAndClose("/STARTUP.NSH", syscall.O_WRONLY|syscall.O_APPEND),
		"cut":    os.Truncate("/STARTUP.NSH", 0),
		"date":   os.Chtimes("/STARTUP.NSH", time.Now(), time.Now()),
		"chmod":  os.Chmod("/STARTUP.NSH", 0o444),
	} {
		if !errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("%s on a write-protected volume: %v", what, err)
		}
	}
	var statfs syscall.Statfs_t
	if err := syscall.Statfs("/", &statfs); err != nil || statfs.Flags != 1 { // ST_RDONLY
		return fmt.Errorf("statfs of a write-protected volume: flags %d, %v", statfs.Flags, err)
	}
	_, err := os.ReadFile("/STARTUP.NSH")
	return err
}
