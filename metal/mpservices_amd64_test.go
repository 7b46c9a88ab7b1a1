//go:build linux

package metal

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// simulatedStart is a processor that executes what starts and ends other processors. The firmware is the test's.
type simulatedStart struct {
	*simulated
	did      []string
	services efiMPServices
	boot     efiBootServices
	system   efiSystemTable

	status map[uint64]uint64              // what the firmware's functions return, by address
	do     map[uint64]func(args []uint64) // what they do

	failsNext uint64 // a function that fails once
}

// Addresses of the firmware's functions.
const (
	theirGetNumber = 0x100 + iota
	theirGetInfo
	theirStartup
	theirLocate
	theirCreateEvent
	theirCheckEvent
	theirCloseEvent
	theirStall
)

var theirNames = map[uint64]string{theirGetNumber: "GetNumberOfProcessors", theirGetInfo: "GetProcessorInfo", theirStartup: "StartupAllAPs", theirLocate: "LocateProtocol",
	theirCreateEvent: "CreateEvent", theirCheckEvent: "CheckEvent", theirCloseEvent: "CloseEvent", theirStall: "Stall"}

const theirEvent = 0x77

// newStart makes one whose firmware has enabled as many processors as it says, of total.
func newStart(t *testing.T, total, enabled uintptr) *simulatedStart {
	needPlainCode(t)
	s := &simulatedStart{simulated: newSimulated(t, seeded(1)), status: map[uint64]uint64{}, do: map[uint64]func([]uint64){}}
	t.Cleanup(func() {
		ticksPerSecond = 0
		mpServices, mpEvent, processorCount, enabledCount, processorInfo = 0, 0, 0, 0, efiProcessorInformation{}
		coreCount, coreLimit, cores, systemTableAddress = 0, 0, [maxCores]uintptr{}, 0
	})
	mpEvent = 0
	s.services = efiMPServices{getNumberOfProcessors: theirGetNumber, getProcessorInfo: theirGetInfo, startupAllAPs: theirStartup}
	s.boot.createEvent, s.boot.checkEvent, s.boot.closeEvent, s.boot.stall = theirCreateEvent, theirCheckEvent, theirCloseEvent, theirStall
	s.boot.locateProtocol = theirLocate
	s.system.bootServices, systemTableAddress = address(&s.boot), address(&s.system)
	for _, p := range []*uintptr{&mpServices, &mpEvent, &processorCount, &enabledCount, &systemTableAddress} {
		lend(s.simulated, p)
	}
	lend(s.simulated, &processorInfo)
	lend(s.simulated, &coreCount)
	lend(s.simulated, &coreLimit)
	lend(s.simulated, &cores)
	lend(s.simulated, &s.services)
	lend(s.simulated, &s.boot)
	lend(s.simulated, &s.system)
	s.calls["firmware"] = func() {
		fn, args := s.reg[simAX], make([]uint64, s.reg[simCX])
		for i := range args {
			args[i] = s.load(s.reg[simBX]+uint64(8*i), 8)
		}
		s.did = append(s.did, theirNames[fn])
		if s.failsNext == fn {
			s.failsNext, s.reg[simAX] = 0, 1<<63|7
			return
		}
		if do := s.do[fn]; do != nil && s.status[fn] == 0 {
			do(args)
		}
		s.reg[simAX] = s.status[fn]
	}
	s.tick = 1e6
	ticksPerSecond, firstTick = 1e9, 0
	lend(s.simulated, &ticksPerSecond)
	lend(s.simulated, &firstTick)
	s.do[theirGetNumber] = func(args []uint64) {
		s.want("GetNumberOfProcessors", args, uint64(address(&s.services)), uint64(address(&processorCount)), uint64(address(&enabledCount)))
		processorCount, enabledCount = total, enabled
	}
	s.do[theirCreateEvent] = func(args []uint64) {
		s.want("CreateEvent", args, 0, 0, 0, 0, uint64(address(&mpEvent)))
		mpEvent = theirEvent
	}
	s.do[theirCloseEvent] = func(args []uint64) { s.want("CloseEvent", args, theirEvent) }
	s.do[theirCheckEvent] = func(args []uint64) { s.want("CheckEvent", args, theirEvent) }
	s.do[theirStall] = func(args []uint64) { s.want("Stall", args, 1000) }
	said := func(what string, p, n uint64) {
		text := strings.TrimPrefix(unsafe.String(at[byte](uintptr(p)), n), "metal: ")
		s.did = append(s.did, fmt.Sprintf("%s %.40q", what, text))
	}
	s.calls["warn"] = func() { said("warn", s.reg[simAX], s.reg[simBX]) }
	s.calls["consoleWrite"] = func() { said("say", s.reg[simBX], s.reg[simCX]) }
	s.calls["sendCommand"] = func() { s.did = append(s.did, fmt.Sprintf("command %#x to %d", s.reg[simBX], s.reg[simAX])) }
	return s
}

