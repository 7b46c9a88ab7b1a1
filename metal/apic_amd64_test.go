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
