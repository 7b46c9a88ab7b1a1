//go:build linux && amd64

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// readers lets n goroutines each read a file, at the same time, and prints how many
// threads the runtime has made for that.
func readers(args []string) error {
	n := number(args, 0, 5000)
	data := bytes.Repeat([]byte("a file that many read\n"), 100)
	if err := os.WriteFile("/READ.TXT", data, 0o644); err != nil {
		return err
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = readSame("/READ.TXT", data) })
	}
	wg.Wait()
	fmt.Printf("readers: %d goroutines, %d threads\n", n, pprof.Lookup("threadcreate").Count())
	return errors.Join(append(errs, os.Remove("/READ.TXT"))...)
}

func readSame(name string, want []byte) error {
	got, err := os.ReadFile(name)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: %d bytes that are not what was written", name, len(got))
	}
	return err
}

// threads keeps n goroutines with a thread each at the same time: half of them wait for each
// other in turn (futex), the others sleep in a system call, with deadlines in no order.
// Then it ends them, several times over: their threads must be free again.
func threads(args []string) error {
	n := number(args, 0, 2000)
	for round := range number(args, 1, 3) {
		var wg sync.WaitGroup
		var early atomic.Int32
		turns := make([]chan int, n/2)
		for i := range turns {
			turns[i] = make(chan int)
		}
		var there sync.WaitGroup
		there.Add(n / 2 * 2)
		all := make(chan bool)
		for i := range n / 2 {
			wg.Go(func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				there.Done()
				v := <-turns[i]
				if i+1 < len(turns) {
					turns[i+1] <- v + 1
				} else if v != i {
					early.Add(1)
				}
			})
			wg.Go(func() {
				runtime.LockOSThread()
				there.Done()
				<-all
				d := time.Duration(i*7919%100) * time.Millisecond
				start := time.Now()
				if ts := syscall.NsecToTimespec(int64(d)); syscall.Nanosleep(&ts, nil) != nil || time.Since(start) < d {
					early.Add(1)
				}
			})
		}
		there.Wait()
		close(all)
		turns[0] <- 0
		wg.Wait()
		if early.Load() != 0 {
			return fmt.Errorf("round %d: %d threads were woken wrongly", round, early.Load())
		}
	}
	fmt.Printf("threads: %d at once\n", n/2*2)
	return nil
}

// sleepers lets n goroutines sleep, which takes no thread each.
func sleepers(args []string) error {
	n := number(args, 0, 10000)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { time.Sleep(time.Duration(i%100) * time.Millisecond) })
	}
	wg.Wait()
	fmt.Printf("sleepers: %d goroutines, %d threads\n", n, pprof.Lookup("threadcreate").Count())
	return nil
}
