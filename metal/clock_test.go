//go:build linux && amd64

package metal

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// firmwareTime is a time as EFI_TIME (8.3) has it.
func firmwareTime(t time.Time) efiTime {
	return efiTime{year: uint16(t.Year()), month: byte(t.Month()), day: byte(t.Day()), hour: byte(t.Hour()), minute: byte(t.Minute()), second: byte(t.Second()), timeZone: efiUnspecifiedTimeZone}
}

// TestUnixTime converts every day of EFI_TIME's years, at some time of the day, with each time zone.
func TestUnixTime(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 3))
	for day := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 9999; day = day.AddDate(0, 0, 1+day.Year()/2200*50) {
		moment := day.Add(time.Duration(random.IntN(86400)) * time.Second)
		local := firmwareTime(moment)
		if got := unixTime(&local); got != moment.Unix() {
			t.Fatalf("%v: %d, want %d", moment, got, moment.Unix())
		}
		zone := -1440 + random.IntN(2881) // minutes: Localtime = UTC - TimeZone
		local.timeZone = int16(zone)
		if got, want := unixTime(&local), moment.Unix()+int64(zone)*60; got != want {
			t.Fatalf("%v with the time zone %d: %d, want %d", moment, zone, got, want)
		}
	}
}

// TestDates converts the first and the last second of every day that FAT has, and others, to the firmware's time.
func TestDates(t *testing.T) {
	first, last := time.Date(1981, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 59, 0, time.UTC)
	random := rand.New(rand.NewPCG(8, 4))
	for day := first; day.Before(last); day = day.AddDate(0, 0, 1) {
		for _, second := range []int{0, 86399, random.IntN(86400)} {
			moment := day.Add(time.Duration(second) * time.Second)
			d := efiDate(moment.Unix())
			if want := firmwareTime(moment); d != want {
				t.Fatalf("%v became %+v, want %+v", moment, d, want)
			}
			if clampDate(&d); d != firmwareTime(moment) {
				t.Fatalf("%v is not valid: %+v", moment, d)
			}
		}
	}
	for seconds, want := range map[int64]time.Time{0: first, -1 << 40: first, first.Unix() - 1: first, last.Unix() + 1: last, 1 << 40: last} {
		if got := efiDate(seconds); got != firmwareTime(want) {
			t.Errorf("%d is stored as %+v, want %v", seconds, got, want)
		}
	}
}

// TestClampDate: whatever a directory has for a date becomes one that there is.
func TestClampDate(t *testing.T) {
	clamp := func(n, least, most int) int { return min(max(n, least), most) }
	for _, year := range []int{0, 1979, 1980, 1981, 1984, 2000, 2001, 2096, 2099, 2100, 2101, 2104, 2107, 2108, 65535} {
		for month := range 17 {
			for day := range 34 {
				d := efiTime{year: uint16(year), month: byte(month), day: byte(day), nanosecond: 999_999_999}
				want := efiTime{year: uint16(clamp(year, 1980, 2107)), month: byte(clamp(month, 1, 12)), nanosecond: 999_999_999}
				want.day = byte(clamp(day, 1, time.Date(int(want.year), time.Month(want.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()))
				if clampDate(&d); d != want {
					t.Fatalf("%d-%d-%d became %+v, want %+v", year, month, day, d, want)
				}
			}
		}
	}
	for n := range 256 {
		d := efiTime{year: 2000, month: 1, day: 1, hour: byte(n), minute: byte(n), second: byte(n), nanosecond: 1_000_000_000}
		second := n
		if n >= 60 { // FAT counts two seconds
			second = 58
		}
		want := efiTime{year: 2000, month: 1, day: 1, hour: byte(min(n, 23)), minute: byte(min(n, 59)), second: byte(second), nanosecond: 999_999_999}
		if clampDate(&d); d != want {
			t.Errorf("%d:%d:%d became %+v", n, n, n, d)
		}
	}
}

// TestTicks: the time is right for counters of any rate, after years.
func TestTicks(t *testing.T) {
	defer func() { ticksPerSecond, firstTick = 0, 0 }()
	for _, rate := range []uint64{1e6, 1e9, 2_893_202_000, 4_999_999_999, 18e9} {
		ticksPerSecond = rate
		for _, seconds := range []uint64{0, 1, 59, 1e5, 3e8} {
			firstTick = counter() - seconds*rate - rate/3
			nanoseconds := func(tick uint64) int64 {
				n := new(big.Int).SetUint64(tick - firstTick)
				return n.Mul(n, big.NewInt(1e9)).Div(n, new(big.Int).SetUint64(rate)).Int64()
			}
			before := counter()
			got := ticktime()
			if after := counter(); got < nanoseconds(before) || got > nanoseconds(after) {
				t.Errorf("%d s at %d ticks a second: %d ns, want %d to %d", seconds, rate, got, nanoseconds(before), nanoseconds(after))
			}
		}
	}
}

// TestMeasuredRate: the counter's rate is that of the shortest stall. The test knows how long each took at least and at most: its
// own time, and that from the end of the one before to the beginning of the next.
func TestMeasuredRate(t *testing.T) {
	f := newServices(t)
	var begins, ends []uint64
	f.boot.stall = f.service(func(a ...uintptr) uintptr {
		begin := counter()
		if begins = append(begins, begin); a[0] != 10_000 {
			t.Errorf("a stall of %d µs", a[0])
		}
		for ticks := uint64(50_000 + len(begins)*7%5*10_000); counter()-begin < ticks; {
		}
		ends = append(ends, counter())
		return efiSuccess
	})
	ends = append(ends, counter())
	got := measuredRate()
	begins = append(begins, counter())
	least, most := ^uint64(0), ^uint64(0)
	for i := range begins[1:] {
		least, most = min(least, ends[i+1]-begins[i]), min(most, begins[i+1]-ends[i])
	}
	if len(begins) != 6 || got < least*100 || got > most*100 { // 10 ms are a hundredth of a second
		t.Errorf("%d ticks a second after %d stalls, want %d to %d", got, len(begins)-1, least*100, most*100)
	}
}

// TestClocks: Linux's clocks 0 to 11 (linux/time.h). CLOCK_REALTIME and its coarse kind tell the date, others count from the start.
func TestClocks(t *testing.T) {
	defer func() { ticksPerSecond, firstTick, bootTime, lastNanotime = 0, 0, 0, 0 }()
	ticksPerSecond, bootTime, lastNanotime = 1e9, 1_700_000_000_123_456_789, 0
	firstTick = counter() - 12345e9
	for clock := range uintptr(20) {
		got := fixed(t, &timespec{-1, -1})
		before := nanotime()
		e := clockGettime(clock, address(got))
		after := nanotime()
		if clock > 11 {
			if e != errno(einval) || *got != (timespec{-1, -1}) {
				t.Errorf("clock %d: %d, %+v", clock, int64(e), *got)
			}
			continue
		}
		if clock == 0 || clock == 5 {
			before, after = before+bootTime, after+bootTime
		}
		ns := got.sec*1e9 + got.nsec
		if e != 0 || ns < before || ns > after || got.nsec < 0 || got.nsec >= 1e9 {
			t.Errorf("clock %d: %d, %+v, want %d to %d ns", clock, int64(e), *got, before, after)
		}
	}
	lastNanotime = nanotime() + 1e15 // another core is ahead
	if got := nanotime(); got != lastNanotime {
		t.Errorf("the time went back from %d to %d", lastNanotime, got)
	}
}
