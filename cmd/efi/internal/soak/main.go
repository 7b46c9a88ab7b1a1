//go:build linux && amd64

// The program that the soak tests run, on the bare machine and under an operating system: the command console again and
// again, and what the program has taken of memory meanwhile. Each line that it prints is a figure of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"bootllama/internal/run"
	"bootllama/metal"
)

const usage = `usage: soak tales DURATION [console's arguments]
       soak conversations NUMBER SEED [console's arguments]`

func main() {
	if err := soak(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(args []string) error {
	if len(args) >= 2 && args[0] == "tales" {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		return tales(d, args[2:])
	}
	if len(args) >= 3 && args[0] == "conversations" {
		n, err1 := strconv.Atoi(args[1])
		seed, err2 := strconv.ParseUint(args[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		return conversations(n, seed, args[3:])
	}
	return errors.New(usage)
}

// console holds a session, in which lines are typed by nobody.
func console(args []string, lines io.Reader, text io.Writer) error {
	if status := run.Main(context.Background(), append([]string{"console"}, args...), lines, text, os.Stderr); status != 0 {
		return fmt.Errorf("console: status %d", status)
	}
	return nil
}

// tales lets one session tell for a time, and prints a line of each tale.
func tales(d time.Duration, args []string) error {
	t := &teller{end: time.Now().Add(d)}
	t.reset()
	return console(args, t, t)
}

// teller is who sits at the session: it begins a tale whenever it is asked for one.
type teller struct {
	digest
	begun int
	end   time.Time
}

// Read types an empty line. The session has just collected garbage.
func (t *teller) Read(p []byte) (int, error) {
	if t.begun > 0 {
		fmt.Printf("tale %d: %v %v\n", t.begun, t.digest, memory())
	}
	if time.Now().After(t.end) {
		return 0, io.EOF
	}
	t.begun++
	t.reset()
	p[0] = '\n'
	return 1, nil
}

// conversations holds so many sessions, of random length each, and prints a line of some.
func conversations(n int, seed uint64, args []string) error {
	random := rand.New(rand.NewPCG(seed, 0))
	var all digest
	all.reset()
	for i := range n {
		if err := console(args, strings.NewReader(typed(random)), &all); err != nil {
			return err
		}
		if i%10 == 9 || i == n-1 {
			runtime.GC()
			fmt.Printf("conversation %d: %v %v\n", i+1, all, memory())
		}
	}
	return nil
}

// typed is what somebody says in a session: up to seven lines, most of them short.
func typed(random *rand.Rand) string {
	words := []string{"once", "upon", "a", "time", "été", "日本", "<|im_end|>", "\x80", "\t", "<think>", "0", "the cat sat on the mat"}
	var b strings.Builder
	for range random.IntN(8) {
		for range random.IntN(1 + random.IntN(12)) {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// digest is a text that is not kept.
type digest struct {
	pieces, bytes int
	sum           uint64
}

func (d *digest) reset() { *d = digest{sum: fnv.New64a().Sum64()} }

// Write takes a piece of the text (FNV-1a).
func (d *digest) Write(p []byte) (int, error) {
	for _, b := range p {
		d.sum = (d.sum ^ uint64(b)) * 1099511628211
	}
	d.pieces, d.bytes = d.pieces+1, d.bytes+len(p)
	return len(p), nil
}

// String has the number of pieces, the size and the hash of the text.
func (d digest) String() string {
	return fmt.Sprintf("pieces=%d bytes=%d sum=%016x", d.pieces, d.bytes, d.sum)
}

// usedMemory is what the program has taken of memory.
type usedMemory struct {
	pages, heap int64 // bytes
	goroutines  int
	collections uint32
}

// memory returns what the program has of memory now: on the bare machine what its kernel has given out, under Linux what is
// resident.
func memory() (m usedMemory) {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.heap, m.goroutines, m.collections = int64(s.HeapAlloc), runtime.NumGoroutine(), s.NumGC
	if metal.On() {
		m.pages = int64(metal.MemoryStatus().Used)
	} else if text, err := os.ReadFile("/proc/self/statm"); err == nil { // proc_pid_statm(5)
		fmt.Sscan(string(text), new(int64), &m.pages)
		m.pages *= int64(os.Getpagesize())
	}
	return m
}

// String has what the tests look for.
func (m usedMemory) String() string {
	return fmt.Sprintf("memory=%d heap=%d goroutines=%d collections=%d", m.pages, m.heap, m.goroutines, m.collections)
}
