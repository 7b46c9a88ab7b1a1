package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"bootllama/train/run"
)

// curve draws how the loss of a training went, in nats for a token.
type curve run.History

// Size of the picture, in pixels.
const (
	curveWidth  = 1200
	curveHeight = 700
	curveDPI    = 96
)

// Colours of the curve.
var (
	faintBlue = color.RGBA{0xa9, 0xc8, 0xea, 0xff}
	blue      = color.RGBA{0x1f, 0x5f, 0xa8, 0xff}
	orange    = color.RGBA{0xd6, 0x5a, 0x0e, 0xff}
	lightGrey = color.RGBA{0xcc, 0xcc, 0xcc, 0xff}
	darkGrey  = color.RGBA{0x40, 0x40, 0x40, 0xff}
)

// png draws c as a PNG. The same losses give the same bytes.
func (c curve) png() ([]byte, error) {
	p, err := c.plot()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", run.CurveName, err)
	}
	canvas := vgimg.NewWith(vgimg.UseDPI(curveDPI), vgimg.UseWH(pixels(curveWidth), pixels(curveHeight)))
	p.Draw(draw.Crop(draw.New(canvas), pixels(16), -pixels(32), pixels(16), -pixels(24)))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("%s: %w", run.CurveName, err)
	}
	return b.Bytes(), nil
}

func pixels(n float64) vg.Length { return vg.Length(n) * vg.Inch / curveDPI }

// plot lays out axes, grid and lines. The axis of the loss starts at 0, although no model of language comes near it: a
// curve that filled the picture would look like more than was learned.
func (c curve) plot() (*plot.Plot, error) {
	if len(c.Loss) == 0 {
		return nil, errors.New("no step was trained")
	}
	p := plot.New()
	p.X.Label.Text = "step"
	p.Y.Label.Text = "cross-entropy, nats per token"
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = font.From(sans, pixels(20))
		a.Label.Padding = pixels(8)
		a.Tick.Label.Font = font.From(sans, pixels(17))
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = darkGrey, darkGrey, darkGrey, darkGrey
		a.Padding = 0
		a.Tick.Marker = plot.TickerFunc(roundTicks)
	}
	p.Legend.TextStyle.Font = font.From(sans, pixels(18))
	p.Legend.TextStyle.Color = darkGrey
	p.Legend.Top = true
	p.Legend.Padding = pixels(6)
	p.Legend.ThumbnailWidth = pixels(44)
	p.Legend.XOffs, p.Legend.YOffs = -pixels(16), -pixels(12)

	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = lightGrey, lightGrey
	p.Add(grid)
	raw, smoothed := c.points()
	if err := addLine(p, "training, each step", raw, faintBlue, 1); err != nil {
		return nil, err
	}
	if err := addLine(p, "training, smoothed", smoothed, blue, 2.5); err != nil {
		return nil, err
	}
	if err := addHeldOut(p, c.HeldOut); err != nil {
		return nil, err
	}
	p.X.Min, p.Y.Min = 0, 0
	p.X.Max = max(p.X.Max, float64(len(c.Loss)))
	return p, nil
}

// roundTicks returns ticks at multiples of 1, 2 or 5 times a power of ten, at most
// twelve steps from low to high.
func roundTicks(low, high float64) []plot.Tick {
	const most = 12
	step := math.Pow10(int(math.Floor(math.Log10((high - low) / most))))
	for i := 0; (high-low)/step > most; i++ {
		step *= []float64{2, 2.5, 2}[i%3]
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', -1, 32)})
	}
	return ticks
}

// points returns the loss of each step, and its mean over about a hundredth of the steps around
// it, and fewer towards the ends, so that it does not lag behind.
func (c curve) points() (raw, smoothed plotter.XYs) {
	n := len(c.Loss)
	sums := make([]float64, n+1) // of the steps before
	for step, loss := range c.Loss {
		sums[step+1] = sums[step] + loss
	}
	for step, loss := range c.Loss {
		reach := min(n/200, step, n-1-step)
		mean := (sums[step+reach+1] - sums[step-reach]) / float64(2*reach+1)
		raw = append(raw, plotter.XY{X: float64(step), Y: loss})
		smoothed = append(smoothed, plotter.XY{X: float64(step), Y: mean})
	}
	return raw, smoothed
}

func addLine(p *plot.Plot, name string, points plotter.XYs, c color.Color, width float64) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, pixels(width)
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

func addHeldOut(p *plot.Plot, heldOut []run.Point) error {
	if len(heldOut) == 0 {
		return nil
	}
	points := make(plotter.XYs, len(heldOut))
	for i, l := range heldOut {
		points[i] = plotter.XY{X: float64(l.Step), Y: l.Loss}
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.Color, dots.Shape, dots.Radius = orange, draw.CircleGlyph{}, pixels(4)
	p.Add(dots)
	p.Legend.Add("held out", dots)
	return nil
}
