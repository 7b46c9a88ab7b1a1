//go:build !linux

package cputime

import (
	"errors"
	"time"
)

// Of is not written for this system.
func Of(func()) (time.Duration, error) { return 0, errors.ErrUnsupported }

// Self is not written for this system.
func Self() (time.Duration, error) { return 0, errors.ErrUnsupported }

// QEMU is not written for this system.
func QEMU(string) (time.Duration, error) { return 0, errors.ErrUnsupported }
