//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"bootllama/metal"
)

// memoryStatus prints how much memory metal has taken, and the firmware's registers.
func memoryStatus([]string) error {
	m := metal.MemoryStatus()
	fmt.Printf("memory: %d pages free, taken %d MiB, above 4 GiB %d MiB, used %d MiB, limit %d MiB\n",
		m.Free>>12, m.Taken>>20, m.Above4GiB>>20, m.Used>>20, debug.SetMemoryLimit(-1)>>20)
	fmt.Printf("registers: %+v\n", metal.FirmwareRegisters(0))
	// metal leaves the firmware an eighth of what it could take, up to 32 MiB.
	if left, least := m.Free-m.Taken, min(32<<20, m.Taken/8); left < least {
		return fmt.Errorf("the firmware has %d bytes left, less than %d", left, least)
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil || uintptr(info.Totalram) != m.Taken || uintptr(info.Freeram) > m.Taken-m.Used || info.Freeram == 0 || info.Unit != 1 {
		return fmt.Errorf("sysinfo: %+v, %v", info, err)
	}
	return nil
}

// hoard asks for more memory than there is: with an argument by mmap, whose error leaves the program as it was, else from
// the runtime, which ends it.
func hoard(args []string) error {
	if len(args) > 0 {
		before := metal.MemoryStatus().Used
		p, err := syscall.Mmap(-1, 0, 8<<30, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if after := metal.MemoryStatus().Used; p != nil || err != syscall.ENOMEM || after != before {
			return fmt.Errorf("8 GiB: %d bytes, %v; %d bytes used before and %d after", len(p), err, before, after)
		}
		return nil
	}
	fmt.Println(len(make([]byte, 8<<30)))
	return nil
}

// grow puts numbers into n MiB, eight in a page and none twice, and reads them back, to find a page that was allocated twice,
// is not zero when new or is not there.
func grow(args []string) error {
	const block, step = 16 << 20 / 8, 4096 / 8 / 8
	n := number(args, 0, 64) << 20 / (8 * block)
	blocks := make([][]uint64, n)
	for i := range blocks {
		blocks[i] = make([]uint64, block)
		for j := i % step; j < block; j += step {
			if blocks[i][j] != 0 {
				return fmt.Errorf("block %d word %d is not zero when new", i, j)
			}
			blocks[i][j] = uint64(i)<<32 | uint64(j)
		}
	}
	for i := range blocks {
		for j := i % step; j < block; j += step {
			if v := blocks[i][j]; v != uint64(i)<<32|uint64(j) {
				return fmt.Errorf("block %d word %d is %#x", i, j, v)
			}
		}
	}
	m := metal.MemoryStatus()
	fmt.Printf("grow: %d MiB hold their numbers, taken %d MiB, above 4 GiB %d MiB, used %d MiB\n",
		n*8*block>>20, m.Taken>>20, m.Above4GiB>>20, m.Used>>20)
	return nil
}

// zero gives memory back with MADV_DONTNEED, by system calls and through the runtime, and
// checks that it reads as zeroes afterwards.
func zero([]string) error {
	const n = 8 << 20
	p, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	for round := range 3 {
		for i := range p {
			p[i] = byte(i | 1)
		}
		start, end := 0, n
		if round == 1 { // begins and ends inside a large page
			start, end = 3*4096, n-5*4096
		}
		if err := syscall.Madvise(p[start:end], syscall.MADV_DONTNEED); err != nil {
			return fmt.Errorf("madvise: %w", err)
		}
		for i, b := range p {
			if inside := i >= start && i < end; inside && b != 0 || !inside && b != byte(i|1) {
				return fmt.Errorf("round %d: byte %d of %d..%d is %#x after MADV_DONTNEED", round, i, start, end, b)
			}
		}
	}
	if err := syscall.Munmap(p); err != nil {
		return fmt.Errorf("munmap: %w", err)
	}
	q, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("second mmap: %w", err)
	}
	for i, b := range q {
		if b != 0 {
			return fmt.Errorf("byte %d of a new mapping is %#x", i, b)
		}
	}
	for round := range 3 {
		big := make([]byte, 16<<20)
		for i, b := range big {
			if b != 0 {
				return fmt.Errorf("round %d: byte %d of a new slice is %#x", round, i, b)
			}
		}
		for i := range big {
			big[i] = 0xA5
		}
		big = nil
		debug.FreeOSMemory()
	}
	return nil
}

// node is garbage with pointers, which the collector has to follow.
type node struct {
	left, right *node
	sum         uint32
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{sum: 1}
	}
	n := &node{left: tree(depth - 1), right: tree(depth - 1)}
	n.sum = n.left.sum + n.right.sum
	return n
}

