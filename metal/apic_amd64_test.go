//go:build linux

package metal

import (
	"testing"
	"unsafe"
)

// makeTestCores makes n cores, the boot processor among them, for the test.
func makeTestCores(t *testing.T, n int) []*core {
	t.Cleanup(func() { cores, coreLimit, coreCount = [maxCores]uintptr{}, 0, 0 })
	all := []*core{&bootCore}
	cores[0] = address(&bootCore)
	for i := 1; i < n; i++ {
		all = append(all, new(core))
		cores[i] = address(all[i])
	}
	coreLimit = n
	return all
}

// TestReportCores: which cores are not used, and why, in one line, or none.
func TestReportCores(t *testing.T) {
	defer func() { enabledCount = 0 }()
	all := makeTestCores(t, 4)
	for _, c := range []struct {
		enabled      uintptr
		limit        int
		count, unfit uint64
		unfitCore    int
		want         string
	}{
		{4, 4, 4, 0, 1, "\n"},
		{4, 4, 1, 0, 1, "metal: 1 of 4 processor cores are used: the firmware said that it started the others, but they have not come\n"},
		{4, 4, 3, 1, 3, "metal: 3 of 4 processor cores are used: 1 cannot do what the boot processor can\n"},
		{4, 4, 2, 1, 1, "metal: 2 of 4 processor cores are used: 1 cannot do what the boot processor can; the firmware said that it started the others, but they have not come\n"},
		{9, 4, 4, 0, 1, "metal: 4 of 9 processor cores are used: there is room for 4\n"},
		{9, 4, 3, 1, 2, "metal: 3 of 9 processor cores are used: there is room for 4; 1 cannot do what the boot processor can\n"},
		{9, 4, 2, 1, 2, "metal: 2 of 9 processor cores are used: there is room for 4; 1 cannot do what the boot processor can; the firmware said that it started the others, but they have not come\n"},
		{9, 4, 3, 0, 1, "metal: 3 of 9 processor cores are used: there is room for 4; the firmware said that it started the others, but they have not come\n"},
		{2, 1, 1, 1, 3, "metal: 1 of 2 processor cores are used: there is room for 1\n"},
	} {
		for _, other := range all {
			other.unfit = 0
		}
		all[c.unfitCore].unfit = c.unfit
		enabledCount, coreLimit, coreCount = c.enabled, c.limit, c.count
		if got := said(reportCores); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	all[1].unfit, all[2].unfit, all[3].unfit, coreLimit = 1, 0, 1, 4
	if n := countUnfit(); n != 2 {
		t.Errorf("%d unfit", n)
	}
}

// TestHasReturned: a processor that is not to be reset is one that came, under the ID that it has, and went.
func TestHasReturned(t *testing.T) {
	all := makeTestCores(t, 4)
	all[1].apicID, all[1].returning = 7, 1
	all[2].apicID = 8
	all[3].apicID, all[3].returning = 9, 1
	bootCore.apicID, bootCore.returning = 6, 1
	defer func() { bootCore.apicID, bootCore.returning = 0, 0 }()
	for id, want := range map[uint64]bool{5: false, 6: false, 7: true, 8: false, 9: true, 0: false} {
		if hasReturned(id) != want {
			t.Errorf("%d: %v", id, !want)
		}
	}
	coreLimit = 3
	if hasReturned(9) {
		t.Error("a core that is none has returned")
	}
}

// TestMakeCores: as many cores as there is memory for, each in pages of its own.
func TestMakeCores(t *testing.T) {
	defer func(use Memory) { regionCount, memoryUse = 0, use }(memoryUse)
	t.Cleanup(func() { cores, coreLimit = [maxCores]uintptr{}, 0 })
	const size = (unsafe.Sizeof(core{}) + pageSize - 1) &^ (pageSize - 1)
	memory := make([]byte, 3*size+pageSize)
	base := (uintptr(unsafe.Pointer(&memory[0])) + pageSize - 1) &^ (pageSize - 1)
	for n, c := range []struct {
		room uintptr
		want int
	}{{3 * size, 1}, {3 * size, 1}, {3 * size, 2}, {3 * size, 3}, {3 * size, 4}, {3 * size, 4}, {3*size - pageSize, 3}} {
		cores = [maxCores]uintptr{}
		regions[0], regionCount = region{low: base, high: base + c.room}, 1
		makeCores(n)
		if coreLimit != c.want {
			t.Errorf("%d cores of %d", coreLimit, n)
		}
		for i := 1; i < c.want; i++ {
			if coreNumber(i) != at[core](base+uintptr(i-1)*size) {
				t.Errorf("core %d is at %#x of %#x", i, cores[i], base)
			}
		}
	}
	if len(cores) != 256 { // an APIC ID has 8 bits (Intel SDM volume 3, 11.4.6)
		t.Errorf("there is room for %d cores", len(cores))
	}
	if !bootCore.isBoot() || (&core{}).isBoot() {
		t.Error("the boot processor is another one")
	}
}

// TestPrepareInterrupt: a core gets an area for the vector registers of its thread, aligned and of its own, until there are no more; one
// that has one keeps it. Without room for what XSAVE stores there is none.
func TestPrepareInterrupt(t *testing.T) {
	defer func() { vectorAreas = [9 * pageSize]byte{} }()
	first := (address(&vectorAreas) + pageSize - 1) &^ (pageSize - 1)
	room := int(address(&vectorAreas)+unsafe.Sizeof(vectorAreas)-first) / pageSize
	seen := map[uint64]bool{}
	var all []*core
	for n := range room + 2 {
		c := new(core)
		all = append(all, c)
		ok := c.prepareInterrupt()
		if n >= room {
			if ok || c.vectorArea != 0 {
				t.Errorf("area %d is at %#x", n, c.vectorArea)
			}
			continue
		}
		from, end := uint64(address(&vectorAreas)), uint64(address(&vectorAreas)+unsafe.Sizeof(vectorAreas))
		if a := c.vectorArea; !ok || a%64 != 0 || a < from || a+pageSize > end || seen[a] || at[vectorArea](uintptr(a)).used != 1 {
			t.Errorf("area %d: %v, %#x of %#x", n, ok, a, from)
		}
		seen[c.vectorArea] = true
		if before := c.vectorArea; !c.prepareInterrupt() || c.vectorArea != before {
			t.Error("a core does not keep its area")
		}
	}
	if t.Failed() || room < 8 {
		t.Fatalf("%d areas", room)
	}
	at[vectorArea](uintptr(all[3].vectorArea)).used = 0
	if !all[room].prepareInterrupt() || all[room].vectorArea != all[3].vectorArea {
		t.Error("an area that is free again is not used")
	}
	if unsafe.Sizeof(vectorArea{}) != pageSize || unsafe.Offsetof(vectorArea{}.used) < 2688 {
		t.Error("an area is no page, or has no room for AVX-512's registers")
	}
	if r := (registers{vectors: 1}); r.mayTakeSignal() || !(&registers{}).mayTakeSignal() {
		t.Error("a handler changes vector registers")
	}
}

// TestReachPending: an NMI is on its way until it is counted.
func TestReachPending(t *testing.T) {
	for _, c := range []struct {
		sent, came uint64
		want       bool
	}{{0, 0, false}, {1, 0, true}, {7, 7, false}, {8, 7, true}} {
		x := core{processor: processor{nmisSent: c.sent, nmis: c.came}}
		if x.reachPending() != c.want {
			t.Errorf("%d sent, %d came", c.sent, c.came)
		}
	}
}

// simulatedAPIC is a processor with a local APIC, whose registers are in a page, or are model-specific ones.
type simulatedAPIC struct {
	*simulated
	core   *core
	page   *[1024]uint32
	x2APIC bool
}

// newAPIC makes one. Registers have their offset as value.
func newAPIC(t *testing.T, x2APIC bool) *simulatedAPIC {
	a := &simulatedAPIC{simulated: newSimulated(t, seeded(1)), core: new(core), page: new([1024]uint32), x2APIC: x2APIC}
	lend(a.simulated, a.core)
	page := lend(a.simulated, a.page)
	a.memory = append(a.memory, simulatedMemory{from: 0x7FFF_FFFF_0000, to: 0x7FFF_FFFF_1000, at: page})
	a.msr[simGS] = uint64(address(a.core))
	a.core.self = address(a.core)
	a.msr[0x1B] = 0xFEE0_0800
	if x2APIC {
		a.msr[0x1B] |= 0x400
		a.core.x2APIC = 0x400
	}
	a.cpuid = features(0, 0, 0, 0) // its initial APIC ID is 5AH
	for offset := range uint32(0x400) {
		if x2APIC {
			a.msr[0x800+offset>>4] = uint64(offset &^ 15)
		} else {
			a.page[offset] = offset * 4
		}
	}
	a.changes = nil
	return a
}

func (a *simulatedAPIC) register(offset uint32) uint64 {
	if a.x2APIC {
		return a.msr[0x800+offset>>4]
	}
	return uint64(a.page[offset/4])
}

// wantOnly checks that no registers but some have been changed.
func (a *simulatedAPIC) wantOnly(what string, want map[uint32]uint64) {
	a.t.Helper()
	for offset := uint32(0); offset < 0x400; offset += 16 {
		v, ok := want[offset]
		if !ok {
			v = uint64(offset)
		}
		if got := a.register(offset); got != v {
			a.t.Errorf("%s (x2APIC %v): register %#x is %#x, want %#x", what, a.x2APIC, offset, got, v)
		}
	}
}

// TestAPIC: what is read from and written to a local APIC (Intel SDM volume 3, 11.4 to 11.9), in x2APIC mode, too (11.12), which QEMU
// does not emulate.
func TestAPIC(t *testing.T) {
	needPlainCode(t)
	for _, x2APIC := range []bool{false, true} {
		a := newAPIC(t, x2APIC)
		c := uint64(address(a.core))
		id := uint64(0x20) // x2APIC's has 32 bits
		if !x2APIC {
			a.page[0x20/4], id = 0xAB00_0000, 0xAB
		}
		kept := map[uint32]uint64{0x20: a.register(0x20)}
		a.core.x2APIC = 1234
		a.goCall(enterAPIC, c)
		mode := map[bool]uint64{true: 0x400}[x2APIC]
		if a.core.apicID != id || a.core.x2APIC != mode || a.core.firmware.spuriousVector != 0xF0 || a.core.firmware.taskPriority != 0x80 {
			t.Errorf("x2APIC %v: ID %#x, %#x; %#x, %#x", x2APIC, a.core.apicID, a.core.x2APIC, a.core.firmware.spuriousVector, a.core.firmware.taskPriority)
		}
		kept[0xF0], kept[0x80] = 0x1FF, 0
		a.wantOnly("enterAPIC", kept)
		a.goCall(leaveAPIC, c)
		delete(kept, 0xF0)
		delete(kept, 0x80)
		a.wantOnly("leaveAPIC", kept)
		a.core.apicID = 0
		a.goCall(identifyUnfit, c)
		if want := map[bool]uint64{false: 0x5A, true: 0x20}[x2APIC]; a.core.apicID != want {
			t.Errorf("x2APIC %v: the ID of a processor that is not to take part is %#x", x2APIC, a.core.apicID)
		}
		a.wantOnly("identifyUnfit", kept)

		to := new(core)
		lend(a.simulated, to)
		to.apicID = 0x97
		for _, send := range []struct {
			name    string
			f       any
			arg     uint64
			command uint64
		}{
			{"wake", sendWake, uint64(address(to)), 0x40F0}, {"NMI", reach, uint64(address(to)), 0x4400}, {"INIT", sendINIT, 0x97, 0x4500},
		} {
			waits := 0
			if !x2APIC {
				a.page[0x300/4], a.page[0x310/4] = 0x1000, 0
			}
			a.before = func() { // the APIC is busy at first
				if a.function() == "pause" && !x2APIC {
					if waits++; waits == 3 {
						a.page[0x300/4] = 0
					}
					if a.page[0x310/4] != 0 {
						t.Errorf("%s: a command while one is pending", send.name)
					}
				}
			}
			a.goCall(send.f, send.arg)
			a.before = nil
			if x2APIC {
				kept[0x300] = 0x97_0000_0000 | send.command
			} else {
				kept[0x300], kept[0x310] = send.command, 0x9700_0000
				if waits != 3 {
					t.Errorf("%s: it waited %d times", send.name, waits)
				}
			}
			a.wantOnly(send.name, kept)
		}
		if to.nmisSent != 1 {
			t.Errorf("%d NMIs sent", to.nmisSent)
		}
	}
}

// TestMapAPIC: the page of registers is mapped as a device's, where IA32_APIC_BASE says, if the APIC is on and there is memory for tables.
func TestMapAPIC(t *testing.T) {
	needPlainCode(t)
	defer func(use Memory) { bootCore, rootTable, regionCount, memoryUse = core{}, 0, 0, use }(memoryUse)
	for _, c := range []struct {
		name string
		base uint64
		room uintptr
		want bool
	}{{"on", 0x12_FEE0_0900, 4, true}, {"off", 0xFEE0_0100, 4, false}, {"no memory for tables", 0xFEE0_0900, 1, false}} {
		bootCore = core{}
		a := newAPIC(t, false)
		for _, p := range []any{&bootCore, &rootTable} {
			switch p := p.(type) {
			case *core:
				lend(a.simulated, p)
			case *uintptr:
				lend(a.simulated, p)
			}
		}
		lend(a.simulated, &regionCount)
		lend(a.simulated, &regions)
		lend(a.simulated, &memoryUse)
		lend(a.simulated, &noExecute)
		memory := new([8 * pageSize]byte)
		lend(a.simulated, memory)
		base := (address(memory) + pageSize - 1) &^ (pageSize - 1)
		regions[0], regionCount = region{low: base, high: base + c.room*pageSize}, 1
		rootTable = allocPages(1)
		a.msr[0x1B] = c.base
		a.page[0x20/4] = 0x0700_0000
		a.calls["zero"] = func() {} // the memory is new
		if got := a.goCall(mapAPIC)&0xFF != 0; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if !c.want {
			continue
		}
		if e := *entryFor(0x7FFF_FFFF_0000, 12); e != 0x12_FEE0_0000|0x1B|noExecute || bootCore.apicID != 7 {
			t.Errorf("%s: entry %#x, ID %#x", c.name, e, bootCore.apicID)
		}
	}
}
