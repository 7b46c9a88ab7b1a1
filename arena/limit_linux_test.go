package arena

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCgroupLimit: the least limit on the way from this process's group to the top counts.
func TestCgroupLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"none", nil, math.MaxInt64},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "5000000\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 5000000},
		{"a parent's", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "4096\n"}, 4096},
		{"the top's", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "77\n"}, 77},
		{"a container that has the host's path", map[string]string{"proc/self/cgroup": "0::/docker/1\n", "sys/fs/cgroup/memory.max": "78\n"}, 78},
		{"version 1", map[string]string{"proc/self/cgroup": "12:cpu:/x\n9:memory:/y\n", "sys/fs/cgroup/memory/y/memory.limit_in_bytes": "123456\n"}, 123456},
		{"no limit in version 1", map[string]string{"proc/self/cgroup": "9:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 9223372036854771712},
		{"nonsense", map[string]string{"proc/self/cgroup": "x\n\n:::\n0::", "sys/fs/cgroup/memory.max": "a lot"}, math.MaxInt64},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			name = filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := cgroupLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestLimit: it is no more than the machine's memory, and less under ulimit.
func TestLimit(t *testing.T) {
	if os.Getenv("ARENA_LIMIT") != "" {
		fmt.Printf("limit=%d\n", Limit())
		return
	}
	all := Limit()
	if all < 64<<20 || all == math.MaxInt64 {
		t.Errorf("this machine's limit is %d bytes", all)
	}
	for _, option := range []string{"-v", "-d"} {
		const kib = 4 << 20
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit %s %d && exec %q -test.run TestLimit", option, kib, os.Args[0]))
		cmd.Env = append(os.Environ(), "ARENA_LIMIT=1")
		out, err := cmd.CombinedOutput()
		_, text, _ := strings.Cut(string(out), "limit=")
		text, _, _ = strings.Cut(text, "\n")
		limit, e := strconv.ParseInt(text, 10, 64)
		if err != nil || e != nil || limit < 1<<30 || limit >= kib<<10 {
			t.Errorf("ulimit %s %d: limit %d, %v\n%s", option, kib, limit, err, out)
		}
	}
}
