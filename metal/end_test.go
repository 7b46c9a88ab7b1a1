//go:build linux && amd64

package metal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// noted collects what happens in the order in which it does.
type noted []string

func (n *noted) add(args ...any) { *n = append(*n, strings.TrimSuffix(fmt.Sprintln(args...), "\n")) }

func (n *noted) check(t *testing.T, what string, want ...string) {
	t.Helper()
	if !slices.Equal(*n, want) {
		t.Errorf("%s: %q, want %q", what, *n, want)
	}
	*n = nil
}

// ends runs what does not return, but panics in a function of the test, and returns what with.
func ends(do func()) (with string) {
	defer func() { with = fmt.Sprint(recover()) }()
	do()
	return ""
}

// simulateTime makes time pass only with looks at the clock, perSecond of which take a second, and returns how many there were.
func simulateTime(t *testing.T, perSecond uint64) (looks *int) {
	set(t, &ticksPerSecond, perSecond)
	set(t, &firstTick, 0)
	return replaceCounter(t)
}

// newReset adds ResetSystem to the firmware, which returns a status and notes its other arguments.
func newReset(f *testFirmware, n *noted, status uintptr) {
	f.runtime.resetSystem = f.service(func(a ...uintptr) uintptr {
		n.add("reset", a)
		return status
	})
}

// TestAtEnd: when a machine waits for a key in the end, what it says, and what it does then.
func TestAtEnd(t *testing.T) {
	const other, off, restart, firmware = "o to switch it off, r to start it again.", "Press a key to switch the machine off.", "Press a key to start the machine again.", "Press a key to go on with the machine's firmware."
	const cold, shutdown = "reset [0 0 0 0]", "reset [2 0 0 0]" // EFI_RESET_TYPE, EFI_SUCCESS, no data (8.5.1)
	var did noted
	f := newFirmware(t)
	newReset(f, &did, efiUnsupported)
	var keys []string // that come one after the other
	waits := 0
	replace(t, drainKeys, func(now int64) {
		if now-lastFullPoll < fullPollInterval {
			t.Error("the keys are not looked for where the event does not work")
		}
		if len(keys) > 0 {
			receiveString(keys[0])
			keys = keys[1:]
		}
	})
	replace(t, waitForKey, func(ns int64) {
		if waits++; ns != 1e9 || waits > 9 {
			t.Fatalf("wait %d, of %d ns", waits, ns)
		}
	})
	set(t, &debugPorts[statusChannel], 0)
	set(t, &startedByShell, false)
	set(t, &conIn, 1)
	set(t, &lastFullPoll, 12345)
	set(t, &receivedHead, receivedSize-3)
	set(t, &receivedEnd, receivedSize-3)
	defer AtEnd(AskPerson, false)
	for _, c := range []struct {
		name            string
		shell, observed bool
		status          uint64
		end             Ending
		wait            bool
		key             string // "" for no keyboard
		said, did       string
	}{
		{"from the shell", true, false, 1, PowerOff, true, "o", "", ""},
		{"in a virtual machine", false, true, 1, PowerOff, true, "o", "", ""},
		{"success", false, false, 0, AskPerson, false, "o", "", ""},
		{"success, off", false, false, 0, PowerOff, false, "x", "", shutdown},
		{"success, restart", false, false, 0, Restart, false, "x", "", cold},
		{"success, to the firmware", false, false, 0, ToFirmware, false, "o", "", ""},
		{"success with wait", false, false, 0, AskPerson, true, "\r", other, ""},
		{"success with wait, to the firmware", false, false, 0, ToFirmware, true, "o", firmware, ""},
		{"failure", false, false, 1, AskPerson, false, "\r", other, ""},
		{"o", false, false, 255, AskPerson, false, "ox", other, shutdown},
		{"O", false, false, 1, AskPerson, false, "O", other, shutdown},
		{"r", false, false, 1, AskPerson, false, "rx", other, cold},
		{"R", false, false, 1, AskPerson, false, "R", other, cold},
		{"another key, then o", false, false, 1, AskPerson, false, "xo", other, ""},
		{"failure, off", false, false, 1, PowerOff, false, "r", off, shutdown},
		{"failure, restart", false, false, 1, Restart, false, "o", restart, cold},
		{"failure, to the firmware", false, false, 1, ToFirmware, false, "r", firmware, ""},
		{"failure without a keyboard", false, false, 1, AskPerson, false, "", "", ""},
		{"failure without a keyboard, off", false, false, 1, PowerOff, false, "", "", shutdown},
	} {
		startedByShell, debugPorts[statusChannel], conIn = c.shell, 0, 1
		if c.observed {
			debugPorts[statusChannel] = 1
		}
		if c.key == "" {
			conIn = 0
		}
		if Observed() != c.observed || StartedByShell() != c.shell {
			t.Errorf("%s: observed %v, from the shell %v", c.name, Observed(), StartedByShell())
		}
		AtEnd(c.end, c.wait)
		keys, waits, f.said = []string{"o", "", c.key, "r"}, 0, "" // what was typed before does not count
		attend(c.status)
		want, asks := "", c.said != ""
		if asks {
			want = "\nPress a key to go on with the machine's firmware, "
			if c.said != other {
				want = "\n"
			}
			want += c.said + "\n"
		}
		if c.did != "" {
			want += "metal: ResetSystem: EFI_UNSUPPORTED (0x8000000000000003)\n"
			did.check(t, c.name, c.did)
		} else {
			did.check(t, c.name)
		}
		if f.said != want || asks && (waits != 1 || len(keys) != 1) || !asks && (waits != 0 || len(keys) != 4) || receivedHead != receivedEnd {
			t.Errorf("%s: it said %q, want %q; %d waits; %q were not read", c.name, f.said, want, waits, keys)
		}
	}
}

