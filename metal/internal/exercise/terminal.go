//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"bootllama/metal/keyboard"
)

// settings checks what programs ask a terminal, and that other files are none.
func settings([]string) error {
	for fd := range 3 {
		if !term.IsTerminal(fd) {
			return fmt.Errorf("descriptor %d is no terminal", fd)
		}
	}
	width, height, err := term.GetSize(1)
	if err != nil || width < 40 || height < 10 {
		return fmt.Errorf("a terminal of %d by %d: %v", width, height, err)
	}
	if got := os.Getenv("TERM"); got != "xterm-256color" {
		return fmt.Errorf("TERM is %q", got)
	}
	if group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err != nil || group != os.Getpid() {
		return fmt.Errorf("TIOCGPGRP: %d, %v", group, err)
	}
	file, err := os.Open("/STARTUP.NSH")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err != syscall.ENOTTY {
		return fmt.Errorf("TCGETS of a file: %v", err)
	}
	if _, err := unix.IoctlGetTermios(99, unix.TCGETS); err != syscall.EBADF {
		return fmt.Errorf("TCGETS of nothing: %v", err)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	before, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil {
		return err
	}
	raw, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil || raw.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || raw.Cc[unix.VMIN] != 1 {
		return fmt.Errorf("raw mode is %+v, %v", raw, err)
	}
	if err := unix.IoctlSetTermios(1, unix.TCSETSF, before); err != nil {
		return err
	}
	if after, err := unix.IoctlGetTermios(2, unix.TCGETS); err != nil || *after != *before {
		return fmt.Errorf("restored %+v, was %+v: %v", after, before, err)
	}
	_, err = fmt.Fprintf(tty, "settings: %d columns, %d lines\n", width, height)
	return errors.Join(err, waits())
}

// waits checks the ways to wait for a key that does not come.
func waits() error {
	fds := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}, {Fd: 1, Events: unix.POLLOUT}, {Fd: 77, Events: unix.POLLIN}, {Fd: -1}}
	if n, err := unix.Poll(fds, 1000); n != 2 || err != nil || fds[0].Revents != 0 || fds[1].Revents != unix.POLLOUT || fds[2].Revents != unix.POLLNVAL {
		return fmt.Errorf("poll: %d, %v, %+v", n, err, fds)
	}
	begin := time.Now()
	if n, err := unix.Poll(fds[:1], 100); n != 0 || err != nil || time.Since(begin) < 100*time.Millisecond {
		return fmt.Errorf("poll for 100 ms: %d, %v, after %v", n, err, time.Since(begin))
	}
	var in, out unix.FdSet
	in.Set(0)
	out.Set(1)
	if n, err := unix.Select(2, &in, &out, nil, nil); n != 1 || err != nil || in.IsSet(0) || !out.IsSet(1) {
		return fmt.Errorf("select: %d, %v, %v, %v", n, err, in.IsSet(0), out.IsSet(1))
	}
	in.Set(0)
	begin = time.Now()
	if n, err := unix.Select(1, &in, nil, nil, &unix.Timeval{Usec: 50_000}); n != 0 || err != nil || in.IsSet(0) || time.Since(begin) < 50*time.Millisecond {
		return fmt.Errorf("select for 50 ms: %d, %v, after %v", n, err, time.Since(begin))
	}
	tty, err := os.Open("/dev/tty") // the runtime polls it by epoll
	if err != nil {
		return err
	}
	defer tty.Close()
	if err := tty.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return fmt.Errorf("a deadline for the terminal: %w", err)
	}
	if n, err := tty.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a read with a deadline: %d, %v", n, err)
	}
	state, err := term.MakeRaw(0)
	if err != nil {
		return err
	}
	defer term.Restore(0, state)
	begin = time.Now()
	if err := setMinimum(0, 2); err != nil {
		return err
	}
	if n, err := unix.Read(0, make([]byte, 10)); n != 0 || err != nil || time.Since(begin) < 200*time.Millisecond {
		return fmt.Errorf("VMIN 0, VTIME 2: %d, %v, after %v", n, err, time.Since(begin))
	}
	if err := setMinimum(0, 0); err != nil {
		return err
	}
	if n, err := unix.Read(0, make([]byte, 10)); n != 0 || err != nil {
		return fmt.Errorf("VMIN 0, VTIME 0: %d, %v", n, err)
	}
	if err := byteToByte(); err != nil {
		return err
	}
	if err := unix.SetNonblock(0, true); err != nil {
		return err
	}
	if err := setMinimum(1, 0); err != nil {
		return err
	}
	if n, err := unix.Read(0, make([]byte, 10)); n > 0 || err != unix.EAGAIN {
		return fmt.Errorf("O_NONBLOCK: %d, %v", n, err)
	}
	if err := unix.SetNonblock(0, false); err != nil {
		return err
	}
	return answers()
}

