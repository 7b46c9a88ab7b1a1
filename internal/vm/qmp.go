package vm

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// qmp is QEMU's control channel (QEMU Machine Protocol specification): a JSON object per command and per answer, with
// events between them. Four commands and one caller do not earn a library, of which the best known brings libvirt along.
type qmp struct {
	mu   sync.Mutex
	conn net.Conn
	dec  *json.Decoder
}

// newQMP reads QEMU's greeting and enters command mode.
func newQMP(conn net.Conn) (*qmp, error) {
	q := &qmp{conn: conn, dec: json.NewDecoder(conn)}
	return q, q.execute("qmp_capabilities", nil)
}

// execute runs a command whose answer says no more than that it is done.
func (q *qmp) execute(command string, arguments map[string]any) error {
	_, err := q.ask(command, arguments)
	return err
}

// ask runs a command and waits for its answer.
func (q *qmp) ask(command string, arguments map[string]any) (json.RawMessage, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	for {
		var answer struct { // the greeting and events have neither
			Return json.RawMessage
			Error  *struct{ Class, Desc string }
		}
		if err := q.dec.Decode(&answer); err != nil {
			return nil, fmt.Errorf("QMP %s: %w", command, err)
		}
		if answer.Error != nil {
			return nil, fmt.Errorf("QMP %s: %s: %s", command, answer.Error.Class, answer.Error.Desc)
		}
		if answer.Return != nil {
			return answer.Return, nil
		}
	}
}

// Registers are those of all processors in the words of QEMU's monitor: where a machine is that does not come to an end.
func (r *Running) Registers() (string, error) {
	answer, err := r.qmp.ask("human-monitor-command", map[string]any{"command-line": "info registers -a"})
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(answer, &text)
	return text, err
}

// Screenshot takes a picture of the machine's screen.
func (r *Running) Screenshot() (image.Image, error) {
	name := filepath.Join(r.dir, "screen.ppm")
	if err := r.qmp.execute("screendump", map[string]any{"filename": name}); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decodePPM(f)
}

// decodePPM reads a binary portable pixmap as QEMU writes it (netpbm's ppm(5): "P6", width, height and 255 as text, one
// white space, then RGB, one byte each, row by row).
func decodePPM(r io.Reader) (image.Image, error) {
	all, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return nil, err
	}
	var width, height int
	in := strings.NewReader(string(all))
	if _, err := fmt.Fscanf(in, "P6\n%d %d\n255\n", &width, &height); err != nil {
		return nil, fmt.Errorf("PPM header: %w", err)
	}
	pixels := all[len(all)-in.Len():]
	if width <= 0 || height <= 0 || width > 1<<16 || height > 1<<16 || len(pixels) != 3*width*height {
		return nil, fmt.Errorf("PPM of %d × %d pixels in %d bytes", width, height, len(pixels))
	}
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		p := pixels[3*i:]
		picture.SetRGBA(i%width, i/width, color.RGBA{p[0], p[1], p[2], 255})
	}
	return picture, nil
}
