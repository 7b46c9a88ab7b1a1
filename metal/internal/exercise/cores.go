//go:build linux && amd64

package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"bootllama/metal"
)

// gathering is a barrier for goroutines that each have a thread and a core of their own.
type gathering struct{ there atomic.Int32 }

// join returns when n goroutines are in it at the same time, none of which has made a
// system call since it entered: each has a core, and keeps it until its next system call.
// But a goroutine that waits so may occupy the core that another needs: the boot
// processor, the only one that runs thread 1 and goroutines that thread 1 has yet to
// start. So one that has waited too long leaves, sleeps for a moment, and tries again.
func (g *gathering) join(n int) {
	for !g.wait(int32(n)) {
		time.Sleep(time.Millisecond)
	}
}

func (g *gathering) wait(n int32) bool {
	g.there.Add(1)
	for range 1 << 22 { // takes milliseconds, emulated a tenth of a second; to read the clock would be a system call
		if g.there.Load() == n {
			return true
		}
	}
	for {
		there := g.there.Load()
		if there == n {
			return true
		}
		if g.there.CompareAndSwap(there, there-1) {
			return false
		}
	}
}

// onEveryCore runs f on every processor core at the same time: it starts one goroutine for
// each core, with a thread of its own; they begin together, and must be on different cores. The
// kernel may take one from the boot processor while it waits for the others, to the core of one
// that has gone on: then they gather again.
func onEveryCore(f func(id uint32) error) error {
	n := runtime.NumCPU()
	var gathered, numbered [10]gathering
	ids, errs := make([]uint32, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine
			for try := range gathered {
				gathered[try].join(n)
				ids[i] = processorID()
				numbered[try].join(n)
				if areDistinct(ids) {
					errs[i] = f(ids[i])
					return
				}
			}
			errs[i] = fmt.Errorf("%d goroutines ran on processors %v", n, ids)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func areDistinct(ids []uint32) bool {
	sorted := slices.Sorted(slices.Values(ids))
	return len(slices.Compact(sorted)) == len(ids)
}

// countCores checks how many cores the runtime has found.
func countCores(args []string) error {
	n := number(args, 0, 1)
	if runtime.NumCPU() != n || runtime.GOMAXPROCS(0) != n {
		return fmt.Errorf("NumCPU %d, GOMAXPROCS %d, want %d", runtime.NumCPU(), runtime.GOMAXPROCS(0), n)
	}
	return nil
}

// coreCount checks that n cores run at once, all with the same vector state enabled, with Linux's
// rounding and precision, and with the same page attributes: those after a reset, but for entry 6,
// which is write-combining.
func coreCount(args []string) error {
	n := number(args, 0, 1)
	if err := countCores(args); err != nil {
		return err
	}
	states := make(chan uint64, n)
	err := onEveryCore(func(uint32) error {
		state, err := vectorState()
		states <- state
		if got := pageAttributes(); got != 0x0001040600070406 {
			err = errors.Join(err, fmt.Errorf("page attributes %#016x", got))
		}
		if got := floatControl(); got != 0x37F_00001F80 {
			err = errors.Join(err, fmt.Errorf("MXCSR and the x87 control word are %#x", got))
		}
		return err
	})
	if err != nil {
		return err
	}
	first := <-states
	for range n - 1 {
		if s := <-states; s != first {
			return fmt.Errorf("vector state is %#x on one core and %#x on another", first, s)
		}
	}
	fmt.Printf("cores: vector state %#x on %d\n", first, n)
	known := 0
	for i := range 256 {
		if r := metal.FirmwareRegisters(i); r != (metal.Registers{}) {
			fmt.Printf("registers of core: %+v\n", r)
			if r.PAT != 0x0007040600070406 {
				return fmt.Errorf("the firmware's page attributes were %#016x", r.PAT)
			}
			known++
		}
	}
	if known != n || metal.FirmwareRegisters(-1) != (metal.Registers{}) || metal.FirmwareRegisters(256) != (metal.Registers{}) {
		return fmt.Errorf("the registers of %d cores, want %d", known, n)
	}
	return nil
}

// checksums is work whose result depends on nothing but the job's number.
func checksums(job int) uint32 {
	sum := uint32(job)
	block := make([]byte, 4096)
	for i := range 64 {
		for j := range block {
			block[j] = byte(uint32(i*j)*2654435761 + sum)
		}
		sum = crc32.Update(sum, crc32.IEEETable, block)
	}
	return sum ^ uint32(descend(200, uint64(job)))
}

// same computes the checksums of many jobs with one goroutine, with one for each core and
// with more than two for each, and prints their checksum: it is the same on every machine.
func same([]string) error {
	const jobs = 400
	var first uint32
	for round, workers := range []int{1, runtime.NumCPU(), 2*runtime.NumCPU() + 1} {
		results := make([]uint32, jobs)
		var next atomic.Int32
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for job := next.Add(1) - 1; job < jobs; job = next.Add(1) - 1 {
					results[job] = checksums(int(job))
					if job%8 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		wg.Wait()
		h := crc32.NewIEEE()
		for _, r := range results {
			fmt.Fprintf(h, "%08x", r)
		}
		if round == 0 {
			first = h.Sum32()
		}
		if h.Sum32() != first {
			return fmt.Errorf("%d goroutines computed %08x, one %08x", workers, h.Sum32(), first)
		}
	}
	fmt.Printf("same: checksum %08x\n", first)
	return nil
}

var sink atomic.Uint64

// burn computes for a time proportional to n.
func burn(n int) {
	x := uint64(n)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink.Add(x)
}

// together checks that two goroutines run at the same time, each seeing what the other does in a
// stretch without a system call, while the main goroutine, locked to thread 1, writes between such
// stretches: first beside a goroutine that computes, then with a helper that gets many short jobs,
// and polls for the next for a while before it sleeps, as a worker pool does between two matrix
// products. Of every fiftieth job the helper is awaited asleep. A program that has but one core at a
// time, whatever the number that it sees, does not end.
func together([]string) error {
	const stretches, jobs, size, spins = 200, 600, 1_000_000, 1 << 16
	if runtime.NumCPU() < 2 {
		return errors.New("there is one core")
	}
	runtime.LockOSThread()
	var beats atomic.Uint64
	var stop atomic.Bool
	stopped := make(chan bool)
	go func() {
		for !stop.Load() {
			burn(1000)
			beats.Add(1)
		}
		close(stopped)
	}()
	for i := range stretches {
		for !advances(&beats) {
			time.Sleep(time.Millisecond)
		}
		if i%4 == 0 {
			fmt.Print(".")
		}
	}
	stop.Store(true)
	<-stopped

	var given, woken atomic.Int32
	var asleep atomic.Bool
	var both [jobs]gathering
	var done sync.WaitGroup
	wake := make(chan bool, 1)
	done.Go(func() {
		for next := int32(1); next <= jobs; next++ {
			for turns := 0; given.Load() < next; turns++ {
				if turns < spins {
					continue
				}
				asleep.Store(true)
				if given.Load() < next || !asleep.CompareAndSwap(true, false) {
					<-wake
					woken.Add(1)
				}
			}
			both[next-1].join(2)
			burn(size / 2)
		}
	})
	for i := range int32(jobs) {
		for i%50 == 49 && !asleep.Load() {
			time.Sleep(time.Millisecond)
		}
		given.Store(i + 1)
		if asleep.CompareAndSwap(true, false) {
			wake <- true
		}
		both[i].join(2)
		burn(size / 2)
		if i%4 == 0 {
			fmt.Print(".")
		}
	}
	done.Wait()
	fmt.Printf("\ntogether: %d stretches, %d jobs, woken for %d\n", stretches, jobs, woken.Load())
	if woken.Load() < jobs/50 {
		return errors.New("the helper was not woken for every fiftieth job")
	}
	return nil
}

// advances waits for a moment, without a system call, until another core has counted twice.
func advances(counter *atomic.Uint64) bool {
	from := counter.Load()
	for range 1 << 22 {
		if counter.Load() >= from+2 {
			return true
		}
	}
	return false
}

// speed compares two goroutines with one for the same work. The main goroutine, locked to
// thread 1, is one of the two, and writes now and then.
func speed([]string) error {
	const total, pieces = 200_000_000, 40
	runtime.LockOSThread()
	best := 0
	for try := range 3 {
		start := time.Now()
		for range pieces {
			burn(total / pieces)
			fmt.Print(".")
		}
		one := time.Since(start)
		start = time.Now()
		done := make(chan bool)
		go func() {
			for range pieces {
				burn(total / pieces / 2)
			}
			done <- true
		}()
		for range pieces {
			burn(total / pieces / 2)
			fmt.Print(".")
		}
		<-done
		two := time.Since(start)
		ratio := int(one * 100 / two)
		best = max(best, ratio)
		fmt.Printf("\nspeed: try %d: one %v, two %v, ratio %d%%\n", try, one.Round(time.Millisecond), two.Round(time.Millisecond), ratio)
		if best >= 180 {
			break
		}
	}
	fmt.Printf("speed: best ratio %d%%\n", best)
	return nil
}

// pool divides many short jobs between two goroutines and compares that with one. The
// second polls for the next job for a while before it sleeps, as a worker pool does
// between two matrix products; every few jobs the main goroutine writes.
func pool([]string) error {
	const jobs, size, spin = 600, 1_000_000, 200 * time.Microsecond
	runtime.LockOSThread()
	best := 0
	for try := range 3 {
		start := time.Now()
		for i := range jobs {
			burn(size)
			if i%4 == 0 {
				fmt.Print(".")
			}
		}
		alone := time.Since(start)
		var given, done atomic.Int32
		var asleep atomic.Bool
		var longest time.Duration
		wake := make(chan bool, 1)
		go func() {
			for next := int32(1); next <= jobs; next++ {
				for since := time.Now(); given.Load() < next; {
					if time.Since(since) < spin {
						continue
					}
					asleep.Store(true)
					if given.Load() < next {
						<-wake
					} else if !asleep.CompareAndSwap(true, false) {
						<-wake
					}
				}
				burn(size / 2)
				done.Store(next)
			}
		}()
		start = time.Now()
		for i := range int32(jobs) {
			given.Store(i + 1)
			if asleep.CompareAndSwap(true, false) {
				wake <- true
			}
			burn(size / 2)
			since := time.Now()
			for done.Load() <= i {
				if time.Since(since) > spin {
					runtime.Gosched()
				}
			}
			longest = max(longest, time.Since(since))
			if i%4 == 0 {
				fmt.Print(".")
			}
		}
		shared := time.Since(start)
		ratio := int(alone * 100 / shared)
		best = max(best, ratio)
		fmt.Printf("\npool: try %d: alone %v, shared %v, ratio %d%%, longest wait %v\n", try, alone.Round(time.Millisecond), shared.Round(time.Millisecond), ratio, longest.Round(time.Microsecond))
		if best >= 180 {
			break
		}
	}
	fmt.Printf("pool: best ratio %d%%\n", best)
	return nil
}

// pingPong sends a value back and forth between two goroutines on threads of their own,
// first over channels, then with futex system calls.
func pingPong(args []string) error {
	rounds := number(args, 0, 2000)
	there, back := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for v := range there {
			back <- v + 1
		}
		close(back)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	for i := range rounds {
		there <- i
		if v := <-back; v != i+1 {
			return fmt.Errorf("sent %d, got %d", i, v)
		}
	}
	took := time.Since(start)
	close(there)
	fmt.Printf("pingpong: %d rounds over channels, %d ns each\n", rounds, took.Nanoseconds()/int64(rounds))
	var word uint32 // whose turn it is
	turn := func(mine uint32) {
		for range rounds {
			for v := atomic.LoadUint32(&word); v != mine; v = atomic.LoadUint32(&word) {
				futex(&word, 0, v)
			}
			atomic.StoreUint32(&word, 1-mine)
			futex(&word, 1, 1)
		}
	}
	done := make(chan bool)
	start = time.Now()
	go func() { runtime.LockOSThread(); turn(1); done <- true }()
	turn(0)
	<-done
	took = time.Since(start)
	fmt.Printf("pingpong: %d rounds by futex, %d ns each\n", rounds, took.Nanoseconds()/int64(rounds))
	return nil
}

func futex(word *uint32, op int, value uint32) {
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op|128), uintptr(value), 0, 0, 0)
}

// handOver lets pairs of threads wake each other in turn, after short times that differ
// from round to round: if a wake were lost because it comes between a thread's look at the
// word and its wait, both would sleep for ever.
func handOver(args []string) error {
	rounds := number(args, 0, 20000)
	n := max(2, runtime.NumCPU()&^1)
	words := make([]struct {
		v uint32
		_ [60]byte
	}, n/2)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			runtime.LockOSThread()
			word, mine := &words[i/2].v, uint32(i%2)
			for round := range rounds {
				for v := atomic.LoadUint32(word); v&1 != mine; v = atomic.LoadUint32(word) {
					futex(word, 0, v)
				}
				for range (round * 7 % 64) * (i + 1) {
					atomic.LoadUint32(word)
				}
				atomic.AddUint32(word, 1)
				futex(word, 1, 1)
			}
		})
	}
	wg.Wait() // for ever if a wake was lost: the machine runs out of time
	fmt.Printf("handover: %d rounds over %d threads\n", rounds, n)
	return nil
}