func (s *simulatedStart) want(name string, got []uint64, want ...uint64) {
	s.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s%x, want %x", name, got, want)
	}
}

// TestStartCores: what the firmware is asked for so that its other processors come, and what is done where it fails.
func TestStartCores(t *testing.T) {
	const deviceError = 1<<63 | 7
	_, _, _, _, ap := addresses()
	for _, c := range []struct {
		name           string
		total, enabled uintptr
		fails          uint64 // this function
		noAPIC         bool
		room           int // for cores
		came           uint64
		event          uintptr
		want           string
	}{
		{"four", 5, 4, 0, false, 4, 4, theirEvent, "GetNumberOfProcessors mapAPIC makeCores 4 CreateEvent StartupAllAPs reportCores"},
		{"more than there is room for", 999, 900, 0, false, 256, 256, theirEvent, "GetNumberOfProcessors mapAPIC makeCores 256 CreateEvent StartupAllAPs reportCores"},
		{"one is late", 4, 4, 0, false, 4, 3, theirEvent, "GetNumberOfProcessors mapAPIC makeCores 4 CreateEvent StartupAllAPs reportCores"},
		{"one", 4, 1, 0, false, 4, 1, 0, "GetNumberOfProcessors"},
		{"two", 4, 2, 0, false, 2, 2, theirEvent, "GetNumberOfProcessors mapAPIC makeCores 2 CreateEvent StartupAllAPs reportCores"},
		{"no protocol", 4, 4, theirLocate, false, 4, 1, 0, `warn "one processor core is used, as the firmw"`},
		{"no number", 4, 4, theirGetNumber, false, 4, 1, 0, `GetNumberOfProcessors warn "one processor core is used: GetNumberOfP"`},
		{"no APIC", 4, 4, 0, true, 4, 1, 0, `GetNumberOfProcessors mapAPIC warn "one processor core is used, as the other"`},
		{"no memory", 4, 4, 0, false, 1, 1, 0, "GetNumberOfProcessors mapAPIC makeCores 4 reportCores"},
		{"no event", 4, 4, theirCreateEvent, false, 4, 1, 0, `GetNumberOfProcessors mapAPIC makeCores 4 CreateEvent warn "one processor core is used: CreateEvent"`},
		{"not started", 4, 4, theirStartup, false, 4, 1, 0, `GetNumberOfProcessors mapAPIC makeCores 4 CreateEvent StartupAllAPs warn "one processor core is used, as the firmw" CloseEvent`},
	} {
		s := newStart(t, c.total, c.enabled)
		s.status[c.fails] = deviceError
		s.calls["locateProtocol"] = func() {
			s.want("LocateProtocol", []uint64{s.reg[simAX]}, uint64(address(&mpServicesGUID)))
			s.reg[simAX], s.reg[simBX] = uint64(address(&s.services)), s.status[theirLocate]
		}
		s.calls["mapAPIC"] = func() {
			s.did = append(s.did, "mapAPIC")
			s.reg[simAX] = map[bool]uint64{false: 1}[c.noAPIC]
		}
		other := new(core)
		lend(s.simulated, other)
		s.calls["makeCores"] = func() {
			s.did = append(s.did, fmt.Sprint("makeCores ", s.reg[simAX]))
			coreLimit = c.room
			for i := range coreLimit { // all are one that has not come
				cores[i] = address(other)
			}
		}
		s.calls["reportCores"] = func() { s.did = append(s.did, "reportCores") }
		started := uint64(0)
		s.do[theirStartup] = func(args []uint64) {
			s.want("StartupAllAPs", args, uint64(address(&s.services)), uint64(ap), 0, theirEvent, 0, 0, 0)
			started = s.ticks
		}
		s.calls["pause"] = func() {
			if s.ticks-started > 2e9 && coreCount < c.came { // each comes long after the one before
				coreCount, started = coreCount+1, s.ticks
			}
		}
		if c.came > 4 { // all at once
			s.calls["pause"] = func() { coreCount = c.came }
		}
		s.limit, s.tick = 1<<16, 100e6
		s.goCall(startCores)
		if got := strings.Join(s.did, " "); got != c.want || mpEvent != c.event || coreCount != c.came {
			t.Errorf("%s: %s\nwant %s; event %#x, %d cores", c.name, got, c.want, mpEvent, coreCount)
		}
	}
}

