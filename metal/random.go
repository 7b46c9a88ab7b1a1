//go:build linux && amd64

package metal

var (
	useHardwareRandom bool
	rngProtocol       uintptr // *efiRNG
	randomBytes       [32]byte
)

// initRandom finds the sources of random numbers: the processor's instruction, and the
// firmware's EFI_RNG_PROTOCOL for when that fails.
func initRandom() {
	useHardwareRandom = hasHardwareRandom()
	if _, ok := randomWord(); useHardwareRandom && !ok {
		useHardwareRandom = false // some processors announce it, and it always fails after sleep
	}
	if found, status := locateProtocol(&rngGUID); status == efiSuccess {
		rngProtocol = found
	}
}

// randomWord tries the processor's instruction up to ten times, as Intel's guide for
// RDRAND advises.
func randomWord() (value uint64, ok bool) {
	for try := 0; useHardwareRandom && try < 10 && !ok; try++ {
		value, ok = hardwareRandom()
	}
	return value, ok
}

// getrandom fills a buffer with random numbers that are good enough for keys. If the
// machine has no source of such numbers, it fails.
func getrandom(p, n uintptr) uint64 {
	for done := uintptr(0); done < n; {
		chunk := min(n-done, 8)
		value, ok := randomWord()
		if !ok {
			if rngProtocol == 0 || firmware(at[efiRNG](rngProtocol).getRNG, rngProtocol, 0, uintptr(len(randomBytes)), address(&randomBytes)) != efiSuccess {
				return errno(enosys)
			}
			value = *at[uint64](address(&randomBytes))
		}
		move(p+done, address(&value), chunk)
		done += chunk
	}
	return uint64(n)
}

// seed returns a word for the runtime's hash functions and math/rand, which need
// different values but not secret ones: without a source of random numbers, it is made of
// the counter's variations.
func seed() uint64 {
	var value uint64
	if getrandom(address(&value), 8) == 8 && value != 0 {
		return value
	}
	for range 64 {
		value = (value ^ counter()) * 0x9E3779B97F4A7C15
		value ^= value >> 29
	}
	return value | 1
}
