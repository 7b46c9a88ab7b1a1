package vm

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// qmp is QEMU's control channel (QEMU Machine Protocol specification): a JSON object per command and per answer, with
// events between them. Four commands do not justify a library; the best known one depends on libvirt.
type qmp struct {
	mu   sync.Mutex
	conn net.Conn
	dec  *json.Decoder
}

// newQMP reads QEMU's greeting and enters command mode.
func newQMP(conn net.Conn) (*qmp, error) {
	q := &qmp{conn: conn, dec: json.NewDecoder(conn)}
	_, err := q.execute("qmp_capabilities", nil)
	return q, err
}

// execute runs a command and waits for its answer.
func (q *qmp) execute(command string, arguments map[string]any) (json.RawMessage, error) {
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
		var answer struct { // the greeting and events have neither field
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

// Registers returns the registers of all processors as text of QEMU's monitor, to find where a machine hangs.
func (r *Running) Registers() (string, error) {
	answer, err := r.qmp.execute("human-monitor-command", map[string]any{"command-line": "info registers -a"})
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(answer, &text)
	return text, err
}