// stuck has loops without system calls on all cores at once, the boot processor's among them,
// while thread 1 sleeps. Then one loop ends, on another core. Thread 1 goes on and ends the
// others; the one on the boot processor, which had to give way, keeps all registers.
func stuck(args []string) error {
	runtime.LockOSThread()
	if id := syscall.Gettid(); id != 1 {
		return fmt.Errorf("main runs on thread %d", id)
	}
	rounds, n := number(args, 0, 20), runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n + 2)) // loops, and what thread 1 does
	moved := 0
	for round := range rounds {
		var all gathering
		var stop, onBoot uint32
		var first atomic.Int32
		boot := processorID() // of thread 1
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				runtime.LockOSThread()
				var state vectors
				for r := range state.registers {
					for b := range state.registers[r] {
						state.registers[r][b] = byte(round + 31*i + 16*r + 5*b)
					}
				}
				want := state.registers
				avx := hasOSXSAVE() && xcr0()&4 != 0
				all.join(n)
				if here := processorID(); here != boot && first.Add(1) == 1 {
					return
				} else if here == boot {
					onBoot++
				}
				spin(&state, avx, &stop)
				size := 16
				if avx {
					size = 32
				}
				for r := range want {
					if !bytes.Equal(state.registers[r][:size], want[r][:size]) {
						errs[i] = fmt.Errorf("vector register %d is % x, was % x", r, state.registers[r][:size], want[r][:size])
					}
				}
				if state.r8 != uint64(uintptr(unsafe.Pointer(&state))) || state.r9 != uint64(uintptr(unsafe.Pointer(&stop))) || state.carry != -1 {
					errs[i] = fmt.Errorf("R8, R9, CF: %#x, %#x, %d", state.r8, state.r9, state.carry)
				}
			})
		}
		for first.Load() == 0 {
			time.Sleep(time.Millisecond) // once it is stuck, for ever: the machine runs out of time
		}
		time.Sleep(time.Millisecond)
		atomic.StoreUint32(&stop, 1)
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		moved += int(onBoot)
	}
	fmt.Printf("stuck: %d of %d times on the boot processor\n", moved, rounds)
	if moved < rounds/2 {
		return errors.New("too seldom: the exercise does not look where it should")
	}
	return nil
}