// TestReboot: reboot(2) takes Linux's numbers (linux/reboot.h), and says so to the owner of a virtual machine.
func TestReboot(t *testing.T) {
	var did noted
	f := newFirmware(t)
	newReset(f, &did, efiUnsupported)
	replace(t, drainOutput, func() { did.add("drain") })
	flushed := uint64(0)
	replace(t, flushWritten, func(inode uint64) uint64 { did.add("flush", inode); return flushed })
	set(t, &debugPorts[statusChannel], 0xEB)
	replaceAssembly(t, outsb, func(port uint16, p, n uintptr) { did.add("port", port, *at[byte](p), n) })
	for _, c := range []struct {
		name                    string
		magic1, magic2, command uintptr
		flushed, e              uint64
		did                     []string
	}{
		{"off", 0xFEE1DEAD, 672274793, 0x4321FEDC, 0, eio, []string{"drain", "flush 0", "port 235 0 1", "reset [2 0 0 0]"}},
		{"restart", 0xFEE1DEAD, 85072278, 0x01234567, 0, eio, []string{"drain", "flush 0", "port 235 0 1", "reset [0 0 0 0]"}},
		{"halt", 0xFEE1DEAD, 369367448, 0xCDEF0123, 0, eio, []string{"drain", "flush 0", "port 235 0 1", "reset [2 0 0 0]"}},
		{"off, as ints", 0xFFFFFFFF_FEE1DEAD, 1<<32 | 537993216, 1<<32 | 0x4321FEDC, 0, eio, []string{"drain", "flush 0", "port 235 0 1", "reset [2 0 0 0]"}},
		{"Ctrl-Alt-Del off", 0xFEE1DEAD, 672274793, 0, 0, 0, nil},
		{"Ctrl-Alt-Del on", 0xFEE1DEAD, 672274793, 0x89ABCDEF, 0, 0, nil},
		{"a volume that is full", 0xFEE1DEAD, 672274793, 0x4321FEDC, enospc, enospc, []string{"drain", "flush 0"}},
		{"another first number", 0xFEE1DEAC, 672274793, 0x4321FEDC, 0, einval, nil},
		{"another second number", 0xFEE1DEAD, 672274792, 0x4321FEDC, 0, einval, nil},
		{"no command", 0xFEE1DEAD, 672274793, 1, 0, einval, nil},
		{"a suspension", 0xFEE1DEAD, 672274793, 0xD000FCE2, 0, einval, nil},
	} {
		flushed = c.flushed
		if got := reboot(c.magic1, c.magic2, c.command); got != errno(c.e) {
			t.Errorf("%s: %d, want errno %d", c.name, int64(got), c.e)
		}
		did.check(t, c.name, c.did...)
	}
}

