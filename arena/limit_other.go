//go:build !linux && !windows && !darwin

package arena

import "math"

// Limit returns the most memory, in bytes, that this process can get: unknown here.
func Limit() int64 { return math.MaxInt64 }
