package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/model" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "weights")
	}))
	defer server.Close()
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("weights")))
	for _, c := range []struct {
		path, sum string
		size      int64
		want      string // in the error
	}{
		{"/model", sum, 7, ""},
		{"/model", sum, 6, "more than 6 bytes"},
		{"/model", sum, 8, "7 bytes, not 8"},
		{"/model", strings.Repeat("0", 64), 7, "its SHA-256 is " + sum},
		{"/other", sum, 7, "404"},
	} {
		dir := t.TempDir()
		output := filepath.Join(dir, "new", "model.bin")
		err := fetch(t.Context(), server.URL+c.path, output, c.size, c.sum)
		files, _ := filepath.Glob(filepath.Join(dir, "new", "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, "new", ".*"))
		if c.want == "" {
			if text, e := os.ReadFile(output); err != nil || e != nil || string(text) != "weights" || len(files)+len(hidden) != 1 {
				t.Errorf("%+v: %v %v %q %v", c, err, e, text, hidden)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || len(files)+len(hidden) != 0 {
			t.Errorf("%+v: %v, left %v %v", c, err, files, hidden)
		}
	}
	server.Close()
	if err := fetch(t.Context(), server.URL, filepath.Join(t.TempDir(), "x"), 1, sum); err == nil || strings.Contains(err.Error(), "http") {
		t.Error(err)
	}
}