// TestLeave: what is given back in the end, in which order, and with which status.
func TestLeave(t *testing.T) {
	var did noted
	f := newFirmware(t)
	replace(t, showText, func() { did.add("text") })
	replace(t, drainOutput, func() { did.add("drain") })
	replace(t, closeFiles, func() { did.add("files", f.said) })
	replace(t, attend, func(status uint64) { did.add("attend", status) })
	replace(t, restoreCPU, func(c *core) { did.add("restore", c == &bootCore, worldEntered) })
	replace(t, closeText, func(failed bool) { did.add("close text", failed) })
	replaceAssembly(t, outsb, func(port uint16, p, n uintptr) { did.add("port", port, *at[byte](p), n) })
	replaceAssembly(t, leaveTo, func(c *core, status uintptr) { did.add("leave", c == &bootCore); panic(status) })
	f.boot.closeEvent = f.service(func(a ...uintptr) uintptr { did.add("event", a); return efiSuccess })
	f.boot.freePages = f.service(func(a ...uintptr) uintptr { did.add("pages", a, worldEntered); return efiSuccess })
	set(t, &debugPorts[statusChannel], 0xEB)
	set(t, &refusedSize, 0)
	set(t, &memoryUse, Memory{Taken: 64 << 20})
	const refused = "metal: out of memory: the program asked for 12345 bytes, and 4096 of 67108864 are free\n"
	for _, c := range []struct {
		name    string
		status  uintptr
		code    uint64
		refused uintptr
		early   bool // before initCPU
		files   string
		ends    string
	}{
		{"success", efiSuccess, 0, 0, false, "files ", "0"},
		{"success after a refusal", efiSuccess, 0, 12345, false, "files ", "0"},
		{"the runtime's end after a refusal", efiOEM | 2, 2, 12345, false, "files " + refused, fmt.Sprint(uint64(efiOEM | 2))},
		{"the runtime's end", efiOEM | 2, 2, 0, false, "files ", fmt.Sprint(uint64(efiOEM | 2))},
		{"another end after a refusal", efiOEM | 3, 3, 12345, false, "files ", fmt.Sprint(uint64(efiOEM | 3))},
		{"early", efiUnsupported, statusCrash, 0, true, "files ", fmt.Sprint(uint64(efiUnsupported))},
	} {
		f.said = ""
		refusedSize, timerEvent, worldEntered, bootCore.cr4 = c.refused, 0x77, true, 1
		regions[0], regionCount = region{base: 0x200000, size: 0x3000, low: 0x202000, high: 0x203000}, 1
		want := []string{"text", "drain", c.files, fmt.Sprint("attend ", c.code), "event [119]", "restore true true", "pages [2097152 3] false",
			fmt.Sprint("close text ", c.status != 0), fmt.Sprint("port 235 ", c.code, " 1"), "leave true"}
		if c.early {
			bootCore.cr4, worldEntered = 0, false
			want = slices.Delete(want, 5, 6)
		}
		if got := ends(func() { leave(c.status, c.code) }); got != c.ends {
			t.Errorf("%s: the firmware gets %s, want %s", c.name, got, c.ends)
		}
		did.check(t, c.name, want...)
	}
	worldEntered, bootCore.cr4 = false, 0
	set(t, &f.said, "")
	if got := ends(func() { fail("reason", efiTimeout&^efiError) }); got != fmt.Sprint(uint64(efiTimeout)) || f.said != "metal: reason: EFI status (0x0000000000000012)\n" {
		t.Errorf("fail: %s, %q", got, f.said)
	}
	if at := slices.Index(did, "port 235 134 1"); at < 0 { // as after SIGABRT
		t.Errorf("fail: %q", did)
	}
}

