package main

import (
	"bytes"
	picture "image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"bootllama/train/run"
)

// fallingCurve is a loss that falls, with some noise, and is a little higher for what was held out.
func fallingCurve(steps int) curve {
	var c curve
	for i := range steps {
		loss := 1 + 6/(1+float64(i)/50)
		c.Loss = append(c.Loss, loss+0.1*float64(i*7919%13-6)/6)
		if i%(steps/20) == 0 {
			c.HeldOut = append(c.HeldOut, run.Point{Step: i, Loss: loss + 0.5})
		}
	}
	return c
}

// pixelsOf returns how many pixels near a colour (within 24 of 255) there are in columns from x0 up to x1, and their
// mean row.
func pixelsOf(m picture.Image, c color.RGBA, x0, x1 int) (n int, row float64) {
	near := func(a uint32, b uint8) bool { return math.Abs(float64(a>>8)-float64(b)) <= 24 }
	for y := range m.Bounds().Dy() {
		for x := x0; x < x1; x++ {
			if r, g, b, _ := m.At(x, y).RGBA(); near(r, c.R) && near(g, c.G) && near(b, c.B) {
				n++
				row += float64(y)
			}
		}
	}
	return n, row / float64(n)
}

// TestCurve: a PNG of the size that was meant, with both lines and the points, all falling
// from left to right and the points above the line; the same bytes for the same losses.
func TestCurve(t *testing.T) {
	var files [2][]byte
	for i := range files {
		b, err := fallingCurve(1000).png()
		if err != nil {
			t.Fatal(err)
		}
		files[i] = b
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same losses give other bytes")
	}
	m, err := png.Decode(bytes.NewReader(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if size := m.Bounds().Size(); size != picture.Pt(curveWidth, curveHeight) {
		t.Fatalf("the picture has %v pixels", size)
	}
	const left, middle, right = 100, 500, 950 // columns; the legend stands from 950 on, at the top
	rows := map[string]float64{}
	for _, line := range []struct {
		name  string
		color color.RGBA
		least int // pixels in each half
	}{{"training", faintBlue, 100}, {"smoothed", blue, 500}, {"held out", orange, 200}} {
		n1, row1 := pixelsOf(m, line.color, left, middle)
		n2, row2 := pixelsOf(m, line.color, middle, right)
		if n1 < line.least || n2 < line.least || row2 < row1+30 {
			t.Errorf("%s: %d pixels around row %.0f, then %d around %.0f: not a curve that falls", line.name, n1, row1, n2, row2)
		}
		rows[line.name] = row2
	}
	if rows["held out"] > rows["smoothed"]-20 {
		t.Errorf("what was held out is at row %.0f, the lower loss of the training at %.0f", rows["held out"], rows["smoothed"])
	}
}

// TestCurveOfFewSteps: an interrupted training has a curve, too.
func TestCurveOfFewSteps(t *testing.T) {
	for _, c := range []curve{
		{Loss: []float64{7}},
		{Loss: []float64{7, 6}, HeldOut: []run.Point{{Step: 0, Loss: 7}}},
		{Loss: []float64{0, 0}},
	} {
		if _, err := c.png(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestCurveErrors: what cannot be drawn.
func TestCurveErrors(t *testing.T) {
	for _, c := range []struct {
		curve curve
		want  string
	}{
		{curve{}, "no step was trained"},
		{curve{Loss: []float64{math.NaN()}}, "NaN"},
	} {
		_, err := c.curve.png()
		if err == nil || !strings.Contains(err.Error(), "loss.png: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestRoundTicks: labels that are short, from few to many steps.
func TestRoundTicks(t *testing.T) {
	for _, c := range []struct {
		high float64
		want string
	}{
		{1, "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"}, {7.6, "0 1 2 3 4 5 6 7"}, {40, "0 5 10 15 20 25 30 35 40"},
		{6000, "0 500 1000 1500 2000 2500 3000 3500 4000 4500 5000 5500 6000"},
		{1200000, "0 100000 200000 300000 400000 500000 600000 700000 800000 900000 1000000 1100000 1200000"},
	} {
		var labels []string
		for _, tick := range roundTicks(0, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("to %v: %s, want %s", c.high, got, c.want)
		}
	}
}
