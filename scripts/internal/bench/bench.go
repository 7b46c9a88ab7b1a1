// Package bench is what the programs share that measure bootllama against others: what `bootllama bench --json` prints,
// runs of programs on a machine that nobody else is using, and the few statistics that an honest table needs.
package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Result is what `bootllama bench --json` prints.
type Result struct {
	Model   string `json:"model"`
	Threads int    `json:"threads"`
	SIMD    string `json:"simd"`
	Prefill Speed  `json:"prefill"`
	Decode  Speed  `json:"decode"`
	Read    struct {
		GBs    []float64 `json:"gb_s"` // of memory, one a round
		Median float64   `json:"median"`
	} `json:"read"`
	Share   float64   `json:"share"`    // of the memory's read bandwidth that decoding uses
	TokenUs []float64 `json:"token_us"` // of each token decoded in the last round
	LoadMs  float64   `json:"load_ms"`
}

// Speed is a Result's prefill or decode.
type Speed struct {
	Tokens        int       `json:"tokens"`
	TokS          []float64 `json:"tok_s"` // one a round
	Median        float64   `json:"median"`
	BytesPerToken float64   `json:"bytes_per_token"`
	GBs           float64   `json:"gb_s"`
}

// Parse finds the Result in what bench printed.
func Parse(stdout []byte) (Result, error) {
	var r Result
	i := bytes.IndexByte(stdout, '{')
	if i < 0 {
		return r, fmt.Errorf("bench printed no JSON object: %.200q", stdout)
	}
	if err := json.NewDecoder(bytes.NewReader(stdout[i:])).Decode(&r); err != nil {
		return r, fmt.Errorf("bench printed no JSON object: %w: %.200q", err, stdout[i:])
	}
	if r.Prefill.Median <= 0 && r.Decode.Median <= 0 {
		return r, errors.New("bench measured neither prefill nor decode")
	}
	return r, nil
}

// Median is the middle of values, or the mean of the two in the middle; 0 if there are none.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile is the value below which the part q of all values lies, by linear interpolation between neighbours.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Ratios are a[i]/b[i]: of what was measured in the same round, since a shared machine's speed drifts between rounds.
func Ratios(a, b []float64) []float64 {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}
