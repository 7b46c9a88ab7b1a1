// Command fetch downloads a file whose size and SHA-256 are known.
//
//	fetch -o FILE -size BYTES -sha256 HEX URL
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	output := flag.String("o", "", "file to write")
	size := flag.Int64("size", 0, "its size in bytes")
	sum := flag.String("sha256", "", "its SHA-256")
	flag.Parse()
	if flag.NArg() != 1 || *output == "" || *size <= 0 || len(*sum) != 2*sha256.Size {
		fmt.Fprintln(os.Stderr, "usage: fetch -o FILE -size BYTES -sha256 HEX URL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Fprintf(os.Stderr, "fetch: %s, %d bytes\n", flag.Arg(0), *size)
	if err := fetch(ctx, flag.Arg(0), *output, *size, *sum); err != nil {
		fmt.Fprintf(os.Stderr, "fetch: %s: %v\n", flag.Arg(0), err)
		os.Exit(1)
	}
}

// fetch downloads url to output, which exists afterwards only if it has size bytes with that SHA-256.
func fetch(ctx context.Context, url, output string, size int64, sum string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return errors.Unwrap(err) // it says the URL, as we do
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	dir := filepath.Dir(output)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".fetch-*")
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(response.Body, size+1))
	got := fmt.Sprintf("%x", hash.Sum(nil))
	switch {
	case err != nil:
	case n != size:
		err = fmt.Errorf("not the file that is wanted: it has %s bytes, not %d", atLeast(n, size), size)
	case got != sum:
		err = fmt.Errorf("not the file that is wanted: its SHA-256 is %s, not %s", got, sum)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), output)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// atLeast is n, which stands for more if it is past size.
func atLeast(n, size int64) string {
	if n > size {
		return fmt.Sprintf("more than %d", size)
	}
	return fmt.Sprint(n)
}
