package vm

import "strings"

// Press presses keys of the machine's keyboard one after the other, each by the name that
// QEMU's send-key has for it: a, ret, spc, left, f1; with - before it those that are held down:
// ctrl-c, shift-alt-left. QEMU holds a key for some milliseconds, and takes the next ones meanwhile.
func (r *Running) Press(chords ...string) error {
	for _, chord := range chords {
		var keys []map[string]string
		for name := range strings.SplitSeq(chord, "-") {
			keys = append(keys, map[string]string{"type": "qcode", "data": name})
		}
		if _, err := r.qmp.execute("send-key", map[string]any{"keys": keys, "hold-time": 20}); err != nil {
			return err
		}
	}
	return nil
}
