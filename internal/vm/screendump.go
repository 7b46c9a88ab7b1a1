package vm

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
)

// Screendump returns what the machine's screen shows.
func (r *Running) Screendump() (*image.RGBA, error) {
	r.dump.Lock()
	defer r.dump.Unlock()
	name := filepath.Join(r.dir, "screen.ppm")
	if _, err := r.qmp.execute("screendump", map[string]any{"filename": name}); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPPM(bufio.NewReader(f))
}

// readPPM reads a picture in the form that QEMU writes: P6, three bytes a pixel.
func readPPM(f io.Reader) (*image.RGBA, error) {
	var width, height, most int
	if _, err := fmt.Fscanf(f, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
		return nil, fmt.Errorf("the screen's picture: %w", err)
	}
	const limit = 1 << 14
	if most != 255 || width < 1 || height < 1 || width > limit || height > limit {
		return nil, fmt.Errorf("the screen's picture: %d x %d pixels of 0 to %d", width, height, most)
	}
	pixels := make([]byte, width*height*3)
	if _, err := io.ReadFull(f, pixels); err != nil {
		return nil, fmt.Errorf("the screen's picture: %w", err)
	}
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		copy(picture.Pix[i*4:], pixels[i*3:i*3+3])
		picture.Pix[i*4+3] = 255
	}
	return picture, nil
}