// TestEndProgram: the first end counts, and the firmware's status has the program's in the range of a program's maker.
func TestEndProgram(t *testing.T) {
	replaceResult(t, getCore, uint64(address(&bootCore)))
	replace(t, stop, func() { panic("stopped") })
	for _, p := range []*uint64{&endClaimed, &ending, &endCode} {
		set(t, p, 0)
	}
	set(t, &endStatus, 0)
	for status, want := range map[uint64][2]uint64{0: {0, 0}, 1: {0xC000000000000001, 1}, 255: {0xC0000000000000FF, 255}, 256: {0, 0}, 0x1FE: {0xC0000000000000FE, 254}} {
		endClaimed, ending, endStatus, endCode = 0, 0, 99, 99
		if got := ends(func() { leaveProgram(status) }); got != "stopped" || ending != 1 || endClaimed != 1 || [2]uint64{uint64(endStatus), endCode} != want {
			t.Errorf("status %d: %q, ending %d, %#x and %d, want %#x", status, got, ending, endStatus, endCode, want)
		}
		endStatus, endCode = 98, 97
		if got := ends(func() { leaveProgram(5) }); got != "stopped" || endStatus != 98 || endCode != 97 {
			t.Errorf("a second end: %q, %d and %d", got, endStatus, endCode)
		}
	}
}

// TestReachBoot: another core brings the boot processor to its end by an NMI, but never while that is in the firmware.
func TestReachBoot(t *testing.T) {
	now := simulateTime(t, 1e6)
	other := fixed(t, &core{})
	replaceResult(t, getCore, uint64(address(other)))
	set(t, &bootCore.apicID, 0x21)
	for _, p := range []*uint64{&bootStopping, &inFirmware, &reaching, &ending, &endCode, &bootCore.nmis, &bootCore.nmisSent} {
		set(t, p, 0)
	}
	set(t, &endStatus, 0)
	var did noted
	replace(t, sendCommand, func(id uint64, command uint32) {
		did.add("NMI", id, command, ending, endStatus, endCode, reaching, *now > 100 && *now <= 101)
		bootStopping = 1
	})
	replaceAssembly(t, pause, func() {})
	beginEnd(7, 8)
	did.check(t, "the end on another core", fmt.Sprint("NMI 33 ", 0x4400, " 1 7 8 1 true")) // delivery mode NMI, level: assert (Intel SDM volume 3, 11.6.1)
	if bootCore.nmisSent != 1 || reaching != 0 {
		t.Errorf("%d NMIs are said to be sent; reaching is %d", bootCore.nmisSent, reaching)
	}
	if reachBoot(); len(did) != 0 {
		t.Error("the boot processor was reached twice")
	}
	for _, c := range []struct {
		name                       string
		inFirmware, reaching, nmis uint64
		sent                       int
	}{{"free", 0, 0, 1, 1}, {"in the firmware", 1, 0, 1, 0}, {"one is on its way", 0, 0, 0, 0}, {"another core is here", 0, 1, 1, 0}} {
		inFirmware, reaching, bootCore.nmis, bootCore.nmisSent, did = c.inFirmware, c.reaching, c.nmis, 1, nil
		if tryReachBoot(); len(did) != c.sent || reaching != c.reaching {
			t.Errorf("%s: %q, reaching %d", c.name, did, reaching)
		}
	}
	// What ends while it is looked for needs none.
	bootStopping, inFirmware, reaching, bootCore.nmis, bootCore.nmisSent, did = 0, 0, 0, 0, 0, nil
	pauses := 0
	replaceAssembly(t, pause, func() {
		if pauses++; pauses == 10 {
			bootStopping = 1
		}
	})
	if reachBoot(); pauses != 10 || len(did) != 0 {
		t.Errorf("after %d pauses: %q", pauses, did)
	}
}

// TestAwaitReach: the boot processor waits for an NMI that is on its way, for three seconds and only once.
func TestAwaitReach(t *testing.T) {
	now := simulateTime(t, 1e4)
	for _, p := range []*uint64{&reaching, &bootCore.nmis, &bootCore.nmisSent} {
		set(t, p, 0)
	}
	set(t, &reachGivenUp, false)
	pauses := 0
	replaceAssembly(t, pause, func() {
		if pauses++; pauses == 10 {
			reaching = 0
			bootCore.nmisSent++
		}
		if pauses == 20 {
			bootCore.nmis = bootCore.nmisSent
		}
	})
	if awaitReach(); *now != 0 || pauses != 0 {
		t.Errorf("nothing is on its way: %d pauses, %d looks at the clock", pauses, *now)
	}
	reaching = 1
	if awaitReach(); pauses != 20 || reachGivenUp {
		t.Errorf("an NMI is on its way: %d pauses; given up: %v", pauses, reachGivenUp)
	}
	bootCore.nmisSent++
	*now = 0
	if awaitReach(); *now < 30_000 || *now > 30_010 || !reachGivenUp {
		t.Errorf("an NMI never arrives: %d tenths of a millisecond; given up: %v", *now, reachGivenUp)
	}
	*now, pauses = 0, 0
	if awaitReach(); *now != 0 || pauses != 0 {
		t.Errorf("waited again, looked %d times", *now)
	}
}

