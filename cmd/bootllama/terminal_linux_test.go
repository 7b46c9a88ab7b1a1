package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// build builds the command.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bootllama")
	if out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return name
}

// screen is what a program wrote to a terminal.
type screen struct {
	mu   sync.Mutex
	text []byte
}

func (s *screen) watch(terminal io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := terminal.Read(buf)
		s.Write(buf[:n]) // never fails
		if err != nil {
			return
		}
	}
}

// Write is for a program without a terminal.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// await waits for text on the screen.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	await(t, fmt.Sprintf("%q on the screen", text), s, func() bool { return strings.Contains(s.String(), text) })
}

// await waits until something has come, or the test's time is almost over.
func await(t *testing.T, what string, s *screen, come func() bool) {
	t.Helper()
	deadline, limited := t.Deadline()
	for ; !come(); time.Sleep(20 * time.Millisecond) {
		if limited && time.Until(deadline) < 10*time.Second {
			t.Fatalf("no %s; screen %q", what, s)
		}
	}
}

// openPTY opens a pseudo-terminal (pty(7)).
func openPTY(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close(); program.Close() })
	return person, program
}

// A person at a terminal: the machine echoes, edits and tells, the session ends with Ctrl-D, by Ctrl-] or by a signal, and
// the terminal is as it was.
func TestTerminal(t *testing.T) {
	needModels(t)
	needQEMU(t)
	name := build(t)
	for _, c := range []struct {
		about  string
		early  bool // before the machine has booted
		end    func(*os.Process, *os.File) error
		status int
		says   string
	}{
		{"Ctrl-D", false, func(_ *os.Process, p *os.File) error { _, err := p.WriteString("\x04"); return err }, 0, ""},
		{"Ctrl-]", true, func(_ *os.Process, p *os.File) error { _, err := p.WriteString("\x1d"); return err }, 1, "bootllama: the machine was switched off with Ctrl-]\r\n"},
		{"SIGTERM", true, func(p *os.Process, _ *os.File) error { return p.Signal(syscall.SIGTERM) }, 128 + 15, ""},
	} {
		person, program := openPTY(t)
		if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
			t.Fatal(err)
		}
		before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(name, "boot", models+"stories260K.bin", "-z", models+"tok512.bin", "-t", "0", "-n", "20")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() }) // an error: it has ended
		var s screen
		go s.watch(person)
		s.await(t, "Ctrl-] switches the machine off\r\n")
		await(t, c.about+": terminal that is raw", &s, func() bool { // soon after that text
			during, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			return err == nil && during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0
		})
		if !c.early {
			s.await(t, "and press Enter.")
			if _, err := person.WriteString("One dag\x7fy\r"); err != nil {
				t.Fatal(err)
			}
			s.await(t, "tok/s · context 20 of 512")
			rows := s.rows(80, 24)
			at := slices.Index(rows, "> One day")
			if at < 0 || !strings.HasPrefix(rows[at+1], "One day, a little girl") || !strings.HasSuffix(rows[at+1], "mom") || !strings.Contains(rows[at+2], " tok/s") {
				t.Errorf("the screen shows\n%s", strings.Join(rows, "\n"))
			}
		}
		if err := c.end(cmd.Process, person); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // its error is the exit status
		if status := cmd.ProcessState.ExitCode(); status != c.status {
			t.Errorf("%s: status %d, want %d; screen %q", c.about, status, c.status, &s)
		}
		if c.says != "" {
			s.await(t, c.says)
		}
		after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil || *after != *before {
			t.Errorf("%s: terminal %+v, was %+v, %v", c.about, after, before, err)
		}
		if strings.Contains(strings.ReplaceAll(s.String(), "\r\n", ""), "\n") {
			t.Errorf("%s: a line feed without carriage return in %q", c.about, &s)
		}
	}
}

// A signal at any stage, or a reader of the output that has gone, ends the machine and leaves nothing.
func TestBootInterrupted(t *testing.T) {
	needModels(t)
	needQEMU(t)
	name := build(t)
	log := filepath.Join(t.TempDir(), "log")
	boot := func(options ...string) (*exec.Cmd, *screen) {
		cmd := exec.Command(name, append([]string{"boot", models + "stories260K.bin", "-z", models + "tok512.bin", "-v"}, options...)...)
		s := &screen{}
		cmd.Stdout, cmd.Stderr = s, s
		return cmd, s
	}
	for _, stage := range []string{"building the application", "booting it in QEMU", "BdsDxe: starting", "\n> "} {
		cmd, s := boot("--console", "--log", log)
		keys, err := cmd.StdinPipe() // nothing is typed: the session waits
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() }) // an error: it has ended
		await(t, stage, s, func() bool {
			console, _ := os.ReadFile(log) // an error: not there yet
			return strings.Contains(s.String(), stage) || strings.Contains(string(console), stage)
		})
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // its error is the exit status
		keys.Close()
		if status := cmd.ProcessState.ExitCode(); status != 128+2 {
			t.Errorf("at %q: status %d, screen %q", stage, status, s)
		}
		if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
			t.Errorf("at %q: left %v, %v", stage, left, err)
		}
		os.Remove(log) // an error: that early there is none
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	cmd, s := boot()
	cmd.Stdout = writer
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 128+13 || strings.Contains(s.String(), "pipe") {
		t.Errorf("%v, stderr %q", err, s)
	}
}