// turns has more loops without system calls than cores while calls wait for the boot processor all the time: it is taken
// from one loop before another, from which it was taken, has gone on. All keep their registers.
func turns(args []string) error {
	n := 3 * runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n + 4))
	var running atomic.Int32
	running.Store(int32(n))
	wrong := make([]int, n)
	for i := range n {
		go func() {
			runtime.LockOSThread()
			defer running.Add(-1)
			want := orbit(float64(i+1), 1<<18)
			for range number(args, 0, 300) {
				if orbit(float64(i+1), 1<<18) != want {
					wrong[i]++
				}
				time.Sleep(time.Microsecond)
			}
		}()
	}
	for running.Load() > 0 {
		if _, err := os.Stat("/"); err != nil {
			return err
		}
	}
	for i, w := range wrong {
		if w > 0 {
			return fmt.Errorf("loop %d computed something else %d times: %v", i, w, wrong)
		}
	}
	return nil
}

// orbit goes n steps round a circle, in vector registers.
func orbit(x float64, n int) [2]float64 {
	y, z := 0.0, 1.0
	for range n {
		x, y = x*0.8-y*0.6, x*0.6+y*0.8
		z += x * y * 1e-9
	}
	return [2]float64{x + z, y}
}

// faults makes every core fault many times, all at once.
func faults([]string) error {
	return onEveryCore(func(id uint32) error {
		for range 200 {
			if err := recovered(func() { load(nil) }); err == nil {
				return fmt.Errorf("processor %d: a nil pointer can be read", id)
			}
			if err := recovered(func() { divide(1, len(os.Args)-len(os.Args)) }); err == nil {
				return fmt.Errorf("processor %d: divided by zero", id)
			}
		}
		return nil
	})
}

