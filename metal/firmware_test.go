//go:build linux && amd64

package metal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tests on the host call the kernel's functions with a firmware, or with processors, that are functions of the test: a jump is
// written over the first instruction of what calls the real ones.

// testFirmware are the tables of a firmware. The address of a service is its number in services.
type testFirmware struct {
	table     efiSystemTable
	boot      efiBootServices
	runtime   efiRuntimeServices
	services  []func(args ...uintptr) uintptr
	protocols map[uintptr]map[guid]uintptr // interfaces, by handle
	pools     [][]uintptr                  // what is allocated
	said      string                       // what the kernel writes
	log       []string                     // what services have noted
	t         *testing.T
}

// newFirmware makes a firmware that has handles with protocols, and a kernel whose console is the test's.
func newFirmware(t *testing.T) *testFirmware {
	f := newServices(t)
	replace(t, consoleWrite, func(stream int, p, n uintptr) {
		if stream != stderr {
			t.Errorf("the kernel writes to %d", stream)
		}
		f.said += string(unsafe.Slice(at[byte](p), n))
	})
	return f
}

// newServices makes a firmware that has handles with protocols.
func newServices(t *testing.T) *testFirmware {
	f := &testFirmware{t: t, protocols: map[uintptr]map[guid]uintptr{}}
	f.table.bootServices, f.table.runtimeServices = address(&f.boot), address(&f.runtime)
	f.boot.openProtocol = f.service(func(a ...uintptr) uintptr {
		const getProtocol = 2 // EFI_OPEN_PROTOCOL_GET_PROTOCOL (7.3.9)
		if len(a) != 6 || a[2] != address(&firmwareResult) || a[3] != imageHandle || a[4] != 0 || a[5] != getProtocol {
			t.Errorf("OpenProtocol%#x", a)
		}
		p, ok := f.protocols[a[0]][*at[guid](a[1])]
		if !ok {
			return efiUnsupported
		}
		firmwareResult = p
		return efiSuccess
	})
	f.boot.locateHandleBuffer = f.service(func(a ...uintptr) uintptr {
		if len(a) != 5 || a[0] != efiByProtocol || a[2] != 0 {
			t.Errorf("LocateHandleBuffer%#x", a)
		}
		found := f.with(*at[guid](a[1]))
		if len(found) == 0 {
			return efiNotFound
		}
		*at[uintptr](a[3]), *at[uintptr](a[4]) = uintptr(len(found)), f.pool(found)
		return efiSuccess
	})
	f.boot.locateHandle = f.service(f.locateHandle)
	f.boot.locateProtocol = f.service(f.locateProtocol)
	f.boot.freePool = f.service(func(a ...uintptr) uintptr {
		before := len(f.pools)
		f.pools = slices.DeleteFunc(f.pools, func(p []uintptr) bool { return address(&p[0]) == a[0] })
		if len(f.pools) != before-1 {
			t.Errorf("FreePool(%#x), which is not allocated", a)
		}
		return efiSuccess
	})
	set(t, &systemTableAddress, address(&f.table))
	set(t, &imageHandle, 0x1A6E)
	replace(t, firmware, func(fn uintptr, args ...uintptr) uintptr {
		if fn == 0 || fn > uintptr(len(f.services)) {
			t.Fatalf("the firmware has no function at %#x; arguments %#x", fn, args)
		}
		return f.services[fn-1](args...)
	})
	t.Cleanup(func() {
		if len(f.pools) != 0 {
			t.Errorf("%d pools are allocated in the end", len(f.pools))
		}
	})
	return f
}

// with returns the handles that have a protocol, in order.
func (f *testFirmware) with(id guid) (handles []uintptr) {
	for handle, protocols := range f.protocols {
		if _, ok := protocols[id]; ok {
			handles = append(handles, handle)
		}
	}
	slices.Sort(handles)
	return handles
}

// locateHandle is EFI_BOOT_SERVICES.LocateHandle (7.3.15) by a protocol.
func (f *testFirmware) locateHandle(a ...uintptr) uintptr {
	if a[0] != efiByProtocol || a[2] != 0 {
		f.t.Errorf("LocateHandle%#x", a)
	}
	found := f.with(*at[guid](a[1]))
	n, room := uintptr(len(found)), *at[uintptr](a[3])/8
	*at[uintptr](a[3]) = n * 8
	for i, handle := range found[:min(n, room)] {
		*at[uintptr](a[4] + uintptr(i)*8) = handle
	}
	switch {
	case n == 0:
		return efiNotFound
	case n > room:
		return efiBufferTooSmall
	}
	return efiSuccess
}

