//go:build linux && amd64

package metal

var (
	useHardwareRandom bool
	rngProtocol       uintptr // *efiRNG
	randomBytes       [32]byte
	lastRandom        uint64 // the last word of a source that was accepted
)

// initRandom finds the sources of random numbers: the processor's instruction, and the
// firmware's EFI_RNG_PROTOCOL for when that fails.
func initRandom() {
	useHardwareRandom = hasHardwareRandom()
	if found, status := locateProtocol(&rngGUID); status == efiSuccess {
		rngProtocol = found
	}
}

// acceptRandom says whether a word may come from a source that works. Some AMD processors
// (families 15h to 17h), once they have slept, return all ones from RDRAND, and say that it
// succeeded (systemd issue 11810). A source that works returns all ones, all zeroes or the
// same word twice once in 2^62 times, and is then asked again.
func acceptRandom(value uint64) bool {
	if value == 0 || value == ^uint64(0) || value == lastRandom {
		return false
	}
	lastRandom = value
	return true
}

// randomWord tries the processor's instruction up to ten times, as Intel's guide for
// RDRAND advises, then the firmware. It fails if neither gives a word that is accepted.
func randomWord() (value uint64, ok bool) {
	for try := 0; useHardwareRandom && try < 10; try++ {
		if value, ok = hardwareRandom(); ok && acceptRandom(value) {
			return value, true
		}
	}
	if rngProtocol == 0 || firmware(at[efiRNG](rngProtocol).getRNG, rngProtocol, 0, uintptr(len(randomBytes)), address(&randomBytes)) != efiSuccess {
		return 0, false
	}
	value = *at[uint64](address(&randomBytes))
	return value, acceptRandom(value)
}

// getrandom fills a buffer with random numbers that are good enough for keys. If the
// machine has no source of such numbers, it fails.
func getrandom(p, n uintptr) uint64 {
	for done := uintptr(0); done < n; {
		chunk := min(n-done, 8)
		value, ok := randomWord()
		if !ok {
			return errno(enosys)
		}
		move(p+done, address(&value), chunk)
		done += chunk
	}
	return uint64(n)
}

// seed returns a word for the runtime's hash functions and math/rand, which need
// different values but not secret ones (AT_RANDOM): without a source of random numbers, it
// is made of the counter's variations. Nobody should take such a number for a secret; nor
// can a program, since all that Go offers for secrets asks getrandom, which then fails.
func seed() uint64 {
	value, ok := randomWord()
	if ok {
		return value
	}
	for range 64 {
		value = (value ^ counter()) * 0x9E3779B97F4A7C15
		value ^= value >> 29
	}
	return value | 1
}
