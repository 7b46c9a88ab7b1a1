//go:build linux && amd64

// Show is a program for tests of package screen on the bare machine. Its arguments are steps: start, stop, size=N, font=FILE;
// mode=WIDTHxHEIGHT of the display; wait for a line; busy, which keeps all processors busy while it writes a line; panic; else a file that it writes.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	_ "bootllama/metal"
	"bootllama/screen"
)

func init() { runtime.LockOSThread() }

func main() {
	var o screen.Options
	var s *screen.Screen
	keys := bufio.NewReader(os.Stdin)
	for _, step := range os.Args[1:] {
		var err error
		value := step[strings.IndexByte(step, '=')+1:]
		switch {
		case step == "start":
			s, err = screen.Start(o)
		case step == "stop":
			err = s.Stop()
		case strings.HasPrefix(step, "size="):
			o.FontSize, err = strconv.Atoi(value)
		case strings.HasPrefix(step, "font="):
			o.Font, err = os.ReadFile(value)
		case strings.HasPrefix(step, "mode="):
			err = setMode(value)
		case step == "wait":
			_, err = keys.ReadString('\n')
		case step == "busy":
			busy()
		case step == "panic":
			panic("as it was told")
		default:
			var f *os.File
			if f, err = os.Open(step); err == nil {
				_, err = io.Copy(os.Stdout, f)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "show:", err)
			os.Exit(1)
		}
	}
}

// setMode sets the display's mode, for as long as the program runs (FBIOPUT_VSCREENINFO).
func setMode(size string) error {
	const get, put = 0x4600, 0x4601
	var mode [40]uint32 // struct fb_var_screeninfo
	fd, err := syscall.Open("/dev/fb0", syscall.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, request := range []uintptr{get, put} {
		if request == put {
			if _, err := fmt.Sscanf(size, "%dx%d", &mode[0], &mode[1]); err != nil {
				return err
			}
			mode[2], mode[3] = mode[0], mode[1]
		}
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&mode))); e != 0 {
			return os.NewSyscallError("ioctl", e)
		}
	}
	return nil
}

// busy computes on all processors for two seconds, and then again while it writes, and tells how much was computed.
func busy() {
	var rounds [2]int64
	for i := range rounds {
		var stop atomic.Bool
		var done atomic.Int64
		var team sync.WaitGroup
		for range runtime.NumCPU() {
			team.Go(func() {
				for x := uint32(1); !stop.Load(); done.Add(1) {
					for range 100_000 {
						x = x*1664525 + 1013904223
					}
					runtime.Gosched()
				}
			})
		}
		for word := range 40 {
			if i == 1 {
				fmt.Print(word, " ")
			}
			time.Sleep(50 * time.Millisecond)
		}
		stop.Store(true)
		team.Wait()
		rounds[i] = done.Load()
	}
	fmt.Printf("\n%d rounds alone, %d rounds with text\n", rounds[0], rounds[1])
}