// locateProtocol is EFI_BOOT_SERVICES.LocateProtocol (7.3.16).
func (f *testFirmware) locateProtocol(a ...uintptr) uintptr {
	found := f.with(*at[guid](a[0]))
	if len(found) == 0 {
		*at[uintptr](a[2]) = 0
		return efiNotFound
	}
	*at[uintptr](a[2]) = f.protocols[found[0]][*at[guid](a[0])]
	return efiSuccess
}

// note notes what a service was asked.
func (f *testFirmware) note(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

// wantLog compares what services have noted, and forgets it.
func (f *testFirmware) wantLog(what string, want ...string) {
	f.t.Helper()
	if !slices.Equal(f.log, want) {
		f.t.Errorf("%s: the firmware's services got\n%q, want\n%q", what, f.log, want)
	}
	f.log = nil
}

// service adds a function and returns its address.
func (f *testFirmware) service(do func(args ...uintptr) uintptr) uintptr {
	f.services = append(f.services, do)
	return uintptr(len(f.services))
}

// pool allocates words that the program has to free.
func (f *testFirmware) pool(words []uintptr) uintptr {
	f.pools = append(f.pools, words)
	return address(&words[0])
}

// install puts a protocol on a handle.
func (f *testFirmware) install(handle uintptr, id guid, protocol uintptr) {
	if f.protocols[handle] == nil {
		f.protocols[handle] = map[guid]uintptr{}
	}
	f.protocols[handle][id] = protocol
}

// set gives a variable of the kernel a value, until the test ends.
func set[T any](t *testing.T, variable *T, value T) {
	before := *variable
	*variable = value
	t.Cleanup(func() { *variable = before })
}

// fixed returns p, which points to something that has one address until the test ends.
func fixed[T any](t *testing.T, p *T) *T {
	t.Cleanup(func() { runtime.KeepAlive(p) })
	return p
}

// giveMemory gives the kernel n pages, which are not zero, and a level 4 table, until the test ends.
func giveMemory(t *testing.T, n int) {
	memory := bytes.Repeat([]byte{0xFF}, (n+2)*pageSize)
	base := (address(fixed(t, &memory[0])) + pageSize - 1) &^ (pageSize - 1)
	set(t, &regions[0], region{base: base, size: uintptr(n+1) * pageSize, low: base, high: base + uintptr(n+1)*pageSize})
	set(t, &regionCount, 1)
	set(t, &memoryUse, Memory{})
	set(t, &rootTable, allocPages(1))
	memoryUse.Used = 0
}

// replace makes calls of a function calls of another one, until the test ends. The compiler must not have inlined it.
func replace[F any](t *testing.T, function, with F) {
	t.Helper()
	patch(t, codeOf(function), jumpTo(t, with))
}

// replaceAssembly is replace for a function in assembly that has three words of arguments or less, and no result. They are on
// the stack, where a function in Go has room for those that it gets in registers (Go internal ABI specification).
func replaceAssembly[F any](t *testing.T, function, with F) {
	t.Helper()
	const load = "\x48\x8B\x44\x24\x08\x48\x8B\x5C\x24\x10\x48\x8B\x4C\x24\x18" // MOVQ 8(SP), AX; MOVQ 16(SP), BX; MOVQ 24(SP), CX
	patch(t, assemblyOf(function), append([]byte(load), jumpTo(t, with)...))
}

// replaceResult makes a function in assembly without arguments return words, and counts its calls.
func replaceResult[F any](t *testing.T, function F, words ...uint64) (calls *int) {
	t.Helper()
	calls = fixed(t, new(int))
	code := binary.LittleEndian.AppendUint64([]byte("\x48\xB8"), uint64(address(calls))) // MOVQ calls, AX
	code = append(code, "\x48\xFF\x00"...)                                               // INCQ (AX)
	for i, w := range words {
		code = binary.LittleEndian.AppendUint64(append(code, "\x48\xB8"...), w) // MOVQ w, AX
		code = append(code, 0x48, 0x89, 0x44, 0x24, byte(8+8*i))                // MOVQ AX, 8+8*i(SP)
	}
	patch(t, assemblyOf(function), append(code, 0xC3)) // RET
	return calls
}

// replaceCounter makes the counter count how often it is read.
func replaceCounter(t *testing.T) (read *int) {
	t.Helper()
	read = fixed(t, new(int))
	code := binary.LittleEndian.AppendUint64([]byte("\x48\xB8"), uint64(address(read))) // MOVQ read, AX
	code = append(code, "\x48\xFF\x00\x48\x8B\x00\x48\x89\x44\x24\x08\xC3"...)          // INCQ (AX); MOVQ (AX), AX; MOVQ AX, 8(SP); RET
	patch(t, assemblyOf(counter), code)
	return read
}

// replacePorts makes inb read bytes from ports, and 0xFF from all others.
func replacePorts(t *testing.T, ports map[uint16]byte) {
	t.Helper()
	table := bytes.Repeat([]byte{0xFF}, 1<<16)
	for port, b := range ports {
		table[port] = b
	}
	code := binary.LittleEndian.AppendUint64([]byte("\x0F\xB7\x44\x24\x08\x48\xB9"), uint64(address(fixed(t, &table[0])))) // MOVWLZX 8(SP), AX; MOVQ table, CX
	code = append(code, "\x8A\x04\x01\x88\x44\x24\x10\xC3"...)                                                             // MOVB (CX)(AX*1), AX; MOVB AX, 16(SP); RET
	patch(t, assemblyOf(inb), code)
}

// replaceFirmware makes callFirmware return a status, and stores inFirmware and its arguments at a call.
func replaceFirmware(t *testing.T, status uint64) (called *[3]uintptr) {
	t.Helper()
	called = fixed(t, new([3]uintptr))
	var code []byte
	store := func(load string, to *uintptr) {
		code = binary.LittleEndian.AppendUint64(append(code, load+"\x48\xA3"...), uint64(address(to))) // load AX; MOVQ AX, to
	}
	store(string(binary.LittleEndian.AppendUint64([]byte("\x48\xA1"), uint64(address(&inFirmware)))), &called[0]) // MOVQ inFirmware, AX
	store("\x48\x8B\x44\x24\x08", &called[1])                                                                     // MOVQ 8(SP), AX
	store("\x48\x8B\x44\x24\x10", &called[2])                                                                     // MOVQ 16(SP), AX
	code = binary.LittleEndian.AppendUint64(append(code, "\x48\xB8"...), status)                                  // MOVQ status, AX
	patch(t, assemblyOf(callFirmware), append(code, "\x48\x89\x44\x24\x18\xC3"...))                               // MOVQ AX, 24(SP); RET
	return called
}

// codeOf is where the first instruction of a function is.
func codeOf[F any](function F) uintptr { return *at[uintptr](*at[uintptr](address(&function))) }

// jumpTo is code that jumps to a function, with DX as a call of a value has it.
func jumpTo[F any](t *testing.T, function F) []byte {
	t.Cleanup(func() { runtime.KeepAlive(function) })
	code := binary.LittleEndian.AppendUint64([]byte("\x48\xBA"), uint64(*at[uintptr](address(&function)))) // MOVQ function, DX
	return append(code, "\xFF\x22"...)                                                                     // JMP (DX)
}

// patch makes the instructions at an address jump to code, until the test ends. A function has 32 bytes at least.
func patch(t *testing.T, start uintptr, code []byte) {
	t.Helper()
	const all = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC
	page, err := unix.Mmap(-1, 0, pageSize, all, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	copy(page, code)
	jump := binary.LittleEndian.AppendUint64([]byte("\x49\xBC"), uint64(address(&page[0]))) // MOVQ page, R12
	jump = append(jump, "\x41\xFF\xE4"...)                                                  // JMP R12
	if err := unix.Mprotect(unsafe.Slice(at[byte](start&^(pageSize-1)), 2*pageSize), all); err != nil {
		t.Fatal(err)
	}
	there := unsafe.Slice(at[byte](start), len(jump))
	whole := bytes.Clone(there)
	copy(there, jump)
	t.Cleanup(func() {
		copy(there, whole)
		unix.Munmap(page)
	})
}
