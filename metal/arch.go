//go:build linux && amd64

package metal

// What the kernel needs of an architecture. These functions are in its assembly; in Go
// (files that end in _amd64) are
//
//	registers     of a thread, with callNumber, arguments, result, sixthArgument, setResult, setStackPointer, setTLS, begin; archPrctl
//	processor     of a core; initCPU, initTraps, enterKernelWorld, changed, restoreCPU
//	page tables   tableEntry, textEntry, constantEntry, dataEntry, writeCombiningEntry, physicalLimit, isLarge, entryAddress, hasHugePages, usePageTables
//	signals       deliver, sigreturn
//	other cores   startCores, awaitReturn, returnCore, sendWake, reach, reachPending
//	the machine   counterRate, hasHardwareRandom, findDebugChannels, hasDebugChannel, debugWrite
//	the end       printCrash
//	Linux         numbers of system calls, oDirectory, stat, epollEvent
//	for tests     Registers, FirmwareRegisters

// entry is the first instruction of the program: the firmware calls it, and it calls
// startKernel.
func entry()

// runtimeEntry returns the address of the Go runtime's first instruction.
func runtimeEntry() uintptr

// getCore returns the core that this runs on.
func getCore() *core

// callFirmware calls a firmware function in the firmware's world.
func callFirmware(fn uintptr, args *[10]uintptr) (status uintptr)

// leaveTo returns from entry, or on another processor from where the firmware called it.
func leaveTo(c *core, status uintptr)

// counter reads a counter that all processors share and that runs at a fixed rate.
func counter() uint64

// hardwareRandom reads a random word from the processor; it fails now and then.
func hardwareRandom() (value uint64, ok bool)

// pause is for loops that wait for another core.
func pause()

// halt stops the core until an interrupt; there is none where it is used.
func halt()

// haltUntilInterrupt stops the core until sendWake, also if that came just before.
func haltUntilInterrupt()

// swap exchanges a word; it is a full memory barrier.
func swap(p *uint64, value uint64) (old uint64)

// store writes a word after all that this core has written before.
func store(p *uint64, value uint64)

// advance raises *p to a value, unless it is that or more already, and returns what it
// is then.
func advance(p *int64, to int64) (latest int64)

// zero clears n bytes at p.
func zero(p, n uintptr)

// move copies n bytes; the ranges do not overlap.
func move(to, from, n uintptr)
