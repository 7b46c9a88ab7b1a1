//go:build linux && amd64

package metal

import "unsafe"

var loadedImage uintptr // *efiLoadedImage

// startKernel prepares the machine for the Go program: entry calls it, with the firmware's
// state in the processor, and after it resume, which jumps to the Go runtime's first
// instruction.
func startKernel() {
	c := getCore()
	cores[0] = address(c)
	findDebugChannels()
	initConsole()
	initInput()
	stopWatchdog()
	if loadedImage = handleProtocol(imageHandle, &loadedImageGUID); loadedImage == 0 {
		fail("this program has no EFI_LOADED_IMAGE_PROTOCOL", efiUnsupported)
	}
	initCPU(c)
	initMemory()
	initPaging(c)
	if !hasRoomForSelector(c.codeSelector) {
		fail("the firmware's code segment has a selector that this kernel has no room for", efiUnsupported)
	}
	initTraps(c)
	enterKernelWorld(c)
	worldEntered = true // from here on callFirmware changes to the firmware's world and back
	initClock()
	initRandom()
	initFiles()
	initFirstThread()
	startCores()
}

// stopWatchdog stops the timer with which the firmware resets a machine whose boot hangs (7.5).
func stopWatchdog() {
	if r := firmware(bootServices().setWatchdogTimer, 0, 0, 0, 0); r != efiSuccess && r != efiUnsupported {
		warn("SetWatchdogTimer: the firmware may reset the machine after five minutes", r)
	}
}

// On reports whether the program runs on the bare machine; it is false when the same
// program runs under an operating system.
func On() bool { return systemTableAddress != 0 }

const (
	processStackSize = 256 << 10 // runtime.rt0_go takes 64 KiB of it for g0

	// The ELF auxiliary vector (elf.h). Without AT_SYSINFO_EHDR there is no vDSO:
	// the runtime then makes real system calls for the time.
	atNull   = 0
	atPageSz = 6
	atSecure = 23
	atRandom = 25
)

// initialStack builds what Linux puts on the stack of a new program: arguments,
// environment and auxiliary vector, with the strings above them. word is where the next
// word of the vectors goes, text where the next byte of the strings goes.
type initialStack struct{ word, text, textEnd uintptr }

func (p *initialStack) push(v uint64) {
	*at[uint64](p.word) = v
	p.word += 8
}

// initFirstThread makes thread 1 and its stack.
func initFirstThread() {
	stack := freeAddresses(processStackSize)
	if stack == 0 || !reserve(stack, stack+processStackSize) || !mapZeroed(stack, processStackSize) {
		fail("no room for the program's stack", efiOutOfResources)
	}
	sp := buildStack(stack + processStackSize)
	if !initThreads() {
		fail("no room for a table of threads", efiOutOfResources)
	}
	t := newThread() // the first one
	t.state = stateRunning
	t.begin(runtimeEntry(), sp)
	bootCore.thread = address(t)
}

// buildStack makes the stack that ends at top, and returns the program's stack pointer.
func buildStack(top uintptr) (sp uintptr) {
	random := top - 16
	*at[uint64](random), *at[uint64](random + 8) = seed(), seed()
	p := initialStack{textEnd: random, text: random - argumentSpace}
	p.word = p.text - (maxArguments+16)*8
	sp = p.word
	p.push(0)
	*at[uint64](sp) = p.arguments()
	p.push(0)
	// asyncpreemptoff: without a timer interrupt a loop that makes no calls cannot be
	// interrupted, and the signals of asynchronous preemption would never arrive.
	// profstackdepth: if it is not 0, the runtime makes a table of 1.4 MiB for the stacks
	// of profiles before main begins, in programs without profiles, too (Go 1.26:
	// schedinit's mProfStackInit allocates, and that is sampled).
	p.push(p.string("GODEBUG=asyncpreemptoff=1,profstackdepth=0"))
	p.push(p.memoryLimit())
	p.push(p.string("TERM=xterm-256color")) // what package vt understands
	p.push(0)
	p.push(atPageSz)
	p.push(pageSize)
	p.push(atSecure)
	p.push(0)
	p.push(atRandom)
	p.push(uint64(random))
	p.push(atNull)
	p.push(0)
	return sp
}

// string stores a string with a zero at its end above the vectors and returns its address.
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

// utf16 stores a UTF-16 string there, as UTF-8.
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

// memoryLimit stores a GOMEMLIMIT of nine tenths of the memory: close to it, the garbage
// collector works more often instead of asking for more memory.
func (p *initialStack) memoryLimit() uint64 {
	start := p.string("GOMEMLIMIT=")
	p.text-- // the digits follow, in place of the zero
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