// descend uses a deep stack, so that it must be copied while it grows.
//
//go:noinline
func descend(depth int, seed uint64) uint64 {
	var pad [16]uint64
	for i := range pad {
		seed = seed*6364136223846793005 + 1442695040888963407
		pad[i] = seed
	}
	if depth > 0 {
		seed ^= descend(depth-1, seed)
	}
	for _, v := range pad {
		seed ^= v
	}
	return seed
}

// soak runs goroutines that send over channels, grow maps, trees and stacks, and sleep,
// while the collector runs; each checks its own checksums.
func soak(args []string) error {
	seconds, workers := number(args, 0, 30), number(args, 1, 64)
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	want := descend(2000, 1)
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	rounds := make([]int, workers)
	pipes := make([]chan []byte, workers)
	for i := range pipes {
		pipes[i] = make(chan []byte, 1)
	}
	for w := range workers {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				if err := soakRound(w, want, pipes[w], pipes[(w+1)%workers]); err != nil {
					errs <- fmt.Errorf("worker %d round %d: %w", w, rounds[w], err)
					return
				}
				rounds[w]++
			}
		})
	}
	ticks, done := 0, make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	ticker := time.NewTicker(50 * time.Millisecond)
	for waiting := true; waiting; {
		select {
		case <-ticker.C:
			ticks++
		case <-done:
			waiting = false
		}
	}
	ticker.Stop()
	total := 0
	for _, n := range rounds {
		total += n
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("soak: %d goroutines, %d rounds, %d collections, %d ticks of 50 ms in %d s\n", workers, total, stats.NumGC, ticks, seconds)
	if total == 0 || stats.NumGC == 0 {
		return fmt.Errorf("%d rounds, %d collections: nothing was tested", total, stats.NumGC)
	}
	// The ticker waits for its turn while all workers are busy: it has about one for each round of a worker.
	if least := min(20*seconds, total/workers) / 4; ticks < max(1, least) {
		return fmt.Errorf("the 50 ms ticker ticked %d times in %d s and %d rounds of a worker", ticks, seconds, total/workers)
	}
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func soakRound(w int, want uint64, in, out chan []byte) error {
	block := make([]byte, 64<<10)
	for i := 0; i < len(block); i += 4 {
		binary.LittleEndian.PutUint32(block[i:], uint32(i*(w+1)))
	}
	sum := crc32.ChecksumIEEE(block)
	begin := bytes.Clone(block[:4096])
	if n := tree(10); n.sum != 1024 {
		return fmt.Errorf("a tree of 1024 leaves has %d", n.sum)
	}
	m := make(map[int]uint32)
	for i := range 500 {
		m[i*w] = uint32(i)
	}
	if w > 0 && m[499*w] != 499 {
		return fmt.Errorf("a map lost 499")
	}
	if got := descend(2000, 1); got != want {
		return fmt.Errorf("a deep stack gave %#x, want %#x", got, want)
	}
	select { // send it to the next worker, which checks that it is complete
	case out <- binary.LittleEndian.AppendUint32(block, sum):
	default:
	}
	time.Sleep(time.Duration(w%7) * time.Millisecond)
	select {
	case b := <-in:
		if got, sent := crc32.ChecksumIEEE(b[:len(b)-4]), binary.LittleEndian.Uint32(b[len(b)-4:]); got != sent {
			return fmt.Errorf("a neighbour's block came with checksum %#x, sent %#x", got, sent)
		}
	default:
	}
	if crc32.ChecksumIEEE(block) != sum || !bytes.Equal(block[:4096], begin) {
		return fmt.Errorf("a block changed")
	}
	return nil
}

// crash passes an address at which nothing is mapped to the kernel.
func crash([]string) error {
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(os.Stdout.Fd()), 0x1234_5678_9000, 10)
	return fmt.Errorf("the kernel read memory that is not there")
}

// protected says whether a write to an address faults; it writes what is there.
func protected(p unsafe.Pointer) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faulted = recover() != nil }()
	b := (*byte)(p)
	store(b, *b)
	return false
}

// store is a function of its own because the compiler removes a store of what was just loaded.
//
//go:noinline
func store(p *byte, v byte) { *p = v }
