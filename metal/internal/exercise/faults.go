//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"bootllama/metal"
)

//go:noinline
func load(p *[64]int) int { return p[17] }

//go:noinline
func divide(a, b int) int { return a / b }

//go:noinline
func index(s []int, i int) int { return s[i] }

var constant = "text that is not to be written to"

// panics causes the faults that Go turns into panics, a hundred times each, and checks
// that text and constants cannot be written.
func panics([]string) error {
	cases := []struct {
		want string
		do   func()
	}{
		{"nil pointer dereference", func() { load(nil) }},
		{"index out of range", func() { index(nil, len(os.Args)) }},
		{"integer divide by zero", func() { divide(1, len(os.Args)-len(os.Args)) }},
		{"nil pointer dereference", func() { var f func(); f() }},
		{"assignment to entry in nil map", func() { var m map[int]int; m[1] = 2 }},
	}
	for range 100 {
		for _, c := range cases {
			if err := recovered(c.do); err == nil || !strings.Contains(err.Error(), c.want) {
				return fmt.Errorf("recovered %v, want %q", err, c.want)
			}
		}
	}
	text := unsafe.Pointer(reflect.ValueOf(panics).Pointer())
	for what, p := range map[string]unsafe.Pointer{"text": text, "a constant": unsafe.Pointer(unsafe.StringData(constant))} {
		if !protected(p) {
			return fmt.Errorf("%s can be written to", what)
		}
	}
	if data := new(byte); protected(unsafe.Pointer(data)) {
		return errors.New("the heap cannot be written to")
	}
	fmt.Println("panics: 500 recovered, text and constants are read-only")
	return nil
}

// faultAgain faults, and its handler of the signal does so, too, until it has run three times. Then
// it ends the program with status 0, which it can only if the signal is not blocked meanwhile, as
// with the argument "nodefer". Each time it writes an exclamation mark to standard error's debug port.
func faultAgain(args []string) error {
	const onStack, noDefer = 0x08000000, 0x40000000
	action := struct{ handler, flags, restorer, mask uintptr }{handler: handlerThatFaults(), flags: onStack}
	if len(args) > 0 {
		action.flags |= noDefer
	}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); e != 0 {
		return e
	}
	load(nil)
	return errors.New("nothing happened")
}

func recovered(f func()) (err error) {
	defer func() {
		if e, ok := recover().(runtime.Error); ok {
			err = e
		}
	}()
	f()
	return nil
}

// deepPanics faults at the end of deep recursions in several goroutines at once.
func deepPanics([]string) error {
	done := make(chan error)
	for g := range 16 {
		go func() { done <- recovered(func() { faultBelow(1000 + g*100) }) }()
	}
	for range 16 {
		if err := <-done; err == nil || !strings.Contains(err.Error(), "nil pointer") {
			return fmt.Errorf("recovered %v", err)
		}
	}
	return nil
}

//go:noinline
func faultBelow(depth int) int {
	if depth == 0 {
		return load(nil)
	}
	return faultBelow(depth-1) + 1
}

// exit ends with a status, and what the machine is to do then.
func exit(args []string) error {
	if len(args) > 1 {
		metal.AtEnd(map[string]metal.Ending{"off": metal.PowerOff, "restart": metal.Restart, "firmware": metal.ToFirmware}[args[1]], len(args) > 2)
	}
	os.Exit(number(args, 0, 0))
	return nil
}

// panicking panics; with an argument another goroutine does.
func panicking(args []string) error {
	if len(args) > 0 {
		go panic("as asked, elsewhere")
		select {}
	}
	panic("as asked")
}

// throw ends in an error that Go programs cannot recover from.
func throw([]string) error {
	var mu sync.Mutex
	defer func() { _ = recover() }()
	mu.Unlock() // fatal error: sync: unlock of unlocked mutex
	return errors.New("an unlocked mutex was unlocked")
}

// signals checks that a signal which the program sends to itself arrives, and, with an argument, that
// Ctrl-C arrives as SIGINT. If one does not, the machine runs out of time.
func signals(args []string) error {
	own := make(chan os.Signal, 1)
	signal.Notify(own, syscall.SIGUSR1)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	<-own
	if len(args) == 0 {
		return nil
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	fmt.Println("signals: waiting for Ctrl-C")
	<-interrupts
	return nil
}