// TestAwaitReturn: the firmware's event is closed when it has seen all processors return; if it does not, those that it counts, but for
// the boot processor and those that have been here and gone, are reset, and the event stays.
func TestAwaitReturn(t *testing.T) {
	const limit, most = 10e6, 10 // looks at the clock, each of which takes 1 ms
	for _, returned := range []int{0, 3, 99} {
		s := newStart(t, 6, 5)
		coreLimit = 3
		for i := range 3 {
			c := new(core)
			lend(s.simulated, c)
			cores[i] = address(c)
			c.apicID = uint64(10 + i)
			c.returning = uint64(i & 1)
		}
		mpServices, processorCount, mpEvent = address(&s.services), 6, theirEvent
		flags := [6]uint32{7, 6, 6, 2, 6, 6} // bit 0: boot processor, bit 1: enabled, bit 2: healthy
		s.do[theirGetInfo] = func(args []uint64) {
			n := args[1]
			s.want("GetProcessorInfo", args, uint64(address(&s.services)), n, uint64(address(&processorInfo)))
			processorInfo.processorID, processorInfo.statusFlag = 10+n, flags[n]
			if n == 3 {
				s.failsNext = theirGetInfo // this one's answer is still in processorInfo then
			}
		}
		checks := 0
		s.do[theirStall] = func(args []uint64) {
			s.want("Stall", args, 1000)
			s.status[theirCheckEvent] = 1<<63 | 6
			if checks++; checks == returned {
				s.status[theirCheckEvent] = 0
			}
		}
		if returned > 0 {
			s.status[theirCheckEvent] = 1<<63 | 6
		}
		s.limit = 1 << 16
		s.goCall(awaitReturn, limit)
		want := strings.Repeat("CheckEvent Stall ", min(returned, most))
		if returned < most {
			want += "CheckEvent CloseEvent"
		} else {
			want += `say "not all processors came back to the firm"` + " GetProcessorInfo GetProcessorInfo GetProcessorInfo command 0x4500 to 12 GetProcessorInfo command 0x4500 to 13" +
				" GetProcessorInfo GetProcessorInfo command 0x4500 to 15"
		}
		if got := strings.Join(s.did, " "); got != want || mpEvent != 0 {
			t.Errorf("after %d: %s\nwant %s; event %#x", returned, got, want, mpEvent)
		}
		s.did = nil
		if s.goCall(awaitReturn, 1<<62); s.did != nil {
			t.Errorf("without an event: %s", s.did)
		}
	}
}

// TestStartAP: a processor that can take part enters the scheduler with the kernel's world; one that cannot goes back, as it came.
func TestStartAP(t *testing.T) {
	for _, fit := range []bool{true, false} {
		s := newStart(t, 4, 4)
		c := new(core)
		lend(s.simulated, c)
		lend(s.simulated, &bootCore)
		lend(s.simulated, &kernelLock)
		kernelLock = 0
		bootCore.cr3, coreCount = 0x5000, 1
		s.msr[simGS] = uint64(address(c))
		c.self = address(c)
		for _, name := range []string{"initCPU", "identifyUnfit", "restoreCPU", "initTraps", "enterKernelWorld", "enterAPIC"} {
			s.calls[name] = func() {
				s.did = append(s.did, name)
				s.want(name, []uint64{s.reg[simAX]}, uint64(c.self))
				if name == "initTraps" && c.cr3 != 0x5000 {
					t.Error("the kernel's page tables are not this processor's")
				}
			}
		}
		s.calls["(*core).isFit"] = func() { s.reg[simAX] = map[bool]uint64{true: 1}[fit] }
		s.calls["schedule"] = func() {
			s.did = append(s.did, "schedule")
			s.want("schedule", []uint64{s.reg[simAX], s.reg[simBX] & 0xFF}, uint64(c.self), 0)
			s.done = true
		}
		s.calls["leaveTo"] = func() {
			s.did = append(s.did, "leaveTo")
			s.done = true
		}
		s.goCall(startAP)
		want, online, unfit, count := "initCPU initTraps enterKernelWorld enterAPIC schedule", uint64(1), uint64(0), uint64(2)
		if !fit {
			want, online, unfit, count = "initCPU identifyUnfit restoreCPU leaveTo", 0, 1, 1
		}
		if got := strings.Join(s.did, " "); got != want || c.online != online || c.unfit != unfit || coreCount != count || (kernelLock != 0) != fit {
			t.Errorf("%s, want %s; online %d, unfit %d, %d cores, lock %d", got, want, c.online, c.unfit, coreCount, kernelLock)
		}
		kernelLock, bootCore.cr3, coreCount = 0, 0, 0
	}
}
