package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bootllama/metal/vt"
)

// rows returns what is seen of a screen of that size, row by row.
func (s *screen) rows(columns, height int) (rows []string) {
	t := new(vt.Terminal)
	t.Resize(columns, height)
	for _, c := range []byte(s.String()) {
		t.Write(c)
	}
	for y := range height {
		var row strings.Builder
		for x := range columns {
			if r := t.Cell(x, y).Rune; r != 0 {
				row.WriteRune(r)
			}
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	return rows
}

// sees waits until rows are seen, one below the other.
func (s *screen) sees(t *testing.T, want ...string) {
	t.Helper()
	await(t, fmt.Sprintf("%q on the screen", want), s, func() bool {
		return strings.Contains("\n"+strings.Join(s.rows(80, 24), "\n")+"\n", "\n"+strings.Join(want, "\n")+"\n")
	})
}

// TestSession: a person at a terminal of the host: the line is edited, words are wrapped, a story is saved, a text is
// pasted, and however it ends the terminal is as it was.
func TestSession(t *testing.T) {
	name, folder := build(t), t.TempDir()
	for _, c := range []struct {
		about string
		end   func(*os.Process, *os.File) error
	}{
		{"/quit", func(_ *os.Process, p *os.File) error { _, err := p.WriteString("/quit\r"); return err }},
		{"Ctrl-D", func(_ *os.Process, p *os.File) error { _, err := p.WriteString("\x04"); return err }},
		{"SIGTERM", func(p *os.Process, _ *os.File) error { return p.Signal(syscall.SIGTERM) }},
	} {
		person, program := openPTY(t)
		if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
			t.Fatal(err)
		}
		before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(name, "console", "-s", "3", "-t", "0")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "TERM=xterm", "NO_COLOR=")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() }) // an error: it has ended
		var s screen
		go s.watch(person)
		write := func(text string) {
			t.Helper()
			if _, err := person.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		s.await(t, "and press Enter.")
		write("One dxy\x7f\x7fay\x01\x1b[1;5C\x1b[C!\x7f")
		s.sees(t, "> One day")
		write("\r")
		s.await(t, "tok/s · context")
		s.sees(t, "> One day", "One day, a friendly girl called Lucy was eating breakfast. She was small but",
			"quick. She had a lovely voice, but she sang only when nobody listened. \"What if")
		if c.about == "/quit" {
			write("/save story\r")
			s.sees(t, "Saved as story.txt.")
			if b, err := os.ReadFile(filepath.Join(folder, "story.txt")); err != nil || !strings.Contains(string(b), "\n\n> One day\n\nOne day, a friendly girl called Lucy") {
				t.Errorf("%v, %q", err, b)
			}
			write("dropped")
			s.sees(t, "> dropped")
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			s.sees(t, "> dropped^C", ">")
			write("\x1b[200~" + strings.Repeat("0123456789\r", 500) + "\x1b[201~\r") // 5,500 characters
			s.sees(t, "That line is 5501 tokens long and the story may have 256. Try a shorter one.", ">")
		}
		if err := c.end(cmd.Process, person); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // its error is the exit status
		if status := cmd.ProcessState.ExitCode(); status != 0 {
			t.Errorf("%s: status %d; screen %q", c.about, status, &s)
		}
		after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil || *after != *before {
			t.Errorf("%s: terminal %+v, was %+v, %v", c.about, after, before, err)
		}
		s.await(t, "\x1b[?2004l")
		if text := s.String(); strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
			t.Errorf("%s: %q", c.about, text)
		}
	}
}
