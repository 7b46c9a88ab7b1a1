//go:build linux && amd64

package metal

import (
	"fmt"
	"slices"
	"testing"
)

// fakeFirmware is firmware whose services are functions of a test. A call of one that the test has not is an error.
type fakeFirmware struct {
	t         *testing.T
	services  []func(a *[10]uintptr) uintptr // by address, from firstService on
	log       []string                       // what services have noted
	protocols map[uintptr]map[guid]uintptr   // interfaces by handle
	handles   []uintptr                      // in the order of LocateHandle

	system  efiSystemTable
	boot    efiBootServices
	runtime efiRuntimeServices
}

const firstService = 0x1000

// newFirmware gives a test firmware that has handles with protocols, and nothing else.
func newFirmware(t *testing.T) *fakeFirmware {
	f := &fakeFirmware{t: t, protocols: map[uintptr]map[guid]uintptr{}}
	f.system.bootServices, f.system.runtimeServices = address(&f.boot), address(&f.runtime)
	f.boot.openProtocol = f.service(f.openProtocol)
	f.boot.locateHandle = f.service(f.locateHandle)
	f.boot.locateProtocol = f.service(f.locateProtocol)
	systemTableAddress, callService, imageHandle = address(&f.system), f.call, 0x1D
	t.Cleanup(func() { systemTableAddress, callService, imageHandle = 0, callFirmware, 0 })
	return f
}

// service gives a function an address.
func (f *fakeFirmware) service(fn func(a *[10]uintptr) uintptr) uintptr {
	f.services = append(f.services, fn)
	return firstService + uintptr(len(f.services)-1)
}

func (f *fakeFirmware) call(fn uintptr, args *[10]uintptr) uintptr {
	if i := int(fn) - firstService; i >= 0 && i < len(f.services) {
		return f.services[i](args)
	}
	f.t.Errorf("a call of %#x, which is no service", fn)
	return efiUnsupported
}

func (f *fakeFirmware) note(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

// wantLog compares what services have noted, and forgets it.
func (f *fakeFirmware) wantLog(what string, want ...string) {
	f.t.Helper()
	if !slices.Equal(f.log, want) {
		f.t.Errorf("%s: the firmware's services got\n%q, want\n%q", what, f.log, want)
	}
	f.log = nil
}

// install puts a protocol on a handle.
func (f *fakeFirmware) install(handle uintptr, id guid, protocol uintptr) {
	if f.protocols[handle] == nil {
		f.protocols[handle] = map[guid]uintptr{}
		f.handles = append(f.handles, handle)
	}
	f.protocols[handle][id] = protocol
}

// openProtocol is EFI_BOOT_SERVICES.OpenProtocol (7.3.9), of which the kernel uses GET_PROTOCOL only.
func (f *fakeFirmware) openProtocol(a *[10]uintptr) uintptr {
	const getProtocol = 2
	if a[3] != imageHandle || a[4] != 0 || a[5] != getProtocol {
		f.t.Errorf("OpenProtocol for the agent %#x and the controller %#x, with the attributes %#x", a[3], a[4], a[5])
	}
	found, ok := f.protocols[a[0]][*at[guid](a[1])]
	if !ok {
		*at[uintptr](a[2]) = 0
		return efiUnsupported
	}
	*at[uintptr](a[2]) = found
	return efiSuccess
}

// locateHandle is EFI_BOOT_SERVICES.LocateHandle (7.3.15) by a protocol.
func (f *fakeFirmware) locateHandle(a *[10]uintptr) uintptr {
	const byProtocol = 2
	if a[0] != byProtocol || a[2] != 0 {
		f.t.Errorf("LocateHandle of the type %d with the key %#x", a[0], a[2])
	}
	n := uintptr(0)
	for _, handle := range f.handles {
		if _, ok := f.protocols[handle][*at[guid](a[1])]; ok {
			if n++; n*8 <= *at[uintptr](a[3]) {
				*at[uintptr](a[4] + (n-1)*8) = handle
			}
		}
	}
	room := *at[uintptr](a[3])
	*at[uintptr](a[3]) = n * 8
	switch {
	case n == 0:
		return efiNotFound
	case n*8 > room:
		return efiBufferTooSmall
	}
	return efiSuccess
}

// locateProtocol is EFI_BOOT_SERVICES.LocateProtocol (7.3.16).
func (f *fakeFirmware) locateProtocol(a *[10]uintptr) uintptr {
	for _, handle := range f.handles {
		if found, ok := f.protocols[handle][*at[guid](a[0])]; ok {
			*at[uintptr](a[2]) = found
			return efiSuccess
		}
	}
	*at[uintptr](a[2]) = 0
	return efiNotFound
}

// kept is what tests have given the kernel by its address: neither collected, nor on a stack, which may move.
var kept []any

func keep[T any](p *T) *T {
	kept = append(kept, p)
	return p
}
