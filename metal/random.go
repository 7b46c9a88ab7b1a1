//go:build linux && amd64

package metal

var (
	useHardwareRandom bool
	rngProtocol       uintptr // *efiRNG
	randomBytes       [32]byte
)

// initRandom finds a source of random numbers: RDRAND, else the firmware's
// EFI_RNG_PROTOCOL.
func initRandom() {
	useHardwareRandom = hasHardwareRandom()
	if _, ok := randomWord(); useHardwareRandom && !ok {
		useHardwareRandom = false // announced but dead: some processors after sleep
	}
	if found, status := locateProtocol(&rngGUID); status == efiSuccess {
		rngProtocol = found
	}
}

// randomWord asks RDRAND up to ten times, as Intel's guide advises.
func randomWord() (value uint64, ok bool) {
	for try := 0; useHardwareRandom && try < 10 && !ok; try++ {
		value, ok = hardwareRandom()
	}
	return value, ok
}

// getrandom fills a buffer with random numbers fit for keys. Where the machine has no
// source of them it fails rather than pretend.
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

// seed gives a word for the runtime's hash functions and math/rand, which need
// variety but not secrecy: without a true source, it comes from the clock's jitter.
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
