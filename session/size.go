package session

import "fmt"

// Size is the size of a file for a person, in decimal units as on a box of disks.
func Size(bytes int64) string {
	switch v := float64(bytes); {
	case v >= 999.5e6:
		return fmt.Sprintf("%.1f GB", v/1e9)
	case v >= 999.5e3:
		return fmt.Sprintf("%.0f MB", v/1e6)
	case v >= 999.5:
		return fmt.Sprintf("%.0f KB", v/1e3)
	default:
		return fmt.Sprintf("%d B", bytes)
	}
}

// Memory is an amount of memory in MiB, or GiB, rounded up.
func Memory(bytes int64) string {
	if mib := (bytes + 1<<20 - 1) >> 20; mib < 10000 {
		return fmt.Sprintf("%d MiB", mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}