// TestStop: the boot processor returns the others before it leaves; another core waits for that.
func TestStop(t *testing.T) {
	var did noted
	for _, p := range []*uint64{&bootStopping, &returnAllowed, &kernelLock, &memoryLock, &endCode} {
		set(t, p, 0)
	}
	set(t, &endStatus, 5)
	replace(t, awaitReach, func() { did.add("await", bootStopping) })
	replace(t, returnCores, func() { did.add("return cores", kernelLock, memoryLock) })
	replace(t, showText, func() { did.add("text", kernelLock, memoryLock) })
	replace(t, printCrash, func() { did.add("crash") })
	replace(t, leave, func(status uintptr, code uint64) { panic(fmt.Sprint("leave ", status, code)) })
	replace(t, returnCore, func(c *core) { panic(fmt.Sprint("return ", c.parked)) })
	kernelLock, memoryLock, endCode = 1, 1, 6
	replaceResult(t, getCore, uint64(address(&bootCore)))
	if got := ends(stop); got != "leave 5 6" {
		t.Errorf("the boot processor: %s", got)
	}
	did.check(t, "the boot processor", "await 1", "return cores 1 1", "text 0 0", "crash")
	other := fixed(t, &core{})
	replaceResult(t, getCore, uint64(address(other)))
	pauses := 0
	replaceAssembly(t, pause, func() {
		if pauses++; pauses == 3 {
			returnAllowed = 1
		}
	})
	if got := ends(stop); got != "return 1" || pauses != 3 {
		t.Errorf("another core: %s after %d pauses", got, pauses)
	}
	did.check(t, "another core")
}

// TestReturnCores: each core that runs the program gets an NMI until it waits, one after the other; all others are left alone.
func TestReturnCores(t *testing.T) {
	const first, second, waiting, unfit = 1, 2, 3, 4
	for _, c := range []struct {
		name  string
		comes map[uint64]int // by core: when it waits in stop, in tenths of a millisecond; 0: never
		loses bool           // the NMIs do not arrive
		nmis  map[uint64]int
		from  int // when all may return
	}{
		{"at once", map[uint64]int{first: 1, second: 1}, false, map[uint64]int{first: 1, second: 1}, 1},
		{"one late", map[uint64]int{first: 1, second: 60}, false, map[uint64]int{first: 1, second: 5}, 60},
		{"one never", map[uint64]int{first: 1}, false, map[uint64]int{first: 1, second: 5000}, 60_000},
		{"lost", nil, true, map[uint64]int{first: 1, second: 1}, 60_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := simulateTime(t, 1e4)
			set(t, &coreLimit, 5)
			set(t, &returnAllowed, 0)
			for i := first; i <= unfit; i++ {
				set(t, &cores[i], address(fixed(t, &core{processor: processor{apicID: uint64(i)}, online: 1})))
			}
			coreNumber(waiting).parked, coreNumber(unfit).online = 1, 0
			replaceResult(t, getCore, uint64(address(&bootCore)))
			nmis := map[uint64]int{}
			replace(t, sendCommand, func(id uint64, command uint32) {
				nmis[id]++
				if !c.loses {
					coreNumber(int(id)).nmis++
				}
			})
			replaceAssembly(t, pause, func() {
				for id, at := range c.comes {
					if *now >= at {
						coreNumber(int(id)).parked = 1
					}
				}
			})
			var limit int64
			allowed := 0
			replace(t, awaitReturn, func(l int64) { limit, allowed = l, *now })
			returnCores()
			if returnAllowed != 1 || allowed < c.from || allowed > c.from+20 || limit < 6e9 || limit > 6_000_200_000 {
				t.Errorf("allowed %d after %d tenths of a millisecond, want %d; the firmware is waited for until %d ns", returnAllowed, allowed, c.from, limit)
			}
			for id := uint64(first); id <= unfit; id++ {
				if d := nmis[id] - c.nmis[id]; d < -c.nmis[id]/100 || d > c.nmis[id]/100 {
					t.Errorf("core %d got %d NMIs, want %d", id, nmis[id], c.nmis[id])
				}
			}
		})
	}
	set(t, &coreLimit, 1)
	set(t, &returnAllowed, 0)
	if returnCores(); returnAllowed != 0 {
		t.Error("a processor alone lets others return")
	}
}

