package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// result is what is used of what `bootllama bench --json` prints.
type result struct {
	Threads int     `json:"threads"`
	SIMD    string  `json:"simd"`
	Prefill speed   `json:"prefill"`
	Decode  speed   `json:"decode"`
	Share   float64 `json:"share"` // of the memory's read bandwidth that decoding uses
}

// speed is a result's prefill or decode.
type speed struct {
	Tokens int     `json:"tokens"`
	Median float64 `json:"median"` // tokens per second
	GBs    float64 `json:"gb_s"`
}

// parseResult finds the result in what bench printed.
func parseResult(stdout []byte) (result, error) {
	var r result
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

// median is the middle of values, or the mean of the two in the middle; 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ratios are a[i]/b[i]: of what was measured in the same round, since a shared machine's speed drifts between rounds.
func ratios(a, b []float64) []float64 {
	list := make([]float64, min(len(a), len(b)))
	for i := range list {
		list[i] = a[i] / b[i]
	}
	return list
}