// byteToByte reads more bytes than come: the read waits for the first without an end, and after the last for VTIME. The
// terminal's answers come while it waits, much closer together than VTIME.
func byteToByte() error {
	const answer = "\x1b[0n"
	if err := setMinimum(200, 50); err != nil {
		return err
	}
	last := make(chan time.Time, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		fmt.Print("\x1b[5n")
		time.Sleep(300 * time.Millisecond)
		last <- time.Now()
		fmt.Print("\x1b[5n")
	}()
	b := make([]byte, 200)
	n, err := unix.Read(0, b)
	if waited := time.Since(<-last); string(b[:max(n, 0)]) != answer+answer || err != nil || waited < 5*time.Second {
		return fmt.Errorf("VMIN 200, VTIME 50: %q, %v, %v after the last", b[:max(n, 0)], err, waited)
	}
	return nil
}

func setMinimum(min, time byte) error {
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = min, time
	return unix.IoctlSetTermios(0, unix.TCSETS, t)
}

// keys prints in raw mode, with each key, all that has come, until a dollar. With an argument,
// the keyboard has that layout; "application" is the mode of the cursor keys.
func keys(args []string) error {
	state, err := term.MakeRaw(0)
	if err != nil {
		return err
	}
	defer term.Restore(0, state)
	for _, arg := range args {
		if arg == "application" {
			fmt.Print("\x1b[?1h")
			defer fmt.Print("\x1b[?1l")
		} else if err := keyboard.Set(arg); err != nil {
			return err
		}
	}
	fmt.Print("keys: ready\r\n")
	var got []byte
	for !bytes.HasSuffix(got, []byte("$")) {
		b := make([]byte, 64)
		n, err := os.Stdin.Read(b)
		if err != nil {
			return err
		}
		got = append(got, b[:n]...)
		fmt.Printf("key %q\r\n", got)
	}
	return nil
}

// pipes sends more through a pipe than fits, and checks how it ends and how it is waited for.
func pipes([]string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := r.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		return err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("reading an empty pipe: %d, %v", n, err)
	}
	data := bytes.Repeat([]byte("through a pipe "), 10_000)
	sent := make(chan error)
	go func() {
		_, err := w.Write(data)
		sent <- errors.Join(err, w.Close())
	}()
	if err := r.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, <-sent, r.Close()); err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("%d of %d bytes came out, %v", len(got), len(data), err)
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], 0); err != nil { // whose reads and writes wait in the kernel
		return err
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		_, err := unix.Write(fds[1], []byte("late"))
		sent <- err
	}()
	b := make([]byte, 10)
	n, err := unix.Read(fds[0], b)
	if err = errors.Join(err, <-sent); err != nil || string(b[:n]) != "late" {
		return fmt.Errorf("a read that waits: %q, %v", b[:n], err)
	}
	for range 20 { // more than there are pipes
		var left [2]int
		if err := unix.Pipe2(left[:], unix.O_NONBLOCK); err != nil {
			return err
		}
		if n, err := unix.Read(left[0], b); err != unix.EAGAIN {
			return fmt.Errorf("a new pipe: %d bytes, %v", n, err)
		}
		_, err := unix.Write(left[1], []byte("what nobody reads"))
		if err = errors.Join(err, unix.Close(left[0]), unix.Close(left[1])); err != nil {
			return err
		}
	}
	poll := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}, {Fd: int32(fds[1]), Events: unix.POLLOUT}}
	if n, err := unix.Poll(poll, 0); n != 1 || err != nil || poll[1].Revents != unix.POLLOUT {
		return fmt.Errorf("poll of an empty pipe: %d, %v, %+v", n, err, poll)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		_, err := unix.Write(fds[1], []byte("later"))
		sent <- err
	}()
	poll[0].Revents = 0
	n, err = unix.Poll(poll[:1], -1)
	if err = errors.Join(err, <-sent); err != nil || n != 1 || poll[0].Revents != unix.POLLIN {
		return fmt.Errorf("a poll that waits: %d, %v, %+v", n, err, poll[0])
	}
	if err := unix.Close(fds[0]); err != nil {
		return err
	}
	if _, err := unix.Write(fds[1], []byte("x")); err != unix.EPIPE {
		return fmt.Errorf("a write that nobody can read: %v", err)
	}
	return unix.Close(fds[1])
}