// TestLocks: a core that waits for a lock gets it when it is free, and stops when the program ends.
func TestLocks(t *testing.T) {
	set(t, &ending, 0)
	var lock uint64
	pauses := 0
	replaceAssembly(t, pause, func() {
		switch pauses++; pauses {
		case 3:
			release(&lock)
		case 100:
			t.Fatal("the lock is free, and waited for")
		}
	})
	replace(t, stop, func() { panic("stopped") })
	acquire(&lock)
	if lock != 1 || pauses != 0 {
		t.Errorf("a free lock: %d after %d pauses", lock, pauses)
	}
	acquire(&lock)
	if lock != 1 || pauses != 3 {
		t.Errorf("a lock that becomes free: %d after %d pauses", lock, pauses)
	}
	ending = 1
	if got := ends(func() { acquire(&lock) }); got != "stopped" || pauses != 3 {
		t.Errorf("a lock at the end: %q, %d pauses", got, pauses)
	}
	release(&lock)
	if acquire(&lock); lock != 1 {
		t.Error("a free lock at the end is not taken")
	}
}

// TestDebugPorts: a port is a channel if it reads as its own number, and gets what is written to its channel.
func TestDebugPorts(t *testing.T) {
	for i := range debugPorts {
		set(t, &debugPorts[i], 0)
	}
	var did noted
	replaceAssembly(t, outsb, func(port uint16, p, n uintptr) { did.add(port, p, n) })
	replacePorts(t, map[uint16]byte{0xE8: 0xE8, 0xE9: 0xE9, 0xEA: 0xE9, 0xEB: 0xEB, 0xEC: 0xEC})
	findDebugChannels()
	for channel := range debugPorts {
		if has := channel == stdout || channel == statusChannel; hasDebugChannel(channel) != has {
			t.Errorf("channel %d: %v", channel, !has)
		}
		debugWrite(channel, uintptr(channel), 7)
	}
	did.check(t, "written", "233 1 7", "235 3 7")
}

// TestFirmwareCall: a function of the firmware gets ten arguments, of which those that are not given are 0, while others know that
// this processor is in the firmware.
func TestFirmwareCall(t *testing.T) {
	set(t, &inFirmware, 0)
	set(t, &callArgs, [10]uintptr{})
	var did noted
	replace(t, awaitReach, func() { did.add("await", inFirmware) })
	called := replaceFirmware(t, 99)
	for _, args := range [][]uintptr{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {11, 12}, {}} {
		var want [10]uintptr
		copy(want[:], args)
		*called = [3]uintptr{}
		if got := firmware(0x77, args...); got != 99 || *called != [3]uintptr{1, 0x77, address(&callArgs)} || callArgs != want || inFirmware != 0 {
			t.Errorf("%d: status %d, called with %#x, arguments %d; afterwards in the firmware: %d", args, got, *called, callArgs, inFirmware)
		}
		did.check(t, "before a call", "await 1")
	}
}

// TestWatchdog: the firmware's timer is stopped; firmware without one is not mentioned.
func TestWatchdog(t *testing.T) {
	f := newFirmware(t)
	for status, want := range map[uintptr]string{efiSuccess: "", efiUnsupported: "",
		efiDeviceError: "metal: SetWatchdogTimer: the firmware may reset the machine after five minutes: EFI_DEVICE_ERROR (0x8000000000000007)\n"} {
		f.said = ""
		f.boot.setWatchdogTimer = f.service(func(a ...uintptr) uintptr {
			if !slices.Equal(a, []uintptr{0, 0, 0, 0}) { // a timeout of 0 stops it (7.5.1)
				t.Errorf("SetWatchdogTimer%d", a)
			}
			return status
		})
		if stopWatchdog(); f.said != want {
			t.Errorf("status %#x: %q, want %q", status, f.said, want)
		}
	}
}