// world writes lines and files from every core at once; the main goroutine waits.
func world([]string) error {
	err := onEveryCore(func(id uint32) error {
		name := fmt.Sprintf("/WORLD%d.BIN", id)
		data := bytes.Repeat(fmt.Appendf(nil, "processor %d;", id), 5000)
		for round := range 5 {
			fmt.Printf("world: processor %d line %d of 5, é\n", id, round)
			if err := os.WriteFile(name, data[round:], 0o644); err != nil {
				return err
			}
			if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, data[round:]) {
				return fmt.Errorf("processor %d round %d: read %d bytes that are not what was written: %v", id, round, len(got), err)
			}
		}
		return os.Remove(name)
	})
	if err != nil {
		return err
	}
	// More text than the kernel queues for a core that cannot call the firmware.
	var wg sync.WaitGroup
	for i := range runtime.NumCPU() {
		wg.Go(func() {
			runtime.LockOSThread()
			os.Stdout.Write(bytes.Repeat([]byte{byte('a' + i)}, 20000))
			os.Stdout.WriteString("\n")
		})
	}
	wg.Wait()
	return nil
}

// clockOrder reads the clock on every core in turn: no core may get a time that is before
// one that another has got.
func clockOrder([]string) error {
	var mu sync.Mutex
	var last time.Time
	return onEveryCore(func(id uint32) error {
		for range 20000 {
			mu.Lock()
			now := time.Now()
			before := last
			last = now
			mu.Unlock()
			if now.Before(before) {
				return fmt.Errorf("processor %d: the clock went back by %v", id, before.Sub(now))
			}
		}
		return nil
	})
}

