package screen

import (
	"fmt"
	"math"

	"bootllama/metal/vt"
)

// Options are a person's wishes.
type Options struct {
	// FontSize is the height of a line of text in pixels: MinFontSize to MaxFontSize, or 0 for one that goes with the
	// screen, about 80 to 120 characters in a line. A size that is too large for the screen is made smaller, until 20 characters
	// fit into a line and 5 lines on the screen; one of which more than a terminal's 65,536 characters would fit is made larger.
	FontSize int
	// Font is the content of a TrueType or OpenType font (.ttf, .otf, the first of a .ttc), of at most MaxFont bytes. What it
	// lacks comes from the built-in font, Go Mono.
	Font []byte
}

// Limits of Options.
const (
	MinFontSize = 8
	MaxFontSize = 256
	MaxFont     = 64 << 20
)

const (
	minWidth   = 8   // pixels of a cell that a person can read; 80 characters in 640 pixels
	mostCols   = 120 // characters in a line that the eye does not lose
	fewestCols = 20
	fewestRows = 5
	mostCells  = vt.MaxCells
)

// size is the geometry of a display, in pixels.
type size struct {
	width, height     int // of a cell
	cols, rows        int
	left, top         int // of the cells: the rest is shared between both sides
	line              int // thickness of a line
	underline, strike int // the first rows of these lines in a cell
}

// chooseSize chooses the size of cells for a screen; ratio is the height of the font's cell divided by its width.
func chooseSize(width, height, fontSize int, ratio float64) (size, error) {
	var s size
	switch {
	case fontSize == 0:
		s.width = max(minWidth, (width+mostCols-1)/mostCols)
		if width < 80*minWidth {
			s.width = max(5, width/80)
		}
		s.height = int(math.Ceil(float64(s.width)*ratio - 0.01))
	case fontSize < MinFontSize || fontSize > MaxFontSize:
		return s, fmt.Errorf("screen: a font size of %d: it is the height of a line in pixels, %d to %d", fontSize, MinFontSize, MaxFontSize)
	default:
		s.setHeight(fontSize, ratio)
	}
	for s.height > MinFontSize && (width/s.width < fewestCols || height/s.height < fewestRows) {
		s.setHeight(s.height-1, ratio)
	}
	for (width/s.width)*(height/s.height) > mostCells {
		s.setHeight(s.height+1, ratio)
	}
	if s.cols, s.rows = width/s.width, height/s.height; s.cols < 1 || s.rows < 1 {
		return s, fmt.Errorf("screen: %d x %d pixels are too few for a character", width, height)
	}
	if s.cols > 80 && width-s.cols*s.width < s.width/2 {
		s.cols-- // text does not touch the frame of the monitor
	}
	s.left, s.top = (width-s.cols*s.width)/2, (height-s.rows*s.height)/2
	s.line = max(1, (s.width+4)/8)
	s.underline = s.baseline() + max(1, (s.height-s.baseline())/4)
	s.strike = s.baseline() - s.baseline()*7/25
	return s, nil
}

// baseline is the row below the letters that have nothing below the line, where Go Mono has it.
func (s *size) baseline() int { return (s.height*1935 + 1183) / 2367 }

func (s *size) setHeight(height int, ratio float64) {
	s.height = height
	s.width = max(2, int(math.Round(float64(height)/ratio)))
}
