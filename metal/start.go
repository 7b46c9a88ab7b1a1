//go:build linux && amd64

package metal

import "unsafe"

var loadedImage uintptr // *efiLoadedImage

// start turns a firmware application into a machine that a Go program can run on.
// It returns into resume, which enters the Go runtime's first instruction.
func startKernel() {
	c := getCore()
	cores[0] = address(c)
	initConsole()
	if r := firmware(bootServices().setWatchdogTimer, 0, 0, 0, 0); r != efiSuccess && r != efiUnsupported {
		warn("SetWatchdogTimer: the firmware may reset the machine after five minutes", r)
	}
	if loadedImage = handleProtocol(imageHandle, &loadedImageGUID); loadedImage == 0 {
		fail("this program has no EFI_LOADED_IMAGE_PROTOCOL", efiUnsupported)
	}
	initCPU(c)
	initMemory()
	initPaging(c)
	initTraps(c)
	initVectors(c)
	enterKernelWorld(c)
	worldEntered = true // from here on callFirmware changes worlds for each call
	initClock()
	initRandom()
	initFiles()
	initSyscall(c)
	initFirstThread()
	startCores()
}

// On reports whether the program runs on the bare machine; the same program under an
// operating system sees false.
func On() bool { return systemTableAddress != 0 }

const (
	processStackSize = 256 << 10 // runtime.rt0_go takes 64 KiB of it for g0
	maxArguments     = 256
	argumentSpace    = 32 << 10

	// The ELF auxiliary vector (elf.h). Without AT_SYSINFO_EHDR there is no vDSO:
	// the runtime then makes real system calls for the time.
	atNull   = 0
	atPageSz = 6
	atSecure = 23
	atRandom = 25
)

// process is the stack that Linux gives a new program: arguments, environment and
// auxiliary vector, with the strings above them.
type initialStack struct{ word, text, textEnd uintptr }

func (p *initialStack) push(v uint64) {
	*at[uint64](p.word) = v
	p.word += 8
}

// initProcess makes thread 1 and its stack.
func initFirstThread() {
	stack := freeAddresses(processStackSize)
	if stack == 0 || !reserve(stack, stack+processStackSize) || !mapZeroed(stack, processStackSize) {
		fail("no room for the program's stack", efiOutOfResources)
	}
	top := stack + processStackSize
	random := top - 16
	*at[uint64](random), *at[uint64](random + 8) = seed(), seed()
	p := initialStack{textEnd: random, text: random - argumentSpace}
	p.word = p.text - (maxArguments+16)*8
	sp := p.word
	count := p.word
	p.push(0)
	*at[uint64](count) = p.arguments()
	p.push(0)
	// A tight loop without calls cannot be interrupted, as no timer interrupt is
	// enabled: asynchronous preemption would only send signals that never arrive. And
	// the runtime makes a table of 1.4 MiB for the stacks of profiles before the first
	// instruction of main, in programs without profiles, too (Go 1.26: schedinit's
	// mProfStackInit allocates, and that is sampled), unless their depth is 0.
	p.push(p.string("GODEBUG=asyncpreemptoff=1,profstackdepth=0"))
	p.push(p.memoryLimit())
	p.push(0)
	p.push(atPageSz)
	p.push(pageSize)
	p.push(atSecure)
	p.push(0)
	p.push(atRandom)
	p.push(uint64(random))
	p.push(atNull)
	p.push(0)

	t := &threads[0]
	t.id, t.state, t.deadline, threadCount = 1, stateRunning, never, 1
	t.begin(runtimeEntry(), sp)
	bootCore.thread = address(t)
}

// string puts a zero-terminated string above the vectors.
func (p *initialStack) string(s string) uint64 {
	start := p.text
	for i := 0; i < len(s); i++ {
		p.byte(s[i])
	}
	p.byte(0)
	return uint64(start)
}

func (p *initialStack) byte(b byte) {
	if p.text == p.textEnd {
		fail("the arguments are too long", efiInvalidParameter)
	}
	*at[byte](p.text) = b
	p.text++
}

// utf16 puts a UTF-16 string there as UTF-8.
func (p *initialStack) utf16(s uintptr) uint64 {
	start := p.text
	var d utf16Decoder
	for ; *at[uint16](s) != 0; s += 2 {
		n := d.decode(*at[uint16](s))
		for i := range n {
			p.byte(d.utf8[i])
		}
	}
	p.byte(0)
	return uint64(start)
}

// arguments pushes the program's arguments: as the UEFI shell took them apart, or
// else, for a boot option with optional data or another loader, the words of the load
// options; none, and the program's name alone.
func (p *initialStack) arguments() (n uint64) {
	if shell := handleProtocol(imageHandle, &shellParametersGUID); shell != 0 {
		s := at[efiShellParameters](shell)
		for ; n < maxArguments && n < uint64(s.argc); n++ {
			p.push(p.utf16(*at[uintptr](s.argv + uintptr(n)*8)))
		}
	} else {
		n = p.loadOptions()
	}
	if n == 0 {
		p.push(p.string("efi"))
		n = 1
	}
	return n
}

// loadOptions splits the image's load options at blanks. They may be anything, binary
// data too: only UTF-16 text without control characters counts.
func (p *initialStack) loadOptions() (n uint64) {
	image := at[efiLoadedImage](loadedImage)
	size := uintptr(image.loadOptionsSize)
	if image.loadOptions == 0 || size%2 != 0 || size > argumentSpace/2 {
		return 0
	}
	end := image.loadOptions
	for ; end < image.loadOptions+size && *at[uint16](end) != 0; end += 2 {
		if u := *at[uint16](end); u < ' ' || u >= 0xD800 {
			return 0
		}
	}
	inWord := false
	var d utf16Decoder
	for s := image.loadOptions; s < end && n <= maxArguments; s += 2 {
		u := *at[uint16](s)
		if u == ' ' {
			if inWord {
				p.byte(0)
			}
			inWord = false
			continue
		}
		if !inWord {
			p.push(uint64(p.text))
			n++
			inWord = true
		}
		for i := range d.decode(u) {
			p.byte(d.utf8[i])
		}
	}
	if inWord {
		p.byte(0)
	}
	return n
}

// memoryLimit tells the garbage collector how much memory there is: close to nine
// tenths of it, it collects harder instead of asking for more.
func (p *initialStack) memoryLimit() uint64 {
	start := p.string("GOMEMLIMIT=")
	p.text-- // over the zero
	v := uint64(memoryUse.Taken) / 10 * 9
	divisor := uint64(1)
	for v/divisor >= 10 {
		divisor *= 10
	}
	for ; divisor > 0; divisor /= 10 {
		p.byte(byte('0' + v/divisor%10))
	}
	p.byte(0)
	return start
}

func stringAddress(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
