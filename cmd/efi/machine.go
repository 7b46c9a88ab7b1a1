package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"bootllama/internal/start"
	"bootllama/metal"
	"bootllama/metal/keyboard"
	"bootllama/screen"
)

// volume is the root of the volume that the program was started from.
const volume = "/"

// commonFont is a font that is used if it is there.
const commonFont = "FONT.TTF"

// setUp makes the machine's screen and keyboard what the settings say. From the UEFI shell the screen stays the shell's.
func setUp(s *start.Settings) {
	if s.Keyboard != "" {
		if err := keyboard.Set(s.Keyboard); err != nil {
			s.Problem("keyboard", "%v", err)
		}
	}
	if s.Text || metal.StartedByShell() {
		return
	}
	font, err := readFont(s.Font)
	if err != nil {
		s.Problem("font", "%v", err)
	}
	o := screen.Options{FontSize: s.FontSize, Font: font}
	if _, err = screen.Start(o); err != nil && font != nil {
		s.Problem("font", "%v", err)
		o.Font = nil
		_, err = screen.Start(o)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) { // without a framebuffer there is the firmware's text
		s.Problem("text", "%v", err)
	}
}

// readFont reads the font of a name; without one FONT.TTF, if it is there.
func readFont(name string) ([]byte, error) {
	file := path.Join(volume, strings.ReplaceAll(name, `\`, "/"))
	if name == "" {
		file = path.Join(volume, commonFont)
	}
	f, err := os.Open(file)
	if name == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, screen.MaxFont+1))
	if err == nil && len(b) > screen.MaxFont {
		err = fmt.Errorf("%s has more than %d bytes", file, screen.MaxFont)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// endings are what the words of the setting end mean.
var endings = map[string]metal.Ending{"": metal.AskPerson, "wait": metal.AskPerson, "off": metal.PowerOff, "reboot": metal.Restart, "firmware": metal.ToFirmware}

// power switches the machine off, or starts it again.
func power(reboot bool) error {
	command := syscall.LINUX_REBOOT_CMD_POWER_OFF
	if reboot {
		command = syscall.LINUX_REBOOT_CMD_RESTART
	}
	return os.NewSyscallError("reboot", syscall.Reboot(command))
}