// loops ends the program on the boot processor ("boot") or another ("ap") while every other
// core is in a loop that makes no system call. Any goroutine may be on any core: even the
// main one may have left thread 1 before it is locked to its thread.
func loops(args []string) error {
	n, end := runtime.NumCPU(), uint32(0) // QEMU's boot processor has the APIC ID 0
	if args[0] == "ap" {
		end = 1
	}
	var all gathering
	loop := func() {
		runtime.LockOSThread()
		all.join(n)
		for processorID() != end {
		}
		switch args[1] {
		case "exit":
			os.Exit(9)
		case "crash":
			crash(nil)
		case "panic":
			panic("as asked")
		}
	}
	for range n - 1 {
		go loop()
	}
	loop()
	return nil
}

// chatter ends the program on another core while the boot processor calls the firmware
// again and again.
func chatter([]string) error {
	runtime.LockOSThread()
	var written atomic.Int32
	go func() {
		for written.Load() < 20 {
			time.Sleep(time.Millisecond)
		}
		os.Exit(9)
	}()
	for line := strings.Repeat("-", 79) + "\n"; ; written.Add(1) {
		fmt.Print(line)
	}
}

// idle waits for a line while all cores are idle.
func idle([]string) error {
	onEveryCore(func(uint32) error { burn(1000); return nil })
	return lines(nil)
}

//go:linkname mpServices bootllama/metal.mpServices
var mpServices uintptr

// refuse makes the firmware's StartupAllAPs return a status at once, for the programs that
// are started after this one: it overwrites its code. The firmware's code is writable in
// metal's page tables.
func refuse(args []string) error {
	status := uint64(1)<<63 | uint64(number(args, 0, 3))
	if number(args, 0, 3) == 0 {
		status = 0 // success, without starting any
	}
	services := *(**[3]uintptr)(unsafe.Pointer(&mpServices))
	overwrite(services[2], status)
	return nil
}

// crowd makes the firmware's GetNumberOfProcessors count n processors, for the programs that
// are started after this one.
func crowd(args []string) error {
	services := *(**[3]uintptr)(unsafe.Pointer(&mpServices))
	overwriteCount(services[0], uint32(number(args, 0, 300)))
	return nil
}