// answers checks what the terminal answers to questions.
func answers() error {
	fmt.Print("\x1b7\x1b[5;7H\x1b[6n\x1b8\x1b[5n")
	var got []byte
	for !bytes.HasSuffix(got, []byte("\x1b[0n")) {
		b := make([]byte, 64)
		n, err := os.Stdin.Read(b)
		if err != nil {
			return err
		}
		got = append(got, b[:n]...)
	}
	if string(got) != "\x1b[5;7R\x1b[0n" {
		return fmt.Errorf("the terminal answers %q", got)
	}
	return nil
}

// paste reads a long text that was typed while the program computed, raw or in lines, up to a
// line END, and prints its checksum.
func paste(args []string) error {
	if args[0] == "raw" {
		state, err := term.MakeRaw(0)
		if err != nil {
			return err
		}
		defer term.Restore(0, state)
	}
	fmt.Print("paste: ready\r\n")
	for begin := time.Now(); time.Since(begin) < 3*time.Second; {
	}
	var got []byte
	for r := bufio.NewReader(os.Stdin); !bytes.HasSuffix(got, []byte("END\n")); {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b == '\r' {
			b = '\n'
		}
		got = append(got, b)
	}
	fmt.Printf("paste: %d bytes, checksum %08x\r\n", len(got), crc32.ChecksumIEEE(got))
	return nil
}

// resized waits until the terminal has another size, and reads a key behind the report of it.
func resized([]string) error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	state, err := term.MakeRaw(0)
	if err != nil {
		return err
	}
	defer term.Restore(0, state)
	fmt.Print("resized: ready\r\n")
	<-changed
	width, height, err := term.GetSize(0)
	if err != nil {
		return err
	}
	b := make([]byte, 10)
	n, err := os.Stdin.Read(b)
	fmt.Printf("resized: %d by %d, then %q\r\n", width, height, b[:n])
	return err
}

// secret reads a password, and a line with a pending signal in between.
func secret([]string) error {
	go whenSilent("secret: ready")
	password, err := term.ReadPassword(0)
	if err != nil {
		return err
	}
	fmt.Printf("secret: %q\n", password)
	notified := make(chan os.Signal, 1)
	signal.Notify(notified, syscall.SIGINT)
	go func() { fmt.Printf("secret: %v\n", <-notified) }()
	go whenSilent("secret: again")
	if password, err = term.ReadPassword(0); err != nil { // goes on after the signal
		return err
	}
	signal.Notify(notified, syscall.SIGQUIT)
	fmt.Printf("secret: %q\n", password)
	fmt.Printf("secret: %v\n", <-notified)
	rest, err := io.ReadAll(io.LimitReader(os.Stdin, 3))
	if err != nil || string(rest) != "ab" { // Ctrl-D twice: the first ends the line
		return fmt.Errorf("%q, %v", rest, err)
	}
	return nil
}

// whenSilent prints a line as soon as the terminal does not echo: a password that is typed before is shown.
func whenSilent(line string) {
	for {
		if settings, err := unix.IoctlGetTermios(0, unix.TCGETS); err != nil || settings.Lflag&unix.ECHO == 0 {
			fmt.Println(line)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// power tries what reboot(2) refuses, leaves a file that nothing has flushed, and restarts the
// machine or switches it off.
func power(args []string) error {
	if _, _, e := syscall.Syscall(syscall.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, 1, unix.LINUX_REBOOT_CMD_POWER_OFF); e != syscall.EINVAL {
		return fmt.Errorf("a wrong magic number: %v", e)
	}
	if err := syscall.Reboot(12345); err != syscall.EINVAL {
		return fmt.Errorf("a wrong command: %v", err)
	}
	if err := syscall.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		return err
	}
	f, err := os.Create("/POWER.TXT")
	if err != nil {
		return err
	}
	if _, err := f.WriteString(strings.Repeat("power ", 1000)); err != nil {
		return err
	}
	command := unix.LINUX_REBOOT_CMD_POWER_OFF
	if args[0] == "restart" {
		command = unix.LINUX_REBOOT_CMD_RESTART
	}
	fmt.Println("power: off")
	return syscall.Reboot(command)
}
